/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files, FIFOs, standard input and output, host terminals, and nothing. */
#include "tests/harness/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "chardev/backend.h"
#include "tests/chardev/testfront.h"

static struct testfront f;
static char dir[64], path[96];

static int setup(void **state)
{
    front_init(&f);
    strcpy(dir, "/tmp/chardev-XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    snprintf(path, sizeof(path), "%s/out", dir);
    return 0;
}

static int teardown(void **state)
{
    char name[128];

    front_fini(&f);
    unlink(path);
    snprintf(name, sizeof(name), "%s.in", path);
    unlink(name);
    snprintf(name, sizeof(name), "%s.out", path);
    unlink(name);
    return rmdir(dir);
}

static void say(const char *text)
{
    assert_int_equal(chardev_write(f.chr, (const uint8_t *)text, strlen(text)), strlen(text));
}

static size_t file_size(void)
{
    struct stat st;

    return stat(path, &st) ? 0 : (size_t)st.st_size;
}

static void test_null(void **state)
{
    struct chardev_config config = {.kind = CHARDEV_NULL, .label = "serial0", .fd = -1};
    static uint8_t block[1 << 20];

    assert_int_equal(front_open(&f, &config), 0);
    assert_string_equal(chardev_filename(f.chr), "null");
    assert_int_equal(chardev_write(f.chr, block, sizeof(block)), sizeof(block));
    assert_int_equal(chardev_write(f.chr, block, sizeof(block)), sizeof(block));
    assert_int_equal(chardev_dropped(f.chr), 0);
    front_run(&f, 20);
    assert_true(front_idle(&f, 200) >= 199);
    assert_int_equal(f.len, 0);
    assert_int_equal(chardev_modem_lines(f.chr), CHARDEV_CTS | CHARDEV_DSR | CHARDEV_DCD);
}

static void test_file_mode_truncate_and_append(void **state)
{
    struct chardev_config config = {
        .kind = CHARDEV_FILE, .label = "serial0", .path = path, .fd = -1};
    struct stat st;

    umask(0);
    assert_int_equal(front_open(&f, &config), 0);
    assert_string_equal(chardev_filename(f.chr), "file");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    say("first");
    front_run(&f, 50);
    assert_int_equal(file_size(), 5);
    front_close(&f);
    config.append = true;
    assert_int_equal(front_open(&f, &config), 0);
    say("second");
    front_run(&f, 50);
    assert_int_equal(file_size(), 11);
    front_close(&f);
    config.append = false;
    assert_int_equal(front_open(&f, &config), 0);
    assert_int_equal(file_size(), 0);
    front_run(&f, 20);
    assert_true(front_idle(&f, 200) >= 199);
}

static void test_file_gets_everything_in_order(void **state)
{
    struct chardev_config config = {
        .kind = CHARDEV_FILE, .label = "serial0", .path = path, .fd = -1};
    size_t total = 1 << 20, done = 0;
    FILE *in;

    assert_int_equal(front_open(&f, &config), 0);
    while (done < total) {
        uint32_t words[250];
        size_t n = 0, taken;

        for (size_t at = done / 4; n < 250 && at < total / 4; at++)
            words[n++] = (uint32_t)at;
        taken = chardev_write(f.chr, (uint8_t *)words + done % 4, n * 4 - done % 4);
        done += taken;
        loop_turn(f.loop, taken ? 0 : 10);
    }
    /* Destroyed in the middle of it: what has been taken gets there. */
    front_close(&f);
    workers_destroy(f.workers);
    f.workers = NULL;
    assert_int_equal(workers_create(&f.workers, f.loop, 1), 0);
    assert_int_equal(file_size(), total);
    in = fopen(path, "r");
    for (uint32_t at = 0; at < total / 4; at++) {
        uint32_t word;

        assert_int_equal(fread(&word, 4, 1, in), 1);
        assert_int_equal(word, at);
    }
    fclose(in);
}

static void test_file_that_takes_nothing(void **state)
{
    struct chardev_config config = {
        .kind = CHARDEV_FILE, .label = "serial0", .path = "/dev/full", .fd = -1};

    assert_int_equal(front_open(&f, &config), 0);
    for (int i = 0; i < 1000; i++) {
        uint8_t block[1000] = {0};

        while (chardev_write(f.chr, block, sizeof(block)) == 0)
            loop_turn(f.loop, 10);
    }
    front_close(&f);
    config.path = "/nonexistent/dir/file";
    assert_int_equal(front_open(&f, &config), -ENOENT);
}

static void test_pipe_pair(void **state)
{
    struct chardev_config config = {
        .kind = CHARDEV_PIPE, .label = "serial0", .path = path, .fd = -1};
    char in_name[128], out_name[128], got[8];
    int in, out;

    assert_int_equal(front_open(&f, &config), -ENOENT);
    snprintf(in_name, sizeof(in_name), "%s.in", path);
    snprintf(out_name, sizeof(out_name), "%s.out", path);
    assert_int_equal(mkfifo(in_name, 0600), 0);
    assert_int_equal(mkfifo(out_name, 0600), 0);
    assert_int_equal(front_open(&f, &config), 0);
    assert_string_equal(chardev_filename(f.chr), "pipe");
    for (int i = 0; i < 3; i++) {
        in = open(in_name, O_WRONLY);
        out = open(out_name, O_RDONLY | O_NONBLOCK);
        assert_int_equal(write(in, "in", 2), 2);
        f.len = 0;
        front_wait(&f, 2);
        assert_memory_equal(f.got, "in", 2);
        say("out");
        assert_int_equal(front_drain(&f, out, got, 3, 200), 3);
        assert_memory_equal(got, "out", 3);
        close(in);
        close(out);
        front_run(&f, 20);
        assert_true(front_idle(&f, 100) >= 99);
    }
}

static void test_pipe_must_be_a_fifo(void **state)
{
    struct chardev_config config = {
        .kind = CHARDEV_PIPE, .label = "serial0", .path = path, .fd = -1};

    close(open(path, O_CREAT | O_WRONLY, 0600));
    assert_int_equal(front_open(&f, &config), -EINVAL);
}

static void test_stdio(void **state)
{
    struct chardev_config config = {.kind = CHARDEV_STDIO, .label = "serial0", .fd = -1};
    int saved_in = dup(0), saved_out = dup(1), in[2], out[2];
    char got[8];

    assert_int_equal(pipe(in), 0);
    assert_int_equal(pipe(out), 0);
    dup2(in[0], 0);
    dup2(out[1], 1);
    assert_int_equal(front_open(&f, &config), 0);
    say("out");
    assert_int_equal(front_drain(&f, out[0], got, 3, 200), 3);
    assert_int_equal(write(in[1], "in", 2), 2);
    front_wait(&f, 2);
    assert_memory_equal(f.got, "in", 2);
    close(in[1]); /* end of input: no more, and no turning of the loop */
    front_run(&f, 20);
    assert_true(front_idle(&f, 200) >= 199);
    say("more");
    assert_int_equal(front_drain(&f, out[0], got, 4, 200), 4);
    assert_true(fcntl(0, F_GETFL) & O_NONBLOCK);
    front_close(&f);
    assert_false(fcntl(0, F_GETFL) & O_NONBLOCK); /* put back for whoever shares it */
    dup2(saved_in, 0);
    dup2(saved_out, 1);
    close(saved_in);
    close(saved_out);
    close(in[0]);
    close(out[0]);
    close(out[1]);
}

/* As under libxl: standard input is /dev/null, standard output a file. */
static void test_stdio_without_a_terminal(void **state)
{
    struct chardev_config config = {.kind = CHARDEV_STDIO, .label = "serial0", .fd = -1};
    int saved_in = dup(0), saved_out = dup(1);
    int null = open("/dev/null", O_RDONLY);
    int log = open(path, O_CREAT | O_WRONLY | O_APPEND, 0600);

    dup2(null, 0);
    dup2(log, 1);
    assert_int_equal(front_open(&f, &config), 0);
    say("log");
    front_run(&f, 20);
    assert_true(front_idle(&f, 200) >= 199);
    front_close(&f);
    dup2(saved_in, 0);
    dup2(saved_out, 1);
    assert_int_equal(file_size(), 3);
    close(saved_in);
    close(saved_out);
    close(null);
    close(log);
}

/* A pty stands in for the host's serial port; its master is the wire. */
static void test_host_terminal(void **state)
{
    struct chardev_config config = {.kind = CHARDEV_TTY, .label = "serial0", .fd = -1};
    int wire = posix_openpt(O_RDWR | O_NOCTTY);
    struct termios tio;
    char name[64], got[8];

    grantpt(wire);
    unlockpt(wire);
    ptsname_r(wire, name, sizeof(name));
    config.path = name;
    assert_int_equal(front_open(&f, &config), 0);
    assert_string_equal(chardev_filename(f.chr), "serial");
    say("out");
    assert_int_equal(front_drain(&f, wire, got, 3, 200), 3);
    /* ff is doubled by the line discipline on its way to us */
    assert_int_equal(write(wire, "i\xffn", 3), 3);
    front_wait(&f, 3);
    assert_memory_equal(f.got, "i\xffn", 3);
    chardev_set_line(f.chr, 9600, 'E', 7, 2);
    assert_int_equal(tcgetattr(wire, &tio), 0);
    assert_int_equal(cfgetospeed(&tio), B9600);
    assert_true(tio.c_cflag & CSTOPB);
    chardev_set_line(f.chr, 115200, 'N', 8, 1);
    assert_int_equal(tcgetattr(wire, &tio), 0);
    assert_int_equal(cfgetospeed(&tio), B115200);
    assert_false(tio.c_lflag & ECHO);
    chardev_set_line(f.chr, 1, 'N', 8, 1);
    chardev_set_break(f.chr, true);
    chardev_set_break(f.chr, false);
    chardev_set_modem_lines(f.chr, true, false);
    assert_int_equal(chardev_modem_lines(f.chr), CHARDEV_CTS | CHARDEV_DSR | CHARDEV_DCD);
    close(wire); /* unplugged: no input any more, output goes nowhere, no turning */
    front_run(&f, 20);
    say("gone");
    front_run(&f, 20);
    assert_true(front_idle(&f, 200) >= 199);
}

/* What the line discipline makes of a break and of a bad character, cut anywhere. */
static void test_host_terminal_marks(void **state)
{
    struct chardev_config config = {.kind = CHARDEV_TTY, .label = "serial0", .fd = -1};
    static const uint8_t marked[] = {'a', 0xff, 0, 0, 'b', 0xff, 0xff, 0xff, 0, 'x', 'c'};
    int wire = posix_openpt(O_RDWR | O_NOCTTY);
    char name[64];

    grantpt(wire);
    unlockpt(wire);
    ptsname_r(wire, name, sizeof(name));
    config.path = name;
    assert_int_equal(front_open(&f, &config), 0);
    for (size_t i = 0; i < sizeof(marked); i++) {
        uint8_t c = marked[i];

        f.chr->backend->decode(f.chr, &c, 1);
    }
    assert_int_equal(f.breaks, 1);
    assert_int_equal(f.break_at, 1);
    assert_int_equal(f.len, 5);
    assert_memory_equal(f.got, "ab\xffxc", 5);
    close(wire);
}

/* Started from a shell: raw, ^C still works, and all is put back at the end. */
static void test_stdio_on_a_terminal(void **state)
{
    struct chardev_config config = {.kind = CHARDEV_STDIO, .label = "serial0", .fd = -1};
    int saved_in = dup(0), saved_out = dup(1);
    int screen = posix_openpt(O_RDWR | O_NOCTTY), slave;
    struct termios before, during, after;
    char name[64], got[8];

    grantpt(screen);
    unlockpt(screen);
    ptsname_r(screen, name, sizeof(name));
    slave = open(name, O_RDWR | O_NOCTTY);
    tcgetattr(slave, &before);
    dup2(slave, 0);
    dup2(slave, 1);
    assert_int_equal(front_open(&f, &config), 0);
    tcgetattr(slave, &during);
    assert_int_equal(during.c_lflag & (ECHO | ICANON), 0);
    assert_int_equal(during.c_lflag & ISIG, ISIG);
    say("a\n");
    assert_int_equal(front_drain(&f, screen, got, 2, 200), 2);
    assert_memory_equal(got, "a\n", 2);
    assert_int_equal(write(screen, "k", 1), 1);
    front_wait(&f, 1);
    assert_int_equal(f.got[0], 'k');
    front_close(&f);
    dup2(saved_in, 0);
    dup2(saved_out, 1);
    tcgetattr(slave, &after);
    assert_int_equal(after.c_lflag, before.c_lflag);
    assert_int_equal(after.c_oflag, before.c_oflag);
    close(saved_in);
    close(saved_out);
    close(slave);
    close(screen);
}

static void test_host_path_must_be_a_device(void **state)
{
    struct chardev_config config = {
        .kind = CHARDEV_TTY, .label = "serial0", .path = path, .fd = -1};

    assert_int_equal(front_open(&f, &config), -ENOENT);
    close(open(path, O_CREAT | O_WRONLY, 0600));
    assert_int_equal(front_open(&f, &config), -ENOTTY);
    config.path = "/dev/null";
    assert_int_equal(front_open(&f, &config), 0);
    say("x");
    front_run(&f, 20);
    assert_true(front_idle(&f, 100) >= 99);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_null),
        T(test_file_mode_truncate_and_append),
        T(test_file_gets_everything_in_order),
        T(test_file_that_takes_nothing),
        T(test_pipe_pair),
        T(test_pipe_must_be_a_fifo),
        T(test_stdio),
        T(test_stdio_without_a_terminal),
        T(test_host_terminal),
        T(test_host_terminal_marks),
        T(test_stdio_on_a_terminal),
        T(test_host_path_must_be_a_device),
    };

    return cmocka_run_group_tests_name("chardev streams", tests, NULL, NULL);
}
