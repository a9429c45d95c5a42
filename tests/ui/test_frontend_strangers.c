/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Front-ends and cores that are not what they should be: what strangers can do to either side. */
#include <errno.h>
#include <fcntl.h>
#include <linux/input-event-codes.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/harness/tap.h"
#include "tests/ui/peer.h"

struct bad {
    const char *what;
    struct frontend_message message;
    uint32_t cut; /* bytes less than the message has */
    bool unready;
};

#define EMPTY        sizeof(struct frontend_header)
#define SIZE(member) (uint32_t)(EMPTY + sizeof(((struct frontend_message *)0)->member))

static const struct bad bad[] = {
    {"unknown type", {.header = {99, EMPTY}}, 0, false},
    {"type of the core", {.header = {FRONTEND_DONE - 0x80, EMPTY}}, 0, false},
    {"no header", {.header = {FRONTEND_RELEASE, EMPTY}}, 1, false},
    {"shorter than its type", {.header = {FRONTEND_KEY, SIZE(key)}}, 4, false},
    {"longer than its type", {.header = {FRONTEND_RELEASE, EMPTY + 4}}, 0, false},
    {"wrong size in the header", {.header = {FRONTEND_KEY, SIZE(key) + 1}}, 1, false},
    {"key beyond the last",
     {.header = {FRONTEND_KEY, SIZE(key)}, .key = {INPUT_KEY_COUNT, 1}},
     0,
     false},
    {"half down", {.header = {FRONTEND_KEY, SIZE(key)}, .key = {KEY_A, 2}}, 0, false},
    {"position beyond the edge",
     {.header = {FRONTEND_ABS, SIZE(abs)}, .abs = {INPUT_ABS_MAX + 1, 0, 0, 0}},
     0,
     false},
    {"a leap", {.header = {FRONTEND_REL, SIZE(rel)}, .rel = {INT32_MIN, 0, 0, 0}}, 0, false},
    {"button beyond the last",
     {.header = {FRONTEND_REL, SIZE(rel)}, .rel = {0, 0, 0, 32}},
     0,
     false},
    {"done without damage", {.header = {FRONTEND_DONE, SIZE(done)}, .done = {1}}, 0, false},
    {"ready twice",
     {.header = {FRONTEND_READY, SIZE(ready)}, .ready = {FRONTEND_VERSION}},
     0,
     false},
    {"another version", {.header = {FRONTEND_READY, SIZE(ready)}, .ready = {7}}, 0, true},
    {"key before ready", {.header = {FRONTEND_KEY, SIZE(key)}, .key = {KEY_A, 1}}, 0, true},
    {"viewers without end",
     {.header = {FRONTEND_VIEWERS, SIZE(viewers)}, .viewers = {1, 17, {{"", "", 4, 0}}}},
     0,
     false},
    {"more viewers than told",
     {.header = {FRONTEND_VIEWERS, EMPTY + 8}, .viewers = {1, 2, {{"", "", 4, 0}}}},
     0,
     false},
};

static void test_strangers(void **state)
{
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct frontend_message ready = {.header = {FRONTEND_READY, SIZE(ready)},
                                         .ready.version = FRONTEND_VERSION};
        struct test_hub t;
        char buffer[4096];
        ssize_t n;

        test_hub_init(&t);
        test_hub_connect(&t);
        if (!bad[i].unready)
            send(t.peer, &ready, ready.header.size, 0);
        test_hub_run(&t, 1);
        send(t.peer, &bad[i].message, bad[i].message.header.size - bad[i].cut, 0);
        test_hub_run(&t, 1);
        do {
            n = recv(t.peer, buffer, sizeof(buffer), MSG_DONTWAIT);
        } while (n > 0);
        if (n != 0)
            fail_msg("%s: the connection stays", bad[i].what);
        assert_int_equal(t.devices.keys + t.devices.moves, 0);
        test_hub_fini(&t);
    }
}

/* A text without end in a list of viewers. */
static void test_viewer_text(void **state)
{
    struct frontend_viewer viewer = {.family = 4};
    struct test_hub t;
    struct peer p;

    test_hub_init(&t);
    peer_begin(&t, &p);
    strcpy(viewer.host, "10.0.0.1");
    frontend_send_viewers(p.client, true, &viewer, 1);
    peer_run(&t, &p, 1);
    assert_string_equal(frontends_viewers(t.hub, 0)->viewer[0].host, "10.0.0.1");
    memset(viewer.host, 'x', sizeof(viewer.host));
    frontend_send_viewers(p.client, true, &viewer, 1);
    peer_run(&t, &p, 1);
    assert_int_equal(frontends_viewers(t.hub, 0)->count, 0);
    assert_int_equal(frontend_client_receive(p.client), -EPIPE);
    peer_end(&t, &p);
    test_hub_fini(&t);
}

