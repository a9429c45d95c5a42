/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of all options, and the two passes over the command line.
 *
 * The dialect is that of QEMU as libxl speaks it, in the spellings of every
 * release since 4.4: they never contradict each other. What is not in the table is refused before
 * anything has been touched.
 */
#include "toolstack/cmdline_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TOOLSTACK_DECIDES "ignored; the toolstack and the hypervisor decide this for a Xen guest"

static void option_help(struct parser *p, const char *value)
{
    p->config->mode = CONFIG_MODE_HELP;
}

static void option_version(struct parser *p, const char *value)
{
    p->config->mode = CONFIG_MODE_VERSION;
}

enum { FLAG, VALUE };

static const struct option options[] = {
    {"help", FLAG, option_help, NULL},
    {"h", FLAG, option_help, NULL},
    {"version", FLAG, option_version, NULL},
    {"dump-state", VALUE, option_dump_state, NULL},

    /* the domain and the machine */
    {"xen-domid", VALUE, option_domid, NULL},
    {"xen-attach", FLAG, option_attach, NULL},
    {"xen-domid-restrict", FLAG, option_restrict, NULL},
    {"domain-name", VALUE, option_refuse,
     "this is an option of qemu-dm, whose command line begins with the domain; accepted: -d N "
     "-domain-name NAME"},
    {"name", VALUE, option_name, NULL},
    {"uuid", VALUE, option_uuid, NULL},
    {"machine", VALUE, option_machine, NULL},
    {"M", VALUE, option_machine, NULL},
    {"accel", VALUE, option_accel, NULL},
    {"smp", VALUE, option_smp, NULL},
    {"m", VALUE, option_memory, NULL},
    {"boot", VALUE, option_boot, NULL},
    {"no-fd-bootchk", FLAG, option_no_fd_bootchk, NULL},
    {"no-acpi", FLAG, option_no_acpi, NULL},
    {"S", FLAG, option_paused, NULL},
    {"no-shutdown", FLAG, NULL, NULL},
    {"nodefaults", FLAG, NULL, NULL},
    {"no-user-config", FLAG, NULL, NULL},
    {"nodefconfig", FLAG, NULL, NULL},

    /* back-ends, monitors, serial ports */
    {"chardev", VALUE, option_chardev, NULL},
    {"mon", VALUE, option_mon, NULL},
    {"qmp", VALUE, option_qmp, NULL},
    {"qmp-pretty", VALUE, option_qmp, NULL},
    {"serial", VALUE, option_serial, NULL},
    {"monitor", VALUE, option_no_back_end, "the text monitor is not built"},
    {"parallel", VALUE, option_no_back_end, "parallel ports are not built"},
    {"debugcon", VALUE, option_notice,
     "not built yet: the debug console; the guest starts without it"},

    /* displays */
    {"vnc", VALUE, option_vnc, NULL},
    {"display", VALUE, option_display, NULL},
    {"sdl", FLAG, option_sdl, NULL},
    {"nographic", FLAG, option_nographic, NULL},
    {"k", VALUE, option_keymap, NULL},
    {"vga", VALUE, option_vga, NULL},
    {"global", VALUE, option_global, NULL},
    {"spice", VALUE, option_refuse,
     "spice is not supported; accepted displays: -vnc, -display sdl, -display none"},
    {"full-screen", FLAG, option_full_screen, NULL},
    {"disable-opengl", FLAG, NULL, NULL},
    {"no-frame", FLAG, NULL, NULL},
    {"alt-grab", FLAG, NULL, NULL},
    {"ctrl-grab", FLAG, NULL, NULL},
    {"no-quit", FLAG, NULL, NULL},
    {"g", VALUE, NULL, NULL},

    /* devices */
    {"device", VALUE, option_device, NULL},
    {"drive", VALUE, option_drive, NULL},
    {"hda", VALUE, option_disk_shortcut, NULL},
    {"hdb", VALUE, option_disk_shortcut, NULL},
    {"hdc", VALUE, option_disk_shortcut, NULL},
    {"hdd", VALUE, option_disk_shortcut, NULL},
    {"cdrom", VALUE, option_disk_shortcut, NULL},
    {"fda", VALUE, option_disk_shortcut, NULL},
    {"fdb", VALUE, option_disk_shortcut, NULL},
    {"netdev", VALUE, option_netdev, NULL},
    {"net", VALUE, option_net, NULL},
    {"nic", VALUE, option_nic, NULL},
    {"usb", FLAG, option_usb, NULL},
    {"usbdevice", VALUE, option_usbdevice, NULL},
    {"soundhw", VALUE, option_soundhw, NULL},
    {"audiodev", VALUE, NULL, NULL},
    {"object", VALUE, option_refuse,
     "objects (COLO filters, I/O threads, secrets) are not supported; accepted: a guest without "
     "COLO"},
    {"kernel", VALUE, option_refuse,
     "direct kernel boot is not built yet; accepted: a guest that boots from its disk or CD-ROM "
     "(xl.cfg: no kernel=, ramdisk=, cmdline=)"},
    {"initrd", VALUE, option_refuse, "direct kernel boot is not built yet; accepted: no -initrd"},
    {"append", VALUE, option_refuse, "direct kernel boot is not built yet; accepted: no -append"},

    /* saved state, privilege, the process */
    {"incoming", VALUE, option_incoming, NULL},
    {"loadvm", VALUE, option_loadvm, NULL},
    {"chroot", VALUE, option_chroot, NULL},
    {"runas", VALUE, option_runas, NULL},
    {"run-with", VALUE, option_run_with, NULL},
    {"sandbox", VALUE, option_sandbox, NULL},
    {"add-fd", VALUE, option_add_fd, NULL},
    {"L", VALUE, option_rom_path, NULL},
    {"pidfile", VALUE, option_pidfile, NULL},
    {"D", VALUE, option_log_file, NULL},
    {"msg", VALUE, option_msg, NULL},
    {"d", VALUE, NULL, NULL},
    {"trace", VALUE, NULL, NULL},
    {"daemonize", FLAG, option_refuse,
     "the toolstack needs the process that it started; accepted: no -daemonize"},
    {"enable-kvm", FLAG, option_refuse,
     "a Xen guest does not run on KVM; accepted: -machine accel=xen"},

    /* known and without effect on a Xen guest */
    {"rtc", VALUE, NULL, NULL},
    {"localtime", FLAG, NULL, NULL},
    {"no-hpet", FLAG, NULL, NULL},
    {"rtc-td-hack", FLAG, NULL, NULL},
    {"win2k-hack", FLAG, NULL, NULL},
    {"overcommit", VALUE, NULL, NULL},
    {"mem-prealloc", FLAG, NULL, NULL},
    {"compat", VALUE, NULL, NULL},
    {"no-reboot", FLAG, option_notice, TOOLSTACK_DECIDES " (on_reboot=)"},
    {"bios", VALUE, option_notice, TOOLSTACK_DECIDES " (bios=, firmware_override=)"},
    {"cpu", VALUE, option_notice, TOOLSTACK_DECIDES " (cpuid=)"},
    {"smbios", VALUE, option_notice, TOOLSTACK_DECIDES " (smbios_firmware=)"},
    {"acpitable", VALUE, option_notice, TOOLSTACK_DECIDES " (acpi_firmware=)"},
    {"numa", VALUE, option_notice, TOOLSTACK_DECIDES " (vnuma=)"},
    {"mem-path", VALUE, option_notice, TOOLSTACK_DECIDES},
    {"watchdog", VALUE, option_notice, "not built yet: watchdog; the guest starts without it"},
    {"watchdog-action", VALUE, NULL, NULL},
};

