/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The EDID block of the monitor that the guest finds: VESA E-EDID 1.4, one block, no extension.
 * The preferred timing uses the reduced blanking of VESA CVT.
 */
#include "hw/vga/vga_core.h"

#define DENSITY_DPI      96u
#define CLOCK_MAX_10_KHZ 0xffffu

struct timing {
    unsigned h_active, h_blank, h_front, h_sync;
    unsigned v_active, v_blank, v_front, v_sync;
    unsigned rate;         /* Hz */
    unsigned clock_10_khz; /* pixel clock */
};

static struct timing reduced_blanking(unsigned width, unsigned height)
{
    struct timing t = {.h_active = width,
                       .h_blank = 160,
                       .h_front = 48,
                       .h_sync = 32,
                       .v_active = height,
                       .v_front = 3,
                       .v_sync = 6,
                       .rate = 60};

    for (;;) {
        /* Vertical blanking lasts at least 460 us; all lines of a frame are 1/rate s. */
        uint64_t active_us = 1000000 / t.rate - 460;
        t.v_blank = (unsigned)(460ull * height / active_us) + 1;
        if (t.v_blank < t.v_front + t.v_sync + 6)
            t.v_blank = t.v_front + t.v_sync + 6;
        uint64_t clock = (uint64_t)(width + t.h_blank) * (height + t.v_blank) * t.rate / 10000;
        if (clock <= CLOCK_MAX_10_KHZ) {
            t.clock_10_khz = (unsigned)clock;
            return t;
        }
        t.rate /= 2; /* the field has 16 bits */
    }
}

static unsigned millimetres(unsigned pixels)
{
    return pixels * 254 / (DENSITY_DPI * 10);
}

static void put_timing(uint8_t *d, const struct timing *t)
{
    unsigned mm_x = millimetres(t->h_active), mm_y = millimetres(t->v_active);

    d[0] = (uint8_t)t->clock_10_khz;
    d[1] = (uint8_t)(t->clock_10_khz >> 8);
    d[2] = (uint8_t)t->h_active;
    d[3] = (uint8_t)t->h_blank;
    d[4] = (uint8_t)(t->h_active >> 8 << 4 | t->h_blank >> 8);
    d[5] = (uint8_t)t->v_active;
    d[6] = (uint8_t)t->v_blank;
    d[7] = (uint8_t)(t->v_active >> 8 << 4 | t->v_blank >> 8);
    d[8] = (uint8_t)t->h_front;
    d[9] = (uint8_t)t->h_sync;
    d[10] = (uint8_t)((t->v_front & 15) << 4 | (t->v_sync & 15));
    d[11] = (uint8_t)(t->h_front >> 8 << 6 | t->h_sync >> 8 << 4 | t->v_front >> 4 << 2 |
                      t->v_sync >> 4);
    d[12] = (uint8_t)mm_x;
    d[13] = (uint8_t)mm_y;
    d[14] = (uint8_t)(mm_x >> 8 << 4 | mm_y >> 8);
    d[17] = 0x1a; /* separate sync: horizontal positive, vertical negative */
}

static void put_range_limits(uint8_t *d, const struct timing *t)
{
    unsigned khz = (t->v_active + t->v_blank) * t->rate / 1000 + 1;
    unsigned ten_mhz = (t->clock_10_khz + 999) / 1000;

    d[3] = 0xfd;
    d[5] = (uint8_t)(t->rate < 24 ? t->rate : 24);
    d[6] = 75;
    d[7] = 15;
    d[8] = (uint8_t)(khz < 100 ? 100 : khz > 255 ? 255 : khz);
    d[9] = (uint8_t)(ten_mhz < 17 ? 17 : ten_mhz);
    d[10] = 0x01; /* no formula for more timings */
    d[11] = '\n';
    memset(d + 12, ' ', 6);
}

void edid_make(uint8_t edid[EDID_SIZE], unsigned width, unsigned height)
{
    static const uint8_t header[8] = {0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00};
    static const char vendor[3] = {'S', 'D', 'M'};
    static const uint8_t srgb[10] = {0xee, 0x91, 0xa3, 0x54, 0x4c, 0x99, 0x26, 0x0f, 0x50, 0x54};
    /* 1920 x 1080, 1600 x 1200, 1280 x 1024, 1280 x 720, all at 60 Hz; four unused. */
    static const uint8_t standard[16] = {0xd1, 0xc0, 0xa9, 0x40, 0x81, 0x80, 0x81, 0xc0,
                                         0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01};
    static const char name[13] = "slimdm\n      ";
    struct timing t = reduced_blanking(width, height);
    uint8_t sum = 0;

    memset(edid, 0, EDID_SIZE);
    memcpy(edid, header, sizeof(header));
    unsigned letters = (vendor[0] - 64u) << 10 | (vendor[1] - 64u) << 5 | (vendor[2] - 64u);
    edid[8] = (uint8_t)(letters >> 8);
    edid[9] = (uint8_t)letters;
    edid[10] = 0x01; /* product */
    edid[16] = 1;    /* week */
    edid[17] = 2023 - 1990;
    edid[18] = 1; /* version 1.4 */
    edid[19] = 4;
    edid[20] = 0xa5; /* digital, 8 bits a colour, DisplayPort */
    unsigned cm_x = (millimetres(width) + 5) / 10, cm_y = (millimetres(height) + 5) / 10;
    edid[21] = (uint8_t)(cm_x == 0 ? 1 : cm_x);
    edid[22] = (uint8_t)(cm_y == 0 ? 1 : cm_y);
    edid[23] = 120;  /* gamma 2.2 */
    edid[24] = 0x06; /* sRGB; the preferred timing is the native one */
    memcpy(edid + 25, srgb, sizeof(srgb));
    edid[35] = 0x21; /* 640 x 480, 800 x 600 */
    edid[36] = 0x08; /* 1024 x 768 */
    memcpy(edid + 38, standard, sizeof(standard));
    put_timing(edid + 54, &t);
    put_range_limits(edid + 72, &t);
    edid[93] = 0xfc;
    memcpy(edid + 95, name, sizeof(name));
    edid[111] = 0x10; /* a descriptor that says nothing */
    for (unsigned i = 0; i < EDID_SIZE - 1; i++)
        sum = (uint8_t)(sum + edid[i]);
    edid[EDID_SIZE - 1] = (uint8_t)-sum;
}
