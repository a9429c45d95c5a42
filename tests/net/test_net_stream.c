/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stream sockets: cutting into frames, hostile lengths, servers and clients. */
#include "tests/harness/tap.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/net/testnic.h"

static struct testnic nic;
static int peer = -1;
static char dir[32], path[64];

static int setup(void **state)
{
    testnic_init(&nic);
    strcpy(dir, "/tmp/net-XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    snprintf(path, sizeof(path), "%s/sock", dir);
    return 0;
}

static int teardown(void **state)
{
    if (peer >= 0)
        close(peer);
    peer = -1;
    testnic_fini(&nic);
    unlink(path);
    return rmdir(dir);
}

static int pair_setup(void **state)
{
    struct net_config config = {.kind = NET_STREAM, .name = "net0"};
    int fds[2], rc = setup(state);

    if (rc || socketpair(AF_UNIX, SOCK_STREAM, 0, fds))
        return -1;
    config.fd = fds[0];
    peer = fds[1];
    rc = testnic_open(&nic, &config);
    net_want_receive(nic.net, true);
    return rc;
}

static void put_bytes(const void *data, size_t len)
{
    assert_int_equal(send(peer, data, len, MSG_NOSIGNAL), len);
}

/* A frame of `len` bytes behind the length `says`. */
static void put(uint8_t fill, size_t len, uint32_t says)
{
    uint8_t data[4096];
    uint32_t length = htonl(says);

    memcpy(data, &length, 4);
    memset(data + 4, fill, len);
    put_bytes(data, 4 + len);
}

static void get_bytes(void *data, size_t len)
{
    size_t done = 0;

    for (int tries = 0; done < len && tries < 2000; tries++) {
        ssize_t n = recv(peer, (uint8_t *)data + done, len - done, MSG_DONTWAIT);

        if (n > 0)
            done += (size_t)n;
        else
            loop_turn(nic.loop, 1);
    }
    assert_int_equal(done, len);
}

static void expect(uint8_t fill, size_t len)
{
    uint8_t *data = malloc(len);
    uint32_t length;

    assert_non_null(data);
    get_bytes(&length, 4);
    assert_int_equal(ntohl(length), len);
    get_bytes(data, len);
    for (size_t i = 0; i < len; i++)
        assert_int_equal(data[i], fill);
    free(data);
}

static int connect_to_path(void)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    strcpy(un.sun_path, path);
    if (connect(fd, (struct sockaddr *)&un, sizeof(un)) == 0)
        return fd;
    close(fd);
    return -1;
}

static int listen_at_path(void)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    strcpy(un.sun_path, path);
    assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
    assert_int_equal(listen(fd, 1), 0);
    return fd;
}

/* ---- frames --------------------------------------------------------------------------------- */

static void test_both_ways(void **state)
{
    assert_true(net_link_up(nic.net));
    assert_int_equal(testnic_send(&nic, 1, 60), 0);
    assert_int_equal(testnic_send(&nic, 2, 1514), 0);
    assert_int_equal(testnic_send(&nic, 3, NET_FRAME_MAX), 0);
    expect(1, 60);
    expect(2, 1514);
    expect(3, NET_FRAME_MAX);
    put(4, 60, 60);
    put(5, 1514, 1514);
    testnic_until(&nic, nic.frames == 2, 1000);
    assert_true(testnic_got(&nic, 0, 4, 60));
    assert_true(testnic_got(&nic, 1, 5, 1514));
}

static void test_byte_by_byte(void **state)
{
    uint8_t bytes[4 + 20] = {0, 0, 0, 20};

    memset(bytes + 4, 0x77, 20);
    for (size_t i = 0; i < sizeof(bytes); i++) {
        assert_int_equal(nic.frames, 0);
        put_bytes(bytes + i, 1);
        testnic_turns(&nic);
    }
    assert_true(testnic_got(&nic, 0, 0x77, 20));
}

/* Frames that came in one read are not seen by the kernel any more: the loop goes on by itself. */
static void test_many_in_one_read(void **state)
{
    uint8_t all[40 * (4 + 30)];

    for (unsigned i = 0; i < 40; i++) {
        memset(all + i * 34, 0, 4);
        all[i * 34 + 3] = 30;
        memset(all + i * 34 + 4, (int)i, 30);
    }
    nic.budget = 3;
    put_bytes(all, sizeof(all));
    testnic_until(&nic, nic.frames == 40, 1000);
    assert_int_equal(nic.frames, 40);
    assert_true(nic.readables >= 40 / 3);
    for (unsigned i = 0; i < 40; i++)
        assert_true(testnic_got(&nic, i, (uint8_t)i, 30));
}