static const struct option *find_option(const struct parser *p, const char *arg)
{
    const struct option *option = NULL;

    if (arg[0] != '-')
        return NULL;
    arg += arg[1] == '-' ? 2 : 1;
    if (p->config->traditional)
        option = traditional_option(arg);
    for (size_t i = 0; !option && i < sizeof(options) / sizeof(options[0]); i++) {
        if (!strcmp(options[i].name, arg))
            option = &options[i];
    }
    return option;
}

static bool help_or_version(const struct parser *p)
{
    return p->config->mode == CONFIG_MODE_HELP || p->config->mode == CONFIG_MODE_VERSION;
}

/* The first pass. */
static void read_options(struct parser *p, int argc, char *const argv[])
{
    for (int i = 1; i < argc && !p->err && !help_or_version(p); i++) {
        const struct option *option = find_option(p, argv[i]);
        const char *value = NULL;

        set_context(p, NULL, NULL);
        if (!option) {
            if (argv[i][0] == '-')
                fail(p, "unsupported option %.100s", argv[i]);
            else
                fail(p,
                     "unexpected argument '%.100s'; accepted: options that begin with '-' (a disk "
                     "is given with -drive)",
                     argv[i]);
            return;
        }
        p->entry = option;
        p->option = argv[i];
        if (option->takes_value) {
            if (i + 1 == argc) {
                fail(p, "the value is missing; accepted: %.40s VALUE", argv[i]);
                return;
            }
            value = argv[++i];
        }
        p->value = value;
        if (option->handle)
            option->handle(p, value);
    }
}

