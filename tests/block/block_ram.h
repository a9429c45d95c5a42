/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An image in memory for tests: it can fail at a place, claim to block, or hold every request
 * until it is told to answer, in any order.
 */
#ifndef TESTS_BLOCK_BLOCK_RAM_H
#define TESTS_BLOCK_BLOCK_RAM_H

#include "block/block_backend.h"

#define BLOCK_RAM_HELD 16

struct block_ram {
    uint8_t *data;
    uint64_t size;

    bool blocks; /* nothing moves without waiting: every request takes the way of the worker */
    bool hold;   /* requests wait in held[] for block_ram_release() */

    /* Requests of this kind that touch [fault_offset, fault_offset + fault_bytes) fail there. */
    int fault; /* -errno; 0: none */
    enum block_op fault_op;
    uint64_t fault_offset, fault_bytes;
    size_t longest; /* a call moves at most so many bytes; 0: no limit */

    unsigned reads, writes, flushes, discards; /* calls that came through */
    uint64_t last_write_offset, last_write_bytes;
    bool closed;

    struct block_request *held[BLOCK_RAM_HELD];
    unsigned nheld;
};

/* Fills the image with a pattern that differs in every sector. The struct outlives the block. */
int block_ram_create(struct block_ram *ram, struct block **out, uint64_t size, bool read_only,
                     struct workers *workers);
/* Answers the held request n with the error, or by doing it. */
void block_ram_release(struct block_ram *ram, unsigned n, int error);
void block_ram_fini(struct block_ram *ram);

/* The byte that the pattern has at an offset. */
uint8_t block_ram_pattern(uint64_t offset);

#endif
