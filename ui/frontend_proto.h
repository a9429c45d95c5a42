/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the device model (the core) and a front-end say to each other.
 *
 * A front-end (slimdm-vnc, slimdm-sdl) is a program of its own that shows the guest's screen and
 * has a keyboard and a pointer. It is started with one end of a SEQPACKET socket pair as descriptor
 * FRONTEND_FD; a message is one packet: struct frontend_header, then the struct of its type, host
 * byte order, no gaps. Nothing else connects the two but the memfd with the picture.
 *
 *     core                                       front-end
 *     HELLO version, guest's name         ->
 *                                         <-     READY version
 *     INPUT, PASSWORD (state, when it changes, and once at the start)
 *                                         <-     VIEWERS: somebody looks
 *     MODE + memfd, CURSOR                ->
 *     DAMAGE number, rectangles           ->
 *                                         <-     DONE number: the pixels are copied
 *                                         <-     KEY, ABS, REL, RELEASE, CLOSE
 *
 * The core sends the next DAMAGE after DONE only, and takes a front-end that does not answer for
 * stuck: there is no other heartbeat, so an idle pair never wakes up. While nobody looks, no MODE
 * and no DAMAGE is sent, and the picture may be empty; both come again with the first viewer.
 *
 * The picture is in a memfd that is sealed against a change of its size; the front-end gets it for
 * reading only. The core writes into it while the front-end reads: what is read can change under
 * the hand, and is to be copied before it is parsed or encoded. A change of mode brings a
 * descriptor again: of a new memfd, or of the same one with another layout.
 *
 * Either side takes what comes from the other as input of a stranger: see frontend_message_size().
 */
#ifndef UI_FRONTEND_PROTO_H
#define UI_FRONTEND_PROTO_H

#include <stdint.h>

#define FRONTEND_VERSION 1

/* Where a front-end finds its socket; further descriptors (listening sockets) follow it. */
#define FRONTEND_FD 3

enum frontend_type {
    /* core to front-end */
    FRONTEND_HELLO = 1,
    FRONTEND_MODE = 2, /* with one descriptor */
    FRONTEND_DAMAGE = 3,
    FRONTEND_CURSOR = 4,
    FRONTEND_INPUT = 5,
    FRONTEND_PASSWORD = 6,
    /* front-end to core */
    FRONTEND_READY = 0x81,
    FRONTEND_VIEWERS = 0x82,
    FRONTEND_DONE = 0x83,
    FRONTEND_KEY = 0x84,
    FRONTEND_ABS = 0x85,
    FRONTEND_REL = 0x86,
    FRONTEND_RELEASE = 0x87, /* no body: every key and button of this front-end is up */
    FRONTEND_CLOSE = 0x88,   /* no body: the user has closed the window; the guest goes on */
};

struct frontend_header {
    uint32_t type;
    uint32_t size; /* of the packet, with this header */
};

/* ---- core to front-end ---------------------------------------------------------------------- */

struct frontend_hello {
    uint32_t version;
    char name[64]; /* of the guest; ends with NUL */
};

/* XRGB8888 (0x00RRGGBB in host order); row y begins y * stride bytes into the memfd. */
struct frontend_mode {
    uint32_t width, height; /* pixels, 1 to FRONTEND_SIDE_MAX */
    uint32_t stride;        /* bytes, at least 4 * width, a multiple of 4 */
};

#define FRONTEND_SIDE_MAX 16384u

struct frontend_rect {
    uint32_t x, y, width, height; /* inside the mode's size, not empty */
};

#define FRONTEND_RECTS_MAX 32u

struct frontend_damage {
    uint32_t number; /* to be given back with DONE */
    uint32_t count;  /* 1 to FRONTEND_RECTS_MAX: only so many are in the packet */
    struct frontend_rect rect[FRONTEND_RECTS_MAX];
};

#define FRONTEND_CURSOR_MAX 64u

