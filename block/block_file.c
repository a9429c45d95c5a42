/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Raw images: regular files and block devices, through the page cache. */
#include "block/block_backend.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

struct block_file {
    int fd;
    bool is_device;
};

static ssize_t file_readv(void *impl, const struct iovec *iov, unsigned niov, uint64_t offset,
                          bool nowait)
{
    const struct block_file *file = impl;
    ssize_t n = preadv2(file->fd, iov, (int)niov, (off_t)offset, nowait ? RWF_NOWAIT : 0);

    return n < 0 ? -errno : n;
}

static ssize_t file_writev(void *impl, const struct iovec *iov, unsigned niov, uint64_t offset,
                           bool nowait)
{
    const struct block_file *file = impl;
    ssize_t n = pwritev2(file->fd, iov, (int)niov, (off_t)offset, nowait ? RWF_NOWAIT : 0);

    return n < 0 ? -errno : n;
}

static int file_flush(void *impl)
{
    const struct block_file *file = impl;
    int rc;

    do
        rc = fdatasync(file->fd);
    while (rc < 0 && errno == EINTR);
    return rc < 0 ? -errno : 0;
}

/* A discard is a hint: storage that cannot take it keeps its data, and that is no error. */
static int file_discard(void *impl, uint64_t offset, uint64_t bytes)
{
    const struct block_file *file = impl;
    int rc;

    if (file->is_device) {
        uint64_t range[2] = {offset, bytes};

        rc = ioctl(file->fd, BLKDISCARD, range);
    } else {
        rc = fallocate(file->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset,
                       (off_t)bytes);
    }
    if (rc < 0 && errno != EOPNOTSUPP && errno != ENOTTY && errno != EINVAL)
        return -errno;
    return 0;
}

static void file_close(void *impl)
{
    struct block_file *file = impl;

    close(file->fd);
    free(file);
}

static const struct block_ops file_ops = {
    .readv = file_readv,
    .writev = file_writev,
    .flush = file_flush,
    .close = file_close,
};

static const struct block_ops file_ops_discard = {
    .readv = file_readv,
    .writev = file_writev,
    .flush = file_flush,
    .discard = file_discard,
    .close = file_close,
};

static int refuse(char *error, size_t size, int rc, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

static int refuse(char *error, size_t size, int rc, const char *fmt, ...)
{
    va_list ap;

    if (error && size) {
        va_start(ap, fmt);
        vsnprintf(error, size, fmt, ap);
        va_end(ap);
    }
    return rc;
}

static int check_format(const struct block_options *options, const char *name, char *error,
                        size_t error_size)
{
    const char *format = options->format;

    if (!format || !strcmp(format, "raw") || !strcmp(format, "host_device"))
        return 0;
    return refuse(error, error_size, -EINVAL,
                  "image %s: format '%s' is not built in; accepted: raw", name, format);
}

static int image_size(int fd, const struct stat *st, uint64_t *size)
{
    if (!S_ISBLK(st->st_mode)) {
        *size = (uint64_t)st->st_size;
        return 0;
    }
    return ioctl(fd, BLKGETSIZE64, size) < 0 ? -errno : 0;
}

/* Owns fd, also when it fails. */
static int open_image(struct block **out, int fd, const char *name,
                      const struct block_options *options, char *error, size_t error_size)
{
    struct block_file *file;
    struct stat st;
    uint64_t size;
    int flags, rc;

    if (fstat(fd, &st) < 0) {
        rc = refuse(error, error_size, -errno, "image %s: %s", name, strerror(errno));
        goto fail;
    }
    if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)) {
        rc = refuse(error, error_size, -EINVAL,
                    "image %s: neither a regular file nor a block device", name);
        goto fail;
    }
    rc = image_size(fd, &st, &size);
    if (rc < 0) {
        refuse(error, error_size, rc, "image %s: cannot find its size: %s", name, strerror(-rc));
        goto fail;
    }
    flags = fcntl(fd, F_GETFL);
    if (flags < 0 || (flags & O_ACCMODE) == O_WRONLY) {
        rc = refuse(error, error_size, -EBADF, "image %s: the descriptor cannot be read", name);
        goto fail;
    }
    file = malloc(sizeof(*file));
    if (!file) {
        rc = refuse(error, error_size, -ENOMEM, "image %s: out of memory", name);
        goto fail;
    }
    file->fd = fd;
    file->is_device = S_ISBLK(st.st_mode);
    rc = block_create(out, options->discard ? &file_ops_discard : &file_ops, file, name, size,
                      options->read_only || (flags & O_ACCMODE) == O_RDONLY, options->workers);
    if (rc < 0) {
        refuse(error, error_size, rc, "image %s: out of memory", name);
        free(file);
        goto fail;
    }
    /* A write past RLIMIT_FSIZE is to fail with EFBIG, not to end the process. */
    signal(SIGXFSZ, SIG_IGN);
    return 0;

fail:
    close(fd);
    return rc;
}

int block_open_path(struct block **out, const char *path, const struct block_options *options,
                    char *error, size_t error_size)
{
    struct stat st;
    int fd, rc;

    rc = check_format(options, path, error, error_size);
    if (rc < 0)
        return rc;
    /* Looked at first: opening a FIFO would wait for somebody to write to it. */
    if (stat(path, &st) < 0)
        return refuse(error, error_size, -errno, "image %s: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
        return refuse(error, error_size, -EINVAL,
                      "image %s: neither a regular file nor a block device", path);
    fd = open(path, (options->read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return refuse(error, error_size, -errno, "image %s: cannot be opened %s: %s", path,
                      options->read_only ? "for reading" : "for reading and writing",
                      strerror(errno));
    return open_image(out, fd, path, options, error, error_size);
}

int block_open_fd(struct block **out, int fd, const char *name, const struct block_options *options,
                  char *error, size_t error_size)
{
    int copy, rc;

    rc = check_format(options, name, error, error_size);
    if (rc < 0)
        return rc;
    copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (copy < 0)
        return refuse(error, error_size, -errno, "image %s: descriptor %d: %s", name, fd,
                      strerror(errno));
    return open_image(out, copy, name, options, error, error_size);
}
