/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dm/frontend.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dm/log.h"
#include "ui/frontend.h"
#include "ui/listen.h"
#include "ui/supervise_proto.h"

#define VNC_PORT       5900
#define WEBSOCKET_PORT 5700

/* One -vnc. */
struct dm_vnc {
    struct listen_socket plain, websocket;
    int frontend; /* its index, or -1: it is not served */
};

struct dm_frontends {
    struct frontends *hub;
    struct dm_vnc vnc[CONFIG_DISPLAY_MAX];
};

/* ---- programs ------------------------------------------------------------------------------- */

int frontend_program(const char *name, char *path, size_t size)
{
    ssize_t n = readlink("/proc/self/exe", path, size - 1);
    char *slash;

    if (n <= 0)
        return -errno;
    path[n] = '\0';
    slash = strrchr(path, '/');
    if (!slash || (size_t)(slash + 1 - path) + strlen(name) >= size)
        return -ENAMETOOLONG;
    strcpy(slash + 1, name);
    return access(path, X_OK) ? -errno : 0;
}

/* ---- VNC ------------------------------------------------------------------------------------ */

static int bind_vnc(const struct config_vnc *c, struct dm_vnc *vnc)
{
    struct listen_where where = {
        .address = c->address,
        .port = VNC_PORT + c->display,
        .last = VNC_PORT + c->display + c->to,
        .ipv4 = c->ipv4,
        .ipv6 = c->ipv6,
    };
    char err[200];
    int rc;

    if (c->unix_path)
        rc = listen_unix(&vnc->plain, c->unix_path, err, sizeof(err));
    else
        rc = listen_tcp(&vnc->plain, &where, err, sizeof(err));
    if (!rc && c->websocket >= 0 && !c->unix_path) {
        where.port = c->websocket ? (unsigned)c->websocket : WEBSOCKET_PORT + c->display;
        where.last = where.port + (c->websocket ? 0 : c->to);
        rc = listen_tcp(&vnc->websocket, &where, err, sizeof(err));
    }
    if (rc)
        log_error("-vnc %s: %s", c->spec, err);
    return rc;
}

static const char *share_name(const struct config_vnc *c)
{
    return c->share == CONFIG_VNC_SHARE_FORCE    ? "force"
           : c->share == CONFIG_VNC_SHARE_IGNORE ? "ignore"
                                                 : "allow";
}

/* The descriptors' numbers in the front-end, in the order in which all of them are handed on. */
static void name_fds(const struct listen_socket *s, const char *option, char text[][16],
                     const char **argv, size_t *argc, size_t *fds)
{
    for (unsigned i = 0; i < s->count; i++) {
        snprintf(text[i], sizeof(text[i]), "%zu", SUPERVISE_FD + 1 + *fds);
        argv[(*argc)++] = option;
        argv[(*argc)++] = text[i];
        (*fds)++;
    }
}

static int add_vnc(struct dm *dm, const char *program, unsigned n, size_t *fds)
{
    const struct config_vnc *c = &dm->config->vnc[n];
    struct dm_vnc *vnc = &dm->frontends->vnc[n];
    char plain[LISTEN_FDS_MAX][16], websocket[LISTEN_FDS_MAX][16];
    const char *argv[12 + 4 * LISTEN_FDS_MAX];
    size_t argc = 0;
    int rc = bind_vnc(c, vnc);

    if (rc)
        return rc;
    argv[argc++] = program;
    argv[argc++] = "--share";
    argv[argc++] = share_name(c);
    if (dm->config->keymap) {
        argv[argc++] = "--keymap";
        argv[argc++] = dm->config->keymap;
    }
    name_fds(&vnc->plain, "--listen", plain, argv, &argc, fds);
    name_fds(&vnc->websocket, "--websocket", websocket, argv, &argc, fds);
    argv[argc] = NULL;
    vnc->frontend = frontends_add(dm->frontends->hub, argv);
    if (vnc->frontend < 0)
        return vnc->frontend;
    if (c->password)
        frontends_set_password(
            dm->frontends->hub, (unsigned)vnc->frontend,
            &(struct frontend_password){.login = FRONTEND_LOGIN_LOCKED, .deadline = INT64_MAX});
    return 0;
}

