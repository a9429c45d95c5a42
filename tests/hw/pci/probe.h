/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A bus with two functions made for the purpose: "probe" at 4.0 and "other" at 5.0. */
#ifndef TESTS_HW_PCI_PROBE_H
#define TESTS_HW_PCI_PROBE_H

#include "hw/pci/pci.h"
#include "hw/pci/rom.h"
#include "tests/harness/machine.h"
#include "tests/harness/tap.h"

#define IO_AT  0xc000u
#define MEM_AT 0xf0000000u
#define ROM_AT 0xf1000000u

/* A function with one BAR of every kind, whose registers read as the low byte of their offset. */
struct probe {
    struct pci_function fn;
    struct pci_rom rom;
    uint8_t image[2048];
    uint64_t written; /* last value */
    uint64_t vram;    /* where moved() says that BAR 3 is */
    unsigned moves, config_writes;
};

extern struct machine m;
extern struct probe probe, other;

/* A function that is not on the bus yet. */
void probe_describe(struct probe *p, const char *name, uint8_t devfn);
/* The handler of BAR 3. */
void probe_moved(void *opaque, uint64_t base);

/* cmocka fixtures: both functions are there, nothing is mapped. */
int probe_setup(void **state);
int probe_teardown(void **state);

#define CASE(test) cmocka_unit_test_setup_teardown(test, probe_setup, probe_teardown)

/* Configuration cycles of the first one, and of the other. */
uint32_t get(unsigned reg, unsigned size);
void put(unsigned reg, unsigned size, uint32_t value);
void put_other(unsigned reg, unsigned size, uint32_t value);
/* Places the first one's BARs and ROM, and turns decoding on. */
void map_all(void);

#endif
