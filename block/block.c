/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The way of a request, whatever is behind the image.
 *
 *   submit ── range, read-only ──▶ nowait attempt ──all moved──▶ DONE
 *                                       │ would block
 *                                       ▼
 *                     worker thread: blocking calls, own buffer ──▶ device thread: copy, complete()
 *
 * Reads try the page cache first: a thread hop costs more than a cached read. Writes use the same
 * attempt where the file system has it (XFS, btrfs, block devices of newer kernels). Where it does
 * not, a write always goes to a worker: a buffered write is quick until the kernel throttles
 * whoever dirties pages too fast, and then it stops for hundreds of milliseconds, without a way
 * to ask beforehand.
 */
#include "block/block_backend.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct block {
    const struct block_ops *ops;
    void *impl;
    char *name;
    uint64_t size;
    bool read_only;
    struct workers *workers;
    struct block_stats stats;

    bool nowait_read, nowait_write; /* the file system has not refused yet */
    bool unflushed;  /* there may be data that is not stable; true at first: an earlier process's */
    int flush_error; /* the first one; it stays */

    unsigned owners;
    unsigned pending; /* requests whose complete() is to come */
    bool close_later;
    bool closed;

    pthread_mutex_t lock;
    pthread_cond_t idle;
    unsigned jobs; /* under the lock: requests that a worker has not finished with */
};

int block_create(struct block **out, const struct block_ops *ops, void *impl, const char *name,
                 uint64_t size, bool read_only, struct workers *workers)
{
    struct block *block = calloc(1, sizeof(*block));

    if (!block)
        return -ENOMEM;
    block->name = strdup(name);
    if (!block->name) {
        free(block);
        return -ENOMEM;
    }
    block->ops = ops;
    block->impl = impl;
    block->size = size;
    block->read_only = read_only;
    block->owners = 1;
    block->workers = workers;
    block->nowait_read = block->nowait_write = true;
    block->unflushed = !read_only;
    pthread_mutex_init(&block->lock, NULL);
    pthread_cond_init(&block->idle, NULL);
    *out = block;
    return 0;
}

struct block *block_share(struct block *block)
{
    block->owners++;
    return block;
}

static void block_shut(struct block *block)
{
    if (block->closed)
        return;
    block->ops->close(block->impl);
    block->closed = true;
}

static void block_free_when_unused(struct block *block)
{
    if (!block->closed || block->pending)
        return;
    pthread_cond_destroy(&block->idle);
    pthread_mutex_destroy(&block->lock);
    free(block->name);
    free(block);
}

static void block_wait_idle(struct block *block)
{
    if (block->ops->drain)
        block->ops->drain(block->impl);
    pthread_mutex_lock(&block->lock);
    while (block->jobs)
        pthread_cond_wait(&block->idle, &block->lock);
    pthread_mutex_unlock(&block->lock);
}

static int block_make_stable(struct block *block)
{
    int error;

    if (block->read_only)
        return 0;
    if (block->flush_error)
        return block->flush_error;
    error = block->ops->flush(block->impl);
    block->flush_error = error;
    block->unflushed = block->unflushed && error;
    return error;
}

int block_flush_now(struct block *block)
{
    block_wait_idle(block);
    return block_make_stable(block);
}

int block_close(struct block *block)
{
    int error = 0;

    if (!block)
        return 0;
    if (block->owners > 1) {
        block->owners--;
        return block_flush_now(block);
    }
    block->pending++; /* stays until the end of this function */
    block_wait_idle(block);
    error = block_make_stable(block);
    block_shut(block);
    block->pending--;
    block_free_when_unused(block);
    return error;
}

void block_close_later(struct block *block)
{
    if (!block)
        return;
    if (block->owners > 1) {
        block->owners--;
        return;
    }
    block->close_later = true;
    if (!block->pending) {
        block_shut(block);
        block_free_when_unused(block);
    }
}

uint64_t block_size(const struct block *block)
{
    return block->size;
}

uint64_t block_sectors(const struct block *block)
{
    return block->size / BLOCK_SECTOR + (block->size % BLOCK_SECTOR != 0);
}

bool block_read_only(const struct block *block)
{
    return block->read_only;
}

bool block_can_discard(const struct block *block)
{
    return block->ops->discard && !block->read_only;
}

const char *block_name(const struct block *block)
{
    return block->name;
}

const struct block_stats *block_stats(const struct block *block)
{
    return &block->stats;
}

void block_iov_advance(struct iovec *iov, unsigned *niov, size_t bytes)
{
    unsigned skip = 0;

    while (skip < *niov && bytes >= iov[skip].iov_len)
        bytes -= iov[skip++].iov_len;
    if (skip) {
        *niov -= skip;
        memmove(iov, iov + skip, *niov * sizeof(*iov));
    }
    if (*niov && bytes) {
        iov[0].iov_base = (uint8_t *)iov[0].iov_base + bytes;
        iov[0].iov_len -= bytes;
    }
}

static void iov_zero(const struct iovec *iov, unsigned niov)
{
    for (unsigned i = 0; i < niov; i++)
        memset(iov[i].iov_base, 0, iov[i].iov_len);
}

