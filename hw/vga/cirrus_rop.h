/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Raster operations of the CL-GD5446 on lines of video memory.
 *
 * Here is the only code through which a blit reaches video memory: each address is masked to the
 * memory's size, which is a power of two, at each access. So an address that a guest gives can be
 * anything, and so can its sum with any pitch.
 */
#ifndef HW_VGA_CIRRUS_ROP_H
#define HW_VGA_CIRRUS_ROP_H

#include <stdbool.h>
#include <stdint.h>

struct cirrus_memory {
    uint8_t *base;
    uint32_t mask; /* bytes - 1, a power of two less one */
    /* Bytes [address, address + length), inside the memory, have been written. NULL: no matter. */
    void (*written)(void *opaque, uint32_t address, uint32_t length);
    void *opaque;
};

static inline uint8_t cirrus_load(const struct cirrus_memory *memory, uint32_t address)
{
    return __atomic_load_n(memory->base + (address & memory->mask), __ATOMIC_RELAXED);
}

static inline void cirrus_store(const struct cirrus_memory *memory, uint32_t address, uint8_t value)
{
    __atomic_store_n(memory->base + (address & memory->mask), value, __ATOMIC_RELAXED);
}

/* Tells of `length` bytes written from `address` on, which may wrap. */
void cirrus_written(const struct cirrus_memory *memory, uint32_t address, uint32_t length);

/*
 * A raster operation as its truth table: bit 3 is the result for S = 1, D = 1, bit 2 for S = 1,
 * D = 0, bit 1 for S = 0, D = 1, bit 0 for both 0. Codes (GR32) that the chip does not have leave
 * the destination as it is.
 */
uint8_t cirrus_rop_table(uint8_t code);

/*
 * D = rop(S, D) for n bytes, one after the other as the chip does it, so that a source that
 * overlaps its destination repeats. Backward: from `dst` and `src`, the last bytes, down.
 */
void cirrus_rop_copy(const struct cirrus_memory *memory, uint8_t table, uint32_t dst, uint32_t src,
                     uint32_t n, bool backward);

/* D = rop(S, D) with a source line from elsewhere; written[i] == 0 leaves a byte alone, NULL: none.
 */
void cirrus_rop_put(const struct cirrus_memory *memory, uint8_t table, uint32_t dst,
                    const uint8_t *source, const uint8_t *written, uint32_t n);

/*
 * The same by pixels of 1 or 2 bytes, of which those whose result equals `key` are not written.
 * `source` NULL: from video memory at `src`.
 */
void cirrus_rop_transparent(const struct cirrus_memory *memory, uint8_t table, uint16_t key,
                            unsigned pixel, uint32_t dst, const uint8_t *source, uint32_t src,
                            uint32_t n, bool backward);

#endif
