/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The server's half of the WebSocket protocol (RFC 6455), as browsers' viewers need it: one binary
 * stream, without extensions. Nothing is buffered but the header of the request.
 */
#ifndef UI_VNC_WEBSOCKET_H
#define UI_VNC_WEBSOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define WEBSOCKET_REQUEST_MAX 4096
#define WEBSOCKET_ANSWER_MAX  256
#define WEBSOCKET_HEADER_MAX  10

struct websocket {
    uint8_t header[14]; /* of the frame that is coming in */
    unsigned have;      /* bytes of it */
    uint64_t left;      /* bytes of its payload that are still to come; valid with `inside` */
    bool inside;
    uint8_t mask[4];
    unsigned mask_at;
    uint8_t control[125]; /* payload of a ping */
    unsigned control_length;
    bool pong; /* control[] is to be sent back, see websocket_header() */
};

/*
 * The request of a browser, as far as it has come. Returns its length once it is whole, with the
 * answer in `answer` (`*answer_length` bytes); 0: more is needed; -EPROTO: it is not one.
 */
ssize_t websocket_request(const uint8_t *data, size_t length, char answer[WEBSOCKET_ANSWER_MAX],
                          size_t *answer_length);

/*
 * Takes frames from `data` and puts their payload at its beginning. Returns the bytes of payload,
 * with `*used` of `length` bytes used up (it stops at a ping, to be answered first); -EPROTO: it is
 * to be closed; -EPIPE: the browser closes.
 */
ssize_t websocket_decode(struct websocket *ws, uint8_t *data, size_t length, size_t *used);

/* The header of a frame with that many bytes; opcode 2 is data, 10 answers a ping. */
size_t websocket_header(uint8_t opcode, size_t length, uint8_t header[WEBSOCKET_HEADER_MAX]);

#endif
