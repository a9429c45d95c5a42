/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text modes: the picture of known cells, dot by dot. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "tests/hw/vga/testvga.h"

static struct testvga t;

/* Colours of the attribute numbers as set up below: 0x010101 * number * 16, of full six bits. */
static uint32_t color(unsigned n)
{
    uint32_t level = n * 4; /* of 63 */

    level = level << 2 | level >> 4;
    return level * 0x010101;
}

static int setup(void **state)
{
    testvga_init(&t, 16 << 20);
    testvga_set_mode(&t, &testvga_mode_03);
    for (uint8_t i = 0; i < 16; i++) {
        testvga_attr(&t, i, i);
        testvga_dac(&t, i, i * 4, i * 4, i * 4);
    }
    testvga_attr(&t, 0x10, 0x04); /* line graphics, no blinking */
    t.m.now = 0;
    return 0;
}

static int teardown(void **state)
{
    testvga_fini(&t);
    return 0;
}

static void put(unsigned cell, uint8_t code, uint8_t attribute)
{
    machine_write(&t.m, 0xb8000 + cell * 2, 2, code | attribute << 8);
}

/* A line of a glyph, as a BIOS loads fonts: plane 2, no odd/even. */
static void glyph_line(unsigned block, uint8_t code, unsigned line, uint8_t dots)
{
    testvga_seq(&t, 2, 0x04);
    testvga_seq(&t, 4, 0x06);
    testvga_gfx(&t, 5, 0x00);
    testvga_gfx(&t, 6, 0x04);
    machine_write(&t.m, 0xa0000 + block * 0x2000 + code * 32u + line, 1, dots);
    testvga_seq(&t, 2, 0x03);
    testvga_seq(&t, 4, 0x02);
    testvga_gfx(&t, 5, 0x10);
    testvga_gfx(&t, 6, 0x0e);
}

static void glyph(unsigned block, uint8_t code, const char *const *rows, unsigned n)
{
    for (unsigned y = 0; y < n; y++) {
        uint8_t dots = 0;
        for (unsigned x = 0; x < 8; x++)
            dots |= (uint8_t)((rows[y][x] == '#') << (7 - x));
        glyph_line(block, code, y, dots);
    }
}

/* Compares the picture at (x0, y0) with rows of '#' (foreground) and '.' (background). */
static void expect(uint32_t x0, uint32_t y0, const char *const *rows, unsigned n, uint32_t fg,
                   uint32_t bg)
{
    for (unsigned y = 0; y < n; y++) {
        for (unsigned x = 0; rows[y][x]; x++) {
            uint32_t pixel = testvga_pixel(&t, x0 + x, y0 + y);
            if (pixel != (rows[y][x] == '#' ? fg : bg))
                fail_msg("pixel %u,%u is %06x, row \"%s\"", x0 + x, y0 + y, pixel, rows[y]);
        }
    }
}

static const char *const letter_a[16] = {
    "........", "........", "...#....", "..###...", ".##.##..", "##...##.", "##...##.", "#######.",
    "##...##.", "##...##.", "##...##.", "##...##.", "........", "........", "........", "........",
};
static const char *const letter_a_9_dots[16] = {
    ".........", ".........", "...#.....", "..###....", ".##.##...", "##...##..",
    "##...##..", "#######..", "##...##..", "##...##..", "##...##..", "##...##..",
    ".........", ".........", ".........", ".........",
};

static void test_a_letter(void **state)
{
    glyph(0, 'A', letter_a, 16);
    put(0, 'A', 0x17);
    put(81, 'A', 0x4e);
    put(1999, 'A', 0x0f);
    testvga_crtc(&t, 0x0a, 0x20);
    testvga_update(&t);
    assert_int_equal(t.screen.width, 720);
    assert_int_equal(t.screen.height, 400);
    expect(0, 0, letter_a_9_dots, 16, color(7), color(1));
    expect(9, 16, letter_a_9_dots, 16, color(14), color(4));
    expect(79 * 9, 24 * 16, letter_a_9_dots, 16, color(15), color(0));
    for (uint32_t x = 18; x < 720; x++)
        assert_int_equal(testvga_pixel(&t, x, 5), 0);
}

/* T-VGA-3: the ninth dot repeats the eighth for C0-DF only. */
static void test_ninth_dot(void **state)
{
    static const uint8_t codes[] = {0xaf, 0xb0, 0xbf, 0xc0, 0xc4, 0xdf, 0xe0};

    testvga_crtc(&t, 0x0a, 0x20);
    for (unsigned i = 0; i < sizeof(codes); i++) {
        glyph_line(0, codes[i], 0, 0xff);
        put(i, codes[i], 0x07);
    }
    testvga_update(&t);
    for (unsigned i = 0; i < sizeof(codes); i++) {
        bool joined = codes[i] >= 0xc0 && codes[i] <= 0xdf;
        assert_int_equal(testvga_pixel(&t, i * 9 + 7, 0), color(7));
        assert_int_equal(testvga_pixel(&t, i * 9 + 8, 0), joined ? color(7) : 0);
    }
    testvga_attr(&t, 0x10, 0x00);
    testvga_update(&t);
    assert_int_equal(testvga_pixel(&t, 4 * 9 + 8, 0), 0);
}

