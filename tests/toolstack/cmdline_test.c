/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmdline_test.h"

struct config_messages parse_messages;
static struct config *last_config;

int parse_line(const char *line, struct config **config, struct config_messages *messages)
{
    char name[] = "/usr/sbin/slimdm", *argv[CONFIG_ARGC_MAX + 8] = {name};
    char *copy = strdup(line), *s = copy, *out;
    int argc = 1, err;

    while (*s) {
        bool quoted = false;

        s += strspn(s, " ");
        if (!*s)
            break;
        assert_true(argc < CONFIG_ARGC_MAX + 8);
        argv[argc++] = out = s;
        while (*s && (quoted || *s != ' ')) {
            if (*s == '"')
                quoted = !quoted;
            else
                *out++ = *s;
            s++;
        }
        s += *s != '\0';
        *out = '\0';
    }
    err = config_parse(argc, argv, config, messages);
    /* Nothing of argv may live on in the config: a use of it now is found by the sanitizers. */
    free(copy);
    return err;
}

void parse_release(void)
{
    config_free(last_config);
    last_config = NULL;
    config_messages_free(&parse_messages);
}

const struct config *accept_line(const char *line)
{
    parse_release();
    if (parse_line(line, &last_config, &parse_messages) != 0)
        fail_msg("refused: %s\n  %s", line, parse_messages.error);
    assert_non_null(last_config);
    assert_null(parse_messages.error);
    return last_config;
}

void refuse_line(const char *line, const char *words)
{
    char *copy = strdup(words), *rest = copy, *word;
    const char *at;

    parse_release();
    if (parse_line(line, &last_config, &parse_messages) != -EINVAL)
        fail_msg("not refused: %s", line);
    assert_null(last_config);
    assert_non_null(parse_messages.error);
    at = parse_messages.error;
    assert_null(strchr(at, '\n'));
    while ((word = strsep(&rest, "|"))) {
        const char *found = strstr(at, word);

        if (!found)
            fail_msg("'%s' is not in the message: %s", word, parse_messages.error);
        else
            at = found + strlen(word);
    }
    free(copy);
}

void refuse_lines(const struct refusal *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        refuse_line(list[i].line, list[i].words);
}

void accept_silently(const char *line)
{
    accept_line(line);
    if (parse_messages.notice_count)
        fail_msg("notice for '%s': %s", line, parse_messages.notice[0]);
}

bool noticed(const char *words)
{
    for (size_t i = 0; i < parse_messages.notice_count; i++) {
        if (strstr(parse_messages.notice[i], words))
            return true;
    }
    return false;
}
