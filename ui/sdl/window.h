/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The window of slimdm-sdl. All of it runs on the main thread, as SDL wants it.
 *
 *     released --click, Ctrl+Alt+G--> grabbed --Ctrl+Alt+G, focus lost--> released
 *
 * While it is grabbed, the desktop's own keys reach the guest, and a pointer that takes movements
 * is the guest's alone. A pointer that takes positions needs no grab.
 */
#ifndef UI_SDL_WINDOW_H
#define UI_SDL_WINDOW_H

#include <SDL.h>
#include <stdbool.h>
#include <stdint.h>

#include "ui/frontend_client.h"
#include "ui/input.h"

struct window {
    SDL_Window *window;
    SDL_Cursor *no_cursor;
    struct frontend_client *core;
    int error; /* of a message to the core; it ends the program */

    /* the guest's screen */
    struct frontend_picture picture;
    SDL_Surface *surface; /* over the picture; NULL: nothing has come yet */
    SDL_Cursor *cursor;   /* the guest's, or NULL */
    char name[64];
    bool greeted; /* the core listens */
    bool visible;
    bool watching;     /* as the core knows */
    bool stale;        /* all of it is to be drawn */
    bool sized;        /* by hand: a change of mode leaves the window's size alone */
    int width, height; /* as we have asked for */

    /* the guest's input */
    uint32_t leds; /* INPUT_LED_* */
    bool lit;      /* the guest has lit a lamp at least once */
    bool absolute;
    bool grabbed;
    uint32_t buttons; /* INPUT_BUTTON_* that are down */
    int x, y;         /* the pointer in the window */
    uint64_t down[INPUT_KEY_COUNT / 64];
};

/* ---- window.c -------------------------------------------------------------------------------- */

/* Opens the display and the window. 0, or -errno after saying why. */
int window_open(struct window *w, bool full_screen);
void window_close(struct window *w);
/* To be polled for what the display says. */
int window_fd(const struct window *w);

/* Where the guest's screen is in the window: as large as fits, black bars at two sides. */
SDL_Rect window_place(const struct window *w);
/* Draws all, if that is due. */
void window_draw(struct window *w);
void window_damage(struct window *w, const struct frontend_rect *rect, uint32_t count);
/* The picture is the window's from here on. */
void window_mode(struct window *w, struct frontend_picture picture);
void window_set_cursor(struct window *w, const struct frontend_cursor *cursor);
void window_toggle_full_screen(struct window *w);
/* As large as the guest's screen, or as fits on the desktop. */
void window_fit(struct window *w);
/* The guest's name, how to get out, its lamps. */
void window_title(struct window *w);
/* Shows the pointer, hides it, or gives the guest's shape to it. */
void window_show_pointer(struct window *w);
/* Tells the core whether the screen is to be drawn, if it does not know. */
void window_watch(struct window *w);

/* ---- input.c --------------------------------------------------------------------------------- */

/* Takes all events that are there. */
void window_events(struct window *w);
void window_grab(struct window *w, bool grab);

/* ---- scancode.c ------------------------------------------------------------------------------ */

/* The evdev code of the key at a place of the keyboard, or 0. */
uint16_t scancode_to_evdev(SDL_Scancode scancode);

#endif
