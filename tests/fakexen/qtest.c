/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The qtest text protocol as QEMU documents it: one command a line, "OK ..." or "FAIL ..." as the
 * answer, and lines "IRQ raise N" / "IRQ lower N" in between once interrupts are intercepted. The
 * device model runs in real time, so clock_step waits that long. Commands that begin with x- are
 * ours (extend.c).
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "guest.h"

enum { WORDS = 8, MAX_CLOCK_STEP_S = 30 };

static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Changes of interrupt lines since the last call, in order. */
void qtest_irqs(struct guest *g, FILE *out)
{
    struct hv *hv = g->hv;

    if (hv->records - g->irq_seen > HV_RECORDS)
        g->irq_seen = hv->records - HV_RECORDS;
    hv_lock(hv);
    while (g->irq_seen < hv->records) {
        const struct hv_record *r = &hv->record[g->irq_seen++ % HV_RECORDS];

        if (g->intercept && r->kind == HV_REC_GSI)
            fprintf(out, "IRQ %s %" PRIu64 "\n", r->arg[1] ? "raise" : "lower", r->arg[0]);
    }
    hv_unlock(hv);
}

static void fail(struct guest *g, FILE *out, int rc)
{
    fprintf(out, "FAIL %s\n", g->why[0] ? g->why : strerror(-rc));
}

static bool number(const char *text, uint64_t *value)
{
    char *end;

    if (!text || !*text)
        return false;
    errno = 0;
    *value = strtoull(text, &end, 0);
    return !*end && !errno;
}

static uint32_t width(char letter)
{
    return letter == 'b' ? 1 : letter == 'w' ? 2 : letter == 'l' ? 4 : letter == 'q' ? 8 : 0;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if ((c | 32) >= 'a' && (c | 32) <= 'f')
        return (c | 32) - 'a' + 10;
    return -1;
}

