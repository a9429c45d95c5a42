/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Options of the machine and the process, each by itself: what is taken, what is refused, and how
 * the refusal is worded. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmdline_test.h"

/* --- the whole line -----------------------------------------------------------------------------
 */

static void test_modes(void **state)
{
    static const struct refusal bad[] = {
        {"", "the domain is missing|accepted: -xen-domid N"},
        {"-nodefaults", "the domain is missing"},
        {"-xen-domid 3 -machine none", "-machine none|without -xen-domid"},
        {"-xen-domid 3 -xen-attach -machine xenfv", "-xen-attach|not built|accepted: HVM"},
        {"-xen-domid 3 -machine xenpv", "-machine xenpv: type=xenpv|not built|accepted: xenfv, pc"},
        {"-xen-domid 0", "-xen-domid 0: not accepted; accepted: a number from 1 to 32751"},
        {"-xen-domid 32752", "-xen-domid 32752"},
        {"-xen-domid 5x", "-xen-domid 5x"},
        {"-xen-domid", "-xen-domid: the value is missing"},
        {"-bogus", "unsupported option -bogus"},
        {"--bogus x", "unsupported option --bogus"},
        {"---help", "unsupported option ---help"},
        {"-", "unsupported option -"},
        {HVM "disk.img", "unexpected argument 'disk.img'|-drive"},
        {HVM "\"\"", "unexpected argument ''"},
    };

    REFUSE_ALL(bad);
    assert_string_equal(parse_messages.error,
                        "unexpected argument ''; accepted: options that begin "
                        "with '-' (a disk is given with -drive)");
    assert_int_equal(accept_line("-help")->mode, CONFIG_MODE_HELP);
    assert_int_equal(accept_line("-h")->mode, CONFIG_MODE_HELP);
    assert_int_equal(accept_line("--help")->mode, CONFIG_MODE_HELP);
    assert_int_equal(accept_line("--version -bogus")->mode, CONFIG_MODE_VERSION);
    assert_int_equal(accept_line("-xen-domid 1 -version")->mode, CONFIG_MODE_VERSION);
    assert_int_equal(accept_line("--dump-state /x")->mode, CONFIG_MODE_DUMP_STATE);
    assert_string_equal(accept_line("--dump-state /x")->dump_state_file, "/x");
    assert_int_equal(accept_line("-xen-domid 32751")->domid, 32751);
    assert_int_equal(accept_line("-machine none")->mode, CONFIG_MODE_PROBE);
    assert_string_equal(accept_line(HVM)->argv0, "/usr/sbin/slimdm");
}

static void test_texts(void **state)
{
    assert_non_null(strstr(config_version_text(), "QEMU emulator version 7.2.0 (slimdm "));
    assert_ptr_equal(strstr(config_version_text(), "QEMU emulator version "),
                     config_version_text());
    assert_ptr_equal(strstr(config_help_text(), "QEMU emulator version "), config_help_text());
    /* libvirt looks for the heading of the traditional qemu-dm. */
    assert_null(strstr(config_help_text(), "Options specific to the Xen version:"));
}

static void test_limits(void **state)
{
    static char big[CONFIG_ARGV_BYTES + 1];
    static char *argv[CONFIG_ARGC_MAX + 2];
    struct config_messages messages;
    struct config *config;
    char line[256];

    memset(big, 'x', sizeof(big) - 1);
    argv[0] = argv[1] = argv[2] = big;
    assert_int_equal(config_parse(3, argv, &config, &messages), -EINVAL);
    assert_string_equal(messages.error,
                        "the command line is too long; accepted: up to 131072 bytes");
    config_messages_free(&messages);

    for (int i = 0; i <= CONFIG_ARGC_MAX; i++)
        argv[i] = (char[]){"-usb"};
    assert_int_equal(config_parse(CONFIG_ARGC_MAX + 1, argv, &config, &messages), -EINVAL);
    assert_string_equal(messages.error,
                        "the command line has 1025 arguments; accepted: up to 1024");
    config_messages_free(&messages);

    /* No argv at all. */
    argv[0] = NULL;
    assert_int_equal(config_parse(0, argv, &config, &messages), -EINVAL);
    config_messages_free(&messages);
    config_messages_free(NULL);
    config_free(NULL);

    /* A long value is cut in a message, and control bytes do not reach the log. */
    memset(line, 'y', sizeof(line) - 1);
    memcpy(line, "-m a\nb\033", 7);
    line[sizeof(line) - 1] = '\0';
    refuse_line(line, "-m a?b?yyy|yyy...: not accepted");
    assert_true(strlen(parse_messages.error) < 300);
}

