/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of this folder share: registers, states, and the verbs between them. */
#ifndef HW_IDE_IDE_INTERNAL_H
#define HW_IDE_IDE_INTERNAL_H

#include "hw/ide/ide.h"

/* Status register (ATA/ATAPI-6, 7.15). */
enum {
    ATA_BSY = 0x80,
    ATA_DRDY = 0x40,
    ATA_DF = 0x20,
    ATA_DSC = 0x10,
    ATA_DRQ = 0x08,
    ATA_ERR = 0x01,
    ATA_READY = ATA_DRDY | ATA_DSC,
};

/* Error register. */
enum { ATA_UNC = 0x40, ATA_IDNF = 0x10, ATA_ABRT = 0x04 };

/* Device register and device control. */
enum { DEV_LBA = 0x40, DEV_DEV = 0x10, DEV_OBSOLETE = 0xa0 };
enum { CTL_HOB = 0x80, CTL_SRST = 0x04, CTL_NIEN = 0x02 };

/* Interrupt reason: the sector count register of a packet device. */
enum { REASON_COD = 1, REASON_IO = 2 };

/* Bus master registers (82371FB data sheet, 2.7). */
enum { BM_START = 0x01, BM_DIRECTION = 0x08 };
enum { BM_ACTIVE = 0x01, BM_ERROR = 0x02, BM_INT = 0x04, BM_CAPABLE = 0x60 };

#define IDE_SECTOR   512u
#define CD_SECTOR    2048u
#define CD_RAW       2352u
#define IDE_BUFFER   16384u /* 32 sectors; 8 blocks of a CD */
#define IDE_MULTIPLE 16u

/* Bytes that one system call moves for a DMA: bounds what a guest can ask of one loop turn. */
#define IDE_DMA_CHUNK (1u << 20)

/* What a drive is doing. BSY is set in every phase but IDLE and those that say DRQ. */
enum ide_phase {
    PHASE_IDLE,
    PHASE_PACKET,      /* DRQ: the 12 bytes of a command packet come in */
    PHASE_PIO_IN,      /* DRQ: the host reads buffer[pos, end) */
    PHASE_PIO_OUT,     /* DRQ: the host writes buffer[pos, end) */
    PHASE_NEXT_IN,     /* the next turn begins PIO_IN */
    PHASE_NEXT_OUT,    /* the next turn begins PIO_OUT */
    PHASE_FETCH,       /* image to buffer */
    PHASE_STORE,       /* buffer to image */
    PHASE_DMA_IN,      /* image to guest memory */
    PHASE_DMA_OUT,     /* guest memory to image */
    PHASE_DMA_BUF_IN,  /* buffer[pos, fill) to guest memory */
    PHASE_DMA_BUF_OUT, /* guest memory to buffer[0, fill) */
    PHASE_FLUSH,
    PHASE_TRIM,   /* the ranges in buffer[pos, fill) */
    PHASE_FINISH, /* the next turn shows end_status and end_error, and interrupts */
    PHASE_LAST = PHASE_FINISH,
};

/* How the command addresses sectors, so that its registers can follow its progress. */
enum ide_addressing { ADDRESS_NONE, ADDRESS_CHS, ADDRESS_LBA28, ADDRESS_LBA48 };

/* Which of the words 62, 63 and 88 of IDENTIFY shows the selected mode. */
enum ata_dma_kind { ATA_PIO_ONLY, ATA_SWDMA, ATA_MWDMA, ATA_UDMA, ATA_DMA_KINDS };

#define SMART_LOG_ENTRIES 21

/* What CHECK POWER MODE tells apart. */
enum ata_power { POWER_IDLE, POWER_STANDBY };

/* What the guest knows of the medium. */
enum media_change {
    MEDIA_KNOWN,
    MEDIA_REPLACED,  /* "not present" is the next answer */
    MEDIA_SEEN_GONE, /* "may have changed" is, once there is a medium */
};

