/* SPDX-License-Identifier: GPL-2.0-or-later */
/* FCS by both ways of working it out, Internet checksums, and lists of pieces. */
#include "tests/hw/net/nicrig.h"

static uint8_t data[2048];

static int fill(void **state)
{
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i * 197 + (i >> 5) * 31 + 7);
    return 0;
}

static void test_fcs(void **state)
{
    static struct fcs_table table;
    struct iovec digits = {(void *)"123456789", 9};

    fcs_init(&table);
    assert_int_equal(fcs_of(&table, &digits, 1, 0, 9), 0xcbf43926);
    for (unsigned way = 0; way < 2; way++) {
        for (size_t len = 0; len <= 1600; len += 1 + len / 300) {
            uint32_t expected = slow_fcs(data + len % 16, len);
            struct iovec whole = {data + len % 16, len};
            struct iovec parts[3] = {{data + len % 16, len / 3},
                                     {data + len % 16 + len / 3, len / 2},
                                     {data + len % 16 + len / 3 + len / 2, sizeof(data) - 1600}};

            assert_int_equal(fcs_of(&table, &whole, 1, 0, len), expected);
            assert_int_equal(fcs_of(&table, parts, 3, 0, len), expected);
        }
        table.fold = false; /* and now by tables alone */
    }
}

static void test_fcs_hash(void **state)
{
    static struct fcs_table table;

    fcs_init(&table);
    assert_int_equal(fcs_hash(&table, (const uint8_t *)"\x01\x00\x5e\x00\x00\x01"), 31);
}

static void test_sums(void **state)
{
    struct iovec parts[4];

    for (size_t len = 0; len < 300; len++) {
        uint32_t expected = 0;

        for (size_t i = 0; i < len; i++)
            expected += i & 1 ? data[i] : (uint32_t)data[i] << 8;
        while (expected >> 16)
            expected = (expected & 0xffff) + (expected >> 16);
        assert_int_equal(inet_fold(inet_sum(data, len)), expected);
        /* In pieces of odd lengths, from the middle of the first. */
        parts[0] = (struct iovec){data, 0};
        parts[1] = (struct iovec){data, len / 3};
        parts[2] = (struct iovec){data + len / 3, len / 5};
        parts[3] = (struct iovec){data + len / 3 + len / 5, 1000};
        assert_int_equal(inet_fold(inet_sum_iov(parts, 4, 0, len)), expected);
    }
    parts[0] = (struct iovec){data, 100};
    assert_int_equal(inet_fold(inet_sum_iov(parts, 1, 99, 10)), data[99] << 8);
    assert_int_equal(inet_sum_iov(parts, 1, 100, 10), 0);
}

static void test_slices(void **state)
{
    struct iovec from[3] = {{data, 10}, {data + 100, 0}, {data + 200, 20}}, to[3];
    uint8_t copy[40];

    assert_int_equal(iov_slice(to, 3, from, 3, 5, 10), 2);
    assert_ptr_equal(to[0].iov_base, data + 5);
    assert_int_equal(to[0].iov_len, 5);
    assert_ptr_equal(to[1].iov_base, data + 200);
    assert_int_equal(to[1].iov_len, 5);
    assert_int_equal(iov_slice(to, 1, from, 3, 5, 10), 1); /* no room */
    assert_int_equal(iov_slice(to, 3, from, 3, 30, 10), 0);
    assert_int_equal(iov_slice(to, 3, from, 3, 0, 0), 0);
    assert_int_equal(iov_read(from, 3, 8, copy, 4), 4);
    assert_memory_equal(copy, data + 8, 2);
    assert_memory_equal(copy + 2, data + 200, 2);
    assert_int_equal(iov_read(from, 3, 25, copy, 40), 5);
    assert_int_equal(iov_write(from, 3, 9, "abc", 3), 3);
    assert_int_equal(data[9], 'a');
    assert_memory_equal(data + 200, "bc", 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_fcs, fill),
        cmocka_unit_test(test_fcs_hash),
        cmocka_unit_test_setup(test_sums, fill),
        cmocka_unit_test_setup(test_slices, fill),
    };

    return cmocka_run_group_tests_name("frame", tests, NULL, NULL);
}
