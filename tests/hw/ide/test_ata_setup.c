/* SPDX-License-Identifier: GPL-2.0-or-later */
/* IDENTIFY, features, SMART, trimming, flush, geometry: what a disk says and how it is set up. */
#include "tests/hw/ide/rig.h"

#include <string.h>

#define OK  (ATA_DRDY | ATA_DSC)
#define BAD (ATA_DRDY | ATA_DSC | ATA_ERR)

static void test_identify_device(void **state)
{
    struct rig *r = *state;
    uint16_t w[256];
    uint8_t sum = 0, *bytes = (uint8_t *)w;

    out(r, 7, 0xec);
    assert_true(rig_status(r) & ATA_BSY); /* never finished inside the write: T-IDE-6 */
    assert_false(rig_irq(r));
    rig_settle(r);
    assert_true(rig_irq(r));
    rig_insw(r, w, 512);
    assert_int_equal(in(r, 7), OK);
    assert_int_equal(in(r, 1), 0);
    assert_int_equal(w[0], 0x0040);
    assert_int_equal(w[3], 16);
    assert_int_equal(w[6], 63);
    assert_memory_equal(bytes + 20, "MQ0000 1", 6);
    assert_memory_equal(bytes + 54, "EQUMH RADDSI K", 14);
    assert_int_equal(w[47], 0x8010);
    assert_int_equal(w[49], 0x0b00);
    assert_int_equal(w[53], 7);
    assert_int_equal(w[60] | (uint32_t)w[61] << 16, RIG_DISK_SECTORS);
    assert_int_equal(w[82], 0x4429);
    assert_int_equal(w[83], 0x7400);
    assert_int_equal(w[85] & 0x20, 0x20);
    assert_int_equal(w[88], 0x203f);
    assert_int_not_equal(w[93] & 0xdf61, 0x4041);
    assert_int_equal(w[100], RIG_DISK_SECTORS);
    for (unsigned i = 0; i < 512; i++)
        sum = (uint8_t)(sum + bytes[i]);
    assert_int_equal(sum, 0);
}

static void read_identify(struct rig *r, uint16_t *w)
{
    out(r, 7, 0xec);
    rig_settle(r);
    rig_insw(r, w, 512);
    in(r, 7);
}

static void test_set_features(void **state)
{
    struct rig *r = *state;
    static const struct {
        uint8_t mode;
        uint16_t w62, w63, w88;
        bool ok;
    } modes[] = {
        {0x45, 0x07, 0x07, 0x203f, true},  {0x40, 0x07, 0x07, 0x013f, true},
        {0x22, 0x07, 0x407, 0x003f, true}, {0x20, 0x07, 0x107, 0x003f, true},
        {0x11, 0x207, 0x07, 0x003f, true}, {0x0c, 0x07, 0x07, 0x003f, true},
        {0x00, 0x07, 0x07, 0x003f, true},  {0x46, 0x07, 0x07, 0x003f, false},
        {0x23, 0x07, 0x07, 0x003f, false}, {0x18, 0x07, 0x07, 0x003f, false},
        {0x80, 0x07, 0x07, 0x003f, false},
    };
    static const uint8_t accepted[] = {0x02, 0xaa, 0x55, 0xcc, 0x66, 0x05, 0x85,
                                       0x42, 0xc2, 0x67, 0x96, 0x9a, 0x69};
    uint16_t w[256];

    for (unsigned i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        assert_int_equal(rig_simple(r, 0xef, 0x03, modes[i].mode), modes[i].ok ? OK : BAD);
        read_identify(r, w);
        assert_int_equal(w[62], modes[i].w62);
        assert_int_equal(w[63], modes[i].w63);
        assert_int_equal(w[88], modes[i].w88);
    }
    for (unsigned i = 0; i < sizeof(accepted); i++)
        assert_int_equal(rig_simple(r, 0xef, accepted[i], 0), OK);
    assert_int_equal(rig_simple(r, 0xef, 0x04, 0), BAD);
    assert_int_equal(rig_simple(r, 0xef, 0xff, 0), BAD);
}

static void write_two(struct rig *r, uint8_t value)
{
    uint8_t block[512];

    memset(block, value, sizeof(block));
    rig_issue28(r, 0x30, 10, 2);
    for (unsigned i = 0; i < 2; i++) {
        rig_outsw(r, block, sizeof(block));
        rig_settle(r);
    }
    assert_int_equal(in(r, 7), OK);
    assert_int_equal(r->ram[0].data[11 * 512], value);
}

