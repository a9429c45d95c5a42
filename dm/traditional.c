/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dm/traditional.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dm/frontend.h"
#include "dm/log.h"
#include "dm/machine.h"
#include "hw/chipset/piix4_pm.h"
#include "toolstack/traditional.h"
#include "toolstack/xs_commands.h"

/* Watch tokens; a drive's has its index behind it. */
#define COMMAND   "dm-command"
#define LOG_DIRTY "dm-logdirty"
#define CPUS      "dm-cpus"
#define MEDIUM    "dm-medium-"

struct traditional {
    struct dm *dm;
    struct xs_commands commands;
    char log_dirty[16];             /* the word that has been answered and is still there */
    char *params[CONFIG_DRIVE_MAX]; /* what a CD-ROM drive has been given last, or NULL */
    struct timer asleep;
};

/* ---- nodes ---------------------------------------------------------------------------------- */

static void write_node(struct dm *dm, const char *value, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void write_node(struct dm *dm, const char *value, const char *format, ...)
{
    char path[160];
    va_list ap;
    int rc;

    va_start(ap, format);
    vsnprintf(path, sizeof(path), format, ap);
    va_end(ap);
    rc = xen_store_write(dm->xen, path, value);
    if (rc)
        log_warn("cannot write %s in xenstore: %s", path, strerror(-rc));
}

/* A node below device-model/N; to be freed. */
static char *read_own(struct dm *dm, const char *node)
{
    char path[80];

    snprintf(path, sizeof(path), "device-model/%u/%s", dm->config->domid, node);
    return xen_store_read(dm->xen, path);
}

static void set_state(void *opaque, const char *state)
{
    struct traditional *t = opaque;

    write_node(t->dm, state, "device-model/%u/state", t->dm->config->domid);
}

static void set_ret(void *opaque, const char *ret)
{
    struct traditional *t = opaque;

    if (strcmp(ret, "ok") != 0)
        log_error("the toolstack's command in xenstore: %s", ret);
    write_node(t->dm, ret, "device-model/%u/ret", t->dm->config->domid);
}

/* ---- the state's file ----------------------------------------------------------------------- */

static void save_path(const struct dm *dm, char path[300])
{
    snprintf(path, 300, "%.250s/qemu-save.%u", dm->config->save_dir, dm->config->domid);
}

static int open_save(void *opaque)
{
    struct traditional *t = opaque;
    char path[300];
    int fd;

    save_path(t->dm, path);
    unlink(path);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        fd = -errno;
        log_error("%s: %s", path, strerror(-fd));
    }
    return fd;
}

static void drop_save(void *opaque)
{
    struct traditional *t = opaque;
    char path[300];

    save_path(t->dm, path);
    unlink(path);
}

static const struct xs_command_nodes nodes = {set_state, set_ret, open_save, drop_save};

/* ---- what the toolstack reads --------------------------------------------------------------- */

static void publish_tty(void *to, const struct qmp_chardev *chr)
{
    struct dm *dm = to;
    unsigned port;

    if (sscanf(chr->label, "serial%u", &port) == 1 && strncmp(chr->filename, "pty:", 4) == 0)
        write_node(dm, chr->filename + 4, "/local/domain/%u/serial/%u/tty", dm->config->domid,
                   port);
}

/* The first of them that is a TCP port: there is room for one. */
static void publish_vnc(void *to, const struct qmp_vnc *vnc)
{
    struct dm *dm = to;

    if (!vnc->service || strcmp(vnc->id, "default") != 0)
        return;
    write_node(dm, vnc->service, "/local/domain/%u/console/vnc-port", dm->config->domid);
    write_node(dm, vnc->host, "/local/domain/%u/console/vnc-listen", dm->config->domid);
}

static bool wants_password(const struct config *config)
{
    for (unsigned i = 0; i < config->vnc_count; i++)
        if (config->vnc[i].password)
            return true;
    return false;
}

/* The toolstack leaves it in a node, from which it is taken away. `xl vncviewer` wants it in
 * another, where the rest of the console is. */