/* The second pass. Each step builds on those before it. */
static void join_options(struct parser *p)
{
    machine_finish(p);
    if (p->err || p->config->mode == CONFIG_MODE_DUMP_STATE)
        return;
    if (p->config->traditional)
        traditional_finish(p);
    devices_finish(p);
    drives_finish(p);
    nics_finish(p);
    chardev_finish(p);
}

static void check_size(struct parser *p, int argc, char *const argv[])
{
    size_t bytes = 0;

    for (int i = 0; i < argc && argc <= CONFIG_ARGC_MAX && bytes <= CONFIG_ARGV_BYTES; i++)
        bytes += strlen(argv[i]) + 1;
    if (argc > CONFIG_ARGC_MAX)
        fail(p, "the command line has %d arguments; accepted: up to %d", argc, CONFIG_ARGC_MAX);
    else if (bytes > CONFIG_ARGV_BYTES)
        fail(p, "the command line is too long; accepted: up to %u bytes", CONFIG_ARGV_BYTES);
}

/* qemu-dm's dialect begins with "-d N"; elsewhere -d takes names of log items. */
static void check_dialect(struct parser *p, int argc, char *const argv[])
{
    uint64_t n;

    if (argc >= 3 && !strcmp(argv[1], "-d") && keyval_parse_uint(argv[2], 0, UINT64_MAX, &n))
        traditional_begin(p);
}

static void set_defaults(struct config *c)
{
    c->machine = "xenfv";
    c->vcpus = c->maxvcpus = 1;
    c->max_ram_below_4g = 0xf0000000;
    c->acpi = true;
    c->boot_order = "cad"; /* QEMU's own default for a PC */
    c->boot_code[0] = 2;
    c->boot_code[1] = 1;
    c->boot_code[2] = 3;
    c->floppy_bootchk = true;
    c->incoming_fd = -1;
    c->vga.pci = -1;
    for (int i = 0; i < CONFIG_SERIAL_MAX; i++)
        c->serial[i].chardev = -1;
    for (int i = 0; i < CONFIG_IDE_MAX; i++)
        c->ide[i] = -1;
    for (int i = 0; i < CONFIG_FLOPPY_MAX; i++)
        c->floppy[i] = -1;
}

int config_parse(int argc, char *const argv[], struct config **out, struct config_messages *msgs)
{
    struct parser *p = calloc(1, sizeof(*p));
    int err;

    *out = NULL;
    memset(msgs, 0, sizeof(*msgs));
    if (!p)
        return -ENOMEM;
    p->messages = msgs;
    p->config = calloc(1, sizeof(*p->config));
    if (!p->config) {
        free(p);
        return -ENOMEM;
    }

    set_defaults(p->config);
    check_size(p, argc, argv);
    if (!p->err) {
        p->config->argv0 = keep(p, argc > 0 ? argv[0] : "slimdm");
        check_dialect(p, argc, argv);
    }
    if (!p->err)
        read_options(p, argc, argv);
    if (!p->err && !help_or_version(p))
        join_options(p);

    for (unsigned i = 0; i < p->device_count; i++)
        keyval_free(&p->device[i].kv);
    err = p->err;
    if (err)
        config_free(p->config);
    else
        *out = p->config;
    free(p);
    return err;
}
