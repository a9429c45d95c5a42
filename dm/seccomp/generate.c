/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes the system call filters of slimdm as a header of BPF programs: libseccomp works at build
 * time, so that a guest's start neither loads the library nor waits for it.
 *
 *     generate errno|kill|log > seal_programs.h
 *
 * What becomes of a call:
 *
 * - Allowed is what devices, back ends, the C library's allocator and threads, and Xen's libraries
 *   do while a guest runs: on what is open already.
 * - Deadly is what no library tries by itself, and what an intruder wants first: programs, other
 *   processes, the kernel's own code, mounts, name spaces, identities, interfaces with a history of
 *   holes (io_uring, bpf, keys, userfaultfd).
 * - Refused (EPERM) is everything else. A library's newer release may try a call that nobody has
 *   foreseen, and has another way when it fails: a guest must not die of that.
 *
 * clone3() is "unknown" (ENOSYS): its flags are in memory, where a filter cannot see them, and the
 * C library then uses clone(), whose flags allow threads and nothing else.
 *
 * Calls of other architectures (32 bits, x32) kill.
 *
 * A guest has the narrowest of eight programs that does; they differ in seal_filter.h's bits.
 *
 * The argument says what becomes of calls that are refused: "kill" and "log" make builds in which
 * tests show what is missing in the list.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/if_tun.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <asm/termbits.h>

#include <xen/xen.h>

#include <xen/sys/evtchn.h>
#include <xen/sys/gntdev.h>
#include <xen/sys/privcmd.h>

#include "dm/seal_filter.h"
#include "dm/seccomp/no_code.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Commands of ioctl() and fcntl(), flags of mmap(): the kernel looks at 32 bits of them. */
#define LOW32 0xffffffffull

static const int always[] = {
    /* what is open */
    SCMP_SYS(read),
    SCMP_SYS(write),
    SCMP_SYS(readv),
    SCMP_SYS(writev),
    SCMP_SYS(pread64),
    SCMP_SYS(pwrite64),
    SCMP_SYS(preadv),
    SCMP_SYS(pwritev),
    SCMP_SYS(preadv2),
    SCMP_SYS(pwritev2),
    SCMP_SYS(lseek),
    SCMP_SYS(fsync),
    SCMP_SYS(fdatasync),
    SCMP_SYS(ftruncate),
    SCMP_SYS(fallocate),
    SCMP_SYS(fstat),
    SCMP_SYS(newfstatat),
    SCMP_SYS(close),
    /* sockets that there are; connect(): a datagram link follows its peer */
    SCMP_SYS(sendto),
    SCMP_SYS(sendmsg),
    SCMP_SYS(recvfrom),
    SCMP_SYS(recvmsg),
    SCMP_SYS(accept4),
    SCMP_SYS(connect),
    SCMP_SYS(shutdown),
    SCMP_SYS(getsockopt),
    SCMP_SYS(getsockname),
    SCMP_SYS(getpeername),
    /* waiting */
    SCMP_SYS(epoll_ctl),
    SCMP_SYS(epoll_wait),
    SCMP_SYS(epoll_pwait),
    SCMP_SYS(epoll_pwait2),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(futex),
    SCMP_SYS(sched_yield),
    SCMP_SYS(nanosleep),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(restart_syscall),
    /* the time, where the kernel cannot tell it without a call */
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_getres),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(time),
    /* memory */
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(brk),
    /* threads, signals, the end */
    SCMP_SYS(set_robust_list),
    SCMP_SYS(rseq),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    /* the program that starts front-ends has ended */
    SCMP_SYS(wait4),
    /* libxenstore's watches */
    SCMP_SYS(pipe),
    SCMP_SYS(pipe2),
    /* questions */
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(getuid),
    SCMP_SYS(geteuid),
    SCMP_SYS(getgid),
    SCMP_SYS(getegid),
    SCMP_SYS(getrandom),
    SCMP_SYS(sysinfo),
    SCMP_SYS(uname),
};

/*
 * Files by name (SEAL_PATHS): media and screenshots that QMP names; the sockets' names go with the
 * process. With dm_restrict all of these come as descriptors.
 */
static const int paths[] = {
    SCMP_SYS(open),     SCMP_SYS(openat), SCMP_SYS(stat),   SCMP_SYS(lstat),
    SCMP_SYS(readlink), SCMP_SYS(access), SCMP_SYS(unlink), SCMP_SYS(unlinkat),
};

