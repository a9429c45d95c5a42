/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The device model as a child process: started as libxl starts it, watched, ended. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "guest.h"
#include "rpc.h"

/* Runs in the controller's memory, see dm_start(): changes none of it but its own frame. */
static void child(char **argv, char **environment, int null, int log)
{
    sigset_t none;

    prctl(PR_SET_PDEATHSIG, SIGKILL); /* never left behind */
    setsid();
    signal(SIGPIPE, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (null >= 0)
        dup2(null, 0);
    dup2(log >= 0 ? log : 2, 1);
    if (log >= 0)
        dup2(log, 2);
    execve(argv[0], argv, environment);
    dprintf(2, "fakexen: cannot start %s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

static void set_environment(const struct guest *g)
{
    char number[16];

    snprintf(number, sizeof number, "%u", g->hv->domid);
    setenv("XEN_DOMAIN_ID", number, 1);
    setenv("XEN_QEMU_CONSOLE_LIMIT", "1048576", 1);
    setenv("LD_LIBRARY_PATH", g->dm.lib_dir, 1);
    setenv(RPC_ENV, g->dm.socket, 1);
    if (g->dm.preload)
        setenv("LD_PRELOAD", g->dm.preload, 1);
}

static int start(struct guest *g)
{
    const struct timespec pause = {.tv_nsec = 500000};
    const char *log_path = g->dm.log_path;
    const int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC;
    const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    const int log = log_path ? open(log_path, flags, 0644) : -1;
    pid_t pid;

    /* The kernel has closed the predecessor's files by now; let the server thread see that too. */
    for (int i = 0; i < 2000 && server_dm_died(g); i++)
        nanosleep(&pause, NULL);
    set_environment(g);
    pthread_mutex_lock(&g->dm.lock);
    g->dm.running_ns = 0;
    g->dm.started_ns = now_ns();
    /* A copy of the controller's memory is no part of the device model's start. */
    pid = vfork();
    if (pid == 0)
        child(g->dm.argv, environ, null, log);
    if (pid > 0) {
        g->dm.pid = pid;
        g->dm.reaped = false;
    }
    pthread_mutex_unlock(&g->dm.lock);
    if (null >= 0)
        close(null);
    if (log >= 0)
        close(log);
    return pid < 0 ? -errno : 0;
}

int dm_start(struct guest *g)
{
    return dm_alive(g) ? -EEXIST : start(g);
}

bool dm_alive(struct guest *g)
{
    if (!g->dm.pid || g->dm.reaped)
        return false;
    if (waitpid(g->dm.pid, &g->dm.status, WNOHANG) != g->dm.pid)
        return true;
    g->dm.reaped = true;
    server_dm_died(g);
    return false;
}

void dm_signal(struct guest *g, int number)
{
    if (dm_alive(g))
        kill(g->dm.pid, number);
}

bool dm_wait(struct guest *g, unsigned int timeout_ms)
{
    int64_t end = now_ns() + (int64_t)timeout_ms * 1000000;
    const struct timespec pause = {.tv_nsec = 500000};

    while (dm_alive(g)) {
        if (now_ns() > end)
            return false;
        nanosleep(&pause, NULL);
    }
    return true;
}

/* Processor time of all its threads, from the scheduler's own nanosecond counter. */
uint64_t dm_cpu_ns(struct guest *g)
{
    char path[300];
    unsigned long long total = 0, one;
    struct dirent *e;
    DIR *d;

    snprintf(path, sizeof path, "/proc/%d/task", (int)g->dm.pid);
    d = opendir(path);
    while (d && (e = readdir(d))) {
        FILE *f;

        if (e->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "/proc/%d/task/%s/schedstat", (int)g->dm.pid, e->d_name);
        f = fopen(path, "re");
        if (f && fscanf(f, "%llu", &one) == 1)
            total += one;
        if (f)
            fclose(f);
    }
    if (d)
        closedir(d);
    return total;
}

void dm_told_running(struct guest *g)
{
    struct dm *dm = &g->dm;
    int64_t now = now_ns();

    /* dm_start() holds it until the process is known. */
    pthread_mutex_lock(&dm->lock);
    if (!dm->running_ns) {
        dm->running_ns = now;
        dm->running_cpu = dm_cpu_ns(g);
        pthread_cond_signal(&dm->told);
    }
    pthread_mutex_unlock(&dm->lock);
}

bool dm_wait_running(struct guest *g, unsigned int timeout_ms)
{
    struct dm *dm = &g->dm;
    int64_t end = now_ns() + (int64_t)timeout_ms * 1000000;
    bool running;

    pthread_mutex_lock(&dm->lock);
    while (!(running = dm->running_ns != 0) && now_ns() < end && dm_alive(g)) {
        /* Its death is only seen by looking. */
        int64_t slice = now_ns() + 20000000;
        struct timespec until = {.tv_sec = slice / 1000000000, .tv_nsec = slice % 1000000000};

        pthread_cond_clockwait(&dm->told, &dm->lock, CLOCK_MONOTONIC, &until);
    }
    pthread_mutex_unlock(&dm->lock);
    return running;
}
