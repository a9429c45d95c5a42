/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What has changed on the screen since somebody last looked.
 *
 *     written by the device itself (emulated windows, blits, clears)  -> marks, a bit a block
 *     written by the guest into the linear frame buffer               -> the host's dirty log
 *     registers                                                       -> another struct vga_screen
 *
 * These say which lines to draw again. Each is then compared with the surface, which still holds
 * the last picture: what differs is the damage, in tiles that are put together to rectangles. So
 * a mark too many costs time, but never shows as damage.
 *
 * Nothing is kept, and the guest's writes are not followed, while nobody looks.
 */
#include <errno.h>
#include <stdlib.h>
#include "hw/vga/vga_core.h"

#define PAGE          4096u
#define LEGACY_BYTES  (4 * VGA_PLANE_SIZE) /* what the modes of VGA proper show */
#define LOOK_AGAIN_NS UINT64_C(1000000000) /* where the guest draws through the device */

enum { TILE_WIDTH = 32, BAND_HEIGHT = 16 };

/* ---- marks ----------------------------------------------------------------------------------- */

static void mark(struct vga_watch *watch, uint64_t offset, uint64_t length)
{
    uint64_t last = (offset + length - 1) / WATCH_BLOCK;

    for (uint64_t block = offset / WATCH_BLOCK; block <= last; block++) {
        if (block % 64 == 0 && last - block >= 63) {
            watch->marks[block / 64] = UINT64_MAX;
            block += 63;
        } else {
            watch->marks[block / 64] |= UINT64_C(1) << block % 64;
        }
    }
    watch->any = true;
}

static bool marked(const struct vga_core *core, uint64_t offset, uint64_t length)
{
    const uint64_t *marks = core->watch.marks;

    if (length == 0 || offset >= core->memory)
        return false;
    uint64_t end = length < core->memory - offset ? offset + length : core->memory;
    for (uint64_t block = offset / WATCH_BLOCK; block <= (end - 1) / WATCH_BLOCK; block++) {
        if (marks[block / 64] >> block % 64 & 1)
            return true;
    }
    return false;
}

void vga_touched(struct vga_core *core)
{
    struct vga_watch *watch = &core->watch;

    if (!watch->on || watch->told)
        return;
    watch->told = true;
    if (core->display.changed)
        core->display.changed(core->display.opaque);
}

void vga_vram_written(struct vga_core *core, uint64_t offset, uint64_t length)
{
    if (length == 0)
        return;
    if (core->watch.marks)
        mark(&core->watch, offset, length);
    vga_touched(core);
    if (core->vram->written)
        core->vram->written(core->vram->opaque, offset, length);
}

/* ---- the guest's own writes ------------------------------------------------------------------ */

/* Whether the guest can write to video memory without the device's knowing. */
static bool unseen_writes(const struct vga_core *core)
{
    return core->s->vram_gpa != core->vram->parking;
}

/* The pages of which the screen shows something: [first, first + length), inside the memory. */
static void shown_range(const struct vga_core *core, const struct vga_screen *screen,
                        uint64_t *first, uint64_t *length)
{
    const struct packed_mode *mode = &screen->packed;
    uint64_t end = LEGACY_BYTES;

    *first = 0;
    if (screen->kind == SCREEN_PACKED && mode->wrap) {
        end = core->memory;
    } else if (screen->kind == SCREEN_PACKED) {
        *first = mode->start / PAGE * PAGE;
        end = mode->start + (uint64_t)(mode->height - 1) * mode->pitch + mode->row_bytes;
        end = (end + PAGE - 1) / PAGE * PAGE;
    }
    if (end > core->memory)
        end = core->memory;
    *length = end > *first ? end - *first : 0;
}

/* Turns what the guest has written since last time into marks. */
static void fetch_guest_writes(struct vga_core *core, const struct vga_screen *screen)
{
    struct vga_watch *watch = &core->watch;
    struct vram *vram = core->vram;
    bool packed = screen->kind == SCREEN_PACKED;
    uint64_t first, length;

    if (screen->kind == SCREEN_BLANK || !unseen_writes(core))
        return;
    shown_range(core, screen, &first, &length);
    int found = vram->dirty && watch->guest && length > 0
                    ? vram->dirty(vram->opaque, first, length, watch->guest)
                    : -ENOTSUP;
    if (found < 0 || (found > 0 && !packed)) {
        watch->all = true; /* cannot be told, or a font may be in it */
        return;
    }
    for (uint64_t page = 0; found > 0 && page < length / PAGE; page++) {
        if (watch->guest[page / 64] >> page % 64 & 1)
            mark(watch, first + page * PAGE, PAGE);
    }
}

