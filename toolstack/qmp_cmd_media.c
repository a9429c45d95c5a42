/* SPDX-License-Identifier: GPL-2.0-or-later */
/* QMP: drives and their media, descriptor sets, character back-ends.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "toolstack/qmp_internal.h"

static void add_u64(struct json_object *to, const char *name, uint64_t value)
{
    json_object_object_add(to, name, json_object_new_uint64(value));
}

static void add_bool(struct json_object *to, const char *name, bool value)
{
    json_object_object_add(to, name, json_object_new_boolean(value));
}

static void add_text(struct json_object *to, const char *name, const char *value)
{
    json_object_object_add(to, name, qmp_text(value));
}

/* ---- what there is ----------------------------------------------------------------------------
 */

/* What clients of QEMU find about a medium; it is not throttled and has no backing file. */
static struct json_object *medium(const struct qmp_block *block)
{
    static const char *const limits[] = {"bps", "bps_rd", "bps_wr", "iops", "iops_rd", "iops_wr"};
    struct json_object *value = json_object_new_object(), *image = json_object_new_object(),
                       *cache = json_object_new_object();

    add_text(image, "filename", block->file);
    add_text(image, "format", block->format);
    add_u64(image, "virtual-size", block->size);
    add_bool(cache, "writeback", true);
    add_bool(cache, "direct", block->direct);
    add_bool(cache, "no-flush", block->unsafe);
    add_text(value, "file", block->file);
    add_bool(value, "ro", block->read_only);
    add_text(value, "drv", block->format);
    add_u64(value, "backing_file_depth", 0);
    add_bool(value, "encrypted", false);
    add_text(value, "detect_zeroes", "off");
    add_u64(value, "write_threshold", 0);
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
        add_u64(value, limits[i], 0);
    json_object_object_add(value, "cache", cache);
    json_object_object_add(value, "image", image);
    return value;
}

static void list_block(void *to, const struct qmp_block *block)
{
    struct json_object *entry = json_object_new_object();

    add_text(entry, "device", block->device);
    if (block->qdev)
        add_text(entry, "qdev", block->qdev);
    add_text(entry, "type", "unknown");
    if (block->inserted)
        json_object_object_add(entry, "inserted", medium(block));
    add_bool(entry, "locked", block->locked);
    add_bool(entry, "removable", block->removable);
    if (block->removable)
        add_bool(entry, "tray_open", block->tray_open);
    json_object_array_add(to, entry);
}

static void list_stats(void *to, const struct qmp_block *block)
{
    const struct qmp_block_stats *s = &block->stats;
    struct json_object *entry = json_object_new_object(), *stats = json_object_new_object();

    add_u64(stats, "rd_bytes", s->read_bytes);
    add_u64(stats, "wr_bytes", s->write_bytes);
    add_u64(stats, "rd_operations", s->read_ops);
    add_u64(stats, "wr_operations", s->write_ops);
    add_u64(stats, "flush_operations", s->flush_ops);
    add_u64(stats, "unmap_operations", s->unmap_ops);
    add_u64(stats, "rd_total_time_ns", s->read_ns);
    add_u64(stats, "wr_total_time_ns", s->write_ns);
    add_u64(stats, "flush_total_time_ns", s->flush_ns);
    add_u64(stats, "unmap_total_time_ns", s->unmap_ns);
    add_u64(stats, "failed_rd_operations", s->failed_reads);
    add_u64(stats, "failed_wr_operations", s->failed_writes);
    add_text(entry, "device", block->device);
    if (block->qdev)
        add_text(entry, "qdev", block->qdev);
    json_object_object_add(entry, "stats", stats);
    json_object_array_add(to, entry);
}

static struct json_object *query_block(struct qmp_call *call)
{
    struct json_object *list = json_object_new_array();

    if (call->ops->each_block)
        call->ops->each_block(call->opaque, list_block, list);
    return list;
}

static struct json_object *query_blockstats(struct qmp_call *call)
{
    struct json_object *list;

    if (qmp_arg_bool(call, "query-nodes", false))
        return qmp_error(call, QMP_GENERIC_ERROR,
                         "drives have no nodes here; leave out "
                         "'query-nodes'");
    list = json_object_new_array();
    if (call->ops->each_block)
        call->ops->each_block(call->opaque, list_stats, list);
    return list;
}

static void list_chardev(void *to, const struct qmp_chardev *chardev)
{
    struct json_object *entry = json_object_new_object();

    add_bool(entry, "frontend-open", chardev->open);
    add_text(entry, "filename", chardev->filename);
    add_text(entry, "label", chardev->label);
    json_object_array_add(to, entry);
}