static void take_password(struct dm *dm)
{
    struct qmp_error err = {.text = ""};
    char path[LIFE_PATH], *password;

    if (!wants_password(dm->config))
        return;
    password = life_vm_node(dm, "vncpasswd", path) ? xen_store_read(dm->xen, path) : NULL;
    if (!password || !password[0]) {
        log_warn("%s has no password: the VNC display stays locked", path);
    } else {
        write_node(dm, "", "%s", path);
        if (frontend_vnc_password(dm, password, &err))
            log_error("the VNC password: %s", err.text);
        write_node(dm, password, "/local/domain/%u/console/vnc-pass", dm->config->domid);
        explicit_bzero(password, strlen(password));
    }
    free(password);
}

/* ---- sleep ---------------------------------------------------------------------------------- */

#define ASLEEP_NS UINT64_C(250000000)

static void look_awake(void *opaque)
{
    struct traditional *t = opaque;
    struct dm *dm = t->dm;

    if (dm->run_state == QMP_STATE_SUSPENDED && xen_get_s_state(dm->xen) == 0)
        life_wakeup(dm);
    if (dm->run_state == QMP_STATE_RUNNING)
        ioreq_start(dm->ioreq);
    else
        traditional_asleep(dm);
}

void traditional_asleep(struct dm *dm)
{
    struct traditional *t = dm->traditional;

    if (!t || dm->run_state != QMP_STATE_SUSPENDED)
        return;
    ioreq_stop(dm->ioreq);
    timer_arm(&t->asleep, loop_now(dm->env.loop, CLOCK_HOST) + ASLEEP_NS);
}

/* ---- life ----------------------------------------------------------------------------------- */

int traditional_up(struct dm *dm)
{
    struct traditional *t;

    if (!dm->config->traditional)
        return 0;
    t = calloc(1, sizeof(*t));
    if (!t) {
        log_error("out of memory");
        return -ENOMEM;
    }
    dm->traditional = t;
    t->dm = dm;
    t->commands = (struct xs_commands){
        .ops = &control_ops, .ops_opaque = dm, .nodes = &nodes, .nodes_opaque = t};
    timer_init(&t->asleep, dm->env.loop, CLOCK_HOST, look_awake, t);
    control_ops.each_chardev(dm, publish_tty, dm);
    frontend_each_vnc(dm, publish_vnc, dm);
    take_password(dm);
    return 0;
}

void traditional_down(struct dm *dm)
{
    struct traditional *t = dm->traditional;

    if (!t)
        return;
    timer_cancel(&t->asleep);
    for (unsigned i = 0; i < CONFIG_DRIVE_MAX; i++)
        free(t->params[i]);
    free(t);
    dm->traditional = NULL;
}

static bool is_cdrom(const struct config_drive *c)
{
    return c->backend && c->media == CONFIG_MEDIA_CDROM;
}

static void watch(struct dm *dm, const char *path, const char *token)
{
    int rc = xen_store_watch(dm->xen, path, token);

    if (rc)
        log_error("cannot watch %s in xenstore: %s", path, strerror(-rc));
}

void traditional_watch(struct dm *dm)
{
    char path[160], token[32];

    if (!dm->traditional)
        return;
    snprintf(path, sizeof(path), "device-model/%u/command", dm->config->domid);
    watch(dm, path, COMMAND);
    snprintf(path, sizeof(path), "device-model/%u/logdirty/cmd", dm->config->domid);
    watch(dm, path, LOG_DIRTY);
    snprintf(path, sizeof(path), "/local/domain/%u/cpu", dm->config->domid);
    watch(dm, path, CPUS);
    for (unsigned i = 0; i < dm->config->drive_count; i++) {
        if (!is_cdrom(&dm->config->drive[i]))
            continue;
        snprintf(path, sizeof(path), "%s/params", dm->config->drive[i].backend);
        snprintf(token, sizeof(token), MEDIUM "%u", i);
        dm->traditional->params[i] = strdup(dm->config->drive[i].params);
        watch(dm, path, token);
    }
}

/* ---- events --------------------------------------------------------------------------------- */

static void command_event(struct traditional *t)
{
    char *command = read_own(t->dm, "command"), *parameter = NULL;
    char path[80];

    if (command && command[0]) {
        snprintf(path, sizeof(path), "device-model/%u/command", t->dm->config->domid);
        xen_store_remove(t->dm->xen, path);
        parameter = read_own(t->dm, "parameter");
        log_info("the toolstack asks for '%.40s' in xenstore", command);
        xs_command_run(&t->commands, command, parameter);
    }
    free(command);
    free(parameter);
}

