/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The very programs that slimdm loads, tried out: each case is a child that puts itself under one
 * and makes one call. What it was refused, it tells by its exit status; what kills, by its signal.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <xen/xen.h>

#include <xen/sys/gntdev.h>
#include <xen/sys/privcmd.h>

#include "dm/seal_filter.h"
#include "dm/seal_rights.h"

#define NARROWEST 0u
#define WIDEST    (SEAL_PROGRAMS - 1)
/* Neither an errno nor a way to die. */
#define NO_FILTER 200

/* How a child ended: -errno of the call, 0, or the signal's number. */
static int outcome(pid_t child)
{
    int status = 0;

    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? WTERMSIG(status) : -WEXITSTATUS(status);
}

/* Under a sanitizer a child that leaves by exit() is searched for leaks: the call is bare. */
static _Noreturn void leave(long rc)
{
    syscall(SYS_exit_group, rc < 0 ? errno : 0);
    __builtin_unreachable();
}

static void enter(unsigned bits)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || seal_filter(bits)) {
        errno = NO_FILTER;
        leave(-1);
    }
}

static int try(unsigned bits, long nr, long a, long b, long c, long d, long e, long f)
{
    pid_t child = fork();

    if (child == 0) {
        enter(bits);
        leave(syscall(nr, a, b, c, d, e, f));
    }
    return outcome(child);
}

/* ---- the filter ------------------------------------------------------------------------------ */

static void test_deadly_calls_kill(void **state)
{
    static const int nr[] = {
        SYS_execve,        SYS_execveat,
        SYS_ptrace,        SYS_process_vm_readv,
        SYS_mount,         SYS_process_vm_writev,
        SYS_umount2,       SYS_pivot_root,
        SYS_chroot,        SYS_unshare,
        SYS_setns,         SYS_init_module,
        SYS_kexec_load,    SYS_finit_module,
        SYS_delete_module, SYS_kexec_file_load,
        SYS_bpf,           SYS_perf_event_open,
        SYS_userfaultfd,   SYS_io_uring_setup,
        SYS_add_key,       SYS_keyctl,
        SYS_iopl,          SYS_open_by_handle_at,
        SYS_ioperm,        SYS_reboot,
        SYS_swapon,        SYS_settimeofday,
        SYS_setuid,        SYS_setresuid,
        SYS_setgroups,     SYS_capset,
        SYS_personality,   SYS_mknodat,
        SYS_clock_settime, SYS_modify_ldt,
    };

    for (size_t i = 0; i < sizeof(nr) / sizeof(nr[0]); i++) {
        if (try(WIDEST, nr[i], -1, -1, -1, -1, -1, -1) != SIGSYS)
            fail_msg("system call %d does not kill", nr[i]);
        assert_int_equal(try(NARROWEST, nr[i], -1, -1, -1, -1, -1, -1), SIGSYS);
    }
}

static void test_other_architectures_kill(void **state)
{
    pid_t child = fork();

    if (child == 0) {
        long rc = 20; /* getpid(), the way 32-bit programs call it */

        enter(WIDEST);
        __asm__ volatile("int $0x80" : "+a"(rc) : : "memory");
        leave(0);
    }
    assert_int_equal(outcome(child), SIGSYS);
    /* The same number in the x32 table. */
    assert_int_equal(try(WIDEST, 0x40000000 | SYS_getpid, 0, 0, 0, 0, 0, 0), SIGSYS);
}

static void test_unforeseen_calls_are_refused(void **state)
{
    static const int nr[] = {
        SYS_fork,   SYS_vfork, SYS_kill,      SYS_link,       SYS_symlink,       SYS_rename,
        SYS_chmod,  SYS_chown, SYS_mkdir,     SYS_truncate,   SYS_memfd_create,  SYS_shmget,
        SYS_listen, SYS_bind,  SYS_setrlimit, SYS_getdents64, SYS_inotify_init1, SYS_dup2,
    };

    for (size_t i = 0; i < sizeof(nr) / sizeof(nr[0]); i++)
        if (try(WIDEST, nr[i], 0, 0, 0, 0, 0, 0) != -EPERM)
            fail_msg("system call %d is not refused", nr[i]);
}

