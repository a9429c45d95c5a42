/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a front-end gives away before it looks at the first byte of a stranger. */
#ifndef UI_SANDBOX_H
#define UI_SANDBOX_H

#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>

/* Closes every descriptor but 0 to 2 and those listed (in any order). 0 or -errno. */
int sandbox_close_others(const int *keep, size_t count);

/* A system call that one program needs besides what all of them do. */
struct sandbox_rule {
    int call;
    /* Only if argument & mask == value; a mask of 0 asks nothing. */
    unsigned argument;
    uint64_t mask, value;
};

/*
 * For all threads, of which no more can be made: the user (when it is root), new privileges, core
 * files, tracing; and every system call that carrying bytes does not need: no file can be opened,
 * no program run, no connection made. `program` is for messages. 0, or -errno after saying why.
 */
int sandbox_enter(const char *program, const struct sandbox_rule *more, size_t count);

#endif
