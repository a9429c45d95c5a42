/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lists of pieces of memory; headers of IPv4, TCP and UDP (RFC 791, 793, 768) and the Internet
 * checksum (RFC 1071).
 */
#include "hw/net/frame.h"

#include <endian.h>
#include <string.h>

/* ---- lists of pieces --------------------------------------------------------------------------
 */

int iov_slice(struct iovec *to, int max, const struct iovec *from, int count, size_t offset,
              size_t len)
{
    struct iov_range range = {from, count, offset, len};
    uint8_t *piece;
    size_t here;
    int n = 0;

    while (n < max && (here = iov_range_next(&range, &piece)) > 0)
        to[n++] = (struct iovec){piece, here};
    return n;
}

size_t iov_read(const struct iovec *iov, int count, size_t offset, void *buf, size_t len)
{
    struct iov_range range = {iov, count, offset, len};
    size_t done = 0, here;
    uint8_t *piece;

    for (; (here = iov_range_next(&range, &piece)) > 0; done += here)
        memcpy((uint8_t *)buf + done, piece, here);
    return done;
}

size_t iov_write(const struct iovec *iov, int count, size_t offset, const void *buf, size_t len)
{
    struct iov_range range = {iov, count, offset, len};
    size_t done = 0, here;
    uint8_t *piece;

    for (; (here = iov_range_next(&range, &piece)) > 0; done += here)
        memcpy(piece, (const uint8_t *)buf + done, here);
    return done;
}

/* ---- IPv4 -------------------------------------------------------------------------------------
 */

enum {
    IP_VERSION_IHL = ETH_HLEN,
    IP_TOTAL_LENGTH = ETH_HLEN + 2,
    IP_FRAGMENT = ETH_HLEN + 6,
    IP_PROTOCOL = ETH_HLEN + 9,
    IP_CHECKSUM = ETH_HLEN + 10,
    IP_ADDRESSES = ETH_HLEN + 12,
    IP_HLEN = 20,
    IP_MORE_FRAGMENTS_AND_OFFSET = 0x3fff,
    TCP_DATA_OFFSET = 12,
    TCP_HLEN = 20,
};

bool ipv4_parse(struct ipv4_frame *f, const uint8_t *headers, size_t have, size_t len)
{
    unsigned ihl, total;

    if (have > len)
        have = len;
    if (have < ETH_HLEN + IP_HLEN || get_be16(headers + VLAN_AT) != ETH_P_IP ||
        headers[IP_VERSION_IHL] >> 4 != 4)
        return false;
    ihl = 4u * (headers[IP_VERSION_IHL] & 15);
    total = get_be16(headers + IP_TOTAL_LENGTH);
    if (ihl < IP_HLEN || total < ihl || total > len - ETH_HLEN || have < ETH_HLEN + ihl)
        return false;
    *f = (struct ipv4_frame){
        .protocol = headers[IP_PROTOCOL],
        .fragment = get_be16(headers + IP_FRAGMENT) & IP_MORE_FRAGMENTS_AND_OFFSET,
        .l4 = ETH_HLEN + ihl,
        .end = ETH_HLEN + total,
    };
    if (f->protocol == PROTOCOL_TCP && !f->fragment && f->end - f->l4 >= TCP_HLEN &&
        have >= f->l4 + TCP_HLEN) {
        unsigned offset = 4u * (headers[f->l4 + TCP_DATA_OFFSET] >> 4);

        if (offset >= TCP_HLEN && offset <= f->end - f->l4 && have >= f->l4 + offset)
            f->payload = f->l4 + offset;
    }
    return true;
}

/* Sums are of words as the host loads them: the order of bytes does not matter before the end. */
uint64_t inet_sum(const void *data, size_t len)
{
    const uint8_t *p = data;
    uint64_t sum = 0, high = 0;

    for (; len >= 8; p += 8, len -= 8) {
        uint64_t word;

        memcpy(&word, p, 8);
        sum += word & UINT32_MAX;
        high += word >> 32;
    }
    sum += high;
    for (; len >= 2; p += 2, len -= 2) {
        uint16_t word;

        memcpy(&word, p, 2);
        sum += word;
    }
    if (len)
        sum += htobe16((uint16_t)(*p << 8));
    return sum;
}

static uint16_t fold(uint64_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

uint16_t inet_fold(uint64_t sum)
{
    return be16toh(fold(sum));
}

uint64_t inet_sum_iov(const struct iovec *iov, int count, size_t offset, size_t len)
{
    struct iov_range range = {iov, count, offset, len};
    uint64_t sum = 0;
    bool odd = false;
    uint8_t *piece;
    size_t here;

    while ((here = iov_range_next(&range, &piece)) > 0) {
        uint64_t part = inet_sum(piece, here);

        /* A piece that begins in the middle of a word has its bytes the other way round. */
        sum += odd ? __builtin_bswap16(fold(part)) : part;
        odd ^= here & 1;
    }
    return sum;
}

uint64_t inet_pseudo(const uint8_t *headers, const struct ipv4_frame *f, size_t l4_len)
{
    return inet_sum(headers + IP_ADDRESSES, 8) + htobe16(f->protocol) + htobe16((uint16_t)l4_len);
}

void ipv4_header_checksum(uint8_t *headers, const struct ipv4_frame *f)
{
    put_be16(headers + IP_CHECKSUM, 0);
    put_be16(headers + IP_CHECKSUM,
             (uint16_t)~inet_fold(inet_sum(headers + ETH_HLEN, f->l4 - ETH_HLEN)));
}
