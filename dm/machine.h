/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The machine: which device, which slot, port and line. All of it is made in machine.c. */
#ifndef DM_MACHINE_H
#define DM_MACHINE_H

#include "dm/dm.h"
#include "dm/driver_blacklist.h"
#include "firmware/optrom.h"

struct machine {
    struct pci_bus *pci;
    struct piix4_pm *pm; /* NULL without ACPI */
    struct i8042 *i8042;
    struct ide *ide;
    struct fdc *fdc;         /* NULL without a floppy drive */
    struct display *display; /* the adapter's screen; NULL with vga=none */
    struct optrom vga_rom;
    struct machine_nics *nics; /* NULL without any */
    struct driver_blacklist blacklist;
};

/* Makes every device that the configuration names. 0, or -errno after logging why. */
int machine_create(struct dm *dm);
/* Before the device list is destroyed, which is what ends the devices themselves. */
void machine_destroy(struct machine *machine);

/* The guest is about to run, or has stopped: what comes from outside waits meanwhile. */
void machine_set_running(struct machine *machine, bool running);

/* Makes finished disk writes stable; blocks. Returns 0 or the first -errno. */
int machine_flush(struct machine *machine);

#endif
