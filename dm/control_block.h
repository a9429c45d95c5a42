/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The part of control.c that is about drives; see toolstack/qmp_ops.h for the contracts. */
#ifndef DM_CONTROL_BLOCK_H
#define DM_CONTROL_BLOCK_H

#include "toolstack/qmp_ops.h"

void control_each_block(void *dm, void (*each)(void *to, const struct qmp_block *), void *to);
int control_eject(void *dm, const char *drive, bool force, struct qmp_error *err);
int control_insert(void *dm, const char *drive, const struct qmp_medium *medium,
                   struct qmp_error *err);
int control_tray(void *dm, const char *drive, bool open, bool force, struct qmp_error *err);

#endif
