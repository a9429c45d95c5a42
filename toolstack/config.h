/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The whole start-up in one plain struct: what the command line asked for, checked and joined.
 *
 * No behaviour lives here; toolstack/cmdline.h makes and frees it. Whoever reads it may rely on:
 *  - every string is NUL-terminated and owned by the config (valid until config_free(), never to be
 *    freed or changed alone); NULL means "not given";
 *  - every number is within the range given beside it, every index refers to an existing element;
 *  - references by name (chardev=, drive=, netdev=) are resolved to indices, -1 where there is
 * none;
 *  - every PCI function of the machine that the command line decides about is in pci[] with its
 *    final slot and function, also the ones that are not
 * built.
 */
#ifndef TOOLSTACK_CONFIG_H
#define TOOLSTACK_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The longest lists that are taken. More is refused at the command line, never cut. */
#define CONFIG_SERIAL_MAX   4       /* COM1 to COM4 */
#define CONFIG_CHARDEV_MAX  32      /* -chardev */
#define CONFIG_MONITOR_MAX  8       /* -mon, -qmp */
#define CONFIG_IDE_MAX      4       /* two channels of two units */
#define CONFIG_FLOPPY_MAX   2       /* A: and B: */
#define CONFIG_DRIVE_MAX    16      /* all -drive, -hda, -cdrom, -fda, ... */
#define CONFIG_NIC_MAX      8       /* -device NIC, -net nic */
#define CONFIG_NETDEV_MAX   16      /* -netdev, -net tap */
#define CONFIG_USB_MAX      16      /* USB devices, not controllers */
#define CONFIG_SOUND_MAX    8       /* sound cards and codecs */
#define CONFIG_PCI_MAX      64      /* functions in pci[] */
#define CONFIG_FDSET_MAX    32      /* -add-fd */
#define CONFIG_ROM_PATH_MAX 16      /* -L */
#define CONFIG_DISPLAY_MAX  4       /* -vnc */
#define CONFIG_VCPU_MAX     128     /* vCPUs of a guest */
#define CONFIG_DOMID_MAX    0x7fefu /* the first reserved domain id less one */

/* What this run is for. */
enum config_mode {
    CONFIG_MODE_HVM,        /* device model of domain `domid` */
    CONFIG_MODE_PROBE,      /* "-machine none": QMP only, no domain is touched */
    CONFIG_MODE_HELP,       /* print config_help_text() on stdout, exit 0 */
    CONFIG_MODE_VERSION,    /* print config_version_text() on stdout, exit 0 */
    CONFIG_MODE_DUMP_STATE, /* print the saved state in `dump_state_file` readably, exit */
};

/* --- Character back-ends -------------------------------------------------------------------- */

enum config_chardev_kind {
    CONFIG_CHARDEV_NONE,   /* nothing at all: a serial port given as "none" has no UART */
    CONFIG_CHARDEV_NULL,   /* output is dropped, input never comes */
    CONFIG_CHARDEV_PTY,    /* a fresh pseudo terminal */
    CONFIG_CHARDEV_STDIO,  /* descriptors 0 and 1 */
    CONFIG_CHARDEV_FILE,   /* `path` is written */
    CONFIG_CHARDEV_PIPE,   /* `path`.in and `path`.out, or `path` both ways */
    CONFIG_CHARDEV_DEVICE, /* `path`: a host terminal or other character device */
    CONFIG_CHARDEV_UNIX,   /* UNIX stream socket: `path`, or the descriptor `fd` */
    CONFIG_CHARDEV_TCP,    /* TCP: `host`, `port` */
    CONFIG_CHARDEV_UDP,    /* UDP: `host`, `port`, `local_host`, `local_port` */
    CONFIG_CHARDEV_VC,     /* a text console window (treated as null until displays are built) */
    CONFIG_CHARDEV_RING,   /* the last `size` bytes in memory */
};

