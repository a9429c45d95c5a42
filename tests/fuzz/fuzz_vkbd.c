/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The keyboard and pointer back end against a hostile front end: its nodes, its states in any
 * order, its page, its event channel, while keys and pointer move. Nothing beside the ring's events
 * and in_prod is written, mapping and event channel are gone when it is closed, and an honest
 * front end is served afterwards.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xen/io/kbdif.h>

#include "dm/loop.h"
#include "pv/vkbd.h"
#include "tests/fuzz/machine_ops.h"
#include "tests/pv/mock_xen.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BACK  "backend/vkbd/7/0"
#define FRONT "/local/domain/7/device/vkbd/0"
#define REF   9u
#define PAGE  3u
#define PORT  4u

static struct mock_xen *mock;
static struct loop *loop;
static struct xenbus *bus;
static struct input *input;
static struct vkbd_set *set;

void *xen_map_frames(struct xen *xen, const uint64_t *gfns, size_t n, int *err)
{
    *err = gfns[0] & 1 ? -22 : 0;
    return mock_page(mock, PAGE);
}

void xen_unmap_frames(struct xen *xen, void *addr, size_t n)
{
}

static void settle(void)
{
    char token[64];

    for (unsigned i = 0; i < 4; i++) {
        while (mock_store_next(mock, token, sizeof(token)))
            xenbus_watch_event(bus, token);
        loop_turn(loop, 0);
    }
}

static void front(const char *node, unsigned value)
{
    char path[100];

    snprintf(path, sizeof(path), FRONT "/%s", node);
    mock_store_set(mock, path, "%u", value);
}

static void odd_node(struct fuzz_input *in)
{
    static const char *const nodes[] = {"page-gref", "page-ref", "event-channel",
                                        "request-abs-pointer", "state"};
    char path[100], text[24];
    unsigned n = fuzz_u8(in) % 5, length = fuzz_u8(in) % sizeof(text);

    for (unsigned i = 0; i < length; i++)
        text[i] = (char)fuzz_u8(in);
    text[length] = '\0';
    snprintf(path, sizeof(path), FRONT "/%s", nodes[n]);
    mock_store_set(mock, path, "%s", text);
}

static void connect(void)
{
    front("page-gref", REF);
    front("event-channel", PORT);
    front("state", 4);
}

static void op(struct fuzz_input *in)
{
    uint8_t *page = mock_page(mock, PAGE);
    uint8_t n = fuzz_u8(in);

    switch (n % 11) {
    case 0:
        front("state", fuzz_u8(in) % 9);
        break;
    case 1:
        odd_node(in);
        break;
    case 2:
        connect();
        break;
    case 3: /* in_cons, or another word of the header */
        page[fuzz_u8(in) % 16] = fuzz_u8(in);
        break;
    case 4: /* reads all */
        memcpy(page, page + 4, 4);
        mock_signal(mock, PORT);
        break;
    case 5:
        input_key(input, (uint16_t)fuzz_u32(in) % INPUT_KEY_COUNT, n & 0x80);
        break;
    case 6:
        for (unsigned i = fuzz_u8(in); i > 0; i--)
            input_key(input, (uint16_t)(i % 100), i & 1);
        break;
    case 7:
        input_abs(input, (uint16_t)fuzz_u32(in), n, (int32_t)fuzz_u32(in), fuzz_u8(in));
        break;
    case 8:
        input_rel(input, (int32_t)fuzz_u32(in), n, (int32_t)fuzz_u32(in), fuzz_u8(in));
        break;
    case 9:
        xenbus_hold(bus, n & 0x80);
        break;
    default:
        settle();
    }
}

static void begin(void)
{
    mock = mock_xen_create();
    fuzz_require(loop_create(&loop) == 0 && input_create(&input) == 0, "services");
    fuzz_require(xenbus_create(&bus, mock_xen_handle(mock), loop) == 0, "a bus");
    fuzz_require(vkbd_serve(&set, bus, input) == 0, "a back end");
    mock_grant(mock, REF, PAGE, true);
    memset(mock_page(mock, PAGE - 1), 0x5a, 3 * 4096);
    memset(mock_page(mock, PAGE), 0, 16);
    mock_store_set(mock, BACK "/frontend", FRONT);
    mock_store_set(mock, BACK "/online", "1");
    mock_store_set(mock, BACK "/state", "1");
    front("state", 1);
    settle();
}

static void check_page(void)
{
    const uint8_t *page = mock_page(mock, PAGE);

    for (unsigned i = 0; i < 4096; i++) {
        fuzz_require((page - 4096)[i] == 0x5a && (page + 4096)[i] == 0x5a, "other pages");
        fuzz_require(page[i] == 0x5a || i < 16 || (i >= 1024 && i < 1024 + 51 * 40),
                     "what is beside the ring");
    }
}

static void end(void)
{
    const char *state;

    xenbus_hold(bus, false);
    settle();
    check_page();
    /* An honest one comes. */
    front("state", 6);
    settle();
    fuzz_require(mock->mapped == 0 && mock->bound == 0, "nothing stays mapped");
    front("state", 1);
    settle();
    memset(mock_page(mock, PAGE), 0, 16);
    connect();
    settle();
    state = mock_store_get(mock, BACK "/state");
    fuzz_require(state && strcmp(state, "4") == 0, "an honest front end is served");
    input_key(input, 30, true);
    fuzz_require(*(uint32_t *)(void *)(mock_page(mock, PAGE) + 4) == 1, "it gets its key");
    input_release_all(input);
    xenbus_destroy(bus);
    vkbd_set_free(set);
    input_destroy(input);
    loop_destroy(loop);
    mock_xen_destroy(mock);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size > 512 ? 512 : size};

    begin();
    while (in.left)
        op(&in);
    end();
    return 0;
}
