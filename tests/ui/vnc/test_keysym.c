/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Symbols to keys: layouts, shifts that are bent, locks that are matched, releases that fit. */
#include <linux/input-event-codes.h>
#include <stdio.h>
#include <string.h>
#include <xkbcommon/xkbcommon-keysyms.h>

#include "tests/harness/tap.h"
#include "ui/input.h"
#include "ui/vnc/keysym.h"

struct keyboard {
    struct keymap *keymap;
    struct keysym_state state;
    uint32_t leds;
    char text[200]; /* "+30 -30 " */
};

static void emit(void *opaque, uint16_t code, bool down)
{
    struct keyboard *k = opaque;
    size_t n = strlen(k->text);

    snprintf(k->text + n, sizeof(k->text) - n, "%c%u ", down ? '+' : '-', code);
}

static void begin(struct keyboard *k, const char *layout)
{
    memset(k, 0, sizeof(*k));
    assert_int_equal(keymap_create(&k->keymap, layout), 0);
}

static const char *key(struct keyboard *k, uint32_t keysym, bool down)
{
    k->text[0] = '\0';
    keymap_key(k->keymap, &k->state, keysym, down, &k->leds, emit, k);
    return k->text;
}

/* Pressed and let go; what came of the press. */
static const char *typed(struct keyboard *k, uint32_t keysym)
{
    static char text[200];

    strcpy(text, key(k, keysym, true));
    key(k, keysym, false);
    return text;
}

static void test_us(void **state)
{
    struct keyboard k;

    begin(&k, "en-us");
    assert_string_equal(key(&k, 'a', true), "+30 ");
    assert_string_equal(key(&k, 'a', true), "+30 "); /* it repeats */
    assert_string_equal(key(&k, 'a', false), "-30 ");
    assert_string_equal(key(&k, 'a', false), "");
    assert_string_equal(typed(&k, XKB_KEY_Return), "+28 ");
    assert_string_equal(typed(&k, XKB_KEY_KP_Enter), "+96 ");
    assert_string_equal(typed(&k, XKB_KEY_Super_L), "+125 ");
    assert_string_equal(typed(&k, XKB_KEY_Meta_L), "+125 ");
    assert_string_equal(typed(&k, XKB_KEY_Print), "+99 ");
    assert_string_equal(typed(&k, XKB_KEY_Pause), "+119 ");
    assert_string_equal(typed(&k, XKB_KEY_F12), "+88 ");
    assert_string_equal(typed(&k, 0x01000000 + 'x'), "+45 "); /* as Unicode */
    assert_string_equal(typed(&k, 0x0123456), "");            /* nowhere */
    keymap_destroy(k.keymap);
}

/* Every layout that the command line knows is one of the system's. */
static void test_layouts(void **state)
{
    static const char *const names[] = {
        "ar", "bepo",  "cz",    "da",    "de",    "de-ch", "en-gb", "en-us", "es", "et", "fi", "fo",
        "fr", "fr-be", "fr-ca", "fr-ch", "hr",    "hu",    "is",    "it",    "ja", "lt", "lv", "mk",
        "nl", "no",    "pl",    "pt",    "pt-br", "ru",    "sl",    "sv",    "th", "tr",
    };
    struct keyboard k;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        begin(&k, names[i]);
        assert_string_equal(typed(&k, ' '), "+57 ");
        assert_string_not_equal(typed(&k, 'a'), ""); /* if need be, from the US layout */
        keymap_destroy(k.keymap);
    }
    assert_int_not_equal(keymap_create(&k.keymap, "no-such"), 0);
}

static void test_other_layouts(void **state)
{
    struct keyboard k;

    begin(&k, "de");
    assert_string_equal(typed(&k, 'z'), "+21 ");
    assert_string_equal(typed(&k, XKB_KEY_adiaeresis), "+40 ");
    assert_string_equal(typed(&k, '@'), "+100 +16 -100 "); /* AltGr + Q */
    keymap_destroy(k.keymap);
    begin(&k, "fr");
    assert_string_equal(typed(&k, 'a'), "+16 ");
    assert_string_equal(typed(&k, '1'), "+42 +2 -42 ");
    keymap_destroy(k.keymap);
    begin(&k, "ru");
    assert_string_equal(typed(&k, XKB_KEY_Cyrillic_ef), "+30 ");
    keymap_destroy(k.keymap);
}

static void test_shift_is_bent(void **state)
{
    struct keyboard k;

    begin(&k, "en-us");
    assert_string_equal(typed(&k, '!'), "+42 +2 -42 ");
    key(&k, XKB_KEY_Shift_R, true);
    assert_string_equal(typed(&k, '!'), "+2 ");
    assert_string_equal(typed(&k, '1'), "-54 +2 +54 ");
    assert_string_equal(typed(&k, XKB_KEY_Escape), "+1 ");
    assert_string_equal(typed(&k, XKB_KEY_ISO_Left_Tab), "+15 ");
    keymap_destroy(k.keymap);
}

/* T-VNC-2: shift is let go first, so the release comes under another symbol. */
static void test_release_of_another_symbol(void **state)
{
    struct keyboard k;

    begin(&k, "en-us");
    key(&k, XKB_KEY_Shift_L, true);
    assert_string_equal(key(&k, '!', true), "+2 ");
    assert_string_equal(key(&k, XKB_KEY_Shift_L, false), "-42 ");
    assert_string_equal(key(&k, '1', false), "");
    assert_string_equal(key(&k, '!', false), "-2 ");
    keymap_destroy(k.keymap);
}

/* T-VNC-6: Caps Lock was pressed in another window. */
static void test_locks(void **state)
{
    struct keyboard k;

    begin(&k, "en-us");
    assert_string_equal(typed(&k, 'A'), "+58 -58 +30 ");
    assert_int_equal(k.leds, INPUT_LED_CAPS);
    assert_string_equal(typed(&k, 'B'), "+48 ");
    assert_string_equal(typed(&k, 'a'), "+58 -58 +30 ");
    key(&k, XKB_KEY_Shift_L, true);
    assert_string_equal(typed(&k, 'A'), "+30 ");
    key(&k, XKB_KEY_Shift_L, false);
    assert_string_equal(typed(&k, XKB_KEY_KP_7), "+69 -69 +71 ");
    assert_string_equal(typed(&k, XKB_KEY_KP_8), "+72 ");
    assert_string_equal(typed(&k, XKB_KEY_KP_Home), "+69 -69 +71 ");
    assert_int_equal(k.leds, 0);
    keymap_destroy(k.keymap);
}

static void test_bounds(void **state)
{
    struct keyboard k;
    char *p;
    int downs = 0, ups = 0;

    begin(&k, "en-us");
    for (uint32_t s = ' '; s < 127; s++)
        key(&k, s, true);
    assert_in_range(k.state.count, 1, KEYSYMS_DOWN_MAX);
    k.text[0] = '\0';
    keysym_release_all(&k.state, emit, &k);
    assert_int_equal(k.state.count, 0);
    for (p = k.text; *p; p++) {
        downs += *p == '+';
        ups += *p == '-';
    }
    assert_int_equal(downs, 0);
    assert_in_range(ups, 1, KEYSYMS_DOWN_MAX);
    keymap_destroy(k.keymap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_us),
        cmocka_unit_test(test_layouts),
        cmocka_unit_test(test_other_layouts),
        cmocka_unit_test(test_shift_is_bent),
        cmocka_unit_test(test_release_of_another_symbol),
        cmocka_unit_test(test_locks),
        cmocka_unit_test(test_bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
