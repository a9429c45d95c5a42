/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Descriptors of the C+ rings, where the guest has them. The page with the first one of a batch
 * stays mapped until the batch is over: what is fetched and given back then are plain loads and
 * stores. A page, and not the ring: part of a ring that nobody uses need not be there.
 */
#include <errno.h>

#include "hw/net/rtl8139_internal.h"

/* The descriptor's dwords, until another page is asked for; NULL: there is no memory. */
static volatile uint32_t *dwords(struct ring_page *page, uint64_t at)
{
    uint64_t start = at & ~(uint64_t)(GUEST_PAGE_SIZE - 1);

    if (!page->sg.niov || page->at != start) {
        rtl8139_ring_release(page);
        if (guest_sg_add(&page->sg, start, GUEST_PAGE_SIZE))
            return NULL;
        page->at = start;
    }
    return (volatile uint32_t *)((uint8_t *)page->sg.iov[0].iov_base + (at - start));
}

int rtl8139_fetch(struct ring_page *page, struct cplus_desc *desc, uint64_t ring, unsigned index)
{
    volatile uint32_t *dw;

    *desc = (struct cplus_desc){.at = (ring & ~(uint64_t)CPLUS_RING_MASK) + index * CPLUS_DESC};
    dw = dwords(page, desc->at);
    if (!dw)
        return -EFAULT;
    desc->dw0 = dw[0];
    if (!(desc->dw0 & DESC_OWN))
        return 0;
    /* What the driver has written before it gave the descriptor away. */
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    desc->dw1 = dw[1];
    desc->buffer = (uint64_t)dw[3] << 32 | dw[2];
    return 0;
}

int rtl8139_store(struct ring_page *page, const struct cplus_desc *desc, unsigned dword,
                  uint32_t value)
{
    volatile uint32_t *dw = dwords(page, desc->at);

    if (!dw)
        return -EFAULT;
    __atomic_thread_fence(__ATOMIC_RELEASE);
    dw[dword] = value;
    page->written = true;
    return 0;
}

void rtl8139_ring_release(struct ring_page *page)
{
    if (page->sg.niov)
        guest_sg_release(&page->sg, page->written);
    page->written = false;
}
