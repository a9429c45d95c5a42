/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Locks, sizes, cache modes. */
#include "tests/block/block_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int open_locked(struct block_fixture *f, struct block **block, bool read_only)
{
    struct block_options options = {.workers = f->workers, .read_only = read_only, .lock = true};
    char error[200];

    return block_open_path(block, f->path, &options, error, sizeof(error));
}

static void test_writers_exclude_each_other_and_readers(void **state)
{
    struct block_fixture *f = *state;
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
    struct block_fixture *f = *state;
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
    struct block_fixture *f = *state;
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
    struct block_fixture *f = *state;
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        BLOCK_TEST(test_writers_exclude_each_other_and_readers),
        BLOCK_TEST(test_another_size),
        BLOCK_TEST(test_past_the_page_cache_at_any_sector),
        BLOCK_TEST(test_unsafe_does_not_flush),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
