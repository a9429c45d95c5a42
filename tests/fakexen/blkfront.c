/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "blkfront.h"
#include <errno.h>
#include <string.h>
#include <xen/io/blkif.h>

enum { MAX_DEPTH = 256, MAX_SEGMENTS = 256, SECTORS_A_PAGE = 8 };

struct front {
    struct guest *g;
    struct blkfront *b;
    struct blkif_sring *ring;
    struct blkif_request *slot; /* the first one */
    uint32_t slots, req_prod, rsp_cons;
    uint64_t next_sector, seed;
    uint16_t idle[MAX_DEPTH];
    uint32_t nidle;
};

static int wrong(struct guest *g, int rc, const char *text)
{
    snprintf(g->why, sizeof g->why, "%s", text);
    return rc;
}

/* The ring's pages lie side by side in the memory file when the guest's frames do: as at start. */
static void *memory(struct guest *g, uint64_t gpa)
{
    uint8_t *frame = guest_frame(g, gpa / HV_PAGE);

    return frame ? frame + gpa % HV_PAGE : NULL;
}

static uint64_t choose_sector(struct front *f)
{
    uint64_t pages = f->b->sectors / SECTORS_A_PAGE / f->b->segments;
    uint64_t at = f->next_sector++;

    if (f->b->random) {
        f->seed = f->seed * 6364136223846793005u + 1442695040888963407u;
        at = f->seed >> 33;
    }
    return at % pages * f->b->segments * SECTORS_A_PAGE;
}

static int fill_list(struct front *f, uint32_t k)
{
    struct hv_grant *grant = &f->g->hv->grant[f->b->list_ref + k];
    struct blkif_request_segment *seg = memory(f->g, (uint64_t)grant->gfn * HV_PAGE);

    if (!seg)
        return -EFAULT;
    for (uint32_t i = 0; i < f->b->segments; i++)
        seg[i] = (struct blkif_request_segment){.gref = f->b->ref + k * f->b->segments + i,
                                                .last_sect = SECTORS_A_PAGE - 1};
    return 0;
}

static void request(struct front *f, uint32_t k)
{
    struct blkif_request *slot = f->slot + (f->req_prod++ & (f->slots - 1));
    uint8_t op = f->b->write ? BLKIF_OP_WRITE : BLKIF_OP_READ;

    if (f->b->segments > BLKIF_MAX_SEGMENTS_PER_REQUEST) {
        struct blkif_request_indirect r = {.operation = BLKIF_OP_INDIRECT,
                                           .indirect_op = op,
                                           .nr_segments = (uint16_t)f->b->segments,
                                           .id = k,
                                           .sector_number = choose_sector(f),
                                           .indirect_grefs = {f->b->list_ref + k}};

        memcpy(slot, &r, sizeof r);
        return;
    }
    *slot = (struct blkif_request){.operation = op,
                                   .nr_segments = (uint8_t)f->b->segments,
                                   .id = k,
                                   .sector_number = choose_sector(f)};
    for (uint32_t i = 0; i < f->b->segments; i++)
        slot->seg[i] = (struct blkif_request_segment){.gref = f->b->ref + k * f->b->segments + i,
                                                      .last_sect = SECTORS_A_PAGE - 1};
}

static void push(struct front *f)
{
    uint32_t old = f->ring->req_prod;

    if (old == f->req_prod)
        return;
    __atomic_store_n(&f->ring->req_prod, f->req_prod, __ATOMIC_RELEASE);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (f->req_prod - __atomic_load_n(&f->ring->req_event, __ATOMIC_RELAXED) >= f->req_prod - old)
        return;
    hv_lock(f->g->hv);
    hv_signal(&f->g->view, f->b->port);
    hv_unlock(f->g->hv);
    f->b->events++;
}

static uint32_t take_responses(struct front *f)
{
    uint32_t prod = __atomic_load_n(&f->ring->rsp_prod, __ATOMIC_ACQUIRE), taken = 0;

    for (; f->rsp_cons != prod; f->rsp_cons++, taken++) {
        struct blkif_response r;

        memcpy(&r, f->slot + (f->rsp_cons & (f->slots - 1)), sizeof r);
        f->b->errors += r.status != BLKIF_RSP_OKAY;
        f->idle[f->nidle++ % MAX_DEPTH] = (uint16_t)(r.id % MAX_DEPTH);
    }
    return taken;
}

/* As a guest does: asks for an event, looks once more, sleeps. */
static int wait_for_response(struct front *f)
{
    struct guest *g = f->g;
    struct hv *hv = g->hv;
    int64_t start = now_ns(), spin_end = start + (int64_t)g->spin_us * 1000;

    __atomic_store_n(&f->ring->rsp_event, f->rsp_cons + 1, __ATOMIC_SEQ_CST);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    for (unsigned int round = 0;; round++) {
        uint32_t seen = __atomic_load_n(&hv->notify_seq, __ATOMIC_SEQ_CST);
        int64_t now;

        if (__atomic_load_n(&f->ring->rsp_prod, __ATOMIC_ACQUIRE) != f->rsp_cons)
            return 0;
        if (round % 64 != 63)
            continue;
        now = now_ns();
        if (now < spin_end)
            continue;
        vcpu_sleep(hv, seen);
        if (!dm_alive(g))
            return wrong(g, -EPIPE, "the device model is dead");
        if (now > start + (int64_t)g->timeout_ms * 1000000)
            return wrong(g, -ETIMEDOUT, "no response");
    }
}

static int begin(struct front *f)
{
    struct blkfront *b = f->b;
    size_t bytes = (size_t)b->ring_pages * HV_PAGE - offsetof(struct blkif_sring, ring);

    f->ring = memory(f->g, b->ring_gpa);
    if (!f->ring || !b->depth || b->depth > MAX_DEPTH || !b->segments ||
        b->segments > MAX_SEGMENTS || b->ref + b->depth * b->segments > HV_GRANTS ||
        b->list_ref + b->depth > HV_GRANTS || b->sectors < b->segments * SECTORS_A_PAGE)
        return wrong(f->g, -EINVAL, "arguments");
    f->slot = &f->ring->ring[0].req;
    f->slots = 1;
    while (f->slots * 2 * sizeof(f->ring->ring[0]) <= bytes)
        f->slots *= 2;
    if (f->slots < b->depth)
        return wrong(f->g, -EINVAL, "the ring is too small");
    f->req_prod = f->ring->req_prod;
    f->rsp_cons = f->ring->rsp_prod;
    for (uint32_t k = b->depth; k-- > 0;) {
        if (b->segments > BLKIF_MAX_SEGMENTS_PER_REQUEST && fill_list(f, k))
            return wrong(f->g, -EFAULT, "a list is not in memory");
        f->idle[f->nidle++] = (uint16_t)k;
    }
    return 0;
}

int blkfront_run(struct guest *g, struct blkfront *b, uint64_t n)
{
    struct front f = {.g = g, .b = b, .seed = 1};
    uint32_t notified = g->hv->gport[b->port].notified;
    uint64_t sent = 0, answered = 0;
    int rc = begin(&f);

    while (!rc && answered < n) {
        uint32_t taken;

        while (f.nidle && sent < n) {
            request(&f, f.idle[--f.nidle]);
            sent++;
        }
        push(&f);
        taken = take_responses(&f);
        answered += taken;
        if (!taken)
            rc = wait_for_response(&f);
    }
    b->notified = g->hv->gport[b->port].notified - notified;
    return rc;
}
