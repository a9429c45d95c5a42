/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The holes that other models of this chip had, each played as a guest would. The chip's memory
 * fills the video memory, which lies between guard pages: an access beside it ends the test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "hw/vga/cirrus_core.h"
#include "tests/hw/vga/testvga.h"

#define VRAM (1u << 20)
#define FB   0xf0000000u
#define BLT  0xf3010100u

static struct testvga t;

static int setup(void **state)
{
    testvga_init_cirrus(&t, VRAM);
    testvga_config_write(&t, 0x10, FB);
    testvga_config_write(&t, 0x14, 0xf3010000);
    testvga_config_write(&t, 0x04, 0x02);
    testvga_cirrus_mode(&t, 8);
    return 0;
}

static int teardown(void **state)
{
    testvga_fini(&t);
    return 0;
}

static struct cirrus_state *found;

static int find(void *opaque, const char *name, const struct state_desc *desc, void *object)
{
    if (desc == &cirrus_state_desc)
        found = object;
    return 0;
}

static bool feeding(void)
{
    arena_each(t.m.env.arena, find, NULL);
    assert_non_null(found);
    return found->feeding;
}

struct blit {
    uint32_t width, height, dst_pitch, src_pitch, dst, src, mode, rop, extension;
};

static void start(const struct blit *b)
{
    machine_write(&t.m, BLT + 0x08, 4, ((b->width - 1) & 0xffff) | (b->height - 1) << 16);
    machine_write(&t.m, BLT + 0x0c, 4, (b->dst_pitch & 0xffff) | b->src_pitch << 16);
    machine_write(&t.m, BLT + 0x10, 4, b->dst);
    machine_write(&t.m, BLT + 0x14, 4, b->src);
    machine_write(&t.m, BLT + 0x18, 4, b->mode | b->rop << 16 | b->extension << 24);
    machine_write(&t.m, BLT + 0x40, 1, 0x00);
    machine_write(&t.m, BLT + 0x40, 1, 0x02);
}

/* Large blits go on in later turns; 16 slices are the largest. */
static void assert_idle(void)
{
    for (unsigned i = 0; i < 16 && (machine_read(&t.m, BLT + 0x40, 1) & 1); i++)
        machine_advance(&t.m, 1);
    assert_int_equal(machine_read(&t.m, BLT + 0x40, 1) & 0x0b, 0);
}

/* Data for whatever waits, more than it can want. */
static void feed(unsigned dwords)
{
    for (unsigned i = 0; i < dwords; i++)
        machine_write(&t.m, FB + (16 << 20), 4, 0x01020304u * i);
}

/* A blit of this kind from and to both ends of memory, wide and with any pitch. */
static void at_all_edges(uint32_t mode, uint32_t rop, uint32_t extension)
{
    static const uint32_t addresses[] = {0, 1, VRAM - 1, VRAM - 8, 0x3fffff};
    static const uint32_t pitches[] = {0, 1, 640, 0x1fff};

    for (unsigned i = 0; i < 5; i++)
        for (unsigned k = 0; k < 4; k++) {
            struct blit b = {.width = i & 1 ? 0x2000 : 100,
                             .height = 40,
                             .dst_pitch = pitches[k],
                             .src_pitch = pitches[3 - k],
                             .dst = addresses[i],
                             .src = addresses[(i + k) % 5],
                             .mode = mode,
                             .rop = rop,
                             .extension = extension};
            start(&b);
            if (mode & 4)
                feed(20);
            machine_write(&t.m, BLT + 0x40, 1, 0x04);
            assert_idle();
        }
}

static void test_cve_2007_1320_blit_beyond_memory(void **state)
{
    for (uint32_t mode = 0; mode < 0x100; mode += 0x10) {
        at_all_edges(mode, 0x0d, 0);
        at_all_edges(mode, 0x59, 4);
    }
}

/* The same that the first cure had left out: upwards, and fills. */
static void test_cve_2008_4539_negative_pitch_and_fill(void **state)
{
    at_all_edges(0x01, 0x0d, 0);
    at_all_edges(0x09, 0x0d, 0);
    at_all_edges(0xc0, 0x0d, 4);
    at_all_edges(0xf0, 0x0d, 4);
}

static void test_cve_2014_8106_every_kind_with_every_operation(void **state)
{
    static const uint8_t rops[] = {0x00, 0x05, 0x06, 0x09, 0x0b, 0x0d, 0x0e, 0x50,
                                   0x59, 0x6d, 0x90, 0x95, 0xad, 0xd0, 0xd6, 0xda};

    for (unsigned i = 0; i < sizeof(rops); i++) {
        at_all_edges(0x00, rops[i], 0);
        at_all_edges(0x18, rops[i], 0);
        at_all_edges(0x70, rops[i], 0);
    }
}

