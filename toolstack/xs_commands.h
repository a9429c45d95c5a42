/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The commands that the toolstack gives a traditional device model by way of xenstore, done with
 * the operations that QMP uses. Reading and writing the nodes is dm/traditional.c's.
 *
 *     command      parameter    what is done                                    state afterwards
 *     save         -            stands still, writes its state to the file      paused
 *     continue     -            goes on                                         running
 *     pci-ins      the device   refused: passthrough is not built               pci-insert-failed
 *     pci-rem      the device   nothing: no such device is there                pci-removed
 *     usb-add,-del the device   refused: USB hot-plug is not built              as it was
 *
 * Whatever is refused is told in `ret` (and the log), whatever is done leaves "ok" there; it is
 * written before `state`, which is what the toolstack waits for.
 */
#ifndef TOOLSTACK_XS_COMMANDS_H
#define TOOLSTACK_XS_COMMANDS_H

#include "toolstack/qmp_ops.h"

struct xs_command_nodes {
    void (*set_state)(void *opaque, const char *state);
    void (*set_ret)(void *opaque, const char *ret);
    /* The file for the state, empty; its owner is the caller. Descriptor or -errno. */
    int (*open_save)(void *opaque);
    void (*drop_save)(void *opaque); /* what is in the file is of no use */
};

struct xs_commands {
    const struct qmp_ops *ops;
    void *ops_opaque;
    const struct xs_command_nodes *nodes;
    void *nodes_opaque;
    bool busy; /* private: a command is being done */
};

/* One command; parameter may be NULL. Answers at once or later. */
void xs_command_run(struct xs_commands *commands, const char *command, const char *parameter);

/* The word of the node logdirty/cmd; returns what to write to logdirty/ret: the same when done. */
const char *xs_command_log_dirty(struct xs_commands *commands, const char *word);

#endif
