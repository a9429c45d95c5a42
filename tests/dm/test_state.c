/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Field tables, the arena, and saved states: what is loaded is either right or refused by name. */
#include "tests/harness/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dm/arena.h"
#include "dm/savefile.h"

struct lamp {
    uint8_t level;
    bool lit;
    uint16_t watts;
    uint32_t hours[3];
    uint64_t serial;
};

static const char *lamp_check(const void *state)
{
    const struct lamp *l = state;

    return l->lit && l->level == 0 ? "level" : NULL;
}

static const struct state_field lamp_fields[] = {
    STATE_FIELD(struct lamp, level, .max = 10),
    STATE_FIELD(struct lamp, lit),
    STATE_FIELD(struct lamp, watts, .min = 5, .max = 100, .reset = 40),
    STATE_ARRAY(struct lamp, hours, .reset = 7),
    STATE_FIELD(struct lamp, serial, .flags = STATE_KEEP),
};
static const struct state_desc lamp_desc =
    STATE_DESC("lamp", 2, struct lamp, lamp_fields, lamp_check);

static const struct state_field old_fields[] = {
    STATE_FIELD(struct lamp, level, .max = 10),
    STATE_FIELD(struct lamp, lit),
    STATE_FIELD(struct lamp, watts, .min = 5, .max = 100, .reset = 40),
    STATE_ARRAY(struct lamp, hours, .reset = 7),
};
static const struct state_desc old_desc = STATE_DESC("lamp", 1, struct lamp, old_fields, NULL);

static const struct state_field new_fields[] = {
    STATE_FIELD(struct lamp, level, .max = 10),
    STATE_FIELD(struct lamp, lit),
    STATE_FIELD(struct lamp, watts, .min = 5, .max = 100, .reset = 40),
    STATE_ARRAY(struct lamp, hours, .reset = 7),
    STATE_FIELD(struct lamp, serial, .since = 2, .reset = 99),
};
static const struct state_desc new_desc = STATE_DESC("lamp", 2, struct lamp, new_fields, NULL);

static struct arena *arena_with(const char *name, const struct state_desc *desc, struct lamp **lamp)
{
    struct arena *arena;

    assert_int_equal(arena_create(&arena, 1 << 20), 0);
    *lamp = arena_alloc(arena, name, desc);
    assert_non_null(*lamp);
    return arena;
}

static void test_reset_and_ranges(void **unused)
{
    struct lamp *l;
    struct arena *a = arena_with("lamp0", &lamp_desc, &l);

    assert_null(state_desc_flaw(&lamp_desc));
    assert_int_equal(l->watts, 40);
    assert_int_equal(l->hours[2], 7);
    l->serial = 5;
    l->level = 3;
    state_reset(&lamp_desc, l);
    assert_int_equal(l->level, 0);
    assert_int_equal(l->serial, 5);
    assert_null(state_check(&lamp_desc, l));
    l->watts = 101;
    assert_string_equal(state_check(&lamp_desc, l), "watts");
    l->watts = 4;
    assert_string_equal(state_check(&lamp_desc, l), "watts");
    l->watts = 40;
    *(uint8_t *)&l->lit = 2;
    assert_string_equal(state_check(&lamp_desc, l), "lit");
    l->lit = true;
    assert_string_equal(state_check(&lamp_desc, l), "level");
    arena_destroy(a);
}

/* Once two flags set later, from a value below the largest, made a state that no load took. */
static void test_a_set_of_flags_has_no_other_bits(void **unused)
{
    static const struct state_field fields[] = {STATE_FIELD(struct lamp, level, .bits = 0x91)};
    static const struct state_desc desc = STATE_DESC("x", 1, struct lamp, fields, NULL);

    for (unsigned level = 0; level <= UINT8_MAX; level++) {
        struct lamp l = {.level = (uint8_t)level};

        if (level & 0x6e)
            assert_string_equal(state_check(&desc, &l), "level");
        else
            assert_null(state_check(&desc, &l));
    }
}

