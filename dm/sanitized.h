/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether this is built with a sanitizer whose run time maps terabytes, attaches to the process,
 * makes processes and opens files: it could not live under our limits and filters. */
#ifndef DM_SANITIZED_H
#define DM_SANITIZED_H

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
    __has_feature(memory_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

#endif
