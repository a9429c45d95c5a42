/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A bounded list of changed rectangles. When it is full, rectangles are merged: it may come to
 * cover more than what has changed, never less. */
#ifndef UI_DAMAGE_H
#define UI_DAMAGE_H

#include "ui/frontend_proto.h"

struct damage {
    struct frontend_rect rect[FRONTEND_RECTS_MAX];
    uint32_t count;
};

/* An empty rectangle changes nothing. */
void damage_add(struct damage *damage, struct frontend_rect rect);

#endif
