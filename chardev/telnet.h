/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Telnet's rules (RFC 854, 856, 857, 858) around the bytes of a socket. Private to chardev/. */
#ifndef CHARDEV_TELNET_H
#define CHARDEV_TELNET_H

#include "chardev/backend.h"

struct telnet {
    bool on;
    bool after_cr;
    bool peer_binary; /* the client has agreed to send 8-bit clean */
    uint8_t state;
    uint8_t verb;
};

/* A new client: character at a time, no local echo, binary. */
void telnet_greet(struct chardev *chr, struct telnet *telnet);
/* Takes the commands out of what has been received and delivers the rest. Overwrites data. */
void telnet_decode(struct chardev *chr, struct telnet *telnet, uint8_t *data, size_t len);
void telnet_break(struct chardev *chr);

#endif
