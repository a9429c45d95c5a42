/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What all links have in common, on a pair of datagram sockets; and their addresses. */
#include "tests/harness/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/net/testnic.h"

static struct testnic nic;
static int peer;

static int pair_setup(void **state)
{
    struct net_config config = {.kind = NET_DGRAM, .name = "net0"};
    int fds[2];

    testnic_init(&nic);
    if (socketpair(AF_UNIX, *state ? SOCK_SEQPACKET : SOCK_DGRAM, 0, fds))
        return -1;
    config.fd = fds[0];
    peer = fds[1];
    return testnic_open(&nic, &config);
}

static int pair_teardown(void **state)
{
    if (peer >= 0)
        close(peer);
    testnic_fini(&nic);
    return 0;
}

static int setup(void **state)
{
    testnic_init(&nic);
    return 0;
}

static int teardown(void **state)
{
    testnic_fini(&nic);
    return 0;
}

static void put(uint8_t fill, size_t len)
{
    uint8_t data[4096];

    memset(data, fill, len);
    assert_int_equal(send(peer, data, len, 0), len);
}

/* The next datagram at the peer is `len` bytes of `fill`. */
static void expect(uint8_t fill, size_t len)
{
    uint8_t data[4096];

    assert_int_equal(recv(peer, data, sizeof(data), MSG_DONTWAIT), len);
    for (size_t i = 0; i < len; i++)
        assert_int_equal(data[i], fill);
}

static void nothing_at_the_peer(void)
{
    uint8_t data[16];

    assert_int_equal(recv(peer, data, sizeof(data), MSG_DONTWAIT), -1);
    assert_int_equal(errno, EAGAIN);
}

static void test_both_ways(void **state)
{
    assert_true(nic.up);
    assert_string_equal(net_kind_name(nic.net), "dgram");
    assert_false(net_has_offload(nic.net));
    assert_int_equal(testnic_send(&nic, 0x11, 60), 0);
    assert_int_equal(testnic_send(&nic, 0x12, 1514), 0);
    expect(0x11, 60);
    expect(0x12, 1514);
    net_want_receive(nic.net, true);
    put(0x21, 60);
    put(0x22, 1514);
    testnic_until(&nic, nic.frames == 2, 1000);
    assert_true(testnic_got(&nic, 0, 0x21, 60));
    assert_true(testnic_got(&nic, 1, 0x22, 1514));
    assert_int_equal(nic.last_error, -EAGAIN);
}

static void test_frames_stay_until_wanted(void **state)
{
    put(0x31, 100);
    testnic_turns(&nic);
    assert_int_equal(nic.readables, 0);
    net_want_receive(nic.net, true);
    testnic_until(&nic, nic.frames == 1, 1000);
    net_want_receive(nic.net, false);
    put(0x32, 100);
    testnic_turns(&nic);
    assert_int_equal(nic.frames, 1);
    net_want_receive(nic.net, true);
    testnic_until(&nic, nic.frames == 2, 1000);
    assert_true(testnic_got(&nic, 1, 0x32, 100));
}

static void test_once_a_turn_with_a_budget(void **state)
{
    nic.budget = 1;
    for (int i = 0; i < 3; i++)
        put((uint8_t)i, 64);
    net_want_receive(nic.net, true);
    for (unsigned i = 1; i <= 3; i++) {
        loop_turn(nic.loop, 100);
        assert_int_equal(nic.frames, i);
        assert_int_equal(nic.readables, i);
    }
}

static void test_cut_frame_says_its_length(void **state)
{
    net_want_receive(nic.net, true);
    put(0x41, 3000);
    put(0x42, 64);
    testnic_until(&nic, nic.frames == 2, 1000);
    assert_int_equal(nic.length[0], 3000);
    assert_true(testnic_got(&nic, 1, 0x42, 64));
}

static void test_no_frames(void **state)
{
    net_want_receive(nic.net, true);
    put(0, 0);
    put(1, 13);
    put(2, 14);
    testnic_until(&nic, nic.frames == 1, 1000);
    assert_true(testnic_got(&nic, 0, 2, 14));
    for (int i = 0; i < 9; i++)
        put(3, 0);
    put(4, 20);
    testnic_until(&nic, nic.frames == 2, 1000);
    assert_true(testnic_got(&nic, 1, 4, 20));
}

static void test_sizes_that_are_refused(void **state)
{
    uint8_t *data = calloc(1, NET_FRAME_MAX + 1);
    struct iovec many[NET_IOV_MAX + 1];
    struct iovec one = {data, 13};

    assert_non_null(data);
    assert_int_equal(net_send(nic.net, &one, 1), -EMSGSIZE);
    one.iov_len = NET_FRAME_MAX + 1;
    assert_int_equal(net_send(nic.net, &one, 1), -EMSGSIZE);
    for (int i = 0; i <= NET_IOV_MAX; i++)
        many[i] = (struct iovec){data, 1};
    assert_int_equal(net_send(nic.net, many, NET_IOV_MAX + 1), -E2BIG);
    assert_int_equal(net_send(nic.net, many, 0), -E2BIG);
    assert_int_equal(net_receive(nic.net, many, NET_IOV_MAX + 1), -E2BIG);
    nothing_at_the_peer();
    assert_int_equal(net_send(nic.net, many, NET_IOV_MAX), 0);
    expect(0, NET_IOV_MAX);
    free(data);
}

