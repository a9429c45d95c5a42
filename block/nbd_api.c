/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "block/nbd_api.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <string.h>

const struct nbd_api *nbd_api_load(const char **reason)
{
    static const char *const names[] = {
#define F(name) "nbd_" #name,
        NBD_FUNCTIONS(F)
#undef F
    };
    static struct nbd_api api;
    static bool loaded;
    void *library, *symbols[sizeof(names) / sizeof(names[0])];

    _Static_assert(sizeof(symbols) == sizeof(api), "one pointer a function");
    if (loaded)
        return &api;
    library = dlopen("libnbd.so.0", RTLD_NOW | RTLD_LOCAL);
    for (size_t i = 0; library && i < sizeof(names) / sizeof(names[0]); i++) {
        symbols[i] = dlsym(library, names[i]);
        if (!symbols[i])
            library = NULL;
    }
    if (!library) {
        *reason = dlerror();
        return NULL;
    }
    memcpy(&api, symbols, sizeof(api));
    loaded = true;
    return &api;
}
