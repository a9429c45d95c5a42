/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The processes slimdm-nbd of this device model, and what they are asked. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "block/block_nbd.h"
#include "build_config.h"
#include "dm/loop.h"
#include "dm/passfd.h"

#define WAITING_MAX   16
#define SERVER_END_MS 10000

struct block_servers {
    struct loop *loop;
    struct nbd_peer *peers;
    bool sealed;
};

struct nbd_peer {
    struct block_servers *servers;
    struct nbd_peer *next;
    unsigned refs;
    char *key; /* its arguments as one text; NULL: never shared */
    int control;
    struct loop_fd lfd;
    /* Questions without an answer, the oldest first; NULL: nobody waits any more. */
    const struct nbd_wanted *waiting[WAITING_MAX];
    unsigned nwaiting;
};

int block_servers_create(struct block_servers **out, struct loop *loop)
{
    *out = calloc(1, sizeof(**out));
    if (!*out)
        return -ENOMEM;
    (*out)->loop = loop;
    return 0;
}

void block_servers_seal(struct block_servers *servers)
{
    servers->sealed = true;
}

bool block_servers_sealed(const struct block_servers *servers)
{
    return servers->sealed;
}

void block_servers_destroy(struct block_servers *servers)
{
    free(servers);
}

struct loop *block_servers_loop(const struct block_servers *servers)
{
    return servers->loop;
}

/* ---- answers -------------------------------------------------------------------------------- */

static void deliver(struct nbd_peer *peer, int fd, const char *reason)
{
    const struct nbd_wanted *wanted = peer->waiting[0];

    peer->nwaiting--;
    memmove(peer->waiting, peer->waiting + 1, peer->nwaiting * sizeof(peer->waiting[0]));
    if (wanted)
        wanted->answer(wanted->opaque, fd, reason);
    else if (fd >= 0)
        close(fd);
}

/* One answer, if it is there. Returns false when slimdm-nbd has gone. */
static bool take_answer(struct nbd_peer *peer)
{
    struct nbd_answer answer = {0};
    int fd;
    ssize_t n = passfd_receive(peer->control, &answer, sizeof(answer), &fd, MSG_DONTWAIT, NULL);

    if (n < 0 && errno == EAGAIN)
        return true;
    if (n != sizeof(answer) || !peer->nwaiting) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    answer.reason[sizeof(answer.reason) - 1] = 0;
    if (fd < 0 && !answer.error)
        answer.error = -EPROTO;
    deliver(peer, fd >= 0 ? fd : answer.error < 0 ? answer.error : -EPROTO, answer.reason);
    return true;
}

static void peer_gone(struct nbd_peer *peer)
{
    loop_fd_remove(peer->servers->loop, &peer->lfd);
    close(peer->control);
    peer->control = -1;
    peer->refs++;
    while (peer->nwaiting)
        deliver(peer, -ECONNRESET, "slimdm-nbd has ended");
    nbd_peer_put(peer, false);
}

static void peer_ready(void *opaque, uint32_t events)
{
    struct nbd_peer *peer = opaque;

    peer->refs++; /* an answer may be the end of the last image */
    if (!take_answer(peer))
        peer_gone(peer);
    nbd_peer_put(peer, false);
}

/* ---- the process ---------------------------------------------------------------------------- */

/* Beside this program, as in the build folder; else where it is installed. */
static void find_program(char *path, size_t size)
{
    ssize_t n = readlink("/proc/self/exe", path, size - 12);
    char *slash;

    path[n < 0 ? 0 : n] = 0;
    slash = strrchr(path, '/');
    if (slash) {
        strcpy(slash + 1, "slimdm-nbd");
        if (access(path, X_OK) == 0)
            return;
    }
    snprintf(path, size, "%s/slimdm-nbd", SLIMDM_LIBEXECDIR);
}

static int spawn(const char *program, const struct nbd_target *target, int control, int image)
{
    const char *argv[NBD_ARGS_MAX + 2] = {"slimdm-nbd"};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t none, all;
    pid_t pid;
    int rc;

    for (unsigned i = 0; i <= NBD_ARGS_MAX; i++)
        argv[i + 1] = target->arg[i];
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, control, NBD_CONTROL_FD);
    if (image >= 0)
        posix_spawn_file_actions_adddup2(&files, image, NBD_IMAGE_FD);
    else
        posix_spawn_file_actions_addclose(&files, NBD_IMAGE_FD);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &all);
    rc = posix_spawn(&pid, program, &files, &attr, (char *const *)argv, environ);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&files);
    if (rc == 0) /* it goes on in a child of its own */
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            ;
    return -rc;
}

/* Descriptors above those that slimdm-nbd has its own at. */
static int dup_high(int fd)
{
    return fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 10);
}

