/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ui/frame.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dm/memfd.h"

#define FRAME_BYTES ((size_t)SURFACE_MAX_PIXELS * sizeof(uint32_t))

static void drop_pages(struct frame *frame)
{
    fallocate(frame->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, FRAME_BYTES);
}

/* The pages are taken now: where memory is short, that fails here and not in the pen. */
static int frame_allocate(struct surface *surface, size_t pixels)
{
    struct frame *frame = surface->opaque;

    drop_pages(frame);
    surface->capacity = 0;
    if (fallocate(frame->fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)(pixels * sizeof(uint32_t))))
        return -errno;
    if (!surface->pixels) {
        void *map = mmap(NULL, FRAME_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, frame->fd, 0);

        if (map == MAP_FAILED)
            return -errno;
        surface->pixels = map;
    }
    surface->capacity = pixels;
    return 0;
}

int frame_create(struct frame *frame)
{
    char path[40];
    int rc;

    *frame = (struct frame){.fd = -1, .shared_fd = -1};
    frame->surface.allocate = frame_allocate;
    frame->surface.opaque = frame;
    frame->fd = memfd_sized("slimdm-screen", FRAME_BYTES);
    if (frame->fd < 0)
        return frame->fd;
    rc = 0;
    if (fcntl(frame->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
        rc = -errno;
    if (!rc) {
        snprintf(path, sizeof(path), "/proc/self/fd/%d", frame->fd);
        frame->shared_fd = open(path, O_RDONLY | O_CLOEXEC);
        if (frame->shared_fd < 0)
            rc = -errno;
    }
    if (rc)
        frame_destroy(frame);
    return rc;
}

void frame_forget(struct frame *frame)
{
    struct surface *surface = &frame->surface;

    if (surface->pixels)
        munmap(surface->pixels, FRAME_BYTES);
    drop_pages(frame);
    surface->pixels = NULL;
    surface->width = surface->height = 0;
    surface->capacity = 0;
}

void frame_destroy(struct frame *frame)
{
    if (frame->surface.pixels)
        munmap(frame->surface.pixels, FRAME_BYTES);
    if (frame->fd >= 0)
        close(frame->fd);
    if (frame->shared_fd >= 0)
        close(frame->shared_fd);
    *frame = (struct frame){.fd = -1, .shared_fd = -1};
}
