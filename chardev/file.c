/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Output to a regular file. A write to it may wait for the disk, so that a worker does it: one
 * write at a time, of all that has come together meanwhile.
 */
#include "chardev/backend.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dm/log.h"

#define JOB_BYTES 16384u

/* What a worker has in hands. It outlives the chardev when that is destroyed meanwhile. */
struct file_job {
    struct file *file; /* NULL when the chardev is gone */
    int fd;            /* owned by the job */
    struct work_item item;
    int error; /* of the last write: 0 or -errno */
    size_t len, rest_len;
    uint8_t data[JOB_BYTES];
    uint8_t rest[CHARDEV_BUFFER]; /* what was still behind it when the chardev went */
};

struct file {
    struct chardev chr;
    struct file_job *job;
    bool job_runs;
    bool complained;
};

/* All of it, or the error that stopped it. */
static int write_all(int fd, const uint8_t *data, size_t len)
{
    while (len) {
        ssize_t n = write(fd, data, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

static void job_work(void *opaque)
{
    struct file_job *job = opaque;

    job->error = write_all(job->fd, job->data, job->len);
}

static void job_free(struct file_job *job)
{
    if (job->fd >= 0)
        close(job->fd);
    free(job);
}

static void complain(struct file *file, int rc)
{
    if (rc && !file->complained)
        log_warn("%s: output is lost: %s", file->chr.label, strerror(-rc));
    file->complained = rc != 0;
}

static void job_done(void *opaque)
{
    struct file_job *job = opaque;
    struct file *file = job->file;

    if (!file) {
        if (write_all(job->fd, job->rest, job->rest_len))
            log_warn("the end of a file of serial output is lost");
        job_free(job);
        return;
    }
    file->job_runs = false;
    complain(file, job->error);
    file->chr.blocked = false;
    chardev_flush(&file->chr);
}

static ssize_t file_write(struct chardev *chr, const uint8_t *data, size_t len)
{
    struct file *file = (struct file *)chr;
    struct file_job *job = file->job;

    if (!chr->workers) {
        complain(file, write_all(job->fd, data, len));
        return (ssize_t)len;
    }
    if (file->job_runs)
        return -EAGAIN;
    job->len = len < JOB_BYTES ? len : JOB_BYTES;
    memcpy(job->data, data, job->len);
    file->job_runs = true;
    workers_submit(chr->workers, &job->item);
    return (ssize_t)job->len;
}

static void file_destroy(struct chardev *chr)
{
    struct file *file = (struct file *)chr;

    struct file_job *job = file->job;
    const uint8_t *data;
    size_t len;

    if (!job)
        return;
    if (!file->job_runs) {
        job_free(job);
        return;
    }
    job->file = NULL;
    while ((len = chardev_peek(chr, &data)) > 0) {
        memcpy(job->rest + job->rest_len, data, len);
        job->rest_len += len;
        chardev_pop(chr, len);
    }
}

static const struct chardev_backend file_backend = {
    .name = "file", .write = file_write, .destroy = file_destroy};

int chardev_open_file(struct chardev **out, struct loop *loop, struct workers *workers,
                      const struct chardev_config *config)
{
    struct chardev *chr =
        chardev_alloc(sizeof(struct file), &file_backend, loop, workers, config->label);
    struct file *file = (struct file *)chr;
    struct file_job *job;
    int rc = 0;

    if (!chr)
        return -ENOMEM;
    job = file->job = malloc(sizeof(*job));
    if (!job) {
        chardev_destroy(chr);
        return -ENOMEM;
    }
    job->file = file;
    job->rest_len = 0;
    job->item = (struct work_item){.work = job_work, .done = job_done, .opaque = job};
    chr->stall_ns = CHARDEV_FILE_STALL_NS;
    /* Links are followed: the name is the administrator's, who may have put one there. */
    job->fd = open(
        config->path,
        O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY | (config->append ? O_APPEND : O_TRUNC), 0600);
    if (job->fd < 0) {
        rc = -errno;
        log_error("%s: file %s: %s", config->label, config->path, strerror(-rc));
        chardev_destroy(chr);
        return rc;
    }
    chr->writable = true;
    *out = chr;
    return 0;
}
