/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Slots and functions of PCI bus 0.
 *
 * The guest knows its devices by slot, and so does a saved state: the rule must never change.
 * 00.0, 01.0, 01.1 (and 01.2 with -usb, 01.3 with ACPI) belong to the chipset. Everything else
 * takes addr=, or function 0 of the lowest slot that nothing is in, in the order of creation; a
 * device that is not built yet still uses up its slot.
 */
#include "toolstack/cmdline_internal.h"

#include <stdio.h>
#include <string.h>

#define SLOTS        32
#define CHIPSET_SLOT 1 /* all functions of the PIIX belong to the chipset */

static const struct config_pci *pci_at(const struct config *c, unsigned slot, int function)
{
    for (unsigned i = 0; i < c->pci_count; i++) {
        const struct config_pci *pci = &c->pci[i];

        if (pci->slot == slot && (function < 0 || pci->function == (unsigned)function))
            return pci;
    }
    return NULL;
}

/* addr=SLOT[.FUNCTION], both hexadecimal with or without 0x, as QEMU reads them. */
static bool parse_addr(const char *addr, unsigned *slot, unsigned *function)
{
    unsigned *out[2] = {slot, function};
    const unsigned max[2] = {SLOTS - 1, 7};

    *function = 0;
    for (int i = 0; i < 2; i++) {
        char hex[8] = "0x";
        const char *digits = addr;
        size_t n;
        uint64_t value;

        if (addr[0] == '0' && (addr[1] == 'x' || addr[1] == 'X'))
            digits += 2;
        n = strspn(digits, "0123456789abcdefABCDEF");
        if (n == 0 || n > 4)
            return false;
        memcpy(hex + 2, digits, n);
        hex[2 + n] = '\0';
        if (!keyval_parse_uint(hex, 0, max[i], &value))
            return false;
        *out[i] = (unsigned)value;
        addr = digits + n;
        if (i == 0 && *addr == '.')
            addr++;
        else
            break;
    }
    return *addr == '\0';
}

static struct config_pci *pci_new(struct parser *p, enum config_pci_kind kind, const char *driver)
{
    struct config *c = p->config;
    struct config_pci *pci;

    if (c->pci_count == CONFIG_PCI_MAX) {
        fail(p, "one PCI device too many; accepted: up to %d", CONFIG_PCI_MAX);
        return NULL;
    }
    pci = &c->pci[c->pci_count];
    pci->kind = kind;
    pci->driver = keep(p, driver);
    pci->index = -1;
    pci->bootindex = -1;
    return pci;
}

int pci_add_fixed(struct parser *p, enum config_pci_kind kind, const char *driver, unsigned slot,
                  unsigned function)
{
    struct config_pci *pci = pci_new(p, kind, driver);

    if (!pci)
        return -1;
    pci->slot = slot;
    pci->function = function;
    pci->addr_given = true;
    return (int)p->config->pci_count++;
}

/* Finds the place for pci; addr is NULL for the lowest free slot. */
static void place(struct parser *p, struct config_pci *pci, const char *addr)
{
    const struct config *c = p->config;
    const struct config_pci *other;

    if (!addr) {
        pci->slot = CHIPSET_SLOT + 1;
        while (pci->slot < SLOTS && pci_at(c, pci->slot, -1))
            pci->slot++;
        if (pci->slot == SLOTS)
            fail(p, "no PCI slot is free; accepted: devices in slots 2 to %d", SLOTS - 1);
        return;
    }
    pci->addr_given = true;
    if (!parse_addr(addr, &pci->slot, &pci->function)) {
        fail(p,
             "addr=%.20s is not accepted; accepted: SLOT or SLOT.FUNCTION in hexadecimal, 2 to "
             "1f, 0 to 7",
             addr);
        return;
    }
    if (pci->slot <= CHIPSET_SLOT) {
        fail(p, "addr=%.20s belongs to the chipset; accepted: slots 2 to 1f", addr);
        return;
    }
    other = pci_at(c, pci->slot, (int)pci->function);
    if (other) {
        fail(p, "addr=%.20s is taken by %s%s%.60s", addr, other->driver, other->id ? " id=" : "",
             other->id ? other->id : "");
        return;
    }
    /* Functions above 0 are found by an operating system only when function 0 announces them. */
    other = pci_at(c, pci->slot, 0);
    if (pci->function && other && !other->multifunction)
        fail(p, "addr=%.20s: %s in function 0 of this slot needs multifunction=on", addr,
             other->driver);
}

/* QEMU's rombar= is a number. */
static bool rombar_of(struct parser *p, struct keyval *kv)
{
    const char *text = list_string(p, kv, "rombar");

    if (text && (!strcmp(text, "0") || !strcmp(text, "1")))
        return text[0] == '1';
    return list_bool(p, kv, "rombar", true);
}

int config_pci_add(struct parser *p, enum config_pci_kind kind, const char *driver,
                   struct keyval *kv)
{
    struct config_pci *pci = pci_new(p, kind, driver);
    const char *bus, *id, *addr = NULL;

    if (!pci)
        return -1;
    if (kv) {
        id = list_string(p, kv, "id");
        bus = list_string(p, kv, "bus");
        addr = list_string(p, kv, "addr");
        pci->id = id ? keep(p, id) : NULL;
        pci->multifunction = list_bool(p, kv, "multifunction", false);
        pci->romfile = list_string(p, kv, "romfile");
        if (pci->romfile)
            pci->romfile = keep(p, pci->romfile);
        if (!rombar_of(p, kv))
            pci->romfile = "";
        pci->bootindex = (int)list_uint(p, kv, "bootindex", (uint64_t)-1, 0, 0x7fffffff);
        if (bus && strcmp(bus, "pci.0") && strcmp(bus, "pci"))
            fail(p, "bus=%.40s is not there; accepted: bus=pci.0", bus);
    }
    if (!p->err)
        place(p, pci, addr);
    if (p->err)
        return -1;
    return (int)p->config->pci_count++;
}
