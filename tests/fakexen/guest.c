/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Guest-physical memory as a vCPU sees it: RAM in the machine frames, everything else as MMIO
 * requests. */
#include <errno.h>
#include <string.h>
#include <time.h>
#include "guest.h"

int64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

uint8_t *guest_frame(struct guest *g, uint64_t gfn)
{
    uint32_t mfn = hv_mfn(g->hv, gfn);

    return mfn ? g->frames + (size_t)mfn * HV_PAGE : NULL;
}

bool guest_is_ram(struct guest *g, uint64_t gpa)
{
    return guest_frame(g, gpa / HV_PAGE) != NULL;
}

static void mark_dirty(struct hv *hv, uint64_t gfn)
{
    uint64_t i = gfn - hv->dirty_first;

    if (hv->dirty_armed && gfn >= hv->dirty_first && i < hv->dirty_nr)
        __atomic_or_fetch(&hv->dirty[i / 8], (uint8_t)(1u << (i % 8)), __ATOMIC_RELAXED);
}

/* One piece that lies in one frame of RAM. */
static void ram_piece(struct guest *g, int dir, uint64_t gpa, uint8_t *data, size_t bytes)
{
    uint64_t gfn = gpa / HV_PAGE;
    uint8_t *at = guest_frame(g, gfn) + gpa % HV_PAGE;

    if (dir == IOREQ_READ) {
        memcpy(data, at, bytes);
    } else if (g->hv->physmap[gfn] >> HV_TYPE_SHIFT != 1) { /* type 1 is read-only RAM */
        memcpy(at, data, bytes);
        mark_dirty(g->hv, gfn);
    }
}

/* MMIO in the pieces that Xen makes: the largest power of two up to eight that still fits, never
 * over a page. */
static int mmio_piece(struct guest *g, int dir, uint64_t gpa, uint8_t *data, size_t bytes)
{
    while (bytes) {
        uint32_t size = 8;
        uint64_t value = 0;
        int rc;

        while (size > bytes)
            size /= 2;
        if (dir == IOREQ_WRITE)
            memcpy(&value, data, size);
        rc = vcpu_mmio(g, g->vcpu, dir, gpa, size, &value);
        if (rc)
            return rc;
        if (dir == IOREQ_READ)
            memcpy(data, &value, size);
        data += size;
        gpa += size;
        bytes -= size;
    }
    return 0;
}

int guest_access(struct guest *g, int dir, uint64_t gpa, void *data, size_t bytes)
{
    uint8_t *at = data;

    while (bytes) {
        size_t piece = HV_PAGE - gpa % HV_PAGE;
        int rc = 0;

        piece = piece < bytes ? piece : bytes;
        if (guest_is_ram(g, gpa))
            ram_piece(g, dir, gpa, at, piece);
        else
            rc = mmio_piece(g, dir, gpa, at, piece);
        if (rc)
            return rc;
        at += piece;
        gpa += piece;
        bytes -= piece;
    }
    return 0;
}

/* RAM only, holes read ones and swallow writes: the memory side of a string instruction. */
int guest_ram(struct guest *g, int dir, uint64_t gpa, void *data, size_t bytes)
{
    uint8_t *at = data;

    while (bytes) {
        size_t piece = HV_PAGE - gpa % HV_PAGE;

        piece = piece < bytes ? piece : bytes;
        if (guest_is_ram(g, gpa))
            ram_piece(g, dir, gpa, at, piece);
        else if (dir == IOREQ_READ)
            memset(at, 0xff, piece);
        at += piece;
        gpa += piece;
        bytes -= piece;
    }
    return 0;
}
