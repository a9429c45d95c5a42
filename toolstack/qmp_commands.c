/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a message to a checked call of a command, and from its outcome to the answer.
 *
 * A handler runs only when its table row has allowed every argument: unknown ones, missing ones
 * and wrong types are refused here, as QEMU refuses them.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "toolstack/qmp_internal.h"

/* Replies owed at one time, also to clients that have gone since. */
#define QMP_OWED_MAX 64

static const struct qmp_command *const topics[] = {qmp_run_commands, qmp_media_commands,
                                                   qmp_device_commands, qmp_ui_commands};

struct qmp_reply {
    struct qmp_reply *next, **link;
    struct qmp *qmp;
    struct qmp_conn *conn; /* NULL when the client has gone */
    struct json_object *id;
    bool id_given;
    bool text;
    void (*told)(void *opaque, const char *error); /* in place of all of the above, or NULL */
    void *opaque;
};

/* ---- text ----------------------------------------------------------------------------------- */

struct json_object *qmp_text(const char *text)
{
    const uint8_t *s = (const uint8_t *)(text ? text : "");
    size_t len = strlen((const char *)s), used = 0, made = 0;
    struct json_object *string;
    char *clean = malloc(3 * len + 1); /* every byte may become U+FFFD */

    if (!clean)
        return json_object_new_string("");
    while (used < len) {
        size_t n = qmp_utf8_length(s + used, len - used);

        memcpy(clean + made, n ? (const char *)s + used : "\xef\xbf\xbd", n ? n : 3);
        made += n ? n : 3;
        used += n ? n : 1;
    }
    string = json_object_new_string_len(clean, (int)made);
    free(clean);
    return string;
}

/* json-c keeps the bytes in the object and hands out a pointer to them. */
void qmp_wipe(struct json_object *string)
{
    if (json_object_is_type(string, json_type_string))
        explicit_bzero((char *)(uintptr_t)json_object_get_string(string),
                       (size_t)json_object_get_string_len(string));
}

/* ---- errors --------------------------------------------------------------------------------- */

static const char *class_name(enum qmp_class class)
{
    switch (class) {
    case QMP_COMMAND_NOT_FOUND:
        return "CommandNotFound";
    case QMP_DEVICE_NOT_ACTIVE:
        return "DeviceNotActive";
    case QMP_DEVICE_NOT_FOUND:
        return "DeviceNotFound";
    case QMP_GENERIC_ERROR:
        break;
    }
    return "GenericError";
}

static void vfail(struct qmp_error *err, enum qmp_class class, const char *fmt, va_list ap)
{
    err->class = class;
    if (vsnprintf(err->text, sizeof(err->text), fmt, ap) <= 0)
        snprintf(err->text, sizeof(err->text), "unknown error");
}

void qmp_fail(struct qmp_error *err, enum qmp_class class, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vfail(err, class, fmt, ap);
    va_end(ap);
}

struct json_object *qmp_error(struct qmp_call *call, enum qmp_class class, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vfail(&call->error, class, fmt, ap);
    va_end(ap);
    call->failed = true;
    return NULL;
}

struct json_object *qmp_not_built(struct qmp_call *call)
{
    return qmp_error(call, QMP_GENERIC_ERROR, "not built into this device model");
}

struct json_object *qmp_ok(void)
{
    return json_object_new_object();
}

struct json_object *qmp_result(struct qmp_call *call, int rc)
{
    if (rc == 0)
        return qmp_ok();
    call->failed = true;
    if (call->error.text[0])
        return NULL;
    if (rc == -ENOSYS)
        return qmp_not_built(call);
    return qmp_error(call, QMP_GENERIC_ERROR, "%s", strerror(-rc));
}

/* ---- answers -------------------------------------------------------------------------------- */

static struct json_object *error_object(enum qmp_class class, const char *text)
{
    struct json_object *message = json_object_new_object(), *error = json_object_new_object();