static void test_flawed_tables(void **unused)
{
    static const struct state_field twice[] = {STATE_FIELD(struct lamp, level),
                                               STATE_FIELD(struct lamp, level)};
    static const struct state_field hole[] = {STATE_FIELD(struct lamp, level),
                                              STATE_FIELD(struct lamp, lit)};
    static const struct state_field reset[] = {
        STATE_FIELD(struct lamp, level, .max = 3, .reset = 4)};
    static const struct state_field wide[] = {STATE_FIELD(struct lamp, level, .bits = 0x100)};
    static const struct state_field outside[] = {
        STATE_FIELD(struct lamp, level, .bits = 5, .reset = 2)};
    static const struct state_desc d1 = STATE_DESC("x", 1, struct lamp, twice, NULL);
    static const struct state_desc d2 = STATE_DESC("x", 1, struct lamp, hole, NULL);
    static const struct state_desc d3 = STATE_DESC("x", 1, struct lamp, reset, NULL);
    static const struct state_desc d4 = STATE_DESC("x", 1, struct lamp, wide, NULL);
    static const struct state_desc d5 = STATE_DESC("x", 1, struct lamp, outside, NULL);

    assert_string_equal(state_desc_flaw(&d1), "level");
    assert_non_null(state_desc_flaw(&d2));
    assert_string_equal(state_desc_flaw(&d3), "level");
    assert_string_equal(state_desc_flaw(&d4), "level");
    assert_string_equal(state_desc_flaw(&d5), "level");
}

static void test_arena_names(void **unused)
{
    struct lamp *l;
    struct arena *a = arena_with("lamp0", &lamp_desc, &l);

    assert_null(arena_alloc(a, "lamp0", &lamp_desc));
    assert_null(arena_alloc(a, "a name that is longer than any name may be", &lamp_desc));
    assert_non_null(arena_alloc(a, "lamp1", &lamp_desc));
    assert_true(fcntl(arena_fd(a), F_GET_SEALS) & F_SEAL_SHRINK);
    arena_destroy(a);
}

static void test_round_trip(void **unused)
{
    struct lamp *l, *m;
    struct arena *a = arena_with("lamp0", &lamp_desc, &l);
    struct arena *b = arena_with("lamp0", &lamp_desc, &m);
    char err[SAVEFILE_ERROR_MAX] = "";
    void *buf, *again;
    size_t len, len2;

    *l = (struct lamp){3, true, 60, {1, 0, 0xffffffff}, 0x123456789abcdef0ull};
    assert_int_equal(savefile_encode(a, &buf, &len), 0);
    assert_int_equal(savefile_decode(b, buf, len, err), 0);
    assert_null(state_differs(&lamp_desc, l, m));
    assert_int_equal(savefile_encode(b, &again, &len2), 0);
    assert_int_equal(len, len2);
    assert_memory_equal(buf, again, len);
    free(buf);
    free(again);
    arena_destroy(a);
    arena_destroy(b);
}

