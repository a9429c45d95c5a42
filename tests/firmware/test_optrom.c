/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Option ROMs: images made here, byte by byte wrong; and the files of Debian where they are. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "firmware/optrom.h"
#include "tests/harness/tap.h"

#define VENDOR 0x10ec
#define DEVICE 0x8139
#define PCIR   0x40

static char folder[] = P_tmpdir "/optrom-XXXXXX";
static char why[160];

/* An image of `blocks` * 512 bytes with a right checksum. */
static void make_image(uint8_t *data, unsigned blocks, uint8_t code_type, bool last)
{
    uint8_t sum = 0;

    memset(data, 0, blocks * 512u);
    data[0] = 0x55;
    data[1] = 0xaa;
    data[2] = (uint8_t)blocks;
    data[0x18] = PCIR;
    memcpy(data + PCIR, "PCIR", 4);
    data[PCIR + 4] = VENDOR & 0xff;
    data[PCIR + 5] = VENDOR >> 8;
    data[PCIR + 6] = DEVICE & 0xff;
    data[PCIR + 7] = DEVICE >> 8;
    data[PCIR + 0x0a] = 0x18;
    data[PCIR + 0x10] = (uint8_t)blocks;
    data[PCIR + 0x14] = code_type;
    data[PCIR + 0x15] = last ? 0x80 : 0;
    for (unsigned i = 0; i < blocks * 512u; i++)
        sum = (uint8_t)(sum + data[i]);
    data[blocks * 512u - 1] = (uint8_t)-sum;
}

static int check(const uint8_t *data, size_t size)
{
    int fd = memfd_create("rom", MFD_CLOEXEC);
    int rc;

    assert_int_equal(write(fd, data, size), size);
    why[0] = '\0';
    rc = optrom_check(fd, size, VENDOR, DEVICE, why, sizeof(why));
    close(fd);
    return rc;
}

static void test_a_file_that_shrinks_is_refused(void **state)
{
    uint8_t data[8192];
    int fd = memfd_create("rom", MFD_CLOEXEC);

    make_image(data, sizeof(data) / 512, 0, true);
    assert_int_equal(write(fd, data, sizeof(data)), sizeof(data));
    for (off_t size = sizeof(data); size > 0; size -= 512) {
        assert_int_equal(ftruncate(fd, size), 0);
        assert_int_equal(optrom_check(fd, sizeof(data), VENDOR, DEVICE, why, sizeof(why)),
                         size == sizeof(data) ? 0 : -EINVAL);
    }
    assert_string_equal(why, "the image at 0x0 cannot be read");
    close(fd);
}

static void test_good_image(void **state)
{
    uint8_t data[2048];

    make_image(data, 4, 0, true);
    assert_int_equal(check(data, sizeof(data)), 0);
}

static void test_chain_of_images(void **state)
{
    uint8_t data[3072];

    make_image(data, 2, 3, false); /* EFI, which has no checksum */
    data[0x100] ^= 0xff;
    make_image(data + 1024, 4, 0, true);
    assert_int_equal(check(data, sizeof(data)), 0);
    data[1024 + 0x100] ^= 0xff;
    assert_int_equal(check(data, sizeof(data)), -EINVAL);
    assert_non_null(strstr(why, "0x400 has a wrong checksum"));
}

/* One fault each, and the word that the message must have for it. */
static void test_faults_are_named(void **state)
{
    static const struct {
        unsigned at;
        uint8_t value;
        const char *word;
    } faults[] = {
        {0, 0x54, "55 AA"},
        {1, 0xab, "55 AA"},
        {2, 0, "no code"},
        {2, 5, "more code"},
        {0x18, 0x10, "outside"},
        {0x19, 0xff, "outside"},
        {PCIR, 'Q', "no PCI data structure"},
        {PCIR + 4, 0, "10ec:8139"},
        {PCIR + 7, 0, "10ec:0039"},
        {PCIR + 0x0a, 0x17, "too short"},
        {PCIR + 0x10, 0, "no length"},
        {PCIR + 0x10, 5, "longer than the file"},
        {PCIR + 0x14, 3, "no image has PC-AT code"},
        {PCIR + 0x15, 0, "none is marked"},
        {0x200, 1, "checksum"},
    };
    uint8_t data[2048];

    for (unsigned i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        make_image(data, 4, 0, true);
        data[faults[i].at] = faults[i].value;
        /* Faults other than in the sum itself have a right one. */
        if (strcmp(faults[i].word, "checksum") != 0) {
            uint8_t sum = 0;
            for (unsigned n = 0; n < 2048; n++)
                sum = (uint8_t)(sum + data[n]);
            data[2047] = (uint8_t)(data[2047] - sum);
        }
        assert_int_equal(check(data, sizeof(data)), -EINVAL);
        if (!strstr(why, faults[i].word))
            fail_msg("%u: \"%s\" does not say \"%s\"", i, why, faults[i].word);
    }
}

