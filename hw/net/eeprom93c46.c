/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Serial EEPROM 93C46 in its 64 x 16 organisation (Microwire; Atmel AT93C46, Microchip 93C46B).
 *
 *     idle --start bit--> command (2 bits opcode, 6 bits address) --+--read--> out (a 0, 16 bits)
 * -+ ^                                                            +--write--> in (16 bits) ------+
 *      +---------------------------- also when the part is deselected
 * -----------------------------+
 *
 * After the last bit of a word the part is idle: a driver may go on with a new start bit without
 * letting go of the chip select.
 *
 * Left out on purpose: the time that writing takes. The part says that it is ready at once.
 */
#include "hw/net/eeprom93c46.h"

enum { PHASE_IDLE, PHASE_COMMAND, PHASE_OUT, PHASE_IN };

enum { COMMAND_BITS = 8, WORD_BITS = 16 };

enum { OP_EXTENDED, OP_WRITE, OP_READ, OP_ERASE };
/* What the two upper address bits say when the opcode is OP_EXTENDED. */
enum { EXT_EWDS, EXT_WRAL, EXT_ERAL, EXT_EWEN };

#define E struct eeprom93c46
static const struct state_field eeprom_fields[] = {
    STATE_ARRAY(E, word, .flags = STATE_KEEP),
    STATE_FIELD(E, phase, .max = PHASE_IN),
    STATE_FIELD(E, count, .max = WORD_BITS),
    STATE_FIELD(E, shift),
    STATE_FIELD(E, command),
    STATE_FIELD(E, write_enabled),
    STATE_FIELD(E, cs),
    STATE_FIELD(E, sk),
    STATE_FIELD(E, out),
};
#undef E
const struct state_desc eeprom93c46_desc =
    STATE_DESC("eeprom93c46", 1, struct eeprom93c46, eeprom_fields, NULL);

static void enter(struct eeprom93c46 *e, uint8_t phase)
{
    e->phase = phase;
    e->count = 0;
}

static void fill(struct eeprom93c46 *e, uint16_t value)
{
    for (unsigned i = 0; e->write_enabled && i < EEPROM_WORDS; i++)
        e->word[i] = value;
}

static void extended(struct eeprom93c46 *e)
{
    enter(e, PHASE_IDLE);
    switch (e->command >> 4 & 3) {
    case EXT_EWDS:
        e->write_enabled = false;
        break;
    case EXT_EWEN:
        e->write_enabled = true;
        break;
    case EXT_ERAL:
        fill(e, 0xffff);
        break;
    default: /* EXT_WRAL */
        enter(e, PHASE_IN);
    }
}

static void command(struct eeprom93c46 *e)
{
    uint8_t address = e->command % EEPROM_WORDS;

    switch (e->command >> 6) {
    case OP_READ:
        e->shift = e->word[address];
        e->out = false; /* the dummy bit */
        enter(e, PHASE_OUT);
        break;
    case OP_WRITE:
        enter(e, PHASE_IN);
        break;
    case OP_ERASE:
        if (e->write_enabled)
            e->word[address] = 0xffff;
        enter(e, PHASE_IDLE);
        break;
    default: /* OP_EXTENDED */
        extended(e);
    }
}

static void word_in(struct eeprom93c46 *e)
{
    if (e->command >> 6 == OP_EXTENDED)
        fill(e, e->shift);
    else if (e->write_enabled)
        e->word[e->command % EEPROM_WORDS] = e->shift;
    enter(e, PHASE_IDLE);
}

static void clock_rises(struct eeprom93c46 *e, bool di)
{
    switch (e->phase) {
    case PHASE_IDLE:
        e->out = true; /* ready */
        if (di)
            enter(e, PHASE_COMMAND);
        break;
    case PHASE_COMMAND:
        e->command = (uint8_t)(e->command << 1 | di);
        if (++e->count == COMMAND_BITS)
            command(e);
        break;
    case PHASE_IN:
        e->shift = (uint16_t)(e->shift << 1 | di);
        if (++e->count == WORD_BITS)
            word_in(e);
        break;
    default: /* PHASE_OUT */
        e->out = e->shift >> 15;
        e->shift = (uint16_t)(e->shift << 1);
        if (++e->count == WORD_BITS)
            enter(e, PHASE_IDLE);
    }
}

void eeprom93c46_wires(struct eeprom93c46 *e, bool cs, bool sk, bool di)
{
    if (!cs) {
        enter(e, PHASE_IDLE);
        e->out = true;
    } else if (e->cs && sk && !e->sk) {
        clock_rises(e, di);
    }
    e->cs = cs;
    e->sk = sk;
}

bool eeprom93c46_out(const struct eeprom93c46 *e)
{
    return e->cs && e->out;
}
