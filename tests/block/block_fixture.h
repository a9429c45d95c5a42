/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A loop, workers and the path of an empty file; requests, one at a time. */
#ifndef TESTS_BLOCK_BLOCK_FIXTURE_H
#define TESTS_BLOCK_BLOCK_FIXTURE_H

#include "block/block.h"
#include "dm/loop.h"
#include "tests/block/block_ram.h"
#include "tests/harness/tap.h"

struct block_fixture {
    struct loop *loop;
    struct workers *workers;
    char path[64];
    int completed;
    struct block_request req;
};

/* cmocka fixtures. */
int block_fixture_setup(void **state);
int block_fixture_teardown(void **state);

#define BLOCK_TEST(name)                                                                           \
    cmocka_unit_test_setup_teardown(name, block_fixture_setup, block_fixture_teardown)

/* A request's complete(), whose opaque is the fixture: counts. */
void block_fixture_completed(void *opaque, struct block_request *req);

/* Gives the file a pattern that differs in every sector. */
void fill(struct block_fixture *f, size_t size);
struct block *open_raw(struct block_fixture *f, bool read_only);
/* An image of 64 KiB in memory. */
struct block *ram_image(struct block_fixture *f, struct block_ram *ram, bool blocks);
/* Runs one request to its end, however it gets there; returns its error. */
int run(struct block_fixture *f, struct block *block, enum block_op op, uint64_t offset, void *buf,
        size_t bytes);
/* Begins one that has to wait, a write with a copy of its data; waits for it, returns its error. */
void begin(struct block_fixture *f, struct block *block, enum block_op op, uint64_t offset,
           void *buf, size_t bytes);
int wait_done(struct block_fixture *f);

#endif
