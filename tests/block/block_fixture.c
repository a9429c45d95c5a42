/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/block/block_fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void block_fixture_completed(void *opaque, struct block_request *req)
{
    ((struct block_fixture *)opaque)->completed++;
}

int block_fixture_setup(void **state)
{
    struct block_fixture *f = calloc(1, sizeof(*f));
    const char *dir = getenv("TMPDIR");

    if (!f || loop_create(&f->loop) || workers_create(&f->workers, f->loop, 2))
        return -1;
    snprintf(f->path, sizeof(f->path), "%s/block.XXXXXX", dir ? dir : P_tmpdir);
    close(mkstemp(f->path));
    *state = f;
    return 0;
}

int block_fixture_teardown(void **state)
{
    struct block_fixture *f = *state;

    workers_destroy(f->workers);
    loop_destroy(f->loop);
    unlink(f->path);
    free(f);
    return 0;
}

void fill(struct block_fixture *f, size_t size)
{
    uint8_t *data = malloc(size + 1);
    int fd = open(f->path, O_WRONLY | O_TRUNC);

    for (size_t i = 0; i < size; i++)
        data[i] = block_ram_pattern(i);
    assert_int_equal(write(fd, data, size), size);
    close(fd);
    free(data);
}

struct block *open_raw(struct block_fixture *f, bool read_only)
{
    struct block_options options = {.workers = f->workers, .format = "raw", .read_only = read_only};
    struct block *block;
    char error[200] = "";

    if (block_open_path(&block, f->path, &options, error, sizeof(error)))
        fail_msg("%s", error);
    return block;
}

int run(struct block_fixture *f, struct block *block, enum block_op op, uint64_t offset, void *buf,
        size_t bytes)
{
    struct block_request *req = &f->req;
    int before = f->completed;

    req->op = op;
    req->offset = offset;
    req->bytes = bytes;
    req->niov = 1;
    req->iov[0] = (struct iovec){buf, bytes};
    req->complete = block_fixture_completed;
    req->opaque = f;
    if (block_submit(block, req) == BLOCK_PENDING)
        while (f->completed == before)
            loop_turn(f->loop, 100);
    return req->error;
}

void begin(struct block_fixture *f, struct block *block, enum block_op op, uint64_t offset,
           void *buf, size_t bytes)
{
    f->req = (struct block_request){.op = op,
                                    .offset = offset,
                                    .bytes = bytes,
                                    .copy = op == BLOCK_WRITE,
                                    .niov = 1,
                                    .iov = {{buf, bytes}},
                                    .complete = block_fixture_completed,
                                    .opaque = f};
    f->completed = 0;
    assert_int_equal(block_submit(block, &f->req), BLOCK_PENDING);
}

int wait_done(struct block_fixture *f)
{
    for (int i = 0; i < 100 && !f->completed; i++)
        loop_turn(f->loop, 100);
    assert_int_equal(f->completed, 1);
    return f->req.error;
}

struct block *ram_image(struct block_fixture *f, struct block_ram *ram, bool blocks)
{
    struct block *block;

    assert_int_equal(block_ram_create(ram, &block, 65536, false, f->workers), 0);
    ram->blocks = blocks;
    return block;
}
