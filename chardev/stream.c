/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Back ends that are there from the start: standard input and output, FIFOs, host terminals. */
#include "chardev/backend.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "dm/log.h"

/* ---- standard input and output -------------------------------------------------------------- */

/* They are shared with whoever started us: what we change is put back. */
struct stdio {
    struct chardev chr;
    int in_flags, out_flags; /* -1: not changed */
    bool tio_changed;
    struct termios tio;
};

static void stdio_destroy(struct chardev *chr)
{
    struct stdio *stdio = (struct stdio *)chr;

    if (stdio->tio_changed)
        tcsetattr(chr->rfd, TCSANOW, &stdio->tio);
    if (stdio->in_flags >= 0)
        fcntl(chr->rfd, F_SETFL, stdio->in_flags);
    if (stdio->out_flags >= 0)
        fcntl(chr->wfd, F_SETFL, stdio->out_flags);
}

static const struct chardev_backend stdio_backend = {.name = "stdio", .destroy = stdio_destroy};

int chardev_open_stdio(struct chardev **out, struct loop *loop, const struct chardev_config *config)
{
    struct chardev *chr =
        chardev_alloc(sizeof(struct stdio), &stdio_backend, loop, NULL, config->label);
    struct stdio *stdio = (struct stdio *)chr;
    struct termios raw;
    int rfd, wfd;

    if (!chr)
        return -ENOMEM;
    stdio->in_flags = stdio->out_flags = -1;
    /* Copies: ours are closed with us, and the numbers 0 and 1 stay taken. */
    rfd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
    wfd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    chardev_set_fds(chr, rfd, wfd);
    if (rfd < 0 || wfd < 0) {
        log_error("%s: standard input or output is not open", config->label);
        chardev_destroy(chr);
        return -EBADF;
    }
    stdio->in_flags = fcntl(rfd, F_GETFL);
    stdio->out_flags = fcntl(wfd, F_GETFL);
    chardev_set_nonblock(rfd);
    chardev_set_nonblock(wfd);
    if (tcgetattr(rfd, &stdio->tio) == 0) {
        /* Raw, but ^C still ends the program. */
        raw = stdio->tio;
        cfmakeraw(&raw);
        raw.c_lflag |= ISIG;
        stdio->tio_changed = tcsetattr(rfd, TCSANOW, &raw) == 0;
    }
    chardev_set_peer(chr, true, true);
    *out = chr;
    return 0;
}

/* ---- FIFOs ---------------------------------------------------------------------------------- */

static const struct chardev_backend pipe_backend = {.name = "pipe"};

/* Both ways even for one: a FIFO that we hold open at both ends never reports end of file, and its
 * other end may come and go. */
static int open_fifo(const char *path, const char *suffix)
{
    char name[4096];
    struct stat st;
    int fd;

    if ((size_t)snprintf(name, sizeof(name), "%s%s", path, suffix) >= sizeof(name))
        return -ENAMETOOLONG;
    fd = open(name, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return -errno;
    if (fstat(fd, &st) || !S_ISFIFO(st.st_mode)) {
        close(fd);
        return -EINVAL;
    }
    return fd;
}

int chardev_open_pipe(struct chardev **out, struct loop *loop, const struct chardev_config *config)
{
    struct chardev *chr = chardev_alloc(sizeof(*chr), &pipe_backend, loop, NULL, config->label);
    int rfd, wfd, rc = 0;

    if (!chr)
        return -ENOMEM;
    rfd = open_fifo(config->path, ".in");
    wfd = open_fifo(config->path, ".out");
    if (rfd == -ENOENT && wfd == -ENOENT)
        rfd = wfd = open_fifo(config->path, "");
    if (rfd < 0 || wfd < 0)
        rc = rfd < 0 ? rfd : wfd;
    chardev_set_fds(chr, rfd < 0 ? -1 : rfd, wfd < 0 ? -1 : wfd);
    if (rc) {
        log_error("%s: pipe %s: needs FIFOs of this name, or with .in and .out: %s", config->label,
                  config->path, strerror(-rc));
        chardev_destroy(chr);
        return rc;
    }
    chardev_set_peer(chr, true, true);
    *out = chr;
    return 0;
}

/* ---- host terminals ------------------------------------------------------------------------- */

struct tty {
    struct chardev chr;
    uint8_t mark; /* of an escape of PARMRK: how many bytes have been seen */
};

/* With PARMRK a break is ff 00 00, a bad character c is ff 00 c, and ff is doubled. */
static void tty_decode(struct chardev *chr, uint8_t *data, size_t len)
{
    struct tty *tty = (struct tty *)chr;
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        uint8_t c = data[i];

        if (tty->mark == 0 && c == 0xff) {
            tty->mark = 1;
        } else if (tty->mark == 1 && c == 0) {
            tty->mark = 2;
        } else if (tty->mark == 2 && c == 0) {
            chardev_deliver(chr, data, n);
            chardev_deliver_break(chr);
            n = 0;
            tty->mark = 0;
        } else {
            tty->mark = 0;
            data[n++] = c;
        }
    }
    chardev_deliver(chr, data, n);
}

