/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What QMP asks of the machine: the guest's life, its devices, its input. Drives: control_block.c
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dm/control_block.h"
#include "dm/dm.h"
#include "dm/drives.h"
#include "dm/frontend.h"
#include "dm/log.h"
#include "dm/machine.h"
#include "dm/machine_net.h"
#include "dm/savefile.h"
#include "hw/chipset/piix4_pm.h"
#include "hw/pci/pci.h"
#include "ui/keys.h"

static const char *guest_name(void *opaque)
{
    return ((struct dm *)opaque)->config->name;
}

/* ---- running -------------------------------------------------------------------------------- */

static enum qmp_run_state run_state(void *opaque)
{
    return ((struct dm *)opaque)->run_state;
}

static int cont(void *opaque, struct qmp_error *err)
{
    return life_cont(opaque);
}

static void stopped(void *opaque)
{
    qmp_reply_ok(opaque);
}

static void stop(void *opaque, struct qmp_reply *reply)
{
    life_stop(opaque, stopped, reply);
}

static void quit(void *opaque)
{
    life_end(opaque, 0);
}

static int powerdown(void *opaque, struct qmp_error *err)
{
    qmp_fail(err, QMP_GENERIC_ERROR,
             "the power button belongs to the hypervisor: use \"xl trigger %s power\"",
             guest_name(opaque) ? guest_name(opaque) : "DOMAIN");
    return -EOPNOTSUPP;
}

static int reset(void *opaque, struct qmp_error *err)
{
    life_power(opaque, POWER_REBOOT);
    return 0;
}

static int wakeup(void *opaque, struct qmp_error *err)
{
    return life_wakeup(opaque);
}

/* ---- state ---------------------------------------------------------------------------------- */

static int log_dirty(void *opaque, bool on, struct qmp_error *err)
{
    guestmem_set_log_dirty(((struct dm *)opaque)->env.mem, on);
    return 0;
}

/* A save or a load: waits until the machine stands still. */
struct state_job {
    struct dm *dm;
    struct qmp_reply *reply;
    int fd;
    int (*work)(struct dm *dm, int fd, char *err);
    bool go_on; /* it ran before: let it run afterwards */
};

static void state_stopped(void *opaque)
{
    struct state_job *job = opaque;
    char err[SAVEFILE_ERROR_MAX];
    int rc = job->work(job->dm, job->fd, err);

    close(job->fd);
    if (rc)
        qmp_reply_fail(job->reply, QMP_GENERIC_ERROR, "%s", err);
    else
        qmp_reply_ok(job->reply);
    if (job->go_on)
        life_cont(job->dm);
    free(job);
}

static void start_state_job(struct dm *dm, int fd, struct qmp_reply *reply,
                            int (*work)(struct dm *dm, int fd, char *err), bool go_on)
{
    struct state_job *job = malloc(sizeof(*job));

    if (!job) {
        close(fd);
        qmp_reply_fail(reply, QMP_GENERIC_ERROR, "out of memory");
        return;
    }
    *job = (struct state_job){dm, reply, fd, work, go_on};
    life_stop(dm, state_stopped, job);
}

static void save(void *opaque, int fd, bool live, struct qmp_reply *reply)
{
    struct dm *dm = opaque;

    start_state_job(dm, fd, reply, life_save, dm->run_state == QMP_STATE_RUNNING);
}

static void load(void *opaque, int fd, struct qmp_reply *reply)
{
    start_state_job(opaque, fd, reply, life_load, false);
}

/* ---- what there is -------------------------------------------------------------------------- */

static void each_chardev(void *opaque, void (*each)(void *to, const struct qmp_chardev *), void *to)
{
    struct dm *dm = opaque;
    const struct config *config = dm->config;

    for (unsigned i = 0; i < config->monitor_count; i++) {
        const struct config_chardev *c = &config->chardev[config->monitor[i].chardev];
        char filename[256];

        snprintf(filename, sizeof(filename), "unix:%s,server=on", c->path ? c->path : "");
        each(to, &(struct qmp_chardev){.label = c->id, .filename = filename, .open = true});
    }
    for (unsigned n = 0; n < CONFIG_SERIAL_MAX; n++) {
        struct chardev *chr = dm->serial[n];
        char label[16];

        if (!chr)
            continue;
        /* libxl looks for these names, whatever the back end is called. */
        snprintf(label, sizeof(label), "serial%u", n);
        each(to, &(struct qmp_chardev){
                     .label = label, .filename = chardev_filename(chr), .open = true});
    }
}

