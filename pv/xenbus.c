/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pv/xenbus.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include <xen/io/xenbus.h>

#include "dm/log.h"

#define KINDS_MAX   4u
#define DEVICES_MAX 256u /* of one kind; libxl has no more virtual disks for a guest */
#define PATH_BYTES  128u
#define TOKEN_BYTES 24u
#define VALUE_BYTES 512u
/* Events taken from the kernel in one turn. */
#define EVENTS_A_TURN 16u

struct xenbus_kind {
    const struct xenbus_ops *ops;
    void *opaque;
    char path[PATH_BYTES]; /* backend/KIND/N, relative to the home of our domain */
    char token[TOKEN_BYTES];
    bool dirty; /* look into the directory again */
    unsigned devices;
};

struct xenbus_device {
    struct xenbus *bus;
    struct xenbus_kind *kind;
    unsigned id;
    char name[32];
    char backend[PATH_BYTES];
    char frontend[PATH_BYTES];
    char token[TOKEN_BYTES];
    enum xenbus_state state; /* ours */
    bool dirty;
    bool connected;
    bool failed; /* create() could not: it is there to be seen as closed */
    void *device;
    struct xenbus_device *next;
};

struct xenbus {
    struct xen *xen;
    struct loop *loop;
    struct loop_fd events;
    struct loop_work look;
    struct xenbus_kind kind[KINDS_MAX];
    unsigned kinds;
    struct xenbus_device *devices;
    struct xenbus_port *ports;
    uint32_t last_token;
    bool held;
};

/* ---- nodes ---------------------------------------------------------------------------------- */

static char *read_node(struct xenbus *bus, const char *folder, const char *node)
{
    char path[PATH_BYTES + 64];

    snprintf(path, sizeof(path), "%s/%s", folder, node);
    return xen_store_read(bus->xen, path);
}

static int parse_number(const char *text, uint64_t max, uint64_t *value)
{
    uint64_t v = 0;

    if (!*text)
        return -EINVAL;
    for (; *text; text++) {
        unsigned digit = (unsigned)(*text - '0');

        if (*text < '0' || *text > '9')
            return -EINVAL;
        if (v > max / 10 || v * 10 > max || digit > max - v * 10)
            return -EINVAL;
        v = v * 10 + digit;
    }
    *value = v;
    return 0;
}

static int read_number(struct xenbus *bus, const char *folder, const char *node, uint64_t max,
                       uint64_t *value)
{
    char *text = read_node(bus, folder, node);
    int rc = text ? parse_number(text, max, value) : -ENOENT;

    free(text);
    return rc;
}

/* XenbusStateUnknown: there is none, or nothing that makes sense. */
static enum xenbus_state read_state(struct xenbus *bus, const char *folder)
{
    uint64_t state;

    if (read_number(bus, folder, "state", XenbusStateReconfigured, &state))
        return XenbusStateUnknown;
    return (enum xenbus_state)state;
}

int xenbus_write(struct xenbus_device *dev, const char *node, const char *fmt, ...)
{
    char path[PATH_BYTES + 64], value[VALUE_BYTES];
    va_list ap;

    snprintf(path, sizeof(path), "%s/%s", dev->backend, node);
    va_start(ap, fmt);
    vsnprintf(value, sizeof(value), fmt, ap);
    va_end(ap);
    return xen_store_write(dev->bus->xen, path, value);
}

static void write_state(struct xenbus_device *dev)
{
    int rc = xenbus_write(dev, "state", "%d", (int)dev->state);

    if (rc)
        log_guest("%s: cannot write its state: %s", dev->name, strerror(-rc));
}

void xenbus_poke(struct xenbus_device *dev)
{
    if (dev->connected)
        write_state(dev);
}

char *xenbus_read(struct xenbus_device *dev, const char *node)
{
    return read_node(dev->bus, dev->backend, node);
}

char *xenbus_frontend_read(struct xenbus_device *dev, const char *node)
{
    return read_node(dev->bus, dev->frontend, node);
}

int xenbus_frontend_number(struct xenbus_device *dev, const char *node, uint64_t max,
                           uint64_t *value)
{
    return read_number(dev->bus, dev->frontend, node, max, value);
}

unsigned xenbus_id(const struct xenbus_device *dev)
{
    return dev->id;
}

struct xen *xenbus_xen(const struct xenbus_device *dev)
{
    return dev->bus->xen;
}

