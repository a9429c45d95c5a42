/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The text commands of human-monitor-command. */
#include "qmp_mock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *hmp(struct mock *m, const char *line)
{
    char ask[512];

    snprintf(ask, sizeof(ask),
             "{\"execute\":\"human-monitor-command\",\"arguments\":{\"command-line\":\"%s\"}}",
             line);
    return mock_ask(m, ask);
}

static void test_text_commands(void **state)
{
    static const struct {
        const char *line, *answer, *calls;
    } rows[] = {
        {"", "", ""},
        {"   ", "", ""},
        {"info status", "VM status: running\\r\\n", ""},
        {" info\\tstatus ", "VM status: running\\r\\n", ""},
        {"info name", "web1\\r\\n", ""},
        {"info blah", "unknown command: 'info blah'\\r\\n", ""},
        {"info status now", "unknown command: 'info status'\\r\\n", ""},
        {"blah", "unknown command: 'blah'\\r\\n", ""},
        {"info block ide-5632",
         "ide-5632: [not inserted]\\r\\n    Attached to:      cd0\\r\\n"
         "    Removable device: not locked, tray closed\\r\\n",
         ""},
        {"info blockstats",
         "ide0-hd0: rd_bytes=1234176 wr_bytes=4096 rd_operations=301 wr_operations=1 "
         "flush_operations=0\\r\\nide-5632: rd_bytes=0 wr_bytes=0 rd_operations=0 "
         "wr_operations=0 flush_operations=0\\r\\n",
         ""},
        {"info chardev",
         "libxl-cmd: filename=unix:/var/run/xen/qmp-libxl-7,server=on\\r\\n"
         "libxenstat-cmd: filename=unix:/var/run/xen/qmp-libxenstat-7,server=on\\r\\n"
         "serial0: filename=pty:/dev/pts/3\\r\\nserial1: filename=file\\r\\n",
         ""},
        {"info cpus",
         "CPU #0: online\\r\\nCPU #1: online\\r\\nCPU #2: not plugged in\\r\\n"
         "CPU #3: not plugged in\\r\\n",
         ""},
        {"info pci",
         "  Bus  0, device   0, function 0:\\r\\n    Host bridge [0600]: PCI device 8086:1237\\r\\n"
         "      id \\\"\\\"\\r\\n"
         "  Bus  0, device   5, function 0:\\r\\n    Class [0200]: PCI device 8086:1503\\r\\n"
         "      IRQ 10, pin A\\r\\n"
         "      BAR0: 64 bit memory, prefetchable at 0xf0000000 (0x1000000 bytes)\\r\\n"
         "      BAR1: I/O, not mapped (0x100 bytes)\\r\\n"
         "      id \\\"pci-pt-02_00.0\\\"\\r\\n"
         "  Bus  1, device   0, function 0:\\r\\n    Class [0000]: PCI device 1af4:0000\\r\\n"
         "      id \\\"\\\"\\r\\n",
         ""},
        {"info vnc",
         "default: 127.0.0.1:5900 (ipv4), auth none\\r\\n  Client: 10.0.0.9:40123 (ipv4)\\r\\n"
         "local: /run/vnc.sock (unix), auth vnc\\r\\n",
         ""},
        {"info network",
         "nic0: model=rtl8139,macaddr=00:16:3e:01:02:ff, link up\\r\\n  net0: type=tap\\r\\n"
         "nic1: model=e1000,macaddr=00:16:3e:01:02:04, link down\\r\\n  net1: type=stream\\r\\n"
         "rtl8139.2: model=rtl8139,macaddr=52:54:00:01:02:05, unplugged\\r\\n",
         ""},
        {"set_link nic0 off", "", "set_link nic0 0; "},
        {"set_link net1 on", "", "set_link net1 1; "},
        {"set_link nic0 down", "Error: set_link NAME on|off\\r\\n", ""},
        {"help stop", "stop|s -- stop the guest\\r\\n", ""},
        {"? c", "cont|c -- let the guest go on\\r\\n", ""},
        {"stop", "", "stop; "},
        {"s", "", "stop; "},
        {"cont", "", "cont; "},
        {"c", "", "cont; "},
        {"c now", "usage: cont|c\\r\\n", ""},
        {"system_powerdown", "", "powerdown; "},
        {"system_reset", "", "reset; "},
        {"system_wakeup", "", "wakeup; "},
        {"eject -f ide-5632", "", "eject ide-5632 1; "},
        {"eject \\\"ide 5632\\\"", "", "eject ide 5632 0; "},
        {"eject -f", "Error: eject [-f] DRIVE\\r\\n", ""},
        {"change ide-5632 medium", "", "insert ide-5632 medium raw; "},
        {"change ide-5632 medium vhd", "", "insert ide-5632 medium vhd; "},
        {"change ide-5632 nowhere", "Error: cannot open 'nowhere': No such file or directory\\r\\n",
         ""},
        {"change vnc password secret", "", "password secret; "},
        {"change vnc display 4", "Error: change vnc password TEXT\\r\\n", ""},
        {"screendump out", "", "screendump ppm; "},
        {"screendump out -f png", "", "screendump png; "},
        {"screendump out png", "Error: screendump FILE [-f png|ppm]\\r\\n", ""},
        {"sendkey ctrl-alt", "", "keys for 100 ms; 29; 56; "},
        {"sendkey ctrl 5", "", "keys for 5 ms; 29; "},
        {"sendkey ctrl x", "Error: the time to hold is 0 to 60000 ms\\r\\n", ""},
        {"sendkey ctrl-nosuch", "Error: there is no key 'nosuch'\\r\\n", ""},
        {"sendkey ctrl--alt", "Error: there is no key ''\\r\\n", ""},
        {"sendkey "
         "ctrl-ctrl-ctrl-ctrl-ctrl-ctrl-ctrl-ctrl-ctrl-ctrl-ctrl-ctrl-ctrl-ctrl-ctrl-ctrl-alt",
         "Error: at most 16 keys\\r\\n", ""},
        {"one \\\"two", "the line has an open quote or too many words\\r\\n", ""},
        {"1 2 3 4 5 6 7 8 9", "the line has an open quote or too many words\\r\\n", ""},
    };
    struct mock *m = *state;
    char answer[2048];

    mock_make_medium();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        snprintf(answer, sizeof(answer), "{\"return\":\"%s\"}\r\n", rows[i].answer);
        assert_string_equal(hmp(m, rows[i].line), answer);
        assert_string_equal(mock_calls(m), rows[i].calls);
    }
    mock_drop_files();
    m->state = QMP_STATE_PRELAUNCH;
    assert_non_null(strstr(hmp(m, "info status"), "VM status: paused (prelaunch)\\r\\n"));
    m->state = QMP_STATE_PAUSED;
    assert_non_null(strstr(hmp(m, "info status"), "VM status: paused\\r\\n"));
    m->no_vnc = true;
    assert_non_null(strstr(hmp(m, "info vnc"), "no VNC server"));
    assert_non_null(strstr(hmp(m, "info version"), "\"7.2.0 (slimdm "));
    assert_non_null(strstr(hmp(m, "info"), "info pci -- PCI functions\\r\\n"));
    assert_non_null(strstr(hmp(m, "help"), "system_reset -- reset the machine\\r\\n"));
}

