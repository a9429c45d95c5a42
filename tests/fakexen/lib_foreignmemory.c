/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libxenforeignmemory.so.1: mappings of guest frames, holes included, and of server pages. */
#include <stdlib.h>
#include <sys/mman.h>
#include <xenforeignmemory.h>
#include <xen/memory.h>
#include "lib.h"

struct xenforeignmemory_handle {
    int unused;
};

struct xenforeignmemory_resource_handle {
    void *addr;
    size_t bytes;
};

xenforeignmemory_handle *xenforeignmemory_open(struct xentoollog_logger *logger,
                                               unsigned open_flags)
{
    struct hv_view *v = lib_view();
    int rc = v ? hv_fault(v, __func__) : -errno;

    if (rc) {
        errno = -rc;
        return NULL;
    }
    return calloc(1, sizeof(struct xenforeignmemory_handle));
}

int xenforeignmemory_close(xenforeignmemory_handle *fmem)
{
    free(fmem);
    return 0;
}

int xenforeignmemory_restrict(xenforeignmemory_handle *fmem, domid_t domid)
{
    return lib_result(lib_restrict(domid));
}

static void *failed(int rc)
{
    errno = -rc;
    return NULL;
}

/* Maps a run of machine frames that lie side by side, or of holes (run starts with HV_NO_MFN). */
static bool map_run(struct hv_view *v, uint8_t *to, size_t pages, uint32_t mfn, int prot)
{
    bool hole = mfn == HV_NO_MFN;
    void *p = mmap(to, pages * HV_PAGE, prot, MAP_SHARED | MAP_FIXED,
                   hole ? v->hole_fd : v->frames_fd, hole ? 0 : (off_t)mfn * HV_PAGE);

    return p != MAP_FAILED;
}

void *xenforeignmemory_map2(xenforeignmemory_handle *fmem, uint32_t dom, void *addr, int prot,
                            int flags, size_t pages, const xen_pfn_t arr[], int err[])
{
    struct hv_view *v = lib_view();
    int rc = lib_enter("xenforeignmemory_map", dom), bad = 0;
    uint8_t *base;

    if (rc)
        return failed(rc);
    if (!pages)
        return failed(-EINVAL);
    base = mmap(addr, pages * HV_PAGE, PROT_NONE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (addr ? MAP_FIXED : 0), -1, 0);
    if (base == MAP_FAILED)
        return NULL;
    hv_lock(v->hv);
    for (size_t i = 0, end; i < pages; i = end) {
        uint32_t mfn = hv_mfn(v->hv, arr[i]);
        int error = mfn ? 0 : -EINVAL;

        for (end = i + 1; end < pages; end++)
            if (hv_mfn(v->hv, arr[end]) != (mfn ? mfn + (uint32_t)(end - i) : HV_NO_MFN))
                break;
        if (!map_run(v, base + i * HV_PAGE, end - i, mfn, prot))
            error = -ENOMEM;
        bad = bad ? bad : error;
        for (size_t k = i; err && k < end; k++)
            err[k] = error;
    }
    hv_unlock(v->hv);
    if (bad && !err) {
        munmap(base, pages * HV_PAGE);
        return failed(bad);
    }
    madvise(base, pages * HV_PAGE, MADV_DONTFORK);
    return base;
}

void *xenforeignmemory_map(xenforeignmemory_handle *fmem, uint32_t dom, int prot, size_t pages,
                           const xen_pfn_t arr[], int err[])
{
    return xenforeignmemory_map2(fmem, dom, NULL, prot, 0, pages, arr, err);
}

int xenforeignmemory_unmap(xenforeignmemory_handle *fmem, void *addr, size_t pages)
{
    return munmap(addr, pages * HV_PAGE);
}

xenforeignmemory_resource_handle *xenforeignmemory_map_resource(
    xenforeignmemory_handle *fmem, domid_t domid, unsigned int type, unsigned int id,
    unsigned long frame, unsigned long nr_frames, void **paddr, int prot, int flags)
{
    struct hv_view *v = lib_view();
    xenforeignmemory_resource_handle *res;
    int rc = lib_enter(__func__, domid);
    uint8_t *base;

    if (!rc && (v->hv->no_resource || type != XENMEM_resource_ioreq_server))
        rc = -EOPNOTSUPP;
    if (!rc && (!nr_frames || nr_frames > 2))
        rc = -EINVAL;
    if (rc)
        return failed(rc);
    base = mmap(*paddr, nr_frames * HV_PAGE, PROT_NONE,
                MAP_PRIVATE | MAP_ANONYMOUS | (*paddr ? MAP_FIXED : 0), -1, 0);
    res = base == MAP_FAILED ? NULL : malloc(sizeof *res);
    if (!res)
        return NULL;
    hv_lock(v->hv);
    for (unsigned long i = 0; i < nr_frames && !rc; i++) {
        uint32_t mfn = 0;

        rc = hv_server_frame(v, (uint16_t)id, frame + i, &mfn);
        if (!rc && !map_run(v, base + i * HV_PAGE, 1, mfn, prot))
            rc = -ENOMEM;
    }
    hv_log(v, HV_REC_RESOURCE, rc, type, id, frame, nr_frames, 0);
    hv_unlock(v->hv);
    if (rc) {
        munmap(base, nr_frames * HV_PAGE);
        free(res);
        return failed(rc);
    }
    madvise(base, nr_frames * HV_PAGE, MADV_DONTFORK);
    *res = (xenforeignmemory_resource_handle){.addr = base, .bytes = nr_frames * HV_PAGE};
    *paddr = base;
    return res;
}

int xenforeignmemory_unmap_resource(xenforeignmemory_handle *fmem,
                                    xenforeignmemory_resource_handle *fres)
{
    int rc = fres ? munmap(fres->addr, fres->bytes) : 0;

    free(fres);
    return rc;
}

int xenforeignmemory_resource_size(xenforeignmemory_handle *fmem, domid_t domid, unsigned int type,
                                   unsigned int id, size_t *size)
{
    struct hv_view *v = lib_view();
    int rc = lib_enter(__func__, domid);

    if (!rc && (v->hv->no_resource || type != XENMEM_resource_ioreq_server))
        rc = -EOPNOTSUPP;
    if (!rc)
        *size = 2 * HV_PAGE;
    return lib_result(rc);
}
