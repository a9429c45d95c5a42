/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What Xen does with a vCPU's access: route it, post it in the slot or the ring, wait for the
 * notification, check what the device model left behind. A device model that breaks the protocol is
 * told on (g->why), where Xen would crash the domain.
 */
#include <errno.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "guest.h"

enum { MAX_BATCH = 4096 };

static int wrong(struct guest *g, int rc, const char *text)
{
    snprintf(g->why, sizeof g->why, "%s", text);
    return rc;
}

struct shared_iopage *vcpu_slots(struct guest *g, int server)
{
    uint32_t mfn = g->hv->server[server].sync_mfn;

    return mfn ? (struct shared_iopage *)(g->frames + (size_t)mfn * HV_PAGE) : NULL;
}

static volatile ioreq_t *slot_of(struct guest *g, int server, uint32_t vcpu)
{
    struct shared_iopage *page = vcpu_slots(g, server);

    return page ? &page->vcpu_ioreq[vcpu] : NULL;
}

/* The byte with state and flags is written whole, as both sides must. */
static uint8_t flags_byte(const struct request *r, unsigned int state)
{
    return (uint8_t)(state | (unsigned int)(r->ptr & 1) << 4 | (unsigned int)(r->dir & 1) << 5 |
                     (unsigned int)(r->df & 1) << 6);
}

static volatile uint8_t *state_byte(volatile ioreq_t *slot)
{
    return (volatile uint8_t *)slot + 30;
}

int vcpu_post(struct guest *g, uint32_t vcpu, int server, const struct request *r)
{
    struct hv_server *s = &g->hv->server[server];
    volatile ioreq_t *slot = slot_of(g, server, vcpu);

    if (!slot)
        return wrong(g, -ENXIO, "the server's pages were never mapped");
    if (slot->state != STATE_IOREQ_NONE)
        return wrong(g, -EBUSY, "slot is not idle");
    if (slot->vp_eport != s->vcpu_port[vcpu])
        return wrong(g, -EPROTO, "the device model changed vp_eport");
    if (g->hv->shut_down && r->type != IOREQ_TYPE_INVALIDATE)
        return wrong(g, -ESHUTDOWN, "the domain is shut down");
    slot->addr = r->addr;
    slot->data = r->data;
    slot->count = r->count;
    slot->size = r->size;
    slot->type = r->type;
    *state_byte(slot) = flags_byte(r, STATE_IOREQ_NONE);
    g->base[server][vcpu] =
        __atomic_load_n(&g->hv->gport[s->vcpu_port[vcpu]].notified, __ATOMIC_ACQUIRE);
    g->busy[server][vcpu] = true;
    g->flags[server][vcpu] = flags_byte(r, STATE_IOREQ_NONE);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    *state_byte(slot) = flags_byte(r, STATE_IOREQ_READY);
    hv_lock(g->hv);
    hv_signal(&g->view, s->vcpu_port[vcpu]);
    hv_unlock(g->hv);
    return 0;
}

void vcpu_sleep(struct hv *hv, uint32_t seen)
{
    const struct timespec slice = {.tv_nsec = 20000000};

    __atomic_add_fetch(&hv->vcpu_waiting, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&hv->notify_seq, __ATOMIC_SEQ_CST) == seen)
        syscall(SYS_futex, &hv->notify_seq, FUTEX_WAIT, seen, &slice, NULL, 0);
    __atomic_sub_fetch(&hv->vcpu_waiting, 1, __ATOMIC_SEQ_CST);
}

