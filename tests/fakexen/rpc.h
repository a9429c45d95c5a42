/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What goes over the socket between the library in a device model and the controller: everything
 * that is slow in real life too (opening handles, xenstore). One SOCK_SEQPACKET message a question,
 * one an answer; descriptors ride along.
 */
#ifndef FAKEXEN_RPC_H
#define FAKEXEN_RPC_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define RPC_ENV  "FAKEXEN_SOCKET"
#define RPC_DATA 65000

enum rpc_op {
    RPC_HELLO_HV = 1, /* answer carries: state, frames, hole, irq eventfd */
    RPC_EVT_OPEN,     /* number = flags; answer: number = handle, one eventfd */
    RPC_EVT_CLOSE,    /* number = handle */
    RPC_EVT_ADOPT,    /* number = eventfd id; answer: number = handle */
    RPC_HELLO_XS,     /* answer carries the watch socket */
    RPC_XS_READ,
    RPC_XS_WRITE, /* path, NUL, value */
    RPC_XS_MKDIR,
    RPC_XS_RM,
    RPC_XS_DIRECTORY, /* answer: names, each with NUL */
    RPC_XS_GET_PERMS, /* answer: struct xs_permissions[] */
    RPC_XS_SET_PERMS, /* path, NUL, struct xs_permissions[] */
    RPC_XS_WATCH,     /* path, NUL, token, NUL */
    RPC_XS_UNWATCH,
    RPC_XS_BEGIN,     /* answer: number = transaction */
    RPC_XS_END,       /* number2 = abort */
    RPC_XS_INTRODUCED /* number = domid; answer: number = yes/no */
};

struct rpc {
    uint32_t op;
    int32_t error;   /* answer: 0 or a positive errno */
    uint32_t number; /* transaction for the xenstore operations */
    uint32_t number2;
    uint64_t wide;
    uint32_t size; /* bytes used of data[] */
    char data[RPC_DATA];
};

#define RPC_HEAD offsetof(struct rpc, data)

/* For a message on the stack of a device model: to clear its data would take 64 KiB of the memory
 * that measurements look at. */
#define RPC_NOT_CLEARED __attribute__((uninitialized))

static inline void rpc_begin(struct rpc *message, uint32_t op)
{
    memset(message, 0, RPC_HEAD);
    message->op = op;
}

/*
 * The kernel shows which eventfd a descriptor is; the controller remembers which handle that was.
 */
static inline uint64_t rpc_eventfd_id(int fd)
{
    char path[64], line[128];
    unsigned long long id = 0;
    FILE *f;

    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
    f = fopen(path, "re");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "eventfd-id: %llu", &id) == 1)
            break;
    if (f)
        fclose(f);
    return id;
}

#endif
