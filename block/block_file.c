/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Raw images: regular files and block devices, through the page cache or past it. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "block/block_file.h"
#include "dm/log.h"

static ssize_t file_readv(void *impl, const struct iovec *iov, unsigned niov, uint64_t offset,
                          bool nowait)
{
    struct block_file *file = impl;
    ssize_t n;

    if (file->align)
        return nowait ? -EOPNOTSUPP : block_direct_readv(file, iov, niov, offset);
    n = preadv2(file->fd, iov, (int)niov, (off_t)offset, nowait ? RWF_NOWAIT : 0);
    return n < 0 ? -errno : n;
}

static ssize_t file_writev(void *impl, const struct iovec *iov, unsigned niov, uint64_t offset,
                           bool nowait)
{
    struct block_file *file = impl;
    ssize_t n;

    /* What goes to the storage has to wait for it. */
    if (nowait && (file->align || file->sync))
        return -EOPNOTSUPP;
    if (file->align)
        return block_direct_writev(file, iov, niov, offset);
    n = pwritev2(file->fd, iov, (int)niov, (off_t)offset,
                 (nowait ? RWF_NOWAIT : 0) | (file->sync ? RWF_DSYNC : 0));
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
    return file->sync ? file_flush(impl) : 0;
}

static void file_close(void *impl)
{
    struct block_file *file = impl;

    close(file->fd);
    pthread_rwlock_destroy(&file->whole_blocks);
    free(file->name);
    free(file);
}

static int file_lock(void *impl, bool locked, char *error, size_t error_size)
{
    return block_file_lock(impl, locked, error, error_size);
}

static int image_size(int fd, bool is_device, uint64_t *size)
{
    struct stat st;

    if (is_device)
        return ioctl(fd, BLKGETSIZE64, size) < 0 ? -errno : 0;
    if (fstat(fd, &st) < 0)
        return -errno;
    *size = (uint64_t)st.st_size;
    return 0;
}

static int file_resize(void *impl, uint64_t bytes)
{
    const struct block_file *file = impl;
    uint64_t size;
    int rc;

    if (!file->is_device)
        return ftruncate(file->fd, (off_t)bytes) < 0 ? -errno : 0;
    rc = image_size(file->fd, true, &size);
    return rc ? rc : bytes <= size ? 0 : -ENOSPC;
}

#define FILE_OPS(DISCARD, DIRECT)                                                                  \
    {                                                                                              \
        .readv = file_readv, .writev = file_writev, .flush = file_flush, .discard = DISCARD,       \
        .close = file_close, .lock = file_lock, .resize = file_resize, .flush_recovers = DIRECT,   \
        .align = DIRECT ? 4096 : 0,                                                                \
    }

static const struct block_ops file_ops[2][2] = {
    {FILE_OPS(NULL, false), FILE_OPS(NULL, true)},
    {FILE_OPS(file_discard, false), FILE_OPS(file_discard, true)},
};

static bool is_direct(enum block_cache cache)
{
    return cache == BLOCK_CACHE_NONE || cache == BLOCK_CACHE_DIRECTSYNC;
}

/*
 * Past the page cache, where the file system and the image's size allow it: the last block of an
 * image that ends inside one could only be written with more than its own bytes.
 */
static void set_direct(struct block_file *file, int flags, uint64_t size)
{
    size_t align = block_direct_alignment(file->fd, file->is_device);

    if (size % align || fcntl(file->fd, F_SETFL, flags | O_DIRECT) < 0) {
        log_warn("image %s: cannot be used past the page cache; cache=writeback is taken%s",
                 file->name, file->sync ? ", every write is still made stable" : "");
        return;
    }
    file->align = align;
}

static struct block_file *file_new(int fd, const char *name, const struct stat *st,
                                   const struct block_options *options, int flags)
{
    struct block_file *file = calloc(1, sizeof(*file));

    if (!file)
        return NULL;
    file->name = strdup(name);
    if (!file->name) {
        free(file);
        return NULL;
    }
    pthread_rwlock_init(&file->whole_blocks, NULL);
    file->fd = fd;
    file->is_device = S_ISBLK(st->st_mode);
    file->read_only = options->read_only || (flags & O_ACCMODE) == O_RDONLY;
    file->lock = options->lock;
    file->sync =
        options->cache == BLOCK_CACHE_WRITETHROUGH || options->cache == BLOCK_CACHE_DIRECTSYNC;
    return file;
}

/* A descriptor that can be read, of something that has sectors. */
static int check_descriptor(int fd, const char *name, struct stat *st, int *flags, char *error,
                            size_t error_size)
{
    if (fstat(fd, st) < 0)
        return block_refuse(error, error_size, -errno, "image %s: %s", name, strerror(errno));
    if (!S_ISREG(st->st_mode) && !S_ISBLK(st->st_mode))
        return block_refuse(error, error_size, -EINVAL,
                            "image %s: neither a regular file nor a block device", name);
    *flags = fcntl(fd, F_GETFL);
    if (*flags < 0 || (*flags & O_ACCMODE) == O_WRONLY)
        return block_refuse(error, error_size, -EBADF, "image %s: the descriptor cannot be read",
                            name);
    return 0;
}

int block_file_open_fd(struct block **out, int fd, const char *name,
                       const struct block_options *options, char *error, size_t error_size)
{
    struct block_file *file = NULL;
    struct stat st;
    uint64_t size;
    int flags = 0, rc = check_descriptor(fd, name, &st, &flags, error, error_size);

    if (rc)
        goto fail;
    rc = image_size(fd, S_ISBLK(st.st_mode), &size);
    if (rc) {
        block_refuse(error, error_size, rc, "image %s: cannot find its size: %s", name,
                     strerror(-rc));
        goto fail;
    }
    file = file_new(fd, name, &st, options, flags);
    if (!file) {
        rc = block_refuse(error, error_size, -ENOMEM, "image %s: out of memory", name);
        goto fail;
    }
    rc = options->lock_later ? 0 : block_file_lock(file, true, error, error_size);
    if (rc)
        goto fail;
    if (is_direct(options->cache))
        set_direct(file, flags, size);
    rc = block_create(out, &file_ops[options->discard][file->align != 0], file, name, size,
                      file->read_only, options->workers);
    if (rc) {
        block_refuse(error, error_size, rc, "image %s: out of memory", name);
        goto fail;
    }
    block_set_cache_mode(*out, options->cache);
    /* A write past RLIMIT_FSIZE is to fail with EFBIG, not to end the process. */
    signal(SIGXFSZ, SIG_IGN);
    return 0;

fail:
    if (file)
        file_close(file);
    else
        close(fd);
    return rc;
}

int block_file_open(struct block **out, const char *path, const struct block_options *options,
                    char *error, size_t error_size)
{
    struct stat st;
    int fd;

    /* Looked at first: opening a FIFO would wait for somebody to write to it. */
    if (stat(path, &st) < 0)
        return block_refuse(error, error_size, -errno, "image %s: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
        return block_refuse(error, error_size, -EINVAL,
                            "image %s: neither a regular file nor a block device", path);
    fd = open(path, (options->read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return block_refuse(error, error_size, -errno, "image %s: cannot be opened %s: %s", path,
                            options->read_only ? "for reading" : "for reading and writing",
                            strerror(errno));
    return block_file_open_fd(out, fd, path, options, error, error_size);
}