static void tty_set_break(struct chardev *chr, bool on)
{
    ioctl(chr->wfd, on ? TIOCSBRK : TIOCCBRK);
}

static speed_t nearest_speed(uint32_t baud)
{
    static const struct {
        uint32_t baud;
        speed_t speed;
    } speeds[] = {
        {50, B50},       {75, B75},         {110, B110},   {134, B134},     {150, B150},
        {200, B200},     {300, B300},       {600, B600},   {1200, B1200},   {1800, B1800},
        {2400, B2400},   {4800, B4800},     {9600, B9600}, {19200, B19200}, {38400, B38400},
        {57600, B57600}, {115200, B115200},
    };
    size_t i = 0;

    while (i + 1 < sizeof(speeds) / sizeof(speeds[0]) &&
           speeds[i + 1].baud - speeds[i + 1].baud / 20 <= baud)
        i++;
    return speeds[i].speed;
}

static void tty_set_line(struct chardev *chr, uint32_t baud, char parity, unsigned data_bits,
                         unsigned stop_bits)
{
    static const tcflag_t sizes[4] = {CS5, CS6, CS7, CS8};
    struct termios tio;

    if (tcgetattr(chr->wfd, &tio))
        return;
    cfmakeraw(&tio);
    tio.c_iflag &= ~(tcflag_t)(IGNBRK | BRKINT);
    tio.c_iflag |= PARMRK | INPCK;
    tio.c_cflag &= ~(tcflag_t)(CSIZE | PARENB | PARODD | CSTOPB);
    tio.c_cflag |= CREAD | CLOCAL | sizes[(data_bits - 5) & 3];
    if (parity != 'N')
        tio.c_cflag |= PARENB;
    if (parity == 'O')
        tio.c_cflag |= PARODD;
    if (stop_bits == 2)
        tio.c_cflag |= CSTOPB;
    cfsetspeed(&tio, nearest_speed(baud));
    tcsetattr(chr->wfd, TCSANOW, &tio);
}

static int tty_modem_lines(struct chardev *chr)
{
    int bits, lines = 0;

    if (ioctl(chr->rfd, TIOCMGET, &bits))
        return -errno;
    if (bits & TIOCM_CTS)
        lines |= CHARDEV_CTS;
    if (bits & TIOCM_DSR)
        lines |= CHARDEV_DSR;
    if (bits & TIOCM_RI)
        lines |= CHARDEV_RI;
    if (bits & TIOCM_CD)
        lines |= CHARDEV_DCD;
    return lines;
}

static void tty_set_modem_lines(struct chardev *chr, bool dtr, bool rts)
{
    int on = (dtr ? TIOCM_DTR : 0) | (rts ? TIOCM_RTS : 0);
    int off = (TIOCM_DTR | TIOCM_RTS) & ~on;

    ioctl(chr->wfd, TIOCMBIS, &on);
    ioctl(chr->wfd, TIOCMBIC, &off);
}

static const struct chardev_backend tty_backend = {
    .name = "serial",
    .decode = tty_decode,
    .set_break = tty_set_break,
    .set_line = tty_set_line,
    .modem_lines = tty_modem_lines,
    .set_modem_lines = tty_set_modem_lines,
};

/* A character device that is no terminal: bytes only. */
static const struct chardev_backend device_backend = {.name = "serial"};

int chardev_open_tty(struct chardev **out, struct loop *loop, const struct chardev_config *config)
{
    struct chardev *chr =
        chardev_alloc(sizeof(struct tty), &tty_backend, loop, NULL, config->label);
    struct stat st;
    int fd, rc = 0;

    if (!chr)
        return -ENOMEM;
    fd = open(config->path, O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0) {
        rc = -errno;
    } else {
        chardev_set_fds(chr, fd, fd);
        if (fstat(fd, &st))
            rc = -errno;
        else if (!S_ISCHR(st.st_mode))
            rc = -ENOTTY;
    }
    if (rc) {
        log_error("%s: %s: needs a terminal or another character device: %s", config->label,
                  config->path, strerror(-rc));
        chardev_destroy(chr);
        return rc;
    }
    if (isatty(fd))
        tty_set_line(chr, 9600, 'N', 8, 1);
    else
        chr->backend = &device_backend;
    chardev_set_peer(chr, true, true);
    *out = chr;
    return 0;
}
