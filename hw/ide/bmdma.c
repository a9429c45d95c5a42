/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bus master of the PIIX3 IDE function: one engine a channel.
 *
 * 82371FB/82371SB data sheet, "bus master IDE registers"; SFF-8038i. Start alone moves nothing,
 * nor does a command alone: data moves when both are there, in either order.
 *
 *     idle ──start──▶ ACTIVE ──last byte of the command, table used up──▶ idle, INT
 *                       ├──── last byte of the command, table longer ──▶ ACTIVE, INT
 *                       ├──── table used up, command wants more ───────▶ idle, no INT
 *                       └──── table or memory missing ─────────────────▶ idle, ERROR
 *
 * Left out on purpose: the simplex bit (both channels always work at once), the transfer rate (the
 * timing registers are storage), and the direction bit, which is kept but not obeyed: the command
 * knows which way its data goes.
 */
#include "hw/ide/ide_internal.h"

#include <errno.h>

/* A table may not cross 64 KiB: this many entries at most. */
#define PRD_MAX 8192u

/* From so many pieces on a transfer ends at the next sector, while there is room for its rest:
 * a sector takes 256 pieces at most. */
#define PIECES_ENOUGH (BLOCK_MAX_IOV - 384u)

bool bmdma_ready(const struct ide_channel *ch)
{
    return (ch->s->bm_command & BM_START) && (ch->s->bm_status & BM_ACTIVE) &&
           pci_bus_master(&ch->ide->pci);
}

void bmdma_walk_load(const struct ide_channel *ch, struct bm_walk *walk)
{
    const struct ide_channel_state *s = ch->s;

    *walk = (struct bm_walk){
        .next = s->prd_next,
        .base = s->prd_base,
        .left = s->prd_left,
        .count = s->prd_count,
        .eot = s->prd_eot,
    };
}

void bmdma_walk_store(struct ide_channel *ch, const struct bm_walk *walk)
{
    struct ide_channel_state *s = ch->s;

    s->prd_next = walk->next;
    s->prd_base = walk->base;
    s->prd_left = walk->left;
    s->prd_count = walk->count;
    s->prd_eot = walk->eot;
}

/* 0; -ENODATA at the end of the table; -EFAULT when it is not in memory. */
static int fetch_prd(struct ide_channel *ch, struct bm_walk *walk)
{
    uint8_t prd[8];

    if (walk->eot || walk->count == PRD_MAX)
        return -ENODATA;
    if (guestmem_read(ch->ide->env.mem, walk->next, prd, sizeof(prd)) < 0)
        return -EFAULT;
    walk->next += (uint32_t)sizeof(prd);
    walk->count++;
    walk->base =
        (uint32_t)prd[3] << 24 | (uint32_t)prd[2] << 16 | (uint32_t)prd[1] << 8 | (prd[0] & 0xfeu);
    walk->left = (uint32_t)prd[5] << 8 | (prd[4] & 0xfeu);
    if (!walk->left)
        walk->left = 65536;
    walk->eot = prd[7] & 0x80;
    return 0;
}

int bmdma_gather(struct ide_channel *ch, struct bm_walk *walk, struct guest_sg *sg, size_t want)
{
    while (sg->bytes < want) {
        size_t n = want - sg->bytes;
        int rc;

        if (!walk->left) {
            rc = fetch_prd(ch, walk);
            if (rc == -ENODATA)
                return 0;
            if (rc < 0)
                return rc;
        }
        if (n > walk->left)
            n = walk->left;
        if (sg->niov >= PIECES_ENOUGH) {
            size_t rest = IDE_SECTOR - sg->bytes % IDE_SECTOR;

            if (rest == IDE_SECTOR)
                return 0;
            if (n > rest)
                n = rest;
        }
        /* The bus has 32 address lines. */
        if (n > (1ull << 32) - walk->base)
            n = (size_t)((1ull << 32) - walk->base);
        rc = guest_sg_add(sg, walk->base, n);
        if (rc < 0)
            return rc == -EFAULT ? rc : 0;
        walk->base += (uint32_t)n;
        walk->left -= (uint32_t)n;
    }
    return 0;
}

void bmdma_complete(struct ide_channel *ch)
{
    /* The interrupt, and with it BM_INT, comes from the device. */
    if (!ch->s->prd_left && ch->s->prd_eot)
        ch->s->bm_status &= (uint8_t)~BM_ACTIVE;
}

void bmdma_stopped(struct ide_channel *ch, bool error)
{
    ch->s->bm_status &= (uint8_t)~BM_ACTIVE;
    if (error)
        ch->s->bm_status |= BM_ERROR;
}

static void write_command(struct ide_channel *ch, uint8_t value)
{
    struct ide_channel_state *s = ch->s;
    uint8_t before = s->bm_command;

    s->bm_command = value & (BM_START | BM_DIRECTION);
    if (!(value & BM_START)) {
        if (s->bm_status & BM_ACTIVE) {
            s->bm_status &= (uint8_t)~BM_ACTIVE;
            /*
             * Guest memory belongs to the guest again at once: a read that is still under way
             * lands nowhere. The command stays as far as it got, and waits for another start.
             */
            for (unsigned i = 0; i < 2; i++) {
                struct ide_drive *d = &ch->drive[i];

                if (d->in_flight && (d->s->phase == PHASE_DMA_IN || d->s->phase == PHASE_DMA_OUT)) {
                    d->generation++;
                    block_cancel(&d->req);
                }
            }
        }
        return;
    }
    if (before & BM_START)
        return;
    bmdma_walk_store(ch, &(struct bm_walk){.next = s->bm_prdt});
    s->bm_status |= BM_ACTIVE;
    ide_kick(ide_selected(ch));
}

static uint8_t read_byte(const struct ide_channel *ch, unsigned reg)
{
    const struct ide_channel_state *s = ch->s;

    switch (reg) {
    case 0:
        return s->bm_command;
    case 2:
        return s->bm_status;
    case 4:
    case 5:
    case 6:
    case 7:
        return (uint8_t)(s->bm_prdt >> 8 * (reg - 4));
    default:
        return 0xff;
    }
}

static void write_byte(struct ide_channel *ch, unsigned reg, uint8_t value)
{
    struct ide_channel_state *s = ch->s;

    switch (reg) {
    case 0:
        write_command(ch, value);
        break;
    case 2:
        s->bm_status = (uint8_t)((value & BM_CAPABLE) | (s->bm_status & BM_ACTIVE) |
                                 (s->bm_status & ~value & (BM_ERROR | BM_INT)));
        break;
    case 4:
    case 5:
    case 6:
    case 7: {
        unsigned shift = 8 * (reg - 4);

        s->bm_prdt = ((s->bm_prdt & ~(0xffu << shift)) | (uint32_t)value << shift) & ~3u;
        break;
    }
    default:
        break;
    }
}

static uint64_t bmdma_read(void *dev, uint64_t offset, unsigned size)
{
    struct ide *ide = dev;
    uint64_t value = 0;

    for (unsigned i = 0; i < size; i++) {
        unsigned at = (unsigned)offset + i;

        value |= (uint64_t)read_byte(&ide->channel[at >> 3 & 1], at & 7) << 8 * i;
    }
    return value;
}

static void bmdma_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
    struct ide *ide = dev;

    for (unsigned i = 0; i < size; i++) {
        unsigned at = (unsigned)offset + i;

        write_byte(&ide->channel[at >> 3 & 1], at & 7, (uint8_t)(value >> 8 * i));
    }
}

const struct io_ops ide_bmdma_ops = {
    .read = bmdma_read,
    .write = bmdma_write,
    .sizes = 1 | 2 | 4,
};
