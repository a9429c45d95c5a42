/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The simulated hypervisor's core: its lock, its memory of what was asked (the record ring), and
 * ordered failures. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include "hv.h"
#include <xen/hvm/params.h>

void hv_lock(struct hv *hv)
{
    /* The state is consistent enough after a kill: every change is a few stores, and Xen would not
     * have noticed. */
    if (pthread_mutex_lock(&hv->lock) == EOWNERDEAD)
        pthread_mutex_consistent(&hv->lock);
}

void hv_unlock(struct hv *hv)
{
    pthread_mutex_unlock(&hv->lock);
}

static void fill(struct hv *hv, uint64_t first, uint64_t end)
{
    for (uint64_t gfn = first; gfn < end; gfn++) {
        hv->physmap[gfn] = hv_alloc_frame(hv);
        hv->tot_pages++;
        if (gfn > hv->max_gfn)
            hv->max_gfn = gfn;
    }
}

/*
 * Builds the domain as the toolstack would have left it: RAM with the VGA hole, RAM above 4 GiB for
 * what does not fit below 0xf0000000, the legacy ioreq frames and the special pages.
 */
void hv_init(struct hv *hv, uint32_t domid, uint32_t nr_vcpus, uint64_t ram_bytes,
             uint64_t video_bytes, uint64_t nr_gfns, uint64_t nr_mfns, uint32_t size)
{
    pthread_mutexattr_t attr;
    const uint64_t low_limit = 0xf0000, hole = 0x100000;
    uint64_t frames = ram_bytes / HV_PAGE, low = frames < low_limit ? frames : low_limit;

    hv->magic = HV_MAGIC;
    hv->size = size;
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&hv->lock, &attr);
    pthread_mutexattr_destroy(&attr);

    hv->domid = domid;
    hv->nr_vcpus = nr_vcpus;
    hv->nr_gfns = nr_gfns;
    hv->nr_mfns = nr_mfns;
    hv->next_mfn = 1;
    hv->max_pages = UINT64_MAX;
    fill(hv, 0, low < 0xa0 ? low : 0xa0);
    hv->next_mfn = 0xc1; /* keeps mfn = gfn + 1 over the hole: RAM is one piece of the file */
    if (low > 0xc0)
        fill(hv, 0xc0, low);
    if (frames > low)
        fill(hv, hole, hole + frames - low);
    fill(hv, HV_LEGACY_GFN, 0xff000); /* and the special pages behind them */
    hv->max_pages =
        hv->tot_pages + video_bytes / HV_PAGE + 256; /* 1 MiB of slack, as libxl grants */
    hv->param[HVM_PARAM_STORE_PFN] = 0xfeffc;
    hv->param[HVM_PARAM_CONSOLE_PFN] = 0xfefff;
    hv->param[HVM_PARAM_IOREQ_SERVER_PFN] = HV_LEGACY_GFN;
    hv->param[HVM_PARAM_NR_IOREQ_SERVER_PAGES] = HV_LEGACY_PAGES;
    hv->param[HVM_PARAM_ACPI_IOPORTS_LOCATION] = 1; /* as after hvmloader */
}

/*
 * Counts requests that the device model has not answered, so that a record shows what it overtook.
 */
static void look_in_flight(struct hv_view *v, struct hv_record *r)
{
    const struct hv *hv = v->hv;

    for (int id = 0; id < HV_SERVERS; id++) {
        const struct hv_server *s = &hv->server[id];

        if (!s->exists || !s->enabled || !s->sync_mfn)
            continue;
        if (v->slots_mfn[id] != s->sync_mfn) {
            void *p = mmap(NULL, HV_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, v->frames_fd,
                           (off_t)s->sync_mfn * HV_PAGE);
            if (p == MAP_FAILED)
                continue;
            if (v->slots[id])
                munmap(v->slots[id], HV_PAGE);
            v->slots[id] = p;
            v->slots_mfn[id] = s->sync_mfn;
        }
        for (uint32_t i = 0; i < hv->nr_vcpus; i++) {
            const volatile ioreq_t *slot = &v->slots[id]->vcpu_ioreq[i];
            unsigned int state = slot->state;

            if (state != STATE_IOREQ_READY && state != STATE_IOREQ_INPROCESS)
                continue;
            if (!r->in_flight)
                r->state = (uint16_t)state;
            r->in_flight++;
        }
    }
}

