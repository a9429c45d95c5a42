/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An image as a whole: made, asked, changed in size, closed. Its requests: block.c. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "block/block_internal.h"

int block_refuse(char *error, size_t size, int rc, const char *fmt, ...)
{
    va_list ap;

    if (error && size) {
        va_start(ap, fmt);
        vsnprintf(error, size, fmt, ap);
        va_end(ap);
    }
    return rc;
}

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
    block->workers = workers;
    block->owners = 1;
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

/* ---- its end -------------------------------------------------------------------------------- */

void block_shut(struct block *block)
{
    if (block->closed)
        return;
    block->ops->close(block->impl);
    block->closed = true;
}

void block_free_when_unused(struct block *block)
{
    if (!block->closed || block->pending)
        return;
    pthread_cond_destroy(&block->idle);
    pthread_mutex_destroy(&block->lock);
    free(block->name);
    free(block);
}

void block_job_begin(struct block *block)
{
    pthread_mutex_lock(&block->lock);
    block->jobs++;
    pthread_mutex_unlock(&block->lock);
}

void block_job_end(struct block *block)
{
    pthread_mutex_lock(&block->lock);
    if (--block->jobs == 0)
        pthread_cond_broadcast(&block->idle);
    pthread_mutex_unlock(&block->lock);
}

static void block_wait_idle(struct block *block)
{
    block->draining = true;
    block_give_up(block);
    if (block->ops->drain)
        block->ops->drain(block->impl);
    block->draining = false;
    pthread_mutex_lock(&block->lock);
    while (block->jobs)
        pthread_cond_wait(&block->idle, &block->lock);
    pthread_mutex_unlock(&block->lock);
}

static int block_make_stable(struct block *block)
{
    int error;

    if (block->read_only || block->cache == BLOCK_CACHE_UNSAFE)
        return 0;
    if (block->flush_error)
        return block->flush_error;
    error = block->ops->flush(block->impl);
    if (!block->ops->flush_recovers)
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
    block_give_up(block);
    if (!block->pending) {
        block_shut(block);
        block_free_when_unused(block);
    }
}

/* ---- questions ------------------------------------------------------------------------------ */

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

enum block_cache block_cache_mode(const struct block *block)
{
    return block->cache;
}

void block_set_cache_mode(struct block *block, enum block_cache cache)
{
    block->cache = cache;
}

/* ---- changes -------------------------------------------------------------------------------- */

int block_lock(struct block *block, bool locked, char *error, size_t error_size)
{
    return block->ops->lock ? block->ops->lock(block->impl, locked, error, error_size) : 0;
}

struct resize {
    struct block *block;
    uint64_t bytes;
    int error;
    void (*done)(void *opaque, int error);
    void *opaque;
    struct work_item item;
};

static void resize_work(void *opaque)
{
    struct resize *r = opaque;

    r->error = r->block->ops->resize(r->block->impl, r->bytes);
    block_job_end(r->block);
}

static void resize_worked(void *opaque)
{
    struct resize *r = opaque;
    struct block *block = r->block;

    if (!r->error)
        block->size = r->bytes;
    block->resizing = false;
    r->done(r->opaque, r->error);
    block->pending--;
    if (block->close_later && !block->pending)
        block_shut(block);
    block_free_when_unused(block);
    free(r);
}

int block_resize(struct block *block, uint64_t bytes, void (*done)(void *opaque, int error),
                 void *opaque)
{
    struct resize *r;

    if (block->read_only)
        return -EROFS;
    if (!block->ops->resize)
        return -EOPNOTSUPP;
    if (!bytes || bytes > INT64_MAX)
        return -EINVAL;
    if (block->resizing)
        return -EBUSY;
    r = malloc(sizeof(*r));
    if (!r)
        return -ENOMEM;
    *r = (struct resize){.block = block, .bytes = bytes, .done = done, .opaque = opaque};
    r->item = (struct work_item){.work = resize_work, .done = resize_worked, .opaque = r};
    block->resizing = true;
    block->pending++;
    block_job_begin(block);
    workers_submit(block->workers, &r->item);
    return 0;
}
