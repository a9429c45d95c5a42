/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Character back-ends, monitors and serial ports. */
#include "toolstack/cmdline_internal.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

static struct config_chardev *chardev_add(struct parser *p, const char *id)
{
    struct config *c = p->config;
    struct config_chardev *chr;

    for (unsigned i = 0; i < c->chardev_count; i++) {
        if (!strcmp(c->chardev[i].id, id)) {
            fail(p, "the id '%.60s' is already that of the back-end '%.100s'", id,
                 c->chardev[i].spec);
            return NULL;
        }
    }
    if (c->chardev_count == CONFIG_CHARDEV_MAX) {
        fail(p, "one back-end too many; accepted: up to %d", CONFIG_CHARDEV_MAX);
        return NULL;
    }
    chr = &c->chardev[c->chardev_count++];
    chr->id = keep(p, id);
    chr->spec = keep(p, p->value);
    chr->fd = -1;
    return chr;
}

/* --- -chardev --------------------------------------------------------------------------------- */

/* server, wait, telnet, ... of a socket, in -chardev, tcp: and unix: alike. */
static void socket_flags(struct parser *p, struct config_chardev *chr, struct keyval *kv)
{
    chr->server = list_bool(p, kv, "server", false);
    chr->wait = list_bool(p, kv, "wait", true) && chr->server;
    chr->telnet = list_bool(p, kv, "telnet", chr->telnet);
    chr->nodelay = list_bool(p, kv, "nodelay", false) || !list_bool(p, kv, "delay", true);
    chr->reconnect = (unsigned)list_uint(p, kv, "reconnect", 0, 0, 86400);
    if (list_bool(p, kv, "websocket", false))
        fail(p, "websocket is not supported; accepted: websocket=off");
    list_ignore(kv, "ipv4 ipv6");
    if (chr->reconnect && chr->server)
        fail(p, "reconnect= is for clients only; accepted with server=off");
}

#define SOCKET_KEYS "server, wait, telnet, nodelay, delay, reconnect, ipv4, ipv6"

static void chardev_socket(struct parser *p, struct config_chardev *chr, struct keyval *kv)
{
    const char *path = list_string(p, kv, "path");
    const char *host = list_string(p, kv, "host");
    const char *port = list_string(p, kv, "port");
    const char *fd = list_string(p, kv, "fd");

    if (!!path + !!fd + !!port != 1 || (host && !port))
        fail(p, "a socket needs exactly one of: path=P, fd=K, host=H with port=P");
    if (path) {
        chr->kind = CONFIG_CHARDEV_UNIX;
        if (check_path(p, "path", path, true))
            chr->path = keep(p, path);
    } else if (fd) {
        chr->kind = CONFIG_CHARDEV_UNIX;
        chr->fd = (int)list_uint(p, kv, "fd", 0, 0, INT_MAX);
    } else if (port) {
        chr->kind = CONFIG_CHARDEV_TCP;
        chr->host = keep(p, host ? host : "");
        chr->port = keep(p, port);
    }
    socket_flags(p, chr, kv);
    list_close(p, kv, "id, path, fd, host, port, " SOCKET_KEYS);
}

static void chardev_udp(struct parser *p, struct config_chardev *chr, struct keyval *kv)
{
    const char *host = list_string(p, kv, "host");
    const char *port = list_string(p, kv, "port");
    const char *local_host = list_string(p, kv, "localaddr");
    const char *local_port = list_string(p, kv, "localport");

    if (!port)
        fail(p, "udp needs port=P");
    chr->host = keep(p, host ? host : "");
    chr->port = keep(p, port ? port : "");
    chr->local_host = keep(p, local_host ? local_host : "");
    chr->local_port = keep(p, local_port ? local_port : "0");
    list_ignore(kv, "ipv4 ipv6");
    list_close(p, kv, "id, host, port, localaddr, localport");
}

