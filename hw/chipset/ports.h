/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fixed ports of the chipset: CF8h-CFBh (configuration address, reset control) and 92h. */
#ifndef HW_CHIPSET_PORTS_H
#define HW_CHIPSET_PORTS_H

#include "dm/env.h"

struct chipset_ports;

/* Returns 0 or -errno. The device list owns the result. */
int chipset_ports_create(struct chipset_ports **out, const struct dm_env *env);

#endif
