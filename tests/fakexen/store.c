/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tree is a set of nodes found by full path; a transaction works on a copy of it, and its end
 * is refused with EAGAIN when anything changed meanwhile (xenstored looks closer, but may answer
 * the same).
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include "store.h"

enum { PATH_ROOM = 4096, TRANSACTIONS = 16 };

struct node {
    char *path, *value;
    size_t bytes;
    void *perms;
    size_t perm_bytes;
};

struct tree {
    struct node *node; /* sorted by path */
    size_t count, room;
};

struct watch {
    struct watch *next;
    int fd;
    char *path, *token; /* path is absolute */
    bool relative;
};

struct transaction {
    uint32_t id; /* 0: free */
    uint64_t generation;
    struct tree tree;
    char **changed;
    size_t changes;
};

struct store {
    pthread_mutex_t mutex;
    struct tree tree;
    uint64_t generation;
    uint32_t next_id;
    struct watch *watches;
    struct transaction transaction[TRANSACTIONS];
};

static const char home[] = "/local/domain/0/";

static bool absolute(const char *path, char out[PATH_ROOM])
{
    bool rooted = path[0] == '/' || path[0] == '@';
    int n = snprintf(out, PATH_ROOM, "%s%s", rooted ? "" : home, path);

    if (n > 1 && n < PATH_ROOM && out[n - 1] == '/')
        out[n - 1] = 0;
    return n > 0 && n < PATH_ROOM;
}

static size_t position(const struct tree *t, const char *path, bool *found)
{
    size_t low = 0, high = t->count;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (strcmp(t->node[middle].path, path) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *found = low < t->count && !strcmp(t->node[low].path, path);
    return low;
}

static struct node *lookup(const struct tree *t, const char *path)
{
    bool found;
    size_t at = position(t, path, &found);

    return found ? &t->node[at] : NULL;
}

static void *copy(const void *data, size_t bytes)
{
    char *p = malloc(bytes + 1);

    if (!p)
        abort();
    if (bytes)
        memcpy(p, data, bytes);
    p[bytes] = 0;
    return p;
}

static struct node *create(struct tree *t, const char *path)
{
    bool found;
    size_t at;

    for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        char *parent = copy(path, (size_t)(slash - path));

        if (!lookup(t, parent))
            create(t, parent);
        free(parent);
    }
    at = position(t, path, &found);
    if (found)
        return &t->node[at];
    if (t->count == t->room) {
        t->room = t->room ? t->room * 2 : 64;
        t->node = realloc(t->node, t->room * sizeof *t->node);
        if (!t->node)
            abort();
    }
    memmove(&t->node[at + 1], &t->node[at], (t->count - at) * sizeof *t->node);
    t->count++;
    t->node[at] = (struct node){.path = copy(path, strlen(path)), .value = copy("", 0)};
    return &t->node[at];
}

static void node_free(struct node *n)
{
    free(n->path);
    free(n->value);
    free(n->perms);
}

static void tree_free(struct tree *t)
{
    for (size_t i = 0; i < t->count; i++)
        node_free(&t->node[i]);
    free(t->node);
    *t = (struct tree){0};
}

static struct tree tree_copy(const struct tree *from)
{
    struct tree t = {.count = from->count, .room = from->count + 64};

    t.node = calloc(t.room, sizeof *t.node);
    if (!t.node)
        abort();
    for (size_t i = 0; i < t.count; i++) {
        const struct node *n = &from->node[i];

        t.node[i] = (struct node){.path = copy(n->path, strlen(n->path)),
                                  .value = copy(n->value, n->bytes),
                                  .bytes = n->bytes,
                                  .perms = copy(n->perms, n->perm_bytes),
                                  .perm_bytes = n->perm_bytes};
    }
    return t;
}

static bool below(const char *parent, const char *path)
{
    size_t n = strlen(parent);

    return !strncmp(parent, path, n) && (!path[n] || path[n] == '/' || n == 1);
}

