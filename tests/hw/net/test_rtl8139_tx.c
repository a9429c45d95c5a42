/* SPDX-License-Identifier: GPL-2.0-or-later */
/* RTL8139C+: transmission in C mode and from descriptor rings, back-pressure, loopback, counters.
 */
#include <errno.h>

#include "tests/hw/net/nicrig.h"

enum { TCR_LOOP = 3 << 17 };

static void fill_buffer(uint64_t at, size_t len)
{
    static const uint8_t peer[6] = {2, 0, 0, 0, 0, 9};

    make_frame(ram(at), peer, len);
}

static void kick(void)
{
    set(REG_TPPOLL, 1, TPPOLL_NPQ);
    settle();
}

static void assert_sent(unsigned n, uint64_t at, size_t len)
{
    assert_int_equal(sent(n)->len, len);
    assert_memory_equal(sent(n)->data, ram(at), len);
}

/* ---- C mode -----------------------------------------------------------------------------------
 */

static void test_c_mode_four_descriptors(void **state)
{
    start_c_mode(0);
    for (unsigned i = 0; i < 6; i++) {
        unsigned at = TX_BUF + i * BUF_SIZE, len = 60 + i * 200;

        fill_buffer(at, len);
        set(TSAD0 + 4 * (i % 4), 4, at);
        set(TSD0 + 4 * (i % 4), 4, len | 0x30000);
        assert_sent(i, at, len);
        assert_int_equal(get(TSD0 + 4 * (i % 4), 4), TSD_OWN | TSD_TOK | 0x30000 | len);
    }
    assert_int_equal(sent(0)->pieces, 1);
    assert_int_equal(get(REG_ISR, 2), INT_TOK);
    assert_true(line());
    assert_int_equal(get(TSAD, 2), 0xf00f);
}

/* A later register waits for those before it. */
static void test_c_mode_order(void **state)
{
    start_c_mode(0);
    set(TSAD0, 4, TX_BUF);
    set(TSAD0 + 4, 4, TX_BUF + 0x1000);
    fill_buffer(TX_BUF, 64);
    fill_buffer(TX_BUF + 0x1000, 65);
    set(TSD0 + 4, 4, 65);
    assert_int_equal(rig.net.nsent, 0);
    assert_int_equal(get(TSAD, 2), 0x000d);
    set(TSD0, 4, 64);
    assert_int_equal(rig.net.nsent, 2);
    assert_sent(0, TX_BUF, 64);
    assert_sent(1, TX_BUF + 0x1000, 65);
}

static void test_c_mode_needs_the_transmitter(void **state)
{
    start_c_mode(0);
    set(REG_CR, 1, CR_RE);
    set(TSAD0, 4, TX_BUF);
    set(TSD0, 4, 64);
    assert_int_equal(rig.net.nsent, 0);
    set(REG_CR, 1, CR_RE | CR_TE);
    assert_int_equal(rig.net.nsent, 1);
}

/* T-NET-10, EtherLeak: what a short frame is filled up with is zeros. */
static void test_etherleak_short_frames_are_padded_with_zeros(void **state)
{
    uint8_t zeros[60] = {0};

    start_c_mode(0);
    for (unsigned len = 1; len < 60; len++) {
        fill_buffer(TX_BUF, 60);
        set(TSAD0 + 4 * ((len - 1) % 4), 4, TX_BUF);
        set(TSD0 + 4 * ((len - 1) % 4), 4, len);
        assert_int_equal(sent(0)->len, 60);
        assert_memory_equal(sent(0)->data, ram(TX_BUF), len);
        assert_memory_equal(sent(0)->data + len, zeros, 60 - len);
        fakenet_forget_sent(&rig.net);
    }
}

static void test_c_mode_sizes(void **state)
{
    start_c_mode(0);
    set(TSAD0, 4, TX_BUF);
    set(TSD0, 4, 0);
    assert_int_equal(rig.net.nsent, 0);
    assert_int_equal(get(TSD0, 4), TSD_OWN | TSD_TOK);
    set(TSAD0 + 4, 4, TX_BUF + 0xfff0); /* over the end of a mapping */
    fill_buffer(TX_BUF + 0xfff0, 0x1fff);
    set(TSD0 + 4, 4, 0x1fff);
    assert_sent(0, TX_BUF + 0xfff0, 0x1fff);
    assert_int_equal(sent(0)->pieces, 2);
}

