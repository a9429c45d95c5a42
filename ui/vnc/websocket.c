/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ui/vnc/websocket.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "ui/vnc/sha1.h"

enum { OP_MORE = 0, OP_BINARY = 2, OP_CLOSE = 8, OP_PING = 9, OP_PONG = 10 };

#define KEY_LENGTH 24 /* 16 bytes in base 64 */

/* ---- request -------------------------------------------------------------------------------- */

static void base64(const uint8_t in[20], char out[29])
{
    static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *p = out;

    for (int i = 0; i < 20; i += 3) {
        uint32_t v = (uint32_t)in[i] << 16 | (uint32_t)in[i + 1] << 8 | (i < 18 ? in[i + 2] : 0);

        *p++ = digit[v >> 18];
        *p++ = digit[v >> 12 & 63];
        *p++ = digit[v >> 6 & 63];
        *p++ = i < 18 ? digit[v & 63] : '=';
    }
    *p = '\0';
}

/* The value of a header line, without blanks around it; its length, or -1. */
static int header_value(const char *request, const char *name, const char **value)
{
    size_t n = strlen(name);

    for (const char *line = strstr(request, "\r\n"); line; line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, name, n) == 0 && line[n] == ':') {
            const char *begin = line + n + 1, *end = strstr(begin, "\r\n");

            while (begin < end && (*begin == ' ' || *begin == '\t'))
                begin++;
            while (end > begin && (end[-1] == ' ' || end[-1] == '\t'))
                end--;
            *value = begin;
            return (int)(end - begin);
        }
    }
    return -1;
}

/* Whether a list "a, b" has this element. */
static bool has_element(const char *list, int length, const char *element)
{
    size_t n = strlen(element);

    for (int i = 0; i + (int)n <= length; i++) {
        bool begins = i == 0 || strchr(", \t", list[i - 1]);
        bool ends = i + (int)n == length || strchr(", \t", list[i + (int)n]);

        if (begins && ends && strncasecmp(list + i, element, n) == 0)
            return true;
    }
    return false;
}

static bool is_upgrade(const char *request)
{
    const char *value;
    int n;

    if (strncmp(request, "GET ", 4) != 0)
        return false;
    n = header_value(request, "Upgrade", &value);
    if (n < 0 || !has_element(value, n, "websocket"))
        return false;
    n = header_value(request, "Sec-WebSocket-Version", &value);
    return n == 2 && memcmp(value, "13", 2) == 0;
}

ssize_t websocket_request(const uint8_t *data, size_t length, char answer[WEBSOCKET_ANSWER_MAX],
                          size_t *answer_length)
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    char request[WEBSOCKET_REQUEST_MAX + 1], secret[KEY_LENGTH + sizeof(guid)], accept[29];
    const char *end, *value;
    uint8_t hash[20];
    int n;

    if (length > WEBSOCKET_REQUEST_MAX)
        length = WEBSOCKET_REQUEST_MAX;
    memcpy(request, data, length);
    request[length] = '\0';
    end = strstr(request, "\r\n\r\n");
    if (!end)
        return length == WEBSOCKET_REQUEST_MAX || memchr(data, '\0', length) ? -EPROTO : 0;
    request[end + 4 - request] = '\0';
    if (!is_upgrade(request))
        return -EPROTO;
    n = header_value(request, "Sec-WebSocket-Key", &value);
    if (n != KEY_LENGTH)
        return -EPROTO;
    memcpy(secret, value, KEY_LENGTH);
    memcpy(secret + KEY_LENGTH, guid, sizeof(guid) - 1);
    sha1(secret, KEY_LENGTH + sizeof(guid) - 1, hash);
    base64(hash, accept);
    n = header_value(request, "Sec-WebSocket-Protocol", &value);
    *answer_length = (size_t)snprintf(
        answer, WEBSOCKET_ANSWER_MAX,
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Accept: %s\r\n%s\r\n",
        accept,
        n > 0 && has_element(value, n, "binary") ? "Sec-WebSocket-Protocol: binary\r\n" : "");
    return end + 4 - request;
}

