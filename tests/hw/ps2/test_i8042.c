/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The controller: commands, priorities, interrupts, and the probes of firmware and drivers. */
#include "tests/harness/tap.h"

#include <stdlib.h>
#include <string.h>

#include "dm/savefile.h"
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

static void test_power_on(void **state)
{
    assert_int_equal(status(&t), 0x18);
    cmd(&t, 0x20);
    assert_int_equal(get(&t), 0x03);
    cmd(&t, 0xd0);
    assert_int_equal(get(&t), 0xcf);
    assert_false(t.m.isa[1] || t.m.isa[12]);
}

static void test_replies_of_the_controller(void **state)
{
    static const struct {
        uint8_t command, reply;
    } commands[] = {{0xa1, 0x00}, {0xa4, 0xf1}, {0xa9, 0x00}, {0xaa, 0x55},
                    {0xab, 0x00}, {0xc0, 0x80}, {0xe0, 0x00}};

    for (unsigned i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        cmd(&t, commands[i].command);
        assert_int_equal(status(&t) & 0x21, 0x01);
        assert_int_equal(get(&t), commands[i].reply);
        assert_int_equal(get(&t), NOTHING);
    }
    assert_int_equal(status(&t), 0x1c);
    cmd(&t, 0xac);
    cmd(&t, 0xff);
    cmd(&t, 0x00);
    assert_int_equal(get(&t), NOTHING);
    assert_int_equal(t.m.power[POWER_REBOOT], 0);
}

static void test_status_tells_command_from_data(void **state)
{
    cmd(&t, 0xae);
    assert_int_equal(status(&t) & 0x08, 0x08);
    cmd1(&t, 0x60, 0x03);
    assert_int_equal(status(&t) & 0x08, 0x00);
}

static void test_ram_and_command_byte(void **state)
{
    cmd1(&t, 0x60, 0x45);
    cmd(&t, 0x20);
    assert_int_equal(get(&t), 0x45);
    assert_int_equal(status(&t) & 0x04, 0x04);
    for (unsigned i = 1; i < 0x20; i++)
        cmd1(&t, (uint8_t)(0x60 + i), (uint8_t)(i * 3));
    for (unsigned i = 1; i < 0x20; i++) {
        cmd(&t, (uint8_t)(0x20 + i));
        assert_int_equal(get(&t), i * 3);
    }
    cmd(&t, 0x20);
    assert_int_equal(get(&t), 0x45);
}

static void test_ports_on_and_off(void **state)
{
    static const uint8_t want[4][2] = {{0xad, 0x10}, {0xae, 0x00}, {0xa7, 0x20}, {0xa8, 0x00}};

    for (unsigned i = 0; i < 4; i++) {
        cmd(&t, want[i][0]);
        cmd(&t, 0x20);
        assert_int_equal(get(&t) & 0x30, want[i][1]);
    }
    /* What comes while the port is off stays in the keyboard. */
    cmd(&t, 0xad);
    key(&t, KEY_A, true);
    assert_int_equal(get(&t), NOTHING);
    cmd(&t, 0xae);
    assert_int_equal(get(&t), 0x1c);
}

/* T-KBC-4 */
static void test_data_to_a_disabled_port_enables_it(void **state)
{
    cmd(&t, 0xad);
    data(&t, 0xf4);
    assert_int_equal(get(&t), 0xfa);
    cmd(&t, 0x20);
    assert_int_equal(get(&t) & 0x10, 0);
    cmd(&t, 0xa7);
    aux(&t, 0xf4);
    assert_int_equal(get_aux(&t), 0xfa);
    cmd(&t, 0x20);
    assert_int_equal(get(&t) & 0x20, 0);
}

static void test_interrupts_follow_the_state(void **state)
{
    cmd1(&t, 0x60, 0x00);
    key(&t, KEY_A, true);
    assert_int_equal(status(&t) & 1, 1);
    assert_false(t.m.isa[1]);
    cmd1(&t, 0x60, 0x01); /* at once, for the byte that is there already */
    assert_true(t.m.isa[1]);
    assert_false(t.m.isa[12]);
    assert_int_equal(get(&t), 0x1c);
    assert_false(t.m.isa[1]);
    cmd1(&t, 0x60, 0x03);
    aux(&t, 0xf4);
    assert_true(t.m.isa[12]);
    assert_false(t.m.isa[1]);
    cmd1(&t, 0x60, 0x01);
    assert_false(t.m.isa[12]);
    assert_int_equal(get_aux(&t), 0xfa);
}

