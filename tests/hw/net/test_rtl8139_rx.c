/* SPDX-License-Identifier: GPL-2.0-or-later */
/* RTL8139C+: reception into the C mode ring and into descriptors, filters, throttling. */
#include <errno.h>

#include "tests/hw/net/nicrig.h"

static const uint8_t broadcast[6] = {255, 255, 255, 255, 255, 255};
static const uint8_t other[6] = {0x00, 0x16, 0x3e, 0x44, 0x55, 0x66};
static const uint8_t group[6] = {0x01, 0x00, 0x5e, 0x00, 0x00, 0x01};

/* A byte of the ring, which may have gone round. */
static void ring_bytes(uint8_t *to, uint32_t at, size_t len, uint32_t size)
{
    for (size_t i = 0; i < len; i++)
        to[i] = *ram(RX_RING + (at + i) % size);
}

/* Reads the frame at `*at` as a driver does and moves on. */
static void expect_frame(uint32_t *at, uint32_t size, const uint8_t to[6], size_t len,
                         uint16_t status)
{
    static uint8_t expected[5000], found[5000];
    uint8_t header[4];
    uint32_t sum;

    ring_bytes(header, *at, 4, size);
    assert_int_equal(header[0] | header[1] << 8, status | 1);
    assert_int_equal(header[2] | header[3] << 8, len + 4);
    make_frame(expected, to, len);
    ring_bytes(found, *at + 4, len + 4, size);
    assert_memory_equal(found, expected, len);
    sum = slow_fcs(expected, len);
    assert_memory_equal(found + len, &sum, 4);
    *at = (*at + (uint32_t)len + 8 + 3) % size & ~3u;
}

/* ---- C mode ring ------------------------------------------------------------------------------
 */

static void test_ring_frames(void **state)
{
    uint32_t at = 0;

    start_c_mode(RCR_APM | RCR_AB);
    assert_true(rig.net.want);
    assert_int_equal(get(REG_CR, 1) & CR_BUFE, CR_BUFE);
    arrive(nic_mac, 60);
    arrive(broadcast, 1514);
    arrive(nic_mac, 61);
    assert_int_equal(get(REG_CR, 1) & CR_BUFE, 0);
    assert_int_equal(get(REG_ISR, 2), INT_ROK);
    assert_true(line());
    expect_frame(&at, 8192, nic_mac, 60, 0x4000);
    expect_frame(&at, 8192, broadcast, 1514, 0x2000);
    expect_frame(&at, 8192, nic_mac, 61, 0x4000);
    assert_int_equal(get(REG_CBR, 2), at);
    set(CAPR, 2, at - 16);
    assert_int_equal(get(REG_CR, 1) & CR_BUFE, CR_BUFE);
    assert_int_equal(get(CAPR, 2), (uint16_t)(at - 16));
}

/* T-NET-10 */
static void test_short_frames_are_padded(void **state)
{
    uint8_t arp[42], expected[60] = {0};

    start_c_mode(RCR_APM);
    make_frame(arp, nic_mac, 42);
    memcpy(expected, arp, 42);
    fakenet_arrive(&rig.net, arp, 42);
    settle();
    assert_int_equal(ram32(RX_RING) >> 16, 64);
    assert_memory_equal(ram(RX_RING + 4), expected, 60);
    fakenet_arrive(&rig.net, arp, 0);
    settle();
    assert_int_equal(get(REG_CBR, 2), 68);
}

/* Every size, around the end of the ring, with and without WRAP. */
static void wrap(uint32_t rcr, uint32_t size, bool linear)
{
    uint32_t at = 0;

    start_c_mode(RCR_APM | rcr);
    for (unsigned i = 0; i < 400; i++) {
        size_t len = 60 + (i * 37) % 1455;
        uint32_t before = at;

        memset(ram(RX_RING + size), 0xcc, 4096);
        arrive(nic_mac, len);
        if (linear && at + len + 8 > size) {
            static uint8_t expected[2000];

            make_frame(expected, nic_mac, len);
            assert_memory_equal(ram(RX_RING + at + 4), expected, len);
            at = (uint32_t)(at + len + 8 + 3) % size & ~3u;
        } else {
            expect_frame(&at, size, nic_mac, len, 0x4000);
            if (!linear)
                assert_int_equal(*ram(RX_RING + size), 0xcc);
        }
        assert_int_equal(*ram(RX_RING + size + 16 + 1536), 0xcc);
        assert_int_equal(get(REG_CBR, 2), at);
        assert_true(at < size && before != at);
        set(CAPR, 2, (uint16_t)(at - 16));
    }
}

