/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From what is printed on a key to where it is: for viewers that send symbols (X keysyms) only.
 *
 * The guest sees positions of keys and makes its own characters of them. So the symbol is looked up
 * in the layout that the guest is set to (-k), and where the viewer's shift keys or locks are not
 * what the symbol needs on that layout, they are pressed around it.
 */
#ifndef UI_VNC_KEYSYM_H
#define UI_VNC_KEYSYM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct keymap;

/* `name` is QEMU's for a layout ("en-us", "de"). Reads the system's keyboard data. 0; -ENOENT: the
 * system does not know it; -ENOMEM. */
int keymap_create(struct keymap **out, const char *name);
void keymap_destroy(struct keymap *keymap);

#define KEYSYMS_DOWN_MAX 32

/* One viewer's keyboard. Zeroed: nothing is down. */
struct keysym_state {
    struct {
        uint32_t keysym;
        uint16_t code;
    } down[KEYSYMS_DOWN_MAX];
    unsigned count;
};

/* A key of the guest's keyboard. */
typedef void (*keysym_emit)(void *opaque, uint16_t code, bool down);

/*
 * The viewer's key goes down or up. `leds` are the guest's lamps (INPUT_LED_*) as far as is known;
 * a lock that is toggled here is changed in it, since the guest's answer comes later. A release
 * lets go of the key that was pressed then, whatever the symbol would mean now.
 */
void keymap_key(const struct keymap *keymap, struct keysym_state *state, uint32_t keysym, bool down,
                uint32_t *leds, keysym_emit emit, void *opaque);

/* Releases what this viewer holds. */
void keysym_release_all(struct keysym_state *state, keysym_emit emit, void *opaque);

#endif