/* What goes wrong is text, too. */
static void test_text_commands_that_fail(void **state)
{
    struct mock *m = *state;

    m->rc = -EIO;
    m->rc_text = "no way";
    assert_string_equal(hmp(m, "cont"), "{\"return\":\"Error: no way\\r\\n\"}\r\n");
    assert_string_equal(hmp(m, "stop"), "{\"return\":\"Error: no way\\r\\n\"}\r\n");
    assert_string_equal(hmp(m, "screendump /dev/null"),
                        "{\"return\":\"Error: '/dev/null' is not a regular file\\r\\n\"}\r\n");
    memset(&m->ops, 0, sizeof(m->ops));
    for (size_t i = 0; i < 7; i++) {
        static const char *const lines[] = {"stop", "cont",      "eject a",     "change a b",
                                            "quit", "sendkey x", "screendump x"};

        assert_string_equal(hmp(m, lines[i]),
                            "{\"return\":\"Error: not built into this device model\\r\\n\"}\r\n");
    }
    assert_non_null(strstr(hmp(m, "info block"), "{\"return\":\"\"}"));
}

static void test_text_quit(void **state)
{
    struct mock *m = *state;

    assert_string_equal(hmp(m, "q"), "{\"return\":\"\"}\r\n");
    mock_advance(m, 1000000000);
    assert_non_null(strstr(mock_calls(m), "quit; "));
}

#define T(name) cmocka_unit_test_setup_teardown(name, mock_setup, mock_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_text_commands),
        T(test_text_commands_that_fail),
        T(test_text_quit),
    };
    char folder[] = "qmp-text-XXXXXX";
    int failed;

    /* The files that commands name are made in a folder of their own. */
    if (!mkdtemp(folder) || chdir(folder))
        return 1;
    failed = cmocka_run_group_tests_name("qmp_hmp", tests, NULL, NULL);
    if (chdir("..") || rmdir(folder))
        return 1;
    return failed;
}
