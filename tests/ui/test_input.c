/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The input hub, and the names of keys. */
#include <errno.h>
#include <linux/input-event-codes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "ui/input.h"
#include "ui/keys.h"

struct recorder {
    struct input_sink sink;
    unsigned keys, rels, abses;
    uint16_t code;
    bool down;
    int32_t dx, dy, dz;
    uint16_t x, y;
    uint32_t buttons;
};

static void on_key(void *opaque, uint16_t code, bool down)
{
    struct recorder *r = opaque;

    r->keys++;
    r->code = code;
    r->down = down;
}

static void on_rel(void *opaque, int32_t dx, int32_t dy, int32_t dz, uint32_t buttons)
{
    struct recorder *r = opaque;

    r->rels++;
    r->dx = dx;
    r->dy = dy;
    r->dz = dz;
    r->buttons = buttons;
}

static void on_abs(void *opaque, uint16_t x, uint16_t y, int32_t dz, uint32_t buttons)
{
    struct recorder *r = opaque;

    r->abses++;
    r->x = x;
    r->y = y;
    r->dz = dz;
    r->buttons = buttons;
}

static void add_keyboard(struct input *input, struct recorder *r)
{
    *r = (struct recorder){.sink = {.name = "keyboard", .key = on_key, .opaque = r}};
    input_sink_add(input, &r->sink);
}

static void add_mouse(struct input *input, struct recorder *r)
{
    *r = (struct recorder){.sink = {.name = "mouse", .rel = on_rel, .opaque = r}};
    input_sink_add(input, &r->sink);
}

static void add_tablet(struct input *input, struct recorder *r)
{
    *r = (struct recorder){.sink = {.name = "tablet", .abs = on_abs, .opaque = r}};
    input_sink_add(input, &r->sink);
}

static struct input *input;

static int setup(void **state)
{
    return input_create(&input);
}

static int teardown(void **state)
{
    input_destroy(input);
    return 0;
}

static void test_events_without_a_sink_are_dropped(void **state)
{
    input_key(input, KEY_A, true);
    input_rel(input, 1, 2, 3, 1);
    input_abs(input, 1, 2, 3, 1);
    input_release_all(input);
    assert_false(input_key_is_down(input, KEY_A));
    assert_false(input_wants_abs(input));
}

static void test_keys(void **state)
{
    struct recorder r;

    add_keyboard(input, &r);
    input_key(input, KEY_A, true);
    assert_true(r.down && r.code == KEY_A && input_key_is_down(input, KEY_A));
    input_key(input, KEY_A, true); /* repeated */
    assert_int_equal(r.keys, 2);
    input_key(input, KEY_A, false);
    assert_false(r.down);
    input_key(input, KEY_A, false); /* up already */
    assert_int_equal(r.keys, 3);
    input_key(input, INPUT_KEY_COUNT, true);
    input_key(input, 0xffff, true);
    assert_int_equal(r.keys, 3);
    assert_false(input_key_is_down(input, 0xffff));
}

static void test_vanished_viewer_leaves_nothing_down(void **state)
{
    struct recorder keyboard, mouse;

    add_keyboard(input, &keyboard);
    add_mouse(input, &mouse);
    input_key(input, KEY_LEFTCTRL, true);
    input_key(input, KEY_RIGHTALT, true);
    input_rel(input, 0, 0, 0, INPUT_BUTTON_LEFT);
    input_release_all(input);
    assert_int_equal(keyboard.keys, 4);
    assert_false(keyboard.down);
    assert_int_equal(mouse.rels, 2);
    assert_int_equal(mouse.buttons, 0);
    input_release_all(input);
    assert_int_equal(keyboard.keys, 4);
    assert_int_equal(mouse.rels, 2);
}