static void each_cpu(void *opaque, void (*each)(void *to, const struct qmp_cpu *), void *to)
{
    struct dm *dm = opaque;

    for (unsigned i = 0; i < dm->config->maxvcpus; i++) {
        bool online =
            dm->machine->pm ? piix4_cpu_is_online(dm->machine->pm, i) : i < dm->config->vcpus;

        each(to, &(struct qmp_cpu){.index = i, .online = online});
    }
}

static int cpu_add(void *opaque, unsigned index, struct qmp_error *err)
{
    struct dm *dm = opaque;

    if (!dm->machine->pm) {
        qmp_fail(err, QMP_GENERIC_ERROR, "a guest without ACPI cannot be told of new vCPUs");
        return -EOPNOTSUPP;
    }
    if (index >= dm->config->maxvcpus) {
        qmp_fail(err, QMP_GENERIC_ERROR, "vCPU %u: the guest has at most %u", index,
                 dm->config->maxvcpus);
        return -EINVAL;
    }
    return piix4_cpu_online(dm->machine->pm, index);
}

struct pci_walk {
    struct dm *dm;
    void (*each)(void *to, const struct qmp_pci_device *);
    void *to;
};

static const char *pci_qdev_id(const struct dm *dm, uint8_t devfn)
{
    for (unsigned i = 0; i < dm->config->pci_count; i++) {
        const struct config_pci *p = &dm->config->pci[i];

        if (p->built && PCI_DEVFN(p->slot, p->function) == devfn)
            return p->id;
    }
    return NULL;
}

static void one_pci(void *opaque, const struct pci_function *fn)
{
    struct pci_walk *walk = opaque;
    struct qmp_pci_region region[PCI_NUM_BARS];
    size_t regions = 0;

    for (unsigned b = 0; b < PCI_NUM_BARS; b++) {
        const struct pci_bar *bar = &fn->bar[b];

        if (bar->kind == PCI_BAR_NONE)
            continue;
        region[regions++] = (struct qmp_pci_region){
            .bar = b,
            .io = bar->kind == PCI_BAR_IO,
            .prefetch = bar->kind == PCI_BAR_MEM_PREFETCH,
            .address = pci_bar_address(fn, b),
            .size = bar->size,
        };
    }
    walk->each(walk->to, &(struct qmp_pci_device){
                             .slot = PCI_SLOT(fn->devfn),
                             .function = PCI_FUNC(fn->devfn),
                             .vendor = fn->vendor,
                             .device = fn->device,
                             .subsystem_vendor = fn->subsystem_vendor,
                             .subsystem = fn->subsystem,
                             .class_code = fn->class_code,
                             .description = fn->name,
                             .qdev_id = pci_qdev_id(walk->dm, fn->devfn),
                             .irq_pin = fn->interrupt_pin,
                             .irq = fn->state->config[PCI_INTERRUPT_LINE],
                             .regions = region,
                             .region_count = regions,
                         });
}

static void each_pci(void *opaque, void (*each)(void *to, const struct qmp_pci_device *), void *to)
{
    struct dm *dm = opaque;
    struct pci_walk walk = {dm, each, to};

    pci_each(dm->machine->pci, one_pci, &walk);
}

static void each_nic(void *opaque, void (*each)(void *to, const struct qmp_nic *), void *to)
{
    struct dm *dm = opaque;

    machine_nics_each(dm->machine->nics, each, to);
}

static int set_link(void *opaque, const char *name, bool up, struct qmp_error *err)
{
    struct dm *dm = opaque;

    return machine_nics_set_link(dm->machine->nics, name, up, err);
}

/* ---- screen and input ----------------------------------------------------------------------- */

static void screen_written(void *opaque, int error)
{
    if (error)
        qmp_reply_fail(opaque, QMP_GENERIC_ERROR, "cannot write the screenshot: %s",
                       strerror(-error));
    else
        qmp_reply_ok(opaque);
}

static void screendump(void *opaque, int fd, enum qmp_picture format, struct qmp_reply *reply)
{
    struct dm *dm = opaque;
    int rc;

    if (!dm->machine->display) {
        close(fd);
        qmp_reply_fail(reply, QMP_GENERIC_ERROR, "the guest has no display (vga=none)");
        return;
    }
    if (dm->run_state == QMP_STATE_RUNNING)
        ioreq_drain(dm->ioreq);
    rc = ui_screendump_fd(dm->machine->display, dm->env.workers, fd,
                          format == QMP_PICTURE_PNG ? IMAGE_PNG : IMAGE_PPM, screen_written, reply);
    if (rc)
        screen_written(reply, rc);
}

