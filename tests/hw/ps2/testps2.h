/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The keyboard controller on a fake machine, with a hub to press keys and move the mouse. */
#ifndef TESTS_HW_PS2_TESTPS2_H
#define TESTS_HW_PS2_TESTPS2_H

#include <linux/input-event-codes.h>

#include "hw/ps2/i8042.h"
#include "tests/harness/machine.h"

#define NOTHING (-1)

struct testps2 {
    struct machine m;
    struct i8042 *kc;
    struct input *input;
};

void testps2_init(struct testps2 *t);
void testps2_fini(struct testps2 *t);

uint8_t status(struct testps2 *t);
void cmd(struct testps2 *t, uint8_t command);
void data(struct testps2 *t, uint8_t byte);
/* A command with its data byte. */
void cmd1(struct testps2 *t, uint8_t command, uint8_t byte);
/* A byte to the mouse (D4). */
void aux(struct testps2 *t, uint8_t byte);
/* The next byte of the output buffer, waiting for it a little; NOTHING when none comes. */
int get(struct testps2 *t);
/* A byte that must come from the mouse. */
int get_aux(struct testps2 *t);
/* Reads until nothing comes; writes what came to buf as hexadecimal text. Returns buf. */
const char *drain(struct testps2 *t, char *buf, size_t size);
void key(struct testps2 *t, uint16_t code, bool down);

#endif
