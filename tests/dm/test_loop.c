/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/harness/tap.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "dm/loop.h"
#include "dm/worker.h"

struct order {
    int seen[64];
    int n;
};

struct mark {
    struct order *order;
    int id;
    struct timer timer;
};

static void fire(void *opaque)
{
    struct mark *m = opaque;

    m->order->seen[m->order->n++] = m->id;
}

static void test_timers_fire_in_order(void **unused)
{
    struct loop *loop;
    struct order order = {.n = 0};
    struct mark mark[20];
    uint64_t now = 1000;

    assert_int_equal(loop_create(&loop), 0);
    loop_set_test_clock(loop, &now);
    for (int i = 0; i < 20; i++) {
        mark[i] = (struct mark){&order, i, {0}};
        timer_init(&mark[i].timer, loop, i % 2 ? CLOCK_HOST : CLOCK_HOST, fire, &mark[i]);
        timer_arm(&mark[i].timer, 2000 + (uint64_t)(i * 7 % 20));
    }
    timer_cancel(&mark[3].timer);
    timer_arm(&mark[5].timer, 1500);
    loop_turn(loop, 0);
    assert_int_equal(order.n, 0);
    now = 5000;
    loop_turn(loop, 0);
    assert_int_equal(order.n, 19);
    assert_int_equal(order.seen[0], 5);
    for (int i = 2; i < order.n; i++)
        assert_true(order.seen[i - 1] * 7 % 20 < order.seen[i] * 7 % 20);
    assert_false(timer_armed(&mark[0].timer));
    loop_destroy(loop);
}

static void test_guest_clock_stands_still(void **unused)
{
    struct loop *loop;
    struct order order = {.n = 0};
    struct mark m = {&order, 1, {0}};
    uint64_t now = 100;

    assert_int_equal(loop_create(&loop), 0);
    loop_set_test_clock(loop, &now);
    timer_init(&m.timer, loop, CLOCK_GUEST, fire, &m);
    timer_arm(&m.timer, 200);
    loop_guest_clock_stop(loop);
    now = 1000;
    assert_int_equal(loop_now(loop, CLOCK_GUEST), 100);
    loop_turn(loop, 0);
    assert_int_equal(order.n, 0);
    loop_guest_clock_start(loop);
    assert_int_equal(loop_now(loop, CLOCK_GUEST), 100);
    now = 1099;
    loop_turn(loop, 0);
    assert_int_equal(order.n, 0);
    now = 1100;
    loop_turn(loop, 0);
    assert_int_equal(order.n, 1);
    loop_guest_clock_set(loop, 77);
    assert_int_equal(loop_now(loop, CLOCK_GUEST), 77);
    loop_destroy(loop);
}

struct pair {
    struct loop *loop;
    struct loop_fd a, b;
    int hits_a, hits_b;
};

static void hit_a(void *opaque, uint32_t events)
{
    struct pair *p = opaque;

    p->hits_a++;
    loop_fd_remove(p->loop, &p->b); /* although b is ready in this same turn */
    loop_fd_remove(p->loop, &p->a);
}

static void hit_b(void *opaque, uint32_t events)
{
    struct pair *p = opaque;

    p->hits_b++;
    loop_fd_remove(p->loop, &p->a);
    loop_fd_remove(p->loop, &p->b);
}

static void test_removed_inside_a_handler(void **unused)
{
    struct pair p = {0};
    int fds[2], fds2[2];

    assert_int_equal(loop_create(&p.loop), 0);
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(pipe(fds2), 0);
    assert_int_equal(write(fds[1], "x", 1), 1);
    assert_int_equal(write(fds2[1], "x", 1), 1);
    assert_int_equal(loop_fd_add(p.loop, &p.a, fds[0], EPOLLIN, hit_a, &p), 0);
    assert_int_equal(loop_fd_add(p.loop, &p.b, fds2[0], EPOLLIN, hit_b, &p), 0);
    loop_turn(p.loop, 0);
    loop_turn(p.loop, 0);
    assert_int_equal(p.hits_a + p.hits_b, 1);
    close(fds[0]);
    close(fds[1]);
    close(fds2[0]);
    close(fds2[1]);
    loop_destroy(p.loop);
}

