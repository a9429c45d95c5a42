/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When the screen is drawn for front-ends, and what they are told of it.
 *
 *     nobody looks     no timer, no memory, the guest's writes are not followed
 *     somebody looks   drawn every FRAME_NS while it changes; the pause grows up to PAUSE_MAX_NS
 *                      while it does not; the display says if it will notice changes itself
 *
 * The device thread only begins and ends a drawing. Between the two a thread of its own has the
 * surface, so that a guest's request never waits for pixels; it leaves when nobody looks. A pool
 * for itself: images are not to wait for screens, nor does a machine that is being stopped.
 *
 * A front-end that still copies the last damage is not waited for: its rectangles are kept and
 * merged. If all are busy, nothing is drawn at all until one is ready.
 */
#include <string.h>
#include <time.h>

#include "dm/log.h"
#include "ui/frontend_private.h"

#define FRAME_NS     33000000ull
#define PAUSE_MAX_NS 300000000ull
/* Drawing takes at most one part in so many of the thread that answers the guest, and of the
 * processor: a large screen that moves is drawn less often. */
#define SHARE       10
#define SHARE_DRAWN 4

static bool is_watching(const struct frontend *fe)
{
    return fe->socket >= 0 && fe->ready && fe->viewers.watching;
}

static uint64_t now(struct frontends *hub)
{
    return loop_now(hub->loop, CLOCK_HOST);
}

/* TIMER_NEVER: only when the display calls. */
static void draw_at(struct frontends *hub, uint64_t when)
{
    uint64_t pause = hub->cost * SHARE, drawn = hub->cost_drawn * SHARE_DRAWN, earliest;

    if (hub->drawing_now) {
        hub->again = true;
        return;
    }
    pause = pause < drawn ? drawn : pause;
    pause = pause < FRAME_NS ? FRAME_NS : pause > PAUSE_MAX_NS ? PAUSE_MAX_NS : pause;
    earliest = hub->drawn_at + pause;
    timer_arm(&hub->redraw, when > earliest ? when : earliest);
}

void draw_all_for(struct frontend *fe)
{
    const struct surface *surface = &fe->hub->frame.surface;

    fe->damage.count = 0;
    if (!surface->width)
        return;
    fe->tell |= TELL_MODE;
    damage_add(&fe->damage, (struct frontend_rect){0, 0, surface->width, surface->height});
}

static void spread(struct frontends *hub, const struct display_damage *damage)
{
    if (damage->resized)
        input_set_screen(hub->input, hub->frame.surface.width, hub->frame.surface.height);
    for (unsigned i = 0; i < hub->count; i++) {
        struct frontend *fe = &hub->frontend[i];

        if (!is_watching(fe))
            continue;
        if (damage->resized)
            draw_all_for(fe);
        for (unsigned r = 0; !damage->resized && r < damage->count; r++) {
            const struct display_rect *rect = &damage->rects[r];

            damage_add(&fe->damage,
                       (struct frontend_rect){rect->x, rect->y, rect->width, rect->height});
        }
        frontend_flush(fe);
    }
}

static bool all_busy(const struct frontends *hub)
{
    for (unsigned i = 0; i < hub->count; i++)
        if (is_watching(&hub->frontend[i]) && !hub->frontend[i].drawing)
            return false;
    return true;
}

/* A display that cannot tell what has changed: all of it may have. */
static int refresh_all(struct frontends *hub, struct display_damage *damage)
{
    struct surface *surface = &hub->frame.surface;
    uint32_t width = surface->width, height = surface->height;
    int rc = hub->display->update(hub->display->dev, surface);

    damage->count = 1;
    damage->rects[0] = (struct display_rect){0, 0, surface->width, surface->height};
    damage->resized = surface->width != width || surface->height != height;
    return rc;
}

static void failed(struct frontends *hub, int rc)
{
    log_guest("the screen cannot be drawn for its viewers: %s", strerror(-rc));
    draw_at(hub, hub->drawn_at + 1000000000ull);
}

static void drawn(struct frontends *hub, const struct display_damage *damage)
{
    bool again = hub->again;
    uint64_t pause;

    hub->again = false;
    if (damage->count)
        hub->pause = FRAME_NS;
    else if (hub->pause < PAUSE_MAX_NS)
        hub->pause += hub->pause / 2;
    pause = again ? 0 : damage->wait_ns ? damage->wait_ns : hub->pause;
    draw_at(hub, pause < TIMER_NEVER - hub->drawn_at ? hub->drawn_at + pause : TIMER_NEVER);
    if (damage->count)
        spread(hub, damage);
}

