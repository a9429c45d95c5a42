/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the CL-GD5446 shows: packed modes, the hardware cursor, and the damage they make. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "hw/vga/cirrus_core.h"
#include "tests/hw/vga/testvga.h"

#define FB  0xf0000000u
#define BLT 0xf3010100u
#define END (4u << 20)

static struct testvga t;

static int setup(void **state)
{
    testvga_init_cirrus(&t, 8 << 20);
    testvga_config_write(&t, 0x10, FB);
    testvga_config_write(&t, 0x14, 0xf3010000);
    testvga_config_write(&t, 0x04, 0x02);
    memset(t.vram.base, 0, 8 << 20);
    for (unsigned n = 0; n < 256; n++)
        testvga_dac(&t, (uint8_t)n, n & 63, n / 4, 63 - (n & 63));
    return 0;
}

static int teardown(void **state)
{
    testvga_fini(&t);
    return 0;
}

static uint32_t level(uint32_t six)
{
    return six << 2 | six >> 4;
}

static uint32_t color(unsigned n)
{
    return level(n & 63) << 16 | level(n / 4) << 8 | level(63 - (n & 63));
}

static void test_depths(void **state)
{
    static const struct {
        unsigned bpp;
        uint8_t bytes[4];
        uint32_t shown;
    } depth[] = {{15, {0x00, 0x7c}, 0xff0000},
                 {16, {0xe0, 0x07}, 0x00ff00},
                 {24, {0x11, 0x22, 0x33}, 0x332211},
                 {32, {0x44, 0x55, 0x66, 0x77}, 0x665544}};

    for (unsigned i = 0; i < 4; i++) {
        unsigned bytes = (depth[i].bpp + 7) / 8;
        testvga_cirrus_mode(&t, depth[i].bpp);
        memcpy(t.vram.base + (479 * 640 + 639) * bytes, depth[i].bytes, bytes);
        testvga_update(&t);
        assert_int_equal(t.screen.width, 640);
        assert_int_equal(t.screen.height, 480);
        assert_int_equal(testvga_pixel(&t, 639, 479), depth[i].shown);
        assert_int_equal(testvga_pixel(&t, 638, 479), 0);
        memset(t.vram.base, 0, END);
    }
    testvga_cirrus_mode(&t, 8);
    t.vram.base[640 * 3 + 2] = 77;
    testvga_update(&t);
    assert_int_equal(testvga_pixel(&t, 2, 3), color(77));
}

/* T-CIR-6: without SR07 bit 0 the same registers mean a mode of VGA proper. */
static void test_t_cir_6_bit_0_of_sr07(void **state)
{
    testvga_cirrus_mode(&t, 8);
    testvga_seq(&t, 7, 0);
    t.vram.base[0] = 77;
    testvga_update(&t);
    assert_int_equal(testvga_pixel(&t, 0, 0), color(77));
    assert_int_equal(testvga_pixel(&t, 1, 0), color(77)); /* each pixel twice */
}

static void test_start_address_and_wrap(void **state)
{
    testvga_cirrus_mode(&t, 8);
    /* One line before the end of memory: what follows is its beginning. */
    uint32_t start = (END - 640) / 4;
    testvga_crtc(&t, 0x0c, (uint8_t)(start >> 8));
    testvga_crtc(&t, 0x0d, (uint8_t)start);
    testvga_crtc(&t, 0x1b, (uint8_t)(0x22 | (start >> 16 & 1) | (start >> 15 & 0x0c)));
    testvga_crtc(&t, 0x1d, (uint8_t)(start >> 12 & 0x80));
    t.vram.base[END - 640] = 5;
    t.vram.base[0] = 6;
    testvga_update(&t);
    assert_int_equal(testvga_pixel(&t, 0, 0), color(5));
    assert_int_equal(testvga_pixel(&t, 0, 1), color(6));
}

static void test_split_and_blank(void **state)
{
    testvga_cirrus_mode(&t, 8);
    testvga_crtc(&t, 0x0d, 0x10); /* 64 pixels on */
    testvga_crtc(&t, 0x18, 99);
    testvga_crtc(&t, 0x11, 0);
    testvga_crtc(&t, 0x07, 0x2e);
    testvga_crtc(&t, 0x09, 0x00);
    t.vram.base[0] = 9;
    testvga_update(&t);
    assert_int_equal(testvga_pixel(&t, 0, 99), color(0));
    assert_int_equal(testvga_pixel(&t, 0, 100), color(9));
    machine_in(&t.m, 0x3da, 1);
    machine_out(&t.m, 0x3c0, 1, 0x00); /* an index without PAS */
    testvga_update(&t);
    assert_int_equal(testvga_pixel(&t, 0, 100), 0);
}

/* GRUB's menu was black: so the registers are after SeaBIOS has set 800x600. */
static void test_seabios_leaves_the_screen_off(void **state)
{
    testvga_cirrus_mode(&t, 24);
    testvga_seq(&t, 1, 0x21);
    memset(t.vram.base, 0xa8, 3);
    testvga_update(&t);
    assert_int_equal(testvga_pixel(&t, 0, 0), 0xa8a8a8);
}

