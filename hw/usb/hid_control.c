/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control pipe: endpoint 0 (USB 1.1, chapters 8.5.2 and 9; HID 1.11, chapter 7).
 *
 *     SETUP --> DATA_IN  --OUT packet--> IDLE
 *           --> DATA_OUT --all data----> STATUS_IN --IN packet--> IDLE
 *           --> STATUS_IN (no data)
 *           --> STALLED: no such request
 *
 * Every SETUP begins anew, whatever has been before. A request is known by its row in a table:
 * what has no row is refused, and no length is used before its row has allowed it.
 */
#include <string.h>

#include "hw/usb/hid_internal.h"

/* bmRequestType: direction, type, recipient. */
enum {
    TO_HOST = 0x80,
    STANDARD_DEVICE = 0x00,
    STANDARD_INTERFACE = 0x01,
    STANDARD_ENDPOINT = 0x02,
    CLASS_INTERFACE = 0x21,
};

/* bRequest */
enum {
    GET_STATUS = 0,
    CLEAR_FEATURE = 1,
    SET_FEATURE = 3,
    SET_ADDRESS = 5,
    GET_DESCRIPTOR = 6,
    GET_CONFIGURATION = 8,
    SET_CONFIGURATION = 9,
    GET_INTERFACE = 10,
    SET_INTERFACE = 11,

    HID_GET_REPORT = 1,
    HID_GET_IDLE = 2,
    HID_GET_PROTOCOL = 3,
    HID_SET_REPORT = 9,
    HID_SET_IDLE = 10,
    HID_SET_PROTOCOL = 11,
};

enum { FEATURE_ENDPOINT_HALT = 0, FEATURE_REMOTE_WAKEUP = 1 };
enum { REPORT_INPUT = 1, REPORT_OUTPUT = 2 };
enum { DESCRIPTOR_HID = 0x21, DESCRIPTOR_REPORT = 0x22 };

#define ENDPOINT_1_IN 0x81

/* Each returns the bytes that it has put into hid->s->data (requests to the host), 0, or
 * USB_STALL. */

static int answer(struct hid *hid, uint8_t byte)
{
    hid->s->data[0] = byte;
    return 1;
}

static int get_device_status(struct hid *hid, const struct hid_setup *req)
{
    hid->s->data[1] = 0;
    hid->s->data[0] = hid->s->remote_wakeup ? 2 : 0;
    return 2;
}

static int get_interface_status(struct hid *hid, const struct hid_setup *req)
{
    hid->s->data[0] = hid->s->data[1] = 0;
    return req->index == 0 ? 2 : USB_STALL;
}

static int get_endpoint_status(struct hid *hid, const struct hid_setup *req)
{
    hid->s->data[0] = req->index == ENDPOINT_1_IN && hid->s->halted;
    hid->s->data[1] = 0;
    return req->index == ENDPOINT_1_IN || (req->index & 0x7f) == 0 ? 2 : USB_STALL;
}

static int device_feature(struct hid *hid, const struct hid_setup *req)
{
    if (req->value != FEATURE_REMOTE_WAKEUP)
        return USB_STALL;
    hid->s->remote_wakeup = req->request == SET_FEATURE;
    return 0;
}

static int endpoint_feature(struct hid *hid, const struct hid_setup *req)
{
    if (req->value != FEATURE_ENDPOINT_HALT || req->index != ENDPOINT_1_IN)
        return USB_STALL;
    hid->s->halted = req->request == SET_FEATURE;
    return 0;
}

static int set_address(struct hid *hid, const struct hid_setup *req)
{
    if (req->value > 127)
        return USB_STALL;
    hid->s->new_address = (uint8_t)req->value; /* counts after the status stage */
    return 0;
}

