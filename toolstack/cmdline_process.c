/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The process itself: saved state, privilege, descriptors, log. */
#include "toolstack/cmdline_internal.h"

#include <limits.h>
#include <string.h>

/* --- saved state ------------------------------------------------------------------------------ */

static void incoming_file(struct parser *p, const char *path)
{
    if (p->config->incoming_fd >= 0 || p->config->incoming_file)
        fail(p, "a saved state is given already; accepted: one of -incoming and -loadvm");
    else if (check_path(p, "the path", path, false))
        p->config->incoming_file = keep(p, path);
}

void option_incoming(struct parser *p, const char *value)
{
    const char *rest;
    uint64_t fd;

    if (starts_with(value, "fd:", &rest)) {
        if (p->config->incoming_fd >= 0 || p->config->incoming_file)
            fail(p, "a saved state is given already; accepted: one of -incoming and -loadvm");
        else if (!keyval_parse_uint(rest, 0, INT_MAX, &fd))
            fail(p, "not accepted; accepted: fd:NUMBER");
        else
            p->config->incoming_fd = (int)fd;
    } else if (starts_with(value, "file:", &rest)) {
        incoming_file(p, rest);
    } else if (value[0] == '/') {
        incoming_file(p, value);
    } else {
        fail(p, "not accepted; accepted: fd:NUMBER, file:PATH, /PATH");
    }
}

void option_loadvm(struct parser *p, const char *value)
{
    incoming_file(p, value);
}

void option_dump_state(struct parser *p, const char *value)
{
    if (check_path(p, "the path", value, false)) {
        p->config->dump_state_file = keep(p, value);
        p->config->mode = CONFIG_MODE_DUMP_STATE;
    }
}

/* --- privilege -------------------------------------------------------------------------------- */

void option_restrict(struct parser *p, const char *value)
{
    p->config->restrict_domid = true;
}

void option_chroot(struct parser *p, const char *value)
{
    if (check_path(p, "the folder", value, false))
        p->config->chroot_dir = keep(p, value);
}

/* USER or UID:GID. Whether a user of that name exists is found out where it is changed to. */
void option_runas(struct parser *p, const char *value)
{
    static const char accepted[] = "accepted: a user's name, or UID:GID with numbers, UID not 0";
    struct config *c = p->config;
    const char *colon = strchr(value, ':');
    uint64_t uid, gid;
    char digits[12];

    c->runas_user = NULL;
    c->runas_ids = false;
    if (!colon) {
        if (!*value || strlen(value) > 255 || strpbrk(value, "/ \t,"))
            fail(p, "not a user; %s", accepted);
        else if (!strcmp(value, "root") || !strcmp(value, "0"))
            fail(p, "this user has all privileges; %s", accepted);
        else
            c->runas_user = keep(p, value);
        return;
    }
    if ((size_t)(colon - value) >= sizeof(digits)) {
        fail(p, "not a user; %s", accepted);
        return;
    }
    memcpy(digits, value, (size_t)(colon - value));
    digits[colon - value] = '\0';
    /* The highest id means "none" to the kernel. */
    if (!keyval_parse_uint(digits, 1, UINT32_MAX - 1, &uid) ||
        !keyval_parse_uint(colon + 1, 0, UINT32_MAX - 1, &gid)) {
        fail(p, "not a user; %s", accepted);
        return;
    }
    c->runas_ids = true;
    c->runas_uid = (uid_t)uid;
    c->runas_gid = (gid_t)gid;
}

/* Releases from 4.20: chroot=DIR and user=USER, in one option or in two. */
void option_run_with(struct parser *p, const char *value)
{
    struct keyval kv;

    if (list_open(p, &kv, value, NULL)) {
        const char *dir = list_string(p, &kv, "chroot");
        const char *user = list_string(p, &kv, "user");

        if (dir)
            option_chroot(p, dir);
        if (user)
            option_runas(p, user);
        if (list_bool(p, &kv, "async-teardown", false))
            notice(p, true, "async-teardown is ignored; there is no guest memory to give back");
        list_close(p, &kv, "chroot, user, async-teardown");
    }
    keyval_free(&kv);
}

void option_sandbox(struct parser *p, const char *value)
{
    struct keyval kv;

    if (list_open(p, &kv, value, "enable")) {
        p->config->sandbox =
            list_bool(p, &kv, "enable", true) ? CONFIG_SANDBOX_ON : CONFIG_SANDBOX_OFF;
        list_ignore(&kv, "obsolete elevateprivileges spawn resourcecontrol");
        list_close(p, &kv, "on, off, obsolete, elevateprivileges, spawn, resourcecontrol");
    }
    keyval_free(&kv);
}

/* --- files and descriptors -------------------------------------------------------------------- */

void option_pidfile(struct parser *p, const char *value)
{
    if (check_path(p, "the path", value, false))
        p->config->pidfile = keep(p, value);
}

void option_log_file(struct parser *p, const char *value)
{
    if (check_path(p, "the path", value, false))
        p->config->log_file = keep(p, value);
}

void option_msg(struct parser *p, const char *value)
{
    struct keyval kv;

    if (list_open(p, &kv, value, NULL)) {
        p->config->log_timestamp = list_bool(p, &kv, "timestamp", false);
        list_ignore(&kv, "guest-name");
        list_close(p, &kv, "timestamp, guest-name");
    }
    keyval_free(&kv);
}

void option_rom_path(struct parser *p, const char *value)
{
    struct config *c = p->config;

    if (c->rom_path_count == CONFIG_ROM_PATH_MAX)
        fail(p, "one folder too many; accepted: up to %d", CONFIG_ROM_PATH_MAX);
    else if (check_path(p, "the folder", value, false))
        c->rom_path[c->rom_path_count++] = keep(p, value);
}

void option_add_fd(struct parser *p, const char *value)
{
    struct config *c = p->config;
    const uint64_t none = UINT64_MAX;
    struct config_fdset *entry;
    struct keyval kv;

    if (list_open(p, &kv, value, NULL)) {
        uint64_t fd = list_uint(p, &kv, "fd", none, 3, INT_MAX);
        uint64_t set = list_uint(p, &kv, "set", none, 0, INT_MAX);
        const char *opaque = list_string(p, &kv, "opaque");

        list_close(p, &kv, "fd, set, opaque");
        if (fd == none || set == none)
            fail(p, "fd= and set= are both needed; accepted: fd=NUMBER,set=NUMBER[,opaque=TEXT]");
        for (unsigned i = 0; i < c->fdset_count && !p->err; i++) {
            if (c->fdset[i].fd == (int)fd)
                fail(p, "fd=%d is in set %u already", (int)fd, c->fdset[i].set);
        }
        if (c->fdset_count == CONFIG_FDSET_MAX)
            fail(p, "one descriptor too many; accepted: up to %d", CONFIG_FDSET_MAX);
        if (!p->err) {
            entry = &c->fdset[c->fdset_count++];
            entry->fd = (int)fd;
            entry->set = (unsigned)set;
            entry->opaque = opaque ? keep(p, opaque) : NULL;
        }
    }
    keyval_free(&kv);
}
