/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One turn: wait; descriptors that are ready; wake handlers; timers that are due; deferred work.
 * Each step does what was there when it began, so that none can starve the others.
 */
#include "dm/loop.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "dm/log.h"

#define EVENTS_A_TURN 32
#define TIMERS_A_TURN 64
#define SIGNALS_MAX   8

struct timer_heap {
    struct timer **slot;
    size_t count, room;
};

struct loop_signal_entry {
    int signum;
    void (*handler)(void *opaque, int signum);
    void *opaque;
};

struct loop {
    int epoll;
    bool quit;
    int code;

    struct epoll_event event[EVENTS_A_TURN];
    int nevents;

    struct timer_heap heap[2];
    const uint64_t *test_ns;
    bool guest_stopped;
    uint64_t guest_frozen; /* guest time while it stands */
    uint64_t guest_behind; /* host time minus guest time while it runs */

    struct loop_work *work, **work_tail; /* for the next turn */
    struct loop_work *work_now;          /* for this one */

    int wake_event;
    struct loop_fd wake_fd;
    struct loop_waker *wakers;

    int signal_event;
    sigset_t signals;
    struct loop_fd signal_fd;
    struct loop_signal_entry signal[SIGNALS_MAX];
    unsigned nsignals;
};

/* ---- time ----------------------------------------------------------------------------------- */

