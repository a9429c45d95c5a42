/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "block/block.h"
#include "dm/loop.h"
#include "tests/block/block_ram.h"

struct fixture {
    struct loop *loop;
    struct workers *workers;
    char path[64];
    int completed;
    struct block_request req;
};

static void completed(void *opaque, struct block_request *req)
{
    ((struct fixture *)opaque)->completed++;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    const char *dir = getenv("TMPDIR");

    if (!f || loop_create(&f->loop) || workers_create(&f->workers, f->loop, 2))
        return -1;
    snprintf(f->path, sizeof(f->path), "%s/block.XXXXXX", dir ? dir : P_tmpdir);
    close(mkstemp(f->path));
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    workers_destroy(f->workers);
    loop_destroy(f->loop);
    unlink(f->path);
    free(f);
    return 0;
}

static void fill(struct fixture *f, size_t size)
{
    uint8_t *data = malloc(size + 1);
    int fd = open(f->path, O_WRONLY | O_TRUNC);

    for (size_t i = 0; i < size; i++)
        data[i] = block_ram_pattern(i);
    assert_int_equal(write(fd, data, size), size);
    close(fd);
    free(data);
}

static struct block *open_raw(struct fixture *f, bool read_only)
{
    struct block_options options = {.workers = f->workers, .format = "raw", .read_only = read_only};
    struct block *block;
    char error[200] = "";

    if (block_open_path(&block, f->path, &options, error, sizeof(error)))
        fail_msg("%s", error);
    return block;
}

/* Runs one request to its end, however it gets there. */
static int run(struct fixture *f, struct block *block, enum block_op op, uint64_t offset, void *buf,
               size_t bytes)
{
    struct block_request *req = &f->req;
    int before = f->completed;

    req->op = op;
    req->offset = offset;
    req->bytes = bytes;
    req->niov = 1;
    req->iov[0] = (struct iovec){buf, bytes};
    req->complete = completed;
    req->opaque = f;
    if (block_submit(block, req) == BLOCK_PENDING)
        while (f->completed == before)
            loop_turn(f->loop, 100);
    return req->error;
}

static void test_reads_what_the_file_holds(void **state)
{
    struct fixture *f = *state;
    uint8_t buf[4096];
    struct block *block;

    fill(f, 64 * 1024);
    block = open_raw(f, false);
    assert_int_equal(block_sectors(block), 128);
    assert_int_equal(run(f, block, BLOCK_READ, 512 * 3, buf, sizeof(buf)), 0);
    assert_int_equal(f->req.done, sizeof(buf));
    for (size_t i = 0; i < sizeof(buf); i++)
        assert_int_equal(buf[i], block_ram_pattern(512 * 3 + i));
    assert_int_equal(block_stats(block)->rd_operations, 1);
    assert_int_equal(block_stats(block)->rd_bytes, sizeof(buf));
    assert_int_equal(block_close(block), 0);
}

static void test_writes_reach_the_file_and_flush(void **state)
{
    struct fixture *f = *state;
    uint8_t buf[1024], back[1024];
    struct block *block;
    int fd;

    fill(f, 8192);
    memset(buf, 0x5a, sizeof(buf));
    block = open_raw(f, false);
    assert_int_equal(run(f, block, BLOCK_WRITE, 1024, buf, sizeof(buf)), 0);
    assert_int_equal(run(f, block, BLOCK_FLUSH, 0, NULL, 0), 0);
    fd = open(f->path, O_RDONLY);
    assert_int_equal(pread(fd, back, sizeof(back), 1024), sizeof(back));
    assert_memory_equal(buf, back, sizeof(buf));
    close(fd);
    assert_int_equal(block_stats(block)->wr_bytes, 1024);
    assert_int_equal(block_stats(block)->flush_operations, 1);
    assert_int_equal(block_close(block), 0);
}

static void test_odd_size_reads_zeros_behind_the_end(void **state)
{
    struct fixture *f = *state;
    uint8_t buf[512];
    struct block *block;

    fill(f, 1000);
    block = open_raw(f, false);
    assert_int_equal(block_size(block), 1000);
    assert_int_equal(block_sectors(block), 2);
    memset(buf, 0xee, sizeof(buf));
    assert_int_equal(run(f, block, BLOCK_READ, 512, buf, 512), 0);
    for (size_t i = 0; i < 512; i++)
        assert_int_equal(buf[i], i < 488 ? block_ram_pattern(512 + i) : 0);
    assert_int_equal(block_close(block), 0);
}

