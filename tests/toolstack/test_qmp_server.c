/* SPDX-License-Identifier: GPL-2.0-or-later */
/* QMP as a server of strangers: slow and vanishing clients, events, descriptors. */
#include "qmp_mock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- clients ----------------------------------------------------------------------------------
 */

static void test_a_client_that_never_reads(void **state)
{
    struct mock *m = *state;
    static const char ask[] = "{\"execute\":\"query-commands\"}\r\n";
    size_t sent = 0;

    /* It is not read from any more when its answers pile up, so its own socket fills. */
    for (;;) {
        ssize_t n = send(m->client, ask, strlen(ask), MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n < 0)
            break;
        assert_int_equal(n, strlen(ask));
        sent += (size_t)n;
        assert_true(sent < (8u << 20));
        loop_turn(m->loop, 0);
    }
    assert_int_equal(errno, EAGAIN);
    mock_settle(m);
    assert_int_equal(qmp_connections(m->qmp), 1);

    /* Others are served meanwhile. */
    int other = mock_connect(m, 0);
    mock_say(m, other, "{\"execute\":\"qmp_capabilities\"}");
    assert_non_null(strstr(mock_receive(m, other), "{\"return\":{}}"));

    /* It takes something: it stays. Then it takes nothing for too long. */
    mock_advance(m, 19000000000);
    char some[65536];
    assert_true(recv(m->client, some, sizeof(some), 0) > 0);
    mock_advance(m, 2000000000);
    assert_int_equal(qmp_connections(m->qmp), 2);
    mock_advance(m, 19000000000);
    assert_int_equal(qmp_connections(m->qmp), 2);
    mock_advance(m, 2000000000);
    assert_int_equal(qmp_connections(m->qmp), 1);
    close(other);
}

/* A client that reads late gets every answer. */
static void test_a_client_that_reads_late(void **state)
{
    struct mock *m = *state;
    char *ask = malloc(3000 * sizeof(ASK)), *answer = malloc(3000 * sizeof(STATUS));
    size_t sent = 0, len, got = 0;

    ask[0] = answer[0] = '\0';
    for (size_t i = 0; i < 3000; i++) {
        memcpy(ask + i * (sizeof(ASK) - 1), ASK, sizeof(ASK));
        memcpy(answer + i * (sizeof(STATUS) - 1), STATUS, sizeof(STATUS));
    }
    len = strlen(ask);
    while (got < strlen(answer)) {
        char buf[512];
        ssize_t n = send(m->client, ask + sent, len - sent, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n > 0)
            sent += (size_t)n;
        for (int i = 0; i < 10; i++)
            loop_turn(m->loop, 0);
        n = recv(m->client, buf, sizeof(buf), MSG_DONTWAIT);
        assert_true(n > 0);
        assert_memory_equal(buf, answer + got, (size_t)n);
        got += (size_t)n;
    }
    assert_int_equal(sent, len);
    free(ask);
    free(answer);
}

static void test_events_that_pile_up(void **state)
{
    struct mock *m = *state;
    char *data = malloc(65536);

    memset(data, ' ', 65536);
    memcpy(data, "{}", 2);
    data[65535] = '\0';
    for (int i = 0; i < 200 && qmp_connections(m->qmp); i++)
        qmp_event(m->qmp, "NOISE", data);
    assert_int_equal(qmp_connections(m->qmp), 0);
    free(data);
}

static void test_a_client_that_goes_is_noticed_at_once(void **state)
{
    struct mock *m = *state;
    int other = mock_connect(m, 0);

    assert_int_equal(qmp_connections(m->qmp), 2);
    close(other);
    loop_turn(m->loop, 0);
    assert_int_equal(qmp_connections(m->qmp), 1);

    /* Also while it is owed a reply; the reply then goes nowhere. */
    m->hold = true;
    mock_say(m, m->client, "{\"execute\":\"stop\"}");
    assert_int_equal(m->helds, 1);
    close(m->client);
    m->client = -1;
    loop_turn(m->loop, 0);
    assert_int_equal(qmp_connections(m->qmp), 0);
    qmp_reply_fail(m->held[0], QMP_GENERIC_ERROR, "too late");
    m->helds = 0;
}

