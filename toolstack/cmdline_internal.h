/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of the command-line parser share; nobody else includes this.
 *
 * Parsing has two passes. The first runs over argv in order: an option either fills the config at
 * once, or is remembered (-device, -drive) because what it refers to may come later. The second
 * (the *_finish functions, in the order of parse_all() in cmdline.c) joins names, and gives PCI
 * slots in the order in which QEMU would create the devices.
 *
 * Errors are sticky: the first failure is kept in messages->error and parser->err, later calls of
 * the helpers return harmless defaults, and handlers need not look at every result.
 */
#ifndef TOOLSTACK_CMDLINE_INTERNAL_H
#define TOOLSTACK_CMDLINE_INTERNAL_H

#include "toolstack/cmdline.h"
#include "toolstack/keyval.h"

#define DEVICE_MAX 64 /* -device */

struct parser;

struct option {
    const char *name; /* without dashes */
    bool takes_value;
    /* value: the next argument, NULL for a flag. NULL handler: accepted, nothing to do. */
    void (*handle)(struct parser *p, const char *value);
    const char *text; /* for option_notice() and option_refuse(); set with setup by others */
};

enum device_class {
    DEVICE_VGA,
    DEVICE_NIC,
    DEVICE_SOUND,
    DEVICE_USB_CONTROLLER,
    DEVICE_USB,
    DEVICE_SCSI_CONTROLLER,
    DEVICE_AHCI,
    DEVICE_PVDEVICE,
    DEVICE_PLATFORM,
    DEVICE_IDE,
    DEVICE_FLOPPY,
    DEVICE_SERIAL,
    DEVICE_IGNORED, /* no PCI function, not built, the guest can live without it */
    DEVICE_REFUSED, /* `text` says why */
};

struct device_type {
    const char *name;
    enum device_class class;
    bool pci;
    const char *text;
};

struct device {
    const struct device_type *type;
    const char *text; /* the whole value of -device */
    struct keyval kv;
};

enum drive_interface { DRIVE_IDE, DRIVE_FLOPPY, DRIVE_NONE };

/* What config_drive does not need once everything is joined; same index as config.drive[]. */
struct drive_source {
    enum drive_interface interface;
    int index; /* wanted unit, or -1 */
    bool media_given;
    const char *option, *text;
};

/* Same index as config.netdev[] and config.nic[]. */
struct net_source {
    const char *text;
    int vlan; /* -net: hub number, else -1 */
    bool used;
};

struct parser {
    struct config *config;
    struct config_messages *messages;
    int err;

    /* Where we are, for messages: "-drive", "file=..." (NULL for a flag). */
    const struct option *entry;
    const char *option, *value;
    const char *hint; /* added to complaints about the grammar of a list, or NULL */

    struct device device[DEVICE_MAX];
    unsigned device_count;
    struct drive_source drive[CONFIG_DRIVE_MAX];
    struct net_source netdev[CONFIG_NETDEV_MAX];
    struct net_source nic[CONFIG_NIC_MAX];
    const char *chardev_user[CONFIG_CHARDEV_MAX];
    int serial_count; /* -serial so far, "none" included */
    struct {
        int index; /* of the serial port, or of the monitor */
        const char *id, *option, *value;
        bool monitor;
    } reference[CONFIG_SERIAL_MAX + CONFIG_MONITOR_MAX]; /* to a -chardev that may come later */
    unsigned reference_count;

    bool domid_given, attach;
    bool vnc_unused; /* -vncunused */
    const char *accel;
    const char *vga;        /* -vga, or NULL */
    const char *vga_text;   /* where the first VGA came from, NULL = none yet */
    uint64_t vgamem_global; /* -global VGA.vgamem_mb, 0 = none */
    const char *soundhw;    /* -soundhw, or NULL */
};

/* --- cmdline_util.c: messages, strings, values ------------------------------------------------ */

