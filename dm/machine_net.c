/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Network cards. Whatever model was asked for, the card is an RTL8139; each has the slot, address
 * and ROM that the command line gives it, and a link to its back-end.
 *
 * Whether a cable has been pulled (set_link) and whether the guest has unplugged the cards is state
 * of the machine, and goes along when it is saved.
 */
#include "dm/machine_net.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dm/device.h"
#include "dm/log.h"
#include "firmware/optrom.h"
#include "hw/net/rtl8139.h"
#include "hw/pci/pci.h"

#define NIC_VENDOR  0x10ec
#define NIC_DEVICE  0x8139
#define NIC_ROM_BAR (256u << 10)

struct nic {
    struct rtl8139 *chip; /* NULL: a model that is not built */
    struct net *link;
    uint8_t mac[6];
    char name[48];
    struct optrom rom; /* of its own, if it has one */
};

struct nics_state {
    bool cable_in[CONFIG_NIC_MAX];
    bool unplugged;
};

struct machine_nics {
    const struct config *config;
    struct nics_state *state;
    struct nic nic[CONFIG_NIC_MAX];
    struct optrom rom; /* shared by all that have the usual one */
};

static const struct state_field nics_fields[] = {
    STATE_ARRAY(struct nics_state, cable_in, .reset = 1, .flags = STATE_KEEP),
    STATE_FIELD(struct nics_state, unplugged, .flags = STATE_KEEP),
};
static const struct state_desc nics_desc =
    STATE_DESC("nics", 1, struct nics_state, nics_fields, NULL);

/* ---- ROMs ----------------------------------------------------------------------------------- */

static int load_rom(struct dm *dm, const char *const *names, unsigned count, struct optrom *rom)
{
    struct optrom_query query = {
        .folders = dm->config->rom_path,
        .folder_count = dm->config->rom_path_count,
        .names = names,
        .name_count = count,
        .vendor = NIC_VENDOR,
        .device = NIC_DEVICE,
        .max_size = NIC_ROM_BAR,
    };

    return optrom_load(rom, &query);
}

/* Finds the card's ROM; *rom is empty when it has none. */
static int find_rom(struct dm *dm, struct machine_nics *nics, struct nic *nic, const char *romfile,
                    struct pci_rom *rom)
{
    const struct optrom *file = romfile ? &nic->rom : &nics->rom;
    int rc = 0;

    if (romfile && !romfile[0])
        return 0;
    if (romfile)
        rc = load_rom(dm, &romfile, 1, &nic->rom);
    else if (!nics->rom.size)
        rc = load_rom(dm, optrom_rtl8139, 2, &nics->rom);
    *rom = (struct pci_rom){.size = file->size, .fd = file->fd, .file_size = file->file_size};
    return rc;
}

/* ---- making --------------------------------------------------------------------------------- */

static void choose_mac(struct nic *nic, const struct config_nic *c, unsigned index)
{
    static const uint8_t usual[6] = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56};

    memcpy(nic->mac, c->has_mac ? c->mac : usual, sizeof(nic->mac));
    if (!c->has_mac)
        nic->mac[5] = (uint8_t)(nic->mac[5] + index);
}

static int make_nic(struct dm *dm, struct machine_nics *nics, unsigned index)
{
    const struct config_nic *c = &dm->config->nic[index];
    const struct config_pci *slot = c->pci >= 0 ? &dm->config->pci[c->pci] : NULL;
    struct nic *nic = &nics->nic[index];
    struct rtl8139_config chip = {.index = index};
    int rc;

    nic->link = backends_nic_link(dm, index);
    choose_mac(nic, c, index);
    if (c->id)
        snprintf(nic->name, sizeof(nic->name), "%.40s", c->id);
    else
        snprintf(nic->name, sizeof(nic->name), "%.32s.%u", c->model, index);
    if (!slot || !slot->built)
        return 0;
    rc = find_rom(dm, nics, nic, slot->romfile, &chip.rom);
    if (rc)
        return rc;
    chip.devfn = PCI_DEVFN(slot->slot, slot->function);
    chip.net = nic->link;
    memcpy(chip.mac, nic->mac, sizeof(chip.mac));
    rc = rtl8139_create(&nic->chip, &dm->env, &chip);
    if (rc)
        log_error("cannot make the network card %s: %s", nic->name, strerror(-rc));
    return rc;
}

