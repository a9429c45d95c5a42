/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by frontend.c (messages), frontend_launch.c (the supervisor) and frontend_draw.c (the
 * screen). */
#ifndef UI_FRONTEND_PRIVATE_H
#define UI_FRONTEND_PRIVATE_H

#include "dm/worker.h"
#include "ui/damage.h"
#include "ui/frame.h"
#include "ui/frontend.h"

/* What a front-end has not been told yet. */
enum {
    TELL_HELLO = 1,
    TELL_INPUT = 2,
    TELL_PASSWORD = 4,
    TELL_MODE = 8,
};

struct frontend {
    struct frontends *hub;
    unsigned index;
    char **argv;
    const char *name; /* of the program, for messages */

    /* one incarnation */
    int socket; /* -1: there is none */
    pid_t pid;
    struct loop_fd lfd;
    struct timer patience; /* armed while an answer is due */
    bool ready;            /* READY has come */
    uint32_t tell;
    struct damage damage; /* not sent yet */
    bool drawing;         /* DAMAGE sent, DONE not yet come */
    uint32_t number;      /* of the last DAMAGE */
    struct frontend_viewers viewers;

    struct frontend_password password;
};

struct frontends {
    struct loop *loop;
    struct input *input;
    char guest_name[64];
    struct frontend frontend[FRONTENDS_MAX];
    unsigned count;

    int supervisor; /* socket, or -1 */
    pid_t supervisor_pid;
    struct launch *launch; /* it is being started */
    struct loop_fd supervisor_fd;
    struct input_led_watch leds;
    bool absolute; /* as told last */
    void (*closed)(void *opaque);
    void *closed_opaque;

    /* the screen (frontend_draw.c) */
    struct display *display;
    struct frame frame;
    bool watched;
    struct timer redraw;
    struct workers *workers; /* one thread that draws; NULL while nobody looks */
    struct work_item drawing;
    bool drawing_now;    /* the thread has the surface */
    bool again;          /* ... and what it shows may be old already */
    uint64_t drawn_at;   /* ns, host clock */
    uint64_t cost;       /* ns that it took of the device thread, */
    uint64_t cost_drawn; /* and of the one that draws */
    uint64_t pause;      /* ns between two drawings while nothing changes */
    bool overdue;        /* the time has come while every front-end was busy */

    struct frontend_message incoming, outgoing; /* room for those in hand */
};

/* ---- frontend.c ----------------------------------------------------------------------------- */

/* Sends what is to be told, as far as the socket takes it. */
void frontend_flush(struct frontend *fe);

/* ---- frontend_launch.c --------------------------------------------------------------------- */

/* The front-end is to be ended; the supervisor starts another. */
void frontend_kill(struct frontend *fe);
void supervisor_close(struct frontends *hub);

/* ---- frontend_draw.c ------------------------------------------------------------------------ */

int draw_init(struct frontends *hub);
void draw_fini(struct frontends *hub);
/* Somebody has begun or ceased to look. */
void draw_watch(struct frontends *hub);
/* A front-end is to get the whole picture. */
void draw_all_for(struct frontend *fe);
/* A front-end can take the next damage. */
void draw_ready(struct frontends *hub);
/* The user does something, so the screen will change soon. */
void draw_soon(struct frontends *hub);

#endif