/* Descriptors that nobody asked for are closed, also when the message is bad. */
static void test_stray_descriptors(void **state)
{
    struct frontend_message ready = {.header = {FRONTEND_READY, SIZE(ready)},
                                     .ready.version = FRONTEND_VERSION};
    struct test_hub t;
    int probe, again;

    test_hub_init(&t);
    test_hub_connect(&t);
    probe = dup(0);
    close(probe);
    assert_int_equal(frontend_message_send(t.peer, &ready, t.peer, 0), 0);
    assert_int_equal(frontend_message_send(t.peer, &ready, t.peer, 0), 0);
    test_hub_run(&t, 1);
    again = dup(0);
    assert_in_range(again, 0, probe);
    close(again);
    test_hub_fini(&t);
}

/* What a front-end believes of a core that is not one. */
static void test_client_strangers(void **state)
{
    static const struct frontend_damage outside[] = {
        {1, 1, {{60, 0, 5, 1}}},         {1, 1, {{0, 47, 1, 2}}},         {1, 1, {{0, 0, 0, 1}}},
        {1, 1, {{UINT32_MAX, 0, 2, 1}}}, {1, 1, {{1, 0, UINT32_MAX, 1}}},
    };
    struct frontend_message m = {.header = {FRONTEND_MODE, SIZE(mode)}, .mode = {64, 48, 256}};
    int plain = memfd_create("unsealed", MFD_CLOEXEC), pair[2];
    struct peer p = {.slow = true};

    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
    assert_int_equal(frontend_client_create(&p.client, pair[1], &peer_events, &p), 0);
    assert_int_equal(ftruncate(plain, 1 << 20), 0);
    assert_int_equal(frontend_message_send(pair[0], &m, plain, 0), 0);
    assert_int_equal(frontend_client_receive(p.client), -EPROTO); /* it could shrink */
    assert_int_equal(frontend_message_send(pair[0], &m, -1, 0), 0);
    assert_int_equal(frontend_client_receive(p.client), -EPROTO); /* no picture */
    m.mode.stride = 252;
    assert_int_equal(frontend_message_send(pair[0], &m, plain, 0), 0);
    assert_int_equal(frontend_client_receive(p.client), -EPROTO); /* rows overlap */
    for (size_t i = 0; i < sizeof(outside) / sizeof(outside[0]); i++) {
        m.header.type = FRONTEND_DAMAGE;
        m.damage = outside[i];
        m.header.size = frontend_message_size(&m, sizeof(m));
        assert_int_equal(frontend_message_send(pair[0], &m, -1, 0), 0);
        assert_int_equal(frontend_client_receive(p.client), -EPROTO);
    }
    assert_int_equal(p.modes + p.damages, 0);
    close(plain);
    close(pair[0]);
    frontend_client_destroy(p.client);
}

/* A memfd that is too small for the mode would end the reader. */
static void test_small_picture(void **state)
{
    struct frontend_message m = {.header = {FRONTEND_MODE, SIZE(mode)}, .mode = {64, 48, 256}};
    int fd = memfd_create("small", MFD_CLOEXEC | MFD_ALLOW_SEALING), pair[2];
    struct peer p = {0};

    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
    assert_int_equal(frontend_client_create(&p.client, pair[1], &peer_events, &p), 0);
    assert_int_equal(ftruncate(fd, 48 * 256 - 1), 0);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
    frontend_message_send(pair[0], &m, fd, 0);
    assert_int_equal(frontend_client_receive(p.client), -EPROTO);
    assert_int_equal(ftruncate(fd, 48 * 256), 0);
    frontend_message_send(pair[0], &m, fd, 0);
    assert_int_equal(frontend_client_receive(p.client), 0);
    assert_int_equal(p.modes, 1);
    frontend_picture_release(&p.picture);
    close(fd);
    close(pair[0]);
    frontend_client_destroy(p.client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strangers),         cmocka_unit_test(test_viewer_text),
        cmocka_unit_test(test_stray_descriptors), cmocka_unit_test(test_client_strangers),
        cmocka_unit_test(test_small_picture),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