struct ide_drive_state {
    /* The task file: [0] what was written last, [1] what was there before (HOB). */
    uint8_t features[2], count[2], lba_low[2], lba_mid[2], lba_high[2];
    uint8_t device, status, error, command;
    bool intrq; /* INTRQ would be asserted if nIEN and DEV allowed it */
    bool unplugged;

    uint8_t phase, addressing;
    uint8_t end_status, end_error;
    uint64_t offset; /* bytes into the image: what is to be moved next */
    uint64_t left;   /* bytes of the image still to be moved by the command */
    uint32_t block;  /* bytes of one DRQ burst at most */
    uint32_t pos, end, fill;

    /* Settings of a disk. */
    uint8_t multiple;
    uint8_t dma_kind, dma_mode; /* the selected transfer mode: enum ata_dma_kind, number */
    uint16_t cylinders;         /* of the current translation */
    uint8_t heads, sectors;
    bool write_cache, look_ahead, revert;
    bool smart_enabled, smart_autosave;
    uint8_t smart_count;                   /* entries in the self-test log */
    uint8_t smart_last;                    /* index of the latest */
    uint8_t smart_test[SMART_LOG_ENTRIES]; /* sub-command of each */
    uint8_t power, standby_timer;          /* the second as STANDBY and IDLE gave it */
    uint64_t used_at;                      /* guest time of the last access to the disk */
    uint64_t set_max, set_max_kept;        /* sectors; 0: all. The second is from power-on on */
    uint8_t native_max_read;               /* opcode of READ NATIVE MAX, when it came last */

    /* A CD-ROM drive. */
    uint8_t packet[12];
    bool packet_dma;
    bool raw; /* READ CD of whole 2352-byte sectors */
    uint8_t sense_key, asc, ascq;
    bool medium; /* there is one: what a restored drive finds may differ */
    bool tray_open, locked;
    uint8_t media_change; /* enum media_change */
    bool event_eject, event_new, event_removed;

    uint8_t buffer[IDE_BUFFER];
};

struct ide_channel_state {
    uint8_t selected; /* DEV bit */
    uint8_t control;
    bool intrq_line; /* level of INTRQ, for the edge that sets BM_INT */
    uint8_t bm_command, bm_status;
    uint32_t bm_prdt;
    /* The walk through the PRD table; each entry is fetched once. */
    uint32_t prd_next, prd_base, prd_left;
    uint16_t prd_count;
    bool prd_eot;
};

/* A copy of the walk, which becomes the channel's when the transfer is done. */
struct bm_walk {
    uint32_t next, base, left;
    uint16_t count;
    bool eot;
};

struct ide_channel;

struct ide_drive {
    struct ide *ide;
    struct ide_channel *channel;
    unsigned index; /* unit number */
    enum ide_kind kind;
    bool stays;          /* not to be unplugged */
    struct block *block; /* NULL: no medium, or unplugged */
    struct ide_drive_state *s;
    char serial[21], model[41], firmware[9];
    uint64_t sectors; /* of a disk */
    uint64_t wwn;     /* 0: none */
    struct ide_geometry geometry;

    /* What is going on in the host; can be built again from the state. */
    struct loop_work work;
    bool kicked;    /* work is queued */
    bool in_flight; /* req (and sg) are in use, perhaps by a command that is no more */
    uint32_t generation;
    uint32_t req_generation; /* differs: nobody waits for req, its end changes nothing */
    struct block_request req;
    struct guest_sg sg;
    struct bm_walk walk;
};

struct ide_channel {
    struct ide *ide;
    struct ide_drive drive[2];
    struct ide_channel_state *s;
    struct io_region command_block, control_block;
    struct irq irq;
};

struct ide {
    struct dm_env env;
    struct ide_channel channel[2];
    struct pci_function pci;
    void (*cd_ejected)(void *opaque, unsigned unit);
    void *opaque;
};

extern const struct state_desc ide_drive_desc;
extern const struct state_desc ide_channel_desc;

