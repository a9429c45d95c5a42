/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/chardev/testfront.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static uint64_t now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static size_t room(void *opaque)
{
    struct testfront *f = opaque;

    return f->limit < TESTFRONT_MAX - f->len ? f->limit : TESTFRONT_MAX - f->len;
}

static void receive(void *opaque, const uint8_t *data, size_t len)
{
    struct testfront *f = opaque;

    if (len > room(f)) {
        fprintf(stderr, "more received than there was room for\n");
        abort();
    }
    memcpy(f->got + f->len, data, len);
    f->len += len;
    f->limit -= len;
}

static void receive_break(void *opaque)
{
    struct testfront *f = opaque;

    f->breaks++;
    f->break_at = f->len;
}

static void writable(void *opaque)
{
    ((struct testfront *)opaque)->writable++;
}

static const struct chardev_front ops = {room, receive, receive_break, writable};

void front_init(struct testfront *f)
{
    memset(f, 0, sizeof(*f));
    signal(SIGPIPE, SIG_IGN);
    f->got = malloc(TESTFRONT_MAX);
    f->limit = TESTFRONT_MAX;
    if (!f->got || loop_create(&f->loop) || workers_create(&f->workers, f->loop, 1))
        abort();
}

int front_open(struct testfront *f, const struct chardev_config *config)
{
    int rc = chardev_create(&f->chr, f->loop, f->workers, config);

    if (rc == 0)
        chardev_attach(f->chr, &ops, f);
    return rc;
}

void front_close(struct testfront *f)
{
    chardev_destroy(f->chr);
    f->chr = NULL;
}

void front_fini(struct testfront *f)
{
    front_close(f);
    workers_destroy(f->workers);
    loop_destroy(f->loop);
    free(f->got);
}

void front_run(struct testfront *f, unsigned ms)
{
    uint64_t end = now_ms() + ms;

    for (uint64_t now = now_ms(); now < end; now = now_ms())
        loop_turn(f->loop, (int)(end - now));
}

void front_wait(struct testfront *f, size_t len)
{
    uint64_t end = now_ms() + 5000;

    while (f->len < len && now_ms() < end)
        loop_turn(f->loop, 10);
}

unsigned front_idle(struct testfront *f, unsigned ms)
{
    uint64_t begin = now_ms();

    loop_turn(f->loop, (int)ms);
    return (unsigned)(now_ms() - begin);
}

size_t front_drain(struct testfront *f, int fd, void *buf, size_t size, unsigned quiet_ms)
{
    size_t len = 0;
    uint64_t last = now_ms();

    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    while (len < size && now_ms() - last < quiet_ms) {
        ssize_t n = read(fd, (char *)buf + len, size - len);

        if (n > 0) {
            len += (size_t)n;
            last = now_ms();
        }
        loop_turn(f->loop, n > 0 ? 0 : 1);
    }
    return len;
}
