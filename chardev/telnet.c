/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 *   DATA --ff--> IAC --ff--> DATA (one ff)
 *                 |---fb..fe--> OPTION --any--> DATA
 *                 |---fa------> SUB --ff--> SUB_IAC --f0--> DATA
 *                 '---other---> DATA
 */
#include "chardev/telnet.h"

enum { DATA, GOT_IAC, OPTION, SUB, SUB_IAC };

enum {
    SE = 0xf0,
    BREAK = 0xf3,
    SB = 0xfa,
    WILL = 0xfb,
    WONT = 0xfc,
    DO = 0xfd,
    DONT = 0xfe,
    IAC = 0xff,
};
enum { OPT_BINARY = 0, OPT_ECHO = 1, OPT_SGA = 3 };

void telnet_greet(struct chardev *chr, struct telnet *telnet)
{
    static const uint8_t hello[] = {IAC, WILL, OPT_ECHO,   IAC, WILL, OPT_SGA,
                                    IAC, WILL, OPT_BINARY, IAC, DO,   OPT_BINARY};

    *telnet = (struct telnet){.on = true};
    chardev_send_raw(chr, hello, sizeof(hello));
}

void telnet_break(struct chardev *chr)
{
    static const uint8_t brk[] = {IAC, BREAK};

    chardev_send_raw(chr, brk, sizeof(brk));
}

/* What we have offered or asked for needs no answer; anything else is refused, once each time. */
static void answer(struct chardev *chr, struct telnet *telnet, uint8_t option)
{
    uint8_t refuse[3] = {IAC, telnet->verb == DO ? WONT : DONT, option};

    if (option == OPT_BINARY && telnet->verb >= WILL && telnet->verb <= WONT)
        telnet->peer_binary = telnet->verb == WILL;
    else if ((telnet->verb == DO && option != OPT_BINARY && option != OPT_ECHO &&
              option != OPT_SGA) ||
             (telnet->verb == WILL && option != OPT_SGA))
        chardev_send_raw(chr, refuse, sizeof(refuse));
}

void telnet_decode(struct chardev *chr, struct telnet *telnet, uint8_t *data, size_t len)
{
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        uint8_t c = data[i];

        switch (telnet->state) {
        case DATA:
            if (c == IAC) {
                telnet->state = GOT_IAC;
                break;
            }
            /* Outside of binary mode the Enter key is CR NUL. */
            if (!(c == 0 && telnet->after_cr && !telnet->peer_binary))
                data[n++] = c;
            telnet->after_cr = c == '\r';
            break;
        case GOT_IAC:
            telnet->state = DATA;
            if (c == IAC) {
                data[n++] = c;
            } else if (c == BREAK) {
                chardev_deliver(chr, data, n);
                chardev_deliver_break(chr);
                n = 0;
            } else if (c >= WILL) {
                telnet->verb = c;
                telnet->state = OPTION;
            } else if (c == SB) {
                telnet->state = SUB;
            }
            break;
        case OPTION:
            telnet->state = DATA;
            answer(chr, telnet, c);
            break;
        case SUB:
            if (c == IAC)
                telnet->state = SUB_IAC;
            break;
        default:
            telnet->state = c == SE ? DATA : SUB;
            break;
        }
    }
    chardev_deliver(chr, data, n);
}
