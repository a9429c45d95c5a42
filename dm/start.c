/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Start-up, a row of stages; tear-down, the same row in reverse.
 *
 *     services  loop, workers, arena
 *     xen       handles of the domain, guest memory
 *     open      viewers' ports, images, terminals, QMP sockets
 *     server    ioreq server: from here on the guest's accesses wait for us
 *     machine   devices, their ranges
 *     load      a saved state, when there is one
 *     announce  traditional mode: ports and terminals
 *     viewers   those that show the screen are on their way
 *     seal      rights given away
 *     run       the guest's bytes are looked at
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dm/device.h"
#include "dm/dm.h"
#include "dm/frontend.h"
#include "dm/log.h"
#include "dm/machine.h"
#include "dm/machine_pv.h"
#include "dm/savefile.h"
#include "dm/traditional.h"
#include "hw/pci/pci.h"

/* All device state, most of it the drives' transfer buffers. */
#define ARENA_BYTES (1u << 20)
/* A disk channel has one command at a time, an image file rarely more. */
#define WORKERS_MAX 4

/* ---- services ------------------------------------------------------------------------------- */

static int services_up(struct dm *dm)
{
    int rc = loop_create(&dm->env.loop);

    if (!rc)
        rc = workers_create(&dm->env.workers, dm->env.loop, WORKERS_MAX);
    if (!rc)
        rc = arena_create(&dm->env.arena, ARENA_BYTES);
    if (!rc)
        rc = device_list_create(&dm->env.devices);
    if (!rc)
        rc = input_create(&dm->input);
    if (!rc)
        rc = block_servers_create(&dm->servers, dm->env.loop);
    if (!rc)
        rc = qmp_create(&dm->qmp, dm->env.loop, &control_ops, dm);
    if (rc)
        log_error("cannot set up the event loop and its services: %s", strerror(-rc));
    return rc;
}

static void services_down(struct dm *dm)
{
    device_list_destroy(dm->env.devices);
    workers_destroy(dm->env.workers);
    block_servers_destroy(dm->servers);
    if (dm->qmp)
        qmp_destroy(dm->qmp);
    control_release_keys(dm);
    if (dm->input)
        input_destroy(dm->input);
    arena_destroy(dm->env.arena);
    loop_destroy(dm->env.loop);
}

/* ---- xen ------------------------------------------------------------------------------------ */

static void *map_guest(void *opaque, const uint64_t *gfns, size_t n, int *err)
{
    return xen_map_frames(opaque, gfns, n, err);
}

static void unmap_guest(void *opaque, void *addr, size_t n)
{
    xen_unmap_frames(opaque, addr, n);
}

static void modified_guest(void *opaque, uint64_t first_gfn, uint64_t n)
{
    int rc = xen_modified(opaque, first_gfn, n);

    if (rc && rc != -ESRCH)
        log_guest("cannot report modified memory at frame %#lx: %s", (unsigned long)first_gfn,
                  strerror(-rc));
}

static int xen_up(struct dm *dm)
{
    struct guestmem_ops ops = {map_guest, unmap_guest, modified_guest, NULL};
    char err[200];
    int rc = xen_open(&dm->xen, dm->config->domid, err, sizeof(err));

    if (rc) {
        log_error("%s", err);
        return rc;
    }
    ops.opaque = dm->xen;
    rc = guestmem_create(&dm->env.mem, &ops);
    if (!rc)
        rc = life_init(dm);
    return rc;
}

static void xen_down(struct dm *dm)
{
    if (dm->xen)
        life_fini(dm);
    guestmem_destroy(dm->env.mem);
    xen_close(dm->xen);
}

/* ---- open ----------------------------------------------------------------------------------- */

static int open_up(struct dm *dm)
{
    int rc = frontend_open(dm);

    if (!rc)
        rc = backends_open_nets(dm);
    if (!rc)
        rc = backends_open_qmp(dm);
    if (!rc)
        rc = backends_open_serial(dm);
    if (!rc)
        rc = machine_pv_find(dm);
    if (!rc)
        rc = backends_open_drives(dm);
    if (!rc)
        rc = machine_pv_open(dm);
    return rc;
}

static void open_down(struct dm *dm)
{
    frontend_close(dm);
    backends_close(dm);
}

/* ---- server --------------------------------------------------------------------------------- */

static int server_up(struct dm *dm)
{
    char err[200];
    int rc = ioreq_create(&dm->ioreq, dm->xen, dm->env.loop, &dm->target, dm->config->maxvcpus, err,
                          sizeof(err));

    if (rc && !xen_domain_exists(dm->xen))
        log_error("%s %u: there is no such domain", dm->config->traditional ? "-d" : "-xen-domid",
                  dm->config->domid);
    else if (rc)
        log_error("domain %u: %s", dm->config->domid, err);
    return rc;
}

static void server_down(struct dm *dm)
{
    ioreq_destroy(dm->ioreq);
    dm->ioreq = NULL;
}

/* ---- machine -------------------------------------------------------------------------------- */

/* While the machine is taken down there is no server any more, and so nothing to claim. */
static int claim_range(void *opaque, enum io_kind kind, uint64_t start, uint64_t end)
{
    struct dm *dm = opaque;

    return dm->ioreq ? ioreq_claim_range(dm->ioreq, kind, start, end) : 0;
}

static int release_range(void *opaque, enum io_kind kind, uint64_t start, uint64_t end)
{
    struct dm *dm = opaque;

    return dm->ioreq ? ioreq_release_range(dm->ioreq, kind, start, end) : 0;
}

