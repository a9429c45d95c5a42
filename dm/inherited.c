/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dm/inherited.h"

#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "dm/log.h"

#define FIRST (STDERR_FILENO + 1)

/* poll() tells which of all numbers are open without a call for each. */
void inherited_note(struct inherited *inherited)
{
    struct pollfd fds[INHERITED_END - FIRST];
    nfds_t count = INHERITED_END - FIRST;

    memset(inherited, 0, sizeof(*inherited));
    for (nfds_t i = 0; i < count; i++)
        fds[i] = (struct pollfd){.fd = FIRST + (int)i};
    /* It takes no more than the process may have open. */
    while (poll(fds, count, 0) < 0) {
        count /= 2;
        if (count == 0)
            return;
    }
    for (nfds_t i = 0; i < count; i++)
        if (!(fds[i].revents & POLLNVAL))
            inherited->open[fds[i].fd / 64] |= 1ull << fds[i].fd % 64;
}

static bool named(const struct config *config, int fd)
{
    if (config->incoming_fd == fd)
        return true;
    for (unsigned i = 0; i < config->chardev_count; i++)
        if (config->chardev[i].fd == fd)
            return true;
    for (unsigned i = 0; i < config->netdev_count; i++)
        if (config->netdev[i].fd == fd)
            return true;
    for (unsigned i = 0; i < config->fdset_count; i++)
        if (config->fdset[i].fd == fd)
            return true;
    return false;
}

void inherited_close(const struct inherited *inherited, const struct config *config)
{
    for (int fd = FIRST; fd < INHERITED_END; fd++) {
        if (!(inherited->open[fd / 64] >> fd % 64 & 1) || named(config, fd))
            continue;
        log_debug("descriptor %d is inherited, and no option names it: closed", fd);
        close(fd);
    }
}
