/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tablet, mouse and keyboard: enumeration, requests, reports. */
#include "tests/hw/usb/testusb.h"

#include <linux/input-event-codes.h>
#include <string.h>

static void test_enumeration(void **state)
{
    struct usb_rig *r = *state;
    uint8_t data[128];

    usb_run(r);
    usb_enable_port(r, 0);
    /* As Linux begins: 64 bytes are asked for, 8 come, and tell how large packets are. */
    assert_int_equal(usb_control(r, 0, 0x80, 6, 0x100, 0, 64, data), 18);
    assert_int_equal(data[0], 18);
    assert_int_equal(data[7], 8);
    assert_int_equal(usb_control(r, 0, 0x00, 5, 7, 0, 0, NULL), 0);
    assert_int_equal(usb_control(r, 0, 0x80, 6, 0x100, 0, 18, data), -1); /* it has moved */
    assert_int_equal(usb_control(r, 7, 0x80, 6, 0x100, 0, 18, data), 18);
    assert_int_equal(usb_control(r, 7, 0x80, 6, 0x200, 0, 9, data), 9);
    assert_int_equal(data[2], 34);
    assert_int_equal(usb_control(r, 7, 0x80, 6, 0x200, 0, 34, data), 34);
    assert_int_equal(data[14], 3);
    assert_int_equal(data[15], 0); /* T-USB-3: no boot interface */
    assert_int_equal(data[16], 0);
    assert_int_equal(data[29], 0x81);
    assert_false(input_wants_abs(r->input));
    assert_int_equal(usb_control(r, 7, 0x00, 9, 1, 0, 0, NULL), 0);
    assert_true(input_wants_abs(r->input));
    assert_int_equal(usb_control(r, 7, 0x81, 6, 0x2200, 0, data[25], data), data[25]);
    assert_int_equal(usb_control(r, 7, 0x80, 8, 0, 0, 1, data), 1);
    assert_int_equal(data[0], 1);
    assert_int_equal(usb_control(r, 7, 0x00, 9, 0, 0, 0, NULL), 0);
    assert_false(input_wants_abs(r->input));
}

static void test_strings(void **state)
{
    struct usb_rig *r = *state;
    uint8_t data[128];

    usb_run(r);
    usb_enumerate(r, 0, 5);
    assert_int_equal(usb_control(r, 5, 0x80, 6, 0x300, 0, 128, data), 4);
    assert_int_equal(usb_control(r, 5, 0x80, 6, 0x302, 0x409, 128, data), 2 + 2 * 10);
    assert_int_equal(data[2], 'U');
    assert_int_equal(usb_control(r, 5, 0x80, 6, 0x303, 0x409, 128, data), -1);
    /* There is no high-speed variant. */
    assert_int_equal(usb_control(r, 5, 0x80, 6, 0x600, 0, 10, data), -1);
}

/* Every descriptor says its own length, and the report descriptors describe what is sent. */
static void test_descriptors_are_consistent(void **state)
{
    static const enum hid_kind kinds[] = {HID_TABLET, HID_MOUSE, HID_KEYBOARD};
    static const unsigned bits[] = {6 * 8, 4 * 8, 8 * 8};

    for (unsigned k = 0; k < 3; k++) {
        uint8_t data[HID_DATA_MAX];
        size_t n = hid_descriptor(kinds[k], 2, 0, data), length = data[25], i;
        unsigned total = 0, size = 0, count = 0, depth = 0;

        assert_int_equal(n, data[2] | data[3] << 8);
        for (i = 0; i < n; i += data[i])
            assert_true(data[i] > 0);
        assert_int_equal(i, n);
        assert_int_equal(hid_descriptor(kinds[k], 0x22, 0, data), length);
        for (i = 0; i < length; i += 1 + (data[i] & 3)) {
            switch (data[i] & 0xfc) {
            case 0x74:
                size = data[i + 1];
                break;
            case 0x94:
                count = data[i + 1];
                break;
            case 0x80:
                total += size * count;
                break;
            case 0xa0:
                depth++;
                break;
            case 0xc0:
                depth--;
                break;
            }
        }
        assert_int_equal(i, length);
        assert_int_equal(total, bits[k]);
        assert_int_equal(depth, 0);
    }
}

