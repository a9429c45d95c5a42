/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The machine's network cards: the part of machine.c that is about them. */
#ifndef DM_MACHINE_NET_H
#define DM_MACHINE_NET_H

#include "dm/dm.h"

struct machine_nics;

/* Makes every card of the configuration; *out is NULL when there is none. 0, or -errno after
 * logging why. */
int machine_nics_create(struct machine_nics **out, struct dm *dm);
/* After the device list, which ends the cards themselves. NULL is allowed. */
void machine_nics_destroy(struct machine_nics *nics);

/* Whether the guest runs; see hw/net/rtl8139.h. NULL is allowed, here and below. */
void machine_nics_set_running(struct machine_nics *nics, bool running);
/* The platform device's unplug: all cards are gone when it returns. Idempotent. */
void machine_nics_unplug(struct machine_nics *nics);

/* For QMP; see toolstack/qmp_ops.h. */
void machine_nics_each(struct machine_nics *nics, void (*each)(void *to, const struct qmp_nic *),
                       void *to);
int machine_nics_set_link(struct machine_nics *nics, const char *name, bool up,
                          struct qmp_error *err);

#endif
