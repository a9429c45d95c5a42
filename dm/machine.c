/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The machine, all of it: an i440FX/PIIX3 PC as qemu-xen shows it to a guest.
 *
 *     00.0  i440FX host bridge            ports CF8-CFB, 92          i440fx.c, ports.c
 *     01.0  PIIX3 ISA bridge              PIRQ A-D                   piix3.c
 *              CMOS from index 14 on      ports 70-71                cmos.c
 *              two 8237                   ports 00-0F, 80-8F, C0-DF  i8237.c
 *              floppy controller, if any  ports 3F0-3F5, 3F7  IRQ 6, DMA 2  floppy/
 *              i8042, keyboard, mouse     ports 60, 64   IRQ 1, 12   ps2/
 *              COM1-COM4                  3F8 2F8 3E8 2E8  IRQ 4, 3  serial/
 *     01.1  PIIX3 IDE                     1F0-1F7 3F6 IRQ 14, 170-177 376 IRQ 15   ide/
 *     01.2  PIIX3 UHCI, if asked for      I/O BAR, INTD              usb/ (machine_usb.c)
 *     01.3  PIIX4 power management        B004, AFE0, AE00, AF00  IRQ 9   piix4_pm.c
 *     02.0  Xen platform device           ports 10-13                platform/
 *     next  standard VGA or CL-GD5446     3B4-3DF, 1CE-1D0, A0000-BFFFF   vga/ (machine_display.c)
 *     next  RTL8139C+, up to 8            I/O and memory BARs        net/ (machine_net.c)
 *     none  paravirtual disks, keyboard   grants, xenstore           pv/ (machine_pv.c)
 *
 * Interrupt controllers, timers, RTC and the ACPI event block are the hypervisor's.
 */
#include "dm/machine.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dm/drives.h"
#include "dm/log.h"
#include "dm/machine_display.h"
#include "dm/machine_pv.h"
#include "dm/machine_floppy.h"
#include "dm/machine_net.h"
#include "dm/machine_usb.h"
#include "dm/traditional.h"
#include "firmware/bootorder.h"
#include "hw/chipset/cmos.h"
#include "hw/chipset/i440fx.h"
#include "hw/chipset/i8237.h"
#include "hw/chipset/piix3.h"
#include "hw/chipset/piix4_pm.h"
#include "hw/chipset/ports.h"
#include "hw/ide/ide.h"
#include "hw/pci/pci.h"
#include "hw/platform/xen_platform.h"
#include "hw/ps2/i8042.h"
#include "hw/serial/uart16550.h"

static int made(const char *what, int rc)
{
    if (rc)
        log_error("cannot make the %s: %s", what, strerror(-rc));
    return rc;
}

static const struct config_pci *pci_slot_of(const struct config *config, enum config_pci_kind kind)
{
    for (unsigned i = 0; i < config->pci_count; i++)
        if (config->pci[i].kind == kind && config->pci[i].built)
            return &config->pci[i];
    return NULL;
}

/* ---- PCI ------------------------------------------------------------------------------------ */

/* The claims ask for dm->ioreq each time: at the end the server goes before the devices. */
static int claim_function(void *opaque, uint8_t devfn)
{
    struct dm *dm = opaque;

    return dm->ioreq ? ioreq_claim_pci(dm->ioreq, devfn) : 0;
}

static int release_function(void *opaque, uint8_t devfn)
{
    struct dm *dm = opaque;

    return dm->ioreq ? ioreq_release_pci(dm->ioreq, devfn) : 0;
}

static uint32_t config_read(void *opaque, uint8_t devfn, unsigned reg, unsigned size)
{
    return pci_config_read(opaque, devfn, reg, size);
}

static void config_write(void *opaque, uint8_t devfn, unsigned reg, unsigned size, uint32_t value)
{
    pci_config_write(opaque, devfn, reg, size, value);
}

static int make_bus(struct dm *dm, struct machine *m)
{
    struct pci_claim_ops claims = {claim_function, release_function, dm};
    int rc = pci_bus_create(&m->pci, &dm->env, &claims);

    if (rc)
        return rc;
    dm->env.pci = m->pci;
    dm->target.pci_read = config_read;
    dm->target.pci_write = config_write;
    dm->target.pci_opaque = m->pci;
    return 0;
}

