/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dm/driver_blacklist.h"

#include <stdio.h>
#include <stdlib.h>

#include "hw/platform/xen_platform.h"

#define FOLDER "/mh/driver-blacklist"

static void read_product(struct driver_blacklist *list, const char *name)
{
    char path[128];
    unsigned builds = 0;
    char **build;

    snprintf(path, sizeof(path), FOLDER "/%.80s", name);
    build = xen_store_directory(list->xen, path, &builds);
    for (unsigned b = 0; build && b < builds && list->count < DRIVER_BLACKLIST_MAX; b++) {
        list->entry[list->count].product = xen_platform_product(name);
        list->entry[list->count].build = (uint32_t)strtoul(build[b], NULL, 10);
        list->count++;
    }
    free(build);
}

void driver_blacklist_read(struct driver_blacklist *list)
{
    unsigned products = 0;
    char **product = xen_store_directory(list->xen, FOLDER, &products);

    for (unsigned p = 0; product && p < products; p++)
        read_product(list, product[p]);
    free(product);
    list->known = true;
}

bool driver_blacklist_has(void *opaque, uint16_t product, uint32_t build)
{
    struct driver_blacklist *list = opaque;

    if (!list->known)
        driver_blacklist_read(list);
    for (size_t i = 0; i < list->count; i++)
        if (list->entry[i].product == product && list->entry[i].build == build)
            return true;
    return false;
}