static void test_write_cache_off_means_stable_writes(void **state)
{
    struct rig *r = *state;
    unsigned flushes;
    uint16_t w[256];

    assert_int_equal(rig_simple(r, 0xef, 0x82, 0), OK);
    flushes = r->ram[0].flushes;
    assert_int_equal(flushes, 1); /* what was cached, when it was turned off */
    read_identify(r, w);
    assert_int_equal(w[85] & 0x20, 0);
    write_two(r, 0xb1);
    assert_int_equal(r->ram[0].flushes, flushes + 1);
    assert_int_equal(rig_simple(r, 0xef, 0x02, 0), OK);
    write_two(r, 0xb2);
    assert_int_equal(r->ram[0].flushes, flushes + 1);
}

static void test_flush_waits_for_stable_storage(void **state)
{
    struct rig *r = *state;

    r->ram[0].hold = true;
    out(r, 7, 0xe7);
    rig_settle(r);
    assert_true(rig_status(r) & ATA_BSY);
    assert_false(rig_irq(r));
    assert_int_equal(r->ram[0].nheld, 1);
    block_ram_release(&r->ram[0], 0, 0);
    assert_int_equal(r->ram[0].flushes, 1);
    assert_true(rig_irq(r));
    assert_int_equal(in(r, 7), OK);
}

static void test_smart(void **state)
{
    struct rig *r = *state;
    uint8_t buf[512], sum;
    static const uint8_t readers[] = {0xd0, 0xd1};

    out(r, 4, 0x4f);
    out(r, 5, 0xc2);
    for (unsigned i = 0; i < 2; i++) {
        out(r, 1, readers[i]);
        out(r, 7, 0xb0);
        rig_settle(r);
        assert_int_equal(in(r, 7), OK | ATA_DRQ);
        rig_insw(r, buf, 512);
        sum = 0;
        for (unsigned k = 0; k < 512; k++)
            sum = (uint8_t)(sum + buf[k]);
        assert_int_equal(sum, 0);
        assert_int_equal(buf[2], 1); /* first attribute: read errors */
    }
    assert_int_equal(rig_simple(r, 0xb0, 0xda, 0), OK);
    assert_int_equal(in(r, 4), 0x4f);
    assert_int_equal(in(r, 5), 0xc2);
    assert_int_equal(rig_simple(r, 0xb0, 0xd2, 0xf1), OK);
    assert_int_equal(rig_simple(r, 0xb0, 0xd2, 0x12), BAD);
    for (uint8_t log = 0; log < 8; log++) {
        bool known = log == 0 || log == 1 || log == 6;

        out(r, 3, log);
        out(r, 1, 0xd5);
        out(r, 2, 1);
        out(r, 7, 0xb0);
        rig_settle(r);
        assert_int_equal(in(r, 7), known ? OK | ATA_DRQ : BAD);
        if (known)
            rig_insw(r, buf, 512);
    }
    assert_int_equal(rig_simple(r, 0xb0, 0xd9, 0), OK);
    assert_int_equal(rig_simple(r, 0xb0, 0xda, 0), BAD); /* disabled */
    assert_int_equal(rig_simple(r, 0xb0, 0xd8, 0), OK);
    assert_int_equal(rig_simple(r, 0xb0, 0xda, 0), OK);
    out(r, 4, 0x00);
    assert_int_equal(rig_simple(r, 0xb0, 0xda, 0), BAD);
}

static void test_cve_2014_2894_smart_self_test_index(void **state)
{
    struct rig *r = *state;
    uint8_t buf[512];

    for (unsigned i = 0; i < 1000; i++) {
        out(r, 3, i & 1 ? 0x01 : 0x82);
        out(r, 4, 0x4f);
        out(r, 5, 0xc2);
        assert_int_equal(rig_simple(r, 0xb0, 0xd4, 0), OK);
        assert_true(r->ide->channel[0].drive[0].s->smart_last < SMART_LOG_ENTRIES);
    }
    for (unsigned sub = 0; sub < 256; sub++) {
        bool ok = sub <= 2 || sub == 0x7f || sub == 0x81 || sub == 0x82;

        out(r, 3, sub);
        assert_int_equal(rig_simple(r, 0xb0, 0xd4, 0), ok ? OK : BAD);
    }
    out(r, 3, 6);
    out(r, 1, 0xd5);
    out(r, 2, 1);
    out(r, 7, 0xb0);
    rig_settle(r);
    rig_insw(r, buf, 512);
    assert_in_range(buf[508], 1, SMART_LOG_ENTRIES);
}

