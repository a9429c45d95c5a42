/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ui/vnc/keysym.h"

#include <errno.h>
#include <linux/input-event-codes.h>
#include <stdlib.h>
#include <string.h>
#include <xkbcommon/xkbcommon-keysyms.h>
#include <xkbcommon/xkbcommon.h>

#include "ui/input.h"

/* XKB's key codes are evdev's plus this. */
#define XKB_EVDEV 8

enum { NEED_SHIFT = 1, NEED_ALTGR = 2, NEED_NUM = 4 };

struct keymap_entry {
    uint32_t keysym;
    uint16_t code;
    uint8_t need;
    uint8_t fallback; /* of the US layout: only when the other has no such symbol */
};

struct keymap {
    struct keymap_entry *entry;
    size_t count, room;
};

/* Names of QEMU's keymaps that are not XKB's names of layouts. */
static const struct {
    const char *name, *layout, *variant;
} layouts[] = {
    {"ar", "ara", NULL},   {"bepo", "fr", "bepo"}, {"da", "dk", NULL}, {"de-ch", "ch", NULL},
    {"en-gb", "gb", NULL}, {"en-us", "us", NULL},  {"et", "ee", NULL}, {"fr-be", "be", NULL},
    {"fr-ca", "ca", NULL}, {"fr-ch", "ch", "fr"},  {"ja", "jp", NULL}, {"pt-br", "br", NULL},
    {"sl", "si", NULL},    {"sv", "se", NULL},
};

/* ---- the table ------------------------------------------------------------------------------ */

static int add_entry(struct keymap *keymap, struct keymap_entry entry)
{
    if (keymap->count == keymap->room) {
        size_t room = keymap->room ? keymap->room * 2 : 512;
        struct keymap_entry *bigger = realloc(keymap->entry, room * sizeof(*bigger));

        if (!bigger)
            return -ENOMEM;
        keymap->entry = bigger;
        keymap->room = room;
    }
    keymap->entry[keymap->count++] = entry;
    return 0;
}

static uint32_t modifier(struct xkb_keymap *xkb, const char *name)
{
    xkb_mod_index_t index = xkb_keymap_mod_get_index(xkb, name);

    return index < 32 ? UINT32_C(1) << index : 0;
}

/* What is to be held for this level; -1: it needs something that we do not press. */
static int level_need(struct xkb_keymap *xkb, xkb_keycode_t key, xkb_level_index_t level)
{
    uint32_t shift = modifier(xkb, XKB_MOD_NAME_SHIFT), altgr = modifier(xkb, "Mod5");
    uint32_t num = modifier(xkb, XKB_MOD_NAME_NUM);
    xkb_mod_mask_t masks[16];
    size_t count = xkb_keymap_key_get_mods_for_level(xkb, key, 0, level, masks, 16);

    for (size_t i = 0; i < count; i++)
        if (!(masks[i] & ~(shift | altgr | num)))
            return (masks[i] & shift ? NEED_SHIFT : 0) | (masks[i] & altgr ? NEED_ALTGR : 0) |
                   (masks[i] & num ? NEED_NUM : 0);
    return -1;
}

static int add_key(struct keymap *keymap, struct xkb_keymap *xkb, xkb_keycode_t key, bool fallback)
{
    xkb_level_index_t levels = xkb_keymap_num_levels_for_key(xkb, key, 0);

    for (xkb_level_index_t level = 0; level < levels; level++) {
        const xkb_keysym_t *syms;
        int n = xkb_keymap_key_get_syms_by_level(xkb, key, 0, level, &syms);
        int need = level_need(xkb, key, level);

        if (n != 1 || need < 0 || key < XKB_EVDEV || key - XKB_EVDEV >= INPUT_KEY_COUNT)
            continue;
        if (add_entry(keymap, (struct keymap_entry){syms[0], (uint16_t)(key - XKB_EVDEV),
                                                    (uint8_t)need, fallback}))
            return -ENOMEM;
    }
    return 0;
}

static int add_layout(struct keymap *keymap, struct xkb_context *context, const char *layout,
                      const char *variant, bool fallback)
{
    struct xkb_rule_names names = {
        .rules = "evdev", .model = "pc105", .layout = layout, .variant = variant, .options = ""};
    struct xkb_keymap *xkb =
        xkb_keymap_new_from_names(context, &names, XKB_KEYMAP_COMPILE_NO_FLAGS);
    int rc = 0;

    if (!xkb)
        return -ENOENT;
    for (xkb_keycode_t key = xkb_keymap_min_keycode(xkb); key <= xkb_keymap_max_keycode(xkb) && !rc;
         key++)
        rc = add_key(keymap, xkb, key, fallback);
    xkb_keymap_unref(xkb);
    return rc;
}