static void test_cve_2008_0928_requests_outside_the_image_are_refused(void **state)
{
    struct fixture *f = *state;
    uint8_t buf[1024] = {0};
    struct stat st;
    struct block *block;

    fill(f, 4096);
    block = open_raw(f, false);
    assert_int_equal(run(f, block, BLOCK_READ, 4096, buf, 512), -EINVAL);
    assert_int_equal(run(f, block, BLOCK_READ, 3584, buf, 1024), -EINVAL);
    assert_int_equal(run(f, block, BLOCK_READ, UINT64_MAX - 511, buf, 512), -EINVAL);
    assert_int_equal(run(f, block, BLOCK_WRITE, 4096, buf, 512), -EINVAL);
    assert_int_equal(run(f, block, BLOCK_DISCARD, 4096, NULL, 512), -EINVAL);
    assert_int_equal(stat(f->path, &st), 0);
    assert_int_equal(st.st_size, 4096);
    assert_int_equal(block_close(block), 0);
}

static void test_cve_2008_2004_no_format_is_guessed(void **state)
{
    struct fixture *f = *state;
    uint8_t header[512] = {'Q', 'F', 'I', 0xfb, 0, 0, 0, 2}, buf[512];
    struct block *block;

    /* A guest writes the header of another format: the image stays what it was. */
    fill(f, 8192);
    block = open_raw(f, false);
    assert_int_equal(run(f, block, BLOCK_WRITE, 0, header, 512), 0);
    assert_int_equal(block_close(block), 0);
    block = open_raw(f, false);
    assert_int_equal(block_size(block), 8192);
    assert_int_equal(run(f, block, BLOCK_READ, 0, buf, 512), 0);
    assert_memory_equal(buf, header, 512);
    assert_int_equal(block_close(block), 0);
}

/* The header names a file of the host: it is never looked at, nor the file. */
static void test_cve_2008_1945_cve_2013_1922_no_backing_file_is_followed(void **state)
{
    static const char backing[] = "/etc/passwd";
    struct fixture *f = *state;
    uint8_t header[512] = {'Q', 'F', 'I', 0xfb, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 104,
                           0,   0,   0, sizeof(backing) - 1};
    uint8_t buf[1024];
    struct block *block;

    memcpy(header + 104, backing, sizeof(backing) - 1);
    fill(f, 8192);
    block = open_raw(f, false);
    assert_int_equal(run(f, block, BLOCK_WRITE, 0, header, 512), 0);
    assert_int_equal(block_close(block), 0);
    block = open_raw(f, false);
    assert_int_equal(run(f, block, BLOCK_READ, 0, buf, sizeof(buf)), 0);
    assert_memory_equal(buf, header, 512);
    for (size_t i = 512; i < sizeof(buf); i++)
        assert_int_equal(buf[i], block_ram_pattern(i));
    assert_int_equal(block_close(block), 0);
}

static void test_formats_are_refused_by_name(void **state)
{
    struct fixture *f = *state;
    struct block_options options = {.workers = f->workers, .format = "qcow2"};
    struct block *block;
    char error[200];

    assert_int_equal(block_open_path(&block, f->path, &options, error, sizeof(error)), -EINVAL);
    assert_non_null(strstr(error, "qcow2"));
    assert_non_null(strstr(error, f->path));
    options.format = "raw";
    assert_int_equal(block_open_path(&block, "/nonexistent", &options, error, sizeof(error)),
                     -ENOENT);
    assert_non_null(strstr(error, "/nonexistent"));
    assert_int_equal(block_open_path(&block, "/", &options, error, sizeof(error)), -EINVAL);
    assert_int_equal(block_open_path(&block, "/dev/null", &options, error, sizeof(error)), -EINVAL);
}

static void test_cve_2015_7311_read_only_is_honoured(void **state)
{
    struct fixture *f = *state;
    struct block_options options = {.workers = f->workers};
    uint8_t buf[512] = {1};
    struct block *block;
    char error[200];
    int fd;

    fill(f, 4096);
    block = open_raw(f, true);
    assert_true(block_read_only(block));
    assert_int_equal(run(f, block, BLOCK_WRITE, 0, buf, 512), -EROFS);
    assert_int_equal(run(f, block, BLOCK_DISCARD, 0, NULL, 512), -EROFS);
    assert_int_equal(run(f, block, BLOCK_FLUSH, 0, NULL, 0), 0);
    assert_int_equal(block_close(block), 0);

    /* The access mode of a descriptor says the same, whatever the options say. */
    fd = open(f->path, O_RDONLY);
    assert_int_equal(block_open_fd(&block, fd, "fdset", &options, error, sizeof(error)), 0);
    close(fd);
    assert_true(block_read_only(block));
    assert_int_equal(run(f, block, BLOCK_READ, 0, buf, 512), 0);
    assert_int_equal(buf[5], block_ram_pattern(5));
    assert_int_equal(block_close(block), 0);
}

