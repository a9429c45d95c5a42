/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Needs beyond the stable libraries' wrappers go through libxencall: memory_op, hvm_op and their
 * structures are public, append-only interfaces (unlike domctl), so this works on every release.
 * Functions newer than the oldest library that is to do are looked up at run time.
 */
/* The part of the public headers that is meant for the toolstack's side. */
#define __XEN_TOOLS__ 1

#include "xen/xenif.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <xentoolcore.h>

#include <xen/xen.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/ioreq.h>
#include <xen/hvm/params.h>
#include <xen/memory.h>

#include "xen/xen_handles.h"

#define PAGE_BYTES 4096u

/* The hypervisor counts the frames of one relocation in 16 bits and drops the rest silently. */
#define RELOCATE_MAX 0xf000u
/* Frames named in one populate or decrease call: a page of the hypercall buffer. */
#define EXTENTS_MAX (PAGE_BYTES / sizeof(uint64_t))
/* Of a page of 2 MiB. */
#define LARGE_ORDER 9

int xen_open(struct xen **out, unsigned domid, char *err, size_t err_size)
{
    struct xen *xen = calloc(1, sizeof(*xen));
    const char *what = NULL;
    int rc;

    if (!xen)
        return -ENOMEM;
    xen->domid = (domid_t)domid;
    errno = 0;
    if (!(xen->dmod = xendevicemodel_open(NULL, 0)))
        what = "the device model interface (/dev/xen/privcmd)";
    else if (!(xen->fmem = xenforeignmemory_open(NULL, 0)))
        what = "the foreign memory interface (/dev/xen/privcmd)";
    else if (!(xen->evtchn = xenevtchn_open(NULL, 0)))
        what = "event channels (/dev/xen/evtchn)";
    else if (!(xen->call = xencall_open(NULL, 0)))
        what = "the hypercall interface (/dev/xen/hypercall or privcmd)";
    else if (!(xen->store = xs_open(0)))
        what = "xenstore";
    /* One event at a time is read, and only when there is one: never wait for it. */
    else if (fcntl(xenevtchn_fd(xen->evtchn), F_SETFL, O_NONBLOCK))
        what = "event channels without waiting";
    if (what) {
        rc = errno ? -errno : -EIO;
        snprintf(err, err_size, "cannot open %s: %s", what, strerror(-rc));
        xen_close(xen);
        return rc;
    }
    *(void **)&xen->nr_vcpus = dlsym(RTLD_DEFAULT, "xendevicemodel_nr_vcpus");
    *out = xen;
    return 0;
}

int xen_open_store(struct xen **out, unsigned domid)
{
    struct xen *xen = calloc(1, sizeof(*xen));

    if (!xen)
        return -ENOMEM;
    xen->domid = (domid_t)domid;
    errno = 0;
    xen->store = xs_open(0);
    if (!xen->store) {
        int rc = errno ? -errno : -EIO;

        free(xen);
        return rc;
    }
    *out = xen;
    return 0;
}

void xen_close(struct xen *xen)
{
    if (!xen)
        return;
    /*
     * The connection to xenstore is left to the end of the process: closing one that has a watch
     * cancels a thread, for which the C library loads another library, which may be out of reach
     * (-chroot) and then ends the process by abort().
     */
    if (xen->store && !xen->watching)
        xs_close(xen->store);
    if (xen->call)
        xencall_close(xen->call);
    if (xen->pv_evtchn)
        xenevtchn_close(xen->pv_evtchn);
    if (xen->gnttab)
        xengnttab_close(xen->gnttab);
    if (xen->evtchn)
        xenevtchn_close(xen->evtchn);
    if (xen->fmem)
        xenforeignmemory_close(xen->fmem);
    if (xen->dmod)
        xendevicemodel_close(xen->dmod);
    free(xen);
}

unsigned xen_domid(const struct xen *xen)
{
    return xen->domid;
}

int xen_restrict(struct xen *xen)
{
    return xen_result(xentoolcore_restrict_all(xen->domid));
}

/* ---- ioreq server --------------------------------------------------------------------------- */

int xen_ioreq_create(struct xen *xen, uint16_t *id)
{
    ioservid_t server = 0;
    int rc = xendevicemodel_create_ioreq_server(xen->dmod, xen->domid, HVM_IOREQSRV_BUFIOREQ_ATOMIC,
                                                &server);

    *id = server;
    return xen_result(rc);
}

int xen_ioreq_destroy(struct xen *xen, uint16_t id)
{
    return xen_result(xendevicemodel_destroy_ioreq_server(xen->dmod, xen->domid, id));
}