/* Backwards from an address smaller than a line. */
static void test_cve_2017_2615_backward_from_the_start(void **state)
{
    struct blit b = {.width = 0x2000,
                     .height = 0x800,
                     .dst_pitch = 0x1fff,
                     .src_pitch = 0x1fff,
                     .dst = 4,
                     .src = 100,
                     .mode = 0x01,
                     .rop = 0x0d};

    memset(t.vram.base, 0x11, VRAM);
    start(&b);
    assert_idle();
    for (unsigned i = 0; i < VRAM; i += 997)
        assert_int_equal(t.vram.base[i], 0x11);
}

/* Data from the processor for a destination that leaves memory. */
static void test_cve_2017_2620_processor_source_beyond_memory(void **state)
{
    for (uint32_t mode = 0x04; mode < 0x100; mode += 0x10)
        at_all_edges(mode, 0x0d, mode & 0x10 ? 1 : 0);
    struct blit b = {
        .width = 16, .height = 2, .dst_pitch = 0x1fff, .dst = VRAM - 8, .mode = 4, .rop = 0x0d};
    start(&b);
    for (unsigned i = 0; i < 8; i++)
        machine_write(&t.m, FB + (16 << 20), 4, 0x5a5a5a5a);
    assert_idle();
    assert_int_equal(t.vram.base[VRAM - 1], 0x5a);
    assert_int_equal(t.vram.base[7], 0x5a); /* wrapped */
}

/* A large blit, then another size of the screen before it is drawn. */
static void test_cve_2016_9603_mode_change_after_a_blit(void **state)
{
    struct blit b = {.width = 0x2000,
                     .height = 0x400,
                     .dst_pitch = 640,
                     .mode = 0xc0,
                     .rop = 0x0d,
                     .extension = 4};

    t.display->watched(t.display->dev, true);
    testvga_refresh(&t);
    start(&b);
    testvga_crtc(&t, 0x11, 0);
    testvga_crtc(&t, 0x01, 3);
    testvga_crtc(&t, 0x12, 40);
    testvga_crtc(&t, 0x07, 0);
    struct display_damage damage = testvga_refresh(&t);
    assert_true(damage.resized);
    assert_int_equal(t.screen.width, 32);
    assert_int_equal(t.screen.height, 41);
    start(&b);
    testvga_cirrus_mode(&t, 32);
    testvga_refresh(&t);
    assert_int_equal(t.screen.width, 640);
}

static void test_cve_2017_7718_source_read_beyond_memory(void **state)
{
    struct blit b = {.width = 0x2000,
                     .height = 0x800,
                     .dst_pitch = 8,
                     .src_pitch = 0x1fff,
                     .dst = 0,
                     .src = 0x3fffff,
                     .mode = 0x08,
                     .rop = 0x0d};

    start(&b);
    b.mode = 0x18;
    start(&b);
    b.mode = 0x80;
    start(&b);
    assert_idle();
}

/* Patterns at the end of memory, skips beyond the pattern, pitches of nothing. */
static void test_cve_2017_7980_patterns_at_the_end(void **state)
{
    for (uint32_t mode = 0x40; mode < 0x80; mode += 0x10)
        for (uint32_t skip = 0; skip < 0x100; skip += 5) {
            struct blit b = {.width = 200,
                             .height = 20,
                             .dst = VRAM - 100,
                             .src = VRAM - 1,
                             .mode = mode,
                             .rop = 0x0d};
            testvga_gfx(&t, 0x2f, (uint8_t)skip);
            start(&b);
            machine_write(&t.m, BLT + 0x17, 1, skip);
            b.mode |= 0x80;
            machine_write(&t.m, BLT + 0x18, 1, b.mode);
            machine_write(&t.m, BLT + 0x40, 1, 0);
            machine_write(&t.m, BLT + 0x40, 1, 2);
        }
    assert_idle();
}

static void test_cve_2016_9921_pitch_of_zero(void **state)
{
    struct blit b = {.width = 64, .height = 16, .dst = 0x100, .src = 0, .rop = 0x0d};

    memset(t.vram.base, 0x77, 64);
    start(&b);
    assert_idle();
    assert_int_equal(t.vram.base[0x100], 0x77);
    testvga_crtc(&t, 0x13, 0);
    testvga_crtc(&t, 0x1b, 0x22);
    testvga_update(&t); /* every line shows the same */
    t.display->watched(t.display->dev, true);
    testvga_refresh(&t);
    start(&b);
    testvga_refresh(&t);
}

static void test_cve_2016_9922_copy_with_zero_pitches(void **state)
{
    at_all_edges(0x00, 0x0d, 0);
    struct blit b = {.width = 0x2000, .height = 0x800, .mode = 0x01, .rop = 0x59};
    start(&b);
    assert_idle();
}

