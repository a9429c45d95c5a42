/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The task file, PIO transfers, addressing, and commands without data, at register level. */
#include "tests/hw/ide/rig.h"

#include <string.h>

#define OK  (ATA_DRDY | ATA_DSC)
#define BAD (ATA_DRDY | ATA_DSC | ATA_ERR)

static void expect_sectors(const uint8_t *buf, uint64_t lba, unsigned count)
{
    for (size_t i = 0; i < count * 512u; i++)
        if (buf[i] != block_ram_pattern(lba * 512 + i))
            fail_msg("byte %zu of sector %llu", i, (unsigned long long)lba);
}

/* Reads by PIO, `block` sectors an interrupt; checks status, interrupt and data on the way. */
static void pio_in(struct rig *r, uint64_t lba, unsigned count, unsigned block)
{
    static uint8_t buf[65536 * 512];
    unsigned rises = r->m.isa_rises[r->irq], blocks = (count + block - 1) / block;

    assert_true(rig_status(r) & ATA_BSY);
    for (unsigned done = 0; done < count; done += block) {
        unsigned n = count - done < block ? count - done : block;

        rig_settle(r);
        assert_int_equal(rig_status(r), OK | ATA_DRQ);
        assert_true(rig_irq(r));
        assert_int_equal(in(r, 7), OK | ATA_DRQ);
        assert_false(rig_irq(r));
        rig_insw(r, buf + done * 512, n * 512);
    }
    rig_settle(r);
    assert_int_equal(in(r, 7), OK);
    assert_int_equal(in(r, 1), 0);
    assert_int_equal(r->m.isa_rises[r->irq] - rises, blocks);
    expect_sectors(buf, lba, count);
}

static void pio_out(struct rig *r, struct block_ram *ram, uint64_t lba, unsigned count,
                    unsigned block, uint8_t value)
{
    static uint8_t buf[65536 * 512];
    unsigned rises = r->m.isa_rises[r->irq], blocks = (count + block - 1) / block;

    memset(buf, value, count * 512u);
    for (unsigned done = 0; done < count; done += block) {
        unsigned n = count - done < block ? count - done : block;

        rig_settle(r);
        assert_int_equal(rig_status(r), OK | ATA_DRQ);
        assert_int_equal(rig_irq(r), done > 0); /* none before the first block: T-IDE-13 */
        in(r, 7);
        rig_outsw(r, buf + done * 512, n * 512);
    }
    rig_settle(r);
    assert_true(rig_irq(r));
    assert_int_equal(in(r, 7), OK);
    assert_int_equal(r->m.isa_rises[r->irq] - rises, blocks);
    for (size_t i = 0; i < count * 512u; i++)
        assert_int_equal(ram->data[lba * 512 + i], value);
    if (lba)
        assert_int_equal(ram->data[lba * 512 - 1], block_ram_pattern(lba * 512 - 1));
    if ((lba + count) * 512 < ram->size)
        assert_int_equal(ram->data[(lba + count) * 512], block_ram_pattern((lba + count) * 512));
}

static void test_registers_after_power_on(void **state)
{
    struct rig *r = *state;

    for (unsigned unit = 0; unit < 2; unit++) {
        rig_select(r, unit);
        assert_int_equal(in(r, 1), 0x01);
        assert_int_equal(in(r, 2), 0x01);
        assert_int_equal(in(r, 3), 0x01);
        assert_int_equal(in(r, 4) | in(r, 5), 0);
        assert_int_equal(rig_status(r), OK);
    }
    rig_select(r, 2);
    assert_int_equal(in(r, 1), 0x01);
    assert_int_equal(in(r, 4), 0x14);
    assert_int_equal(in(r, 5), 0xeb);
    assert_int_equal(rig_status(r), 0);
    assert_false(rig_irq(r));
}

