/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One turn of the thread: take what has been posted, copy the damage into the library's own
 * picture, let the library answer its viewers' messages, send updates to those who wait for one and
 * whose sockets have room.
 *
 * The picture is copied since the guest goes on drawing: encoders read a pixel more than once and
 * must see the same each time.
 */
#include "ui/vnc/encoder.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <rfb/rfb.h>
#include <rfb/rfbregion.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "ui/damage.h"
#include "ui/input.h"
#include "ui/vnc/gate.h"

/* A row must fit into the library's buffer, whatever the pixel format. */
#define SIDE_MAX 8000u
/* Until the guest has a screen. */
#define FIRST_WIDTH  640
#define FIRST_HEIGHT 480
#define VIEWERS_MAX  32
/* The library waits this long for a socket: with pairs that are emptied at once, never. */
#define LIBRARY_WAIT_MS 5000

enum { ENCODING_POINTER_MODE = -257, ENCODING_EXTENDED_KEYS = -258, ENCODING_LEDS = -261 };

/* What has been posted and not taken yet. */
struct mail {
    struct encoder_viewer *viewer[VIEWERS_MAX];
    unsigned viewers;
    bool mode, done, cursor_changed, input_changed;
    struct frontend_picture picture;
    struct damage damage;
    uint32_t number;
    struct frontend_cursor *cursor;
    uint32_t leds;
    bool absolute;
};

struct encoder {
    struct frontend_client *core;
    pthread_mutex_t lock; /* of mail */
    struct mail mail;
    int wake;
    sem_t begun; /* the thread runs */

    /* the thread's own */
    rfbScreenInfoPtr screen;
    struct frontend_picture picture;
    uint32_t *pixels;
    uint32_t width, height;
    uint32_t leds;
    bool absolute;
    char name[64];
};

/* What the thread keeps of a viewer, as the library's clientData. */
struct viewer_state {
    struct encoder_viewer *viewer;
    unsigned told; /* features that have been acknowledged */
    uint32_t leds;
    bool absolute;
    uint32_t width, height; /* of the screen as it was at the last update */
};

void encoder_viewer_put(struct encoder_viewer *viewer)
{
    if (atomic_fetch_sub(&viewer->users, 1) == 1)
        free(viewer);
}

/* ---- viewers -------------------------------------------------------------------------------- */

static void viewer_gone(rfbClientPtr cl)
{
    struct viewer_state *state = cl->clientData;

    cl->clientData = NULL;
    if (!state)
        return;
    atomic_store(&state->viewer->closed, true);
    encoder_viewer_put(state->viewer);
    free(state);
}

static void add_viewer(struct encoder *e, struct encoder_viewer *viewer)
{
    struct viewer_state *state = calloc(1, sizeof(*state));
    rfbClientPtr cl;

    if (!state) {
        close(viewer->socket);
        encoder_viewer_put(viewer);
        return;
    }
    state->viewer = viewer;
    cl = rfbNewClient(e->screen, viewer->socket);
    if (!cl) {
        /* The library has closed the socket, which the other thread sees. */
        encoder_viewer_put(viewer);
        free(state);
        return;
    }
    cl->clientData = state;
    cl->clientGoneHook = viewer_gone;
}

/* An update of one rectangle that says something instead of showing it. */
static void send_notice(rfbClientPtr cl, uint16_t x, uint16_t w, uint16_t h, int32_t encoding,
                        const void *payload, int length)
{
    uint32_t type = (uint32_t)encoding;
    uint8_t message[24] = {
        rfbFramebufferUpdate,
        0,
        0,
        1,
        (uint8_t)(x >> 8),
        (uint8_t)x,
        0,
        0,
        (uint8_t)(w >> 8),
        (uint8_t)w,
        (uint8_t)(h >> 8),
        (uint8_t)h,
        (uint8_t)(type >> 24),
        (uint8_t)(type >> 16),
        (uint8_t)(type >> 8),
        (uint8_t)type,
    };

    if (length)
        memcpy(message + 16, payload, (size_t)length);
    rfbWriteExact(cl, (char *)message, 16 + length);
}

