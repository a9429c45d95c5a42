/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The packet protocol, every packet command, media. The drive is unit 2. */
#include "tests/hw/ide/rig_cd.h"

static void test_identify_packet_device(void **state)
{
    struct rig *r = *state;
    uint16_t w[256];

    out(r, 7, 0xa1);
    rig_settle(r);
    assert_true(rig_irq(r));
    rig_insw(r, w, 512);
    assert_int_equal(in(r, 7), OK);
    assert_int_equal(w[0], 0x85c0);
    assert_memory_equal((uint8_t *)w + 54, "EQUMD DVR-MO", 12);
    assert_int_equal(w[49], 0x0300);
    assert_int_equal(w[53], 7);
    assert_int_equal(w[88] & 0xff, 0x3f);
}

static void test_phases_of_a_packet(void **state)
{
    struct rig *r = *state;
    static const uint8_t inquiry[12] = {0x12, 0, 0, 0, 36};
    unsigned rises = r->m.isa_rises[15];
    uint8_t buf[36];

    out(r, 1, 0);
    out(r, 4, 24);
    out(r, 5, 0);
    out(r, 7, 0xa0);
    rig_settle(r);
    /* Command packet: no interrupt (T-ATAPI-2). */
    assert_int_equal(rig_status(r), OK | ATA_DRQ);
    assert_int_equal(in(r, 2), REASON_COD);
    assert_int_equal(r->m.isa_rises[15], rises);
    rig_outsw(r, inquiry, 12);
    assert_int_equal(rig_status(r) & (ATA_BSY | ATA_DRQ), ATA_BSY);
    rig_settle(r);
    /* Two bursts of at most the limit, an interrupt each. */
    assert_int_equal(in(r, 2), REASON_IO);
    assert_int_equal(in(r, 4), 24);
    assert_int_equal(r->m.isa_rises[15], rises + 1);
    assert_int_equal(in(r, 7), OK | ATA_DRQ);
    rig_insw(r, buf, 24);
    rig_settle(r);
    assert_int_equal(in(r, 4), 12);
    assert_int_equal(r->m.isa_rises[15], rises + 2);
    assert_int_equal(in(r, 7), OK | ATA_DRQ);
    rig_insw(r, buf + 24, 12);
    rig_settle(r);
    assert_int_equal(in(r, 2), REASON_COD | REASON_IO);
    assert_int_equal(r->m.isa_rises[15], rises + 3);
    assert_int_equal(in(r, 7), OK);
    assert_int_equal(buf[0], 0x05);
    assert_memory_equal(buf + 8, "QEMU    QEMU DVD-ROM    2.5+", 28);
}

static void test_packet_as_dwords_and_overlap(void **state)
{
    struct rig *r = *state;

    out(r, 1, 0);
    out(r, 7, 0xa0);
    for (unsigned i = 0; i < 3; i++)
        machine_out(&r->m, (uint16_t)r->base, 4, 0);
    rig_settle(r);
    assert_int_equal(in(r, 7), OK); /* TEST UNIT READY */
    assert_int_equal(rig_simple(r, 0xa0, 2, 0), CHECK);
    assert_int_equal(in(r, 1), ATA_ABRT);
}

