# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What the box needs on the machine it runs on, as Debian packages. To be sourced.

# shellcheck disable=SC2034  # read by those who source this
BOX_PACKAGES=(qemu-system-x86 python3 xorriso mtools dosfstools e2fsprogs syslinux syslinux-common isolinux
    grub-common grub-pc-bin xz-utils)
# shellcheck disable=SC2034
BUILD_PACKAGES=(gcc libc6-dev pkg-config meson ninja-build libxen-dev libjson-c-dev libpng-dev)

# need_packages PACKAGE...: installs what is missing when run as root, else says what is missing and fails.
need_packages() {
    local name missing=()
    for name; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || missing+=("$name")
    done
    if [ ${#missing[@]} -gt 0 ] && [ "$(id -u)" != 0 ]; then
        echo "These Debian packages are missing: ${missing[*]}" >&2
        echo "Install them with: sudo apt-get install --no-install-recommends ${missing[*]}" >&2
        return 1
    fi
    if [ ${#missing[@]} -gt 0 ]; then
        echo "# installing with apt-get: ${missing[*]}"
        apt_update
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
        echo "# installed after $SECONDS s"
    elif [ -z "$(find /var/lib/apt/lists -maxdepth 1 -name '*Packages*' -print -quit 2>/dev/null)" ]; then
        # The box's own packages are looked up in apt's lists.
        if [ "$(id -u)" != 0 ]; then
            echo "apt has no package lists. Get them with: sudo apt-get update" >&2
            return 1
        fi
        apt_update
    fi
}

apt_update() {
    echo "# apt-get update"
    apt-get update -qq >/dev/null
}
