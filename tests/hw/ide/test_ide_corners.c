/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Construction, wrong units, restored phases, partition tables: what only happens once in a while.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/hw/ide/rig.h"

#define OK  (ATA_DRDY | ATA_DSC)
#define BAD (ATA_DRDY | ATA_DSC | ATA_ERR)

/* ---- restored phases ------------------------------------------------------------------------- */

static bool writes_pio(uint8_t command)
{
    return command == 0x30 || command == 0x39;
}

static bool writes_dma(uint8_t command)
{
    return command == 0x35 || command == 0xca;
}

/* What a phase that is let through may rely on. */
static void phase_is_sound(const struct ide_drive *d)
{
    const struct ide_drive_state *s = d->s;
    uint64_t size = block_sectors(d->block) * IDE_SECTOR;

    /* Phases that move no data set it anew when they end. */
    assert_true(s->phase == PHASE_IDLE || s->phase == PHASE_FINISH || s->phase == PHASE_PACKET ||
                !s->left || (s->left <= size && s->offset <= size - s->left));
    switch (s->phase) {
    case PHASE_PIO_IN:
    case PHASE_NEXT_IN:
    case PHASE_DMA_BUF_IN:
        assert_true(s->pos < s->fill);
        break;
    case PHASE_FETCH:
    case PHASE_DMA_IN:
        assert_true(s->left && !writes_pio(s->command) && !writes_dma(s->command));
        break;
    case PHASE_PIO_OUT:
    case PHASE_NEXT_OUT:
    case PHASE_STORE:
        assert_true(d->kind == IDE_DISK && writes_pio(s->command) && s->fill <= s->left);
        break;
    case PHASE_DMA_OUT:
        assert_true(d->kind == IDE_DISK && writes_dma(s->command) && s->left);
        break;
    case PHASE_DMA_BUF_OUT:
    case PHASE_TRIM:
        assert_true(d->kind == IDE_DISK && s->command == 0x06);
        break;
    case PHASE_PACKET:
        assert_true(d->kind == IDE_CDROM && s->pos < 12);
        break;
    case PHASE_FLUSH:
        assert_true(d->kind == IDE_DISK);
        break;
    default:
        break;
    }
}

/* All combinations of a few values, which is where a check could be wrong. */
static void test_phases_of_saved_states(void **state)
{
    struct rig *r = *state;
    static const uint8_t commands[] = {0x20, 0x25, 0x30, 0x39, 0x35, 0xca, 0x06, 0xec, 0xa0, 0xee};
    static const uint32_t small[] = {0, 512, 513};
    static const uint64_t large[] = {0, 512, 700, 1ull << 40};
    unsigned accepted[PHASE_LAST + 1] = {0};

    for (unsigned n = 0; n < 200000; n++) {
        unsigned k = n;
        struct ide_drive *d = k & 1 ? &r->ide->channel[1].drive[0] : &r->ide->channel[0].drive[0];
        struct ide_drive_state *s = d->s;
#define PICK(values) ((values)[k % (sizeof(values) / sizeof((values)[0]))])
        k = k * 2654435761u >> 3;
        s->phase = (uint8_t)(k % (PHASE_LAST + 1));
        k = k / 16 + n;
        s->command = PICK(commands);
        k = k / 11 + n * 7;
        s->pos = PICK(small);
        k = k / 3 + n * 13;
        s->fill = PICK(small);
        k = k / 3 + n * 3;
        s->end = PICK(small);
        k = k / 3 + n * 5;
        s->left = PICK(large);
        k = k / 4 + n * 11;
        s->offset = PICK(large);
        k = k / 4 + n * 17;
        s->block = k & 1 ? 512 : 0;
        s->packet_dma = k & 2;
#undef PICK
        if (!ata_phase_possible(d))
            continue;
        accepted[s->phase]++;
        phase_is_sound(d);
    }
    for (unsigned phase = 0; phase <= PHASE_LAST; phase++)
        assert_true(accepted[phase] > 0);
    device_reset_all(r->m.env.devices);
}

