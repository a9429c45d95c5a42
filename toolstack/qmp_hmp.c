/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The text commands of human-monitor-command: the ones that people type into
 * `xl qemu-monitor-command` and `virsh qemu-monitor-command --hmp`. Whatever goes wrong is told as
 * text, too, never as an error of QMP. Lines end with CR LF.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/printbuf.h>

#include "build_config.h"
#include "toolstack/qmp_internal.h"

#define WORDS_MAX 8
#define EOL       "\r\n"

struct hmp {
    struct qmp_call *call;
    struct printbuf *out;
    char *word[WORDS_MAX + 1]; /* the command first; the rest NULL */
    size_t words;
};

struct hmp_command {
    const char *name;
    void (*run)(struct hmp *hmp);
    size_t min, max; /* words after the name */
    const char *arguments, *help;
};

static void help(struct hmp *hmp);
static void info(struct hmp *hmp);

/* ---- info -------------------------------------------------------------------------------------
 */

static void show_block(void *to, const struct qmp_block *block)
{
    struct hmp *hmp = to;

    if (hmp->words > 2 && strcmp(hmp->word[2], block->device) != 0)
        return;
    if (!block->inserted) {
        sprintbuf(hmp->out, "%s: [not inserted]" EOL, block->device);
    } else {
        sprintbuf(hmp->out, "%s: %s (%s%s)" EOL, block->device, block->file, block->format,
                  block->read_only ? ", read-only" : "");
        sprintbuf(hmp->out, "    Size:             %" PRIu64 " bytes" EOL, block->size);
    }
    if (block->qdev)
        sprintbuf(hmp->out, "    Attached to:      %s" EOL, block->qdev);
    if (block->removable)
        sprintbuf(hmp->out, "    Removable device: %slocked, tray %s" EOL,
                  block->locked ? "" : "not ", block->tray_open ? "open" : "closed");
    if (block->inserted)
        sprintbuf(hmp->out, "    Cache mode:       writeback%s%s" EOL,
                  block->direct ? ", direct" : "", block->unsafe ? ", ignore flushes" : "");
}

static void info_block(struct hmp *hmp)
{
    if (hmp->call->ops->each_block)
        hmp->call->ops->each_block(hmp->call->opaque, show_block, hmp);
}

static void show_stats(void *to, const struct qmp_block *block)
{
    const struct qmp_block_stats *s = &block->stats;
    struct hmp *hmp = to;

    sprintbuf(hmp->out,
              "%s: rd_bytes=%" PRIu64 " wr_bytes=%" PRIu64 " rd_operations=%" PRIu64
              " wr_operations=%" PRIu64 " flush_operations=%" PRIu64 EOL,
              block->device, s->read_bytes, s->write_bytes, s->read_ops, s->write_ops,
              s->flush_ops);
}

static void info_blockstats(struct hmp *hmp)
{
    if (hmp->call->ops->each_block)
        hmp->call->ops->each_block(hmp->call->opaque, show_stats, hmp);
}

static void show_chardev(void *to, const struct qmp_chardev *chardev)
{
    struct hmp *hmp = to;

    sprintbuf(hmp->out, "%s: filename=%s" EOL, chardev->label, chardev->filename);
}

static void info_chardev(struct hmp *hmp)
{
    if (hmp->call->ops->each_chardev)
        hmp->call->ops->each_chardev(hmp->call->opaque, show_chardev, hmp);
}

static void show_cpu(void *to, const struct qmp_cpu *cpu)
{
    struct hmp *hmp = to;

    sprintbuf(hmp->out, "CPU #%u: %s" EOL, cpu->index, cpu->online ? "online" : "not plugged in");
}

static void info_cpus(struct hmp *hmp)
{
    if (hmp->call->ops->each_cpu)
        hmp->call->ops->each_cpu(hmp->call->opaque, show_cpu, hmp);
}

static void info_name(struct hmp *hmp)
{
    const char *name =
        hmp->call->ops->guest_name ? hmp->call->ops->guest_name(hmp->call->opaque) : NULL;

    if (name)
        sprintbuf(hmp->out, "%s" EOL, name);
}

static void show_nic(void *to, const struct qmp_nic *nic)
{
    const uint8_t *mac = nic->mac;
    struct hmp *hmp = to;

    sprintbuf(hmp->out, "%s: model=%s,macaddr=%02x:%02x:%02x:%02x:%02x:%02x, %s" EOL, nic->name,
              nic->model, mac[0], mac[1], mac[2], mac[3], mac[4], mac[5],
              nic->unplugged ? "unplugged"
              : nic->up      ? "link up"
                             : "link down");
    if (nic->netdev)
        sprintbuf(hmp->out, "  %s: type=%s" EOL, nic->netdev, nic->kind);
}