/* T-USB-4: another descriptor is another device for Windows, which then wants a driver. */
static void test_descriptors_never_change(void **state)
{
    static const uint32_t sums[] = {0xa04275b2, 0xb8247f46, 0xd37d2087};
    static const uint8_t types[] = {1, 2, 3, 0x21, 0x22};

    for (unsigned kind = HID_TABLET; kind <= HID_KEYBOARD; kind++) {
        uint32_t sum = 2166136261u; /* FNV-1a */

        for (size_t t = 0; t < sizeof(types); t++) {
            for (uint8_t index = 0; index < 4; index++) {
                uint8_t data[HID_DATA_MAX];
                size_t n = hid_descriptor((enum hid_kind)kind, types[t], index, data);

                for (size_t i = 0; i < n; i++)
                    sum = (sum ^ data[i]) * 16777619u;
            }
        }
        assert_int_equal(sum, sums[kind]);
    }
}

static void test_standard_requests(void **state)
{
    struct usb_rig *r = *state;
    uint8_t data[8];

    usb_run(r);
    usb_enumerate(r, 0, 5);
    assert_int_equal(usb_control(r, 5, 0x80, 0, 0, 0, 2, data), 2);
    assert_int_equal(data[0] | data[1], 0);
    assert_int_equal(usb_control(r, 5, 0x00, 3, 1, 0, 0, NULL), 0);
    assert_int_equal(usb_control(r, 5, 0x80, 0, 0, 0, 2, data), 2);
    assert_int_equal(data[0], 2);
    assert_int_equal(usb_control(r, 5, 0x00, 1, 1, 0, 0, NULL), 0);
    assert_int_equal(usb_control(r, 5, 0x80, 0, 0, 0, 2, data), 2);
    assert_int_equal(data[0], 0);
    assert_int_equal(usb_control(r, 5, 0x81, 10, 0, 0, 1, data), 1);
    assert_int_equal(usb_control(r, 5, 0x01, 11, 0, 0, 0, NULL), 0);
    assert_int_equal(usb_control(r, 5, 0x01, 11, 1, 0, 0, NULL), -1);
    assert_int_equal(usb_control(r, 5, 0x00, 9, 2, 0, 0, NULL), -1);
    assert_int_equal(usb_control(r, 5, 0x00, 5, 128, 0, 0, NULL), -1);
    /* After a stall the next SETUP is accepted. */
    assert_int_equal(usb_control(r, 5, 0x80, 8, 0, 0, 1, data), 1);
}

static void test_halt_of_the_endpoint(void **state)
{
    struct usb_rig *r = *state;
    uint8_t data[8];

    usb_run(r);
    usb_enumerate(r, 0, 5);
    assert_int_equal(usb_control(r, 5, 0x02, 3, 0, 0x81, 0, NULL), 0);
    assert_int_equal(usb_control(r, 5, 0x82, 0, 0, 0x81, 2, data), 2);
    assert_int_equal(data[0], 1);
    usb_ask(r, 5, 0);
    machine_advance(&r->m, 600 * MS);
    assert_int_equal(usb_int_status(r) & (TD_ACTIVE | TD_STALLED), TD_STALLED);
    assert_int_equal(usb_control(r, 5, 0x02, 1, 0, 0x81, 0, NULL), 0);
    usb_ask(r, 5, 0);
    input_abs(r->input, 1, 1, 0, 0);
    assert_int_equal(usb_report(r, 20, data), 6);
    assert_int_equal(usb_control(r, 5, 0x02, 3, 0, 0x82, 0, NULL), -1);
}

static void test_class_requests_of_the_tablet(void **state)
{
    struct usb_rig *r = *state;
    uint8_t data[8] = {0};

    usb_run(r);
    usb_enumerate(r, 0, 5);
    assert_int_equal(usb_control(r, 5, 0x21, 10, 0x500, 0, 0, NULL), 0);
    assert_int_equal(usb_control(r, 5, 0xa1, 2, 0, 0, 1, data), 1);
    assert_int_equal(data[0], 5);
    assert_int_equal(usb_control(r, 5, 0xa1, 1, 0x100, 0, 6, data), 6);
    assert_int_equal(usb_control(r, 5, 0x21, 11, 0, 0, 0, NULL), -1); /* no boot protocol */
    assert_int_equal(usb_control(r, 5, 0x21, 9, 0x200, 0, 1, data), -1);
    /* Its idle rate wakes nobody. */
    usb_ask(r, 5, 0);
    usb_wakes(r, 3000);
    assert_in_range(usb_wakes(r, 1000), 0, 3);
}

