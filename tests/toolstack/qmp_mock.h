/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A machine behind QMP that only takes notes, and a client that speaks to the server over a real
 * socket. Time stands still until it is moved.
 */
#ifndef TESTS_TOOLSTACK_QMP_MOCK_H
#define TESTS_TOOLSTACK_QMP_MOCK_H

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "toolstack/qmp.h"

struct mock {
    struct loop *loop;
    struct qmp *qmp;
    struct qmp_ops ops; /* all there; a test may take some away */
    uint64_t now;       /* ns */
    int client;         /* connected and negotiated */

    char calls[65536]; /* what the operations have been asked: "cont; eject ide-5632 0; " */
    int rc;            /* what the next operation returns, and says when there is a text */
    enum qmp_class rc_class;
    const char *rc_text;
    bool hold; /* keep replies instead of answering at once */
    struct qmp_reply *held[8];
    unsigned helds;
    enum qmp_run_state state;
    const char *name;
    int fd; /* the last descriptor an operation was given, or -1 */
    bool no_vnc;
    const char *odd_file; /* instead of the disk's file name */
};

/* cmocka fixtures; *state is the struct mock. The client has negotiated. */
int mock_setup(void **state);
int mock_teardown(void **state);

/* Turns of the loop until nothing moves any more. */
void mock_settle(struct mock *m);
/* Time passes. */
void mock_advance(struct mock *m, uint64_t ns);

/* One more client, which has got its greeting and nothing else. */
int mock_connect(struct mock *m, unsigned flags);
void mock_send(struct mock *m, int client, const void *data, size_t len);
void mock_say(struct mock *m, int client, const char *text);
/* All that the client can read now, NUL-terminated, valid until the next call. */
const char *mock_receive(struct mock *m, int client);
bool mock_closed(struct mock *m, int client);

/* A question, and its answer while the machine runs. */
#define ASK    "{\"execute\":\"query-status\"}"
#define STATUS "{\"return\":{\"status\":\"running\",\"running\":true,\"singlestep\":false}}\r\n"

/* Sends text and returns the answer. */
const char *mock_ask(struct mock *m, const char *text);
/* Calls since the last time. */
const char *mock_calls(struct mock *m);

/* Sends `text` and expects exactly `answer` CR LF. */
#define expect(m, text, answer) assert_string_equal(mock_ask(m, text), answer "\r\n")
/* The same for an error: class, and a part of the description. */
void mock_expect_error(struct mock *m, const char *text, const char *class, const char *part);

/* Sends text with descriptors attached. */
void mock_say_fds(struct mock *m, int client, const char *text, const int *fds, size_t count);
/* A temporary file, already unlinked. */
int mock_file(int flags);
/* The file "medium" in the working folder; and away with it, and with "out". */
void mock_make_medium(void);
void mock_drop_files(void);
/* Descriptors that this process has open. */
int mock_open_fds(void);

#endif