static void test_byte_count_limits(void **state)
{
    struct rig *r = *state;
    static const struct {
        unsigned limit, first;
    } cases[] = {
        {0xffff, 8192}, {0xfffe, 8192}, {2048, 2048}, {4097, 4096}, {2, 2}, {3, 2}, {511, 510},
    };
    size_t got;

    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        out(r, 1, 0);
        out(r, 4, cases[i].limit);
        out(r, 5, cases[i].limit >> 8);
        out(r, 7, 0xa0);
        rig_outsw(r, read10(5, 4)->b, 12);
        rig_settle(r);
        assert_int_equal(in(r, 4) | in(r, 5) << 8, cases[i].first);
        device_reset_all(r->m.env.devices);
        rig_select(r, 2);
        assert_int_equal(rig_packet(r, read10(5, 4)->b, cases[i].limit, reply, sizeof(reply), &got),
                         OK);
        assert_int_equal(got, 8192);
        blocks_hold(reply, 5, 4);
    }
    /* T-ATAPI-3: zero is wrong only with data; one cannot be rounded down. */
    assert_int_equal(rig_packet(r, CDB(0x00)->b, 0, NULL, 0, NULL), OK);
    assert_int_equal(rig_packet(r, CDB(0x12, 0, 0, 0, 0)->b, 0, NULL, 0, NULL), OK);
    for (unsigned limit = 0; limit < 2; limit++) {
        assert_int_equal(rig_packet(r, CDB(0x12, 0, 0, 0, 36)->b, limit, NULL, 0, NULL), CHECK);
        assert_int_equal(in(r, 1), ATA_ABRT);
        assert_int_equal(rig_packet(r, read10(0, 1)->b, limit, NULL, 0, NULL), CHECK);
    }
    /* An odd limit that is enough stays. */
    assert_int_equal(rig_packet(r, CDB(0x12, 0, 0, 0, 5)->b, 5, reply, 64, &got), OK);
    assert_int_equal(got, 5);
}

static void test_read_by_pio(void **state)
{
    struct rig *r = *state;

    for (int worker = 0; worker < 2; worker++) {
        r->ram[2].blocks = worker;
        assert_int_equal(good(r, read10(17, 1)), 2048);
        blocks_hold(reply, 17, 1);
        assert_int_equal(good(r, read10(3, 30)), 30 * 2048);
        blocks_hold(reply, 3, 30);
        assert_int_equal(good(r, read10(RIG_CD_BLOCKS - 1, 1)), 2048);
        assert_int_equal(good(r, CDB(0xa8, 0, 0, 0, 1, 0, 0, 0, 0, 9)), 9 * 2048);
        blocks_hold(reply, 256, 9);
        assert_int_equal(good(r, read10(RIG_CD_BLOCKS, 0)), 0);
    }
}

static void packet_dma(struct rig *r, const struct cdb *c)
{
    out(r, 1, 1);
    out(r, 4, 0);
    out(r, 5, 0);
    out(r, 7, 0xa0);
    rig_outsw(r, c->b, 12);
    rig_bm_start(r, true);
    rig_settle(r);
}

static void test_read_by_dma(void **state)
{
    struct rig *r = *state;
    unsigned rises = r->m.isa_rises[15], reads = r->ram[2].reads;

    rig_prd(r, 0, RIG_DATA, 0, true);
    packet_dma(r, read10(100, 32));
    assert_int_equal(r->m.isa_rises[15], rises + 1); /* T-ATAPI-1: one, not two */
    assert_int_equal(rig_bm_status(r), BM_INT);
    assert_int_equal(in(r, 2), REASON_COD | REASON_IO);
    assert_int_equal(in(r, 7), OK);
    assert_int_equal(r->ram[2].reads, reads + 1);
    blocks_hold(r->m.ram + RIG_DATA, 100, 32);
    rig_bm_stop(r);
    /* Replies too. */
    packet_dma(r, CDB(0x25));
    assert_int_equal(in(r, 7), OK);
    assert_int_equal(rig_bm_status(r), BM_ACTIVE | BM_INT);
    assert_int_equal(be32_at(r->m.ram + RIG_DATA), RIG_CD_BLOCKS - 1);
    assert_int_equal(be32_at(r->m.ram + RIG_DATA + 4), 2048);
    rig_bm_stop(r);
    /* A refused packet leaves the engine as it is. */
    packet_dma(r, CDB(0xff));
    assert_int_equal(in(r, 7), CHECK);
    rig_bm_stop(r);
}