static void chardev_with_path(struct parser *p, struct config_chardev *chr, struct keyval *kv)
{
    const char *path = list_string(p, kv, "path");

    if (!path)
        path = "";
    if (check_path(p, "path", path, false))
        chr->path = keep(p, path);
    if (chr->kind == CONFIG_CHARDEV_FILE)
        chr->append = list_bool(p, kv, "append", false);
    list_close(p, kv, chr->kind == CONFIG_CHARDEV_FILE ? "id, path, append" : "id, path");
}

static void chardev_ring(struct parser *p, struct config_chardev *chr, struct keyval *kv)
{
    const char *text = list_string(p, kv, "size");
    uint64_t size = 65536;

    if (text && (!keyval_parse_size(text, 1, 1, 1 << 20, &size) || (size & (size - 1))))
        fail(p, "size=%.40s is not accepted; accepted: a power of two up to 1M", text);
    chr->size = (unsigned)size;
    list_close(p, kv, "id, size");
}

void option_chardev(struct parser *p, const char *value)
{
    static const struct {
        const char *name;
        enum config_chardev_kind kind;
    } backends[] = {
        {"socket", CONFIG_CHARDEV_UNIX},   {"pty", CONFIG_CHARDEV_PTY},
        {"null", CONFIG_CHARDEV_NULL},     {"file", CONFIG_CHARDEV_FILE},
        {"pipe", CONFIG_CHARDEV_PIPE},     {"stdio", CONFIG_CHARDEV_STDIO},
        {"serial", CONFIG_CHARDEV_DEVICE}, {"tty", CONFIG_CHARDEV_DEVICE},
        {"udp", CONFIG_CHARDEV_UDP},       {"vc", CONFIG_CHARDEV_VC},
        {"ringbuf", CONFIG_CHARDEV_RING},  {"memory", CONFIG_CHARDEV_RING},
    };
    const size_t n = sizeof(backends) / sizeof(backends[0]);
    struct config_chardev *chr = NULL;
    struct keyval kv;
    const char *name, *id;
    size_t i = 0;

    if (!list_open(p, &kv, value, "backend"))
        goto out;
    name = list_string(p, &kv, "backend");
    id = list_string(p, &kv, "id");
    while (i < n && name && strcmp(backends[i].name, name))
        i++;
    if (!name || i == n)
        fail(p,
             "back-end '%.40s' is not supported; accepted: socket, pty, null, file, pipe, stdio, "
             "serial, udp, vc, ringbuf",
             name ? name : "");
    else if (!id)
        fail(p, "id= is missing; accepted: -chardev %s,id=NAME,...", name);
    else if (check_id(p, id))
        chr = chardev_add(p, id);
    if (!chr)
        goto out;
    chr->kind = backends[i].kind;
    if (list_bool(p, &kv, "mux", false))
        fail(p, "mux=on is not supported; accepted: mux=off");

    switch (chr->kind) {
    case CONFIG_CHARDEV_UNIX:
        chardev_socket(p, chr, &kv);
        break;
    case CONFIG_CHARDEV_UDP:
        chardev_udp(p, chr, &kv);
        break;
    case CONFIG_CHARDEV_FILE:
    case CONFIG_CHARDEV_PIPE:
    case CONFIG_CHARDEV_DEVICE:
        chardev_with_path(p, chr, &kv);
        break;
    case CONFIG_CHARDEV_RING:
        chardev_ring(p, chr, &kv);
        break;
    case CONFIG_CHARDEV_VC:
        list_ignore(&kv, "width height cols rows");
        list_close(p, &kv, "id, width, height, cols, rows");
        break;
    default:
        list_ignore(&kv, "signal");
        list_close(p, &kv, "id");
    }
out:
    keyval_free(&kv);
}

/* --- the short form of -serial and -qmp ------------------------------------------------------- */

/* "H:P" or "[H]:P" up to the end; an empty H is every address. */
static bool host_and_port(struct parser *p, char *text, const char **host, const char **port)
{
    char *colon = strrchr(text, ':');

    if (colon && colon[1] && !strchr(colon, ']')) {
        *colon = '\0';
        if (text[0] == '[' && colon > text + 1 && colon[-1] == ']') {
            colon[-1] = '\0';
            text++;
        } else if (strpbrk(text, "[]:")) {
            colon = NULL;
        }
        if (colon) {
            *host = keep(p, text);
            *port = keep(p, colon + 1);
            return true;
        }
    }
    fail(p, "not an address; accepted: HOST:PORT, or [IPV6]:PORT");
    return false;
}

