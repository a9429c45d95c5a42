/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What libxl and libxenstat send, byte by byte as they send it, and what they get.
 */
#include "qmp_mock.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "build_config.h"

#define VERSION                                                                                    \
    "{\"qemu\":{\"micro\":0,\"minor\":2,\"major\":7},\"package\":\"slimdm " SLIMDM_VERSION "\"}"
#define GREETING "{\"QMP\":{\"version\":" VERSION ",\"capabilities\":[]}}"

static void test_greeting_and_negotiation(void **state)
{
    struct mock *m = *state;
    int client = mock_connect(m, 0);
    static const char ask[] = "{\"execute\":\"qmp_capabilities\",\"id\":2020372736}\r\n";

    assert_string_equal(mock_receive(m, client), GREETING "\r\n");
    mock_say(m, client, ask);
    assert_string_equal(mock_receive(m, client), "{\"return\":{},\"id\":2020372736}\r\n");
    close(client);
}

static void test_chardevs(void **state)
{
    expect(*state, "{\"execute\":\"query-chardev\",\"id\":2020372737}\r\n",
           "{\"return\":["
           "{\"frontend-open\":true,\"filename\":\"unix:/var/run/xen/qmp-libxl-7,server=on\","
           "\"label\":\"libxl-cmd\"},"
           "{\"frontend-open\":true,\"filename\":\"unix:/var/run/xen/qmp-libxenstat-7,server=on\","
           "\"label\":\"libxenstat-cmd\"},"
           "{\"frontend-open\":true,\"filename\":\"pty:/dev/pts/3\",\"label\":\"serial0\"},"
           "{\"frontend-open\":true,\"filename\":\"file\",\"label\":\"serial1\"}],"
           "\"id\":2020372737}");
}

static void test_vnc(void **state)
{
    struct mock *m = *state;

    expect(m, "{\"execute\":\"query-vnc\",\"id\":2020372738}\r\n",
           "{\"return\":{\"enabled\":true,\"host\":\"127.0.0.1\",\"service\":\"5900\","
           "\"family\":\"ipv4\",\"auth\":\"none\",\"clients\":[{\"host\":\"10.0.0.9\","
           "\"service\":\"40123\",\"family\":\"ipv4\",\"websocket\":false}]},\"id\":2020372738}");
    expect(m,
           "{\"execute\":\"change-vnc-password\",\"id\":2020372739,"
           "\"arguments\":{\"password\":\"secret\"}}\r\n",
           "{\"return\":{},\"id\":2020372739}");
    assert_string_equal(mock_calls(m), "password secret; ");
    m->no_vnc = true;
    expect(m, "{\"execute\":\"query-vnc\",\"id\":1}", "{\"return\":{\"enabled\":false},\"id\":1}");
}

static void test_run_state(void **state)
{
    static const struct {
        enum qmp_run_state state;
        const char *answer;
    } rows[] = {
        {QMP_STATE_PRELAUNCH, "{\"status\":\"prelaunch\",\"running\":false"},
        {QMP_STATE_INMIGRATE, "{\"status\":\"inmigrate\",\"running\":false"},
        {QMP_STATE_PAUSED, "{\"status\":\"paused\",\"running\":false"},
        {QMP_STATE_RUNNING, "{\"status\":\"running\",\"running\":true"},
        {QMP_STATE_SHUTDOWN, "{\"status\":\"shutdown\",\"running\":false"},
        {QMP_STATE_SUSPENDED, "{\"status\":\"suspended\",\"running\":false"},
        {QMP_STATE_IO_ERROR, "{\"status\":\"io-error\",\"running\":false"},
        {QMP_STATE_INTERNAL_ERROR, "{\"status\":\"internal-error\",\"running\":false"},
    };
    struct mock *m = *state;
    char answer[256];

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        m->state = rows[i].state;
        snprintf(answer, sizeof(answer), "{\"return\":%s,\"singlestep\":false},\"id\":7}\r\n",
                 rows[i].answer);
        assert_string_equal(mock_ask(m, "{\"execute\":\"query-status\",\"id\":7}\r\n"), answer);
    }
    expect(m, "{\"execute\":\"cont\",\"id\":8}\r\n", "{\"return\":{},\"id\":8}");
    expect(m, "{\"execute\":\"cont\",\"id\":9}\r\n", "{\"return\":{},\"id\":9}");
    expect(m, "{\"execute\":\"stop\",\"id\":10}\r\n", "{\"return\":{},\"id\":10}");
    expect(m, "{\"execute\":\"stop\",\"id\":11}\r\n", "{\"return\":{},\"id\":11}");
    expect(m, "{\"execute\":\"system_wakeup\",\"id\":12}\r\n", "{\"return\":{},\"id\":12}");
    assert_string_equal(mock_calls(m), "cont; cont; stop; stop; wakeup; ");
}