/* Answers to what the viewer has asked for, and news of it. Between updates only. */
static void tell_features(struct encoder *e, rfbClientPtr cl)
{
    struct viewer_state *state = cl->clientData;
    unsigned wanted = atomic_load(&state->viewer->features);
    unsigned fresh = wanted & ~state->told;
    uint16_t w = (uint16_t)e->width, h = (uint16_t)e->height;

    if (cl->state != RFB_NORMAL)
        return;
    if (fresh & GATE_EXTENDED_KEYS)
        send_notice(cl, 0, w, h, ENCODING_EXTENDED_KEYS, NULL, 0);
    if (wanted & GATE_POINTER_MODE && (fresh & GATE_POINTER_MODE || state->absolute != e->absolute))
        send_notice(cl, e->absolute, w, h, ENCODING_POINTER_MODE, NULL, 0);
    if (wanted & GATE_LEDS && (fresh & GATE_LEDS || state->leds != e->leds)) {
        uint8_t leds = (uint8_t)(e->leds & 7);

        send_notice(cl, 0, 0, 0, ENCODING_LEDS, &leds, 1);
    }
    state->told = wanted;
    state->absolute = e->absolute;
    state->leds = e->leds;
}

/* ---- the picture ---------------------------------------------------------------------------- */

/* 32 bits, red at 16: the library would put red at 0, and does so again with each new size. */
static void set_format(rfbScreenInfoPtr screen)
{
    screen->serverFormat.redShift = 16;
    screen->serverFormat.greenShift = 8;
    screen->serverFormat.blueShift = 0;
    screen->serverFormat.depth = 24;
}

static void translate_again(rfbScreenInfoPtr screen)
{
    for (rfbClientPtr cl = screen->clientHead; cl; cl = cl->next)
        screen->setTranslateFunction(cl);
}

static void take_mode(struct encoder *e, struct frontend_picture picture)
{
    uint32_t width = picture.width < SIDE_MAX ? picture.width : SIDE_MAX;
    uint32_t height = picture.height < SIDE_MAX ? picture.height : SIDE_MAX;
    uint32_t *old = e->pixels, *fresh;

    frontend_picture_release(&e->picture);
    e->picture = picture;
    if (width == e->width && height == e->height)
        return;
    fresh = calloc((size_t)width * height, sizeof(*fresh));
    if (!fresh) {
        frontend_picture_release(&e->picture);
        return;
    }
    e->pixels = fresh;
    e->width = width;
    e->height = height;
    rfbNewFramebuffer(e->screen, (char *)fresh, (int)width, (int)height, 8, 3, 4);
    set_format(e->screen);
    translate_again(e->screen);
    free(old);
}

static void copy_rect(struct encoder *e, const struct frontend_rect *r)
{
    uint32_t right = r->x + r->width, bottom = r->y + r->height;

    right = right < e->width ? right : e->width;
    bottom = bottom < e->height ? bottom : e->height;
    if (!e->picture.pixels || r->x >= right || r->y >= bottom)
        return;
    for (uint32_t y = r->y; y < bottom; y++)
        memcpy(e->pixels + (size_t)y * e->width + r->x,
               e->picture.pixels + (size_t)y * e->picture.stride + r->x, (right - r->x) * 4);
    rfbMarkRectAsModified(e->screen, (int)r->x, (int)r->y, (int)right, (int)bottom);
}

/* The library shows it to viewers that draw it, and draws it for the others. */
static void take_cursor(struct encoder *e, struct frontend_cursor *c)
{
    size_t mask_row = (c->width + 7) / 8;
    rfbCursorPtr cursor;

    if (c->width == 0) {
        rfbSetCursor(e->screen, NULL);
        return;
    }
    cursor = calloc(1, sizeof(*cursor));
    if (!cursor)
        return;
    cursor->cleanup = cursor->cleanupSource = cursor->cleanupMask = cursor->cleanupRichSource =
        TRUE;
    cursor->width = (unsigned short)c->width;
    cursor->height = (unsigned short)c->height;
    cursor->xhot = (unsigned short)c->hot_x;
    cursor->yhot = (unsigned short)c->hot_y;
    cursor->source = calloc(mask_row, c->height);
    cursor->mask = calloc(mask_row, c->height);
    cursor->richSource = malloc((size_t)c->width * c->height * 4);
    if (!cursor->source || !cursor->mask || !cursor->richSource) {
        rfbFreeCursor(cursor);
        return;
    }
    memcpy(cursor->richSource, c->argb, (size_t)c->width * c->height * 4);
    for (uint32_t i = 0; i < c->width * c->height; i++)
        if (c->argb[i] >> 24 >= 0x80)
            cursor->mask[i / c->width * mask_row + i % c->width / 8] |=
                (unsigned char)(0x80 >> (i % c->width & 7));
    rfbSetCursor(e->screen, cursor);
}

