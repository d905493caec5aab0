/* SPDX-License-Identifier: MIT */
/* elf.h: a reader of executable files that refuses whatever a loader could stumble over.
 *
 * The kernel loads init with it, and init loads every other program. Both get their files from
 * somewhere else, so elf_open checks all that a loader relies on before the first page is mapped:
 * what it then hands out needs no further check. Nothing outside [file, file + size) is read, all
 * loops are bounded, nothing is written.
 *
 * Accepted: ELF64, little endian, RISC-V, statically linked at fixed addresses (ET_EXEC), at most
 * ELF_MAX_HEADERS program headers. Not read: sections, symbols, dynamic linking, notes.
 * Sources: System V ABI, "Object Files"; RISC-V ELF psABI specification. */
#ifndef LIB_BASE_ELF_H
#define LIB_BASE_ELF_H

#include "lib/base/types.h"

#define ELF_MAX_HEADERS 32

enum elf_error {
    ELF_OK,
    ELF_NOT_ELF,        /* does not begin with the magic number */
    ELF_WRONG_CLASS,    /* not 64 bits, little endian, version 1 */
    ELF_WRONG_MACHINE,  /* not RISC-V */
    ELF_NOT_EXECUTABLE, /* an object file, shared library or position-independent program */
    ELF_TRUNCATED,      /* the header, the table or a segment's bytes lie outside the file */
    ELF_BAD_HEADERS,    /* program headers of another size, or too many */
    ELF_DYNAMIC,        /* asks for an interpreter or has a dynamic section */
    ELF_BAD_SIZE,       /* a segment has more bytes in the file than in memory */
    ELF_MISALIGNED,     /* p_align is no power of two, or the address and the file offset differ
                           * by no multiple of it, or of a page */
    ELF_OUT_OF_RANGE,   /* a segment reaches out of the range given */
    ELF_WRITE_EXEC,     /* a segment is writable and executable */
    ELF_OVERLAP,        /* two segments share a page, or are not in ascending order */
    ELF_NO_SEGMENTS,    /* nothing to load */
    ELF_BAD_ENTRY, /* the entry point is odd, or not in the file bytes of an executable segment */
};

/* Where an executable may lie: segments must be inside [low, high). Both are page aligned. */
struct elf_limits {
    vaddr_t low, high;
};

/* A PT_LOAD segment. Bytes behind file_bytes up to memory_bytes are zeros. */
struct elf_segment {
    vaddr_t address;  /* need not be page aligned, */
    u64 offset;       /* but its place in the file lies at the same offset within a page */
    const void *data; /* file_bytes bytes at `offset` */
    u64 file_bytes;
    u64 memory_bytes; /* >= file_bytes, > 0 */
    bool readable, writable, executable;
};

/* An executable that was found good. */
struct elf {
    const u8 *file;
    u64 headers; /* file offset of the program headers */
    u32 header_count;
    u32 flags; /* e_flags: bit 0 compressed instructions, bits 1-2 the floating-point ABI */
    vaddr_t entry;
};

/* Check an executable and fill *elf; on an error it is not to be used. What is checked for each
 * segment is listed at elf_error; segments do not share pages, so each page has one permission. */
enum elf_error elf_open(struct elf *elf, const void *file, u64 size_bytes,
                        struct elf_limits limits);

/* Segments in ascending order of address: start with *position = 0; false after the last. */
bool elf_next_segment(const struct elf *elf, u32 *position, struct elf_segment *segment);

/* A few words for people. */
const char *elf_error_text(enum elf_error error);

#endif
