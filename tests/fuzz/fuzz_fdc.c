/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A floppy controller with its DMA channel: whole commands, by DMA and by programmed I/O, between
 * raw accesses; disks that are changed, storage that is slow or fails.
 *
 * After each operation: the FIFO's and the buffer's indexes are where they may be, INT is what the
 * state says, and the write-protected disk is as it was.
 */
#include "hw/floppy/fdc_internal.h"
#include "tests/block/block_ram.h"
#include "tests/fuzz/machine_ops.h"

#include <errno.h>
#include <string.h>

#define A_SECTORS 2880u
#define B_SECTORS 64u /* shorter than the disk that it is taken for */
#define DATA      0x20000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint16_t ports[] = {0x3f0, 0x3f2, 0x3f3, 0x3f4, 0x3f5, 0x3f5, 0x3f5, 0x3f7, 0x04, 0x05,
                                 0x08,  0x0a,  0x0b,  0x0c,  0x0d,  0x0e,  0x0f,  0x81,  0x481};
static const uint8_t opcodes[] = {0x06, 0x46, 0xe6, 0xc6, 0x05, 0x45, 0xc5, 0x65, 0x0c, 0x4c, 0x6c,
                                  0x49, 0x42, 0x56, 0xd6, 0x51, 0xd1, 0x59, 0x5d, 0x4a, 0x4d, 0x07,
                                  0x0f, 0x8f, 0xcf, 0x08, 0x04, 0x03, 0x13, 0x12, 0x14, 0x94, 0x0e,
                                  0x10, 0x18, 0x17, 0x33, 0x8e, 0x2e, 0x4e, 0x00, 0x1f};
static const int errors[] = {-EIO, -ENOSPC, -EROFS, -ENOMEM};

static struct fuzz_machine fm;
static struct fdc *fdc;
static struct block_ram ram[FDC_DRIVES];
static uint8_t pristine[FDC_DRIVES][A_SECTORS * 512];
static bool made;

static void out(uint16_t port, unsigned value)
{
    machine_out(&fm.m, port, 1, value & 0xff);
}

/* Some time, so that what has been begun goes on; much of it ends. */
static void settle(void)
{
    for (unsigned i = 0; i < 600 && timer_armed(&fdc->timer) && fdc->timer.deadline <= fm.m.now;
         i++)
        machine_settle(&fm.m);
    machine_settle(&fm.m);
}

static void channel(struct fuzz_input *in)
{
    static const uint8_t modes[] = {0x46, 0x4a, 0x42, 0x56, 0x5a, 0x66, 0x6a, 0xc6};
    uint32_t bytes = fuzz_u32(in) & 0x7fff;

    out(0x0a, 6);
    out(0x0c, 0);
    out(0x0b, modes[fuzz_u8(in) & 7]);
    out(0x04, fuzz_u8(in));
    out(0x04, fuzz_u8(in));
    out(0x81, DATA >> 16);
    out(0x05, bytes);
    out(0x05, bytes >> 8);
    out(0x0a, fuzz_u8(in) & 15 ? 2 : 6);
}

/* A command that is right but for a byte here and there. */
static void command(struct fuzz_input *in)
{
    uint8_t how = fuzz_u8(in), opcode = opcodes[fuzz_u8(in) % sizeof(opcodes)];
    uint8_t cylinder = fuzz_u8(in) % 82, sector = fuzz_u8(in) % 20;
    uint8_t bytes[9] = {opcode, how & 7, cylinder, how >> 2 & 1, sector, 2, 18, 0x1b, 0xff};

    if (how & 1)
        bytes[1] &= 4; /* drive A rather than one that is not there */
    if (opcode == 0x4d) {
        bytes[2] = 2;
        bytes[3] = sector;
    }
    if (opcode == 0x03)
        bytes[2] = how & 0x10;
    if (how & 0x80)
        bytes[1 + fuzz_u8(in) % 8] = fuzz_u8(in);
    for (unsigned i = 0; i < sizeof(bytes); i++) {
        if (fdc->s->phase != PHASE_COMMAND)
            break;
        out(0x3f5, bytes[i]);
        if (fdc->s->fifo_end == 0)
            break;
    }
    if (how & 0x20)
        machine_advance(&fm.m, 25u * 1000 * 1000);
}

static void change(unsigned n)
{
    ram[n].hold = false;
    while (ram[n].nheld)
        block_ram_release(&ram[n], 0, 0);
    if (fdc->drive[n].block) {
        (void)fdc_change_medium(fdc, n, NULL);
        machine_settle(&fm.m);
        return;
    }
    /* The same image again, as it was. */
    block_ram_fini(&ram[n]);
    memset(&ram[n], 0, sizeof(ram[n]));
    struct block *block;
    fuzz_require(block_ram_create(&ram[n], &block, (n ? B_SECTORS : A_SECTORS) * 512ull, n == 1,
                                  fm.m.env.workers) == 0,
                 "memory");
    (void)fdc_change_medium(fdc, n, block);
}

