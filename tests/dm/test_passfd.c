/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dm/passfd.h"

struct pair {
    int here, there;
};

static struct pair open_pair(int type)
{
    int fd[2];

    assert_int_equal(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fd), 0);
    return (struct pair){fd[0], fd[1]};
}

static void close_pair(struct pair p)
{
    close(p.here);
    close(p.there);
}

static int new_file(void)
{
    int fd = memfd_create("passed", MFD_CLOEXEC);

    assert_true(fd >= 0);
    return fd;
}

static bool same_file(int a, int b)
{
    struct stat one, two;

    assert_int_equal(fstat(a, &one), 0);
    assert_int_equal(fstat(b, &two), 0);
    return one.st_dev == two.st_dev && one.st_ino == two.st_ino;
}

static int open_files(void)
{
    int count = 0;

    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static void test_one_comes_with_its_bytes(void **state)
{
    struct pair p = open_pair(SOCK_SEQPACKET);
    int file = new_file(), fd = -1, got = -1;
    char data[8];

    assert_int_equal(passfd_send(p.here, "bytes", 5, file, 0), 5);
    assert_int_equal(passfd_receive(p.there, data, sizeof(data), &fd, 0, &got), 5);
    assert_memory_equal(data, "bytes", 5);
    assert_true(fd >= 0 && fd != file);
    assert_true(same_file(fd, file));
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    assert_int_equal(got & (MSG_TRUNC | MSG_CTRUNC), 0);
    close(fd);
    close(file);
    close_pair(p);
}

static void test_none(void **state)
{
    struct pair p = open_pair(SOCK_SEQPACKET);
    int fd = 77;
    char data[8];

    assert_int_equal(passfd_send(p.here, "bytes", 5, -1, 0), 5);
    assert_int_equal(passfd_receive(p.there, data, sizeof(data), &fd, 0, NULL), 5);
    assert_int_equal(fd, -1);
    close_pair(p);
}

/* On a stream the descriptor belongs to the first byte. */
static void test_stream(void **state)
{
    struct pair p = open_pair(SOCK_STREAM);
    int file = new_file(), fd = -1;
    char data[8];

    assert_int_equal(passfd_send(p.here, "bytes", 5, file, 0), 5);
    assert_int_equal(passfd_receive(p.there, data, 2, &fd, 0, NULL), 2);
    assert_true(same_file(fd, file));
    close(fd);
    assert_int_equal(passfd_receive(p.there, data, sizeof(data), &fd, 0, NULL), 3);
    assert_int_equal(fd, -1);
    close(file);
    close_pair(p);
}

/* A stranger's message: of several descriptors one arrives, and none is left open behind it. */
static void test_several_leave_nothing_open(void **state)
{
    struct pair p = open_pair(SOCK_SEQPACKET);
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(3 * sizeof(int))];
    } control = {.header = {CMSG_LEN(3 * sizeof(int)), SOL_SOCKET, SCM_RIGHTS}};
    struct iovec iov = {(char[]){'x'}, 1};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = &control,
                         .msg_controllen = sizeof(control)};
    int file = new_file(), before = open_files(), fd = -1, got = 0;
    char data[8];

    memcpy(CMSG_DATA(&control.header), (int[]){file, file, file}, 3 * sizeof(int));
    assert_int_equal(sendmsg(p.here, &msg, 0), 1);
    assert_int_equal(passfd_receive(p.there, data, sizeof(data), &fd, 0, &got), 1);
    assert_true(got & MSG_CTRUNC);
    assert_true(fd >= 0 && same_file(fd, file));
    assert_int_equal(open_files(), before + 1);
    close(fd);
    close(file);
    close_pair(p);
}

/* What the kernel says of the sender is no descriptor. */
static void test_other_control_messages(void **state)
{
    struct pair p = open_pair(SOCK_SEQPACKET);
    int fd = 77;
    char data[8];

    assert_int_equal(setsockopt(p.there, SOL_SOCKET, SO_PASSCRED, &(int){1}, sizeof(int)), 0);
    assert_int_equal(passfd_send(p.here, "bytes", 5, -1, 0), 5);
    assert_int_equal(passfd_receive(p.there, data, sizeof(data), &fd, 0, NULL), 5);
    assert_int_equal(fd, -1);
    close_pair(p);
}

static void test_a_long_message_is_said_to_be_cut(void **state)
{
    struct pair p = open_pair(SOCK_SEQPACKET);
    int fd, got = 0;
    char data[4];

    assert_int_equal(passfd_send(p.here, "bytes", 5, -1, 0), 5);
    assert_int_equal(passfd_receive(p.there, data, sizeof(data), &fd, 0, &got), 4);
    assert_true(got & MSG_TRUNC);
    close_pair(p);
}

/* Neither raises SIGPIPE, which would end this program. */
static void test_errors(void **state)
{
    struct pair p = open_pair(SOCK_SEQPACKET);
    int fd = 77;
    char data[8];

    assert_int_equal(passfd_receive(p.there, data, sizeof(data), &fd, MSG_DONTWAIT, NULL), -1);
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(fd, -1);
    close(p.here);
    assert_int_equal(passfd_receive(p.there, data, sizeof(data), &fd, 0, NULL), 0);
    assert_int_equal(fd, -1);
    assert_int_equal(passfd_send(p.there, "bytes", 5, p.there, 0), -1);
    assert_int_equal(errno, EPIPE);
    close(p.there);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_comes_with_its_bytes),
        cmocka_unit_test(test_none),
        cmocka_unit_test(test_stream),
        cmocka_unit_test(test_several_leave_nothing_open),
        cmocka_unit_test(test_other_control_messages),
        cmocka_unit_test(test_a_long_message_is_said_to_be_cut),
        cmocka_unit_test(test_errors),
    };

    return cmocka_run_group_tests_name("passfd", tests, NULL, NULL);
}