struct loop *xenbus_loop(const struct xenbus_device *dev)
{
    return dev->bus->loop;
}

const char *xenbus_name(const struct xenbus_device *dev)
{
    return dev->name;
}

/* ---- event channels ------------------------------------------------------------------------- */

int xenbus_bind(struct xenbus_device *dev, struct xenbus_port *port, uint32_t remote,
                void (*event)(void *opaque), void *opaque)
{
    struct xenbus *bus = dev->bus;
    int local = xen_pv_bind(bus->xen, remote);

    if (local < 0)
        return local;
    *port = (struct xenbus_port){event, opaque, (uint32_t)local, true, bus->ports};
    bus->ports = port;
    return 0;
}

void xenbus_unbind(struct xenbus_device *dev, struct xenbus_port *port)
{
    struct xenbus *bus = dev->bus;
    struct xenbus_port **p = &bus->ports;

    if (!port->bound)
        return;
    while (*p != port)
        p = &(*p)->next;
    *p = port->next;
    port->bound = false;
    xen_pv_unbind(bus->xen, port->local);
}

void xenbus_notify(struct xenbus_device *dev, struct xenbus_port *port)
{
    int rc = port->bound ? xen_pv_notify(dev->bus->xen, port->local) : 0;

    if (rc && rc != -ESRCH)
        log_guest("%s: cannot notify the front end: %s", dev->name, strerror(-rc));
}

static void events_ready(void *opaque, uint32_t events)
{
    struct xenbus *bus = opaque;

    for (unsigned i = 0; i < EVENTS_A_TURN; i++) {
        int local = xen_pv_pending(bus->xen);
        struct xenbus_port *port = bus->ports;

        if (local < 0)
            return;
        while (port && port->local != (uint32_t)local)
            port = port->next;
        if (!port)
            continue; /* unbound meanwhile */
        /* Unmasked first: what the guest sends while we look makes another event. */
        xen_pv_unmask(bus->xen, port->local);
        port->event(port->opaque);
    }
}

/* ---- states --------------------------------------------------------------------------------- */

static void look_soon(struct xenbus *bus)
{
    if (!bus->held)
        loop_defer(bus->loop, &bus->look);
}

void xenbus_disconnected(struct xenbus_device *dev)
{
    dev->dirty = true;
    look_soon(dev->bus);
}

static bool detached(struct xenbus_device *dev)
{
    if (dev->connected && dev->kind->ops->disconnect(dev->device))
        dev->connected = false;
    return !dev->connected;
}

static void attach(struct xenbus_device *dev)
{
    int rc = dev->kind->ops->connect(dev->device);

    dev->connected = !rc;
    dev->state = rc ? XenbusStateClosing : XenbusStateConnected;
}

/* What the front end's state asks for. */
static void follow(struct xenbus_device *dev, enum xenbus_state front)
{
    switch (front) {
    case XenbusStateInitialising:
        if (detached(dev))
            dev->state = XenbusStateInitWait;
        break;
    case XenbusStateInitialised:
    case XenbusStateConnected:
        if (dev->state == XenbusStateInitWait)
            attach(dev);
        break;
    case XenbusStateClosing:
        if (detached(dev))
            dev->state = XenbusStateClosing;
        break;
    case XenbusStateClosed:
    case XenbusStateUnknown:
        if (detached(dev))
            dev->state = XenbusStateClosed;
        break;
    default:
        break;
    }
}

/* The toolstack wants the device gone: the front end is asked first, when there is one. */
static void retire(struct xenbus_device *dev, enum xenbus_state front)
{
    bool served = front == XenbusStateInitialised || front == XenbusStateConnected;

    if (dev->connected && served)
        dev->state = XenbusStateClosing;
    else if (dev->connected && front == XenbusStateClosing)
        follow(dev, front);
    else if (detached(dev))
        dev->state = XenbusStateClosed;
}

static void device_free(struct xenbus_device *dev)
{
    char path[PATH_BYTES + 8];

    if (!dev->failed)
        dev->kind->ops->destroy(dev->device);
    if (dev->frontend[0]) {
        snprintf(path, sizeof(path), "%s/state", dev->frontend);
        xen_store_unwatch(dev->bus->xen, path, dev->token);
    }
    dev->kind->devices--;
    free(dev);
}

