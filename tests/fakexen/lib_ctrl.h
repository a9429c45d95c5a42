/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The few functions of libxenctrl.so.4.17 that Debian 12's qemu-system-xen calls, with their binary
 * interface. Declared here because xenctrl.h of another Xen release declares them differently. The
 * handle is opaque.
 */
#ifndef FAKEXEN_LIB_CTRL_H
#define FAKEXEN_LIB_CTRL_H

#include <stdint.h>

void *xc_interface_open(void *logger, void *dombuild_logger, unsigned open_flags);
int xc_interface_close(void *xch);
int xc_domain_populate_physmap_exact(void *xch, uint32_t domid, unsigned long nr_extents,
                                     unsigned int extent_order, unsigned int mem_flags,
                                     uint64_t *extent_start);
int xc_get_hvm_param(void *xch, uint32_t domid, int param, unsigned long *value);
int xc_set_hvm_param(void *xch, uint32_t domid, int param, unsigned long value);
int xc_domain_shutdown(void *xch, uint32_t domid, int reason);
int xc_domain_bind_pt_pci_irq(void *xch, uint32_t domid, uint8_t irq, uint8_t bus, uint8_t device,
                              uint8_t intx);
int xc_domain_iomem_permission(void *xch, uint32_t domid, unsigned long first, unsigned long nr,
                               uint8_t allow);
int xc_domain_ioport_mapping(void *xch, uint32_t domid, uint32_t gport, uint32_t mport, uint32_t nr,
                             uint32_t add);
int xc_domain_memory_mapping(void *xch, uint32_t domid, unsigned long gfn, unsigned long mfn,
                             unsigned long nr, uint32_t add);
int xc_domain_unbind_msi_irq(void *xch, uint32_t domid, uint32_t gvec, uint32_t pirq,
                             uint32_t gflags);
int xc_domain_unbind_pt_irq(void *xch, uint32_t domid, uint8_t irq, uint8_t type, uint8_t bus,
                            uint8_t device, uint8_t intx, uint8_t isa_irq);
int xc_domain_update_msi_irq(void *xch, uint32_t domid, uint32_t gvec, uint32_t pirq,
                             uint32_t gflags, uint64_t gtable);
int xc_physdev_map_pirq(void *xch, uint32_t domid, int index, int *pirq);
int xc_physdev_map_pirq_msi(void *xch, uint32_t domid, int index, int *pirq, int devfn, int bus,
                            int entry_nr, uint64_t table_base);
int xc_physdev_unmap_pirq(void *xch, uint32_t domid, int pirq);

#endif
