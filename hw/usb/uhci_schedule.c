/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The schedule: frame list, queue heads (QH) and transfer descriptors (TD) in guest memory
 * (UHCI 1.1, chapters 3 and 1.3).
 *
 * All of it is the driver's, who may write it while we read, and may be hostile. Each QH and TD is
 * fetched once, into a local copy, and the copy is what is checked and used. Written are only the
 * status of a TD, the element pointer of a QH, and the buffer of an IN TD up to its length.
 *
 * Lists may be loops: Linux makes one on purpose, to use what is left of a frame (FSBR). A frame
 * ends when it has gone round without any transfer having moved, when its time on the wire is used
 * up, or after a number of fetches; a look ends after a larger number.
 */
#include "hw/usb/uhci_internal.h"

#include <endian.h>
#include <string.h>

#define FRAME_BYTES    1500u /* of a full-speed frame */
#define PACKET_BYTES   13u   /* what a transaction takes besides its data */
#define FRAME_QHS      128u
#define FRAME_FETCHES  512u
#define LOOK_FETCHES   2048u
#define FRAMES_EARLY   32u /* no less than the longest interval of an endpoint: 10 ms */
#define IDLE_ENTRIES   64u
#define LIST_PIECE     64u
#define TD_LENGTH_MAX  1280u
#define FIELD_LENGTH_0 0x7ffu

/* Links */
enum { LINK_T = 1, LINK_Q = 2, LINK_VF = 4 };
#define LINK_ADDRESS 0xfffffff0u

/* TD control and status */
enum {
    TD_ACTLEN = 0x7ff,
    TD_BITSTUFF = 1 << 17,
    TD_TIMEOUT = 1 << 18,
    TD_NAK = 1 << 19,
    TD_BABBLE = 1 << 20,
    TD_BUFFER = 1 << 21,
    TD_STALLED = 1 << 22,
    TD_ACTIVE = 1 << 23,
    TD_IOC = 1 << 24,
    TD_ISO = 1 << 25,
    TD_CERR_SHIFT = 27,
    TD_CERR = 3 << TD_CERR_SHIFT,
    TD_SPD = 1 << 29,
    TD_CONDITIONS = TD_BITSTUFF | TD_TIMEOUT | TD_NAK | TD_BABBLE | TD_BUFFER | TD_STALLED,
};

enum { PID_IN = 0x69, PID_OUT = 0xe1, PID_SETUP = 0x2d };

struct td {
    uint32_t link, status, token, buffer;
};

struct qh {
    uint32_t link, element;
};

/* What becomes of a TD. */
enum td_result {
    TD_ADVANCE, /* done: the queue goes on to the next one */
    TD_STAY,    /* not done, or the queue stops here */
    TD_FATAL,   /* the controller has stopped */
};

struct walk {
    struct uhci *u;
    struct uhci_look found;
    uint8_t cause;
    unsigned fetches;     /* of the look */
    bool moved;           /* some TD has, since this was cleared */
    bool stopped;         /* by a fatal error */
    unsigned frame_end;   /* value of `fetches` at which the frame is cut short */
    unsigned frame_bytes; /* time used on the wire */
    unsigned nseen;       /* QHs of this round */
    uint32_t seen[FRAME_QHS];
    unsigned nidle; /* entries of the frame list that lead to nothing */
    uint32_t idle[IDLE_ENTRIES];
    unsigned piece; /* of the frame list, that is in `list`: number + 1 */
    uint32_t list[LIST_PIECE];
};

/* ---- guest memory --------------------------------------------------------------------------- */

static bool dma(struct walk *w, int rc)
{
    if (rc == 0)
        return true;
    uhci_fatal(w->u, STS_HSE);
    w->stopped = true;
    return false;
}

static bool fetch(struct walk *w, uint32_t address, uint32_t *words, unsigned n)
{
    if (!dma(w, guestmem_read(w->u->mem, address, words, n * sizeof(*words))))
        return false;
    for (unsigned i = 0; i < n; i++)
        words[i] = le32toh(words[i]);
    return true;
}

static bool store(struct walk *w, uint32_t address, uint32_t word)
{
    word = htole32(word);
    return dma(w, guestmem_write(w->u->mem, address, &word, sizeof(word)));
}

/* ---- transactions --------------------------------------------------------------------------- */

static enum td_result process_error(struct walk *w)
{
    uhci_fatal(w->u, STS_HCPE);
    w->stopped = true;
    return TD_FATAL;
}

/* Bytes transferred, or an enum usb_answer, or -EFAULT after a fatal error. */
#define BUS_FAULT (-100)
#define BABBLE    (-101)

