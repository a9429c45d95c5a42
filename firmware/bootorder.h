/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The order of boot devices, as SeaBIOS takes it from two bytes of the CMOS memory. */
#ifndef FIRMWARE_BOOTORDER_H
#define FIRMWARE_BOOTORDER_H

#include <stdbool.h>
#include <stdint.h>

#define BOOTORDER_MAX 3 /* classes of devices that fit */

struct bootorder_cmos {
    uint8_t first_second; /* byte 3Dh: first in the low nibble, second in the high one */
    uint8_t third;        /* byte 38h: high nibble; bit 0 skips the check of floppy signatures */
};

/*
 * Letters to codes: a, b floppy 1; c disk 2; d CD 3; n network 4; unused places 0. Letters after
 * the third are dropped: the firmware tries what is not named last anyway.
 * Returns 0, or -EINVAL: another letter, or one named twice.
 */
int bootorder_parse(const char *letters, uint8_t code[BOOTORDER_MAX]);

/* floppy_check: the firmware boots a floppy only with a signature in its boot sector. */
struct bootorder_cmos bootorder_encode(const uint8_t code[BOOTORDER_MAX], bool floppy_check);

#endif
