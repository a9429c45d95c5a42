/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages to standard error, which the toolstack has opened as the guest's log file.
 *
 * A line that a guest (or a packet, a disk, a client) can cause is written with log_guest() only:
 * each place in the program has a token bucket (burst 10, then one line a second), all of them
 * together may write LOG_GUEST_TOTAL bytes in a guest's life, and control bytes are escaped.
 */
#ifndef DM_LOG_H
#define DM_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* Bytes of guest-caused text in a guest's life: what XEN_QEMU_CONSOLE_LIMIT asks of QEMU. */
#define LOG_GUEST_TOTAL (1u << 20)

/* One call site's bucket; the macro below keeps one for each place in the source. */
struct log_site {
    uint64_t last_ns;
    uint32_t tokens;
    uint32_t suppressed;
    bool started;
};

/* Lines above this level are dropped. The default is LOG_INFO. */
void log_set_level(enum log_level level);

/* "slimdm: text". The text has no newline at its end. */
void log_write(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void log_write_guest(struct log_site *site, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Bytes of guest-caused text written so far. */
size_t log_guest_bytes(void);

#define log_error(...) log_write(LOG_ERROR, __VA_ARGS__)
#define log_warn(...)  log_write(LOG_WARN, __VA_ARGS__)
#define log_info(...)  log_write(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_DEBUG, __VA_ARGS__)
#define log_guest(...)                                                                             \
    do {                                                                                           \
        static struct log_site log_site_here;                                                      \
        log_write_guest(&log_site_here, __VA_ARGS__);                                              \
    } while (0)

#endif