/* The toolstack removes both nodes once it has the answer, which must not come a second time. */
static void log_dirty_event(struct traditional *t)
{
    char *word = read_own(t->dm, "logdirty/cmd");
    const char *answer;

    if (!word) {
        t->log_dirty[0] = '\0';
    } else if (strcmp(word, t->log_dirty) != 0) {
        snprintf(t->log_dirty, sizeof(t->log_dirty), "%s", word);
        answer = xs_command_log_dirty(&t->commands, word);
        if (answer != word)
            log_error("logdirty/cmd '%.40s' in xenstore: %s", word, answer);
        write_node(t->dm, answer, "device-model/%u/logdirty/ret", t->dm->config->domid);
    }
    free(word);
}

static void cpus_event(struct traditional *t)
{
    struct dm *dm = t->dm;

    for (unsigned i = 1; i < dm->config->maxvcpus && dm->machine->pm; i++) {
        char path[80], *text;

        snprintf(path, sizeof(path), "/local/domain/%u/cpu/%u/availability", dm->config->domid, i);
        text = xen_store_read(dm->xen, path);
        if (text && strcmp(text, "online") == 0)
            piix4_cpu_online(dm->machine->pm, i);
        else if (text && strcmp(text, "offline") == 0)
            piix4_cpu_offline(dm->machine->pm, i);
        free(text);
    }
}

static int insert(struct dm *dm, const char *id, const struct traditional_image *image,
                  struct qmp_error *err)
{
    struct qmp_medium medium = {.filename = image->path, .format = image->format, .force = true};

    medium.fd = open(image->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (medium.fd < 0) {
        int rc = -errno;

        qmp_fail(err, QMP_GENERIC_ERROR, "%s: %s", image->path, strerror(-rc));
        return rc;
    }
    return control_ops.insert(dm, id, &medium, err);
}

static void change_medium(struct dm *dm, const struct config_drive *c, const char *params)
{
    struct qmp_error err = {.text = ""};
    struct traditional_image image;
    char path[160], *type;
    int rc;

    snprintf(path, sizeof(path), "%s/type", c->backend);
    type = xen_store_read(dm->xen, path);
    rc = traditional_image(params, type, &image);
    if (!rc)
        rc = control_ops.eject(dm, c->id, true, &err);
    if (!rc && image.path)
        rc = insert(dm, c->id, &image, &err);
    if (rc)
        log_error("drive %s: params '%.200s': %s", c->id, params,
                  err.text[0] ? err.text : strerror(-rc));
    free(image.path);
    free(type);
}

static void medium_event(struct traditional *t, unsigned drive)
{
    const struct config_drive *c;
    char path[160], *params;

    if (drive >= t->dm->config->drive_count)
        return;
    c = &t->dm->config->drive[drive];
    if (!is_cdrom(c))
        return;
    snprintf(path, sizeof(path), "%s/params", c->backend);
    params = xen_store_read(t->dm->xen, path);
    /* The back end's directory goes with the domain: that is not a change. */
    if (!params || (t->params[drive] && strcmp(params, t->params[drive]) == 0)) {
        free(params);
        return;
    }
    change_medium(t->dm, c, params);
    free(t->params[drive]);
    t->params[drive] = params;
}

bool traditional_watch_event(struct dm *dm, const char *token)
{
    struct traditional *t = dm->traditional;

    if (!t)
        return false;
    if (strcmp(token, COMMAND) == 0)
        command_event(t);
    else if (strcmp(token, LOG_DIRTY) == 0)
        log_dirty_event(t);
    else if (strcmp(token, CPUS) == 0)
        cpus_event(t);
    else if (strncmp(token, MEDIUM, strlen(MEDIUM)) == 0)
        medium_event(t, (unsigned)strtoul(token + strlen(MEDIUM), NULL, 10));
    else
        return false;
    return true;
}

/* xl, if it waits for it, makes the drive empty in xenstore then. */
void traditional_ejected(struct dm *dm, const struct config_drive *drive)
{
    if (dm->traditional && is_cdrom(drive))
        write_node(dm, "eject", "%s/eject", drive->frontend);
}
