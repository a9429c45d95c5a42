/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest and its host at an IDE function with two disks and a CD-ROM drive: register accesses,
 * strings, descriptor tables, requests that are held back and answered late or with errors, reset,
 * restore of tampered states.
 *
 * After each operation: every state would be accepted by a load, INTRQ is what the state says, and
 * no byte that a guest has read comes from fresh host memory. After each input: nothing has been
 * written to a CD, and every sector of a disk that changed belongs to a command that was allowed
 * to change it.
 */
#ifndef TESTS_FUZZ_IDE_OPS_H
#define TESTS_FUZZ_IDE_OPS_H

#include "hw/ide/ide_internal.h"
#include "tests/block/block_ram.h"
#include "tests/fuzz/machine_ops.h"

#define FUZZ_DISK_SECTORS 600u
#define FUZZ_CD_BLOCKS    40u
#define FUZZ_BM           0xc000u
#define FUZZ_PRDT         0x10000u

struct fuzz_ide {
    struct machine m;
    struct ide *ide;
    struct block_ram ram[3], spare;
    uint8_t allowed[2][FUZZ_DISK_SECTORS];
    bool made, tampered, trimmed, worn; /* worn: a unit is gone, a new machine for the next input */
};

extern struct fuzz_ide fuzz_ide;

/* Runs the input: each byte of an operation number below `own` goes to the target's own_op. */
void fuzz_ide_run(const uint8_t *data, size_t size, uint8_t own,
                  void (*own_op)(struct fuzz_input *in));

/* Accesses through the I/O space with the checks of what comes back. */
void fuzz_ide_out(unsigned port, unsigned size, uint32_t value);
uint32_t fuzz_ide_in(unsigned port, unsigned size);
void fuzz_ide_string_in(unsigned port, unsigned size, unsigned count);
void fuzz_ide_string_out(unsigned port, unsigned size, unsigned count, uint8_t value);
void fuzz_ide_prd(struct fuzz_input *in);

#endif
