/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>
#include "hw/chipset/cmos.h"
#include "tests/harness/machine.h"
#include "tests/harness/tap.h"

static struct machine m;
static struct cmos *cmos;

static const struct cmos_config guest = {
    .ram_below_4g = UINT64_C(0xf0000000),
    .ram_above_4g = UINT64_C(0x110000000),
    .vcpus = 2,
    .boot_first_second = 0x23,
    .boot_third = 0x10,
    .floppy_type = {4, 0},
    .ps2_mouse = true,
    .disk = {[0] = {true, CMOS_TRANSLATION_LBA, 1023, 16, 63},
             [1] = {true, CMOS_TRANSLATION_LARGE, 130, 5, 17},
             [4] = {true, CMOS_TRANSLATION_RECHS, 130, 5, 17}},
};

static int setup(void **state)
{
    machine_init(&m);
    assert_int_equal(cmos_create(&cmos, &m.env, &guest), 0);
    machine_start(&m);
    return 0;
}

static int teardown(void **state)
{
    machine_fini(&m);
    return 0;
}

static uint8_t get(uint8_t index)
{
    machine_out(&m, 0x70, 1, index);
    return (uint8_t)machine_in(&m, 0x71, 1);
}

static void put(uint8_t index, uint8_t value)
{
    machine_out(&m, 0x70, 1, index);
    machine_out(&m, 0x71, 1, value);
}

static unsigned get16(uint8_t index)
{
    return get(index) | (unsigned)get(index + 1) << 8;
}

static void test_memory(void **state)
{
    assert_int_equal(get16(0x15), 640);
    assert_int_equal(get16(0x17), 0xffff);
    assert_int_equal(get16(0x30), 0xffff);
    assert_int_equal(get16(0x34), (0xf0000000u - (16u << 20)) >> 16);
    assert_int_equal(get(0x5b) | get16(0x5c) << 8, 0x11000);
    assert_int_equal(get(0x5f), 1);
}

static void test_small_memory(void **state)
{
    static const struct cmos_config small = {.ram_below_4g = 8u << 20, .vcpus = 1};

    machine_fini(&m);
    machine_init(&m);
    assert_int_equal(cmos_create(&cmos, &m.env, &small), 0);
    machine_start(&m);
    assert_int_equal(get16(0x17), 7 * 1024);
    assert_int_equal(get16(0x34), 0);
    assert_int_equal(get16(0x5b), 0);
    assert_int_equal(get(0x10), 0);
    assert_int_equal(get(0x12), 0);
    assert_int_equal(get(0x14), 0x02);
    assert_int_equal(get(0x5f), 0);
}

static void test_disks(void **state)
{
    static const uint8_t first[9] = {0xff, 0x03, 16, 0xff, 0xff, 0xc8, 0xff, 0x03, 63};
    static const uint8_t second[9] = {130, 0, 5, 0xff, 0xff, 0xc0, 130, 0, 17};

    assert_int_equal(get(0x12), 0xff);
    assert_int_equal(get(0x19), 47);
    assert_int_equal(get(0x1a), 47);
    for (uint8_t i = 0; i < 9; i++) {
        assert_int_equal(get(0x1b + i), first[i]);
        assert_int_equal(get(0x24 + i), second[i]);
    }
    assert_int_equal(get(0x39), 0x09);
    assert_int_equal(get(0x3a), 0x03);
}

static void test_boot_order_and_equipment(void **state)
{
    assert_int_equal(get(0x3d), 0x23);
    assert_int_equal(get(0x38), 0x10);
    assert_int_equal(get(0x10), 0x40);
    assert_int_equal(get(0x14), 0x07);
    assert_int_equal(get(0x32), 0x20);
    assert_int_equal(get(0x37), 0x20);
    assert_int_equal(get(0x0e), 0);
}

static void test_two_floppies(void **state)
{
    static const struct cmos_config two = {.vcpus = 1, .floppy_type = {5, 2}};

    machine_fini(&m);
    machine_init(&m);
    assert_int_equal(cmos_create(&cmos, &m.env, &two), 0);
    machine_start(&m);
    assert_int_equal(get(0x10), 0x52);
    assert_int_equal(get(0x14), 0x43);
}

static void test_storage(void **state)
{
    for (uint8_t i = 14; i < 128; i++)
        put(i, i ^ 0x5a);
    for (uint8_t i = 14; i < 128; i++)
        assert_int_equal(get(i), i ^ 0x5a);
}

static void test_vector_13_nmi_bit_is_masked(void **state)
{
    cmos_set(cmos, 0x0f, 0x77);
    assert_int_equal(get(0x8f), 0x77);
    put(0x8f, 0x12);
    assert_int_equal(cmos_get(cmos, 0x0f), 0x12);
    assert_int_equal(get(0x0f), 0x12);
}

/* The index is masked at decode; with and without bit 7 it names one of 128 bytes.
 */
static void test_cmos_index_stays_inside(void **state)
{
    for (unsigned i = 0; i < 256; i++)
        put((uint8_t)i, (uint8_t)(i & 0x7f));
    for (unsigned i = 0; i < 256; i++)
        assert_int_equal(get((uint8_t)i), i & 0x7f);
    cmos_set(cmos, 0xff, 3);
    assert_int_equal(cmos_get(cmos, 0x7f), 3);
}

static void test_index_port_reads_ones(void **state)
{
    machine_out(&m, 0x70, 1, 0x32);
    assert_int_equal(machine_in(&m, 0x70, 1), 0xff);
}

static void test_contents_survive_reset_and_restore(void **state)
{
    put(0x40, 0x99);
    device_reset_all(m.env.devices);
    assert_int_equal(get(0x40), 0x99);
    machine_out(&m, 0x70, 1, 0x3d);
    assert_null(machine_save_load(&m));
    assert_int_equal(machine_in(&m, 0x71, 1), 0x23);
    assert_int_equal(get(0x40), 0x99);
}

static int set_index(void *opaque, const char *name, const struct state_desc *desc, void *state)
{
    state_set(&desc->fields[0], state, 0, 128);
    return state_check(desc, state) ? 1 : 0;
}

static void test_state_table(void **state)
{
    assert_null(machine_table_flaw(&m));
    assert_int_equal(arena_each(m.env.arena, set_index, NULL), 1); /* refused */
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_memory),
        CASE(test_small_memory),
        CASE(test_disks),
        CASE(test_boot_order_and_equipment),
        CASE(test_two_floppies),
        CASE(test_storage),
        CASE(test_vector_13_nmi_bit_is_masked),
        CASE(test_cmos_index_stays_inside),
        CASE(test_index_port_reads_ones),
        CASE(test_contents_survive_reset_and_restore),
        CASE(test_state_table),
    };

    return cmocka_run_group_tests_name("cmos", tests, NULL, NULL);
}
