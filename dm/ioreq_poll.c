/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dm/ioreq_poll.h"

bool poll_wanted(struct poll_policy *policy, uint64_t woken, uint64_t answered)
{
    bool near = policy->answered && woken - policy->answered <= POLL_NEAR_NS;

    policy->answered = answered;
    if (!near)
        return false;
    if (policy->skip) {
        policy->skip--;
        return false;
    }
    return true;
}

bool poll_goes_on(const struct poll_policy *policy, uint64_t now)
{
    return policy->burst && now - policy->answered <= POLL_NS;
}

void poll_hit(struct poll_policy *policy, uint64_t answered)
{
    policy->answered = answered;
    policy->back_off = 0;
    policy->burst = true;
    policy->hits++;
}

void poll_missed(struct poll_policy *policy)
{
    policy->back_off = policy->back_off * 2 + 1;
    if (policy->back_off > POLL_SKIP_MAX)
        policy->back_off = POLL_SKIP_MAX;
    policy->skip = policy->back_off;
    policy->burst = false;
    policy->misses++;
}
