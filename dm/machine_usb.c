/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * USB: a UHCI controller at 01.2 (-usb) or in a slot of its own (usbversion=1) with a tablet, mouse
 * or keyboard on each of its two ports. Controllers of other kinds stay away, and so do devices
 * that are not built; the command line's parser has said so.
 */
#include "dm/machine_usb.h"

#include <string.h>

#include "dm/log.h"
#include "hw/pci/pci.h"
#include "hw/usb/hid.h"
#include "hw/usb/uhci.h"

static int hid_kind_of(const char *name, enum hid_kind *kind)
{
    static const struct {
        const char *name;
        enum hid_kind kind;
    } kinds[] = {{"tablet", HID_TABLET}, {"mouse", HID_MOUSE}, {"keyboard", HID_KEYBOARD}};

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(kinds[i].name, name) == 0) {
            *kind = kinds[i].kind;
            return 0;
        }
    }
    return -1;
}

static int plug_in(struct dm *dm, struct uhci *uhci)
{
    const struct config *config = dm->config;
    unsigned port = 0;
    int rc = 0;

    for (unsigned i = 0; i < config->usb_device_count && !rc; i++) {
        const char *name = config->usb_device[i].name;
        enum hid_kind kind;
        struct hid *hid;

        if (hid_kind_of(name, &kind))
            continue;
        if (!uhci || port == UHCI_PORTS) {
            log_warn("USB %s: %s; the guest starts without it", name,
                     uhci ? "both ports are taken" : "there is no USB controller that is built");
            continue;
        }
        rc = hid_create(&hid, &dm->env, dm->input, kind, port + 1);
        if (!rc)
            rc = uhci_attach(uhci, port++, hid_plug(hid));
    }
    return rc;
}

int machine_usb_create(struct dm *dm)
{
    const struct config *config = dm->config;
    struct uhci *uhci = NULL;
    int rc = 0;

    for (unsigned i = 0; i < config->pci_count && !rc; i++) {
        const struct config_pci *slot = &config->pci[i];

        if (slot->kind != CONFIG_PCI_USB || !slot->built)
            continue;
        if (uhci) {
            log_warn("USB controller %s: there is one already; the guest starts without this one",
                     slot->driver);
            continue;
        }
        rc = uhci_create(&uhci, &dm->env, PCI_DEVFN(slot->slot, slot->function));
    }
    return rc ? rc : plug_in(dm, uhci);
}