/* ---- mail ----------------------------------------------------------------------------------- */

static void take_mail(struct encoder *e)
{
    struct mail mail;
    uint64_t count;

    if (read(e->wake, &count, sizeof(count)) < 0 && errno != EAGAIN)
        return;
    pthread_mutex_lock(&e->lock);
    mail = e->mail;
    e->mail.viewers = 0;
    e->mail.mode = e->mail.done = e->mail.cursor_changed = e->mail.input_changed = false;
    e->mail.damage.count = 0;
    e->mail.cursor = NULL;
    pthread_mutex_unlock(&e->lock);

    if (mail.mode)
        take_mode(e, mail.picture);
    for (uint32_t i = 0; i < mail.damage.count; i++)
        copy_rect(e, &mail.damage.rect[i]);
    if (mail.done)
        frontend_send_done(e->core, mail.number);
    if (mail.cursor) {
        take_cursor(e, mail.cursor);
        free(mail.cursor);
    }
    if (mail.input_changed) {
        e->leds = mail.leds;
        e->absolute = mail.absolute;
    }
    for (unsigned i = 0; i < mail.viewers; i++)
        add_viewer(e, mail.viewer[i]);
}

static void post(struct encoder *e)
{
    pthread_mutex_unlock(&e->lock);
    encoder_wake(e);
}

void encoder_wake(struct encoder *e)
{
    uint64_t one = 1;

    /* A counter that is full wakes as well. */
    if (write(e->wake, &one, sizeof(one)) < 0)
        return;
}

void encoder_add(struct encoder *e, struct encoder_viewer *viewer)
{
    pthread_mutex_lock(&e->lock);
    if (e->mail.viewers < VIEWERS_MAX) {
        e->mail.viewer[e->mail.viewers++] = viewer;
    } else {
        close(viewer->socket);
        encoder_viewer_put(viewer);
    }
    post(e);
}

void encoder_mode(struct encoder *e, struct frontend_picture picture)
{
    pthread_mutex_lock(&e->lock);
    if (e->mail.mode)
        frontend_picture_release(&e->mail.picture);
    e->mail.mode = true;
    e->mail.picture = picture;
    e->mail.damage.count = 0;
    post(e);
}

void encoder_damage(struct encoder *e, uint32_t number, const struct frontend_rect *rect,
                    uint32_t count)
{
    pthread_mutex_lock(&e->lock);
    for (uint32_t i = 0; i < count; i++)
        damage_add(&e->mail.damage, rect[i]);
    e->mail.number = number;
    e->mail.done = true;
    post(e);
}

void encoder_cursor(struct encoder *e, const struct frontend_cursor *cursor)
{
    struct frontend_cursor *copy = malloc(sizeof(*copy));

    if (!copy)
        return;
    memcpy(copy, cursor,
           offsetof(struct frontend_cursor, argb) + (size_t)cursor->width * cursor->height * 4);
    pthread_mutex_lock(&e->lock);
    free(e->mail.cursor);
    e->mail.cursor = copy;
    post(e);
}

void encoder_input(struct encoder *e, uint32_t leds, bool absolute)
{
    pthread_mutex_lock(&e->lock);
    e->mail.leds = leds;
    e->mail.absolute = absolute;
    e->mail.input_changed = true;
    post(e);
}

/* ---- the thread ----------------------------------------------------------------------------- */

/* Descriptors to wait for: the wake-up first, then every viewer's. */
static nfds_t collect(struct encoder *e, struct pollfd pfd[1 + VIEWERS_MAX])
{
    nfds_t count = 1;

    pfd[0] = (struct pollfd){e->wake, POLLIN, 0};
    for (rfbClientPtr cl = e->screen->clientHead; cl && count < 1 + VIEWERS_MAX; cl = cl->next)
        if (cl->sock != RFB_INVALID_SOCKET)
            pfd[count++] = (struct pollfd){cl->sock, POLLIN, 0};
    return count;
}

static bool is_ready(const struct pollfd *pfd, nfds_t count, int fd)
{
    for (nfds_t i = 1; i < count; i++)
        if (pfd[i].fd == fd)
            return pfd[i].revents != 0;
    return false;
}

/*
 * Asked for everything, the library first tells a viewer with ExtendedDesktopSize the size, and
 * takes that for the answer. One that asks so each time would never see a pixel: with the size it
 * knows already it gets the picture as well.
 */
