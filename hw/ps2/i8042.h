/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HW_PS2_I8042_H
#define HW_PS2_I8042_H

#include "dm/env.h"
#include "ui/input.h"

struct i8042;

/*
 * The keyboard controller at ports 60 and 64, IRQ 1 and 12, with a PS/2 keyboard and a PS/2 mouse
 * plugged in, which take their events from `input` (must outlive the device). Resets that the
 * guest asks for go to env->platform.power(POWER_REBOOT), once until the device is reset.
 * Registers itself with env->devices. Returns 0 or -errno.
 */
int i8042_create(struct i8042 **out, const struct dm_env *env, struct input *input);

#endif
