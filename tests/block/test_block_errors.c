/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Errors that hold a request until the toolstack says what becomes of it. */
#include "tests/block/block_fixture.h"

#include <errno.h>
#include <string.h>

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

static void wait_held(struct block_fixture *f, struct block *block)
{
    for (int i = 0; i < 100 && !block_held(block); i++)
        loop_turn(f->loop, 100);
    assert_int_equal(block_held(block), 1);
    assert_int_equal(f->completed, 0);
}

static void test_a_full_disk_holds_the_write_until_there_is_room(void **state)
{
    struct block_fixture *f = *state;

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
    struct block_fixture *f = *state;

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
    struct block_fixture *f = *state;
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
    struct block_fixture *f = *state;
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        BLOCK_TEST(test_a_full_disk_holds_the_write_until_there_is_room),
        BLOCK_TEST(test_a_held_read_goes_on_where_it_was),
        BLOCK_TEST(test_held_requests_can_be_given_up_cancelled_and_closed),
        BLOCK_TEST(test_ignored_errors_give_zeros_and_success),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
