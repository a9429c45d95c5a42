/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Video memory is exactly what the toolstack has set aside, but for the Cirrus, whose linear
 * aperture ends at 16 MiB: the rest of a larger share is left unused.
 */
#include "dm/machine_display.h"

#include <string.h>

#include "dm/log.h"
#include "dm/machine.h"
#include "firmware/optrom.h"
#include "hw/pci/pci.h"
#include "hw/vga/cirrus.h"
#include "hw/vga/vga.h"

#define ROM_BAR_MAX (64u << 10)
/*
 * In traditional mode hvmloader may move RAM from below 4 GiB to the end of all RAM, where video
 * memory would be parked: from 3.75 GiB down to 2 GiB, and that is less than this.
 */
#define RELOCATION_ROOM (2ull << 30)

static const struct config_pci *slot_of_vga(const struct config *config)
{
    if (config->vga.kind == CONFIG_VGA_NONE || config->vga.pci < 0)
        return NULL;
    return &config->pci[config->vga.pci];
}

static int load_rom(struct dm *dm, const struct config_pci *slot, struct pci_rom *rom)
{
    bool cirrus = dm->config->vga.kind == CONFIG_VGA_CIRRUS;
    struct optrom_query query = {
        .folders = dm->config->rom_path,
        .folder_count = dm->config->rom_path_count,
        .names = cirrus ? optrom_cirrus : optrom_std_vga,
        .name_count = 1,
        .vendor = cirrus ? 0x1013 : 0x1234,
        .device = cirrus ? 0x00b8 : 0x1111,
        .max_size = ROM_BAR_MAX,
    };
    struct optrom *file = &dm->machine->vga_rom;
    int rc;

    if (slot->romfile && !slot->romfile[0])
        return 0; /* none is wanted */
    if (slot->romfile)
        query.names = &slot->romfile;
    rc = optrom_load(file, &query);
    if (rc)
        return rc;
    *rom = (struct pci_rom){.size = file->size, .fd = file->fd, .file_size = file->file_size};
    return 0;
}

static int make_vram(struct dm *dm)
{
    const struct config *config = dm->config;
    struct xen_vram_config vram = {
        .size = (uint64_t)config->vga.vgamem_mb << 20,
        .ram_bytes = (config->memory_mb << 20) + (config->traditional ? RELOCATION_ROOM : 0),
        .ram_below_4g = config->max_ram_below_4g,
        .restored = config->incoming_fd >= 0 || config->incoming_file,
    };
    char err[200];
    int rc;

    if (config->vga.kind == CONFIG_VGA_CIRRUS && vram.size > CIRRUS_VRAM_MAX)
        vram.size = CIRRUS_VRAM_MAX;
    rc = xen_vram_create(&dm->vram, dm->xen, dm->env.mem, &vram, err, sizeof(err));
    if (rc)
        log_error("%s", err);
    return rc;
}

static int make_cirrus(struct dm *dm, uint8_t devfn, struct pci_rom rom)
{
    struct cirrus_config config = {
        .devfn = devfn, .vram = xen_vram_interface(dm->vram), .rom = rom};
    struct cirrus *cirrus;
    int rc = cirrus_create(&cirrus, &dm->env, &config);

    if (!rc)
        dm->machine->display = cirrus_display(cirrus);
    return rc;
}

static int make_std(struct dm *dm, uint8_t devfn, struct pci_rom rom)
{
    struct vga_config config = {
        .devfn = devfn,
        .vram = xen_vram_interface(dm->vram),
        .rom = rom,
        .edid_width = (uint16_t)dm->config->vga.xres,
        .edid_height = (uint16_t)dm->config->vga.yres,
    };
    struct vga *vga;
    int rc = vga_create(&vga, &dm->env, &config);

    if (!rc)
        dm->machine->display = vga_display(vga);
    return rc;
}

int machine_display_create(struct dm *dm)
{
    const struct config_pci *slot = slot_of_vga(dm->config);
    struct pci_rom rom = {0};
    uint8_t devfn;
    int rc;

    if (!slot)
        return 0;
    rc = load_rom(dm, slot, &rom);
    if (!rc)
        rc = make_vram(dm);
    if (rc)
        return rc;
    devfn = PCI_DEVFN(slot->slot, slot->function);
    rc = dm->config->vga.kind == CONFIG_VGA_CIRRUS ? make_cirrus(dm, devfn, rom)
                                                   : make_std(dm, devfn, rom);
    if (rc)
        log_error("cannot make the VGA adapter: %s", strerror(-rc));
    return rc;
}
