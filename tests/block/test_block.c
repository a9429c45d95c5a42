/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What images do with requests; what is refused; the ways of a request and of a close. */
#include "tests/block/block_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static void test_reads_what_the_file_holds(void **state)
{
    struct block_fixture *f = *state;
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
    struct block_fixture *f = *state;
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
    struct block_fixture *f = *state;
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
    struct block_fixture *f = *state;
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
    struct block_fixture *f = *state;
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
    struct block_fixture *f = *state;
    uint8_t header[512] = {'Q', 'F', 'I', 0xfb, 0, 0,   0, 2, 0, 0,
                           0,   0,   0,   0,    0, 104, 0, 0, 0, sizeof(backing) - 1};
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
    struct block_fixture *f = *state;
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
    struct block_fixture *f = *state;
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
    struct block_fixture *f = *state;
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
    struct block_fixture *f = *state;
    struct block *a, *b;

    fill(f, 4096);
    a = open_raw(f, false);
    b = open_raw(f, false);
    assert_int_equal(block_close(a), 0);
    assert_int_equal(block_close(b), 0);
}

static void test_size_limit_is_an_error_not_a_signal(void **state)
{
    struct block_fixture *f = *state;
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
    struct block_fixture *f = *state;
    struct block_ram ram;
    struct block *block = ram_image(f, &ram, true);
    uint8_t buf[2048], again[2048];

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
    struct block_fixture *f = *state;
    struct block_ram ram;
    struct block *block = ram_image(f, &ram, false);
    uint8_t buf[4096] = {0};

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
    struct block_fixture *f = *state;
    struct block_ram ram;
    struct block *block = ram_image(f, &ram, false);
    uint8_t buf[512] = {0};

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
    struct block_fixture *f = *state;
    struct block_ram ram;
    struct block *block = ram_image(f, &ram, false);
    uint8_t buf[512] = {0};

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
    struct block_fixture *f = *state;
    struct block_ram ram;
    struct block *block;
    uint8_t buf[512];

    memset(buf, 0xcc, sizeof(buf));
    block = ram_image(f, &ram, true);
    begin(f, block, BLOCK_READ, 0, buf, 512);
    block_cancel(&f->req);
    assert_int_equal(wait_done(f), -ECANCELED);
    for (size_t i = 0; i < sizeof(buf); i++)
        assert_int_equal(buf[i], 0xcc);
    assert_int_equal(block_close(block), 0);
    block_ram_fini(&ram);
}

static void test_copied_write_does_not_see_later_changes(void **state)
{
    struct block_fixture *f = *state;
    struct block_ram ram;
    struct block *block;
    uint8_t buf[512];

    memset(buf, 0x11, sizeof(buf));
    block = ram_image(f, &ram, true);
    begin(f, block, BLOCK_WRITE, 0, buf, 512);
    memset(buf, 0x22, sizeof(buf));
    assert_int_equal(wait_done(f), 0);
    assert_int_equal(ram.data[0], 0x11);
    assert_int_equal(ram.data[511], 0x11);
    assert_int_equal(block_close(block), 0);
    block_ram_fini(&ram);
}

static void test_close_waits_for_running_writes(void **state)
{
    struct block_fixture *f = *state;
    struct block_ram ram;
    struct block *block;
    uint8_t buf[512];

    memset(buf, 0x77, sizeof(buf));
    block = ram_image(f, &ram, true);
    f->req = (struct block_request){.op = BLOCK_WRITE,
                                    .offset = 1024,
                                    .bytes = 512,
                                    .niov = 1,
                                    .iov = {{buf, 512}},
                                    .complete = block_fixture_completed,
                                    .opaque = f};
    assert_int_equal(block_submit(block, &f->req), BLOCK_PENDING);
    assert_int_equal(block_close(block), 0);
    /* All is done when it returns, though the callback is still to come. */
    assert_int_equal(ram.data[1024], 0x77);
    assert_int_equal(ram.flushes, 1);
    assert_true(ram.closed);
    assert_int_equal(f->completed, 0);
    assert_int_equal(wait_done(f), 0);
    block_ram_fini(&ram);
}

static void test_close_later_does_not_wait(void **state)
{
    struct block_fixture *f = *state;
    struct block_ram ram;
    struct block *block;
    uint8_t buf[512];

    assert_int_equal(block_ram_create(&ram, &block, 16384, true, f->workers), 0);
    ram.hold = true;
    begin(f, block, BLOCK_READ, 0, buf, 512);
    block_close_later(block);
    assert_false(ram.closed);
    block_ram_release(&ram, 0, 0);
    assert_int_equal(f->completed, 1);
    assert_true(ram.closed);
    block_ram_fini(&ram);
}

static void test_discard_gives_back_only_when_asked(void **state)
{
    struct block_fixture *f = *state;
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
    struct block_fixture *f = *state;
    uint8_t a[100], b[412], c[512];
    struct block *block;

    fill(f, 8192);
    block = open_raw(f, false);
    f->req = (struct block_request){.op = BLOCK_READ,
                                    .offset = 512,
                                    .bytes = 1024,
                                    .niov = 3,
                                    .iov = {{a, 100}, {b, 412}, {c, 512}},
                                    .complete = block_fixture_completed,
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
    struct block_fixture *f = *state;
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        BLOCK_TEST(test_reads_what_the_file_holds),
        BLOCK_TEST(test_writes_reach_the_file_and_flush),
        BLOCK_TEST(test_odd_size_reads_zeros_behind_the_end),
        BLOCK_TEST(test_cve_2008_0928_requests_outside_the_image_are_refused),
        BLOCK_TEST(test_cve_2008_2004_no_format_is_guessed),
        BLOCK_TEST(test_cve_2008_1945_cve_2013_1922_no_backing_file_is_followed),
        BLOCK_TEST(test_formats_are_refused_by_name),
        BLOCK_TEST(test_cve_2015_7311_read_only_is_honoured),
        BLOCK_TEST(test_descriptor_is_duplicated_and_closed_on_exec),
        BLOCK_TEST(test_two_openers_are_no_conflict),
        BLOCK_TEST(test_size_limit_is_an_error_not_a_signal),
        BLOCK_TEST(test_worker_path_gives_the_same_answers),
        BLOCK_TEST(test_errors_name_where_they_are),
        BLOCK_TEST(test_failed_flush_is_never_forgotten),
        BLOCK_TEST(test_flush_costs_nothing_when_nothing_was_written),
        BLOCK_TEST(test_cancelled_read_touches_no_buffer),
        BLOCK_TEST(test_copied_write_does_not_see_later_changes),
        BLOCK_TEST(test_close_waits_for_running_writes),
        BLOCK_TEST(test_close_later_does_not_wait),
        BLOCK_TEST(test_discard_gives_back_only_when_asked),
        BLOCK_TEST(test_scattered_read_and_write),
        BLOCK_TEST(test_shared_image_is_closed_by_its_last_owner),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
