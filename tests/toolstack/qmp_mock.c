/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "qmp_mock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- the machine ------------------------------------------------------------------------------
 */

__attribute__((format(printf, 2, 3))) static void note(struct mock *m, const char *fmt, ...)
{
    size_t len = strlen(m->calls);
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(m->calls + len, sizeof(m->calls) - len, fmt, ap);
    va_end(ap);
    len = strlen(m->calls);
    snprintf(m->calls + len, sizeof(m->calls) - len, "; ");
}

static int outcome(struct mock *m, struct qmp_error *err)
{
    if (m->rc && m->rc_text)
        qmp_fail(err, m->rc_class, "%s", m->rc_text);
    return m->rc;
}

static void late(struct mock *m, struct qmp_reply *reply)
{
    if (m->hold) {
        assert_true(m->helds < 8);
        m->held[m->helds++] = reply;
    } else if (m->rc) {
        qmp_reply_fail(reply, m->rc_class, "%s", m->rc_text);
    } else {
        qmp_reply_ok(reply);
    }
}

static void keep_fd(struct mock *m, int fd)
{
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    if (m->fd >= 0)
        close(m->fd);
    m->fd = fd;
}

static const char *guest_name(void *opaque)
{
    return ((struct mock *)opaque)->name;
}

static enum qmp_run_state run_state(void *opaque)
{
    return ((struct mock *)opaque)->state;
}

static int cont(void *opaque, struct qmp_error *err)
{
    note(opaque, "cont");
    return outcome(opaque, err);
}

static void stop(void *opaque, struct qmp_reply *reply)
{
    note(opaque, "stop");
    late(opaque, reply);
}

static void quit(void *opaque)
{
    note(opaque, "quit");
}

static int powerdown(void *opaque, struct qmp_error *err)
{
    note(opaque, "powerdown");
    return outcome(opaque, err);
}

static int reset(void *opaque, struct qmp_error *err)
{
    note(opaque, "reset");
    return outcome(opaque, err);
}

static int wakeup(void *opaque, struct qmp_error *err)
{
    note(opaque, "wakeup");
    return outcome(opaque, err);
}

static void each_chardev(void *opaque, void (*each)(void *to, const struct qmp_chardev *), void *to)
{
    static const struct qmp_chardev list[] = {
        {"libxl-cmd", "unix:/var/run/xen/qmp-libxl-7,server=on", true},
        {"libxenstat-cmd", "unix:/var/run/xen/qmp-libxenstat-7,server=on", true},
        {"serial0", "pty:/dev/pts/3", true},
        {"serial1", "file", true},
    };

    for (size_t i = 0; i < 4; i++)
        each(to, &list[i]);
}

static void each_nic(void *opaque, void (*each)(void *to, const struct qmp_nic *), void *to)
{
    static const struct qmp_nic list[] = {
        {"nic0", "rtl8139", {0, 0x16, 0x3e, 1, 2, 0xff}, "net0", "tap", true, false},
        {"nic1", "e1000", {0, 0x16, 0x3e, 1, 2, 4}, "net1", "stream", false, false},
        {"rtl8139.2", "rtl8139", {0x52, 0x54, 0, 1, 2, 5}, NULL, "none", false, true},
    };

    for (size_t i = 0; i < 3; i++)
        each(to, &list[i]);
}

static int set_link(void *opaque, const char *name, bool up, struct qmp_error *err)
{
    note(opaque, "set_link %s %d", name, up);
    return outcome(opaque, err);
}

static void each_vnc(void *opaque, void (*each)(void *to, const struct qmp_vnc *), void *to)
{
    static const struct qmp_vnc_client client = {"10.0.0.9", "40123", "ipv4", false};
    static const struct qmp_vnc server = {"default", "127.0.0.1", "5900",  "ipv4",
                                          "5700",    "none",      &client, 1};
    static const struct qmp_vnc local = {"local", "/run/vnc.sock", NULL, "unix",
                                         NULL,    "vnc",           NULL, 0};

    if (((struct mock *)opaque)->no_vnc)
        return;
    each(to, &server);
    each(to, &local);
}

static int vnc_password(void *opaque, const char *password, struct qmp_error *err)
{
    note(opaque, "password %s", password);
    return outcome(opaque, err);
}

static int vnc_expire(void *opaque, int64_t when, struct qmp_error *err)
{
    note(opaque, "expire %lld", (long long)when);
    return outcome(opaque, err);
}

static void each_cpu(void *opaque, void (*each)(void *to, const struct qmp_cpu *), void *to)
{
    for (unsigned i = 0; i < 4; i++)
        each(to, &(struct qmp_cpu){.index = i, .online = i < 2});
}

static int cpu_add(void *opaque, unsigned index, struct qmp_error *err)
{
    note(opaque, "cpu %u", index);
    return outcome(opaque, err);
}