/* More notices than are kept are counted. */
static void test_notices_are_bounded(void **state)
{
    char line[6 + 20 * 80] = HVM;

    for (int i = 0; i < 80; i++)
        strcat(line, " -global a.b=c");
    accept_line(line);
    assert_int_equal(parse_messages.notice_count, CONFIG_NOTICE_MAX);
    assert_int_equal(parse_messages.notices_dropped, 80 - CONFIG_NOTICE_MAX);
}

/* Lists have an end: `max` of an option are taken, one more is refused. */
static void test_list_lengths(void **state)
{
    static const struct {
        const char *option; /* %d: its number */
        int max;
        const char *words;
    } lists[] = {
        {"-chardev pty,id=c%d", CONFIG_CHARDEV_MAX, "one back-end too many; accepted: up to 32"},
        {"-netdev tap,id=n%d", CONFIG_NETDEV_MAX, "one back-end too many; accepted: up to 16"},
        {"-drive if=none,id=d%d", CONFIG_DRIVE_MAX, "one drive too many; accepted: up to 16"},
        {"-device ide-cd,id=e%d", CONFIG_IDE_MAX, "(index 3, hdd) is taken already"},
        {"-device floppy,id=f%d", CONFIG_FLOPPY_MAX, "floppy 1 (fdb) is taken already"},
        {"-device usb-kbd,id=u%d", CONFIG_USB_MAX, "one USB device too many; accepted: up to 16"},
        {"-device sb16,id=s%d", CONFIG_SOUND_MAX, "one sound card too many; accepted: up to 8"},
        {"-device pvpanic,id=p%d", 64, "one device too many; accepted: up to 64"},
        {"-add-fd set=1,fd=1%d", CONFIG_FDSET_MAX, "one descriptor too many; accepted: up to 32"},
        {"-L /%d", CONFIG_ROM_PATH_MAX, "one folder too many; accepted: up to 16"},
    };
    char line[4096], option[64];

    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        strcpy(line, HVM);
        for (int n = 0; n <= lists[i].max; n++) {
            if (n == lists[i].max)
                accept_line(line);
            snprintf(option, sizeof(option), lists[i].option, n);
            strcat(line, option);
            strcat(line, " ");
        }
        refuse_line(line, lists[i].words);
    }
    strcpy(line, HVM "-msg ");
    for (int n = 0; n <= 40; n++) {
        snprintf(option, sizeof(option), "k%d,", n);
        strcat(line, option);
    }
    refuse_line(line, "more than 40 elements in one list");
}

static void test_accepted_and_ignored(void **state)
{
    accept_silently(HVM "-no-shutdown -nodefaults -no-user-config -nodefconfig -nographic "
                        "-display none -k en-us -rtc base=utc -localtime -no-hpet -d int -trace x "
                        "-msg timestamp=on -monitor none -monitor null -monitor /dev/null "
                        "-parallel none -parallel /dev/null -boot menu=on,strict=on "
                        "-audiodev none,id=a -overcommit mem-lock=off -g 800x600x32 -compat x");
    accept_line(HVM "-bios /x -cpu host -no-reboot -global PIIX4_PM.disable_s3=1 -debugcon null");
    assert_true(noticed("-bios /x: ignored"));
    assert_true(noticed("-global PIIX4_PM.disable_s3=1: ignored"));
    assert_true(noticed("-debugcon null: not built yet"));
    assert_int_equal(parse_messages.notice_count, 5);
}

static void test_refused_options(void **state)
{
    static const struct refusal bad[] = {
        {HVM "-daemonize", "-daemonize: |accepted: no -daemonize"},
        {HVM "-enable-kvm", "-enable-kvm: |accepted: -machine accel=xen"},
        {HVM "-accel kvm", "-accel kvm: accel=kvm is not supported; accepted: xen"},
        {HVM "-spice port=6000,disable-ticketing=on", "-spice port=6000|not supported|-vnc"},
        {HVM "-object filter-mirror,id=m", "-object filter-mirror|COLO|accepted"},
        {HVM "-kernel /x", "-kernel /x: direct kernel boot is not built yet|accepted"},
        {HVM "-initrd /x", "-initrd /x|not built yet"},
        {HVM "-append x", "-append x|not built yet"},
        {HVM "-monitor stdio",
         "-monitor stdio: the text monitor is not built; accepted: none, null"},
        {HVM "-parallel pty", "-parallel pty: parallel ports are not built; accepted: none"},
        {HVM "-nic user", "-nic user|accepted: none"},
    };

    REFUSE_ALL(bad);
}

