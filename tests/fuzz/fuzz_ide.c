/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ATA disks and the bus master: whole commands by PIO and DMA between the raw accesses of ide_ops.
 */
#include "tests/fuzz/ide_ops.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t commands[] = {
    0x20, 0x21, 0x24, 0x25, 0x29, 0x30, 0x31, 0x34, 0x35, 0x39, 0x40, 0x42,
    0xc4, 0xc5, 0xc6, 0xc8, 0xca, 0xec, 0xef, 0xb0, 0xe7, 0xea, 0x06, 0x27,
    0xf8, 0x91, 0x10, 0x70, 0x90, 0xe5, 0xa1, 0x00, 0x37, 0xf9, 0xe0, 0xe3,
};

/* Select, address, count, command: most of it valid. */
static void command(struct fuzz_input *in)
{
    uint8_t n = fuzz_u8(in), how = fuzz_u8(in), count = fuzz_u8(in);
    uint32_t lba = how & 1 ? fuzz_u32(in) : (uint32_t)fuzz_u8(in) * 3;

    fuzz_ide_out(0x1f6, 1, (how & 2 ? 0xb0 : 0xa0) | (how & 4 ? 0 : 0x40) | (lba >> 24 & 15));
    if (how & 8) {
        fuzz_ide_out(0x1f2, 1, how & 16 ? fuzz_u8(in) : 0);
        fuzz_ide_out(0x1f3, 1, how & 32 ? fuzz_u8(in) : 0);
        fuzz_ide_out(0x1f4, 1, 0);
        fuzz_ide_out(0x1f5, 1, 0);
    }
    fuzz_ide_out(0x1f1, 1, how & 64 ? fuzz_u8(in) : 1);
    fuzz_ide_out(0x1f2, 1, how & 128 ? count : count & 15);
    fuzz_ide_out(0x1f3, 1, lba & 0xff);
    fuzz_ide_out(0x1f4, 1, lba >> 8 & 0xff);
    fuzz_ide_out(0x1f5, 1, lba >> 16 & 0xff);
    fuzz_ide_out(0x1f7, 1, commands[n % sizeof(commands)]);
}

static void start_dma(struct fuzz_input *in)
{
    fuzz_ide_prd(in);
    fuzz_ide_out(FUZZ_BM + 4, 4, FUZZ_PRDT);
    fuzz_ide_out(FUZZ_BM, 1, 0);
    fuzz_ide_out(FUZZ_BM, 1, BM_START | (fuzz_u8(in) & BM_DIRECTION));
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
        start_dma(in);
        break;
    case 4:
        loop_turn(fuzz_ide.m.env.loop, 0);
        fuzz_ide_string_in(0x1f0, 2, 256);
        break;
    case 5:
        loop_turn(fuzz_ide.m.env.loop, 0);
        fuzz_ide_string_out(0x1f0, 4, 128, fuzz_u8(in));
        break;
    case 6:
        loop_turn(fuzz_ide.m.env.loop, 0);
        (void)fuzz_ide_in(0x1f7, 1);
        break;
    default:
        fuzz_ide_out(FUZZ_BM, 1, 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_ide_run(data, size, 0xb0, own_op);
    return 0;
}
