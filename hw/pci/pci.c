/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PCI bus 0 (PCI Local Bus Specification 3.0): functions, their configuration space, INTx.
 *
 * State: 256 bytes of configuration a function, and which functions are there at all (unplug takes
 * some away for good). Everything else is derived from that: what is registered with the
 * hypervisor, where BARs are decoded, the level of INTx.
 *
 *     absent --pci_add--> present --pci_remove--> removed (reads ones, until the next machine)
 *
 * Left out: bridges and other buses, capabilities, PERR#/SERR#, extended configuration space.
 */
#include "hw/pci/pci.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "dm/device.h"
#include "dm/log.h"
#include "hw/pci/bar.h"

enum {
    PCI_CACHE_LINE_SIZE = 0x0c,
    PCI_HEADER_END = 0x40,
    PCI_COMMAND_SERR = 1 << 8,
    PCI_COMMAND_INTX_DISABLE = 1 << 10,
    PCI_STATUS_INTERRUPT = 1 << 3,
    PCI_FUNCTIONS = 256,
};

/* What a guest can switch in the command register; the other bits have no meaning here. */
#define COMMAND_WRITABLE                                                                           \
    (PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_SERR |                 \
     PCI_COMMAND_INTX_DISABLE)

struct pci_bus_state {
    bool removed[PCI_FUNCTIONS]; /* by devfn */
};

static const struct state_field bus_fields[] = {
    STATE_ARRAY(struct pci_bus_state, removed, .flags = STATE_KEEP),
};
static const struct state_desc bus_desc =
    STATE_DESC("pci-bus", 1, struct pci_bus_state, bus_fields, NULL);

static const struct state_field function_fields[] = {
    /* The bus gives the reset values: they differ from function to function. */
    STATE_ARRAY(struct pci_function_state, config, .flags = STATE_KEEP),
};
static const struct state_desc function_desc =
    STATE_DESC("pci-function", 1, struct pci_function_state, function_fields, NULL);

struct pci_bus {
    struct pci_bus_state *state;
    struct arena *arena;
    struct iospace *io;
    struct irq_router *irqs;
    struct pci_claim_ops claims;
    struct pci_function *functions[PCI_FUNCTIONS]; /* by devfn; removed ones stay here */
};

static void put16(uint8_t *bytes, uint16_t value)
{
    bytes[0] = (uint8_t)value;
    bytes[1] = (uint8_t)(value >> 8);
}

static void put32(uint8_t *bytes, uint32_t value)
{
    put16(bytes, (uint16_t)value);
    put16(bytes + 2, (uint16_t)(value >> 16));
}

static uint16_t get16(const uint8_t *bytes)
{
    return (uint16_t)(bytes[0] | bytes[1] << 8);
}

/* ---- one function ---------------------------------------------------------------------------- */

static void config_power_on(const struct pci_function *fn, uint8_t *config)
{
    memset(config, 0, sizeof(fn->state->config));
    put16(config + PCI_VENDOR_ID, fn->vendor);
    put16(config + PCI_DEVICE_ID, fn->device);
    put16(config + PCI_COMMAND, fn->command_reset);
    put16(config + PCI_STATUS, fn->status_reset);
    config[PCI_REVISION_ID] = fn->revision;
    config[PCI_CLASS_PROG] = fn->prog_if;
    put16(config + PCI_CLASS_DEVICE, fn->class_code);
    config[PCI_HEADER_TYPE] = fn->header_type;
    put16(config + PCI_SUBSYSTEM_VENDOR_ID, fn->subsystem_vendor);
    put16(config + PCI_SUBSYSTEM_ID, fn->subsystem);
    config[PCI_INTERRUPT_PIN] = fn->interrupt_pin;
    for (unsigned i = 0; i < PCI_NUM_BARS; i++)
        put32(config + pci_bar_register(i), pci_bar_type_bits(&fn->bar[i]));
    if (fn->config_reset)
        fn->config_reset(fn->dev, config);
}

static void set_write_mask(struct pci_function *fn)
{
    memset(fn->write_mask, 0, PCI_HEADER_END);
    memset(fn->write_mask + PCI_HEADER_END, 0xff, sizeof(fn->write_mask) - PCI_HEADER_END);
    put16(fn->write_mask + PCI_COMMAND, COMMAND_WRITABLE);
    fn->write_mask[PCI_CACHE_LINE_SIZE] = 0xff;
    fn->write_mask[PCI_INTERRUPT_LINE] = 0xff;
    for (unsigned i = 0; i < PCI_NUM_BARS; i++)
        put32(fn->write_mask + pci_bar_register(i), pci_bar_write_mask(&fn->bar[i]));
}

