/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The register files, and the adapter as a PCI function. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "hw/vga/vga_core.h"
#include "tests/hw/vga/testvga.h"

static struct testvga t;

static int setup(void **state)
{
    testvga_init(&t, 16 << 20);
    return 0;
}

static int teardown(void **state)
{
    testvga_fini(&t);
    return 0;
}

static uint8_t in(uint16_t port)
{
    return (uint8_t)machine_in(&t.m, port, 1);
}

static void out(uint16_t port, uint8_t value)
{
    machine_out(&t.m, port, 1, value);
}

static void test_state_table_is_sound(void **state)
{
    assert_null(state_desc_flaw(&vga_state_desc));
}

static void check_file(uint16_t index_port, uint16_t data_port, const uint8_t *mask, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        for (unsigned v = 0; v < 256; v += 51) {
            out(index_port, (uint8_t)i);
            out(data_port, (uint8_t)v);
            assert_int_equal(in(data_port), v & mask[i]);
        }
    }
}

static void test_sequencer_masks(void **state)
{
    static const uint8_t mask[8] = {0x03, 0x3d, 0x0f, 0x3f, 0x0e, 0x00, 0x00, 0xff};

    check_file(0x3c4, 0x3c5, mask, 8);
    for (unsigned i = 8; i < 256; i++) { /* the index has three bits */
        out(0x3c4, (uint8_t)i);
        assert_int_equal(in(0x3c4), i & 7);
    }
}

static void test_graphics_masks(void **state)
{
    static const uint8_t mask[16] = {0x0f, 0x0f, 0x0f, 0x1f, 0x03, 0x7b, 0x0f, 0x0f, 0xff};

    check_file(0x3ce, 0x3cf, mask, 16);
}

static void test_crtc_registers_beyond_18_are_zero(void **state)
{
    uint8_t mask[256] = {0};

    out(0x3c2, 0x01);
    memset(mask, 0xff, 0x19);
    testvga_crtc(&t, 0x11, 0);
    check_file(0x3d4, 0x3d5, mask, 0x11); /* register 11 protects others */
    for (unsigned i = 0x12; i < 256; i++) {
        out(0x3d4, (uint8_t)i);
        out(0x3d5, 0xa5);
        assert_int_equal(in(0x3d4), i);
        assert_int_equal(in(0x3d5), 0xa5 & mask[i]);
    }
}

static void test_crtc_write_protection(void **state)
{
    out(0x3c2, 0x01);
    testvga_crtc(&t, 0x11, 0);
    for (uint8_t i = 0; i < 9; i++)
        testvga_crtc(&t, i, 0x0f);
    testvga_crtc(&t, 0x11, 0x80);
    for (uint8_t i = 0; i < 9; i++)
        testvga_crtc(&t, i, 0xf0);
    for (uint8_t i = 0; i < 9; i++) {
        out(0x3d4, i);
        /* Bit 4 of the overflow register (line compare 8) can always be written. */
        assert_int_equal(in(0x3d5), i == 8 ? 0xf0 : i == 7 ? 0x1f : 0x0f);
    }
}

static void test_attribute_masks_and_flip_flop(void **state)
{
    static const uint8_t mask[32] = {0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f,
                                     0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f,
                                     0x3f, 0x3f, 0xef, 0xff, 0x3f, 0x0f, 0x0f};

    in(0x3da);
    for (unsigned i = 0; i < 32; i++) {
        out(0x3c0, (uint8_t)i);
        out(0x3c0, 0xff);
        out(0x3c0, (uint8_t)i | 0x20);
        assert_int_equal(in(0x3c1), mask[i]);
        in(0x3da);
        assert_int_equal(in(0x3c0), i | 0x20);
    }
    /* A read of status brings the flip-flop back from "data". */
    out(0x3c0, 0x05);
    in(0x3da);
    out(0x3c0, 0x33);
    assert_int_equal(in(0x3c0), 0); /* data comes next */
    in(0x3da);
    assert_int_equal(in(0x3c0), 0x33);
}