struct config_chardev {
    const char *id; /* the label: "libxl-cmd", "serial0", ...; never NULL */
    enum config_chardev_kind kind;
    const char *path;
    const char *host, *port; /* an address or name; a number or service name */
    const char *local_host, *local_port;
    int fd;      /* an inherited, listening (server) or connected descriptor, or -1 */
    bool server; /* listens; else connects */
    bool wait;   /* server only: start-up waits for the first client */
    bool telnet; /* TCP only: telnet negotiation around the bytes */
    bool nodelay;
    bool append;        /* FILE only: not truncated */
    unsigned reconnect; /* client only: seconds between tries, 0 = once */
    unsigned size;      /* RING only: bytes, a power of two */
    const char *spec;   /* as it was written, for messages */
};

/* One QMP connection point. A human (text) monitor is refused at the command line. */
struct config_monitor {
    int chardev; /* index into chardev[] */
    bool pretty; /* answers in several lines */
};

/* Port n is COM n+1. Its back-end is chardev[chardev], whose id is "serial<n>" unless it was given
 * by -chardev. present = false: no such port (not given, or "none"). */
struct config_serial {
    bool present;
    int chardev;
};

/* --- Display -------------------------------------------------------------------------------- */

enum config_vga_kind {
    CONFIG_VGA_NONE,
    CONFIG_VGA_STD,
    CONFIG_VGA_CIRRUS,
};

struct config_vga {
    enum config_vga_kind kind;
    unsigned vgamem_mb;  /* 1..256: video memory that Xen set aside for the guest */
    unsigned xres, yres; /* what the monitor says it likes best; 640..4095 x 480..4095, or 0 */
    int pci;             /* index into pci[], -1 with NONE */
};

struct config_vnc {
    const char *address;   /* without brackets; NULL or "" = all addresses; unused with unix_path */
    unsigned display;      /* TCP port = 5900 + display; 0..59635 */
    unsigned to;           /* tries display .. display + to; 0 = this one only */
    const char *unix_path; /* UNIX socket instead of TCP, or NULL */
    bool reverse;          /* connects to a listening viewer at address, port = display */
    bool password;         /* logins are refused until QMP sets one */
    int websocket;         /* -1 none, 0 = 5700 + display, else the TCP port */
    bool ipv4, ipv6;       /* only this family; both false = either */
    enum { CONFIG_VNC_SHARE_ALLOW, CONFIG_VNC_SHARE_FORCE, CONFIG_VNC_SHARE_IGNORE } share;
    const char *spec;
};

/* --- Disks ---------------------------------------------------------------------------------- */

enum config_drive_bus {
    CONFIG_BUS_NONE,   /* a -drive that no -device uses; kept for QMP, no guest sees it */
    CONFIG_BUS_IDE,    /* unit 0..3: primary master, primary slave, secondary master, slave */
    CONFIG_BUS_FLOPPY, /* unit 0..1 */
};
enum config_media { CONFIG_MEDIA_DISK, CONFIG_MEDIA_CDROM };
/* A block device given as host_device differs from raw in nothing but the word. */
enum config_format {
    CONFIG_FORMAT_RAW,
    CONFIG_FORMAT_HOST_DEVICE,
    CONFIG_FORMAT_SERVED, /* by an NBD server that knows it; format_name says which */
};
enum config_cache {
    CONFIG_CACHE_WRITEBACK,    /* page cache, guest flushes are honoured */
    CONFIG_CACHE_WRITETHROUGH, /* every write is flushed */
    CONFIG_CACHE_NONE,         /* O_DIRECT, guest flushes are honoured */
    CONFIG_CACHE_DIRECTSYNC,   /* O_DIRECT and every write is flushed */
    CONFIG_CACHE_UNSAFE,       /* page cache, guest flushes are ignored */
};
enum config_io_error {
    CONFIG_IO_ERROR_REPORT,
    CONFIG_IO_ERROR_IGNORE,
    CONFIG_IO_ERROR_STOP,
    CONFIG_IO_ERROR_ENOSPC, /* werror only: STOP when the storage is full, else REPORT */
};

