/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The floppy disk controller with its two drives, A and B. */
#ifndef HW_FLOPPY_FDC_H
#define HW_FLOPPY_FDC_H

#include "block/block.h"
#include "dm/env.h"
#include "hw/chipset/i8237.h"

#define FDC_DRIVES 2

struct fdc_config {
    struct i8237 *dma; /* channel 2 is the controller's */
    struct {
        bool present;
        struct block *block; /* raw image of the disk; NULL: none is in the drive */
    } drive[FDC_DRIVES];
};

struct fdc;

/*
 * Makes the controller: ports 3F0h-3F5h and 3F7h, IRQ 6. The images belong to it from then on.
 * Returns 0 or -errno (then they are still the caller's).
 */
int fdc_create(struct fdc **out, const struct dm_env *env, const struct fdc_config *config);

/* The kind of a drive as CMOS byte 10h codes it: after the disk that is in it; 0: no drive. */
uint8_t fdc_drive_type(const struct fdc *fdc, unsigned drive);

/*
 * The host's hand at the slot: takes the disk out (NULL), or changes it for another, which belongs
 * to the controller now. A command on the drive ends as without a disk. -ENODEV: no such drive.
 */
int fdc_change_medium(struct fdc *fdc, unsigned drive, struct block *medium);

/* The image in a drive, or NULL; for statistics and queries. Not to be kept. */
const struct block *fdc_medium(const struct fdc *fdc, unsigned drive);

/* Makes finished writes stable; blocks. For saving. Returns 0 or -errno. */
int fdc_flush_all(struct fdc *fdc);

#endif
