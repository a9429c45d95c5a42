/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Power management and hot-plug, PCI function 01.3. */
#ifndef HW_CHIPSET_PIIX4_PM_H
#define HW_CHIPSET_PIIX4_PM_H

#include "dm/env.h"
#include "hw/chipset/cmos.h"

#define PIIX4_MAX_VCPUS 128

struct piix4_pm;

struct piix4_pm_config {
    struct cmos *cmos;      /* told of the entry into S3 */
    unsigned vcpus;         /* online at the start: vCPUs 0 .. vcpus - 1 */
    unsigned max_vcpus;     /* vcpus <= max_vcpus <= PIIX4_MAX_VCPUS */
    bool com1, com2, lpt;   /* decode hints for ACPI */
    /* The ACPI tables of qemu-xen-traditional have PCI hot-plug at 10C0h, where no slot has a
     * device that could be ejected, and know nothing of AE00h. */
    bool old_hotplug;
    uint32_t hotplug_slots; /* bit n: the device of slot n may be ejected and inserted */
    /* The guest ejects the device of a slot out of hotplug_slots, now. May be NULL. */
    void (*eject)(void *opaque, unsigned slot);
    void *opaque;
};

/* Returns 0 or -errno (-EINVAL: numbers of vCPUs). The device list owns the result. */
int piix4_pm_create(struct piix4_pm **out, const struct dm_env *env,
                    const struct piix4_pm_config *config);

/* A vCPU comes online: the guest is told. 0 also when it is already; -EINVAL: no such vCPU. */
int piix4_cpu_online(struct piix4_pm *pm, unsigned vcpu);
/* The guest is asked to give a vCPU back. 0 also when it is offline; -EINVAL: vCPU 0, or none. */
int piix4_cpu_offline(struct piix4_pm *pm, unsigned vcpu);
bool piix4_cpu_is_online(const struct piix4_pm *pm, unsigned vcpu);

/* A device has come into a slot, or is to leave it: the guest is told, and answers a request to
 * leave with eject(). -EINVAL: not one of hotplug_slots. */
int piix4_pci_inserted(struct piix4_pm *pm, unsigned slot);
int piix4_pci_request_eject(struct piix4_pm *pm, unsigned slot);

#endif
