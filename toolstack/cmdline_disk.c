/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which image sits where: -drive if=ide|floppy by index, then -device ide-cd, ide-hd and floppy,
 * joined to their -drive by id.
 */
#include "toolstack/cmdline_internal.h"

#include <string.h>

/* What to call a drive in a message. */
static const char *drive_text(const struct parser *p, int index)
{
    return p->drive[index].text ? p->drive[index].text : "";
}

static const char *bus_name(enum config_drive_bus bus, unsigned unit)
{
    static const char *const ide[] = {"ide.0 unit 0 (index 0, hda)", "ide.0 unit 1 (index 1, hdb)",
                                      "ide.1 unit 0 (index 2, hdc)", "ide.1 unit 1 (index 3, hdd)"};
    static const char *const floppy[] = {"floppy 0 (fda)", "floppy 1 (fdb)"};

    return bus == CONFIG_BUS_IDE ? ide[unit] : floppy[unit];
}

/* Puts drive `index` at a unit that must be free. */
static void attach(struct parser *p, int index, enum config_drive_bus bus, unsigned unit)
{
    struct config *c = p->config;
    int *place = bus == CONFIG_BUS_IDE ? &c->ide[unit] : &c->floppy[unit];
    struct config_drive *drive = &c->drive[index];

    if (*place >= 0) {
        fail(p, "%s is taken already by '%.200s'", bus_name(bus, unit), drive_text(p, *place));
        return;
    }
    *place = index;
    drive->bus = bus;
    drive->unit = unit;
    if (drive->media == CONFIG_MEDIA_CDROM)
        drive->readonly = true;
    else if (!drive->file && bus == CONFIG_BUS_IDE)
        fail(p,
             "a hard disk needs an image; accepted: file=PATH (only a CD-ROM drive can be empty)");
}

/* The first free unit among `count` from `first`, or one that is taken. */
static unsigned free_unit(const int *place, unsigned first, unsigned count, unsigned step)
{
    unsigned unit = first;

    while (unit + step < first + count && place[unit] >= 0)
        unit += step;
    return unit;
}

/* An id for a drive that was given none, as QEMU forms it. */
static void name_drive(struct parser *p, unsigned index)
{
    struct config *c = p->config;
    struct config_drive *drive = &c->drive[index];
    const char *kind = drive->media == CONFIG_MEDIA_CDROM ? "cd" : "hd";

    if (drive->id)
        return;
    if (drive->bus == CONFIG_BUS_IDE)
        drive->id = keep_format(p, "ide%u-%s%u", drive->unit / 2, kind, drive->unit % 2);
    else if (drive->bus == CONFIG_BUS_FLOPPY)
        drive->id = keep_format(p, "floppy%u", drive->unit);
    else
        drive->id = keep_format(p, "none%u", index);
    for (unsigned i = 0; i < c->drive_count; i++) {
        if (i != index && c->drive[i].id && !strcmp(c->drive[i].id, drive->id))
            fail(p, "the id '%.60s' is that of two drives: '%.150s' and '%.150s'", drive->id,
                 drive_text(p, (int)i), drive_text(p, (int)index));
    }
}

/* -drive if=ide and if=floppy are attached in order, before any -device. */
void drives_place(struct parser *p)
{
    struct config *c = p->config;

    for (unsigned i = 0; i < c->drive_count && !p->err; i++) {
        const struct drive_source *source = &p->drive[i];
        bool ide = source->interface == DRIVE_IDE;
        int unit = source->index;

        if (source->interface == DRIVE_NONE)
            continue;
        set_context(p, source->option, source->text);
        if (unit < 0)
            unit = (int)(ide ? free_unit(c->ide, 0, CONFIG_IDE_MAX, 1)
                             : free_unit(c->floppy, 0, CONFIG_FLOPPY_MAX, 1));
        attach(p, (int)i, ide ? CONFIG_BUS_IDE : CONFIG_BUS_FLOPPY, (unsigned)unit);
    }
}

/* The -drive that KEY=ID names; -1 after a failure, or without KEY= where `optional`. */
static int find_drive(struct parser *p, struct device *d, const char *key, bool optional)
{
    const struct config *c = p->config;
    const char *id = list_string(p, &d->kv, key);

    if (!id) {
        if (!optional)
            fail(p, "%s=ID is missing; accepted: the id of a -drive", key);
        return -1;
    }
    for (unsigned i = 0; i < c->drive_count; i++) {
        if (!c->drive[i].id || strcmp(c->drive[i].id, id))
            continue;
        if (c->drive[i].bus != CONFIG_BUS_NONE || p->drive[i].interface != DRIVE_NONE) {
            fail(p, "%s=%.60s is attached already: '%.200s' at %s", key, id, drive_text(p, (int)i),
                 bus_name(c->drive[i].bus, c->drive[i].unit));
            return -1;
        }
        return (int)i;
    }
    fail(p, "%s=%.60s: there is no -drive with this id", key, id);
    return -1;
}

/* bus=ide.B and unit=U, each of which may be left out. */
static unsigned ide_unit(struct parser *p, struct keyval *kv)
{
    const char *bus = list_string(p, kv, "bus");
    unsigned unit = (unsigned)list_uint(p, kv, "unit", 2, 0, 1);
    const int *ide = p->config->ide;
    unsigned first;

    if (!bus)
        return unit == 2 ? free_unit(ide, 0, 4, 1) : free_unit(ide, unit, 4 - unit, 2);
    if (strcmp(bus, "ide.0") && strcmp(bus, "ide.1")) {
        if (!strncmp(bus, "ahci", 4))
            fail(p,
                 "bus=%.40s: AHCI disks are not built yet; accepted: bus=ide.0, bus=ide.1 (xl.cfg: "
                 "hdtype=\"ide\")",
                 bus);
        else
            fail(p, "bus=%.40s is not there; accepted: bus=ide.0, bus=ide.1", bus);
        return 0;
    }
    first = bus[4] == '1' ? 2 : 0;
    return unit == 2 ? free_unit(ide, first, 2, 1) : first + unit;
}

