/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An expansion ROM BAR that answers with an image in memory; writes to it are dropped. */
#ifndef HW_PCI_ROM_H
#define HW_PCI_ROM_H

#include "hw/pci/pci.h"

struct pci_rom {
    const uint8_t *image; /* `size` bytes, not owned; must outlive the function */
    uint32_t size;        /* bytes; a power of two, >= 2048 (as firmware/optrom.h gives it) */
};

/* Before pci_add(): makes fn's ROM BAR that image. `rom` must outlive the function. */
void pci_rom_attach(struct pci_function *fn, struct pci_rom *rom);

#endif
