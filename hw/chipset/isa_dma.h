/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An ISA DMA channel as the device at its end sees it: DREQ, and bytes moved while DACK lasts.
 */
#ifndef HW_CHIPSET_ISA_DMA_H
#define HW_CHIPSET_ISA_DMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum isa_dma_direction { ISA_DMA_TO_MEMORY, ISA_DMA_FROM_MEMORY };

struct isa_dma {
    /*
     * The level of DREQ, worked out from the device's state; idempotent. While it is high, the
     * device's ready() is called when the guest has made the channel able to serve it.
     */
    void (*request)(void *opaque, bool level);
    /*
     * Moves up to len bytes of buf, as many as the channel takes now. 0: it is masked, switched
     * off, or programmed for the other direction; ready() tells when that may have changed. *tc
     * says that terminal count came with the last byte moved. In verify mode bytes are counted but
     * memory is left alone: only towards memory, since there is nothing that a device could take.
     */
    size_t (*transfer)(void *opaque, enum isa_dma_direction direction, uint8_t *buf, size_t len,
                       bool *tc);
    void *opaque;
};

#endif
