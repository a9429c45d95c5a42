/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Base address registers of PCI functions (PCI Local Bus Specification 3.0, 6.2.5).
 *
 *     not decoded --(command bit set, address held)--> decoded --(bit cleared, moved)--> ...
 *                 \--(another region lies there)--> refused --(that one leaves)--> decoded
 *
 * Guests write anything into BARs, all ones while they size them among it, often with decoding on.
 * An address that is zero or whose last byte is at or beyond the end of the space is not decoded.
 *
 * Left out: 64-bit BARs, which no function here has.
 */
#include "hw/pci/bar.h"

#include <errno.h>
#include <string.h>
#include "dm/log.h"

/* Type bits of a BAR's dword. */
enum { BAR_IO_SPACE = 1, BAR_PREFETCHABLE = 8, ROM_ENABLE = 1 };

int pci_bar_check(const struct pci_bar *bar, unsigned index)
{
    uint32_t least = 0;

    switch (bar->kind) {
    case PCI_BAR_NONE:
        return 0;
    case PCI_BAR_IO:
        least = 4;
        break;
    case PCI_BAR_MEM:
    case PCI_BAR_MEM_PREFETCH:
        least = 16;
        break;
    case PCI_BAR_EXPANSION:
        least = 2048;
        break;
    default:
        return -EINVAL;
    }
    if ((bar->kind == PCI_BAR_EXPANSION) != (index == PCI_BAR_ROM))
        return -EINVAL;
    if (bar->region.ops && bar->moved)
        return -EINVAL;
    if (bar->size < least || (bar->size & (bar->size - 1)) != 0)
        return -EINVAL;
    if (bar->kind == PCI_BAR_IO && bar->size > 256)
        return -EINVAL;
    return 0;
}

unsigned pci_bar_register(unsigned index)
{
    return index == PCI_BAR_ROM ? PCI_ROM_ADDRESS : PCI_BASE_ADDRESS_0 + 4 * index;
}

static uint32_t address_mask(const struct pci_bar *bar)
{
    return bar->kind == PCI_BAR_NONE ? 0 : ~(bar->size - 1);
}

uint32_t pci_bar_write_mask(const struct pci_bar *bar)
{
    return address_mask(bar) | (bar->kind == PCI_BAR_EXPANSION ? ROM_ENABLE : 0);
}

uint32_t pci_bar_type_bits(const struct pci_bar *bar)
{
    switch (bar->kind) {
    case PCI_BAR_IO:
        return BAR_IO_SPACE;
    case PCI_BAR_MEM_PREFETCH:
        return BAR_PREFETCHABLE;
    default:
        return 0;
    }
}

uint64_t pci_bar_wanted(const struct pci_function *fn, unsigned index)
{
    const struct pci_bar *bar = &fn->bar[index];
    const uint8_t *config = fn->state->config;
    unsigned reg = pci_bar_register(index);
    uint32_t value = (uint32_t)config[reg] | (uint32_t)config[reg + 1] << 8 |
                     (uint32_t)config[reg + 2] << 16 | (uint32_t)config[reg + 3] << 24;
    uint32_t address = value & address_mask(bar);
    bool io = bar->kind == PCI_BAR_IO;

    if (bar->kind == PCI_BAR_NONE || !fn->present || address == 0)
        return PCI_UNMAPPED;
    if ((config[PCI_COMMAND] & (io ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY)) == 0)
        return PCI_UNMAPPED;
    if (bar->kind == PCI_BAR_EXPANSION && (value & ROM_ENABLE) == 0)
        return PCI_UNMAPPED;
    /* The last byte of the space is never decoded: all ones is what sizing leaves there. */
    if ((uint64_t)address + bar->size - 1 >= (io ? UINT16_MAX : UINT32_MAX))
        return PCI_UNMAPPED;
    return address;
}

/* Returns whether a place in the I/O space has become free. */
static bool bar_unmap(struct pci_bar *bar, struct iospace *io)
{
    if (bar->address == PCI_UNMAPPED)
        return false;
    bar->address = PCI_UNMAPPED;
    if (!bar->region.ops)
        return false;
    iospace_remove(io, &bar->region);
    return true;
}

static void bar_map(struct pci_function *fn, unsigned index, uint64_t address, struct iospace *io)
{
    struct pci_bar *bar = &fn->bar[index];

    if (bar->region.ops) {
        bar->region.kind = bar->kind == PCI_BAR_IO ? IO_PORT : IO_MEMORY;
        bar->region.base = address;
        bar->region.length = bar->size;
        int err = iospace_add(io, &bar->region);
        if (err) {
            /* An overlap has been told by the I/O space, which knows both sides. */
            if (err != -EEXIST && !bar->refused)
                log_guest("pci %s: BAR %u cannot be at 0x%llx: %s", fn->name, index,
                          (unsigned long long)address, strerror(-err));
            bar->refused = true;
            return;
        }
    }
    bar->refused = false;
    bar->address = address;
}

bool pci_bars_leave(struct pci_function *fn, struct iospace *io)
{
    bool freed = false;

    for (unsigned i = 0; i < PCI_NUM_BARS; i++) {
        struct pci_bar *bar = &fn->bar[i];

        if (bar->region.ops && bar->address != pci_bar_wanted(fn, i) && bar_unmap(bar, io))
            freed = true;
    }
    return freed;
}

bool pci_bars_update(struct pci_function *fn, struct iospace *io)
{
    bool freed = pci_bars_leave(fn, io);

    for (unsigned i = 0; i < PCI_NUM_BARS; i++) {
        struct pci_bar *bar = &fn->bar[i];
        uint64_t before = bar->address, wanted = pci_bar_wanted(fn, i);

        if (wanted == PCI_UNMAPPED) {
            bar->address = PCI_UNMAPPED;
            bar->refused = false;
        } else if (wanted != before) {
            bar_map(fn, i, wanted, io);
        }
        if (bar->moved && bar->address != before)
            bar->moved(fn->dev, bar->address);
    }
    return freed;
}

bool pci_bars_unmap(struct pci_function *fn, struct iospace *io)
{
    bool freed = false;

    for (unsigned i = 0; i < PCI_NUM_BARS; i++) {
        struct pci_bar *bar = &fn->bar[i];
        bool told = bar->moved && bar->address != PCI_UNMAPPED;

        bar->refused = false;
        if (bar_unmap(bar, io))
            freed = true;
        if (told)
            bar->moved(fn->dev, PCI_UNMAPPED);
    }
    return freed;
}
