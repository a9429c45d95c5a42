/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The cable between a host controller and a device: one transaction at a time, as USB 1.1 has
 * them. The controller knows no device, a device knows no controller.
 */
#ifndef HW_USB_USB_H
#define HW_USB_USB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The longest packet of any endpoint here. A longer OUT packet gets no answer. */
#define USB_PACKET_MAX 64u

/* What a device answers other than with data. */
enum usb_answer {
    USB_NAK = -1,       /* nothing to say now, or no room now */
    USB_STALL = -2,     /* this cannot be done */
    USB_NO_ANSWER = -3, /* silence: the host sees a time-out */
};

struct usb_device_ops {
    /* Reset signalling on the bus: address 0, not configured. */
    void (*reset)(void *dev);
    uint8_t (*address)(void *dev);
    /* 0, or an enum usb_answer. */
    int (*setup)(void *dev, unsigned endpoint, const uint8_t *data, size_t length);
    int (*out)(void *dev, unsigned endpoint, const uint8_t *data, size_t length);
    /* Bytes put into the packet, or an enum usb_answer. */
    int (*in)(void *dev, unsigned endpoint, uint8_t packet[USB_PACKET_MAX]);
    /* Guest time in ns from which on an interrupt endpoint answers with data: 0 when it does so
     * already, TIMER_NEVER when it has nothing to say. */
    uint64_t (*ready_at)(void *dev);
    /* Whether the host has enabled remote wake-up. */
    bool (*may_wake)(void *dev);
};

struct usb_device {
    const struct usb_device_ops *ops;
    void *dev;
    /* Set by the controller when the device is attached. The device calls it when its interrupt
     * endpoint has more to say; `first`: it had nothing to say before. NULL: not attached. */
    void (*has_data)(void *opaque, struct usb_device *device, bool first);
    void *controller;
};

#endif