/* ---- frames --------------------------------------------------------------------------------- */

/* Bytes of the header as far as it is known: 2, then with the length and the mask. */
static unsigned header_size(const struct websocket *ws)
{
    unsigned length = ws->have >= 2 ? ws->header[1] & 0x7f : 0;

    if (ws->have < 2)
        return 2;
    return length == 126 ? 8 : length == 127 ? 14 : 6;
}

static int begin_frame(struct websocket *ws)
{
    uint8_t opcode = ws->header[0] & 0x0f;
    unsigned extra = header_size(ws) - 6;
    uint64_t length = ws->header[1] & 0x7f;

    if (extra) {
        length = 0;
        for (unsigned i = 0; i < extra; i++)
            length = length << 8 | ws->header[2 + i];
    }
    /* Reserved bits belong to extensions, which are not offered; a browser always masks. */
    if (ws->header[0] & 0x70 || !(ws->header[1] & 0x80) || length >> 63)
        return -EPROTO;
    if (opcode >= OP_CLOSE && (length > sizeof(ws->control) || !(ws->header[0] & 0x80)))
        return -EPROTO;
    if (opcode == OP_CLOSE)
        return -EPIPE;
    if (opcode != OP_MORE && opcode != OP_BINARY && opcode != OP_PING && opcode != OP_PONG)
        return -EPROTO;
    memcpy(ws->mask, ws->header + 2 + extra, 4);
    ws->mask_at = 0;
    ws->left = length;
    ws->control_length = 0;
    ws->inside = true;
    return 0;
}

/* Takes up to `length` bytes of payload; data goes to `out`, a ping's to control[]. */
static size_t take_payload(struct websocket *ws, const uint8_t *data, size_t length, uint8_t *out)
{
    size_t n = length < ws->left ? length : (size_t)ws->left;
    bool control = (ws->header[0] & 0x0f) >= OP_CLOSE;

    for (size_t i = 0; i < n; i++) {
        uint8_t byte = data[i] ^ ws->mask[ws->mask_at++ & 3];

        if (control)
            ws->control[ws->control_length++] = byte;
        else
            out[i] = byte;
    }
    ws->left -= n;
    return n;
}

static void end_frame(struct websocket *ws)
{
    ws->pong = (ws->header[0] & 0x0f) == OP_PING;
    ws->inside = false;
    ws->have = 0;
}

ssize_t websocket_decode(struct websocket *ws, uint8_t *data, size_t length, size_t *used)
{
    size_t in = 0, out = 0;

    ws->pong = false;
    while (!ws->pong && (in < length || (ws->inside && ws->left == 0))) {
        size_t n;

        if (!ws->inside) {
            int rc;

            ws->header[ws->have++] = data[in++];
            if (ws->have < 2 || ws->have < header_size(ws))
                continue;
            rc = begin_frame(ws);
            if (rc)
                return rc;
            continue;
        }
        n = take_payload(ws, data + in, length - in, data + out);
        in += n;
        if ((ws->header[0] & 0x0f) < OP_CLOSE)
            out += n;
        if (ws->left == 0)
            end_frame(ws);
    }
    *used = in;
    return (ssize_t)out;
}

size_t websocket_header(uint8_t opcode, size_t length, uint8_t header[WEBSOCKET_HEADER_MAX])
{
    unsigned extra = length < 126 ? 0 : length <= 0xffff ? 2 : 8;

    header[0] = 0x80 | opcode;
    header[1] = (uint8_t)(extra == 0 ? length : extra == 2 ? 126 : 127);
    for (unsigned i = 0; i < extra; i++)
        header[2 + i] = (uint8_t)((uint64_t)length >> (8 * (extra - 1 - i)));
    return 2 + extra;
}
