/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/fuzz/ide_ops.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dm/log.h"

/* What fresh host memory looks like to the guest, were it to see some. */
#define HEAP_POISON 0xbe
#define OPS_MAX     300

struct fuzz_ide fuzz_ide;

const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
    return "max_malloc_fill_size=1048576:malloc_fill_byte=190";
}

static void look_for_poison(const uint8_t *p, size_t n)
{
    static const uint8_t run[8] = {HEAP_POISON, HEAP_POISON, HEAP_POISON, HEAP_POISON,
                                   HEAP_POISON, HEAP_POISON, HEAP_POISON, HEAP_POISON};

    fuzz_require(!memmem(p, n, run, sizeof(run)), "no host memory reaches the guest");
}

/* The guest itself never writes the poison. */
static uint8_t harmless(uint8_t value)
{
    return value == HEAP_POISON ? HEAP_POISON + 1 : value;
}

/* ---- what a command may write ---------------------------------------------------------------- */

static bool is_write(uint8_t command)
{
    return command == 0x30 || command == 0x31 || command == 0x34 || command == 0x35 ||
           command == 0x39 || command == 0xc5 || command == 0xca || command == 0xcb;
}

/* Worked out from the registers alone, before the drive sees the command. */
static void note_command(unsigned channel, uint8_t command)
{
    struct ide_channel *ch = &fuzz_ide.ide->channel[channel];
    const struct ide_drive *d = &ch->drive[ch->s->selected];
    const struct ide_drive_state *s = d->s;
    uint64_t lba, count;
    bool ext = command == 0x34 || command == 0x35 || command == 0x39;

    if (command == 0x06)
        fuzz_ide.trimmed = true;
    if (!is_write(command) || d->kind != IDE_DISK || (s->status & (ATA_BSY | ATA_DRQ)))
        return;
    if (ext) {
        lba = (uint64_t)s->lba_high[1] << 40 | (uint64_t)s->lba_mid[1] << 32 |
              (uint64_t)s->lba_low[1] << 24 | (uint64_t)s->lba_high[0] << 16 |
              (uint64_t)s->lba_mid[0] << 8 | s->lba_low[0];
        count = (uint64_t)s->count[1] << 8 | s->count[0];
        count = count ? count : 65536;
    } else {
        count = s->count[0] ? s->count[0] : 256;
        if (s->device & DEV_LBA)
            lba = (uint64_t)(s->device & 15) << 24 | (uint64_t)s->lba_high[0] << 16 |
                  (uint64_t)s->lba_mid[0] << 8 | s->lba_low[0];
        else
            lba = (((uint64_t)s->lba_high[0] << 8 | s->lba_mid[0]) * s->heads + (s->device & 15)) *
                      s->sectors +
                  s->lba_low[0] - 1;
    }
    if (lba >= FUZZ_DISK_SECTORS || count > FUZZ_DISK_SECTORS - lba)
        return;
    memset(&fuzz_ide.allowed[d->index][lba], 1, count);
}

static bool all_zero(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i])
            return false;
    return true;
}

static uint8_t pristine[FUZZ_DISK_SECTORS * 512];

static void check_images(void)
{
    for (unsigned n = 0; n < 2; n++) {
        const uint8_t *data = fuzz_ide.ram[n].data;

        if (!memcmp(data, pristine, sizeof(pristine)))
            continue;
        for (unsigned sector = 0; sector < FUZZ_DISK_SECTORS; sector++) {
            const uint8_t *p = data + sector * 512u;

            fuzz_require(!memcmp(p, pristine + sector * 512u, 512) || fuzz_ide.allowed[n][sector] ||
                             fuzz_ide.tampered || (fuzz_ide.trimmed && all_zero(p, 512)),
                         "only what a command named is written");
        }
    }
    fuzz_require(fuzz_ide.ram[2].writes == 0 && fuzz_ide.ram[2].discards == 0,
                 "a CD is not written");
}

/* ---- accesses -------------------------------------------------------------------------------- */