static int ring_port(struct xen *xen, uint16_t id, uint32_t *port)
{
    evtchn_port_t p = 0;
    /* Without gfns: asking for them makes the hypervisor take frames out of the guest. */
    int rc = xendevicemodel_get_ioreq_server_info(xen->dmod, xen->domid, id, NULL, NULL, &p);

    *port = p;
    return xen_result(rc);
}

static int map_by_gfn(struct xen *xen, uint16_t id, struct xen_ioreq_pages *pages)
{
    xen_pfn_t slots, ring;
    evtchn_port_t port = 0;

    if (xendevicemodel_get_ioreq_server_info(xen->dmod, xen->domid, id, &slots, &ring, &port))
        return -errno;
    pages->slots =
        xenforeignmemory_map(xen->fmem, xen->domid, PROT_READ | PROT_WRITE, 1, &slots, NULL);
    if (!pages->slots)
        return -errno;
    pages->ring =
        xenforeignmemory_map(xen->fmem, xen->domid, PROT_READ | PROT_WRITE, 1, &ring, NULL);
    if (!pages->ring) {
        int rc = -errno;

        xenforeignmemory_unmap(xen->fmem, pages->slots, 1);
        return rc;
    }
    pages->ring_port = port;
    pages->by_gfn = true;
    return 0;
}

int xen_ioreq_map(struct xen *xen, uint16_t id, struct xen_ioreq_pages *pages)
{
    void *addr = NULL;
    xenforeignmemory_resource_handle *res;
    int rc;

    *pages = (struct xen_ioreq_pages){0};
    res = xenforeignmemory_map_resource(xen->fmem, xen->domid, XENMEM_resource_ioreq_server, id,
                                        XENMEM_resource_ioreq_server_frame_bufioreq, 2, &addr,
                                        PROT_READ | PROT_WRITE, 0);
    if (!res)
        return errno == EOPNOTSUPP || errno == ENOSYS ? map_by_gfn(xen, id, pages) : -errno;
    pages->resource = res;
    pages->ring = addr;
    pages->slots = (uint8_t *)addr + PAGE_BYTES;
    rc = ring_port(xen, id, &pages->ring_port);
    if (rc)
        xen_ioreq_unmap(xen, pages);
    return rc;
}

void xen_ioreq_unmap(struct xen *xen, struct xen_ioreq_pages *pages)
{
    if (pages->by_gfn) {
        xenforeignmemory_unmap(xen->fmem, pages->slots, 1);
        xenforeignmemory_unmap(xen->fmem, pages->ring, 1);
    } else if (pages->resource) {
        xenforeignmemory_unmap_resource(xen->fmem, pages->resource);
    }
    *pages = (struct xen_ioreq_pages){0};
}

int xen_ioreq_enable(struct xen *xen, uint16_t id, bool enable)
{
    return xen_result(xendevicemodel_set_ioreq_server_state(xen->dmod, xen->domid, id, enable));
}

int xen_ioreq_claim(struct xen *xen, uint16_t id, bool memory, uint64_t start, uint64_t end)
{
    return xen_result(
        xendevicemodel_map_io_range_to_ioreq_server(xen->dmod, xen->domid, id, memory, start, end));
}

int xen_ioreq_release(struct xen *xen, uint16_t id, bool memory, uint64_t start, uint64_t end)
{
    return xen_result(xendevicemodel_unmap_io_range_from_ioreq_server(xen->dmod, xen->domid, id,
                                                                      memory, start, end));
}

int xen_ioreq_claim_pci(struct xen *xen, uint16_t id, uint8_t devfn)
{
    return xen_result(xendevicemodel_map_pcidev_to_ioreq_server(xen->dmod, xen->domid, id, 0, 0,
                                                                devfn >> 3, devfn & 7));
}

int xen_ioreq_release_pci(struct xen *xen, uint16_t id, uint8_t devfn)
{
    return xen_result(xendevicemodel_unmap_pcidev_from_ioreq_server(xen->dmod, xen->domid, id, 0, 0,
                                                                    devfn >> 3, devfn & 7));
}

int xen_nr_vcpus(struct xen *xen, unsigned *n)
{
    if (!xen->nr_vcpus)
        return -ENOSYS;
    return xen_result(xen->nr_vcpus(xen->dmod, xen->domid, n));
}

/* ---- event channels ------------------------------------------------------------------------- */

int xen_evtchn_fd(struct xen *xen)
{
    return xenevtchn_fd(xen->evtchn);
}

