/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The handles themselves: for the files of this folder only. */
#ifndef XEN_XEN_HANDLES_H
#define XEN_XEN_HANDLES_H

#include <errno.h>
#include <stdbool.h>

#include <xencall.h>
#include <xendevicemodel.h>
#include <xenevtchn.h>
#include <xenforeignmemory.h>
#include <xengnttab.h>
#include <xenstore.h>

/* The interface of Xen 4.15 on; absent from older libraries. */
typedef int nr_vcpus_fn(xendevicemodel_handle *dmod, domid_t domid, unsigned int *vcpus);

struct xen {
    domid_t domid;
    xendevicemodel_handle *dmod;
    xenforeignmemory_handle *fmem;
    xenevtchn_handle *evtchn;
    xencall_handle *call;
    struct xs_handle *store;
    bool watching;
    nr_vcpus_fn *nr_vcpus;

    /* Of paravirtual back ends; NULL when there are none (xen_pv.c). */
    xengnttab_handle *gnttab;
    xenevtchn_handle *pv_evtchn;
};

/* From the libraries' way of saying it to ours. */
static inline int xen_result(int rc)
{
    return rc < 0 ? -errno : rc;
}

#endif
