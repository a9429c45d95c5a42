/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a viewer can get past the gate, byte by byte. */
#include <errno.h>
#include <string.h>

#include "tests/harness/tap.h"
#include "ui/vnc/gate.h"

struct record {
    struct gate gate;
    uint8_t sent[256], passed[GATE_MESSAGE_MAX];
    size_t sent_length, passed_length;
    unsigned messages, keys, raw_keys, pointers;
    uint32_t last_key, features;
    bool right, refuse;
};

static void on_send(void *opaque, const void *data, size_t length)
{
    struct record *r = opaque;

    assert_true(r->sent_length + length <= sizeof(r->sent));
    memcpy(r->sent + r->sent_length, data, length);
    r->sent_length += length;
}

static void on_library(void *opaque, const void *data, size_t length)
{
    struct record *r = opaque;

    assert_true(length <= sizeof(r->passed));
    memcpy(r->passed, data, length);
    r->passed_length = length;
    r->messages++;
}

static bool on_login(void *opaque, const uint8_t challenge[16], const uint8_t answer[16])
{
    assert_memory_equal(challenge, "0123456789abcdef", 16);
    return ((struct record *)opaque)->right;
}

static bool on_admit(void *opaque, bool shared)
{
    return !((struct record *)opaque)->refuse;
}

static void on_key(void *opaque, uint32_t keysym, bool down)
{
    struct record *r = opaque;

    r->keys++;
    r->last_key = keysym;
}

static void on_raw_key(void *opaque, uint32_t code, bool down)
{
    struct record *r = opaque;

    r->raw_keys++;
    r->last_key = code;
}

static void on_pointer(void *opaque, uint32_t buttons, uint16_t x, uint16_t y)
{
    ((struct record *)opaque)->pointers++;
}

static void on_features(void *opaque, uint32_t mask)
{
    ((struct record *)opaque)->features = mask;
}

static const struct gate_ops ops = {on_send, on_library, on_login,   on_admit,
                                    on_key,  on_raw_key, on_pointer, on_features};

static void open_gate(struct record *r, bool password)
{
    memset(r, 0, sizeof(*r));
    r->right = true;
    gate_open(&r->gate, &ops, r, password, (const uint8_t *)"0123456789abcdef");
}

/* Gives the bytes one more at a time; the first result that is not "more". */
static ssize_t drip(struct record *r, const void *data, size_t length)
{
    ssize_t n = 0;

    for (size_t have = 0; have <= length && n == 0; have++)
        n = gate_take(&r->gate, data, have);
    return n;
}

static void enter(struct record *r)
{
    open_gate(r, false);
    assert_int_equal(drip(r, "RFB 003.008\n", 12), 12);
    assert_int_equal(drip(r, "\1", 1), 1);
    assert_int_equal(drip(r, "\1", 1), 1);
    assert_int_equal(r->gate.state, GATE_NORMAL);
    assert_int_equal(r->messages, 1);
}

static void test_versions(void **state)
{
    static const struct {
        const char *text;
        unsigned minor;
    } versions[] = {{"RFB 003.003\n", 3}, {"RFB 003.005\n", 3}, {"RFB 003.007\n", 7},
                    {"RFB 003.008\n", 8}, {"RFB 003.889\n", 8}, {"RFB 003.000\n", 3}};
    static const char *const wrong[] = {"RFB 004.000\n", "RFB 003.00x\n", "GET / HTTP/1",
                                        "RFB 003.0081", "\0\0\0\0\0\0\0\0\0\0\0\0"};
    struct record r;

    for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
        open_gate(&r, true);
        assert_memory_equal(r.sent, "RFB 003.008\n", 12);
        assert_int_equal(drip(&r, versions[i].text, 12), 12);
        assert_int_equal(r.gate.minor, versions[i].minor);
        if (versions[i].minor == 3)
            assert_memory_equal(r.sent + 12,
                                "\0\0\0\2"
                                "0123456789abcdef",
                                20);
        else
            assert_memory_equal(r.sent + 12, "\1\2", 2);
    }
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        open_gate(&r, false);
        assert_int_equal(drip(&r, wrong[i], 12), -EPROTO);
        assert_non_null(r.gate.why);
        assert_int_equal(gate_take(&r.gate, (const uint8_t *)"RFB 003.008\n", 12), -EPROTO);
    }
}

