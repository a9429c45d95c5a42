/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/chipset/i8237.h"
#include "tests/harness/machine.h"
#include "tests/harness/tap.h"

static struct machine m;
static struct i8237 *dma;

static int setup(void **state)
{
    machine_init(&m);
    assert_int_equal(i8237_create(&dma, &m.env), 0);
    machine_start(&m);
    return 0;
}

static int teardown(void **state)
{
    machine_fini(&m);
    return 0;
}

static uint8_t in(uint16_t port)
{
    return (uint8_t)machine_in(&m, port, 1);
}

static void out(uint16_t port, uint8_t value)
{
    machine_out(&m, port, 1, value);
}

static void test_flip_flop(void **state)
{
    out(0x0c, 0);
    out(0x04, 0x34);
    out(0x04, 0x12);
    out(0x05, 0xff);
    out(0x05, 0x01);
    assert_int_equal(in(0x04), 0x34);
    assert_int_equal(in(0x04), 0x12);
    assert_int_equal(in(0x05), 0xff);
    out(0x0c, 0);
    assert_int_equal(in(0x05), 0xff);
    out(0x0d, 0);
    assert_int_equal(in(0x04), 0x34);
}

/* The flip-flop is the controller's, not the channel's; the other controller has its own. */
static void test_flip_flop_is_shared(void **state)
{
    out(0x00, 0x11);
    out(0x02, 0x22); /* goes to the high byte */
    assert_int_equal(in(0x02), 0);
    assert_int_equal(in(0x02), 0x22);
    out(0x00, 0x33);
    out(0xc4, 0x44);
    out(0xc4, 0x55);
    assert_int_equal(in(0xc4), 0x44);
    assert_int_equal(in(0xc4), 0x55);
}

static void test_second_controller_has_a_stride_of_two(void **state)
{
    for (uint16_t i = 0; i < 8; i++) {
        out(0xd8, 0);
        out(0xc0 + 2 * i, (uint8_t)(0x10 + i));
        out(0xc0 + 2 * i, (uint8_t)(0x20 + i));
    }
    for (uint16_t i = 0; i < 8; i++) {
        out(0xd8, 0);
        assert_int_equal(in(0xc0 + 2 * i), 0x10 + i);
        assert_int_equal(in(0xc1 + 2 * i), 0x20 + i);
    }
    assert_int_equal(in(0x00), 0); /* the first one has noticed nothing */
}

static void test_masks(void **state)
{
    assert_int_equal(in(0x0f), 0x0f);
    out(0x0a, 0x02);
    assert_int_equal(in(0x0f), 0x0b);
    out(0x0a, 0x06);
    assert_int_equal(in(0x0f), 0x0f);
    out(0x0e, 0);
    assert_int_equal(in(0x0f), 0);
    out(0x0f, 0xf5);
    assert_int_equal(in(0x0f), 0x05);
    out(0x0d, 0);
    assert_int_equal(in(0x0f), 0x0f);
}

static void test_requests_show_in_status(void **state)
{
    out(0x09, 0x06);
    out(0x09, 0x04);
    assert_int_equal(in(0x08), 0x50);
    out(0x09, 0x02);
    assert_int_equal(in(0x08), 0x10);
    out(0x0d, 0);
    assert_int_equal(in(0x08), 0);
}

static void test_page_registers(void **state)
{
    static const uint16_t ports[] = {0x81,  0x82,  0x83,  0x87,  0x89,  0x8a,  0x8b,  0x8f,
                                     0x481, 0x482, 0x483, 0x487, 0x489, 0x48a, 0x48b, 0x48f};
    const unsigned n = sizeof(ports) / sizeof(ports[0]);

    for (unsigned i = 0; i < n; i++)
        out(ports[i], (uint8_t)(i + 1));
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(in(ports[i]), i + 1);
}

/* Port 88h must not be storage: hvmloader takes 1Fh there for a battery. */
static void test_ports_of_no_channel_are_not_claimed(void **state)
{
    static const uint16_t ports[] = {0x80, 0x84, 0x85, 0x86, 0x88, 0x8c, 0x8d, 0x8e, 0x10, 0xbf};

    for (unsigned i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
        out(ports[i], 0x1f);
        assert_int_equal(in(ports[i]), 0xff);
    }
}

/* Index class: the channel is two bits at every decode, whatever the guest writes. */
static void test_cve_2021_20221_channel_index_is_masked(void **state)
{
    for (unsigned value = 0; value < 256; value++)
        for (uint16_t reg = 8; reg < 16; reg++) {
            out(reg, (uint8_t)value);
            out(0xc0 + 2 * reg, (uint8_t)value);
        }
    for (uint16_t reg = 0; reg < 16; reg++) {
        (void)in(reg);
        (void)in(0xc0 + 2 * reg);
    }
    assert_int_equal(in(0x0f), 0x0f);
}

