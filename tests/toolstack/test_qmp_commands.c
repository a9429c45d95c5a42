/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Each QMP command by itself: its arguments, good and bad; its operation, failing and missing. */
#include "qmp_mock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* ---- arguments --------------------------------------------------------------------------------
 */

static void test_wrong_arguments(void **state)
{
    static const struct {
        const char *command, *arguments, *part;
    } rows[] = {
        {"cont", "{\"x\":1}", "cont takes no argument 'x'"},
        {"query-status", "{\"\":null}", "takes no argument ''"},
        {"eject", "{\"id\":3}", "'id' of eject must be a string"},
        {"eject", "{\"id\":null}", "must be a string"},
        {"eject", "{\"id\":{}}", "must be a string"},
        {"eject", "{\"id\":\"a\\u0000b\"}", "contains a NUL"},
        {"eject", "{\"id\":\"a\",\"force\":\"yes\"}", "'force' of eject must be a boolean"},
        {"eject", "{\"id\":\"a\",\"force\":1}", "must be a boolean"},
        {"eject", "{}", "one of 'id' and 'device'"},
        {"eject", "{\"id\":\"a\",\"device\":\"b\"}", "one of 'id' and 'device'"},
        {"blockdev-change-medium", "{\"id\":\"a\"}",
         "'filename' of blockdev-change-medium is missing"},
        {"blockdev-change-medium", "{\"filename\":\"a\"}", "one of 'id' and 'device'"},
        {"block_resize", "{\"device\":\"a\",\"size\":0}", "'size' must be greater than 0"},
        {"block_resize", "{\"node-name\":\"a\",\"size\":1}", "'device' must name the drive"},
        {"blockdev-open-tray", "{}", "one of 'id' and 'device'"},
        {"blockdev-change-medium",
         "{\"id\":\"a\",\"filename\":\"b\",\"read-only-mode\":\"read-write\"}", "read-only-mode"},
        {"change", "{\"device\":\"a\"}", "'target' of change is missing"},
        {"change", "{\"device\":\"vnc\",\"target\":\"listen\"}", "only the password"},
        {"change-vnc-password", "{}", "'password' of change-vnc-password is missing"},
        {"set_password", "{\"protocol\":\"spice\",\"password\":\"x\"}", "protocol 'spice'"},
        {"set_password", "{\"protocol\":\"vnc\",\"password\":\"x\",\"connected\":\"fail\"}",
         "'connected' must be 'keep'"},
        {"expire_password", "{\"protocol\":\"vnc\",\"time\":\"soon\"}", "time 'soon'"},
        {"expire_password", "{\"protocol\":\"vnc\",\"time\":\"\"}", "time ''"},
        {"expire_password", "{\"protocol\":\"vnc\",\"time\":\"+\"}", "time '+'"},
        {"expire_password", "{\"protocol\":\"vnc\",\"time\":\"-5\"}", "time '-5'"},
        {"expire_password", "{\"protocol\":\"vnc\",\"time\":\"+-5\"}", "time '+-5'"},
        {"expire_password", "{\"protocol\":\"vnc\",\"time\":\"+9223372036854775807\"}", "time '+9"},
        {"expire_password", "{\"protocol\":\"vnc\",\"time\":\"9223372036854775808\"}", "time '9"},
        {"xen-set-global-dirty-log", "{}", "'enable' of xen-set-global-dirty-log is missing"},
        {"xen-set-global-dirty-log", "{\"enable\":1}", "must be a boolean"},
        {"xen-save-devices-state", "{}", "'filename' of xen-save-devices-state is missing"},
        {"xen-save-devices-state", "{\"filename\":\"/dev/fdset/9\"}", "no descriptor set"},
        {"xen-save-devices-state", "{\"filename\":\"/dev/fdset/x\"}", "cannot be used"},
        {"xen-save-devices-state", "{\"filename\":\"/no/such/folder/x\"}", "cannot open"},
        {"xen-save-devices-state", "{\"filename\":\"/dev/null\"}", "not a regular file"},
        {"xen-load-devices-state", "{\"filename\":\"/dev/null\"}", "neither a regular file nor"},
        {"screendump", "{\"filename\":\"/dev/full\",\"format\":\"gif\"}", "format 'gif'"},
        {"screendump", "{\"filename\":\"/dev/full\"}", "not a regular file"},
        {"screendump", "{\"filename\":\"x\",\"head\":1}", "one screen only"},
        {"screendump", "{\"filename\":\"x\",\"device\":\"v\"}", "one screen only"},
        {"query-blockstats", "{\"query-nodes\":true}", "no nodes"},
        {"query-command-line-options", "{\"option\":\"frob\"}", "'frob'"},
        {"remove-fd", "{\"fdset-id\":4}", "no descriptor set 4"},
        {"remove-fd", "{\"fdset-id\":-1}", "no descriptor set -1"},
        {"remove-fd", "{\"fdset-id\":0,\"fd\":4294967296}", "no such descriptor"},
        {"remove-fd", "{\"fdset-id\":18446744073709551615}", "no descriptor set"},
        {"device_del", "{}", "'id' of device_del is missing"},
        {"device_add", "{\"id\":\"x\"}", "'driver' of device_add is missing"},
        {"device_add", "{\"driver\":\"x\",\"prop\":{}}", "'prop' must be a plain value"},
        {"device_add", "{\"driver\":\"x\",\"prop\":null}", "'prop' must be a plain value"},
        {"device_add", "{\"driver\":\"x\",\"prop\":\"\\u0000\"}", "contains a NUL"},
        {"device_add", "{\"driver\":\"qemu32-i386-cpu\"}", "needs a 'socket-id'"},
        {"device_add", "{\"driver\":\"qemu32-i386-cpu\",\"socket-id\":\"2x\"}",
         "needs a 'socket-id'"},
        {"device_add", "{\"driver\":\"qemu32-i386-cpu\",\"socket-id\":\"\"}",
         "needs a 'socket-id'"},
        {"device_add", "{\"driver\":\"qemu32-i386-cpu\",\"socket-id\":-2}", "needs a 'socket-id'"},
        {"device_add", "{\"driver\":\"qemu32-i386-cpu\",\"socket-id\":4294967298}", "no vCPU"},
        {"device_add", "{\"driver\":\"qemu32-i386-cpu\",\"socket-id\":2,\"core-id\":1}",
         "must be 0"},
        {"device_add", "{\"driver\":\"qemu32-i386-cpu\",\"socket-id\":2,\"apic-id\":1}",
         "no property 'apic-id'"},
        {"send-key", "{}", "'keys' of send-key is missing"},
        {"send-key", "{\"keys\":\"ctrl\"}", "'keys' of send-key must be an array"},
        {"send-key", "{\"keys\":[]}", "1 to 16 keys"},
        {"send-key", "{\"keys\":[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]}", "1 to 16 keys"},
        {"send-key", "{\"keys\":[1]}", "a key is"},
        {"send-key", "{\"keys\":[null]}", "a key is"},
        {"send-key", "{\"keys\":[{}]}", "a key is"},
        {"send-key", "{\"keys\":[{\"type\":\"qcode\",\"data\":29}]}", "a key is"},
        {"send-key", "{\"keys\":[{\"type\":\"number\",\"data\":\"x\"}]}", "a key is"},
        {"send-key", "{\"keys\":[{\"type\":\"qcode\",\"data\":\"hyper\"}]}", "no key 'hyper'"},
        {"send-key", "{\"keys\":[{\"type\":\"number\",\"data\":1}]}", "no key with the number 1"},
        {"send-key", "{\"keys\":[{\"type\":\"number\",\"data\":-1}]}", "number -1"},
        {"send-key", "{\"keys\":[{\"type\":\"number\",\"data\":4294967507}]}", "number 4294967507"},
        {"send-key", "{\"keys\":[{\"type\":\"qcode\",\"data\":\"ctrl\"}],\"hold-time\":-1}",
         "'hold-time'"},
        {"send-key", "{\"keys\":[{\"type\":\"qcode\",\"data\":\"ctrl\"}],\"hold-time\":60001}",
         "'hold-time'"},
        {"input-send-event", "{\"events\":[7]}", "an event needs"},
        {"input-send-event", "{\"events\":[{\"type\":\"mtt\",\"data\":{}}]}", "an event needs"},
        {"input-send-event", "{\"events\":[{\"type\":\"key\"}]}", "an event needs"},
        {"input-send-event", "{\"events\":[{\"type\":\"key\",\"data\":{}}]}", "'down' and 'key'"},
        {"input-send-event",
         "{\"events\":[{\"type\":\"key\",\"data\":{\"down\":true,\"key\":{\"type\":\"qcode\","
         "\"data\":\"hyper\"}}}]}",
         "no key 'hyper'"},
        {"input-send-event",
         "{\"events\":[{\"type\":\"btn\",\"data\":{\"down\":true,\"button\":\"fourth\"}}]}",
         "the name of a 'button'"},
        {"input-send-event",
         "{\"events\":[{\"type\":\"rel\",\"data\":{\"axis\":\"z\",\"value\":1}}]}", "'axis'"},
        {"input-send-event",
         "{\"events\":[{\"type\":\"rel\",\"data\":{\"axis\":\"x\",\"value\":40000}}]}", "'value'"},
        {"input-send-event",
         "{\"events\":[{\"type\":\"abs\",\"data\":{\"axis\":\"x\",\"value\":-1}}]}", "from 0"},
        {"input-send-event",
         "{\"events\":[{\"type\":\"abs\",\"data\":{\"axis\":\"x\",\"value\":1.5}}]}", "'value'"},
        {"human-monitor-command", "{}", "'command-line' of human-monitor-command is missing"},
    };
    struct mock *m = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char ask[512];

        snprintf(ask, sizeof(ask), "{\"execute\":\"%s\",\"arguments\":%s}", rows[i].command,
                 rows[i].arguments);
        mock_expect_error(m, ask, "GenericError", rows[i].part);
    }
    assert_string_equal(mock_calls(m), "");
}

