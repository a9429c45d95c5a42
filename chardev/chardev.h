/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Character back ends: where the bytes of a serial port go to and come from. All of it on the
 * device thread, none of it ever waits.
 *
 * Output. chardev_write() takes what it can: into the host object, else into a buffer of
 * CHARDEV_BUFFER bytes. When nobody is at the other end (no slave of the pty is open, no client is
 * connected), everything is taken and the newest CHARDEV_BUFFER bytes are kept for whoever comes
 * next. When somebody is there but does not read, the buffer fills, and the next write is cut
 * short: the front holds its bytes, as a UART whose flow is stopped. That lasts while the other
 * end makes progress; after CHARDEV_STALL_NS without any, what is written to the full buffer is
 * lost until it moves again, so that a forgotten `less` never stops a guest.
 *
 * Input is pulled: nothing is read from the host object beyond what the front has room for. The
 * rest stays in the kernel, where it stops the sender, and where it outlives this process.
 */
#ifndef CHARDEV_CHARDEV_H
#define CHARDEV_CHARDEV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dm/loop.h"
#include "dm/worker.h"

#define CHARDEV_BUFFER 65536u

/*
 * A reader on a busy host may not get the processor for a second, and loses nothing by that; one
 * that is forgotten stops a guest's interrupt-driven output for this long, once. (A kernel's polled
 * console does not wait: Linux writes on after 10 ms a character, whatever the UART says.)
 */
#define CHARDEV_STALL_NS 3000000000u

/* Regular files have no reader that could be forgotten: a busy disk may take this long. */
#define CHARDEV_FILE_STALL_NS 5000000000u

enum chardev_kind {
    CHARDEV_NULL,  /* output is dropped, input never comes */
    CHARDEV_PTY,   /* a new pseudo terminal, raw, slave mode 0600 */
    CHARDEV_STDIO, /* descriptors 0 and 1 */
    CHARDEV_FILE,  /* output to a file, made with mode 0600 */
    CHARDEV_PIPE,  /* FIFOs path.in and path.out, else path for both ways */
    CHARDEV_TTY,   /* a host terminal or other character device */
    CHARDEV_UNIX,  /* stream socket; made with mode 0600 */
    CHARDEV_TCP,
    CHARDEV_UDP,
};

/* Strings are copied. Zero a struct, set kind and label, and fd to -1. */
struct chardev_config {
    enum chardev_kind kind;
    const char *label;                   /* "serial0" */
    const char *path;                    /* FILE, PIPE, TTY, UNIX without fd */
    const char *host, *port;             /* TCP, UDP: where to listen or connect to */
    const char *local_host, *local_port; /* UDP: or NULL */
    int fd;                              /* UNIX, TCP: an open socket to take over, or -1 */
    bool server;                         /* listen; else connect */
    bool wait;                           /* server: create() returns with the first client */
    bool telnet;                         /* TCP: negotiate, escape 0xff, IAC BREAK is a break */
    bool nodelay;                        /* TCP */
    bool append;                         /* FILE: not truncated */
    unsigned reconnect_s;                /* client: seconds between tries, 0 = once */
};

struct chardev;

/*
 * What the front (a UART) offers its back end. Called on the device thread, from the loop or from
 * chardev_accept_input(); never from within chardev_write().
 */
struct chardev_front {
    /* Bytes that receive() can take now. 0: reading pauses until chardev_accept_input(). */
    size_t (*room)(void *opaque);
    /* len <= room(). */
    void (*receive)(void *opaque, const uint8_t *data, size_t len);
    /* A break condition from the other end; counts as one byte of room. May be NULL. */
    void (*receive_break)(void *opaque);
    /* A write that had been cut short can be continued. */
    void (*writable)(void *opaque);
};

/*
 * Returns 0 or -errno; on errors the cause has been logged with the label. `workers` serves
 * CHARDEV_FILE; with NULL it writes on the calling thread. The process must ignore SIGPIPE when it
 * uses PIPE or STDIO. Names are opened here and never again, but for reconnect_s.
 */
int chardev_create(struct chardev **out, struct loop *loop, struct workers *workers,
                   const struct chardev_config *config);
/* Tries once to hand on what is buffered. NULL is allowed. */
void chardev_destroy(struct chardev *chr);

/* One front at a time; NULL detaches. `front` must outlive the attachment. */
void chardev_attach(struct chardev *chr, const struct chardev_front *front, void *opaque);

/*
 * Returns how many bytes have been taken, 0..len. When it is less than len, writable() follows
 * within CHARDEV_STALL_NS of the last progress.
 */
size_t chardev_write(struct chardev *chr, const uint8_t *data, size_t len);

/* The front has room again. Calls receive() when something is there already. */
void chardev_accept_input(struct chardev *chr);

/* ---- what only a real line has; others take it and do nothing ------------------------------- */

/* Starts or ends a break condition on a host terminal; telnet sends IAC BREAK at its start. */
void chardev_set_break(struct chardev *chr, bool on);

/* data_bits 5..8, stop_bits 1..2, parity 'N', 'O' or 'E'; the nearest rate that the host has. */
void chardev_set_line(struct chardev *chr, uint32_t baud, char parity, unsigned data_bits,
                      unsigned stop_bits);

/* Modem lines, as a mask. */
enum {
    CHARDEV_CTS = 1,
    CHARDEV_DSR = 2,
    CHARDEV_RI = 4,
    CHARDEV_DCD = 8,
};
/* The lines as they are now. CTS, DSR and DCD wherever there are no real ones. */
unsigned chardev_modem_lines(struct chardev *chr);
void chardev_set_modem_lines(struct chardev *chr, bool dtr, bool rts);

/* ---- for QMP and statistics ----------------------------------------------------------------- */

const char *chardev_label(const struct chardev *chr);
/*
 * In QEMU's words: "pty:/dev/pts/3", "unix:/path,server=on", "tcp:host:port,server=on",
 * "disconnected:" before a socket without a peer, else the name of the kind ("file", "null").
 * Valid until the next call on this chardev.
 */
const char *chardev_filename(struct chardev *chr);
/* A front is attached. */
bool chardev_is_open(const struct chardev *chr);
/* Bytes of output that were dropped because nobody took them. */
uint64_t chardev_dropped(const struct chardev *chr);
/* Descriptors for a process that takes over (a pty's master), or -1. Owned by the chardev. */
int chardev_fd(const struct chardev *chr);

#endif
