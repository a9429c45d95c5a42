/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A network link: a NIC's model on one side, a back-end (tap, socket) on the other.
 *
 * The NIC asks, the back-end answers: frames move by readv and writev between the back-end's
 * descriptor and the memory that the NIC names, which may be the guest's. Nothing here blocks, and
 * nothing is queued here: a full back-end is the NIC's back-pressure, a NIC without buffers leaves
 * frames in the back-end. Everything is called on the device thread.
 *
 * Frames are Ethernet frames without preamble and without FCS.
 */
#ifndef NET_NET_H
#define NET_NET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

/* The longest frame a NIC may send in one piece (with segmentation left to the back-end). */
#define NET_FRAME_MAX 65550u
/* The most pieces that one frame may be in; more are refused with -E2BIG. */
#define NET_IOV_MAX 256

struct net;

/* The NIC's side. */
struct net_nic {
    /*
     * Frames may be waiting. Called once a loop turn for as long as receiving is wanted and the
     * back-end has something; the NIC calls net_receive() until -EAGAIN or until its budget is
     * used.
     */
    void (*readable)(void *opaque);
    /* Called once after net_send() gave -EAGAIN: there is room again. */
    void (*writable)(void *opaque);
    /* The link went up or down (set_link); called once on attachment too. */
    void (*link_changed)(void *opaque, bool up);
    void *opaque;
};

/* Work on a frame that the back-end may be asked to do; names and meaning as in the virtio
 * specification's network header. */
struct net_offload {
    bool checksum;        /* sum from csum_start on, store at csum_start + csum_offset */
    uint16_t csum_start;  /* bytes from the start of the frame */
    uint16_t csum_offset; /* bytes from csum_start */
    uint16_t tso_mss;     /* TCP over IPv4: cut the payload into this many bytes; 0: do not */
    uint16_t hdr_len;     /* bytes of all headers, when tso_mss is given */
};

/* Copies `nic`; its opaque must live until net_detach(). */
void net_attach(struct net *net, const struct net_nic *nic);
/* No callback comes afterwards. */
void net_detach(struct net *net);

/*
 * Sends one frame. 0: taken whole. -EAGAIN: no room now, writable() will be called. Any other
 * error: this frame is lost (link down, interface gone, too long); the next one may be tried.
 */
int net_send(struct net *net, const struct iovec *iov, int count);

/* Whether net_send_offload() does the work; it is only called when this is true. */
bool net_has_offload(const struct net *net);
int net_send_offload(struct net *net, const struct iovec *iov, int count,
                     const struct net_offload *work);

/*
 * Takes one frame into the given memory. Returns its length, which is larger than the memory given
 * when the frame was cut; -EAGAIN when there is none; another error when the back-end is gone.
 */
ssize_t net_receive(struct net *net, const struct iovec *iov, int count);

/* Whether the NIC has room for frames. While it has not, the back-end's descriptor is not looked
 * at. Initially false. */
void net_want_receive(struct net *net, bool want);

bool net_link_up(const struct net *net);

#endif
