/* SPDX-License-Identifier: GPL-2.0-or-later */
/* QMP: PCI functions, devices that come and go, vCPUs. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "toolstack/qmp_internal.h"

/* The name that query-hotpluggable-cpus gives and device_add takes; opaque to libxl. */
#define CPU_DRIVER "qemu32-i386-cpu"

#define PROPERTIES_MAX 32

/* ---- PCI --------------------------------------------------------------------------------------
 */

static void add_int(struct json_object *to, const char *name, int64_t value)
{
    json_object_object_add(to, name, json_object_new_int64(value));
}

static struct json_object *pci_region(const struct qmp_pci_region *region)
{
    struct json_object *entry = json_object_new_object();

    add_int(entry, "bar", region->bar);
    json_object_object_add(entry, "type", json_object_new_string(region->io ? "io" : "memory"));
    if (!region->io) {
        json_object_object_add(entry, "prefetch", json_object_new_boolean(region->prefetch));
        json_object_object_add(entry, "mem_type_64", json_object_new_boolean(region->wide));
    }
    add_int(entry, "address", (int64_t)region->address); /* not mapped: -1, as in QEMU */
    add_int(entry, "size", (int64_t)region->size);
    return entry;
}

static struct json_object *pci_device(const struct qmp_pci_device *device)
{
    struct json_object *entry = json_object_new_object(), *class = json_object_new_object(),
                       *id = json_object_new_object(), *regions = json_object_new_array();

    add_int(class, "class", device->class_code);
    if (device->description)
        json_object_object_add(class, "desc", qmp_text(device->description));
    add_int(id, "vendor", device->vendor);
    add_int(id, "device", device->device);
    add_int(id, "subsystem-vendor", device->subsystem_vendor);
    add_int(id, "subsystem", device->subsystem);
    for (size_t i = 0; i < device->region_count; i++)
        json_object_array_add(regions, pci_region(&device->regions[i]));
    add_int(entry, "bus", device->bus);
    add_int(entry, "slot", device->slot);
    add_int(entry, "function", device->function);
    /* libxl wants it in every device of every bus, be it empty. */
    json_object_object_add(entry, "qdev_id", qmp_text(device->qdev_id));
    json_object_object_add(entry, "class_info", class);
    json_object_object_add(entry, "id", id);
    add_int(entry, "irq_pin", device->irq_pin);
    if (device->irq_pin)
        add_int(entry, "irq", device->irq);
    json_object_object_add(entry, "regions", regions);
    return entry;
}

static void list_pci(void *to, const struct qmp_pci_device *device)
{
    struct json_object *buses = to, *devices = NULL;

    for (size_t i = 0; i < json_object_array_length(buses) && !devices; i++) {
        struct json_object *bus = json_object_array_get_idx(buses, i), *number;

        if (json_object_object_get_ex(bus, "bus", &number) &&
            json_object_get_int64(number) == device->bus)
            json_object_object_get_ex(bus, "devices", &devices);
    }
    if (!devices) {
        struct json_object *bus = json_object_new_object();

        devices = json_object_new_array();
        add_int(bus, "bus", device->bus);
        json_object_object_add(bus, "devices", devices);
        json_object_array_add(buses, bus);
    }
    json_object_array_add(devices, pci_device(device));
}

static struct json_object *query_pci(struct qmp_call *call)
{
    struct json_object *buses = json_object_new_array();

    if (call->ops->each_pci)
        call->ops->each_pci(call->opaque, list_pci, buses);
    return buses;
}

/* ---- vCPUs ------------------------------------------------------------------------------------
 */

static struct json_object *cpu_properties(unsigned index)
{
    struct json_object *props = json_object_new_object();

    add_int(props, "core-id", 0);
    add_int(props, "thread-id", 0);
    add_int(props, "socket-id", index);
    return props;
}

static struct json_object *cpu_path(unsigned index)
{
    char path[48];

    snprintf(path, sizeof(path), "/machine/unattached/device[%u]", index);
    return json_object_new_string(path);
}