static const int deadly[] = {
    /* programs and processes */
    SCMP_SYS(execve),
    SCMP_SYS(execveat),
    SCMP_SYS(ptrace),
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev),
    SCMP_SYS(process_madvise),
    SCMP_SYS(pidfd_getfd),
    SCMP_SYS(kcmp),
    /* the kernel */
    SCMP_SYS(init_module),
    SCMP_SYS(finit_module),
    SCMP_SYS(delete_module),
    SCMP_SYS(kexec_load),
    SCMP_SYS(kexec_file_load),
    SCMP_SYS(bpf),
    SCMP_SYS(perf_event_open),
    SCMP_SYS(userfaultfd),
    SCMP_SYS(io_uring_setup),
    SCMP_SYS(io_uring_enter),
    SCMP_SYS(io_uring_register),
    SCMP_SYS(add_key),
    SCMP_SYS(request_key),
    SCMP_SYS(keyctl),
    SCMP_SYS(iopl),
    SCMP_SYS(ioperm),
    SCMP_SYS(modify_ldt),
    SCMP_SYS(personality),
    SCMP_SYS(reboot),
    SCMP_SYS(acct),
    SCMP_SYS(swapon),
    SCMP_SYS(swapoff),
    SCMP_SYS(quotactl),
    SCMP_SYS(settimeofday),
    SCMP_SYS(clock_settime),
    SCMP_SYS(adjtimex),
    SCMP_SYS(clock_adjtime),
    SCMP_SYS(sethostname),
    SCMP_SYS(setdomainname),
    SCMP_SYS(syslog),
    /* folders and name spaces */
    SCMP_SYS(mount),
    SCMP_SYS(umount2),
    SCMP_SYS(pivot_root),
    SCMP_SYS(chroot),
    SCMP_SYS(open_tree),
    SCMP_SYS(move_mount),
    SCMP_SYS(fsopen),
    SCMP_SYS(fsconfig),
    SCMP_SYS(fsmount),
    SCMP_SYS(fspick),
    SCMP_SYS(mount_setattr),
    SCMP_SYS(unshare),
    SCMP_SYS(setns),
    SCMP_SYS(name_to_handle_at),
    SCMP_SYS(open_by_handle_at),
    SCMP_SYS(mknod),
    SCMP_SYS(mknodat),
    /* identities */
    SCMP_SYS(setuid),
    SCMP_SYS(setgid),
    SCMP_SYS(setreuid),
    SCMP_SYS(setregid),
    SCMP_SYS(setresuid),
    SCMP_SYS(setresgid),
    SCMP_SYS(setfsuid),
    SCMP_SYS(setfsgid),
    SCMP_SYS(setgroups),
    SCMP_SYS(capset),
};

static const unsigned long ioctls[] = {
    /* Xen: requests on the domain's behalf, its memory, its event channels */
    IOCTL_PRIVCMD_DM_OP,
    IOCTL_PRIVCMD_MMAPBATCH,
    IOCTL_PRIVCMD_MMAPBATCH_V2,
    IOCTL_PRIVCMD_MMAP_RESOURCE,
    IOCTL_EVTCHN_BIND_INTERDOMAIN,
    IOCTL_EVTCHN_UNBIND,
    IOCTL_EVTCHN_NOTIFY,
    /* terminals: modes, break, modem lines */
    TCGETS,
    TCSETS,
    TCSETSW,
    TCSETSF,
    TCGETS2,
    TCSETS2,
    TCSETSW2,
    TCSETSF2,
    TIOCSBRK,
    TIOCCBRK,
    TIOCMGET,
    TIOCMBIS,
    TIOCMBIC,
    /* disks and links */
    BLKDISCARD,
    BLKGETSIZE64,
    BLKSSZGET,
    TUNSETCARRIER,
};

/* SEAL_HYPERCALLS: as long as -xen-domid-restrict has not taken these away. */
static const unsigned long open_ioctls[] = {
    IOCTL_PRIVCMD_HYPERCALL,     IOCTL_GNTDEV_MAP_GRANT_REF,        IOCTL_GNTDEV_UNMAP_GRANT_REF,
    IOCTL_GNTDEV_GRANT_COPY,     IOCTL_GNTDEV_GET_OFFSET_FOR_VADDR, IOCTL_GNTDEV_SET_UNMAP_NOTIFY,
    IOCTL_GNTDEV_SET_MAX_GRANTS,
};

static const int fcntls[] = {
    F_GETFD,     F_SETFD,     F_GETFL,     F_SETFL,     F_DUPFD_CLOEXEC,
    F_OFD_SETLK, F_OFD_GETLK, F_GET_SEALS, F_ADD_SEALS,
};

/* Links that try again (SEAL_CONNECT). */
static const int families[] = {AF_UNIX, AF_INET, AF_INET6};

static const struct {
    int level, name;
} options[] = {{SOL_SOCKET, SO_KEEPALIVE}, {IPPROTO_TCP, TCP_NODELAY}};

/* One of these flags in clone() is a process or a name space, without these it is a thread. */
#define THREAD_HAS ((uint64_t)(CLONE_VM | CLONE_SIGHAND | CLONE_THREAD))
#define THREAD_HAS_NOT                                                                             \
    ((uint64_t)(CLONE_VFORK | CLONE_PTRACE | CLONE_UNTRACED | CLONE_NEWNS | CLONE_NEWCGROUP |      \
                CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET))

static int add_all(scmp_filter_ctx ctx, uint32_t action, const int *call, size_t count)
{
    int rc = 0;

    for (size_t i = 0; i < count && !rc; i++)
        rc = seccomp_rule_add(ctx, action, call[i], 0);
    return rc;
}

