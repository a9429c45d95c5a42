/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The RTL8139C+ between a hostile driver and a back-end that does as it likes: rings and buffers
 * anywhere in memory, on each other and on the chip's own registers, memory that goes away.
 * Checked besides what machine_ops.h says: the line is the function of the state that it ought to
 * be; a turn's work is bounded; frames hold nothing of the host's memory.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dm/log.h"
#include "hw/net/rtl8139_internal.h"
#include "tests/fuzz/machine_ops.h"
#include "tests/hw/net/fakenet.h"

#define IO       0xc000u
#define MMIO     0xf3000000u
#define RINGS_AT 0x20000u /* three rings of 64 */
#define BUFFERS  0x40000u
#define RX_RING  0x80000u

#define PACKET_MAX 0x10000u

/* What fresh host memory looks like; neither driver nor network sends it. */
#define HEAP_POISON 0xbe

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__asan_default_options(void);

static const uint16_t ports[] = {IO, IO, IO + 0x40, IO + 0xc0};
static const uint64_t addresses[] = {MMIO};
static const uint8_t devfns[] = {PCI_DEVFN(4, 0)};
static const uint8_t mac[6] = {0x00, 0x16, 0x3e, 0x11, 0x22, 0x33};

static struct fuzz_machine fm;
static struct net net;
static struct rtl8139 *nic;

const char *__asan_default_options(void)
{
    return "max_malloc_fill_size=1048576:malloc_fill_byte=190";
}

/* ---- the driver -------------------------------------------------------------------------------
 */

static void out(unsigned reg, unsigned size, uint32_t value)
{
    machine_out(&fm.m, (uint16_t)(IO + reg), size, value);
}

static uint8_t *ram(uint64_t at)
{
    return fm.m.ram + at;
}

static uint64_t pick_buffer(struct fuzz_input *in)
{
    uint8_t how = fuzz_u8(in);

    switch (how & 7) {
    case 0:
        return fuzz_u32(in);
    case 1:
        return MMIO + fuzz_u8(in);
    case 2:
        return RINGS_AT + fuzz_u8(in) * 16u;
    case 3:
        return (uint64_t)fuzz_u32(in) << 32 | fuzz_u32(in);
    default:
        return BUFFERS + how * 0x3f7u;
    }
}

static void descriptor(struct fuzz_input *in)
{
    uint8_t which = fuzz_u8(in), how = fuzz_u8(in);
    uint8_t *p = ram(RINGS_AT + (which & 3) % 3 * 0x400u + (which >> 2) * 16u);
    uint32_t dw0 = fuzz_u32(in), dw1 = how & 1 ? fuzz_u32(in) : 0;
    uint64_t buffer = pick_buffer(in);

    if (how & 2)
        dw0 |= DESC_OWN;
    if (how & 4)
        dw0 |= DESC_FS | DESC_LS;
    if (how & 8)
        dw0 &= ~DESC_EOR;
    if (how & 16)
        dw0 = (dw0 & ~0xffffu) | fuzz_u8(in) * 8u;
    put_le32(p, dw0);
    put_le32(p + 4, dw1);
    memcpy(p + 8, &buffer, 8);
}

/* All of a ring with the same, so that there is much to do. */
static void fill_ring(struct fuzz_input *in)
{
    uint8_t which = fuzz_u8(in);
    uint32_t dw0 = fuzz_u32(in) | DESC_OWN, dw1 = fuzz_u32(in);
    uint64_t buffer = pick_buffer(in);

    for (unsigned i = 0; i < 64; i++) {
        uint8_t *p = ram(RINGS_AT + which % 3 * 0x400u + i * 16);

        put_le32(p, which & 0x40 ? dw0 & ~DESC_EOR : dw0);
        put_le32(p + 4, dw1);
        memcpy(p + 8, &buffer, 8);
    }
}

