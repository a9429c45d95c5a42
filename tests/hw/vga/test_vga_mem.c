/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The legacy window against a slow model of the same hardware: four planes as bytes of their own,
 * every plane and every bit worked out one by one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "tests/hw/vga/testvga.h"

#define PLANE 0x10000

struct model {
    uint8_t plane[4][PLANE];
    uint8_t latch[4];
    uint8_t seq[8], gfx[16];
};

static struct testvga t;
static struct model model;

static int setup(void **state)
{
    testvga_init(&t, 1 << 20);
    memset(&model, 0, sizeof(model));
    machine_out(&t.m, 0x3c2, 1, 0x63);
    return 0;
}

static int teardown(void **state)
{
    testvga_fini(&t);
    return 0;
}

static void set_seq(uint8_t index, uint8_t value)
{
    testvga_seq(&t, index, value);
    model.seq[index] = (uint8_t)machine_in(&t.m, 0x3c5, 1);
}

static void set_gfx(uint8_t index, uint8_t value)
{
    testvga_gfx(&t, index, value);
    model.gfx[index] = (uint8_t)machine_in(&t.m, 0x3cf, 1);
}

/* Address in the selected window, or -1. */
static long model_decode(uint32_t offset)
{
    switch (model.gfx[6] >> 2 & 3) {
    case 0:
        return offset;
    case 1:
        return offset < 0x10000 ? (long)offset : -1;
    case 2:
        return offset >= 0x10000 && offset < 0x18000 ? (long)offset - 0x10000 : -1;
    default:
        return offset >= 0x18000 ? (long)offset - 0x18000 : -1;
    }
}

static bool bit(unsigned value, unsigned n)
{
    return value >> n & 1;
}

static void model_write(uint32_t offset, uint8_t value)
{
    long a = model_decode(offset);
    unsigned enabled = model.seq[2];
    unsigned rotate = model.gfx[3] & 7, function = model.gfx[3] >> 3, mode = model.gfx[5] & 3;

    if (a < 0)
        return;
    if (bit(model.seq[4], 3)) { /* chain-4 */
        enabled &= 1u << (a % 4);
        a /= 4;
    } else if (!bit(model.seq[4], 2)) { /* odd/even */
        enabled &= a % 2 ? 10u : 5u;
        a /= 2;
    }
    a %= PLANE;
    for (unsigned p = 0; p < 4; p++) {
        uint8_t new = 0;
        if (!bit(enabled, p))
            continue;
        for (unsigned b = 0; b < 8; b++) {
            bool old = bit(model.latch[p], b), cpu = bit(value, (b + rotate) % 8), data = cpu;
            bool masked = bit(model.gfx[8], b);
            if (mode == 0 && bit(model.gfx[1], p))
                data = bit(model.gfx[0], p);
            if (mode == 2)
                data = bit(value, p);
            if (mode == 3) {
                data = bit(model.gfx[0], p);
                masked = masked && cpu;
            }
            if (function == 1)
                data = data && old;
            else if (function == 2)
                data = data || old;
            else if (function == 3)
                data = data != old;
            if (!masked || mode == 1)
                data = old;
            new |= (uint8_t)(data << b);
        }
        model.plane[p][a] = new;
    }
}

static uint8_t model_read(uint32_t offset)
{
    long a = model_decode(offset);
    unsigned plane = model.gfx[4];
    uint8_t value = 0;

    if (a < 0)
        return 0xff;
    if (bit(model.seq[4], 3)) {
        plane = a % 4;
        a /= 4;
    } else if (bit(model.gfx[5], 4)) {
        plane = (plane & 2) + a % 2;
        a /= 2;
    }
    a %= PLANE;
    for (unsigned p = 0; p < 4; p++)
        model.latch[p] = model.plane[p][a];
    if (!bit(model.gfx[5], 3))
        return model.latch[plane];
    for (unsigned b = 0; b < 8; b++) {
        bool same = true;
        for (unsigned p = 0; p < 4; p++) {
            if (bit(model.gfx[7], p) && bit(model.latch[p], b) != bit(model.gfx[2], p))
                same = false;
        }
        value |= (uint8_t)(same << b);
    }
    return value;
}

static void compare_planes(void)
{
    for (size_t i = 0; i < PLANE; i++) {
        for (unsigned p = 0; p < 4; p++) {
            if (t.vram.base[i * 4 + p] != model.plane[p][i])
                fail_msg("plane %u byte %zx: %02x, model %02x", p, i, t.vram.base[i * 4 + p],
                         model.plane[p][i]);
        }
    }
}