static void test_back_pressure(void **state)
{
    start_c_mode(0);
    fill_buffer(TX_BUF, 100);
    rig.net.room = 1;
    for (unsigned i = 0; i < 4; i++) {
        set(TSAD0 + 4 * i, 4, TX_BUF);
        set(TSD0 + 4 * i, 4, 100);
    }
    assert_int_equal(rig.net.nsent, 1);
    assert_int_equal(get(TSAD, 2), 0x1001);
    settle();
    assert_int_equal(rig.net.nsent, 1);
    assert_null(machine_save_load(&rig.m)); /* what waits is part of the state */
    fakenet_make_room(&rig.net, 2);
    assert_int_equal(rig.net.nsent, 3);
    fakenet_make_room(&rig.net, 5);
    assert_int_equal(rig.net.nsent, 4);
    assert_int_equal(get(TSAD, 2), 0xf00f);
}

static void test_lost_frames_have_left_the_chip(void **state)
{
    start_c_mode(0);
    rig.net.send_error = -ENETDOWN;
    set(TSAD0, 4, TX_BUF);
    set(TSD0, 4, 64);
    assert_int_equal(get(TSD0, 4), TSD_OWN | TSD_TOK | 64);
    assert_int_equal(get(REG_ISR, 2), INT_TOK);
}

static void test_bus_mastering_has_to_be_on(void **state)
{
    start_c_mode(0);
    pci_config_write(rig.m.env.pci, NIC_DEVFN, PCI_COMMAND, 2, 3);
    set(TSAD0, 4, TX_BUF);
    set(TSD0, 4, 64);
    assert_int_equal(rig.net.nsent, 0);
    pci_config_write(rig.m.env.pci, NIC_DEVFN, PCI_COMMAND, 2, 7);
    assert_int_equal(rig.net.nsent, 1);
}

/* DMA reaches memory and nothing else: an address of its own registers is nothing. */
static void test_dma_into_own_bar(void **state)
{
    start_c_mode(RCR_AB);
    set(TSAD0, 4, NIC_MMIO);
    set(TSD0, 4, 64);
    assert_int_equal(rig.net.nsent, 0);
    assert_int_equal(get(REG_ISR, 2), INT_SERR);
    assert_int_equal(get(REG_CR, 1), CR_BUFE);
    /* A driver that sets it up again gets a chip that works. */
    start_c_mode(RCR_AB);
    set(TSAD0, 4, TX_BUF);
    set(TSD0, 4, 64);
    assert_int_equal(rig.net.nsent, 1);
    set(RBSTART, 4, NIC_MMIO);
    arrive((const uint8_t[6]){255, 255, 255, 255, 255, 255}, 64);
    assert_int_equal(get(REG_ISR, 2) & INT_SERR, INT_SERR);
    assert_int_equal(get(REG_CR, 1), CR_BUFE);
}

/* ---- C+ mode ----------------------------------------------------------------------------------
 */

static void test_cplus_frames(void **state)
{
    start_cplus(CPCR_CPTX);
    fill_buffer(TX_BUF, 1514);
    fill_buffer(TX_BUF + 0x1000, 42);
    tx_desc(0, DESC_FS | DESC_LS | 0x02f00000, TX_BUF, 1514, 0xdead, false);
    tx_desc(1, DESC_FS | DESC_LS, TX_BUF + 0x1000, 42, 0, true);
    kick();
    assert_int_equal(rig.net.nsent, 2);
    assert_sent(0, TX_BUF, 1514);
    assert_int_equal(sent(0)->pieces, 1); /* straight from guest memory */
    assert_int_equal(sent(1)->len, 60);
    /* T-NET-3: OWN and the error bits go, the rest stays. */
    assert_int_equal(ram32(TX_DESC), DESC_FS | DESC_LS | 1514);
    assert_int_equal(ram32(TX_DESC + 4), 0xdead);
    assert_int_equal(ram32(TX_DESC + 16), DESC_FS | DESC_LS | DESC_EOR | 42);
    assert_int_equal(get(REG_ISR, 2), INT_TOK | INT_TDU);
    assert_int_equal(get(REG_TPPOLL, 1), 0);
    /* EOR: goes on at the first. */
    tx_desc(0, DESC_FS | DESC_LS, TX_BUF, 100, 0, false);
    kick();
    assert_sent(2, TX_BUF, 100);
}

