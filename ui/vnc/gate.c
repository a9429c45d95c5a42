/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ui/vnc/gate.h"

#include <errno.h>
#include <string.h>

#define VERSION_LENGTH 12
static const char version_text[] = "RFB 003.008\n";

enum { SECURITY_NONE = 1, SECURITY_VNC = 2 };

enum {
    SET_PIXEL_FORMAT = 0,
    SET_ENCODINGS = 2,
    UPDATE_REQUEST = 3,
    KEY_EVENT = 4,
    POINTER_EVENT = 5,
    CUT_TEXT = 6,
    SET_DESKTOP_SIZE = 251,
    QEMU_MESSAGE = 255,
};

#define SCREENS_MAX   16 /* of SetDesktopSize */
#define ENCODINGS_MAX 1024

static uint16_t be16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)be16(p) << 16 | be16(p + 2);
}

static void put32(uint8_t *p, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(value >> (24 - 8 * i));
}

static ssize_t refuse(struct gate *gate, int error, const char *why)
{
    gate->why = why;
    return error;
}

static void send_u32(struct gate *gate, uint32_t value)
{
    uint8_t bytes[4];

    put32(bytes, value);
    gate->ops->send(gate->opaque, bytes, sizeof(bytes));
}

/* ---- handshake ------------------------------------------------------------------------------ */

void gate_open(struct gate *gate, const struct gate_ops *ops, void *opaque, bool password,
               const uint8_t challenge[16])
{
    *gate = (struct gate){.ops = ops, .opaque = opaque, .password = password};
    memcpy(gate->challenge, challenge, sizeof(gate->challenge));
    ops->send(opaque, version_text, VERSION_LENGTH);
}

static void ask_password(struct gate *gate)
{
    gate->ops->send(gate->opaque, gate->challenge, sizeof(gate->challenge));
    gate->state = GATE_LOGIN;
}

static bool is_digits(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] < '0' || p[i] > '9')
            return false;
    return true;
}

/* "RFB 003.00x\n". What is not 3.7 and less than 3.8 counts as 3.3, as the RFC has it. */
static ssize_t take_version(struct gate *gate, const uint8_t *data, size_t length)
{
    uint8_t type = gate->password ? SECURITY_VNC : SECURITY_NONE;
    unsigned minor;

    if (length < VERSION_LENGTH)
        return 0;
    if (memcmp(data, "RFB 003.", 8) != 0 || !is_digits(data + 8, 3) || data[11] != '\n')
        return refuse(gate, -EPROTO, "it does not speak RFB 3");
    minor = (unsigned)((data[8] - '0') * 100 + (data[9] - '0') * 10 + (data[10] - '0'));
    gate->minor = minor >= 8 ? 8 : minor == 7 ? 7 : 3;
    if (gate->minor >= 7) {
        gate->ops->send(gate->opaque, (uint8_t[]){1, type}, 2);
        gate->state = GATE_SECURITY;
    } else {
        send_u32(gate, type);
        gate->state = GATE_INIT;
        if (gate->password)
            ask_password(gate);
    }
    return VERSION_LENGTH;
}

static ssize_t take_security(struct gate *gate, const uint8_t *data, size_t length)
{
    if (length < 1)
        return 0;
    if (data[0] != (gate->password ? SECURITY_VNC : SECURITY_NONE))
        return refuse(gate, -EPROTO, "it chose a security type that was not offered");
    if (gate->password) {
        ask_password(gate);
    } else {
        if (gate->minor >= 8)
            send_u32(gate, 0);
        gate->state = GATE_INIT;
    }
    return 1;
}

static ssize_t take_login(struct gate *gate, const uint8_t *data, size_t length)
{
    static const char reason[] = "Authentication failed";

    if (length < 16)
        return 0;
    if (gate->ops->login(gate->opaque, gate->challenge, data)) {
        send_u32(gate, 0);
        gate->state = GATE_INIT;
        return 16;
    }
    send_u32(gate, 1);
    if (gate->minor >= 8) {
        send_u32(gate, sizeof(reason) - 1);
        gate->ops->send(gate->opaque, reason, sizeof(reason) - 1);
    }
    return refuse(gate, -EACCES, "its login was refused");
}

static ssize_t take_init(struct gate *gate, const uint8_t *data, size_t length)
{
    uint8_t hello[VERSION_LENGTH + 2];

    if (length < 1)
        return 0;
    if (!gate->ops->admit(gate->opaque, data[0] != 0))
        return refuse(gate, -EACCES, "it wants the screen for itself");
    memcpy(hello, version_text, VERSION_LENGTH);
    hello[VERSION_LENGTH] = SECURITY_NONE;
    hello[VERSION_LENGTH + 1] = data[0] != 0;
    gate->ops->to_library(gate->opaque, hello, sizeof(hello));
    gate->state = GATE_NORMAL;
    return 1;
}

/* ---- messages ------------------------------------------------------------------------------- */

/* A colour has a maximum of 2^n - 1 and lies within the pixel. */
static bool is_colour(uint16_t max, uint8_t shift, uint8_t bits_per_pixel)
{
    unsigned bits = 0;

    if (max == 0 || (max & (max + 1)) != 0)
        return false;
    while (max >> bits)
        bits++;
    return shift + bits <= bits_per_pixel;
}

