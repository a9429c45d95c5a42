/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host bridge, PCI function 00.0. */
#ifndef HW_CHIPSET_I440FX_H
#define HW_CHIPSET_I440FX_H

#include "dm/env.h"

struct i440fx;

struct i440fx_config {
    uint64_t ram_mib; /* the guest's RAM, for register 57h */
};

/* Returns 0 or -errno. The device list owns the result. */
int i440fx_create(struct i440fx **out, const struct dm_env *env,
                  const struct i440fx_config *config);

#endif
