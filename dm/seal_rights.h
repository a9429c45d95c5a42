/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rights and limits of the process, each given away for good. All return 0 or -errno. */
#ifndef DM_SEAL_RIGHTS_H
#define DM_SEAL_RIGHTS_H

#include <stdbool.h>

/*
 * What the user of the process may ever have again: `capability` (CAP_...), or nothing when it is
 * negative. While root still is root, before the user is changed.
 */
int seal_bounds(int capability);
/* What the process has now; after the user was changed, if at all. This thread only. */
int seal_capabilities(int capability);
/* No core files, locks in memory, message queues; `own_user`: the user has no other processes than
 * those of this guest. */
int seal_limits(bool own_user);
/* Nobody of the same user may look into the process, and it leaves no core file. */
int seal_undumpable(void);

#endif
