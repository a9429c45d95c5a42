/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * -device: every type that libxl or its users name, USB and sound.
 *
 * Types that are not built yet are in the table all the same: they use up their PCI slot, so that
 * the devices behind them stay where they are when they are built one day.
 */
#include "toolstack/cmdline_internal.h"

#include <stdio.h>
#include <string.h>

#define SCSI_REFUSAL                                                                               \
    "SCSI disks are not built yet; accepted: IDE disks (xl.cfg: vdev hda to hdd instead of sd*)"
#define SPICE_REFUSAL "spice is not supported; accepted displays: -vnc, -display sdl, -display none"

#define UHCI "piix3-usb-uhci"

static const struct device_type types[] = {
    {"VGA", DEVICE_VGA, true, NULL},
    {"cirrus-vga", DEVICE_VGA, true, NULL},
    {"qxl-vga", DEVICE_REFUSED, true, "qxl is not supported; accepted: VGA, cirrus-vga"},
    {"qxl", DEVICE_REFUSED, true, "qxl is not supported; accepted: VGA, cirrus-vga"},

    {"ide-cd", DEVICE_IDE, false, NULL},
    {"ide-hd", DEVICE_IDE, false, NULL},
    {"ide-drive", DEVICE_IDE, false, NULL},
    {"floppy", DEVICE_FLOPPY, false, NULL},
    {"isa-fdc", DEVICE_FLOPPY, false, NULL},
    {"lsi53c895a", DEVICE_SCSI_CONTROLLER, true, NULL},
    {"lsi53c810", DEVICE_SCSI_CONTROLLER, true, NULL},
    {"lsi", DEVICE_SCSI_CONTROLLER, true, NULL},
    {"scsi-hd", DEVICE_REFUSED, false, SCSI_REFUSAL},
    {"scsi-cd", DEVICE_REFUSED, false, SCSI_REFUSAL},
    {"scsi-disk", DEVICE_REFUSED, false, SCSI_REFUSAL},
    {"scsi-block", DEVICE_REFUSED, false, SCSI_REFUSAL},
    {"scsi-generic", DEVICE_REFUSED, false, SCSI_REFUSAL},
    {"ahci", DEVICE_AHCI, true, NULL},
    {"ich9-ahci", DEVICE_AHCI, true, NULL},
    {"virtio-blk-pci", DEVICE_REFUSED, true,
     "virtio disks are not built yet; accepted: IDE disks (ide-hd, -drive if=ide)"},

    {"rtl8139", DEVICE_NIC, true, NULL},
    {"e1000", DEVICE_NIC, true, NULL},
    {"e1000-82540em", DEVICE_NIC, true, NULL},
    {"e1000-82544gc", DEVICE_NIC, true, NULL},
    {"e1000-82545em", DEVICE_NIC, true, NULL},
    {"e1000e", DEVICE_NIC, true, NULL},
    {"ne2k_pci", DEVICE_NIC, true, NULL},
    {"ne2k_isa", DEVICE_NIC, false, NULL},
    {"pcnet", DEVICE_NIC, true, NULL},
    {"virtio-net-pci", DEVICE_NIC, true, NULL},
    {"virtio-net", DEVICE_NIC, true, NULL},
    {"vmxnet3", DEVICE_NIC, true, NULL},
    {"i82551", DEVICE_NIC, true, NULL},
    {"i82557b", DEVICE_NIC, true, NULL},
    {"i82559er", DEVICE_NIC, true, NULL},
    {"tulip", DEVICE_NIC, true, NULL},

    {"AC97", DEVICE_SOUND, true, "ac97"},
    {"ac97", DEVICE_SOUND, true, "ac97"},
    {"ES1370", DEVICE_SOUND, true, "es1370"},
    {"es1370", DEVICE_SOUND, true, "es1370"},
    {"intel-hda", DEVICE_SOUND, true, "intel-hda"},
    {"ich9-intel-hda", DEVICE_SOUND, true, "ich9-intel-hda"},
    {"hda-duplex", DEVICE_SOUND, false, "hda-duplex"},
    {"hda-micro", DEVICE_SOUND, false, "hda-micro"},
    {"hda-output", DEVICE_SOUND, false, "hda-output"},
    {"adlib", DEVICE_SOUND, false, "adlib"},
    {"cs4231a", DEVICE_SOUND, false, "cs4231a"},
    {"gus", DEVICE_SOUND, false, "gus"},
    {"sb16", DEVICE_SOUND, false, "sb16"},

    {UHCI, DEVICE_USB_CONTROLLER, true, NULL},
    {"piix4-usb-uhci", DEVICE_USB_CONTROLLER, true, NULL},
    {"ich9-usb-ehci1", DEVICE_USB_CONTROLLER, true, NULL},
    {"ich9-usb-ehci2", DEVICE_USB_CONTROLLER, true, NULL},
    {"ich9-usb-uhci1", DEVICE_USB_CONTROLLER, true, NULL},
    {"ich9-usb-uhci2", DEVICE_USB_CONTROLLER, true, NULL},
    {"ich9-usb-uhci3", DEVICE_USB_CONTROLLER, true, NULL},
    {"ich9-usb-uhci4", DEVICE_USB_CONTROLLER, true, NULL},
    {"ich9-usb-uhci5", DEVICE_USB_CONTROLLER, true, NULL},
    {"ich9-usb-uhci6", DEVICE_USB_CONTROLLER, true, NULL},
    {"usb-ehci", DEVICE_USB_CONTROLLER, true, NULL},
    {"pci-ohci", DEVICE_USB_CONTROLLER, true, NULL},
    {"nec-usb-xhci", DEVICE_USB_CONTROLLER, true, NULL},
    {"qemu-xhci", DEVICE_USB_CONTROLLER, true, NULL},
    {"usb-tablet", DEVICE_USB, false, "tablet"},
    {"usb-mouse", DEVICE_USB, false, "mouse"},
    {"usb-kbd", DEVICE_USB, false, "keyboard"},
    {"usb-wacom-tablet", DEVICE_USB, false, "wacom-tablet"},
    {"usb-hub", DEVICE_USB, false, "hub"},
    {"usb-host", DEVICE_USB, false, "host"},
    {"usb-serial", DEVICE_USB, false, "serial"},
    {"usb-braille", DEVICE_USB, false, "braille"},
    {"usb-audio", DEVICE_USB, false, "audio"},
    {"usb-ccid", DEVICE_USB, false, "ccid"},
    {"usb-storage", DEVICE_REFUSED, false,
     "USB disks are not built yet; accepted: IDE disks (ide-hd, -drive if=ide)"},
    {"usb-redir", DEVICE_REFUSED, false, SPICE_REFUSAL},
    {"virtio-serial", DEVICE_REFUSED, true, SPICE_REFUSAL},
    {"virtserialport", DEVICE_REFUSED, false, SPICE_REFUSAL},

    {"xen-platform", DEVICE_PLATFORM, true, NULL},
    {"xen-pvdevice", DEVICE_PVDEVICE, true, NULL},
    {"isa-serial", DEVICE_SERIAL, false, NULL},
    {"isa-debugcon", DEVICE_IGNORED, false, "debug console port"},
    {"pvpanic", DEVICE_IGNORED, false, "pvpanic port"},
    {"xen-pci-passthrough", DEVICE_REFUSED, true,
     "PCI passthrough is not built yet; accepted: a guest without pci="},
};

