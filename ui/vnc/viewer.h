/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One viewer, as the network's thread knows it; shared by server.c, viewer.c and input.c. */
#ifndef UI_VNC_VIEWER_H
#define UI_VNC_VIEWER_H

#include "ui/input.h"
#include "ui/vnc/gate.h"
#include "ui/vnc/server.h"
#include "ui/vnc/websocket.h"

#define VIEWERS      FRONTEND_VIEWERS_MAX
#define NEWCOMERS    4u
#define LOGIN_MS     10000
#define STALL_MS     30000
#define PICTURE_MS   1000 /* how long a viewer waits for the guest's first picture */
#define VIEWER_INPUT (2 * GATE_MESSAGE_MAX)
#define VIEWER_CHUNK 65536

struct viewer {
    struct server *server;
    int sock; /* -1: this place is free */
    int pair; /* the other end is the encoder's; -1: not admitted yet */
    struct frontend_viewer about;
    struct encoder_viewer *shared;
    struct gate gate;
    bool logged_in, waiting;           /* waiting: for the first picture */
    bool closing;                      /* what there is to be sent is sent, then it is closed */
    bool more;                         /* messages are left in in[] for the next turn */
    int64_t since;                     /* ms; last progress, or when it came */
    uint32_t sock_events, pair_events; /* as epoll knows them */

    bool websocket, upgraded;
    struct websocket ws;

    uint8_t in[VIEWER_INPUT]; /* from the viewer; payload only, once upgraded */
    size_t in_length;
    uint8_t *out; /* for the viewer */
    size_t out_at, out_length, out_room;
    size_t skip;                    /* bytes of the library's handshake still to be dropped */
    uint8_t held[GATE_MESSAGE_MAX]; /* for the library: its socket was full */
    size_t held_at, held_length;

    struct keysym_state keys;
    uint64_t down[INPUT_KEY_COUNT / 64]; /* keys of the guest that this viewer holds */
    uint32_t buttons;                    /* as RFB numbers them */
};

struct server {
    struct server_config config;
    struct frontend_client *core;
    struct encoder *encoder;
    int epoll;
    struct viewer viewer[VIEWERS];
    struct frontend_password password;
    unsigned failures;    /* logins refused in a row */
    int64_t refuse_until; /* ms: no password is looked at before */
    bool have_picture;
    uint32_t width, height; /* of the guest's screen */
    uint32_t leds;
    bool absolute;
    char name[64];
    bool named;
    unsigned said;               /* lines written to the log */
    uint8_t chunk[VIEWER_CHUNK]; /* in hand on the way from the library to a viewer */
};

/* ---- server.c ------------------------------------------------------------------------------- */

int64_t server_now(void);
/* A line for the log, up to a limit: nobody fills a disk by connecting. */
void server_say(struct server *server, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The list of viewers has changed: the core is told. */
void server_tell_viewers(struct server *server);
bool server_login(struct server *server, const uint8_t challenge[16], const uint8_t answer[16]);

/* ---- viewer.c ------------------------------------------------------------------------------- */

/* Takes the socket over, or closes it. */
void viewer_open(struct viewer *viewer, int sock, bool websocket);
void viewer_close(struct viewer *viewer, const char *why);
/* Its socket, or the pair with the encoder, is ready. */
void viewer_network(struct viewer *viewer, uint32_t events);
void viewer_encoder(struct viewer *viewer, uint32_t events);
/* It has had its turn, and there is more. */
void viewer_go_on(struct viewer *viewer);
/* There is a picture now. */
void viewer_begin(struct viewer *viewer);
/* Bytes for the viewer, as RFB has them. */
void viewer_send(void *viewer, const void *data, size_t length);

/* ---- input.c -------------------------------------------------------------------------------- */

void viewer_key(void *viewer, uint32_t keysym, bool down);
void viewer_raw_key(void *viewer, uint32_t xt_code, bool down);
void viewer_pointer(void *viewer, uint32_t buttons, uint16_t x, uint16_t y);
/* It is gone: what it held down is down no more. */
void viewer_release(struct viewer *viewer);

#endif