/* CVE-2015-3214 (i8254): a command selects a register whose read runs off the table. */
static void test_cve_2015_3214_reads_of_write_only_registers(void **state)
{
    out(0x0b, 0xff);
    out(0x0c, 0);
    for (uint16_t reg = 9; reg < 15; reg++)
        assert_int_equal(in(reg), 0);
}

/* ---- transfers ------------------------------------------------------------------------------- */

static unsigned ready_calls;

static void ready(void *opaque)
{
    ready_calls++;
}

static struct isa_dma attach(void)
{
    ready_calls = 0;
    return i8237_attach(dma, 2, ready, NULL);
}

static void program(uint8_t mode, uint16_t address, uint16_t count)
{
    out(0x0a, 0x06);
    out(0x0c, 0);
    out(0x04, (uint8_t)address);
    out(0x04, (uint8_t)(address >> 8));
    out(0x05, (uint8_t)count);
    out(0x05, (uint8_t)(count >> 8));
    out(0x81, 0x02);
    out(0x0b, mode | 2);
    out(0x0a, 0x02);
}

static uint16_t current(uint16_t port)
{
    out(0x0c, 0);
    uint16_t low = in(port);

    return (uint16_t)(low | in(port) << 8);
}

static void test_transfer_to_terminal_count(void **state)
{
    struct isa_dma d = attach();
    uint8_t data[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
    bool tc = true;

    program(0x44, 0x1000, 9);
    assert_int_equal(d.transfer(d.opaque, ISA_DMA_TO_MEMORY, data, 4, &tc), 4);
    assert_false(tc);
    assert_int_equal(current(0x04), 0x1004);
    assert_int_equal(current(0x05), 5);
    assert_int_equal(in(0x08), 0);
    assert_int_equal(d.transfer(d.opaque, ISA_DMA_TO_MEMORY, data + 4, 12, &tc), 6);
    assert_true(tc);
    assert_memory_equal(m.ram + 0x21000, data, 10);
    assert_int_equal(m.ram[0x2100a], MACHINE_POISON);
    assert_int_equal(current(0x05), 0xffff);
    assert_int_equal(in(0x0f), 0x0f); /* masked itself */
    assert_int_equal(in(0x08), 0x04);
    assert_int_equal(in(0x08), 0); /* read once */
    assert_int_equal(d.transfer(d.opaque, ISA_DMA_TO_MEMORY, data, 4, &tc), 0);
    assert_false(tc);
}

static void test_transfer_from_memory_and_autoinit(void **state)
{
    struct isa_dma d = attach();
    uint8_t data[8] = {0};
    bool tc;

    for (unsigned i = 0; i < 8; i++)
        m.ram[0x20100 + i] = (uint8_t)(0x40 + i);
    program(0x58, 0x0100, 3);
    for (unsigned round = 0; round < 3; round++) {
        assert_int_equal(d.transfer(d.opaque, ISA_DMA_FROM_MEMORY, data, 8, &tc), 4);
        assert_true(tc);
        assert_int_equal(data[0], 0x40);
        assert_int_equal(data[3], 0x43);
        assert_int_equal(current(0x04), 0x0100);
        assert_int_equal(current(0x05), 3);
    }
    assert_int_equal(in(0x0f), 0x0b);
}

static void test_decrementing_channel(void **state)
{
    struct isa_dma d = attach();
    uint8_t data[4] = {1, 2, 3, 4}, back[4];
    bool tc;

    program(0x64, 0x0001, 0xffff);
    assert_int_equal(d.transfer(d.opaque, ISA_DMA_TO_MEMORY, data, 4, &tc), 4);
    assert_int_equal(m.ram[0x20001], 1);
    assert_int_equal(m.ram[0x20000], 2);
    assert_int_equal(m.ram[0x2ffff], 3); /* wraps within the page */
    assert_int_equal(m.ram[0x2fffe], 4);
    assert_int_equal(data[0], 1);
    program(0x68, 0x0001, 0xffff);
    assert_int_equal(d.transfer(d.opaque, ISA_DMA_FROM_MEMORY, back, 4, &tc), 4);
    assert_memory_equal(back, data, 4);
    assert_int_equal(current(0x04), 0xfffd);
}

static void test_address_wraps_within_its_page(void **state)
{
    struct isa_dma d = attach();
    uint8_t data[4] = {9, 8, 7, 6};
    bool tc;

    program(0x44, 0xfffe, 0xffff);
    assert_int_equal(d.transfer(d.opaque, ISA_DMA_TO_MEMORY, data, 4, &tc), 4);
    assert_int_equal(m.ram[0x2ffff], 8);
    assert_int_equal(m.ram[0x20000], 7);
    assert_int_equal(m.ram[0x30000], MACHINE_POISON);
}

/* T-FDC-9: verify counts, and touches nothing. A device cannot be fed from it. */
static void test_verify_moves_no_memory(void **state)
{
    struct isa_dma d = attach();
    uint8_t data[4] = {9, 8, 7, 6};
    bool tc;

    program(0x40, 0x0000, 3);
    assert_int_equal(d.transfer(d.opaque, ISA_DMA_FROM_MEMORY, data, 4, &tc), 0);
    assert_int_equal(d.transfer(d.opaque, ISA_DMA_TO_MEMORY, data, 4, &tc), 4);
    assert_true(tc);
    assert_int_equal(m.ram[0x20000], MACHINE_POISON);
    assert_int_equal(m.mappings, 0);
}

static void test_when_a_channel_is_served(void **state)
{
    struct isa_dma d = attach();
    uint8_t data[4];
    bool tc;

    program(0x44, 0, 100);
    assert_int_equal(d.transfer(d.opaque, ISA_DMA_FROM_MEMORY, data, 4, &tc), 0);
    program(0xc4, 0, 100); /* cascade */
    assert_int_equal(d.transfer(d.opaque, ISA_DMA_TO_MEMORY, data, 4, &tc), 0);
    program(0x44, 0, 100);
    out(0x08, 0x04); /* controller off */
    assert_int_equal(d.transfer(d.opaque, ISA_DMA_TO_MEMORY, data, 4, &tc), 0);
    out(0x0a, 0x06);
    out(0x08, 0);
    assert_int_equal(ready_calls, 0); /* nobody asks */
    d.request(d.opaque, true);
    assert_int_equal(in(0x08), 0x40);
    out(0x0a, 0x05); /* another channel's mask */
    assert_int_equal(ready_calls, 0);
    out(0xd4, 0x02); /* the other controller */
    assert_int_equal(ready_calls, 0);
    out(0x0a, 0x02);
    assert_int_equal(ready_calls, 1);
    d.request(d.opaque, false);
    assert_int_equal(in(0x08), 0);
    out(0x0a, 0x02);
    assert_int_equal(ready_calls, 1);
}

/* Without a request a channel moves nothing, wherever it is aimed. */
static void test_programmed_channel_moves_no_memory(void **state)
{
    out(0x0c, 0);
    out(0x04, 0x00);
    out(0x04, 0x00);
    out(0x81, 0x0a);
    out(0x05, 0xff);
    out(0x05, 0xff);
    out(0x0b, 0x46);
    out(0x0a, 0x02);
    out(0x09, 0x06);
    machine_advance(&m, 1000000000);
    for (unsigned i = 0xa0000; i < 0xa2000; i++)
        assert_int_equal(m.ram[i], MACHINE_POISON);
    assert_int_equal(m.mappings, 0);
}

static void test_reset_and_restore(void **state)
{
    out(0x81, 0x55);
    out(0x0a, 0x00);
    out(0x00, 0x66);
    assert_null(machine_save_load(&m));
    assert_int_equal(in(0x81), 0x55);
    assert_int_equal(in(0x0f), 0x0e);
    out(0x00, 0x77); /* still the high byte */
    assert_int_equal(in(0x00), 0x66);
    assert_int_equal(in(0x00), 0x77);
    device_reset_all(m.env.devices);
    assert_int_equal(in(0x81), 0);
    assert_int_equal(in(0x0f), 0x0f);
    assert_int_equal(in(0x00), 0);
}

static void test_state_tables_are_sound(void **state)
{
    assert_null(machine_table_flaw(&m));
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_flip_flop),
        CASE(test_flip_flop_is_shared),
        CASE(test_second_controller_has_a_stride_of_two),
        CASE(test_masks),
        CASE(test_requests_show_in_status),
        CASE(test_page_registers),
        CASE(test_ports_of_no_channel_are_not_claimed),
        CASE(test_cve_2021_20221_channel_index_is_masked),
        CASE(test_cve_2015_3214_reads_of_write_only_registers),
        CASE(test_transfer_to_terminal_count),
        CASE(test_transfer_from_memory_and_autoinit),
        CASE(test_decrementing_channel),
        CASE(test_address_wraps_within_its_page),
        CASE(test_verify_moves_no_memory),
        CASE(test_when_a_channel_is_served),
        CASE(test_programmed_channel_moves_no_memory),
        CASE(test_reset_and_restore),
        CASE(test_state_tables_are_sound),
    };

    return cmocka_run_group_tests_name("i8237", tests, NULL, NULL);
}
