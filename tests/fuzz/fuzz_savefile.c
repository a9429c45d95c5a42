/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Saved states from strangers. Length and checksum of the header are put right, so that the fuzzer
 * works on what is behind them. What is accepted satisfies the tables and survives a round trip;
 * what is refused changes nothing and is given a reason.
 */
#include <stdlib.h>
#include <string.h>

#include "dm/savefile.h"
#include "tests/fuzz/machine_ops.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HEADER_BYTES 24

struct thing {
    uint8_t small;
    bool flag;
    uint16_t index, count;
    uint32_t word[5];
    uint64_t wide;
    uint8_t buffer[64];
};

static const char *thing_check(const void *state)
{
    const struct thing *t = state;

    return t->index > t->count ? "index" : NULL;
}

static const struct state_field thing_fields[] = {
    STATE_FIELD(struct thing, small, .max = 9),
    STATE_FIELD(struct thing, flag),
    STATE_FIELD(struct thing, index),
    STATE_FIELD(struct thing, count, .max = 64),
    STATE_ARRAY(struct thing, word, .min = 1, .max = 1000, .reset = 5),
    STATE_FIELD(struct thing, wide, .since = 2, .reset = 77),
    STATE_ARRAY(struct thing, buffer),
};
static const struct state_desc thing_desc =
    STATE_DESC("thing", 2, struct thing, thing_fields, thing_check);

/* Bit by bit, unlike the one under test. */
static uint32_t crc32_slow(const uint8_t *p, size_t len)
{
    uint32_t crc = UINT32_MAX;

    for (size_t i = 0; i < len; i++) {
        crc ^= p[i];
        for (int k = 0; k < 8; k++)
            crc = crc & 1 ? crc >> 1 ^ 0xedb88320u : crc >> 1;
    }
    return ~crc;
}

static void put32(uint8_t *p, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(value >> 8 * i);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t buf[8192];
    struct arena *arena;
    struct thing *t[2], before[2];
    char err[SAVEFILE_ERROR_MAX] = "";
    FILE *out = fopen("/dev/null", "w");

    if (size > sizeof(buf) || !out || arena_create(&arena, 1 << 20)) {
        if (out)
            fclose(out);
        return 0;
    }
    memcpy(buf, data, size);
    if (size >= HEADER_BYTES && (data[0] & 1)) {
        memcpy(buf, "SLIMDM\r\n", 8);
        put32(buf + 8, 1);
        put32(buf + 16, (uint32_t)size - HEADER_BYTES);
        put32(buf + 20, crc32_slow(buf + HEADER_BYTES, size - HEADER_BYTES));
    }
    t[0] = arena_alloc(arena, "t0", &thing_desc);
    t[1] = arena_alloc(arena, "t1", &thing_desc);
    before[0] = *t[0];
    before[1] = *t[1];
    if (savefile_decode(arena, buf, size, err)) {
        fuzz_require(err[0], "a refusal has a reason");
        fuzz_require(!memcmp(t[0], &before[0], sizeof(before[0])) &&
                         !memcmp(t[1], &before[1], sizeof(before[1])),
                     "a refused state changes nothing");
    } else {
        void *again;
        size_t len;

        fuzz_require(!state_check(&thing_desc, t[0]) && !state_check(&thing_desc, t[1]),
                     "an accepted state satisfies its table");
        before[0] = *t[0];
        if (savefile_encode(arena, &again, &len) == 0) {
            fuzz_require(savefile_decode(arena, again, len, err) == 0, "what was saved loads");
            fuzz_require(!state_differs(&thing_desc, t[0], &before[0]), "round trip");
            free(again);
        }
    }
    savefile_print(buf, size, out, err);
    fclose(out);
    arena_destroy(arena);
    return 0;
}
