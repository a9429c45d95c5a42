/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hub between keyboards and pointers of viewers and those of the guest.
 *
 * It remembers what is held down, so that nothing stays down when a viewer vanishes or a device
 * steps back. It queues nothing: bounded queues are the devices' business, since only they know
 * what a full one means to the guest.
 */
#include "ui/input.h"
#include <errno.h>
#include <stdlib.h>

struct input {
    struct input_sink *sinks; /* last added first */
    struct input_led_watch *watches;
    uint64_t down[INPUT_KEY_COUNT / 64];
    uint32_t buttons;
    uint32_t leds;
    uint32_t screen_width, screen_height;
    uint16_t abs_x, abs_y; /* last absolute position */
    bool abs_known;
};

int input_create(struct input **out)
{
    struct input *input = calloc(1, sizeof(*input));

    if (!input)
        return -ENOMEM;
    input->screen_width = 640;
    input->screen_height = 480;
    *out = input;
    return 0;
}

void input_destroy(struct input *input)
{
    free(input);
}

static struct input_sink *key_sink(const struct input *input)
{
    struct input_sink *sink = input->sinks;

    while (sink && !(sink->active && sink->key))
        sink = sink->next;
    return sink;
}

static struct input_sink *pointer_sink(const struct input *input)
{
    struct input_sink *sink = input->sinks;

    while (sink && !(sink->active && (sink->rel || sink->abs)))
        sink = sink->next;
    return sink;
}

/* Lets go of what is down, on the devices that events go to now. */
static void release_keys(struct input *input)
{
    struct input_sink *sink = key_sink(input);

    for (unsigned word = 0; word < sizeof(input->down) / sizeof(input->down[0]); word++) {
        while (input->down[word]) {
            unsigned bit = (unsigned)__builtin_ctzll(input->down[word]);

            input->down[word] &= input->down[word] - 1;
            if (sink)
                sink->key(sink->opaque, (uint16_t)(word * 64 + bit), false);
        }
    }
}

static void release_buttons(struct input *input)
{
    struct input_sink *sink = pointer_sink(input);

    if (input->buttons && sink) {
        if (sink->abs)
            sink->abs(sink->opaque, input->abs_x, input->abs_y, 0, 0);
        else
            sink->rel(sink->opaque, 0, 0, 0, 0);
    }
    input->buttons = 0;
}

void input_release_all(struct input *input)
{
    release_keys(input);
    release_buttons(input);
}

void input_sink_add(struct input *input, struct input_sink *sink)
{
    sink->active = false;
    sink->next = input->sinks;
    input->sinks = sink;
    input_sink_activate(input, sink, true);
}

static void tell_pointer(struct input *input, bool absolute)
{
    for (struct input_led_watch *watch = input->watches; watch; watch = watch->next)
        if (watch->pointer)
            watch->pointer(watch->opaque, absolute);
}

void input_sink_activate(struct input *input, struct input_sink *sink, bool active)
{
    bool absolute = input_wants_abs(input);

    if (sink->active == active)
        return;
    /* The receivers may change: those of now hear that everything is up. */
    if (sink->key)
        release_keys(input);
    if (sink->rel || sink->abs)
        release_buttons(input);
    sink->active = active;
    if (input_wants_abs(input) != absolute)
        tell_pointer(input, !absolute);
}

void input_sink_remove(struct input *input, struct input_sink *sink)
{
    struct input_sink **link = &input->sinks;

    input_sink_activate(input, sink, false);
    while (*link && *link != sink)
        link = &(*link)->next;
    if (*link)
        *link = sink->next;
}

void input_key(struct input *input, uint16_t code, bool down)
{
    struct input_sink *sink = key_sink(input);
    uint64_t bit = UINT64_C(1) << code % 64;

    if (code >= INPUT_KEY_COUNT || !sink)
        return;
    if (!down && !(input->down[code / 64] & bit))
        return; /* it has been released already, or was never pressed here */
    if (down)
        input->down[code / 64] |= bit;
    else
        input->down[code / 64] &= ~bit;
    sink->key(sink->opaque, code, down);
}