static struct json_object *query_chardev(struct qmp_call *call)
{
    struct json_object *list = json_object_new_array();

    if (call->ops->each_chardev)
        call->ops->each_chardev(call->opaque, list_chardev, list);
    return list;
}

/* ---- media ------------------------------------------------------------------------------------
 */

/* `device` is the older name of the argument `id`; libxl chooses by the version. */
static const char *drive_of(struct qmp_call *call)
{
    const char *id = qmp_arg_string(call, "id"), *device = qmp_arg_string(call, "device");

    if (!id == !device) {
        qmp_error(call, QMP_GENERIC_ERROR, "one of 'id' and 'device' must name the drive");
        return NULL;
    }
    return id ? id : device;
}

static struct json_object *eject(struct qmp_call *call)
{
    const char *drive = drive_of(call);

    if (!drive)
        return NULL;
    if (!call->ops->eject)
        return qmp_not_built(call);
    return qmp_result(call, call->ops->eject(call->opaque, drive,
                                             qmp_arg_bool(call, "force", false), &call->error));
}

/* A format is what the toolstack says; without a word it is raw, never guessed from the content. */
static struct json_object *insert(struct qmp_call *call, const char *drive, const char *filename,
                                  const char *format, bool force)
{
    struct qmp_medium medium = {
        .filename = filename, .format = format ? format : "raw", .force = force};

    if (!call->ops->insert)
        return qmp_not_built(call);
    medium.fd = qmp_open_input(call, filename);
    if (medium.fd < 0)
        return NULL;
    return qmp_result(call, call->ops->insert(call->opaque, drive, &medium, &call->error));
}

struct json_object *qmp_do_insert(struct qmp_call *call, const char *drive, const char *filename,
                                  const char *format)
{
    return insert(call, drive, filename, format, false);
}

static struct json_object *tray(struct qmp_call *call, bool open)
{
    const char *drive = drive_of(call);

    if (!drive)
        return NULL;
    if (!call->ops->tray)
        return qmp_not_built(call);
    return qmp_result(call, call->ops->tray(call->opaque, drive, open,
                                            qmp_arg_bool(call, "force", false), &call->error));
}

static struct json_object *blockdev_open_tray(struct qmp_call *call)
{
    return tray(call, true);
}

static struct json_object *blockdev_close_tray(struct qmp_call *call)
{
    return tray(call, false);
}

static struct json_object *block_resize(struct qmp_call *call)
{
    const char *device = qmp_arg_string(call, "device"), *node = qmp_arg_string(call, "node-name");
    int64_t size = qmp_arg_int(call, "size", 0);
    struct qmp_reply *reply;

    if (!device || node)
        return qmp_error(call, QMP_GENERIC_ERROR,
                         "'device' must name the drive; drives have no nodes here");
    if (size <= 0)
        return qmp_error(call, QMP_GENERIC_ERROR, "'size' must be greater than 0");
    if (!call->ops->block_resize)
        return qmp_not_built(call);
    reply = qmp_later(call, false);
    if (reply)
        call->ops->block_resize(call->opaque, device, (uint64_t)size, reply);
    return NULL;
}

static struct json_object *blockdev_change_medium(struct qmp_call *call)
{
    const char *drive = drive_of(call), *mode = qmp_arg_string(call, "read-only-mode");

    if (!drive)
        return NULL;
    if (mode && strcmp(mode, "retain") != 0 && strcmp(mode, "read-only") != 0)
        return qmp_error(call, QMP_GENERIC_ERROR,
                         "read-only-mode '%s' is not possible; 'retain' and 'read-only' are", mode);
    return insert(call, drive, qmp_arg_string(call, "filename"), qmp_arg_string(call, "format"),
                  qmp_arg_bool(call, "force", false));
}

/* The old way of changing a medium, and the VNC password as well. */
static struct json_object *change(struct qmp_call *call)
{
    const char *device = qmp_arg_string(call, "device"), *target = qmp_arg_string(call, "target"),
               *arg = qmp_arg_string(call, "arg");
    struct json_object *result;

    if (strcmp(device, "vnc") != 0)
        return qmp_do_insert(call, device, target, arg);
    if (strcmp(target, "password") != 0 && strcmp(target, "passwd") != 0)
        return qmp_error(call, QMP_GENERIC_ERROR,
                         "only the password of the VNC server can be changed");
    result = qmp_do_vnc_password(call, arg ? arg : "");
    qmp_wipe(qmp_arg(call, "arg"));
    return result;
}

/* ---- descriptor sets --------------------------------------------------------------------------
 */

