/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dm/machine_pv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dm/log.h"
#include "dm/machine.h"
#include "hw/ide/ide.h"
#include "pv/qdisk.h"
#include "pv/vkbd.h"
#include "pv/xenbus.h"

#define DISKS_MAX 32u

/* A disk of the toolstack's, as it was found at start-up. */
struct pv_disk {
    unsigned id;
    char *params; /* cut into the two that follow */
    const char *format, *path;
    bool read_only, discard, direct;
    struct block *block; /* until the back end takes it */
};

struct machine_pv {
    struct dm *dm;
    struct xenbus *bus;
    struct qdisk_set *qdisks;
    struct vkbd_set *vkbds;
    bool unserved; /* there are disks, but not the means to serve them */
    struct pv_disk disk[DISKS_MAX];
    unsigned disks;
};

/* ---- what the toolstack has made ------------------------------------------------------------ */

static char *read_node(struct dm *dm, unsigned id, const char *node)
{
    char path[100];

    snprintf(path, sizeof(path), "backend/qdisk/%u/%u/%s", dm->config->domid, id, node);
    return xen_store_read(dm->xen, path);
}

static bool node_is(struct dm *dm, unsigned id, const char *node, const char *value)
{
    char *text = read_node(dm, id, node);
    bool is = text && strcmp(text, value) == 0;

    free(text);
    return is;
}

/* CDs are no part of this: they are opened when a driver asks for one. */
static void find_disk(struct machine_pv *pv, unsigned id)
{
    struct pv_disk *disk = &pv->disk[pv->disks];

    if (pv->disks == DISKS_MAX || node_is(pv->dm, id, "device-type", "cdrom"))
        return;
    *disk = (struct pv_disk){.id = id, .params = read_node(pv->dm, id, "params")};
    if (!disk->params)
        return;
    qdisk_parse_params(disk->params, &disk->format, &disk->path);
    disk->read_only = !node_is(pv->dm, id, "mode", "w");
    disk->discard = node_is(pv->dm, id, "discard-enable", "1");
    disk->direct = node_is(pv->dm, id, "direct-io-safe", "1");
    pv->disks++;
}

/* The -drive of the same image, or -1. */
static int drive_of(const struct dm *dm, const char *path)
{
    for (unsigned i = 0; i < dm->config->drive_count; i++) {
        const struct config_drive *c = &dm->config->drive[i];

        if (c->media != CONFIG_MEDIA_CDROM && c->file && strcmp(c->file, path) == 0)
            return (int)i;
    }
    return -1;
}

int machine_pv_find(struct dm *dm)
{
    struct machine_pv *pv = calloc(1, sizeof(*pv));
    unsigned n = 0;
    char path[64];
    char **name;

    if (!pv) {
        log_error("paravirtual back ends: out of memory");
        return -ENOMEM;
    }
    pv->dm = dm;
    dm->pv = pv;
    snprintf(path, sizeof(path), "backend/qdisk/%u", dm->config->domid);
    name = xen_store_directory(dm->xen, path, &n);
    for (unsigned i = 0; i < n && name; i++)
        find_disk(pv, (unsigned)strtoul(name[i], NULL, 10));
    free(name);
    for (unsigned k = 0; k < pv->disks; k++) {
        int i = drive_of(dm, pv->disk[k].path);

        if (i >= 0)
            dm->drive[i].discard |= pv->disk[k].discard;
    }
    return 0;
}

/* ---- images --------------------------------------------------------------------------------- */

static int open_image(struct dm *dm, const struct qdisk_image *image, struct block **out,
                      char *error, size_t error_size)
{
    struct block_options options = {
        .workers = dm->env.workers,
        .servers = dm->servers,
        .format = image->format,
        .read_only = image->read_only,
        .discard = image->discard,
    };

    return block_open_path(out, image->path, &options, error, error_size);
}

/* The image of an emulated disk that the guest still has. */
static struct block *emulated_image(struct dm *dm, const char *path)
{
    for (unsigned u = 0; u < IDE_UNITS; u++) {
        int i = dm->config->ide[u];

        if (i >= 0 && i == drive_of(dm, path) && ide_unit_kind(dm->machine->ide, u) == IDE_DISK)
            return (struct block *)ide_unit_block(dm->machine->ide, u);
    }
    return NULL;
}

/* For qdisk: what has been opened at start-up is handed over, once; later disks are opened here. */
static int take_image(void *opaque, const struct qdisk_image *image, struct block **out,
                      char *error, size_t error_size)
{
    struct machine_pv *pv = opaque;
    struct block *emulated;

    for (unsigned k = 0; k < pv->disks && !image->cdrom; k++) {
        struct pv_disk *disk = &pv->disk[k];

        if (!disk->block || strcmp(disk->path, image->path) || disk->read_only != image->read_only)
            continue;
        *out = disk->block;
        disk->block = NULL;
        return 0;
    }
    emulated = image->cdrom ? NULL : emulated_image(pv->dm, image->path);
    if (emulated) {
        *out = block_share(emulated);
        return 0;
    }
    return open_image(pv->dm, image, out, error, error_size);
}

