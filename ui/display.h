/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest's screen: what a display device offers to screenshots and front-ends.
 */
#ifndef UI_DISPLAY_H
#define UI_DISPLAY_H

#include <stdbool.h>
#include <stdint.h>
#include "dm/worker.h"
#include "ui/surface.h"

#define DISPLAY_DAMAGE_MAX 32

struct display_rect {
    uint32_t x, y, width, height; /* pixels, inside the surface, none of them empty */
};

/* What one refresh has changed. */
struct display_damage {
    struct display_rect rects[DISPLAY_DAMAGE_MAX]; /* may touch each other */
    unsigned count;
    bool resized; /* the surface has a new size: all of it is new (and count is 1) */

    /*
     * When to look again at the latest, in ns from now on the guest's clock, as long as changed()
     * is not called: 0 means that the guest draws without being seen, so look at the viewer's
     * frame rate; otherwise a cursor's blinking, or a check now and then.
     */
    uint64_t wait_ns;
};

/*
 * Filled in by the display device; belongs to it and lives as long as it does.
 *
 * A hardware cursor is drawn into the surface like everything else, since it may invert what is
 * below it.
 */
struct display {
    /*
     * Draws the whole screen as it is now, on the device thread; resizes the surface to the
     * screen's size. 0, or the error of surface_resize(): then the surface is as before. Any
     * surface, at any time: screenshots.
     */
    int (*update)(void *dev, struct surface *surface);

    /*
     * A refresh, for the one watcher, in three steps: draws what has changed since the last one
     * into the same surface, which nobody else writes to meanwhile, and tells where. Only pixels
     * that differ are damage. The first one after watched(true) draws all and reports what differs
     * from the surface's content (all of it when the size changes).
     *
     *     begin()  device thread: notes what the screen is and which memory has been written, and
     *              resizes the surface. 1: draw() comes next; 0: there is nothing to draw, end()
     *              comes next. An error as update()'s: that was it, and the next one draws all.
     *     draw()   any thread: reads the noted and the memory only, while the guest goes on. What
     *              it writes meanwhile is seen or is not, and belongs to the next refresh.
     *     end()    device thread: the damage
     *
     * They follow each other; watched(), and the end of the display, wait for end(). A screen that
     * stands still costs a few comparisons. NULL, all three: update() each time.
     */
    int (*begin)(void *dev, struct surface *surface);
    void (*draw)(void *dev);
    void (*end)(void *dev, struct display_damage *damage);

    /* Somebody begins to look, or nobody looks any more: following the guest's writes costs it. */
    void (*watched)(void *dev, bool on);
    void *dev;

    /*
     * Set by the watcher before watched(true): something will look different, found by the device
     * itself. Called on the device thread in the middle of a guest's request, at most once between
     * two begins: note it, and draw later. NULL: nobody to tell.
     */
    void (*changed)(void *opaque);
    void *opaque;
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
