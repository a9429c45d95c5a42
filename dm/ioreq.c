/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A slot's states, all but INPROCESS and RESP_READY written by Xen:
 *
 *     NONE --Xen--> READY --here--> INPROCESS --here--> RESP_READY --Xen--> NONE
 *
 * The state shares its byte with the request's flags: it is written as that whole byte, in a
 * single store. A change of state without a notification would leave the vCPU asleep for ever;
 * an event without a READY slot is normal (binding a channel raises one) and is ignored.
 */
#include "dm/ioreq.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#include <xen/xen.h>
#include <xen/hvm/ioreq.h>

#include "dm/ioreq_poll.h"
#include "dm/ioreq_ring.h"
#include "dm/log.h"

/* Byte 30 of a slot: the bit-field that holds the state. */
#define FLAGS_OFFSET      30
#define FLAGS_STATE       0x0f
#define FLAGS_DATA_IS_PTR 0x10
#define FLAGS_DIR_READ    0x20
#define FLAGS_DF          0x40

_Static_assert(sizeof(ioreq_t) == 32, "a slot is 32 bytes");
_Static_assert(offsetof(ioreq_t, type) == FLAGS_OFFSET + 1, "the flags stand before the type");
_Static_assert(IOREQ_VCPUS_MAX * sizeof(ioreq_t) == 4096, "128 slots fill a page");

struct ioreq_server {
    struct xen *xen;
    struct loop *loop;
    struct request_target *target;
    uint16_t id;
    bool created, enabled, started;
    struct xen_ioreq_pages pages;
    struct loop_fd fd;
    struct loop_work more; /* the ring had more than one turn's worth */
    unsigned vcpus;
    uint32_t ring_port; /* local ports */
    uint32_t vcpu_port[IOREQ_VCPUS_MAX];
    unsigned bound;
    struct poll_policy poll;
};

/* ---- answering ------------------------------------------------------------------------------ */

static volatile uint8_t *flags_of(volatile ioreq_t *slot)
{
    return (volatile uint8_t *)slot + FLAGS_OFFSET;
}

static void set_state(volatile ioreq_t *slot, uint8_t flags, uint8_t state)
{
    *flags_of(slot) = (uint8_t)((flags & ~FLAGS_STATE) | state);
}

void ioreq_drain(struct ioreq_server *q)
{
    if (ioreq_ring_drain(q->pages.ring, q->target))
        loop_defer(q->loop, &q->more);
}

/* Whether there was a request. */
static bool serve(struct ioreq_server *q, unsigned vcpu)
{
    volatile ioreq_t *slot = (volatile ioreq_t *)q->pages.slots + vcpu;
    uint8_t flags = *flags_of(slot);
    struct request req;
    int rc;

    if ((flags & FLAGS_STATE) != STATE_IOREQ_READY)
        return false;
    /* The fields were written before the state: fetch them after it, each one once. */
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    req = (struct request){.addr = slot->addr,
                           .data = slot->data,
                           .count = slot->count,
                           .size = slot->size,
                           .type = slot->type,
                           .read = flags & FLAGS_DIR_READ,
                           .data_is_ptr = flags & FLAGS_DATA_IS_PTR,
                           .down = flags & FLAGS_DF};
    set_state(slot, flags, STATE_IOREQ_INPROCESS);

    /* Buffered writes of any vCPU came before this request. */
    ioreq_drain(q);
    request_execute(q->target, &req);

    if (req.read && !req.data_is_ptr)
        slot->data = req.data;
    __atomic_thread_fence(__ATOMIC_RELEASE);
    set_state(slot, flags, STATE_IORESP_READY);
    rc = xen_evtchn_notify(q->xen, q->vcpu_port[vcpu]);
    if (rc)
        log_guest("cannot notify vCPU %u: %s", vcpu, strerror(-rc));
    return true;
}

