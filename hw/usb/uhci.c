/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * USB host controller of the 82371SB (PIIX3), function 2: Universal Host Controller Interface
 * (UHCI) Design Guide, revision 1.1; root hub with two ports (uhci_ports.c).
 *
 *     halted --USBCMD.RS--> running --RS cleared, reset, fatal error--> halted
 *
 * FRNUM is a function of time. Each millisecond is a frame, and each frame walks a list in guest
 * memory that the driver changes without an access that we would see. Doing so each millisecond
 * costs a waking process a thousand times a second, mostly to find nothing. Here frames are done
 * late and together, in a "look", so that nobody can tell the difference in what they do:
 *
 *   - Every register access does the frames that are due: the guest runs already, and drivers poll
 *     their root hub (Linux four times a second).
 *   - A timer does it in 1 ms after a driver's write or after a transfer has moved, and then in 2,
 *     4, 8 ... ms, at most LOOK_MAX. Completed reports of interrupt endpoints do not count. So a
 *     control transfer that is queued in silence begins after LOOK_MAX at the latest, and goes on
 *     at full speed.
 *   - An interrupt endpoint without data would answer NAK: it wakes nobody. When it gets data, the
 *     next frames are done early, until the driver's transfer for it is found; then not again for
 *     REPORT_NS, which is how often the driver would have polled it.
 *   - While the controller is halted or globally suspended, or may not do DMA, there is no timer.
 *
 * Left out on purpose: SWDBG (single step), the line state of the ports, the effect of SOFMOD,
 * isochronous transfers (no device has an endpoint for them), routing of keyboard ports to SMM
 * (the legacy support register at C0 is storage), and USBPIRQDEN in it: firmware leaves it clear.
 */
#include "hw/usb/uhci_internal.h"

#include <errno.h>
#include <stdlib.h>
#include "dm/device.h"

#define LOOK_MAX  512u /* frames */
#define REPORT_NS (8u * FRAME_NS)

enum {
    REG_USBCMD = 0x00,
    REG_USBSTS = 0x02,
    REG_USBINTR = 0x04,
    REG_FRNUM = 0x06,
    REG_FLBASE = 0x08,
    REG_FLBASE_HIGH = 0x0a,
    REG_SOFMOD = 0x0c,
    REG_PORTSC1 = 0x10,
    REG_PORTSC2 = 0x12,
    IO_BYTES = 0x20,

    IO_BAR = 4,
    CONFIG_SBRN = 0x60,   /* release of the USB specification */
    CONFIG_LEGSUP = 0xc0, /* legacy support */
    SBRN_1_0 = 0x10,
    LEGSUP_RESET_HIGH = 0x20,
    LEGSUP_MASK_LOW = 0xbf,
    LEGSUP_MASK_HIGH = 0x20, /* the other bits show SMI causes, of which there are none */

    /* What a port that is not there reads as: bit 7 clear. */
    NO_PORT = 0xff7f,
};

static const struct state_field uhci_fields[] = {
    STATE_FIELD(struct uhci_state, cmd, .bits = CMD_BITS),
    STATE_FIELD(struct uhci_state, sts, .bits = STS_CLEARABLE, .reset = STS_HALTED),
    STATE_FIELD(struct uhci_state, intr, .bits = INTR_BITS),
    STATE_FIELD(struct uhci_state, frnum, .max = FRNUM_MASK),
    STATE_FIELD(struct uhci_state, flbase),
    STATE_FIELD(struct uhci_state, sofmod, .max = 0x7f, .reset = SOFMOD_RESET),
    STATE_FIELD(struct uhci_state, cause, .bits = CAUSE_IOC | CAUSE_SHORT),
    STATE_ARRAY(struct uhci_state, portsc, .bits = PORT_BITS, .reset = PORT_ONE),
    STATE_FIELD(struct uhci_state, started_at),
    STATE_FIELD(struct uhci_state, frames_done),
};

static const char *uhci_check(const void *state)
{
    const struct uhci_state *s = state;

    if (s->flbase & 0xfff)
        return "flbase";
    if ((s->cmd & CMD_HCRESET) || ((s->cmd & CMD_RS) && (s->sts & STS_HALTED)))
        return "cmd";
    for (unsigned i = 0; i < UHCI_PORTS; i++)
        if (!(s->portsc[i] & PORT_ONE))
            return "portsc";
    return NULL;
}

