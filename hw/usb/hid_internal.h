/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside of the HID devices; private to hw/usb/. */
#ifndef HW_USB_HID_INTERNAL_H
#define HW_USB_HID_INTERNAL_H

#include "hw/usb/hid.h"

#define HID_EP0_PACKET 8u   /* bMaxPacketSize0 */
#define HID_DATA_MAX   128u /* more than the longest descriptor */
#define HID_EVENTS     16u
#define HID_USAGES     232u /* keyboard usages 00 to E7 */
#define HID_REPORT_MAX 8u
#define HID_BOOT_MOUSE 3u

/* Where endpoint 0 is in a control transfer. */
enum hid_stage {
    HID_IDLE,
    HID_DATA_IN,
    HID_DATA_OUT,
    HID_STATUS_IN, /* the host fetches the status, an empty packet */
    HID_STALLED,   /* until the next SETUP */
    HID_STAGES
};

struct hid_state {
    /* device */
    uint8_t address;
    uint8_t new_address; /* from the status stage of SET_ADDRESS on */
    uint8_t configuration;
    bool remote_wakeup;
    bool halted;        /* endpoint 1 */
    bool boot_protocol; /* SET_PROTOCOL 0 */
    uint8_t idle;       /* in 4 ms; 0: report changes only */

    /* endpoint 0 */
    uint8_t stage;
    uint8_t setup[8];
    uint8_t data[HID_DATA_MAX];
    uint16_t data_length, data_position;

    /* endpoint 1: events that wait, the oldest first */
    uint8_t count;
    uint16_t event_x[HID_EVENTS]; /* tablet: position */
    uint16_t event_y[HID_EVENTS];
    uint32_t event_dx[HID_EVENTS]; /* mouse: movement, two's complement */
    uint32_t event_dy[HID_EVENTS];
    uint32_t event_dz[HID_EVENTS];
    uint8_t event_buttons[HID_EVENTS];
    uint8_t event_usage[HID_EVENTS]; /* keyboard */
    bool event_down[HID_EVENTS];

    /* What the host has been told last. */
    uint16_t x, y;
    uint8_t buttons;
    uint8_t keys[(HID_USAGES + 7) / 8]; /* bit n: usage n is down */
    uint64_t reported_at;               /* guest time, for the idle rate */
    uint8_t leds;                       /* output report: 1 Num, 2 Caps, 4 Scroll */
};

/* One SETUP packet, taken apart. */
struct hid_setup {
    uint8_t type, request;
    uint16_t value, index, length;
};

struct hid {
    struct hid_state *s;
    enum hid_kind kind;
    struct usb_device plug;
    struct loop *loop;
    struct input *input;
    struct input_sink sink;
};

/* ---- hid.c ---------------------------------------------------------------------------------- */

/* The guest has set or cleared the configuration: the device takes events, or steps back. */
void hid_configure(struct hid *hid, uint8_t configuration);
void hid_set_leds(struct hid *hid, uint8_t leds);

/* ---- hid_control.c -------------------------------------------------------------------------- */

int hid_control_setup(struct hid *hid, const uint8_t *data, size_t length);
int hid_control_out(struct hid *hid, const uint8_t *data, size_t length);
int hid_control_in(struct hid *hid, uint8_t packet[USB_PACKET_MAX]);

/* ---- hid_report.c --------------------------------------------------------------------------- */

/* The handlers of the device's sink. */
void hid_tablet_event(void *opaque, uint16_t x, uint16_t y, int32_t dz, uint32_t buttons);
void hid_mouse_event(void *opaque, int32_t dx, int32_t dy, int32_t dz, uint32_t buttons);
void hid_key_event(void *opaque, uint16_t code, bool down);

/* Takes the oldest event into the next report; returns its length. */
size_t hid_report_next(struct hid *hid, uint8_t report[HID_REPORT_MAX]);
/* The report of the present state, without movement (GET_REPORT, idle rate). */
size_t hid_report_now(const struct hid *hid, uint8_t report[HID_REPORT_MAX]);
/* Whether some key is down, as far as the host knows. */
bool hid_keys_down(const struct hid *hid);

/* ---- hid_descriptors.c ---------------------------------------------------------------------- */

/* A descriptor by type and index, or by type alone for those of the interface. The length, or 0
 * when there is none; never more than HID_DATA_MAX. */
size_t hid_descriptor(enum hid_kind kind, uint8_t type, uint8_t index, uint8_t out[HID_DATA_MAX]);

/* ---- hid_usage.c ---------------------------------------------------------------------------- */

/* Usage (page 7, keyboard) of an evdev key code; 0 when there is none. */
uint8_t hid_usage(uint16_t code);

#endif
