/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The PIIX3 IDE function with its two channels, ATA disks and ATAPI CD-ROM drives.
 *
 * Units are numbered as vdevs are: 0 primary master (hda), 1 primary slave, 2 secondary master
 * (hdc), 3 secondary slave.
 */
#ifndef HW_IDE_IDE_H
#define HW_IDE_IDE_H

#include "block/block.h"
#include "dm/env.h"
#include "hw/pci/pci.h"

#define IDE_UNITS 4

enum ide_kind { IDE_ABSENT, IDE_DISK, IDE_CDROM };

struct ide_unit_config {
    enum ide_kind kind;
    struct block *block;  /* a disk needs one; NULL for a CD-ROM drive: empty */
    bool stays;           /* unplug leaves this disk: the guest has no other way to it */
    const char *serial;   /* NULL: "QM00001" ... "QM00004"; at most 20 characters */
    const char *model;    /* NULL: "QEMU HARDDISK" or "QEMU DVD-ROM"; at most 40 */
    const char *firmware; /* NULL: "2.5+"; at most 8 */
    uint64_t wwn;         /* world wide name; 0: none is shown */
};

struct ide_config {
    uint8_t devfn; /* PCI_DEVFN(1, 1) on a PIIX3 */
    struct ide_unit_config unit[IDE_UNITS];
    /* The guest has opened the tray of a CD-ROM drive: its medium has been released. May be NULL.
     */
    void (*cd_ejected)(void *opaque, unsigned unit);
    void *opaque;
};

struct ide;

/*
 * Makes the function, registers its ports, its PCI function and its life-cycle verbs. The images
 * belong to it from then on. Returns 0 or -errno (then the images are still the caller's);
 * -EINVAL: a disk without an image or with one shorter than a sector.
 */
int ide_create(struct ide **out, const struct dm_env *env, const struct ide_config *config);

enum { IDE_UNPLUG_ALL = 1, IDE_UNPLUG_AUX = 4 };

/*
 * The platform device's unplug: finishes and flushes the writes of every disk (all, or all but the
 * primary master; never one that stays), closes its image, and leaves an absent drive behind; when
 * it returns nobody here touches the images. CD-ROM drives and the PCI function stay. Idempotent;
 * other bits are ignored. Blocks until the data is stable. Returns 0, or the -errno of the first
 * failed flush.
 */
int ide_unplug(struct ide *ide, uint32_t mask);

/*
 * Opens the tray and lets the medium go. 0 also when there is none. A tray that the guest has
 * locked on a medium: with force it opens all the same; without, the guest is asked (an eject
 * request event) and the answer is -EBUSY. -ENODEV: no CD-ROM drive there.
 */
int ide_cd_eject(struct ide *ide, unsigned unit, bool force);

/* Closes the tray with this medium in it; it belongs to the drive now. -ENODEV as above. */
int ide_cd_insert(struct ide *ide, unsigned unit, struct block *medium);

/* Closes an empty drive's tray. -ENODEV as above. */
int ide_cd_close_tray(struct ide *ide, unsigned unit);

struct ide_cd_info {
    bool inserted, locked, tray_open;
};
int ide_cd_info(const struct ide *ide, unsigned unit, struct ide_cd_info *info);

/* What is in a unit now: IDE_ABSENT also after unplug. */
enum ide_kind ide_unit_kind(const struct ide *ide, unsigned unit);
/* Its image or medium, or NULL; for statistics and queries. Not to be kept. */
const struct block *ide_unit_block(const struct ide *ide, unsigned unit);

/* The image of a disk has another size: IDENTIFY DEVICE tells it from now on. */
void ide_unit_resized(struct ide *ide, unsigned unit);

/* Makes finished writes of all disks stable; blocks. For saving. Returns 0 or -errno. */
int ide_flush_all(struct ide *ide);

/* How firmware is to see a disk; the codes are those of CMOS byte 0x39. */
enum ide_translation { IDE_TRANS_NONE, IDE_TRANS_LBA, IDE_TRANS_LARGE, IDE_TRANS_RECHS };

struct ide_geometry {
    uint32_t cylinders, heads, sectors; /* as IDENTIFY DEVICE reports them: at most 16383/16/63 */
    enum ide_translation translation;
};

/* From the partition table, else from the size. Reads the first sector: blocks; for start-up. */
void ide_guess_geometry(struct block *block, struct ide_geometry *out);
/* The geometry of a disk; -ENODEV when the unit is no disk. */
int ide_unit_geometry(const struct ide *ide, unsigned unit, struct ide_geometry *out);

#endif
