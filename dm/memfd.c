/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dm/memfd.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

/* Beyond the limit there would be a signal instead of an error, so it is looked at before. */
static int set_size(int fd, size_t size)
{
    struct rlimit limit, lifted;
    bool lift;
    int rc;

    if (getrlimit(RLIMIT_FSIZE, &limit))
        return -errno;
    lift = limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur < size;
    lifted = (struct rlimit){size, limit.rlim_max < size ? size : limit.rlim_max};
    if (lift && setrlimit(RLIMIT_FSIZE, &lifted))
        return -errno;
    rc = ftruncate(fd, (off_t)size) ? -errno : 0;
    if (lift && setrlimit(RLIMIT_FSIZE, &limit) && !rc)
        rc = -errno;
    return rc;
}

int memfd_sized(const char *name, size_t size)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING), rc;

    if (fd < 0)
        return -errno;
    rc = set_size(fd, size);
    if (!rc)
        return fd;
    close(fd);
    return rc;
}
