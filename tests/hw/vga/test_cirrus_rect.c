/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The BitBLT engine on a memory of 64 bytes between guard pages, against a plain model of what the
 * chip does that goes byte by byte: every raster operation, kind of blit and pixel size, with
 * addresses, pitches and sizes that leave the memory at both ends.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <cmocka.h>
#include "hw/vga/cirrus_rect.h"

#define PAGE  4096u
#define BYTES 64u

static uint8_t *pages;
static struct cirrus_memory memory;
static uint8_t before[BYTES], model[BYTES];
static uint64_t reported; /* a bit a byte that was said to be written */

static const uint8_t rops[] = {0x00, 0x05, 0x06, 0x09, 0x0b, 0x0d, 0x0e, 0x50,
                               0x59, 0x6d, 0x90, 0x95, 0xad, 0xd0, 0xd6, 0xda};

static void written(void *opaque, uint32_t address, uint32_t length)
{
    assert_true(address < BYTES && length <= BYTES - address);
    for (uint32_t i = 0; i < length; i++)
        reported |= UINT64_C(1) << (address + i);
}

/* The memory lies against the guard page behind it, or against the one before it. */
static void place(bool high)
{
    memory = (struct cirrus_memory){
        .base = pages + (high ? 2 * PAGE - BYTES : PAGE), .mask = BYTES - 1, .written = written};
}

static int setup(void **state)
{
    pages = mmap(NULL, 3 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED || mprotect(pages + PAGE, PAGE, PROT_READ | PROT_WRITE))
        return -1;
    place(true);
    return 0;
}

static int teardown(void **state)
{
    return munmap(pages, 3 * PAGE);
}

static void fill(void)
{
    for (uint32_t i = 0; i < BYTES; i++)
        before[i] = (uint8_t)(i * 37 + (i >> 3) * 11 + 5);
    memcpy(memory.base, before, BYTES);
    memcpy(model, before, BYTES);
    reported = 0;
}

/* ---- the model ------------------------------------------------------------------------------- */

static uint8_t operation(uint8_t rop, uint8_t s, uint8_t d)
{
    switch (rop) {
    case 0x00:
        return 0;
    case 0x05:
        return s & d;
    case 0x09:
        return (uint8_t)(s & ~d);
    case 0x0b:
        return (uint8_t)~d;
    case 0x0d:
        return s;
    case 0x0e:
        return 0xff;
    case 0x50:
        return (uint8_t)(~s & d);
    case 0x59:
        return s ^ d;
    case 0x6d:
        return s | d;
    case 0x90:
        return (uint8_t)(~s | ~d);
    case 0x95:
        return (uint8_t) ~(s ^ d);
    case 0xad:
        return (uint8_t)(s | ~d);
    case 0xd0:
        return (uint8_t)~s;
    case 0xd6:
        return (uint8_t)(~s | d);
    case 0xda:
        return (uint8_t)(~s & ~d);
    default:
        return d;
    }
}

static uint8_t *at(uint32_t address)
{
    return &model[address % BYTES];
}

static unsigned pixel_of(const struct cirrus_rect *r)
{
    return (r->mode >> 4 & 3) + 1u;
}

static void model_copy(const struct cirrus_rect *r, const uint8_t *data, uint32_t data_pitch)
{
    bool back = (r->mode & 1) && !data;
    unsigned pixel = pixel_of(r);
    int sign = back ? -1 : 1;

    for (uint32_t y = 0; y < r->height; y++) {
        uint32_t d = r->dst + (uint32_t)sign * y * r->dst_pitch;
        uint32_t s = r->src + (uint32_t)sign * y * r->src_pitch;
        if (!(r->mode & BLT_TRANSPARENT)) {
            for (uint32_t x = 0; x < r->width; x++) {
                uint32_t step = (uint32_t)sign * x;
                uint8_t source = data ? data[y * data_pitch + x] : *at(s + step);
                *at(d + step) = operation(r->rop, source, *at(d + step));
            }
            continue;
        }
        for (uint32_t x = 0; x + pixel <= r->width; x += pixel) {
            uint32_t base = back ? 0u - x - pixel + 1 : x;
            uint8_t out[2];
            bool same = true;
            for (unsigned b = 0; b < pixel; b++) {
                uint8_t source = data ? data[y * data_pitch + x + b] : *at(s + base + b);
                out[b] = operation(r->rop, source, *at(d + base + b));
                same = same && out[b] == (uint8_t)(r->key >> 8 * b);
            }
            for (unsigned b = 0; b < pixel && !same; b++)
                *at(d + base + b) = out[b];
        }
    }
}

