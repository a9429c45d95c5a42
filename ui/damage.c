/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ui/damage.h"

#include <stdbool.h>

static uint64_t area(const struct frontend_rect *r)
{
    return (uint64_t)r->width * r->height;
}

/* a covers b. */
static bool covers(const struct frontend_rect *a, const struct frontend_rect *b)
{
    return a->x <= b->x && a->y <= b->y && a->x + a->width >= b->x + b->width &&
           a->y + a->height >= b->y + b->height;
}

static struct frontend_rect both(const struct frontend_rect *a, const struct frontend_rect *b)
{
    uint32_t left = a->x < b->x ? a->x : b->x, top = a->y < b->y ? a->y : b->y;
    uint32_t right = a->x + a->width, bottom = a->y + a->height;

    if (right < b->x + b->width)
        right = b->x + b->width;
    if (bottom < b->y + b->height)
        bottom = b->y + b->height;
    return (struct frontend_rect){left, top, right - left, bottom - top};
}

static void remove_covered(struct damage *damage, const struct frontend_rect *rect)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < damage->count; i++)
        if (!covers(rect, &damage->rect[i]))
            damage->rect[kept++] = damage->rect[i];
    damage->count = kept;
}

/* The one that grows least by taking in another rectangle. */
static uint32_t best_partner(const struct damage *damage, const struct frontend_rect *rect)
{
    uint64_t least = UINT64_MAX;
    uint32_t best = 0;

    for (uint32_t i = 0; i < damage->count; i++) {
        struct frontend_rect sum = both(&damage->rect[i], rect);
        uint64_t growth = area(&sum) - area(&damage->rect[i]);

        if (growth < least) {
            least = growth;
            best = i;
        }
    }
    return best;
}

void damage_add(struct damage *damage, struct frontend_rect rect)
{
    if (rect.width == 0 || rect.height == 0)
        return;
    for (uint32_t i = 0; i < damage->count; i++)
        if (covers(&damage->rect[i], &rect))
            return;
    if (damage->count == FRONTEND_RECTS_MAX) {
        uint32_t i = best_partner(damage, &rect);

        rect = both(&damage->rect[i], &rect);
    }
    remove_covered(damage, &rect);
    damage->rect[damage->count++] = rect;
}