/* T-KBC-1 */
static void test_replies_overtake_the_keyboard(void **state)
{
    for (uint16_t k = KEY_Q; k <= KEY_P; k++)
        key(&t, k, true);
    assert_int_equal(get(&t), 0x15);
    cmd(&t, 0xaa);
    assert_int_equal(get(&t), 0x55);
    assert_int_equal(get(&t), 0x1d);
    cmd(&t, 0x20); /* one that is in the buffer already is not taken back */
    machine_advance(&t.m, 1000000);
}

static void test_keyboard_goes_before_mouse(void **state)
{
    aux(&t, 0xf4);
    assert_int_equal(get_aux(&t), 0xfa);
    cmd(&t, 0xad);
    cmd(&t, 0xa7);
    input_rel(t.input, 1, 0, 0, 0);
    key(&t, KEY_A, true);
    cmd(&t, 0xa8);
    assert_int_equal(status(&t) & 0x21, 0x21); /* only the mouse could */
    cmd(&t, 0xae);
    assert_int_equal(get_aux(&t), 0x08);
    assert_int_equal(get(&t), 0x1c);
    assert_int_equal(get_aux(&t), 0x01);
    assert_int_equal(get_aux(&t), 0x00);
}

/* T-KBC-5, T-KBC-6: the line falls; the next byte rises a little later */
static void test_gap_between_bytes(void **state)
{
    unsigned rises;

    key(&t, KEY_HOME, true); /* e0 6c */
    rises = t.m.isa_rises[1];
    assert_true(t.m.isa[1]);
    assert_int_equal(machine_in(&t.m, 0x60, 1), 0xe0);
    assert_false(t.m.isa[1]);
    assert_int_equal(status(&t) & 1, 0);
    assert_int_equal(machine_in(&t.m, 0x60, 1), 0xe0); /* read twice: the same byte */
    machine_advance(&t.m, 90000);
    assert_int_equal(status(&t) & 1, 0);
    machine_advance(&t.m, 300000);
    assert_true(t.m.isa[1]);
    assert_int_equal(t.m.isa_rises[1], rises + 1);
    assert_int_equal(machine_in(&t.m, 0x60, 1), 0x6c);
    assert_int_equal(machine_in(&t.m, 0x60, 1), 0x6c);
    machine_advance(&t.m, 1000000000);
    assert_int_equal(t.m.isa_rises[1], rises + 1);
}

/* T-KBC-3: what Linux asks of the second port before it believes in it */
static void test_linux_aux_probe(void **state)
{
    static const uint8_t mux[3] = {0xf0, 0x56, 0xa4};

    cmd1(&t, 0x60, 0x47 | 0x30);
    cmd1(&t, 0xd3, 0x5a);
    assert_int_equal(status(&t) & 0x21, 0x21);
    assert_int_equal(get(&t), 0x5a);
    for (unsigned i = 0; i < 3; i++) {
        cmd1(&t, 0xd3, mux[i]);
        assert_int_equal(get_aux(&t), mux[i]);
    }
    cmd(&t, 0xa7);
    cmd(&t, 0x20);
    assert_int_equal(get(&t) & 0x20, 0x20);
    cmd(&t, 0xa8);
    cmd(&t, 0x20);
    assert_int_equal(get(&t) & 0x20, 0x00);
    cmd1(&t, 0x60, 0x47);
    cmd1(&t, 0xd3, 0xa5);
    assert_true(t.m.isa[12]);
    assert_false(t.m.isa[1]);
    assert_int_equal(get(&t), 0xa5);
    assert_false(t.m.isa[12]);
}

static void test_keyboard_buffer_write_is_not_translated(void **state)
{
    cmd1(&t, 0x60, 0x41);
    cmd1(&t, 0xd2, 0x1c);
    assert_true(t.m.isa[1]);
    assert_int_equal(status(&t) & 0x21, 0x01);
    assert_int_equal(get(&t), 0x1c);
}

/* What SeaBIOS does at its start. */
static void test_seabios_sequence(void **state)
{
    static const uint8_t ack = 0xfa;

    for (int i = 0; i < 16 && (status(&t) & 1); i++)
        get(&t);
    cmd(&t, 0xad);
    cmd(&t, 0xa7);
    assert_int_equal(get(&t), NOTHING);
    cmd(&t, 0xaa);
    assert_int_equal(get(&t), 0x55);
    cmd(&t, 0xab);
    assert_int_equal(get(&t), 0x00);
    data(&t, 0xff);
    assert_int_equal(get(&t), ack);
    assert_int_equal(get(&t), 0xaa);
    data(&t, 0xf5);
    assert_int_equal(get(&t), ack);
    data(&t, 0xf0);
    assert_int_equal(get(&t), ack);
    data(&t, 0x02);
    assert_int_equal(get(&t), ack);
    cmd1(&t, 0x60, 0x61);
    data(&t, 0xf4);
    assert_int_equal(get(&t), ack);
    assert_int_equal(get(&t), NOTHING);
    key(&t, KEY_ENTER, true);
    key(&t, KEY_ENTER, false);
    assert_string_equal(drain(&t, text, sizeof(text)), "1c 9c");
}