static void test_wrap_of_each_size(void **state)
{
    wrap(0 << 11, 8192, false);
    wrap(1 << 11, 16384, false);
    wrap(2 << 11, 32768, false);
    wrap(3 << 11, 65536, false);
}

static void test_linear_beyond_the_end(void **state)
{
    wrap(RCR_WRAP | 0 << 11, 8192, true);
    wrap(RCR_WRAP | 1 << 11, 16384, true);
    wrap(RCR_WRAP | 3 << 11, 65536, false); /* not with the largest */
}

/* What a driver has behind its ring is 16 + 1536 bytes: a frame that needs more is lost. */
static void test_linear_is_bounded(void **state)
{
    start_c_mode(RCR_APM | RCR_WRAP);
    memset(ram(RX_RING + 8192), 0xcc, 8192);
    for (unsigned i = 0; i < 5; i++) {
        arrive(nic_mac, 1514);
        set(CAPR, 2, get(REG_CBR, 2) - 16);
    }
    arrive(nic_mac, 520);
    set(CAPR, 2, get(REG_CBR, 2) - 16);
    assert_int_equal(get(REG_CBR, 2), 8148);
    arrive(nic_mac, 2500);
    assert_int_equal(get(REG_ISR, 2), INT_ROK | INT_RXOVW);
    assert_int_equal(get(MPC, 4), 1);
    assert_int_equal(*ram(RX_RING + 8192 + 16 + 1536), 0xcc);
    assert_int_equal(get(REG_CBR, 2), 8148);
    arrive(nic_mac, 1514);
    assert_int_equal(get(REG_CBR, 2), (8148 + 1524) % 8192);
}

/* T-NET-8: never so full that it looks empty; T-NET-9: CAPR brings the rest. */
static void test_full_ring_throttles(void **state)
{
    uint32_t at = 0;

    start_c_mode(RCR_APM);
    for (unsigned i = 0; i < 10; i++)
        arrive(nic_mac, 1514);
    assert_int_equal(rig.net.nwaiting, 5);
    assert_false(rig.net.want);
    assert_int_equal(get(REG_CR, 1) & CR_BUFE, 0);
    assert_int_equal(get(MPC, 4), 0);
    assert_int_equal(get(REG_ISR, 2), INT_ROK);
    for (unsigned i = 0; i < 10; i++) {
        expect_frame(&at, 8192, nic_mac, 1514, 0x4000);
        set(CAPR, 2, at - 16);
        settle();
    }
    assert_int_equal(rig.net.nwaiting, 0);
    assert_true(rig.net.want);
    assert_int_equal(get(REG_CR, 1) & CR_BUFE, CR_BUFE);
}

static void test_receiver_toggle_begins_anew(void **state)
{
    start_c_mode(RCR_APM);
    for (unsigned i = 0; i < 7; i++)
        arrive(nic_mac, 1514);
    set(REG_CR, 1, CR_TE);
    assert_false(rig.net.want);
    arrive(nic_mac, 100);
    set(REG_CR, 1, CR_TE | CR_RE);
    assert_int_equal(get(REG_CBR, 2), 0);
    assert_int_equal(get(CAPR, 2), 0xfff0);
    /* What came while it was off is gone, as on the wire. */
    settle();
    assert_int_equal(get(REG_CBR, 2), 0);
    assert_int_equal(rig.net.nwaiting, 0);
    arrive(nic_mac, 100);
    assert_int_equal(get(REG_CBR, 2), 108);
}