static void test_read_cd_raw_sectors(void **state)
{
    struct rig *r = *state;
    static const uint8_t sync[12] = {0,    0xff, 0xff, 0xff, 0xff, 0xff,
                                     0xff, 0xff, 0xff, 0xff, 0xff, 0};

    assert_int_equal(good(r, CDB(0xbe, 0, 0, 0, 0, 50, 0, 0, 20, 0xf8)), 20 * 2352);
    for (unsigned i = 0; i < 20; i++) {
        const uint8_t *raw = reply + i * 2352;

        assert_memory_equal(raw, sync, 12);
        assert_int_equal(raw[12] * 60 * 75 + raw[13] * 75 + raw[14], 50 + i + 150);
        assert_int_equal(raw[15], 1);
        blocks_hold(raw + 16, 50 + i, 1);
        for (unsigned k = 2064; k < 2352; k++)
            assert_int_equal(raw[k], 0);
    }
    /* By DMA as well, over several buffers. */
    rig_prd(r, 0, RIG_DATA, 20 * 2352, true);
    packet_dma(r, CDB(0xbe, 0, 0, 0, 0, 50, 0, 0, 20, 0xf8));
    assert_int_equal(in(r, 7), OK);
    assert_memory_equal(r->m.ram + RIG_DATA, reply, 20 * 2352);
    rig_bm_stop(r);
    assert_int_equal(good(r, CDB(0xbe, 0, 0, 0, 0, 50, 0, 0, 2, 0x10)), 2 * 2048);
    blocks_hold(reply, 50, 2);
    /* T-ATAPI-7 */
    assert_int_equal(good(r, CDB(0xbe, 0, 0, 0, 0, 50, 0, 0, 0, 0xf8)), 0);
    assert_int_equal(good(r, CDB(0xbe, 0, 0, 0, 0, 50, 0, 0, 1, 0x00)), 0);
    refused(r, CDB(0xbe, 0, 0, 0, 0, 50, 0, 0, 1, 0x20), BAD_FIELD);
}

static void test_read_cd_msf(void **state)
{
    struct rig *r = *state;

    /* 00:02:05 is block 5; the end is not read. */
    assert_int_equal(good(r, CDB(0xb9, 0, 0, 0, 2, 5, 0, 2, 7, 0x10)), 2 * 2048);
    blocks_hold(reply, 5, 2);
    assert_int_equal(good(r, CDB(0xb9, 0, 0, 0, 2, 5, 0, 2, 6, 0xf8)), 2352);
    assert_int_equal(reply[14], 5);
    blocks_hold(reply + 16, 5, 1);
    assert_int_equal(good(r, CDB(0xb9, 0, 0, 0, 2, 5, 0, 2, 5, 0x10)), 0);
    refused(r, CDB(0xb9, 0, 0, 0, 2, 7, 0, 2, 5, 0x10), BAD_FIELD);
    refused(r, CDB(0xb9, 0, 0, 0, 1, 74, 0, 2, 5, 0x10), BAD_FIELD); /* before block 0 */
    refused(r, CDB(0xb9, 0, 0, 0, 60, 0, 9, 2, 5, 0x10), BAD_FIELD);
    refused(r, CDB(0xb9, 0, 0, 0, 2, 0, 0, 2, 75, 0x10), BAD_FIELD);
    refused(r, CDB(0xb9, 0, 0, 0, 2, 0, 255, 59, 74, 0x10), BAD_LBA);
}

static void test_cve_2020_29443_no_sentinel_addresses(void **state)
{
    struct rig *r = *state;

    refused(r, read10(0xffffffff, 1), BAD_LBA);
    refused(r, CDB(0xbe, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 1, 0xf8), BAD_LBA);
    refused(r, CDB(0xbe, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 1, 0x10), BAD_LBA);
    assert_int_equal(machine_in(&r->m, (uint16_t)r->base, 2), 0);
}

static void test_ranges_do_not_wrap_in_32_bits(void **state)
{
    struct rig *r = *state;

    refused(r, CDB(0xa8, 0, 0xff, 0xff, 0xff, 0xf0, 0, 0, 0, 0x20), BAD_LBA);
    refused(r, CDB(0xa8, 0, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff), BAD_LBA);
    refused(r, read10(RIG_CD_BLOCKS, 1), BAD_LBA);
    refused(r, read10(RIG_CD_BLOCKS - 1, 2), BAD_LBA);
    refused(r, CDB(0x2b, 0, 0, 0, 4, 0), BAD_LBA);
    assert_int_equal(good(r, CDB(0x2b, 0, 0, 0, 3, 0xff)), 0);
}