/* What follows "tcp:", "telnet:" (inet) or "unix:". */
static void short_socket(struct parser *p, struct config_chardev *chr, const char *text, bool inet)
{
    struct keyval kv;
    const struct keyval_item *address;

    if (list_open(p, &kv, text, "address")) {
        address = keyval_find(&kv, "address");
        if (!address)
            fail(p, "the address is missing; accepted: tcp:HOST:PORT[,server][,nowait], "
                    "unix:PATH[,server][,nowait]");
        else if (inet)
            host_and_port(p, address->value, &chr->host, &chr->port);
        else if (check_path(p, "path", address->value, true))
            chr->path = keep(p, address->value);
        socket_flags(p, chr, &kv);
        list_close(p, &kv, SOCKET_KEYS);
    }
    keyval_free(&kv);
}

/* What follows "udp:": [H]:P[@[LH]:LP]. */
static void short_udp(struct parser *p, struct config_chardev *chr, const char *text)
{
    struct keyval kv;
    char *at;

    /* Only to get at a copy that may be cut; udp takes no keys. */
    if (list_open(p, &kv, text, "address")) {
        if (kv.count != 1 || !kv.item[0].value) {
            fail(p, "not an address; accepted: udp:[HOST]:PORT[@[HOST]:PORT]");
        } else {
            at = strchr(kv.item[0].value, '@');
            chr->local_host = "";
            chr->local_port = "0";
            if (at) {
                *at++ = '\0';
                host_and_port(p, at, &chr->local_host, &chr->local_port);
            }
            host_and_port(p, kv.item[0].value, &chr->host, &chr->port);
        }
    }
    keyval_free(&kv);
}

/* Fills chr from a spec such as "pty" or "tcp:H:P,server,nowait". */
static void short_spec(struct parser *p, struct config_chardev *chr, const char *spec)
{
    const char *rest;

    if (starts_with(spec, "mon:", &rest)) {
        notice(p, true, "no text monitor is built; the port is connected to '%.80s' alone", rest);
        spec = rest;
    }
    if (!strcmp(spec, "none")) {
        chr->kind = CONFIG_CHARDEV_NONE;
    } else if (!strcmp(spec, "null") || !strcmp(spec, "/dev/null")) {
        chr->kind = CONFIG_CHARDEV_NULL;
    } else if (!strcmp(spec, "pty")) {
        chr->kind = CONFIG_CHARDEV_PTY;
    } else if (!strcmp(spec, "stdio")) {
        chr->kind = CONFIG_CHARDEV_STDIO;
    } else if (!strcmp(spec, "vc") || starts_with(spec, "vc:", &rest)) {
        chr->kind = CONFIG_CHARDEV_VC;
    } else if (starts_with(spec, "file:", &rest) || starts_with(spec, "pipe:", &rest)) {
        chr->kind = spec[0] == 'f' ? CONFIG_CHARDEV_FILE : CONFIG_CHARDEV_PIPE;
        if (check_path(p, "path", rest, false))
            chr->path = keep(p, rest);
    } else if (spec[0] == '/') {
        chr->kind = CONFIG_CHARDEV_DEVICE;
        chr->path = keep(p, spec);
    } else if (starts_with(spec, "tcp:", &rest) || starts_with(spec, "telnet:", &rest)) {
        chr->kind = CONFIG_CHARDEV_TCP;
        chr->telnet = spec[1] == 'e';
        short_socket(p, chr, rest, true);
    } else if (starts_with(spec, "unix:", &rest)) {
        chr->kind = CONFIG_CHARDEV_UNIX;
        short_socket(p, chr, rest, false);
    } else if (starts_with(spec, "udp:", &rest)) {
        chr->kind = CONFIG_CHARDEV_UDP;
        short_udp(p, chr, rest);
    } else {
        fail(p,
             "not accepted; accepted: pty, none, null, stdio, file:PATH, pipe:PATH, /dev/..., "
             "tcp:HOST:PORT[,server][,nowait], telnet:..., udp:..., unix:PATH[,server][,nowait], "
             "vc, chardev:ID, mon:...");
    }
}

