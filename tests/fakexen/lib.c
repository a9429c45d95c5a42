/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Connection of a device model process to the controller, and what every simulated call begins
 * with. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <xentoolcore.h>
#include "lib.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct hv_view view;
static int connection = -1;
static uint32_t restricted_to = UINT32_MAX;

int lib_connect(void)
{
    const char *path = getenv(RPC_ENV);
    struct sockaddr_un where = {.sun_family = AF_UNIX};
    int fd;

    if (!path || strlen(path) >= sizeof where.sun_path)
        return -ENOENT;
    strcpy(where.sun_path, path);
    fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (struct sockaddr *)&where, sizeof where) < 0) {
        int error = errno;

        close(fd);
        return -error;
    }
    return fd;
}

int lib_ask(int fd, struct rpc *message, int fds[4])
{
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(4 * sizeof(int))];
    } control;
    struct iovec iov = {.iov_base = message, .iov_len = RPC_HEAD + message->size};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
    struct cmsghdr *c;
    ssize_t n;

    do
        n = sendmsg(fd, &m, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    iov.iov_len = sizeof *message;
    m.msg_control = &control;
    m.msg_controllen = sizeof control;
    do
        n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    if ((size_t)n < RPC_HEAD)
        return -EBADF;
    for (int i = 0; fds && i < 4; i++)
        fds[i] = -1;
    c = CMSG_FIRSTHDR(&m);
    if (fds && c && c->cmsg_type == SCM_RIGHTS)
        memcpy(fds, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
    return -message->error;
}

static int attach(void)
{
    RPC_NOT_CLEARED struct rpc message;
    struct stat st;
    int fds[4], rc, fd = lib_connect();

    if (fd < 0)
        return fd;
    rpc_begin(&message, RPC_HELLO_HV);
    rc = lib_ask(fd, &message, fds);
    if (rc == 0 && fstat(fds[0], &st) == 0) {
        void *p = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fds[0], 0);

        rc = p == MAP_FAILED ? -errno : 0;
        close(fds[0]);
        view = (struct hv_view){
            .hv = rc ? NULL : p, .frames_fd = fds[1], .hole_fd = fds[2], .irq_fd = fds[3]};
        for (int i = 0; i < HV_HANDLES; i++)
            view.event_fd[i] = -1;
    }
    if (rc) {
        close(fd);
        return rc;
    }
    connection = fd;
    return 0;
}

struct hv_view *lib_view(void)
{
    int rc = 0;

    pthread_mutex_lock(&mutex);
    if (!view.hv)
        rc = attach();
    pthread_mutex_unlock(&mutex);
    if (rc) {
        errno = -rc;
        return NULL;
    }
    return &view;
}

int lib_ask_hv(struct rpc *message, int fds[4])
{
    int rc;

    if (!lib_view())
        return -errno;
    pthread_mutex_lock(&mutex);
    rc = lib_ask(connection, message, fds);
    pthread_mutex_unlock(&mutex);
    return rc;
}

int lib_enter(const char *name, uint32_t domid)
{
    struct hv_view *v = lib_view();

    if (!v)
        return -errno;
    if (restricted_to != UINT32_MAX && domid != restricted_to)
        return -EPERM;
    return hv_enter(v, name, domid);
}

int lib_enter_closed(const char *name)
{
    struct hv_view *v = lib_view();

    if (!v)
        return -errno;
    return lib_restricted() ? -ENOTTY : hv_fault(v, name);
}

int lib_result(int rc)
{
    if (rc >= 0)
        return rc;
    errno = -rc;
    return -1;
}

bool lib_restricted(void)
{
    return restricted_to != UINT32_MAX;
}

int lib_restrict(uint32_t domid)
{
    if (lib_restricted() && restricted_to != domid)
        return -EPERM;
    restricted_to = domid;
    return 0;
}

int xentoolcore_restrict_all(domid_t domid)
{
    struct hv_view *v = lib_view();
    int rc = v ? hv_fault(v, __func__) : -errno;

    if (!rc)
        rc = lib_restrict(domid);
    if (!rc) {
        hv_lock(v->hv);
        hv_log(v, HV_REC_RESTRICT, 0, domid, 0, 0, 0, 0);
        hv_unlock(v->hv);
        lib_store_restrict();
    }
    return lib_result(rc);
}
