/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An expansion ROM BAR that answers with an image in memory or a file; writes to it are dropped. */
#ifndef HW_PCI_ROM_H
#define HW_PCI_ROM_H

#include "hw/pci/pci.h"

/* What it answers with is its owner's, and must outlive the function. */
struct pci_rom {
    const uint8_t *image; /* `size` bytes, or NULL: the file */
    uint32_t size;        /* of the BAR: a power of two, >= 2048; 0: there is no ROM */
    int fd;               /* open for reading, a regular file (as firmware/optrom.h gives it) */
    uint32_t file_size; /* bytes of it, <= size; behind them, and when they cannot be read: ones */
};

/* Before pci_add(): makes fn's ROM BAR that image. `rom` must outlive the function. */
void pci_rom_attach(struct pci_function *fn, struct pci_rom *rom);

#endif