static void test_descriptor_is_duplicated_and_closed_on_exec(void **state)
{
    struct fixture *f = *state;
    struct block_options options = {.workers = f->workers};
    struct block *block;
    char error[200];
    int fd, next, flags;

    fill(f, 4096);
    fd = open(f->path, O_RDWR);
    next = dup(fd);
    close(next); /* the image's own descriptor will have this number */
    assert_int_equal(block_open_fd(&block, fd, "fd", &options, error, sizeof(error)), 0);
    assert_false(block_read_only(block));
    flags = fcntl(next, F_GETFD);
    assert_true(flags >= 0 && (flags & FD_CLOEXEC));
    assert_int_equal(block_close(block), 0);
    assert_true(fcntl(next, F_GETFD) < 0);
    assert_true(fcntl(fd, F_GETFD) >= 0);
    close(fd);
}

static void test_two_openers_are_no_conflict(void **state)
{
    struct fixture *f = *state;
    struct block *a, *b;

    fill(f, 4096);
    a = open_raw(f, false);
    b = open_raw(f, false);
    assert_int_equal(block_close(a), 0);
    assert_int_equal(block_close(b), 0);
}

static void test_size_limit_is_an_error_not_a_signal(void **state)
{
    struct fixture *f = *state;
    struct rlimit old, limit;
    uint8_t buf[512] = {0};
    struct block *block;

    fill(f, 4096);
    block = open_raw(f, false);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    limit = old;
    limit.rlim_cur = 1024;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_int_equal(run(f, block, BLOCK_WRITE, 2048, buf, 512), -EFBIG);
    setrlimit(RLIMIT_FSIZE, &old);
    assert_int_equal(block_stats(block)->failed_operations, 1);
    assert_int_equal(block_close(block), 0);
}

static void test_worker_path_gives_the_same_answers(void **state)
{
    struct fixture *f = *state;
    struct block_ram ram;
    struct block *block;
    uint8_t buf[2048], again[2048];

    assert_int_equal(block_ram_create(&ram, &block, 16384, false, f->workers), 0);
    ram.blocks = true;
    ram.longest = 700; /* every call is short */
    assert_int_equal(run(f, block, BLOCK_READ, 512, buf, sizeof(buf)), 0);
    assert_int_equal(f->completed, 1);
    for (size_t i = 0; i < sizeof(buf); i++)
        assert_int_equal(buf[i], block_ram_pattern(512 + i));
    memset(buf, 0x33, sizeof(buf));
    assert_int_equal(run(f, block, BLOCK_WRITE, 4096, buf, sizeof(buf)), 0);
    assert_int_equal(run(f, block, BLOCK_READ, 4096, again, sizeof(again)), 0);
    assert_memory_equal(buf, again, sizeof(buf));
    assert_int_equal(ram.data[4095], block_ram_pattern(4095));
    assert_int_equal(ram.data[4096 + 2048], block_ram_pattern(4096 + 2048));
    assert_int_equal(block_close(block), 0);
    block_ram_fini(&ram);
}

static void test_errors_name_where_they_are(void **state)
{
    struct fixture *f = *state;
    struct block_ram ram;
    struct block *block;
    uint8_t buf[4096] = {0};

    assert_int_equal(block_ram_create(&ram, &block, 16384, false, f->workers), 0);
    for (int blocking = 0; blocking < 2; blocking++) {
        ram.blocks = blocking;
        ram.fault = -EIO;
        ram.fault_op = BLOCK_READ;
        ram.fault_offset = 2048;
        ram.fault_bytes = 512;
        assert_int_equal(run(f, block, BLOCK_READ, 512, buf, sizeof(buf)), -EIO);
        assert_int_equal(f->req.done, 1536);
        assert_int_equal(buf[1535], block_ram_pattern(2047));
        ram.fault = -ENOSPC;
        ram.fault_op = BLOCK_WRITE;
        ram.fault_offset = 10240;
        assert_int_equal(run(f, block, BLOCK_WRITE, 8192, buf, 4096), -ENOSPC);
        assert_int_equal(f->req.done, 2048);
    }
    ram.fault = 0;
    assert_int_equal(block_close(block), 0);
    block_ram_fini(&ram);
}