static void iov_from_buf(const struct iovec *iov, unsigned niov, const uint8_t *buf, size_t len)
{
    for (unsigned i = 0; i < niov && len; i++) {
        size_t n = iov[i].iov_len < len ? iov[i].iov_len : len;

        memcpy(iov[i].iov_base, buf, n);
        buf += n;
        len -= n;
    }
}

static void iov_to_buf(const struct iovec *iov, unsigned niov, uint8_t *buf)
{
    for (unsigned i = 0; i < niov; i++) {
        memcpy(buf, iov[i].iov_base, iov[i].iov_len);
        buf += iov[i].iov_len;
    }
}

/*
 * Nothing was there to be read at this place. Behind the end of an image whose last sector is not
 * whole there are zeros; an image that has become shorter than it was has lost data, and says so.
 */
static int end_of_file(const struct block *block, uint64_t offset)
{
    return offset < block->size ? -EIO : 0;
}

static bool is_data(const struct block_request *req)
{
    return req->op == BLOCK_READ || req->op == BLOCK_WRITE;
}

/* Bookkeeping of an answer, in whichever way it was found. */
static void request_account(struct block *block, struct block_request *req)
{
    struct block_stats *stats = &block->stats;

    switch (req->op) {
    case BLOCK_READ:
        stats->rd_operations++;
        stats->rd_bytes += req->done;
        break;
    case BLOCK_WRITE:
        stats->wr_operations++;
        stats->wr_bytes += req->done;
        block->unflushed = true;
        break;
    case BLOCK_FLUSH:
        stats->flush_operations++;
        if (req->error && !block->flush_error)
            block->flush_error = req->error;
        break;
    case BLOCK_DISCARD:
        block->unflushed = true;
        break;
    }
    if (req->error)
        stats->failed_operations++;
}

static enum block_result request_done(struct block *block, struct block_request *req, int error)
{
    req->error = error;
    request_account(block, req);
    return BLOCK_DONE;
}

/* Moves what can be moved without waiting. 0: all of it; -EAGAIN: a worker must go on. */
static int request_nowait(struct block *block, struct block_request *req)
{
    bool reading = req->op == BLOCK_READ;
    bool *usable = reading ? &block->nowait_read : &block->nowait_write;
    ssize_t n;

    while (*usable && req->done < req->bytes) {
        if (reading)
            n = block->ops->readv(block->impl, req->iov, req->niov, req->offset + req->done, true);
        else
            n = block->ops->writev(block->impl, req->iov, req->niov, req->offset + req->done, true);
        if (n == -EINTR)
            continue;
        if (n == -EAGAIN)
            return -EAGAIN;
        if (n == -EOPNOTSUPP || n == -ENOSYS) {
            *usable = false;
            break;
        }
        if (n < 0)
            return (int)n;
        if (n == 0 && !reading)
            return -EAGAIN;
        if (n == 0) {
            int error = end_of_file(block, req->offset + req->done);

            if (error)
                return error;
            iov_zero(req->iov, req->niov);
            req->done = req->bytes;
            return 0;
        }
        block_iov_advance(req->iov, &req->niov, (size_t)n);
        req->done += (uint64_t)n;
    }
    return req->done == req->bytes ? 0 : -EAGAIN;
}

/* On a worker thread: the rest of a read, into the request's own buffer. */
static int worker_read(struct block_request *req)
{
    struct block *block = req->block;
    uint8_t *buf = req->bounce;

    while (req->done < req->bytes) {
        struct iovec iov = {.iov_base = buf, .iov_len = (size_t)(req->bytes - req->done)};
        ssize_t n = block->ops->readv(block->impl, &iov, 1, req->offset + req->done, false);

        if (n == -EINTR || n == -EAGAIN)
            continue;
        if (n < 0)
            return (int)n;
        if (n == 0) {
            int error = end_of_file(block, req->offset + req->done);

            if (error)
                return error;
            memset(buf, 0, iov.iov_len);
            n = (ssize_t)iov.iov_len;
        }
        buf += n;
        req->done += (uint64_t)n;
    }
    return 0;
}

/* On a worker thread: the rest of a write. */
static int worker_write(struct block_request *req)
{
    struct block *block = req->block;

    while (req->done < req->bytes) {
        ssize_t n =
            block->ops->writev(block->impl, req->iov, req->niov, req->offset + req->done, false);

        if (n == -EINTR || n == -EAGAIN)
            continue;
        if (n == 0)
            return -EIO;
        if (n < 0)
            return (int)n;
        block_iov_advance(req->iov, &req->niov, (size_t)n);
        req->done += (uint64_t)n;
    }
    return 0;
}

static void request_work(void *opaque)
{
    struct block_request *req = opaque;
    struct block *block = req->block;

    switch (req->op) {
    case BLOCK_READ:
        req->error = worker_read(req);
        break;
    case BLOCK_WRITE:
        req->error = worker_write(req);
        break;
    case BLOCK_FLUSH:
        req->error = block->ops->flush(block->impl);
        break;
    case BLOCK_DISCARD:
        req->error = block->ops->discard(block->impl, req->offset, req->bytes);
        break;
    }
    pthread_mutex_lock(&block->lock);
    if (--block->jobs == 0)
        pthread_cond_broadcast(&block->idle);
    pthread_mutex_unlock(&block->lock);
}

