/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Images of disks and CD-ROMs: reads, writes, flushes and discards that never block the device
 * thread.
 *
 * The owner of an image fills a request, submits it, and gets the answer either at once
 * (BLOCK_DONE: the data was in the page cache) or through complete(), on the device thread, later
 * (BLOCK_PENDING: a worker thread waits for the storage). Parameters are copied into the request
 * or immutable while it runs: nothing that the guest does meanwhile changes where it writes.
 *
 * Raw files and block devices are read and written here; every other format and every image that
 * is elsewhere comes through an NBD server. The format is what the caller says it is; nothing is
 * ever probed, and no second file is ever opened because of an image's content.
 */
#ifndef BLOCK_BLOCK_H
#define BLOCK_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "dm/worker.h"

#define BLOCK_SECTOR  512u
#define BLOCK_MAX_IOV 1024u /* what one readv(2) takes */

struct block;
struct block_servers;

/* QEMU's words for the same. */
enum block_cache {
    BLOCK_CACHE_WRITEBACK,    /* page cache, flushes are honoured */
    BLOCK_CACHE_WRITETHROUGH, /* page cache, a write is answered when it is stable */
    BLOCK_CACHE_NONE,         /* past the page cache, flushes are honoured */
    BLOCK_CACHE_DIRECTSYNC,   /* past the page cache, a write is answered when it is stable */
    BLOCK_CACHE_UNSAFE,       /* page cache, flushes do nothing */
};

struct block_options {
    struct workers *workers; /* outlives the image */
    const char *format;      /* NULL means "raw" */
    bool read_only;
    bool discard; /* give discarded ranges back to the host; false: discards succeed, do nothing */
    enum block_cache cache;
    /*
     * Exclude other writers, by the byte locks that QEMU uses. Off for a second way to an image
     * that is locked already (a paravirtual disk beside the emulated one).
     */
    bool lock;
    bool lock_later;               /* not when it is opened: block_lock() will be called */
    struct block_servers *servers; /* for images that are not raw files; NULL: raw files only */
};

/*
 * NBD servers of this process, and the way to them. Images of the same file and format share one
 * server. Nothing is loaded or started before the first image needs it.
 */
int block_servers_create(struct block_servers **out, struct loop *loop);
/* No programs can be started from here on: images that need a server are refused by name. */
void block_servers_seal(struct block_servers *servers);
/* After the last image is closed. */
void block_servers_destroy(struct block_servers *servers);

/*
 * Opens an image by path: a regular file or a block device, close-on-exec; or "nbd:HOST:PORT",
 * "nbd:unix:PATH" (both with ":exportname=NAME" or not), "nbd://HOST:PORT/NAME" and
 * "nbd+unix:///NAME?socket=PATH"; or, with another format than raw, whatever qemu-nbd takes. Blocks
 * until a server has answered. `error` gets a sentence that names the path and the reason when the
 * result is negative. -EINVAL: an unknown format, or a path that is neither file nor block device;
 * -EBUSY: another process has locked it.
 */
int block_open_path(struct block **out, const char *path, const struct block_options *options,
                    char *error, size_t error_size);

/*
 * The same for an open descriptor. The image works on a duplicate: the caller keeps fd. An image
 * is read-only when the options say so or the descriptor was opened without write access.
 * `name` is for messages and statistics.
 */
int block_open_fd(struct block **out, int fd, const char *name, const struct block_options *options,
                  char *error, size_t error_size);

/*
 * One more owner of an open image: an emulated disk and the guest's paravirtual one are the same
 * disk. Each closes it; the last one closes the file. Returns its argument.
 */
struct block *block_share(struct block *block);

/*
 * Waits for running requests, makes finished writes stable, closes the image: when it returns,
 * nobody here touches the file any more. Callbacks of requests that were pending still come, on
 * the device thread. Returns 0 or the -errno of the final flush. Blocks: for unplug and for the
 * end.
 */
int block_close(struct block *block);

/* Closes as soon as the last running request has ended; returns at once. For read-only media. */
void block_close_later(struct block *block);

/* Bytes, as the file or device has them. */
uint64_t block_size(const struct block *block);
/* Sectors of 512 bytes; a partial last one counts, and reads as zeros behind the end. */
uint64_t block_sectors(const struct block *block);
bool block_read_only(const struct block *block);
/* Discards reach the storage: whether a drive should offer TRIM. */
bool block_can_discard(const struct block *block);
const char *block_name(const struct block *block);

enum block_cache block_cache_mode(const struct block *block);

