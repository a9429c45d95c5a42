/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The memory of an MC146818 with 128 bytes (index at 70h, data at 71h), as PC firmware uses it.
 *
 * Bytes 0 to 13, the clock and its interrupt, are the hypervisor's: it consumes indices below 14
 * and forwards the others with the data accesses that belong to them. All bytes are plain storage
 * that survives a reset, as behind a battery; they are filled in once, at creation.
 *
 * Left out on purpose: the clock. The century byte is constant until the guest writes it.
 */
#include "hw/chipset/cmos.h"

#include <errno.h>
#include <stdlib.h>
#include "dm/device.h"

enum {
    INDEX_PORT = 0x70,
    CMOS_BYTES = 128,
    INDEX_MASK = CMOS_BYTES - 1, /* bit 7 of an index write is the NMI mask */

    FLOPPY_TYPES = 0x10,
    DISK_TYPES = 0x12,
    EQUIPMENT = 0x14,
    BASE_MEMORY = 0x15,
    EXTENDED_MEMORY = 0x17,
    DISK_C_TYPE = 0x19,
    DISK_C_PARAMETERS = 0x1b,
    DISK_D_PARAMETERS = 0x24,
    EXTENDED_MEMORY_FOUND = 0x30,
    CENTURY = 0x32,
    MEMORY_ABOVE_16M = 0x34,
    CENTURY_ALIAS = 0x37,
    BOOT_THIRD = 0x38,
    TRANSLATION = 0x39,
    BOOT_FIRST_SECOND = 0x3d,
    MEMORY_ABOVE_4G = 0x5b,
    OTHER_VCPUS = 0x5f,

    EQUIPMENT_FLOPPY = 0x01,
    EQUIPMENT_SECOND_FLOPPY = 0x40,
    EQUIPMENT_FPU = 0x02,
    EQUIPMENT_MOUSE = 0x04,

    USER_DISK_TYPE = 47, /* parameters are in the bytes from 1Bh on */
};

struct cmos_state {
    uint8_t index;
    uint8_t data[CMOS_BYTES];
};

static const struct state_field cmos_fields[] = {
    STATE_FIELD(struct cmos_state, index, .max = INDEX_MASK),
    STATE_ARRAY(struct cmos_state, data, .flags = STATE_KEEP),
};
static const struct state_desc cmos_desc =
    STATE_DESC("cmos", 1, struct cmos_state, cmos_fields, NULL);

struct cmos {
    struct cmos_state *state;
    struct io_region ports;
};

static uint64_t cmos_read(void *opaque, uint64_t offset, unsigned size)
{
    const struct cmos *cmos = opaque;

    return offset == 0 ? 0xff : cmos->state->data[cmos->state->index & INDEX_MASK];
}

static void cmos_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
    struct cmos *cmos = opaque;

    if (offset == 0)
        cmos->state->index = value & INDEX_MASK;
    else
        cmos->state->data[cmos->state->index & INDEX_MASK] = (uint8_t)value;
}

static const struct io_ops cmos_ops = {.read = cmos_read, .write = cmos_write, .sizes = 1};

uint8_t cmos_get(const struct cmos *cmos, uint8_t index)
{
    return cmos->state->data[index & INDEX_MASK];
}

void cmos_set(struct cmos *cmos, uint8_t index, uint8_t value)
{
    cmos->state->data[index & INDEX_MASK] = value;
}

/* ---- contents at power-on -------------------------------------------------------------------- */

static void put16(uint8_t *data, unsigned index, uint64_t value)
{
    if (value > UINT16_MAX)
        value = UINT16_MAX;
    data[index] = (uint8_t)value;
    data[index + 1] = (uint8_t)(value >> 8);
}

static uint64_t above(uint64_t bytes, uint64_t floor)
{
    return bytes > floor ? bytes - floor : 0;
}