const struct device_type *device_type_find(const char *name)
{
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (!strcmp(types[i].name, name))
            return &types[i];
    }
    return NULL;
}

void option_device(struct parser *p, const char *value)
{
    struct device *d;
    const char *name, *id;

    if (p->device_count == DEVICE_MAX) {
        fail(p, "one device too many; accepted: up to %d", DEVICE_MAX);
        return;
    }
    /* Counted at once, so that the list is freed whatever happens. */
    d = &p->device[p->device_count++];
    d->text = value;
    if (!list_open(p, &d->kv, value, "driver"))
        return;
    name = list_string(p, &d->kv, "driver");
    d->type = name ? device_type_find(name) : NULL;
    id = list_string(p, &d->kv, "id");
    if (!d->type) {
        fail(p,
             "device '%.60s' is not supported; accepted: VGA, cirrus-vga, ide-cd, ide-hd, floppy, "
             "isa-fdc, isa-serial, xen-platform, and with a notice what is not built yet (network "
             "cards, USB, sound, xen-pvdevice)",
             name ? name : "");
        return;
    }
    if (d->type->class == DEVICE_REFUSED) {
        fail(p, "%s", d->type->text);
        return;
    }
    if (!id || !check_id(p, id))
        return;
    for (unsigned i = 0; i + 1 < p->device_count; i++) {
        const char *other = list_string(p, &p->device[i].kv, "id");

        if (other && !strcmp(other, id))
            fail(p, "the id '%.60s' is already that of '%.200s'", id, p->device[i].text);
    }
}

/* --- sound ------------------------------------------------------------------------------------ */

