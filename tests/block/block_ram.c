/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/block/block_ram.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

uint8_t block_ram_pattern(uint64_t offset)
{
    return (uint8_t)(offset / 512 * 7 + offset % 251 + 1);
}

/* How many bytes may be moved before the fault; -errno when the fault is the first thing. */
static ssize_t allowed(const struct block_ram *ram, enum block_op op, uint64_t offset, size_t bytes)
{
    uint64_t n = bytes;

    if (op != BLOCK_DISCARD && ram->longest && n > ram->longest)
        n = ram->longest;
    if (ram->fault && op == ram->fault_op && offset < ram->fault_offset + ram->fault_bytes &&
        offset + n > ram->fault_offset) {
        if (offset >= ram->fault_offset)
            return ram->fault;
        n = ram->fault_offset - offset;
    }
    return (ssize_t)n;
}

static size_t total(const struct iovec *iov, unsigned niov)
{
    size_t n = 0;

    for (unsigned i = 0; i < niov; i++)
        n += iov[i].iov_len;
    return n;
}

static ssize_t move(struct block_ram *ram, enum block_op op, const struct iovec *iov, unsigned niov,
                    uint64_t offset)
{
    ssize_t n = allowed(ram, op, offset, total(iov, niov));
    size_t left;

    if (n < 0)
        return n;
    if (op == BLOCK_READ) {
        if (offset >= ram->size)
            return 0;
        if ((uint64_t)n > ram->size - offset)
            n = (ssize_t)(ram->size - offset);
    } else {
        ram->last_write_offset = offset;
        ram->last_write_bytes = (uint64_t)n;
        if (offset + (uint64_t)n > (ram->size + 511) / 512 * 512)
            return -EFBIG;
    }
    left = (size_t)n;
    for (unsigned i = 0; i < niov && left; i++) {
        size_t part = iov[i].iov_len < left ? iov[i].iov_len : left;

        if (op == BLOCK_READ)
            memcpy(iov[i].iov_base, ram->data + offset, part);
        else
            memcpy(ram->data + offset, iov[i].iov_base, part);
        offset += part;
        left -= part;
    }
    return n;
}

static ssize_t ram_readv(void *impl, const struct iovec *iov, unsigned niov, uint64_t offset,
                         bool nowait)
{
    struct block_ram *ram = impl;

    if (nowait && ram->blocks)
        return -EAGAIN;
    ram->reads++;
    return move(ram, BLOCK_READ, iov, niov, offset);
}

static ssize_t ram_writev(void *impl, const struct iovec *iov, unsigned niov, uint64_t offset,
                          bool nowait)
{
    struct block_ram *ram = impl;

    if (nowait && ram->blocks)
        return -EOPNOTSUPP;
    ram->writes++;
    return move(ram, BLOCK_WRITE, iov, niov, offset);
}

static int ram_flush(void *impl)
{
    struct block_ram *ram = impl;

    ram->flushes++;
    return ram->fault && ram->fault_op == BLOCK_FLUSH ? ram->fault : 0;
}

static int ram_discard(void *impl, uint64_t offset, uint64_t bytes)
{
    struct block_ram *ram = impl;

    ram->discards++;
    if (allowed(ram, BLOCK_DISCARD, offset, 1) < 0)
        return ram->fault;
    memset(ram->data + offset, 0, bytes);
    return 0;
}

static void ram_close(void *impl)
{
    ((struct block_ram *)impl)->closed = true;
}

static bool ram_submit(void *impl, struct block_request *req)
{
    struct block_ram *ram = impl;

    if (!ram->hold || ram->nheld == BLOCK_RAM_HELD)
        return false;
    ram->held[ram->nheld++] = req;
    return true;
}

void block_ram_release(struct block_ram *ram, unsigned n, int error)
{
    struct block_request *req = ram->held[n];
    ssize_t moved = 0;

    ram->nheld--;
    memmove(&ram->held[n], &ram->held[n + 1], (ram->nheld - n) * sizeof(ram->held[0]));
    if (error) {
        block_request_finish(req, error, 0);
        return;
    }
    switch (req->op) {
    case BLOCK_READ:
        /* Nobody writes to the buffers of a request that was given up. */
        ram->reads++;
        if (!req->cancelled)
            moved = move(ram, BLOCK_READ, req->iov, req->niov, req->offset);
        break;
    case BLOCK_WRITE:
        /* A write that was given up may happen all the same. */
        ram->writes++;
        moved = move(ram, BLOCK_WRITE, req->iov, req->niov, req->offset);
        break;
    case BLOCK_FLUSH:
        error = ram_flush(ram);
        break;
    case BLOCK_DISCARD:
        error = ram_discard(ram, req->offset, req->bytes);
        break;
    }
    if (moved < 0)
        error = (int)moved;
    else if ((uint64_t)moved < req->bytes && req->op <= BLOCK_WRITE && !req->cancelled)
        error = -EIO;
    block_request_finish(req, error, moved > 0 ? (uint64_t)moved : 0);
}

static void ram_drain(void *impl)
{
    struct block_ram *ram = impl;

    while (ram->nheld)
        block_ram_release(ram, 0, 0);
}

static const struct block_ops ram_ops = {
    .readv = ram_readv,
    .writev = ram_writev,
    .flush = ram_flush,
    .discard = ram_discard,
    .close = ram_close,
    .submit = ram_submit,
    .drain = ram_drain,
};

int block_ram_create(struct block_ram *ram, struct block **out, uint64_t size, bool read_only,
                     struct workers *workers)
{
    memset(ram, 0, sizeof(*ram));
    ram->size = size;
    ram->data = calloc(1, (size_t)((size + 511) / 512 * 512));
    if (!ram->data)
        return -ENOMEM;
    for (uint64_t i = 0; i < size; i++)
        ram->data[i] = block_ram_pattern(i);
    return block_create(out, &ram_ops, ram, "ram", size, read_only, workers);
}

void block_ram_fini(struct block_ram *ram)
{
    free(ram->data);
    ram->data = NULL;
}
