/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Screenshots. The picture is drawn on the device thread, where the screen cannot change under
 * the pen; opening, encoding and writing, which may block, are a worker's.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "ui/display.h"

struct screendump {
    struct work_item item;
    struct surface surface;
    char *filename; /* NULL: fd is open already */
    int fd;
    enum image_format format;
    int error;
    void (*done)(void *opaque, int error);
    void *opaque;
};

int image_format_from_name(const char *name)
{
    if (!name || strcmp(name, "ppm") == 0)
        return IMAGE_PPM;
    if (strcmp(name, "png") == 0)
        return IMAGE_PNG;
    return -EINVAL;
}

static void free_screendump(struct screendump *dump)
{
    if (dump->fd >= 0)
        close(dump->fd);
    surface_fini(&dump->surface);
    free(dump->filename);
    free(dump);
}

static void write_screendump(void *opaque)
{
    struct screendump *dump = opaque;

    if (dump->filename) {
        /* O_NONBLOCK: a FIFO without a reader is refused rather than waited for. */
        dump->fd =
            open(dump->filename, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NONBLOCK, 0666);
        if (dump->fd < 0) {
            dump->error = -errno;
            return;
        }
    }
    if (dump->format == IMAGE_PNG)
        dump->error = surface_write_png(&dump->surface, dump->fd);
    else
        dump->error = surface_write_ppm(&dump->surface, dump->fd);
    /* Some file systems tell of a full disk only here. */
    if (close(dump->fd) < 0 && !dump->error)
        dump->error = -errno;
    dump->fd = -1;
}

static void screendump_written(void *opaque)
{
    struct screendump *dump = opaque;

    if (dump->done)
        dump->done(dump->opaque, dump->error);
    free_screendump(dump);
}

/* Takes fd and filename over. */
static int start_screendump(struct display *display, struct workers *workers, int fd,
                            char *filename, enum image_format format,
                            void (*done)(void *opaque, int error), void *opaque)
{
    struct screendump *dump = calloc(1, sizeof(*dump));

    if (!dump) {
        if (fd >= 0)
            close(fd);
        free(filename);
        return -ENOMEM;
    }
    dump->item =
        (struct work_item){.work = write_screendump, .done = screendump_written, .opaque = dump};
    dump->fd = fd;
    dump->filename = filename;
    dump->format = format;
    dump->done = done;
    dump->opaque = opaque;

    int err = display->update(display->dev, &dump->surface);
    if (err) {
        free_screendump(dump);
        return err;
    }
    workers_submit(workers, &dump->item);
    return 0;
}

int ui_screendump_fd(struct display *display, struct workers *workers, int fd,
                     enum image_format format, void (*done)(void *opaque, int error), void *opaque)
{
    return start_screendump(display, workers, fd, NULL, format, done, opaque);
}

int ui_screendump(struct display *display, struct workers *workers, const char *filename,
                  enum image_format format, void (*done)(void *opaque, int error), void *opaque)
{
    char *name = strdup(filename);

    if (!name)
        return -ENOMEM;
    return start_screendump(display, workers, -1, name, format, done, opaque);
}
