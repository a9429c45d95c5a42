/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The block back end "qdisk": what libxl leaves to the device model when the kernel's own back end
 * cannot serve an image. It is the same image that the emulated disk works on until the guest's
 * drivers unplug that.
 *
 * Nodes of the toolstack: params (FORMAT:PATH, empty for a drive without a medium), mode (w or r),
 * device-type (disk or cdrom), discard-enable, direct-io-safe. Nodes published here:
 * feature-flush-cache, feature-persistent, feature-max-indirect-segments, feature-discard with its
 * granularity and alignment, max-ring-page-order, info, sector-size, sectors, hotplug-status.
 *
 * One queue: one thread serves the guest, and several rings would not make it faster.
 */
#ifndef PV_QDISK_H
#define PV_QDISK_H

#include "block/block.h"
#include "pv/xenbus.h"

struct qdisk_image {
    const char *format; /* QEMU's name: raw, qcow2, vpc, ... */
    const char *path;
    bool cdrom, read_only, discard;
    bool direct; /* past the page cache is safe: pages stay the guest's until they are written */
};

struct qdisk_config {
    /*
     * Opens the image, or shares the one that is open already. Returns 0 or -errno with error
     * filled in.
     */
    int (*open)(void *opaque, const struct qdisk_image *image, struct block **out, char *error,
                size_t error_size);
    void *opaque;
};

struct qdisk_set;

/* Serves all disks of this kind on the bus; the configuration is copied. Returns 0 or -errno. */
int qdisk_serve(struct qdisk_set **out, struct xenbus *bus, const struct qdisk_config *config);

/*
 * Before xenbus_destroy(): the process ends. From here on a disk that goes waits until its data is
 * stable, which otherwise nothing does.
 */
void qdisk_set_ending(struct qdisk_set *set);
/* After xenbus_destroy(). */
void qdisk_set_free(struct qdisk_set *set);

/* Makes finished writes of all disks stable; blocks. For saving. Returns 0 or the first -errno. */
int qdisk_flush_all(struct qdisk_set *set);

/* The image of the disk with this path in its params, or NULL. Not to be kept. */
struct block *qdisk_block(struct qdisk_set *set, const char *path);

/* The size of this image has changed: the guest is told. */
void qdisk_resized(struct qdisk_set *set, const struct block *block);

/*
 * Splits a params node, which is cut at the colon. An unknown format is handed on as it is; a node
 * without a colon is the path of a raw image.
 */
void qdisk_parse_params(char *params, const char **format, const char **path);

#endif
