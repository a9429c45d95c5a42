/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The x- commands: what a test of a Xen device model needs and qtest has no word for. Arguments are key=value pairs.
 * An answer of several lines says "OK N ..." first and then N lines that begin with "- ".
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/wait.h>
#include <time.h>
#include "guest.h"
#include "store.h"

enum { MAX_ARGS = 24, LIST_ROOM = 65536 };

struct args {
    char *key[MAX_ARGS], *value[MAX_ARGS];
    int count;
};

static void parse(struct args *a, char *text)
{
    char *word;

    a->count = 0;
    while (a->count < MAX_ARGS && (word = strsep(&text, " \t"))) {
        char *equals = strchr(word, '=');

        if (!*word)
            continue;
        if (equals)
            *equals = 0;
        a->key[a->count] = word;
        a->value[a->count++] = equals ? equals + 1 : word + strlen(word);
    }
}

static const char *text_arg(const struct args *a, const char *key)
{
    for (int i = 0; i < a->count; i++)
        if (!strcmp(a->key[i], key))
            return a->value[i];
    return NULL;
}

static uint64_t arg(const struct args *a, const char *key, uint64_t otherwise)
{
    const char *text = text_arg(a, key);

    if (!text)
        return otherwise;
    if (!strcmp(text, "in") || !strcmp(text, "read"))
        return IOREQ_READ;
    if (!strcmp(text, "out") || !strcmp(text, "write"))
        return IOREQ_WRITE;
    if (!strcmp(text, "pio"))
        return IOREQ_TYPE_PIO;
    if (!strcmp(text, "copy"))
        return IOREQ_TYPE_COPY;
    if (!strcmp(text, "pci"))
        return IOREQ_TYPE_PCI_CONFIG;
    if (text[0] == '-')
        return (uint64_t)strtoll(text, NULL, 0);
    return strtoull(text, NULL, 0);
}

static void result(struct guest *g, FILE *out, int rc)
{
    qtest_irqs(g, out);
    if (rc)
        fprintf(out, "FAIL %s\n", g->why[0] ? g->why : strerror(-rc));
    else
        fputs("OK\n", out);
}

static void value_result(struct guest *g, FILE *out, int rc, uint64_t value)
{
    if (rc) {
        result(g, out, rc);
        return;
    }
    qtest_irqs(g, out);
    fprintf(out, "OK 0x%" PRIx64 "\n", value);
}

static struct request request_of(const struct args *a)
{
    struct request r = {.type = (uint8_t)arg(a, "type", IOREQ_TYPE_PIO),
                        .dir = (uint8_t)arg(a, "dir", IOREQ_READ),
                        .df = (uint8_t)arg(a, "df", 0),
                        .ptr = (uint8_t)arg(a, "ptr", 0),
                        .size = (uint32_t)arg(a, "size", 1),
                        .count = (uint32_t)arg(a, "count", 1),
                        .addr = arg(a, "addr", 0),
                        .data = arg(a, "data", 0)};

    return r;
}

/* The server asked for, else the one the range leads to, else the first enabled one (types without a range). */
static int server_of(struct guest *g, const struct args *a, struct request *r)
{
    int id = -1;

    if (text_arg(a, "server"))
        return (int)(arg(a, "server", 0) % HV_SERVERS);
    if (r && r->type <= IOREQ_TYPE_PCI_CONFIG)
        return vcpu_route(g, r);
    for (int i = 0; i < HV_SERVERS && id < 0; i++)
        if (g->hv->server[i].enabled)
            id = i;
    return id;
}

static uint32_t vcpu_of(struct guest *g, const struct args *a)
{
    return (uint32_t)arg(a, "vcpu", g->vcpu) % HV_VCPUS;
}

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
                    : vcpu_wait(g, vcpu_of(g, a), id, &data, (unsigned int)arg(a, "timeout", g->timeout_ms));

    value_result(g, out, rc, data);
}

static void x_slot(struct guest *g, const struct args *a, FILE *out)
{
    int id = server_of(g, a, NULL);
    struct shared_iopage *page = id < 0 ? NULL : vcpu_slots(g, id);
    volatile ioreq_t *s = page ? &page->vcpu_ioreq[vcpu_of(g, a)] : NULL;

    if (s)
        fprintf(out, "OK state=%u type=%u dir=%u df=%u ptr=%u addr=0x%" PRIx64 " data=0x%" PRIx64
                     " count=%u size=%u port=%u\n",
                s->state, s->type, s->dir, s->df, s->data_is_ptr, s->addr, s->data, s->count, s->size, s->vp_eport);
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
        fprintf(out, "OK n=%" PRIu64 " ns=%" PRId64 " cpu=%" PRIu64 " data=0x%" PRIx64 "\n", n, end - start, cpu,
                data);
}