/* One image for both disks: what one of them has answered, the other one sees. */
static int open_disk(struct machine_pv *pv, struct pv_disk *disk)
{
    struct qdisk_image image = {.format = disk->format,
                                .path = disk->path,
                                .read_only = disk->read_only,
                                .discard = disk->discard,
                                .direct = disk->direct};
    int i = drive_of(pv->dm, disk->path);
    char error[300];
    int rc;

    if (i >= 0 && pv->dm->drive[i].block) {
        disk->block = block_share(pv->dm->drive[i].block);
        return 0;
    }
    rc = open_image(pv->dm, &image, &disk->block, error, sizeof(error));
    if (rc)
        log_error("qdisk %u: %s", disk->id, error);
    return rc;
}

/* ---- begin and end -------------------------------------------------------------------------- */

/*
 * The toolstack makes a paravirtual keyboard for every guest. A closed back end lets the guest's
 * driver give up at once, and not after 30 s of waiting.
 */
static void close_vkbd(struct dm *dm)
{
    char path[80], *state;

    snprintf(path, sizeof(path), "backend/vkbd/%u/0/state", dm->config->domid);
    state = xen_store_read(dm->xen, path);
    if (state)
        xen_store_write(dm->xen, path, "6");
    free(state);
}

static void leave_unserved(struct machine_pv *pv, const char *why)
{
    struct dm *dm = pv->dm;

    close_vkbd(dm);
    for (unsigned k = 0; k < pv->disks; k++) {
        char path[100];

        snprintf(path, sizeof(path), "backend/qdisk/%u/%u/state", dm->config->domid,
                 pv->disk[k].id);
        xen_store_write(dm->xen, path, "6");
        log_warn("qdisk %u (%s): %s: it is closed, and the guest keeps the emulated one; "
                 "use a block device with backendtype=phy for a paravirtual one",
                 pv->disk[k].id, pv->disk[k].path, why);
    }
    pv->unserved = pv->disks > 0;
}

int machine_pv_open(struct dm *dm)
{
    struct machine_pv *pv = dm->pv;
    char err[200];
    int rc;

    if (dm->config->restrict_domid) {
        leave_unserved(pv, "not served with -xen-domid-restrict, which takes grants away");
        return 0;
    }
    if (xen_pv_open(dm->xen, err, sizeof(err))) {
        leave_unserved(pv, err);
        return 0;
    }
    rc = xenbus_create(&pv->bus, dm->xen, dm->env.loop);
    if (rc)
        log_error("paravirtual back ends: %s", strerror(-rc));
    for (unsigned k = 0; k < pv->disks && !rc; k++)
        rc = open_disk(pv, &pv->disk[k]);
    return rc;
}

void machine_pv_start(struct dm *dm)
{
    struct machine_pv *pv = dm->pv;
    struct qdisk_config qdisk = {.open = take_image, .opaque = pv};
    int rc;

    if (!pv || !pv->bus)
        return;
    rc = qdisk_serve(&pv->qdisks, pv->bus, &qdisk);
    if (rc)
        log_warn("paravirtual disks are not served: %s", strerror(-rc));
    rc = vkbd_serve(&pv->vkbds, pv->bus, dm->input);
    if (rc)
        log_warn("the paravirtual keyboard is not served: %s", strerror(-rc));
}

void machine_pv_close(struct machine_pv *pv)
{
    if (!pv)
        return;
    qdisk_set_ending(pv->qdisks);
    xenbus_destroy(pv->bus);
    qdisk_set_free(pv->qdisks);
    vkbd_set_free(pv->vkbds);
    for (unsigned k = 0; k < pv->disks; k++) {
        if (pv->disk[k].block)
            block_close(pv->disk[k].block);
        free(pv->disk[k].params);
    }
    free(pv);
}

/* ---- what the life cycle asks --------------------------------------------------------------- */

bool machine_pv_watch_event(struct machine_pv *pv, const char *token)
{
    return pv && pv->bus && xenbus_watch_event(pv->bus, token);
}

bool machine_pv_is_unserved(const struct machine_pv *pv, const char *path)
{
    for (unsigned k = 0; pv && pv->unserved && k < pv->disks; k++)
        if (strcmp(pv->disk[k].path, path) == 0)
            return true;
    return false;
}

void machine_pv_set_running(struct machine_pv *pv, bool running)
{
    if (pv && pv->bus)
        xenbus_hold(pv->bus, !running);
}

bool machine_pv_busy(const struct machine_pv *pv)
{
    return pv && pv->bus && xenbus_busy(pv->bus);
}

struct block *machine_pv_block(struct machine_pv *pv, const char *path)
{
    for (unsigned k = 0; pv && k < pv->disks; k++)
        if (pv->disk[k].block && strcmp(pv->disk[k].path, path) == 0)
            return pv->disk[k].block;
    return pv ? qdisk_block(pv->qdisks, path) : NULL;
}

void machine_pv_resized(struct machine_pv *pv, const struct block *block)
{
    if (pv)
        qdisk_resized(pv->qdisks, block);
}

int machine_pv_flush(struct machine_pv *pv)
{
    return pv ? qdisk_flush_all(pv->qdisks) : 0;
}
