/* SPDX-License-Identifier: GPL-2.0-or-later */
/* QMP: the VNC server, screenshots, keys and pointer. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "toolstack/qmp_internal.h"

#define HOLD_MS     100
#define HOLD_MS_MAX 60000

/* ---- VNC --------------------------------------------------------------------------------------
 */

static void add_text(struct json_object *to, const char *name, const char *value)
{
    json_object_object_add(to, name, qmp_text(value));
}

static void add_bool(struct json_object *to, const char *name, bool value)
{
    json_object_object_add(to, name, json_object_new_boolean(value));
}

static struct json_object *vnc_clients(const struct qmp_vnc *vnc)
{
    struct json_object *list = json_object_new_array();

    for (size_t i = 0; i < vnc->client_count; i++) {
        struct json_object *entry = json_object_new_object();

        add_text(entry, "host", vnc->clients[i].host);
        add_text(entry, "service", vnc->clients[i].service);
        add_text(entry, "family", vnc->clients[i].family);
        add_bool(entry, "websocket", vnc->clients[i].websocket);
        json_object_array_add(list, entry);
    }
    return list;
}

/* libxl stores host and service unchanged; a UNIX socket needs some service, too. */
static void add_address(struct json_object *to, const struct qmp_vnc *vnc, const char *service)
{
    add_text(to, "host", vnc->host);
    add_text(to, "service", service ? service : "0");
    add_text(to, "family", vnc->family);
}

static void first_vnc(void *to, const struct qmp_vnc *vnc)
{
    struct json_object **info = to;

    if (*info)
        return;
    *info = json_object_new_object();
    add_bool(*info, "enabled", true);
    add_address(*info, vnc, vnc->service);
    add_text(*info, "auth", vnc->auth);
    json_object_object_add(*info, "clients", vnc_clients(vnc));
}

static struct json_object *query_vnc(struct qmp_call *call)
{
    struct json_object *info = NULL;

    if (call->ops->each_vnc)
        call->ops->each_vnc(call->opaque, first_vnc, &info);
    if (!info) {
        info = json_object_new_object();
        add_bool(info, "enabled", false);
    }
    return info;
}

static struct json_object *vnc_address(const struct qmp_vnc *vnc, bool websocket)
{
    struct json_object *entry = json_object_new_object();

    add_address(entry, vnc, websocket ? vnc->websocket : vnc->service);
    add_bool(entry, "websocket", websocket);
    add_text(entry, "auth", vnc->auth);
    return entry;
}

static void list_vnc(void *to, const struct qmp_vnc *vnc)
{
    struct json_object *entry = json_object_new_object(), *addresses = json_object_new_array();

    json_object_array_add(addresses, vnc_address(vnc, false));
    if (vnc->websocket)
        json_object_array_add(addresses, vnc_address(vnc, true));
    add_text(entry, "id", vnc->id);
    json_object_object_add(entry, "server", addresses);
    json_object_object_add(entry, "clients", vnc_clients(vnc));
    add_text(entry, "auth", vnc->auth);
    json_object_array_add(to, entry);
}

static struct json_object *query_vnc_servers(struct qmp_call *call)
{
    struct json_object *list = json_object_new_array();

    if (call->ops->each_vnc)
        call->ops->each_vnc(call->opaque, list_vnc, list);
    return list;
}

struct json_object *qmp_do_vnc_password(struct qmp_call *call, const char *password)
{
    if (!call->ops->vnc_password)
        return qmp_not_built(call);
    return qmp_result(call, call->ops->vnc_password(call->opaque, password, &call->error));
}

static struct json_object *change_vnc_password(struct qmp_call *call)
{
    struct json_object *result = qmp_do_vnc_password(call, qmp_arg_string(call, "password"));

    qmp_wipe(qmp_arg(call, "password"));
    return result;
}

static bool is_vnc(struct qmp_call *call)
{
    const char *protocol = qmp_arg_string(call, "protocol");

    if (strcmp(protocol, "vnc") == 0)
        return true;
    qmp_error(call, QMP_GENERIC_ERROR, "protocol '%s' is not built in; 'vnc' is", protocol);
    return false;
}