static void test_cve_2015_5154_data_port_after_the_end(void **state)
{
    struct rig *r = *state;
    static const uint8_t early[] = {0x00, 0x1b, 0x1e, 0x35, 0xbb, 0xff};
    uint8_t junk[4096];

    memset(junk, 0x41, sizeof(junk));
    for (unsigned i = 0; i < sizeof(early); i++) {
        const struct ide_drive_state *s = cd(r)->s;

        out(r, 1, 0);
        out(r, 7, 0xa0);
        rig_outsw(r, CDB(early[i])->b, 12);
        rig_outsw(r, junk, sizeof(junk));
        rig_settle(r);
        rig_outsw(r, junk, sizeof(junk));
        assert_int_equal(s->phase, PHASE_IDLE);
        assert_int_equal(s->pos | s->end | s->fill, 0);
        for (unsigned k = 0; k < IDE_BUFFER; k++)
            assert_int_not_equal(s->buffer[k], 0x41);
        in(r, 7);
    }
    /* The command packet itself takes 12 bytes and no more. */
    out(r, 7, 0xa0);
    rig_outsw(r, junk, sizeof(junk));
    rig_settle(r);
    assert_int_equal(in(r, 7), CHECK);
    rig_sense(r);
    assert_int_equal(good(r, CDB(0x00)), 0);
}

static void test_replies_hold_nothing_of_earlier_commands(void **state)
{
    struct rig *r = *state;
    static const struct {
        struct cdb c;
        unsigned bytes;
    } cases[] = {
        {{{0x03, 0, 0, 0, 255}}, 18},
        {{{0x12, 0, 0, 0, 255}}, 36},
        {{{0x12, 1, 0, 0, 255}}, 6},
        {{{0x12, 1, 0x83, 0, 255}}, 100},
        {{{0x42, 0, 0x40, 1, 0, 0, 0, 0xff, 0xff}}, 16},
        {{{0x43, 0, 0, 0, 0, 0, 0, 0xff, 0xff}}, 20},
        {{{0x43, 0, 1, 0, 0, 0, 0, 0xff, 0xff}}, 12},
        {{{0x43, 0, 2, 0, 0, 0, 0, 0xff, 0xff}}, 48},
        {{{0x46, 0, 0, 0, 0, 0, 0, 0xff, 0xff}}, 76},
        {{{0x4a, 1, 0, 0, 0x10, 0, 0, 0xff, 0xff}}, 8},
        {{{0x51, 0, 0, 0, 0, 0, 0, 0xff, 0xff}}, 34},
        {{{0x52, 1, 0, 0, 0, 1, 0, 0xff, 0xff}}, 36},
        {{{0x5a, 0, 0x3f, 0, 0, 0, 0, 0xff, 0xff}}, 54},
        {{{0xbd, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}}, 8},
    };

    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        static uint8_t clean[512];
        struct cdb c = cases[i].c;

        assert_int_equal(good(r, &c), cases[i].bytes);
        memcpy(clean, reply, cases[i].bytes);
        memset(cd(r)->s->buffer, 0xa5, IDE_BUFFER);
        assert_int_equal(good(r, &c), cases[i].bytes);
        assert_memory_equal(clean, reply, cases[i].bytes);
        /* The allocation length cuts, and zero is no error. */
        if (c.b[0] == 0x12 || c.b[0] == 0x03)
            c.b[4] = 4;
        else if (c.b[0] == 0xbd)
            c.b[8] = 0, c.b[9] = 4;
        else
            c.b[7] = 0, c.b[8] = 4;
        assert_int_equal(good(r, &c), 4);
        assert_memory_equal(clean, reply, 4);
        if (c.b[0] == 0x12 || c.b[0] == 0x03)
            c.b[4] = 0;
        else if (c.b[0] == 0xbd)
            c.b[9] = 0;
        else
            c.b[8] = 0;
        assert_int_equal(good(r, &c), 0);
    }
}

