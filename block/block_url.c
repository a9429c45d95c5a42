/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a disk's path and format mean: a file; an NBD server, in the older words of QEMU
 * ("nbd:HOST:PORT:exportname=NAME", "nbd:unix:PATH:exportname=NAME") or as a URI
 * ("nbd://HOST:PORT/NAME", "nbd+unix:///NAME?socket=PATH"); or something for qemu-nbd.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "block/block_nbd.h"

#define NBD_PORT "10809"

bool block_path_is_url(const char *path)
{
    size_t n = strcspn(path, ":/");

    return n && path[n] == ':';
}

static const char *after(const char *text, const char *prefix)
{
    size_t n = strlen(prefix);

    return strncmp(text, prefix, n) ? NULL : text + n;
}

/* Copies n bytes with %XX decoded. -EINVAL: too long, or a NUL. */
static int decode(char *out, size_t size, const char *in, size_t n)
{
    size_t len = 0;

    for (size_t i = 0; i < n; i++) {
        char c = in[i];

        if (c == '%' && i + 2 < n && isxdigit((unsigned char)in[i + 1]) &&
            isxdigit((unsigned char)in[i + 2])) {
            char hex[3] = {in[i + 1], in[i + 2], 0};
            unsigned value;

            sscanf(hex, "%2x", &value);
            c = (char)value;
            i += 2;
        }
        if (!c || len + 1 >= size)
            return -EINVAL;
        out[len++] = c;
    }
    out[len] = 0;
    return 0;
}

static int copy(char *out, size_t size, const char *in, size_t n)
{
    if (n >= size)
        return -EINVAL;
    memcpy(out, in, n);
    out[n] = 0;
    return 0;
}

static int unix_target(struct nbd_target *t)
{
    t->arg[0] = "unix";
    t->arg[1] = t->text[0];
    return *t->text[0] ? 0 : -EINVAL;
}

static int tcp_target(struct nbd_target *t)
{
    t->arg[0] = "tcp";
    t->arg[1] = t->text[0];
    t->arg[2] = t->text[1];
    return *t->text[0] && *t->text[1] ? 0 : -EINVAL;
}

/* "HOST", "HOST:PORT", "[ADDRESS]:PORT". */
static int host_and_port(struct nbd_target *t, const char *from, size_t n)
{
    const char *end = from + n, *host = from, *host_end = end, *port = NULL;

    if (*from == '[') {
        host = from + 1;
        host_end = memchr(from, ']', n);
        if (!host_end)
            return -EINVAL;
        port = host_end + 1 < end && host_end[1] == ':' ? host_end + 2 : NULL;
    } else if (memchr(from, ':', n)) {
        host_end = memchr(from, ':', n);
        port = host_end + 1;
    }
    if (copy(t->text[0], sizeof(t->text[0]), host, (size_t)(host_end - host)) ||
        copy(t->text[1], sizeof(t->text[1]), port ? port : NBD_PORT,
             port ? (size_t)(end - port) : strlen(NBD_PORT)))
        return -EINVAL;
    return tcp_target(t);
}

/* "unix:PATH" or "HOST:PORT", then ":exportname=NAME" or nothing. */
static int old_words(struct nbd_target *t, const char *rest)
{
    static const char name_key[] = ":exportname=";
    const char *name = strstr(rest, name_key), *path = after(rest, "unix:");
    size_t n = name ? (size_t)(name - rest) : strlen(rest);

    if (name && copy(t->export_name, sizeof(t->export_name), name + sizeof(name_key) - 1,
                     strlen(name + sizeof(name_key) - 1)))
        return -EINVAL;
    if (!path)
        return host_and_port(t, rest, n);
    if (copy(t->text[0], sizeof(t->text[0]), path, n - (size_t)(path - rest)))
        return -EINVAL;
    return unix_target(t);
}

/* What follows "nbd://" or "nbd+unix://". */
static int uri(struct nbd_target *t, const char *rest, bool is_unix)
{
    size_t authority = strcspn(rest, "/?"), path;
    const char *at = rest + authority, *query;

    if (*at == '/')
        at++;
    path = strcspn(at, "?#");
    if (decode(t->export_name, sizeof(t->export_name), at, path))
        return -EINVAL;
    if (!is_unix)
        return host_and_port(t, rest, authority);
    query = at + path;
    query = *query == '?' ? after(query + 1, "socket=") : NULL;
    if (!query || decode(t->text[0], sizeof(t->text[0]), query, strcspn(query, "&#")))
        return -EINVAL;
    return unix_target(t);
}