static void test_cve_2015_6855_commands_by_kind_of_drive(void **state)
{
    struct rig *r = *state;
    static const uint8_t disk_only[] = {0x06, 0x10, 0x21, 0x24, 0x25, 0x27, 0x29, 0x30, 0x34,
                                        0x35, 0x39, 0x40, 0x42, 0x70, 0x91, 0xb0, 0xc4, 0xc5,
                                        0xc6, 0xc8, 0xca, 0xea, 0xf5, 0xf8, 0x00, 0xda};
    static const uint8_t on_both[] = {0xe0, 0xe1, 0xe2, 0xe3, 0xe5, 0xe6, 0xe7};

    ide_cd_eject(r->ide, 2, true);
    rig_select(r, 2);
    for (unsigned i = 0; i < sizeof(disk_only); i++) {
        rig_issue28(r, disk_only[i], 0, 1);
        rig_settle(r);
        assert_int_equal(in(r, 7), BAD);
        assert_int_equal(in(r, 1), ATA_ABRT);
    }
    for (unsigned i = 0; i < sizeof(on_both); i++)
        assert_int_equal(rig_simple(r, on_both[i], 0, 0), OK);
    assert_int_equal(rig_simple(r, 0xef, 0x03, 0x42), OK);
}

static void test_data_set_management(void **state)
{
    struct rig *r = *state;
    uint8_t *list = r->m.ram + RIG_DATA;

    memset(list, 0, 512);
    put_le32(list, 100);
    put_le16(list + 6, 8);
    put_le32(list + 8, 300);
    put_le16(list + 14, 1);
    rig_prd(r, 0, RIG_DATA, 512, true);
    out(r, 1, 1);
    rig_issue48(r, 0x06, 0, 1);
    rig_bm_start(r, false);
    rig_settle(r);
    assert_int_equal(in(r, 7), OK);
    assert_int_equal(rig_bm_status(r), BM_INT);
    assert_int_equal(r->ram[0].discards, 2);
    assert_int_equal(r->ram[0].data[100 * 512], 0);
    assert_int_equal(r->ram[0].data[108 * 512 - 1], 0);
    assert_int_equal(r->ram[0].data[108 * 512], block_ram_pattern(108 * 512));
    assert_int_equal(r->ram[0].data[300 * 512 + 511], 0);
    rig_bm_stop(r);
    out(r, 1, 0); /* no TRIM bit */
    rig_issue48(r, 0x06, 0, 1);
    rig_settle(r);
    assert_int_equal(in(r, 7), BAD);
}

static void test_trim_list_bounds(void **state)
{
    struct rig *r = *state;
    uint8_t *list = r->m.ram + RIG_DATA;
    static const struct {
        uint32_t low;
        uint16_t high, count;
    } bad[] = {
        {0xffffffff, 0xffff, 0xffff},
        {RIG_DISK_SECTORS, 0, 1},
        {RIG_DISK_SECTORS - 1, 0, 2},
        {0, 1, 1},
    };

    rig_prd(r, 0, RIG_DATA, 512, true);
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        memset(list, 0, 512);
        put_le32(list, 5); /* a good one first: nothing of a bad list is done */
        put_le16(list + 6, 1);
        put_le32(list + 8, bad[i].low);
        put_le16(list + 12, bad[i].high);
        put_le16(list + 14, bad[i].count);
        out(r, 1, 1);
        rig_issue48(r, 0x06, 0, 1);
        rig_bm_start(r, false);
        rig_settle(r);
        assert_int_equal(in(r, 7), BAD);
        assert_int_equal(in(r, 1), ATA_ABRT);
        rig_bm_stop(r);
    }
    /* A short DMA: nothing that was not received is parsed. */
    rig_prd(r, 0, RIG_DATA, 16, true);
    out(r, 1, 1);
    rig_issue48(r, 0x06, 0, 1);
    rig_bm_start(r, false);
    rig_settle(r);
    assert_int_equal(r->ram[0].discards, 0);
    rig_bm_stop(r);
    /* More blocks than IDENTIFY allows. */
    out(r, 1, 1);
    rig_issue48(r, 0x06, 0, 0xffff);
    rig_settle(r);
    assert_int_equal(in(r, 7), BAD);
}

static void test_cve_2015_7311_read_only_disk_aborts_writes(void **state)
{
    struct machine m;
    struct block_ram ram;
    struct ide *ide;
    struct ide_config config = {.devfn = PCI_DEVFN(1, 1), .unit[0].kind = IDE_DISK};
    static const uint8_t writes[] = {0x30, 0x31, 0x34, 0x35, 0x39, 0xc5, 0xca, 0xcb, 0x06};

    machine_init_pci(&m);
    assert_int_equal(block_ram_create(&ram, &config.unit[0].block, 1 << 20, true, m.env.workers),
                     0);
    assert_int_equal(ide_create(&ide, &m.env, &config), 0);
    machine_start(&m);
    for (unsigned i = 0; i < sizeof(writes); i++) {
        machine_out(&m, 0x1f1, 1, 1);
        machine_out(&m, 0x1f2, 1, 0);
        machine_out(&m, 0x1f2, 1, 1);
        machine_out(&m, 0x1f6, 1, 0xe0);
        machine_out(&m, 0x1f7, 1, writes[i]);
        machine_settle(&m);
        assert_int_equal(machine_in(&m, 0x1f7, 1), BAD);
        assert_int_equal(machine_in(&m, 0x1f1, 1), ATA_ABRT);
    }
    assert_int_equal(ram.writes + ram.discards, 0);
    machine_fini(&m);
    block_ram_fini(&ram);
}