static ssize_t take_pixel_format(struct gate *gate, const uint8_t *data, size_t length)
{
    const uint8_t *format = data + 4;
    uint8_t bpp = length >= 20 ? format[0] : 0;

    if (length < 20)
        return 0;
    if ((bpp != 8 && bpp != 16 && bpp != 32) || format[1] == 0 || format[1] > bpp || !format[3] ||
        !is_colour(be16(format + 4), format[10], bpp) ||
        !is_colour(be16(format + 6), format[11], bpp) ||
        !is_colour(be16(format + 8), format[12], bpp))
        return refuse(gate, -EPROTO, "it wants a pixel format that there is not");
    gate->ops->to_library(gate->opaque, data, 20);
    return 20;
}

/* What the library may be asked for. */
static bool is_for_library(int32_t encoding)
{
    static const int32_t known[] = {
        0,    /* raw */
        1,    /* copy rectangle */
        5,    /* hextile */
        7,    /* tight */
        16,   /* ZRLE */
        -223, /* desktop size */
        -224, /* last rectangle */
        -239, /* cursor with pixels */
        -308, /* extended desktop size */
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (known[i] == encoding)
            return true;
    /* Levels of compression, and of JPEG quality. */
    return (encoding >= -256 && encoding <= -247) || (encoding >= -32 && encoding <= -23);
}

static uint32_t feature_of(int32_t encoding)
{
    switch (encoding) {
    case -257:
        return GATE_POINTER_MODE;
    case -258:
        return GATE_EXTENDED_KEYS;
    case -261:
        return GATE_LEDS;
    default:
        return 0;
    }
}

static ssize_t take_encodings(struct gate *gate, const uint8_t *data, size_t length)
{
    uint8_t kept[GATE_MESSAGE_MAX];
    uint32_t features = 0;
    unsigned count, n = 0;
    size_t size;

    if (length < 4)
        return 0;
    count = be16(data + 2);
    if (count > ENCODINGS_MAX)
        return refuse(gate, -EPROTO, "it lists too many encodings");
    size = 4 + 4 * (size_t)count;
    if (length < size)
        return 0;
    for (unsigned i = 0; i < count; i++) {
        const uint8_t *encoding = data + 4 + 4 * i;

        features |= feature_of((int32_t)be32(encoding));
        if (is_for_library((int32_t)be32(encoding)))
            memcpy(kept + 4 + 4 * n++, encoding, 4);
    }
    memcpy(kept, (uint8_t[]){SET_ENCODINGS, 0, (uint8_t)(n >> 8), (uint8_t)n}, 4);
    gate->ops->to_library(gate->opaque, kept, 4 + 4 * n);
    gate->ops->features(gate->opaque, features);
    return (ssize_t)size;
}

static ssize_t take_cut_text(struct gate *gate, const uint8_t *data, size_t length)
{
    uint32_t size;

    if (length < 8)
        return 0;
    size = be32(data + 4);
    if (size > GATE_CUT_TEXT_MAX)
        return refuse(gate, -EPROTO, "it sends too much text");
    gate->skip = size;
    return 8;
}

static ssize_t take_desktop_size(struct gate *gate, const uint8_t *data, size_t length)
{
    size_t size;

    if (length < 8)
        return 0;
    if (data[6] == 0 || data[6] > SCREENS_MAX)
        return refuse(gate, -EPROTO, "it wants a number of screens that cannot be");
    size = 8 + 16 * (size_t)data[6];
    if (length < size)
        return 0;
    gate->ops->to_library(gate->opaque, data, size);
    return (ssize_t)size;
}

static ssize_t take_qemu_message(struct gate *gate, const uint8_t *data, size_t length)
{
    if (length < 2)
        return 0;
    if (data[1] != 0)
        return refuse(gate, -EPROTO, "it sends what is not offered (QEMU message)");
    if (length < 12)
        return 0;
    gate->ops->raw_key(gate->opaque, be32(data + 8), be16(data + 2) != 0);
    return 12;
}

static ssize_t take_message(struct gate *gate, const uint8_t *data, size_t length)
{
    switch (data[0]) {
    case SET_PIXEL_FORMAT:
        return take_pixel_format(gate, data, length);
    case SET_ENCODINGS:
        return take_encodings(gate, data, length);
    case UPDATE_REQUEST:
        if (length < 10)
            return 0;
        gate->ops->to_library(gate->opaque, data, 10);
        return 10;
    case KEY_EVENT:
        if (length < 8)
            return 0;
        gate->ops->key(gate->opaque, be32(data + 4), data[1] != 0);
        return 8;
    case POINTER_EVENT:
        if (length < 6)
            return 0;
        gate->ops->pointer(gate->opaque, data[1], be16(data + 2), be16(data + 4));
        return 6;
    case CUT_TEXT:
        return take_cut_text(gate, data, length);
    case SET_DESKTOP_SIZE:
        return take_desktop_size(gate, data, length);
    case QEMU_MESSAGE:
        return take_qemu_message(gate, data, length);
    default:
        return refuse(gate, -EPROTO, "it sends what is not offered");
    }
}

ssize_t gate_take(struct gate *gate, const uint8_t *data, size_t length)
{
    if (gate->why)
        return -EPROTO;
    if (length == 0)
        return 0;
    if (gate->skip) {
        size_t n = length < gate->skip ? length : gate->skip;

        gate->skip -= (uint32_t)n;
        return (ssize_t)n;
    }
    switch (gate->state) {
    case GATE_VERSION:
        return take_version(gate, data, length);
    case GATE_SECURITY:
        return take_security(gate, data, length);
    case GATE_LOGIN:
        return take_login(gate, data, length);
    case GATE_INIT:
        return take_init(gate, data, length);
    case GATE_NORMAL:
        return take_message(gate, data, length);
    }
    return -EPROTO;
}