static void test_a20_is_kept(void **state)
{
    cmd(&t, 0xdd);
    cmd(&t, 0xd0);
    assert_int_equal(get(&t) & 0x03, 0x01);
    cmd(&t, 0xdf);
    cmd(&t, 0xd0);
    assert_int_equal(get(&t) & 0x03, 0x03);
    cmd1(&t, 0xd1, 0xdd);
    cmd(&t, 0xd0);
    assert_int_equal(get(&t) & 0x03, 0x01);
    cmd1(&t, 0xd1, 0xdf);
    cmd(&t, 0xd0);
    assert_int_equal(get(&t) & 0x03, 0x03);
    assert_int_equal(t.m.power[POWER_REBOOT], 0);
}

static void test_output_port_shows_the_buffer(void **state)
{
    key(&t, KEY_A, true);
    cmd(&t, 0xd0);
    get(&t);
    assert_int_equal(get(&t) & 0x30, 0x10);
    aux(&t, 0xf4);
    cmd(&t, 0xd0);
    assert_int_equal(get_aux(&t), 0xfa);
    assert_int_equal(get(&t) & 0x30, 0x20);
}

static void reset_by(uint8_t command, int byte)
{
    struct testps2 r;

    testps2_init(&r);
    if (byte < 0)
        cmd(&r, command);
    else
        cmd1(&r, command, (uint8_t)byte);
    assert_int_equal(r.m.power[POWER_REBOOT], 1);
    testps2_fini(&r);
}

static void test_resets(void **state)
{
    for (unsigned pulse = 0xf0; pulse <= 0xfe; pulse += 2)
        reset_by((uint8_t)pulse, -1);
    reset_by(0xd1, 0xde);
    for (unsigned pulse = 0xf1; pulse <= 0xff; pulse += 2)
        cmd(&t, (uint8_t)pulse);
    assert_int_equal(t.m.power[POWER_REBOOT], 0);
}

static int sound_table(void *opaque, const char *name, const struct state_desc *desc, void *s)
{
    assert_null(state_desc_flaw(desc));
    assert_null(state_check(desc, s));
    return 0;
}

static void test_reset_and_tables(void **state)
{
    void *first, *second;
    size_t len, len2;

    assert_int_equal(arena_each(t.m.env.arena, sound_table, NULL), 0);
    device_reset_all(t.m.env.devices);
    assert_int_equal(savefile_encode(t.m.env.arena, &first, &len), 0);
    cmd1(&t, 0x60, 0x74);
    aux(&t, 0xf4);
    data(&t, 0xed);
    data(&t, 0x07);
    cmd(&t, 0xfe);
    input_rel(t.input, 5, 5, 0, 3);
    input_rel(t.input, 0, 0, 0, 0);
    device_reset_all(t.m.env.devices);
    assert_int_equal(savefile_encode(t.m.env.arena, &second, &len2), 0);
    assert_int_equal(len, len2);
    assert_memory_equal(first, second, len);
    free(first);
    free(second);
    test_power_on(state);
}

static void test_save_and_load_between_two_bytes(void **state)
{
    key(&t, KEY_HOME, true);
    assert_int_equal(machine_in(&t.m, 0x60, 1), 0xe0);
    assert_null(machine_save_load(&t.m));
    assert_int_equal(get(&t), 0x6c);
    cmd(&t, 0xd4); /* the data byte is still to come */
    assert_null(machine_save_load(&t.m));
    data(&t, 0xf2);
    assert_int_equal(get_aux(&t), 0xfa);
    assert_null(machine_save_load(&t.m));
    assert_int_equal(get_aux(&t), 0x00);
}

/* ---- known holes of other device models -------------------------------------------------------
 */

