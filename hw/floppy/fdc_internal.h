/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of this folder share: registers, the state, and the verbs between them. */
#ifndef HW_FLOPPY_FDC_INTERNAL_H
#define HW_FLOPPY_FDC_INTERNAL_H

#include "hw/floppy/fdc.h"

#define FDC_SECTOR    512u
#define FDC_SECTOR_N  2u /* the size code of 512 bytes: 128 << N */
#define FDC_ADDRESSES 4u /* drives that a command can name */
#define FDC_FIFO      24u

/* Main status register. */
enum { MSR_RQM = 0x80, MSR_DIO = 0x40, MSR_NDMA = 0x20, MSR_CB = 0x10 };

/* Digital output register. */
enum { DOR_DRIVE = 0x03, DOR_NRESET = 0x04, DOR_DMAEN = 0x08, DOR_MOTORS = 0xf0 };

/* Data rate select register; the rate is shared with the configuration control register. */
enum { DSR_RATE = 0x03, DSR_POWERDOWN = 0x40, DSR_RESET = 0x80 };
enum { RATE_500K = 0, RATE_300K = 1, RATE_250K = 2, RATE_1M = 3 };

/* Status registers 0 to 3 of the result phase. */
enum {
    ST0_ABNORMAL = 0x40,
    ST0_INVALID = 0x80,
    ST0_READY_CHANGED = 0xc0,
    ST0_SEEK_END = 0x20,
    ST0_EQUIPMENT = 0x10,
};
enum { ST1_END = 0x80, ST1_OVERRUN = 0x10, ST1_NO_DATA = 0x04, ST1_NOT_WRITABLE = 0x02 };
enum { ST1_NO_MARK = 0x01, ST1_CRC = 0x20, ST2_CRC = 0x20 };
enum { ST2_DELETED = 0x40, ST2_WRONG_CYLINDER = 0x10, ST2_SCAN_HIT = 0x08, ST2_SCAN_MISS = 0x04 };
enum { ST3_PROTECTED = 0x40, ST3_READY = 0x20, ST3_TRACK_0 = 0x10, ST3_TWO_SIDES = 0x08 };

/* CONFIGURE and PERPENDICULAR MODE. */
enum { CONFIG_IMPLIED_SEEK = 0x40, CONFIG_NO_FIFO = 0x20, CONFIG_THRESHOLD = 0x0f };
enum { PERP_OVERWRITE = 0x80, PERP_DRIVES = 0x3c, PERP_MODE = 0x03 };

/* First byte of a data command. */
enum { CMD_MULTI_TRACK = 0x80, CMD_SKIP = 0x20 };

enum fdc_phase {
    PHASE_COMMAND,   /* the host writes fifo[0, fifo_end) */
    PHASE_SEARCH,    /* waits for the sector to come by; at the deadline it is there or not */
    PHASE_FETCH,     /* image to buffer */
    PHASE_TO_HOST,   /* the host takes buffer[pos, end) */
    PHASE_FROM_HOST, /* the host gives buffer[pos, end) */
    PHASE_STORE,     /* buffer to image */
    PHASE_END,       /* a written disk becomes stable; then the result is shown */
    PHASE_RESULT,    /* the host reads fifo[fifo_pos, fifo_end) */
    PHASE_LAST = PHASE_RESULT,
};

enum fdc_operation {
    OP_NONE,
    OP_READ,
    OP_READ_TRACK,
    OP_VERIFY,
    OP_READ_ID,
    OP_WRITE,
    OP_FORMAT,
    OP_SCAN_EQUAL,
    OP_SCAN_LOW,
    OP_SCAN_HIGH,
    OP_LAST = OP_SCAN_HIGH,
};

struct fdc_state {
    uint8_t dor, tdr, dsr;
    uint8_t srt_hut, hlt_nd; /* SPECIFY; bit 0 of the second: no DMA */
    uint8_t config, precomp; /* CONFIGURE */
    uint8_t perpendicular;
    uint8_t last_eot;       /* EOT or SC of the last data command, for DUMPREG */
    uint8_t powerdown_mode; /* storage */
    uint8_t drive_spec[FDC_ADDRESSES];
    bool lock;

    /* Where the heads are, and seeks that are under way: they end together. */
    uint8_t cylinder[FDC_ADDRESSES], seek_target[FDC_ADDRESSES];
    uint8_t seeking; /* bit n: drive n */
    uint64_t seek_deadline;

    /* What SENSE INTERRUPT STATUS has to tell. */
    uint8_t sense_pending; /* bit n: the end of a seek of drive n */
    uint8_t sense_st0[FDC_ADDRESSES];
    uint8_t reset_sense; /* drives whose "ready changed" is still to be told after a reset */
    bool int_sense, int_result;

    bool changed[FDC_DRIVES];  /* DSKCHG: nobody has stepped since the disk was changed */
    bool inserted[FDC_DRIVES]; /* what a restored drive finds may differ */
    uint8_t rotation;          /* of the sectors that READ ID finds */

    uint8_t phase;
    uint8_t fifo[FDC_FIFO];
    uint8_t fifo_pos, fifo_end;