static void test_failed_flush_is_never_forgotten(void **state)
{
    struct fixture *f = *state;
    struct block_ram ram;
    struct block *block;
    uint8_t buf[512] = {0};

    assert_int_equal(block_ram_create(&ram, &block, 16384, false, f->workers), 0);
    assert_int_equal(run(f, block, BLOCK_WRITE, 0, buf, 512), 0);
    ram.fault = -EIO;
    ram.fault_op = BLOCK_FLUSH;
    assert_int_equal(run(f, block, BLOCK_FLUSH, 0, NULL, 0), -EIO);
    ram.fault = 0;
    assert_int_equal(run(f, block, BLOCK_FLUSH, 0, NULL, 0), -EIO);
    assert_int_equal(block_close(block), -EIO);
    assert_true(ram.closed);
    block_ram_fini(&ram);
}

static void test_flush_costs_nothing_when_nothing_was_written(void **state)
{
    struct fixture *f = *state;
    struct block_ram ram;
    struct block *block;
    uint8_t buf[512] = {0};

    assert_int_equal(block_ram_create(&ram, &block, 16384, false, f->workers), 0);
    /* The first one is real: a process before this one may have left data in the page cache. */
    assert_int_equal(run(f, block, BLOCK_FLUSH, 0, NULL, 0), 0);
    assert_int_equal(ram.flushes, 1);
    assert_int_equal(run(f, block, BLOCK_FLUSH, 0, NULL, 0), 0);
    assert_int_equal(ram.flushes, 1);
    assert_int_equal(run(f, block, BLOCK_WRITE, 0, buf, 512), 0);
    assert_int_equal(run(f, block, BLOCK_FLUSH, 0, NULL, 0), 0);
    assert_int_equal(ram.flushes, 2);
    assert_int_equal(block_close(block), 0);
    block_ram_fini(&ram);
}

static void test_cancelled_read_touches_no_buffer(void **state)
{
    struct fixture *f = *state;
    struct block_ram ram;
    struct block *block;
    uint8_t buf[512];

    memset(buf, 0xcc, sizeof(buf));
    assert_int_equal(block_ram_create(&ram, &block, 16384, false, f->workers), 0);
    ram.blocks = true;
    f->req = (struct block_request){.op = BLOCK_READ,
                                    .bytes = 512,
                                    .niov = 1,
                                    .iov = {{buf, 512}},
                                    .complete = completed,
                                    .opaque = f};
    assert_int_equal(block_submit(block, &f->req), BLOCK_PENDING);
    block_cancel(&f->req);
    while (!f->completed)
        loop_turn(f->loop, 100);
    assert_int_equal(f->req.error, -ECANCELED);
    for (size_t i = 0; i < sizeof(buf); i++)
        assert_int_equal(buf[i], 0xcc);
    assert_int_equal(block_close(block), 0);
    block_ram_fini(&ram);
}

static void test_copied_write_does_not_see_later_changes(void **state)
{
    struct fixture *f = *state;
    struct block_ram ram;
    struct block *block;
    uint8_t buf[512];

    memset(buf, 0x11, sizeof(buf));
    assert_int_equal(block_ram_create(&ram, &block, 16384, false, f->workers), 0);
    ram.blocks = true;
    f->req = (struct block_request){.op = BLOCK_WRITE,
                                    .copy = true,
                                    .bytes = 512,
                                    .niov = 1,
                                    .iov = {{buf, 512}},
                                    .complete = completed,
                                    .opaque = f};
    assert_int_equal(block_submit(block, &f->req), BLOCK_PENDING);
    memset(buf, 0x22, sizeof(buf));
    while (!f->completed)
        loop_turn(f->loop, 100);
    assert_int_equal(ram.data[0], 0x11);
    assert_int_equal(ram.data[511], 0x11);
    assert_int_equal(block_close(block), 0);
    block_ram_fini(&ram);
}

