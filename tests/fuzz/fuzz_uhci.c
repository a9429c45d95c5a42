/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host controller with a tablet and a keyboard, schedules in guest memory that make more or
 * less sense, and somebody at both devices. Checked besides what machine_ops.h says: the interrupt
 * is a function of the state, a look is bounded (the run would never end otherwise), no guest
 * memory is changed but the status of TDs, the elements of QHs and the data buffers.
 */
#include <string.h>

#include "hw/usb/hid_internal.h"
#include "hw/usb/uhci_internal.h"
#include "tests/fuzz/machine_ops.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define IO     0xc0c0u
#define LIST   0x100000u
#define NODES  0x101000u /* 64 QHs or TDs of 32 bytes */
#define COUNT  64u
#define BUFFER 0x103000u
#define GUARD  0x104000u /* nobody points here */
#define BYTES  0x5000u

static const uint16_t ports[] = {IO,      IO + 2,  IO + 4,    IO + 6,    IO + 8,
                                 IO + 10, IO + 12, IO + 0x10, IO + 0x12, IO + 0x14};
static const uint8_t devfns[] = {PCI_DEVFN(1, 2)};
static const uint8_t pids[] = {0x69, 0xe1, 0x2d};
static const uint16_t lengths[] = {0x7ff, 0, 3, 5, 7, 17, 63, 64, 1279, 1280, 0x7fe};

static struct fuzz_machine fm;
static struct input *input;
static struct uhci *uhci;
static struct hid *hid[UHCI_PORTS];

static void poke(uint32_t address, uint32_t value)
{
    memcpy(fm.m.ram + address, &value, sizeof(value));
}

static uint32_t link_of(uint8_t n)
{
    return (NODES + 32 * (n % COUNT)) | (n >> 6 & 1 ? 4 : 0);
}

/* A TD that is nearly right, so that most of them do something. */
static void make_td(struct fuzz_input *in)
{
    uint32_t at = NODES + 32 * (fuzz_u8(in) % COUNT);
    uint8_t link = fuzz_u8(in), kind = fuzz_u8(in), bits = fuzz_u8(in);
    uint32_t status = (uint32_t)bits << 24 | 1u << 23;
    uint32_t token = pids[kind % 3] | (uint32_t)(kind >> 2 & 7) << 8 |
                     (uint32_t)(kind >> 5 & 1) << 15 | (uint32_t)lengths[fuzz_u8(in) % 11] << 21;

    poke(at, link & 0x80 ? 1 : link_of(link));
    poke(at + 4, status);
    poke(at + 8, token);
    poke(at + 12, BUFFER + 8 * (fuzz_u8(in) & 0x7f));
}

static void make_qh(struct fuzz_input *in)
{
    uint32_t at = NODES + 32 * (fuzz_u8(in) % COUNT);
    uint8_t link = fuzz_u8(in), element = fuzz_u8(in);

    poke(at, link & 0x80 ? 1 : link_of(link) | 2);
    poke(at + 4, element & 0x80 ? 1 : link_of(element));
}

/* A request that there is, in a SETUP packet. */
static void make_setup(struct fuzz_input *in)
{
    static const uint8_t requests[][2] = {
        {0x80, 6}, {0x81, 6}, {0, 5},  {0, 9},    {0x80, 8}, {0, 1},     {0, 3},     {2, 1},
        {2, 3},    {0x80, 0}, {1, 11}, {0xa1, 1}, {0x21, 9}, {0x21, 10}, {0x21, 11},
    };
    uint8_t *at = fm.m.ram + BUFFER + 8 * (fuzz_u8(in) & 0x7f);

    memcpy(at, requests[fuzz_u8(in) % 15], 2);
    for (unsigned i = 2; i < 8; i++)
        at[i] = fuzz_u8(in);
}

static void run(void)
{
    struct machine *m = &fm.m;

    pci_config_write(m->env.pci, devfns[0], 0x20, 4, IO);
    pci_config_write(m->env.pci, devfns[0], PCI_COMMAND, 2, 5);
    machine_out(m, IO + 8, 4, LIST);
    for (unsigned i = 0; i < UHCI_PORTS; i++) {
        machine_out(m, (uint16_t)(IO + 0x10 + 2 * i), 2, PORT_PE);
        hid[i]->s->address = (uint8_t)i;
    }
    machine_out(m, IO, 2, CMD_RS);
}

static void own_op(struct fuzz_input *in)
{
    uint8_t n = fuzz_u8(in);

    switch (n % 10) {
    case 0:
        make_td(in);
        break;
    case 1:
        make_qh(in);
        break;
    case 2:
        make_setup(in);
        break;
    case 3:
        for (unsigned i = 0; i < FRAME_LIST; i++)
            poke(LIST + 4 * i, link_of((uint8_t)(n + i * (n >> 4))) | (i & 2));
        break;
    case 4:
        poke(NODES + 4 * (fuzz_u8(in)), fuzz_u32(in));
        break;
    case 5:
        run();
        break;
    case 6:
        input_abs(input, (uint16_t)fuzz_u32(in), (uint16_t)fuzz_u32(in), (int8_t)n, fuzz_u8(in));
        break;
    case 7:
        input_key(input, (uint16_t)(fuzz_u8(in) | (n & 0x10) << 4), n & 0x20);
        break;
    case 8:
        hid_configure(hid[n >> 7], n >> 6 & 1);
        break;
    default:
        machine_advance(&fm.m, (uint64_t)(fuzz_u8(in) + 1) * FRAME_NS);
    }
}

static void check(bool tampered)
{
    struct machine *m = &fm.m;
    bool intx_disabled;

    machine_settle(m); /* what is due is done: a save would come after it */
    intx_disabled = pci_config_read(m->env.pci, devfns[0], PCI_COMMAND, 2) & 0x400;
    fuzz_require(m->intx[1][3] == (!intx_disabled && uhci_irq_level(uhci->s)),
                 "INTD is a function of the state");
    fuzz_require(!(uhci->s->cmd & CMD_RS) || !(uhci->s->sts & STS_HALTED), "running is not halted");
    for (unsigned i = 0; i < UHCI_PORTS; i++)
        fuzz_require(hid[i]->s->count <= HID_EVENTS, "queues are bounded");
}

static void create(void)
{
    static const enum hid_kind kinds[] = {HID_TABLET, HID_KEYBOARD};

    machine_init_pci(&fm.m);
    fuzz_require(input_create(&input) == 0, "the hub can be made");
    fuzz_require(uhci_create(&uhci, &fm.m.env, devfns[0]) == 0, "the controller can be made");
    for (unsigned i = 0; i < UHCI_PORTS; i++) {
        fuzz_require(hid_create(&hid[i], &fm.m.env, input, kinds[i], i + 1) == 0, "a device");
        fuzz_require(uhci_attach(uhci, i, hid_plug(hid[i])) == 0, "is attached");
    }
    fm.ports = ports;
    fm.port_count = sizeof(ports) / sizeof(ports[0]);
    fm.devfns = devfns;
    fm.devfn_count = 1;
    fm.own_op = own_op;
    fm.check = check;
    fuzz_machine_start(&fm);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!input)
        create();
    input_release_all(input);
    fm.m.now = 1000000000;
    memset(fm.m.ram + LIST, 0, BYTES);
    for (unsigned i = 0; i < COUNT; i++)
        poke(NODES + 32 * i, 1);
    fuzz_machine_run(&fm, data, size);
    return 0;
}