/* The descriptor comes with the opening brace alone, the rest in a write of its own. */
static void add_fd(struct mock *m, const char *rest, int fd)
{
    mock_say_fds(m, m->client, "{", &fd, 1);
    close(fd);
    mock_say(m, m->client, rest);
}

static int set_and_fd(struct mock *m, int id)
{
    int set = -1, fd = -1, got = -1;

    assert_int_equal(sscanf(mock_receive(m, m->client),
                            "{\"return\":{\"fdset-id\":%d,\"fd\":%d},\"id\":%d}", &set, &fd, &got),
                     3);
    assert_int_equal(got, id);
    assert_true(fcntl(fd, F_GETFD) >= 0);
    return set;
}

static void test_cd_insert(void **state)
{
    struct mock *m = *state;

    expect(m, "{\"execute\":\"query-version\",\"id\":2020372737}\r\n",
           "{\"return\":" VERSION ",\"id\":2020372737}");
    expect(m, "{\"execute\":\"eject\",\"id\":2020372738,\"arguments\":{\"id\":\"ide-5632\"}}\r\n",
           "{\"return\":{},\"id\":2020372738}");
    add_fd(m,
           "\"execute\":\"add-fd\",\"id\":2020372739,"
           "\"arguments\":{\"opaque\":\"raw:\\/srv\\/iso\\/deb.iso\"}}\r\n",
           mock_file(O_RDONLY));
    assert_int_equal(set_and_fd(m, 2020372739), 0);
    expect(m,
           "{\"execute\":\"blockdev-change-medium\",\"id\":2020372740,\"arguments\":"
           "{\"id\":\"ide-5632\",\"filename\":\"\\/dev\\/fdset\\/0\",\"format\":\"raw\"}}\r\n",
           "{\"return\":{},\"id\":2020372740}");
    assert_string_equal(mock_calls(m), "eject ide-5632 0; insert ide-5632 /dev/fdset/0 raw; ");
    assert_int_equal(fcntl(m->fd, F_GETFL) & O_ACCMODE, O_RDONLY);

    /* The client goes, the set goes with it, the drive keeps its duplicate. */
    close(m->client);
    mock_settle(m);
    m->client = mock_connect(m, 0);
    mock_ask(m, "{\"execute\":\"qmp_capabilities\"}");
    expect(m, "{\"execute\":\"query-fdsets\"}", "{\"return\":[]}");
    assert_true(fcntl(m->fd, F_GETFD) >= 0);
}

/* Spellings of older libxl. */
static void test_cd_insert_old(void **state)
{
    struct mock *m = *state;

    expect(m, "{\"execute\":\"eject\",\"id\":1,\"arguments\":{\"device\":\"ide-5632\"}}\r\n",
           "{\"return\":{},\"id\":1}");
    expect(m,
           "{\"execute\":\"eject\",\"id\":2,"
           "\"arguments\":{\"device\":\"ide-5632\",\"force\":true}}\r\n",
           "{\"return\":{},\"id\":2}");
    add_fd(m, "\"execute\":\"add-fd\",\"id\":3,\"arguments\":{\"opaque\":\"raw:x\"}}\r\n",
           mock_file(O_RDONLY));
    assert_int_equal(set_and_fd(m, 3), 0);
    expect(m,
           "{\"execute\":\"change\",\"id\":4,\"arguments\":"
           "{\"device\":\"ide-5632\",\"target\":\"/dev/fdset/0\",\"arg\":\"raw\"}}\r\n",
           "{\"return\":{},\"id\":4}");
    assert_string_equal(mock_calls(m), "eject ide-5632 0; eject ide-5632 1; "
                                       "insert ide-5632 /dev/fdset/0 raw; ");
}

