/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Descriptors that the process began with, beside standard input, output and error. */
#ifndef DM_INHERITED_H
#define DM_INHERITED_H

#include <stdint.h>

#include "toolstack/config.h"

/* Numbers from here on are not looked at: whoever starts programs does not get that far. */
#define INHERITED_END 256

struct inherited {
    uint64_t open[INHERITED_END / 64];
};

/* Before anything is opened. */
void inherited_note(struct inherited *inherited);
/* Once everything is open: closes those that no option names (SLIMDM_LOG=debug tells which). */
void inherited_close(const struct inherited *inherited, const struct config *config);

#endif
