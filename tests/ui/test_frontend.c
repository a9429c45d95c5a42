/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Front-ends: both sides of their protocol, and when the screen is drawn. */
#include <errno.h>
#include <fcntl.h>
#include <linux/input-event-codes.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/harness/tap.h"
#include "tests/ui/peer.h"

static void set_damage(struct test_hub *t, uint32_t x, uint32_t y, uint32_t w, uint32_t h)
{
    t->screen.damage.count = 1;
    t->screen.damage.rects[0] = (struct display_rect){x, y, w, h};
}

static void test_round_trip(void **state)
{
    struct test_hub t;
    struct peer p;

    test_hub_init(&t);
    t.screen.colour = 0x123456;
    peer_begin(&t, &p);
    assert_string_equal(p.name, "guest");
    assert_int_equal(p.password.login, FRONTEND_LOGIN_OPEN);
    assert_int_equal(p.modes, 0);
    assert_int_equal(t.screen.refreshes, 0);
    peer_look(&t, &p);
    assert_true(t.screen.watched);
    assert_int_equal(p.modes, 1);
    assert_int_equal(p.picture.width, 64);
    assert_int_equal(p.picture.height, 48);
    assert_int_equal(p.picture.pixels[47 * p.picture.stride + 63], 0x123456);
    assert_int_equal(p.count, 1);
    assert_int_equal(p.rect[0].width, 64);
    set_damage(&t, 3, 4, 5, 6);
    peer_run(&t, &p, 50);
    assert_int_equal(p.damages, 2);
    assert_memory_equal(&p.rect[0], (&(struct frontend_rect){3, 4, 5, 6}), sizeof(p.rect[0]));
    assert_int_equal(frontend_send_viewers(p.client, false, NULL, 0), 0);
    peer_run(&t, &p, 1);
    assert_false(t.screen.watched);
    peer_end(&t, &p);
    test_hub_fini(&t);
}

