/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is behind a struct block: files, NBD servers, and what tests put in their place. */
#ifndef BLOCK_BLOCK_BACKEND_H
#define BLOCK_BLOCK_BACKEND_H

#include "block/block.h"

struct block_ops {
    /*
     * Moves bytes at `offset`; may move fewer than asked. Returns how many, 0 at the end of the
     * file (reads), or -errno. With `nowait`: -EAGAIN when it would have to wait, -EOPNOTSUPP when
     * it cannot know. Without: called on a worker thread and may block.
     */
    ssize_t (*readv)(void *impl, const struct iovec *iov, unsigned niov, uint64_t offset,
                     bool nowait);
    ssize_t (*writev)(void *impl, const struct iovec *iov, unsigned niov, uint64_t offset,
                      bool nowait);
    int (*flush)(void *impl);
    int (*discard)(void *impl, uint64_t offset, uint64_t bytes);
    void (*close)(void *impl);
    /* Both may be NULL; see block_lock() and block_resize(). resize() runs on a worker. */
    int (*lock)(void *impl, bool locked, char *error, size_t error_size);
    int (*resize)(void *impl, uint64_t bytes);
    /* A flush after a failed one can be believed: what failed has not been forgotten. */
    bool flush_recovers;
    size_t align; /* of buffers that need no copying; 0: any */
    /*
     * A back end that answers by itself, not through worker threads: takes the request and calls
     * block_request_finish() on the device thread later. Returns false when it does not want this
     * one. drain() finishes all it holds. Both may be NULL.
     */
    bool (*submit)(void *impl, struct block_request *req);
    void (*drain)(void *impl);
};

/* Wraps a back end; owns impl from then on. Returns 0 or -ENOMEM. */
int block_create(struct block **out, const struct block_ops *ops, void *impl, const char *name,
                 uint64_t size, bool read_only, struct workers *workers);

void block_set_cache_mode(struct block *block, enum block_cache cache);

/* The sentence for `error` of the functions that open; returns rc. */
int block_refuse(char *error, size_t size, int rc, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* For ops->submit: the answer. The back end does not touch the request afterwards. */
void block_request_finish(struct block_request *req, int error, uint64_t done);

/* The first `bytes` of a vector are done with. */
void block_iov_advance(struct iovec *iov, unsigned *niov, size_t bytes);
void block_iov_from_buf(const struct iovec *iov, unsigned niov, const void *buf, size_t len);
void block_iov_to_buf(const struct iovec *iov, unsigned niov, void *buf);

/* ---- block_open.c calls ---------------------------------------------------------------------- */

int block_file_open(struct block **out, const char *path, const struct block_options *options,
                    char *error, size_t error_size);
/* Owns fd, also when it fails. */
int block_file_open_fd(struct block **out, int fd, const char *name,
                       const struct block_options *options, char *error, size_t error_size);

#endif