static void each_pci(void *opaque, void (*each)(void *to, const struct qmp_pci_device *), void *to)
{
    static const struct qmp_pci_region bars[] = {
        {.bar = 0, .prefetch = true, .wide = true, .address = 0xf0000000, .size = 0x1000000},
        {.bar = 1, .io = true, .address = UINT64_MAX, .size = 256},
    };
    static const struct qmp_pci_device bridge = {
        .vendor = 0x8086, .device = 0x1237, .class_code = 0x600, .description = "Host bridge"};
    static const struct qmp_pci_device card = {.slot = 5,
                                               .vendor = 0x8086,
                                               .device = 0x1503,
                                               .subsystem_vendor = 0x8086,
                                               .subsystem = 1,
                                               .class_code = 0x200,
                                               .qdev_id = "pci-pt-02_00.0",
                                               .irq_pin = 1,
                                               .irq = 10,
                                               .regions = bars,
                                               .region_count = 2};
    static const struct qmp_pci_device behind = {.bus = 1, .vendor = 0x1af4};

    each(to, &bridge);
    each(to, &card);
    each(to, &behind);
}

static int device_add(void *opaque, const struct qmp_device_add *device, struct qmp_error *err)
{
    note(opaque, "device_add %s %s", device->driver, device->id ? device->id : "-");
    for (size_t i = 0; i < device->property_count; i++)
        note(opaque, "%s=%s", device->properties[i].name, device->properties[i].value);
    return outcome(opaque, err);
}

static int device_del(void *opaque, const char *id, struct qmp_error *err)
{
    note(opaque, "device_del %s", id);
    return outcome(opaque, err);
}

static void each_block(void *opaque, void (*each)(void *to, const struct qmp_block *), void *to)
{
    struct mock *m = opaque;
    struct qmp_block disk = {
        .device = "ide0-hd0",
        .inserted = true,
        .file = m->odd_file ? m->odd_file : "/srv/vm/win.qcow2",
        .format = "raw",
        .size = 1 << 20,
        .stats = {.read_bytes = 1234176, .write_bytes = 4096, .read_ops = 301, .write_ops = 1},
    };
    static const struct qmp_block cd = {.device = "ide-5632", .qdev = "cd0", .removable = true};

    each(to, &disk);
    each(to, &cd);
}

static int eject(void *opaque, const char *drive, bool force, struct qmp_error *err)
{
    note(opaque, "eject %s %d", drive, force);
    return outcome(opaque, err);
}

static int insert(void *opaque, const char *drive, const struct qmp_medium *medium,
                  struct qmp_error *err)
{
    note(opaque, "insert %s %s %s", drive, medium->filename, medium->format);
    keep_fd(opaque, medium->fd);
    return outcome(opaque, err);
}

static int log_dirty(void *opaque, bool on, struct qmp_error *err)
{
    note(opaque, "log_dirty %d", on);
    return outcome(opaque, err);
}

static void save(void *opaque, int fd, bool live, struct qmp_reply *reply)
{
    note(opaque, "save %d", live);
    keep_fd(opaque, fd);
    late(opaque, reply);
}

static void load(void *opaque, int fd, struct qmp_reply *reply)
{
    note(opaque, "load");
    keep_fd(opaque, fd);
    late(opaque, reply);
}

static void screendump(void *opaque, int fd, enum qmp_picture format, struct qmp_reply *reply)
{
    note(opaque, "screendump %s", format == QMP_PICTURE_PNG ? "png" : "ppm");
    keep_fd(opaque, fd);
    late(opaque, reply);
}

static int key_from_qcode(const char *name)
{
    return strcmp(name, "ctrl") == 0 ? 29 : strcmp(name, "alt") == 0 ? 56 : -ENOENT;
}

static int key_from_number(uint32_t number)
{
    return number == 0xd3 ? 111 : -ENOENT;
}

static int send_keys(void *opaque, const uint16_t *keys, size_t count, unsigned hold_ms,
                     struct qmp_error *err)
{
    note(opaque, "keys for %u ms", hold_ms);
    for (size_t i = 0; i < count; i++)
        note(opaque, "%u", keys[i]);
    return outcome(opaque, err);
}

static int input(void *opaque, const struct qmp_input_event *events, size_t count,
                 struct qmp_error *err)
{
    static const char *const kinds[] = {"key", "btn", "rel", "abs"};

    for (size_t i = 0; i < count; i++)
        note(opaque, "%s %u %u %d %u %d", kinds[events[i].kind], events[i].key, events[i].button,
             events[i].down, events[i].axis, events[i].value);
    return outcome(opaque, err);
}

