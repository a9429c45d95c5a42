/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The keyboard and pointer back end, against a front end in memory. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/input-event-codes.h>
#include <xen/io/kbdif.h>

#include "dm/loop.h"
#include "pv/vkbd.h"
#include "tests/harness/tap.h"
#include "tests/pv/mock_xen.h"

#define BACK  "backend/vkbd/7/0"
#define FRONT "/local/domain/7/device/vkbd/0"
#define REF   9u
#define PAGE  3u
#define GFN   5u
#define PORT  4u

struct rig {
    struct mock_xen *mock;
    struct loop *loop;
    struct xenbus *bus;
    struct input *input;
    struct vkbd_set *set;
    struct xenkbd_page *page;
    struct input_sink ps2; /* what gets events while nobody is connected */
    unsigned ps2_keys, ps2_moves;
};

/* Of the real interface, what only this back end needs: one frame by its number. */
void *xen_map_frames(struct xen *xen, const uint64_t *gfns, size_t n, int *err)
{
    *err = gfns[0] == GFN ? 0 : -EINVAL;
    return mock_page((struct mock_xen *)(void *)xen, PAGE);
}

void xen_unmap_frames(struct xen *xen, void *addr, size_t n)
{
}

static void ps2_key(void *opaque, uint16_t code, bool down)
{
    ((struct rig *)opaque)->ps2_keys += down;
}

static void ps2_rel(void *opaque, int32_t dx, int32_t dy, int32_t dz, uint32_t buttons)
{
    ((struct rig *)opaque)->ps2_moves++;
}

static void settle(struct rig *r)
{
    char token[64];

    for (unsigned i = 0; i < 10; i++) {
        while (mock_store_next(r->mock, token, sizeof(token)))
            xenbus_watch_event(r->bus, token);
        loop_turn(r->loop, 0);
    }
}

static int setup(void **state)
{
    struct rig *r = calloc(1, sizeof(*r));

    r->mock = mock_xen_create();
    assert_int_equal(loop_create(&r->loop), 0);
    assert_int_equal(input_create(&r->input), 0);
    r->ps2 = (struct input_sink){.key = ps2_key, .rel = ps2_rel, .opaque = r};
    input_sink_add(r->input, &r->ps2);
    assert_int_equal(xenbus_create(&r->bus, mock_xen_handle(r->mock), r->loop), 0);
    assert_int_equal(vkbd_serve(&r->set, r->bus, r->input), 0);
    r->page = (void *)mock_page(r->mock, PAGE);
    mock_grant(r->mock, REF, PAGE, true);
    mock_store_set(r->mock, BACK "/frontend", FRONT);
    mock_store_set(r->mock, BACK "/online", "1");
    mock_store_set(r->mock, BACK "/state", "1");
    mock_store_set(r->mock, FRONT "/state", "1");
    settle(r);
    *state = r;
    return 0;
}

static int teardown(void **state)
{
    struct rig *r = *state;

    xenbus_destroy(r->bus);
    assert_int_equal(r->mock->mapped, 0);
    vkbd_set_free(r->set);
    input_destroy(r->input);
    loop_destroy(r->loop);
    mock_xen_destroy(r->mock);
    free(r);
    return 0;
}

static void front_state(struct rig *r, unsigned state)
{
    mock_store_set(r->mock, FRONT "/state", "%u", state);
    settle(r);
}

static void assert_back(struct rig *r, const char *node, const char *value)
{
    char path[100];

    snprintf(path, sizeof(path), BACK "/%s", node);
    assert_non_null(mock_store_get(r->mock, path));
    assert_string_equal(mock_store_get(r->mock, path), value);
}

static void connect(struct rig *r, bool absolute)
{
    mock_store_set(r->mock, FRONT "/page-gref", "%u", REF);
    mock_store_set(r->mock, FRONT "/page-ref", "%u", GFN);
    mock_store_set(r->mock, FRONT "/event-channel", "%u", PORT);
    if (absolute)
        mock_store_set(r->mock, FRONT "/request-abs-pointer", "1");
    front_state(r, 3);
    front_state(r, 4);
    assert_back(r, "state", "4");
}

