/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a device model was started with, as far as privilege goes. */
#include <errno.h>
#include <string.h>

#include "ctl/audit.h"
#include "ctl/ctl.h"

/* "-run-with chroot=DIR,user=NAME", one of them or both, the way releases from 4.20 ask. */
static void take_run_with(struct audit_asked *asked, char *value)
{
    char *rest = NULL;

    for (char *item = strtok_r(value, ",", &rest); item; item = strtok_r(NULL, ",", &rest)) {
        if (strncmp(item, "chroot=", 7) == 0)
            asked->folder = item + 7;
        else if (strncmp(item, "user=", 5) == 0)
            asked->user = item + 5;
    }
}

/* `value` is the next word, "" behind the last one. */
static void take_option(struct audit_asked *asked, const char *name, char *value)
{
    if (strcmp(name, "xen-domid-restrict") == 0)
        asked->restricted = true;
    else if (strcmp(name, "chroot") == 0)
        asked->folder = value;
    else if (strcmp(name, "runas") == 0)
        asked->user = value;
    else if (strcmp(name, "run-with") == 0)
        take_run_with(asked, value);
    else if (strcmp(name, "sandbox") == 0)
        asked->unfiltered = strncmp(value, "off", 3) == 0 || strncmp(value, "enable=off", 10) == 0;
}

int audit_read_cmdline(struct audit *a)
{
    char *text = a->asked.cmdline, *end;
    FILE *file = audit_open(a, "cmdline");
    size_t n = 0;

    if (file) {
        n = fread(text, 1, sizeof(a->asked.cmdline) - 2, file);
        fclose(file);
    }
    if (n == 0)
        return ctl_fail(-ESRCH, "there is no process %d to look at", (int)a->pid);
    end = text + n;
    for (char *word = text; word < end;) {
        char *next = word + strlen(word) + 1;

        if (*word == '-') {
            word += 1 + (word[1] == '-');
            take_option(&a->asked, word, next < end ? next : end);
        }
        word = next;
    }
    return 0;
}
