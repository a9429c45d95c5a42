/* SPDX-License-Identifier: GPL-2.0-or-later */
/* QMP as a server of strangers: broken input, limits, slow and vanishing clients, descriptors. */
#include "qmp_mock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define STATUS "{\"return\":{\"status\":\"running\",\"running\":true,\"singlestep\":false}}\r\n"
#define ASK    "{\"execute\":\"query-status\"}"

/* ---- messages ---------------------------------------------------------------------------------
 */

static void test_negotiation_comes_first(void **state)
{
    struct mock *m = *state;
    int client = mock_connect(m, 0);

    close(m->client);
    m->client = client;
    mock_receive(m, client);
    mock_expect_error(m, ASK, "CommandNotFound", "qmp_capabilities");
    mock_expect_error(m, "{\"execute\":\"qmp_capabilities\",\"arguments\":{\"enable\":[\"oob\"]}}",
                      "GenericError", "no capability");
    mock_expect_error(m, "{\"execute\":\"qmp_capabilities\",\"arguments\":{\"x\":1}}",
                      "GenericError", "'x'");
    expect(m, "{\"execute\":\"qmp_capabilities\",\"arguments\":{\"enable\":[]}}",
           "{\"return\":{}}");
    mock_expect_error(m, "{\"execute\":\"qmp_capabilities\"}", "CommandNotFound", "before");
    assert_string_equal(mock_ask(m, ASK), STATUS);
}

static void test_ids_of_every_type(void **state)
{
    static const char *const ids[] = {"1",
                                      "-9223372036854775808",
                                      "18446744073709551615",
                                      "1.50",
                                      "1e400",
                                      "true",
                                      "null",
                                      "\"x\"",
                                      "\"\\u0001\\\"\\\\\"",
                                      "[1,[2,{\"a\":[]}]]",
                                      "{}",
                                      "\"\"",
                                      "\"\xc3\xa9\""};

    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        char ask[128], answer[128];

        snprintf(ask, sizeof(ask), "{\"id\":%s,\"execute\":\"cont\"}", ids[i]);
        snprintf(answer, sizeof(answer), "{\"return\":{},\"id\":%s}\r\n", ids[i]);
        assert_string_equal(mock_ask(*state, ask), answer);
        snprintf(ask, sizeof(ask), "{\"execute\":\"nonsense\",\"id\":%s}", ids[i]);
        snprintf(answer, sizeof(answer),
                 "{\"error\":{\"class\":\"CommandNotFound\",\"desc\":\"there is no command "
                 "'nonsense'\"},\"id\":%s}\r\n",
                 ids[i]);
        assert_string_equal(mock_ask(*state, ask), answer);
    }
}

static void test_byte_by_byte(void **state)
{
    struct mock *m = *state;
    static const char ask[] = " \r\n{ \"execute\" : \"query-status\" ,\t\"id\":\"}\\\"{\" }\r\n";

    for (size_t i = 0; i < strlen(ask); i++) {
        mock_send(m, m->client, ask + i, 1);
        if (ask[i] == '}' && ask[i + 1] == '\r') /* at the closing brace, not at the line's end */
            assert_string_equal(mock_receive(m, m->client),
                                "{\"return\":{\"status\":\"running\",\"running\":true,"
                                "\"singlestep\":false},\"id\":\"}\\\"{\"}\r\n");
        else
            assert_string_equal(mock_receive(m, m->client), "");
    }
}

static void test_many_in_one_packet(void **state)
{
    struct mock *m = *state;
    char *ask = malloc(100 * sizeof(ASK)), *answer = malloc(100 * sizeof(STATUS));

    ask[0] = answer[0] = '\0';
    for (int i = 0; i < 100; i++) {
        strcat(ask, ASK);
        strcat(answer, STATUS);
    }
    assert_string_equal(mock_ask(m, ask), answer);
    free(ask);
    free(answer);
}

