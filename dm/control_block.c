/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dm/control_block.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "dm/dm.h"
#include "dm/machine.h"
#include "hw/floppy/fdc.h"
#include "hw/ide/ide.h"

static void add_stats(struct qmp_block *b, const struct block *block)
{
    const struct block_stats *s = block_stats(block);

    b->size = block_size(block);
    b->read_only = block_read_only(block);
    b->stats = (struct qmp_block_stats){
        .read_bytes = s->rd_bytes,
        .write_bytes = s->wr_bytes,
        .read_ops = s->rd_operations,
        .write_ops = s->wr_operations,
        .flush_ops = s->flush_operations,
    };
}

static bool removable(const struct config_drive *c)
{
    return c->bus == CONFIG_BUS_FLOPPY ||
           (c->bus == CONFIG_BUS_IDE && c->media == CONFIG_MEDIA_CDROM);
}

void control_each_block(void *opaque, void (*each)(void *to, const struct qmp_block *), void *to)
{
    struct dm *dm = opaque;

    for (unsigned i = 0; i < dm->config->drive_count; i++) {
        const struct config_drive *c = &dm->config->drive[i];
        const struct block *block;
        struct ide_cd_info cd = {0};
        struct qmp_block b = {.device = c->id, .qdev = c->qdev_id};

        if (c->bus == CONFIG_BUS_NONE)
            continue;
        block = c->bus == CONFIG_BUS_FLOPPY ? fdc_medium(dm->machine->fdc, c->unit)
                                            : ide_unit_block(dm->machine->ide, c->unit);
        b.removable = removable(c);
        if (c->media == CONFIG_MEDIA_CDROM && ide_cd_info(dm->machine->ide, c->unit, &cd) == 0) {
            b.locked = cd.locked;
            b.tray_open = cd.tray_open;
        }
        if (block && dm->drive[i].file) {
            b.inserted = true;
            b.file = dm->drive[i].file;
            b.format = dm->drive[i].format;
            add_stats(&b, block);
        }
        each(to, &b);
    }
}

/* The index of a CD-ROM or floppy drive by the id of its -drive or -device, or -errno. */
static int find_removable(struct dm *dm, const char *drive, struct qmp_error *err)
{
    for (unsigned i = 0; i < dm->config->drive_count; i++) {
        const struct config_drive *c = &dm->config->drive[i];

        if (strcmp(c->id, drive) && (!c->qdev_id || strcmp(c->qdev_id, drive)))
            continue;
        if (!removable(c)) {
            qmp_fail(err, QMP_GENERIC_ERROR, "Device '%s' is not removable", drive);
            return -EINVAL;
        }
        return (int)i;
    }
    qmp_fail(err, QMP_DEVICE_NOT_FOUND, "Device '%s' not found", drive);
    return -ENODEV;
}

int control_eject(void *opaque, const char *drive, bool force, struct qmp_error *err)
{
    struct dm *dm = opaque;
    int i = find_removable(dm, drive, err);
    int rc;

    if (i < 0)
        return i;
    /* libxl gives up at the first error, so a tray that the guest has locked opens all the same. */
    if (dm->config->drive[i].bus == CONFIG_BUS_FLOPPY)
        rc = fdc_change_medium(dm->machine->fdc, dm->config->drive[i].unit, NULL);
    else
        rc = ide_cd_eject(dm->machine->ide, dm->config->drive[i].unit, true);
    if (!rc)
        backends_forget_drive(&dm->drive[i]);
    return rc;
}

int control_insert(void *opaque, const char *drive, const struct qmp_medium *medium,
                   struct qmp_error *err)
{
    struct dm *dm = opaque;
    int i = find_removable(dm, drive, err);
    struct dm_drive fresh = {0};
    char text[200];
    int rc;

    if (i < 0) {
        close(medium->fd);
        return i;
    }
    rc =
        backends_open_medium(dm, medium, dm->config->drive[i].readonly, &fresh, text, sizeof(text));
    if (rc) {
        if (fresh.block)
            block_close(fresh.block);
        backends_forget_drive(&fresh);
        qmp_fail(err, QMP_GENERIC_ERROR, "%s", text);
        return rc;
    }
    if (dm->config->drive[i].bus == CONFIG_BUS_FLOPPY)
        rc = fdc_change_medium(dm->machine->fdc, dm->config->drive[i].unit, fresh.block);
    else
        rc = ide_cd_insert(dm->machine->ide, dm->config->drive[i].unit, fresh.block);
    if (rc) {
        block_close(fresh.block);
        backends_forget_drive(&fresh);
        return rc;
    }
    fresh.block = NULL; /* the drive's now */
    backends_forget_drive(&dm->drive[i]);
    dm->drive[i] = fresh;
    return 0;
}
