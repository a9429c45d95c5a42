/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The Bochs VBE registers: limits, order of writes, banks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "tests/hw/vga/testvga.h"

static struct testvga t;

static int setup(void **state)
{
    testvga_init(&t, 16 << 20);
    machine_out(&t.m, 0x3c2, 1, 0x63);
    testvga_gfx(&t, 8, 0xff);
    return 0;
}

static int setup_1m(void **state)
{
    testvga_init(&t, 1 << 20);
    machine_out(&t.m, 0x3c2, 1, 0x63);
    testvga_gfx(&t, 8, 0xff);
    return 0;
}

static int teardown(void **state)
{
    testvga_fini(&t);
    return 0;
}

/* T-VGA-1 */
static void test_id_from_b0c0_to_b0c5(void **state)
{
    assert_int_equal(testvga_dispi_read(&t, 0), 0xb0c5);
    for (uint16_t id = 0xb0c0; id <= 0xb0c5; id++) {
        testvga_dispi(&t, 0, id);
        assert_int_equal(testvga_dispi_read(&t, 0), id);
    }
    testvga_dispi(&t, 0, 0xb0c6);
    assert_int_equal(testvga_dispi_read(&t, 0), 0xb0c5);
    testvga_dispi(&t, 0, 0xb0bf);
    assert_int_equal(testvga_dispi_read(&t, 0), 0xb0c5);
}

static void test_capabilities(void **state)
{
    testvga_dispi(&t, 1, 640);
    testvga_dispi(&t, 4, 0x02);
    assert_int_equal(testvga_dispi_read(&t, 1), 16000);
    assert_int_equal(testvga_dispi_read(&t, 2), 12000);
    assert_int_equal(testvga_dispi_read(&t, 3), 32);
    testvga_dispi(&t, 4, 0x00);
    assert_int_equal(testvga_dispi_read(&t, 1), 640);
    assert_int_equal(testvga_dispi_read(&t, 10), 256);
    testvga_dispi(&t, 10, 1); /* read-only */
    assert_int_equal(testvga_dispi_read(&t, 10), 256);
    assert_int_equal(testvga_dispi_read(&t, 11), 0);
    assert_int_equal(testvga_dispi_read(&t, 0xffff), 0);
}

static void test_data_port_and_its_alias(void **state)
{
    machine_out(&t.m, 0x1ce, 2, 1);
    machine_out(&t.m, 0x1d0, 2, 800);
    assert_int_equal(machine_in(&t.m, 0x1cf, 2), 800);
    assert_int_equal(machine_in(&t.m, 0x1d0, 2), 800);
    machine_out(&t.m, 0x1ce, 1, 2); /* the index as a byte */
    machine_out(&t.m, 0x1cf, 2, 600);
    assert_int_equal(testvga_dispi_read(&t, 2), 600);
    assert_int_equal(machine_in(&t.m, 0x1ce, 2), 2);
    machine_out(&t.m, 0x1ce, 4, 768u << 16 | 2); /* index, then data */
    assert_int_equal(machine_in(&t.m, 0x1d0, 1), 768 & 0xff);
    assert_int_equal(machine_in(&t.m, 0x1d1, 1), 768 >> 8);
    machine_out(&t.m, 0x1d0, 1, 0x58);
    machine_out(&t.m, 0x1d1, 1, 0x02);
    assert_int_equal(machine_in(&t.m, 0x1cf, 2), 0x258);
}

static void test_values_stay_as_written_until_enabled(void **state)
{
    static const uint16_t order[] = {6, 3, 8, 2, 9, 1};
    static const uint16_t values[] = {2000, 32, 9, 601, 7, 805};

    for (unsigned i = 0; i < 6; i++)
        testvga_dispi(&t, order[i], values[i]);
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(testvga_dispi_read(&t, order[i]), values[i]);
    testvga_dispi(&t, 4, 0x41);
    assert_int_equal(testvga_dispi_read(&t, 1), 800); /* a multiple of eight */
    assert_int_equal(testvga_dispi_read(&t, 2), 601);
    assert_int_equal(testvga_dispi_read(&t, 6), 800); /* begins as wide as the screen */
    assert_int_equal(testvga_dispi_read(&t, 7), (16 << 20) / 3200);
    assert_int_equal(testvga_dispi_read(&t, 8), 0);
    assert_int_equal(testvga_dispi_read(&t, 9), 0);
}

