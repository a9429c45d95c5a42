/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dm/state.h"

#include <inttypes.h>
#include <string.h>

size_t state_type_size(enum state_type type)
{
    return type == STATE_BOOL ? sizeof(bool) : (size_t)type;
}

static uint64_t type_max(enum state_type type)
{
    switch (type) {
    case STATE_U8:
        return UINT8_MAX;
    case STATE_U16:
        return UINT16_MAX;
    case STATE_U32:
        return UINT32_MAX;
    case STATE_U64:
        return UINT64_MAX;
    case STATE_BOOL:
        return 1;
    }
    return 0;
}

uint64_t state_get(const struct state_field *field, const void *state, uint32_t i)
{
    const uint8_t *p = (const uint8_t *)state + field->offset;

    switch (field->type) {
    case STATE_U8:
        return p[i];
    case STATE_U16:
        return ((const uint16_t *)(const void *)p)[i];
    case STATE_U32:
        return ((const uint32_t *)(const void *)p)[i];
    case STATE_U64:
        return ((const uint64_t *)(const void *)p)[i];
    case STATE_BOOL:
        return p[i]; /* not as bool: a foreign byte may hold anything */
    }
    return 0;
}

void state_set(const struct state_field *field, void *state, uint32_t i, uint64_t value)
{
    uint8_t *p = (uint8_t *)state + field->offset;

    switch (field->type) {
    case STATE_U8:
    case STATE_BOOL:
        p[i] = (uint8_t)value;
        break;
    case STATE_U16:
        ((uint16_t *)(void *)p)[i] = (uint16_t)value;
        break;
    case STATE_U32:
        ((uint32_t *)(void *)p)[i] = (uint32_t)value;
        break;
    case STATE_U64:
        ((uint64_t *)(void *)p)[i] = value;
        break;
    }
}

void state_reset(const struct state_desc *desc, void *state)
{
    for (size_t f = 0; f < desc->nfields; f++) {
        const struct state_field *field = &desc->fields[f];

        if (field->flags & STATE_KEEP)
            continue;
        if (field->reset == 0) {
            memset((uint8_t *)state + field->offset, 0,
                   field->count * state_type_size(field->type));
            continue;
        }
        for (uint32_t i = 0; i < field->count; i++)
            state_set(field, state, i, field->reset);
    }
}

static bool in_range(const struct state_field *field, uint64_t value)
{
    uint64_t max = field->max ? field->max : type_max(field->type);

    if (field->bits && (value & ~field->bits))
        return false;
    return value >= field->min && value <= max;
}

static bool any_value_allowed(const struct state_field *field)
{
    return field->type != STATE_BOOL && field->min == 0 && field->bits == 0 &&
           (field->max == 0 || field->max == type_max(field->type));
}

const char *state_check(const struct state_desc *desc, const void *state)
{
    for (size_t f = 0; f < desc->nfields; f++) {
        const struct state_field *field = &desc->fields[f];

        if (any_value_allowed(field))
            continue;
        for (uint32_t i = 0; i < field->count; i++)
            if (!in_range(field, state_get(field, state, i)))
                return field->name;
    }
    return desc->check ? desc->check(state) : NULL;
}

const char *state_differs(const struct state_desc *desc, const void *a, const void *b)
{
    for (size_t f = 0; f < desc->nfields; f++) {
        const struct state_field *field = &desc->fields[f];

        if (memcmp((const uint8_t *)a + field->offset, (const uint8_t *)b + field->offset,
                   field->count * state_type_size(field->type)))
            return field->name;
    }
    return NULL;
}

void state_dump(const struct state_desc *desc, const void *state, const char *indent, FILE *out)
{
    for (size_t f = 0; f < desc->nfields; f++) {
        const struct state_field *field = &desc->fields[f];
        uint32_t last = field->count;

        /* A long run of zeros at the end of a buffer says nothing. */
        while (last > 1 && state_get(field, state, last - 1) == 0)
            last--;
        fprintf(out, "%s%s =", indent, field->name);
        for (uint32_t i = 0; i < last; i++) {
            if (i && i % 32 == 0)
                fprintf(out, "\n%s   ", indent);
            fprintf(out, " %" PRIx64, state_get(field, state, i));
        }
        if (last < field->count)
            fprintf(out, " (then %" PRIu32 " zeros)", field->count - last);
        fputc('\n', out);
    }
}

const char *state_desc_flaw(const struct state_desc *desc)
{
    uint8_t seen[4096];
    uint32_t gap = 0;

    for (size_t f = 0; f < desc->nfields; f++) {
        const struct state_field *field = &desc->fields[f];
        size_t bytes = field->count * state_type_size(field->type);

        if (field->count == 0 || field->offset + bytes > desc->size)
            return field->name;
        if (!in_range(field, field->reset) || field->bits > type_max(field->type))
            return field->name;
        for (size_t g = 0; g < f; g++) {
            const struct state_field *other = &desc->fields[g];
            size_t other_bytes = other->count * state_type_size(other->type);

            if (field->offset < other->offset + other_bytes &&
                other->offset < field->offset + bytes)
                return field->name;
            if (strcmp(field->name, other->name) == 0)
                return field->name;
        }
    }
    /* Bytes that no field covers may only be alignment padding: fewer than 8 in a row. Large
     * structs are walked in windows so that the check needs no memory of its own. */
    for (size_t base = 0; base < desc->size; base += sizeof(seen)) {
        size_t len = desc->size - base < sizeof(seen) ? desc->size - base : sizeof(seen);

        memset(seen, 0, len);
        for (size_t f = 0; f < desc->nfields; f++) {
            const struct state_field *field = &desc->fields[f];
            size_t from = field->offset;
            size_t to = from + field->count * state_type_size(field->type);

            if (to <= base || from >= base + len)
                continue;
            from = from > base ? from - base : 0;
            to = to - base < len ? to - base : len;
            memset(seen + from, 1, to - from);
        }
        for (size_t i = 0; i < len; i++) {
            gap = seen[i] ? 0 : gap + 1;
            if (gap >= 8)
                return "(bytes without a field)";
        }
    }
    return NULL;
}