int xen_evtchn_bind(struct xen *xen, uint32_t remote_port)
{
    return xen_result(xenevtchn_bind_interdomain(xen->evtchn, xen->domid, remote_port));
}

int xen_evtchn_unbind(struct xen *xen, uint32_t port)
{
    return xen_result(xenevtchn_unbind(xen->evtchn, port));
}

int xen_evtchn_pending(struct xen *xen)
{
    return xen_result(xenevtchn_pending(xen->evtchn));
}

int xen_evtchn_unmask(struct xen *xen, uint32_t port)
{
    return xen_result(xenevtchn_unmask(xen->evtchn, port));
}

int xen_evtchn_notify(struct xen *xen, uint32_t port)
{
    return xen_result(xenevtchn_notify(xen->evtchn, port));
}

/* ---- interrupts ----------------------------------------------------------------------------- */

int xen_set_isa_irq(struct xen *xen, uint8_t irq, bool level)
{
    return xen_result(xendevicemodel_set_isa_irq_level(xen->dmod, xen->domid, irq, level));
}

int xen_set_pci_intx(struct xen *xen, uint8_t device, uint8_t pin, bool level)
{
    return xen_result(
        xendevicemodel_set_pci_intx_level(xen->dmod, xen->domid, 0, 0, device, pin, level));
}

int xen_set_pci_link_route(struct xen *xen, uint8_t link, uint8_t irq)
{
    return xen_result(xendevicemodel_set_pci_link_route(xen->dmod, xen->domid, link, irq));
}

/* ---- memory --------------------------------------------------------------------------------- */

void *xen_map_frames(struct xen *xen, const uint64_t *gfns, size_t n, int *err)
{
    return xenforeignmemory_map(xen->fmem, xen->domid, PROT_READ | PROT_WRITE, n, gfns, err);
}

void xen_unmap_frames(struct xen *xen, void *addr, size_t n)
{
    xenforeignmemory_unmap(xen->fmem, addr, n);
}

int xen_modified(struct xen *xen, uint64_t first_gfn, uint64_t n)
{
    return xen_result(
        xendevicemodel_modified_memory(xen->dmod, xen->domid, first_gfn, (uint32_t)n));
}

/*
 * One of the two reservation commands, on as many extents of 2^order frames as one buffer names at
 * a time. Moves *first_gfn and *n behind what has been done.
 */
static int reservation(struct xen *xen, unsigned cmd, unsigned order, uint64_t *first_gfn,
                       uint64_t *n)
{
    uint64_t most = *n >> order < EXTENTS_MAX ? *n >> order : EXTENTS_MAX;
    struct xen_memory_reservation *arg = xencall_alloc_buffer(xen->call, sizeof(*arg));
    uint64_t *gfns = xencall_alloc_buffer(xen->call, most * sizeof(*gfns));
    int rc = arg && gfns ? 0 : -ENOMEM;

    while (*n >> order && !rc) {
        uint64_t batch = *n >> order < most ? *n >> order : most;
        int done;

        for (uint64_t i = 0; i < batch; i++)
            gfns[i] = *first_gfn + (i << order);
        memset(arg, 0, sizeof(*arg));
        set_xen_guest_handle(arg->extent_start, gfns);
        arg->nr_extents = batch;
        arg->extent_order = order;
        arg->domid = xen->domid;
        done = xencall2(xen->call, __HYPERVISOR_memory_op, cmd, (uintptr_t)arg);
        if (done < 0)
            rc = -errno;
        else if (done == 0)
            rc = -ENOMEM;
        else {
            uint64_t frames = ((uint64_t)done < batch ? (uint64_t)done : batch) << order;

            *first_gfn += frames;
            *n -= frames;
        }
    }
    if (arg)
        xencall_free_buffer(xen->call, arg);
    if (gfns)
        xencall_free_buffer(xen->call, gfns);
    return rc;
}

int xen_populate(struct xen *xen, uint64_t first_gfn, uint64_t n)
{
    /* Large pages while there are some: fewer of them, and faster ones for the guest. */
    if (n >> LARGE_ORDER && (first_gfn & ((UINT64_C(1) << LARGE_ORDER) - 1)) == 0)
        reservation(xen, XENMEM_populate_physmap, LARGE_ORDER, &first_gfn, &n);
    return n ? reservation(xen, XENMEM_populate_physmap, 0, &first_gfn, &n) : 0;
}

int xen_depopulate(struct xen *xen, uint64_t first_gfn, uint64_t n)
{
    return n ? reservation(xen, XENMEM_decrease_reservation, 0, &first_gfn, &n) : 0;
}

