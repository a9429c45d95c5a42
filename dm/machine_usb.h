/* SPDX-License-Identifier: GPL-2.0-or-later */
/* USB: the controller of the PIIX3 and what is plugged into it. */
#ifndef DM_MACHINE_USB_H
#define DM_MACHINE_USB_H

#include "dm/dm.h"

/* Makes what the configuration names. After the PS/2 devices: a tablet that the guest has
 * configured gets the pointer. 0, or -errno. */
int machine_usb_create(struct dm *dm);

#endif
