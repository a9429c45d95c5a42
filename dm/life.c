/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's life as its device model sees it.
 *
 *     PRELAUNCH / INMIGRATE --> RUNNING <--> PAUSED
 *                                  |  ^
 *                                  |  +--> SUSPENDED (S3)
 *                                  +-----> SHUTDOWN: the toolstack decides what follows, and asks
 *                                          this process about it: it stays until it is ended
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "dm/device.h"
#include "dm/dm.h"
#include "dm/drives.h"
#include "dm/log.h"
#include "dm/machine.h"
#include "dm/machine_pv.h"
#include "dm/savefile.h"
#include "dm/traditional.h"

/* Watch tokens. */
#define DOMAIN_RELEASED "released"
/* Events of xenstore looked at in one turn: a guest can make as many as it likes. */
#define STORE_EVENTS_A_TURN 32u

struct stop_waiter {
    void (*done)(void *opaque);
    void *opaque;
    struct stop_waiter *next;
};

static const struct state_field life_fields[] = {
    STATE_FIELD(struct dm_state, guest_clock, .flags = STATE_KEEP),
    STATE_FIELD(struct dm_state, timeoffset, .flags = STATE_KEEP),
    STATE_FIELD(struct dm_state, suspended),
};
static const struct state_desc life_desc =
    STATE_DESC("life", 1, struct dm_state, life_fields, NULL);

/* ---- xenstore ------------------------------------------------------------------------------- */

bool life_vm_node(const struct dm *dm, const char *node, char path[LIFE_PATH])
{
    char *vm;

    snprintf(path, LIFE_PATH, "/local/domain/%u/vm", dm->config->domid);
    vm = xen_store_read(dm->xen, path);
    if (vm)
        snprintf(path, LIFE_PATH, "%.80s/%.40s", vm, node);
    free(vm);
    return vm != NULL;
}

/* How the toolstack learns that the device model is ready. */
static int tell_running(struct dm *dm)
{
    char path[64];
    int rc;

    if (dm->restricted)
        return 0;
    snprintf(path, sizeof(path), "device-model/%u/state", dm->config->domid);
    rc = xen_store_write(dm->xen, path, "running");
    if (rc)
        log_error("cannot write %s in xenstore: %s", path, strerror(-rc));
    return rc;
}

static void store_ready(void *opaque, uint32_t events)
{
    struct dm *dm = opaque;
    char token[32];
    bool released = false;

    for (unsigned i = 0; i < STORE_EVENTS_A_TURN; i++) {
        if (xen_store_next(dm->xen, token, sizeof(token)))
            break;
        if (!machine_pv_watch_event(dm->pv, token) && !traditional_watch_event(dm, token))
            released |= strcmp(token, DOMAIN_RELEASED) == 0;
    }
    if (released && !xen_domain_exists(dm->xen)) {
        log_info("domain %u is gone", dm->config->domid);
        life_end(dm, 0);
    }
    if (events & (EPOLLHUP | EPOLLERR)) {
        log_warn("lost xenstore: the end of the domain will not be noticed");
        loop_fd_remove(dm->env.loop, &dm->store_fd);
    }
}

void life_watch(struct dm *dm)
{
    int rc;

    if (dm->restricted)
        return;
    timeoffset_begin(dm);
    machine_pv_start(dm);
    traditional_watch(dm);
    rc = xen_store_watch(dm->xen, "@releaseDomain", DOMAIN_RELEASED);
    if (!rc)
        rc = loop_fd_add(dm->env.loop, &dm->store_fd, xen_store_fd(dm->xen), EPOLLIN, store_ready,
                         dm);
    if (rc)
        log_warn("the end of domain %u will not be noticed: %s", dm->config->domid, strerror(-rc));
}

/* ---- signals -------------------------------------------------------------------------------- */

static void end_signal(void *opaque, int signum)
{
    struct dm *dm = opaque;

    log_info("ended by signal %d (%s)", signum, strsignal(signum));
    life_end(dm, 0);
}

void life_end(struct dm *dm, int code)
{
    loop_quit(dm->env.loop, code);
}

/* ---- running and standing -------------------------------------------------------------------- */

/* The images are this machine's from here on; requests that their errors have stopped go on. */
static int take_disks(struct dm *dm)
{
    int rc = drives_lock(dm, true);

    if (!rc && dm->run_state == QMP_STATE_IO_ERROR)
        drives_retry(dm);
    return rc;
}