/* With no events wanted even a hang-up stays unheard: nothing may spin on a reader-less pipe. */
static void test_unwanted_descriptor_is_silent(void **unused)
{
    struct pair p = {0};
    int fds[2];

    assert_int_equal(loop_create(&p.loop), 0);
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(loop_fd_add(p.loop, &p.a, fds[0], 0, hit_a, &p), 0);
    close(fds[1]);
    loop_turn(p.loop, 0);
    assert_int_equal(p.hits_a, 0);
    assert_int_equal(loop_fd_want(p.loop, &p.a, EPOLLIN), 0);
    loop_turn(p.loop, 0);
    assert_int_equal(p.hits_a, 1);
    close(fds[0]);
    loop_destroy(p.loop);
}

struct again {
    struct loop *loop;
    struct loop_work work, other;
    int runs, other_runs;
};

static void run_again(void *opaque)
{
    struct again *a = opaque;

    a->runs++;
    loop_defer(a->loop, &a->work);
    loop_defer_cancel(a->loop, &a->other);
}

static void run_other(void *opaque)
{
    ((struct again *)opaque)->other_runs++;
}

static void test_deferred_work_has_one_run_a_turn(void **unused)
{
    struct again a = {0};

    assert_int_equal(loop_create(&a.loop), 0);
    a.work = (struct loop_work){.run = run_again, .opaque = &a};
    a.other = (struct loop_work){.run = run_other, .opaque = &a};
    loop_defer(a.loop, &a.work);
    loop_defer(a.loop, &a.work);
    loop_defer(a.loop, &a.other);
    loop_turn(a.loop, -1);
    assert_int_equal(a.runs, 1);
    assert_int_equal(a.other_runs, 0); /* the first one has cancelled it */
    loop_turn(a.loop, -1);
    assert_int_equal(a.runs, 2);
    loop_defer_cancel(a.loop, &a.work);
    loop_turn(a.loop, 0);
    assert_int_equal(a.runs, 2);
    loop_destroy(a.loop);
}

struct job {
    struct loop *loop;
    struct work_item item;
    pthread_t worker;
    int done;
};

static void job_work(void *opaque)
{
    ((struct job *)opaque)->worker = pthread_self();
}

static void job_done(void *opaque)
{
    ((struct job *)opaque)->done++;
}

static void test_workers(void **unused)
{
    struct job job[40] = {0};
    struct workers *w;
    struct loop *loop;

    assert_int_equal(loop_create(&loop), 0);
    assert_int_equal(workers_create(&w, loop, 3), 0);
    for (int i = 0; i < 40; i++) {
        job[i].item = (struct work_item){.work = job_work, .done = job_done, .opaque = &job[i]};
        workers_submit(w, &job[i].item);
    }
    assert_int_equal(workers_pending(w), 40);
    for (int n = 0; n < 1000 && workers_pending(w); n++)
        loop_turn(loop, 100);
    assert_int_equal(workers_pending(w), 0);
    for (int i = 0; i < 40; i++) {
        assert_int_equal(job[i].done, 1);
        assert_false(pthread_equal(job[i].worker, pthread_self()));
    }
    workers_destroy(w);
    loop_destroy(loop);
}

static void test_workers_deliver_at_the_end(void **unused)
{
    struct job job = {0};
    struct workers *w;
    struct loop *loop;

    assert_int_equal(loop_create(&loop), 0);
    assert_int_equal(workers_create(&w, loop, 1), 0);
    job.item = (struct work_item){.work = job_work, .done = job_done, .opaque = &job};
    workers_submit(w, &job.item);
    workers_destroy(w);
    assert_int_equal(job.done, 1);
    loop_destroy(loop);
}

static void on_signal(void *opaque, int signum)
{
    loop_quit(opaque, signum);
}

static void test_signals_and_quit(void **unused)
{
    struct loop *loop;

    assert_int_equal(loop_create(&loop), 0);
    assert_int_equal(loop_signal(loop, SIGUSR1, on_signal, loop), 0);
    assert_int_equal(loop_signal(loop, SIGUSR2, on_signal, loop), 0);
    raise(SIGUSR2);
    assert_int_equal(loop_run(loop), SIGUSR2);
    loop_destroy(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_timers_fire_in_order),
        cmocka_unit_test(test_guest_clock_stands_still),
        cmocka_unit_test(test_removed_inside_a_handler),
        cmocka_unit_test(test_unwanted_descriptor_is_silent),
        cmocka_unit_test(test_deferred_work_has_one_run_a_turn),
        cmocka_unit_test(test_workers),
        cmocka_unit_test(test_workers_deliver_at_the_end),
        cmocka_unit_test(test_signals_and_quit),
    };
    return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
