/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The PCI-to-ISA bridge, PCI function 01.0: routes the PIRQ links to ISA interrupts. */
#ifndef HW_CHIPSET_PIIX3_H
#define HW_CHIPSET_PIIX3_H

#include "dm/env.h"

struct piix3;

/* Returns 0 or -errno. The device list owns the result. */
int piix3_create(struct piix3 **out, const struct dm_env *env);

#endif