/* On the device thread: the answer goes to the owner, the request may be used again. */
static void request_complete(struct block_request *req)
{
    struct block *block = req->block;

    request_account(block, req);
    if (req->cancelled)
        req->error = -ECANCELED;
    free(req->bounce);
    req->bounce = NULL;
    req->running = false;
    block->pending++; /* the owner may close the image in complete() */
    req->complete(req->opaque, req);
    block->pending -= 2;
    if (block->close_later && !block->pending)
        block_shut(block);
    block_free_when_unused(block);
}

static void request_worked(void *opaque)
{
    struct block_request *req = opaque;

    if (req->op == BLOCK_READ && !req->cancelled && req->bounce) {
        /* The iov still stands where the nowait part ended. */
        size_t total = 0;

        for (unsigned i = 0; i < req->niov; i++)
            total += req->iov[i].iov_len;
        iov_from_buf(req->iov, req->niov, req->bounce, total - (size_t)(req->bytes - req->done));
    }
    request_complete(req);
}

void block_request_finish(struct block_request *req, int error, uint64_t done)
{
    req->error = error;
    req->done = done;
    request_complete(req);
}

void block_cancel(struct block_request *req)
{
    if (req->running)
        req->cancelled = true;
}

/* What the worker will need of memory, taken while the owner's buffers are still its own. */
static int request_take_buffer(struct block_request *req)
{
    size_t rest = (size_t)(req->bytes - req->done);

    if (req->op == BLOCK_READ || (req->op == BLOCK_WRITE && req->copy)) {
        req->bounce = malloc(rest);
        if (!req->bounce)
            return -ENOMEM;
    }
    if (req->op == BLOCK_WRITE && req->copy) {
        iov_to_buf(req->iov, req->niov, req->bounce);
        req->iov[0] = (struct iovec){.iov_base = req->bounce, .iov_len = rest};
        req->niov = 1;
    }
    return 0;
}

static bool request_in_range(const struct block *block, const struct block_request *req)
{
    uint64_t limit = block_sectors(block) * BLOCK_SECTOR;

    return req->op == BLOCK_FLUSH || (req->bytes <= limit && req->offset <= limit - req->bytes);
}

enum block_result block_submit(struct block *block, struct block_request *req)
{
    int error;

    req->block = block;
    req->error = 0;
    req->done = 0;
    req->cancelled = false;
    req->bounce = NULL;

    if (block->closed || block->close_later)
        return request_done(block, req, -ENODEV);
    if (!request_in_range(block, req))
        return request_done(block, req, -EINVAL);
    if (block->read_only && (req->op == BLOCK_WRITE || req->op == BLOCK_DISCARD))
        return request_done(block, req, -EROFS);
    if (req->op == BLOCK_FLUSH) {
        if (block->flush_error)
            return request_done(block, req, block->flush_error);
        if (block->read_only || !block->unflushed)
            return request_done(block, req, 0);
        block->unflushed = false; /* writes that end from here on set it again */
    }
    if (is_data(req) && !req->bytes)
        return request_done(block, req, 0);

    if (block->ops->submit && block->ops->submit(block->impl, req)) {
        req->running = true;
        block->pending++;
        return BLOCK_PENDING;
    }
    if (req->op == BLOCK_DISCARD && !block->ops->discard) {
        req->done = req->bytes;
        return request_done(block, req, 0);
    }
    if (is_data(req)) {
        error = request_nowait(block, req);
        if (error != -EAGAIN)
            return request_done(block, req, error);
        error = request_take_buffer(req);
        if (error)
            return request_done(block, req, error);
    }

    req->running = true;
    req->item = (struct work_item){.work = request_work, .done = request_worked, .opaque = req};
    block->pending++;
    pthread_mutex_lock(&block->lock);
    block->jobs++;
    pthread_mutex_unlock(&block->lock);
    workers_submit(block->workers, &req->item);
    return BLOCK_PENDING;
}

enum block_result block_discard(struct block *block, struct block_request *req, uint64_t offset,
                                uint64_t bytes)
{
    req->op = BLOCK_DISCARD;
    req->offset = offset;
    req->bytes = bytes;
    req->niov = 0;
    return block_submit(block, req);
}

int block_read_now(struct block *block, uint64_t offset, void *buf, size_t len)
{
    uint8_t *at = buf;

    while (len) {
        struct iovec iov = {.iov_base = at, .iov_len = len};
        ssize_t n = block->ops->readv(block->impl, &iov, 1, offset, false);

        if (n == -EINTR)
            continue;
        if (n < 0)
            return (int)n;
        if (n == 0) {
            memset(at, 0, len);
            break;
        }
        at += n;
        offset += (uint64_t)n;
        len -= (size_t)n;
    }
    return 0;
}
