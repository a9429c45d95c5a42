/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include "firmware/bootorder.h"
#include "tests/harness/tap.h"

static void check(const char *letters, uint8_t first_second, uint8_t third)
{
    uint8_t code[BOOTORDER_MAX];

    assert_int_equal(bootorder_parse(letters, code), 0);
    struct bootorder_cmos cmos = bootorder_encode(code, true);
    assert_int_equal(cmos.first_second, first_second);
    assert_int_equal(cmos.third, third);
}

static void test_orders(void **state)
{
    check("cda", 0x32, 0x10);
    check("c", 0x02, 0x00);
    check("dc", 0x23, 0x00);
    check("ncd", 0x24, 0x30);
    check("b", 0x01, 0x00);
    check("", 0x00, 0x00);
    check("acdn", 0x21, 0x30);
}

static void test_floppy_signature_check(void **state)
{
    const uint8_t code[BOOTORDER_MAX] = {1, 2, 3};

    assert_int_equal(bootorder_encode(code, true).third, 0x30);
    assert_int_equal(bootorder_encode(code, false).third, 0x31);
}

static void test_bad_orders(void **state)
{
    uint8_t code[BOOTORDER_MAX];

    assert_int_equal(bootorder_parse("x", code), -EINVAL);
    assert_int_equal(bootorder_parse("cc", code), -EINVAL);
    assert_int_equal(bootorder_parse("acdx", code), -EINVAL);
    assert_int_equal(bootorder_parse("C", code), -EINVAL);
    assert_int_equal(bootorder_parse("cdac", code), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_orders),
        cmocka_unit_test(test_floppy_signature_check),
        cmocka_unit_test(test_bad_orders),
    };

    return cmocka_run_group_tests_name("bootorder", tests, NULL, NULL);
}
