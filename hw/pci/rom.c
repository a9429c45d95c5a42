/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Expansion ROM of a PCI function (PCI Local Bus Specification 3.0, 6.3). Firmware copies the
 * image to RAM with a string move, so reads come in bulk, and a read from a file costs little
 * beside the request. No state: the bus keeps the BAR.
 */
#include "hw/pci/rom.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static void read_file(const struct pci_rom *rom, uint64_t offset, uint8_t *buf, size_t len)
{
    memset(buf, 0xff, len);
    if (offset >= rom->file_size)
        return;
    if (len > rom->file_size - offset)
        len = rom->file_size - offset;
    while (len) {
        ssize_t n = pread(rom->fd, buf, len, (off_t)offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return; /* it has become shorter */
        buf += n;
        offset += (uint64_t)n;
        len -= (size_t)n;
    }
}

/* Bytes that are inside the BAR. */
static void read_bytes(const struct pci_rom *rom, uint64_t offset, uint8_t *buf, size_t len)
{
    if (rom->image)
        memcpy(buf, rom->image + offset, len);
    else
        read_file(rom, offset, buf, len);
}

static uint64_t rom_read(void *opaque, uint64_t offset, unsigned size)
{
    const struct pci_rom *rom = opaque;
    uint8_t bytes[8] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    uint64_t value = 0;

    if (offset < rom->size)
        read_bytes(rom, offset, bytes, size < rom->size - offset ? size : rom->size - offset);
    for (unsigned i = 0; i < size; i++)
        value |= (uint64_t)bytes[i] << 8 * i;
    return value;
}

static size_t rom_read_many(void *opaque, uint64_t offset, unsigned size, void *buf, size_t count)
{
    const struct pci_rom *rom = opaque;

    if (offset >= rom->size)
        return 0;
    if (count > (rom->size - offset) / size)
        count = (rom->size - offset) / size;
    read_bytes(rom, offset, buf, count * size);
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
