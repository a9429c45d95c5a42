/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command line of libxl in qemu-xen mode, made into one struct config.
 *
 * Nothing here prints, exits, opens or changes anything: the caller says what is to be said and
 * decides. Messages are one line without a newline and without the program's name.
 */
#ifndef TOOLSTACK_CMDLINE_H
#define TOOLSTACK_CMDLINE_H

#include <stddef.h>

#include "toolstack/config.h"

/* What is taken of an argument vector, so that every later size is bounded. */
#define CONFIG_ARGC_MAX   1024
#define CONFIG_ARGV_BYTES (128u * 1024)
#define CONFIG_NOTICE_MAX 64 /* further ones are counted, not kept */

struct config_messages {
    char *error; /* why config_parse() failed: option, value, what is accepted; else NULL */
    char *notice[CONFIG_NOTICE_MAX]; /* things worth a line in the log, in order */
    size_t notice_count;
    size_t notices_dropped;
};

/*
 * Parses argv[1] .. argv[argc - 1]; argv is not changed and need not outlive the call.
 * On success *out is a new config (free with config_free()) and 0 is returned. On failure *out is
 * NULL, msgs->error says why, and the result is -EINVAL (the command line) or -ENOMEM (no message).
 * msgs is overwritten; free it with config_messages_free() in both cases.
 */
int config_parse(int argc, char *const argv[], struct config **out, struct config_messages *msgs);

/* Both take what config_parse() left, also NULL or zeroes. */
void config_free(struct config *config);
void config_messages_free(struct config_messages *msgs);

/* What -help and -version print on stdout: constant, complete with newlines. */
const char *config_help_text(void);
const char *config_version_text(void);

#endif