/* Keys of one send-key, down until its timer fires. */
struct held_keys {
    struct dm *dm;
    struct held_keys *next;
    struct timer timer;
    size_t count;
    uint16_t key[QMP_KEYS_MAX];
};

static void release_keys(void *opaque)
{
    struct held_keys *held = opaque;

    for (struct held_keys **p = &held->dm->held_keys; *p; p = &(*p)->next) {
        if (*p == held) {
            *p = held->next;
            break;
        }
    }
    timer_cancel(&held->timer);
    while (held->count)
        input_key(held->dm->input, held->key[--held->count], false);
    free(held);
}

void control_release_keys(struct dm *dm)
{
    while (dm->held_keys)
        release_keys(dm->held_keys);
}

static int send_keys(void *opaque, const uint16_t *keys, size_t count, unsigned hold_ms,
                     struct qmp_error *err)
{
    struct dm *dm = opaque;
    struct held_keys *held = calloc(1, sizeof(*held));

    if (!held)
        return -ENOMEM;
    if (count > QMP_KEYS_MAX)
        count = QMP_KEYS_MAX;
    held->dm = dm;
    held->next = dm->held_keys;
    dm->held_keys = held;
    held->count = count;
    memcpy(held->key, keys, count * sizeof(*keys));
    timer_init(&held->timer, dm->env.loop, CLOCK_HOST, release_keys, held);
    for (size_t i = 0; i < count; i++)
        input_key(dm->input, keys[i], true);
    timer_arm(&held->timer, loop_now(dm->env.loop, CLOCK_HOST) + hold_ms * 1000000ull);
    return 0;
}

static uint32_t button_bit(enum qmp_button button)
{
    switch (button) {
    case QMP_BUTTON_LEFT:
        return INPUT_BUTTON_LEFT;
    case QMP_BUTTON_MIDDLE:
        return INPUT_BUTTON_MIDDLE;
    case QMP_BUTTON_RIGHT:
        return INPUT_BUTTON_RIGHT;
    case QMP_BUTTON_SIDE:
        return INPUT_BUTTON_SIDE;
    case QMP_BUTTON_EXTRA:
        return INPUT_BUTTON_EXTRA;
    default:
        return 0; /* the wheel is movement, not a button */
    }
}

static int input_events(void *opaque, const struct qmp_input_event *events, size_t count,
                        struct qmp_error *err)
{
    struct dm *dm = opaque;
    int32_t dx = 0, dy = 0, dz = 0;
    bool rel = false, abs = false;

    for (size_t i = 0; i < count; i++) {
        const struct qmp_input_event *e = &events[i];

        switch (e->kind) {
        case QMP_INPUT_KEY:
            input_key(dm->input, e->key, e->down);
            break;
        case QMP_INPUT_BUTTON:
            if (e->down && e->button == QMP_BUTTON_WHEEL_UP)
                dz++;
            else if (e->down && e->button == QMP_BUTTON_WHEEL_DOWN)
                dz--;
            else if (e->down)
                dm->buttons |= button_bit(e->button);
            else
                dm->buttons &= ~button_bit(e->button);
            rel = true;
            break;
        case QMP_INPUT_REL:
            *(e->axis == QMP_AXIS_X ? &dx : &dy) += e->value;
            rel = true;
            break;
        case QMP_INPUT_ABS:
            dm->abs[e->axis == QMP_AXIS_Y] = (uint16_t)e->value;
            abs = true;
            break;
        }
    }
    if (abs)
        input_abs(dm->input, dm->abs[0], dm->abs[1], dz, dm->buttons);
    else if (rel)
        input_rel(dm->input, dx, dy, dz, dm->buttons);
    return 0;
}

const struct qmp_ops control_ops = {
    .guest_name = guest_name,
    .run_state = run_state,
    .cont = cont,
    .stop = stop,
    .quit = quit,
    .powerdown = powerdown,
    .reset = reset,
    .wakeup = wakeup,
    .each_chardev = each_chardev,
    .each_vnc = frontend_each_vnc,
    .vnc_password = frontend_vnc_password,
    .vnc_expire = frontend_vnc_expire,
    .each_cpu = each_cpu,
    .cpu_add = cpu_add,
    .each_pci = each_pci,
    .each_nic = each_nic,
    .set_link = set_link,
    .each_block = control_each_block,
    .eject = control_eject,
    .insert = control_insert,
    .tray = control_tray,
    .block_resize = drives_resize,
    .log_dirty = log_dirty,
    .save = save,
    .load = load,
    .screendump = screendump,
    .key_from_qcode = key_from_qcode,
    .key_from_number = key_from_pc_number,
    .send_keys = send_keys,
    .input = input_events,
};
