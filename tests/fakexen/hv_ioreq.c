/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ioreq servers: creation, pages, ranges and routing, with Xen's own limits and error numbers. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include "hv.h"
#include <xen/memory.h>

static struct hv_server *find(struct hv *hv, uint16_t id)
{
    return id < HV_SERVERS && hv->server[id].exists ? &hv->server[id] : NULL;
}

int hv_server_create(struct hv_view *v, int bufioreq, uint16_t *id)
{
    struct hv *hv = v->hv;
    struct hv_server *s = NULL;
    int n;

    if (bufioreq < HV_BUF_OFF || bufioreq > HV_BUF_ATOMIC)
        return -EINVAL;
    for (n = 0; n < HV_SERVERS && hv->server[n].exists; n++)
        ;
    if (n == HV_SERVERS)
        return -ENOSPC;
    s = &hv->server[n];
    memset(s, 0, sizeof *s);
    for (uint32_t i = 0; i < hv->nr_vcpus; i++) {
        int port = hv_guest_port_new(hv);

        if (port < 0)
            return port;
        s->vcpu_port[i] = (uint32_t)port;
        if (i == 0 && bufioreq != HV_BUF_OFF) {
            port = hv_guest_port_new(hv);
            if (port < 0)
                return port;
            s->buf_port = (uint32_t)port;
        }
    }
    s->exists = 1;
    s->bufioreq = (uint8_t)bufioreq;
    *id = (uint16_t)n;
    return 0;
}

static int legacy_take(struct hv *hv, uint32_t *gfn)
{
    for (uint32_t i = 0; i < HV_LEGACY_PAGES; i++) {
        if (hv->legacy_used[i])
            continue;
        hv->legacy_used[i] = 1;
        *gfn = HV_LEGACY_GFN + i;
        return 0;
    }
    return -ENOMEM;
}

static void zero_frame(struct hv_view *v, uint32_t mfn)
{
    void *p =
        mmap(NULL, HV_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, v->frames_fd, (off_t)mfn * HV_PAGE);

    if (p == MAP_FAILED)
        return;
    memset(p, 0, HV_PAGE);
    munmap(p, HV_PAGE);
}

/* In gfn mode the pages leave the guest while the server is enabled, and come back zeroed. */
static void legacy_present(struct hv_view *v, struct hv_server *s, bool in_guest)
{
    const uint32_t gfn[2] = {s->sync_gfn, s->buf_gfn}, mfn[2] = {s->sync_mfn, s->buf_mfn};

    for (int i = 0; i < 2; i++) {
        if (!gfn[i])
            continue;
        v->hv->physmap[gfn[i]] = in_guest ? mfn[i] : HV_NO_MFN;
        if (in_guest)
            zero_frame(v, mfn[i]);
    }
}

int hv_server_destroy(struct hv_view *v, uint16_t id)
{
    struct hv *hv = v->hv;
    struct hv_server *s = find(hv, id);

    if (!s)
        return -ENOENT;
    for (uint32_t i = 0; i < hv->nr_vcpus; i++)
        hv_guest_port_free(v, s->vcpu_port[i]);
    if (s->buf_port)
        hv_guest_port_free(v, s->buf_port);
    if (s->by_gfn) {
        if (s->enabled)
            legacy_present(v, s, true);
        hv->legacy_used[s->sync_gfn - HV_LEGACY_GFN] = 0;
        if (s->buf_gfn)
            hv->legacy_used[s->buf_gfn - HV_LEGACY_GFN] = 0;
    }
    s->exists = 0;
    s->enabled = 0;
    return 0;
}

int hv_server_info(struct hv_view *v, uint16_t id, bool gfns, uint64_t *sync, uint64_t *buf,
                   uint32_t *port)
{
    struct hv *hv = v->hv;
    struct hv_server *s = find(hv, id);
    int rc;

    if (!s)
        return -ENOENT;
    if (gfns) {
        if (!s->by_gfn && s->sync_mfn)
            return -EPERM; /* the pages were mapped as a resource before */
        if (!s->by_gfn) {
            rc = legacy_take(hv, &s->sync_gfn);
            if (!rc && s->bufioreq)
                rc = legacy_take(hv, &s->buf_gfn);
            if (rc)
                return rc;
            s->sync_mfn = hv_mfn(hv, s->sync_gfn);
            s->buf_mfn = s->buf_gfn ? hv_mfn(hv, s->buf_gfn) : 0;
            s->by_gfn = 1;
        }
        *sync = s->sync_gfn;
        if (s->bufioreq)
            *buf = s->buf_gfn;
    }
    if (s->bufioreq)
        *port = s->buf_port;
    return 0;
}

/* The machine frame behind frame number `frame` of the server's resource; allocates both on first
 * use. */