static void test_too_many_properties_and_events(void **state)
{
    struct mock *m = *state;
    char ask[8192];
    size_t len =
        (size_t)sprintf(ask, "{\"execute\":\"device_add\",\"arguments\":{\"driver\":\"x\"");

    for (int i = 0; i < 33; i++)
        len += (size_t)sprintf(ask + len, ",\"p%d\":%d", i, i);
    sprintf(ask + len, "}}");
    mock_expect_error(m, ask, "GenericError", "at most 32 properties");
    len = (size_t)sprintf(ask, "{\"execute\":\"input-send-event\",\"arguments\":{\"events\":[");
    for (int i = 0; i < 65; i++)
        len += (size_t)sprintf(
            ask + len, "%s{\"type\":\"rel\",\"data\":{\"axis\":\"x\",\"value\":1}}", i ? "," : "");
    sprintf(ask + len, "]}}");
    mock_expect_error(m, ask, "GenericError", "at most 64 events");
    assert_string_equal(mock_calls(m), "");
}

/* ---- operations that fail or are not there ------------------------------------------------------
 */

struct row {
    const char *ask, *calls;
    size_t op; /* offset in struct qmp_ops */
};

#define OP(member) offsetof(struct qmp_ops, member)

static const struct row acting[] = {
    {"{\"execute\":\"cont\"}", "cont; ", OP(cont)},
    {"{\"execute\":\"stop\"}", "stop; ", OP(stop)},
    {"{\"execute\":\"system_powerdown\"}", "powerdown; ", OP(powerdown)},
    {"{\"execute\":\"system_reset\"}", "reset; ", OP(reset)},
    {"{\"execute\":\"system_wakeup\"}", "wakeup; ", OP(wakeup)},
    {"{\"execute\":\"set_link\",\"arguments\":{\"name\":\"nic0\",\"up\":false}}",
     "set_link nic0 0; ", OP(set_link)},
    {"{\"execute\":\"xen-set-global-dirty-log\",\"arguments\":{\"enable\":true}}", "log_dirty 1; ",
     OP(log_dirty)},
    {"{\"execute\":\"change-vnc-password\",\"arguments\":{\"password\":\"\"}}", "password ; ",
     OP(vnc_password)},
    {"{\"execute\":\"set_password\",\"arguments\":{\"protocol\":\"vnc\",\"password\":\"pw\","
     "\"connected\":\"keep\"}}",
     "password pw; ", OP(vnc_password)},
    {"{\"execute\":\"change\",\"arguments\":{\"device\":\"vnc\",\"target\":\"password\","
     "\"arg\":\"pw2\"}}",
     "password pw2; ", OP(vnc_password)},
    {"{\"execute\":\"expire_password\",\"arguments\":{\"protocol\":\"vnc\",\"time\":\"never\"}}",
     "expire 9223372036854775807; ", OP(vnc_expire)},
    {"{\"execute\":\"expire_password\",\"arguments\":{\"protocol\":\"vnc\",\"time\":\"1700000000\"}"
     "}",
     "expire 1700000000; ", OP(vnc_expire)},
    {"{\"execute\":\"cpu-add\",\"arguments\":{\"id\":2}}", "cpu 2; ", OP(cpu_add)},
    {"{\"execute\":\"device_add\",\"arguments\":{\"driver\":\"e1000\",\"mac\":\"00:16:3e:00:00:"
     "01\","
     "\"n\":-5,\"b\":false}}",
     "device_add e1000 -; mac=00:16:3e:00:00:01; n=-5; b=false; ", OP(device_add)},
    {"{\"execute\":\"eject\",\"arguments\":{\"device\":\"a\",\"force\":true}}", "eject a 1; ",
     OP(eject)},
    {"{\"execute\":\"blockdev-change-medium\",\"arguments\":{\"id\":\"a\",\"filename\":\"medium\","
     "\"read-only-mode\":\"retain\",\"force\":false}}",
     "insert a medium raw; ", OP(insert)},
    {"{\"execute\":\"blockdev-change-medium\",\"arguments\":{\"id\":\"a\",\"filename\":\"medium\","
     "\"format\":\"host_device\"}}",
     "insert a medium host_device; ", OP(insert)},
    {"{\"execute\":\"change\",\"arguments\":{\"device\":\"a\",\"target\":\"medium\"}}",
     "insert a medium raw; ", OP(insert)},
    {"{\"execute\":\"xen-save-devices-state\",\"arguments\":{\"filename\":\"out\"}}", "save 1; ",
     OP(save)},
    {"{\"execute\":\"xen-save-devices-state\",\"arguments\":{\"filename\":\"out\",\"live\":false}}",
     "save 0; ", OP(save)},
    {"{\"execute\":\"xen-load-devices-state\",\"arguments\":{\"filename\":\"medium\"}}", "load; ",
     OP(load)},
    {"{\"execute\":\"screendump\",\"arguments\":{\"filename\":\"out\"}}", "screendump ppm; ",
     OP(screendump)},
    {"{\"execute\":\"screendump\",\"arguments\":{\"filename\":\"out\",\"format\":\"png\",\"head\":"
     "0}}",
     "screendump png; ", OP(screendump)},
    {"{\"execute\":\"send-key\",\"arguments\":{\"keys\":[{\"type\":\"qcode\",\"data\":\"ctrl\"},"
     "{\"type\":\"qcode\",\"data\":\"alt\"},{\"type\":\"number\",\"data\":211}]}}",
     "keys for 100 ms; 29; 56; 111; ", OP(send_keys)},
    {"{\"execute\":\"send-key\",\"arguments\":{\"keys\":[{\"type\":\"qcode\",\"data\":\"ctrl\"}],"
     "\"hold-time\":0}}",
     "keys for 0 ms; 29; ", OP(send_keys)},
    {"{\"execute\":\"input-send-event\",\"arguments\":{\"events\":["
     "{\"type\":\"key\",\"data\":{\"down\":true,\"key\":{\"type\":\"qcode\",\"data\":\"alt\"}}},"
     "{\"type\":\"btn\",\"data\":{\"down\":true,\"button\":\"right\"}},"
     "{\"type\":\"btn\",\"data\":{\"down\":false,\"button\":\"wheel-down\"}},"
     "{\"type\":\"rel\",\"data\":{\"axis\":\"y\",\"value\":-3}},"
     "{\"type\":\"abs\",\"data\":{\"axis\":\"x\",\"value\":32767}}]}}",
     "key 56 0 1 0 0; btn 0 2 1 0 0; btn 0 4 0 0 0; rel 0 0 0 1 -3; abs 0 0 0 0 32767; ",
     OP(input)},
};

