/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Graphics modes of VGA proper and of VBE: pixels drawn as guests draw them, and what shows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "tests/hw/vga/testvga.h"

static struct testvga t;

static uint32_t level(uint32_t six)
{
    return six << 2 | six >> 4;
}

static uint32_t color(unsigned n)
{
    return level(n & 63) << 16 | level(n / 3 & 63) << 8 | level(63 - (n & 63));
}

static int setup(void **state)
{
    testvga_init(&t, 16 << 20);
    for (unsigned n = 0; n < 256; n++)
        testvga_dac(&t, (uint8_t)n, n & 63, n / 3 & 63, 63 - (n & 63));
    return 0;
}

static int teardown(void **state)
{
    testvga_fini(&t);
    return 0;
}

/* In 16-colour modes with the set/reset logic, as the BIOS draws a pixel. */
static void plot16(uint32_t pitch, unsigned x, unsigned y, uint8_t c)
{
    uint32_t at = 0xa0000 + y * pitch + x / 8;

    testvga_gfx(&t, 8, (uint8_t)(0x80 >> x % 8));
    testvga_gfx(&t, 0, c);
    testvga_gfx(&t, 1, 0x0f);
    machine_read(&t.m, at, 1);
    machine_write(&t.m, at, 1, 0xff);
}

static void test_mode_12(void **state)
{
    testvga_set_mode(&t, &testvga_mode_12);
    for (unsigned i = 0; i < 480; i++)
        plot16(80, i, i, (uint8_t)(i & 15));
    testvga_update(&t);
    assert_int_equal(t.screen.width, 640);
    assert_int_equal(t.screen.height, 480);
    for (unsigned i = 0; i < 480; i++) {
        assert_int_equal(testvga_pixel(&t, i, i), color(i & 15));
        assert_int_equal(testvga_pixel(&t, i + 1, i), color(0));
    }
}

static void test_mode_0d_is_doubled_both_ways(void **state)
{
    testvga_set_mode(&t, &testvga_mode_0d);
    plot16(40, 319, 199, 5);
    testvga_update(&t);
    assert_int_equal(t.screen.width, 640);
    assert_int_equal(t.screen.height, 400);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(testvga_pixel(&t, 638 + i % 2, 398 + i / 2), color(5));
    assert_int_equal(testvga_pixel(&t, 637, 399), color(0));
}

static void test_planar_panning_and_plane_enable(void **state)
{
    testvga_set_mode(&t, &testvga_mode_12);
    plot16(80, 13, 0, 0x0f);
    testvga_attr(&t, 0x13, 5);
    testvga_attr(&t, 0x12, 0x06);
    testvga_update(&t);
    assert_int_equal(testvga_pixel(&t, 8, 0), color(6));
    testvga_crtc(&t, 0x08, 0x20); /* byte panning: eight more */
    testvga_update(&t);
    assert_int_equal(testvga_pixel(&t, 0, 0), color(6));
}

static void test_cga_4_colours(void **state)
{
    testvga_set_mode(&t, &testvga_mode_04);
    for (uint8_t i = 0; i < 4; i++)
        testvga_attr(&t, i, i);
    machine_write(&t.m, 0xb8000, 1, 0x1b);             /* line 0: 0 1 2 3 */
    machine_write(&t.m, 0xb8001, 1, 0xe4);             /* then 3 2 1 0 */
    machine_write(&t.m, 0xb8000 + 0x2000, 1, 0xff);    /* line 1 */
    machine_write(&t.m, 0xb8000 + 80 * 99 + 79, 1, 2); /* line 198, last pixel */
    testvga_update(&t);
    assert_int_equal(t.screen.width, 640);
    assert_int_equal(t.screen.height, 400);
    for (unsigned x = 0; x < 8; x++) {
        unsigned c = x < 4 ? x : 7 - x;
        assert_int_equal(testvga_pixel(&t, 2 * x, 0), color(c));
        assert_int_equal(testvga_pixel(&t, 2 * x + 1, 1), color(c));
    }
    for (unsigned x = 0; x < 4; x++)
        assert_int_equal(testvga_pixel(&t, 2 * x, 2), color(3));
    assert_int_equal(testvga_pixel(&t, 639, 396), color(2));
}

