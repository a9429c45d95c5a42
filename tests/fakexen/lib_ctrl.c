/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libxenctrl.so.4.17 as far as the peer uses it; PCI passthrough is not there and says so. */
#include <stdlib.h>
#include "lib.h"
#include "lib_ctrl.h"

void *xc_interface_open(void *logger, void *dombuild_logger, unsigned open_flags)
{
    struct hv_view *v = lib_view();
    int rc = v ? hv_fault(v, __func__) : -errno;

    if (rc) {
        errno = -rc;
        return NULL;
    }
    return calloc(1, 1);
}

int xc_interface_close(void *xch)
{
    free(xch);
    return 0;
}

int xc_domain_populate_physmap_exact(void *xch, uint32_t domid, unsigned long nr_extents,
                                     unsigned int extent_order, unsigned int mem_flags,
                                     uint64_t *extent_start)
{
    long done;

    if (lib_restricted())
        return lib_result(-ENOTTY);
    done = lib_populate(domid, nr_extents, extent_order, extent_start, "populate_physmap");
    if (done >= 0 && (unsigned long)done != nr_extents)
        done = -EBUSY;
    return lib_result(done < 0 ? (int)done : 0);
}

int xc_get_hvm_param(void *xch, uint32_t domid, int param, unsigned long *value)
{
    uint64_t wide = 0;
    long rc = lib_restricted() ? -ENOTTY : lib_param_get(domid, (uint32_t)param, &wide);

    if (!rc)
        *value = wide;
    return lib_result((int)rc);
}

int xc_set_hvm_param(void *xch, uint32_t domid, int param, unsigned long value)
{
    return lib_result(lib_restricted() ? -ENOTTY
                                       : (int)lib_param_set(domid, (uint32_t)param, value));
}

int xc_domain_shutdown(void *xch, uint32_t domid, int reason)
{
    int rc = lib_restricted() ? -ENOTTY : lib_enter(__func__, domid);

    return lib_result(rc ? rc : (int)lib_shutdown(domid, (uint32_t)reason));
}

int xc_domain_bind_pt_pci_irq(void *xch, uint32_t domid, uint8_t irq, uint8_t bus, uint8_t device,
                              uint8_t intx)
{
    return lib_result(-ENOSYS);
}

int xc_domain_iomem_permission(void *xch, uint32_t domid, unsigned long first, unsigned long nr,
                               uint8_t allow)
{
    return lib_result(-ENOSYS);
}

int xc_domain_ioport_mapping(void *xch, uint32_t domid, uint32_t gport, uint32_t mport, uint32_t nr,
                             uint32_t add)
{
    return lib_result(-ENOSYS);
}

int xc_domain_memory_mapping(void *xch, uint32_t domid, unsigned long gfn, unsigned long mfn,
                             unsigned long nr, uint32_t add)
{
    return lib_result(-ENOSYS);
}

int xc_domain_unbind_msi_irq(void *xch, uint32_t domid, uint32_t gvec, uint32_t pirq,
                             uint32_t gflags)
{
    return lib_result(-ENOSYS);
}

int xc_domain_unbind_pt_irq(void *xch, uint32_t domid, uint8_t irq, uint8_t type, uint8_t bus,
                            uint8_t device, uint8_t intx, uint8_t isa_irq)
{
    return lib_result(-ENOSYS);
}

int xc_domain_update_msi_irq(void *xch, uint32_t domid, uint32_t gvec, uint32_t pirq,
                             uint32_t gflags, uint64_t gtable)
{
    return lib_result(-ENOSYS);
}

int xc_physdev_map_pirq(void *xch, uint32_t domid, int index, int *pirq)
{
    return lib_result(-ENOSYS);
}

int xc_physdev_map_pirq_msi(void *xch, uint32_t domid, int index, int *pirq, int devfn, int bus,
                            int entry_nr, uint64_t table_base)
{
    return lib_result(-ENOSYS);
}

int xc_physdev_unmap_pirq(void *xch, uint32_t domid, int pirq)
{
    return lib_result(-ENOSYS);
}