static const struct state_desc uhci_desc =
    STATE_DESC("uhci", 1, struct uhci_state, uhci_fields, uhci_check);

/* ---- interrupt ------------------------------------------------------------------------------ */

bool uhci_irq_level(const struct uhci_state *s)
{
    bool ioc = (s->cause & CAUSE_IOC) && (s->intr & INTR_IOC);
    bool short_packet = (s->cause & CAUSE_SHORT) && (s->intr & INTR_SHORT);

    return ((s->sts & STS_INT) && (ioc || short_packet)) ||
           ((s->sts & STS_ERROR) && (s->intr & INTR_ERROR)) ||
           ((s->sts & STS_RD) && (s->intr & INTR_RESUME)) || (s->sts & (STS_HSE | STS_HCPE));
}

void uhci_update_irq(struct uhci *u)
{
    pci_set_irq(&u->fn, uhci_irq_level(u->s));
}

/* ---- time ----------------------------------------------------------------------------------- */

static bool walks(const struct uhci *u)
{
    return (u->s->cmd & CMD_RS) && !(u->s->cmd & (CMD_EGSM | CMD_GRESET)) && pci_bus_master(&u->fn);
}

uint64_t uhci_frame(const struct uhci *u)
{
    uint64_t now = loop_now(u->loop, CLOCK_GUEST);

    return now > u->s->started_at ? (now - u->s->started_at) / FRAME_NS : 0;
}

static uint16_t frame_number(const struct uhci *u)
{
    if (!(u->s->cmd & CMD_RS))
        return u->s->frnum;
    return (uint16_t)((u->s->frnum + uhci_frame(u)) & FRNUM_MASK);
}

static void start(struct uhci *u)
{
    u->s->started_at = loop_now(u->loop, CLOCK_GUEST);
    u->s->frames_done = 0;
    u->s->sts &= (uint16_t)~STS_HALTED;
}

static void stop(struct uhci *u)
{
    u->s->frnum = frame_number(u);
    u->s->cmd &= (uint16_t)~CMD_RS;
    u->s->sts |= STS_HALTED;
}

void uhci_fatal(struct uhci *u, uint16_t status)
{
    u->s->sts |= status;
    if (u->s->cmd & CMD_RS)
        stop(u);
}

/* The next look without a reason, or earlier when a device has (or will have) something to say. */
static void arm(struct uhci *u)
{
    uint64_t now = loop_now(u->loop, CLOCK_GUEST);
    uint64_t deadline = now + (uint64_t)u->interval * FRAME_NS;
    uint64_t ready = uhci_ready_at(u);

    if (!walks(u)) {
        timer_cancel(&u->timer);
        return;
    }
    /* Data that the driver has not fetched, though frames were done early, waits for its transfer:
     * the usual looks find that. */
    if (ready <= now)
        ready = u->next_report > now ? u->next_report : deadline;
    else if (ready != TIMER_NEVER && ready < u->next_report)
        ready = u->next_report;
    timer_arm(&u->timer, ready < deadline ? ready : deadline);
}

/* Something has happened after which the driver may want us soon. */
static void look_soon(struct uhci *u)
{
    u->interval = 1;
    arm(u);
}

static void look(struct uhci *u, bool by_timer)
{
    uint64_t now = loop_now(u->loop, CLOCK_GUEST);
    bool early = now >= u->next_report;
    struct uhci_look found = uhci_run_schedule(u, early);
    bool waits = uhci_ready_at(u) <= now;

    if (found.reported)
        u->next_report = now + REPORT_NS;
    /* Data that is new, or more of it: the driver may be about to ask. */
    if (found.busy || found.cut || (waits && (found.reported || (u->new_data && early))))
        u->interval = 1;
    else if (by_timer && !found.reported && u->interval < LOOK_MAX)
        u->interval *= 2;
    if (early)
        u->new_data = false;
    arm(u);
    uhci_update_irq(u);
}

