/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dm/machine_floppy.h"

int machine_floppy_create(struct fdc **out, struct dm *dm, struct i8237 *dma)
{
    const struct config *config = dm->config;
    struct fdc_config fdc = {.dma = dma};
    bool any = false;
    int rc;

    for (unsigned n = 0; n < FDC_DRIVES; n++) {
        if (config->floppy[n] < 0)
            continue;
        fdc.drive[n].present = any = true;
        fdc.drive[n].block = dm->drive[config->floppy[n]].block;
    }
    if (!any)
        return 0;
    rc = fdc_create(out, &dm->env, &fdc);
    if (rc)
        return rc;
    for (unsigned n = 0; n < FDC_DRIVES; n++)
        if (config->floppy[n] >= 0)
            dm->drive[config->floppy[n]].block = NULL; /* its owner is the controller now */
    return 0;
}

void machine_floppy_types(const struct fdc *fdc, uint8_t type[FDC_DRIVES])
{
    for (unsigned n = 0; n < FDC_DRIVES; n++)
        type[n] = fdc ? fdc_drive_type(fdc, n) : 0;
}