static void test_depths(void **state)
{
    static const uint16_t valid[] = {4, 8, 15, 16, 24, 32};
    static const uint16_t invalid[] = {0, 1, 2, 12, 17, 33, 0xffff};

    for (unsigned i = 0; i < 6; i++) {
        testvga_vbe_mode(&t, 640, 480, valid[i]);
        assert_int_equal(testvga_dispi_read(&t, 3), valid[i]);
    }
    for (unsigned i = 0; i < 7; i++) {
        testvga_vbe_mode(&t, 640, 480, invalid[i]);
        assert_int_equal(testvga_dispi_read(&t, 3), 8);
    }
}

static void test_virtual_width_and_offsets(void **state)
{
    testvga_vbe_mode(&t, 1024, 768, 32);
    testvga_dispi(&t, 6, 2048);
    assert_int_equal(testvga_dispi_read(&t, 6), 2048);
    assert_int_equal(testvga_dispi_read(&t, 7), 2048);
    testvga_dispi(&t, 6, 1000); /* less than the screen */
    assert_int_equal(testvga_dispi_read(&t, 6), 1024);
    testvga_dispi(&t, 6, 0xffff); /* would leave less than 768 lines */
    assert_int_equal(testvga_dispi_read(&t, 6), 1024);
    testvga_dispi(&t, 9, 4096 - 768);
    assert_int_equal(testvga_dispi_read(&t, 9), 4096 - 768);
    testvga_dispi(&t, 9, 4096 - 767);
    assert_int_equal(testvga_dispi_read(&t, 9), 4096 - 768);
    testvga_dispi(&t, 8, 1); /* one pixel beyond the end */
    assert_int_equal(testvga_dispi_read(&t, 8), 0);
    testvga_dispi(&t, 9, 768);
    testvga_dispi(&t, 8, 1024); /* wraps into the next line, in memory */
    assert_int_equal(testvga_dispi_read(&t, 8), 1024);
    testvga_dispi(&t, 7, 5);
    assert_int_equal(testvga_dispi_read(&t, 7), 4096); /* read-only */
}

static void test_small_memory_limits_the_height(void **state)
{
    testvga_vbe_mode(&t, 1024, 768, 32);
    assert_int_equal(testvga_dispi_read(&t, 1), 1024);
    assert_int_equal(testvga_dispi_read(&t, 2), 256);
    testvga_update(&t);
    assert_int_equal(t.screen.height, 256);
    testvga_vbe_mode(&t, 0xffff, 0xffff, 32);
    assert_int_equal(testvga_dispi_read(&t, 1), 16000);
    assert_int_equal(testvga_dispi_read(&t, 2), (1 << 20) / 64000);
    testvga_vbe_mode(&t, 0, 0, 8);
    assert_int_equal(testvga_dispi_read(&t, 1), 8);
    assert_int_equal(testvga_dispi_read(&t, 2), 1);
    testvga_update(&t);
    assert_int_equal(t.screen.width, 8);
    assert_int_equal(t.screen.height, 1);
}

static void test_memory_is_cleared_unless_asked_not_to(void **state)
{
    memset(t.vram.base, 0x55, 1 << 20);
    testvga_vbe_mode(&t, 320, 200, 8);
    for (unsigned i = 0; i < 64000; i++)
        assert_int_equal(t.vram.base[i], 0);
    assert_int_equal(t.vram.base[64000], 0x55);
    assert_int_equal(t.written_low, 0);
    assert_int_equal(t.written_high, 64000);
    testvga_dispi(&t, 4, 0);
    memset(t.vram.base, 0x55, 1 << 20);
    testvga_dispi(&t, 4, 0xc1);
    assert_int_equal(t.vram.base[0], 0x55);
    testvga_dispi(&t, 4, 0x41); /* enabled already */
    assert_int_equal(t.vram.base[0], 0x55);
}