static void test_cplus_fragments(void **state)
{
    uint8_t whole[300];

    start_cplus(CPCR_CPTX);
    fill_buffer(TX_BUF, 300);
    memcpy(whole, ram(TX_BUF), 300);
    memcpy(ram(TX_BUF + 0x3000), whole + 100, 150);
    memcpy(ram(TX_BUF + 0x5001), whole + 250, 50);
    tx_desc(0, DESC_FS, TX_BUF, 100, 0, false);
    tx_desc(1, 0, TX_BUF + 0x3000, 150, 0, false);
    kick(); /* the last one is not there yet */
    assert_int_equal(rig.net.nsent, 0);
    assert_true(ram32(TX_DESC) & DESC_OWN);
    tx_desc(2, DESC_LS, TX_BUF + 0x5001, 50, 0, false);
    kick();
    assert_int_equal(sent(0)->len, 300);
    assert_memory_equal(sent(0)->data, whole, 300);
    for (unsigned i = 0; i < 3; i++)
        assert_false(ram32(TX_DESC + 16 * i) & DESC_OWN);
}

static void test_high_priority_queue_goes_first(void **state)
{
    start_cplus(CPCR_CPTX);
    fill_buffer(TX_BUF, 100);
    fill_buffer(TX_BUF + 0x1000, 200);
    tx_desc(0, DESC_FS | DESC_LS, TX_BUF, 100, 0, true);
    memcpy(ram(HI_DESC), ram(TX_DESC), 16);
    put32(HI_DESC, DESC_OWN | DESC_EOR | DESC_FS | DESC_LS | 200);
    put32(HI_DESC + 8, TX_BUF + 0x1000);
    set(REG_TPPOLL, 1, TPPOLL_HPQ | TPPOLL_NPQ);
    assert_sent(0, TX_BUF + 0x1000, 200);
    assert_sent(1, TX_BUF, 100);
    assert_false(ram32(HI_DESC) & DESC_OWN);
}

static void test_cplus_back_pressure_keeps_the_descriptor(void **state)
{
    start_cplus(CPCR_CPTX);
    fill_buffer(TX_BUF, 500);
    tx_desc(0, DESC_FS | DESC_LS, TX_BUF, 500, 0, false);
    rig.net.room = 0;
    kick();
    assert_true(ram32(TX_DESC) & DESC_OWN);
    assert_int_equal(get(REG_ISR, 2), 0);
    assert_int_equal(get(REG_TPPOLL, 1), TPPOLL_NPQ);
    fakenet_make_room(&rig.net, 1);
    assert_sent(0, TX_BUF, 500);
    assert_int_equal(get(REG_ISR, 2), INT_TOK | INT_TDU);
}

/* CVE-2016-8910: all descriptors owned by the chip and no end of the ring. */
static void test_cve_2016_8910_ring_without_an_end(void **state)
{
    start_cplus(CPCR_CPTX);
    for (unsigned i = 0; i < 64; i++)
        tx_desc(i, DESC_FS | DESC_LS, TX_BUF, 100, 0, false);
    /* T-NET-4: behind the 64th comes the first. */
    put32(TX_DESC + 16 * 64, DESC_OWN | DESC_FS | DESC_LS | 100);
    set(REG_TPPOLL, 1, TPPOLL_NPQ);
    assert_in_range(rig.net.nsent, 1, 64); /* a turn's budget */
    settle();
    assert_int_equal(rig.net.nsent, 64);
    assert_int_equal(ram32(TX_DESC + 16 * 64), DESC_OWN | DESC_FS | DESC_LS | 100);
    assert_int_equal(rig.nic->s->ring_index[0], 0);
}