static void test_firmware_probe_finds_latches(void **state)
{
    struct rig *r = *state;

    out(r, 6, 0xa0);
    out(r, 2, 0x55);
    out(r, 3, 0xaa);
    assert_int_equal(in(r, 2), 0x55);
    assert_int_equal(in(r, 3), 0xaa);
    assert_int_equal(in(r, 6), 0xa0);
    out(r, 6, 0xb0);
    assert_int_equal(in(r, 6), 0xb0);
    assert_int_equal(in(r, 2), 0x55); /* both devices latch */
}

static void test_hob_shows_the_previous_bytes(void **state)
{
    struct rig *r = *state;

    out(r, 2, 0x12);
    out(r, 2, 0x34);
    out(r, 5, 0x56);
    out(r, 5, 0x78);
    assert_int_equal(in(r, 2), 0x34);
    machine_out(&r->m, (uint16_t)r->control, 1, CTL_HOB);
    assert_int_equal(in(r, 2), 0x12);
    assert_int_equal(in(r, 5), 0x56);
    out(r, 3, 0); /* any write to the command block clears HOB */
    assert_int_equal(in(r, 2), 0x34);
}

static void test_absent_slave_and_empty_channel(void **state)
{
    struct rig *r = *state;
    struct ide *ide;
    struct machine empty;
    struct ide_config config = {.devfn = PCI_DEVFN(1, 1)};

    rig_select(r, 3);
    assert_int_equal(rig_status(r), 0);
    assert_int_equal(in(r, 7), 0);
    assert_int_equal(in(r, 1), 0);
    out(r, 2, 0x55);
    assert_int_equal(in(r, 2), 0x55);
    out(r, 7, 0xec); /* dropped: no BSY, no interrupt */
    rig_settle(r);
    assert_int_equal(in(r, 7), 0);
    assert_false(rig_irq(r));

    machine_init_pci(&empty);
    assert_int_equal(ide_create(&ide, &empty.env, &config), 0);
    machine_start(&empty);
    for (unsigned reg = 1; reg < 8; reg++) {
        machine_out(&empty, (uint16_t)(0x1f0 + reg), 1, 0xff);
        assert_int_equal(machine_in(&empty, (uint16_t)(0x1f0 + reg), 1), 0);
    }
    assert_int_equal(machine_in(&empty, 0x3f6, 1), 0);
    assert_int_equal(machine_in(&empty, 0x1f0, 2), 0);
    machine_fini(&empty);
}

static void test_pio_read_commands(void **state)
{
    struct rig *r = *state;
    static const uint8_t commands28[] = {0x20, 0x21};

    for (unsigned i = 0; i < 2; i++) {
        rig_issue28(r, commands28[i], 100, 3);
        pio_in(r, 100, 3, 1);
        /* Address and count have moved on, as far as the command got. */
        assert_int_equal(in(r, 3), 103);
        assert_int_equal(in(r, 2), 0);
    }
    rig_issue28(r, 0x20, 0, 0); /* 256 */
    pio_in(r, 0, 256, 1);
    rig_issue28(r, 0x20, RIG_DISK_SECTORS - 1, 1);
    pio_in(r, RIG_DISK_SECTORS - 1, 1, 1);
    rig_issue48(r, 0x24, 4000, 300);
    pio_in(r, 4000, 300, 1);
    rig_issue28(r, 0xc4, 7, 40);
    pio_in(r, 7, 40, 16); /* the last block is short */
    rig_issue48(r, 0x29, 9, 33);
    pio_in(r, 9, 33, 16);
    rig_issue28(r, 0xc4, 0, 0);
    pio_in(r, 0, 256, 16); /* T-IDE-14 */
}

static void test_pio_read_through_worker(void **state)
{
    struct rig *r = *state;

    r->ram[0].blocks = true;
    rig_issue28(r, 0x20, 50, 70);
    pio_in(r, 50, 70, 1);
    rig_issue28(r, 0xc4, 50, 70);
    pio_in(r, 50, 70, 16);
}

