/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Images behind NBD servers: real ones (qemu-nbd, nbdkit), which come and go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "block/block.h"
#include "block/block_nbd.h"
#include "dm/loop.h"

#define MIB (1u << 20)

struct fixture {
    struct loop *loop;
    struct workers *workers;
    struct block_servers *servers;
    char dir[64], path[128];
    int completed;
    unsigned told;
    struct block_error last;
    struct block_request req;
};

static void completed(void *opaque, struct block_request *req)
{
    ((struct fixture *)opaque)->completed++;
}

static void told(void *opaque, const struct block_error *error)
{
    struct fixture *f = opaque;

    f->told++;
    f->last = *error;
}

static int shell(const char *fmt, const char *a, const char *b)
{
    char command[512];

    snprintf(command, sizeof(command), fmt, a, b);
    return system(command);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    const char *dir = getenv("TMPDIR");

    if (!f || loop_create(&f->loop) || workers_create(&f->workers, f->loop, 2) ||
        block_servers_create(&f->servers, f->loop))
        return -1;
    snprintf(f->dir, sizeof(f->dir), "%s/nbd.XXXXXX", dir ? dir : P_tmpdir);
    if (!mkdtemp(f->dir))
        return -1;
    snprintf(f->path, sizeof(f->path), "%s/an,image", f->dir);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    workers_destroy(f->workers);
    block_servers_destroy(f->servers);
    loop_destroy(f->loop);
    shell("rm -rf %s%s", f->dir, "");
    free(f);
    return 0;
}

static bool have(const char *program)
{
    return shell("command -v %s >%s", program, "/dev/null") == 0;
}

static int open_image(struct fixture *f, struct block **block, const char *path, const char *format,
                      char *error, size_t size)
{
    struct block_options options = {.workers = f->workers,
                                    .format = format,
                                    .discard = true,
                                    .lock = true,
                                    .servers = f->servers};

    *error = 0;
    return block_open_path(block, path, &options, error, size);
}

static struct block *open_or_fail(struct fixture *f, const char *path, const char *format)
{
    struct block *block;
    char error[400];

    if (open_image(f, &block, path, format, error, sizeof(error)))
        fail_msg("%s", error);
    return block;
}

static void start(struct fixture *f, struct block *block, enum block_op op, uint64_t offset,
                  void *buf, size_t bytes)
{
    struct block_request *req = &f->req;

    *req = (struct block_request){
        .op = op, .offset = offset, .bytes = bytes, .complete = completed, .opaque = f};
    if (op == BLOCK_READ || op == BLOCK_WRITE) {
        /* In two pieces, as guests' memory is. */
        req->niov = 2;
        req->iov[0] = (struct iovec){buf, bytes / 2};
        req->iov[1] = (struct iovec){(uint8_t *)buf + bytes / 2, bytes - bytes / 2};
    }
    f->completed = block_submit(block, req) == BLOCK_DONE;
}

static int finish(struct fixture *f)
{
    time_t end = time(NULL) + 30;

    while (!f->completed) {
        assert_true(time(NULL) < end);
        loop_turn(f->loop, 100);
    }
    return f->req.error;
}

static int run(struct fixture *f, struct block *block, enum block_op op, uint64_t offset, void *buf,
               size_t bytes)
{
    start(f, block, op, offset, buf, bytes);
    return finish(f);
}

static void fill(uint8_t *buf, size_t bytes, unsigned seed)
{
    for (size_t i = 0; i < bytes; i++)
        buf[i] = (uint8_t)(i * 31 + i / 509 + seed);
}

/* The pid of the qemu-nbd that serves our image: its command line has the path's folder. */
static pid_t server_pid(struct fixture *f)
{
    char command[200], line[32] = "";
    FILE *p;

    snprintf(command, sizeof(command), "pgrep -n -f '^(qemu-nbd|nbdkit) .*%s'", f->dir);
    p = popen(command, "r");
    if (!p || !fgets(line, sizeof(line), p))
        line[0] = 0;
    if (p)
        pclose(p);
    return (pid_t)atoi(line);
}

/* ---- what a path means ---------------------------------------------------------------------- */

