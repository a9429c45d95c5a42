/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a watcher of the screen is told: the pixels that differ, all of them, and little else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "hw/vga/vga_core.h"
#include "tests/hw/vga/testvga.h"

#define SECOND UINT64_C(1000000000)

static struct testvga t;
static struct surface shadow; /* what a viewer has, who gets the damage and nothing else */
static unsigned changed_calls;

static void changed(void *opaque)
{
    changed_calls++;
}

static int setup(void **state)
{
    struct display *display;

    testvga_init(&t, 16 << 20);
    t.m.now = SECOND;
    for (unsigned n = 0; n < 256; n++)
        testvga_dac(&t, (uint8_t)n, n & 63, n / 4, 63 - (n & 63));
    testvga_config_write(&t, 0x10, 0xf0000000);
    testvga_config_write(&t, 0x04, 0x02);
    display = vga_display(t.vga);
    display->changed = changed;
    display->watched(display->dev, true);
    return 0;
}

static int teardown(void **state)
{
    surface_fini(&shadow);
    testvga_fini(&t);
    return 0;
}

/* A look, its damage carried over to the viewer, who must have the true screen afterwards. */
static struct display_damage look(void)
{
    struct display_damage damage = testvga_refresh(&t);
    struct surface truth = {0};
    struct display *display = vga_display(t.vga);

    if (damage.resized)
        assert_int_equal(surface_copy(&shadow, &t.screen), 0);
    for (unsigned i = 0; i < damage.count; i++) {
        const struct display_rect *r = &damage.rects[i];
        for (uint32_t y = r->y; y < r->y + r->height; y++)
            memcpy(surface_row(&shadow, y) + r->x, surface_row(&t.screen, y) + r->x, r->width * 4);
    }
    assert_int_equal(display->update(display->dev, &truth), 0);
    assert_int_equal(truth.width, shadow.width);
    assert_int_equal(truth.height, shadow.height);
    assert_memory_equal(truth.pixels, shadow.pixels, (size_t)truth.width * truth.height * 4);
    surface_fini(&truth);
    return damage;
}

static void assert_within(const struct display_damage *damage, uint32_t x, uint32_t y,
                          uint32_t width, uint32_t height)
{
    assert_int_equal(damage->count, 1);
    const struct display_rect *r = &damage->rects[0];
    assert_true(r->x >= x && r->x + r->width <= x + width);
    assert_true(r->y >= y && r->y + r->height <= y + height);
}

static void test_first_look_is_the_whole_screen(void **state)
{
    testvga_vbe_mode(&t, 800, 600, 32);
    struct display_damage damage = look();

    assert_true(damage.resized);
    assert_int_equal(damage.count, 1);
    assert_int_equal(damage.rects[0].width, 800);
    assert_int_equal(damage.rects[0].height, 600);
    damage = look();
    assert_false(damage.resized);
    assert_int_equal(damage.count, 0);
    assert_int_equal(damage.wait_ns, 0); /* the guest may draw at any time */
}

static void test_a_pixel_of_the_linear_frame_buffer(void **state)
{
    uint32_t white = 0xffffff;

    testvga_vbe_mode(&t, 800, 600, 32);
    look();
    testvga_guest_write(&t, (300 * 800 + 400) * 4, &white, 4);
    struct display_damage damage = look();
    assert_within(&damage, 400 / 32 * 32, 300, 64, 1);
    testvga_guest_write(&t, (300 * 800 + 400) * 4, &white, 4); /* the same again */
    damage = look();
    assert_int_equal(damage.count, 0);
}

static void test_places_apart_are_rectangles_apart(void **state)
{
    uint32_t white = 0xffffff;

    testvga_vbe_mode(&t, 800, 600, 32);
    look();
    testvga_guest_write(&t, (10 * 800 + 10) * 4, &white, 4);
    testvga_guest_write(&t, (10 * 800 + 700) * 4, &white, 4);
    for (unsigned y = 500; y < 560; y++)
        testvga_guest_write(&t, (y * 800 + 200) * 4, &white, 4);
    struct display_damage damage = look();
    assert_int_equal(damage.count, 3);
    assert_int_equal(damage.rects[2].y, 500);
    assert_int_equal(damage.rects[2].height, 60); /* bands are put together */
}

static void test_more_than_the_list_holds(void **state)
{
    uint32_t white = 0xffffff;

    testvga_vbe_mode(&t, 1024, 768, 32);
    look();
    for (unsigned i = 0; i < 200; i++)
        testvga_guest_write(&t, (i * 3 * 1024 + (i * 331) % 1024) * 4, &white, 4);
    assert_int_equal(look().count, DISPLAY_DAMAGE_MAX);
}

