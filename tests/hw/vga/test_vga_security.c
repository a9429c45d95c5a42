/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The holes that other VGA adapters had, each played as a guest would. Video memory lies between
 * guard pages, so an access beside it ends the test; where something else can be said about the
 * outcome, it is checked too.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "hw/vga/vga_core.h"
#include "tests/hw/vga/testvga.h"

#define VRAM (1u << 20)

static struct testvga t;

static int setup(void **state)
{
    testvga_init(&t, VRAM);
    machine_out(&t.m, 0x3c2, 1, 0x63);
    testvga_gfx(&t, 8, 0xff);
    return 0;
}

static int teardown(void **state)
{
    testvga_fini(&t);
    return 0;
}

static struct vga_state *arena_state;

static int find_vga(void *opaque, const char *name, const struct state_desc *desc, void *object)
{
    if (desc == &vga_state_desc)
        arena_state = object;
    return 0;
}

/* The adapter's state itself, for contents that no register write can make. */
static struct vga_state *vga_state(void)
{
    arena_each(t.m.env.arena, find_vga, NULL);
    assert_non_null(arena_state);
    return arena_state;
}

/* All of the window, in every addressing mode, with the registers as they are. */
static void sweep_window(void)
{
    static const uint8_t memory_modes[] = {0x02, 0x06, 0x0a, 0x0e};
    static const uint8_t gfx_modes[] = {0x00, 0x01, 0x02, 0x03, 0x10, 0x13, 0x18, 0x08};

    for (unsigned m = 0; m < 4; m++) {
        testvga_seq(&t, 4, memory_modes[m]);
        testvga_seq(&t, 2, 0x0f);
        for (unsigned g = 0; g < 8; g++) {
            testvga_gfx(&t, 5, gfx_modes[g]);
            for (unsigned map = 0; map < 4; map++) {
                testvga_gfx(&t, 6, (uint8_t)(map << 2 | 1));
                for (uint32_t a = 0xa0000; a < 0xc0000; a += 0x1fff) {
                    machine_read(&t.m, a, 4);
                    machine_write(&t.m, a, 4, 0xdeadbeef);
                }
                machine_write(&t.m, 0xafffc, 8, UINT64_MAX);
                machine_read(&t.m, 0xbfffc, 8);
            }
        }
    }
}

/* Bank of the last 64 KiB set in VBE, then planar access, which multiplies the address by four. */
static void test_cve_2016_3710_bank_with_planar_access(void **state)
{
    testvga_vbe_mode(&t, 640, 480, 8);
    testvga_dispi(&t, 5, VRAM / 0x10000 - 1);
    memset(t.vram.base, 0, VRAM);
    testvga_seq(&t, 4, 0x06);
    testvga_seq(&t, 2, 0x0f);
    testvga_gfx(&t, 5, 0x00);
    machine_write(&t.m, 0xa0000, 4, 0xffffffff);
    assert_int_equal(machine_read(&t.m, 0xa0000, 4), 0xffffffff); /* nobody there */
    for (size_t i = 0; i < VRAM; i++)
        assert_int_equal(t.vram.base[i], 0);
    for (unsigned bank = 0; bank < 0x10000; bank += 0x7ff) {
        testvga_dispi(&t, 5, (uint16_t)bank);
        sweep_window();
    }
}

static void test_cve_2016_3710_bank_stored_beyond_memory(void **state)
{
    testvga_vbe_mode(&t, 640, 480, 8);
    for (unsigned bank = 0; bank <= 0xffff; bank += 0x1111) {
        vga_state()->vbe[VBE_BANK] = (uint16_t)bank; /* as a hostile stream could have it */
        sweep_window();
    }
}

