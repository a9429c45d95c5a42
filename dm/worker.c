/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dm/worker.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

/* An idle thread costs a stack: it leaves after this many seconds. */
#define IDLE_SECONDS 3
/* Jobs are single system calls or an image encoder: small stacks do. */
#define STACK_BYTES (256u << 10)

struct workers {
    struct loop *loop;
    struct loop_waker waker;
    unsigned max_threads;
    unsigned pending; /* device thread only */

    pthread_mutex_t lock;
    pthread_cond_t work_ready;  /* for the threads */
    pthread_cond_t thread_gone; /* for workers_destroy() */
    struct work_item *todo, **todo_tail;
    struct work_item *finished, **finished_tail;
    unsigned threads, idle;
    bool closing;
};

static void append(struct work_item ***tail, struct work_item *item)
{
    item->next = NULL;
    **tail = item;
    *tail = &item->next;
}

static void *thread_main(void *opaque)
{
    struct workers *w = opaque;

    pthread_mutex_lock(&w->lock);
    for (;;) {
        struct work_item *item;
        struct timespec until;

        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += IDLE_SECONDS;
        while (!w->todo && !w->closing) {
            int rc;

            w->idle++;
            rc = pthread_cond_timedwait(&w->work_ready, &w->lock, &until);
            w->idle--;
            if (rc == ETIMEDOUT)
                break;
        }
        item = w->todo;
        if (!item)
            break;
        w->todo = item->next;
        if (!w->todo)
            w->todo_tail = &w->todo;
        pthread_mutex_unlock(&w->lock);
        item->work(item->opaque);
        pthread_mutex_lock(&w->lock);
        append(&w->finished_tail, item);
        loop_wake(w->loop);
    }
    w->threads--;
    pthread_cond_signal(&w->thread_gone);
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

static void deliver(void *opaque)
{
    struct workers *w = opaque;
    struct work_item *item;

    pthread_mutex_lock(&w->lock);
    item = w->finished;
    w->finished = NULL;
    w->finished_tail = &w->finished;
    pthread_mutex_unlock(&w->lock);
    while (item) {
        struct work_item *next = item->next;

        w->pending--;
        item->done(item->opaque);
        item = next;
    }
}

int workers_create(struct workers **out, struct loop *loop, unsigned max_threads)
{
    struct workers *w = calloc(1, sizeof(*w));
    pthread_condattr_t attr;

    if (!w)
        return -ENOMEM;
    w->loop = loop;
    w->max_threads = max_threads;
    w->todo_tail = &w->todo;
    w->finished_tail = &w->finished;
    pthread_mutex_init(&w->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&w->work_ready, &attr);
    pthread_cond_init(&w->thread_gone, &attr);
    pthread_condattr_destroy(&attr);
    w->waker = (struct loop_waker){.woken = deliver, .opaque = w};
    loop_waker_add(loop, &w->waker);
    *out = w;
    return 0;
}

void workers_end_threads(struct workers *w)
{
    pthread_mutex_lock(&w->lock);
    w->closing = true;
    pthread_cond_broadcast(&w->work_ready);
    while (w->threads)
        pthread_cond_wait(&w->thread_gone, &w->lock);
    w->closing = false;
    pthread_mutex_unlock(&w->lock);
}

void workers_destroy(struct workers *w)
{
    if (!w)
        return;
    workers_end_threads(w);
    deliver(w);
    loop_waker_remove(w->loop, &w->waker);
    pthread_cond_destroy(&w->work_ready);
    pthread_cond_destroy(&w->thread_gone);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

void workers_submit(struct workers *w, struct work_item *item)
{
    bool run_here = false;

    w->pending++;
    pthread_mutex_lock(&w->lock);
    append(&w->todo_tail, item);
    if (w->idle == 0 && w->threads < w->max_threads) {
        pthread_attr_t attr;
        pthread_t thread;

        pthread_attr_init(&attr);
        pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
        pthread_attr_setstacksize(&attr, STACK_BYTES);
        if (pthread_create(&thread, &attr, thread_main, w) == 0)
            w->threads++;
        else
            run_here = w->threads == 0;
        pthread_attr_destroy(&attr);
    }
    if (run_here) {
        /* No thread can be had at all: slow, but nothing is lost. */
        w->todo = NULL;
        w->todo_tail = &w->todo;
        append(&w->finished_tail, item);
    }
    pthread_cond_signal(&w->work_ready);
    pthread_mutex_unlock(&w->lock);
    if (run_here) {
        item->work(item->opaque);
        loop_wake(w->loop);
    }
}

unsigned workers_pending(const struct workers *w)
{
    return w->pending;
}
