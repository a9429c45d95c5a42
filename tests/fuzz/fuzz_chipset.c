/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The chipset: bridges, fixed ports, CMOS, 8237, power management with its hot-plug registers.
 * Checked besides what machine_ops.h says: one reset and one power-off is asked for at most, the
 * SCI is what the GPE registers say, routes are ISA interrupts, vCPUs that do not exist never
 * appear, and only slots that may be ejected are.
 */
#include "hw/chipset/cmos.h"
#include "hw/chipset/i440fx.h"
#include "hw/chipset/i8237.h"
#include "hw/chipset/piix3.h"
#include "hw/chipset/piix4_pm.h"
#include "hw/chipset/ports.h"
#include "hw/pci/pci.h"
#include "tests/fuzz/machine_ops.h"

#define VCPUS 3
#define SLOTS 0x000000f0u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint16_t ports[] = {0x00,  0x10,   0x70,   0x80,   0x92,   0xb2,   0xc0,   0x480,
                                 0xcf8, 0xae00, 0xaf00, 0xafe0, 0xb000, 0xb004, 0xafc0, 0xff00};
static const uint8_t devfns[] = {PCI_DEVFN(0, 0), PCI_DEVFN(1, 0), PCI_DEVFN(1, 3)};

static struct fuzz_machine fm;
static struct piix4_pm *pm;

static void eject(void *opaque, unsigned slot)
{
    fuzz_require(slot < 32 && (SLOTS >> slot & 1), "only hot-plug slots are ejected");
}

static void host_event(struct fuzz_input *in)
{
    uint8_t n = fuzz_u8(in);

    switch (fuzz_u8(in) % 3) {
    case 0:
        (void)piix4_cpu_online(pm, n);
        break;
    case 1:
        (void)piix4_pci_inserted(pm, n);
        break;
    default:
        (void)piix4_pci_request_eject(pm, n);
    }
}

static void check(bool tampered)
{
    uint32_t gpe0 = (uint32_t)machine_in(&fm.m, 0xafe0, 4);

    /* A load into a running device leaves the line alone, as it may be the hypervisor's. */
    if (!tampered)
        fuzz_require(fm.m.isa[9] == ((gpe0 & gpe0 >> 16) != 0), "SCI is a function of GPE0");
    fuzz_require((machine_in(&fm.m, 0xaf00, 1) & ~((1u << VCPUS) - 1)) == 0, "vCPUs exist");
    for (unsigned i = 0; i < 4; i++)
        fuzz_require(fm.m.link[i] < 16, "routes are ISA interrupts");
    fuzz_require(fm.m.mappings == 0, "the chipset touches no guest memory");
}

static void create(void)
{
    struct i440fx_config host = {.ram_mib = 64};
    struct cmos_config memory = {.ram_below_4g = 64u << 20, .vcpus = VCPUS};
    struct piix4_pm_config power = {
        .vcpus = 1, .max_vcpus = VCPUS, .hotplug_slots = SLOTS, .eject = eject};
    struct i440fx *i440fx;
    struct piix3 *piix3;
    struct chipset_ports *fixed;
    struct i8237 *dma;
    int err;

    machine_init_pci(&fm.m);
    err = i440fx_create(&i440fx, &fm.m.env, &host);
    err |= piix3_create(&piix3, &fm.m.env);
    err |= chipset_ports_create(&fixed, &fm.m.env);
    err |= cmos_create(&power.cmos, &fm.m.env, &memory);
    err |= piix4_pm_create(&pm, &fm.m.env, &power);
    err |= i8237_create(&dma, &fm.m.env);
    fuzz_require(err == 0, "the chipset can be made");
    fm.ports = ports;
    fm.port_count = sizeof(ports) / sizeof(ports[0]);
    fm.devfns = devfns;
    fm.devfn_count = sizeof(devfns) / sizeof(devfns[0]);
    fm.own_op = host_event;
    fm.check = check;
    fuzz_machine_start(&fm);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!pm)
        create();
    fuzz_machine_run(&fm, data, size);
    return 0;
}