static void check_target(const char *path, const char *format, const char *expected,
                         const char *export_name)
{
    static struct nbd_target t;
    struct block_options options = {.format = format, .discard = true, .lock = true};
    char text[1024] = "", error[400];
    size_t at = 0;

    assert_int_equal(nbd_target_parse(&t, path, -1, &options, error, sizeof(error)), 0);
    for (unsigned i = 0; t.arg[i]; i++)
        at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s", i ? " " : "", t.arg[i]);
    assert_string_equal(text, expected);
    assert_string_equal(t.export_name, export_name);
}

static void test_paths_name_servers(void **state)
{
    check_target("nbd:host:10810", NULL, "tcp host 10810", "");
    check_target("nbd:host:10810:exportname=a:b", "raw", "tcp host 10810", "a:b");
    check_target("nbd:[::1]:7", NULL, "tcp ::1 7", "");
    check_target("nbd:unix:/run/s", NULL, "unix /run/s", "");
    check_target("nbd:unix:/run/s:exportname=x", NULL, "unix /run/s", "x");
    check_target("nbd://host", NULL, "tcp host 10809", "");
    check_target("nbd://host:1/name%20two", NULL, "tcp host 1", "name two");
    check_target("nbd+unix:///?socket=/run/a%2Cb", "raw", "unix /run/a,b", "");
    check_target("nbd+unix:///disk?socket=/run/s", NULL, "unix /run/s", "disk");
    check_target("/a,b.qcow2", "qcow2",
                 "run qemu-nbd --persistent --shared=0 --cache=writeback --discard=unmap "
                 "--image-opts driver=qcow2,file.driver=file,file.filename=/a,,b.qcow2",
                 "");
    check_target("/x.vhd", "vhd",
                 "run qemu-nbd --persistent --shared=0 --cache=writeback --discard=unmap "
                 "--image-opts driver=vpc,file.driver=file,file.filename=/x.vhd",
                 "");
    check_target("nbd://h/q", "qcow2",
                 "run qemu-nbd --persistent --shared=0 --cache=writeback --discard=unmap "
                 "--format=qcow2 nbd://h/q",
                 "");
}

static void test_nothing_else_is_run(void **state)
{
    static const char *const bad[] = {
        "json:{}",       "exec:x",       "fat:/",         "nbd:",     "nbd:unix:", "nbd://",
        "nbd+unix:///x", "blkdebug:x:y", "nbds://host/x", "nbd:host", "vvfat:/etc"};
    static struct nbd_target t;
    struct block_options options = {0};
    char error[400];

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (strcmp(bad[i], "nbd:host")) /* has a port of its own */
            assert_int_equal(nbd_target_parse(&t, bad[i], -1, &options, error, sizeof(error)),
                             -EINVAL);
    options.format = "luks";
    assert_int_equal(nbd_target_parse(&t, "/x", -1, &options, error, sizeof(error)), -EINVAL);
    assert_non_null(strstr(error, "luks"));
}

/* ---- formats -------------------------------------------------------------------------------- */

static void make_image(struct fixture *f, const char *format)
{
    assert_int_equal(shell("qemu-img create -q -f %s '%s' 16M", format, f->path), 0);
}

static void test_qcow2_keeps_what_is_written(void **state)
{
    struct fixture *f = *state;
    uint8_t *buf = malloc(MIB), *back = calloc(1, MIB);
    struct block *block;

    if (!have("qemu-nbd"))
        skip();
    make_image(f, "qcow2");
    fill(buf, MIB, 1);
    block = open_or_fail(f, f->path, "qcow2");
    assert_int_equal(block_size(block), 16 * MIB);
    assert_true(block_can_discard(block));
    assert_int_equal(run(f, block, BLOCK_WRITE, 4096, buf, MIB), 0);
    assert_int_equal(f->req.done, MIB);
    assert_int_equal(run(f, block, BLOCK_FLUSH, 0, NULL, 0), 0);
    assert_int_equal(run(f, block, BLOCK_READ, 4096, back, MIB), 0);
    assert_memory_equal(buf, back, MIB);
    assert_int_equal(run(f, block, BLOCK_DISCARD, 65536 * 2, NULL, 65536), 0);
    assert_int_equal(run(f, block, BLOCK_READ, 65536 * 2, back, 65536), 0);
    assert_int_equal(block_close(block), 0);
    /* and again, from its own server */
    block = open_or_fail(f, f->path, "qcow2");
    assert_int_equal(block_read_now(block, 4096, back, 8192), 0);
    assert_memory_equal(buf, back, 8192);
    assert_int_equal(block_close(block), 0);
    free(buf);
    free(back);
}