static void test_last_active_sink_gets_events(void **state)
{
    struct recorder first, second;

    add_keyboard(input, &first);
    add_keyboard(input, &second);
    input_key(input, KEY_B, true);
    assert_int_equal(first.keys, 0);
    assert_int_equal(second.keys, 1);
    input_sink_activate(input, &second.sink, false);
    assert_int_equal(second.keys, 2); /* what it held is released there */
    assert_false(second.down);
    input_key(input, KEY_B, false);
    assert_int_equal(first.keys, 0);
    input_key(input, KEY_B, true);
    assert_int_equal(first.keys, 1);
    input_sink_remove(input, &first.sink);
    input_key(input, KEY_C, true);
    assert_int_equal(first.keys, 2); /* only the release of its removal */
}

static void test_mouse_gets_differences_of_absolute_positions(void **state)
{
    struct recorder mouse;

    add_mouse(input, &mouse);
    input_set_screen(input, 1024, 768);
    input_abs(input, 0, 0, 0, 0);
    assert_true(mouse.dx == 0 && mouse.dy == 0);
    input_abs(input, 0x4000, 0x4000, 1, INPUT_BUTTON_LEFT);
    assert_int_equal(mouse.dx, 512);
    assert_int_equal(mouse.dy, 384);
    assert_int_equal(mouse.dz, 1);
    assert_int_equal(mouse.buttons, INPUT_BUTTON_LEFT);
    /* Small steps add up to the same. */
    int32_t sum = 0;
    for (uint16_t x = 0x4000; x > 0; x -= 0x20) {
        input_abs(input, x, 0x4000, 0, 0);
        sum += mouse.dx;
    }
    input_abs(input, 0, 0x4000, 0, 0);
    assert_int_equal(sum + mouse.dx, -512);
    input_abs(input, 0xffff, 0xffff, 0, 0xffffffff); /* clamped */
    assert_int_equal(mouse.dx, 1023);
    assert_int_equal(mouse.buttons, INPUT_BUTTON_ALL);
}

static void test_tablet_takes_relative_movement(void **state)
{
    struct recorder mouse, tablet;

    add_mouse(input, &mouse);
    add_tablet(input, &tablet);
    assert_true(input_wants_abs(input));
    input_abs(input, 100, 200, 0, 0);
    assert_int_equal(mouse.rels, 0);
    assert_true(tablet.x == 100 && tablet.y == 200);
    input_set_screen(input, 640, 480);
    input_rel(input, INT32_MAX, INT32_MIN, 0, 0);
    assert_true(tablet.x == INPUT_ABS_MAX && tablet.y == 0);
    input_sink_activate(input, &tablet.sink, false);
    assert_false(input_wants_abs(input));
    input_rel(input, 3, 4, 0, 0);
    assert_int_equal(mouse.dx, 3);
}

static void test_screen_of_no_size_is_ignored(void **state)
{
    struct recorder tablet;

    add_tablet(input, &tablet);
    input_set_screen(input, 0, 0);
    input_rel(input, 1, 1, 0, 0);
    assert_int_equal(tablet.abses, 1);
}

static uint32_t lamps;
static unsigned lamp_calls;

static void on_leds(void *opaque, uint32_t leds)
{
    lamps = leds;
    lamp_calls++;
}

static void test_lamps(void **state)
{
    struct input_led_watch watch = {.leds = on_leds};

    input_set_leds(input, INPUT_LED_NUM);
    lamp_calls = 0;
    input_led_watch_add(input, &watch);
    assert_int_equal(lamps, INPUT_LED_NUM);
    input_set_leds(input, INPUT_LED_NUM);
    assert_int_equal(lamp_calls, 1); /* no change, no call */
    input_set_leds(input, INPUT_LED_CAPS);
    assert_int_equal(lamps, INPUT_LED_CAPS);
    input_led_watch_remove(input, &watch);
    input_set_leds(input, 0);
    assert_int_equal(lamps, INPUT_LED_CAPS);
    assert_int_equal(input_leds(input), 0);
}

static bool told_absolute;
static unsigned pointer_calls;

