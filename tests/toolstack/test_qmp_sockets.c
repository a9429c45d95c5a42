/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sockets of QMP: made, inherited, full, and left behind as they should be. */
#include "qmp_mock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int dial(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
    if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0)
        return fd;
    close(fd);
    return -1;
}

struct place {
    char dir[32], path[64];
};

static struct place place(void)
{
    struct place p = {.dir = "qmp-XXXXXX"};

    assert_non_null(mkdtemp(p.dir));
    snprintf(p.path, sizeof(p.path), "%s/socket", p.dir);
    return p;
}

static void test_listen_unix(void **state)
{
    struct mock *m = *state;
    struct place p = place();
    struct stat st;
    int client;
    mode_t mask = umask(0);

    assert_int_equal(qmp_listen_unix(m->qmp, p.path, 0), 0);
    umask(mask);
    assert_int_equal(lstat(p.path, &st), 0);
    assert_true(S_ISSOCK(st.st_mode));
    assert_int_equal(st.st_mode & 07777, 0600);
    client = dial(p.path);
    assert_true(client >= 0);
    mock_settle(m);
    assert_int_equal(strncmp(mock_receive(m, client), "{\"QMP\":", 7), 0);
    qmp_destroy(m->qmp);
    m->qmp = NULL;
    assert_int_equal(lstat(p.path, &st), -1);
    assert_int_equal(recv(client, &st, 1, 0), 0);
    close(client);
    assert_int_equal(rmdir(p.dir), 0);
}

static void test_listen_over_a_stale_socket(void **state)
{
    struct mock *m = *state;
    struct place p = place();
    int stale = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), client;
    struct sockaddr_un addr = {.sun_family = AF_UNIX};

    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", p.path);
    assert_int_equal(bind(stale, (struct sockaddr *)&addr, sizeof(addr)), 0);
    close(stale);
    assert_int_equal(qmp_listen_unix(m->qmp, p.path, 0), 0);
    client = dial(p.path);
    assert_true(client >= 0);
    close(client);
    unlink(p.path);
    assert_int_equal(rmdir(p.dir), 0);
}

/* Other files of that name are left alone, before and after. */
static void test_listen_spares_the_files_of_others(void **state)
{
    struct mock *m = *state;
    struct place p = place();
    struct stat st;
    int fd = open(p.path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    char longer[200];

    close(fd);
    assert_int_equal(qmp_listen_unix(m->qmp, p.path, 0), -EEXIST);
    assert_int_equal(lstat(p.path, &st), 0);
    unlink(p.path);
    assert_int_equal(qmp_listen_unix(m->qmp, p.path, 0), 0);
    unlink(p.path);
    fd = open(p.path, O_CREAT | O_RDWR | O_CLOEXEC, 0600); /* a successor's */
    close(fd);
    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    assert_int_equal(qmp_listen_unix(m->qmp, longer, 0), -ENAMETOOLONG);
    assert_int_equal(qmp_listen_unix(m->qmp, "no-such-folder/socket", 0), -ENOENT);
    qmp_destroy(m->qmp);
    m->qmp = NULL;
    assert_int_equal(lstat(p.path, &st), 0);
    unlink(p.path);
    assert_int_equal(rmdir(p.dir), 0);
}

static void test_listen_on_an_inherited_socket(void **state)
{
    struct mock *m = *state;
    struct place p = place();
    struct stat st;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0), client, pair[2];
    struct sockaddr_un addr = {.sun_family = AF_UNIX};

    assert_int_equal(qmp_listen_fd(m->qmp, fd, 0), -EINVAL); /* does not listen */
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(qmp_listen_fd(m->qmp, pair[0], 0), -EINVAL);
    close(pair[0]);
    close(pair[1]);
    assert_int_equal(qmp_listen_fd(m->qmp, -1, 0), -EBADF);
    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", p.path);
    assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(qmp_listen_fd(m->qmp, fd, 0), 0);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    client = dial(p.path);
    mock_settle(m);
    assert_int_equal(strncmp(mock_receive(m, client), "{\"QMP\":", 7), 0);
    close(client);
    qmp_destroy(m->qmp);
    m->qmp = NULL;
    assert_int_equal(lstat(p.path, &st), 0); /* only libxl unlinks it */
    unlink(p.path);
    assert_int_equal(rmdir(p.dir), 0);
}

/* As many as there is room for are served; the next waits, and gets in as soon as one has gone. */
static void test_many_clients(void **state)
{
    struct mock *m = *state;
    struct place p = place();
    int client[QMP_CONNECTIONS_MAX + 3];

    assert_int_equal(qmp_listen_unix(m->qmp, p.path, 0), 0);
    for (int i = 0; i < QMP_CONNECTIONS_MAX + 3; i++) {
        client[i] = dial(p.path);
        assert_true(client[i] >= 0); /* the backlog takes them */
        mock_settle(m);
        assert_int_equal(strlen(mock_receive(m, client[i])) > 0, i < QMP_CONNECTIONS_MAX);
    }
    for (int i = 0; i < 3; i++) {
        close(client[i]);
        assert_int_equal(strncmp(mock_receive(m, client[QMP_CONNECTIONS_MAX + i]), "{\"QMP\":", 7),
                         0);
    }
    assert_int_equal(qmp_connections(m->qmp), QMP_CONNECTIONS_MAX + 1);
    for (int i = 3; i < QMP_CONNECTIONS_MAX + 3; i++)
        close(client[i]);
    mock_settle(m);
    assert_int_equal(qmp_connections(m->qmp), 1);
    unlink(p.path);
    assert_int_equal(rmdir(p.dir), 0);
}

/* Out of descriptors: the client waits its second, the loop does not spin on it. */
static void test_no_descriptor_left_for_a_client(void **state)
{
    struct mock *m = *state;
    struct place p = place();
    struct rlimit full, tight;
    int client;

    assert_int_equal(qmp_listen_unix(m->qmp, p.path, 0), 0);
    client = dial(p.path);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &full), 0);
    tight = (struct rlimit){.rlim_cur = (rlim_t)client + 1, .rlim_max = full.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    mock_settle(m);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &full), 0);
    assert_string_equal(mock_receive(m, client), "");
    assert_int_equal(qmp_connections(m->qmp), 1);
    mock_advance(m, 1000000000);
    assert_int_equal(strncmp(mock_receive(m, client), "{\"QMP\":", 7), 0);
    close(client);
    unlink(p.path);
    assert_int_equal(rmdir(p.dir), 0);
}

static void test_too_many_sockets(void **state)
{
    struct mock *m = *state;
    struct place p = place();
    char path[96];

    for (int i = 0; i <= QMP_LISTENERS_MAX; i++) {
        snprintf(path, sizeof(path), "%s-%d", p.path, i);
        assert_int_equal(qmp_listen_unix(m->qmp, path, 0), i < QMP_LISTENERS_MAX ? 0 : -ENOSPC);
    }
    qmp_destroy(m->qmp);
    m->qmp = NULL;
    assert_int_equal(rmdir(p.dir), 0); /* no file is left */
}

#define T(name) cmocka_unit_test_setup_teardown(name, mock_setup, mock_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_listen_unix),
        T(test_listen_over_a_stale_socket),
        T(test_listen_spares_the_files_of_others),
        T(test_listen_on_an_inherited_socket),
        T(test_many_clients),
        T(test_no_descriptor_left_for_a_client),
        T(test_too_many_sockets),
    };

    return cmocka_run_group_tests_name("qmp_sockets", tests, NULL, NULL);
}