/* A pointer that the guest's hardware draws, for the viewer to draw instead. */
struct frontend_cursor {
    uint32_t width, height;                                   /* 0 x 0: there is none */
    uint32_t hot_x, hot_y;                                    /* inside it */
    uint32_t argb[FRONTEND_CURSOR_MAX * FRONTEND_CURSOR_MAX]; /* width * height in the packet */
};

struct frontend_input {
    uint32_t leds;     /* INPUT_LED_* of ui/input.h */
    uint32_t absolute; /* 1: the guest's pointer takes positions, 0: movements */
};

enum frontend_login {
    FRONTEND_LOGIN_OPEN,   /* no password is asked for */
    FRONTEND_LOGIN_LOCKED, /* one is, and none is set: everybody is refused */
    FRONTEND_LOGIN_PASSWORD,
};

struct frontend_password {
    uint32_t login;   /* enum frontend_login */
    uint8_t text[8];  /* VNC's passwords have 8 bytes, filled up with NUL */
    int64_t deadline; /* seconds since 1970 after which logins are refused */
};

/* ---- front-end to core ---------------------------------------------------------------------- */

struct frontend_ready {
    uint32_t version;
};

struct frontend_viewer {
    char host[64];   /* address in text; ends with NUL */
    char service[8]; /* port in text */
    uint32_t family; /* 0 UNIX, 4, 6 */
    uint32_t websocket;
};

#define FRONTEND_VIEWERS_MAX 16u

/* Those that may look now. The core draws while `watching` is 1 (a window has no list). */
struct frontend_viewers {
    uint32_t watching;
    uint32_t count; /* 0 to FRONTEND_VIEWERS_MAX: only so many are in the packet */
    struct frontend_viewer viewer[FRONTEND_VIEWERS_MAX];
};

struct frontend_done {
    uint32_t number;
};

struct frontend_key {
    uint32_t code; /* evdev code, below INPUT_KEY_COUNT */
    uint32_t down; /* 1 again without a 0 between: the key repeats */
};

/* See input_abs() and input_rel() of ui/input.h. */
struct frontend_abs {
    uint32_t x, y; /* 0 to INPUT_ABS_MAX */
    int32_t dz;
    uint32_t buttons;
};

struct frontend_rel {
    int32_t dx, dy, dz;
    uint32_t buttons;
};

/* Movements and wheel steps of one message are at most this, either way. */
#define FRONTEND_STEP_MAX 32767

/* ---- both ----------------------------------------------------------------------------------- */

struct frontend_message {
    struct frontend_header header;
    union {
        struct frontend_hello hello;
        struct frontend_mode mode;
        struct frontend_damage damage;
        struct frontend_cursor cursor;
        struct frontend_input input;
        struct frontend_password password;
        struct frontend_ready ready;
        struct frontend_viewers viewers;
        struct frontend_done done;
        struct frontend_key key;
        struct frontend_abs abs;
        struct frontend_rel rel;
    };
};

/*
 * How many bytes a message has whose header and counts are filled in; 0 when its type is unknown or
 * a count is too large. A packet of `length` bytes is whole when the header could be read, and both
 * header.size and this are equal to `length`; a count is looked at when it lies within `length`.
 */
uint32_t frontend_message_size(const struct frontend_message *message, uint32_t length);

/* Whether a received packet is well formed: type, size, counts, ranges of its values. 0 or
 * -EPROTO. Rectangles are checked against the mode by the receiver, who knows it. */
int frontend_message_check(const struct frontend_message *message, uint32_t length);

/* Sends one packet, with descriptor `pass_fd` unless it is -1. Never waits with MSG_DONTWAIT in
 * `flags`, and never raises SIGPIPE. 0 or -errno. */
int frontend_message_send(int socket, const struct frontend_message *message, int pass_fd,
                          int flags);

/*
 * Receives one packet and checks it. `fd` gets the descriptor that came with it, or -1; it is close
 * on exec and the caller's. 0, -EPIPE at the other's end, -EAGAIN, -EPROTO, other -errno.
 */
int frontend_message_receive(int socket, struct frontend_message *message, int *fd, int flags);

#endif