static unsigned skip_of(const struct cirrus_rect *r)
{
    return pixel_of(r) == 3 ? r->skip & 31u : (r->skip & 7u) * pixel_of(r);
}

/* A pixel of a monochrome source. */
static void model_bit(const struct cirrus_rect *r, uint32_t d, uint32_t x, bool bit)
{
    bool transparent = r->mode & BLT_TRANSPARENT;
    bool invert = transparent && (r->extension & BLT_EXT_INVERT);
    uint32_t color = bit ? r->foreground : r->background;

    if (invert)
        bit = !bit;
    if (transparent && !bit)
        return;
    for (unsigned b = 0; b < pixel_of(r) && x + b < r->width; b++)
        *at(d + x + b) = operation(r->rop, (uint8_t)(color >> 8 * b), *at(d + x + b));
}

static void model_pattern(const struct cirrus_rect *r, const uint8_t *pattern)
{
    unsigned pixel = pixel_of(r), pitch = pixel == 3 ? 32 : 8 * pixel, skip = skip_of(r);
    bool mono = r->mode & BLT_EXPAND;

    for (uint32_t y = 0; y < r->height; y++) {
        uint32_t d = r->dst + y * r->dst_pitch, row = (r->src + y) % 8;
        if (mono) {
            uint32_t p = skip / pixel;
            for (uint32_t x = skip; x < r->width; x += pixel, p++)
                model_bit(r, d, x, pattern[row] >> (7 - p % 8) & 1);
            continue;
        }
        for (uint32_t x = skip; x < r->width; x++)
            *at(d + x) = operation(r->rop, pattern[row * pitch + x % (8 * pixel)], *at(d + x));
    }
}

static void model_expansion(const struct cirrus_rect *r, const uint8_t *data, uint32_t data_pitch)
{
    unsigned pixel = pixel_of(r), skip = skip_of(r);
    uint32_t s = r->src;

    for (uint32_t y = 0; y < r->height; y++) {
        uint32_t d = r->dst + y * r->dst_pitch, p = skip / pixel;
        uint8_t bits[64];
        for (uint32_t i = 0; i < sizeof(bits); i++)
            bits[i] = data ? data[y * data_pitch + i] : *at(s + i);
        for (uint32_t x = skip; x < r->width; x += pixel, p++)
            model_bit(r, d, x, bits[p / 8] >> (7 - p % 8) & 1);
        s += (p + 7) / 8;
    }
}

static void model_draw(const struct cirrus_rect *r)
{
    if (r->mode & BLT_PATTERN) {
        bool mono = r->mode & BLT_EXPAND;
        unsigned pixel = pixel_of(r);
        uint32_t size = mono ? 8 : pixel == 3 ? 256 : 64 * pixel;
        uint8_t pattern[256];
        for (uint32_t i = 0; i < size; i++)
            pattern[i] = *at(r->src / size * size + i);
        if (mono && (r->extension & BLT_EXT_SOLID) && !(r->mode & BLT_TRANSPARENT)) {
            struct cirrus_rect solid = *r;
            solid.skip = 0;
            memset(pattern, 0xff, sizeof(pattern));
            model_pattern(&solid, pattern);
        } else {
            model_pattern(r, pattern);
        }
    } else if (r->mode & BLT_EXPAND) {
        model_expansion(r, NULL, 0);
    } else {
        model_copy(r, NULL, 0);
    }
}

