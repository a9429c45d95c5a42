/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A viewer's bytes, through WebSocket or without, in pieces, up to the library. The first byte says
 * how. Invariants: nothing reaches keyboard, pointer or library before the login; the library gets
 * whole messages of the few kinds that are let through, with values in their ranges; every step
 * uses bytes up, changes the state or waits.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ui/vnc/gate.h"
#include "ui/vnc/websocket.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct viewer {
    struct gate gate;
    bool admitted, password;
    unsigned messages;
};

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void on_send(void *opaque, const void *data, size_t length)
{
    check(length > 0 && length <= 64);
}

static void on_library(void *opaque, const void *data, size_t length)
{
    struct viewer *v = opaque;
    const uint8_t *m = data;

    check(v->admitted);
    if (v->messages++ == 0) {
        check(length == 14 && memcmp(m, "RFB 003.008\n\1", 13) == 0 && m[13] <= 1);
        return;
    }
    switch (m[0]) {
    case 0:
        check(length == 20 && (m[4] == 8 || m[4] == 16 || m[4] == 32) && m[7]);
        check(m[8] || m[9]);
        break;
    case 2:
        check(length == 4 + 4u * (m[2] << 8 | m[3]));
        break;
    case 3:
        check(length == 10);
        break;
    case 251:
        check(m[6] && m[6] <= 16 && length == 8 + 16u * m[6]);
        break;
    default:
        abort();
    }
}

static bool on_login(void *opaque, const uint8_t challenge[16], const uint8_t answer[16])
{
    check(((struct viewer *)opaque)->password);
    return answer[0] & 1;
}

static bool on_admit(void *opaque, bool shared)
{
    struct viewer *v = opaque;

    check(!v->admitted);
    v->admitted = true;
    return true;
}

static void on_key(void *opaque, uint32_t keysym, bool down)
{
    check(((struct viewer *)opaque)->admitted);
}

static void on_pointer(void *opaque, uint32_t buttons, uint16_t x, uint16_t y)
{
    check(((struct viewer *)opaque)->admitted && buttons < 256);
}

static void on_features(void *opaque, uint32_t mask)
{
    check(((struct viewer *)opaque)->admitted && mask < 8);
}

static const struct gate_ops ops = {on_send, on_library, on_login,   on_admit,
                                    on_key,  on_key,     on_pointer, on_features};

/* Takes what there is; false when the connection is ended. */
static bool take_messages(struct viewer *v, uint8_t *in, size_t *length)
{
    for (;;) {
        ssize_t n = gate_take(&v->gate, in, *length);

        check(n <= (ssize_t)*length);
        if (n < 0) {
            check(v->gate.why != NULL);
            return false;
        }
        if (n == 0) {
            check(*length < GATE_MESSAGE_MAX);
            return true;
        }
        *length -= (size_t)n;
        memmove(in, in + n, *length);
    }
}

static void talk(struct viewer *v, const uint8_t *data, size_t size, size_t step, bool framed)
{
    static uint8_t in[2 * GATE_MESSAGE_MAX];
    struct websocket ws = {.have = 0};
    size_t have = 0;

    while (size) {
        size_t n = step < size ? step : size, used = n;
        ssize_t got = (ssize_t)n;

        memcpy(in + have, data, n);
        if (framed) {
            got = websocket_decode(&ws, in + have, n, &used);
            check(got < 0 || ((size_t)got <= used && used <= n && used > 0));
            if (got < 0)
                return;
        }
        data += used;
        size -= used;
        have += (size_t)got;
        if (!take_messages(v, in, &have))
            return;
    }
}

static void enter(struct viewer *v)
{
    check(gate_take(&v->gate, (const uint8_t *)"RFB 003.008\n", 12) == 12);
    check(gate_take(&v->gate, (const uint8_t *)(v->password ? "\2" : "\1"), 1) == 1);
    if (v->password)
        check(gate_take(&v->gate, (const uint8_t *)"1234567812345678", 16) == 16);
    check(gate_take(&v->gate, (const uint8_t *)"\1", 1) == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct viewer v = {.admitted = false};
    uint8_t how = size ? data[0] : 0;
    char answer[WEBSOCKET_ANSWER_MAX];
    size_t length = 0;

    if (size < 2)
        return 0;
    data++;
    size--;
    if (how & 4) {
        ssize_t n = websocket_request(data, size, answer, &length);

        check(n <= (ssize_t)size && length < sizeof(answer));
    }
    v.password = how & 1;
    gate_open(&v.gate, &ops, &v, v.password, (const uint8_t *)"0123456789abcdef");
    if (how & 0x80) /* somebody who has logged in */
        enter(&v);
    talk(&v, data, size, 1 + (how >> 3 & 15) * 37u, how & 2);
    return 0;
}
