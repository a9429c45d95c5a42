/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Descriptors (USB 1.1, 9.6; HID 1.11, 6.2). Vendor, product and revision are those that guests of
 * QEMU know, so that a guest which moves here has the driver already, and so that Linux suspends
 * the device while nobody uses it. There is no serial number: all devices of one guest would have
 * the same one, and Windows would not take the second; without one it goes by the port.
 * They must never change: Windows would take the device for another one.
 */
#include <string.h>

#include "hw/usb/hid_internal.h"

enum {
    TYPE_DEVICE = 1,
    TYPE_CONFIGURATION = 2,
    TYPE_STRING = 3,
    TYPE_HID = 0x21,
    TYPE_REPORT = 0x22,

    STRING_MANUFACTURER = 1,
    STRING_PRODUCT = 2,
    STRINGS,

    CONFIGURATION_BYTES = 9,
    INTERFACE_BYTES = 9,
    HID_BYTES = 9,
    ENDPOINT_BYTES = 7,
    TOTAL_BYTES = CONFIGURATION_BYTES + INTERFACE_BYTES + HID_BYTES + ENDPOINT_BYTES,

    POLL_MS = 10,
};

/* clang-format off */
static const uint8_t device_descriptor[] = {
    18, TYPE_DEVICE,
    0x10, 0x01, /* USB 1.10: there is no high-speed variant to ask for */
    0, 0, 0,    /* the class is the interface's */
    HID_EP0_PACKET,
    0x27, 0x06, /* vendor 0627 */
    0x01, 0x00, /* product 0001 */
    0x00, 0x00, /* revision 0 */
    STRING_MANUFACTURER, STRING_PRODUCT, 0,
    1,          /* configurations */
};
/* clang-format on */

/* clang-format off */
/* How tablet and mouse begin: a pointer with five buttons in the first byte. */
#define POINTER_WITH_BUTTONS                                                                       \
    0x05, 0x01, /* Usage Page (Generic Desktop) */                                                 \
    0x09, 0x02, /* Usage (Mouse) */                                                                \
    0xa1, 0x01, /* Collection (Application) */                                                     \
    0x09, 0x01, /*  Usage (Pointer) */                                                             \
    0xa1, 0x00, /*  Collection (Physical) */                                                       \
    0x05, 0x09, /*   Usage Page (Button) */                                                        \
    0x19, 0x01, /*   Usage Minimum (1) */                                                          \
    0x29, 0x05, /*   Usage Maximum (5) */                                                          \
    0x15, 0x00, /*   Logical Minimum (0) */                                                        \
    0x25, 0x01, /*   Logical Maximum (1) */                                                        \
    0x75, 0x01, /*   Report Size (1) */                                                            \
    0x95, 0x05, /*   Report Count (5) */                                                           \
    0x81, 0x02, /*   Input (Data, Variable, Absolute) */                                           \
    0x75, 0x03, /*   Report Size (3) */                                                            \
    0x95, 0x01, /*   Report Count (1) */                                                           \
    0x81, 0x01, /*   Input (Constant) */                                                           \
    0x05, 0x01, /*   Usage Page (Generic Desktop) */                                               \
    0x09, 0x30, /*   Usage (X) */                                                                  \
    0x09, 0x31  /*   Usage (Y) */

/* And how both end: movements of -127..127 in bytes. */
#define SIGNED_BYTES(count)                                                                        \
    0x09, 0x38,  /*   Usage (Wheel) */                                                             \
    0x15, 0x81,  /*   Logical Minimum (-7F) */                                                     \
    0x25, 0x7f,  /*   Logical Maximum (7F) */                                                      \
    0x45, 0x00,  /*   Physical Maximum (0): as logical */                                          \
    0x75, 0x08,  /*   Report Size (8) */                                                           \
    0x95, count, /*   Report Count */                                                              \
    0x81, 0x06,  /*   Input (Data, Variable, Relative) */                                          \
    0xc0, 0xc0   /* End Collection, twice */

static const uint8_t tablet_report[] = {
    POINTER_WITH_BUTTONS,
    0x26, 0xff, 0x7f, /*   Logical Maximum (7FFF) */
    0x35, 0x00,       /*   Physical Minimum (0) */
    0x46, 0xff, 0x7f, /*   Physical Maximum (7FFF) */
    0x75, 0x10,       /*   Report Size (16) */
    0x95, 0x02,       /*   Report Count (2) */
    0x81, 0x02,       /*   Input (Data, Variable, Absolute) */
    SIGNED_BYTES(1),
};

/* X and Y are of the same kind as the wheel here. */
static const uint8_t mouse_report[] = {POINTER_WITH_BUTTONS, SIGNED_BYTES(3)};
/* clang-format on */