static int peer_start(struct nbd_peer *peer, const struct nbd_target *target, int fd, char *error,
                      size_t error_size)
{
    char program[512];
    int pair[2], control, image = dup_high(fd), rc;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return block_refuse(error, error_size, -errno, "cannot make a socket: %s", strerror(errno));
    control = dup_high(pair[1]);
    close(pair[1]);
    find_program(program, sizeof(program));
    rc = control < 0 || (fd >= 0 && image < 0) ? -errno : spawn(program, target, control, image);
    if (control >= 0)
        close(control);
    if (image >= 0)
        close(image);
    peer->control = pair[0];
    if (!rc)
        rc = loop_fd_add(peer->servers->loop, &peer->lfd, peer->control, EPOLLIN, peer_ready, peer);
    if (rc) {
        close(peer->control);
        peer->control = -1;
        return block_refuse(error, error_size, rc, "cannot start %s: %s", program, strerror(-rc));
    }
    return 0;
}

/* ---- peers ---------------------------------------------------------------------------------- */

static char *make_key(const struct nbd_target *target)
{
    size_t size = 1, at = 0;
    char *key;

    for (unsigned i = 0; target->arg[i]; i++)
        size += strlen(target->arg[i]) + 1;
    key = malloc(size);
    for (unsigned i = 0; key && target->arg[i]; i++)
        at += (size_t)snprintf(key + at, size - at, "%s\n", target->arg[i]);
    return key;
}

static void peer_free(struct nbd_peer *peer)
{
    if (peer->control >= 0) {
        loop_fd_remove(peer->servers->loop, &peer->lfd);
        close(peer->control);
    }
    free(peer->key);
    free(peer);
}

int nbd_peer_get(struct nbd_peer **out, struct block_servers *servers,
                 const struct nbd_target *target, int fd, char *error, size_t error_size)
{
    char *key = fd < 0 ? make_key(target) : NULL;
    struct nbd_peer *peer;
    int rc;

    for (peer = servers->peers; key && peer; peer = peer->next) {
        if (!peer->key || peer->control < 0 || strcmp(peer->key, key))
            continue;
        free(key);
        peer->refs++;
        *out = peer;
        return 0;
    }
    peer = calloc(1, sizeof(*peer));
    if (!peer) {
        free(key);
        return block_refuse(error, error_size, -ENOMEM, "out of memory");
    }
    *peer = (struct nbd_peer){.servers = servers, .refs = 1, .key = key, .control = -1};
    rc = peer_start(peer, target, fd, error, error_size);
    if (rc) {
        peer_free(peer);
        return rc;
    }
    peer->next = servers->peers;
    servers->peers = peer;
    *out = peer;
    return 0;
}

/* A server that still ends has the image's locks: the next one could not open it. */
static void wait_for_end(const struct nbd_peer *peer)
{
    struct pollfd pfd = {.fd = peer->control, .events = POLLIN};
    struct nbd_answer late;

    if (peer->control < 0 || shutdown(peer->control, SHUT_WR) < 0)
        return;
    while (poll(&pfd, 1, SERVER_END_MS) > 0 &&
           recv(peer->control, &late, sizeof(late), MSG_DONTWAIT) > 0)
        ;
}

void nbd_peer_put(struct nbd_peer *peer, bool wait)
{
    if (--peer->refs)
        return;
    if (wait)
        wait_for_end(peer);
    for (struct nbd_peer **at = &peer->servers->peers; *at; at = &(*at)->next)
        if (*at == peer) {
            *at = peer->next;
            break;
        }
    peer_free(peer);
}

int nbd_peer_connect(struct nbd_peer *peer, struct nbd_wanted *wanted)
{
    char question = NBD_CONNECT;

    if (peer->control < 0)
        return -ECONNRESET;
    if (peer->nwaiting == WAITING_MAX)
        return -EAGAIN;
    if (send(peer->control, &question, 1, MSG_NOSIGNAL | MSG_DONTWAIT) != 1)
        return -ECONNRESET;
    peer->waiting[peer->nwaiting++] = wanted;
    return 0;
}

void nbd_peer_forget(struct nbd_peer *peer, const struct nbd_wanted *wanted)
{
    for (unsigned i = 0; i < peer->nwaiting; i++)
        if (peer->waiting[i] == wanted)
            peer->waiting[i] = NULL;
}

void nbd_peer_wait(struct nbd_peer *peer, int timeout_ms)
{
    struct pollfd pfd = {.fd = peer->control, .events = POLLIN};

    if (peer->control >= 0 && poll(&pfd, 1, timeout_ms) > 0)
        peer_ready(peer, EPOLLIN);
}
