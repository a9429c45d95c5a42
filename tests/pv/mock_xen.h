/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Xen as a paravirtual back end sees it, for tests: linked in place of the real interface. A
 * xenstore with watches, event channels that are counters, and granted pages in an array.
 */
#ifndef TESTS_PV_MOCK_XEN_H
#define TESTS_PV_MOCK_XEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xen/xen_pv.h"

#define MOCK_DOMID  7u
#define MOCK_PAGES  2048u /* of guest memory */
#define MOCK_GRANTS 4096u /* references below this may be granted */
#define MOCK_PORTS  16u   /* remote ports 1..15 can be bound */

struct mock_grant {
    bool granted, writable;
    unsigned page;
    unsigned maps; /* how often it is mapped now */
};

struct mock_xen {
    uint8_t *memory; /* MOCK_PAGES pages */
    struct mock_grant grant[MOCK_GRANTS];
    unsigned mapped;  /* pages that are mapped now */
    unsigned copies;  /* pieces copied */
    unsigned pending; /* bit mask of ports with an event */
    unsigned bound;   /* bit mask */
    unsigned notified[MOCK_PORTS];
    int event_fd;
    struct mock_node *nodes;
    struct mock_watch *watches;
    struct mock_event *events, **events_tail;
};

struct mock_xen *mock_xen_create(void);
void mock_xen_destroy(struct mock_xen *mock);
/* What the code under test is given. */
struct xen *mock_xen_handle(struct mock_xen *mock);

/* As somebody else: a value of NULL removes the node and all below it. Fires watches. */
void mock_store_set(struct mock_xen *mock, const char *path, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void mock_store_remove(struct mock_xen *mock, const char *path);
/* NULL when there is none; valid until the next change. */
const char *mock_store_get(struct mock_xen *mock, const char *path);
/* The next event's token; false when there is none. */
bool mock_store_next(struct mock_xen *mock, char *token, size_t size);

void mock_grant(struct mock_xen *mock, uint32_t ref, unsigned page, bool writable);
/* The guest's end of an event channel raises an event. */
void mock_signal(struct mock_xen *mock, uint32_t remote_port);
uint8_t *mock_page(struct mock_xen *mock, unsigned page);

#endif