static int get_descriptor(struct hid *hid, const struct hid_setup *req)
{
    uint8_t type = (uint8_t)(req->value >> 8);
    size_t length = 0;

    /* Those of the class are asked of the interface, the others of the device. */
    if ((type == DESCRIPTOR_HID || type == DESCRIPTOR_REPORT) == (req->type & 1))
        length = hid_descriptor(hid->kind, type, (uint8_t)req->value, hid->s->data);
    return length ? (int)length : USB_STALL;
}

static int get_configuration(struct hid *hid, const struct hid_setup *req)
{
    return answer(hid, hid->s->configuration);
}

static int set_configuration(struct hid *hid, const struct hid_setup *req)
{
    if (req->value > 1)
        return USB_STALL;
    hid_configure(hid, (uint8_t)req->value);
    return 0;
}

static int get_interface(struct hid *hid, const struct hid_setup *req)
{
    return req->index == 0 ? answer(hid, 0) : USB_STALL;
}

static int set_interface(struct hid *hid, const struct hid_setup *req)
{
    return req->index == 0 && req->value == 0 ? 0 : USB_STALL;
}

static int get_report(struct hid *hid, const struct hid_setup *req)
{
    if (req->value != REPORT_INPUT << 8 || req->index != 0)
        return USB_STALL;
    return (int)hid_report_now(hid, hid->s->data);
}

static int set_report(struct hid *hid, const struct hid_setup *req)
{
    if (hid->kind != HID_KEYBOARD || req->value != REPORT_OUTPUT << 8 || req->length != 1)
        return USB_STALL;
    hid_set_leds(hid, hid->s->data[0]);
    return 0;
}

static int get_idle(struct hid *hid, const struct hid_setup *req)
{
    return answer(hid, hid->s->idle);
}

static int set_idle(struct hid *hid, const struct hid_setup *req)
{
    if ((req->value & 0xff) != 0 || req->index != 0)
        return USB_STALL; /* reports have no numbers here */
    hid->s->idle = (uint8_t)(req->value >> 8);
    return 0;
}

static int get_protocol(struct hid *hid, const struct hid_setup *req)
{
    return hid->kind == HID_TABLET ? USB_STALL : answer(hid, !hid->s->boot_protocol);
}

static int set_protocol(struct hid *hid, const struct hid_setup *req)
{
    if (hid->kind == HID_TABLET || req->value > 1)
        return USB_STALL;
    hid->s->boot_protocol = req->value == 0;
    return 0;
}

struct request_row {
    uint8_t type, request;
    uint8_t data_max; /* of data to the device; 0: none */
    int (*handle)(struct hid *hid, const struct hid_setup *req);
};

static const struct request_row requests[] = {
    {TO_HOST | STANDARD_DEVICE, GET_STATUS, 0, get_device_status},
    {TO_HOST | STANDARD_INTERFACE, GET_STATUS, 0, get_interface_status},
    {TO_HOST | STANDARD_ENDPOINT, GET_STATUS, 0, get_endpoint_status},
    {STANDARD_DEVICE, CLEAR_FEATURE, 0, device_feature},
    {STANDARD_DEVICE, SET_FEATURE, 0, device_feature},
    {STANDARD_ENDPOINT, CLEAR_FEATURE, 0, endpoint_feature},
    {STANDARD_ENDPOINT, SET_FEATURE, 0, endpoint_feature},
    {STANDARD_DEVICE, SET_ADDRESS, 0, set_address},
    {TO_HOST | STANDARD_DEVICE, GET_DESCRIPTOR, 0, get_descriptor},
    {TO_HOST | STANDARD_INTERFACE, GET_DESCRIPTOR, 0, get_descriptor},
    {TO_HOST | STANDARD_DEVICE, GET_CONFIGURATION, 0, get_configuration},
    {STANDARD_DEVICE, SET_CONFIGURATION, 0, set_configuration},
    {TO_HOST | STANDARD_INTERFACE, GET_INTERFACE, 0, get_interface},
    {STANDARD_INTERFACE, SET_INTERFACE, 0, set_interface},
    {TO_HOST | CLASS_INTERFACE, HID_GET_REPORT, 0, get_report},
    {TO_HOST | CLASS_INTERFACE, HID_GET_IDLE, 0, get_idle},
    {TO_HOST | CLASS_INTERFACE, HID_GET_PROTOCOL, 0, get_protocol},
    {CLASS_INTERFACE, HID_SET_REPORT, 1, set_report},
    {CLASS_INTERFACE, HID_SET_IDLE, 0, set_idle},
    {CLASS_INTERFACE, HID_SET_PROTOCOL, 0, set_protocol},
};

