/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The whole screen into a surface. What to show is worked out from the registers anew each time
 * and checked as a whole; nothing is kept from one picture to the next.
 */
#include "hw/vga/vga_core.h"

/* A screen that no mode describes yet: the size of the text mode that a PC starts with. */
enum { NO_MODE_WIDTH = 720, NO_MODE_HEIGHT = 400 };

/* In the middle of a mode set: the picture stays, or is black when there is none. */
static int render_nothing(struct surface *surface)
{
    if (surface->pixels)
        return 0;
    int err = surface_resize(surface, NO_MODE_WIDTH, NO_MODE_HEIGHT);
    if (!err)
        surface_fill(surface, 0);
    return err;
}

static int render_vbe(struct vga_core *core, struct surface *surface)
{
    struct vbe_mode mode;
    uint32_t color[256] = {0};

    if (vbe_get_mode(core, &mode))
        return render_nothing(surface);
    int err = surface_resize(surface, mode.width, mode.height);
    if (err)
        return err;
    if (!(core->s->attr_index & AR_INDEX_PAS)) {
        surface_fill(surface, 0);
        return 0;
    }
    if (mode.bpp == 4)
        vga_attr_colors(core, color);
    else
        vga_dac_colors(core, color);
    for (uint32_t y = 0; y < mode.height; y++) {
        vga_vram_copy(core, core->bytes, mode.start + (uint64_t)y * mode.pitch, mode.row_bytes);
        vbe_line(core, &mode, color, core->bytes, surface_row(surface, y));
    }
    return 0;
}

static void render_crtc_line(struct vga_core *core, const struct crtc_view *view, uint32_t y,
                             uint32_t *out)
{
    bool below = y >= view->split;
    uint32_t line = below ? y - view->split : y;
    uint32_t scans = (line >> view->scan_double) + (below ? 0 : view->preset % view->scans);
    uint32_t count = (below ? 0 : view->start) + scans / view->scans * view->pitch;
    uint32_t pan = (below ? view->pan_below : view->pan) * view->repeat;

    if (view->kind == CRTC_TEXT)
        vga_text_line(core, view, count, scans % view->scans, core->pixels);
    else
        vga_graphics_line(core, view, count, scans % view->scans, core->pixels);
    memcpy(out, core->pixels + pan, view->width * sizeof(*out));
}

int vga_render(struct vga_core *core, struct surface *surface)
{
    struct crtc_view view;

    if (vbe_enabled(core))
        return render_vbe(core, surface);
    if (crtc_get_view(core, loop_now(core->loop, CLOCK_GUEST), &view))
        return render_nothing(surface);
    int err = surface_resize(surface, view.width, view.height);
    if (err)
        return err;
    if (view.blank) {
        surface_fill(surface, 0);
        return 0;
    }
    for (uint32_t y = 0; y < view.height; y++)
        render_crtc_line(core, &view, y, surface_row(surface, y));
    return 0;
}
