/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * xenstore in memory: a tree with watches and transactions. Thread-safe. Functions return 0 or a
 * positive errno, as xenstored answers. Paths may be relative to dom0's home.
 */
#ifndef FAKEXEN_STORE_H
#define FAKEXEN_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;

struct store *store_new(void);
/* *value is malloc()ed and has a NUL behind its *bytes bytes. */
int store_read(struct store *s, uint32_t transaction, const char *path, char **value,
               size_t *bytes);
int store_write(struct store *s, uint32_t transaction, const char *path, const void *value,
                size_t bytes);
int store_mkdir(struct store *s, uint32_t transaction, const char *path);
int store_remove(struct store *s, uint32_t transaction, const char *path);
/* Child names, each with its NUL, into out; *bytes is its room and then its length. */
int store_list(struct store *s, uint32_t transaction, const char *path, char *out, size_t *bytes);
int store_set_perms(struct store *s, uint32_t transaction, const char *path, const void *perms,
                    size_t bytes);
int store_get_perms(struct store *s, uint32_t transaction, const char *path, void *perms,
                    size_t *bytes);
int store_begin(struct store *s, uint32_t *transaction);
int store_end(struct store *s, uint32_t transaction, bool abandon);
/* Events are sent to the SEQPACKET socket fd as "path NUL token NUL". Fires once at once. */
int store_watch(struct store *s, int fd, const char *path, const char *token);
int store_unwatch(struct store *s, int fd, const char *path, const char *token);
void store_forget(struct store *s, int fd);
/* Fires a special watch such as @releaseDomain. */
void store_special(struct store *s, const char *name);

#endif
