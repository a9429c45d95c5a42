/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The keyboard controller with its keyboard and mouse, and somebody at both. Checked besides what
 * machine_ops.h says: the lines are what output buffer and command byte say, one reset is asked
 * for at most, and both devices still answer after anything.
 */
#include <string.h>

#include "hw/ps2/i8042.h"
#include "tests/fuzz/machine_ops.h"

#define READS_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint16_t ports[] = {0x60, 0x64};
/* Commands worth more than chance, for the controller and for both devices. */
static const uint8_t commands[] = {0x20, 0x60, 0xa7, 0xa8, 0xaa, 0xad, 0xae,
                                   0xd0, 0xd1, 0xd2, 0xd3, 0xd4, 0xfe};
static const uint8_t bytes[] = {0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xeb, 0xec, 0xed, 0xee, 0xf0, 0xf2,
                                0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xfb, 0xfc, 0xfe, 0xff, 200,
                                100,  80,   0x00, 0x01, 0x02, 0x03, 0x43, 0x47, 0x65};

static struct fuzz_machine fm;
static struct input *input;

struct peek {
    const char *object, *field;
    uint64_t value;
};

static int peek_object(void *opaque, const char *name, const struct state_desc *desc, void *state)
{
    struct peek *peek = opaque;

    if (strcmp(name, peek->object) != 0)
        return 0;
    for (size_t i = 0; i < desc->nfields; i++)
        if (strcmp(desc->fields[i].name, peek->field) == 0)
            peek->value = state_get(&desc->fields[i], state, 0);
    return 1;
}

static uint64_t controller(const char *field)
{
    struct peek peek = {"i8042", field, 0};

    fuzz_require(arena_each(fm.m.env.arena, peek_object, &peek) == 1, "there is a controller");
    return peek.value;
}

/* Asks and reads until the answer comes; what else there is to read is bounded. */
static void must_answer(bool mouse)
{
    struct machine *m = &fm.m;

    machine_out(m, 0x64, 1, 0xa7); /* only one of them speaks */
    machine_out(m, 0x64, 1, 0xad);
    if (mouse) {
        machine_out(m, 0x64, 1, 0xd4);
        machine_out(m, 0x60, 1, 0xec); /* out of wrap mode, and of a pending argument */
        machine_out(m, 0x64, 1, 0xd4);
        machine_out(m, 0x60, 1, 0xf2);
    } else {
        machine_out(m, 0x60, 1, 0xf2);
    }
    for (unsigned reads = 0;; reads++) {
        fuzz_require(reads < READS_MAX, "a command is acknowledged");
        if ((machine_in(m, 0x64, 1) & 1) && machine_in(m, 0x60, 1) == 0xfa)
            break;
        machine_advance(m, 300000);
    }
    machine_out(m, 0x64, 1, 0xa8);
    machine_out(m, 0x64, 1, 0xae);
}

static void own_op(struct fuzz_input *in)
{
    struct machine *m = &fm.m;
    uint8_t n = fuzz_u8(in);

    switch (fuzz_u8(in) % 8) {
    case 0:
        input_key(input, n, fuzz_u8(in) & 1);
        break;
    case 1:
        input_key(input, (uint16_t)fuzz_u32(in), n & 1);
        break;
    case 2:
        input_rel(input, (int8_t)n, (int8_t)fuzz_u8(in), (int8_t)fuzz_u8(in), fuzz_u8(in) & 31);
        break;
    case 3:
        input_rel(input, (int32_t)fuzz_u32(in), (int32_t)fuzz_u32(in), (int32_t)fuzz_u32(in), n);
        break;
    case 4:
        machine_out(m, 0x64, 1, commands[n % sizeof(commands)]);
        break;
    case 5:
        machine_out(m, 0x60, 1, bytes[n % sizeof(bytes)]);
        break;
    case 6:
        machine_out(m, 0x64, 1, 0xd4);
        machine_out(m, 0x60, 1, bytes[n % sizeof(bytes)]);
        break;
    default:
        must_answer(n & 1);
    }
}

static void check(bool tampered)
{
    uint64_t ctr;
    uint8_t status;
    bool full, aux;

    machine_settle(&fm.m);
    status = (uint8_t)machine_in(&fm.m, 0x64, 1);
    full = status & 0x01;
    aux = status & 0x20;
    ctr = controller("ctr");
    fuzz_require((status & 0x12) == 0x10, "unlocked, and the input buffer is empty");
    fuzz_require(full == (controller("obf") != 0) && (!aux || full), "status is the buffer's");
    fuzz_require(fm.m.isa[1] == (full && !aux && (ctr & 1)), "IRQ 1 is a function of the state");
    fuzz_require(fm.m.isa[12] == (full && aux && (ctr & 2)), "IRQ 12 is a function of the state");
    fuzz_require(fm.m.mappings == 0, "no guest memory is touched");
}

static void create(void)
{
    struct i8042 *kc;

    machine_init(&fm.m);
    fuzz_require(input_create(&input) == 0, "the hub can be made");
    fuzz_require(i8042_create(&kc, &fm.m.env, input) == 0, "the controller can be made");
    fm.ports = ports;
    fm.port_count = sizeof(ports) / sizeof(ports[0]);
    fm.own_op = own_op;
    fm.check = check;
    fuzz_machine_start(&fm);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!input)
        create();
    input_release_all(input);
    fm.m.now = 1000000000;
    fuzz_machine_run(&fm, data, size);
    return 0;
}
