/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The guest's viewers: from -vnc and -display sdl to listening sockets and programs, and what QMP
 * asks of them. */
#ifndef DM_FRONTEND_H
#define DM_FRONTEND_H

#include "dm/dm.h"
#include "ui/frontend.h"

/* Before rights are given away: binds ports, starts the supervisor. 0, or -errno after logging
 * why. Programs that are not installed are a warning only. */
int frontend_open(struct dm *dm);
void frontend_close(struct dm *dm);

/* The last step before rights are given away: waits until the supervisor has been started, since no
 * program is started later. 0, or -errno after logging why. */
int frontend_ready(struct dm *dm);

/* NULL: the machine goes away. */
void frontend_set_display(struct dm *dm, struct display *display);
/* Once the toolstack knows that the guest runs: nothing of this is waited for. */
void frontend_go(struct dm *dm);

/* The operations of toolstack/qmp_ops.h; `dm` is a struct dm. */
void frontend_each_vnc(void *dm, void (*each)(void *to, const struct qmp_vnc *), void *to);
int frontend_vnc_password(void *dm, const char *password, struct qmp_error *err);
int frontend_vnc_expire(void *dm, int64_t when, struct qmp_error *err);

/* frontend.c: the path of another of our programs; they lie where this one does. 0, or -errno, when
 * `path` has what is missing. */
int frontend_program(const char *name, char *path, size_t size);
/* frontend_sdl.c: the window. 1: it was added, 0 after logging why the guest starts without one;
 * -errno. */
int frontend_add_sdl(struct dm *dm, struct frontends *hub);

#endif
