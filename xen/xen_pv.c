/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xen/xen_pv.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <xen/xen.h>
#include <xen/grant_table.h>

#include "xen/xen_handles.h"

/* Pieces that one call to the library takes: its array stands on the stack. */
#define COPY_BATCH 64u

int xen_pv_open(struct xen *xen, char *err, size_t err_size)
{
    const char *what = NULL;
    int rc;

    errno = 0;
    if (!(xen->gnttab = xengnttab_open(NULL, 0)))
        what = "grants (/dev/xen/gntdev)";
    else if (!(xen->pv_evtchn = xenevtchn_open(NULL, 0)))
        what = "event channels (/dev/xen/evtchn)";
    else if (fcntl(xenevtchn_fd(xen->pv_evtchn), F_SETFL, O_NONBLOCK))
        what = "event channels without waiting";
    if (!what)
        return 0;
    rc = errno ? -errno : -EIO;
    snprintf(err, err_size, "cannot open %s: %s", what, strerror(-rc));
    if (xen->pv_evtchn)
        xenevtchn_close(xen->pv_evtchn);
    if (xen->gnttab)
        xengnttab_close(xen->gnttab);
    xen->pv_evtchn = NULL;
    xen->gnttab = NULL;
    return rc;
}

/* ---- event channels ------------------------------------------------------------------------- */

int xen_pv_evtchn_fd(struct xen *xen)
{
    return xenevtchn_fd(xen->pv_evtchn);
}

int xen_pv_bind(struct xen *xen, uint32_t remote_port)
{
    return xen_result(xenevtchn_bind_interdomain(xen->pv_evtchn, xen->domid, remote_port));
}

int xen_pv_unbind(struct xen *xen, uint32_t port)
{
    return xen_result(xenevtchn_unbind(xen->pv_evtchn, port));
}

int xen_pv_pending(struct xen *xen)
{
    return xen_result(xenevtchn_pending(xen->pv_evtchn));
}

int xen_pv_unmask(struct xen *xen, uint32_t port)
{
    return xen_result(xenevtchn_unmask(xen->pv_evtchn, port));
}

int xen_pv_notify(struct xen *xen, uint32_t port)
{
    return xen_result(xenevtchn_notify(xen->pv_evtchn, port));
}

/* ---- grants --------------------------------------------------------------------------------- */

void *xen_grant_map(struct xen *xen, const uint32_t *refs, unsigned n, bool write)
{
    /* The library's parameter lacks a const; it only reads. */
    return xengnttab_map_domain_grant_refs(xen->gnttab, n, xen->domid, (uint32_t *)refs,
                                           write ? PROT_READ | PROT_WRITE : PROT_READ);
}

int xen_grant_unmap(struct xen *xen, void *addr, unsigned n)
{
    return xen_result(xengnttab_unmap(xen->gnttab, addr, n));
}

static int copy_batch(struct xen *xen, const struct xen_grant_copy *piece, unsigned n,
                      bool to_guest)
{
    xengnttab_grant_copy_segment_t seg[COPY_BATCH];
    int rc;

    for (unsigned i = 0; i < n; i++) {
        union xengnttab_copy_ptr local = {.virt = piece[i].local}, guest = {0};

        guest.foreign.ref = piece[i].ref;
        guest.foreign.offset = piece[i].offset;
        guest.foreign.domid = xen->domid;
        seg[i] = (xengnttab_grant_copy_segment_t){
            .source = to_guest ? local : guest,
            .dest = to_guest ? guest : local,
            .len = piece[i].bytes,
            .flags = to_guest ? GNTCOPY_dest_gref : GNTCOPY_source_gref,
        };
    }
    rc = xen_result(xengnttab_grant_copy(xen->gnttab, n, seg));
    for (unsigned i = 0; i < n && !rc; i++)
        if (seg[i].status != GNTST_okay)
            rc = -EACCES;
    return rc;
}

int xen_grant_copy(struct xen *xen, const struct xen_grant_copy *piece, unsigned n, bool to_guest)
{
    int rc = 0;

    for (unsigned done = 0; done < n && !rc; done += COPY_BATCH) {
        unsigned batch = n - done < COPY_BATCH ? n - done : COPY_BATCH;

        rc = copy_batch(xen, piece + done, batch, to_guest);
    }
    return rc;
}