/* Takes the next event as a front end does; false when there is none. */
static bool next(struct rig *r, union xenkbd_in_event *event)
{
    if (r->page->in_cons == r->page->in_prod)
        return false;
    *event = XENKBD_IN_RING_REF(r->page, r->page->in_cons);
    r->page->in_cons++;
    return true;
}

static void assert_key(struct rig *r, unsigned code, bool down)
{
    union xenkbd_in_event event;

    assert_true(next(r, &event));
    assert_int_equal(event.type, XENKBD_TYPE_KEY);
    assert_int_equal(event.key.keycode, code);
    assert_int_equal(event.key.pressed, down);
}

static void test_features_are_published(void **state)
{
    struct rig *r = *state;

    assert_back(r, "feature-abs-pointer", "1");
    assert_back(r, "feature-raw-pointer", "1");
    assert_back(r, "width", "32767");
    assert_back(r, "height", "32767");
    assert_back(r, "state", "2");
    input_key(r->input, KEY_A, true);
    assert_int_equal(r->ps2_keys, 1); /* nobody is connected */
}

static void test_keys_and_absolute_pointer(void **state)
{
    struct rig *r = *state;
    union xenkbd_in_event event;
    unsigned notified;

    connect(r, true);
    assert_true(input_wants_abs(r->input));
    notified = r->mock->notified[PORT];
    input_key(r->input, KEY_A, true);
    assert_int_equal(r->mock->notified[PORT], notified + 1);
    input_key(r->input, KEY_A, true); /* repeats */
    input_key(r->input, KEY_A, false);
    assert_key(r, KEY_A, true);
    assert_key(r, KEY_A, true);
    assert_key(r, KEY_A, false);
    input_abs(r->input, 100, 0x7fff, 2, INPUT_BUTTON_LEFT | INPUT_BUTTON_EXTRA);
    assert_true(next(r, &event)); /* the position comes before the button */
    assert_int_equal(event.type, XENKBD_TYPE_POS);
    assert_int_equal(event.pos.abs_x, 100);
    assert_int_equal(event.pos.abs_y, 0x7fff);
    assert_int_equal(event.pos.rel_z, -2);
    assert_key(r, BTN_LEFT, true);
    assert_key(r, BTN_EXTRA, true);
    assert_false(next(r, &event));
    assert_int_equal(r->ps2_keys + r->ps2_moves, 0);
}

static void test_relative_pointer(void **state)
{
    struct rig *r = *state;
    union xenkbd_in_event event;

    connect(r, false);
    assert_false(input_wants_abs(r->input));
    input_rel(r->input, 5, -6, 0, INPUT_BUTTON_MIDDLE);
    assert_true(next(r, &event));
    assert_int_equal(event.type, XENKBD_TYPE_MOTION);
    assert_int_equal(event.motion.rel_x, 5);
    assert_int_equal(event.motion.rel_y, -6);
    assert_key(r, BTN_MIDDLE, true);
}

static void test_page_by_frame_number(void **state)
{
    struct rig *r = *state;

    mock_store_set(r->mock, FRONT "/page-ref", "%u", GFN);
    mock_store_set(r->mock, FRONT "/event-channel", "%u", PORT);
    front_state(r, 3);
    assert_back(r, "state", "4");
    input_key(r->input, KEY_B, true);
    assert_key(r, KEY_B, true);
}

static void test_close_and_come_back(void **state)
{
    struct rig *r = *state;

    for (unsigned i = 0; i < 3; i++) {
        connect(r, true);
        assert_int_equal(r->mock->mapped, 1);
        front_state(r, 5);
        assert_back(r, "state", "5");
        front_state(r, 6);
        assert_back(r, "state", "6");
        assert_int_equal(r->mock->mapped, 0);
        assert_int_equal(r->mock->bound, 0);
        assert_false(input_wants_abs(r->input));
        front_state(r, 1); /* the next kernel */
        assert_back(r, "state", "2");
        memset(r->page, 0, 4096);
    }
}

static void test_no_key_stays_down_when_it_closes(void **state)
{
    struct rig *r = *state;

    connect(r, true);
    input_key(r->input, KEY_LEFTCTRL, true);
    assert_key(r, KEY_LEFTCTRL, true);
    front_state(r, 5);
    assert_key(r, KEY_LEFTCTRL, false);
    assert_false(input_key_is_down(r->input, KEY_LEFTCTRL));
}