static void test_memory_never_holds_code(void **state)
{
    const int anonymous = MAP_PRIVATE | MAP_ANONYMOUS;
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, anonymous, -1, 0);

    assert_true(page != MAP_FAILED);
    assert_int_equal(try(WIDEST, SYS_mmap, 0, 4096, PROT_READ, anonymous, -1, 0), 0);
    assert_int_equal(try(WIDEST, SYS_mmap, 0, 4096, PROT_READ | PROT_EXEC, anonymous, -1, 0),
                     -EPERM);
    assert_int_equal(try(WIDEST, SYS_mprotect, (long)page, 4096, PROT_READ, 0, 0, 0), 0);
    assert_int_equal(try(WIDEST, SYS_mprotect, (long)page, 4096, PROT_READ | PROT_EXEC, 0, 0, 0),
                     -EPERM);
    assert_int_equal(try(WIDEST, SYS_pkey_mprotect, (long)page, 4096, PROT_EXEC, 0, 0, 0), -EPERM);
    munmap(page, 4096);
}

static void test_ioctl_by_request(void **state)
{
    /* No such descriptor: what gets as far as that has passed the filter. */
    assert_int_equal(try(NARROWEST, SYS_ioctl, -1, TCGETS, 0, 0, 0, 0), -EBADF);
    assert_int_equal(try(NARROWEST, SYS_ioctl, -1, IOCTL_PRIVCMD_DM_OP, 0, 0, 0, 0), -EBADF);
    assert_int_equal(try(WIDEST, SYS_ioctl, -1, TIOCSTI, 0, 0, 0, 0), -EPERM);
    assert_int_equal(try(WIDEST, SYS_ioctl, -1, IOCTL_PRIVCMD_RESTRICT, 0, 0, 0, 0), -EPERM);
    /* The kernel looks at the lower half only, and so does the filter. */
    assert_int_equal(try(WIDEST, SYS_ioctl, -1, TIOCSTI | 1l << 32, 0, 0, 0, 0), -EPERM);
    assert_int_equal(try(WIDEST, SYS_fcntl, -1, F_SETOWN, 0, 0, 0, 0), -EPERM);
    assert_int_equal(try(NARROWEST, SYS_fcntl, -1, F_GETFL, 0, 0, 0, 0), -EBADF);
    assert_int_equal(try(WIDEST, SYS_setsockopt, -1, SOL_SOCKET, SO_ATTACH_FILTER, 0, 0, 0),
                     -EPERM);
}

static void test_what_the_bits_add(void **state)
{
    const long name = (long)"/dev/null";
    static const struct {
        unsigned bit;
        long nr, a, b, c;
    } one[] = {
        {SEAL_PATHS, SYS_openat, AT_FDCWD, 0, O_RDONLY},
        {SEAL_PATHS, SYS_open, 0, O_RDONLY, 0},
        {SEAL_CONNECT, SYS_socket, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0},
        {SEAL_CONNECT, SYS_socket, AF_INET, SOCK_STREAM, 0},
    };

    for (size_t i = 0; i < sizeof(one) / sizeof(one[0]); i++) {
        long a = one[i].nr == SYS_open ? name : one[i].a;
        long b = one[i].nr == SYS_openat ? name : one[i].b;

        assert_int_equal(try(one[i].bit, one[i].nr, a, b, one[i].c, 0, 0, 0), 0);
        assert_int_equal(try(WIDEST & ~one[i].bit, one[i].nr, a, b, one[i].c, 0, 0, 0), -EPERM);
    }
    assert_int_equal(try(SEAL_HYPERCALLS, SYS_ioctl, -1, IOCTL_PRIVCMD_HYPERCALL, 0, 0, 0, 0),
                     -EBADF);
    assert_int_equal(
        try(WIDEST & ~SEAL_HYPERCALLS, SYS_ioctl, -1, IOCTL_PRIVCMD_HYPERCALL, 0, 0, 0, 0), -EPERM);
    assert_int_equal(
        try(WIDEST & ~SEAL_HYPERCALLS, SYS_ioctl, -1, IOCTL_GNTDEV_MAP_GRANT_REF, 0, 0, 0, 0),
        -EPERM);
    assert_int_equal(try(WIDEST, SYS_socket, AF_NETLINK, SOCK_RAW, 0, 0, 0, 0), -EPERM);
    assert_int_equal(try(WIDEST, SYS_socket, AF_INET, SOCK_RAW, 1, 0, 0, 0), -EPERM);
}

static void *nothing(void *opaque)
{
    return opaque;
}

static void test_threads_but_no_processes(void **state)
{
    pid_t child = fork();

    if (child == 0) {
        pthread_t thread;
        int rc;

        enter(NARROWEST);
        rc = pthread_create(&thread, NULL, nothing, NULL);
        if (!rc)
            rc = pthread_join(thread, NULL);
        errno = rc;
        leave(rc ? -1 : 0);
    }
    assert_int_equal(outcome(child), 0);
    assert_int_equal(try(WIDEST, SYS_clone, SIGCHLD, 0, 0, 0, 0, 0), -EPERM);
    assert_int_equal(try(WIDEST, SYS_clone3, 0, 0, 0, 0, 0, 0), -ENOSYS);
}

