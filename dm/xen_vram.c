/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The frames wait at a parking place above all RAM until the firmware enables the BAR, then they
 * are moved there, and back whenever its decoding is turned off. A mapping names machine frames:
 * ours stays valid wherever they are in the guest.
 *
 * Parked above 4 GiB even in small guests: everything below may become the PCI window, which
 * grows downwards while BARs do not fit, and the two places must not overlap (Xen before 4.22
 * moves the overlapping frames twice).
 */
#include "dm/xen_vram.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dm/log.h"

#define FOUR_GIB (1ull << 32)

struct xen_vram {
    struct vram vram;
    struct xen *xen;
    struct guestmem *mem;
    uint64_t at;     /* where the frames are */
    uint64_t pinned; /* where they are pinned as write-back, or 0 */
    bool tracked;    /* the hypervisor follows the guest's writes to a range of them */
    bool untold;     /* it could not once, and the log says so */
};

static uint64_t frames(const struct xen_vram *v)
{
    return v->vram.size >> GUEST_PAGE_SHIFT;
}

static bool overlap(const struct xen_vram *v, uint64_t a, uint64_t b)
{
    return a < b ? b - a < v->vram.size : a - b < v->vram.size;
}

/* Without it the frame buffer is uncached: the firmware's MTRRs make the PCI window so. */
static void set_caching(struct xen_vram *v, uint64_t at)
{
    int rc;

    if (v->pinned == at)
        return;
    if (v->pinned) {
        rc = xen_pin_write_back(v->xen, v->pinned >> GUEST_PAGE_SHIFT,
                                (v->pinned >> GUEST_PAGE_SHIFT) + frames(v) - 1, false);
        if (rc && rc != -ESRCH)
            log_guest("video memory: cannot unpin %#" PRIx64 ": %s", v->pinned, strerror(-rc));
        v->pinned = 0;
    }
    if (at == v->vram.parking)
        return;
    rc = xen_pin_write_back(v->xen, at >> GUEST_PAGE_SHIFT,
                            (at >> GUEST_PAGE_SHIFT) + frames(v) - 1, true);
    if (rc)
        log_guest("video memory at %#" PRIx64 " stays uncached, and so slow: %s", at,
                  strerror(-rc));
    else
        v->pinned = at;
}

/* ---- the guest's writes --------------------------------------------------------------------- */

static void stop_tracking(void *opaque)
{
    struct xen_vram *v = opaque;

    if (v->tracked)
        xen_track_dirty(v->xen, 0, 0, NULL);
    v->tracked = false;
}

static int dirty(void *opaque, uint64_t offset, uint64_t length, uint64_t *bitmap)
{
    struct xen_vram *v = opaque;
    uint64_t n = length >> GUEST_PAGE_SHIFT, words = (n + 63) / 64;
    int rc;

    bitmap[words - 1] = 0; /* the bits behind the last frame */
    rc = xen_track_dirty(v->xen, (v->at + offset) >> GUEST_PAGE_SHIFT, (uint32_t)n, bitmap);
    if (rc) {
        if (rc != -ENODATA && rc != -ESRCH && !v->untold) {
            log_error("the guest's writes to video memory cannot be followed: %s", strerror(-rc));
            v->untold = true;
        }
        v->tracked = v->tracked || rc == -ENODATA;
        return rc;
    }
    v->tracked = true;
    for (uint64_t i = 0; i < words; i++) {
        if (bitmap[i])
            return 1;
    }
    return 0;
}

/* ---- their place ---------------------------------------------------------------------------- */

static int relocate(struct xen_vram *v, uint64_t to)
{
    int rc;

    stop_tracking(v); /* it is a range of guest frames that is followed */
    rc = xen_relocate(v->xen, v->at >> GUEST_PAGE_SHIFT, to >> GUEST_PAGE_SHIFT, frames(v));

    if (rc) {
        log_guest("video memory: cannot move %#" PRIx64 " to %#" PRIx64 ": %s", v->at, to,
                  strerror(-rc));
        return rc;
    }
    v->at = to;
    return 0;
}

