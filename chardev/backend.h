/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Private to chardev/: what the kinds of back ends share. */
#ifndef CHARDEV_BACKEND_H
#define CHARDEV_BACKEND_H

#include <sys/types.h>

#include "chardev/chardev.h"

/*
 * A stream of small writes is gathered for this long: the first byte after a pause goes out at
 * once, a kernel call for every character of a boot log is saved. It bounds what a crash can lose.
 */
#define CHARDEV_GATHER_NS    500000u
#define CHARDEV_GATHER_BYTES 4096u

/* Room in the buffer before a front that was cut short is called again: a UART's FIFO, escaped. */
#define CHARDEV_RESUME_ROOM 32u

/* Of the buffer: kept free for what the front holds, so that a stall takes back nothing that has
 * been accepted. */
#define CHARDEV_RESERVE 64u

struct chardev_backend {
    const char *name;
    /*
     * The other end is gone, as a read (end of file or error), a write or epoll has found;
     * `reading` tells a read. Sets readable and writable anew through chardev_set_peer(). NULL:
     * neither again.
     */
    void (*hangup)(struct chardev *chr, bool reading);
    /* Writes some bytes. Returns how many (> 0) or -errno. NULL: write(wfd). */
    ssize_t (*write)(struct chardev *chr, const uint8_t *data, size_t len);
    /* Reads at most `len` bytes. As read(rfd), with -errno. NULL: read(rfd). */
    ssize_t (*read)(struct chardev *chr, uint8_t *data, size_t len);
    /* Takes the escapes out of what was read; gives the rest to chardev_deliver(). NULL: all. */
    void (*decode)(struct chardev *chr, uint8_t *data, size_t len);
    void (*set_break)(struct chardev *chr, bool on);
    void (*set_line)(struct chardev *chr, uint32_t baud, char parity, unsigned data_bits,
                     unsigned stop_bits);
    int (*modem_lines)(struct chardev *chr); /* mask or -errno */
    void (*set_modem_lines)(struct chardev *chr, bool dtr, bool rts);
    /* Rewrites chr->filename where it changes. */
    void (*describe)(struct chardev *chr);
    void (*destroy)(struct chardev *chr); /* its own descriptors; rfd and wfd are the core's */
};

struct chardev {
    const struct chardev_backend *backend;
    struct loop *loop;
    struct workers *workers;
    char *label;
    char filename[320];

    const struct chardev_front *front;
    void *front_opaque;

    int rfd, wfd; /* -1 where there is none; may be the same */
    struct loop_fd rwatch, wwatch;
    bool readable;    /* a read can bring something, now or later */
    bool writable;    /* somebody is there for what is written */
    bool blocked;     /* the kernel takes no more for now */
    bool front_waits; /* a write was cut short */
    bool stalled;     /* no progress for too long: what does not fit is dropped */
    bool escape_ff;   /* telnet: 0xff is doubled in the buffer */
    uint64_t stall_ns;
    uint64_t last_write; /* host time of the last write, for gathering */
    struct timer stall_timer, gather_timer;
    struct loop_work resume; /* calls writable() outside of chardev_write() */

    uint8_t *buffer; /* CHARDEV_BUFFER bytes, a ring */
    size_t head, count;
    uint64_t dropped;
};

/* Common part of the makers below; `size` is that of the kind's own struct, which begins with a
 * struct chardev. NULL when out of memory. */
struct chardev *chardev_alloc(size_t size, const struct chardev_backend *backend, struct loop *loop,
                              struct workers *workers, const char *label);

/* The kinds. They return 0 or -errno and have logged why. */
int chardev_open_pty(struct chardev **out, struct loop *loop, const struct chardev_config *config);
int chardev_open_stdio(struct chardev **out, struct loop *loop,
                       const struct chardev_config *config);
int chardev_open_file(struct chardev **out, struct loop *loop, struct workers *workers,
                      const struct chardev_config *config);
int chardev_open_pipe(struct chardev **out, struct loop *loop, const struct chardev_config *config);
int chardev_open_tty(struct chardev **out, struct loop *loop, const struct chardev_config *config);
int chardev_open_socket(struct chardev **out, struct loop *loop,
                        const struct chardev_config *config);
int chardev_open_udp(struct chardev **out, struct loop *loop, const struct chardev_config *config);

/* Takes over the descriptors (made non-blocking); old ones are dropped from the loop, not closed.
 */
void chardev_set_fds(struct chardev *chr, int rfd, int wfd);
/* Who is there now. Starts or stops watching, and hands on the buffer to a new reader. */
void chardev_set_peer(struct chardev *chr, bool readable, bool writable);
/* Input after decode(); len <= the front's room. */
void chardev_deliver(struct chardev *chr, const uint8_t *data, size_t len);
void chardev_deliver_break(struct chardev *chr);
/* Hands on as much of the buffer as is taken, and calls a waiting front when there is room. */
void chardev_flush(struct chardev *chr);
/* Up to len bytes of the buffer's oldest content, in one piece; chardev_pop() removes them. */
size_t chardev_peek(struct chardev *chr, const uint8_t **data);
void chardev_pop(struct chardev *chr, size_t len);
/* Bytes that no front sent (telnet's own), dropped when the buffer is full. */
void chardev_send_raw(struct chardev *chr, const uint8_t *data, size_t len);

int chardev_set_nonblock(int fd);

#endif
