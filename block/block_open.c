/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which way leads to an image: a file of ours, or an NBD server. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "block/block_nbd.h"

static bool is_raw(const char *format)
{
    return !format || !strcmp(format, "raw") || !strcmp(format, "host_device");
}

static int by_server(struct block **out, const char *path, int fd,
                     const struct block_options *options, char *error, size_t error_size)
{
    if (!options->servers)
        return block_refuse(error, error_size, -EINVAL,
                            "image %s: format '%s' is not possible here; accepted: raw", path,
                            options->format ? options->format : "raw");
    return block_nbd_open(out, path, fd, options, error, error_size);
}

int block_open_path(struct block **out, const char *path, const struct block_options *options,
                    char *error, size_t error_size)
{
    if (is_raw(options->format) && !block_path_is_url(path))
        return block_file_open(out, path, options, error, error_size);
    return by_server(out, path, -1, options, error, error_size);
}

int block_open_fd(struct block **out, int fd, const char *name, const struct block_options *options,
                  char *error, size_t error_size)
{
    int copy;

    if (!is_raw(options->format))
        return by_server(out, name, fd, options, error, error_size);
    copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (copy < 0)
        return block_refuse(error, error_size, -errno, "image %s: descriptor %d: %s", name, fd,
                            strerror(errno));
    return block_file_open_fd(out, copy, name, options, error, error_size);
}
