/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory that other processes can be given. */
#ifndef DM_MEMFD_H
#define DM_MEMFD_H

#include <stddef.h>

/*
 * A memfd of that size, zeroed, which can be sealed; close on exec. The limit on file sizes
 * (libxl's dm_restrict sets 256 KiB) counts for the size of a memfd as well; with the right to do
 * so, that is before rights are given away, it is lifted for that moment. Returns the descriptor or
 * -errno.
 */
int memfd_sized(const char *name, size_t size);

#endif
