/* SPDX-License-Identifier: GPL-2.0-or-later */
/* USB tablet, mouse and keyboard of the HID class. */
#ifndef HW_USB_HID_H
#define HW_USB_HID_H

#include "dm/env.h"
#include "hw/usb/usb.h"
#include "ui/input.h"

enum hid_kind { HID_TABLET, HID_MOUSE, HID_KEYBOARD };

struct hid;

/*
 * Makes a device that takes its events from `input` (must outlive it), while the guest has it
 * configured. `port` is the number of the port that it will be attached to: its saved state is
 * named after it. Registers itself with env->devices. Returns 0 or -errno.
 */
int hid_create(struct hid **out, const struct dm_env *env, struct input *input, enum hid_kind kind,
               unsigned port);

/* Its plug. Owned by the device. */
struct usb_device *hid_plug(struct hid *hid);

#endif
