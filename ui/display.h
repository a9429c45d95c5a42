/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest's screen: what a display device offers to screenshots and front-ends.
 */
#ifndef UI_DISPLAY_H
#define UI_DISPLAY_H

#include "dm/worker.h"
#include "ui/surface.h"

/* Filled in by the display device; belongs to it and lives as long as it does. */
struct display {
    /*
     * Draws the whole screen as it is now, on the device thread; resizes the surface to the
     * screen's size. 0, or the error of surface_resize(): then the surface is as before.
     */
    int (*update)(void *dev, struct surface *surface);
    void *dev;
};

enum image_format { IMAGE_PNG, IMAGE_PPM };

/* The format of a QMP name ("png", "ppm"), or -EINVAL. NULL means PPM, as QMP has it. */
int image_format_from_name(const char *name);

/*
 * Writes a screenshot: draws now, encodes and writes on a worker.
 *
 * `fd` is taken over and closed in every case. done() is called on the device thread with 0 or
 * -errno, unless this returns an error itself (drawing failed, no memory): then it is not called.
 */
int ui_screendump_fd(struct display *display, struct workers *workers, int fd,
                     enum image_format format, void (*done)(void *opaque, int error), void *opaque);

/* The same into a file, which is created, or cut to nothing when it exists. */
int ui_screendump(struct display *display, struct workers *workers, const char *filename,
                  enum image_format format, void (*done)(void *opaque, int error), void *opaque);

/* The encoders: write to fd, which stays open. 0 or -errno. Any thread. */
int surface_write_png(const struct surface *surface, int fd);
int surface_write_ppm(const struct surface *surface, int fd);

#endif