static void test_tablet_reports(void **state)
{
    struct usb_rig *r = *state;
    uint8_t report[8];

    usb_run(r);
    usb_enumerate(r, 0, 5);
    usb_ask(r, 5, 0);
    input_abs(r->input, 0x7fff, 0x0102, 3, INPUT_BUTTON_LEFT | INPUT_BUTTON_EXTRA);
    assert_int_equal(usb_report(r, 20, report), 6);
    assert_memory_equal(report, ((uint8_t[]){0x11, 0xff, 0x7f, 0x02, 0x01, 3}), 6);
    usb_ask(r, 5, 0);
    input_abs(r->input, 0x7fff, 0x0102, -1, INPUT_BUTTON_LEFT | INPUT_BUTTON_EXTRA);
    assert_int_equal(usb_report(r, 20, report), 6);
    assert_int_equal(report[5], 0xff);
    /* The same once more is no news. */
    usb_ask(r, 5, 0);
    input_abs(r->input, 0x7fff, 0x0102, 0, INPUT_BUTTON_LEFT | INPUT_BUTTON_EXTRA);
    assert_int_equal(usb_report(r, 20, report), -1);
}

static void test_clicks_keep_their_place(void **state)
{
    struct usb_rig *r = *state;
    static const struct {
        uint16_t x;
        uint8_t buttons;
    } want[] = {{10, 1}, {10, 0}, {10, 1}, {50, 1}, {50, 0}};
    uint8_t report[8];

    usb_run(r);
    usb_enumerate(r, 0, 5);
    for (unsigned i = 0; i < 3; i++)
        input_abs(r->input, 10, 0, 0, !(i & 1)); /* press, release, press at 10 */
    for (unsigned x = 20; x <= 50; x += 10)
        input_abs(r->input, (uint16_t)x, 0, 0, 1); /* drag to 50: one report */
    input_abs(r->input, 50, 0, 0, 0);
    for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        usb_ask(r, 5, 0);
        assert_int_equal(usb_report(r, 600, report), 6);
        assert_int_equal(report[0], want[i].buttons);
        assert_int_equal(report[1] | report[2] << 8, want[i].x);
    }
}

static void test_full_queue_ends_in_the_right_state(void **state)
{
    struct usb_rig *r = *state;
    uint8_t report[8];
    unsigned n = 0;

    usb_run(r);
    usb_enumerate(r, 0, 5);
    for (unsigned i = 0; i < 1001; i++)
        input_abs(r->input, (uint16_t)i, 0, 1, i & 1);
    assert_int_equal(r->hid[0]->s->count, HID_EVENTS);
    while (r->hid[0]->s->count && n++ < 100) {
        usb_ask(r, 5, 0);
        assert_int_equal(usb_report(r, 600, report), 6);
    }
    assert_int_equal(report[0], 0);
    assert_int_equal(report[1] | report[2] << 8, 1000);
}

static void test_keyboard_reports_and_lamps(void **state)
{
    struct usb_rig *r = *state;
    uint8_t report[8], led[2] = {2};

    usb_run(r);
    usb_enumerate(r, 1, 6);
    assert_int_equal(usb_control(r, 6, 0x21, 10, 0, 0, 0, NULL), 0);
    usb_ask(r, 6, 0);
    input_key(r->input, KEY_LEFTSHIFT, true);
    assert_int_equal(usb_report(r, 20, report), 8);
    assert_memory_equal(report, ((uint8_t[]){2, 0, 0, 0, 0, 0, 0, 0}), 8);
    input_key(r->input, KEY_A, true);
    input_key(r->input, KEY_A, true); /* the viewer's key repeats: a USB keyboard does not */
    usb_ask(r, 6, 0);
    assert_int_equal(usb_report(r, 600, report), 8);
    assert_memory_equal(report, ((uint8_t[]){2, 0, 4, 0, 0, 0, 0, 0}), 8);
    assert_int_equal(r->hid[1]->s->count, 0);
    input_release_all(r->input);
    for (unsigned i = 0; i < 2; i++) {
        usb_ask(r, 6, 0);
        assert_int_equal(usb_report(r, 600, report), 8);
    }
    assert_memory_equal(report, ((uint8_t[8]){0}), 8);
    assert_int_equal(usb_control(r, 6, 0x21, 9, 0x200, 0, 1, led), 1);
    assert_int_equal(r->leds, INPUT_LED_CAPS);
    assert_int_equal(usb_control(r, 6, 0x21, 9, 0x200, 0, 2, led), -1);
    assert_int_equal(usb_control(r, 6, 0x21, 9, 0x200, 0, 0, NULL), -1);
}