/* T-VGA-6: the status register of the other kind of display resets the flip-flop as well. */
static void test_flip_flop_is_reset_whatever_misc_selects(void **state)
{
    out(0x3c2, 0x00); /* monochrome: 3bx */
    in(0x3ba);
    out(0x3c0, 0x05);
    assert_int_equal(in(0x3da), 0xff);
    out(0x3c0, 0x20); /* an index, as bochs-drm writes it */
    in(0x3ba);
    assert_int_equal(in(0x3c0), 0x20);
}

static void test_misc_selects_crtc_address(void **state)
{
    out(0x3c2, 0x01);
    assert_int_equal(in(0x3cc), 0x01);
    out(0x3d4, 0x0c);
    out(0x3d5, 0x12);
    out(0x3b4, 0x0d); /* not answered */
    assert_int_equal(in(0x3d4), 0x0c);
    assert_int_equal(in(0x3b4), 0xff);
    assert_int_equal(in(0x3b5), 0xff);
    assert_int_equal(in(0x3ba), 0xff);
    out(0x3c2, 0x00);
    assert_int_equal(in(0x3d4), 0xff);
    assert_int_equal(in(0x3d5), 0xff);
    assert_int_equal(in(0x3b5), 0x12);
}

static void test_word_access_is_index_then_data(void **state)
{
    machine_out(&t.m, 0x3c4, 2, 0x0f02);
    assert_int_equal(machine_in(&t.m, 0x3c4, 2), 0x0f02);
    machine_out(&t.m, 0x3ce, 2, 0x5a08);
    assert_int_equal(machine_in(&t.m, 0x3ce, 2), 0x5a08);
}

static void test_dac(void **state)
{
    out(0x3c6, 0x55);
    assert_int_equal(in(0x3c6), 0x55);
    out(0x3c8, 10);
    assert_int_equal(in(0x3c8), 10);
    assert_int_equal(in(0x3c7), 0);
    for (unsigned i = 0; i < 6; i++)
        out(0x3c9, (uint8_t)(0xc0 + i)); /* six bits are kept */
    assert_int_equal(in(0x3c8), 12);
    out(0x3c7, 10);
    assert_int_equal(in(0x3c7), 3);
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(in(0x3c9), i);
    /* An entry that is not complete has no effect. */
    out(0x3c8, 255);
    out(0x3c9, 1);
    out(0x3c9, 2);
    out(0x3c7, 255);
    assert_int_equal(in(0x3c9), 0);
    /* After 255 comes 0. */
    out(0x3c8, 255);
    for (unsigned i = 0; i < 6; i++)
        out(0x3c9, (uint8_t)(i + 1));
    out(0x3c7, 0);
    assert_int_equal(in(0x3c9), 4);
    /* Eight bits with the dispi switch. */
    testvga_dispi(&t, VBE_ENABLE, VBE_8BIT_DAC);
    out(0x3c8, 3);
    for (unsigned i = 0; i < 3; i++)
        out(0x3c9, (uint8_t)(0xf1 + i));
    out(0x3c7, 3);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(in(0x3c9), 0xf1 + i);
}

static void test_feature_and_unused_ports(void **state)
{
    out(0x3c2, 0x01);
    out(0x3da, 0x10);
    assert_int_equal(in(0x3ca), 0x10);
    assert_int_equal(in(0x3c2), 0);
    assert_int_equal(in(0x3cd), 0);
    out(0x3c3, 1);
    assert_int_equal(in(0x3c3), 1);
}

/* Both edges of both bits come, at the rate of the mode. */
static void test_status_1_follows_the_beam(void **state)
{
    unsigned rises = 0, blank_rises = 0;
    uint8_t last = 0xff;

    testvga_set_mode(&t, &testvga_mode_03);
    for (unsigned i = 0; i < 333333; i++) { /* one second in steps of 3 us */
        uint8_t now = in(0x3da);
        assert_int_equal(now & ~0x09, 0);
        assert_true(!(now & 0x08) || (now & 0x01)); /* retrace is within blanking */
        rises += !(last & 8) && (now & 8);
        blank_rises += !(last & 1) && (now & 1);
        last = now;
        t.m.now += 3000;
    }
    assert_in_range(rises, 69, 71);
    assert_in_range(blank_rises, 400 * 60, 449 * 71);
}

