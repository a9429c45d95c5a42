/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * slimdm-vnc: shows one guest's screen to VNC viewers.
 *
 *     slimdm-vnc [--share allow|force|ignore] [--keymap NAME] --listen FD... [--websocket FD]...
 *
 * It is started by slimdm (through slimdm-supervise) with the socket to it as descriptor 3 and
 * listening sockets as others. It opens what it needs, gives away every right, and only then looks
 * at viewers.
 */
#include <errno.h>
#include <rfb/rfb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ui/sandbox.h"
#include "ui/vnc/server.h"

static int usage(const char *why, const char *what)
{
    fprintf(stderr,
            "slimdm-vnc: %s%s\n"
            "slimdm-vnc is started by slimdm: use -vnc there\n",
            why, what);
    return -EINVAL;
}

static int add_listener(struct server_config *config, const char *value, bool websocket)
{
    char *end;
    long fd = strtol(value, &end, 10);

    if (*end || fd <= FRONTEND_FD || fd > 1000 || config->listen_count == SERVER_LISTEN_MAX)
        return usage("not a descriptor to listen on: ", value);
    config->listen[config->listen_count] = (int)fd;
    config->websocket[config->listen_count++] = websocket;
    return 0;
}

static int set_share(struct server_config *config, const char *value)
{
    static const char *const names[] = {"allow", "force", "ignore"};

    for (int i = 0; i < 3; i++) {
        if (strcmp(value, names[i]) == 0) {
            config->share = (enum encoder_share)i;
            return 0;
        }
    }
    return usage("not a way of sharing: ", value);
}

static int parse(int argc, char **argv, struct server_config *config, const char **keymap)
{
    int rc = argc % 2 ? 0 : usage("an option without its value", "");

    for (int i = 1; i < argc && !rc; i += 2) {
        if (strcmp(argv[i], "--listen") == 0)
            rc = add_listener(config, argv[i + 1], false);
        else if (strcmp(argv[i], "--websocket") == 0)
            rc = add_listener(config, argv[i + 1], true);
        else if (strcmp(argv[i], "--share") == 0)
            rc = set_share(config, argv[i + 1]);
        else if (strcmp(argv[i], "--keymap") == 0)
            *keymap = argv[i + 1];
        else
            rc = usage("unknown option ", argv[i]);
    }
    if (!rc && !config->listen_count)
        rc = usage("nothing to listen on", "");
    return rc;
}

/* Without one, viewers that send the codes of keys can still type. */
static void load_keymap(struct server_config *config, const char *name)
{
    int rc = keymap_create(&config->keymap, name);

    if (rc && strcmp(name, "en-us") != 0) {
        fprintf(stderr, "slimdm-vnc: keymap %s is not known here; en-us is used\n", name);
        rc = keymap_create(&config->keymap, "en-us");
    }
    if (rc)
        fprintf(stderr,
                "slimdm-vnc: no keyboard data (package xkb-data): viewers that send symbols only "
                "cannot type\n");
}

/* The library's cipher sets itself up at first use, and reads files for it. */
static void warm_up(void)
{
    unsigned char block[16] = {0};
    char key[9] = "warm up";

    rfbEncryptBytes(block, key);
}

static int close_others(const struct server_config *config)
{
    int keep[SERVER_LISTEN_MAX + 1];
    size_t count = 0;

    keep[count++] = FRONTEND_FD;
    for (unsigned i = 0; i < config->listen_count; i++)
        keep[count++] = config->listen[i];
    return sandbox_close_others(keep, count);
}

int main(int argc, char **argv)
{
    /* They end with the process, whichever thread ends it: nobody frees them. */
    static struct server_config config;
    static struct server *server;
    const char *keymap = "en-us";
    int rc = parse(argc, argv, &config, &keymap);

    if (rc)
        return 1;
    load_keymap(&config, keymap);
    signal(SIGPIPE, SIG_IGN);
    warm_up();
    rc = close_others(&config);
    if (!rc)
        rc = server_create(&server, &config, FRONTEND_FD);
    /* Up to here nothing of a viewer has been looked at. */
    if (!rc)
        rc = sandbox_enter("slimdm-vnc", NULL, 0);
    if (!rc)
        rc = server_run(server);
    if (rc && rc != -EPIPE)
        fprintf(stderr, "slimdm-vnc: %s\n", strerror(-rc));
    return rc && rc != -EPIPE;
}
