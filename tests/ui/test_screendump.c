/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Surfaces, the image encoders, and screenshots from start to file. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <png.h>
#include <cmocka.h>
#include "tests/harness/machine.h"
#include "ui/display.h"

static int memory_file(void)
{
    int fd = memfd_create("image", MFD_CLOEXEC);

    assert_true(fd >= 0);
    return fd;
}

static uint32_t pattern(uint32_t x, uint32_t y)
{
    return (x * 0x030507 ^ y * 0x110d0b) & 0xffffff;
}

static void fill_pattern(struct surface *surface)
{
    for (uint32_t y = 0; y < surface->height; y++) {
        for (uint32_t x = 0; x < surface->width; x++)
            surface_row(surface, y)[x] = pattern(x, y) | 0xff000000; /* the top byte is ignored */
    }
}

/* Reads it back with libpng and compares with the pattern. */
static void check_png(int fd, uint32_t width, uint32_t height)
{
    png_image image = {.version = PNG_IMAGE_VERSION};
    off_t size = lseek(fd, 0, SEEK_END);
    uint8_t *file = mmap(NULL, (size_t)size, PROT_READ, MAP_SHARED, fd, 0);

    assert_true(file != MAP_FAILED);
    assert_true(png_image_begin_read_from_memory(&image, file, (size_t)size));
    assert_int_equal(image.width, width);
    assert_int_equal(image.height, height);
    image.format = PNG_FORMAT_RGB;
    uint8_t *rgb = malloc(PNG_IMAGE_SIZE(image));
    assert_true(png_image_finish_read(&image, NULL, rgb, 0, NULL));
    for (uint32_t i = 0; i < width * height; i++) {
        uint32_t got = (uint32_t)rgb[i * 3] << 16 | (uint32_t)rgb[i * 3 + 1] << 8 | rgb[i * 3 + 2];
        assert_int_equal(got, pattern(i % width, i / width));
    }
    free(rgb);
    munmap(file, (size_t)size);
}

static void test_surface_sizes(void **state)
{
    struct surface surface, copy = {0};

    surface_init(&surface);
    assert_null(surface_row(&surface, 0));
    assert_int_equal(surface_resize(&surface, 100, 50), 0);
    surface_fill(&surface, 0x123456);
    assert_int_equal(surface_row(&surface, 49)[99], 0x123456);
    assert_null(surface_row(&surface, 50));
    assert_int_equal(surface_copy(&copy, &surface), 0);
    assert_memory_equal(copy.pixels, surface.pixels, 100 * 50 * 4);
    size_t large = surface.capacity;
    assert_int_equal(surface_resize(&surface, 8, 8), 0);
    assert_true(surface.capacity < large); /* memory of a large mode is given back */
    surface_fini(&surface);
    surface_fini(&copy);
}

static void test_png(void **state)
{
    static const uint32_t sizes[][2] = {{1, 1}, {720, 400}, {16000, 3}, {3, 12000}};

    for (unsigned i = 0; i < 4; i++) {
        struct surface surface = {0};
        int fd = memory_file();
        assert_int_equal(surface_resize(&surface, sizes[i][0], sizes[i][1]), 0);
        fill_pattern(&surface);
        assert_int_equal(surface_write_png(&surface, fd), 0);
        check_png(fd, sizes[i][0], sizes[i][1]);
        close(fd);
        surface_fini(&surface);
    }
}

static void test_ppm(void **state)
{
    static const char expected[] = "P6\n2 1\n255\n\x11\x22\x33\xaa\xbb\xcc";
    struct surface surface = {0};
    char got[64];
    int fd = memory_file();

    assert_int_equal(surface_resize(&surface, 2, 1), 0);
    surface.pixels[0] = 0x112233;
    surface.pixels[1] = 0xaabbcc;
    assert_int_equal(surface_write_ppm(&surface, fd), 0);
    assert_int_equal(pread(fd, got, sizeof(got), 0), sizeof(expected) - 1);
    assert_memory_equal(got, expected, sizeof(expected) - 1);
    close(fd);
    surface_fini(&surface);
}

static void test_full_device_is_an_error(void **state)
{
    struct surface surface = {0};
    int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

    if (fd < 0)
        skip();
    assert_int_equal(surface_resize(&surface, 640, 480), 0);
    fill_pattern(&surface);
    assert_int_equal(surface_write_png(&surface, fd), -ENOSPC);
    assert_int_equal(surface_write_ppm(&surface, fd), -ENOSPC);
    close(fd);
    surface_fini(&surface);
}

static void test_empty_surface_is_an_error(void **state)
{
    struct surface surface = {0};
    int fd = memory_file();

    assert_int_equal(surface_write_png(&surface, fd), -EIO);
    close(fd);
}

