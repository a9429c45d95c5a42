/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Not a library's: which one libvncserver brings along is the choice of who has built it. */
#include "ui/vnc/sha1.h"

#include <string.h>

static uint32_t rotate(uint32_t value, unsigned n)
{
    return value << n | value >> (32 - n);
}

static uint32_t mix(unsigned t, uint32_t b, uint32_t c, uint32_t d)
{
    switch (t / 20) {
    case 0:
        return (b & c) | (~b & d);
    case 2:
        return (b & c) | (b & d) | (c & d);
    default:
        return b ^ c ^ d;
    }
}

static void add_block(uint32_t h[5], const uint8_t block[64])
{
    static const uint32_t k[4] = {0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6};
    uint32_t w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];

    for (unsigned t = 0; t < 16; t++)
        w[t] = (uint32_t)block[4 * t] << 24 | (uint32_t)block[4 * t + 1] << 16 |
               (uint32_t)block[4 * t + 2] << 8 | block[4 * t + 3];
    for (unsigned t = 16; t < 80; t++)
        w[t] = rotate(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
    for (unsigned t = 0; t < 80; t++) {
        uint32_t next = rotate(a, 5) + mix(t, b, c, d) + e + k[t / 20] + w[t];

        e = d;
        d = c;
        c = rotate(b, 30);
        b = a;
        a = next;
    }
    h[0] += a;
    h[1] += b;
    h[2] += c;
    h[3] += d;
    h[4] += e;
}

void sha1(const void *data, size_t length, uint8_t hash[20])
{
    uint32_t h[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    uint8_t block[128] = {0};
    size_t end;

    if (length > 119)
        length = 119;
    end = length < 56 ? 64 : 128;
    memcpy(block, data, length);
    block[length] = 0x80;
    block[end - 2] = (uint8_t)(length * 8 >> 8);
    block[end - 1] = (uint8_t)(length * 8);
    for (size_t at = 0; at < end; at += 64)
        add_block(h, block + at);
    for (int i = 0; i < 20; i++)
        hash[i] = (uint8_t)(h[i / 4] >> (24 - 8 * (i % 4)));
}