static void timer_fired(void *opaque)
{
    struct uhci *u = opaque;

    if (walks(u))
        look(u, true);
}

/* Before an access: the frames that are due are done, so that the guest sees their results. */
static void catch_up(struct uhci *u)
{
    if (walks(u) && uhci_frame(u) >= u->s->frames_done)
        look(u, false);
}

/* Called when an event comes in, perhaps while the guest stands: no DMA here. */
static void device_has_data(void *opaque, struct usb_device *device, bool first)
{
    struct uhci *u = opaque;
    uint64_t now = loop_now(u->loop, CLOCK_GUEST);

    if (uhci_port_wake(u, device)) {
        uhci_update_irq(u);
        return;
    }
    /* What has been offered already is found by the usual looks, when the driver asks. */
    if (!first || !walks(u) || uhci_ready_at(u) == TIMER_NEVER)
        return;
    u->new_data = true;
    timer_arm(&u->timer, u->next_report > now ? u->next_report : now);
}

/* ---- registers ------------------------------------------------------------------------------ */

static void controller_reset(struct uhci *u)
{
    state_reset(&uhci_desc, u->s);
    u->interval = 1;
    u->next_report = 0;
    uhci_ports_reset(u);
}

static void write_cmd(struct uhci *u, uint16_t value)
{
    bool was_running = u->s->cmd & CMD_RS;

    value &= CMD_BITS;
    if (value & (CMD_HCRESET | CMD_GRESET)) {
        controller_reset(u);
        /* The reset of the bus lasts until the driver ends it, the one of the controller does not.
         */
        u->s->cmd = value & CMD_GRESET;
        return;
    }
    if (was_running && !(value & CMD_RS))
        stop(u);
    u->s->cmd = value;
    if (!was_running && (value & CMD_RS))
        start(u);
}

static void write_sts(struct uhci *u, uint16_t value)
{
    u->s->sts &= (uint16_t) ~(value & STS_CLEARABLE);
    if (value & STS_INT)
        u->s->cause = 0;
}

static uint16_t read_word(struct uhci *u, uint64_t offset)
{
    const struct uhci_state *s = u->s;

    switch (offset) {
    case REG_USBCMD:
        return s->cmd;
    case REG_USBSTS:
        return s->sts;
    case REG_USBINTR:
        return s->intr;
    case REG_FRNUM:
        return frame_number(u);
    case REG_FLBASE:
        return (uint16_t)s->flbase;
    case REG_FLBASE_HIGH:
        return (uint16_t)(s->flbase >> 16);
    case REG_SOFMOD:
        return s->sofmod;
    case REG_PORTSC1:
    case REG_PORTSC2:
        return s->portsc[(offset - REG_PORTSC1) / 2];
    default:
        return NO_PORT;
    }
}

static void write_word(struct uhci *u, uint64_t offset, uint16_t value)
{
    struct uhci_state *s = u->s;

    switch (offset) {
    case REG_USBCMD:
        write_cmd(u, value);
        break;
    case REG_USBSTS:
        write_sts(u, value);
        return; /* an interrupt has been taken note of: no reason to look */
    case REG_USBINTR:
        s->intr = value & INTR_BITS;
        break;
    case REG_FRNUM:
        if (!(s->cmd & CMD_RS))
            s->frnum = value & FRNUM_MASK;
        break;
    case REG_FLBASE:
        s->flbase = (s->flbase & 0xffff0000) | (value & 0xf000);
        break;
    case REG_FLBASE_HIGH:
        s->flbase = (s->flbase & 0xffff) | (uint32_t)value << 16;
        break;
    case REG_SOFMOD:
        s->sofmod = value & 0x7f;
        break;
    case REG_PORTSC1:
    case REG_PORTSC2:
        uhci_port_write(u, (unsigned)(offset - REG_PORTSC1) / 2, value);
        break;
    default:
        return;
    }
    look_soon(u);
}

static uint64_t io_read_register(void *dev, uint64_t offset, unsigned size)
{
    struct uhci *u = dev;
    uint16_t word;

    catch_up(u);
    word = read_word(u, offset & ~1ull);
    return size == 1 && (offset & 1) ? word >> 8 : word;
}

