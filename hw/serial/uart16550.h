/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HW_SERIAL_UART16550_H
#define HW_SERIAL_UART16550_H

#include "chardev/chardev.h"
#include "dm/env.h"

#define UART_COUNT 4

struct uart;

/*
 * COM1 to COM4 (index 0..3): ports 3f8, 2f8, 3e8, 2e8; IRQ 4, 3, 4, 3. `chr` is what is plugged in
 * and must outlive the device; NULL: nothing is, the modem lines are off and output goes nowhere.
 * Registers itself with env->devices. Returns 0 or -errno.
 */
int uart_create(struct uart **out, const struct dm_env *env, unsigned index, struct chardev *chr);

#endif
