/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SHA-1 (FIPS 180-4), for the handshake of WebSocket, where nothing secret depends on it. */
#ifndef UI_VNC_SHA1_H
#define UI_VNC_SHA1_H

#include <stddef.h>
#include <stdint.h>

/* Up to 119 bytes. */
void sha1(const void *data, size_t length, uint8_t hash[20]);

#endif
