/* SPDX-License-Identifier: GPL-2.0-or-later */
/* COM1 on a fake machine, with a socket plugged in whose other end the test holds. */
#ifndef TESTS_HW_SERIAL_TESTUART_H
#define TESTS_HW_SERIAL_TESTUART_H

#include "chardev/chardev.h"
#include "hw/serial/uart16550.h"
#include "tests/harness/machine.h"

enum { RBR, IER, IIR, LCR, MCR, LSR, MSR, SCR, THR = 0, DLL = 0, DLM = 1, FCR = 2 };

struct testuart {
    struct machine m;
    struct uart *uart;
    struct chardev *chr;
    int far; /* the other end; non-blocking */
};

void testuart_init(struct testuart *t);
void testuart_fini(struct testuart *t);

uint8_t reg_in(struct testuart *t, unsigned reg);
void reg_out(struct testuart *t, unsigned reg, uint8_t value);
bool irq(struct testuart *t);

/* Sends to the guest and lets the loop see it. */
void far_send(struct testuart *t, const void *data, size_t len);
/* What has come from the guest so far, at most `size` bytes. */
size_t far_read(struct testuart *t, void *buf, size_t size);

/* Writes to THR until THRE goes away; returns how many were written (all of them were taken or are
 * held). Byte i is (uint8_t)(first + i). */
size_t fill_until_held(struct testuart *t, uint8_t first);

#endif
