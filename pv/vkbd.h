/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The back end "vkbd" (<xen/io/kbdif.h>): keyboard and pointer of guests that have Linux's
 * xen-kbdfront or the like. libxl makes one for every HVM guest, and leaves it to the device model.
 *
 * Nodes published here: feature-abs-pointer, feature-raw-pointer, width and height. The range of
 * positions is 0..INPUT_ABS_MAX in both directions whatever the size of the screen is, which is
 * what "raw" means; drivers that do not know that word read width and height.
 */
#ifndef PV_VKBD_H
#define PV_VKBD_H

#include "pv/xenbus.h"
#include "ui/input.h"

struct vkbd_set;

/*
 * Serves all keyboards of this kind on the bus. While a guest's driver is connected it gets the
 * keys and the pointer of `input`, before the devices that were added earlier; `input` outlives
 * the bus. Returns 0 or -errno.
 */
int vkbd_serve(struct vkbd_set **out, struct xenbus *bus, struct input *input);
/* After xenbus_destroy(). */
void vkbd_set_free(struct vkbd_set *set);

#endif