/* ---- comparison ------------------------------------------------------------------------------ */

static void compare(const struct cirrus_rect *r)
{
    if (memcmp(memory.base, model, BYTES) != 0)
        fail_msg("mode %02x ext %02x rop %02x skip %u %ux%u dst %x+%x src %x+%x", r->mode,
                 r->extension, r->rop, r->skip, r->width, r->height, r->dst, r->dst_pitch, r->src,
                 r->src_pitch);
    for (uint32_t i = 0; i < BYTES; i++)
        assert_true(model[i] == before[i] || (reported >> i & 1));
}

static void check(const struct cirrus_rect *r)
{
    if (cirrus_rect_check(r))
        return;
    fill();
    model_draw(r);
    /* In two parts, as a large one is drawn; a pattern may be drawn over in between. */
    uint32_t middle = r->mode & BLT_PATTERN ? 0 : r->height / 2u;
    cirrus_rect_draw(&memory, r, 0, middle);
    cirrus_rect_draw(&memory, r, middle, r->height);
    compare(r);
}

static struct cirrus_rect colored(uint8_t mode, uint8_t rop)
{
    return (struct cirrus_rect){.mode = mode,
                                .rop = rop,
                                .key = 0x2a4f,
                                .foreground = 0x81c3a55a,
                                .background = 0x3c7e0ff0};
}

/* Copies, in both directions, at all addresses and with all distances in the memory. */
static void test_copies_at_all_addresses(void **state)
{
    static const uint16_t pitches[] = {0, 1, 3, 9, 63, 0x1fff};

    for (unsigned mode = 0; mode < 2; mode++) {
        struct cirrus_rect r = colored((uint8_t)mode, 0x0d);
        place(mode == 0);
        for (r.width = 1; r.width <= 20; r.width += r.width < 10 ? 1 : 5)
            for (r.height = 1; r.height <= 3; r.height++)
                for (r.dst = 0; r.dst < BYTES; r.dst++)
                    for (r.src = 0; r.src < BYTES; r.src++) {
                        r.dst_pitch = pitches[(r.dst + r.height) % 6];
                        r.src_pitch = pitches[(r.src + r.width) % 6];
                        check(&r);
                    }
    }
    place(true);
}

/* Every mode byte with every raster operation; sizes and addresses at the edges. */
static void test_all_modes_and_operations(void **state)
{
    static const uint32_t addresses[] = {0, 1, 7, 31, 60, 63, 0x3fffff, 0x1000};
    static const uint16_t widths[] = {1, 2, 3, 8, 13, 48, 64, 65, 200};
    unsigned turn = 0;

    for (unsigned mode = 0; mode < 256; mode++)
        for (unsigned rop = 0; rop <= sizeof(rops); rop++)
            for (unsigned ext = 0; ext < 8; ext += 2)
                for (unsigned w = 0; w < 9; w++, turn++) {
                    struct cirrus_rect r =
                        colored((uint8_t)mode, rop < sizeof(rops) ? rops[rop] : 0x77);
                    r.extension = (uint8_t)ext;
                    r.skip = (uint8_t)(turn * 7);
                    r.width = widths[w];
                    r.height = (uint16_t)(turn % 4 + 1);
                    r.dst = addresses[turn % 8];
                    r.src = addresses[turn / 8 % 8];
                    /* Else the source of an expansion may be drawn over within a line. */
                    if ((mode & BLT_EXPAND) && !(mode & BLT_PATTERN) && r.width > 13)
                        continue;
                    r.dst_pitch = (uint16_t)(turn * 5 % 70);
                    r.src_pitch = (uint16_t)(turn * 3 % 70);
                    if (!(mode & BLT_SYSTEM_SOURCE))
                        check(&r);
                }
}

