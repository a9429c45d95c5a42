/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/hw/floppy/rig.h"

#include <stdlib.h>
#include <string.h>

#define FLOPPY_1440K (2880u * 512)
#define FLOPPY_720K  (1440u * 512)

uint8_t in(struct rig *r, unsigned port)
{
    return (uint8_t)machine_in(&r->m, (uint16_t)port, 1);
}

void out(struct rig *r, unsigned port, unsigned value)
{
    machine_out(&r->m, (uint16_t)port, 1, value & 0xff);
}

uint8_t msr(struct rig *r)
{
    return in(r, 0x3f4);
}

bool irq(struct rig *r)
{
    return r->m.isa[6];
}

void rig_make(struct rig *r, uint64_t size_a, uint64_t size_b)
{
    struct fdc_config config = {.drive = {{.present = true}, {.present = size_b != 0}}};

    machine_init(&r->m);
    assert_int_equal(i8237_create(&r->dma, &r->m.env), 0);
    config.dma = r->dma;
    for (unsigned n = 0; n < 2; n++) {
        uint64_t size = n ? size_b : size_a;

        if (size)
            assert_int_equal(
                block_ram_create(&r->ram[n], &r->block[n], size, n == 1, r->m.env.workers), 0);
        config.drive[n].block = r->block[n];
    }
    assert_int_equal(fdc_create(&r->fdc, &r->m.env, &config), 0);
    machine_start(&r->m);
    out(r, 0x3f2, 0x1c);
    machine_advance(&r->m, MS);
    for (unsigned i = 0; i < 4; i++)
        rig_sense(r);
    out(r, 0x3f7, 0);
    COMMAND(r, 0x03, 0xdf, 0x02);
    rig_seek(r, 0, 1);
    rig_seek(r, 0, 0);
}

int rig_setup(void **state)
{
    struct rig *r = calloc(1, sizeof(*r));

    if (!r)
        return -1;
    rig_make(r, FLOPPY_1440K, FLOPPY_720K);
    *state = r;
    return 0;
}

int rig_teardown(void **state)
{
    struct rig *r = *state;

    for (unsigned n = 0; n < 3; n++) {
        r->ram[n].hold = false;
        while (r->ram[n].nheld)
            block_ram_release(&r->ram[n], 0, 0);
    }
    machine_fini(&r->m);
    for (unsigned n = 0; n < 3; n++)
        block_ram_fini(&r->ram[n]);
    free(r);
    return 0;
}

void rig_settle(struct rig *r)
{
    machine_advance(&r->m, 50 * MS);
    for (unsigned i = 0; i < 200; i++)
        machine_settle(&r->m);
}

void rig_command(struct rig *r, unsigned bytes, const uint8_t *command)
{
    for (unsigned i = 0; i < bytes; i++) {
        assert_int_equal(msr(r) & (MSR_RQM | MSR_DIO), MSR_RQM);
        assert_int_equal(!!(msr(r) & MSR_CB), i > 0);
        out(r, 0x3f5, command[i]);
    }
}

unsigned rig_result(struct rig *r)
{
    unsigned n = 0;

    rig_settle(r);
    while ((msr(r) & (MSR_RQM | MSR_DIO | MSR_NDMA)) == (MSR_RQM | MSR_DIO)) {
        uint8_t byte = in(r, 0x3f5);

        assert_true(n < sizeof(r->result));
        r->result[n++] = byte;
    }
    assert_int_equal(msr(r) & (MSR_RQM | MSR_DIO | MSR_CB), MSR_RQM);
    return n;
}

void rig_expect(struct rig *r, uint8_t st0, uint8_t st1, uint8_t st2, uint8_t c, uint8_t h,
                uint8_t sector)
{
    const uint8_t expected[7] = {st0, st1, st2, c, h, sector, 2};

    rig_settle(r);
    assert_true(irq(r));
    assert_int_equal(rig_result(r), 7);
    assert_memory_equal(r->result, expected, 7);
    assert_false(irq(r));
}

void rig_dma(struct rig *r, uint8_t mode, uint32_t bytes)
{
    out(r, 0x0a, 6);
    out(r, 0x0c, 0);
    out(r, 0x04, RIG_DATA & 0xff);
    out(r, 0x04, RIG_DATA >> 8 & 0xff);
    out(r, 0x05, bytes - 1);
    out(r, 0x05, (bytes - 1) >> 8);
    out(r, 0x81, RIG_DATA >> 16);
    out(r, 0x0b, mode);
    out(r, 0x0a, 2);
}

unsigned rig_sense(struct rig *r)
{
    unsigned n;

    COMMAND(r, 0x08);
    n = 0;
    while (msr(r) & MSR_DIO)
        r->result[n++ & 15] = in(r, 0x3f5);
    if (n == 1)
        return r->result[0] << 8;
    assert_int_equal(n, 2);
    return r->result[0] << 8 | r->result[1];
}

void rig_seek(struct rig *r, unsigned drive, unsigned cylinder)
{
    COMMAND(r, 0x0f, (uint8_t)drive, (uint8_t)cylinder);
    machine_advance(&r->m, 20 * MS);
    assert_int_equal(rig_sense(r), (0x20 | drive) << 8 | cylinder);
}

void rig_holds(struct rig *r, unsigned disk, uint64_t offset, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (r->m.ram[RIG_DATA + i] != r->ram[disk].data[offset + i])
            fail_msg("byte %zu from offset %llu", i, (unsigned long long)offset);
}

void programmed_io(struct rig *r)
{
    COMMAND(r, 0x03, 0xdf, 0x03);
}

bool wants_byte(struct rig *r, uint8_t direction)
{
    for (unsigned i = 0; i < 50; i++) {
        uint8_t status = msr(r);

        if ((status & MSR_RQM) && (status & MSR_NDMA))
            return (status & MSR_DIO) == direction;
        if (status & MSR_RQM)
            return false;
        machine_settle(&r->m);
    }
    return false;
}