static void test_large_disk_words_are_clamped(void **state)
{
    struct rig *r = *state;
    struct ide_drive *d = &r->ide->channel[0].drive[0];
    uint64_t real = d->sectors;
    uint16_t w[256];

    d->sectors = (1ull << 28) + 5; /* T-IDE-4 */
    read_identify(r, w);
    assert_int_equal(w[60] | (uint32_t)w[61] << 16, 0x0fffffff);
    assert_int_equal(w[100] | (uint32_t)w[101] << 16, (1u << 28) + 5);
    out(r, 6, 0xe0);
    assert_int_equal(rig_simple(r, 0xf8, 0, 0), OK);
    assert_int_equal(in(r, 3) & in(r, 4) & in(r, 5), 0xff);
    assert_int_equal(in(r, 6) & 0x0f, 0x0f);
    d->sectors = real;
}

static void test_geometry_guess(void **state)
{
    struct rig *r = *state;
    struct block_ram ram;
    struct block *block;
    struct ide_geometry g;
    uint8_t *entry;

    assert_int_equal(block_ram_create(&ram, &block, 64u << 20, false, r->m.env.workers), 0);
    memset(ram.data, 0, 512);
    ide_guess_geometry(block, &g);
    assert_int_equal(g.cylinders, 130);
    assert_int_equal(g.heads, 16);
    assert_int_equal(g.sectors, 63);
    assert_int_equal(g.translation, IDE_TRANS_NONE);
    entry = ram.data + 446;
    ram.data[510] = 0x55;
    ram.data[511] = 0xaa;
    entry[5] = 7;
    entry[6] = 32;
    entry[12] = 1;
    ide_guess_geometry(block, &g);
    assert_int_equal(g.cylinders, 512);
    assert_int_equal(g.heads, 8);
    assert_int_equal(g.sectors, 32);
    assert_int_equal(g.translation, IDE_TRANS_NONE);
    entry[5] = 254;
    entry[6] = 63;
    ide_guess_geometry(block, &g);
    assert_int_equal(g.heads, 16);
    assert_int_equal(g.translation, IDE_TRANS_LARGE);
    block_close(block);
    block_ram_fini(&ram);
}

/* An image of any size that holds zeros. */
static ssize_t no_data(void *impl, const struct iovec *iov, unsigned niov, uint64_t offset,
                       bool nowait)
{
    return 0;
}

static int no_flush(void *impl)
{
    return 0;
}

static void no_close(void *impl)
{
}

static void test_geometry_of_empty_disks(void **state)
{
    struct rig *r = *state;
    static const struct block_ops ops = {.readv = no_data, .flush = no_flush, .close = no_close};
    static const struct {
        uint64_t sectors;
        uint32_t cylinders;
        enum ide_translation translation;
    } cases[] = {
        {1, 2, IDE_TRANS_NONE},
        {1024 * 1008, 1024, IDE_TRANS_NONE},
        {1025 * 1008, 1025, IDE_TRANS_LBA},
        {1ull << 40, 16383, IDE_TRANS_LBA},
    };
    struct ide_geometry g;
    struct block *block;

    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(block_create(&block, &ops, NULL, "empty", cases[i].sectors * 512, false,
                                      r->m.env.workers),
                         0);
        ide_guess_geometry(block, &g);
        assert_int_equal(g.cylinders, cases[i].cylinders);
        assert_int_equal(g.translation, cases[i].translation);
        block_close(block);
    }
    assert_int_equal(ide_unit_geometry(r->ide, 0, &g), 0);
    assert_int_equal(g.cylinders, RIG_DISK_SECTORS / 1008);
    assert_true(ide_unit_geometry(r->ide, 2, &g) < 0);
    assert_true(ide_unit_geometry(r->ide, 7, &g) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG(test_identify_device),
        RIG(test_set_features),
        RIG(test_write_cache_off_means_stable_writes),
        RIG(test_flush_waits_for_stable_storage),
        RIG(test_smart),
        RIG(test_cve_2014_2894_smart_self_test_index),
        RIG(test_cve_2015_6855_commands_by_kind_of_drive),
        RIG(test_data_set_management),
        RIG(test_trim_list_bounds),
        RIG(test_cve_2015_7311_read_only_disk_aborts_writes),
        RIG(test_large_disk_words_are_clamped),
        RIG(test_geometry_guess),
        RIG(test_geometry_of_empty_disks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