static void test_buffered_frames_wait_for_room(void **state)
{
    unsigned taken;

    nic.budget = 1;
    for (int i = 0; i < 8; i++)
        put((uint8_t)i, 60, 60);
    testnic_until(&nic, nic.frames, 1000);
    taken = nic.frames;
    assert_true(taken < 8);
    net_want_receive(nic.net, false);
    testnic_turns(&nic);
    assert_int_equal(nic.frames, taken);
    net_want_receive(nic.net, true);
    testnic_until(&nic, nic.frames == 8, 1000);
    assert_true(testnic_got(&nic, 7, 7, 60));
}

static void test_cut_frame_says_its_length(void **state)
{
    put(1, 3000, 3000);
    put(2, 60, 60);
    testnic_until(&nic, nic.frames == 2, 1000);
    assert_int_equal(nic.length[0], 3000);
    assert_true(testnic_got(&nic, 1, 2, 60));
}

static void test_partial_writes(void **state)
{
    unsigned sent = 0;
    int rc, size = 8192;

    setsockopt(peer, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    while ((rc = testnic_send(&nic, (uint8_t)sent, 40000)) == 0 && sent < 1000)
        sent++;
    assert_int_equal(rc, -EAGAIN);
    assert_true(sent > 0);
    for (unsigned i = 0; i < sent; i++)
        expect((uint8_t)i, 40000);
    testnic_until(&nic, nic.writables, 1000);
    assert_int_equal(nic.writables, 1);
    assert_int_equal(testnic_send(&nic, 0xee, 60), 0);
    expect(0xee, 60);
}

/* The rest of a frame goes out although the cable has been pulled: the peer waits for it. */
static void test_rest_goes_out_with_the_cable_out(void **state)
{
    unsigned sent = 0;

    while (testnic_send(&nic, (uint8_t)sent, 40000) == 0)
        sent++;
    net_set_link(nic.net, false);
    assert_int_equal(nic.writables, 1);
    for (unsigned i = 0; i < sent; i++)
        expect((uint8_t)i, 40000);
    net_set_link(nic.net, true);
    assert_int_equal(testnic_send(&nic, 1, 60), 0);
    expect(1, 60);
}

/* ---- a peer that is not what it should be ---------------------------------------------------- */

static void expect_hang_up(void)
{
    uint8_t byte;

    testnic_until(&nic, !nic.up, 1000);
    assert_false(nic.up);
    assert_true(recv(peer, &byte, 1, MSG_DONTWAIT) <= 0);
    assert_int_equal(testnic_send(&nic, 0, 60), -ENETDOWN);
}

static void test_hostile_lengths(void **state)
{
    static const uint32_t lengths[] = {NET_FRAME_MAX + 1, 0x10000000, 0x7fffffff, 0x80000000,
                                       0xffffffff,        0xfffffffc, 0xfffffffb};
    uint32_t says = lengths[(uintptr_t)*state];

    put(1, 60, 60);
    put(2, 100, says);
    expect_hang_up();
    assert_int_equal(nic.frames, 1);
}

static void test_greatest_length(void **state)
{
    uint8_t *data = calloc(1, NET_FRAME_MAX);
    uint32_t length = htonl(NET_FRAME_MAX);
    size_t done = 0;

    assert_non_null(data);
    put_bytes(&length, 4);
    while (done < NET_FRAME_MAX) {
        ssize_t n = send(peer, data + done, NET_FRAME_MAX - done, MSG_DONTWAIT);

        if (n > 0)
            done += (size_t)n;
        loop_turn(nic.loop, 0);
    }
    put(6, 60, 60);
    testnic_until(&nic, nic.frames == 2, 1000);
    assert_int_equal(nic.length[0], NET_FRAME_MAX);
    assert_true(testnic_got(&nic, 1, 6, 60));
    free(data);
}

static void test_empty_frames(void **state)
{
    uint8_t zeros[4 * 1000] = {0};

    put_bytes(zeros, sizeof(zeros));
    put(5, 60, 60);
    testnic_until(&nic, nic.frames, 1000);
    assert_true(testnic_got(&nic, 0, 5, 60));
    assert_true(nic.up);
}

static void test_end_within_a_frame(void **state)
{
    put(1, 30, 60);
    shutdown(peer, SHUT_WR);
    expect_hang_up();
    assert_int_equal(nic.frames, 0);
}

static void test_end_while_nobody_reads(void **state)
{
    net_want_receive(nic.net, false);
    close(peer);
    peer = -1;
    testnic_until(&nic, !nic.up, 1000);
    assert_false(nic.up);
}

static void test_end_behind_frames(void **state)
{
    put(1, 60, 60);
    put(2, 60, 60);
    close(peer);
    peer = -1;
    testnic_until(&nic, !nic.up, 1000);
    assert_int_equal(nic.frames, 2);
}

static void test_end_while_blocked(void **state)
{
    while (testnic_send(&nic, 0, 40000) == 0) {
    }
    close(peer);
    peer = -1;
    testnic_until(&nic, nic.writables, 1000);
    assert_int_equal(nic.writables, 1);
    assert_int_equal(testnic_send(&nic, 0, 60), -ENETDOWN);
}

static void test_cable_out_and_in(void **state)
{
    unsigned taken;

    nic.budget = 1;
    for (int i = 0; i < 8; i++)
        put(1, 60, 60);
    testnic_until(&nic, nic.frames, 1000);
    taken = nic.frames;
    assert_true(taken < 8);
    net_set_link(nic.net, false);
    put(2, 60, 60);
    put(4, 30, 60); /* a frame of which half is here when the cable comes back */
    testnic_turns(&nic);
    net_set_link(nic.net, true);
    put_bytes("123456789012345678901234567890", 30);
    testnic_until(&nic, nic.frames > taken, 1000);
    assert_int_equal(nic.frames, taken + 1);
    assert_int_equal(nic.length[taken], 60);
    assert_int_equal(nic.frame[taken][0], 4);
    assert_int_equal(nic.frame[taken][30], '1');
}

/* ---- servers and clients -------------------------------------------------------------------- */

static void test_server(void **state)
{
    struct net_config config = {
        .kind = NET_STREAM, .name = "net0", .fd = -1, .remote.path = path, .server = true};
    struct stat st;
    int second;

    assert_int_equal(testnic_open(&nic, &config), 0);
    net_want_receive(nic.net, true);
    assert_false(nic.up);
    assert_int_equal(testnic_send(&nic, 0, 60), -ENETDOWN);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    for (int round = 0; round < 2; round++) {
        peer = connect_to_path();
        assert_true(peer >= 0);
        testnic_until(&nic, nic.up, 1000);
        assert_true(nic.up);
        assert_int_equal(testnic_send(&nic, 7, 60), 0);
        expect(7, 60);
        put(8, 60, 60);
        testnic_until(&nic, nic.frames == (unsigned)round + 1, 1000);
        second = connect_to_path(); /* waits in the backlog */
        testnic_turns(&nic);
        assert_true(nic.up);
        close(peer);
        peer = -1;
        testnic_until(&nic, !nic.up, 100);
        testnic_until(&nic, nic.up, 1000);
        assert_true(nic.up);
        close(second);
        testnic_until(&nic, !nic.up, 1000);
    }
    net_detach(nic.net);
    net_destroy(nic.net);
    nic.net = NULL;
    assert_int_equal(access(path, F_OK), -1);
}

static void test_client(void **state)
{
    struct net_config config = {.kind = NET_STREAM, .name = "net0", .fd = -1, .remote.path = path};
    int listener;

    assert_int_equal(testnic_open(&nic, &config), -ENOENT);
    listener = listen_at_path();
    assert_int_equal(testnic_open(&nic, &config), 0);
    assert_true(nic.up);
    peer = accept(listener, NULL, NULL);
    assert_int_equal(testnic_send(&nic, 7, 60), 0);
    expect(7, 60);
    close(peer);
    peer = -1;
    testnic_until(&nic, !nic.up, 1000);
    assert_false(nic.up);
    close(listener);
}

static void test_client_comes_again(void **state)
{
    struct net_config config = {
        .kind = NET_STREAM, .name = "net0", .fd = -1, .remote.path = path, .reconnect_s = 1};
    uint64_t now = 1000000000;
    int listener;

    loop_set_test_clock(nic.loop, &now);
    assert_int_equal(testnic_open(&nic, &config), 0);
    assert_false(nic.up);
    listener = listen_at_path();
    for (int round = 0; round < 3; round++) {
        testnic_turns(&nic);
        assert_false(nic.up);
        now += 1000000000;
        testnic_until(&nic, nic.up, 1000);
        assert_true(nic.up);
        peer = accept(listener, NULL, NULL);
        assert_int_equal(testnic_send(&nic, 7, 60), 0);
        expect(7, 60);
        close(peer);
        peer = -1;
        testnic_until(&nic, !nic.up, 1000);
    }
    close(listener);
}

static void test_tcp(void **state)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct net_config config = {.kind = NET_STREAM, .name = "net0", .fd = -1, .server = true};
    socklen_t len = sizeof(at);
    int taken = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct testnic client;
    char port[8];
    int tries;

    /* A port that is in use: the server takes the next that is free. */
    assert_int_equal(bind(taken, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(taken, 1), 0);
    assert_int_equal(getsockname(taken, (struct sockaddr *)&at, &len), 0);
    snprintf(port, sizeof(port), "%u", ntohs(at.sin_port));
    config.remote = (struct net_address){.host = "127.0.0.1", .port = port, .ipv4 = true};
    assert_int_equal(testnic_open(&nic, &config), -EADDRINUSE);
    config.remote.port_to = ntohs(at.sin_port) + 50u < 65535 ? ntohs(at.sin_port) + 50u : 65535;
    assert_int_equal(testnic_open(&nic, &config), 0);

    testnic_init(&client);
    config.server = false;
    config.remote.port_to = 0;
    for (tries = 1; tries <= 50 && !nic.up; tries++) {
        snprintf(port, sizeof(port), "%u", ntohs(at.sin_port) + (unsigned)tries);
        if (client.net) {
            net_detach(client.net);
            net_destroy(client.net);
            client.net = NULL;
        }
        if (testnic_open(&client, &config))
            continue;
        for (int i = 0; i < 5; i++) {
            loop_turn(client.loop, 1);
            loop_turn(nic.loop, 1);
        }
    }
    assert_true(nic.up && client.up);
    net_want_receive(nic.net, true);
    assert_int_equal(testnic_send(&client, 0x33, 1514), 0);
    testnic_until(&nic, nic.frames, 1000);
    assert_true(testnic_got(&nic, 0, 0x33, 1514));
    testnic_fini(&client);
    testnic_until(&nic, !nic.up, 1000);
    assert_false(nic.up);
    close(taken);
}

static void test_tcp_refused_later(void **state)
{
    struct net_config config = {.kind = NET_STREAM, .name = "net0", .fd = -1};
    int rc;

    config.remote = (struct net_address){.host = "127.0.0.1", .port = "1", .numeric = true};
    rc = testnic_open(&nic, &config);
    assert_true(rc == 0 || rc == -ECONNREFUSED);
    testnic_turns(&nic);
    assert_false(nic.up);
}

static void test_abstract_name(void **state)
{
    struct net_config config = {.kind = NET_STREAM, .name = "net0", .fd = -1, .server = true};
    struct testnic client;

    config.remote = (struct net_address){.path = dir, .abstract = true};
    assert_int_equal(testnic_open(&nic, &config), 0);
    testnic_init(&client);
    config.server = false;
    assert_int_equal(testnic_open(&client, &config), 0);
    testnic_until(&nic, nic.up, 1000);
    assert_true(nic.up && client.up);
    testnic_fini(&client);
}

static void test_file_in_the_way(void **state)
{
    struct net_config config = {
        .kind = NET_STREAM, .name = "net0", .fd = -1, .remote.path = path, .server = true};
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    fclose(f);
    assert_int_equal(testnic_open(&nic, &config), -EEXIST);
    assert_int_equal(access(path, F_OK), 0);
}

int main(void)
{
#define ON_PAIR(f) cmocka_unit_test_setup_teardown(f, pair_setup, teardown)
#define ALONE(f)   cmocka_unit_test_setup_teardown(f, setup, teardown)
#define WITH_LENGTH(n)                                                                             \
    {                                                                                              \
        "test_hostile_length_" #n, test_hostile_lengths, pair_setup, teardown,                     \
            (void *)(uintptr_t)n                                                                   \
    }
    const struct CMUnitTest tests[] = {
        ON_PAIR(test_both_ways),
        ON_PAIR(test_byte_by_byte),
        ON_PAIR(test_many_in_one_read),
        ON_PAIR(test_buffered_frames_wait_for_room),
        ON_PAIR(test_cut_frame_says_its_length),
        ON_PAIR(test_partial_writes),
        ON_PAIR(test_rest_goes_out_with_the_cable_out),
        WITH_LENGTH(0),
        WITH_LENGTH(1),
        WITH_LENGTH(2),
        WITH_LENGTH(3),
        WITH_LENGTH(4),
        WITH_LENGTH(5),
        WITH_LENGTH(6),
        ON_PAIR(test_greatest_length),
        ON_PAIR(test_empty_frames),
        ON_PAIR(test_end_within_a_frame),
        ON_PAIR(test_end_while_nobody_reads),
        ON_PAIR(test_end_behind_frames),
        ON_PAIR(test_end_while_blocked),
        ON_PAIR(test_cable_out_and_in),
        ALONE(test_server),
        ALONE(test_client),
        ALONE(test_client_comes_again),
        ALONE(test_tcp),
        ALONE(test_tcp_refused_later),
        ALONE(test_abstract_name),
        ALONE(test_file_in_the_way),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
