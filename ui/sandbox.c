/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ui/sandbox.h"

#include <errno.h>
#include <grp.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "dm/sanitized.h"
#include "dm/seccomp/no_code.h"

#define NOBODY         65534
#define DESCRIPTORS    128
#define MEMORY_MAX     (1ul << 30)
#define DESCRIPTOR_TOP 1024

/* Read and write what is open, take viewers, wait, tell the time, manage memory, end. */
static const int allowed[] = {
    SCMP_SYS(read),
    SCMP_SYS(write),
    SCMP_SYS(readv),
    SCMP_SYS(writev),
    SCMP_SYS(recvfrom),
    SCMP_SYS(recvmsg),
    SCMP_SYS(sendto),
    SCMP_SYS(sendmsg),
    SCMP_SYS(accept4),
    SCMP_SYS(close),
    SCMP_SYS(shutdown),
    SCMP_SYS(socketpair),
    SCMP_SYS(getsockopt),
    SCMP_SYS(setsockopt),
    SCMP_SYS(getpeername),
    SCMP_SYS(getsockname),
    SCMP_SYS(fcntl),
    SCMP_SYS(fstat),
    SCMP_SYS(newfstatat),
    SCMP_SYS(epoll_wait),
    SCMP_SYS(epoll_pwait),
    SCMP_SYS(epoll_ctl),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(select),
    SCMP_SYS(pselect6),
    SCMP_SYS(futex),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(brk),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(time),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(nanosleep),
    SCMP_SYS(sched_yield),
    SCMP_SYS(getrandom),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(uname),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(sched_getaffinity),
};

int sandbox_close_others(const int *keep, size_t count)
{
    int from = STDERR_FILENO + 1;

    for (int fd = from; fd <= DESCRIPTOR_TOP; fd++) {
        bool kept = fd == DESCRIPTOR_TOP;

        for (size_t i = 0; i < count; i++)
            kept |= keep[i] == fd;
        if (!kept)
            continue;
        /* The gap before it; after the last one, all. */
        if (fd == DESCRIPTOR_TOP)
            return close_range((unsigned)from, ~0u, 0) ? -errno : 0;
        if (fd > from && close_range((unsigned)from, (unsigned)fd - 1, 0))
            return -errno;
        from = fd + 1;
    }
    return 0;
}

static int limit(int resource, rlim_t value)
{
    struct rlimit now;

    if (getrlimit(resource, &now))
        return -errno;
    now.rlim_cur = now.rlim_cur < value ? now.rlim_cur : value;
    now.rlim_max = now.rlim_cur;
    return setrlimit(resource, &now) ? -errno : 0;
}

static int drop_root(void)
{
    const gid_t group = NOBODY;

    if (geteuid() != 0)
        return 0;
    if (setgroups(1, &group) || setresgid(NOBODY, NOBODY, NOBODY) ||
        setresuid(NOBODY, NOBODY, NOBODY))
        return -errno;
    return setuid(0) == 0 ? -EPERM : 0;
}

static int allow(scmp_filter_ctx ctx, const struct sandbox_rule *rule)
{
    return seccomp_rule_add(
        ctx, SCMP_ACT_ALLOW, rule->call, rule->mask ? 1 : 0,
        SCMP_CMP64(rule->argument, SCMP_CMP_MASKED_EQ, rule->mask, rule->value));
}

static int filter_calls(const struct sandbox_rule *more, size_t count)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    int rc = ctx ? seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1) : -ENOMEM;

    for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]) && !rc; i++)
        rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, allowed[i], 0);
    for (size_t i = 0; i < count && !rc; i++)
        rc = allow(ctx, &more[i]);
    if (!rc)
        rc = seccomp_no_code(ctx);
    /* Asking for a limit, not setting one. */
    if (!rc)
        rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 1,
                              SCMP_A2(SCMP_CMP_EQ, 0, 0));
    if (!rc)
        rc = seccomp_load(ctx);
    if (ctx)
        seccomp_release(ctx);
    return rc;
}

static int done(const char *program, const char *what, int rc)
{
    if (rc)
        fprintf(stderr, "%s: sandbox: cannot %s: %s\n", program, what, strerror(-rc));
    return rc;
}

int sandbox_enter(const char *program, const struct sandbox_rule *more, size_t count)
{
    int rc = done(program, "limit core files", limit(RLIMIT_CORE, 0));

    if (!rc)
        rc = done(program, "limit descriptors", limit(RLIMIT_NOFILE, DESCRIPTORS));
    if (!rc && !SANITIZED)
        rc = done(program, "limit memory", limit(RLIMIT_DATA, MEMORY_MAX));
    if (!rc)
        rc = done(program, "give up root", drop_root());
    if (!rc)
        rc = done(program, "forbid processes", limit(RLIMIT_NPROC, 0));
    if (!rc)
        rc = done(program, "forbid tracing", prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) ? -errno : 0);
    if (!rc)
        rc = done(program, "give up new privileges",
                  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ? -errno : 0);
    if (!rc && !SANITIZED)
        rc = done(program, "filter system calls", filter_calls(more, count));
    return rc;
}