/* ---- which lines ----------------------------------------------------------------------------- */

/* What is to be drawn again, besides what is marked. */
struct need {
    bool all;
    bool text_cursor, cursor; /* there where it was, and where it is */
};

static struct need compare_screens(const struct vga_watch *watch, const struct vga_screen *now)
{
    const struct vga_screen *was = &watch->was;
    struct need need = {.all = watch->all ||
                               memcmp(was, now, offsetof(struct vga_screen, text_cursor)) != 0};

    if (now->kind == SCREEN_PACKED)
        need.cursor = memcmp(&was->cursor, &now->cursor, sizeof(now->cursor)) != 0;
    if (now->kind == SCREEN_CRTC && now->view.kind == CRTC_TEXT) {
        need.text_cursor =
            memcmp(&was->text_cursor, &now->text_cursor, sizeof(now->text_cursor)) != 0;
        if (watch->font || (watch->blinking && was->blink_shown != now->blink_shown))
            need.all = true;
    }
    return need;
}

static bool in_cursor(const struct vga_cursor *cursor, uint32_t y)
{
    return y >= cursor->y && y - cursor->y < cursor->size;
}

static bool packed_line_needs(const struct vga_core *core, const struct vga_screen *now,
                              const struct need *need, uint32_t y)
{
    const struct packed_mode *mode = &now->packed;

    if (need->cursor && (in_cursor(&core->watch.was.cursor, y) || in_cursor(&now->cursor, y)))
        return true;
    if (!core->watch.any)
        return false;
    uint64_t at = packed_line_start(core, mode, y), end = at + mode->row_bytes;
    return marked(core, at, mode->row_bytes) ||
           (mode->wrap && end > core->memory && marked(core, 0, end - core->memory));
}

static bool crtc_line_needs(const struct vga_core *core, const struct vga_screen *now,
                            const struct need *need, uint32_t y)
{
    const struct crtc_view *view = &now->view;
    struct crtc_line at = crtc_line_at(view, y);

    for (uint32_t column = 0; column <= view->columns; column++) {
        uint32_t dword = crtc_dword(view, at.count + column, at.scan);

        if (need->text_cursor &&
            (dword == core->watch.was.text_cursor.address || dword == now->text_cursor.address))
            return true;
        if (core->watch.any && marked(core, (uint64_t)dword * 4, 4))
            return true;
    }
    return false;
}

static bool line_needs(const struct vga_core *core, const struct vga_screen *now,
                       const struct need *need, uint32_t y)
{
    if (need->all)
        return true;
    if (now->kind == SCREEN_PACKED)
        return packed_line_needs(core, now, need, y);
    return now->kind == SCREEN_CRTC && crtc_line_needs(core, now, need, y);
}

/* ---- damage ---------------------------------------------------------------------------------- */

/* A band of lines: which tiles of it differ from what the surface held. */
struct band {
    bool tile[VBE_MAX_XRES / TILE_WIDTH];
    uint32_t first, last; /* lines with a difference */
    bool any;
};

static void add_rect(struct display_damage *damage, struct display_rect r)
{
    for (unsigned i = damage->count; i-- > 0;) {
        struct display_rect *above = &damage->rects[i];
        if (above->x == r.x && above->width == r.width && above->y + above->height == r.y) {
            above->height += r.height;
            return;
        }
    }
    if (damage->count < DISPLAY_DAMAGE_MAX) {
        damage->rects[damage->count++] = r;
        return;
    }
    /* The list is full: its last one grows around this. */
    struct display_rect *last = &damage->rects[damage->count - 1];
    uint32_t left = last->x < r.x ? last->x : r.x;
    uint32_t right = last->x + last->width > r.x + r.width ? last->x + last->width : r.x + r.width;
    uint32_t top = last->y < r.y ? last->y : r.y;
    uint32_t bottom =
        last->y + last->height > r.y + r.height ? last->y + last->height : r.y + r.height;
    *last = (struct display_rect){left, top, right - left, bottom - top};
}

static void end_band(struct band *band, uint32_t width, struct display_damage *damage)
{
    uint32_t tiles = (width + TILE_WIDTH - 1) / TILE_WIDTH;

    for (uint32_t i = 0; band->any && i < tiles; i++) {
        uint32_t from = i;
        while (i < tiles && band->tile[i])
            i++;
        if (i == from)
            continue;
        uint32_t x = from * TILE_WIDTH, end = i * TILE_WIDTH;
        add_rect(damage, (struct display_rect){x, band->first, (end < width ? end : width) - x,
                                               band->last - band->first + 1});
    }
    memset(band, 0, sizeof(*band));
}

