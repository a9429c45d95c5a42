/* SPDX-License-Identifier: GPL-2.0-or-later */
/* 93C46: 64 words of 16 bits behind three wires (chip select, clock, data in) and data out. */
#ifndef HW_NET_EEPROM93C46_H
#define HW_NET_EEPROM93C46_H

#include "dm/state.h"

#define EEPROM_WORDS 64u

struct eeprom93c46 {
    uint16_t word[EEPROM_WORDS];
    uint8_t phase;   /* enum in eeprom93c46.c */
    uint8_t count;   /* bits that have gone by in this phase */
    uint16_t shift;  /* bits that come in or are still to go out */
    uint8_t command; /* opcode << 6 | address */
    bool write_enabled;
    bool cs, sk; /* wires as they were last */
    bool out;    /* data out */
};

extern const struct state_desc eeprom93c46_desc;

/* The wires have these levels now. Data in is sampled where the clock rises. */
void eeprom93c46_wires(struct eeprom93c46 *e, bool cs, bool sk, bool di);
/* Level of data out; low while the part is not selected. */
bool eeprom93c46_out(const struct eeprom93c46 *e);

#endif
