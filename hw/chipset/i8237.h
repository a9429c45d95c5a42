/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The two ISA DMA controllers with their page registers. */
#ifndef HW_CHIPSET_I8237_H
#define HW_CHIPSET_I8237_H

#include "dm/env.h"
#include "hw/chipset/isa_dma.h"

struct i8237;

/* Returns 0 or -errno. The device list owns the result. */
int i8237_create(struct i8237 **out, const struct dm_env *env);

/*
 * The device at channel 0 to 3. ready() comes within a register write of the guest, when the
 * channel has a request and could serve it: it may not transfer before that write has ended.
 */
struct isa_dma i8237_attach(struct i8237 *dma, unsigned channel, void (*ready)(void *opaque),
                            void *opaque);

#endif
