/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What paravirtual back ends need of Xen: the guest's grants, and event channels of their own, so
 * that they never stand between a vCPU and its answer.
 *
 * All functions return 0 (or a value >= 0) or -errno. Device thread only.
 */
#ifndef XEN_XEN_PV_H
#define XEN_XEN_PV_H

#include "xen/xenif.h"

/*
 * Opens both handles; while /dev is there and xen_restrict() has not been called, which ends both
 * for good. On failure err says which one, and why; nothing stays open. xen_close() closes them.
 */
int xen_pv_open(struct xen *xen, char *err, size_t err_size);

/* ---- event channels ------------------------------------------------------------------------- */

int xen_pv_evtchn_fd(struct xen *xen);
/* Returns the local port. Raises an event on it at once. */
int xen_pv_bind(struct xen *xen, uint32_t remote_port);
int xen_pv_unbind(struct xen *xen, uint32_t port);
/* The next port that has an event, masked from now on; -EAGAIN when there is none. */
int xen_pv_pending(struct xen *xen);
int xen_pv_unmask(struct xen *xen, uint32_t port);
int xen_pv_notify(struct xen *xen, uint32_t port);

/* ---- grants --------------------------------------------------------------------------------- */

/*
 * Maps n granted pages in a row. NULL with errno set when one of them is not granted to us, or not
 * in this way. What is mapped can be written by the guest at any time: fetch once, then check.
 */
void *xen_grant_map(struct xen *xen, const uint32_t *refs, unsigned n, bool write);
/* Of what one call has mapped, all of it. */
int xen_grant_unmap(struct xen *xen, void *addr, unsigned n);

struct xen_grant_copy {
    void *local;
    uint32_t ref;
    uint16_t offset; /* in the granted page; offset + bytes <= 4096 */
    uint16_t bytes;
};

/*
 * Copies between local memory and granted pages. Returns 0 when every piece has been copied;
 * -EACCES when the guest does not grant one of them (the others may have been copied).
 */
int xen_grant_copy(struct xen *xen, const struct xen_grant_copy *piece, unsigned n, bool to_guest);

#endif
