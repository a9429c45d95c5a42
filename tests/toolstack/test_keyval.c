/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "toolstack/keyval.h"

/* Writes a list as [key=value][key] and compares. */
static void assert_cut(const char *text, const char *implied, const char *expected)
{
    struct keyval kv;
    char out[256] = "";

    assert_int_equal(keyval_parse(&kv, text, implied), KEYVAL_OK);
    for (unsigned i = 0; i < kv.count; i++) {
        strcat(out, "[");
        strcat(out, kv.item[i].key);
        if (kv.item[i].value) {
            strcat(out, "=");
            strcat(out, kv.item[i].value);
        }
        strcat(out, "]");
    }
    assert_string_equal(out, expected);
    keyval_free(&kv);
}

static void test_cut(void **state)
{
    assert_cut("", NULL, "");
    assert_cut("a", NULL, "[a]");
    assert_cut("a", "k", "[k=a]");
    assert_cut("a=b", "k", "[a=b]");
    assert_cut("a=b,c", "k", "[a=b][c]");
    assert_cut("x,nowait,a=1", "k", "[k=x][nowait][a=1]");
    assert_cut("a=", NULL, "[a=]");
    assert_cut("a=,b=", NULL, "[a=][b=]");
    assert_cut("a=b,", NULL, "[a=b]");
    assert_cut("file=/x=y=z,b=2", NULL, "[file=/x=y=z][b=2]");
    assert_cut("nbd+unix:///?socket=/a", "k", "[nbd+unix:///?socket=/a]");
}

static void test_doubled_commas(void **state)
{
    assert_cut("file=/a,,b,c=d", NULL, "[file=/a,b][c=d]");
    assert_cut("a,,b", "k", "[k=a,b]");
    assert_cut("a=,,", NULL, "[a=,]");
    assert_cut("a=,,,b", NULL, "[a=,][b]");
    assert_cut("a=,,,,", NULL, "[a=,,]");
}

static void test_errors(void **state)
{
    char many[4 * (KEYVAL_MAX + 1) + 16] = "";
    struct keyval kv;

    assert_int_equal(keyval_parse(&kv, "=x", NULL), KEYVAL_EMPTY_KEY);
    keyval_free(&kv);
    assert_int_equal(keyval_parse(&kv, "a=b,=x", NULL), KEYVAL_EMPTY_KEY);
    keyval_free(&kv);
    assert_int_equal(keyval_parse(&kv, "a=b,c=d,a=e", NULL), KEYVAL_TWICE);
    assert_string_equal(kv.item[kv.count - 1].key, "a");
    keyval_free(&kv);
    assert_int_equal(keyval_parse(&kv, "b,k=d", "k"), KEYVAL_TWICE);
    keyval_free(&kv);

    for (int i = 0; i <= KEYVAL_MAX; i++)
        snprintf(many + strlen(many), 16, "k%02d,", i);
    assert_int_equal(keyval_parse(&kv, many, NULL), KEYVAL_TOO_MANY);
    keyval_free(&kv);
    many[strlen(many) - 4] = '\0';
    assert_int_equal(keyval_parse(&kv, many, NULL), KEYVAL_OK);
    assert_int_equal(kv.count, KEYVAL_MAX);
    keyval_free(&kv);
}

static void test_find(void **state)
{
    struct keyval kv;

    assert_int_equal(keyval_parse(&kv, "a=1,b,c=3", NULL), KEYVAL_OK);
    assert_null(keyval_find(&kv, "x"));
    assert_string_equal(keyval_unused(&kv)->key, "a");
    assert_string_equal(keyval_find(&kv, "a")->value, "1");
    assert_null(keyval_find(&kv, "b")->value);
    assert_string_equal(keyval_unused(&kv)->key, "c");
    keyval_find(&kv, "c");
    assert_null(keyval_unused(&kv));
    keyval_free(&kv);
}

static void test_bool(void **state)
{
    bool b;

    assert_true(keyval_parse_bool("on", &b) && b);
    assert_true(keyval_parse_bool("yes", &b) && b);
    assert_true(keyval_parse_bool("true", &b) && b);
    assert_true(keyval_parse_bool("off", &b) && !b);
    assert_true(keyval_parse_bool("no", &b) && !b);
    assert_true(keyval_parse_bool("false", &b) && !b);
    assert_false(keyval_parse_bool("", &b));
    assert_false(keyval_parse_bool("ON", &b));
    assert_false(keyval_parse_bool("1", &b));
    assert_false(keyval_parse_bool("onn", &b));
}

static void test_uint(void **state)
{
    static const char *const bad[] = {"",
                                      " 1",
                                      "1 ",
                                      "+1",
                                      "-1",
                                      "1x",
                                      "0x",
                                      "x1",
                                      "1.",
                                      "0xg",
                                      "18446744073709551616",
                                      "0x10000000000000000"};
    uint64_t n = 7;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (keyval_parse_uint(bad[i], 0, UINT64_MAX, &n))
            fail_msg("taken for a number: '%s'", bad[i]);
    }
    assert_int_equal(n, 7);
    assert_true(keyval_parse_uint("18446744073709551615", 0, UINT64_MAX, &n));
    assert_true(n == UINT64_MAX);
    assert_true(keyval_parse_uint("0xFf", 0, 255, &n));
    assert_int_equal(n, 255);
    assert_true(keyval_parse_uint("010", 0, 255, &n));
    assert_int_equal(n, 10);
    assert_false(keyval_parse_uint("4", 5, 9, &n));
    assert_true(keyval_parse_uint("5", 5, 9, &n));
    assert_true(keyval_parse_uint("9", 5, 9, &n));
    assert_false(keyval_parse_uint("10", 5, 9, &n));
}

static void test_size(void **state)
{
    uint64_t n = 7;

    assert_true(keyval_parse_size("3", 1 << 20, 0, UINT64_MAX, &n));
    assert_int_equal(n, 3 << 20);
    assert_true(keyval_parse_size("3b", 1 << 20, 0, UINT64_MAX, &n));
    assert_int_equal(n, 3);
    assert_true(keyval_parse_size("3K", 1, 0, UINT64_MAX, &n));
    assert_int_equal(n, 3 << 10);
    assert_true(keyval_parse_size("3m", 1, 0, UINT64_MAX, &n));
    assert_int_equal(n, 3 << 20);
    assert_true(keyval_parse_size("3G", 1, 0, UINT64_MAX, &n));
    assert_true(n == 3ull << 30);
    assert_true(keyval_parse_size("3T", 1, 0, UINT64_MAX, &n));
    assert_true(n == 3ull << 40);
    assert_false(keyval_parse_size("3X", 1, 0, UINT64_MAX, &n));
    assert_false(keyval_parse_size("3MB", 1, 0, UINT64_MAX, &n));
    assert_false(keyval_parse_size("M", 1, 0, UINT64_MAX, &n));
    assert_false(keyval_parse_size("18446744073709551615K", 1, 0, UINT64_MAX, &n));
    assert_false(keyval_parse_size("2M", 1, 0, 1 << 20, &n));
    assert_false(keyval_parse_size("1K", 1, 1 << 20, UINT64_MAX, &n));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cut),    cmocka_unit_test(test_doubled_commas),
        cmocka_unit_test(test_errors), cmocka_unit_test(test_find),
        cmocka_unit_test(test_bool),   cmocka_unit_test(test_uint),
        cmocka_unit_test(test_size),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