static void test_two_images_of_a_file_share_its_server(void **state)
{
    struct fixture *f = *state;
    uint8_t buf[4096], back[4096];
    struct block *a, *b;

    if (!have("qemu-nbd"))
        skip();
    make_image(f, "qcow2");
    a = open_or_fail(f, f->path, "qcow2");
    b = open_or_fail(f, f->path, "qcow2");
    fill(buf, sizeof(buf), 7);
    assert_int_equal(run(f, a, BLOCK_WRITE, 0, buf, sizeof(buf)), 0);
    assert_int_equal(run(f, b, BLOCK_READ, 0, back, sizeof(back)), 0);
    assert_memory_equal(buf, back, sizeof(buf));
    assert_int_equal(block_close(a), 0);
    assert_int_equal(run(f, b, BLOCK_READ, 0, back, sizeof(back)), 0);
    assert_int_equal(block_close(b), 0);
}

static void test_other_formats_and_what_they_are_not(void **state)
{
    static const char *const formats[] = {"qcow", "vpc", "vmdk", "vdi"};
    struct fixture *f = *state;
    uint8_t buf[512], back[512];
    struct block *block;
    char error[400];

    if (!have("qemu-nbd"))
        skip();
    fill(buf, sizeof(buf), 3);
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        make_image(f, formats[i]);
        block = open_or_fail(f, f->path, formats[i]);
        assert_int_equal(run(f, block, BLOCK_WRITE, 512, buf, 512), 0);
        assert_int_equal(run(f, block, BLOCK_READ, 512, back, 512), 0);
        assert_memory_equal(buf, back, 512);
        assert_int_equal(block_close(block), 0);
    }
    /* the wrong word is an error, not a guess */
    assert_int_not_equal(open_image(f, &block, f->path, "qcow2", error, sizeof(error)), 0);
    assert_non_null(strstr(error, f->path));
}

static void test_cve_2008_2004_a_header_in_a_raw_image_stays_data(void **state)
{
    struct fixture *f = *state;
    uint8_t back[512];
    struct block *block;
    int fd;

    if (!have("qemu-nbd"))
        skip();
    make_image(f, "qcow2");
    block = open_or_fail(f, f->path, "raw");
    assert_true(block_size(block) < 16 * MIB);
    assert_int_equal(block_read_now(block, 0, back, sizeof(back)), 0);
    assert_memory_equal(back, "QFI\xfb", 4);
    assert_int_equal(block_close(block), 0);
    fd = open(f->path, O_RDONLY);
    assert_true(fd >= 0);
    close(fd);
}

static void test_image_by_descriptor(void **state)
{
    struct fixture *f = *state;
    struct block_options options = {
        .workers = f->workers, .format = "qcow2", .read_only = true, .servers = f->servers};
    struct block *block;
    char error[400] = "";
    uint8_t buf[512];
    int fd;

    if (!have("qemu-nbd"))
        skip();
    make_image(f, "qcow2");
    fd = open(f->path, O_RDONLY | O_CLOEXEC);
    if (block_open_fd(&block, fd, "/dev/fdset/0", &options, error, sizeof(error)))
        fail_msg("%s", error);
    close(fd);
    assert_true(block_read_only(block));
    assert_int_equal(run(f, block, BLOCK_READ, 0, buf, 512), 0);
    assert_int_equal(run(f, block, BLOCK_WRITE, 0, buf, 512), -EROFS);
    assert_int_equal(block_close(block), 0);
}

/* ---- servers that go away ------------------------------------------------------------------- */

static void kill_server(struct fixture *f)
{
    pid_t pid = server_pid(f);

    assert_true(pid > 1);
    kill(pid, SIGKILL);
    for (int i = 0; i < 500 && kill(pid, 0) == 0 && server_pid(f) == pid; i++)
        usleep(10000);
}

