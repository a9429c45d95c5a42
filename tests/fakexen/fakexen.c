/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fakexen: simulated Xen for one device model and one HVM guest.
 *
 *   fakexen --dir FOLDER [options] -- /path/to/device-model ARGUMENTS...
 *
 * Listens on FOLDER/qtest (the qtest protocol and the x- extensions, see README.md) and FOLDER/xen
 * (the libraries), prints "listening" when both are there, and ends when its standard input does,
 * taking the device model with it. The device model is started by the command x-start.
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "guest.h"
#include "store.h"

enum { CLIENTS = 16, READ_SIZE = 65536 };

static struct client clients[CLIENTS];

static void fail(const char *what)
{
    fprintf(stderr, "fakexen: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int memory_file(const char *name, uint64_t size)
{
    int fd = memfd_create(name, MFD_CLOEXEC);

    if (fd < 0 || ftruncate(fd, (off_t)size) < 0)
        fail(name);
    return fd;
}

static void *map(int fd, uint64_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);

    if (p == MAP_FAILED)
        fail("mmap");
    return p;
}

/* Guest frames go from 0 to 4 GiB and on to the end of high memory and room for parked video
 * memory. */
static void build(struct guest *g, uint32_t domid, uint32_t vcpus, uint64_t ram_mib,
                  uint64_t video_mib)
{
    uint64_t ram = ram_mib << 20, video = video_mib << 20;
    uint64_t gfns = 0x100000 + ram / HV_PAGE + (256u << 20) / HV_PAGE;
    uint64_t mfns = (ram + 2 * video) / HV_PAGE + 65536,
             size = sizeof(struct hv) + gfns * sizeof(uint32_t);

    g->hv_fd = memory_file("fakexen-state", size);
    g->view.frames_fd = memory_file("fakexen-frames", mfns * HV_PAGE);
    g->view.hole_fd = memory_file("fakexen-hole", 0);
    g->view.irq_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    g->hv = g->view.hv = map(g->hv_fd, size);
    g->frames = map(g->view.frames_fd, mfns * HV_PAGE);
    for (int i = 0; i < HV_HANDLES; i++)
        g->view.event_fd[i] = -1;
    hv_init(g->hv, domid, vcpus, ram, video, gfns, mfns, (uint32_t)size);
}

static void put(struct guest *g, const char *path, const char *value)
{
    char full[256];

    snprintf(full, sizeof full, path, g->hv->domid);
    store_write(g->store, 0, full, value, strlen(value));
}

/* The keys that libxl has written before it starts the device model. */
static void fill_store(struct guest *g, uint64_t ram_mib, uint64_t video_mib)
{
    char text[64];

    put(g, "/local/domain/%u/vm", "/vm/6b8b4567-327b-23c6-643c-986966334873");
    put(g, "/local/domain/%u/name", "guest");
    snprintf(text, sizeof text, "%u", g->hv->domid);
    put(g, "/local/domain/%u/domid", text);
    snprintf(text, sizeof text, "%llu", (unsigned long long)(ram_mib + video_mib) * 1024);
    put(g, "/local/domain/%u/memory/static-max", text);
    snprintf(text, sizeof text, "%llu", (unsigned long long)ram_mib * 1024);
    put(g, "/local/domain/%u/memory/target", text);
    snprintf(text, sizeof text, "%llu", (unsigned long long)video_mib * 1024);
    put(g, "/local/domain/%u/memory/videoram", text);
    put(g, "/local/domain/%u/platform/acpi", "1");
    put(g, "/local/domain/%u/platform/acpi_s3", "1");
    put(g, "/local/domain/%u/platform/acpi_s4", "1");
    put(g, "/local/domain/%u/platform/device-model", "qemu_xen");
    put(g, "/local/domain/%u/hvmloader/bios", "seabios");
    put(g, "/local/domain/%u/hvmloader/allow-memory-relocate", "0");
    put(g, "/local/domain/%u/control/shutdown", "");
    put(g, "/local/domain/%u/image/device-model-pid", "0");
    put(g, "/vm/6b8b4567-327b-23c6-643c-986966334873/rtc/timeoffset", "");
    put(g, "/libxl/%u/dm-version", "qemu_xen");
    snprintf(text, sizeof text, "/local/domain/0/device-model/%u", g->hv->domid);
    store_mkdir(g->store, 0, text);
}

static int listen_on(const char *path)
{
    struct sockaddr_un where = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (strlen(path) >= sizeof where.sun_path) {
        errno = ENAMETOOLONG;
        fail(path);
    }
    strcpy(where.sun_path, path);
    if (fd < 0 || bind(fd, (struct sockaddr *)&where, sizeof where) < 0 || listen(fd, 8) < 0)
        fail(path);
    return fd;
}

static void client_close(struct client *c)
{
    close(c->fd);
    free(c->in);
    for (unsigned int i = 0; i < c->lines; i++)
        free(c->body[i]);
    free(c->body);
    *c = (struct client){.fd = -1};
}

static void send_all(struct client *c, const char *text, size_t bytes)
{
    while (bytes) {
        ssize_t n = send(c->fd, text, bytes, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            c->quit = true;
            return;
        }
        text += n;
        bytes -= (size_t)n;
    }
}

static void do_line(struct guest *g, struct client *c, char *line)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);

    if (!out)
        fail("memory");
    qtest_line(g, c, line, out);
    fclose(out);
    send_all(c, text, bytes);
    free(text);
}

