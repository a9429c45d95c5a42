/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Granted pages that stay mapped from one request to the next: those of a front end that promises
 * (feature-persistent) to use the same pages again. The data then moves between image and guest
 * memory without a copy and without a call to the hypervisor.
 *
 * All pages of one request that are new are mapped by one call and unmapped together at the end.
 * When the limit is reached nothing more is mapped: the rest of the guest's pages is copied.
 */
#ifndef PV_BLKIF_GRANTS_H
#define PV_BLKIF_GRANTS_H

#include <stdbool.h>
#include <stdint.h>

#include "xen/xen_pv.h"

/* 32 requests of 32 segments, what Linux makes, and a page of segments for each of them. */
#define BLKIF_GRANTS_MAX 1056u

struct blkif_grants;

int blkif_grants_create(struct blkif_grants **out, struct xen *xen);
/* Unmaps all. */
void blkif_grants_destroy(struct blkif_grants *grants);

/*
 * Finds the n pages, mapping those that are not mapped yet. Returns 0 with page[] filled in;
 * -EACCES or -ENOSPC: not all of them can be had in this way.
 */
int blkif_grants_get(struct blkif_grants *grants, const uint32_t *ref, unsigned n, uint8_t **page);

#endif