static void sound_add(struct parser *p, const struct device_type *type, const char *id, int pci)
{
    struct config *c = p->config;
    struct config_sound *sound;
    char what[64];

    if (c->sound_count == CONFIG_SOUND_MAX) {
        fail(p, "one sound card too many; accepted: up to %d", CONFIG_SOUND_MAX);
        return;
    }
    sound = &c->sound[c->sound_count++];
    sound->model = type->text;
    sound->id = id ? keep(p, id) : NULL;
    sound->pci = pci;
    if (pci >= 0)
        c->pci[pci].index = (int)c->sound_count - 1;
    snprintf(what, sizeof(what), "sound card %s", type->text);
    notice_not_built(p, what);
}

/* -soundhw A[,B...]: older releases. The cards are made after the machine, before every -device. */
void option_soundhw(struct parser *p, const char *value)
{
    if (p->soundhw)
        fail(p, "given twice; accepted: one list, as in -soundhw %.60s,%.60s", p->soundhw, value);
    p->soundhw = value;
}

static void soundhw_finish(struct parser *p)
{
    static const char all[] = "ac97,adlib,cs4231a,es1370,gus,sb16,hda";
    const char *names = p->soundhw;

    if (!names || !strcmp(names, "none"))
        return;
    set_context(p, "-soundhw", p->soundhw);
    if (!strcmp(names, "all"))
        names = all;
    while (!p->err) {
        size_t n = strcspn(names, ",");
        char name[16];
        const struct device_type *type = NULL;
        int pci = -1;

        snprintf(name, sizeof(name), "%.*s", (int)(n < 15 ? n : 15), names);
        type = device_type_find(!strcmp(name, "hda") ? "intel-hda" : name);
        if (!type || type->class != DEVICE_SOUND) {
            fail(p, "'%s' is not known; accepted: a list of %s, or all", name, all);
            return;
        }
        if (type->pci && (pci = config_pci_add(p, CONFIG_PCI_SOUND, type->name, NULL)) < 0)
            return;
        sound_add(p, type, NULL, pci);
        if (!strcmp(name, "hda"))
            sound_add(p, device_type_find("hda-duplex"), NULL, -1);
        if (!names[n])
            return;
        names += n + 1;
    }
}

/* --- USB -------------------------------------------------------------------------------------- */

void option_usb(struct parser *p, const char *value)
{
    p->config->usb = true;
}

static void usb_add(struct parser *p, const char *name, const char *args, const char *id)
{
    struct config *c = p->config;
    char what[64];

    if (c->usb_device_count == CONFIG_USB_MAX) {
        fail(p, "one USB device too many; accepted: up to %d", CONFIG_USB_MAX);
        return;
    }
    c->usb_device[c->usb_device_count++] = (struct config_usb_device){
        .name = keep(p, name), .args = args ? keep(p, args) : NULL, .id = id ? keep(p, id) : NULL};
    snprintf(what, sizeof(what), "USB device %.40s", name);
    if (strcmp(name, "tablet") && strcmp(name, "mouse") && strcmp(name, "keyboard"))
        notice_not_built(p, what);
}

void option_usbdevice(struct parser *p, const char *value)
{
    static const char *const names[] = {"tablet", "mouse", "keyboard", "braille", "wacom-tablet"};
    const char *rest;

    p->config->usb = true;
    if (starts_with(value, "host:", &rest) && *rest) {
        usb_add(p, "host", rest, NULL);
        return;
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (!strcmp(names[i], value)) {
            usb_add(p, value, NULL, NULL);
            return;
        }
    }
    fail(p, "not supported; accepted: tablet, mouse, keyboard, braille, wacom-tablet, host:...%s",
         starts_with(value, "disk:", &rest) ? " (USB disks are not built yet)" : "");
}

/* --- the second pass -------------------------------------------------------------------------- */

/* Devices without behaviour of their own here: their keys are theirs, and accepted. */
static void accept_all_keys(struct keyval *kv)
{
    for (unsigned i = 0; i < kv->count; i++)
        kv->item[i].used = true;
}

static void pvdevice(struct parser *p, struct device *d, int pci)
{
    uint64_t id = list_uint(p, &d->kv, "device-id", 0x10000, 0, 0xffff);

    list_ignore(&d->kv, "vendor-id revision size");
    list_close(p, &d->kv, "device-id, vendor-id, revision, size, " PCI_KEYS);
    if (id > 0xffff)
        fail(p, "device-id= is missing; accepted: a number from 0 to 0xffff");
    p->config->pci[pci].pvdevice_id = (uint16_t)id;
    notice_not_built(p, "xen-pvdevice");
}

