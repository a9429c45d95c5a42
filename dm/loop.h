/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The event loop of the device thread: descriptors (epoll), timers (a heap), deferred work, and
 * wake-ups from other threads. Everything but loop_wake() is called on the device thread.
 *
 * Two clocks, both in nanoseconds: the host clock is CLOCK_MONOTONIC; the guest clock is the same
 * but stands still while the guest is stopped, and goes on where it was after a restore. Device
 * deadlines are kept in guest time, in the device's state.
 */
#ifndef DM_LOOP_H
#define DM_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct loop;

/* Returns 0 or -errno. */
int loop_create(struct loop **out);
void loop_destroy(struct loop *loop);

/* Runs turns until loop_quit(); returns the code given to it. */
int loop_run(struct loop *loop);
void loop_quit(struct loop *loop, int code);

/* One turn: waits at most timeout_ms (-1: until something happens), handles what is due. */
void loop_turn(struct loop *loop, int timeout_ms);

/* ---- descriptors ---------------------------------------------------------------------------- */

struct loop_fd {
    int fd;
    uint32_t events; /* EPOLLIN, EPOLLOUT, ... that are wanted now */
    void (*ready)(void *opaque, uint32_t events);
    void *opaque;
    bool added; /* private: the kernel knows of it */
};

/*
 * The loop_fd is the caller's and must live until loop_fd_remove(). Level-triggered. With events
 * == 0 the descriptor is not looked at. Returns 0 or -errno.
 */
int loop_fd_add(struct loop *loop, struct loop_fd *lfd, int fd, uint32_t events,
                void (*ready)(void *opaque, uint32_t events), void *opaque);
int loop_fd_want(struct loop *loop, struct loop_fd *lfd, uint32_t events);
/* Does not close the descriptor. Safe inside any handler; the handler is not called again. */
void loop_fd_remove(struct loop *loop, struct loop_fd *lfd);

/* ---- timers --------------------------------------------------------------------------------- */

enum loop_clock { CLOCK_GUEST, CLOCK_HOST };

#define TIMER_NEVER UINT64_MAX

struct timer {
    struct loop *loop;
    enum loop_clock clock;
    uint64_t deadline; /* TIMER_NEVER when not armed */
    void (*fire)(void *opaque);
    void *opaque;
    uint32_t heap_index; /* private */
};

void timer_init(struct timer *timer, struct loop *loop, enum loop_clock clock,
                void (*fire)(void *opaque), void *opaque);
/* Absolute deadline in ns of the timer's clock; arming again moves it. TIMER_NEVER cancels. */
void timer_arm(struct timer *timer, uint64_t deadline);
void timer_cancel(struct timer *timer);
bool timer_armed(const struct timer *timer);

uint64_t loop_now(struct loop *loop, enum loop_clock clock);

/* Stop and go on with the guest clock; guest timers do not fire while it stands. */
void loop_guest_clock_stop(struct loop *loop);
void loop_guest_clock_start(struct loop *loop);
/* Continue a saved clock. Guest timers are to be armed again by their owners. */
void loop_guest_clock_set(struct loop *loop, uint64_t now);

/* For tests: time is *ns from now on, for both clocks. */
void loop_set_test_clock(struct loop *loop, const uint64_t *ns);

/* ---- work for the next turn ----------------------------------------------------------------- */

struct loop_work {
    void (*run)(void *opaque);
    void *opaque;
    bool queued; /* private, as is next */
    struct loop_work *next;
};

/* run() once, in the next turn: how a device goes on with a job that exceeds its budget. */
void loop_defer(struct loop *loop, struct loop_work *work);
void loop_defer_cancel(struct loop *loop, struct loop_work *work);
/* Whether something is deferred. */
bool loop_has_work(const struct loop *loop);

/* From any thread: loop_run() returns from its wait and calls the wake handlers. */
void loop_wake(struct loop *loop);

struct loop_waker {
    void (*woken)(void *opaque);
    void *opaque;
    struct loop_waker *next; /* private */
};
void loop_waker_add(struct loop *loop, struct loop_waker *waker);
void loop_waker_remove(struct loop *loop, struct loop_waker *waker);

/* ---- signals -------------------------------------------------------------------------------- */

/* Block the signal and have it delivered to handler() on the loop. Returns 0 or -errno. */
int loop_signal(struct loop *loop, int signum, void (*handler)(void *opaque, int signum),
                void *opaque);

#endif
