/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The check of option ROMs. The first image is made to
 * begin with its signature, to have its PCI data structure where those of iPXE are, and to have a
 * right checksum: mutation would hardly find these.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "firmware/optrom.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void mend(uint8_t *image, size_t size)
{
    size_t length = size > 2 ? image[2] * (size_t)512 : 0;
    uint8_t sum = 0;

    if (size < 64)
        return;
    image[0] = 0x55;
    image[1] = 0xaa;
    if (image[0x18] & 1) {
        image[0x18] = 0x1c;
        image[0x19] = 0;
        memcpy(image + 0x1c, "PCIR\xec\x10\x39\x81", 8);
    }
    if (length < 512 || length > size)
        return;
    for (size_t i = 0; i < length; i++)
        sum = (uint8_t)(sum + image[i]);
    image[length - 1] = (uint8_t)(image[length - 1] - sum);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int rom = -1;
    char why[160] = "";
    uint8_t *image = malloc(size ? size : 1);

    if (!image)
        return 0;
    memcpy(image, data, size);
    mend(image, size);
    if (rom < 0)
        rom = memfd_create("rom", MFD_CLOEXEC);
    if (ftruncate(rom, 0) || pwrite(rom, image, size, 0) != (ssize_t)size)
        abort();
    if (optrom_check(rom, size, 0x10ec, 0x8139, why, sizeof(why)) != 0 && why[0] == '\0')
        abort(); /* refused without a reason */
    free(image);
    return 0;
}