/* Viewers that are connected stay so: there is no way to ask them for the new password. */
static struct json_object *set_password(struct qmp_call *call)
{
    const char *connected = qmp_arg_string(call, "connected");

    if (!is_vnc(call))
        return NULL;
    if (connected && strcmp(connected, "keep") != 0)
        return qmp_error(call, QMP_GENERIC_ERROR,
                         "'connected' must be 'keep': viewers are not disconnected");
    return change_vnc_password(call);
}

/* "now", "never", "+SECONDS" from now, or seconds since 1970. */
static struct json_object *expire_password(struct qmp_call *call)
{
    const char *text = qmp_arg_string(call, "time"), *digits = text + (*text == '+');
    int64_t now = time(NULL), when;
    char *end;

    if (!is_vnc(call))
        return NULL;
    if (!call->ops->vnc_expire)
        return qmp_not_built(call);
    if (strcmp(text, "never") == 0) {
        when = INT64_MAX;
    } else if (strcmp(text, "now") == 0) {
        when = now;
    } else {
        errno = 0;
        when = strtoll(digits, &end, 10);
        if (errno || *digits < '0' || *digits > '9' || *end || when > INT64_MAX - now)
            return qmp_error(call, QMP_GENERIC_ERROR,
                             "time '%s' is not 'now', 'never', '+SECONDS' or seconds since 1970",
                             text);
        if (*text == '+')
            when += now;
    }
    return qmp_result(call, call->ops->vnc_expire(call->opaque, when, &call->error));
}

/* ---- screenshots ------------------------------------------------------------------------------
 */

struct json_object *qmp_do_screendump(struct qmp_call *call, const char *filename,
                                      const char *format, bool text)
{
    enum qmp_picture picture = QMP_PICTURE_PPM;
    struct qmp_reply *reply;
    int fd;

    if (!call->ops->screendump)
        return qmp_not_built(call);
    if (format && strcmp(format, "png") == 0)
        picture = QMP_PICTURE_PNG;
    else if (format && strcmp(format, "ppm") != 0)
        return qmp_error(call, QMP_GENERIC_ERROR,
                         "picture format '%s' is not built in; 'png' and 'ppm' are", format);
    fd = qmp_open_output(call, filename);
    if (fd < 0)
        return NULL;
    reply = qmp_later(call, text);
    if (reply)
        call->ops->screendump(call->opaque, fd, picture, reply);
    else
        close(fd);
    return NULL;
}

static struct json_object *screendump(struct qmp_call *call)
{
    if (qmp_arg(call, "device"))
        return qmp_error(call, QMP_GENERIC_ERROR, "there is one screen only; leave out 'device'");
    if (qmp_arg_int(call, "head", 0) != 0)
        return qmp_error(call, QMP_GENERIC_ERROR, "there is one screen only; 'head' must be 0");
    return qmp_do_screendump(call, qmp_arg_string(call, "filename"), qmp_arg_string(call, "format"),
                             false);
}

/* ---- keys and pointer -------------------------------------------------------------------------
 */

int qmp_key_from_name(struct qmp_call *call, const char *name)
{
    int code = call->ops->key_from_qcode ? call->ops->key_from_qcode(name) : -ENOENT;

    if (code < 0)
        qmp_error(call, QMP_GENERIC_ERROR, "there is no key '%s'", name);
    return code < 0 ? -1 : code;
}

static struct json_object *member(struct json_object *object, const char *name, json_type type)
{
    struct json_object *value;

    if (!json_object_is_type(object, json_type_object) ||
        !json_object_object_get_ex(object, name, &value) || !json_object_is_type(value, type))
        return NULL;
    return value;
}

