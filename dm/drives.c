/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the command line's and QMP's words to open images, and what becomes of their errors. */
#include "dm/drives.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dm/log.h"
#include "dm/machine.h"
#include "dm/machine_pv.h"
#include "hw/floppy/fdc.h"
#include "hw/ide/ide.h"

#define LOCK_WAIT_MS 3000
#define LOCK_POLL_MS 50

/* ---- errors --------------------------------------------------------------------------------- */

static const char *action_name(enum block_on_error action)
{
    return action == BLOCK_STOP ? "stop" : action == BLOCK_IGNORE ? "ignore" : "report";
}

/*
 * The guest's request is being answered, or the image is at work: the guest is stopped in the next
 * turn of the loop.
 */
static void told(void *opaque, const struct block_error *error)
{
    struct dm_drive *drive = opaque;
    char data[400];

    log_guest("drive %s: %s: %s (%s)", drive->id, error->write ? "writing" : "reading",
              error->error == -EFBIG ? "the file may not grow beyond the limit of this process"
                                     : strerror(-error->error),
              action_name(error->action));
    snprintf(data, sizeof(data),
             "{\"device\": \"%.64s\", \"node-name\": \"\", \"operation\": \"%s\", \"action\": "
             "\"%s\", \"nospace\": %s, \"reason\": \"%.100s\"}",
             drive->id, error->write ? "write" : "read", action_name(error->action),
             error->error == -ENOSPC ? "true" : "false", strerror(-error->error));
    qmp_event(drive->dm->qmp, "BLOCK_IO_ERROR", data);
    if (error->action == BLOCK_STOP)
        loop_defer(drive->dm->env.loop, &drive->dm->io_error_work);
}

static enum block_on_error on_error(enum config_io_error word)
{
    static const enum block_on_error actions[] = {
        [CONFIG_IO_ERROR_REPORT] = BLOCK_REPORT,
        [CONFIG_IO_ERROR_IGNORE] = BLOCK_IGNORE,
        [CONFIG_IO_ERROR_STOP] = BLOCK_STOP,
        [CONFIG_IO_ERROR_ENOSPC] = BLOCK_ENOSPC,
    };

    return actions[word];
}

/* ---- opening -------------------------------------------------------------------------------- */

static int remember(struct dm_drive *drive, const char *file, const char *format)
{
    drive->file = strdup(file);
    drive->format = strdup(format);
    return drive->file && drive->format ? 0 : -ENOMEM;
}

void backends_forget_drive(struct dm_drive *drive)
{
    free(drive->file);
    free(drive->format);
    drive->file = drive->format = NULL;
    drive->block = NULL;
}

static enum block_cache cache_mode(enum config_cache cache)
{
    static const enum block_cache modes[] = {
        [CONFIG_CACHE_WRITEBACK] = BLOCK_CACHE_WRITEBACK,
        [CONFIG_CACHE_WRITETHROUGH] = BLOCK_CACHE_WRITETHROUGH,
        [CONFIG_CACHE_NONE] = BLOCK_CACHE_NONE,
        [CONFIG_CACHE_DIRECTSYNC] = BLOCK_CACHE_DIRECTSYNC,
        [CONFIG_CACHE_UNSAFE] = BLOCK_CACHE_UNSAFE,
    };

    return modes[cache];
}

/* The machine whose state is to be loaded may still run elsewhere, with the images in its hands. */
static bool is_incoming(const struct config *config)
{
    return config->incoming_file || config->incoming_fd >= 0;
}

static int open_file(struct dm *dm, const struct config_drive *c,
                     const struct block_options *options, struct block **out, char *err,
                     size_t err_size)
{
    int fd, rc;

    if (!fdset_is_path(c->file))
        return block_open_path(out, c->file, options, err, err_size);
    fd = fdsets_open(qmp_fdsets(dm->qmp), c->file, c->readonly ? O_RDONLY : O_RDWR);
    if (fd < 0) {
        snprintf(err, err_size, "%s: %s", c->file, strerror(-fd));
        return fd;
    }
    rc = block_open_fd(out, fd, c->file, options, err, err_size);
    close(fd);
    return rc;
}

/* When a guest reboots, the device model of its last life may still be at its end. */
static int open_when_free(struct dm *dm, const struct config_drive *c,
                          const struct block_options *options, struct block **out, char *err,
                          size_t err_size)
{
    int rc;

    for (unsigned waited = 0;; waited += LOCK_POLL_MS) {
        rc = open_file(dm, c, options, out, err, err_size);
        if (rc != -EBUSY || waited >= LOCK_WAIT_MS)
            return rc;
        poll(NULL, 0, LOCK_POLL_MS);
    }
}

static int open_drive(struct dm *dm, const struct config_drive *c, struct dm_drive *drive)
{
    struct block_options options = {
        .workers = dm->env.workers,
        .servers = dm->servers,
        .format = c->format_name,
        .read_only = c->readonly,
        .discard = c->discard || drive->discard,
        .cache = cache_mode(c->cache),
        .lock = c->lock,
        .lock_later = is_incoming(dm->config),
    };
    char err[400];
    int rc;

    drive->dm = dm;
    drive->id = c->id;
    if (!c->file)
        return 0;
    rc = open_when_free(dm, c, &options, &drive->block, err, sizeof(err));
    if (rc) {
        log_error("drive %s: %s", c->id, err);
        return rc;
    }
    block_set_on_error(drive->block, on_error(c->rerror), on_error(c->werror), told, drive);
    return remember(drive, c->file, c->format_name);
}

