/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The Xen platform device: what paravirtual drivers use to take over from emulated devices. */
#ifndef HW_PLATFORM_XEN_PLATFORM_H
#define HW_PLATFORM_XEN_PLATFORM_H

#include "dm/env.h"

/*
 * Takes emulated devices away for good. Each returns when they are gone: transfers finished,
 * written data flushed, images and host interfaces closed. Each may be called more than once, also
 * right after a restore. NULL members: there is nothing of the kind.
 */
struct xen_platform_unplug_ops {
    /* IDE and SCSI disks, never CD-ROM drives; aux_only: all but the primary master. */
    void (*disks)(void *opaque, bool aux_only);
    void (*nics)(void *opaque);
    void (*nvme)(void *opaque);
    void *opaque;
};

struct xen_platform_config {
    uint8_t devfn; /* usually 02.0 */
    struct xen_platform_unplug_ops unplug;
    /* Whether a driver must not take over. NULL: all may. Product 0 is nobody and not asked for. */
    bool (*blacklisted)(void *blacklist, uint16_t product, uint32_t build);
    void *blacklist;
};

struct xen_platform;

/* Returns 0 or -errno. The device list owns the result. */
int xen_platform_create(struct xen_platform **out, const struct dm_env *env,
                        const struct xen_platform_config *config);

/* The number behind a product's name as in /mh/driver-blacklist/<name>/<build>; 0: unknown. */
uint16_t xen_platform_product(const char *name);

#endif