static void test_eight_dots(void **state)
{
    glyph(0, 'A', letter_a, 16);
    put(1, 'A', 0x1f);
    testvga_seq(&t, 1, 0x01);
    testvga_attr(&t, 0x13, 0);
    testvga_update(&t);
    assert_int_equal(t.screen.width, 640);
    expect(8, 0, letter_a, 16, color(15), color(1));
}

static void test_forty_columns_are_twice_as_wide(void **state)
{
    testvga_set_mode(&t, &testvga_mode_01);
    for (uint8_t i = 0; i < 16; i++)
        testvga_attr(&t, i, i);
    glyph_line(0, 'x', 3, 0xa0);
    put(0, 'x', 0x07);
    testvga_update(&t);
    assert_int_equal(t.screen.width, 720);
    assert_int_equal(t.screen.height, 400);
    static const char *const row[1] = {"##..##............"};
    expect(0, 3, row, 1, color(7), 0);
}

static void test_cursor(void **state)
{
    testvga_crtc(&t, 0x0e, 0);
    testvga_crtc(&t, 0x0f, 82);
    put(82, ' ', 0x2e);
    testvga_update(&t);
    for (uint32_t y = 0; y < 16; y++) { /* lines 13 and 14 */
        for (uint32_t x = 0; x < 9; x++)
            assert_int_equal(testvga_pixel(&t, 18 + x, 16 + y),
                             y == 13 || y == 14 ? color(14) : color(2));
    }
    t.m.now += 230000000; /* the other half of its period */
    testvga_update(&t);
    assert_int_equal(testvga_pixel(&t, 18, 16 + 13), color(2));
    t.m.now = 0;
    testvga_crtc(&t, 0x0a, 0x2d); /* off */
    testvga_update(&t);
    assert_int_equal(testvga_pixel(&t, 18, 16 + 13), color(2));
    testvga_crtc(&t, 0x0a, 0x0f); /* start after end */
    testvga_update(&t);
    assert_int_equal(testvga_pixel(&t, 18, 16 + 15), color(2));
    /* Relative to the memory, not to the screen: the page moves, the cursor with it. */
    testvga_crtc(&t, 0x0a, 0x0d);
    testvga_crtc(&t, 0x0d, 80);
    testvga_update(&t);
    assert_int_equal(testvga_pixel(&t, 18, 13), color(14));
}

static void test_blink_or_bright_background(void **state)
{
    glyph_line(0, 'x', 0, 0xf0);
    put(3, 'x', 0x9e);
    testvga_crtc(&t, 0x0a, 0x20);
    testvga_update(&t);
    assert_int_equal(testvga_pixel(&t, 27, 0), color(14));
    assert_int_equal(testvga_pixel(&t, 34, 0), color(9));
    testvga_attr(&t, 0x10, 0x0c);
    t.m.now = 0;
    testvga_update(&t);
    assert_int_equal(testvga_pixel(&t, 27, 0), color(14));
    assert_int_equal(testvga_pixel(&t, 34, 0), color(1));
    t.m.now = 460000000;
    testvga_update(&t);
    assert_int_equal(testvga_pixel(&t, 27, 0), color(1));
    assert_int_equal(testvga_pixel(&t, 34, 0), color(1));
}

static void test_underline_of_monochrome_attributes(void **state)
{
    put(0, ' ', 0x01);
    put(1, ' ', 0x07);
    testvga_crtc(&t, 0x0a, 0x20);
    testvga_crtc(&t, 0x14, 0x0c);
    testvga_update(&t);
    assert_int_equal(testvga_pixel(&t, 0, 12), color(1));
    assert_int_equal(testvga_pixel(&t, 0, 11), 0);
    assert_int_equal(testvga_pixel(&t, 9, 12), 0);
}

/* Each of the eight blocks of plane 2 by its number in the character map register. */
static void test_character_maps(void **state)
{
    static const uint8_t block[8] = {0, 2, 4, 6, 1, 3, 5, 7};

    testvga_crtc(&t, 0x0a, 0x20);
    for (unsigned i = 0; i < 8; i++)
        glyph_line(block[i], 'q', 0, (uint8_t)(i << 4 | 0x80));
    put(0, 'q', 0x07); /* map B */
    put(1, 'q', 0x0f); /* map A */
    for (unsigned a = 0; a < 8; a++) {
        unsigned b = (a + 3) % 8;
        testvga_seq(&t, 3, (uint8_t)((b & 3) | (b & 4) << 2 | (a & 3) << 2 | (a & 4) << 3));
        testvga_update(&t);
        for (unsigned x = 0; x < 8; x++) {
            assert_int_equal(testvga_pixel(&t, x, 0),
                             (b << 4 | 0x80) >> (7 - x) & 1 ? color(7) : 0);
            assert_int_equal(testvga_pixel(&t, 9 + x, 0),
                             (a << 4 | 0x80) >> (7 - x) & 1 ? color(15) : 0);
        }
    }
}

