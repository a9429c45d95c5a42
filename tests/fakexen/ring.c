/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The producer's side of the buffered ring, by Xen's rules: 511 entries, a full ring is refused, an
 * eight-byte access takes two entries that become visible together; in atomic mode both indexes are
 * brought down by multiples of 511 in one compare-exchange, so that a consumer that stores the read
 * index instead of adding to it goes wrong here as there.
 */
#include <errno.h>
#include <string.h>
#include "guest.h"

/* With the two indexes in front, which the public header hides from device models as one word. */
struct ring {
    uint64_t pointers; /* low half read index, high half write index */
    uint64_t entry[IOREQ_BUFFER_SLOT_NUM];
};

struct buffered_iopage *ring_page(struct guest *g, int server)
{
    uint32_t mfn = g->hv->server[server].buf_mfn;

    return mfn ? (struct buffered_iopage *)(g->frames + (size_t)mfn * HV_PAGE) : NULL;
}

static int insert(struct guest *g, int server, const uint64_t entry[2], unsigned int n, bool notify)
{
    struct hv_server *s = &g->hv->server[server];
    struct ring *ring = (struct ring *)ring_page(g, server);
    uint64_t pointers;
    uint32_t rd, wr;

    if (!ring || s->bufioreq == HV_BUF_OFF)
        return -EOPNOTSUPP;
    pointers = __atomic_load_n(&ring->pointers, __ATOMIC_ACQUIRE);
    rd = (uint32_t)pointers;
    wr = (uint32_t)(pointers >> 32);
    if (wr - rd >= IOREQ_BUFFER_SLOT_NUM - (n - 1))
        return -EAGAIN;
    for (unsigned int i = 0; i < n; i++)
        __atomic_store_n(&ring->entry[(wr + i) % IOREQ_BUFFER_SLOT_NUM], entry[i],
                         __ATOMIC_RELAXED);
    __atomic_add_fetch((uint32_t *)&ring->pointers + 1, n, __ATOMIC_RELEASE);
    pointers = __atomic_load_n(&ring->pointers, __ATOMIC_ACQUIRE);
    while (s->bufioreq == HV_BUF_ATOMIC && (uint32_t)pointers >= IOREQ_BUFFER_SLOT_NUM) {
        uint32_t less = (uint32_t)pointers - (uint32_t)pointers % IOREQ_BUFFER_SLOT_NUM;

        __atomic_compare_exchange_n(&ring->pointers, &pointers,
                                    pointers - ((uint64_t)less << 32 | less), false,
                                    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
        pointers = __atomic_load_n(&ring->pointers, __ATOMIC_ACQUIRE);
    }
    if (notify) {
        hv_lock(g->hv);
        hv_signal(&g->view, s->buf_port);
        hv_unlock(g->hv);
    }
    return 0;
}

int ring_raw(struct guest *g, int server, uint64_t entry, bool notify)
{
    return insert(g, server, (uint64_t[2]){entry, 0}, 1, notify);
}

int ring_send(struct guest *g, int server, const struct request *r, bool notify)
{
    uint32_t code = r->size == 1 ? 0 : r->size == 2 ? 1 : r->size == 4 ? 2 : 3;
    uint32_t head =
        r->type | (uint32_t)r->dir << 9 | code << 10 | (uint32_t)(r->addr & 0xfffff) << 12;
    uint64_t entry[2];

    entry[0] = (r->data & 0xffffffffu) << 32 | head;
    entry[1] = r->data >> 32 << 32 | head;
    return insert(g, server, entry, code == 3 ? 2 : 1, notify);
}