/* Bits that a byte's write leaves alone: the other half of what is storage, none of what is
 * cleared by ones. */
static uint16_t stored(struct uhci *u, uint64_t offset)
{
    if (offset == REG_USBSTS)
        return 0;
    if (offset == REG_PORTSC1 || offset == REG_PORTSC2)
        return read_word(u, offset) & (uint16_t)~PORT_CLEARABLE;
    return read_word(u, offset);
}

static void io_write_register(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
    struct uhci *u = dev;

    catch_up(u);
    if (size == 1) {
        unsigned shift = offset & 1 ? 8 : 0;

        offset &= ~1ull;
        value = (stored(u, offset) & ~(0xffu << shift)) | value << shift;
    }
    write_word(u, offset, (uint16_t)value);
    uhci_update_irq(u);
}

static const struct io_ops io_ops = {
    .read = io_read_register,
    .write = io_write_register,
    .sizes = 1 | 2,
};

/* ---- PCI ------------------------------------------------------------------------------------ */

static void config_reset(void *dev, uint8_t *config)
{
    config[CONFIG_SBRN] = SBRN_1_0;
    config[CONFIG_LEGSUP + 1] = LEGSUP_RESET_HIGH;
}

/* Whether DMA is allowed may have changed. */
static void config_written(void *dev, unsigned reg, unsigned size)
{
    if (reg < PCI_COMMAND + 2 && reg + size > PCI_COMMAND)
        look_soon(dev);
}

/* ---- life ----------------------------------------------------------------------------------- */

static void reset(void *dev)
{
    struct uhci *u = dev;

    controller_reset(u);
    timer_cancel(&u->timer);
    uhci_update_irq(u);
}

static void loaded(void *dev)
{
    struct uhci *u = dev;

    uhci_ports_loaded(u);
    u->next_report = 0;
    look_soon(u);
    uhci_update_irq(u);
}

static void destroy(void *dev)
{
    struct uhci *u = dev;

    timer_cancel(&u->timer);
    free(u); /* what is plugged in has ended before */
}

static const struct device_ops device_ops = {
    .name = "UHCI", .reset = reset, .loaded = loaded, .destroy = destroy};

int uhci_attach(struct uhci *u, unsigned port, struct usb_device *device)
{
    if (port >= UHCI_PORTS || u->device[port])
        return -EBUSY;
    u->device[port] = device;
    device->has_data = device_has_data;
    device->controller = u;
    uhci_ports_loaded(u);
    return 0;
}

int uhci_create(struct uhci **out, const struct dm_env *env, uint8_t devfn)
{
    struct uhci *u = calloc(1, sizeof(*u));
    int rc;

    if (!u)
        return -ENOMEM;
    u->mem = env->mem;
    u->loop = env->loop;
    u->interval = 1;
    timer_init(&u->timer, env->loop, CLOCK_GUEST, timer_fired, u);
    u->fn = (struct pci_function){
        .name = "uhci",
        .devfn = devfn,
        .vendor = 0x8086,
        .device = 0x7020,
        .subsystem_vendor = 0x1af4,
        .subsystem = 0x1100,
        .revision = 1,
        .class_code = 0x0c03,
        .interrupt_pin = 4,
        .dev = u,
        .config_reset = config_reset,
        .config_written = config_written,
    };
    u->fn.bar[IO_BAR] = (struct pci_bar){
        .kind = PCI_BAR_IO,
        .size = IO_BYTES,
        .region = {.name = "uhci", .ops = &io_ops, .dev = u},
    };
    u->s = arena_alloc(env->arena, "uhci", &uhci_desc);
    rc = u->s ? device_register(env->devices, &device_ops, u) : -ENOMEM;
    if (rc) {
        free(u);
        return rc;
    }
    rc = pci_add(env->pci, &u->fn);
    if (rc)
        return rc;
    u->fn.write_mask[CONFIG_SBRN] = 0;
    u->fn.write_mask[CONFIG_LEGSUP] = LEGSUP_MASK_LOW;
    u->fn.write_mask[CONFIG_LEGSUP + 1] = LEGSUP_MASK_HIGH;
    *out = u;
    return 0;
}