/* Puts a line into the surface where it differs. */
static void put_line(struct band *band, uint32_t *row, const uint32_t *line, uint32_t width,
                     uint32_t y)
{
    bool differs = false;

    for (uint32_t x = 0; x < width; x += TILE_WIDTH) {
        size_t bytes = (width - x < TILE_WIDTH ? width - x : TILE_WIDTH) * sizeof(*line);
        if (memcmp(row + x, line + x, bytes) == 0)
            continue;
        memcpy(row + x, line + x, bytes);
        band->tile[x / TILE_WIDTH] = true;
        differs = true;
    }
    if (!differs)
        return;
    if (!band->any)
        band->first = y;
    band->last = y;
    band->any = true;
}

static void all_is_damage(const struct surface *surface, struct display_damage *damage)
{
    damage->resized = true;
    damage->count = 1;
    damage->rects[0] = (struct display_rect){0, 0, surface->width, surface->height};
}

static void draw_lines(struct vga_core *core, const struct vga_screen *now, const struct need *need,
                       struct surface *surface, struct display_damage *damage)
{
    struct band band = {.any = false};

    for (uint32_t y = 0; y < now->height; y++) {
        if (line_needs(core, now, need, y)) {
            vga_draw_line(core, now, y, core->line);
            put_line(&band, surface_row(surface, y), core->line, now->width, y);
        }
        if (y % BAND_HEIGHT == BAND_HEIGHT - 1)
            end_band(&band, now->width, damage);
    }
    end_band(&band, now->width, damage);
}

/* ---- the verbs ------------------------------------------------------------------------------- */

static uint64_t next_look(const struct vga_core *core, const struct vga_screen *screen)
{
    uint64_t now = loop_now(core->loop, CLOCK_GUEST);

    if (screen->kind == SCREEN_PACKED)
        return unseen_writes(core) ? 0 : LOOK_AGAIN_NS;
    if (screen->kind == SCREEN_CRTC && screen->view.kind == CRTC_TEXT) {
        if (screen->text_cursor.enabled)
            return crtc_cursor_change(now);
        if (core->watch.blinking)
            return crtc_blink_change(now);
    }
    return LOOK_AGAIN_NS;
}

static void forget_marks(struct vga_core *core)
{
    struct vga_watch *watch = &core->watch;

    if (watch->any)
        memset(watch->marks, 0, core->memory / WATCH_BLOCK / 8);
    watch->any = watch->all = watch->font = false;
}

int vga_refresh(struct vga_core *core, struct surface *surface, struct display_damage *damage)
{
    struct vga_watch *watch = &core->watch;
    struct vga_screen *now = &core->screen;
    int err;

    damage->count = 0;
    damage->resized = false;
    damage->wait_ns = LOOK_AGAIN_NS;
    watch->told = false;
    vga_get_screen(core, now);
    if (now->kind == SCREEN_NONE) {
        watch->all = true;
        err = vga_draw_nothing(surface);
        if (err == 1)
            all_is_damage(surface, damage);
        return err < 0 ? err : 0;
    }

    bool resized =
        !surface->pixels || surface->width != now->width || surface->height != now->height;
    if (resized) {
        watch->all = true;
        err = surface_resize(surface, now->width, now->height);
        if (err)
            return err;
    }
    fetch_guest_writes(core, now);
    if (!watch->marks)
        watch->all = true;
    struct need need = compare_screens(watch, now);
    if (need.all)
        watch->blinking = false; /* found again while drawing */
    if (need.all || need.cursor || need.text_cursor || watch->any)
        draw_lines(core, now, &need, surface, damage);
    if (resized)
        all_is_damage(surface, damage);
    memcpy(&watch->was, now, sizeof(*now));
    forget_marks(core);
    damage->wait_ns = next_look(core, now);
    return 0;
}

void vga_watched(struct vga_core *core, bool on)
{
    struct vga_watch *watch = &core->watch;

    if (on == watch->on)
        return;
    watch->on = on;
    if (on) {
        /* Without memory for these every refresh draws all, which is slow and right. */
        watch->marks = calloc(core->memory / WATCH_BLOCK / 64, sizeof(*watch->marks));
        watch->guest = calloc(core->memory / PAGE / 64 + 1, sizeof(*watch->guest));
        if (!watch->guest || !watch->marks) {
            free(watch->marks);
            watch->marks = NULL;
        }
        watch->all = true;
        watch->told = false;
        return;
    }
    free(watch->marks);
    free(watch->guest);
    watch->marks = watch->guest = NULL;
    watch->any = false;
    if (core->vram->dirty_stop)
        core->vram->dirty_stop(core->vram->opaque);
}