static void list_cpu_fast(void *to, const struct qmp_cpu *cpu)
{
    struct json_object *entry;

    if (!cpu->online)
        return;
    entry = json_object_new_object();
    add_int(entry, "cpu-index", cpu->index);
    json_object_object_add(entry, "qom-path", cpu_path(cpu->index));
    add_int(entry, "thread-id", getpid()); /* Xen runs them; the thread is ours for want of one */
    json_object_object_add(entry, "props", cpu_properties(cpu->index));
    json_object_object_add(entry, "target", json_object_new_string("i386"));
    json_object_array_add(to, entry);
}

static void list_cpu_old(void *to, const struct qmp_cpu *cpu)
{
    struct json_object *entry;

    if (!cpu->online)
        return;
    entry = json_object_new_object();
    add_int(entry, "CPU", cpu->index);
    json_object_object_add(entry, "current", json_object_new_boolean(cpu->index == 0));
    json_object_object_add(entry, "halted", json_object_new_boolean(0));
    json_object_object_add(entry, "qom_path", cpu_path(cpu->index));
    add_int(entry, "thread_id", getpid());
    json_object_object_add(entry, "arch", json_object_new_string("x86"));
    json_object_array_add(to, entry);
}

static void list_cpu_slot(void *to, const struct qmp_cpu *cpu)
{
    struct json_object *entry = json_object_new_object();

    json_object_object_add(entry, "type", json_object_new_string(CPU_DRIVER));
    add_int(entry, "vcpus-count", 1);
    json_object_object_add(entry, "props", cpu_properties(cpu->index));
    if (cpu->online)
        json_object_object_add(entry, "qom-path", cpu_path(cpu->index));
    json_object_array_add(to, entry);
}

static struct json_object *list_cpus(struct qmp_call *call,
                                     void (*each)(void *to, const struct qmp_cpu *))
{
    struct json_object *list = json_object_new_array();

    if (call->ops->each_cpu)
        call->ops->each_cpu(call->opaque, each, list);
    return list;
}

static struct json_object *query_cpus_fast(struct qmp_call *call)
{
    return list_cpus(call, list_cpu_fast);
}

static struct json_object *query_cpus(struct qmp_call *call)
{
    return list_cpus(call, list_cpu_old);
}

static struct json_object *query_hotpluggable_cpus(struct qmp_call *call)
{
    return list_cpus(call, list_cpu_slot);
}

struct cpu_search {
    int64_t index;
    bool found, online;
};

static void find_cpu(void *to, const struct qmp_cpu *cpu)
{
    struct cpu_search *search = to;

    if (cpu->index != search->index)
        return;
    search->found = true;
    search->online = cpu->online;
}

static struct json_object *plug_cpu(struct qmp_call *call, int64_t index)
{
    struct cpu_search search = {.index = index};

    if (!call->ops->cpu_add || !call->ops->each_cpu)
        return qmp_not_built(call);
    call->ops->each_cpu(call->opaque, find_cpu, &search);
    if (!search.found)
        return qmp_error(call, QMP_GENERIC_ERROR, "there is no vCPU %" PRId64, index);
    if (search.online)
        return qmp_error(call, QMP_GENERIC_ERROR, "vCPU %" PRId64 " is plugged in already", index);
    return qmp_result(call, call->ops->cpu_add(call->opaque, (unsigned)index, &call->error));
}

static struct json_object *cpu_add(struct qmp_call *call)
{
    return plug_cpu(call, qmp_arg_int(call, "id", -1));
}

/* ---- devices that come and go -----------------------------------------------------------------
 */

/* Numbers come as integers from new libxl and as strings from old. -1: not a number. */
static int64_t number(struct qmp_call *call, const char *name, int64_t otherwise)
{
    const char *text = qmp_arg_string(call, name);
    char *end;
    long long value;

    if (!text)
        return otherwise;
    errno = 0;
    value = strtoll(text, &end, 10);
    return errno || end == text || *end || value < 0 ? -1 : value;
}

static struct json_object *add_cpu_device(struct qmp_call *call)
{
    int64_t socket = number(call, "socket-id", -1);

