/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The keyboard: commands, the three scan code sets, and keys that must not stick. */
#include "tests/harness/tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dm/savefile.h"
#include "tests/hw/ps2/testps2.h"

static struct testps2 t;
static char text[1024];

/* Untranslated unless a test says otherwise. */
static int setup(void **state)
{
    testps2_init(&t);
    return 0;
}

static int teardown(void **state)
{
    testps2_fini(&t);
    return 0;
}

static const char *sent(void)
{
    return drain(&t, text, sizeof(text));
}

/* What a press and release of one key look like, with a stroke between them. */
static const char *stroke(uint16_t code)
{
    static char both[128];
    const char *down;

    key(&t, code, true);
    down = sent();
    strcpy(both, down);
    strcat(both, " /");
    key(&t, code, false);
    if (*sent()) {
        strcat(both, " ");
        strcat(both, text);
    }
    return both;
}

static const char *command(uint8_t byte)
{
    data(&t, byte);
    return sent();
}

static void test_commands(void **state)
{
    assert_string_equal(command(0xee), "ee");
    assert_string_equal(command(0xf2), "fa ab 83");
    assert_string_equal(command(0xff), "fa aa");
    assert_string_equal(command(0xf3), "fa");
    assert_string_equal(command(0x20), "fa");
    assert_string_equal(command(0xf6), "fa");
    assert_string_equal(command(0xf5), "fa");
    assert_string_equal(command(0xf4), "fa");
    for (unsigned all = 0xf7; all <= 0xfa; all++)
        assert_string_equal(command((uint8_t)all), "fa");
    for (unsigned one = 0xfb; one <= 0xfd; one++) {
        assert_string_equal(command((uint8_t)one), "fa");
        assert_string_equal(command(0x1c), "fa");
        assert_string_equal(command(0x8b), "fa"); /* a key too, not a command */
        assert_string_equal(command(0xee), "ee");
    }
    assert_string_equal(command(0x00), "fe");
    assert_string_equal(command(0xe0), "fe");
    assert_string_equal(command(0xef), "fe");
    assert_string_equal(command(0xf1), "fe");
}

static void test_resend(void **state)
{
    key(&t, KEY_A, true);
    assert_string_equal(sent(), "1c");
    assert_string_equal(command(0xfe), "1c");
    assert_string_equal(command(0xfe), "1c");
}

static void test_argument_given_up_for_a_command(void **state)
{
    assert_string_equal(command(0xed), "fa");
    assert_string_equal(command(0xf2), "fa ab 83");
    assert_string_equal(command(0x02), "fe");
    assert_int_equal(input_leds(t.input), 0);
}

static void test_leds_reach_the_viewer(void **state)
{
    command(0xed);
    assert_string_equal(command(0x05), "fa");
    assert_int_equal(input_leds(t.input), INPUT_LED_CAPS | INPUT_LED_SCROLL);
    assert_null(machine_save_load(&t.m));
    assert_int_equal(input_leds(t.input), INPUT_LED_CAPS | INPUT_LED_SCROLL);
    command(0xff);
    assert_int_equal(input_leds(t.input), 0);
}

static void test_set_2(void **state)
{
    assert_string_equal(stroke(KEY_A), "1c / f0 1c");
    assert_string_equal(stroke(KEY_F7), "83 / f0 83");
    assert_string_equal(stroke(KEY_RIGHTCTRL), "e0 14 / e0 f0 14");
    assert_string_equal(stroke(KEY_UP), "e0 75 / e0 f0 75");
    assert_string_equal(stroke(KEY_PAUSE), "e1 14 77 e1 f0 14 f0 77 /");
    assert_string_equal(stroke(KEY_SYSRQ), "e0 12 e0 7c / e0 f0 7c e0 f0 12");
    assert_string_equal(stroke(KEY_HANGEUL), "f2 /");
    assert_string_equal(stroke(KEY_HANJA), "f1 /");
    assert_string_equal(stroke(KEY_MUTE), "e0 23 / e0 f0 23");
    assert_string_equal(stroke(KEY_LEFTMETA), "e0 1f / e0 f0 1f");
    assert_string_equal(stroke(KEY_102ND), "61 / f0 61");
    assert_string_equal(stroke(KEY_KATAKANAHIRAGANA), "13 / f0 13");
    assert_string_equal(stroke(0x2ff), " /"); /* no such key */
}

