/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A CD-ROM drive: packets by PIO and DMA, media events, between the raw accesses of ide_ops. */
#include "tests/fuzz/ide_ops.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t opcodes[] = {0x00, 0x03, 0x12, 0x1b, 0x1e, 0x25, 0x28, 0x2b, 0x35,
                                  0x42, 0x43, 0x46, 0x4a, 0x51, 0x52, 0x5a, 0xa8, 0xad,
                                  0xb9, 0xbb, 0xbd, 0xbe, 0x28, 0xbe, 0x55, 0xa4};
static const uint16_t limits[] = {0, 1, 2, 18, 511, 2047, 2048, 2352, 4096, 0xfffe, 0xffff};

static void packet(struct fuzz_input *in)
{
    uint8_t cdb[12] = {0}, n = fuzz_u8(in), how = fuzz_u8(in);
    uint16_t limit = limits[fuzz_u8(in) % (sizeof(limits) / sizeof(limits[0]))];

    cdb[0] = opcodes[n % sizeof(opcodes)];
    for (unsigned i = 1; i < 12; i++)
        if (!(how & 1))
            cdb[i] = fuzz_u8(in);
    if (cdb[0] == 0x28 || cdb[0] == 0xbe) {
        /* Mostly on the disc. */
        cdb[2] = how & 2 ? 0xff : 0;
        cdb[3] = how & 2 ? 0xff : 0;
        cdb[4] = how & 2 ? 0xff : 0;
        cdb[5] = fuzz_u8(in) % (FUZZ_CD_BLOCKS + 1);
        cdb[7] = cdb[0] == 0xbe && how & 4 ? 1 : 0;
        cdb[8] = fuzz_u8(in) & 15;
        cdb[6] = how & 8 ? cdb[6] : 0;
        cdb[9] = how & 16 ? 0xf8 : 0x10;
    }
    fuzz_ide_out(0x176, 1, 0xa0);
    fuzz_ide_out(0x171, 1, how >> 5 & 1);
    fuzz_ide_out(0x174, 1, limit & 0xff);
    fuzz_ide_out(0x175, 1, limit >> 8);
    fuzz_ide_out(0x177, 1, 0xa0);
    io_write_string(fuzz_ide.m.env.io, IO_PORT, 0x170, 2, 0, cdb, 6);
    if (how & 0x40)
        fuzz_ide_string_out(0x170, 2, 100, n); /* past the packet */
    if (how & 0x20) {
        fuzz_ide_prd(in);
        fuzz_ide_out(FUZZ_BM + 12, 4, FUZZ_PRDT);
        fuzz_ide_out(FUZZ_BM + 8, 1, 0);
        fuzz_ide_out(FUZZ_BM + 8, 1, BM_START | BM_DIRECTION);
    }
}

static void data_phase(struct fuzz_input *in)
{
    unsigned bytes;

    loop_turn(fuzz_ide.m.env.loop, 0);
    bytes = fuzz_ide_in(0x174, 1) | fuzz_ide_in(0x175, 1) << 8;
    if (fuzz_ide_in(0x376, 1) & ATA_DRQ)
        fuzz_ide_string_in(0x170, 2, (bytes + 1) / 2 + (fuzz_u8(in) & 1));
}

static void media(struct fuzz_input *in)
{
    struct block *block;

    switch (fuzz_u8(in) & 3) {
    case 0:
        (void)ide_cd_eject(fuzz_ide.ide, 2, fuzz_u8(in) & 1);
        fuzz_ide.worn = true;
        break;
    case 1:
        if (fuzz_ide.spare.data) /* one change of medium an input */
            break;
        if (block_ram_create(&fuzz_ide.spare, &block, (uint64_t)fuzz_u8(in) * 1000, true,
                             fuzz_ide.m.env.workers))
            break;
        (void)ide_cd_insert(fuzz_ide.ide, 2, block);
        fuzz_ide.worn = true;
        break;
    default:
        break;
    }
}

static void own_op(struct fuzz_input *in)
{
    switch (fuzz_u8(in) & 7) {
    case 0:
    case 1:
    case 2:
        packet(in);
        break;
    case 3:
    case 4:
        data_phase(in);
        break;
    case 5:
        media(in);
        break;
    case 6:
        loop_turn(fuzz_ide.m.env.loop, 0);
        (void)fuzz_ide_in(0x177, 1);
        break;
    default:
        fuzz_ide_out(0x177, 1, fuzz_u8(in) & 1 ? 0x08 : 0xa1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_ide_run(data, size, 0xb0, own_op);
    return 0;
}
