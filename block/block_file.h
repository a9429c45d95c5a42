/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What block_file.c and its parts share. */
#ifndef BLOCK_BLOCK_FILE_H
#define BLOCK_BLOCK_FILE_H

#include <pthread.h>

#include "block/block_backend.h"

struct block_file {
    int fd;
    char *name;
    bool is_device;
    bool read_only;
    bool sync;    /* a write is answered when it is stable */
    bool lock;    /* by byte locks, when they are wanted */
    size_t align; /* O_DIRECT: of offsets, lengths and memory; else 0 */
    /* O_DIRECT: a write of part of a block changes the whole of it, alone. */
    pthread_rwlock_t whole_blocks;
};

/* Past the page cache; on a worker. Returns bytes moved, 0 at the end, or -errno. */
ssize_t block_direct_readv(struct block_file *file, const struct iovec *iov, unsigned niov,
                           uint64_t offset);
ssize_t block_direct_writev(struct block_file *file, const struct iovec *iov, unsigned niov,
                            uint64_t offset);
/* What O_DIRECT asks of this descriptor. */
size_t block_direct_alignment(int fd, bool is_device);

int block_file_lock(struct block_file *file, bool locked, char *error, size_t error_size);

#endif
