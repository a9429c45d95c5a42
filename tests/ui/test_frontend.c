/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Front-ends: both sides of their protocol, when the screen is drawn, what strangers can do. */
#include <errno.h>
#include <fcntl.h>
#include <linux/input-event-codes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/harness/tap.h"
#include "tests/ui/testdisplay.h"
#include "ui/damage.h"
#include "ui/frontend_client.h"

/* A front-end that remembers what it has been told. */
struct peer {
    struct frontend_client *client;
    char name[64];
    struct frontend_picture picture;
    unsigned modes, damages;
    struct frontend_rect rect[FRONTEND_RECTS_MAX];
    uint32_t number, count;
    uint32_t leds;
    bool absolute;
    struct frontend_password password;
    bool slow; /* no DONE by itself */
};

static void on_hello(void *opaque, const char *name)
{
    strcpy(((struct peer *)opaque)->name, name);
}

static void on_mode(void *opaque, struct frontend_picture picture)
{
    struct peer *p = opaque;

    frontend_picture_release(&p->picture);
    p->picture = picture;
    p->modes++;
}

static void on_damage(void *opaque, uint32_t number, const struct frontend_rect *rect,
                      uint32_t count)
{
    struct peer *p = opaque;

    p->damages++;
    p->number = number;
    p->count = count;
    memcpy(p->rect, rect, count * sizeof(*rect));
    if (!p->slow)
        frontend_send_done(p->client, number);
}

static void on_input(void *opaque, uint32_t leds, bool absolute)
{
    struct peer *p = opaque;

    p->leds = leds;
    p->absolute = absolute;
}

static void on_password(void *opaque, const struct frontend_password *password)
{
    ((struct peer *)opaque)->password = *password;
}

static const struct frontend_events events = {
    .hello = on_hello,
    .mode = on_mode,
    .damage = on_damage,
    .input = on_input,
    .password = on_password,
};

/* Time for both of them. */
static void run(struct test_hub *t, struct peer *p, unsigned ms)
{
    for (unsigned i = 0; i <= ms; i++) {
        test_hub_run(t, i ? 1 : 0);
        if (p)
            frontend_client_receive(p->client);
    }
    test_hub_run(t, 0);
}

static void begin(struct test_hub *t, struct peer *p)
{
    test_hub_connect(t);
    memset(p, 0, sizeof(*p));
    assert_int_equal(frontend_client_create(&p->client, dup(t->peer), &events, p), 0);
    run(t, p, 1);
}

static void end(struct test_hub *t, struct peer *p)
{
    frontend_picture_release(&p->picture);
    frontend_client_destroy(p->client);
    close(t->peer);
    t->peer = -1;
    test_hub_run(t, 1);
}

