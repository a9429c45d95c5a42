/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Cylinders, heads and sectors of a disk, for IDENTIFY DEVICE and for the firmware's CMOS.
 *
 * A partition table tells which geometry the disk was partitioned under; the guest's boot loader
 * was installed for that one. Without a table the usual 16 heads of 63 sectors.
 */
#include "hw/ide/ide_internal.h"

#include <errno.h>

#define CYLINDERS_MAX 16383u

static void standard(uint64_t sectors, struct ide_geometry *out)
{
    uint64_t cylinders = sectors / (16 * 63);

    if (cylinders > CYLINDERS_MAX)
        cylinders = CYLINDERS_MAX;
    if (cylinders < 2)
        cylinders = 2;
    out->cylinders = (uint32_t)cylinders;
    out->heads = 16;
    out->sectors = 63;
}

/* The end of the first usable entry gives the last head and sector of a track. */
static bool from_partitions(struct block *block, struct ide_geometry *out)
{
    uint8_t mbr[BLOCK_SECTOR];
    uint64_t sectors = block_sectors(block);

    if (block_read_now(block, 0, mbr, sizeof(mbr)) < 0 || mbr[510] != 0x55 || mbr[511] != 0xaa)
        return false;
    for (unsigned i = 0; i < 4; i++) {
        const uint8_t *entry = mbr + 446 + 16 * i;
        uint32_t size = (uint32_t)entry[15] << 24 | (uint32_t)entry[14] << 16 |
                        (uint32_t)entry[13] << 8 | entry[12];
        uint32_t heads = entry[5] + 1u, per_track = entry[6] & 63;
        uint64_t cylinders;

        if (!size || heads == 1 || !per_track)
            continue;
        cylinders = sectors / (heads * per_track);
        if (cylinders < 1 || cylinders > CYLINDERS_MAX)
            continue;
        *out = (struct ide_geometry){(uint32_t)cylinders, heads, per_track, IDE_TRANS_NONE};
        return true;
    }
    return false;
}

void ide_guess_geometry(struct block *block, struct ide_geometry *out)
{
    if (!from_partitions(block, out)) {
        standard(block_sectors(block), out);
        out->translation = out->cylinders <= 1024 ? IDE_TRANS_NONE : IDE_TRANS_LBA;
        return;
    }
    if (out->heads <= 16)
        return;
    /* Partitioned under a translating BIOS: translate again. */
    standard(block_sectors(block), out);
    out->translation = out->cylinders * out->heads <= 131072 ? IDE_TRANS_LARGE : IDE_TRANS_LBA;
}

int ide_unit_geometry(const struct ide *ide, unsigned unit, struct ide_geometry *out)
{
    if (unit >= IDE_UNITS || ide_unit_kind(ide, unit) != IDE_DISK)
        return -ENODEV;
    *out = ide->channel[unit / 2].drive[unit % 2].geometry;
    return 0;
}