static int allow_ioctls(scmp_filter_ctx ctx, const unsigned long *request, size_t count)
{
    int rc = 0;

    for (size_t i = 0; i < count && !rc; i++)
        rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
                              SCMP_A1(SCMP_CMP_MASKED_EQ, LOW32, request[i]));
    return rc;
}

/* Calls that depend on what they are asked for. */
static int allow_by_argument(scmp_filter_ctx ctx)
{
    int rc = allow_ioctls(ctx, ioctls, COUNT(ioctls));

    for (size_t i = 0; i < COUNT(fcntls) && !rc; i++)
        rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1,
                              SCMP_A1(SCMP_CMP_MASKED_EQ, LOW32, (scmp_datum_t)fcntls[i]));
    for (size_t i = 0; i < COUNT(options) && !rc; i++)
        rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(setsockopt), 2,
                              SCMP_A1(SCMP_CMP_MASKED_EQ, LOW32, (scmp_datum_t)options[i].level),
                              SCMP_A2(SCMP_CMP_MASKED_EQ, LOW32, (scmp_datum_t)options[i].name));
    if (!rc)
        rc = seccomp_no_code(ctx);
    if (!rc)
        rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
                              SCMP_A0(SCMP_CMP_MASKED_EQ, THREAD_HAS | THREAD_HAS_NOT, THREAD_HAS));
    if (!rc)
        rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    /* abort() and the end by a fault: signals for this process only. */
    if (!rc)
        rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
                              SCMP_A0(SCMP_CMP_MASKED_EQ, LOW32, SEAL_OWN_PID));
    /* Asking for a limit of our own, not setting one. */
    if (!rc)
        rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 2,
                              SCMP_A0(SCMP_CMP_MASKED_EQ, LOW32, 0), SCMP_A2(SCMP_CMP_EQ, 0, 0));
    return rc;
}

static int build(scmp_filter_ctx ctx, uint32_t unforeseen, unsigned bits)
{
    int rc = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);

    /* A tree instead of a row. */
    if (!rc)
        rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    if (!rc)
        rc = add_all(ctx, SCMP_ACT_ALLOW, always, COUNT(always));
    /* The library takes no rule that says what holds without it. */
    if (!rc && unforeseen != SCMP_ACT_KILL_PROCESS)
        rc = add_all(ctx, SCMP_ACT_KILL_PROCESS, deadly, COUNT(deadly));
    if (!rc)
        rc = allow_by_argument(ctx);
    if (!rc && bits & SEAL_PATHS)
        rc = add_all(ctx, SCMP_ACT_ALLOW, paths, COUNT(paths));
    if (!rc && bits & SEAL_HYPERCALLS)
        rc = allow_ioctls(ctx, open_ioctls, COUNT(open_ioctls));
    for (size_t i = 0; i < COUNT(families) && bits & SEAL_CONNECT && !rc; i++)
        rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2,
                              SCMP_A0(SCMP_CMP_MASKED_EQ, LOW32, (scmp_datum_t)families[i]),
                              SCMP_A1(SCMP_CMP_MASKED_EQ, 0xf, SOCK_STREAM));
    return rc;
}

/* libseccomp 2.5 writes programs to descriptors only. */
static int print(scmp_filter_ctx ctx, unsigned bits)
{
    FILE *file = tmpfile();
    struct sock_filter insn;
    int rc = file ? seccomp_export_bpf(ctx, fileno(file)) : -errno;

    if (!rc) {
        rewind(file);
        printf("static const struct sock_filter seal_program_%u[] = {\n", bits);
        while (fread(&insn, sizeof(insn), 1, file) == 1)
            printf("    {0x%02x, %u, %u, 0x%08" PRIx32 "},\n", insn.code, insn.jt, insn.jf, insn.k);
        puts("};");
        rc = ferror(file) ? -EIO : 0;
    }
    if (file)
        fclose(file);
    return rc;
}

int main(int argc, char **argv)
{
    const char *unforeseen = argc > 1 ? argv[1] : "errno";
    uint32_t action = strcmp(unforeseen, "kill") == 0  ? SCMP_ACT_KILL_PROCESS
                      : strcmp(unforeseen, "log") == 0 ? SCMP_ACT_LOG
                                                       : SCMP_ACT_ERRNO(EPERM);
    int rc = 0;

    puts("/* Made by dm/seccomp/generate.c. */");
    for (unsigned bits = 0; bits < SEAL_PROGRAMS && !rc; bits++) {
        scmp_filter_ctx ctx = seccomp_init(action);

        rc = ctx ? build(ctx, action, bits) : -ENOMEM;
        if (!rc)
            rc = print(ctx, bits);
        if (ctx)
            seccomp_release(ctx);
    }
    if (rc || fflush(stdout)) {
        fprintf(stderr, "generate: cannot make the system call filter: %s\n",
                strerror(rc ? -rc : errno));
        return 1;
    }
    return 0;
}