/* The viewer cannot choose to be let in without a password (CVE-2006-2369). */
static void test_cve_2006_2369_type_not_offered(void **state)
{
    struct record r;

    for (unsigned type = 0; type < 256; type++) {
        uint8_t byte = (uint8_t)type;

        open_gate(&r, true);
        drip(&r, "RFB 003.008\n", 12);
        assert_int_equal(drip(&r, &byte, 1), type == 2 ? 1 : -EPROTO);
        assert_int_equal(r.gate.state == GATE_LOGIN, type == 2);
    }
}

static void test_login(void **state)
{
    struct record r;

    open_gate(&r, true);
    drip(&r, "RFB 003.008\n", 12);
    drip(&r, "\2", 1);
    assert_memory_equal(r.sent + 14, "0123456789abcdef", 16);
    assert_int_equal(drip(&r, "################", 16), 16);
    assert_memory_equal(r.sent + 30, "\0\0\0\0", 4);
    assert_int_equal(r.messages, 0);
    assert_int_equal(drip(&r, "\0", 1), 1);
    assert_int_equal(r.passed_length, 14);
    assert_memory_equal(r.passed, "RFB 003.008\n\1\0", 14);

    open_gate(&r, true);
    r.right = false;
    drip(&r, "RFB 003.008\n", 12);
    drip(&r, "\2", 1);
    assert_int_equal(drip(&r, "################", 16), -EACCES);
    assert_memory_equal(r.sent + 30,
                        "\0\0\0\1\0\0\0\x15"
                        "Authentication failed",
                        29);
    /* One attempt a connection. */
    r.right = true;
    assert_int_equal(drip(&r, "################", 16), -EPROTO);
    assert_int_equal(r.messages, 0);
}

static void test_not_admitted(void **state)
{
    struct record r;

    open_gate(&r, false);
    r.refuse = true;
    drip(&r, "RFB 003.003\n", 12);
    assert_int_equal(r.gate.state, GATE_INIT);
    assert_int_equal(drip(&r, "\0", 1), -EACCES);
    assert_int_equal(r.messages, 0);
}

static void test_messages(void **state)
{
    struct record r;

    enter(&r);
    assert_int_equal(drip(&r, "\3\1\0\0\0\0\2\200\1\340", 10), 10);
    assert_int_equal(r.passed_length, 10);
    assert_int_equal(drip(&r, "\4\1\0\0\0\0\377\341", 8), 8);
    assert_int_equal(r.last_key, 0xffe1);
    assert_int_equal(drip(&r, "\5\1\0\10\0\11", 6), 6);
    assert_int_equal(r.pointers, 1);
    assert_int_equal(drip(&r, "\377\0\0\1\0\0\0a\0\0\0\36", 12), 12);
    assert_int_equal(r.raw_keys, 1);
    assert_int_equal(r.last_key, 0x1e);
    assert_int_equal(r.messages, 2);
}

static void put32(uint8_t *p, int32_t value)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)((uint32_t)value >> (24 - 8 * i));
}

/* Only known encodings reach the library; ours are noted. */
static void test_encodings(void **state)
{
    static const int32_t list[] = {
        16,   7, -258, 6, -260, -223, -308, -1063131698, 4, -257, -261, -26, (int)0xfffe0000,
        -309, 0, -254};
    static const int32_t kept[] = {16, 7, -223, -308, -26, 0, -254};
    uint8_t message[4 + sizeof(list)] = {2, 0, 0, sizeof(list) / sizeof(list[0])};
    uint8_t want[4 + sizeof(kept)] = {2, 0, 0, sizeof(kept) / sizeof(kept[0])};
    struct record r;

    for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
        put32(message + 4 + 4 * i, list[i]);
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
        put32(want + 4 + 4 * i, kept[i]);
    enter(&r);
    assert_int_equal(drip(&r, message, sizeof(message)), sizeof(message));
    assert_int_equal(r.features, GATE_EXTENDED_KEYS | GATE_POINTER_MODE | GATE_LEDS);
    assert_int_equal(r.passed_length, sizeof(want));
    assert_memory_equal(r.passed, want, sizeof(want));
}