static void test_seven_keys_are_too_many(void **state)
{
    struct usb_rig *r = *state;
    uint8_t report[8];

    usb_run(r);
    usb_enumerate(r, 1, 6);
    for (unsigned i = 0; i < 7; i++) {
        usb_ask(r, 6, 0);
        input_key(r->input, (uint16_t)(KEY_1 + i), true);
        assert_int_equal(usb_report(r, 600, report), 8);
    }
    assert_memory_equal(report, ((uint8_t[]){0, 0, 1, 1, 1, 1, 1, 1}), 8);
}

static void test_no_key_is_stuck_after_a_flood(void **state)
{
    struct usb_rig *r = *state;
    uint8_t report[8] = {1};

    usb_run(r);
    usb_enumerate(r, 1, 6);
    for (uint16_t code = KEY_1; code < KEY_F10; code++)
        input_key(r->input, code, true);
    input_release_all(r->input);
    assert_int_equal(r->hid[1]->s->count, HID_EVENTS);
    for (unsigned i = 0; i < HID_EVENTS; i++) {
        usb_ask(r, 6, 0);
        assert_int_equal(usb_report(r, 600, report), 8);
    }
    assert_memory_equal(report, ((uint8_t[8]){0}), 8);
    assert_false(hid_keys_down(r->hid[1]));
}

/* Firmware has the keyboard repeat its report, and takes that for a key that repeats. */
static void test_idle_rate_of_the_keyboard(void **state)
{
    struct usb_rig *r = *state;
    uint8_t report[8];

    usb_run(r);
    usb_enumerate(r, 1, 6);
    assert_int_equal(usb_control(r, 6, 0x21, 10, 0x800, 0, 0, NULL), 0); /* 32 ms */
    usb_ask(r, 6, 0);
    input_key(r->input, KEY_A, true);
    assert_int_equal(usb_report(r, 20, report), 8);
    usb_ask(r, 6, 0);
    assert_int_equal(usb_report(r, 25, report), -1);
    assert_int_equal(usb_report(r, 20, report), 8);
    assert_int_equal(report[2], 4);
    input_key(r->input, KEY_A, false);
    usb_ask(r, 6, 0);
    assert_int_equal(usb_report(r, 20, report), 8);
    usb_ask(r, 6, 0);
    assert_int_equal(usb_report(r, 200, report), -1); /* nothing is down: nothing to repeat */
}

static void test_all_usages_are_different(void **state)
{
    bool used[256] = {false};

    for (uint16_t code = 0; code < INPUT_KEY_COUNT; code++) {
        uint8_t usage = hid_usage(code);

        if (!usage || code == KEY_PRINT)
            continue;
        assert_false(used[usage]);
        used[usage] = true;
        assert_true(usage < HID_USAGES);
    }
    assert_true(used[0x48] && used[0x46] && used[0x64] && used[0xe7]);
}

/* ---- hostile requests ------------------------------------------------------------------------ */

/* A SETUP packet that is longer or for another endpoint, and data that was not announced. */
static int out_packet(struct usb_rig *r, unsigned n, const void *data, size_t length)
{
    struct usb_device *d = hid_plug(r->hid[n]);

    return d->ops->out(d->dev, 0, data, length);
}

static void test_cve_2020_14364_setup_longer_than_the_buffer(void **state)
{
    struct usb_rig *r = *state;
    struct usb_device *d = hid_plug(r->hid[1]);
    const uint8_t set_report[8] = {0x21, 9, 0, 2, 0, 0, 0xff, 0xff};
    uint8_t data[64] = {0}, packet[USB_PACKET_MAX];

    assert_int_equal(d->ops->setup(d->dev, 0, set_report, 8), 0);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(out_packet(r, 1, data, 64), USB_STALL);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(d->ops->in(d->dev, 0, packet), USB_STALL);
    assert_int_equal(r->hid[1]->s->data_length, 0);
}

static void test_cve_2013_4541_more_data_than_announced(void **state)
{
    struct usb_rig *r = *state;
    struct usb_device *d = hid_plug(r->hid[1]);
    const uint8_t set_report[8] = {0x21, 9, 0, 2, 0, 0, 1, 0};
    const uint8_t get_device[8] = {0x80, 6, 0, 1, 0, 0, 0xff, 0xff};
    uint8_t data[64] = {0}, packet[USB_PACKET_MAX];
    int total = 0, n;

    assert_int_equal(d->ops->setup(d->dev, 0, set_report, 8), 0);
    assert_int_equal(out_packet(r, 1, data, 2), USB_STALL);
    assert_int_equal(d->ops->setup(d->dev, 0, get_device, 8), 0);
    while ((n = d->ops->in(d->dev, 0, packet)) > 0)
        total += n;
    assert_int_equal(total, 18); /* no more than there is, whatever was asked for */
    assert_int_equal(r->hid[1]->s->data_position, 18);
}