static void test_banks(void **state)
{
    testvga_vbe_mode(&t, 1024, 768, 32);
    testvga_dispi(&t, 5, 3);
    machine_write(&t.m, 0xa0010, 4, 0x44332211);
    assert_memory_equal(t.vram.base + 0x30010, "\x11\x22\x33\x44", 4);
    assert_int_equal(machine_read(&t.m, 0xa0010, 4), 0x44332211);
    testvga_dispi(&t, 5, 255);
    machine_write(&t.m, 0xaffff, 1, 0x99);
    assert_int_equal(t.vram.base[(16 << 20) - 1], 0x99);
    assert_int_equal(testvga_dispi_read(&t, 5), 255);
}

/* T-VGA-11 */
static void test_bank_is_zero_after_disable(void **state)
{
    testvga_vbe_mode(&t, 1024, 768, 32);
    testvga_dispi(&t, 5, 3);
    testvga_set_mode(&t, &testvga_mode_13);
    assert_int_equal(testvga_dispi_read(&t, 5), 0);
    machine_write(&t.m, 0xa0000, 1, 0x77);
    assert_int_equal(t.vram.base[0], 0x77);
}

static void test_4_bpp_is_planar(void **state)
{
    testvga_set_mode(&t, &testvga_mode_12);
    testvga_vbe_mode(&t, 800, 600, 4);
    machine_write(&t.m, 0xa0000 + 100 * 7, 1, 0x80); /* all planes: colour 15 */
    testvga_dac(&t, 15, 63, 63, 63);
    testvga_update(&t);
    assert_int_equal(t.screen.width, 800);
    assert_int_equal(testvga_pixel(&t, 0, 7), 0xffffff);
    assert_int_equal(testvga_pixel(&t, 1, 7), 0);
}

/* What SeaBIOS and others look at after the mode is set. */
static void test_vga_registers_fit_the_mode(void **state)
{
    machine_out(&t.m, 0x3c2, 1, 0x67);
    testvga_crtc(&t, 0x18, 100);
    testvga_vbe_mode(&t, 1024, 768, 8);
    machine_out(&t.m, 0x3d4, 1, 0x01);
    assert_int_equal(machine_in(&t.m, 0x3d5, 1), 127);
    machine_out(&t.m, 0x3d4, 1, 0x12);
    assert_int_equal(machine_in(&t.m, 0x3d5, 1), 767 & 0xff);
    machine_out(&t.m, 0x3d4, 1, 0x13);
    assert_int_equal(machine_in(&t.m, 0x3d5, 1), 128);
    machine_out(&t.m, 0x3d4, 1, 0x18);
    assert_int_equal(machine_in(&t.m, 0x3d5, 1), 0xff);
    machine_out(&t.m, 0x3d4, 1, 0x07);
    assert_int_equal(machine_in(&t.m, 0x3d5, 1) & 0x52,
                     0x10 | 0x02 * (767 >> 8 & 1) | 0x40 * (767 >> 9 & 1));
    machine_out(&t.m, 0x3c4, 1, 4);
    assert_int_equal(machine_in(&t.m, 0x3c5, 1) & 8, 8);
    machine_out(&t.m, 0x3ce, 1, 6);
    assert_int_equal(machine_in(&t.m, 0x3cf, 1) & 0x0d, 0x05);
}

#define TEST(f)    cmocka_unit_test_setup_teardown(f, setup, teardown)
#define TEST_1M(f) cmocka_unit_test_setup_teardown(f, setup_1m, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_id_from_b0c0_to_b0c5),
        TEST(test_capabilities),
        TEST(test_data_port_and_its_alias),
        TEST(test_values_stay_as_written_until_enabled),
        TEST(test_depths),
        TEST(test_virtual_width_and_offsets),
        TEST_1M(test_small_memory_limits_the_height),
        TEST(test_memory_is_cleared_unless_asked_not_to),
        TEST(test_banks),
        TEST(test_bank_is_zero_after_disable),
        TEST(test_4_bpp_is_planar),
        TEST(test_vga_registers_fit_the_mode),
    };

    return cmocka_run_group_tests_name("vbe", tests, NULL, NULL);
}