static void on_pointer(void *opaque, bool absolute)
{
    told_absolute = absolute;
    pointer_calls++;
}

static void test_kind_of_pointer(void **state)
{
    struct input_led_watch watch = {.leds = on_leds, .pointer = on_pointer};
    struct recorder tablet;

    pointer_calls = 0;
    input_led_watch_add(input, &watch);
    add_tablet(input, &tablet);
    assert_int_equal(pointer_calls, 1);
    assert_true(told_absolute);
    input_sink_activate(input, &tablet.sink, true); /* no change, no call */
    assert_int_equal(pointer_calls, 1);
    input_sink_activate(input, &tablet.sink, false);
    assert_int_equal(pointer_calls, 2);
    assert_false(told_absolute);
    input_led_watch_remove(input, &watch);
    input_sink_activate(input, &tablet.sink, true);
    assert_int_equal(pointer_calls, 2);
    input_sink_remove(input, &tablet.sink);
}

/* ---- names ----------------------------------------------------------------------------------- */

static void test_key_names(void **state)
{
    assert_int_equal(key_from_qcode("ctrl"), KEY_LEFTCTRL);
    assert_int_equal(key_from_qcode("alt_r"), KEY_RIGHTALT);
    assert_int_equal(key_from_qcode("delete"), KEY_DELETE);
    assert_int_equal(key_from_qcode("f12"), KEY_F12);
    assert_int_equal(key_from_qcode("ret"), KEY_ENTER);
    assert_int_equal(key_from_qcode("pause"), KEY_PAUSE);
    assert_int_equal(key_from_qcode("no such key"), -ENOENT);
    assert_int_equal(key_from_qcode(""), -ENOENT);
    assert_null(key_qcode(0));
    assert_null(key_qcode(0xffff));
    assert_string_equal(key_qcode(KEY_KPASTERISK), "kp_multiply");
}

static void test_key_names_go_both_ways(void **state)
{
    unsigned names = 0;

    for (unsigned code = 0; code < INPUT_KEY_COUNT; code++) {
        const char *name = key_qcode((uint16_t)code);
        if (!name)
            continue;
        names++;
        assert_int_equal(key_from_qcode(name), code);
    }
    assert_in_range(names, 130, 200);
}

static void test_pc_numbers(void **state)
{
    for (uint32_t n = 1; n <= 0x53; n++) /* where set 1 and evdev agree */
        assert_int_equal(key_from_pc_number(n), (int)n);
    assert_int_equal(key_from_pc_number(0x9d), KEY_RIGHTCTRL);
    assert_int_equal(key_from_pc_number(0xc8), KEY_UP);
    assert_int_equal(key_from_pc_number(0xdb), KEY_LEFTMETA);
    assert_int_equal(key_from_pc_number(0), -ENOENT);
    assert_int_equal(key_from_pc_number(0xff), -ENOENT);
    assert_int_equal(key_from_pc_number(UINT32_MAX), -ENOENT);
    /* No number names two keys. */
    for (uint32_t n = 1; n < 256; n++) {
        int code = key_from_pc_number(n);
        for (uint32_t m = 1; code >= 0 && code != KEY_SYSRQ && m < n; m++)
            assert_int_not_equal(key_from_pc_number(m), code);
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_events_without_a_sink_are_dropped),
        TEST(test_keys),
        TEST(test_vanished_viewer_leaves_nothing_down),
        TEST(test_last_active_sink_gets_events),
        TEST(test_mouse_gets_differences_of_absolute_positions),
        TEST(test_tablet_takes_relative_movement),
        TEST(test_screen_of_no_size_is_ignored),
        TEST(test_lamps),
        TEST(test_kind_of_pointer),
        cmocka_unit_test(test_key_names),
        cmocka_unit_test(test_key_names_go_both_ways),
        cmocka_unit_test(test_pc_numbers),
    };

    return cmocka_run_group_tests_name("input", tests, NULL, NULL);
}
