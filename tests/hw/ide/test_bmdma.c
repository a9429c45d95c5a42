/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The bus master: PRD shapes, the order of start and command, stops and faults. */
#include "tests/hw/ide/rig.h"

#include <errno.h>
#include <string.h>

#define OK  (ATA_DRDY | ATA_DSC)
#define BAD (ATA_DRDY | ATA_DSC | ATA_ERR)

static void memory_holds(struct rig *r, uint32_t at, uint64_t offset, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (r->m.ram[at + i] != block_ram_pattern(offset + i))
            fail_msg("guest byte %zx", at + i);
}

static void memory_untouched(struct rig *r, uint32_t at, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (r->m.ram[at + i] != MACHINE_POISON)
            fail_msg("guest byte %zx was written", at + i);
}

static void test_registers(void **state)
{
    struct rig *r = *state;

    for (unsigned bm = RIG_BM; bm <= RIG_BM + 8; bm += 8) {
        assert_int_equal(machine_in(&r->m, (uint16_t)bm, 1), 0);
        assert_int_equal(machine_in(&r->m, (uint16_t)(bm + 1), 1), 0xff);
        assert_int_equal(machine_in(&r->m, (uint16_t)(bm + 3), 1), 0xff);
        machine_out(&r->m, (uint16_t)(bm + 4), 4, 0xdeadbeef);
        assert_int_equal(machine_in(&r->m, (uint16_t)(bm + 4), 4), 0xdeadbeec);
        machine_out(&r->m, (uint16_t)(bm + 6), 2, 0x1234);
        assert_int_equal(machine_in(&r->m, (uint16_t)(bm + 4), 4), 0x1234beec);
        machine_out(&r->m, (uint16_t)(bm + 5), 1, 0x56);
        assert_int_equal(machine_in(&r->m, (uint16_t)(bm + 4), 4), 0x123456ec);
        machine_out(&r->m, (uint16_t)(bm + 2), 2, 0xff60);
        assert_int_equal(machine_in(&r->m, (uint16_t)(bm + 2), 2), 0xff60);
        machine_out(&r->m, (uint16_t)bm, 1, 0xf8);
        assert_int_equal(machine_in(&r->m, (uint16_t)bm, 1), BM_DIRECTION);
    }
}

static void test_read_in_either_order(void **state)
{
    struct rig *r = *state;
    static const uint8_t commands[] = {0xc8, 0xc9, 0x25};

    rig_prd(r, 0, RIG_DATA, 4096, true);
    for (unsigned i = 0; i < 6; i++) {
        uint8_t command = commands[i / 2];
        unsigned rises = r->m.isa_rises[14];

        memset(r->m.ram + RIG_DATA, 0, 4096);
        if (i & 1)
            rig_bm_start(r, true);
        if (command == 0x25)
            rig_issue48(r, command, 30 + i, 8);
        else
            rig_issue28(r, command, 30 + i, 8);
        rig_settle(r);
        if (!(i & 1)) {
            assert_true(rig_status(r) & ATA_BSY);
            rig_bm_start(r, true);
            assert_int_equal(rig_bm_status(r), BM_ACTIVE);
            rig_settle(r);
        }
        assert_int_equal(rig_bm_status(r), BM_INT);
        assert_true(rig_irq(r));
        assert_int_equal(in(r, 7), OK);
        assert_int_equal(in(r, 1), 0);
        assert_false(rig_irq(r));
        assert_int_equal(r->m.isa_rises[14] - rises, 1);
        memory_holds(r, RIG_DATA, (30 + i) * 512u, 4096);
        assert_int_equal(rig_bm_status(r), BM_INT); /* reading the status leaves it */
        rig_bm_stop(r);
    }
}

