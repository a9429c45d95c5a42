/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Worker threads for calls that would block the device thread. None runs until the first job, and
 * an idle one leaves after a while.
 */
#ifndef DM_WORKER_H
#define DM_WORKER_H

#include <stdbool.h>
#include "dm/loop.h"

struct workers;

struct work_item {
    void (*work)(void *opaque); /* on a worker thread: touches only what the item owns */
    void (*done)(void *opaque); /* on the device thread, afterwards */
    void *opaque;
    struct work_item *next; /* private */
};

/* Up to max_threads threads. Returns 0 or -errno. */
int workers_create(struct workers **out, struct loop *loop, unsigned max_threads);
/* Waits for running jobs, delivers their done(), then joins all threads. */
void workers_destroy(struct workers *workers);

/*
 * Ends the threads that there are, after their jobs: what is submitted later is done by threads that
 * begin with the rights which the process has by then.
 */
void workers_end_threads(struct workers *workers);

/* The item is the caller's and must live until done(). Jobs may run in any order. */
void workers_submit(struct workers *workers, struct work_item *item);

/* Items submitted whose done() has not been called. */
unsigned workers_pending(const struct workers *workers);

#endif
