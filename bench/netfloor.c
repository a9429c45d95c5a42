/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The floor of network rows: a plain writev or readv loop on a tap, from memory that is shared as a
 * guest's is.
 *
 *     bench-netfloor send|receive INTERFACE BYTES-PER-FRAME FRAMES-PER-PASS PASSES
 *
 * Makes the interface. For "receive" each pass first puts its frames onto the wire through a packet
 * socket, which is not measured. Prints "wall=NS cpu=NS" for one frame.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define FRAME_ROOM 2048
#define HEAD       14 /* as two pieces: what a chip looks at, and the rest */

static int64_t clock_ns(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int open_tap(const char *name)
{
    struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
    int control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
    if (fd < 0 || ioctl(fd, TUNSETIFF, &ifr) || ioctl(control, SIOCGIFFLAGS, &ifr))
        return -1;
    ifr.ifr_flags |= IFF_UP;
    if (ioctl(control, SIOCSIFFLAGS, &ifr))
        return -1;
    close(control);
    return fd;
}

static int open_wire(const char *name)
{
    struct sockaddr_ll ll = {.sll_family = AF_PACKET};
    struct ifreq ifr = {0};
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

    snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
    if (fd < 0 || ioctl(fd, SIOCGIFINDEX, &ifr))
        return -1;
    ll.sll_ifindex = ifr.ifr_ifindex;
    return bind(fd, (struct sockaddr *)&ll, sizeof(ll)) ? -1 : fd;
}

static int fail(const char *what)
{
    perror(what);
    return 1;
}

int main(int argc, char **argv)
{
    int sending = argc == 6 && !strcmp(argv[1], "send"), tap, wire;
    size_t bytes = argc == 6 ? strtoul(argv[3], NULL, 0) : 0;
    long frames = argc == 6 ? atol(argv[4]) : 0, passes = argc == 6 ? atol(argv[5]) : 0;
    int64_t wall = 0, cpu = 0;
    uint8_t *memory;

    if (bytes < 60 || bytes > FRAME_ROOM || frames < 1 || passes < 1) {
        fputs("usage: bench-netfloor send|receive INTERFACE BYTES FRAMES-PER-PASS PASSES\n",
              stderr);
        return 2;
    }
    tap = open_tap(argv[2]);
    wire = tap < 0 ? -1 : open_wire(argv[2]);
    if (wire < 0)
        return fail(argv[2]);
    memory = mmap(NULL, (size_t)frames * FRAME_ROOM, PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return fail("mmap");
    for (long i = 0; i < frames; i++) {
        memset(memory + i * FRAME_ROOM, 0xff, bytes);
        memcpy(memory + i * FRAME_ROOM + 12, "\x88\xb5", 2);
    }
    /* Pass -1 fills page tables and caches. */
    for (long pass = -1; pass < passes; pass++) {
        int64_t wall0, cpu0;

        for (long i = 0; !sending && i < frames; i++)
            if (send(wire, memory + i * FRAME_ROOM, bytes, 0) != (ssize_t)bytes)
                return fail("send");
        wall0 = clock_ns(CLOCK_MONOTONIC);
        cpu0 = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
        for (long i = 0; i < frames; i++) {
            struct iovec iov[2] = {{memory + i * FRAME_ROOM, HEAD},
                                   {memory + i * FRAME_ROOM + HEAD, bytes - HEAD}};
            ssize_t n = sending ? writev(tap, iov, 2) : readv(tap, iov, 2);

            if (n < 0 && !(errno == EAGAIN && !sending))
                return fail(argv[1]);
        }
        if (pass >= 0) {
            wall += clock_ns(CLOCK_MONOTONIC) - wall0;
            cpu += clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu0;
        }
    }
    printf("wall=%lld cpu=%lld\n", (long long)(wall / (frames * passes)),
           (long long)(cpu / (frames * passes)));
    return 0;
}
