/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Option ROMs: files on the host (SeaBIOS's VGA BIOSes, iPXE's network boot ROMs) that a PCI
 * function offers in its expansion ROM BAR. Opened and checked before the seal.
 *
 * What stays is the descriptor: the guest's firmware reads the ROM once, and a copy of iPXE's would
 * be 256 KiB of memory for each guest. A mapping would share the page cache as well, but kill the
 * process when somebody makes the file shorter, where a read just comes back short. A file that is
 * replaced, as package managers do it, stays as it was. One that is written over may say anything
 * by then: nothing here trusts its content after the check, and the guest is told what the host
 * has.
 */
#ifndef FIRMWARE_OPTROM_H
#define FIRMWARE_OPTROM_H

#include <stddef.h>
#include <stdint.h>

struct optrom_query {
    /* Folders looked into first, in order (`-L`); then those that were fixed at build time. */
    const char *const *folders;
    unsigned folder_count;
    /* File names in order of preference; the first that exists anywhere is taken. One with a
     * slash in it is a path by itself. */
    const char *const *names;
    unsigned name_count;
    uint16_t vendor, device; /* ids of the PCI function: firmware skips an image with others */
    uint32_t max_size;       /* bytes; a power of two, >= 2048 */
};

struct optrom {
    uint32_t size; /* of the BAR: a power of two from 2048 to max_size; 0: none, nothing is open */
    int fd;        /* owned; for reading, close on exec */
    uint32_t file_size; /* bytes, at most `size` */
};

/*
 * Finds, opens and checks a ROM. 0, or -errno after one log_error() line that names the file and
 * the reason: -ENOENT not found, -EFBIG too large, -EINVAL not a ROM for this function.
 */
int optrom_load(struct optrom *rom, const struct optrom_query *query);
void optrom_free(struct optrom *rom);

/*
 * Checks the images of a ROM, a file of `size` bytes: signatures, lengths, PCI data structures
 * inside the file, checksum and ids of those with PC-AT code, of which there has to be one. Returns
 * 0, or -EINVAL with the reason in why[0 .. why_size - 1].
 */
int optrom_check(int fd, size_t size, uint16_t vendor, uint16_t device, char *why, size_t why_size);

/* File names for the devices of this program. */
extern const char *const optrom_std_vga[1];
extern const char *const optrom_cirrus[1];
extern const char *const optrom_rtl8139[2];

#endif