/* qemu-nbd's option strings end at a comma, unless it is doubled. */
static int image_options(struct nbd_target *t, const char *format, const char *driver,
                         const char *path, bool lock)
{
    size_t room = sizeof(t->text[0]);
    int n = snprintf(t->text[0], room, "driver=%s,file.driver=%s,%sfile.filename=", format, driver,
                     lock ? "" : "file.locking=off,");

    for (; *path; path++) {
        if ((size_t)n + 3 > room)
            return -EINVAL;
        if (*path == ',')
            t->text[0][n++] = ',';
        t->text[0][n++] = *path;
    }
    t->text[0][n] = 0;
    return 0;
}

static const char *qemu_format(const char *format)
{
    static const struct {
        const char *ours, *qemu;
    } formats[] = {{"raw", "raw"},     {"host_device", "raw"},
                   {"qcow", "qcow"},   {"qcow2", "qcow2"},
                   {"vpc", "vpc"},     {"vhd", "vpc"},
                   {"vhdx", "vhdx"},   {"vmdk", "vmdk"},
                   {"qed", "qed"},     {"vdi", "vdi"},
                   {"cloop", "cloop"}, {"dmg", "dmg"},
                   {"bochs", "bochs"}, {"parallels", "parallels"}};

    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
        if (!strcmp(format, formats[i].ours))
            return formats[i].qemu;
    return NULL;
}

/* A server of our own: qemu-nbd, which is told the format and never guesses it. */
static int program(struct nbd_target *t, const char *path, int fd,
                   const struct block_options *options)
{
    static const char *const caches[] = {"--cache=writeback", "--cache=writethrough",
                                         "--cache=none", "--cache=directsync", "--cache=unsafe"};
    const char *format = qemu_format(options->format ? options->format : "raw");
    bool url = fd < 0 && block_path_is_url(path);
    struct stat st;
    unsigned n = 0;

    if (!format)
        return -EINVAL;
    t->arg[n++] = "run";
    t->arg[n++] = "qemu-nbd";
    t->arg[n++] = "--persistent";
    t->arg[n++] = "--shared=0";
    t->arg[n++] = caches[options->cache];
    t->arg[n++] = options->discard ? "--discard=unmap" : "--discard=ignore";
    if (options->read_only)
        t->arg[n++] = "--read-only";
    if (url) {
        snprintf(t->text[1], sizeof(t->text[1]), "--format=%s", format);
        t->arg[n++] = t->text[1];
        if (copy(t->text[0], sizeof(t->text[0]), path, strlen(path)))
            return -EINVAL;
    } else {
        bool device = fd < 0 ? stat(path, &st) == 0 && S_ISBLK(st.st_mode)
                             : fstat(fd, &st) == 0 && S_ISBLK(st.st_mode);
        char by_fd[24];

        snprintf(by_fd, sizeof(by_fd), "/dev/fd/%d", NBD_IMAGE_FD);
        t->arg[n++] = "--image-opts";
        if (image_options(t, format, device ? "host_device" : "file", fd < 0 ? path : by_fd,
                          options->lock))
            return -EINVAL;
    }
    t->arg[n++] = t->text[0];
    return 0;
}

int nbd_target_parse(struct nbd_target *t, const char *path, int fd,
                     const struct block_options *options, char *error, size_t error_size)
{
    static const char *const protocols[] = {
        "rbd:", "iscsi:", "http:", "https:", "ftp:", "ftps:", "ssh:", "nfs:", "gluster"};
    bool raw = !options->format || !strcmp(options->format, "raw");
    const char *rest;
    int rc = -EINVAL;

    memset(t, 0, sizeof(*t));
    if (fd >= 0 || !block_path_is_url(path))
        rc = program(t, path, fd, options);
    else if (!raw && after(path, "nbd"))
        rc = program(t, path, fd, options);
    else if ((rest = after(path, "nbd://")) || (rest = after(path, "nbd+tcp://")))
        rc = uri(t, rest, false);
    else if ((rest = after(path, "nbd+unix://")))
        rc = uri(t, rest, true);
    else if ((rest = after(path, "nbd:")))
        rc = old_words(t, rest);
    for (size_t i = 0; rc && fd < 0 && i < sizeof(protocols) / sizeof(protocols[0]); i++)
        if (after(path, protocols[i]))
            rc = program(t, path, fd, options);
    if (rc)
        block_refuse(error, error_size, rc,
                     "image %s: format '%s' at this place is not possible; accepted: raw, qcow, "
                     "qcow2, vpc, vhd, vhdx, vmdk, qed, vdi of a file or device; "
                     "nbd:HOST:PORT, nbd:unix:PATH, nbd://HOST:PORT/NAME, "
                     "nbd+unix:///NAME?socket=PATH",
                     path, options->format ? options->format : "raw");
    return rc;
}