#define ACTING (sizeof(acting) / sizeof(acting[0]))

static void test_operations(void **state)
{
    struct mock *m = *state;

    mock_make_medium();
    for (size_t i = 0; i < ACTING; i++) {
        expect(m, acting[i].ask, "{\"return\":{}}");
        assert_string_equal(mock_calls(m), acting[i].calls);
    }
    mock_drop_files();
}

static void test_operations_that_fail(void **state)
{
    struct mock *m = *state;

    mock_make_medium();
    for (size_t i = 0; i < ACTING; i++) {
        m->rc = -EIO;
        m->rc_class = QMP_DEVICE_NOT_ACTIVE;
        m->rc_text = "tray \"jammed\"\x01";
        expect(m, acting[i].ask,
               "{\"error\":{\"class\":\"DeviceNotActive\",\"desc\":\"tray "
               "\\\"jammed\\\"\\u0001\"}}");
        assert_string_equal(mock_calls(m), acting[i].calls);
    }
    m->rc_text = NULL;
    expect(m, acting[0].ask,
           "{\"error\":{\"class\":\"GenericError\",\"desc\":\"Input/output error\"}}");
    m->rc = -ENOSYS;
    mock_expect_error(m, acting[0].ask, "GenericError", "not built into this device model");
    mock_drop_files();
}