static uint64_t thread_time(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* On the thread that draws. */
static void draw_pixels(void *opaque)
{
    struct frontends *hub = opaque;
    uint64_t start = thread_time();

    hub->display->draw(hub->display->dev);
    hub->cost_drawn = thread_time() - start;
}

static void end_drawing(void *opaque)
{
    struct frontends *hub = opaque;
    struct display_damage damage;
    uint64_t start = now(hub);

    hub->drawing_now = false;
    hub->display->end(hub->display->dev, &damage);
    hub->cost += now(hub) - start;
    if (!hub->watched)
        return; /* it was waited for */
    drawn(hub, &damage);
    draw_watch(hub);
}

static void begin_drawing(struct frontends *hub)
{
    int rc = hub->display->begin(hub->display->dev, &hub->frame.surface);

    hub->cost = now(hub) - hub->drawn_at;
    hub->cost_drawn = 0;
    if (rc < 0) {
        failed(hub, rc);
    } else if (rc == 0) {
        end_drawing(hub);
    } else {
        hub->drawing_now = true;
        workers_submit(hub->workers, &hub->drawing);
    }
}

static void draw(void *opaque)
{
    struct frontends *hub = opaque;
    struct display_damage damage = {.count = 0};
    int rc;

    hub->overdue = all_busy(hub);
    if (hub->overdue)
        return;
    hub->drawn_at = now(hub);
    if (hub->display->begin) {
        begin_drawing(hub);
        return;
    }
    rc = refresh_all(hub, &damage);
    hub->cost = now(hub) - hub->drawn_at;
    if (rc)
        failed(hub, rc);
    else
        drawn(hub, &damage);
}

/* By the display, in the middle of a guest's request: only noted. */
static void changed(void *opaque)
{
    struct frontends *hub = opaque;

    if (hub->watched && !hub->overdue)
        draw_at(hub, 0);
}

void draw_soon(struct frontends *hub)
{
    hub->pause = FRAME_NS;
    if (hub->watched && !hub->overdue && !hub->drawing_now &&
        hub->redraw.deadline > now(hub) + FRAME_NS)
        draw_at(hub, now(hub) + FRAME_NS);
}

void draw_ready(struct frontends *hub)
{
    if (hub->watched && hub->overdue)
        draw_at(hub, 0);
    hub->overdue = false;
}

/* What is being drawn is waited for. */
static void set_watched(struct frontends *hub, bool on)
{
    struct display *display = hub->display;

    if (on && workers_create(&hub->workers, hub->loop, 1)) {
        log_error("out of memory: viewers see no screen");
        return;
    }
    hub->watched = on;
    hub->overdue = false;
    if (!on) {
        workers_destroy(hub->workers);
        hub->workers = NULL;
    }
    if (on) {
        display->opaque = hub;
        display->changed = changed;
    }
    if (display->watched)
        display->watched(display->dev, on);
    if (on) {
        hub->pause = FRAME_NS;
        draw_at(hub, 0);
        return;
    }
    display->changed = NULL;
    timer_cancel(&hub->redraw);
    frame_forget(&hub->frame);
}

void draw_watch(struct frontends *hub)
{
    bool on = false;

    for (unsigned i = 0; i < hub->count; i++)
        on |= is_watching(&hub->frontend[i]);
    if (!on)
        input_release_all(hub->input);
    if (hub->display && on != hub->watched && !hub->drawing_now)
        set_watched(hub, on);
}

void frontends_set_display(struct frontends *hub, struct display *display)
{
    if (!hub)
        return;
    if (hub->watched)
        set_watched(hub, false);
    hub->display = display;
    draw_watch(hub);
}

int draw_init(struct frontends *hub)
{
    timer_init(&hub->redraw, hub->loop, CLOCK_HOST, draw, hub);
    hub->drawing = (struct work_item){.work = draw_pixels, .done = end_drawing, .opaque = hub};
    return frame_create(&hub->frame);
}

void draw_fini(struct frontends *hub)
{
    if (hub->watched)
        set_watched(hub, false);
    timer_cancel(&hub->redraw);
    frame_destroy(&hub->frame);
}
