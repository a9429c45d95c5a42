/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qemu-xen-traditional mode: where xenstore does what the command line and QMP do otherwise.
 *
 *     /local/domain/N/device/vbd         which disks there are        traditional_config.c
 *     .../memory, device-model/N/disable_pf                          traditional_config.c
 *     /vm/UUID/vncpasswd                taken and blanked            traditional.c, as all below
 *     /local/domain/N/console/vnc-*, serial/P/tty                    published
 *     device-model/N/command            done, see toolstack/xs_commands.h
 *     device-model/N/logdirty/cmd       done, answered in .../ret
 *     /local/domain/N/cpu/I/availability                             vCPU hot-plug
 *     BACKEND/params                    the medium of a CD-ROM drive
 *     FRONTEND/eject                    written when the guest has opened the tray
 */
#ifndef DM_TRADITIONAL_H
#define DM_TRADITIONAL_H

#include "dm/dm.h"

/* Before all handles are opened: adds to the config what xenstore has. 0, or -errno after logging
 * why. */
int traditional_complete(struct config *config);

/*
 * In qemu-xen mode none of the following does anything.
 *
 * Before the toolstack is told that we run: takes the password, publishes ports and terminals.
 * Returns 0 or -errno after logging why.
 */
int traditional_up(struct dm *dm);
void traditional_down(struct dm *dm);
/* The guest runs: the toolstack's commands are listened to. */
void traditional_watch(struct dm *dm);
/* An event of xenstore; returns whether it was one of these watches'. */
bool traditional_watch_event(struct dm *dm, const char *token);
/*
 * The guest sleeps (S3). The toolstack wakes it without a word to us: from here on its requests
 * wait until that has been found out, so that it meets devices that have been reset.
 */
void traditional_asleep(struct dm *dm);
/* The guest has opened the tray of this drive. */
void traditional_ejected(struct dm *dm, const struct config_drive *drive);

#endif
