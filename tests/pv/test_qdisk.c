/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The life of a block back end: what it publishes, follows, and survives. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness/tap.h"
#include "tests/pv/testblk.h"

static int setup(void **state)
{
    struct testblk *t = malloc(sizeof(*t));

    testblk_begin(t);
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    testblk_end(*state);
    free(*state);
    return 0;
}

static void front_state(struct testblk *t, unsigned state)
{
    mock_store_set(t->mock, TESTBLK_FRONT "/state", "%u", state);
    testblk_settle(t);
}

static void assert_back(struct testblk *t, const char *node, const char *value)
{
    char path[100];

    snprintf(path, sizeof(path), TESTBLK_BACK "/%s", node);
    assert_non_null(mock_store_get(t->mock, path));
    assert_string_equal(mock_store_get(t->mock, path), value);
}

static int16_t read_one(struct testblk *t)
{
    struct testblk_response r = {.status = 1};

    testblk_rw(t, BLKIF_OP_READ, 1, 0, TESTBLK_DATA, 1);
    testblk_push(t);
    testblk_response(t, &r);
    return r.status;
}

static void test_features_are_published(void **state)
{
    struct testblk *t = *state;

    testblk_directories(t, "qcow2:/srv/a:b.qcow2", "disk", "w");
    assert_string_equal(t->opened, "qcow2 /srv/a:b.qcow2");
    assert_true(t->opened_discard);
    assert_false(t->opened_read_only);
    assert_back(t, "state", "2");
    assert_back(t, "sectors", "2048");
    assert_back(t, "sector-size", "512");
    assert_back(t, "info", "0");
    assert_back(t, "feature-flush-cache", "1");
    assert_back(t, "feature-persistent", "1");
    assert_back(t, "feature-max-indirect-segments", "128");
    assert_back(t, "max-ring-page-order", "4");
    assert_back(t, "feature-discard", "1");
    assert_back(t, "discard-granularity", "4096");
    assert_back(t, "discard-alignment", "0");
    assert_back(t, "hotplug-status", "connected");
}

static void test_params_are_split_at_the_first_colon(void **state)
{
    static const struct {
        const char *params, *format, *path;
    } cases[] = {
        {"aio:/disk.img", "raw", "/disk.img"},
        {"vhd:/a.vhd", "vpc", "/a.vhd"},
        {"qcow2:nbd:host:10809", "qcow2", "nbd:host:10809"},
        {"/srv/with:colon", "raw", "/srv/with:colon"},
        {"", "raw", ""},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char params[64];
        const char *format, *path;

        strcpy(params, cases[i].params);
        qdisk_parse_params(params, &format, &path);
        assert_string_equal(format, cases[i].format);
        assert_string_equal(path, cases[i].path);
    }
}

static void test_the_front_end_comes_and_goes_and_comes_again(void **state)
{
    struct testblk *t = *state;

    testblk_directories(t, "aio:/disk.img", "disk", "w");
    for (unsigned round = 0; round < 3; round++) {
        assert_back(t, "state", "2");
        testblk_connect(t, BLKIF_X86_64, round, round & 1);
        assert_back(t, "state", "4");
        front_state(t, 4);
        assert_int_equal(read_one(t), BLKIF_RSP_OKAY);
        front_state(t, 5);
        assert_back(t, "state", "5");
        assert_int_equal(t->mock->mapped, 0);
        front_state(t, 6);
        assert_back(t, "state", "6");
        mock_store_remove(t->mock, TESTBLK_FRONT "/ring-page-order");
        front_state(t, 1);
    }
}

/* As a kernel does that was started by kexec and knows nothing of the ring of the one before. */
static void test_a_front_end_that_begins_again_without_closing(void **state)
{
    struct testblk *t = *state;

    testblk_directories(t, "aio:/disk.img", "disk", "w");
    testblk_connect(t, BLKIF_X86_64, 0, true);
    assert_int_equal(read_one(t), BLKIF_RSP_OKAY);
    front_state(t, 1);
    assert_back(t, "state", "2");
    assert_int_equal(t->mock->mapped, 0);
    testblk_connect(t, BLKIF_X86_32, 0, false);
    assert_int_equal(read_one(t), BLKIF_RSP_OKAY);
}