/* --- users of a back-end ---------------------------------------------------------------------- */

/* Remembers that port or monitor `index` wants the -chardev `id`, which may come later. */
static void refer(struct parser *p, bool monitor, int index, const char *id)
{
    if (p->reference_count == sizeof(p->reference) / sizeof(p->reference[0])) {
        fail(p, "too many users of back-ends");
        return;
    }
    p->reference[p->reference_count].monitor = monitor;
    p->reference[p->reference_count].index = index;
    p->reference[p->reference_count].id = keep(p, id);
    p->reference[p->reference_count].option = p->option;
    p->reference[p->reference_count].value = p->value;
    p->reference_count++;
}

static void serial_connect(struct parser *p, int port, const char *spec)
{
    struct config *c = p->config;
    struct config_chardev *chr;
    const char *rest;
    char id[16];

    if (starts_with(spec, "chardev:", &rest)) {
        c->serial[port].present = true;
        refer(p, false, port, rest);
        return;
    }
    if (!strcmp(spec, "none"))
        return;
    snprintf(id, sizeof(id), "serial%d", port);
    chr = chardev_add(p, id);
    if (!chr)
        return;
    short_spec(p, chr, spec);
    c->serial[port].present = chr->kind != CONFIG_CHARDEV_NONE;
    c->serial[port].chardev = (int)(chr - c->chardev);
    p->chardev_user[c->serial[port].chardev] = keep_format(p, "-serial %.100s", p->value);
}

void option_serial(struct parser *p, const char *value)
{
    /* "none" uses up a COM number too. */
    if (p->serial_count == CONFIG_SERIAL_MAX) {
        fail(p, "one port too many; accepted: up to %d, COM1 to COM%d", CONFIG_SERIAL_MAX,
             CONFIG_SERIAL_MAX);
        return;
    }
    serial_connect(p, p->serial_count++, value);
}

/* -device isa-serial,chardev=ID[,index=N]: the lowest free port when no index is given. */
void serial_from_device(struct parser *p, struct device *d)
{
    const char *id = list_string(p, &d->kv, "chardev");
    unsigned none = CONFIG_SERIAL_MAX;
    unsigned port = (unsigned)list_uint(p, &d->kv, "index", none, 0, CONFIG_SERIAL_MAX - 1);

    list_ignore(&d->kv, "id iobase irq");
    list_close(p, &d->kv, "id, chardev, index, iobase, irq");
    if (port == none) {
        port = 0;
        while (port < CONFIG_SERIAL_MAX && p->config->serial[port].present)
            port++;
    }
    if (!id)
        fail(p, "chardev=ID is missing");
    else if (port == CONFIG_SERIAL_MAX)
        fail(p, "one port too many; accepted: up to %d, COM1 to COM%d", CONFIG_SERIAL_MAX,
             CONFIG_SERIAL_MAX);
    else if (p->config->serial[port].present)
        fail(p, "index=%u: COM%u is there already", port, port + 1);
    if (p->err)
        return;
    p->config->serial[port].present = true;
    refer(p, false, (int)port, id);
}

static int monitor_add(struct parser *p)
{
    struct config *c = p->config;

    if (c->monitor_count == CONFIG_MONITOR_MAX) {
        fail(p, "one monitor too many; accepted: up to %d", CONFIG_MONITOR_MAX);
        return -1;
    }
    c->monitor[c->monitor_count].chardev = -1;
    return (int)c->monitor_count++;
}