/* Records the first failure as "OPTION VALUE: text". */
void fail(struct parser *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Records a notice as "OPTION VALUE: text" (with_option), or the text alone. */
void notice(struct parser *p, bool with_option, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* "not built yet: WHAT (OPTION VALUE); the guest starts without it". */
void notice_not_built(struct parser *p, const char *what);
void set_context(struct parser *p, const char *option, const char *value);

/* A copy that the config owns. Never NULL: on a lack of memory "" is returned and p->err set. */
const char *keep(struct parser *p, const char *s);
const char *keep_format(struct parser *p, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Cuts a list and fails with a message when its grammar is wrong. Free with keyval_free(). */
bool list_open(struct parser *p, struct keyval *kv, const char *text, const char *implied_key);
/* Fails when a key was not looked up; `accepted` lists those that are. */
void list_close(struct parser *p, struct keyval *kv, const char *accepted);
/* Marks the keys of a space separated list as looked up. */
void list_ignore(struct keyval *kv, const char *keys);
/* Values by key. An absent key gives NULL or the default; a bad value fails. */
const char *list_string(struct parser *p, struct keyval *kv, const char *key);
bool list_bool(struct parser *p, struct keyval *kv, const char *key, bool otherwise);
uint64_t list_uint(struct parser *p, struct keyval *kv, const char *key, uint64_t otherwise,
                   uint64_t min, uint64_t max);
/* The position of the value in a NULL-terminated list of words. */
int list_choice(struct parser *p, struct keyval *kv, const char *key, int otherwise,
                const char *const words[]);
/* Whole arguments. */
uint64_t value_uint(struct parser *p, const char *value, uint64_t min, uint64_t max);
/* Fails unless s can be the id of something: a letter, then letters, digits, '-', '.', '_'. */
bool check_id(struct parser *p, const char *id);
/* Fails when a path is empty or, for a UNIX socket, too long for an address. */
bool check_path(struct parser *p, const char *what, const char *path, bool socket);
bool starts_with(const char *s, const char *prefix, const char **rest);

/* --- handlers, by file ------------------------------------------------------------------------ */

void option_notice(struct parser *p, const char *value); /* not built or ignored: entry->text */
void option_refuse(struct parser *p, const char *value); /* fails with entry->text */

/* cmdline_chardev.c */
void option_chardev(struct parser *p, const char *value);
void option_mon(struct parser *p, const char *value);
void option_qmp(struct parser *p, const char *value);
void option_serial(struct parser *p, const char *value);
void option_no_back_end(struct parser *p, const char *value); /* -monitor, -parallel */
void serial_from_device(struct parser *p, struct device *d);
void chardev_finish(struct parser *p);

/* cmdline_display.c */
void option_vnc(struct parser *p, const char *value);
void option_display(struct parser *p, const char *value);
void option_sdl(struct parser *p, const char *value);
void option_full_screen(struct parser *p, const char *value);
void option_nographic(struct parser *p, const char *value);
void option_keymap(struct parser *p, const char *value);
void option_vga(struct parser *p, const char *value);
void option_global(struct parser *p, const char *value);
void vga_from_option(struct parser *p);
void vga_from_device(struct parser *p, struct device *d, int pci);

/* cmdline_disk.c and cmdline_drive.c */
void option_drive(struct parser *p, const char *value);
void option_disk_shortcut(struct parser *p, const char *value); /* -hda .. -fdb, -cdrom */
/* A format by QEMU's name; NULL is raw. */
void drive_format(struct parser *p, struct config_drive *drive, const char *format);
void drives_place(struct parser *p);
void drive_from_device(struct parser *p, struct device *d);
void drives_finish(struct parser *p);

/* cmdline_net.c */
void option_netdev(struct parser *p, const char *value);
void option_net(struct parser *p, const char *value);
void option_nic(struct parser *p, const char *value);
void nics_from_options(struct parser *p);
void nic_from_device(struct parser *p, struct device *d, int pci);
void nics_finish(struct parser *p);

/* cmdline_device.c */
void option_device(struct parser *p, const char *value);
void option_usb(struct parser *p, const char *value);
void option_usbdevice(struct parser *p, const char *value);
void option_soundhw(struct parser *p, const char *value);
const struct device_type *device_type_find(const char *name);
void devices_finish(struct parser *p);

/* cmdline_pci.c: adds a function, at addr= of kv (may be NULL) or at the lowest free slot. */
int config_pci_add(struct parser *p, enum config_pci_kind kind, const char *driver,
                   struct keyval *kv);
/* At a place the machine fixes. */
int pci_add_fixed(struct parser *p, enum config_pci_kind kind, const char *driver, unsigned slot,
                  unsigned function);
/* The keys that every PCI device takes, for list_close(). */
#define PCI_KEYS "id, bus, addr, multifunction, romfile, rombar, bootindex"

/* cmdline_machine.c */
void option_machine(struct parser *p, const char *value);
void option_accel(struct parser *p, const char *value);
void option_domid(struct parser *p, const char *value);
void option_attach(struct parser *p, const char *value);
void option_name(struct parser *p, const char *value);
void option_uuid(struct parser *p, const char *value);
void option_smp(struct parser *p, const char *value);
void option_memory(struct parser *p, const char *value);
void option_boot(struct parser *p, const char *value);
void option_no_fd_bootchk(struct parser *p, const char *value);
void option_no_acpi(struct parser *p, const char *value);
void option_paused(struct parser *p, const char *value);
void machine_finish(struct parser *p);

/* traditional.c: qemu-dm's dialect */
void traditional_begin(struct parser *p);
/* An option that is another one than elsewhere, or not known there; NULL when there is none. */
const struct option *traditional_option(const char *name);
void traditional_finish(struct parser *p); /* before the devices are made */

/* cmdline_process.c */
void option_incoming(struct parser *p, const char *value);
void option_loadvm(struct parser *p, const char *value);
void option_dump_state(struct parser *p, const char *value);
void option_restrict(struct parser *p, const char *value);
void option_chroot(struct parser *p, const char *value);
void option_runas(struct parser *p, const char *value);
void option_run_with(struct parser *p, const char *value);
void option_sandbox(struct parser *p, const char *value);
void option_pidfile(struct parser *p, const char *value);
void option_log_file(struct parser *p, const char *value);
void option_msg(struct parser *p, const char *value);
void option_rom_path(struct parser *p, const char *value);
void option_add_fd(struct parser *p, const char *value);

#endif