/* Every byte of a saved state altered in turn: refused, or all devices work within bounds. */
static void test_cve_2017_16845_hostile_saved_state(void **state)
{
    char err[SAVEFILE_ERROR_MAX];
    uint8_t *good, *bad;
    size_t len;

    aux(&t, 0xf4);
    get(&t);
    for (uint16_t k = KEY_Q; k <= KEY_P; k++)
        key(&t, k, true);
    input_rel(t.input, 300, -300, 3, 1);
    input_rel(t.input, 1, 1, 0, 0);
    assert_int_equal(savefile_encode(t.m.env.arena, (void **)&good, &len), 0);
    bad = malloc(len);
    for (size_t at = 0; at < len; at++) {
        for (unsigned k = 0; k < 3; k++) {
            static const uint8_t values[3] = {0xff, 0x80, 0x21};

            memcpy(bad, good, len);
            bad[at] = values[k];
            if (savefile_decode(t.m.env.arena, bad, len, err))
                continue;
            device_loaded_all(t.m.env.devices);
            key(&t, KEY_HOME, true);
            key(&t, KEY_HOME, false);
            input_rel(t.input, -7, 7, -1, 5);
            for (int i = 0; i < 8; i++) {
                machine_in(&t.m, 0x60, 1);
                machine_advance(&t.m, 200000);
            }
            aux(&t, 0xeb);
            data(&t, 0xf2);
            cmd(&t, 0xaa);
            assert_true(status(&t) & 1);
            input_rel(t.input, 0, 0, 0, 0);
        }
    }
    assert_int_equal(savefile_decode(t.m.env.arena, good, len, err), 0);
    free(bad);
    free(good);
}

/* The indices of the queues that CVE-2017-16845 and the CVE-2013-45xx family took as they came. */
static int out_of_range(void *opaque, const char *name, const struct state_desc *desc, void *s)
{
    static const struct {
        const char *field;
        uint64_t bad;
    } fields[] = {{"reply_count", 17}, {"event_count", 33}, {"seq_pos", 9},    {"seq_len", 9},
                  {"packet_pos", 5},   {"packet_len", 5},   {"move_count", 9}, {"scan_set", 0},
                  {"scan_set", 4},     {"id", 2},           {"source", 3},     {"event", 0x0300}};
    unsigned *refused = opaque;

    for (size_t i = 0; i < desc->nfields; i++) {
        for (size_t k = 0; k < sizeof(fields) / sizeof(fields[0]); k++) {
            uint64_t was;

            if (strcmp(desc->fields[i].name, fields[k].field) != 0)
                continue;
            was = state_get(&desc->fields[i], s, 0);
            state_set(&desc->fields[i], s, 0, fields[k].bad);
            assert_string_equal(state_check(desc, s), fields[k].field);
            state_set(&desc->fields[i], s, 0, was);
            assert_null(state_check(desc, s));
            ++*refused;
        }
    }
    return 0;
}

static void test_cve_2017_16845_indices_are_checked(void **state)
{
    unsigned refused = 0;

    assert_int_equal(arena_each(t.m.env.arena, out_of_range, &refused), 0);
    assert_int_equal(refused, 14);
}

static void test_reset_port_storm_is_one_reset(void **state)
{
    for (int i = 0; i < 1000; i++) {
        cmd(&t, 0xfe);
        cmd1(&t, 0xd1, 0x00);
    }
    assert_int_equal(t.m.power[POWER_REBOOT], 1);
    device_reset_all(t.m.env.devices);
    cmd(&t, 0xfe);
    assert_int_equal(t.m.power[POWER_REBOOT], 2);
}

/* Commands without end whose answers nobody reads; the last one is still answered. */
static void test_reply_queues_are_bounded(void **state)
{
    for (int i = 0; i < 1000; i++) {
        cmd(&t, 0x20);
        data(&t, 0xf2);
        aux(&t, 0xe9);
    }
    drain(&t, text, sizeof(text));
    cmd(&t, 0xaa);
    assert_int_equal(get(&t), 0x55);
    data(&t, 0xee);
    assert_int_equal(get(&t), 0xee);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_power_on),
        T(test_replies_of_the_controller),
        T(test_status_tells_command_from_data),
        T(test_ram_and_command_byte),
        T(test_ports_on_and_off),
        T(test_data_to_a_disabled_port_enables_it),
        T(test_interrupts_follow_the_state),
        T(test_replies_overtake_the_keyboard),
        T(test_keyboard_goes_before_mouse),
        T(test_gap_between_bytes),
        T(test_linux_aux_probe),
        T(test_keyboard_buffer_write_is_not_translated),
        T(test_seabios_sequence),
        T(test_a20_is_kept),
        T(test_output_port_shows_the_buffer),
        T(test_resets),
        T(test_reset_and_tables),
        T(test_save_and_load_between_two_bytes),
        T(test_cve_2017_16845_hostile_saved_state),
        T(test_cve_2017_16845_indices_are_checked),
        T(test_reset_port_storm_is_one_reset),
        T(test_reply_queues_are_bounded),
    };

    return cmocka_run_group_tests_name("i8042", tests, NULL, NULL);
}
