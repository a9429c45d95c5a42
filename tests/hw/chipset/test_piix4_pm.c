/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Power management: PMCNTRL, APM, GPE0 and the SCI, hot-plug registers. */
#include <errno.h>
#include <string.h>
#include "hw/chipset/piix4_pm.h"
#include "hw/pci/pci.h"
#include "tests/harness/machine.h"
#include "tests/harness/tap.h"

#define PM      PCI_DEVFN(1, 3)
#define PMCNTRL 0xb004
#define NIC     4

static struct machine m;
static struct piix4_pm *pm;
static struct cmos *cmos;
static uint32_t ejected;
static unsigned eject_calls;

/* The SCI as the hypervisor hears it: every call, also those that change nothing. */
static unsigned sci_calls;
static bool sci_level;

static void sci_spy(void *opaque, uint8_t irq, bool level)
{
    if (irq == 9) {
        sci_calls++;
        sci_level = level;
    }
}

static void intx_spy(void *opaque, uint8_t device, uint8_t pin, bool level)
{
}

static void eject(void *opaque, unsigned slot)
{
    ejected |= 1u << slot;
    eject_calls++;
}

static void create_with(const struct piix4_pm_config *options)
{
    struct irq_sink sink = {sci_spy, intx_spy, NULL};
    struct cmos_config memory = {.ram_below_4g = 1u << 28, .vcpus = 1};
    struct piix4_pm_config config = *options;

    machine_init(&m);
    irq_router_destroy(m.env.irqs);
    assert_int_equal(irq_router_create(&m.env.irqs, &sink), 0);
    assert_int_equal(pci_bus_create(&m.env.pci, &m.env, NULL), 0);
    assert_int_equal(cmos_create(&cmos, &m.env, &memory), 0);
    config.cmos = cmos;
    assert_int_equal(piix4_pm_create(&pm, &m.env, &config), 0);
    machine_start(&m);
    sci_calls = eject_calls = 0;
    ejected = 0;
    sci_level = false;
}

static void create(unsigned vcpus, unsigned max_vcpus)
{
    create_with(&(struct piix4_pm_config){.vcpus = vcpus,
                                          .max_vcpus = max_vcpus,
                                          .com1 = true,
                                          .hotplug_slots = 1u << NIC,
                                          .eject = eject});
}

static void put(unsigned reg, unsigned size, uint32_t value)
{
    pci_config_write(m.env.pci, PM, reg, size, value);
}

static uint32_t get(unsigned reg, unsigned size)
{
    return pci_config_read(m.env.pci, PM, reg, size);
}

/* As hvmloader does it. */
static void enable_block(void)
{
    put(0x40, 4, 0xb001);
    put(0x80, 1, 1);
}

static int setup(void **state)
{
    create(2, 4);
    enable_block();
    return 0;
}

static int teardown(void **state)
{
    machine_fini(&m);
    return 0;
}

static void test_configuration_space(void **state)
{
    machine_fini(&m);
    create(1, 1);
    assert_int_equal(get(0, 4), 0x71138086);
    assert_int_equal(get(0x08, 4), 0x06800003);
    assert_int_equal(get(PCI_STATUS, 2), 0x0280);
    assert_int_equal(get(PCI_INTERRUPT_PIN, 1), 1);
    assert_int_equal(get(0x40, 4), 1);
    assert_int_equal(get(0x5b, 1), 2);
    assert_int_equal(get(0x5f, 1), 0x10);
    assert_int_equal(get(0x63, 1), 0x60);
    assert_int_equal(get(0x67, 1), 0x08);
    assert_int_equal(get(0x80, 1), 0);
    assert_int_equal(get(0x90, 2), 0xb101);
    assert_int_equal(get(0xd2, 1), 0x09);
    put(0x40, 4, 0xffffffff);
    assert_int_equal(get(0x40, 4), 0xffc1);
    put(0x40, 4, 0);
    assert_int_equal(get(0x40, 4), 1);
    put(0xd2, 1, 0);
    assert_int_equal(get(0xd2, 1), 0);
}

static void test_block_is_decoded_where_and_when_configured(void **state)
{
    assert_int_equal(machine_in(&m, PMCNTRL, 2), 0);
    put(0x80, 1, 0);
    assert_int_equal(machine_in(&m, PMCNTRL, 2), 0xffff);
    put(0x80, 1, 1);
    put(0x40, 2, 0xb101);
    assert_int_equal(machine_in(&m, PMCNTRL, 2), 0xffff);
    assert_int_equal(machine_in(&m, 0xb104, 2), 0);
    put(0x40, 2, 1);
    assert_int_equal(machine_in(&m, 0xb104, 2), 0xffff);
    assert_int_equal(machine_in(&m, 4, 2), 0xffff);
}

