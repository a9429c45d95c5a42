/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/ui/peer.h"

#include <string.h>
#include <unistd.h>

#include "tests/harness/tap.h"

static void on_hello(void *opaque, const char *name)
{
    strcpy(((struct peer *)opaque)->name, name);
}

static void on_mode(void *opaque, struct frontend_picture picture)
{
    struct peer *p = opaque;

    frontend_picture_release(&p->picture);
    p->picture = picture;
    p->modes++;
}

static void on_damage(void *opaque, uint32_t number, const struct frontend_rect *rect,
                      uint32_t count)
{
    struct peer *p = opaque;

    p->damages++;
    p->number = number;
    p->count = count;
    memcpy(p->rect, rect, count * sizeof(*rect));
    if (!p->slow)
        frontend_send_done(p->client, number);
}

static void on_input(void *opaque, uint32_t leds, bool absolute)
{
    struct peer *p = opaque;

    p->leds = leds;
    p->absolute = absolute;
}

static void on_password(void *opaque, const struct frontend_password *password)
{
    ((struct peer *)opaque)->password = *password;
}

const struct frontend_events peer_events = {
    .hello = on_hello,
    .mode = on_mode,
    .damage = on_damage,
    .input = on_input,
    .password = on_password,
};

void peer_run(struct test_hub *t, struct peer *p, unsigned ms)
{
    for (unsigned i = 0; i <= ms; i++) {
        test_hub_run(t, i ? 1 : 0);
        if (p)
            frontend_client_receive(p->client);
    }
    test_hub_run(t, 0);
}

void peer_begin(struct test_hub *t, struct peer *p)
{
    test_hub_connect(t);
    memset(p, 0, sizeof(*p));
    assert_int_equal(frontend_client_create(&p->client, dup(t->peer), &peer_events, p), 0);
    peer_run(t, p, 1);
}

void peer_end(struct test_hub *t, struct peer *p)
{
    frontend_picture_release(&p->picture);
    frontend_client_destroy(p->client);
    close(t->peer);
    t->peer = -1;
    test_hub_run(t, 1);
}

void peer_look(struct test_hub *t, struct peer *p)
{
    assert_int_equal(frontend_send_viewers(p->client, true, NULL, 0), 0);
    peer_run(t, p, 40);
}
