/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The QMP server: QEMU's machine protocol (JSON over UNIX stream sockets) as libxl, libxenstat and
 * libvirt speak it. What the commands do is in the operations (qmp_ops.h).
 *
 * Nothing here blocks. A client that does not read its answers is not read from either, and is
 * dropped in the end; a client that sends nonsense gets errors. Clients cost nothing while idle.
 */
#ifndef TOOLSTACK_QMP_H
#define TOOLSTACK_QMP_H

#include "dm/loop.h"
#include "toolstack/fdset.h"
#include "toolstack/qmp_ops.h"

#define QMP_LISTENERS_MAX   8 /* sockets */
#define QMP_CONNECTIONS_MAX 8 /* clients of one socket; the next waits in the backlog */
#define QMP_BACKLOG         16
#define QMP_MESSAGE_MAX     (1u << 20) /* bytes of one message from a client */
#define QMP_DEPTH_MAX       32         /* nested objects and arrays in it */
#define QMP_VALUES_MAX      4096       /* values in it */
#define QMP_OUTPUT_MAX      (4u << 20) /* bytes waiting for a client that does not read */
#define QMP_FDS_MAX         16         /* descriptors a client has sent and not used */

struct qmp;

/* `ops` and `opaque` must outlive it. Returns 0 or -errno. */
int qmp_create(struct qmp **out, struct loop *loop, const struct qmp_ops *ops, void *opaque);

/*
 * Closes all connections and sockets and unlinks the socket files that qmp_listen_unix() made.
 * Replies that are still owed stay valid: answering them does nothing any more.
 */
void qmp_destroy(struct qmp *qmp);

enum {
    QMP_NO_EVENTS = 1, /* for libxenstat, which takes every line for an answer */
    QMP_PRETTY = 2,    /* answers in several lines */
};

/* Unlinks a stale socket file, binds with mode 0600 and listens. -errno when it cannot. */
int qmp_listen_unix(struct qmp *qmp, const char *path, unsigned flags);
/* An inherited socket, already bound and listening; taken over on success, file left alone. */
int qmp_listen_fd(struct qmp *qmp, int fd, unsigned flags);
/* A connection made elsewhere (tests, a proxy); taken over on success. */
int qmp_connect_fd(struct qmp *qmp, int fd, unsigned flags);

/*
 * Tells every client that has negotiated, except on sockets with QMP_NO_EVENTS. `data` is the text
 * of a complete JSON object, or NULL. The operations' side decides what is worth an event (STOP,
 * RESUME, SHUTDOWN, POWERDOWN, RESET, DEVICE_TRAY_MOVED, ...).
 */
void qmp_event(struct qmp *qmp, const char *name, const char *data);

/* The descriptor sets of add-fd. Add those of the command line here before opening drives. */
struct fdsets *qmp_fdsets(struct qmp *qmp);

/* Clients connected now, for tests and statistics. */
unsigned qmp_connections(const struct qmp *qmp);

#endif