/* T-NET-7: a filter changes in the middle of traffic, the ring does not. */
static void test_filter_changes_keep_the_ring(void **state)
{
    start_c_mode(RCR_APM);
    arrive(nic_mac, 100);
    set(RCR, 1, RCR_APM | RCR_AAP);
    assert_int_equal(get(REG_CBR, 2), 108);
    set(RCR, 4, RCR_APM | 1 << 11); /* another size does */
    assert_int_equal(get(REG_CBR, 2), 0);
    arrive(nic_mac, 100);
    set(REG_CR, 1, 0);
    set(RCR, 4, RCR_APM | 1 << 11); /* and so does a receiver that is off */
    assert_int_equal(get(REG_CBR, 2), 0);
}

/* CVE-2015-5278, CVE-2015-5279, CVE-2015-8743 (ne2000): pointers of a ring come from the guest. */
static void test_cve_2015_5279_ring_pointers_from_the_guest(void **state)
{
    start_c_mode(RCR_APM);
    for (unsigned capr = 0; capr < 65536; capr += 251) {
        set(CAPR, 2, capr);
        fakenet_arrive(&rig.net, ram(TX_BUF), 1514);
        arrive(nic_mac, 1514);
        assert_true(rig.nic->s->rx_read < 8192 && rig.nic->s->rx_write < 8192);
        assert_null(state_check(&rtl8139_desc, rig.nic->s));
    }
    set(CAPR, 1, 0x34);
    assert_int_equal(get(CAPR, 1), 0x34);
}

/* CVE-2012-6075 (e1000), CVE-2018-17958: frames longer than the receiver ever takes. */
static void test_cve_2012_6075_oversize_frames(void **state)
{
    start_c_mode(RCR_APM | 3 << 11);
    arrive(nic_mac, 4092);
    assert_int_equal(get(REG_CBR, 2), 4100);
    arrive(nic_mac, 4093);
    arrive(nic_mac, 9000);
    arrive(nic_mac, 65535);
    assert_int_equal(get(REG_CBR, 2), 4100);
    assert_int_equal(get(MPC, 4), 3);
    assert_int_equal(get(REG_ISR, 2), INT_ROK | INT_RXOVW);
}

static void test_cve_2018_17958_oversize_frames_in_cplus_mode(void **state)
{
    start_cplus(CPCR_CPRX);
    rx_desc(0, RX_BUF, 0x1fff, true);
    memset(ram(RX_BUF), 0xcc, 0x4000);
    arrive(nic_mac, 65535);
    arrive(nic_mac, 0x1fff - 3);
    assert_true(ram32(RX_DESC) & DESC_OWN);
    assert_int_equal(get(MPC, 4), 2);
    assert_int_equal(*ram(RX_BUF + 0x1fff), 0xcc);
    arrive(nic_mac, 0x1fff - 4);
    assert_int_equal(ram32(RX_DESC) & 0x1fff, 0x1fff);
    assert_int_equal(*ram(RX_BUF + 0x1fff), 0xcc);
}

/* CVE-2015-7512 (pcnet): a frame as long as its buffer, and the FCS behind it. */
static void test_cve_2015_7512_frame_as_long_as_its_buffer(void **state)
{
    for (size_t len = 1500; len <= 1540; len++) {
        start_cplus(CPCR_CPRX);
        memset(ram(RX_BUF), 0xcc, BUF_SIZE);
        rx_fill(1);
        arrive(nic_mac, len);
        assert_int_equal(*ram(RX_BUF + 1536), 0xcc);
        assert_int_equal(get(MPC, 4), len + 4 > 1536);
    }
}

/* ---- filter -----------------------------------------------------------------------------------
 */

static unsigned accepted(uint32_t rcr, const uint8_t to[6])
{
    uint32_t status;

    start_c_mode(rcr);
    memset(ram(RX_RING), 0, 4);
    arrive(to, 64);
    status = ram32(RX_RING) & 0xffff;
    assert_int_equal(get(REG_CR, 1) & CR_BUFE, status ? 0 : CR_BUFE);
    assert_int_equal(get(REG_ISR, 2), status ? INT_ROK : 0);
    return status;
}