/* --- machine ------------------------------------------------------------------------------------
 */

static void test_machine(void **state)
{
    static const struct refusal bad[] = {
        {HVM "-machine q35", "-machine q35: type=q35 is not supported; accepted: xenfv,"},
        {HVM "-machine pc-q35-7.2", "type=pc-q35-7.2 is not supported"},
        {HVM "-machine xenfv,accel=kvm", "accel=kvm"},
        {HVM "-machine xenfv,igd-passthru=on", "igd-passthru=on|accepted: off"},
        {HVM "-machine xenfv,max-ram-below-4g=5G",
         "max-ram-below-4g=5G|accepted: bytes from 1M to 4G"},
        {HVM "-machine xenfv,max-ram-below-4g=0", "max-ram-below-4g=0"},
        {HVM "-machine xenfv,foo=1", "key 'foo' is not known; accepted: type, accel"},
        {HVM "-machine xenfv,usb=maybe", "usb=maybe is neither on nor off; accepted: on, off"},
        {HVM "-machine xenfv,usb=on,usb=off", "key 'usb' is given twice"},
    };
    const struct config *c;

    REFUSE_ALL(bad);
    c = accept_line(HVM "-machine xenfv,max-ram-below-4g=3221225472 -machine suppress-vmdesc=on "
                        "-M pc-i440fx-2.1,accel=xen,vmport=off,smm=off,kernel_irqchip=on,usb=on");
    assert_string_equal(c->machine, "pc-i440fx-2.1");
    assert_int_equal(c->max_ram_below_4g, 3221225472u);
    assert_false(c->platform_pci);
    assert_true(c->usb);
    c = accept_line(HVM "-machine pc,accel=xen -machine xenfv-4.2");
    assert_true(c->platform_pci);
    assert_int_equal(accept_line(HVM "-machine pc,max-ram-below-4g=3G")->max_ram_below_4g,
                     3221225472u);
    assert_false(accept_line(HVM "-no-acpi")->acpi);
    assert_true(accept_line(HVM)->acpi);

    c = accept_line(HVM "-machine pc -device VGA -device xen-platform");
    assert_true(c->platform_pci);
    assert_int_equal(c->pci[1].kind, CONFIG_PCI_PLATFORM);
    assert_int_equal(c->pci[1].slot, 3);
    refuse_line(HVM "-machine xenfv -device xen-platform", "-device xen-platform|already");
    refuse_line(HVM "-machine pc -device xen-platform -device xen-platform", "already");
}

static void test_smp_and_memory(void **state)
{
    static const struct refusal bad[] = {
        {HVM "-smp 300", "-smp 300: cpus=300 is not accepted; accepted: a number from 1 to 128"},
        {HVM "-smp 0", "cpus=0"},
        {HVM "-smp 4,maxcpus=2", "maxcpus=2 is less than the 4 at the start; accepted: 4 to 128"},
        {HVM "-smp 1,maxcpus=129", "maxcpus=129"},
        {HVM "-smp two", "cpus=two"},
        {HVM "-smp 1,foo=2", "key 'foo'"},
        {HVM "-m x", "-m x: not accepted; accepted: MiB"},
        {HVM "-m 0", "-m 0"},
        {HVM "-m 17T", "-m 17T"},
        {HVM "-m 512MB", "-m 512MB"},
    };
    const struct config *c;

    REFUSE_ALL(bad);
    c = accept_line(HVM "-smp 3");
    assert_int_equal(c->vcpus, 3);
    assert_int_equal(c->maxvcpus, 3);
    c = accept_line(HVM "-smp 1,maxcpus=128,sockets=128,cores=1,threads=1");
    assert_int_equal(c->vcpus, 1);
    assert_int_equal(c->maxvcpus, 128);
    assert_int_equal(accept_line(HVM "-smp maxcpus=2")->vcpus, 2);
    assert_int_equal(accept_line(HVM "-m 248")->memory_mb, 248);
    assert_int_equal(accept_line(HVM "-m 2G")->memory_mb, 2048);
    assert_int_equal(accept_line(HVM "-m size=1048576K")->memory_mb, 1024);
    assert_int_equal(accept_line(HVM "-m 1 -m 2")->memory_mb, 2);
}

