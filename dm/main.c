/* SPDX-License-Identifier: GPL-2.0-or-later */
/* slimdm: the device model of one Xen HVM guest. What it is asked for, and what it answers at once.
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dm/dm.h"
#include "dm/log.h"
#include "dm/savefile.h"

static int dump_state(const char *file)
{
    char err[SAVEFILE_ERROR_MAX];
    void *buf;
    size_t len;
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    int rc;

    if (fd < 0) {
        log_error("--dump-state %s: %s", file, strerror(errno));
        return 1;
    }
    rc = savefile_read_fd(fd, &buf, &len, err);
    close(fd);
    if (!rc) {
        rc = savefile_print(buf, len, stdout, err);
        free(buf);
    }
    if (rc)
        log_error("--dump-state %s: %s", file, err);
    return rc ? 1 : 0;
}

static int write_pidfile(const char *file)
{
    char text[16];
    int len = snprintf(text, sizeof(text), "%d\n", getpid());
    int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool ok = fd >= 0 && write(fd, text, (size_t)len) == len;

    if (!ok)
        log_error("-pidfile %s: %s", file, strerror(errno));
    if (fd >= 0)
        close(fd);
    return ok ? 0 : -EIO;
}

static int open_log(const char *file)
{
    int fd = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0 || dup2(fd, STDERR_FILENO) < 0) {
        log_error("-D %s: %s", file, strerror(errno));
        return -EIO;
    }
    close(fd);
    return 0;
}

/* A descriptor 0, 1 or 2 that is closed would be taken by the next file, and logged into. */
static void fill_standard_descriptors(void)
{
    for (int fd = 0; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0)
            return;
}

/* SLIMDM_LOG=error|warning|info|debug: how much is said; libxl passes its environment on. */
static void set_log_level(void)
{
    static const char *const name[] = {"error", "warning", "info", "debug"};
    const char *wanted = getenv("SLIMDM_LOG");

    for (size_t i = 0; wanted && i < sizeof(name) / sizeof(name[0]); i++) {
        if (strcmp(wanted, name[i]) == 0) {
            log_set_level((enum log_level)i);
            return;
        }
    }
    if (wanted && *wanted)
        log_warn("SLIMDM_LOG=%s: expected error, warning, info or debug", wanted);
}

static int run(struct config *config)
{
    switch (config->mode) {
    case CONFIG_MODE_HELP:
        fputs(config_help_text(), stdout);
        return 0;
    case CONFIG_MODE_VERSION:
        fputs(config_version_text(), stdout);
        return 0;
    case CONFIG_MODE_DUMP_STATE:
        return dump_state(config->dump_state_file);
    case CONFIG_MODE_PROBE:
        return dm_run_probe(config);
    case CONFIG_MODE_HVM:
        break;
    }
    if (config->log_file && open_log(config->log_file))
        return 1;
    if (config->pidfile && write_pidfile(config->pidfile))
        return 1;
    return dm_run(config);
}

/*
 * The tables of start-up are large and stay nearly empty: in mappings of their own only those pages
 * count that are used. (They would still go into a heap that has room for them.) dm_run() ends this
 * before the guest runs.
 */
static void allocate_sparsely(void)
{
    mallopt(M_MMAP_THRESHOLD, 16 << 10);
    mallopt(M_TOP_PAD, 12 << 10);
}

int main(int argc, char **argv)
{
    struct config_messages msgs;
    struct config *config;
    int status = 1;

    allocate_sparsely();
    fill_standard_descriptors();
    set_log_level();
    if (config_parse(argc, argv, &config, &msgs)) {
        log_error("%s", msgs.error ? msgs.error : "out of memory");
    } else {
        if (config->mode == CONFIG_MODE_HVM)
            for (size_t i = 0; i < msgs.notice_count; i++)
                log_warn("%s", msgs.notice[i]);
        status = run(config);
    }
    config_messages_free(&msgs);
    config_free(config);
    if (fflush(stdout))
        status = 1;
    return status;
}