static void test_format_names(void **state)
{
    assert_int_equal(image_format_from_name("png"), IMAGE_PNG);
    assert_int_equal(image_format_from_name("ppm"), IMAGE_PPM);
    assert_int_equal(image_format_from_name(NULL), IMAGE_PPM);
    assert_int_equal(image_format_from_name("bmp"), -EINVAL);
}

/* ---- screenshots ----------------------------------------------------------------------------- */

static int update_result;

static int update(void *dev, struct surface *surface)
{
    if (update_result)
        return update_result;
    int err = surface_resize(surface, 320, 200);
    if (!err)
        fill_pattern(surface);
    return err;
}

static unsigned dones;
static int done_error;

static void done(void *opaque, int error)
{
    dones++;
    done_error = error;
}

static struct machine m;
static struct display display = {.update = update};

static int setup(void **state)
{
    machine_init(&m);
    machine_start(&m);
    update_result = 0;
    dones = 0;
    return 0;
}

static int teardown(void **state)
{
    machine_fini(&m);
    return 0;
}

static void test_screendump_to_a_file(void **state)
{
    char name[] = "screendump-XXXXXX";
    int fd = mkstemp(name);

    assert_true(fd >= 0);
    assert_int_equal(ui_screendump(&display, m.env.workers, name, IMAGE_PNG, done, NULL), 0);
    assert_int_equal(dones, 0); /* later, on the loop */
    machine_settle(&m);
    assert_int_equal(dones, 1);
    assert_int_equal(done_error, 0);
    check_png(fd, 320, 200);
    close(fd);
    unlink(name);
}

static void test_screendump_to_a_descriptor(void **state)
{
    int fd = memory_file(), keep = dup(fd);

    assert_int_equal(ui_screendump_fd(&display, m.env.workers, fd, IMAGE_PNG, done, NULL), 0);
    machine_settle(&m);
    assert_int_equal(done_error, 0);
    assert_int_equal(dones, 1);
    assert_int_equal(fcntl(fd, F_GETFD), -1); /* closed */
    check_png(keep, 320, 200);
    close(keep);
}

static void test_screendump_that_cannot_be_written(void **state)
{
    assert_int_equal(
        ui_screendump(&display, m.env.workers, "/no/such/folder/a.png", IMAGE_PNG, done, NULL), 0);
    machine_settle(&m);
    assert_int_equal(dones, 1);
    assert_int_equal(done_error, -ENOENT);
}

static void test_screendump_that_cannot_be_drawn(void **state)
{
    int fd = memory_file();

    update_result = -ENOMEM;
    assert_int_equal(ui_screendump_fd(&display, m.env.workers, fd, IMAGE_PPM, done, NULL), -ENOMEM);
    machine_settle(&m);
    assert_int_equal(dones, 0);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
}

static void test_screendump_into_a_fifo_without_a_reader(void **state)
{
    assert_int_equal(mkfifo("screendump-fifo", 0600), 0);
    assert_int_equal(
        ui_screendump(&display, m.env.workers, "screendump-fifo", IMAGE_PNG, done, NULL), 0);
    machine_settle(&m);
    assert_int_equal(done_error, -ENXIO);
    unlink("screendump-fifo");
}

/* A reader that never comes holds up a worker, never the loop. */
static void test_screendump_into_a_full_pipe(void **state)
{
    char drain[65536];
    int fds[2];

    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0); /* the end of the test only */
    assert_int_equal(ui_screendump_fd(&display, m.env.workers, fds[1], IMAGE_PPM, done, NULL), 0);
    for (unsigned i = 0; i < 20; i++)
        loop_turn(m.env.loop, 1);
    assert_int_equal(dones, 0);
    size_t total = 0;
    for (unsigned i = 0; i < 10000 && dones == 0; i++) {
        ssize_t n = read(fds[0], drain, sizeof(drain));
        total += n > 0 ? (size_t)n : 0;
        loop_turn(m.env.loop, 1);
    }
    for (ssize_t n; (n = read(fds[0], drain, sizeof(drain))) > 0;)
        total += (size_t)n;
    assert_int_equal(done_error, 0);
    assert_int_equal(total, 320 * 200 * 3 + strlen("P6\n320 200\n255\n"));
    close(fds[0]);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_surface_sizes),
        cmocka_unit_test(test_png),
        cmocka_unit_test(test_ppm),
        cmocka_unit_test(test_full_device_is_an_error),
        cmocka_unit_test(test_empty_surface_is_an_error),
        cmocka_unit_test(test_format_names),
        TEST(test_screendump_to_a_file),
        TEST(test_screendump_to_a_descriptor),
        TEST(test_screendump_that_cannot_be_written),
        TEST(test_screendump_that_cannot_be_drawn),
        TEST(test_screendump_into_a_fifo_without_a_reader),
        TEST(test_screendump_into_a_full_pipe),
    };

    return cmocka_run_group_tests_name("screendump", tests, NULL, NULL);
}