void fuzz_ide_out(unsigned port, unsigned size, uint32_t value)
{
    for (unsigned i = 0; i < size; i++) {
        if (port + i == 0x1f7)
            note_command(0, (uint8_t)(value >> 8 * i));
        if (port + i == 0x177)
            note_command(1, (uint8_t)(value >> 8 * i));
        /* One access may change a register and then start the command. */
        if (size > 1 && (port & ~7u) != FUZZ_BM && (port & ~7u) != FUZZ_BM + 8 && (port & 7))
            machine_out(&fuzz_ide.m, (uint16_t)(port + i), 1, value >> 8 * i & 0xff);
    }
    if (size == 1 || (port & ~7u) == FUZZ_BM || (port & ~7u) == FUZZ_BM + 8 || !(port & 7))
        machine_out(&fuzz_ide.m, (uint16_t)port, size, value);
}

uint32_t fuzz_ide_in(unsigned port, unsigned size)
{
    return (uint32_t)machine_in(&fuzz_ide.m, (uint16_t)port, size);
}

void fuzz_ide_string_in(unsigned port, unsigned size, unsigned count)
{
    static uint8_t buf[65536];

    if (count > sizeof(buf) / size)
        count = (unsigned)(sizeof(buf) / size);
    memset(buf, 0, count * size);
    io_read_string(fuzz_ide.m.env.io, IO_PORT, port, size, 0, buf, count);
    look_for_poison(buf, count * size);
}

void fuzz_ide_string_out(unsigned port, unsigned size, unsigned count, uint8_t value)
{
    static uint8_t buf[65536];

    if (count > sizeof(buf) / size)
        count = (unsigned)(sizeof(buf) / size);
    memset(buf, harmless(value), count * size);
    io_write_string(fuzz_ide.m.env.io, IO_PORT, port, size, 0, buf, count);
}

/* A table of a few entries, most of them plausible. */
void fuzz_ide_prd(struct fuzz_input *in)
{
    unsigned n = fuzz_u8(in) % 12;

    for (unsigned i = 0; i <= n; i++) {
        uint8_t how = fuzz_u8(in);
        uint8_t *p = fuzz_ide.m.ram + FUZZ_PRDT + 8 * i;
        uint32_t base = how & 1 ? fuzz_u32(in) : 0x20000u + (uint32_t)fuzz_u8(in) * 0x1fe;
        uint32_t count = how & 2 ? (uint32_t)fuzz_u8(in) * 2 : (uint32_t)fuzz_u8(in) * 512;

        if (how & 4)
            base = FUZZ_PRDT; /* onto itself */
        put_le32(p, base);
        put_le16(p + 4, count);
        put_le16(p + 6, i == n && !(how & 8) ? 0x8000 : 0);
    }
}

/* ---- the world ------------------------------------------------------------------------------- */

static void make(void)
{
    struct ide_config config = {.devfn = PCI_DEVFN(1, 1)};
    int err = 0;

    log_set_level(LOG_ERROR);
    for (unsigned i = 0; i < sizeof(pristine); i++)
        pristine[i] = block_ram_pattern(i);
    memset(&fuzz_ide, 0, sizeof(fuzz_ide));
    machine_init_pci(&fuzz_ide.m);
    for (unsigned n = 0; n < 3; n++) {
        uint64_t size = n == 2 ? FUZZ_CD_BLOCKS * 2048 : FUZZ_DISK_SECTORS * 512;

        config.unit[n].kind = n == 2 ? IDE_CDROM : IDE_DISK;
        err |= block_ram_create(&fuzz_ide.ram[n], &config.unit[n].block, size, n == 2,
                                fuzz_ide.m.env.workers);
    }
    err |= ide_create(&fuzz_ide.ide, &fuzz_ide.m.env, &config);
    fuzz_require(!err, "the function can be made");
    machine_start(&fuzz_ide.m);
    fuzz_ide.made = true;
}