    /* The data command in execution. */
    uint8_t operation;
    uint8_t drive, head;   /* latched: DOR may change */
    uint8_t c, h, r, n;    /* the ID that is looked for; at the end that of the next sector */
    uint8_t eot;           /* last sector of a side; FORMAT TRACK: how many */
    uint8_t step;          /* from one sector to the next */
    uint8_t fill;          /* FORMAT TRACK */
    uint8_t st0, st1, st2; /* so far */
    uint16_t sectors_left; /* VERIFY with EC, FORMAT TRACK */
    bool multi_track, skip, deleted, count_sectors;
    bool dma, terminal_count, written;
    bool scan_equal, scan_met; /* all bytes of the sector so far */
    uint16_t pos, end;
    uint8_t buffer[FDC_SECTOR];
    uint64_t deadline; /* ns of guest time: when the phase goes on, or the host is too late */
};

/* What a disk of so many sectors is like. */
struct fdc_geometry {
    uint8_t sectors, cylinders, heads; /* sectors of a track */
    uint8_t rate, other_rate;          /* at which it is read; at the other in a faster drive */
    uint8_t drive_type;                /* that it is for: CMOS code */
};

struct fdc_drive {
    bool present;
    uint8_t type; /* CMOS code */
    struct block *block;
    struct fdc_geometry geometry;
};

struct fdc {
    struct dm_env env;
    struct fdc_state *s;
    struct fdc_drive drive[FDC_DRIVES];
    struct io_region registers, dir;
    struct irq irq;
    struct isa_dma dma;

    /* What is going on in the host; can be built again from the state. */
    struct timer timer, seek_timer;
    bool in_flight;
    uint32_t generation, req_generation; /* differ: nobody waits for req */
    struct block_request req;
};

extern const struct state_desc fdc_desc;

/* ---- fdc.c ----------------------------------------------------------------------------------- */

/* Levels of INT and DREQ from the state; at the end of every entry. */
void fdc_update(struct fdc *fdc);
/* Guest time from now; the phase goes on then. */
void fdc_go_on_in(struct fdc *fdc, uint64_t ns);
/* Drops whatever runs for the current command; its end will change nothing. */
void fdc_cancel(struct fdc *fdc);

/* The drive at an address, or NULL when nothing is connected there. */
struct fdc_drive *fdc_drive_at(struct fdc *fdc, unsigned address);

/* ---- fdc_ports.c ----------------------------------------------------------------------------- */

extern const struct io_ops fdc_register_ops;
extern const struct io_ops fdc_dir_ops;
/* The FIFO takes a command again. */
void fdc_await_command(struct fdc *fdc);
/* fifo[0, bytes) is to be read; a data command's end interrupts. */
void fdc_show_result(struct fdc *fdc, unsigned bytes, bool interrupt);
/* Software reset: by DOR or DSR. The interrupt comes when it is done. */
void fdc_soft_reset(struct fdc *fdc);

/* ---- fdc_cmd.c ------------------------------------------------------------------------------- */

/* How many bytes the command that begins with fifo[0] has, itself included; FDC_FIFO at most. */
unsigned fdc_command_length(const struct fdc_state *s);
/* So long the chip looks at its drives after a reset, or moves heads: guest time. */
#define FDC_POLL_NS 10000u
#define FDC_SEEK_NS 1000000u
/* The seek timer goes off then, unless it does later anyway. */
void fdc_seek_timer(struct fdc *fdc, uint64_t ns);
/* fifo[0, fifo_end) is complete. */
void fdc_execute(struct fdc *fdc);
/* The heads have arrived. */
void fdc_seek_done(void *opaque);

/* ---- fdc_data.c ------------------------------------------------------------------------------ */

/* Begins a data command whose bytes are in the FIFO. */
void fdc_begin_transfer(struct fdc *fdc, enum fdc_operation operation);
void fdc_begin_format(struct fdc *fdc);
void fdc_begin_read_id(struct fdc *fdc);
/* The deadline of a phase: timer. */
void fdc_step(void *opaque);
/* Ends the command with these bits besides those that it has collected. */
void fdc_end(struct fdc *fdc, uint8_t st0, uint8_t st1, uint8_t st2);
/* Whether phase and command belong together: saved states are not believed. */
bool fdc_transfer_possible(const struct fdc_state *s);
/* The host takes or gives bytes by programmed I/O. */
uint8_t fdc_byte_to_host(struct fdc *fdc);
void fdc_byte_from_host(struct fdc *fdc, uint8_t value);

/* ---- fdc_media.c ----------------------------------------------------------------------------- */

/* By size; an image of a size that no disk has is one of 1.44 MB, cut off or filled with zeros. */
struct fdc_geometry fdc_geometry_of(const struct block *block);

static inline bool fdc_in_reset(const struct fdc_state *s)
{
    return !(s->dor & DOR_NRESET);
}

static inline bool fdc_host_moves_data(const struct fdc_state *s)
{
    return s->phase == PHASE_TO_HOST || s->phase == PHASE_FROM_HOST;
}

#endif
