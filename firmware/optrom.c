/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Option ROM files (PCI Firmware Specification 3.0, chapter 5): a row of images, each with a
 * header and a PCI data structure; the last is marked. BIOS-style firmware runs the first image
 * with code type 0 (PC-AT) and matching ids, UEFI one with code type 3.
 *
 * Ids are never patched: the files of Debian's seabios and ipxe-qemu carry those of the devices
 * they are for, and one with others is a mistake that is better told than hidden.
 */
#include "firmware/optrom.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "build_config.h"
#include "dm/log.h"

enum {
    BLOCK = 512,
    LEAST_SIZE = 2048,

    /* image header */
    HEADER_SIZE = 0x1a,
    HEADER_INIT_BLOCKS = 0x02,
    HEADER_PCIR = 0x18,

    /* PCI data structure */
    PCIR_SIZE = 0x18,
    PCIR_VENDOR = 0x04,
    PCIR_DEVICE = 0x06,
    PCIR_LENGTH = 0x0a,
    PCIR_IMAGE_BLOCKS = 0x10,
    PCIR_CODE_TYPE = 0x14,
    PCIR_INDICATOR = 0x15,
    PCIR_LAST = 0x80,
    CODE_PC_AT = 0,
};

const char *const optrom_std_vga[1] = {"vgabios-stdvga.bin"};
const char *const optrom_cirrus[1] = {"vgabios-cirrus.bin"};
const char *const optrom_rtl8139[2] = {"efi-rtl8139.rom", "pxe-rtl8139.rom"};

/* ---- content --------------------------------------------------------------------------------- */

static unsigned get16(const uint8_t *bytes)
{
    return bytes[0] | (unsigned)bytes[1] << 8;
}

struct image {
    size_t size, code_size;
    unsigned code_type;
    uint16_t vendor, device;
    bool last;
};

/* All `size` bytes at `at`, or false: the file is shorter than it was, or cannot be read. */
static bool read_at(int fd, uint8_t *to, size_t size, size_t at)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = pread(fd, to + done, size - done, (off_t)(at + done));

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        done += (size_t)n;
    }
    return true;
}

/* Reads the header and PCI data structure at `base`, with `left` bytes to the end of the file.
 * Returns NULL or what is wrong. */
static const char *parse_image(int fd, size_t base, size_t left, struct image *image)
{
    uint8_t header[HEADER_SIZE], pcir[PCIR_SIZE];

    if (left < HEADER_SIZE)
        return "is cut off";
    if (!read_at(fd, header, HEADER_SIZE, base))
        return "cannot be read";
    if (header[0] != 0x55 || header[1] != 0xaa)
        return "does not begin with 55 AA";

    size_t at = get16(header + HEADER_PCIR);
    if (at < HEADER_SIZE || at > left || left - at < PCIR_SIZE)
        return "has its PCI data structure outside the file";
    if (!read_at(fd, pcir, PCIR_SIZE, base + at))
        return "cannot be read";
    if (memcmp(pcir, "PCIR", 4) != 0)
        return "has no PCI data structure";
    if (get16(pcir + PCIR_LENGTH) < PCIR_SIZE)
        return "has too short a PCI data structure";

    image->size = (size_t)get16(pcir + PCIR_IMAGE_BLOCKS) * BLOCK;
    if (image->size == 0)
        return "has no length";
    if (image->size > left)
        return "is longer than the file";
    if (at + PCIR_SIZE > image->size)
        return "is shorter than its own header";
    image->code_size = (size_t)header[HEADER_INIT_BLOCKS] * BLOCK;
    image->code_type = pcir[PCIR_CODE_TYPE];
    image->vendor = (uint16_t)get16(pcir + PCIR_VENDOR);
    image->device = (uint16_t)get16(pcir + PCIR_DEVICE);
    image->last = pcir[PCIR_INDICATOR] & PCIR_LAST;
    return NULL;
}

static const char *check_pc_at(int fd, size_t base, const struct image *image)
{
    uint8_t piece[8 * BLOCK];
    uint8_t sum = 0;

    if (image->code_size == 0)
        return "has no code";
    if (image->code_size > image->size)
        return "has more code than its length";
    for (size_t at = 0; at < image->code_size; at += sizeof(piece)) {
        size_t left = image->code_size - at;
        size_t size = left < sizeof(piece) ? left : sizeof(piece);

        if (!read_at(fd, piece, size, base + at))
            return "cannot be read";
        for (size_t i = 0; i < size; i++)
            sum = (uint8_t)(sum + piece[i]);
    }
    return sum == 0 ? NULL : "has a wrong checksum";
}

