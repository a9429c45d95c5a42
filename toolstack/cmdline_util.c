/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages, owned strings and checked values for the command-line parser. */
#include "toolstack/cmdline_internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

/* --- strings ---------------------------------------------------------------------------------- */

struct string {
    struct string *next;
    char text[];
};

static char *string_new(struct parser *p, size_t size)
{
    struct string *s = malloc(sizeof(*s) + size);

    if (!s) {
        p->err = -ENOMEM;
        return NULL;
    }
    s->next = p->config->strings;
    p->config->strings = s;
    return s->text;
}

const char *keep(struct parser *p, const char *s)
{
    size_t size = strlen(s) + 1;
    char *copy = string_new(p, size);

    return copy ? memcpy(copy, s, size) : "";
}

const char *keep_format(struct parser *p, const char *format, ...)
{
    char text[256];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    return keep(p, text);
}

void config_free(struct config *config)
{
    struct string *next;

    if (!config)
        return;
    for (struct string *s = config->strings; s; s = next) {
        next = s->next;
        free(s);
    }
    free(config);
}

/* --- messages --------------------------------------------------------------------------------- */

/* "OPTION VALUE: text", the value cut when it is long; no control bytes: a message is one line. */
static char *message(struct parser *p, bool with_option, const char *before, const char *text)
{
    const char *value = p->value ? p->value : "";
    const char *option = with_option && p->option ? p->option : "";
    char *line = NULL;
    int n = asprintf(&line, "%s%s%s%.160s%s%s%s", before, option, *option && *value ? " " : "",
                     *option ? value : "", *option && strlen(value) > 160 ? "..." : "",
                     *option ? ": " : "", text);

    if (n < 0) {
        p->err = -ENOMEM;
        return NULL;
    }
    for (char *c = line; *c; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
    }
    return line;
}

void fail(struct parser *p, const char *format, ...)
{
    char text[512];
    va_list args;

    if (p->err)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    p->err = -EINVAL;
    p->messages->error = message(p, true, "", text);
}

static void add_notice(struct parser *p, char *line)
{
    struct config_messages *m = p->messages;

    if (!line)
        return;
    if (m->notice_count == CONFIG_NOTICE_MAX) {
        m->notices_dropped++;
        free(line);
        return;
    }
    m->notice[m->notice_count++] = line;
}

void notice(struct parser *p, bool with_option, const char *format, ...)
{
    char text[512];
    va_list args;

    if (p->err)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    add_notice(p, message(p, with_option, "", text));
}

void notice_not_built(struct parser *p, const char *what)
{
    notice(p, false, "not built yet: %s (%s%s%.160s); the guest starts without it", what, p->option,
           p->value ? " " : "", p->value ? p->value : "");
}

void set_context(struct parser *p, const char *option, const char *value)
{
    p->option = option;
    p->value = value;
    p->hint = NULL;
}

void config_messages_free(struct config_messages *msgs)
{
    if (!msgs)
        return;
    free(msgs->error);
    for (size_t i = 0; i < msgs->notice_count; i++)
        free(msgs->notice[i]);
    memset(msgs, 0, sizeof(*msgs));
}

void option_notice(struct parser *p, const char *value)
{
    notice(p, true, "%s", p->entry->text);
}

void option_refuse(struct parser *p, const char *value)
{
    fail(p, "%s", p->entry->text);
}

/* --- lists ------------------------------------------------------------------------------------ */

/* What a strange key often is: the rest of a value that had a comma in it. */
static const char comma_hint[] = "a comma inside a value is written ',,'";

bool list_open(struct parser *p, struct keyval *kv, const char *text, const char *implied_key)
{
    const char *hint = p->hint ? p->hint : comma_hint;

    switch (keyval_parse(kv, text, implied_key)) {
    case KEYVAL_OK:
        break;
    case KEYVAL_NO_MEMORY:
        p->err = -ENOMEM;
        break;
    case KEYVAL_TOO_MANY:
        fail(p, "more than %d elements in one list", KEYVAL_MAX);
        break;
    case KEYVAL_EMPTY_KEY:
        fail(p, "an element without a key before '='; accepted is key=value[,key=value]... (%s)",
             hint);
        break;
    case KEYVAL_TWICE:
        fail(p, "key '%.60s' is given twice; each is accepted once (%s)",
             kv->item[kv->count - 1].key, hint);
        break;
    }
    return !p->err;
}

