/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether to look out for the next request before going to sleep. No Xen in here: a test can play
 * any sequence.
 *
 * Drivers and firmware ask in bursts: a few microseconds after one answer the next request stands
 * in its slot. To sleep in between costs both sides more than the request itself. So after an answer
 * the device thread looks at the slots for a short while, if requests have lately come close to each
 * other. Looking in vain is what it costs; each failure makes the next attempts rarer, and a guest
 * that asks now and then is never waited for.
 */
#ifndef DM_IOREQ_POLL_H
#define DM_IOREQ_POLL_H

#include <stdbool.h>
#include <stdint.h>

/* How long to look. A driver's way from one access to the next is 1 to 10 us. */
#define POLL_NS 20000u
/* Requests that wake the thread within this time after the last answer may have been there much
 * earlier: waking a thread on an idle processor alone takes 5 to 60 us. */
#define POLL_NEAR_NS 100000u
/* Polling in one turn of the loop; what else happens (a worker is done, a timer) waits that long. */
#define POLL_TURN_NS 50000u
/* At most so many wake-ups pass without an attempt after failures. */
#define POLL_SKIP_MAX 511u

struct poll_policy {
    uint64_t answered; /* when the last request was answered; ns of a monotonic clock */
    uint32_t skip;     /* wake-ups to let pass before the next attempt */
    uint32_t back_off; /* what skip will be after the next failure */
    bool burst;        /* the last attempt was worth it */
    uint64_t hits, misses;
};

/* A request has woken the thread and is answered: whether to look for another one now. */
bool poll_wanted(struct poll_policy *policy, uint64_t woken, uint64_t answered);
/* An event without a request: whether a burst that was cut off by the end of a turn may go on. */
bool poll_goes_on(const struct poll_policy *policy, uint64_t now);
/* It was worth it: another request was found, and answered at this time. */
void poll_hit(struct poll_policy *policy, uint64_t answered);
/* It was not: POLL_NS have passed. */
void poll_missed(struct poll_policy *policy);

#endif
