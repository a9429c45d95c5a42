/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A machine for unit tests and fuzzing: the kernel services of a real one on a RAM array with
 * guard pages, a clock that moves when told, and recorders for what devices do to the platform.
 *
 *     struct machine m;
 *     machine_init(&m);                      // the first 4 MiB of RAM hold MACHINE_POISON
 *     uart_create(&uart, &m.env, ...);
 *     machine_start(&m);
 *     machine_out(&m, 0x3f8, 1, 'x');
 *     machine_advance(&m, 1000000);          // ns; timers fire in order, deferred work is done
 *     machine_fini(&m);
 */
#ifndef TESTS_HARNESS_MACHINE_H
#define TESTS_HARNESS_MACHINE_H

#include "dm/device.h"
#include "dm/env.h"

#define MACHINE_RAM    (64u << 20)
#define MACHINE_POISON 0xa7

struct machine {
    struct dm_env env;
    uint8_t *ram; /* MACHINE_RAM bytes at guest address 0 */
    uint64_t now; /* ns, both clocks */

    bool isa[16]; /* level of each ISA line as the platform sees it */
    unsigned isa_rises[16];
    bool intx[32][4];
    unsigned intx_rises[32][4];

    unsigned power[3]; /* events by enum power_event */
    uint8_t link[4];   /* IRQ of each PIRQ link */
    unsigned link_calls;
    bool protected_frames[0x100]; /* last protect() state of the frames below 1 MiB */

    uint64_t hole_gfn; /* frames [hole_gfn, hole_gfn + hole_frames) do not exist */
    uint64_t hole_frames;
    uint64_t modified_calls;
    unsigned mappings; /* maps minus unmaps of guest memory */
};

void machine_init(struct machine *m);
/* With hw/pci too: env.pci is there afterwards. */
void machine_init_pci(struct machine *m);
/* Commits the I/O space. Call after all devices have been made. */
void machine_start(struct machine *m);
void machine_fini(struct machine *m);

uint64_t machine_in(struct machine *m, uint16_t port, unsigned size);
void machine_out(struct machine *m, uint16_t port, unsigned size, uint64_t value);
uint64_t machine_read(struct machine *m, uint64_t addr, unsigned size);
void machine_write(struct machine *m, uint64_t addr, unsigned size, uint64_t value);

/* Time passes: timers fire at their deadlines in order, deferred work and completions run. */
void machine_advance(struct machine *m, uint64_t ns);
/* Turns of the loop until nothing is deferred, no device is busy and no worker runs. */
void machine_settle(struct machine *m);

/* Saves all state to memory, resets every device, loads it again; returns NULL or the error. */
const char *machine_save_load(struct machine *m);
/* What is wrong with a table of the devices' state; NULL when all are sound. */
const char *machine_table_flaw(struct machine *m);

#endif