static void *try_kill(void *opaque)
{
    int *go = opaque;
    char byte;

    if (read(go[0], &byte, 1) != 1)
        return NULL;
    return (void *)(intptr_t)(syscall(SYS_kill, getpid(), 0) < 0 ? errno : 0);
}

static void test_threads_that_were_there_are_sealed(void **state)
{
    pid_t child = fork();

    if (child == 0) {
        void *got = NULL;
        pthread_t thread;
        int go[2];

        if (pipe(go) || pthread_create(&thread, NULL, try_kill, go))
            leave(-1);
        enter(NARROWEST);
        if (write(go[1], "", 1) != 1 || pthread_join(thread, &got))
            leave(-1);
        errno = (int)(intptr_t)got;
        leave(got ? -1 : 0);
    }
    assert_int_equal(outcome(child), -EPERM);
}

static void test_signals_for_itself_only(void **state)
{
    pid_t child = fork();

    if (child == 0) {
        pid_t self = getpid();

        enter(NARROWEST);
        if (syscall(SYS_tgkill, getppid(), getppid(), 0) >= 0 || errno != EPERM)
            leave(-1);
        signal(SIGABRT, SIG_DFL);
        leave(syscall(SYS_tgkill, self, self, SIGABRT));
    }
    assert_int_equal(outcome(child), SIGABRT);
}

static void test_unknown_bits(void **state)
{
    assert_int_equal(seal_filter(SEAL_PROGRAMS), -EINVAL);
}

/* ---- rights ---------------------------------------------------------------------------------- */

/* Effective and permitted ones together. */
static uint64_t capabilities(void)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct has[_LINUX_CAPABILITY_U32S_3] = {0};

    if (syscall(SYS_capget, &head, has))
        return ~0ull;
    return has[0].effective | has[0].permitted | has[0].inheritable |
           (uint64_t)(has[1].effective | has[1].permitted | has[1].inheritable) << 32;
}

static int rights_left(int capability)
{
    uint64_t had = capabilities(), keeps = capability < 0 ? 0 : had & 1ull << capability;
    bool may_bound = had >> CAP_SETPCAP & 1;

    if (seal_bounds(capability) || seal_capabilities(capability) ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        return 1;
    if (capabilities() != keeps)
        return 2;
    for (int cap = 0; may_bound && prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
        if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) != (cap == capability))
            return 3;
    /* Nor does root gain anything by a program. */
    execl("/bin/grep", "grep", "-q", "^CapPrm:\t0*$", "/proc/self/status", NULL);
    return 4;
}

static void test_capabilities_are_gone(void **state)
{
    static const int keep[] = {-1, CAP_DAC_OVERRIDE};

    for (size_t i = 0; i < sizeof(keep) / sizeof(keep[0]); i++) {
        pid_t child = fork();

        if (child == 0)
            syscall(SYS_exit_group, rights_left(keep[i]));
        assert_int_equal(outcome(child), 0);
    }
}

static int limits_left(bool own_user)
{
    struct rlimit before, l;

    if (getrlimit(RLIMIT_NPROC, &before) || seal_limits(own_user) || seal_undumpable())
        return 1;
    if (getrlimit(RLIMIT_CORE, &l) || l.rlim_max || getrlimit(RLIMIT_MEMLOCK, &l) || l.rlim_max)
        return 2;
    if (getrlimit(RLIMIT_NOFILE, &l) || l.rlim_max > 1024)
        return 3;
    if (getrlimit(RLIMIT_NPROC, &l) ||
        l.rlim_max != (own_user && before.rlim_max > 256 ? 256 : before.rlim_max))
        return 4;
    return prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) ? 5 : 0;
}

static void test_limits(void **state)
{
    for (int own_user = 0; own_user < 2; own_user++) {
        pid_t child = fork();

        if (child == 0)
            syscall(SYS_exit_group, limits_left(own_user));
        assert_int_equal(outcome(child), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_deadly_calls_kill),
        cmocka_unit_test(test_other_architectures_kill),
        cmocka_unit_test(test_unforeseen_calls_are_refused),
        cmocka_unit_test(test_memory_never_holds_code),
        cmocka_unit_test(test_ioctl_by_request),
        cmocka_unit_test(test_what_the_bits_add),
        cmocka_unit_test(test_threads_but_no_processes),
        cmocka_unit_test(test_threads_that_were_there_are_sealed),
        cmocka_unit_test(test_signals_for_itself_only),
        cmocka_unit_test(test_unknown_bits),
        cmocka_unit_test(test_capabilities_are_gone),
        cmocka_unit_test(test_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