static void test_non_data_commands(void **state)
{
    struct rig *r = *state;
    static const uint8_t ok[] = {0x00, 0x1b, 0x1e, 0x2b, 0x35, 0xbb};

    for (unsigned i = 0; i < sizeof(ok); i++)
        assert_int_equal(good(r, CDB(ok[i])), 0);
    assert_int_equal(good(r, CDB(0x1b, 0, 0, 0, 0x30)), 0); /* a power condition */
}

static void test_unknown_opcodes_are_illegal_whatever_the_medium(void **state)
{
    struct rig *r = *state;
    static const uint8_t known[] = {0x00, 0x03, 0x12, 0x1b, 0x1e, 0x25, 0x28, 0x2b,
                                    0x35, 0x42, 0x43, 0x46, 0x4a, 0x51, 0x52, 0x5a,
                                    0xa8, 0xad, 0xb9, 0xbb, 0xbd, 0xbe};

    ide_cd_eject(r->ide, 2, true);
    for (unsigned op = 0; op < 256; op++)
        if (!memchr(known, (int)op, sizeof(known)))
            refused(r, CDB((uint8_t)op), BAD_OPCODE);
}

static void test_read_errors(void **state)
{
    struct rig *r = *state;
    size_t got;

    r->ram[2].fault = -EIO;
    r->ram[2].fault_op = BLOCK_READ;
    r->ram[2].fault_offset = 7 * 2048;
    r->ram[2].fault_bytes = 2048;
    for (int worker = 0; worker < 2; worker++) {
        r->ram[2].blocks = worker;
        assert_int_equal(rig_packet(r, read10(5, 4)->b, 2048, reply, sizeof(reply), &got), CHECK);
        assert_int_equal(got, 2 * 2048); /* blocks before the bad one, and nothing of it */
        blocks_hold(reply, 5, 2);
        assert_int_equal(rig_sense(r), 0x031100);
        rig_prd(r, 0, RIG_DATA, 8192, true);
        packet_dma(r, read10(5, 4));
        assert_int_equal(in(r, 7), CHECK);
        assert_int_equal(rig_sense(r), 0x031100);
        rig_bm_stop(r);
    }
}

static void test_state_survives_between_bursts(void **state)
{
    struct rig *r = *state;
    uint8_t buf[6 * 2048];

    out(r, 1, 0);
    out(r, 4, 0);
    out(r, 5, 0x08);
    out(r, 7, 0xa0);
    rig_outsw(r, read10(40, 6)->b, 6);
    assert_null(machine_save_load(&r->m));
    rig_outsw(r, read10(40, 6)->b + 6, 6);
    for (unsigned i = 0; i < 6; i++) {
        rig_settle(r);
        assert_int_equal(rig_status(r), OK | ATA_DRQ);
        rig_insw(r, buf + i * 2048, 1000);
        assert_null(machine_save_load(&r->m));
        rig_insw(r, buf + i * 2048 + 1000, 1048);
    }
    rig_settle(r);
    assert_int_equal(in(r, 7), OK);
    blocks_hold(buf, 40, 6);
    good(r, CDB(0x1e, 0, 0, 0, 1));
    assert_null(machine_save_load(&r->m));
    assert_true(cd(r)->s->locked);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CD(test_identify_packet_device),
        CD(test_phases_of_a_packet),
        CD(test_packet_as_dwords_and_overlap),
        CD(test_byte_count_limits),
        CD(test_read_by_pio),
        CD(test_read_by_dma),
        CD(test_read_cd_raw_sectors),
        CD(test_read_cd_msf),
        CD(test_cve_2020_29443_no_sentinel_addresses),
        CD(test_ranges_do_not_wrap_in_32_bits),
        CD(test_cve_2015_5154_data_port_after_the_end),
        CD(test_replies_hold_nothing_of_earlier_commands),
        CD(test_non_data_commands),
        CD(test_unknown_opcodes_are_illegal_whatever_the_medium),
        CD(test_read_errors),
        CD(test_state_survives_between_bursts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
