/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The x- commands that make a vCPU do something. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "extend.h"

static void x_ioreq(struct guest *g, const struct args *a, FILE *out)
{
    struct request r = request_of(a);
    uint32_t vcpu = vcpu_of(g, a);
    uint64_t data = 0;
    int id = server_of(g, a, &r), rc;

    if (id < 0) {
        fputs("FAIL no server claims that\n", out);
        return;
    }
    rc = vcpu_post(g, vcpu, id, &r);
    if (!rc && !arg(a, "post", 0))
        rc = vcpu_wait(g, vcpu, id, &data, g->timeout_ms);
    value_result(g, out, rc, data);
}

static void x_wait(struct guest *g, const struct args *a, FILE *out)
{
    uint64_t data = 0;
    int id = server_of(g, a, NULL);
    int rc = id < 0 ? -ENOENT
                    : vcpu_wait(g, vcpu_of(g, a), id, &data,
                                (unsigned int)arg(a, "timeout", g->timeout_ms));

    value_result(g, out, rc, data);
}

static void x_slot(struct guest *g, const struct args *a, FILE *out)
{
    int id = server_of(g, a, NULL);
    struct shared_iopage *page = id < 0 ? NULL : vcpu_slots(g, id);
    volatile ioreq_t *s = page ? &page->vcpu_ioreq[vcpu_of(g, a)] : NULL;

    if (s)
        fprintf(out,
                "OK state=%u type=%u dir=%u df=%u ptr=%u addr=0x%" PRIx64 " data=0x%" PRIx64
                " count=%u size=%u port=%u\n",
                s->state, s->type, s->dir, s->df, s->data_is_ptr, s->addr, s->data, s->count,
                s->size, s->vp_eport);
    else
        fputs("FAIL no slot\n", out);
}

static void x_string(struct guest *g, const char *name, const struct args *a, FILE *out)
{
    struct request r = request_of(a);
    unsigned int requests = 0;
    int rc;

    if (!strcmp(name, "x-rep")) {
        r.addr = arg(a, "port", 0);
        r.data = arg(a, "gpa", 0);
        rc = vcpu_rep_port(g, vcpu_of(g, a), r, &requests);
    } else {
        r.addr = arg(a, "mmio", 0);
        r.ptr = !strcmp(name, "x-movs");
        r.data = r.ptr ? arg(a, "gpa", 0) : arg(a, "data", 0);
        r.dir = r.ptr ? r.dir : IOREQ_WRITE;
        rc = vcpu_rep_mmio(g, vcpu_of(g, a), r, &requests);
    }
    if (rc)
        result(g, out, rc);
    else {
        qtest_irqs(g, out);
        fprintf(out, "OK %u\n", requests);
    }
}

/* The same request n times on each of `vcpus` vCPUs at once. */
static void x_bench(struct guest *g, const struct args *a, FILE *out)
{
    struct request r = request_of(a);
    uint64_t n = arg(a, "n", 1000), data = 0, cpu = dm_cpu_ns(g);
    uint32_t vcpus = (uint32_t)arg(a, "vcpus", 1);
    int id = server_of(g, a, &r), rc = id < 0 || vcpus > g->hv->nr_vcpus ? -EINVAL : 0;
    int64_t start = now_ns(), end;

    for (uint64_t i = 0; i < n && !rc; i++) {
        for (uint32_t v = 0; v < vcpus && !rc; v++)
            rc = vcpu_post(g, v, id, &r);
        for (uint32_t v = 0; v < vcpus && !rc; v++)
            rc = vcpu_wait(g, v, id, &data, g->timeout_ms);
    }
    end = now_ns();
    cpu = dm_cpu_ns(g) - cpu;
    if (rc)
        result(g, out, rc);
    else
        fprintf(out, "OK n=%" PRIu64 " ns=%" PRId64 " cpu=%" PRIu64 " data=0x%" PRIx64 "\n", n,
                end - start, cpu, data);
}

static void x_poll(struct guest *g, const struct args *a, FILE *out)
{
    uint64_t mask = arg(a, "mask", 0xff), want = arg(a, "value", 0), value = 0, n = 0;
    int64_t end = now_ns() + (int64_t)arg(a, "timeout", 5000) * 1000000;
    int rc;

    do {
        rc = vcpu_port(g, vcpu_of(g, a), IOREQ_READ, (uint16_t)arg(a, "port", 0),
                       (uint32_t)arg(a, "size", 1), &value);
        n++;
    } while (!rc && (value & mask) != want && now_ns() < end);
    if (!rc && (value & mask) != want) {
        snprintf(g->why, sizeof g->why, "still 0x%" PRIx64 " after %" PRIu64 " reads", value, n);
        rc = -ETIMEDOUT;
    }
    value_result(g, out, rc, value);
}

