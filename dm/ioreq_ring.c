/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * While inserting, Xen may take a multiple of the ring's length off both indexes at once. Therefore
 * the read index is only ever advanced by an atomic addition, and the two are believed only when
 * the read index is the same before and after the write index was read. Nothing is remembered from
 * one entry to the next.
 */
#include "dm/ioreq_ring.h"

#include <string.h>

#include <xen/xen.h>
#include <xen/hvm/ioreq.h>

_Static_assert(sizeof(struct buffered_iopage) == 4096, "the ring fills its page");

/* Entries that wait; *read_index is where the first is. */
static uint32_t snapshot(struct buffered_iopage *page, uint32_t *read_index)
{
    uint32_t before, after, write_index;

    do {
        before = __atomic_load_n(&page->read_pointer, __ATOMIC_ACQUIRE);
        write_index = __atomic_load_n(&page->write_pointer, __ATOMIC_ACQUIRE);
        after = __atomic_load_n(&page->read_pointer, __ATOMIC_ACQUIRE);
    } while (before != after);
    *read_index = before;
    return write_index - before;
}

/* One fetch of all 8 bytes of an entry. */
static buf_ioreq_t fetch(struct buffered_iopage *page, uint32_t index)
{
    volatile uint64_t *slot = (void *)&page->buf_ioreq[index % IOREQ_BUFFER_SLOT_NUM];
    uint64_t raw = *slot;
    buf_ioreq_t entry;

    memcpy(&entry, &raw, sizeof(entry));
    return entry;
}

bool ioreq_ring_drain(struct buffered_iopage *page, struct request_target *target)
{
    for (unsigned budget = IOREQ_BUFFER_SLOT_NUM; budget;) {
        uint32_t index, used = 1;
        uint32_t waiting = snapshot(page, &index);
        buf_ioreq_t entry;
        struct request req;

        if (waiting == 0)
            return false;
        if (waiting > IOREQ_BUFFER_SLOT_NUM) {
            /* Not what Xen does. What is in there cannot be told any more: begin anew. */
            target->counters.bad++;
            __atomic_fetch_add(&page->read_pointer, waiting, __ATOMIC_SEQ_CST);
            return false;
        }
        entry = fetch(page, index);
        req = (struct request){.addr = entry.addr,
                               .data = entry.data,
                               .count = 1,
                               .size = 1u << entry.size,
                               .type = entry.type,
                               .read = entry.dir};
        if (req.size == 8) {
            /* The high half is the data of a second entry; both were published together. */
            if (waiting < 2) {
                target->counters.bad++;
                __atomic_fetch_add(&page->read_pointer, 1, __ATOMIC_SEQ_CST);
                return false;
            }
            req.data |= (uint64_t)fetch(page, index + 1).data << 32;
            used = 2;
        }
        target->counters.buffered++;
        request_execute(target, &req);
        __atomic_fetch_add(&page->read_pointer, used, __ATOMIC_SEQ_CST);
        budget = budget > used ? budget - used : 0;
    }
    return true;
}