int vcpu_wait(struct guest *g, uint32_t vcpu, int server, uint64_t *data, unsigned int timeout_ms)
{
    struct hv *hv = g->hv;
    struct hv_server *s = &hv->server[server];
    volatile ioreq_t *slot = slot_of(g, server, vcpu);
    uint32_t *count = &hv->gport[s->vcpu_port[vcpu]].notified;
    int64_t start = now_ns(), spin_end = start + (int64_t)g->spin_us * 1000;
    unsigned int state, before = STATE_IOREQ_READY;
    bool notified = false;

    if (!slot || !g->busy[server][vcpu])
        return wrong(g, -EINVAL, "no request was posted");
    for (unsigned int round = 0;; round++) {
        uint32_t seen = __atomic_load_n(&hv->notify_seq, __ATOMIC_SEQ_CST);
        uint32_t n = __atomic_load_n(count, __ATOMIC_ACQUIRE);
        int64_t now;

        if (n != g->base[server][vcpu]) {
            g->base[server][vcpu] = n;
            notified = true;
        }
        state = slot->state;
        if (state < before || state > STATE_IORESP_READY)
            return wrong(g, -EPROTO,
                         state ? "the device model moved the state backwards"
                               : "the device model stored state NONE");
        before = state;
        if (notified && state == STATE_IORESP_READY)
            break;
        if (round % 64 != 63)
            continue;
        now = now_ns();
        if (now < spin_end)
            continue;
        vcpu_sleep(hv, seen);
        if (!dm_alive(g))
            return wrong(g, -EPIPE, "the device model is dead");
        if (now > start + (int64_t)timeout_ms * 1000000)
            return wrong(g, -ETIMEDOUT,
                         state == STATE_IORESP_READY      ? "answered, but never notified"
                         : state == STATE_IOREQ_INPROCESS ? "no answer: request is INPROCESS"
                                                          : "no answer: request is READY");
    }
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    if (slot->vp_eport != s->vcpu_port[vcpu])
        return wrong(g, -EPROTO, "the device model changed vp_eport");
    if ((*state_byte(slot) & 0xf0) != g->flags[server][vcpu])
        return wrong(g, -EPROTO, "the device model changed the flags beside the state");
    *data = slot->data;
    *state_byte(slot) &= 0xf0;
    g->busy[server][vcpu] = false;
    return 0;
}

/* INVALIDATE to every enabled server; none may refuse it. */
int vcpu_broadcast(struct guest *g, uint32_t vcpu)
{
    static const struct request invalidate = {
        .type = IOREQ_TYPE_INVALIDATE, .dir = IOREQ_WRITE, .size = 4, .count = 0, .data = ~0ull};
    uint64_t data;
    int rc = 0;

    g->hv->invalidate[vcpu] = 0;
    for (int id = 0; id < HV_SERVERS && !rc; id++) {
        if (!g->hv->server[id].enabled)
            continue;
        rc = vcpu_post(g, vcpu, id, &invalidate);
        if (!rc)
            rc = vcpu_wait(g, vcpu, id, &data, g->timeout_ms);
    }
    return rc;
}

/* First and last byte of all elements of an MMIO request. */
static void extent(const struct request *r, uint64_t *first, uint64_t *last)
{
    uint64_t more = (uint64_t)(r->count ? r->count - 1 : 0) * r->size;

    *first = r->df ? r->addr - more : r->addr;
    *last = r->df ? r->addr + r->size - 1 : r->addr + more + r->size - 1;
}

/* The server for a request, or -1. Turns a port access to the configuration data into a PCI request
 * on the way. */
int vcpu_route(struct guest *g, struct request *r)
{
    uint64_t first, last;
    int id;

    if (r->type == IOREQ_TYPE_PIO && (r->addr & ~3ull) == 0xcfc && g->cf8 & 0x80000000u) {
        r->type = IOREQ_TYPE_PCI_CONFIG;
        r->addr = (uint64_t)(g->cf8 >> 8 & 0xffff) << 32 | (g->cf8 & 0xfc) | (r->addr & 3);
    }
    hv_lock(g->hv);
    if (r->type == IOREQ_TYPE_PCI_CONFIG) {
        id = hv_route(g->hv, HV_PCI, r->addr >> 32, r->addr >> 32);
    } else if (r->type == IOREQ_TYPE_PIO) {
        id = hv_route(g->hv, HV_PIO, r->addr, r->addr + r->size - 1);
    } else {
        extent(r, &first, &last);
        id = hv_route(g->hv, HV_MMIO, first, last);
    }
    hv_unlock(g->hv);
    return id;
}

static bool goes_through_ring(struct guest *g, const struct request *r, int server)
{
    return r->type == IOREQ_TYPE_COPY && r->dir == IOREQ_WRITE && r->count == 1 && !r->ptr &&
           r->addr >= 0xa0000 && r->addr + r->size <= 0xc0000 && g->hv->server[server].bufioreq;
}

/* A routed access from start to end. Nobody there: reads give ones, writes vanish. */
int vcpu_io(struct guest *g, uint32_t vcpu, const struct request *request, uint64_t *data)
{
    struct request r = *request;
    int id = vcpu_route(g, &r), rc;

    if (id < 0) {
        *data = ~0ull;
        return 0;
    }
    if (goes_through_ring(g, &r, id) && ring_send(g, id, &r, true) == 0)
        return 0;
    rc = vcpu_post(g, vcpu, id, &r);
    if (!rc)
        rc = vcpu_wait(g, vcpu, id, data, g->timeout_ms);
    if (!rc && g->hv->invalidate[vcpu] && !g->hv->shut_down)
        rc = vcpu_broadcast(g, vcpu);
    return rc;
}