static void send_event(const struct watch *w, const char *path)
{
    char text[PATH_ROOM * 2];
    const char *shown =
        w->relative && below("/local/domain/0", path) ? path + sizeof home - 1 : path;
    int n = snprintf(text, sizeof text, "%s%c%s", shown, 0, w->token);

    if (n > 0 && (size_t)n < sizeof text &&
        send(w->fd, text, (size_t)n + 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        return; /* the client has gone, or sleeps on thousands of events */
}

static void fire(struct store *s, const char *path, bool removed)
{
    for (struct watch *w = s->watches; w; w = w->next) {
        if (below(w->path, path))
            send_event(w, path);
        else if (removed && below(path, w->path))
            send_event(w, w->path);
    }
}

struct store *store_new(void)
{
    struct store *s = calloc(1, sizeof *s);

    if (!s)
        abort();
    pthread_mutex_init(&s->mutex, NULL);
    s->next_id = 1;
    create(&s->tree, "/");
    return s;
}

static struct transaction *transaction_of(struct store *s, uint32_t id)
{
    for (int i = 0; id && i < TRANSACTIONS; i++)
        if (s->transaction[i].id == id)
            return &s->transaction[i];
    return NULL;
}

/* Begins an operation: lock, absolute path, the right tree. Must be paired with leave(). */
static int enter(struct store *s, uint32_t id, const char *path, char full[PATH_ROOM],
                 struct tree **tree, struct transaction **t)
{
    pthread_mutex_lock(&s->mutex);
    *t = transaction_of(s, id);
    *tree = *t ? &(*t)->tree : &s->tree;
    if (id && !*t)
        return ENOENT;
    return absolute(path, full) && full[0] == '/' ? 0 : EINVAL;
}

static int leave(struct store *s, int rc)
{
    pthread_mutex_unlock(&s->mutex);
    return rc;
}

static void changed(struct store *s, struct transaction *t, const char *path, bool removed)
{
    char *mark;

    if (!t) {
        s->generation++;
        fire(s, path, removed);
        return;
    }
    mark = malloc(strlen(path) + 2);
    t->changed = realloc(t->changed, (t->changes + 1) * sizeof *t->changed);
    if (!mark || !t->changed)
        abort();
    mark[0] = removed ? '-' : '+';
    strcpy(mark + 1, path);
    t->changed[t->changes++] = mark;
}

int store_read(struct store *s, uint32_t transaction, const char *path, char **value, size_t *bytes)
{
    char full[PATH_ROOM];
    struct transaction *t;
    struct tree *tree;
    struct node *n;
    int rc = enter(s, transaction, path, full, &tree, &t);

    n = rc ? NULL : lookup(tree, full);
    if (n) {
        *value = copy(n->value, n->bytes);
        *bytes = n->bytes;
    }
    return leave(s, rc ? rc : n ? 0 : ENOENT);
}

int store_write(struct store *s, uint32_t transaction, const char *path, const void *value,
                size_t bytes)
{
    char full[PATH_ROOM];
    struct transaction *t;
    struct tree *tree;
    int rc = enter(s, transaction, path, full, &tree, &t);

    if (!rc) {
        struct node *n = create(tree, full);

        free(n->value);
        n->value = copy(value, bytes);
        n->bytes = bytes;
        changed(s, t, full, false);
    }
    return leave(s, rc);
}

int store_mkdir(struct store *s, uint32_t transaction, const char *path)
{
    char full[PATH_ROOM];
    struct transaction *t;
    struct tree *tree;
    int rc = enter(s, transaction, path, full, &tree, &t);

    if (!rc && !lookup(tree, full)) {
        create(tree, full);
        changed(s, t, full, false);
    }
    return leave(s, rc);
}

int store_remove(struct store *s, uint32_t transaction, const char *path)
{
    char full[PATH_ROOM];
    struct transaction *t;
    struct tree *tree;
    int rc = enter(s, transaction, path, full, &tree, &t);

    if (!rc && !lookup(tree, full)) {
        char *slash = strrchr(full, '/');

        *slash = 0;
        rc = leave(s, lookup(tree, full[0] ? full : "/") ? 0 : ENOENT);
        return rc;
    }
    if (!rc) {
        size_t kept = 0;

        for (size_t i = 0; i < tree->count; i++) {
            if (below(full, tree->node[i].path))
                node_free(&tree->node[i]);
            else
                tree->node[kept++] = tree->node[i];
        }
        tree->count = kept;
        changed(s, t, full, true);
    }
    return leave(s, rc);
}

int store_list(struct store *s, uint32_t transaction, const char *path, char *out, size_t *bytes)
{
    char full[PATH_ROOM];
    struct transaction *t;
    struct tree *tree;
    size_t used = 0, skip;
    int rc = enter(s, transaction, path, full, &tree, &t);

    if (!rc && !lookup(tree, full))
        rc = ENOENT;
    skip = full[1] ? strlen(full) + 1 : 1;
    for (size_t i = 0; !rc && i < tree->count; i++) {
        const char *name = tree->node[i].path;
        size_t n;

        if (!below(full, name) || strlen(name) <= skip || strchr(name + skip, '/'))
            continue;
        n = strlen(name + skip) + 1;
        if (used + n > *bytes)
            rc = E2BIG;
        else
            memcpy(out + used, name + skip, n);
        used += n;
    }
    *bytes = used;
    return leave(s, rc);
}

int store_set_perms(struct store *s, uint32_t transaction, const char *path, const void *perms,
                    size_t bytes)
{
    char full[PATH_ROOM];
    struct transaction *t;
    struct tree *tree;
    struct node *n;
    int rc = enter(s, transaction, path, full, &tree, &t);

    n = rc ? NULL : lookup(tree, full);
    if (n) {
        free(n->perms);
        n->perms = copy(perms, bytes);
        n->perm_bytes = bytes;
        changed(s, t, full, false);
    }
    return leave(s, rc ? rc : n ? 0 : ENOENT);
}

int store_get_perms(struct store *s, uint32_t transaction, const char *path, void *perms,
                    size_t *bytes)
{
    char full[PATH_ROOM];
    struct transaction *t;
    struct tree *tree;
    struct node *n;
    int rc = enter(s, transaction, path, full, &tree, &t);

    n = rc ? NULL : lookup(tree, full);
    if (n && n->perm_bytes <= *bytes) {
        if (n->perm_bytes)
            memcpy(perms, n->perms, n->perm_bytes);
        *bytes = n->perm_bytes;
    }
    return leave(s, rc ? rc : n ? 0 : ENOENT);
}

int store_begin(struct store *s, uint32_t *transaction)
{
    int rc = EBUSY;

    pthread_mutex_lock(&s->mutex);
    for (int i = 0; i < TRANSACTIONS && rc; i++) {
        struct transaction *t = &s->transaction[i];

        if (t->id)
            continue;
        *t = (struct transaction){
            .id = s->next_id++, .generation = s->generation, .tree = tree_copy(&s->tree)};
        *transaction = t->id;
        rc = 0;
    }
    return leave(s, rc);
}

int store_end(struct store *s, uint32_t transaction, bool abandon)
{
    struct transaction *t;
    int rc = 0;

    pthread_mutex_lock(&s->mutex);
    t = transaction_of(s, transaction);
    if (!t)
        return leave(s, ENOENT);
    if (!abandon && t->generation != s->generation)
        rc = EAGAIN;
    if (!abandon && !rc && t->changes) {
        tree_free(&s->tree);
        s->tree = t->tree;
        t->tree = (struct tree){0};
        s->generation++;
    }
    for (size_t i = 0; i < t->changes; i++) {
        if (!abandon && !rc)
            fire(s, t->changed[i] + 1, t->changed[i][0] == '-');
        free(t->changed[i]);
    }
    free(t->changed);
    tree_free(&t->tree);
    *t = (struct transaction){0};
    return leave(s, rc);
}

int store_watch(struct store *s, int fd, const char *path, const char *token)
{
    char full[PATH_ROOM];
    struct watch *w = calloc(1, sizeof *w);

    if (!w || !absolute(path, full)) {
        free(w);
        return EINVAL;
    }
    pthread_mutex_lock(&s->mutex);
    for (struct watch *o = s->watches; o; o = o->next) {
        if (o->fd != fd || strcmp(o->path, full) || strcmp(o->token, token))
            continue;
        free(w);
        return leave(s, EEXIST);
    }
    *w = (struct watch){.next = s->watches,
                        .fd = fd,
                        .path = copy(full, strlen(full)),
                        .token = copy(token, strlen(token)),
                        .relative = path[0] != '/' && path[0] != '@'};
    s->watches = w;
    send_event(w, full);
    return leave(s, 0);
}

static void drop(struct watch **at)
{
    struct watch *w = *at;

    *at = w->next;
    free(w->path);
    free(w->token);
    free(w);
}

int store_unwatch(struct store *s, int fd, const char *path, const char *token)
{
    char full[PATH_ROOM];
    struct watch **at;

    if (!absolute(path, full))
        return EINVAL;
    pthread_mutex_lock(&s->mutex);
    for (at = &s->watches; *at; at = &(*at)->next)
        if ((*at)->fd == fd && !strcmp((*at)->path, full) && !strcmp((*at)->token, token))
            break;
    if (!*at)
        return leave(s, ENOENT);
    drop(at);
    return leave(s, 0);
}

void store_forget(struct store *s, int fd)
{
    pthread_mutex_lock(&s->mutex);
    for (struct watch **at = &s->watches; *at;) {
        if ((*at)->fd == fd)
            drop(at);
        else
            at = &(*at)->next;
    }
    leave(s, 0);
}

void store_special(struct store *s, const char *name)
{
    pthread_mutex_lock(&s->mutex);
    for (struct watch *w = s->watches; w; w = w->next)
        if (!strcmp(w->path, name))
            send_event(w, name);
    leave(s, 0);
}