static void client_input(struct guest *g, struct client *c)
{
    ssize_t n;
    char *newline;
    size_t used = 0;

    if (c->room - c->have < READ_SIZE) {
        c->room = c->room * 2 + READ_SIZE;
        c->in = realloc(c->in, c->room);
        if (!c->in)
            fail("memory");
    }
    n = recv(c->fd, c->in + c->have, c->room - c->have, 0);
    if (n <= 0) {
        c->quit = true;
        return;
    }
    c->have += (size_t)n;
    while (!c->quit && (newline = memchr(c->in + used, '\n', c->have - used))) {
        size_t end = (size_t)(newline - c->in);

        *newline = 0;
        if (end > used && c->in[end - 1] == '\r')
            c->in[end - 1] = 0;
        do_line(g, c, c->in + used);
        used = end + 1;
    }
    c->have -= used;
    memmove(c->in, c->in + used, c->have);
}

/* Lines that moved without any client asking. */
static void tell_irqs(struct guest *g)
{
    char *text = NULL;
    size_t bytes = 0;
    uint64_t count;
    FILE *out = open_memstream(&text, &bytes);

    if (read(g->view.irq_fd, &count, sizeof count) < 0 && errno != EAGAIN)
        fail("irq eventfd");
    if (!out)
        fail("memory");
    qtest_irqs(g, out);
    fclose(out);
    for (int i = 0; i < CLIENTS && bytes; i++)
        if (clients[i].fd >= 0)
            send_all(&clients[i], text, bytes);
    free(text);
}

static void loop(struct guest *g, int listener)
{
    for (;;) {
        struct pollfd p[CLIENTS + 3] = {{.fd = 0, .events = POLLIN},
                                        {.fd = listener, .events = POLLIN},
                                        {.fd = g->view.irq_fd, .events = POLLIN}};
        char byte;

        for (int i = 0; i < CLIENTS; i++)
            p[i + 3] = (struct pollfd){.fd = clients[i].fd, .events = POLLIN};
        if (poll(p, CLIENTS + 3, 200) < 0)
            continue;
        dm_alive(g);
        after_request(g);
        if (p[0].revents && read(0, &byte, 1) <= 0)
            return;
        if (p[2].revents)
            tell_irqs(g);
        for (int i = 0; i < CLIENTS; i++) {
            if (p[i + 3].revents && clients[i].fd >= 0)
                client_input(g, &clients[i]);
            if (clients[i].quit)
                client_close(&clients[i]);
        }
        for (int i = 0; p[1].revents && i < CLIENTS; i++) {
            if (clients[i].fd >= 0)
                continue;
            clients[i].fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
            break;
        }
    }
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"dir", required_argument, NULL, 'd'},
        {"ram", required_argument, NULL, 'r'},
        {"video", required_argument, NULL, 'v'},
        {"vcpus", required_argument, NULL, 'c'},
        {"domid", required_argument, NULL, 'n'},
        {"lib", required_argument, NULL, 'l'},
        {"log", required_argument, NULL, 'o'},
        {"preload", required_argument, NULL, 'p'},
        {NULL, 0, NULL, 0},
    };
    static struct guest guest = {.spin_us = 30, .timeout_ms = 10000};
    uint64_t ram = 256, video = 16;
    uint32_t domid = 1, vcpus = 1;
    const char *dir = NULL;
    char path[200];
    int option, rc, listener;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'd':
            dir = optarg;
            break;
        case 'r':
            ram = strtoull(optarg, NULL, 0);
            break;
        case 'v':
            video = strtoull(optarg, NULL, 0);
            break;
        case 'c':
            vcpus = (uint32_t)strtoul(optarg, NULL, 0);
            break;
        case 'n':
            domid = (uint32_t)strtoul(optarg, NULL, 0);
            break;
        case 'l':
            guest.dm.lib_dir = optarg;
            break;
        case 'o':
            guest.dm.log_path = optarg;
            break;
        case 'p':
            guest.dm.preload = optarg;
            break;
        default:
            return 2;
        }
    }
    if (!dir || !guest.dm.lib_dir || optind == argc || !vcpus || vcpus > HV_VCPUS || !ram ||
        ram > 65536) {
        fprintf(stderr,
                "usage: fakexen --dir FOLDER --lib FOLDER [--ram MIB] [--video MIB] [--vcpus N] "
                "[--domid N]\n"
                "               [--log FILE] [--preload LIBRARIES] -- DEVICE-MODEL ARGUMENTS...\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    guest.dm.argv = argv + optind;
    pthread_mutex_init(&guest.dm.lock, NULL);
    pthread_cond_init(&guest.dm.told, NULL);
    guest.started_ns = now_ns();
    build(&guest, domid, vcpus, ram, video);
    guest.store = store_new();
    fill_store(&guest, ram, video);
    for (int i = 0; i < CLIENTS; i++)
        clients[i].fd = -1;
    snprintf(guest.dm.socket, sizeof guest.dm.socket, "%s/xen", dir);
    rc = server_start(&guest, guest.dm.socket);
    if (rc) {
        errno = -rc;
        fail(guest.dm.socket);
    }
    snprintf(path, sizeof path, "%s/qtest", dir);
    listener = listen_on(path);
    puts("listening");
    fflush(stdout);
    loop(&guest, listener);
    dm_signal(&guest, SIGKILL);
    dm_wait(&guest, 5000);
    return 0;
}
