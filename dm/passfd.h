/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * At most one descriptor beside the bytes of a message on a Unix socket (SCM_RIGHTS, unix(7)). Here
 * whole, so that the programs beside slimdm need nothing of it to be linked.
 */
#ifndef DM_PASSFD_H
#define DM_PASSFD_H

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

/* sendmsg(2) with `fd`, which stays the caller's, or with none if it is negative. No SIGPIPE. */
static inline ssize_t passfd_send(int socket, const void *data, size_t size, int fd, int flags)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec iov = {(void *)data, size};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    ssize_t n;

    if (fd >= 0) {
        msg.msg_control = &control;
        msg.msg_controllen = sizeof(control);
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(&control.header), &fd, sizeof(int));
    }
    do {
        n = sendmsg(socket, &msg, flags | MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    return n;
}

/*
 * recvmsg(2). *fd is the descriptor that came along, close-on-exec and the caller's from now on, or
 * -1. If there were more, the kernel has closed them: there is no room. *got, unless NULL, tells
 * what was cut off, as MSG_TRUNC and MSG_CTRUNC.
 */
static inline ssize_t passfd_receive(int socket, void *data, size_t size, int *fd, int flags,
                                     int *got)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_LEN(sizeof(int))]; /* not CMSG_SPACE: a second one would fit into that */
    } control;
    struct iovec iov = {data, size};
    struct msghdr msg;
    ssize_t n;

    do {
        msg = (struct msghdr){.msg_iov = &iov,
                              .msg_iovlen = 1,
                              .msg_control = &control,
                              .msg_controllen = CMSG_LEN(sizeof(int))};
        n = recvmsg(socket, &msg, flags | MSG_CMSG_CLOEXEC);
    } while (n < 0 && errno == EINTR);
    *fd = -1;
    if (n >= 0 && CMSG_FIRSTHDR(&msg) && control.header.cmsg_level == SOL_SOCKET &&
        control.header.cmsg_type == SCM_RIGHTS && control.header.cmsg_len == CMSG_LEN(sizeof(int)))
        memcpy(fd, CMSG_DATA(&control.header), sizeof(int));
    if (got)
        *got = n < 0 ? 0 : msg.msg_flags;
    return n;
}

#endif
