/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Raw images of every size and content: opened by descriptor, looked at for partitions, read and
 * written at any place. Answers are those of a plain array of the same bytes; nothing outside the
 * image is ever asked for, and the file never grows beyond its last sector.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "block/block.h"
#include "dm/loop.h"
#include "hw/ide/ide.h"
#include "tests/fuzz/machine_ops.h"

#define SIZE_MAX_BYTES 8192u
#define PIECE          2048u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct loop *loop;
static struct workers *workers;
static struct block_request req;
static bool done;

static void complete(void *opaque, struct block_request *r)
{
    done = true;
}

static int run(struct block *block, enum block_op op, uint64_t offset, void *buf, size_t bytes)
{
    req.op = op;
    req.offset = offset;
    req.bytes = bytes;
    req.niov = 1;
    req.iov[0] = (struct iovec){buf, bytes};
    req.complete = complete;
    done = block_submit(block, &req) == BLOCK_DONE;
    while (!done)
        loop_turn(loop, 10);
    return req.error;
}

static void check_geometry(struct block *block)
{
    struct ide_geometry g;

    ide_guess_geometry(block, &g);
    fuzz_require(g.cylinders >= 1 && g.cylinders <= 16383 && g.heads >= 1 && g.heads <= 16 &&
                     g.sectors >= 1 && g.sectors <= 63,
                 "the geometry is one that IDENTIFY can say");
}

static void one_request(struct fuzz_input *in, struct block *block, uint8_t *model, size_t limit)
{
    uint8_t how = fuzz_u8(in), buf[PIECE];
    uint64_t offset = how & 1 ? fuzz_u32(in) : fuzz_u32(in) % (SIZE_MAX_BYTES + 1);
    size_t bytes = fuzz_u32(in) % (PIECE + 1);
    bool fits = bytes <= limit && offset <= limit - bytes;
    int error;

    if (how & 2) {
        memset(buf, how, sizeof(buf));
        error = run(block, BLOCK_WRITE, offset, buf, bytes);
        fuzz_require(error == (!fits                    ? -EINVAL
                               : block_read_only(block) ? -EROFS
                                                        : 0),
                     "a write has the right answer");
        if (!error)
            memcpy(model + offset, buf, bytes);
        return;
    }
    memset(buf, 0x5a, sizeof(buf));
    error = run(block, BLOCK_READ, offset, buf, bytes);
    fuzz_require(error == (fits ? 0 : -EINVAL), "a read has the right answer");
    if (!error)
        fuzz_require(!memcmp(buf, model + offset, bytes), "a read gives what was written");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t model[SIZE_MAX_BYTES + 512];
    struct fuzz_input in = {data, size};
    struct block_options options = {0};
    size_t bytes = fuzz_u32(&in) % (SIZE_MAX_BYTES + 1), limit = (bytes + 511) / 512 * 512;
    struct block *block;
    struct stat st;
    int fd;

    if (!loop && (loop_create(&loop) || workers_create(&workers, loop, 1)))
        abort();
    options.workers = workers;
    options.read_only = fuzz_u8(&in) & 1;
    memset(model, 0, sizeof(model));
    memcpy(model, in.data, in.left < bytes ? in.left : bytes);
    fd = memfd_create("image", MFD_CLOEXEC);
    fuzz_require(fd >= 0 && ftruncate(fd, (off_t)bytes) == 0 &&
                     pwrite(fd, model, bytes, 0) == (ssize_t)bytes,
                 "the image can be made");
    fuzz_require(!block_open_fd(&block, fd, "image", &options, NULL, 0), "it can be opened");
    fuzz_require(block_size(block) == bytes, "its size is the file's");
    check_geometry(block);
    for (unsigned i = 0; i < 20 && in.left; i++)
        one_request(&in, block, model, limit);
    fuzz_require(!block_close(block), "it can be closed");
    fuzz_require(!fstat(fd, &st) && (size_t)st.st_size <= limit, "the file has not grown");
    close(fd);
    return 0;
}
