/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The toolstack's commands in xenstore: what is asked of the machine, and what is answered. */
#include "qmp_mock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "toolstack/xs_commands.h"

struct nodes {
    char log[400];
    int open_error; /* of the next file */
};

static struct nodes nodes;
static struct xs_commands commands;

static void note(const char *what, const char *value)
{
    size_t len = strlen(nodes.log);

    snprintf(nodes.log + len, sizeof(nodes.log) - len, "%s=%s; ", what, value);
}

static void set_state(void *opaque, const char *state)
{
    assert_ptr_equal(opaque, &nodes);
    note("state", state);
}

static void set_ret(void *opaque, const char *ret)
{
    note("ret", ret);
}

static int open_save(void *opaque)
{
    note("open", "");
    return nodes.open_error ? nodes.open_error : mock_file(O_RDWR);
}

static void drop_save(void *opaque)
{
    note("drop", "");
}

static const struct xs_command_nodes ops = {set_state, set_ret, open_save, drop_save};

static int setup(void **state)
{
    int rc = mock_setup(state);
    struct mock *m = *state;

    memset(&nodes, 0, sizeof(nodes));
    commands = (struct xs_commands){
        .ops = &m->ops, .ops_opaque = m, .nodes = &ops, .nodes_opaque = &nodes};
    return rc;
}

/* Runs a command; `calls` of the machine, `answer` in the nodes. */
static void run(struct mock *m, const char *command, const char *parameter, const char *calls,
                const char *answer)
{
    nodes.log[0] = '\0';
    xs_command_run(&commands, command, parameter);
    assert_string_equal(mock_calls(m), calls);
    assert_string_equal(nodes.log, answer);
}

static void fail_next(struct mock *m, int rc, const char *text)
{
    m->rc = rc;
    m->rc_class = QMP_GENERIC_ERROR;
    m->rc_text = text;
}

static void test_save(void **state)
{
    run(*state, "save", NULL, "stop; save 0; ", "open=; ret=ok; state=paused; ");
    run(*state, "continue", NULL, "cont; ", "ret=ok; state=running; ");
}

/* Nothing is answered before it is so, and nothing else is begun meanwhile. */
static void test_save_takes_its_time(void **state)
{
    struct mock *m = *state;

    m->hold = true;
    run(m, "save", NULL, "stop; ", "");
    run(m, "continue", NULL, "", "ret=the last command is not done yet; ");
    nodes.log[0] = '\0';
    qmp_reply_ok(m->held[0]);
    assert_string_equal(nodes.log, "open=; ");
    assert_string_equal(mock_calls(m), "save 0; ");
    qmp_reply_ok(m->held[1]);
    assert_string_equal(nodes.log, "open=; ret=ok; state=paused; ");
    m->hold = false;
    m->helds = 0;
    run(m, "continue", NULL, "cont; ", "ret=ok; state=running; ");
}

/* A state that is not whole is not left behind. */
static void test_save_fails(void **state)
{
    struct mock *m = *state;

    nodes.open_error = -EACCES;
    run(m, "save", NULL, "stop; ",
        "open=; drop=; ret=cannot write the state: Permission denied; state=paused; ");
    nodes.open_error = 0;
    m->hold = true;
    run(m, "save", NULL, "stop; ", "");
    qmp_reply_ok(m->held[0]);
    assert_string_equal(mock_calls(m), "save 0; ");
    nodes.log[0] = '\0';
    qmp_reply_fail(m->held[1], QMP_GENERIC_ERROR, "the disk %s", "is full");
    assert_string_equal(nodes.log, "drop=; ret=the disk is full; state=paused; ");
    m->hold = false;
    m->helds = 0;
    run(m, "continue", NULL, "cont; ", "ret=ok; state=running; ");
}

static void test_continue_fails(void **state)
{
    fail_next(*state, -EBUSY, "the image is locked");
    run(*state, "continue", NULL, "cont; ", "ret=the image is locked; ");
    fail_next(*state, -EBUSY, NULL);
    run(*state, "continue", NULL, "cont; ", "ret=Device or resource busy; ");
}

static void test_refused(void **state)
{
    char text[300];

    run(*state, "pci-ins", "0000:03:00.0", "",
        "ret=pci-ins: PCI passthrough is not built (0000:03:00.0); state=pci-insert-failed; ");
    run(*state, "pci-rem", NULL, "",
        "ret=pci-rem: the guest has no such device (); state=pci-removed; ");
    run(*state, "usb-add", "tablet", "", "ret=USB hot-plug is not built (tablet); ");
    run(*state, "usb-del", "tablet", "", "ret=USB hot-plug is not built (tablet); ");
    run(*state, "", NULL, "", "ret=there is no command ''; ");
    run(*state, "Save", NULL, "", "ret=there is no command 'Save'; ");
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    run(*state, text, text, "",
        "ret=there is no command 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'; ");
}

static void test_log_dirty(void **state)
{
    struct mock *m = *state;
    const char *word = "enable";

    assert_ptr_equal(xs_command_log_dirty(&commands, word), word);
    assert_string_equal(mock_calls(m), "log_dirty 1; ");
    assert_string_equal(xs_command_log_dirty(&commands, "disable"), "disable");
    assert_string_equal(mock_calls(m), "log_dirty 0; ");
    assert_string_equal(xs_command_log_dirty(&commands, ""), "there is no such command");
    assert_string_equal(mock_calls(m), "");
    fail_next(m, -EIO, "no");
    assert_string_equal(xs_command_log_dirty(&commands, "enable"), "failed");
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, mock_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_save),       CASE(test_save_takes_its_time),
        CASE(test_save_fails), CASE(test_continue_fails),
        CASE(test_refused),    CASE(test_log_dirty),
    };

    return cmocka_run_group_tests_name("xs_commands", tests, NULL, NULL);
}