static const struct qmp_ops all_ops = {
    .guest_name = guest_name,
    .run_state = run_state,
    .cont = cont,
    .stop = stop,
    .quit = quit,
    .powerdown = powerdown,
    .reset = reset,
    .wakeup = wakeup,
    .each_chardev = each_chardev,
    .each_vnc = each_vnc,
    .each_nic = each_nic,
    .set_link = set_link,
    .vnc_password = vnc_password,
    .vnc_expire = vnc_expire,
    .each_cpu = each_cpu,
    .cpu_add = cpu_add,
    .each_pci = each_pci,
    .device_add = device_add,
    .device_del = device_del,
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

/* ---- the client -------------------------------------------------------------------------------
 */

void mock_settle(struct mock *m)
{
    for (int i = 0; i < 100; i++)
        loop_turn(m->loop, 0);
}

void mock_advance(struct mock *m, uint64_t ns)
{
    m->now += ns;
    mock_settle(m);
}

int mock_connect(struct mock *m, unsigned flags)
{
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(qmp_connect_fd(m->qmp, pair[1], flags), 0);
    mock_settle(m);
    return pair[0];
}

void mock_send(struct mock *m, int client, const void *data, size_t len)
{
    const char *next = data;

    while (len) {
        ssize_t n = send(client, next, len, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && errno == EPIPE)
            return; /* dropped: the test will see */
        if (n > 0) {
            next += n;
            len -= (size_t)n;
        }
        loop_turn(m->loop, 0);
    }
    mock_settle(m);
}

void mock_say(struct mock *m, int client, const char *text)
{
    mock_send(m, client, text, strlen(text));
}

void mock_say_fds(struct mock *m, int client, const char *text, const int *fds, size_t count)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int) * 64)];
        struct cmsghdr align;
    } control = {0};
    struct iovec iov = {.iov_base = (void *)(uintptr_t)text, .iov_len = strlen(text)};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control.bytes,
                         .msg_controllen = CMSG_SPACE(sizeof(int) * count)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int) * count);
    memcpy(CMSG_DATA(c), fds, sizeof(int) * count);
    assert_int_equal(sendmsg(client, &msg, 0), iov.iov_len);
    mock_settle(m);
}

const char *mock_receive(struct mock *m, int client)
{
    static char buf[6u << 20];
    size_t len = 0;
    ssize_t n;

    for (;;) {
        mock_settle(m);
        n = recv(client, buf + len, sizeof(buf) - 1 - len, MSG_DONTWAIT);
        if (n <= 0)
            break;
        len += (size_t)n;
    }
    buf[len] = '\0';
    return buf;
}

bool mock_closed(struct mock *m, int client)
{
    char c;

    mock_settle(m);
    return recv(client, &c, 1, MSG_DONTWAIT | MSG_PEEK) == 0 ||
           (errno != EAGAIN && errno != EWOULDBLOCK);
}

const char *mock_ask(struct mock *m, const char *text)
{
    mock_say(m, m->client, text);
    return mock_receive(m, m->client);
}

const char *mock_calls(struct mock *m)
{
    static char calls[sizeof(m->calls)];

    memcpy(calls, m->calls, sizeof(calls));
    m->calls[0] = '\0';
    return calls;
}

void mock_expect_error(struct mock *m, const char *text, const char *class, const char *part)
{
    char start[128];
    const char *answer = mock_ask(m, text);

    snprintf(start, sizeof(start), "{\"error\":{\"class\":\"%s\",\"desc\":\"", class);
    if (strncmp(answer, start, strlen(start)) != 0 || !strstr(answer, part) ||
        strcmp(strchr(answer, '\r') ? strchr(answer, '\r') : "", "\r\n") != 0)
        fail_msg("%s: expected %s with '%s', got %s", text, class, part, answer);
}

int mock_file(int flags)
{
    char name[64];
    int memory = memfd_create("test", MFD_CLOEXEC), fd;

    assert_true(memory >= 0);
    assert_int_equal(write(memory, "old content", 11), 11);
    snprintf(name, sizeof(name), "/proc/self/fd/%d", memory);
    fd = open(name, flags | O_CLOEXEC);
    assert_true(fd >= 0);
    close(memory);
    return fd;
}

void mock_make_medium(void)
{
    int fd = open("medium", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    close(fd);
}

void mock_drop_files(void)
{
    unlink("medium");
    unlink("out");
}

int mock_open_fds(void)
{
    int n = 0;

    for (int fd = 0; fd < 256; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

int mock_setup(void **state)
{
    struct mock *m = calloc(1, sizeof(*m));

    assert_non_null(m);
    m->ops = all_ops;
    m->now = 1000;
    m->fd = -1;
    m->state = QMP_STATE_RUNNING;
    m->name = "web1";
    assert_int_equal(loop_create(&m->loop), 0);
    loop_set_test_clock(m->loop, &m->now);
    assert_int_equal(qmp_create(&m->qmp, m->loop, &m->ops, m), 0);
    m->client = mock_connect(m, 0);
    mock_receive(m, m->client);
    assert_string_equal(mock_ask(m, "{\"execute\":\"qmp_capabilities\"}"), "{\"return\":{}}\r\n");
    *state = m;
    return 0;
}

int mock_teardown(void **state)
{
    struct mock *m = *state;

    qmp_destroy(m->qmp);
    for (unsigned i = 0; i < m->helds; i++)
        qmp_reply_ok(m->held[i]); /* owed beyond the end: does nothing */
    loop_destroy(m->loop);
    if (m->client >= 0)
        close(m->client);
    if (m->fd >= 0)
        close(m->fd);
    free(m);
    return 0;
}