/* Returns false when the device is no more. */
static bool look_at(struct xenbus_device *dev)
{
    struct xenbus *bus = dev->bus;
    enum xenbus_state node = read_state(bus, dev->backend);
    enum xenbus_state front;
    uint64_t online = 0;

    if (node == XenbusStateUnknown)
        return !detached(dev); /* the directory is gone */
    if (dev->failed) {
        dev->state = XenbusStateClosed;
    } else {
        front = read_state(bus, dev->frontend);
        read_number(bus, dev->backend, "online", 1, &online);
        if (!online || (node == XenbusStateClosing && dev->state != XenbusStateClosing))
            retire(dev, front);
        else
            follow(dev, front);
        if (dev->kind->ops->changed)
            dev->kind->ops->changed(dev->device);
    }
    if (dev->state != node)
        write_state(dev);
    return true;
}

/* ---- directories ---------------------------------------------------------------------------- */

/* The front end has to be a device of this guest: the path is the toolstack's, but costs a look. */
static int find_frontend(struct xenbus_device *dev)
{
    char *path = xenbus_read(dev, "frontend");
    char own[40];
    int rc = 0;

    snprintf(own, sizeof(own), "/local/domain/%u/", xen_domid(dev->bus->xen));
    if (!path || strncmp(path, own, strlen(own)) || strlen(path) >= sizeof(dev->frontend))
        rc = -EINVAL;
    else
        snprintf(dev->frontend, sizeof(dev->frontend), "%s", path);
    free(path);
    return rc;
}

static int device_begin(struct xenbus_device *dev)
{
    struct xenbus *bus = dev->bus;
    enum xenbus_state node;
    char path[PATH_BYTES + 8];
    int rc = find_frontend(dev);

    if (rc) {
        log_warn("%s: the back end's node \"frontend\" does not name a device of domain %u",
                 dev->name, xen_domid(bus->xen));
        return rc;
    }
    rc = dev->kind->ops->create(dev->kind->opaque, dev, &dev->device);
    if (rc) {
        dev->frontend[0] = '\0';
        return rc;
    }
    /*
     * A ring that an earlier process has served goes on where it is: the front end would not
     * publish another one. Everything else begins with InitWait.
     */
    node = read_state(bus, dev->backend);
    if (node >= XenbusStateInitWait && node <= XenbusStateConnected)
        dev->state = XenbusStateInitWait;
    snprintf(path, sizeof(path), "%s/state", dev->frontend);
    rc = xen_store_watch(bus->xen, path, dev->token);
    if (rc) {
        log_warn("%s: cannot watch its front end: %s", dev->name, strerror(-rc));
        dev->frontend[0] = '\0';
        dev->kind->ops->destroy(dev->device);
    }
    return rc;
}

static void backend_path(char path[PATH_BYTES], const struct xenbus_kind *kind, unsigned id)
{
    snprintf(path, PATH_BYTES, "%.80s/%u", kind->path, id);
}

static void device_add(struct xenbus_kind *kind, struct xenbus *bus, unsigned id)
{
    struct xenbus_device *dev = calloc(1, sizeof(*dev));

    if (!dev) {
        log_warn("%s %u: out of memory", kind->ops->kind, id);
        return;
    }
    *dev = (struct xenbus_device){.bus = bus, .kind = kind, .id = id, .dirty = true};
    snprintf(dev->name, sizeof(dev->name), "%s %u", kind->ops->kind, id);
    snprintf(dev->token, sizeof(dev->token), "pv-front-%u", ++bus->last_token);
    backend_path(dev->backend, kind, id);
    dev->failed = device_begin(dev) != 0;
    kind->devices++;
    dev->next = bus->devices;
    bus->devices = dev;
}

static bool known(const struct xenbus *bus, const struct xenbus_kind *kind, unsigned id)
{
    const struct xenbus_device *dev = bus->devices;

    while (dev && (dev->kind != kind || dev->id != id))
        dev = dev->next;
    return dev != NULL;
}

/*
 * look_at() takes a directory without a state for one that goes away. To add a device for it would
 * write nodes, be told of them, remove the device, look again, and never end.
 */
static bool stateless(struct xenbus *bus, const struct xenbus_kind *kind, unsigned id)
{
    char folder[PATH_BYTES];

    backend_path(folder, kind, id);
    return read_state(bus, folder) == XenbusStateUnknown;
}

