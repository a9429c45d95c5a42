/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Traditional mode's configuration: what xenstore adds to the command line.
 *
 * A front end's directory is the guest's own, which could name any file of the host as its disk:
 * a back end is believed when it has the place that the toolstack gives it, and names that front
 * end in turn.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dm/log.h"
#include "dm/traditional.h"
#include "toolstack/keyval.h"
#include "toolstack/traditional.h"
#include "xen/xenif.h"

#define DISKS_MAX  64u
#define TEXTS_MAX  (8 * DISKS_MAX) /* find_disk() takes up to eight */
#define MEMORY_MAX (16ull << 30)   /* KiB: what 44 address bits reach */

struct disk_list {
    struct traditional_disk disk[DISKS_MAX];
    char *text[TEXTS_MAX]; /* owns the strings of the above, and of disks that were left out */
    size_t count, texts;
};

/* Reads DIRECTORY/NODE, which stays the list's; NULL when there is none. */
static const char *read_node(struct xen *xen, struct disk_list *list, const char *directory,
                             const char *node)
{
    char path[200];

    snprintf(path, sizeof(path), "%s/%s", directory, node);
    return list->text[list->texts++] = xen_store_read(xen, path);
}

static void find_disk(struct xen *xen, struct disk_list *list, const char *device)
{
    struct traditional_disk *disk = &list->disk[list->count];
    const char *points_back;
    char *frontend;

    if (list->texts + 8 > TEXTS_MAX ||
        asprintf(&frontend, "/local/domain/%u/device/vbd/%.20s", xen_domid(xen), device) < 0)
        return;
    list->text[list->texts++] = frontend;
    disk->frontend = frontend;
    disk->backend = read_node(xen, list, frontend, "backend");
    if (!disk->backend || !traditional_is_backend(disk->backend, xen_domid(xen), device)) {
        log_warn("%s: the back end is not one of this host's: the disk is not emulated", frontend);
        return;
    }
    points_back = read_node(xen, list, disk->backend, "frontend");
    if (!points_back || strcmp(points_back, frontend) != 0) {
        log_warn("%s: the back end %s is another's: the disk is not emulated", frontend,
                 disk->backend);
        return;
    }
    disk->dev = read_node(xen, list, disk->backend, "dev");
    disk->params = read_node(xen, list, disk->backend, "params");
    disk->type = read_node(xen, list, disk->backend, "type");
    disk->mode = read_node(xen, list, disk->backend, "mode");
    disk->device_type = read_node(xen, list, disk->backend, "device-type");
    list->count++;
}

static void log_messages(const struct config_messages *messages)
{
    for (size_t i = 0; i < messages->notice_count; i++)
        log_warn("%s", messages->notice[i]);
    if (messages->error)
        log_error("%s", messages->error);
}

static int find_disks(struct xen *xen, struct config *config)
{
    struct disk_list *list = calloc(1, sizeof(*list));
    struct config_messages messages;
    unsigned devices = 0;
    char path[64], **device;
    int rc;

    if (!list)
        return -ENOMEM;
    snprintf(path, sizeof(path), "/local/domain/%u/device/vbd", xen_domid(xen));
    device = xen_store_directory(xen, path, &devices);
    for (unsigned i = 0; device && i < devices; i++)
        find_disk(xen, list, device[i]);
    free(device);
    rc = traditional_add_disks(config, list->disk, list->count, &messages);
    log_messages(&messages);
    config_messages_free(&messages);
    while (list->texts)
        free(list->text[--list->texts]);
    free(list);
    return rc;
}

/* KiB; 0 when there is no such number. */
static uint64_t read_memory(struct xen *xen, const char *node)
{
    uint64_t kib = 0;
    char path[64], *text;

    snprintf(path, sizeof(path), "/local/domain/%u/memory/%s", xen_domid(xen), node);
    text = xen_store_read(xen, path);
    if (text && !keyval_parse_uint(text, 0, MEMORY_MAX, &kib))
        kib = 0;
    free(text);
    return kib;
}

static void find_memory(struct xen *xen, struct config *config)
{
    uint64_t all = read_memory(xen, "static-max"), video = read_memory(xen, "videoram");

    if (!config->memory_mb && all > video)
        config->memory_mb = (all - video) >> 10;
}

static bool platform_is_disabled(struct xen *xen)
{
    char path[64], *text;
    bool disabled;

    snprintf(path, sizeof(path), "device-model/%u/disable_pf", xen_domid(xen));
    text = xen_store_read(xen, path);
    disabled = text && strcmp(text, "1") == 0;
    free(text);
    return disabled;
}

int traditional_complete(struct config *config)
{
    struct xen *xen;
    int rc = xen_open_store(&xen, config->domid);

    if (rc) {
        log_error("cannot open xenstore: %s", strerror(-rc));
        return rc;
    }
    if (platform_is_disabled(xen))
        traditional_remove_platform(config);
    find_memory(xen, config);
    rc = find_disks(xen, config);
    xen_close(xen);
    return rc;
}
