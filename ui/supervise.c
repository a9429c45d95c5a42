/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * slimdm-supervise: starts the front-ends of one guest, and starts them again when they end.
 *
 *     waiting --GO--> running --exit--> resting --pause over--> running
 *
 * See ui/supervise_proto.h. It reads nothing but its command line and messages of the core, and has
 * no privilege: what it may do, the front-ends may do as well before they sandbox themselves.
 */
#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "dm/passfd.h"
#include "ui/frontend_proto.h"
#include "ui/supervise_proto.h"

/* Pauses before a restart: each twice as long as the last, until one has run well for a while. */
#define PAUSE_FIRST_MS 100
#define PAUSE_MAX_MS   30000
#define RAN_WELL_MS    30000

struct program {
    char **argv;
    pid_t pid;        /* 0: resting */
    int64_t start_at; /* ms; when it rests: when to start it */
    int64_t started;
    int pause_ms;
};

struct supervisor {
    struct program program[SUPERVISE_PROGRAMS_MAX];
    uint32_t count;
    bool going;
    int signals;
};

static int64_t now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void complain(const char *what, const char *object)
{
    fprintf(stderr, "slimdm-supervise: %s %s: %s\n", what, object, strerror(errno));
}

/* ---- to the core ---------------------------------------------------------------------------- */

/* The core never lets its socket fill up; if it does, it is at its end. */
static void tell(const struct supervise_message *message, int fd)
{
    if (passfd_send(SUPERVISE_FD, message, sizeof(*message), fd, 0) < 0 && errno != EPIPE)
        complain("cannot tell", "the device model");
}

/* ---- programs ------------------------------------------------------------------------------- */

static void become(struct program *program, int channel)
{
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (dup2(channel, FRONTEND_FD) == FRONTEND_FD)
        execv(program->argv[0], program->argv);
    complain("cannot run", program->argv[0]);
    _exit(127);
}

static void rest(struct program *program)
{
    int64_t now = now_ms();

    if (now - program->started >= RAN_WELL_MS || program->pause_ms == 0)
        program->pause_ms = PAUSE_FIRST_MS;
    else if (program->pause_ms < PAUSE_MAX_MS)
        program->pause_ms =
            program->pause_ms * 2 < PAUSE_MAX_MS ? program->pause_ms * 2 : PAUSE_MAX_MS;
    program->start_at = now + program->pause_ms;
    program->pid = 0;
}

static void start(struct supervisor *s, uint32_t index)
{
    struct program *program = &s->program[index];
    int pair[2];
    pid_t pid;

    program->started = now_ms();
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair)) {
        complain("no socket for", program->argv[0]);
        rest(program);
        return;
    }
    pid = fork();
    if (pid == 0)
        become(program, pair[1]);
    close(pair[1]);
    if (pid > 0) {
        struct supervise_message m = {SUPERVISE_CHANNEL, index, pid, 0};

        program->pid = pid;
        tell(&m, pair[0]);
    } else {
        complain("no process for", program->argv[0]);
        rest(program);
    }
    close(pair[0]);
}

static void reap(struct supervisor *s)
{
    struct signalfd_siginfo info;
    int status;
    pid_t pid;

    while (read(s->signals, &info, sizeof(info)) == sizeof(info))
        ;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        for (uint32_t i = 0; i < s->count; i++) {
            struct supervise_message m = {SUPERVISE_EXITED, i, pid, status};

            if (s->program[i].pid != pid)
                continue;
            rest(&s->program[i]);
            tell(&m, -1);
        }
    }
}

/* ---- from the core -------------------------------------------------------------------------- */

/* false at the core's end. */
static bool obey(struct supervisor *s)
{
    struct supervise_message m;
    ssize_t n = recv(SUPERVISE_FD, &m, sizeof(m), 0);

    if (n < 0 && errno == EINTR)
        return true;
    if (n <= 0)
        return false;
    if (n != sizeof(m))
        return true;
    if (m.type == SUPERVISE_GO && !s->going) {
        s->going = true;
        for (uint32_t i = 0; i < s->count; i++)
            start(s, i);
    } else if (m.type == SUPERVISE_KILL && m.program < s->count && s->program[m.program].pid) {
        kill(s->program[m.program].pid, SIGKILL);
    }
    return true;
}

/* Milliseconds until the next one is to be started, after starting those that are due. */
static int start_due(struct supervisor *s)
{
    int64_t now = now_ms(), next = -1;

    if (!s->going)
        return -1;
    for (uint32_t i = 0; i < s->count; i++) {
        struct program *program = &s->program[i];

        if (!program->pid && program->start_at <= now)
            start(s, i);
        if (!program->pid && (next < 0 || program->start_at - now < next))
            next = program->start_at - now;
    }
    return (int)next;
}

static void run(struct supervisor *s)
{
    struct pollfd pfd[2] = {{SUPERVISE_FD, POLLIN, 0}, {s->signals, POLLIN, 0}};

    for (;;) {
        if (poll(pfd, 2, start_due(s)) < 0 && errno != EINTR)
            return;
        if (pfd[1].revents)
            reap(s);
        if (pfd[0].revents && !obey(s))
            return;
    }
}

/* ---- start ---------------------------------------------------------------------------------- */

static int change_user(const char *ids)
{
    char *end;
    gid_t gid;
    uid_t uid = (uid_t)strtoul(ids, &end, 10);

    if (*end != ':') {
        errno = EINVAL;
        return -1;
    }
    gid = (gid_t)strtoul(end + 1, &end, 10);
    return setgroups(1, &gid) || setresgid(gid, gid, gid) || setresuid(uid, uid, uid) ? -1 : 0;
}

/* Cuts the rest of the command line at each "--". */
static int take_programs(struct supervisor *s, char **arg)
{
    while (*arg) {
        if (strcmp(*arg, "--") != 0 || !arg[1] || s->count == SUPERVISE_PROGRAMS_MAX)
            return -1;
        *arg++ = NULL;
        s->program[s->count++].argv = arg;
        while (*arg && strcmp(*arg, "--") != 0)
            arg++;
    }
    return s->count ? 0 : -1;
}

int main(int argc, char **argv)
{
    struct supervisor s = {0};
    char **arg = argv + 1;
    sigset_t set;

    if (arg[0] && strcmp(arg[0], "--user") == 0 && arg[1]) {
        if (change_user(arg[1])) {
            complain("cannot change to the user", arg[1]);
            return 1;
        }
        arg += 2;
    }
    if (!arg[0] || take_programs(&s, arg)) {
        fputs("slimdm-supervise is started by slimdm\n", stderr);
        return 1;
    }
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_SETMASK, &set, NULL);
    s.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (s.signals < 0) {
        complain("no descriptor for", "signals");
        return 1;
    }
    run(&s);
    for (uint32_t i = 0; i < s.count; i++)
        if (s.program[i].pid)
            kill(s.program[i].pid, SIGKILL);
    return 0;
}