static inline bool ide_present(const struct ide_drive *d)
{
    return d->kind != IDE_ABSENT && !d->s->unplugged;
}

static inline struct ide_drive *ide_selected(struct ide_channel *ch)
{
    return &ch->drive[ch->s->selected];
}

/* ---- ide_channel.c: the task file ------------------------------------------------------------ */

extern const struct io_ops ide_command_block_ops;
extern const struct io_ops ide_control_block_ops;
/* The level of INTRQ from the state; at the end of every entry. */
void ide_channel_update_irq(struct ide_channel *ch);
/* Registers as after reset or EXECUTE DEVICE DIAGNOSTIC. */
void ide_signature(struct ide_drive *d);

/* ---- ide_transfer.c: phases ------------------------------------------------------------------ */

/* The phase has been set: go on with it in the next turn, never inside the guest's access. */
void ide_kick(struct ide_drive *d);
void ide_kick_run(void *opaque); /* ide_io.c */
/* Drops whatever runs for the current command; its end will change nothing. Phase becomes IDLE. */
void ide_cancel(struct ide_drive *d);
/* BSY, and in the next turn this result with an interrupt. */
void ide_finish_soon(struct ide_drive *d, uint8_t status, uint8_t error);
void ide_succeed(struct ide_drive *d);
/* A command without data at the image: flush. */
void ide_flush_soon(struct ide_drive *d);
/* Hands d->req, filled but for its callback, to the image; the phase goes on when it is done. */
void ide_submit(struct ide_drive *d, enum block_op op);
void ide_abort(struct ide_drive *d);
/* On the loop only: the command ends now, with an interrupt. */
void ide_finish(struct ide_drive *d, uint8_t status, uint8_t error);
/* BSY, then buffer[0, bytes) to the host by PIO. */
void ide_reply_pio(struct ide_drive *d, uint32_t bytes);
/* DRQ at once, without an interrupt: the host writes the first block. */
void ide_begin_pio_out(struct ide_drive *d);
/* BSY, and the phase begins in the next turn. */
void ide_begin(struct ide_drive *d, enum ide_phase phase);
/* On the loop only: a burst begins. The first one of a PIO write has no interrupt. */
void ide_drq_in(struct ide_drive *d);
void ide_drq_out(struct ide_drive *d);
/* The end without an interrupt: after the last word of a PIO read. */
void ide_finish_quietly(struct ide_drive *d, uint8_t status, uint8_t error);
/* The data port: moves up to len bytes, returns how many. */
size_t ide_data_in(struct ide_drive *d, uint8_t *buf, size_t len);
size_t ide_data_out(struct ide_drive *d, const uint8_t *buf, size_t len);
/* Registers name the sector at s->offset. */
void ide_show_address(struct ide_drive *d);

/* ---- bmdma.c --------------------------------------------------------------------------------- */

extern const struct io_ops ide_bmdma_ops;
bool bmdma_ready(const struct ide_channel *ch);
/*
 * Adds up to `want` bytes of the PRD table to sg, in whole sectors but where the table ends.
 * 0, or -EFAULT when the table or memory that it names is missing; what came before is in sg.
 */
int bmdma_gather(struct ide_channel *ch, struct bm_walk *walk, struct guest_sg *sg, size_t want);
void bmdma_walk_load(const struct ide_channel *ch, struct bm_walk *walk);
void bmdma_walk_store(struct ide_channel *ch, const struct bm_walk *walk);
/* The device has moved all it wants. */
void bmdma_complete(struct ide_channel *ch);
/* The table is at its end and the device wants more; or (error) a master abort. */
void bmdma_stopped(struct ide_channel *ch, bool error);

/* ---- commands -------------------------------------------------------------------------------- */

