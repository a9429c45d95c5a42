/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The window and what is drawn into it, by the processor: what OpenGL's drivers do (making code,
 * opening devices) could not be done behind a filter. For the same reason it is always an X11
 * window (on Wayland by way of Xwayland): for Wayland, SDL 2 draws with OpenGL only.
 */
#include <SDL_syswm.h>
#include <X11/Xlib.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ui/sdl/window.h"

#define FIRST_WIDTH  640
#define FIRST_HEIGHT 480

static int failed(const char *what)
{
    const char *display = getenv("DISPLAY");

    fprintf(stderr, "slimdm-sdl: %s (DISPLAY is %s): %s\n", what, display ? display : "not set",
            SDL_GetError());
    return -EIO;
}

static void set_hints(void)
{
    SDL_SetHint(SDL_HINT_VIDEODRIVER, "x11");
    SDL_SetHint(SDL_HINT_FRAMEBUFFER_ACCELERATION, "0");
    SDL_SetHint(SDL_HINT_NO_SIGNAL_HANDLERS, "1");
    SDL_SetHint(SDL_HINT_VIDEO_ALLOW_SCREENSAVER, "1");
    SDL_SetHint(SDL_HINT_VIDEO_MINIMIZE_ON_FOCUS_LOSS, "0");
    SDL_SetHint(SDL_HINT_VIDEO_X11_NET_WM_BYPASS_COMPOSITOR, "0");
    /* The keyboard's grab is for keys like these. */
    SDL_SetHint(SDL_HINT_ALLOW_ALT_TAB_WHILE_GRABBED, "0");
    SDL_SetHint(SDL_HINT_GRAB_KEYBOARD, "1");
    /* SDL would talk to the session's bus, or start one, for text input, which we have not. */
    setenv("DBUS_SESSION_BUS_ADDRESS", "disabled:", 1);
    unsetenv("XMODIFIERS");
}

/* A pointer that cannot be seen, but has a place. */
static SDL_Cursor *make_no_cursor(void)
{
    const Uint8 nothing[8] = {0};

    return SDL_CreateCursor(nothing, nothing, 8, 8, 0, 0);
}

int window_open(struct window *w, bool full_screen)
{
    Uint32 flags = SDL_WINDOW_RESIZABLE | (full_screen ? (Uint32)SDL_WINDOW_FULLSCREEN_DESKTOP : 0);

    set_hints();
    SDL_SetMainReady();
    if (SDL_Init(SDL_INIT_VIDEO))
        return failed("no display can be opened");
    SDL_StopTextInput();
    w->window = SDL_CreateWindow(w->name, SDL_WINDOWPOS_UNDEFINED, SDL_WINDOWPOS_UNDEFINED,
                                 FIRST_WIDTH, FIRST_HEIGHT, flags);
    if (!w->window || !SDL_GetWindowSurface(w->window))
        return failed("no window can be made");
    if (window_fd(w) < 0)
        return failed("the display is not an X server's");
    w->no_cursor = make_no_cursor();
    w->width = FIRST_WIDTH;
    w->height = FIRST_HEIGHT;
    w->visible = w->stale = true;
    window_title(w);
    return 0;
}

static void drop_surface(struct window *w)
{
    SDL_FreeSurface(w->surface);
    w->surface = NULL;
    frontend_picture_release(&w->picture);
}

void window_close(struct window *w)
{
    drop_surface(w);
    if (w->cursor)
        SDL_FreeCursor(w->cursor);
    if (w->no_cursor)
        SDL_FreeCursor(w->no_cursor);
    if (w->window)
        SDL_DestroyWindow(w->window);
    SDL_Quit();
}

int window_fd(const struct window *w)
{
    SDL_SysWMinfo info;

    SDL_VERSION(&info.version);
    if (!SDL_GetWindowWMInfo(w->window, &info) || info.subsystem != SDL_SYSWM_X11)
        return -1;
    return ConnectionNumber(info.info.x11.display);
}

/* ---- drawing --------------------------------------------------------------------------------- */

SDL_Rect window_place(const struct window *w)
{
    uint32_t width = w->picture.width, height = w->picture.height;
    SDL_Rect place = {0};

    SDL_GetWindowSize(w->window, &place.w, &place.h);
    if (!w->surface || place.w <= 0 || place.h <= 0)
        return place;
    if ((uint64_t)place.w * height > (uint64_t)place.h * width) {
        int fits = (int)((uint64_t)place.h * width / height);

        place.x = (place.w - fits) / 2;
        place.w = fits;
    } else {
        int fits = (int)((uint64_t)place.w * height / width);

        place.y = (place.h - fits) / 2;
        place.h = fits;
    }
    return place;
}

static bool is_scaled(const struct window *w, const SDL_Rect *place)
{
    return place->w != (int)w->picture.width || place->h != (int)w->picture.height;
}

static void draw_scaled(struct window *w, SDL_Surface *target, SDL_Rect place)
{
    SDL_Rect whole = {0, 0, (int)w->picture.width, (int)w->picture.height};

    if (place.w <= 0 || place.h <= 0)
        return;
    if (target->format->format != w->surface->format->format ||
        SDL_SoftStretchLinear(w->surface, &whole, target, &place))
        SDL_BlitScaled(w->surface, &whole, target, &place);
}