static void test_operations_that_are_not_built(void **state)
{
    struct mock *m = *state;
    int before;

    mock_make_medium();
    mock_ask(m, "{\"execute\":\"cont\"}");
    mock_calls(m);
    before = mock_open_fds();
    for (size_t i = 0; i < ACTING; i++) {
        struct qmp_ops full = m->ops;

        memset((char *)&m->ops + acting[i].op, 0, sizeof(void *));
        mock_expect_error(m, acting[i].ask, "GenericError", "not built into this device model");
        m->ops = full;
    }
    memset(&m->ops, 0, sizeof(m->ops));
    mock_expect_error(m, "{\"execute\":\"quit\"}", "GenericError", "not built");
    assert_string_equal(mock_calls(m), "");
    assert_int_equal(mock_open_fds(), before); /* no file was left open on the way */
    assert_int_equal(access("out", F_OK), -1);
    mock_drop_files();
}

static void test_lists_that_are_not_built(void **state)
{
    struct mock *m = *state;

    memset(&m->ops, 0, sizeof(m->ops));
    expect(m, "{\"execute\":\"query-chardev\"}", "{\"return\":[]}");
    expect(m, "{\"execute\":\"query-block\"}", "{\"return\":[]}");
    expect(m, "{\"execute\":\"query-blockstats\"}", "{\"return\":[]}");
    expect(m, "{\"execute\":\"query-pci\"}", "{\"return\":[]}");
    expect(m, "{\"execute\":\"query-cpus-fast\"}", "{\"return\":[]}");
    expect(m, "{\"execute\":\"query-vnc\"}", "{\"return\":{\"enabled\":false}}");
    expect(m, "{\"execute\":\"query-vnc-servers\"}", "{\"return\":[]}");
    expect(m, "{\"execute\":\"query-name\"}", "{\"return\":{}}");
    expect(m, "{\"execute\":\"query-status\"}",
           "{\"return\":{\"status\":\"prelaunch\",\"running\":false,\"singlestep\":false}}");
}

