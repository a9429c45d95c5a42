/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A row of operations on a whole fake machine, as a guest and its host may do them: port, memory
 * and configuration accesses of all widths, strings, time, reset, save and restore, and saved
 * states that somebody has tampered with.
 *
 * After each input every object of the arena would be accepted by a load; after some of them
 * (a save is slow) saving and loading changes nothing, and two resets give the same bytes.
 */
#ifndef TESTS_FUZZ_MACHINE_OPS_H
#define TESTS_FUZZ_MACHINE_OPS_H

#include "tests/harness/machine.h"

struct fuzz_input {
    const uint8_t *data;
    size_t left;
};

/* Zeroes follow the end of the input. */
uint8_t fuzz_u8(struct fuzz_input *in);
uint32_t fuzz_u32(struct fuzz_input *in);

/* Ends the run, as a sanitizer would, when an invariant does not hold. */
void fuzz_require(bool ok, const char *what);

struct fuzz_machine {
    struct machine m;
    /* Where operations go: the input selects by number, so that it rarely misses. */
    const uint16_t *ports;
    unsigned port_count;
    const uint64_t *addresses;
    unsigned address_count;
    const uint8_t *devfns;
    unsigned devfn_count;
    /* One operation of the target's own, and its own invariants. May be NULL. */
    void (*own_op)(struct fuzz_input *in);
    void (*check)(bool tampered);
    /* private */
    uint8_t *power_on;
};

/* After the devices have been made. */
void fuzz_machine_start(struct fuzz_machine *fm);
void fuzz_machine_run(struct fuzz_machine *fm, const uint8_t *data, size_t size);

#endif