static uint64_t host_now(const struct loop *loop)
{
    struct timespec ts;

    if (loop->test_ns)
        return *loop->test_ns;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t loop_now(struct loop *loop, enum loop_clock clock)
{
    if (clock == CLOCK_GUEST && loop->guest_stopped)
        return loop->guest_frozen;
    return host_now(loop) - (clock == CLOCK_GUEST ? loop->guest_behind : 0);
}

void loop_guest_clock_stop(struct loop *loop)
{
    if (loop->guest_stopped)
        return;
    loop->guest_frozen = loop_now(loop, CLOCK_GUEST);
    loop->guest_stopped = true;
}

void loop_guest_clock_start(struct loop *loop)
{
    if (!loop->guest_stopped)
        return;
    loop->guest_behind = host_now(loop) - loop->guest_frozen;
    loop->guest_stopped = false;
}

void loop_guest_clock_set(struct loop *loop, uint64_t now)
{
    if (loop->guest_stopped)
        loop->guest_frozen = now;
    else
        loop->guest_behind = host_now(loop) - now;
}

void loop_set_test_clock(struct loop *loop, const uint64_t *ns)
{
    loop->test_ns = ns;
    loop->guest_behind = 0;
}

/* ---- timers: a binary heap for each clock ---------------------------------------------------- */

static void heap_put(struct timer_heap *heap, size_t i, struct timer *timer)
{
    heap->slot[i] = timer;
    timer->heap_index = (uint32_t)i;
}

static void heap_settle(struct timer_heap *heap, size_t i)
{
    struct timer *timer = heap->slot[i];

    while (i > 0 && heap->slot[(i - 1) / 2]->deadline > timer->deadline) {
        heap_put(heap, i, heap->slot[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    for (;;) {
        size_t child = 2 * i + 1;

        if (child >= heap->count)
            break;
        if (child + 1 < heap->count &&
            heap->slot[child + 1]->deadline < heap->slot[child]->deadline)
            child++;
        if (heap->slot[child]->deadline >= timer->deadline)
            break;
        heap_put(heap, i, heap->slot[child]);
        i = child;
    }
    heap_put(heap, i, timer);
}

void timer_init(struct timer *timer, struct loop *loop, enum loop_clock clock,
                void (*fire)(void *opaque), void *opaque)
{
    *timer = (struct timer){
        .loop = loop, .clock = clock, .deadline = TIMER_NEVER, .fire = fire, .opaque = opaque};
}

bool timer_armed(const struct timer *timer)
{
    return timer->deadline != TIMER_NEVER;
}

void timer_cancel(struct timer *timer)
{
    struct timer_heap *heap;
    struct timer *last;

    if (!timer_armed(timer))
        return;
    heap = &timer->loop->heap[timer->clock];
    last = heap->slot[--heap->count];
    if (last != timer) {
        heap_put(heap, timer->heap_index, last);
        heap_settle(heap, timer->heap_index);
    }
    timer->deadline = TIMER_NEVER;
}

void timer_arm(struct timer *timer, uint64_t deadline)
{
    struct timer_heap *heap;

    if (deadline == TIMER_NEVER) {
        timer_cancel(timer);
        return;
    }
    heap = &timer->loop->heap[timer->clock];
    if (timer_armed(timer)) {
        timer->deadline = deadline;
        heap_settle(heap, timer->heap_index);
        return;
    }
    if (heap->count == heap->room) {
        size_t room = heap->room ? heap->room * 2 : 16;
        struct timer **slot = reallocarray(heap->slot, room, sizeof(struct timer *));

        if (!slot) {
            log_error("out of memory: a timer is lost");
            return;
        }
        heap->slot = slot;
        heap->room = room;
    }
    timer->deadline = deadline;
    heap_put(heap, heap->count++, timer);
    heap_settle(heap, timer->heap_index);
}

static void run_timers(struct loop *loop, enum loop_clock clock)
{
    struct timer_heap *heap = &loop->heap[clock];
    uint64_t now;

    if (heap->count == 0 || (clock == CLOCK_GUEST && loop->guest_stopped))
        return;
    now = loop_now(loop, clock);
    for (int n = 0; n < TIMERS_A_TURN && heap->count && heap->slot[0]->deadline <= now; n++) {
        struct timer *timer = heap->slot[0];

        timer_cancel(timer);
        timer->fire(timer->opaque);
    }
}

/* Nanoseconds until the next timer, or -1 when there is none. */
static int64_t until_next_timer(struct loop *loop)
{
    int64_t wait = -1;

    for (int clock = 0; clock < 2; clock++) {
        struct timer_heap *heap = &loop->heap[clock];
        uint64_t now, left;

        if (heap->count == 0 || (clock == CLOCK_GUEST && loop->guest_stopped))
            continue;
        now = loop_now(loop, (enum loop_clock)clock);
        left = heap->slot[0]->deadline > now ? heap->slot[0]->deadline - now : 0;
        if (left > INT64_MAX)
            left = INT64_MAX;
        if (wait < 0 || (int64_t)left < wait)
            wait = (int64_t)left;
    }
    return wait;
}

/* ---- descriptors ---------------------------------------------------------------------------- */

int loop_fd_add(struct loop *loop, struct loop_fd *lfd, int fd, uint32_t events,
                void (*ready)(void *opaque, uint32_t events), void *opaque)
{
    *lfd = (struct loop_fd){.fd = fd, .events = 0, .ready = ready, .opaque = opaque};
    return events ? loop_fd_want(loop, lfd, events) : 0;
}

int loop_fd_want(struct loop *loop, struct loop_fd *lfd, uint32_t events)
{
    struct epoll_event ev = {.events = events, .data.ptr = lfd};
    int op;

    if (events == lfd->events && lfd->added == (events != 0))
        return 0;
    /* With no events wanted epoll would still report hang-ups: take it out instead. */
    op = events == 0 ? EPOLL_CTL_DEL : lfd->added ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    if (events == 0 && !lfd->added)
        return 0;
    if (epoll_ctl(loop->epoll, op, lfd->fd, &ev))
        return -errno;
    lfd->added = events != 0;
    lfd->events = events;
    return 0;
}

void loop_fd_remove(struct loop *loop, struct loop_fd *lfd)
{
    if (lfd->added)
        epoll_ctl(loop->epoll, EPOLL_CTL_DEL, lfd->fd, NULL);
    lfd->added = false;
    lfd->events = 0;
    lfd->ready = NULL;
    for (int i = 0; i < loop->nevents; i++)
        if (loop->event[i].data.ptr == lfd)
            loop->event[i].data.ptr = NULL;
}

static void wait_for_events(struct loop *loop, int64_t wait_ns)
{
    struct timespec ts = {.tv_sec = wait_ns / 1000000000, .tv_nsec = wait_ns % 1000000000};

    loop->nevents =
        epoll_pwait2(loop->epoll, loop->event, EVENTS_A_TURN, wait_ns < 0 ? NULL : &ts, NULL);
    if (loop->nevents < 0 && errno == ENOSYS) /* before Linux 5.11 */
        loop->nevents =
            epoll_wait(loop->epoll, loop->event, EVENTS_A_TURN,
                       wait_ns < 0                  ? -1
                       : wait_ns > 1000000 * 60000L ? 60000
                                                    : (int)((wait_ns + 999999) / 1000000));
    if (loop->nevents < 0)
        loop->nevents = 0;
}

/* ---- wake-ups and deferred work ----------------------------------------------------------------
 */

void loop_wake(struct loop *loop)
{
    uint64_t one = 1;

    if (write(loop->wake_event, &one, sizeof(one)) < 0) {
        /* The counter is full: a wake-up is pending anyway. */
    }
}

static void woken(void *opaque, uint32_t events)
{
    struct loop *loop = opaque;
    struct loop_waker *next;
    uint64_t count;

    if (read(loop->wake_event, &count, sizeof(count)) < 0)
        return;
    for (struct loop_waker *w = loop->wakers; w; w = next) {
        next = w->next;
        w->woken(w->opaque);
    }
}

void loop_waker_add(struct loop *loop, struct loop_waker *waker)
{
    waker->next = loop->wakers;
    loop->wakers = waker;
}

void loop_waker_remove(struct loop *loop, struct loop_waker *waker)
{
    for (struct loop_waker **p = &loop->wakers; *p; p = &(*p)->next) {
        if (*p == waker) {
            *p = waker->next;
            return;
        }
    }
}

void loop_defer(struct loop *loop, struct loop_work *work)
{
    if (work->queued)
        return;
    work->queued = true;
    work->next = NULL;
    *loop->work_tail = work;
    loop->work_tail = &work->next;
}

static bool take_out(struct loop_work **list, struct loop_work ***tail, struct loop_work *work)
{
    for (struct loop_work **p = list; *p; p = &(*p)->next) {
        if (*p != work)
            continue;
        *p = work->next;
        if (tail && !work->next)
            *tail = p;
        return true;
    }
    return false;
}

void loop_defer_cancel(struct loop *loop, struct loop_work *work)
{
    if (!work->queued)
        return;
    if (!take_out(&loop->work_now, NULL, work))
        take_out(&loop->work, &loop->work_tail, work);
    work->queued = false;
}

bool loop_has_work(const struct loop *loop)
{
    return loop->work || loop->work_now;
}

/* What is deferred meanwhile waits for the next turn. */
static void run_deferred(struct loop *loop)
{
    loop->work_now = loop->work;
    loop->work = NULL;
    loop->work_tail = &loop->work;
    while (loop->work_now) {
        struct loop_work *work = loop->work_now;

        loop->work_now = work->next;
        work->queued = false;
        work->run(work->opaque);
    }
}

/* ---- signals -------------------------------------------------------------------------------- */

static void signal_ready(void *opaque, uint32_t events)
{
    struct loop *loop = opaque;
    struct signalfd_siginfo info;

    while (read(loop->signal_event, &info, sizeof(info)) == (ssize_t)sizeof(info))
        for (unsigned i = 0; i < loop->nsignals; i++)
            if (loop->signal[i].signum == (int)info.ssi_signo)
                loop->signal[i].handler(loop->signal[i].opaque, (int)info.ssi_signo);
}

int loop_signal(struct loop *loop, int signum, void (*handler)(void *opaque, int signum),
                void *opaque)
{
    int fd, rc;

    if (loop->nsignals == SIGNALS_MAX)
        return -ENOSPC;
    sigaddset(&loop->signals, signum);
    rc = pthread_sigmask(SIG_BLOCK, &loop->signals, NULL);
    if (rc)
        return -rc;
    fd = signalfd(loop->signal_event, &loop->signals, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0)
        return -errno;
    loop->signal[loop->nsignals++] = (struct loop_signal_entry){signum, handler, opaque};
    if (loop->signal_event >= 0)
        return 0;
    loop->signal_event = fd;
    return loop_fd_add(loop, &loop->signal_fd, fd, EPOLLIN, signal_ready, loop);
}

/* ---- the loop itself --------------------------------------------------------------------------
 */

int loop_create(struct loop **out)
{
    struct loop *loop = calloc(1, sizeof(*loop));
    int rc;

    if (!loop)
        return -ENOMEM;
    loop->signal_event = -1;
    loop->work_tail = &loop->work;
    sigemptyset(&loop->signals);
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    loop->wake_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop->epoll < 0 || loop->wake_event < 0)
        rc = -errno;
    else
        rc = loop_fd_add(loop, &loop->wake_fd, loop->wake_event, EPOLLIN, woken, loop);
    if (rc) {
        loop_destroy(loop);
        return rc;
    }
    *out = loop;
    return 0;
}

void loop_destroy(struct loop *loop)
{
    if (!loop)
        return;
    if (loop->signal_event >= 0)
        close(loop->signal_event);
    if (loop->wake_event >= 0)
        close(loop->wake_event);
    if (loop->epoll >= 0)
        close(loop->epoll);
    free(loop->heap[0].slot);
    free(loop->heap[1].slot);
    free(loop);
}

void loop_turn(struct loop *loop, int timeout_ms)
{
    int64_t wait = until_next_timer(loop);

    /* Under a test clock deadlines are not in real time: only what is due already counts. */
    if (loop->test_ns && wait > 0)
        wait = -1;
    if (timeout_ms >= 0 && (wait < 0 || wait > timeout_ms * 1000000ll))
        wait = timeout_ms * 1000000ll;
    if (loop->work)
        wait = 0;
    wait_for_events(loop, wait);
    for (int i = 0; i < loop->nevents; i++) {
        struct loop_fd *lfd = loop->event[i].data.ptr;

        if (lfd)
            lfd->ready(lfd->opaque, loop->event[i].events);
    }
    loop->nevents = 0;
    run_timers(loop, CLOCK_HOST);
    run_timers(loop, CLOCK_GUEST);
    run_deferred(loop);
}

int loop_run(struct loop *loop)
{
    loop->quit = false;
    while (!loop->quit)
        loop_turn(loop, -1);
    return loop->code;
}

void loop_quit(struct loop *loop, int code)
{
    loop->quit = true;
    loop->code = code;
    loop_wake(loop);
}