/* ---- the others ---------------------------------------------------------------------------------
 */

static void test_small_queries(void **state)
{
    struct mock *m = *state;

    expect(m, "{\"execute\":\"query-name\"}", "{\"return\":{\"name\":\"web1\"}}");
    expect(m, "{\"execute\":\"query-kvm\"}", "{\"return\":{\"enabled\":false,\"present\":false}}");
    expect(m, "{\"execute\":\"query-target\"}", "{\"return\":{\"arch\":\"i386\"}}");
    assert_non_null(strstr(mock_ask(m, "{\"execute\":\"query-cpus\"}"),
                           "{\"return\":[{\"CPU\":0,\"current\":true,\"halted\":false,"));
    expect(m, "{\"execute\":\"query-vnc-servers\"}",
           "{\"return\":[{\"id\":\"default\",\"server\":["
           "{\"host\":\"127.0.0.1\",\"service\":\"5900\",\"family\":\"ipv4\",\"websocket\":false,"
           "\"auth\":\"none\"},"
           "{\"host\":\"127.0.0.1\",\"service\":\"5700\",\"family\":\"ipv4\",\"websocket\":true,"
           "\"auth\":\"none\"}],"
           "\"clients\":[{\"host\":\"10.0.0.9\",\"service\":\"40123\",\"family\":\"ipv4\","
           "\"websocket\":false}],\"auth\":\"none\"},"
           "{\"id\":\"local\",\"server\":[{\"host\":\"/run/vnc.sock\",\"service\":\"0\","
           "\"family\":\"unix\",\"websocket\":false,\"auth\":\"vnc\"}],\"clients\":[],"
           "\"auth\":\"vnc\"}]}");
    expect(m,
           "{\"execute\":\"query-command-line-options\",\"arguments\":{\"option\":\"run-with\"}}",
           "{\"return\":[{\"option\":\"run-with\",\"parameters\":["
           "{\"name\":\"chroot\",\"type\":\"string\"},{\"name\":\"user\",\"type\":\"string\"}]}]}");
}