/* The same from the processor, piece by piece. */
static void test_all_modes_from_the_processor(void **state)
{
    static uint8_t data[BLT_WIDTH_MAX], all[4 * BLT_WIDTH_MAX];
    unsigned turn = 0;

    for (unsigned mode = 0; mode < 256; mode++)
        for (unsigned rop = 0; rop < sizeof(rops); rop++)
            for (unsigned width = 1; width < 80; width += 9, turn++) {
                struct cirrus_rect r = colored((uint8_t)mode | BLT_SYSTEM_SOURCE, rops[rop]);
                r.extension = turn % 4;
                r.skip = (uint8_t)turn;
                r.width = (uint16_t)width;
                r.height = (uint16_t)(turn % 3 + 1);
                r.dst = turn * 13;
                r.dst_pitch = (uint16_t)(turn * 5 % 70);
                r.src = turn;
                if (cirrus_rect_check(&r))
                    continue;
                fill();
                uint32_t piece = cirrus_rect_piece(&r), pieces = cirrus_rect_pieces(&r);
                assert_in_range(piece, 1, BLT_WIDTH_MAX);
                memset(all, 0, sizeof(all));
                memset(data, 0, sizeof(data));
                for (uint32_t n = 0; n < pieces; n++) {
                    for (uint32_t i = 0; i < piece; i++)
                        data[i] = all[n * BLT_WIDTH_MAX + i] = (uint8_t)(i * 59 + n * 17 + turn);
                    cirrus_rect_draw_piece(&memory, &r, n, data);
                }
                if (mode & BLT_PATTERN)
                    model_pattern(&r, all);
                else if (mode & BLT_EXPAND)
                    model_expansion(&r, all, BLT_WIDTH_MAX);
                else
                    model_copy(&r, all, BLT_WIDTH_MAX);
                compare(&r);
            }
}

static void test_sizes_of_pieces(void **state)
{
    struct cirrus_rect r = {.mode = 0x94, .width = 2 * 33, .height = 5};

    assert_int_equal(cirrus_rect_piece(&r), 5); /* 33 bits */
    r.extension = BLT_EXT_DWORD;
    assert_int_equal(cirrus_rect_piece(&r), 8);
    r.mode = 0x14;
    assert_int_equal(cirrus_rect_piece(&r), 68);
    assert_int_equal(cirrus_rect_pieces(&r), 5);
    r.mode = 0xd4;
    assert_int_equal(cirrus_rect_piece(&r), 8);
    assert_int_equal(cirrus_rect_pieces(&r), 1);
    r.mode = 0x54;
    assert_int_equal(cirrus_rect_piece(&r), 128);
}

/* T-CIR-5: a forward copy onto the bytes right behind its source repeats it. */
static void test_overlapping_copy_repeats(void **state)
{
    struct cirrus_rect r = {.rop = 0x0d, .width = 30, .height = 1, .dst = 3, .src = 0};

    fill();
    memory.base[0] = 'a';
    memory.base[1] = 'b';
    memory.base[2] = 'c';
    cirrus_rect_draw(&memory, &r, 0, 1);
    assert_memory_equal(memory.base, "abcabcabcabcabcabcabcabcabcabcabc", 33);
}

static void test_sizes_are_bounded(void **state)
{
    struct cirrus_rect r = {.rop = 0x59, .width = BLT_WIDTH_MAX, .height = BLT_HEIGHT_MAX};

    assert_int_equal(cirrus_rect_check(&r), 0);
    cirrus_rect_draw(&memory, &r, 0, r.height);
    r.width++;
    assert_int_equal(cirrus_rect_check(&r), -22);
    r.width = 0;
    assert_int_equal(cirrus_rect_check(&r), -22);
    r.width = 1;
    r.height = BLT_HEIGHT_MAX + 1;
    assert_int_equal(cirrus_rect_check(&r), -22);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_copies_at_all_addresses),
        cmocka_unit_test(test_all_modes_and_operations),
        cmocka_unit_test(test_all_modes_from_the_processor),
        cmocka_unit_test(test_sizes_of_pieces),
        cmocka_unit_test(test_overlapping_copy_repeats),
        cmocka_unit_test(test_sizes_are_bounded),
    };

    return cmocka_run_group_tests_name("cirrus rectangles", tests, setup, teardown);
}
