/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is left to do when this process is about to die of a fault.
 *
 * Nobody watches a device model: without a word the guest's next access would wait for ever. So the
 * hypervisor is told that the domain has crashed, which makes the toolstack do what on_crash says,
 * and then the signal does what it would have done. The call is one ioctl on a descriptor that is
 * open, and is allowed to a restricted process.
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "dm/dm.h"
#include "dm/log.h"

#define STACK_BYTES (32u << 10)

static const int faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};

#define FAULTS (sizeof(faults) / sizeof(faults[0]))

/* A signal handler has no other way to its data. */
static struct {
    struct xen *_Atomic xen;
    struct sigaction before[FAULTS];
    _Alignas(16) uint8_t stack[STACK_BYTES];
} crash;

static void say(const char *text)
{
    ssize_t written = write(STDERR_FILENO, text, strlen(text));

    (void)written;
}

static void fault(int signum, siginfo_t *info, void *context)
{
    struct xen *xen = atomic_exchange(&crash.xen, NULL);
    int saved = errno;

    for (size_t i = 0; i < FAULTS; i++)
        sigaction(faults[i], &crash.before[i], NULL);
    if (xen) {
        say("slimdm: fatal signal: the domain is reported as crashed\n");
        xen_shutdown(xen, XEN_CRASH);
    }
    errno = saved;
    /* A fault of the processor's comes again by itself, where it was; others are sent again. */
    if ((info->si_code <= 0 || signum == SIGABRT) && raise(signum))
        _exit(128 + signum);
}

void crash_init(struct dm *dm)
{
    struct sigaction act = {.sa_sigaction = fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    stack_t stack = {.ss_size = STACK_BYTES, .ss_sp = crash.stack};

    if (sigaltstack(&stack, NULL))
        log_warn("no stack for a fault: %s", strerror(errno));
    atomic_store(&crash.xen, dm->xen);
    sigfillset(&act.sa_mask);
    for (size_t i = 0; i < FAULTS; i++)
        sigaction(faults[i], &act, &crash.before[i]);
}

void crash_fini(void)
{
    stack_t none = {.ss_flags = SS_DISABLE};

    if (!atomic_load(&crash.xen))
        return;
    atomic_store(&crash.xen, NULL);
    for (size_t i = 0; i < FAULTS; i++)
        sigaction(faults[i], &crash.before[i], NULL);
    sigaltstack(&none, NULL);
}
