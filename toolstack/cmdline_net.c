/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Network cards and their back-ends. The card comes before the -netdev that it
 * names; the old "-net nic" and "-net tap" are joined by their vlan number.
 */
#include "toolstack/cmdline_internal.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#define IFNAME_MAX 15 /* IFNAMSIZ less the NUL */

static struct config_netdev *netdev_new(struct parser *p, const char *id, int vlan)
{
    struct config *c = p->config;
    struct config_netdev *net;

    for (unsigned i = 0; id && i < c->netdev_count; i++) {
        if (c->netdev[i].id && !strcmp(c->netdev[i].id, id)) {
            fail(p, "the id '%.60s' is already that of '%.200s'", id, p->netdev[i].text);
            return NULL;
        }
    }
    if (c->netdev_count == CONFIG_NETDEV_MAX) {
        fail(p, "one back-end too many; accepted: up to %d", CONFIG_NETDEV_MAX);
        return NULL;
    }
    p->netdev[c->netdev_count] = (struct net_source){.text = p->value, .vlan = vlan};
    net = &c->netdev[c->netdev_count++];
    net->id = id ? keep(p, id) : keep_format(p, "vlan%d.%u", vlan, c->netdev_count - 1);
    net->fd = -1;
    return net;
}

static void refuse_script(struct parser *p, struct keyval *kv, const char *key)
{
    const char *script = list_string(p, kv, key);

    if (script && *script && strcmp(script, "no"))
        fail(
            p,
            "%s=%.60s: no script is ever run, the toolstack sets the interface up; accepted: %s=no",
            key, script, key);
}

/* ifname=, fd=, br=, ... of -netdev tap and of -net tap. */
static void tap_keys(struct parser *p, struct config_netdev *net, struct keyval *kv)
{
    const char *ifname = list_string(p, kv, "ifname");
    const char *bridge = list_string(p, kv, "br");
    const char *old_bridge = list_string(p, kv, "bridge");
    const char *fd = list_string(p, kv, "fd");

    if (ifname && fd)
        fail(p, "ifname= and fd= are not accepted together");
    if (ifname && (!*ifname || strlen(ifname) > IFNAME_MAX || strpbrk(ifname, "/ \t%:")))
        fail(p,
             "ifname=%.60s is not accepted; accepted: 1 to %d bytes without '/', ':', '%%' and "
             "blanks",
             ifname, IFNAME_MAX);
    net->kind = CONFIG_NETDEV_TAP;
    net->ifname = ifname ? keep(p, ifname) : NULL;
    net->fd = fd ? (int)list_uint(p, kv, "fd", 0, 0, INT_MAX) : -1;
    bridge = bridge ? bridge : old_bridge;
    net->bridge = bridge ? keep(p, bridge) : NULL;
    net->vnet_hdr = list_bool(p, kv, "vnet_hdr", false);
    refuse_script(p, kv, "script");
    refuse_script(p, kv, "downscript");
    if (list_bool(p, kv, "vhost", false))
        notice(p, true, "vhost=on is ignored; packets go by way of the device model");
    list_ignore(kv, "sndbuf poll-us vhostforce");
}

static bool choose_address(struct parser *p, struct keyval *kv, const char *prefix,
                           const char **path, const char **host, const char **port, int *fd)
{
    static const char *const types[] = {"inet", "unix", "fd", NULL};
    static const char *const parts[] = {"type", "host", "port", "path", "str"};
    const char *value[5];
    char key[5][32];
    int type;

    for (int i = 0; i < 5; i++)
        snprintf(key[i], sizeof(key[i]), "%s.%s", prefix, parts[i]);
    type = list_choice(p, kv, key[0], -1, types);
    for (int i = 1; i < 5; i++)
        value[i] = list_string(p, kv, key[i]);
    if (type == 0 && (!value[1] || !value[2] || value[3] || value[4]))
        fail(p, "%s needs: %s.host=H,%s.port=P", prefix, prefix, prefix);
    else if (type == 1 && (!value[3] || value[1] || value[2] || value[4]))
        fail(p, "%s needs: %s.path=P", prefix, prefix);
    else if (type == 2 && (!value[4] || value[1] || value[2] || value[3]))
        fail(p, "%s needs: %s.str=DESCRIPTOR", prefix, prefix);
    if (p->err || type < 0)
        return false;
    if (type == 0) {
        *host = keep(p, value[1]);
        *port = keep(p, value[2]);
    } else if (type == 1 && check_path(p, key[3], value[3], true)) {
        *path = keep(p, value[3]);
    } else if (type == 2) {
        *fd = (int)list_uint(p, kv, key[4], 0, 0, INT_MAX);
    }
    return true;
}

