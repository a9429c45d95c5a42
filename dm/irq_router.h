/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the lines of devices to the lines of the platform. Several devices may share an ISA line or
 * a PCI slot's pin: the platform sees the OR of them, and hears of changes only.
 */
#ifndef DM_IRQ_ROUTER_H
#define DM_IRQ_ROUTER_H

#include <stdint.h>
#include "dm/irq.h"

struct irq_sink {
    void (*isa)(void *opaque, uint8_t irq, bool level);
    void (*intx)(void *opaque, uint8_t device, uint8_t pin, bool level); /* pin 0..3 */
    void *opaque;
};

struct irq_router;

int irq_router_create(struct irq_router **out, const struct irq_sink *sink);
void irq_router_destroy(struct irq_router *router);

/*
 * A new source on ISA line 0..15. The SCI (line 9) is shared with the hypervisor, which may have
 * lowered it meanwhile: its level is never taken as known, every call is passed on.
 */
struct irq irq_router_isa(struct irq_router *router, uint8_t irq);

/* A new source on INTA..INTD (pin 0..3) of a slot of bus 0. */
struct irq irq_router_intx(struct irq_router *router, uint8_t device, uint8_t pin);

/* Tell the platform every level again: after a restore or a take-over. */
void irq_router_refresh(struct irq_router *router);

#endif