/* ---- disks ---------------------------------------------------------------------------------- */

static void cd_ejected(void *opaque, unsigned unit)
{
    struct dm *dm = opaque;
    const struct config_drive *c;
    char data[200];

    if (dm->config->ide[unit] < 0)
        return;
    c = &dm->config->drive[dm->config->ide[unit]];
    backends_forget_drive(&dm->drive[dm->config->ide[unit]]);
    traditional_ejected(dm, c);
    snprintf(data, sizeof(data), "{\"device\": \"%.64s\", \"id\": \"%.64s\", \"tray-open\": true}",
             c->id, c->qdev_id ? c->qdev_id : "");
    qmp_event(dm->qmp, "DEVICE_TRAY_MOVED", data);
}

static int make_ide(struct dm *dm, struct machine *m)
{
    struct ide_config ide = {.devfn = PCI_DEVFN(1, 1), .cd_ejected = cd_ejected, .opaque = dm};
    int rc;

    for (unsigned u = 0; u < IDE_UNITS; u++) {
        int i = dm->config->ide[u];
        const struct config_drive *c;

        if (i < 0)
            continue;
        c = &dm->config->drive[i];
        ide.unit[u] = (struct ide_unit_config){
            .kind = c->media == CONFIG_MEDIA_CDROM ? IDE_CDROM : IDE_DISK,
            .block = dm->drive[i].block,
            .stays = c->file && machine_pv_is_unserved(dm->pv, c->file),
            .serial = c->serial,
            .model = c->model,
            .wwn = c->wwn,
        };
    }
    rc = ide_create(&m->ide, &dm->env, &ide);
    if (rc)
        return rc;
    for (unsigned u = 0; u < IDE_UNITS; u++)
        if (dm->config->ide[u] >= 0)
            dm->drive[dm->config->ide[u]].block = NULL; /* its owner is the controller now */
    return 0;
}

static void unplug_disks(void *opaque, bool aux_only)
{
    int rc = drives_unplug(opaque, aux_only ? IDE_UNPLUG_AUX : IDE_UNPLUG_ALL);

    log_guest("the guest unplugs its emulated disks%s", aux_only ? " but the first" : "");
    if (rc)
        log_error("an unplugged disk could not be flushed: %s", strerror(-rc));
}

static void unplug_nics(void *opaque)
{
    struct dm *dm = opaque;

    log_guest("the guest unplugs its emulated network cards");
    machine_nics_unplug(dm->machine->nics);
}

/* ---- chipset -------------------------------------------------------------------------------- */

static void describe_disks(const struct machine *m, struct cmos_config *cmos)
{
    for (unsigned u = 0; u < IDE_UNITS; u++) {
        struct ide_geometry g;

        if (ide_unit_geometry(m->ide, u, &g))
            continue;
        cmos->disk[u] = (struct cmos_disk){
            .present = true,
            .translation = (enum cmos_translation)g.translation,
            .cylinders = (uint16_t)g.cylinders,
            .heads = (uint16_t)g.heads,
            .sectors = (uint16_t)g.sectors,
        };
    }
}

static int make_cmos(struct dm *dm, struct machine *m, struct cmos **out)
{
    const struct config *config = dm->config;
    struct bootorder_cmos boot = bootorder_encode(config->boot_code, config->floppy_bootchk);
    uint64_t ram = config->memory_mb << 20;
    struct cmos_config cmos = {
        .ram_below_4g = ram < config->max_ram_below_4g ? ram : config->max_ram_below_4g,
        .ram_above_4g = ram > config->max_ram_below_4g ? ram - config->max_ram_below_4g : 0,
        .vcpus = config->vcpus,
        .boot_first_second = boot.first_second,
        .boot_third = boot.third,
        .ps2_mouse = true,
    };

    describe_disks(m, &cmos);
    machine_floppy_types(m->fdc, cmos.floppy_type);
    return cmos_create(out, &dm->env, &cmos);
}

