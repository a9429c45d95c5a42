/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The links of the network cards: opened with the other back ends. */
#include <errno.h>
#include <string.h>

#include "dm/dm.h"
#include "dm/log.h"

static struct net_address address_of(const struct config_netdev *c, bool local)
{
    return (struct net_address){
        .path = local ? c->local_path : c->path,
        .host = local ? c->local_host : c->host,
        .port = local ? c->local_port : c->port,
        .port_to = local ? 0 : c->port_to,
        .abstract = c->abstract,
        .ipv4 = c->ipv4,
        .ipv6 = c->ipv6,
        .numeric = c->numeric,
        .keep_alive = c->keep_alive,
    };
}

static enum net_kind kind_of(const struct config_netdev *c)
{
    switch (c->kind) {
    case CONFIG_NETDEV_TAP:
        return NET_TAP;
    case CONFIG_NETDEV_STREAM:
        return NET_STREAM;
    case CONFIG_NETDEV_DGRAM:
        return NET_DGRAM;
    }
    return NET_NONE;
}

static int open_link(struct dm *dm, const struct config_netdev *c, struct net **out)
{
    struct net_config config = {
        .kind = kind_of(c),
        .name = c->id,
        .ifname = c->ifname,
        .fd = c->fd,
        .remote = address_of(c, false),
        .local = address_of(c, true),
        .server = c->server,
        .reconnect_s = c->reconnect,
    };

    return net_create(out, dm->env.loop, &config);
}

/* A card without a back-end has a link all the same, which is down. */
static int open_loose_end(struct dm *dm, const struct config_nic *c, struct net **out)
{
    struct net_config config = {.kind = NET_NONE, .name = c->id ? c->id : c->model, .fd = -1};
    int rc = net_create(out, dm->env.loop, &config);

    if (rc)
        log_error("network card %s: %s", config.name, strerror(-rc));
    return rc;
}

/* The toolstack's hotplug scripts put each tap into its bridge, whether a card uses it or not. */
int backends_open_nets(struct dm *dm)
{
    const struct config *config = dm->config;
    int rc = 0;

    for (unsigned i = 0; i < config->netdev_count && !rc; i++)
        rc = open_link(dm, &config->netdev[i], &dm->net[i]);
    for (unsigned i = 0; i < config->nic_count && !rc; i++)
        if (config->nic[i].netdev < 0)
            rc = open_loose_end(dm, &config->nic[i], &dm->loose_net[i]);
    return rc;
}

struct net *backends_nic_link(struct dm *dm, unsigned nic)
{
    int netdev = dm->config->nic[nic].netdev;

    return netdev < 0 ? dm->loose_net[nic] : dm->net[netdev];
}

void backends_close_nets(struct dm *dm)
{
    for (unsigned i = 0; i < CONFIG_NETDEV_MAX; i++)
        net_destroy(dm->net[i]);
    for (unsigned i = 0; i < CONFIG_NIC_MAX; i++)
        net_destroy(dm->loose_net[i]);
}
