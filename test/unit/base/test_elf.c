/* SPDX-License-Identifier: MIT */
// sources: lib/base/elf.c
/* Claim: the executable reader accepts a good file and hands out its segments as they are, and
 * gives the right error for every way in which a header can lie; what it accepts keeps the promises
 * that a loader relies on, whatever bytes were changed. Fails if a check is missing, if a sum
 * wraps, or if two segments may share a page. */
#include "test/unit/base/support.h"

#include <elf.h>

#include "lib/base/elf.h"

#define LOW  0x1000ul
#define HIGH 0x4000000000ul

static const struct elf_limits limits = {{LOW}, {HIGH}};

/* A file of three segments and something that is none; no padding in it. */
struct image {
    Elf64_Ehdr header;
    Elf64_Phdr program[4];
    u8 text[200], data[104];
};

_Static_assert(sizeof(struct image) == 64 + 4 * 56 + 200 + 104, "it ends with its data");

enum { TEXT, DATA, ZEROS, STACK };

static struct image good(void)
{
    struct image i = {
        .header = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
                   .e_type = ET_EXEC,
                   .e_machine = EM_RISCV,
                   .e_version = EV_CURRENT,
                   .e_entry = 0x10000 + offsetof(struct image, text) + 4,
                   .e_phoff = offsetof(struct image, program),
                   .e_flags = 5,
                   .e_ehsize = sizeof(Elf64_Ehdr),
                   .e_phentsize = sizeof(Elf64_Phdr),
                   .e_phnum = 4},
        .program = {[TEXT] = {.p_type = PT_LOAD,
                              .p_flags = PF_R | PF_X,
                              .p_offset = 0,
                              .p_vaddr = 0x10000,
                              .p_filesz = offsetof(struct image, data),
                              .p_memsz = offsetof(struct image, data),
                              .p_align = 0x1000},
                    [DATA] = {.p_type = PT_LOAD,
                              .p_flags = PF_R | PF_W,
                              .p_offset = offsetof(struct image, data),
                              .p_vaddr = 0x11000 + offsetof(struct image, data),
                              .p_filesz = 104,
                              .p_memsz = 0x3000,
                              .p_align = 0x1000},
                    [ZEROS] = {.p_type = PT_LOAD,
                               .p_flags = PF_R | PF_W,
                               .p_vaddr = 0x20000,
                               .p_memsz = 0x1000,
                               .p_align = 1},
                    [STACK] = {.p_type = PT_GNU_STACK, .p_flags = PF_R | PF_W | PF_X}},
    };

    for (size_t k = 0; k < sizeof i.text; k++)
        i.text[k] = (u8)k;
    memset(i.data, 0xda, sizeof i.data);
    return i;
}

static enum elf_error open_image(const struct image *image)
{
    struct bytes file = bytes_copy(image, sizeof *image);
    struct elf elf;
    enum elf_error error = elf_open(&elf, file.data, file.size, limits);

    assert_true(strcmp(elf_error_text(error), "unknown error") != 0);
    free(file.data);
    return error;
}

static void good_file_gives_its_segments(void **state)
{
    (void)state;
    struct image image = good();
    struct bytes file = bytes_copy(&image, sizeof image);
    struct elf_segment s;
    struct elf elf;
    u32 position = 0;

    assert_int_equal(elf_open(&elf, file.data, file.size, limits), ELF_OK);
    assert_int_equal(elf.entry.addr, image.header.e_entry);
    assert_int_equal(elf.flags, 5);
    for (u32 i = 0; i < 3; i++) {
        const Elf64_Phdr *p = &image.program[i];

        assert_true(elf_next_segment(&elf, &position, &s));
        assert_int_equal(s.address.addr, p->p_vaddr);
        assert_int_equal(s.offset, p->p_offset);
        assert_ptr_equal(s.data, file.data + p->p_offset);
        assert_int_equal(s.file_bytes, p->p_filesz);
        assert_int_equal(s.memory_bytes, p->p_memsz);
        assert_true(s.readable && s.writable == (i != TEXT) && s.executable == (i == TEXT));
    }
    assert_false(elf_next_segment(&elf, &position, &s));
    assert_false(elf_next_segment(&elf, &position, &s));
    free(file.data);
}