static void test_pci_passthrough_is_asked_for(void **state)
{
    struct mock *m = *state;
    const char *answer;

    expect(m,
           "{\"execute\":\"device_add\",\"id\":1,\"arguments\":{\"driver\":\"xen-pci-passthrough\","
           "\"id\":\"pci-pt-02_00.0\",\"hostaddr\":\"0000:02:00.0\",\"addr\":\"5.0\","
           "\"permissive\":true}}\r\n",
           "{\"return\":{},\"id\":1}");
    assert_string_equal(mock_calls(m),
                        "device_add xen-pci-passthrough pci-pt-02_00.0; hostaddr=0000:02:00.0; "
                        "addr=5.0; permissive=true; ");
    answer = mock_ask(m, "{\"execute\":\"query-pci\",\"id\":2}\r\n");
    assert_string_equal(
        answer,
        "{\"return\":[{\"bus\":0,\"devices\":["
        "{\"bus\":0,\"slot\":0,\"function\":0,\"qdev_id\":\"\","
        "\"class_info\":{\"class\":1536,\"desc\":\"Host bridge\"},"
        "\"id\":{\"vendor\":32902,\"device\":4663,\"subsystem-vendor\":0,\"subsystem\":0},"
        "\"irq_pin\":0,\"regions\":[]},"
        "{\"bus\":0,\"slot\":5,\"function\":0,\"qdev_id\":\"pci-pt-02_00.0\","
        "\"class_info\":{\"class\":512},"
        "\"id\":{\"vendor\":32902,\"device\":5379,\"subsystem-vendor\":32902,\"subsystem\":1},"
        "\"irq_pin\":1,\"irq\":10,\"regions\":["
        "{\"bar\":0,\"type\":\"memory\",\"prefetch\":true,\"mem_type_64\":true,"
        "\"address\":4026531840,\"size\":16777216},"
        "{\"bar\":1,\"type\":\"io\",\"address\":-1,\"size\":256}]}]},"
        "{\"bus\":1,\"devices\":[{\"bus\":1,\"slot\":0,\"function\":0,\"qdev_id\":\"\","
        "\"class_info\":{\"class\":0},"
        "\"id\":{\"vendor\":6900,\"device\":0,\"subsystem-vendor\":0,\"subsystem\":0},"
        "\"irq_pin\":0,\"regions\":[]}]}],\"id\":2}\r\n");
    expect(m, "{\"execute\":\"device_del\",\"id\":3,\"arguments\":{\"id\":\"pci-pt-02_00.0\"}}\r\n",
           "{\"return\":{},\"id\":3}");
    assert_string_equal(mock_calls(m), "device_del pci-pt-02_00.0; ");
}

static void test_pci_passthrough_not_built(void **state)
{
    struct mock *m = *state;

    m->ops.device_add = NULL;
    m->ops.device_del = NULL;
    expect(m,
           "{\"execute\":\"device_add\",\"id\":1,\"arguments\":{\"driver\":\"xen-pci-passthrough\","
           "\"id\":\"pci-pt-02_00.0\",\"hostaddr\":\"0000:02:00.0\"}}\r\n",
           "{\"error\":{\"class\":\"GenericError\",\"desc\":\"devices of type "
           "'xen-pci-passthrough' are not built into this device model\"},\"id\":1}");
    expect(m, "{\"execute\":\"device_del\",\"id\":2,\"arguments\":{\"id\":\"pci-pt-02_00.0\"}}\r\n",
           "{\"error\":{\"class\":\"DeviceNotFound\",\"desc\":\"there is no device "
           "'pci-pt-02_00.0'\"},\"id\":2}");
}

static void test_usb(void **state)
{
    struct mock *m = *state;

    expect(m,
           "{\"execute\":\"device_add\",\"id\":1,"
           "\"arguments\":{\"driver\":\"nec-usb-xhci\",\"id\":\"xenusb-0\",\"p2\":\"4\",\"p3\":4}}",
           "{\"return\":{},\"id\":1}");
    expect(m,
           "{\"execute\":\"device_add\",\"id\":2,\"arguments\":{\"driver\":\"usb-host\","
           "\"id\":\"xenusb-1-5\",\"bus\":\"xenusb-0.0\",\"port\":\"1\",\"hostbus\":\"1\","
           "\"hostaddr\":\"5\"}}",
           "{\"return\":{},\"id\":2}");
    assert_string_equal(mock_calls(m), "device_add nec-usb-xhci xenusb-0; p2=4; p3=4; "
                                       "device_add usb-host xenusb-1-5; bus=xenusb-0.0; port=1; "
                                       "hostbus=1; hostaddr=5; ");
}

