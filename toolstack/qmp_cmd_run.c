/* SPDX-License-Identifier: GPL-2.0-or-later */
/* QMP: what runs here, whether it runs, power, saving, the end. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "build_config.h"
#include "toolstack/qmp_internal.h"

/* ---- files that clients name ------------------------------------------------------------------
 */

static int fdset_file(struct qmp_call *call, const char *filename, int access)
{
    int fd = fdsets_open(call->qmp->fdsets, filename, access);

    if (fd >= 0)
        return fd;
    if (fd == -ENOENT)
        qmp_error(call, QMP_GENERIC_ERROR, "there is no descriptor set '%s'", filename);
    else if (fd == -EACCES)
        qmp_error(call, QMP_GENERIC_ERROR, "'%s' has no descriptor opened for %s", filename,
                  access == O_RDONLY ? "reading only" : "writing");
    else
        qmp_error(call, QMP_GENERIC_ERROR, "'%s' cannot be used: %s", filename, strerror(-fd));
    return -1;
}

/* O_NONBLOCK: a FIFO or a tape without the other side must not hold us up; files do not care. */
static int plain_file(struct qmp_call *call, const char *filename, int flags)
{
    int fd = open(filename, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0600);

    if (fd < 0)
        qmp_error(call, QMP_GENERIC_ERROR, "cannot open '%s': %s", filename, strerror(errno));
    return fd;
}

int qmp_open_input(struct qmp_call *call, const char *filename)
{
    struct stat st;
    int fd = fdset_is_path(filename) ? fdset_file(call, filename, O_RDONLY)
                                     : plain_file(call, filename, O_RDONLY);

    if (fd < 0 || (fstat(fd, &st) == 0 && (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode))))
        return fd;
    close(fd);
    qmp_error(call, QMP_GENERIC_ERROR, "'%s' is neither a regular file nor a block device",
              filename);
    return -1;
}

int qmp_open_output(struct qmp_call *call, const char *filename)
{
    struct stat st;
    int fd = fdset_is_path(filename) ? fdset_file(call, filename, O_WRONLY)
                                     : plain_file(call, filename, O_WRONLY | O_CREAT | O_NOFOLLOW);

    if (fd < 0)
        return -1;
    if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
        qmp_error(call, QMP_GENERIC_ERROR, "'%s' is not a regular file", filename);
    } else if (ftruncate(fd, 0) || lseek(fd, 0, SEEK_SET)) {
        /* libxl creates the file without emptying it: a longer stale one must not shine through. */
        qmp_error(call, QMP_GENERIC_ERROR, "cannot empty '%s': %s", filename, strerror(errno));
    } else {
        return fd;
    }
    close(fd);
    return -1;
}

/* ---- what runs here ---------------------------------------------------------------------------
 */

static struct json_object *query_version(struct qmp_call *call)
{
    struct json_object *version = json_object_new_object(), *qemu = json_object_new_object();

    json_object_object_add(qemu, "micro", json_object_new_int(0));
    json_object_object_add(qemu, "minor", json_object_new_int(2));
    json_object_object_add(qemu, "major", json_object_new_int(7));
    json_object_object_add(version, "qemu", qemu);
    json_object_object_add(version, "package", json_object_new_string("slimdm " SLIMDM_VERSION));
    return version;
}

static struct json_object *query_name(struct qmp_call *call)
{
    const char *name = call->ops->guest_name ? call->ops->guest_name(call->opaque) : NULL;
    struct json_object *value = json_object_new_object();

    if (name)
        json_object_object_add(value, "name", qmp_text(name));
    return value;
}

static struct json_object *query_kvm(struct qmp_call *call)
{
    struct json_object *value = json_object_new_object();

    json_object_object_add(value, "enabled", json_object_new_boolean(0));
    json_object_object_add(value, "present", json_object_new_boolean(0));
    return value;
}

static struct json_object *query_target(struct qmp_call *call)
{
    struct json_object *value = json_object_new_object();

    json_object_object_add(value, "arch", json_object_new_string("i386"));
    return value;
}

static void list_command(void *to, const struct qmp_command *command)
{
    struct json_object *entry = json_object_new_object();

    json_object_object_add(entry, "name", json_object_new_string(command->name));
    json_object_array_add(to, entry);
}

static struct json_object *query_commands(struct qmp_call *call)
{
    static const struct qmp_command first = {.name = "qmp_capabilities"};
    struct json_object *list = json_object_new_array();

    list_command(list, &first);
    qmp_each_command(list_command, list);
    return list;
}

/* Only what makes a difference to libxl: 4.20 and later choose the spelling of chroot by it. */
static struct json_object *query_command_line_options(struct qmp_call *call)
{
    static const char *const run_with[] = {"chroot", "user"};
    const char *wanted = qmp_arg_string(call, "option");
    struct json_object *list = json_object_new_array(), *option, *parameters;

    if (wanted && strcmp(wanted, "run-with") != 0) {
        json_object_put(list);
        return qmp_error(call, QMP_GENERIC_ERROR, "nothing is known about the option '%s'", wanted);
    }
    option = json_object_new_object();
    parameters = json_object_new_array();
    for (size_t i = 0; i < 2; i++) {
        struct json_object *parameter = json_object_new_object();

        json_object_object_add(parameter, "name", json_object_new_string(run_with[i]));
        json_object_object_add(parameter, "type", json_object_new_string("string"));
        json_object_array_add(parameters, parameter);
    }
    json_object_object_add(option, "option", json_object_new_string("run-with"));
    json_object_object_add(option, "parameters", parameters);
    json_object_array_add(list, option);
    return list;
}