static void test_back_pressure(void **state)
{
    unsigned sent = 0;
    int rc;

    while ((rc = testnic_send(&nic, (uint8_t)sent, 1000)) == 0 && sent < 10000)
        sent++;
    assert_int_equal(rc, -EAGAIN);
    testnic_turns(&nic);
    assert_int_equal(nic.writables, 0);
    for (unsigned i = 0; i < sent; i++)
        expect((uint8_t)i, 1000);
    testnic_until(&nic, nic.writables, 1000);
    assert_int_equal(nic.writables, 1);
    testnic_turns(&nic);
    assert_int_equal(nic.writables, 1);
    assert_int_equal(testnic_send(&nic, 0xff, 1000), 0);
}

static void test_cable(void **state)
{
    unsigned changes = nic.changes;

    net_want_receive(nic.net, true);
    net_set_link(nic.net, false);
    assert_int_equal(nic.changes, changes + 1);
    assert_false(nic.up);
    assert_false(net_link_up(nic.net));
    assert_false(net_cable_in(nic.net));
    assert_int_equal(testnic_send(&nic, 0x51, 60), -ENETDOWN);
    nothing_at_the_peer();
    put(0x52, 60);
    testnic_turns(&nic);
    assert_int_equal(nic.frames, 0);
    net_set_link(nic.net, true);
    assert_true(nic.up);
    testnic_turns(&nic);
    assert_int_equal(nic.frames, 0);
    put(0x53, 60);
    testnic_until(&nic, nic.frames, 1000);
    assert_true(testnic_got(&nic, 0, 0x53, 60));
}

static void test_blocked_frame_is_let_go_when_the_cable_is_pulled(void **state)
{
    while (testnic_send(&nic, 0, 1000) == 0) {
    }
    net_set_link(nic.net, false);
    assert_int_equal(nic.writables, 1);
    assert_int_equal(testnic_send(&nic, 0, 1000), -ENETDOWN);
}

static void test_detached(void **state)
{
    net_want_receive(nic.net, true);
    net_detach(nic.net);
    put(0x71, 60);
    testnic_turns(&nic);
    assert_int_equal(nic.readables, 0);
    net_attach(nic.net, &nic.ops);
    net_want_receive(nic.net, true);
    testnic_until(&nic, nic.frames, 1000);
    assert_int_equal(nic.frames, 1);
}

static void test_peer_gone(void **state)
{
    net_want_receive(nic.net, true);
    close(peer);
    peer = -1;
    /* A datagram socket finds out by sending, one of packets by itself. */
    for (int i = 0; i < 3 && net_link_up(nic.net); i++) {
        testnic_turns(&nic);
        testnic_send(&nic, 0, 60);
    }
    testnic_turns(&nic);
    assert_false(nic.up);
    assert_int_equal(testnic_send(&nic, 0, 60), -ENETDOWN);
    net_set_link(nic.net, true);
    assert_false(nic.up);
}

static void test_no_back_end(void **state)
{
    struct net_config config = {.kind = NET_NONE, .name = "nic0", .fd = -1};

    assert_int_equal(testnic_open(&nic, &config), 0);
    assert_false(nic.up);
    assert_int_equal(nic.changes, 1);
    net_want_receive(nic.net, true);
    assert_int_equal(testnic_send(&nic, 0, 60), -ENETDOWN);
    net_set_link(nic.net, false);
    net_set_link(nic.net, true);
    assert_false(nic.up);
}

