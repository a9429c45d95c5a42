/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libxendevicemodel.so.1: each call is one dm-op of the simulated hypervisor. */
#include <stdlib.h>
#include <xendevicemodel.h>
#include "lib.h"

struct xendevicemodel_handle {
    int unused;
};

/* A dm-op: the checks in front, then `expression` under the lock; rc is the result. */
#define OP(domid, expression)                                                                      \
    struct hv_view *v = lib_view();                                                                \
    int rc = lib_enter(__func__, domid);                                                           \
    if (rc)                                                                                        \
        return lib_result(rc);                                                                     \
    hv_lock(v->hv);                                                                                \
    rc = (expression)

#define DONE                                                                                       \
    hv_unlock(v->hv);                                                                              \
    return lib_result(rc)

xendevicemodel_handle *xendevicemodel_open(struct xentoollog_logger *logger,
                                           unsigned int open_flags)
{
    struct hv_view *v = lib_view();
    int rc = v ? hv_fault(v, __func__) : -errno;

    if (rc) {
        errno = -rc;
        return NULL;
    }
    return calloc(1, sizeof(struct xendevicemodel_handle));
}

int xendevicemodel_close(xendevicemodel_handle *dmod)
{
    free(dmod);
    return 0;
}

int xendevicemodel_create_ioreq_server(xendevicemodel_handle *dmod, domid_t domid,
                                       int handle_bufioreq, ioservid_t *id)
{
    OP(domid, hv_server_create(v, handle_bufioreq, id));
    hv_log(v, HV_REC_SERVER_CREATE, rc, rc ? 0 : *id, (uint64_t)handle_bufioreq, 0, 0, 0);
    DONE;
}

int xendevicemodel_get_ioreq_server_info(xendevicemodel_handle *dmod, domid_t domid, ioservid_t id,
                                         xen_pfn_t *ioreq_gfn, xen_pfn_t *bufioreq_gfn,
                                         evtchn_port_t *bufioreq_port)
{
    uint64_t sync = 0, buf = 0;
    uint32_t port = 0;

    OP(domid, hv_server_info(v, id, ioreq_gfn || bufioreq_gfn, &sync, &buf, &port));
    if (!rc && ioreq_gfn)
        *ioreq_gfn = sync;
    if (!rc && bufioreq_gfn)
        *bufioreq_gfn = buf;
    if (!rc && bufioreq_port)
        *bufioreq_port = port;
    DONE;
}

static int range_call(const char *name, domid_t domid, ioservid_t id, enum hv_space space,
                      uint64_t first, uint64_t last, bool add)
{
    struct hv_view *v = lib_view();
    int rc = lib_enter(name, domid);

    if (rc)
        return lib_result(rc);
    hv_lock(v->hv);
    rc = hv_range_change(v, id, space, first, last, add);
    hv_log(v, add ? HV_REC_MAP : HV_REC_UNMAP, rc, id, space, first, last, 0);
    DONE;
}

int xendevicemodel_map_io_range_to_ioreq_server(xendevicemodel_handle *dmod, domid_t domid,
                                                ioservid_t id, int is_mmio, uint64_t start,
                                                uint64_t end)
{
    return range_call(__func__, domid, id, is_mmio ? HV_MMIO : HV_PIO, start, end, true);
}

int xendevicemodel_unmap_io_range_from_ioreq_server(xendevicemodel_handle *dmod, domid_t domid,
                                                    ioservid_t id, int is_mmio, uint64_t start,
                                                    uint64_t end)
{
    return range_call(__func__, domid, id, is_mmio ? HV_MMIO : HV_PIO, start, end, false);
}

static uint64_t sbdf(uint16_t segment, uint8_t bus, uint8_t device, uint8_t function)
{
    return (uint64_t)segment << 16 | (uint64_t)bus << 8 | (device & 31u) << 3 | (function & 7u);
}

int xendevicemodel_map_pcidev_to_ioreq_server(xendevicemodel_handle *dmod, domid_t domid,
                                              ioservid_t id, uint16_t segment, uint8_t bus,
                                              uint8_t device, uint8_t function)
{
    uint64_t address = sbdf(segment, bus, device, function);

    if (device > 31 || function > 7)
        return lib_result(-EINVAL);
    return range_call(__func__, domid, id, HV_PCI, address, address, true);
}

int xendevicemodel_unmap_pcidev_from_ioreq_server(xendevicemodel_handle *dmod, domid_t domid,
                                                  ioservid_t id, uint16_t segment, uint8_t bus,
                                                  uint8_t device, uint8_t function)
{
    uint64_t address = sbdf(segment, bus, device, function);

    return range_call(__func__, domid, id, HV_PCI, address, address, false);
}

int xendevicemodel_map_mem_type_to_ioreq_server(xendevicemodel_handle *dmod, domid_t domid,
                                                ioservid_t id, uint16_t type, uint32_t flags)
{
    return lib_result(-EOPNOTSUPP);
}

int xendevicemodel_destroy_ioreq_server(xendevicemodel_handle *dmod, domid_t domid, ioservid_t id)
{
    OP(domid, hv_server_destroy(v, id));
    hv_log(v, HV_REC_SERVER_DESTROY, rc, id, 0, 0, 0, 0);
    DONE;
}