static void test_boot(void **state)
{
    static const struct refusal bad[] = {
        {HVM "-boot order=x", "'x' is not a boot device; accepted: a and b (floppy)"},
        {HVM "-boot order=cc", "'c' is given twice"},
        {HVM "-boot cdan", "order=cdan is longer than the three places"},
        {HVM "-boot c,foo=1", "key 'foo'"},
    };
    const struct config *c;

    REFUSE_ALL(bad);
    c = accept_line(HVM "-boot dcn");
    assert_string_equal(c->boot_order, "dcn");
    assert_memory_equal(c->boot_code, ((uint8_t[]){3, 2, 4}), 3);
    c = accept_line(HVM "-boot order=b,menu=on,strict=on,splash=/x");
    assert_memory_equal(c->boot_code, ((uint8_t[]){1, 0, 0}), 3);
    assert_true(c->boot_menu);
    assert_memory_equal(accept_line(HVM)->boot_code, ((uint8_t[]){2, 1, 3}), 3);
    assert_true(accept_line(HVM)->floppy_bootchk);
    assert_false(accept_line(HVM "-no-fd-bootchk")->floppy_bootchk);
    accept_line(HVM "-boot order=c,once=d");
    assert_true(noticed("once= is ignored"));
}

static void test_name_and_uuid(void **state)
{
    static const uint8_t uuid[16] = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef,
                                     0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef};
    const struct config *c = accept_line(HVM "-uuid 01234567-89AB-cdef-0123-456789abcdef");

    assert_true(c->has_uuid);
    assert_memory_equal(c->uuid, uuid, 16);
    refuse_line(HVM "-uuid 0123", "-uuid 0123: not accepted; accepted: a UUID");
    refuse_line(HVM "-uuid 01234567-89AB-cdef-0123-456789abcdef0", "-uuid");
    refuse_line(HVM "-uuid 0123456789AB-cdef-0123-456789abcdef", "-uuid");
    refuse_line(HVM "-uuid 01234567-89AB-cdef-0123-456789abcdeg", "-uuid");
    assert_string_equal(accept_line(HVM "-name win10")->name, "win10");
    assert_string_equal(accept_line(HVM "-name guest=a,process=b,debug-threads=on")->name, "a");
    assert_string_equal(accept_line(HVM "-name a,process=b")->name, "a");
    /* Not QEMU's list: libxl's names are names. */
    assert_string_equal(accept_line(HVM "-name a,b=c")->name, "a,b=c");
    assert_string_equal(accept_line(HVM "-name =")->name, "=");
    assert_null(accept_line(HVM)->name);
}

/* --- back-ends ----------------------------------------------------------------------------------
 */