static void test_write(void **state)
{
    struct rig *r = *state;
    static const uint8_t commands[] = {0xca, 0xcb, 0x35};

    rig_prd(r, 0, RIG_DATA, 512, false);
    rig_prd(r, 1, RIG_DATA + 0x1000, 1024, true);
    for (unsigned i = 0; i < 6; i++) {
        r->ram[0].blocks = i & 1;
        memset(r->m.ram + RIG_DATA, 0xc0 + (int)i, 0x2000);
        if (commands[i / 2] == 0x35)
            rig_issue48(r, 0x35, 100 + 10 * i, 3);
        else
            rig_issue28(r, commands[i / 2], 100 + 10 * i, 3);
        rig_bm_start(r, false);
        rig_settle(r);
        assert_int_equal(rig_bm_status(r), BM_INT);
        assert_int_equal(in(r, 7), OK);
        rig_bm_stop(r);
        for (size_t k = 0; k < 1536; k++)
            assert_int_equal(r->ram[0].data[(100 + 10 * i) * 512 + k], 0xc0 + i);
        assert_int_equal(r->ram[0].data[(100 + 10 * i) * 512 - 1],
                         block_ram_pattern((100 + 10 * i) * 512 - 1));
        assert_int_equal(r->ram[0].data[(103 + 10 * i) * 512],
                         block_ram_pattern((103 + 10 * i) * 512));
    }
}

static void test_one_call_for_a_whole_table(void **state)
{
    struct rig *r = *state;
    unsigned reads = r->ram[0].reads;

    for (unsigned i = 0; i < 32; i++) /* 128 KiB in pages, backwards */
        rig_prd(r, i, RIG_DATA + (31 - i) * 0x1000, 4096, i == 31);
    rig_issue48(r, 0x25, 0, 256);
    rig_bm_start(r, true);
    rig_settle(r);
    assert_int_equal(rig_bm_status(r), BM_INT);
    assert_int_equal(r->ram[0].reads - reads, 1);
    for (unsigned i = 0; i < 32; i++)
        memory_holds(r, RIG_DATA + (31 - i) * 0x1000, i * 4096u, 4096);
}

static void test_count_zero_is_64_kib(void **state)
{
    struct rig *r = *state;

    rig_prd(r, 0, RIG_DATA, 0, true); /* T-IDE-12 */
    rig_issue28(r, 0xc8, 0, 128);
    rig_bm_start(r, true);
    rig_settle(r);
    assert_int_equal(rig_bm_status(r), BM_INT);
    assert_int_equal(in(r, 7), OK);
    memory_holds(r, RIG_DATA, 0, 65536);
}

static void test_large_transfer_in_chunks(void **state)
{
    struct rig *r = *state;

    for (unsigned i = 0; i < 64; i++) /* 4 MiB */
        rig_prd(r, i, 0x100000 + i * 0x10000, 0, i == 63);
    r->ram[0].blocks = true;
    rig_issue48(r, 0x25, 0, RIG_DISK_SECTORS);
    rig_bm_start(r, true);
    rig_settle(r);
    assert_int_equal(rig_bm_status(r), BM_INT);
    assert_int_equal(in(r, 7), OK);
    assert_memory_equal(r->m.ram + 0x100000, r->ram[0].data, RIG_DISK_SECTORS * 512);
}

static void test_tiny_odd_entries(void **state)
{
    struct rig *r = *state;

    /* 4096 bytes in pieces of 2, each at an odd distance; bit 0 of a base is ignored. */
    for (unsigned i = 0; i < 2048; i++)
        rig_prd(r, i, RIG_DATA + i * 6 + 1, 2, i == 2047);
    rig_issue28(r, 0xc8, 9, 8);
    rig_bm_start(r, true);
    rig_settle(r);
    assert_int_equal(rig_bm_status(r), BM_INT);
    assert_int_equal(in(r, 7), OK);
    for (unsigned i = 0; i < 2048; i++)
        memory_holds(r, RIG_DATA + i * 6, 9 * 512 + i * 2, 2);
    /* And back to another place. */
    rig_bm_stop(r);
    rig_issue28(r, 0xca, 2000, 8);
    rig_bm_start(r, false);
    rig_settle(r);
    assert_int_equal(in(r, 7), OK);
    assert_memory_equal(r->ram[0].data + 2000 * 512, r->ram[0].data + 9 * 512, 4096);
}

