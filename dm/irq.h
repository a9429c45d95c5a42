/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An interrupt line as a device sees it: a level to set. What is behind it is not its business. */
#ifndef DM_IRQ_H
#define DM_IRQ_H

#include <stdbool.h>

struct irq {
    void (*set)(void *opaque, unsigned line, bool level);
    void *opaque;
    unsigned line;
};

/* Idempotent and cheap when nothing changes: call it after every entry with the level worked out
 * from the state. A zeroed struct irq is a line that leads nowhere. */
static inline void irq_set(const struct irq *irq, bool level)
{
    if (irq->set)
        irq->set(irq->opaque, irq->line, level);
}

#endif