static void test_filters(void **state)
{
    set(MAR0, 4, 0);
    set(MAR4, 4, 0);
    assert_int_equal(accepted(0, nic_mac), 0);
    assert_int_equal(accepted(RCR_APM, nic_mac), 0x4001);
    assert_int_equal(accepted(RCR_APM, other), 0);
    assert_int_equal(accepted(RCR_AM | RCR_AB, nic_mac), 0);
    assert_int_equal(accepted(RCR_AB, broadcast), 0x2001);
    assert_int_equal(accepted(RCR_APM | RCR_AM, broadcast), 0);
    assert_int_equal(accepted(RCR_AM, group), 0);
    assert_int_equal(accepted(RCR_AAP, nic_mac), 0x4001);
    assert_int_equal(accepted(RCR_AAP, other), 0x0001);
    assert_int_equal(accepted(RCR_AAP, broadcast), 0x2001);
    assert_int_equal(accepted(RCR_AAP, group), 0x0001);
}

/* 01:00:5e:00:00:01 is bit 31, 33:33:00:00:00:01 bit 12... of the hash that Linux's ether_crc()
 * gives; worked out here from the standard's bits. */
static unsigned hash_of(const uint8_t address[6])
{
    uint32_t crc = UINT32_MAX;

    for (unsigned i = 0; i < 6; i++)
        for (unsigned bit = 0; bit < 8; bit++)
            crc = crc << 1 ^ (((crc >> 31) ^ (address[i] >> bit & 1)) ? 0x04c11db7u : 0);
    return crc >> 26;
}

static void test_multicast_hash(void **state)
{
    uint8_t address[6] = {0x33, 0x33, 0, 0, 0, 0};

    assert_int_equal(hash_of(group), 31);
    for (unsigned i = 0; i < 100; i++) {
        unsigned hash;

        address[5] = (uint8_t)i;
        hash = hash_of(address);
        set(MAR0, 4, hash < 32 ? 1u << hash : 0);
        set(MAR4, 4, hash < 32 ? 0 : 1u << (hash - 32));
        assert_int_equal(accepted(RCR_AM, address), 0x8001);
        assert_int_equal(accepted(RCR_APM | RCR_AB, address), 0);
        set(MAR0, 4, hash < 32 ? ~(1u << hash) : ~0u);
        set(MAR4, 4, hash < 32 ? ~0u : ~(1u << (hash - 32)));
        assert_int_equal(accepted(RCR_AM, address), 0);
    }
}

/* What is filtered out changes nothing that the driver looks at. */
static void test_filtered_frames_leave_no_trace(void **state)
{
    uint8_t before[64];

    start_cplus(CPCR_CPRX);
    rx_fill(4);
    memcpy(before, ram(RX_DESC), 64);
    for (unsigned i = 0; i < 100; i++)
        arrive(other, 1514);
    assert_memory_equal(ram(RX_DESC), before, 64);
    assert_int_equal(get(REG_ISR, 2) | get(MPC, 4), 0);
}

/* ---- C+ descriptors ---------------------------------------------------------------------------
 */

static void expect_descriptor(unsigned i, const uint8_t to[6], size_t len, uint32_t flags)
{
    static uint8_t expected[9000];
    uint64_t buffer = RX_BUF + i * BUF_SIZE;
    uint32_t sum;

    make_frame(expected, to, len);
    assert_int_equal(ram32(RX_DESC + 16 * i), DESC_FS | DESC_LS | flags | (len + 4));
    assert_memory_equal(ram(buffer), expected, len);
    sum = slow_fcs(expected, len);
    assert_memory_equal(ram(buffer + len), &sum, 4);
}

