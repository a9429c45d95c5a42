/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The picture that the core shares with its front-ends: a surface whose pixels are in a memfd.
 *
 * There is one memfd for the whole life, as large as the largest screen and without pages until
 * somebody looks: after the program is sealed, a limit on file sizes (dm_restrict sets 256 KiB)
 * would refuse another one. It cannot shrink or grow, so that no reader runs into its end.
 */
#ifndef UI_FRAME_H
#define UI_FRAME_H

#include "ui/surface.h"

struct frame {
    struct surface surface;
    int fd;        /* for writing: the core's */
    int shared_fd; /* for reading: may be given away */
};

/* Before the program is sealed. 0 or -errno. */
int frame_create(struct frame *frame);
void frame_destroy(struct frame *frame);

/* Nobody looks: gives the memory back. The surface is empty afterwards. */
void frame_forget(struct frame *frame);

#endif
