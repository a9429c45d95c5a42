/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * -drive, -hda .. -hdd, -cdrom, -fda, -fdb: one image each. Which unit of which
 * bus it becomes is worked out in cmdline_disk.c.
 */
#include "toolstack/cmdline_internal.h"

#include <string.h>

static const char drive_keys[] = "file, if, index, bus, unit, media, format, cache, readonly, id, "
                                 "discard, werror, rerror, serial, "
                                 "cyls, heads, secs";

/* libxl puts paths on the command line as they are. */
static const char drive_hint[] =
    "if this is part of a file name: a comma in a value is written ',,', which libxl does not do; "
    "give the file a name without a comma";

/*
 * A file as QEMU understands it: what stands before a ':' that comes before every '/' is a
 * protocol. Returns the path or address, or NULL after a failure.
 */
static const char *check_file(struct parser *p, const char *file)
{
    static const char *const protocols[] = {
        "nbd:",   "nbd+tcp:", "nbd+unix:", "rbd:", "iscsi:",  "http:",
        "https:", "ftp:",     "ftps:",     "ssh:", "gluster:"};
    size_t n = strcspn(file, ":/");
    const char *rest;

    if (file[n] != ':' || starts_with(file, "file:", &rest))
        return file[n] == ':' ? rest : file;
    for (size_t i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++)
        if (starts_with(file, protocols[i], &rest))
            return file;
    fail(p,
         "images by way of '%.*s:' are not supported; accepted: a file or block device (a path "
         "with a colon in its first part is written ./NAME), nbd:HOST:PORT, nbd:unix:PATH, "
         "nbd+unix:///NAME?socket=PATH, and rbd:, iscsi:, http:, ftp:, ssh: and gluster: as "
         "qemu-nbd takes them",
         (int)(n < 40 ? n : 40), file);
    return NULL;
}

/* The formats that qemu-nbd serves; libxl says vpc for xl's vhd. */
void drive_format(struct parser *p, struct config_drive *drive, const char *format)
{
    static const char *const served[] = {"qcow", "qcow2", "vpc",   "vhd", "vhdx",     "vmdk",
                                         "qed",  "vdi",   "cloop", "dmg", "parallels"};

    drive->format = CONFIG_FORMAT_RAW;
    drive->format_name = "raw";
    if (!format || !strcmp(format, "raw"))
        return;
    if (!strcmp(format, "host_device") || !strcmp(format, "host_cdrom")) {
        drive->format = CONFIG_FORMAT_HOST_DEVICE;
        drive->format_name = "host_device";
        return;
    }
    for (size_t i = 0; i < sizeof(served) / sizeof(served[0]); i++) {
        if (!strcmp(format, served[i])) {
            drive->format = CONFIG_FORMAT_SERVED;
            drive->format_name = served[i];
            return;
        }
    }
    if (!strcmp(format, "quorum") || !strcmp(format, "replication"))
        fail(p, "COLO (driver=%s) is not supported; accepted: raw, host_device, qcow2, vpc, vmdk",
             format);
    else
        fail(p,
             "format=%.40s is not known; accepted: raw, host_device, qcow, qcow2, vpc, vhd, vhdx, "
             "vmdk, qed, vdi, cloop, dmg, parallels",
             format);
}

static void drive_cache(struct parser *p, struct config_drive *drive, struct keyval *kv)
{
    static const char *const words[] = {"writeback", "writethrough", "none", "directsync",
                                        "unsafe",    "off",          NULL};
    int cache = list_choice(p, kv, "cache", CONFIG_CACHE_WRITEBACK, words);

    drive->cache = cache == 5 ? CONFIG_CACHE_NONE : (enum config_cache)cache;
    if (list_bool(p, kv, "cache.direct", false))
        drive->cache =
            drive->cache == CONFIG_CACHE_WRITETHROUGH ? CONFIG_CACHE_DIRECTSYNC : CONFIG_CACHE_NONE;
    if (list_bool(p, kv, "cache.no-flush", false))
        drive->cache = CONFIG_CACHE_UNSAFE;
}

/* Keys that change what a guest sees or what happens on errors. */
static void drive_details(struct parser *p, struct config_drive *drive, struct keyval *kv)
{
    static const char *const discards[] = {"off", "ignore", "on", "unmap", NULL};
    static const char *const werrors[] = {"report", "ignore", "stop", "enospc", NULL};
    static const char *const rerrors[] = {"report", "ignore", "stop", NULL};
    static const char *const lockings[] = {"auto", "on", "off", NULL};
    const char *serial = list_string(p, kv, "serial");
    int werror = list_choice(p, kv, "werror", 3, werrors);

    drive->discard = list_choice(p, kv, "discard", 0, discards) >= 2;
    drive->lock = list_choice(p, kv, "file.locking", 0, lockings) != 2;
    drive->werror = (enum config_io_error)werror;
    drive->rerror = (enum config_io_error)list_choice(p, kv, "rerror", 0, rerrors);
    drive->serial = serial ? keep(p, serial) : NULL;
    drive->cyls = (unsigned)list_uint(p, kv, "cyls", 0, 1, 65535);
    drive->heads = (unsigned)list_uint(p, kv, "heads", 0, 1, 255);
    drive->secs = (unsigned)list_uint(p, kv, "secs", 0, 1, 255);
    if ((drive->cyls || drive->heads || drive->secs) &&
        !(drive->cyls && drive->heads && drive->secs))
        fail(p, "cyls, heads and secs are accepted together only");
    if (list_bool(p, kv, "snapshot", false) || list_bool(p, kv, "copy-on-read", false))
        fail(p, "snapshot and copy-on-read are not supported; accepted: off");
    list_ignore(kv, "aio detect-zeroes trans boot auto-read-only node-name");
}

