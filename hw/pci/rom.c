/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Expansion ROM of a PCI function (PCI Local Bus Specification 3.0, 6.3). Firmware copies the
 * image to RAM with a string move, so reads come in bulk. No state: the bus keeps the BAR.
 */
#include "hw/pci/rom.h"

#include <string.h>

static uint64_t rom_read(void *opaque, uint64_t offset, unsigned size)
{
    const struct pci_rom *rom = opaque;
    uint64_t value = 0;

    for (unsigned i = 0; i < size; i++) {
        uint64_t byte = offset + i < rom->size ? rom->image[offset + i] : 0xff;
        value |= byte << 8 * i;
    }
    return value;
}

static size_t rom_read_many(void *opaque, uint64_t offset, unsigned size, void *buf, size_t count)
{
    const struct pci_rom *rom = opaque;

    if (offset >= rom->size)
        return 0;
    if (count > (rom->size - offset) / size)
        count = (rom->size - offset) / size;
    memcpy(buf, rom->image + offset, count * size);
    return count;
}

static void rom_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
}

static const struct io_ops rom_ops = {
    .read = rom_read,
    .write = rom_write,
    .sizes = 1 | 2 | 4 | 8,
    .read_many = rom_read_many,
};

void pci_rom_attach(struct pci_function *fn, struct pci_rom *rom)
{
    struct pci_bar *bar = &fn->bar[PCI_BAR_ROM];

    bar->kind = PCI_BAR_EXPANSION;
    bar->size = rom->size;
    bar->region.name = "rom";
    bar->region.ops = &rom_ops;
    bar->region.dev = rom;
}
