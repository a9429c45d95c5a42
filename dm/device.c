/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dm/device.h"

#include <errno.h>
#include <stdlib.h>

struct device_entry {
    const struct device_ops *ops;
    void *dev;
};

struct device_list {
    struct device_entry *entry;
    size_t count, room;
};

int device_list_create(struct device_list **out)
{
    *out = calloc(1, sizeof(**out));
    return *out ? 0 : -ENOMEM;
}

void device_list_destroy(struct device_list *list)
{
    if (!list)
        return;
    for (size_t i = list->count; i-- > 0;)
        if (list->entry[i].ops->destroy)
            list->entry[i].ops->destroy(list->entry[i].dev);
    free(list->entry);
    free(list);
}

int device_register(struct device_list *list, const struct device_ops *ops, void *dev)
{
    if (list->count == list->room) {
        size_t room = list->room ? list->room * 2 : 16;
        struct device_entry *entry = reallocarray(list->entry, room, sizeof(*entry));

        if (!entry)
            return -ENOMEM;
        list->entry = entry;
        list->room = room;
    }
    list->entry[list->count++] = (struct device_entry){ops, dev};
    return 0;
}

void device_reset_all(struct device_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->entry[i].ops->reset)
            list->entry[i].ops->reset(list->entry[i].dev);
}

void device_wake_all(struct device_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->entry[i].ops->reset && !list->entry[i].ops->stays_on)
            list->entry[i].ops->reset(list->entry[i].dev);
}

void device_loaded_all(struct device_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->entry[i].ops->loaded)
            list->entry[i].ops->loaded(list->entry[i].dev);
}

const char *device_busy(struct device_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->entry[i].ops->busy && list->entry[i].ops->busy(list->entry[i].dev))
            return list->entry[i].ops->name;
    return NULL;
}