static void irq_update(struct pci_function *fn)
{
    bool disabled = get16(fn->state->config + PCI_COMMAND) & PCI_COMMAND_INTX_DISABLE;

    irq_set(&fn->irq, fn->present && fn->intx && !disabled);
}

/* A place in the I/O space has become free: a BAR that was refused may fit now. */
static void retry_refused(struct pci_bus *bus)
{
    for (unsigned devfn = 0; devfn < PCI_FUNCTIONS; devfn++) {
        struct pci_function *fn = bus->functions[devfn];

        for (unsigned i = 0; fn && i < PCI_NUM_BARS; i++) {
            if (fn->bar[i].refused) {
                (void)pci_bars_update(fn, bus->io);
                break;
            }
        }
    }
}

static void derive(struct pci_function *fn)
{
    if (pci_bars_update(fn, fn->bus->io))
        retry_refused(fn->bus);
    irq_update(fn);
}

static int set_present(struct pci_function *fn, bool present)
{
    struct pci_bus *bus = fn->bus;
    int err = 0;

    if (fn->present == present)
        return 0;
    if (present && bus->claims.claim)
        err = bus->claims.claim(bus->claims.opaque, fn->devfn);
    else if (!present && bus->claims.release)
        err = bus->claims.release(bus->claims.opaque, fn->devfn);
    if (err) {
        log_error("pci %s: the hypervisor does not %s function %02x.%u: %s", fn->name,
                  present ? "register" : "release", PCI_SLOT(fn->devfn), PCI_FUNC(fn->devfn),
                  strerror(-err));
        if (present)
            return err;
    }
    fn->present = present;
    if (!present) {
        if (pci_bars_unmap(fn, bus->io))
            retry_refused(bus);
        irq_update(fn);
    }
    return 0;
}

int pci_add(struct pci_bus *bus, struct pci_function *fn)
{
    char name[ARENA_NAME_MAX];

    if (bus->functions[fn->devfn])
        return -EEXIST;
    if (fn->interrupt_pin > 4)
        return -EINVAL;
    for (unsigned i = 0; i < PCI_NUM_BARS; i++) {
        int err = pci_bar_check(&fn->bar[i], i);
        if (err)
            return err;
        fn->bar[i].address = PCI_UNMAPPED;
        fn->bar[i].refused = false;
    }
    int length = snprintf(name, sizeof(name), "pci.%s", fn->name);
    if (length < 0 || (size_t)length >= sizeof(name))
        return -ENAMETOOLONG;
    fn->state = arena_alloc(bus->arena, name, &function_desc);
    if (!fn->state)
        return -ENOMEM;
    fn->bus = bus;
    fn->present = false;
    fn->intx = false;
    fn->irq = fn->interrupt_pin
                  ? irq_router_intx(bus->irqs, PCI_SLOT(fn->devfn), fn->interrupt_pin - 1)
                  : (struct irq){0};
    set_write_mask(fn);
    config_power_on(fn, fn->state->config);
    int err = set_present(fn, true);
    if (err)
        return err;
    bus->functions[fn->devfn] = fn;
    derive(fn);
    return 0;
}

void pci_remove(struct pci_function *fn)
{
    fn->bus->state->removed[fn->devfn] = true;
    (void)set_present(fn, false);
}

void pci_set_irq(struct pci_function *fn, bool level)
{
    fn->intx = level;
    irq_update(fn);
}

bool pci_bus_master(const struct pci_function *fn)
{
    return fn->present && (fn->state->config[PCI_COMMAND] & PCI_COMMAND_MASTER);
}

uint64_t pci_bar_address(const struct pci_function *fn, unsigned bar)
{
    return bar < PCI_NUM_BARS ? fn->bar[bar].address : PCI_UNMAPPED;
}

void pci_function_reset(struct pci_function *fn)
{
    config_power_on(fn, fn->state->config);
    derive(fn);
}

/* ---- configuration cycles -------------------------------------------------------------------- */

static uint32_t size_mask(unsigned size)
{
    return size >= 4 ? UINT32_MAX : (UINT32_C(1) << 8 * size) - 1;
}

