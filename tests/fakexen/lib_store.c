/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libxenstore.so.4: every operation is one question to the controller, which holds the tree. */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <xenstore.h>
#include "lib.h"

struct xs_handle {
    pthread_mutex_t mutex;
    int fd, watch_fd;
    struct rpc message;
    struct xs_handle *next;
};

static pthread_mutex_t list_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct xs_handle *handles;

struct xs_handle *xs_open(unsigned long flags)
{
    struct hv_view *v = lib_view();
    struct xs_handle *h;
    int fds[4], rc = v ? hv_fault(v, __func__) : -errno;

    if (!rc && lib_restricted())
        rc = -EACCES;
    h = rc ? NULL : calloc(1, sizeof *h);
    if (!h) {
        errno = rc ? -rc : ENOMEM;
        return NULL;
    }
    pthread_mutex_init(&h->mutex, NULL);
    h->fd = lib_connect();
    h->message.op = RPC_HELLO_XS;
    rc = h->fd < 0 ? h->fd : lib_ask(h->fd, &h->message, fds);
    if (rc) {
        if (h->fd >= 0)
            close(h->fd);
        free(h);
        errno = -rc;
        return NULL;
    }
    h->watch_fd = fds[0];
    pthread_mutex_lock(&list_mutex);
    h->next = handles;
    handles = h;
    pthread_mutex_unlock(&list_mutex);
    return h;
}

struct xs_handle *xs_daemon_open(void)
{
    return xs_open(0);
}

struct xs_handle *xs_daemon_open_readonly(void)
{
    return xs_open(0);
}

struct xs_handle *xs_domain_open(void)
{
    return xs_open(0);
}

void xs_close(struct xs_handle *h)
{
    struct xs_handle **at;

    if (!h)
        return;
    pthread_mutex_lock(&list_mutex);
    for (at = &handles; *at && *at != h; at = &(*at)->next)
        ;
    if (*at)
        *at = h->next;
    pthread_mutex_unlock(&list_mutex);
    close(h->fd);
    close(h->watch_fd);
    pthread_mutex_destroy(&h->mutex);
    free(h);
}

void xs_daemon_close(struct xs_handle *h)
{
    xs_close(h);
}

void xs_daemon_destroy_postfork(struct xs_handle *h)
{
    xs_close(h);
}

/* A restricted process keeps its descriptors, but they lead nowhere. */
void lib_store_restrict(void)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    pthread_mutex_lock(&list_mutex);
    for (struct xs_handle *h = handles; h && null >= 0; h = h->next) {
        dup3(null, h->fd, O_CLOEXEC);
        dup3(null, h->watch_fd, O_CLOEXEC);
    }
    pthread_mutex_unlock(&list_mutex);
    if (null >= 0)
        close(null);
}

/* Asks with up to two strings and a block of bytes; the answer stays in h->message until the caller
 * unlocks. */
static bool ask(struct xs_handle *h, const char *name, uint32_t op, uint32_t number,
                const char *path, const void *data, size_t bytes)
{
    struct hv_view *v = lib_view();
    size_t length = path ? strlen(path) + 1 : 0;
    int rc;

    pthread_mutex_lock(&h->mutex);
    rc = v ? hv_fault(v, name) : -errno;
    if (!rc && lib_restricted())
        rc = -EBADF;
    if (!rc && (length > XENSTORE_ABS_PATH_MAX || bytes > XENSTORE_PAYLOAD_MAX))
        rc = -E2BIG;
    if (!rc) {
        h->message.op = op;
        h->message.number = number;
        h->message.size = (uint32_t)(length + bytes);
        if (length)
            memcpy(h->message.data, path, length);
        if (bytes)
            memcpy(h->message.data + length, data, bytes);
        rc = lib_ask(h->fd, &h->message, NULL);
    }
    if (!rc)
        return true;
    errno = -rc;
    return false;
}

static bool finish(struct xs_handle *h, bool ok)
{
    int saved = errno;

    pthread_mutex_unlock(&h->mutex);
    errno = saved;
    return ok;
}

void *xs_read(struct xs_handle *h, xs_transaction_t t, const char *path, unsigned int *len)
{
    char *value = NULL;
    bool ok = ask(h, __func__, RPC_XS_READ, t, path, NULL, 0);

    if (ok)
        value = malloc(h->message.size + 1);
    if (value) {
        memcpy(value, h->message.data, h->message.size);
        value[h->message.size] = 0;
        if (len)
            *len = h->message.size;
    }
    finish(h, ok);
    return value;
}

bool xs_write(struct xs_handle *h, xs_transaction_t t, const char *path, const void *data,
              unsigned int len)
{
    return finish(h, ask(h, __func__, RPC_XS_WRITE, t, path, data, len));
}