static void test_a_server_of_ours_that_dies_is_started_again(void **state)
{
    struct fixture *f = *state;
    uint8_t buf[8192], back[8192];
    struct block *block;

    if (!have("qemu-nbd"))
        skip();
    make_image(f, "qcow2");
    fill(buf, sizeof(buf), 9);
    block = open_or_fail(f, f->path, "qcow2");
    assert_int_equal(run(f, block, BLOCK_WRITE, 0, buf, sizeof(buf)), 0);
    assert_int_equal(run(f, block, BLOCK_FLUSH, 0, NULL, 0), 0);
    kill_server(f);
    assert_int_equal(run(f, block, BLOCK_READ, 0, back, sizeof(back)), 0);
    assert_memory_equal(buf, back, sizeof(buf));
    /* nothing was lost: flushes are believed */
    assert_int_equal(run(f, block, BLOCK_WRITE, 0, buf, sizeof(buf)), 0);
    assert_int_equal(run(f, block, BLOCK_FLUSH, 0, NULL, 0), 0);
    /* something may have been lost: flushes say so until there is something else to flush */
    assert_int_equal(run(f, block, BLOCK_WRITE, 16384, buf, sizeof(buf)), 0);
    kill_server(f);
    assert_int_equal(run(f, block, BLOCK_READ, 0, back, sizeof(back)), 0);
    for (int i = 0; i < 6; i++)
        assert_int_equal(run(f, block, BLOCK_FLUSH, 0, NULL, 0), -EIO);
    assert_int_equal(run(f, block, BLOCK_WRITE, 16384, buf, sizeof(buf)), 0);
    assert_int_equal(run(f, block, BLOCK_FLUSH, 0, NULL, 0), 0);
    assert_int_equal(block_close(block), 0);
}

