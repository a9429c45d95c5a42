/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmocka and the headers it wants before itself. */
#ifndef TESTS_HARNESS_TAP_H
#define TESTS_HARNESS_TAP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
