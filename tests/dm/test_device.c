/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The list of devices: who is reset when, and in which order they are asked. */
#include "dm/device.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* What was called, a letter each: the device's name, and below it the verb. */
struct calls {
    char text[32];
};

struct dev {
    char name;
    struct calls *calls;
    bool busy;
};

static void note(struct dev *dev, char verb)
{
    size_t len = strlen(dev->calls->text);

    dev->calls->text[len] = dev->name;
    dev->calls->text[len + 1] = verb;
}

static void reset(void *dev)
{
    note(dev, 'r');
}

static void loaded(void *dev)
{
    note(dev, 'l');
}

static void destroy(void *dev)
{
    note(dev, 'd');
}

static bool busy(void *dev)
{
    return ((struct dev *)dev)->busy;
}

static const struct device_ops chipset = {
    .name = "chipset", .stays_on = true, .reset = reset, .loaded = loaded, .destroy = destroy};
static const struct device_ops endpoint = {
    .name = "endpoint", .reset = reset, .busy = busy, .destroy = destroy};
static const struct device_ops bare = {.name = "bare"};

struct rig {
    struct device_list *list;
    struct calls calls;
    struct dev dev[4];
};

static void rig_init(struct rig *rig)
{
    static const struct device_ops *const ops[] = {&chipset, &endpoint, &bare, &endpoint};

    memset(rig, 0, sizeof(*rig));
    assert_int_equal(device_list_create(&rig->list), 0);
    for (unsigned i = 0; i < 4; i++) {
        rig->dev[i] = (struct dev){(char)('A' + i), &rig->calls, false};
        assert_int_equal(device_register(rig->list, ops[i], &rig->dev[i]), 0);
    }
}

static void test_reset_is_for_all(void **state)
{
    struct rig rig;

    rig_init(&rig);
    device_reset_all(rig.list);
    assert_string_equal(rig.calls.text, "ArBrDr");
    device_list_destroy(rig.list);
}

static void test_wake_up_spares_the_chipset(void **state)
{
    struct rig rig;

    rig_init(&rig);
    device_wake_all(rig.list);
    assert_string_equal(rig.calls.text, "BrDr");
    device_list_destroy(rig.list);
}

static void test_loaded_and_destroyed(void **state)
{
    struct rig rig;

    rig_init(&rig);
    device_loaded_all(rig.list);
    device_list_destroy(rig.list);
    assert_string_equal(rig.calls.text, "AlDdBdAd");
}

static void test_who_is_busy(void **state)
{
    struct rig rig;

    rig_init(&rig);
    assert_null(device_busy(rig.list));
    rig.dev[3].busy = true;
    assert_string_equal(device_busy(rig.list), "endpoint");
    device_list_destroy(rig.list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reset_is_for_all),
        cmocka_unit_test(test_wake_up_spares_the_chipset),
        cmocka_unit_test(test_loaded_and_destroyed),
        cmocka_unit_test(test_who_is_busy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
