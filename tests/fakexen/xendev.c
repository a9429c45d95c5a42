/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The devices that Xen keeps to itself, as far as their accesses must not reach a device model.
 * They answer just enough for a script to go on: a running PM timer, the time in the RTC, nothing
 * from the rest.
 */
#include <time.h>
#include "guest.h"
#include <xen/hvm/params.h>

enum {
    PIC1 = 0x20,
    PIC2 = 0xa0,
    PIT = 0x40,
    PORT_61 = 0x61,
    CMOS = 0x70,
    ELCR = 0x4d0,
    DEBUG = 0xe9
};

static uint8_t bcd(int value)
{
    return (uint8_t)((value / 10) << 4 | value % 10);
}

static uint8_t rtc_read(uint8_t index)
{
    time_t now = time(NULL);
    struct tm t;

    gmtime_r(&now, &t);
    switch (index) {
    case 0:
        return bcd(t.tm_sec);
    case 2:
        return bcd(t.tm_min);
    case 4:
        return bcd(t.tm_hour);
    case 6:
        return (uint8_t)(t.tm_wday + 1);
    case 7:
        return bcd(t.tm_mday);
    case 8:
        return bcd(t.tm_mon + 1);
    case 9:
        return bcd(t.tm_year % 100);
    case 10:
        return 0x26;
    case 11:
        return 0x02;
    case 13:
        return 0x80;
    default:
        return 0;
    }
}

/* Index values below 14 are Xen's; the device model sees the others only. */
static bool cmos(struct guest *g, int dir, uint16_t port, uint32_t size, uint64_t *data)
{
    if (size != 1) {
        *data = ~0ull;
        return true;
    }
    if (port == CMOS && dir == IOREQ_READ) {
        *data = 0xff;
        return true;
    }
    if (port == CMOS) {
        g->cmos_index = *data & 0x7f;
        g->cmos_ours = g->cmos_index < 14;
        return g->cmos_ours;
    }
    if (g->cmos_ours && dir == IOREQ_READ)
        *data = rtc_read(g->cmos_index);
    return g->cmos_ours;
}

static bool acpi(struct guest *g, int dir, uint16_t port, uint32_t size, uint64_t *data)
{
    uint16_t base = g->hv->param[HVM_PARAM_ACPI_IOPORTS_LOCATION] ? 0xb000 : 0x1f40;

    if (port >= base && port + size <= base + 4u) {
        if (dir == IOREQ_READ)
            *data = 0;
        return true;
    }
    if (port >= base + 8u && port + size <= base + 12u) {
        if (dir == IOREQ_READ) /* 3.579545 MHz */
            *data = size == 4 ? (uint32_t)((__uint128_t)now_ns() * 3579545 / 1000000000) : ~0ull;
        return true;
    }
    return false;
}

bool xendev_port(struct guest *g, int dir, uint16_t port, uint32_t size, uint64_t *data)
{
    bool pic = (port & ~1u) == PIC1 || (port & ~1u) == PIC2, pit = (port & ~3u) == PIT;

    if ((port & ~1u) == CMOS)
        return cmos(g, dir, port, size, data);
    if (acpi(g, dir, port, size, data))
        return true;
    if (pic && size > 1) {
        *data = ~0ull;
        return true;
    }
    if ((pic || pit || port == PORT_61 || (port & ~1u) == ELCR) && size == 1) {
        if (dir == IOREQ_READ)
            *data = 0;
        return true;
    }
    if (port == 0x80 || port == 0xed || (port == DEBUG && size == 1 && dir == IOREQ_WRITE)) {
        *data = ~0ull;
        return true;
    }
    return false;
}

bool xendev_mmio(int dir, uint64_t gpa, uint32_t size, uint64_t *data)
{
    bool ours = (gpa >= 0xfec00000 && gpa < 0xfec00100) ||
                (gpa >= 0xfed00000 && gpa < 0xfed00400) || (gpa >= 0xfee00000 && gpa < 0xfee01000);

    if (ours && dir == IOREQ_READ)
        *data = 0;
    return ours;
}