static void quiet(void)
{
    for (unsigned n = 0; n < 3; n++) {
        fuzz_ide.ram[n].hold = false;
        fuzz_ide.ram[n].fault = 0;
    }
    for (unsigned n = 0; n < 3; n++)
        while (fuzz_ide.ram[n].nheld)
            block_ram_release(&fuzz_ide.ram[n], 0, 0);
    machine_settle(&fuzz_ide.m);
    fuzz_require(!device_busy(fuzz_ide.m.env.devices), "everything comes to an end");
}

static void unmake(void)
{
    quiet();
    machine_fini(&fuzz_ide.m);
    for (unsigned n = 0; n < 3; n++)
        block_ram_fini(&fuzz_ide.ram[n]);
    block_ram_fini(&fuzz_ide.spare);
}

static void prepare(void)
{
    struct pci_bus *bus;

    if (fuzz_ide.made && fuzz_ide.worn)
        unmake();
    if (!fuzz_ide.made || fuzz_ide.worn)
        make();
    quiet();
    device_reset_all(fuzz_ide.m.env.devices);
    for (unsigned n = 0; n < 2; n++)
        memcpy(fuzz_ide.ram[n].data, pristine, sizeof(pristine));
    memset(fuzz_ide.allowed, 0, sizeof(fuzz_ide.allowed));
    memset(fuzz_ide.m.ram + FUZZ_PRDT, MACHINE_POISON, 0x40000);
    fuzz_ide.tampered = fuzz_ide.trimmed = false;
    bus = fuzz_ide.m.env.pci;
    pci_config_write(bus, PCI_DEVFN(1, 1), PCI_BASE_ADDRESS_0 + 16, 4, FUZZ_BM);
    pci_config_write(bus, PCI_DEVFN(1, 1), PCI_COMMAND, 2, PCI_COMMAND_IO | PCI_COMMAND_MASTER);
}

/* `whole`: every field, which is too slow for each operation. */
static void check_all(bool whole)
{
    for (unsigned i = 0; i < 2; i++) {
        struct ide_channel *ch = &fuzz_ide.ide->channel[i];
        const struct ide_drive *d = &ch->drive[ch->s->selected];
        bool level = ide_present(d) && d->s->intrq && !(ch->s->control & CTL_NIEN);

        fuzz_require(fuzz_ide.m.isa[14 + i] == level, "INTRQ is a function of the state");
        fuzz_require(!state_check(&ide_channel_desc, ch->s), "the channel would be accepted");
        for (unsigned k = 0; k < 2; k++) {
            const struct ide_drive_state *s = ch->drive[k].s;

            fuzz_require(s->pos <= IDE_BUFFER && s->end <= IDE_BUFFER && s->fill <= IDE_BUFFER,
                         "indexes stay in the buffer");
            if (whole)
                fuzz_require(!state_check(&ide_drive_desc, s), "the drive would be accepted");
            if (!ide_present(&ch->drive[k]) || fuzz_ide.tampered)
                continue;
            if (!ata_phase_possible(&ch->drive[k]))
                state_dump(&ide_drive_desc, s, "  ", stderr);
            fuzz_require(ata_phase_possible(&ch->drive[k]), "the phase fits its command");
        }
    }
}

/* ---- operations ------------------------------------------------------------------------------ */

static void tamper(struct fuzz_input *in)
{
    unsigned unit = fuzz_u8(in) % 3;
    struct ide_drive_state *s = fuzz_ide.ide->channel[unit / 2].drive[unit % 2].s;
    const struct state_field *f = &ide_drive_desc.fields[fuzz_u8(in) % ide_drive_desc.nfields];
    uint32_t element = fuzz_u32(in) % f->count;
    uint64_t before = state_get(f, s, element), value = fuzz_u32(in);

    if (f->type == STATE_BOOL)
        value &= 1;
    if (f->type == STATE_U64 && fuzz_u8(in) & 1)
        value |= (uint64_t)fuzz_u32(in) << 32;
    state_set(f, s, element, value);
    if (state_check(&ide_drive_desc, s))
        state_set(f, s, element, before);
    if (s->unplugged)
        fuzz_ide.worn = true;
    fuzz_ide.tampered = true;
    device_loaded_all(fuzz_ide.m.env.devices);
}

