/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The domain and the machine: -xen-domid, -machine, -smp, -m, -boot, ...
 */
#include "toolstack/cmdline_internal.h"

#include <string.h>

#define MIB     (1ull << 20)
#define GIB4    (1ull << 32)
#define RAM_MAX (16ull << 40) /* what 44 address bits reach; more no Xen guest has */

/* --- the domain ------------------------------------------------------------------------------- */

void option_domid(struct parser *p, const char *value)
{
    p->config->domid = (unsigned)value_uint(p, value, 1, CONFIG_DOMID_MAX);
    p->domid_given = true;
}

void option_attach(struct parser *p, const char *value)
{
    p->attach = true;
}

void option_paused(struct parser *p, const char *value)
{
    p->config->start_paused = true;
}

/*
 * libxl gives a domain's name as it is; QEMU's users write guest=NAME,process=NAME. Whatever is not
 * such a list is a name, also with '=' and ',' in it.
 */
void option_name(struct parser *p, const char *value)
{
    struct keyval kv;
    const struct keyval_item *guest;
    const char *name = value;

    if (keyval_parse(&kv, value, "guest") == KEYVAL_OK) {
        list_ignore(&kv, "process debug-threads");
        guest = keyval_find(&kv, "guest");
        if (guest && guest->value && !keyval_unused(&kv))
            name = guest->value;
    }
    p->config->name = keep(p, name);
    keyval_free(&kv);
}

void option_uuid(struct parser *p, const char *value)
{
    uint8_t *uuid = p->config->uuid;
    const char *s = value;

    for (int i = 0; i < 16; i++) {
        char hex[5] = {'0', 'x', s[0], s[0] ? s[1] : '\0', '\0'};
        uint64_t byte;

        if (!hex[3] || !keyval_parse_uint(hex, 0, 255, &byte))
            break;
        uuid[i] = (uint8_t)byte;
        s += 2;
        if ((i == 3 || i == 5 || i == 7 || i == 9) && *s++ != '-')
            break;
        p->config->has_uuid = i == 15 && !*s;
    }
    if (!p->config->has_uuid)
        fail(p, "not accepted; accepted: a UUID as in 01234567-89ab-cdef-0123-456789abcdef");
}

/* --- the machine ------------------------------------------------------------------------------ */

static void machine_type(struct parser *p, const char *type)
{
    const char *rest;

    if (!strcmp(type, "xenpv")) {
        fail(
            p,
            "type=xenpv: back-ends for PV and PVH guests are not built; accepted: xenfv, pc, none");
        return;
    }
    if (strcmp(type, "none") && strcmp(type, "pc") && strcmp(type, "xenfv") &&
        !starts_with(type, "pc-i440fx-", &rest) && !starts_with(type, "pc-0.", &rest) &&
        !starts_with(type, "pc-1.", &rest) && !starts_with(type, "xenfv-", &rest))
        fail(p, "type=%.60s is not supported; accepted: xenfv, xenfv-*, pc, pc-i440fx-*, none",
             type);
    p->config->machine = keep(p, type);
}

void option_accel(struct parser *p, const char *value)
{
    const char *rest;

    if (strcmp(value, "xen") && !starts_with(value, "xen,", &rest) &&
        !starts_with(value, "xen:", &rest))
        fail(p, "accel=%.40s is not supported; accepted: xen", value);
    p->accel = value;
}

/* Keys of several -machine options add up; the last value of each counts. */
void option_machine(struct parser *p, const char *value)
{
    struct config *c = p->config;
    const char *type, *accel, *max;
    struct keyval kv;

    if (list_open(p, &kv, value, "type")) {
        type = list_string(p, &kv, "type");
        accel = list_string(p, &kv, "accel");
        max = list_string(p, &kv, "max-ram-below-4g");
        if (type)
            machine_type(p, type);
        if (accel)
            option_accel(p, accel);
        if (max && !keyval_parse_size(max, 1, MIB, GIB4, &c->max_ram_below_4g))
            fail(p, "max-ram-below-4g=%.40s is not accepted; accepted: bytes from 1M to 4G", max);
        if (list_bool(p, &kv, "igd-passthru", false))
            fail(p, "igd-passthru=on: passthrough is not built; accepted: off");
        c->usb = list_bool(p, &kv, "usb", c->usb);
        c->acpi = list_bool(p, &kv, "acpi", c->acpi);
        list_ignore(&kv, "suppress-vmdesc vmport smm kernel_irqchip kernel-irqchip dump-guest-core "
                         "mem-merge hpet graphics");
        list_close(p, &kv,
                   "type, accel, max-ram-below-4g, suppress-vmdesc, usb, acpi, vmport, smm, "
                   "kernel_irqchip, hpet, graphics, dump-guest-core, mem-merge");
    }
    keyval_free(&kv);
}