static void info_network(struct hmp *hmp)
{
    if (hmp->call->ops->each_nic)
        hmp->call->ops->each_nic(hmp->call->opaque, show_nic, hmp);
}

static void show_region(struct hmp *hmp, const struct qmp_pci_region *region)
{
    sprintbuf(hmp->out, "      BAR%u: %s", region->bar,
              region->io     ? "I/O"
              : region->wide ? "64 bit memory"
                             : "32 bit memory");
    if (region->prefetch)
        sprintbuf(hmp->out, ", prefetchable");
    if (region->address == UINT64_MAX)
        sprintbuf(hmp->out, ", not mapped (%#" PRIx64 " bytes)" EOL, region->size);
    else
        sprintbuf(hmp->out, " at %#" PRIx64 " (%#" PRIx64 " bytes)" EOL, region->address,
                  region->size);
}

static void show_pci(void *to, const struct qmp_pci_device *device)
{
    struct hmp *hmp = to;

    sprintbuf(hmp->out, "  Bus %2u, device %3u, function %u:" EOL, device->bus, device->slot,
              device->function);
    sprintbuf(hmp->out, "    %s [%04x]: PCI device %04x:%04x" EOL,
              device->description ? device->description : "Class", device->class_code,
              device->vendor, device->device);
    if (device->irq_pin)
        sprintbuf(hmp->out, "      IRQ %u, pin %c" EOL, device->irq, '@' + (device->irq_pin & 7));
    for (size_t i = 0; i < device->region_count; i++)
        show_region(hmp, &device->regions[i]);
    sprintbuf(hmp->out, "      id \"%s\"" EOL, device->qdev_id ? device->qdev_id : "");
}

static void info_pci(struct hmp *hmp)
{
    if (hmp->call->ops->each_pci)
        hmp->call->ops->each_pci(hmp->call->opaque, show_pci, hmp);
}

static void info_status(struct hmp *hmp)
{
    enum qmp_run_state state = QMP_STATE_PRELAUNCH;

    if (hmp->call->ops->run_state)
        state = hmp->call->ops->run_state(hmp->call->opaque);
    sprintbuf(hmp->out, "VM status: %s", state == QMP_STATE_RUNNING ? "running" : "paused");
    if (state != QMP_STATE_RUNNING && state != QMP_STATE_PAUSED)
        sprintbuf(hmp->out, " (%s)", qmp_state_name(state));
    sprintbuf(hmp->out, EOL);
}

static void info_version(struct hmp *hmp)
{
    sprintbuf(hmp->out, "7.2.0 (slimdm " SLIMDM_VERSION ")" EOL);
}

static void show_vnc(void *to, const struct qmp_vnc *vnc)
{
    struct hmp *hmp = to;

    sprintbuf(hmp->out, "%s: %s%s%s (%s), auth %s" EOL, vnc->id, vnc->host, vnc->service ? ":" : "",
              vnc->service ? vnc->service : "", vnc->family, vnc->auth);
    for (size_t i = 0; i < vnc->client_count; i++)
        sprintbuf(hmp->out, "  Client: %s:%s (%s)" EOL, vnc->clients[i].host,
                  vnc->clients[i].service, vnc->clients[i].family);
}

static void info_vnc(struct hmp *hmp)
{
    int before = hmp->out->bpos;

    if (hmp->call->ops->each_vnc)
        hmp->call->ops->each_vnc(hmp->call->opaque, show_vnc, hmp);
    if (hmp->out->bpos == before)
        sprintbuf(hmp->out, "no VNC server" EOL);
}

static const struct hmp_command info_commands[] = {
    {"block", info_block, 0, 1, " [DRIVE]", "drives and their media"},
    {"blockstats", info_blockstats, 0, 0, "", "what the drives have done"},
    {"chardev", info_chardev, 0, 0, "", "character back-ends"},
    {"cpus", info_cpus, 0, 0, "", "vCPUs"},
    {"name", info_name, 0, 0, "", "the guest's name"},
    {"network", info_network, 0, 0, "", "network cards and their back-ends"},
    {"pci", info_pci, 0, 0, "", "PCI functions"},
    {"status", info_status, 0, 0, "", "whether the guest runs"},
    {"version", info_version, 0, 0, "", "of the device model"},
    {"vnc", info_vnc, 0, 0, "", "the VNC server and its clients"},
    {NULL, NULL, 0, 0, NULL, NULL},
};