static void test_cve_2024_8354_wrong_endpoints_and_pids(void **state)
{
    struct usb_rig *r = *state;
    uint8_t packet[USB_PACKET_MAX] = {0};

    for (unsigned n = 0; n < UHCI_PORTS; n++) {
        struct usb_device *d = hid_plug(r->hid[n]);

        for (unsigned ep = 1; ep < 16; ep++) {
            assert_int_equal(d->ops->setup(d->dev, ep, packet, 8), USB_STALL);
            assert_int_equal(d->ops->out(d->dev, ep, packet, 8), USB_STALL);
            assert_int_equal(d->ops->in(d->dev, ep, packet), USB_STALL); /* not configured */
        }
        assert_int_equal(d->ops->setup(d->dev, 0, packet, 7), USB_NO_ANSWER);
        assert_int_equal(d->ops->setup(d->dev, 0, packet, 64), USB_NO_ANSWER);
    }
}

/* security.md: bhyve, CVE-2024-41721 and CVE-2024-32668. */
static void test_cve_2024_41721_endpoint_and_configuration_are_checked(void **state)
{
    struct usb_rig *r = *state;
    struct usb_device *d = hid_plug(r->hid[0]);

    for (unsigned value = 2; value < 0x10000; value += 7) {
        uint8_t setup[8] = {0x00, 9, (uint8_t)value, (uint8_t)(value >> 8)};

        d->ops->setup(d->dev, 0, setup, 8);
        assert_int_equal(r->hid[0]->s->stage, HID_STALLED);
        setup[0] = 0x02; /* endpoint, by index */
        setup[1] = 3;
        setup[2] = setup[3] = 0;
        setup[4] = (uint8_t)value;
        setup[5] = (uint8_t)(value >> 8);
        d->ops->setup(d->dev, 0, setup, 8);
        assert_int_equal(r->hid[0]->s->stage, value == 0x81 ? HID_STATUS_IN : HID_STALLED);
    }
}

static void test_every_request_leaves_a_valid_state(void **state)
{
    struct usb_rig *r = *state;
    uint8_t packet[USB_PACKET_MAX];

    for (unsigned n = 0; n < 0x10000; n++) {
        struct usb_device *d = hid_plug(r->hid[n & 1]);
        const uint8_t setup[8] = {
            (uint8_t)(n >> 8), (uint8_t)n,      (uint8_t)(n * 7), (uint8_t)(n * 3), 0, 0,
            (uint8_t)(n * 5),  (uint8_t)(n & 1)};

        d->ops->setup(d->dev, 0, setup, 8);
        d->ops->in(d->dev, 0, packet);
        d->ops->out(d->dev, 0, packet, 8);
        assert_true(r->hid[n & 1]->s->data_position <= r->hid[n & 1]->s->data_length);
    }
    assert_null(machine_save_load(&r->m));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        USB(test_enumeration),
        USB(test_strings),
        cmocka_unit_test(test_descriptors_are_consistent),
        cmocka_unit_test(test_descriptors_never_change),
        USB(test_standard_requests),
        USB(test_halt_of_the_endpoint),
        USB(test_class_requests_of_the_tablet),
        USB(test_tablet_reports),
        USB(test_clicks_keep_their_place),
        USB(test_full_queue_ends_in_the_right_state),
        USB(test_keyboard_reports_and_lamps),
        USB(test_seven_keys_are_too_many),
        USB(test_no_key_is_stuck_after_a_flood),
        USB(test_idle_rate_of_the_keyboard),
        cmocka_unit_test(test_all_usages_are_different),
        USB(test_cve_2020_14364_setup_longer_than_the_buffer),
        USB(test_cve_2013_4541_more_data_than_announced),
        USB(test_cve_2024_8354_wrong_endpoints_and_pids),
        USB(test_cve_2024_41721_endpoint_and_configuration_are_checked),
        USB(test_every_request_leaves_a_valid_state),
    };

    return cmocka_run_group_tests_name("usb_hid", tests, NULL, NULL);
}