int keymap_create(struct keymap **out, const char *name)
{
    const char *layout = name, *variant = NULL;
    struct xkb_context *context = xkb_context_new(XKB_CONTEXT_NO_ENVIRONMENT_NAMES);
    struct keymap *keymap = calloc(1, sizeof(*keymap));
    int rc = context && keymap ? 0 : -ENOMEM;

    if (context)
        xkb_context_set_log_level(context, XKB_LOG_LEVEL_CRITICAL); /* said by the caller */

    for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++) {
        if (strcmp(name, layouts[i].name) == 0) {
            layout = layouts[i].layout;
            variant = layouts[i].variant;
        }
    }
    if (!rc)
        rc = add_layout(keymap, context, layout, variant, false);
    if (!rc && strcmp(layout, "us") != 0)
        rc = add_layout(keymap, context, "us", NULL, true);
    xkb_context_unref(context);
    if (rc) {
        keymap_destroy(keymap);
        return rc;
    }
    *out = keymap;
    return 0;
}

void keymap_destroy(struct keymap *keymap)
{
    if (!keymap)
        return;
    free(keymap->entry);
    free(keymap);
}

/* ---- what is down --------------------------------------------------------------------------- */

static bool holds(const struct keysym_state *state, uint16_t code)
{
    for (unsigned i = 0; i < state->count; i++)
        if (state->down[i].code == code)
            return true;
    return false;
}

static void remember(struct keysym_state *state, uint32_t keysym, uint16_t code)
{
    for (unsigned i = 0; i < state->count; i++)
        if (state->down[i].keysym == keysym)
            return;
    state->down[state->count].keysym = keysym;
    state->down[state->count++].code = code;
}

static void release(struct keysym_state *state, uint32_t keysym, keysym_emit emit, void *opaque)
{
    for (unsigned i = 0; i < state->count; i++) {
        uint16_t code = state->down[i].code;

        if (state->down[i].keysym != keysym)
            continue;
        state->down[i] = state->down[--state->count];
        /* Two symbols of one key may both be down: the shift key was let go in between. */
        if (!holds(state, code))
            emit(opaque, code, false);
        return;
    }
}

void keysym_release_all(struct keysym_state *state, keysym_emit emit, void *opaque)
{
    while (state->count)
        release(state, state->down[state->count - 1].keysym, emit, opaque);
}

/* ---- pressing ------------------------------------------------------------------------------- */

/* Symbols that viewers send for keys that the layouts know under another one. */
static uint32_t usual(uint32_t keysym)
{
    switch (keysym) {
    case XKB_KEY_Mode_switch:
        return XKB_KEY_ISO_Level3_Shift;
    case XKB_KEY_Meta_L:
        return XKB_KEY_Super_L;
    case XKB_KEY_Meta_R:
        return XKB_KEY_Super_R;
    default:
        /* A Unicode character that has a symbol of its own. */
        if (keysym >= 0x01000000 && keysym <= 0x0110ffff) {
            uint32_t named = xkb_utf32_to_keysym(keysym - 0x01000000);

            return named ? named : keysym;
        }
        return keysym;
    }
}

/* Keys whose symbol layouts put elsewhere or nowhere. */
static int fixed_code(uint32_t keysym)
{
    switch (keysym) {
    case XKB_KEY_ISO_Level3_Shift:
    case XKB_KEY_Alt_R:
        return KEY_RIGHTALT;
    case XKB_KEY_ISO_Left_Tab:
        return KEY_TAB;
    case XKB_KEY_Print:
    case XKB_KEY_Sys_Req:
        return KEY_SYSRQ;
    case XKB_KEY_Pause:
    case XKB_KEY_Break:
        return KEY_PAUSE;
    case XKB_KEY_Super_L:
        return KEY_LEFTMETA;
    case XKB_KEY_Super_R:
        return KEY_RIGHTMETA;
    default:
        return -1;
    }
}

/* Among several places the one that needs the least other than what is held now. */
static const struct keymap_entry *find(const struct keymap *keymap, uint32_t keysym, unsigned held)
{
    const struct keymap_entry *best = NULL;
    unsigned least = ~0u;

    for (size_t i = 0; i < keymap->count; i++) {
        const struct keymap_entry *e = &keymap->entry[i];
        unsigned cost =
            e->fallback * 16u +
            (unsigned)__builtin_popcount((e->need ^ held) & (NEED_SHIFT | NEED_ALTGR)) * 2u +
            (e->need & NEED_NUM ? 1u : 0u);

        if (e->keysym == keysym && cost < least) {
            best = e;
            least = cost;
        }
    }
    return best;
}

