/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The encoder: a thread with libvncserver in it, which turns the picture into updates.
 *
 * The library blocks when its socket does. Here its sockets are pairs inside the process, whose
 * other ends the network's thread (server.c) fills with whole messages only, and empties at once:
 * it never waits for a viewer. All calls into the library are made on this thread.
 */
#ifndef UI_VNC_ENCODER_H
#define UI_VNC_ENCODER_H

#include <stdatomic.h>
#include <stdbool.h>

#include "ui/frontend_client.h"

/* What the two threads know of one viewer. Freed by the one who lets go of it last. */
struct encoder_viewer {
    atomic_int users;
    int socket;            /* the library's end of the pair */
    atomic_uint features;  /* GATE_... that the viewer has asked for */
    atomic_size_t backlog; /* bytes that wait for the viewer's socket */
    atomic_bool closed;    /* nothing more is to be sent to it */
};

void encoder_viewer_put(struct encoder_viewer *viewer);

/* No new update while more than this waits for a viewer's socket. */
#define ENCODER_BACKLOG (64u << 10)

struct encoder;

enum encoder_share { ENCODER_SHARE_ALLOW, ENCODER_SHARE_FORCE, ENCODER_SHARE_IGNORE };

/* Sets the library up; the thread is started by encoder_start(), which returns when it
 * runs. `name` is copied. 0 or -errno. */
int encoder_create(struct encoder **out, struct frontend_client *core, const char *name,
                   enum encoder_share share);
int encoder_start(struct encoder *encoder);

/* The rest is called on any thread, and takes effect soon. */

/* Takes over one use of the viewer, and its socket. */
void encoder_add(struct encoder *encoder, struct encoder_viewer *viewer);
/* Takes the picture over. */
void encoder_mode(struct encoder *encoder, struct frontend_picture picture);
/* DONE is sent once the pixels are copied. */
void encoder_damage(struct encoder *encoder, uint32_t number, const struct frontend_rect *rect,
                    uint32_t count);
void encoder_cursor(struct encoder *encoder, const struct frontend_cursor *cursor);
void encoder_input(struct encoder *encoder, uint32_t leds, bool absolute);
/* A viewer's features or backlog have changed. */
void encoder_wake(struct encoder *encoder);

#endif
