/* SPDX-License-Identifier: GPL-2.0-or-later */
/* UNIX, TCP, telnet and UDP back ends. */
#include "tests/harness/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/chardev/testfront.h"

static struct testfront f;
static char dir[64], path[96];

static int setup(void **state)
{
    front_init(&f);
    strcpy(dir, "/tmp/chardev-XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    snprintf(path, sizeof(path), "%s/sock", dir);
    return 0;
}

static int teardown(void **state)
{
    front_fini(&f);
    unlink(path);
    return rmdir(dir);
}

static int connect_unix(void)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    strcpy(un.sun_path, path);
    if (connect(fd, (struct sockaddr *)&un, sizeof(un))) {
        close(fd);
        return -errno;
    }
    return fd;
}

static int connect_tcp(unsigned port)
{
    struct sockaddr_in in = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(connect(fd, (struct sockaddr *)&in, sizeof(in)), 0);
    return fd;
}

/* "kind:127.0.0.1:PORT,..." after a server with port 0 */
static unsigned port_of(const char *filename)
{
    const char *at = strstr(filename, "127.0.0.1:");

    assert_non_null(at);
    return (unsigned)atoi(at + 10);
}

static void say(const char *text)
{
    assert_int_equal(chardev_write(f.chr, (const uint8_t *)text, strlen(text)), strlen(text));
}

static void hear(int fd, const char *text)
{
    char got[256];
    size_t len = strlen(text);

    assert_int_equal(front_drain(&f, fd, got, len, 500), len);
    assert_memory_equal(got, text, len);
}

static void test_unix_server_lifecycle(void **state)
{
    struct chardev_config config = {
        .kind = CHARDEV_UNIX, .label = "serial0", .path = path, .server = true, .fd = -1};
    char want[160];
    struct stat st;
    int fd, next;

    assert_int_equal(front_open(&f, &config), 0);
    snprintf(want, sizeof(want), "disconnected:unix:%s,server=on", path);
    assert_string_equal(chardev_filename(f.chr), want);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    say("early ");
    fd = connect_unix();
    assert_true(fd >= 0);
    front_run(&f, 20);
    assert_string_equal(chardev_filename(f.chr), want + strlen("disconnected:"));
    say("late");
    hear(fd, "early late");
    assert_int_equal(write(fd, "in", 2), 2);
    front_wait(&f, 2);
    assert_memory_equal(f.got, "in", 2);
    /* The next client waits until the first one leaves, and its words with it. */
    next = connect_unix();
    assert_int_equal(write(next, "!", 1), 1);
    front_run(&f, 50);
    assert_int_equal(f.len, 2);
    assert_true(front_idle(&f, 200) >= 199);
    assert_int_equal(write(fd, "last", 4), 4);
    close(fd);
    front_wait(&f, 7);
    assert_memory_equal(f.got, "inlast!", 7);
    say("to the next");
    hear(next, "to the next");
    close(next);
    front_run(&f, 20);
    assert_string_equal(chardev_filename(f.chr), want);
    assert_true(front_idle(&f, 200) >= 199);
    front_close(&f);
    assert_int_equal(access(path, F_OK), -1);
}

static void test_unix_server_takes_the_place_of_a_dead_one(void **state)
{
    struct chardev_config config = {
        .kind = CHARDEV_UNIX, .label = "serial0", .path = path, .server = true, .fd = -1};
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int dead = socket(AF_UNIX, SOCK_STREAM, 0);

    strcpy(un.sun_path, path);
    assert_int_equal(bind(dead, (struct sockaddr *)&un, sizeof(un)), 0);
    close(dead);
    assert_int_equal(front_open(&f, &config), 0);
    close(connect_unix());
}

