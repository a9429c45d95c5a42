/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libxengnttab.so.1: pages that the controller's guest has granted, mapped or copied. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <xengnttab.h>
#include "lib.h"

/* One mapping call: what unmapping has to give back. */
struct mapping {
    void *addr;
    uint32_t count;
    struct mapping *next;
    uint32_t ref[];
};

struct xengntdev_handle {
    struct mapping *mappings;
    uint8_t *frames; /* all machine frames, for copies; NULL until the first */
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

static void count_maps(struct hv *hv, const struct mapping *m, int change)
{
    for (uint32_t i = 0; i < m->count; i++)
        hv->grant[m->ref[i]].maps += (uint32_t)change;
}

int xengnttab_close(xengnttab_handle *xgt)
{
    struct hv_view *v = lib_view();

    if (!xgt)
        return 0;
    while (xgt->mappings) {
        struct mapping *m = xgt->mappings;

        xgt->mappings = m->next;
        if (v)
            count_maps(v->hv, m, -1);
        munmap(m->addr, (size_t)m->count * HV_PAGE);
        free(m);
    }
    if (xgt->frames && v)
        munmap(xgt->frames, v->hv->nr_mfns * HV_PAGE);
    free(xgt);
    return 0;
}

int xengnttab_set_max_grants(xengnttab_handle *xgt, uint32_t nr_grants)
{
    return lib_result(lib_enter_closed(__func__));
}

static void *failed(int rc)
{
    errno = -rc;
    return NULL;
}

/* One page each: the frames of a row of grants lie anywhere. */
static int map_pages(struct hv_view *v, uint8_t *base, const struct mapping *m, int prot)
{
    for (uint32_t i = 0; i < m->count; i++) {
        uint32_t mfn = hv_grant_mfn(v->hv, m->ref[i], prot & PROT_WRITE);

        if (mfn == HV_NO_MFN)
            return -EINVAL;
        if (mmap(base + (size_t)i * HV_PAGE, HV_PAGE, prot, MAP_SHARED | MAP_FIXED, v->frames_fd,
                 (off_t)mfn * HV_PAGE) == MAP_FAILED)
            return -errno;
    }
    return 0;
}

static void *map(xengnttab_handle *xgt, const char *name, uint32_t count, const uint32_t *domids,
                 uint32_t domid_step, const uint32_t *refs, int prot)
{
    int rc = lib_enter_closed(name);
    struct hv_view *v = lib_view();
    struct mapping *m;

    for (uint32_t i = 0; i < count && !rc; i++)
        if (domids[i * domid_step] != v->hv->domid)
            rc = -EPERM;
    if (rc || !count)
        return failed(rc ? rc : -EINVAL);
    m = malloc(sizeof *m + count * sizeof m->ref[0]);
    if (!m)
        return failed(-ENOMEM);
    m->count = count;
    memcpy(m->ref, refs, count * sizeof m->ref[0]);
    m->addr = mmap(NULL, (size_t)count * HV_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (m->addr == MAP_FAILED) {
        free(m);
        return failed(-ENOMEM);
    }
    hv_lock(v->hv);
    rc = map_pages(v, m->addr, m, prot);
    if (!rc)
        count_maps(v->hv, m, 1);
    hv_unlock(v->hv);
    if (rc) {
        munmap(m->addr, (size_t)count * HV_PAGE);
        free(m);
        return failed(rc);
    }
    m->next = xgt->mappings;
    xgt->mappings = m;
    return m->addr;
}

void *xengnttab_map_grant_ref(xengnttab_handle *xgt, uint32_t domid, uint32_t ref, int prot)
{
    return map(xgt, __func__, 1, &domid, 0, &ref, prot);
}

void *xengnttab_map_grant_refs(xengnttab_handle *xgt, uint32_t count, uint32_t *domids,
                               uint32_t *refs, int prot)
{
    return map(xgt, __func__, count, domids, 1, refs, prot);
}

void *xengnttab_map_domain_grant_refs(xengnttab_handle *xgt, uint32_t count, uint32_t domid,
                                      uint32_t *refs, int prot)
{
    return map(xgt, __func__, count, &domid, 0, refs, prot);
}

int xengnttab_unmap(xengnttab_handle *xgt, void *start_address, uint32_t count)
{
    struct mapping **at = &xgt->mappings, *m;
    struct hv_view *v = lib_view();

    while (*at && ((*at)->addr != start_address || (*at)->count != count))
        at = &(*at)->next;
    m = *at;
    if (!m || !v)
        return lib_result(-EINVAL);
    *at = m->next;
    hv_lock(v->hv);
    count_maps(v->hv, m, -1);
    hv_unlock(v->hv);
    munmap(m->addr, (size_t)count * HV_PAGE);
    free(m);
    return 0;
}

/* As cheap as the hypervisor's own copy: through one mapping of all machine frames. */
static uint8_t *granted(xengnttab_handle *xgt, struct hv_view *v,
                        const union xengnttab_copy_ptr *at, uint16_t len, bool write)
{
    uint32_t mfn =
        at->foreign.domid == v->hv->domid ? hv_grant_mfn(v->hv, at->foreign.ref, write) : HV_NO_MFN;

    if (mfn == HV_NO_MFN || at->foreign.offset + len > HV_PAGE)
        return NULL;
    return xgt->frames + (size_t)mfn * HV_PAGE + at->foreign.offset;
}

int xengnttab_grant_copy(xengnttab_handle *xgt, uint32_t count,
                         xengnttab_grant_copy_segment_t *segs)
{
    int rc = lib_enter_closed(__func__);
    struct hv_view *v = lib_view();

    if (rc)
        return lib_result(rc);
    if (!xgt->frames) {
        xgt->frames = mmap(NULL, v->hv->nr_mfns * HV_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
                           v->frames_fd, 0);
        if (xgt->frames == MAP_FAILED) {
            xgt->frames = NULL;
            return lib_result(-ENOMEM);
        }
    }
    hv_lock(v->hv);
    for (uint32_t i = 0; i < count; i++) {
        xengnttab_grant_copy_segment_t *s = &segs[i];
        bool in = s->flags & GNTCOPY_source_gref, out = s->flags & GNTCOPY_dest_gref;
        const void *from = in ? granted(xgt, v, &s->source, s->len, false) : s->source.virt;
        void *to = out ? granted(xgt, v, &s->dest, s->len, true) : s->dest.virt;

        s->status = from && to ? GNTST_okay : GNTST_bad_gntref;
        if (from && to)
            memcpy(to, from, s->len);
    }
    hv_unlock(v->hv);
    return 0;
}
