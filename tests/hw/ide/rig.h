/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A machine with an IDE function, two disks and a CD-ROM drive, and a small driver for it. */
#ifndef TESTS_HW_IDE_RIG_H
#define TESTS_HW_IDE_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "hw/ide/ide_internal.h"
#include "tests/block/block_ram.h"
#include "tests/harness/machine.h"

#define RIG_DISK_SECTORS 8192u /* hda, hdb: 4 MiB */
#define RIG_CD_BLOCKS    1024u /* hdc: 2 MiB */
#define RIG_BM           0xc000u

/* Where the driver keeps things in guest memory. */
#define RIG_PRDT 0x10000u
#define RIG_DATA 0x20000u

struct rig {
    struct machine m;
    struct ide *ide;
    struct block_ram ram[4];
    struct block *block[4];
    unsigned base, control, irq, bm; /* of the channel in use */
    unsigned ejected;                /* bit n: the guest has ejected unit n */
};

/* hda and hdb disks, hdc a CD-ROM drive with a medium, hdd absent. */
int rig_setup(void **state);
int rig_teardown(void **state);
#define RIG(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

/* Selects a unit: later calls talk to its channel. LBA mode. */
void rig_select(struct rig *r, unsigned unit);
uint8_t rig_status(struct rig *r); /* alternate status */
uint8_t rig_error(struct rig *r);
/* Registers, then the command; does not wait. */
void rig_issue28(struct rig *r, uint8_t command, uint32_t lba, unsigned count);
void rig_issue48(struct rig *r, uint8_t command, uint64_t lba, unsigned count);
/* A command without data, to its end: returns the status, having read it (interrupt cleared). */
uint8_t rig_simple(struct rig *r, uint8_t command, uint8_t features, uint8_t count);
/* The loop turns until nothing is left to do. */
void rig_settle(struct rig *r);
void rig_insw(struct rig *r, void *buf, size_t bytes);
void rig_outsw(struct rig *r, const void *buf, size_t bytes);

/* One entry of the PRD table. */
void rig_prd(struct rig *r, unsigned n, uint32_t base, uint32_t bytes, bool eot);
void rig_bm_start(struct rig *r, bool to_memory);
void rig_bm_stop(struct rig *r);
uint8_t rig_bm_status(struct rig *r);

/* A packet by PIO; collects the reply. Returns the final status; *got bytes arrived in buf. */
uint8_t rig_packet(struct rig *r, const uint8_t packet[12], unsigned limit, void *buf, size_t size,
                   size_t *got);
/* The sense data of the last failure, by REQUEST SENSE: key << 16 | asc << 8 | ascq. */
uint32_t rig_sense(struct rig *r);

/* Whether the level of the channel's line is what the state says. */
bool rig_irq(struct rig *r);

/* The command block of the selected channel. */
static inline uint8_t in(struct rig *r, unsigned reg)
{
    return (uint8_t)machine_in(&r->m, (uint16_t)(r->base + reg), 1);
}

static inline void out(struct rig *r, unsigned reg, unsigned value)
{
    machine_out(&r->m, (uint16_t)(r->base + reg), 1, value & 0xff);
}

#endif
