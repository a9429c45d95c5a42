/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_UI_PEER_H
#define TESTS_UI_PEER_H

#include "tests/ui/testdisplay.h"
#include "ui/frontend_client.h"

/* A front-end that remembers what it has been told. */
struct peer {
    struct frontend_client *client;
    char name[64];
    struct frontend_picture picture;
    unsigned modes, damages;
    struct frontend_rect rect[FRONTEND_RECTS_MAX];
    uint32_t number, count;
    uint32_t leds;
    bool absolute;
    struct frontend_password password;
    bool slow; /* no DONE by itself */
};

/* What puts it there; the events' opaque is the peer. */
extern const struct frontend_events peer_events;

/* Connects a front-end to the hub, and takes it away again. */
void peer_begin(struct test_hub *t, struct peer *p);
void peer_end(struct test_hub *t, struct peer *p);
/* Time for both of them, or with NULL for the hub alone. */
void peer_run(struct test_hub *t, struct peer *p, unsigned ms);
/* Somebody looks at the screen from now on. */
void peer_look(struct test_hub *t, struct peer *p);

#endif
