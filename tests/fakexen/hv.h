/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The simulated hypervisor: everything Xen itself would remember about one HVM domain.
 *
 * It is plain data in one shared memory file that two programs map: the library inside the device
 * model (where a call of libxendevicemodel is a "hypercall") and the controller, which plays the
 * guest's vCPUs. A hypercall therefore costs no more than a lock, as cheap as a real one, and the
 * state outlives the device model as Xen's does.
 *
 * Guest memory is a second memory file of machine frames ("mfn"); physmap[] says which guest frame
 * ("gfn") shows which. Machine frames are never handed out twice, as a foreign mapping keeps its
 * frame alive in Xen.
 *
 * All functions return 0 (or a count) or a negative errno, exactly the number Xen would give. Those
 * marked "locked" must be called between hv_lock() and hv_unlock().
 */
#ifndef FAKEXEN_HV_H
#define FAKEXEN_HV_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <xen/xen.h>
#include <xen/hvm/ioreq.h>

#define HV_MAGIC        0x666b786eu
#define HV_PAGE         4096u
#define HV_SERVERS      8
#define HV_RANGES       256
#define HV_VCPUS        128
#define HV_PORTS        2048 /* event channel ports of each side */
#define HV_HANDLES      32   /* /dev/xen/evtchn files open at the same time */
#define HV_QUEUE        4096 /* delivered ports waiting in one such file */
#define HV_PINS         64
#define HV_FAULTS       32
#define HV_RECORDS      65536
#define HV_DIRTY_FRAMES 262144u
#define HV_PARAMS       64
#define HV_GRANTS       8192
#define HV_LEGACY_GFN   0xfeff0u /* eight frames that the domain builder keeps for ioreq servers */
#define HV_LEGACY_PAGES 8
#define HV_NO_MFN       0u /* physmap: nothing there; machine frame 0 is never used */
#define HV_MFN_MASK     0x0fffffffu
#define HV_TYPE_SHIFT   28 /* memory type of set_mem_type in the upper bits */

/* Kinds of ring, Xen's HVM_IOREQSRV_BUFIOREQ_* (in the headers for tools only). */
enum { HV_BUF_OFF, HV_BUF_LEGACY, HV_BUF_ATOMIC };

enum hv_space { HV_PIO, HV_MMIO, HV_PCI, HV_SPACES };

struct hv_range {
    uint64_t first, last; /* inclusive */
};

struct hv_range_set {
    uint32_t count;
    struct hv_range range[HV_RANGES]; /* sorted, never touching */
};

struct hv_server {
    uint8_t exists, enabled, bufioreq; /* bufioreq: HV_BUF_* */
    uint8_t by_gfn;                    /* pages were handed out as guest frames */
    uint32_t buf_port;                 /* guest side port of the ring */
    uint32_t vcpu_port[HV_VCPUS];
    uint32_t sync_mfn, buf_mfn; /* 0: not allocated yet */
    uint32_t sync_gfn, buf_gfn; /* legacy way */
    struct hv_range_set set[HV_SPACES];
};

/* The guest's end of an event channel: only Xen itself signals on it, only the device model
 * notifies it. */
struct hv_guest_port {
    uint32_t used;
    uint32_t local;    /* the other end, 0 while unbound */
    uint32_t notified; /* how often the device model notified it */
};

/* The device model's end. */
struct hv_local_port {
    uint32_t used;
    int32_t handle;
    uint32_t guest; /* 0: virq or unbound port */
    uint8_t pending, masked;
};

struct hv_handle {
    uint32_t used;
    uint32_t
        owner;     /* connection number of the process, 0 while between two images of one process */
    uint32_t keep; /* opened with NO_CLOEXEC */
    uint64_t eventfd_id; /* how fdopen() finds its handle again */
    uint32_t head, tail; /* queue of ports already delivered and masked */
    uint32_t port[HV_QUEUE];
};

