/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Identity, rights, filter, root folder, name spaces and limits. */
#include <dirent.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl/audit.h"

/* The lines of /proc/PID/task/TID/status that are looked at. */
struct thread {
    unsigned long uid[4], gid[4];
    char groups[256];
    uint64_t inheritable, permitted, effective, bounding, ambient;
    int no_new_privs, seccomp, filters, tracer;
};

static void take_line(struct thread *t, const char *text)
{
    const struct {
        const char *name;
        uint64_t *value;
    } capability[] = {{"CapInh:", &t->inheritable},
                      {"CapPrm:", &t->permitted},
                      {"CapEff:", &t->effective},
                      {"CapBnd:", &t->bounding},
                      {"CapAmb:", &t->ambient}};

    for (size_t i = 0; i < sizeof(capability) / sizeof(capability[0]); i++)
        if (strncmp(text, capability[i].name, 7) == 0)
            *capability[i].value = strtoull(text + 7, NULL, 16);
    sscanf(text, "Uid: %lu %lu %lu %lu", &t->uid[0], &t->uid[1], &t->uid[2], &t->uid[3]);
    sscanf(text, "Gid: %lu %lu %lu %lu", &t->gid[0], &t->gid[1], &t->gid[2], &t->gid[3]);
    if (sscanf(text, "Groups: %255[0-9 ]", t->groups) == 1)
        for (size_t n = strlen(t->groups); n && t->groups[n - 1] == ' '; n--)
            t->groups[n - 1] = 0;
    sscanf(text, "NoNewPrivs: %d", &t->no_new_privs);
    sscanf(text, "Seccomp: %d", &t->seccomp);
    sscanf(text, "Seccomp_filters: %d", &t->filters);
    sscanf(text, "TracerPid: %d", &t->tracer);
}

static bool read_thread(const struct audit *a, const char *tid, struct thread *t)
{
    char name[300], text[512];
    FILE *file;

    *t = (struct thread){.filters = -1};
    snprintf(name, sizeof(name), "task/%s/status", tid);
    file = audit_open(a, name);
    if (!file)
        return false;
    while (fgets(text, sizeof(text), file))
        take_line(t, text);
    fclose(file);
    return true;
}

/* ---- user ------------------------------------------------------------------------------------ */

static bool all_equal(const unsigned long *id)
{
    return id[0] == id[1] && id[0] == id[2] && id[0] == id[3];
}

/* "UID:GID" or a name. */
static bool is_user(const struct thread *t, const char *user)
{
    unsigned long uid, gid;
    const struct passwd *pw;

    if (sscanf(user, "%lu:%lu", &uid, &gid) == 2)
        return t->uid[0] == uid && t->gid[0] == gid;
    pw = getpwnam(user);
    return pw && t->uid[0] == pw->pw_uid && t->gid[0] == pw->pw_gid;
}

static void check_user(struct audit *a, const struct thread *t)
{
    const char *user = a->asked.user;
    char own[32];

    snprintf(own, sizeof(own), "%lu", t->gid[0]);
    if (!user)
        audit_note(a, "user", "uid %lu, gid %lu (no -runas)", t->uid[0], t->gid[0]);
    else
        audit_check(a, all_equal(t->uid) && all_equal(t->gid) && is_user(t, user), "user",
                    "uid %lu, gid %lu (-runas %s)", t->uid[0], t->gid[0], user);
    /* setgroups() leaves the group itself, or nothing. */
    if (user)
        audit_check(a, !t->groups[0] || strcmp(t->groups, own) == 0, "groups", "%s",
                    t->groups[0] ? t->groups : "none");
}

/* ---- rights, of every thread ----------------------------------------------------------------- */

/* Media that QMP names are opened with root's rights, where neither user nor folder is left. */
static uint64_t may_keep(const struct audit_asked *asked)
{
    bool nothing = asked->user || (asked->restricted && asked->folder);

    return nothing ? 0 : UINT64_C(1) << CAP_DAC_OVERRIDE;
}

static void check_rights(struct audit *a, const struct thread *t, const char *tid)
{
    uint64_t now = t->inheritable | t->permitted | t->effective | t->ambient;
    uint64_t allowed = may_keep(&a->asked);
    /* Only root can empty the bounding set; without new privileges it is of no use to others. */
    bool bounded = !(t->bounding & ~allowed) || (!a->asked.user && t->uid[0] != 0);

    audit_check(a, !(now & ~allowed), "capabilities", "thread %s: %s", tid,
                now & ~allowed ? "more than it needs"
                : now          ? "CAP_DAC_OVERRIDE, to open what QMP names"
                               : "none");
    audit_check(a, bounded, "bounding set", "thread %s: %016" PRIx64, tid, t->bounding);
    audit_check(a, t->no_new_privs == 1, "new privileges", "thread %s: %s", tid,
                t->no_new_privs == 1 ? "none to be had" : "can be had");
    if (t->seccomp == 2)
        audit_good(a, "system calls", "thread %s: filtered, %d filter%s", tid, t->filters,
                   t->filters == 1 ? "" : "s");
    else if (a->asked.unfiltered)
        audit_note(a, "system calls", "thread %s: not filtered (-sandbox off)", tid);
    else
        audit_bad(a, "system calls", "thread %s: not filtered", tid);
}