/* A list of none is taken like any other: the parser goes on. */
static void test_cve_2008_2382_no_encodings(void **state)
{
    struct record r;

    enter(&r);
    assert_int_equal(drip(&r, "\2\0\0\0", 4), 4);
    assert_int_equal(r.passed_length, 4);
    assert_int_equal(drip(&r, "\2\0\4\1", 4), -EPROTO); /* 1025 */
}

static ssize_t pixel_format(struct record *r, const char *format)
{
    uint8_t message[20] = {0};

    memcpy(message + 4, format, 13);
    enter(r);
    return drip(r, message, sizeof(message));
}

static void test_cve_2014_7815_bits_per_pixel(void **state)
{
    struct record r;

    assert_int_equal(pixel_format(&r, "\40\30\0\1\0\377\0\377\0\377\20\10\0"), 20);
    assert_int_equal(pixel_format(&r, "\20\20\0\1\0\37\0\77\0\37\13\5\0"), 20);
    assert_int_equal(pixel_format(&r, "\10\10\0\1\0\7\0\7\0\3\0\3\6"), 20);
    assert_int_equal(pixel_format(&r, "\377\30\0\1\0\377\0\377\0\377\20\10\0"), -EPROTO);
    assert_int_equal(pixel_format(&r, "\0\30\0\1\0\377\0\377\0\377\20\10\0"), -EPROTO);
    assert_int_equal(pixel_format(&r, "\30\30\0\1\0\377\0\377\0\377\20\10\0"), -EPROTO);
    assert_int_equal(pixel_format(&r, "\20\30\0\1\0\37\0\77\0\37\13\5\0"), -EPROTO); /* depth */
}

static void test_cve_2015_8504_colour_maximum(void **state)
{
    struct record r;

    assert_int_equal(pixel_format(&r, "\40\30\0\1\0\0\0\377\0\377\20\10\0"), -EPROTO);
    assert_int_equal(pixel_format(&r, "\40\30\0\1\0\377\0\376\0\377\20\10\0"), -EPROTO);
    assert_int_equal(pixel_format(&r, "\40\30\0\1\0\377\0\377\0\377\31\10\0"), -EPROTO);
    assert_int_equal(pixel_format(&r, "\40\30\0\1\377\377\0\377\0\377\21\10\0"), -EPROTO);
    assert_int_equal(pixel_format(&r, "\40\30\0\1\0\377\0\377\0\377\20\10\377"), -EPROTO);
}

static void test_cve_2015_5239_cut_text(void **state)
{
    uint8_t text[4096];
    struct record r;

    enter(&r);
    memset(text, 4, sizeof(text));                         /* would be keys */
    assert_int_equal(drip(&r, "\6\0\0\0\0\20\0\0", 8), 8); /* 1 MiB */
    for (int i = 0; i < 256; i++)
        assert_int_equal(gate_take(&r.gate, text, sizeof(text)), sizeof(text));
    assert_int_equal(r.gate.skip, 0);
    assert_int_equal(r.keys + r.messages, 1);
    assert_int_equal(drip(&r, "\4\1\0\0\0\0\0a", 8), 8);
    assert_int_equal(r.keys, 1);
    assert_int_equal(drip(&r, "\6\0\0\0\0\20\0\1", 8), -EPROTO);
    enter(&r);
    assert_int_equal(drip(&r, "\6\0\0\0\377\377\377\377", 8), -EPROTO);
}

/* Extended clipboard (a negative length), CVE-2022-3165, CVE-2023-3255, CVE-2023-6683. */
static void test_cve_2022_3165_extended_clipboard(void **state)
{
    struct record r;

    enter(&r);
    assert_int_equal(drip(&r, "\6\0\0\0\377\377\377\375\0\0\0", 11), -EPROTO);
}

