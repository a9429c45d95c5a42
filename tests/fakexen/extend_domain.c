/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The x- commands about the domain, what is known of it, and the device model's process. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include "extend.h"
#include "store.h"

enum { LIST_ROOM = 65536 };

/* The guest gives frames away or gets them back; its vCPU then sends INVALIDATE, as at the end of
 * its hypercall. */
static void x_balloon(struct guest *g, bool out_of_guest, const struct args *a, FILE *out)
{
    uint64_t gfn = arg(a, "gfn", 0), nr = arg(a, "nr", 1);
    int rc = 0;

    hv_lock(g->hv);
    for (uint64_t i = 0; i < nr && !rc; i++)
        rc = out_of_guest             ? hv_remove(&g->view, gfn + i)
             : hv_mfn(g->hv, gfn + i) ? -EEXIST
                                      : hv_populate(&g->view, gfn + i, 1);
    hv_unlock(g->hv);
    if (!rc && arg(a, "invalidate", 1))
        rc = vcpu_broadcast(g, vcpu_of(g, a));
    result(g, out, rc);
}

static void x_fail(struct guest *g, const struct args *a, FILE *out)
{
    struct hv *hv = g->hv;
    const char *name = text_arg(a, "name");
    struct hv_fault *f = NULL;

    hv_lock(hv);
    if (!name) { /* forget all */
        memset(hv->fault, 0, sizeof hv->fault);
        hv->nr_faults = 0;
    }
    for (uint32_t i = 0; name && i < HV_FAULTS && !f; i++)
        if (!hv->fault[i].times)
            f = &hv->fault[i];
    if (f) {
        *f = (struct hv_fault){.skip = (uint32_t)arg(a, "skip", 0),
                               .times = (uint32_t)arg(a, "times", 1),
                               .error = (int32_t)arg(a, "errno", EIO)};
        snprintf(f->name, sizeof f->name, "%s", name);
        __atomic_add_fetch(&hv->nr_faults, 1, __ATOMIC_RELEASE);
    }
    hv_unlock(hv);
    fputs(name && !f ? "FAIL too many\n" : "OK\n", out);
}

static void lines_result(FILE *out, char *text, unsigned int lines, const char *more)
{
    fprintf(out, "OK %u%s\n%s", lines, more, text);
    free(text);
}

/* Records from number `from` on; the first line names the number to go on from. */
static void x_log(struct guest *g, const struct args *a, FILE *out)
{
    uint64_t at = arg(a, "from", 0);
    const char *only = text_arg(a, "kind");
    char *text = NULL, line[256], more[64];
    size_t bytes = 0;
    unsigned int lines = 0;
    FILE *f = open_memstream(&text, &bytes);

    hv_lock(g->hv);
    if (g->hv->records > HV_RECORDS && at < g->hv->records - HV_RECORDS)
        at = g->hv->records - HV_RECORDS;
    for (; at < g->hv->records; at++) {
        const char *name;

        hv_format(&g->hv->record[at % HV_RECORDS], line, sizeof line);
        name = strchr(line, ' ');
        if (only &&
            (!name || strncmp(name + 1, only, strlen(only)) || name[1 + strlen(only)] != ' '))
            continue;
        fprintf(f, "- %s\n", line);
        lines++;
    }
    hv_unlock(g->hv);
    fclose(f);
    snprintf(more, sizeof more, " next=%" PRIu64, at);
    lines_result(out, text, lines, more);
}

