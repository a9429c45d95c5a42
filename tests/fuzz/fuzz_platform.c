/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The Xen platform device. Checked besides what machine_ops.h says: the magic is one of two, its
 * interrupt is never driven, a blacklisted driver unplugs nothing, the ROM area is locked exactly
 * while the flag says so.
 */
#include "hw/pci/pci.h"
#include "hw/platform/xen_platform.h"
#include "tests/fuzz/machine_ops.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint16_t ports[] = {0x10, 0x10, 0x11, 0x12, 0x12, 0x13, 0xc000, 0xc004, 0xc008};
static const uint64_t addresses[] = {0xf2000000};
static const uint8_t devfns[] = {PCI_DEVFN(2, 0)};

static struct fuzz_machine fm;
static struct xen_platform *platform;

static void unplug_disks(void *opaque, bool aux_only)
{
}

static void unplug_others(void *opaque)
{
}

/* Maps BAR0 where the ports above are. */
static void map(struct fuzz_input *in)
{
    pci_config_write(fm.m.env.pci, devfns[0], PCI_BASE_ADDRESS_0, 4, 0xc000);
    pci_config_write(fm.m.env.pci, devfns[0], PCI_COMMAND, 2, 7);
}

static void check(bool tampered)
{
    uint64_t magic = machine_in(&fm.m, 0x10, 2);

    fuzz_require(magic == 0x49d2 || magic == 0xd249, "the magic is one of two");
    fuzz_require(machine_in(&fm.m, 0x12, 1) == 1, "the version is 1");
    fuzz_require(fm.m.protected_frames[0xc0] == (machine_in(&fm.m, 0x10, 1) == 1), "ROM lock");
    fuzz_require(!fm.m.protected_frames[0xbf], "nothing else is locked");
    fuzz_require(fm.m.intx_rises[2][0] == 0, "the interrupt is never driven");
}

static bool blacklisted(void *list, uint16_t product, uint32_t build)
{
    fuzz_require(product != 0, "nobody is not asked for");
    return (product == 3 && build == 1) || (product == 0xffff && build == 0xffffffff);
}

static void create(void)
{
    struct xen_platform_config config = {
        .devfn = devfns[0],
        .unplug = {unplug_disks, unplug_others, unplug_others, NULL},
        .blacklisted = blacklisted,
    };

    machine_init_pci(&fm.m);
    fuzz_require(xen_platform_create(&platform, &fm.m.env, &config) == 0, "it can be made");
    fm.ports = ports;
    fm.port_count = sizeof(ports) / sizeof(ports[0]);
    fm.addresses = addresses;
    fm.address_count = 1;
    fm.devfns = devfns;
    fm.devfn_count = 1;
    fm.own_op = map;
    fm.check = check;
    fuzz_machine_start(&fm);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!platform)
        create();
    fuzz_machine_run(&fm, data, size);
    return 0;
}