static void test_table_longer_than_command_stays_active(void **state)
{
    struct rig *r = *state;

    rig_prd(r, 0, RIG_DATA, 4096, true);
    memset(r->m.ram + RIG_DATA, MACHINE_POISON, 4096);
    rig_issue28(r, 0xc8, 3, 1);
    rig_bm_start(r, true);
    rig_settle(r);
    assert_int_equal(rig_bm_status(r), BM_ACTIVE | BM_INT);
    assert_int_equal(in(r, 7), OK);
    memory_holds(r, RIG_DATA, 3 * 512, 512);
    memory_untouched(r, RIG_DATA + 512, 4096 - 512);
    rig_bm_stop(r);
    assert_int_equal(rig_bm_status(r), BM_INT);
}

static void test_cve_2014_9718_short_tables_end(void **state)
{
    struct rig *r = *state;
    static const uint32_t sizes[] = {2, 254, 510, 512, 514, 1022};

    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        for (int write = 0; write < 2; write++) {
            unsigned rises = r->m.isa_rises[14];

            rig_prd(r, 0, RIG_DATA, sizes[i], true);
            memset(r->m.ram + RIG_DATA, MACHINE_POISON, 4096);
            rig_issue28(r, write ? 0xca : 0xc8, 40, 4);
            rig_bm_start(r, !write);
            rig_settle(r);
            /* Exhausted: idle, no interrupt; the drive itself is fine. */
            assert_int_equal(rig_bm_status(r), 0);
            assert_int_equal(r->m.isa_rises[14], rises);
            assert_int_equal(in(r, 7), OK);
            rig_bm_stop(r);
            memory_untouched(r, RIG_DATA + sizes[i], 2048);
        }
    }
}

static void test_cve_2019_20175_no_assertion_on_odd_lengths(void **state)
{
    struct rig *r = *state;

    /* A sector and a half for writing: the half is not written. */
    rig_prd(r, 0, RIG_DATA, 768, true);
    memset(r->m.ram + RIG_DATA, 0x99, 1024);
    rig_issue28(r, 0xca, 60, 2);
    rig_bm_start(r, false);
    rig_settle(r);
    assert_int_equal(r->ram[0].data[60 * 512 + 511], 0x99);
    assert_int_equal(r->ram[0].data[61 * 512], block_ram_pattern(61 * 512));
    assert_int_equal(rig_status(r), OK);
    rig_bm_stop(r);
    /* No data at all in the table, and far more than the command wants. */
    for (unsigned i = 0; i < 100; i++)
        rig_prd(r, i, RIG_DATA, 65534, i == 99);
    rig_issue28(r, 0xc8, 0, 1);
    rig_bm_start(r, true);
    rig_settle(r);
    assert_int_equal(in(r, 7), OK);
}

static void test_endless_table_is_bounded(void **state)
{
    struct rig *r = *state;

    /* 64 KiB of entries of 2 bytes, none the last: 16 KiB of data for 128 KiB wanted. */
    for (unsigned i = 0; i < 8192 + 64; i++)
        rig_prd(r, i, 0x200000, 2, false);
    rig_issue28(r, 0xc8, 0, 0);
    rig_bm_start(r, true);
    rig_settle(r);
    assert_int_equal(rig_bm_status(r), 0);
    assert_int_equal(rig_status(r), OK);
    assert_true(r->ide->channel[0].s->prd_count <= 8192);
}

static void test_table_over_its_own_data(void **state)
{
    struct rig *r = *state;

    /* The transfer overwrites the table: entries are fetched once, before. */
    rig_prd(r, 0, RIG_PRDT, 512, false);
    rig_prd(r, 1, RIG_DATA, 512, true);
    rig_issue28(r, 0xc8, 70, 2);
    rig_bm_start(r, true);
    rig_settle(r);
    assert_int_equal(rig_bm_status(r), BM_INT);
    memory_holds(r, RIG_PRDT, 70 * 512, 512);
    memory_holds(r, RIG_DATA, 71 * 512, 512);
}