static void test_slow_guest_misses_movements_but_no_button(void **state)
{
    struct rig *r = *state;
    union xenkbd_in_event event;
    int x = -1, last_button = -1;

    connect(r, true);
    for (unsigned i = 0; i < 1000; i++)
        input_abs(r->input, (uint16_t)i, 0, 0, i >= 500 ? INPUT_BUTTON_LEFT : 0);
    input_abs(r->input, 1000, 0, 0, 0);
    assert_true(input_wants_abs(r->input)); /* movements do not make it step back */
    while (next(r, &event)) {
        if (event.type == XENKBD_TYPE_POS)
            x = event.pos.abs_x;
        else
            last_button = event.key.pressed;
    }
    mock_signal(r->mock, PORT);
    settle(r);
    while (next(r, &event))
        if (event.type == XENKBD_TYPE_POS)
            x = event.pos.abs_x;
    assert_int_equal(x, 1000);
    assert_int_equal(last_button, 0);
}

/* Another kernel has been started, without the driver: nobody reads. */
static void test_guest_that_stops_reading_gets_the_emulated_keyboard(void **state)
{
    struct rig *r = *state;
    union xenkbd_in_event event;
    bool down[256] = {false};

    connect(r, true);
    for (uint16_t code = 1; code < 100; code++) {
        input_key(r->input, code, true);
        input_key(r->input, code, false);
    }
    assert_true(r->ps2_keys > 50);
    assert_false(input_wants_abs(r->input));
    /* It reads again after all. */
    while (next(r, &event))
        down[event.key.keycode] = event.key.pressed;
    mock_signal(r->mock, PORT);
    settle(r);
    assert_true(input_wants_abs(r->input));
    while (next(r, &event))
        down[event.key.keycode] = event.key.pressed;
    for (unsigned i = 0; i < 256; i++)
        assert_false(down[i]);
}

static void test_nothing_is_written_while_the_machine_stands(void **state)
{
    struct rig *r = *state;
    uint32_t prod;

    connect(r, true);
    prod = r->page->in_prod;
    xenbus_hold(r->bus, true);
    input_key(r->input, KEY_A, true);
    input_abs(r->input, 7, 8, 0, 0);
    settle(r);
    assert_int_equal(r->page->in_prod, prod);
    xenbus_hold(r->bus, false);
    settle(r);
    assert_int_equal(r->page->in_prod, prod + 2);
}

static void test_wrong_nodes_are_refused(void **state)
{
    static const struct {
        const char *node, *value;
    } wrong[] = {
        {"page-gref", "4097"},       {"page-gref", "-1"},   {"page-gref", "9x"},
        {"page-gref", "4294967296"}, {"event-channel", ""}, {"event-channel", "99999999999"},
        {"event-channel", "0"},      {"page-gref", "10"}, /* not granted */
    };
    struct rig *r = *state;

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        mock_store_set(r->mock, FRONT "/page-gref", "%u", REF);
        mock_store_set(r->mock, FRONT "/event-channel", "%u", PORT);
        char path[100];

        snprintf(path, sizeof(path), FRONT "/%s", wrong[i].node);
        mock_store_set(r->mock, path, "%s", wrong[i].value);
        front_state(r, 3);
        assert_back(r, "state", "5");
        assert_int_equal(r->mock->mapped, 0);
        assert_int_equal(r->mock->bound, 0);
        front_state(r, 6);
        front_state(r, 1);
        assert_back(r, "state", "2");
    }
    connect(r, true);
}

