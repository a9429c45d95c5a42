/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ioreq server: fetches requests from the pages shared with Xen, has them executed, answers.
 *
 * Guest bytes are not looked at before ioreq_start().
 */
#ifndef DM_IOREQ_H
#define DM_IOREQ_H

#include <stdio.h>

#include "dm/ioreq_exec.h"
#include "dm/loop.h"
#include "xen/xenif.h"

#define IOREQ_VCPUS_MAX 128u

struct ioreq_server;

/*
 * Creates the server, maps its pages, enables it and binds the event channels of `vcpus` vCPUs
 * (0: as many as the domain has) and of the ring. `target` stays the caller's. On failure returns
 * -errno and err says what could not be done.
 */
int ioreq_create(struct ioreq_server **out, struct xen *xen, struct loop *loop,
                 struct request_target *target, unsigned vcpus, char *err, size_t err_size);

/* Answers everything that waits now, started or not: before devices go. */
void ioreq_answer_all(struct ioreq_server *ioreq);

/* Does the buffered writes that wait: before somebody looks at the screen. */
void ioreq_drain(struct ioreq_server *ioreq);

/* Answers what waits, then destroys the server. NULL is allowed. */
void ioreq_destroy(struct ioreq_server *ioreq);

/* How ranges and functions reach Xen, for iospace_create() and pci_bus_create(). */
int ioreq_claim_range(void *ioreq, enum io_kind kind, uint64_t start, uint64_t end);
int ioreq_release_range(void *ioreq, enum io_kind kind, uint64_t start, uint64_t end);
int ioreq_claim_pci(void *ioreq, uint8_t devfn);
int ioreq_release_pci(void *ioreq, uint8_t devfn);

/* Take requests from now on (at first none are taken); what has come meanwhile is taken up. */
void ioreq_start(struct ioreq_server *ioreq);
/* Take none: those that come wait in their slots. */
void ioreq_stop(struct ioreq_server *ioreq);

unsigned ioreq_vcpus(const struct ioreq_server *ioreq);

#endif