/* A drive without -drive: an empty CD-ROM or floppy drive. */
static int new_empty_drive(struct parser *p, const struct device *d)
{
    struct config *c = p->config;

    if (c->drive_count == CONFIG_DRIVE_MAX) {
        fail(p, "one drive too many; accepted: up to %d", CONFIG_DRIVE_MAX);
        return -1;
    }
    p->drive[c->drive_count] =
        (struct drive_source){.option = "-device", .text = d->text, .index = -1};
    c->drive[c->drive_count].bootindex = -1;
    return (int)c->drive_count++;
}

static void ide_from_device(struct parser *p, struct device *d)
{
    struct config *c = p->config;
    struct keyval *kv = &d->kv;
    bool cdrom = !strcmp(d->type->name, "ide-cd");
    int index = find_drive(p, d, "drive", cdrom);
    unsigned unit = ide_unit(p, kv);
    struct config_drive *drive;
    const char *id, *serial, *model;

    if (index < 0 && !p->err)
        index = new_empty_drive(p, d);
    if (p->err)
        return;
    drive = &c->drive[index];
    if (strcmp(d->type->name, "ide-drive"))
        drive->media = cdrom ? CONFIG_MEDIA_CDROM : CONFIG_MEDIA_DISK;
    id = list_string(p, kv, "id");
    serial = list_string(p, kv, "serial");
    model = list_string(p, kv, "model");
    drive->qdev_id = id ? keep(p, id) : NULL;
    drive->serial = serial ? keep(p, serial) : drive->serial;
    drive->model = model ? keep(p, model) : NULL;
    drive->wwn = list_uint(p, kv, "wwn", 0, 0, UINT64_MAX);
    drive->bootindex = (int)list_uint(p, kv, "bootindex", (uint64_t)-1, 0, 0x7fffffff);
    list_ignore(kv, "ver write-cache share-rw rotation_rate discard_granularity logical_block_size "
                    "physical_block_size min_io_size opt_io_size bios-chs-trans");
    list_close(p, kv, "drive, bus, unit, id, serial, model, wwn, bootindex");
    if (!p->err)
        attach(p, index, CONFIG_BUS_IDE, unit);
}

static void floppy_from_device(struct parser *p, struct device *d)
{
    struct config *c = p->config;
    struct keyval *kv = &d->kv;
    int index = find_drive(p, d, "drive", true);
    unsigned unit = (unsigned)list_uint(p, kv, "unit", 2, 0, 1);
    const char *id = list_string(p, kv, "id");

    list_ignore(kv, "bus drive-type");
    list_close(p, kv, "drive, unit, id, drive-type");
    if (index < 0 && !p->err)
        index = new_empty_drive(p, d);
    if (p->err)
        return;
    c->drive[index].qdev_id = id ? keep(p, id) : NULL;
    attach(p, index, CONFIG_BUS_FLOPPY,
           unit == 2 ? free_unit(c->floppy, 0, CONFIG_FLOPPY_MAX, 1) : unit);
}

/* The controller, which is there when a drive is: only its drives have to be named. */
static void floppies_from_controller(struct parser *p, struct device *d)
{
    static const char *const keys[CONFIG_FLOPPY_MAX] = {"driveA", "driveB"};

    for (unsigned unit = 0; unit < CONFIG_FLOPPY_MAX; unit++) {
        int index = find_drive(p, d, keys[unit], true);

        if (index >= 0)
            attach(p, index, CONFIG_BUS_FLOPPY, unit);
    }
    (void)list_string(p, &d->kv, "id");
    list_ignore(&d->kv, "iobase irq dma fdtypeA fdtypeB fallback");
    list_close(p, &d->kv, "driveA, driveB, id");
}

void drive_from_device(struct parser *p, struct device *d)
{
    if (d->type->class == DEVICE_IDE)
        ide_from_device(p, d);
    else if (!strcmp(d->type->name, "isa-fdc"))
        floppies_from_controller(p, d);
    else
        floppy_from_device(p, d);
}

/* "/dev/fdset/N" has to be there from the start. */
static void check_fdset(struct parser *p, const char *file)
{
    const struct config *c = p->config;
    const char *rest;
    uint64_t set = 0;

    if (!file || !starts_with(file, "/dev/fdset/", &rest))
        return;
    if (!keyval_parse_uint(rest, 0, INT32_MAX, &set)) {
        fail(p, "'%.60s' is not accepted; accepted: /dev/fdset/NUMBER", file);
        return;
    }
    for (unsigned i = 0; i < c->fdset_count; i++) {
        if (c->fdset[i].set == set)
            return;
    }
    fail(p, "'%.60s': there is no -add-fd with set=%u", file, (unsigned)set);
}

/* For drives that no -drive describes. */
static void drive_defaults(struct parser *p, unsigned index)
{
    struct config_drive *drive = &p->config->drive[index];

    if (drive->format_name)
        return;
    drive->format_name = "raw";
    drive->lock = true;
    drive->werror = CONFIG_IO_ERROR_ENOSPC;
}

void drives_finish(struct parser *p)
{
    const struct config *c = p->config;

    for (unsigned i = 0; i < c->drive_count && !p->err; i++) {
        set_context(p, p->drive[i].option, p->drive[i].text);
        drive_defaults(p, i);
        name_drive(p, i);
        check_fdset(p, c->drive[i].file);
        if (c->drive[i].bus == CONFIG_BUS_NONE)
            notice(p, true, "no -device uses this drive; the guest does not see it");
    }
}
