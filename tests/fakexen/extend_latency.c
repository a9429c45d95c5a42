/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * x-latency: how long each of n requests takes, of a vCPU that does something else between them:
 * it waits, and it redraws a frame buffer in its own memory as a guest does that shows a film.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "extend.h"

struct film {
    uint64_t gpa, bytes;
    int64_t period, next; /* ns */
    uint8_t *line;        /* a page of pixels */
    uint32_t frame;
};

/* All of one frame, each with other pixels than the one before. */
static int next_frame(struct guest *g, struct film *film)
{
    int rc = 0;

    film->frame++;
    for (uint64_t at = 0; at < film->bytes && !rc; at += HV_PAGE) {
        uint64_t piece = film->bytes - at < HV_PAGE ? film->bytes - at : HV_PAGE;

        memset(film->line, (int)(film->frame * 7 + at / HV_PAGE), (size_t)piece);
        rc = guest_access(g, IOREQ_WRITE, film->gpa + at, film->line, (size_t)piece);
    }
    return rc;
}

static int between(struct guest *g, struct film *film, uint64_t pause_ns)
{
    int64_t until;
    int rc = 0;

    if (film->bytes && now_ns() >= film->next) {
        rc = next_frame(g, film);
        film->next = now_ns() + film->period;
    }
    until = now_ns() + (int64_t)pause_ns;
    while (!rc && now_ns() < until)
        nanosleep(&(struct timespec){.tv_nsec = until - now_ns()}, NULL);
    return rc;
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return x < y ? -1 : x > y;
}

static int measure(struct guest *g, const struct args *a, int64_t *took, uint64_t n)
{
    struct request r = request_of(a);
    uint64_t pause = arg(a, "pause", 0) * 1000, data;
    struct film film = {.gpa = arg(a, "film", 0),
                        .bytes = arg(a, "bytes", 0),
                        .period = (int64_t)arg(a, "period", 0) * 1000};
    uint8_t line[HV_PAGE];
    int id = server_of(g, a, &r), rc = id < 0 ? -EINVAL : 0;

    film.line = line;
    srandom(1);
    for (uint64_t i = 0; i < n && !rc; i++) {
        int64_t start;

        /* Uneven, so that it never keeps step with what it meets. */
        rc = between(g, &film, pause ? pause / 2 + (uint64_t)random() % pause : 0);
        start = now_ns();
        if (!rc)
            rc = vcpu_post(g, vcpu_of(g, a), id, &r);
        if (!rc)
            rc = vcpu_wait(g, vcpu_of(g, a), id, &data, g->timeout_ms);
        took[i] = now_ns() - start;
    }
    return rc;
}

bool extend_latency(struct guest *g, const char *name, const struct args *a, FILE *out)
{
    uint64_t n = arg(a, "n", 1000);
    int64_t *took;
    int rc;

    if (strcmp(name, "x-latency"))
        return false;
    took = n && n <= 10000000 ? calloc(n, sizeof(*took)) : NULL;
    rc = took ? measure(g, a, took, n) : -ENOMEM;
    if (rc) {
        result(g, out, rc);
    } else {
        qsort(took, n, sizeof(*took), by_value);
        fprintf(out,
                "OK n=%" PRIu64 " p50=%" PRId64 " p90=%" PRId64 " p99=%" PRId64 " p999=%" PRId64
                " max=%" PRId64 "\n",
                n, took[n / 2], took[n * 9 / 10], took[n * 99 / 100], took[n * 999 / 1000],
                took[n - 1]);
    }
    free(took);
    return true;
}