/* Every single flipped bit and every cut is refused, and changes nothing. */
static void test_damage_is_refused(void **unused)
{
    struct lamp *l, *m, before;
    struct arena *a = arena_with("lamp0", &lamp_desc, &l);
    struct arena *b = arena_with("lamp0", &lamp_desc, &m);
    char err[SAVEFILE_ERROR_MAX];
    uint8_t *buf;
    size_t len;

    *l = (struct lamp){3, true, 60, {1, 2, 3}, 4};
    before = *m;
    assert_int_equal(savefile_encode(a, (void **)&buf, &len), 0);
    for (size_t bit = 0; bit < len * 8; bit++) {
        buf[bit / 8] ^= (uint8_t)(1 << bit % 8);
        err[0] = 0;
        assert_int_not_equal(savefile_decode(b, buf, len, err), 0);
        assert_true(err[0] != 0);
        buf[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t cut = 0; cut < len; cut++)
        assert_int_not_equal(savefile_decode(b, buf, cut, err), 0);
    assert_memory_equal(m, &before, sizeof(before));
    free(buf);
    arena_destroy(a);
    arena_destroy(b);
}

static void test_refusals_name_the_culprit(void **unused)
{
    static const struct state_desc other_desc =
        STATE_DESC("candle", 1, struct lamp, lamp_fields, NULL);
    struct lamp *l, *m;
    struct arena *a = arena_with("lamp0", &lamp_desc, &l);
    struct arena *b;
    char err[SAVEFILE_ERROR_MAX];
    void *buf;
    size_t len;

    l->watts = 200; /* what no table would let in */
    assert_int_equal(savefile_encode(a, &buf, &len), 0);
    b = arena_with("lamp0", &lamp_desc, &m);
    assert_int_equal(savefile_decode(b, buf, len, err), -EINVAL);
    assert_non_null(strstr(err, "lamp0.watts"));
    arena_destroy(b);
    b = arena_with("lamp1", &lamp_desc, &m);
    assert_int_equal(savefile_decode(b, buf, len, err), -EINVAL);
    assert_non_null(strstr(err, "no such device"));
    arena_destroy(b);
    b = arena_with("lamp0", &other_desc, &m);
    assert_int_equal(savefile_decode(b, buf, len, err), -EINVAL);
    assert_non_null(strstr(err, "candle"));
    arena_destroy(b);
    b = arena_with("lamp0", &old_desc, &m);
    assert_int_equal(savefile_decode(b, buf, len, err), -EINVAL);
    assert_non_null(strstr(err, "version 2"));
    arena_destroy(b);
    free(buf);

    l->watts = 40;
    assert_int_equal(savefile_encode(a, &buf, &len), 0);
    b = arena_with("lamp0", &lamp_desc, &m);
    assert_non_null(arena_alloc(b, "lamp1", &lamp_desc));
    assert_int_equal(savefile_decode(b, buf, len, err), -EINVAL);
    assert_non_null(strstr(err, "lamp1"));
    arena_destroy(b);
    free(buf);
    assert_int_equal(savefile_decode(a, "QEVM....", 8, err), -EINVAL);
    assert_non_null(strstr(err, "QEMU"));
    arena_destroy(a);
}

static void test_older_version_gets_reset_values(void **unused)
{
    struct lamp *l, *m;
    struct arena *a = arena_with("lamp0", &old_desc, &l);
    struct arena *b = arena_with("lamp0", &new_desc, &m);
    char err[SAVEFILE_ERROR_MAX];
    void *buf;
    size_t len;

    l->level = 9;
    m->serial = 1;
    assert_int_equal(savefile_encode(a, &buf, &len), 0);
    assert_int_equal(savefile_decode(b, buf, len, err), 0);
    assert_int_equal(m->level, 9);
    assert_int_equal(m->serial, 99);
    free(buf);
    arena_destroy(a);
    arena_destroy(b);
}

static void test_files(void **unused)
{
    struct lamp *l;
    struct arena *a = arena_with("lamp0", &lamp_desc, &l);
    int fd = memfd_create("state", MFD_CLOEXEC);
    char err[SAVEFILE_ERROR_MAX], text[4096];
    FILE *out;
    void *buf;
    size_t len;

    /* A longer file that was left there is cut. */
    assert_int_equal(ftruncate(fd, 100000), 0);
    assert_int_equal(lseek(fd, 500, SEEK_SET), 500);
    assert_int_equal(savefile_write_fd(a, fd, err), 0);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    assert_int_equal(savefile_read_fd(fd, &buf, &len, err), 0);
    assert_int_equal(savefile_decode(a, buf, len, err), 0);
    out = fmemopen(text, sizeof(text), "w");
    assert_int_equal(savefile_print(buf, len, out, err), 0);
    fclose(out);
    assert_non_null(strstr(text, "lamp0: lamp version 2"));
    assert_non_null(strstr(text, "watts u16 = 28"));
    free(buf);
    assert_int_equal(ftruncate(fd, SAVEFILE_MAX + 1), 0);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    assert_int_equal(savefile_read_fd(fd, &buf, &len, err), -EFBIG);
    close(fd);
    arena_destroy(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reset_and_ranges),
        cmocka_unit_test(test_a_set_of_flags_has_no_other_bits),
        cmocka_unit_test(test_flawed_tables),
        cmocka_unit_test(test_arena_names),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_damage_is_refused),
        cmocka_unit_test(test_refusals_name_the_culprit),
        cmocka_unit_test(test_older_version_gets_reset_values),
        cmocka_unit_test(test_files),
    };
    return cmocka_run_group_tests_name("state", tests, NULL, NULL);
}
