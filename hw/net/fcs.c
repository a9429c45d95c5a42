/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The frame check sequence of IEEE 802.3 (CRC-32, least significant bit first), and the multicast
 * hash that is made of it.
 *
 * Every received frame comes by here, and tables alone take as long as reading it from a tap does.
 * So processors that multiply without carries fold four blocks of 16 bytes into the next four
 * (V. Gopal et al., "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ Instruction",
 * Intel 2009): what is left are 16 bytes with the same remainder, which the tables take.
 */
#include <endian.h>
#include <string.h>

#include "hw/net/frame.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#define POLYNOMIAL 0xedb88320u

/*
 * Not __builtin_cpu_supports(): with it every process asks a dozen questions before main(), and
 * under a hypervisor each of them is a trap.
 */
static bool folds(void)
{
#if defined(__x86_64__)
    unsigned a, b, c, d;

    __cpuid(1, a, b, c, d);
    return c & bit_PCLMUL;
#else
    return false;
#endif
}

/* byte[k][b] is what byte b does to the remainder when k more bytes follow it. */
void fcs_init(struct fcs_table *table)
{
    for (unsigned b = 0; b < 256; b++) {
        uint32_t crc = b;

        for (unsigned i = 0; i < 8; i++)
            crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
        table->byte[0][b] = crc;
    }
    for (unsigned k = 1; k < 8; k++)
        for (unsigned b = 0; b < 256; b++) {
            uint32_t crc = table->byte[k - 1][b];

            table->byte[k][b] = crc >> 8 ^ table->byte[0][crc & 0xff];
        }
    table->fold = folds();
}

static uint32_t by_tables(const struct fcs_table *t, uint32_t crc, const uint8_t *p, size_t len)
{
    for (; len >= 8; p += 8, len -= 8) {
        uint64_t word;

        memcpy(&word, p, 8);
        word = le64toh(word) ^ crc;
        crc = t->byte[7][word & 0xff] ^ t->byte[6][word >> 8 & 0xff] ^
              t->byte[5][word >> 16 & 0xff] ^ t->byte[4][word >> 24 & 0xff] ^
              t->byte[3][word >> 32 & 0xff] ^ t->byte[2][word >> 40 & 0xff] ^
              t->byte[1][word >> 48 & 0xff] ^ t->byte[0][word >> 56];
    }
    while (len--)
        crc = crc >> 8 ^ t->byte[0][(crc ^ *p++) & 0xff];
    return crc;
}

#if defined(__x86_64__)
#include <immintrin.h>

#define LANES 4u
#define BLOCK sizeof(__m128i)

/* The two halves of x move on by the distance that `by` stands for, and meet `next`. */
__attribute__((target("pclmul,sse2"))) static inline __m128i fold(__m128i x, __m128i by,
                                                                  __m128i next)
{
    return _mm_xor_si128(
        next, _mm_xor_si128(_mm_clmulepi64_si128(x, by, 0x00), _mm_clmulepi64_si128(x, by, 0x11)));
}

/* The whole blocks in `len` bytes, at least a group of four. Returns how many bytes those are. */
__attribute__((target("pclmul,sse2"))) static size_t by_folding(const struct fcs_table *t,
                                                                uint32_t *crc, const uint8_t *p,
                                                                size_t len)
{
    /* x^(n + 32) and x^(n - 32) modulo the polynomial, bits reversed, n the distance in bits. */
    const __m128i by_group = _mm_set_epi64x(0x1c6e41596, 0x154442bd4); /* n = 512 */
    const __m128i by_block = _mm_set_epi64x(0x0ccaa009e, 0x1751997d0); /* n = 128 */
    const __m128i *block = (const __m128i *)p;
    size_t blocks = len / BLOCK;
    __m128i lane[LANES], x;
    uint8_t rest[BLOCK];

    for (unsigned i = 0; i < LANES; i++)
        lane[i] = _mm_loadu_si128(block++);
    lane[0] = _mm_xor_si128(lane[0], _mm_cvtsi32_si128((int)*crc));
    for (size_t g = 1; g < blocks / LANES; g++)
        for (unsigned i = 0; i < LANES; i++)
            lane[i] = fold(lane[i], by_group, _mm_loadu_si128(block++));
    x = lane[0];
    for (unsigned i = 1; i < LANES; i++)
        x = fold(x, by_block, lane[i]);
    for (size_t i = 0; i < blocks % LANES; i++)
        x = fold(x, by_block, _mm_loadu_si128(block++));
    _mm_storeu_si128((__m128i *)rest, x);
    *crc = by_tables(t, 0, rest, sizeof(rest));
    return blocks * BLOCK;
}
#else
#define LANES 0u
#define BLOCK 0u
static size_t by_folding(const struct fcs_table *t, uint32_t *crc, const uint8_t *p, size_t len)
{
    return 0;
}
#endif

static uint32_t update(const struct fcs_table *t, uint32_t crc, const uint8_t *p, size_t len)
{
    size_t done = 0;

    if (t->fold && len >= LANES * BLOCK)
        done = by_folding(t, &crc, p, len);
    return by_tables(t, crc, p + done, len - done);
}

uint32_t fcs_of(const struct fcs_table *table, const struct iovec *iov, int count, size_t offset,
                size_t len)
{
    struct iov_range range = {iov, count, offset, len};
    uint32_t crc = UINT32_MAX;
    uint8_t *piece;
    size_t here;

    while ((here = iov_range_next(&range, &piece)) > 0)
        crc = update(table, crc, piece, here);
    return ~crc;
}

/* The six highest bits of the remainder in the order of the wire, highest first. */
unsigned fcs_hash(const struct fcs_table *table, const uint8_t address[ETH_ALEN])
{
    uint32_t crc = by_tables(table, UINT32_MAX, address, ETH_ALEN);
    unsigned hash = 0;

    for (unsigned i = 0; i < 6; i++)
        hash = hash << 1 | (crc >> i & 1);
    return hash;
}
