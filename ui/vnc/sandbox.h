/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What slimdm-vnc gives away before it looks at the first byte of a viewer. */
#ifndef UI_VNC_SANDBOX_H
#define UI_VNC_SANDBOX_H

#include <stddef.h>

/* Closes every descriptor but 0 to 2 and those listed (in any order). 0 or -errno. */
int sandbox_close_others(const int *keep, size_t count);

/*
 * For all threads, of which no more can be made: the user (when it is root), new privileges, core
 * files, tracing; and every system call that carrying bytes does not need: no file can be opened,
 * no program run, no connection made. 0, or -errno after saying why.
 */
int sandbox_enter(void);

#endif
