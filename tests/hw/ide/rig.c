/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/hw/ide/rig.h"

#include <stdlib.h>
#include <string.h>

static void ejected(void *opaque, unsigned unit)
{
    ((struct rig *)opaque)->ejected |= 1u << unit;
}

int rig_setup(void **state)
{
    struct rig *r = calloc(1, sizeof(*r));
    struct ide_config config = {.devfn = PCI_DEVFN(1, 1), .cd_ejected = ejected, .opaque = r};

    if (!r)
        return -1;
    machine_init_pci(&r->m);
    for (unsigned n = 0; n < 3; n++) {
        bool cd = n == 2;

        if (block_ram_create(&r->ram[n], &r->block[n],
                             cd ? RIG_CD_BLOCKS * 2048 : RIG_DISK_SECTORS * 512, cd,
                             r->m.env.workers))
            return -1;
        config.unit[n].kind = cd ? IDE_CDROM : IDE_DISK;
        config.unit[n].block = r->block[n];
    }
    if (ide_create(&r->ide, &r->m.env, &config))
        return -1;
    machine_start(&r->m);
    pci_config_write(r->m.env.pci, PCI_DEVFN(1, 1), PCI_BASE_ADDRESS_0 + 16, 4, RIG_BM);
    pci_config_write(r->m.env.pci, PCI_DEVFN(1, 1), PCI_COMMAND, 2,
                     PCI_COMMAND_IO | PCI_COMMAND_MASTER);
    rig_select(r, 0);
    *state = r;
    return 0;
}

int rig_teardown(void **state)
{
    struct rig *r = *state;

    for (unsigned n = 0; n < 4; n++)
        r->ram[n].hold = false;
    for (unsigned n = 0; n < 4; n++)
        while (r->ram[n].nheld)
            block_ram_release(&r->ram[n], 0, 0);
    machine_fini(&r->m);
    for (unsigned n = 0; n < 4; n++)
        block_ram_fini(&r->ram[n]);
    free(r);
    return 0;
}

void rig_settle(struct rig *r)
{
    machine_settle(&r->m);
}

void rig_select(struct rig *r, unsigned unit)
{
    r->base = unit < 2 ? 0x1f0 : 0x170;
    r->control = unit < 2 ? 0x3f6 : 0x376;
    r->irq = unit < 2 ? 14 : 15;
    r->bm = RIG_BM + (unit < 2 ? 0 : 8);
    machine_out(&r->m, (uint16_t)(r->base + 6), 1, 0xe0 | (unit & 1) << 4);
}

uint8_t rig_status(struct rig *r)
{
    return (uint8_t)machine_in(&r->m, (uint16_t)r->control, 1);
}

uint8_t rig_error(struct rig *r)
{
    return (uint8_t)machine_in(&r->m, (uint16_t)(r->base + 1), 1);
}

void rig_issue28(struct rig *r, uint8_t command, uint32_t lba, unsigned count)
{
    unsigned device = (unsigned)machine_in(&r->m, (uint16_t)(r->base + 6), 1);

    out(r, 2, count);
    out(r, 3, lba);
    out(r, 4, lba >> 8);
    out(r, 5, lba >> 16);
    out(r, 6, (device & 0xf0) | (lba >> 24 & 0xf));
    out(r, 7, command);
}

void rig_issue48(struct rig *r, uint8_t command, uint64_t lba, unsigned count)
{
    out(r, 2, count >> 8);
    out(r, 3, (unsigned)(lba >> 24));
    out(r, 4, (unsigned)(lba >> 32));
    out(r, 5, (unsigned)(lba >> 40));
    out(r, 2, count);
    out(r, 3, (unsigned)lba);
    out(r, 4, (unsigned)(lba >> 8));
    out(r, 5, (unsigned)(lba >> 16));
    out(r, 7, command);
}

uint8_t rig_simple(struct rig *r, uint8_t command, uint8_t features, uint8_t count)
{
    out(r, 1, features);
    out(r, 2, count);
    out(r, 7, command);
    rig_settle(r);
    return (uint8_t)machine_in(&r->m, (uint16_t)(r->base + 7), 1);
}

void rig_insw(struct rig *r, void *buf, size_t bytes)
{
    io_read_string(r->m.env.io, IO_PORT, r->base, 2, 0, buf, bytes / 2);
}

void rig_outsw(struct rig *r, const void *buf, size_t bytes)
{
    io_write_string(r->m.env.io, IO_PORT, r->base, 2, 0, buf, bytes / 2);
}

void rig_prd(struct rig *r, unsigned n, uint32_t base, uint32_t bytes, bool eot)
{
    uint8_t *p = r->m.ram + RIG_PRDT + 8 * n;

    put_le32(p, base);
    put_le16(p + 4, bytes & 0xffff);
    put_le16(p + 6, eot ? 0x8000 : 0);
}

void rig_bm_start(struct rig *r, bool to_memory)
{
    machine_out(&r->m, (uint16_t)(r->bm + 4), 4, RIG_PRDT);
    machine_out(&r->m, (uint16_t)(r->bm + 2), 1, BM_INT | BM_ERROR);
    machine_out(&r->m, (uint16_t)r->bm, 1, to_memory ? BM_DIRECTION : 0);
    machine_out(&r->m, (uint16_t)r->bm, 1, (to_memory ? BM_DIRECTION : 0) | BM_START);
}

void rig_bm_stop(struct rig *r)
{
    machine_out(&r->m, (uint16_t)r->bm, 1, 0);
}

uint8_t rig_bm_status(struct rig *r)
{
    return (uint8_t)machine_in(&r->m, (uint16_t)(r->bm + 2), 1);
}

uint8_t rig_packet(struct rig *r, const uint8_t packet[12], unsigned limit, void *buf, size_t size,
                   size_t *got)
{
    uint8_t *at = buf;
    size_t n = 0;

    out(r, 1, 0);
    out(r, 4, limit);
    out(r, 5, limit >> 8);
    out(r, 7, 0xa0);
    rig_outsw(r, packet, 12);
    rig_settle(r);
    while (rig_status(r) & ATA_DRQ) {
        unsigned burst = (unsigned)(machine_in(&r->m, (uint16_t)(r->base + 4), 1) |
                                    machine_in(&r->m, (uint16_t)(r->base + 5), 1) << 8);
        unsigned words = (burst + 1) / 2;

        machine_in(&r->m, (uint16_t)(r->base + 7), 1);
        for (unsigned i = 0; i < words; i++) {
            uint16_t w = (uint16_t)machine_in(&r->m, (uint16_t)r->base, 2);

            if (n < size)
                at[n] = (uint8_t)w;
            if (n + 1 < size && 2 * i + 1 < burst)
                at[n + 1] = (uint8_t)(w >> 8);
            n += 2 * i + 1 < burst ? 2 : 1;
        }
        rig_settle(r);
    }
    if (got)
        *got = n;
    return (uint8_t)machine_in(&r->m, (uint16_t)(r->base + 7), 1);
}

uint32_t rig_sense(struct rig *r)
{
    static const uint8_t request[12] = {0x03, 0, 0, 0, 18};
    uint8_t sense[18] = {0};

    rig_packet(r, request, 18, sense, sizeof(sense), NULL);
    return (uint32_t)sense[2] << 16 | (uint32_t)sense[12] << 8 | sense[13];
}

bool rig_irq(struct rig *r)
{
    return r->m.isa[r->irq];
}
