/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libxencall.so.1: raw hypercalls with the public structures of Xen. As with real Xen, what an
 * argument points to must lie in memory from xencall_alloc_buffer(), or the call gives EFAULT.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <xencall.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>
#include <xen/memory.h>
#include <xen/sched.h>
#include <xen/version.h>
#include "lib.h"

struct xencall_handle {
    int unused;
};

struct buffer {
    struct buffer *next;
    uint8_t *start;
    size_t bytes;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct buffer *buffers;

enum { MEMOP_CMD_BITS = 6 }; /* the rest of the command word is the extent to go on from */

xencall_handle *xencall_open(struct xentoollog_logger *logger, unsigned open_flags)
{
    struct hv_view *v = lib_view();
    int rc = v ? hv_fault(v, __func__) : -errno;

    if (rc) {
        errno = -rc;
        return NULL;
    }
    return calloc(1, sizeof(struct xencall_handle));
}

int xencall_close(xencall_handle *xcall)
{
    free(xcall);
    return 0;
}

int xencall_fd(xencall_handle *xcall)
{
    return lib_result(-EBADF);
}

int xencall_buffers_never_fault(xencall_handle *xcall)
{
    return 1;
}

void *xencall_alloc_buffer(xencall_handle *xcall, size_t size)
{
    size_t bytes = (size + HV_PAGE - 1) & ~(size_t)(HV_PAGE - 1);
    struct buffer *b = malloc(sizeof *b);
    void *p = mmap(NULL, bytes ? bytes : HV_PAGE, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (!b || p == MAP_FAILED) {
        free(b);
        return NULL;
    }
    *b = (struct buffer){.start = p, .bytes = bytes ? bytes : HV_PAGE};
    pthread_mutex_lock(&mutex);
    b->next = buffers;
    buffers = b;
    pthread_mutex_unlock(&mutex);
    return p;
}

void xencall_free_buffer(xencall_handle *xcall, void *p)
{
    struct buffer **at, *b;

    pthread_mutex_lock(&mutex);
    for (at = &buffers; (b = *at) && b->start != p; at = &b->next)
        ;
    if (b)
        *at = b->next;
    pthread_mutex_unlock(&mutex);
    if (b)
        munmap(b->start, b->bytes);
    free(b);
}

void *xencall_alloc_buffer_pages(xencall_handle *xcall, size_t nr_pages)
{
    return xencall_alloc_buffer(xcall, nr_pages * HV_PAGE);
}

void xencall_free_buffer_pages(xencall_handle *xcall, void *p, size_t nr_pages)
{
    xencall_free_buffer(xcall, p);
}

static bool reachable(const void *p, size_t bytes)
{
    const uint8_t *at = p;
    bool found = false;

    pthread_mutex_lock(&mutex);
    for (struct buffer *b = buffers; b && !found; b = b->next)
        found = at >= b->start && bytes <= b->bytes && (size_t)(at - b->start) <= b->bytes - bytes;
    pthread_mutex_unlock(&mutex);
    return found;
}

/* Populates extents in order and stops at the first that does not fit, as Xen does. Returns the
 * number done. */
long lib_populate(uint32_t domid, uint64_t nr, uint32_t order, const uint64_t *gfns,
                  const char *name)
{
    struct hv_view *v = lib_view();
    int rc = lib_enter(name, domid);
    uint64_t done = 0;

    if (rc)
        return rc;
    hv_lock(v->hv);
    for (; done < nr && !rc; done += !rc)
        rc = hv_populate(v, gfns[done], 1ull << order);
    hv_log(v, HV_REC_POPULATE, rc, nr ? gfns[0] : 0, nr << order, done << order, 0, 0);
    hv_unlock(v->hv);
    return (long)done;
}

static long decrease(uint32_t domid, uint64_t nr, uint32_t order, const uint64_t *gfns)
{
    struct hv_view *v = lib_view();
    int rc = lib_enter("decrease_reservation", domid);
    uint64_t done = 0;

    if (rc)
        return rc;
    hv_lock(v->hv);
    for (; done < nr && !rc; done += !rc)
        for (uint64_t k = 0; k < 1ull << order && !rc; k++)
            rc = hv_remove(v, gfns[done] + k);
    hv_log(v, HV_REC_DECREASE, rc, nr ? gfns[0] : 0, nr, done, 0, 0);
    hv_invalidate_all(v->hv);
    hv_unlock(v->hv);
    return (long)done;
}

long lib_param_set(uint32_t domid, uint32_t index, uint64_t value)
{
    struct hv_view *v = lib_view();
    int rc = lib_enter("hvm_set_param", domid);

    if (!rc && index >= HVM_NR_PARAMS)
        rc = -EINVAL;
    if (rc)
        return rc;
    hv_lock(v->hv);
    v->hv->param[index] = value;
    hv_log(v, HV_REC_PARAM, 0, index, value, 0, 0, 0);
    hv_unlock(v->hv);
    return 0;
}

long lib_param_get(uint32_t domid, uint32_t index, uint64_t *value)
{
    struct hv_view *v = lib_view();
    int rc = lib_enter("hvm_get_param", domid);

    if (!rc && index >= HVM_NR_PARAMS)
        rc = -EINVAL;
    if (!rc)
        *value = v->hv->param[index];
    return rc;
}

long lib_shutdown(uint32_t domid, uint32_t reason)
{
    struct hv_view *v = lib_view();

    hv_lock(v->hv);
    hv_log(v, HV_REC_SHUTDOWN, reason > SHUTDOWN_soft_reset ? -EINVAL : 0, reason, 0, 0, 0, 0);
    if (reason <= SHUTDOWN_soft_reset && !v->hv->shut_down) {
        v->hv->shut_down = 1;
        v->hv->shutdown_reason = reason;
    }
    hv_unlock(v->hv);
    return reason <= SHUTDOWN_soft_reset ? 0 : -EINVAL;
}

static long add_to_physmap(struct xen_add_to_physmap *x)
{
    struct hv_view *v = lib_view();
    int rc = lib_enter("add_to_physmap", x->domid);
    uint64_t count = x->space == XENMAPSPACE_gmfn_range ? x->size : 1;

    if (!rc && x->space != XENMAPSPACE_gmfn && x->space != XENMAPSPACE_gmfn_range)
        rc = -ENOSYS;
    if (rc)
        return rc;
    hv_lock(v->hv);
    rc = hv_relocate(v, count, x->idx, x->gpfn);
    hv_log(v, HV_REC_RELOCATE, rc, count, x->idx, x->gpfn, 0, 0);
    hv_unlock(v->hv);
    return rc;
}

static long memory_op(uint64_t word, void *arg)
{
    uint64_t start = word >> MEMOP_CMD_BITS;
    struct xen_memory_reservation *r = arg;
    struct xen_remove_from_physmap *remove = arg;
    const uint64_t *gfns, one = 1;
    uint16_t domid;
    long done;

    switch (word & ((1u << MEMOP_CMD_BITS) - 1)) {
    case XENMEM_populate_physmap:
    case XENMEM_decrease_reservation:
        if (!reachable(r, sizeof *r))
            return -EFAULT;
        memcpy(&gfns, &r->extent_start, sizeof gfns);
        if (start > r->nr_extents || r->extent_order > 18 ||
            !reachable(gfns, r->nr_extents * sizeof *gfns))
            return -EFAULT;
        if ((word & 63) == XENMEM_populate_physmap)
            done = lib_populate(r->domid, r->nr_extents - start, r->extent_order, gfns + start,
                                "populate_physmap");
        else
            done = decrease(r->domid, r->nr_extents - start, r->extent_order, gfns + start);
        return done < 0 ? done : done + (long)start;
    case XENMEM_add_to_physmap:
        return reachable(arg, sizeof(struct xen_add_to_physmap)) ? add_to_physmap(arg) : -EFAULT;
    case XENMEM_remove_from_physmap:
        if (!reachable(remove, sizeof *remove))
            return -EFAULT;
        done = decrease(remove->domid, one, 0, &remove->gpfn);
        return done < 0 ? done : done ? 0 : -EINVAL;
    case XENMEM_maximum_gpfn:
    case XENMEM_current_reservation:
    case XENMEM_maximum_reservation:
        if (!reachable(arg, sizeof domid))
            return -EFAULT;
        memcpy(&domid, arg, sizeof domid);
        done = lib_enter("memory_query", domid);
        if (done)
            return done;
        if ((word & 63) == XENMEM_maximum_gpfn)
            return (long)lib_view()->hv->max_gfn;
        return (long)((word & 63) == XENMEM_current_reservation ? lib_view()->hv->tot_pages
                                                                : lib_view()->hv->max_pages);
    default:
        return -ENOSYS;
    }
}

static long hvm_op(uint64_t cmd, void *arg)
{
    struct xen_hvm_param *p = arg;

    if (cmd != HVMOP_set_param && cmd != HVMOP_get_param)
        return -ENOSYS;
    if (!reachable(p, sizeof *p))
        return -EFAULT;
    return cmd == HVMOP_set_param ? lib_param_set(p->domid, p->index, p->value)
                                  : lib_param_get(p->domid, p->index, &p->value);
}

static long sched_op(uint64_t cmd, void *arg)
{
    struct sched_remote_shutdown *s = arg;
    int rc;

    if (cmd != SCHEDOP_remote_shutdown)
        return -ENOSYS;
    if (!reachable(s, sizeof *s))
        return -EFAULT;
    rc = lib_enter("sched_remote_shutdown", s->domain_id);
    return rc ? rc : lib_shutdown(s->domain_id, s->reason);
}

static long hypercall(unsigned int op, uint64_t arg1, uint64_t arg2)
{
    void *arg = (void *)(uintptr_t)arg2;
    int rc = lib_enter_closed("xencall");

    if (rc)
        return rc;
    switch (op) {
    case __HYPERVISOR_memory_op:
        return memory_op(arg1, arg);
    case __HYPERVISOR_hvm_op:
        return hvm_op(arg1, arg);
    case __HYPERVISOR_sched_op:
        return sched_op(arg1, arg);
    case __HYPERVISOR_xen_version:
        return arg1 == XENVER_version ? 4 << 16 | 17 : -ENOSYS;
    default:
        return -ENOSYS;
    }
}

static long answer(long rc)
{
    if (rc >= 0)
        return rc;
    errno = (int)-rc;
    return -1;
}

int xencall0(xencall_handle *xcall, unsigned int op)
{
    return (int)answer(hypercall(op, 0, 0));
}

int xencall1(xencall_handle *xcall, unsigned int op, uint64_t arg1)
{
    return (int)answer(hypercall(op, arg1, 0));
}

int xencall2(xencall_handle *xcall, unsigned int op, uint64_t arg1, uint64_t arg2)
{
    return (int)answer(hypercall(op, arg1, arg2));
}

long xencall2L(xencall_handle *xcall, unsigned int op, uint64_t arg1, uint64_t arg2)
{
    return answer(hypercall(op, arg1, arg2));
}

int xencall3(xencall_handle *xcall, unsigned int op, uint64_t arg1, uint64_t arg2, uint64_t arg3)
{
    return (int)answer(hypercall(op, arg1, arg2));
}

int xencall4(xencall_handle *xcall, unsigned int op, uint64_t arg1, uint64_t arg2, uint64_t arg3,
             uint64_t arg4)
{
    return (int)answer(hypercall(op, arg1, arg2));
}

int xencall5(xencall_handle *xcall, unsigned int op, uint64_t arg1, uint64_t arg2, uint64_t arg3,
             uint64_t arg4, uint64_t arg5)
{
    return (int)answer(hypercall(op, arg1, arg2));
}
