/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pv/qdisk.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xen/io/blkif.h>
#include <xen/io/protocols.h>

#include "dm/log.h"
#include "pv/blkif.h"

/* What file systems give back when a hole is punched. */
#define DISCARD_GRANULARITY 4096u

struct qdisk {
    struct qdisk_set *set;
    struct xenbus_device *dev;
    struct blkif *blkif; /* while connected */
    struct block *block; /* NULL: no medium, or nobody has asked for it yet */
    char *params;        /* as they were when the image was chosen */
    bool cdrom, read_only, discard, direct;
    struct qdisk *next;
};

struct qdisk_set {
    struct qdisk_config config;
    struct qdisk *disks;
    bool ending;
};

/* ---- the image ------------------------------------------------------------------------------ */

void qdisk_parse_params(char *params, const char **format, const char **path)
{
    /* libxl's names, where they are not QEMU's. */
    static const char *const alias[][2] = {{"aio", "raw"}, {"vhd", "vpc"}};
    char *colon = strchr(params, ':');

    *format = "raw";
    *path = params;
    if (!colon || params[0] == '/')
        return;
    *colon = '\0';
    *format = params;
    *path = colon + 1;
    for (size_t i = 0; i < sizeof(alias) / sizeof(alias[0]); i++)
        if (strcmp(params, alias[i][0]) == 0)
            *format = alias[i][1];
}

static int image_open(struct qdisk *disk)
{
    struct qdisk_image image = {.cdrom = disk->cdrom,
                                .read_only = disk->read_only,
                                .discard = disk->discard,
                                .direct = disk->direct};
    char error[300] = "out of memory";
    char *params = strdup(disk->params);
    int rc = params ? 0 : -ENOMEM;

    if (!rc) {
        qdisk_parse_params(params, &image.format, &image.path);
        if (!image.path[0])
            rc = disk->cdrom ? 0 : -EINVAL;
        else
            rc = disk->set->config.open(disk->set->config.opaque, &image, &disk->block, error,
                                        sizeof(error));
        /* Of a CD the guest decides when, and how often. */
        if (rc && disk->cdrom)
            log_guest("%s: params \"%s\": %s", xenbus_name(disk->dev), disk->params, error);
        else if (rc)
            log_error("%s: params \"%s\": %s", xenbus_name(disk->dev), disk->params,
                      image.path[0] ? error : "a disk needs an image");
    }
    free(params);
    return rc;
}

/* A last flush whose end closes the image. */
struct closing {
    struct block *block;
    struct block_request req;
};

static void closing_ended(struct closing *closing)
{
    if (closing->req.error)
        log_error("image %s: its last flush has failed: %s", block_name(closing->block),
                  strerror(-closing->req.error));
    block_close_later(closing->block);
    free(closing);
}

static void closing_completed(void *opaque, struct block_request *req)
{
    closing_ended(opaque);
}

/* Without waiting: other devices go on meanwhile. */
static void image_close_soon(struct block *block)
{
    struct closing *closing = calloc(1, sizeof(*closing));

    if (!closing) {
        block_close(block);
        return;
    }
    closing->block = block;
    closing->req.op = BLOCK_FLUSH;
    closing->req.complete = closing_completed;
    closing->req.opaque = closing;
    if (block_submit(block, &closing->req) == BLOCK_DONE)
        closing_ended(closing);
}

static bool image_read_only(const struct qdisk *disk)
{
    return disk->read_only || disk->cdrom || (disk->block && block_read_only(disk->block));
}

static bool image_discard(const struct qdisk *disk)
{
    return disk->discard && !image_read_only(disk) && disk->block && block_can_discard(disk->block);
}

static int publish_size(struct qdisk *disk)
{
    return xenbus_write(disk->dev, "sectors", "%" PRIu64,
                        disk->block ? block_sectors(disk->block) : 0);
}

static int publish_image(struct qdisk *disk)
{
    unsigned info = (disk->cdrom ? VDISK_CDROM | VDISK_REMOVABLE : 0) |
                    (image_read_only(disk) ? VDISK_READONLY : 0);
    bool discard = image_discard(disk);
    int rc = xenbus_write(disk->dev, "info", "%u", info);

    if (!rc)
        rc = xenbus_write(disk->dev, "sector-size", "%u", BLOCK_SECTOR);
    if (!rc)
        rc = publish_size(disk);
    if (!rc)
        rc = xenbus_write(disk->dev, "feature-discard", "%d", discard);
    if (!rc && discard)
        rc = xenbus_write(disk->dev, "discard-granularity", "%u", DISCARD_GRANULARITY);
    if (!rc && discard)
        rc = xenbus_write(disk->dev, "discard-alignment", "0");
    return rc;
}

