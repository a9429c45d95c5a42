/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command line of qemu-dm, which libxl (up to 4.20) gives with
 * device_model_version="qemu-xen-traditional", and xend (up to 4.1) always.
 *
 * It has QEMU's options as they were in 2009, with a few of its own; what is the same in both
 * dialects is in cmdline.c's table. The domain is -d N, no disk is named, ACPI has to be asked for,
 * and a display adapter is there without being named.
 */
#include "toolstack/cmdline_internal.h"

#include <string.h>

#define SAVE_DIR "/var/lib/xen"

#define PORT_MAX 65535
#define VNC_PORT 5900

/* What libxl sets aside when the configuration says nothing. */
#define VIDEORAM_CIRRUS 4
#define VIDEORAM_STD    8
#define VIDEORAM_MAX    256

/* --- handlers --------------------------------------------------------------------------------- */

static void option_name_as_it_is(struct parser *p, const char *value)
{
    p->config->name = keep(p, value);
}

static void option_acpi(struct parser *p, const char *value)
{
    p->config->acpi = true;
}

static void option_vcpus(struct parser *p, const char *value)
{
    p->config->maxvcpus = (unsigned)value_uint(p, value, 1, CONFIG_VCPU_MAX);
}

/* One bit of a number of any length, the lowest one last. */
static bool vcpu_bit(const char *digits, size_t count, unsigned vcpu)
{
    static const char hex[] = "0123456789abcdef";
    char digit;

    if (vcpu / 4 >= count)
        return false;
    digit = digits[count - 1 - vcpu / 4];
    digit = digit >= 'A' && digit <= 'F' ? (char)(digit - 'A' + 'a') : digit;
    return (strchr(hex, digit) - hex) >> vcpu % 4 & 1;
}

/* 0xHEX: the vCPUs that are online at the start. */
static void option_vcpu_avail(struct parser *p, const char *value)
{
    const char *digits = value;
    size_t count;
    unsigned first = 0, all = 0;

    if (!starts_with(value, "0x", &digits))
        starts_with(value, "0X", &digits);
    count = strspn(digits, "0123456789abcdefABCDEF");
    if (!count || digits[count] || count > CONFIG_VCPU_MAX / 4) {
        fail(p, "not accepted; accepted: a bit a vCPU in hexadecimal, as in 0x03, up to %d",
             CONFIG_VCPU_MAX);
        return;
    }
    while (first < CONFIG_VCPU_MAX && vcpu_bit(digits, count, first))
        first++;
    for (unsigned vcpu = 0; vcpu < CONFIG_VCPU_MAX; vcpu++)
        all += vcpu_bit(digits, count, vcpu);
    if (!first)
        fail(p, "vCPU 0 is always online; accepted: a number with bit 0 set");
    if (all != first)
        notice(p, true, "the vCPUs above the first gap start offline");
    p->config->vcpus = first;
}

static void option_videoram(struct parser *p, const char *value)
{
    p->vgamem_global = value_uint(p, value, 1, VIDEORAM_MAX);
}

static void option_std_vga(struct parser *p, const char *value)
{
    p->vga = "std";
}

static void option_vncunused(struct parser *p, const char *value)
{
    p->vnc_unused = true;
}

/* xend leaves the bridging of a tap to the device model. */
static void option_net_of_xend(struct parser *p, const char *value)
{
    const char *rest;

    option_net(p, value);
    if (starts_with(value, "tap", &rest) && !strstr(value, "script="))
        notice(p, true,
               "no script is ever run: the interface has to be put on its bridge by the toolstack");
}

static void option_save_dir(struct parser *p, const char *value)
{
    if (check_path(p, "the folder", value, false))
        p->config->save_dir = keep(p, value);
}

/* --- the table -------------------------------------------------------------------------------- */

enum { FLAG, VALUE };

static const struct option options[] = {
    {"d", VALUE, option_domid, NULL},
    {"domain-name", VALUE, option_name_as_it_is, NULL},
    {"acpi", FLAG, option_acpi, NULL},
    {"vcpus", VALUE, option_vcpus, NULL},
    {"vcpu_avail", VALUE, option_vcpu_avail, NULL},
    {"videoram", VALUE, option_videoram, NULL},
    {"std-vga", FLAG, option_std_vga, NULL},
    {"vncunused", FLAG, option_vncunused, NULL},
    {"net", VALUE, option_net_of_xend, NULL},
    {"save-dir", VALUE, option_save_dir, NULL},
    {"gfx_passthru", FLAG, option_refuse,
     "graphics passthrough is not built yet; accepted: a guest without gfx_passthru="},
    {"isa", FLAG, option_refuse, "a machine without PCI is not supported; accepted: no isa="},
    {"xen-domid", VALUE, option_refuse, "the domain is given by -d already; accepted: -d N alone"},
    {"xen-attach", FLAG, option_refuse, "accepted without -d N only"},
    {"xen-domid-restrict", FLAG, option_refuse,
     "in traditional mode commands come by way of xenstore, which this would take away; accepted: "
     "device_model_version=\"qemu-xen\" with dm_restrict=1"},
};

const struct option *traditional_option(const char *name)
{
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        if (!strcmp(options[i].name, name))
            return &options[i];
    return NULL;
}

/* --- before and after ------------------------------------------------------------------------- */

void traditional_begin(struct parser *p)
{
    p->config->traditional = true;
    p->config->acpi = false;
    p->config->save_dir = SAVE_DIR;
}

static bool has_vga_device(const struct parser *p)
{
    for (unsigned i = 0; i < p->device_count; i++)
        if (p->device[i].type->class == DEVICE_VGA)
            return true;
    return false;
}

void traditional_finish(struct parser *p)
{
    struct config *c = p->config;

    if (c->vcpus > c->maxvcpus) {
        notice(p, false, "-vcpu_avail has more vCPUs than -vcpus: the first %u start online",
               c->maxvcpus);
        c->vcpus = c->maxvcpus;
    }
    if (!p->vga && !has_vga_device(p))
        p->vga = "cirrus";
    if (!p->vgamem_global && p->vga)
        p->vgamem_global = p->vga[0] == 's' ? VIDEORAM_STD : VIDEORAM_CIRRUS;
    for (unsigned i = 0; p->vnc_unused && i < c->vnc_count; i++)
        if (!c->vnc[i].reverse)
            c->vnc[i].to = PORT_MAX - VNC_PORT - c->vnc[i].display;
}