void option_mon(struct parser *p, const char *value)
{
    static const char *const modes[] = {"control", "readline", NULL};
    struct keyval kv;

    if (list_open(p, &kv, value, "chardev")) {
        const char *id = list_string(p, &kv, "chardev");
        int mode = list_choice(p, &kv, "mode", 1, modes);
        bool pretty = list_bool(p, &kv, "pretty", false);
        int n;

        list_ignore(&kv, "id");
        list_close(p, &kv, "chardev, mode, pretty");
        if (mode != 0)
            fail(p, "mode=readline, the text monitor, is not built; accepted: mode=control (QMP)");
        else if (!id)
            fail(p, "chardev=ID is missing");
        if (!p->err && (n = monitor_add(p)) >= 0) {
            p->config->monitor[n].pretty = pretty;
            refer(p, true, n, id);
        }
    }
    keyval_free(&kv);
}

/* -qmp SPEC, -qmp-pretty SPEC: a back-end of its own and a monitor on it. */
void option_qmp(struct parser *p, const char *value)
{
    struct config *c = p->config;
    struct config_chardev *chr;
    const char *rest;
    char id[32];
    int n;

    if (!strcmp(value, "none") || (n = monitor_add(p)) < 0)
        return;
    c->monitor[n].pretty = !strcmp(p->entry->name, "qmp-pretty");
    if (starts_with(value, "chardev:", &rest)) {
        refer(p, true, n, rest);
        return;
    }
    snprintf(id, sizeof(id), "compat_monitor%d", n);
    chr = chardev_add(p, id);
    if (!chr)
        return;
    short_spec(p, chr, value);
    c->monitor[n].chardev = (int)(chr - c->chardev);
    p->chardev_user[c->monitor[n].chardev] = keep_format(p, "-qmp %.100s", value);
}

void option_no_back_end(struct parser *p, const char *value)
{
    if (strcmp(value, "none") && strcmp(value, "null") && strcmp(value, "/dev/null"))
        fail(p, "%s; accepted: none, null, /dev/null", p->entry->text);
}

/* Names that were given before what they name. */
static void join_references(struct parser *p)
{
    struct config *c = p->config;

    for (unsigned i = 0; i < p->reference_count && !p->err; i++) {
        const char *id = p->reference[i].id;
        unsigned n = 0;

        set_context(p, p->reference[i].option, p->reference[i].value);
        while (n < c->chardev_count && strcmp(c->chardev[n].id, id))
            n++;
        if (n == c->chardev_count) {
            fail(p, "there is no back-end with this id; accepted: the id of a -chardev");
        } else if (p->chardev_user[n]) {
            fail(p, "the back-end '%.60s' is in use by '%.100s' already", id, p->chardev_user[n]);
        } else {
            p->chardev_user[n] = keep_format(p, "%s %.100s", p->option, p->value);
            if (p->reference[i].monitor)
                c->monitor[p->reference[i].index].chardev = (int)n;
            else
                c->serial[p->reference[i].index].chardev = (int)n;
        }
    }
}

/* QMP has to be able to wait for clients, one after another, and to pass descriptors. */
static void check_monitors(struct parser *p)
{
    const struct config *c = p->config;

    set_context(p, NULL, NULL);
    for (unsigned i = 0; i < c->monitor_count && !p->err; i++) {
        const struct config_chardev *chr = &c->chardev[c->monitor[i].chardev];

        if (chr->kind != CONFIG_CHARDEV_UNIX || !chr->server)
            fail(p,
                 "%s: QMP on '%.100s' is not supported; accepted: a listening UNIX socket, "
                 "socket,path=P,server=on or socket,fd=K,server=on",
                 p->chardev_user[c->monitor[i].chardev], chr->spec);
    }
}

static void notice_unused(struct parser *p)
{
    const struct config *c = p->config;
    const char *rest;

    for (unsigned i = 0; i < c->chardev_count && !p->err; i++) {
        if (p->chardev_user[i])
            continue;
        set_context(p, "-chardev", c->chardev[i].spec);
        if (starts_with(c->chardev[i].id, "libxl-channel", &rest))
            notice_not_built(p, "channel");
        else
            notice(p, true, "nothing uses this back-end; it is not opened");
    }
}

void chardev_finish(struct parser *p)
{
    join_references(p);
    check_monitors(p);
    notice_unused(p);
}