static void test_status_1_with_any_timing(void **state)
{
    srand(1);
    out(0x3c2, 0x01);
    for (unsigned i = 0; i < 2000; i++) {
        unsigned seen = 0;
        testvga_crtc(&t, (uint8_t)(rand() % 0x19), (uint8_t)rand());
        testvga_seq(&t, 1, (uint8_t)rand());
        for (unsigned n = 0; n < 40; n++) { /* 40 ms */
            seen |= 1u << (in(0x3da) & 8);
            t.m.now += 250000;
        }
        for (unsigned n = 0; n < 200 && seen != 0x101; n++) {
            seen |= 1u << (in(0x3da) & 8);
            t.m.now += 250000;
        }
        assert_int_equal(seen, 0x101);
    }
}

/* ---- PCI ------------------------------------------------------------------------------------- */

static void test_pci_identity(void **state)
{
    assert_int_equal(testvga_config_read(&t, 0x00), 0x11111234);
    assert_int_equal(testvga_config_read(&t, 0x08), 0x03000002);
    assert_int_equal(testvga_config_read(&t, 0x2c), 0x11001af4);
    assert_int_equal(testvga_config_read(&t, 0x3c) & 0xff00, 0);
    testvga_config_write(&t, 0x10, 0xffffffff);
    assert_int_equal(testvga_config_read(&t, 0x10), 0xff000008); /* 16 MiB, prefetchable */
    testvga_config_write(&t, 0x14, 0xffffffff);
    assert_int_equal(testvga_config_read(&t, 0x14), 0);
    testvga_config_write(&t, 0x18, 0xffffffff);
    assert_int_equal(testvga_config_read(&t, 0x18), 0xfffff000);
    testvga_config_write(&t, 0x30, 0xfffffffe);
    assert_int_equal(testvga_config_read(&t, 0x30), 0xffff0000); /* 64 KiB */
}

static void test_vram_follows_the_bar(void **state)
{
    assert_int_equal(vga_vram_address(t.vga), TESTVGA_PARKING);
    testvga_config_write(&t, 0x10, 0xf0000000);
    assert_int_equal(t.moves, 0);
    testvga_config_write(&t, 0x04, 0x02);
    assert_int_equal(t.at, 0xf0000000);
    testvga_config_write(&t, 0x10, 0xf1000000);
    assert_int_equal(t.at, 0xf1000000);
    testvga_config_write(&t, 0x04, 0x00);
    assert_int_equal(t.at, TESTVGA_PARKING);
    assert_int_equal(vga_vram_address(t.vga), TESTVGA_PARKING);
    assert_int_equal(t.moves, 3);
}

static void test_vram_that_cannot_move_stays(void **state)
{
    testvga_config_write(&t, 0x10, 0xf0000000);
    t.move_error = -12;
    testvga_config_write(&t, 0x04, 0x02);
    assert_int_equal(vga_vram_address(t.vga), TESTVGA_PARKING);
    t.move_error = 0;
    testvga_config_write(&t, 0x10, 0xf1000000);
    assert_int_equal(vga_vram_address(t.vga), 0xf1000000);
}

static void map_bars(void)
{
    testvga_config_write(&t, 0x10, 0xf0000000);
    testvga_config_write(&t, 0x18, 0xf3010000);
    testvga_config_write(&t, 0x30, 0xf3000001);
    testvga_config_write(&t, 0x04, 0x02);
}

static void test_rom_bar(void **state)
{
    uint8_t buf[8192];

    map_bars();
    for (unsigned i = 0; i < sizeof(t.rom); i += 97)
        assert_int_equal(machine_read(&t.m, 0xf3000000 + i, 1), t.rom[i]);
    io_read_string(t.m.env.io, IO_MEMORY, 0xf3000000, 4, 1, buf, sizeof(buf) / 4);
    assert_memory_equal(buf, t.rom, sizeof(buf));
    assert_int_equal(machine_read(&t.m, 0xf300ffff, 1), t.rom[0xffff]);
    machine_write(&t.m, 0xf3000000, 4, 0);
    assert_int_equal(machine_read(&t.m, 0xf3000000, 1), t.rom[0]);
}