static void send_update(struct encoder *e, rfbClientPtr cl)
{
    struct viewer_state *state = cl->clientData;
    bool told = cl->newFBSizePending && state->width == e->width && state->height == e->height;
    sraRegionPtr asked = told ? sraRgnCreateRgn(cl->requestedRegion) : NULL;

    if (rfbUpdateClient(cl)) {
        state->width = e->width;
        state->height = e->height;
        if (asked && cl->sock != RFB_INVALID_SOCKET) {
            sraRgnOr(cl->requestedRegion, asked);
            rfbUpdateClient(cl);
        }
    }
    if (asked)
        sraRgnDestroy(asked);
}

static void serve(struct encoder *e, rfbClientPtr cl, bool readable)
{
    struct viewer_state *state = cl->clientData;

    if (readable)
        rfbProcessClientMessage(cl);
    if (cl->sock != RFB_INVALID_SOCKET)
        tell_features(e, cl);
    if (cl->sock != RFB_INVALID_SOCKET && cl->state == RFB_NORMAL &&
        atomic_load(&state->viewer->backlog) <= ENCODER_BACKLOG)
        send_update(e, cl);
}

static void turn(struct encoder *e)
{
    struct pollfd pfd[1 + VIEWERS_MAX];
    nfds_t count = collect(e, pfd);

    if (poll(pfd, count, -1) < 0)
        return;
    if (pfd[0].revents)
        take_mail(e);
    for (rfbClientPtr cl = e->screen->clientHead; cl; cl = cl->next)
        if (cl->sock != RFB_INVALID_SOCKET && cl->clientData)
            serve(e, cl, is_ready(pfd, count, cl->sock));
    /* The library's objects are freed at the end of a turn only. */
    for (rfbClientPtr cl = e->screen->clientHead, next; cl; cl = next) {
        next = cl->next;
        if (cl->sock == RFB_INVALID_SOCKET)
            rfbClientConnectionGone(cl);
    }
}

static void *run(void *opaque)
{
    struct encoder *e = opaque;

    sem_post(&e->begun);
    for (;;)
        turn(e);
    return NULL;
}

/* The library's own words are of no use in a guest's log. */
static void no_log(const char *format, ...)
{
}

static rfbScreenInfoPtr make_screen(struct encoder *e, enum encoder_share share)
{
    rfbScreenInfoPtr screen = rfbGetScreen(NULL, NULL, FIRST_WIDTH, FIRST_HEIGHT, 8, 3, 4);

    if (!screen)
        return NULL;
    set_format(screen);
    screen->frameBuffer = (char *)e->pixels;
    screen->desktopName = e->name;
    screen->alwaysShared = share != ENCODER_SHARE_ALLOW;
    screen->cursor = NULL;
    screen->deferUpdateTime = 0;
    screen->maxClientWait = LIBRARY_WAIT_MS;
    screen->autoPort = FALSE;
    screen->port = screen->ipv6port = -1;
    screen->httpDir = NULL;
    screen->permitFileTransfer = FALSE;
    screen->authPasswdData = NULL; /* see gate.c */
    screen->fdQuota = 1.0f;
    return screen;
}

int encoder_create(struct encoder **out, struct frontend_client *core, const char *name,
                   enum encoder_share share)
{
    struct encoder *e = calloc(1, sizeof(*e));

    if (!e)
        return -ENOMEM;
    rfbLog = rfbErr = no_log;
    e->core = core;
    strncpy(e->name, name, sizeof(e->name) - 1);
    pthread_mutex_init(&e->lock, NULL);
    e->width = FIRST_WIDTH;
    e->height = FIRST_HEIGHT;
    e->pixels = calloc((size_t)FIRST_WIDTH * FIRST_HEIGHT, sizeof(*e->pixels));
    e->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    e->screen = e->pixels && e->wake >= 0 ? make_screen(e, share) : NULL;
    if (!e->screen) {
        if (e->wake >= 0)
            close(e->wake);
        free(e->pixels);
        free(e);
        return -ENOMEM;
    }
    *out = e;
    return 0;
}

int encoder_start(struct encoder *e)
{
    pthread_attr_t attr;
    pthread_t thread;
    int rc;

    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    sem_init(&e->begun, 0, 0);
    rc = -pthread_create(&thread, &attr, run, e);
    /* A thread that has just been made does what the sandbox will forbid. */
    while (!rc && sem_wait(&e->begun) && errno == EINTR)
        ;
    pthread_attr_destroy(&attr);
    return rc;
}
