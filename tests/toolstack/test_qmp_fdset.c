/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "toolstack/fdset.h"

static int make(int flags)
{
    int fd = open("/dev/null", flags | O_CLOEXEC);

    assert_true(fd >= 0);
    return fd;
}

static int setup(void **state)
{
    return fdsets_create((struct fdsets **)state);
}

static int teardown(void **state)
{
    fdsets_destroy(*state);
    return 0;
}

static void test_numbers(void **state)
{
    struct fdsets *sets = *state;
    int fd;

    assert_int_equal(fdsets_add(sets, -1, make(O_RDONLY), NULL, false), 0);
    assert_int_equal(fdsets_add(sets, -1, make(O_RDONLY), NULL, false), 1);
    assert_int_equal(fdsets_add(sets, 3, make(O_RDONLY), NULL, false), 3);
    assert_int_equal(fdsets_add(sets, 3, make(O_WRONLY), NULL, false), 3);
    assert_int_equal(fdsets_add(sets, -1, make(O_RDONLY), NULL, false), 2);
    assert_int_equal(fdsets_add(sets, -1, make(O_RDONLY), NULL, false), 4);
    assert_int_equal(fdsets_remove(sets, 1, -1), 0);
    assert_int_equal(fdsets_add(sets, -1, make(O_RDONLY), NULL, false), 1);
    assert_int_equal(fdsets_add(sets, FDSET_ID_MAX, make(O_RDONLY), NULL, false), FDSET_ID_MAX);
    fd = make(O_RDONLY);
    assert_int_equal(fdsets_add(sets, (int64_t)FDSET_ID_MAX + 1, fd, NULL, false), -ERANGE);
    assert_int_equal(fdsets_add(sets, -2, fd, NULL, false), -ERANGE);
    assert_true(fcntl(fd, F_GETFD) >= 0); /* still the caller's */
    close(fd);
    assert_int_equal(fdsets_add(sets, 0, 1000, NULL, false), -EBADF);
}

static void test_bounds(void **state)
{
    struct fdsets *sets = *state;
    char text[FDSET_OPAQUE_MAX + 2];
    int fd = make(O_RDONLY);

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    assert_int_equal(fdsets_add(sets, 0, fd, text, false), -E2BIG);
    assert_int_equal(fdsets_add(sets, 0, fd, text + 1, false), 0);
    for (int i = 1; i < FDSET_FDS_MAX; i++)
        assert_int_equal(fdsets_add(sets, 7, make(O_RDONLY), NULL, false), 7);
    fd = make(O_RDONLY);
    assert_int_equal(fdsets_add(sets, -1, fd, NULL, false), -ENOSPC);
    close(fd);
}

static void test_access(void **state)
{
    static const int modes[] = {O_RDONLY, O_WRONLY, O_RDWR};
    /* rows: opened so; columns: asked for so */
    static const bool works[3][3] = {
        {true, false, false}, {false, true, false}, {false, true, true}};
    struct fdsets *sets = *state;

    for (int have = 0; have < 3; have++) {
        assert_int_equal(fdsets_add(sets, 5, make(modes[have]), NULL, false), 5);
        for (int want = 0; want < 3; want++) {
            int fd = fdsets_open(sets, "/dev/fdset/5", modes[want]);

            if (!works[have][want]) {
                assert_int_equal(fd, -EACCES);
                continue;
            }
            assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, modes[have]);
            assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
            close(fd);
        }
        assert_int_equal(fdsets_remove(sets, 5, -1), 0);
    }
    assert_int_equal(fdsets_add(sets, 5, make(O_RDWR), NULL, false), 5);
    assert_int_equal(fdsets_add(sets, 5, make(O_RDONLY), NULL, false), 5);
    int fd = fdsets_open(sets, "/dev/fdset/5", O_RDONLY); /* the one that fits, not the first */
    assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
    close(fd);
}

static void test_paths(void **state)
{
    static const char *const bad[] = {"/dev/fdset/",    "/dev/fdset/x",
                                      "/dev/fdset/-1",  "/dev/fdset/+1",
                                      "/dev/fdset/1x",  "/dev/fdset/ 1",
                                      "/dev/fdset/1/",  "/dev/fdset/2147483648",
                                      "/dev/fdset/0x1", "/dev/fdset/99999999999999999999999999999"};
    struct fdsets *sets = *state;
    int fd;

    fdsets_add(sets, 1, make(O_RDONLY), NULL, false);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_true(fdset_is_path(bad[i]));
        assert_int_equal(fdsets_open(sets, bad[i], O_RDONLY), -EINVAL);
    }
    assert_false(fdset_is_path("/dev/fdset"));
    assert_false(fdset_is_path("/srv/dev/fdset/1"));
    assert_int_equal(fdsets_open(sets, "/dev/null", O_RDONLY), -EINVAL);
    assert_int_equal(fdsets_open(sets, "/dev/fdset/2", O_RDONLY), -ENOENT);
    fd = fdsets_open(sets, "/dev/fdset/0000000001", O_RDONLY);
    assert_true(fd >= 0);
    close(fd);
}

struct seen {
    char text[256];
};

static void see(void *to, int64_t id, int fd, const char *opaque)
{
    struct seen *seen = to;
    size_t len = strlen(seen->text);

    assert_true(fcntl(fd, F_GETFD) >= 0);
    snprintf(seen->text + len, sizeof(seen->text) - len, "%lld:%s ", (long long)id,
             opaque ? opaque : "-");
}

static const char *list(struct fdsets *sets)
{
    static struct seen seen;

    seen.text[0] = '\0';
    fdsets_each(sets, see, &seen);
    return seen.text;
}

static void test_lifetime(void **state)
{
    struct fdsets *sets = *state;
    int first = make(O_RDONLY), second = make(O_RDONLY), user;

    fdsets_add(sets, 2, first, "a", true);
    fdsets_add(sets, 2, second, "b", false);
    fdsets_add(sets, 1, make(O_RDONLY), NULL, false);
    assert_string_equal(list(sets), "1:- 2:a 2:b ");
    user = fdsets_open(sets, "/dev/fdset/1", O_RDONLY);
    fdsets_drop_transient(sets);
    assert_string_equal(list(sets), "2:a ");
    assert_int_equal(fcntl(second, F_GETFD), -1); /* closed */
    assert_true(fcntl(user, F_GETFD) >= 0);       /* its user's duplicate lives on */
    close(user);
    assert_int_equal(fdsets_remove(sets, 2, second), -ENOENT);
    assert_int_equal(fdsets_remove(sets, 1, -1), -ENOENT);
    assert_int_equal(fdsets_remove(sets, 2, first), 0);
    assert_string_equal(list(sets), "");
    assert_int_equal(fdsets_remove(sets, 2, -1), -ENOENT);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {T(test_numbers), T(test_bounds), T(test_access),
                                       T(test_paths), T(test_lifetime)};

    return cmocka_run_group_tests_name("qmp_fdset", tests, NULL, NULL);
}