static int add_all_vnc(struct dm *dm, unsigned *programs)
{
    char program[256];
    size_t fds = 0;

    if (!dm->config->vnc_count)
        return 0;
    if (frontend_program("slimdm-supervise", program, sizeof(program)) ||
        frontend_program("slimdm-vnc", program, sizeof(program))) {
        log_warn("-vnc %s: %s is not installed; the guest starts without VNC",
                 dm->config->vnc[0].spec, program);
        return 0;
    }
    for (unsigned n = 0; n < dm->config->vnc_count; n++) {
        int rc = dm->config->vnc[n].reverse ? 0 : add_vnc(dm, program, n, &fds);

        if (rc)
            return rc;
        *programs += !dm->config->vnc[n].reverse;
    }
    return 0;
}

/* ---- start ---------------------------------------------------------------------------------- */

static size_t collect_fds(const struct dm_frontends *f, int fds[SUPERVISE_FDS_MAX])
{
    size_t count = 0;

    for (unsigned n = 0; n < CONFIG_DISPLAY_MAX; n++) {
        const struct listen_socket *list[] = {&f->vnc[n].plain, &f->vnc[n].websocket};

        for (unsigned k = 0; k < 2; k++)
            for (unsigned i = 0; i < list[k]->count; i++)
                fds[count++] = list[k]->fd[i];
    }
    return count;
}

static void close_ports(struct dm_frontends *f)
{
    for (unsigned n = 0; n < CONFIG_DISPLAY_MAX; n++) {
        listen_close(&f->vnc[n].plain);
        listen_close(&f->vnc[n].websocket);
    }
}

static int launch(struct dm *dm)
{
    int fds[SUPERVISE_FDS_MAX];
    size_t count = collect_fds(dm->frontends, fds);
    char path[256], user[32] = "";
    uid_t uid;
    gid_t gid;
    int rc = seal_user(dm->config, &uid, &gid);

    if (rc < 0)
        return rc;
    if (rc > 0)
        snprintf(user, sizeof(user), "%u:%u", uid, gid);
    rc = frontend_program("slimdm-supervise", path, sizeof(path));
    if (!rc)
        rc = frontends_launch(dm->frontends->hub, path, user[0] ? user : NULL, fds, count);
    if (rc)
        log_error("cannot start %s: %s", path, strerror(-rc));
    return rc;
}

int frontend_open(struct dm *dm)
{
    unsigned programs = 0;
    int rc;

    if (!dm->config->vnc_count && !dm->config->sdl)
        return 0;
    dm->frontends = calloc(1, sizeof(*dm->frontends));
    if (!dm->frontends)
        return -ENOMEM;
    for (unsigned n = 0; n < CONFIG_DISPLAY_MAX; n++)
        dm->frontends->vnc[n].frontend = -1;
    rc = frontends_create(&dm->frontends->hub, dm->env.loop, dm->input, dm->config->name);
    if (rc) {
        log_error("cannot set up the screen for viewers: %s", strerror(-rc));
        return rc;
    }
    rc = add_all_vnc(dm, &programs);
    if (!rc && dm->config->sdl) {
        rc = frontend_add_sdl(dm, dm->frontends->hub);
        programs += rc > 0;
    }
    return rc < 0 || !programs ? rc : launch(dm);
}

static int wait_for_launch(struct dm *dm)
{
    int rc = frontends_launched(dm->frontends->hub);

    if (rc)
        log_error("cannot start slimdm-supervise: %s", strerror(-rc));
    /* It holds them now. */
    close_ports(dm->frontends);
    return rc;
}

int frontend_ready(struct dm *dm)
{
    return dm->frontends ? wait_for_launch(dm) : 0;
}

void frontend_close(struct dm *dm)
{
    if (!dm->frontends)
        return;
    frontends_destroy(dm->frontends->hub);
    close_ports(dm->frontends);
    free(dm->frontends);
    dm->frontends = NULL;
}

