/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A command line written as one string, for the tests of the parser. */
#ifndef TESTS_TOOLSTACK_CMDLINE_TEST_H
#define TESTS_TOOLSTACK_CMDLINE_TEST_H

#include "toolstack/cmdline.h"

/* What libxl puts first and in between. */
#define QMP_OF(n)                                                                                  \
    "-chardev socket,id=libxl-cmd,path=/var/run/xen/qmp-libxl-" #n ",server=on,wait=off "          \
    "-mon chardev=libxl-cmd,mode=control "                                                         \
    "-chardev socket,id=libxenstat-cmd,path=/var/run/xen/qmp-libxenstat-" #n                       \
    ",server=on,wait=off "                                                                         \
    "-mon chardev=libxenstat-cmd,mode=control "

/* The least that starts a guest. */
#define HVM "-xen-domid 5 "

/* Arguments are cut at blanks; "..." keeps blanks together. The program's name is put in front. */
int parse_line(const char *line, struct config **config, struct config_messages *messages);

/* Parses a line that must be accepted, and keeps the config and its messages until the next call
 * of either function, or until parse_release(). */
const struct config *accept_line(const char *line);
extern struct config_messages parse_messages;

/* Parses a line that must be refused, with a message that has each of the words in it, one after
 * another, separated by '|'. */
void refuse_line(const char *line, const char *words);

/* The same for each of a list. */
struct refusal {
    const char *line, *words;
};
void refuse_lines(const struct refusal *list, size_t count);
#define REFUSE_ALL(list) refuse_lines(list, sizeof(list) / sizeof((list)[0]))

/* Parses a line that must be accepted without a notice. */
void accept_silently(const char *line);

/* True if a notice of the last accepted line has `words` in it. */
bool noticed(const char *words);

void parse_release(void);

#endif