/* The same with frames that never end: the whole ring is one, then a ring of one descriptor. */
static void test_cve_2016_8910_frames_without_an_end(void **state)
{
    start_cplus(CPCR_CPTX);
    for (unsigned i = 0; i < 64; i++)
        tx_desc(i, DESC_FS * (i == 0), TX_BUF, 100, 0, false);
    kick();
    assert_int_equal(rig.net.nsent, 0);
    assert_int_equal(get(REG_ISR, 2), INT_TER | INT_TDU);
    assert_int_equal(ram32(TX_DESC + 63 * 16), 100 | 1 << 23);
    start_cplus(CPCR_CPTX);
    tx_desc(0, DESC_FS, TX_BUF, 100, 0, true);
    kick();
    assert_int_equal(rig.net.nsent, 0);
    assert_int_equal(get(REG_ISR, 2), INT_TER | INT_TDU);
    assert_int_equal(ram32(TX_DESC), DESC_FS | DESC_EOR | 100 | 1 << 23);
}

/* A ring that lies in its own buffers: what is read is a copy. */
static void test_ring_in_its_own_buffer(void **state)
{
    start_cplus(CPCR_CPTX | CPCR_CPRX);
    set(RDSAR, 4, TX_DESC); /* one ring for both directions, in loopback */
    set(TCR, 4, TCR_LOOP);
    set(RCR, 4, RCR_AAP);
    for (unsigned i = 0; i < 64; i++)
        tx_desc(i, DESC_FS | DESC_LS, TX_DESC, 1024, 0, false);
    kick();
    assert_int_equal(rig.net.nsent, 0);
    assert_null(state_check(&rtl8139_desc, rig.nic->s));
}

/* CVE-2015-3209 (pcnet): frames assembled from too many pieces. */
static void test_cve_2015_3209_frame_longer_than_any(void **state)
{
    start_cplus(CPCR_CPTX);
    tx_desc(0, DESC_FS, TX_BUF, 0xffff, 0, false);
    tx_desc(1, 0, TX_BUF, 0xffff, 0, false);
    tx_desc(2, DESC_LS, TX_BUF, 0xffff, 0, false);
    tx_desc(3, DESC_FS | DESC_LS, TX_BUF, 100, 0, true);
    kick();
    assert_int_equal(rig.net.nsent, 1);
    assert_int_equal(sent(0)->len, 100);
    assert_int_equal(get(REG_ISR, 2), INT_TER | INT_TOK | INT_TDU);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(ram32(TX_DESC + 16 * i) & (DESC_OWN | 1 << 23), 1 << 23);
}

static void test_a_frame_that_begins_inside_another(void **state)
{
    start_cplus(CPCR_CPTX);
    fill_buffer(TX_BUF, 100);
    tx_desc(0, DESC_FS, TX_BUF, 100, 0, false);
    tx_desc(1, DESC_FS | DESC_LS, TX_BUF, 80, 0, true);
    kick();
    assert_int_equal(rig.net.nsent, 1);
    assert_sent(0, TX_BUF, 80);
    assert_int_equal(ram32(TX_DESC) & (DESC_OWN | 1 << 23), 1 << 23);
    assert_int_equal(ram32(TX_DESC + 16) & (DESC_OWN | 1 << 23), 0);
}

static void test_rings_where_there_is_no_memory(void **state)
{
    static const uint64_t nowhere[] = {0xfffffff0, 1ull << 40, ~0ull - 8};

    for (unsigned i = 0; i < 3; i++) {
        start_cplus(CPCR_CPTX);
        set(TSAD0, 4, (uint32_t)nowhere[i]);
        set(TSAD0 + 4, 4, (uint32_t)(nowhere[i] >> 32));
        kick();
        assert_int_equal(get(REG_ISR, 2), INT_SERR);
        start_cplus(CPCR_CPTX);
        tx_desc(0, DESC_FS | DESC_LS, nowhere[i], 100, 0, true);
        kick();
        assert_int_equal(get(REG_ISR, 2), INT_SERR);
        assert_int_equal(get(REG_CR, 1), CR_BUFE);
    }
    assert_int_equal(rig.net.nsent, 0);
}

static void test_ring_across_a_hole(void **state)
{
    start_cplus(CPCR_CPTX);
    rig.m.hole_gfn = TX_DESC >> 12;
    rig.m.hole_frames = 1;
    guestmem_invalidate(rig.m.env.mem);
    kick();
    assert_int_equal(get(REG_ISR, 2), INT_SERR);
}