static uint64_t size_mask(uint32_t size)
{
    return size >= 8 ? ~0ull : (1ull << size * 8) - 1;
}

int vcpu_port(struct guest *g, uint32_t vcpu, int dir, uint16_t port, uint32_t size, uint64_t *data)
{
    struct request r = {
        .type = IOREQ_TYPE_PIO, .dir = (uint8_t)dir, .addr = port, .size = size, .count = 1};
    int rc = 0;

    *data &= size_mask(size);
    if (dir == IOREQ_WRITE && port == 0xcf8 && size == 4)
        g->cf8 = (uint32_t)*data;
    if (!xendev_port(g, dir, port, size, data)) {
        r.data = dir == IOREQ_WRITE ? *data : 0;
        rc = vcpu_io(g, vcpu, &r, data);
    }
    *data &= size_mask(size);
    return rc;
}

int vcpu_mmio(struct guest *g, uint32_t vcpu, int dir, uint64_t gpa, uint32_t size, uint64_t *data)
{
    struct request r = {
        .type = IOREQ_TYPE_COPY, .dir = (uint8_t)dir, .addr = gpa, .size = size, .count = 1};
    int rc = 0;

    *data &= size_mask(size);
    if (!xendev_mmio(dir, gpa, size, data)) {
        r.data = dir == IOREQ_WRITE ? *data : 0;
        rc = vcpu_io(g, vcpu, &r, data);
    }
    *data &= size_mask(size);
    return rc;
}

/* How many elements from `addr` on stay in its page; an element that straddles two pages goes
 * alone. */
static uint32_t clip(uint64_t addr, uint32_t size, uint32_t count, bool df)
{
    uint64_t offset = addr % HV_PAGE, fits;

    if (offset + size > HV_PAGE)
        return 1;
    fits = df ? offset / size + 1 : (HV_PAGE - offset) / size;
    return fits < count ? (uint32_t)fits : count;
}

/* rep ins/outs: r.addr is the port, r.data the RAM address of the first element, r.count the whole
 * count. */
int vcpu_rep_port(struct guest *g, uint32_t vcpu, struct request r, unsigned int *requests)
{
    uint32_t left = r.count;
    int rc = 0;

    *requests = 0;
    while (left && !rc) {
        uint64_t value = 0;
        uint32_t n = left < MAX_BATCH ? left : MAX_BATCH;

        n = clip(r.data, r.size, n, r.df);
        if (left == 1 && r.count == 1) { /* not a string any more: Xen does the memory side */
            if (r.dir == IOREQ_WRITE)
                guest_ram(g, IOREQ_READ, r.data, &value, r.size);
            rc = vcpu_port(g, vcpu, r.dir, (uint16_t)r.addr, r.size, &value);
            if (r.dir == IOREQ_READ && !rc)
                guest_ram(g, IOREQ_WRITE, r.data, &value, r.size);
        } else {
            struct request one = r;

            one.count = n;
            one.ptr = 1;
            one.type = IOREQ_TYPE_PIO;
            rc = vcpu_io(g, vcpu, &one, &value);
        }
        ++*requests;
        left -= n;
        r.data = r.df ? r.data - (uint64_t)n * r.size : r.data + (uint64_t)n * r.size;
    }
    return rc;
}

/* rep movs between RAM (r.data) and MMIO (r.addr) when r.ptr is set, else rep stos of the value
 * r.data. */
int vcpu_rep_mmio(struct guest *g, uint32_t vcpu, struct request r, unsigned int *requests)
{
    uint32_t left = r.count;
    int rc = 0;

    *requests = 0;
    r.type = IOREQ_TYPE_COPY;
    while (left && !rc) {
        struct request one = r;
        uint64_t step, value = 0;

        one.count = clip(r.addr, r.size, left < MAX_BATCH ? left : MAX_BATCH, r.df);
        if (r.ptr)
            one.count = clip(r.data, r.size, one.count, r.df);
        rc = vcpu_io(g, vcpu, &one, &value);
        ++*requests;
        left -= one.count;
        step = (uint64_t)one.count * r.size;
        r.addr = r.df ? r.addr - step : r.addr + step;
        if (r.ptr)
            r.data = r.df ? r.data - step : r.data + step;
    }
    return rc;
}