int optrom_check(int fd, size_t size, uint16_t vendor, uint16_t device, char *why, size_t why_size)
{
    struct image image = {0};
    bool runnable = false;

    for (size_t at = 0; !image.last; at += image.size) {
        const char *flaw = "is missing: none is marked as the last";

        if (at == 0 || at < size)
            flaw = parse_image(fd, at, size - at, &image);
        if (!flaw && image.code_type == CODE_PC_AT)
            flaw = check_pc_at(fd, at, &image);
        if (flaw) {
            snprintf(why, why_size, "the image at 0x%zx %s", at, flaw);
            return -EINVAL;
        }
        if (image.vendor != vendor || image.device != device) {
            snprintf(why, why_size, "the image at 0x%zx is for the device %04x:%04x, not %04x:%04x",
                     at, image.vendor, image.device, vendor, device);
            return -EINVAL;
        }
        if (image.code_type == CODE_PC_AT)
            runnable = true;
    }
    if (runnable)
        return 0;
    snprintf(why, why_size, "no image has PC-AT code");
    return -EINVAL;
}

/* ---- files ----------------------------------------------------------------------------------- */

/* The folder number `index` of the search path, or false when there are no more. */
static bool folder_at(const struct optrom_query *query, unsigned index, char *folder, size_t size)
{
    const char *from = SLIMDM_ROMDIR;

    if (index < query->folder_count)
        return snprintf(folder, size, "%s", query->folders[index]) < (int)size;
    for (unsigned i = query->folder_count; i < index; i++) {
        from = strchr(from, ':');
        if (!from)
            return false;
        from++;
    }
    return snprintf(folder, size, "%.*s", (int)strcspn(from, ":"), from) < (int)size;
}

/* Opens the first file there is. Returns the descriptor with its path, or -errno. */
static int open_first(const struct optrom_query *query, char *path, size_t size)
{
    char folder[PATH_MAX];

    for (unsigned n = 0; n < query->name_count; n++) {
        bool whole = strchr(query->names[n], '/');

        for (unsigned i = 0; whole ? i == 0 : folder_at(query, i, folder, sizeof(folder)); i++) {
            int length = whole ? snprintf(path, size, "%s", query->names[n])
                               : snprintf(path, size, "%s/%s", folder, query->names[n]);
            if (length < 0 || (size_t)length >= size)
                continue;
            /* Not blocking: the name may be that of a pipe, which is refused later. */
            int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
            if (fd >= 0)
                return fd;
            if (errno != ENOENT && errno != ENOTDIR)
                return -errno;
        }
    }
    return -ENOENT;
}

static void report_missing(const struct optrom_query *query)
{
    char text[1024] = "", folder[PATH_MAX];
    size_t used = 0;

    for (unsigned n = 0; n < query->name_count && used < sizeof(text); n++)
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s", n ? ", " : "",
                                 query->names[n]);
    for (unsigned i = 0; folder_at(query, i, folder, sizeof(folder)) && used < sizeof(text); i++)
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s",
                                 i ? ", " : ": found in none of ", folder);
    log_error("option ROM %s", text);
}

/* Fills in rom for its descriptor; on failure the reason is in why. */
static int look_at(struct optrom *rom, const struct optrom_query *query, char *why, size_t why_size)
{
    struct stat st;

    if (fstat(rom->fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        snprintf(why, why_size, "is not a regular file");
        return -EINVAL;
    }
    if (st.st_size > (off_t)query->max_size) {
        snprintf(why, why_size, "%lld bytes are too many, at most %u fit", (long long)st.st_size,
                 query->max_size);
        return -EFBIG;
    }
    rom->file_size = (uint32_t)st.st_size;
    rom->size = LEAST_SIZE;
    while (rom->size < rom->file_size)
        rom->size <<= 1;
    return optrom_check(rom->fd, rom->file_size, query->vendor, query->device, why, why_size);
}

int optrom_load(struct optrom *rom, const struct optrom_query *query)
{
    char path[PATH_MAX] = "", why[160];

    *rom = (struct optrom){0};
    int fd = open_first(query, path, sizeof(path));
    if (fd == -ENOENT) {
        report_missing(query);
        return fd;
    }
    if (fd < 0) {
        log_error("option ROM %s: cannot be opened: %s", path, strerror(-fd));
        return fd;
    }
    rom->fd = fd;
    int err = look_at(rom, query, why, sizeof(why));
    if (err) {
        log_error("option ROM %s: %s", path, why);
        close(fd);
        *rom = (struct optrom){0};
    }
    return err;
}

void optrom_free(struct optrom *rom)
{
    if (rom->size)
        close(rom->fd);
    *rom = (struct optrom){0};
}