/* CRT controller registers written while a VBE mode is on. */
static void test_cve_2016_3712_crtc_registers_under_vbe(void **state)
{
    testvga_vbe_mode(&t, 1024, 768, 8);
    testvga_dispi(&t, 9, 256);
    testvga_crtc(&t, 0x11, 0);
    for (unsigned v = 0; v < 256; v += 15) {
        for (uint8_t i = 0; i < 0x19; i++)
            testvga_crtc(&t, i, (uint8_t)v);
        testvga_update(&t);
        assert_int_equal(t.screen.width, 1024);
        assert_int_equal(t.screen.height, 768);
    }
}

/* Every combination of start address, offset and size of the CRT controller, without VBE. */
static void test_cve_2016_3712_start_and_offset_at_the_end(void **state)
{
    static const struct testvga_mode *const modes[] = {
        &testvga_mode_03, &testvga_mode_04, &testvga_mode_0d, &testvga_mode_12, &testvga_mode_13};

    for (unsigned i = 0; i < 5; i++) {
        testvga_set_mode(&t, modes[i]);
        for (unsigned v = 0; v < 4; v++) {
            testvga_crtc(&t, 0x0c, 0xff);
            testvga_crtc(&t, 0x0d, 0xff);
            testvga_crtc(&t, 0x13, v & 1 ? 0xff : 0);
            testvga_crtc(&t, 0x08, v & 2 ? 0x7f : 0);
            testvga_crtc(&t, 0x07, 0xff);
            testvga_crtc(&t, 0x12, 0xff);
            testvga_update(&t);
        }
    }
}

/* A mode whose frame is larger than the memory showed what lay behind it. */
static void test_cve_2014_3615_resolution_larger_than_memory(void **state)
{
    static const uint16_t bpp[] = {4, 8, 15, 16, 24, 32};

    memset(t.vram.base, 0, VRAM);
    for (unsigned i = 0; i < 6; i++) {
        testvga_vbe_mode(&t, 8000, 6000, bpp[i]);
        testvga_update(&t);
        uint64_t bytes = (uint64_t)t.screen.width * t.screen.height * ((bpp[i] + 7u) / 8);
        if (bpp[i] == 4)
            bytes /= 2;
        assert_true(bytes <= VRAM);
        for (uint32_t y = 0; y < t.screen.height; y++)
            assert_int_equal(testvga_pixel(&t, t.screen.width - 1, y), 0);
    }
    /* Each register on its own while the mode is on. */
    testvga_vbe_mode(&t, 640, 400, 32);
    static const uint16_t registers[] = {1, 2, 3, 6, 8, 9};
    for (unsigned r = 0; r < 6; r++) {
        testvga_dispi(&t, registers[r], 0xffff);
        testvga_update(&t);
        testvga_dispi(&t, registers[r], 32);
        testvga_update(&t);
    }
}

static void test_cve_2014_3615_state_that_does_not_fit(void **state)
{
    struct vga_state *s = vga_state();

    srand(3615);
    for (unsigned n = 0; n < 300; n++) {
        for (unsigned i = VBE_XRES; i < VBE_COUNT; i++)
            s->vbe[i] = (uint16_t)(rand() >> (rand() % 16));
        s->vbe[VBE_BPP] = (uint16_t)(rand() % 5 ? 8u * (1 + (unsigned)rand() % 4) : 4);
        s->vbe[VBE_XRES] &= 0xff8;
        s->vbe[VBE_YRES] &= 0x7ff;
        s->vbe[VBE_VIRT_WIDTH] &= 0xfff8;
        s->vbe[VBE_ENABLE] = VBE_ENABLED;
        s->attr_index = 0x20;
        testvga_update(&t); /* blank, or within the memory */
    }
}

/* Start address near the end, split screen back to 0: the dirty region wrapped. */
static void test_cve_2017_13672_split_screen_at_wrapping_start(void **state)
{
    testvga_set_mode(&t, &testvga_mode_12);
    for (unsigned lc = 0; lc < 256; lc += 5) {
        testvga_crtc(&t, 0x0c, 0xff);
        testvga_crtc(&t, 0x0d, (uint8_t)(0xf0 + lc % 16));
        testvga_crtc(&t, 0x18, (uint8_t)lc);
        testvga_crtc(&t, 0x07, 0x2e);
        testvga_crtc(&t, 0x09, 0x00);
        testvga_update(&t);
        assert_int_equal(t.screen.height, 480);
    }
}