static void test_kick_without_transmitter(void **state)
{
    start_cplus(CPCR_CPTX);
    set(REG_CR, 1, 0);
    tx_desc(0, DESC_FS | DESC_LS, TX_BUF, 100, 0, true);
    kick();
    assert_int_equal(get(REG_TPPOLL, 1), 0);
    set(REG_CR, 1, CR_TE);
    assert_int_equal(rig.net.nsent, 0);
    kick();
    assert_int_equal(rig.net.nsent, 1);
    /* In C mode the register is nothing. */
    start_c_mode(0);
    kick();
    assert_int_equal(get(REG_TPPOLL, 1), 0);
}

static void test_empty_descriptors(void **state)
{
    start_cplus(CPCR_CPTX);
    tx_desc(0, DESC_FS | DESC_LS, TX_BUF, 0, 0, false);
    fill_buffer(TX_BUF, 64);
    tx_desc(1, DESC_FS, TX_BUF, 64, 0, false);
    tx_desc(2, DESC_LS, TX_BUF, 0, 0, true);
    kick();
    assert_int_equal(rig.net.nsent, 1);
    assert_sent(0, TX_BUF, 64);
}

static void test_software_reset_ends_a_transmission(void **state)
{
    start_cplus(CPCR_CPTX);
    rig.net.room = 0;
    tx_desc(0, DESC_FS | DESC_LS, TX_BUF, 100, 0, true);
    kick();
    set(REG_CR, 1, CR_RST);
    fakenet_make_room(&rig.net, 10);
    settle();
    assert_int_equal(rig.net.nsent, 0);
}

/* ---- loopback ---------------------------------------------------------------------------------
 */

static void test_loopback(void **state)
{
    start_c_mode(RCR_APM);
    set(TCR, 4, TCR_LOOP);
    make_frame(ram(TX_BUF), nic_mac, 300);
    set(TSAD0, 4, TX_BUF);
    set(TSD0, 4, 300);
    assert_int_equal(rig.net.nsent, 0);
    assert_int_equal(get(REG_ISR, 2), INT_TOK | INT_ROK);
    assert_int_equal(ram32(RX_RING), 304u << 16 | 0x4001);
    assert_memory_equal(ram(RX_RING + 4), ram(TX_BUF), 300);
    /* The filter holds in the loop too, and a receiver that is off. */
    fill_buffer(TX_BUF, 300);
    set(TSAD0 + 4, 4, TX_BUF);
    set(TSD0 + 4, 4, 300);
    assert_int_equal(get(REG_CBR, 2), 308);
    set(REG_CR, 1, CR_TE);
    make_frame(ram(TX_BUF), nic_mac, 300);
    set(TSAD0 + 8, 4, TX_BUF);
    set(TSD0 + 8, 4, 300);
    assert_int_equal(get(REG_CBR, 2), 308);
    assert_int_equal(rig.net.nsent, 0);
    /* Nothing from outside meanwhile. */
    set(REG_CR, 1, CR_TE | CR_RE);
    assert_false(rig.net.want);
    set(TCR, 4, 0);
    assert_true(rig.net.want);
}

static void test_loopback_without_room(void **state)
{
    start_cplus(CPCR_CPTX | CPCR_CPRX);
    set(TCR, 4, TCR_LOOP);
    make_frame(ram(TX_BUF), nic_mac, 200);
    fill_buffer(TX_BUF + 0x1000, 200);
    tx_desc(0, DESC_FS | DESC_LS, TX_BUF, 200, 0, false);
    tx_desc(1, DESC_FS | DESC_LS, TX_BUF + 0x1000, 200, 0, false);
    tx_desc(2, DESC_FS | DESC_LS, TX_BUF, 0xff00, 0, true);
    kick();
    assert_int_equal(get(REG_ISR, 2), INT_TOK | INT_TDU | INT_RXOVW);
    assert_int_equal(get(MPC, 4), 1); /* the one that the filter lets through */
    set(MPC, 1, 0);
    assert_int_equal(get(MPC, 4), 0);
    rx_desc(0, NIC_MMIO, 1536, true);
    tx_desc(0, DESC_FS | DESC_LS, TX_BUF, 200, 0, false);
    kick();
    assert_int_equal(get(REG_ISR, 2) & INT_SERR, INT_SERR);
}