static void test_cpus(void **state)
{
    struct mock *m = *state;
    char answer[1024];

    snprintf(answer, sizeof(answer),
             "{\"return\":[{\"cpu-index\":0,\"qom-path\":\"/machine/unattached/device[0]\","
             "\"thread-id\":%d,\"props\":{\"core-id\":0,\"thread-id\":0,\"socket-id\":0},"
             "\"target\":\"i386\"},"
             "{\"cpu-index\":1,\"qom-path\":\"/machine/unattached/device[1]\",\"thread-id\":%d,"
             "\"props\":{\"core-id\":0,\"thread-id\":0,\"socket-id\":1},\"target\":\"i386\"}],"
             "\"id\":1}\r\n",
             getpid(), getpid());
    assert_string_equal(mock_ask(m, "{\"execute\":\"query-cpus-fast\",\"id\":1}\r\n"), answer);
    expect(m, "{\"execute\":\"query-hotpluggable-cpus\",\"id\":2}\r\n",
           "{\"return\":["
           "{\"type\":\"qemu32-i386-cpu\",\"vcpus-count\":1,"
           "\"props\":{\"core-id\":0,\"thread-id\":0,\"socket-id\":0},"
           "\"qom-path\":\"/machine/unattached/device[0]\"},"
           "{\"type\":\"qemu32-i386-cpu\",\"vcpus-count\":1,"
           "\"props\":{\"core-id\":0,\"thread-id\":0,\"socket-id\":1},"
           "\"qom-path\":\"/machine/unattached/device[1]\"},"
           "{\"type\":\"qemu32-i386-cpu\",\"vcpus-count\":1,"
           "\"props\":{\"core-id\":0,\"thread-id\":0,\"socket-id\":2}},"
           "{\"type\":\"qemu32-i386-cpu\",\"vcpus-count\":1,"
           "\"props\":{\"core-id\":0,\"thread-id\":0,\"socket-id\":3}}],\"id\":2}");
    expect(m,
           "{\"execute\":\"device_add\",\"id\":3,\"arguments\":{\"id\":\"cpu-2\","
           "\"driver\":\"qemu32-i386-cpu\",\"socket-id\":2,\"core-id\":0,\"thread-id\":0}}\r\n",
           "{\"return\":{},\"id\":3}");
    expect(m,
           "{\"execute\":\"device_add\",\"id\":4,\"arguments\":{\"id\":\"cpu-3\","
           "\"driver\":\"qemu32-i386-cpu\",\"socket-id\":\"3\",\"core-id\":\"0\","
           "\"thread-id\":\"0\"}}\r\n",
           "{\"return\":{},\"id\":4}");
    expect(m, "{\"execute\":\"cpu-add\",\"id\":5,\"arguments\":{\"id\":3}}\r\n",
           "{\"return\":{},\"id\":5}");
    assert_string_equal(mock_calls(m), "cpu 2; cpu 3; cpu 3; ");
    mock_expect_error(m, "{\"execute\":\"cpu-add\",\"arguments\":{\"id\":1}}", "GenericError",
                      "plugged in already");
    mock_expect_error(m, "{\"execute\":\"cpu-add\",\"arguments\":{\"id\":4}}", "GenericError",
                      "there is no vCPU 4");
    mock_expect_error(m, "{\"execute\":\"cpu-add\",\"arguments\":{\"id\":-1}}", "GenericError",
                      "there is no vCPU -1");
    assert_string_equal(mock_calls(m), "");
}

static void test_save(void **state)
{
    struct mock *m = *state;
    struct stat st;

    expect(
        m,
        "{\"execute\":\"xen-set-global-dirty-log\",\"id\":1,\"arguments\":{\"enable\":true}}\r\n",
        "{\"return\":{},\"id\":1}");
    expect(m, "{\"execute\":\"stop\",\"id\":2}\r\n", "{\"return\":{},\"id\":2}");
    add_fd(m, "\"execute\":\"add-fd\",\"id\":3}\r\n", mock_file(O_WRONLY));
    assert_int_equal(set_and_fd(m, 3), 0);
    expect(m,
           "{\"execute\":\"xen-save-devices-state\",\"id\":4,"
           "\"arguments\":{\"filename\":\"/dev/fdset/0\",\"live\":true}}\r\n",
           "{\"return\":{},\"id\":4}");
    assert_int_equal(fstat(m->fd, &st), 0);
    assert_int_equal(st.st_size, 0); /* what was in the file is gone */
    expect(
        m,
        "{\"execute\":\"xen-set-global-dirty-log\",\"id\":5,\"arguments\":{\"enable\":false}}\r\n",
        "{\"return\":{},\"id\":5}");
    assert_string_equal(mock_calls(m), "log_dirty 1; stop; save 1; log_dirty 0; ");
}

