/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads and writes past the page cache (O_DIRECT), whose offset, length and memory must be whole
 * blocks of the storage. What a guest asks for is whole sectors anywhere in its memory, so that a
 * request may have to go through a buffer of whole blocks. Only workers come here: a direct
 * request waits for the storage.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "block/block_file.h"

#define BUFFER_BYTES (256u << 10)

size_t block_direct_alignment(int fd, bool is_device)
{
    int sector = 0;

    if (is_device && ioctl(fd, BLKSSZGET, &sector) == 0 && sector >= (int)BLOCK_SECTOR)
        return (size_t)sector;
    /* Every file system takes pages; few say that they take less. */
    return 4096;
}

static bool is_aligned(const struct block_file *file, const struct iovec *iov, unsigned niov,
                       uint64_t offset)
{
    uint64_t all = offset;

    for (unsigned i = 0; i < niov; i++)
        all |= (uintptr_t)iov[i].iov_base | iov[i].iov_len;
    return all % file->align == 0;
}

static size_t total(const struct iovec *iov, unsigned niov)
{
    size_t n = 0;

    for (unsigned i = 0; i < niov; i++)
        n += iov[i].iov_len;
    return n;
}

static ssize_t read_blocks(const struct block_file *file, uint8_t *buf, size_t len, uint64_t at)
{
    size_t done = 0;

    while (done < len) {
        ssize_t n = pread(file->fd, buf + done, len - done, (off_t)(at + done));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0 || (size_t)n % file->align)
            return (ssize_t)(done + (size_t)n);
        done += (size_t)n;
    }
    return (ssize_t)done;
}

static int write_blocks(const struct block_file *file, const uint8_t *buf, size_t len, uint64_t at)
{
    while (len) {
        struct iovec iov = {.iov_base = (void *)buf, .iov_len = len};
        ssize_t n = pwritev2(file->fd, &iov, 1, (off_t)at, file->sync ? RWF_DSYNC : 0);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            return -EIO;
        buf += n;
        at += (uint64_t)n;
        len -= (size_t)n;
    }
    return 0;
}

/* The blocks around the next part of a request, as much as a buffer holds. */
struct window {
    uint8_t *buf;
    uint64_t start;
    size_t bytes; /* of whole blocks */
    size_t skip;  /* before the first byte that is meant */
    size_t want;
};

static int window_open(struct window *w, const struct block_file *file, uint64_t offset,
                       size_t bytes)
{
    uint64_t end;

    w->start = offset / file->align * file->align;
    w->skip = (size_t)(offset - w->start);
    w->want = bytes < BUFFER_BYTES - w->skip ? bytes : BUFFER_BYTES - w->skip;
    end = w->start + w->skip + w->want;
    end += (file->align - end % file->align) % file->align;
    w->bytes = (size_t)(end - w->start);
    return posix_memalign((void **)&w->buf, file->align, w->bytes) ? -ENOMEM : 0;
}

ssize_t block_direct_readv(struct block_file *file, const struct iovec *iov, unsigned niov,
                           uint64_t offset)
{
    struct window w;
    ssize_t n;
    int rc;

    if (is_aligned(file, iov, niov, offset)) {
        n = preadv(file->fd, iov, (int)niov, (off_t)offset);
        return n < 0 ? -errno : n;
    }
    rc = window_open(&w, file, offset, total(iov, niov));
    if (rc)
        return rc;
    n = read_blocks(file, w.buf, w.bytes, w.start);
    if (n >= 0) {
        n = (size_t)n > w.skip ? n - (ssize_t)w.skip : 0;
        n = (size_t)n < w.want ? n : (ssize_t)w.want;
        block_iov_from_buf(iov, niov, w.buf + w.skip, (size_t)n);
    }
    free(w.buf);
    return n;
}

static void gather(const struct iovec *iov, unsigned niov, uint8_t *to, size_t len)
{
    for (unsigned i = 0; i < niov && len; i++) {
        size_t n = iov[i].iov_len < len ? iov[i].iov_len : len;

        memcpy(to, iov[i].iov_base, n);
        to += n;
        len -= n;
    }
}

static ssize_t write_window(struct block_file *file, const struct window *w,
                            const struct iovec *iov, unsigned niov)
{
    /* The rest of the first and the last block is what is there. */
    if (w->skip || w->want != w->bytes) {
        ssize_t n = read_blocks(file, w->buf, w->bytes, w->start);

        if (n < 0)
            return n;
        memset(w->buf + n, 0, w->bytes - (size_t)n);
    }
    gather(iov, niov, w->buf + w->skip, w->want);
    return write_blocks(file, w->buf, w->bytes, w->start);
}

ssize_t block_direct_writev(struct block_file *file, const struct iovec *iov, unsigned niov,
                            uint64_t offset)
{
    size_t bytes = total(iov, niov);
    struct window w;
    ssize_t n;

    if (is_aligned(file, iov, niov, offset)) {
        pthread_rwlock_rdlock(&file->whole_blocks);
        n = pwritev2(file->fd, iov, (int)niov, (off_t)offset, file->sync ? RWF_DSYNC : 0);
        n = n < 0 ? -errno : n;
        pthread_rwlock_unlock(&file->whole_blocks);
        return n;
    }
    n = window_open(&w, file, offset, bytes);
    if (n)
        return n;
    /* Another worker may be at the other sectors of the same block. */
    if ((offset | w.want) % file->align)
        pthread_rwlock_wrlock(&file->whole_blocks);
    else
        pthread_rwlock_rdlock(&file->whole_blocks);
    n = write_window(file, &w, iov, niov);
    pthread_rwlock_unlock(&file->whole_blocks);
    free(w.buf);
    return n ? n : (ssize_t)w.want;
}