/* Registers that change while data comes: what was latched at the start counts. */
static void test_copy_count_overrun(void **state)
{
    struct blit b = {
        .width = 64, .height = 3, .dst_pitch = 640, .dst = 0x1000, .mode = 4, .rop = 0x0d};

    start(&b);
    feed(5);
    machine_write(&t.m, BLT + 0x08, 4, 0);
    machine_write(&t.m, BLT + 0x0c, 4, 0);
    machine_write(&t.m, BLT + 0x10, 4, 0x3fffff);
    machine_write(&t.m, BLT + 0x18, 4, 0xffffffff);
    feed(16 * 3 - 6);
    assert_true(feeding());
    feed(1);
    assert_false(feeding());
    assert_int_equal(t.vram.base[0x1000 + 2 * 640 + 64], 0xff); /* nothing behind the last line */
}

static void test_blit_does_not_outlive_reset_or_mode_change(void **state)
{
    struct blit b = {
        .width = 64, .height = 3, .dst_pitch = 640, .dst = 0x1000, .mode = 4, .rop = 0x0d};

    start(&b);
    assert_true(feeding());
    testvga_seq(&t, 7, 0xf7);
    assert_false(feeding());
    start(&b);
    device_reset_all(t.m.env.devices);
    assert_false(feeding());
    testvga_cirrus_mode(&t, 8);
    memset(t.vram.base + 0x1000, 0xaa, 16);
    machine_write(&t.m, 0xa0000, 4, 0);
    assert_int_equal(t.vram.base[0x1000], 0xaa);
}

/* Write modes 4 and 5 at the last byte of memory, and with every scale of addresses. */
static void test_cve_2017_15289_write_modes_4_and_5_at_the_end(void **state)
{
    static const uint8_t extensions[] = {0x04, 0x06, 0x14, 0x16, 0x36, 0x3f};

    testvga_seq(&t, 2, 0xff);
    for (unsigned e = 0; e < sizeof(extensions); e++)
        for (uint8_t mode = 0x40; mode < 0x48; mode++) {
            testvga_gfx(&t, 0x0b, extensions[e]);
            testvga_gfx(&t, 0x05, mode);
            testvga_gfx(&t, 0x09, 0xff);
            testvga_gfx(&t, 0x0a, 0xff);
            for (uint32_t a = 0xa0000; a < 0xb0000; a += 0x7ff)
                machine_write(&t.m, a, 8, UINT64_MAX);
            machine_write(&t.m, 0xafff8, 8, UINT64_MAX);
            machine_read(&t.m, 0xafff8, 8);
            if (t.at == TESTVGA_PARKING) {
                machine_write(&t.m, FB + VRAM - 8, 8, UINT64_MAX);
                machine_read(&t.m, FB + VRAM - 8, 8);
            }
        }
    testvga_gfx(&t, 0x0b, 0x04);
    testvga_gfx(&t, 0x05, 0x45);
    testvga_gfx(&t, 0x01, 0x66);
    testvga_gfx(&t, 0x09, (uint8_t)((VRAM >> 12) - 1));
    machine_write(&t.m, 0xa0ffc, 1, 0xff); /* four pixels before the end, four wrapped */
    assert_int_equal(t.vram.base[VRAM - 1], 0x66);
    assert_int_equal(t.vram.base[3], 0x66);
}

/* Cursors of other adapters had sizes from the guest; here the last of the memory bounds it. */
static void test_cve_2021_4206_cursor_at_the_end_of_memory(void **state)
{
    testvga_seq(&t, 0x13, 0xff);
    for (unsigned attributes = 1; attributes < 8; attributes += 4) {
        testvga_seq(&t, 0x12, (uint8_t)attributes);
        testvga_seq(&t, 0xf0, 0xff);
        testvga_seq(&t, 0xf1, 0xff);
        testvga_update(&t);
        testvga_seq(&t, 0x10, 79);
        testvga_seq(&t, 0x11, 59);
        testvga_update(&t);
        assert_int_equal(t.screen.width, 640);
    }
}

static void test_cve_2021_4207_cursor_that_changes_meanwhile(void **state)
{
    t.display->watched(t.display->dev, true);
    testvga_seq(&t, 0x12, 5);
    testvga_refresh(&t);
    testvga_seq(&t, 0x12, 1);
    testvga_seq(&t, 0x10, 0xff);
    testvga_refresh(&t);
    testvga_crtc(&t, 0x11, 0);
    testvga_crtc(&t, 0x01, 3);
    testvga_refresh(&t);
    assert_int_equal(t.screen.width, 32);
}

