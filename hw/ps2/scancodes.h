/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Scan codes of a PS/2 keyboard. Private to hw/ps2/. */
#ifndef HW_PS2_SCANCODES_H
#define HW_PS2_SCANCODES_H

#include <stdbool.h>
#include <stdint.h>

#define SCAN_EXTENDED  0x100 /* prefixed with e0 */
#define SCAN_MAKE_ONLY 0x200 /* has no break code */

/* Longest sequence of one press or release: Pause in set 2. */
#define SCAN_SEQUENCE_MAX 8

/* Set 2 code of an evdev key with the flags above, 0 when the keyboard has no such key. Pause and
 * Print Screen, whose codes depend on other keys, are not here. */
uint16_t scan_set2(uint16_t evdev);
/* Set 3 code, 0 when there is none. */
uint8_t scan_set3(uint16_t evdev);

/* The byte of set 1 for one of set 2 (not f0), as the controller of the AT translates it. */
uint8_t scan_translate(uint8_t set2);

/* A whole sequence of set 2 into set 1, in place. Returns its new length. */
unsigned scan_translate_sequence(uint8_t *seq, unsigned len);

#endif
