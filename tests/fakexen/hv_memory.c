/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The domain's physical memory map: which guest frame shows which machine frame, and who is told of
 * changes. */
#include <errno.h>
#include <string.h>
#include "hv.h"

uint32_t hv_alloc_frame(struct hv *hv)
{
    return hv->next_mfn < hv->nr_mfns ? (uint32_t)hv->next_mfn++ : HV_NO_MFN;
}

uint32_t hv_grant_mfn(const struct hv *hv, uint32_t ref, bool write)
{
    const struct hv_grant *grant = ref < HV_GRANTS ? &hv->grant[ref] : NULL;

    if (!grant || !grant->granted || (write && grant->read_only))
        return HV_NO_MFN;
    return hv_mfn(hv, grant->gfn);
}

/* The emulator's domain changed the map, so every vCPU will broadcast an INVALIDATE. */
void hv_invalidate_all(struct hv *hv)
{
    for (uint32_t i = 0; i < hv->nr_vcpus; i++)
        hv->invalidate[i] = 1;
}

int hv_populate(struct hv_view *v, uint64_t gfn, uint64_t nr)
{
    struct hv *hv = v->hv;
    uint32_t *map;

    if (gfn >= hv->nr_gfns || nr > hv->nr_gfns - gfn)
        return -EINVAL;
    if (hv->tot_pages + nr > hv->max_pages || hv->next_mfn + nr > hv->nr_mfns)
        return -ENOMEM;
    map = hv->physmap + gfn;
    for (uint64_t i = 0; i < nr; i++) {
        /* Xen leaks the page that was there; a device model should never do this. */
        if (map[i] & HV_MFN_MASK)
            hv_log(v, HV_REC_BAD, -EEXIST, 1, gfn + i, 0, 0, 0);
        map[i] = (uint32_t)(hv->next_mfn + i);
    }
    hv->next_mfn += nr;
    hv->tot_pages += nr;
    if (gfn + nr - 1 > hv->max_gfn)
        hv->max_gfn = gfn + nr - 1;
    return 0;
}

int hv_remove(struct hv_view *v, uint64_t gfn)
{
    struct hv *hv = v->hv;

    if (!hv_mfn(hv, gfn))
        return -EINVAL;
    hv->physmap[gfn] = HV_NO_MFN;
    hv->tot_pages--;
    return 0;
}

int hv_relocate(struct hv_view *v, uint64_t count, uint64_t from, uint64_t to)
{
    struct hv *hv = v->hv;

    count &=
        0xffff; /* the size field inside Xen has 16 bits, and it reports success all the same */
    for (uint64_t i = 0; i < count; i++) {
        uint32_t entry;

        if (!hv_mfn(hv, from + i) || to + i >= hv->nr_gfns)
            return -EINVAL;
        entry = hv->physmap[from + i];
        if (hv_mfn(hv, to + i)) {
            hv->tot_pages--; /* what was there is freed */
            hv_log(v, HV_REC_BAD, 0, 2, to + i, 0, 0, 0);
        }
        hv->physmap[from + i] = HV_NO_MFN;
        hv->physmap[to + i] = entry;
        if (to + i > hv->max_gfn)
            hv->max_gfn = to + i;
    }
    hv_invalidate_all(hv);
    return 0;
}

int hv_set_mem_type(struct hv_view *v, uint32_t type, uint64_t first, uint64_t nr)
{
    struct hv *hv = v->hv;

    if (type > 2 || first + nr < first || first + nr - 1 > hv->max_gfn)
        return -EINVAL;
    for (uint64_t gfn = first; gfn < first + nr; gfn++) {
        uint32_t *entry = &hv->physmap[gfn];

        if ((type == 2) == !!(*entry & HV_MFN_MASK))
            return -EINVAL; /* only RAM to RAM and hole to MMIO */
        *entry = (*entry & HV_MFN_MASK) | type << HV_TYPE_SHIFT;
    }
    return 0;
}

int hv_pin(struct hv_view *v, uint64_t first, uint64_t last, uint32_t type)
{
    struct hv *hv = v->hv;
    struct hv_pin *spare = NULL;

    if (first > last)
        return -EINVAL;
    for (int i = 0; i < HV_PINS; i++) {
        struct hv_pin *p = &hv->pin[i];

        if (!p->used) {
            spare = spare ? spare : p;
            continue;
        }
        if (p->first == first && p->last == last) {
            if (type == UINT32_MAX)
                p->used = 0;
            p->type = type;
            return 0;
        }
        if (type != UINT32_MAX && p->first <= last && first <= p->last)
            return -EBUSY;
    }
    if (type == UINT32_MAX)
        return -ENOENT;
    if (type > 7 || type == 2 || type == 3)
        return -EINVAL;
    if (!spare)
        return -ENOSPC;
    *spare = (struct hv_pin){.first = first, .last = last, .type = type, .used = 1};
    return 0;
}

int hv_track_dirty(struct hv_view *v, uint64_t first, uint64_t nr, uint8_t *bitmap)
{
    struct hv *hv = v->hv;
    size_t bytes = (size_t)(nr + 7) / 8;

    if (nr > HV_DIRTY_FRAMES)
        return -EINVAL;
    if (!nr) {
        hv->dirty_armed = 0;
        return 0;
    }
    if (!hv->dirty_armed || hv->dirty_first != first || hv->dirty_nr != nr) {
        hv->dirty_first = first;
        hv->dirty_nr = nr;
        hv->dirty_armed = 1;
        memset(hv->dirty, 0, sizeof hv->dirty);
        memset(bitmap, 0xff, bytes); /* nothing is known yet: all of it */
        return 0;
    }
    memcpy(bitmap, hv->dirty, bytes);
    memset(hv->dirty, 0, bytes);
    return 0;
}

/* The highest frame itself is refused: Xen compares the exclusive end with the highest number. */
int hv_modified(struct hv_view *v, uint64_t first, uint64_t nr)
{
    if (first + nr < first || first + nr > v->hv->max_gfn)
        return -EINVAL;
    return 0;
}