void list_close(struct parser *p, struct keyval *kv, const char *accepted)
{
    const struct keyval_item *item = keyval_unused(kv);

    if (item)
        fail(p, "key '%.60s' is not known; accepted: %s (%s)", item->key, accepted,
             p->hint ? p->hint : comma_hint);
}

void list_ignore(struct keyval *kv, const char *keys)
{
    while (*keys) {
        size_t length = strcspn(keys, " ");

        for (unsigned i = 0; i < kv->count; i++) {
            const char *key = kv->item[i].key;

            if (!strncmp(key, keys, length) && !key[length])
                kv->item[i].used = true;
            else if (starts_with(key, "no", &key) && !kv->item[i].value &&
                     !strncmp(key, keys, length) && !key[length])
                kv->item[i].used = true;
        }
        keys += length;
        keys += *keys == ' ';
    }
}

const char *list_string(struct parser *p, struct keyval *kv, const char *key)
{
    struct keyval_item *item = keyval_find(kv, key);

    if (!item)
        return NULL;
    if (!item->value) {
        fail(p, "key '%s' needs a value: %s=VALUE", key, key);
        return NULL;
    }
    return item->value;
}

bool list_bool(struct parser *p, struct keyval *kv, const char *key, bool otherwise)
{
    struct keyval_item *item = keyval_find(kv, key);
    bool value = otherwise;

    if (item) {
        if (!item->value)
            return true;
        if (!keyval_parse_bool(item->value, &value))
            fail(p, "%s=%.60s is neither on nor off; accepted: on, off, yes, no, true, false", key,
                 item->value);
        return value;
    }
    for (unsigned i = 0; i < kv->count; i++) {
        const char *rest;

        if (!kv->item[i].value && starts_with(kv->item[i].key, "no", &rest) && !strcmp(rest, key)) {
            kv->item[i].used = true;
            return false;
        }
    }
    return otherwise;
}

uint64_t list_uint(struct parser *p, struct keyval *kv, const char *key, uint64_t otherwise,
                   uint64_t min, uint64_t max)
{
    const char *text = list_string(p, kv, key);
    uint64_t value = otherwise;

    if (text && !keyval_parse_uint(text, min, max, &value))
        fail(p, "%s=%.60s is not accepted; accepted: a number from %llu to %llu", key, text,
             (unsigned long long)min, (unsigned long long)max);
    return value;
}

int list_choice(struct parser *p, struct keyval *kv, const char *key, int otherwise,
                const char *const words[])
{
    const char *text = list_string(p, kv, key);
    char accepted[256] = "";
    size_t length = 0;

    if (!text)
        return otherwise;
    for (int i = 0; words[i]; i++) {
        if (!strcmp(words[i], text))
            return i;
        length += (size_t)snprintf(accepted + length, sizeof(accepted) - length, "%s%s",
                                   i ? ", " : "", words[i]);
        if (length >= sizeof(accepted))
            break;
    }
    fail(p, "%s=%.60s is not accepted; accepted: %s", key, text, accepted);
    return otherwise;
}

uint64_t value_uint(struct parser *p, const char *value, uint64_t min, uint64_t max)
{
    uint64_t n = min;

    if (!keyval_parse_uint(value, min, max, &n))
        fail(p, "not accepted; accepted: a number from %llu to %llu", (unsigned long long)min,
             (unsigned long long)max);
    return n;
}

/* --- checks ----------------------------------------------------------------------------------- */

bool starts_with(const char *s, const char *prefix, const char **rest)
{
    size_t length = strlen(prefix);

    if (strncmp(s, prefix, length))
        return false;
    *rest = s + length;
    return true;
}

bool check_id(struct parser *p, const char *id)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    size_t n = strspn(id, letters);

    while (n && id[n] && (strchr(letters, id[n]) || strchr("0123456789-._", id[n])))
        n++;
    if (n && !id[n])
        return true;
    fail(p, "id=%.60s is not accepted; accepted: a letter, then letters, digits, '-', '.' and '_'",
         id);
    return false;
}

bool check_path(struct parser *p, const char *what, const char *path, bool socket)
{
    const size_t max = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1;

    if (!*path)
        fail(p, "%s is empty; accepted: a path", what);
    else if (socket && strlen(path) > max)
        fail(p, "%s has %zu bytes; a socket's path may have %zu", what, strlen(path), max);
    return !p->err;
}
