/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Interrupt lines: one bit per source, an assertion count per global interrupt, PCI links routed to
 * ISA lines. */
#include <errno.h>
#include <unistd.h>
#include "hv.h"

static void tell(struct hv_view *v)
{
    const uint64_t one = 1;

    if (v->hv->irq_watch && v->irq_fd >= 0 && write(v->irq_fd, &one, sizeof one) < 0)
        return;
}

static void gsi_change(struct hv_view *v, uint32_t gsi, bool up)
{
    uint16_t *count = &v->hv->gsi[gsi];

    if (up ? (*count)++ == 0 : *count && --*count == 0)
        hv_log(v, HV_REC_GSI, 0, gsi, up, 0, 0, 0);
}

int hv_isa(struct hv_view *v, uint32_t irq, uint32_t level)
{
    struct hv *hv = v->hv;

    if (irq > 15 || level > 1)
        return -EINVAL;
    if (hv->isa[irq] == level)
        return 0;
    hv->isa[irq] = (uint8_t)level;
    hv_log(v, HV_REC_ISA, 0, irq, level, 0, 0, 0);
    gsi_change(v, irq ? irq : 2, level);
    tell(v);
    return 0;
}

int hv_intx(struct hv_view *v, uint32_t dev, uint32_t pin, uint32_t level)
{
    struct hv *hv = v->hv;
    uint32_t link = (dev + pin) & 3;

    if (dev > 31 || pin > 3 || level > 1)
        return -EINVAL;
    if (hv->intx[dev][pin] == level)
        return 0;
    hv->intx[dev][pin] = (uint8_t)level;
    hv_log(v, HV_REC_INTX, 0, dev, pin, level, 0, 0);
    gsi_change(v, 16 + ((dev * 4 + dev / 8 + pin) & 31), level);
    if (level ? hv->link_count[link]++ == 0 : --hv->link_count[link] == 0)
        if (hv->link[link])
            gsi_change(v, hv->link[link], level);
    tell(v);
    return 0;
}

int hv_link(struct hv_view *v, uint32_t link, uint32_t irq)
{
    struct hv *hv = v->hv;

    if (link > 3 || irq > 15)
        return -EINVAL;
    hv_log(v, HV_REC_LINK, 0, link, irq, 0, 0, 0);
    if (hv->link_count[link] && hv->link[link])
        gsi_change(v, hv->link[link], false);
    hv->link[link] = (uint8_t)irq;
    if (hv->link_count[link] && irq)
        gsi_change(v, irq, true);
    tell(v);
    return 0;
}

/* A line that something other than the device model drives, for tests of sharing. */
int hv_gsi_extra(struct hv_view *v, uint32_t gsi, uint32_t level)
{
    if (gsi > 63 || level > 1)
        return -EINVAL;
    if (v->hv->extra_gsi[gsi] == level)
        return 0;
    v->hv->extra_gsi[gsi] = (uint8_t)level;
    gsi_change(v, gsi, level);
    return 0;
}
