/* SPDX-License-Identifier: MIT */
/* elf.c: the executable reader; elf.h has the contract.
 *
 * Fields are read by bytes at offsets of the specification rather than through a struct laid over
 * the file: a file in the bundle need not be aligned, and the offsets are all that is needed. */
#include "lib/base/elf.h"

#include "lib/base/bits.h"
#include "lib/base/string.h"

/* The file header, 64 bytes: offsets of what we look at. */
#define HEADER_BYTES     64
#define HEADER_CLASS     4 /* u8: 2 = 64 bits */
#define HEADER_ENCODING  5 /* u8: 1 = little endian */
#define HEADER_IDENT     6 /* u8: version, 1 */
#define HEADER_TYPE      16
#define HEADER_MACHINE   18
#define HEADER_ENTRY     24
#define HEADER_PHOFF     32
#define HEADER_FLAGS     48
#define HEADER_PHENTSIZE 54
#define HEADER_PHNUM     56
#define TYPE_EXECUTABLE  2
#define MACHINE_RISCV    243

/* A program header, 56 bytes. */
#define PROGRAM_BYTES    56
#define PROGRAM_TYPE     0
#define PROGRAM_FLAGS    4
#define PROGRAM_OFFSET   8
#define PROGRAM_VADDR    16
#define PROGRAM_FILESZ   32
#define PROGRAM_MEMSZ    40
#define PROGRAM_ALIGN    48
#define TYPE_LOAD        1
#define TYPE_DYNAMIC     2
#define TYPE_INTERPRETER 3
#define FLAG_EXECUTE     1
#define FLAG_WRITE       2
#define FLAG_READ        4

static const u8 *program_header(const struct elf *elf, u32 index)
{
    return elf->file + elf->headers + (u64)index * PROGRAM_BYTES;
}

static enum elf_error check_header(struct elf *elf, const u8 *file, u64 size_bytes)
{
    if (size_bytes < 4 || memcmp(file, "\177ELF", 4) != 0)
        return ELF_NOT_ELF;
    if (size_bytes < HEADER_BYTES)
        return ELF_TRUNCATED;
    if (file[HEADER_CLASS] != 2 || file[HEADER_ENCODING] != 1 || file[HEADER_IDENT] != 1)
        return ELF_WRONG_CLASS;
    if (load_le16(file + HEADER_MACHINE) != MACHINE_RISCV)
        return ELF_WRONG_MACHINE;
    if (load_le16(file + HEADER_TYPE) != TYPE_EXECUTABLE)
        return ELF_NOT_EXECUTABLE;

    *elf = (struct elf){
        .file = file,
        .headers = load_le64(file + HEADER_PHOFF),
        .header_count = load_le16(file + HEADER_PHNUM),
        .flags = load_le32(file + HEADER_FLAGS),
        .entry = vaddr(load_le64(file + HEADER_ENTRY)),
    };
    if (elf->header_count == 0)
        return ELF_NO_SEGMENTS;
    if (load_le16(file + HEADER_PHENTSIZE) != PROGRAM_BYTES || elf->header_count > ELF_MAX_HEADERS)
        return ELF_BAD_HEADERS;
    if (!range_inside(elf->headers, (u64)elf->header_count * PROGRAM_BYTES, 0, size_bytes))
        return ELF_TRUNCATED;
    return ELF_OK;
}

static bool takes_memory(const u8 *header)
{
    return load_le32(header + PROGRAM_TYPE) == TYPE_LOAD && load_le64(header + PROGRAM_MEMSZ) > 0;
}

static struct elf_segment segment_of(const struct elf *elf, const u8 *header)
{
    u32 flags = load_le32(header + PROGRAM_FLAGS);
    u64 offset = load_le64(header + PROGRAM_OFFSET);

    return (struct elf_segment){
        .address = vaddr(load_le64(header + PROGRAM_VADDR)),
        .offset = offset,
        .data = (const void *)((uintptr_t)elf->file + offset), /* not checked yet, perhaps */
        .file_bytes = load_le64(header + PROGRAM_FILESZ),
        .memory_bytes = load_le64(header + PROGRAM_MEMSZ),
        .readable = flags & FLAG_READ,
        .writable = flags & FLAG_WRITE,
        .executable = flags & FLAG_EXECUTE,
    };
}