void frontend_set_display(struct dm *dm, struct display *display)
{
    if (dm->frontends)
        frontends_set_display(dm->frontends->hub, display);
}

void frontend_go(struct dm *dm)
{
    if (dm->frontends)
        frontends_go(dm->frontends->hub);
}

/* ---- QMP ------------------------------------------------------------------------------------ */

static const char *family_name(uint32_t family)
{
    return family == 4 ? "ipv4" : family == 6 ? "ipv6" : "unix";
}

static void one_vnc(const struct dm *dm, unsigned n, void (*each)(void *to, const struct qmp_vnc *),
                    void *to)
{
    const struct dm_vnc *vnc = &dm->frontends->vnc[n];
    const struct frontend_viewers *viewers =
        frontends_viewers(dm->frontends->hub, (unsigned)vnc->frontend);
    struct qmp_vnc_client client[FRONTEND_VIEWERS_MAX];
    char id[16] = "default";

    if (n)
        snprintf(id, sizeof(id), "vnc%u", n);
    for (uint32_t i = 0; i < viewers->count; i++)
        client[i] = (struct qmp_vnc_client){
            .host = viewers->viewer[i].host,
            .service = viewers->viewer[i].service,
            .family = family_name(viewers->viewer[i].family),
            .websocket = viewers->viewer[i].websocket,
        };
    each(to, &(struct qmp_vnc){
                 .id = id,
                 .host = vnc->plain.host,
                 .service = vnc->plain.service[0] ? vnc->plain.service : NULL,
                 .family = vnc->plain.family,
                 .websocket = vnc->websocket.service[0] ? vnc->websocket.service : NULL,
                 .auth = dm->config->vnc[n].password ? "vnc" : "none",
                 .clients = client,
                 .client_count = viewers->count,
             });
}

void frontend_each_vnc(void *opaque, void (*each)(void *to, const struct qmp_vnc *), void *to)
{
    struct dm *dm = opaque;

    for (unsigned n = 0; dm->frontends && n < CONFIG_DISPLAY_MAX; n++)
        if (dm->frontends->vnc[n].frontend >= 0)
            one_vnc(dm, n, each, to);
}

/* Every display that asks for a password has the same one. */
static int change_passwords(struct dm *dm,
                            void (*change)(struct frontend_password *p, const void *to),
                            const void *to, struct qmp_error *err)
{
    unsigned changed = 0;

    for (unsigned n = 0; dm->frontends && n < CONFIG_DISPLAY_MAX; n++) {
        int index = dm->frontends->vnc[n].frontend;
        struct frontend_password password;

        if (index < 0 || !dm->config->vnc[n].password)
            continue;
        password = *frontends_password(dm->frontends->hub, (unsigned)index);
        change(&password, to);
        frontends_set_password(dm->frontends->hub, (unsigned)index, &password);
        explicit_bzero(&password, sizeof(password));
        changed++;
    }
    if (changed)
        return 0;
    qmp_fail(err, QMP_GENERIC_ERROR,
             "no VNC display asks for a password: start it with -vnc ...,password=on");
    return -EINVAL;
}

/* An empty one opens nothing: it locks the display. VNC uses the first 8 bytes. */
static void change_text(struct frontend_password *p, const void *to)
{
    const char *text = to;

    p->login = text[0] ? FRONTEND_LOGIN_PASSWORD : FRONTEND_LOGIN_LOCKED;
    memset(p->text, 0, sizeof(p->text));
    memcpy(p->text, text, strnlen(text, sizeof(p->text)));
}

int frontend_vnc_password(void *opaque, const char *password, struct qmp_error *err)
{
    return change_passwords(opaque, change_text, password, err);
}

static void change_deadline(struct frontend_password *p, const void *to)
{
    p->deadline = *(const int64_t *)to;
}

int frontend_vnc_expire(void *opaque, int64_t when, struct qmp_error *err)
{
    return change_passwords(opaque, change_deadline, &when, err);
}