struct config_drive {
    const char *id;      /* block back-end id, "ide-5632", "ide0-hd0"; never NULL, unique */
    const char *qdev_id; /* id of the -device, or NULL */
    enum config_drive_bus bus;
    unsigned unit; /* see enum config_drive_bus; for IDE: channel = unit / 2, slave = unit % 2 */
    enum config_media media;
    /* Path, "/dev/fdset/N" for a descriptor of -add-fd, "nbd:..."; NULL = empty drive. */
    const char *file;
    enum config_format format;
    const char *format_name; /* "raw", "host_device", "qcow2", "vpc", ...; never NULL */
    enum config_cache cache;
    bool readonly; /* always true for CDROM */
    bool discard;  /* TRIM frees space */
    bool lock;     /* no other process may write the image */
    enum config_io_error werror, rerror;
    const char *serial;         /* serial number the guest reads, NULL = the drive's own default */
    const char *model;          /* model string the guest reads, NULL = default */
    unsigned cyls, heads, secs; /* forced CHS geometry, all 0 = none */
    uint64_t wwn;               /* 0 = none */
    int bootindex;              /* -1 = none */
    /* Traditional mode: the directories of the front end and of the back end in xenstore, and the
     * node of the latter that has named the image. NULL with a drive of the command line. */
    const char *frontend, *backend, *params;
};

/* --- PCI ------------------------------------------------------------------------------------ */

enum config_pci_kind {
    CONFIG_PCI_PLATFORM, /* xen-platform 5853:0001 */
    CONFIG_PCI_VGA,
    CONFIG_PCI_NIC,   /* index: nic[] */
    CONFIG_PCI_SOUND, /* index: sound[] */
    CONFIG_PCI_USB,   /* a USB controller; `driver` says which */
    CONFIG_PCI_SCSI,  /* lsi53c895a */
    CONFIG_PCI_AHCI,
    CONFIG_PCI_PVDEVICE, /* xen-pvdevice, pvdevice_id */
};

struct config_pci {
    enum config_pci_kind kind;
    const char *driver; /* QEMU's name of the device type */
    const char *id;     /* or NULL */
    unsigned slot;      /* 0..31 */
    unsigned function;  /* 0..7 */
    bool multifunction;
    bool addr_given;      /* by addr=, or fixed like 01.2; else the lowest free slot */
    bool built;           /* false: the slot stays empty and a notice was made */
    int index;            /* into the list of its kind, or -1 */
    const char *romfile;  /* romfile=, "" = no ROM, NULL = the device's own */
    int bootindex;        /* -1 = none */
    uint16_t pvdevice_id; /* PVDEVICE: PCI device id */
};

/* --- Network -------------------------------------------------------------------------------- */

enum config_netdev_kind { CONFIG_NETDEV_TAP, CONFIG_NETDEV_STREAM, CONFIG_NETDEV_DGRAM };

struct config_netdev {
    const char *id;
    enum config_netdev_kind kind;
    const char *ifname; /* TAP: interface to create, NULL with fd */
    int fd;             /* an open descriptor, or -1 */
    const char *bridge; /* informative: the toolstack does the bridging */
    bool vnet_hdr;
    /* STREAM and DGRAM: UNIX path or host and port; NULL = not given */
    const char *path, *host, *port;
    const char *local_path, *local_host, *local_port;
    bool server;
    unsigned reconnect;       /* seconds, 0 = once */
    unsigned port_to;         /* server: the last port to try, 0 = port only */
    bool ipv4, ipv6;          /* only this family; both false = either */
    bool numeric, keep_alive; /* no name service; TCP keep-alive */
    bool abstract;            /* UNIX paths are names without a file */
};

struct config_nic {
    const char *model; /* "rtl8139", "e1000", ... */
    const char *id;
    bool has_mac;
    uint8_t mac[6];
    int netdev; /* index into netdev[], -1 = cable not plugged */
    int pci;    /* index into pci[], -1 for ISA models */
};

/* --- Everything else that is a device -------------------------------------------------------- */

struct config_usb_device {
    const char *name; /* "tablet", "mouse", "keyboard", "host", "usb-tablet", ... without "usb-" */
    const char *args; /* what followed the name, or NULL */
    const char *id;
};

struct config_sound {
    const char *model; /* lower case: "ac97", "es1370", "intel-hda", "hda-duplex", "sb16", ... */
    const char *id;
    int pci; /* index into pci[], -1 for ISA cards and codecs */
};