/* What it has sent before it went is done all the same. */
static void test_commands_of_a_client_that_has_gone(void **state)
{
    struct mock *m = *state;
    static const char ask[] = "{\"execute\":\"cont\"}\r\n{\"execute\":\"system_powerdown\"}";

    assert_int_equal(send(m->client, ask, strlen(ask), 0), strlen(ask));
    close(m->client);
    m->client = -1;
    mock_settle(m);
    assert_string_equal(mock_calls(m), "cont; powerdown; ");
    assert_int_equal(qmp_connections(m->qmp), 0);
}

static void test_half_closed_client_gets_its_answers(void **state)
{
    struct mock *m = *state;
    static const char ask[] = "{\"execute\":\"stop\",\"id\":1}{\"execute\":\"cont\",\"id\":2}";

    m->hold = true;
    assert_int_equal(send(m->client, ask, strlen(ask), 0), strlen(ask));
    shutdown(m->client, SHUT_WR);
    mock_settle(m);
    assert_int_equal(qmp_connections(m->qmp), 1);
    qmp_reply_ok(m->held[0]);
    m->helds = 0;
    assert_string_equal(mock_receive(m, m->client),
                        "{\"return\":{},\"id\":1}\r\n{\"return\":{},\"id\":2}\r\n");
    assert_int_equal(qmp_connections(m->qmp), 0);
}

/* Work that vanished clients have left in hand is bounded. */
static void test_replies_owed_are_bounded(void **state)
{
    struct mock *m = *state;
    struct qmp_reply *held[80];
    unsigned n = 0;
    const char *answer = "";

    m->hold = true;
    while (n < 80) {
        int client = mock_connect(m, 0);
        static const char ask[] = "{\"execute\":\"qmp_capabilities\"}{\"execute\":\"stop\"}";

        mock_say(m, client, ask);
        answer = mock_receive(m, client);
        close(client);
        mock_settle(m);
        if (!m->helds)
            break;
        held[n++] = m->held[0];
        m->helds = 0;
    }
    assert_int_equal(n, 64);
    assert_non_null(strstr(answer, "too many commands are in progress"));
    while (n)
        qmp_reply_ok(held[--n]);
    m->hold = false;
    expect(m, "{\"execute\":\"stop\"}", "{\"return\":{}}");
}

/* ---- events -----------------------------------------------------------------------------------
 */

static void test_events(void **state)
{
    struct mock *m = *state;
    int fresh = mock_connect(m, 0), quiet = mock_connect(m, QMP_NO_EVENTS);
    long long seconds;
    long micro;
    int used = 0;
    const char *text;

    mock_say(m, quiet, "{\"execute\":\"qmp_capabilities\"}");
    mock_receive(m, fresh);
    mock_receive(m, quiet);
    qmp_event(m->qmp, "STOP", NULL);
    qmp_event(m->qmp, "SHUTDOWN", "{\"guest\":true}");
    assert_string_equal(mock_receive(m, fresh), ""); /* has not negotiated */
    assert_string_equal(mock_receive(m, quiet), "");
    text = mock_receive(m, m->client);
    assert_int_equal(sscanf(text, "{\"timestamp\":{\"seconds\":%lld,\"microseconds\":%ld},%n",
                            &seconds, &micro, &used),
                     2);
    assert_true(seconds > 1600000000 && micro >= 0 && micro < 1000000);
    text += used;
    assert_int_equal(strncmp(text, "\"event\":\"STOP\"}\r\n", 17), 0);
    assert_non_null(strstr(text, "\"event\":\"SHUTDOWN\",\"data\":{\"guest\":true}}\r\n"));
    close(fresh);
    close(quiet);
}

/* ---- descriptors ------------------------------------------------------------------------------
 */

