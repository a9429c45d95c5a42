/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pictures into files: PNG and PPM (binary, "P6").
 *
 * zlib does what is hard about PNG. libpng would bring libm, for gamma and calibrations that a
 * screen does not have, and with it a twentieth of the time that a guest's start takes.
 */
#include <endian.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zlib.h>

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

/* ---- PNG (Portable Network Graphics, third edition) ------------------------------------------ */

/* Screens have large even areas: fast settings compress them well enough. */
#define LEVEL       3
#define FILTER_UP   2    /* bytes are differences from the row above */
#define IDAT_BYTES  8192 /* compressed ones in a chunk */
#define TRUE_COLOUR 2

struct png {
    struct sink *sink;
    z_stream z;
    uint8_t idat[IDAT_BYTES];
};

static void put32(uint8_t *to, uint32_t value)
{
    value = htobe32(value);
    memcpy(to, &value, sizeof(value));
}

/* Length, type, data, and the check sum of the latter two. */
static void put_chunk(struct sink *sink, const char *type, const uint8_t *data, uint32_t len)
{
    uint8_t word[4];
    uLong crc = crc32(crc32(0, NULL, 0), (const Bytef *)type, 4);

    put32(word, len);
    sink_put(sink, word, 4);
    sink_put(sink, type, 4);
    sink_put(sink, data, len);
    put32(word, (uint32_t)(len ? crc32(crc, data, len) : crc));
    sink_put(sink, word, 4);
}

/* Compresses what is in z.next_in; all that is left with Z_FINISH. 0 or -errno. */
static int compress_more(struct png *png, int flush)
{
    do {
        int rc = deflate(&png->z, flush);

        if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR)
            return -EIO;
        if (png->z.avail_out && flush != Z_FINISH)
            return png->sink->error;
        put_chunk(png->sink, "IDAT", png->idat, IDAT_BYTES - png->z.avail_out);
        png->z.next_out = png->idat;
        png->z.avail_out = IDAT_BYTES;
        if (rc == Z_STREAM_END)
            return png->sink->error;
    } while (!png->sink->error);
    return png->sink->error;
}

/* `row` and `above` have three bytes for each pixel, `filtered` one more. */
static int put_rows(struct png *png, const struct surface *surface, uint8_t *row, uint8_t *above,
                    uint8_t *filtered)
{
    uint32_t bytes = surface->width * 3;
    int err = 0;

    memset(above, 0, bytes);
    for (uint32_t y = 0; y < surface->height && !err; y++) {
        uint8_t *swap = above;

        pack_rgb(row, surface_row(surface, y), surface->width);
        filtered[0] = FILTER_UP;
        for (uint32_t i = 0; i < bytes; i++)
            filtered[i + 1] = (uint8_t)(row[i] - above[i]);
        png->z.next_in = filtered;
        png->z.avail_in = bytes + 1;
        err = compress_more(png, Z_NO_FLUSH);
        above = row;
        row = swap;
    }
    return err ? err : compress_more(png, Z_FINISH);
}

static int put_png(struct png *png, const struct surface *surface, uint8_t *rows)
{
    static const uint8_t signature[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    uint8_t ihdr[13] = {[8] = 8 /* bits of a sample */, [9] = TRUE_COLOUR};
    size_t bytes = (size_t)surface->width * 3;
    int err;

    put32(ihdr, surface->width);
    put32(ihdr + 4, surface->height);
    sink_put(png->sink, signature, sizeof(signature));
    put_chunk(png->sink, "IHDR", ihdr, sizeof(ihdr));
    png->z.next_out = png->idat;
    png->z.avail_out = IDAT_BYTES;
    if (deflateInit(&png->z, LEVEL) != Z_OK)
        return -ENOMEM;
    err = put_rows(png, surface, rows, rows + bytes, rows + 2 * bytes);
    deflateEnd(&png->z);
    put_chunk(png->sink, "IEND", NULL, 0);
    sink_flush(png->sink);
    return err ? err : png->sink->error;
}

int surface_write_png(const struct surface *surface, int fd)
{
    struct sink *sink = malloc(sizeof(*sink));
    struct png *png = calloc(1, sizeof(*png));
    uint8_t *rows = malloc((size_t)surface->width * 9 + 1);
    int err = -ENOMEM;

    if (surface->width == 0 || surface->height == 0) {
        err = -EIO; /* there is no such PNG */
    } else if (sink && png && rows) {
        sink_init(sink, fd);
        png->sink = sink;
        err = put_png(png, surface, rows);
    }
    free(rows);
    free(png);
    free(sink);
    return err;
}

/* ---- PPM ------------------------------------------------------------------------------------- */

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
