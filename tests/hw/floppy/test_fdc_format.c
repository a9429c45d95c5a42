/* SPDX-License-Identifier: GPL-2.0-or-later */
/* FORMAT TRACK and the SCAN commands. */
#include <string.h>

#include "tests/hw/floppy/rig.h"

static void test_format_track(void **state)
{
    struct rig *r = *state;
    uint8_t *ids = r->m.ram + RIG_DATA;

    rig_seek(r, 0, 5);
    for (unsigned i = 0; i < 18; i++) {
        ids[4 * i] = 5;
        ids[4 * i + 1] = 1;
        ids[4 * i + 2] = (uint8_t)(i * 7 % 18 + 1); /* interleaved */
        ids[4 * i + 3] = 2;
    }
    rig_dma(r, DMA_WRITE, 18 * 4);
    COMMAND(r, 0x4d, 0x04, 2, 18, 0x54, 0xf6);
    rig_settle(r);
    assert_int_equal(rig_result(r), 7);
    assert_int_equal(r->result[0], 0x04);
    for (uint64_t i = at(5, 1, 1); i < at(6, 0, 1); i++)
        assert_int_equal(r->ram[0].data[i], 0xf6);
    assert_int_equal(r->ram[0].data[at(5, 1, 1) - 1], block_ram_pattern(at(5, 1, 1) - 1));
    assert_int_equal(r->ram[0].data[at(6, 0, 1)], block_ram_pattern(at(6, 0, 1)));
    assert_int_equal(r->ram[0].flushes, 1);
    /* What the image cannot hold is a fault of the drive. */
    ids[2] = 19;
    rig_dma(r, DMA_WRITE, 18 * 4);
    COMMAND(r, 0x4d, 0x04, 2, 18, 0x54, 0);
    rig_result(r);
    assert_int_equal(r->result[0], 0x54);
    COMMAND(r, 0x4d, 0x04, 3, 8, 0x54, 0);
    rig_result(r);
    assert_int_equal(r->result[0], 0x54);
    COMMAND(r, 0x4d, 0x04, 2, 19, 0x54, 0);
    rig_result(r);
    assert_int_equal(r->result[0], 0x54);
    /* No sectors at all; and a host that gives up within an ID. */
    COMMAND(r, 0x4d, 0x04, 2, 0, 0x54, 0);
    rig_result(r);
    assert_int_equal(r->result[0], 0x04);
    ids[2] = 1;
    rig_dma(r, DMA_WRITE, 6);
    COMMAND(r, 0x4d, 0x04, 2, 18, 0x54, 0x11);
    rig_result(r);
    assert_int_equal(r->result[0], 0x04);
    assert_int_equal(r->ram[0].data[at(5, 1, 1)], 0x11);
    assert_int_equal(r->ram[0].data[at(5, 1, 2)], 0xf6);
}

static void test_format_refuses_ids_of_other_tracks(void **state)
{
    struct rig *r = *state;
    static const uint8_t ids[][4] = {{1, 0, 1, 2}, {0, 1, 1, 2}, {0, 0, 0, 2}, {0, 0, 1, 3}};

    for (unsigned i = 0; i < 4; i++) {
        memcpy(r->m.ram + RIG_DATA, ids[i], 4);
        rig_dma(r, DMA_WRITE, 4);
        COMMAND(r, 0x4d, 0, 2, 1, 0x54, 0);
        assert_int_equal(rig_result(r), 7);
        assert_int_equal(r->result[0], 0x50);
    }
    /* The disk is gone when the ID comes. */
    COMMAND(r, 0x03, 0xdf, 0x03);
    COMMAND(r, 0x4d, 0, 2, 1, 0x54, 0);
    assert_true(wants_byte(r, 0));
    out(r, 0x3f7, RATE_1M);
    for (unsigned i = 0; i < 4; i++)
        out(r, 0x3f5, i == 2 ? 1 : i == 3 ? 2 : 0);
    assert_int_equal(rig_result(r), 7);
    assert_int_equal(r->result[0], 0x50);
    assert_int_equal(r->ram[0].writes, 0);
}