/* The registers stay, accesses vary: addresses close together, so that they meet. */
static void exercise(unsigned accesses)
{
    static const uint8_t sizes[4] = {1, 2, 4, 8};
    uint8_t buf[512], expected[512];

    for (unsigned n = 0; n < accesses; n++) {
        uint32_t window = (rand() & 3) * 0x8000u;
        uint32_t offset = (window + rand() % 300) & 0x1ffff;
        unsigned size = sizes[rand() & 3];
        unsigned length = rand() % 8 == 0 ? 1 + rand() % 64 : 1;

        for (unsigned i = 0; i < size * length; i++)
            buf[i] = (uint8_t)rand();
        if (rand() & 1) {
            io_write_string(t.m.env.io, IO_MEMORY, 0xa0000 + offset, size, 1, buf, length);
            for (unsigned i = 0; i < size * length; i++)
                model_write(offset + i, buf[i]);
        } else {
            io_read_string(t.m.env.io, IO_MEMORY, 0xa0000 + offset, size, 1, buf, length);
            for (unsigned i = 0; i < size * length; i++)
                expected[i] = model_read(offset + i);
            assert_memory_equal(buf, expected, size * length);
        }
    }
}

static void test_random_registers_against_the_model(void **state)
{
    srand(20160509);
    for (unsigned round = 0; round < 3000; round++) {
        unsigned pick = rand() % 4;
        if (rand() & 1) {
            static const uint8_t memory_modes[4] = {0x02, 0x06, 0x0e, 0x0a};
            set_seq(4, memory_modes[pick]);
        }
        set_seq(2, rand() & 1 ? 0x0f : (uint8_t)rand());
        set_gfx((uint8_t)(rand() % 9), (uint8_t)rand());
        set_gfx((uint8_t)(rand() % 9), (uint8_t)rand());
        if (rand() & 1)
            set_gfx(8, 0xff);
        exercise(20);
        if (round % 100 == 0)
            compare_planes();
    }
    compare_planes();
}

static void check_mode(uint8_t memory_mode, uint8_t mode)
{
    srand(mode + memory_mode * 256u);
    set_seq(4, memory_mode);
    set_seq(2, 0x0f);
    set_gfx(5, mode);
    set_gfx(6, 0x05);
    for (unsigned function = 0; function < 4; function++) {
        set_gfx(0, (uint8_t)rand());
        set_gfx(1, (uint8_t)rand());
        set_gfx(3, (uint8_t)(function << 3 | (rand() & 7)));
        set_gfx(8, (uint8_t)rand());
        exercise(200);
    }
    compare_planes();
}

static void test_write_mode_0(void **state)
{
    check_mode(0x06, 0x00);
}

static void test_write_mode_1(void **state)
{
    check_mode(0x06, 0x01);
}

static void test_write_mode_2(void **state)
{
    check_mode(0x06, 0x02);
}

static void test_write_mode_3(void **state)
{
    check_mode(0x06, 0x03);
}

static void test_read_mode_1(void **state)
{
    set_gfx(2, 0x05);
    set_gfx(7, 0x0d);
    check_mode(0x06, 0x08);
}

static void test_odd_even(void **state)
{
    check_mode(0x02, 0x10);
}

static void test_chain_4(void **state)
{
    check_mode(0x0e, 0x40);
}

/* T-VGA-4: an access of four bytes loads the latch four times. */
static void test_latch_is_loaded_for_each_byte(void **state)
{
    set_seq(4, 0x06);
    set_seq(2, 0x0f);
    set_gfx(6, 0x05);
    set_gfx(8, 0xff);
    for (unsigned i = 0; i < 4; i++)
        machine_write(&t.m, 0xa0000 + i, 1, 0x11 * (i + 1));
    set_gfx(5, 0x01);
    machine_read(&t.m, 0xa0000, 4);
    machine_write(&t.m, 0xa0100, 1, 0);
    set_gfx(5, 0x00);
    assert_int_equal(machine_read(&t.m, 0xa0100, 1), 0x44);
}

