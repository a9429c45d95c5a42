/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tap interfaces of the host. */
#ifndef NET_TAP_H
#define NET_TAP_H

/*
 * Makes (or attaches to) the tap interface `ifname` and returns its descriptor, close-on-exec and
 * non-blocking, or -errno. The interface lives as long as the descriptor; it is neither set up nor
 * put into a bridge: the toolstack's scripts do that, and may rename it meanwhile.
 */
int tap_open(const char *ifname);

#endif
