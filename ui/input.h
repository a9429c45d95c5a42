/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keys and pointer: from those who have them (front-ends, QMP) to the devices that show them to
 * the guest. One hub a guest; everything here is called on the device thread.
 *
 * Keys are Linux evdev codes (KEY_* of <linux/input-event-codes.h>): they name the position of a
 * key, not what is printed on it. Directions are evdev's too: +x right, +y down, +wheel away from
 * the user.
 */
#ifndef UI_INPUT_H
#define UI_INPUT_H

#include <stdbool.h>
#include <stdint.h>

/* Key codes are below this; others are dropped by the hub. */
#define INPUT_KEY_COUNT 0x300

/* Pointer buttons, a mask of those that are down. */
enum {
    INPUT_BUTTON_LEFT = 1,
    INPUT_BUTTON_RIGHT = 2,
    INPUT_BUTTON_MIDDLE = 4,
    INPUT_BUTTON_SIDE = 8,   /* "back" */
    INPUT_BUTTON_EXTRA = 16, /* "forward" */
    INPUT_BUTTON_ALL = 31,
};

/* Keyboard lamps, a mask of those that are lit. */
enum { INPUT_LED_SCROLL = 1, INPUT_LED_NUM = 2, INPUT_LED_CAPS = 4 };

/* Absolute positions run from 0 (left, top) to this (right, bottom). */
#define INPUT_ABS_MAX 0x7fff

struct input;

/*
 * A device that takes events. The struct is the device's and must live until input_sink_remove().
 * A handler that is NULL means that this device has no such part. Each kind of event goes to the
 * active sink that was added last among those that have its handler.
 */
struct input_sink {
    const char *name;
    /* down again without an up between: the viewer's key repeats. code < INPUT_KEY_COUNT. */
    void (*key)(void *opaque, uint16_t code, bool down);
    /* Movement since the last event, and all buttons that are down now. */
    void (*rel)(void *opaque, int32_t dx, int32_t dy, int32_t dz, uint32_t buttons);
    /* Position, wheel steps since the last event, and all buttons that are down now. */
    void (*abs)(void *opaque, uint16_t x, uint16_t y, int32_t dz, uint32_t buttons);
    void *opaque;
    /* Private; see input_sink_activate(). */
    bool active;
    struct input_sink *next;
};

/* Told of every change of the lamps, and once when added; and, when it wants to know, of a change
 * of input_wants_abs(). Must live until removed. */
struct input_led_watch {
    void (*leds)(void *opaque, uint32_t leds);
    void (*pointer)(void *opaque, bool absolute); /* or NULL */
    void *opaque;
    struct input_led_watch *next; /* private */
};

/* Returns 0 or -ENOMEM. */
int input_create(struct input **out);
void input_destroy(struct input *input);

/* ---- for devices ---------------------------------------------------------------------------- */

/* Added sinks are active. */
void input_sink_add(struct input *input, struct input_sink *sink);
void input_sink_remove(struct input *input, struct input_sink *sink);

/* A device that the guest has not set up (a tablet without a driver) steps back. Keys held down
 * at that time are released on the sink that had them. */
void input_sink_activate(struct input *input, struct input_sink *sink, bool active);

/* The guest has set its keyboard's lamps. */
void input_set_leds(struct input *input, uint32_t leds);

/* ---- for those who have a keyboard and a pointer --------------------------------------------- */

void input_key(struct input *input, uint16_t code, bool down);
void input_rel(struct input *input, int32_t dx, int32_t dy, int32_t dz, uint32_t buttons);
/* A sink with relative movement only gets the difference to the last position, in pixels of the
 * screen that input_set_screen() has told. */
void input_abs(struct input *input, uint16_t x, uint16_t y, int32_t dz, uint32_t buttons);

/* Pixels of the guest's screen, for turning absolute into relative movement. */
void input_set_screen(struct input *input, uint32_t width, uint32_t height);

/* Whether absolute positions reach the guest as such. */
bool input_wants_abs(const struct input *input);

/* Releases every key and button that is down: the one who held them is gone. */
void input_release_all(struct input *input);

bool input_key_is_down(const struct input *input, uint16_t code);
uint32_t input_leds(const struct input *input);
void input_led_watch_add(struct input *input, struct input_led_watch *watch);
void input_led_watch_remove(struct input *input, struct input_led_watch *watch);

#endif