/* Geometry that made an assertion about the dirty region fail. */
static void test_cve_2017_13673_no_geometry_stops_the_program(void **state)
{
    srand(13673);
    testvga_set_mode(&t, &testvga_mode_13);
    for (unsigned n = 0; n < 400; n++) {
        for (unsigned i = 0; i < 4; i++) {
            testvga_crtc(&t, (uint8_t)(rand() % 0x19), (uint8_t)rand());
            testvga_crtc(&t, 0x11, 0);
        }
        testvga_gfx(&t, 5, (uint8_t)rand());
        testvga_gfx(&t, 6, (uint8_t)rand());
        testvga_seq(&t, (uint8_t)(rand() % 5), (uint8_t)rand());
        testvga_attr(&t, 0x13, (uint8_t)rand());
        testvga_update(&t);
        assert_true(t.screen.width <= 4608 && t.screen.height <= 2048);
    }
}

/* The mode changes between two pictures: each is worked out from the registers of its own time. */
static void test_cve_2018_7858_change_between_updates(void **state)
{
    struct display *display = vga_display(t.vga);

    testvga_vbe_mode(&t, 800, 600, 16);
    testvga_update(&t);
    testvga_dispi(&t, 9, 20);
    testvga_dispi(&t, 6, 1600);
    assert_int_equal(display->update(display->dev, &t.screen), 0);
    testvga_dispi(&t, 4, 0);
    testvga_set_mode(&t, &testvga_mode_03);
    testvga_crtc(&t, 0x0c, 0xff);
    testvga_crtc(&t, 0x0d, 0xff);
    assert_int_equal(display->update(display->dev, &t.screen), 0);
    assert_int_equal(t.screen.width, 720);
    testvga_dispi(&t, 3, 32);
    testvga_dispi(&t, 4, 1);
    assert_int_equal(display->update(display->dev, &t.screen), 0);
    assert_int_equal(t.screen.width, 800);
}

/* Text drawn with the start address at the end of the memory. */
static void test_cve_2018_5683_text_at_the_end_of_memory(void **state)
{
    testvga_set_mode(&t, &testvga_mode_03);
    testvga_crtc(&t, 0x0c, 0xff);
    testvga_crtc(&t, 0x0d, 0xff);
    testvga_crtc(&t, 0x13, 0xff);
    testvga_seq(&t, 3, 0x3f);     /* fonts in the last block */
    testvga_crtc(&t, 0x09, 0x5f); /* 32 lines a row */
    for (unsigned i = 0; i < 0x10000; i++) {
        t.vram.base[i * 4] = 0xff;
        t.vram.base[i * 4 + 1] = 0xff;
    }
    testvga_update(&t);
    assert_int_equal(t.screen.width, 720);
    testvga_crtc(&t, 0x0e, 0xff); /* the cursor too */
    testvga_crtc(&t, 0x0f, 0xff);
    testvga_update(&t);
    assert_int_equal(t.screen.height, 400);
}

/* Write modes 4 and 5 of another chip: here the mode register has two bits for it. */
static void test_cve_2017_15289_write_mode_at_window_end(void **state)
{
    testvga_set_mode(&t, &testvga_mode_13);
    for (unsigned mode = 0; mode < 256; mode++) {
        testvga_gfx(&t, 5, (uint8_t)mode);
        assert_int_equal(machine_in(&t.m, 0x3cf, 1), mode & 0x7b);
        for (unsigned map = 0; map < 4; map++) {
            testvga_gfx(&t, 6, (uint8_t)(map << 2 | 1));
            machine_write(&t.m, 0xaffff, 4, 0xffffffff);
            machine_write(&t.m, 0xb7fff, 4, 0xffffffff);
            machine_write(&t.m, 0xbfffc, 8, UINT64_MAX);
            machine_read(&t.m, 0xbfffc, 8);
        }
    }
}

