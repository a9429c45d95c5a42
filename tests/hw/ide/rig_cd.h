/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets to the CD-ROM drive, which is unit 2, and what is expected of them. */
#ifndef TESTS_HW_IDE_RIG_CD_H
#define TESTS_HW_IDE_RIG_CD_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/hw/ide/rig.h"

#define OK        (ATA_DRDY | ATA_DSC)
#define CHECK     (ATA_DRDY | ATA_DSC | ATA_ERR)
#define ANY_LIMIT 0xfffe

#define NOT_PRESENT  0x023a00u
#define MAY_CHANGED  0x062800u
#define BAD_OPCODE   0x052000u
#define BAD_LBA      0x052100u
#define BAD_FIELD    0x052400u
#define INCOMPATIBLE 0x053000u
#define PREVENTED    0x025302u

static inline int setup(void **state)
{
    if (rig_setup(state))
        return -1;
    rig_select(*state, 2);
    return 0;
}
#define CD(name) cmocka_unit_test_setup_teardown(name, setup, rig_teardown)

static inline struct ide_drive *cd(struct rig *r)
{
    return &r->ide->channel[1].drive[0];
}

struct cdb {
    uint8_t b[12];
};
#define CDB(...) (&(const struct cdb){{__VA_ARGS__}})

static uint8_t reply[65536];

/* A command that succeeds; the bytes of its reply. */
static inline size_t good(struct rig *r, const struct cdb *c)
{
    size_t got;

    memset(reply, 0xee, sizeof(reply));
    assert_int_equal(rig_packet(r, c->b, ANY_LIMIT, reply, sizeof(reply), &got), OK);
    assert_int_equal(in(r, 1), 0);
    assert_int_equal(in(r, 2), REASON_COD | REASON_IO);
    return got;
}

static inline void refused(struct rig *r, const struct cdb *c, uint32_t sense)
{
    size_t got;

    assert_int_equal(rig_packet(r, c->b, ANY_LIMIT, reply, sizeof(reply), &got), CHECK);
    assert_int_equal(got, 0);
    assert_int_equal(in(r, 1), sense >> 16 << 4);
    assert_int_equal(in(r, 2), REASON_COD | REASON_IO);
    assert_int_equal(rig_sense(r), sense);
    assert_int_equal(rig_sense(r), 0); /* cleared by having been read */
}

static inline const struct cdb *read10(uint32_t lba, unsigned count)
{
    static struct cdb c;

    c = (struct cdb){{0x28}};
    put_be32(c.b + 2, lba);
    put_be16(c.b + 7, count);
    return &c;
}

static inline void blocks_hold(const uint8_t *p, uint32_t lba, unsigned count)
{
    for (size_t i = 0; i < count * 2048u; i++)
        if (p[i] != block_ram_pattern((uint64_t)lba * 2048 + i))
            fail_msg("byte %zu from block %u", i, lba);
}

#endif