static void test_close_waits_for_running_writes(void **state)
{
    struct fixture *f = *state;
    struct block_ram ram;
    struct block *block;
    uint8_t buf[512];

    memset(buf, 0x77, sizeof(buf));
    assert_int_equal(block_ram_create(&ram, &block, 16384, false, f->workers), 0);
    ram.blocks = true;
    f->req = (struct block_request){.op = BLOCK_WRITE,
                                    .offset = 1024,
                                    .bytes = 512,
                                    .niov = 1,
                                    .iov = {{buf, 512}},
                                    .complete = completed,
                                    .opaque = f};
    assert_int_equal(block_submit(block, &f->req), BLOCK_PENDING);
    assert_int_equal(block_close(block), 0);
    /* All is done when it returns, though the callback is still to come. */
    assert_int_equal(ram.data[1024], 0x77);
    assert_int_equal(ram.flushes, 1);
    assert_true(ram.closed);
    assert_int_equal(f->completed, 0);
    while (!f->completed)
        loop_turn(f->loop, 100);
    assert_int_equal(f->req.error, 0);
    block_ram_fini(&ram);
}

static void test_close_later_does_not_wait(void **state)
{
    struct fixture *f = *state;
    struct block_ram ram;
    struct block *block;
    uint8_t buf[512];

    assert_int_equal(block_ram_create(&ram, &block, 16384, true, f->workers), 0);
    ram.hold = true;
    f->req = (struct block_request){.op = BLOCK_READ,
                                    .bytes = 512,
                                    .niov = 1,
                                    .iov = {{buf, 512}},
                                    .complete = completed,
                                    .opaque = f};
    assert_int_equal(block_submit(block, &f->req), BLOCK_PENDING);
    block_close_later(block);
    assert_false(ram.closed);
    block_ram_release(&ram, 0, 0);
    assert_int_equal(f->completed, 1);
    assert_true(ram.closed);
    block_ram_fini(&ram);
}

static void test_discard_gives_back_only_when_asked(void **state)
{
    struct fixture *f = *state;
    struct block_options options = {.workers = f->workers, .discard = true};
    uint8_t buf[4096];
    struct block *block;
    char error[200];

    fill(f, 1 << 20);
    block = open_raw(f, false);
    assert_int_equal(run(f, block, BLOCK_DISCARD, 8192, NULL, 4096), 0);
    assert_int_equal(run(f, block, BLOCK_READ, 8192, buf, 4096), 0);
    assert_int_equal(buf[0], block_ram_pattern(8192));
    assert_int_equal(block_close(block), 0);

    assert_int_equal(block_open_path(&block, f->path, &options, error, sizeof(error)), 0);
    assert_int_equal(run(f, block, BLOCK_DISCARD, 8192, NULL, 4096), 0);
    assert_int_equal(run(f, block, BLOCK_READ, 8192, buf, 4096), 0);
    /* A file system without holes keeps the data; no other byte may come out. */
    for (size_t i = 0; i < sizeof(buf); i++)
        assert_true(buf[i] == 0 || buf[i] == block_ram_pattern(8192 + i));
    assert_int_equal(run(f, block, BLOCK_READ, 8192 - 512, buf, 512), 0);
    assert_int_equal(buf[511], block_ram_pattern(8191));
    assert_int_equal(block_close(block), 0);
}

static void test_scattered_read_and_write(void **state)
{
    struct fixture *f = *state;
    uint8_t a[100], b[412], c[512];
    struct block *block;

    fill(f, 8192);
    block = open_raw(f, false);
    f->req = (struct block_request){.op = BLOCK_READ,
                                    .offset = 512,
                                    .bytes = 1024,
                                    .niov = 3,
                                    .iov = {{a, 100}, {b, 412}, {c, 512}},
                                    .complete = completed,
                                    .opaque = f};
    if (block_submit(block, &f->req) == BLOCK_PENDING)
        while (!f->completed)
            loop_turn(f->loop, 100);
    assert_int_equal(f->req.error, 0);
    assert_int_equal(a[99], block_ram_pattern(611));
    assert_int_equal(b[0], block_ram_pattern(612));
    assert_int_equal(c[511], block_ram_pattern(1535));
    assert_int_equal(block_close(block), 0);
}

static void test_shared_image_is_closed_by_its_last_owner(void **state)
{
    struct fixture *f = *state;
    struct block *block, *second;
    uint8_t buf[512] = {7};

    fill(f, 4096);
    block = open_raw(f, false);
    second = block_share(block);
    assert_int_equal(run(f, block, BLOCK_WRITE, 0, buf, 512), 0);
    assert_int_equal(block_close(block), 0);
    assert_int_equal(run(f, second, BLOCK_READ, 0, buf, 512), 0);
    assert_int_equal(buf[0], 7);
    block_share(second);
    block_close_later(second);
    assert_int_equal(run(f, second, BLOCK_READ, 512, buf, 512), 0);
    assert_int_equal(block_close(second), 0);
}

