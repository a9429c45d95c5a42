/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The Cirrus Logic CL-GD5446 on the PCI bus: 1013:00b8, libxl's adapter when none is named. Served
 * by SeaBIOS's vgabios-cirrus, Linux's cirrus driver, and drivers that come with Windows to XP.
 */
#ifndef HW_VGA_CIRRUS_H
#define HW_VGA_CIRRUS_H

#include "dm/env.h"
#include "hw/pci/rom.h"
#include "hw/vga/vram.h"
#include "ui/display.h"

/* The linear aperture ends here; the chip itself can address CIRRUS_MEMORY_MAX of it. */
#define CIRRUS_VRAM_MAX   (16u << 20)
#define CIRRUS_MEMORY_MAX (4u << 20)

struct cirrus;

struct cirrus_config {
    uint8_t devfn;
    struct vram *vram;  /* VRAM_SIZE_MIN..CIRRUS_VRAM_MAX; must outlive the device */
    struct pci_rom rom; /* the VGA BIOS; size 0: no ROM BAR */
};

/*
 * Makes the device, its PCI function (env->pci must be there) and its legacy regions, fills the
 * memory that the chip can address with ones if it is mapped already, and registers the device in
 * env->devices, which destroys it. 0, -EINVAL for a configuration that does not keep to the bounds
 * above, or what pci_add() and iospace_add() say.
 */
int cirrus_create(struct cirrus **out, const struct dm_env *env,
                  const struct cirrus_config *config);

/* Its screen; lives as long as the device. */
struct display *cirrus_display(struct cirrus *cirrus);

#endif