void window_draw(struct window *w)
{
    SDL_Surface *target = w->stale && w->watching ? SDL_GetWindowSurface(w->window) : NULL;
    SDL_Rect place = window_place(w);

    if (!target)
        return;
    w->stale = false;
    SDL_FillRect(target, NULL, 0);
    if (w->surface && is_scaled(w, &place))
        draw_scaled(w, target, place);
    else if (w->surface)
        SDL_BlitSurface(w->surface, NULL, target, &place);
    SDL_UpdateWindowSurface(w->window);
}

/* A scaled pixel depends on its neighbours, so a scaled screen is drawn whole. */
void window_damage(struct window *w, const struct frontend_rect *rect, uint32_t count)
{
    SDL_Rect place = window_place(w), drawn[FRONTEND_RECTS_MAX];
    SDL_Surface *target;

    if (!w->surface || w->stale || is_scaled(w, &place)) {
        w->stale = true;
        window_draw(w);
        return;
    }
    target = SDL_GetWindowSurface(w->window);
    if (!target)
        return;
    for (uint32_t i = 0; i < count; i++) {
        SDL_Rect from = {(int)rect[i].x, (int)rect[i].y, (int)rect[i].width, (int)rect[i].height};

        drawn[i] = (SDL_Rect){place.x + from.x, place.y + from.y, from.w, from.h};
        SDL_BlitSurface(w->surface, &from, target, &drawn[i]);
    }
    SDL_UpdateWindowSurfaceRects(w->window, drawn, (int)count);
}

/* ---- size ------------------------------------------------------------------------------------ */

static bool is_full_screen(const struct window *w)
{
    return SDL_GetWindowFlags(w->window) & SDL_WINDOW_FULLSCREEN_DESKTOP;
}

void window_fit(struct window *w)
{
    int width = (int)w->picture.width, height = (int)w->picture.height;
    int display = SDL_GetWindowDisplayIndex(w->window);
    SDL_Rect room;

    w->sized = false;
    w->stale = true;
    if (!w->surface || is_full_screen(w) || SDL_GetWindowFlags(w->window) & SDL_WINDOW_MAXIMIZED)
        return;
    if (!SDL_GetDisplayUsableBounds(display, &room) && room.w > 0 && room.h > 0) {
        if (width > room.w) {
            height = (int)((int64_t)height * room.w / width);
            width = room.w;
        }
        if (height > room.h) {
            width = (int)((int64_t)width * room.h / height);
            height = room.h;
        }
    }
    w->width = width > 0 ? width : 1;
    w->height = height > 0 ? height : 1;
    SDL_SetWindowSize(w->window, w->width, w->height);
}

void window_toggle_full_screen(struct window *w)
{
    bool full = is_full_screen(w);

    SDL_SetWindowFullscreen(w->window, full ? 0 : SDL_WINDOW_FULLSCREEN_DESKTOP);
    if (full && !w->sized)
        window_fit(w);
    w->stale = true;
}

void window_mode(struct window *w, struct frontend_picture picture)
{
    bool other = picture.width != w->picture.width || picture.height != w->picture.height;

    drop_surface(w);
    w->picture = picture;
    /* SDL only reads it. */
    w->surface = SDL_CreateRGBSurfaceWithFormatFrom(
        (void *)picture.pixels, (int)picture.width, (int)picture.height, 32,
        (int)picture.stride * 4, SDL_PIXELFORMAT_RGB888);
    if (!w->surface)
        fprintf(stderr, "slimdm-sdl: a screen of %u x %u cannot be shown: %s\n", picture.width,
                picture.height, SDL_GetError());
    if (other && !w->sized)
        window_fit(w);
    w->stale = true;
}

/* ---- around the screen ----------------------------------------------------------------------- */

void window_title(struct window *w)
{
    char title[160];

    snprintf(title, sizeof(title), "%s%s%s%s - %s", w->name[0] ? w->name : "slimdm",
             w->leds & INPUT_LED_CAPS ? " [Caps]" : "", w->leds & INPUT_LED_NUM ? " [Num]" : "",
             w->leds & INPUT_LED_SCROLL ? " [Scroll]" : "",
             w->grabbed ? "Ctrl+Alt+G releases keyboard and mouse"
                        : "Ctrl+Alt+G grabs, Ctrl+Alt+F full screen");
    SDL_SetWindowTitle(w->window, title);
}

/* A pointer in the guest's own picture, or of its hardware, needs no second one beside it. */
void window_show_pointer(struct window *w)
{
    if (w->cursor && w->absolute)
        SDL_SetCursor(w->cursor);
    else if (w->absolute && w->no_cursor)
        SDL_SetCursor(w->no_cursor);
    else
        SDL_SetCursor(SDL_GetDefaultCursor());
}

void window_set_cursor(struct window *w, const struct frontend_cursor *cursor)
{
    SDL_Cursor *old = w->cursor;
    SDL_Surface *shape;

    w->cursor = NULL;
    if (cursor->width && cursor->height) {
        shape = SDL_CreateRGBSurfaceWithFormatFrom((void *)cursor->argb, (int)cursor->width,
                                                   (int)cursor->height, 32, (int)cursor->width * 4,
                                                   SDL_PIXELFORMAT_ARGB8888);
        if (shape)
            w->cursor = SDL_CreateColorCursor(shape, (int)cursor->hot_x, (int)cursor->hot_y);
        SDL_FreeSurface(shape);
    }
    window_show_pointer(w);
    if (old)
        SDL_FreeCursor(old);
}

void window_watch(struct window *w)
{
    if (!w->greeted || w->visible == w->watching)
        return;
    w->watching = w->visible;
    w->stale = true;
    w->error = frontend_send_viewers(w->core, w->watching, NULL, 0);
}
