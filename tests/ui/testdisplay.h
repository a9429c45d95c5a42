/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A display that shows what it is told, a keyboard and pointer that count, and front-ends on a
 * socket pair: for tests and fuzzing of the core's side. */
#ifndef TESTS_UI_TESTDISPLAY_H
#define TESTS_UI_TESTDISPLAY_H

#include <pthread.h>

#include "dm/loop.h"
#include "ui/frontend.h"

struct test_display {
    struct display display;
    uint32_t width, height;
    uint32_t colour;              /* of all pixels */
    struct display_damage damage; /* of the next refresh; then none */
    uint64_t wait_ns;
    uint64_t cost_ns; /* of a refresh */
    uint64_t *now;
    unsigned refreshes, ends;
    bool watched;
    int fail;                /* what the next refresh returns */
    bool by_thread;          /* the pixels are drawn by the thread ... */
    pthread_mutex_t drawing; /* ... which needs this for it */
    struct surface *surface;
    bool resized;
};

struct test_input {
    struct input_sink sink;
    bool down[INPUT_KEY_COUNT];
    unsigned keys, moves;
    int32_t dx, dy;
    uint16_t x, y;
    uint32_t buttons;
};

struct test_hub {
    uint64_t now;
    struct loop *loop;
    struct input *input;
    struct test_input devices;
    struct test_display screen;
    struct frontends *hub;
    int peer; /* the front-end's end, or -1 */
};

/* One front-end, not connected yet. */
void test_hub_init(struct test_hub *t);
void test_hub_fini(struct test_hub *t);
/* A new incarnation; `peer` is its socket. */
void test_hub_connect(struct test_hub *t);
/* Time passes in steps of a millisecond, and what is ready is handled. */
void test_hub_run(struct test_hub *t, unsigned ms);

#endif