static void test_cve_2019_12067_missing_memory_is_a_master_abort(void **state)
{
    struct rig *r = *state;

    r->m.hole_gfn = RIG_DATA >> 12;
    r->m.hole_frames = 1;
    guestmem_invalidate(r->m.env.mem);
    for (int write = 0; write < 2; write++) {
        rig_prd(r, 0, RIG_DATA, 512, true);
        rig_issue28(r, write ? 0xca : 0xc8, 5, 1);
        rig_bm_start(r, !write);
        rig_settle(r);
        assert_int_equal(rig_bm_status(r) & (BM_ACTIVE | BM_ERROR), BM_ERROR);
        assert_int_equal(in(r, 7), BAD); /* said with an interrupt, not left busy */
        rig_bm_stop(r);
    }
    assert_int_equal(r->ram[0].writes, 0);
    /* The table itself is missing. */
    r->m.hole_gfn = RIG_PRDT >> 12;
    guestmem_invalidate(r->m.env.mem);
    rig_issue28(r, 0xc8, 5, 1);
    rig_bm_start(r, true);
    rig_settle(r);
    assert_int_equal(rig_bm_status(r) & (BM_ACTIVE | BM_ERROR), BM_ERROR);
    assert_int_equal(in(r, 7), BAD);
    rig_bm_stop(r);
    /* Far behind all memory. */
    r->m.hole_frames = 0;
    guestmem_invalidate(r->m.env.mem);
    rig_prd(r, 0, 0xfffffffe, 4096, true);
    rig_issue28(r, 0xc8, 5, 1);
    rig_bm_start(r, true);
    rig_settle(r);
    assert_int_equal(in(r, 7), BAD);
    rig_bm_stop(r);
    rig_prd(r, 0, RIG_DATA, 512, true);
    rig_issue28(r, 0xc8, 5, 1);
    rig_bm_start(r, true);
    rig_settle(r);
    assert_int_equal(in(r, 7), OK);
}

static void test_bus_master_bit_gates_dma(void **state)
{
    struct rig *r = *state;

    pci_config_write(r->m.env.pci, PCI_DEVFN(1, 1), PCI_COMMAND, 2, PCI_COMMAND_IO);
    rig_prd(r, 0, RIG_DATA, 512, true);
    memset(r->m.ram + RIG_DATA, MACHINE_POISON, 512);
    rig_issue28(r, 0xc8, 5, 1);
    rig_bm_start(r, true);
    rig_settle(r);
    assert_true(rig_status(r) & ATA_BSY);
    memory_untouched(r, RIG_DATA, 512);
    pci_config_write(r->m.env.pci, PCI_DEVFN(1, 1), PCI_COMMAND, 2,
                     PCI_COMMAND_IO | PCI_COMMAND_MASTER);
    rig_settle(r);
    assert_int_equal(in(r, 7), OK);
    memory_holds(r, RIG_DATA, 5 * 512, 512);
}

static void test_stop_gives_memory_back_at_once(void **state)
{
    struct rig *r = *state;

    rig_prd(r, 0, RIG_DATA, 512, true);
    memset(r->m.ram + RIG_DATA, MACHINE_POISON, 512);
    r->ram[0].hold = true;
    rig_issue28(r, 0xc8, 5, 1);
    rig_bm_start(r, true);
    rig_settle(r);
    assert_int_equal(r->ram[0].nheld, 1);
    rig_bm_stop(r);
    assert_int_equal(rig_bm_status(r), 0);
    block_ram_release(&r->ram[0], 0, 0);
    rig_settle(r);
    memory_untouched(r, RIG_DATA, 512);
    assert_true(rig_status(r) & ATA_BSY); /* the command waits for another start */
    r->ram[0].hold = false;
    rig_bm_start(r, true);
    rig_settle(r);
    assert_int_equal(in(r, 7), OK);
    memory_holds(r, RIG_DATA, 5 * 512, 512);
    assert_int_equal(rig_bm_status(r), BM_INT);
}

static void test_read_error_names_the_sector(void **state)
{
    struct rig *r = *state;

    r->ram[0].fault = -EIO;
    r->ram[0].fault_op = BLOCK_READ;
    r->ram[0].fault_offset = 103 * 512;
    r->ram[0].fault_bytes = 512;
    rig_prd(r, 0, RIG_DATA, 4096, true);
    memset(r->m.ram + RIG_DATA, MACHINE_POISON, 4096);
    for (int worker = 0; worker < 2; worker++) {
        r->ram[0].blocks = worker;
        rig_issue28(r, 0xc8, 100, 8);
        rig_bm_start(r, true);
        rig_settle(r);
        assert_int_equal(rig_status(r), BAD);
        assert_int_equal(in(r, 1), ATA_UNC);
        assert_int_equal(in(r, 3), 103);
        assert_true(rig_irq(r));
        in(r, 7);
        assert_int_equal(rig_bm_status(r) & BM_INT, BM_INT);
        memory_untouched(r, RIG_DATA + 3 * 512, 5 * 512);
        rig_bm_stop(r);
    }
}