static size_t make_packet(struct fuzz_input *in, uint8_t *f)
{
    uint8_t how = fuzz_u8(in);
    size_t len = (how & 1 ? fuzz_u8(in) : fuzz_u8(in) * 7u) + (how & 2 ? 60 : 0);
    unsigned ihl = how & 4 ? 5 + fuzz_u8(in) % 11 : 5;

    if (how & 128)
        len = len * 37 % PACKET_MAX;
    memset(f, how | 1, len);
    memcpy(f, how & 8 ? mac : (const uint8_t[6]){255, 255, 255, 255, 255, 255}, len < 6 ? len : 6);
    if (len < 60)
        return len;
    if (how & 16) {
        put_be16(f + 12, ETH_P_8021Q);
        return len;
    }
    put_be16(f + 12, ETH_P_IP);
    f[14] = (uint8_t)(0x40 | ihl);
    put_be16(f + 16, (uint16_t)(len - 14));
    put_be16(f + 20, how & 64 ? fuzz_u32(in) & 0xffff : 0);
    f[23] = how & 32 ? PROTOCOL_TCP : PROTOCOL_UDP;
    if (14 + ihl * 4 + 20 <= len)
        f[14 + ihl * 4 + 12] = (uint8_t)(5 + fuzz_u8(in) % 11) << 4;
    if (how & 64)
        f[fuzz_u8(in) % 60] = fuzz_u8(in) & 0x7f;
    put_be16(f + 24, 0);
    put_be16(f + 24, (uint16_t)~inet_fold(inet_sum(f + 14, ihl * 4 <= len - 14 ? ihl * 4 : 0)));
    return len;
}

static void begin(struct fuzz_input *in)
{
    uint8_t how = fuzz_u8(in);

    out(ERBCR + 3, 1, CR_RST);
    if (how & 1) {
        out(CPCR, 2,
            CPCR_CPTX | CPCR_CPRX | (how & 2 ? CPCR_RXCHKSUM : 0) | (how & 4 ? CPCR_RXVLAN : 0));
        out(TSAD0, 4, RINGS_AT);
        out(TSAD0 + 8, 4, RINGS_AT + 0x400);
        out(RDSAR, 4, how & 8 ? RINGS_AT + 0x800 : RINGS_AT);
    } else {
        out(RBSTART, 4, RX_RING);
    }
    out(ERBCR + 3, 1, CR_TE | CR_RE);
    out(RCR, 4,
        how & 16 ? RCR_AAP
                 : RCR_APM | RCR_AB | (uint32_t)(how >> 5 & 3) << 11 | (how & 128 ? RCR_WRAP : 0));
    out(IMR, 2, 0xffff);
}

static void send(struct fuzz_input *in)
{
    uint8_t how = fuzz_u8(in);
    unsigned i = how & 3;

    if (how & 4) {
        out(CONFIG5 + 1, 1, how & 8 ? TPPOLL_HPQ | TPPOLL_NPQ : TPPOLL_NPQ);
        return;
    }
    out(TSAD0 + 4 * i, 4, (uint32_t)pick_buffer(in));
    out(TSD0 + 4 * i, 4, how & 16 ? fuzz_u32(in) & 0x1fff : fuzz_u8(in));
}

static void eeprom(struct fuzz_input *in)
{
    uint32_t bits = fuzz_u32(in);

    out(CR9346, 1, EEM_PROGRAM | EECS);
    for (unsigned i = 0; i < 27; i++) {
        unsigned di = bits >> i % 32 & 1 ? EEDI : 0;

        out(CR9346, 1, EEM_PROGRAM | EECS | di);
        out(CR9346, 1, EEM_PROGRAM | EECS | EESK | di);
        (void)machine_in(&fm.m, IO + CR9346, 1);
    }
    if (bits & 1u << 30)
        out(CR9346, 1, EEM_PROGRAM);
}

/* ---- the host ---------------------------------------------------------------------------------
 */

static void host(struct fuzz_input *in)
{
    uint8_t how = fuzz_u8(in);

    switch (how & 7) {
    case 0:
        fakenet_make_room(&net, fuzz_u8(in));
        break;
    case 1:
        fakenet_set_link(&net, how & 8);
        break;
    case 2:
        net.offload = how & 8;
        break;
    case 3:
        net.send_error = how & 8 ? -ENETDOWN : 0;
        break;
    case 4:
        rtl8139_set_running(nic, how & 8);
        break;
    case 5:
        fm.m.hole_gfn = RINGS_AT / 4096 + how / 16 * 8u;
        fm.m.hole_frames = how & 8 ? 4 : 0;
        guestmem_invalidate(fm.m.env.mem);
        break;
    case 6:
        net.receive_error = how & 8 ? -EIO : 0;
        break;
    default:
        fakenet_make_room(&net, UINT32_MAX);
        rtl8139_set_running(nic, true);
    }
}

