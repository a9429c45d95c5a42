/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Between the core and slimdm-supervise, the small program that starts front-ends and starts them
 * again, which the core itself cannot do any more once it is sealed.
 *
 *     slimdm-supervise [--user UID:GID] -- PROGRAM [ARGUMENT]... [-- PROGRAM [ARGUMENT]...]
 *
 * is started with its end of a SEQPACKET socket pair as descriptor SUPERVISE_FD and the descriptors
 * of the front-ends (listening sockets) behind it, and without any right that a front-end has not.
 * All that it will ever do is on its command line: the core can say GO, once, and KILL.
 *
 *     core                    supervisor
 *     GO              ->
 *                     <-      CHANNEL program, pid, with the core's end of a socket pair
 *                     <-      EXITED program, pid, status
 *     KILL program    ->      the front-end is stuck; EXITED and CHANNEL follow
 *
 * The supervisor ends, and its front-ends with it, when the core's end of the socket is closed.
 */
#ifndef UI_SUPERVISE_PROTO_H
#define UI_SUPERVISE_PROTO_H

#include <stdint.h>

#define SUPERVISE_FD           3
#define SUPERVISE_PROGRAMS_MAX 8u
#define SUPERVISE_FDS_MAX      32u

enum supervise_type {
    SUPERVISE_GO = 1,
    SUPERVISE_KILL = 2,
    SUPERVISE_CHANNEL = 3,
    SUPERVISE_EXITED = 4,
};

struct supervise_message {
    uint32_t type;
    uint32_t program; /* 0 is the first on the command line */
    int32_t pid;
    int32_t status; /* EXITED: as wait() gives it */
};

#endif
