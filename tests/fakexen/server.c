/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The thread that answers the libraries: handles, event channel files, xenstore. See rpc.h. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <xenevtchn.h>
#include "guest.h"
#include "rpc.h"
#include "store.h"

enum { CONNECTIONS = 64 };

struct connection {
    int fd, watch_fd; /* watch_fd: ours of the pair, -1 for the hypervisor side */
    uint32_t number;
};

struct server {
    struct guest *g;
    int listener;
    uint32_t next_number;
    struct connection connection[CONNECTIONS];
    struct rpc message;
};

static struct server server;

static void reply(struct connection *c, struct rpc *m, const int *fds, int nr_fds)
{
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(4 * sizeof(int))];
    } control;
    struct iovec iov = {.iov_base = m, .iov_len = RPC_HEAD + m->size};
    struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1};

    if (nr_fds) {
        struct cmsghdr *cmsg;

        memset(&control, 0, sizeof control);
        h.msg_control = &control;
        h.msg_controllen = CMSG_SPACE((size_t)nr_fds * sizeof(int));
        cmsg = CMSG_FIRSTHDR(&h);
        cmsg->cmsg_level = SOL_SOCKET;
        cmsg->cmsg_type = SCM_RIGHTS;
        cmsg->cmsg_len = CMSG_LEN((size_t)nr_fds * sizeof(int));
        memcpy(CMSG_DATA(cmsg), fds, (size_t)nr_fds * sizeof(int));
    }
    if (sendmsg(c->fd, &h, MSG_NOSIGNAL) < 0)
        return; /* it is gone; its end is seen by poll() */
}

static int handle_open(struct server *s, struct connection *c, struct rpc *m)
{
    struct hv *hv = s->g->hv;
    struct hv_view *v = &s->g->view;

    for (uint32_t i = 0; i < HV_HANDLES; i++) {
        if (hv->handle[i].used)
            continue;
        v->event_fd[i] = eventfd(0, EFD_CLOEXEC);
        if (v->event_fd[i] < 0)
            return errno;
        hv_lock(hv);
        hv->handle[i] = (struct hv_handle){.used = 1,
                                           .owner = c->number,
                                           .keep = !!(m->number & XENEVTCHN_NO_CLOEXEC),
                                           .eventfd_id = rpc_eventfd_id(v->event_fd[i])};
        hv_unlock(hv);
        m->number = i;
        return 0;
    }
    return EMFILE;
}

static void handle_drop(struct server *s, uint32_t i)
{
    struct hv_view *v = &s->g->view;

    hv_lock(s->g->hv);
    hv_handle_release(v, (int)i);
    hv_unlock(s->g->hv);
    if (v->event_fd[i] >= 0)
        close(v->event_fd[i]);
    v->event_fd[i] = -1;
}

static int handle_adopt(struct server *s, struct connection *c, struct rpc *m)
{
    for (uint32_t i = 0; i < HV_HANDLES; i++) {
        struct hv_handle *h = &s->g->hv->handle[i];

        if (!h->used || !m->wide || h->eventfd_id != m->wide)
            continue;
        h->owner = c->number;
        m->number = i;
        return 0;
    }
    return EINVAL;
}

/* A process is gone, or became another program: its files are closed unless they were kept across
 * exec. */
static void forget_connection(struct server *s, struct connection *c)
{
    for (uint32_t i = 0; i < HV_HANDLES; i++) {
        struct hv_handle *h = &s->g->hv->handle[i];

        if (!h->used || h->owner != c->number)
            continue;
        if (h->keep)
            h->owner = 0;
        else
            handle_drop(s, i);
    }
    if (c->watch_fd >= 0) {
        store_forget(s->g->store, c->watch_fd);
        close(c->watch_fd);
    }
    close(c->fd);
    c->fd = -1;
}

/* After the death of the device model itself nothing may keep a port. True while a connection's end
 * is still unseen. */
bool server_dm_died(struct guest *g)
{
    bool more = false;

    for (uint32_t i = 0; i < HV_HANDLES; i++) {
        if (!g->hv->handle[i].used)
            continue;
        if (g->hv->handle[i].owner)
            more = true;
        else
            handle_drop(&server, i);
    }
    return more;
}

