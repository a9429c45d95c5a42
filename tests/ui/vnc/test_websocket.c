/* SPDX-License-Identifier: GPL-2.0-or-later */
/* WebSocket: the handshake of RFC 6455 with its example, frames whole and in pieces. */
#include <errno.h>
#include <string.h>

#include "tests/harness/tap.h"
#include "ui/vnc/sha1.h"
#include "ui/vnc/websocket.h"

#define REQUEST                                                                                    \
    "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: WebSocket\r\n"                     \
    "Connection: keep-alive, Upgrade\r\nsec-websocket-key:  dGhlIHNhbXBsZSBub25jZQ== \r\n"         \
    "Sec-WebSocket-Version: 13\r\n"

static ssize_t ask(const char *request, char answer[WEBSOCKET_ANSWER_MAX])
{
    size_t length = 0;
    ssize_t n = websocket_request((const uint8_t *)request, strlen(request), answer, &length);

    answer[n > 0 ? length : 0] = '\0';
    return n;
}

static void test_sha1(void **state)
{
    uint8_t hash[20];

    sha1("abc", 3, hash);
    assert_memory_equal(hash,
                        "\xa9\x99\x3e\x36\x47\x06\x81\x6a\xba\x3e\x25\x71\x78\x50\xc2\x6c\x9c"
                        "\xd0\xd8\x9d",
                        20);
    sha1("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56, hash);
    assert_memory_equal(hash,
                        "\x84\x98\x3e\x44\x1c\x3b\xd2\x6e\xba\xae\x4a\xa1\xf9\x51\x29\xe5\xe5"
                        "\x46\x70\xf1",
                        20);
}

static void test_request(void **state)
{
    char answer[WEBSOCKET_ANSWER_MAX];

    assert_int_equal(ask(REQUEST "\r\n", answer), strlen(REQUEST "\r\n"));
    assert_non_null(strstr(answer, "\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
    assert_null(strstr(answer, "Protocol:"));
    assert_int_equal(ask(REQUEST "Sec-WebSocket-Protocol: chat, binary\r\n\r\n", answer) > 0, 1);
    assert_non_null(strstr(answer, "\r\nSec-WebSocket-Protocol: binary\r\n\r\n"));
    /* The stream may begin at once. */
    assert_int_equal(ask(REQUEST "\r\nmore", answer), strlen(REQUEST "\r\n"));
    for (size_t n = 0; n < strlen(REQUEST); n++) {
        size_t length;

        assert_int_equal(websocket_request((const uint8_t *)REQUEST, n, answer, &length), 0);
    }
}

static void test_not_a_request(void **state)
{
    static const char *const wrong[] = {
        "POST / HTTP/1.1\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET / HTTP/1.1\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 8\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        "GET / HTTP/1.1\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n",
        "GET / HTTP/1.1\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: short\r\n\r\n",
        "\r\n\r\n",
    };
    char answer[WEBSOCKET_ANSWER_MAX];

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(ask(wrong[i], answer), -EPROTO);
}

/* A header that never ends is not collected. */
static void test_cve_2015_1779_endless_header(void **state)
{
    char answer[WEBSOCKET_ANSWER_MAX], request[2 * WEBSOCKET_REQUEST_MAX];
    size_t length;

    memset(request, 'x', sizeof(request));
    assert_int_equal(
        websocket_request((uint8_t *)request, WEBSOCKET_REQUEST_MAX - 1, answer, &length), 0);
    assert_int_equal(websocket_request((uint8_t *)request, WEBSOCKET_REQUEST_MAX, answer, &length),
                     -EPROTO);
    assert_int_equal(websocket_request((uint8_t *)request, sizeof(request), answer, &length),
                     -EPROTO);
}

/* RFC 6455, 5.7: "Hello", masked, in one frame and in two, with a ping between. */
static const uint8_t stream[] = {
    0x82, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58, /* Hello */
    0x02, 0x83, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d,             /* Hel */
    0x89, 0x82, 0x01, 0x02, 0x03, 0x04, 0x69, 0x6b,                   /* ping "hi" */
    0x80, 0x82, 0x37, 0xfa, 0x21, 0x3d, 0x5b, 0x95,                   /* lo */
    0x8a, 0x80, 0x00, 0x00, 0x00, 0x00,                               /* pong */
    0x82, 0xfe, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, '!',
};

static void test_frames(void **state)
{
    for (size_t step = 1; step <= sizeof(stream); step++) {
        struct websocket ws = {.have = 0};
        char out[64] = "";
        size_t length = 0, pongs = 0;

        for (size_t at = 0; at < sizeof(stream);) {
            size_t n = step < sizeof(stream) - at ? step : sizeof(stream) - at, used;
            uint8_t piece[sizeof(stream)];
            ssize_t got;

            memcpy(piece, stream + at, n);
            got = websocket_decode(&ws, piece, n, &used);
            assert_in_range(got, 0, n);
            assert_in_range(used, 1, n);
            memcpy(out + length, piece, (size_t)got);
            length += (size_t)got;
            if (ws.pong) {
                pongs++;
                assert_int_equal(ws.control_length, 2);
                assert_memory_equal(ws.control, "hi", 2);
            }
            at += used;
        }
        assert_string_equal(out, "HelloHello!");
        assert_int_equal(pongs, 1);
    }
}

static ssize_t decode(const char *bytes, size_t length)
{
    struct websocket ws = {.have = 0};
    uint8_t data[32] = {0};
    size_t used;

    memcpy(data, bytes, length);
    return websocket_decode(&ws, data, length, &used);
}

static void test_wrong_frames(void **state)
{
    assert_int_equal(decode("\x82\x05xxxxHello", 11), -EPROTO);              /* not masked */
    assert_int_equal(decode("\x81\x80mask", 6), -EPROTO);                    /* text */
    assert_int_equal(decode("\x83\x80mask", 6), -EPROTO);                    /* reserved */
    assert_int_equal(decode("\xc2\x80mask", 6), -EPROTO);                    /* compressed */
    assert_int_equal(decode("\x89\xfe\x00\x7emask", 8), -EPROTO);            /* long ping */
    assert_int_equal(decode("\x09\x80mask", 6), -EPROTO);                    /* ping in pieces */
    assert_int_equal(decode("\x88\x80mask", 6), -EPIPE);                     /* close */
    assert_int_equal(decode("\x82\xff\x80\0\0\0\0\0\0\0mask", 14), -EPROTO); /* 2^63 */
}

/* A frame that claims to be huge is passed on as it comes; its length sizes nothing. */
static void test_cve_2017_18922_length_of_frame(void **state)
{
    static const uint8_t header[] = {0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff,
                                     0xff, 0xff, 0xff, 1,    2,    3,    4};
    struct websocket ws = {.have = 0};
    uint8_t data[4096];
    size_t used;

    memcpy(data, header, sizeof(header));
    assert_int_equal(websocket_decode(&ws, data, sizeof(header), &used), 0);
    assert_int_equal(used, sizeof(header));
    for (int i = 0; i < 100; i++)
        assert_int_equal(websocket_decode(&ws, data, sizeof(data), &used), sizeof(data));
    assert_true(ws.left == INT64_MAX - 100 * sizeof(data));
}

static void test_header(void **state)
{
    uint8_t header[WEBSOCKET_HEADER_MAX];

    assert_int_equal(websocket_header(2, 125, header), 2);
    assert_memory_equal(header, "\x82\x7d", 2);
    assert_int_equal(websocket_header(2, 126, header), 4);
    assert_memory_equal(header, "\x82\x7e\x00\x7e", 4);
    assert_int_equal(websocket_header(2, 65536, header), 10);
    assert_memory_equal(header, "\x82\x7f\0\0\0\0\0\1\0\0", 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sha1),
        cmocka_unit_test(test_request),
        cmocka_unit_test(test_not_a_request),
        cmocka_unit_test(test_cve_2015_1779_endless_header),
        cmocka_unit_test(test_frames),
        cmocka_unit_test(test_wrong_frames),
        cmocka_unit_test(test_cve_2017_18922_length_of_frame),
        cmocka_unit_test(test_header),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
