/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One running device model: what the parts of the program share.
 *
 * It is built in stages (start.c), each of which fills in its members; stop undoes them in
 * reverse. After the stage "seal" the guest's requests are looked at, not before.
 */
#ifndef DM_DM_H
#define DM_DM_H

#include "block/block.h"
#include "chardev/chardev.h"
#include "dm/env.h"
#include "dm/inherited.h"
#include "dm/ioreq.h"
#include "dm/xen_vram.h"
#include "net/netdev.h"
#include "toolstack/cmdline.h"
#include "toolstack/qmp.h"
#include "ui/display.h"
#include "ui/input.h"
#include "xen/xenif.h"

struct dm_frontends;
struct machine;
struct machine_pv;
struct traditional;

/* An image that the command line or QMP has opened, by the index of its -drive. */
struct dm_drive {
    struct dm *dm;
    const char *id;
    struct block *block; /* until the machine takes it */
    char *file;          /* as the toolstack named it: for query-block */
    char *format;
    bool discard; /* asked for by the paravirtual disk that shows the same image */
};

/* The part of the program's own state that a save has to carry. */
struct dm_state {
    uint64_t guest_clock; /* ns; valid while saved */
    uint64_t timeoffset;  /* of the guest's clock: seconds, two's complement (timeoffset.c) */
    bool suspended;       /* S3 */
};

struct dm {
    const struct config *config;
    struct inherited inherited;

    /* kernel services */
    struct dm_env env;
    struct dm_state *state;

    /* back ends */
    struct chardev *serial[CONFIG_SERIAL_MAX];
    struct block_servers *servers;
    struct dm_drive drive[CONFIG_DRIVE_MAX];
    struct net *net[CONFIG_NETDEV_MAX];    /* by the index of its -netdev */
    struct net *loose_net[CONFIG_NIC_MAX]; /* of cards without one */
    struct qmp *qmp;
    struct input *input;
    uint32_t buttons; /* pointer buttons that QMP holds down, and where it has put the pointer */
    uint16_t abs[2];
    struct held_keys *held_keys; /* of send-key, until their time is up */
    struct dm_frontends *frontends; /* NULL: nobody can look */

    /* Xen */
    struct xen *xen;
    struct ioreq_server *ioreq;
    struct request_target target;
    struct xen_vram *vram;
    struct loop_fd store_fd;
    bool restricted; /* xenstore and hypercalls are gone */

    struct machine *machine;
    struct machine_pv *pv;
    struct traditional *traditional; /* NULL in qemu-xen mode */

    /* life cycle (life.c) */
    enum qmp_run_state run_state;
    struct stop_waiter *stop_waiters;
    struct loop_waker stop_waker;
    struct loop_work stop_check;
    struct loop_work sleep_work; /* S3 after the answer */
    struct loop_work io_error_work; /* an error of a disk stops the guest */
    struct timer offset_timer;      /* timeoffset.c */
    unsigned offset_writes;
    bool offset_unwritten;
};

/* ---- start.c -------------------------------------------------------------------------------- */

/* Builds everything, runs until the end, takes everything down. Returns the exit status. Nothing
 * but traditional mode's disks is added to the config. */
int dm_run(struct config *config);
/* The toolstack's question what this program can do ("-machine none"): QMP only. */
int dm_run_probe(const struct config *config);

/* ---- backends.c ----------------------------------------------------------------------------- */

/* Each logs its cause on failure. Return 0 or -errno. */
int backends_open_serial(struct dm *dm);
int backends_open_drives(struct dm *dm); /* drives.c */
int backends_open_qmp(struct dm *dm);
void backends_close(struct dm *dm);
/* drives.c: opens a medium for the drive of this index; its `fd` is closed. */
int backends_open_medium(struct dm *dm, const struct qmp_medium *medium, unsigned drive,
                         struct dm_drive *out, char *err, size_t err_size);
void backends_forget_drive(struct dm_drive *drive);

/* ---- backends_net.c ------------------------------------------------------------------------- */

/* Opens all links. 0 or -errno after logging why. */
int backends_open_nets(struct dm *dm);
void backends_close_nets(struct dm *dm);
/* The link of config->nic[nic]. */
struct net *backends_nic_link(struct dm *dm, unsigned nic);

/* ---- life.c --------------------------------------------------------------------------------- */

int life_init(struct dm *dm);
void life_fini(struct dm *dm);
/* Looks out for the end of the domain, in the toolstack's own words: after it has been told that
 * we run, since nothing of it has to be waited for. */
void life_watch(struct dm *dm);
void life_power(void *dm, enum power_event event);
/* Lets the guest's requests be answered; tells the toolstack. 0 or -errno. */
int life_cont(struct dm *dm);
/* Calls done() once nothing is in flight any more. */
void life_stop(struct dm *dm, void (*done)(void *opaque), void *opaque);
int life_wakeup(struct dm *dm);
/* Write and read the saved state; the machine is stopped. Return 0 or -errno with err set. */
int life_save(struct dm *dm, int fd, char *err);
int life_load(struct dm *dm, int fd, char *err);
/* Leave the loop; flushes happen in the tear-down. */
void life_end(struct dm *dm, int code);

#define LIFE_PATH 128
/* The xenstore path of what belongs to the guest rather than to one life of it: /vm/UUID/<node>.
 * Returns whether there is such a guest. */
bool life_vm_node(const struct dm *dm, const char *node, char path[LIFE_PATH]);

/* ---- timeoffset.c --------------------------------------------------------------------------- */

void timeoffset_init(struct dm *dm);
/*
 * Reads what this boot has begun with: while xenstore can be read, and before the guest can move
 * its clock. The toolstack need not wait for it.
 */
void timeoffset_begin(struct dm *dm);
/* The state has been replaced. */
void timeoffset_loaded(struct dm *dm);
void timeoffset_fini(struct dm *dm);
/* The guest has moved its clock by so many seconds. */
void timeoffset_moved(void *dm, int64_t seconds);

/* ---- crash.c -------------------------------------------------------------------------------- */

/* From here on a fatal signal tells the hypervisor, before it ends the process. */
void crash_init(struct dm *dm);
void crash_fini(void);

/* ---- control.c ------------------------------------------------------------------------------ */

/* What QMP asks of the machine; its opaque is the struct dm. */
extern const struct qmp_ops control_ops;
/* Lets go of the keys that send-key holds: before the state is saved, before the input hub goes. */
void control_release_keys(struct dm *dm);

/* ---- seal.c --------------------------------------------------------------------------------- */

/* Gives away every right that is not needed from here on. 0, or -errno after logging why. */
int seal(struct dm *dm);
/* Whom -runas names: 1; 0 when there is no such option; -errno after logging why. */
int seal_user(const struct config *config, uid_t *uid, gid_t *gid);

#endif
