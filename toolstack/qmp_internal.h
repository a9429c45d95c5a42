/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the parts of the QMP server know of each other:
 *
 *     qmp.c           the server: sockets, events, the end
 *     qmp_conn.c      a connection: bytes in, bytes out, descriptors, when to close
 *     qmp_parse.c     bytes into messages
 *     qmp_commands.c  a message into a checked call of a command; the answer
 *     qmp_cmd_*.c     the commands, by topic, each file with its table
 *     qmp_hmp.c       the text commands of human-monitor-command (their errors are text, too)
 *     fdset.c         descriptor sets
 */
#ifndef TOOLSTACK_QMP_INTERNAL_H
#define TOOLSTACK_QMP_INTERNAL_H

#include <json-c/json.h>
#include <sys/types.h>

#include "toolstack/qmp.h"

/* ---- messages ------------------------------------------------------------------------------- */

struct qmp_parser {
    char *text; /* of the message that has begun */
    size_t len, room;
    unsigned depth;
    unsigned values;
    bool in_string, escaped;
    bool skipping; /* after a mistake: until a line or an object begins */
};

enum qmp_parsed {
    QMP_PARSE_MORE,    /* all bytes used, no message complete */
    QMP_PARSE_MESSAGE, /* parser->text, parser->len hold one, balanced in its brackets */
    QMP_PARSE_BROKEN,  /* these bytes cannot be JSON; go on with the rest */
    QMP_PARSE_LIMIT,   /* more than what is taken: close the connection */
};

/*
 * Takes bytes up to the first event; *used says how many. *why is set with BROKEN and LIMIT. After
 * a MESSAGE call qmp_parser_reset() before the next feed. A zeroed parser is an empty one.
 */
enum qmp_parsed qmp_parser_feed(struct qmp_parser *parser, const uint8_t *data, size_t len,
                                size_t *used, const char **why);
/* Forgets the message, overwriting it: it may have held a password. */
void qmp_parser_reset(struct qmp_parser *parser);
void qmp_parser_fini(struct qmp_parser *parser);

/* Bytes of the UTF-8 sequence at s, or 0 when there is no valid one. len > 0. */
size_t qmp_utf8_length(const uint8_t *s, size_t len);

/* ---- connections ---------------------------------------------------------------------------- */

struct qmp_listener {
    struct qmp *qmp;
    struct loop_fd lfd;
    struct timer retry; /* after accept() has failed for want of something */
    char *path;         /* of the file that we have made, or NULL */
    dev_t dev;          /* which file that was */
    ino_t ino;
    unsigned flags;
    unsigned connections;
};

struct qmp_conn {
    struct qmp *qmp;
    struct qmp_listener *listener; /* or NULL */
    struct qmp_conn *next;
    unsigned flags;
    struct loop_fd lfd;
    struct timer stuck;    /* armed while output waits */
    struct loop_work more; /* input is left that the last turn had no budget for */

    bool negotiated;
    bool dead;    /* closed; freed in the next turn */
    bool closing; /* to be closed once the output is out; input is ignored */
    bool quitting;
    bool eof;     /* the client has shut its writing side */
    bool half;    /* its hang-up has been seen while we were not reading */
    bool mute;    /* it no longer reads: output is dropped */
    bool running; /* commands are being run from its input */

    struct qmp_reply *reply; /* owed for the last command; the next waits for it */
    struct qmp_parser parser;
    uint8_t in[4096];
    size_t in_pos, in_len;
    int fds[QMP_FDS_MAX]; /* received, in order */
    unsigned nfds;
    char *out;
    size_t out_pos, out_len, out_room;
};

struct qmp {
    struct loop *loop;
    const struct qmp_ops *ops;
    void *opaque;
    struct fdsets *fdsets;
    struct json_tokener *tokener;
    struct qmp_listener *listener[QMP_LISTENERS_MAX];
    unsigned listeners;
    struct qmp_conn *conns;
    unsigned connections;
    struct loop_work reap;
    struct qmp_reply *replies; /* owed, by whomever */
    unsigned owed;
    struct timer quit;
    bool quit_asked, quit_done;
};

/* A connection on fd, taken over on success; sends the greeting. 0 or -errno. */
int qmp_conn_open(struct qmp *qmp, struct qmp_listener *listener, int fd, unsigned flags);
/* Closes it; the struct is freed by qmp_conn_reap(). */
void qmp_conn_close(struct qmp_conn *conn);
void qmp_conn_reap(void *qmp);
/* A listener has room for one more. */
void qmp_listener_resume(struct qmp_listener *listener);
/* Tells the machine to end, once. */
void qmp_quit_now(struct qmp *qmp);

