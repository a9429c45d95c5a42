/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What stands between a viewer's bytes and everything else.
 *
 *     VERSION --> SECURITY --> LOGIN --> INIT --> NORMAL
 *         \___________________/ (3.3: the server decides)
 *
 * The gate speaks the first part of the RFB protocol (RFC 6143) with the viewer itself, so that the
 * library is given to those only who have logged in; it then passes on, whole and checked, the
 * three messages that the library is there for (pixel format, encodings, requests for updates) and
 * SetDesktopSize. Keys and pointers go to the guest from here. Whatever else a viewer sends ends
 * its connection: there is no file transfer, text chat, scaling, audio, power control; text that a
 * viewer has cut is dropped.
 *
 * A gate is plain data and calls back; it knows no socket, no clock and no thread.
 */
#ifndef UI_VNC_GATE_H
#define UI_VNC_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Encodings that the library does not know, as a mask. */
enum {
    GATE_EXTENDED_KEYS = 1, /* -258 */
    GATE_POINTER_MODE = 2,  /* -257 */
    GATE_LEDS = 4,          /* -261 */
};

/* No message that has to be seen whole is longer. */
#define GATE_MESSAGE_MAX (4 + 4 * 1024)
/* Text that is dropped may be as long as this. */
#define GATE_CUT_TEXT_MAX (1u << 20)

/* The library's answers to what the gate says in the viewer's place: version, list of security
 * types, result. They are not for the viewer. */
#define GATE_LIBRARY_PREFIX (12 + 2 + 4)

struct gate_ops {
    void (*send)(void *opaque, const void *data, size_t length);       /* to the viewer */
    void (*to_library)(void *opaque, const void *data, size_t length); /* one whole message */
    /* May this viewer log in with that answer to the challenge? */
    bool (*login)(void *opaque, const uint8_t challenge[16], const uint8_t answer[16]);
    /* It has logged in. false: it is not admitted. */
    bool (*admit)(void *opaque, bool shared);
    void (*key)(void *opaque, uint32_t keysym, bool down);
    void (*raw_key)(void *opaque, uint32_t xt_code, bool down);
    /* Buttons as RFB numbers them; a position on the screen, or a movement plus 0x7fff when the
     * viewer knows about pointer modes and the guest has a mouse. */
    void (*pointer)(void *opaque, uint32_t buttons, uint16_t x, uint16_t y);
    void (*features)(void *opaque, uint32_t mask);
};

enum gate_state { GATE_VERSION, GATE_SECURITY, GATE_LOGIN, GATE_INIT, GATE_NORMAL };

struct gate {
    const struct gate_ops *ops;
    void *opaque;
    enum gate_state state;
    unsigned minor; /* of the viewer's protocol version: 3, 7 or 8 */
    bool password;  /* one is asked for */
    uint8_t challenge[16];
    uint32_t skip;   /* bytes of cut text that are still to come */
    const char *why; /* the connection is to be ended: for the log; never text of the viewer */
};

/* Greets the viewer. `challenge` is fresh random bytes. */
void gate_open(struct gate *gate, const struct gate_ops *ops, void *opaque, bool password,
               const uint8_t challenge[16]);

/*
 * Takes one message from the `length` bytes at `data`. Returns the bytes it has used; 0: more are
 * needed (never with GATE_MESSAGE_MAX bytes there); -EPROTO or -EACCES: send what there is to be
 * sent, then close.
 */
ssize_t gate_take(struct gate *gate, const uint8_t *data, size_t length);

#endif
