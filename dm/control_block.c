/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dm/control_block.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "dm/drives.h"
#include "dm/machine.h"
#include "hw/floppy/fdc.h"
#include "hw/ide/ide.h"

static void add_stats(struct qmp_block *b, const struct block *block)
{
    const struct block_stats *s = block_stats(block);
    enum block_cache cache = block_cache_mode(block);

    b->size = block_size(block);
    b->read_only = block_read_only(block);
    b->direct = cache == BLOCK_CACHE_NONE || cache == BLOCK_CACHE_DIRECTSYNC;
    b->unsafe = cache == BLOCK_CACHE_UNSAFE;
    b->stats = (struct qmp_block_stats){
        .read_bytes = s->rd_bytes,
        .write_bytes = s->wr_bytes,
        .read_ops = s->rd_operations,
        .write_ops = s->wr_operations,
        .flush_ops = s->flush_operations,
        .unmap_ops = s->discard_operations,
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
        block = drives_block(dm, i);
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

static bool is_floppy(struct dm *dm, int drive)
{
    return dm->config->drive[drive].bus == CONFIG_BUS_FLOPPY;
}

/* What a drive says whose door the guest has locked; the guest has been asked to open it. */
static int is_locked(const char *drive, struct qmp_error *err)
{
    qmp_fail(err, QMP_GENERIC_ERROR,
             "Device '%s' is locked and force was not specified, wait for tray to open and try "
             "again",
             drive);
    return -EBUSY;
}

int control_eject(void *opaque, const char *drive, bool force, struct qmp_error *err)
{
    struct dm *dm = opaque;
    int i = find_removable(dm, drive, err);
    int rc;

    if (i < 0)
        return i;
    if (is_floppy(dm, i))
        rc = fdc_change_medium(dm->machine->fdc, dm->config->drive[i].unit, NULL);
    else
        rc = ide_cd_eject(dm->machine->ide, dm->config->drive[i].unit, force);
    if (rc == -EBUSY)
        return is_locked(drive, err);
    if (!rc)
        backends_forget_drive(&dm->drive[i]);
    return rc;
}

/* The door of a CD-ROM drive, before another medium comes through it. */
static int open_door(struct dm *dm, unsigned unit, bool force)
{
    struct ide_cd_info cd = {0};

    if (ide_cd_info(dm->machine->ide, unit, &cd) || cd.tray_open)
        return 0;
    return ide_cd_eject(dm->machine->ide, unit, force);
}

static int put_medium(struct dm *dm, int drive, struct block *block, bool force)
{
    unsigned unit = dm->config->drive[drive].unit;
    int rc;

    if (is_floppy(dm, drive))
        return fdc_change_medium(dm->machine->fdc, unit, block);
    rc = open_door(dm, unit, force);
    return rc ? rc : ide_cd_insert(dm->machine->ide, unit, block);
}

int control_insert(void *opaque, const char *drive, const struct qmp_medium *medium,
                   struct qmp_error *err)
{
    struct dm *dm = opaque;
    int i = find_removable(dm, drive, err);
    struct dm_drive fresh = {0};
    char text[400] = "";
    int rc;

    if (i < 0) {
        close(medium->fd);
        return i;
    }
    rc = backends_open_medium(dm, medium, (unsigned)i, &fresh, text, sizeof(text));
    if (rc)
        qmp_fail(err, QMP_GENERIC_ERROR, "%s", text);
    else
        rc = put_medium(dm, i, fresh.block, medium->force);
    if (rc) {
        block_close(fresh.block);
        backends_forget_drive(&fresh);
        return rc == -EBUSY && !text[0] ? is_locked(drive, err) : rc;
    }
    backends_forget_drive(&dm->drive[i]);
    dm->drive[i].file = fresh.file;
    dm->drive[i].format = fresh.format;
    return 0;
}

int control_tray(void *opaque, const char *drive, bool open, bool force, struct qmp_error *err)
{
    struct dm *dm = opaque;
    int i = find_removable(dm, drive, err);

    if (i < 0)
        return i;
    if (is_floppy(dm, i)) {
        qmp_fail(err, QMP_GENERIC_ERROR, "Device '%s' does not have a tray", drive);
        return -EINVAL;
    }
    /* As when the guest opens it: the medium is out then, and does not come back by closing. */
    if (open)
        return control_eject(opaque, drive, force, err);
    return ide_cd_close_tray(dm->machine->ide, dm->config->drive[i].unit);
}