void ioreq_answer_all(struct ioreq_server *q)
{
    ioreq_drain(q);
    for (unsigned v = 0; v < q->vcpus; v++)
        serve(q, v);
}

static bool serve_port(struct ioreq_server *q, uint32_t port)
{
    if (port == q->ring_port) {
        ioreq_drain(q);
        return false;
    }
    for (unsigned v = 0; v < q->vcpus; v++)
        if (q->vcpu_port[v] == port)
            return serve(q, v);
    return false;
}

/* ---- looking out for the next one ----------------------------------------------------------- */

static uint64_t clock_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static bool serve_any(struct ioreq_server *q)
{
    bool found = false;

    for (unsigned v = 0; v < q->vcpus && q->started; v++)
        found |= serve(q, v);
    return found;
}

/*
 * Requests found here raise their events too. The first of them masks the channel until the next turn
 * has taken it, without finding a request: a burst costs one event.
 */
static void look_out(struct ioreq_server *q, uint64_t now)
{
    uint64_t end_of_turn = now + POLL_TURN_NS, end = now + POLL_NS;

    while (q->started && !loop_has_work(q->loop) && now < end_of_turn) {
        bool found = false;

        for (unsigned n = 0; n < 8 && !found; n++) {
            found = serve_any(q);
            __builtin_ia32_pause();
        }
        if (!found)
            /* The vCPU, or whoever else wants it, may need this very processor. */
            sched_yield();
        now = clock_ns();
        if (found) {
            poll_hit(&q->poll, now);
            end = now + POLL_NS;
        } else if (now >= end) {
            poll_missed(&q->poll);
            return;
        }
    }
}

/*
 * One event a call: the descriptor stays ready while there are more, and asking for one that is
 * not there would cost a system call in the usual case of a single waiting vCPU.
 */
static void event_ready(void *opaque, uint32_t events)
{
    struct ioreq_server *q = opaque;
    int port = xen_evtchn_pending(q->xen);
    uint64_t woken, now;
    bool found;

    if (port < 0)
        return;
    woken = clock_ns();
    /* Unmasked first: whatever comes from here on raises the event again. */
    xen_evtchn_unmask(q->xen, (uint32_t)port);
    found = serve_port(q, (uint32_t)port);
    now = clock_ns();
    if (found ? poll_wanted(&q->poll, woken, now) : poll_goes_on(&q->poll, now))
        look_out(q, now);
}

static void more_work(void *opaque)
{
    struct ioreq_server *q = opaque;

    if (q->started)
        ioreq_drain(q);
}

/* ---- life ----------------------------------------------------------------------------------- */

static int failed(char *err, size_t err_size, const char *what, int rc)
{
    snprintf(err, err_size, "cannot %s: %s", what, strerror(-rc));
    return rc;
}

static int bind_vcpus(struct ioreq_server *q, char *err, size_t err_size)
{
    volatile ioreq_t *slots = q->pages.slots;
    int port;

    for (unsigned v = 0; v < q->vcpus; v++) {
        port = xen_evtchn_bind(q->xen, slots[v].vp_eport);
        if (port < 0) {
            snprintf(err, err_size, "cannot bind the event channel %u of vCPU %u: %s",
                     slots[v].vp_eport, v, strerror(-port));
            return port;
        }
        q->vcpu_port[v] = (uint32_t)port;
        q->bound++;
    }
    port = xen_evtchn_bind(q->xen, q->pages.ring_port);
    if (port < 0)
        return failed(err, err_size, "bind the event channel of the buffered ring", port);
    q->ring_port = (uint32_t)port;
    return 0;
}

int ioreq_create(struct ioreq_server **out, struct xen *xen, struct loop *loop,
                 struct request_target *target, unsigned vcpus, char *err, size_t err_size)
{
    struct ioreq_server *q = calloc(1, sizeof(*q));
    unsigned built = 0;
    int rc;