/* The event block and the timer are the hypervisor's. */
static void test_neighbours_in_the_block_are_not_claimed(void **state)
{
    static const uint16_t ports[] = {0xb000, 0xb002, 0xb006, 0xb008, 0xb00a};

    for (unsigned i = 0; i < sizeof(ports) / sizeof(ports[0]); i++)
        assert_int_equal(machine_in(&m, ports[i], 2), 0xffff);
}

/* PMBA aimed at another region leaves both alive. */
static void test_block_over_another_region_is_refused(void **state)
{
    put(0x40, 2, 0xafc1); /* + 4 is free; the CPU map begins at AF00h */
    assert_int_equal(machine_in(&m, 0xafc4, 2), 0);
    put(0x40, 2, 0xaf01);
    assert_int_equal(machine_in(&m, 0xaf00, 1), 3);
    put(0x40, 2, 0xb001);
    assert_int_equal(machine_in(&m, PMCNTRL, 2), 0);
}

static void test_vector_8_apm_sets_sci_en(void **state)
{
    assert_int_equal(machine_in(&m, PMCNTRL, 2) & 1, 0);
    machine_out(&m, 0xb2, 1, 0xf1);
    assert_int_equal(machine_in(&m, PMCNTRL, 2) & 1, 1);
    assert_int_equal(machine_in(&m, 0xb2, 1), 0xf1);
    machine_out(&m, 0xb2, 1, 0xf0);
    assert_int_equal(machine_in(&m, PMCNTRL, 2) & 1, 0);
    machine_out(&m, PMCNTRL, 1, 1);
    assert_int_equal(machine_in(&m, PMCNTRL, 2), 1);
    machine_out(&m, 0xb3, 1, 0x42);
    assert_int_equal(machine_in(&m, 0xb3, 1), 0x42);
    assert_int_equal(machine_in(&m, PMCNTRL, 2), 1);
}

static void test_vector_9_power_off(void **state)
{
    machine_out(&m, PMCNTRL, 2, 0x2000);
    assert_int_equal(m.power[POWER_OFF], 1);
    assert_int_equal(machine_in(&m, PMCNTRL, 2), 0);
    machine_out(&m, PMCNTRL, 2, 0x2000); /* once is enough */
    assert_int_equal(m.power[POWER_OFF], 1);
}

static void test_power_off_by_bytes(void **state)
{
    machine_out(&m, PMCNTRL, 1, 0x01);
    machine_out(&m, PMCNTRL + 1, 1, 0x08); /* type 2, not enabled */
    assert_int_equal(m.power[POWER_OFF], 0);
    assert_int_equal(machine_in(&m, PMCNTRL, 2), 0x0801);
    machine_out(&m, PMCNTRL, 1, 0x00); /* the low byte starts nothing */
    assert_int_equal(m.power[POWER_OFF], 0);
    machine_out(&m, PMCNTRL + 1, 1, 0x20);
    assert_int_equal(m.power[POWER_OFF], 1);
}

static void test_suspend_to_ram(void **state)
{
    cmos_set(cmos, CMOS_SHUTDOWN, 0);
    machine_out(&m, PMCNTRL, 2, 0x2401);
    assert_int_equal(m.power[POWER_SUSPEND_S3], 1);
    assert_int_equal(m.power[POWER_OFF], 0);
    assert_int_equal(cmos_get(cmos, CMOS_SHUTDOWN), 0xfe);
    assert_int_equal(machine_in(&m, PMCNTRL, 2), 0x0401);
    machine_out(&m, PMCNTRL, 2, 0x2401); /* again after the resume */
    assert_int_equal(m.power[POWER_SUSPEND_S3], 2);
}

static void test_other_sleep_types_do_nothing(void **state)
{
    for (unsigned type = 2; type < 8; type++)
        machine_out(&m, PMCNTRL, 2, 0x2000 | type << 10);
    assert_int_equal(m.power[POWER_OFF] + m.power[POWER_SUSPEND_S3] + m.power[POWER_REBOOT], 0);
    assert_int_equal(machine_in(&m, PMCNTRL, 2), 7 << 10);
}

