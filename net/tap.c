/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tap interfaces of the host (Linux, Documentation/networking/tuntap.rst).
 *
 * The interface lives as long as the descriptor. It is neither set up nor put into a bridge here:
 * the toolstack's scripts do that once they find it, and may rename it meanwhile, so that its name
 * is never looked up again. After an unplug it stays for them, without a carrier.
 *
 * Where the kernel can, a header goes before each frame (the virtio specification's, 10 bytes), by
 * which checksums and segmentation of frames that the guest sends are left to the host, which often
 * needs neither. Frames to the guest come complete: no other offload is asked for.
 */
#include "net/link.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "dm/log.h"

struct tap {
    struct net net;
    bool header; /* struct virtio_net_hdr before each frame */
    /* Of the call in progress; too long to be cleared on the stack for each frame. */
    struct iovec iov[NET_IOV_MAX + 2];
};

static struct tap *tap_of(struct net *net)
{
    return (struct tap *)net;
}

/* The interface has been taken away, by whoever may. */
static void tap_trouble(struct net *net)
{
    log_guest("netdev %s: the interface is gone; the guest's cable is out", net->name);
    net_lost(net);
}

static int tap_error(struct net *net, int error)
{
    if (error == EBADFD && net->fd >= 0)
        tap_trouble(net);
    return error == EINTR ? -EAGAIN : -error;
}

/* ---- frames --------------------------------------------------------------------------------- */

static struct virtio_net_hdr header_of(const struct net_offload *work)
{
    struct virtio_net_hdr header = {0};

    if (work && work->checksum) {
        header.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
        header.csum_start = work->csum_start;
        header.csum_offset = work->csum_offset;
    }
    if (work && work->tso_mss) {
        header.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
        header.gso_size = work->tso_mss;
        header.hdr_len = work->hdr_len;
    }
    return header;
}

static int tap_send(struct net *net, const struct iovec *iov, int count, size_t len,
                    const struct net_offload *work)
{
    struct virtio_net_hdr header = header_of(work);
    struct tap *tap = tap_of(net);
    ssize_t n;

    if (tap->header) {
        tap->iov[0] = (struct iovec){&header, sizeof(header)};
        memcpy(tap->iov + 1, iov, (size_t)count * sizeof(*iov));
        n = writev(net->fd, tap->iov, count + 1);
    } else {
        n = writev(net->fd, iov, count);
    }
    return n < 0 ? tap_error(net, errno) : 0;
}

/* The kernel does not say that it has cut a frame: one byte more than there is room for does. */
static ssize_t tap_receive(struct net *net, const struct iovec *iov, int count)
{
    struct virtio_net_hdr header;
    struct tap *tap = tap_of(net);
    uint8_t one_more;
    int n = 0;
    ssize_t got;

    if (tap->header)
        tap->iov[n++] = (struct iovec){&header, sizeof(header)};
    memcpy(tap->iov + n, iov, (size_t)count * sizeof(*iov));
    n += count;
    tap->iov[n++] = (struct iovec){&one_more, 1};
    got = readv(net->fd, tap->iov, n);
    if (got < 0)
        return tap_error(net, errno);
    if (tap->header)
        got -= (ssize_t)sizeof(header);
    return got < 0 ? 0 : got;
}

/* Kernels before 5.0 have no such switch; their interface just stays up. */
static void tap_link(struct net *net, bool up)
{
    int carrier = up;

    if (net->fd >= 0)
        ioctl(net->fd, TUNSETCARRIER, &carrier);
}

static void tap_destroy(struct net *net)
{
    net_fini(net);
    free(net);
}

static const struct net_backend plain_backend = {
    .kind = "tap",
    .send = tap_send,
    .receive = tap_receive,
    .trouble = tap_trouble,
    .link = tap_link,
    .destroy = tap_destroy,
};

static const struct net_backend header_backend = {
    .kind = "tap",
    .offload = true,
    .send = tap_send,
    .receive = tap_receive,
    .trouble = tap_trouble,
    .link = tap_link,
    .destroy = tap_destroy,
};

/* ---- making --------------------------------------------------------------------------------- */

/* Returns the descriptor or -errno after logging why. */
static int open_interface(const struct net_config *config)
{
    const char *ifname = config->ifname ? config->ifname : "tap%d"; /* the kernel's choice */
    struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    unsigned features = 0;
    int fd, rc;

    if (strlen(ifname) >= sizeof(ifr.ifr_name)) {
        log_error("-netdev tap,id=%s,ifname=%s: the name is too long", config->name, ifname);
        return -EINVAL;
    }
    strcpy(ifr.ifr_name, ifname);
    fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        rc = -errno;
        log_error("-netdev tap,id=%s,ifname=%s: cannot open /dev/net/tun: %s", config->name, ifname,
                  strerror(-rc));
        return rc;
    }
    if (ioctl(fd, TUNGETFEATURES, &features) == 0)
        ifr.ifr_flags |= (short)(features & IFF_VNET_HDR);
    if (ioctl(fd, TUNSETIFF, &ifr)) {
        rc = -errno;
        log_error("-netdev tap,id=%s,ifname=%s: cannot make the interface: %s", config->name,
                  ifname, strerror(-rc));
        close(fd);
        return rc;
    }
    if (!config->ifname)
        log_info("netdev %s: the interface is %s", config->name, ifr.ifr_name);
    return fd;
}

/* A descriptor that somebody else has made has to be what we take it for. */
static int check_descriptor(int fd, const char *name, bool *header)
{
    struct ifreq ifr = {0};
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || ioctl(fd, TUNGETIFF, &ifr) || !(ifr.ifr_flags & IFF_TAP) ||
        !(ifr.ifr_flags & IFF_NO_PI)) {
        log_error("-netdev tap,id=%s: descriptor %d is not a tap without packet information", name,
                  fd);
        return -EINVAL;
    }
    if (fcntl(fd, F_SETFL, flags | O_NONBLOCK) || fcntl(fd, F_SETFD, FD_CLOEXEC))
        return -errno;
    *header = ifr.ifr_flags & IFF_VNET_HDR;
    return 0;
}

/* Plain frames to the guest, headers of the length that we send. */
static int set_header(int fd)
{
    int size = sizeof(struct virtio_net_hdr);

    return ioctl(fd, TUNSETVNETHDRSZ, &size) || ioctl(fd, TUNSETOFFLOAD, 0) ? -errno : 0;
}

int net_tap_create(struct net **out, struct loop *loop, const struct net_config *config)
{
    int fd = config->fd >= 0 ? config->fd : open_interface(config);
    bool header = false;
    struct tap *tap;
    int rc;

    if (fd < 0)
        return fd;
    rc = check_descriptor(fd, config->name, &header);
    if (!rc && header)
        rc = set_header(fd);
    tap = malloc(sizeof(*tap));
    if (!rc && !tap)
        rc = -ENOMEM;
    if (!rc) {
        tap->header = header;
        rc = net_init(&tap->net, header ? &header_backend : &plain_backend, loop, config->name);
    }
    if (!rc) {
        rc = net_connected(&tap->net, fd);
        if (rc)
            net_fini(&tap->net);
    }
    if (rc) {
        if (config->fd < 0)
            close(fd);
        free(tap);
        return rc;
    }
    *out = &tap->net;
    return 0;
}
