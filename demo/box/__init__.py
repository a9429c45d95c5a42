# SPDX-License-Identifier: GPL-2.0-or-later
"""Real Xen in a box: Xen, a small dom0 and HVM guests inside one emulated machine.

  packages.py   Debian packages: find versions, download, unpack
  elf.py        which shared libraries a program needs
  modules.py    kernel modules: dependencies and aliases
  cpio.py       writing of initramfs archives
  image.py      puts the above together: hypervisor, dom0, guest root (cached)
  media.py      CD and disk images for guests
  machine.py    the emulated machine: start, commands in dom0, files, power off
  guest.py      one HVM guest: configuration, serial line, commands, screenshots
  png.py        pictures of the screen
  progress.py   what is being done, and for how long
"""
