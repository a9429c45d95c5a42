/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a device is given when it is made: the only way it reaches the world. */
#ifndef DM_ENV_H
#define DM_ENV_H

#include "dm/arena.h"
#include "dm/guestmem.h"
#include "dm/iospace.h"
#include "dm/irq_router.h"
#include "dm/loop.h"
#include "dm/worker.h"

struct device_list;
struct pci_bus;

/* Effects on the platform as a whole that some register writes have. */
enum power_event { POWER_OFF, POWER_REBOOT, POWER_SUSPEND_S3 };

struct platform_ops {
    /*
     * The guest asked for it in the request that is being answered. POWER_OFF and POWER_REBOOT
     * take effect before the answer, POWER_SUSPEND_S3 after it.
     */
    void (*power)(void *opaque, enum power_event event);
    /* PIRQ link 0..3 goes to ISA irq 1..15, or nowhere (0). */
    void (*link_route)(void *opaque, uint8_t link, uint8_t irq);
    /* Guest frames [first, first + n) become read-only or read-write RAM. */
    void (*protect)(void *opaque, uint64_t first_gfn, uint64_t n, bool read_only);
    void *opaque;
};

struct dm_env {
    struct arena *arena;
    struct loop *loop;
    struct workers *workers;
    struct iospace *io;
    struct guestmem *mem;
    struct irq_router *irqs;
    struct device_list *devices;
    struct pci_bus *pci; /* NULL while the bus itself is being made */
    struct platform_ops platform;
};

#endif
