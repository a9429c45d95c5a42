/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/pv/mock_xen.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE_BYTES 4096u

struct mock_node {
    char *path, *value;
    struct mock_node *next;
};

struct mock_watch {
    char *path, *token;
    struct mock_watch *next;
};

struct mock_event {
    char *token;
    struct mock_event *next;
};

static struct mock_xen *mock_of(struct xen *xen)
{
    return (struct mock_xen *)(void *)xen;
}

struct xen *mock_xen_handle(struct mock_xen *mock)
{
    return (struct xen *)(void *)mock;
}

struct mock_xen *mock_xen_create(void)
{
    struct mock_xen *mock = calloc(1, sizeof(*mock));

    mock->memory = aligned_alloc(PAGE_BYTES, MOCK_PAGES * PAGE_BYTES);
    memset(mock->memory, 0, MOCK_PAGES * PAGE_BYTES);
    mock->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    mock->events_tail = &mock->events;
    return mock;
}

void mock_xen_destroy(struct mock_xen *mock)
{
    char token[64];

    while (mock_store_next(mock, token, sizeof(token))) {
    }
    while (mock->nodes) {
        struct mock_node *node = mock->nodes;

        mock->nodes = node->next;
        free(node->path);
        free(node->value);
        free(node);
    }
    while (mock->watches) {
        struct mock_watch *watch = mock->watches;

        mock->watches = watch->next;
        free(watch->path);
        free(watch->token);
        free(watch);
    }
    close(mock->event_fd);
    free(mock->memory);
    free(mock);
}

/* ---- xenstore ------------------------------------------------------------------------------- */

