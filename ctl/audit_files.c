/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the process has open, and what it has mapped. */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "ctl/audit.h"

/* ---- descriptors ----------------------------------------------------------------------------- */

/* Expected ones by where /proc/PID/fd/N points; the first that fits. */
static const struct kind {
    const char *prefix, *name;
    bool unrestricted; /* gone, or another thing, under -xen-domid-restrict */
} kinds[] = {
    {"socket:", "sockets", false},
    {"pipe:", "pipes", false},
    {"anon_inode:[eventpoll]", "epoll", false},
    {"anon_inode:[eventfd]", "eventfd", false},
    {"anon_inode:[signalfd]", "signalfd", false},
    {"anon_inode:[timerfd]", "timerfd", false},
    {"anon_inode:inotify", "inotify", false},
    {"/memfd:slimdm-", "memory", false},
    {"/dev/xen/privcmd", "privcmd", false},
    {"/dev/xen/evtchn", "evtchn", false},
    {"/dev/xen/hypercall", "hypercall", false},
    {"/dev/xen/gntdev", "gntdev", true},
    {"/dev/xen/xenbus", "xenbus", true},
    {"/dev/null", "null", false},
    {"/dev/net/tun", "taps", false},
    {"/dev/ptmx", "terminals", false},
    {"/dev/pts/", "terminals", false},
    {"/dev/tty", "terminals", false},
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

struct count {
    unsigned of[KINDS], disks, files;
};

/* Images and logs have names of any kind; nothing else does. */
static bool count_file(const struct audit *a, const char *fd, struct count *count)
{
    char path[300];
    struct stat st;

    snprintf(path, sizeof(path), "/proc/%d/fd/%s", (int)a->pid, fd);
    if (stat(path, &st))
        return false;
    count->disks += S_ISBLK(st.st_mode);
    count->files += S_ISREG(st.st_mode);
    return S_ISBLK(st.st_mode) || S_ISREG(st.st_mode) || S_ISFIFO(st.st_mode);
}

/* The kernel's own files are nobody's image. */
static bool of_the_kernel(const char *to)
{
    return strncmp(to, "/proc/", 6) == 0 || strncmp(to, "/sys/", 5) == 0;
}

static void count_one(struct audit *a, const char *fd, struct count *count)
{
    char name[300], to[512];

    snprintf(name, sizeof(name), "fd/%s", fd);
    audit_link(a, name, to, sizeof(to));
    for (size_t i = 0; i < KINDS; i++) {
        if (strncmp(to, kinds[i].prefix, strlen(kinds[i].prefix)))
            continue;
        count->of[i]++;
        if (kinds[i].unrestricted && a->asked.restricted)
            audit_bad(a, "descriptor", "%s: %s, which a restricted one has no use for", fd, to);
        return;
    }
    if (of_the_kernel(to) || !count_file(a, fd, count))
        audit_bad(a, "descriptor", "%s: %s is not expected", fd, to[0] ? to : "out of sight");
    else
        audit_note(a, "descriptor", "%s: %s", fd, to);
}

/* A line for all that have the same name. */
static void tell_counts(struct audit *a, const struct count *count)
{
    for (size_t i = 0; i < KINDS; i++) {
        unsigned n = count->of[i];

        if (i && strcmp(kinds[i].name, kinds[i - 1].name) == 0)
            continue;
        for (size_t j = i + 1; j < KINDS && strcmp(kinds[j].name, kinds[i].name) == 0; j++)
            n += count->of[j];
        if (n)
            audit_note(a, "descriptors", "%u %s", n, kinds[i].name);
    }
    if (count->disks || count->files)
        audit_note(a, "descriptors", "%u block devices, %u files", count->disks, count->files);
}

void audit_descriptors(struct audit *a)
{
    char path[64];
    struct count count = {{0}, 0, 0};
    struct dirent *entry;
    unsigned before = a->failed;
    DIR *folder;

    snprintf(path, sizeof(path), "/proc/%d/fd", (int)a->pid);
    folder = opendir(path);
    if (!folder) {
        audit_bad(a, "descriptors", "cannot be seen: run this as root");
        return;
    }
    while ((entry = readdir(folder)))
        if (entry->d_name[0] != '.')
            count_one(a, entry->d_name, &count);
    closedir(folder);
    tell_counts(a, &count);
    if (a->failed == before)
        audit_good(a, "descriptors", "none that is not expected");
}

/* ---- memory ---------------------------------------------------------------------------------- */

/* One line of /proc/PID/maps; `name` is "" for memory without one. */
struct mapping {
    char rights[8], range[64], name[512];
};

static bool parse(const char *text, struct mapping *m)
{
    m->name[0] = 0;
    return sscanf(text, "%63s %7s %*s %*s %*s %511[^\n]", m->range, m->rights, m->name) >= 2;
}

/* Each library has several mappings in a row. */
static void tell_library(struct audit *a, const struct mapping *m, char *last, size_t size)
{
    if (m->name[0] != '/' || !strstr(m->name, ".so") || strcmp(m->name, last) == 0)
        return;
    snprintf(last, size, "%s", m->name);
    audit_note(a, "library", "%s", m->name);
}

void audit_memory(struct audit *a)
{
    FILE *file = audit_open(a, "maps");
    char text[1024], last[512] = "";
    unsigned before = a->failed, seen = 0;
    struct mapping m;

    while (file && fgets(text, sizeof(text), file)) {
        if (!parse(text, &m))
            continue;
        seen++;
        tell_library(a, &m, last, sizeof(last));
        if (m.rights[1] == 'w' && m.rights[2] == 'x')
            audit_bad(a, "memory", "%s %s can be written and executed", m.range, m.name);
        else if (m.rights[2] == 'x' && m.name[0] != '/' && strcmp(m.name, "[vdso]") &&
                 strcmp(m.name, "[vsyscall]"))
            audit_bad(a, "memory", "%s %s is executable and comes from no file", m.range, m.name);
    }
    if (file)
        fclose(file);
    if (!seen)
        audit_bad(a, "memory", "cannot be seen: run this as root");
    else if (a->failed == before)
        audit_good(a, "memory", "none can be both written and executed; code comes from files");
}