static void test_unix_addresses(void **state)
{
    char dir[] = "/tmp/net-XXXXXX", ours[64], theirs[64];
    struct net_config config = {.kind = NET_DGRAM, .name = "net0", .fd = -1};
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct sockaddr_un back = {.sun_family = AF_UNIX};

    assert_non_null(mkdtemp(dir));
    snprintf(ours, sizeof(ours), "%s/ours", dir);
    snprintf(theirs, sizeof(theirs), "%s/theirs", dir);
    config.local.path = ours;
    config.remote.path = theirs;
    assert_int_equal(testnic_open(&nic, &config), 0);
    assert_true(nic.up);
    /* Nobody is there yet: lost, and nothing more. */
    assert_true(testnic_send(&nic, 1, 60) < 0);
    for (int round = 0; round < 2; round++) {
        peer = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        strcpy(un.sun_path, theirs);
        strcpy(back.sun_path, ours);
        unlink(theirs);
        assert_int_equal(bind(peer, (struct sockaddr *)&un, sizeof(un)), 0);
        /* After the peer has come again, the first frame may find out that the old one is gone. */
        for (int tries = 0; tries < 2; tries++)
            if (testnic_send(&nic, 2, 60) == 0)
                break;
        expect(2, 60);
        assert_int_equal(connect(peer, (struct sockaddr *)&back, sizeof(back)), 0);
        net_want_receive(nic.net, true);
        put(3, 60);
        testnic_until(&nic, nic.frames == (unsigned)round + 1, 1000);
        assert_true(testnic_got(&nic, (unsigned)round, 3, 60));
        close(peer);
    }
    assert_true(net_link_up(nic.net));
    net_detach(nic.net);
    net_destroy(nic.net);
    nic.net = NULL;
    assert_int_equal(access(ours, F_OK), -1);
    unlink(theirs);
    assert_int_equal(rmdir(dir), 0);
}

static void test_udp(void **state)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct net_config config = {.kind = NET_DGRAM, .name = "net0", .fd = -1};
    socklen_t len = sizeof(at);
    uint8_t data[100];
    char port[8];

    peer = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(peer, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(getsockname(peer, (struct sockaddr *)&at, &len), 0);
    snprintf(port, sizeof(port), "%u", ntohs(at.sin_port));
    config.remote.host = "127.0.0.1";
    config.remote.port = port;
    config.local.host = "127.0.0.1";
    config.local.port = "0";
    config.remote.numeric = true;
    assert_int_equal(testnic_open(&nic, &config), 0);
    assert_int_equal(testnic_send(&nic, 9, 60), 0);
    assert_int_equal(recvfrom(peer, data, sizeof(data), 0, (struct sockaddr *)&at, &len), 60);
    assert_int_equal(connect(peer, (struct sockaddr *)&at, sizeof(at)), 0);
    net_want_receive(nic.net, true);
    put(8, 64);
    testnic_until(&nic, nic.frames, 1000);
    assert_true(testnic_got(&nic, 0, 8, 64));
    /* The peer goes away: what comes back about that does not take the link down. */
    close(peer);
    for (int i = 0; i < 5; i++) {
        testnic_send(&nic, 9, 60);
        testnic_turns(&nic);
    }
    assert_true(nic.up);
}

static void test_refused(void **state)
{
    static const struct {
        const char *host;
        int rc;
    } bad[] = {{"239.1.2.3", -EOPNOTSUPP}, {"no.such.host.invalid", -EADDRNOTAVAIL}};
    struct net_config config = {.kind = NET_DGRAM, .name = "net0", .fd = -1};
    int file = open("/dev/null", O_RDWR | O_CLOEXEC);

    config.local.path = "/tmp/x";
    assert_int_equal(net_create(&nic.net, nic.loop, &config), -EDESTADDRREQ);
    config.local.path = NULL;
    config.remote.port = "9";
    config.remote.numeric = true;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        config.remote.host = bad[i].host;
        assert_int_equal(net_create(&nic.net, nic.loop, &config), bad[i].rc);
    }
    config.fd = file;
    assert_int_equal(net_create(&nic.net, nic.loop, &config), -EINVAL);
    assert_int_equal(fcntl(file, F_GETFD) & ~FD_CLOEXEC, 0); /* still the caller's */
    config.kind = NET_STREAM;
    assert_true(net_create(&nic.net, nic.loop, &config) < 0);
    config.kind = NET_TAP;
    assert_int_equal(net_create(&nic.net, nic.loop, &config), -EINVAL);
    assert_int_equal(close(file), 0);
    assert_null(nic.net);
}

int main(void)
{
    static int packets = 1;
#define ON_PAIR(f) cmocka_unit_test_setup_teardown(f, pair_setup, pair_teardown)
    const struct CMUnitTest tests[] = {
        ON_PAIR(test_both_ways),
        ON_PAIR(test_frames_stay_until_wanted),
        ON_PAIR(test_once_a_turn_with_a_budget),
        ON_PAIR(test_cut_frame_says_its_length),
        ON_PAIR(test_no_frames),
        ON_PAIR(test_sizes_that_are_refused),
        ON_PAIR(test_back_pressure),
        ON_PAIR(test_cable),
        ON_PAIR(test_blocked_frame_is_let_go_when_the_cable_is_pulled),
        ON_PAIR(test_detached),
        ON_PAIR(test_peer_gone),
        {"test_both_ways_packets", test_both_ways, pair_setup, pair_teardown, &packets},
        {"test_peer_gone_packets", test_peer_gone, pair_setup, pair_teardown, &packets},
        cmocka_unit_test_setup_teardown(test_no_back_end, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unix_addresses, setup, teardown),
        cmocka_unit_test_setup_teardown(test_udp, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
