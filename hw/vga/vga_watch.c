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
 * The drawing itself is done by another thread, so that the guest's requests never wait for it: a
 * full screen takes milliseconds. It works on a struct vga_picture, which has the screen, copied
 * out of the registers, and the marks so far; later ones go to the other of two sets. Video memory
 * is read as it is, while the guest and the device write to it: its mapping stays where it is when
 * the frame buffer moves in the guest's memory, and is there until nobody looks any more.
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

static void mark(uint64_t *marks, uint64_t offset, uint64_t length)
{
    uint64_t last = (offset + length - 1) / WATCH_BLOCK;

    for (uint64_t block = offset / WATCH_BLOCK; block <= last; block++) {
        if (block % 64 == 0 && last - block >= 63) {
            marks[block / 64] = UINT64_MAX;
            block += 63;
        } else {
            marks[block / 64] |= UINT64_C(1) << block % 64;
        }
    }
}

static bool marked(const struct vga_core *core, uint64_t offset, uint64_t length)
{
    const uint64_t *marks = core->watch.next.marks;

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
    if (core->watch.marks) {
        mark(core->watch.marks, offset, length);
        core->watch.any = true;
    }
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

/* Asks what the guest has written since last time. */
static void fetch_guest_writes(struct vga_core *core, struct vga_picture *picture)
{
    const struct vga_screen *screen = &picture->scratch.screen;
    struct vga_watch *watch = &core->watch;
    struct vram *vram = core->vram;
    bool packed = screen->kind == SCREEN_PACKED;
    uint64_t first, length;

    picture->guest_pages = 0;
    if (screen->kind == SCREEN_BLANK || !unseen_writes(core))
        return;
    shown_range(core, screen, &first, &length);
    int found = vram->dirty && picture->guest && length > 0
                    ? vram->dirty(vram->opaque, first, length, picture->guest)
                    : -ENOTSUP;
    if (found < 0 || (found > 0 && !packed)) {
        watch->all = true; /* cannot be told, or a font may be in it */
    } else if (found > 0) {
        picture->guest_first = first;
        picture->guest_pages = length / PAGE;
    }
}

static void mark_guest_writes(struct vga_picture *picture)
{
    for (uint64_t page = 0; page < picture->guest_pages; page++) {
        if (picture->guest[page / 64] >> page % 64 & 1)
            mark(picture->marks, picture->guest_first + page * PAGE, PAGE);
    }
}

/* ---- which lines ----------------------------------------------------------------------------- */

static void compare_screens(const struct vga_watch *watch, struct vga_picture *picture)
{
    const struct vga_screen *was = &watch->was, *now = &picture->scratch.screen;

    picture->all = watch->all || memcmp(was, now, offsetof(struct vga_screen, text_cursor)) != 0;
    picture->cursor = picture->text_cursor = false;
    if (now->kind == SCREEN_PACKED)
        picture->cursor = memcmp(&was->cursor, &now->cursor, sizeof(now->cursor)) != 0;
    if (now->kind == SCREEN_CRTC && now->view.kind == CRTC_TEXT) {
        picture->text_cursor =
            memcmp(&was->text_cursor, &now->text_cursor, sizeof(now->text_cursor)) != 0;
        if (watch->font || (picture->scratch.blinking && was->blink_shown != now->blink_shown))
            picture->all = true;
    }
}

static bool in_cursor(const struct vga_cursor *cursor, uint32_t y)
{
    return y >= cursor->y && y - cursor->y < cursor->size;
}

static bool packed_line_needs(const struct vga_core *core, uint32_t y)
{
    const struct vga_picture *picture = &core->watch.next;
    const struct vga_screen *now = &picture->scratch.screen;
    const struct packed_mode *mode = &now->packed;

    if (picture->cursor && (in_cursor(&core->watch.was.cursor, y) || in_cursor(&now->cursor, y)))
        return true;
    if (!picture->any)
        return false;
    uint64_t at = packed_line_start(core, mode, y), end = at + mode->row_bytes;
    return marked(core, at, mode->row_bytes) ||
           (mode->wrap && end > core->memory && marked(core, 0, end - core->memory));
}

static bool crtc_line_needs(const struct vga_core *core, uint32_t y)
{
    const struct vga_picture *picture = &core->watch.next;
    const struct vga_screen *now = &picture->scratch.screen;
    const struct crtc_view *view = &now->view;
    struct crtc_line at = crtc_line_at(view, y);

    for (uint32_t column = 0; column <= view->columns; column++) {
        uint32_t dword = crtc_dword(view, at.count + column, at.scan);

        if (picture->text_cursor &&
            (dword == core->watch.was.text_cursor.address || dword == now->text_cursor.address))
            return true;
        if (picture->any && marked(core, (uint64_t)dword * 4, 4))
            return true;
    }
    return false;
}

static bool line_needs(const struct vga_core *core, uint32_t y)
{
    const struct vga_picture *picture = &core->watch.next;

    if (picture->all)
        return true;
    if (picture->scratch.screen.kind == SCREEN_PACKED)
        return packed_line_needs(core, y);
    return picture->scratch.screen.kind == SCREEN_CRTC && crtc_line_needs(core, y);
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

void vga_refresh_draw(struct vga_core *core)
{
    struct vga_picture *picture = &core->watch.next;
    struct vga_scratch *scratch = &picture->scratch;
    const struct vga_screen *now = &scratch->screen;
    struct band band = {.any = false};

    mark_guest_writes(picture);
    for (uint32_t y = 0; y < now->height; y++) {
        if (line_needs(core, y)) {
            vga_draw_line(core, scratch, now, y, scratch->line);
            put_line(&band, surface_row(picture->surface, y), scratch->line, now->width, y);
        }
        if (y % BAND_HEIGHT == BAND_HEIGHT - 1)
            end_band(&band, now->width, &picture->damage);
    }
    end_band(&band, now->width, &picture->damage);
    if (picture->any)
        memset(picture->marks, 0, core->memory / WATCH_BLOCK / 8);
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
        if (core->watch.next.scratch.blinking)
            return crtc_blink_change(now);
    }
    return LOOK_AGAIN_NS;
}

/* The marks so far are this picture's, and the others' place is taken by new ones. */
static void take_marks(struct vga_watch *watch, struct vga_picture *picture)
{
    uint64_t *marks = watch->marks;

    watch->marks = picture->marks;
    picture->marks = marks;
    picture->any = watch->any || picture->guest_pages > 0;
    watch->any = watch->all = watch->font = false;
}

int vga_refresh_begin(struct vga_core *core, struct surface *surface)
{
    struct vga_watch *watch = &core->watch;
    struct vga_picture *picture = &watch->next;
    const struct vga_screen *now = &picture->scratch.screen;
    int err;

    picture->surface = surface;
    picture->damage = (struct display_damage){.count = 0};
    watch->told = false;
    vga_get_screen(core, &picture->scratch.screen);
    if (now->kind == SCREEN_NONE) {
        watch->all = true;
        err = vga_draw_nothing(surface);
        picture->resized = err == 1;
        return err < 0 ? err : 0;
    }

    picture->resized =
        !surface->pixels || surface->width != now->width || surface->height != now->height;
    if (picture->resized) {
        watch->all = true;
        err = surface_resize(surface, now->width, now->height);
        if (err)
            return err;
    }
    fetch_guest_writes(core, picture);
    if (!watch->marks) {
        watch->all = true;
        picture->guest_pages = 0;
    }
    compare_screens(watch, picture);
    if (picture->all)
        picture->scratch.blinking = false; /* found again while drawing */
    take_marks(watch, picture);
    return picture->all || picture->cursor || picture->text_cursor || picture->any;
}

void vga_refresh_end(struct vga_core *core, struct display_damage *damage)
{
    struct vga_watch *watch = &core->watch;
    const struct vga_screen *now = &watch->next.scratch.screen;

    *damage = watch->next.damage;
    if (watch->next.resized)
        all_is_damage(watch->next.surface, damage);
    damage->wait_ns = LOOK_AGAIN_NS;
    if (now->kind == SCREEN_NONE)
        return;
    memcpy(&watch->was, now, sizeof(*now));
    damage->wait_ns = next_look(core, now);
}

static void forget(struct vga_watch *watch)
{
    free(watch->marks);
    free(watch->next.marks);
    free(watch->next.guest);
    watch->marks = watch->next.marks = watch->next.guest = NULL;
    watch->any = false;
}

void vga_watched(struct vga_core *core, bool on)
{
    struct vga_watch *watch = &core->watch;

    if (on == watch->on)
        return;
    watch->on = on;
    if (on) {
        size_t words = core->memory / WATCH_BLOCK / 64;

        /* Without memory for these every refresh draws all, which is slow and right. */
        watch->marks = calloc(words, sizeof(*watch->marks));
        watch->next.marks = calloc(words, sizeof(*watch->marks));
        watch->next.guest = calloc(core->memory / PAGE / 64 + 1, sizeof(*watch->marks));
        if (!watch->marks || !watch->next.marks || !watch->next.guest)
            forget(watch);
        watch->all = true;
        watch->told = false;
        return;
    }
    forget(watch);
    if (core->vram->dirty_stop)
        core->vram->dirty_stop(core->vram->opaque);
}