/* The memfd cannot be cut short under a reader, nor be written by one. */
static void test_picture_is_sealed(void **state)
{
    struct frontend_message m;
    struct test_hub t;
    int fd = -1;

    test_hub_init(&t);
    test_hub_connect(&t);
    m = (struct frontend_message){.header = {FRONTEND_READY, sizeof(m.header) + sizeof(m.ready)},
                                  .ready.version = FRONTEND_VERSION};
    assert_int_equal(frontend_message_send(t.peer, &m, -1, 0), 0);
    m.header = (struct frontend_header){FRONTEND_VIEWERS,
                                        offsetof(struct frontend_message, viewers.viewer)};
    m.viewers.watching = 1;
    m.viewers.count = 0;
    assert_int_equal(frontend_message_send(t.peer, &m, -1, 0), 0);
    test_hub_run(&t, 40);
    while (fd < 0)
        assert_int_equal(frontend_message_receive(t.peer, &m, &fd, MSG_DONTWAIT), 0);
    assert_int_equal(m.header.type, FRONTEND_MODE);
    assert_int_equal(fcntl(fd, F_GET_SEALS) & (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL),
                     F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
    assert_int_equal(ftruncate(fd, 0), -1);
    assert_ptr_equal(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
    assert_int_equal(write(fd, "x", 1), -1);
    close(fd);
    test_hub_fini(&t);
}

/* How often the screen is drawn: often while it changes, seldom while it does not, never unseen. */
static void test_pace(void **state)
{
    struct test_hub t;
    struct peer p;
    unsigned before;

    test_hub_init(&t);
    peer_begin(&t, &p);
    peer_run(&t, &p, 2000);
    assert_int_equal(t.screen.refreshes, 0);
    peer_look(&t, &p);
    peer_run(&t, &p, 2000);
    before = t.screen.refreshes;
    peer_run(&t, &p, 3000);
    assert_in_range(t.screen.refreshes - before, 5, 12);
    before = t.screen.refreshes;
    for (int i = 0; i < 1000; i++) {
        set_damage(&t, 0, 0, 1, 1);
        peer_run(&t, &p, 1);
    }
    assert_in_range(t.screen.refreshes - before, 24, 31);
    /* A display that knows itself when it will change. */
    t.screen.wait_ns = 2000000000;
    peer_run(&t, &p, 40);
    before = t.screen.refreshes;
    peer_run(&t, &p, 1500);
    assert_int_equal(t.screen.refreshes, before);
    t.screen.display.changed(t.screen.display.opaque);
    peer_run(&t, &p, 1);
    assert_int_equal(t.screen.refreshes, before + 1);
    t.screen.display.changed(t.screen.display.opaque);
    peer_run(&t, &p, 1);
    assert_int_equal(t.screen.refreshes, before + 1); /* not twice in a frame */
    peer_run(&t, &p, 33);
    assert_int_equal(t.screen.refreshes, before + 2);
    /* The user types: the screen is looked at soon. */
    peer_run(&t, &p, 100);
    before = t.screen.refreshes;
    frontend_send_key(p.client, KEY_A, true);
    peer_run(&t, &p, 34);
    assert_int_equal(t.screen.refreshes, before + 1);
    t.screen.wait_ns = UINT64_MAX;
    peer_run(&t, &p, 2500);
    before = t.screen.refreshes;
    peer_run(&t, &p, 5000);
    assert_int_equal(t.screen.refreshes, before);
    peer_end(&t, &p);
    test_hub_fini(&t);
}

/* A screen that takes long to draw is drawn less often, so that the guest keeps its thread. */
static void test_share(void **state)
{
    struct test_hub t;
    struct peer p;
    unsigned before;
    uint64_t start;

    test_hub_init(&t);
    peer_begin(&t, &p);
    peer_look(&t, &p);
    t.screen.cost_ns = 4000000;
    peer_run(&t, &p, 200);
    before = t.screen.refreshes;
    for (start = t.now; t.now < start + 2000000000;) {
        set_damage(&t, 0, 0, 1, 1);
        peer_run(&t, &p, 1);
    }
    assert_in_range(t.screen.refreshes - before, 40, 51);
    peer_end(&t, &p);
    test_hub_fini(&t);
}

/* In real time: what the drawing thread has done is delivered. */
static void wait_for_thread(struct test_hub *t, struct peer *p)
{
    for (int i = 0; i < 5000 && t->screen.ends != t->screen.refreshes; i++) {
        loop_turn(t->loop, 1);
        frontend_client_receive(p->client);
    }
    assert_int_equal(t->screen.ends, t->screen.refreshes);
}

/* Pixels are drawn by a thread; the device thread goes on meanwhile, whatever happens. */
static void test_drawing_thread(void **state)
{
    struct test_hub t;
    struct peer p;

    test_hub_init(&t);
    peer_begin(&t, &p);
    t.screen.by_thread = true;
    pthread_mutex_lock(&t.screen.drawing);
    peer_look(&t, &p);
    peer_run(&t, &p, 500);
    assert_int_equal(t.screen.refreshes, 1); /* one at a time */
    assert_int_equal(t.screen.ends, 0);
    frontend_send_key(p.client, KEY_A, true);
    peer_run(&t, &p, 1);
    assert_true(t.devices.down[KEY_A]);
    t.screen.display.changed(t.screen.display.opaque);
    pthread_mutex_unlock(&t.screen.drawing);
    wait_for_thread(&t, &p);
    t.screen.wait_ns = UINT64_MAX;
    peer_run(&t, &p, 1);
    assert_int_equal(t.screen.refreshes, 2); /* what came meanwhile is in the next one */
    wait_for_thread(&t, &p);
    peer_run(&t, &p, 1);
    assert_int_equal(p.modes, 1);
    assert_true(p.damages >= 1);

    /* The viewer goes in the middle: nobody waits, and the display hears of it afterwards. */
    pthread_mutex_lock(&t.screen.drawing);
    t.screen.display.changed(t.screen.display.opaque);
    peer_run(&t, &p, 400);
    assert_int_equal(t.screen.refreshes, t.screen.ends + 1);
    frontend_send_viewers(p.client, false, NULL, 0);
    peer_run(&t, &p, 1);
    assert_true(t.screen.watched);
    pthread_mutex_unlock(&t.screen.drawing);
    wait_for_thread(&t, &p);
    assert_false(t.screen.watched);
    peer_end(&t, &p);
    test_hub_fini(&t);
}

/* A display is not taken away from under the thread that draws it. */
static void test_display_goes_while_drawn(void **state)
{
    struct test_hub t;
    struct peer p;

    test_hub_init(&t);
    peer_begin(&t, &p);
    t.screen.by_thread = true;
    peer_look(&t, &p);
    peer_run(&t, &p, 1);
    for (int i = 0; i < 20; i++) {
        frontends_set_display(t.hub, NULL);
        assert_int_equal(t.screen.ends, t.screen.refreshes);
        assert_false(t.screen.watched);
        frontends_set_display(t.hub, &t.screen.display);
        peer_run(&t, &p, 301);
        assert_true(t.screen.refreshes > (unsigned)i);
    }
    peer_end(&t, &p);
    test_hub_fini(&t);
}

/* One that copies slowly gets one damage at a time, with all that has come meanwhile. */
static void test_busy(void **state)
{
    struct test_hub t;
    struct peer p;
    unsigned before;

    test_hub_init(&t);
    peer_begin(&t, &p);
    peer_look(&t, &p);
    p.slow = true;
    set_damage(&t, 0, 0, 2, 2);
    peer_run(&t, &p, 400);
    assert_int_equal(p.damages, 2);
    before = t.screen.refreshes;
    set_damage(&t, 8, 8, 2, 2);
    peer_run(&t, &p, 1000);
    assert_int_equal(p.damages, 2);
    assert_int_equal(t.screen.refreshes, before); /* nobody could take it */
    /* A change of mode waits as well: the old picture is being read. */
    t.screen.width = 32;
    frontend_send_done(p.client, p.number);
    peer_run(&t, &p, 40);
    assert_int_equal(p.modes, 2);
    assert_int_equal(p.picture.width, 32);
    assert_int_equal(p.damages, 3);
    assert_int_equal(p.rect[0].width, 32);
    peer_end(&t, &p);
    test_hub_fini(&t);
}

static void test_stuck(void **state)
{
    struct test_hub t;
    struct peer p;

    test_hub_init(&t);
    peer_begin(&t, &p);
    peer_look(&t, &p);
    frontend_send_key(p.client, KEY_A, true);
    p.slow = true;
    set_damage(&t, 0, 0, 2, 2);
    peer_run(&t, &p, 1000);
    assert_true(t.devices.down[KEY_A]);
    peer_run(&t, NULL, 8500);
    assert_true(t.screen.watched);
    peer_run(&t, NULL, 1000);
    assert_false(t.screen.watched);
    assert_false(t.devices.down[KEY_A]);
    assert_int_equal(frontend_client_receive(p.client), -EPIPE);
    peer_end(&t, &p);
    /* The next one is served as if nothing had been. */
    peer_begin(&t, &p);
    peer_look(&t, &p);
    assert_int_equal(p.modes, 1);
    peer_end(&t, &p);
    test_hub_fini(&t);
}

/* One that never says READY is not waited for either. */
static void test_never_ready(void **state)
{
    struct test_hub t;
    char byte;

    test_hub_init(&t);
    test_hub_connect(&t);
    test_hub_run(&t, 11000);
    while (recv(t.peer, &byte, 1, MSG_DONTWAIT) > 0)
        ;
    assert_int_equal(recv(t.peer, &byte, 1, MSG_DONTWAIT), 0);
    test_hub_fini(&t);
}

static void test_input(void **state)
{
    struct test_hub t;
    struct peer p;

    test_hub_init(&t);
    peer_begin(&t, &p);
    peer_look(&t, &p);
    assert_false(p.absolute);
    input_set_leds(t.input, INPUT_LED_CAPS);
    peer_run(&t, &p, 1);
    assert_int_equal(p.leds, INPUT_LED_CAPS);
    frontend_send_key(p.client, KEY_A, true);
    frontend_send_rel(p.client, 3, -4, 0, INPUT_BUTTON_LEFT);
    peer_run(&t, &p, 1);
    assert_true(t.devices.down[KEY_A]);
    assert_int_equal(t.devices.dx, 3);
    assert_int_equal(t.devices.dy, -4);
    assert_int_equal(t.devices.buttons, INPUT_BUTTON_LEFT);
    frontend_send_release(p.client);
    peer_run(&t, &p, 1);
    assert_false(t.devices.down[KEY_A]);
    assert_int_equal(t.devices.buttons, 0);
    /* It dies with a key held. */
    frontend_send_key(p.client, KEY_B, true);
    peer_run(&t, &p, 1);
    peer_end(&t, &p);
    assert_false(t.devices.down[KEY_B]);
    test_hub_fini(&t);
}

static void test_password(void **state)
{
    struct frontend_password set = {
        .login = FRONTEND_LOGIN_PASSWORD, .text = "12345678", .deadline = 99};
    struct test_hub t;
    struct peer p;

    test_hub_init(&t);
    frontends_set_password(t.hub, 0, &set);
    for (int i = 0; i < 2; i++) { /* also to the next one */
        peer_begin(&t, &p);
        assert_memory_equal(&p.password, &set, sizeof(set));
        peer_end(&t, &p);
    }
    test_hub_fini(&t);
}

/* Drawing that fails is tried again later, not at once and not never. */
static void test_no_memory(void **state)
{
    struct test_hub t;
    struct peer p;

    test_hub_init(&t);
    peer_begin(&t, &p);
    t.screen.fail = -ENOMEM;
    peer_look(&t, &p);
    peer_run(&t, &p, 500);
    assert_int_equal(t.screen.refreshes, 1);
    t.screen.fail = 0;
    peer_run(&t, &p, 1000);
    assert_int_equal(p.modes, 1);
    peer_end(&t, &p);
    test_hub_fini(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),     cmocka_unit_test(test_picture_is_sealed),
        cmocka_unit_test(test_pace),           cmocka_unit_test(test_share),
        cmocka_unit_test(test_drawing_thread), cmocka_unit_test(test_display_goes_while_drawn),
        cmocka_unit_test(test_busy),           cmocka_unit_test(test_stuck),
        cmocka_unit_test(test_never_ready),    cmocka_unit_test(test_input),
        cmocka_unit_test(test_password),       cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
