/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * USB human interface devices: tablet, mouse, keyboard (USB 1.1; Device Class Definition for HID
 * 1.11; HID Usage Tables).
 *
 *     default --SET_ADDRESS--> addressed --SET_CONFIGURATION--> configured: takes events
 *        ^-------------------- reset of the bus ------------------------+
 *
 * Endpoint 0 is the control pipe (hid_control.c). Endpoint 1 sends a report for each event, and
 * NAKs when there is none (hid_report.c).
 *
 * Left out on purpose: the data toggle (no packet gets lost on this cable), and the idle rate of
 * pointers and of a keyboard without a key down: the same report once more tells nothing, and
 * would wake the guest for ever.
 */
#include "hw/usb/hid_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "dm/device.h"

#define IDLE_UNIT_NS 4000000u

static const struct state_field hid_fields[] = {
    STATE_FIELD(struct hid_state, address, .max = 127),
    STATE_FIELD(struct hid_state, new_address, .max = 127),
    STATE_FIELD(struct hid_state, configuration, .max = 1),
    STATE_FIELD(struct hid_state, remote_wakeup),
    STATE_FIELD(struct hid_state, halted),
    STATE_FIELD(struct hid_state, boot_protocol),
    STATE_FIELD(struct hid_state, idle),
    STATE_FIELD(struct hid_state, stage, .max = HID_STAGES - 1),
    STATE_ARRAY(struct hid_state, setup),
    STATE_ARRAY(struct hid_state, data),
    STATE_FIELD(struct hid_state, data_length, .max = HID_DATA_MAX),
    STATE_FIELD(struct hid_state, data_position, .max = HID_DATA_MAX),
    STATE_FIELD(struct hid_state, count, .max = HID_EVENTS),
    STATE_ARRAY(struct hid_state, event_x, .max = INPUT_ABS_MAX),
    STATE_ARRAY(struct hid_state, event_y, .max = INPUT_ABS_MAX),
    STATE_ARRAY(struct hid_state, event_dx),
    STATE_ARRAY(struct hid_state, event_dy),
    STATE_ARRAY(struct hid_state, event_dz),
    STATE_ARRAY(struct hid_state, event_buttons, .bits = INPUT_BUTTON_ALL),
    STATE_ARRAY(struct hid_state, event_usage, .max = HID_USAGES - 1),
    STATE_ARRAY(struct hid_state, event_down),
    STATE_FIELD(struct hid_state, x, .max = INPUT_ABS_MAX),
    STATE_FIELD(struct hid_state, y, .max = INPUT_ABS_MAX),
    STATE_FIELD(struct hid_state, buttons, .bits = INPUT_BUTTON_ALL),
    STATE_ARRAY(struct hid_state, keys),
    STATE_FIELD(struct hid_state, reported_at),
    STATE_FIELD(struct hid_state, leds, .bits = 0x1f),
};

static const char *hid_check(const void *state)
{
    const struct hid_state *s = state;

    return s->data_position > s->data_length ? "data_position" : NULL;
}

/* A saved tablet is no mouse: one description each. */
static const struct state_desc hid_desc[] = {
    [HID_TABLET] = STATE_DESC("usb-tablet", 1, struct hid_state, hid_fields, hid_check),
    [HID_MOUSE] = STATE_DESC("usb-mouse", 1, struct hid_state, hid_fields, hid_check),
    [HID_KEYBOARD] = STATE_DESC("usb-keyboard", 1, struct hid_state, hid_fields, hid_check),
};

/* ---- events and lamps ----------------------------------------------------------------------- */

void hid_configure(struct hid *hid, uint8_t configuration)
{
    hid->s->configuration = configuration;
    hid->s->halted = false;
    if (!configuration)
        hid->s->count = 0;
    input_sink_activate(hid->input, &hid->sink, configuration != 0);
}

void hid_set_leds(struct hid *hid, uint8_t leds)
{
    hid->s->leds = leds & 0x1f;
    input_set_leds(hid->input, (leds & 1 ? INPUT_LED_NUM : 0u) | (leds & 2 ? INPUT_LED_CAPS : 0u) |
                                   (leds & 4 ? INPUT_LED_SCROLL : 0u));
}

/* ---- the cable ------------------------------------------------------------------------------ */

