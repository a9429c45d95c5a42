/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a C+ descriptor asks to be done to a frame: VLAN tag, IPv4, TCP and UDP checksums, and large
 * send, which cuts a TCP segment into several. The headers are worked on in a copy; the payload
 * goes out from where the guest has it. A back-end that can do the work is left to do it.
 *
 * Lengths in headers are the guest's word: whatever does not agree with the frame goes out as it
 * is (CVE-2015-5165).
 */
#include <errno.h>
#include <string.h>

#include "hw/net/rtl8139_internal.h"

enum {
    DESC_LGSEN = 1 << 27, /* bits 26 to 16 are the MSS then, and not flags */
    DESC_MSS_SHIFT = 16,
    DESC_MSS_MASK = 0x7ff,
    DESC_IPCS = 1 << 18,
    DESC_UDPCS = 1 << 17,
    DESC_TCPCS = 1 << 16,
    DESC_WORK = DESC_LGSEN | DESC_IPCS | DESC_UDPCS | DESC_TCPCS,
    DESC_TAGC = 1 << 17, /* dword 1; the tag below it has its bytes in the order of the wire */

    /* Below this, headers outweigh the data: no stack asks for it. */
    MSS_MIN = 64,

    DESC_RX_TCP = 1 << 16,
    DESC_RX_UDP = 2 << 16,
    DESC_RX_IP = 3 << 16,
    DESC_RX_IPF = 1 << 15,
    DESC_RX_UDPF = 1 << 14,
    DESC_RX_TCPF = 1 << 13,
};

/* From the start of their headers. */
enum {
    IP_TOTAL_LENGTH = 2,
    IP_ID = 4,
    TCP_SEQUENCE = 4,
    TCP_FLAGS = 13,
    TCP_FIN = 0x01,
    TCP_PSH = 0x08,
    TCP_CWR = 0x80,
    TCP_CHECKSUM = 16,
    UDP_CHECKSUM = 6,
    UDP_HLEN = 8,
};

struct tx_job {
    struct rtl8139 *d;
    const struct iovec *iov; /* the frame as the guest has it */
    int count;
    size_t len;
    bool tagged;
    uint8_t tag[VLAN_HLEN];
    uint8_t headers[FRAME_HEADERS_MAX]; /* copies of the first `have` bytes */
    size_t have;
    struct ipv4_frame ip;
};

/* The first `have` bytes of `headers`, a tag between them if wanted, and bytes [from, from + len)
 * of the guest's. */
static int put_out(struct tx_job *j, uint8_t *headers, size_t have, size_t from, size_t len,
                   struct net_offload *todo)
{
    struct iovec *out = j->d->tx_iov;
    int n = 0;

    if (j->tagged) {
        out[n++] = (struct iovec){headers, VLAN_AT};
        out[n++] = (struct iovec){j->tag, VLAN_HLEN};
        out[n++] = (struct iovec){headers + VLAN_AT, have - VLAN_AT};
        if (todo) {
            todo->csum_start += VLAN_HLEN;
            todo->hdr_len = todo->hdr_len ? todo->hdr_len + VLAN_HLEN : 0;
        }
    } else {
        out[n++] = (struct iovec){headers, have};
    }
    n += iov_slice(out + n, (int)TX_IOV - n, j->iov, j->count, from, len);
    return rtl8139_wire(j->d, out, n, have + len + (j->tagged ? VLAN_HLEN : 0), todo);
}

static int put_out_whole(struct tx_job *j, size_t len, struct net_offload *todo)
{
    size_t have = j->have < len ? j->have : len;

    return put_out(j, j->headers, have, have, len - have, todo);
}

static bool back_end_works(const struct rtl8139 *d)
{
    return d->net && !rtl8139_loopback(d) && net_has_offload(d->net);
}

/* ---- checksums --------------------------------------------------------------------------------
 */

/* Where the checksum of the frame's protocol is, from the start of that header; 0: there is none
 * that could be worked out. */