int life_cont(struct dm *dm)
{
    int rc;

    if (dm->run_state == QMP_STATE_RUNNING || dm->run_state == QMP_STATE_SHUTDOWN ||
        dm->run_state == QMP_STATE_SUSPENDED)
        return 0;
    rc = take_disks(dm);
    if (rc)
        return rc;
    loop_guest_clock_start(dm->env.loop);
    dm->run_state = dm->state->suspended ? QMP_STATE_SUSPENDED : QMP_STATE_RUNNING;
    machine_set_running(dm->machine, dm->run_state == QMP_STATE_RUNNING);
    ioreq_start(dm->ioreq);
    machine_pv_set_running(dm->pv, true);
    traditional_asleep(dm);
    qmp_event(dm->qmp, "RESUME", NULL);
    return tell_running(dm);
}

static bool in_flight(struct dm *dm)
{
    return device_busy(dm->env.devices) || machine_pv_busy(dm->pv) ||
           workers_pending(dm->env.workers);
}

static void check_stopped(void *opaque)
{
    struct dm *dm = opaque;

    if (in_flight(dm))
        return;
    while (dm->stop_waiters) {
        struct stop_waiter *w = dm->stop_waiters;

        dm->stop_waiters = w->next;
        w->done(w->opaque);
        free(w);
    }
}

/* A worker has finished something; its result is delivered in this turn, looked at in the next. */
static void work_done(void *opaque)
{
    struct dm *dm = opaque;

    if (dm->stop_waiters)
        loop_defer(dm->env.loop, &dm->stop_check);
}

/* No request of the guest is looked at from here on; what is in flight goes on. */
static void halt(struct dm *dm, enum qmp_run_state state)
{
    control_release_keys(dm);
    ioreq_stop(dm->ioreq);
    machine_pv_set_running(dm->pv, false);
    machine_set_running(dm->machine, false);
    loop_guest_clock_stop(dm->env.loop);
    dm->run_state = state;
    qmp_event(dm->qmp, "STOP", NULL);
}

/* After werror=stop and its like: until `cont`, or until the machine is wanted quiescent. */
static void io_error(void *opaque)
{
    struct dm *dm = opaque;

    if (dm->run_state == QMP_STATE_RUNNING)
        halt(dm, QMP_STATE_IO_ERROR);
    else if (dm->run_state != QMP_STATE_IO_ERROR)
        drives_give_up(dm);
}

void life_stop(struct dm *dm, void (*done)(void *opaque), void *opaque)
{
    struct stop_waiter *w = calloc(1, sizeof(*w));

    if (dm->run_state == QMP_STATE_RUNNING || dm->run_state == QMP_STATE_SUSPENDED)
        halt(dm, QMP_STATE_PAUSED);
    else if (dm->run_state == QMP_STATE_IO_ERROR)
        dm->run_state = QMP_STATE_PAUSED;
    drives_give_up(dm);
    if (!w) {
        /* No memory for the note: wait here instead of telling a lie. */
        while (in_flight(dm))
            loop_turn(dm->env.loop, 10);
        done(opaque);
        return;
    }
    *w = (struct stop_waiter){done, opaque, dm->stop_waiters};
    dm->stop_waiters = w;
    loop_defer(dm->env.loop, &dm->stop_check);
}

/* ---- power ---------------------------------------------------------------------------------- */

static void domain_shutdown(struct dm *dm, enum xen_shutdown reason, const char *what)
{
    int rc = xen_shutdown(dm->xen, reason);

    if (rc)
        log_guest("the guest asked for %s, but Xen refused: %s", what, strerror(-rc));
    else
        log_guest("the guest asked for %s", what);
    dm->run_state = QMP_STATE_SHUTDOWN;
    machine_set_running(dm->machine, false);
}

static void go_to_sleep(void *opaque)
{
    struct dm *dm = opaque;
    int rc = dm->restricted ? -EPERM : xen_set_s_state(dm->xen, 3);

    if (rc) {
        log_guest("the guest cannot be put to sleep: %s", strerror(-rc));
        return;
    }
    dm->state->suspended = true;
    dm->run_state = QMP_STATE_SUSPENDED;
    machine_set_running(dm->machine, false);
    traditional_asleep(dm);
    qmp_event(dm->qmp, "SUSPEND", NULL);
}