int hv_server_frame(struct hv_view *v, uint16_t id, uint64_t frame, uint32_t *mfn)
{
    struct hv *hv = v->hv;
    struct hv_server *s = find(hv, id);

    if (!s)
        return -ENOENT;
    if (s->by_gfn)
        return -EPERM;
    if (!s->sync_mfn) {
        s->sync_mfn = hv_alloc_frame(hv);
        s->buf_mfn = s->bufioreq ? hv_alloc_frame(hv) : 0;
        if (!s->sync_mfn || (s->bufioreq && !s->buf_mfn))
            return -ENOMEM;
    }
    if (frame == XENMEM_resource_ioreq_server_frame_bufioreq && s->bufioreq)
        *mfn = s->buf_mfn;
    else if (frame == XENMEM_resource_ioreq_server_frame_ioreq(0))
        *mfn = s->sync_mfn;
    else
        return -EINVAL;
    return 0;
}

int hv_server_enable(struct hv_view *v, uint16_t id, bool enabled)
{
    struct hv *hv = v->hv;
    struct hv_server *s = find(hv, id);
    struct shared_iopage *page;

    if (!s)
        return -ENOENT;
    if (s->enabled == enabled)
        return 0;
    if (s->by_gfn)
        legacy_present(v, s, !enabled);
    s->enabled = enabled;
    if (!enabled || !s->sync_mfn)
        return 0;
    /* Only now does a slot name its event channel. */
    page = mmap(NULL, HV_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, v->frames_fd,
                (off_t)s->sync_mfn * HV_PAGE);
    if (page == MAP_FAILED)
        return -ENOMEM;
    for (uint32_t i = 0; i < hv->nr_vcpus; i++)
        page->vcpu_ioreq[i].vp_eport = s->vcpu_port[i];
    munmap(page, HV_PAGE);
    return 0;
}

static int range_add(struct hv_range_set *set, uint64_t first, uint64_t last)
{
    uint32_t at = 0;
    bool joins_left, joins_right;

    while (at < set->count && set->range[at].last < first)
        at++;
    if (at < set->count && set->range[at].first <= last)
        return -EEXIST;
    joins_left = at > 0 && set->range[at - 1].last + 1 == first;
    joins_right = at < set->count && last + 1 == set->range[at].first && last != UINT64_MAX;
    if (joins_left && joins_right) {
        set->range[at - 1].last = set->range[at].last;
        memmove(&set->range[at], &set->range[at + 1], (set->count - at - 1) * sizeof set->range[0]);
        set->count--;
    } else if (joins_left) {
        set->range[at - 1].last = last;
    } else if (joins_right) {
        set->range[at].first = first;
    } else {
        if (set->count == HV_RANGES)
            return -ENOMEM;
        memmove(&set->range[at + 1], &set->range[at], (set->count - at) * sizeof set->range[0]);
        set->range[at] = (struct hv_range){first, last};
        set->count++;
    }
    return 0;
}

static int range_remove(struct hv_range_set *set, uint64_t first, uint64_t last)
{
    uint32_t at = 0;
    struct hv_range *r;

    while (at < set->count && set->range[at].last < last)
        at++;
    if (at == set->count || set->range[at].first > first)
        return -ENOENT;
    r = &set->range[at];
    if (r->first == first && r->last == last) {
        memmove(r, r + 1, (set->count - at - 1) * sizeof *r);
        set->count--;
    } else if (r->first == first) {
        r->first = last + 1;
    } else if (r->last == last) {
        r->last = first - 1;
    } else {
        if (set->count == HV_RANGES)
            return -ENOMEM; /* a hole in the middle needs one more */
        memmove(r + 1, r, (set->count - at) * sizeof *r);
        r[0].last = first - 1;
        r[1].first = last + 1;
        set->count++;
    }
    return 0;
}

int hv_range_change(struct hv_view *v, uint16_t id, enum hv_space space, uint64_t first,
                    uint64_t last, bool add)
{
    struct hv_server *s = find(v->hv, id);

    if (first > last)
        return -EINVAL;
    if (!s)
        return -ENOENT;
    return add ? range_add(&s->set[space], first, last) : range_remove(&s->set[space], first, last);
}

/* The server that gets an access to first..last: the highest number whose set holds all of it, or
 * -1. */
int hv_route(const struct hv *hv, enum hv_space space, uint64_t first, uint64_t last)
{
    for (int id = HV_SERVERS - 1; id >= 0; id--) {
        const struct hv_server *s = &hv->server[id];
        const struct hv_range_set *set = &s->set[space];
        uint32_t low = 0, high = set->count;

        if (!s->exists || !s->enabled)
            continue;
        while (low < high) {
            uint32_t middle = (low + high) / 2;

            if (set->range[middle].last < first)
                low = middle + 1;
            else
                high = middle;
        }
        if (low < set->count && set->range[low].first <= first && set->range[low].last >= last)
            return id;
    }
    return -1;
}
