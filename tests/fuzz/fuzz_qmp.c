/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A QMP client that says anything, over a real socket pair.
 *
 * The first byte chooses what is built and whether capabilities have been negotiated; then each
 * record is a byte of control (what happens besides: a descriptor comes along, time passes, late
 * replies are given, an event is sent, the client stops reading) and a line of input up to 0x00.
 *
 * Whatever is sent: each answer is a line that ends with CR LF and holds one JSON object in UTF-8,
 * and when the client has gone, no connection, descriptor or set is left.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <json-c/json.h>

#include "dm/passfd.h"
#include "toolstack/qmp_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);

#define CHECK(x)                                                                                   \
    do {                                                                                           \
        if (!(x))                                                                                  \
            __builtin_trap();                                                                      \
    } while (0)

/* Commands name files: none of the host's may be touched (the linker puts these in place). */
int __wrap_open(const char *path, int flags, ...)
{
    return memfd_create("fuzz", MFD_CLOEXEC);
}

int __wrap_open64(const char *path, int flags, ...)
{
    return memfd_create("fuzz", MFD_CLOEXEC);
}

/* An operation takes its descriptor: one of ours, or the linker has failed us. */
static void take_fd(int fd)
{
    CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC);
    CHECK(fcntl(fd, F_GET_SEALS) >= 0);
    close(fd);
}

/* ---- a machine that agrees to everything
 * --------------------------------------------------------- */

struct machine {
    bool hold;
    struct qmp_reply *held[64];
    unsigned helds;
    unsigned quits;
};

static enum qmp_run_state run_state(void *opaque)
{
    return QMP_STATE_RUNNING;
}

static const char *guest_name(void *opaque)
{
    return "n\xff\xc3";
}

static int simple(void *opaque, struct qmp_error *err)
{
    return 0;
}

static void late(struct machine *m, struct qmp_reply *reply)
{
    if (m->hold && m->helds < 64)
        m->held[m->helds++] = reply;
    else if (m->helds & 1)
        qmp_reply_fail(reply, QMP_DEVICE_NOT_ACTIVE, "no\n");
    else
        qmp_reply_ok(reply);
}

static void stop(void *opaque, struct qmp_reply *reply)
{
    late(opaque, reply);
}

static void quit(void *opaque)
{
    ((struct machine *)opaque)->quits++;
}

static void each_chardev(void *opaque, void (*each)(void *to, const struct qmp_chardev *), void *to)
{
    each(to, &(struct qmp_chardev){"serial0", "pty:/dev/pts/3", true});
}

static void each_vnc(void *opaque, void (*each)(void *to, const struct qmp_vnc *), void *to)
{
    each(to, &(struct qmp_vnc){"default", "::", "5900", "ipv6", NULL, "none", NULL, 0});
}

static int text_op(void *opaque, const char *text, struct qmp_error *err)
{
    qmp_fail(err, QMP_GENERIC_ERROR, "%s", text);
    return strlen(text) > 200 ? -1 : 0;
}

static int vnc_expire(void *opaque, int64_t when, struct qmp_error *err)
{
    return 0;
}

static void each_cpu(void *opaque, void (*each)(void *to, const struct qmp_cpu *), void *to)
{
    each(to, &(struct qmp_cpu){0, true});
    each(to, &(struct qmp_cpu){1, false});
}

static int cpu_add(void *opaque, unsigned index, struct qmp_error *err)
{
    CHECK(index == 1);
    return 0;
}

static void each_pci(void *opaque, void (*each)(void *to, const struct qmp_pci_device *), void *to)
{
    each(to, &(struct qmp_pci_device){.slot = 1});
}

static int device_add(void *opaque, const struct qmp_device_add *device, struct qmp_error *err)
{
    size_t bytes = strlen(device->driver) + (device->id ? strlen(device->id) : 0);

    for (size_t i = 0; i < device->property_count; i++)
        bytes += strlen(device->properties[i].name) + strlen(device->properties[i].value);
    return bytes > 100 ? -1 : 0;
}

static void each_block(void *opaque, void (*each)(void *to, const struct qmp_block *), void *to)
{
    each(to, &(struct qmp_block){.device = "ide-5632", .removable = true});
    each(to, &(struct qmp_block){.device = "d", .inserted = true, .file = "\x80", .format = "raw"});
}

static int eject(void *opaque, const char *drive, bool force, struct qmp_error *err)
{
    return text_op(opaque, drive, err);
}

static int insert(void *opaque, const char *drive, const struct qmp_medium *medium,
                  struct qmp_error *err)
{
    take_fd(medium->fd);
    return text_op(opaque, drive, err);
}

static int log_dirty(void *opaque, bool on, struct qmp_error *err)
{
    return 0;
}

static void save(void *opaque, int fd, bool live, struct qmp_reply *reply)
{
    take_fd(fd);
    late(opaque, reply);
}

static void load(void *opaque, int fd, struct qmp_reply *reply)
{
    take_fd(fd);
    late(opaque, reply);
}

static void screendump(void *opaque, int fd, enum qmp_picture format, struct qmp_reply *reply)
{
    take_fd(fd);
    late(opaque, reply);
}

static int key_from_qcode(const char *name)
{
    return (int)strlen(name) - 2;
}

static int key_from_number(uint32_t number)
{
    CHECK(number <= 0xff);
    return (int)number - 3;
}

static int send_keys(void *opaque, const uint16_t *keys, size_t count, unsigned hold_ms,
                     struct qmp_error *err)
{
    CHECK(count > 0 && count <= QMP_KEYS_MAX && hold_ms <= 60000);
    return 0;
}