/* ---- the back end's life -------------------------------------------------------------------- */

static bool node_is(struct xenbus_device *dev, const char *node, const char *value, bool otherwise)
{
    char *text = xenbus_read(dev, node);
    bool is = text ? strcmp(text, value) == 0 : otherwise;

    free(text);
    return is;
}

static int publish_features(struct xenbus_device *dev)
{
    int rc = xenbus_write(dev, "feature-flush-cache", "1");

    if (!rc)
        rc = xenbus_write(dev, "feature-persistent", "1");
    if (!rc)
        rc = xenbus_write(dev, "feature-max-indirect-segments", "%u", BLKIF_SEGMENTS_MAX);
    if (!rc)
        rc = xenbus_write(dev, "max-ring-page-order", "%u", BLKIF_RING_ORDER);
    if (!rc)
        rc = xenbus_write(dev, "hotplug-status", "connected");
    return rc;
}

static void disk_free(struct qdisk *disk)
{
    struct qdisk **p = &disk->set->disks;

    while (*p && *p != disk)
        p = &(*p)->next;
    if (*p)
        *p = disk->next;
    free(disk->params);
    free(disk);
}

static int qdisk_create(void *opaque, struct xenbus_device *dev, void **device)
{
    struct qdisk_set *set = opaque;
    struct qdisk *disk = calloc(1, sizeof(*disk));
    int rc;

    if (!disk)
        return -ENOMEM;
    disk->set = set;
    disk->dev = dev;
    disk->cdrom = node_is(dev, "device-type", "cdrom", false);
    disk->read_only = !node_is(dev, "mode", "w", false);
    disk->discard = node_is(dev, "discard-enable", "1", false);
    disk->direct = node_is(dev, "direct-io-safe", "1", false);
    disk->params = xenbus_read(dev, "params");
    if (!disk->params)
        disk->params = strdup("");
    rc = disk->params ? 0 : -ENOMEM;
    /* A CD is opened when a driver asks for it: those of HVM guests use the emulated drive. */
    if (!rc && !disk->cdrom)
        rc = image_open(disk);
    if (!rc)
        rc = publish_features(dev);
    if (!rc)
        rc = publish_image(disk);
    if (rc) {
        if (disk->block)
            block_close_later(disk->block);
        disk_free(disk);
        return rc;
    }
    disk->next = set->disks;
    set->disks = disk;
    *device = disk;
    return 0;
}

static int read_ring(struct qdisk *disk, struct blkif_config *config)
{
    uint64_t order = 0, value;
    int rc = xenbus_frontend_number(disk->dev, "ring-page-order", BLKIF_RING_ORDER, &order);
    bool single = rc == -ENOENT;

    if (rc && !single)
        return rc;
    config->ring_pages = 1u << order;
    for (unsigned i = 0; i < config->ring_pages; i++) {
        char node[24];

        snprintf(node, sizeof(node), single ? "ring-ref" : "ring-ref%u", i);
        rc = xenbus_frontend_number(disk->dev, node, UINT32_MAX, &value);
        if (rc)
            return rc;
        config->ring_ref[i] = (uint32_t)value;
    }
    rc = xenbus_frontend_number(disk->dev, "event-channel", UINT32_MAX, &value);
    config->event_channel = rc ? 0 : (uint32_t)value;
    return rc;
}

/* No protocol is the native one: of a 64 bit domain like ours. */
static int read_protocol(struct qdisk *disk, enum blkif_abi *abi)
{
    char *text = xenbus_frontend_read(disk->dev, "protocol");
    int rc = 0;

    *abi = BLKIF_X86_64;
    if (text && strcmp(text, XEN_IO_PROTO_ABI_X86_32) == 0)
        *abi = BLKIF_X86_32;
    else if (text && strcmp(text, XEN_IO_PROTO_ABI_X86_64) != 0)
        rc = -EPROTO;
    free(text);
    return rc;
}

