/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ui/listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 8

void listen_close(struct listen_socket *s)
{
    while (s->count)
        close(s->fd[--s->count]);
}

/* ---- TCP ------------------------------------------------------------------------------------ */

static int resolve(const struct listen_where *where, struct addrinfo **out)
{
    struct addrinfo hints = {
        .ai_family = where->ipv4 == where->ipv6 ? AF_UNSPEC
                     : where->ipv4              ? AF_INET
                                                : AF_INET6,
        .ai_socktype = SOCK_STREAM,
        .ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV,
    };
    const char *host = where->address && where->address[0] ? where->address : NULL;
    int rc = getaddrinfo(host, "0", &hints, out);

    if (rc == EAI_NONAME && host) {
        /* A name: this reads the resolver's configuration, which an address does not need. */
        hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
        rc = getaddrinfo(host, "0", &hints, out);
    }
    return rc;
}

static void set_port(struct sockaddr *address, unsigned port)
{
    if (address->sa_family == AF_INET6)
        ((struct sockaddr_in6 *)address)->sin6_port = htons((uint16_t)port);
    else
        ((struct sockaddr_in *)address)->sin_port = htons((uint16_t)port);
}

static int listen_at(const struct addrinfo *ai, unsigned port)
{
    int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int on = 1, rc;

    if (fd < 0)
        return -errno;
    /* A connection of an earlier guest that lingers is no reason to take another port. */
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (ai->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    set_port(ai->ai_addr, port);
    if (bind(fd, ai->ai_addr, ai->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    rc = -errno;
    close(fd);
    return rc;
}

/* The same port on every address, or none. */
static int listen_all(struct listen_socket *out, const struct addrinfo *list, unsigned port)
{
    int last = -EADDRNOTAVAIL;

    for (const struct addrinfo *ai = list; ai && out->count < LISTEN_FDS_MAX; ai = ai->ai_next) {
        int fd = listen_at(ai, port);

        if (fd >= 0) {
            out->fd[out->count++] = fd;
            continue;
        }
        last = fd;
        /* A host without IPv6 still resolves names to such addresses. */
        if (fd != -EAFNOSUPPORT && fd != -EADDRNOTAVAIL) {
            listen_close(out);
            return fd;
        }
    }
    return out->count ? 0 : last;
}

static void describe(struct listen_socket *out)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof(address);

    if (getsockname(out->fd[0], (struct sockaddr *)&address, &length) ||
        getnameinfo((struct sockaddr *)&address, length, out->host, sizeof(out->host), out->service,
                    sizeof(out->service), NI_NUMERICHOST | NI_NUMERICSERV))
        out->host[0] = out->service[0] = '\0';
    out->family = address.ss_family == AF_INET6 ? "ipv6" : "ipv4";
}

int listen_tcp(struct listen_socket *out, const struct listen_where *where, char *err,
               size_t err_size)
{
    const char *name = where->address && where->address[0] ? where->address : "all addresses";
    struct addrinfo *list;
    int rc = resolve(where, &list);

    *out = (struct listen_socket){.count = 0};
    if (rc) {
        snprintf(err, err_size, "%s: %s", name, gai_strerror(rc));
        return -EADDRNOTAVAIL;
    }
    rc = -EADDRINUSE;
    for (unsigned port = where->port; port <= where->last && port <= 65535 && rc == -EADDRINUSE;
         port++)
        rc = listen_all(out, list, port);
    freeaddrinfo(list);
    if (rc == -EADDRINUSE && where->last > where->port)
        snprintf(err, err_size, "%s: ports %u to %u are all in use", name, where->port,
                 where->last);
    else if (rc)
        snprintf(err, err_size, "cannot listen on %s, port %u: %s", name, where->port,
                 strerror(-rc));
    else
        describe(out);
    return rc;
}

/* ---- UNIX ----------------------------------------------------------------------------------- */

int listen_unix(struct listen_socket *out, const char *path, char *err, size_t err_size)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct stat st;
    int fd, rc;

    *out = (struct listen_socket){.family = "unix"};
    if (strlen(path) >= sizeof(address.sun_path)) {
        snprintf(err, err_size, "the path is longer than %zu bytes", sizeof(address.sun_path) - 1);
        return -ENAMETOOLONG;
    }
    strcpy(address.sun_path, path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
        unlink(path);
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) || listen(fd, BACKLOG)) {
        rc = -errno;
        snprintf(err, err_size, "cannot listen on %s: %s", path, strerror(-rc));
        close(fd);
        return rc;
    }
    out->fd[out->count++] = fd;
    snprintf(out->host, sizeof(out->host), "%s", path);
    return 0;
}