static int make_pm(struct dm *dm, struct machine *m, struct cmos *cmos)
{
    struct piix4_pm_config pm = {
        .cmos = cmos,
        .vcpus = dm->config->vcpus,
        .max_vcpus = dm->config->maxvcpus,
        .old_hotplug = dm->config->traditional,
        .com1 = dm->serial[0] != NULL,
        .com2 = dm->serial[1] != NULL,
    };

    return piix4_pm_create(&m->pm, &dm->env, &pm);
}

/* ---- platform device ------------------------------------------------------------------------ */

static int make_platform(struct dm *dm, struct machine *m)
{
    const struct config_pci *slot = pci_slot_of(dm->config, CONFIG_PCI_PLATFORM);
    struct xen_platform_config platform = {
        .unplug = {.disks = unplug_disks, .nics = unplug_nics, .opaque = dm},
        .blacklisted = driver_blacklist_has,
        .blacklist = &m->blacklist,
    };
    struct xen_platform *device;

    if (!slot)
        return 0;
    platform.devfn = PCI_DEVFN(slot->slot, slot->function);
    m->blacklist.xen = dm->xen;
    if (dm->config->restrict_domid)
        driver_blacklist_read(&m->blacklist); /* it cannot be read later */
    return xen_platform_create(&device, &dm->env, &platform);
}

/* ---- all of it ------------------------------------------------------------------------------ */

static int make_serial(struct dm *dm)
{
    for (unsigned n = 0; n < CONFIG_SERIAL_MAX; n++) {
        struct uart *uart;
        int rc = dm->serial[n] ? uart_create(&uart, &dm->env, n, dm->serial[n]) : 0;

        if (rc)
            return rc;
    }
    return 0;
}

int machine_create(struct dm *dm)
{
    struct machine *m = calloc(1, sizeof(*m));
    struct i440fx_config host = {.ram_mib = dm->config->memory_mb};
    struct chipset_ports *ports;
    struct i440fx *bridge;
    struct piix3 *piix3;
    struct i8237 *dma;
    struct cmos *cmos;
    int rc;

    if (!m)
        return made("machine", -ENOMEM);
    dm->machine = m;
    rc = made("PCI bus", make_bus(dm, m));
    if (!rc)
        rc = made("host bridge", i440fx_create(&bridge, &dm->env, &host));
    if (!rc)
        rc = made("ISA bridge", piix3_create(&piix3, &dm->env));
    if (!rc)
        rc = made("chipset ports", chipset_ports_create(&ports, &dm->env));
    if (!rc)
        rc = made("DMA controllers", i8237_create(&dma, &dm->env));
    if (!rc)
        rc = made("IDE controller", make_ide(dm, m));
    if (!rc)
        rc = made("floppy controller", machine_floppy_create(&m->fdc, dm, dma));
    if (!rc)
        rc = made("CMOS memory", make_cmos(dm, m, &cmos));
    if (!rc && dm->config->acpi)
        rc = made("power management", make_pm(dm, m, cmos));
    if (!rc)
        rc = made("keyboard controller", i8042_create(&m->i8042, &dm->env, dm->input));
    if (!rc)
        rc = made("USB controller", machine_usb_create(dm));
    if (!rc)
        rc = made("serial ports", make_serial(dm));
    if (!rc)
        rc = made("Xen platform device", make_platform(dm, m));
    if (!rc)
        rc = machine_display_create(dm);
    if (!rc)
        rc = made("network cards", machine_nics_create(&m->nics, dm));
    return rc;
}

void machine_destroy(struct machine *m)
{
    if (!m)
        return;
    machine_nics_destroy(m->nics);
    optrom_free(&m->vga_rom);
    free(m);
}

void machine_set_running(struct machine *m, bool running)
{
    machine_nics_set_running(m->nics, running);
}

int machine_flush(struct machine *m)
{
    int disks = ide_flush_all(m->ide);
    int floppies = m->fdc ? fdc_flush_all(m->fdc) : 0;

    return disks ? disks : floppies;
}