static void test_cplus_frames(void **state)
{
    start_cplus(CPCR_CPRX);
    set(MAR0, 4, 0xffffffff);
    set(MAR4, 4, 0xffffffff);
    rx_fill(4);
    arrive(nic_mac, 64);
    arrive(broadcast, 1514);
    arrive(group, 145);
    arrive(nic_mac, 143);
    expect_descriptor(0, nic_mac, 64, 1 << 25);
    expect_descriptor(1, broadcast, 1514, 1 << 24);
    expect_descriptor(2, group, 145, 1 << 26);
    expect_descriptor(3, nic_mac, 143, 1 << 25 | DESC_EOR);
    assert_int_equal(get(REG_ISR, 2), INT_ROK);
    rx_fill(4);
    arrive(nic_mac, 500);
    expect_descriptor(0, nic_mac, 500, 1 << 25); /* round the end */
}

static void test_cplus_buffers_anywhere(void **state)
{
    uint8_t expected[1514];

    start_cplus(CPCR_CPRX);
    make_frame(expected, nic_mac, 1514);
    rx_desc(0, RX_BUF + 0xff01, 1536, false); /* over the end of a mapping */
    rx_desc(1, RX_BUF + 0x20000, 64, false);  /* for the shortest */
    rx_desc(2, RX_BUF + 0x30000, 0, false);
    rx_desc(3, RX_BUF + 0x30000, 1536, true);
    arrive(nic_mac, 1514);
    assert_memory_equal(ram(RX_BUF + 0xff01), expected, 1514);
    arrive(nic_mac, 61); /* does not fit: lost */
    arrive(nic_mac, 60);
    assert_int_equal(get(MPC, 4), 1);
    assert_int_equal(ram32(RX_DESC + 16) & 0x1fff, 64);
    arrive(nic_mac, 60); /* an empty buffer holds nothing */
    assert_int_equal(get(MPC, 4), 2);
    assert_true(ram32(RX_DESC + 32) & DESC_OWN);
}

/* T-NET-4 */
static void test_ring_of_64_without_an_end(void **state)
{
    start_cplus(CPCR_CPRX);
    for (unsigned i = 0; i < 65; i++)
        rx_desc(i, RX_BUF + i * BUF_SIZE, 1536, false);
    for (unsigned i = 0; i < 66; i++)
        arrive(nic_mac, 64);
    assert_false(ram32(RX_DESC + 16 * 63) & DESC_OWN);
    assert_true(ram32(RX_DESC + 16 * 64) & DESC_OWN);
    assert_int_equal(rig.nic->s->rx_index, 0);
    assert_int_equal(rig.net.nwaiting, 2);
}

/* Without descriptors frames wait outside; any look at the chip, or time, finds new ones. */
static void test_no_descriptors(void **state)
{
    start_cplus(CPCR_CPRX);
    rx_fill(2);
    for (unsigned i = 0; i < 5; i++)
        arrive(nic_mac, 64 + i);
    assert_int_equal(rig.net.nwaiting, 3);
    assert_false(rig.net.want);
    assert_int_equal(get(REG_ISR, 2), INT_ROK | INT_RXOVW);
    assert_int_equal(get(MPC, 4), 0);
    set(REG_ISR, 2, 0xffff);
    settle();
    assert_false(rig.net.want);
    assert_int_equal(get(REG_ISR, 2), 0); /* told once */
    rx_fill(2);
    set(IMR, 2, 0xffff); /* as at the end of a poll */
    assert_true(rig.net.want);
    settle();
    assert_int_equal(rig.net.nwaiting, 1);
    rx_fill(2);
    (void)get(REG_ISR, 2);
    settle();
    assert_int_equal(rig.net.nwaiting, 0);
    expect_descriptor(0, nic_mac, 68, 1 << 25);
}

static void test_no_descriptors_and_nobody_looks(void **state)
{
    start_cplus(CPCR_CPRX);
    arrive(nic_mac, 64);
    machine_advance(&rig.m, 10000000);
    assert_int_equal(rig.net.nwaiting, 1);
    rx_fill(2);
    machine_advance(&rig.m, 20000000);
    assert_int_equal(rig.net.nwaiting, 0);
    expect_descriptor(0, nic_mac, 64, 1 << 25);
    /* Rarer and rarer: a second apart at last. */
    arrive(nic_mac, 64);
    arrive(nic_mac, 64);
    for (unsigned i = 0; i < 100; i++)
        machine_advance(&rig.m, 100000000);
    assert_true(rig.nic->starve_timer.deadline > rig.m.now);
    assert_true(rig.nic->starve_timer.deadline <= rig.m.now + 1100000000);
    set(REG_CR, 1, CR_RST);
    assert_false(timer_armed(&rig.nic->starve_timer));
}