static void bus_reset(void *dev)
{
    struct hid *hid = dev;

    /* First: keys that are down are released, which makes events. */
    input_sink_activate(hid->input, &hid->sink, false);
    state_reset(&hid_desc[hid->kind], hid->s);
}

static uint8_t address(void *dev)
{
    return ((struct hid *)dev)->s->address;
}

static int setup(void *dev, unsigned endpoint, const uint8_t *data, size_t length)
{
    return endpoint == 0 ? hid_control_setup(dev, data, length) : USB_STALL;
}

static int out(void *dev, unsigned endpoint, const uint8_t *data, size_t length)
{
    return endpoint == 0 ? hid_control_out(dev, data, length) : USB_STALL;
}

static uint64_t ready_at(void *dev)
{
    struct hid *hid = dev;
    const struct hid_state *s = hid->s;

    if (!s->configuration || s->halted)
        return TIMER_NEVER;
    if (s->count)
        return 0;
    if (hid->kind == HID_KEYBOARD && s->idle && hid_keys_down(hid))
        return s->reported_at + (uint64_t)s->idle * IDLE_UNIT_NS;
    return TIMER_NEVER;
}

static int in(void *dev, unsigned endpoint, uint8_t packet[USB_PACKET_MAX])
{
    struct hid *hid = dev;
    struct hid_state *s = hid->s;
    uint64_t now, ready;

    if (endpoint == 0)
        return hid_control_in(hid, packet);
    if (endpoint != 1 || !s->configuration || s->halted)
        return USB_STALL;
    ready = ready_at(hid);
    if (ready == TIMER_NEVER)
        return USB_NAK;
    now = loop_now(hid->loop, CLOCK_GUEST);
    if (ready > now)
        return USB_NAK;
    s->reported_at = now;
    return (int)(s->count ? hid_report_next(hid, packet) : hid_report_now(hid, packet));
}

static bool may_wake(void *dev)
{
    return ((struct hid *)dev)->s->remote_wakeup;
}

static const struct usb_device_ops plug_ops = {
    .reset = bus_reset,
    .address = address,
    .setup = setup,
    .out = out,
    .in = in,
    .ready_at = ready_at,
    .may_wake = may_wake,
};

struct usb_device *hid_plug(struct hid *hid)
{
    return &hid->plug;
}

/* ---- life ----------------------------------------------------------------------------------- */

static void loaded(void *dev)
{
    struct hid *hid = dev;

    input_sink_activate(hid->input, &hid->sink, hid->s->configuration != 0);
    if (hid->kind == HID_KEYBOARD && hid->s->configuration)
        hid_set_leds(hid, hid->s->leds);
}

static void destroy(void *dev)
{
    struct hid *hid = dev;

    /* What is down is released, which the controller need not know any more. */
    hid->plug.has_data = NULL;
    input_sink_remove(hid->input, &hid->sink);
    free(hid);
}

static const struct device_ops device_ops = {
    .name = "USB HID", .reset = bus_reset, .loaded = loaded, .destroy = destroy};

int hid_create(struct hid **result, const struct dm_env *env, struct input *input,
               enum hid_kind kind, unsigned port)
{
    struct hid *hid = calloc(1, sizeof(*hid));
    char name[ARENA_NAME_MAX];
    int rc;

    if (!hid)
        return -ENOMEM;
    snprintf(name, sizeof(name), "usb.%u", port);
    hid->kind = kind;
    hid->loop = env->loop;
    hid->input = input;
    hid->plug = (struct usb_device){.ops = &plug_ops, .dev = hid};
    hid->s = arena_alloc(env->arena, name, &hid_desc[kind]);
    rc = hid->s ? device_register(env->devices, &device_ops, hid) : -ENOMEM;
    if (rc) {
        free(hid);
        return rc;
    }
    hid->sink = (struct input_sink){.name = hid_desc[kind].kind, .opaque = hid};
    switch (kind) {
    case HID_TABLET:
        hid->sink.abs = hid_tablet_event;
        break;
    case HID_MOUSE:
        hid->sink.rel = hid_mouse_event;
        break;
    case HID_KEYBOARD:
        hid->sink.key = hid_key_event;
        break;
    }
    input_sink_add(input, &hid->sink);
    input_sink_activate(input, &hid->sink, false);
    *result = hid;
    return 0;
}