/*
 * Takes or gives back the lock of options.lock; nothing where it was not asked for. A machine whose
 * state has been saved gives it back, for the one that goes on with that state. -EBUSY: another
 * process has the image.
 */
int block_lock(struct block *block, bool locked, char *error, size_t error_size);

/*
 * Gives a raw image another size, by a worker: a file is cut or extended, a block device must have
 * the size already. done() comes on the device thread, once; before it with the new size in force.
 * Returns 0 when done() will come, or -errno: -EROFS, -EOPNOTSUPP for images of a server, -EBUSY
 * while another change of size runs.
 */
int block_resize(struct block *block, uint64_t bytes, void (*done)(void *opaque, int error),
                 void *opaque);

/* ---- what becomes of errors ------------------------------------------------------------------ */

enum block_on_error {
    BLOCK_REPORT, /* the owner is told */
    BLOCK_IGNORE, /* the request succeeds: reads give zeros where there is no data */
    BLOCK_STOP,   /* the request is held; its owner goes on waiting */
    BLOCK_ENOSPC, /* BLOCK_STOP when the storage is full, BLOCK_REPORT otherwise */
};

struct block_error {
    bool write;                 /* or flush or discard */
    int error;                  /* -errno */
    enum block_on_error action; /* REPORT, IGNORE or STOP: what was done */
};

/* `told` is called on the device thread at every error; it must not call back into the image. */
void block_set_on_error(struct block *block, enum block_on_error on_read,
                        enum block_on_error on_write,
                        void (*told)(void *opaque, const struct block_error *error), void *opaque);
/* Tries all held requests again; answers come later, never from inside. */
void block_retry(struct block *block);
/* Gives held requests back to their owners with their errors. */
void block_give_up(struct block *block);
/* Requests held by BLOCK_STOP. */
unsigned block_held(const struct block *block);

struct block_stats {
    uint64_t rd_bytes, wr_bytes;
    uint64_t rd_operations, wr_operations, flush_operations, discard_operations;
    uint64_t failed_operations;
};
const struct block_stats *block_stats(const struct block *block);

enum block_op { BLOCK_READ, BLOCK_WRITE, BLOCK_FLUSH, BLOCK_DISCARD };

struct block_request {
    /* Set by the owner before block_submit(). */
    enum block_op op;
    bool copy; /* write: take a copy before returning BLOCK_PENDING; the buffer is free then */
    uint64_t offset; /* bytes */
    uint64_t bytes;  /* read, write: the sum of iov; discard: how much */
    unsigned niov;
    struct iovec iov[BLOCK_MAX_IOV]; /* used up by the request */
    void (*complete)(void *opaque, struct block_request *req);
    void *opaque;

    /* The answer. */
    int error;     /* 0 or -errno */
    uint64_t done; /* bytes moved before the error; equal to `bytes` when there is none */

    /* private */
    struct block *block;
    struct work_item item;
    uint8_t *bounce;
    uint64_t bounce_from;       /* of `done`, when the bounce buffer was taken */
    unsigned tries;             /* connections that have failed it */
    struct block_request *next; /* while held, or queued by a back end */
    bool cancelled;
    bool running; /* between BLOCK_PENDING and complete() */
};

enum block_result { BLOCK_DONE, BLOCK_PENDING };

/*
 * Starts a request. BLOCK_DONE: it is finished, complete() is not called. BLOCK_PENDING: the
 * request and (but for copied writes) its buffers stay untouched until complete().
 *
 * Worker threads never write to the buffers of a read: what could not be read at once arrives in a
 * buffer of the request's own and is copied just before complete(), unless cancelled meanwhile.
 * A flush covers all writes whose answer has been given before it is submitted. Once a flush has
 * failed every later one fails too: the kernel forgets which pages it has lost.
 */
enum block_result block_submit(struct block *block, struct block_request *req);

/*
 * Fills in a discard of `bytes` from `offset` and submits it; complete and opaque are set already.
 * A discard is a hint: what the range reads as afterwards is not defined, and storage that cannot
 * take it answers with success.
 */
enum block_result block_discard(struct block *block, struct block_request *req, uint64_t offset,
                                uint64_t bytes);

/*
 * The owner has lost interest in a pending request: no buffer of a read is written any more;
 * complete() still comes, with error == -ECANCELED. A write may or may not still be done, at the
 * place it was meant for.
 */
void block_cancel(struct block_request *req);

/* Reads at start-up, before there is a guest to wait: blocks. Zero-fills behind the end. */
int block_read_now(struct block *block, uint64_t offset, void *buf, size_t len);

/* Waits for running requests and makes finished writes stable: blocks. Returns 0 or -errno. */
int block_flush_now(struct block *block);

#endif