/* One descriptor of -add-fd. */
struct config_fdset {
    unsigned set;
    int fd;
    const char *opaque;
};

/* --- The whole ------------------------------------------------------------------------------ */

struct config {
    enum config_mode mode;
    const char *argv0;
    /* qemu-dm's command line (traditional.h): disks and commands are in xenstore. */
    bool traditional;
    const char *save_dir; /* traditional: where "save" leaves its file */

    /* the domain */
    unsigned domid; /* valid with MODE_HVM */
    const char *name;
    bool has_uuid;
    uint8_t uuid[16];
    unsigned vcpus;            /* online at boot, 1..maxvcpus */
    unsigned maxvcpus;         /* 1..CONFIG_VCPU_MAX */
    uint64_t memory_mb;        /* RAM without video memory; informative, 0 = not given */
    uint64_t max_ram_below_4g; /* bytes, default 0xf0000000 */
    const char *machine;       /* type name as given */
    bool platform_pci;         /* xen-platform device wanted */
    bool acpi;                 /* PIIX4 PM function present */
    bool start_paused;         /* -S: "prelaunch" until the first cont */

    /* character devices */
    struct config_chardev chardev[CONFIG_CHARDEV_MAX];
    unsigned chardev_count;
    struct config_monitor monitor[CONFIG_MONITOR_MAX];
    unsigned monitor_count;
    struct config_serial serial[CONFIG_SERIAL_MAX];

    /* display and input */
    struct config_vga vga;
    struct config_vnc vnc[CONFIG_DISPLAY_MAX];
    unsigned vnc_count;
    bool sdl; /* a window, ... */
    bool full_screen;
    const char *keymap; /* "en-us", ...; NULL = default */

    /* boot */
    const char *boot_order; /* letters of a, b, c, d, n; "cad" when not given */
    uint8_t boot_code[3]; /* CMOS codes of the first three: 1 floppy, 2 disk, 3 CD, 4 net, 0 none */
    bool boot_menu;
    bool floppy_bootchk; /* false: -no-fd-bootchk (CMOS 0x38 bit 0 set) */

    /* disks */
    struct config_drive drive[CONFIG_DRIVE_MAX];
    unsigned drive_count;
    int ide[CONFIG_IDE_MAX];       /* unit -> index into drive[], -1 = no drive there */
    int floppy[CONFIG_FLOPPY_MAX]; /* likewise */

    /* PCI, and what sits on it */
    struct config_pci pci[CONFIG_PCI_MAX];
    unsigned pci_count;
    struct config_netdev netdev[CONFIG_NETDEV_MAX];
    unsigned netdev_count;
    struct config_nic nic[CONFIG_NIC_MAX];
    unsigned nic_count;
    bool usb; /* -usb: PIIX3 UHCI at 01.2 */
    struct config_usb_device usb_device[CONFIG_USB_MAX];
    unsigned usb_device_count;
    struct config_sound sound[CONFIG_SOUND_MAX];
    unsigned sound_count;

    /* saved state */
    int incoming_fd;           /* -incoming fd:K, or -1 */
    const char *incoming_file; /* -incoming PATH or file:PATH, -loadvm PATH; or NULL */
    const char *dump_state_file;

    /* privilege; each is to be honoured alone */
    bool restrict_domid; /* -xen-domid-restrict */
    const char *chroot_dir;
    const char *runas_user; /* a name, or NULL */
    bool runas_ids;         /* runas_uid and runas_gid are given */
    uid_t runas_uid;        /* never 0 */
    gid_t runas_gid;
    enum { CONFIG_SANDBOX_DEFAULT, CONFIG_SANDBOX_ON, CONFIG_SANDBOX_OFF } sandbox;

    /* the process */
    const char *pidfile;
    const char *log_file;                      /* -D */
    bool log_timestamp;                        /* -msg timestamp=on */
    const char *rom_path[CONFIG_ROM_PATH_MAX]; /* -L, in order; before the built-in folders */
    unsigned rom_path_count;
    struct config_fdset fdset[CONFIG_FDSET_MAX];
    unsigned fdset_count;

    void *strings; /* owner of all strings above; private to cmdline.c */
};

#endif
