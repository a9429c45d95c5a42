/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When the screen is drawn for front-ends, and what they are told of it.
 *
 *     nobody looks     no timer, no memory, the guest's writes are not followed
 *     somebody looks   drawn every FRAME_NS while it changes; the pause grows up to PAUSE_MAX_NS
 *                      while it does not; the display says if it will notice changes itself
 *
 * A front-end that still copies the last damage is not waited for: its rectangles are kept and
 * merged. If all are busy, nothing is drawn at all until one is ready.
 */
#include <string.h>

#include "dm/log.h"
#include "ui/frontend_private.h"

#define FRAME_NS     33000000ull
#define PAUSE_MAX_NS 300000000ull
/* Drawing takes at most one part in so many of the thread that answers the guest: a large screen
 * that moves is drawn less often. */
#define SHARE 10

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
    uint64_t pause = hub->cost * SHARE, earliest;

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

static void draw(void *opaque)
{
    struct frontends *hub = opaque;
    struct display *display = hub->display;
    struct display_damage damage = {.count = 0};
    uint64_t pause;
    int rc;

    hub->overdue = all_busy(hub);
    if (hub->overdue)
        return;
    hub->drawn_at = now(hub);
    if (display->refresh)
        rc = display->refresh(display->dev, &hub->frame.surface, &damage);
    else
        rc = refresh_all(hub, &damage);
    hub->cost = now(hub) - hub->drawn_at;
    if (rc) {
        log_guest("the screen cannot be drawn for its viewers: %s", strerror(-rc));
        draw_at(hub, hub->drawn_at + 1000000000ull);
        return;
    }
    if (damage.count)
        hub->pause = FRAME_NS;
    else if (hub->pause < PAUSE_MAX_NS)
        hub->pause += hub->pause / 2;
    pause = damage.wait_ns ? damage.wait_ns : hub->pause;
    draw_at(hub, pause < TIMER_NEVER - hub->drawn_at ? hub->drawn_at + pause : TIMER_NEVER);
    if (damage.count)
        spread(hub, &damage);
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
    if (hub->watched && !hub->overdue && hub->redraw.deadline > now(hub) + FRAME_NS)
        draw_at(hub, now(hub) + FRAME_NS);
}

void draw_ready(struct frontends *hub)
{
    if (hub->watched && hub->overdue)
        draw_at(hub, 0);
    hub->overdue = false;
}

static void set_watched(struct frontends *hub, bool on)
{
    struct display *display = hub->display;

    hub->watched = on;
    hub->overdue = false;
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
    if (hub->display && on != hub->watched)
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
    return frame_create(&hub->frame);
}

void draw_fini(struct frontends *hub)
{
    if (hub->watched)
        set_watched(hub, false);
    timer_cancel(&hub->redraw);
    frame_destroy(&hub->frame);
}
