/* SPDX-License-Identifier: MIT */
/* cpio.h: a reader of cpio archives in the "newc" format, in place and without trust.
 *
 * The boot bundle is such an archive. Every field is checked against the archive's bounds before it
 * is used, so nothing outside [archive, archive + size) is read whatever it says, and every loop
 * ends. Nothing is copied: names and data are pointers into the archive.
 *
 * The format: per entry a header of 110 ASCII characters, the name with its NUL, padding to a
 * multiple of 4, the data, padding again; a last entry is called TRAILER!!!. (Source: the text
 * "initramfs buffer format" of the Linux documentation.) The maker of the bundle puts file data on
 * page boundaries by counting extra NULs behind the name into the name's size, which other readers
 * of the format also accept. */
#ifndef LIB_BASE_CPIO_H
#define LIB_BASE_CPIO_H

#include "lib/base/types.h"

enum cpio_error {
    CPIO_OK,
    CPIO_END,        /* the trailer was reached: no further entry */
    CPIO_NOT_FOUND,  /* cpio_find: the trailer was reached without that name */
    CPIO_TRUNCATED,  /* the archive ends inside an entry, or before the trailer */
    CPIO_BAD_MAGIC,  /* an entry does not begin with 070701 (or 070702, the one with checksums) */
    CPIO_BAD_NUMBER, /* a field is not eight hexadecimal digits */
    CPIO_BAD_NAME,   /* a name is empty, or does not end with a NUL */
};

#define CPIO_MODE_TYPE      0170000u /* of mode: these bits tell what an entry is */
#define CPIO_MODE_FILE      0100000u
#define CPIO_MODE_DIRECTORY 0040000u

struct cpio {
    const u8 *base;
    u64 size_bytes;
};

/* An entry, and where the next one is. {0} stands before the first. */
struct cpio_entry {
    const char *name; /* ends with a NUL; without a leading "/" or "./" */
    const void *data; /* size_bytes bytes in the archive */
    u64 offset;       /* of data from the archive's start */
    u32 size_bytes;
    u32 mode; /* type and permissions, as in stat */
    u64 next; /* offset of the next header */
};

/* Is there an archive? Checks the first header only; a damaged one further on is found when the
 * iteration comes to it. Errors: those of cpio_next, and CPIO_END for an archive of no entries. */
enum cpio_error cpio_open(struct cpio *cpio, const void *archive, u64 size_bytes);

/* The entry after *entry, into *entry:
 *   struct cpio_entry entry = {0};
 *   while ((error = cpio_next(&cpio, &entry)) == CPIO_OK) ...
 *   if (error != CPIO_END) ... the archive is damaged there
 * On anything but CPIO_OK *entry is unchanged. */
enum cpio_error cpio_next(const struct cpio *cpio, struct cpio_entry *entry);

/* The first entry of a name. A pass over the headers up to it. */
enum cpio_error cpio_find(const struct cpio *cpio, const char *name, struct cpio_entry *entry);

/* A few words for people. */
const char *cpio_error_text(enum cpio_error error);

static inline bool cpio_is_file(const struct cpio_entry *entry)
{
    return (entry->mode & CPIO_MODE_TYPE) == CPIO_MODE_FILE;
}

#endif
