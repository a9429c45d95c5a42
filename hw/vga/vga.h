/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The standard VGA adapter with the Bochs VBE extensions: PCI 1234:1111, served by SeaBIOS's
 * vgabios-stdvga and by Linux's bochs driver.
 */
#ifndef HW_VGA_VGA_H
#define HW_VGA_VGA_H

#include "dm/env.h"
#include "hw/pci/rom.h"
#include "hw/vga/vram.h"
#include "ui/display.h"

struct vga;

struct vga_config {
    uint8_t devfn;
    struct vram *vram; /* must outlive the device */

    struct pci_rom rom; /* the VGA BIOS; size 0: no ROM BAR */

    /* Preferred resolution for the EDID block: 640 x 480 to 4095 x 4095; 0: 1280 x 800. */
    uint16_t edid_width, edid_height;
};

/*
 * Makes the device, its PCI function (env->pci must be there) and its legacy regions, and
 * registers it in env->devices, which destroys it. 0, -EINVAL for a configuration that does not
 * keep to the bounds above, or what pci_add() and iospace_add() say.
 */
int vga_create(struct vga **out, const struct dm_env *env, const struct vga_config *config);

/* Its screen; lives as long as the device. */
struct display *vga_display(struct vga *vga);

/* Where the frames of the video memory are now (guest-physical). */
uint64_t vga_vram_address(const struct vga *vga);

#endif