static void test_descriptors_where_there_is_no_memory(void **state)
{
    start_cplus(CPCR_CPRX);
    set(RDSAR_HIGH, 4, 0x100);
    arrive(nic_mac, 64);
    assert_int_equal(get(REG_ISR, 2), INT_SERR);
    assert_int_equal(get(REG_CR, 1), CR_BUFE);
    start_cplus(CPCR_CPRX);
    rx_desc(0, 0xfffffffffffff000, 1536, true);
    arrive(nic_mac, 64);
    assert_int_equal(get(REG_ISR, 2), INT_SERR);
    assert_true(ram32(RX_DESC) & DESC_OWN);
}

/* A buffer on the ring itself: the descriptor that is given back is the one that was read. */
static void test_buffer_on_the_ring(void **state)
{
    start_cplus(CPCR_CPRX);
    for (unsigned i = 0; i < 64; i++)
        rx_desc(i, RX_DESC, 1536, i == 63);
    for (unsigned i = 0; i < 200; i++)
        arrive(nic_mac, 1024 + i % 64);
    assert_null(state_check(&rtl8139_desc, rig.nic->s));
}

static void test_log_dirty(void **state)
{
    start_cplus(CPCR_CPRX);
    rx_fill(2);
    guestmem_set_log_dirty(rig.m.env.mem, true);
    arrive(nic_mac, 64);
    assert_true(rig.m.modified_calls >= 2); /* the buffer, the page with the descriptor */
}

/* ---- budget, the end of a back-end ------------------------------------------------------------
 */

static void test_budget(void **state)
{
    uint8_t frame[64];

    start_c_mode(RCR_APM | 3 << 11);
    make_frame(frame, nic_mac, 64);
    for (unsigned i = 0; i < 200; i++)
        fakenet_arrive(&rig.net, frame, 64);
    loop_turn(rig.m.env.loop, 0);
    assert_int_equal(rig.net.nwaiting, 136);
    settle();
    assert_int_equal(rig.net.nwaiting, 0);
    assert_int_equal(get(REG_CBR, 2), 200 * 72);
}

static void test_back_end_is_gone(void **state)
{
    start_c_mode(RCR_APM);
    rig.net.receive_error = -EIO;
    arrive(nic_mac, 64);
    assert_int_equal(get(REG_CBR, 2), 0);
    assert_int_equal(get(REG_ISR, 2), 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, nicrig_setup, nicrig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_ring_frames),
        T(test_short_frames_are_padded),
        T(test_wrap_of_each_size),
        T(test_linear_beyond_the_end),
        T(test_linear_is_bounded),
        T(test_full_ring_throttles),
        T(test_receiver_toggle_begins_anew),
        T(test_filter_changes_keep_the_ring),
        T(test_cve_2015_5279_ring_pointers_from_the_guest),
        T(test_cve_2012_6075_oversize_frames),
        T(test_cve_2018_17958_oversize_frames_in_cplus_mode),
        T(test_cve_2015_7512_frame_as_long_as_its_buffer),
        T(test_filters),
        T(test_multicast_hash),
        T(test_filtered_frames_leave_no_trace),
        T(test_cplus_frames),
        T(test_cplus_buffers_anywhere),
        T(test_ring_of_64_without_an_end),
        T(test_no_descriptors),
        T(test_no_descriptors_and_nobody_looks),
        T(test_descriptors_where_there_is_no_memory),
        T(test_buffer_on_the_ring),
        T(test_log_dirty),
        T(test_budget),
        T(test_back_end_is_gone),
    };

    return cmocka_run_group_tests_name("rtl8139 receiver", tests, NULL, NULL);
}