void option_no_acpi(struct parser *p, const char *value)
{
    p->config->acpi = false;
}

void option_smp(struct parser *p, const char *value)
{
    struct config *c = p->config;
    struct keyval kv;
    uint64_t vcpus, max;

    if (list_open(p, &kv, value, "cpus")) {
        vcpus = list_uint(p, &kv, "cpus", 0, 1, CONFIG_VCPU_MAX);
        max = list_uint(p, &kv, "maxcpus", 0, 1, CONFIG_VCPU_MAX);
        if (!vcpus)
            vcpus = max ? max : 1;
        if (!max)
            max = vcpus;
        /* Xen alone decides about the topology that the guest sees. */
        list_ignore(&kv, "sockets dies clusters cores threads");
        list_close(p, &kv, "cpus, maxcpus, sockets, dies, cores, threads");
        if (max < vcpus)
            fail(p, "maxcpus=%u is less than the %u at the start; accepted: %u to %d",
                 (unsigned)max, (unsigned)vcpus, (unsigned)vcpus, CONFIG_VCPU_MAX);
        c->vcpus = (unsigned)vcpus;
        c->maxvcpus = (unsigned)max;
    }
    keyval_free(&kv);
}

void option_memory(struct parser *p, const char *value)
{
    struct keyval kv;
    const char *size;
    uint64_t bytes = MIB;

    if (list_open(p, &kv, value, "size")) {
        size = list_string(p, &kv, "size");
        if (!size || !keyval_parse_size(size, MIB, MIB, RAM_MAX, &bytes))
            fail(p,
                 "not accepted; accepted: MiB, or a number with the suffix K, M, G or T, from 1M "
                 "to 16T");
        list_ignore(&kv, "slots maxmem");
        list_close(p, &kv, "size, slots, maxmem");
        p->config->memory_mb = bytes / MIB;
    }
    keyval_free(&kv);
}

/* --- boot order ------------------------------------------------------------------------------- */

/* CMOS has three places: first and second in 0x3d, third in 0x38. */
static void boot_order(struct parser *p, const char *order)
{
    static const char letters[] = "abcdn";
    static const uint8_t codes[] = {1, 1, 2, 3, 4};
    struct config *c = p->config;
    size_t n = strlen(order);

    if (n > 3)
        fail(p,
             "order=%.40s is longer than the three places the BIOS has; accepted: up to 3 letters",
             order);
    memset(c->boot_code, 0, sizeof(c->boot_code));
    for (size_t i = 0; i < n && !p->err; i++) {
        const char *letter = strchr(letters, order[i]);

        if (!letter)
            fail(
                p,
                "'%c' is not a boot device; accepted: a and b (floppy), c (hard disk), d (CD-ROM), "
                "n (network)",
                order[i]);
        else if (strchr(order, order[i]) != order + i)
            fail(p, "'%c' is given twice; accepted: each letter once", order[i]);
        else
            c->boot_code[i] = codes[letter - letters];
    }
    c->boot_order = keep(p, order);
}

void option_boot(struct parser *p, const char *value)
{
    struct keyval kv;
    const char *order;

    if (list_open(p, &kv, value, "order")) {
        order = list_string(p, &kv, "order");
        if (order)
            boot_order(p, order);
        p->config->boot_menu = list_bool(p, &kv, "menu", p->config->boot_menu);
        if (keyval_find(&kv, "once"))
            notice(p, true, "once= is ignored; the guest always boots by order=");
        list_ignore(&kv, "strict splash splash-time reboot-timeout");
        list_close(p, &kv, "order, menu, strict, once, splash, splash-time, reboot-timeout");
    }
    keyval_free(&kv);
}

void option_no_fd_bootchk(struct parser *p, const char *value)
{
    p->config->floppy_bootchk = false;
}

/* --- what all of it amounts to ---------------------------------------------------------------- */

void machine_finish(struct parser *p)
{
    struct config *c = p->config;
    bool none = !strcmp(c->machine, "none");
    const char *rest;

    set_context(p, NULL, NULL);
    if (c->mode == CONFIG_MODE_DUMP_STATE)
        return;
    if (p->attach)
        fail(p, "-xen-attach: back-ends without a machine, for PV and PVH guests, are not built; "
                "accepted: HVM guests (type=\"hvm\")");
    else if (none && p->domid_given)
        fail(p, "-machine none is the toolstack's question what is supported; accepted without "
                "-xen-domid only");
    else if (!none && !p->domid_given)
        fail(p, "the domain is missing; accepted: -xen-domid N, as xl starts a device model in "
                "qemu-xen mode");
    c->mode = none ? CONFIG_MODE_PROBE : CONFIG_MODE_HVM;
    c->platform_pci = starts_with(c->machine, "xenfv", &rest);
}
