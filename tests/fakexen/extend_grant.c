/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Commands for what paravirtual front ends use: grants, and event channels of their own. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include "blkfront.h"
#include "extend.h"

static void x_grant(struct guest *g, const struct args *a, FILE *out, bool granted)
{
    uint64_t ref = arg(a, "ref", 0), count = arg(a, "count", 1), gfn = arg(a, "gfn", 0);

    if (ref > HV_GRANTS || count > HV_GRANTS - ref) {
        fputs("FAIL no such grant reference\n", out);
        return;
    }
    hv_lock(g->hv);
    for (uint64_t i = 0; i < count; i++) {
        struct hv_grant *grant = &g->hv->grant[ref + i];

        grant->granted = granted;
        grant->gfn = (uint32_t)(gfn + i);
        grant->read_only = arg(a, "ro", 0) != 0;
    }
    hv_unlock(g->hv);
    fputs("OK\n", out);
}

static void x_grants(struct guest *g, FILE *out)
{
    uint32_t granted = 0, mapped = 0;

    for (uint32_t i = 0; i < HV_GRANTS; i++) {
        granted += g->hv->grant[i].granted;
        mapped += g->hv->grant[i].maps;
    }
    fprintf(out, "OK granted=%u mapped=%u\n", granted, mapped);
}

static void x_port(struct guest *g, const char *name, const struct args *a, FILE *out)
{
    uint32_t port = (uint32_t)arg(a, "port", 0) % HV_PORTS;
    int rc = 0;

    hv_lock(g->hv);
    if (!strcmp(name, "x-port-new"))
        rc = hv_guest_port_new(g->hv);
    else if (!strcmp(name, "x-port-free"))
        hv_guest_port_free(&g->view, port);
    else if (!strcmp(name, "x-port-signal"))
        hv_signal(&g->view, port);
    hv_unlock(g->hv);
    if (!strcmp(name, "x-port"))
        fprintf(out, "OK notified=%u bound=%u\n", g->hv->gport[port].notified,
                g->hv->gport[port].local != 0);
    else if (rc < 0)
        result(g, out, rc);
    else
        fprintf(out, "OK %d\n", rc);
}

static void x_blkif(struct guest *g, const struct args *a, FILE *out)
{
    struct blkfront b = {
        .ring_gpa = arg(a, "ring", 0),
        .ring_pages = (uint32_t)arg(a, "pages", 1),
        .port = (uint32_t)arg(a, "port", 0) % HV_PORTS,
        .depth = (uint32_t)arg(a, "depth", 1),
        .segments = (uint32_t)arg(a, "segments", 1),
        .ref = (uint32_t)arg(a, "ref", 0),
        .list_ref = (uint32_t)arg(a, "list", 0),
        .sectors = arg(a, "sectors", 0),
        .random = arg(a, "random", 0) != 0,
    };
    uint64_t n = arg(a, "n", 1000), cpu = dm_cpu_ns(g);
    int64_t start = now_ns();
    int rc;

    b.write = text_arg(a, "dir") && !strcmp(text_arg(a, "dir"), "write");
    rc = blkfront_run(g, &b, n);
    if (rc)
        result(g, out, rc);
    else
        fprintf(out,
                "OK n=%" PRIu64 " ns=%" PRId64 " cpu=%" PRIu64 " errors=%" PRIu64 " events=%" PRIu64
                " notified=%" PRIu64 "\n",
                n, now_ns() - start, dm_cpu_ns(g) - cpu, b.errors, b.events, b.notified);
}

bool extend_grant(struct guest *g, const char *name, const struct args *a, FILE *out)
{
    if (!strcmp(name, "x-grant"))
        x_grant(g, a, out, true);
    else if (!strcmp(name, "x-ungrant"))
        x_grant(g, a, out, false);
    else if (!strcmp(name, "x-grants"))
        x_grants(g, out);
    else if (!strncmp(name, "x-port", 6))
        x_port(g, name, a, out);
    else if (!strcmp(name, "x-blkif"))
        x_blkif(g, a, out);
    else
        return false;
    return true;
}