/* Keys that QEMU has beside the place itself. */
#define INET_KEYS(prefix) prefix ".ipv4, " prefix ".ipv6, " prefix ".numeric, "
#define UNIX_KEYS(prefix) prefix ".abstract, " prefix ".tight, "

static void address_keys(struct parser *p, struct config_netdev *net, struct keyval *kv,
                         const char *prefix)
{
    char key[6][32];
    static const char *const parts[] = {"ipv4",       "ipv6",     "numeric",
                                        "keep-alive", "abstract", "tight"};

    for (int i = 0; i < 6; i++)
        snprintf(key[i], sizeof(key[i]), "%s.%s", prefix, parts[i]);
    net->ipv4 |= list_bool(p, kv, key[0], false);
    net->ipv6 |= list_bool(p, kv, key[1], false);
    net->numeric |= list_bool(p, kv, key[2], false);
    net->keep_alive |= list_bool(p, kv, key[3], false);
    net->abstract |= list_bool(p, kv, key[4], false);
    if (!list_bool(p, kv, key[5], true))
        fail(p, "%s=off is not supported; accepted: on", key[5]);
}

static void stream_keys(struct parser *p, struct config_netdev *net, struct keyval *kv)
{
    net->kind = CONFIG_NETDEV_STREAM;
    net->server = list_bool(p, kv, "server", false);
    net->reconnect = (unsigned)list_uint(p, kv, "reconnect", 0, 0, 86400);
    net->port_to = (unsigned)list_uint(p, kv, "addr.to", 0, 1, 65535);
    address_keys(p, net, kv, "addr");
    if (net->server && net->reconnect)
        fail(p, "reconnect= is for a client; accepted without server=on");
    if (!choose_address(p, kv, "addr", &net->path, &net->host, &net->port, &net->fd))
        fail(p, "the address is missing; accepted: addr.type=inet, addr.type=unix, addr.type=fd");
    list_close(p, kv,
               "type, id, server, reconnect, addr.type, addr.host, addr.port, addr.to, "
               "addr.keep-alive, " INET_KEYS("addr") UNIX_KEYS("addr") "addr.path, addr.str");
}

static void dgram_keys(struct parser *p, struct config_netdev *net, struct keyval *kv)
{
    bool local, remote;

    net->kind = CONFIG_NETDEV_DGRAM;
    local = choose_address(p, kv, "local", &net->local_path, &net->local_host, &net->local_port,
                           &net->fd);
    remote = choose_address(p, kv, "remote", &net->path, &net->host, &net->port, &net->fd);
    address_keys(p, net, kv, "local");
    address_keys(p, net, kv, "remote");
    if (!local && !remote)
        fail(p, "the address is missing; accepted: local.type=inet|unix|fd, remote.type=inet|unix");
    list_close(p, kv,
               "type, id, local.type, local.host, local.port, local.path, local.str, "
               "remote.type, remote.host, remote.port, remote.path, " INET_KEYS("local")
                   UNIX_KEYS("local") INET_KEYS("remote") UNIX_KEYS("remote"));
}