/* CVE-2015-7504 (pcnet): in loopback the FCS went behind a buffer that the frame had filled. */
static void test_cve_2015_7504_fcs_behind_a_full_buffer(void **state)
{
    for (uint32_t size = 1514; size <= 1518; size++) {
        start_cplus(CPCR_CPTX | CPCR_CPRX);
        set(TCR, 4, TCR_LOOP);
        memset(ram(RX_BUF), 0xcc, BUF_SIZE);
        make_frame(ram(TX_BUF), nic_mac, 1514);
        rx_desc(0, RX_BUF, size, true);
        tx_desc(0, DESC_FS | DESC_LS, TX_BUF, 1514, 0, true);
        kick();
        assert_int_equal(*ram(RX_BUF + size), 0xcc);
        assert_int_equal(get(MPC, 4), size < 1518);
        assert_int_equal(ram32(RX_DESC) & DESC_OWN, size < 1518 ? DESC_OWN : 0);
    }
}

/* CVE-2021-3416: loopback with a receive ring in the device's own registers, and in its transmit
 * ring: no entry happens inside another. */
static void test_cve_2021_3416_loopback(void **state)
{
    start_c_mode(RCR_AAP);
    set(TCR, 4, TCR_LOOP);
    set(RBSTART, 4, NIC_MMIO + REG_TPPOLL);
    set(TSAD0, 4, TX_BUF);
    make_frame(ram(TX_BUF), nic_mac, 1000);
    set(TSD0, 4, 1000);
    assert_int_equal(get(REG_ISR, 2) & INT_SERR, INT_SERR);
    assert_int_equal(rig.net.nsent, 0);
    start_cplus(CPCR_CPTX | CPCR_CPRX);
    set(TCR, 4, TCR_LOOP);
    set(RCR, 4, RCR_AAP);
    for (unsigned i = 0; i < 64; i++) {
        rx_desc(i, TX_DESC, 4096, false);
        tx_desc(i, DESC_FS | DESC_LS, TX_BUF, 0xc00, 0, false);
    }
    memcpy(ram(TX_BUF), ram(TX_DESC), 0xc00);
    /* Each frame writes both rings anew: it goes on, a budget each turn. */
    set(REG_TPPOLL, 1, TPPOLL_NPQ);
    for (unsigned i = 0; i < 10; i++)
        loop_turn(rig.m.env.loop, 0);
    assert_true(rig.nic->work.queued);
    assert_null(state_check(&rtl8139_desc, rig.nic->s));
    /* ... until that is more than any ring holds. */
    for (unsigned i = 0; i < 1100; i++)
        loop_turn(rig.m.env.loop, 0);
    assert_false(rig.nic->work.queued);
    assert_int_equal(get(REG_ISR, 2) & (INT_TER | INT_TDU), INT_TER | INT_TDU);
    assert_int_equal(get(REG_TPPOLL, 1), 0);
    set(REG_CR, 1, CR_RST);
    settle();
    assert_int_equal(get(REG_ISR, 2), 0);
}

/* ---- counters ---------------------------------------------------------------------------------
 */

