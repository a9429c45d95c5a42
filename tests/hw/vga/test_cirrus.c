/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The CL-GD5446's registers, its memory as the processor sees it, and its life. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "hw/vga/cirrus_core.h"
#include "tests/hw/vga/testvga.h"

#define FB   0xf0000000u
#define MMIO 0xf3010000u
#define BLT  (MMIO + 0x100)

static struct testvga t;

static int setup(void **state)
{
    testvga_init_cirrus(&t, 8 << 20);
    testvga_config_write(&t, 0x10, FB);
    testvga_config_write(&t, 0x14, MMIO);
    testvga_config_write(&t, 0x30, 0xf3000001);
    testvga_config_write(&t, 0x04, 0x02);
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

static struct cirrus_state *cirrus_state(void)
{
    arena_each(t.m.env.arena, find, NULL);
    assert_non_null(found);
    return found;
}

static uint8_t seq(uint8_t index)
{
    machine_out(&t.m, 0x3c4, 1, index);
    return (uint8_t)machine_in(&t.m, 0x3c5, 1);
}

static uint8_t gfx(uint8_t index)
{
    machine_out(&t.m, 0x3ce, 1, index);
    return (uint8_t)machine_in(&t.m, 0x3cf, 1);
}

static uint8_t crtc(uint8_t index)
{
    machine_out(&t.m, 0x3d4, 1, index);
    return (uint8_t)machine_in(&t.m, 0x3d5, 1);
}

/* ---- identity -------------------------------------------------------------------------------- */

static void test_state_table_is_sound(void **state)
{
    assert_null(state_desc_flaw(&cirrus_state_desc));
}

static void test_pci_identity(void **state)
{
    assert_int_equal(testvga_config_read(&t, 0x00), 0x00b81013);
    assert_int_equal(testvga_config_read(&t, 0x08), 0x03000000);
    testvga_config_write(&t, 0x04, 0);
    testvga_config_write(&t, 0x10, 0xffffffff);
    assert_int_equal(testvga_config_read(&t, 0x10), 0xfe000008); /* 32 MiB, prefetchable */
    testvga_config_write(&t, 0x14, 0xffffffff);
    assert_int_equal(testvga_config_read(&t, 0x14), 0xfffff000);
    testvga_config_write(&t, 0x30, 0xffffffff);
    assert_int_equal(testvga_config_read(&t, 0x30), 0xffff0001);
}

static void test_identification(void **state)
{
    machine_out(&t.m, 0x3c2, 1, 0x67);
    assert_int_equal(seq(6), 0x0f);
    testvga_seq(&t, 6, 0x12);
    assert_int_equal(seq(6), 0x12);
    testvga_seq(&t, 6, 0x00);
    assert_int_equal(seq(6), 0x0f);
    assert_int_equal(crtc(0x27), 0xb8);
    assert_int_equal(seq(0x0f), 0x98);
    assert_int_equal(seq(0x15), 4);
    assert_int_equal(seq(0x17), 0x20);
    assert_int_equal(seq(0x1f), 0x2d);
    assert_int_equal(gfx(0x18), 0x0f);
}

static void test_no_dispi_and_rom(void **state)
{
    assert_int_equal(machine_in(&t.m, 0x1ce, 2), 0xffff);
    assert_int_equal(machine_read(&t.m, 0xf3000000 + 97, 1), t.rom[97]);
}

/* T-CIR-4: drivers of Windows 2000 look for ones. */
static void test_t_cir_4_memory_starts_as_ones(void **state)
{
    for (unsigned i = 0; i < 4 << 20; i += 4093)
        assert_int_equal(t.vram.base[i], 0xff);
}

static void test_small_memory(void **state)
{
    static struct testvga small;

    testvga_init_cirrus(&small, 2 << 20);
    machine_out(&small.m, 0x3c4, 1, 0x15);
    assert_int_equal(machine_in(&small.m, 0x3c5, 1), 3);
    testvga_fini(&small);
}

static void test_create_refuses_bad_configurations(void **state)
{
    struct cirrus_config config = {.devfn = PCI_DEVFN(5, 0), .vram = &t.vram};
    struct cirrus *c;

    t.vram.size = 32 << 20;
    assert_int_equal(cirrus_create(&c, &t.m.env, &config), -22);
    t.vram.size = 8 << 20;
    config.vram = NULL;
    assert_int_equal(cirrus_create(&c, &t.m.env, &config), -22);
}

/* ---- registers ------------------------------------------------------------------------------- */

static void test_extended_registers_keep_their_bits(void **state)
{
    static const struct {
        uint8_t index, mask;
    } gr[] = {{0x09, 0xff}, {0x0b, 0xff}, {0x20, 0xff}, {0x21, 0x1f}, {0x23, 0x07},
              {0x25, 0x1f}, {0x2a, 0x3f}, {0x2e, 0x3f}, {0x34, 0xff}, {0x05, 0x7f}};

    machine_out(&t.m, 0x3c2, 1, 0x67);
    for (unsigned i = 0; i < sizeof(gr) / sizeof(gr[0]); i++) {
        testvga_gfx(&t, gr[i].index, 0xff);
        assert_int_equal(gfx(gr[i].index), gr[i].mask);
        testvga_gfx(&t, gr[i].index, 0);
        assert_int_equal(gfx(gr[i].index), 0);
    }
    assert_int_equal(gfx(0x3a), 0xff);
    assert_int_equal(gfx(0xff), 0xff);
    testvga_seq(&t, 0x17, 0xff);
    assert_int_equal(seq(0x17), 0xe7); /* the bus type is fixed */
    testvga_seq(&t, 0x17, 0);
    for (uint8_t i = 0x19; i <= 0x1d; i++) {
        testvga_crtc(&t, i, 0xa5);
        assert_int_equal(crtc(i), 0xa5);
    }
    testvga_crtc(&t, 0x27, 0);
    assert_int_equal(crtc(0x27), 0xb8);
    assert_int_equal(crtc(0x40), 0xff);
}

static void test_attribute_readback(void **state)
{
    machine_out(&t.m, 0x3c2, 1, 0x67);
    machine_in(&t.m, 0x3da, 1);
    assert_int_equal(crtc(0x24), 0);
    machine_out(&t.m, 0x3c0, 1, 0x33);
    assert_int_equal(crtc(0x24), 0x80);
    assert_int_equal(crtc(0x26), 0x33);
}

/* T-CIR-1: the fifth access, and only right behind four reads. */
static void test_t_cir_1_hidden_dac(void **state)
{
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(machine_in(&t.m, 0x3c6, 1), 0xff);
    machine_out(&t.m, 0x3c6, 1, 0xc5);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(machine_in(&t.m, 0x3c6, 1), 0xff);
    assert_int_equal(machine_in(&t.m, 0x3c6, 1), 0xc5);
    assert_int_equal(machine_in(&t.m, 0x3c6, 1), 0xff);
    for (unsigned i = 0; i < 4; i++) {
        machine_in(&t.m, 0x3c6, 1);
        machine_in(&t.m, 0x3c8, 1); /* begins anew */
    }
    machine_out(&t.m, 0x3c6, 1, 0x7f);
    assert_int_equal(machine_in(&t.m, 0x3c6, 1), 0x7f);
    assert_int_equal(cirrus_state()->hidden_dac, 0xc5);
}

static void test_cursor_colours_are_apart_from_the_palette(void **state)
{
    testvga_dac(&t, 15, 1, 2, 3);
    testvga_seq(&t, 0x12, 0x02);
    testvga_dac(&t, 15, 4, 5, 6);
    machine_out(&t.m, 0x3c7, 1, 15);
    assert_int_equal(machine_in(&t.m, 0x3c9, 1), 4);
    testvga_seq(&t, 0x12, 0x00);
    machine_out(&t.m, 0x3c7, 1, 15);
    assert_int_equal(machine_in(&t.m, 0x3c9, 1), 1);
}

static void test_blitter_registers_in_memory(void **state)
{
    machine_write(&t.m, BLT + 0x08, 4, 0x00e31fff);
    assert_int_equal(gfx(0x20), 0xff);
    assert_int_equal(gfx(0x21), 0x1f);
    assert_int_equal(gfx(0x22), 0xe3);
    assert_int_equal(machine_read(&t.m, BLT + 0x08, 4), 0x00e31fff);
    machine_write(&t.m, BLT + 0x04, 4, 0x44332211);
    assert_int_equal(gfx(0x15), 0x44);
    assert_int_equal(machine_read(&t.m, BLT + 0x80, 4), 0xffffffff);
    machine_write(&t.m, MMIO + 0x0e, 2, 0x5a09); /* ports 3ce, 3cf */
    assert_int_equal(gfx(9), 0x5a);
    assert_int_equal(machine_read(&t.m, MMIO + 0x200, 4), 0xffffffff);
}

/* ---- memory ---------------------------------------------------------------------------------- */

static void test_banks(void **state)
{
    testvga_cirrus_mode(&t, 8);
    testvga_gfx(&t, 0x0b, 0x00);
    testvga_gfx(&t, 0x09, 0x10); /* in units of 4 KiB */
    machine_write(&t.m, 0xa0000, 2, 0x1234);
    assert_int_equal(t.vram.base[0x10000], 0x34);
    machine_write(&t.m, 0xa8000, 1, 0x56);
    assert_int_equal(t.vram.base[0x18000], 0x56);
    testvga_gfx(&t, 0x0b, 0x21); /* two banks, 16 KiB */
    testvga_gfx(&t, 0x0a, 0xff);
    machine_write(&t.m, 0xa0001, 1, 0x78);
    assert_int_equal(t.vram.base[0x40001], 0x78);
    machine_write(&t.m, 0xabfff, 1, 0x9a);
    assert_int_equal(t.vram.base[0x3fffff], 0x9a);
    assert_int_equal(machine_read(&t.m, 0xabfff, 1), 0x9a);
    machine_write(&t.m, 0xac000, 1, 0x11); /* beyond the end */
    assert_int_equal(machine_read(&t.m, 0xac000, 1), 0xff);
    assert_int_equal(machine_read(&t.m, 0xb0000, 1), 0xff);
    assert_int_equal(t.written_high, 4 << 20);
}

static void test_blitter_registers_in_the_window(void **state)
{
    testvga_cirrus_mode(&t, 8);
    testvga_seq(&t, 0x17, 0x04);
    machine_write(&t.m, 0xb8008, 2, 0x123);
    assert_int_equal(gfx(0x21), 1);
    assert_int_equal(machine_read(&t.m, 0xb8008, 1), 0x23);
    testvga_seq(&t, 0x17, 0x00);
    machine_write(&t.m, 0xb8008, 2, 0);
    assert_int_equal(gfx(0x21), 1);
}

static void test_write_modes_4_and_5(void **state)
{
    testvga_cirrus_mode(&t, 8);
    memset(t.vram.base, 0, 64);
    testvga_gfx(&t, 0x0b, 0x04);
    testvga_seq(&t, 2, 0xff);
    testvga_gfx(&t, 0, 0xb1);
    testvga_gfx(&t, 1, 0xf1);
    testvga_gfx(&t, 5, 0x44);
    machine_write(&t.m, 0xa0000, 1, 0xa3);
    assert_memory_equal(t.vram.base, "\xf1\0\xf1\0\0\0\xf1\xf1", 8);
    testvga_gfx(&t, 5, 0x45);
    machine_write(&t.m, 0xa0008, 1, 0xa3);
    assert_memory_equal(t.vram.base + 8, "\xf1\xb1\xf1\xb1\xb1\xb1\xf1\xf1", 8);
    testvga_seq(&t, 2, 0x81); /* the first and the last pixel */
    machine_write(&t.m, 0xa0010, 1, 0x80);
    assert_memory_equal(t.vram.base + 16, "\xf1\0\0\0\0\0\0\xb1", 8);
}

static void test_write_mode_5_with_16_bits(void **state)
{
    testvga_cirrus_mode(&t, 16);
    testvga_gfx(&t, 0x0b, 0x16); /* addresses count 16 bytes */
    testvga_gfx(&t, 0, 0x11);
    testvga_gfx(&t, 0x10, 0x22);
    testvga_gfx(&t, 1, 0x33);
    testvga_gfx(&t, 0x11, 0x44);
    testvga_gfx(&t, 5, 0x45);
    machine_write(&t.m, FB + 2, 1, 0xc1); /* trapped now */
    assert_memory_equal(t.vram.base + 32,
                        "\x33\x44\x33\x44\x11\x22\x11\x22\x11\x22\x11\x22\x11\x22\x33\x44", 16);
    assert_int_equal(t.at, TESTVGA_PARKING);
}

static void test_copy_of_eight_bytes(void **state)
{
    testvga_cirrus_mode(&t, 8);
    memcpy(t.vram.base, "abcdefgh", 8);
    testvga_gfx(&t, 0x0b, 0x0a); /* by 8, with latches */
    testvga_gfx(&t, 5, 0x41);
    machine_read(&t.m, FB, 1);
    machine_write(&t.m, FB + 3, 1, 0);
    assert_memory_equal(t.vram.base + 24, "abcdefgh", 8);
}

/* ---- the frame buffer's place ---------------------------------------------------------------- */

static void start_feeding(unsigned width, unsigned height)
{
    machine_write(&t.m, BLT + 0x08, 4, (width - 1) | (height - 1) << 16);
    machine_write(&t.m, BLT + 0x0c, 4, 640);
    machine_write(&t.m, BLT + 0x10, 4, 0x1000);
    machine_write(&t.m, BLT + 0x18, 4, 0x000d0004);
    machine_write(&t.m, BLT + 0x40, 1, 0x02);
}

static void test_frames_are_direct_and_move_for_what_is_not_memory(void **state)
{
    assert_int_equal(t.at, FB);
    testvga_seq(&t, 0x17, 0x44); /* registers at the end of the frame buffer */
    assert_int_equal(t.at, TESTVGA_PARKING);
    machine_write(&t.m, FB + (4 << 20) - 256 + 8, 2, 0x0321);
    assert_int_equal(gfx(0x20), 0x21);
    machine_write(&t.m, FB + 0x1234, 4, 0xcafebabe);
    assert_int_equal(machine_read(&t.m, FB + 0x1234, 4), 0xcafebabe);
    assert_int_equal(t.vram.base[0x1235], 0xba);
    testvga_seq(&t, 0x17, 0x00);
    assert_int_equal(t.at, FB);
    testvga_config_write(&t, 0x04, 0);
    assert_int_equal(t.at, TESTVGA_PARKING);
}

static void test_data_through_the_frame_buffer(void **state)
{
    testvga_cirrus_mode(&t, 8);
    start_feeding(6, 2);
    assert_int_equal(t.at, TESTVGA_PARKING);
    assert_int_equal(machine_read(&t.m, BLT + 0x40, 1) & 1, 1);
    machine_write(&t.m, FB + 0x300000, 8, 0x0000666564636261); /* anywhere: 6 bytes and filling */
    machine_write(&t.m, FB, 4, 0x34333231);
    machine_write(&t.m, FB, 4, 0x00003635);
    assert_int_equal(machine_read(&t.m, BLT + 0x40, 1) & 0x0b, 0);
    assert_memory_equal(t.vram.base + 0x1000, "abcdef", 6);
    assert_memory_equal(t.vram.base + 0x1000 + 640, "123456", 6);
    /* The frames stay for a while, and accesses mean memory again. */
    assert_int_equal(t.at, TESTVGA_PARKING);
    machine_write(&t.m, FB + 5, 1, 0x42);
    assert_int_equal(t.vram.base[5], 0x42);
    machine_advance(&t.m, 60000000);
    assert_int_equal(t.at, FB);
}

static void test_many_plain_accesses_bring_the_frames_back(void **state)
{
    testvga_cirrus_mode(&t, 8);
    start_feeding(4, 1);
    machine_write(&t.m, FB + (16 << 20), 4, 0x04030201); /* the aperture */
    assert_int_equal(t.vram.base[0x1002], 3);
    for (unsigned i = 0; i < 100; i++)
        machine_read(&t.m, FB + i, 1);
    machine_advance(&t.m, 0);
    machine_settle(&t.m);
    assert_int_equal(t.at, FB);
}

static void test_blits_in_a_row_move_nothing(void **state)
{
    testvga_cirrus_mode(&t, 8);
    start_feeding(4, 1);
    machine_write(&t.m, FB, 4, 0);
    unsigned moves = t.moves;
    for (unsigned i = 0; i < 20; i++) {
        machine_advance(&t.m, 20000000);
        start_feeding(4, 1);
        machine_write(&t.m, 0xa0000, 4, 0x01010101 * i); /* the window takes data too */
        assert_int_equal(t.vram.base[0x1000], i);
    }
    assert_int_equal(t.moves, moves);
}

static void test_bar_moves_while_trapped(void **state)
{
    testvga_cirrus_mode(&t, 8);
    start_feeding(4, 1);
    testvga_config_write(&t, 0x10, 0xe0000000);
    machine_write(&t.m, FB, 4, 0x99); /* nobody there any more */
    assert_int_equal(cirrus_state()->feeding, true);
    machine_write(&t.m, 0xe0000000 + (16 << 20), 4, 0x01020304);
    assert_int_equal(cirrus_state()->feeding, false);
    machine_advance(&t.m, 60000000);
    assert_int_equal(t.at, 0xe0000000);
}

/* ---- blits through registers ----------------------------------------------------------------- */

static void test_autostart_and_fill(void **state)
{
    testvga_cirrus_mode(&t, 8);
    machine_write(&t.m, BLT + 0x40, 1, 0x80);
    machine_write(&t.m, BLT + 0x04, 4, 0x5c);
    machine_write(&t.m, BLT + 0x08, 4, 9 | 3 << 16);
    machine_write(&t.m, BLT + 0x0c, 2, 640);
    machine_write(&t.m, BLT + 0x18, 4, 0x040d00c0);
    machine_write(&t.m, BLT + 0x10, 4, 0x2000); /* the third byte starts it */
    for (unsigned y = 0; y < 4; y++) {
        for (unsigned x = 0; x < 10; x++)
            assert_int_equal(t.vram.base[0x2000 + y * 640 + x], 0x5c);
        assert_int_equal(t.vram.base[0x2000 + y * 640 + 10], 0xff);
    }
    assert_int_equal(machine_read(&t.m, BLT + 0x40, 1), 0x80);
}

/* More than a slice: the rest comes in later turns, survives a save, and is what was asked for. */
static void test_large_blit_in_slices(void **state)
{
    testvga_cirrus_mode(&t, 8);
    machine_write(&t.m, BLT + 0x04, 4, 0x31);
    machine_write(&t.m, BLT + 0x08, 4, 8191 | 399 << 16);
    machine_write(&t.m, BLT + 0x0c, 2, 0x1fff);
    machine_write(&t.m, BLT + 0x10, 4, 0);
    machine_write(&t.m, BLT + 0x18, 4, 0x040d00c0);
    machine_write(&t.m, BLT + 0x40, 1, 0x02);
    assert_int_equal(machine_read(&t.m, BLT + 0x40, 1) & 1, 1);
    assert_int_equal(t.vram.base[127 * 0x1fff], 0x31);
    assert_int_equal(t.vram.base[300 * 0x1fff], 0xff);
    machine_write(&t.m, BLT + 0x04, 4, 0x32); /* latched */
    machine_write(&t.m, BLT + 0x40, 1, 0x00);
    machine_write(&t.m, BLT + 0x40, 1, 0x02); /* lost */
    assert_null(machine_save_load(&t.m));
    for (unsigned i = 0; i < 4; i++)
        machine_advance(&t.m, 1);
    assert_int_equal(machine_read(&t.m, BLT + 0x40, 1) & 3, 0);
    assert_int_equal(t.vram.base[399 * 0x1fff + 8191], 0x31);
    assert_int_equal(t.vram.base[399 * 0x1fff + 8192], 0xff);
}

static void test_reset_bit_ends_a_blit(void **state)
{
    testvga_cirrus_mode(&t, 8);
    start_feeding(4, 2);
    machine_write(&t.m, BLT + 0x40, 1, 0x04);
    assert_int_equal(cirrus_state()->feeding, false);
    machine_write(&t.m, BLT + 0x40, 1, 0x00);
    assert_int_equal(machine_read(&t.m, BLT + 0x40, 1), 0);
}

/* ---- life ------------------------------------------------------------------------------------ */

static void test_reset_twice_gives_the_same_bytes(void **state)
{
    struct cirrus_state first;

    device_reset_all(t.m.env.devices);
    memcpy(&first, cirrus_state(), sizeof(first));
    testvga_cirrus_mode(&t, 16);
    testvga_seq(&t, 0x10, 0x55);
    start_feeding(100, 3);
    device_reset_all(t.m.env.devices);
    assert_memory_equal(&first, cirrus_state(), sizeof(first));
}

/* In the middle of a blit: the data that follows ends it as if nothing had been. */
static void test_save_and_load(void **state)
{
    testvga_cirrus_mode(&t, 16);
    testvga_seq(&t, 0x10 | 0xe0, 0x21);
    start_feeding(8, 2);
    machine_write(&t.m, FB + (16 << 20), 4, 0x64636261);
    machine_write(&t.m, FB + (16 << 20), 2, 0x6665);
    assert_null(machine_save_load(&t.m));
    assert_int_equal(cirrus_state()->cursor_x, 0x10f);
    assert_int_equal(t.at, TESTVGA_PARKING);
    machine_write(&t.m, FB, 2, 0x6867);
    machine_write(&t.m, FB, 8, 0x3837363534333231);
    assert_memory_equal(t.vram.base + 0x1000, "abcdefgh", 8);
    assert_memory_equal(t.vram.base + 0x1000 + 640, "12345678", 8);
    assert_int_equal(cirrus_state()->feeding, false);
}

static void test_hostile_saved_state_is_refused(void **state)
{
    static struct cirrus_state s;

    testvga_cirrus_mode(&t, 8);
    start_feeding(8, 2);
    memcpy(&s, cirrus_state(), sizeof(s));
    assert_null(state_check(&cirrus_state_desc, &s));
    s.blt_width = 0;
    assert_string_equal(state_check(&cirrus_state_desc, &s), "blt_mode");
    s.blt_width = 0xffff;
    assert_string_equal(state_check(&cirrus_state_desc, &s), "blt_width");
    s.blt_width = 8;
    s.blt_fill = 8;
    assert_string_equal(state_check(&cirrus_state_desc, &s), "blt_fill");
    s.blt_fill = 0;
    s.blt_piece = 2;
    assert_string_equal(state_check(&cirrus_state_desc, &s), "blt_piece");
    s.blt_piece = 0;
    s.blt_mode = 0;
    assert_string_equal(state_check(&cirrus_state_desc, &s), "blt_mode");
    s.blt_mode = 4;
    s.gr[0x21] = 0xff;
    assert_string_equal(state_check(&cirrus_state_desc, &s), "gr");
}

static void test_without_video_memory(void **state)
{
    uint8_t *base = t.vram.base;

    testvga_cirrus_mode(&t, 8);
    t.vram.base = NULL;
    machine_write(&t.m, 0xa0000, 4, 0);
    assert_int_equal(machine_read(&t.m, 0xa0000, 4), 0xffffffff);
    machine_write(&t.m, BLT + 0x40, 1, 2);
    assert_int_equal(machine_read(&t.m, BLT + 0x40, 1), 0);
    testvga_seq(&t, 0x12, 5);
    testvga_update(&t);
    t.vram.base = base;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_state_table_is_sound),
        TEST(test_pci_identity),
        TEST(test_identification),
        TEST(test_no_dispi_and_rom),
        TEST(test_t_cir_4_memory_starts_as_ones),
        TEST(test_small_memory),
        TEST(test_create_refuses_bad_configurations),
        TEST(test_extended_registers_keep_their_bits),
        TEST(test_attribute_readback),
        TEST(test_t_cir_1_hidden_dac),
        TEST(test_cursor_colours_are_apart_from_the_palette),
        TEST(test_blitter_registers_in_memory),
        TEST(test_banks),
        TEST(test_blitter_registers_in_the_window),
        TEST(test_write_modes_4_and_5),
        TEST(test_write_mode_5_with_16_bits),
        TEST(test_copy_of_eight_bytes),
        TEST(test_frames_are_direct_and_move_for_what_is_not_memory),
        TEST(test_data_through_the_frame_buffer),
        TEST(test_many_plain_accesses_bring_the_frames_back),
        TEST(test_blits_in_a_row_move_nothing),
        TEST(test_bar_moves_while_trapped),
        TEST(test_autostart_and_fill),
        TEST(test_large_blit_in_slices),
        TEST(test_reset_bit_ends_a_blit),
        TEST(test_reset_twice_gives_the_same_bytes),
        TEST(test_save_and_load),
        TEST(test_hostile_saved_state_is_refused),
        TEST(test_without_video_memory),
    };

    return cmocka_run_group_tests_name("cirrus", tests, NULL, NULL);
}
