/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A QMP client that asks one thing after the other. Every message of the server ends with a line
 * feed; events and answers to others' questions are passed over.
 */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "ctl/ctl.h"
#include "dm/passfd.h"

#define PATIENCE_MS 30000
#define MESSAGE_MAX (4u << 20)

struct qmp_client {
    int fd;
    unsigned domid;
    char *line; /* what has been received and not been taken */
    size_t used, size;
    int64_t next_id;
};

/* ---- connection ------------------------------------------------------------------------------ */

/* A descriptor or -errno. */
static int connect_unix(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd, rc;

    if (strlen(path) >= sizeof(addr.sun_path))
        return -ENAMETOOLONG;
    strcpy(addr.sun_path, path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (!connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
        return fd;
    rc = -errno;
    close(fd);
    return rc;
}

static int explain(unsigned domid, const char *path, int rc)
{
    if (rc == -ENOENT)
        return ctl_fail(rc, "domain %u has no device model here: %s does not exist", domid, path);
    if (rc == -ECONNREFUSED)
        return ctl_fail(rc, "the device model of domain %u has ended: nobody listens on %s", domid,
                        path);
    if (rc == -EACCES || rc == -EPERM)
        return ctl_fail(rc, "%s: %s (the toolstack's user may)", path, strerror(-rc));
    return ctl_fail(rc, "%s: %s", path, strerror(-rc));
}

static int connect_domain(const struct ctl *ctl)
{
    static const char *const names[] = {"libxenstat", "libxl"};
    char path[64] = "";
    int fd = -ENOENT;

    if (ctl->socket) {
        fd = connect_unix(ctl->socket);
        return fd < 0 ? explain(ctl->domid, ctl->socket, fd) : fd;
    }
    for (unsigned i = 0; i < 2 && fd < 0; i++) {
        snprintf(path, sizeof(path), "/var/run/xen/qmp-%s-%u", names[i], ctl->domid);
        fd = connect_unix(path);
    }
    return fd < 0 ? explain(ctl->domid, path, fd) : fd;
}

/* ---- lines ----------------------------------------------------------------------------------- */

static int64_t now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int make_room(struct qmp_client *client)
{
    size_t size = client->size ? 2 * client->size : 4096;
    char *line;

    if (client->used < client->size)
        return 0;
    if (size > MESSAGE_MAX)
        return ctl_fail(-EMSGSIZE, "the device model does not come to an end");
    line = realloc(client->line, size);
    if (!line)
        return ctl_fail(-ENOMEM, "out of memory");
    client->line = line;
    client->size = size;
    return 0;
}

static int receive_some(struct qmp_client *client, int64_t deadline)
{
    struct pollfd pfd = {client->fd, POLLIN, 0};
    int64_t left = deadline - now_ms();
    ssize_t n = 0;
    int rc = make_room(client);

    if (rc)
        return rc;
    if (left <= 0 || (poll(&pfd, 1, (int)left) == 0))
        return ctl_fail(-ETIMEDOUT,
                        "the device model of domain %u does not answer within %d seconds",
                        client->domid, PATIENCE_MS / 1000);
    n = recv(client->fd, client->line + client->used, client->size - client->used, MSG_DONTWAIT);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return 0;
    if (n <= 0)
        return ctl_fail(-EPIPE, "the device model of domain %u has closed the connection",
                        client->domid);
    client->used += (size_t)n;
    return 0;
}

/* The next message, which is the caller's to put. */
static int receive_message(struct qmp_client *client, int64_t deadline, struct json_object **out)
{
    struct json_tokener *tokener;
    size_t length;
    char *end;

    while (!client->used || !(end = memchr(client->line, '\n', client->used))) {
        int rc = receive_some(client, deadline);

        if (rc)
            return rc;
    }
    length = (size_t)(end + 1 - client->line);
    tokener = json_tokener_new();
    *out = tokener ? json_tokener_parse_ex(tokener, client->line, (int)length) : NULL;
    if (tokener)
        json_tokener_free(tokener);
    client->used -= length;
    memmove(client->line, end + 1, client->used);
    if (json_object_is_type(*out, json_type_object))
        return 0;
    json_object_put(*out);
    return ctl_fail(-EPROTO, "what listens for domain %u does not speak QMP", client->domid);
}

/* Descriptors go with the first byte. */
static int send_text(struct qmp_client *client, const char *text, int pass_fd)
{
    size_t length = strlen(text), done = 0;

    while (done < length) {
        ssize_t n = passfd_send(client->fd, text + done, length - done, done ? -1 : pass_fd, 0);

        if (n < 0)
            return ctl_fail(-errno, "cannot ask the device model of domain %u: %s", client->domid,
                            strerror(errno));
        done += (size_t)n;
    }
    return 0;
}

/* ---- questions and answers ------------------------------------------------------------------- */

static int take_answer(struct json_object *message, const char *command,
                       struct json_object **result)
{
    struct json_object *answer;

    if (json_object_object_get_ex(message, "return", &answer)) {
        if (result)
            *result = json_object_get(answer);
        return 0;
    }
    answer = qmp_member(message, "error", json_type_object);
    return ctl_fail(-EREMOTEIO, "%s: %s", command, qmp_string(answer, "desc"));
}

int qmp_client_call(struct qmp_client *client, const char *command, struct json_object *arguments,
                    int pass_fd, struct json_object **result)
{
    struct json_object *question = json_object_new_object(), *message, *id;
    int64_t deadline = now_ms() + PATIENCE_MS, number = client->next_id++;
    char text[4096];
    int rc;

    json_object_object_add(question, "execute", json_object_new_string(command));
    if (arguments)
        json_object_object_add(question, "arguments", arguments);
    json_object_object_add(question, "id", json_object_new_int64(number));
    rc = snprintf(text, sizeof(text), "%s\r\n", json_object_to_json_string(question));
    json_object_put(question);
    if (rc < 0 || (size_t)rc >= sizeof(text))
        return ctl_fail(-EMSGSIZE, "%s: its arguments are too long", command);
    rc = send_text(client, text, pass_fd);
    while (!rc) {
        rc = receive_message(client, deadline, &message);
        if (rc)
            return rc;
        id = qmp_member(message, "id", json_type_int);
        if (id && json_object_get_int64(id) == number) {
            rc = take_answer(message, command, result);
            json_object_put(message);
            return rc;
        }
        json_object_put(message);
    }
    return rc;
}

int qmp_client_open(struct qmp_client **out, const struct ctl *ctl)
{
    struct qmp_client *client;
    struct json_object *greeting;
    int fd = connect_domain(ctl), rc;

    if (fd < 0)
        return fd;
    client = calloc(1, sizeof(*client));
    if (!client) {
        close(fd);
        return ctl_fail(-ENOMEM, "out of memory");
    }
    client->fd = fd;
    client->domid = ctl->domid;
    rc = receive_message(client, now_ms() + PATIENCE_MS, &greeting);
    if (!rc) {
        json_object_put(greeting);
        rc = qmp_client_call(client, "qmp_capabilities", NULL, -1, NULL);
    }
    if (rc)
        qmp_client_close(client);
    else
        *out = client;
    return rc;
}

void qmp_client_close(struct qmp_client *client)
{
    close(client->fd);
    free(client->line);
    free(client);
}

/* ---- members --------------------------------------------------------------------------------- */

struct json_object *qmp_member(struct json_object *object, const char *key, enum json_type type)
{
    struct json_object *value;

    if (!json_object_is_type(object, json_type_object) ||
        !json_object_object_get_ex(object, key, &value) || !json_object_is_type(value, type))
        return NULL;
    return value;
}

const char *qmp_string(struct json_object *object, const char *key)
{
    struct json_object *value = qmp_member(object, key, json_type_string);

    return value ? json_object_get_string(value) : "";
}

int qmp_true(struct json_object *object, const char *key)
{
    return json_object_get_boolean(qmp_member(object, key, json_type_boolean));
}