static void test_pio_write_commands(void **state)
{
    struct rig *r = *state;

    rig_issue28(r, 0x30, 10, 2);
    pio_out(r, &r->ram[0], 10, 2, 1, 0xa1);
    rig_issue28(r, 0x31, 20, 100);
    pio_out(r, &r->ram[0], 20, 100, 1, 0xa2);
    rig_issue48(r, 0x34, 500, 257);
    pio_out(r, &r->ram[0], 500, 257, 1, 0xa3);
    rig_issue28(r, 0xc5, 1000, 37);
    pio_out(r, &r->ram[0], 1000, 37, 16, 0xa4);
    r->ram[0].blocks = true;
    rig_issue48(r, 0x39, 2000, 48);
    pio_out(r, &r->ram[0], 2000, 48, 16, 0xa5);
    rig_select(r, 1);
    rig_issue28(r, 0x30, 5, 1);
    pio_out(r, &r->ram[1], 5, 1, 1, 0xa6);
    assert_int_equal(r->ram[0].data[5 * 512], block_ram_pattern(5 * 512));
}

static void test_data_port_widths(void **state)
{
    struct rig *r = *state;
    uint8_t buf[512];

    rig_issue28(r, 0x20, 33, 2);
    rig_settle(r);
    for (unsigned i = 0; i < 512; i += 4) {
        uint32_t v = (uint32_t)machine_in(&r->m, (uint16_t)r->base, 4);

        put_le32(buf + i, v);
    }
    expect_sectors(buf, 33, 1);
    rig_settle(r);
    /* A byte read takes a whole word. */
    for (unsigned i = 0; i < 256; i++)
        assert_int_equal(machine_in(&r->m, (uint16_t)r->base, 1),
                         block_ram_pattern(34 * 512 + 2 * i));
    rig_settle(r);
    assert_int_equal(in(r, 7), OK);
    /* Nothing is asked for: nothing comes, nothing is disturbed. */
    assert_int_equal(machine_in(&r->m, (uint16_t)r->base, 2), 0);
    machine_out(&r->m, (uint16_t)r->base, 2, 0xffff);
    memset(buf, 0xff, sizeof(buf));
    rig_insw(r, buf, 512);
    assert_int_equal(buf[0] | buf[511], 0);
    assert_int_equal(in(r, 7), OK);
}

static void test_chs_addressing_follows_the_translation(void **state)
{
    struct rig *r = *state;
    uint8_t buf[512];

    /* 4 heads, 20 sectors: C 2, H 1, S 3 is sector 2*80 + 20 + 2. */
    out(r, 6, 0xa0 | 3);
    out(r, 2, 20);
    out(r, 7, 0x91);
    rig_settle(r);
    assert_int_equal(in(r, 7), OK);
    out(r, 2, 1);
    out(r, 3, 3);
    out(r, 4, 2);
    out(r, 5, 0);
    out(r, 6, 0xa1);
    out(r, 7, 0x20);
    rig_settle(r);
    assert_int_equal(in(r, 7), OK | ATA_DRQ);
    rig_insw(r, buf, 512);
    expect_sectors(buf, 182, 1);
    /* The next address: H 1, S 4. */
    assert_int_equal(in(r, 3), 4);
    assert_int_equal(in(r, 4), 2);
    assert_int_equal(in(r, 6) & 0x0f, 1);
    /* Sector 0 does not exist. */
    out(r, 2, 1);
    out(r, 3, 0);
    out(r, 7, 0x20);
    rig_settle(r);
    assert_int_equal(in(r, 7), BAD);
    out(r, 6, 0xa0);
    assert_int_equal(rig_simple(r, 0x91, 0, 0), BAD); /* no sectors on a track */
}

