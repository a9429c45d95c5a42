/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "toolstack/keyval.h"

#include <stdlib.h>
#include <string.h>

/*
 * Takes one string up to a comma that is not doubled (or up to the end, or up to '=' when
 * stop_at_equals), undoubles the commas in it, and writes it to *out. Returns where it stopped.
 * The output never overtakes the input: both may be the same buffer.
 */
static const char *take(const char *in, char **out, bool stop_at_equals)
{
    char *o = *out;

    while (*in && !(stop_at_equals && *in == '=')) {
        if (*in == ',') {
            if (in[1] != ',')
                break;
            in++;
        }
        *o++ = *in++;
    }
    *o++ = '\0';
    *out = o;
    return in;
}

enum keyval_error keyval_parse(struct keyval *kv, const char *text, const char *implied_key)
{
    size_t implied_size = implied_key ? strlen(implied_key) + 1 : 0;
    char *out;

    memset(kv, 0, sizeof(*kv));
    /* Each element gives up a separator and gets a NUL; an element without '=' or ',' after it is
     * the last one. One byte more for a key that ends in '=' at the very end. */
    kv->text = malloc(implied_size + strlen(text) + 2);
    if (!kv->text)
        return KEYVAL_NO_MEMORY;
    out = kv->text;
    if (implied_key) {
        memcpy(out, implied_key, implied_size);
        out += implied_size;
    }

    while (*text) {
        struct keyval_item *item = &kv->item[kv->count];
        char *start = out;

        if (kv->count == KEYVAL_MAX)
            return KEYVAL_TOO_MANY;
        text = take(text, &out, true);
        if (*text == '=') {
            item->key = start;
            item->value = out;
            text = take(text + 1, &out, false);
        } else if (kv->count == 0 && implied_key) {
            item->key = kv->text;
            item->value = start;
        } else {
            item->key = start;
        }
        if (*text == ',')
            text++;
        if (!item->key[0])
            return KEYVAL_EMPTY_KEY;
        kv->count++;
        for (unsigned i = 0; i + 1 < kv->count; i++) {
            if (!strcmp(kv->item[i].key, item->key))
                return KEYVAL_TWICE;
        }
    }
    return KEYVAL_OK;
}

void keyval_free(struct keyval *kv)
{
    free(kv->text);
    memset(kv, 0, sizeof(*kv));
}

struct keyval_item *keyval_find(struct keyval *kv, const char *key)
{
    for (unsigned i = 0; i < kv->count; i++) {
        if (!strcmp(kv->item[i].key, key)) {
            kv->item[i].used = true;
            return &kv->item[i];
        }
    }
    return NULL;
}

const struct keyval_item *keyval_unused(const struct keyval *kv)
{
    for (unsigned i = 0; i < kv->count; i++) {
        if (!kv->item[i].used)
            return &kv->item[i];
    }
    return NULL;
}

bool keyval_parse_bool(const char *s, bool *out)
{
    static const char *const names[] = {"off", "on", "no", "yes", "false", "true"};

    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (!strcmp(s, names[i])) {
            *out = i & 1;
            return true;
        }
    }
    return false;
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return 16;
}

/* Reads the digits at *s and moves *s behind them; false with no digit or an overflow. */
static bool take_number(const char **s, uint64_t *out)
{
    const char *p = *s;
    int base = 10;
    uint64_t n = 0;
    bool any = false;

    if (p[0] == '0' && (p[1] == 'x' || p[1] == 'X')) {
        base = 16;
        p += 2;
    }
    for (; digit_of(*p) < base; p++) {
        if (__builtin_mul_overflow(n, (uint64_t)base, &n) ||
            __builtin_add_overflow(n, (uint64_t)digit_of(*p), &n))
            return false;
        any = true;
    }
    *s = p;
    *out = n;
    return any;
}

bool keyval_parse_uint(const char *s, uint64_t min, uint64_t max, uint64_t *out)
{
    uint64_t n;

    if (!take_number(&s, &n) || *s || n < min || n > max)
        return false;
    *out = n;
    return true;
}

bool keyval_parse_size(const char *s, uint64_t unit, uint64_t min, uint64_t max, uint64_t *out)
{
    static const char suffixes[] = "bkmgt";
    uint64_t n;

    if (!take_number(&s, &n))
        return false;
    if (*s) {
        const char *found = strchr(suffixes, *s | 0x20);

        if (!found || s[1])
            return false;
        unit = 1ull << (10 * (found - suffixes));
    }
    if (__builtin_mul_overflow(n, unit, &n) || n < min || n > max)
        return false;
    *out = n;
    return true;
}