static void test_truncated_at_every_length(void **state)
{
    uint8_t data[2048];

    make_image(data, 4, 0, true);
    for (size_t size = 0; size < sizeof(data); size++) {
        uint8_t *exact = malloc(size ? size : 1); /* so that a read beyond is seen */

        assert_non_null(exact);
        memcpy(exact, data, size);
        assert_int_equal(check(exact, size), -EINVAL);
        assert_true(strlen(why) > 0);
        free(exact);
    }
}

/* An image whose data structure lies behind its own end would make the chain overlap itself. */
static void test_data_structure_behind_the_image(void **state)
{
    uint8_t data[2048];

    make_image(data, 4, 0, true);
    memmove(data + 0x300, data + PCIR, 0x18);
    data[0x18] = 0x00;
    data[0x19] = 0x03;
    data[0x300 + 0x10] = 1;
    assert_int_equal(check(data, sizeof(data)), -EINVAL);
    assert_non_null(strstr(why, "shorter than its own header"));
}

/* ---- files ----------------------------------------------------------------------------------- */

static FILE *capture;
static int saved_stderr;

static void capture_begin(void)
{
    capture = tmpfile();
    assert_non_null(capture);
    saved_stderr = dup(2);
    dup2(fileno(capture), 2);
}

static char *capture_end(void)
{
    static char text[4096];

    dup2(saved_stderr, 2);
    close(saved_stderr);
    rewind(capture);
    text[fread(text, 1, sizeof(text) - 1, capture)] = '\0';
    fclose(capture);
    return text;
}

static void write_file(const char *name, const void *data, size_t size)
{
    char path[PATH_MAX];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    fclose(file);
}

static int load(struct optrom *rom, const char *first, const char *second, uint32_t max_size,
                char **message)
{
    const char *const folders[] = {"/nonexistent", folder};
    const char *const names[] = {first, second};
    struct optrom_query query = {folders, 2, names, second ? 2 : 1, VENDOR, DEVICE, max_size};

    capture_begin();
    int rc = optrom_load(rom, &query);
    *message = capture_end();
    return rc;
}

static unsigned lines(const char *text)
{
    unsigned n = 0;

    for (; *text; text++)
        n += *text == '\n';
    return n;
}

static int files_setup(void **state)
{
    uint8_t data[4096];

    if (!mkdtemp(folder))
        return -1;
    make_image(data, 5, 0, true);
    write_file("good.rom", data, 5 * 512);
    data[0] = 0;
    write_file("bad.rom", data, 5 * 512);
    write_file("empty.rom", data, 0);
    return 0;
}

static int files_teardown(void **state)
{
    static const char *const names[] = {"good.rom", "bad.rom", "empty.rom"};
    char path[PATH_MAX];

    for (unsigned i = 0; i < 3; i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        unlink(path);
    }
    return rmdir(folder);
}

static void test_load_leaves_the_file_open(void **state)
{
    struct optrom rom;
    uint8_t begin[2];
    char *message;
    int fd;

    assert_int_equal(load(&rom, "good.rom", NULL, 65536, &message), 0);
    assert_int_equal(rom.size, 4096);
    assert_int_equal(rom.file_size, 2560);
    assert_int_equal(pread(rom.fd, begin, sizeof(begin), 0), sizeof(begin));
    assert_memory_equal(begin, "\x55\xaa", sizeof(begin));
    assert_string_equal(message, "");
    fd = rom.fd;
    optrom_free(&rom);
    assert_int_equal(rom.size, 0);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    /* Once more, which must not close a descriptor that is somebody else's. */
    assert_int_equal(dup2(STDOUT_FILENO, fd), fd);
    optrom_free(&rom);
    assert_true(fcntl(fd, F_GETFD) >= 0);
    close(fd);
}

