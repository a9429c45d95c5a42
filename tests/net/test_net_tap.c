/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Taps of this host: needs the right to make one; the other end is a packet socket. */
#include "tests/harness/tap.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/net/testnic.h"

#define ETHERTYPE 0x88b5 /* for local experiments */

static struct testnic nic;
static int wire = -1; /* sees and makes the frames of the interface */
static char ifname[IFNAMSIZ];

static bool may_make_taps(void)
{
    struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    bool can = fd >= 0 && ioctl(fd, TUNSETIFF, &ifr) == 0;

    if (fd >= 0)
        close(fd);
    return can;
}

static int interface_up(void)
{
    struct ifreq ifr = {0};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), rc;

    strcpy(ifr.ifr_name, ifname);
    rc = ioctl(fd, SIOCGIFFLAGS, &ifr);
    ifr.ifr_flags |= IFF_UP;
    if (!rc)
        rc = ioctl(fd, SIOCSIFFLAGS, &ifr);
    close(fd);
    return rc;
}

static bool has_carrier(void)
{
    char path[64], value = '?';
    int fd;

    snprintf(path, sizeof(path), "/sys/class/net/%s/carrier", ifname);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0 && read(fd, &value, 1) == 1);
    close(fd);
    return value == '1';
}

static int interface_index(void)
{
    struct ifreq ifr = {0};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), rc;

    strcpy(ifr.ifr_name, ifname);
    rc = ioctl(fd, SIOCGIFINDEX, &ifr);
    close(fd);
    return rc ? -1 : ifr.ifr_ifindex;
}

static int open_wire(void)
{
    struct sockaddr_ll ll = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};

    wire = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
    ll.sll_ifindex = interface_index();
    return wire < 0 || ll.sll_ifindex < 0 || interface_up()
               ? -1
               : bind(wire, (struct sockaddr *)&ll, sizeof(ll));
}

/* *state: the interface is made by ourselves, without the header, and given as a descriptor. */
static int setup(void **state)
{
    struct net_config config = {.kind = NET_TAP, .name = "net0", .ifname = ifname, .fd = -1};
    struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI};

    testnic_init(&nic);
    snprintf(ifname, sizeof(ifname), "slimt%d", (int)getpid());
    if (*state) {
        strcpy(ifr.ifr_name, ifname);
        config.fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
        config.ifname = NULL;
        if (config.fd < 0 || ioctl(config.fd, TUNSETIFF, &ifr))
            return -1;
    }
    return testnic_open(&nic, &config) || open_wire() ? -1 : 0;
}

static int teardown(void **state)
{
    close(wire);
    testnic_fini(&nic);
    return 0;
}

static void make_frame(uint8_t *data, size_t len, uint8_t fill)
{
    memset(data, fill, len);
    memset(data, 0xff, 6);
    data[12] = ETHERTYPE >> 8;
    data[13] = ETHERTYPE & 0xff;
}

/* The next frame of ours on the wire; the host may say things on a new interface, too. */
static size_t on_the_wire(uint8_t *data, size_t size, unsigned ethertype)
{
    for (int tries = 0; tries < 2000; tries++) {
        ssize_t n = recv(wire, data, size, MSG_DONTWAIT);

        if (n >= 14 && ((unsigned)data[12] << 8 | data[13]) == ethertype)
            return (size_t)n;
        if (n < 0)
            loop_turn(nic.loop, 1);
    }
    return 0;
}

/* Whether the NIC got this one, among what the host says. */
static bool received(const uint8_t *data, size_t len)
{
    for (unsigned i = 0; i < nic.frames && i < TESTNIC_FRAMES; i++)
        if (nic.length[i] == (ssize_t)len && memcmp(nic.frame[i], data, len) == 0)
            return true;
    return false;
}

static void test_both_ways(void **state)
{
    static const size_t sizes[] = {60, 512, 1514};
    uint8_t frame[1514], got[2048];

    assert_true(nic.up);
    assert_true(has_carrier());
    net_want_receive(nic.net, true);
    for (size_t i = 0; i < 3; i++) {
        struct iovec iov[2] = {{frame, 20}, {frame + 20, sizes[i] - 20}};

        make_frame(frame, sizes[i], (uint8_t)i);
        assert_int_equal(net_send(nic.net, iov, 2), 0);
        assert_int_equal(on_the_wire(got, sizeof(got), ETHERTYPE), sizes[i]);
        assert_memory_equal(got, frame, sizes[i]);
        assert_int_equal(send(wire, frame, sizes[i], 0), sizes[i]);
        testnic_until(&nic, received(frame, sizes[i]), 1000);
        assert_true(received(frame, sizes[i]));
    }
}

static void test_cut_frame(void **state)
{
    uint8_t frame[1000], small[100];
    struct iovec iov = {small, sizeof(small)};
    ssize_t n = 0;

    make_frame(frame, sizeof(frame), 1);
    assert_int_equal(send(wire, frame, sizeof(frame), 0), sizeof(frame));
    for (int tries = 0; tries < 100 && !(n > 0 && memcmp(small, frame, 14) == 0); tries++) {
        n = net_receive(nic.net, &iov, 1);
        loop_turn(nic.loop, 1);
    }
    assert_true(n > (ssize_t)sizeof(small));
    assert_memory_equal(small, frame, sizeof(small));
}