static void test_descriptors_in_order(void **state)
{
    struct mock *m = *state;
    int fds[3], before = mock_open_fds();
    struct stat sent[3], got;

    for (int i = 0; i < 3; i++) {
        fds[i] = mock_file(O_RDONLY);
        assert_int_equal(fstat(fds[i], &sent[i]), 0);
    }
    mock_say_fds(m, m->client, "{\"execute\":\"query-kvm\"}{\"execute\":\"add-fd\"}", fds, 2);
    mock_say_fds(m, m->client, "{\"execute\":\"add-fd\"}{\"execute\":\"add-fd\"}", &fds[2], 1);
    for (int i = 0; i < 3; i++)
        close(fds[i]);
    mock_receive(m, m->client);
    for (int i = 0; i < 3; i++) {
        char path[32];
        int fd;

        snprintf(path, sizeof(path), "/dev/fdset/%d", i);
        fd = fdsets_open(qmp_fdsets(m->qmp), path, O_RDONLY);
        assert_true(fd >= 0);
        assert_int_equal(fstat(fd, &got), 0);
        assert_int_equal(got.st_ino, sent[i].st_ino);
        close(fd);
    }
    mock_expect_error(m, "{\"execute\":\"add-fd\"}", "GenericError", "no descriptor");
    close(m->client);
    m->client = -1;
    mock_settle(m);
    assert_int_equal(mock_open_fds(), before - 2);
}

static void test_descriptors_nobody_asked_for(void **state)
{
    struct mock *m = *state;
    int fds[40], before = mock_open_fds(), null = open("/dev/null", O_RDONLY | O_CLOEXEC);

    for (int i = 0; i < 40; i++)
        fds[i] = null;
    for (int i = 0; i < 10; i++) {
        mock_say_fds(m, m->client, " ", fds, 40);
        assert_true(mock_open_fds() <= before + 1 + QMP_FDS_MAX);
    }
    close(null);
    assert_string_equal(mock_ask(m, ASK), STATUS);
    close(m->client);
    m->client = -1;
    mock_settle(m);
    assert_int_equal(mock_open_fds(), before - 2);
}

static void test_failed_add_fd_closes(void **state)
{
    struct mock *m = *state;
    int before = mock_open_fds(), null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    static const char *const asks[] = {
        "{\"execute\":\"add-fd\",\"arguments\":{\"fdset-id\":-1}}",
        "{\"execute\":\"add-fd\",\"arguments\":{\"fdset-id\":2147483648}}",
        "{\"execute\":\"add-fd\",\"arguments\":{\"fdset-id\":-9223372036854775808}}"};

    for (size_t i = 0; i < 3; i++) {
        mock_say_fds(m, m->client, asks[i], &null, 1);
        assert_non_null(strstr(mock_receive(m, m->client), "'fdset-id' must be from 0 to"));
    }
    close(null);
    assert_int_equal(mock_open_fds(), before);
}

/* ---- the rest ----------------------------------------------------------------------------------
 */

static void test_pretty(void **state)
{
    struct mock *m = *state;
    int client = mock_connect(m, QMP_PRETTY);

    mock_receive(m, client);
    mock_say(m, client, "{\"execute\":\"qmp_capabilities\",\"id\":1}");
    assert_string_equal(mock_receive(m, client), "{\n  \"return\": {\n  },\n  \"id\": 1\n}\r\n");
    close(client);
}

/* A timer, a deferred job or a wake-up left behind would cost an idle guest. */
static void test_idle_costs_nothing(void **state)
{
    struct mock *m = *state;

    assert_string_equal(mock_ask(m, ASK), STATUS);
    for (int i = 0; i < 3; i++) {
        uint64_t before = m->now;

        loop_turn(m->loop, 0);
        assert_int_equal(m->now, before);
    }
    mock_advance(m, 3600000000000);
    assert_int_equal(qmp_connections(m->qmp), 1);
    assert_string_equal(mock_ask(m, ASK), STATUS);
}

#define T(name) cmocka_unit_test_setup_teardown(name, mock_setup, mock_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_a_client_that_never_reads),
        T(test_a_client_that_reads_late),
        T(test_events_that_pile_up),
        T(test_a_client_that_goes_is_noticed_at_once),
        T(test_commands_of_a_client_that_has_gone),
        T(test_half_closed_client_gets_its_answers),
        T(test_replies_owed_are_bounded),
        T(test_events),
        T(test_descriptors_in_order),
        T(test_descriptors_nobody_asked_for),
        T(test_failed_add_fd_closes),
        T(test_pretty),
        T(test_idle_costs_nothing),
    };

    return cmocka_run_group_tests_name("qmp_server", tests, NULL, NULL);
}
