/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dm/seal_rights.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Descriptors come from QMP and viewers, too: what is usual, not what is needed at this moment. */
#define DESCRIPTORS 1024
/* Threads of slimdm and its libraries, and the processes of front-ends and image servers. */
#define PROCESSES 256

int seal_bounds(int capability)
{
    const unsigned long bits = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_KEEP_CAPS_LOCKED |
                               SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;

    /* Who is not allowed to do this is not root, and never becomes it without new privileges. */
    if (prctl(PR_SET_SECUREBITS, bits, 0, 0, 0))
        return errno == EPERM ? 0 : -errno;
    /* Up to the first that the kernel does not know. */
    for (int cap = 0; cap == capability || !prctl(PR_CAPBSET_DROP, cap, 0, 0, 0); cap++)
        ;
    return errno == EINVAL ? 0 : -errno;
}

int seal_capabilities(int capability)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct had[_LINUX_CAPABILITY_U32S_3] = {0};
    struct __user_cap_data_struct keeps[_LINUX_CAPABILITY_U32S_3] = {0};

    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) && errno != EINVAL)
        return -errno;
    if (syscall(SYS_capget, &head, had))
        return -errno;
    if (capability >= 0) {
        unsigned word = CAP_TO_INDEX(capability);
        uint32_t bit = CAP_TO_MASK(capability);

        keeps[word].effective = keeps[word].permitted = had[word].permitted & bit;
    }
    return syscall(SYS_capset, &head, keeps) ? -errno : 0;
}

static int limit(int resource, rlim_t value)
{
    struct rlimit now;

    if (getrlimit(resource, &now))
        return -errno;
    now.rlim_cur = now.rlim_cur < value ? now.rlim_cur : value;
    now.rlim_max = now.rlim_max < value ? now.rlim_max : value;
    return setrlimit(resource, &now) ? -errno : 0;
}

int seal_limits(bool own_user)
{
    int rc = limit(RLIMIT_CORE, 0);

    if (!rc)
        rc = limit(RLIMIT_MEMLOCK, 0);
    if (!rc)
        rc = limit(RLIMIT_MSGQUEUE, 0);
    if (!rc)
        rc = limit(RLIMIT_NOFILE, DESCRIPTORS);
    /* It counts all processes of the user: somebody else's guests must not be in it. */
    if (!rc && own_user)
        rc = limit(RLIMIT_NPROC, PROCESSES);
    return rc;
}

int seal_undumpable(void)
{
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) ? -errno : 0;
}