static unsigned l4_checksum_at(const struct tx_job *j, uint32_t flags)
{
    if (j->ip.fragment)
        return 0;
    if ((flags & DESC_TCPCS) && j->ip.protocol == PROTOCOL_TCP && j->ip.payload)
        return TCP_CHECKSUM;
    if ((flags & DESC_UDPCS) && j->ip.protocol == PROTOCOL_UDP && j->ip.end - j->ip.l4 >= UDP_HLEN)
        return UDP_CHECKSUM;
    return 0;
}

/* The checksum over a header that is in the copy, and what follows it at the guest's. */
static void l4_checksum(struct tx_job *j, unsigned at)
{
    uint8_t *l4 = j->headers + j->ip.l4;
    size_t have = (j->have < j->ip.end ? j->have : j->ip.end) - j->ip.l4;
    size_t rest = j->ip.end - j->ip.l4 - have;
    uint64_t sum;
    uint16_t value;

    put_be16(l4 + at, 0);
    /* The copy ends at an even distance from the header, or where there is nothing more. */
    sum = inet_pseudo(j->headers, &j->ip, j->ip.end - j->ip.l4) + inet_sum(l4, have) +
          inet_sum_iov(j->iov, j->count, j->ip.l4 + have, rest);
    value = (uint16_t)~inet_fold(sum);
    put_be16(l4 + at, value == 0 && at == UDP_CHECKSUM ? 0xffff : value);
}

static int send_checksummed(struct tx_job *j, uint32_t flags)
{
    struct net_offload todo = {.checksum = true, .csum_start = (uint16_t)j->ip.l4};
    unsigned at = l4_checksum_at(j, flags);
    size_t len = j->len;

    if (flags & DESC_IPCS)
        ipv4_header_checksum(j->headers, &j->ip);
    if (at && back_end_works(j->d)) {
        /* It adds up to the end of the frame: nothing may follow the packet. */
        len = j->ip.end;
        put_be16(j->headers + j->ip.l4 + at,
                 inet_fold(inet_pseudo(j->headers, &j->ip, j->ip.end - j->ip.l4)));
        todo.csum_offset = (uint16_t)at;
        return put_out_whole(j, len, &todo);
    }
    if (at)
        l4_checksum(j, at);
    return put_out_whole(j, len, NULL);
}

/* ---- large send -------------------------------------------------------------------------------
 */

static int large_send_by_back_end(struct tx_job *j, unsigned mss)
{
    struct net_offload todo = {
        .checksum = true,
        .csum_start = (uint16_t)j->ip.l4,
        .csum_offset = TCP_CHECKSUM,
        .tso_mss = (uint16_t)mss,
        .hdr_len = (uint16_t)j->ip.payload,
    };

    ipv4_header_checksum(j->headers, &j->ip);
    put_be16(j->headers + j->ip.l4 + TCP_CHECKSUM,
             inet_fold(inet_pseudo(j->headers, &j->ip, j->ip.end - j->ip.l4)));
    return put_out(j, j->headers, j->ip.payload, j->ip.payload, j->ip.end - j->ip.payload, &todo);
}

/* Payload bytes [at, at + len) as a segment of its own. */
static int send_segment(struct tx_job *j, size_t at, size_t len, unsigned number, bool last)
{
    struct ipv4_frame ip = j->ip;
    uint8_t headers[FRAME_HEADERS_MAX], *l3 = headers + ETH_HLEN, *tcp = headers + ip.l4;
    uint64_t sum;

    memcpy(headers, j->headers, ip.payload);
    ip.end = ip.payload + (uint32_t)len;
    put_be16(l3 + IP_TOTAL_LENGTH, (uint16_t)(ip.end - ETH_HLEN));
    put_be16(l3 + IP_ID, (uint16_t)(get_be16(l3 + IP_ID) + number));
    ipv4_header_checksum(headers, &ip);
    put_be32(tcp + TCP_SEQUENCE, get_be32(tcp + TCP_SEQUENCE) + (uint32_t)at);
    if (!last)
        tcp[TCP_FLAGS] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
    if (number)
        tcp[TCP_FLAGS] &= (uint8_t)~TCP_CWR;
    put_be16(tcp + TCP_CHECKSUM, 0);
    sum = inet_pseudo(headers, &ip, ip.end - ip.l4) + inet_sum(tcp, ip.payload - ip.l4) +
          inet_sum_iov(j->iov, j->count, ip.payload + at, len);
    put_be16(tcp + TCP_CHECKSUM, (uint16_t)~inet_fold(sum));
    return put_out(j, headers, ip.payload, ip.payload + at, len, NULL);
}