static void test_closing_waits_for_what_is_in_flight(void **state)
{
    struct testblk *t = *state;

    testblk_directories(t, "aio:/disk.img", "disk", "w");
    testblk_connect(t, BLKIF_X86_64, 0, true);
    t->ram.hold = true;
    testblk_rw(t, BLKIF_OP_WRITE, 1, 0, TESTBLK_DATA, 1);
    testblk_push(t);
    assert_true(xenbus_busy(t->bus));
    front_state(t, 5);
    assert_back(t, "state", "4");
    assert_int_not_equal(t->mock->mapped, 0);
    block_ram_release(&t->ram, 0, 0);
    testblk_settle(t);
    assert_back(t, "state", "5");
    assert_int_equal(t->mock->mapped, 0);
    assert_false(xenbus_busy(t->bus));
}

static void test_the_toolstack_detaches_a_used_disk(void **state)
{
    struct testblk *t = *state;

    testblk_directories(t, "aio:/disk.img", "disk", "w");
    testblk_connect(t, BLKIF_X86_64, 0, false);
    front_state(t, 4);
    mock_store_set(t->mock, TESTBLK_BACK "/online", "0");
    mock_store_set(t->mock, TESTBLK_BACK "/state", "5");
    testblk_settle(t);
    assert_back(t, "state", "5");
    assert_int_not_equal(t->mock->mapped, 0); /* the guest may still use it */
    front_state(t, 5);
    assert_int_equal(t->mock->mapped, 0);
    front_state(t, 6);
    assert_back(t, "state", "6");
    mock_store_remove(t->mock, "backend/qdisk/7/51712");
    testblk_settle(t);
    assert_null(t->mock->nodes ? mock_store_get(t->mock, TESTBLK_BACK "/state") : NULL);
    /* The last flush has been made, and the image is the other owner's alone. */
    assert_int_equal(t->ram.flushes, 1);
}

static void test_the_toolstack_detaches_an_unused_disk(void **state)
{
    struct testblk *t = *state;

    testblk_directories(t, "aio:/disk.img", "disk", "w");
    mock_store_set(t->mock, TESTBLK_BACK "/online", "0");
    mock_store_set(t->mock, TESTBLK_BACK "/state", "5");
    testblk_settle(t);
    assert_back(t, "state", "6");
    front_state(t, 1); /* no way back */
    assert_back(t, "state", "6");
}

static void test_a_directory_that_vanishes_under_a_used_ring(void **state)
{
    struct testblk *t = *state;

    testblk_directories(t, "aio:/disk.img", "disk", "w");
    testblk_connect(t, BLKIF_X86_64, 0, true);
    assert_int_equal(read_one(t), BLKIF_RSP_OKAY);
    mock_store_remove(t->mock, "/local/domain/7");
    mock_store_remove(t->mock, "backend/qdisk/7");
    testblk_settle(t);
    assert_int_equal(t->mock->mapped, 0);
    assert_null(mock_store_get(t->mock, TESTBLK_BACK "/state")); /* nothing has been made again */
}

/* A directory whose state says nothing was made and taken down again without an end. */
static void test_a_directory_without_a_state_waits_for_one(void **state)
{
    struct testblk *t = *state;

    testblk_directories(t, "aio:/disk.img", "disk", "w");
    testblk_connect(t, BLKIF_X86_64, 0, false);
    mock_store_set(t->mock, TESTBLK_BACK "/state", "0");
    testblk_settle(t);
    assert_back(t, "state", "0");
    assert_int_equal(t->mock->mapped, 0);
    front_state(t, 1);
    mock_store_set(t->mock, TESTBLK_BACK "/state", "1");
    testblk_settle(t);
    assert_back(t, "state", "2");
    testblk_connect(t, BLKIF_X86_64, 0, false);
    assert_back(t, "state", "4");
}

