/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The supervisor, which starts front-ends and starts them again: how it is started itself, and what
 * it tells. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dm/log.h"
#include "dm/passfd.h"
#include "ui/frontend_private.h"
#include "ui/supervise_proto.h"

/* ---- its words ------------------------------------------------------------------------------- */

void frontend_kill(struct frontend *fe)
{
    struct supervise_message m = {.type = SUPERVISE_KILL, .program = fe->index};

    if (fe->hub->supervisor >= 0)
        send(fe->hub->supervisor, &m, sizeof(m), MSG_DONTWAIT | MSG_NOSIGNAL);
}

void frontends_go(struct frontends *hub)
{
    struct supervise_message m = {.type = SUPERVISE_GO};

    if (hub && hub->supervisor >= 0)
        send(hub->supervisor, &m, sizeof(m), MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void tell_end(const struct frontend *fe, int pid, int status)
{
    if (WIFSIGNALED(status))
        log_guest("%s (process %d) was ended by signal %d; it is started again", fe->name, pid,
                  WTERMSIG(status));
    else
        log_guest("%s (process %d) has ended with status %d; it is started again", fe->name, pid,
                  WEXITSTATUS(status));
}

static void supervisor_gone(struct frontends *hub)
{
    log_warn("slimdm-supervise has ended: front-ends that end are not started again");
    supervisor_close(hub);
}

static void supervisor_news(void *opaque, uint32_t events)
{
    struct frontends *hub = opaque;
    struct supervise_message m;
    int fd;
    ssize_t n = passfd_receive(hub->supervisor, &m, sizeof(m), &fd, MSG_DONTWAIT, NULL);

    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        supervisor_gone(hub);
    if (n == sizeof(m) && m.program < hub->count) {
        if (m.type == SUPERVISE_CHANNEL && fd >= 0) {
            frontends_attach(hub, m.program, fd, m.pid);
            return;
        }
        if (m.type == SUPERVISE_EXITED)
            tell_end(&hub->frontend[m.program], m.pid, m.status);
    }
    if (fd >= 0)
        close(fd);
}

void supervisor_close(struct frontends *hub)
{
    if (hub->supervisor < 0)
        return;
    loop_fd_remove(hub->loop, &hub->supervisor_fd);
    close(hub->supervisor);
    hub->supervisor = -1;
    waitpid(hub->supervisor_pid, NULL, WNOHANG);
}

/* ---- its start ------------------------------------------------------------------------------- */

/* Beginning a program takes longer than the rest of what viewers need, and only the thread that
 * does it has to wait for it. */
struct launch {
    pthread_t thread;
    bool threaded;
    char supervisor[256], user[32];
    const char **argv;
    int control;
    int fds[SUPERVISE_FDS_MAX];
    size_t fd_count;
    pid_t pid;
    int rc;
};

/* The supervisor's command line; see ui/supervise_proto.h. The strings stay where they are. */
static const char **supervisor_argv(const struct frontends *hub, const struct launch *launch)
{
    size_t count = 4, n = 0;
    const char **argv;

    for (unsigned i = 0; i < hub->count; i++, count++)
        for (char **arg = hub->frontend[i].argv; *arg; arg++)
            count++;
    argv = calloc(count, sizeof(*argv));
    if (!argv)
        return NULL;
    argv[n++] = launch->supervisor;
    if (launch->user[0]) {
        argv[n++] = "--user";
        argv[n++] = launch->user;
    }
    for (unsigned i = 0; i < hub->count; i++) {
        argv[n++] = "--";
        for (char **arg = hub->frontend[i].argv; *arg; arg++)
            argv[n++] = *arg;
    }
    return argv;
}

/* Descriptors first go out of the way of the numbers that they are to get. */
#define ASIDE 64

static int arrange_fds(posix_spawn_file_actions_t *actions, int control, const int *fds,
                       size_t count)
{
    int rc = posix_spawn_file_actions_adddup2(actions, control, ASIDE);

    for (size_t i = 0; i < count && !rc; i++)
        rc = posix_spawn_file_actions_adddup2(actions, fds[i], ASIDE + 1 + (int)i);
    for (int i = 0; i <= (int)count && !rc; i++)
        rc = posix_spawn_file_actions_adddup2(actions, ASIDE + i, SUPERVISE_FD + i);
    if (!rc)
        rc = posix_spawn_file_actions_addclosefrom_np(actions, SUPERVISE_FD + 1 + (int)count);
    return -rc;
}

/* Its signals are as they were before the loop took them. */
static int reset_signals(posix_spawnattr_t *attr)
{
    sigset_t none, usual;
    int rc;

    sigemptyset(&none);
    sigemptyset(&usual);
    sigaddset(&usual, SIGPIPE);
    sigaddset(&usual, SIGXFSZ);
    rc = posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    if (!rc)
        rc = posix_spawnattr_setsigmask(attr, &none);
    if (!rc)
        rc = posix_spawnattr_setsigdefault(attr, &usual);
    return -rc;
}

static int spawn(pid_t *pid, const char **argv, int control, const int *fds, size_t count)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    int rc;

    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attr);
    rc = arrange_fds(&actions, control, fds, count);
    if (!rc)
        rc = reset_signals(&attr);
    if (!rc)
        rc = -posix_spawn(pid, argv[0], &actions, &attr, (char **)argv, environ);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&actions);
    return rc;
}

static void *do_launch(void *opaque)
{
    struct launch *launch = opaque;

    launch->rc = spawn(&launch->pid, launch->argv, launch->control, launch->fds, launch->fd_count);
    return NULL;
}

int frontends_launch(struct frontends *hub, const char *supervisor, const char *user,
                     const int *fds, size_t fd_count)
{
    struct launch *launch;
    int pair[2], rc;

    if (fd_count > SUPERVISE_FDS_MAX)
        return -EINVAL;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
        return -errno;
    launch = calloc(1, sizeof(*launch));
    if (launch) {
        snprintf(launch->supervisor, sizeof(launch->supervisor), "%s", supervisor);
        snprintf(launch->user, sizeof(launch->user), "%s", user ? user : "");
        launch->argv = supervisor_argv(hub, launch);
    }
    rc = launch && launch->argv
             ? loop_fd_add(hub->loop, &hub->supervisor_fd, pair[0], EPOLLIN, supervisor_news, hub)
             : -ENOMEM;
    if (rc) {
        free(launch ? launch->argv : NULL);
        free(launch);
        close(pair[0]);
        close(pair[1]);
        return rc;
    }
    hub->supervisor = pair[0];
    hub->launch = launch;
    launch->control = pair[1];
    launch->fd_count = fd_count;
    memcpy(launch->fds, fds, fd_count * sizeof(*fds));
    launch->threaded = pthread_create(&launch->thread, NULL, do_launch, launch) == 0;
    if (!launch->threaded)
        do_launch(launch);
    return 0;
}

int frontends_launched(struct frontends *hub)
{
    struct launch *launch = hub->launch;
    int rc;

    if (!launch)
        return 0;
    if (launch->threaded)
        pthread_join(launch->thread, NULL);
    rc = launch->rc;
    hub->supervisor_pid = launch->pid;
    hub->launch = NULL;
    close(launch->control);
    free(launch->argv);
    free(launch);
    return rc;
}