static const uint8_t keyboard_report[] = {
    0x05, 0x01,       /* Usage Page (Generic Desktop) */
    0x09, 0x06,       /* Usage (Keyboard) */
    0xa1, 0x01,       /* Collection (Application) */
    0x05, 0x07,       /*  Usage Page (Keyboard) */
    0x19, 0xe0,       /*  Usage Minimum (Left Control) */
    0x29, 0xe7,       /*  Usage Maximum (Right GUI) */
    0x15, 0x00,       /*  Logical Minimum (0) */
    0x25, 0x01,       /*  Logical Maximum (1) */
    0x75, 0x01,       /*  Report Size (1) */
    0x95, 0x08,       /*  Report Count (8) */
    0x81, 0x02,       /*  Input (Data, Variable, Absolute) */
    0x75, 0x08,       /*  Report Size (8) */
    0x95, 0x01,       /*  Report Count (1) */
    0x81, 0x01,       /*  Input (Constant) */
    0x05, 0x08,       /*  Usage Page (LED) */
    0x19, 0x01,       /*  Usage Minimum (Num Lock) */
    0x29, 0x05,       /*  Usage Maximum (Kana) */
    0x75, 0x01,       /*  Report Size (1) */
    0x95, 0x05,       /*  Report Count (5) */
    0x91, 0x02,       /*  Output (Data, Variable, Absolute) */
    0x75, 0x03,       /*  Report Size (3) */
    0x95, 0x01,       /*  Report Count (1) */
    0x91, 0x01,       /*  Output (Constant) */
    0x05, 0x07,       /*  Usage Page (Keyboard) */
    0x19, 0x00,       /*  Usage Minimum (0) */
    0x29, 0xdf,       /*  Usage Maximum (DF) */
    0x26, 0xdf, 0x00, /*  Logical Maximum (DF) */
    0x75, 0x08,       /*  Report Size (8) */
    0x95, 0x06,       /*  Report Count (6) */
    0x81, 0x00,       /*  Input (Data, Array) */
    0xc0,             /* End Collection */
};

static const struct hid_model {
    const char *product;
    uint8_t subclass, protocol; /* of the boot interface. A tablet has none: firmware would take
                                 * it for a mouse with relative movements */
    const uint8_t *report;
    uint8_t report_bytes;
} models[] = {
    [HID_TABLET] = {"USB Tablet", 0, 0, tablet_report, sizeof(tablet_report)},
    [HID_MOUSE] = {"USB Mouse", 1, 2, mouse_report, sizeof(mouse_report)},
    [HID_KEYBOARD] = {"USB Keyboard", 1, 1, keyboard_report, sizeof(keyboard_report)},
};

_Static_assert(sizeof(tablet_report) <= HID_DATA_MAX, "a descriptor fits into a control transfer");
_Static_assert(sizeof(keyboard_report) <= HID_DATA_MAX, "and so does the longest one");

static size_t copy(uint8_t out[HID_DATA_MAX], const void *data, size_t length)
{
    memcpy(out, data, length);
    return length;
}

static size_t hid_class_descriptor(const struct hid_model *model, uint8_t out[HID_DATA_MAX])
{
    const uint8_t hid[HID_BYTES] = {
        HID_BYTES, TYPE_HID, 0x11,        0x01, /* HID 1.11 */
        0,         1,        TYPE_REPORT, model->report_bytes,
        0,
    };

    return copy(out, hid, sizeof(hid));
}

static size_t configuration_descriptor(const struct hid_model *model, uint8_t out[HID_DATA_MAX])
{
    const uint8_t head[CONFIGURATION_BYTES + INTERFACE_BYTES] = {
        /* configuration 1 with one interface: powered by the bus, remote wake-up, 100 mA */
        CONFIGURATION_BYTES,
        TYPE_CONFIGURATION,
        TOTAL_BYTES,
        0,
        1,
        1,
        0,
        0xa0,
        50,
        /* interface 0 with one endpoint, class 3 */
        INTERFACE_BYTES,
        4,
        0,
        0,
        1,
        3,
        model->subclass,
        model->protocol,
        0,
    };
    const uint8_t endpoint[ENDPOINT_BYTES] = {
        ENDPOINT_BYTES, 5, 0x81, 3 /* interrupt */, HID_REPORT_MAX, 0, POLL_MS,
    };
    size_t n = copy(out, head, sizeof(head));

    n += hid_class_descriptor(model, out + n);
    return n + copy(out + n, endpoint, sizeof(endpoint));
}

static size_t string_descriptor(const struct hid_model *model, uint8_t index,
                                uint8_t out[HID_DATA_MAX])
{
    static const uint8_t languages[] = {4, TYPE_STRING, 0x09, 0x04}; /* US English */
    const char *const text[] = {
        [STRING_MANUFACTURER] = "slimdm",
        [STRING_PRODUCT] = model->product,
    };
    size_t n = 2;

    if (index == 0)
        return copy(out, languages, sizeof(languages));
    if (index >= STRINGS)
        return 0;
    for (const char *c = text[index]; *c; c++) {
        out[n++] = (uint8_t)*c;
        out[n++] = 0;
    }
    out[0] = (uint8_t)n;
    out[1] = TYPE_STRING;
    return n;
}

size_t hid_descriptor(enum hid_kind kind, uint8_t type, uint8_t index, uint8_t out[HID_DATA_MAX])
{
    const struct hid_model *model = &models[kind];

    if (type == TYPE_STRING)
        return string_descriptor(model, index, out);
    if (index != 0)
        return 0;
    switch (type) {
    case TYPE_DEVICE:
        return copy(out, device_descriptor, sizeof(device_descriptor));
    case TYPE_CONFIGURATION:
        return configuration_descriptor(model, out);
    case TYPE_HID:
        return hid_class_descriptor(model, out);
    case TYPE_REPORT:
        return copy(out, model->report, model->report_bytes);
    default:
        return 0;
    }
}