static int large_send(struct tx_job *j, unsigned ring, unsigned mss)
{
    size_t payload = j->ip.end - j->ip.payload;
    uint16_t *done = &j->d->s->segmented[ring];

    if (payload <= mss)
        return send_checksummed(j, DESC_IPCS | DESC_TCPCS);
    if (mss < MSS_MIN)
        return -EINVAL;
    if (*done == 0 && back_end_works(j->d))
        return large_send_by_back_end(j, mss);
    while (*done < payload) {
        size_t len = payload - *done < mss ? payload - *done : mss;
        int rc;

        if (*done && j->d->tx_budget == 0)
            return -EAGAIN; /* the next turn goes on here */
        rc = send_segment(j, *done, len, *done / mss, *done + len == payload);
        if (rc == -EAGAIN)
            return rc;
        *done = (uint16_t)(*done + len);
    }
    return 0;
}

/* ---- both directions --------------------------------------------------------------------------
 */

static int send_worked_on(struct tx_job *j, unsigned ring, const struct cplus_desc *first)
{
    uint32_t flags = first->dw0;

    put_be16(j->tag, ETH_P_8021Q);
    memcpy(j->tag + 2, &first->dw1, 2);
    j->have = iov_read(j->iov, j->count, 0, j->headers,
                       j->len < sizeof(j->headers) ? j->len : sizeof(j->headers));
    if (!(flags & DESC_WORK) || !ipv4_parse(&j->ip, j->headers, j->have, j->len))
        return put_out_whole(j, j->len, NULL);
    if (!(flags & DESC_LGSEN))
        return send_checksummed(j, flags);
    if (!j->ip.payload)
        return put_out_whole(j, j->len, NULL);
    return large_send(j, ring, flags >> DESC_MSS_SHIFT & DESC_MSS_MASK);
}

int rtl8139_offload_send(struct rtl8139 *d, unsigned ring, const struct cplus_desc *first,
                         const struct iovec *iov, int count, size_t len)
{
    bool tagged = (first->dw1 & DESC_TAGC) && len > VLAN_AT;
    struct tx_job j;

    if (len == 0)
        return 0;
    if (!(first->dw0 & DESC_WORK) && !tagged)
        return rtl8139_wire(d, iov, count, len, NULL);
    j = (struct tx_job){.d = d, .iov = iov, .count = count, .len = len, .tagged = tagged};
    return send_worked_on(&j, ring, first);
}

uint32_t rtl8139_offload_receive(const uint8_t *headers, const struct iovec *iov, int count,
                                 size_t len)
{
    struct ipv4_frame ip;
    bool udp, good;

    if (!ipv4_parse(&ip, headers, len < RX_HEAD ? len : RX_HEAD, len))
        return 0;
    if (inet_fold(inet_sum(headers + ETH_HLEN, ip.l4 - ETH_HLEN)) != 0xffff)
        return DESC_RX_IP | DESC_RX_IPF;
    udp = ip.protocol == PROTOCOL_UDP && ip.end - ip.l4 >= UDP_HLEN;
    if (ip.fragment || (!udp && !ip.payload))
        return DESC_RX_IP;
    if (udp && get_be16(headers + ip.l4 + UDP_CHECKSUM) == 0)
        return DESC_RX_UDP; /* the sender has left it out */
    good = inet_fold(inet_pseudo(headers, &ip, ip.end - ip.l4) +
                     inet_sum_iov(iov, count, ip.l4, ip.end - ip.l4)) == 0xffff;
    if (udp)
        return good ? DESC_RX_UDP : DESC_RX_UDP | DESC_RX_UDPF;
    return good ? DESC_RX_TCP : DESC_RX_TCP | DESC_RX_TCPF;
}
