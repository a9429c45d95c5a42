/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which disk an image is, by its size. All have sectors of 512 bytes. */
#include "hw/floppy/fdc_internal.h"

/* CMOS codes of drives. */
enum { DRIVE_360K = 1, DRIVE_1200K = 2, DRIVE_1440K = 4, DRIVE_2880K = 5 };

#define ONE_RATE(rate) (rate), (rate)

/* The first is what an image of unknown size is taken for, and an empty drive. */
static const struct fdc_geometry disks[] = {
    {18, 80, 2, ONE_RATE(RATE_500K), DRIVE_1440K}, /* 3.5", 1.44 MB */
    {36, 80, 2, ONE_RATE(RATE_1M), DRIVE_2880K},
    {39, 80, 2, ONE_RATE(RATE_1M), DRIVE_2880K}, /* 2.88 MB drive, denser formats */
    {40, 80, 2, ONE_RATE(RATE_1M), DRIVE_2880K},
    {44, 80, 2, ONE_RATE(RATE_1M), DRIVE_2880K},
    {48, 80, 2, ONE_RATE(RATE_1M), DRIVE_2880K},
    {20, 80, 2, ONE_RATE(RATE_500K), DRIVE_1440K}, /* 1.44 MB drive, denser formats */
    {21, 80, 2, ONE_RATE(RATE_500K), DRIVE_1440K},
    {21, 82, 2, ONE_RATE(RATE_500K), DRIVE_1440K},
    {21, 83, 2, ONE_RATE(RATE_500K), DRIVE_1440K},
    {22, 80, 2, ONE_RATE(RATE_500K), DRIVE_1440K},
    {23, 80, 2, ONE_RATE(RATE_500K), DRIVE_1440K},
    {24, 80, 2, ONE_RATE(RATE_500K), DRIVE_1440K},
    {9, 80, 2, ONE_RATE(RATE_250K), DRIVE_1440K}, /* 3.5", 720 KB, in a drive for both */
    {10, 80, 2, ONE_RATE(RATE_250K), DRIVE_1440K},
    {10, 82, 2, ONE_RATE(RATE_250K), DRIVE_1440K},
    {10, 83, 2, ONE_RATE(RATE_250K), DRIVE_1440K},
    {13, 80, 2, ONE_RATE(RATE_250K), DRIVE_1440K},
    {14, 80, 2, ONE_RATE(RATE_250K), DRIVE_1440K},
    {15, 80, 2, ONE_RATE(RATE_500K), DRIVE_1200K}, /* 5.25", 1.2 MB */
    {18, 82, 2, ONE_RATE(RATE_500K), DRIVE_1440K},
    {18, 83, 2, ONE_RATE(RATE_500K), DRIVE_1440K},
    {9, 40, 2, RATE_250K, RATE_300K, DRIVE_360K}, /* 5.25", double and single density */
    {8, 40, 2, RATE_250K, RATE_300K, DRIVE_360K},
    {9, 40, 1, RATE_250K, RATE_300K, DRIVE_360K},
    {8, 40, 1, RATE_250K, RATE_300K, DRIVE_360K},
};

struct fdc_geometry fdc_geometry_of(const struct block *block)
{
    uint64_t sectors = block ? block_sectors(block) : 0;

    for (unsigned i = 0; i < sizeof(disks) / sizeof(disks[0]); i++) {
        const struct fdc_geometry *g = &disks[i];

        if (sectors == (uint64_t)g->sectors * g->cylinders * g->heads)
            return *g;
    }
    return disks[0];
}