void life_power(void *opaque, enum power_event event)
{
    struct dm *dm = opaque;

    switch (event) {
    case POWER_OFF:
        domain_shutdown(dm, XEN_POWEROFF, "power-off");
        qmp_event(dm->qmp, "SHUTDOWN", "{\"guest\": true, \"reason\": \"guest-shutdown\"}");
        break;
    case POWER_REBOOT:
        domain_shutdown(dm, XEN_REBOOT, "a reboot");
        qmp_event(dm->qmp, "RESET", "{\"guest\": true, \"reason\": \"guest-reset\"}");
        break;
    case POWER_SUSPEND_S3:
        /* After the answer: the hypervisor stops the vCPUs where they are. */
        loop_defer(dm->env.loop, &dm->sleep_work);
        break;
    }
}

/* The guest's memory is as it was, its vCPUs begin at the reset vector with the call. */
int life_wakeup(struct dm *dm)
{
    int rc;

    if (!dm->state->suspended)
        return 0;
    if (dm->restricted)
        return -EPERM;
    device_wake_all(dm->env.devices);
    rc = xen_set_s_state(dm->xen, 0);
    if (rc)
        return rc;
    dm->state->suspended = false;
    if (dm->run_state == QMP_STATE_SUSPENDED) {
        dm->run_state = QMP_STATE_RUNNING;
        machine_set_running(dm->machine, true);
    }
    qmp_event(dm->qmp, "WAKEUP", NULL);
    return 0;
}

/* The hypervisor's half of being asleep is not among what the toolstack saves. */
static void sleep_again(struct dm *dm)
{
    int rc = dm->restricted ? -EPERM : xen_set_s_state(dm->xen, 3);

    if (rc)
        log_warn("the restored guest cannot be put to sleep again: %s", strerror(-rc));
}

/* ---- save and load -------------------------------------------------------------------------- */

int life_save(struct dm *dm, int fd, char *err)
{
    int rc = machine_flush(dm->machine);

    if (!rc)
        rc = machine_pv_flush(dm->pv);
    if (rc) {
        snprintf(err, SAVEFILE_ERROR_MAX, "cannot flush the disks: %s", strerror(-rc));
        return rc;
    }
    dm->state->guest_clock = loop_now(dm->env.loop, CLOCK_GUEST);
    rc = savefile_write_fd(dm->env.arena, fd, err);
    if (!rc)
        drives_lock(dm, false); /* whoever goes on with this state; or we, at `cont` */
    return rc;
}

int life_load(struct dm *dm, int fd, char *err)
{
    void *buf;
    size_t len;
    int rc = savefile_read_fd(fd, &buf, &len, err);

    if (rc)
        return rc;
    rc = savefile_decode(dm->env.arena, buf, len, err);
    free(buf);
    if (rc)
        return rc;
    loop_guest_clock_set(dm->env.loop, dm->state->guest_clock);
    device_loaded_all(dm->env.devices);
    irq_router_refresh(dm->env.irqs);
    timeoffset_loaded(dm);
    if (dm->state->suspended)
        sleep_again(dm);
    return 0;
}

/* ---- begin and end -------------------------------------------------------------------------- */

int life_init(struct dm *dm)
{
    static const int ends[] = {SIGTERM, SIGHUP, SIGINT};
    int rc;

    dm->run_state = QMP_STATE_PRELAUNCH;
    dm->stop_check = (struct loop_work){.run = check_stopped, .opaque = dm};
    dm->sleep_work = (struct loop_work){.run = go_to_sleep, .opaque = dm};
    dm->io_error_work = (struct loop_work){.run = io_error, .opaque = dm};
    dm->stop_waker = (struct loop_waker){.woken = work_done, .opaque = dm};
    loop_waker_add(dm->env.loop, &dm->stop_waker);
    loop_guest_clock_stop(dm->env.loop);
    /* A closed pipe or a file at its size limit is an error of that call, not the end of all. */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        rc = loop_signal(dm->env.loop, ends[i], end_signal, dm);
        if (rc) {
            log_error("cannot handle signal %d: %s", ends[i], strerror(-rc));
            return rc;
        }
    }
    dm->state = arena_alloc(dm->env.arena, "life", &life_desc);
    if (!dm->state)
        return -ENOMEM;
    timeoffset_init(dm);
    crash_init(dm);
    return 0;
}

void life_fini(struct dm *dm)
{
    while (dm->stop_waiters) {
        struct stop_waiter *w = dm->stop_waiters;

        dm->stop_waiters = w->next;
        free(w);
    }
    loop_fd_remove(dm->env.loop, &dm->store_fd);
    loop_waker_remove(dm->env.loop, &dm->stop_waker);
    timeoffset_fini(dm);
    crash_fini();
}