int backends_open_drives(struct dm *dm)
{
    for (unsigned i = 0; i < dm->config->drive_count; i++) {
        const struct config_drive *c = &dm->config->drive[i];
        int rc;

        if (c->bus == CONFIG_BUS_NONE)
            continue;
        rc = open_drive(dm, c, &dm->drive[i]);
        if (rc)
            return rc;
    }
    return 0;
}

int backends_open_medium(struct dm *dm, const struct qmp_medium *medium, unsigned drive,
                         struct dm_drive *out, char *err, size_t err_size)
{
    const struct config_drive *c = &dm->config->drive[drive];
    struct block_options options = {
        .workers = dm->env.workers,
        .servers = dm->servers,
        .format = medium->format,
        .read_only = c->readonly,
        .cache = cache_mode(c->cache),
        .lock = c->lock,
    };
    int rc = block_open_fd(&out->block, medium->fd, medium->filename, &options, err, err_size);

    close(medium->fd);
    if (rc)
        return rc;
    block_set_on_error(out->block, on_error(c->rerror), on_error(c->werror), told,
                       &dm->drive[drive]);
    return remember(out, medium->filename, medium->format);
}

/* ---- while the machine has them -------------------------------------------------------------- */

struct block *drives_block(struct dm *dm, unsigned drive)
{
    const struct config_drive *c = &dm->config->drive[drive];
    const struct block *block;

    if (dm->drive[drive].block)
        return dm->drive[drive].block;
    if (!dm->machine || c->bus == CONFIG_BUS_NONE)
        return NULL;
    if (c->bus == CONFIG_BUS_FLOPPY)
        return (struct block *)fdc_medium(dm->machine->fdc, c->unit);
    block = ide_unit_block(dm->machine->ide, c->unit);
    if (!block && c->media == CONFIG_MEDIA_DISK && c->file)
        block = machine_pv_block(dm->pv, c->file);
    return (struct block *)block;
}

int drives_lock(struct dm *dm, bool locked)
{
    for (unsigned i = 0; i < dm->config->drive_count; i++) {
        struct block *block = drives_block(dm, i);
        char err[400];
        int rc = block ? block_lock(block, locked, err, sizeof(err)) : 0;

        if (rc) {
            log_error("drive %s: %s", dm->config->drive[i].id, err);
            return rc;
        }
    }
    return 0;
}

void drives_retry(struct dm *dm)
{
    for (unsigned i = 0; i < dm->config->drive_count; i++) {
        struct block *block = drives_block(dm, i);

        if (block)
            block_retry(block);
    }
}

void drives_give_up(struct dm *dm)
{
    for (unsigned i = 0; i < dm->config->drive_count; i++) {
        struct block *block = drives_block(dm, i);

        if (block)
            block_give_up(block);
    }
}

int drives_unplug(struct dm *dm, uint32_t mask)
{
    struct block *block[CONFIG_DRIVE_MAX];
    int first;

    for (unsigned i = 0; i < dm->config->drive_count; i++) {
        const struct config_drive *c = &dm->config->drive[i];
        bool disk = c->bus == CONFIG_BUS_IDE && c->media == CONFIG_MEDIA_DISK;

        block[i] = disk ? drives_block(dm, i) : NULL;
        if (block[i])
            block_share(block[i]);
    }
    first = ide_unplug(dm->machine->ide, mask);
    for (unsigned i = 0; i < dm->config->drive_count; i++) {
        int rc;

        if (!block[i])
            continue;
        if (drives_block(dm, i)) { /* stays: this was one owner more only */
            block_close_later(block[i]);
            continue;
        }
        block_set_on_error(block[i], BLOCK_REPORT, BLOCK_REPORT, told, &dm->drive[i]);
        block_lock(block[i], false, NULL, 0);
        rc = block_close(block[i]);
        first = first ? first : rc;
    }
    return first;
}

/* ---- size ----------------------------------------------------------------------------------- */

struct resize {
    struct dm *dm;
    unsigned drive;
    struct qmp_reply *reply;
};

static void resized(void *opaque, int error)
{
    struct resize *r = opaque;

    if (error) {
        qmp_reply_fail(r->reply, QMP_GENERIC_ERROR, "cannot change the size: %s", strerror(-error));
    } else {
        unsigned unit = r->dm->config->drive[r->drive].unit;

        if (ide_unit_kind(r->dm->machine->ide, unit) == IDE_DISK)
            ide_unit_resized(r->dm->machine->ide, unit);
        machine_pv_resized(r->dm->pv, drives_block(r->dm, r->drive));
        qmp_reply_ok(r->reply);
    }
    free(r);
}

void drives_resize(void *opaque, const char *drive, uint64_t bytes, struct qmp_reply *reply)
{
    struct dm *dm = opaque;
    struct resize *r = NULL;
    unsigned i = 0;
    int rc;

    while (i < dm->config->drive_count && strcmp(dm->config->drive[i].id, drive))
        i++;
    if (i == dm->config->drive_count) {
        qmp_reply_fail(reply, QMP_DEVICE_NOT_FOUND, "Device '%s' not found", drive);
        return;
    }
    if (dm->config->drive[i].bus != CONFIG_BUS_IDE || !drives_block(dm, i)) {
        qmp_reply_fail(reply, QMP_GENERIC_ERROR, "Device '%s' has no image of a disk", drive);
        return;
    }
    r = malloc(sizeof(*r));
    rc = r ? 0 : -ENOMEM;
    if (r) {
        *r = (struct resize){dm, i, reply};
        rc = block_resize(drives_block(dm, i), bytes, resized, r);
    }
    if (rc) {
        free(r);
        qmp_reply_fail(reply, QMP_GENERIC_ERROR, "cannot change the size of '%s': %s", drive,
                       strerror(-rc));
    }
}
