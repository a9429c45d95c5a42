/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * slimdm-ctl audit DOMID: what the kernel says of the device model's process, beside what its
 * command line asks for. A line a fact; the exit status is 1 when something does not hold.
 */
#include "ctl/audit.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xenstore.h>

#include "ctl/ctl.h"

static void line(const char *verdict, const char *topic, const char *format, va_list args)
{
    printf("%-4s  %-15s ", verdict, topic);
    vprintf(format, args);
    putchar('\n');
}

void audit_good(struct audit *a, const char *topic, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    line("ok", topic, format, args);
    va_end(args);
}

void audit_bad(struct audit *a, const char *topic, const char *format, ...)
{
    va_list args;

    a->failed++;
    va_start(args, format);
    line("FAIL", topic, format, args);
    va_end(args);
}

void audit_note(struct audit *a, const char *topic, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    line("", topic, format, args);
    va_end(args);
}

FILE *audit_open(const struct audit *a, const char *name)
{
    char path[128];

    snprintf(path, sizeof(path), "/proc/%d/%s", (int)a->pid, name);
    return fopen(path, "re");
}

void audit_link(const struct audit *a, const char *name, char *to, size_t size)
{
    char path[128];
    ssize_t n;

    snprintf(path, sizeof(path), "/proc/%d/%s", (int)a->pid, name);
    n = readlink(path, to, size - 1);
    to[n < 0 ? 0 : n] = 0;
}

/* libxl writes it down when it has started the device model. */
static int find_pid(const struct ctl *ctl, pid_t *pid)
{
    struct xs_handle *store = xs_open(0);
    char path[64], *text;

    if (!store)
        return ctl_fail(-errno, "cannot ask xenstore: %s", strerror(errno));
    snprintf(path, sizeof(path), "/local/domain/%u/image/device-model-pid", ctl->domid);
    text = xs_read(store, XBT_NULL, path, NULL);
    *pid = text ? (pid_t)strtol(text, NULL, 10) : 0;
    free(text);
    xs_close(store);
    if (*pid <= 0)
        return ctl_fail(-ESRCH, "domain %u has no device model (%s in xenstore)", ctl->domid, path);
    return 0;
}

int ctl_audit(const struct ctl *ctl, char **argument)
{
    struct audit *a = calloc(1, sizeof(*a));
    char program[512];
    int rc;

    if (!a)
        return ctl_fail(-ENOMEM, "out of memory");
    a->pid = ctl->pid;
    rc = a->pid > 0 ? 0 : find_pid(ctl, &a->pid);
    if (!rc)
        rc = audit_read_cmdline(a);
    if (rc) {
        free(a);
        return rc;
    }
    audit_link(a, "exe", program, sizeof(program));
    audit_note(a, "process", "%d, %s", (int)a->pid, *program ? program : "a program out of sight");
    audit_threads(a);
    audit_root(a);
    audit_namespaces(a);
    audit_limits(a);
    audit_dumpable(a);
    audit_descriptors(a);
    audit_memory(a);
    if (a->failed)
        rc = ctl_fail(-EPERM, "%u of what was asked for does not hold", a->failed);
    free(a);
    return rc;
}