static pid_t foreign_server(struct fixture *f, const char *plugin)
{
    char command[300];
    pid_t pid;

    snprintf(command, sizeof(command), "%s/sock", f->dir);
    unlink(command);
    snprintf(command, sizeof(command), "exec nbdkit -f -U %s/sock %s 2>%s/log", f->dir, plugin,
             f->dir);
    pid = fork();
    if (pid == 0) {
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    snprintf(command, sizeof(command), "%s/sock", f->dir);
    for (int i = 0; i < 500 && access(command, F_OK); i++)
        usleep(10000);
    usleep(20000);
    return pid;
}

static void end_server(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void test_a_foreign_server_that_goes_away_gives_errors_until_it_is_back(void **state)
{
    struct fixture *f = *state;
    uint8_t buf[4096] = {0};
    char url[128];
    struct block *block;
    pid_t pid;

    if (!have("nbdkit"))
        skip();
    pid = foreign_server(f, "memory 1M");
    snprintf(url, sizeof(url), "nbd+unix:///?socket=%s/sock", f->dir);
    block = open_or_fail(f, url, "raw");
    assert_int_equal(run(f, block, BLOCK_READ, 0, buf, sizeof(buf)), 0);
    end_server(pid);
    assert_int_equal(run(f, block, BLOCK_READ, 0, buf, sizeof(buf)), -EIO);
    assert_int_equal(run(f, block, BLOCK_WRITE, 0, buf, sizeof(buf)), -EIO);
    pid = foreign_server(f, "memory 1M");
    usleep(1100000);
    assert_int_equal(run(f, block, BLOCK_READ, 0, buf, sizeof(buf)), 0);
    /* one with less in it is not the same image */
    end_server(pid);
    assert_int_equal(run(f, block, BLOCK_READ, 0, buf, sizeof(buf)), -EIO);
    pid = foreign_server(f, "memory 512k");
    usleep(1100000);
    assert_int_equal(run(f, block, BLOCK_READ, 0, buf, sizeof(buf)), -EIO);
    assert_int_equal(block_close(block), 0);
    end_server(pid);
}

static void test_stop_holds_requests_until_the_server_is_back(void **state)
{
    struct fixture *f = *state;
    uint8_t buf[4096] = {0}, back[4096];
    char url[128];
    struct block *block;
    pid_t pid;

    if (!have("nbdkit"))
        skip();
    pid = foreign_server(f, "memory 1M");
    snprintf(url, sizeof(url), "nbd:unix:%s/sock", f->dir);
    block = open_or_fail(f, url, NULL);
    block_set_on_error(block, BLOCK_STOP, BLOCK_STOP, told, f);
    end_server(pid);
    fill(buf, sizeof(buf), 4);
    start(f, block, BLOCK_WRITE, 8192, buf, sizeof(buf));
    while (!block_held(block))
        loop_turn(f->loop, 100);
    assert_int_equal(f->completed, 0);
    assert_int_equal(f->told, 1);
    assert_true(f->last.write && f->last.action == BLOCK_STOP && f->last.error == -EIO);
    pid = foreign_server(f, "memory 1M");
    usleep(1100000);
    block_retry(block);
    assert_int_equal(finish(f), 0);
    assert_int_equal(run(f, block, BLOCK_READ, 8192, back, sizeof(back)), 0);
    assert_memory_equal(buf, back, sizeof(buf));
    assert_int_equal(block_close(block), 0);
    end_server(pid);
}

static void test_errors_of_the_server_are_those_of_the_request(void **state)
{
    struct fixture *f = *state;
    uint8_t buf[4096] = {0};
    char url[128];
    struct block *block;
    pid_t pid;

    if (!have("nbdkit"))
        skip();
    pid = foreign_server(f, "--filter=error memory 1M error-pwrite=ENOSPC error-pwrite-rate=100% "
                            "error-pread=EIO error-pread-rate=100%");
    snprintf(url, sizeof(url), "nbd:unix:%s/sock", f->dir);
    block = open_or_fail(f, url, NULL);
    block_set_on_error(block, BLOCK_REPORT, BLOCK_ENOSPC, told, f);
    assert_int_equal(run(f, block, BLOCK_READ, 0, buf, sizeof(buf)), -EIO);
    assert_int_equal(f->last.action, BLOCK_REPORT);
    start(f, block, BLOCK_WRITE, 0, buf, sizeof(buf));
    while (!block_held(block))
        loop_turn(f->loop, 100);
    assert_int_equal(f->last.action, BLOCK_STOP);
    assert_int_equal(f->last.error, -ENOSPC);
    block_give_up(block);
    assert_int_equal(finish(f), -ENOSPC);
    assert_int_equal(block_close(block), 0);
    end_server(pid);
}

static void test_a_server_that_hangs_holds_up_nobody(void **state)
{
    struct fixture *f = *state;
    uint8_t *buf = malloc(4096);
    char url[128];
    struct block *block;
    struct timespec a, b;
    pid_t pid;

    if (!have("nbdkit"))
        skip();
    pid = foreign_server(f, "--filter=delay memory 1M rdelay=2");
    snprintf(url, sizeof(url), "nbd:unix:%s/sock", f->dir);
    block = open_or_fail(f, url, NULL);
    clock_gettime(CLOCK_MONOTONIC, &a);
    start(f, block, BLOCK_READ, 0, buf, 4096);
    loop_turn(f->loop, 0);
    clock_gettime(CLOCK_MONOTONIC, &b);
    assert_int_equal(f->completed, 0);
    assert_true((b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000 < 1000);
    /* the buffer of a request that was given up is nobody's */
    block_cancel(&f->req);
    free(buf);
    assert_int_equal(finish(f), -ECANCELED);
    assert_int_equal(block_close(block), 0);
    end_server(pid);
}

static void test_start_up_says_what_is_wrong(void **state)
{
    struct fixture *f = *state;
    char url[128], error[400];
    struct block *block;

    snprintf(url, sizeof(url), "nbd:unix:%s/nobody", f->dir);
    assert_int_not_equal(open_image(f, &block, url, NULL, error, sizeof(error)), 0);
    assert_non_null(strstr(error, "nobody"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_paths_name_servers),
        TEST(test_nothing_else_is_run),
        TEST(test_qcow2_keeps_what_is_written),
        TEST(test_two_images_of_a_file_share_its_server),
        TEST(test_other_formats_and_what_they_are_not),
        TEST(test_cve_2008_2004_a_header_in_a_raw_image_stays_data),
        TEST(test_image_by_descriptor),
        TEST(test_a_server_of_ours_that_dies_is_started_again),
        TEST(test_a_foreign_server_that_goes_away_gives_errors_until_it_is_back),
        TEST(test_stop_holds_requests_until_the_server_is_back),
        TEST(test_errors_of_the_server_are_those_of_the_request),
        TEST(test_a_server_that_hangs_holds_up_nobody),
        TEST(test_start_up_says_what_is_wrong),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