uint32_t pci_config_read(struct pci_bus *bus, uint8_t devfn, unsigned reg, unsigned size)
{
    const struct pci_function *fn = bus->functions[devfn];
    uint32_t value = UINT32_MAX;

    if (!fn || !fn->present)
        return size_mask(size);
    for (unsigned i = 0; i < size && i < 4; i++) {
        unsigned at = reg + i;
        uint32_t byte;

        if (at >= sizeof(fn->state->config))
            break;
        byte = fn->state->config[at];
        if (at == PCI_STATUS && fn->intx)
            byte |= PCI_STATUS_INTERRUPT;
        value = (value & ~(UINT32_C(0xff) << 8 * i)) | byte << 8 * i;
    }
    return value & size_mask(size);
}

/* Whether [reg, reg + size) touches [first, first + length). */
static bool touches(unsigned reg, unsigned size, unsigned first, unsigned length)
{
    return reg < first + length && first < reg + size;
}

void pci_config_write(struct pci_bus *bus, uint8_t devfn, unsigned reg, unsigned size,
                      uint32_t value)
{
    struct pci_function *fn = bus->functions[devfn];

    if (!fn || !fn->present || reg >= sizeof(fn->state->config))
        return;
    if (size > 4)
        size = 4;
    if (size > sizeof(fn->state->config) - reg)
        size = (unsigned)sizeof(fn->state->config) - reg;
    for (unsigned i = 0; i < size; i++) {
        uint8_t mask = fn->write_mask[reg + i];
        uint8_t *byte = &fn->state->config[reg + i];

        *byte = (uint8_t)((*byte & ~mask) | ((value >> 8 * i) & mask));
    }
    if (touches(reg, size, PCI_COMMAND, 2) ||
        touches(reg, size, PCI_BASE_ADDRESS_0, 4 * PCI_BAR_ROM) ||
        touches(reg, size, PCI_ROM_ADDRESS, 4))
        derive(fn);
    if (fn->config_written)
        fn->config_written(fn->dev, reg, size);
}

/* ---- the bus as a device --------------------------------------------------------------------- */

static void bus_reset(void *opaque)
{
    struct pci_bus *bus = opaque;

    for (unsigned devfn = 0; devfn < PCI_FUNCTIONS; devfn++)
        if (bus->functions[devfn])
            pci_function_reset(bus->functions[devfn]);
}

/*
 * The header's read-only bits say what the function is, not what has happened to it: a saved state
 * does not decide about them.
 */
static void header_restore(struct pci_function *fn)
{
    uint8_t power_on[sizeof(fn->state->config)];

    config_power_on(fn, power_on);
    for (unsigned i = 0; i < PCI_HEADER_END; i++)
        fn->state->config[i] = (uint8_t)((fn->state->config[i] & fn->write_mask[i]) |
                                         (power_on[i] & ~fn->write_mask[i]));
}

static void bus_loaded(void *opaque)
{
    struct pci_bus *bus = opaque;

    for (unsigned devfn = 0; devfn < PCI_FUNCTIONS; devfn++) {
        struct pci_function *fn = bus->functions[devfn];

        if (!fn)
            continue;
        header_restore(fn);
        /* All leave their old places first: the new one may be the old one of another. */
        (void)set_present(fn, !bus->state->removed[devfn]);
        (void)pci_bars_leave(fn, bus->io);
    }
    for (unsigned devfn = 0; devfn < PCI_FUNCTIONS; devfn++)
        if (bus->functions[devfn])
            derive(bus->functions[devfn]);
}

static void bus_destroy(void *opaque)
{
    /* The functions went before: they belong to devices that were made after the bus. */
    free(opaque);
}

static const struct device_ops bus_ops = {
    .name = "pci",
    .stays_on = true,
    .reset = bus_reset,
    .loaded = bus_loaded,
    .destroy = bus_destroy,
};

int pci_bus_create(struct pci_bus **out, const struct dm_env *env,
                   const struct pci_claim_ops *claims)
{
    struct pci_bus *bus = calloc(1, sizeof(*bus));
    int err = -ENOMEM;

    if (!bus)
        return -ENOMEM;
    bus->arena = env->arena;
    bus->io = env->io;
    bus->irqs = env->irqs;
    if (claims)
        bus->claims = *claims;
    bus->state = arena_alloc(env->arena, "pci", &bus_desc);
    if (bus->state)
        err = device_register(env->devices, &bus_ops, bus);
    if (err) {
        free(bus);
        return err;
    }
    *out = bus;
    return 0;
}

void pci_each(struct pci_bus *bus, void (*visit)(void *opaque, const struct pci_function *fn),
              void *opaque)
{
    for (unsigned devfn = 0; devfn < PCI_FUNCTIONS; devfn++)
        if (bus->functions[devfn] && bus->functions[devfn]->present)
            visit(opaque, bus->functions[devfn]);
}