static int transact(struct walk *w, const struct td *td, unsigned length)
{
    struct usb_device *device = uhci_find_device(w->u, td->token >> 8 & 0x7f);
    unsigned endpoint = td->token >> 15 & 0xf;
    uint8_t packet[USB_PACKET_MAX];
    int n;

    if (!device)
        return USB_NO_ANSWER;
    if ((td->token & 0xff) == PID_IN) {
        n = device->ops->in(device->dev, endpoint, packet);
        if (n > (int)length)
            return BABBLE;
        if (n > 0 && !dma(w, guestmem_write(w->u->mem, td->buffer, packet, (size_t)n)))
            return BUS_FAULT;
        return n;
    }
    if (length > sizeof(packet))
        return USB_NO_ANSWER; /* more than any endpoint takes */
    if (length && !dma(w, guestmem_read(w->u->mem, td->buffer, packet, length)))
        return BUS_FAULT;
    if ((td->token & 0xff) == PID_SETUP)
        n = device->ops->setup(device->dev, endpoint, packet, length);
    else
        n = device->ops->out(device->dev, endpoint, packet, length);
    return n < 0 ? n : (int)length;
}

/* A TD that ends without success. */
static void fail(struct walk *w, struct td *td, uint32_t conditions)
{
    td->status &= (uint32_t) ~(TD_ACTIVE | TD_ACTLEN);
    td->status |= conditions | FIELD_LENGTH_0;
    if (td->status & TD_IOC)
        w->cause |= CAUSE_IOC;
    w->moved = true;
    w->found.busy = true;
}

static void no_answer(struct walk *w, struct td *td)
{
    uint32_t errors_left = (td->status & TD_CERR) >> TD_CERR_SHIFT;

    td->status |= TD_TIMEOUT;
    if (td->status & TD_ISO) {
        fail(w, td, TD_TIMEOUT); /* it has its one chance only, and never stalls */
    } else if (errors_left == 1) {
        td->status &= ~(uint32_t)TD_CERR;
        fail(w, td, TD_TIMEOUT | TD_STALLED);
        w->u->s->sts |= STS_ERROR;
    } else if (errors_left) { /* 0 stands for no limit */
        td->status -= 1u << TD_CERR_SHIFT;
        w->found.busy = true;
    }
}

/* Success; returns whether the packet was shorter than asked for, in a queue that minds. */
static bool complete(struct walk *w, struct td *td, unsigned n, unsigned length, bool in_queue)
{
    bool in = (td->token & 0xff) == PID_IN;
    bool is_short = in && n < length && (td->status & TD_SPD) && in_queue;

    td->status &= ~(uint32_t)(TD_ACTIVE | TD_ACTLEN | TD_CONDITIONS);
    td->status |= (n - 1) & TD_ACTLEN;
    if (td->status & TD_IOC)
        w->cause |= CAUSE_IOC;
    if (is_short)
        w->cause |= CAUSE_SHORT;
    w->moved = true;
    if (in && (td->token >> 15 & 0xf) != 0)
        w->found.reported = true; /* the driver asks again by itself: no reason to wake up soon */
    else
        w->found.busy = true;
    return is_short;
}

static enum td_result do_td(struct walk *w, uint32_t address, struct td *td, bool in_queue)
{
    unsigned length = ((td->token >> 21) + 1) & 0x7ff;
    uint32_t status = td->status, pid = td->token & 0xff;
    enum td_result result = TD_STAY;
    int n;

    if (!(status & TD_ACTIVE)) {
        /* Also without a transaction; Linux gets its interrupt at the end of a frame so. */
        if (status & TD_IOC)
            w->cause |= CAUSE_IOC;
        return TD_STAY;
    }
    if (length > TD_LENGTH_MAX || (pid != PID_IN && pid != PID_OUT && pid != PID_SETUP))
        return process_error(w);
    n = transact(w, td, length);
    w->frame_bytes += PACKET_BYTES + (n > 0 ? (unsigned)n : 0);
    switch (n) {
    case BUS_FAULT:
        return TD_FATAL;
    case USB_NAK:
        td->status |= TD_NAK;
        break;
    case USB_STALL:
        fail(w, td, TD_STALLED);
        w->u->s->sts |= STS_ERROR;
        break;
    case BABBLE:
        fail(w, td, TD_BABBLE | TD_STALLED);
        w->u->s->sts |= STS_ERROR;
        break;
    case USB_NO_ANSWER:
        no_answer(w, td);
        break;
    default:
        result = complete(w, td, (unsigned)n, length, in_queue) ? TD_STAY : TD_ADVANCE;
    }
    if (td->status != status && !store(w, address + 4, td->status))
        return TD_FATAL;
    return result;
}