static void test_cve_2008_0928_ranges_are_checked_in_64_bits(void **state)
{
    struct rig *r = *state;
    static const struct {
        uint64_t lba;
        unsigned count;
        bool ok;
    } cases[] = {
        {RIG_DISK_SECTORS - 1, 1, true},
        {RIG_DISK_SECTORS, 1, false},
        {RIG_DISK_SECTORS - 1, 2, false},
        {0xffffffffffff, 1, false},
        {0xffffffffffff, 0, false},
        {0x100000000, 1, false},
        {0xfffffffffff0, 0x20, false},
        {0, 8192, true},
        {0, 8193, false},
        {0, 0, false},
    };

    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        rig_issue48(r, 0x42, cases[i].lba, cases[i].count); /* READ VERIFY EXT */
        rig_settle(r);
        assert_int_equal(in(r, 7), cases[i].ok ? OK : BAD);
        assert_int_equal(in(r, 1), cases[i].ok ? 0 : ATA_ABRT);
        if (!cases[i].ok) {
            rig_issue48(r, 0x34, cases[i].lba, cases[i].count);
            rig_settle(r);
            assert_int_equal(in(r, 7), BAD); /* no DRQ: nothing can be written */
        }
    }
    assert_int_equal(r->ram[0].writes, 0);
}

static void test_non_data_commands(void **state)
{
    struct rig *r = *state;
    static const uint8_t ok[] = {0x10, 0x1f, 0x40, 0x41, 0x70, 0x7f, 0x94, 0x95, 0x96, 0x97,
                                 0x99, 0xe0, 0xe1, 0xe2, 0xe3, 0xe6, 0xe7, 0xea, 0xf5};
    static const uint8_t aborted[] = {0x00, 0x08, 0x37, 0x3d, 0xce, 0xa0, 0xf9, 0x01, 0x22,
                                      0x50, 0x60, 0x61, 0xb1, 0xc0, 0xda, 0xf1, 0xff, 0xee};

    rig_issue28(r, 0x10, 5, 1); /* an address in range for the verifies */
    rig_settle(r);
    in(r, 7);
    for (unsigned i = 0; i < sizeof(ok); i++) {
        unsigned rises = r->m.isa_rises[14];

        out(r, 2, 1);
        assert_int_equal(rig_simple(r, ok[i], 0, 1), OK);
        assert_int_equal(in(r, 1), 0);
        assert_int_equal(r->m.isa_rises[14] - rises, 1);
    }
    for (unsigned i = 0; i < sizeof(aborted); i++) {
        assert_int_equal(rig_simple(r, aborted[i], 0, 1), BAD);
        assert_int_equal(in(r, 1), ATA_ABRT);
    }
    assert_int_equal(rig_simple(r, 0xe1, 0, 0), OK);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(rig_simple(r, i ? 0x98 : 0xe5, 0, 0), OK);
        assert_int_equal(in(r, 2), 0xff);
    }
    /* T-IDE-2: success leaves nothing of an earlier failure. */
    assert_int_equal(rig_simple(r, 0x00, 0, 0), BAD);
    assert_int_equal(rig_simple(r, 0xe0, 0, 0), OK);
    assert_int_equal(in(r, 1), 0);
}

static void test_identify_packet_refused_with_signature(void **state)
{
    struct rig *r = *state;

    out(r, 4, 0x77);
    assert_int_equal(rig_simple(r, 0xa1, 0, 9), BAD);
    assert_int_equal(in(r, 1), ATA_ABRT);
    assert_int_equal(in(r, 2), 1);
    assert_int_equal(in(r, 4) | in(r, 5), 0);
    rig_select(r, 2);
    assert_int_equal(rig_simple(r, 0xec, 0, 9), BAD);
    assert_int_equal(in(r, 4), 0x14);
    assert_int_equal(in(r, 5), 0xeb);
    assert_int_equal(rig_simple(r, 0x20, 0, 1), BAD);
    assert_int_equal(in(r, 4), 0x14);
}

