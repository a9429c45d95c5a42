/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What -help and -version print.
 *
 * Programs read both. The version line has the form of QEMU's, with the version whose QMP this
 * program speaks. libvirt's libxl driver runs "EMULATOR -help" and takes the program for a
 * qemu-xen-traditional one if the text has the heading that qemu-dm gave its Xen options; the text
 * must therefore never contain those words, and a test sees to it.
 */
#include "toolstack/cmdline.h"

#include "build_config.h"

#define VERSION_LINE "QEMU emulator version 7.2.0 (slimdm " SLIMDM_VERSION ")\n"

static const char version_text[] = VERSION_LINE "slimdm, a device model for Xen HVM guests\n";

static const char help_text[] = VERSION_LINE
    "usage: slimdm -xen-domid N [options]\n"
    "       slimdm -d N -domain-name NAME [options]     (qemu-xen-traditional)\n"
    "\n"
    "slimdm is the device model of a Xen HVM guest; xl starts it (device_model_override=).\n"
    "Options may begin with one dash or two. slimdm(8) describes them.\n"
    "\n"
    "General\n"
    "  -h, -help               print this text\n"
    "  -version                print the version\n"
    "  -dump-state FILE        print a saved state readably\n"
    "\n"
    "Domain and machine\n"
    "  -xen-domid N            the domain to serve\n"
    "  -name NAME              its name\n"
    "  -uuid UUID              its uuid\n"
    "  -machine TYPE[,KEY=VALUE]...\n"
    "                          xenfv (with the platform device), pc (without), none (answer QMP "
    "only)\n"
    "  -m MB                   memory, as the toolstack gave it to the domain\n"
    "  -smp N[,maxcpus=MAX]    vCPUs\n"
    "  -boot order=LETTERS     a floppy, c hard disk, d CD-ROM, n network\n"
    "  -no-acpi                no ACPI power management\n"
    "  -S                      wait for \"cont\" on QMP\n"
    "\n"
    "Back-ends\n"
    "  -chardev BACKEND,id=ID[,...]\n"
    "                          socket, pty, null, file, pipe, stdio, serial, udp, vc, ringbuf\n"
    "  -mon chardev=ID,mode=control\n"
    "                          QMP on a -chardev\n"
    "  -qmp SPEC               QMP on a back-end of its own\n"
    "  -serial SPEC            pty, none, null, stdio, file:PATH, pipe:PATH, /dev/..., "
    "tcp:HOST:PORT,\n"
    "                          telnet:HOST:PORT, udp:HOST:PORT, unix:PATH, vc, chardev:ID\n"
    "\n"
    "Display\n"
    "  -vnc HOST:DISPLAY[,to=N][,password=on]\n"
    "  -display none|sdl[,full-screen=on]\n"
    "  -k KEYMAP               keyboard layout of the viewer\n"
    "  -device VGA,vgamem_mb=M standard VGA; cirrus-vga: Cirrus CL-GD5446 with at most 4 MiB\n"
    "\n"
    "Disks\n"
    "  -drive file=PATH,if=ide,index=N,media=disk|cdrom,format=raw[,cache=...]\n"
    "  -drive if=none,id=ID[,file=PATH,format=raw] -device ide-cd,drive=ID,bus=ide.B,unit=U\n"
    "  -hda ... -hdd, -cdrom, -fda, -fdb FILE\n"
    "\n"
    "Network, USB, sound (accepted; devices that are not built yet are named in the log)\n"
    "  -device MODEL,netdev=ID,mac=MAC -netdev tap,id=ID,ifname=NAME,script=no,downscript=no\n"
    "  -net none|nic|tap, -usb, -usbdevice NAME, -soundhw NAME\n"
    "\n"
    "Saved state and privilege\n"
    "  -incoming fd:N          start from a saved state\n"
    "  -loadvm FILE            the same from a file\n"
    "  -xen-domid-restrict     limit all Xen handles to the domain\n"
    "  -chroot DIR, -runas USER|UID:GID, -run-with chroot=DIR,user=USER\n"
    "  -sandbox on|off         system call filter\n"
    "  -add-fd fd=N,set=S      an inherited descriptor, as /dev/fdset/S\n"
    "\n"
    "Traditional mode (-d N must come first)\n"
    "  -acpi, -vcpus MAX, -vcpu_avail 0xBITS, -std-vga, -videoram MB, -vncunused\n"
    "  -save-dir DIR           where \"save\" leaves its file, /var/lib/xen\n"
    "\n"
    "Files\n"
    "  -L DIR                  search option ROMs in DIR\n"
    "  -pidfile FILE, -D FILE  write the process id, the log\n";

const char *config_help_text(void)
{
    return help_text;
}

const char *config_version_text(void)
{
    return version_text;
}