/* A stream from before this version's fields, or with an unplugged mark where none can be. */
static void test_unplugged_mark_of_other_drives(void **state)
{
    struct rig *r = *state;

    r->ide->channel[1].drive[0].s->unplugged = true; /* a CD-ROM drive stays */
    r->ide->channel[0].drive[1].s->unplugged = true;
    r->ram[1].fault = -EIO;
    r->ram[1].fault_op = BLOCK_FLUSH;
    r->ram[1].fault_bytes = UINT64_MAX;
    device_loaded_all(r->m.env.devices);
    assert_int_equal(ide_unit_kind(r->ide, 2), IDE_CDROM);
    assert_int_equal(ide_unit_kind(r->ide, 1), IDE_ABSENT);
    assert_true(r->ram[1].closed);
    assert_int_equal(ide_unplug(r->ide, IDE_UNPLUG_AUX), 0);
    assert_int_equal(ide_unplug(r->ide, 0), 0);
}

/* ---- construction ---------------------------------------------------------------------------- */

static const struct io_ops no_ops = {.sizes = 1};

static void test_create_undoes_what_it_began(void **state)
{
    static const uint16_t taken[] = {0x1f0, 0x3f6, 0x170, 0x376};

    for (unsigned i = 0; i < 4; i++) {
        struct ide_config config = {.devfn = PCI_DEVFN(1, 1)};
        struct io_region other = {
            .name = "x", .kind = IO_PORT, .base = taken[i], .length = 1, .ops = &no_ops};
        struct machine m;
        struct ide *ide;

        machine_init_pci(&m);
        assert_int_equal(iospace_add(m.env.io, &other), 0);
        assert_int_equal(ide_create(&ide, &m.env, &config), -EEXIST);
        iospace_remove(m.env.io, &other);
        for (unsigned k = 0; k < 4; k++) { /* nothing of it is left there */
            other.base = taken[k];
            assert_int_equal(iospace_add(m.env.io, &other), 0);
            iospace_remove(m.env.io, &other);
        }
        machine_fini(&m);
    }
}

static void test_names_are_given(void **state)
{
    struct ide_config config = {.devfn = PCI_DEVFN(1, 1)};
    struct block_ram ram = {0};
    struct machine m;
    struct ide *ide;
    uint16_t w[256];

    machine_init_pci(&m);
    assert_int_equal(
        block_ram_create(&ram, &config.unit[0].block, 1024 * 512, false, m.env.workers), 0);
    config.unit[0].kind = IDE_DISK;
    config.unit[0].serial = "S1";
    config.unit[0].model = "A MODEL";
    config.unit[0].firmware = "9.9";
    assert_int_equal(ide_create(&ide, &m.env, &config), 0);
    machine_start(&m);
    machine_out(&m, 0x1f7, 1, 0xec);
    machine_settle(&m);
    io_read_string(m.env.io, IO_PORT, 0x1f0, 2, 0, w, 256);
    assert_memory_equal((uint8_t *)w + 20, "1S  ", 4);
    assert_memory_equal((uint8_t *)w + 54, " AOMED L", 8);
    assert_memory_equal((uint8_t *)w + 46, ".9 9", 4);
    machine_fini(&m);
    block_ram_fini(&ram);
}

static void test_units_that_are_something_else(void **state)
{
    struct rig *r = *state;
    struct ide_geometry g;
    struct ide_cd_info info;

    for (unsigned n = 0; n < 6; n++) {
        if (n == 2)
            continue;
        assert_int_equal(ide_cd_eject(r->ide, n, true), -ENODEV);
        assert_int_equal(ide_cd_insert(r->ide, n, NULL), -ENODEV);
        assert_int_equal(ide_cd_info(r->ide, n, &info), -ENODEV);
    }
    for (unsigned n = 2; n < 6; n++)
        assert_int_equal(ide_unit_geometry(r->ide, n, &g), -ENODEV);
    assert_int_equal(ide_unit_kind(r->ide, 4), IDE_ABSENT);
    assert_null(ide_unit_block(r->ide, 4));
    assert_non_null(ide_unit_block(r->ide, 0));
}

/* ---- partition tables ------------------------------------------------------------------------ */