static void test_panning_and_preset_row(void **state)
{
    glyph(0, 'A', letter_a, 16);
    put(0, 'A', 0x0f);
    put(80, 'A', 0x0f);
    testvga_crtc(&t, 0x0a, 0x20);
    testvga_attr(&t, 0x13, 1); /* two dots to the left */
    testvga_crtc(&t, 0x08, 5); /* five lines up */
    testvga_update(&t);
    for (unsigned y = 0; y < 11; y++)
        expect(0, y, (const char *const[]){letter_a_9_dots[y + 5] + 2}, 1, color(15), 0);
    expect(0, 11 + 3, (const char *const[]){letter_a_9_dots[3] + 2}, 1, color(15), 0);
}

static void test_split_screen(void **state)
{
    glyph(0, 'A', letter_a, 16);
    put(0, 'A', 0x0f);
    testvga_crtc(&t, 0x0a, 0x20);
    testvga_crtc(&t, 0x0c, 0x10); /* elsewhere: empty */
    testvga_crtc(&t, 0x07, 0x0f);
    testvga_crtc(&t, 0x09, 0x0f);
    testvga_crtc(&t, 0x18, 99);
    testvga_update(&t);
    for (uint32_t y = 0; y < 100; y++)
        assert_int_equal(testvga_pixel(&t, 3, y), 0);
    expect(0, 100, letter_a_9_dots, 16, color(15), 0);
}

static void test_screen_off(void **state)
{
    put(0, 'A', 0x7f);
    testvga_seq(&t, 1, 0x20);
    testvga_update(&t);
    assert_int_equal(t.screen.width, 720);
    assert_int_equal(testvga_pixel(&t, 0, 0), 0);
    testvga_seq(&t, 1, 0x00);
    machine_in(&t.m, 0x3da, 1);
    machine_out(&t.m, 0x3c0, 1, 0x00); /* palette address source off */
    testvga_update(&t);
    assert_int_equal(testvga_pixel(&t, 0, 0), 0);
    machine_in(&t.m, 0x3da, 1);
    machine_out(&t.m, 0x3c0, 1, 0x20);
    testvga_update(&t);
    assert_int_equal(testvga_pixel(&t, 0, 0), color(7));
}

static void test_dac_mask_and_color_select(void **state)
{
    put(0, ' ', 0x70);
    testvga_crtc(&t, 0x0a, 0x20);
    testvga_dac(&t, 0x77, 0x3f, 0, 0);
    testvga_dac(&t, 0x57, 0, 0x3f, 0);
    testvga_attr(&t, 0x07, 0x37);
    testvga_attr(&t, 0x14, 0x04);
    testvga_update(&t);
    assert_int_equal(testvga_pixel(&t, 0, 0), 0xff0000);
    testvga_attr(&t, 0x10, 0x84); /* bits 5 and 4 from colour select */
    testvga_attr(&t, 0x14, 0x05);
    testvga_update(&t);
    assert_int_equal(testvga_pixel(&t, 0, 0), 0x00ff00);
    machine_out(&t.m, 0x3c6, 1, 0x0f);
    testvga_update(&t);
    assert_int_equal(testvga_pixel(&t, 0, 0), color(7));
}

/* Half-set modes: the last picture stays. */
static void test_absurd_geometry_keeps_the_picture(void **state)
{
    struct display *display = vga_display(t.vga);

    testvga_update(&t);
    testvga_crtc(&t, 0x01, 0xff); /* 256 columns */
    assert_int_equal(display->update(display->dev, &t.screen), 0);
    assert_int_equal(t.screen.width, 720);
    testvga_crtc(&t, 0x01, 0x4f);
    testvga_crtc(&t, 0x09, 0x40); /* cells of one line */
    assert_int_equal(display->update(display->dev, &t.screen), 0);
    assert_int_equal(t.screen.height, 400);
    testvga_update(&t); /* a new one is black, of the usual size */
    assert_int_equal(t.screen.width, 720);
    assert_int_equal(t.screen.height, 400);
    assert_int_equal(testvga_pixel(&t, 0, 0), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_letter),
        TEST(test_ninth_dot),
        TEST(test_eight_dots),
        TEST(test_forty_columns_are_twice_as_wide),
        TEST(test_cursor),
        TEST(test_blink_or_bright_background),
        TEST(test_underline_of_monochrome_attributes),
        TEST(test_character_maps),
        TEST(test_panning_and_preset_row),
        TEST(test_split_screen),
        TEST(test_screen_off),
        TEST(test_dac_mask_and_color_select),
        TEST(test_absurd_geometry_keeps_the_picture),
    };

    return cmocka_run_group_tests_name("vga text", tests, NULL, NULL);
}
