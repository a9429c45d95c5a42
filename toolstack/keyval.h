/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The comma list of QEMU's command line: "pty,id=a", "server,nowait", "path=/a,,b".
 *
 * The list is cut into elements only; what a key means, and whether "nowait" is a key of its own or
 * the denial of "wait", is decided by whoever looks it up.
 */
#ifndef TOOLSTACK_KEYVAL_H
#define TOOLSTACK_KEYVAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KEYVAL_MAX 40 /* elements of one list; libxl's longest has 9 */

struct keyval_item {
    char *key;   /* never empty */
    char *value; /* NULL: a bare key */
    bool used;   /* somebody has looked it up */
};

struct keyval {
    struct keyval_item item[KEYVAL_MAX];
    unsigned count;
    char *text; /* owns all keys and values */
};

enum keyval_error {
    KEYVAL_OK = 0,
    KEYVAL_NO_MEMORY,
    KEYVAL_TOO_MANY,  /* more than KEYVAL_MAX elements */
    KEYVAL_EMPTY_KEY, /* "=x" */
    KEYVAL_TWICE,     /* the last item has a key that was there before */
};

/*
 * Cuts text. An element is "key=value" (cut at the first '='), or a bare key; a comma that belongs
 * to a value is doubled. A first element without '=' is the value of implied_key, unless that is
 * NULL. On success and on error the list is to be freed.
 */
enum keyval_error keyval_parse(struct keyval *kv, const char *text, const char *implied_key);
void keyval_free(struct keyval *kv);

/* The item of that exact key, marked as used, or NULL. */
struct keyval_item *keyval_find(struct keyval *kv, const char *key);

/* The first item that nobody has looked up, or NULL. */
const struct keyval_item *keyval_unused(const struct keyval *kv);

/* "on", "yes", "true", "off", "no", "false". False when s is none of them. */
bool keyval_parse_bool(const char *s, bool *out);

/*
 * A whole number, decimal or 0x hexadecimal: no sign, no space, nothing after it.
 * False when s is something else or does not lie in min..max.
 */
bool keyval_parse_uint(const char *s, uint64_t min, uint64_t max, uint64_t *out);

/* The same with an optional suffix B, K, M, G or T (powers of 1024, either case); without one the
 * number counts units of `unit` bytes. min, max and *out are bytes. */
bool keyval_parse_size(const char *s, uint64_t unit, uint64_t min, uint64_t max, uint64_t *out);

#endif
