/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The floor of disk transfers: a plain pread or pwrite loop over a file, into memory that is shared
 * as a guest's is.
 *
 *     bench-floor read|write FILE BYTES-PER-CALL CALLS-PER-PASS PASSES
 *
 * Prints "wall=NS cpu=NS" for one call.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static int64_t clock_ns(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int main(int argc, char **argv)
{
    int writing = argc == 6 && !strcmp(argv[1], "write");
    size_t bytes = argc == 6 ? strtoul(argv[3], NULL, 0) : 0;
    long calls = argc == 6 ? atol(argv[4]) : 0, passes = argc == 6 ? atol(argv[5]) : 0;
    int fd = argc == 6 ? open(argv[2], O_RDWR | O_CLOEXEC) : -1;
    int64_t wall = 0, cpu = 0;
    char *memory;

    if (fd < 0 || !bytes || calls < 1 || passes < 1) {
        fputs("usage: bench-floor read|write FILE BYTES-PER-CALL CALLS-PER-PASS PASSES\n", stderr);
        return 2;
    }
    memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        perror("mmap");
        return 1;
    }
    /* Pass -1 fills the page cache and the page tables. */
    for (long pass = -1; pass < passes; pass++) {
        if (pass == 0) {
            wall = clock_ns(CLOCK_MONOTONIC);
            cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
        }
        for (long i = 0; i < calls; i++) {
            off_t at = (off_t)i * (off_t)bytes;
            ssize_t n = writing ? pwrite(fd, memory, bytes, at) : pread(fd, memory, bytes, at);

            if (n != (ssize_t)bytes) {
                perror(argv[2]);
                return 1;
            }
        }
    }
    wall = clock_ns(CLOCK_MONOTONIC) - wall;
    cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    printf("wall=%lld cpu=%lld\n", (long long)(wall / (calls * passes)),
           (long long)(cpu / (calls * passes)));
    return 0;
}
