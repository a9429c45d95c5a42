/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * slimdm-sdl: shows one guest's screen in a window.
 *
 *     slimdm-sdl [--full-screen]
 *
 * It is started by slimdm (through slimdm-supervise) with the socket to it as descriptor 3, and
 * with DISPLAY and XAUTHORITY in its environment. It opens its window, gives away every right, and
 * only then listens to the core. Without a display it stays, for nobody to look: there is nothing
 * that starting it again would change.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <unistd.h>

#include "ui/sandbox.h"
#include "ui/sdl/window.h"

/* ---- from the core --------------------------------------------------------------------------- */

static void hello(void *opaque, const char *guest_name)
{
    struct window *w = opaque;

    snprintf(w->name, sizeof(w->name), "%s", guest_name);
    w->greeted = true;
    if (w->window)
        window_title(w);
}

static void mode(void *opaque, struct frontend_picture picture)
{
    window_mode(opaque, picture);
}

static void damage(void *opaque, uint32_t number, const struct frontend_rect *rect, uint32_t count)
{
    struct window *w = opaque;

    window_damage(w, rect, count);
    w->error = frontend_send_done(w->core, number);
}

static void cursor(void *opaque, const struct frontend_cursor *shape)
{
    window_set_cursor(opaque, shape);
}

static void input(void *opaque, uint32_t leds, bool absolute)
{
    struct window *w = opaque;

    w->leds = leds;
    w->lit |= leds != 0;
    if (!w->window) {
        w->absolute = absolute;
        return;
    }
    if (absolute != w->absolute) {
        window_grab(w, false);
        w->absolute = absolute;
        window_show_pointer(w);
    }
    window_title(w);
}

static const struct frontend_events events = {
    .hello = hello,
    .mode = mode,
    .damage = damage,
    .cursor = cursor,
    .input = input,
};

/* ---- run ------------------------------------------------------------------------------------- */

/* Drawing may take events off the display's socket, where poll() would not see them any more: the
 * last thing before it is to look for them. */
static void serve_window(struct window *w)
{
    do {
        window_watch(w);
        window_draw(w);
        window_events(w);
    } while (!w->error && (w->visible != w->watching || (w->stale && w->watching)));
}

static int run(struct window *w)
{
    struct pollfd pfd[2] = {{frontend_client_fd(w->core), POLLIN, 0},
                            {w->window ? window_fd(w) : -1, POLLIN, 0}};

    while (!w->error) {
        int rc;

        if (poll(pfd, 2, -1) < 0 && errno != EINTR)
            return -errno;
        if (pfd[0].revents) {
            rc = frontend_client_receive(w->core);
            if (rc)
                return rc;
        }
        if (w->window && w->greeted)
            serve_window(w);
    }
    return w->error;
}

/* What SDL with X11 does besides what every front-end does: a segment of memory that it shares with
 * the X server, made anew for each size of the window. */
static const struct sandbox_rule more[] = {
    {.call = SCMP_SYS(shmget), .argument = 0, .mask = ~0ull, .value = IPC_PRIVATE},
    {.call = SCMP_SYS(shmat)},
    {.call = SCMP_SYS(shmdt)},
    {.call = SCMP_SYS(shmctl)},
};

int main(int argc, char **argv)
{
    bool full_screen = argc == 2 && strcmp(argv[1], "--full-screen") == 0;
    const int keep[] = {FRONTEND_FD};
    struct window w = {0};
    int rc;

    if (argc > 2 || (argc == 2 && !full_screen) || fcntl(FRONTEND_FD, F_GETFD) < 0) {
        fputs("slimdm-sdl is started by slimdm: use -display sdl there\n", stderr);
        return 1;
    }
    signal(SIGPIPE, SIG_IGN);
    rc = sandbox_close_others(keep, 1);
    if (!rc && window_open(&w, full_screen)) {
        fputs("slimdm-sdl: the guest goes on without a window\n", stderr);
        window_close(&w);
        w.window = NULL;
    }
    if (!rc)
        rc = sandbox_enter("slimdm-sdl", more, sizeof(more) / sizeof(more[0]));
    if (!rc)
        rc = frontend_client_create(&w.core, FRONTEND_FD, &events, &w);
    if (!rc)
        rc = run(&w);
    if (rc && rc != -EPIPE)
        fprintf(stderr, "slimdm-sdl: %s\n", strerror(-rc));
    return rc && rc != -EPIPE;
}
