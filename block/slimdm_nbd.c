/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * slimdm-nbd: the way of one image to its NBD server. The device model starts it before it gives
 * up its rights, and asks it for a connection whenever it needs one: at first, and after the server
 * has gone away.
 *
 *     slimdm-nbd unix PATH               connects to a server
 *     slimdm-nbd tcp HOST PORT
 *     slimdm-nbd run PROGRAM [ARG...]    starts a server, on a socket that nobody else can reach,
 *                                        and again when it has died
 *
 * It ends, and its server with it, when the device model closes its end of the control socket.
 * It holds no handle of Xen and sees no byte of the image.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "block/nbd_wire.h"
#include "dm/passfd.h"

#define CONNECT_MS    8000
#define SERVER_END_MS 30000
#define LISTEN_FD     3 /* where socket activation has it */

struct server {
    char **argv;
    int listen_fd;
    int socket_path_fd; /* O_PATH: the socket's name is gone as soon as it is bound */
    pid_t pid;          /* 0: not running */
    int pidfd;          /* readable when it has died; -1: not running, or not known */
    bool trusted;       /* somebody has been connected since it was started */
};

static int fail(struct nbd_answer *answer, int error, const char *what, const char *object)
{
    answer->error = -error;
    snprintf(answer->reason, sizeof(answer->reason), "%s %.100s: %s", what, object,
             strerror(error));
    return -1;
}

/* ---- connections ---------------------------------------------------------------------------- */

static int connect_within(int fd, const struct sockaddr *addr, socklen_t len)
{
    struct pollfd pfd = {.fd = fd, .events = POLLOUT};
    int error = 0;
    socklen_t size = sizeof(error);

    if (connect(fd, addr, len) == 0)
        return 0;
    if (errno != EINPROGRESS)
        return -errno;
    if (poll(&pfd, 1, CONNECT_MS) <= 0)
        return -ETIMEDOUT;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
        return -errno;
    return -error;
}

static int connect_unix(const char *path, struct nbd_answer *answer)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd, rc;

    if (strlen(path) >= sizeof(addr.sun_path))
        return fail(answer, ENAMETOOLONG, "cannot connect to", path);
    strcpy(addr.sun_path, path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return fail(answer, errno, "cannot connect to", path);
    rc = connect_within(fd, (struct sockaddr *)&addr, sizeof(addr));
    if (rc == 0)
        return fd;
    close(fd);
    return fail(answer, -rc, "cannot connect to", path);
}

