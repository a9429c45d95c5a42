/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When the device thread looks out for the next request, and when it goes to sleep at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "dm/ioreq_poll.h"

#define ANSWER_NS 1000u

/* A request that wakes the thread `gap` ns after the last answer. */
static bool wake(struct poll_policy *p, uint64_t gap)
{
    uint64_t woken = (p->answered ? p->answered : 1000000) + gap;

    return poll_wanted(p, woken, woken + ANSWER_NS);
}

static void test_first_request_is_not_followed_up(void **state)
{
    struct poll_policy p = {0};

    assert_false(poll_wanted(&p, 50, 50 + ANSWER_NS));
}

static void test_near_requests_are(void **state)
{
    struct poll_policy p = {0};

    wake(&p, 0);
    assert_true(wake(&p, POLL_NEAR_NS));
    assert_true(wake(&p, 0));
}

static void test_rare_requests_never_are(void **state)
{
    struct poll_policy p = {0};

    for (int i = 0; i < 1000; i++)
        assert_false(wake(&p, POLL_NEAR_NS + 1));
    assert_int_equal(p.misses, 0);
}

/* Requests that come close, but always after the attempt has ended: what is spent goes to nothing. */
static void test_failures_make_attempts_rare(void **state)
{
    struct poll_policy p = {0};
    unsigned attempts = 0;

    for (int i = 0; i < 100000; i++) {
        if (wake(&p, POLL_NS * 2)) {
            attempts++;
            poll_missed(&p);
        }
    }
    assert_in_range(attempts, 10, 100000 / POLL_SKIP_MAX + 10);
    assert_int_equal(p.misses, attempts);
}

static void test_success_forgives(void **state)
{
    struct poll_policy p = {0};

    for (int i = 0; i < 1000; i++)
        if (wake(&p, 100))
            poll_missed(&p);
    while (!wake(&p, 100))
        ;
    poll_hit(&p, p.answered + 5000);
    poll_missed(&p);
    assert_false(wake(&p, 100)); /* one is let pass */
    assert_true(wake(&p, 100));
}

static void test_burst_goes_on_over_turns(void **state)
{
    struct poll_policy p = {0};

    wake(&p, 0);
    assert_false(poll_goes_on(&p, p.answered + 1)); /* nothing was found yet */
    assert_true(wake(&p, 100));
    poll_hit(&p, p.answered + 5000);
    assert_true(poll_goes_on(&p, p.answered + POLL_NS));
    assert_false(poll_goes_on(&p, p.answered + POLL_NS + 1));
    poll_missed(&p);
    assert_false(poll_goes_on(&p, p.answered + 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_request_is_not_followed_up),
        cmocka_unit_test(test_near_requests_are),
        cmocka_unit_test(test_rare_requests_never_are),
        cmocka_unit_test(test_failures_make_attempts_rare),
        cmocka_unit_test(test_success_forgives),
        cmocka_unit_test(test_burst_goes_on_over_turns),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
