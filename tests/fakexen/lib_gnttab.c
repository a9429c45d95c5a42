/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libxengnttab.so.1: no guest of this simulation grants anything, so there is never a grant to map.
 */
#include <stdlib.h>
#include <xengnttab.h>
#include "lib.h"

struct xengntdev_handle {
    int unused;
};

xengnttab_handle *xengnttab_open(struct xentoollog_logger *logger, unsigned open_flags)
{
    struct hv_view *v = lib_view();
    int rc = v ? hv_fault(v, __func__) : -errno;

    if (rc) {
        errno = -rc;
        return NULL;
    }
    return calloc(1, sizeof(struct xengntdev_handle));
}

int xengnttab_close(xengnttab_handle *xgt)
{
    free(xgt);
    return 0;
}

int xengnttab_set_max_grants(xengnttab_handle *xgt, uint32_t nr_grants)
{
    return lib_result(lib_enter_closed(__func__));
}

static void *no_grant(const char *name)
{
    int rc = lib_enter_closed(name);

    errno = rc ? -rc : EINVAL;
    return NULL;
}

void *xengnttab_map_grant_ref(xengnttab_handle *xgt, uint32_t domid, uint32_t ref, int prot)
{
    return no_grant(__func__);
}

void *xengnttab_map_grant_refs(xengnttab_handle *xgt, uint32_t count, uint32_t *domids,
                               uint32_t *refs, int prot)
{
    return no_grant(__func__);
}

void *xengnttab_map_domain_grant_refs(xengnttab_handle *xgt, uint32_t count, uint32_t domid,
                                      uint32_t *refs, int prot)
{
    return no_grant(__func__);
}

int xengnttab_unmap(xengnttab_handle *xgt, void *start_address, uint32_t count)
{
    return lib_result(-EINVAL);
}

int xengnttab_grant_copy(xengnttab_handle *xgt, uint32_t count,
                         xengnttab_grant_copy_segment_t *segs)
{
    int rc = lib_enter_closed(__func__);

    for (uint32_t i = 0; i < count && !rc; i++)
        segs[i].status = GNTST_bad_gntref;
    return lib_result(rc);
}
