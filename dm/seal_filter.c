/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dm/seal_filter.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "dm/seal_programs.h"

/* More than any of the programs has. */
#define LENGTH_MAX 512

int seal_filter(unsigned bits)
{
#define PROGRAM(n)                                                                                 \
    {                                                                                              \
        sizeof(seal_program_##n) / sizeof(struct sock_filter), seal_program_##n                    \
    }
    static const struct {
        unsigned short length;
        const struct sock_filter *insn;
    } program[SEAL_PROGRAMS] = {PROGRAM(0), PROGRAM(1), PROGRAM(2), PROGRAM(3),
                                PROGRAM(4), PROGRAM(5), PROGRAM(6), PROGRAM(7)};
#undef PROGRAM
    struct sock_filter insn[LENGTH_MAX];
    struct sock_fprog fprog;
    long rc;

    if (bits >= SEAL_PROGRAMS || program[bits].length > LENGTH_MAX)
        return -EINVAL;
    memcpy(insn, program[bits].insn, program[bits].length * sizeof(*insn));
    for (unsigned i = 0; i < program[bits].length; i++)
        if (insn[i].code == (BPF_JMP | BPF_JEQ | BPF_K) && insn[i].k == SEAL_OWN_PID)
            insn[i].k = (uint32_t)getpid();
    fprog = (struct sock_fprog){program[bits].length, insn};
    rc = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &fprog);
    /* A positive number is the thread that cannot be brought under it. */
    return rc < 0 ? -errno : rc > 0 ? -ESRCH : 0;
}
