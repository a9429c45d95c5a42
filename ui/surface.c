/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ui/surface.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

void surface_init(struct surface *surface)
{
    *surface = (struct surface){0};
}

void surface_fini(struct surface *surface)
{
    if (!surface->allocate)
        free(surface->pixels);
    surface_init(surface);
}

static int allocate_from_heap(struct surface *surface, size_t pixels)
{
    uint32_t *fresh = calloc(pixels, sizeof(*fresh));

    if (!fresh)
        return -ENOMEM;
    free(surface->pixels);
    surface->pixels = fresh;
    surface->capacity = pixels;
    return 0;
}

int surface_resize(struct surface *surface, uint32_t width, uint32_t height)
{
    size_t need = (size_t)width * height;

    if (width == 0 || height == 0 || width > SURFACE_MAX_WIDTH || height > SURFACE_MAX_HEIGHT ||
        need > SURFACE_MAX_PIXELS)
        return -EINVAL;
    /* A much smaller screen gives memory back: one huge mode must not stay for the guest's life. */
    if (need > surface->capacity || need < surface->capacity / 4) {
        int err = surface->allocate ? surface->allocate(surface, need)
                                    : allocate_from_heap(surface, need);
        if (err)
            return err;
    }
    surface->width = width;
    surface->height = height;
    return 0;
}

void surface_fill(struct surface *surface, uint32_t xrgb)
{
    size_t n = (size_t)surface->width * surface->height;

    for (size_t i = 0; i < n; i++)
        surface->pixels[i] = xrgb;
}

int surface_copy(struct surface *out, const struct surface *from)
{
    int err = surface_resize(out, from->width, from->height);

    if (err)
        return err;
    memcpy(out->pixels, from->pixels, (size_t)from->width * from->height * sizeof(*from->pixels));
    return 0;
}