static void test_modified_pause_and_print(void **state)
{
    key(&t, KEY_LEFTCTRL, true);
    sent();
    assert_string_equal(stroke(KEY_PAUSE), "e0 7e e0 f0 7e /");
    key(&t, KEY_LEFTCTRL, false);
    key(&t, KEY_LEFTALT, true);
    sent();
    key(&t, KEY_SYSRQ, true);
    assert_string_equal(sent(), "84");
    key(&t, KEY_LEFTALT, false);
    sent();
    key(&t, KEY_SYSRQ, false); /* released as what it was pressed as */
    assert_string_equal(sent(), "f0 84");
}

static void test_set_1(void **state)
{
    assert_string_equal(command(0xf0), "fa");
    assert_string_equal(command(0x01), "fa");
    assert_string_equal(stroke(KEY_A), "1e / 9e");
    assert_string_equal(stroke(KEY_F7), "41 / c1");
    assert_string_equal(stroke(KEY_F11), "57 / d7");
    assert_string_equal(stroke(KEY_RIGHTCTRL), "e0 1d / e0 9d");
    assert_string_equal(stroke(KEY_PAUSE), "e1 1d 45 e1 9d c5 /");
    assert_string_equal(stroke(KEY_SYSRQ), "e0 2a e0 37 / e0 b7 e0 aa");
    assert_string_equal(stroke(KEY_KPASTERISK), "37 / b7");
    /* evdev's codes up to F10 and more are those of set 1: a second source for the whole table */
    for (uint16_t code = KEY_ESC; code <= KEY_KPDOT; code++) {
        char want[32];

        snprintf(want, sizeof(want), "%02x / %02x", code, code | 0x80);
        assert_string_equal(stroke(code), want);
    }
}

static void test_set_3(void **state)
{
    command(0xf0);
    assert_string_equal(command(0x03), "fa");
    assert_string_equal(stroke(KEY_A), "1c /");
    assert_string_equal(stroke(KEY_LEFTSHIFT), "12 / f0 12");
    assert_string_equal(stroke(KEY_UP), "63 /");
    assert_string_equal(stroke(KEY_PAUSE), "62 /");
    assert_string_equal(stroke(KEY_F1), "07 /");
    assert_string_equal(stroke(KEY_MUTE), " /"); /* a key that set 3 does not have */
    command(0xf8);
    assert_string_equal(stroke(KEY_A), "1c / f0 1c");
    assert_string_equal(stroke(KEY_SYSRQ), "57 / f0 57");
    key(&t, KEY_B, true);
    assert_string_equal(sent(), "32");
    key(&t, KEY_B, true); /* make/break keys do not repeat */
    assert_string_equal(sent(), "");
    key(&t, KEY_B, false);
    sent();
    command(0xfd);
    command(0x1c);
    assert_string_equal(stroke(KEY_A), "1c /");
    assert_string_equal(stroke(KEY_B), "32 / f0 32");
    command(0xf6);
    assert_string_equal(stroke(KEY_A), "1c / f0 1c"); /* defaults: set 2 */
}

/* T-KBC-8 */
static void test_set_query_and_its_translation(void **state)
{
    static const char *raw[3] = {"fa 01", "fa 02", "fa 03"};
    static const char *translated[3] = {"fa 43", "fa 41", "fa 3f"};

    for (uint8_t set = 1; set <= 3; set++) {
        cmd1(&t, 0x60, 0x03);
        command(0xf0);
        command(set);
        command(0xf0);
        assert_string_equal(command(0x00), raw[set - 1]);
        cmd1(&t, 0x60, 0x43);
        command(0xf0);
        assert_string_equal(command(0x00), translated[set - 1]);
    }
    assert_string_equal(command(0xf2), "fa ab 41");
    command(0xf0);
    assert_string_equal(command(0x04), "fe");
}

