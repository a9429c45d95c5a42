/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Displays, video memory and keyboard maps. */
#include "toolstack/cmdline_internal.h"

#include <string.h>

/* --- VNC -------------------------------------------------------------------------------------- */

/* "H:D", ":D", "[V6]:D" or "unix:PATH" into vnc. */
static void vnc_address(struct parser *p, struct config_vnc *vnc, char *text)
{
    const char *path;
    char *colon = strrchr(text, ':');
    uint64_t display;

    if (starts_with(text, "unix:", &path)) {
        if (check_path(p, "the path", path, true))
            vnc->unix_path = keep(p, path);
        return;
    }
    if (!colon || !keyval_parse_uint(colon + 1, 0, vnc->reverse ? 65535 : 59635, &display)) {
        fail(p,
             "not an address; accepted: HOST:DISPLAY with DISPLAY from 0 to 59635 (port 5900 and "
             "up), [IPV6]:DISPLAY, unix:PATH, none");
        return;
    }
    *colon = '\0';
    if (text[0] == '[' && colon > text + 1 && colon[-1] == ']') {
        colon[-1] = '\0';
        text++;
    } else if (strpbrk(text, "[]:")) {
        fail(p, "not an address; an IPv6 address needs brackets, as in [::1]:0");
        return;
    }
    vnc->address = keep(p, text);
    vnc->display = (unsigned)display;
}

static void vnc_websocket(struct parser *p, struct config_vnc *vnc, struct keyval *kv)
{
    struct keyval_item *item = keyval_find(kv, "websocket");
    uint64_t port = 0;
    bool on;

    vnc->websocket = -1;
    if (!item)
        return;
    if (!item->value)
        vnc->websocket = 0;
    else if (keyval_parse_bool(item->value, &on))
        vnc->websocket = on ? 0 : -1;
    else if (keyval_parse_uint(item->value, 1, 65535, &port))
        vnc->websocket = (int)port;
    else
        fail(p, "websocket=%.40s is not accepted; accepted: on, off, a port from 1 to 65535",
             item->value);
}

/* Asked for and not there: a server that is less protected than it was told to be is refused. */
static void vnc_refuse_protection(struct parser *p, struct keyval *kv)
{
    static const char *const keys[] = {"tls",       "x509",       "x509verify",      "sasl",
                                       "tls-creds", "sasl-authz", "password-secret", "acl",
                                       "tls-authz"};

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        const struct keyval_item *item = keyval_find(kv, keys[i]);
        bool on = true;

        if (item && !(item->value && keyval_parse_bool(item->value, &on) && !on))
            fail(p, "%s is not supported; accepted: password=on, a UNIX socket, or an ssh tunnel",
                 keys[i]);
    }
}

void option_vnc(struct parser *p, const char *value)
{
    static const char *const shares[] = {"allow-exclusive", "force-shared", "ignore", NULL};
    struct config *c = p->config;
    struct config_vnc *vnc;
    struct keyval_item *address;
    struct keyval kv;

    if (!strcmp(value, "none"))
        return;
    if (c->vnc_count == CONFIG_DISPLAY_MAX) {
        fail(p, "one display too many; accepted: up to %d", CONFIG_DISPLAY_MAX);
        return;
    }
    if (list_open(p, &kv, value, "vnc")) {
        vnc = &c->vnc[c->vnc_count++];
        vnc->spec = keep(p, value);
        vnc->reverse = list_bool(p, &kv, "reverse", false);
        vnc->to = (unsigned)list_uint(p, &kv, "to", 0, 0, 59635);
        vnc->password = list_bool(p, &kv, "password", false);
        vnc->ipv4 = list_bool(p, &kv, "ipv4", false);
        vnc->ipv6 = list_bool(p, &kv, "ipv6", false);
        vnc->share = list_choice(p, &kv, "share", 0, shares);
        vnc_websocket(p, vnc, &kv);
        vnc_refuse_protection(p, &kv);
        list_ignore(&kv,
                    "id display head lossy non-adaptive lock-key-sync key-delay-ms power-control "
                    "audiodev connections");
        address = keyval_find(&kv, "vnc");
        if (!address || !address->value)
            fail(p,
                 "the address is missing; accepted: HOST:DISPLAY[,KEY=VALUE]..., unix:PATH, none");
        else
            vnc_address(p, vnc, address->value);
        list_close(p, &kv, "to, password, websocket, share, reverse, ipv4, ipv6");
        if (vnc->reverse)
            notice_not_built(p, "VNC connections to a listening viewer");
    }
    keyval_free(&kv);
}

/* --- other displays --------------------------------------------------------------------------- */

void option_sdl(struct parser *p, const char *value)
{
    p->config->sdl = true;
}

/* "sdl,KEY=VALUE,...": the keys that release the grab are always the same, OpenGL is never used. */
static void display_sdl(struct parser *p, const char *value)
{
    struct config *c = p->config;
    struct keyval kv;

    c->sdl = true;
    if (list_open(p, &kv, value, "type")) {
        c->full_screen |= list_bool(p, &kv, "full-screen", false);
        list_ignore(&kv, "type gl grab-mod alt_grab ctrl_grab show-cursor window-close frame");
        list_close(p, &kv, "full-screen, gl");
    }
    keyval_free(&kv);
}

