/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The PCI bus with four functions whose BARs are of all kinds and sizes. Checked besides what
 * machine_ops.h says: each trapped BAR that the bus calls decoded answers at its address, a refused
 * one has an overlap for a reason, untrapped ones were told where they are, a removed function
 * reads as ones, the level of INTx follows the device and its command register.
 */
#include <string.h>
#include "hw/pci/pci.h"
#include "hw/pci/rom.h"
#include "tests/fuzz/machine_ops.h"

#define FUNCTIONS 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint16_t ports[] = {0xc000, 0xc040, 0xc080, 0xc100, 0xff00, 0x0000};
static const uint64_t addresses[] = {0xf0000000, 0xf0001000, 0xf1000000, 0xfffff000, 0x000a0000};
static const uint8_t devfns[FUNCTIONS] = {0x08, 0x09, 0x20, 0xff};

struct probe {
    struct pci_function fn;
    struct pci_rom rom;
    uint64_t told; /* where the untrapped BAR is */
};

static struct fuzz_machine fm;
static struct probe probes[FUNCTIONS];
static bool created;

static uint64_t probe_read(void *opaque, uint64_t offset, unsigned size)
{
    return ((struct probe *)opaque)->fn.devfn;
}

static void probe_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
    pci_set_irq(&((struct probe *)opaque)->fn, value & 1);
}

static const struct io_ops probe_ops = {
    .read = probe_read, .write = probe_write, .sizes = 1 | 2 | 4};

static void probe_moved(void *opaque, uint64_t base)
{
    ((struct probe *)opaque)->told = base;
}

/* Writes a BAR near those of the others, or takes a function away. */
static void own_op(struct fuzz_input *in)
{
    struct probe *probe = &probes[fuzz_u8(in) % FUNCTIONS];
    uint8_t how = fuzz_u8(in);
    unsigned bar = how % 7;
    unsigned reg = bar == PCI_BAR_ROM ? PCI_ROM_ADDRESS : PCI_BASE_ADDRESS_0 + 4 * bar;
    uint8_t place = fuzz_u8(in);
    uint32_t value = bar == 0 ? 0xc000 + 0x40u * (place & 7)
                              : 0xf0000000 + 0x1000u * (place & 0x1f) + (place >> 7);

    if (how >= 250)
        pci_remove(&probe->fn);
    else
        pci_config_write(fm.m.env.pci, probe->fn.devfn, reg, 4, value);
}

static void check_bar(const struct probe *probe, unsigned index)
{
    const struct pci_bar *bar = &probe->fn.bar[index];
    uint64_t at = pci_bar_address(&probe->fn, index);

    if (bar->moved)
        fuzz_require(probe->told == at, "an untrapped BAR knows where it is");
    if (at == PCI_UNMAPPED)
        return;
    fuzz_require(probe->fn.present && !bar->refused, "only present functions decode");
    fuzz_require((at & (bar->size - 1)) == 0, "BARs are aligned");
    if (!bar->region.ops)
        return;
    fuzz_require(bar->region.active && bar->region.base == at, "the region is where the BAR is");
    if (index < PCI_BAR_ROM)
        fuzz_require((bar->kind == PCI_BAR_IO ? machine_in(&fm.m, (uint16_t)at, 1)
                                              : machine_read(&fm.m, at, 1)) == probe->fn.devfn,
                     "the device answers in its BAR");
}

static void check(bool tampered)
{
    for (unsigned i = 0; i < FUNCTIONS; i++) {
        struct pci_function *fn = &probes[i].fn;
        uint32_t id = pci_config_read(fm.m.env.pci, fn->devfn, 0, 4);
        bool disabled = fn->state->config[PCI_COMMAND + 1] & 4;

        fuzz_require(id == (fn->present ? 0x12340000u + i : 0xffffffffu), "ids do not change");
        for (unsigned bar = 0; bar < PCI_NUM_BARS; bar++)
            check_bar(&probes[i], bar);
        fuzz_require(fm.m.intx[PCI_SLOT(fn->devfn)][i] == (fn->present && fn->intx && !disabled),
                     "INTx");
    }
}

static void create(void)
{
    static uint8_t image[4096];

    machine_init_pci(&fm.m);
    memset(image, 0x55, sizeof(image));
    for (unsigned i = 0; i < FUNCTIONS; i++) {
        static const char *const names[FUNCTIONS] = {"a", "b", "c", "d"};
        struct probe *probe = &probes[i];
        struct io_region region = {.name = names[i], .ops = &probe_ops, .dev = probe};

        probe->told = PCI_UNMAPPED;
        probe->rom = (struct pci_rom){.image = image, .size = sizeof(image)};
        probe->fn = (struct pci_function){
            .name = names[i],
            .devfn = devfns[i],
            .vendor = (uint16_t)i,
            .device = 0x1234,
            .interrupt_pin = (uint8_t)(i + 1),
            .dev = probe,
        };
        probe->fn.bar[0] = (struct pci_bar){PCI_BAR_IO, 4u << 2 * i, .region = region};
        probe->fn.bar[1] = (struct pci_bar){PCI_BAR_MEM, 16u << 4 * i, .region = region};
        probe->fn.bar[2] = (struct pci_bar){PCI_BAR_MEM_PREFETCH, 8192, .region = region};
        probe->fn.bar[4] = (struct pci_bar){PCI_BAR_MEM_PREFETCH, 4096, .moved = probe_moved};
        probe->fn.bar[5] = (struct pci_bar){.kind = PCI_BAR_MEM, .size = 1u << 24};
        pci_rom_attach(&probe->fn, &probe->rom);
        fuzz_require(pci_add(fm.m.env.pci, &probe->fn) == 0, "it can be added");
    }
    fm.ports = ports;
    fm.port_count = sizeof(ports) / sizeof(ports[0]);
    fm.addresses = addresses;
    fm.address_count = sizeof(addresses) / sizeof(addresses[0]);
    fm.devfns = devfns;
    fm.devfn_count = FUNCTIONS;
    fm.own_op = own_op;
    fm.check = check;
    fuzz_machine_start(&fm);
    created = true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!created)
        create();
    fuzz_machine_run(&fm, data, size);
    return 0;
}
