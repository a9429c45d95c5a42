/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A picture in memory: XRGB8888 pixels (0x00RRGGBB in host order), rows without gaps.
 *
 * The display device draws into it, encoders and front-ends read it. It is owned by whoever has
 * initialised it, and its size is capped here: no guest value sizes an allocation beyond that.
 */
#ifndef UI_SURFACE_H
#define UI_SURFACE_H

#include <stddef.h>
#include <stdint.h>

/* What the VBE interface admits as resolution; SURFACE_MAX_PIXELS bounds the product. */
#define SURFACE_MAX_WIDTH  16000u
#define SURFACE_MAX_HEIGHT 12000u
#define SURFACE_MAX_PIXELS (32u << 20) /* 7680 x 4320 fits */

struct surface {
    uint32_t *pixels; /* height * width; row y begins at pixels[y * width] */
    uint32_t width, height;
    size_t capacity; /* pixels that fit without a new allocation */

    /*
     * Set by an owner that keeps the pixels itself (shared memory): surface_resize() calls it
     * when `pixels` do not fit, or fit into much less. It replaces pixels by zeroed memory for
     * that many and sets capacity; 0 or -errno, then nothing has changed. NULL: the heap.
     */
    int (*allocate)(struct surface *surface, size_t pixels);
    void *opaque; /* the owner's */
};

/* A zeroed struct surface is an empty one too. surface_fini() leaves pixels that come from
 * allocate() to their owner. */
void surface_init(struct surface *surface);
void surface_fini(struct surface *surface);

/*
 * Makes it width x height; the content is undefined afterwards, but always initialised memory.
 * 0; -EINVAL beyond the caps or for zero; -ENOMEM: then the surface is as before.
 */
int surface_resize(struct surface *surface, uint32_t width, uint32_t height);

/* All pixels get this colour. */
void surface_fill(struct surface *surface, uint32_t xrgb);

/* Row y; NULL when there is none. */
static inline uint32_t *surface_row(const struct surface *surface, uint32_t y)
{
    return y < surface->height ? surface->pixels + (size_t)y * surface->width : NULL;
}

/* `out` becomes a copy. 0 or -errno of surface_resize(). */
int surface_copy(struct surface *out, const struct surface *from);

#endif
