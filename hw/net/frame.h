/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a NIC has to know of frames: FCS, headers of IPv4, TCP and UDP, their checksums, and lists
 * of pieces of memory. Bytes that are looked at twice are the caller's own copies. */
#ifndef HW_NET_FRAME_H
#define HW_NET_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

enum {
    ETH_ALEN = 6,
    ETH_HLEN = 14,
    ETH_ZLEN = 60, /* shortest frame, without FCS */
    ETH_FCS_LEN = 4,
    VLAN_HLEN = 4,
    VLAN_AT = 12, /* where a tag stands */

    ETH_P_IP = 0x0800,
    ETH_P_8021Q = 0x8100,

    PROTOCOL_TCP = 6,
    PROTOCOL_UDP = 17,
};

/* The longest headers: Ethernet, IPv4 and TCP with all options. */
#define FRAME_HEADERS_MAX (ETH_HLEN + 60u + 60u)

static inline uint16_t get_be16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t get_be32(const uint8_t *p)
{
    return (uint32_t)get_be16(p) << 16 | get_be16(p + 2);
}

static inline void put_le32(uint8_t *p, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        p[i] = (uint8_t)(value >> 8 * i);
}

static inline void put_be16(uint8_t *p, uint16_t value)
{
    p[0] = (uint8_t)(value >> 8);
    p[1] = (uint8_t)value;
}

static inline void put_be32(uint8_t *p, uint32_t value)
{
    put_be16(p, (uint16_t)(value >> 16));
    put_be16(p + 2, (uint16_t)value);
}

/* ---- lists of pieces --------------------------------------------------------------------------
 */

/* Describes bytes [offset, offset + len) of a list in `to`, which has room for `max` pieces; what
 * does not fit or is not there is left out. Returns the number of pieces. */
int iov_slice(struct iovec *to, int max, const struct iovec *from, int count, size_t offset,
              size_t len);
/* Goes over the pieces of bytes [offset, offset + len) of a list. */
struct iov_range {
    const struct iovec *iov;
    int count;
    size_t offset, len; /* what is left, the offset from the start of iov[0] */
};

/* Takes the next piece: its length, its start in *piece; 0 at the end of the range or the list. */
static inline size_t iov_range_next(struct iov_range *range, uint8_t **piece)
{
    size_t here = 0;

    for (; range->len > 0 && range->count > 0 && !here; range->iov++, range->count--) {
        if (range->offset >= range->iov->iov_len) {
            range->offset -= range->iov->iov_len;
            continue;
        }
        *piece = (uint8_t *)range->iov->iov_base + range->offset;
        here = range->iov->iov_len - range->offset;
        if (here > range->len)
            here = range->len;
        range->len -= here;
        range->offset = 0;
    }
    return here;
}

/* Copy; return how many bytes there were. */
size_t iov_read(const struct iovec *iov, int count, size_t offset, void *buf, size_t len);
size_t iov_write(const struct iovec *iov, int count, size_t offset, const void *buf, size_t len);

/* ---- frame check sequence ---------------------------------------------------------------------
 */

struct fcs_table {
    uint32_t byte[8][256];
    bool fold; /* the processor multiplies without carries; a test may clear it */
};

void fcs_init(struct fcs_table *table);
/* The FCS of bytes [offset, offset + len) of a list; its low byte goes first. */
uint32_t fcs_of(const struct fcs_table *table, const struct iovec *iov, int count, size_t offset,
                size_t len);
/* Bit 0..63 of the multicast hash for a destination address. */
unsigned fcs_hash(const struct fcs_table *table, const uint8_t address[ETH_ALEN]);

/* ---- IPv4 -------------------------------------------------------------------------------------
 */

/* Where things are in an untagged IPv4 frame, from its start. */
struct ipv4_frame {
    uint8_t protocol; /* PROTOCOL_TCP, ... */
    bool fragment;
    uint32_t l4;      /* behind the IP header */
    uint32_t payload; /* behind the TCP header; 0 when there is no sound one */
    uint32_t end;     /* behind the IP packet; the frame may go on with padding */
};

/*
 * Looks at the first `have` bytes of a frame of `len` bytes. False: not an untagged IPv4 frame
 * whose lengths agree with each other and with the frame.
 */
bool ipv4_parse(struct ipv4_frame *f, const uint8_t *headers, size_t have, size_t len);

/* Ones' complement sums that are not folded yet: they may be added to each other. */
uint64_t inet_sum(const void *data, size_t len);
uint64_t inet_sum_iov(const struct iovec *iov, int count, size_t offset, size_t len);
/* The sum of the pseudo-header for `l4_len` bytes behind the IP header. */
uint64_t inet_pseudo(const uint8_t *headers, const struct ipv4_frame *f, size_t l4_len);
/* The 16 bits that such a sum is, not complemented. */
uint16_t inet_fold(uint64_t sum);
/* Makes the IP header's checksum right. */
void ipv4_header_checksum(uint8_t *headers, const struct ipv4_frame *f);

#endif