void option_netdev(struct parser *p, const char *value)
{
    static const char *const types[] = {"tap", "stream", "dgram", NULL};
    struct config_netdev *net;
    struct keyval kv;

    if (list_open(p, &kv, value, "type")) {
        const char *id = list_string(p, &kv, "id");
        int type = list_choice(p, &kv, "type", -1, types);

        if (type < 0)
            fail(p, "the type is missing; accepted: tap, stream, dgram");
        else if (!id)
            fail(p, "id= is missing; accepted: -netdev TYPE,id=NAME,...");
        else if (check_id(p, id) && (net = netdev_new(p, id, -1))) {
            if (type == 0) {
                tap_keys(p, net, &kv);
                list_close(p, &kv, "type, id, ifname, fd, br, script=no, downscript=no, vnet_hdr");
            } else if (type == 1) {
                stream_keys(p, net, &kv);
            } else {
                dgram_keys(p, net, &kv);
            }
        }
    }
    keyval_free(&kv);
}

/* --- cards ------------------------------------------------------------------------------------ */

static bool parse_mac(const char *s, uint8_t mac[6])
{
    for (int i = 0; i < 6; i++) {
        char hex[5] = {'0', 'x', s[0], s[0] ? s[1] : '\0', '\0'};
        uint64_t byte;

        if (!hex[3] || !keyval_parse_uint(hex, 0, 255, &byte))
            return false;
        mac[i] = (uint8_t)byte;
        s += 2;
        if (i < 5 && *s++ != ':')
            return false;
    }
    return !*s && !(mac[0] & 1);
}

static struct config_nic *nic_new(struct parser *p, const char *model, const char *mac, int vlan)
{
    struct config *c = p->config;
    struct config_nic *nic;

    if (c->nic_count == CONFIG_NIC_MAX) {
        fail(p, "one network card too many; accepted: up to %d", CONFIG_NIC_MAX);
        return NULL;
    }
    p->nic[c->nic_count] = (struct net_source){.text = p->value, .vlan = vlan};
    nic = &c->nic[c->nic_count++];
    nic->model = keep(p, model);
    nic->netdev = -1;
    nic->pci = -1;
    if (mac) {
        nic->has_mac = true;
        if (!parse_mac(mac, nic->mac))
            fail(p,
                 "mac=%.40s is not accepted; accepted: six bytes as in 00:16:3e:01:02:03, the "
                 "first one even",
                 mac);
    }
    return nic;
}

/* Connects nic to netdev `index`, whose cable may have one end only. */
static void nic_connect(struct parser *p, struct config_nic *nic, unsigned index)
{
    struct config *c = p->config;

    for (unsigned i = 0; i < c->nic_count; i++) {
        if (c->nic[i].netdev == (int)index) {
            fail(p, "netdev=%.60s is that of '%.200s' already", c->netdev[index].id,
                 p->nic[i].text);
            return;
        }
    }
    nic->netdev = (int)index;
    p->netdev[index].used = true;
}

/* There is one card, and it stands in for every other on the PCI bus. */
static void nic_build(struct parser *p, const struct config_nic *nic)
{
    char what[64];

    if (nic->pci < 0) {
        snprintf(what, sizeof(what), "network card %.40s", nic->model);
        notice_not_built(p, what);
        return;
    }
    p->config->pci[nic->pci].built = true;
    if (strcmp(nic->model, "rtl8139"))
        notice(p, true, "the guest gets an rtl8139 in place of the %.40s", nic->model);
}