static const struct request_row *find_row(const struct hid_setup *req)
{
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
        if (requests[i].type == req->type && requests[i].request == req->request)
            return &requests[i];
    return NULL;
}

static struct hid_setup setup_of(const struct hid_state *s)
{
    const uint8_t *p = s->setup;

    return (struct hid_setup){
        .type = p[0],
        .request = p[1],
        .value = (uint16_t)(p[2] | p[3] << 8),
        .index = (uint16_t)(p[4] | p[5] << 8),
        .length = (uint16_t)(p[6] | p[7] << 8),
    };
}

/* ---- transactions --------------------------------------------------------------------------- */

/* The request without data to the device is done at once; how its transfer goes on. */
static uint8_t begin(struct hid *hid, const struct hid_setup *req)
{
    const struct request_row *row = find_row(req);
    int rc;

    if (!row)
        return HID_STALLED;
    if (!(req->type & TO_HOST) && req->length) {
        if (req->length > row->data_max)
            return HID_STALLED;
        hid->s->data_length = req->length;
        return HID_DATA_OUT;
    }
    if (row->data_max)
        return HID_STALLED; /* it needs data */
    rc = row->handle(hid, req);
    if (rc < 0)
        return HID_STALLED;
    hid->s->data_length = (uint16_t)(rc < req->length ? rc : req->length);
    return req->length ? HID_DATA_IN : HID_STATUS_IN;
}

int hid_control_setup(struct hid *hid, const uint8_t *data, size_t length)
{
    struct hid_state *s = hid->s;
    struct hid_setup req;

    if (length != sizeof(s->setup))
        return USB_NO_ANSWER;
    memcpy(s->setup, data, sizeof(s->setup));
    memset(s->data, 0, sizeof(s->data));
    s->data_length = s->data_position = 0;
    s->new_address = s->address;
    req = setup_of(s);
    s->stage = begin(hid, &req);
    return 0;
}

int hid_control_out(struct hid *hid, const uint8_t *data, size_t length)
{
    struct hid_state *s = hid->s;
    struct hid_setup req = setup_of(s);
    const struct request_row *row;

    switch (s->stage) {
    case HID_DATA_IN: /* the status stage, perhaps before the host has fetched everything */
        s->stage = HID_IDLE;
        return 0;
    case HID_DATA_OUT:
        row = find_row(&req); /* looked up again: a restored state names it by its setup alone */
        if (!row || length > (size_t)(s->data_length - s->data_position))
            break;
        memcpy(s->data + s->data_position, data, length);
        s->data_position += (uint16_t)length;
        if (s->data_position < s->data_length)
            return 0;
        if (row->handle(hid, &req) < 0)
            break;
        s->stage = HID_STATUS_IN;
        return 0;
    default:
        break;
    }
    s->stage = HID_STALLED;
    return USB_STALL;
}

int hid_control_in(struct hid *hid, uint8_t packet[USB_PACKET_MAX])
{
    struct hid_state *s = hid->s;
    size_t left = s->data_length - s->data_position;

    switch (s->stage) {
    case HID_DATA_IN:
        left = left < HID_EP0_PACKET ? left : HID_EP0_PACKET;
        memcpy(packet, s->data + s->data_position, left);
        s->data_position += (uint16_t)left;
        return (int)left;
    case HID_STATUS_IN:
        s->address = s->new_address;
        s->stage = HID_IDLE;
        return 0;
    default:
        s->stage = HID_STALLED;
        return USB_STALL;
    }
}
