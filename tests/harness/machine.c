/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/harness/machine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "dm/savefile.h"

#define ARENA_BYTES (4u << 20)

/* The harness is test code: when the host fails it there is nothing to go on with. */
static void must(int rc, const char *what)
{
    if (rc) {
        fprintf(stderr, "harness: %s: %s\n", what, strerror(-rc));
        abort();
    }
}

static void isa_level(void *opaque, uint8_t irq, bool level)
{
    struct machine *m = opaque;

    if (level && !m->isa[irq])
        m->isa_rises[irq]++;
    m->isa[irq] = level;
}

static void intx_level(void *opaque, uint8_t device, uint8_t pin, bool level)
{
    struct machine *m = opaque;

    if (level && !m->intx[device][pin])
        m->intx_rises[device][pin]++;
    m->intx[device][pin] = level;
}

static void power_event(void *opaque, enum power_event event)
{
    ((struct machine *)opaque)->power[event]++;
}

static void link_route(void *opaque, uint8_t link, uint8_t irq)
{
    struct machine *m = opaque;

    m->link[link & 3] = irq;
    m->link_calls++;
}

static void protect(void *opaque, uint64_t first_gfn, uint64_t n, bool read_only)
{
    struct machine *m = opaque;

    for (uint64_t gfn = first_gfn; gfn < first_gfn + n && gfn < 0x100; gfn++)
        m->protected_frames[gfn] = read_only;
}

static bool frame_exists(const struct machine *m, uint64_t gfn)
{
    return gfn < MACHINE_RAM / GUEST_PAGE_SIZE &&
           !(gfn >= m->hole_gfn && gfn < m->hole_gfn + m->hole_frames);
}

/* A window onto the RAM array with real holes: touching a missing frame ends the test. */
static void *map_frames(void *opaque, const uint64_t *gfns, size_t n, int *err)
{
    struct machine *m = opaque;
    uint8_t *window =
        mmap(NULL, n * GUEST_PAGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (window == MAP_FAILED)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        err[i] = frame_exists(m, gfns[i]) ? 0 : -EINVAL;
        if (err[i] == 0 &&
            mremap(m->ram + gfns[i] * GUEST_PAGE_SIZE, 0, GUEST_PAGE_SIZE,
                   MREMAP_MAYMOVE | MREMAP_FIXED, window + i * GUEST_PAGE_SIZE) == MAP_FAILED)
            must(-errno, "mremap");
    }
    m->mappings++;
    return window;
}

static void unmap_frames(void *opaque, void *addr, size_t n)
{
    struct machine *m = opaque;

    munmap(addr, n * GUEST_PAGE_SIZE);
    m->mappings--;
}

static void modified(void *opaque, uint64_t first_gfn, uint64_t n)
{
    ((struct machine *)opaque)->modified_calls++;
}

void machine_init(struct machine *m)
{
    struct guestmem_ops mem = {map_frames, unmap_frames, modified, m};
    struct irq_sink sink = {isa_level, intx_level, m};

    memset(m, 0, sizeof(*m));
    /* Shared, so that frames can be mapped again elsewhere (mremap with an old size of zero). */
    m->ram = mmap(NULL, MACHINE_RAM, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (m->ram == MAP_FAILED)
        must(-errno, "mmap");
    memset(m->ram, MACHINE_POISON, MACHINE_RAM / 16);
    m->now = 1000000000;
    must(arena_create(&m->env.arena, ARENA_BYTES), "arena");
    must(loop_create(&m->env.loop), "loop");
    loop_set_test_clock(m->env.loop, &m->now);
    must(workers_create(&m->env.workers, m->env.loop, 2), "workers");
    must(iospace_create(&m->env.io, NULL), "iospace");
    must(guestmem_create(&m->env.mem, &mem), "guestmem");
    must(irq_router_create(&m->env.irqs, &sink), "irq router");
    must(device_list_create(&m->env.devices), "device list");
    m->env.platform = (struct platform_ops){power_event, link_route, protect, m};
}

void machine_start(struct machine *m)
{
    must(iospace_commit(m->env.io), "commit");
}

void machine_fini(struct machine *m)
{
    machine_settle(m);
    device_list_destroy(m->env.devices);
    workers_destroy(m->env.workers);
    guestmem_destroy(m->env.mem);
    irq_router_destroy(m->env.irqs);
    iospace_destroy(m->env.io);
    loop_destroy(m->env.loop);
    arena_destroy(m->env.arena);
    munmap(m->ram, MACHINE_RAM);
}

uint64_t machine_in(struct machine *m, uint16_t port, unsigned size)
{
    return io_read(m->env.io, IO_PORT, port, size) &
           (size >= 8 ? UINT64_MAX : (1ull << 8 * size) - 1);
}

void machine_out(struct machine *m, uint16_t port, unsigned size, uint64_t value)
{
    io_write(m->env.io, IO_PORT, port, size, value);
}

uint64_t machine_read(struct machine *m, uint64_t addr, unsigned size)
{
    return io_read(m->env.io, IO_MEMORY, addr, size) &
           (size >= 8 ? UINT64_MAX : (1ull << 8 * size) - 1);
}

void machine_write(struct machine *m, uint64_t addr, unsigned size, uint64_t value)
{
    io_write(m->env.io, IO_MEMORY, addr, size, value);
}

void machine_settle(struct machine *m)
{
    for (int n = 0; n < 10000; n++) {
        loop_turn(m->env.loop, 0);
        if (!workers_pending(m->env.workers) && !device_busy(m->env.devices)) {
            loop_turn(m->env.loop, 0);
            return;
        }
        if (workers_pending(m->env.workers))
            loop_turn(m->env.loop, 1);
    }
}

void machine_advance(struct machine *m, uint64_t ns)
{
    uint64_t end = m->now + ns;

    /* In steps, so that a timer armed by another one still fires within this time. */
    while (m->now < end) {
        uint64_t step = (end - m->now + 15) / 16;

        m->now += step;
        loop_turn(m->env.loop, 0);
    }
    machine_settle(m);
}

const char *machine_save_load(struct machine *m)
{
    static char err[SAVEFILE_ERROR_MAX];
    void *buf;
    size_t len;
    int rc;

    machine_settle(m);
    must(savefile_encode(m->env.arena, &buf, &len), "encode");
    device_reset_all(m->env.devices);
    rc = savefile_decode(m->env.arena, buf, len, err);
    free(buf);
    if (rc)
        return err;
    device_loaded_all(m->env.devices);
    return NULL;
}

static int find_flaw(void *opaque, const char *name, const struct state_desc *desc, void *state)
{
    const char **flaw = opaque;

    *flaw = state_desc_flaw(desc);
    if (*flaw)
        fprintf(stderr, "harness: %s: %s\n", name, *flaw);
    return *flaw != NULL;
}

const char *machine_table_flaw(struct machine *m)
{
    const char *flaw = NULL;

    arena_each(m->env.arena, find_flaw, &flaw);
    return flaw;
}