bool xs_mkdir(struct xs_handle *h, xs_transaction_t t, const char *path)
{
    return finish(h, ask(h, __func__, RPC_XS_MKDIR, t, path, NULL, 0));
}

bool xs_rm(struct xs_handle *h, xs_transaction_t t, const char *path)
{
    return finish(h, ask(h, __func__, RPC_XS_RM, t, path, NULL, 0));
}

/* One allocation holds the array of pointers and the names behind it, as callers free() only the
 * array. */
static char **split(const char *data, size_t bytes, unsigned int *num)
{
    unsigned int n = 0;
    char **list, *text;

    for (size_t i = 0; i < bytes; i++)
        n += !data[i];
    list = malloc((n + 1) * sizeof *list + bytes);
    if (!list)
        return NULL;
    text = (char *)(list + n + 1);
    memcpy(text, data, bytes);
    for (unsigned int i = 0; i < n; i++) {
        list[i] = text;
        text += strlen(text) + 1;
    }
    list[n] = NULL;
    *num = n;
    return list;
}

char **xs_directory(struct xs_handle *h, xs_transaction_t t, const char *path, unsigned int *num)
{
    char **list = NULL;
    bool ok = ask(h, __func__, RPC_XS_DIRECTORY, t, path, NULL, 0);

    if (ok)
        list = split(h->message.data, h->message.size, num);
    finish(h, ok);
    return list;
}

struct xs_permissions *xs_get_permissions(struct xs_handle *h, xs_transaction_t t, const char *path,
                                          unsigned int *num)
{
    struct xs_permissions *perms = NULL;
    bool ok = ask(h, __func__, RPC_XS_GET_PERMS, t, path, NULL, 0);

    if (ok)
        perms = malloc(h->message.size + 1);
    if (perms) {
        memcpy(perms, h->message.data, h->message.size);
        *num = h->message.size / (unsigned int)sizeof *perms;
    }
    finish(h, ok);
    return perms;
}

bool xs_set_permissions(struct xs_handle *h, xs_transaction_t t, const char *path,
                        struct xs_permissions *perms, unsigned int num_perms)
{
    return finish(h, ask(h, __func__, RPC_XS_SET_PERMS, t, path, perms, num_perms * sizeof *perms));
}

bool xs_watch(struct xs_handle *h, const char *path, const char *token)
{
    return finish(h, ask(h, __func__, RPC_XS_WATCH, 0, path, token, strlen(token) + 1));
}

bool xs_unwatch(struct xs_handle *h, const char *path, const char *token)
{
    return finish(h, ask(h, __func__, RPC_XS_UNWATCH, 0, path, token, strlen(token) + 1));
}

int xs_fileno(struct xs_handle *h)
{
    return h->watch_fd;
}

static char **take_watch(struct xs_handle *h, int flags, unsigned int *num)
{
    char text[XENSTORE_ABS_PATH_MAX * 2];
    ssize_t n;

    if (lib_restricted()) {
        errno = EBADF;
        return NULL;
    }
    do
        n = recv(h->watch_fd, text, sizeof text, flags);
    while (n < 0 && errno == EINTR && !flags);
    if (n == 0)
        errno = EBADF;
    return n <= 0 ? NULL : split(text, (size_t)n, num);
}

char **xs_check_watch(struct xs_handle *h)
{
    unsigned int num;

    return take_watch(h, MSG_DONTWAIT, &num);
}

char **xs_read_watch(struct xs_handle *h, unsigned int *num)
{
    return take_watch(h, 0, num);
}

xs_transaction_t xs_transaction_start(struct xs_handle *h)
{
    bool ok = ask(h, __func__, RPC_XS_BEGIN, 0, NULL, NULL, 0);
    xs_transaction_t t = ok ? h->message.number : XBT_NULL;

    finish(h, ok);
    return t;
}

bool xs_transaction_end(struct xs_handle *h, xs_transaction_t t, bool abort)
{
    h->message.number2 = abort;
    return finish(h, ask(h, __func__, RPC_XS_END, t, NULL, NULL, 0));
}

char *xs_get_domain_path(struct xs_handle *h, unsigned int domid)
{
    char *path;

    return asprintf(&path, "/local/domain/%u", domid) < 0 ? NULL : path;
}

bool xs_path_is_subpath(const char *parent, const char *child)
{
    size_t n = strlen(parent);

    return !strncmp(parent, child, n) && (!child[n] || child[n] == '/' || parent[n - 1] == '/');
}

bool xs_is_domain_introduced(struct xs_handle *h, unsigned int domid)
{
    bool ok = ask(h, __func__, RPC_XS_INTRODUCED, domid, NULL, NULL, 0);
    bool yes = ok && h->message.number;

    finish(h, ok);
    return yes;
}

bool xs_restrict(struct xs_handle *h, unsigned domid)
{
    return false;
}