static void x_state(struct guest *g, FILE *out)
{
    static const char *const space[HV_SPACES] = {"pio", "mmio", "pci"};
    struct hv *hv = g->hv;
    char *text = NULL;
    size_t bytes = 0;
    unsigned int lines = 1;
    FILE *f = open_memstream(&text, &bytes);

    hv_lock(hv);
    fprintf(f,
            "- domain domid=%u vcpus=%u dying=%u shut-down=%u reason=%u pages=%" PRIu64
            " max-pages=%" PRIu64 " max-gfn=0x%" PRIx64 " records=%" PRIu64 "\n",
            hv->domid, hv->nr_vcpus, hv->dying, hv->shut_down, hv->shutdown_reason, hv->tot_pages,
            hv->max_pages, hv->max_gfn, hv->records);
    for (int id = 0; id < HV_SERVERS; id++) {
        const struct hv_server *s = &hv->server[id];
        unsigned int bound = 0;

        if (!s->exists)
            continue;
        for (uint32_t i = 0; i < hv->nr_vcpus; i++)
            bound += hv->gport[s->vcpu_port[i]].local != 0;
        fprintf(f, "- server id=%d enabled=%u bufioreq=%u by-gfn=%u bound-vcpus=%u bound-ring=%u\n",
                id, s->enabled, s->bufioreq, s->by_gfn, bound,
                s->buf_port && hv->gport[s->buf_port].local);
        lines++;
        for (int k = 0; k < HV_SPACES; k++)
            for (uint32_t i = 0; i < s->set[k].count; i++, lines++)
                fprintf(f, "- range id=%d space=%s first=0x%" PRIx64 " last=0x%" PRIx64 "\n", id,
                        space[k], s->set[k].range[i].first, s->set[k].range[i].last);
    }
    for (int i = 0; i < 4; i++, lines++)
        fprintf(f, "- link link=%d irq=%u\n", i, hv->link[i]);
    for (int i = 0; i < 64; i++)
        if (hv->gsi[i]) {
            fprintf(f, "- gsi line=%d count=%u\n", i, hv->gsi[i]);
            lines++;
        }
    for (int i = 0; i < HV_PINS; i++)
        if (hv->pin[i].used) {
            fprintf(f, "- pin first=0x%" PRIx64 " last=0x%" PRIx64 " type=%u\n", hv->pin[i].first,
                    hv->pin[i].last, hv->pin[i].type);
            lines++;
        }
    hv_unlock(hv);
    fclose(f);
    lines_result(out, text, lines, "");
}

static void x_dirty(struct guest *g, FILE *out)
{
    struct hv *hv = g->hv;

    fprintf(out, "OK armed=%u first=0x%" PRIx64 " nr=%" PRIu64 " frames=", hv->dirty_armed,
            hv->dirty_first, hv->dirty_nr);
    for (uint64_t i = 0; i < hv->dirty_nr; i++)
        if (hv->dirty[i / 8] >> (i % 8) & 1)
            fprintf(out, "%" PRIu64 ",", i);
    putc('\n', out);
}

void extend_store(struct guest *g, const char *name, char *rest, FILE *out)
{
    char *path = rest ? strsep(&rest, " ") : NULL, *value = NULL, list[LIST_ROOM];
    size_t bytes = sizeof list;
    int rc;

    if (!path || !*path) {
        fputs("FAIL no path\n", out);
        return;
    }
    if (!strcmp(name, "x-xs-read")) {
        rc = store_read(g->store, 0, path, &value, &bytes);
        if (!rc)
            fprintf(out, "OK %s\n", value);
        free(value);
    } else if (!strcmp(name, "x-xs-list")) {
        rc = store_list(g->store, 0, path, list, &bytes);
        if (!rc) {
            fputs("OK", out);
            for (size_t i = 0; i < bytes; i += strlen(list + i) + 1)
                fprintf(out, " %s", list + i);
            putc('\n', out);
        }
    } else if (!strcmp(name, "x-xs-write")) {
        rc = store_write(g->store, 0, path, rest ? rest : "", rest ? strlen(rest) : 0);
        if (!rc)
            fputs("OK\n", out);
    } else {
        rc = store_remove(g->store, 0, path);
        if (!rc)
            fputs("OK\n", out);
    }
    if (rc)
        fprintf(out, "FAIL %s\n", strerror(rc));
}

static void dm_status(struct guest *g, FILE *out)
{
    if (!g->dm.pid)
        fputs("OK none\n", out);
    else if (dm_alive(g))
        fprintf(out, "OK running pid=%d\n", (int)g->dm.pid);
    else if (WIFEXITED(g->dm.status))
        fprintf(out, "OK exited code=%d\n", WEXITSTATUS(g->dm.status));
    else
        fprintf(out, "OK killed signal=%d\n", WTERMSIG(g->dm.status));
}

/*
 * Waits until the device model has told that it runs, or has an enabled server (-S). Says how long
 * that took from its start, and the processor time it has used.
 */