    json_object_object_foreach(call->args, name, value)
    {
        (void)value;
        if (strcmp(name, "driver") != 0 && strcmp(name, "id") != 0 &&
            strcmp(name, "socket-id") != 0 && strcmp(name, "core-id") != 0 &&
            strcmp(name, "thread-id") != 0)
            return qmp_error(call, QMP_GENERIC_ERROR, "%s has no property '%s'", CPU_DRIVER, name);
    }
    if (socket < 0)
        return qmp_error(call, QMP_GENERIC_ERROR, "%s needs a 'socket-id'", CPU_DRIVER);
    if (number(call, "core-id", 0) != 0 || number(call, "thread-id", 0) != 0)
        return qmp_error(call, QMP_GENERIC_ERROR,
                         "each vCPU is a socket: core-id and thread-id must be 0");
    return plug_cpu(call, socket);
}

static struct json_object *add_any_device(struct qmp_call *call)
{
    struct qmp_property property[PROPERTIES_MAX];
    struct qmp_device_add device = {.driver = qmp_arg_string(call, "driver"),
                                    .id = qmp_arg_string(call, "id"),
                                    .properties = property};

    json_object_object_foreach(call->args, name, value)
    {
        if (strcmp(name, "driver") == 0 || strcmp(name, "id") == 0)
            continue;
        if (json_object_is_type(value, json_type_object) ||
            json_object_is_type(value, json_type_array) ||
            json_object_is_type(value, json_type_null))
            return qmp_error(call, QMP_GENERIC_ERROR, "property '%s' must be a plain value", name);
        if (device.property_count == PROPERTIES_MAX)
            return qmp_error(call, QMP_GENERIC_ERROR, "a device has at most %d properties",
                             PROPERTIES_MAX);
        property[device.property_count++] =
            (struct qmp_property){.name = name, .value = json_object_get_string(value)};
    }
    return qmp_result(call, call->ops->device_add(call->opaque, &device, &call->error));
}

static struct json_object *device_add(struct qmp_call *call)
{
    const char *driver = qmp_arg_string(call, "driver");

    if (strcmp(driver, CPU_DRIVER) == 0)
        return add_cpu_device(call);
    if (!call->ops->device_add)
        return qmp_error(call, QMP_GENERIC_ERROR,
                         "devices of type '%s' are not built into this device model", driver);
    return add_any_device(call);
}

static struct json_object *device_del(struct qmp_call *call)
{
    const char *id = qmp_arg_string(call, "id");

    if (!call->ops->device_del)
        return qmp_error(call, QMP_DEVICE_NOT_FOUND, "there is no device '%s'", id);
    return qmp_result(call, call->ops->device_del(call->opaque, id, &call->error));
}

/* ---- network cards ---------------------------------------------------------------------------
 */

struct json_object *qmp_do_set_link(struct qmp_call *call, const char *name, bool up)
{
    if (!call->ops->set_link)
        return qmp_not_built(call);
    return qmp_result(call, call->ops->set_link(call->opaque, name, up, &call->error));
}

static struct json_object *set_link(struct qmp_call *call)
{
    return qmp_do_set_link(call, qmp_arg_string(call, "name"), qmp_arg_bool(call, "up", true));
}

const struct qmp_command qmp_device_commands[] = {
    {"query-pci", query_pci, {{NULL, 0}}, false},
    {"query-cpus-fast", query_cpus_fast, {{NULL, 0}}, false},
    {"query-cpus", query_cpus, {{NULL, 0}}, false},
    {"query-hotpluggable-cpus", query_hotpluggable_cpus, {{NULL, 0}}, false},
    {"cpu-add", cpu_add, {{"id", QMP_INT | QMP_REQUIRED}}, false},
    {"device_add", device_add, {{"driver", QMP_STRING | QMP_REQUIRED}, {"id", QMP_STRING}}, true},
    {"device_del", device_del, {{"id", QMP_STRING | QMP_REQUIRED}}, false},
    {"set_link",
     set_link,
     {{"name", QMP_STRING | QMP_REQUIRED}, {"up", QMP_BOOL | QMP_REQUIRED}},
     false},
    {NULL, NULL, {{NULL, 0}}, false},
};
