/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A front that records, on a loop in real time. */
#ifndef TESTS_CHARDEV_TESTFRONT_H
#define TESTS_CHARDEV_TESTFRONT_H

#include "chardev/chardev.h"

#define TESTFRONT_MAX (2u << 20)

struct testfront {
    struct loop *loop;
    struct workers *workers;
    struct chardev *chr;
    size_t limit; /* room there is now; received bytes use it up */
    uint8_t *got;
    size_t len;
    unsigned breaks;
    size_t break_at; /* bytes received before the last break */
    unsigned writable;
};

void front_init(struct testfront *f);
/* Makes the back end and attaches; on failure the error is returned and nothing is attached. */
int front_open(struct testfront *f, const struct chardev_config *config);
void front_close(struct testfront *f);
void front_fini(struct testfront *f);

/* Turns of the loop for so long. */
void front_run(struct testfront *f, unsigned ms);
/* Turns until so many bytes have been received, at most 5 s. */
void front_wait(struct testfront *f, size_t len);
/* One turn without a reason to end early; returns the milliseconds it took. */
unsigned front_idle(struct testfront *f, unsigned ms);
/* Whatever can be read from fd within so many ms of silence, with the loop running. */
size_t front_drain(struct testfront *f, int fd, void *buf, size_t size, unsigned quiet_ms);

#endif