static void device_finish(struct parser *p, struct device *d)
{
    static const enum config_pci_kind kinds[] = {
        [DEVICE_VGA] = CONFIG_PCI_VGA,
        [DEVICE_NIC] = CONFIG_PCI_NIC,
        [DEVICE_SOUND] = CONFIG_PCI_SOUND,
        [DEVICE_USB_CONTROLLER] = CONFIG_PCI_USB,
        [DEVICE_SCSI_CONTROLLER] = CONFIG_PCI_SCSI,
        [DEVICE_AHCI] = CONFIG_PCI_AHCI,
        [DEVICE_PVDEVICE] = CONFIG_PCI_PVDEVICE,
        [DEVICE_PLATFORM] = CONFIG_PCI_PLATFORM,
    };
    struct config *c = p->config;
    enum device_class class = d->type->class;
    const char *id = list_string(p, &d->kv, "id");
    int pci = -1;

    set_context(p, "-device", d->text);
    if (class == DEVICE_PLATFORM && c->platform_pci) {
        fail(p, "the machine has a xen-platform device already; accepted once, or -machine pc");
        return;
    }
    if (d->type->pci) {
        pci = config_pci_add(p, kinds[class], d->type->name, &d->kv);
        if (pci < 0)
            return;
    }

    switch (class) {
    case DEVICE_VGA:
        vga_from_device(p, d, pci);
        break;
    case DEVICE_NIC:
        nic_from_device(p, d, pci);
        break;
    case DEVICE_SOUND:
        list_ignore(&d->kv, "audiodev bus cad iobase irq dma msi debug old_msi_addr mixer version");
        list_close(p, &d->kv, "audiodev, " PCI_KEYS);
        sound_add(p, d->type, id, pci);
        break;
    case DEVICE_USB_CONTROLLER:
        list_ignore(&d->kv, "masterbus firstport p2 p3 msi msix slots intrs num-ports");
        list_close(p, &d->kv, "masterbus, firstport, p2, p3, " PCI_KEYS);
        c->pci[pci].built = !strcmp(d->type->name, UHCI);
        if (!c->pci[pci].built)
            notice_not_built(p, "USB controller");
        break;
    case DEVICE_USB:
        accept_all_keys(&d->kv);
        usb_add(p, d->type->text, d->text, id);
        break;
    case DEVICE_SCSI_CONTROLLER:
        list_close(p, &d->kv, PCI_KEYS);
        notice_not_built(p, "SCSI controller");
        break;
    case DEVICE_AHCI:
        list_close(p, &d->kv, PCI_KEYS);
        notice_not_built(p, "AHCI controller");
        break;
    case DEVICE_PVDEVICE:
        pvdevice(p, d, pci);
        break;
    case DEVICE_PLATFORM:
        list_close(p, &d->kv, PCI_KEYS);
        c->platform_pci = true;
        c->pci[pci].built = true;
        break;
    case DEVICE_IDE:
    case DEVICE_FLOPPY:
        drive_from_device(p, d);
        break;
    case DEVICE_SERIAL:
        serial_from_device(p, d);
        break;
    case DEVICE_IGNORED:
        accept_all_keys(&d->kv);
        notice_not_built(p, d->type->text);
        break;
    case DEVICE_REFUSED:
        break;
    }
}

static void platform_from_machine(struct parser *p)
{
    int pci;

    if (!p->config->platform_pci)
        return;
    set_context(p, "-machine", p->config->machine);
    pci = config_pci_add(p, CONFIG_PCI_PLATFORM, "xen-platform", NULL);
    if (pci >= 0)
        p->config->pci[pci].built = true;
}

/*
 * The order in which QEMU makes the machine of libxl: the -usb controller of the PIIX3, the -vga
 * display, the -net cards, the platform device, -soundhw, and then each -device. qemu-dm made the
 * platform device before the cards.
 */
void devices_finish(struct parser *p)
{
    struct config *c = p->config;
    int pci;

    if (c->usb) {
        set_context(p, "-usb", NULL);
        pci = pci_add_fixed(p, CONFIG_PCI_USB, UHCI, 1, 2);
        if (pci >= 0)
            c->pci[pci].built = true;
    }
    vga_from_option(p);
    if (c->traditional)
        platform_from_machine(p);
    nics_from_options(p);
    if (!c->traditional)
        platform_from_machine(p);
    soundhw_finish(p);
    drives_place(p);
    for (unsigned i = 0; i < p->device_count && !p->err; i++)
        device_finish(p, &p->device[i]);
}
