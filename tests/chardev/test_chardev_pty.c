/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The pseudo terminal with real slaves that come, stay away, sleep and go. */
#include "tests/harness/tap.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "chardev/backend.h"
#include "tests/chardev/testfront.h"

#define MIB (1u << 20)

static struct testfront f;

static const struct chardev_config pty = {.kind = CHARDEV_PTY, .label = "serial0", .fd = -1};

static int setup(void **state)
{
    front_init(&f);
    return front_open(&f, &pty);
}

static int teardown(void **state)
{
    front_fini(&f);
    return 0;
}

static const char *slave_name(void)
{
    const char *name = chardev_filename(f.chr);

    assert_memory_equal(name, "pty:/dev/pts/", 13);
    return name + 4;
}

static int open_slave(void)
{
    int fd = open(slave_name(), O_RDWR | O_NOCTTY | O_CLOEXEC);

    assert_true(fd >= 0);
    return fd;
}

static uint8_t pattern(size_t i)
{
    return (uint8_t)(i * 7 + (i >> 8) * 13 + (i >> 16));
}

/* Takes all of it, as long as nobody is there to hold it back. */
static void write_pattern(size_t len)
{
    for (size_t i = 0; i < len;) {
        uint8_t part[1000];
        size_t n = 0;

        while (n < sizeof(part) && i < len)
            part[n++] = pattern(i++);
        assert_int_equal(chardev_write(f.chr, part, n), n);
    }
}

