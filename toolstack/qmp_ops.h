/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What QMP needs from the machine. toolstack/ knows the language, the implementor of these
 * operations knows the devices; only plain values pass between them.
 *
 * Rules for all of them:
 *  - They are called on the device thread, from the loop, never from inside another operation.
 *  - Strings and structs given to an operation are valid during the call only, strings and structs
 *    handed to an each() callback likewise.
 *  - A NULL operation makes its commands fail with "not built into this device model"; a NULL
 *    each_...() is an empty list, a NULL run_state() is prelaunch.
 *  - Where an operation returns int: 0, or -errno after qmp_fail() has said why. Without qmp_fail()
 *    the client gets GenericError with the text of errno, and -ENOSYS means "not built".
 *  - An operation that takes a qmp_reply must answer it exactly once, with qmp_reply_ok() or
 *    qmp_reply_fail(), at any time from inside the call on, be the client still there or not.
 *  - Descriptors given to an operation (always close-on-exec) are the operation's from the call on,
 *    also when it fails.
 */
#ifndef TOOLSTACK_QMP_OPS_H
#define TOOLSTACK_QMP_OPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- errors and late answers ---------------------------------------------------------------- */

enum qmp_class {
    QMP_GENERIC_ERROR,
    QMP_COMMAND_NOT_FOUND,
    QMP_DEVICE_NOT_ACTIVE,
    QMP_DEVICE_NOT_FOUND,
};

struct qmp_error {
    enum qmp_class class;
    char text[256]; /* "" = nothing said yet */
};

