/* SPDX-License-Identifier: GPL-2.0-or-later */
/* RTL8139C+: VLAN tags, IPv4, TCP and UDP checksums of both directions, large send. */
#include <errno.h>

#include "tests/hw/net/nicrig.h"

enum {
    TAGC = 1 << 17, /* dword 1 */
    LGSEN = 1 << 27,
    IPCS = 1 << 18,
    UDPCS = 1 << 17,
    TCPCS = 1 << 16,
    WHOLE = DESC_FS | DESC_LS,
    TES = 1 << 23,

    L4 = 34, /* in a frame without IP options */
};

/* RFC 1071, a word at a time. */
static uint16_t sum_of(const uint8_t *p, size_t len, uint32_t sum)
{
    for (size_t i = 0; i < len; i++)
        sum += i & 1 ? p[i] : (uint32_t)p[i] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

static uint16_t pseudo_of(const uint8_t *frame, size_t l4_len)
{
    return sum_of(frame + 26, 8, frame[23] + (uint32_t)l4_len);
}

/* Both sums of an untagged IPv4 frame are right; its length is what IP says. */
static void assert_sums(const uint8_t *f, size_t len)
{
    size_t ihl = 4 * (f[14] & 15u), total = be16_at(f + 16);

    assert_true(total + 14 <= len);
    assert_int_equal(sum_of(f + 14, ihl, 0), 0xffff);
    assert_int_equal(sum_of(f + 14 + ihl, total - ihl, pseudo_of(f, total - ihl)), 0xffff);
}

/* An IPv4 frame with wrong sums. `options`: bytes in both headers. */
static void make_packet(uint8_t *f, uint8_t protocol, size_t len, unsigned options)
{
    static const uint8_t peer[6] = {2, 0, 0, 0, 0, 9};
    uint8_t *l4 = f + L4 + options;

    make_frame(f, peer, len);
    put_be16(f + 12, 0x0800);
    f[14] = (uint8_t)(0x45 + options / 4);
    put_be16(f + 16, (uint16_t)(len - 14));
    put_be16(f + 18, 0x1234);
    put_be16(f + 20, 0x4000); /* do not fragment */
    f[23] = protocol;
    put_be16(f + 24, 0xbad0);
    if (protocol == PROTOCOL_TCP) {
        put_be32(l4 + 4, 0xfffffff0);
        l4[12] = (uint8_t)(0x50 + (options << 2));
        l4[13] = 0x80 | 0x10 | 0x08 | 0x01; /* CWR ACK PSH FIN */
        put_be16(l4 + 16, 0xbad1);
    } else {
        put_be16(l4 + 4, (uint16_t)(len - L4 - options));
        put_be16(l4 + 6, 0xbad1);
    }
}

static void send(uint32_t flags, uint64_t buffer, size_t len, uint32_t dw1)
{
    fakenet_forget_sent(&rig.net);
    start_cplus(CPCR_CPTX);
    tx_desc(0, WHOLE | flags, buffer, (uint32_t)len, dw1, true);
    set(REG_TPPOLL, 1, TPPOLL_NPQ);
    settle();
}

static void assert_unmodified(uint64_t buffer, size_t len)
{
    assert_int_equal(rig.net.nsent, 1);
    assert_memory_equal(sent(0)->data, ram(buffer), len);
    assert_false(sent(0)->offloaded);
}

/* ---- checksums --------------------------------------------------------------------------------
 */

static void test_checksums(void **state)
{
    for (unsigned options = 0; options <= 40; options += 20)
        for (size_t len = 60 + 2 * options; len <= 1514; len += 1 + len / 3) {
            uint64_t buffer = TX_BUF + 0xffe0 - len / 2; /* in two pieces somewhere */

            make_packet(ram(buffer), PROTOCOL_TCP, len, options);
            send(IPCS | TCPCS, buffer, len, 0);
            assert_int_equal(sent(0)->len, len);
            assert_sums(sent(0)->data, len);
            make_packet(ram(buffer), PROTOCOL_UDP, len, options);
            send(IPCS | UDPCS, buffer, len, 0);
            assert_sums(sent(0)->data, len);
        }
}

static void test_only_what_is_asked_for(void **state)
{
    make_packet(ram(TX_BUF), PROTOCOL_TCP, 100, 0);
    send(IPCS, TX_BUF, 100, 0);
    assert_int_equal(sum_of(sent(0)->data + 14, 20, 0), 0xffff);
    assert_int_equal(be16_at(sent(0)->data + L4 + 16), 0xbad1);
    send(TCPCS, TX_BUF, 100, 0);
    assert_int_equal(be16_at(sent(0)->data + 24), 0xbad0);
    assert_int_not_equal(be16_at(sent(0)->data + L4 + 16), 0xbad1);
    send(UDPCS, TX_BUF, 100, 0); /* not UDP */
    assert_unmodified(TX_BUF, 100);
    make_packet(ram(TX_BUF), PROTOCOL_UDP, 100, 0);
    send(TCPCS, TX_BUF, 100, 0);
    assert_unmodified(TX_BUF, 100);
    make_packet(ram(TX_BUF), 1, 100, 0);
    send(IPCS | TCPCS | UDPCS, TX_BUF, 100, 0);
    assert_int_equal(sum_of(sent(0)->data + 14, 20, 0), 0xffff);
    assert_memory_equal(sent(0)->data + L4, ram(TX_BUF + L4), 100 - L4);
    make_packet(ram(TX_BUF), PROTOCOL_UDP, 100, 0);
    put_be16(ram(TX_BUF + 20), 0x2000); /* more fragments */
    send(UDPCS, TX_BUF, 100, 0);
    assert_unmodified(TX_BUF, 100);
}

/* A UDP sum of 0 would say that there is none. */
static void test_udp_sum_of_zero(void **state)
{
    uint8_t *f = ram(TX_BUF);

    make_packet(f, PROTOCOL_UDP, 100, 0);
    send(UDPCS, TX_BUF, 100, 0);
    put_be16(f + 98, (uint16_t)(be16_at(f + 98) + be16_at(sent(0)->data + L4 + 6)));
    if (be16_at(f + 98) < be16_at(sent(0)->data + L4 + 6))
        put_be16(f + 98, (uint16_t)(be16_at(f + 98) + 1)); /* the carry comes round */
    send(UDPCS, TX_BUF, 100, 0);
    assert_int_equal(be16_at(sent(0)->data + L4 + 6), 0xffff);
    assert_int_equal(sum_of(sent(0)->data + L4, 66, pseudo_of(sent(0)->data, 66)), 0xffff);
}

/* CVE-2015-5165: lengths in headers that do not agree with the frame. */
static void test_cve_2015_5165_lengths_from_the_guest(void **state)
{
    static const struct {
        uint16_t at, value;
        uint8_t size;
    } lies[] = {
        {14, 0x44, 1},      {14, 0x40, 1},   {14, 0x65, 1},      {14, 0x05, 1},   {16, 19, 2},
        {16, 0, 2},         {16, 0xffff, 2}, {16, 87, 2},        {12, 0x86dd, 2}, {12, 0x8100, 2},
        {L4 + 12, 0x40, 1}, {L4 + 12, 0, 1}, {L4 + 12, 0xf0, 1},
    };

    for (unsigned i = 0; i < sizeof(lies) / sizeof(lies[0]); i++)
        for (unsigned large = 0; large < 2; large++) {
            make_packet(ram(TX_BUF), PROTOCOL_TCP, 60 + 40, 0);
            if (lies[i].size == 2)
                put_be16(ram(TX_BUF + lies[i].at), lies[i].value);
            else
                *ram(TX_BUF + lies[i].at) = (uint8_t)lies[i].value;
            if (lies[i].at == L4 + 12 && lies[i].value == 0xf0)
                put_be16(ram(TX_BUF + 16), 60);
            for (unsigned offload = 0; offload < 2; offload++) {
                rig.net.offload = offload;
                send(large ? LGSEN | 64u << 16 : TCPCS, TX_BUF, 100, 0);
                assert_unmodified(TX_BUF, 100);
            }
        }
    /* Every length that cuts a header. */
    make_packet(ram(TX_BUF), PROTOCOL_TCP, 300, 40);
    for (size_t len = 1; len < 134; len++) {
        send(LGSEN | 100u << 16, TX_BUF, len, TAGC);
        assert_int_equal(rig.net.nsent, 1);
        assert_false(sent(0)->offloaded);
    }
    make_packet(ram(TX_BUF), PROTOCOL_UDP, 100, 0);
    put_be16(ram(TX_BUF + 16), 27);
    send(UDPCS, TX_BUF, 100, 0);
    assert_unmodified(TX_BUF, 100);
}

static void test_checksum_by_the_back_end(void **state)
{
    const struct fakenet_frame *f;

    rig.net.offload = true;
    make_packet(ram(TX_BUF), PROTOCOL_TCP, 1000, 0);
    put_be16(ram(TX_BUF + 16), 900); /* something follows the packet: not to be added up */
    send(IPCS | TCPCS, TX_BUF, 1000, 0);
    f = sent(0);
    assert_true(f->offloaded && f->work.checksum);
    assert_int_equal(f->work.csum_start, L4);
    assert_int_equal(f->work.csum_offset, 16);
    assert_int_equal(f->work.tso_mss, 0);
    assert_int_equal(f->len, 914);
    assert_int_equal(be16_at(f->data + L4 + 16), pseudo_of(f->data, 880));
    assert_int_equal(sum_of(f->data + 14, 20, 0), 0xffff);
    assert_memory_equal(f->data + L4 + 20, ram(TX_BUF + L4 + 20), 914 - L4 - 20);
    make_packet(ram(TX_BUF), PROTOCOL_UDP, 61, 0);
    send(UDPCS, TX_BUF, 61, TAGC | 0x6400);
    f = sent(0);
    assert_int_equal(f->len, 65);
    assert_int_equal(f->work.csum_start, L4 + 4);
    assert_int_equal(f->work.csum_offset, 6);
    assert_memory_equal(f->data + 12, "\x81\x00\x00\x64\x08\x00", 6);
    /* In the loop there is nobody to do it. */
    set(REG_CR, 1, CR_RST);
    start_cplus(CPCR_CPTX | CPCR_CPRX);
    set(TCR, 4, 3 << 17);
    set(RCR, 4, RCR_AAP);
    rx_fill(1);
    tx_desc(0, WHOLE | UDPCS | IPCS, TX_BUF, 61, 0, true);
    set(REG_TPPOLL, 1, TPPOLL_NPQ);
    assert_int_equal(rig.net.nsent, 1);
    assert_sums(ram(RX_BUF), 61);
}

/* ---- tags -------------------------------------------------------------------------------------
 */

static void test_tags_are_put_in(void **state)
{
    uint8_t expected[1518];

    for (size_t len = 14; len <= 1514; len += 75) {
        make_frame(ram(TX_BUF), nic_mac, len);
        memset(expected, 0, sizeof(expected));
        memcpy(expected, ram(TX_BUF), 12);
        memcpy(expected + 12, "\x81\x00\x61\x23", 4);
        memcpy(expected + 16, ram(TX_BUF + 12), len - 12);
        send(0, TX_BUF, len, TAGC | 0x2361);
        assert_int_equal(sent(0)->len, len + 4 < 60 ? 60 : len + 4);
        assert_memory_equal(sent(0)->data, expected, sent(0)->len);
    }
    send(0, TX_BUF, 12, TAGC);
    assert_unmodified(TX_BUF, 12);
    /* With sums: as without a tag, and then the tag. */
    make_packet(ram(TX_BUF), PROTOCOL_TCP, 700, 0);
    send(IPCS | TCPCS, TX_BUF, 700, TAGC | 0x0100);
    memcpy(expected, sent(0)->data, 12);
    memcpy(expected + 12, sent(0)->data + 16, 688);
    assert_sums(expected, 700);
}

/* ---- large send -------------------------------------------------------------------------------
 */

/* The segments of a frame of `len` bytes that is at `buffer`. */
static void assert_segments(uint64_t buffer, size_t len, unsigned options, unsigned mss)
{
    const uint8_t *whole = ram(buffer);
    size_t headers = L4 + 20 + 2 * options, at = 0, payload = len - headers;
    unsigned count = (unsigned)((payload + mss - 1) / mss);

    assert_int_equal(rig.net.nsent, count);
    for (unsigned i = 0; i < count; i++) {
        const struct fakenet_frame *f = sent(i);
        size_t n = payload - at < mss ? payload - at : mss;
        const uint8_t *tcp = f->data + L4 + options;
        bool last = i == count - 1;

        assert_int_equal(be16_at(f->data + 16), headers - 14 + n);
        assert_sums(f->data, f->len);
        assert_int_equal(be16_at(f->data + 18), 0x1234 + i);
        assert_int_equal(get_be32(tcp + 4), 0xfffffff0u + (uint32_t)at);
        assert_int_equal(tcp[13], 0x10 | (i ? 0 : 0x80) | (last ? 0x09 : 0));
        assert_memory_equal(f->data + headers, whole + headers + at, n);
        at += n;
    }
    assert_int_equal(ram32(TX_DESC) & (DESC_OWN | TES), 0);
}

/* T-NET-1: the descriptor's MSS, not the MTU; T-NET-2: its low bits are not flags. */
static void test_large_send(void **state)
{
    static const unsigned sizes[] = {64, 65, 536, 1000, 1448, 1460, 2047};

    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        for (unsigned options = 0; options <= 20; options += 20) {
            size_t headers = L4 + 20 + 2 * options;

            for (unsigned segments = 2; segments < 5; segments++)
                for (int more = -1; more <= 1; more++) {
                    size_t len = headers + segments * sizes[i] + (size_t)more;

                    make_packet(ram(TX_BUF), PROTOCOL_TCP, len, options);
                    send(LGSEN | sizes[i] << 16, TX_BUF, len, 0);
                    assert_segments(TX_BUF, len, options, sizes[i]);
                }
        }
}

static void test_large_send_of_the_largest(void **state)
{
    make_packet(ram(TX_BUF), PROTOCOL_TCP, 65535, 0);
    send(LGSEN | 1460u << 16, TX_BUF, 65535, 0);
    assert_segments(TX_BUF, 65535, 0, 1460);
    /* With the shortest segments: one budget a turn. */
    fakenet_forget_sent(&rig.net);
    start_cplus(CPCR_CPTX);
    tx_desc(0, WHOLE | LGSEN | 64u << 16, TX_BUF, 65535, 0, true);
    set(REG_TPPOLL, 1, TPPOLL_NPQ);
    assert_in_range(rig.net.nsent, 1, 65);
    assert_true(ram32(TX_DESC) & DESC_OWN);
    assert_null(machine_save_load(&rig.m)); /* in the middle of it */
    settle();
    assert_segments(TX_BUF, 65535, 0, 64);
}

static void test_large_send_that_fits(void **state)
{
    make_packet(ram(TX_BUF), PROTOCOL_TCP, 500, 0);
    send(LGSEN | 1460u << 16, TX_BUF, 500, 0);
    assert_int_equal(rig.net.nsent, 1);
    assert_sums(sent(0)->data, 500);
    assert_int_equal(sent(0)->data[L4 + 13], 0x99);
}

static void test_large_send_under_back_pressure(void **state)
{
    make_packet(ram(TX_BUF), PROTOCOL_TCP, 20000, 0);
    rig.net.room = 3;
    send(LGSEN | 1000u << 16, TX_BUF, 20000, 0);
    assert_int_equal(rig.net.nsent, 3);
    assert_true(ram32(TX_DESC) & DESC_OWN);
    for (unsigned i = 0; i < 20; i++)
        fakenet_make_room(&rig.net, 1);
    assert_segments(TX_BUF, 20000, 0, 1000);
    /* Not taken up by the next frame, nor after a reset. */
    rig.net.room = 3;
    send(LGSEN | 1000u << 16, TX_BUF, 20000, 0);
    set(REG_CR, 1, CR_RST);
    fakenet_make_room(&rig.net, UINT32_MAX);
    send(LGSEN | 1000u << 16, TX_BUF, 20000, 0);
    assert_segments(TX_BUF, 20000, 0, 1000);
}

/* A frame that the guest makes shorter while it goes out ends where it stands. */
static void test_large_send_shrinks(void **state)
{
    make_packet(ram(TX_BUF), PROTOCOL_TCP, 20000, 0);
    rig.net.room = 10;
    send(LGSEN | 1000u << 16, TX_BUF, 20000, 0);
    put_be16(ram(TX_BUF + 16), 5000);
    fakenet_make_room(&rig.net, 100);
    assert_int_equal(rig.net.nsent, 10);
    assert_false(ram32(TX_DESC) & DESC_OWN);
    assert_int_equal(rig.nic->s->segmented[0], 0);
}

/* MSS of zero, or so small that headers outweigh the data. */
static void test_mss_zero_or_tiny(void **state)
{
    make_packet(ram(TX_BUF), PROTOCOL_TCP, 3000, 0);
    for (unsigned mss = 0; mss < 64; mss++) {
        send(LGSEN | mss << 16, TX_BUF, 3000, 0);
        assert_int_equal(rig.net.nsent, 0);
        assert_int_equal(get(REG_ISR, 2), INT_TER | INT_TDU);
        assert_int_equal(ram32(TX_DESC) & (DESC_OWN | TES), TES);
    }
    make_packet(ram(TX_BUF), PROTOCOL_TCP, 60, 0);
    put_be16(ram(TX_BUF + 16), 40); /* no payload at all */
    send(LGSEN, TX_BUF, 60, 0);
    assert_int_equal(rig.net.nsent, 1);
}

static void test_large_send_by_the_back_end(void **state)
{
    const struct fakenet_frame *f;

    rig.net.offload = true;
    make_packet(ram(TX_BUF), PROTOCOL_TCP, 9000, 20);
    send(LGSEN | 1400u << 16, TX_BUF, 9000, 0);
    assert_int_equal(rig.net.nsent, 1);
    f = sent(0);
    assert_int_equal(f->len, 9000);
    assert_int_equal(f->work.tso_mss, 1400);
    assert_int_equal(f->work.hdr_len, L4 + 20 + 40);
    assert_int_equal(f->work.csum_start, L4 + 20);
    assert_int_equal(f->work.csum_offset, 16);
    assert_int_equal(be16_at(f->data + L4 + 20 + 16), pseudo_of(f->data, 9000 - L4 - 20));
    assert_int_equal(sum_of(f->data + 14, 40, 0), 0xffff);
    send(LGSEN | 1400u << 16, TX_BUF, 9000, TAGC | 0x0500);
    f = sent(0);
    assert_int_equal(f->len, 9004);
    assert_int_equal(f->work.hdr_len, L4 + 20 + 40 + 4);
    assert_int_equal(f->work.csum_start, L4 + 20 + 4);
}

/* ---- VLAN, checksums --------------------------------------------------------------------------
 */

static void test_vlan_tags_are_taken_out(void **state)
{
    static const size_t sizes[] = {60, 64, 139, 140, 141, 143, 144, 145, 147, 148, 149, 1518};
    uint8_t tagged[1518], plain[1518];

    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        size_t len = sizes[i];
        uint32_t sum;

        start_cplus(CPCR_CPRX | CPCR_RXVLAN);
        rx_fill(2);
        make_frame(tagged, nic_mac, len);
        memcpy(tagged + 12, "\x81\x00\x61\x23", 4);
        memcpy(plain, tagged, 12);
        memcpy(plain + 12, tagged + 16, len - 16);
        fakenet_arrive(&rig.net, tagged, len);
        settle();
        assert_int_equal(ram32(RX_DESC), DESC_FS | DESC_LS | 1 << 25 | len);
        assert_int_equal(ram32(RX_DESC + 4), 1 << 16 | 0x2361);
        assert_memory_equal(ram(RX_BUF), plain, len - 4);
        sum = slow_fcs(plain, len - 4);
        assert_memory_equal(ram(RX_BUF + len - 4), &sum, 4);
        /* The next one has none. */
        arrive(nic_mac, 100);
        assert_int_equal(ram32(RX_DESC + 16 + 4), 0);
    }
    start_cplus(CPCR_CPRX);
    rx_fill(2);
    fakenet_arrive(&rig.net, tagged, 1518);
    settle();
    assert_int_equal(ram32(RX_DESC) & 0x1fff, 1522);
    assert_int_equal(ram32(RX_DESC + 4), 0);
    assert_memory_equal(ram(RX_BUF), tagged, 1518);
}