/* ata_cmd.c: executes s->command. */
void ata_command(struct ide_drive *d);
/* Whether a command of the current phase can be on this kind of drive (restored state). */
bool ata_phase_possible(const struct ide_drive *d);
/* Whether [offset, offset + left) lies in the image. */
bool ata_transfer_in_range(const struct ide_drive *d);
/* Sectors that the host may use: all but those that SET MAX has hidden. */
uint64_t ata_sectors(const struct ide_drive *d);
/* Multiple mode and geometry as after power-on; then the transfer mode and switches too. */
void ata_settings_reset(struct ide_drive *d);
void ata_power_on(struct ide_drive *d);
void ata_trim_step(struct ide_drive *d);

/* ata_power.c: the power management feature set; access: the disk is needed. */
void ata_power_command(struct ide_drive *d);
void ata_power_access(struct ide_drive *d);

/* ata_identify.c, ata_smart.c */
void ata_identify(struct ide_drive *d);
void ata_identify_string(uint8_t *sector, unsigned word, const char *text, unsigned length);
void ata_identify_modes(const struct ide_drive *d, uint8_t *sector);
void ata_identify_wwn(const struct ide_drive *d, uint8_t *sector);
void ata_smart(struct ide_drive *d);
void ata_checksum(uint8_t *sector);

/* atapi.c */
void atapi_identify(struct ide_drive *d);
void atapi_packet(struct ide_drive *d);  /* PACKET command */
void atapi_execute(struct ide_drive *d); /* s->packet is complete */
uint32_t atapi_blocks(const struct ide_drive *d);
bool atapi_ready(const struct ide_drive *d);
void atapi_reply(struct ide_drive *d, uint32_t bytes, uint32_t allocation);
void atapi_ok(struct ide_drive *d);
void atapi_error(struct ide_drive *d, uint8_t key, uint8_t asc, uint8_t ascq);
void atapi_read(struct ide_drive *d, uint32_t lba, uint32_t count, bool raw);
/* The medium is gone, or a read of it failed, while a command was waiting: on the loop. */
void atapi_fail_now(struct ide_drive *d, uint8_t key, uint8_t asc, uint8_t ascq);
/* Sectors of 2048 bytes in the buffer become 2352-byte ones; lba is that of the first. */
void atapi_make_raw(struct ide_drive *d, uint32_t lba, uint32_t count);

/* atapi_cmd.c, atapi_toc.c, atapi_mode.c */
void atapi_command(struct ide_drive *d);
void atapi_read_toc(struct ide_drive *d);
void atapi_lba_to_msf(uint8_t *at, uint32_t lba);
void atapi_mode_sense(struct ide_drive *d);
void atapi_get_configuration(struct ide_drive *d);
void atapi_read_dvd_structure(struct ide_drive *d);
void atapi_get_event_status(struct ide_drive *d);
void atapi_start_stop(struct ide_drive *d);

/* Sense keys and additional codes (SPC, MMC). */
enum {
    SENSE_NONE = 0,
    SENSE_NOT_READY = 2,
    SENSE_MEDIUM_ERROR = 3,
    SENSE_ILLEGAL_REQUEST = 5,
    SENSE_UNIT_ATTENTION = 6,
};
enum {
    ASC_UNRECOVERED_READ = 0x11,
    ASC_INVALID_OPCODE = 0x20,
    ASC_LBA_OUT_OF_RANGE = 0x21,
    ASC_INVALID_FIELD = 0x24,
    ASC_MEDIUM_MAY_HAVE_CHANGED = 0x28,
    ASC_INCOMPATIBLE_MEDIUM = 0x30,
    ASC_SAVING_NOT_SUPPORTED = 0x39,
    ASC_MEDIUM_NOT_PRESENT = 0x3a,
    ASC_REMOVAL_PREVENTED = 0x53,
};

static inline uint16_t be16_at(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t be32_at(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline void put_be16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static inline void put_be32(uint8_t *p, uint32_t v)
{
    put_be16(p, v >> 16);
    put_be16(p + 2, v);
}

static inline void put_le16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

static inline void put_le32(uint8_t *p, uint32_t v)
{
    put_le16(p, v);
    put_le16(p + 2, v >> 16);
}

#endif