/* Accesses of all widths and alignments to the register BAR. */
static void test_cve_2020_13754_mmio_access_of_any_size(void **state)
{
    testvga_config_write(&t, 0x18, 0xf3010000);
    testvga_config_write(&t, 0x30, 0xf3000001);
    testvga_config_write(&t, 0x04, 0x02);
    for (unsigned size = 1; size <= 8; size *= 2) {
        for (uint32_t at = 0; at < 0x1000; at++) {
            machine_read(&t.m, 0xf3010000 + at, size);
            machine_write(&t.m, 0xf3010000 + at, size, 0x0101010101010101);
        }
        machine_read(&t.m, 0xf3000000 + sizeof(t.rom) - 1, size);
        machine_read(&t.m, 0xf300ffff, size);
    }
    assert_int_equal(machine_read(&t.m, 0xf3010700, 4), 0); /* defined, not what lies behind */
    testvga_update(&t);
}

/* Width times height: both are capped before they are multiplied. */
static void test_cve_2021_4206_surface_size_overflow(void **state)
{
    struct surface surface = {0};

    assert_int_equal(surface_resize(&surface, 0x10000, 0x10000), -EINVAL);
    assert_int_equal(surface_resize(&surface, UINT32_MAX, UINT32_MAX), -EINVAL);
    assert_int_equal(surface_resize(&surface, 16000, 12000), -EINVAL);
    assert_int_equal(surface_resize(&surface, 0, 1), -EINVAL);
    assert_null(surface.pixels);
    assert_int_equal(surface_resize(&surface, 64, 32), 0);
    assert_int_equal(surface_resize(&surface, 16001, 1), -EINVAL);
    assert_int_equal(surface.width, 64); /* as before */
    assert_null(surface_row(&surface, 32));
    surface_fini(&surface);
}

/* The cursor is at most one cell, inside the picture, whatever its registers say. */
static void test_cve_2021_4207_cursor_of_any_shape(void **state)
{
    testvga_set_mode(&t, &testvga_mode_03);
    for (unsigned v = 0; v < 256; v += 3) {
        testvga_crtc(&t, 0x0a, (uint8_t)v);
        testvga_crtc(&t, 0x0b, (uint8_t)(255 - v));
        testvga_crtc(&t, 0x0e, (uint8_t)(v * 7));
        testvga_crtc(&t, 0x0f, (uint8_t)(v * 13));
        testvga_update(&t);
        assert_int_equal(t.screen.width * t.screen.height, 720 * 400);
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_cve_2016_3710_bank_with_planar_access),
        TEST(test_cve_2016_3710_bank_stored_beyond_memory),
        TEST(test_cve_2016_3712_crtc_registers_under_vbe),
        TEST(test_cve_2016_3712_start_and_offset_at_the_end),
        TEST(test_cve_2014_3615_resolution_larger_than_memory),
        TEST(test_cve_2014_3615_state_that_does_not_fit),
        TEST(test_cve_2017_13672_split_screen_at_wrapping_start),
        TEST(test_cve_2017_13673_no_geometry_stops_the_program),
        TEST(test_cve_2018_7858_change_between_updates),
        TEST(test_cve_2018_5683_text_at_the_end_of_memory),
        TEST(test_cve_2017_15289_write_mode_at_window_end),
        TEST(test_cve_2020_13754_mmio_access_of_any_size),
        TEST(test_cve_2021_4206_surface_size_overflow),
        TEST(test_cve_2021_4207_cursor_of_any_shape),
    };

    return cmocka_run_group_tests_name("vga security", tests, NULL, NULL);
}