static void host_event(struct fuzz_input *in)
{
    struct block_ram *ram = &fuzz_ide.ram[fuzz_u8(in) % 3];
    static const int errors[] = {-EIO, -ENOSPC, -EFBIG, -EROFS};

    switch (fuzz_u8(in) % 6) {
    case 0:
        ram->hold = !ram->hold;
        break;
    case 1:
    case 2:
        if (ram->nheld)
            block_ram_release(ram, fuzz_u8(in) % ram->nheld, fuzz_u8(in) & 1 ? -EIO : 0);
        break;
    case 3:
        ram->fault = fuzz_u8(in) & 1 ? errors[fuzz_u8(in) & 3] : 0;
        ram->fault_op = fuzz_u8(in) & 1 ? BLOCK_READ : BLOCK_WRITE;
        ram->fault_offset = (uint64_t)fuzz_u8(in) * 512;
        ram->fault_bytes = 512;
        break;
    case 4:
        if (fuzz_u8(in) == 0x11) {
            (void)ide_unplug(fuzz_ide.ide, fuzz_u8(in));
            fuzz_ide.worn = true;
        }
        break;
    default:
        fuzz_ide.m.hole_gfn = 0x20 + fuzz_u8(in) % 16;
        fuzz_ide.m.hole_frames = fuzz_u8(in) & 1;
        guestmem_invalidate(fuzz_ide.m.env.mem);
    }
}

static void one_op(struct fuzz_input *in, uint8_t op)
{
    static const uint16_t bases[] = {0x1f0, 0x170, FUZZ_BM, FUZZ_BM + 8};
    unsigned base, size = 1u << (op >> 4) % 3;

    switch (op % 12) {
    case 0:
    case 1:
        base = bases[fuzz_u8(in) & 3];
        fuzz_ide_out(base + (fuzz_u8(in) & 7), size, fuzz_u32(in));
        break;
    case 2:
        base = bases[fuzz_u8(in) & 3];
        (void)fuzz_ide_in(base + (fuzz_u8(in) & 7), size);
        break;
    case 3:
        fuzz_ide_string_in(fuzz_u8(in) & 1 ? 0x170 : 0x1f0, size, fuzz_u32(in) % 5000);
        break;
    case 4:
        fuzz_ide_string_out(fuzz_u8(in) & 1 ? 0x170 : 0x1f0, size, fuzz_u32(in) % 5000,
                            fuzz_u8(in));
        break;
    case 5:
        fuzz_ide_out(fuzz_u8(in) & 1 ? 0x376 : 0x3f6, 1, fuzz_u8(in));
        break;
    case 6:
        fuzz_ide_prd(in);
        break;
    case 7:
        loop_turn(fuzz_ide.m.env.loop, 0);
        break;
    case 8:
        host_event(in);
        break;
    case 9:
        pci_config_write(fuzz_ide.m.env.pci, PCI_DEVFN(1, 1), PCI_COMMAND, 2,
                         PCI_COMMAND_IO | (fuzz_u8(in) & PCI_COMMAND_MASTER));
        break;
    case 10:
        if (op >> 4 == 0)
            device_reset_all(fuzz_ide.m.env.devices);
        else if (op >> 4 == 1)
            tamper(in);
        else if (op >> 4 == 2)
            device_loaded_all(fuzz_ide.m.env.devices);
        break;
    default:
        fuzz_ide.m.ram[FUZZ_PRDT + fuzz_u8(in)] = harmless(fuzz_u8(in));
    }
}

void fuzz_ide_run(const uint8_t *data, size_t size, uint8_t own,
                  void (*own_op)(struct fuzz_input *in))
{
    struct fuzz_input in = {data, size};

    prepare();
    for (unsigned i = 0; i < OPS_MAX && in.left; i++) {
        uint8_t op = fuzz_u8(&in);

        if (op < own)
            own_op(&in);
        else
            one_op(&in, op);
        check_all(false);
    }
    quiet();
    check_all(true);
    check_images();
    look_for_poison(fuzz_ide.m.ram + 0x20000, 0x30000);
}
