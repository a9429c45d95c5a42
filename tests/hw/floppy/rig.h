/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A machine with a floppy controller, its DMA controller and disks, and a small driver for it. */
#ifndef TESTS_HW_FLOPPY_RIG_H
#define TESTS_HW_FLOPPY_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "hw/floppy/fdc_internal.h"
#include "tests/block/block_ram.h"
#include "tests/harness/machine.h"

#define RIG_DATA 0x30000u /* where DMA goes */
#define MS       1000000ull

struct rig {
    struct machine m;
    struct i8237 *dma;
    struct fdc *fdc;
    struct block_ram ram[3]; /* A, B, and one to change to */
    struct block *block[3];
    uint8_t result[16];
};

/* A: 1.44 MB, writable; B: 720 KB, write-protected. Reset, recalibrated, at 500 kb/s. */
int rig_setup(void **state);
int rig_teardown(void **state);
#define RIG(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
/* The same with one drive and a disk of this size in bytes; 0: an empty drive. */
void rig_make(struct rig *r, uint64_t size_a, uint64_t size_b);

uint8_t in(struct rig *r, unsigned port);
void out(struct rig *r, unsigned port, unsigned value);
uint8_t msr(struct rig *r);
bool irq(struct rig *r);

/* Writes a command, waiting for RQM before each byte; fails the test when it is not wanted. */
void rig_command(struct rig *r, unsigned bytes, const uint8_t *command);
#define COMMAND(r, ...)                                                                            \
    rig_command((r), sizeof((const uint8_t[]){__VA_ARGS__}), (const uint8_t[]){__VA_ARGS__})
/* Time passes until the result phase; reads r->result, returns how many bytes. */
unsigned rig_result(struct rig *r);
/* A command and its seven bytes of result, which have to be these. */
void rig_expect(struct rig *r, uint8_t st0, uint8_t st1, uint8_t st2, uint8_t c, uint8_t h,
                uint8_t sector);
/* Channel 2 for `bytes` at RIG_DATA, unmasked. */
void rig_dma(struct rig *r, uint8_t mode, uint32_t bytes);
#define DMA_READ   0x46 /* single, to memory */
#define DMA_WRITE  0x4a
#define DMA_VERIFY 0x42

void rig_settle(struct rig *r);
/* SENSE INTERRUPT STATUS: ST0 << 8 | PCN, or 0x8000 when it knew of nothing. */
unsigned rig_sense(struct rig *r);
void rig_seek(struct rig *r, unsigned drive, unsigned cylinder);
/* SPECIFY: without DMA from now on. */
void programmed_io(struct rig *r);
/* Time passes until the controller wants a byte moved: whether in this direction (MSR_DIO or 0). */
bool wants_byte(struct rig *r, uint8_t direction);
/* Where a sector is in an image of 1.44 MB. */
static inline uint64_t at(unsigned c, unsigned h, unsigned sector)
{
    return (((uint64_t)c * 2 + h) * 18 + sector - 1) * 512;
}
/* RIG_DATA holds what the image has from this byte on. */
void rig_holds(struct rig *r, unsigned disk, uint64_t offset, size_t bytes);

#endif
