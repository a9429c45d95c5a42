/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The server: its sockets, its events, its end. What a client says is dealt with in qmp_conn.c and
 * the files behind it.
 */
#include "toolstack/qmp.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "dm/log.h"
#include "toolstack/qmp_internal.h"

#define ACCEPT_RETRY_NS 1000000000ull

/* ---- listeners ------------------------------------------------------------------------------ */

void qmp_listener_resume(struct qmp_listener *listener)
{
    if (listener->connections < QMP_CONNECTIONS_MAX && !timer_armed(&listener->retry))
        loop_fd_want(listener->qmp->loop, &listener->lfd, EPOLLIN);
}

static void accept_again(void *opaque)
{
    qmp_listener_resume(opaque);
}

/* One a turn: the socket stays readable while more are waiting. */
static void accept_ready(void *opaque, uint32_t events)
{
    struct qmp_listener *listener = opaque;
    struct qmp *qmp = listener->qmp;
    int fd = accept4(listener->lfd.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK), rc;

    if (fd < 0 &&
        (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR || errno == ECONNABORTED))
        return;
    rc = fd < 0 ? -errno : qmp_conn_open(qmp, listener, fd, listener->flags);
    if (rc) {
        /* Out of descriptors or memory: the client waits, and asking at once would only spin. */
        log_guest("QMP: cannot take a client: %s", strerror(-rc));
        if (fd >= 0)
            close(fd);
        timer_arm(&listener->retry, loop_now(qmp->loop, CLOCK_HOST) + ACCEPT_RETRY_NS);
    }
    if (rc || listener->connections == QMP_CONNECTIONS_MAX)
        loop_fd_want(qmp->loop, &listener->lfd, 0);
}

static int add_listener(struct qmp *qmp, int fd, char *path, unsigned flags)
{
    struct qmp_listener *listener;
    struct stat st;
    int rc;

    if (qmp->listeners == QMP_LISTENERS_MAX)
        return -ENOSPC;
    listener = calloc(1, sizeof(*listener));
    if (!listener)
        return -ENOMEM;
    listener->qmp = qmp;
    listener->flags = flags;
    timer_init(&listener->retry, qmp->loop, CLOCK_HOST, accept_again, listener);
    rc = loop_fd_add(qmp->loop, &listener->lfd, fd, EPOLLIN, accept_ready, listener);
    if (rc) {
        free(listener);
        return rc;
    }
    listener->path = path;
    if (path && lstat(path, &st) == 0) {
        listener->dev = st.st_dev;
        listener->ino = st.st_ino;
    }
    qmp->listener[qmp->listeners++] = listener;
    return 0;
}

/* The file may be that of a successor by now: it is ours only while it is the one we made. */
static void unlink_own(const struct qmp_listener *listener)
{
    struct stat st;

    if (listener->path && lstat(listener->path, &st) == 0 && st.st_dev == listener->dev &&
        st.st_ino == listener->ino)
        unlink(listener->path);
}

static void remove_listener(struct qmp_listener *listener)
{
    timer_cancel(&listener->retry);
    loop_fd_remove(listener->qmp->loop, &listener->lfd);
    close(listener->lfd.fd);
    unlink_own(listener);
    free(listener->path);
    free(listener);
}

/* Only a socket is taken for stale: any other file of that name is somebody's. */
static int unlink_stale(const char *path)
{
    struct stat st;

    if (lstat(path, &st))
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISSOCK(st.st_mode))
        return -EEXIST;
    return unlink(path) && errno != ENOENT ? -errno : 0;
}

/* Made with mode 0600 from its first moment on: fchmod() before bind() sets what bind() creates. */
static int bind_private(int fd, const struct sockaddr_un *addr)
{
    if (fchmod(fd, 0600) || bind(fd, (const struct sockaddr *)addr, sizeof(*addr)))
        return -errno;
    return 0;
}