/* "0x0123ab": what is missing stays zero, what is too much is left out, as QEMU documents it. */
static bool unhex(const char *text, uint8_t *out, size_t bytes)
{
    if (strncmp(text, "0x", 2))
        return false;
    text += 2;
    for (size_t i = 0; i < bytes && *text; i++, text += 2) {
        int high = hex_digit(text[0]), low = hex_digit(text[1]);

        if (high < 0 || low < 0)
            return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

/* The same for base64. */
static bool unbase64(const char *text, uint8_t *out, size_t bytes)
{
    uint32_t bits = 0, have = 0;
    size_t n = 0;

    for (; *text && *text != '='; text++) {
        const char *at = strchr(base64, *text);

        if (!at)
            return false;
        bits = bits << 6 | (uint32_t)(at - base64);
        have += 6;
        if (have < 8)
            continue;
        have -= 8;
        if (n < bytes)
            out[n++] = (uint8_t)(bits >> have);
    }
    return true;
}

static void put_base64(FILE *out, const uint8_t *data, size_t bytes)
{
    for (size_t i = 0; i < bytes; i += 3) {
        size_t n = bytes - i < 3 ? bytes - i : 3;
        uint32_t v = (uint32_t)data[i] << 16 | (n > 1 ? (uint32_t)data[i + 1] << 8 : 0) |
                     (n > 2 ? data[i + 2] : 0u);

        putc(base64[v >> 18 & 63], out);
        putc(base64[v >> 12 & 63], out);
        putc(n > 1 ? base64[v >> 6 & 63] : '=', out);
        putc(n > 2 ? base64[v & 63] : '=', out);
    }
}

/* inb, outw and so on. */
static bool port_command(struct guest *g, char **word, int words, FILE *out)
{
    bool in = !strncmp(word[0], "in", 2), write = !strncmp(word[0], "out", 3);
    const char *letter = word[0] + (in ? 2 : 3);
    uint64_t port, value = 0;
    int rc;

    if ((!in && !write) || !width(letter[0]) || letter[0] == 'q' || letter[1])
        return false;
    if (words != (in ? 2 : 3) || !number(word[1], &port) || port > 0xffff ||
        (write && !number(word[2], &value))) {
        fprintf(out, "FAIL %s: bad arguments\n", word[0]);
        return true;
    }
    rc = vcpu_port(g, g->vcpu, in ? IOREQ_READ : IOREQ_WRITE, (uint16_t)port, width(letter[0]),
                   &value);
    qtest_irqs(g, out);
    if (rc)
        fail(g, out, rc);
    else if (in)
        fprintf(out, "OK 0x%04" PRIx64 "\n", value);
    else
        fputs("OK\n", out);
    return true;
}

/* readb, writeq and so on: one access of that width. */
static bool memory_command(struct guest *g, char **word, int words, FILE *out)
{
    bool read = !strncmp(word[0], "read", 4), write = !strncmp(word[0], "write", 5);
    const char *letter = word[0] + (read ? 4 : 5);
    uint64_t gpa, value = 0;
    int rc;

    if ((!read && !write) || !width(letter[0]) || letter[1])
        return false;
    if (words != (read ? 2 : 3) || !number(word[1], &gpa) || (write && !number(word[2], &value))) {
        fprintf(out, "FAIL %s: bad arguments\n", word[0]);
        return true;
    }
    rc = guest_access(g, read ? IOREQ_READ : IOREQ_WRITE, gpa, &value, width(letter[0]));
    qtest_irqs(g, out);
    if (rc)
        fail(g, out, rc);
    else if (read)
        fprintf(out, "OK 0x%016" PRIx64 "\n", value);
    else
        fputs("OK\n", out);
    return true;
}

/* read, write, b64read, b64write, memset: any length. */
static bool block_command(struct guest *g, char **word, int words, FILE *out)
{
    bool read = !strcmp(word[0], "read"), read64 = !strcmp(word[0], "b64read"),
         set = !strcmp(word[0], "memset");
    bool write = !strcmp(word[0], "write"), write64 = !strcmp(word[0], "b64write");
    uint64_t gpa, bytes, value;
    uint8_t *data;
    bool good;
    int rc;

    if (!read && !read64 && !set && !write && !write64)
        return false;
    if (words != (read || read64 ? 3 : 4) || !number(word[1], &gpa) || !number(word[2], &bytes) ||
        bytes > 1u << 30 || (!bytes && !set)) {
        fprintf(out, "FAIL %s: bad arguments\n", word[0]);
        return true;
    }
    data = calloc(1, bytes + 1);
    good = data != NULL;
    if (good && write)
        good = unhex(word[3], data, bytes);
    if (good && write64)
        good = unbase64(word[3], data, bytes);
    if (good && set)
        good = number(word[3], &value);
    if (good && set)
        memset(data, (int)(value & 0xff), bytes);
    if (!good) {
        fprintf(out, "FAIL %s: bad data\n", word[0]);
        free(data);
        return true;
    }
    rc = guest_access(g, read || read64 ? IOREQ_READ : IOREQ_WRITE, gpa, data, bytes);
    qtest_irqs(g, out);
    if (rc) {
        fail(g, out, rc);
    } else if (read) {
        fputs("OK 0x", out);
        for (uint64_t i = 0; i < bytes; i++)
            fprintf(out, "%02x", data[i]);
        putc('\n', out);
    } else if (read64) {
        fputs("OK ", out);
        put_base64(out, data, bytes);
        putc('\n', out);
    } else {
        fputs("OK\n", out);
    }
    free(data);
    return true;
}

/* Real time stands for the virtual clock. Without an argument: one millisecond, as nobody knows the
 * next timer. */
static bool clock_command(struct guest *g, char **word, int words, FILE *out)
{
    bool step = !strcmp(word[0], "clock_step"), set = !strcmp(word[0], "clock_set");
    int64_t now = now_ns() - g->started_ns, wait;
    uint64_t ns = 1000000;
    struct timespec t;

    if (!step && !set)
        return false;
    if (words > 2 || (set && words != 2) || (words == 2 && !number(word[1], &ns))) {
        fprintf(out, "FAIL %s: bad arguments\n", word[0]);
        return true;
    }
    wait = step ? (int64_t)ns : (int64_t)ns - now;
    if (wait < 0)
        wait = 0;
    if (wait > (int64_t)MAX_CLOCK_STEP_S * 1000000000) {
        fprintf(out, "FAIL %s: longer than %d s\n", word[0], MAX_CLOCK_STEP_S);
        return true;
    }
    t = (struct timespec){.tv_sec = wait / 1000000000, .tv_nsec = wait % 1000000000};
    nanosleep(&t, NULL);
    qtest_irqs(g, out);
    fprintf(out, "OK %" PRId64 "\n", now_ns() - g->started_ns);
    return true;
}

static bool irq_command(struct guest *g, char **word, int words, FILE *out)
{
    uint64_t line, level;
    int rc;

    if (!strcmp(word[0], "irq_intercept_in") || !strcmp(word[0], "irq_intercept_out")) {
        g->irq_seen = g->hv->records;
        g->intercept = true;
        g->hv->irq_watch = 1;
        fputs(words == 2 ? "OK\n" : "FAIL bad arguments\n", out);
        return true;
    }
    if (strcmp(word[0], "set_irq_in"))
        return false;
    if (words != 5 || !number(word[3], &line) || !number(word[4], &level)) {
        fputs("FAIL set_irq_in: bad arguments\n", out);
        return true;
    }
    hv_lock(g->hv);
    rc = hv_gsi_extra(&g->view, (uint32_t)line, level != 0);
    hv_unlock(g->hv);
    qtest_irqs(g, out);
    fputs(rc ? "FAIL no such line\n" : "OK\n", out);
    return true;
}

void qtest_line(struct guest *g, struct client *c, char *line, FILE *out)
{
    char *word[WORDS], *rest = line;
    int words = 0;

    g->why[0] = 0;
    if (c->collecting || !strncmp(line, "x-", 2)) {
        extend_line(g, c, line, out);
        return;
    }
    while (words < WORDS && (word[words] = strsep(&rest, " \t")))
        words += *word[words] != 0;
    if (!words)
        return;
    if (!strcmp(word[0], "endianness"))
        fputs("OK little\n", out);
    else if (!port_command(g, word, words, out) && !memory_command(g, word, words, out) &&
             !block_command(g, word, words, out) && !clock_command(g, word, words, out) &&
             !irq_command(g, word, words, out))
        fprintf(out, "FAIL Unknown command '%s'\n", word[0]);
    after_request(g);
}