static void test_banked_writes_are_seen(void **state)
{
    testvga_set_mode(&t, &testvga_mode_13);
    testvga_vbe_mode(&t, 640, 480, 8);
    look();
    testvga_dispi(&t, 5, 1);
    machine_write(&t.m, 0xa0000, 1, 0x55);
    struct display_damage damage = look();
    assert_within(&damage, 0x10000 % 640 / 32 * 32, 0x10000 / 640, 32, 1);
}

static void test_planar_writes_are_seen(void **state)
{
    testvga_set_mode(&t, &testvga_mode_12);
    look();
    machine_write(&t.m, 0xa0000 + 80 * 100 + 7, 1, 0xff);
    struct display_damage damage = look();
    assert_within(&damage, 32, 100, 32, 1);
    assert_int_equal(damage.wait_ns, SECOND); /* nothing moves by itself */
}

static void test_text_cell_and_font(void **state)
{
    testvga_set_mode(&t, &testvga_mode_03);
    for (unsigned i = 0; i < 16; i++)
        t.vram.base[('A' * 32 + i) * 4 + 2] = 0x18;
    look();
    machine_write(&t.m, 0xb8000 + (12 * 80 + 40) * 2, 2, 0x0741);
    struct display_damage damage = look();
    assert_within(&damage, 40 * 9 / 32 * 32, 12 * 16, 64, 16);
    /* Another shape for A, as a BIOS loads fonts. */
    testvga_seq(&t, 2, 0x04);
    testvga_seq(&t, 4, 0x06);
    testvga_gfx(&t, 5, 0x00);
    testvga_gfx(&t, 6, 0x04);
    machine_write(&t.m, 0xa0000 + 'A' * 32 + 3, 1, 0xff);
    testvga_gfx(&t, 5, 0x10);
    testvga_gfx(&t, 6, 0x0e);
    damage = look();
    assert_within(&damage, 40 * 9 / 32 * 32, 12 * 16 + 3, 64, 1);
}

static void test_text_cursor_blinks_in_its_place(void **state)
{
    testvga_set_mode(&t, &testvga_mode_03);
    machine_write(&t.m, 0xb8000 + 5 * 2, 2, 0x0720);
    testvga_crtc(&t, 0x0f, 5);
    struct display_damage damage = look();
    assert_in_range(damage.wait_ns, 1, 228000000);
    machine_advance(&t.m, damage.wait_ns);
    damage = look();
    assert_within(&damage, 32, 13, 32, 2);
    testvga_crtc(&t, 0x0a, 0x20); /* off */
    machine_advance(&t.m, damage.wait_ns);
    look();
    damage = look();
    assert_int_equal(damage.count, 0);
    assert_int_equal(damage.wait_ns, SECOND);
}

static void test_blinking_characters(void **state)
{
    testvga_set_mode(&t, &testvga_mode_03);
    for (unsigned i = 0; i < 32; i++)
        t.vram.base[('B' * 32 + i) * 4 + 2] = 0xff;
    testvga_crtc(&t, 0x0a, 0x20);
    look();
    machine_write(&t.m, 0xb8000, 2, 0x8742);
    look();
    struct display_damage damage = look();
    assert_in_range(damage.wait_ns, 1, 456000000);
    machine_advance(&t.m, damage.wait_ns);
    damage = look();
    assert_within(&damage, 0, 0, 32, 16);
}

static void test_palette_at_8_bits(void **state)
{
    uint8_t seven = 7;

    testvga_vbe_mode(&t, 640, 480, 8);
    testvga_guest_write(&t, 640 * 20 + 64, &seven, 1);
    look();
    testvga_dac(&t, 7, 63, 0, 0);
    struct display_damage damage = look();
    assert_within(&damage, 64, 20, 32, 1); /* the only pixel of this colour */
}

static void test_page_flip(void **state)
{
    uint32_t white = 0xffffff;

    testvga_vbe_mode(&t, 640, 480, 32);
    testvga_dispi(&t, 6, 640);
    testvga_guest_write(&t, ((480 + 100) * 640 + 320) * 4, &white, 4);
    look();
    testvga_dispi(&t, 9, 480);
    struct display_damage damage = look();
    assert_within(&damage, 320, 100, 32, 1);
}

