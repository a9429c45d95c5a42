/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The controller's parts: the guest it plays, the device model it starts, the sockets it listens
 * on. */
#ifndef FAKEXEN_GUEST_H
#define FAKEXEN_GUEST_H

#include <pthread.h>
#include <stdio.h>
#include <sys/types.h>
#include "hv.h"

struct store;

struct dm {
    char **argv;
    const char *lib_dir, *log_path, *preload;
    pid_t pid; /* 0: none */
    bool reaped;
    int status; /* of waitpid(), once reaped */
    char socket[108];
    int64_t started_ns;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t told;
    int64_t running_ns;   /* when it told the toolstack that it runs; 0: not yet */
    uint64_t running_cpu; /* its processor time then */
};

struct guest {
    struct hv_view view;
    struct hv *hv;
    uint8_t *frames; /* all machine frames */
    int hv_fd;       /* to hand to the library */
    struct store *store;
    struct dm dm;
    uint32_t vcpu; /* who executes qtest accesses */
    uint32_t cf8;  /* Xen's latch of the configuration address */
    uint8_t cmos_index;
    bool cmos_ours;                      /* the index selects a register that Xen keeps */
    uint32_t base[HV_SERVERS][HV_VCPUS]; /* notifications seen when the request was posted */
    bool busy[HV_SERVERS][HV_VCPUS];
    uint8_t flags[HV_SERVERS][HV_VCPUS]; /* bits beside the state, which nobody may change */
    unsigned int spin_us, timeout_ms;
    uint64_t irq_seen; /* records up to here were told to qtest clients */
    bool intercept;
    int64_t started_ns;
    bool told_shutdown;
    char why[256]; /* what went wrong last */
};

/* A request as it is put into a slot. */
struct request {
    uint8_t type, dir, df, ptr;
    uint32_t size, count;
    uint64_t addr, data;
};

int64_t now_ns(void);

/* guest.c: guest-physical memory as a vCPU sees it */
uint8_t *guest_frame(struct guest *g, uint64_t gfn);
bool guest_is_ram(struct guest *g, uint64_t gpa);
int guest_access(struct guest *g, int dir, uint64_t gpa, void *data, size_t bytes);
int guest_ram(struct guest *g, int dir, uint64_t gpa, void *data, size_t bytes);

/* vcpu.c: 0 or negative errno with g->why set */
int vcpu_post(struct guest *g, uint32_t vcpu, int server, const struct request *r);
int vcpu_wait(struct guest *g, uint32_t vcpu, int server, uint64_t *data, unsigned int timeout_ms);
int vcpu_io(struct guest *g, uint32_t vcpu, const struct request *r, uint64_t *data);
int vcpu_broadcast(struct guest *g, uint32_t vcpu);
int vcpu_route(struct guest *g, struct request *r);
int vcpu_port(struct guest *g, uint32_t vcpu, int dir, uint16_t port, uint32_t size,
              uint64_t *data);
int vcpu_mmio(struct guest *g, uint32_t vcpu, int dir, uint64_t gpa, uint32_t size, uint64_t *data);
int vcpu_rep_port(struct guest *g, uint32_t vcpu, struct request r, unsigned int *requests);
int vcpu_rep_mmio(struct guest *g, uint32_t vcpu, struct request r, unsigned int *requests);
struct shared_iopage *vcpu_slots(struct guest *g, int server);
/* Until some guest port is notified after notify_seq was `seen`, or a short time. */
void vcpu_sleep(struct hv *hv, uint32_t seen);

/* ring.c */
int ring_send(struct guest *g, int server, const struct request *r, bool notify);
int ring_raw(struct guest *g, int server, uint64_t entry, bool notify);
struct buffered_iopage *ring_page(struct guest *g, int server);

/* xendev.c: Xen's own devices. True when the access was theirs. */
bool xendev_port(struct guest *g, int dir, uint16_t port, uint32_t size, uint64_t *data);
bool xendev_mmio(int dir, uint64_t gpa, uint32_t size, uint64_t *data);

/* dm.c */
int dm_start(struct guest *g);
bool dm_alive(struct guest *g);
void dm_signal(struct guest *g, int number);
bool dm_wait(struct guest *g, unsigned int timeout_ms);
uint64_t dm_cpu_ns(struct guest *g);
/* The server thread has stored its "running" and not yet answered: it stands still. */
void dm_told_running(struct guest *g);
/* Waits for that. False when it took longer, or the device model is dead. */
bool dm_wait_running(struct guest *g, unsigned int timeout_ms);

/* server.c: the thread that serves libraries */
int server_start(struct guest *g, const char *path);
bool server_dm_died(struct guest *g);

/* qtest.c and extend.c: one line in, its answer to `out` (complete with newlines) */
struct client;
void qtest_line(struct guest *g, struct client *c, char *line, FILE *out);
void qtest_irqs(struct guest *g, FILE *out);
bool extend_line(struct guest *g, struct client *c, char *line, FILE *out);
void after_request(struct guest *g);

/* A client's loop body while x-loop collects it. */
struct client {
    int fd;
    char *in;
    size_t have, room;
    char **body;
    unsigned int lines, repeat;
    bool collecting, quit;
};

#endif
