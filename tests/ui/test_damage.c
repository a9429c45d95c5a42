/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdbool.h>
#include <stdlib.h>

#include "tests/harness/tap.h"
#include "ui/damage.h"

/* Whatever is added stays covered, and the list stays within its bound. */
static void test_damage(void **state)
{
    struct damage damage = {.count = 0};
    bool changed[64][64] = {{false}};

    srandom(1);
    for (int i = 0; i < 500; i++) {
        struct frontend_rect r = {(uint32_t)random() % 60, (uint32_t)random() % 60,
                                  (uint32_t)random() % 5, (uint32_t)random() % 5};

        damage_add(&damage, r);
        assert_in_range(damage.count, 0, FRONTEND_RECTS_MAX);
        for (uint32_t y = r.y; y < r.y + r.height; y++)
            for (uint32_t x = r.x; x < r.x + r.width; x++)
                changed[y][x] = true;
    }
    for (uint32_t n = 0; n < damage.count; n++) {
        struct frontend_rect r = damage.rect[n];

        assert_in_range(r.x + r.width, 1, 64);
        assert_in_range(r.y + r.height, 1, 64);
        for (uint32_t y = r.y; y < r.y + r.height; y++)
            for (uint32_t x = r.x; x < r.x + r.width; x++)
                changed[y][x] = false;
    }
    for (int y = 0; y < 64; y++)
        for (int x = 0; x < 64; x++)
            assert_false(changed[y][x]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_damage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
