/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/address.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "dm/log.h"

void net_address_text(const struct net_address *address, char *out, size_t size)
{
    if (address->path)
        snprintf(out, size, "unix:%s%s", address->abstract ? "@" : "", address->path);
    else
        snprintf(out, size, "%s:%s", address->host ? address->host : "",
                 address->port ? address->port : "");
}

static int find_unix(struct net_sockaddr *out, const struct net_address *address)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    size_t at = address->abstract ? 1 : 0, len = strlen(address->path);

    if (at + len >= sizeof(un.sun_path))
        return -ENAMETOOLONG;
    memcpy(un.sun_path + at, address->path, len);
    memcpy(&out->addr, &un, sizeof(un));
    /* The length of an abstract name is part of it. */
    out->len = (socklen_t)(address->abstract ? offsetof(struct sockaddr_un, sun_path) + at + len
                                             : sizeof(un));
    return 0;
}

static int find_inet(struct net_sockaddr *out, const struct net_address *address, int type,
                     bool passive, const char *name)
{
    struct addrinfo hints = {.ai_socktype = type}, *list = NULL;
    const char *host = address->host && address->host[0] ? address->host : NULL;
    int rc;

    if (passive)
        hints.ai_flags |= AI_PASSIVE;
    if (address->numeric)
        hints.ai_flags |= AI_NUMERICHOST;
    if (address->ipv4 != address->ipv6)
        hints.ai_family = address->ipv4 ? AF_INET : AF_INET6;
    rc = getaddrinfo(host, address->port, &hints, &list);
    if (rc) {
        log_error("netdev %s: the address %s:%s: %s", name, host ? host : "",
                  address->port ? address->port : "", gai_strerror(rc));
        return -EADDRNOTAVAIL;
    }
    memcpy(&out->addr, list->ai_addr, list->ai_addrlen);
    out->len = list->ai_addrlen;
    freeaddrinfo(list);
    return 0;
}

int net_address_find(struct net_sockaddr *out, const struct net_address *address, int type,
                     bool passive, const char *name)
{
    *out = (struct net_sockaddr){.len = 0};
    if (address->path)
        return find_unix(out, address);
    if (address->host || address->port)
        return find_inet(out, address, type, passive, name);
    return 0;
}

/* A socket left over by a process that is gone is in the way; anything else is not ours. */
static int bind_file(int fd, const struct net_sockaddr *at, const char *path)
{
    struct stat st;

    if (lstat(path, &st) == 0) {
        if (!S_ISSOCK(st.st_mode))
            return -EEXIST;
        unlink(path);
    }
    /* bind() gives the name the mode of the descriptor: never open to others. */
    if (fchmod(fd, 0600) || bind(fd, (const struct sockaddr *)&at->addr, at->len))
        return -errno;
    return 0;
}

static in_port_t *port_of(struct net_sockaddr *at)
{
    if (at->addr.ss_family == AF_INET)
        return &((struct sockaddr_in *)&at->addr)->sin_port;
    return &((struct sockaddr_in6 *)&at->addr)->sin6_port;
}

static int bind_inet(int fd, struct net_sockaddr *at, unsigned last)
{
    in_port_t *port = port_of(at);
    int one = 1;

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    for (;;) {
        if (bind(fd, (const struct sockaddr *)&at->addr, at->len) == 0)
            return 0;
        if (errno != EADDRINUSE || ntohs(*port) >= last)
            return -errno;
        *port = htons((uint16_t)(ntohs(*port) + 1));
    }
}

int net_address_bind(struct net_sockaddr *at, const struct net_address *address, int type)
{
    int fd = socket(at->addr.ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int rc;

    if (fd < 0)
        return -errno;
    if (at->addr.ss_family != AF_UNIX)
        rc = bind_inet(fd, at, address->port_to);
    else if (address->abstract)
        rc = bind(fd, (const struct sockaddr *)&at->addr, at->len) ? -errno : 0;
    else
        rc = bind_file(fd, at, address->path);
    if (!rc)
        return fd;
    close(fd);
    return rc;
}
