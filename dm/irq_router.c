/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dm/irq_router.h"

#include <errno.h>
#include <stdlib.h>

#define ISA_LINES      16u
#define SLOTS          32u
#define PINS           4u
#define INTX_FIRST     ISA_LINES
#define PLATFORM_LINES (ISA_LINES + SLOTS * PINS)
#define SCI            9u

/* A source is one bit of the set that holds its platform line up. */
#define SOURCES_MAX 8u

struct irq_router {
    struct irq_sink sink;
    uint8_t held[PLATFORM_LINES];    /* which of a line's sources are up */
    uint8_t sources[PLATFORM_LINES]; /* how many there are */
};

int irq_router_create(struct irq_router **out, const struct irq_sink *sink)
{
    struct irq_router *router = calloc(1, sizeof(*router));

    if (!router)
        return -ENOMEM;
    router->sink = *sink;
    *out = router;
    return 0;
}

void irq_router_destroy(struct irq_router *router)
{
    free(router);
}

static void tell(struct irq_router *router, unsigned line)
{
    bool level = router->held[line] != 0;

    if (line < ISA_LINES)
        router->sink.isa(router->sink.opaque, (uint8_t)line, level);
    else
        router->sink.intx(router->sink.opaque, (uint8_t)((line - INTX_FIRST) / PINS),
                          (uint8_t)((line - INTX_FIRST) % PINS), level);
}

static void source_set(void *opaque, unsigned source, bool level)
{
    struct irq_router *router = opaque;
    unsigned line = source / SOURCES_MAX;
    uint8_t bit = (uint8_t)(1u << source % SOURCES_MAX);
    bool before = router->held[line] != 0;

    if (level)
        router->held[line] |= bit;
    else
        router->held[line] &= (uint8_t)~bit;
    if (before != (router->held[line] != 0) || line == SCI)
        tell(router, line);
}

static struct irq new_source(struct irq_router *router, unsigned line)
{
    unsigned n = router->sources[line];

    /* More sources than bits would be an error of the machine table; the last one is shared. */
    if (n < SOURCES_MAX - 1)
        router->sources[line]++;
    return (struct irq){source_set, router, line * SOURCES_MAX + n};
}

struct irq irq_router_isa(struct irq_router *router, uint8_t irq)
{
    return new_source(router, irq % ISA_LINES);
}

struct irq irq_router_intx(struct irq_router *router, uint8_t device, uint8_t pin)
{
    return new_source(router, INTX_FIRST + device % SLOTS * PINS + pin % PINS);
}

void irq_router_refresh(struct irq_router *router)
{
    for (unsigned line = 0; line < PLATFORM_LINES; line++)
        if (router->sources[line] && line != SCI)
            tell(router, line);
}