/* if=, and the wanted unit by index= or bus= and unit=. */
static void drive_place_wanted(struct parser *p, struct drive_source *source, struct keyval *kv)
{
    static const struct {
        const char *name;
        enum drive_interface interface;
        unsigned max;
    } interfaces[] = {{"ide", DRIVE_IDE, CONFIG_IDE_MAX - 1},
                      {"floppy", DRIVE_FLOPPY, CONFIG_FLOPPY_MAX - 1},
                      {"none", DRIVE_NONE, 0}};
    const char *name = list_string(p, kv, "if");
    const uint64_t none = UINT64_MAX;
    uint64_t index, bus, unit;
    size_t i = 0;

    while (i < 3 && name && strcmp(interfaces[i].name, name))
        i++;
    if (i == 3) {
        fail(p, "if=%.40s is not supported; accepted: ide, floppy, none", name);
        return;
    }
    source->interface = interfaces[i].interface;
    source->index = -1;
    if (source->interface == DRIVE_NONE) {
        list_ignore(kv, "index bus unit");
        return;
    }
    index = list_uint(p, kv, "index", none, 0, interfaces[i].max);
    bus = list_uint(p, kv, "bus", none, 0, source->interface == DRIVE_IDE ? 1 : 0);
    unit = list_uint(p, kv, "unit", none, 0, 1);
    if (index != none && (bus != none || unit != none))
        fail(p, "index= is not accepted together with bus= and unit=");
    if (index != none)
        source->index = (int)index;
    else if (bus != none || unit != none)
        source->index = (int)((bus == none ? 0 : bus * 2) + (unit == none ? 0 : unit));
}

static struct config_drive *drive_new(struct parser *p, struct drive_source **source)
{
    struct config *c = p->config;
    struct config_drive *drive;

    if (c->drive_count == CONFIG_DRIVE_MAX) {
        fail(p, "one drive too many; accepted: up to %d", CONFIG_DRIVE_MAX);
        return NULL;
    }
    *source = &p->drive[c->drive_count];
    (*source)->option = p->option;
    (*source)->text = p->value;
    drive = &c->drive[c->drive_count++];
    drive->bootindex = -1;
    return drive;
}

/* Given by id=: nobody else may have it. */
static void drive_id(struct parser *p, struct config_drive *drive, const char *id)
{
    const struct config *c = p->config;

    if (!id || !check_id(p, id))
        return;
    for (unsigned i = 0; i < c->drive_count; i++) {
        if (c->drive[i].id && !strcmp(c->drive[i].id, id)) {
            fail(p, "the id '%.60s' is already that of '%.200s'", id, p->drive[i].text);
            return;
        }
    }
    drive->id = keep(p, id);
}

void option_drive(struct parser *p, const char *value)
{
    static const char *const medias[] = {"disk", "cdrom", NULL};
    static const char *const lowest[] = {"file", "host_device", "host_cdrom", NULL};
    struct drive_source *source;
    struct config_drive *drive;
    struct keyval kv;

    p->hint = drive_hint;
    if (list_open(p, &kv, value, NULL) && (drive = drive_new(p, &source))) {
        const char *file = list_string(p, &kv, "file");
        const char *filename = list_string(p, &kv, "file.filename");
        const char *format = list_string(p, &kv, "format");
        const char *driver = list_string(p, &kv, "driver");
        bool readonly;

        if (file && filename)
            fail(p, "file= and file.filename= are not accepted together");
        file = file ? file : filename;
        list_choice(p, &kv, "file.driver", 0, lowest);
        if (file && *file && (file = check_file(p, file)))
            drive->file = keep(p, file);
        drive_place_wanted(p, source, &kv);
        source->media_given = keyval_find(&kv, "media");
        drive->media = (enum config_media)list_choice(p, &kv, "media", 0, medias);
        /* Of the elements that do not belong, the first is the one to name. */
        if (!p->err)
            drive_format(p, drive, format ? format : driver);
        drive_cache(p, drive, &kv);
        readonly = list_bool(p, &kv, "read-only", false);
        drive->readonly = list_bool(p, &kv, "readonly", readonly);
        drive_details(p, drive, &kv);
        drive_id(p, drive, list_string(p, &kv, "id"));
        list_close(p, &kv, drive_keys);
        if (!p->err && !format && !driver && drive->file)
            notice(p, true, "no format= is given; the image is taken as raw, it is never probed");
    }
    keyval_free(&kv);
}

/* -hda FILE and the like: the file name is taken as it is, commas and all. */
void option_disk_shortcut(struct parser *p, const char *value)
{
    const char *name = p->entry->name;
    bool floppy = name[0] == 'f', cdrom = name[0] == 'c';
    struct drive_source *source;
    struct config_drive *drive = drive_new(p, &source);
    const char *file;

    if (!drive || (!*value && !cdrom && !floppy)) {
        fail(p, "the file is missing; accepted: a file or block device");
        return;
    }
    file = *value ? check_file(p, value) : NULL;
    drive->file = file ? keep(p, file) : NULL;
    drive->media = cdrom ? CONFIG_MEDIA_CDROM : CONFIG_MEDIA_DISK;
    source->interface = floppy ? DRIVE_FLOPPY : DRIVE_IDE;
    source->media_given = true;
    source->index = cdrom ? 2 : name[2] - 'a';
}