static void look(struct test_hub *t, struct peer *p)
{
    assert_int_equal(frontend_send_viewers(p->client, true, NULL, 0), 0);
    run(t, p, 40);
}

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
    begin(&t, &p);
    assert_string_equal(p.name, "guest");
    assert_int_equal(p.password.login, FRONTEND_LOGIN_OPEN);
    assert_int_equal(p.modes, 0);
    assert_int_equal(t.screen.refreshes, 0);
    look(&t, &p);
    assert_true(t.screen.watched);
    assert_int_equal(p.modes, 1);
    assert_int_equal(p.picture.width, 64);
    assert_int_equal(p.picture.height, 48);
    assert_int_equal(p.picture.pixels[47 * p.picture.stride + 63], 0x123456);
    assert_int_equal(p.count, 1);
    assert_int_equal(p.rect[0].width, 64);
    set_damage(&t, 3, 4, 5, 6);
    run(&t, &p, 50);
    assert_int_equal(p.damages, 2);
    assert_memory_equal(&p.rect[0], (&(struct frontend_rect){3, 4, 5, 6}), sizeof(p.rect[0]));
    assert_int_equal(frontend_send_viewers(p.client, false, NULL, 0), 0);
    run(&t, &p, 1);
    assert_false(t.screen.watched);
    end(&t, &p);
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
    begin(&t, &p);
    run(&t, &p, 2000);
    assert_int_equal(t.screen.refreshes, 0);
    look(&t, &p);
    run(&t, &p, 2000);
    before = t.screen.refreshes;
    run(&t, &p, 3000);
    assert_in_range(t.screen.refreshes - before, 5, 12);
    before = t.screen.refreshes;
    for (int i = 0; i < 1000; i++) {
        set_damage(&t, 0, 0, 1, 1);
        run(&t, &p, 1);
    }
    assert_in_range(t.screen.refreshes - before, 24, 31);
    /* A display that knows itself when it will change. */
    t.screen.wait_ns = 2000000000;
    run(&t, &p, 40);
    before = t.screen.refreshes;
    run(&t, &p, 1500);
    assert_int_equal(t.screen.refreshes, before);
    t.screen.display.changed(t.screen.display.opaque);
    run(&t, &p, 1);
    assert_int_equal(t.screen.refreshes, before + 1);
    t.screen.display.changed(t.screen.display.opaque);
    run(&t, &p, 1);
    assert_int_equal(t.screen.refreshes, before + 1); /* not twice in a frame */
    run(&t, &p, 33);
    assert_int_equal(t.screen.refreshes, before + 2);
    /* The user types: the screen is looked at soon. */
    run(&t, &p, 100);
    before = t.screen.refreshes;
    frontend_send_key(p.client, KEY_A, true);
    run(&t, &p, 34);
    assert_int_equal(t.screen.refreshes, before + 1);
    t.screen.wait_ns = UINT64_MAX;
    run(&t, &p, 2500);
    before = t.screen.refreshes;
    run(&t, &p, 5000);
    assert_int_equal(t.screen.refreshes, before);
    end(&t, &p);
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
    begin(&t, &p);
    look(&t, &p);
    t.screen.cost_ns = 4000000;
    run(&t, &p, 200);
    before = t.screen.refreshes;
    for (start = t.now; t.now < start + 2000000000;) {
        set_damage(&t, 0, 0, 1, 1);
        run(&t, &p, 1);
    }
    assert_in_range(t.screen.refreshes - before, 40, 51);
    end(&t, &p);
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
    begin(&t, &p);
    t.screen.by_thread = true;
    pthread_mutex_lock(&t.screen.drawing);
    look(&t, &p);
    run(&t, &p, 500);
    assert_int_equal(t.screen.refreshes, 1); /* one at a time */
    assert_int_equal(t.screen.ends, 0);
    frontend_send_key(p.client, KEY_A, true);
    run(&t, &p, 1);
    assert_true(t.devices.down[KEY_A]);
    t.screen.display.changed(t.screen.display.opaque);
    pthread_mutex_unlock(&t.screen.drawing);
    wait_for_thread(&t, &p);
    t.screen.wait_ns = UINT64_MAX;
    run(&t, &p, 1);
    assert_int_equal(t.screen.refreshes, 2); /* what came meanwhile is in the next one */
    wait_for_thread(&t, &p);
    run(&t, &p, 1);
    assert_int_equal(p.modes, 1);
    assert_true(p.damages >= 1);

    /* The viewer goes in the middle: nobody waits, and the display hears of it afterwards. */
    pthread_mutex_lock(&t.screen.drawing);
    t.screen.display.changed(t.screen.display.opaque);
    run(&t, &p, 400);
    assert_int_equal(t.screen.refreshes, t.screen.ends + 1);
    frontend_send_viewers(p.client, false, NULL, 0);
    run(&t, &p, 1);
    assert_true(t.screen.watched);
    pthread_mutex_unlock(&t.screen.drawing);
    wait_for_thread(&t, &p);
    assert_false(t.screen.watched);
    end(&t, &p);
    test_hub_fini(&t);
}

/* A display is not taken away from under the thread that draws it. */
static void test_display_goes_while_drawn(void **state)
{
    struct test_hub t;
    struct peer p;

    test_hub_init(&t);
    begin(&t, &p);
    t.screen.by_thread = true;
    look(&t, &p);
    run(&t, &p, 1);
    for (int i = 0; i < 20; i++) {
        frontends_set_display(t.hub, NULL);
        assert_int_equal(t.screen.ends, t.screen.refreshes);
        assert_false(t.screen.watched);
        frontends_set_display(t.hub, &t.screen.display);
        run(&t, &p, 301);
        assert_true(t.screen.refreshes > (unsigned)i);
    }
    end(&t, &p);
    test_hub_fini(&t);
}

/* One that copies slowly gets one damage at a time, with all that has come meanwhile. */
static void test_busy(void **state)
{
    struct test_hub t;
    struct peer p;
    unsigned before;

    test_hub_init(&t);
    begin(&t, &p);
    look(&t, &p);
    p.slow = true;
    set_damage(&t, 0, 0, 2, 2);
    run(&t, &p, 400);
    assert_int_equal(p.damages, 2);
    before = t.screen.refreshes;
    set_damage(&t, 8, 8, 2, 2);
    run(&t, &p, 1000);
    assert_int_equal(p.damages, 2);
    assert_int_equal(t.screen.refreshes, before); /* nobody could take it */
    /* A change of mode waits as well: the old picture is being read. */
    t.screen.width = 32;
    frontend_send_done(p.client, p.number);
    run(&t, &p, 40);
    assert_int_equal(p.modes, 2);
    assert_int_equal(p.picture.width, 32);
    assert_int_equal(p.damages, 3);
    assert_int_equal(p.rect[0].width, 32);
    end(&t, &p);
    test_hub_fini(&t);
}