void option_full_screen(struct parser *p, const char *value)
{
    p->config->full_screen = true;
}

void option_display(struct parser *p, const char *value)
{
    const char *rest;

    if (!strcmp(value, "none"))
        p->config->sdl = false;
    else if (!strcmp(value, "sdl") || starts_with(value, "sdl,", &rest))
        display_sdl(p, value);
    else if (starts_with(value, "vnc=", &rest))
        option_vnc(p, rest);
    else
        fail(p, "not accepted; accepted: none, sdl, vnc=HOST:DISPLAY");
}

void option_nographic(struct parser *p, const char *value)
{
    p->config->sdl = false;
}

void option_keymap(struct parser *p, const char *value)
{
    static const char *const keymaps[] = {
        "ar", "bepo",  "cz",    "da",    "de",    "de-ch", "en-gb", "en-us", "es", "et", "fi", "fo",
        "fr", "fr-be", "fr-ca", "fr-ch", "hr",    "hu",    "is",    "it",    "ja", "lt", "lv", "mk",
        "nl", "no",    "pl",    "pt",    "pt-br", "ru",    "sl",    "sv",    "th", "tr",
    };

    for (size_t i = 0; i < sizeof(keymaps) / sizeof(keymaps[0]); i++) {
        if (!strcmp(keymaps[i], value)) {
            p->config->keymap = keymaps[i];
            return;
        }
    }
    notice(p, true,
           "no such keymap; the default is used (known: ar, de, de-ch, en-gb, en-us, es, "
           "fr, it, ja, pl, ru, ...)");
}

/* --- VGA -------------------------------------------------------------------------------------- */

#define VGAMEM_MAX 256

static void vga_set(struct parser *p, enum config_vga_kind kind, uint64_t vgamem_mb, int pci)
{
    struct config_vga *vga = &p->config->vga;

    if (p->vga_text) {
        fail(p, "the machine has a VGA already: '%.100s'", p->vga_text);
        return;
    }
    p->vga_text = p->value;
    vga->kind = kind;
    if (!vgamem_mb)
        vgamem_mb = p->vgamem_global;
    vga->vgamem_mb = vgamem_mb ? (unsigned)vgamem_mb : kind == CONFIG_VGA_CIRRUS ? 8 : 16;
    vga->pci = pci;
    p->config->pci[pci].built = true;
}

void option_vga(struct parser *p, const char *value)
{
    if (strcmp(value, "std") && strcmp(value, "cirrus") && strcmp(value, "none"))
        fail(p, "not built yet; accepted: std, cirrus, none");
    p->vga = value;
}

/* The VGA of -vga is made with the machine, before every -device. */
void vga_from_option(struct parser *p)
{
    bool cirrus;
    int pci;

    if (!p->vga || !strcmp(p->vga, "none"))
        return;
    cirrus = p->vga[0] == 'c';
    set_context(p, "-vga", p->vga);
    pci = config_pci_add(p, CONFIG_PCI_VGA, cirrus ? "cirrus-vga" : "VGA", NULL);
    if (pci >= 0)
        vga_set(p, cirrus ? CONFIG_VGA_CIRRUS : CONFIG_VGA_STD, 0, pci);
}

void vga_from_device(struct parser *p, struct device *d, int pci)
{
    uint64_t vgamem_mb = list_uint(p, &d->kv, "vgamem_mb", 0, 1, VGAMEM_MAX);
    uint64_t xres = list_uint(p, &d->kv, "xres", 0, 640, 4095);
    uint64_t yres = list_uint(p, &d->kv, "yres", 0, 480, 4095);

    list_ignore(&d->kv, "xmax ymax edid refresh_rate mmio qemu-extended-regs blitter "
                        "global-vmstate big-endian-framebuffer");
    list_close(p, &d->kv, "vgamem_mb, xres, yres, " PCI_KEYS);
    if (!p->err && !xres != !yres)
        fail(p, "xres= and yres= belong together");
    p->config->vga.xres = (unsigned)xres;
    p->config->vga.yres = (unsigned)yres;
    if (!p->err)
        vga_set(p, d->type->name[0] == 'c' ? CONFIG_VGA_CIRRUS : CONFIG_VGA_STD, vgamem_mb, pci);
}

/* -global DRIVER.KEY=VALUE: old libxl gives the video memory this way. */
void option_global(struct parser *p, const char *value)
{
    static const char *const names[] = {
        "VGA.vgamem_mb=", "vga.vram_size_mb=", "cirrus-vga.vgamem_mb=", "cirrus-vga.vram_size_mb=",
        "VGA.vram_size_mb="};
    const char *rest;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (starts_with(value, names[i], &rest)) {
            if (!keyval_parse_uint(rest, 1, VGAMEM_MAX, &p->vgamem_global))
                fail(p, "not accepted; accepted: a number of MiB from 1 to %d", VGAMEM_MAX);
            return;
        }
    }
    notice(p, true, "ignored; the device keeps its own value");
}