    json_object_object_add(error, "class", json_object_new_string(class_name(class)));
    json_object_object_add(error, "desc", qmp_text(text));
    json_object_object_add(message, "error", error);
    return message;
}

void qmp_send_error(struct qmp_conn *conn, enum qmp_class class, const char *text)
{
    qmp_conn_send(conn, error_object(class, text));
}

/* The id is any value, also null, and goes back as it came; has_id tells null from none. */
static void answer(struct qmp_conn *conn, struct json_object *message, bool has_id,
                   struct json_object *id)
{
    if (has_id)
        json_object_object_add(message, "id", json_object_get(id));
    qmp_conn_send(conn, message);
}

static struct json_object *return_object(struct json_object *value)
{
    struct json_object *message = json_object_new_object();

    json_object_object_add(message, "return", value);
    return message;
}

/* ---- late answers --------------------------------------------------------------------------- */

struct qmp_reply *qmp_later(struct qmp_call *call, bool text)
{
    struct qmp *qmp = call->qmp;
    struct qmp_reply *reply = NULL;

    if (qmp->owed < QMP_OWED_MAX)
        reply = calloc(1, sizeof(*reply));
    if (!reply) {
        qmp_error(call, QMP_GENERIC_ERROR, "too many commands are in progress");
        return NULL;
    }
    reply->qmp = qmp;
    reply->conn = call->conn;
    reply->text = text;
    reply->next = qmp->replies;
    reply->link = &qmp->replies;
    if (reply->next)
        reply->next->link = &reply->next;
    qmp->replies = reply;
    qmp->owed++;
    call->conn->reply = reply;
    call->late = true;
    if (call->id_given) {
        reply->id_given = true;
        reply->id = json_object_get(call->id);
    }
    return reply;
}

static void forget(struct qmp_reply *reply)
{
    if (!reply->qmp)
        return;
    *reply->link = reply->next;
    if (reply->next)
        reply->next->link = reply->link;
    reply->qmp->owed--;
    reply->qmp = NULL;
}

static void finish(struct qmp_reply *reply, struct json_object *message)
{
    struct qmp_conn *conn = reply->conn;

    forget(reply);
    if (conn) {
        conn->reply = NULL;
        answer(conn, message, reply->id_given, reply->id);
        qmp_conn_resume(conn);
    } else {
        json_object_put(message);
    }
    json_object_put(reply->id);
    free(reply);
}

struct qmp_reply *qmp_reply_to(void (*told)(void *opaque, const char *error), void *opaque)
{
    struct qmp_reply *reply = calloc(1, sizeof(*reply));

    if (reply) {
        reply->told = told;
        reply->opaque = opaque;
    }
    return reply;
}

static void tell(struct qmp_reply *reply, const char *error)
{
    reply->told(reply->opaque, error);
    free(reply);
}

void qmp_reply_ok(struct qmp_reply *reply)
{
    if (reply->told) {
        tell(reply, NULL);
        return;
    }
    finish(reply, return_object(reply->text ? json_object_new_string("") : qmp_ok()));
}

void qmp_reply_fail(struct qmp_reply *reply, enum qmp_class class, const char *fmt, ...)
{
    struct qmp_error error;
    va_list ap;

    va_start(ap, fmt);
    vfail(&error, class, fmt, ap);
    va_end(ap);
    if (reply->told) {
        tell(reply, error.text);
    } else if (reply->text) {
        char line[sizeof(error.text) + 16];

        snprintf(line, sizeof(line), "Error: %s\r\n", error.text);
        finish(reply, return_object(qmp_text(line)));
    } else {
        finish(reply, error_object(error.class, error.text));
    }
}

/* The connection keeps counting as owed until the operation is done: it bounds the work in hand. */
void qmp_reply_orphan(struct qmp_reply *reply)
{
    if (reply->conn)
        reply->conn->reply = NULL;
    reply->conn = NULL;
}

void qmp_replies_disown(struct qmp *qmp)
{
    while (qmp->replies) {
        struct qmp_reply *reply = qmp->replies;

        qmp_reply_orphan(reply);
        forget(reply);
    }
}