/* An IPv4 frame of `len` bytes; returns it with right sums. */
static void make_ipv4(uint8_t *f, uint8_t protocol, size_t len)
{
    struct ipv4_frame ip;
    struct iovec iov = {f, len};
    size_t at = protocol == PROTOCOL_TCP ? 16 : 6;

    make_frame(f, nic_mac, len);
    put_be16(f + 12, 0x0800);
    f[14] = 0x45;
    put_be16(f + 16, (uint16_t)(len - 14));
    put_be16(f + 20, 0);
    f[23] = protocol;
    f[46] = 0x50;
    assert_true(ipv4_parse(&ip, f, len, len));
    ipv4_header_checksum(f, &ip);
    put_be16(f + 34 + at, 0);
    put_be16(f + 34 + at, (uint16_t)~inet_fold(inet_pseudo(f, &ip, len - 34) +
                                               inet_sum_iov(&iov, 1, 34, len - 34)));
}

static uint32_t checks_of(const uint8_t *frame, size_t len)
{
    start_cplus(CPCR_CPRX | CPCR_RXCHKSUM);
    rx_desc(0, RX_BUF + 0xff81, 1536, true); /* in two pieces */
    fakenet_arrive(&rig.net, frame, len);
    settle();
    assert_false(ram32(RX_DESC) & DESC_OWN);
    return ram32(RX_DESC) >> 13 & 0x1f;
}

