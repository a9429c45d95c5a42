/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The mouse: commands, the knocks of the wheel, packets that are never cut. */
#include "tests/harness/tap.h"

#include <string.h>

#include "tests/hw/ps2/testps2.h"

static struct testps2 t;
static char text[512];

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

static const char *command(uint8_t byte)
{
    aux(&t, byte);
    return sent();
}

static void rates(uint8_t a, uint8_t b, uint8_t c)
{
    const uint8_t rate[3] = {a, b, c};

    for (unsigned i = 0; i < 3; i++) {
        assert_string_equal(command(0xf3), "fa");
        assert_string_equal(command(rate[i]), "fa");
    }
}

static void move(int dx, int dy, int dz, uint32_t buttons)
{
    input_rel(t.input, dx, dy, dz, buttons);
}

static void test_commands(void **state)
{
    assert_string_equal(command(0xff), "fa aa 00");
    assert_string_equal(command(0xf2), "fa 00");
    assert_string_equal(command(0xe9), "fa 00 02 64");
    assert_string_equal(command(0xe8), "fa");
    assert_string_equal(command(0x03), "fa");
    assert_string_equal(command(0xe8), "fa");
    assert_string_equal(command(0x04), "fe");
    assert_string_equal(command(0xf3), "fa");
    assert_string_equal(command(40), "fa");
    assert_string_equal(command(0xe7), "fa");
    assert_string_equal(command(0xf4), "fa");
    assert_string_equal(command(0xe9), "fa 30 03 28");
    assert_string_equal(command(0xf6), "fa");
    assert_string_equal(command(0xe9), "fa 00 02 64");
    assert_string_equal(command(0xe6), "fa");
    assert_string_equal(command(0xea), "fa");
    assert_string_equal(command(0xeb), "fa 08 00 00");
    assert_string_equal(command(0xec), "fa");
    assert_string_equal(command(0xf5), "fa");
    assert_string_equal(command(0xe1), "fe");
    assert_string_equal(command(0x00), "fe");
    assert_string_equal(command(0xfe), "fe");
}

static void test_status_has_buttons_in_its_own_order(void **state)
{
    move(0, 0, 0, INPUT_BUTTON_LEFT);
    assert_string_equal(command(0xe9), "fa 04 02 64");
    move(0, 0, 0, INPUT_BUTTON_RIGHT);
    assert_string_equal(command(0xe9), "fa 01 02 64");
    move(0, 0, 0, INPUT_BUTTON_MIDDLE);
    assert_string_equal(command(0xe9), "fa 02 02 64");
}

static void test_movement_and_signs(void **state)
{
    command(0xf4);
    move(5, 3, 0, 0); /* right and down */
    assert_string_equal(sent(), "28 05 fd");
    move(-5, -3, 0, 0);
    assert_string_equal(sent(), "18 fb 03");
    move(0, 0, 0, INPUT_BUTTON_LEFT);
    assert_string_equal(sent(), "09 00 00");
    move(0, 0, 0, INPUT_BUTTON_RIGHT | INPUT_BUTTON_MIDDLE);
    assert_string_equal(sent(), "0e 00 00");
    move(0, 0, 0, INPUT_BUTTON_RIGHT | INPUT_BUTTON_MIDDLE);
    assert_string_equal(sent(), ""); /* nothing has changed */
}

static void test_interrupt_is_twelve(void **state)
{
    command(0xf4);
    move(1, 0, 0, 0);
    assert_true(t.m.isa[12]);
    assert_int_equal(status(&t) & 0x21, 0x21);
    sent();
    assert_false(t.m.isa[12]);
}

/* T-MSE-3 */
static void test_silent_while_off(void **state)
{
    move(5, 5, 0, 0);
    assert_string_equal(sent(), "");
    command(0xf4);
    assert_string_equal(sent(), "");
    move(1, 1, 0, 0);
    assert_int_equal(get_aux(&t), 0x28);
    aux(&t, 0xf5); /* in the middle of a packet: its rest is not sent */
    assert_string_equal(sent(), "fa");
    move(9, 9, 0, 1);
    assert_string_equal(sent(), "");
    command(0xf4);
    move(1, 0, 0, 1);
    assert_string_equal(sent(), "09 01 00");
    command(0xff);
    move(9, 9, 0, 0);
    assert_string_equal(sent(), "");
}