static void test_front_ends_that_publish_nonsense(void **state)
{
    static const struct {
        const char *node, *value;
    } bad[] = {
        {"ring-ref", "99999999999999999999"},
        {"ring-ref", "-1"},
        {"ring-ref", ""},
        {"ring-ref", "0x10"},
        {"ring-ref", "5000"}, /* not granted */
        {"event-channel", "0"},
        {"event-channel", "4294967296"},
        {"event-channel", "9 "},
        {"protocol", "arm-abi"},
        {"ring-page-order", "5"},
        {"ring-page-order", "2"}, /* but no ring-ref0 */
        {"ring-page-order", "18446744073709551616"},
    };
    struct testblk *t = *state;

    testblk_directories(t, "aio:/disk.img", "disk", "w");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char path[100];

        mock_store_set(t->mock, TESTBLK_FRONT "/ring-ref", "1");
        mock_store_set(t->mock, TESTBLK_FRONT "/event-channel", "5");
        mock_store_set(t->mock, TESTBLK_FRONT "/protocol", "x86_64-abi");
        mock_store_remove(t->mock, TESTBLK_FRONT "/ring-page-order");
        snprintf(path, sizeof(path), TESTBLK_FRONT "/%s", bad[i].node);
        mock_store_set(t->mock, path, "%s", bad[i].value);
        front_state(t, 3);
        assert_back(t, "state", "5");
        assert_int_equal(t->mock->mapped, 0);
        assert_int_equal(t->mock->bound, 0);
        front_state(t, 6);
        assert_back(t, "state", "6");
        front_state(t, 1);
        assert_back(t, "state", "2");
    }
    mock_store_remove(t->mock, TESTBLK_FRONT "/ring-page-order");
    testblk_connect(t, BLKIF_X86_64, 0, false);
    assert_int_equal(read_one(t), BLKIF_RSP_OKAY);
    front_state(t, 99);
    mock_store_set(t->mock, TESTBLK_FRONT "/state", "Connected");
    testblk_settle(t);
}

static void test_a_ring_that_has_been_served_before_goes_on(void **state)
{
    struct testblk *t = *state;
    struct testblk_response r;

    testblk_directories(t, "aio:/disk.img", "disk", "w");
    testblk_connect(t, BLKIF_X86_64, 0, false);
    front_state(t, 4);
    assert_int_equal(read_one(t), BLKIF_RSP_OKAY);
    /* The process ends; the guest sends one more request; another process takes its place. */
    testblk_stop(t);
    assert_back(t, "state", "4");
    testblk_rw(t, BLKIF_OP_READ, 2, 8, TESTBLK_DATA, 1);
    testblk_set_header(t, 0, t->req_prod);
    testblk_serve(t);
    testblk_settle(t);
    assert_back(t, "state", "4");
    assert_true(testblk_response(t, &r));
    assert_int_equal(r.id, 2);
    assert_int_equal(r.status, BLKIF_RSP_OKAY);
}

/* Which of the two writes has been answered cannot be told any more: none is repeated. */
static void test_a_ring_with_lost_requests_is_not_guessed_at(void **state)
{
    struct testblk *t = *state;

    testblk_directories(t, "aio:/disk.img", "disk", "w");
    testblk_connect(t, BLKIF_X86_64, 0, true);
    front_state(t, 4);
    t->ram.hold = true;
    testblk_rw(t, BLKIF_OP_WRITE, 1, 0, TESTBLK_DATA, 1);
    testblk_rw(t, BLKIF_OP_WRITE, 2, 8, TESTBLK_DATA + 1, 1);
    testblk_push(t);
    block_ram_release(&t->ram, 1, 0);
    t->ram.hold = false;
    testblk_stop(t);
    t->ram.writes = 0;
    testblk_serve(t);
    testblk_settle(t);
    assert_back(t, "state", "5");
    assert_int_equal(t->ram.writes, 0);
    assert_int_equal(t->mock->mapped, 0);
}

static void test_the_end_with_requests_in_flight(void **state)
{
    struct testblk *t = *state;

    testblk_directories(t, "aio:/disk.img", "disk", "w");
    testblk_connect(t, BLKIF_X86_64, 0, true);
    t->ram.blocks = true;
    for (unsigned i = 0; i < 8; i++)
        testblk_rw(t, i & 1 ? BLKIF_OP_READ : BLKIF_OP_WRITE, i, i * 8, TESTBLK_DATA + i, 1);
    testblk_set_header(t, 0, t->req_prod);
    mock_signal(t->mock, TESTBLK_PORT);
    loop_turn(t->loop, 0);
    /* teardown: ends while workers are at it */
}

static void test_nothing_is_taken_while_the_machine_stands_still(void **state)
{
    struct testblk *t = *state;
    struct testblk_response r;

    testblk_directories(t, "aio:/disk.img", "disk", "w");
    testblk_connect(t, BLKIF_X86_64, 0, false);
    xenbus_hold(t->bus, true);
    testblk_rw(t, BLKIF_OP_WRITE, 1, 0, TESTBLK_DATA, 1);
    testblk_push(t);
    assert_false(testblk_response(t, &r));
    assert_int_equal(t->ram.writes, 0);
    xenbus_hold(t->bus, false);
    testblk_settle(t);
    assert_true(testblk_response(t, &r));
}