/* ---- errors that hold a request -------------------------------------------------------------- */

struct heard {
    unsigned times;
    struct block_error last;
};

static void told(void *opaque, const struct block_error *error)
{
    struct heard *heard = opaque;

    heard->times++;
    heard->last = *error;
}

static void begin(struct fixture *f, struct block *block, enum block_op op, uint64_t offset,
                  void *buf, size_t bytes)
{
    f->req = (struct block_request){.op = op,
                                    .offset = offset,
                                    .bytes = bytes,
                                    .copy = op == BLOCK_WRITE,
                                    .niov = 1,
                                    .iov = {{buf, bytes}},
                                    .complete = completed,
                                    .opaque = f};
    f->completed = 0;
    assert_int_equal(block_submit(block, &f->req), BLOCK_PENDING);
}

static void wait_held(struct fixture *f, struct block *block)
{
    for (int i = 0; i < 100 && !block_held(block); i++)
        loop_turn(f->loop, 100);
    assert_int_equal(block_held(block), 1);
    assert_int_equal(f->completed, 0);
}

static int wait_done(struct fixture *f)
{
    for (int i = 0; i < 100 && !f->completed; i++)
        loop_turn(f->loop, 100);
    assert_int_equal(f->completed, 1);
    return f->req.error;
}

static struct block *ram_image(struct fixture *f, struct block_ram *ram, bool blocks)
{
    struct block *block;

    assert_int_equal(block_ram_create(ram, &block, 65536, false, f->workers), 0);
    ram->blocks = blocks;
    return block;
}

static void test_a_full_disk_holds_the_write_until_there_is_room(void **state)
{
    struct fixture *f = *state;

    for (int blocks = 0; blocks < 2; blocks++) {
        struct heard heard = {0};
        struct block_ram ram;
        struct block *block = ram_image(f, &ram, blocks);
        uint8_t buf[4096];

        block_set_on_error(block, BLOCK_REPORT, BLOCK_ENOSPC, told, &heard);
        ram.fault = -ENOSPC;
        ram.fault_op = BLOCK_WRITE;
        ram.fault_offset = 10240; /* in the middle */
        ram.fault_bytes = 512;
        memset(buf, 0x77, sizeof(buf));
        begin(f, block, BLOCK_WRITE, 8192, buf, sizeof(buf));
        wait_held(f, block);
        memset(buf, 0, sizeof(buf)); /* the buffer was copied */
        assert_int_equal(heard.times, 1);
        assert_true(heard.last.write && heard.last.action == BLOCK_STOP);
        block_retry(block); /* still full */
        wait_held(f, block);
        assert_int_equal(heard.times, 2);
        ram.fault = 0;
        block_retry(block);
        assert_int_equal(wait_done(f), 0);
        assert_int_equal(f->req.done, sizeof(buf));
        for (size_t i = 0; i < sizeof(buf); i++)
            assert_int_equal(ram.data[8192 + i], 0x77);
        /* another error than a full disk is the owner's */
        ram.fault = -EIO;
        assert_int_equal(run(f, block, BLOCK_WRITE, 8192, buf, sizeof(buf)), -EIO);
        assert_int_equal(heard.last.action, BLOCK_REPORT);
        block_close(block);
        block_ram_fini(&ram);
    }
}

static void test_a_held_read_goes_on_where_it_was(void **state)
{
    struct fixture *f = *state;

    for (int blocks = 0; blocks < 2; blocks++) {
        struct heard heard = {0};
        struct block_ram ram;
        struct block *block = ram_image(f, &ram, blocks);
        uint8_t buf[4096] = {0};

        block_set_on_error(block, BLOCK_STOP, BLOCK_REPORT, told, &heard);
        ram.fault = -EIO;
        ram.fault_op = BLOCK_READ;
        ram.fault_offset = 3072;
        ram.fault_bytes = 512;
        begin(f, block, BLOCK_READ, 1024, buf, sizeof(buf));
        wait_held(f, block);
        ram.fault = 0;
        block_retry(block);
        assert_int_equal(wait_done(f), 0);
        for (size_t i = 0; i < sizeof(buf); i++)
            assert_int_equal(buf[i], block_ram_pattern(1024 + i));
        block_close(block);
        block_ram_fini(&ram);
    }
}