/* Says what is wrong, for the toolstack's log: one line, no newline. Cut at 255 bytes. */
void qmp_fail(struct qmp_error *err, enum qmp_class class, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

struct qmp_reply; /* the right and the duty to answer one command */

void qmp_reply_ok(struct qmp_reply *reply);
void qmp_reply_fail(struct qmp_reply *reply, enum qmp_class class, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * A reply whose answer is no client's of QMP: told() is called in its place, once, with NULL or
 * with what is wrong. NULL when there is no memory.
 */
struct qmp_reply *qmp_reply_to(void (*told)(void *opaque, const char *error), void *opaque);

/* ---- plain values --------------------------------------------------------------------------- */

enum qmp_run_state {
    QMP_STATE_PRELAUNCH, /* -S, before the first cont, nothing restored */
    QMP_STATE_INMIGRATE, /* the state is being loaded */
    QMP_STATE_PAUSED,    /* -S after a load; after stop */
    QMP_STATE_RUNNING,
    QMP_STATE_SHUTDOWN,  /* the guest has powered off or asked for a reboot */
    QMP_STATE_SUSPENDED, /* S3 */
    QMP_STATE_IO_ERROR,  /* stopped by werror=stop */
    QMP_STATE_INTERNAL_ERROR,
};

struct qmp_chardev {
    const char *label;    /* "serial0", "libxl-cmd": id of the -chardev */
    const char *filename; /* "pty:/dev/pts/3", "unix:/path,server=on", "file", "null" */
    bool open;            /* the guest's side is open */
};

struct qmp_vnc_client {
    const char *host, *service, *family;
    bool websocket;
};

struct qmp_vnc {
    const char *id;        /* "default" */
    const char *host;      /* "127.0.0.1", or the path of a UNIX socket */
    const char *service;   /* port as text, "5900"; NULL for a UNIX socket */
    const char *family;    /* "ipv4", "ipv6", "unix" */
    const char *websocket; /* port as text or NULL */
    const char *auth;      /* "none", "vnc" */
    const struct qmp_vnc_client *clients;
    size_t client_count;
};

struct qmp_cpu {
    unsigned index;
    bool online; /* false: could be plugged in */
};

struct qmp_pci_region {
    unsigned bar;           /* 0..5; 6 = expansion ROM */
    bool io;                /* ports; else memory */
    bool prefetch, wide;    /* memory: prefetchable, 64 bit */
    uint64_t address, size; /* address ~0 = not mapped */
};

struct qmp_pci_device {
    unsigned bus, slot, function;
    uint16_t vendor, device, subsystem_vendor, subsystem;
    uint16_t class_code;     /* base class << 8 | sub class */
    const char *description; /* "IDE controller", or NULL */
    const char *qdev_id;     /* id= of the -device; NULL = "" */
    uint8_t irq_pin;         /* 0 = none, 1..4 = INTA..INTD */
    uint8_t irq;             /* interrupt line register */
    const struct qmp_pci_region *regions;
    size_t region_count;
};

struct qmp_block_stats {
    uint64_t read_bytes, write_bytes;
    uint64_t read_ops, write_ops, flush_ops, unmap_ops;
    uint64_t read_ns, write_ns, flush_ns, unmap_ns; /* time spent in them, all together */
    uint64_t failed_reads, failed_writes;
};

struct qmp_block {
    const char *device; /* id of the -drive: "ide0-hd0", "ide-5632" */
    const char *qdev;   /* id of the -device, or NULL */
    bool removable;     /* a CD-ROM or floppy drive */
    bool locked;        /* by the guest */
    bool tray_open;
    bool inserted;      /* there is a medium; the members below are valid */
    const char *file;   /* as the toolstack named it */
    const char *format; /* "raw", "host_device" */
    bool read_only;
    bool direct, unsafe; /* cache=none, cache=unsafe */
    uint64_t size;       /* bytes */
    struct qmp_block_stats stats;
};

struct qmp_nic {
    const char *name;  /* id of the -device, or what stands for it */
    const char *model; /* as it was asked for */
    uint8_t mac[6];
    const char *netdev; /* id of its back-end, NULL = none */
    const char *kind;   /* of the back-end: "tap", "stream", "dgram", "none" */
    bool up;            /* the link */
    bool unplugged;     /* taken out by the guest's drivers */
};

struct qmp_medium {
    int fd;               /* opened O_RDONLY; see the rule on descriptors */
    const char *filename; /* as the client named it: a path or "/dev/fdset/N" */
    const char *format;   /* "raw", "host_device", "qcow2", ... */
    bool force;           /* also when the guest has locked the door */
};

struct qmp_property {
    const char *name, *value; /* numbers as decimal text, booleans as "true" and "false" */
};

struct qmp_device_add {
    const char *driver;
    const char *id;                        /* or NULL */
    const struct qmp_property *properties; /* all others, in the order given */
    size_t property_count;
};

enum qmp_picture { QMP_PICTURE_PPM, QMP_PICTURE_PNG };

enum qmp_axis { QMP_AXIS_X, QMP_AXIS_Y };
enum qmp_button {
    QMP_BUTTON_LEFT,
    QMP_BUTTON_MIDDLE,
    QMP_BUTTON_RIGHT,
    QMP_BUTTON_WHEEL_UP,
    QMP_BUTTON_WHEEL_DOWN,
    QMP_BUTTON_SIDE,
    QMP_BUTTON_EXTRA,
    QMP_BUTTON_WHEEL_LEFT,
    QMP_BUTTON_WHEEL_RIGHT,
};

enum qmp_input_kind { QMP_INPUT_KEY, QMP_INPUT_BUTTON, QMP_INPUT_REL, QMP_INPUT_ABS };

struct qmp_input_event {
    enum qmp_input_kind kind;
    uint16_t key;           /* KEY: evdev code */
    enum qmp_button button; /* BUTTON */
    bool down;              /* KEY, BUTTON */
    enum qmp_axis axis;     /* REL, ABS */
    int32_t value;          /* REL: counts; ABS: 0..0x7fff from left or top */
};

#define QMP_KEYS_MAX  16 /* keys of one send-key */
#define QMP_INPUT_MAX 64 /* events of one input-send-event */

/* ---- operations ----------------------------------------------------------------------------- */

struct qmp_ops {
    /* -name, or NULL when there is none. */
    const char *(*guest_name)(void *opaque);

    enum qmp_run_state (*run_state)(void *opaque);
    /* Let the guest's requests be answered; also ends S3-like pauses. 0 when it runs already. */
    int (*cont)(void *opaque, struct qmp_error *err);
    /*
     * Answered when the machine is quiescent: no request, disk transfer or DMA in flight, nothing
     * written to guest memory or images afterwards. At once when it is so already.
     */
    void (*stop)(void *opaque, struct qmp_reply *reply);
    /* End the process in an orderly way. Called once, after the client has had its answer. */
    void (*quit)(void *opaque);
    int (*powerdown)(void *opaque, struct qmp_error *err); /* press the power button */
    int (*reset)(void *opaque, struct qmp_error *err);
    int (*wakeup)(void *opaque, struct qmp_error *err); /* 0 also outside S3 */

    void (*each_chardev)(void *opaque, void (*each)(void *to, const struct qmp_chardev *),
                         void *to);

    /* Nothing when there is no VNC server. */
    void (*each_vnc)(void *opaque, void (*each)(void *to, const struct qmp_vnc *), void *to);
    int (*vnc_password)(void *opaque, const char *password, struct qmp_error *err);
    /* Seconds since 1970 after which logins are refused; INT64_MAX = never. */
    int (*vnc_expire)(void *opaque, int64_t when, struct qmp_error *err);

    /* Every vCPU that there is or could be, in the order of indices. */
    void (*each_cpu)(void *opaque, void (*each)(void *to, const struct qmp_cpu *), void *to);
    /* Plug in one that is not online. */
    int (*cpu_add)(void *opaque, unsigned index, struct qmp_error *err);

    void (*each_pci)(void *opaque, void (*each)(void *to, const struct qmp_pci_device *), void *to);
    int (*device_add)(void *opaque, const struct qmp_device_add *device, struct qmp_error *err);
    int (*device_del)(void *opaque, const char *id, struct qmp_error *err);

    void (*each_block)(void *opaque, void (*each)(void *to, const struct qmp_block *), void *to);
    /*
     * `drive` is the id of a -drive or of its -device. Eject succeeds on an empty drive. Insert
     * replaces a medium that is in the drive. A door that the guest has locked stays closed
     * without force; the guest is asked to open it.
     */
    int (*eject)(void *opaque, const char *drive, bool force, struct qmp_error *err);
    int (*insert)(void *opaque, const char *drive, const struct qmp_medium *medium,
                  struct qmp_error *err);
    /* Opens the tray, which is an eject, or closes it. */
    int (*tray)(void *opaque, const char *drive, bool open, bool force, struct qmp_error *err);
    /* Another size of the image, which the guest sees from the next look on. */
    void (*block_resize)(void *opaque, const char *drive, uint64_t bytes, struct qmp_reply *reply);

    void (*each_nic)(void *opaque, void (*each)(void *to, const struct qmp_nic *), void *to);
    /* Plug in or pull the cable of a card; `name` is its id or that of its back-end. */
    int (*set_link)(void *opaque, const char *name, bool up, struct qmp_error *err);

    int (*log_dirty)(void *opaque, bool on, struct qmp_error *err);
    /* The state of the devices to fd (empty, at offset 0). The machine can go on afterwards. */
    void (*save)(void *opaque, int fd, bool live, struct qmp_reply *reply);
    void (*load)(void *opaque, int fd, struct qmp_reply *reply);

    /* The guest's screen to fd (empty, at offset 0); answered when it is written. */
    void (*screendump)(void *opaque, int fd, enum qmp_picture format, struct qmp_reply *reply);
    /* The evdev code of a QKeyCode name, or of a PC scan code number; -ENOENT: there is none. */
    int (*key_from_qcode)(const char *name);
    int (*key_from_number)(uint32_t number);
    /* Press all (evdev codes) in order, hold for so many ms, release all in reverse. */
    int (*send_keys)(void *opaque, const uint16_t *keys, size_t count, unsigned hold_ms,
                     struct qmp_error *err);
    int (*input)(void *opaque, const struct qmp_input_event *events, size_t count,
                 struct qmp_error *err);
};

#endif