/* ---- arguments ------------------------------------------------------------------------------ */

struct json_object *qmp_arg(const struct qmp_call *call, const char *name)
{
    struct json_object *value = NULL;

    if (call->args)
        json_object_object_get_ex(call->args, name, &value);
    return value;
}

const char *qmp_arg_string(const struct qmp_call *call, const char *name)
{
    struct json_object *value = qmp_arg(call, name);

    return value ? json_object_get_string(value) : NULL;
}

bool qmp_arg_bool(const struct qmp_call *call, const char *name, bool otherwise)
{
    struct json_object *value = qmp_arg(call, name);

    return value ? json_object_get_boolean(value) : otherwise;
}

int64_t qmp_arg_int(const struct qmp_call *call, const char *name, int64_t otherwise)
{
    struct json_object *value = qmp_arg(call, name);

    return value ? json_object_get_int64(value) : otherwise;
}

static unsigned type_of(struct json_object *value)
{
    switch (json_object_get_type(value)) {
    case json_type_string:
        return QMP_STRING;
    case json_type_int:
        return QMP_INT;
    case json_type_boolean:
        return QMP_BOOL;
    case json_type_array:
        return QMP_ARRAY;
    default:
        return 0;
    }
}

static const char *type_name(unsigned mask)
{
    return mask & QMP_STRING  ? "a string"
           : mask & QMP_INT   ? "an integer"
           : mask & QMP_BOOL  ? "a boolean"
           : mask & QMP_ARRAY ? "an array"
                              : "of another type";
}

/* A NUL would cut the string for whoever takes it as one of C's. */
static bool has_nul(struct json_object *value)
{
    return json_object_is_type(value, json_type_string) &&
           strlen(json_object_get_string(value)) != (size_t)json_object_get_string_len(value);
}

static const struct qmp_arg *find_arg(const struct qmp_command *command, const char *name)
{
    for (size_t i = 0; i < QMP_ARGS_MAX && command->args[i].name; i++)
        if (strcmp(command->args[i].name, name) == 0)
            return &command->args[i];
    return NULL;
}

static bool check_args(struct qmp_call *call, const struct qmp_command *command)
{
    if (call->args) {
        json_object_object_foreach(call->args, name, value)
        {
            const struct qmp_arg *arg = find_arg(command, name);

            if (!arg && !command->any_args) {
                qmp_error(call, QMP_GENERIC_ERROR, "%s takes no argument '%s'", command->name,
                          name);
                return false;
            }
            if (arg && !(arg->type & type_of(value))) {
                qmp_error(call, QMP_GENERIC_ERROR, "argument '%s' of %s must be %s", name,
                          command->name, type_name(arg->type));
                return false;
            }
            if (has_nul(value)) {
                qmp_error(call, QMP_GENERIC_ERROR, "argument '%s' of %s contains a NUL", name,
                          command->name);
                return false;
            }
        }
    }
    for (size_t i = 0; i < QMP_ARGS_MAX && command->args[i].name; i++) {
        if ((command->args[i].type & QMP_REQUIRED) && !qmp_arg(call, command->args[i].name)) {
            qmp_error(call, QMP_GENERIC_ERROR, "argument '%s' of %s is missing",
                      command->args[i].name, command->name);
            return false;
        }
    }
    return true;
}

/* ---- dispatch ------------------------------------------------------------------------------- */

void qmp_each_command(void (*each)(void *to, const struct qmp_command *), void *to)
{
    for (size_t t = 0; t < sizeof(topics) / sizeof(topics[0]); t++)
        for (const struct qmp_command *command = topics[t]; command->name; command++)
            each(to, command);
}

static const struct qmp_command *find_command(const char *name)
{
    for (size_t t = 0; t < sizeof(topics) / sizeof(topics[0]); t++)
        for (const struct qmp_command *command = topics[t]; command->name; command++)
            if (strcmp(command->name, name) == 0)
                return command;
    return NULL;
}