static void test_read_native_max(void **state)
{
    struct rig *r = *state;

    out(r, 6, 0xe0);
    assert_int_equal(rig_simple(r, 0xf8, 0, 0), OK);
    assert_int_equal(in(r, 3) | in(r, 4) << 8 | in(r, 5) << 16, RIG_DISK_SECTORS - 1);
    assert_int_equal(rig_simple(r, 0x27, 0, 0), OK);
    assert_int_equal(in(r, 3) | in(r, 4) << 8 | in(r, 5) << 16, RIG_DISK_SECTORS - 1);
    machine_out(&r->m, (uint16_t)r->control, 1, CTL_HOB);
    assert_int_equal(in(r, 3) | in(r, 4) | in(r, 5), 0);
}

static void test_set_multiple_mode(void **state)
{
    struct rig *r = *state;

    for (unsigned n = 0; n < 256; n++) {
        bool ok = n == 0 || n == 1 || n == 2 || n == 4 || n == 8 || n == 16;

        assert_int_equal(rig_simple(r, 0xc6, 0, (uint8_t)n), ok ? OK : BAD);
    }
    rig_simple(r, 0xc6, 0, 4);
    rig_issue28(r, 0xc4, 3, 10);
    pio_in(r, 3, 10, 4);
    rig_simple(r, 0xc6, 0, 0);
    rig_issue28(r, 0xc4, 3, 1);
    rig_settle(r);
    assert_int_equal(in(r, 7), BAD);
}

static void test_interrupt_is_pending_and_not_nien(void **state)
{
    struct rig *r = *state;

    machine_out(&r->m, (uint16_t)r->control, 1, CTL_NIEN);
    out(r, 7, 0xe0);
    rig_settle(r);
    assert_false(rig_irq(r));
    assert_int_equal(rig_status(r), OK);
    assert_int_equal(rig_bm_status(r) & BM_INT, 0);
    /* T-IDE-18: nIEN only masks. */
    machine_out(&r->m, (uint16_t)r->control, 1, 0);
    assert_true(rig_irq(r));
    assert_int_equal(rig_bm_status(r) & BM_INT, BM_INT); /* T-IDE-10: for every command */
    machine_out(&r->m, (uint16_t)r->control, 1, CTL_NIEN);
    assert_false(rig_irq(r));
    machine_out(&r->m, (uint16_t)r->control, 1, 0);
    assert_true(rig_irq(r));
    /* Only the selected device drives the line; alternate status clears nothing. */
    out(r, 6, 0xf0);
    assert_false(rig_irq(r));
    out(r, 6, 0xe0);
    rig_status(r);
    assert_true(rig_irq(r));
    in(r, 7);
    assert_false(rig_irq(r));
}

static void test_writes_during_busy_are_ignored(void **state)
{
    struct rig *r = *state;
    uint8_t buf[512];

    r->ram[0].hold = true;
    rig_issue28(r, 0x20, 77, 2);
    rig_settle(r);
    assert_true(rig_status(r) & ATA_BSY);
    out(r, 3, 1);
    out(r, 6, 0xb0); /* not even the device register: T-IDE-7 */
    out(r, 7, 0xec);
    assert_int_equal(in(r, 6), 0xe0);
    block_ram_release(&r->ram[0], 0, 0);
    assert_int_equal(rig_status(r), OK | ATA_DRQ);
    out(r, 3, 1);
    out(r, 7, 0xe0);
    rig_insw(r, buf, 512);
    expect_sectors(buf, 77, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG(test_registers_after_power_on),
        RIG(test_firmware_probe_finds_latches),
        RIG(test_hob_shows_the_previous_bytes),
        RIG(test_absent_slave_and_empty_channel),
        RIG(test_pio_read_commands),
        RIG(test_pio_read_through_worker),
        RIG(test_pio_write_commands),
        RIG(test_data_port_widths),
        RIG(test_chs_addressing_follows_the_translation),
        RIG(test_cve_2008_0928_ranges_are_checked_in_64_bits),
        RIG(test_non_data_commands),
        RIG(test_identify_packet_refused_with_signature),
        RIG(test_read_native_max),
        RIG(test_set_multiple_mode),
        RIG(test_interrupt_is_pending_and_not_nien),
        RIG(test_writes_during_busy_are_ignored),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
