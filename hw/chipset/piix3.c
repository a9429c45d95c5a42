/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Intel 82371SB (PIIX3 data sheet, order 290550), function 0: PCI-to-ISA bridge.
 *
 *     PIRQRC[A:D] (60h-63h): disabled (bit 7) or routed to IRQ 1..15 (bits 3:0)
 *
 * The PIRQ links themselves are in the hypervisor: every byte written to a route register is
 * passed on at once, or PCI interrupts would be dead for whoever uses the 8259s.
 *
 * Left out: the effects of all other registers (bus timing, positive decode, USB and IDE hints),
 * which are storage. RC, port 92h and the configuration address port are in ports.c.
 */
#include "hw/chipset/piix3.h"

#include <errno.h>
#include <stdlib.h>
#include "dm/device.h"
#include "hw/pci/pci.h"

/* Registers by their names in the data sheet. */
enum {
    IORT = 0x4c,
    XBCS = 0x4e,
    PIRQRCA = 0x60,
    TOM = 0x69,
    MBIRQ0 = 0x70,
    MBDMA0 = 0x76,
    MBDMA1 = 0x77,
    PCSC = 0x78,
    SMICNTL = 0xa0,
    FTMR = 0xa8,

    PIRQ_LINKS = 4,
    PIRQ_DISABLED = 0x80,
    PIRQ_IRQ = 0x0f,
};

struct piix3 {
    struct pci_function fn;
    struct platform_ops platform;
};

static void route(struct piix3 *bridge, unsigned link)
{
    uint8_t value = bridge->fn.state->config[PIRQRCA + link];
    uint8_t irq = value & PIRQ_DISABLED ? 0 : value & PIRQ_IRQ;

    if (bridge->platform.link_route)
        bridge->platform.link_route(bridge->platform.opaque, (uint8_t)link, irq);
}

static void config_written(void *opaque, unsigned reg, unsigned size)
{
    for (unsigned at = reg; at < reg + size; at++)
        if (at >= PIRQRCA && at < PIRQRCA + PIRQ_LINKS)
            route(opaque, at - PIRQRCA);
}

static void config_reset(void *opaque, uint8_t *config)
{
    config[IORT] = 0x4d;
    config[XBCS] = 0x03;
    for (unsigned link = 0; link < PIRQ_LINKS; link++)
        config[PIRQRCA + link] = PIRQ_DISABLED;
    config[TOM] = 0x02;
    config[MBIRQ0] = 0x80;
    config[MBDMA0] = 0x0c;
    config[MBDMA1] = 0x0c;
    config[PCSC] = 0x02;
    config[SMICNTL] = 0x08;
    config[FTMR] = 0x0f;
}

/* The bus, which is reset and restored first, has the registers; the routes follow them. */
static void route_all(void *opaque)
{
    for (unsigned link = 0; link < PIRQ_LINKS; link++)
        route(opaque, link);
}

static const struct device_ops ops = {
    .name = "piix3",
    .stays_on = true,
    .reset = route_all,
    .loaded = route_all,
    .destroy = free,
};

int piix3_create(struct piix3 **out, const struct dm_env *env)
{
    struct piix3 *bridge = calloc(1, sizeof(*bridge));

    if (!bridge)
        return -ENOMEM;
    bridge->platform = env->platform;
    bridge->fn = (struct pci_function){
        .name = "piix3",
        .devfn = PCI_DEVFN(1, 0),
        .vendor = 0x8086,
        .device = 0x7000,
        .subsystem_vendor = 0x1af4,
        .subsystem = 0x1100,
        .class_code = 0x0601,
        .header_type = 0x80, /* multifunction: IDE, USB and power management are 01.1 to 01.3 */
        .command_reset = 0x0007,
        .status_reset = 0x0200,
        .dev = bridge,
        .config_written = config_written,
        .config_reset = config_reset,
    };
    int err = device_register(env->devices, &ops, bridge);
    if (err) {
        free(bridge);
        return err;
    }
    *out = bridge;
    return pci_add(env->pci, &bridge->fn);
}