static struct json_object *negotiate(struct qmp_call *call)
{
    static const struct qmp_command row = {
        .name = "qmp_capabilities",
        .args = {{"enable", QMP_ARRAY}},
    };
    struct json_object *enable;

    if (call->conn->negotiated)
        return qmp_error(call, QMP_COMMAND_NOT_FOUND, "capabilities have been negotiated before");
    if (!check_args(call, &row))
        return NULL;
    enable = qmp_arg(call, "enable");
    if (enable && json_object_array_length(enable) > 0)
        return qmp_error(call, QMP_GENERIC_ERROR, "there is no capability to enable");
    call->conn->negotiated = true;
    return qmp_ok();
}

static struct json_object *run(struct qmp_call *call, const char *name)
{
    const struct qmp_command *command;

    if (strcmp(name, "qmp_capabilities") == 0)
        return negotiate(call);
    if (!call->conn->negotiated)
        return qmp_error(call, QMP_COMMAND_NOT_FOUND,
                         "capabilities are to be negotiated first, with qmp_capabilities");
    command = find_command(name);
    if (!command)
        return qmp_error(call, QMP_COMMAND_NOT_FOUND, "there is no command '%s'", name);
    if (!check_args(call, command))
        return NULL;
    return command->handler(call);
}

/* The members of a command object; returns the name of the command or NULL after the error. */
static const char *take_apart(struct qmp_call *call, struct json_object *message)
{
    const char *name = NULL;

    json_object_object_foreach(message, key, value)
    {
        if (strcmp(key, "execute") == 0) {
            if (!json_object_is_type(value, json_type_string) || has_nul(value)) {
                qmp_error(call, QMP_GENERIC_ERROR, "'execute' must be the name of a command");
                return NULL;
            }
            name = json_object_get_string(value);
        } else if (strcmp(key, "arguments") == 0) {
            if (!json_object_is_type(value, json_type_object)) {
                qmp_error(call, QMP_GENERIC_ERROR, "'arguments' must be an object");
                return NULL;
            }
            call->args = value;
        } else if (strcmp(key, "id") != 0) {
            qmp_error(call, QMP_GENERIC_ERROR, "a command has no member '%s'", key);
            return NULL;
        }
    }
    if (!name)
        qmp_error(call, QMP_GENERIC_ERROR, "a command needs the member 'execute'");
    return name;
}

static struct json_object *parse(struct qmp *qmp, const char *text, size_t len, const char **why)
{
    struct json_object *message;

    for (size_t i = 0, n; i < len; i += n) {
        n = qmp_utf8_length((const uint8_t *)text + i, len - i);
        if (n == 0) {
            *why = "JSON parse error: the text is not UTF-8";
            return NULL;
        }
    }
    json_tokener_reset(qmp->tokener);
    message = json_tokener_parse_ex(qmp->tokener, text, (int)len);
    if (!message)
        *why = "JSON parse error";
    else if (!json_object_is_type(message, json_type_object))
        *why = "a JSON object is expected";
    else
        return message;
    json_object_put(message);
    return NULL;
}

void qmp_run_message(struct qmp_conn *conn, const char *text, size_t len)
{
    struct qmp *qmp = conn->qmp;
    const char *why = NULL, *name;
    struct json_object *message = parse(qmp, text, len, &why), *value = NULL;
    struct qmp_call call = {.qmp = qmp, .conn = conn, .ops = qmp->ops, .opaque = qmp->opaque};

    if (!message) {
        qmp_send_error(conn, QMP_GENERIC_ERROR, why);
        return;
    }
    call.id_given = json_object_object_get_ex(message, "id", &call.id);
    name = take_apart(&call, message);
    if (name)
        value = run(&call, name);
    if (!call.late)
        answer(conn,
               call.failed ? error_object(call.error.class, call.error.text) : return_object(value),
               call.id_given, call.id);
    json_object_put(message);
    if (call.quit)
        qmp_conn_quit(conn);
}
