/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dm/savefile.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FORMAT       1u
#define MAGIC        "SLIMDM\r\n"
#define MAGIC_BYTES  8u
#define HEADER_BYTES (MAGIC_BYTES + 16u)
/* What QEMU's saved states begin with: the likeliest stranger, worth a message of its own. */
#define QEMU_MAGIC "QEVM"

static int fail(char *err, int rc, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static int fail(char *err, int rc, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(err, SAVEFILE_ERROR_MAX, fmt, ap);
    va_end(ap);
    return rc;
}

static uint32_t crc32_of(const uint8_t *p, size_t len)
{
    uint32_t table[16], crc = UINT32_MAX;

    for (uint32_t i = 0; i < 16; i++) {
        uint32_t c = i;

        for (int k = 0; k < 4; k++)
            c = c & 1 ? c >> 1 ^ 0xedb88320u : c >> 1;
        table[i] = c;
    }
    while (len--) {
        crc ^= *p++;
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return ~crc;
}

/* ---- writing -------------------------------------------------------------------------------- */

struct writer {
    uint8_t *buf;
    size_t len, room;
    bool failed;
};

static void put(struct writer *w, const void *data, size_t len)
{
    if (w->len + len > w->room) {
        size_t room = (w->len + len) * 2;
        uint8_t *buf = w->failed ? NULL : realloc(w->buf, room);

        if (!buf) {
            w->failed = true;
            return;
        }
        w->buf = buf;
        w->room = room;
    }
    memcpy(w->buf + w->len, data, len);
    w->len += len;
}

static void put_int(struct writer *w, uint64_t value, size_t bytes)
{
    uint8_t b[8];

    for (size_t i = 0; i < bytes; i++)
        b[i] = (uint8_t)(value >> 8 * i);
    put(w, b, bytes);
}

static void put_str(struct writer *w, const char *s)
{
    size_t len = strlen(s) & 0xff;

    put_int(w, len, 1);
    put(w, s, len);
}

struct encode {
    struct writer w;
    uint32_t objects;
};

static int encode_object(void *opaque, const char *name, const struct state_desc *desc, void *state)
{
    struct encode *e = opaque;
    struct writer *w = &e->w;

    e->objects++;
    put_str(w, name);
    put_str(w, desc->kind);
    put_int(w, desc->version, 2);
    put_int(w, desc->nfields, 2);
    for (size_t f = 0; f < desc->nfields; f++) {
        const struct state_field *field = &desc->fields[f];
        uint32_t stored = field->count;

        while (stored && state_get(field, state, stored - 1) == 0)
            stored--;
        put_str(w, field->name);
        put_int(w, field->type, 1);
        put_int(w, field->count, 4);
        put_int(w, stored, 4);
        for (uint32_t i = 0; i < stored; i++)
            put_int(w, state_get(field, state, i), state_type_size(field->type));
    }
    return w->failed ? -ENOMEM : 0;
}

int savefile_encode(struct arena *arena, void **buf, size_t *len)
{
    struct encode e = {0};
    struct writer head = {0};
    int rc;

    put(&e.w, (uint8_t[HEADER_BYTES]){0}, HEADER_BYTES);
    rc = arena_each(arena, encode_object, &e);
    put(&head, MAGIC, MAGIC_BYTES);
    put_int(&head, FORMAT, 4);
    put_int(&head, e.objects, 4);
    put_int(&head, e.w.len - HEADER_BYTES, 4);
    if (!rc && !e.w.failed)
        put_int(&head, crc32_of(e.w.buf + HEADER_BYTES, e.w.len - HEADER_BYTES), 4);
    if (rc || e.w.failed || head.failed) {
        free(e.w.buf);
        free(head.buf);
        return rc ? rc : -ENOMEM;
    }
    memcpy(e.w.buf, head.buf, HEADER_BYTES);
    free(head.buf);
    *buf = e.w.buf;
    *len = e.w.len;
    return 0;
}

/* ---- reading -------------------------------------------------------------------------------- */

struct reader {
    const uint8_t *p;
    size_t left;
    bool failed; /* something was cut off: all further reads give zero */
};

static const uint8_t *take(struct reader *r, size_t len)
{
    const uint8_t *p = r->p;

    if (r->failed || len > r->left) {
        r->failed = true;
        return NULL;
    }
    r->p += len;
    r->left -= len;
    return p;
}

static uint64_t take_int(struct reader *r, size_t bytes)
{
    const uint8_t *p = take(r, bytes);
    uint64_t value = 0;

    for (size_t i = 0; p && i < bytes; i++)
        value |= (uint64_t)p[i] << 8 * i;
    return value;
}

/* Control bytes in a name can only be damage or malice; they must not reach a terminal. */
static void take_str(struct reader *r, char out[ARENA_NAME_MAX])
{
    size_t len = (size_t)take_int(r, 1);
    const uint8_t *p = take(r, len);

    out[0] = 0;
    if (!p)
        return;
    if (len >= ARENA_NAME_MAX) {
        r->failed = true;
        return;
    }
    for (size_t i = 0; i < len; i++)
        out[i] = p[i] >= 0x20 && p[i] < 0x7f ? (char)p[i] : '?';
    out[len] = 0;
}

struct object_head {
    char name[ARENA_NAME_MAX];
    char kind[ARENA_NAME_MAX];
    uint16_t version, nfields;
};

struct field_head {
    char name[ARENA_NAME_MAX];
    uint8_t type;
    uint32_t count, stored;
};

static void take_object_head(struct reader *r, struct object_head *h)
{
    take_str(r, h->name);
    take_str(r, h->kind);
    h->version = (uint16_t)take_int(r, 2);
    h->nfields = (uint16_t)take_int(r, 2);
}

static void take_field_head(struct reader *r, struct field_head *h)
{
    take_str(r, h->name);
    h->type = (uint8_t)take_int(r, 1);
    h->count = (uint32_t)take_int(r, 4);
    h->stored = (uint32_t)take_int(r, 4);
    if (h->stored > h->count)
        r->failed = true;
}

/* Checks all that surrounds the objects; the reader stands at the first one afterwards. */
static int open_stream(struct reader *r, const void *buf, size_t len, uint32_t *objects, char *err)
{
    const uint8_t *magic;
    uint64_t format, body, crc;

    *r = (struct reader){buf, len, false};
    if (len >= strlen(QEMU_MAGIC) && memcmp(buf, QEMU_MAGIC, strlen(QEMU_MAGIC)) == 0)
        return fail(err, -EINVAL, "the saved state is QEMU's (\"QEVM\"), not slimdm's");
    magic = take(r, MAGIC_BYTES);
    if (!magic || memcmp(magic, MAGIC, MAGIC_BYTES))
        return fail(err, -EINVAL, "not a saved state of slimdm");
    format = take_int(r, 4);
    *objects = (uint32_t)take_int(r, 4);
    body = take_int(r, 4);
    crc = take_int(r, 4);
    if (r->failed)
        return fail(err, -EINVAL, "the saved state is cut off in its header");
    if (format != FORMAT)
        return fail(err, -EINVAL, "saved state of format %lu: only format %u is known",
                    (unsigned long)format, FORMAT);
    if (body != r->left)
        return fail(err, -EINVAL, "the saved state has %zu bytes where its header says %lu",
                    r->left, (unsigned long)body);
    if (crc != crc32_of(r->p, r->left))
        return fail(err, -EINVAL, "the saved state is damaged (its checksum is wrong)");
    return 0;
}

/* One object of the arena with a private copy that the stream is read into. */
struct target {
    const char *name;
    const struct state_desc *desc;
    void *live;
    void *copy;
    bool seen;
};

struct targets {
    struct target *target;
    size_t count;
};

static int count_target(void *opaque, const char *name, const struct state_desc *desc, void *state)
{
    struct targets *t = opaque;

    t->count++;
    return 0;
}

static int make_target(void *opaque, const char *name, const struct state_desc *desc, void *state)
{
    struct targets *t = opaque;
    struct target *target = &t->target[t->count++];
    void *copy = calloc(1, desc->size);

    *target = (struct target){name, desc, state, copy, false};
    if (!copy)
        return -ENOMEM;
    memcpy(copy, state, desc->size);
    return 0;
}

static const struct state_field *find_field(const struct state_desc *desc, const char *name)
{
    for (size_t f = 0; f < desc->nfields; f++)
        if (strcmp(desc->fields[f].name, name) == 0)
            return &desc->fields[f];
    return NULL;
}

static int decode_fields(struct reader *r, const struct object_head *h, struct target *t, char *err)
{
    const struct state_desc *desc = t->desc;
    uint8_t seen[256] = {0};
    const char *bad;

    for (unsigned f = 0; f < h->nfields; f++) {
        const struct state_field *field;
        struct field_head fh;

        take_field_head(r, &fh);
        if (r->failed)
            break;
        field = find_field(desc, fh.name);
        if (!field)
            return fail(err, -EINVAL, "%s.%s: unknown field", h->name, fh.name);
        if (seen[field - desc->fields]++)
            return fail(err, -EINVAL, "%s.%s: stands there twice", h->name, fh.name);
        if (fh.type != field->type || fh.count != field->count)
            return fail(err, -EINVAL, "%s.%s: type %u, %u elements; expected type %u, %u elements",
                        h->name, fh.name, fh.type, fh.count, field->type, field->count);
        memset((uint8_t *)t->copy + field->offset, 0, field->count * state_type_size(field->type));
        for (uint32_t i = 0; i < fh.stored && !r->failed; i++)
            state_set(field, t->copy, i, take_int(r, state_type_size(field->type)));
    }
    if (r->failed)
        return fail(err, -EINVAL, "%s: the saved state is cut off", h->name);
    for (size_t f = 0; f < desc->nfields; f++) {
        const struct state_field *field = &desc->fields[f];

        if (seen[f])
            continue;
        if (field->since <= 1 || h->version >= field->since)
            return fail(err, -EINVAL, "%s.%s: the field is missing", h->name, field->name);
        for (uint32_t i = 0; i < field->count; i++)
            state_set(field, t->copy, i, field->reset);
    }
    bad = state_check(desc, t->copy);
    if (bad)
        return fail(err, -EINVAL, "%s.%s: value out of range", h->name, bad);
    return 0;
}

static int decode_objects(struct reader *r, uint32_t objects, struct targets *ts, char *err)
{
    for (uint32_t o = 0; o < objects; o++) {
        struct target *t = NULL;
        struct object_head h;
        int rc;

        take_object_head(r, &h);
        if (r->failed)
            return fail(err, -EINVAL, "the saved state is cut off");
        for (size_t i = 0; i < ts->count; i++)
            if (strcmp(ts->target[i].name, h.name) == 0)
                t = &ts->target[i];
        if (!t)
            return fail(err, -EINVAL, "%s (%s): this guest has no such device", h.name, h.kind);
        if (t->seen)
            return fail(err, -EINVAL, "%s: stands there twice", h.name);
        if (strcmp(t->desc->kind, h.kind))
            return fail(err, -EINVAL, "%s: is a %s, but this guest's is a %s", h.name, h.kind,
                        t->desc->kind);
        if (h.version == 0 || h.version > t->desc->version)
            return fail(err, -EINVAL, "%s: version %u, but only up to %u is known", h.name,
                        h.version, t->desc->version);
        t->seen = true;
        rc = decode_fields(r, &h, t, err);
        if (rc)
            return rc;
    }
    if (r->left)
        return fail(err, -EINVAL, "%zu bytes too many at the end of the saved state", r->left);
    for (size_t i = 0; i < ts->count; i++)
        if (!ts->target[i].seen)
            return fail(err, -EINVAL, "%s (%s): missing in the saved state", ts->target[i].name,
                        ts->target[i].desc->kind);
    return 0;
}

int savefile_decode(struct arena *arena, const void *buf, size_t len, char err[SAVEFILE_ERROR_MAX])
{
    struct targets ts = {0};
    struct reader r;
    uint32_t objects;
    int rc = open_stream(&r, buf, len, &objects, err);

    if (rc)
        return rc;
    arena_each(arena, count_target, &ts);
    ts.target = calloc(ts.count + 1, sizeof(*ts.target));
    ts.count = 0;
    if (!ts.target || arena_each(arena, make_target, &ts))
        rc = fail(err, -ENOMEM, "out of memory");
    if (!rc)
        rc = decode_objects(&r, objects, &ts, err);
    for (size_t i = 0; i < ts.count; i++) {
        if (!rc)
            memcpy(ts.target[i].live, ts.target[i].copy, ts.target[i].desc->size);
        free(ts.target[i].copy);
    }
    free(ts.target);
    return rc;
}

/* NULL when there is no such type. */
static const char *type_name(unsigned type)
{
    switch (type) {
    case STATE_U8:
        return "u8";
    case STATE_U16:
        return "u16";
    case STATE_U32:
        return "u32";
    case STATE_U64:
        return "u64";
    case STATE_BOOL:
        return "bool";
    }
    return NULL;
}

/* name type = value, or name type[count] = the values up to the last that is not zero */
static void print_field(struct reader *r, const struct field_head *fh, FILE *out)
{
    size_t bytes = state_type_size((enum state_type)fh->type);

    fprintf(out, "    %s %s", fh->name, type_name(fh->type));
    if (fh->count != 1)
        fprintf(out, "[%u]", fh->count);
    fputs(" =", out);
    for (uint32_t i = 0; i < fh->stored && !r->failed; i++) {
        if (i && i % 32 == 0)
            fprintf(out, "\n       ");
        fprintf(out, " %lx", (unsigned long)take_int(r, bytes));
    }
    if (fh->stored == 0 && fh->count == 1)
        fputs(" 0", out);
    else if (fh->stored < fh->count)
        fprintf(out, " (then %u zeros)", fh->count - fh->stored);
    fputc('\n', out);
}

int savefile_print(const void *buf, size_t len, FILE *out, char err[SAVEFILE_ERROR_MAX])
{
    struct reader r;
    uint32_t objects;
    int rc = open_stream(&r, buf, len, &objects, err);

    if (rc)
        return rc;
    fprintf(out, "saved state, format %u, %u objects, %zu bytes\n", FORMAT, objects, len);
    for (uint32_t o = 0; o < objects; o++) {
        struct object_head h;

        take_object_head(&r, &h);
        if (!r.failed)
            fprintf(out, "%s: %s version %u\n", h.name, h.kind, h.version);
        for (unsigned f = 0; f < h.nfields && !r.failed; f++) {
            struct field_head fh;

            take_field_head(&r, &fh);
            if (r.failed)
                break;
            if (!type_name(fh.type))
                return fail(err, -EINVAL, "%s.%s: unknown type %u", h.name, fh.name, fh.type);
            print_field(&r, &fh, out);
        }
        if (r.failed)
            return fail(err, -EINVAL, "the saved state is cut off");
    }
    return 0;
}

/* ---- descriptors ---------------------------------------------------------------------------- */

int savefile_write_fd(struct arena *arena, int fd, char err[SAVEFILE_ERROR_MAX])
{
    struct stat st;
    void *buf;
    size_t len;
    int rc = savefile_encode(arena, &buf, &len);

    if (rc)
        return fail(err, rc, "cannot encode the state: %s", strerror(-rc));
    /* libxl reads the whole file, and does not truncate one that is left over. */
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
        (ftruncate(fd, 0) || lseek(fd, 0, SEEK_SET) < 0)) {
        rc = fail(err, -errno, "cannot truncate the file: %s", strerror(errno));
        free(buf);
        return rc;
    }
    for (size_t done = 0; done < len && !rc;) {
        ssize_t n = write(fd, (uint8_t *)buf + done, len - done);

        if (n > 0)
            done += (size_t)n;
        else if (n < 0 && errno != EINTR)
            rc = fail(err, -errno, "cannot write the state: %s", strerror(errno));
    }
    free(buf);
    return rc;
}

int savefile_read_fd(int fd, void **buf, size_t *len, char err[SAVEFILE_ERROR_MAX])
{
    uint8_t *p = malloc(SAVEFILE_MAX + 1);
    size_t have = 0;

    if (!p)
        return fail(err, -ENOMEM, "out of memory");
    while (have <= SAVEFILE_MAX) {
        ssize_t n = read(fd, p + have, SAVEFILE_MAX + 1 - have);

        if (n == 0)
            break;
        if (n > 0) {
            have += (size_t)n;
        } else if (errno != EINTR) {
            int rc = fail(err, -errno, "cannot read the saved state: %s", strerror(errno));

            free(p);
            return rc;
        }
    }
    if (have > SAVEFILE_MAX) {
        free(p);
        return fail(err, -EFBIG, "the saved state is larger than %u bytes", SAVEFILE_MAX);
    }
    *buf = p;
    *len = have;
    return 0;
}
