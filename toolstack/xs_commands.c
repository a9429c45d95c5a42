/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "toolstack/xs_commands.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void set_state(struct xs_commands *c, const char *state)
{
    c->nodes->set_state(c->nodes_opaque, state);
}

/* An error, or NULL. */
static void set_ret(struct xs_commands *c, const char *error)
{
    c->nodes->set_ret(c->nodes_opaque, error ? error : "ok");
}

/* ---- save -------------------------------------------------------------------------------------
 */

static void done_saving(struct xs_commands *c, const char *error)
{
    c->busy = false;
    /* A file that is not whole must not be taken for a state. */
    if (error)
        c->nodes->drop_save(c->nodes_opaque);
    set_ret(c, error);
    /* It does stand still; without a file the toolstack's save fails, and it lets us go on. */
    set_state(c, "paused");
}

static void saved(void *opaque, const char *error)
{
    done_saving(opaque, error);
}

static void stopped(void *opaque, const char *error)
{
    struct xs_commands *c = opaque;
    struct qmp_reply *reply;
    char text[100];
    int fd;

    fd = error ? -EIO : c->nodes->open_save(c->nodes_opaque);
    if (fd < 0) {
        snprintf(text, sizeof(text), "cannot write the state: %s", strerror(-fd));
        done_saving(c, error ? error : text);
        return;
    }
    reply = qmp_reply_to(saved, c);
    if (reply) {
        c->ops->save(c->ops_opaque, fd, false, reply);
    } else {
        close(fd);
        done_saving(c, "out of memory");
    }
}

static void save(struct xs_commands *c, const char *parameter)
{
    struct qmp_reply *reply = qmp_reply_to(stopped, c);

    if (!reply) {
        set_ret(c, "out of memory");
        return;
    }
    c->busy = true;
    c->ops->stop(c->ops_opaque, reply);
}

/* ---- the others -------------------------------------------------------------------------------
 */

static void go_on(struct xs_commands *c, const char *parameter)
{
    struct qmp_error error = {.text = ""};
    int rc = c->ops->cont(c->ops_opaque, &error);

    if (rc) {
        set_ret(c, error.text[0] ? error.text : strerror(-rc));
        return;
    }
    set_ret(c, NULL);
    set_state(c, "running");
}

static void refuse(struct xs_commands *c, const char *what, const char *parameter)
{
    char text[160];

    snprintf(text, sizeof(text), "%s (%.60s)", what, parameter ? parameter : "");
    set_ret(c, text);
}

static void pci_insert(struct xs_commands *c, const char *parameter)
{
    refuse(c, "pci-ins: PCI passthrough is not built", parameter);
    set_state(c, "pci-insert-failed");
}

/* What is asked for holds: the device is not there. */
static void pci_remove(struct xs_commands *c, const char *parameter)
{
    refuse(c, "pci-rem: the guest has no such device", parameter);
    set_state(c, "pci-removed");
}

static void usb(struct xs_commands *c, const char *parameter)
{
    refuse(c, "USB hot-plug is not built", parameter);
}

void xs_command_run(struct xs_commands *c, const char *command, const char *parameter)
{
    static const struct {
        const char *name;
        void (*run)(struct xs_commands *c, const char *parameter);
    } commands[] = {
        {"save", save},          {"continue", go_on}, {"pci-ins", pci_insert},
        {"pci-rem", pci_remove}, {"usb-add", usb},    {"usb-del", usb},
    };
    char text[100];

    if (c->busy) {
        set_ret(c, "the last command is not done yet");
        return;
    }
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (!strcmp(commands[i].name, command)) {
            commands[i].run(c, parameter);
            return;
        }
    }
    snprintf(text, sizeof(text), "there is no command '%.40s'", command);
    set_ret(c, text);
}

const char *xs_command_log_dirty(struct xs_commands *c, const char *word)
{
    struct qmp_error error = {.text = ""};
    bool on = !strcmp(word, "enable");

    if (!on && strcmp(word, "disable") != 0)
        return "there is no such command";
    return c->ops->log_dirty(c->ops_opaque, on, &error) ? "failed" : word;
}
