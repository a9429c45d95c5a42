/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The x- commands: what a test of a Xen device model needs and qtest has no word for. Arguments are
 * key=value pairs. An answer of several lines says "OK N ..." first and then N lines that begin
 * with "- ".
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "extend.h"
#include "store.h"

void parse(struct args *a, char *text)
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

const char *text_arg(const struct args *a, const char *key)
{
    for (int i = 0; i < a->count; i++)
        if (!strcmp(a->key[i], key))
            return a->value[i];
    return NULL;
}

uint64_t arg(const struct args *a, const char *key, uint64_t otherwise)
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

void result(struct guest *g, FILE *out, int rc)
{
    qtest_irqs(g, out);
    if (rc)
        fprintf(out, "FAIL %s\n", g->why[0] ? g->why : strerror(-rc));
    else
        fputs("OK\n", out);
}

void value_result(struct guest *g, FILE *out, int rc, uint64_t value)
{
    if (rc) {
        result(g, out, rc);
        return;
    }
    qtest_irqs(g, out);
    fprintf(out, "OK 0x%" PRIx64 "\n", value);
}

struct request request_of(const struct args *a)
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

/* The server asked for, else the one the range leads to, else the first enabled one (types without
 * a range). */
int server_of(struct guest *g, const struct args *a, struct request *r)
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

uint32_t vcpu_of(struct guest *g, const struct args *a)
{
    return (uint32_t)arg(a, "vcpu", g->vcpu) % HV_VCPUS;
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
        fprintf(out, "OK n=%u ns=%" PRId64 " cpu=%" PRIu64 "\n", c->repeat, end - start,
                dm_cpu_ns(g) - cpu);
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
        extend_store(g, name, rest, out);
        return true;
    }
    parse(&a, rest);
    if (!strcmp(name, "x-loop")) {
        c->repeat = (unsigned int)arg(&a, "n", 1);
        c->collecting = true;
    } else if (!extend_request(g, name, &a, out) && !extend_latency(g, name, &a, out) &&
               !extend_domain(g, name, &a, out) && !extend_process(g, name, &a, out) &&
               !extend_grant(g, name, &a, out)) {
        fprintf(out, "FAIL Unknown command '%s'\n", name);
    }
    after_request(g);
    return true;
}
