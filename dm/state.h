/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Field tables: the one description of a device's guest-visible state.
 *
 * A state struct is plain data: fixed-width unsigned integers, bools, and arrays of them; no
 * pointers, no nested structs (a part that repeats is an arena object of its own). Its table
 * names every field once. From it come reset values, save and restore with range checks, a
 * readable dump, and the comparison of two states.
 *
 *     static const struct state_field uart_fields[] = {
 *         STATE_FIELD(struct uart_state, ier, .bits = 0x0f),
 *         STATE_FIELD(struct uart_state, divisor, .reset = 12),
 *         STATE_ARRAY(struct uart_state, rx_fifo),
 *         STATE_FIELD(struct uart_state, rx_count, .max = 16),
 *     };
 *     static const struct state_desc uart_desc =
 *         STATE_DESC("uart16550", 1, struct uart_state, uart_fields, uart_check);
 */
#ifndef DM_STATE_H
#define DM_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum state_type { STATE_U8 = 1, STATE_U16 = 2, STATE_U32 = 4, STATE_U64 = 8, STATE_BOOL = 9 };

enum {
    STATE_KEEP = 1, /* state_reset() leaves the field alone: a disk's unplugged flag, CMOS bytes */
};

#define STATE_NAME_MAX 20 /* with its NUL */

/* Without a pointer, so that tables are the same in every process and need no relocation. */
struct state_field {
    char name[STATE_NAME_MAX];
    enum state_type type;
    uint32_t offset;
    uint32_t count; /* elements; 1 for a scalar */
    uint16_t since; /* first version of the description that has it; 0 means 1 */
    uint16_t flags;
    uint64_t min;
    uint64_t max; /* of each element; 0 means all that the type can hold */
    /*
     * For a field that is a set of flags: no other bit may be set; 0 means any may. A maximum
     * would let through the bits below the highest flag that are none.
     */
    uint64_t bits;
    uint64_t reset;
};

struct state_desc {
    const char *kind; /* what it is, e.g. "uart16550": a saved object of another kind is refused */
    uint16_t version;
    size_t size;
    const struct state_field *fields;
    size_t nfields;
    /*
     * Relations between fields that ranges cannot say (an index below a count). Returns NULL, or
     * the name of the field that is wrong. May be NULL. Called on untrusted content.
     */
    const char *(*check)(const void *state);
};

#define STATE_TYPE(x)                                                                              \
    _Generic((x), uint8_t                                                                          \
             : STATE_U8, uint16_t                                                                  \
             : STATE_U16, uint32_t                                                                 \
             : STATE_U32, uint64_t                                                                 \
             : STATE_U64, bool                                                                     \
             : STATE_BOOL)
/* The type of an array that cannot be when the name leaves no room for its NUL. */
#define STATE_OFFSET(S, member)                                                                    \
    offsetof(S, member) + 0 * sizeof(char[sizeof(#member) <= STATE_NAME_MAX ? 1 : -1])
#define STATE_FIELD(S, member, ...)                                                                \
    {                                                                                              \
        .name = #member, .type = STATE_TYPE(((S *)0)->member), .offset = STATE_OFFSET(S, member),  \
        .count = 1, ##__VA_ARGS__                                                                  \
    }
#define STATE_ARRAY(S, member, ...)                                                                \
    {                                                                                              \
        .name = #member, .type = STATE_TYPE(((S *)0)->member[0]),                                  \
        .offset = STATE_OFFSET(S, member),                                                         \
        .count = sizeof(((S *)0)->member) / sizeof(((S *)0)->member[0]), ##__VA_ARGS__             \
    }
#define STATE_DESC(kind_, version_, S, table, check_)                                              \
    {                                                                                              \
        .kind = (kind_), .version = (version_), .size = sizeof(S), .fields = (table),              \
        .nfields = sizeof(table) / sizeof((table)[0]), .check = (check_)                           \
    }

/* Bytes of one element of this type. */
size_t state_type_size(enum state_type type);

/* One element of a field, widened; i < field->count. */
uint64_t state_get(const struct state_field *field, const void *state, uint32_t i);
void state_set(const struct state_field *field, void *state, uint32_t i, uint64_t value);

/* Every field without STATE_KEEP gets its reset value. Two resets yield identical bytes. */
void state_reset(const struct state_desc *desc, void *state);

/* NULL when every field is in its range and desc->check agrees; else the name of the field. */
const char *state_check(const struct state_desc *desc, const void *state);

/* NULL when equal; else the name of the first field that differs. */
const char *state_differs(const struct state_desc *desc, const void *a, const void *b);

/* Readable dump, one field a line, each line begun with `indent`. */
void state_dump(const struct state_desc *desc, const void *state, const char *indent, FILE *out);

/*
 * Whether the table itself is sound: fields inside the struct, none overlapping, no bytes left out
 * but alignment padding, reset values in range. Returns NULL or what is wrong. For tests.
 */
const char *state_desc_flaw(const struct state_desc *desc);

#endif