enum hv_record_kind {
    HV_REC_NONE,
    HV_REC_SERVER_CREATE,
    HV_REC_SERVER_DESTROY,
    HV_REC_SERVER_STATE,
    HV_REC_MAP,
    HV_REC_UNMAP,
    HV_REC_ISA,
    HV_REC_INTX,
    HV_REC_GSI,
    HV_REC_LINK,
    HV_REC_MSI,
    HV_REC_SHUTDOWN,
    HV_REC_POPULATE,
    HV_REC_DECREASE,
    HV_REC_RELOCATE,
    HV_REC_PIN,
    HV_REC_UNPIN,
    HV_REC_MEM_TYPE,
    HV_REC_TRACK,
    HV_REC_MODIFIED,
    HV_REC_PARAM,
    HV_REC_RESTRICT,
    HV_REC_RESOURCE,
    HV_REC_BIND,
    HV_REC_FAULT,
    HV_REC_BAD,
    HV_REC_EVENT,
    HV_REC_KINDS
};

struct hv_record {
    uint64_t number; /* 1, 2, ...; 0 while being written */
    uint16_t kind;
    int16_t result;     /* 0 or negative errno */
    uint16_t in_flight; /* requests not answered yet when it was written: READY or INPROCESS */
    uint16_t state;     /* state of the first of them */
    uint64_t arg[5];
};

struct hv_fault {
    char name[48];
    uint32_t skip;  /* calls to let pass first */
    uint32_t times; /* calls to fail then; ~0: for ever */
    int32_t error;
};

/* What the guest lets the device model's domain use. */
struct hv_grant {
    uint32_t gfn;
    uint8_t granted, read_only;
    uint32_t maps; /* how often it is mapped now */
};

struct hv_pin {
    uint64_t first, last;
    uint32_t type, used;
};

struct hv {
    uint32_t magic, size;
    pthread_mutex_t lock; /* robust: a killed device model may hold it */

    uint32_t domid, nr_vcpus;
    uint32_t dying; /* destroyed: every call gives ESRCH */
    uint32_t shut_down, shutdown_reason;
    uint32_t no_resource; /* map_resource answers EOPNOTSUPP */

    uint64_t nr_gfns, nr_mfns, next_mfn, max_gfn, tot_pages, max_pages;
    uint32_t invalidate[HV_VCPUS]; /* the vCPU owes the servers an INVALIDATE */
    uint64_t param[HV_PARAMS];
    uint8_t legacy_used[HV_LEGACY_PAGES];

    struct hv_server server[HV_SERVERS];
    struct hv_guest_port gport[HV_PORTS];
    struct hv_local_port lport[HV_PORTS];
    struct hv_handle handle[HV_HANDLES];
    uint32_t notify_seq; /* futex: counts notifications of any guest port */
    uint32_t vcpu_waiting;

    uint8_t isa[16], intx[32][4], link[4], extra_gsi[64];
    uint16_t gsi[64]; /* assertion count */
    uint32_t link_count[4];

    struct hv_pin pin[HV_PINS];
    struct hv_grant grant[HV_GRANTS];
    uint32_t dirty_armed;
    uint64_t dirty_first, dirty_nr;
    uint8_t dirty[HV_DIRTY_FRAMES / 8];

    uint32_t nr_faults;
    struct hv_fault fault[HV_FAULTS];
    uint32_t irq_watch; /* the controller wants to be woken by every change of a line */
    uint64_t records;
    struct hv_record record[HV_RECORDS];

    uint32_t physmap[]; /* nr_gfns entries */
};

/* One process's view. */
struct hv_view {
    struct hv *hv;
    int frames_fd;            /* machine frames */
    int hole_fd;              /* an empty file: mappings of it raise SIGBUS on touch */
    int event_fd[HV_HANDLES]; /* -1: not ours */
    int irq_fd;               /* written when a line changes while hv->irq_watch is set */
    struct shared_iopage *slots[HV_SERVERS]; /* cached mapping for hv_log(), NULL until needed */
    uint32_t slots_mfn[HV_SERVERS];
};