static void test_cpu_map(void **state)
{
    assert_int_equal(machine_in(&m, 0xaf00, 1), 0x03);
    for (uint16_t i = 1; i < 32; i++)
        assert_int_equal(machine_in(&m, 0xaf00 + i, 1), 0);
    machine_out(&m, 0xaf00, 1, 0); /* nothing comes back from the guest */
    assert_int_equal(machine_in(&m, 0xaf00, 4), 0x03);
    assert_true(piix4_cpu_is_online(pm, 1));
    assert_false(piix4_cpu_is_online(pm, 2));
    assert_false(piix4_cpu_is_online(pm, 1000));
}

static void test_cpu_map_of_128(void **state)
{
    machine_fini(&m);
    create(128, 128);
    for (uint16_t i = 0; i < 32; i++)
        assert_int_equal(machine_in(&m, 0xaf00 + i, 1), i < 16 ? 0xff : 0);
}

static void test_too_many_vcpus_are_refused(void **state)
{
    struct piix4_pm_config config = {.cmos = cmos, .vcpus = 2, .max_vcpus = 1};
    struct piix4_pm *none;

    assert_int_equal(piix4_pm_create(&none, &m.env, &config), -EINVAL);
    config.max_vcpus = 129;
    assert_int_equal(piix4_pm_create(&none, &m.env, &config), -EINVAL);
}

static void test_cpu_hotplug(void **state)
{
    machine_out(&m, 0xafe2, 1, 0x04);
    sci_calls = 0;
    assert_int_equal(piix4_cpu_online(pm, 2), 0);
    assert_int_equal(machine_in(&m, 0xaf00, 1), 0x07);
    assert_int_equal(machine_in(&m, 0xafe0, 1), 0x04);
    assert_int_equal(sci_calls, 2); /* low, then high */
    assert_true(sci_level);
    machine_out(&m, 0xafe0, 1, 0x04);
    assert_int_equal(machine_in(&m, 0xafe0, 1), 0);
    assert_false(sci_level);
    assert_int_equal(piix4_cpu_online(pm, 2), 0); /* already */
    assert_int_equal(machine_in(&m, 0xafe0, 1), 0);
    assert_int_equal(piix4_cpu_online(pm, 4), -EINVAL);
    assert_int_equal(machine_in(&m, 0xaf00, 1), 0x07);
}

/* The hypervisor lowers the line behind our back: an event is an edge, never a known level. */
static void test_cpu_unplug(void **state)
{
    machine_out(&m, 0xafe2, 1, 0x04);
    assert_int_equal(piix4_cpu_offline(pm, 1), 0);
    assert_int_equal(machine_in(&m, 0xaf00, 1), 1);
    assert_int_equal(machine_in(&m, 0xafe0, 1), 0x04);
    assert_true(sci_level);
    machine_out(&m, 0xafe0, 1, 0x04);
    assert_false(sci_level);
    sci_calls = 0;
    assert_int_equal(piix4_cpu_offline(pm, 1), 0); /* already */
    assert_int_equal(piix4_cpu_offline(pm, 0), -EINVAL);
    assert_int_equal(piix4_cpu_offline(pm, 4), -EINVAL);
    assert_int_equal(sci_calls, 0);
    assert_int_equal(machine_in(&m, 0xaf00, 1), 1);
}

/* What the tables for qemu-xen-traditional ask: there is no event, no slot has a device to eject.
 */
static void test_old_hotplug(void **state)
{
    machine_fini(&m);
    create_with(&(struct piix4_pm_config){.vcpus = 1, .max_vcpus = 1, .old_hotplug = true});
    for (uint16_t port = 0x10c0; port < 0x1142; port++) {
        assert_int_equal(machine_in(&m, port, 1), 0);
        machine_out(&m, port, 1, 0x11);
        assert_int_equal(machine_in(&m, port, 1), 0);
    }
    assert_int_equal(machine_in(&m, 0x10bf, 1), 0xff);
    assert_int_equal(machine_in(&m, 0x1142, 1), 0xff);
    assert_int_equal(machine_in(&m, 0xae00, 4), 0xffffffff);
    assert_int_equal(machine_in(&m, 0xaf00, 1), 1);
}

static void test_sci_level_is_never_taken_as_known(void **state)
{
    machine_out(&m, 0xafe2, 1, 0x06);
    assert_int_equal(piix4_cpu_online(pm, 2), 0);
    assert_true(sci_level);
    sci_level = false;
    sci_calls = 0;
    assert_int_equal(piix4_cpu_online(pm, 3), 0);
    assert_int_equal(sci_calls, 2);
    assert_true(sci_level);
    sci_level = false;
    machine_out(&m, 0xafe0, 1, 0x02); /* another bit: one event is still there */
    assert_true(sci_level);
}