static void test_scan(void **state)
{
    struct rig *r = *state;
    uint8_t *host = r->m.ram + RIG_DATA;

    memcpy(host, r->ram[0].data, 2048);
    host[1024 + 5] = 0xff; /* matches all */
    rig_dma(r, DMA_WRITE, 512);
    COMMAND(r, 0x51, 0, 0, 0, 1, 2, 18, 0x1b, 1);
    rig_expect(r, 0, 0, 0x08, 0, 0, 1);
    /* Not the first, not the second (the same data is offered), not at all. */
    memset(host, 0, 65536);
    rig_dma(r, DMA_WRITE, 65536);
    COMMAND(r, 0x51, 0, 0, 0, 1, 2, 18, 0x1b, 1);
    rig_expect(r, 0, 0, 0x04, 1, 0, 1);
    /* Low or equal: the disk's bytes; zeros on the host are below all, 0xfe above. */
    rig_dma(r, DMA_WRITE, 65536);
    COMMAND(r, 0x59, 0, 0, 0, 1, 2, 4, 0x1b, 1);
    rig_expect(r, 0, 0, 0x04, 1, 0, 1);
    rig_dma(r, DMA_WRITE, 65536);
    COMMAND(r, 0x5d, 0, 0, 0, 1, 2, 4, 0x1b, 1);
    rig_expect(r, 0, 0, 0, 0, 0, 1);
    memset(host, 0xfe, 65536);
    rig_dma(r, DMA_WRITE, 65536);
    COMMAND(r, 0x59, 0, 0, 0, 1, 2, 4, 0x1b, 1);
    rig_expect(r, 0, 0, 0, 0, 0, 1);
    /* Every other sector; terminal count before a hit. */
    rig_dma(r, DMA_WRITE, 1024);
    COMMAND(r, 0x51, 0, 0, 0, 1, 2, 18, 0x1b, 2);
    rig_expect(r, 0, 0, 0x04, 0, 0, 5);
    memcpy(host, r->ram[0].data + 512, 512);
    programmed_io(r);
    COMMAND(r, 0x51, 0, 0, 0, 2, 2, 2, 0x1b, 1);
    for (unsigned i = 0; i < 512; i++) {
        assert_true(wants_byte(r, 0));
        out(r, 0x3f5, host[i]);
    }
    rig_expect(r, 0, 0, 0x08, 0, 0, 2);
}

static void test_scan_wildcards(void **state)
{
    struct rig *r = *state;
    uint8_t *host = r->m.ram + RIG_DATA;

    memset(r->ram[0].data, 0xff, 512); /* matches all that the host may say */
    memset(host, 0x12, 512);
    rig_dma(r, DMA_WRITE, 512);
    COMMAND(r, 0x51, 0, 0, 0, 1, 2, 18, 0x1b, 1);
    rig_expect(r, 0, 0, 0x08, 0, 0, 1);
    memset(r->ram[0].data, 0x10, 512);
    memset(host, 0xff, 512);
    rig_dma(r, DMA_WRITE, 512);
    COMMAND(r, 0xd1, 0, 0, 0, 1, 2, 18, 0x1b, 1);
    rig_expect(r, 0, 0, 0x08, 0, 0, 1);
    host[511] = 0x11; /* one byte differs: not equal, but low or equal */
    rig_dma(r, DMA_WRITE, 512);
    COMMAND(r, 0x59, 0, 0, 0, 1, 2, 18, 0x1b, 1);
    rig_expect(r, 0, 0, 0, 0, 0, 1);
    rig_dma(r, DMA_WRITE, 512);
    COMMAND(r, 0x5d, 0, 0, 0, 1, 2, 1, 0x1b, 1);
    rig_expect(r, 0, 0, 0x04, 1, 0, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG(test_format_track),
        RIG(test_format_refuses_ids_of_other_tracks),
        RIG(test_scan),
        RIG(test_scan_wildcards),
    };

    return cmocka_run_group_tests_name("fdc_format", tests, NULL, NULL);
}
