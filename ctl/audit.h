/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the files of "slimdm-ctl audit". */
#ifndef CTL_AUDIT_H
#define CTL_AUDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

/* What the command line of the process asks for; the texts point into `cmdline`. */
struct audit_asked {
    bool restricted; /* -xen-domid-restrict */
    bool unfiltered; /* -sandbox off */
    const char *folder, *user;
    char cmdline[16384];
};

struct audit {
    pid_t pid;
    unsigned failed;
    struct audit_asked asked;
};

/* One line: what holds, what does not, and what there is to know. */
void audit_good(struct audit *a, const char *topic, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void audit_bad(struct audit *a, const char *topic, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void audit_note(struct audit *a, const char *topic, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Of the two, the one that `holds` says. */
#define audit_check(a, holds, ...)                                                                 \
    ((holds) ? audit_good(a, __VA_ARGS__) : audit_bad(a, __VA_ARGS__))

/* /proc/PID/NAME. */
FILE *audit_open(const struct audit *a, const char *name);
/* Where the link points; "" when that cannot be seen. */
void audit_link(const struct audit *a, const char *name, char *to, size_t size);

/* audit_asked.c: 0 or -errno after saying why. */
int audit_read_cmdline(struct audit *a);

/* audit_process.c */
void audit_threads(struct audit *a);
void audit_root(struct audit *a);
void audit_namespaces(struct audit *a);
void audit_limits(struct audit *a);
void audit_dumpable(struct audit *a);

/* audit_files.c */
void audit_descriptors(struct audit *a);
void audit_memory(struct audit *a);

#endif