void hv_log(struct hv_view *v, enum hv_record_kind kind, int result, uint64_t a, uint64_t b,
            uint64_t c, uint64_t d, uint64_t e)
{
    struct hv *hv = v->hv;
    struct hv_record *r = &hv->record[hv->records % HV_RECORDS];

    *r = (struct hv_record){
        .kind = (uint16_t)kind, .result = (int16_t)result, .arg = {a, b, c, d, e}};
    if (kind == HV_REC_SHUTDOWN || kind == HV_REC_LINK || kind == HV_REC_PARAM ||
        kind == HV_REC_MODIFIED)
        look_in_flight(v, r);
    r->number = ++hv->records;
}

int hv_fault(struct hv_view *v, const char *name)
{
    struct hv *hv = v->hv;
    int error = 0;

    if (!__atomic_load_n(&hv->nr_faults, __ATOMIC_ACQUIRE))
        return 0;
    hv_lock(hv);
    for (uint32_t i = 0; i < HV_FAULTS && !error; i++) {
        struct hv_fault *f = &hv->fault[i];

        if (!f->times || strcmp(f->name, name))
            continue;
        if (f->skip) {
            f->skip--;
            continue;
        }
        error = f->error;
        if (f->times != UINT32_MAX && !--f->times)
            hv->nr_faults--;
        hv_log(v, HV_REC_FAULT, -error, i, 0, 0, 0, 0);
    }
    hv_unlock(hv);
    return -error;
}

int hv_enter(struct hv_view *v, const char *name, uint32_t domid)
{
    int error = hv_fault(v, name);

    if (error)
        return error;
    if (domid != v->hv->domid || v->hv->dying)
        return -ESRCH;
    return 0;
}

int hv_format(const struct hv_record *r, char *text, size_t size)
{
    static const char *const format[HV_REC_KINDS] = {
        [HV_REC_SERVER_CREATE] = "server-create id=%llu bufioreq=%llu",
        [HV_REC_SERVER_DESTROY] = "server-destroy id=%llu",
        [HV_REC_SERVER_STATE] = "server-state id=%llu enabled=%llu",
        [HV_REC_MAP] = "map id=%llu space=%llu first=0x%llx last=0x%llx",
        [HV_REC_UNMAP] = "unmap id=%llu space=%llu first=0x%llx last=0x%llx",
        [HV_REC_ISA] = "isa irq=%llu level=%llu",
        [HV_REC_INTX] = "intx dev=%llu pin=%llu level=%llu",
        [HV_REC_GSI] = "gsi line=%llu level=%llu",
        [HV_REC_LINK] = "link link=%llu irq=%llu",
        [HV_REC_MSI] = "msi addr=0x%llx data=0x%llx",
        [HV_REC_SHUTDOWN] = "shutdown reason=%llu",
        [HV_REC_POPULATE] = "populate gfn=0x%llx nr=%llu done=%llu",
        [HV_REC_DECREASE] = "decrease gfn=0x%llx nr=%llu done=%llu",
        [HV_REC_RELOCATE] = "relocate nr=%llu from=0x%llx to=0x%llx",
        [HV_REC_PIN] = "pin first=0x%llx last=0x%llx type=%llu",
        [HV_REC_UNPIN] = "unpin first=0x%llx last=0x%llx",
        [HV_REC_MEM_TYPE] = "mem-type type=%llu first=0x%llx nr=%llu",
        [HV_REC_TRACK] = "track-dirty first=0x%llx nr=%llu",
        [HV_REC_MODIFIED] = "modified first=0x%llx nr=%llu",
        [HV_REC_PARAM] = "param index=%llu value=0x%llx",
        [HV_REC_RESTRICT] = "restrict domid=%llu",
        [HV_REC_RESOURCE] = "map-resource type=%llu id=%llu frame=%llu nr=%llu",
        [HV_REC_BIND] = "bind guest-port=%llu local-port=%llu",
        [HV_REC_FAULT] = "fault number=%llu",
        [HV_REC_BAD] = "bad code=%llu arg=0x%llx",
        [HV_REC_EVENT] = "inject-event vcpu=%llu vector=%llu",
    };
    const char *f = r->kind < HV_REC_KINDS && format[r->kind] ? format[r->kind] : "unknown";
    int n = snprintf(text, size, "%llu ", (unsigned long long)r->number);

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    n += snprintf(text + n, size - (size_t)n, f, (unsigned long long)r->arg[0],
                  (unsigned long long)r->arg[1], (unsigned long long)r->arg[2],
                  (unsigned long long)r->arg[3], (unsigned long long)r->arg[4]);
#pragma GCC diagnostic pop
    n += snprintf(text + n, size - (size_t)n, " result=%d in-flight=%u state=%u", r->result,
                  r->in_flight, r->state);
    return n;
}