int xendevicemodel_set_ioreq_server_state(xendevicemodel_handle *dmod, domid_t domid, ioservid_t id,
                                          int enabled)
{
    OP(domid, hv_server_enable(v, id, enabled != 0));
    hv_log(v, HV_REC_SERVER_STATE, rc, id, enabled != 0, 0, 0, 0);
    DONE;
}

int xendevicemodel_set_pci_intx_level(xendevicemodel_handle *dmod, domid_t domid, uint16_t segment,
                                      uint8_t bus, uint8_t device, uint8_t intx, unsigned int level)
{
    OP(domid, segment || bus ? -EINVAL : hv_intx(v, device, intx, level));
    DONE;
}

int xendevicemodel_set_isa_irq_level(xendevicemodel_handle *dmod, domid_t domid, uint8_t irq,
                                     unsigned int level)
{
    OP(domid, hv_isa(v, irq, level));
    DONE;
}

int xendevicemodel_set_irq_level(xendevicemodel_handle *dmod, domid_t domid, unsigned int irq,
                                 unsigned int level)
{
    return lib_result(-EOPNOTSUPP); /* Arm only */
}

int xendevicemodel_set_pci_link_route(xendevicemodel_handle *dmod, domid_t domid, uint8_t link,
                                      uint8_t irq)
{
    OP(domid, hv_link(v, link, irq));
    DONE;
}

int xendevicemodel_inject_msi(xendevicemodel_handle *dmod, domid_t domid, uint64_t msi_addr,
                              uint32_t msi_data)
{
    OP(domid, 0);
    hv_log(v, HV_REC_MSI, rc, msi_addr, msi_data, 0, 0, 0);
    DONE;
}

int xendevicemodel_track_dirty_vram(xendevicemodel_handle *dmod, domid_t domid, uint64_t first_pfn,
                                    uint32_t nr, unsigned long *dirty_bitmap)
{
    OP(domid,
       nr && !dirty_bitmap ? -EFAULT : hv_track_dirty(v, first_pfn, nr, (uint8_t *)dirty_bitmap));
    hv_log(v, HV_REC_TRACK, rc, first_pfn, nr, 0, 0, 0);
    DONE;
}

int xendevicemodel_modified_memory(xendevicemodel_handle *dmod, domid_t domid, uint64_t first_pfn,
                                   uint32_t nr)
{
    OP(domid, hv_modified(v, first_pfn, nr));
    hv_log(v, HV_REC_MODIFIED, rc, first_pfn, nr, 0, 0, 0);
    DONE;
}

int xendevicemodel_modified_memory_bulk(xendevicemodel_handle *dmod, domid_t domid,
                                        struct xen_dm_op_modified_memory_extent extents[],
                                        uint32_t nr)
{
    OP(domid, 0);
    for (uint32_t i = 0; i < nr && !rc; i++) {
        rc = hv_modified(v, extents[i].first_pfn, extents[i].nr);
        hv_log(v, HV_REC_MODIFIED, rc, extents[i].first_pfn, extents[i].nr, 0, 0, 0);
    }
    DONE;
}

int xendevicemodel_set_mem_type(xendevicemodel_handle *dmod, domid_t domid, hvmmem_type_t mem_type,
                                uint64_t first_pfn, uint32_t nr)
{
    OP(domid, hv_set_mem_type(v, mem_type, first_pfn, nr));
    hv_log(v, HV_REC_MEM_TYPE, rc, mem_type, first_pfn, nr, 0, 0);
    DONE;
}

int xendevicemodel_inject_event(xendevicemodel_handle *dmod, domid_t domid, int vcpu,
                                uint8_t vector, uint8_t type, uint32_t error_code, uint8_t insn_len,
                                uint64_t extra)
{
    OP(domid, 0);
    hv_log(v, HV_REC_EVENT, rc, (uint64_t)vcpu, vector, 0, 0, 0);
    DONE;
}

int xendevicemodel_shutdown(xendevicemodel_handle *dmod, domid_t domid, unsigned int reason)
{
    int rc = lib_enter(__func__, domid);

    return lib_result(rc ? rc : (int)lib_shutdown(domid, reason));
}

int xendevicemodel_relocate_memory(xendevicemodel_handle *dmod, domid_t domid, uint32_t size,
                                   uint64_t src_gfn, uint64_t dst_gfn)
{
    OP(domid, hv_relocate(v, size, src_gfn, dst_gfn));
    hv_log(v, HV_REC_RELOCATE, rc, size, src_gfn, dst_gfn, 0, 0);
    DONE;
}

int xendevicemodel_pin_memory_cacheattr(xendevicemodel_handle *dmod, domid_t domid, uint64_t start,
                                        uint64_t end, uint32_t type)
{
    OP(domid, hv_pin(v, start, end, type));
    hv_log(v, type == UINT32_MAX ? HV_REC_UNPIN : HV_REC_PIN, rc, start, end, type, 0, 0);
    DONE;
}

int xendevicemodel_nr_vcpus(xendevicemodel_handle *dmod, domid_t domid, unsigned int *vcpus)
{
    OP(domid, 0);
    *vcpus = v->hv->nr_vcpus;
    DONE;
}

int xendevicemodel_restrict(xendevicemodel_handle *dmod, domid_t domid)
{
    return lib_result(lib_restrict(domid));
}
