/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What block_image.c, block.c and block_error.c share. */
#ifndef BLOCK_BLOCK_INTERNAL_H
#define BLOCK_BLOCK_INTERNAL_H

#include <pthread.h>

#include "block/block_backend.h"

struct block {
    const struct block_ops *ops;
    void *impl;
    char *name;
    uint64_t size;
    bool read_only;
    enum block_cache cache;
    struct workers *workers;
    struct block_stats stats;

    bool nowait_read, nowait_write; /* the file system has not refused yet */
    bool unflushed;  /* there may be data that is not stable; true at first: an earlier process's */
    int flush_error; /* the first one; it stays */

    enum block_on_error on_read, on_write;
    void (*told)(void *opaque, const struct block_error *error);
    void *told_opaque;
    struct block_request *held; /* the oldest first */
    unsigned nheld;

    unsigned owners;
    bool draining; /* nothing is held now */
    bool resizing;
    unsigned pending; /* requests whose complete() is to come, and changes of size */
    bool close_later;
    bool closed;

    pthread_mutex_t lock;
    pthread_cond_t idle;
    unsigned jobs; /* under the lock: what a worker has not finished with */
};

void block_shut(struct block *block);
void block_free_when_unused(struct block *block);
/* Around what a worker does with the image. */
void block_job_begin(struct block *block);
void block_job_end(struct block *block);

/* What is to become of a request with an error; BLOCK_IGNORE has changed it to a success. */
enum block_on_error block_judge(struct block *block, struct block_request *req);
void block_hold(struct block *block, struct block_request *req);
/* Takes the request out of the list, if it is there. */
bool block_unhold(struct block *block, struct block_request *req);

/* The request's way on: to its owner with the error it has, or once more to the storage. */
void block_request_return(struct block_request *req);
void block_request_again(struct block_request *req);

#endif
