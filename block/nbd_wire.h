/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the device model and slimdm-nbd say to each other, on a SOCK_SEQPACKET pair. */
#ifndef BLOCK_NBD_WIRE_H
#define BLOCK_NBD_WIRE_H

#include <stdint.h>

#define NBD_CONTROL_FD 3 /* slimdm-nbd's end */
#define NBD_IMAGE_FD   4 /* an image that came as a descriptor */

/* A question is one byte; each gets one answer, in order. */
#define NBD_CONNECT 'C'

/* With error == 0 a connected socket comes along. */
struct nbd_answer {
    int32_t error; /* -errno */
    char reason[200];
};

#endif