    if (!q)
        return failed(err, err_size, "create the ioreq server", -ENOMEM);
    q->xen = xen;
    q->loop = loop;
    q->target = target;
    q->more = (struct loop_work){.run = more_work, .opaque = q};

    /* Every vCPU that the domain was built with, online or not: it may come online. */
    if (xen_nr_vcpus(xen, &built) == 0 && built)
        vcpus = built;
    q->vcpus = vcpus ? vcpus : 1;
    if (q->vcpus > IOREQ_VCPUS_MAX) {
        snprintf(err, err_size, "the domain has %u vCPUs: at most %u can be served", q->vcpus,
                 IOREQ_VCPUS_MAX);
        free(q);
        return -E2BIG;
    }

    rc = xen_ioreq_create(xen, &q->id);
    if (rc) {
        free(q);
        return failed(err, err_size, "create the ioreq server", rc);
    }
    q->created = true;
    rc = xen_ioreq_map(xen, q->id, &q->pages);
    if (rc) {
        failed(err, err_size, "map the ioreq server's pages", rc);
        goto fail;
    }
    rc = xen_ioreq_enable(xen, q->id, true);
    if (rc) {
        failed(err, err_size, "enable the ioreq server", rc);
        goto fail;
    }
    q->enabled = true;
    /* Only an enabled server's slots name their event channels. */
    rc = bind_vcpus(q, err, err_size);
    if (rc)
        goto fail;
    rc = loop_fd_add(loop, &q->fd, xen_evtchn_fd(xen), 0, event_ready, q);
    if (rc) {
        failed(err, err_size, "watch the event channels", rc);
        goto fail;
    }
    *out = q;
    return 0;

fail:
    ioreq_destroy(q);
    return rc;
}

void ioreq_destroy(struct ioreq_server *q)
{
    if (!q)
        return;
    ioreq_stop(q);
    loop_fd_remove(q->loop, &q->fd);
    /* A vCPU that waits on a server that goes would wait for ever. */
    if (q->bound == q->vcpus && q->ring_port)
        ioreq_answer_all(q);
    loop_defer_cancel(q->loop, &q->more);
    if (q->enabled)
        xen_ioreq_enable(q->xen, q->id, false);
    for (unsigned v = 0; v < q->bound; v++)
        xen_evtchn_unbind(q->xen, q->vcpu_port[v]);
    if (q->ring_port)
        xen_evtchn_unbind(q->xen, q->ring_port);
    xen_ioreq_unmap(q->xen, &q->pages);
    if (q->created)
        xen_ioreq_destroy(q->xen, q->id);
    free(q);
}

void ioreq_start(struct ioreq_server *q)
{
    if (q->started)
        return;
    q->started = true;
    loop_fd_want(q->loop, &q->fd, EPOLLIN);
    ioreq_answer_all(q);
}

void ioreq_stop(struct ioreq_server *q)
{
    q->started = false;
    loop_fd_want(q->loop, &q->fd, 0);
}

unsigned ioreq_vcpus(const struct ioreq_server *q)
{
    return q->vcpus;
}

/* ---- claims --------------------------------------------------------------------------------- */

int ioreq_claim_range(void *opaque, enum io_kind kind, uint64_t start, uint64_t end)
{
    struct ioreq_server *q = opaque;

    return xen_ioreq_claim(q->xen, q->id, kind == IO_MEMORY, start, end);
}

int ioreq_release_range(void *opaque, enum io_kind kind, uint64_t start, uint64_t end)
{
    struct ioreq_server *q = opaque;

    return xen_ioreq_release(q->xen, q->id, kind == IO_MEMORY, start, end);
}

int ioreq_claim_pci(void *opaque, uint8_t devfn)
{
    struct ioreq_server *q = opaque;

    return xen_ioreq_claim_pci(q->xen, q->id, devfn);
}

int ioreq_release_pci(void *opaque, uint8_t devfn)
{
    struct ioreq_server *q = opaque;

    return xen_ioreq_release_pci(q->xen, q->id, devfn);
}
