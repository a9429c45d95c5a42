/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/fuzz/machine_ops.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "dm/savefile.h"
#include "hw/pci/pci.h"

#define OPS_MAX    400
#define STRING_MAX 64

uint8_t fuzz_u8(struct fuzz_input *in)
{
    if (in->left == 0)
        return 0;
    in->left--;
    return *in->data++;
}

uint32_t fuzz_u32(struct fuzz_input *in)
{
    uint32_t value = 0;

    for (unsigned i = 0; i < 4; i++)
        value |= (uint32_t)fuzz_u8(in) << 8 * i;
    return value;
}

void fuzz_require(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "invariant: %s\n", what);
    abort();
}

static uint16_t pick_port(const struct fuzz_machine *fm, struct fuzz_input *in)
{
    unsigned n = fuzz_u8(in);

    if (n == 255 || fm->port_count == 0)
        return (uint16_t)fuzz_u32(in);
    return (uint16_t)(fm->ports[n % fm->port_count] + (fuzz_u8(in) & 0x3f));
}

static uint64_t pick_address(const struct fuzz_machine *fm, struct fuzz_input *in)
{
    unsigned n = fuzz_u8(in);

    if (n == 255 || fm->address_count == 0)
        return fuzz_u32(in);
    return fm->addresses[n % fm->address_count] + (fuzz_u32(in) & 0x1fff);
}

static uint8_t pick_devfn(const struct fuzz_machine *fm, struct fuzz_input *in)
{
    unsigned n = fuzz_u8(in);

    return n == 255 || fm->devfn_count == 0 ? fuzz_u8(in) : fm->devfns[n % fm->devfn_count];
}

/* ---- saved states ---------------------------------------------------------------------------- */

struct pick {
    unsigned object;
    const struct state_desc *desc;
    void *state;
};

static int visit_pick(void *opaque, const char *name, const struct state_desc *desc, void *state)
{
    struct pick *pick = opaque;

    pick->desc = desc;
    pick->state = state;
    return pick->object-- == 0;
}

/* One element of one field is something else after a load, when the load lets it pass. */
static void tamper(struct fuzz_machine *fm, struct fuzz_input *in)
{
    struct pick pick = {.object = fuzz_u8(in) & 0x0f};

    arena_each(fm->m.env.arena, visit_pick, &pick);
    const struct state_field *field = &pick.desc->fields[fuzz_u8(in) % pick.desc->nfields];
    uint32_t element = fuzz_u32(in) % field->count;
    uint64_t value = fuzz_u32(in), before = state_get(field, pick.state, element);

    if (field->type == STATE_BOOL)
        value &= 1;
    state_set(field, pick.state, element, value);
    if (state_check(pick.desc, pick.state))
        state_set(field, pick.state, element, before);
    device_loaded_all(fm->m.env.devices);
}

static void save_and_load(struct fuzz_machine *fm)
{
    void *before, *after;
    size_t before_size, after_size;

    fuzz_require(savefile_encode(fm->m.env.arena, &before, &before_size) == 0, "save");
    const char *error = machine_save_load(&fm->m);
    fuzz_require(error == NULL, error ? error : "load");
    fuzz_require(savefile_encode(fm->m.env.arena, &after, &after_size) == 0, "save again");
    fuzz_require(before_size == after_size && memcmp(before, after, before_size) == 0,
                 "saving and loading changes nothing");
    free(before);
    free(after);
}

static int check_object(void *opaque, const char *name, const struct state_desc *desc, void *state)
{
    const char *field = state_check(desc, state);

    if (field)
        fprintf(stderr, "object %s, field %s\n", name, field);
    return field != NULL;
}

static void check_reset(struct fuzz_machine *fm)
{
    void *first, *second;
    size_t first_size, second_size;

    device_reset_all(fm->m.env.devices);
    fuzz_require(savefile_encode(fm->m.env.arena, &first, &first_size) == 0, "save");
    device_reset_all(fm->m.env.devices);
    fuzz_require(savefile_encode(fm->m.env.arena, &second, &second_size) == 0, "save");
    fuzz_require(first_size == second_size && memcmp(first, second, first_size) == 0,
                 "two resets are the same");
    free(first);
    free(second);
}

/* ---- the row --------------------------------------------------------------------------------- */

