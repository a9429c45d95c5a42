/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HW_USB_UHCI_H
#define HW_USB_UHCI_H

#include "dm/env.h"
#include "hw/usb/usb.h"

#define UHCI_PORTS 2u

struct uhci;

/*
 * The USB host controller of the PIIX3, a PCI function with INTD. Devices are attached before the
 * machine starts; it does not own them. Registers itself with env->devices. Returns 0 or -errno.
 */
int uhci_create(struct uhci **out, const struct dm_env *env, uint8_t devfn);

/* Plugs a device into port 0 or 1, until both end: no guest runs then. -EBUSY: taken. */
int uhci_attach(struct uhci *uhci, unsigned port, struct usb_device *device);

#endif