int qmp_listen_unix(struct qmp *qmp, const char *path, unsigned flags)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    char *copy;
    int fd, rc;

    if (!*path || strlen(path) >= sizeof(addr.sun_path))
        return -ENAMETOOLONG;
    memcpy(addr.sun_path, path, strlen(path) + 1);
    copy = strdup(path);
    if (!copy)
        return -ENOMEM;
    rc = unlink_stale(path);
    fd = rc ? -1 : socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (!rc && fd < 0)
        rc = -errno;
    if (!rc)
        rc = bind_private(fd, &addr);
    if (!rc) {
        rc = listen(fd, QMP_BACKLOG) ? -errno : add_listener(qmp, fd, copy, flags);
        if (!rc)
            return 0;
        unlink(path);
    }
    if (fd >= 0)
        close(fd);
    free(copy);
    return rc;
}

static int take_over(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) || fcntl(fd, F_SETFD, FD_CLOEXEC))
        return -errno;
    return 0;
}

int qmp_listen_fd(struct qmp *qmp, int fd, unsigned flags)
{
    socklen_t len = sizeof(int);
    int listening = 0, rc;

    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len))
        return -errno;
    if (!listening)
        return -EINVAL;
    rc = take_over(fd);
    return rc ? rc : add_listener(qmp, fd, NULL, flags);
}

int qmp_connect_fd(struct qmp *qmp, int fd, unsigned flags)
{
    int rc = take_over(fd);

    return rc ? rc : qmp_conn_open(qmp, NULL, fd, flags);
}

/* ---- the whole ------------------------------------------------------------------------------ */

void qmp_quit_now(struct qmp *qmp)
{
    timer_cancel(&qmp->quit);
    if (qmp->quit_done)
        return;
    qmp->quit_done = true;
    qmp->ops->quit(qmp->opaque);
}

static void quit_due(void *opaque)
{
    qmp_quit_now(opaque);
}

int qmp_create(struct qmp **out, struct loop *loop, const struct qmp_ops *ops, void *opaque)
{
    struct qmp *qmp = calloc(1, sizeof(*qmp));

    if (!qmp)
        return -ENOMEM;
    qmp->loop = loop;
    qmp->ops = ops;
    qmp->opaque = opaque;
    qmp->reap = (struct loop_work){.run = qmp_conn_reap, .opaque = qmp};
    timer_init(&qmp->quit, loop, CLOCK_HOST, quit_due, qmp);
    /* The parser knows the depth already; one more level keeps json-c's own limit out of it. */
    qmp->tokener = json_tokener_new_ex(QMP_DEPTH_MAX + 1);
    if (!qmp->tokener || fdsets_create(&qmp->fdsets)) {
        qmp_destroy(qmp);
        return -ENOMEM;
    }
    json_tokener_set_flags(qmp->tokener, JSON_TOKENER_STRICT);
    *out = qmp;
    return 0;
}

void qmp_destroy(struct qmp *qmp)
{
    if (!qmp)
        return;
    qmp->quit_done = true; /* it is the end already */
    timer_cancel(&qmp->quit);
    qmp_replies_disown(qmp);
    for (struct qmp_conn *conn = qmp->conns; conn; conn = conn->next)
        qmp_conn_close(conn);
    loop_defer_cancel(qmp->loop, &qmp->reap);
    qmp_conn_reap(qmp);
    while (qmp->listeners)
        remove_listener(qmp->listener[--qmp->listeners]);
    fdsets_destroy(qmp->fdsets);
    if (qmp->tokener)
        json_tokener_free(qmp->tokener);
    free(qmp);
}

void qmp_event(struct qmp *qmp, const char *name, const char *data)
{
    struct timespec now;
    char *text;
    int len;

    clock_gettime(CLOCK_REALTIME, &now);
    len = asprintf(&text,
                   "{\"timestamp\":{\"seconds\":%lld,\"microseconds\":%ld},\"event\":\"%s\"%s%s}",
                   (long long)now.tv_sec, now.tv_nsec / 1000, name, data ? ",\"data\":" : "",
                   data ? data : "");
    if (len < 0)
        return;
    for (struct qmp_conn *conn = qmp->conns; conn; conn = conn->next)
        if (conn->negotiated && !(conn->flags & QMP_NO_EVENTS))
            qmp_conn_send_text(conn, text, (size_t)len);
    free(text);
}

struct fdsets *qmp_fdsets(struct qmp *qmp)
{
    return qmp->fdsets;
}

unsigned qmp_connections(const struct qmp *qmp)
{
    return qmp->connections;
}
