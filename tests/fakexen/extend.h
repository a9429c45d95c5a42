/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the x- commands share: their arguments and the usual answers. */
#ifndef FAKEXEN_EXTEND_H
#define FAKEXEN_EXTEND_H

#include "guest.h"

enum { MAX_ARGS = 24 };

struct args {
    char *key[MAX_ARGS], *value[MAX_ARGS];
    int count;
};

/* Cuts "a=1 b=2" in place. */
void parse(struct args *a, char *text);
/* The text of an argument, NULL when it is absent. */
const char *text_arg(const struct args *a, const char *key);
/* A number, or one of the words read/in, write/out, pio, copy, pci. */
uint64_t arg(const struct args *a, const char *key, uint64_t otherwise);
uint32_t vcpu_of(struct guest *g, const struct args *a);
struct request request_of(const struct args *a);
/*
 * The server asked for, else the one the range leads to, else the first enabled one (types without
 * a range, or r is NULL). -1 when there is none.
 */
int server_of(struct guest *g, const struct args *a, struct request *r);
/* "OK" or "FAIL why", after the interrupts that came meanwhile. */
void result(struct guest *g, FILE *out, int rc);
void value_result(struct guest *g, FILE *out, int rc, uint64_t value);

/* Each answers the commands it knows and says whether it knew this one. */
bool extend_request(struct guest *g, const char *name, const struct args *a, FILE *out);
bool extend_latency(struct guest *g, const char *name, const struct args *a, FILE *out);
bool extend_domain(struct guest *g, const char *name, const struct args *a, FILE *out);
bool extend_grant(struct guest *g, const char *name, const struct args *a, FILE *out);
bool extend_process(struct guest *g, const char *name, const struct args *a, FILE *out);
void extend_store(struct guest *g, const char *name, char *rest, FILE *out);

#endif
