/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Apart from machine.c, so that tests of devices without PCI need not link the bus. */
#include "tests/harness/machine.h"

#include <stdlib.h>

#include "hw/pci/pci.h"

void machine_init_pci(struct machine *m)
{
    machine_init(m);
    if (pci_bus_create(&m->env.pci, &m->env, NULL))
        abort();
}
