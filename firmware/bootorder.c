/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Boot order codes of SeaBIOS (its src/boot.c reads CMOS bytes 38h and 3Dh). */
#include "firmware/bootorder.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

enum { FLOPPY_SIGNATURE_SKIP = 1 << 0 };

static uint8_t code_of(char letter)
{
    switch (letter) {
    case 'a':
    case 'b':
        return 1;
    case 'c':
        return 2;
    case 'd':
        return 3;
    case 'n':
        return 4;
    default:
        return 0;
    }
}

int bootorder_parse(const char *letters, uint8_t code[BOOTORDER_MAX])
{
    memset(code, 0, BOOTORDER_MAX);
    for (size_t i = 0; letters[i]; i++) {
        uint8_t value = code_of(letters[i]);

        if (!value || strchr(letters, letters[i]) != letters + i)
            return -EINVAL;
        if (i < BOOTORDER_MAX)
            code[i] = value;
    }
    return 0;
}

struct bootorder_cmos bootorder_encode(const uint8_t code[BOOTORDER_MAX], bool floppy_check)
{
    return (struct bootorder_cmos){
        .first_second = (uint8_t)((code[1] & 0x0f) << 4 | (code[0] & 0x0f)),
        .third = (uint8_t)((code[2] & 0x0f) << 4 | (floppy_check ? 0 : FLOPPY_SIGNATURE_SKIP)),
    };
}
