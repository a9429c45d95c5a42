/* SPDX-License-Identifier: GPL-2.0-or-later */
/* slimdm-ctl screenshot DOMID FILE. The device model may not open files of its own any more, or be
 * another user: it is handed an open one, which gets its name when the picture is in it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl/ctl.h"

static const char *format_of(const char *file)
{
    const char *dot = strrchr(file, '.');

    return dot && strcasecmp(dot, ".ppm") == 0 ? "ppm" : "png";
}

static int dump_to(struct qmp_client *client, int fd, const char *format)
{
    struct json_object *set, *arguments = json_object_new_object();
    struct json_object *id;
    char path[40];
    int rc = qmp_client_call(client, "add-fd", NULL, fd, &set);

    if (rc) {
        json_object_put(arguments);
        return rc;
    }
    id = qmp_member(set, "fdset-id", json_type_int);
    snprintf(path, sizeof(path), "/dev/fdset/%lld", (long long)json_object_get_int64(id));
    json_object_object_add(arguments, "filename", json_object_new_string(path));
    json_object_object_add(arguments, "format", json_object_new_string(format));
    rc = qmp_client_call(client, "screendump", arguments, -1, NULL);
    if (id) {
        arguments = json_object_new_object();
        json_object_object_add(arguments, "fdset-id", json_object_get(id));
        qmp_client_call(client, "remove-fd", arguments, -1, NULL);
    }
    json_object_put(set);
    return rc;
}

/* A new file beside the one that it will be, with the rights that open() would have given it. */
static int make_file(const char *file, char **name)
{
    mode_t mask = umask(0);
    int fd;

    umask(mask);
    if (asprintf(name, "%s.XXXXXX", file) < 0)
        return ctl_fail(-ENOMEM, "out of memory");
    fd = mkstemp(*name);
    if (fd < 0) {
        fd = ctl_fail(-errno, "cannot make %s: %s", file, strerror(errno));
        free(*name);
        return fd;
    }
    fchmod(fd, 0666 & ~mask);
    return fd;
}

int ctl_screenshot(const struct ctl *ctl, char **argument)
{
    const char *file = argument[0];
    struct qmp_client *client;
    char *name;
    int fd, rc = qmp_client_open(&client, ctl);

    if (rc)
        return rc;
    fd = make_file(file, &name);
    if (fd >= 0) {
        rc = dump_to(client, fd, format_of(file));
        close(fd);
        if (!rc && rename(name, file))
            rc = ctl_fail(-errno, "cannot make %s: %s", file, strerror(errno));
        if (rc)
            unlink(name);
        free(name);
    }
    qmp_client_close(client);
    return fd < 0 ? fd : rc;
}