/* {"type": "qcode", "data": "ctrl"} or {"type": "number", "data": 29}. -1 after the error. */
static int key_value(struct qmp_call *call, struct json_object *key)
{
    struct json_object *type = member(key, "type", json_type_string), *data;
    int code;

    data = member(key, "data", json_type_string);
    if (type && data && strcmp(json_object_get_string(type), "qcode") == 0)
        return qmp_key_from_name(call, json_object_get_string(data));
    data = member(key, "data", json_type_int);
    if (type && data && strcmp(json_object_get_string(type), "number") == 0) {
        int64_t number = json_object_get_int64(data);

        code = number < 0 || number > 0xff || !call->ops->key_from_number
                   ? -ENOENT
                   : call->ops->key_from_number((uint32_t)number);
        if (code >= 0)
            return code;
        qmp_error(call, QMP_GENERIC_ERROR, "there is no key with the number %lld",
                  (long long)number);
        return -1;
    }
    qmp_error(call, QMP_GENERIC_ERROR,
              "a key is {\"type\": \"qcode\", \"data\": NAME} or "
              "{\"type\": \"number\", \"data\": NUMBER}");
    return -1;
}

static struct json_object *send_key(struct qmp_call *call)
{
    struct json_object *keys = qmp_arg(call, "keys");
    int64_t hold = qmp_arg_int(call, "hold-time", HOLD_MS);
    size_t count = json_object_array_length(keys);
    uint16_t code[QMP_KEYS_MAX];

    if (!call->ops->send_keys)
        return qmp_not_built(call);
    if (count == 0 || count > QMP_KEYS_MAX)
        return qmp_error(call, QMP_GENERIC_ERROR, "'keys' must be 1 to %d keys", QMP_KEYS_MAX);
    if (hold < 0 || hold > HOLD_MS_MAX)
        return qmp_error(call, QMP_GENERIC_ERROR, "'hold-time' must be from 0 to %d ms",
                         HOLD_MS_MAX);
    for (size_t i = 0; i < count; i++) {
        int key = key_value(call, json_object_array_get_idx(keys, i));

        if (key < 0)
            return NULL;
        code[i] = (uint16_t)key;
    }
    return qmp_result(
        call, call->ops->send_keys(call->opaque, code, count, (unsigned)hold, &call->error));
}

static int index_of(const char *const *names, size_t count, struct json_object *name)
{
    if (name)
        for (size_t i = 0; i < count; i++)
            if (strcmp(names[i], json_object_get_string(name)) == 0)
                return (int)i;
    return -1;
}

static bool key_event(struct qmp_call *call, struct json_object *data,
                      struct qmp_input_event *event)
{
    struct json_object *down = member(data, "down", json_type_boolean);
    struct json_object *key = member(data, "key", json_type_object);
    int code;

    if (!down || !key) {
        qmp_error(call, QMP_GENERIC_ERROR, "an event of type 'key' needs 'down' and 'key'");
        return false;
    }
    code = key_value(call, key);
    event->kind = QMP_INPUT_KEY;
    event->down = json_object_get_boolean(down);
    event->key = code < 0 ? 0 : (uint16_t)code;
    return code >= 0;
}

static bool button_event(struct qmp_call *call, struct json_object *data,
                         struct qmp_input_event *event)
{
    static const char *const names[] = {
        [QMP_BUTTON_LEFT] = "left",
        [QMP_BUTTON_MIDDLE] = "middle",
        [QMP_BUTTON_RIGHT] = "right",
        [QMP_BUTTON_WHEEL_UP] = "wheel-up",
        [QMP_BUTTON_WHEEL_DOWN] = "wheel-down",
        [QMP_BUTTON_SIDE] = "side",
        [QMP_BUTTON_EXTRA] = "extra",
        [QMP_BUTTON_WHEEL_LEFT] = "wheel-left",
        [QMP_BUTTON_WHEEL_RIGHT] = "wheel-right",
    };
    struct json_object *down = member(data, "down", json_type_boolean);
    int button =
        index_of(names, sizeof(names) / sizeof(names[0]), member(data, "button", json_type_string));

    if (!down || button < 0) {
        qmp_error(call, QMP_GENERIC_ERROR,
                  "an event of type 'btn' needs 'down' and the name of a 'button'");
        return false;
    }
    event->kind = QMP_INPUT_BUTTON;
    event->down = json_object_get_boolean(down);
    event->button = (enum qmp_button)button;
    return true;
}