enum { IS_TCP = 1 << 3, IS_UDP = 2 << 3, IS_IP = 3 << 3, IPF = 4, UDPF = 2, TCPF = 1 };

static void test_received_checksums(void **state)
{
    uint8_t f[1514];

    for (size_t len = 60; len < 1514; len += 97) {
        make_ipv4(f, PROTOCOL_TCP, len);
        assert_int_equal(checks_of(f, len), IS_TCP);
        f[len - 1] ^= 0x10;
        assert_int_equal(checks_of(f, len), IS_TCP | TCPF);
        make_ipv4(f, PROTOCOL_UDP, len);
        assert_int_equal(checks_of(f, len), IS_UDP);
        f[len - 1] ^= 0x10;
        assert_int_equal(checks_of(f, len), IS_UDP | UDPF);
        put_be16(f + 40, 0);
        assert_int_equal(checks_of(f, len), IS_UDP);
        f[24] ^= 1;
        assert_int_equal(checks_of(f, len), IS_IP | IPF);
        make_ipv4(f, 1, len);
        assert_int_equal(checks_of(f, len), IS_IP);
    }
    make_ipv4(f, PROTOCOL_TCP, 100);
    f[46] = 0x40; /* a header that is too short */
    assert_int_equal(checks_of(f, 100), IS_IP);
    make_frame(f, nic_mac, 100);
    assert_int_equal(checks_of(f, 100), 0);
    make_ipv4(f, PROTOCOL_UDP, 100);
    put_be16(f + 20, 0x2000); /* more fragments */
    put_be16(f + 24, (uint16_t)(be16_at(f + 24) - 0x2000));
    assert_int_equal(checks_of(f, 100), IS_IP);
    make_ipv4(f, PROTOCOL_TCP, 100);
    put_be16(f + 16, 87); /* longer than the frame */
    assert_int_equal(checks_of(f, 100), 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, nicrig_setup, nicrig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_checksums),
        T(test_only_what_is_asked_for),
        T(test_udp_sum_of_zero),
        T(test_cve_2015_5165_lengths_from_the_guest),
        T(test_checksum_by_the_back_end),
        T(test_tags_are_put_in),
        T(test_large_send),
        T(test_large_send_of_the_largest),
        T(test_large_send_that_fits),
        T(test_large_send_under_back_pressure),
        T(test_large_send_shrinks),
        T(test_mss_zero_or_tiny),
        T(test_large_send_by_the_back_end),
        T(test_vlan_tags_are_taken_out),
        T(test_received_checksums),
    };

    return cmocka_run_group_tests_name("rtl8139 offload", tests, NULL, NULL);
}