static void test_partition_tables(void **state)
{
    struct rig *r = *state;
    static const struct {
        uint8_t entry, head, sector, size;
        bool used;
    } each[] = {
        {0, 7, 32, 1, true},  {3, 7, 32, 1, true},    {0, 0, 32, 1, false},  {0, 7, 0, 1, false},
        {0, 7, 32, 0, false}, {1, 255, 63, 1, false}, {2, 1, 0xc1, 1, true},
    };
    struct block_ram ram;
    struct block *block;
    struct ide_geometry g;

    assert_int_equal(block_ram_create(&ram, &block, 16000 * 512, false, r->m.env.workers), 0);
    for (unsigned i = 0; i < sizeof(each) / sizeof(each[0]); i++) {
        uint8_t *entry = ram.data + 446 + 16 * each[i].entry;

        memset(ram.data, 0, 512);
        ram.data[510] = 0x55;
        ram.data[511] = 0xaa;
        entry[5] = each[i].head;
        entry[6] = each[i].sector;
        entry[12] = each[i].size;
        ide_guess_geometry(block, &g);
        assert_int_equal(g.heads == 16 && g.sectors == 63, !each[i].used);
        ram.data[511] = 0xab; /* no table */
        ide_guess_geometry(block, &g);
        assert_int_equal(g.heads, 16);
        ram.data[510] = 0;
        ide_guess_geometry(block, &g);
        assert_int_equal(g.heads, 16);
    }
    ram.fault = -EIO;
    ram.fault_bytes = 512;
    ide_guess_geometry(block, &g);
    assert_int_equal(g.sectors, 63);
    block_close(block);
    block_ram_fini(&ram);
}

/* ---- errors ---------------------------------------------------------------------------------- */

static void test_errors_of_writes_and_trims(void **state)
{
    struct rig *r = *state;
    uint8_t sector[512] = {0};

    r->ram[0].fault = -EROFS;
    r->ram[0].fault_op = BLOCK_WRITE;
    r->ram[0].fault_bytes = UINT64_MAX;
    rig_issue28(r, 0x30, 8, 1);
    rig_outsw(r, sector, 512);
    rig_settle(r);
    assert_int_equal(in(r, 7), BAD);
    assert_int_equal(rig_error(r), ATA_ABRT);
    r->ram[0].fault = -EIO;
    r->ram[0].fault_op = BLOCK_DISCARD;
    memset(r->m.ram + RIG_DATA, 0, 512);
    r->m.ram[RIG_DATA + 6] = 1;
    rig_prd(r, 0, RIG_DATA, 512, true);
    out(r, 1, 1);
    out(r, 2, 0);
    out(r, 2, 1);
    out(r, 7, 0x06);
    rig_bm_start(r, false);
    rig_settle(r);
    assert_int_equal(in(r, 7), BAD);
    assert_int_equal(rig_error(r), ATA_ABRT);
}

static void test_geometry_commands_of_odd_values(void **state)
{
    struct rig *r = *state;

    out(r, 6, 0xa0); /* one head, one sector: more cylinders than fit */
    assert_int_equal(rig_simple(r, 0x91, 0, 1), OK);
    assert_int_equal(r->ide->channel[0].drive[0].s->cylinders, RIG_DISK_SECTORS);
    rig_issue28(r, 0x40, 0, 1); /* sector 0 of CHS */
    rig_settle(r);
    assert_int_equal(in(r, 7), BAD);
    out(r, 6, 0xa1); /* a head that is not there */
    out(r, 3, 1);
    out(r, 2, 1);
    out(r, 7, 0x40);
    rig_settle(r);
    assert_int_equal(in(r, 7), BAD);
    out(r, 6, 0xa0);
    out(r, 3, 2); /* nor is the sector */
    out(r, 7, 0x40);
    rig_settle(r);
    assert_int_equal(in(r, 7), BAD);
    r->ide->channel[0].drive[0].sectors = 100000; /* a disk that CHS cannot reach the end of */
    assert_int_equal(rig_simple(r, 0xf8, 0, 1), OK);
    assert_int_equal(in(r, 4) | in(r, 5) << 8, 65535);
    assert_int_equal(rig_simple(r, 0x91, 0, 1), OK);
    assert_int_equal(r->ide->channel[0].drive[0].s->cylinders, 65535);
    r->ide->channel[0].drive[0].sectors = RIG_DISK_SECTORS;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG(test_phases_of_saved_states),
        RIG(test_unplugged_mark_of_other_drives),
        cmocka_unit_test(test_create_undoes_what_it_began),
        cmocka_unit_test(test_names_are_given),
        RIG(test_units_that_are_something_else),
        RIG(test_partition_tables),
        RIG(test_errors_of_writes_and_trims),
        RIG(test_geometry_commands_of_odd_values),
    };

    return cmocka_run_group_tests_name("ide_corners", tests, NULL, NULL);
}