static void host_event(struct fuzz_input *in)
{
    unsigned n = fuzz_u8(in) & 1;

    switch (fuzz_u8(in) & 7) {
    case 0:
        ram[n].hold = !ram[n].hold;
        break;
    case 1:
    case 2:
        if (ram[n].nheld)
            block_ram_release(&ram[n], fuzz_u8(in) % ram[n].nheld, fuzz_u8(in) & 1 ? -EIO : 0);
        break;
    case 3:
        ram[n].fault = fuzz_u8(in) & 1 ? errors[fuzz_u8(in) & 3] : 0;
        ram[n].fault_op = (enum block_op)(fuzz_u8(in) % 3);
        ram[n].fault_offset = 0;
        ram[n].fault_bytes = fuzz_u32(in) & 0xfffff;
        break;
    case 4:
        change(n);
        break;
    case 5:
        ram[n].blocks = !ram[n].blocks;
        break;
    default:
        fm.m.hole_gfn = DATA >> 12;
        fm.m.hole_frames = fuzz_u8(in) & 3;
        guestmem_invalidate(fm.m.env.mem);
    }
}

static void own_op(struct fuzz_input *in)
{
    switch (fuzz_u8(in) & 7) {
    case 0:
    case 1:
    case 2:
        command(in);
        break;
    case 3:
        channel(in);
        break;
    case 4:
        for (unsigned i = fuzz_u8(in) * 4u; i > 0; i--)
            (void)machine_in(&fm.m, 0x3f5, 1);
        break;
    case 5:
        for (unsigned i = fuzz_u8(in) * 4u, value = fuzz_u8(in); i > 0; i--)
            out(0x3f5, value);
        break;
    case 6:
        out(0x3f2, 0x08);
        out(0x3f2, 0x0c | (fuzz_u8(in) & 3));
        out(0x3f7, fuzz_u8(in) & 1 ? RATE_500K : RATE_250K);
        break;
    default:
        host_event(in);
    }
}

static void check(bool tampered)
{
    const struct fdc_state *s = fdc->s;
    bool on = (s->dor & 0x0c) == 0x0c;

    settle();
    fuzz_require(s->fifo_pos <= s->fifo_end && s->fifo_end <= FDC_FIFO, "the FIFO's index");
    fuzz_require(s->pos <= s->end && s->end <= FDC_SECTOR, "the buffer's index");
    fuzz_require(fm.m.isa[6] == ((s->dor & 0x0c) == 0x0c && (s->int_sense || s->int_result ||
                                                             (fdc_host_moves_data(s) && !s->dma))),
                 "INT is a function of the state");
    fuzz_require(!(on && s->phase != PHASE_COMMAND && s->phase != PHASE_RESULT) ||
                     s->deadline != TIMER_NEVER || fdc->in_flight || tampered,
                 "a command comes to an end");
    fuzz_require(ram[1].writes == 0, "a protected disk is not written");
}

static void create(void)
{
    struct fdc_config config = {0};

    machine_init(&fm.m);
    fuzz_require(i8237_create(&config.dma, &fm.m.env) == 0, "the DMA controller can be made");
    for (unsigned n = 0; n < FDC_DRIVES; n++) {
        config.drive[n].present = true;
        fuzz_require(block_ram_create(&ram[n], &config.drive[n].block,
                                      (n ? B_SECTORS : A_SECTORS) * 512ull, n == 1,
                                      fm.m.env.workers) == 0,
                     "memory");
        memcpy(pristine[n], ram[n].data, ram[n].size);
    }
    fuzz_require(fdc_create(&fdc, &fm.m.env, &config) == 0, "the controller can be made");
    fm.ports = ports;
    fm.port_count = sizeof(ports) / sizeof(ports[0]);
    fm.own_op = own_op;
    fm.check = check;
    fuzz_machine_start(&fm);
    made = true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!made)
        create();
    /* The same beginning for each input. */
    fm.m.now = 1000000000;
    fm.m.hole_frames = 0;
    guestmem_invalidate(fm.m.env.mem);
    for (unsigned n = 0; n < FDC_DRIVES; n++) {
        ram[n].hold = ram[n].blocks = false;
        ram[n].fault = 0;
        while (ram[n].nheld)
            block_ram_release(&ram[n], 0, 0);
        machine_settle(&fm.m);
        if (!fdc->drive[n].block)
            change(n);
        memcpy(ram[n].data, pristine[n], ram[n].size);
    }
    fuzz_machine_run(&fm, data, size);
    fuzz_require(memcmp(ram[1].data, pristine[1], ram[1].size) == 0 || !ram[1].size,
                 "a protected disk is as it was");
    return 0;
}