static int store_call(struct server *s, struct connection *c, struct rpc *m)
{
    struct store *store = s->g->store;
    const char *path = m->data, *second;
    char *value = NULL;
    size_t length = strnlen(path, m->size), bytes = 0, rest;
    int rc;

    if (m->op != RPC_XS_BEGIN && m->op != RPC_XS_END && length == m->size)
        return EINVAL;
    second = path + length + 1;
    rest = m->size > length ? m->size - length - 1 : 0;
    if ((m->op == RPC_XS_WATCH || m->op == RPC_XS_UNWATCH) && strnlen(second, rest) == rest)
        return EINVAL;
    m->size = 0;
    switch (m->op) {
    case RPC_XS_READ:
        rc = store_read(store, m->number, path, &value, &bytes);
        if (!rc) {
            m->size = (uint32_t)(bytes < RPC_DATA ? bytes : RPC_DATA);
            memcpy(m->data, value, m->size);
        }
        free(value);
        return rc;
    case RPC_XS_WRITE:
        rc = store_write(store, m->number, path, second, rest);
        if (!rc && strstr(path, "device-model/") && rest == 7 && !memcmp(second, "running", 7))
            dm_told_running(s->g);
        return rc;
    case RPC_XS_MKDIR:
        return store_mkdir(store, m->number, path);
    case RPC_XS_RM:
        return store_remove(store, m->number, path);
    case RPC_XS_DIRECTORY:
    case RPC_XS_GET_PERMS: {
        char *own = strdup(path);

        bytes = RPC_DATA;
        if (!own)
            return ENOMEM;
        rc = m->op == RPC_XS_DIRECTORY ? store_list(store, m->number, own, m->data, &bytes)
                                       : store_get_perms(store, m->number, own, m->data, &bytes);
        free(own);
        m->size = rc ? 0 : (uint32_t)bytes;
        return rc;
    }
    case RPC_XS_SET_PERMS:
        return store_set_perms(store, m->number, path, second, rest);
    case RPC_XS_WATCH:
        return store_watch(store, c->watch_fd, path, second);
    case RPC_XS_UNWATCH:
        return store_unwatch(store, c->watch_fd, path, second);
    case RPC_XS_BEGIN:
        return store_begin(store, &m->number);
    case RPC_XS_END:
        return store_end(store, m->number, m->number2 != 0);
    default:
        return ENOSYS;
    }
}

static void serve(struct server *s, struct connection *c)
{
    struct rpc *m = &s->message;
    struct guest *g = s->g;
    ssize_t n = recv(c->fd, m, sizeof *m, 0);
    int fds[4], nr = 0, pair[2], room = 1 << 22;

    if (n < (ssize_t)RPC_HEAD || (size_t)n != RPC_HEAD + m->size) {
        forget_connection(s, c);
        return;
    }
    m->error = 0;
    switch (m->op) {
    case RPC_HELLO_HV:
        m->size = 0;
        fds[nr++] = g->hv_fd;
        fds[nr++] = g->view.frames_fd;
        fds[nr++] = g->view.hole_fd;
        fds[nr++] = g->view.irq_fd;
        break;
    case RPC_EVT_OPEN:
        m->error = handle_open(s, c, m);
        if (!m->error)
            fds[nr++] = g->view.event_fd[m->number];
        break;
    case RPC_EVT_CLOSE:
        if (m->number < HV_HANDLES && g->hv->handle[m->number].used)
            handle_drop(s, m->number);
        break;
    case RPC_EVT_ADOPT:
        m->error = handle_adopt(s, c, m);
        break;
    case RPC_HELLO_XS:
        m->size = 0;
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
            m->error = errno;
            break;
        }
        setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
        c->watch_fd = pair[0];
        fds[nr++] = pair[1];
        break;
    case RPC_XS_INTRODUCED:
        m->size = 0;
        m->number = m->number == g->hv->domid && !g->hv->dying;
        break;
    default:
        m->error = store_call(s, c, m);
    }
    reply(c, m, fds, nr);
    if (m->op == RPC_HELLO_XS && nr)
        close(fds[0]);
}

static void welcome(struct server *s)
{
    int fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC);

    for (int i = 0; fd >= 0 && i < CONNECTIONS; i++) {
        if (s->connection[i].fd >= 0)
            continue;
        s->connection[i] =
            (struct connection){.fd = fd, .watch_fd = -1, .number = ++s->next_number};
        return;
    }
    if (fd >= 0)
        close(fd);
}

static void *run(void *arg)
{
    struct server *s = arg;

    for (;;) {
        struct pollfd p[CONNECTIONS + 1] = {{.fd = s->listener, .events = POLLIN}};

        for (int i = 0; i < CONNECTIONS; i++)
            p[i + 1] = (struct pollfd){.fd = s->connection[i].fd, .events = POLLIN};
        if (poll(p, CONNECTIONS + 1, -1) < 0)
            continue;
        for (int i = 0; i < CONNECTIONS; i++)
            if (p[i + 1].revents && p[i + 1].fd == s->connection[i].fd)
                serve(s, &s->connection[i]);
        if (p[0].revents)
            welcome(s);
    }
    return NULL;
}

int server_start(struct guest *g, const char *path)
{
    struct sockaddr_un where = {.sun_family = AF_UNIX};
    pthread_t thread;

    if (strlen(path) >= sizeof where.sun_path)
        return -ENAMETOOLONG;
    strcpy(where.sun_path, path);
    server.g = g;
    for (int i = 0; i < CONNECTIONS; i++)
        server.connection[i].fd = -1;
    server.listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (server.listener < 0 || bind(server.listener, (struct sockaddr *)&where, sizeof where) < 0 ||
        listen(server.listener, 32) < 0)
        return -errno;
    return -pthread_create(&thread, NULL, run, &server);
}