static int move(void *opaque, uint64_t from, uint64_t to)
{
    struct xen_vram *v = opaque;
    int rc = 0;

    if (from != v->at || (to != v->vram.parking && overlap(v, to, v->vram.parking)))
        return -EINVAL;
    if (from == to)
        return 0;
    if (overlap(v, from, to))
        rc = relocate(v, v->vram.parking);
    if (!rc)
        rc = relocate(v, to);
    set_caching(v, v->at);
    return rc;
}

static int map(struct xen_vram *v, uint64_t gpa)
{
    uint64_t n = frames(v);
    uint64_t *gfns = calloc(n, sizeof(*gfns));
    int *errors = calloc(n, sizeof(*errors));
    int rc = gfns && errors ? 0 : -ENOMEM;
    void *base;

    for (uint64_t i = 0; !rc && i < n; i++)
        gfns[i] = (gpa >> GUEST_PAGE_SHIFT) + i;
    if (!rc) {
        base = xen_map_frames(v->xen, gfns, n, errors);
        if (!base)
            rc = errno ? -errno : -EFAULT;
        for (uint64_t i = 0; i < n && !rc; i++)
            rc = errors[i];
        if (rc && base)
            xen_unmap_frames(v->xen, base, n);
        if (!rc) {
            if (v->vram.base)
                xen_unmap_frames(v->xen, v->vram.base, n);
            v->vram.base = base;
            v->at = gpa;
        }
    }
    free(gfns);
    free(errors);
    return rc;
}

static int attach(void *opaque, uint64_t gpa)
{
    struct xen_vram *v = opaque;
    int rc = 0;

    if (!v->vram.base || gpa != v->at)
        rc = map(v, gpa);
    if (rc) {
        log_error("cannot map the video memory at %#" PRIx64 ": %s", gpa, strerror(-rc));
        return rc;
    }
    /* Memory types do not travel with a guest. */
    set_caching(v, gpa);
    return 0;
}

static void written(void *opaque, uint64_t offset, uint64_t length)
{
    struct xen_vram *v = opaque;

    guestmem_written(v->mem, v->at + offset, length);
}

int xen_vram_create(struct xen_vram **out, struct xen *xen, struct guestmem *mem,
                    const struct xen_vram_config *config, char *err, size_t err_size)
{
    struct xen_vram *v = calloc(1, sizeof(*v));
    uint64_t low = config->ram_below_4g;
    int rc;

    if (!v) {
        snprintf(err, err_size, "out of memory");
        return -ENOMEM;
    }
    v->xen = xen;
    v->mem = mem;
    v->vram = (struct vram){
        .size = config->size,
        .parking = FOUR_GIB + (config->ram_bytes > low ? config->ram_bytes - low : 0),
        .move = move,
        .attach = attach,
        .written = written,
        .dirty = dirty,
        .dirty_stop = stop_tracking,
        .opaque = v,
    };
    v->vram.parking = (v->vram.parking + GUEST_PAGE_SIZE - 1) & ~(uint64_t)(GUEST_PAGE_SIZE - 1);
    if (!config->restored) {
        uint64_t first = v->vram.parking >> GUEST_PAGE_SHIFT;

        rc = xen_populate(xen, first, frames(v));
        if (rc) {
            snprintf(err, err_size,
                     "the domain cannot be given %" PRIu64 " MiB of video memory: %s",
                     config->size >> 20, strerror(-rc));
            free(v);
            return rc;
        }
        rc = map(v, v->vram.parking);
        if (rc) {
            snprintf(err, err_size, "cannot map the video memory: %s", strerror(-rc));
            xen_depopulate(xen, first, frames(v));
            free(v);
            return rc;
        }
    }
    *out = v;
    return 0;
}

void xen_vram_destroy(struct xen_vram *v)
{
    if (!v)
        return;
    if (v->vram.base)
        xen_unmap_frames(v->xen, v->vram.base, frames(v));
    free(v);
}

struct vram *xen_vram_interface(struct xen_vram *v)
{
    return &v->vram;
}
