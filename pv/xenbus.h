/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The life of a paravirtual back end, whatever its kind: from the directory that the toolstack
 * makes for it in xenstore to the day it is removed. A kind (qdisk, vkbd) adds what it publishes,
 * and what to do with the ring.
 *
 * Both ends write their state (<xen/io/xenbus.h>) into their own directory and watch the other's:
 *
 *     back end                                         front end
 *                create(): features are published
 *     InitWait ──────────────────────────────────▶  publishes ring and event channel
 *                                    Initialised ◀──
 *                connect()
 *     Connected ─────────────────────────────────▶  Connected
 *                                        Closing ◀── (or the toolstack sets online to 0, and the
 *                disconnect()                         back end goes to Closing first)
 *     Closing ───────────────────────────────────▶  Closed
 *     Closed     ... and InitWait again when the front end comes back with Initialising
 *
 * The front end's directory can be written by the guest: every value in it is input. Events say
 * only that something has changed; what follows depends on the nodes as they are then. Many
 * changes in one turn of the loop are one look. All functions: device thread only.
 */
#ifndef PV_XENBUS_H
#define PV_XENBUS_H

#include <stdbool.h>
#include <stdint.h>

#include "dm/loop.h"
#include "xen/xen_pv.h"

struct xenbus;        /* all back ends of this process */
struct xenbus_device; /* one of them */

struct xenbus_ops {
    const char *kind; /* the directory's name in backend/: "qdisk", "vkbd" */
    /*
     * A directory has appeared: publish the features with xenbus_write(). *device is what the
     * other calls are made with. -errno: the back end is closed, and stays so.
     */
    int (*create)(void *opaque, struct xenbus_device *dev, void **device);
    /*
     * The front end has published its ring: map it. Its state is Initialised, or Connected when an
     * earlier process of ours has served it. -errno, after logging why: the front end is asked to
     * close.
     */
    int (*connect)(void *device);
    /*
     * Let go of ring, grants and event channel, after what is in flight has ended. false: not yet;
     * call xenbus_disconnected() then, and disconnect() comes once more. Only after connect().
     */
    bool (*disconnect)(void *device);
    /* Some node of the back end's directory may have changed. May be NULL. */
    void (*changed)(void *device);
    /* Requests are not to be taken from the ring (true), or again (false). May be NULL. */
    void (*hold)(void *device, bool hold);
    /* Whether something is in flight. NULL: never. */
    bool (*busy)(void *device);
    /* The directory is gone, or the process ends: then without disconnect(). Frees the device. */
    void (*destroy)(void *device);
};

/* xen_pv_open() has been called. Returns 0 or -errno. */
int xenbus_create(struct xenbus **out, struct xen *xen, struct loop *loop);
/* Destroys all devices; writes nothing to xenstore, since the toolstack may have cleared it. */
void xenbus_destroy(struct xenbus *bus);

/*
 * From here on directories of this kind are served: those that are there at once, others as they
 * come. `ops` and `opaque` outlive the bus. Returns 0 or -errno.
 */
int xenbus_serve(struct xenbus *bus, const struct xenbus_ops *ops, void *opaque);

/* An event of xenstore with this token has come. Returns whether it was one of the bus's. */
bool xenbus_watch_event(struct xenbus *bus, const char *token);

/* The machine stands still (true) or goes on: rings and states wait meanwhile. */
void xenbus_hold(struct xenbus *bus, bool hold);
/* Whether a device has something in flight. */
bool xenbus_busy(struct xenbus *bus);

/* ---- for the kinds -------------------------------------------------------------------------- */

/* The directory's own name, which libxl calls the devid. */
unsigned xenbus_id(const struct xenbus_device *dev);
struct xen *xenbus_xen(const struct xenbus_device *dev);
struct loop *xenbus_loop(const struct xenbus_device *dev);
/* "qdisk 51712": how messages name it. */
const char *xenbus_name(const struct xenbus_device *dev);

/* Writes a node of the back end's directory. Returns 0 or -errno. */
int xenbus_write(struct xenbus_device *dev, const char *node, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Writes our state once more, so that the front end looks again (a new size). */
void xenbus_poke(struct xenbus_device *dev);
/* A node's value, to be freed; NULL when there is none. */
char *xenbus_read(struct xenbus_device *dev, const char *node);
char *xenbus_frontend_read(struct xenbus_device *dev, const char *node);
/*
 * A decimal number of the front end, 0..max. Returns 0; -ENOENT when the node is not there;
 * -EINVAL when it is something else.
 */
int xenbus_frontend_number(struct xenbus_device *dev, const char *node, uint64_t max,
                           uint64_t *value);

/* disconnect() has answered false, and now it would not. */
void xenbus_disconnected(struct xenbus_device *dev);

/* ---- event channels of the kinds ------------------------------------------------------------ */

struct xenbus_port {
    void (*event)(void *opaque);
    void *opaque;
    uint32_t local; /* private, as all below */
    bool bound;
    struct xenbus_port *next;
};

/*
 * Binds the front end's event channel; event() comes for each of its events, and once at the
 * beginning. The port is the caller's and lives until it is unbound. Returns 0 or -errno.
 */
int xenbus_bind(struct xenbus_device *dev, struct xenbus_port *port, uint32_t remote,
                void (*event)(void *opaque), void *opaque);
void xenbus_unbind(struct xenbus_device *dev, struct xenbus_port *port);
void xenbus_notify(struct xenbus_device *dev, struct xenbus_port *port);

#endif