static struct json_object *add_fd(struct qmp_call *call)
{
    int64_t id = qmp_arg_int(call, "fdset-id", -1);
    int fd = qmp_conn_take_fd(call->conn);
    struct json_object *value;

    if (fd < 0)
        return qmp_error(call, QMP_GENERIC_ERROR, "no descriptor came with the command");
    if (qmp_arg(call, "fdset-id") && id < 0)
        id = -ERANGE;
    else
        id = fdsets_add(call->qmp->fdsets, id, fd, qmp_arg_string(call, "opaque"), false);
    if (id < 0) {
        close(fd);
        if (id == -ERANGE)
            return qmp_error(call, QMP_GENERIC_ERROR, "'fdset-id' must be from 0 to %d",
                             FDSET_ID_MAX);
        return qmp_error(call, QMP_GENERIC_ERROR, "cannot keep the descriptor: %s",
                         strerror((int)-id));
    }
    value = json_object_new_object();
    json_object_object_add(value, "fdset-id", json_object_new_int64(id));
    json_object_object_add(value, "fd", json_object_new_int(fd));
    return value;
}

static struct json_object *remove_fd(struct qmp_call *call)
{
    int64_t id = qmp_arg_int(call, "fdset-id", 0), fd = qmp_arg_int(call, "fd", -1);
    bool one = qmp_arg(call, "fd");

    if (id < 0 || id > FDSET_ID_MAX || (one && (fd < 0 || fd > INT32_MAX)) ||
        fdsets_remove(call->qmp->fdsets, id, one ? (int)fd : -1))
        return qmp_error(call, QMP_GENERIC_ERROR,
                         one ? "descriptor set %lld has no such descriptor"
                             : "there is no descriptor set %lld",
                         (long long)id);
    return qmp_ok();
}

struct fdset_list {
    struct json_object *sets, *fds;
    int64_t id;
};

static void list_fd(void *to, int64_t id, int fd, const char *opaque)
{
    struct fdset_list *list = to;
    struct json_object *entry = json_object_new_object();

    if (!list->fds || list->id != id) {
        struct json_object *set = json_object_new_object();

        list->id = id;
        list->fds = json_object_new_array();
        json_object_object_add(set, "fdset-id", json_object_new_int64(id));
        json_object_object_add(set, "fds", list->fds);
        json_object_array_add(list->sets, set);
    }
    json_object_object_add(entry, "fd", json_object_new_int(fd));
    if (opaque)
        add_text(entry, "opaque", opaque);
    json_object_array_add(list->fds, entry);
}

static struct json_object *query_fdsets(struct qmp_call *call)
{
    struct fdset_list list = {.sets = json_object_new_array()};

    fdsets_each(call->qmp->fdsets, list_fd, &list);
    return list.sets;
}

const struct qmp_command qmp_media_commands[] = {
    {"query-block", query_block, {{NULL, 0}}, false},
    {"query-blockstats", query_blockstats, {{"query-nodes", QMP_BOOL}}, false},
    {"query-chardev", query_chardev, {{NULL, 0}}, false},
    {"eject", eject, {{"device", QMP_STRING}, {"id", QMP_STRING}, {"force", QMP_BOOL}}, false},
    {"blockdev-open-tray",
     blockdev_open_tray,
     {{"device", QMP_STRING}, {"id", QMP_STRING}, {"force", QMP_BOOL}},
     false},
    {"blockdev-close-tray",
     blockdev_close_tray,
     {{"device", QMP_STRING}, {"id", QMP_STRING}},
     false},
    {"block_resize",
     block_resize,
     {{"device", QMP_STRING}, {"node-name", QMP_STRING}, {"size", QMP_INT | QMP_REQUIRED}},
     false},
    {"blockdev-change-medium",
     blockdev_change_medium,
     {{"device", QMP_STRING},
      {"id", QMP_STRING},
      {"filename", QMP_STRING | QMP_REQUIRED},
      {"format", QMP_STRING},
      {"force", QMP_BOOL},
      {"read-only-mode", QMP_STRING}},
     false},
    {"change",
     change,
     {{"device", QMP_STRING | QMP_REQUIRED},
      {"target", QMP_STRING | QMP_REQUIRED},
      {"arg", QMP_STRING}},
     false},
    {"add-fd", add_fd, {{"fdset-id", QMP_INT}, {"opaque", QMP_STRING}}, false},
    {"remove-fd", remove_fd, {{"fdset-id", QMP_INT | QMP_REQUIRED}, {"fd", QMP_INT}}, false},
    {"query-fdsets", query_fdsets, {{NULL, 0}}, false},
    {NULL, NULL, {{NULL, 0}}, false},
};
