/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The core's side of its front-ends: draws the screen for those that look, tells them what has
 * changed, and gives their keys and pointers to the guest.
 *
 *     create, add...   while files may be opened; the supervisor process is started
 *     set_display      once the machine is made
 *     go               once the toolstack has been told that the guest runs
 *
 * Everything is on the device thread and nothing waits: a front-end that does not take what it is
 * sent gets it later, merged with what has come meanwhile; one that does not answer is taken for
 * stuck, killed, and started again. Its messages are input of a stranger.
 *
 * Nothing runs while nobody looks. While somebody does, the screen is drawn at up to FRAME_RATE,
 * and less and less often as long as nothing changes.
 */
#ifndef UI_FRONTEND_H
#define UI_FRONTEND_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "dm/loop.h"
#include "ui/display.h"
#include "ui/frontend_proto.h"
#include "ui/input.h"

#define FRONTENDS_MAX 8u

struct frontends;

/* 0 or -errno. `name` is the guest's, for the viewer; NULL: none. */
int frontends_create(struct frontends **out, struct loop *loop, struct input *input,
                     const char *name);
/* Front-ends and supervisor end by themselves when their sockets are closed. */
void frontends_destroy(struct frontends *frontends);

/*
 * One more program to be run: argv[0] is its path, the list ends with NULL, all of it is copied.
 * Returns its index, or -errno.
 */
int frontends_add(struct frontends *frontends, const char *const *argv);

/*
 * Starts the supervisor with a copy of the given descriptors as 4, 5, ... of every front-end;
 * `user` is "UID:GID" or NULL. It goes on in the background; the descriptors must stay open until
 * frontends_launched(), which waits for it, and belongs before rights are given away. 0 or -errno.
 */
int frontends_launch(struct frontends *frontends, const char *supervisor, const char *user,
                     const int *fds, size_t fd_count);
int frontends_launched(struct frontends *frontends);

/* NULL: the guest has no screen; viewers see nothing. The display outlives the front-ends or is
 * taken back with NULL. */
void frontends_set_display(struct frontends *frontends, struct display *display);

/* Lets the supervisor start the programs. */
void frontends_go(struct frontends *frontends);

/* What is asked of those who want to look; told at once and to every later incarnation. The
 * default is FRONTEND_LOGIN_OPEN. */
void frontends_set_password(struct frontends *frontends, unsigned index,
                            const struct frontend_password *password);
const struct frontend_password *frontends_password(const struct frontends *frontends,
                                                   unsigned index);

/* Those who look, as the front-end says. */
const struct frontend_viewers *frontends_viewers(const struct frontends *frontends, unsigned index);

/* Called when the user has closed a window; NULL: nothing happens. */
void frontends_on_close(struct frontends *frontends, void (*closed)(void *opaque), void *opaque);

/* For tests: a connected front-end without supervisor; `socket` is taken over. 0 or -errno. */
int frontends_attach(struct frontends *frontends, unsigned index, int socket, pid_t pid);

#endif