static void test_sci_is_left_alone_without_gpe(void **state)
{
    sci_calls = 0;
    machine_out(&m, PMCNTRL, 2, 1);
    machine_out(&m, 0xb2, 1, 0xf1);
    (void)machine_in(&m, 0xafe0, 4);
    put(0x3c, 1, 9);
    assert_int_equal(piix4_cpu_online(pm, 2), 0); /* not enabled */
    assert_int_equal(sci_calls, 0);
    assert_null(machine_save_load(&m));
    assert_int_equal(sci_calls, 0);
    machine_out(&m, 0xafe2, 1, 0x04); /* enabled with the status already set */
    assert_true(sci_level);
}

/* T-ACPI-1 */
static void test_gpe_status_is_write_one_to_clear(void **state)
{
    assert_int_equal(piix4_cpu_online(pm, 2), 0);
    assert_int_equal(piix4_pci_inserted(pm, NIC), 0);
    assert_int_equal(machine_in(&m, 0xafe0, 2), 0x06);
    machine_out(&m, 0xafe0, 2, 0x02);
    assert_int_equal(machine_in(&m, 0xafe0, 2), 0x04);
    machine_out(&m, 0xafe2, 2, 0xffff);
    assert_int_equal(machine_in(&m, 0xafe0, 4), 0xffff0004);
    assert_true(sci_level);
    machine_out(&m, 0xafe0, 4, 0x0000ffff);
    assert_int_equal(machine_in(&m, 0xafe0, 4), 0);
    assert_false(sci_level);
}

static void test_pci_insert(void **state)
{
    machine_out(&m, 0xafe2, 1, 0x02);
    assert_int_equal(machine_in(&m, 0xae0c, 4), 1u << NIC);
    assert_int_equal(piix4_pci_inserted(pm, NIC), 0);
    assert_true(sci_level);
    assert_int_equal(machine_in(&m, 0xae00, 4), 1u << NIC);
    assert_int_equal(machine_in(&m, 0xae00, 4), 0); /* announced */
    assert_int_equal(piix4_pci_inserted(pm, 1), -EINVAL);
    assert_int_equal(piix4_pci_inserted(pm, 32), -EINVAL);
}

static void test_pci_eject(void **state)
{
    assert_int_equal(piix4_pci_request_eject(pm, NIC), 0);
    assert_int_equal(machine_in(&m, 0xae04, 4), 1u << NIC);
    machine_out(&m, 0xae08, 4, 1u << NIC);
    assert_int_equal(ejected, 1u << NIC);
    assert_int_equal(machine_in(&m, 0xae04, 4), 0);
    assert_int_equal(piix4_pci_request_eject(pm, 1), -EINVAL);
}

static void test_hotplug_registers_are_dwords(void **state)
{
    machine_out(&m, 0xae08, 1, 1u << NIC);
    machine_out(&m, 0xae08, 2, 1u << NIC);
    machine_out(&m, 0xae00, 4, 1u << NIC);
    assert_int_equal(eject_calls, 0);
    assert_int_equal(machine_in(&m, 0xae0c, 1), 0xff);
    assert_int_equal(machine_in(&m, 0xae02, 4), 0xffffffff);
    assert_int_equal(machine_in(&m, 0xae08, 4), 0);
    machine_out(&m, 0xae10, 4, 5);
    assert_int_equal(machine_in(&m, 0xae10, 4), 0);
}

/* Ejecting the ISA bridge, or anything else that is built in, does nothing. */
static void test_cve_2011_1751_eject_of_a_built_in_device(void **state)
{
    machine_out(&m, 0xae08, 4, ~(1u << NIC));
    assert_int_equal(eject_calls, 0);
    machine_out(&m, 0xae08, 4, 0xffffffff);
    assert_int_equal(eject_calls, 1);
    assert_int_equal(ejected, 1u << NIC);
}

/* There is no bus selector and no ACPI index register behind it: nothing to be left unset. */
static void test_cve_2021_4158_bus_select_without_bus(void **state)
{
    for (uint32_t bus = 0; bus < 300; bus++) {
        machine_out(&m, 0xae10, 4, bus * 0x01010101u);
        assert_int_equal(machine_in(&m, 0xae10, 4), 0);
        assert_int_equal(machine_in(&m, 0xae14, 4), 0xffffffff);
        machine_out(&m, 0xae14, 4, bus);
    }
    assert_int_equal(eject_calls, 0);
}

