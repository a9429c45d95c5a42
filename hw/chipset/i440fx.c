/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Intel 82441FX (440FX PCIset data sheet, order 290549): the configuration space of the host
 * bridge. All of it is storage; the bus keeps it.
 *
 * Left out on purpose: every effect of PAM (59h-5Fh) and SMRAM (72h). Under Xen C0000h-FFFFFh is
 * RAM for the processor whatever PAM says, and there is no SMM; DMA must see the same. The
 * configuration address port is in ports.c.
 */
#include "hw/chipset/i440fx.h"

#include <errno.h>
#include <stdlib.h>
#include "dm/device.h"
#include "hw/pci/pci.h"

enum {
    DRB_INFO = 0x57, /* informative: RAM in units of 8 MiB */
    SMRAM = 0x72,
    SMRAM_RESET = 0x02, /* C_BASE_SEG: A0000h */
};

struct i440fx {
    struct pci_function fn;
    uint8_t drb;
};

static void config_reset(void *opaque, uint8_t *config)
{
    const struct i440fx *bridge = opaque;

    config[DRB_INFO] = bridge->drb;
    config[SMRAM] = SMRAM_RESET;
}

static const struct device_ops ops = {.name = "i440fx", .destroy = free};

int i440fx_create(struct i440fx **out, const struct dm_env *env, const struct i440fx_config *config)
{
    struct i440fx *bridge = calloc(1, sizeof(*bridge));

    if (!bridge)
        return -ENOMEM;
    bridge->drb = config->ram_mib / 8 > 255 ? 255 : (uint8_t)(config->ram_mib / 8);
    bridge->fn = (struct pci_function){
        .name = "i440fx",
        .devfn = PCI_DEVFN(0, 0),
        .vendor = 0x8086,
        .device = 0x1237,
        .subsystem_vendor = 0x1af4, /* SeaBIOS knows by these ids that the machine is virtual */
        .subsystem = 0x1100,
        .revision = 2,
        .class_code = 0x0600,
        .dev = bridge,
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
