/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Paravirtual drivers that the host's administrator has excluded, in xenstore. */
#ifndef DM_DRIVER_BLACKLIST_H
#define DM_DRIVER_BLACKLIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xen/xenif.h"

#define DRIVER_BLACKLIST_MAX 64u

struct driver_blacklist {
    struct xen *xen; /* not owned */
    bool known;      /* it has been read */
    size_t count;
    struct {
        uint16_t product;
        uint32_t build;
    } entry[DRIVER_BLACKLIST_MAX];
};

/*
 * /mh/driver-blacklist/<product>/<build>. To be called while xenstore can be read, at the latest
 * before a guest's driver asks: what the list says later does not count for this process.
 */
void driver_blacklist_read(struct driver_blacklist *list);

/* Reads the list at the first question. `opaque` is a struct driver_blacklist. */
bool driver_blacklist_has(void *opaque, uint16_t product, uint32_t build);

#endif