/* hv.c */
void hv_lock(struct hv *hv);
void hv_unlock(struct hv *hv);
void hv_init(struct hv *hv, uint32_t domid, uint32_t nr_vcpus, uint64_t ram_bytes,
             uint64_t video_bytes, uint64_t nr_gfns, uint64_t nr_mfns, uint32_t size);
/* Appends a record (locked). */
void hv_log(struct hv_view *v, enum hv_record_kind kind, int result, uint64_t a, uint64_t b,
            uint64_t c, uint64_t d, uint64_t e);
/* What a call named `name` must do first: 0, or the error that was ordered for it, or ESRCH for a
 * dead domain. */
int hv_enter(struct hv_view *v, const char *name, uint32_t domid);
int hv_fault(struct hv_view *v, const char *name);
int hv_format(const struct hv_record *r, char *text, size_t size);

/* hv_ioreq.c: all locked */
int hv_server_create(struct hv_view *v, int bufioreq, uint16_t *id);
int hv_server_destroy(struct hv_view *v, uint16_t id);
int hv_server_info(struct hv_view *v, uint16_t id, bool gfns, uint64_t *sync, uint64_t *buf,
                   uint32_t *port);
int hv_server_enable(struct hv_view *v, uint16_t id, bool enabled);
int hv_server_frame(struct hv_view *v, uint16_t id, uint64_t frame, uint32_t *mfn);
int hv_range_change(struct hv_view *v, uint16_t id, enum hv_space space, uint64_t first,
                    uint64_t last, bool add);
int hv_route(const struct hv *hv, enum hv_space space, uint64_t first, uint64_t last);

/* hv_memory.c: locked */
uint32_t hv_alloc_frame(struct hv *hv);
/* HV_NO_MFN for a hole. */
static inline uint32_t hv_mfn(const struct hv *hv, uint64_t gfn)
{
    return gfn < hv->nr_gfns ? hv->physmap[gfn] & HV_MFN_MASK : HV_NO_MFN;
}

/* An extent comes whole or not at all. */
int hv_populate(struct hv_view *v, uint64_t gfn, uint64_t nr);
int hv_remove(struct hv_view *v, uint64_t gfn);
int hv_relocate(struct hv_view *v, uint64_t count, uint64_t from, uint64_t to);
int hv_set_mem_type(struct hv_view *v, uint32_t type, uint64_t first, uint64_t nr);
int hv_pin(struct hv_view *v, uint64_t first, uint64_t last, uint32_t type);
int hv_track_dirty(struct hv_view *v, uint64_t first, uint64_t nr, uint8_t *bitmap);
int hv_modified(struct hv_view *v, uint64_t first, uint64_t nr);
void hv_invalidate_all(struct hv *hv);

/* The machine frame of a grant that may be used in this way, or HV_NO_MFN. */
uint32_t hv_grant_mfn(const struct hv *hv, uint32_t ref, bool write);

/* hv_evtchn.c: locked unless said otherwise */
int hv_guest_port_new(struct hv *hv);
void hv_guest_port_free(struct hv_view *v, uint32_t port);
int hv_bind(struct hv_view *v, int handle, uint32_t guest);
int hv_bind_other(struct hv_view *v, int handle);
int hv_unbind(struct hv_view *v, int handle, uint32_t local);
int hv_unmask(struct hv_view *v, int handle, uint32_t local);
int hv_notify(struct hv_view *v, int handle, uint32_t local);
int hv_next_port(struct hv_view *v, int handle, bool *empty);
void hv_signal(struct hv_view *v, uint32_t guest); /* Xen raises the device model's end */
void hv_handle_release(struct hv_view *v, int handle);

/* hv_irq.c: locked */
int hv_isa(struct hv_view *v, uint32_t irq, uint32_t level);
int hv_intx(struct hv_view *v, uint32_t dev, uint32_t pin, uint32_t level);
int hv_link(struct hv_view *v, uint32_t link, uint32_t irq);
int hv_gsi_extra(struct hv_view *v, uint32_t gsi, uint32_t level);

#endif