static void test_chardev(void **state)
{
    static const struct refusal bad[] = {
        {HVM "-chardev foo,id=a", "back-end 'foo' is not supported; accepted: socket, pty"},
        {HVM "-chardev spicevmc,id=a", "back-end 'spicevmc'"},
        {HVM "-chardev pty", "id= is missing"},
        {HVM "-chardev pty,id=1a", "id=1a is not accepted; accepted: a letter"},
        {HVM "-chardev pty,id=a -chardev null,id=a", "-chardev null,id=a: the id 'a'|'pty,id=a'"},
        {HVM "-chardev socket,id=a", "exactly one of: path=P, fd=K, host=H with port=P"},
        {HVM "-chardev socket,id=a,path=/x,fd=3", "exactly one of"},
        {HVM "-chardev socket,id=a,host=h", "exactly one of"},
        {HVM "-chardev socket,id=a,fd=x", "fd=x is not accepted; accepted: a number"},
        {HVM "-chardev socket,id=a,path=", "path is empty"},
        {HVM "-chardev socket,id=a,path=/x,server=maybe", "server=maybe is neither on nor off"},
        {HVM "-chardev socket,id=a,path=/x,tls-creds=t",
         "key 'tls-creds' is not known; accepted: id,"},
        {HVM "-chardev socket,id=a,path=/x,y/z,server=on", "key 'y/z'|a comma inside a value"},
        {HVM "-chardev socket,id=a,path=/x,server,reconnect=1", "reconnect= is for clients only"},
        {HVM "-chardev file,id=a", "path is empty"},
        {HVM "-chardev udp,id=a,host=h", "udp needs port=P"},
        {HVM "-chardev ringbuf,id=a,size=3000", "size=3000|a power of two"},
        {HVM "-chardev pty,id=a,mux=on", "mux=on is not supported"},
    };
    const struct config *c;
    char line[200] = HVM "-chardev socket,id=a,path=/";

    REFUSE_ALL(bad);
    c = accept_line(HVM
                    "-chardev socket,id=a,host=h,port=1,nowait,server,telnet,nodelay "
                    "-chardev socket,id=b,path=/x,,y,reconnect=5 -chardev file,id=c,path=/f,append "
                    "-chardev udp,id=d,host=h,port=2,localport=3 -chardev ringbuf,id=e,size=4K "
                    "-chardev tty,id=f,path=/dev/ttyS0 -chardev stdio,id=g,signal=off "
                    "-chardev vc,id=h -chardev null,id=i -chardev pipe,id=j,path=/p "
                    "-chardev pty,id=libxl-channel0 -chardev socket,id=k,path=/x,server");
    assert_int_equal(c->chardev_count, 12);
    assert_int_equal(c->chardev[0].kind, CONFIG_CHARDEV_TCP);
    assert_true(c->chardev[0].server && c->chardev[0].telnet && c->chardev[0].nodelay);
    assert_false(c->chardev[0].wait);
    assert_string_equal(c->chardev[1].path, "/x,y");
    assert_false(c->chardev[1].server);
    assert_int_equal(c->chardev[1].reconnect, 5);
    assert_true(c->chardev[2].append);
    assert_string_equal(c->chardev[3].local_port, "3");
    assert_int_equal(c->chardev[4].size, 4096);
    assert_int_equal(c->chardev[5].kind, CONFIG_CHARDEV_DEVICE);
    assert_true(c->chardev[11].server && c->chardev[11].wait);

    memset(line + strlen(line), 'p', 107 - 1);
    accept_line(line);
    line[strlen(line)] = 'p';
    refuse_line(line, "path has 108 bytes; a socket's path may have 107");
}

static void test_monitors(void **state)
{
    static const struct refusal bad[] = {
        {HVM "-mon chardev=x,mode=control", "-mon chardev=x|no back-end with this id"},
        {HVM "-mon mode=control", "chardev=ID is missing"},
        {HVM "-chardev pty,id=a -mon a", "mode=readline|not built; accepted: mode=control"},
        {HVM "-chardev pty,id=a -mon chardev=a,mode=x",
         "mode=x is not accepted; accepted: control"},
        {HVM "-chardev socket,id=a,path=/a,server -mon a,mode=control -mon a,mode=control",
         "in use by '-mon a,mode"},
        {HVM "-chardev pty,id=a -mon a,mode=control -serial chardev:a",
         "-serial chardev:a|in use|-mon"},
        {HVM "-qmp foo:x", "-qmp foo:x: not accepted"},
        {HVM "-qmp tcp::4444,server",
         "-qmp tcp::4444,server: QMP on 'tcp::4444|accepted: a listening UNIX"},
        {HVM "-chardev socket,id=a,path=/a -mon a,mode=control",
         "-mon a,mode=control: QMP on|server=on"},
        {HVM "-qmp pty -qmp pty -qmp pty -qmp pty -qmp pty -qmp pty -qmp pty -qmp pty -qmp pty",
         "one monitor too many; accepted: up to 8"},
    };
    const struct config *c;

    REFUSE_ALL(bad);
    /* The back-end may come after its user. */
    c = accept_line(HVM "-mon chardev=a,mode=control,pretty=on -chardev socket,id=a,fd=7,server "
                        "-qmp unix:/run/x.sock,server,nowait -qmp-pretty unix:/y,server=on");
    assert_int_equal(c->monitor_count, 3);
    assert_int_equal(c->monitor[0].chardev, 0);
    assert_true(c->monitor[0].pretty);
    assert_int_equal(c->chardev[1].kind, CONFIG_CHARDEV_UNIX);
    assert_string_equal(c->chardev[1].path, "/run/x.sock");
    assert_false(c->monitor[1].pretty);
    assert_true(c->monitor[2].pretty);
    assert_string_equal(c->chardev[2].id, "compat_monitor2");
    accept_line(HVM "-chardev pty,id=libxl-channel0 -chardev pty,id=b");
    assert_true(
        noticed("not built yet: channel (-chardev pty,id=libxl-channel0); the guest starts"));
    assert_true(noticed("-chardev pty,id=b: nothing uses this back-end"));
}