static void test_name_label_and_mode(void **state)
{
    struct stat st;

    assert_string_equal(chardev_label(f.chr), "serial0");
    assert_int_equal(stat(slave_name(), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_true(chardev_is_open(f.chr));
    assert_int_equal(fcntl(chardev_fd(f.chr), F_GETFD), FD_CLOEXEC);
}

/* T-UART-6 */
static void test_raw_and_no_echo(void **state)
{
    static const char all[] = "login: \r\n\x03\x11\x13\x7f\x00\xff";
    struct termios tio;
    uint8_t got[64];
    int fd = open_slave();

    assert_int_equal(tcgetattr(fd, &tio), 0);
    assert_int_equal(tio.c_lflag & (ECHO | ICANON | ISIG | IEXTEN), 0);
    assert_int_equal(tio.c_iflag & (IXON | ICRNL | INLCR | IGNCR | ISTRIP), 0);
    assert_int_equal(tio.c_oflag & OPOST, 0);
    assert_int_equal(chardev_write(f.chr, (const uint8_t *)all, sizeof(all)), sizeof(all));
    assert_int_equal(front_drain(&f, fd, got, sizeof(got), 100), sizeof(all));
    assert_memory_equal(got, all, sizeof(all));
    assert_int_equal(write(fd, all, sizeof(all)), sizeof(all));
    front_wait(&f, sizeof(all));
    front_run(&f, 50);
    assert_int_equal(f.len, sizeof(all)); /* nothing of the output came back */
    assert_memory_equal(f.got, all, sizeof(all));
    close(fd);
}

/* T-UART-7: the loop sleeps, before, between and after readers, and with one that is silent. */
static void test_idle_costs_no_wakeup(void **state)
{
    int fd;

    front_run(&f, 50);
    assert_true(front_idle(&f, 300) >= 299);
    chardev_write(f.chr, (const uint8_t *)"boot", 4);
    front_run(&f, 50);
    assert_true(front_idle(&f, 300) >= 299);
    fd = open_slave();
    front_run(&f, 100);
    assert_true(front_idle(&f, 300) >= 299);
    close(fd);
    front_run(&f, 50);
    assert_true(front_idle(&f, 300) >= 299);
    /* Nor does a visitor who left something for a front that has no room. */
    f.limit = 0;
    fd = open_slave();
    assert_int_equal(write(fd, "x", 1), 1);
    front_run(&f, 50);
    close(fd);
    front_run(&f, 50);
    assert_true(front_idle(&f, 300) >= 299);
}

/* T-UART-8: and no time either. */
static void test_without_reader_everything_is_taken_newest_kept(void **state)
{
    static uint8_t got[2 * CHARDEV_BUFFER];
    struct timespec a, b;
    size_t n;
    int fd;

    clock_gettime(CLOCK_MONOTONIC, &a);
    write_pattern(4 * MIB);
    clock_gettime(CLOCK_MONOTONIC, &b);
    assert_true(b.tv_sec - a.tv_sec < 2);
    assert_int_equal(chardev_dropped(f.chr), 4 * MIB - CHARDEV_BUFFER);
    fd = open_slave();
    n = front_drain(&f, fd, got, sizeof(got), 200);
    assert_int_equal(n, CHARDEV_BUFFER);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(got[i], pattern(4 * MIB - CHARDEV_BUFFER + i));
    close(fd);
}

static void test_output_waits_for_the_first_reader(void **state)
{
    char got[64];
    int fd;

    chardev_write(f.chr, (const uint8_t *)"early ", 6);
    front_run(&f, 20);
    fd = open_slave();
    front_run(&f, 5);
    chardev_write(f.chr, (const uint8_t *)"late", 4);
    assert_int_equal(front_drain(&f, fd, got, sizeof(got), 150), 10);
    assert_memory_equal(got, "early late", 10);
    close(fd);
    /* What has been read is not shown again. */
    fd = open_slave();
    assert_int_equal(front_drain(&f, fd, got, sizeof(got), 150), 0);
    close(fd);
}

/* stty, screen and others: open, set up with a flush, or open for nothing else. */
static void test_reader_that_flushes_first_loses_nothing(void **state)
{
    struct termios tio;
    char got[64];
    int fd;

    chardev_write(f.chr, (const uint8_t *)"kept", 4);
    close(open_slave());
    front_run(&f, 5);
    fd = open_slave();
    front_run(&f, 5);
    assert_int_equal(tcgetattr(fd, &tio), 0);
    cfmakeraw(&tio);
    assert_int_equal(tcsetattr(fd, TCSAFLUSH, &tio), 0);
    assert_int_equal(front_drain(&f, fd, got, sizeof(got), 150), 4);
    assert_memory_equal(got, "kept", 4);
    close(fd);
}

static void test_slave_comes_and_goes(void **state)
{
    char got[64];

    for (int i = 0; i < 20; i++) {
        int fd = open_slave();

        f.len = 0;
        assert_int_equal(write(fd, "in", 2), 2);
        front_wait(&f, 2);
        assert_int_equal(f.len, 2);
        assert_int_equal(chardev_write(f.chr, (const uint8_t *)"out", 3), 3);
        assert_int_equal(front_drain(&f, fd, got, 3, 500), 3);
        assert_memory_equal(got, "out", 3);
        close(fd);
        if (i % 2)
            front_run(&f, 5);
    }
    front_run(&f, 50);
    assert_true(front_idle(&f, 200) >= 199);
}

static void test_two_readers_one_leaves(void **state)
{
    char got[8];
    int a = open_slave(), b = open_slave();

    front_run(&f, 60);
    close(a);
    front_run(&f, 20);
    assert_int_equal(chardev_write(f.chr, (const uint8_t *)"x", 1), 1);
    assert_int_equal(front_drain(&f, b, got, sizeof(got), 100), 1);
    close(b);
}

/* echo text > /dev/pts/N */
static void test_visitor_who_leaves_at_once_is_heard(void **state)
{
    for (int i = 0; i < 20; i++) {
        int fd = open_slave();

        assert_int_equal(write(fd, "root\r", 5), 5);
        close(fd);
        f.len = 0;
        front_wait(&f, 5);
        assert_int_equal(f.len, 5);
        assert_memory_equal(f.got, "root\r", 5);
    }
}

static void test_input_waits_for_room_even_after_its_sender(void **state)
{
    int fd = open_slave();

    f.limit = 0;
    assert_int_equal(write(fd, "0123456789", 10), 10);
    front_run(&f, 50);
    close(fd);
    front_run(&f, 50);
    for (int i = 0; i < 10; i += 2) {
        assert_int_equal(f.len, i);
        f.limit = 2;
        chardev_accept_input(f.chr);
        front_run(&f, 10);
    }
    assert_int_equal(f.len, 10);
    assert_memory_equal(f.got, "0123456789", 10);
}

static void test_raw_again_after_a_reader_left_it_cooked(void **state)
{
    struct termios tio;
    int fd = open_slave();

    tcgetattr(fd, &tio);
    tio.c_lflag |= ECHO | ICANON;
    tio.c_oflag |= OPOST | ONLCR;
    assert_int_equal(tcsetattr(fd, TCSANOW, &tio), 0);
    front_run(&f, 20);
    close(fd);
    front_run(&f, 20);
    fd = open_slave();
    tcgetattr(fd, &tio);
    assert_int_equal(tio.c_lflag & (ECHO | ICANON), 0);
    assert_int_equal(tio.c_oflag & OPOST, 0);
    close(fd);
}

static void test_sleeping_reader_stops_output_for_a_bounded_time(void **state)
{
    static uint8_t block[4096], got[MIB];
    size_t taken = 0, n, more;
    int fd = open_slave();

    front_run(&f, 60);
    do {
        more = chardev_write(f.chr, block, sizeof(block));
        taken += more;
    } while (more == sizeof(block) && taken < MIB);
    assert_true(taken > CHARDEV_BUFFER - 100 && taken < 2 * CHARDEV_BUFFER);
    assert_int_equal(f.writable, 0);
    front_run(&f, 50);
    assert_int_equal(f.writable, 0);
    front_run(&f, CHARDEV_STALL_NS / 1000000 + 100);
    assert_int_equal(f.writable, 1);
    assert_int_equal(chardev_write(f.chr, block, sizeof(block)), sizeof(block));
    /* Asleep, it costs nothing. */
    assert_true(front_idle(&f, 300) >= 299);
    n = front_drain(&f, fd, got, sizeof(got), 100);
    assert_int_equal(n, taken + sizeof(block) - chardev_dropped(f.chr));
    /* Awake again: output is held back for it once more. */
    taken = 0;
    do {
        more = chardev_write(f.chr, block, sizeof(block));
        taken += more;
    } while (more == sizeof(block) && taken < MIB);
    assert_true(taken < MIB);
    front_run(&f, 20);
    n = front_drain(&f, fd, got, 1000, 100);
    assert_true(n > 0);
    front_drain(&f, fd, got, sizeof(got), 100);
    assert_int_equal(f.writable, 2);
    close(fd);
}

/* ---- one MiB each way
 * ---------------------------------------------------------------------------- */

struct peer {
    int fd;
    size_t sent, received;
    bool good;
};

static void *peer_sends(void *opaque)
{
    struct peer *p = opaque;
    uint8_t part[777];

    while (p->sent < MIB) {
        size_t n = 0;
        ssize_t done;

        while (n < sizeof(part) && p->sent + n < MIB) {
            part[n] = pattern(p->sent + n);
            n++;
        }
        done = write(p->fd, part, n);
        if (done <= 0)
            break;
        p->sent += (size_t)done;
    }
    return NULL;
}

static void *peer_reads(void *opaque)
{
    struct peer *p = opaque;
    uint8_t part[500];

    p->good = true;
    while (p->received < MIB) {
        ssize_t n = read(p->fd, part, sizeof(part));

        if (n <= 0)
            break;
        for (ssize_t i = 0; i < n; i++)
            p->good &= part[i] == pattern(p->received + (size_t)i);
        p->received += (size_t)n;
        /* Slow at times, but never for as long as a stall. */
        if (p->received % 7 == 0)
            usleep(300);
    }
    return NULL;
}

static void test_one_mib_each_way(void **state)
{
    struct peer in = {0}, out = {0};
    pthread_t sender, reader;
    size_t done = 0;

    in.fd = out.fd = open_slave();
    front_run(&f, 60);
    f.chr->stall_ns = 20000000000; /* a busy machine may forget the reader for a while */
    pthread_create(&sender, NULL, peer_sends, &in);
    pthread_create(&reader, NULL, peer_reads, &out);
    f.limit = 16;
    while (done < MIB || f.len < MIB) {
        uint8_t part[64];
        size_t n = 0, taken;

        while (n < sizeof(part) && done + n < MIB) {
            part[n] = pattern(done + n);
            n++;
        }
        taken = n ? chardev_write(f.chr, part, n) : 0;
        done += taken;
        if (f.limit == 0) {
            f.limit = 16;
            chardev_accept_input(f.chr);
        }
        loop_turn(f.loop, taken < n ? 10 : 0);
    }
    pthread_join(sender, NULL);
    while (out.received < MIB && chardev_dropped(f.chr) == 0)
        loop_turn(f.loop, 1);
    pthread_join(reader, NULL);
    assert_int_equal(chardev_dropped(f.chr), 0);
    assert_int_equal(out.received, MIB);
    assert_true(out.good);
    assert_int_equal(f.len, MIB);
    for (size_t i = 0; i < MIB; i++)
        assert_int_equal(f.got[i], pattern(i));
    close(in.fd);
}

/* The limit of descriptors stands in for that of inotify instances. */
static void test_without_inotify_it_still_works(void **state)
{
    struct rlimit old, few;
    struct chardev_config again = pty;
    char got[8];
    int lowest, fd;

    front_close(&f);
    lowest = dup(0);
    close(lowest);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    few = old;
    few.rlim_cur = (rlim_t)lowest + 2; /* master and slave */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    assert_int_equal(front_open(&f, &again), 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    assert_true(front_idle(&f, 200) >= 199);
    chardev_write(f.chr, (const uint8_t *)"boot", 4);
    fd = open_slave();
    assert_int_equal(front_drain(&f, fd, got, sizeof(got), 100), 4);
    assert_int_equal(write(fd, "in", 2), 2);
    front_wait(&f, 2);
    assert_int_equal(f.len, 2);
    close(fd);
    front_run(&f, 20);
    assert_true(front_idle(&f, 200) >= 199);
    /* Nobody reads: taken all the same, after a bounded time. */
    for (int i = 0; i < 300; i++) {
        uint8_t block[1024] = {0};

        if (chardev_write(f.chr, block, sizeof(block)) < sizeof(block))
            front_run(&f, 250);
    }
    assert_true(f.writable >= 1);
    assert_true(chardev_dropped(f.chr) > 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_name_label_and_mode),
        T(test_raw_and_no_echo),
        T(test_idle_costs_no_wakeup),
        T(test_without_reader_everything_is_taken_newest_kept),
        T(test_output_waits_for_the_first_reader),
        T(test_reader_that_flushes_first_loses_nothing),
        T(test_slave_comes_and_goes),
        T(test_two_readers_one_leaves),
        T(test_visitor_who_leaves_at_once_is_heard),
        T(test_input_waits_for_room_even_after_its_sender),
        T(test_raw_again_after_a_reader_left_it_cooked),
        T(test_sleeping_reader_stops_output_for_a_bounded_time),
        T(test_one_mib_each_way),
        T(test_without_inotify_it_still_works),
    };

    return cmocka_run_group_tests_name("chardev pty", tests, NULL, NULL);
}
