/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/hw/serial/testuart.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void must(int rc, const char *what)
{
    if (rc) {
        fprintf(stderr, "testuart: %s: %d\n", what, rc);
        abort();
    }
}

void testuart_init(struct testuart *t)
{
    struct chardev_config config = {.kind = CHARDEV_UNIX, .label = "serial0"};
    int pair[2], small = 1;

    machine_init(&t->m);
    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), "socketpair");
    setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
    config.fd = pair[0];
    t->far = pair[1];
    fcntl(t->far, F_SETFL, O_NONBLOCK);
    must(chardev_create(&t->chr, t->m.env.loop, NULL, &config), "chardev");
    must(uart_create(&t->uart, &t->m.env, 0, t->chr), "uart");
    machine_start(&t->m);
}

void testuart_fini(struct testuart *t)
{
    machine_settle(&t->m);
    device_list_destroy(t->m.env.devices);
    must(device_list_create(&t->m.env.devices), "device list");
    chardev_destroy(t->chr);
    close(t->far);
    machine_fini(&t->m);
}

uint8_t reg_in(struct testuart *t, unsigned reg)
{
    return (uint8_t)machine_in(&t->m, (uint16_t)(0x3f8 + reg), 1);
}

void reg_out(struct testuart *t, unsigned reg, uint8_t value)
{
    machine_out(&t->m, (uint16_t)(0x3f8 + reg), 1, value);
}

bool irq(struct testuart *t)
{
    return t->m.isa[4];
}

void far_send(struct testuart *t, const void *data, size_t len)
{
    if (write(t->far, data, len) != (ssize_t)len)
        must(-1, "far write");
    machine_settle(&t->m);
}

size_t far_read(struct testuart *t, void *buf, size_t size)
{
    ssize_t n;

    /* What is gathered goes out. */
    machine_advance(&t->m, 1000000);
    n = read(t->far, buf, size);
    return n > 0 ? (size_t)n : 0;
}

size_t fill_until_held(struct testuart *t, uint8_t first)
{
    size_t n = 0;

    while (reg_in(t, LSR) & 0x20) {
        reg_out(t, THR, (uint8_t)(first + n++));
        if (n % 1024 == 0)
            machine_settle(&t->m);
        if (n > 1 << 20)
            must(-1, "never full");
    }
    return n;
}