static void test_serial(void **state)
{
    static const struct refusal bad[] = {
        {HVM "-serial foo", "-serial foo: not accepted; accepted: pty, none, null"},
        {HVM "-serial pty -serial pty -serial pty -serial pty -serial none",
         "up to 4, COM1 to COM4"},
        {HVM "-serial tcp:host", "not an address; accepted: HOST:PORT"},
        {HVM "-serial tcp:", "the address is missing"},
        {HVM "-serial tcp:::1:5", "not an address"},
        {HVM "-serial tcp:h:1,foo", "key 'foo'"},
        {HVM "-serial udp:h", "not an address"},
        {HVM "-serial udp:h:1,x", "not an address"},
        {HVM "-serial file:", "path is empty"},
        {HVM "-serial unix:", "the address is missing"},
        {HVM "-serial chardev:x", "no back-end with this id"},
        {HVM "-device isa-serial", "chardev=ID is missing"},
        {HVM "-chardev pty,id=a -serial pty -device isa-serial,chardev=a,index=0", "COM1 is there"},
    };
    const struct config *c;

    REFUSE_ALL(bad);
    c = accept_line(HVM "-serial none -serial file:/a,b=c -serial null -serial /dev/ttyS0");
    assert_false(c->serial[0].present);
    assert_int_equal(c->serial[0].chardev, -1);
    assert_string_equal(c->chardev[c->serial[1].chardev].path, "/a,b=c");
    assert_string_equal(c->chardev[c->serial[1].chardev].id, "serial1");
    assert_int_equal(c->chardev[c->serial[2].chardev].kind, CONFIG_CHARDEV_NULL);
    assert_int_equal(c->chardev[c->serial[3].chardev].kind, CONFIG_CHARDEV_DEVICE);

    c = accept_line(HVM "-serial udp::5555@:6666 -serial telnet:[::1]:23,server "
                        "-serial unix:/x,server=on,wait=off -serial tcp::1");
    assert_string_equal(c->chardev[0].port, "5555");
    assert_string_equal(c->chardev[0].local_port, "6666");
    assert_string_equal(c->chardev[1].host, "::1");
    assert_true(c->chardev[1].telnet && c->chardev[1].server && c->chardev[1].wait);
    assert_true(c->chardev[2].server);
    assert_false(c->chardev[2].wait);
    assert_false(c->chardev[3].server);

    c = accept_line(HVM "-serial vc:80Cx24C -serial stdio -serial pipe:/p -serial mon:pty");
    assert_int_equal(c->chardev[0].kind, CONFIG_CHARDEV_VC);
    assert_int_equal(c->chardev[3].kind, CONFIG_CHARDEV_PTY);
    assert_true(noticed("no text monitor is built"));
    c = accept_line(HVM "-serial chardev:a -chardev pty,id=a -chardev pty,id=b "
                        "-device isa-serial,chardev=b,id=s1");
    assert_int_equal(c->serial[0].chardev, 0);
    assert_int_equal(c->serial[1].chardev, 1);
}

/* --- the process --------------------------------------------------------------------------------
 */

static void test_saved_state(void **state)
{
    static const struct refusal bad[] = {
        {HVM "-incoming tcp:0:4444", "-incoming tcp:0:4444: not accepted; accepted: fd:NUMBER"},
        {HVM "-incoming fd:x", "-incoming fd:x: not accepted; accepted: fd:NUMBER"},
        {HVM "-incoming fd:-1", "-incoming fd:-1"},
        {HVM "-incoming defer", "-incoming defer"},
        {HVM "-incoming fd:3 -loadvm /x", "-loadvm /x: a saved state is given already"},
        {HVM "-loadvm /x -incoming fd:3", "-incoming fd:3: a saved state is given already"},
        {"-dump-state \"\"", "the path is empty"},
    };

    REFUSE_ALL(bad);
    assert_int_equal(accept_line(HVM)->incoming_fd, -1);
    assert_int_equal(accept_line(HVM "-incoming fd:0")->incoming_fd, 0);
    assert_string_equal(accept_line(HVM "-incoming file:/a")->incoming_file, "/a");
    assert_string_equal(accept_line(HVM "-incoming /a")->incoming_file, "/a");
    assert_string_equal(accept_line(HVM "-loadvm b")->incoming_file, "b");
}

