#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# sonames.sh LIBRARY STAMP FOLDER: fills FOLDER with the library's eight names.
set -e
library=$(realpath "$1")
mkdir -p "$3"
for name in libxendevicemodel.so.1 libxenforeignmemory.so.1 libxenevtchn.so.1 libxenstore.so.4 \
            libxengnttab.so.1 libxentoolcore.so.1 libxencall.so.1 libxenctrl.so.4.17; do
    ln -sf "$library" "$3/$name"
done
: >"$2"
