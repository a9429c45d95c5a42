/* SPDX-License-Identifier: GPL-2.0-or-later */
/* QMP as a server of strangers: broken input, and the limits of a message. */
#include "qmp_mock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
    };

    return cmocka_run_group_tests_name("qmp_messages", tests, NULL, NULL);
}
