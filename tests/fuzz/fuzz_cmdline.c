/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command line: the input is an argv, its strings separated by NULs. What is accepted must keep
 * the promises of toolstack/config.h; what is refused must come with one printable line.
 *
 * In traditional mode the same strings then are the nodes of disks in xenstore.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "toolstack/cmdline.h"
#include "toolstack/traditional.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool promise)
{
    if (!promise)
        __builtin_trap();
}

static void check_line(const char *line)
{
    check(line && *line);
    for (; *line; line++)
        check((unsigned char)*line >= 0x20 && *line != 0x7f);
}

static void check_pci(const struct config *c)
{
    bool taken[32][8] = {0};

    check(c->pci_count <= CONFIG_PCI_MAX);
    for (unsigned i = 0; i < c->pci_count; i++) {
        const struct config_pci *pci = &c->pci[i];

        check(pci->slot >= 1 && pci->slot < 32 && pci->function < 8 && pci->driver);
        check(!taken[pci->slot][pci->function]);
        taken[pci->slot][pci->function] = true;
        check(pci->kind != CONFIG_PCI_NIC || (pci->index >= 0 && c->nic[pci->index].pci == (int)i));
    }
    check((c->vga.kind == CONFIG_VGA_NONE) == (c->vga.pci < 0));
}

static void check_drives(const struct config *c)
{
    for (int i = 0; i < CONFIG_IDE_MAX; i++) {
        const struct config_drive *drive = c->ide[i] < 0 ? NULL : &c->drive[c->ide[i]];

        check(c->ide[i] < (int)c->drive_count);
        check(!drive || (drive->bus == CONFIG_BUS_IDE && drive->unit == (unsigned)i));
        check(!drive || drive->file || drive->media == CONFIG_MEDIA_CDROM);
        check(!drive || drive->readonly || drive->media == CONFIG_MEDIA_DISK);
    }
    for (unsigned i = 0; i < c->drive_count; i++) {
        check(c->drive[i].id && *c->drive[i].id);
        for (unsigned k = 0; k < i; k++)
            check(strcmp(c->drive[i].id, c->drive[k].id) != 0);
    }
}

static void check_config(const struct config *c)
{
    check(c->argv0 && c->machine && c->boot_order);
    check(c->vcpus >= 1 && c->vcpus <= c->maxvcpus && c->maxvcpus <= CONFIG_VCPU_MAX);
    check(c->mode != CONFIG_MODE_HVM || (c->domid >= 1 && c->domid <= CONFIG_DOMID_MAX));
    check(!c->runas_ids || (c->runas_uid != 0 && !c->runas_user));
    for (unsigned i = 0; i < c->chardev_count; i++)
        check(c->chardev[i].id && c->chardev[i].spec);
    if (c->mode != CONFIG_MODE_HVM && c->mode != CONFIG_MODE_PROBE)
        return;
    check_pci(c);
    check_drives(c);
    for (unsigned i = 0; i < c->monitor_count; i++)
        check(c->monitor[i].chardev >= 0 && c->monitor[i].chardev < (int)c->chardev_count);
    for (int i = 0; i < CONFIG_SERIAL_MAX; i++)
        check(!c->serial[i].present ||
              (c->serial[i].chardev >= 0 && c->serial[i].chardev < (int)c->chardev_count));
    for (unsigned i = 0; i < c->nic_count; i++)
        check(c->nic[i].netdev < (int)c->netdev_count);
}

static void add_disks(struct config *c, char *const argv[], int argc)
{
    struct traditional_disk disk[8];
    struct config_messages messages;
    size_t count = 0;
    int rc;

    for (int i = 0; i + 5 <= argc && count < 8; i += 5) {
        traditional_is_backend(argv[i], c->domid, argv[i + 1]);
        disk[count++] = (struct traditional_disk){
            .frontend = argv[i],
            .backend = argv[i],
            .dev = argv[i],
            .params = argv[i + 1],
            .type = argv[i + 2],
            .mode = argv[i + 3],
            .device_type = argv[i + 4],
        };
    }
    rc = traditional_add_disks(c, disk, count, &messages);
    check(!rc == !messages.error);
    if (rc)
        check_line(messages.error);
    config_messages_free(&messages);
    traditional_remove_platform(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char *argv[CONFIG_ARGC_MAX + 2];
    char *text = malloc(size + 1);
    struct config_messages messages;
    struct config *config;
    int argc = 0;

    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    for (size_t at = 0; at <= size && argc < CONFIG_ARGC_MAX + 2; at += strlen(text + at) + 1)
        argv[argc++] = text + at;

    if (config_parse(argc, argv, &config, &messages) == 0) {
        check(config && !messages.error);
        check_config(config);
        if (config->mode == CONFIG_MODE_HVM && config->traditional)
            add_disks(config, argv, argc);
        free(text);
        check_config(config);
    } else {
        free(text);
        check(!config);
        check_line(messages.error);
    }
    for (size_t i = 0; i < messages.notice_count; i++)
        check_line(messages.notice[i]);
    config_free(config);
    config_messages_free(&messages);
    return 0;
}
