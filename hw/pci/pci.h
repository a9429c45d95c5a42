/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PCI bus 0: configuration space, BARs, INTx.
 *
 * Configuration cycles come decoded from the hypervisor (it watches 0xCF8/0xCFC), so only
 * functions registered here ever see one. Reads beyond a function's registers give zero, absent
 * functions give ones. A BAR's region is in the I/O space exactly while its decoding is enabled
 * and it holds an address.
 */
#ifndef HW_PCI_PCI_H
#define HW_PCI_PCI_H

#include "dm/env.h"

#define PCI_DEVFN(device, function) ((uint8_t)((device) << 3 | (function)))
#define PCI_SLOT(devfn)             ((devfn) >> 3)
#define PCI_FUNC(devfn)             ((devfn)&7)

/* Configuration registers by their names in the PCI Local Bus Specification. */
enum {
    PCI_VENDOR_ID = 0x00,
    PCI_DEVICE_ID = 0x02,
    PCI_COMMAND = 0x04,
    PCI_STATUS = 0x06,
    PCI_REVISION_ID = 0x08,
    PCI_CLASS_PROG = 0x09,
    PCI_CLASS_DEVICE = 0x0a,
    PCI_HEADER_TYPE = 0x0e,
    PCI_BASE_ADDRESS_0 = 0x10,
    PCI_SUBSYSTEM_VENDOR_ID = 0x2c,
    PCI_SUBSYSTEM_ID = 0x2e,
    PCI_ROM_ADDRESS = 0x30,
    PCI_INTERRUPT_LINE = 0x3c,
    PCI_INTERRUPT_PIN = 0x3d,

    PCI_COMMAND_IO = 1,
    PCI_COMMAND_MEMORY = 2,
    PCI_COMMAND_MASTER = 4,
};

#define PCI_BAR_ROM  6
#define PCI_NUM_BARS 7 /* six and the expansion ROM */

#define PCI_UNMAPPED UINT64_MAX

enum pci_bar_kind {
    PCI_BAR_NONE,
    PCI_BAR_IO,
    PCI_BAR_MEM,
    PCI_BAR_MEM_PREFETCH,
    PCI_BAR_EXPANSION
};

struct pci_bar {
    enum pci_bar_kind kind;
    uint32_t size; /* a power of two: >= 4 for I/O, >= 16 for memory, >= 2048 for the ROM */
    /* A BAR of registers: region.ops, .dev and .name set by the device; the bus does the rest. */
    struct io_region region;
    /* A BAR that is not trapped (video memory): told where it is, or PCI_UNMAPPED. */
    void (*moved)(void *dev, uint64_t base);
    /* Neither .region.ops nor .moved: address space that nobody here answers (grant frames). */

    /* Owned by the bus. */
    uint64_t address; /* where it is decoded now, or PCI_UNMAPPED */
    bool refused;     /* it would be decoded but for an overlap: tried again when others move */
};

struct pci_function_state {
    uint8_t config[256];
};

struct pci_function {
    /* Set by the device before pci_add(). */
    const char *name; /* also the name of the arena object: "pci.<name>" */
    uint8_t devfn;
    uint16_t vendor, device, subsystem_vendor, subsystem;
    uint8_t revision, prog_if;
    uint16_t class_code; /* base class << 8 | subclass */
    uint8_t header_type;
    uint8_t interrupt_pin; /* 0 none, 1 INTA ... 4 INTD */
    uint16_t command_reset, status_reset;
    struct pci_bar bar[PCI_NUM_BARS];
    void *dev;
    /* After a write has been stored under the write masks; NULL: not interested. */
    void (*config_written)(void *dev, unsigned reg, unsigned size);
    /*
     * More registers of the device's own, from 0x40 on, with reset values: called at pci_add()
     * and at every reset after the standard header has been set. NULL: all of 0x40.. is storage
     * that resets to zero.
     */
    void (*config_reset)(void *dev, uint8_t *config);

    /* Owned by the bus. */
    struct pci_function_state *state;
    uint8_t
        write_mask[256]; /* 0x40.. default to all ones; a device may narrow them after pci_add */
    struct pci_bus *bus;
    struct irq irq;
    bool present;
    bool intx; /* what the device asked for last */
};

/* How functions reach the hypervisor. Returns 0 or -errno. */
struct pci_claim_ops {
    int (*claim)(void *opaque, uint8_t devfn);
    int (*release)(void *opaque, uint8_t devfn);
    void *opaque;
};

/* `claims` may be NULL (tests). The bus registers itself in env->devices. */
int pci_bus_create(struct pci_bus **out, const struct dm_env *env,
                   const struct pci_claim_ops *claims);

/* Adds a function: -EEXIST when the devfn is taken, -EINVAL for a bad BAR. The struct is the
 * device's and must outlive the bus. */
int pci_add(struct pci_bus *bus, struct pci_function *fn);

/* Takes a function away for good (unplug): regions gone, line low, reads ones. Survives a save:
 * the presence of each function is part of the bus's own state. Idempotent. */
void pci_remove(struct pci_function *fn);

/* INTx level of the function. A function without a pin ignores it. */
void pci_set_irq(struct pci_function *fn, bool level);

/* Whether the function may do DMA now. */
bool pci_bus_master(const struct pci_function *fn);

/* Base address of a BAR while it is decoded, else PCI_UNMAPPED. */
uint64_t pci_bar_address(const struct pci_function *fn, unsigned bar);

/* Back to reset values, BARs unmapped: what unplug does to the IDE function. */
void pci_function_reset(struct pci_function *fn);

/* A configuration cycle of 1, 2 or 4 bytes; may be unaligned: bytes past 255 read as ones. */
uint32_t pci_config_read(struct pci_bus *bus, uint8_t devfn, unsigned reg, unsigned size);
void pci_config_write(struct pci_bus *bus, uint8_t devfn, unsigned reg, unsigned size,
                      uint32_t value);

/* Calls visit() for every present function in devfn order (query-pci). */
void pci_each(struct pci_bus *bus, void (*visit)(void *opaque, const struct pci_function *fn),
              void *opaque);

#endif
