/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Realtek RTL8139C+: a PCI function between a guest and a net back-end. */
#ifndef HW_NET_RTL8139_H
#define HW_NET_RTL8139_H

#include "dm/env.h"
#include "hw/pci/rom.h"
#include "net/net.h"

struct rtl8139_config {
    uint8_t devfn;
    unsigned index; /* which NIC of the machine; its state is called "nic<index>" */
    uint8_t mac[6];
    struct pci_rom rom; /* size 0: none */
    /* The link, the caller's, until rtl8139_unplug() or the end of the device list. NULL: there is
     * no cable. */
    struct net *net;
};

struct rtl8139;

/* Returns 0 or -errno. The device list owns the result. It neither receives nor sends before
 * rtl8139_set_running(). */
int rtl8139_create(struct rtl8139 **out, const struct dm_env *env,
                   const struct rtl8139_config *config);

/*
 * Whether the guest runs: called when it is started, stopped and continued. While it stands,
 * frames wait in the back-end, and neither guest memory nor the state changes, so that both can be
 * saved. Idempotent.
 */
void rtl8139_set_running(struct rtl8139 *nic, bool running);

/* Takes the function out of the machine for good. When it returns the back-end has been let go,
 * and is the caller's to close. Idempotent. */
void rtl8139_unplug(struct rtl8139 *nic);

#endif