/* stop is answered when the machine is quiescent; nothing that was sent behind it runs before. */
static void test_stop_is_late(void **state)
{
    struct mock *m = *state;

    m->hold = true;
    assert_string_equal(mock_ask(m, "{\"execute\":\"stop\",\"id\":1}\r\n"
                                    "{\"execute\":\"cont\",\"id\":2}\r\n"),
                        "");
    assert_string_equal(mock_calls(m), "stop; ");
    assert_int_equal(m->helds, 1);
    qmp_reply_ok(m->held[0]);
    m->helds = 0;
    assert_string_equal(mock_receive(m, m->client),
                        "{\"return\":{},\"id\":1}\r\n{\"return\":{},\"id\":2}\r\n");
    assert_string_equal(mock_calls(m), "cont; ");
}

static void test_human_monitor_command(void **state)
{
    expect(*state,
           "{\"execute\":\"human-monitor-command\",\"id\":1,"
           "\"arguments\":{\"command-line\":\"info block\"}}\r\n",
           "{\"return\":\"ide0-hd0: /srv/vm/win.qcow2 (raw)\\r\\n"
           "    Size:             1048576 bytes\\r\\n"
           "    Cache mode:       writeback\\r\\n"
           "ide-5632: [not inserted]\\r\\n"
           "    Attached to:      cd0\\r\\n"
           "    Removable device: not locked, tray closed\\r\\n\",\"id\":1}");
    expect(*state,
           "{\"execute\":\"human-monitor-command\",\"id\":2,"
           "\"arguments\":{\"command-line\":\"frobnicate all\"}}\r\n",
           "{\"return\":\"unknown command: 'frobnicate all'\\r\\n\",\"id\":2}");
}

static void test_probe(void **state)
{
    struct mock *m = *state;

    expect(m, "{\"execute\":\"query-command-line-options\",\"id\":2020372737}\r\n",
           "{\"return\":[{\"option\":\"run-with\",\"parameters\":["
           "{\"name\":\"chroot\",\"type\":\"string\"},{\"name\":\"user\",\"type\":\"string\"}]}],"
           "\"id\":2020372737}");
    expect(m, "{\"execute\":\"quit\",\"id\":2020372738}\r\n", "{\"return\":{},\"id\":2020372738}");
    assert_string_equal(mock_calls(m), ""); /* the client is given time to read and close */
    close(m->client);
    m->client = -1;
    mock_settle(m);
    assert_string_equal(mock_calls(m), "quit; ");
    mock_advance(m, 5000000000);
    assert_string_equal(mock_calls(m), ""); /* once */
}

static void test_quit_with_a_client_that_stays(void **state)
{
    struct mock *m = *state;

    expect(m, "{\"execute\":\"quit\"}{\"execute\":\"cont\"}", "{\"return\":{}}");
    mock_advance(m, 999999999);
    assert_string_equal(mock_calls(m), "");
    mock_advance(m, 1);
    assert_string_equal(mock_calls(m), "quit; ");
    close(m->client);
    m->client = -1;
    mock_settle(m);
    assert_string_equal(mock_calls(m), "");
}

