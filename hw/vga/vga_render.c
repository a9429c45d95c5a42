/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is on the screen, and its lines. It is worked out from the registers anew each time and
 * checked as a whole; nothing of an earlier picture is trusted.
 */
#include "hw/vga/vga_core.h"

/* A screen that no mode describes yet: the size of the text mode that a PC starts with. */
enum { NO_MODE_WIDTH = 720, NO_MODE_HEIGHT = 400 };

void vga_get_screen(const struct vga_core *core, struct vga_screen *screen)
{
    memset(screen, 0, sizeof(*screen)); /* padding too: screens are compared as bytes */
    int packed = core->chip->packed(core, &screen->packed);

    if (packed < 0)
        return; /* SCREEN_NONE */
    if (packed) {
        screen->kind = screen->packed.blank ? SCREEN_BLANK : SCREEN_PACKED;
        screen->width = screen->packed.width;
        screen->height = screen->packed.height;
        if (screen->packed.bpp == 4)
            vga_attr_colors(core, screen->color);
        else
            vga_dac_colors(core, screen->color);
        if (core->chip->cursor && screen->kind == SCREEN_PACKED)
            core->chip->cursor(core, &screen->cursor);
        return;
    }
    if (crtc_get_view(core, &screen->view))
        return;
    screen->kind = screen->view.blank ? SCREEN_BLANK : SCREEN_CRTC;
    screen->width = screen->view.width;
    screen->height = screen->view.height;
    if (screen->view.kind == CRTC_PACKED)
        vga_dac_colors(core, screen->color);
    else
        vga_attr_colors(core, screen->color);
    if (screen->view.kind == CRTC_TEXT)
        crtc_get_cursor(core, loop_now(core->loop, CLOCK_GUEST), screen);
}

uint64_t packed_line_start(const struct vga_core *core, const struct packed_mode *mode, uint32_t y)
{
    bool below = y >= mode->split;
    uint64_t row = (below ? y - mode->split : y) / mode->repeat;
    uint64_t at = (below ? 0 : mode->start) + row * mode->pitch;

    return mode->wrap ? at & (core->memory - 1) : at;
}

static void draw_packed_line(const struct vga_core *core, struct vga_scratch *scratch,
                             const struct vga_screen *screen, uint32_t y, uint32_t *out)
{
    const struct packed_mode *mode = &screen->packed;
    uint64_t at = packed_line_start(core, mode, y);
    uint32_t length = mode->row_bytes;

    if (mode->wrap && at + length > core->memory) {
        uint32_t before = (uint32_t)(core->memory - at);
        vga_vram_copy(core, scratch->bytes, at, before);
        vga_vram_copy(core, scratch->bytes + before, 0, length - before);
    } else {
        vga_vram_copy(core, scratch->bytes, at, length);
    }
    vga_packed_line(mode, screen->color, scratch->bytes, out);
    vga_cursor_line(&screen->cursor, y, mode->width, out);
}

static void draw_crtc_line(const struct vga_core *core, struct vga_scratch *scratch,
                           const struct vga_screen *screen, uint32_t y, uint32_t *out)
{
    struct crtc_line at = crtc_line_at(&screen->view, y);

    if (screen->view.kind == CRTC_TEXT)
        scratch->blinking |= vga_text_line(core, screen, at.count, at.scan, scratch->pixels);
    else
        vga_graphics_line(core, screen, at.count, at.scan, scratch->pixels);
    memcpy(out, scratch->pixels + at.pan, screen->width * sizeof(*out));
}

void vga_draw_line(const struct vga_core *core, struct vga_scratch *scratch,
                   const struct vga_screen *screen, uint32_t y, uint32_t *out)
{
    if (screen->kind == SCREEN_PACKED)
        draw_packed_line(core, scratch, screen, y, out);
    else if (screen->kind == SCREEN_CRTC)
        draw_crtc_line(core, scratch, screen, y, out);
    else
        memset(out, 0, screen->width * sizeof(*out));
}

int vga_draw_nothing(struct surface *surface)
{
    if (surface->pixels)
        return 0;
    int err = surface_resize(surface, NO_MODE_WIDTH, NO_MODE_HEIGHT);
    if (err)
        return err;
    surface_fill(surface, 0);
    return 1;
}

int vga_render(struct vga_core *core, struct surface *surface)
{
    struct vga_screen *screen = &core->scratch.screen;
    int err;

    vga_get_screen(core, screen);
    if (screen->kind == SCREEN_NONE) {
        err = vga_draw_nothing(surface);
        return err < 0 ? err : 0;
    }
    err = surface_resize(surface, screen->width, screen->height);
    if (err)
        return err;
    for (uint32_t y = 0; y < screen->height; y++)
        vga_draw_line(core, &core->scratch, screen, y, surface_row(surface, y));
    return 0;
}