static void test_broken_messages(void **state)
{
    static const struct {
        const char *ask, *part;
    } rows[] = {
        {"[1,2]", "JSON object"},
        {"[]", "JSON object"},
        {"junk and more\r\n", "JSON object"},
        {"\"text\"\r\n", "JSON object"},
        {"42\r\n", "JSON object"},
        {"}\r\n", "JSON object"},
        {"{}", "'execute'"},
        {"{\"id\":1,\"execute\":2}", "name of a command"},
        {"{\"execute\":null}", "name of a command"},
        {"{\"execute\":\"cont\\u0000x\"}", "name of a command"},
        {"{\"execute\":\"cont\",\"control\":{}}", "'control'"},
        {"{\"exec-oob\":\"cont\"}", "'exec-oob'"},
        {"{\"execute\":\"cont\",\"arguments\":[]}", "must be an object"},
        {"{\"execute\":\"cont\",\"arguments\":null}", "must be an object"},
        {"{\"execute\":\"cont\" \"id\":1}", "parse error"},
        {"{\"execute\":\"cont\",}", "parse error"},
        {"{\"execute\" \"cont\"}", "parse error"},
        {"{\"execute\":cont}", "parse error"},
        {"{\"execute\":\"cont\"]", "parse error"},
        {"{\"execute\":[\"cont\"}}", "parse error"},
        {"{\"execute\":\"cont\\x\"}", "parse error"},
        {"{\"execute\":\"cont\",\"id\":NaN}\n", "character"},
        {"{\"execute\":\"cont\",\"id\":nan}", "parse error"},
        {"{\"execute\":\"cont\",\"id\":-}", "parse error"},
        {"{\"execute\":\"cont\",\"id\":+1}", "parse error"},
        {"{'execute':'cont'}\n", "character"},
        {"{\"execute\":\"cont\"/*x*/}\n", "character"},
        {"{\"execute\":\"co\nnt\"}", "control character"},
        {"{\"execute\":\"co\x80nt\"}", "not UTF-8"},
        {"{\"execute\":\"co\xc0\x80nt\"}", "not UTF-8"},
        {"{\"execute\":\"co\xed\xa0\x80nt\"}", "not UTF-8"},
        {"{\"execute\":\"co\xf4\x90\x80\x80nt\"}", "not UTF-8"},
        {"{\"execute\":\"cont\xe2\x82\"}", "not UTF-8"},
    };
    struct mock *m = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *answer;

        mock_say(m, m->client, rows[i].ask);
        answer = mock_receive(m, m->client);
        if (strncmp(answer, "{\"error\":{\"class\":\"GenericError\"", 32) != 0 ||
            !strstr(answer, rows[i].part))
            fail_msg("%s got %s", rows[i].ask, answer);
        /* The rest of a line may give another error; then all is well again. */
        mock_ask(m, "\n");
        assert_string_equal(mock_ask(m, ASK), STATUS);
    }
    assert_string_equal(mock_calls(m), ""); /* nothing of it was obeyed */
}

/* As with QEMU, a byte that cannot be drops what has been collected. */
static void test_resynchronisation(void **state)
{
    struct mock *m = *state;

    mock_expect_error(m, "{\"execute\":{\"a\":[\"\xff", "GenericError", "UTF-8");
    assert_string_equal(mock_ask(m, ASK), STATUS);
    mock_expect_error(m, "{\"execute\":{\"a\":[\xff", "GenericError", "parse error");
    assert_string_equal(mock_ask(m, ASK), STATUS);
    mock_expect_error(m, "{\"execute\":\"never ends\n", "GenericError", "control character");
    assert_string_equal(mock_ask(m, ASK), STATUS);
    mock_send(m, m->client, "{\0", 2);
    assert_non_null(strstr(mock_receive(m, m->client), "GenericError"));
    assert_string_equal(mock_ask(m, ASK), STATUS);
    assert_string_equal(mock_ask(m, "\xff\xff" ASK), STATUS); /* nothing to drop, no error */
}