/* Cables that were pulled are so again, in the new process. */
static void nics_loaded(void *opaque)
{
    struct machine_nics *nics = opaque;

    for (unsigned i = 0; i < nics->config->nic_count; i++)
        net_set_link(nics->nic[i].link, nics->state->cable_in[i]);
    if (nics->state->unplugged)
        machine_nics_unplug(nics);
}

static const struct device_ops nics_ops = {.name = "nics", .loaded = nics_loaded};

int machine_nics_create(struct machine_nics **out, struct dm *dm)
{
    struct machine_nics *nics;
    int rc;

    *out = NULL;
    if (!dm->config->nic_count)
        return 0;
    nics = calloc(1, sizeof(*nics));
    if (!nics)
        return -ENOMEM;
    *out = nics;
    nics->config = dm->config;
    nics->state = arena_alloc(dm->env.arena, "nics", &nics_desc);
    if (!nics->state)
        return -ENOMEM;
    for (unsigned i = 0; i < dm->config->nic_count; i++) {
        rc = make_nic(dm, nics, i);
        if (rc)
            return rc;
    }
    /* Behind the cards, so that they have their own state back when their links come back. */
    return device_register(dm->env.devices, &nics_ops, nics);
}

void machine_nics_destroy(struct machine_nics *nics)
{
    if (!nics)
        return;
    for (unsigned i = 0; i < CONFIG_NIC_MAX; i++)
        optrom_free(&nics->nic[i].rom);
    optrom_free(&nics->rom);
    free(nics);
}

/* ---- life ----------------------------------------------------------------------------------- */

void machine_nics_set_running(struct machine_nics *nics, bool running)
{
    for (unsigned i = 0; nics && i < CONFIG_NIC_MAX; i++)
        if (nics->nic[i].chip)
            rtl8139_set_running(nics->nic[i].chip, running);
}

/* The interfaces stay until the end, without a carrier: the toolstack may be about to use them. */
void machine_nics_unplug(struct machine_nics *nics)
{
    for (unsigned i = 0; nics && i < CONFIG_NIC_MAX; i++)
        if (nics->nic[i].chip)
            rtl8139_unplug(nics->nic[i].chip);
    if (nics)
        nics->state->unplugged = true;
}

/* ---- QMP ------------------------------------------------------------------------------------ */

static const char *netdev_of(const struct machine_nics *nics, unsigned index)
{
    int netdev = nics->config->nic[index].netdev;

    return netdev < 0 ? NULL : nics->config->netdev[netdev].id;
}

void machine_nics_each(struct machine_nics *nics, void (*each)(void *to, const struct qmp_nic *),
                       void *to)
{
    for (unsigned i = 0; nics && i < nics->config->nic_count; i++) {
        const struct nic *nic = &nics->nic[i];
        struct qmp_nic q = {
            .name = nic->name,
            .model = nics->config->nic[i].model,
            .netdev = netdev_of(nics, i),
            .kind = net_kind_name(nic->link),
            .up = net_link_up(nic->link),
            .unplugged = nics->state->unplugged || !nic->chip,
        };

        memcpy(q.mac, nic->mac, sizeof(q.mac));
        each(to, &q);
    }
}

int machine_nics_set_link(struct machine_nics *nics, const char *name, bool up,
                          struct qmp_error *err)
{
    for (unsigned i = 0; nics && i < nics->config->nic_count; i++) {
        const char *netdev = netdev_of(nics, i);

        if (strcmp(name, nics->nic[i].name) != 0 && !(netdev && strcmp(name, netdev) == 0))
            continue;
        nics->state->cable_in[i] = up;
        if (!nics->state->unplugged)
            net_set_link(nics->nic[i].link, up);
        return 0;
    }
    qmp_fail(err, QMP_DEVICE_NOT_FOUND, "there is no network card or back-end '%s'", name);
    return -ENODEV;
}