static void test_privilege(void **state)
{
    static const struct refusal bad[] = {
        {HVM "-runas 0:0", "-runas 0:0: not a user; accepted: a user's name, or UID:GID"},
        {HVM "-runas root", "all privileges"},
        {HVM "-runas 4294967295:1", "not a user"},
        {HVM "-runas 1:4294967295", "not a user"},
        {HVM "-runas 1:2:3", "not a user"},
        {HVM "-runas a:b", "not a user"},
        {HVM "-runas \"\"", "not a user"},
        {HVM "-run-with user=0:1", "not a user"},
        {HVM "-run-with foo=1", "key 'foo' is not known; accepted: chroot, user"},
        {HVM "-chroot \"\"", "the folder is empty"},
        {HVM "-sandbox maybe", "enable=maybe"},
    };
    const struct config *c;

    REFUSE_ALL(bad);
    c = accept_line(HVM "-runas 65551:65534 -runas qemu");
    assert_string_equal(c->runas_user, "qemu");
    assert_false(c->runas_ids);
    c = accept_line(HVM "-run-with chroot=/a,,b,user=7:8,async-teardown=on");
    assert_string_equal(c->chroot_dir, "/a,b");
    assert_int_equal(c->runas_uid, 7);
    assert_int_equal(c->runas_gid, 8);
    assert_false(c->restrict_domid);
    assert_int_equal(accept_line(HVM)->sandbox, CONFIG_SANDBOX_DEFAULT);
    assert_int_equal(accept_line(HVM "-sandbox on,spawn=deny")->sandbox, CONFIG_SANDBOX_ON);
    assert_int_equal(accept_line(HVM "-sandbox off")->sandbox, CONFIG_SANDBOX_OFF);
}

static void test_files(void **state)
{
    static const struct refusal bad[] = {
        {HVM "-add-fd fd=3", "fd= and set= are both needed"},
        {HVM "-add-fd fd=2,set=1", "fd=2 is not accepted; accepted: a number from 3"},
        {HVM "-add-fd fd=3,set=1 -add-fd fd=3,set=2", "fd=3 is in set 1 already"},
        {HVM "-add-fd fd=3,set=x", "set=x"},
        {HVM "-pidfile \"\"", "the path is empty"},
        {HVM "-L \"\"", "the folder is empty"},
        {HVM "-D \"\"", "the path is empty"},
        {HVM "-msg foo=on", "key 'foo'"},
    };
    const struct config *c;

    REFUSE_ALL(bad);
    c = accept_line(HVM "-add-fd fd=3,set=1,opaque=a:b -add-fd fd=4,set=1 -pidfile /p -D /l -L /r1 "
                        "-L /r2 -msg timestamp=on");
    assert_int_equal(c->fdset_count, 2);
    assert_string_equal(c->fdset[0].opaque, "a:b");
    assert_int_equal(c->fdset[1].fd, 4);
    assert_string_equal(c->pidfile, "/p");
    assert_string_equal(c->log_file, "/l");
    assert_int_equal(c->rom_path_count, 2);
    assert_string_equal(c->rom_path[1], "/r2");
    assert_true(c->log_timestamp);
}

static int release(void **state)
{
    parse_release();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_modes),           cmocka_unit_test(test_texts),
        cmocka_unit_test(test_limits),          cmocka_unit_test(test_notices_are_bounded),
        cmocka_unit_test(test_list_lengths),    cmocka_unit_test(test_accepted_and_ignored),
        cmocka_unit_test(test_refused_options), cmocka_unit_test(test_machine),
        cmocka_unit_test(test_smp_and_memory),  cmocka_unit_test(test_boot),
        cmocka_unit_test(test_name_and_uuid),   cmocka_unit_test(test_chardev),
        cmocka_unit_test(test_monitors),        cmocka_unit_test(test_serial),
        cmocka_unit_test(test_saved_state),     cmocka_unit_test(test_privilege),
        cmocka_unit_test(test_files),
    };

    return cmocka_run_group_tests(tests, NULL, release);
}