static void fill_memory(uint8_t *data, const struct cmos_config *config)
{
    uint64_t extended_kib = above(config->ram_below_4g, 1u << 20) >> 10;
    uint64_t high = config->ram_above_4g >> 16;

    put16(data, BASE_MEMORY, 640);
    put16(data, EXTENDED_MEMORY, extended_kib);
    put16(data, EXTENDED_MEMORY_FOUND, extended_kib);
    put16(data, MEMORY_ABOVE_16M, above(config->ram_below_4g, 16u << 20) >> 16);
    if (high > 0xffffff)
        high = 0xffffff;
    for (unsigned i = 0; i < 3; i++)
        data[MEMORY_ABOVE_4G + i] = (uint8_t)(high >> 8 * i);
}

/* The parameter table of a type 47 disk. */
static void fill_parameters(uint8_t *data, unsigned index, const struct cmos_disk *disk)
{
    put16(data, index, disk->cylinders);
    data[index + 2] = (uint8_t)disk->heads;
    put16(data, index + 3, 0xffff); /* no write precompensation */
    data[index + 5] = disk->heads > 8 ? 0xc8 : 0xc0;
    put16(data, index + 6, disk->cylinders); /* landing zone */
    data[index + 8] = (uint8_t)disk->sectors;
}

static void fill_disks(uint8_t *data, const struct cmos_config *config)
{
    for (unsigned i = 0; i < CMOS_DISKS; i++)
        if (config->disk[i].present)
            data[TRANSLATION + i / 4] |= (uint8_t)((config->disk[i].translation & 3) << i % 4 * 2);
    for (unsigned i = 0; i < 2; i++) {
        if (!config->disk[i].present)
            continue;
        data[DISK_TYPES] |= i == 0 ? 0xf0 : 0x0f;
        data[DISK_C_TYPE + i] = USER_DISK_TYPE;
        fill_parameters(data, i == 0 ? DISK_C_PARAMETERS : DISK_D_PARAMETERS, &config->disk[i]);
    }
}

static void fill(uint8_t *data, const struct cmos_config *config)
{
    unsigned floppies = (config->floppy_type[0] != 0) + (config->floppy_type[1] != 0);

    fill_memory(data, config);
    fill_disks(data, config);
    data[FLOPPY_TYPES] = (uint8_t)(config->floppy_type[0] << 4 | (config->floppy_type[1] & 0x0f));
    data[EQUIPMENT] = EQUIPMENT_FPU;
    if (config->ps2_mouse)
        data[EQUIPMENT] |= EQUIPMENT_MOUSE;
    if (floppies > 0)
        data[EQUIPMENT] |= EQUIPMENT_FLOPPY;
    if (floppies > 1)
        data[EQUIPMENT] |= EQUIPMENT_SECOND_FLOPPY;
    data[CENTURY] = data[CENTURY_ALIAS] = 0x20;
    data[BOOT_FIRST_SECOND] = config->boot_first_second;
    data[BOOT_THIRD] = config->boot_third;
    data[OTHER_VCPUS] = config->vcpus > 256 ? 255 : (uint8_t)(config->vcpus - 1);
}

static void cmos_reset(void *opaque)
{
    struct cmos *cmos = opaque;

    state_reset(&cmos_desc, cmos->state);
}

static const struct device_ops ops = {
    .name = "cmos", .stays_on = true, .reset = cmos_reset, .destroy = free};

int cmos_create(struct cmos **out, const struct dm_env *env, const struct cmos_config *config)
{
    struct cmos *cmos = calloc(1, sizeof(*cmos));

    if (!cmos)
        return -ENOMEM;
    cmos->ports = (struct io_region){.name = "cmos",
                                     .kind = IO_PORT,
                                     .base = INDEX_PORT,
                                     .length = 2,
                                     .ops = &cmos_ops,
                                     .dev = cmos};
    int err = device_register(env->devices, &ops, cmos);
    if (err) {
        free(cmos);
        return err;
    }
    *out = cmos;
    cmos->state = arena_alloc(env->arena, "cmos", &cmos_desc);
    if (!cmos->state)
        return -ENOMEM;
    fill(cmos->state->data, config);
    return iospace_add(env->io, &cmos->ports);
}