/* ---- a frame -------------------------------------------------------------------------------- */

/* Whether this QH is to be done now: not if a round without any movement ends here. */
static bool enter_queue(struct walk *w, uint32_t address)
{
    for (unsigned i = 0; i < w->nseen; i++) {
        if (w->seen[i] != address)
            continue;
        if (!w->moved)
            return false;
        w->moved = false; /* another round */
        w->nseen = 0;
        break;
    }
    if (w->nseen == FRAME_QHS)
        return false;
    w->seen[w->nseen++] = address;
    return true;
}

static void do_frame(struct walk *w, uint32_t entry)
{
    uint32_t link = entry, queue = 0, across = LINK_T;
    bool in_queue = false;

    w->nseen = 0;
    w->moved = false;
    w->frame_bytes = 0;
    w->frame_end = w->fetches + FRAME_FETCHES;
    while (!(link & LINK_T) && !w->stopped && w->frame_bytes < FRAME_BYTES &&
           w->fetches < w->frame_end) {
        uint32_t address = link & LINK_ADDRESS;
        uint32_t word[4];

        w->fetches++;
        if (link & LINK_Q) {
            struct qh qh;

            if (!enter_queue(w, address) || !fetch(w, address, word, 2))
                return;
            qh = (struct qh){word[0], word[1]};
            across = qh.link;
            queue = address;
            in_queue = !(qh.element & LINK_T);
            link = in_queue ? qh.element : across;
        } else {
            struct td td;
            enum td_result result;

            if (!fetch(w, address, word, 4))
                return;
            td = (struct td){word[0], word[1], word[2], word[3]};
            result = do_td(w, address, &td, in_queue);
            if (!in_queue) {
                link = td.link;
                continue;
            }
            link = across;
            if (result == TD_ADVANCE) {
                if (!store(w, queue + 4, td.link))
                    return;
                if ((td.link & LINK_VF) && !(td.link & LINK_T)) {
                    link = td.link; /* depth first */
                    continue;
                }
            }
            in_queue = false;
        }
    }
}

/* ---- a look --------------------------------------------------------------------------------- */

static bool list_entry(struct walk *w, uint64_t frame, uint32_t *entry)
{
    unsigned index = (unsigned)((w->u->s->frnum + frame) % FRAME_LIST);
    unsigned piece = index / LIST_PIECE + 1;

    if (w->piece != piece) {
        uint32_t address = w->u->s->flbase + (piece - 1) * LIST_PIECE * (uint32_t)sizeof(*entry);

        if (!fetch(w, address, w->list, LIST_PIECE))
            return false;
        w->piece = piece;
    }
    *entry = w->list[index % LIST_PIECE];
    return true;
}

/* Most of the entries lead to the same few lists: one that has led to nothing is not followed
 * again in this look. */
static bool known_idle(const struct walk *w, uint32_t entry)
{
    for (unsigned i = 0; i < w->nidle; i++)
        if (w->idle[i] == entry)
            return true;
    return false;
}

static void frame(struct walk *w, uint64_t number)
{
    bool busy = w->found.busy, reported = w->found.reported;
    uint32_t entry;

    if (!list_entry(w, number, &entry) || (entry & LINK_T) || known_idle(w, entry))
        return;
    w->found.busy = w->found.reported = false;
    do_frame(w, entry);
    if (w->found.busy || w->found.reported)
        w->nidle = 0; /* what has moved may have changed what others lead to */
    else if (w->nidle < IDLE_ENTRIES)
        w->idle[w->nidle++] = entry;
    w->found.busy |= busy;
    w->found.reported |= reported;
}

struct uhci_look uhci_run_schedule(struct uhci *u, bool early)
{
    struct walk w = {.u = u};
    uint64_t now = uhci_frame(u);

    /* After a long time once round the list is enough: it is the same list. */
    if (now >= u->s->frames_done + FRAME_LIST)
        u->s->frames_done = now + 1 - FRAME_LIST;
    while (u->s->frames_done <= now && !w.stopped && !w.found.cut) {
        frame(&w, u->s->frames_done);
        u->s->frames_done++;
        w.found.cut = w.fetches >= LOOK_FETCHES;
    }
    for (unsigned i = 1; early && i <= FRAMES_EARLY && !w.stopped && !w.found.cut; i++) {
        if (uhci_ready_at(u) > loop_now(u->loop, CLOCK_GUEST))
            break;
        frame(&w, now + i);
        w.found.cut = w.fetches >= LOOK_FETCHES;
    }
    if (w.cause) {
        u->s->sts |= STS_INT;
        u->s->cause |= w.cause;
    }
    return w.found;
}