/* security.md: CVE-2015-8550 (XSA-155), shared fields that change while they are used. */
static void test_cve_2015_8550_hostile_indexes(void **state)
{
    static const uint32_t values[] = {0, 1, 50, 51, 52, 0x7fffffff, 0x80000000, 0xffffffff};
    struct rig *r = *state;
    uint8_t header[1008], tail[4096 - 3072];

    connect(r, true);
    memset((uint8_t *)r->page + 16, 0x5a, sizeof(header));
    memset((uint8_t *)r->page + 3072, 0x5a, sizeof(tail));
    memset(header, 0x5a, sizeof(header));
    memset(tail, 0x5a, sizeof(tail));
    for (unsigned i = 0; i < 8; i++) {
        for (unsigned k = 0; k < 8; k++) {
            r->page->in_cons = values[i];
            r->page->in_prod = values[k]; /* ours: what the guest writes there is not believed */
            input_abs(r->input, (uint16_t)(i * 8 + k), 0, 0, k);
            input_key(r->input, KEY_A, k & 1);
        }
        mock_signal(r->mock, PORT);
        settle(r);
    }
    /* Nothing beside the ring has been written. */
    assert_memory_equal((uint8_t *)r->page + 16, header, sizeof(header));
    assert_memory_equal((uint8_t *)r->page + 3072, tail, sizeof(tail));
}

/* security.md: CVE-2017-10911 (XSA-216), bytes of ours in what the guest gets. */
static void test_cve_2017_10911_events_hold_nothing_else(void **state)
{
    struct rig *r = *state;
    const uint8_t *raw = (const uint8_t *)r->page + 1024;
    uint8_t want[40] = {XENKBD_TYPE_KEY, 1, 0, 0, KEY_A};
    uint8_t pos[40] = {XENKBD_TYPE_POS, 0, 0, 0, 1, 0, 0, 0, 2};

    connect(r, true);
    memset((uint8_t *)r->page + 1024, 0x5a, 2048);
    input_key(r->input, KEY_A, true);
    input_abs(r->input, 1, 2, 0, 0);
    assert_memory_equal(raw, want, sizeof(want));
    assert_memory_equal(raw + 40, pos, sizeof(pos));
    assert_int_equal(raw[80], 0x5a);
}

static void test_parts_that_are_disabled(void **state)
{
    struct rig *r = *state;
    union xenkbd_in_event event;

    mock_store_set(r->mock, BACK "/feature-disable-pointer", "1");
    connect(r, true);
    input_abs(r->input, 1, 2, 0, 0);
    assert_int_equal(r->ps2_moves, 1); /* by the emulated mouse */
    input_key(r->input, KEY_A, true);
    assert_key(r, KEY_A, true);
    front_state(r, 5);
    front_state(r, 6);
    front_state(r, 1);
    memset(r->page, 0, 4096);
    mock_store_set(r->mock, BACK "/feature-disable-pointer", "0");
    mock_store_set(r->mock, BACK "/feature-disable-keyboard", "1");
    connect(r, true);
    input_key(r->input, KEY_A, true);
    assert_int_equal(r->ps2_keys, 1);
    input_abs(r->input, 3, 4, 0, 0);
    assert_true(next(r, &event));
    assert_int_equal(event.type, XENKBD_TYPE_POS);
}

static void test_toolstack_takes_it_away(void **state)
{
    struct rig *r = *state;

    connect(r, true);
    mock_store_set(r->mock, BACK "/online", "0");
    mock_store_set(r->mock, BACK "/state", "5");
    settle(r);
    front_state(r, 5);
    front_state(r, 6);
    assert_back(r, "state", "6");
    mock_store_remove(r->mock, BACK);
    settle(r);
    assert_int_equal(r->mock->mapped, 0);
    input_key(r->input, KEY_A, true);
    assert_int_equal(r->ps2_keys, 1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_features_are_published),
        T(test_keys_and_absolute_pointer),
        T(test_relative_pointer),
        T(test_page_by_frame_number),
        T(test_close_and_come_back),
        T(test_no_key_stays_down_when_it_closes),
        T(test_slow_guest_misses_movements_but_no_button),
        T(test_guest_that_stops_reading_gets_the_emulated_keyboard),
        T(test_nothing_is_written_while_the_machine_stands),
        T(test_wrong_nodes_are_refused),
        T(test_cve_2015_8550_hostile_indexes),
        T(test_cve_2017_10911_events_hold_nothing_else),
        T(test_parts_that_are_disabled),
        T(test_toolstack_takes_it_away),
    };

    return cmocka_run_group_tests_name("vkbd", tests, NULL, NULL);
}
