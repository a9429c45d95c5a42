/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * slimdm-ctl: asks a guest's device model something and prints or keeps the answer.
 *
 * A subcommand is a function in a file of its own and a row in the table of main.c.
 */
#ifndef CTL_CTL_H
#define CTL_CTL_H

#include <json-c/json.h>

/* What stands before the subcommand's own arguments. */
struct ctl {
    unsigned domid;
    const char *socket; /* --socket, or NULL: those of the domain */
    int pid;            /* --pid, or 0: that of the domain */
};

/* A subcommand gets what follows the domain's number, as many words as its row says. Returns 0, or
 * -errno after saying why with ctl_fail(). */
typedef int ctl_run(const struct ctl *ctl, char **argument);

ctl_run ctl_audit;      /* audit.c */
ctl_run ctl_screenshot; /* screenshot.c */
ctl_run ctl_status;     /* status.c */

/* Says "slimdm-ctl: ..." on standard error; returns `error`. */
int ctl_fail(int error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- QMP: qmp_client.c ----------------------------------------------------------------------- */

struct qmp_client;

/*
 * Connects to the domain's device model and negotiates. xentop's socket is tried before the
 * toolstack's, where QEMU serves only one client at a time. 0, or -errno after saying why.
 */
int qmp_client_open(struct qmp_client **out, const struct ctl *ctl);
void qmp_client_close(struct qmp_client *client);

/*
 * One command; `arguments` is taken over and may be NULL. `pass_fd` goes with it unless it is -1.
 * *result is the caller's to put, or not wanted when `result` is NULL. Waits up to half a minute.
 * 0, or -errno after saying why; -EREMOTEIO: the answer was an error.
 */
int qmp_client_call(struct qmp_client *client, const char *command, struct json_object *arguments,
                    int pass_fd, struct json_object **result);

/* Members of an answer, which is not believed to have them: "" and false and NULL stand for those
 * that are missing or of another type. */
const char *qmp_string(struct json_object *object, const char *key);
int qmp_true(struct json_object *object, const char *key);
struct json_object *qmp_member(struct json_object *object, const char *key, enum json_type type);

#endif