static void own_op(struct fuzz_input *in)
{
    static uint8_t packet[PACKET_MAX];
    uint8_t op = fuzz_u8(in);

    switch (op % 8) {
    case 0:
        descriptor(in);
        break;
    case 1:
        fill_ring(in);
        break;
    case 2:
        make_packet(in, ram(BUFFERS + fuzz_u8(in) * 0x3f7u % 0x20000));
        break;
    case 3:
        for (unsigned n = op / 16, len = (unsigned)make_packet(in, packet); n-- > 0;)
            fakenet_arrive(&net, packet, len);
        break;
    case 4:
        begin(in);
        break;
    case 5:
        send(in);
        break;
    case 6:
        eeprom(in);
        break;
    default:
        host(in);
    }
}

/* ---- invariants -------------------------------------------------------------------------------
 */

static void check_frames(void)
{
    static const uint8_t run[8] = {HEAP_POISON, HEAP_POISON, HEAP_POISON, HEAP_POISON,
                                   HEAP_POISON, HEAP_POISON, HEAP_POISON, HEAP_POISON};

    for (unsigned i = 0; i < net.nsent; i++) {
        const struct fakenet_frame *f = &net.sent[i];

        fuzz_require(f->len >= ETH_ZLEN && f->len <= NET_FRAME_MAX, "a frame's length");
        fuzz_require(!memmem(f->data, f->len, run, sizeof(run)), "no host memory in a frame");
        if (f->offloaded)
            fuzz_require(f->work.csum_start + f->work.csum_offset + 2u <= f->len &&
                             f->work.hdr_len < f->len && net.offload,
                         "work lies in the frame");
    }
    fakenet_forget_sent(&net);
}

static void check_line(void)
{
    bool disabled = nic->fn.state->config[PCI_COMMAND + 1] & 4;
    bool level = (nic->s->isr & nic->s->imr) && rtl8139_powered(nic) && nic->fn.present;

    fuzz_require(fm.m.intx[4][0] == (level && !disabled), "the line is a function of the state");
}

static void check(bool tampered)
{
    if (tampered)
        loop_turn(fm.m.env.loop, 0); /* TimerInt may have become due, which a load would find */
    check_line();
    fuzz_require(net.nsent <= 2 * 64 + 8, "work has a bound");
    check_frames();
    for (unsigned i = 0; i < 100 && (nic->work.queued || net.poll.queued); i++) {
        loop_turn(fm.m.env.loop, 0);
        fuzz_require(net.nsent <= 2 * 64 + 8, "a turn's work has a bound");
        check_frames();
    }
    /* Loopback onto the transmit ring goes on for ever; its driver gives up. */
    if (nic->work.queued)
        out(ERBCR + 3, 1, CR_RST);
    check_line();
}

/* ---- the world --------------------------------------------------------------------------------
 */

static void create(void)
{
    struct rtl8139_config config = {.devfn = PCI_DEVFN(4, 0), .net = &net};

    log_set_level(LOG_ERROR);
    machine_init_pci(&fm.m);
    fakenet_init(&net, fm.m.env.loop);
    memcpy(config.mac, mac, 6);
    fuzz_require(rtl8139_create(&nic, &fm.m.env, &config) == 0, "the function can be made");
    pci_config_write(fm.m.env.pci, devfns[0], PCI_BASE_ADDRESS_0, 4, IO);
    pci_config_write(fm.m.env.pci, devfns[0], PCI_BASE_ADDRESS_0 + 4, 4, MMIO);
    pci_config_write(fm.m.env.pci, devfns[0], PCI_COMMAND, 2, 7);
    fm.ports = ports;
    fm.port_count = sizeof(ports) / sizeof(ports[0]);
    fm.addresses = addresses;
    fm.address_count = 1;
    fm.devfns = devfns;
    fm.devfn_count = 1;
    fm.own_op = own_op;
    fm.check = check;
    fuzz_machine_start(&fm);
}

/* The same beginning for each input. */
static void prepare(void)
{
    if (nic && !net.attached) { /* unplugged by a state that somebody has tampered with */
        machine_fini(&fm.m);
        fakenet_fini(&net);
        free(fm.power_on);
        nic = NULL;
    }
    if (!nic)
        create();
    fakenet_fini(&net);
    net.room = UINT32_MAX;
    net.send_error = net.receive_error = 0;
    net.offload = net.blocked = false;
    net.up = true;
    if (fm.m.hole_frames)
        guestmem_invalidate(fm.m.env.mem);
    fm.m.hole_frames = 0;
    nic->tx_blocked = false;
    rtl8139_set_running(nic, true);
    memset(ram(BUFFERS), 0x5a, 0x2000);
    memset(ram(RINGS_AT), 0, 0xc00);
    fm.m.now = 1000000000;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    prepare();
    fuzz_machine_run(&fm, data, size);
    return 0;
}