/* T-NET-5: the dump's registers are where TSD0 and TSD1 are. */
static void test_tally_counters(void **state)
{
    start_cplus(CPCR_CPTX | CPCR_CPRX);
    rx_fill(4);
    tx_desc(0, DESC_FS | DESC_LS, TX_BUF, 100, 0, false);
    tx_desc(1, DESC_FS, TX_BUF, 100, 0, false); /* never ends */
    tx_desc(2, DESC_FS | DESC_LS, TX_BUF, 100, 0, true);
    kick();
    arrive(nic_mac, 100);
    arrive((const uint8_t[6]){255, 255, 255, 255, 255, 255}, 100);
    set(MAR0, 4, 0xffffffff);
    set(MAR4, 4, 0xffffffff);
    arrive((const uint8_t[6]){1, 0, 0x5e, 0, 0, 1}, 100);
    arrive(nic_mac, 1600); /* longer than its buffer */
    memset(ram(STATS), 0xee, 128);
    set(TSD0 + 4, 4, 0);
    set(TSD0, 4, STATS);
    assert_int_equal(ram32(STATS), 0xeeeeeeee);
    set(TSD0, 4, STATS | DTCCR_CMD);
    assert_int_equal(get(TSD0, 4), STATS);
    assert_int_equal(rig.net.nsent, 2);
    assert_int_equal(ram32(STATS + 0x00), 2);        /* TxOk */
    assert_int_equal(ram32(STATS + 0x08), 3);        /* RxOk */
    assert_int_equal(ram32(STATS + 0x10), 1);        /* TxErr */
    assert_int_equal(ram32(STATS + 0x18), 1);        /* RxErr */
    assert_int_equal(ram32(STATS + 0x1c), 1);        /* MissPkt, FAE */
    assert_int_equal(ram32(STATS + 0x28), 1);        /* RxOkPhy */
    assert_int_equal(ram32(STATS + 0x30), 1);        /* RxOkBrd */
    assert_int_equal(ram32(STATS + 0x38), 1);        /* RxOkMul */
    assert_int_equal(ram32(STATS + 0x3c), 0);        /* TxAbt, TxUndrn */
    assert_int_equal(ram32(STATS + 64), 0xeeeeeeee); /* no further */
    set(TSD0, 4, STATS | DTCCR_CMD | DTCCR_RESET);
    assert_int_equal(ram32(STATS + 0x08), 0);
    assert_int_equal(get(TSD0, 4), STATS);
    /* In C mode again the transmit registers are as they were. */
    set(CPCR, 2, 0);
    assert_int_equal(get(TSD0, 4), TSD_OWN);
}

static void test_tally_waits_for_the_bus(void **state)
{
    start_cplus(CPCR_CPTX);
    memset(ram(STATS), 0xee, 64);
    pci_config_write(rig.m.env.pci, NIC_DEVFN, PCI_COMMAND, 2, 3);
    set(TSD0, 4, STATS | DTCCR_CMD);
    assert_int_equal(get(TSD0, 4), STATS | DTCCR_CMD);
    pci_config_write(rig.m.env.pci, NIC_DEVFN, PCI_COMMAND, 2, 7);
    assert_int_equal(get(TSD0, 4), STATS);
    assert_int_equal(ram32(STATS), 0);
    set(TSD0, 4, NIC_MMIO | DTCCR_CMD);
    assert_int_equal(get(REG_ISR, 2), INT_SERR);
    assert_int_equal(get(TSD0, 4), NIC_MMIO);
}

#define T(f) cmocka_unit_test_setup_teardown(f, nicrig_setup, nicrig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_c_mode_four_descriptors),
        T(test_c_mode_order),
        T(test_c_mode_needs_the_transmitter),
        T(test_etherleak_short_frames_are_padded_with_zeros),
        T(test_c_mode_sizes),
        T(test_back_pressure),
        T(test_lost_frames_have_left_the_chip),
        T(test_bus_mastering_has_to_be_on),
        T(test_dma_into_own_bar),
        T(test_cplus_frames),
        T(test_cplus_fragments),
        T(test_high_priority_queue_goes_first),
        T(test_cplus_back_pressure_keeps_the_descriptor),
        T(test_cve_2016_8910_ring_without_an_end),
        T(test_cve_2016_8910_frames_without_an_end),
        T(test_ring_in_its_own_buffer),
        T(test_cve_2015_3209_frame_longer_than_any),
        T(test_a_frame_that_begins_inside_another),
        T(test_rings_where_there_is_no_memory),
        T(test_ring_across_a_hole),
        T(test_kick_without_transmitter),
        T(test_empty_descriptors),
        T(test_software_reset_ends_a_transmission),
        T(test_loopback),
        T(test_loopback_without_room),
        T(test_cve_2015_7504_fcs_behind_a_full_buffer),
        T(test_cve_2021_3416_loopback),
        T(test_tally_counters),
        T(test_tally_waits_for_the_bus),
    };

    return cmocka_run_group_tests_name("rtl8139 transmitter", tests, NULL, NULL);
}
