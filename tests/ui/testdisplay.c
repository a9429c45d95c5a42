/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/ui/testdisplay.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static int begin(void *dev, struct surface *surface)
{
    struct test_display *d = dev;
    int rc;

    d->surface = surface;
    d->resized = surface->width != d->width || surface->height != d->height;
    rc = d->fail ? d->fail : surface_resize(surface, d->width, d->height);

    d->refreshes++;
    *d->now += d->cost_ns;
    if (!rc && !d->by_thread)
        surface_fill(surface, d->colour);
    return rc ? rc : d->by_thread;
}

static void draw(void *dev)
{
    struct test_display *d = dev;

    pthread_mutex_lock(&d->drawing);
    surface_fill(d->surface, d->colour);
    pthread_mutex_unlock(&d->drawing);
}

static void end(void *dev, struct display_damage *damage)
{
    struct test_display *d = dev;

    *damage = d->damage;
    if (d->resized) {
        damage->resized = true;
        damage->count = 1;
        damage->rects[0] = (struct display_rect){0, 0, d->width, d->height};
    }
    damage->wait_ns = d->wait_ns;
    d->damage = (struct display_damage){.count = 0};
    d->ends++;
}

static void set_watched(void *dev, bool on)
{
    ((struct test_display *)dev)->watched = on;
}

static void take_key(void *opaque, uint16_t code, bool down)
{
    struct test_input *in = opaque;

    in->keys++;
    in->down[code] = down;
}

static void take_rel(void *opaque, int32_t dx, int32_t dy, int32_t dz, uint32_t buttons)
{
    struct test_input *in = opaque;

    in->moves++;
    in->dx = dx;
    in->dy = dy;
    in->buttons = buttons;
}

void test_hub_init(struct test_hub *t)
{
    static const char *const argv[] = {"/bin/false", NULL};

    *t = (struct test_hub){.now = 1000000000, .peer = -1};
    if (loop_create(&t->loop) || input_create(&t->input) ||
        frontends_create(&t->hub, t->loop, t->input, "guest") || frontends_add(t->hub, argv) != 0)
        abort();
    loop_set_test_clock(t->loop, &t->now);
    t->devices.sink = (struct input_sink){
        .name = "test", .key = take_key, .rel = take_rel, .opaque = &t->devices};
    input_sink_add(t->input, &t->devices.sink);
    pthread_mutex_init(&t->screen.drawing, NULL);
    t->screen.width = 64;
    t->screen.height = 48;
    t->screen.now = &t->now;
    t->screen.display = (struct display){
        .begin = begin, .draw = draw, .end = end, .watched = set_watched, .dev = &t->screen};
    frontends_set_display(t->hub, &t->screen.display);
}

void test_hub_fini(struct test_hub *t)
{
    if (t->peer >= 0)
        close(t->peer);
    frontends_destroy(t->hub);
    input_sink_remove(t->input, &t->devices.sink);
    input_destroy(t->input);
    loop_destroy(t->loop);
}

void test_hub_connect(struct test_hub *t)
{
    int pair[2];

    if (t->peer >= 0)
        close(t->peer);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) ||
        frontends_attach(t->hub, 0, pair[0], 4711))
        abort();
    t->peer = pair[1];
}

void test_hub_run(struct test_hub *t, unsigned ms)
{
    loop_turn(t->loop, 0);
    while (ms--) {
        t->now += 1000000;
        loop_turn(t->loop, 0);
    }
}
