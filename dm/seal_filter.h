/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The system call filter: programs that dm/seccomp/generate.c makes at build time. The head of that
 * file says what they allow.
 */
#ifndef DM_SEAL_FILTER_H
#define DM_SEAL_FILTER_H

/* What a program allows beyond the least. */
#define SEAL_PATHS      1u /* files by name */
#define SEAL_CONNECT    2u /* new stream sockets */
#define SEAL_HYPERCALLS 4u /* hypercalls and grants */
#define SEAL_PROGRAMS   8u

/* Stands in the programs for the process's own number, which is known when one is loaded. */
#define SEAL_OWN_PID 0x5ea1ed1d

/*
 * Puts every thread of the process, and those to come, under the program with these bits: for good.
 * No new privileges must have been given up. 0 or -errno; -ESRCH: a thread has a filter of its own.
 */
int seal_filter(unsigned bits);

#endif
