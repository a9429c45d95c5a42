/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/vga/cirrus_rop.h"

#include <stddef.h>
#include <string.h>

uint8_t cirrus_rop_table(uint8_t code)
{
    static const struct {
        uint8_t code, table;
    } rops[] = {
        {0x00, 0x0}, /* 0 */
        {0x05, 0x8}, /* S & D */
        {0x06, 0xa}, /* D */
        {0x09, 0x4}, /* S & ~D */
        {0x0b, 0x5}, /* ~D */
        {0x0d, 0xc}, /* S */
        {0x0e, 0xf}, /* 1 */
        {0x50, 0x2}, /* ~S & D */
        {0x59, 0x6}, /* S ^ D */
        {0x6d, 0xe}, /* S | D */
        {0x90, 0x7}, /* ~S | ~D */
        {0x95, 0x9}, /* ~(S ^ D) */
        {0xad, 0xd}, /* S | ~D */
        {0xd0, 0x3}, /* ~S */
        {0xd6, 0xb}, /* ~S | D */
        {0xda, 0x1}, /* ~S & ~D */
    };

    for (unsigned i = 0; i < sizeof(rops) / sizeof(rops[0]); i++) {
        if (rops[i].code == code)
            return rops[i].table;
    }
    return 0xa;
}

/* The truth table spread to words: one mask of ones or zeros for each of the four cases. */
struct rop {
    uint64_t s1d1, s1d0, s0d1, s0d0;
};

static struct rop spread(uint8_t table)
{
    return (struct rop){
        .s1d1 = table & 8 ? UINT64_MAX : 0,
        .s1d0 = table & 4 ? UINT64_MAX : 0,
        .s0d1 = table & 2 ? UINT64_MAX : 0,
        .s0d0 = table & 1 ? UINT64_MAX : 0,
    };
}

static inline uint64_t apply(const struct rop *rop, uint64_t s, uint64_t d)
{
    return (s & d & rop->s1d1) | (s & ~d & rop->s1d0) | (~s & d & rop->s0d1) |
           (~s & ~d & rop->s0d0);
}

static inline uint8_t apply8(const struct rop *rop, uint8_t s, uint8_t d)
{
    return (uint8_t)apply(rop, s, d);
}

/* A run of bytes that does not wrap, or NULL. */
static uint8_t *run(const struct cirrus_memory *memory, uint32_t address, uint32_t n)
{
    address &= memory->mask;
    return n <= memory->mask && address <= memory->mask - n + 1 ? memory->base + address : NULL;
}

void cirrus_written(const struct cirrus_memory *memory, uint32_t address, uint32_t length)
{
    if (!memory->written || length == 0)
        return;
    address &= memory->mask;
    if (length > memory->mask) {
        memory->written(memory->opaque, 0, memory->mask + 1);
        return;
    }
    uint32_t before_end = memory->mask - address + 1;
    uint32_t first = length < before_end ? length : before_end;
    memory->written(memory->opaque, address, first);
    if (length > first)
        memory->written(memory->opaque, 0, length - first);
}

/* Eight bytes at once, which is the same as one after the other when the source of a word is not
 * written by the bytes before it in that word. Returns how many bytes are done. */
static uint32_t copy_words(const struct rop *rop, uint8_t *d, const uint8_t *s, uint32_t n,
                           bool backward)
{
    uint32_t done = 0;

    for (; n - done >= 8; done += 8) {
        size_t at = backward ? n - done - 8 : done;
        uint64_t source, dest;
        memcpy(&source, s + at, 8);
        memcpy(&dest, d + at, 8);
        dest = apply(rop, source, dest);
        memcpy(d + at, &dest, 8);
    }
    return done;
}

void cirrus_rop_copy(const struct cirrus_memory *memory, uint8_t table, uint32_t dst, uint32_t src,
                     uint32_t n, bool backward)
{
    struct rop rop = spread(table);
    uint32_t first_dst = backward ? dst - n + 1 : dst, first_src = backward ? src - n + 1 : src;
    uint8_t *d = run(memory, first_dst, n);
    const uint8_t *s = run(memory, first_src, n);
    uint32_t done = 0;

    if (d && s) {
        /* How far the source lags behind the destination, in the direction of the copy. */
        size_t lag = backward ? (size_t)(s - d) : (size_t)(d - s);
        if (lag == 0 || lag >= 8)
            done = copy_words(&rop, d, s, n, backward);
    }
    for (; done < n; done++) {
        uint32_t to = backward ? dst - done : dst + done, from = backward ? src - done : src + done;
        cirrus_store(memory, to, apply8(&rop, cirrus_load(memory, from), cirrus_load(memory, to)));
    }
    cirrus_written(memory, first_dst, n);
}

void cirrus_rop_put(const struct cirrus_memory *memory, uint8_t table, uint32_t dst,
                    const uint8_t *source, const uint8_t *written, uint32_t n)
{
    struct rop rop = spread(table);
    uint8_t *d = written ? NULL : run(memory, dst, n);
    uint32_t i = d ? copy_words(&rop, d, source, n, false) : 0;

    for (; i < n; i++) {
        if (!written || written[i])
            cirrus_store(memory, dst + i, apply8(&rop, source[i], cirrus_load(memory, dst + i)));
    }
    cirrus_written(memory, dst, n);
}

void cirrus_rop_transparent(const struct cirrus_memory *memory, uint8_t table, uint16_t key,
                            unsigned pixel, uint32_t dst, const uint8_t *source, uint32_t src,
                            uint32_t n, bool backward)
{
    struct rop rop = spread(table);
    uint32_t first_dst = backward ? dst - n + 1 : dst, first_src = backward ? src - n + 1 : src;
    uint32_t mask = pixel == 2 ? 0xffff : 0xff;

    for (uint32_t done = 0; done + pixel <= n; done += pixel) {
        uint32_t at = backward ? n - done - pixel : done;
        uint32_t result = 0;

        for (unsigned b = 0; b < pixel; b++) {
            uint8_t s = source ? source[at + b] : cirrus_load(memory, first_src + at + b);
            uint8_t d = cirrus_load(memory, first_dst + at + b);
            result |= (uint32_t)apply8(&rop, s, d) << 8 * b;
        }
        if ((result & mask) == (key & mask))
            continue;
        for (unsigned b = 0; b < pixel; b++)
            cirrus_store(memory, first_dst + at + b, (uint8_t)(result >> 8 * b));
    }
    cirrus_written(memory, first_dst, n);
}
