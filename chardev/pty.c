/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A pseudo terminal. We have the master; `xl console -t serial` and others open the slave, any
 * number of times, and go again.
 *
 * A master whose slave nobody has open reports a hang-up for as long as that lasts, and the kernel
 * tells nobody when it ends. Probing it now and then would wake an idle process for nothing, and
 * holding a slave open ourselves would hide whether anyone listens. So the master is not watched
 * then: inotify on the slave's name tells of every open and close, and the hang-up flag of the
 * master says which state that has led to. Where inotify is not to be had (its instances are
 * limited per user) we do hold the slave open: then all output counts as listened to, and what is
 * left is the rule on readers that do not read.
 *
 * Raw mode is set on the master's side, which reaches the slave's line discipline whether it is
 * open or not; again after each reader, for whatever it may have left behind.
 */
#include "chardev/backend.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "dm/log.h"

/*
 * Programs set up a terminal right after they open it, many with TCSAFLUSH, which throws away what
 * has arrived; stty opens it for nothing else. What was kept for a reader waits for that long.
 */
#define SETTLE_NS 30000000u

struct pty {
    struct chardev chr;
    int notify; /* inotify, or -1 */
    int slave;  /* held open where there is no inotify, else -1 */
    struct loop_fd notify_watch;
    struct timer settle;
    bool present; /* somebody has the slave open */
};

static void make_raw(int fd)
{
    struct termios tio;

    if (tcgetattr(fd, &tio))
        return;
    cfmakeraw(&tio);
    tcsetattr(fd, TCSANOW, &tio);
}

static void settled(void *opaque)
{
    struct pty *pty = opaque;

    chardev_set_peer(&pty->chr, pty->chr.readable, pty->present);
}

/* Looks at who is there. Input that a reader has left behind is still read. */
static void look(struct pty *pty)
{
    struct pollfd pfd = {.fd = pty->chr.rfd, .events = POLLIN};
    bool present;

    if (poll(&pfd, 1, 0) < 0)
        return;
    present = !(pfd.revents & POLLHUP);
    if (present && !pty->present) {
        timer_arm(&pty->settle, loop_now(pty->chr.loop, CLOCK_HOST) + SETTLE_NS);
        chardev_set_peer(&pty->chr, true, false);
    } else if (!present) {
        if (pty->present)
            make_raw(pty->chr.rfd);
        timer_cancel(&pty->settle);
        chardev_set_peer(&pty->chr, pfd.revents & POLLIN, false);
    }
    pty->present = present;
}

static void slave_used(void *opaque, uint32_t events)
{
    struct pty *pty = opaque;
    char buf[4096] __attribute__((aligned(8)));

    while (read(pty->notify, buf, sizeof(buf)) > 0)
        ;
    look(pty);
}

static void pty_hangup(struct chardev *chr, bool reading)
{
    struct pty *pty = (struct pty *)chr;

    if (pty->slave >= 0)
        chardev_set_peer(chr, chr->readable && !reading, false);
    else
        look(pty);
}

static void pty_destroy(struct chardev *chr)
{
    struct pty *pty = (struct pty *)chr;

    timer_cancel(&pty->settle);
    loop_fd_remove(chr->loop, &pty->notify_watch);
    if (pty->notify >= 0)
        close(pty->notify);
    if (pty->slave >= 0)
        close(pty->slave);
}

static const struct chardev_backend pty_backend = {
    .name = "pty", .hangup = pty_hangup, .destroy = pty_destroy};

static int watch_slave(struct pty *pty, const char *name)
{
    struct loop *loop = pty->chr.loop;

    pty->notify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (pty->notify < 0 || inotify_add_watch(pty->notify, name, IN_OPEN | IN_CLOSE) < 0)
        return -errno;
    return loop_fd_add(loop, &pty->notify_watch, pty->notify, EPOLLIN, slave_used, pty);
}

static int open_slave(const char *name)
{
    int fd = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC | O_NOFOLLOW);

    if (fd < 0)
        return -errno;
    /* Group tty may write to terminals; nobody else is to speak to a guest's console. */
    if (fchmod(fd, 0600)) {
        int rc = -errno;

        close(fd);
        return rc;
    }
    return fd;
}

static int set_up(struct pty *pty)
{
    char name[64];
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    int slave, rc;

    if (master < 0)
        return -errno;
    chardev_set_fds(&pty->chr, master, master);
    if (grantpt(master) || unlockpt(master))
        return -errno;
    rc = ptsname_r(master, name, sizeof(name));
    if (rc)
        return -rc;
    rc = chardev_set_nonblock(master);
    if (rc)
        return rc;
    make_raw(master);
    /* Also starts the master's life: before the first open of a slave it reports no hang-up. */
    slave = open_slave(name);
    if (slave < 0)
        return slave;
    rc = watch_slave(pty, name);
    if (rc == 0) {
        close(slave);
    } else {
        log_warn("%s: no inotify (error %d): nobody can be seen leaving %s", pty->chr.label, -rc,
                 name);
        pty->slave = slave;
        chardev_set_peer(&pty->chr, true, true);
    }
    snprintf(pty->chr.filename, sizeof(pty->chr.filename), "pty:%s", name);
    log_info("%s: pseudo terminal %s", pty->chr.label, name);
    return 0;
}

int chardev_open_pty(struct chardev **out, struct loop *loop, const struct chardev_config *config)
{
    struct chardev *chr =
        chardev_alloc(sizeof(struct pty), &pty_backend, loop, NULL, config->label);
    struct pty *pty = (struct pty *)chr;
    int rc;

    if (!chr)
        return -ENOMEM;
    pty->notify = pty->slave = -1;
    timer_init(&pty->settle, loop, CLOCK_HOST, settled, pty);
    rc = set_up(pty);
    if (rc) {
        log_error("%s: no pseudo terminal: error %d", config->label, -rc);
        chardev_destroy(chr);
        return rc;
    }
    *out = chr;
    return 0;
}
