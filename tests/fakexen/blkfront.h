/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A block front end at full speed, on a ring that a test has connected: for measurements. */
#ifndef FAKEXEN_BLKFRONT_H
#define FAKEXEN_BLKFRONT_H

#include "guest.h"

struct blkfront {
    uint64_t ring_gpa;
    uint32_t ring_pages, port, depth;
    bool write, random;
    uint32_t segments;                 /* pages of a request; more than 11 make it indirect */
    uint32_t ref;                      /* data: request k uses references ref + k * segments on */
    uint32_t list_ref;                 /* indirect: its list is the page of list_ref + k */
    uint64_t sectors;                  /* of the disk */
    uint64_t errors, events, notified; /* counted */
};

/* Makes n requests, `depth` of them at a time. 0 or a negative errno with g->why set. */
int blkfront_run(struct guest *g, struct blkfront *b, uint64_t n);

#endif