static void cursor_colors(void)
{
    testvga_seq(&t, 0x12, 0x02);
    testvga_dac(&t, 0, 63, 0, 0);
    testvga_dac(&t, 15, 0, 63, 0);
}

static void move_cursor(unsigned x, unsigned y)
{
    testvga_seq(&t, (uint8_t)(0x10 | (x & 7) << 5), (uint8_t)(x >> 3));
    testvga_seq(&t, (uint8_t)(0x11 | (y & 7) << 5), (uint8_t)(y >> 3));
}

static void test_cursor_32(void **state)
{
    uint8_t *pattern = t.vram.base + END - 16384 + 5 * 256;

    testvga_cirrus_mode(&t, 32);
    cursor_colors();
    pattern[0] = 0x50;       /* plane 0 of the first row */
    pattern[128] = 0x30;     /* plane 1 */
    pattern[31 * 4 + 3] = 1; /* the last pixel inverts */
    testvga_seq(&t, 0x13, 5);
    testvga_seq(&t, 0x12, 0x01);
    move_cursor(101, 203);
    testvga_update(&t);
    assert_int_equal(testvga_pixel(&t, 101, 203), 0);
    assert_int_equal(testvga_pixel(&t, 102, 203), 0xffffff);
    assert_int_equal(testvga_pixel(&t, 103, 203), 0xff0000);
    assert_int_equal(testvga_pixel(&t, 104, 203), 0x00ff00);
    assert_int_equal(testvga_pixel(&t, 132, 234), 0xffffff);
}

static void test_cursor_64_is_clipped(void **state)
{
    uint8_t *pattern = t.vram.base + END - 16384 + 0x3c * 256;

    testvga_cirrus_mode(&t, 32);
    cursor_colors();
    memset(pattern, 0xff, 1024);
    testvga_seq(&t, 0x13, 0x3f); /* the low bits do not count */
    testvga_seq(&t, 0x12, 0x05);
    move_cursor(630, 470);
    testvga_update(&t);
    assert_int_equal(testvga_pixel(&t, 639, 479), 0x00ff00);
    assert_int_equal(testvga_pixel(&t, 629, 479), 0);
    assert_int_equal(testvga_pixel(&t, 639, 469), 0);
    move_cursor(2047, 2047);
    testvga_update(&t);
    assert_int_equal(testvga_pixel(&t, 639, 479), 0);
}

/* T-CIR-3: where the cursor was is drawn again, and little else. */
static void test_t_cir_3_cursor_leaves_no_trail(void **state)
{
    testvga_cirrus_mode(&t, 32);
    cursor_colors();
    memset(t.vram.base + END - 16384, 0xff, 256);
    t.display->watched(t.display->dev, true);
    testvga_seq(&t, 0x12, 0x01);
    testvga_seq(&t, 0x13, 0);
    move_cursor(64, 64);
    testvga_refresh(&t);
    move_cursor(320, 256);
    struct display_damage damage = testvga_refresh(&t);
    assert_int_equal(damage.count, 2);
    assert_int_equal(damage.rects[0].x, 64);
    assert_int_equal(damage.rects[0].height, 32);
    assert_int_equal(damage.rects[1].y, 256);
    assert_int_equal(testvga_pixel(&t, 64, 64), 0);
    assert_int_equal(testvga_pixel(&t, 320, 256), 0x00ff00);
    /* Another image, written by the guest into memory. */
    testvga_guest_write(&t, END - 16384, "\0\0\0\0", 4);
    damage = testvga_refresh(&t);
    assert_int_equal(damage.count, 1);
    assert_int_equal(damage.rects[0].height, 1);
}

static void test_blits_are_damage(void **state)
{
    testvga_cirrus_mode(&t, 8);
    t.display->watched(t.display->dev, true);
    testvga_refresh(&t);
    machine_write(&t.m, BLT + 0x04, 4, 7);
    machine_write(&t.m, BLT + 0x08, 4, 63 | 15 << 16);
    machine_write(&t.m, BLT + 0x0c, 2, 640);
    machine_write(&t.m, BLT + 0x10, 4, 640 * 160 + 320);
    machine_write(&t.m, BLT + 0x18, 4, 0x040d00c0);
    machine_write(&t.m, BLT + 0x40, 1, 2);
    struct display_damage damage = testvga_refresh(&t);
    assert_int_equal(damage.count, 1);
    assert_int_equal(damage.rects[0].x, 320);
    assert_int_equal(damage.rects[0].y, 160);
    assert_int_equal(damage.rects[0].width, 64);
    assert_int_equal(damage.rects[0].height, 16);
    testvga_guest_write(&t, 5, "\1", 1);
    damage = testvga_refresh(&t);
    assert_int_equal(damage.count, 1);
    assert_int_equal(testvga_refresh(&t).count, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_depths),
        TEST(test_t_cir_6_bit_0_of_sr07),
        TEST(test_start_address_and_wrap),
        TEST(test_split_and_blank),
        TEST(test_seabios_leaves_the_screen_off),
        TEST(test_cursor_32),
        TEST(test_cursor_64_is_clipped),
        TEST(test_t_cir_3_cursor_leaves_no_trail),
        TEST(test_blits_are_damage),
    };

    return cmocka_run_group_tests_name("cirrus screen", tests, NULL, NULL);
}