static int input(void *opaque, const struct qmp_input_event *events, size_t count,
                 struct qmp_error *err)
{
    CHECK(count > 0 && count <= QMP_INPUT_MAX);
    for (size_t i = 0; i < count; i++)
        CHECK(events[i].value >= -0x7fff && events[i].value <= 0x7fff);
    return 0;
}

static const struct qmp_ops full = {
    .guest_name = guest_name,
    .run_state = run_state,
    .cont = simple,
    .stop = stop,
    .quit = quit,
    .powerdown = simple,
    .reset = simple,
    .wakeup = simple,
    .each_chardev = each_chardev,
    .each_vnc = each_vnc,
    .vnc_password = text_op,
    .vnc_expire = vnc_expire,
    .each_cpu = each_cpu,
    .cpu_add = cpu_add,
    .each_pci = each_pci,
    .device_add = device_add,
    .device_del = text_op,
    .each_block = each_block,
    .eject = eject,
    .insert = insert,
    .log_dirty = log_dirty,
    .save = save,
    .load = load,
    .screendump = screendump,
    .key_from_qcode = key_from_qcode,
    .key_from_number = key_from_number,
    .send_keys = send_keys,
    .input = input,
};
static const struct qmp_ops none;

/* ---- the client
 * ---------------------------------------------------------------------------------- */

struct client {
    int fd;
    char *got; /* not yet a whole line */
    size_t len;
};

static void check_line(const char *line, size_t len)
{
    struct json_tokener *tokener = json_tokener_new_ex(64);
    struct json_object *object;

    for (size_t i = 0, n; i < len; i += n) {
        n = qmp_utf8_length((const uint8_t *)line + i, len - i);
        CHECK(n > 0);
    }
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
    object = json_tokener_parse_ex(tokener, line, (int)len);
    CHECK(json_object_is_type(object, json_type_object));
    CHECK(json_tokener_get_parse_end(tokener) == len);
    json_object_put(object);
    json_tokener_free(tokener);
}

static void read_answers(struct client *client)
{
    char buf[16384], *end;
    ssize_t n;

    while ((n = recv(client->fd, buf, sizeof(buf), MSG_DONTWAIT)) > 0) {
        client->got = realloc(client->got, client->len + (size_t)n);
        CHECK(client->got);
        memcpy(client->got + client->len, buf, (size_t)n);
        client->len += (size_t)n;
    }
    while (client->len && (end = memmem(client->got, client->len, "\r\n", 2))) {
        size_t line = (size_t)(end - client->got);

        check_line(client->got, line);
        client->len -= line + 2;
        memmove(client->got, end + 2, client->len);
    }
}

static void turns(struct loop *loop, int n)
{
    while (n-- > 0)
        loop_turn(loop, 0);
}

static void say(struct client *client, const uint8_t *data, size_t len, bool with_fd)
{
    int fd = with_fd ? memfd_create("client", MFD_CLOEXEC) : -1;

    if (len)
        (void)!passfd_send(client->fd, data, len, fd, MSG_DONTWAIT);
    if (fd >= 0)
        close(fd);
}

static void release(struct machine *m)
{
    while (m->helds) {
        struct qmp_reply *reply = m->held[--m->helds];

        if (m->helds & 1)
            qmp_reply_fail(reply, QMP_GENERIC_ERROR, "%s", "\xc3\xa4");
        else
            qmp_reply_ok(reply);
    }
}

static void count_fd(void *to, int64_t id, int fd, const char *opaque)
{
    ++*(unsigned *)to;
}

static int lowest_fd(void)
{
    int fd = dup(0);

    close(fd);
    return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t hello[] = "{\"execute\":\"qmp_capabilities\"}";
    struct machine m = {0};
    struct client client = {0};
    struct loop *loop;
    struct qmp *qmp;
    uint64_t now = 1;
    unsigned sets = 0;
    int pair[2], before = lowest_fd();
    const uint8_t *end = data + size;

    if (size == 0)
        return 0;
    CHECK(loop_create(&loop) == 0);
    loop_set_test_clock(loop, &now);
    CHECK(qmp_create(&qmp, loop, *data & 1 ? &none : &full, &m) == 0);
    m.hold = *data & 2;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    client.fd = pair[0];
    CHECK(qmp_connect_fd(qmp, pair[1], *data & 4 ? QMP_PRETTY : 0) == 0);
    if (!(*data & 8))
        say(&client, hello, sizeof(hello) - 1, false);
    for (data++; data < end;) {
        uint8_t control = *data++;
        const uint8_t *stop_at = memchr(data, 0, (size_t)(end - data));
        size_t len = (size_t)((stop_at ? stop_at : end) - data);

        say(&client, data, len, control & 1);
        turns(loop, control & 2 ? 1 : 6);
        if (control & 4)
            release(&m);
        if (control & 8)
            qmp_event(qmp, "STOP", control & 2 ? "{\"a\":1}" : NULL);
        if (control & 16)
            now += 3000000000;
        if (!(control & 32))
            read_answers(&client);
        if (control & 64)
            shutdown(client.fd, SHUT_WR);
        data += len + (stop_at != NULL);
    }
    turns(loop, 20);
    read_answers(&client);
    close(client.fd);
    turns(loop, 20);
    release(&m);
    turns(loop, 20);
    CHECK(qmp_connections(qmp) == 0);
    fdsets_each(qmp_fdsets(qmp), count_fd, &sets);
    CHECK(sets == 0);
    CHECK(m.quits <= 1);
    qmp_destroy(qmp);
    loop_destroy(loop);
    CHECK(lowest_fd() == before);
    free(client.got);
    return 0;
}
