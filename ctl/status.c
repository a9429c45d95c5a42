/* SPDX-License-Identifier: GPL-2.0-or-later */
/* slimdm-ctl status DOMID: query-status, query-vnc and query-block in a few lines. */
#include <stdio.h>

#include "ctl/ctl.h"

static void print_vnc(struct json_object *vnc)
{
    struct json_object *clients = qmp_member(vnc, "clients", json_type_array);
    size_t count = clients ? json_object_array_length(clients) : 0;

    if (!qmp_true(vnc, "enabled")) {
        puts("vnc: none");
        return;
    }
    printf("vnc: %s:%s, %s, %zu viewer%s\n", qmp_string(vnc, "host"), qmp_string(vnc, "service"),
           qmp_string(vnc, "auth")[0] == 'v' ? "password" : "no password", count,
           count == 1 ? "" : "s");
    for (size_t i = 0; i < count; i++) {
        struct json_object *one = json_object_array_get_idx(clients, i);

        printf("viewer: %s:%s%s\n", qmp_string(one, "host"), qmp_string(one, "service"),
               qmp_true(one, "websocket") ? " (websocket)" : "");
    }
}

static void print_drive(struct json_object *drive)
{
    struct json_object *medium = qmp_member(drive, "inserted", json_type_object);
    const char *io = qmp_string(drive, "io-status");

    printf("drive %s: ", qmp_string(drive, "device"));
    if (medium)
        printf("%s, %s%s", qmp_string(medium, "file"), qmp_string(medium, "drv"),
               qmp_true(medium, "ro") ? ", read-only" : "");
    else
        fputs("empty", stdout);
    if (qmp_true(drive, "tray_open"))
        fputs(", tray open", stdout);
    if (*io && *io != 'o')
        printf(", stopped by an error (%s)", io);
    putchar('\n');
}

/* Asks everything before it prints anything: an answer is whole, or there is none. */
int ctl_status(const struct ctl *ctl, char **argument)
{
    struct json_object *status = NULL, *vnc = NULL, *drives = NULL;
    struct qmp_client *client;
    int rc = qmp_client_open(&client, ctl);

    if (rc)
        return rc;
    rc = qmp_client_call(client, "query-status", NULL, -1, &status);
    if (!rc)
        rc = qmp_client_call(client, "query-vnc", NULL, -1, &vnc);
    if (!rc)
        rc = qmp_client_call(client, "query-block", NULL, -1, &drives);
    if (!rc) {
        printf("domain %u: %s\n", ctl->domid, qmp_string(status, "status"));
        print_vnc(vnc);
        for (size_t i = 0;
             json_object_is_type(drives, json_type_array) && i < json_object_array_length(drives);
             i++)
            print_drive(json_object_array_get_idx(drives, i));
    }
    json_object_put(status);
    json_object_put(vnc);
    json_object_put(drives);
    qmp_client_close(client);
    return rc;
}