static void test_translation_of_keys(void **state)
{
    cmd1(&t, 0x60, 0x43);
    assert_string_equal(stroke(KEY_A), "1e / 9e");
    assert_string_equal(stroke(KEY_F7), "41 / c1");
    assert_string_equal(stroke(KEY_UP), "e0 48 / e0 c8");
    assert_string_equal(stroke(KEY_PAUSE), "e1 1d 45 e1 9d c5 /");
    assert_string_equal(stroke(KEY_SYSRQ), "e0 2a e0 37 / e0 b7 e0 aa");
    for (uint16_t code = KEY_ESC; code <= KEY_KPDOT; code++) {
        char want[32];

        snprintf(want, sizeof(want), "%02x / %02x", code, code | 0x80);
        assert_string_equal(stroke(code), want);
    }
}

/* Microsoft "Keyboard Scan Code Specification": what Windows and Linux know them by. */
static void test_multimedia_keys(void **state)
{
    static const struct {
        uint16_t key;
        uint8_t set1;
    } keys[] = {
        {KEY_NEXTSONG, 0x19},   {KEY_PREVIOUSSONG, 0x10}, {KEY_STOPCD, 0x24},
        {KEY_PLAYPAUSE, 0x22},  {KEY_MUTE, 0x20},         {KEY_VOLUMEUP, 0x30},
        {KEY_VOLUMEDOWN, 0x2e}, {KEY_MEDIA, 0x6d},        {KEY_MAIL, 0x6c},
        {KEY_CALC, 0x21},       {KEY_COMPUTER, 0x6b},     {KEY_SEARCH, 0x65},
        {KEY_HOMEPAGE, 0x32},   {KEY_BACK, 0x6a},         {KEY_FORWARD, 0x69},
        {KEY_STOP, 0x68},       {KEY_REFRESH, 0x67},      {KEY_BOOKMARKS, 0x66},
        {KEY_POWER, 0x5e},      {KEY_SLEEP, 0x5f},        {KEY_WAKEUP, 0x63},
        {KEY_LEFTMETA, 0x5b},   {KEY_RIGHTMETA, 0x5c},    {KEY_COMPOSE, 0x5d},
    };

    cmd1(&t, 0x60, 0x43);
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        char want[32];

        snprintf(want, sizeof(want), "e0 %02x / e0 %02x", keys[i].set1, keys[i].set1 | 0x80);
        assert_string_equal(stroke(keys[i].key), want);
    }
}

/* The viewer repeats, not we. */
static void test_repeated_presses_pass(void **state)
{
    key(&t, KEY_A, true);
    key(&t, KEY_A, true);
    key(&t, KEY_A, true);
    key(&t, KEY_A, false);
    assert_string_equal(sent(), "1c 1c 1c f0 1c");
    machine_advance(&t.m, 5000000000);
    assert_string_equal(sent(), "");
    key(&t, KEY_PAUSE, true);
    sent();
    key(&t, KEY_PAUSE, true);
    assert_string_equal(sent(), "");
}

/* T-KBC-2: the queue is full of keys; each command is answered all the same, and first. */
static void test_ack_with_a_full_queue(void **state)
{
    for (int i = 0; i < 200; i++) {
        key(&t, KEY_HOME, true);
        key(&t, KEY_HOME, false);
    }
    assert_int_equal(get(&t), 0xe0);
    data(&t, 0xf2);
    assert_int_equal(get(&t), 0xfa);
    assert_int_equal(get(&t), 0xab);
    assert_int_equal(get(&t), 0x83);
    /* The sequence that was cut begins anew. */
    assert_int_equal(get(&t), 0xe0);
    assert_int_equal(get(&t), 0x6c);
    data(&t, 0xff);
    assert_string_equal(sent(), "fa aa");
}