static void test_cga_2_colours(void **state)
{
    testvga_set_mode(&t, &testvga_mode_06);
    machine_write(&t.m, 0xb8000 + 0x2000 + 80 * 99 + 79, 1, 0x01); /* line 199, last pixel */
    testvga_update(&t);
    assert_int_equal(t.screen.height, 400);
    assert_int_equal(testvga_pixel(&t, 639, 399), color(0x17));
    assert_int_equal(testvga_pixel(&t, 638, 399), color(0));
}

static void test_mode_13(void **state)
{
    testvga_set_mode(&t, &testvga_mode_13);
    for (unsigned x = 0; x < 320; x++)
        machine_write(&t.m, 0xa0000 + 320 * 100 + x, 1, x & 0xff);
    testvga_update(&t);
    assert_int_equal(t.screen.width, 640);
    assert_int_equal(t.screen.height, 400);
    for (unsigned x = 0; x < 640; x++) {
        assert_int_equal(testvga_pixel(&t, x, 200), color(x / 2 & 0xff));
        assert_int_equal(testvga_pixel(&t, x, 201), color(x / 2 & 0xff));
        assert_int_equal(testvga_pixel(&t, x, 202), color(0));
    }
}

/* T-VGA-2: mode X, 320 x 400 without doubling, planes one by one, byte addresses. */
static void test_mode_x(void **state)
{
    testvga_set_mode(&t, &testvga_mode_13);
    testvga_seq(&t, 4, 0x06);
    testvga_crtc(&t, 0x14, 0x00);
    testvga_crtc(&t, 0x17, 0xe3);
    testvga_crtc(&t, 0x09, 0x40);
    for (unsigned x = 0; x < 320; x++) {
        testvga_seq(&t, 2, (uint8_t)(1 << x % 4));
        machine_write(&t.m, 0xa0000 + 80 * 399 + x / 4, 1, (x * 5) & 0xff);
    }
    testvga_crtc(&t, 0x0d, 80); /* one line up */
    testvga_update(&t);
    assert_int_equal(t.screen.height, 400);
    for (unsigned x = 0; x < 320; x++)
        assert_int_equal(testvga_pixel(&t, 2 * x, 398), color((x * 5) & 0xff));
    assert_int_equal(testvga_pixel(&t, 2, 399), color(0));
}

static void test_line_compare_and_panning_below(void **state)
{
    testvga_set_mode(&t, &testvga_mode_13);
    machine_write(&t.m, 0xa0000, 4, 0x04030201);
    testvga_crtc(&t, 0x07, 0x0f); /* line compare bit 8 = 0 */
    testvga_crtc(&t, 0x09, 0x01); /* and bit 9 */
    testvga_crtc(&t, 0x18, 199);
    testvga_crtc(&t, 0x0c, 0x10); /* the upper part comes from elsewhere */
    testvga_attr(&t, 0x13, 2);
    testvga_update(&t);
    assert_int_equal(testvga_pixel(&t, 0, 0), color(0));
    assert_int_equal(testvga_pixel(&t, 0, 199), color(0));
    assert_int_equal(testvga_pixel(&t, 0, 200), color(2)); /* panned as the upper part */
    testvga_attr(&t, 0x10, 0x61);
    testvga_update(&t);
    assert_int_equal(testvga_pixel(&t, 0, 200), color(1)); /* not panned */
}

