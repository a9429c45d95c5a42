/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A front-end's side of the protocol of ui/frontend_proto.h, for every front-end program.
 *
 *     frontend_client_create(&client, FRONTEND_FD, &events, self);   sends READY after HELLO
 *     loop: poll(frontend_client_fd(client)), then frontend_client_receive(client)
 *
 * The frontend_send_...() functions may be called on any thread (a packet is sent whole), all
 * others on one. They wait when the core is behind: a front-end has nothing better to do.
 */
#ifndef UI_FRONTEND_CLIENT_H
#define UI_FRONTEND_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ui/frontend_proto.h"

/* The guest's screen, mapped for reading. The core draws into it all the time. */
struct frontend_picture {
    const uint32_t *pixels;
    uint32_t width, height;
    uint32_t stride; /* pixels from row to row */
    size_t mapped;   /* bytes; private */
};

/* Unmaps it; an empty one is left alone. */
void frontend_picture_release(struct frontend_picture *picture);

/* What the core says; every member may be NULL. Pointers are valid during the call. */
struct frontend_events {
    void (*hello)(void *opaque, const char *guest_name);
    /* The picture is the receiver's from here on: frontend_picture_release(). The next damage is
     * all of it. */
    void (*mode)(void *opaque, struct frontend_picture picture);
    /* Rectangles lie inside the last mode. frontend_send_done(number) when they are copied. */
    void (*damage)(void *opaque, uint32_t number, const struct frontend_rect *rect, uint32_t count);
    void (*cursor)(void *opaque, const struct frontend_cursor *cursor);
    void (*input)(void *opaque, uint32_t leds, bool absolute);
    void (*password)(void *opaque, const struct frontend_password *password);
};

struct frontend_client;

/* `socket` is taken over. 0 or -errno. */
int frontend_client_create(struct frontend_client **out, int socket,
                           const struct frontend_events *events, void *opaque);
void frontend_client_destroy(struct frontend_client *client);

/* To be polled for reading. */
int frontend_client_fd(const struct frontend_client *client);

/* Takes up to 64 messages that are there, without waiting. 0; -EPIPE: the core is gone, which ends
 * a front-end; -EPROTO and others: it is not the core that we know, which does so too. */
int frontend_client_receive(struct frontend_client *client);

/* 0 or -errno; an error shows at frontend_client_receive() as well. */
int frontend_send_viewers(struct frontend_client *client, bool watching,
                          const struct frontend_viewer *viewer, uint32_t count);
int frontend_send_done(struct frontend_client *client, uint32_t number);
int frontend_send_key(struct frontend_client *client, uint16_t code, bool down);
int frontend_send_abs(struct frontend_client *client, uint16_t x, uint16_t y, int32_t dz,
                      uint32_t buttons);
int frontend_send_rel(struct frontend_client *client, int32_t dx, int32_t dy, int32_t dz,
                      uint32_t buttons);
int frontend_send_release(struct frontend_client *client);
int frontend_send_close(struct frontend_client *client);

#endif