/* libxl drops the whole connection over one byte that is not UTF-8. */
static void test_names_that_are_not_utf8(void **state)
{
    struct mock *m = *state;

    m->name = "gru\xdf \xe4\xf6\xfc";
    expect(m, "{\"execute\":\"query-name\"}",
           "{\"return\":{\"name\":\"gru\xef\xbf\xbd \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"}}");
    m->name = "sm\xc3\xb8rrebr\xc3\xb8"
              "d \xf0\x9f\x8d\x9e \xe2\x82";
    expect(m, "{\"execute\":\"query-name\"}",
           "{\"return\":{\"name\":\"sm\xc3\xb8rrebr\xc3\xb8"
           "d \xf0\x9f\x8d\x9e \xef\xbf\xbd\xef\xbf\xbd\"}}");
    m->odd_file = "/srv/\xff.img";
    assert_non_null(
        strstr(mock_ask(m, "{\"execute\":\"query-block\"}"), "\"file\":\"/srv/\xef\xbf\xbd.img\""));
}

/* A long text is cut, in a character if it must be, and stays a valid answer. */
static void test_long_error_text(void **state)
{
    struct mock *m = *state;
    char text[600];
    const char *answer;

    for (size_t i = 0; i < sizeof(text) - 1; i++)
        text[i] = i % 2 ? '\xa4' : '\xc3';
    text[sizeof(text) - 1] = '\0';
    m->rc = -EIO;
    m->rc_text = text;
    answer = mock_ask(m, "{\"execute\":\"cont\"}");
    assert_non_null(strstr(answer, "\xc3\xa4\xef\xbf\xbd\"}}\r\n"));
}

static void test_expire_relative(void **state)
{
    struct mock *m = *state;
    long long when = 0, now = time(NULL);

    mock_ask(m, "{\"execute\":\"expire_password\",\"arguments\":{\"protocol\":\"vnc\","
                "\"time\":\"+100\"}}");
    assert_int_equal(sscanf(mock_calls(m), "expire %lld;", &when), 1);
    assert_true(when >= now + 100 && when <= now + 110);
    mock_ask(m, "{\"execute\":\"expire_password\",\"arguments\":{\"protocol\":\"vnc\","
                "\"time\":\"now\"}}");
    assert_int_equal(sscanf(mock_calls(m), "expire %lld;", &when), 1);
    assert_true(when >= now && when <= now + 10);
}