static bool below(const char *parent, const char *path)
{
    size_t n = strlen(parent);

    return strncmp(parent, path, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

static void event_add(struct mock_xen *mock, const char *token)
{
    struct mock_event *event = calloc(1, sizeof(*event));

    event->token = strdup(token);
    *mock->events_tail = event;
    mock->events_tail = &event->next;
}

static void fire(struct mock_xen *mock, const char *path)
{
    for (struct mock_watch *watch = mock->watches; watch; watch = watch->next)
        if (below(watch->path, path) || below(path, watch->path))
            event_add(mock, watch->token);
}

static struct mock_node *find(struct mock_xen *mock, const char *path)
{
    struct mock_node *node = mock->nodes;

    while (node && strcmp(node->path, path))
        node = node->next;
    return node;
}

static void set(struct mock_xen *mock, const char *path, const char *value)
{
    struct mock_node *node = find(mock, path);

    if (!node) {
        node = calloc(1, sizeof(*node));
        node->path = strdup(path);
        node->next = mock->nodes;
        mock->nodes = node;
    }
    free(node->value);
    node->value = strdup(value);
    fire(mock, path);
}

void mock_store_set(struct mock_xen *mock, const char *path, const char *fmt, ...)
{
    char value[256];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(value, sizeof(value), fmt, ap);
    va_end(ap);
    set(mock, path, value);
}

void mock_store_remove(struct mock_xen *mock, const char *path)
{
    struct mock_node **p = &mock->nodes;

    while (*p) {
        struct mock_node *node = *p;

        if (!below(path, node->path)) {
            p = &node->next;
            continue;
        }
        *p = node->next;
        free(node->path);
        free(node->value);
        free(node);
    }
    fire(mock, path);
}

const char *mock_store_get(struct mock_xen *mock, const char *path)
{
    struct mock_node *node = find(mock, path);

    return node ? node->value : NULL;
}

bool mock_store_next(struct mock_xen *mock, char *token, size_t size)
{
    struct mock_event *event = mock->events;

    if (!event)
        return false;
    mock->events = event->next;
    if (!mock->events)
        mock->events_tail = &mock->events;
    snprintf(token, size, "%s", event->token);
    free(event->token);
    free(event);
    return true;
}

unsigned xen_domid(const struct xen *xen)
{
    return MOCK_DOMID;
}

int xen_store_write(struct xen *xen, const char *path, const char *value)
{
    set(mock_of(xen), path, value);
    return 0;
}

char *xen_store_read(struct xen *xen, const char *path)
{
    const char *value = mock_store_get(mock_of(xen), path);

    return value ? strdup(value) : NULL;
}

char **xen_store_directory(struct xen *xen, const char *path, unsigned *count)
{
    size_t n = strlen(path), bytes = 0;
    unsigned names = 0;
    char **list, *text;

    for (struct mock_node *node = mock_of(xen)->nodes; node; node = node->next) {
        names++;
        bytes += strlen(node->path) + 1;
    }
    list = malloc((names + 1) * sizeof(*list) + bytes);
    text = (char *)(list + names + 1);
    *count = 0;
    for (struct mock_node *node = mock_of(xen)->nodes; node; node = node->next) {
        size_t length;
        unsigned i = 0;

        if (!below(path, node->path) || !node->path[n])
            continue;
        length = strcspn(node->path + n + 1, "/");
        while (i < *count &&
               (strlen(list[i]) != length || strncmp(list[i], node->path + n + 1, length)))
            i++;
        if (i < *count)
            continue;
        list[(*count)++] = memcpy(text, node->path + n + 1, length);
        text[length] = '\0';
        text += length + 1;
    }
    return list;
}

int xen_store_watch(struct xen *xen, const char *path, const char *token)
{
    struct mock_watch *watch = calloc(1, sizeof(*watch));

    watch->path = strdup(path);
    watch->token = strdup(token);
    watch->next = mock_of(xen)->watches;
    mock_of(xen)->watches = watch;
    event_add(mock_of(xen), token);
    return 0;
}

int xen_store_unwatch(struct xen *xen, const char *path, const char *token)
{
    struct mock_watch **p = &mock_of(xen)->watches;

    while (*p && (strcmp((*p)->path, path) || strcmp((*p)->token, token)))
        p = &(*p)->next;
    if (*p) {
        struct mock_watch *watch = *p;

        *p = watch->next;
        free(watch->path);
        free(watch->token);
        free(watch);
    }
    return 0;
}

/* ---- event channels: the local port is the remote one plus 100 ------------------------------- */

int xen_pv_evtchn_fd(struct xen *xen)
{
    return mock_of(xen)->event_fd;
}

void mock_signal(struct mock_xen *mock, uint32_t remote_port)
{
    uint64_t one = 1;

    if (!(mock->bound & 1u << remote_port))
        return;
    mock->pending |= 1u << remote_port;
    if (write(mock->event_fd, &one, sizeof(one)) < 0)
        abort();
}

int xen_pv_bind(struct xen *xen, uint32_t remote_port)
{
    struct mock_xen *mock = mock_of(xen);

    if (!remote_port || remote_port >= MOCK_PORTS || mock->bound & 1u << remote_port)
        return -EINVAL;
    mock->bound |= 1u << remote_port;
    mock_signal(mock, remote_port);
    return (int)remote_port + 100;
}

int xen_pv_unbind(struct xen *xen, uint32_t port)
{
    mock_of(xen)->bound &= ~(1u << (port - 100));
    mock_of(xen)->pending &= ~(1u << (port - 100));
    return 0;
}

int xen_pv_pending(struct xen *xen)
{
    struct mock_xen *mock = mock_of(xen);
    uint64_t count;
    int port;

    if (!mock->pending) {
        if (read(mock->event_fd, &count, sizeof(count)) < 0)
            return -EAGAIN;
        return -EAGAIN;
    }
    port = __builtin_ctz(mock->pending);
    mock->pending &= ~(1u << port);
    return port + 100;
}

int xen_pv_unmask(struct xen *xen, uint32_t port)
{
    return 0;
}

int xen_pv_notify(struct xen *xen, uint32_t port)
{
    mock_of(xen)->notified[port - 100]++;
    return 0;
}

/* ---- grants --------------------------------------------------------------------------------- */

void mock_grant(struct mock_xen *mock, uint32_t ref, unsigned page, bool writable)
{
    mock->grant[ref].granted = true;
    mock->grant[ref].writable = writable;
    mock->grant[ref].page = page;
}

uint8_t *mock_page(struct mock_xen *mock, unsigned page)
{
    return mock->memory + (size_t)page * PAGE_BYTES;
}

static struct mock_grant *usable(struct mock_xen *mock, uint32_t ref, bool write)
{
    struct mock_grant *grant = ref < MOCK_GRANTS ? &mock->grant[ref] : NULL;

    return grant && grant->granted && (grant->writable || !write) ? grant : NULL;
}

/*
 * One row of addresses for pages anywhere: the pages of one mapping are moved into a row of guest
 * memory by the tests that map more than one (mock_grant() with consecutive pages).
 */
void *xen_grant_map(struct xen *xen, const uint32_t *refs, unsigned n, bool write)
{
    struct mock_xen *mock = mock_of(xen);

    errno = EINVAL;
    for (unsigned i = 0; i < n; i++) {
        struct mock_grant *grant = usable(mock, refs[i], write);

        if (!grant || grant->page != mock->grant[refs[0]].page + i)
            return NULL;
    }
    for (unsigned i = 0; i < n; i++)
        mock->grant[refs[i]].maps++;
    mock->mapped += n;
    return mock_page(mock, mock->grant[refs[0]].page);
}

int xen_grant_unmap(struct xen *xen, void *addr, unsigned n)
{
    struct mock_xen *mock = mock_of(xen);
    unsigned first = (unsigned)(((uint8_t *)addr - mock->memory) / PAGE_BYTES);

    for (unsigned i = 0; i < n; i++) {
        struct mock_grant *grant = mock->grant;

        while (grant < mock->grant + MOCK_GRANTS && (grant->page != first + i || !grant->maps))
            grant++;
        if (grant == mock->grant + MOCK_GRANTS)
            abort(); /* never mapped */
        grant->maps--;
    }
    mock->mapped -= n;
    return 0;
}

int xen_grant_copy(struct xen *xen, const struct xen_grant_copy *piece, unsigned n, bool to_guest)
{
    struct mock_xen *mock = mock_of(xen);

    for (unsigned i = 0; i < n; i++) {
        struct mock_grant *grant = usable(mock, piece[i].ref, to_guest);
        uint8_t *at;

        if (!grant || piece[i].offset + piece[i].bytes > PAGE_BYTES)
            return -EACCES;
        at = mock_page(mock, grant->page) + piece[i].offset;
        if (to_guest)
            memcpy(at, piece[i].local, piece[i].bytes);
        else
            memcpy(piece[i].local, at, piece[i].bytes);
        mock->copies++;
    }
    return 0;
}