bool input_key_is_down(const struct input *input, uint16_t code)
{
    return code < INPUT_KEY_COUNT && (input->down[code / 64] >> code % 64 & 1);
}

void input_rel(struct input *input, int32_t dx, int32_t dy, int32_t dz, uint32_t buttons)
{
    struct input_sink *sink = pointer_sink(input);

    buttons &= INPUT_BUTTON_ALL;
    if (!sink)
        return;
    input->buttons = buttons;
    if (sink->rel) {
        sink->rel(sink->opaque, dx, dy, dz, buttons);
        return;
    }
    /* A tablet: movement in pixels from the last position, kept on the screen. */
    int64_t x = input->abs_x + (int64_t)dx * INPUT_ABS_MAX / input->screen_width;
    int64_t y = input->abs_y + (int64_t)dy * INPUT_ABS_MAX / input->screen_height;
    x = x < 0 ? 0 : x > INPUT_ABS_MAX ? INPUT_ABS_MAX : x;
    y = y < 0 ? 0 : y > INPUT_ABS_MAX ? INPUT_ABS_MAX : y;
    input->abs_x = (uint16_t)x;
    input->abs_y = (uint16_t)y;
    input->abs_known = true;
    sink->abs(sink->opaque, input->abs_x, input->abs_y, dz, buttons);
}

void input_abs(struct input *input, uint16_t x, uint16_t y, int32_t dz, uint32_t buttons)
{
    struct input_sink *sink = pointer_sink(input);
    int32_t dx = 0, dy = 0;

    x = x > INPUT_ABS_MAX ? INPUT_ABS_MAX : x;
    y = y > INPUT_ABS_MAX ? INPUT_ABS_MAX : y;
    buttons &= INPUT_BUTTON_ALL;
    if (!sink)
        return;
    if (input->abs_known) {
        /* Differences of whole pixels, so that rounding does not add up. */
        dx = (int32_t)((uint64_t)x * input->screen_width / (INPUT_ABS_MAX + 1)) -
             (int32_t)((uint64_t)input->abs_x * input->screen_width / (INPUT_ABS_MAX + 1));
        dy = (int32_t)((uint64_t)y * input->screen_height / (INPUT_ABS_MAX + 1)) -
             (int32_t)((uint64_t)input->abs_y * input->screen_height / (INPUT_ABS_MAX + 1));
    }
    input->abs_x = x;
    input->abs_y = y;
    input->abs_known = true;
    input->buttons = buttons;
    if (sink->abs)
        sink->abs(sink->opaque, x, y, dz, buttons);
    else
        sink->rel(sink->opaque, dx, dy, dz, buttons);
}

void input_set_screen(struct input *input, uint32_t width, uint32_t height)
{
    if (width == 0 || height == 0 || width > INPUT_ABS_MAX || height > INPUT_ABS_MAX)
        return;
    input->screen_width = width;
    input->screen_height = height;
}

bool input_wants_abs(const struct input *input)
{
    const struct input_sink *sink = pointer_sink(input);

    return sink && sink->abs;
}

void input_set_leds(struct input *input, uint32_t leds)
{
    if (leds == input->leds)
        return;
    input->leds = leds;
    for (struct input_led_watch *watch = input->watches, *next; watch; watch = next) {
        next = watch->next; /* a watch may remove itself */
        watch->leds(watch->opaque, leds);
    }
}

uint32_t input_leds(const struct input *input)
{
    return input->leds;
}

void input_led_watch_add(struct input *input, struct input_led_watch *watch)
{
    watch->next = input->watches;
    input->watches = watch;
    watch->leds(watch->opaque, input->leds);
}

void input_led_watch_remove(struct input *input, struct input_led_watch *watch)
{
    struct input_led_watch **link = &input->watches;

    while (*link && *link != watch)
        link = &(*link)->next;
    if (*link)
        *link = watch->next;
}