static int qdisk_connect(void *device)
{
    struct qdisk *disk = device;
    struct blkif_config config = {.dev = disk->dev};
    uint64_t persistent = 0;
    int rc = read_ring(disk, &config);

    if (!rc)
        rc = read_protocol(disk, &config.abi);
    if (rc) {
        log_guest("%s: the front end's ring, event channel or protocol is not valid: %s",
                  xenbus_name(disk->dev), strerror(-rc));
        return rc;
    }
    xenbus_frontend_number(disk->dev, "feature-persistent", 1, &persistent);
    config.persistent = persistent;
    if (!disk->block && image_open(disk) == 0 && disk->block)
        rc = publish_image(disk);
    config.block = disk->block;
    config.read_only = image_read_only(disk);
    config.discard = image_discard(disk);
    if (!rc)
        rc = blkif_connect(&disk->blkif, &config);
    if (!rc)
        log_guest("%s: connected, %u page%s, %s, %s", xenbus_name(disk->dev), config.ring_pages,
                  config.ring_pages > 1 ? "s" : "",
                  config.abi == BLKIF_X86_32 ? XEN_IO_PROTO_ABI_X86_32 : XEN_IO_PROTO_ABI_X86_64,
                  config.persistent ? "persistent grants" : "grants of one request");
    return rc;
}

static bool qdisk_disconnect(void *device)
{
    struct qdisk *disk = device;

    if (disk->blkif && !blkif_disconnect(disk->blkif))
        return false;
    disk->blkif = NULL;
    return true;
}

/* Another medium, or none, by a change of params. */
static void qdisk_changed(void *device)
{
    struct qdisk *disk = device;
    char *params;

    if (!disk->cdrom)
        return;
    params = xenbus_read(disk->dev, "params");
    if (!params || strcmp(params, disk->params) == 0) {
        free(params);
        return;
    }
    free(disk->params);
    disk->params = params;
    if (disk->block)
        block_close_later(disk->block);
    disk->block = NULL;
    if (!disk->blkif)
        return;
    image_open(disk);
    blkif_set_block(disk->blkif, disk->block, image_read_only(disk));
    publish_size(disk);
    xenbus_poke(disk->dev);
}

static void qdisk_hold(void *device, bool hold)
{
    struct qdisk *disk = device;

    if (disk->blkif)
        blkif_hold(disk->blkif, hold);
}

static bool qdisk_busy(void *device)
{
    struct qdisk *disk = device;

    return disk->blkif && blkif_busy(disk->blkif);
}

static void qdisk_destroy(void *device)
{
    struct qdisk *disk = device;

    if (disk->blkif)
        blkif_cancel(disk->blkif);
    if (disk->block && disk->set->ending) {
        int rc = block_close(disk->block);

        if (rc)
            log_error("%s: the last flush has failed: %s", xenbus_name(disk->dev), strerror(-rc));
    } else if (disk->block) {
        image_close_soon(disk->block);
    }
    if (disk->blkif)
        blkif_abandon(disk->blkif);
    disk_free(disk);
}

/* ---- all disks ------------------------------------------------------------------------------ */

static const struct xenbus_ops qdisk_ops = {
    .kind = "qdisk",
    .create = qdisk_create,
    .connect = qdisk_connect,
    .disconnect = qdisk_disconnect,
    .changed = qdisk_changed,
    .hold = qdisk_hold,
    .busy = qdisk_busy,
    .destroy = qdisk_destroy,
};

int qdisk_serve(struct qdisk_set **out, struct xenbus *bus, const struct qdisk_config *config)
{
    struct qdisk_set *set = calloc(1, sizeof(*set));
    int rc;

    if (!set)
        return -ENOMEM;
    set->config = *config;
    rc = xenbus_serve(bus, &qdisk_ops, set);
    if (rc)
        free(set);
    else
        *out = set;
    return rc;
}

void qdisk_set_ending(struct qdisk_set *set)
{
    if (set)
        set->ending = true;
}

void qdisk_set_free(struct qdisk_set *set)
{
    free(set);
}

int qdisk_flush_all(struct qdisk_set *set)
{
    int first = 0;

    for (struct qdisk *disk = set ? set->disks : NULL; disk; disk = disk->next) {
        int rc = disk->block ? block_flush_now(disk->block) : 0;

        first = first ? first : rc;
    }
    return first;
}

struct block *qdisk_block(struct qdisk_set *set, const char *path)
{
    for (struct qdisk *disk = set ? set->disks : NULL; disk; disk = disk->next) {
        char *params = disk->block ? strdup(disk->params) : NULL;
        const char *format, *own = "";
        bool found;

        if (params)
            qdisk_parse_params(params, &format, &own);
        found = params && strcmp(own, path) == 0;
        free(params);
        if (found)
            return disk->block;
    }
    return NULL;
}

void qdisk_resized(struct qdisk_set *set, const struct block *block)
{
    for (struct qdisk *disk = set ? set->disks : NULL; disk; disk = disk->next) {
        if (disk->block != block)
            continue;
        publish_size(disk);
        xenbus_poke(disk->dev);
    }
}
