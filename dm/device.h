/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The verbs that every device has. A device's create() makes its state in the arena, adds its
 * regions, and registers itself; from then on the life cycle speaks to it through these.
 */
#ifndef DM_DEVICE_H
#define DM_DEVICE_H

#include <stdbool.h>

struct device_ops {
    const char *name;
    /* Keeps its state in S3: the chipset, which no firmware sets up a second time. */
    bool stays_on;
    /* Power-on state, bit-identical each time; cancels what is in flight. */
    void (*reset)(void *dev);
    /* The state has been replaced (restore, take-over): derive everything else from it again:
     * regions, timers, interrupt level, transfers in flight. NULL: nothing is derived. */
    void (*loaded)(void *dev);
    /* Whether host I/O is in flight that has to end before the state may be saved. NULL: never. */
    bool (*busy)(void *dev);
    /* Gives back everything but the arena object. NULL: nothing to give back. */
    void (*destroy)(void *dev);
};

struct device_list;

int device_list_create(struct device_list **out);
/* Destroys the devices in reverse order. */
void device_list_destroy(struct device_list *list);

/* Both pointers must outlive the list. Returns 0 or -ENOMEM. */
int device_register(struct device_list *list, const struct device_ops *ops, void *dev);

void device_reset_all(struct device_list *list);
/* Power comes back after S3: resets the devices that had lost it. */
void device_wake_all(struct device_list *list);
void device_loaded_all(struct device_list *list);
/* The name of a device that is busy, or NULL. */
const char *device_busy(struct device_list *list);

#endif