static void test_write_errors_reach_the_guest(void **state)
{
    struct rig *r = *state;
    static const int errors[] = {-EIO, -ENOSPC, -EFBIG, -EDQUOT};

    rig_prd(r, 0, RIG_DATA, 4096, true);
    for (unsigned i = 0; i < 8; i++) {
        r->ram[0].blocks = i & 1;
        r->ram[0].fault = errors[i / 2];
        r->ram[0].fault_op = BLOCK_WRITE;
        r->ram[0].fault_offset = 206 * 512;
        r->ram[0].fault_bytes = 512;
        rig_issue28(r, 0xca, 200, 8);
        rig_bm_start(r, false);
        rig_settle(r);
        assert_int_equal(rig_status(r), BAD);
        assert_int_equal(in(r, 1), ATA_IDNF);
        assert_int_equal(in(r, 3), 206);
        in(r, 7);
        rig_bm_stop(r);
    }
}

static void test_log_dirty_hears_of_every_read(void **state)
{
    struct rig *r = *state;
    uint64_t calls;

    guestmem_set_log_dirty(r->m.env.mem, true);
    calls = r->m.modified_calls;
    rig_prd(r, 0, RIG_DATA, 4096, true);
    rig_issue28(r, 0xc8, 0, 8);
    rig_bm_start(r, true);
    rig_settle(r);
    assert_true(r->m.modified_calls > calls);
    calls = r->m.modified_calls;
    rig_bm_stop(r);
    rig_issue28(r, 0xca, 0, 8);
    rig_bm_start(r, false);
    rig_settle(r);
    assert_int_equal(r->m.modified_calls, calls);
}

static void test_bar_moves_and_disables(void **state)
{
    struct rig *r = *state;

    assert_int_equal(pci_config_read(r->m.env.pci, PCI_DEVFN(1, 1), 0, 4), 0x70108086);
    assert_int_equal(pci_config_read(r->m.env.pci, PCI_DEVFN(1, 1), 8, 4), 0x01018000);
    assert_int_equal(pci_config_read(r->m.env.pci, PCI_DEVFN(1, 1), 0x20, 4), RIG_BM | 1);
    pci_config_write(r->m.env.pci, PCI_DEVFN(1, 1), 0x40, 2, 0x8000); /* T-IDE-9 */
    pci_config_write(r->m.env.pci, PCI_DEVFN(1, 1), 0x43, 1, 0x80);
    assert_int_equal(pci_config_read(r->m.env.pci, PCI_DEVFN(1, 1), 0x40, 4), 0x80008000);
    pci_config_write(r->m.env.pci, PCI_DEVFN(1, 1), PCI_COMMAND, 2, 0);
    assert_int_equal(machine_in(&r->m, RIG_BM + 2, 1), 0xff);
    assert_int_equal(rig_status(r), OK); /* legacy ports are always decoded */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG(test_registers),
        RIG(test_read_in_either_order),
        RIG(test_write),
        RIG(test_one_call_for_a_whole_table),
        RIG(test_count_zero_is_64_kib),
        RIG(test_large_transfer_in_chunks),
        RIG(test_tiny_odd_entries),
        RIG(test_table_longer_than_command_stays_active),
        RIG(test_cve_2014_9718_short_tables_end),
        RIG(test_cve_2019_20175_no_assertion_on_odd_lengths),
        RIG(test_endless_table_is_bounded),
        RIG(test_table_over_its_own_data),
        RIG(test_cve_2019_12067_missing_memory_is_a_master_abort),
        RIG(test_bus_master_bit_gates_dma),
        RIG(test_stop_gives_memory_back_at_once),
        RIG(test_read_error_names_the_sector),
        RIG(test_write_errors_reach_the_guest),
        RIG(test_log_dirty_hears_of_every_read),
        RIG(test_bar_moves_and_disables),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