/* The wheel, as Windows and Linux find it; T-MSE-1 on sizes. */
static void test_intellimouse_knock(void **state)
{
    command(0xf4);
    move(0, 0, 3, 0); /* no wheel yet */
    assert_string_equal(sent(), "");
    rates(200, 100, 80);
    assert_string_equal(command(0xf2), "fa 03");
    move(1, 0, 0, 0);
    assert_string_equal(sent(), "08 01 00 00");
    move(0, 0, 1, 0); /* away from the user */
    assert_string_equal(sent(), "08 00 00 ff");
    move(0, 0, -2, 0);
    assert_string_equal(sent(), "08 00 00 02");
    move(0, 0, -10, 0); /* what a packet cannot hold follows */
    assert_string_equal(sent(), "08 00 00 07 08 00 00 03");
    assert_string_equal(command(0xf6), "fa"); /* keeps the id */
    assert_string_equal(command(0xf2), "fa 03");
    assert_string_equal(command(0xff), "fa aa 00");
    assert_string_equal(command(0xf2), "fa 00");
}

static void test_intellimouse_explorer_knock(void **state)
{
    rates(200, 100, 80);
    rates(200, 200, 80);
    assert_string_equal(command(0xf2), "fa 04");
    command(0xf4);
    move(1, 0, 0, 0);
    assert_string_equal(sent(), "08 01 00 00");
    move(0, 0, 1, INPUT_BUTTON_SIDE);
    assert_string_equal(sent(), "08 00 00 1f");
    move(0, 0, 0, INPUT_BUTTON_EXTRA);
    assert_string_equal(sent(), "08 00 00 20");
    rates(200, 100, 80);
    assert_string_equal(command(0xf2), "fa 03");
    rates(100, 100, 80); /* no knock */
    rates(200, 80, 100);
    assert_string_equal(command(0xf2), "fa 03");
}

/* T-MSE-2 */
static void test_large_movement_arrives_in_full(void **state)
{
    int x = 0, y = 0, b0;

    command(0xf4);
    move(1000, -700, 0, 0);
    while ((b0 = get_aux(&t)) != NOTHING) {
        int dx = get_aux(&t), dy = get_aux(&t);

        assert_int_equal(b0 & 0xc8, 0x08); /* no overflow bits */
        x += dx - (b0 & 0x10 ? 256 : 0);
        y += dy - (b0 & 0x20 ? 256 : 0);
    }
    assert_int_equal(x, 1000);
    assert_int_equal(y, 700);
}

static void test_extreme_movement_saturates(void **state)
{
    int packets = 0, b0;

    command(0xf4);
    rates(200, 100, 80);
    move(INT32_MAX, INT32_MIN, INT32_MIN, 0);
    move(INT32_MAX, INT32_MIN, INT32_MIN, 0);
    move(INT32_MIN, INT32_MAX, INT32_MAX, 1);
    while ((b0 = get_aux(&t)) != NOTHING) {
        get_aux(&t);
        get_aux(&t);
        get_aux(&t);
        packets++;
    }
    assert_in_range(packets, 500, 20000);
}

/* A guest that does not read for a while: few packets, every click in them. */
static void test_clicks_survive_a_slow_guest(void **state)
{
    int b0, clicks = 0, x = 0, was = 0;

    command(0xf4);
    for (int i = 0; i < 50; i++)
        move(1, 0, 0, 0);
    move(0, 0, 0, INPUT_BUTTON_LEFT);
    move(0, 0, 0, 0);
    move(10, 0, 0, 0);
    move(0, 0, 0, INPUT_BUTTON_LEFT);
    move(0, 0, 0, 0);
    while ((b0 = get_aux(&t)) != NOTHING) {
        x += get_aux(&t);
        get_aux(&t);
        if ((b0 & 1) && !was)
            clicks++;
        was = b0 & 1;
    }
    assert_int_equal(clicks, 2);
    assert_int_equal(was, 0);
    assert_int_equal(x, 60);
}