int xen_relocate(struct xen *xen, uint64_t src_gfn, uint64_t dst_gfn, uint64_t n)
{
    while (n) {
        uint32_t batch = n < RELOCATE_MAX ? (uint32_t)n : RELOCATE_MAX;

        if (xendevicemodel_relocate_memory(xen->dmod, xen->domid, batch, src_gfn, dst_gfn))
            return -errno;
        src_gfn += batch;
        dst_gfn += batch;
        n -= batch;
    }
    return 0;
}

int xen_pin_write_back(struct xen *xen, uint64_t first_gfn, uint64_t last_gfn, bool on)
{
    /* The values of the hypervisor's interface: x86 memory type write-back, or "delete". */
    const uint32_t write_back = 6, none = UINT32_MAX;

    return xen_result(xendevicemodel_pin_memory_cacheattr(xen->dmod, xen->domid, first_gfn,
                                                          last_gfn, on ? write_back : none));
}

int xen_track_dirty(struct xen *xen, uint64_t first_gfn, uint32_t n, void *bitmap)
{
    return xen_result(xendevicemodel_track_dirty_vram(xen->dmod, xen->domid, first_gfn, n, bitmap));
}

int xen_set_read_only(struct xen *xen, uint64_t first_gfn, uint64_t n, bool read_only)
{
    return xen_result(xendevicemodel_set_mem_type(
        xen->dmod, xen->domid, read_only ? HVMMEM_ram_ro : HVMMEM_ram_rw, first_gfn, (uint32_t)n));
}

/* ---- the domain ----------------------------------------------------------------------------- */

int xen_shutdown(struct xen *xen, enum xen_shutdown reason)
{
    return xen_result(xendevicemodel_shutdown(xen->dmod, xen->domid, reason));
}

/* `op` is HVMOP_set_param or HVMOP_get_param. */
static int s_state_op(struct xen *xen, unsigned op, uint64_t *value)
{
    struct xen_hvm_param *arg = xencall_alloc_buffer(xen->call, sizeof(*arg));
    int rc;

    if (!arg)
        return -ENOMEM;
    memset(arg, 0, sizeof(*arg));
    arg->domid = xen->domid;
    arg->index = HVM_PARAM_ACPI_S_STATE;
    arg->value = *value;
    rc = xen_result(xencall2(xen->call, __HYPERVISOR_hvm_op, op, (uintptr_t)arg));
    *value = arg->value;
    xencall_free_buffer(xen->call, arg);
    return rc;
}

int xen_set_s_state(struct xen *xen, unsigned s_state)
{
    uint64_t value = s_state;

    return s_state_op(xen, HVMOP_set_param, &value);
}

int xen_get_s_state(struct xen *xen)
{
    uint64_t value = 0;
    int rc = s_state_op(xen, HVMOP_get_param, &value);

    return rc < 0 ? rc : (int)value;
}

/* ---- xenstore ------------------------------------------------------------------------------- */

int xen_store_write(struct xen *xen, const char *path, const char *value)
{
    return xs_write(xen->store, XBT_NULL, path, value, (unsigned)strlen(value)) ? 0 : -errno;
}

int xen_store_remove(struct xen *xen, const char *path)
{
    return xs_rm(xen->store, XBT_NULL, path) || errno == ENOENT ? 0 : -errno;
}

char *xen_store_read(struct xen *xen, const char *path)
{
    unsigned len;

    return xs_read(xen->store, XBT_NULL, path, &len); /* the library ends it with a NUL */
}

char **xen_store_directory(struct xen *xen, const char *path, unsigned *count)
{
    return xs_directory(xen->store, XBT_NULL, path, count);
}

int xen_store_watch(struct xen *xen, const char *path, const char *token)
{
    xen->watching = true;
    return xs_watch(xen->store, path, token) ? 0 : -errno;
}

int xen_store_unwatch(struct xen *xen, const char *path, const char *token)
{
    return xs_unwatch(xen->store, path, token) ? 0 : -errno;
}

int xen_store_fd(struct xen *xen)
{
    return xs_fileno(xen->store);
}

int xen_store_next(struct xen *xen, char *token, size_t size)
{
    char **event = xs_check_watch(xen->store);

    if (!event)
        return -(errno ? errno : EAGAIN);
    snprintf(token, size, "%s", event[XS_WATCH_TOKEN]);
    free(event);
    return 0;
}

bool xen_domain_exists(struct xen *xen)
{
    return xs_is_domain_introduced(xen->store, xen->domid);
}
