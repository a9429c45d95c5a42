/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Host bridge, ISA bridge and the fixed ports of both. */
#include "hw/chipset/i440fx.h"
#include "hw/chipset/piix3.h"
#include "hw/chipset/ports.h"
#include "hw/pci/pci.h"
#include "tests/harness/machine.h"
#include "tests/harness/tap.h"

#define HOST PCI_DEVFN(0, 0)
#define ISA  PCI_DEVFN(1, 0)

static struct machine m;

static int setup_with_ram(uint64_t ram_mib)
{
    struct i440fx_config config = {.ram_mib = ram_mib};
    struct i440fx *host;
    struct piix3 *isa;
    struct chipset_ports *ports;

    machine_init_pci(&m);
    assert_int_equal(i440fx_create(&host, &m.env, &config), 0);
    assert_int_equal(piix3_create(&isa, &m.env), 0);
    assert_int_equal(chipset_ports_create(&ports, &m.env), 0);
    machine_start(&m);
    return 0;
}

static int setup(void **state)
{
    return setup_with_ram(512);
}

static int teardown(void **state)
{
    machine_fini(&m);
    return 0;
}

static uint32_t get(uint8_t devfn, unsigned reg, unsigned size)
{
    return pci_config_read(m.env.pci, devfn, reg, size);
}

static void put(uint8_t devfn, unsigned reg, unsigned size, uint32_t value)
{
    pci_config_write(m.env.pci, devfn, reg, size, value);
}

static void test_vector_2_latch_reads_back(void **state)
{
    machine_out(&m, 0xcf8, 4, 0x80000000);
    assert_int_equal(machine_in(&m, 0xcf8, 4), 0x80000000);
    machine_out(&m, 0xcf8, 4, 0x12345678);
    assert_int_equal(machine_in(&m, 0xcf8, 4), 0x12345678);
}

static void test_vector_3_narrow_writes_leave_the_latch(void **state)
{
    machine_out(&m, 0xcf8, 4, 0x80000000);
    machine_out(&m, 0xcfb, 1, 1);
    machine_out(&m, 0xcf8, 1, 0);
    machine_out(&m, 0xcfa, 1, 0x55);
    machine_out(&m, 0xcf8, 2, 0x5555);
    machine_out(&m, 0xcfa, 2, 0x5555);
    assert_int_equal(machine_in(&m, 0xcf8, 4), 0x80000000);
    assert_int_equal(m.power[POWER_REBOOT], 0);
    assert_int_equal(machine_in(&m, 0xcf8, 1), 0xff);
    assert_int_equal(machine_in(&m, 0xcfb, 1), 0xff);
    assert_int_equal(machine_in(&m, 0xcfa, 2), 0xffff);
}

static void test_data_port_without_enable_bit_reads_ones(void **state)
{
    machine_out(&m, 0xcf8, 4, 0);
    for (unsigned port = 0xcfc; port <= 0xcff; port++)
        assert_int_equal(machine_in(&m, (uint16_t)port, 1), 0xff);
    assert_int_equal(machine_in(&m, 0xcfc, 4), 0xffffffff);
    machine_out(&m, 0xcfc, 4, 0);
    assert_int_equal(machine_in(&m, 0xcf8, 4), 0);
}

static void test_vector_4_host_bridge(void **state)
{
    assert_int_equal(get(HOST, 0, 4), 0x12378086);
    assert_int_equal(get(HOST, 0x08, 4), 0x06000002);
    assert_int_equal(get(HOST, 0x2c, 4), 0x11001af4);
    assert_int_equal(get(HOST, PCI_STATUS, 2), 0);
    assert_int_equal(get(HOST, PCI_INTERRUPT_PIN, 1), 0);
    assert_int_equal(get(HOST, 0x57, 1), 64);
    assert_int_equal(get(HOST, 0x72, 1), 0x02);
    put(HOST, 0x59, 4, 0x33331230);
    put(HOST, 0x5d, 2, 0x3333);
    put(HOST, 0x72, 1, 0x4a);
    assert_int_equal(get(HOST, 0x59, 4), 0x33331230);
    assert_int_equal(get(HOST, 0x5d, 2), 0x3333);
    assert_int_equal(get(HOST, 0x72, 1), 0x4a);
}

static void test_ram_register_is_clamped(void **state)
{
    machine_fini(&m);
    setup_with_ram(1u << 20);
    assert_int_equal(get(HOST, 0x57, 1), 255);
}

static void test_vector_5_isa_bridge(void **state)
{
    static const uint8_t reset[][2] = {
        {0x4c, 0x4d}, {0x4e, 0x03}, {0x60, 0x80}, {0x61, 0x80}, {0x62, 0x80},
        {0x63, 0x80}, {0x69, 2},    {0x70, 0x80}, {0x76, 0x0c}, {0x77, 0x0c},
        {0x78, 0x02}, {0xa0, 0x08}, {0xa8, 0x0f},
    };

    assert_int_equal(get(ISA, 0, 4), 0x70008086);
    assert_int_equal(get(ISA, 0x08, 4), 0x06010000);
    assert_int_equal(get(ISA, PCI_HEADER_TYPE, 1), 0x80);
    assert_int_equal(get(ISA, PCI_COMMAND, 4), 0x02000007);
    for (unsigned i = 0; i < sizeof(reset) / sizeof(reset[0]); i++) {
        assert_int_equal(get(ISA, reset[i][0], 1), reset[i][1]);
        put(ISA, reset[i][0], 1, 0x35);
        assert_int_equal(get(ISA, reset[i][0], 1), 0x35);
    }
}