/* The 2D engines of other adapters fell the same way: the whole product of sizes and signs. */
static void test_cve_2020_24352_largest_rectangles(void **state)
{
    for (uint32_t mode = 0; mode < 2; mode++) {
        struct blit b = {.width = 0x2000,
                         .height = 0x800,
                         .dst_pitch = 0x1fff,
                         .src_pitch = 0x1fff,
                         .dst = 0x3fffff,
                         .src = 0,
                         .mode = mode,
                         .rop = 0x59};
        start(&b);
        assert_idle();
    }
}

/* Sizes of all ones: the registers have no more bits than the engine has room for. */
static void test_cve_2020_11869_sizes_of_all_ones(void **state)
{
    machine_write(&t.m, BLT + 0x08, 4, UINT32_MAX);
    assert_int_equal(machine_read(&t.m, BLT + 0x08, 4),
                     (BLT_HEIGHT_MAX - 1) << 16 | (BLT_WIDTH_MAX - 1));
    machine_write(&t.m, BLT + 0x0c, 4, UINT32_MAX);
    machine_write(&t.m, BLT + 0x10, 4, UINT32_MAX);
    machine_write(&t.m, BLT + 0x14, 4, UINT32_MAX);
    machine_write(&t.m, BLT + 0x18, 4, 0x000d0000);
    machine_write(&t.m, BLT + 0x40, 1, 0x02);
    assert_idle();
}

/* Sums of address, pitch and line that leave memory and come back into it. */
static void test_cve_2020_27616_sums_that_wrap(void **state)
{
    struct blit b = {.width = 8,
                     .height = 300,
                     .dst_pitch = 0x1000,
                     .src_pitch = 0,
                     .dst = 0x3ffff8,
                     .src = 0x200,
                     .mode = 0x00,
                     .rop = 0x0d};

    memset(t.vram.base + 0x200, 0x42, 8);
    start(&b);
    assert_idle();
    assert_int_equal(t.vram.base[0xffff8], 0x42);
    assert_int_equal(t.vram.base[0xff8], 0x42); /* the second line, wrapped */
    assert_int_equal(t.vram.base[0x43ff8], 0x42);
    assert_int_equal(t.vram.base[0x43ff7], 0xff);
}

/* Start address and pitch that lead beyond memory, while the screen is drawn. */
static void test_cve_2016_3712_screen_at_the_end_of_memory(void **state)
{
    testvga_crtc(&t, 0x0c, 0xff);
    testvga_crtc(&t, 0x0d, 0xff);
    testvga_crtc(&t, 0x13, 0xff);
    testvga_crtc(&t, 0x1b, 0xff);
    testvga_crtc(&t, 0x1d, 0xff);
    t.display->watched(t.display->dev, true);
    for (unsigned sr7 = 1; sr7 < 0x10; sr7 += 2) {
        testvga_seq(&t, 7, (uint8_t)sr7);
        testvga_update(&t);
        testvga_refresh(&t);
    }
    testvga_crtc(&t, 0x11, 0);
    testvga_crtc(&t, 0x01, 0xff);
    testvga_crtc(&t, 0x12, 0xff);
    testvga_crtc(&t, 0x07, 0xff);
    testvga_crtc(&t, 0x1a, 0xff);
    testvga_update(&t);
    assert_int_equal(t.screen.width, 2048);
    assert_int_equal(t.screen.height, 2048);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_cve_2007_1320_blit_beyond_memory),
        TEST(test_cve_2008_4539_negative_pitch_and_fill),
        TEST(test_cve_2014_8106_every_kind_with_every_operation),
        TEST(test_cve_2017_2615_backward_from_the_start),
        TEST(test_cve_2017_2620_processor_source_beyond_memory),
        TEST(test_cve_2016_9603_mode_change_after_a_blit),
        TEST(test_cve_2017_7718_source_read_beyond_memory),
        TEST(test_cve_2017_7980_patterns_at_the_end),
        TEST(test_cve_2016_9921_pitch_of_zero),
        TEST(test_cve_2016_9922_copy_with_zero_pitches),
        TEST(test_copy_count_overrun),
        TEST(test_blit_does_not_outlive_reset_or_mode_change),
        TEST(test_cve_2017_15289_write_modes_4_and_5_at_the_end),
        TEST(test_cve_2021_4206_cursor_at_the_end_of_memory),
        TEST(test_cve_2021_4207_cursor_that_changes_meanwhile),
        TEST(test_cve_2020_24352_largest_rectangles),
        TEST(test_cve_2020_11869_sizes_of_all_ones),
        TEST(test_cve_2020_27616_sums_that_wrap),
        TEST(test_cve_2016_3712_screen_at_the_end_of_memory),
    };

    return cmocka_run_group_tests_name("cirrus security", tests, NULL, NULL);
}
