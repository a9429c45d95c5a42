/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "build_config.h"
#include "ctl/ctl.h"

static const struct command {
    const char *name;
    const char *arguments; /* after the domain's number */
    const char *help;
    int count; /* of those arguments */
    ctl_run *run;
} commands[] = {
    {"audit", "", "what its device model may and may not do; 1 when something does not hold", 0,
     ctl_audit},
    {"screenshot", " FILE", "the guest's screen, as PNG or (FILE.ppm) as PPM", 1, ctl_screenshot},
    {"status", "", "whether it runs, its VNC server, its disks", 0, ctl_status},
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

int ctl_fail(int error, const char *format, ...)
{
    va_list args;

    fputs("slimdm-ctl: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return error;
}

static void usage(FILE *to)
{
    fputs("usage: slimdm-ctl [--socket PATH] [--pid PID] COMMAND DOMID [FILE]\n", to);
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(to, "  %s DOMID%s: %s\n", commands[i].name, commands[i].arguments,
                commands[i].help);
}

static const struct command *find(const char *name)
{
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static int parse_domid(const char *text, unsigned *domid)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);

    /* Xen's own identifiers begin at 0x7ff0. */
    if (*text < '0' || *text > '9' || *end || value >= 0x7ff0)
        return ctl_fail(-EINVAL, "'%s' is not a domain's number (xl domid NAME tells it)", text);
    *domid = (unsigned)value;
    return 0;
}

static int run(struct ctl *ctl, int count, char **word)
{
    const struct command *command = find(word[0]);

    if (!command)
        return ctl_fail(-EINVAL, "there is no command '%s'; slimdm-ctl --help lists them", word[0]);
    if (count != command->count + 2)
        return ctl_fail(-EINVAL, "usage: slimdm-ctl %s DOMID%s", command->name, command->arguments);
    if (parse_domid(word[1], &ctl->domid))
        return -EINVAL;
    return command->run(ctl, word + 2);
}

int main(int argc, char **argv)
{
    struct ctl ctl = {0};
    int at = 1, rc;

    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        usage(stdout);
        return 0;
    }
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        puts("slimdm-ctl " SLIMDM_VERSION);
        return 0;
    }
    for (; at + 1 < argc; at += 2) {
        if (strcmp(argv[at], "--socket") == 0)
            ctl.socket = argv[at + 1];
        else if (strcmp(argv[at], "--pid") == 0)
            ctl.pid = atoi(argv[at + 1]);
        else
            break;
    }
    if (at >= argc || argv[at][0] == '-') {
        usage(stderr);
        return 2;
    }
    rc = run(&ctl, argc - at, argv + at);
    return !rc ? 0 : rc == -EINVAL ? 2 : 1;
}