static void test_vector_6_pirq_route(void **state)
{
    put(ISA, 0x60, 1, 5);
    assert_int_equal(m.link[0], 5);
    assert_int_equal(m.link_calls, 1);
}

static void test_every_byte_of_a_route_write_counts(void **state)
{
    put(ISA, 0x60, 4, 0x0b800a05);
    assert_int_equal(m.link[0], 5);
    assert_int_equal(m.link[1], 10);
    assert_int_equal(m.link[2], 0);
    assert_int_equal(m.link[3], 11);
    assert_int_equal(m.link_calls, 4);
    put(ISA, 0x5f, 2, 0x0600);
    assert_int_equal(m.link[0], 6);
    put(ISA, 0x62, 4, 0xffff0c07);
    assert_int_equal(m.link[2], 7);
    assert_int_equal(m.link[3], 12);
    assert_int_equal(m.link_calls, 7);
    put(ISA, 0x61, 1, 0x8a); /* disabled, whatever the IRQ bits say */
    assert_int_equal(m.link[1], 0);
    put(ISA, 0x61, 1, 0x7a);
    assert_int_equal(m.link[1], 10);
    put(ISA, 0x64, 4, 0);
    assert_int_equal(m.link_calls, 9);
}

static void test_routes_follow_reset_and_restore(void **state)
{
    put(ISA, 0x60, 4, 0x0b0a0905);
    assert_null(machine_save_load(&m));
    assert_int_equal(m.link[0], 5);
    assert_int_equal(m.link[3], 11);
    device_reset_all(m.env.devices);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(m.link[i], 0);
}

static void test_vector_10_reset_control(void **state)
{
    assert_int_equal(machine_in(&m, 0xcf9, 1), 0);
    machine_out(&m, 0xcf9, 1, 2);
    assert_int_equal(m.power[POWER_REBOOT], 0);
    assert_int_equal(machine_in(&m, 0xcf9, 1), 2);
    machine_out(&m, 0xcf9, 1, 6);
    assert_int_equal(m.power[POWER_REBOOT], 1);
    assert_int_equal(machine_in(&m, 0xcf9, 1), 2);
}

/* A dword over the reset register is the latch and nothing else. */
static void test_latch_write_is_no_reset(void **state)
{
    machine_out(&m, 0xcf8, 4, 0x80000600);
    assert_int_equal(m.power[POWER_REBOOT], 0);
    assert_int_equal(machine_in(&m, 0xcf8, 4), 0x80000600);
    assert_int_equal(machine_in(&m, 0xcf9, 1), 0);
}

static void test_port_92(void **state)
{
    assert_int_equal(machine_in(&m, 0x92, 1), 0); /* ones would reset at the first modification */
    machine_out(&m, 0x92, 1, machine_in(&m, 0x92, 1) | 2);
    assert_int_equal(machine_in(&m, 0x92, 1), 2);
    assert_int_equal(m.power[POWER_REBOOT], 0);
    machine_out(&m, 0x92, 1, 3);
    assert_int_equal(m.power[POWER_REBOOT], 1);
}

/* A guest that keeps writing reset ports asks for one reset. */
static void test_reset_port_storm_is_one_reset(void **state)
{
    for (unsigned i = 0; i < 1000; i++) {
        machine_out(&m, 0xcf9, 1, 0xff);
        machine_out(&m, 0x92, 1, i & 1);
    }
    assert_int_equal(m.power[POWER_REBOOT], 1);
    device_reset_all(m.env.devices);
    machine_out(&m, 0xcf9, 1, 6);
    assert_int_equal(m.power[POWER_REBOOT], 2);
}

static void test_unclaimed_ports_read_ones(void **state)
{
    static const uint16_t ports[] = {0x5e, 0x5f, 0x88, 0xe9, 0xf0, 0x510, 0x511, 0x5658, 0xb044};

    for (unsigned i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
        machine_out(&m, ports[i], 1, 0);
        assert_int_equal(machine_in(&m, ports[i], 1), 0xff);
    }
}

static void test_ports_survive_restore(void **state)
{
    machine_out(&m, 0xcf8, 4, 0x8000f8fc);
    machine_out(&m, 0x92, 1, 2);
    machine_out(&m, 0xcf9, 1, 2);
    assert_null(machine_save_load(&m));
    assert_int_equal(machine_in(&m, 0xcf8, 4), 0x8000f8fc);
    assert_int_equal(machine_in(&m, 0x92, 1), 2);
    assert_int_equal(machine_in(&m, 0xcf9, 1), 2);
    assert_int_equal(m.power[POWER_REBOOT], 0);
}

static void test_state_tables_are_sound(void **state)
{
    assert_null(machine_table_flaw(&m));
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_vector_2_latch_reads_back),
        CASE(test_vector_3_narrow_writes_leave_the_latch),
        CASE(test_data_port_without_enable_bit_reads_ones),
        CASE(test_vector_4_host_bridge),
        CASE(test_ram_register_is_clamped),
        CASE(test_vector_5_isa_bridge),
        CASE(test_vector_6_pirq_route),
        CASE(test_every_byte_of_a_route_write_counts),
        CASE(test_routes_follow_reset_and_restore),
        CASE(test_vector_10_reset_control),
        CASE(test_latch_write_is_no_reset),
        CASE(test_port_92),
        CASE(test_reset_port_storm_is_one_reset),
        CASE(test_unclaimed_ports_read_ones),
        CASE(test_ports_survive_restore),
        CASE(test_state_tables_are_sound),
    };

    return cmocka_run_group_tests_name("bridges", tests, NULL, NULL);
}
