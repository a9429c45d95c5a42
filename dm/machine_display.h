/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The display adapter, its video memory and its BIOS. */
#ifndef DM_MACHINE_DISPLAY_H
#define DM_MACHINE_DISPLAY_H

#include "dm/dm.h"

/* Makes the adapter that the configuration names, if any, and sets machine->display. 0, or -errno
 * after logging why. */
int machine_display_create(struct dm *dm);

#endif