/* One change to a good file, and what it gives. */
#define CHECK(change, expected)                     \
    do {                                            \
        struct image i = good();                    \
        Elf64_Phdr *const p = i.program;            \
        (void)p;                                    \
        change;                                     \
        assert_int_equal(open_image(&i), expected); \
    } while (0)

static void headers_that_lie_give_their_error(void **state)
{
    (void)state;

    CHECK(i.header.e_ident[0] = 0, ELF_NOT_ELF);
    CHECK(i.header.e_ident[3] = 'f', ELF_NOT_ELF);
    CHECK(i.header.e_ident[EI_CLASS] = ELFCLASS32, ELF_WRONG_CLASS);
    CHECK(i.header.e_ident[EI_DATA] = ELFDATA2MSB, ELF_WRONG_CLASS);
    CHECK(i.header.e_ident[EI_VERSION] = 0, ELF_WRONG_CLASS);
    CHECK(i.header.e_machine = EM_X86_64, ELF_WRONG_MACHINE);
    CHECK(i.header.e_type = ET_DYN, ELF_NOT_EXECUTABLE);
    CHECK(i.header.e_type = ET_REL, ELF_NOT_EXECUTABLE);
    CHECK(i.header.e_phentsize = 32, ELF_BAD_HEADERS);
    CHECK(i.header.e_phnum = ELF_MAX_HEADERS + 1, ELF_BAD_HEADERS);
    CHECK(i.header.e_phnum = 0xffff, ELF_BAD_HEADERS);
    CHECK(i.header.e_phnum = 0, ELF_NO_SEGMENTS);
    CHECK(i.header.e_phoff = sizeof i - 4 * sizeof(Elf64_Phdr) + 1, ELF_TRUNCATED);
    CHECK(i.header.e_phoff = ~0ul - 8, ELF_TRUNCATED);
    CHECK(i.header.e_entry = 0x10000 + p[TEXT].p_filesz, ELF_BAD_ENTRY);
    CHECK(i.header.e_entry = 0x10000 + p[TEXT].p_filesz - 2, ELF_OK);
    CHECK((p[TEXT].p_filesz--, i.header.e_entry = 0x10000 + p[TEXT].p_filesz - 1),
          ELF_BAD_ENTRY); /* half an instruction */
    CHECK(i.header.e_entry = 0xfffe, ELF_BAD_ENTRY);
    CHECK(i.header.e_entry++, ELF_BAD_ENTRY);
    CHECK(i.header.e_entry = p[DATA].p_vaddr, ELF_BAD_ENTRY);
    CHECK(i.header.e_entry = ~0ul, ELF_BAD_ENTRY);
}

static void segments_that_lie_give_their_error(void **state)
{
    (void)state;

    CHECK(p[STACK].p_type = PT_INTERP, ELF_DYNAMIC);
    CHECK(p[STACK].p_type = PT_DYNAMIC, ELF_DYNAMIC);
    CHECK(p[DATA].p_memsz = 103, ELF_BAD_SIZE);
    CHECK(p[ZEROS].p_filesz = 0x1001, ELF_BAD_SIZE);
    CHECK(p[DATA].p_filesz = 105, ELF_TRUNCATED);
    CHECK(p[DATA].p_offset = ~0ul - 50, ELF_TRUNCATED);
    CHECK((p[ZEROS].p_offset = sizeof i, p[ZEROS].p_vaddr += sizeof i), ELF_OK);
    CHECK(p[ZEROS].p_offset = sizeof i + 0x1000, ELF_TRUNCATED);
    CHECK(p[DATA].p_vaddr++, ELF_MISALIGNED);
    CHECK(p[DATA].p_align = 0x1800, ELF_MISALIGNED);
    CHECK(p[DATA].p_align = 0x200000, ELF_MISALIGNED);
    CHECK(p[DATA].p_align = 16, ELF_OK);
    CHECK(p[DATA].p_align = 0, ELF_OK);
    CHECK(p[TEXT].p_vaddr = 0, ELF_OUT_OF_RANGE);
    CHECK(p[ZEROS].p_memsz = HIGH - 0x20000, ELF_OK);
    CHECK(p[ZEROS].p_memsz = HIGH - 0x20000 + 1, ELF_OUT_OF_RANGE);
    CHECK(p[ZEROS].p_memsz = ~0ul, ELF_OUT_OF_RANGE);
    CHECK(p[ZEROS].p_vaddr = HIGH, ELF_OUT_OF_RANGE);
    CHECK(p[ZEROS].p_vaddr = ~0ul << 12, ELF_OUT_OF_RANGE);
    CHECK(p[TEXT].p_flags |= PF_W, ELF_WRITE_EXEC);
    CHECK(p[ZEROS].p_flags |= PF_X, ELF_WRITE_EXEC);
    CHECK(p[TEXT].p_flags = PF_R, ELF_BAD_ENTRY);
    CHECK(p[DATA].p_vaddr -= 0x1000, ELF_OVERLAP); /* no byte in common, but the page */
    CHECK(p[DATA].p_memsz = 0xf000, ELF_OVERLAP);  /* one page into the zeros */
    CHECK(p[ZEROS].p_vaddr = 0x8000, ELF_OVERLAP); /* apart, but out of order */
    CHECK(p[ZEROS].p_memsz = 0, ELF_OK);
    CHECK((p[ZEROS].p_memsz = 0, p[ZEROS].p_vaddr = 0), ELF_OK); /* takes no memory: no matter */
    CHECK((p[0].p_type = p[1].p_type = p[2].p_type = PT_NULL), ELF_NO_SEGMENTS);
}