/* libxenstat: no line ends, no ids, takes whatever comes within 10 ms for the answer. */
static void test_libxenstat(void **state)
{
    static const char *const commands[] = {"{ \"execute\": \"qmp_capabilities\" }",
                                           "{ \"execute\": \"query-blockstats\" }",
                                           "{ \"execute\": \"query-block\" }"};
    struct mock *m = *state;

    for (int sample = 0; sample < 20; sample++) {
        int client = mock_connect(m, QMP_NO_EVENTS);

        mock_say(m, client, commands[0]);
        assert_string_equal(mock_receive(m, client), GREETING "\r\n{\"return\":{}}\r\n");
        qmp_event(m->qmp, "STOP", NULL);
        mock_say(m, client, commands[1]);
        assert_string_equal(
            mock_receive(m, client),
            "{\"return\":[{\"device\":\"ide0-hd0\",\"stats\":{\"rd_bytes\":1234176,"
            "\"wr_bytes\":4096,\"rd_operations\":301,\"wr_operations\":1,\"flush_operations\":0,"
            "\"unmap_operations\":0,\"rd_total_time_ns\":0,\"wr_total_time_ns\":0,"
            "\"flush_total_time_ns\":0,\"unmap_total_time_ns\":0,\"failed_rd_operations\":0,"
            "\"failed_wr_operations\":0}},"
            "{\"device\":\"ide-5632\",\"qdev\":\"cd0\",\"stats\":{\"rd_bytes\":0,"
            "\"wr_bytes\":0,\"rd_operations\":0,\"wr_operations\":0,\"flush_operations\":0,"
            "\"unmap_operations\":0,\"rd_total_time_ns\":0,\"wr_total_time_ns\":0,"
            "\"flush_total_time_ns\":0,\"unmap_total_time_ns\":0,\"failed_rd_operations\":0,"
            "\"failed_wr_operations\":0}}]}\r\n");
        mock_say(m, client, commands[2]);
        assert_string_equal(
            mock_receive(m, client),
            "{\"return\":[{\"device\":\"ide0-hd0\",\"type\":\"unknown\",\"inserted\":{"
            "\"file\":\"/srv/vm/win.qcow2\",\"ro\":false,\"drv\":\"raw\",\"backing_file_depth\":0,"
            "\"encrypted\":false,\"detect_zeroes\":\"off\",\"write_threshold\":0,\"bps\":0,"
            "\"bps_rd\":0,\"bps_wr\":0,\"iops\":0,\"iops_rd\":0,\"iops_wr\":0,"
            "\"cache\":{\"writeback\":true,\"direct\":false,\"no-flush\":false},"
            "\"image\":{\"filename\":\"/srv/vm/win.qcow2\",\"format\":\"raw\","
            "\"virtual-size\":1048576}},\"locked\":false,\"removable\":false},"
            "{\"device\":\"ide-5632\",\"qdev\":\"cd0\",\"type\":\"unknown\",\"locked\":false,"
            "\"removable\":true,\"tray_open\":false}]}\r\n");
        close(client);
    }
    mock_settle(m);
    assert_int_equal(qmp_connections(m->qmp), 1);
}

/* Every command that the toolstack needs is announced, and answered by something else than
 * CommandNotFound. */
static void test_minimum_command_set(void **state)
{
    static const char names[] =
        "query-chardev query-vnc change-vnc-password cont stop query-status query-version "
        "query-cpus-fast query-hotpluggable-cpus device_add device_del query-pci add-fd remove-fd "
        "query-fdsets eject blockdev-change-medium xen-set-global-dirty-log "
        "xen-save-devices-state system_wakeup query-command-line-options human-monitor-command "
        "query-block query-blockstats query-commands query-name query-kvm system_powerdown "
        "system_reset set_password change query-cpus cpu-add query-vnc-servers screendump "
        "send-key input-send-event quit";
    struct mock *m = *state;
    char copy[sizeof(names)], *rest = copy, *name;
    char *known = strdup(mock_ask(m, "{\"execute\":\"query-commands\"}"));

    memcpy(copy, names, sizeof(copy));
    assert_non_null(strstr(known, "{\"name\":\"qmp_capabilities\"}"));
    while ((name = strsep(&rest, " "))) {
        char text[128];

        snprintf(text, sizeof(text), "{\"name\":\"%s\"}", name);
        if (!strstr(known, text))
            fail_msg("%s is not announced", name);
        snprintf(text, sizeof(text), "{\"execute\":\"%s\"}\r\n", name);
        if (strstr(mock_ask(m, text), "CommandNotFound"))
            fail_msg("%s is not there", name);
    }
    free(known);
}

#define T(name) cmocka_unit_test_setup_teardown(name, mock_setup, mock_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_greeting_and_negotiation),
        T(test_chardevs),
        T(test_vnc),
        T(test_run_state),
        T(test_cd_insert),
        T(test_cd_insert_old),
        T(test_pci_passthrough_is_asked_for),
        T(test_pci_passthrough_not_built),
        T(test_usb),
        T(test_cpus),
        T(test_save),
        T(test_stop_is_late),
        T(test_human_monitor_command),
        T(test_probe),
        T(test_quit_with_a_client_that_stays),
        T(test_libxenstat),
        T(test_minimum_command_set),
    };

    return cmocka_run_group_tests_name("qmp_libxl", tests, NULL, NULL);
}
