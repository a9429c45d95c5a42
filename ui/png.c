/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pictures into files: PNG (by libpng) and PPM (binary, "P6"). */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <png.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "ui/display.h"

/* A reader that takes nothing for so long has gone to sleep: the worker does not wait for ever. */
#define STALL_MS 10000

/* Collects small writes of the encoder; an error sticks. */
struct sink {
    int fd;
    bool may_block; /* a pipe or socket, not a file */
    int error;      /* 0 or -errno */
    size_t used;
    uint8_t buf[16384];
};

static void sink_init(struct sink *sink, int fd)
{
    struct stat st;

    *sink = (struct sink){.fd = fd};
    sink->may_block = fstat(fd, &st) < 0 || !S_ISREG(st.st_mode);
}

/* A pipe that poll() says is writable takes PIPE_BUF bytes without blocking. */
static int wait_writable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    int n = poll(&p, 1, STALL_MS);

    if (n < 0)
        return errno == EINTR ? 0 : -errno;
    return n == 0 ? -ETIMEDOUT : 0;
}

static void sink_flush(struct sink *sink)
{
    size_t at = 0;

    while (at < sink->used && !sink->error) {
        size_t length = sink->used - at;
        if (sink->may_block) {
            length = length < PIPE_BUF ? length : PIPE_BUF;
            sink->error = wait_writable(sink->fd);
            if (sink->error)
                break;
        }
        ssize_t n = write(sink->fd, sink->buf + at, length);
        if (n >= 0)
            at += (size_t)n;
        else if (errno != EINTR && errno != EAGAIN)
            sink->error = -errno;
    }
    sink->used = 0;
}

static void sink_put(struct sink *sink, const void *data, size_t len)
{
    const uint8_t *from = data;

    while (len > 0 && !sink->error) {
        size_t n = sizeof(sink->buf) - sink->used;
        n = n < len ? n : len;
        memcpy(sink->buf + sink->used, from, n);
        sink->used += n;
        from += n;
        len -= n;
        if (sink->used == sizeof(sink->buf))
            sink_flush(sink);
    }
}

static void pack_rgb(uint8_t *out, const uint32_t *pixels, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        *out++ = (uint8_t)(pixels[i] >> 16);
        *out++ = (uint8_t)(pixels[i] >> 8);
        *out++ = (uint8_t)pixels[i];
    }
}

static void png_put(png_structp png, png_bytep data, png_size_t len)
{
    struct sink *sink = png_get_io_ptr(png);

    sink_put(sink, data, len);
    if (sink->error)
        png_error(png, "write");
}

static void png_flush_nothing(png_structp png)
{
}

static void png_failed(png_structp png, png_const_charp message)
{
    png_longjmp(png, 1);
}

static void png_warned(png_structp png, png_const_charp message)
{
}

/* Everything between setjmp() and the end of the encoder: no locals that change in between. */
static int encode_png(png_structp png, png_infop info, const struct surface *surface, uint8_t *row)
{
    if (setjmp(png_jmpbuf(png)))
        return -EIO;
    /* Screens have large even areas: fast settings compress them well enough. */
    png_set_compression_level(png, 3);
    png_set_filter(png, 0, PNG_FILTER_NONE | PNG_FILTER_UP);
    png_set_IHDR(png, info, surface->width, surface->height, 8, PNG_COLOR_TYPE_RGB,
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, info);
    for (uint32_t y = 0; y < surface->height; y++) {
        pack_rgb(row, surface_row(surface, y), surface->width);
        png_write_row(png, row);
    }
    png_write_end(png, NULL);
    return 0;
}

int surface_write_png(const struct surface *surface, int fd)
{
    struct sink *sink = malloc(sizeof(*sink));
    uint8_t *row = malloc((size_t)surface->width * 3 + 1);
    png_structp png = NULL;
    png_infop info = NULL;
    int err = -ENOMEM;

    if (!sink || !row)
        goto out;
    sink_init(sink, fd);
    png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, png_failed, png_warned);
    if (!png)
        goto out;
    info = png_create_info_struct(png);
    if (!info)
        goto out;
    png_set_user_limits(png, SURFACE_MAX_WIDTH, SURFACE_MAX_HEIGHT);
    png_set_write_fn(png, sink, png_put, png_flush_nothing);
    err = encode_png(png, info, surface, row);
    if (!err)
        sink_flush(sink);
    if (sink->error)
        err = sink->error;
out:
    if (png)
        png_destroy_write_struct(&png, info ? &info : NULL);
    free(row);
    free(sink);
    return err;
}

int surface_write_ppm(const struct surface *surface, int fd)
{
    struct sink *sink = malloc(sizeof(*sink));
    uint8_t *row = malloc((size_t)surface->width * 3 + 1);
    int err = -ENOMEM;

    if (sink && row) {
        char head[48];
        sink_init(sink, fd);
        int n = snprintf(head, sizeof(head), "P6\n%u %u\n255\n", surface->width, surface->height);
        sink_put(sink, head, (size_t)n);
        for (uint32_t y = 0; y < surface->height && !sink->error; y++) {
            pack_rgb(row, surface_row(surface, y), surface->width);
            sink_put(sink, row, (size_t)surface->width * 3);
        }
        sink_flush(sink);
        err = sink->error;
    }
    free(row);
    free(sink);
    return err;
}