static void test_media_of_a_cd_change_with_params(void **state)
{
    struct testblk *t = *state;

    testblk_directories(t, "", "cdrom", "r");
    assert_string_equal(t->opened, "");
    assert_back(t, "info", "7"); /* a CD, removable, read-only */
    testblk_connect(t, BLKIF_X86_64, 0, false);
    assert_back(t, "state", "4");
    assert_back(t, "sectors", "0");
    assert_int_equal(read_one(t), BLKIF_RSP_ERROR);
    mock_store_set(t->mock, TESTBLK_BACK "/params", "aio:/a.iso");
    testblk_settle(t);
    assert_string_equal(t->opened, "raw /a.iso");
    assert_true(t->opened_read_only);
    assert_back(t, "sectors", "512");
    assert_int_equal(read_one(t), BLKIF_RSP_OKAY);
    mock_store_set(t->mock, TESTBLK_BACK "/params", "%s", "");
    testblk_settle(t);
    assert_true(t->medium.closed);
    assert_back(t, "sectors", "0");
    assert_int_equal(read_one(t), BLKIF_RSP_ERROR);
    assert_back(t, "state", "4");
}

static void test_cds_that_nobody_uses_are_not_opened(void **state)
{
    struct testblk *t = *state;

    testblk_directories(t, "aio:/a.iso", "cdrom", "r");
    assert_back(t, "state", "2");
    mock_store_set(t->mock, TESTBLK_BACK "/params", "aio:/b.iso");
    testblk_settle(t);
    assert_string_equal(t->opened, "");
    testblk_connect(t, BLKIF_X86_64, 0, false);
    assert_string_equal(t->opened, "raw /b.iso");
    assert_back(t, "sectors", "512");
}

static void test_a_disk_without_an_image_is_closed(void **state)
{
    struct testblk *t = *state;

    t->open_error = -ENOENT;
    testblk_directories(t, "aio:/none.img", "disk", "w");
    assert_back(t, "state", "6");
    front_state(t, 3);
    assert_back(t, "state", "6");
}

/* A back end never follows a path that leads to another domain. */
static void test_front_ends_of_other_domains_are_refused(void **state)
{
    struct testblk *t = *state;

    mock_store_set(t->mock, "/local/domain/70/device/vbd/51712/state", "1");
    mock_store_set(t->mock, TESTBLK_BACK "/frontend", "/local/domain/70/device/vbd/51712");
    mock_store_set(t->mock, TESTBLK_BACK "/online", "1");
    mock_store_set(t->mock, TESTBLK_BACK "/state", "1");
    testblk_settle(t);
    assert_back(t, "state", "6");
    assert_string_equal(t->opened, "");
}

static void test_a_new_size_is_told(void **state)
{
    struct testblk *t = *state;

    testblk_directories(t, "aio:/disk.img", "disk", "w");
    testblk_connect(t, BLKIF_X86_64, 0, false);
    mock_store_set(t->mock, TESTBLK_BACK "/sectors", "0");
    qdisk_resized(t->set, t->block);
    assert_back(t, "sectors", "2048");
    assert_back(t, "state", "4");
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_features_are_published),
        T(test_params_are_split_at_the_first_colon),
        T(test_the_front_end_comes_and_goes_and_comes_again),
        T(test_a_front_end_that_begins_again_without_closing),
        T(test_closing_waits_for_what_is_in_flight),
        T(test_the_toolstack_detaches_a_used_disk),
        T(test_the_toolstack_detaches_an_unused_disk),
        T(test_a_directory_that_vanishes_under_a_used_ring),
        T(test_a_directory_without_a_state_waits_for_one),
        T(test_front_ends_that_publish_nonsense),
        T(test_a_ring_that_has_been_served_before_goes_on),
        T(test_a_ring_with_lost_requests_is_not_guessed_at),
        T(test_the_end_with_requests_in_flight),
        T(test_nothing_is_taken_while_the_machine_stands_still),
        T(test_media_of_a_cd_change_with_params),
        T(test_cds_that_nobody_uses_are_not_opened),
        T(test_a_disk_without_an_image_is_closed),
        T(test_front_ends_of_other_domains_are_refused),
        T(test_a_new_size_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