static void scan(struct xenbus *bus, struct xenbus_kind *kind)
{
    unsigned n = 0;
    char **name = xen_store_directory(bus->xen, kind->path, &n);

    for (unsigned i = 0; i < n && name; i++) {
        uint64_t id;

        if (parse_number(name[i], UINT32_MAX, &id) || known(bus, kind, (unsigned)id))
            continue;
        if (kind->devices == DEVICES_MAX)
            break;
        if (stateless(bus, kind, (unsigned)id))
            continue;
        device_add(kind, bus, (unsigned)id);
    }
    free(name);
}

static void look(void *opaque)
{
    struct xenbus *bus = opaque;
    struct xenbus_device **p = &bus->devices;
    bool dirty[KINDS_MAX];

    if (bus->held)
        return;
    for (unsigned k = 0; k < bus->kinds; k++) {
        dirty[k] = bus->kind[k].dirty;
        bus->kind[k].dirty = false;
        if (dirty[k])
            scan(bus, &bus->kind[k]);
    }
    while (*p) {
        struct xenbus_device *dev = *p;
        bool wanted = dev->dirty || dirty[dev->kind - bus->kind];

        dev->dirty = false;
        if (!wanted || look_at(dev)) {
            p = &dev->next;
        } else {
            *p = dev->next;
            device_free(dev);
        }
    }
}

bool xenbus_watch_event(struct xenbus *bus, const char *token)
{
    bool found = false;

    for (unsigned k = 0; k < bus->kinds && !found; k++) {
        found = strcmp(token, bus->kind[k].token) == 0;
        bus->kind[k].dirty |= found;
    }
    for (struct xenbus_device *dev = bus->devices; dev && !found; dev = dev->next) {
        found = strcmp(token, dev->token) == 0;
        dev->dirty |= found;
    }
    if (found)
        look_soon(bus);
    return found;
}

/* ---- all of them ---------------------------------------------------------------------------- */

int xenbus_create(struct xenbus **out, struct xen *xen, struct loop *loop)
{
    struct xenbus *bus = calloc(1, sizeof(*bus));
    int rc;

    if (!bus)
        return -ENOMEM;
    bus->xen = xen;
    bus->loop = loop;
    bus->look = (struct loop_work){.run = look, .opaque = bus};
    rc = loop_fd_add(loop, &bus->events, xen_pv_evtchn_fd(xen), EPOLLIN, events_ready, bus);
    if (rc)
        free(bus);
    else
        *out = bus;
    return rc;
}

void xenbus_destroy(struct xenbus *bus)
{
    if (!bus)
        return;
    while (bus->devices) {
        struct xenbus_device *dev = bus->devices;

        bus->devices = dev->next;
        if (!dev->failed)
            dev->kind->ops->destroy(dev->device);
        free(dev);
    }
    loop_defer_cancel(bus->loop, &bus->look);
    loop_fd_remove(bus->loop, &bus->events);
    free(bus);
}

int xenbus_serve(struct xenbus *bus, const struct xenbus_ops *ops, void *opaque)
{
    struct xenbus_kind *kind = &bus->kind[bus->kinds];
    int rc;

    if (bus->kinds == KINDS_MAX)
        return -ENOSPC;
    *kind = (struct xenbus_kind){.ops = ops, .opaque = opaque, .dirty = true};
    snprintf(kind->path, sizeof(kind->path), "backend/%s/%u", ops->kind, xen_domid(bus->xen));
    snprintf(kind->token, sizeof(kind->token), "pv-%.16s", ops->kind);
    /* Of everything below it; an event comes at once. */
    rc = xen_store_watch(bus->xen, kind->path, kind->token);
    if (!rc)
        bus->kinds++;
    return rc;
}

void xenbus_hold(struct xenbus *bus, bool hold)
{
    if (bus->held == hold)
        return;
    bus->held = hold;
    loop_fd_want(bus->loop, &bus->events, hold ? 0 : EPOLLIN);
    for (struct xenbus_device *dev = bus->devices; dev; dev = dev->next)
        if (!dev->failed && dev->kind->ops->hold)
            dev->kind->ops->hold(dev->device, hold);
    if (!hold)
        look_soon(bus);
}

bool xenbus_busy(struct xenbus *bus)
{
    for (struct xenbus_device *dev = bus->devices; dev; dev = dev->next)
        if (!dev->failed && dev->kind->ops->busy && dev->kind->ops->busy(dev->device))
            return true;
    return false;
}
