/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a guest can make us write: escaped, at a bounded rate, and bounded in total. */
#include "tests/harness/tap.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dm/log.h"

/* Standard error goes into a memory file meanwhile; the caller frees the text. */
static int saved_stderr, capture;

static void begin(void)
{
    capture = memfd_create("log", MFD_CLOEXEC);
    saved_stderr = dup(STDERR_FILENO);
    assert_true(dup2(capture, STDERR_FILENO) >= 0);
}

static char *end(size_t *len)
{
    off_t size = lseek(capture, 0, SEEK_END);
    char *text = calloc(1, (size_t)size + 1);

    assert_int_equal(pread(capture, text, (size_t)size, 0), size);
    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
    close(capture);
    if (len)
        *len = (size_t)size;
    return text;
}

static unsigned lines(const char *text)
{
    unsigned n = 0;

    for (; *text; text++)
        n += *text == '\n';
    return n;
}

static void test_levels(void **unused)
{
    char *text;

    begin();
    log_error("no %d", 1);
    log_warn("careful");
    log_info("so");
    log_debug("detail");
    log_set_level(LOG_ERROR);
    log_warn("unheard");
    log_set_level(LOG_INFO);
    text = end(NULL);
    assert_string_equal(text, "slimdm: no 1\nslimdm: warning: careful\nslimdm: so\n");
    free(text);
}

static void test_guest_text_is_escaped(void **unused)
{
    char *text;

    begin();
    log_guest("%s", "a\x1b[2J\r\nb\x80");
    text = end(NULL);
    assert_string_equal(text, "slimdm: guest: a\\x1b[2J\\x0d\\x0ab\\x80\n");
    free(text);
}

static void test_a_flood_at_one_place_is_limited(void **unused)
{
    char *text;

    begin();
    for (int i = 0; i < 100000; i++)
        log_guest("flood %d", i);
    text = end(NULL);
    assert_in_range(lines(text), 10, 20); /* a burst of 10, then one a second */
    free(text);
}

static void test_long_lines_are_cut(void **unused)
{
    char *longtext = malloc(100001), *text;
    size_t len;

    memset(longtext, 7, 100000);
    longtext[100000] = 0;
    begin();
    log_guest("%s", longtext);
    text = end(&len);
    assert_in_range(len, 500, 2200);
    assert_int_equal(lines(text), 1);
    free(text);
    free(longtext);
}

/* Even with a bucket a line there is an end: 1 MiB in a guest's life. Last: it is used up then. */
static void test_the_total_is_limited(void **unused)
{
    size_t len, before = log_guest_bytes();
    char *text;

    begin();
    for (int i = 0; i < 100000; i++) {
        struct log_site fresh = {0};

        log_write_guest(&fresh, "line %d %0100d", i, 0);
    }
    text = end(&len);
    assert_in_range(before + len, LOG_GUEST_TOTAL, LOG_GUEST_TOTAL + 1000);
    assert_non_null(strstr(text, "nothing more is written for it"));
    free(text);
    begin();
    log_guest("after the end");
    log_error("ours is still heard");
    text = end(NULL);
    assert_string_equal(text, "slimdm: ours is still heard\n");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_guest_text_is_escaped),
        cmocka_unit_test(test_a_flood_at_one_place_is_limited),
        cmocka_unit_test(test_long_lines_are_cut),
        cmocka_unit_test(test_the_total_is_limited),
    };
    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