static int connect_tcp(const char *host, const char *port, struct nbd_answer *answer)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *all;
    int rc = getaddrinfo(host, port, &hints, &all), fd = -1, error = ENOENT;

    if (rc) {
        answer->error = -EHOSTUNREACH;
        snprintf(answer->reason, sizeof(answer->reason), "cannot find %.100s: %s", host,
                 gai_strerror(rc));
        return -1;
    }
    for (struct addrinfo *ai = all; ai && fd < 0; ai = ai->ai_next) {
        fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
            continue;
        error = -connect_within(fd, ai->ai_addr, ai->ai_addrlen);
        if (error) {
            close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(all);
    return fd >= 0 ? fd : fail(answer, error, "cannot connect to", host);
}

/* ---- a server of our own -------------------------------------------------------------------- */

/* A listening socket in a folder of its own, whose name is taken away at once. */
static int server_listen(struct server *server)
{
    const char *tmp = getenv("TMPDIR");
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    char dir[96];
    int rc = -1;

    server->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(dir, sizeof(dir), "%.60s/slimdm-nbd.XXXXXX",
             access("/run", W_OK) == 0 ? "/run"
             : tmp                     ? tmp
                                       : "/tmp");
    if (server->listen_fd < 0 || !mkdtemp(dir))
        return -errno;
    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/socket", dir);
    if (bind(server->listen_fd, (struct sockaddr *)&addr, sizeof(addr)) == 0 &&
        listen(server->listen_fd, 16) == 0) {
        server->socket_path_fd = open(addr.sun_path, O_PATH | O_CLOEXEC);
        rc = server->socket_path_fd < 0 ? -errno : 0;
    } else {
        rc = -errno;
    }
    unlink(addr.sun_path);
    rmdir(dir);
    return rc;
}

static void server_exec(const struct server *server)
{
    char pid[24];

    snprintf(pid, sizeof(pid), "%d", (int)getpid());
    setenv("LISTEN_PID", pid, 1);
    setenv("LISTEN_FDS", "1", 1);
    unsetenv("LISTEN_FDNAMES");
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (dup2(server->listen_fd, LISTEN_FD) < 0)
        _exit(126);
    execvp(server->argv[0], server->argv);
    fprintf(stderr, "slimdm-nbd: cannot start %s: %s\n", server->argv[0], strerror(errno));
    _exit(127);
}

static void server_check(struct server *server)
{
    /* Gone as well when somebody else has waited for it: it is no child any more. */
    if (!server->pid || waitpid(server->pid, NULL, WNOHANG) == 0)
        return;
    server->pid = 0;
    if (server->pidfd >= 0)
        close(server->pidfd);
    server->pidfd = -1;
}

static int server_start(struct server *server)
{
    pid_t pid = fork();

    if (pid < 0)
        return -errno;
    if (pid == 0)
        server_exec(server);
    server->pid = pid;
    server->pidfd = pidfd_open(pid, 0);
    server->trusted = false;
    return 0;
}

/*
 * A server that dies closes its connections first, and can be waited for somewhat later. Who asks
 * for another connection in between gets one that only waits at the socket: the next server finds
 * it there. One that dies before it has served anybody is not started again.
 */
static void server_died(struct server *server)
{
    struct pollfd pfd = {.fd = server->listen_fd, .events = POLLIN};

    server_check(server);
    if (!server->pid && server->trusted && poll(&pfd, 1, 0) > 0)
        server_start(server);
}

static int server_connect(struct server *server, struct nbd_answer *answer)
{
    char path[40];
    int rc;

    server_check(server);
    server->trusted = server->pid != 0;
    rc = server->trusted ? 0 : server_start(server);
    if (rc)
        return fail(answer, -rc, "cannot start", server->argv[0]);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", server->socket_path_fd);
    return connect_unix(path, answer);
}

/* The device model has gone: the server writes back what it holds, and ends. */
static void server_stop(struct server *server)
{
    if (!server->pid)
        return;
    kill(server->pid, SIGTERM);
    for (int ms = 0; ms < SERVER_END_MS; ms += 10) {
        server_check(server);
        if (!server->pid)
            return;
        poll(NULL, 0, 10);
    }
}

/* ---- the control socket --------------------------------------------------------------------- */

/* Waits for a question; returns false when the device model has gone. */
static bool is_asked(struct server *server)
{
    struct pollfd pfd[] = {{.fd = NBD_CONTROL_FD, .events = POLLIN}, {.events = POLLIN}};
    char question;

    do {
        pfd[1].fd = server->pidfd;
        if (poll(pfd, 2, -1) < 0 && errno != EINTR)
            return false;
        if (pfd[1].revents)
            server_died(server);
    } while (!pfd[0].revents);
    return recv(NBD_CONTROL_FD, &question, 1, 0) == 1;
}

static void answer_with(const struct nbd_answer *answer, int fd)
{
    if (passfd_send(NBD_CONTROL_FD, answer, sizeof(*answer), fd, 0) < 0)
        exit(1);
    if (fd >= 0)
        close(fd);
}

static int connect_once(char **argv, struct server *server, struct nbd_answer *answer)
{
    if (server)
        return server_connect(server, answer);
    if (!strcmp(argv[1], "unix"))
        return connect_unix(argv[2], answer);
    return connect_tcp(argv[2], argv[3], answer);
}

/* The limits of the device model's process are not meant for the server of its disk. */
static void lift_limits(void)
{
    struct rlimit none = {RLIM_INFINITY, RLIM_INFINITY}, own;

    if (setrlimit(RLIMIT_FSIZE, &none) == 0 || getrlimit(RLIMIT_FSIZE, &own))
        return;
    own.rlim_cur = own.rlim_max;
    setrlimit(RLIMIT_FSIZE, &own);
}

int main(int argc, char **argv)
{
    struct server server = {.argv = argv + 2, .listen_fd = -1, .socket_path_fd = -1, .pidfd = -1};
    bool runs = argc >= 3 && !strcmp(argv[1], "run");
    struct stat st;
    int rc;

    if (!runs && !(argc == 3 && !strcmp(argv[1], "unix")) &&
        !(argc == 4 && !strcmp(argv[1], "tcp"))) {
        fprintf(stderr, "slimdm-nbd is started by slimdm\n");
        return 2;
    }
    if (fstat(NBD_CONTROL_FD, &st) || !S_ISSOCK(st.st_mode)) {
        fprintf(stderr, "slimdm-nbd is started by slimdm\n");
        return 2;
    }
    /* Nobody has to wait for our end. */
    if (fork() > 0)
        _exit(0);
    /* Others of the terminal's or the service's group are ended together, we end after them. */
    setsid();
    fcntl(NBD_CONTROL_FD, F_SETFD, FD_CLOEXEC);
    close_range(NBD_IMAGE_FD + 1, ~0U, 0);
    lift_limits();
    rc = runs ? server_listen(&server) : 0;
    while (is_asked(&server)) {
        struct nbd_answer answer = {0};
        int fd = -1;

        if (rc)
            fail(&answer, -rc, "cannot listen for", "the image's server");
        else
            fd = connect_once(argv, runs ? &server : NULL, &answer);
        answer_with(&answer, fd);
    }
    server_stop(&server);
    return 0;
}
