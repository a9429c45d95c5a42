/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ports of the 440FX and the PIIX3 that belong to no function's configuration space
 * (data sheets 290549 and 290550):
 *
 *     CF8h  CONFADD  dword only: the configuration address. The hypervisor watches writes to it
 *                    and decodes CFCh-CFFh itself; what is kept here is what the guest reads back.
 *     CF9h  RC       byte only: reset control
 *     92h            port A: bit 0 fast reset, bit 1 A20
 *
 *     RC:      bit 2 written as 1 -> reset
 *     port A:  bit 0 from 0 to 1  -> reset
 *
 * A reset is asked for once; the latch opens again when the machine is reset.
 *
 * Left out on purpose: A20 has no effect (under Xen it is never masked), CFCh-CFFh are not
 * claimed (cycles that CONFADD does not enable read as ones, as from anything unclaimed), nor is
 * F0h, the coprocessor error latch, whose writes go nowhere and which reads as ones.
 */
#include "hw/chipset/ports.h"

#include <errno.h>
#include <stdlib.h>
#include "dm/device.h"

enum {
    CF8 = 0xcf8,
    CONFADD_OFFSET = 0,
    RC_OFFSET = 1,
    RC_SRST = 1 << 1, /* hard or soft; the only bit that is kept */
    RC_RCPU = 1 << 2,

    PORT_A = 0x92,
    PORT_A_FAST_INIT = 1 << 0,
};

struct ports_state {
    uint32_t confadd;
    uint8_t rc;
    uint8_t port_a;
    bool reset_asked;
};

static const struct state_field ports_fields[] = {
    STATE_FIELD(struct ports_state, confadd),
    STATE_FIELD(struct ports_state, rc, .bits = RC_SRST),
    STATE_FIELD(struct ports_state, port_a),
    STATE_FIELD(struct ports_state, reset_asked),
};
static const struct state_desc ports_desc =
    STATE_DESC("chipset-ports", 1, struct ports_state, ports_fields, NULL);

struct chipset_ports {
    struct ports_state *state;
    struct platform_ops platform;
    struct io_region cf8, port_a;
};

static void ask_reset(struct chipset_ports *ports)
{
    if (ports->state->reset_asked)
        return;
    if (ports->platform.power)
        ports->platform.power(ports->platform.opaque, POWER_REBOOT);
    /* Afterwards: a process that takes over in between asks again rather than not at all. */
    ports->state->reset_asked = true;
}

static uint64_t cf8_read(void *opaque, uint64_t offset, unsigned size)
{
    struct chipset_ports *ports = opaque;

    if (offset == CONFADD_OFFSET && size == 4)
        return ports->state->confadd;
    if (offset == RC_OFFSET && size == 1)
        return ports->state->rc;
    return UINT32_MAX;
}

static void cf8_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
    struct chipset_ports *ports = opaque;

    if (offset == CONFADD_OFFSET && size == 4) {
        ports->state->confadd = (uint32_t)value;
    } else if (offset == RC_OFFSET && size == 1) {
        ports->state->rc = value & RC_SRST;
        if (value & RC_RCPU)
            ask_reset(ports);
    }
}

/* Narrow accesses are declared only so that they are seen as such and disturb nothing. */
static const struct io_ops cf8_ops = {.read = cf8_read, .write = cf8_write, .sizes = 1 | 2 | 4};

static uint64_t port_a_read(void *opaque, uint64_t offset, unsigned size)
{
    struct chipset_ports *ports = opaque;

    return ports->state->port_a;
}

static void port_a_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
    struct chipset_ports *ports = opaque;
    uint8_t rising = (uint8_t)value & (uint8_t)~ports->state->port_a;

    ports->state->port_a = (uint8_t)value;
    if (rising & PORT_A_FAST_INIT)
        ask_reset(ports);
}

static const struct io_ops port_a_ops = {.read = port_a_read, .write = port_a_write, .sizes = 1};

static void ports_reset(void *opaque)
{
    struct chipset_ports *ports = opaque;

    state_reset(&ports_desc, ports->state);
}

static const struct device_ops ops = {
    .name = "chipset-ports",
    .stays_on = true,
    .reset = ports_reset,
    .destroy = free,
};

int chipset_ports_create(struct chipset_ports **out, const struct dm_env *env)
{
    struct chipset_ports *ports = calloc(1, sizeof(*ports));
    int err;

    if (!ports)
        return -ENOMEM;
    ports->platform = env->platform;
    ports->cf8 = (struct io_region){.name = "confadd",
                                    .kind = IO_PORT,
                                    .base = CF8,
                                    .length = 4,
                                    .ops = &cf8_ops,
                                    .dev = ports};
    ports->port_a = (struct io_region){.name = "port92",
                                       .kind = IO_PORT,
                                       .base = PORT_A,
                                       .length = 1,
                                       .ops = &port_a_ops,
                                       .dev = ports};
    err = device_register(env->devices, &ops, ports);
    if (err) {
        free(ports);
        return err;
    }
    *out = ports;
    ports->state = arena_alloc(env->arena, "chipset-ports", &ports_desc);
    if (!ports->state)
        return -ENOMEM;
    err = iospace_add(env->io, &ports->cf8);
    return err ? err : iospace_add(env->io, &ports->port_a);
}