static void test_mmio_edid(void **state)
{
    uint8_t sum = 0;

    map_bars();
    for (unsigned i = 0; i < 128; i++)
        sum = (uint8_t)(sum + machine_read(&t.m, 0xf3010000 + i, 1));
    assert_int_equal(sum, 0);
    assert_int_equal(machine_read(&t.m, 0xf3010000, 4), 0xffffff00);
    assert_int_equal(machine_read(&t.m, 0xf3010004, 4), 0x00ffffff);
    assert_int_equal(machine_read(&t.m, 0xf3010080, 4), 0);
    machine_write(&t.m, 0xf3010000, 4, 0x12345678); /* read-only */
    assert_int_equal(machine_read(&t.m, 0xf3010000, 4), 0xffffff00);
}

static void test_mmio_vga_ports(void **state)
{
    map_bars();
    machine_write(&t.m, 0xf3010402, 1, 0x01); /* 3c2 */
    assert_int_equal(in(0x3cc), 0x01);
    assert_int_equal(machine_read(&t.m, 0xf301040c, 1), 0x01);
    machine_write(&t.m, 0xf3010404, 2, 0x0502); /* 3c4, 3c5 */
    assert_int_equal(in(0x3c5), 0x05);
    assert_int_equal(machine_read(&t.m, 0xf3010404, 2), 0x0502);
    machine_read(&t.m, 0xf301041a, 1); /* 3da */
    machine_write(&t.m, 0xf3010400, 1, 0x20);
    assert_int_equal(in(0x3c0), 0); /* the flip-flop says data */
    in(0x3da);
    assert_int_equal(in(0x3c0), 0x20);
}

static void test_mmio_dispi_and_byte_order(void **state)
{
    map_bars();
    assert_int_equal(machine_read(&t.m, 0xf3010500, 2), 0xb0c5);
    machine_write(&t.m, 0xf3010502, 2, 1024);
    assert_int_equal(testvga_dispi_read(&t, 1), 1024);
    machine_write(&t.m, 0xf3010504, 4, 768 | 32 << 16);
    assert_int_equal(testvga_dispi_read(&t, 2), 768);
    assert_int_equal(testvga_dispi_read(&t, 3), 32);
    assert_int_equal(machine_read(&t.m, 0xf3010514, 2), 256);
    assert_int_equal(machine_read(&t.m, 0xf3010600, 4), 8);
    assert_int_equal(machine_read(&t.m, 0xf3010604, 4), 0x1e1e1e1e);
    machine_write(&t.m, 0xf3010604, 4, 0xbebebebe);
    assert_int_equal(machine_read(&t.m, 0xf3010604, 4), 0xbebebebe);
    machine_write(&t.m, 0xf3010604, 4, 0x12345678);
    assert_int_equal(machine_read(&t.m, 0xf3010604, 4), 0xbebebebe);
    machine_write(&t.m, 0xf3010604, 4, 0x1e1e1e1e);
    assert_int_equal(machine_read(&t.m, 0xf3010604, 4), 0x1e1e1e1e);
}

/* ---- life cycle ------------------------------------------------------------------------------ */

static void test_reset_twice_gives_the_same_bytes(void **state)
{
    FILE *first = tmpfile(), *second = tmpfile();
    char a[512], b[512];

    testvga_set_mode(&t, &testvga_mode_12);
    testvga_vbe_mode(&t, 640, 480, 32);
    device_reset_all(t.m.env.devices);
    arena_dump(t.m.env.arena, first);
    testvga_set_mode(&t, &testvga_mode_13);
    testvga_dac(&t, 5, 1, 2, 3);
    device_reset_all(t.m.env.devices);
    arena_dump(t.m.env.arena, second);
    rewind(first);
    rewind(second);
    while (fgets(a, sizeof(a), first)) {
        assert_non_null(fgets(b, sizeof(b), second));
        assert_string_equal(a, b);
    }
    assert_null(fgets(b, sizeof(b), second));
    fclose(first);
    fclose(second);
}

