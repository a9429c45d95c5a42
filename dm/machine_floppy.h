/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The floppy controller as the configuration asks for it; a part of machine.c. */
#ifndef DM_MACHINE_FLOPPY_H
#define DM_MACHINE_FLOPPY_H

#include "dm/dm.h"
#include "hw/floppy/fdc.h"

/* Makes the controller when a drive is configured; *out is NULL else. Returns 0 or -errno. */
int machine_floppy_create(struct fdc **out, struct dm *dm, struct i8237 *dma);
/* For CMOS byte 10h: what A and B are; `fdc` may be NULL. */
void machine_floppy_types(const struct fdc *fdc, uint8_t type[FDC_DRIVES]);

#endif
