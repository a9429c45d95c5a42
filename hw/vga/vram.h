/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Video memory: guest memory that the display device reads and writes, and that the guest sees
 * where the device's frame buffer BAR is.
 *
 * The bytes are shared with the guest, which may change them at any moment: whoever looks at them
 * reads each once. They belong to whoever has made the struct vram (on Xen: frames populated at
 * start-up at a parking place above the guest's RAM), and outlive the device.
 *
 * The frames are in exactly one place of the guest's address space. That place is part of the
 * display device's state ("vram_gpa"), so that a process that takes over knows where they are:
 *
 *     start      the owner has populated them at `parking`, and mapped them: base is set
 *     BAR moves  the device calls move(from, to); to is `parking` while the BAR is not decoded
 *     restore    nothing is populated; base is NULL until the device, its state loaded, calls
 *                attach(gpa) with the place where the frames have come with the stream
 *     take-over  as restore
 */
#ifndef HW_VGA_VRAM_H
#define HW_VGA_VRAM_H

#include <stddef.h>
#include <stdint.h>

#define VRAM_SIZE_MIN (1u << 20)
#define VRAM_SIZE_MAX (256u << 20)

struct vram {
    uint8_t *base;    /* `size` bytes, or NULL while they are not mapped (reads give ones then) */
    uint64_t size;    /* bytes; a multiple of 64 KiB, VRAM_SIZE_MIN..VRAM_SIZE_MAX */
    uint64_t parking; /* guest-physical address for the time without a BAR; page-aligned */

    /*
     * Takes the frames from one guest-physical address to another (both page-aligned; the guest
     * chooses them, so they may overlap each other or its RAM). The host's view stays as it is.
     * 0, or -errno: then the frames are taken to be where they were.
     */
    int (*move)(void *opaque, uint64_t from, uint64_t to);

    /*
     * The state says that the frames are at `gpa`: map them and set base, unless they are known to
     * be there already. Untrusted: may be any page-aligned address. 0 or -errno (base stays NULL).
     */
    int (*attach)(void *opaque, uint64_t gpa);

    /*
     * The device itself (not the guest) has written bytes [offset, offset + length): for the dirty
     * log of a migration. NULL: nobody cares.
     */
    void (*written)(void *opaque, uint64_t offset, uint64_t length);

    /*
     * Which pages of [offset, offset + length), both page-aligned, the guest itself has written
     * since the last call: bit i of `bitmap` for page i of them, every 64-bit word of it set. Asked
     * at a viewer's frame rate; the first call, and one with another range, may say "all". 1 when a
     * bit is set, 0 when none is, -errno when it cannot be told: then take it for all. NULL: it
     * never can be told. dirty_stop() ends the following, which costs the guest time.
     */
    int (*dirty)(void *opaque, uint64_t offset, uint64_t length, uint64_t *bitmap);
    void (*dirty_stop)(void *opaque);

    void *opaque;
};

#endif