static bool move_event(struct qmp_call *call, struct json_object *data, enum qmp_input_kind kind,
                       struct qmp_input_event *event)
{
    static const char *const names[] = {[QMP_AXIS_X] = "x", [QMP_AXIS_Y] = "y"};
    struct json_object *value = member(data, "value", json_type_int);
    int axis = index_of(names, 2, member(data, "axis", json_type_string));
    int64_t n = json_object_get_int64(value), low = kind == QMP_INPUT_ABS ? 0 : -0x7fff;

    if (!value || axis < 0 || n < low || n > 0x7fff) {
        qmp_error(call, QMP_GENERIC_ERROR,
                  "a movement needs 'axis' (x or y) and a 'value' from %lld to 32767",
                  (long long)low);
        return false;
    }
    event->kind = kind;
    event->axis = (enum qmp_axis)axis;
    event->value = (int32_t)n;
    return true;
}

static bool input_event(struct qmp_call *call, struct json_object *object,
                        struct qmp_input_event *event)
{
    static const char *const names[] = {[QMP_INPUT_KEY] = "key",
                                        [QMP_INPUT_BUTTON] = "btn",
                                        [QMP_INPUT_REL] = "rel",
                                        [QMP_INPUT_ABS] = "abs"};
    struct json_object *data = member(object, "data", json_type_object);
    int kind = index_of(names, 4, member(object, "type", json_type_string));

    if (kind < 0 || !data) {
        qmp_error(call, QMP_GENERIC_ERROR,
                  "an event needs 'type' (key, btn, rel or abs) and 'data'");
        return false;
    }
    if (kind == QMP_INPUT_KEY)
        return key_event(call, data, event);
    if (kind == QMP_INPUT_BUTTON)
        return button_event(call, data, event);
    return move_event(call, data, (enum qmp_input_kind)kind, event);
}

/* All of them or none: the first wrong one refuses the list before anything is done. */
static struct json_object *input_send_event(struct qmp_call *call)
{
    struct qmp_input_event event[QMP_INPUT_MAX] = {0};
    struct json_object *events = qmp_arg(call, "events");
    size_t count = json_object_array_length(events);

    if (!call->ops->input)
        return qmp_not_built(call);
    if (count > QMP_INPUT_MAX)
        return qmp_error(call, QMP_GENERIC_ERROR, "'events' must be at most %d events",
                         QMP_INPUT_MAX);
    for (size_t i = 0; i < count; i++)
        if (!input_event(call, json_object_array_get_idx(events, i), &event[i]))
            return NULL;
    if (count == 0)
        return qmp_ok();
    return qmp_result(call, call->ops->input(call->opaque, event, count, &call->error));
}

const struct qmp_command qmp_ui_commands[] = {
    {"query-vnc", query_vnc, {{NULL, 0}}, false},
    {"query-vnc-servers", query_vnc_servers, {{NULL, 0}}, false},
    {"change-vnc-password", change_vnc_password, {{"password", QMP_STRING | QMP_REQUIRED}}, false},
    {"set_password",
     set_password,
     {{"protocol", QMP_STRING | QMP_REQUIRED},
      {"password", QMP_STRING | QMP_REQUIRED},
      {"connected", QMP_STRING},
      {"display", QMP_STRING}},
     false},
    {"expire_password",
     expire_password,
     {{"protocol", QMP_STRING | QMP_REQUIRED},
      {"time", QMP_STRING | QMP_REQUIRED},
      {"display", QMP_STRING}},
     false},
    {"screendump",
     screendump,
     {{"filename", QMP_STRING | QMP_REQUIRED},
      {"device", QMP_STRING},
      {"head", QMP_INT},
      {"format", QMP_STRING}},
     false},
    {"send-key", send_key, {{"keys", QMP_ARRAY | QMP_REQUIRED}, {"hold-time", QMP_INT}}, false},
    {"input-send-event",
     input_send_event,
     {{"device", QMP_STRING}, {"head", QMP_INT}, {"events", QMP_ARRAY | QMP_REQUIRED}},
     false},
    {NULL, NULL, {{NULL, 0}}, false},
};