static void x_poll(struct guest *g, const struct args *a, FILE *out)
{
    uint64_t mask = arg(a, "mask", 0xff), want = arg(a, "value", 0), value = 0, n = 0;
    int64_t end = now_ns() + (int64_t)arg(a, "timeout", 5000) * 1000000;
    int rc;

    do {
        rc = vcpu_port(g, vcpu_of(g, a), IOREQ_READ, (uint16_t)arg(a, "port", 0), (uint32_t)arg(a, "size", 1),
                       &value);
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

/* Gives the two indexes, or sets both to `index` while the ring is empty (to meet the wrap early). */
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
    hv_signal(&g->view, arg(a, "ring", 0) ? g->hv->server[id].buf_port : g->hv->server[id].vcpu_port[vcpu_of(g, a)]);
    hv_unlock(g->hv);
    fputs("OK\n", out);
}

/* The guest gives frames away or gets them back; its vCPU then sends INVALIDATE, as at the end of its hypercall. */
static void x_balloon(struct guest *g, bool out_of_guest, const struct args *a, FILE *out)
{
    uint64_t gfn = arg(a, "gfn", 0), nr = arg(a, "nr", 1);
    int rc = 0;

    hv_lock(g->hv);
    for (uint64_t i = 0; i < nr && !rc; i++)
        rc = out_of_guest ? hv_remove(&g->view, gfn + i)
             : hv_mfn(g->hv, gfn + i) ? -EEXIST : hv_populate(&g->view, gfn + i);
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
        if (only && (!name || strncmp(name + 1, only, strlen(only)) || name[1 + strlen(only)] != ' '))
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
    fprintf(f, "- domain domid=%u vcpus=%u dying=%u shut-down=%u reason=%u pages=%" PRIu64 " max-pages=%" PRIu64
               " max-gfn=0x%" PRIx64 " records=%" PRIu64 "\n",
            hv->domid, hv->nr_vcpus, hv->dying, hv->shut_down, hv->shutdown_reason, hv->tot_pages, hv->max_pages,
            hv->max_gfn, hv->records);
    for (int id = 0; id < HV_SERVERS; id++) {
        const struct hv_server *s = &hv->server[id];
        unsigned int bound = 0;

        if (!s->exists)
            continue;
        for (uint32_t i = 0; i < hv->nr_vcpus; i++)
            bound += hv->gport[s->vcpu_port[i]].local != 0;
        fprintf(f, "- server id=%d enabled=%u bufioreq=%u by-gfn=%u bound-vcpus=%u bound-ring=%u\n", id, s->enabled,
                s->bufioreq, s->by_gfn, bound, s->buf_port && hv->gport[s->buf_port].local);
        lines++;
        for (int k = 0; k < HV_SPACES; k++)
            for (uint32_t i = 0; i < s->set[k].count; i++, lines++)
                fprintf(f, "- range id=%d space=%s first=0x%" PRIx64 " last=0x%" PRIx64 "\n", id, space[k],
                        s->set[k].range[i].first, s->set[k].range[i].last);
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
            fprintf(f, "- pin first=0x%" PRIx64 " last=0x%" PRIx64 " type=%u\n", hv->pin[i].first, hv->pin[i].last,
                    hv->pin[i].type);
            lines++;
        }
    hv_unlock(hv);
    fclose(f);
    lines_result(out, text, lines, "");
}

static void x_dirty(struct guest *g, FILE *out)
{
    struct hv *hv = g->hv;

    fprintf(out, "OK armed=%u first=0x%" PRIx64 " nr=%" PRIu64 " frames=", hv->dirty_armed, hv->dirty_first,
            hv->dirty_nr);
    for (uint64_t i = 0; i < hv->dirty_nr; i++)
        if (hv->dirty[i / 8] >> (i % 8) & 1)
            fprintf(out, "%" PRIu64 ",", i);
    putc('\n', out);
}

static void x_store(struct guest *g, const char *name, char *rest, FILE *out)
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

/* Waits for device-model/N/state = running, or for an enabled server (-S). Says how long that took. */
static void x_ready(struct guest *g, const struct args *a, FILE *out)
{
    int64_t start = now_ns(), end = start + (int64_t)arg(a, "timeout", 20000) * 1000000;
    const struct timespec pause = {.tv_nsec = 100000};
    bool store = strcmp(text_arg(a, "for") ? text_arg(a, "for") : "running", "enabled") != 0;
    char path[64];

    snprintf(path, sizeof path, "device-model/%u/state", g->hv->domid);
    while (now_ns() < end) {
        char *value = NULL;
        size_t bytes;
        bool ready = false;

        if (store && store_read(g->store, 0, path, &value, &bytes) == 0)
            ready = !strcmp(value, "running");
        free(value);
        for (int id = 0; !store && id < HV_SERVERS; id++)
            ready = ready || g->hv->server[id].enabled;
        if (ready) {
            fprintf(out, "OK ns=%" PRId64 "\n", now_ns() - start);
            return;
        }
        if (!dm_alive(g)) {
            fputs("FAIL the device model is dead\n", out);
            return;
        }
        nanosleep(&pause, NULL);
    }
    fputs("FAIL not ready in time\n", out);
}

static bool dm_command(struct guest *g, const char *name, const struct args *a, FILE *out)
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

static bool domain_command(struct guest *g, const char *name, const struct args *a, FILE *out)
{
    struct hv *hv = g->hv;

    if (!strcmp(name, "x-vcpu")) {
        g->vcpu = (uint32_t)strtoul(a->count ? a->key[0] : "0", NULL, 0) % hv->nr_vcpus;
        fputs("OK\n", out);
    } else if (!strcmp(name, "x-destroy")) {
        hv->dying = 1;
        store_special(g->store, "@releaseDomain");
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

/* What follows from a request for the rest of the world. */
void after_request(struct guest *g)
{
    if (g->hv->shut_down && !g->told_shutdown) {
        g->told_shutdown = true;
        store_special(g->store, "@releaseDomain"); /* xenstored's word for "look at your domains" */
    }
}

static void run_loop(struct guest *g, struct client *c, FILE *out)
{
    int64_t start = now_ns(), end;
    uint64_t cpu = dm_cpu_ns(g);
    char *answer = NULL;
    size_t bytes = 0;
    bool failed = false;
    FILE *sink = open_memstream(&answer, &bytes);

    c->collecting = false;
    for (unsigned int i = 0; i < c->repeat && !failed; i++) {
        for (unsigned int k = 0; k < c->lines && !failed; k++) {
            char *line = strdup(c->body[k]);

            rewind(sink);
            qtest_line(g, c, line, sink);
            fflush(sink);
            failed = bytes >= 4 && strstr(answer, "FAIL") != NULL;
            free(line);
        }
    }
    end = now_ns();
    if (failed)
        fprintf(out, "%.*s", (int)bytes, answer);
    else
        fprintf(out, "OK n=%u ns=%" PRId64 " cpu=%" PRIu64 "\n", c->repeat, end - start, dm_cpu_ns(g) - cpu);
    fclose(sink);
    free(answer);
    for (unsigned int k = 0; k < c->lines; k++)
        free(c->body[k]);
    free(c->body);
    c->body = NULL;
    c->lines = 0;
}

/* While collecting, lines are kept for the loop until x-end. */
static bool collect(struct guest *g, struct client *c, const char *line, FILE *out)
{
    if (!c->collecting)
        return false;
    if (!strcmp(line, "x-end")) {
        run_loop(g, c, out);
        return true;
    }
    c->body = realloc(c->body, (c->lines + 1) * sizeof *c->body);
    c->body[c->lines++] = strdup(line);
    return true;
}

bool extend_line(struct guest *g, struct client *c, char *line, FILE *out)
{
    char *rest = line, *name;
    struct args a;

    if (collect(g, c, line, out))
        return true;
    name = strsep(&rest, " ");
    if (!strncmp(name, "x-xs-", 5)) {
        x_store(g, name, rest, out);
        return true;
    }
    parse(&a, rest);
    if (!strcmp(name, "x-ioreq"))
        x_ioreq(g, &a, out);
    else if (!strcmp(name, "x-wait"))
        x_wait(g, &a, out);
    else if (!strcmp(name, "x-slot"))
        x_slot(g, &a, out);
    else if (!strcmp(name, "x-rep") || !strcmp(name, "x-movs") || !strcmp(name, "x-stos"))
        x_string(g, name, &a, out);
    else if (!strcmp(name, "x-bench"))
        x_bench(g, &a, out);
    else if (!strcmp(name, "x-poll"))
        x_poll(g, &a, out);
    else if (!strcmp(name, "x-wait-irq"))
        x_wait_irq(g, &a, out);
    else if (!strcmp(name, "x-ring"))
        x_ring(g, &a, out);
    else if (!strcmp(name, "x-ring-info"))
        x_ring_info(g, &a, out);
    else if (!strcmp(name, "x-event"))
        x_event(g, &a, out);
    else if (!strcmp(name, "x-invalidate"))
        result(g, out, vcpu_broadcast(g, vcpu_of(g, &a)));
    else if (!strcmp(name, "x-timeoffset"))
        x_timeoffset(g, &a, out);
    else if (!strcmp(name, "x-balloon-out") || !strcmp(name, "x-balloon-in"))
        x_balloon(g, !strcmp(name, "x-balloon-out"), &a, out);
    else if (!strcmp(name, "x-fail"))
        x_fail(g, &a, out);
    else if (!strcmp(name, "x-log"))
        x_log(g, &a, out);
    else if (!strcmp(name, "x-state"))
        x_state(g, out);
    else if (!strcmp(name, "x-dirty"))
        x_dirty(g, out);
    else if (!strcmp(name, "x-loop")) {
        c->repeat = (unsigned int)arg(&a, "n", 1);
        c->collecting = true;
    } else if (!dm_command(g, name, &a, out) && !domain_command(g, name, &a, out))
        fprintf(out, "FAIL Unknown command '%s'\n", name);
    after_request(g);
    return true;
}
