/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/hw/net/nicrig.h"

struct nicrig rig;
const uint8_t nic_mac[6] = {0x00, 0x16, 0x3e, 0x11, 0x22, 0x33};

static uint8_t rom[4096] = {0x55, 0xaa, 8};

int nicrig_setup(void **state)
{
    struct rtl8139_config config = {.devfn = NIC_DEVFN, .rom = {.image = rom, .size = sizeof(rom)}};
    struct machine *m = &rig.m;

    machine_init_pci(m);
    fakenet_init(&rig.net, m->env.loop);
    memcpy(config.mac, nic_mac, 6);
    config.net = &rig.net;
    if (rtl8139_create(&rig.nic, &m->env, &config))
        return -1;
    machine_start(m);
    pci_config_write(m->env.pci, NIC_DEVFN, PCI_BASE_ADDRESS_0, 4, NIC_IO);
    pci_config_write(m->env.pci, NIC_DEVFN, PCI_BASE_ADDRESS_0 + 4, 4, NIC_MMIO);
    pci_config_write(m->env.pci, NIC_DEVFN, PCI_COMMAND, 2, 7);
    rtl8139_set_running(rig.nic, true);
    return 0;
}

int nicrig_teardown(void **state)
{
    machine_fini(&rig.m);
    fakenet_fini(&rig.net);
    return 0;
}

uint32_t get(unsigned reg, unsigned size)
{
    return (uint32_t)machine_in(&rig.m, (uint16_t)(NIC_IO + reg), size);
}

void set(unsigned reg, unsigned size, uint32_t value)
{
    machine_out(&rig.m, (uint16_t)(NIC_IO + reg), size, value);
}

bool line(void)
{
    return rig.m.intx[PCI_SLOT(NIC_DEVFN)][0];
}

uint8_t *ram(uint64_t at)
{
    return rig.m.ram + at;
}

uint32_t ram32(uint64_t at)
{
    uint32_t value;

    memcpy(&value, ram(at), 4);
    return value;
}

void put32(uint64_t at, uint32_t value)
{
    memcpy(ram(at), &value, 4);
}

uint32_t slow_fcs(const uint8_t *p, size_t len)
{
    uint32_t crc = UINT32_MAX;

    for (size_t i = 0; i < len; i++)
        for (unsigned bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (((crc ^ p[i] >> bit) & 1) ? 0xedb88320u : 0);
    return ~crc;
}

void make_frame(uint8_t *frame, const uint8_t to[6], size_t len)
{
    for (size_t i = 0; i < len; i++)
        frame[i] = (uint8_t)(i * 7 + (i >> 8) + 3);
    memcpy(frame, to, len < 6 ? len : 6);
    if (len >= 14)
        put_be16(frame + 12, 0x88b5); /* for experiments */
}

void arrive(const uint8_t to[6], size_t len)
{
    uint8_t frame[70000];

    make_frame(frame, to, len);
    fakenet_arrive(&rig.net, frame, len);
    settle();
}

const struct fakenet_frame *sent(unsigned n)
{
    if (n >= rig.net.nsent)
        fail_msg("frame %u of %u", n, rig.net.nsent);
    return &rig.net.sent[n];
}

void start_c_mode(uint32_t rcr)
{
    set(REG_CR, 1, CR_RST);
    set(RBSTART, 4, RX_RING);
    set(REG_CR, 1, CR_TE | CR_RE);
    set(RCR, 4, rcr);
    set(IMR, 2, 0xffff);
}

void start_cplus(uint16_t cpcr)
{
    set(REG_CR, 1, CR_RST);
    set(CPCR, 2, cpcr);
    set(TSAD0, 4, TX_DESC);
    set(TSAD0 + 4, 4, 0);
    set(TSAD0 + 8, 4, HI_DESC);
    set(TSAD0 + 12, 4, 0);
    set(RDSAR, 4, RX_DESC);
    set(RDSAR_HIGH, 4, 0);
    memset(ram(TX_DESC), 0, 0xc00);
    set(REG_CR, 1, CR_TE | CR_RE);
    set(RCR, 4, RCR_APM | RCR_AB | RCR_AM);
    set(IMR, 2, 0xffff);
}

void tx_desc(unsigned i, uint32_t extra, uint64_t buffer, uint32_t len, uint32_t dw1, bool eor)
{
    uint64_t at = TX_DESC + 16 * i;

    put32(at + 4, dw1);
    put32(at + 8, (uint32_t)buffer);
    put32(at + 12, (uint32_t)(buffer >> 32));
    put32(at, DESC_OWN | extra | len | (eor ? DESC_EOR : 0));
}

void rx_desc(unsigned i, uint64_t buffer, uint32_t size, bool eor)
{
    uint64_t at = RX_DESC + 16 * i;

    put32(at + 4, 0);
    put32(at + 8, (uint32_t)buffer);
    put32(at + 12, (uint32_t)(buffer >> 32));
    put32(at, DESC_OWN | size | (eor ? DESC_EOR : 0));
}

void rx_fill(unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        rx_desc(i, RX_BUF + i * BUF_SIZE, 1536, i == count - 1);
}
