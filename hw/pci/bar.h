/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Base address registers: inside of the bus, no interface for devices. */
#ifndef HW_PCI_BAR_H
#define HW_PCI_BAR_H

#include "hw/pci/pci.h"

/* Whether size and kind of a BAR go together: 0 or -EINVAL. `index` is 0..6. */
int pci_bar_check(const struct pci_bar *bar, unsigned index);

/* First configuration byte of a BAR's dword. */
unsigned pci_bar_register(unsigned index);

/* Bits of the BAR's dword that a write changes, and what the others read as. */
uint32_t pci_bar_write_mask(const struct pci_bar *bar);
uint32_t pci_bar_type_bits(const struct pci_bar *bar);

/* Where the configuration says that the BAR is now; PCI_UNMAPPED when it is not decoded. */
uint64_t pci_bar_wanted(const struct pci_function *fn, unsigned index);

/* Unmaps trapped BARs that are not where the configuration says. Returns whether some place has
 * become free. */
bool pci_bars_leave(struct pci_function *fn, struct iospace *io);

/*
 * Moves the BARs of a function to where its configuration says. All that leave their place do so
 * before any takes a new one. Returns whether some place has become free.
 */
bool pci_bars_update(struct pci_function *fn, struct iospace *io);

/* Unmaps every BAR of a function. Returns whether some place has become free. */
bool pci_bars_unmap(struct pci_function *fn, struct iospace *io);

#endif