/* Waits until an interrupt line has been raised since the record number `from`. */
static void x_wait_irq(struct guest *g, const struct args *a, FILE *out)
{
    uint64_t at = arg(a, "from", 0), gsi = arg(a, "gsi", 0);
    int64_t end = now_ns() + (int64_t)arg(a, "timeout", 5000) * 1000000;
    const struct timespec pause = {.tv_nsec = 20000};

    while (now_ns() < end) {
        for (; at < g->hv->records; at++) {
            const struct hv_record *r = &g->hv->record[at % HV_RECORDS];

            if (r->kind != HV_REC_GSI || r->arg[0] != gsi || r->arg[1] != 1)
                continue;
            value_result(g, out, 0, r->number);
            return;
        }
        nanosleep(&pause, NULL);
    }
    snprintf(g->why, sizeof g->why, "line %" PRIu64 " was not raised", gsi);
    result(g, out, -ETIMEDOUT);
}

static void x_ring(struct guest *g, const struct args *a, FILE *out)
{
    struct request r = request_of(a);
    int id = server_of(g, a, NULL), rc;

    if (!text_arg(a, "type"))
        r.type = IOREQ_TYPE_COPY;
    if (!text_arg(a, "dir"))
        r.dir = IOREQ_WRITE;
    if (id < 0)
        rc = -ENOENT;
    else if (text_arg(a, "w0"))
        rc = ring_raw(g, id, arg(a, "w0", 0) | arg(a, "w1", 0) << 32, arg(a, "notify", 1));
    else
        rc = ring_send(g, id, &r, arg(a, "notify", 1));
    if (rc == -EAGAIN)
        snprintf(g->why, sizeof g->why, "ring full");
    result(g, out, rc);
}

/*
 * Gives the two indexes, or sets both to `index` while the ring is empty (to meet the wrap early).
 */
static void x_ring_info(struct guest *g, const struct args *a, FILE *out)
{
    int id = server_of(g, a, NULL);
    uint32_t *p = id < 0 ? NULL : (uint32_t *)ring_page(g, id);

    if (!p) {
        fputs("FAIL no ring\n", out);
        return;
    }
    if (text_arg(a, "index"))
        p[0] = p[1] = (uint32_t)arg(a, "index", 0);
    fprintf(out, "OK read=%u write=%u\n", __atomic_load_n(&p[0], __ATOMIC_ACQUIRE),
            __atomic_load_n(&p[1], __ATOMIC_ACQUIRE));
}

static void x_event(struct guest *g, const struct args *a, FILE *out)
{
    int id = server_of(g, a, NULL);

    if (id < 0) {
        fputs("FAIL no server\n", out);
        return;
    }
    hv_lock(g->hv);
    hv_signal(&g->view, arg(a, "ring", 0) ? g->hv->server[id].buf_port
                                          : g->hv->server[id].vcpu_port[vcpu_of(g, a)]);
    hv_unlock(g->hv);
    fputs("OK\n", out);
}
static void x_timeoffset(struct guest *g, const struct args *a, FILE *out)
{
    struct request r = {.type = IOREQ_TYPE_TIMEOFFSET, .dir = IOREQ_WRITE, .size = 8, .count = 1};
    int rc = 0;

    r.data = arg(a, "seconds", 0);
    for (int id = 0; id < HV_SERVERS && !rc; id++)
        if (g->hv->server[id].enabled && g->hv->server[id].bufioreq)
            rc = ring_send(g, id, &r, true);
    result(g, out, rc);
}

bool extend_request(struct guest *g, const char *name, const struct args *a, FILE *out)
{
    if (!strcmp(name, "x-ioreq"))
        x_ioreq(g, a, out);
    else if (!strcmp(name, "x-wait"))
        x_wait(g, a, out);
    else if (!strcmp(name, "x-slot"))
        x_slot(g, a, out);
    else if (!strcmp(name, "x-rep") || !strcmp(name, "x-movs") || !strcmp(name, "x-stos"))
        x_string(g, name, a, out);
    else if (!strcmp(name, "x-bench"))
        x_bench(g, a, out);
    else if (!strcmp(name, "x-poll"))
        x_poll(g, a, out);
    else if (!strcmp(name, "x-wait-irq"))
        x_wait_irq(g, a, out);
    else if (!strcmp(name, "x-ring"))
        x_ring(g, a, out);
    else if (!strcmp(name, "x-ring-info"))
        x_ring_info(g, a, out);
    else if (!strcmp(name, "x-event"))
        x_event(g, a, out);
    else if (!strcmp(name, "x-invalidate"))
        result(g, out, vcpu_broadcast(g, vcpu_of(g, a)));
    else if (!strcmp(name, "x-timeoffset"))
        x_timeoffset(g, a, out);
    else
        return false;
    return true;
}