static void test_held_requests_can_be_given_up_cancelled_and_closed(void **state)
{
    struct fixture *f = *state;
    struct block_ram ram;
    struct block *block = ram_image(f, &ram, true);
    uint8_t buf[512] = {0};

    block_set_on_error(block, BLOCK_STOP, BLOCK_STOP, NULL, NULL);
    ram.fault = -EIO;
    ram.fault_op = BLOCK_WRITE;
    ram.fault_bytes = 65536;
    begin(f, block, BLOCK_WRITE, 0, buf, sizeof(buf));
    wait_held(f, block);
    block_give_up(block);
    assert_int_equal(f->completed, 0); /* never from inside */
    assert_int_equal(wait_done(f), -EIO);
    begin(f, block, BLOCK_WRITE, 0, buf, sizeof(buf));
    wait_held(f, block);
    block_cancel(&f->req);
    assert_int_equal(block_held(block), 0);
    assert_int_equal(wait_done(f), -ECANCELED);
    begin(f, block, BLOCK_WRITE, 0, buf, sizeof(buf));
    wait_held(f, block);
    block_close(block);
    assert_int_equal(wait_done(f), -EIO);
    assert_true(ram.closed);
    block_ram_fini(&ram);
}

static void test_ignored_errors_give_zeros_and_success(void **state)
{
    struct fixture *f = *state;
    struct heard heard = {0};
    struct block_ram ram;
    struct block *block = ram_image(f, &ram, true);
    uint8_t buf[512];

    block_set_on_error(block, BLOCK_IGNORE, BLOCK_IGNORE, told, &heard);
    ram.fault = -EIO;
    ram.fault_op = BLOCK_READ;
    ram.fault_bytes = 65536;
    memset(buf, 0xff, sizeof(buf));
    assert_int_equal(run(f, block, BLOCK_READ, 0, buf, sizeof(buf)), 0);
    for (size_t i = 0; i < sizeof(buf); i++)
        assert_int_equal(buf[i], 0);
    assert_int_equal(heard.last.action, BLOCK_IGNORE);
    ram.fault_op = BLOCK_WRITE;
    assert_int_equal(run(f, block, BLOCK_WRITE, 0, buf, sizeof(buf)), 0);
    assert_int_equal(heard.times, 2);
    block_close(block);
    block_ram_fini(&ram);
}

/* ---- locks, sizes, cache modes --------------------------------------------------------------- */

static int open_locked(struct fixture *f, struct block **block, bool read_only)
{
    struct block_options options = {.workers = f->workers, .read_only = read_only, .lock = true};
    char error[200];

    return block_open_path(block, f->path, &options, error, sizeof(error));
}

static void test_writers_exclude_each_other_and_readers(void **state)
{
    struct fixture *f = *state;
    struct block *a, *b, *c;
    char error[200] = "";

    fill(f, 4096);
    assert_int_equal(open_locked(f, &a, false), 0);
    assert_int_equal(open_locked(f, &b, false), -EBUSY);
    assert_int_equal(open_locked(f, &b, true), -EBUSY);
    assert_int_equal(block_lock(a, false, error, sizeof(error)), 0);
    assert_int_equal(open_locked(f, &b, true), 0);
    assert_int_equal(open_locked(f, &c, true), 0);
    assert_int_equal(block_lock(a, true, error, sizeof(error)), -EBUSY);
    assert_non_null(strstr(error, f->path));
    block_close(b);
    block_close(c);
    assert_int_equal(block_lock(a, true, error, sizeof(error)), 0);
    assert_int_equal(open_locked(f, &b, true), -EBUSY);
    block_close(a);
    assert_int_equal(open_locked(f, &b, false), 0);
    block_close(b);
}

static void resized(void *opaque, int error)
{
    *(int *)opaque = error;
}

static void test_another_size(void **state)
{
    struct fixture *f = *state;
    struct block *block;
    uint8_t buf[512];
    struct stat st;
    int result = 1;

    fill(f, 4096);
    block = open_raw(f, false);
    assert_int_equal(block_resize(block, 8192, resized, &result), 0);
    assert_int_equal(block_resize(block, 8192, resized, &result), -EBUSY);
    while (result == 1)
        loop_turn(f->loop, 100);
    assert_int_equal(result, 0);
    assert_int_equal(block_size(block), 8192);
    assert_int_equal(run(f, block, BLOCK_READ, 7680, buf, 512), 0);
    assert_int_equal(stat(f->path, &st), 0);
    assert_int_equal(st.st_size, 8192);
    assert_int_equal(block_resize(block, 0, resized, &result), -EINVAL);
    block_close(block);
    block = open_raw(f, true);
    assert_int_equal(block_resize(block, 4096, resized, &result), -EROFS);
    block_close(block);
}