static void test_memory_lies_as_the_frame_buffer_has_it(void **state)
{
    set_gfx(6, 0x05);
    set_gfx(8, 0xff);
    set_seq(2, 0x0f);
    set_seq(4, 0x0e); /* chain-4: linear */
    machine_write(&t.m, 0xa1234, 4, 0x44332211);
    assert_memory_equal(t.vram.base + 0x1234, "\x11\x22\x33\x44", 4);
    set_seq(4, 0x02); /* text: character and attribute side by side */
    set_seq(2, 0x03);
    set_gfx(6, 0x0e);
    machine_write(&t.m, 0xb8000 + 6, 2, 0x0741);
    assert_memory_equal(t.vram.base + 3 * 4, "\x41\x07", 2);
}

static void test_window_that_misc_switches_off(void **state)
{
    set_gfx(6, 0x05);
    set_gfx(8, 0xff);
    set_seq(2, 0x0f);
    set_seq(4, 0x0e);
    machine_out(&t.m, 0x3c2, 1, 0x61);
    machine_write(&t.m, 0xa0000, 1, 0x55);
    assert_int_equal(machine_read(&t.m, 0xa0000, 1), 0xff);
    machine_out(&t.m, 0x3c2, 1, 0x63);
    assert_int_equal(machine_read(&t.m, 0xa0000, 1), 0x00);
}

/* T-VGA-10: 64 KiB a plane, whatever the size of the memory. */
static void test_planes_wrap_at_64k(void **state)
{
    set_gfx(6, 0x01); /* 128 KiB from a0000 */
    set_gfx(8, 0xff);
    set_seq(2, 0x0f);
    set_seq(4, 0x06);
    machine_write(&t.m, 0xb0010, 1, 0x77);
    assert_int_equal(machine_read(&t.m, 0xa0010, 1), 0x77);
    assert_int_equal(t.vram.base[0x10 * 4], 0x77);
    assert_int_equal(t.vram.base[0x10010 * 4], 0);
}

static void test_string_write_is_one_report(void **state)
{
    uint8_t block[4096];

    memset(block, 0xc3, sizeof(block));
    set_gfx(6, 0x05);
    set_gfx(8, 0xff);
    set_seq(2, 0x0f);
    set_seq(4, 0x0e);
    t.written_low = UINT64_MAX;
    t.written_high = 0;
    io_write_string(t.m.env.io, IO_MEMORY, 0xa2000, 4, 1, block, 1024);
    assert_int_equal(t.written_low, 0x2000);
    assert_int_equal(t.written_high, 0x3000);
    assert_memory_equal(t.vram.base + 0x2000, block, sizeof(block));
    assert_int_equal(t.vram.base[0x3000], 0);
    /* Backwards, as with the direction flag set. */
    for (unsigned i = 0; i < 256; i++)
        block[i] = (uint8_t)i;
    io_write_string(t.m.env.io, IO_MEMORY, 0xa4000, 1, -1, block, 256);
    for (unsigned i = 0; i < 256; i++)
        assert_int_equal(t.vram.base[0x4000 - i], i);
}

/* An access across the edge of the decoded window: the part inside counts. */
static void test_access_across_the_edge_of_the_window(void **state)
{
    set_gfx(6, 0x0d); /* b8000 */
    set_gfx(8, 0xff);
    set_seq(2, 0x0f);
    set_seq(4, 0x0e);
    machine_write(&t.m, 0xb7ffe, 4, 0x44332211);
    assert_memory_equal(t.vram.base, "\x33\x44", 2);
    assert_int_equal(machine_read(&t.m, 0xb7ffe, 4), 0x4433ffff);
    set_gfx(6, 0x05); /* a0000, 64 KiB */
    machine_write(&t.m, 0xafffe, 4, 0x88776655);
    assert_memory_equal(t.vram.base + 0xfffe, "\x55\x66\0\0", 4);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_random_registers_against_the_model),
        TEST(test_write_mode_0),
        TEST(test_write_mode_1),
        TEST(test_write_mode_2),
        TEST(test_write_mode_3),
        TEST(test_read_mode_1),
        TEST(test_odd_even),
        TEST(test_chain_4),
        TEST(test_latch_is_loaded_for_each_byte),
        TEST(test_memory_lies_as_the_frame_buffer_has_it),
        TEST(test_window_that_misc_switches_off),
        TEST(test_planes_wrap_at_64k),
        TEST(test_string_write_is_one_report),
        TEST(test_access_across_the_edge_of_the_window),
    };

    return cmocka_run_group_tests_name("vga memory", tests, NULL, NULL);
}
