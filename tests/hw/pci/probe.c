/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/hw/pci/probe.h"

#include <string.h>

static uint64_t probe_read(void *opaque, uint64_t offset, unsigned size)
{
    return offset;
}

static void probe_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
    ((struct probe *)opaque)->written = value;
}

static const struct io_ops probe_ops = {
    .read = probe_read, .write = probe_write, .sizes = 1 | 2 | 4};

void probe_moved(void *opaque, uint64_t base)
{
    struct probe *p = opaque;

    p->vram = base;
    p->moves++;
}

static void probe_config_written(void *opaque, unsigned reg, unsigned size)
{
    struct probe *p = opaque;

    assert_true(reg + size <= 256);
    p->config_writes++;
}

static void probe_config_reset(void *opaque, uint8_t *config)
{
    config[0x50] = 0x5a;
}

struct machine m;
struct probe probe, other;

void probe_describe(struct probe *p, const char *name, uint8_t devfn)
{
    memset(p, 0, sizeof(*p));
    memset(p->image, 0x77, sizeof(p->image));
    p->vram = PCI_UNMAPPED;
    p->rom = (struct pci_rom){.image = p->image, .size = sizeof(p->image)};
    p->fn = (struct pci_function){
        .name = name,
        .devfn = devfn,
        .vendor = 0x1234,
        .device = 0x5678,
        .subsystem_vendor = 0x1af4,
        .subsystem = 0x1100,
        .revision = 7,
        .prog_if = 0x80,
        .class_code = 0x0300,
        .interrupt_pin = 2,
        .dev = p,
        .config_written = probe_config_written,
        .config_reset = probe_config_reset,
    };
    p->fn.bar[0] = (struct pci_bar){
        .kind = PCI_BAR_IO, .size = 256, .region = {.name = name, .ops = &probe_ops, .dev = p}};
    p->fn.bar[1] = (struct pci_bar){
        .kind = PCI_BAR_MEM, .size = 4096, .region = {.name = name, .ops = &probe_ops, .dev = p}};
    p->fn.bar[2] = (struct pci_bar){.kind = PCI_BAR_MEM_PREFETCH, .size = 16u << 20};
    p->fn.bar[3] =
        (struct pci_bar){.kind = PCI_BAR_MEM_PREFETCH, .size = 8u << 20, .moved = probe_moved};
    pci_rom_attach(&p->fn, &p->rom);
}

int probe_setup(void **state)
{
    machine_init_pci(&m);
    probe_describe(&probe, "probe", PCI_DEVFN(4, 0));
    probe_describe(&other, "other", PCI_DEVFN(5, 0));
    assert_int_equal(pci_add(m.env.pci, &probe.fn), 0);
    assert_int_equal(pci_add(m.env.pci, &other.fn), 0);
    machine_start(&m);
    return 0;
}

int probe_teardown(void **state)
{
    machine_fini(&m);
    return 0;
}

uint32_t get(unsigned reg, unsigned size)
{
    return pci_config_read(m.env.pci, probe.fn.devfn, reg, size);
}

void put(unsigned reg, unsigned size, uint32_t value)
{
    pci_config_write(m.env.pci, probe.fn.devfn, reg, size, value);
}

void put_other(unsigned reg, unsigned size, uint32_t value)
{
    pci_config_write(m.env.pci, other.fn.devfn, reg, size, value);
}

void map_all(void)
{
    put(0x10, 4, IO_AT);
    put(0x14, 4, MEM_AT);
    put(0x1c, 4, 0xe0000000);
    put(0x30, 4, ROM_AT | 1);
    put(PCI_COMMAND, 2, 7);
}