static void test_second_name_is_taken_when_the_first_is_missing(void **state)
{
    struct optrom rom;
    char *message;

    assert_int_equal(load(&rom, "none.rom", "good.rom", 65536, &message), 0);
    optrom_free(&rom);
}

static void test_path_instead_of_name(void **state)
{
    char path[PATH_MAX];
    struct optrom rom;
    char *message;

    snprintf(path, sizeof(path), "%s/good.rom", folder);
    assert_int_equal(load(&rom, path, NULL, 65536, &message), 0);
    optrom_free(&rom);
    assert_int_equal(load(&rom, "./good.rom", NULL, 65536, &message), -ENOENT);
}

/* One line, with the file and the reason. */
static void check_message(const char *message, const char *file, const char *reason)
{
    assert_int_equal(lines(message), 1);
    if (!strstr(message, file) || !strstr(message, reason))
        fail_msg("\"%s\" lacks \"%s\" or \"%s\"", message, file, reason);
}

static void test_failures_are_one_message(void **state)
{
    struct optrom rom;
    char *message;

    assert_int_equal(load(&rom, "none.rom", NULL, 65536, &message), -ENOENT);
    check_message(message, "none.rom", "/nonexistent");
    check_message(message, "none.rom", folder);
    assert_int_equal(load(&rom, "bad.rom", "good.rom", 65536, &message), -EINVAL);
    check_message(message, "bad.rom", "55 AA");
    assert_int_equal(load(&rom, "empty.rom", NULL, 65536, &message), -EINVAL);
    check_message(message, "empty.rom", "cut off");
    assert_int_equal(load(&rom, "good.rom", NULL, 2048, &message), -EFBIG);
    check_message(message, "good.rom", "2560 bytes");
    assert_int_equal(load(&rom, folder, NULL, 65536, &message), -EINVAL);
    check_message(message, folder, "regular file");
    assert_int_equal(rom.size, 0);
}

struct debian_rom {
    const char *const *names;
    unsigned count;
    uint16_t vendor, device;
    uint32_t max_size, size;
};

static void test_roms_of_debian(void **state)
{
    const struct debian_rom roms[] = {
        {optrom_std_vga, 1, 0x1234, 0x1111, 65536, 65536},
        {optrom_cirrus, 1, 0x1013, 0x00b8, 65536, 65536},
        {optrom_rtl8139, 2, 0x10ec, 0x8139, 262144, 262144},
    };

    if (access("/usr/share/seabios/vgabios-stdvga.bin", R_OK) ||
        access("/usr/lib/ipxe/qemu/efi-rtl8139.rom", R_OK))
        skip(); /* the packages seabios and ipxe-qemu are not installed */
    for (unsigned i = 0; i < 3; i++) {
        struct optrom_query query = {.names = roms[i].names,
                                     .name_count = roms[i].count,
                                     .vendor = roms[i].vendor,
                                     .device = roms[i].device,
                                     .max_size = roms[i].max_size};
        struct optrom rom;

        assert_int_equal(optrom_load(&rom, &query), 0);
        assert_int_equal(rom.size, roms[i].size);
        optrom_free(&rom);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_image),
        cmocka_unit_test(test_a_file_that_shrinks_is_refused),
        cmocka_unit_test(test_chain_of_images),
        cmocka_unit_test(test_faults_are_named),
        cmocka_unit_test(test_truncated_at_every_length),
        cmocka_unit_test(test_data_structure_behind_the_image),
        cmocka_unit_test(test_load_leaves_the_file_open),
        cmocka_unit_test(test_second_name_is_taken_when_the_first_is_missing),
        cmocka_unit_test(test_path_instead_of_name),
        cmocka_unit_test(test_failures_are_one_message),
        cmocka_unit_test(test_roms_of_debian),
    };

    return cmocka_run_group_tests_name("optrom", tests, files_setup, files_teardown);
}