static void files_truncated_anywhere_are_refused(void **state)
{
    (void)state;
    struct image image = good();

    for (size_t size = 0; size < sizeof image; size++) {
        struct bytes file = bytes_copy(&image, size);
        struct elf elf;

        assert_int_equal(elf_open(&elf, file.data, size, limits),
                         size < 4 ? ELF_NOT_ELF : ELF_TRUNCATED);
        free(file.data);
    }
}

/* What a loader relies on. */
static void check_promises(const struct elf *elf, const struct bytes *file)
{
    struct elf_segment s;
    u64 free_page = 0;
    bool entry = false;

    for (u32 position = 0; elf_next_segment(elf, &position, &s);) {
        u64 start = s.address.addr, end = start + s.memory_bytes;

        assert_true(s.file_bytes <= s.memory_bytes && s.memory_bytes > 0);
        assert_true(start >= LOW && start < end && end <= HIGH);
        assert_true(align_down(start, PAGE_SIZE) >= free_page);
        assert_true(((start ^ s.offset) & PAGE_MASK) == 0);
        assert_false(s.writable && s.executable);
        assert_true(s.offset + s.file_bytes >= s.offset && s.offset + s.file_bytes <= file->size);
        for (u64 i = 0; i < s.file_bytes; i++) /* under the sanitizer's eye */
            free_page += 0 * ((const volatile u8 *)s.data)[i];
        entry |=
            s.executable && elf->entry.addr >= start && elf->entry.addr + 2 <= start + s.file_bytes;
        free_page = align_up(end, PAGE_SIZE);
    }
    assert_true(entry && free_page);
}

static void corrupted_files_are_refused_or_keep_the_promises(void **state)
{
    (void)state;
    struct random random = seeded("corrupted executables");
    struct image image = good();
    size_t headers = offsetof(struct image, text);
    unsigned accepted = 0;

    for (unsigned i = 0; i < 20000; i++) {
        struct bytes file = bytes_copy(&image, sizeof image);
        struct elf elf;

        for (u64 flips = 1 + random_below(&random, 3); flips; flips--) {
            u8 *byte = &file.data[random_below(&random, headers)];

            *byte = random_below(&random, 2) ? (u8)random_next(&random)
                                             : (u8)(*byte ^ 1u << random_below(&random, 8));
        }
        if (elf_open(&elf, file.data, file.size, limits) == ELF_OK) {
            accepted++;
            check_promises(&elf, &file);
        }
        free(file.data);
    }
    printf("# %u of 20000 accepted\n", accepted);
    assert_true(accepted > 500 && accepted < 15000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_file_gives_its_segments),
        cmocka_unit_test(headers_that_lie_give_their_error),
        cmocka_unit_test(segments_that_lie_give_their_error),
        cmocka_unit_test(files_truncated_anywhere_are_refused),
        cmocka_unit_test(corrupted_files_are_refused_or_keep_the_promises),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