/* ---- commands ---------------------------------------------------------------------------------
 */

static void simple(struct hmp *hmp, int (*op)(void *opaque, struct qmp_error *err))
{
    struct qmp_call *call = hmp->call;

    json_object_put(op ? qmp_result(call, op(call->opaque, &call->error)) : qmp_not_built(call));
}

static void cont(struct hmp *hmp)
{
    simple(hmp, hmp->call->ops->cont);
}

static void powerdown(struct hmp *hmp)
{
    simple(hmp, hmp->call->ops->powerdown);
}

static void reset(struct hmp *hmp)
{
    simple(hmp, hmp->call->ops->reset);
}

static void wakeup(struct hmp *hmp)
{
    simple(hmp, hmp->call->ops->wakeup);
}

static void stop(struct hmp *hmp)
{
    qmp_do_stop(hmp->call, true);
}

static void quit(struct hmp *hmp)
{
    json_object_put(qmp_do_quit(hmp->call));
}

static void eject(struct hmp *hmp)
{
    struct qmp_call *call = hmp->call;
    bool force = strcmp(hmp->word[1], "-f") == 0;
    const char *drive = hmp->word[force ? 2 : 1];

    if (!drive)
        qmp_error(call, QMP_GENERIC_ERROR, "eject [-f] DRIVE");
    else if (!call->ops->eject)
        qmp_not_built(call);
    else
        json_object_put(
            qmp_result(call, call->ops->eject(call->opaque, drive, force, &call->error)));
}

static void change(struct hmp *hmp)
{
    if (strcmp(hmp->word[1], "vnc") != 0)
        json_object_put(qmp_do_insert(hmp->call, hmp->word[1], hmp->word[2], hmp->word[3]));
    else if (strcmp(hmp->word[2], "password") != 0)
        qmp_error(hmp->call, QMP_GENERIC_ERROR, "change vnc password TEXT");
    else
        json_object_put(qmp_do_vnc_password(hmp->call, hmp->word[3] ? hmp->word[3] : ""));
}

static void screendump(struct hmp *hmp)
{
    const char *format = NULL;

    if (hmp->word[2]) {
        if (strcmp(hmp->word[2], "-f") != 0 || !hmp->word[3]) {
            qmp_error(hmp->call, QMP_GENERIC_ERROR, "screendump FILE [-f png|ppm]");
            return;
        }
        format = hmp->word[3];
    }
    qmp_do_screendump(hmp->call, hmp->word[1], format, true);
}

/* Keys joined by dashes, all pressed together; an optional time to hold them, in ms. */
static void sendkey(struct hmp *hmp)
{
    struct qmp_call *call = hmp->call;
    char *rest = hmp->word[1], *name, *end = NULL;
    unsigned long hold = hmp->word[2] ? strtoul(hmp->word[2], &end, 10) : 100;
    uint16_t code[QMP_KEYS_MAX];
    size_t count = 0;

    if (!call->ops->send_keys) {
        qmp_not_built(call);
        return;
    }
    if (hold > 60000 || (end && *end)) {
        qmp_error(call, QMP_GENERIC_ERROR, "the time to hold is 0 to 60000 ms");
        return;
    }
    while ((name = strsep(&rest, "-"))) {
        int key;

        if (count == QMP_KEYS_MAX) {
            qmp_error(call, QMP_GENERIC_ERROR, "at most %d keys", QMP_KEYS_MAX);
            return;
        }
        key = qmp_key_from_name(call, name);
        if (key < 0)
            return;
        code[count++] = (uint16_t)key;
    }
    json_object_put(qmp_result(
        call, call->ops->send_keys(call->opaque, code, count, (unsigned)hold, &call->error)));
}

static void set_link(struct hmp *hmp)
{
    bool on = strcmp(hmp->word[2], "on") == 0;

    if (on || strcmp(hmp->word[2], "off") == 0)
        json_object_put(qmp_do_set_link(hmp->call, hmp->word[1], on));
    else
        qmp_error(hmp->call, QMP_GENERIC_ERROR, "set_link NAME on|off");
}

