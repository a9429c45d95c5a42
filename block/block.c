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
#include "block/block_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void iov_zero(const struct iovec *iov, unsigned niov)
{
    for (unsigned i = 0; i < niov; i++)
        memset(iov[i].iov_base, 0, iov[i].iov_len);
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
        break;
    case BLOCK_DISCARD:
        stats->discard_operations++;
        block->unflushed = true;
        break;
    }
    if (req->error)
        stats->failed_operations++;
}

/* The kernel tells of a lost page once; a later flush that succeeds would hide it. */
static void note_flush_error(struct block *block, const struct block_request *req)
{
    block->unflushed = true;
    if (!block->ops->flush_recovers && !block->flush_error)
        block->flush_error = req->error;
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
    uint8_t *buf = req->bounce + (req->done - req->bounce_from);

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
    block_job_end(block);
}

/* An answer that is known already, by the way of a worker: owners are not called from inside. */
static void request_no_work(void *opaque)
{
    block_job_end(((struct block_request *)opaque)->block);
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

/* The same, after a look at what is to become of an error. */
static void request_end(struct block_request *req)
{
    struct block *block = req->block;

    if (req->op == BLOCK_FLUSH && req->error)
        note_flush_error(block, req);
    if (req->error && !req->cancelled && !block->closed && !block->close_later &&
        !block->draining && block_judge(block, req) == BLOCK_STOP)
        block_hold(block, req);
    else
        request_complete(req);
}

/* What a worker has read, to where the iov stands: behind what was moved without waiting. */
static void request_copy_out(struct block_request *req)
{
    if (req->op == BLOCK_READ && !req->cancelled && req->bounce)
        block_iov_from_buf(req->iov, req->niov, req->bounce,
                           (size_t)(req->done - req->bounce_from));
}

static void request_worked(void *opaque)
{
    struct block_request *req = opaque;

    request_copy_out(req);
    request_end(req);
}

static void request_returned(void *opaque)
{
    struct block_request *req = opaque;

    request_complete(req);
}

static void request_to_worker(struct block_request *req, void (*work)(void *opaque),
                              void (*done)(void *opaque))
{
    req->item = (struct work_item){.work = work, .done = done, .opaque = req};
    block_job_begin(req->block);
    workers_submit(req->block->workers, &req->item);
}

void block_request_return(struct block_request *req)
{
    request_to_worker(req, request_no_work, request_returned);
}

void block_request_again(struct block_request *req)
{
    struct block *block = req->block;

    req->tries = 0;
    if (req->op == BLOCK_FLUSH && block->flush_error) {
        request_to_worker(req, request_no_work, request_worked);
        return;
    }
    if (req->op == BLOCK_FLUSH)
        block->unflushed = false;
    req->error = 0;
    if (!block->ops->submit || !block->ops->submit(block->impl, req))
        request_to_worker(req, request_work, request_worked);
}

void block_request_finish(struct block_request *req, int error, uint64_t done)
{
    req->error = error;
    req->done = done;
    request_end(req);
}

void block_cancel(struct block_request *req)
{
    if (!req->running)
        return;
    req->cancelled = true;
    if (block_unhold(req->block, req))
        block_request_return(req);
}

/* What the worker will need of memory, taken while the owner's buffers are still its own. */
static int request_take_buffer(struct block_request *req)
{
    size_t rest = (size_t)(req->bytes - req->done);

    if (req->op == BLOCK_READ || (req->op == BLOCK_WRITE && req->copy)) {
        size_t align = req->block->ops->align;

        if (posix_memalign((void **)&req->bounce, align ? align : sizeof(void *), rest)) {
            req->bounce = NULL;
            return -ENOMEM;
        }
        req->bounce_from = req->done;
    }
    if (req->op == BLOCK_WRITE && req->copy) {
        block_iov_to_buf(req->iov, req->niov, req->bounce);
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

/* Requests that end without the storage being asked. Returns false where it has to be. */
static bool request_is_trivial(struct block *block, struct block_request *req, int *error)
{
    *error = 0;
    if (block->closed || block->close_later)
        *error = -ENODEV;
    else if (!request_in_range(block, req))
        *error = -EINVAL;
    else if (block->read_only && (req->op == BLOCK_WRITE || req->op == BLOCK_DISCARD))
        *error = -EROFS;
    else if (req->op == BLOCK_FLUSH)
        *error = block->flush_error;
    if (*error)
        return true;
    switch (req->op) {
    case BLOCK_READ:
    case BLOCK_WRITE:
        return !req->bytes;
    case BLOCK_FLUSH:
        return block->read_only || !block->unflushed || block->cache == BLOCK_CACHE_UNSAFE;
    case BLOCK_DISCARD:
        if (block->ops->discard && req->bytes)
            return false;
        req->done = req->bytes;
        return true;
    }
    return true;
}

/* The first attempt has ended; with an error that holds the request it goes on waiting. */
static enum block_result request_tried(struct block *block, struct block_request *req, int error)
{
    req->error = error;
    if (!error || block_judge(block, req) != BLOCK_STOP)
        return request_done(block, req, req->error);
    if (!req->bounce) {
        int rc = request_take_buffer(req);

        if (rc)
            return request_done(block, req, rc);
    }
    req->running = true;
    block->pending++;
    block_hold(block, req);
    return BLOCK_PENDING;
}

enum block_result block_submit(struct block *block, struct block_request *req)
{
    int error;

    req->block = block;
    req->error = 0;
    req->done = 0;
    req->cancelled = false;
    req->bounce = NULL;
    req->bounce_from = 0;
    req->tries = 0;

    if (request_is_trivial(block, req, &error))
        return request_done(block, req, error);
    if (req->op == BLOCK_FLUSH)
        block->unflushed = false; /* writes that end from here on set it again */

    if (block->ops->submit && block->ops->submit(block->impl, req)) {
        req->running = true;
        block->pending++;
        return BLOCK_PENDING;
    }
    if (is_data(req)) {
        error = request_nowait(block, req);
        if (error != -EAGAIN)
            return request_tried(block, req, error);
        error = request_take_buffer(req);
        if (error)
            return request_done(block, req, error);
    }

    req->running = true;
    block->pending++;
    request_to_worker(req, request_work, request_worked);
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