static void test_save_and_load(void **state)
{
    map_bars();
    testvga_set_mode(&t, &testvga_mode_03);
    testvga_dac(&t, 7, 0x2a, 0x15, 0x3f);
    t.vram.base[0] = 'x';
    t.vram.base[1] = 0x07;
    t.vram.base['x' * 128 + 2] = 0xaa;
    testvga_update(&t);
    struct surface before = {0};
    assert_int_equal(surface_copy(&before, &t.screen), 0);

    assert_null(machine_save_load(&t.m));
    assert_int_equal(t.attaches, 1);
    assert_int_equal(t.at, 0xf0000000);
    assert_int_equal(vga_vram_address(t.vga), 0xf0000000);
    testvga_update(&t);
    assert_int_equal(t.screen.width, before.width);
    assert_memory_equal(t.screen.pixels, before.pixels, before.width * before.height * 4);
    assert_int_equal(in(0x3cc), 0x67);
    assert_int_equal(machine_read(&t.m, 0xf3010500, 2), 0xb0c5);
    surface_fini(&before);
}

static void test_hostile_saved_state_is_refused(void **state)
{
    struct vga_state s = {0};

    assert_null(state_check(&vga_state_desc, &s));
    s.seq[1] = 0xff;
    assert_string_equal(state_check(&vga_state_desc, &s), "seq");
    s.seq[1] = 0;
    s.gfx[4] = 4;
    assert_string_equal(state_check(&vga_state_desc, &s), "gfx");
    s.gfx[4] = 0;
    s.attr[0x13] = 0x10;
    assert_string_equal(state_check(&vga_state_desc, &s), "attr");
    s.attr[0x13] = 0;
    s.dac_phase = 3;
    assert_string_equal(state_check(&vga_state_desc, &s), "dac_phase");
    s.dac_phase = 0;
    s.vram_gpa = 0xf0000001;
    assert_string_equal(state_check(&vga_state_desc, &s), "vram_gpa");
}

/* Restored without frames: the adapter lives, shows nothing, and touches nothing. */
static void test_without_video_memory(void **state)
{
    uint8_t *base = t.vram.base;

    t.vram.base = NULL;
    testvga_set_mode(&t, &testvga_mode_13);
    machine_write(&t.m, 0xa0000, 4, 0);
    assert_int_equal(machine_read(&t.m, 0xa0000, 4), 0xffffffff);
    testvga_update(&t);
    testvga_vbe_mode(&t, 800, 600, 32);
    testvga_update(&t);
    assert_int_equal(testvga_pixel(&t, 0, 0), 0xffffff);
    t.vram.base = base;
}

static void test_create_refuses_bad_configurations(void **state)
{
    struct vga_config good = {.devfn = PCI_DEVFN(5, 0), .vram = &t.vram};
    struct vga_config bad = good;
    struct vga *vga;

    bad.vram = NULL;
    assert_int_equal(vga_create(&vga, &t.m.env, &bad), -22);
    bad = good;
    bad.edid_width = 5000;
    assert_int_equal(vga_create(&vga, &t.m.env, &bad), -22);
    t.vram.size = 0x123000;
    assert_int_equal(vga_create(&vga, &t.m.env, &good), -22);
    t.vram.size = 512u << 20;
    assert_int_equal(vga_create(&vga, &t.m.env, &good), -22);
    t.vram.size = 16 << 20;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_state_table_is_sound),
        TEST(test_sequencer_masks),
        TEST(test_graphics_masks),
        TEST(test_crtc_registers_beyond_18_are_zero),
        TEST(test_crtc_write_protection),
        TEST(test_attribute_masks_and_flip_flop),
        TEST(test_flip_flop_is_reset_whatever_misc_selects),
        TEST(test_misc_selects_crtc_address),
        TEST(test_word_access_is_index_then_data),
        TEST(test_dac),
        TEST(test_feature_and_unused_ports),
        TEST(test_status_1_follows_the_beam),
        TEST(test_status_1_with_any_timing),
        TEST(test_pci_identity),
        TEST(test_vram_follows_the_bar),
        TEST(test_vram_that_cannot_move_stays),
        TEST(test_rom_bar),
        TEST(test_mmio_edid),
        TEST(test_mmio_vga_ports),
        TEST(test_mmio_dispi_and_byte_order),
        TEST(test_reset_twice_gives_the_same_bytes),
        TEST(test_save_and_load),
        TEST(test_hostile_saved_state_is_refused),
        TEST(test_without_video_memory),
        TEST(test_create_refuses_bad_configurations),
    };

    return cmocka_run_group_tests_name("vga registers", tests, NULL, NULL);
}