static void put16(uint8_t *at, unsigned value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

/* An IPv4 packet with a TCP segment of `payload` bytes; the sum of the pseudo header is there. */
static size_t make_tcp(uint8_t *p, size_t payload)
{
    size_t total = 20 + 20 + payload;
    uint32_t sum = 0x0a00 + 0x0001 + 0x0a00 + 0x0002 + 6 + 20 + (uint32_t)payload;

    memset(p, 0, 14 + 40);
    memset(p, 0xff, 6);
    memset(p + 14 + 40, 0x5a, payload);
    put16(p + 12, 0x0800);
    p[14] = 0x45;
    put16(p + 16, (unsigned)total);
    p[22] = 64;
    p[23] = 6;
    memcpy(p + 26, "\x0a\x00\x00\x01\x0a\x00\x00\x02", 8);
    p[14 + 32] = 0x50;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    put16(p + 14 + 36, sum);
    return 14 + total;
}

static void test_offload(void **state)
{
    struct net_offload work = {.checksum = true, .csum_start = 34, .csum_offset = 16};
    uint8_t frame[8192], got[16384];
    size_t payload = 4000, len = make_tcp(frame, payload), seen = 0;
    struct iovec iov = {frame, len};

    assert_true(net_has_offload(nic.net));
    work.tso_mss = 1000;
    work.hdr_len = 54;
    assert_int_equal(net_send_offload(nic.net, &iov, 1, &work), 0);
    /* The host segments it, or shows it whole where it can do without. */
    while (seen < payload) {
        size_t n = on_the_wire(got, sizeof(got), 0x0800);

        assert_true(n > 54);
        seen += n - 54;
    }
    assert_int_equal(seen, payload);
    /* Nonsense is a lost frame. */
    work.csum_start = 60000;
    assert_true(net_send_offload(nic.net, &iov, 1, &work) < 0);
    assert_int_equal(net_send(nic.net, &iov, 1), 0);
}

static void test_no_offload_without_header(void **state)
{
    assert_false(net_has_offload(nic.net));
}

static void test_cable_and_detach(void **state)
{
    uint8_t frame[60];

    net_want_receive(nic.net, true);
    net_set_link(nic.net, false);
    assert_false(has_carrier());
    assert_int_equal(testnic_send(&nic, 0, 60), -ENETDOWN);
    net_set_link(nic.net, true);
    assert_true(has_carrier());
    make_frame(frame, sizeof(frame), 9);
    assert_int_equal(send(wire, frame, sizeof(frame), 0), sizeof(frame));
    testnic_until(&nic, received(frame, sizeof(frame)), 1000);
    assert_true(received(frame, sizeof(frame)));
    net_detach(nic.net);
    assert_false(has_carrier());
    assert_true(interface_index() > 0); /* it stays for the toolstack */
}

static void test_interface_down(void **state)
{
    struct ifreq ifr = {0};
    uint8_t frame[60];
    struct iovec iov = {frame, sizeof(frame)};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    strcpy(ifr.ifr_name, ifname);
    assert_int_equal(ioctl(fd, SIOCGIFFLAGS, &ifr), 0);
    ifr.ifr_flags &= (short)~IFF_UP;
    assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &ifr), 0);
    close(fd);
    make_frame(frame, sizeof(frame), 1);
    assert_true(net_send(nic.net, &iov, 1) < 0);
    assert_true(net_link_up(nic.net));
    assert_int_equal(interface_up(), 0);
    assert_int_equal(net_send(nic.net, &iov, 1), 0);
}

static void test_interface_gone(void **state)
{
    char command[80];
    unsigned readables;

    net_want_receive(nic.net, *state != NULL);
    snprintf(command, sizeof(command), "ip link del %s", ifname);
    assert_int_equal(system(command), 0);
    if (!*state) /* the kernel tells readers only; others find out */
        assert_true(testnic_send(&nic, 0, 60) < 0);
    testnic_until(&nic, !nic.up, 1000);
    assert_false(nic.up);
    readables = nic.readables;
    testnic_turns(&nic);
    assert_int_equal(nic.readables, readables);
    assert_int_equal(testnic_send(&nic, 0, 60), -ENETDOWN);
}

static void test_names(void **state)
{
    struct net_config config = {.kind = NET_TAP, .name = "net0", .fd = -1};

    testnic_init(&nic);
    assert_int_equal(testnic_open(&nic, &config), 0);
    assert_true(nic.up);
    net_detach(nic.net);
    net_destroy(nic.net);
    nic.net = NULL;
    config.ifname = "a-name-that-is-too-long";
    assert_int_equal(testnic_open(&nic, &config), -EINVAL);
    config.ifname = "lo"; /* is there, and no tap */
    assert_true(testnic_open(&nic, &config) < 0);
    testnic_fini(&nic);
}

int main(void)
{
    static int given = 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_both_ways, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cut_frame, setup, teardown),
        cmocka_unit_test_setup_teardown(test_offload, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cable_and_detach, setup, teardown),
        cmocka_unit_test_setup_teardown(test_interface_down, setup, teardown),
        cmocka_unit_test_setup_teardown(test_interface_gone, setup, teardown),
        {"test_both_ways_by_descriptor", test_both_ways, setup, teardown, &given},
        {"test_cut_frame_by_descriptor", test_cut_frame, setup, teardown, &given},
        {"test_interface_gone_while_read", test_interface_gone, setup, teardown, &given},
        {"test_no_offload_without_header", test_no_offload_without_header, setup, teardown, &given},
        cmocka_unit_test(test_names),
    };

    if (!may_make_taps()) {
        puts("1..0 # SKIP /dev/net/tun with the right to make a tap is needed");
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