static void string_op(struct fuzz_machine *fm, struct fuzz_input *in, bool write)
{
    uint8_t buffer[STRING_MAX * 8];
    uint8_t how = fuzz_u8(in);
    enum io_kind kind = how & 1 ? IO_MEMORY : IO_PORT;
    unsigned size = 1u << (how >> 1 & (kind == IO_PORT ? 1 : 3));
    int step = kind == IO_PORT ? 0 : how & 8 ? -1 : 1;
    size_t count = 1 + fuzz_u8(in) % STRING_MAX;
    uint64_t addr = kind == IO_PORT ? pick_port(fm, in) : pick_address(fm, in);

    memset(buffer, how, sizeof(buffer));
    if (write)
        io_write_string(fm->m.env.io, kind, addr, size, step, buffer, count);
    else
        io_read_string(fm->m.env.io, kind, addr, size, step, buffer, count);
}

/* Returns whether the state has been tampered with. */
static bool one_op(struct fuzz_machine *fm, struct fuzz_input *in)
{
    struct machine *m = &fm->m;
    uint8_t op = fuzz_u8(in);
    unsigned size = 1u << (op >> 4 & 3);

    switch (op & 0x0f) {
    case 0:
    case 1:
    case 2:
        machine_out(m, pick_port(fm, in), size & 7 ? size : 4, fuzz_u32(in));
        break;
    case 3:
        (void)machine_in(m, pick_port(fm, in), size & 7 ? size : 4);
        break;
    case 4:
        machine_write(m, pick_address(fm, in), size, fuzz_u32(in));
        break;
    case 5:
        (void)machine_read(m, pick_address(fm, in), size);
        break;
    case 6:
    case 7:
    case 8:
        if (m->env.pci)
            pci_config_write(m->env.pci, pick_devfn(fm, in), fuzz_u8(in), size & 7 ? size : 4,
                             fuzz_u32(in));
        break;
    case 9:
        if (m->env.pci)
            (void)pci_config_read(m->env.pci, pick_devfn(fm, in), fuzz_u8(in), size & 7 ? size : 4);
        break;
    case 10:
        string_op(fm, in, op & 0x80);
        break;
    case 11:
        machine_advance(m, fuzz_u32(in));
        break;
    case 12:
        if (op >> 4 == 0)
            device_reset_all(m->env.devices);
        break;
    case 13:
        if (op >> 4 == 0)
            save_and_load(fm);
        break;
    case 14:
        tamper(fm, in);
        return true;
    default:
        if (fm->own_op)
            fm->own_op(in);
    }
    return false;
}

/* Plain copies of all objects, in a row: much faster than a load, and this is done each time. */
struct copy {
    uint8_t *at;
    bool back;
};

static int copy_object(void *opaque, const char *name, const struct state_desc *desc, void *state)
{
    struct copy *copy = opaque;

    if (copy->back)
        memcpy(state, copy->at, desc->size);
    else
        memcpy(copy->at, state, desc->size);
    copy->at += desc->size;
    return 0;
}

static int add_size(void *opaque, const char *name, const struct state_desc *desc, void *state)
{
    *(size_t *)opaque += desc->size;
    return 0;
}

void fuzz_machine_start(struct fuzz_machine *fm)
{
    size_t size = 0;

    machine_start(&fm->m);
    arena_each(fm->m.env.arena, add_size, &size);
    fm->power_on = malloc(size);
    fuzz_require(fm->power_on != NULL, "memory");
    arena_each(fm->m.env.arena, copy_object, &(struct copy){fm->power_on, false});
}

void fuzz_machine_run(struct fuzz_machine *fm, const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    bool tampered = false;

    device_reset_all(fm->m.env.devices);
    arena_each(fm->m.env.arena, copy_object, &(struct copy){fm->power_on, true});
    device_loaded_all(fm->m.env.devices);
    for (unsigned i = 0; i < OPS_MAX && in.left > 0; i++) {
        tampered |= one_op(fm, &in);
        if (fm->check)
            fm->check(tampered);
    }
    fuzz_require(arena_each(fm->m.env.arena, check_object, NULL) == 0, "a load would accept it");
    if (size > 0 && data[size - 1] % 4 == 0) { /* slow: not for every input */
        save_and_load(fm);
        check_reset(fm);
    }
}