/* Queues a message (consumed) with CR LF and writes what the socket takes. */
void qmp_conn_send(struct qmp_conn *conn, struct json_object *message);
/* The same with the text of one. */
void qmp_conn_send_text(struct qmp_conn *conn, const char *text, size_t len);
/* The oldest descriptor the client has sent, now the caller's; -1 when there is none. */
int qmp_conn_take_fd(struct qmp_conn *conn);
/* Go on with input that waited for a reply. */
void qmp_conn_resume(struct qmp_conn *conn);
/* The client has been told that we end. */
void qmp_conn_quit(struct qmp_conn *conn);

/* ---- commands ------------------------------------------------------------------------------- */

/* Runs one message, whose answer goes to the connection now or later. */
void qmp_run_message(struct qmp_conn *conn, const char *text, size_t len);
/* An answer to something that has no id: {"error": ...}. */
void qmp_send_error(struct qmp_conn *conn, enum qmp_class class, const char *text);
/* The connection goes away: nobody waits for the reply any more. */
void qmp_reply_orphan(struct qmp_reply *reply);
/* The server goes away. */
void qmp_replies_disown(struct qmp *qmp);

/* One call of a command: its arguments are of the types the table says, its strings free of NUL. */
struct qmp_call {
    struct qmp *qmp;
    struct qmp_conn *conn;
    const struct qmp_ops *ops;
    void *opaque;             /* of the operations */
    struct json_object *args; /* NULL when there are none */
    struct json_object *id;   /* any value, null too */
    bool id_given;
    struct qmp_error error;
    bool failed, late;
    bool quit; /* the process ends after the answer */
};

/* Returns the value of "return" (the caller's), or NULL after setting error or late. */
typedef struct json_object *qmp_handler(struct qmp_call *call);

enum qmp_type {
    QMP_STRING = 1,
    QMP_INT = 2,
    QMP_BOOL = 4,
    QMP_ARRAY = 8,
    QMP_REQUIRED = 16,
};

struct qmp_arg {
    const char *name;
    unsigned type; /* a mask */
};

#define QMP_ARGS_MAX 6

struct qmp_command {
    const char *name;
    qmp_handler *handler;
    struct qmp_arg args[QMP_ARGS_MAX];
    bool any_args; /* others than the listed ones are taken too */
};

extern const struct qmp_command qmp_run_commands[], qmp_media_commands[], qmp_device_commands[],
    qmp_ui_commands[]; /* each ends with a NULL name */

/* NULL when the argument was not given. */
const char *qmp_arg_string(const struct qmp_call *call, const char *name);
bool qmp_arg_bool(const struct qmp_call *call, const char *name, bool otherwise);
int64_t qmp_arg_int(const struct qmp_call *call, const char *name, int64_t otherwise);
struct json_object *qmp_arg(const struct qmp_call *call, const char *name);

/* Calls each(to, command) for all there are. */
void qmp_each_command(void (*each)(void *to, const struct qmp_command *), void *to);

/* An empty object: success with nothing to tell. */
struct json_object *qmp_ok(void);
/* Sets the error; returns NULL. */
struct json_object *qmp_error(struct qmp_call *call, enum qmp_class class, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* From what an operation returned: qmp_ok(), or the error it has left in call->error. */
struct json_object *qmp_result(struct qmp_call *call, int rc);
struct json_object *qmp_not_built(struct qmp_call *call);
/*
 * The reply to give to an operation; from now on the call is late. `text`: success is an empty
 * string (a text command) instead of an empty object. NULL after setting the error.
 */
struct qmp_reply *qmp_later(struct qmp_call *call, bool text);

/* Text of any origin as a JSON string: what is not UTF-8 becomes U+FFFD. NULL gives "". */
struct json_object *qmp_text(const char *text);
/* Overwrites a string value in place: a password. */
void qmp_wipe(struct json_object *string);

/* ---- shared between topics --------------------------------------------------------------------
 */

/*
 * A file that a client has named, "/dev/fdset/N" or a path: for reading (regular file or block
 * device), or for writing (regular file, made when missing, emptied). -1 after setting the error.
 */
int qmp_open_input(struct qmp_call *call, const char *filename);
int qmp_open_output(struct qmp_call *call, const char *filename);

const char *qmp_state_name(enum qmp_run_state state);
struct json_object *qmp_do_stop(struct qmp_call *call, bool text);
struct json_object *qmp_do_quit(struct qmp_call *call);
struct json_object *qmp_do_insert(struct qmp_call *call, const char *drive, const char *filename,
                                  const char *format);
struct json_object *qmp_do_set_link(struct qmp_call *call, const char *name, bool up);
struct json_object *qmp_do_vnc_password(struct qmp_call *call, const char *password);
struct json_object *qmp_do_screendump(struct qmp_call *call, const char *filename,
                                      const char *format, bool text);
/* -1 after setting the error. */
int qmp_key_from_name(struct qmp_call *call, const char *name);

/* The text that a text command prints, or NULL after setting the error or late. */
struct json_object *qmp_hmp_run(struct qmp_call *call, const char *line);

#endif
