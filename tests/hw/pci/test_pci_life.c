/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Functions come and go: unplug, reset, restore, what the hypervisor is told. */
#include <errno.h>
#include <string.h>

#include "tests/hw/pci/probe.h"

static void check_removed(void)
{
    assert_int_equal(get(0, 4), 0xffffffff);
    put(PCI_COMMAND, 2, 7);
    assert_int_equal(machine_in(&m, IO_AT + 1, 1), 0xff);
    assert_int_equal(machine_read(&m, MEM_AT + 1, 1), 0xff);
    assert_int_equal(probe.vram, PCI_UNMAPPED);
    pci_set_irq(&probe.fn, true);
    assert_false(m.intx[4][1]);
}

static void test_removed_function_is_gone_for_good(void **state)
{
    map_all();
    pci_set_irq(&probe.fn, true);
    assert_true(m.intx[4][1]);
    pci_remove(&probe.fn);
    check_removed();
    pci_remove(&probe.fn);
    check_removed();
    device_reset_all(m.env.devices);
    check_removed();
    assert_null(machine_save_load(&m));
    check_removed();
}

static void count(void *opaque, const struct pci_function *fn)
{
    uint8_t **next = opaque;

    *(*next)++ = fn->devfn;
}

static void test_each_lists_present_functions_in_order(void **state)
{
    uint8_t seen[4] = {0}, *next = seen;

    pci_each(m.env.pci, count, &next);
    assert_int_equal(next - seen, 2);
    assert_int_equal(seen[0], PCI_DEVFN(4, 0));
    assert_int_equal(seen[1], PCI_DEVFN(5, 0));
    pci_remove(&probe.fn);
    next = seen;
    pci_each(m.env.pci, count, &next);
    assert_int_equal(next - seen, 1);
}

static void test_reset_unmaps_and_is_identical(void **state)
{
    uint8_t first[256];

    pci_function_reset(&probe.fn);
    memcpy(first, probe.fn.state->config, sizeof(first));
    map_all();
    put(0x50, 4, 0);
    assert_int_equal(probe.vram, 0xe0000000);
    device_reset_all(m.env.devices);
    assert_memory_equal(probe.fn.state->config, first, sizeof(first));
    assert_int_equal(probe.vram, PCI_UNMAPPED);
    assert_int_equal(machine_in(&m, IO_AT, 1), 0xff);
}

static void test_restore_maps_again(void **state)
{
    map_all();
    put_other(0x14, 4, MEM_AT + 0x1000);
    put_other(PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
    assert_null(machine_save_load(&m));
    assert_int_equal(probe.vram, 0xe0000000);
    assert_int_equal(machine_in(&m, IO_AT + 7, 1), 7);
    assert_int_equal(machine_read(&m, MEM_AT + 8, 1), 8);
    assert_int_equal(machine_read(&m, MEM_AT + 0x1008, 1), 8);
    assert_int_equal(machine_read(&m, ROM_AT, 1), 0x77);
}

/* A saved state may say that two functions have changed places. */
static void test_restore_swaps_places(void **state)
{
    put(0x14, 4, MEM_AT);
    put(PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
    put_other(0x14, 4, MEM_AT + 0x1000);
    put_other(PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
    probe.fn.state->config[0x15] = 0x10;
    other.fn.state->config[0x15] = 0x00;
    device_loaded_all(m.env.devices);
    assert_int_equal(pci_bar_address(&probe.fn, 1), MEM_AT + 0x1000);
    assert_int_equal(pci_bar_address(&other.fn, 1), MEM_AT);
    machine_write(&m, MEM_AT, 1, 1);
    assert_int_equal(other.written, 1);
}

/* What a function is does not come from a saved state. */
static void test_restore_keeps_read_only_bits(void **state)
{
    memset(probe.fn.state->config, 0xff, 256);
    device_loaded_all(m.env.devices);
    assert_int_equal(get(0, 4), 0x56781234);
    assert_int_equal(get(PCI_COMMAND, 2), 0x0507);
    assert_int_equal(get(PCI_HEADER_TYPE, 1), 0);
    assert_int_equal(get(0x10, 4), 0xffffff01);
    assert_int_equal(get(0x20, 4), 0);
    assert_int_equal(pci_bar_address(&probe.fn, 0), PCI_UNMAPPED);
}

/* Platform ranges are registered and taken back with the function. */
static unsigned claimed[256];

static int claim(void *opaque, uint8_t devfn)
{
    claimed[devfn]++;
    return 0;
}

static int release(void *opaque, uint8_t devfn)
{
    claimed[devfn]--;
    return 0;
}

static int claim_fails(void *opaque, uint8_t devfn)
{
    return -ENOSPC;
}

static void test_functions_are_registered_with_the_hypervisor(void **state)
{
    struct pci_claim_ops ops = {claim, release, NULL};
    struct machine machine;
    struct probe p;

    memset(claimed, 0, sizeof(claimed));
    machine_init(&machine);
    assert_int_equal(pci_bus_create(&machine.env.pci, &machine.env, &ops), 0);
    probe_describe(&p, "p", 0x21);
    assert_int_equal(pci_add(machine.env.pci, &p.fn), 0);
    assert_int_equal(claimed[0x21], 1);
    pci_remove(&p.fn);
    pci_remove(&p.fn);
    assert_int_equal(claimed[0x21], 0);
    assert_null(machine_save_load(&machine));
    assert_int_equal(claimed[0x21], 0);
    machine_fini(&machine);
}

static void test_refused_registration_is_an_error(void **state)
{
    struct pci_claim_ops ops = {claim_fails, NULL, NULL};
    struct machine machine;
    struct probe p;

    machine_init(&machine);
    assert_int_equal(pci_bus_create(&machine.env.pci, &machine.env, &ops), 0);
    probe_describe(&p, "p", 0x21);
    assert_int_equal(pci_add(machine.env.pci, &p.fn), -ENOSPC);
    assert_int_equal(pci_config_read(machine.env.pci, 0x21, 0, 4), 0xffffffff);
    machine_fini(&machine);
}

static void test_state_tables_are_sound(void **state)
{
    assert_null(machine_table_flaw(&m));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_removed_function_is_gone_for_good),
        CASE(test_each_lists_present_functions_in_order),
        CASE(test_reset_unmaps_and_is_identical),
        CASE(test_restore_maps_again),
        CASE(test_restore_swaps_places),
        CASE(test_restore_keeps_read_only_bits),
        cmocka_unit_test(test_functions_are_registered_with_the_hypervisor),
        cmocka_unit_test(test_refused_registration_is_an_error),
        CASE(test_state_tables_are_sound),
    };

    return cmocka_run_group_tests_name("pci_life", tests, NULL, NULL);
}