static void test_restore(void **state)
{
    machine_out(&m, PMCNTRL, 2, 0x0401);
    machine_out(&m, 0xafe2, 1, 0x04);
    assert_int_equal(piix4_cpu_online(pm, 3), 0);
    assert_int_equal(piix4_pci_request_eject(pm, NIC), 0);
    assert_null(machine_save_load(&m));
    assert_int_equal(machine_in(&m, PMCNTRL, 2), 0x0401);
    assert_int_equal(machine_in(&m, 0xaf00, 1), 0x0b);
    assert_int_equal(machine_in(&m, 0xafe0, 1), 0x06);
    assert_int_equal(machine_in(&m, 0xae04, 4), 1u << NIC);
    assert_true(sci_level);
}

static int corrupt(void *opaque, const char *name, const struct state_desc *desc, void *state)
{
    if (strcmp(name, "piix4-pm") != 0)
        return 0;
    for (size_t i = 0; i < desc->nfields; i++)
        for (uint32_t n = 0; n < desc->fields[i].count; n++)
            if (strcmp(desc->fields[i].name, opaque) == 0)
                state_set(&desc->fields[i], state, n, UINT64_MAX);
    return state_check(desc, state) ? 2 : 1;
}

/* T-ACPI-2: vCPUs that do not exist never appear, not even from a saved state. */
static void test_hostile_saved_state(void **state)
{
    char cpus[] = "cpus", up[] = "pci_up", control[] = "pmcntrl";

    assert_int_equal(arena_each(m.env.arena, corrupt, cpus), 1);
    assert_int_equal(arena_each(m.env.arena, corrupt, up), 1);
    device_loaded_all(m.env.devices);
    assert_int_equal(machine_in(&m, 0xaf00, 1), 0x0f);
    assert_int_equal(machine_in(&m, 0xaf1f, 1), 0);
    assert_int_equal(machine_in(&m, 0xae00, 4), 1u << NIC);
    assert_int_equal(arena_each(m.env.arena, corrupt, control), 2);
}

static void test_reset_is_power_on(void **state)
{
    machine_out(&m, 0xafe2, 1, 0x04);
    machine_out(&m, PMCNTRL, 2, 0x2001);
    assert_int_equal(piix4_cpu_online(pm, 3), 0);
    assert_true(sci_level);
    device_reset_all(m.env.devices);
    assert_false(sci_level);
    assert_int_equal(machine_in(&m, PMCNTRL, 2), 0xffff); /* not decoded any more */
    assert_int_equal(machine_in(&m, 0xafe0, 4), 0);
    assert_int_equal(machine_in(&m, 0xaf00, 1), 0x0b); /* vCPUs stay */
    enable_block();
    machine_out(&m, PMCNTRL, 2, 0x2000);
    assert_int_equal(m.power[POWER_OFF], 2);
}

static void test_state_tables_are_sound(void **state)
{
    assert_null(machine_table_flaw(&m));
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_configuration_space),
        CASE(test_block_is_decoded_where_and_when_configured),
        CASE(test_neighbours_in_the_block_are_not_claimed),
        CASE(test_block_over_another_region_is_refused),
        CASE(test_vector_8_apm_sets_sci_en),
        CASE(test_vector_9_power_off),
        CASE(test_power_off_by_bytes),
        CASE(test_suspend_to_ram),
        CASE(test_other_sleep_types_do_nothing),
        CASE(test_cpu_map),
        CASE(test_cpu_map_of_128),
        CASE(test_too_many_vcpus_are_refused),
        CASE(test_cpu_hotplug),
        CASE(test_cpu_unplug),
        CASE(test_old_hotplug),
        CASE(test_sci_level_is_never_taken_as_known),
        CASE(test_sci_is_left_alone_without_gpe),
        CASE(test_gpe_status_is_write_one_to_clear),
        CASE(test_pci_insert),
        CASE(test_pci_eject),
        CASE(test_hotplug_registers_are_dwords),
        CASE(test_cve_2011_1751_eject_of_a_built_in_device),
        CASE(test_cve_2021_4158_bus_select_without_bus),
        CASE(test_restore),
        CASE(test_hostile_saved_state),
        CASE(test_reset_is_power_on),
        CASE(test_state_tables_are_sound),
    };

    return cmocka_run_group_tests_name("piix4_pm", tests, NULL, NULL);
}