static void isa_irq(void *opaque, uint8_t irq, bool level)
{
    struct dm *dm = opaque;
    int rc = xen_set_isa_irq(dm->xen, irq, level);

    if (rc && rc != -ESRCH)
        log_guest("cannot set ISA interrupt %u: %s", irq, strerror(-rc));
}

static void pci_intx(void *opaque, uint8_t device, uint8_t pin, bool level)
{
    struct dm *dm = opaque;
    int rc = xen_set_pci_intx(dm->xen, device, pin, level);

    if (rc && rc != -ESRCH)
        log_guest("cannot set interrupt pin %c of slot %u: %s", 'A' + pin, device, strerror(-rc));
}

static void link_route(void *opaque, uint8_t link, uint8_t irq)
{
    struct dm *dm = opaque;
    int rc = xen_set_pci_link_route(dm->xen, link, irq);

    if (rc && rc != -ESRCH)
        log_guest("cannot route PIRQ %c to interrupt %u: %s", 'A' + link, irq, strerror(-rc));
}

static void protect_frames(void *opaque, uint64_t first_gfn, uint64_t n, bool read_only)
{
    struct dm *dm = opaque;
    int rc = xen_set_read_only(dm->xen, first_gfn, n, read_only);

    if (rc && rc != -ESRCH)
        log_guest("cannot change the protection of frame %#lx: %s", (unsigned long)first_gfn,
                  strerror(-rc));
}

static int machine_up(struct dm *dm)
{
    struct io_claim_ops claims = {claim_range, release_range, dm};
    struct irq_sink sink = {isa_irq, pci_intx, dm};
    int rc = iospace_create(&dm->env.io, &claims);

    if (!rc)
        rc = irq_router_create(&dm->env.irqs, &sink);
    if (rc) {
        log_error("cannot set up the I/O space: %s", strerror(-rc));
        return rc;
    }
    dm->env.platform = (struct platform_ops){life_power, link_route, protect_frames, dm};
    dm->target = (struct request_target){.io = dm->env.io,
                                         .mem = dm->env.mem,
                                         .timeoffset = timeoffset_moved,
                                         .timeoffset_opaque = dm};
    rc = machine_create(dm);
    if (rc)
        return rc;
    frontend_set_display(dm, dm->machine->display);
    rc = iospace_commit(dm->env.io);
    if (rc)
        log_error("Xen refuses the I/O ranges of domain %u: %s", dm->config->domid, strerror(-rc));
    return rc;
}

static void machine_down(struct dm *dm)
{
    /* What the guest has asked for is done while there are devices to do it. */
    if (dm->ioreq && dm->env.io && dm->machine)
        ioreq_answer_all(dm->ioreq);
    frontend_set_display(dm, NULL);
    server_down(dm);
    device_list_destroy(dm->env.devices);
    dm->env.devices = NULL;
    machine_destroy(dm->machine);
    xen_vram_destroy(dm->vram);
    irq_router_destroy(dm->env.irqs);
    iospace_destroy(dm->env.io);
}

/* ---- load ----------------------------------------------------------------------------------- */

static int load_up(struct dm *dm)
{
    const struct config *config = dm->config;
    char err[SAVEFILE_ERROR_MAX];
    const char *from = config->incoming_file ? config->incoming_file : "-incoming";
    int fd = config->incoming_fd;
    int rc;

    if (config->incoming_file)
        fd = open(config->incoming_file, O_RDONLY | O_CLOEXEC);
    else if (fd < 0)
        return 0;
    if (fd < 0) {
        log_error("%s: %s", from, strerror(errno));
        return -errno;
    }
    rc = life_load(dm, fd, err);
    close(fd);
    if (rc)
        log_error("%s: %s", from, err);
    else
        dm->run_state = QMP_STATE_PAUSED;
    return rc;
}

/* ---- all of it ------------------------------------------------------------------------------ */

struct stage {
    const char *name;
    int (*up)(struct dm *dm);
    void (*down)(struct dm *dm); /* also after a failed up */
};

static const struct stage stages[] = {
    {"services", services_up, services_down},
    {"xen", xen_up, xen_down},
    {"open", open_up, open_down},
    {"server", server_up, server_down},
    {"machine", machine_up, machine_down},
    {"load", load_up, NULL},
    {"announce", traditional_up, traditional_down},
    {"viewers", frontend_ready, NULL},
    {"seal", seal, NULL},
};

#define STAGES (sizeof(stages) / sizeof(stages[0]))

/*
 * Buffers of disk requests come and go: from the heap, which keeps its pages, and not from mappings
 * that would have to be made and filled each time.
 */
static void allocate_for_speed(void)
{
    mallopt(M_MMAP_THRESHOLD, 512 << 10);
    mallopt(M_TRIM_THRESHOLD, 512 << 10);
    mallopt(M_TOP_PAD, 128 << 10);
}

int dm_run(struct config *config)
{
    struct dm *dm = calloc(1, sizeof(*dm));
    size_t reached = 0;
    int status = 1;
    int rc = 0;

    if (!dm) {
        log_error("out of memory");
        return 1;
    }
    dm->config = config;
    inherited_note(&dm->inherited);
    if (config->traditional && traditional_complete(config)) {
        free(dm);
        return 1;
    }
    while (reached < STAGES && !rc) {
        rc = stages[reached].up(dm);
        reached++;
    }
    allocate_for_speed();
    if (!rc && !config->start_paused)
        rc = life_cont(dm);
    if (!rc) {
        frontend_go(dm);
        life_watch(dm);
        status = loop_run(dm->env.loop);
    } else {
        log_error("domain %u: start-up failed in stage \"%s\"", config->domid,
                  stages[reached - 1].name);
    }
    while (reached--)
        if (stages[reached].down)
            stages[reached].down(dm);
    free(dm);
    return status;
}
