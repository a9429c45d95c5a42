/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the device model's filters of system calls and its front-ends' have in common. */
#ifndef DM_SECCOMP_NO_CODE_H
#define DM_SECCOMP_NO_CODE_H

#include <seccomp.h>
#include <sys/mman.h>

/* Memory that could hold code is not to be had, nor made of what there is. 0 or -errno. */
static inline int seccomp_no_code(scmp_filter_ctx ctx)
{
    int rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
                              SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));

    return rc ? rc
              : seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
                                 SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
}

#endif
