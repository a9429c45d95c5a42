/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of keys: the QKeyCode names of QMP (send-key, input-send-event) and evdev codes.
 */
#ifndef UI_KEYS_H
#define UI_KEYS_H

#include <stdint.h>

/* evdev code of a QKeyCode name ("ctrl", "f1", "kp_enter"), or -ENOENT. */
int key_from_qcode(const char *name);

/* QKeyCode name of an evdev code, or NULL when it has none. */
const char *key_qcode(uint16_t code);

/*
 * The evdev code that stands for a raw number of QMP (`{"type": "number"}`): a PC scan code of set
 * 1, with 0x80 set for keys that are prefixed with 0xe0. Returns the code, or -ENOENT.
 */
int key_from_pc_number(uint32_t number);

#endif