/* ---- whether it runs --------------------------------------------------------------------------
 */

const char *qmp_state_name(enum qmp_run_state state)
{
    switch (state) {
    case QMP_STATE_PRELAUNCH:
        return "prelaunch";
    case QMP_STATE_INMIGRATE:
        return "inmigrate";
    case QMP_STATE_PAUSED:
        return "paused";
    case QMP_STATE_RUNNING:
        return "running";
    case QMP_STATE_SHUTDOWN:
        return "shutdown";
    case QMP_STATE_SUSPENDED:
        return "suspended";
    case QMP_STATE_IO_ERROR:
        return "io-error";
    case QMP_STATE_INTERNAL_ERROR:
        break;
    }
    return "internal-error";
}

static struct json_object *query_status(struct qmp_call *call)
{
    enum qmp_run_state state = QMP_STATE_PRELAUNCH;
    struct json_object *value = json_object_new_object();

    if (call->ops->run_state)
        state = call->ops->run_state(call->opaque);
    json_object_object_add(value, "status", json_object_new_string(qmp_state_name(state)));
    json_object_object_add(value, "running", json_object_new_boolean(state == QMP_STATE_RUNNING));
    json_object_object_add(value, "singlestep", json_object_new_boolean(0));
    return value;
}

static struct json_object *simple(struct qmp_call *call,
                                  int (*op)(void *opaque, struct qmp_error *err))
{
    return op ? qmp_result(call, op(call->opaque, &call->error)) : qmp_not_built(call);
}

static struct json_object *cont(struct qmp_call *call)
{
    return simple(call, call->ops->cont);
}

static struct json_object *powerdown(struct qmp_call *call)
{
    return simple(call, call->ops->powerdown);
}

static struct json_object *reset(struct qmp_call *call)
{
    return simple(call, call->ops->reset);
}

static struct json_object *wakeup(struct qmp_call *call)
{
    return simple(call, call->ops->wakeup);
}

struct json_object *qmp_do_stop(struct qmp_call *call, bool text)
{
    struct qmp_reply *reply;

    if (!call->ops->stop)
        return qmp_not_built(call);
    reply = qmp_later(call, text);
    if (reply)
        call->ops->stop(call->opaque, reply);
    return NULL;
}

static struct json_object *stop(struct qmp_call *call)
{
    return qmp_do_stop(call, false);
}

struct json_object *qmp_do_quit(struct qmp_call *call)
{
    if (!call->ops->quit)
        return qmp_not_built(call);
    call->quit = true;
    return qmp_ok();
}

/* ---- saving -----------------------------------------------------------------------------------
 */

static struct json_object *set_global_dirty_log(struct qmp_call *call)
{
    if (!call->ops->log_dirty)
        return qmp_not_built(call);
    return qmp_result(call, call->ops->log_dirty(call->opaque, qmp_arg_bool(call, "enable", false),
                                                 &call->error));
}

static struct json_object *save_devices_state(struct qmp_call *call)
{
    bool live = qmp_arg_bool(call, "live", true);
    struct qmp_reply *reply;
    int fd;

    if (!call->ops->save)
        return qmp_not_built(call);
    fd = qmp_open_output(call, qmp_arg_string(call, "filename"));
    if (fd < 0)
        return NULL;
    reply = qmp_later(call, false);
    if (reply)
        call->ops->save(call->opaque, fd, live, reply);
    else
        close(fd);
    return NULL;
}

static struct json_object *load_devices_state(struct qmp_call *call)
{
    struct qmp_reply *reply;
    int fd;

    if (!call->ops->load)
        return qmp_not_built(call);
    fd = qmp_open_input(call, qmp_arg_string(call, "filename"));
    if (fd < 0)
        return NULL;
    reply = qmp_later(call, false);
    if (reply)
        call->ops->load(call->opaque, fd, reply);
    else
        close(fd);
    return NULL;
}

static struct json_object *human_monitor_command(struct qmp_call *call)
{
    return qmp_hmp_run(call, qmp_arg_string(call, "command-line"));
}

const struct qmp_command qmp_run_commands[] = {
    {"query-version", query_version, {{NULL, 0}}, false},
    {"query-name", query_name, {{NULL, 0}}, false},
    {"query-kvm", query_kvm, {{NULL, 0}}, false},
    {"query-target", query_target, {{NULL, 0}}, false},
    {"query-commands", query_commands, {{NULL, 0}}, false},
    {"query-command-line-options", query_command_line_options, {{"option", QMP_STRING}}, false},
    {"query-status", query_status, {{NULL, 0}}, false},
    {"cont", cont, {{NULL, 0}}, false},
    {"stop", stop, {{NULL, 0}}, false},
    {"quit", qmp_do_quit, {{NULL, 0}}, false},
    {"system_powerdown", powerdown, {{NULL, 0}}, false},
    {"system_reset", reset, {{NULL, 0}}, false},
    {"system_wakeup", wakeup, {{NULL, 0}}, false},
    {"xen-set-global-dirty-log",
     set_global_dirty_log,
     {{"enable", QMP_BOOL | QMP_REQUIRED}},
     false},
    {"xen-save-devices-state",
     save_devices_state,
     {{"filename", QMP_STRING | QMP_REQUIRED}, {"live", QMP_BOOL}},
     false},
    {"xen-load-devices-state",
     load_devices_state,
     {{"filename", QMP_STRING | QMP_REQUIRED}},
     false},
    {"human-monitor-command",
     human_monitor_command,
     {{"command-line", QMP_STRING | QMP_REQUIRED}, {"cpu-index", QMP_INT}},
     false},
    {NULL, NULL, {{NULL, 0}}, false},
};