/* T-VGA-10: the address counter and what it is multiplied to wrap at 64 KiB a plane. */
static void test_picture_wraps_at_64k(void **state)
{
    testvga_set_mode(&t, &testvga_mode_12);
    plot16(80, 0, 0, 9);
    memset(t.vram.base + 0x40000, 0xff, 0x40000); /* never to be seen */
    testvga_crtc(&t, 0x0c, 0xff);
    testvga_crtc(&t, 0x0d, 0xff);
    testvga_update(&t);
    assert_int_equal(testvga_pixel(&t, 7, 0), color(0));
    assert_int_equal(testvga_pixel(&t, 8, 0), color(9));
    testvga_crtc(&t, 0x0c, 0x40); /* in dwords: 0x4000 is byte 0x10000 */
    testvga_crtc(&t, 0x0d, 0x00);
    testvga_crtc(&t, 0x14, 0x40);
    testvga_update(&t);
    assert_int_equal(testvga_pixel(&t, 0, 0), color(9));
    assert_int_equal(testvga_pixel(&t, 8, 0), color(0));
}

/* ---- VBE ------------------------------------------------------------------------------------- */

/* Random bytes in memory, and what they mean worked out anew for a number of pixels. */
static void check_vbe(uint16_t width, uint16_t height, uint16_t bpp, bool big_endian)
{
    testvga_vbe_mode(&t, width, height, bpp);
    srand(bpp);
    for (unsigned i = 0; i < width * height * 4u; i++)
        t.vram.base[i] = (uint8_t)rand();
    testvga_dispi(&t, 6, width + 64);
    testvga_dispi(&t, 8, 8);
    testvga_dispi(&t, 9, 3);
    testvga_update(&t);
    assert_int_equal(t.screen.width, width);
    assert_int_equal(t.screen.height, height);
    for (unsigned n = 0; n < 3000; n++) {
        unsigned x = n < 4 ? n : (unsigned)rand() % width, y = (unsigned)rand() % height;
        uint64_t at = (uint64_t)(y + 3) * (width + 64) + x + 8; /* in pixels */
        const uint8_t *b = t.vram.base + at * ((bpp + 7) / 8);
        uint32_t v, want;

        switch (bpp) {
        case 4:
            b = t.vram.base + at / 8 * 4;
            v = 7 - at % 8;
            want = color((b[0] >> v & 1) + (b[1] >> v & 1) * 2 + (b[2] >> v & 1) * 4 +
                         (b[3] >> v & 1) * 8);
            break;
        case 8:
            want = color(b[0]);
            break;
        case 15:
        case 16:
            v = big_endian ? b[0] * 256u + b[1] : b[1] * 256u + b[0];
            if (bpp == 15)
                want = (v >> 10 & 31) * 255 / 31 << 16 | (v >> 5 & 31) * 255 / 31 << 8 |
                       (v & 31) * 255 / 31;
            else
                want = (v >> 11 & 31) * 255 / 31 << 16 | (v >> 5 & 63) * 255 / 63 << 8 |
                       (v & 31) * 255 / 31;
            break;
        case 24:
            want = big_endian ? (uint32_t)(b[0] << 16 | b[1] << 8 | b[2])
                              : (uint32_t)(b[2] << 16 | b[1] << 8 | b[0]);
            break;
        default:
            want = big_endian ? (uint32_t)(b[1] << 16 | b[2] << 8 | b[3])
                              : (uint32_t)(b[2] << 16 | b[1] << 8 | b[0]);
            break;
        }
        uint32_t got = testvga_pixel(&t, x, y);
        for (unsigned c = 0; c < 24; c += 8) { /* levels may be rounded either way */
            if (abs((int)(got >> c & 255) - (int)(want >> c & 255)) > 1)
                fail_msg("%u bpp, pixel %u,%u is %06x, not %06x", bpp, x, y, got, want);
        }
    }
}

static void test_vbe_depths(void **state)
{
    static const uint16_t bpp[] = {4, 8, 15, 16, 24, 32};

    for (uint8_t i = 0; i < 16; i++)
        testvga_attr(&t, i, i);
    testvga_attr(&t, 0x12, 0x0f);
    for (unsigned i = 0; i < 6; i++)
        check_vbe(640, 400, bpp[i], false);
}