/* Does the segment agree with the file, with the limits, and with those before it? `*free` is the
 * end of the last page that one of them has. */
static enum elf_error check_segment(const struct elf_segment *s, u64 align, u64 size_bytes,
                                    struct elf_limits limits, u64 *free)
{
    u64 address = s->address.addr;

    if (s->file_bytes > s->memory_bytes)
        return ELF_BAD_SIZE;
    if (!range_inside(s->offset, s->file_bytes, 0, size_bytes))
        return ELF_TRUNCATED;
    align = MAX(align, PAGE_SIZE); /* 0 and 1 mean that any will do, but pages are what we map */
    if (!is_power_of_two(align) || !is_aligned(address - s->offset, align))
        return ELF_MISALIGNED;
    if (!range_inside(address, s->memory_bytes, limits.low.addr,
                      limits.high.addr - limits.low.addr))
        return ELF_OUT_OF_RANGE;
    if (s->writable && s->executable)
        return ELF_WRITE_EXEC;
    if (address < *free)
        return ELF_OVERLAP;
    *free = align_up(address + s->memory_bytes, PAGE_SIZE);
    return ELF_OK;
}

enum elf_error elf_open(struct elf *elf, const void *file, u64 size_bytes, struct elf_limits limits)
{
    enum elf_error error;
    bool entry_found = false;
    u64 free = 0;

    *elf = (struct elf){0};
    error = check_header(elf, file, size_bytes);
    for (u32 i = 0; i < elf->header_count && !error; i++) {
        const u8 *header = program_header(elf, i);
        u32 type = load_le32(header + PROGRAM_TYPE);

        if (type == TYPE_DYNAMIC || type == TYPE_INTERPRETER)
            return ELF_DYNAMIC;
        if (!takes_memory(header))
            continue;
        struct elf_segment s = segment_of(elf, header);
        error = check_segment(&s, load_le64(header + PROGRAM_ALIGN), size_bytes, limits, &free);
        entry_found |=
            s.executable && range_inside(elf->entry.addr, 2, s.address.addr, s.file_bytes);
    }
    if (error)
        return error;
    if (free == 0)
        return ELF_NO_SEGMENTS;
    return entry_found && is_aligned(elf->entry.addr, 2) ? ELF_OK : ELF_BAD_ENTRY;
}

bool elf_next_segment(const struct elf *elf, u32 *position, struct elf_segment *segment)
{
    while (*position < elf->header_count) {
        const u8 *header = program_header(elf, (*position)++);

        if (takes_memory(header)) {
            *segment = segment_of(elf, header);
            return true;
        }
    }
    return false;
}

const char *elf_error_text(enum elf_error error)
{
    static const char *const texts[] = {
        [ELF_OK] = "good",
        [ELF_NOT_ELF] = "not an ELF file",
        [ELF_WRONG_CLASS] = "not 64 bits, little endian",
        [ELF_WRONG_MACHINE] = "not for RISC-V",
        [ELF_NOT_EXECUTABLE] = "not an executable at fixed addresses",
        [ELF_TRUNCATED] = "truncated",
        [ELF_BAD_HEADERS] = "bad program headers",
        [ELF_DYNAMIC] = "dynamically linked",
        [ELF_BAD_SIZE] = "a segment is larger in the file than in memory",
        [ELF_MISALIGNED] = "a segment is misaligned",
        [ELF_OUT_OF_RANGE] = "a segment is out of range",
        [ELF_WRITE_EXEC] = "a segment is writable and executable",
        [ELF_OVERLAP] = "segments overlap or are out of order",
        [ELF_NO_SEGMENTS] = "nothing to load",
        [ELF_BAD_ENTRY] = "bad entry point",
    };

    return (size_t)error < ARRAY_SIZE(texts) ? texts[error] : "unknown error";
}