static void test_output_files(void **state)
{
    static const char ask[] =
        "{\"execute\":\"screendump\",\"arguments\":{\"filename\":\"out\",\"format\":\"png\"}}";
    struct mock *m = *state;
    struct stat st;
    int fd = open("out", O_CREAT | O_WRONLY | O_CLOEXEC, 0644);

    /* An old file is emptied, a new one is private, a link is not followed. */
    assert_int_equal(write(fd, "old", 3), 3);
    close(fd);
    expect(m, ask, "{\"return\":{}}");
    assert_int_equal(write(m->fd, "ab", 2), 2);
    assert_int_equal(stat("out", &st), 0);
    assert_int_equal(st.st_size, 2);
    unlink("out");
    expect(m, ask, "{\"return\":{}}");
    assert_int_equal(stat("out", &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    unlink("out");
    mock_make_medium();
    assert_int_equal(symlink("medium", "out"), 0);
    mock_expect_error(m, ask, "GenericError", "cannot open 'out'");
    mock_drop_files();
    /* Nobody reads a FIFO's other end: an error at once, not a hang. */
    assert_int_equal(mkfifo("out", 0600), 0);
    mock_expect_error(m, ask, "GenericError", "cannot open 'out'");
    mock_expect_error(
        m, "{\"execute\":\"change\",\"arguments\":{\"device\":\"a\",\"target\":\"out\"}}",
        "GenericError", "neither a regular file nor a block device");
    mock_drop_files();
}

static void test_screendump_is_late(void **state)
{
    struct mock *m = *state;

    m->hold = true;
    assert_string_equal(mock_ask(m, "{\"execute\":\"screendump\",\"id\":5,"
                                    "\"arguments\":{\"filename\":\"out\"}}"),
                        "");
    qmp_reply_fail(m->held[0], QMP_GENERIC_ERROR, "the disk is %s", "full");
    m->helds = 0;
    assert_string_equal(mock_receive(m, m->client),
                        "{\"error\":{\"class\":\"GenericError\",\"desc\":\"the disk is full\"},"
                        "\"id\":5}\r\n");
    mock_drop_files();
}

static void test_read_only_media_come_read_only(void **state)
{
    struct mock *m = *state;
    int fd = mock_file(O_RDWR);

    mock_say_fds(m, m->client, "{\"execute\":\"add-fd\"}", &fd, 1);
    close(fd);
    mock_receive(m, m->client);
    mock_expect_error(m,
                      "{\"execute\":\"change\",\"arguments\":{\"device\":\"a\","
                      "\"target\":\"/dev/fdset/0\"}}",
                      "GenericError", "opened for reading only");
    assert_string_equal(mock_calls(m), "");
}

static void test_fdsets(void **state)
{
    struct mock *m = *state;
    int file = mock_file(O_RDONLY), fd = -1, other = -1;
    char ask[128], answer[256];

    mock_say_fds(m, m->client, "{", &file, 1);
    close(file);
    file = mock_file(O_WRONLY);
    mock_say(m, m->client,
             "\"execute\":\"add-fd\",\"arguments\":{\"fdset-id\":12,"
             "\"opaque\":\"stub-devid:5632\"}}");
    assert_int_equal(
        sscanf(mock_receive(m, m->client), "{\"return\":{\"fdset-id\":12,\"fd\":%d}}", &fd), 1);
    mock_say_fds(m, m->client, "{\"execute\":\"add-fd\",\"arguments\":{\"fdset-id\":12}}", &file,
                 1);
    close(file);
    assert_int_equal(
        sscanf(mock_receive(m, m->client), "{\"return\":{\"fdset-id\":12,\"fd\":%d}}", &other), 1);
    snprintf(answer, sizeof(answer),
             "{\"return\":[{\"fdset-id\":12,\"fds\":[{\"fd\":%d,\"opaque\":\"stub-devid:5632\"},"
             "{\"fd\":%d}]}]}\r\n",
             fd, other);
    assert_string_equal(mock_ask(m, "{\"execute\":\"query-fdsets\"}"), answer);
    snprintf(ask, sizeof(ask),
             "{\"execute\":\"remove-fd\",\"arguments\":{\"fdset-id\":12,\"fd\":%d}}", fd);
    expect(m, ask, "{\"return\":{}}");
    mock_expect_error(m, ask, "GenericError", "has no such descriptor");
    expect(m, "{\"execute\":\"remove-fd\",\"arguments\":{\"fdset-id\":12}}", "{\"return\":{}}");
    expect(m, "{\"execute\":\"query-fdsets\"}", "{\"return\":[]}");
    assert_int_equal(fcntl(other, F_GETFD), -1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, mock_setup, mock_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_wrong_arguments),
        T(test_too_many_properties_and_events),
        T(test_operations),
        T(test_operations_that_fail),
        T(test_operations_that_are_not_built),
        T(test_lists_that_are_not_built),
        T(test_small_queries),
        T(test_names_that_are_not_utf8),
        T(test_long_error_text),
        T(test_expire_relative),
        T(test_output_files),
        T(test_screendump_is_late),
        T(test_read_only_media_come_read_only),
        T(test_fdsets),
    };
    char folder[] = "qmp-files-XXXXXX";
    int failed;

    /* The files that commands name are made in a folder of their own. */
    if (!mkdtemp(folder) || chdir(folder))
        return 1;
    failed = cmocka_run_group_tests_name("qmp_commands", tests, NULL, NULL);
    if (chdir("..") || rmdir(folder))
        return 1;
    return failed;
}
