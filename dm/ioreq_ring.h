/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ring of buffered writes, by the hypervisor's index rules (public/hvm/ioreq.h, atomic mode).
 */
#ifndef DM_IOREQ_RING_H
#define DM_IOREQ_RING_H

#include <stdbool.h>

#include "dm/ioreq_exec.h"

struct buffered_iopage;

/*
 * Executes what is in the ring, at most one ring's length of entries: a vCPU that waits for an
 * answer has nothing behind that. Returns whether something is left.
 */
bool ioreq_ring_drain(struct buffered_iopage *page, struct request_target *target);

#endif