static unsigned held_now(const struct keysym_state *state)
{
    return (holds(state, KEY_LEFTSHIFT) || holds(state, KEY_RIGHTSHIFT) ? NEED_SHIFT : 0u) |
           (holds(state, KEY_RIGHTALT) ? NEED_ALTGR : 0u);
}

struct press {
    const struct keysym_state *state;
    keysym_emit emit;
    void *opaque;
};

static void tap(const struct press *p, uint16_t code)
{
    p->emit(p->opaque, code, true);
    p->emit(p->opaque, code, false);
}

/* Locks are toggled until the guest's are what the viewer's must be. */
static void match_lock(const struct press *p, uint32_t *leds, uint32_t led, bool on, uint16_t code)
{
    if (!!(*leds & led) == on)
        return;
    tap(p, code);
    *leds ^= led;
}

/* Presses (or, with !down, lets go again) the modifiers that are held though they are in the way,
 * and those that are needed though they are not held. */
static void bend(const struct press *p, unsigned held, unsigned need, bool begin)
{
    static const uint16_t shifts[] = {KEY_LEFTSHIFT, KEY_RIGHTSHIFT};

    if (need & ~held & NEED_SHIFT)
        p->emit(p->opaque, KEY_LEFTSHIFT, begin);
    if (held & ~need & NEED_SHIFT)
        for (int i = 0; i < 2; i++)
            if (holds(p->state, shifts[i]))
                p->emit(p->opaque, shifts[i], !begin);
    if ((need ^ held) & NEED_ALTGR)
        p->emit(p->opaque, KEY_RIGHTALT, (need & NEED_ALTGR ? begin : !begin));
}

static bool is_letter(uint32_t keysym, bool *upper)
{
    *upper = xkb_keysym_to_lower(keysym) != keysym;
    return *upper || xkb_keysym_to_upper(keysym) != keysym;
}

static bool is_keypad_motion(uint32_t keysym)
{
    return keysym >= XKB_KEY_KP_Home && keysym <= XKB_KEY_KP_Delete;
}

static void press(const struct keymap *keymap, struct keysym_state *state, uint32_t keysym,
                  uint32_t *leds, const struct press *p)
{
    uint32_t symbol = usual(keysym);
    unsigned held = held_now(state), need;
    int code = fixed_code(symbol);
    const struct keymap_entry *e = NULL;
    bool upper;

    if (code < 0) {
        e = find(keymap, symbol, held);
        if (!e)
            return;
        code = e->code;
    }
    need = e ? e->need & (NEED_SHIFT | NEED_ALTGR) : held;
    if (is_letter(symbol, &upper) && e) {
        /* Upper case without shift, or lower case with it: the viewer's Caps Lock is on. */
        match_lock(p, leds, INPUT_LED_CAPS, upper != !!(held & NEED_SHIFT), KEY_CAPSLOCK);
        need = (need & ~(unsigned)NEED_SHIFT) | (held & NEED_SHIFT);
    }
    if (e && e->need & NEED_NUM)
        match_lock(p, leds, INPUT_LED_NUM, true, KEY_NUMLOCK);
    else if (is_keypad_motion(symbol))
        match_lock(p, leds, INPUT_LED_NUM, false, KEY_NUMLOCK);
    /* Without a character there is nothing that a modifier could spoil: Ctrl+Shift+Escape. */
    if (!xkb_keysym_to_utf32(symbol) || symbol == XKB_KEY_Escape || symbol == XKB_KEY_BackSpace ||
        symbol == XKB_KEY_Tab || symbol == XKB_KEY_Return || symbol == XKB_KEY_Delete)
        need = held;
    bend(p, held, need, true);
    p->emit(p->opaque, (uint16_t)code, true);
    bend(p, held, need, false);
    remember(state, keysym, (uint16_t)code);
}

void keymap_key(const struct keymap *keymap, struct keysym_state *state, uint32_t keysym, bool down,
                uint32_t *leds, keysym_emit emit, void *opaque)
{
    struct press p = {state, emit, opaque};

    if (!down)
        release(state, keysym, emit, opaque);
    else if (state->count < KEYSYMS_DOWN_MAX)
        press(keymap, state, keysym, leds, &p);
}
