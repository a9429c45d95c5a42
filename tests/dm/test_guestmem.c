/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/harness/tap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dm/guestmem.h"
#include "tests/harness/machine.h"

static int setup(void **state)
{
    struct machine *m = calloc(1, sizeof(*m));

    machine_init(m);
    *state = m;
    return 0;
}

static int teardown(void **state)
{
    struct machine *m = *state;

    machine_fini(m);
    assert_int_equal(m->mappings, 0); /* whatever was mapped has been given back */
    free(m);
    return 0;
}

static void test_copies_across_buckets(void **state)
{
    struct machine *m = *state;
    uint8_t *a = malloc(300000), *b = malloc(300000);

    for (unsigned i = 0; i < 300000; i++)
        a[i] = (uint8_t)(i * 7 + i / 251);
    assert_int_equal(guestmem_write(m->env.mem, 0xfff1, a, 300000), 0);
    assert_memory_equal(m->ram + 0xfff1, a, 300000);
    assert_int_equal(guestmem_read(m->env.mem, 0xfff1, b, 300000), 0);
    assert_memory_equal(a, b, 300000);
    assert_int_equal(m->ram[0xfff0], MACHINE_POISON);
    free(a);
    free(b);
}

static void test_holes(void **state)
{
    struct machine *m = *state;
    uint8_t buf[3 * 4096];
    struct guest_sg sg;

    m->hole_gfn = 0x20;
    m->hole_frames = 1;
    memset(m->ram + 0x1f000, 1, 4096);
    memset(m->ram + 0x21000, 2, 4096);
    assert_int_equal(guestmem_read(m->env.mem, 0x1f000, buf, sizeof(buf)), -EFAULT);
    assert_int_equal(buf[4095], 1);
    assert_int_equal(buf[4096], 0xff);
    assert_int_equal(buf[8191], 0xff);
    assert_int_equal(buf[8192], 2);
    assert_int_equal(guestmem_write(m->env.mem, 0x1ffff, "abc", 3), -EFAULT);
    assert_int_equal(m->ram[0x1ffff], 'a');
    assert_int_equal(guest_sg_init(&sg, m->env.mem, 8), 0);
    assert_int_equal(guest_sg_add(&sg, 0x1f800, 0x1000), -EFAULT);
    assert_int_equal(sg.niov, 0);
    assert_int_equal(sg.bytes, 0);
    /* The frame comes back: found without an INVALIDATE. */
    m->hole_frames = 0;
    assert_int_equal(guest_sg_add(&sg, 0x1f800, 0x1000), 0);
    assert_int_equal(sg.bytes, 0x1000);
    guest_sg_fini(&sg);
    assert_int_equal(guestmem_read(m->env.mem, UINT64_MAX - 1, buf, 4), -EFAULT);
    assert_int_equal(guestmem_write(m->env.mem, 1ull << 52, buf, 4), -EFAULT);
}

static void test_pins_outlive_invalidation(void **state)
{
    struct machine *m = *state;
    struct guest_sg sg;

    assert_int_equal(guest_sg_init(&sg, m->env.mem, 4), 0);
    assert_int_equal(guest_sg_add(&sg, 0x100000, 65536 * 2), 0);
    assert_int_equal(sg.niov, 2);
    assert_int_equal(guest_sg_add(&sg, 0x200000, 65536 * 3), -E2BIG);
    assert_int_equal(sg.niov, 2);
    guestmem_invalidate(m->env.mem);
    memset(sg.iov[1].iov_base, 0x42, sg.iov[1].iov_len);
    assert_int_equal(m->ram[0x110000], 0x42);
    assert_int_not_equal(guestmem_mapped_frames(m->env.mem), 0);
    guest_sg_release(&sg, true);
    assert_int_equal(guestmem_mapped_frames(m->env.mem), 0);
    guest_sg_fini(&sg);
}

/* A guest of 1 GiB of which every frame looks the same: its mappings are counted only. */
struct endless {
    size_t mapped, most;
    uint8_t page[16 * GUEST_PAGE_SIZE];
};

static void *endless_map(void *opaque, const uint64_t *gfns, size_t n, int *err)
{
    struct endless *e = opaque;

    e->mapped += n;
    if (e->mapped > e->most)
        e->most = e->mapped;
    memset(err, 0, n * sizeof(*err));
    return n * GUEST_PAGE_SIZE <= sizeof(e->page) ? e->page : NULL;
}

static void endless_unmap(void *opaque, void *addr, size_t n)
{
    ((struct endless *)opaque)->mapped -= n;
}

static void test_cache_is_bounded(void **state)
{
    struct endless *e = calloc(1, sizeof(*e));
    struct guestmem_ops ops = {.map = endless_map, .unmap = endless_unmap, .opaque = e};
    struct guestmem *mem;
    struct guest_sg sg;
    uint8_t byte;

    assert_int_equal(guestmem_create(&mem, &ops), 0);
    assert_int_equal(guest_sg_init(&sg, mem, 1), 0);
    assert_int_equal(guest_sg_add(&sg, 0x30000, 100), 0);
    for (int round = 0; round < 2; round++) {
        for (uint64_t gpa = 0; gpa < 1u << 30; gpa += 65536) {
            e->page[0] = (uint8_t)(gpa >> 16);
            assert_int_equal(guestmem_read(mem, gpa, &byte, 1), 0);
            assert_int_equal(byte, (uint8_t)(gpa >> 16));
            assert_int_equal(e->mapped, guestmem_mapped_frames(mem));
        }
    }
    assert_int_equal(e->most * GUEST_PAGE_SIZE, 256u << 20);
    /* What was used last is still mapped; what is pinned has never been let go. */
    e->mapped = 0;
    assert_int_equal(guestmem_read(mem, (1u << 30) - 65536, &byte, 1), 0);
    assert_int_equal(guestmem_read(mem, 0x30000, &byte, 1), 0);
    assert_int_equal(e->mapped, 0);
    e->mapped = guestmem_mapped_frames(mem);
    guest_sg_fini(&sg);
    guestmem_destroy(mem);
    assert_int_equal(e->mapped, 0);
    free(e);
}

static void test_log_dirty(void **state)
{
    struct machine *m = *state;
    struct guest_sg sg;

    guestmem_write(m->env.mem, 0x1000, "x", 1);
    assert_int_equal(m->modified_calls, 0);
    guestmem_set_log_dirty(m->env.mem, true);
    guestmem_write(m->env.mem, 0x1fff, "xy", 2);
    assert_int_equal(m->modified_calls, 2);
    assert_int_equal(guest_sg_init(&sg, m->env.mem, 4), 0);
    assert_int_equal(guest_sg_add(&sg, 0x3000, 100), 0);
    guest_sg_release(&sg, false);
    assert_int_equal(m->modified_calls, 2);
    assert_int_equal(guest_sg_add(&sg, 0x3000, 100), 0);
    guest_sg_release(&sg, true);
    assert_int_equal(m->modified_calls, 3);
    guest_sg_fini(&sg);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_copies_across_buckets, setup, teardown),
        cmocka_unit_test_setup_teardown(test_holes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pins_outlive_invalidation, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cache_is_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(test_log_dirty, setup, teardown),
    };
    return cmocka_run_group_tests_name("guestmem", tests, NULL, NULL);
}