static void test_stuck(void **state)
{
    struct test_hub t;
    struct peer p;

    test_hub_init(&t);
    begin(&t, &p);
    look(&t, &p);
    frontend_send_key(p.client, KEY_A, true);
    p.slow = true;
    set_damage(&t, 0, 0, 2, 2);
    run(&t, &p, 1000);
    assert_true(t.devices.down[KEY_A]);
    run(&t, NULL, 8500);
    assert_true(t.screen.watched);
    run(&t, NULL, 1000);
    assert_false(t.screen.watched);
    assert_false(t.devices.down[KEY_A]);
    assert_int_equal(frontend_client_receive(p.client), -EPIPE);
    end(&t, &p);
    /* The next one is served as if nothing had been. */
    begin(&t, &p);
    look(&t, &p);
    assert_int_equal(p.modes, 1);
    end(&t, &p);
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
    begin(&t, &p);
    look(&t, &p);
    assert_false(p.absolute);
    input_set_leds(t.input, INPUT_LED_CAPS);
    run(&t, &p, 1);
    assert_int_equal(p.leds, INPUT_LED_CAPS);
    frontend_send_key(p.client, KEY_A, true);
    frontend_send_rel(p.client, 3, -4, 0, INPUT_BUTTON_LEFT);
    run(&t, &p, 1);
    assert_true(t.devices.down[KEY_A]);
    assert_int_equal(t.devices.dx, 3);
    assert_int_equal(t.devices.dy, -4);
    assert_int_equal(t.devices.buttons, INPUT_BUTTON_LEFT);
    frontend_send_release(p.client);
    run(&t, &p, 1);
    assert_false(t.devices.down[KEY_A]);
    assert_int_equal(t.devices.buttons, 0);
    /* It dies with a key held. */
    frontend_send_key(p.client, KEY_B, true);
    run(&t, &p, 1);
    end(&t, &p);
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
        begin(&t, &p);
        assert_memory_equal(&p.password, &set, sizeof(set));
        end(&t, &p);
    }
    test_hub_fini(&t);
}

/* Drawing that fails is tried again later, not at once and not never. */
static void test_no_memory(void **state)
{
    struct test_hub t;
    struct peer p;

    test_hub_init(&t);
    begin(&t, &p);
    t.screen.fail = -ENOMEM;
    look(&t, &p);
    run(&t, &p, 500);
    assert_int_equal(t.screen.refreshes, 1);
    t.screen.fail = 0;
    run(&t, &p, 1000);
    assert_int_equal(p.modes, 1);
    end(&t, &p);
    test_hub_fini(&t);
}

/* ---- strangers ------------------------------------------------------------------------------ */

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
    begin(&t, &p);
    strcpy(viewer.host, "10.0.0.1");
    frontend_send_viewers(p.client, true, &viewer, 1);
    run(&t, &p, 1);
    assert_string_equal(frontends_viewers(t.hub, 0)->viewer[0].host, "10.0.0.1");
    memset(viewer.host, 'x', sizeof(viewer.host));
    frontend_send_viewers(p.client, true, &viewer, 1);
    run(&t, &p, 1);
    assert_int_equal(frontends_viewers(t.hub, 0)->count, 0);
    assert_int_equal(frontend_client_receive(p.client), -EPIPE);
    end(&t, &p);
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
    assert_int_equal(frontend_client_create(&p.client, pair[1], &events, &p), 0);
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
    assert_int_equal(frontend_client_create(&p.client, pair[1], &events, &p), 0);
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

/* ---- damage --------------------------------------------------------------------------------- */

/* Whatever is added stays covered, and the list stays within its bound. */
static void test_damage(void **state)
{
    struct damage damage = {.count = 0};
    bool changed[64][64] = {{false}};

    srandom(1);
    for (int i = 0; i < 500; i++) {
        struct frontend_rect r = {(uint32_t)random() % 60, (uint32_t)random() % 60,
                                  (uint32_t)random() % 5, (uint32_t)random() % 5};

        damage_add(&damage, r);
        assert_in_range(damage.count, 0, FRONTEND_RECTS_MAX);
        for (uint32_t y = r.y; y < r.y + r.height; y++)
            for (uint32_t x = r.x; x < r.x + r.width; x++)
                changed[y][x] = true;
    }
    for (uint32_t n = 0; n < damage.count; n++) {
        struct frontend_rect r = damage.rect[n];

        assert_in_range(r.x + r.width, 1, 64);
        assert_in_range(r.y + r.height, 1, 64);
        for (uint32_t y = r.y; y < r.y + r.height; y++)
            for (uint32_t x = r.x; x < r.x + r.width; x++)
                changed[y][x] = false;
    }
    for (int y = 0; y < 64; y++)
        for (int x = 0; x < 64; x++)
            assert_false(changed[y][x]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_picture_is_sealed),
        cmocka_unit_test(test_pace),
        cmocka_unit_test(test_share),
        cmocka_unit_test(test_drawing_thread),
        cmocka_unit_test(test_display_goes_while_drawn),
        cmocka_unit_test(test_busy),
        cmocka_unit_test(test_stuck),
        cmocka_unit_test(test_never_ready),
        cmocka_unit_test(test_input),
        cmocka_unit_test(test_password),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_strangers),
        cmocka_unit_test(test_viewer_text),
        cmocka_unit_test(test_stray_descriptors),
        cmocka_unit_test(test_client_strangers),
        cmocka_unit_test(test_small_picture),
        cmocka_unit_test(test_damage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