static void test_vbe_big_endian(void **state)
{
    static const uint16_t bpp[] = {8, 15, 16, 24, 32};

    testvga_config_write(&t, 0x18, 0xf3010000);
    testvga_config_write(&t, 0x04, 0x02);
    machine_write(&t.m, 0xf3010604, 4, 0xbebebebe);
    for (unsigned i = 0; i < 5; i++)
        check_vbe(640, 400, bpp[i], true);
}

static void test_vbe_8_bit_dac(void **state)
{
    testvga_vbe_mode(&t, 640, 480, 8);
    testvga_dispi(&t, 4, 0x61);
    testvga_dac(&t, 9, 0x12, 0x89, 0xfe);
    t.vram.base[5] = 9;
    testvga_update(&t);
    assert_int_equal(testvga_pixel(&t, 5, 0), 0x1289fe);
}

/* T-VGA-6: bochs-drm blanks and shows the screen with the index of the attribute controller. */
static void test_vbe_blank_by_palette_address_source(void **state)
{
    testvga_vbe_mode(&t, 640, 480, 32);
    memset(t.vram.base, 0xff, 640 * 480 * 4);
    machine_in(&t.m, 0x3da, 1);
    machine_out(&t.m, 0x3c0, 1, 0x00);
    testvga_update(&t);
    assert_int_equal(t.screen.width, 640);
    assert_int_equal(testvga_pixel(&t, 0, 0), 0);
    machine_in(&t.m, 0x3da, 1);
    machine_out(&t.m, 0x3c0, 1, 0x20);
    testvga_update(&t);
    assert_int_equal(testvga_pixel(&t, 0, 0), 0xffffff);
}

/* T-VGA-5, T-VGA-8: each picture is drawn from the registers of now. */
static void test_palette_change_and_line_compare_in_vbe(void **state)
{
    testvga_vbe_mode(&t, 640, 480, 8);
    testvga_dac(&t, 0, 0x3f, 0, 0);
    testvga_crtc(&t, 0x18, 10);
    testvga_crtc(&t, 0x07, 0);
    t.vram.base[640 * 300] = 7;
    testvga_update(&t);
    assert_int_equal(testvga_pixel(&t, 0, 0), 0xff0000);
    assert_int_equal(testvga_pixel(&t, 0, 300), color(7));
    testvga_dac(&t, 0, 0, 0x3f, 0);
    testvga_update(&t);
    assert_int_equal(testvga_pixel(&t, 0, 0), 0x00ff00);
}

static void test_vbe_screen_at_once_after_text(void **state)
{
    testvga_set_mode(&t, &testvga_mode_03);
    testvga_update(&t);
    assert_int_equal(t.screen.width, 720);
    testvga_vbe_mode(&t, 1024, 768, 32);
    testvga_update(&t);
    assert_int_equal(t.screen.width, 1024);
    assert_int_equal(t.screen.height, 768);
    testvga_set_mode(&t, &testvga_mode_03);
    testvga_update(&t);
    assert_int_equal(t.screen.width, 720);
    assert_int_equal(t.screen.height, 400);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_mode_12),
        TEST(test_mode_0d_is_doubled_both_ways),
        TEST(test_planar_panning_and_plane_enable),
        TEST(test_cga_4_colours),
        TEST(test_cga_2_colours),
        TEST(test_mode_13),
        TEST(test_mode_x),
        TEST(test_line_compare_and_panning_below),
        TEST(test_picture_wraps_at_64k),
        TEST(test_vbe_depths),
        TEST(test_vbe_big_endian),
        TEST(test_vbe_8_bit_dac),
        TEST(test_vbe_blank_by_palette_address_source),
        TEST(test_palette_change_and_line_compare_in_vbe),
        TEST(test_vbe_screen_at_once_after_text),
    };

    return cmocka_run_group_tests_name("vga graphics", tests, NULL, NULL);
}