static void test_past_the_page_cache_at_any_sector(void **state)
{
    struct fixture *f = *state;
    struct block_options options = {.workers = f->workers, .cache = BLOCK_CACHE_DIRECTSYNC};
    uint8_t *buf = malloc(300 * 1024 + 1), *image = malloc(1 << 20);
    struct block *block;
    char error[200];
    unsigned seed = 1;
    int fd;

    fill(f, 1 << 20);
    for (size_t i = 0; i < 1 << 20; i++)
        image[i] = block_ram_pattern(i);
    assert_int_equal(block_open_path(&block, f->path, &options, error, sizeof(error)), 0);
    for (int i = 0; i < 60; i++) {
        size_t offset = (size_t)(rand_r(&seed) % 1400) * 512;
        size_t bytes = (size_t)(rand_r(&seed) % (i % 10 ? 12 : 600) + 1) * 512;

        memset(buf + 1, i + 1, bytes); /* memory at an odd address, too */
        if (i % 2) {
            assert_int_equal(run(f, block, BLOCK_WRITE, offset, buf + 1, bytes), 0);
            memset(image + offset, i + 1, bytes);
        } else {
            assert_int_equal(run(f, block, BLOCK_READ, offset, buf + 1, bytes), 0);
            assert_memory_equal(buf + 1, image + offset, bytes);
        }
    }
    block_close(block);
    fd = open(f->path, O_RDONLY);
    for (size_t i = 0; i < 1 << 20; i += 4096) {
        assert_int_equal(pread(fd, buf, 4096, (off_t)i), 4096);
        assert_memory_equal(buf, image + i, 4096);
    }
    close(fd);
    free(buf);
    free(image);
}

static void test_unsafe_does_not_flush(void **state)
{
    struct fixture *f = *state;
    struct block_ram ram;
    struct block *block = ram_image(f, &ram, false);
    uint8_t buf[512] = {0};

    block_set_cache_mode(block, BLOCK_CACHE_UNSAFE);
    assert_int_equal(run(f, block, BLOCK_WRITE, 0, buf, 512), 0);
    assert_int_equal(run(f, block, BLOCK_FLUSH, 0, NULL, 0), 0);
    block_close(block);
    assert_int_equal(ram.flushes, 0);
    block_ram_fini(&ram);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_reads_what_the_file_holds),
        T(test_writes_reach_the_file_and_flush),
        T(test_odd_size_reads_zeros_behind_the_end),
        T(test_cve_2008_0928_requests_outside_the_image_are_refused),
        T(test_cve_2008_2004_no_format_is_guessed),
        T(test_cve_2008_1945_cve_2013_1922_no_backing_file_is_followed),
        T(test_formats_are_refused_by_name),
        T(test_cve_2015_7311_read_only_is_honoured),
        T(test_descriptor_is_duplicated_and_closed_on_exec),
        T(test_two_openers_are_no_conflict),
        T(test_size_limit_is_an_error_not_a_signal),
        T(test_worker_path_gives_the_same_answers),
        T(test_errors_name_where_they_are),
        T(test_failed_flush_is_never_forgotten),
        T(test_flush_costs_nothing_when_nothing_was_written),
        T(test_cancelled_read_touches_no_buffer),
        T(test_copied_write_does_not_see_later_changes),
        T(test_close_waits_for_running_writes),
        T(test_close_later_does_not_wait),
        T(test_discard_gives_back_only_when_asked),
        T(test_scattered_read_and_write),
        T(test_shared_image_is_closed_by_its_last_owner),
        T(test_a_full_disk_holds_the_write_until_there_is_room),
        T(test_a_held_read_goes_on_where_it_was),
        T(test_held_requests_can_be_given_up_cancelled_and_closed),
        T(test_ignored_errors_give_zeros_and_success),
        T(test_writers_exclude_each_other_and_readers),
        T(test_another_size),
        T(test_past_the_page_cache_at_any_sector),
        T(test_unsafe_does_not_flush),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