static void x_ready(struct guest *g, const struct args *a, FILE *out)
{
    unsigned int timeout = (unsigned int)arg(a, "timeout", 20000);
    int64_t end = now_ns() + (int64_t)timeout * 1000000;
    const struct timespec pause = {.tv_nsec = 100000};
    const char *what = text_arg(a, "for");
    bool ready = false;

    if (!what || strcmp(what, "enabled") != 0) {
        if (dm_wait_running(g, timeout)) {
            fprintf(out, "OK ns=%" PRId64 " cpu=%" PRIu64 "\n", g->dm.running_ns - g->dm.started_ns,
                    g->dm.running_cpu);
            return;
        }
        end = now_ns();
    }
    while (now_ns() < end && dm_alive(g)) {
        for (int id = 0; id < HV_SERVERS; id++)
            ready = ready || g->hv->server[id].enabled;
        if (ready) {
            fprintf(out, "OK ns=%" PRId64 " cpu=%" PRIu64 "\n", now_ns() - g->dm.started_ns,
                    dm_cpu_ns(g));
            return;
        }
        nanosleep(&pause, NULL);
    }
    fputs(dm_alive(g) ? "FAIL not ready in time\n" : "FAIL the device model is dead\n", out);
}

bool extend_process(struct guest *g, const char *name, const struct args *a, FILE *out)
{
    if (!strcmp(name, "x-start")) {
        char path[64];

        snprintf(path, sizeof path, "device-model/%u/state", g->hv->domid);
        store_remove(g->store, 0, path);
        result(g, out, dm_start(g));
    } else if (!strcmp(name, "x-kill")) {
        dm_signal(g, (int)arg(a, "signal", SIGKILL));
        dm_wait(g, (unsigned int)arg(a, "timeout", 5000));
        dm_status(g, out);
    } else if (!strcmp(name, "x-signal")) {
        dm_signal(g, (int)arg(a, "signal", SIGTERM));
        fputs("OK\n", out);
    } else if (!strcmp(name, "x-dm")) {
        dm_wait(g, (unsigned int)arg(a, "timeout", 0));
        dm_status(g, out);
    } else if (!strcmp(name, "x-ready")) {
        x_ready(g, a, out);
    } else if (!strcmp(name, "x-cpu")) {
        fprintf(out, "OK %" PRIu64 "\n", dm_cpu_ns(g));
    } else {
        return false;
    }
    return true;
}

bool extend_domain(struct guest *g, const char *name, const struct args *a, FILE *out)
{
    struct hv *hv = g->hv;

    if (!strcmp(name, "x-balloon-out") || !strcmp(name, "x-balloon-in")) {
        x_balloon(g, !strcmp(name, "x-balloon-out"), a, out);
    } else if (!strcmp(name, "x-fail")) {
        x_fail(g, a, out);
    } else if (!strcmp(name, "x-log")) {
        x_log(g, a, out);
    } else if (!strcmp(name, "x-state")) {
        x_state(g, out);
    } else if (!strcmp(name, "x-dirty")) {
        x_dirty(g, out);
    } else if (!strcmp(name, "x-vcpu")) {
        g->vcpu = (uint32_t)strtoul(a->count ? a->key[0] : "0", NULL, 0) % hv->nr_vcpus;
        fputs("OK\n", out);
    } else if (!strcmp(name, "x-destroy")) {
        hv->dying = 1;
        store_special(g->store, "@releaseDomain");
        fputs("OK\n", out);
    } else if (!strcmp(name, "x-shutdown")) {
        hv->shutdown_reason = (uint32_t)arg(a, "reason", 0);
        hv->shut_down = 1;
        fputs("OK\n", out);
    } else if (!strcmp(name, "x-resume")) {
        hv->shut_down = 0;
        g->told_shutdown = false;
        fputs("OK\n", out);
    } else if (!strcmp(name, "x-param")) {
        uint64_t index = arg(a, "index", 0) % HV_PARAMS;

        if (text_arg(a, "value"))
            hv->param[index] = arg(a, "value", 0);
        fprintf(out, "OK 0x%" PRIx64 "\n", hv->param[index]);
    } else if (!strcmp(name, "x-set")) { /* knobs of the simulation */
        g->spin_us = (unsigned int)arg(a, "spin", g->spin_us);
        g->timeout_ms = (unsigned int)arg(a, "timeout", g->timeout_ms);
        hv->no_resource = (uint32_t)arg(a, "no-resource", hv->no_resource);
        hv->max_pages = arg(a, "max-pages", hv->max_pages);
        fputs("OK\n", out);
    } else if (!strcmp(name, "x-physmap")) {
        uint64_t gfn = arg(a, "gfn", 0);

        fprintf(out, "OK mfn=0x%x type=%u\n", hv_mfn(hv, gfn),
                gfn < hv->nr_gfns ? hv->physmap[gfn] >> HV_TYPE_SHIFT : 0);
    } else {
        return false;
    }
    return true;
}
