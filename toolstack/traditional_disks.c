/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What qemu-dm takes from xenstore in place of -drive and -machine. */
#include "toolstack/traditional.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "toolstack/cmdline_internal.h"

/* --- images ----------------------------------------------------------------------------------- */

/* Served by the kernel: params is what its hot-plug script was given. */
static bool is_kernels(const char *type)
{
    return type && (!strcmp(type, "phy") || !strcmp(type, "vbd") || !strcmp(type, "file"));
}

/* The names of libxl and xend, where they are not QEMU's. */
static const char *qemu_format(const char *name)
{
    static const char *const alias[][2] = {
        {"aio", "raw"}, {"ram", "raw"}, {"sync", "raw"}, {"vhd", "vpc"}};
    static const char *const same[] = {"raw",  "host_device", "qcow", "qcow2", "vpc",
                                       "vhdx", "vmdk",        "qed",  "vdi"};

    for (size_t i = 0; i < sizeof(alias) / sizeof(alias[0]); i++)
        if (!strcmp(name, alias[i][0]))
            return alias[i][1];
    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
        if (!strcmp(name, same[i]))
            return same[i];
    return NULL;
}

int traditional_image(const char *params, const char *type, struct traditional_image *out)
{
    const char *path = params ? params : "";
    size_t n = strcspn(path, ":/");
    bool relative = is_kernels(type);
    char name[16];

    *out = (struct traditional_image){.format = "raw"};
    if (!relative && path[n] == ':') {
        snprintf(name, sizeof(name), "%.*s", (int)n, path);
        out->format = qemu_format(name);
        if (!out->format)
            return -EINVAL;
        path += n + 1;
    }
    if (!*path)
        return 0;
    if (asprintf(&out->path, "%s%s", relative && *path != '/' ? "/dev/" : "", path) < 0) {
        out->path = NULL;
        return -ENOMEM;
    }
    return 0;
}

bool traditional_is_backend(const char *path, unsigned domid, const char *device)
{
    static const char *const kinds[] = {"vbd", "tap", "qdisk"};
    size_t digits = strspn(device, "0123456789");
    char want[100];

    if (!digits || device[digits] || digits > 10)
        return false;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        snprintf(want, sizeof(want), "/local/domain/0/backend/%s/%u/%.10s", kinds[i], domid,
                 device);
        if (!strcmp(path, want))
            return true;
    }
    return false;
}

/* --- units ------------------------------------------------------------------------------------ */

/* "hdc", "hdc:cdrom": the letter's number, or -1 when it is not PREFIX and one letter. */
static int letter_of(const char *dev, const char *prefix)
{
    const char *rest;

    if (!dev || !starts_with(dev, prefix, &rest) || *rest < 'a' || *rest > 'z' ||
        (rest[1] && rest[1] != ':'))
        return -1;
    return *rest - 'a';
}

static bool is_cdrom(const struct traditional_disk *disk)
{
    const char *colon = disk->dev ? strchr(disk->dev, ':') : NULL;

    return (disk->device_type && !strcmp(disk->device_type, "cdrom")) ||
           (colon && !strcmp(colon, ":cdrom"));
}

static void fill_drive(struct parser *p, struct config_drive *drive,
                       const struct traditional_disk *disk)
{
    struct traditional_image image;
    int rc = traditional_image(disk->params, disk->type, &image);

    if (rc) {
        if (rc == -ENOMEM)
            p->err = rc;
        fail(p,
             "the format is not known; accepted: aio, raw, vhd, vhdx, vmdk, qcow, qcow2, qed, vdi");
        return;
    }
    drive_format(p, drive, image.format);
    drive->file = image.path ? keep(p, image.path) : NULL;
    free(image.path);
    drive->media = is_cdrom(disk) ? CONFIG_MEDIA_CDROM : CONFIG_MEDIA_DISK;
    drive->readonly = drive->media == CONFIG_MEDIA_CDROM || !disk->mode || !strchr(disk->mode, 'w');
    drive->cache = CONFIG_CACHE_WRITEBACK;
    drive->lock = true;
    drive->werror = CONFIG_IO_ERROR_ENOSPC;
    drive->rerror = CONFIG_IO_ERROR_REPORT;
    drive->bootindex = -1;
    drive->frontend = keep(p, disk->frontend);
    drive->backend = keep(p, disk->backend);
    drive->params = keep(p, disk->params ? disk->params : "");
    if (!drive->file && drive->media == CONFIG_MEDIA_DISK)
        fail(p, "a hard disk needs an image; accepted: FORMAT:PATH, or a path");
}

