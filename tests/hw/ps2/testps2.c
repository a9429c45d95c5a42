/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/hw/ps2/testps2.h"

#include <stdio.h>
#include <stdlib.h>

static void must(int rc, const char *what)
{
    if (rc) {
        fprintf(stderr, "testps2: %s: %d\n", what, rc);
        abort();
    }
}

void testps2_init(struct testps2 *t)
{
    machine_init(&t->m);
    must(input_create(&t->input), "input");
    must(i8042_create(&t->kc, &t->m.env, t->input), "i8042");
    machine_start(&t->m);
}

void testps2_fini(struct testps2 *t)
{
    device_list_destroy(t->m.env.devices);
    must(device_list_create(&t->m.env.devices), "device list");
    input_destroy(t->input);
    machine_fini(&t->m);
}

uint8_t status(struct testps2 *t)
{
    return (uint8_t)machine_in(&t->m, 0x64, 1);
}

void cmd(struct testps2 *t, uint8_t command)
{
    machine_out(&t->m, 0x64, 1, command);
}

void data(struct testps2 *t, uint8_t byte)
{
    machine_out(&t->m, 0x60, 1, byte);
}

void cmd1(struct testps2 *t, uint8_t command, uint8_t byte)
{
    cmd(t, command);
    data(t, byte);
}

void aux(struct testps2 *t, uint8_t byte)
{
    cmd1(t, 0xd4, byte);
}

int get(struct testps2 *t)
{
    for (int i = 0; i < 20; i++) {
        if (status(t) & 1)
            return (int)machine_in(&t->m, 0x60, 1);
        machine_advance(&t->m, 100000);
    }
    return NOTHING;
}

int get_aux(struct testps2 *t)
{
    for (int i = 0; i < 20 && !(status(t) & 1); i++)
        machine_advance(&t->m, 100000);
    return (status(t) & 0x21) == 0x21 ? (int)machine_in(&t->m, 0x60, 1) : NOTHING;
}

const char *drain(struct testps2 *t, char *buf, size_t size)
{
    size_t len = 0;
    int byte;

    buf[0] = 0;
    while (len + 4 < size && (byte = get(t)) != NOTHING)
        len += (size_t)snprintf(buf + len, size - len, "%s%02x", len ? " " : "", (unsigned)byte);
    return buf;
}

void key(struct testps2 *t, uint16_t code, bool down)
{
    input_key(t->input, code, down);
}
