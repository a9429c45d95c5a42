/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A front-end that has been taken over, and a core that is none. The first byte chooses the side;
 * then come packets, each a byte of length and its bytes, with some of the header put right so that
 * the fuzzer works on what is behind it. Whatever is sent: no key code beyond the last reaches a
 * device, everything is up once the front-end has gone, and the next one is served.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dm/log.h"
#include "tests/ui/testdisplay.h"
#include "ui/frontend_client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t from_frontend[] = {FRONTEND_READY,   FRONTEND_VIEWERS, FRONTEND_DONE,
                                        FRONTEND_KEY,     FRONTEND_ABS,     FRONTEND_REL,
                                        FRONTEND_RELEASE, FRONTEND_CLOSE};
static const uint8_t from_core[] = {FRONTEND_HELLO,  FRONTEND_MODE,  FRONTEND_DAMAGE,
                                    FRONTEND_CURSOR, FRONTEND_INPUT, FRONTEND_PASSWORD};

struct input_bytes {
    const uint8_t *data;
    size_t left;
};

static uint8_t take(struct input_bytes *in)
{
    if (!in->left)
        return 0;
    in->left--;
    return *in->data++;
}

/* A packet; its length. */
static uint32_t packet(struct input_bytes *in, const uint8_t *types, size_t count,
                       struct frontend_message *m)
{
    uint8_t how = take(in);
    size_t n = take(in);
    uint32_t length;

    memset(m, 0, sizeof(*m));
    n = n < in->left ? n : in->left;
    memcpy((uint8_t *)m + sizeof(m->header), in->data, n);
    in->data += n;
    in->left -= n;
    m->header.type = types[how % count];
    length = (uint32_t)(sizeof(m->header) + n);
    if (how & 0x80)
        m->header.type = how;
    if (!(how & 0x40)) {
        uint32_t right = frontend_message_size(m, sizeof(*m));

        length = right ? right : length;
    }
    m->header.size = length;
    return length;
}

static void fuzz_core(struct input_bytes *in)
{
    struct frontend_message m;
    struct test_hub t;

    test_hub_init(&t);
    test_hub_connect(&t);
    while (in->left) {
        uint32_t length = packet(in, from_frontend, sizeof(from_frontend), &m);

        if (m.header.type == FRONTEND_DONE && !(length & 1))
            t.screen.damage = (struct display_damage){.rects[0] = {1, 1, 2, 2}, .count = 1};
        if (m.header.type == FRONTEND_KEY && m.key.down == 0xff)
            t.screen.width = t.screen.width == 64 ? 32 : 64;
        send(t.peer, &m, length, MSG_DONTWAIT | MSG_NOSIGNAL);
        test_hub_run(&t, 1 + (length & 3) * 12);
        while (recv(t.peer, &m, sizeof(m), MSG_DONTWAIT) > 0)
            ;
    }
    test_hub_connect(&t);
    for (size_t i = 0; i < INPUT_KEY_COUNT; i++)
        if (t.devices.down[i])
            abort();
    if (t.devices.buttons || t.screen.watched)
        abort();
    test_hub_run(&t, 1);
    if (recv(t.peer, &m, sizeof(m), MSG_DONTWAIT) <= 0 || m.header.type != FRONTEND_HELLO)
        abort();
    test_hub_fini(&t);
}

struct reader {
    struct frontend_client *client;
    struct frontend_picture picture;
    volatile uint32_t sum;
};

static void on_mode(void *opaque, struct frontend_picture picture)
{
    struct reader *r = opaque;

    frontend_picture_release(&r->picture);
    r->picture = picture;
}

static void on_damage(void *opaque, uint32_t number, const struct frontend_rect *rect,
                      uint32_t count)
{
    struct reader *r = opaque;

    for (uint32_t i = 0; i < count; i++)
        r->sum += r->picture.pixels[(size_t)(rect[i].y + rect[i].height - 1) * r->picture.stride +
                                    rect[i].x + rect[i].width - 1];
}

static void on_cursor(void *opaque, const struct frontend_cursor *cursor)
{
    struct reader *r = opaque;

    for (uint32_t i = 0; i < cursor->width * cursor->height; i++)
        r->sum += cursor->argb[i];
}

static void fuzz_client(struct input_bytes *in)
{
    static const struct frontend_events events = {
        .mode = on_mode, .damage = on_damage, .cursor = on_cursor};
    int fd = memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING), pair[2], rc = 0;
    struct frontend_message m;
    struct reader r = {.sum = 0};

    if (fd < 0 || ftruncate(fd, 65536) || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) ||
        frontend_client_create(&r.client, pair[1], &events, &r))
        abort();
    while (in->left && (!rc || rc == -EPROTO)) {
        uint32_t length = packet(in, from_core, sizeof(from_core), &m);

        m.header.size = length;
        frontend_message_send(pair[0], &m, length & 4 ? -1 : fd, MSG_DONTWAIT);
        rc = frontend_client_receive(r.client);
        while (recv(pair[0], &m, sizeof(m), MSG_DONTWAIT) > 0)
            ;
    }
    frontend_picture_release(&r.picture);
    frontend_client_destroy(r.client);
    close(pair[0]);
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input_bytes in = {data, size};

    log_set_level(LOG_ERROR);
    if (take(&in) & 1)
        fuzz_client(&in);
    else
        fuzz_core(&in);
    return 0;
}