static void assert_ends(const char *message, size_t length)
{
    struct record r;

    enter(&r);
    assert_int_equal(drip(&r, message, length), -EPROTO);
    assert_non_null(r.gate.why);
    assert_int_equal(r.messages, 1); /* the handshake */
}

static void test_cve_2014_6053_length_of_text(void **state)
{
    assert_ends("\6\0\0\0\177\377\377\377", 8);
}

static void test_cve_2018_7225_length_of_text(void **state)
{
    assert_ends("\6\0\0\0\200\0\0\0", 8);
}

/* Compressed clipboard data, and a request for it before there is any. */
static void test_cve_2023_3255_clipboard_data(void **state)
{
    assert_ends("\6\0\0\0\377\377\377\370\20\0\0\1\0\0\0\0", 16);
}

static void test_cve_2023_6683_clipboard_request(void **state)
{
    assert_ends("\6\0\0\0\377\377\377\374\2\0\0\1", 12);
}

/* SetScale, UltraVNC's and PalmVNC's. */
static void test_cve_2014_6054_scale_by_zero(void **state)
{
    assert_ends("\10\0\0\0", 4);
    assert_ends("\17\0\0\0", 4);
}

static void test_cve_2020_25708_scale(void **state)
{
    assert_ends("\10\377\0\0", 4);
    assert_ends("\17\377\0\0", 4);
}

/* File transfer: both extensions of the library. */
static void test_cve_2014_6055_file_transfer(void **state)
{
    assert_ends("\7\1\0\0\0\0\0\0\0\0\1\0", 12);
}

static void test_cve_2018_6307_tight_file_transfer(void **state)
{
    for (int type = 130; type <= 136; type++) /* CVE-2018-15126 and CVE-2018-15127, too */
        assert_ends((const char[]){(char)type, 0, 0, 8, 0, 0, 0, 0}, 8);
}

/* Text chat, power control, audio, and all that is not known. */
static void test_not_offered(void **state)
{
    struct record r;

    for (unsigned type = 0; type < 256; type++) {
        uint8_t message[64] = {(uint8_t)type, 1};
        bool known = type == 0 || (type >= 2 && type <= 6) || type == 251;

        enter(&r);
        if (!known)
            assert_int_equal(drip(&r, message, sizeof(message)), -EPROTO);
        else if (type >= 3 && type <= 6)
            assert_true(drip(&r, message, sizeof(message)) > 0);
    }
}

static void test_desktop_size(void **state)
{
    uint8_t message[8 + 16 * 16] = {251, 0, 1, 0, 1, 0, 16, 0};
    struct record r;

    enter(&r);
    assert_int_equal(drip(&r, message, sizeof(message)), sizeof(message));
    assert_int_equal(r.passed_length, sizeof(message));
    message[6] = 17;
    assert_int_equal(drip(&r, message, sizeof(message)), -EPROTO);
    enter(&r);
    message[6] = 0;
    assert_int_equal(drip(&r, message, sizeof(message)), -EPROTO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_cve_2006_2369_type_not_offered),
        cmocka_unit_test(test_login),
        cmocka_unit_test(test_not_admitted),
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_encodings),
        cmocka_unit_test(test_cve_2008_2382_no_encodings),
        cmocka_unit_test(test_cve_2014_7815_bits_per_pixel),
        cmocka_unit_test(test_cve_2015_8504_colour_maximum),
        cmocka_unit_test(test_cve_2015_5239_cut_text),
        cmocka_unit_test(test_cve_2022_3165_extended_clipboard),
        cmocka_unit_test(test_cve_2014_6053_length_of_text),
        cmocka_unit_test(test_cve_2018_7225_length_of_text),
        cmocka_unit_test(test_cve_2023_3255_clipboard_data),
        cmocka_unit_test(test_cve_2023_6683_clipboard_request),
        cmocka_unit_test(test_cve_2014_6054_scale_by_zero),
        cmocka_unit_test(test_cve_2020_25708_scale),
        cmocka_unit_test(test_cve_2014_6055_file_transfer),
        cmocka_unit_test(test_cve_2018_6307_tight_file_transfer),
        cmocka_unit_test(test_not_offered),
        cmocka_unit_test(test_desktop_size),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