void audit_threads(struct audit *a)
{
    char path[64];
    struct dirent *entry;
    struct thread t;
    bool first = true;
    DIR *folder;

    snprintf(path, sizeof(path), "/proc/%d/task", (int)a->pid);
    folder = opendir(path);
    while (folder && (entry = readdir(folder))) {
        if (entry->d_name[0] == '.' || !read_thread(a, entry->d_name, &t))
            continue;
        if (first) {
            check_user(a, &t);
            audit_check(a, t.tracer == 0, "tracer", t.tracer ? "process %d" : "none", t.tracer);
        }
        check_rights(a, &t, entry->d_name);
        first = false;
    }
    if (folder)
        closedir(folder);
    if (first)
        audit_bad(a, "threads", "cannot be seen");
}

/* ---- root folder, name spaces ---------------------------------------------------------------- */

void audit_root(struct audit *a)
{
    const char *folder = a->asked.folder;
    char path[64], root[512];
    struct stat here, wanted;

    audit_link(a, "root", root, sizeof(root));
    snprintf(path, sizeof(path), "/proc/%d/root/.", (int)a->pid);
    if (!folder)
        audit_note(a, "root folder", "%s (no -chroot)", root[0] ? root : "cannot be seen");
    else
        audit_check(a,
                    stat(path, &here) == 0 && stat(folder, &wanted) == 0 &&
                        here.st_dev == wanted.st_dev && here.st_ino == wanted.st_ino,
                    "root folder", "%s (-chroot %s)", root[0] ? root : "cannot be seen", folder);
}

/* The toolstack's doing: libxl gives a restricted device model mounts and IPC of its own. */
void audit_namespaces(struct audit *a)
{
    static const char *const kind[] = {"mnt", "ipc", "pid", "net", "user", "uts"};
    char own[128] = "", name[32], theirs[64], ours[64];

    for (size_t i = 0; i < sizeof(kind) / sizeof(kind[0]); i++) {
        const struct audit self = {.pid = getpid()};
        size_t at = strlen(own);

        snprintf(name, sizeof(name), "ns/%s", kind[i]);
        audit_link(a, name, theirs, sizeof(theirs));
        audit_link(&self, name, ours, sizeof(ours));
        if (strcmp(theirs, ours))
            snprintf(own + at, sizeof(own) - at, "%s%s", at ? ", " : "", kind[i]);
    }
    audit_note(a, "name spaces", "its own: %s", own[0] ? own : "none");
}

/* ---- limits ---------------------------------------------------------------------------------- */

void audit_limits(struct audit *a)
{
    static const struct {
        const char *name; /* as the kernel writes it */
        unsigned long most;
    } limit[] = {{"Max core file size", 0},
                 {"Max locked memory", 0},
                 {"Max msgqueue size", 0},
                 {"Max open files", 1024}};
    FILE *file = audit_open(a, "limits");
    char text[256];

    if (!file) {
        audit_bad(a, "limits", "cannot be seen");
        return;
    }
    while (fgets(text, sizeof(text), file)) {
        for (size_t i = 0; i < sizeof(limit) / sizeof(limit[0]); i++) {
            size_t length = strlen(limit[i].name);
            unsigned long soft, hard;

            if (strncmp(text, limit[i].name, length))
                continue;
            if (sscanf(text + length, "%lu %lu", &soft, &hard) == 2 && hard <= limit[i].most)
                audit_good(a, "limit", "%s: %lu", limit[i].name + 4, hard);
            else
                audit_bad(a, "limit", "%s: more than %lu", limit[i].name + 4, limit[i].most);
        }
    }
    fclose(file);
}

/* The kernel shows it by whom the files of /proc/PID belong to. */
void audit_dumpable(struct audit *a)
{
    char path[64];
    struct thread t;
    struct stat st;

    snprintf(path, sizeof(path), "%d", (int)a->pid);
    if (!read_thread(a, path, &t))
        return;
    snprintf(path, sizeof(path), "/proc/%d/maps", (int)a->pid);
    if (t.uid[0] == 0)
        audit_note(a, "core, ptrace", "root's: whether it can be dumped is not to be seen");
    else if (stat(path, &st) == 0)
        audit_check(a, st.st_uid == 0, "core, ptrace", "%s by its user",
                    st.st_uid == 0 ? "neither" : "both");
}