static const struct hmp_command commands[] = {
    {"help", help, 0, 1, "|? [COMMAND]", "this list, or one line of it"},
    {"info", info, 0, 2, " WHAT", "show something; without WHAT, what there is"},
    {"change", change, 2, 3, " DRIVE FILE [FORMAT]", "insert a medium; vnc password TEXT"},
    {"cont", cont, 0, 0, "|c", "let the guest go on"},
    {"eject", eject, 1, 2, " [-f] DRIVE", "take the medium out"},
    {"quit", quit, 0, 0, "|q", "end the device model"},
    {"screendump", screendump, 1, 3, " FILE [-f FORMAT]", "the guest's screen as a picture"},
    {"sendkey", sendkey, 1, 2, " KEY-KEY... [MS]", "press keys together"},
    {"set_link", set_link, 2, 2, " NAME on|off", "plug in or pull a network card's cable"},
    {"stop", stop, 0, 0, "|s", "stop the guest"},
    {"system_powerdown", powerdown, 0, 0, "", "press the power button"},
    {"system_reset", reset, 0, 0, "", "reset the machine"},
    {"system_wakeup", wakeup, 0, 0, "", "wake the guest from S3"},
    {NULL, NULL, 0, 0, NULL, NULL},
};

static const struct hmp_command *find(const struct hmp_command *table, const char *name)
{
    static const char *const shorter[][2] = {
        {"?", "help"}, {"c", "cont"}, {"q", "quit"}, {"s", "stop"}};

    if (table == commands)
        for (size_t i = 0; i < sizeof(shorter) / sizeof(shorter[0]); i++)
            if (strcmp(name, shorter[i][0]) == 0)
                name = shorter[i][1];
    for (; table->name; table++)
        if (strcmp(table->name, name) == 0)
            return table;
    return NULL;
}

static void show_help(struct hmp *hmp, const char *prefix, const struct hmp_command *command)
{
    sprintbuf(hmp->out, "%s%s%s -- %s" EOL, prefix, command->name, command->arguments,
              command->help);
}

static void help(struct hmp *hmp)
{
    for (const struct hmp_command *command = commands; command->name; command++)
        if (!hmp->word[1] || find(commands, hmp->word[1]) == command)
            show_help(hmp, "", command);
}

static void info(struct hmp *hmp)
{
    const struct hmp_command *what = hmp->word[1] ? find(info_commands, hmp->word[1]) : NULL;

    if (what && hmp->words - 2 <= what->max) {
        what->run(hmp);
    } else if (hmp->word[1]) {
        sprintbuf(hmp->out, "unknown command: 'info %s'" EOL, hmp->word[1]);
    } else {
        for (what = info_commands; what->name; what++)
            show_help(hmp, "info ", what);
    }
}

/* ---- one line ---------------------------------------------------------------------------------
 */

/* Words are separated by blanks; a part in double quotes belongs together, \ takes the next as is.
 */
static bool split(struct hmp *hmp, char *line)
{
    char *to = line;
    bool quoted = false, inside = false;

    for (char *from = line; *from; from++) {
        if ((*from == ' ' || *from == '\t') && !quoted) {
            if (inside)
                *to++ = '\0';
            inside = false;
            continue;
        }
        if (!inside) {
            if (hmp->words == WORDS_MAX)
                return false;
            hmp->word[hmp->words++] = to;
            inside = true;
        }
        if (*from == '"') {
            quoted = !quoted;
            continue;
        }
        if (*from == '\\' && from[1])
            from++;
        *to++ = *from;
    }
    *to = '\0';
    return !quoted;
}

static void run(struct hmp *hmp, const char *line)
{
    const struct hmp_command *command;

    if (hmp->words == 0)
        return;
    command = find(commands, hmp->word[0]);
    if (!command)
        sprintbuf(hmp->out, "unknown command: '%s'" EOL, line);
    else if (hmp->words - 1 < command->min || hmp->words - 1 > command->max)
        sprintbuf(hmp->out, "usage: %s%s" EOL, command->name, command->arguments);
    else
        command->run(hmp);
}

struct json_object *qmp_hmp_run(struct qmp_call *call, const char *line)
{
    struct hmp hmp = {.call = call, .out = printbuf_new()};
    char *copy = strdup(line);
    struct json_object *value = NULL;

    if (!hmp.out || !copy) {
        qmp_error(call, QMP_GENERIC_ERROR, "out of memory");
    } else {
        if (split(&hmp, copy))
            run(&hmp, line);
        else
            sprintbuf(hmp.out, "the line has an open quote or too many words" EOL);
        if (call->failed)
            sprintbuf(hmp.out, "Error: %s" EOL, call->error.text);
        call->failed = false;
        if (!call->late)
            value = qmp_text(hmp.out->buf);
    }
    if (copy) {
        explicit_bzero(copy, strlen(line)); /* "change vnc password" */
        free(copy);
    }
    if (hmp.out)
        printbuf_free(hmp.out);
    return value;
}
