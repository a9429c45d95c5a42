/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The root hub: two ports (UHCI 1.1, 2.1.7).
 *
 *     disabled --PE--> enabled --SUSPEND--> asleep --RD set and cleared by the driver--> enabled
 *        ^                                  asleep --remote wake-up: RD set by us------> enabled
 *        +------ reset of the port (PR), of the controller
 */
#include "hw/usb/uhci_internal.h"

static bool talks(const struct uhci *u, unsigned port)
{
    uint16_t portsc = u->s->portsc[port];

    return u->device[port] && (portsc & PORT_PE) && !(portsc & (PORT_SUSPEND | PORT_PR));
}

void uhci_ports_reset(struct uhci *u)
{
    for (unsigned i = 0; i < UHCI_PORTS; i++) {
        u->s->portsc[i] = PORT_ONE;
        if (!u->device[i])
            continue;
        u->s->portsc[i] |= PORT_CCS | PORT_CSC;
        /* Nobody drives this device any more: it must not take events. */
        u->device[i]->ops->reset(u->device[i]->dev);
    }
}

void uhci_ports_loaded(struct uhci *u)
{
    for (unsigned i = 0; i < UHCI_PORTS; i++) {
        uint16_t *portsc = &u->s->portsc[i];

        if (u->device[i] && !(*portsc & PORT_CCS))
            *portsc |= PORT_CCS | PORT_CSC;
        else if (!u->device[i])
            *portsc &= (uint16_t) ~(PORT_CCS | PORT_PE | PORT_SUSPEND | PORT_RD);
    }
}

void uhci_port_write(struct uhci *u, unsigned port, uint16_t value)
{
    struct usb_device *device = u->device[port];
    uint16_t old = u->s->portsc[port];
    uint16_t new = old &(uint16_t)~PORT_WRITABLE &(uint16_t) ~(value & PORT_CLEARABLE);

    new |= value &PORT_WRITABLE;
    if (!device)
        new &= (uint16_t)~PORT_PE; /* nothing to enable */
    if ((new &PORT_PR) && !(old & PORT_PR)) {
        if (device)
            device->ops->reset(device->dev);
    }
    /* A reset disables the port and wakes it. */
    if (new &PORT_PR)
        new &= (uint16_t) ~(PORT_PE | PORT_SUSPEND | PORT_RD);
    /* Resume signalling that ends leaves the port awake; awake there is nothing to resume. */
    if ((old & PORT_RD) && !(new &PORT_RD))
        new &= (uint16_t)~PORT_SUSPEND;
    if (!(new &PORT_SUSPEND))
        new &= (uint16_t)~PORT_RD;
    u->s->portsc[port] = new;
}

struct usb_device *uhci_find_device(struct uhci *u, uint8_t address)
{
    for (unsigned i = 0; i < UHCI_PORTS; i++)
        if (talks(u, i) && u->device[i]->ops->address(u->device[i]->dev) == address)
            return u->device[i];
    return NULL;
}

uint64_t uhci_ready_at(const struct uhci *u)
{
    uint64_t first = TIMER_NEVER;

    for (unsigned i = 0; i < UHCI_PORTS; i++) {
        uint64_t at;

        if (!talks(u, i))
            continue;
        at = u->device[i]->ops->ready_at(u->device[i]->dev);
        first = at < first ? at : first;
    }
    return first;
}

bool uhci_port_wake(struct uhci *u, const struct usb_device *device)
{
    struct uhci_state *s = u->s;

    for (unsigned i = 0; i < UHCI_PORTS; i++) {
        bool asleep = s->portsc[i] & PORT_SUSPEND;

        if (u->device[i] != device || !(asleep || (s->cmd & CMD_EGSM)))
            continue;
        if (!device->ops->may_wake(device->dev) || !(s->portsc[i] & PORT_PE))
            return true;
        if (asleep)
            s->portsc[i] |= PORT_RD;
        if (s->cmd & CMD_EGSM)
            s->cmd |= CMD_FGR;
        s->sts |= STS_RD;
        return true;
    }
    return false;
}
