/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An RTL8139C+ on a fake machine and a fake back-end, and what a driver does with it. */
#ifndef TESTS_HW_NET_NICRIG_H
#define TESTS_HW_NET_NICRIG_H

#include <string.h>

#include "hw/net/rtl8139_internal.h"
#include "tests/harness/machine.h"
#include "tests/harness/tap.h"
#include "tests/hw/net/fakenet.h"

#define NIC_DEVFN PCI_DEVFN(4, 0)
#define NIC_IO    0xc000u
#define NIC_MMIO  0xf3000000u

/* Where the driver has its memory. */
#define RX_RING  0x100000u /* C mode */
#define TX_DESC  0x20000u
#define HI_DESC  0x20400u
#define RX_DESC  0x20800u
#define TX_BUF   0x40000u
#define RX_BUF   0x80000u
#define STATS    0x30000u
#define BUF_SIZE 2048u

/* Registers that share a dword with those of rtl8139_internal.h. */
enum {
    REG_CR = 0x37,
    REG_CBR = 0x3a,
    REG_ISR = 0x3e,
    REG_CONFIG0 = 0x51,
    REG_CONFIG1 = 0x52,
    REG_CONFIG3 = 0x59,
    REG_CONFIG4 = 0x5a,
    REG_HLTCLK = 0x5b,
    REG_RERID = 0x5e,
    REG_BMCR = 0x62,
    REG_ANAR = 0x66,
    REG_TPPOLL = 0xd9,
};

struct nicrig {
    struct machine m;
    struct net net;
    struct rtl8139 *nic;
};

extern struct nicrig rig;
extern const uint8_t nic_mac[6];

/* cmocka fixtures: made, mapped, running, bus master on. */
int nicrig_setup(void **state);
int nicrig_teardown(void **state);

uint32_t get(unsigned reg, unsigned size);
void set(unsigned reg, unsigned size, uint32_t value);
bool line(void);
static inline void settle(void)
{
    for (unsigned i = 0; i < 64; i++)
        machine_settle(&rig.m);
}

uint8_t *ram(uint64_t at);
uint32_t ram32(uint64_t at);
void put32(uint64_t at, uint32_t value);

/* The FCS bit by bit, as the standard has it. */
uint32_t slow_fcs(const uint8_t *p, size_t len);
/* A frame of `len` bytes to `to`, filled with a pattern. */
void make_frame(uint8_t *frame, const uint8_t to[6], size_t len);
void arrive(const uint8_t to[6], size_t len);
const struct fakenet_frame *sent(unsigned n);

/* Drivers' beginnings. */
void start_c_mode(uint32_t rcr);
void start_cplus(uint16_t cpcr);
/* C+ descriptors; `extra` is OR-ed into dword 0 beside OWN and EOR. */
void tx_desc(unsigned i, uint32_t extra, uint64_t buffer, uint32_t len, uint32_t dw1, bool eor);
void rx_desc(unsigned i, uint64_t buffer, uint32_t size, bool eor);
void rx_fill(unsigned count);

static inline uint32_t be16_at(const uint8_t *p)
{
    return get_be16(p);
}

#endif