void nic_from_device(struct parser *p, struct device *d, int pci)
{
    struct config *c = p->config;
    const char *mac = list_string(p, &d->kv, "mac");
    const char *netdev = list_string(p, &d->kv, "netdev");
    const char *id = list_string(p, &d->kv, "id");
    struct config_nic *nic;
    unsigned n = 0;

    /* Offloads and ring sizes of one model or another: what is not built is not offered. */
    list_ignore(
        &d->kv,
        "iobase irq autonegotiation mitigation extra_mac_registers init-vet csum guest_csum gso "
        "guest_tso4 guest_tso6 guest_ecn guest_ufo host_tso4 host_tso6 host_ecn host_ufo "
        "mrg_rxbuf status ctrl_vq ctrl_rx ctrl_vlan mq tx vectors rx_queue_size tx_queue_size "
        "ioeventfd event_idx disable-modern disable-legacy speed duplex");
    list_close(p, &d->kv, "netdev, mac, " PCI_KEYS);
    nic = p->err ? NULL : nic_new(p, d->type->name, mac, -1);
    if (!nic)
        return;
    nic->id = id ? keep(p, id) : NULL;
    nic->pci = pci;
    if (pci >= 0) {
        c->pci[pci].index = (int)c->nic_count - 1;
        if (c->pci[pci].bootindex >= 0)
            notice(p, true,
                   "bootindex= is ignored; under Xen the firmware takes its order from -boot");
    }
    if (netdev) {
        while (n < c->netdev_count && strcmp(c->netdev[n].id, netdev))
            n++;
        if (n == c->netdev_count)
            fail(p, "netdev=%.60s: there is no -netdev with this id", netdev);
        else
            nic_connect(p, nic, n);
    }
    nic_build(p, nic);
}

/* --- the old way: -net ------------------------------------------------------------------------ */

void option_net(struct parser *p, const char *value)
{
    static const char *const types[] = {"nic", "tap", NULL};
    struct keyval kv;

    if (!strcmp(value, "none"))
        return;
    if (list_open(p, &kv, value, "type")) {
        int type = list_choice(p, &kv, "type", -1, types);
        int vlan = (int)list_uint(p, &kv, "vlan", 0, 0, 255);

        if (type == 0) {
            const char *model = list_string(p, &kv, "model");
            const char *mac = list_string(p, &kv, "macaddr");
            const struct device_type *t;

            if (model && !strcmp(model, "virtio"))
                model = "virtio-net-pci";
            t = device_type_find(model ? model : "rtl8139");
            list_ignore(&kv, "name addr vectors");
            list_close(p, &kv, "type, vlan, model, macaddr, name");
            if (!t || t->class != DEVICE_NIC)
                fail(p,
                     "model=%.40s is not known; accepted: rtl8139, e1000, ne2k_pci, pcnet, "
                     "virtio, vmxnet3",
                     model ? model : "");
            else
                nic_new(p, t->name, mac, vlan);
        } else if (type == 1) {
            struct config_netdev *net = netdev_new(p, NULL, vlan);

            if (net) {
                tap_keys(p, net, &kv);
                list_ignore(&kv, "name");
                list_close(p, &kv, "type, vlan, ifname, fd, bridge, script=no, downscript=no");
            }
        } else {
            fail(p, "the type is missing; accepted: none, nic, tap");
        }
    }
    keyval_free(&kv);
}

void option_nic(struct parser *p, const char *value)
{
    if (strcmp(value, "none"))
        fail(p, "not supported; accepted: none (a card is -device MODEL,netdev=ID with -netdev)");
}

/* The cards of -net nic are made with the machine, before every -device. */
void nics_from_options(struct parser *p)
{
    struct config *c = p->config;

    for (unsigned i = 0; i < c->nic_count && !p->err; i++) {
        struct config_nic *nic = &c->nic[i];
        const struct device_type *type = device_type_find(nic->model);

        set_context(p, "-net", p->nic[i].text);
        if (type && type->pci) {
            nic->pci = config_pci_add(p, CONFIG_PCI_NIC, nic->model, NULL);
            if (nic->pci < 0)
                return;
            c->pci[nic->pci].index = (int)i;
        }
        for (unsigned n = 0; n < c->netdev_count && nic->netdev < 0; n++) {
            if (p->netdev[n].vlan == p->nic[i].vlan && !p->netdev[n].used)
                nic_connect(p, nic, n);
        }
        nic_build(p, nic);
    }
}

void nics_finish(struct parser *p)
{
    for (unsigned i = 0; i < p->config->netdev_count && !p->err; i++) {
        set_context(p, p->netdev[i].vlan < 0 ? "-netdev" : "-net", p->netdev[i].text);
        if (!p->netdev[i].used)
            notice(p, true, "no network card uses this back-end");
    }
}
