/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the guest is told is a ring of 51 events in a page of its own:
 *
 *     in_cons 0 (the guest's), in_prod 4 (ours), events of 40 bytes from 1024 on
 *
 * The guest can write all of the page at any time. Of it only in_cons is read, once for each time
 * that it is needed; in_prod is kept here and only written there.
 *
 * There is no queue behind the ring. What the hub has told (wanted) and what the guest has been
 * told are compared, and the difference goes into the ring when there is room: so a guest that
 * reads slowly misses movements, but no key or button stays down. Movements leave a part of the
 * ring to keys and buttons. A guest that lets even that part fill up has stopped reading (another
 * kernel has been started, without the driver): the device steps back, so that keys reach the
 * guest by the emulated keyboard, until the guest reads again.
 */
#include "pv/vkbd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/input-event-codes.h>
#include <xen/io/kbdif.h>

#include "dm/log.h"

#define FOR_KEYS  16u    /* places that movements leave free */
#define SUM_MAX   0x7fff /* of a movement */
#define KEY_WORDS (INPUT_KEY_COUNT / 64)

struct vkbd_set {
    struct input *input;
};

/* What can be different between the hub and the guest. */
struct pressed {
    uint64_t keys[KEY_WORDS];
    uint32_t buttons;
};

struct vkbd {
    struct xenbus_device *dev;
    struct input *input;
    struct input_sink sink;
    struct xenkbd_page *page; /* NULL while not connected */
    bool granted;             /* by page-gref; else mapped by its frame number */
    struct xenbus_port port;
    uint32_t prod;
    bool held;
    bool away; /* has stepped back */

    struct pressed wanted, told;
    bool moved;
    uint16_t x, y;  /* positions, when absolute */
    int32_t dx, dy; /* movement that the guest has not been told, when relative */
    int32_t dz;
};

/* ---- the ring ------------------------------------------------------------------------------- */

static unsigned room(const struct vkbd *v)
{
    uint32_t used;

    if (!v->page || v->held)
        return 0;
    used = v->prod - __atomic_load_n(&v->page->in_cons, __ATOMIC_ACQUIRE);
    return used < XENKBD_IN_RING_LEN ? XENKBD_IN_RING_LEN - used : 0;
}

static void put(struct vkbd *v, const union xenkbd_in_event *event)
{
    memcpy(&XENKBD_IN_RING_REF(v->page, v->prod), event, sizeof(*event));
    v->prod++;
}

static void put_key(struct vkbd *v, uint32_t code, bool down)
{
    union xenkbd_in_event event;

    memset(&event, 0, sizeof(event));
    event.key.type = XENKBD_TYPE_KEY;
    event.key.pressed = down;
    event.key.keycode = code;
    put(v, &event);
}

/* The wheel turns the other way round here: positive is towards the user. */
static void put_movement(struct vkbd *v)
{
    union xenkbd_in_event event;

    memset(&event, 0, sizeof(event));
    if (v->sink.abs) {
        event.pos.type = XENKBD_TYPE_POS;
        event.pos.abs_x = v->x;
        event.pos.abs_y = v->y;
        event.pos.rel_z = -v->dz;
    } else {
        event.motion.type = XENKBD_TYPE_MOTION;
        event.motion.rel_x = v->dx;
        event.motion.rel_y = v->dy;
        event.motion.rel_z = -v->dz;
    }
    put(v, &event);
    v->moved = false;
    v->dx = v->dy = v->dz = 0;
}

static void put_buttons(struct vkbd *v, unsigned *left)
{
    static const struct {
        uint32_t button, code;
    } buttons[] = {
        {INPUT_BUTTON_LEFT, BTN_LEFT},     {INPUT_BUTTON_RIGHT, BTN_RIGHT},
        {INPUT_BUTTON_MIDDLE, BTN_MIDDLE}, {INPUT_BUTTON_SIDE, BTN_SIDE},
        {INPUT_BUTTON_EXTRA, BTN_EXTRA},
    };

    for (size_t i = 0; i < sizeof(buttons) / sizeof(buttons[0]) && *left; i++) {
        uint32_t bit = buttons[i].button;

        if (!((v->wanted.buttons ^ v->told.buttons) & bit))
            continue;
        put_key(v, buttons[i].code, v->wanted.buttons & bit);
        v->told.buttons ^= bit;
        --*left;
    }
}

static void put_keys(struct vkbd *v, unsigned *left)
{
    for (unsigned w = 0; w < KEY_WORDS; w++) {
        uint64_t differs = v->wanted.keys[w] ^ v->told.keys[w];

        for (; differs && *left; differs &= differs - 1) {
            unsigned n = (unsigned)__builtin_ctzll(differs);

            put_key(v, 64 * w + n, v->wanted.keys[w] >> n & 1);
            v->told.keys[w] ^= UINT64_C(1) << n;
            --*left;
        }
    }
}

static bool all_told(const struct vkbd *v)
{
    return memcmp(v->wanted.keys, v->told.keys, sizeof(v->told.keys)) == 0 &&
           v->wanted.buttons == v->told.buttons;
}

/* Tells the guest what it does not know, a position before the button that is pressed there. */
static void tell(struct vkbd *v)
{
    uint32_t before = v->prod;
    unsigned left = room(v);

    if (v->moved && left > FOR_KEYS) {
        put_movement(v);
        left--;
    }
    put_buttons(v, &left);
    put_keys(v, &left);
    if (v->prod == before)
        return;
    __atomic_store_n(&v->page->in_prod, v->prod, __ATOMIC_RELEASE);
    xenbus_notify(v->dev, &v->port);
}

/* While the machine stands still the ring cannot move: that is no reason to step back. */
static void tell_or_step_back(struct vkbd *v)
{
    tell(v);
    if (all_told(v) || !v->page || v->held || v->away)
        return;
    v->away = true; /* first: the hub now lets go of everything, and calls us for it */
    input_sink_activate(v->input, &v->sink, false);
}

/* ---- events of the hub ---------------------------------------------------------------------- */

static void key_event(void *opaque, uint16_t code, bool down)
{
    struct vkbd *v = opaque;
    uint64_t bit = UINT64_C(1) << code % 64;
    bool repeated = down && (v->told.keys[code / 64] & bit);

    if (down)
        v->wanted.keys[code / 64] |= bit;
    else
        v->wanted.keys[code / 64] &= ~bit;
    if (repeated && room(v) > FOR_KEYS)
        v->told.keys[code / 64] &= ~bit; /* once more */
    tell_or_step_back(v);
}

/* Sums of a guest that does not read stay small. */
static int32_t bounded_sum(int32_t a, int32_t b)
{
    int64_t sum = (int64_t)a + b;

    return (int32_t)(sum > SUM_MAX ? SUM_MAX : sum < -SUM_MAX ? -SUM_MAX : sum);
}

static void pointer(struct vkbd *v, int32_t dz, uint32_t buttons)
{
    v->moved = true;
    v->dz = bounded_sum(v->dz, dz);
    v->wanted.buttons = buttons;
    tell_or_step_back(v);
}

static void abs_event(void *opaque, uint16_t x, uint16_t y, int32_t dz, uint32_t buttons)
{
    struct vkbd *v = opaque;

    v->x = x;
    v->y = y;
    pointer(v, dz, buttons);
}

static void rel_event(void *opaque, int32_t dx, int32_t dy, int32_t dz, uint32_t buttons)
{
    struct vkbd *v = opaque;

    v->dx = bounded_sum(v->dx, dx);
    v->dy = bounded_sum(v->dy, dy);
    pointer(v, dz, buttons);
}

/* The guest has read. */
static void front_end_event(void *opaque)
{
    struct vkbd *v = opaque;

    tell(v);
    if (!v->away || !all_told(v) || room(v) <= FOR_KEYS)
        return;
    v->away = false;
    input_sink_activate(v->input, &v->sink, true);
}

/* ---- life ----------------------------------------------------------------------------------- */

static int create(void *opaque, struct xenbus_device *dev, void **device)
{
    struct vkbd_set *set = opaque;
    struct vkbd *v = calloc(1, sizeof(*v));
    int rc;

    if (!v)
        return -ENOMEM;
    v->dev = dev;
    v->input = set->input;
    rc = xenbus_write(dev, XENKBD_FIELD_FEAT_ABS_POINTER, "1");
    if (!rc)
        rc = xenbus_write(dev, XENKBD_FIELD_FEAT_RAW_POINTER, "1");
    if (!rc)
        rc = xenbus_write(dev, XENKBD_FIELD_WIDTH, "%d", INPUT_ABS_MAX);
    if (!rc)
        rc = xenbus_write(dev, XENKBD_FIELD_HEIGHT, "%d", INPUT_ABS_MAX);
    if (rc) {
        free(v);
        return rc;
    }
    v->sink = (struct input_sink){.name = "vkbd", .opaque = v};
    input_sink_add(v->input, &v->sink);
    input_sink_activate(v->input, &v->sink, false);
    *device = v;
    return 0;
}

/* By grant; by frame number when the front end knows nothing newer. */
static int map_page(struct vkbd *v)
{
    struct xen *xen = xenbus_xen(v->dev);
    uint64_t value, gfn;
    int rc = xenbus_frontend_number(v->dev, XENKBD_FIELD_RING_GREF, UINT32_MAX, &value);
    uint32_t ref = (uint32_t)value;
    int err = 0;

    v->granted = rc == 0;
    if (v->granted) {
        v->page = xen_grant_map(xen, &ref, 1, true);
        return v->page ? 0 : errno ? -errno : -EACCES;
    }
    if (rc == -ENOENT)
        rc = xenbus_frontend_number(v->dev, "page-ref", UINT64_MAX >> 12, &gfn);
    if (rc)
        return rc;
    v->page = xen_map_frames(xen, &gfn, 1, &err);
    if (v->page && err) {
        xen_unmap_frames(xen, v->page, 1);
        v->page = NULL;
    }
    return v->page ? 0 : err ? err : -EFAULT;
}

static void unmap_page(struct vkbd *v)
{
    if (!v->page)
        return;
    if (v->granted)
        xen_grant_unmap(xenbus_xen(v->dev), v->page, 1);
    else
        xen_unmap_frames(xenbus_xen(v->dev), v->page, 1);
    v->page = NULL;
}

static bool disconnect(void *device)
{
    struct vkbd *v = device;

    input_sink_activate(v->input, &v->sink, false);
    xenbus_unbind(v->dev, &v->port);
    unmap_page(v);
    return true;
}

/* The administrator may have taken a part of it away (feature-disable-...). */
static bool node_is_set(struct vkbd *v, const char *node)
{
    char *text = xenbus_read(v->dev, node);
    bool set = text && strcmp(text, "1") == 0;

    free(text);
    return set;
}

/* What this front end can be told of, and how. */
static void choose_events(struct vkbd *v)
{
    bool pointer_off = node_is_set(v, XENKBD_FIELD_FEAT_DSBL_POINTER);
    uint64_t absolute = 0;

    xenbus_frontend_number(v->dev, XENKBD_FIELD_REQ_ABS_POINTER, 1, &absolute);
    v->sink.key = node_is_set(v, XENKBD_FIELD_FEAT_DSBL_KEYBRD) ? NULL : key_event;
    v->sink.abs = absolute && !pointer_off ? abs_event : NULL;
    v->sink.rel = absolute || pointer_off ? NULL : rel_event;
}

static int connect(void *device)
{
    struct vkbd *v = device;
    uint64_t channel;
    const char *what = "event-channel";
    int rc = xenbus_frontend_number(v->dev, XENKBD_FIELD_EVT_CHANNEL, UINT32_MAX, &channel);

    if (!rc) {
        what = "ring";
        rc = map_page(v);
    }
    if (!rc) {
        what = "event channel";
        rc = xenbus_bind(v->dev, &v->port, (uint32_t)channel, front_end_event, v);
    }
    if (rc) {
        log_guest("%s: cannot use the front end's %s: %s", xenbus_name(v->dev), what,
                  strerror(-rc));
        unmap_page(v);
        return rc;
    }
    choose_events(v);
    v->prod = __atomic_load_n(&v->page->in_prod, __ATOMIC_RELAXED);
    v->wanted = v->told = (struct pressed){0};
    v->moved = v->away = false;
    v->dx = v->dy = v->dz = 0;
    input_sink_activate(v->input, &v->sink, true);
    return 0;
}

static void hold(void *device, bool on)
{
    struct vkbd *v = device;

    v->held = on;
    if (!on)
        front_end_event(v);
}

static void destroy(void *device)
{
    struct vkbd *v = device;

    disconnect(v);
    input_sink_remove(v->input, &v->sink);
    free(v);
}

static const struct xenbus_ops vkbd_ops = {
    .kind = XENKBD_DRIVER_NAME,
    .create = create,
    .connect = connect,
    .disconnect = disconnect,
    .hold = hold,
    .destroy = destroy,
};

int vkbd_serve(struct vkbd_set **out, struct xenbus *bus, struct input *input)
{
    struct vkbd_set *set = calloc(1, sizeof(*set));
    int rc;

    if (!set)
        return -ENOMEM;
    set->input = input;
    rc = xenbus_serve(bus, &vkbd_ops, set);
    if (rc)
        free(set);
    else
        *out = set;
    return rc;
}

void vkbd_set_free(struct vkbd_set *set)
{
    free(set);
}