static void test_screen_off_and_half_set_modes(void **state)
{
    testvga_set_mode(&t, &testvga_mode_13);
    machine_write(&t.m, 0xa0000, 4, 0x01020304);
    look();
    testvga_seq(&t, 1, 0x21);
    struct display_damage damage = look();
    assert_int_equal(damage.resized, false);
    assert_true(damage.count > 0);
    testvga_seq(&t, 1, 0x01);
    look();
    testvga_crtc(&t, 0x11, 0);
    testvga_crtc(&t, 0x12, 1); /* two lines: no mode */
    testvga_crtc(&t, 0x07, 0);
    damage = testvga_refresh(&t);
    assert_int_equal(damage.count, 0);
    testvga_set_mode(&t, &testvga_mode_13);
    assert_int_equal(look().count, 0); /* the picture is still the same */
}

static void test_changed_is_called_once(void **state)
{
    testvga_set_mode(&t, &testvga_mode_12);
    look();
    changed_calls = 0;
    machine_write(&t.m, 0xa0000, 4, 0xffffffff);
    machine_write(&t.m, 0xa0004, 4, 0xffffffff);
    testvga_dac(&t, 1, 2, 3, 4);
    assert_int_equal(changed_calls, 1);
    look();
    testvga_attr(&t, 0x13, 4);
    assert_int_equal(changed_calls, 2);
    look();
    testvga_dispi(&t, 4, 1);
    assert_int_equal(changed_calls, 3);
}

static void test_nothing_is_followed_while_nobody_looks(void **state)
{
    struct display *display = vga_display(t.vga);
    uint32_t white = 0xffffff;

    testvga_vbe_mode(&t, 640, 480, 32);
    look();
    assert_int_not_equal(t.log_length, 0);
    display->watched(display->dev, false);
    assert_int_equal(t.log_length, 0);
    changed_calls = 0;
    unsigned asked = t.log_asked;
    testvga_guest_write(&t, 0, &white, 4);
    testvga_dispi(&t, 9, 1);
    testvga_dispi(&t, 9, 0);
    assert_int_equal(changed_calls, 0);
    assert_int_equal(t.log_asked, asked);
    display->watched(display->dev, true);
    struct display_damage damage = look();
    assert_within(&damage, 0, 0, 32, 1);
}

static void test_a_parked_frame_buffer_is_not_followed(void **state)
{
    testvga_vbe_mode(&t, 640, 480, 32);
    testvga_config_write(&t, 0x04, 0);
    unsigned asked = t.log_asked;
    assert_int_equal(look().wait_ns, SECOND);
    assert_int_equal(t.log_asked, asked);
    testvga_config_write(&t, 0x04, 2);
    assert_int_equal(look().wait_ns, 0);
    assert_int_equal(t.log_asked, asked + 1);
}

static void test_a_log_that_cannot_be_told(void **state)
{
    uint32_t white = 0xffffff;

    testvga_vbe_mode(&t, 640, 480, 32);
    look();
    t.log_error = -61; /* ENODATA */
    testvga_guest_write(&t, 128, &white, 4);
    struct display_damage damage = look();
    assert_within(&damage, 32, 0, 32, 1);
    assert_int_equal(look().count, 0);
}

static void test_save_and_load_and_reset(void **state)
{
    testvga_set_mode(&t, &testvga_mode_13);
    machine_write(&t.m, 0xa0000, 4, 0x01020304);
    look();
    assert_null(machine_save_load(&t.m));
    assert_int_equal(look().count, 0);
    device_reset_all(t.m.env.devices);
    testvga_refresh(&t);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_first_look_is_the_whole_screen),
        TEST(test_a_pixel_of_the_linear_frame_buffer),
        TEST(test_places_apart_are_rectangles_apart),
        TEST(test_more_than_the_list_holds),
        TEST(test_banked_writes_are_seen),
        TEST(test_planar_writes_are_seen),
        TEST(test_text_cell_and_font),
        TEST(test_text_cursor_blinks_in_its_place),
        TEST(test_blinking_characters),
        TEST(test_palette_at_8_bits),
        TEST(test_page_flip),
        TEST(test_screen_off_and_half_set_modes),
        TEST(test_changed_is_called_once),
        TEST(test_nothing_is_followed_while_nobody_looks),
        TEST(test_a_parked_frame_buffer_is_not_followed),
        TEST(test_a_log_that_cannot_be_told),
        TEST(test_save_and_load_and_reset),
    };

    return cmocka_run_group_tests_name("vga damage", tests, NULL, NULL);
}