/* Overflow drops whole keys, and no key stays down. */
static void test_overflow_leaves_no_key_stuck(void **state)
{
    uint8_t down[256] = {0};
    bool released = false;
    int byte;

    for (int round = 0; round < 10; round++) {
        for (uint16_t k = KEY_Q; k <= KEY_P; k++)
            key(&t, k, true);
        for (uint16_t k = KEY_Q; k <= KEY_P; k++)
            key(&t, k, false);
    }
    while ((byte = get(&t)) != NOTHING) {
        if (byte == 0xf0) {
            assert_false(released);
            released = true;
        } else {
            down[byte] = !released;
            released = false;
        }
    }
    for (unsigned i = 0; i < 256; i++)
        assert_int_equal(down[i], 0);
}

static void test_scanning_off_drops_keys_but_not_releases(void **state)
{
    key(&t, KEY_LEFTSHIFT, true);
    assert_string_equal(sent(), "12");
    assert_string_equal(command(0xf5), "fa");
    key(&t, KEY_A, true);
    key(&t, KEY_LEFTSHIFT, false);
    assert_string_equal(sent(), "");
    assert_string_equal(command(0xf4), "fa f0 12");
    key(&t, KEY_A, false); /* its press was never told */
    assert_string_equal(sent(), "");
    assert_string_equal(stroke(KEY_A), "1c / f0 1c");
}

/* T-KBC-7: a viewer vanishes */
static void test_release_all(void **state)
{
    key(&t, KEY_LEFTCTRL, true);
    key(&t, KEY_LEFTALT, true);
    assert_string_equal(sent(), "14 11");
    input_release_all(t.input);
    sent();
    assert_non_null(strstr(text, "f0 14"));
    assert_non_null(strstr(text, "f0 11"));
}

static void test_keys_held_over_save_and_load(void **state)
{
    key(&t, KEY_LEFTSHIFT, true);
    key(&t, KEY_B, true);
    assert_int_equal(get(&t), 0x12);
    assert_null(machine_save_load(&t.m));
    assert_string_equal(sent(), "32");
    key(&t, KEY_B, false);
    key(&t, KEY_LEFTSHIFT, false);
    assert_string_equal(sent(), "f0 32 f0 12");
}

/* Restored elsewhere, where nobody holds the key: it comes up. */
static void test_keys_of_another_host_come_up(void **state)
{
    key(&t, KEY_LEFTSHIFT, true);
    assert_string_equal(sent(), "12");
    assert_null(machine_save_load(&t.m));
    assert_string_equal(sent(), "");
    {
        /* The other host's hub knows of no key: what ours would say after a release that this
         * keyboard has not heard of. */
        struct testps2 other;
        void *buf;
        size_t len;
        char err[SAVEFILE_ERROR_MAX];

        assert_int_equal(savefile_encode(t.m.env.arena, &buf, &len), 0);
        testps2_init(&other);
        assert_int_equal(savefile_decode(other.m.env.arena, buf, len, err), 0);
        device_loaded_all(other.m.env.devices);
        assert_string_equal(drain(&other, text, sizeof(text)), "f0 12");
        testps2_fini(&other);
        free(buf);
    }
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_commands),
        T(test_resend),
        T(test_argument_given_up_for_a_command),
        T(test_leds_reach_the_viewer),
        T(test_set_2),
        T(test_modified_pause_and_print),
        T(test_set_1),
        T(test_set_3),
        T(test_set_query_and_its_translation),
        T(test_translation_of_keys),
        T(test_multimedia_keys),
        T(test_repeated_presses_pass),
        T(test_ack_with_a_full_queue),
        T(test_overflow_leaves_no_key_stuck),
        T(test_scanning_off_drops_keys_but_not_releases),
        T(test_release_all),
        T(test_keys_held_over_save_and_load),
        T(test_keys_of_another_host_come_up),
    };

    return cmocka_run_group_tests_name("ps2 keyboard", tests, NULL, NULL);
}
