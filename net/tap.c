/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

int tap_open(const char *ifname)
{
    struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    int fd, rc;

    if (strlen(ifname) >= sizeof(ifr.ifr_name))
        return -ENAMETOOLONG;
    strcpy(ifr.ifr_name, ifname);
    fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return -errno;
    if (ioctl(fd, TUNSETIFF, &ifr)) {
        rc = -errno;
        close(fd);
        return rc;
    }
    return fd;
}
