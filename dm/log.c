/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dm/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 512
#define SITE_BURST     10u
#define SECOND_NS      1000000000ull

static enum log_level threshold = LOG_INFO;
static size_t guest_bytes;

void log_set_level(enum log_level level)
{
    threshold = level;
}

size_t log_guest_bytes(void)
{
    return guest_bytes;
}

/* One write() a line, so that lines of several threads do not mix. Returns the line's length. */
static size_t put_line(const char *tag, const char *fmt, va_list ap, bool escape)
{
    char text[LINE_MAX_BYTES];
    char line[LINE_MAX_BYTES * 4 + 64];
    size_t n;

    vsnprintf(text, sizeof(text), fmt, ap);
    n = (size_t)snprintf(line, 64, "slimdm: %s", tag);
    for (const char *p = text; *p; p++) {
        unsigned char c = (unsigned char)*p;

        if (escape && (c < 0x20 || c >= 0x7f))
            n += (size_t)snprintf(line + n, 5, "\\x%02x", c);
        else
            line[n++] = (char)c;
    }
    line[n++] = '\n';
    if (write(STDERR_FILENO, line, n) < 0) {
        /* There is nowhere else to say it. */
    }
    return n;
}

void log_write(enum log_level level, const char *fmt, ...)
{
    /* An error is what the toolstack shows when a start fails: it needs no label. */
    static const char *const tag[] = {"", "warning: ", "", "debug: "};
    va_list ap;

    if (level > threshold)
        return;
    va_start(ap, fmt);
    put_line(tag[level], fmt, ap, false);
    va_end(ap);
}

static void note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void note(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    guest_bytes += put_line("guest: ", fmt, ap, true);
    va_end(ap);
}

void log_write_guest(struct log_site *site, const char *fmt, ...)
{
    struct timespec ts;
    uint64_t now;
    va_list ap;

    if (threshold < LOG_INFO || guest_bytes >= LOG_GUEST_TOTAL)
        return;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    now = (uint64_t)ts.tv_sec * SECOND_NS + (uint64_t)ts.tv_nsec;
    if (!site->started) {
        site->started = true;
        site->tokens = SITE_BURST;
        site->last_ns = now;
    }
    if (now - site->last_ns >= SECOND_NS) {
        uint64_t earned = (now - site->last_ns) / SECOND_NS;

        site->tokens =
            earned + site->tokens > SITE_BURST ? SITE_BURST : site->tokens + (uint32_t)earned;
        site->last_ns = now;
    }
    if (site->tokens == 0) {
        site->suppressed++;
        return;
    }
    site->tokens--;
    if (site->suppressed) {
        note("%u similar lines left out", site->suppressed);
        site->suppressed = 0;
    }
    va_start(ap, fmt);
    guest_bytes += put_line("guest: ", fmt, ap, true);
    va_end(ap);
    if (guest_bytes >= LOG_GUEST_TOTAL)
        note("this guest has caused %zu bytes of log; nothing more is written for it", guest_bytes);
}