/* CVE-2012-2652 class: what is in the way and is no socket of ours stays as it is. */
static void test_cve_2012_2652_other_files_are_left_alone(void **state)
{
    struct chardev_config config = {
        .kind = CHARDEV_UNIX, .label = "serial0", .path = path, .server = true, .fd = -1};
    struct stat st;
    int fd = open(path, O_CREAT | O_WRONLY, 0644);

    close(fd);
    assert_int_equal(front_open(&f, &config), -EEXIST);
    assert_int_equal(stat(path, &st), 0);
    assert_true(S_ISREG(st.st_mode));
    unlink(path);
    /* A link to a place of somebody else's is not followed. */
    assert_int_equal(symlink("/nonexistent/elsewhere", path), 0);
    assert_int_equal(front_open(&f, &config), -EEXIST);
    assert_int_equal(lstat(path, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
}

static void *come_later(void *opaque)
{
    usleep(50000);
    *(int *)opaque = connect_unix();
    return NULL;
}

static void test_wait_for_the_first_client(void **state)
{
    struct chardev_config config = {.kind = CHARDEV_UNIX,
                                    .label = "serial0",
                                    .path = path,
                                    .server = true,
                                    .wait = true,
                                    .fd = -1};
    pthread_t thread;
    int fd = -1;

    pthread_create(&thread, NULL, come_later, &fd);
    assert_int_equal(front_open(&f, &config), 0);
    pthread_join(thread, NULL);
    assert_true(fd >= 0);
    say("hello");
    hear(fd, "hello");
    close(fd);
}

static void test_inherited_listening_descriptor(void **state)
{
    struct chardev_config config = {
        .kind = CHARDEV_UNIX, .label = "libxl-cmd", .path = path, .server = true};
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int fd;

    config.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    strcpy(un.sun_path, path);
    assert_int_equal(bind(config.fd, (struct sockaddr *)&un, sizeof(un)), 0);
    assert_int_equal(listen(config.fd, 1), 0);
    assert_int_equal(front_open(&f, &config), 0);
    fd = connect_unix();
    assert_true(fd >= 0);
    front_run(&f, 20);
    say("x");
    hear(fd, "x");
    close(fd);
    front_close(&f);
    assert_int_equal(access(path, F_OK), 0); /* whoever made the name removes it */
}

static void test_client_needs_a_server(void **state)
{
    struct chardev_config config = {
        .kind = CHARDEV_UNIX, .label = "serial0", .path = path, .fd = -1};

    assert_int_equal(front_open(&f, &config), -ENOENT);
    config.path = "";
    assert_int_equal(front_open(&f, &config), -EINVAL);
}

static void test_client_tries_again(void **state)
{
    struct chardev_config config = {
        .kind = CHARDEV_UNIX, .label = "serial0", .path = path, .reconnect_s = 1, .fd = -1};
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int listener = socket(AF_UNIX, SOCK_STREAM, 0), fd;

    assert_int_equal(front_open(&f, &config), 0);
    say("kept ");
    strcpy(un.sun_path, path);
    assert_int_equal(bind(listener, (struct sockaddr *)&un, sizeof(un)), 0);
    assert_int_equal(listen(listener, 1), 0);
    front_run(&f, 1200);
    fd = accept(listener, NULL, NULL);
    assert_true(fd >= 0);
    say("text");
    hear(fd, "kept text");
    close(fd);
    front_run(&f, 1200);
    fd = accept(listener, NULL, NULL);
    assert_true(fd >= 0);
    say("again");
    hear(fd, "again");
    close(fd);
    close(listener);
}

static void test_tcp_server_and_its_name(void **state)
{
    struct chardev_config config = {.kind = CHARDEV_TCP,
                                    .label = "serial0",
                                    .host = "127.0.0.1",
                                    .port = "0",
                                    .server = true,
                                    .nodelay = true,
                                    .fd = -1};
    char want[64];
    unsigned port;
    int fd;

    assert_int_equal(front_open(&f, &config), 0);
    port = port_of(chardev_filename(f.chr));
    snprintf(want, sizeof(want), "disconnected:tcp:127.0.0.1:%u,server=on", port);
    assert_string_equal(chardev_filename(f.chr), want);
    fd = connect_tcp(port);
    front_run(&f, 20);
    snprintf(want, sizeof(want), "tcp:127.0.0.1:%u,server=on <-> 127.0.0.1:", port);
    assert_memory_equal(chardev_filename(f.chr), want, strlen(want));
    say("\xff\xfe raw");
    hear(fd, "\xff\xfe raw");
    assert_int_equal(write(fd, "\xff\xf3", 2), 2);
    front_wait(&f, 2);
    assert_memory_equal(f.got, "\xff\xf3", 2);
    assert_int_equal(f.breaks, 0);
    close(fd);
}

static void test_telnet(void **state)
{
    struct chardev_config config = {.kind = CHARDEV_TCP,
                                    .label = "serial0",
                                    .host = "127.0.0.1",
                                    .port = "0",
                                    .server = true,
                                    .telnet = true,
                                    .fd = -1};
    /* Option answers, a sub-negotiation, CR NUL, a break, a doubled ff; cut anywhere. */
    static const uint8_t in[] = {0xff, 0xfd, 1,  'a',  0xff, 0xfb, 31,   0xff, 0xfa,
                                 31,   0,    80, 0xff, 0xff, 0,    24,   0xff, 0xf0,
                                 'b',  '\r', 0,  0xff, 0xf3, 0xff, 0xff, 'c'};
    static const uint8_t out[] = {'x', 0xff, 'y'};
    int fd;

    assert_int_equal(front_open(&f, &config), 0);
    assert_memory_equal(chardev_filename(f.chr), "disconnected:telnet:127.0.0.1:", 30);
    fd = connect_tcp(port_of(chardev_filename(f.chr)));
    hear(fd, "\xff\xfb\x01\xff\xfb\x03\xff\xfb");
    for (size_t i = 0; i < sizeof(in); i++) {
        assert_int_equal(write(fd, in + i, 1), 1);
        front_run(&f, 2);
    }
    front_wait(&f, 5);
    assert_int_equal(f.len, 5);
    assert_memory_equal(f.got,
                        "ab\r\xff"
                        "c",
                        5);
    assert_int_equal(f.breaks, 1);
    assert_int_equal(f.break_at, 3);
    assert_int_equal(chardev_write(f.chr, out, sizeof(out)), sizeof(out));
    chardev_set_break(f.chr, true);
    chardev_set_break(f.chr, false);
    {
        /* The rest of the greeting, the refusal of option 31, then what the guest has sent. */
        static const uint8_t want[] = {0x00, 0xff, 0xfd, 0x00, 0xff, 0xfe, 31,
                                       'x',  0xff, 0xff, 'y',  0xff, 0xf3};
        uint8_t got[sizeof(want)];

        assert_int_equal(front_drain(&f, fd, got, sizeof(got), 500), sizeof(got));
        assert_memory_equal(got, want, sizeof(want));
    }
    close(fd);
}

/* Pieces of telnet that never end, or that only look like telnet, are survived. */
static void test_telnet_garbage(void **state)
{
    struct chardev_config config = {.kind = CHARDEV_TCP,
                                    .label = "serial0",
                                    .host = "127.0.0.1",
                                    .port = "0",
                                    .server = true,
                                    .telnet = true,
                                    .fd = -1};
    uint8_t noise[4096];
    uint32_t seed = 1;
    int fd;

    assert_int_equal(front_open(&f, &config), 0);
    fd = connect_tcp(port_of(chardev_filename(f.chr)));
    for (int round = 0; round < 50; round++) {
        for (size_t i = 0; i < sizeof(noise); i++) {
            seed = seed * 1664525 + 1013904223;
            noise[i] = seed >> 30 ? (uint8_t)(0xf0 | seed >> 26) : (uint8_t)(seed >> 22);
        }
        if (write(fd, noise, sizeof(noise)) < 0)
            break;
        front_run(&f, 2);
        f.len = 0;
        f.limit = TESTFRONT_MAX;
        chardev_accept_input(f.chr);
        front_drain(&f, fd, noise, sizeof(noise), 2);
    }
    assert_int_equal(chardev_write(f.chr, (const uint8_t *)"x", 1), 1);
    close(fd);
}

static void test_udp(void **state)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct chardev_config config = {
        .kind = CHARDEV_UDP, .label = "serial0", .host = "127.0.0.1", .fd = -1};
    socklen_t len = sizeof(in);
    char port[16], got[2000];
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&in, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
    snprintf(port, sizeof(port), "%u", ntohs(in.sin_port));
    config.port = port;
    assert_int_equal(front_open(&f, &config), 0);
    assert_string_equal(chardev_filename(f.chr), "udp");
    say("hello");
    len = sizeof(in);
    assert_int_equal(recvfrom(fd, got, sizeof(got), 0, (struct sockaddr *)&in, &len), 5);
    /* A datagram larger than the front's room is not cut. */
    f.limit = 16;
    assert_int_equal(sendto(fd, got, 100, 0, (struct sockaddr *)&in, len), 100);
    assert_int_equal(sendto(fd, got, 0, 0, (struct sockaddr *)&in, len), 0);
    while (f.len < 100) {
        size_t before = f.len;

        front_run(&f, 10);
        f.limit = 16;
        chardev_accept_input(f.chr);
        assert_true(f.len > before);
    }
    assert_int_equal(f.len, 100);
    close(fd);
    /* Nobody at the port any more: output goes nowhere and nothing spins. */
    say("gone");
    front_run(&f, 20);
    say("gone");
    front_run(&f, 20);
    assert_true(front_idle(&f, 200) >= 199);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_unix_server_lifecycle),
        T(test_unix_server_takes_the_place_of_a_dead_one),
        T(test_cve_2012_2652_other_files_are_left_alone),
        T(test_wait_for_the_first_client),
        T(test_inherited_listening_descriptor),
        T(test_client_needs_a_server),
        T(test_client_tries_again),
        T(test_tcp_server_and_its_name),
        T(test_telnet),
        T(test_telnet_garbage),
        T(test_udp),
    };

    return cmocka_run_group_tests_name("chardev sockets", tests, NULL, NULL);
}