/* ---- limits -----------------------------------------------------------------------------------
 */

static void expect_dropped(struct mock *m, const char *part)
{
    const char *answer = mock_receive(m, m->client);

    if (strncmp(answer, "{\"error\":{\"class\":\"GenericError\"", 32) != 0 || !strstr(answer, part))
        fail_msg("expected '%s', got %s", part, answer);
    assert_true(mock_closed(m, m->client));
    assert_int_equal(qmp_connections(m->qmp), 0);
}

static void test_message_of_the_greatest_size(void **state)
{
    struct mock *m = *state;
    char *ask = malloc(QMP_MESSAGE_MAX + 1);
    static const char start[] = "{\"execute\":\"cont\",\"id\":\"";

    memset(ask, 'x', QMP_MESSAGE_MAX);
    memcpy(ask, start, strlen(start));
    memcpy(ask + QMP_MESSAGE_MAX - 2, "\"}", 3);
    assert_int_equal(strlen(mock_ask(m, ask)), QMP_MESSAGE_MAX - strlen("\"execute\":\"cont\"") +
                                                   strlen("\"return\":{}") + strlen("\r\n"));
    assert_string_equal(mock_calls(m), "cont; ");
    ask[QMP_MESSAGE_MAX - 2] = 'x';
    ask[QMP_MESSAGE_MAX - 1] = '"';
    mock_send(m, m->client, ask, QMP_MESSAGE_MAX);
    assert_string_equal(mock_receive(m, m->client), "");
    mock_say(m, m->client, "}");
    expect_dropped(m, "longer than 1 MiB");
    free(ask);
}

static void nested(char *ask, unsigned depth, const char *core)
{
    strcpy(ask, "{\"execute\":\"cont\",\"id\":");
    for (unsigned i = 1; i < depth; i++)
        strcat(ask, "[");
    strcat(ask, core);
    for (unsigned i = 1; i < depth; i++)
        strcat(ask, "]");
    strcat(ask, "}");
}

static void test_deep_nesting(void **state)
{
    struct mock *m = *state;
    char ask[256];

    nested(ask, QMP_DEPTH_MAX, "1");
    assert_non_null(strstr(mock_ask(m, ask), "{\"return\":{},\"id\":[[["));
    nested(ask, QMP_DEPTH_MAX + 1, "1");
    mock_say(m, m->client, ask);
    expect_dropped(m, "nested too deeply");
}

static void test_endless_nesting(void **state)
{
    struct mock *m = *state;
    char *ask = malloc(100000);

    memset(ask, '[', 100000);
    mock_send(m, m->client, ask, 100000);
    expect_dropped(m, "nested too deeply");
    free(ask);
}

static void test_too_many_values(void **state)
{
    struct mock *m = *state;
    char *ask = malloc(QMP_VALUES_MAX * 3);
    size_t len = (size_t)sprintf(ask, "{\"id\":[");

    for (unsigned i = 0; i <= QMP_VALUES_MAX; i++)
        len += (size_t)sprintf(ask + len, "0,");
    mock_send(m, m->client, ask, len);
    expect_dropped(m, "too many values");
    free(ask);
}

/* Commands behind the one that broke a limit are not obeyed. */
static void test_nothing_runs_after_a_limit(void **state)
{
    struct mock *m = *state;
    char ask[256];

    memset(ask, '[', 64);
    strcpy(ask + 64, "\r\n{\"execute\":\"cont\"}");
    mock_say(m, m->client, ask);
    expect_dropped(m, "nested too deeply");
    assert_string_equal(mock_calls(m), "");
}

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
        T(test_negotiation_comes_first),
        T(test_ids_of_every_type),
        T(test_byte_by_byte),
        T(test_many_in_one_packet),
        T(test_broken_messages),
        T(test_resynchronisation),
        T(test_message_of_the_greatest_size),
        T(test_deep_nesting),
        T(test_endless_nesting),
        T(test_too_many_values),
        T(test_nothing_runs_after_a_limit),
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
