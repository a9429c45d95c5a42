/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The CMOS memory behind ports 70h/71h: what firmware is told about the machine. */
#ifndef HW_CHIPSET_CMOS_H
#define HW_CHIPSET_CMOS_H

#include "dm/env.h"

/* Indices by what they hold. */
enum {
    CMOS_SHUTDOWN = 0x0f,
    CMOS_SHUTDOWN_S3 = 0xfe, /* value: the next start is a resume */
};

#define CMOS_DISKS 8

/* CHS translation codes of bytes 39h and 3Ah. */
enum cmos_translation {
    CMOS_TRANSLATION_NONE,
    CMOS_TRANSLATION_LBA,
    CMOS_TRANSLATION_LARGE,
    CMOS_TRANSLATION_RECHS,
};

/* One IDE disk, in the order hda, hdb, hdc, ... (CD-ROM drives are not disks). */
struct cmos_disk {
    bool present;
    enum cmos_translation translation;
    uint16_t cylinders, heads, sectors; /* as the firmware is to see them */
};

struct cmos_config {
    uint64_t ram_below_4g, ram_above_4g; /* bytes */
    unsigned vcpus;                      /* >= 1 */
    uint8_t boot_first_second;           /* bytes 3Dh and 38h, see firmware/bootorder.h */
    uint8_t boot_third;
    uint8_t floppy_type[2]; /* A and B: 0 none, 2 1.2 MB, 4 1.44 MB, 5 2.88 MB */
    bool ps2_mouse;
    struct cmos_disk disk[CMOS_DISKS];
};

struct cmos;

/* Returns 0 or -errno. The device list owns the result. */
int cmos_create(struct cmos **out, const struct dm_env *env, const struct cmos_config *config);

/* One byte; the index is taken modulo 128. */
uint8_t cmos_get(const struct cmos *cmos, uint8_t index);
void cmos_set(struct cmos *cmos, uint8_t index, uint8_t value);

#endif
