/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of the library share. Every public function of it is one of the real libraries'
 * own names. */
#ifndef FAKEXEN_LIB_H
#define FAKEXEN_LIB_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include "hv.h"
#include "rpc.h"

struct xentoollog_logger;

/* This process's view of the hypervisor; connects on first use. NULL with errno set when there is
 * no controller. */
struct hv_view *lib_view(void);
/* First lines of a call: connection, restriction, ordered failures, dead domain. 0 or a negative
 * errno. */
int lib_enter(const char *name, uint32_t domid);
/* The same for calls on handles that a restriction closes (xencall, xengnttab). */
int lib_enter_closed(const char *name);
/* Turns 0/-errno into the libraries' way of saying it. */
int lib_result(int rc);
int lib_connect(void);
/* Asks the controller over `fd`; up to four descriptors come back in fds (-1 when absent). 0 or a
 * negative errno. */
int lib_ask(int fd, struct rpc *message, int fds[4]);
/* Asks over the connection that belongs to the hypervisor side. */
int lib_ask_hv(struct rpc *message, int fds[4]);
int lib_restrict(uint32_t domid);
bool lib_restricted(void);
void lib_store_restrict(void);
/* Hypercalls shared by libxencall and libxenctrl: 0, a count, or a negative errno. */
long lib_populate(uint32_t domid, uint64_t nr, uint32_t order, const uint64_t *gfns,
                  const char *name);
long lib_param_set(uint32_t domid, uint32_t index, uint64_t value);
long lib_param_get(uint32_t domid, uint32_t index, uint64_t *value);
long lib_shutdown(uint32_t domid, uint32_t reason);

#endif