static void add_disk(struct parser *p, const struct traditional_disk *disk, unsigned unit)
{
    struct config *c = p->config;
    struct config_drive *drive = &c->drive[c->drive_count];

    set_context(p, disk->backend, disk->params);
    if (c->ide[unit] >= 0)
        fail(p, "hd%c is taken already", 'a' + unit);
    else if (c->drive_count == CONFIG_DRIVE_MAX)
        fail(p, "one drive too many; accepted: up to %d", CONFIG_DRIVE_MAX);
    if (p->err)
        return;
    *drive = (struct config_drive){.bus = CONFIG_BUS_IDE, .unit = unit};
    fill_drive(p, drive, disk);
    drive->id = keep_format(p, "ide%u-%s%u", unit / 2,
                            drive->media == CONFIG_MEDIA_CDROM ? "cd" : "hd", unit % 2);
    if (!p->err)
        c->ide[unit] = (int)c->drive_count++;
}

static void add_disks(struct parser *p, const struct traditional_disk *disk, size_t count)
{
    const char *prefix = "xvd";

    for (size_t i = 0; i < count; i++) {
        set_context(p, disk[i].backend, disk[i].dev);
        if (letter_of(disk[i].dev, "hd") >= 0)
            prefix = "hd";
        if (letter_of(disk[i].dev, "sd") >= 0)
            fail(p, "SCSI disks are not built yet; accepted: IDE disks (vdev hda to hdd)");
    }
    for (size_t i = 0; i < count && !p->err; i++) {
        int unit = letter_of(disk[i].dev, prefix);

        if (unit >= 0 && unit < CONFIG_IDE_MAX)
            add_disk(p, &disk[i], (unsigned)unit);
    }
}

int traditional_add_disks(struct config *config, const struct traditional_disk *disk, size_t count,
                          struct config_messages *messages)
{
    struct parser *p = calloc(1, sizeof(*p));
    int err;

    memset(messages, 0, sizeof(*messages));
    if (!p)
        return -ENOMEM;
    p->config = config;
    p->messages = messages;
    add_disks(p, disk, count);
    err = p->err;
    free(p);
    return err;
}

/* --- the platform device ---------------------------------------------------------------------- */

static void forget_pci(int *index, int gone)
{
    if (*index > gone)
        (*index)--;
}

/* Places all that have no place of their own, as if the list had always been like this. */
static void place_again(struct config *c)
{
    uint32_t taken = 3; /* the chipset's */

    for (unsigned i = 0; i < c->pci_count; i++)
        if (c->pci[i].addr_given)
            taken |= UINT32_C(1) << c->pci[i].slot;
    for (unsigned i = 0; i < c->pci_count; i++) {
        if (c->pci[i].addr_given)
            continue;
        c->pci[i].slot = (unsigned)__builtin_ctz(~taken);
        taken |= UINT32_C(1) << c->pci[i].slot;
    }
}

void traditional_remove_platform(struct config *config)
{
    struct config *c = config;
    unsigned gone = 0;

    c->platform_pci = false;
    while (gone < c->pci_count && c->pci[gone].kind != CONFIG_PCI_PLATFORM)
        gone++;
    if (gone == c->pci_count)
        return;
    c->pci_count--;
    memmove(&c->pci[gone], &c->pci[gone + 1], (c->pci_count - gone) * sizeof(c->pci[0]));
    forget_pci(&c->vga.pci, (int)gone);
    for (unsigned i = 0; i < c->nic_count; i++)
        forget_pci(&c->nic[i].pci, (int)gone);
    for (unsigned i = 0; i < c->sound_count; i++)
        forget_pci(&c->sound[i].pci, (int)gone);
    place_again(c);
}
