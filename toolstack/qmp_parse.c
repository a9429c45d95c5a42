/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes into messages.
 *
 * Clients end their messages with CR LF, with LF or with nothing at all (libxenstat), so a message
 * is complete at the bracket that closes it. What is found here is only where one begins and ends;
 * json-c then parses it as a whole. Mistakes inside a balanced message leave the next one intact. A
 * byte that no JSON text has there (a control byte in a string, 0xff anywhere) drops what has been
 * collected, so that a client can always come back by sending one, as it can with QEMU.
 */
#include <stdlib.h>
#include <string.h>

#include "toolstack/qmp_internal.h"

#define ROOM_FIRST 512
#define ROOM_KEPT  4096 /* what stays allocated between messages */

void qmp_parser_reset(struct qmp_parser *parser)
{
    if (parser->text)
        explicit_bzero(parser->text, parser->len);
    if (parser->room > ROOM_KEPT) {
        free(parser->text);
        parser->text = NULL;
        parser->room = 0;
    }
    parser->len = 0;
    parser->depth = 0;
    parser->values = 0;
    parser->in_string = false;
    parser->escaped = false;
}

void qmp_parser_fini(struct qmp_parser *parser)
{
    qmp_parser_reset(parser);
    free(parser->text);
    *parser = (struct qmp_parser){0};
}

/* Not realloc(): it would leave copies behind. */
static bool grow(struct qmp_parser *parser)
{
    size_t room = parser->room ? parser->room * 2 : ROOM_FIRST;
    char *text = malloc(room);

    if (!text)
        return false;
    if (parser->text) {
        memcpy(text, parser->text, parser->len);
        explicit_bzero(parser->text, parser->len);
        free(parser->text);
    }
    parser->text = text;
    parser->room = room;
    return true;
}

static const char *append(struct qmp_parser *parser, uint8_t c)
{
    if (parser->len == QMP_MESSAGE_MAX)
        return "the message is longer than 1 MiB";
    if (parser->len == parser->room && !grow(parser))
        return "out of memory";
    parser->text[parser->len++] = (char)c;
    return NULL;
}

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static enum qmp_parsed broken(struct qmp_parser *parser, uint8_t c, const char **why,
                              const char *text)
{
    qmp_parser_reset(parser);
    parser->skipping = c != '\n';
    *why = text;
    return QMP_PARSE_BROKEN;
}

/* Outside of a message. */
static enum qmp_parsed between(struct qmp_parser *parser, uint8_t c, const char **why)
{
    if (c == '{' || c == '[') {
        parser->skipping = false;
        parser->depth = 1;
        *why = append(parser, c);
        return *why ? QMP_PARSE_LIMIT : QMP_PARSE_MORE;
    }
    if (c == '\n')
        parser->skipping = false;
    /* A lone 0xff is how a client makes sure that we are here: nothing to complain about. */
    if (parser->skipping || is_space(c) || c == 0xff)
        return QMP_PARSE_MORE;
    return broken(parser, c, why, "a JSON object is expected");
}

static enum qmp_parsed in_string(struct qmp_parser *parser, uint8_t c, const char **why)
{
    if (c < 0x20)
        return broken(parser, c, why, "JSON parse error: a control character in a string");
    if (c >= 0xfe)
        return broken(parser, c, why, "JSON parse error: a byte that is not UTF-8");
    if (parser->escaped)
        parser->escaped = false;
    else if (c == '\\')
        parser->escaped = true;
    else if (c == '"')
        parser->in_string = false;
    return QMP_PARSE_MORE;
}

static enum qmp_parsed in_message(struct qmp_parser *parser, uint8_t c, const char **why)
{
    switch (c) {
    case '"':
        parser->in_string = true;
        break;
    case '{':
    case '[':
        if (++parser->depth > QMP_DEPTH_MAX) {
            *why = "the message is nested too deeply";
            return QMP_PARSE_LIMIT;
        }
        __attribute__((fallthrough));
    case ',':
        if (++parser->values > QMP_VALUES_MAX) {
            *why = "the message has too many values";
            return QMP_PARSE_LIMIT;
        }
        break;
    case '}':
    case ']':
        if (--parser->depth == 0)
            return QMP_PARSE_MESSAGE;
        break;
    default:
        /* Numbers and the words true, false and null; what they say is json-c's to judge. */
        if (!is_space(c) && c != ':' && c != '+' && c != '-' && c != '.' && c != 'E' &&
            !(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'z'))
            return broken(parser, c, why, "JSON parse error: a character that JSON does not have");
        break;
    }
    return QMP_PARSE_MORE;
}

enum qmp_parsed qmp_parser_feed(struct qmp_parser *parser, const uint8_t *data, size_t len,
                                size_t *used, const char **why)
{
    for (*used = 0; *used < len;) {
        uint8_t c = data[(*used)++];
        enum qmp_parsed parsed;

        if (parser->depth == 0) {
            parsed = between(parser, c, why);
        } else {
            parsed = parser->in_string ? in_string(parser, c, why) : in_message(parser, c, why);
            if (parsed == QMP_PARSE_MORE || parsed == QMP_PARSE_MESSAGE) {
                *why = append(parser, c);
                if (*why)
                    parsed = QMP_PARSE_LIMIT;
            }
        }
        if (parsed != QMP_PARSE_MORE)
            return parsed;
    }
    return QMP_PARSE_MORE;
}

/* Unicode's table of well-formed sequences: no overlong forms, no surrogates, at most U+10FFFF. */
size_t qmp_utf8_length(const uint8_t *s, size_t len)
{
    uint8_t low = 0x80, high = 0xbf;
    size_t n;

    if (s[0] < 0x80)
        return 1;
    if (s[0] < 0xc2 || s[0] > 0xf4)
        return 0;
    n = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
    if (n > len)
        return 0;
    if (s[0] == 0xe0)
        low = 0xa0;
    else if (s[0] == 0xed)
        high = 0x9f;
    else if (s[0] == 0xf0)
        low = 0x90;
    else if (s[0] == 0xf4)
        high = 0x8f;
    if (s[1] < low || s[1] > high)
        return 0;
    for (size_t i = 2; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    return n;
}
