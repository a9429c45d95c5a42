/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A device model that does nothing: it claims all ports and the VGA window, answers every read with
 * the low bits of the address, and drains the ring. It is the floor that measurements are compared
 * with, and a subject for tests of the simulation itself. With the word "take-over" it does not make
 * an ioreq server but takes over the one that a dead predecessor left behind. With "disk=FILE" it is
 * the floor of disk transfers: a bus master is started, and it does one pread or pwrite of
 * DISK_BYTES, to or from guest memory at DISK_BUFFER, the next ones of the file each time.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xendevicemodel.h>
#include <xenevtchn.h>
#include <xenforeignmemory.h>
#include <xenstore.h>
#include <xen/hvm/ioreq.h>

enum { MAX_VCPUS = 128, PORTS = 4096, BUFIOREQ_ATOMIC = 2 };
enum { BUS_MASTER = 0xc000, START = 1, TO_MEMORY = 8 };
enum { PAGE = 4096, DISK_BUFFER = 0x200000, DISK_BYTES = 128 << 10 };

struct machine {
    xenevtchn_handle *events;
    struct shared_iopage *slots;
    struct buffered_iopage *ring;
    int local[MAX_VCPUS];
    uint8_t vcpu_of[PORTS];
    unsigned int vcpus;
    int disk; /* -1: none */
    off_t disk_size, disk_at;
    void *buffer;
};

static void need(int ok, const char *what)
{
    if (ok)
        return;
    perror(what);
    exit(1);
}

static void drain(struct buffered_iopage *ring)
{
    for (;;) {
        uint32_t rd = __atomic_load_n(&ring->read_pointer, __ATOMIC_ACQUIRE);
        uint32_t wr = __atomic_load_n(&ring->write_pointer, __ATOMIC_ACQUIRE);

        if (rd != __atomic_load_n(&ring->read_pointer, __ATOMIC_ACQUIRE))
            continue;
        if (rd == wr)
            return;
        __atomic_add_fetch(&ring->read_pointer,
                           ring->buf_ioreq[rd % IOREQ_BUFFER_SLOT_NUM].size == 3 ? 2 : 1,
                           __ATOMIC_SEQ_CST);
    }
}

static void open_disk(struct machine *m, xenforeignmemory_handle *fmem, domid_t domid,
                      const char *file)
{
    xen_pfn_t gfn[DISK_BYTES / PAGE];
    int error[DISK_BYTES / PAGE];

    for (unsigned int i = 0; i < DISK_BYTES / PAGE; i++)
        gfn[i] = DISK_BUFFER / PAGE + i;
    m->buffer =
        xenforeignmemory_map(fmem, domid, PROT_READ | PROT_WRITE, DISK_BYTES / PAGE, gfn, error);
    m->disk = open(file, O_RDWR | O_CLOEXEC);
    m->disk_size = m->disk < 0 ? -1 : lseek(m->disk, 0, SEEK_END);
    need(m->buffer && m->disk_size >= DISK_BYTES, file);
}

static void transfer(struct machine *m, uint64_t command)
{
    ssize_t n = command & TO_MEMORY ? pread(m->disk, m->buffer, DISK_BYTES, m->disk_at)
                                    : pwrite(m->disk, m->buffer, DISK_BYTES, m->disk_at);

    need(n == DISK_BYTES, "transfer");
    m->disk_at += DISK_BYTES;
    if (m->disk_at + DISK_BYTES > m->disk_size)
        m->disk_at = 0;
}

static void answer(struct machine *m, unsigned int vcpu)
{
    volatile ioreq_t *slot = &m->slots->vcpu_ioreq[vcpu];

    if (slot->state != STATE_IOREQ_READY)
        return;
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    slot->state = STATE_IOREQ_INPROCESS;
    if (slot->dir == IOREQ_READ && !slot->data_is_ptr)
        slot->data = slot->addr;
    else if (m->disk >= 0 && slot->addr == BUS_MASTER && slot->data & START)
        transfer(m, slot->data);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    slot->state = STATE_IORESP_READY;
    xenevtchn_notify(m->events, (evtchn_port_t)m->local[vcpu]);
}

int main(int argc, char **argv)
{
    static struct machine m = {.disk = -1};
    int take_over = argc > 2 && !strcmp(argv[2], "take-over");
    domid_t domid = (domid_t)(argc > 1 ? atoi(argv[1]) : 1);
    xendevicemodel_handle *dmod = xendevicemodel_open(NULL, 0);
    xenforeignmemory_handle *fmem = xenforeignmemory_open(NULL, 0);
    struct xs_handle *xs = xs_open(0);
    ioservid_t id;
    evtchn_port_t ring_port;
    void *pages = NULL;
    char path[64];

    m.events = xenevtchn_open(NULL, 0);
    need(dmod && fmem && m.events && xs, "open");
    if (argc > 2 && !strncmp(argv[2], "disk=", 5))
        open_disk(&m, fmem, domid, argv[2] + 5);
    if (take_over) {
        for (id = 0; id < 8; id++)
            if (xendevicemodel_get_ioreq_server_info(dmod, domid, id, NULL, NULL, &ring_port) == 0)
                break;
    } else {
        need(xendevicemodel_create_ioreq_server(dmod, domid, BUFIOREQ_ATOMIC, &id) == 0, "create");
    }
    need(xenforeignmemory_map_resource(fmem, domid, 0, id, 0, 2, &pages, PROT_READ | PROT_WRITE,
                                       0) != NULL,
         "map");
    m.ring = pages;
    m.slots = (void *)((char *)pages + 4096);
    need(xendevicemodel_get_ioreq_server_info(dmod, domid, id, NULL, NULL, &ring_port) == 0,
         "info");
    need(xendevicemodel_set_ioreq_server_state(dmod, domid, id, 1) == 0, "enable");
    need(xendevicemodel_nr_vcpus(dmod, domid, &m.vcpus) == 0, "nr_vcpus");
    for (unsigned int i = 0; i < m.vcpus; i++) {
        m.local[i] = xenevtchn_bind_interdomain(m.events, domid, m.slots->vcpu_ioreq[i].vp_eport);
        need(m.local[i] > 0 && m.local[i] < PORTS, "bind");
        m.vcpu_of[m.local[i]] = (uint8_t)i;
    }
    int ring_local = xenevtchn_bind_interdomain(m.events, domid, ring_port);
    need(ring_local > 0, "bind");
    if (!take_over) {
        need(xendevicemodel_map_io_range_to_ioreq_server(dmod, domid, id, 0, 0, 0xffff) == 0,
             "ports");
        need(xendevicemodel_map_io_range_to_ioreq_server(dmod, domid, id, 1, 0xa0000, 0xbffff) == 0,
             "window");
        need(xendevicemodel_map_pcidev_to_ioreq_server(dmod, domid, id, 0, 0, 0, 0) == 0, "pci");
    }
    snprintf(path, sizeof path, "/local/domain/0/device-model/%u/state", domid);
    need(xs_write(xs, XBT_NULL, path, "running", 7), "state");
    for (;;) {
        struct pollfd p = {.fd = xenevtchn_fd(m.events), .events = POLLIN};
        int port;

        if (poll(&p, 1, -1) < 0)
            continue;
        port = xenevtchn_pending(m.events);
        if (port < 0)
            continue;
        xenevtchn_unmask(m.events, (evtchn_port_t)port);
        drain(m.ring);
        if (port != ring_local)
            answer(&m, m.vcpu_of[port]);
    }
}