static void test_button_flood_is_bounded_and_ends_right(void **state)
{
    int b0, packets = 0, last = -1;

    command(0xf4);
    for (int i = 0; i < 1001; i++)
        move(0, 0, 0, i & 1 ? 0 : INPUT_BUTTON_LEFT);
    while ((b0 = get_aux(&t)) != NOTHING) {
        get_aux(&t);
        get_aux(&t);
        last = b0;
        packets++;
    }
    assert_in_range(packets, 2, 16);
    assert_int_equal(last & 1, 1);
}

static void test_packet_is_not_cut_by_a_command(void **state)
{
    command(0xf4);
    move(3, 0, 0, 0);
    move(4, 0, 0, 0);
    assert_int_equal(get_aux(&t), 0x08);
    aux(&t, 0xe8);
    assert_int_equal(get_aux(&t), 0xfa);
    assert_int_equal(get_aux(&t), 0x03); /* the rest of it follows the answer */
    assert_int_equal(get_aux(&t), 0x00);
    aux(&t, 0x02);
    assert_string_equal(sent(), "fa 08 04 00");
}

static void test_remote_mode(void **state)
{
    assert_string_equal(command(0xf0), "fa");
    move(2, 0, 0, 0);
    move(3, 0, 0, 0);
    assert_string_equal(sent(), "");
    assert_string_equal(command(0xeb), "fa 08 05 00");
    assert_string_equal(command(0xeb), "fa 08 00 00");
    assert_string_equal(command(0xe9), "fa 40 02 64");
    assert_string_equal(command(0xea), "fa");
    assert_string_equal(command(0xf4), "fa");
    move(1, 0, 0, 0);
    assert_string_equal(sent(), "08 01 00");
}

static void test_wrap_mode(void **state)
{
    assert_string_equal(command(0xee), "fa");
    assert_string_equal(command(0xf2), "f2");
    assert_string_equal(command(0x55), "55");
    assert_string_equal(command(0xec), "fa");
    assert_string_equal(command(0xf2), "fa 00");
    command(0xee);
    assert_string_equal(command(0xff), "fa aa 00");
    assert_string_equal(command(0xf2), "fa 00");
}

static void test_scaling_two_to_one(void **state)
{
    static const struct {
        int move;
        const char *want;
    } table[] = {{1, "08 01 00"}, {2, "08 01 00"}, {3, "08 03 00"},   {4, "08 06 00"},
                 {5, "08 09 00"}, {6, "08 0c 00"}, {100, "08 c8 00"}, {-4, "18 fa 00"}};

    command(0xe7);
    command(0xf4);
    for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        move(table[i].move, 0, 0, 0);
        assert_string_equal(sent(), table[i].want);
    }
    command(0xf0); /* not for what is asked for */
    move(4, 0, 0, 0);
    assert_string_equal(command(0xeb), "fa 08 04 00");
}

static void test_save_and_load_in_mid_packet(void **state)
{
    rates(200, 100, 80);
    command(0xf4);
    move(1, 2, 0, 0);
    assert_int_equal(get_aux(&t), 0x28);
    move(7, 0, 0, 1);
    assert_null(machine_save_load(&t.m));
    assert_string_equal(sent(), "01 fe 00 09 07 00 00");
    assert_string_equal(command(0xf2), "fa 03");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_commands),
        T(test_status_has_buttons_in_its_own_order),
        T(test_movement_and_signs),
        T(test_interrupt_is_twelve),
        T(test_silent_while_off),
        T(test_intellimouse_knock),
        T(test_intellimouse_explorer_knock),
        T(test_large_movement_arrives_in_full),
        T(test_extreme_movement_saturates),
        T(test_clicks_survive_a_slow_guest),
        T(test_button_flood_is_bounded_and_ends_right),
        T(test_packet_is_not_cut_by_a_command),
        T(test_remote_mode),
        T(test_wrap_mode),
        T(test_scaling_two_to_one),
        T(test_save_and_load_in_mid_packet),
    };

    return cmocka_run_group_tests_name("ps2 mouse", tests, NULL, NULL);
}
