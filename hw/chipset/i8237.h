/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The two ISA DMA controllers with their page registers. */
#ifndef HW_CHIPSET_I8237_H
#define HW_CHIPSET_I8237_H

#include "dm/env.h"

struct i8237;

/* Returns 0 or -errno. The device list owns the result. */
int i8237_create(struct i8237 **out, const struct dm_env *env);

#endif
