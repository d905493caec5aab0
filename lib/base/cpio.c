/* SPDX-License-Identifier: MIT */
/* cpio.c: the archive reader; cpio.h has the format and the contract. */
#include "lib/base/cpio.h"

#include "lib/base/string.h"

/* The header: a magic number of 6 characters, then 13 fields of 8 hexadecimal digits each. */
#define MAGIC_BYTES  6
#define FIELD_BYTES  8
#define FIELD_COUNT  13
#define HEADER_BYTES (MAGIC_BYTES + FIELD_COUNT * FIELD_BYTES)

/* Fields by index; the others (inode, owner, times, devices, checksum) say nothing to us. */
enum { FIELD_MODE = 1, FIELD_FILE_BYTES = 6, FIELD_NAME_BYTES = 11 };

static bool parse_field(const u8 *header, unsigned index, u32 *value)
{
    const u8 *digits = header + MAGIC_BYTES + index * FIELD_BYTES;

    *value = 0;
    for (unsigned i = 0; i < FIELD_BYTES; i++) {
        u8 c = digits[i];
        u8 lower = c | 0x20;

        if (c >= '0' && c <= '9')
            *value = *value << 4 | (u32)(c - '0');
        else if (lower >= 'a' && lower <= 'f')
            *value = *value << 4 | (u32)(lower - 'a' + 10);
        else
            return false;
    }
    return true;
}

/* Without a leading "/" and "./", of which other makers put one before every name. */
static const char *strip_name(const char *name)
{
    if (name[0] == '.' && name[1] == '/')
        name++;
    while (name[0] == '/' && name[1] != '\0')
        name++;
    return name;
}

/* The entry whose header is at an offset. No sum below wraps: all parts of one are below 2^33, and
 * each is compared with the archive's size before the next is added. */
static enum cpio_error read_entry(const struct cpio *cpio, u64 at, struct cpio_entry *entry)
{
    const u8 *header = cpio->base + at;
    u32 mode, file_bytes, name_bytes;

    if (!range_inside(at, HEADER_BYTES, 0, cpio->size_bytes))
        return CPIO_TRUNCATED;
    if (memcmp(header, "070701", MAGIC_BYTES) != 0 && memcmp(header, "070702", MAGIC_BYTES) != 0)
        return CPIO_BAD_MAGIC;
    if (!parse_field(header, FIELD_MODE, &mode) ||
        !parse_field(header, FIELD_FILE_BYTES, &file_bytes) ||
        !parse_field(header, FIELD_NAME_BYTES, &name_bytes))
        return CPIO_BAD_NUMBER;

    u64 name_at = at + HEADER_BYTES;
    if (!range_inside(name_at, name_bytes, 0, cpio->size_bytes))
        return CPIO_TRUNCATED;
    const char *name = (const char *)cpio->base + name_at;
    if (name_bytes < 2 || name[0] == '\0' || name[name_bytes - 1] != '\0')
        return CPIO_BAD_NAME;
    if (strcmp(name, "TRAILER!!!") == 0)
        return CPIO_END;

    u64 data_at = align_up(name_at + name_bytes, 4);
    if (!range_inside(data_at, file_bytes, 0, cpio->size_bytes))
        return CPIO_TRUNCATED;
    *entry = (struct cpio_entry){
        .name = strip_name(name),
        .data = cpio->base + data_at,
        .offset = data_at,
        .size_bytes = file_bytes,
        .mode = mode,
        .next = align_up(data_at + file_bytes, 4),
    };
    return CPIO_OK;
}

enum cpio_error cpio_open(struct cpio *cpio, const void *archive, u64 size_bytes)
{
    struct cpio_entry first;

    *cpio = (struct cpio){.base = archive, .size_bytes = size_bytes};
    return read_entry(cpio, 0, &first);
}

enum cpio_error cpio_next(const struct cpio *cpio, struct cpio_entry *entry)
{
    return read_entry(cpio, entry->next, entry);
}

enum cpio_error cpio_find(const struct cpio *cpio, const char *name, struct cpio_entry *entry)
{
    struct cpio_entry at = {0};
    enum cpio_error error;

    while ((error = cpio_next(cpio, &at)) == CPIO_OK) {
        if (strcmp(at.name, name) == 0) {
            *entry = at;
            return CPIO_OK;
        }
    }
    return error == CPIO_END ? CPIO_NOT_FOUND : error;
}

const char *cpio_error_text(enum cpio_error error)
{
    static const char *const texts[] = {
        [CPIO_OK] = "well formed",
        [CPIO_END] = "no further entry",
        [CPIO_NOT_FOUND] = "no such name",
        [CPIO_TRUNCATED] = "truncated",
        [CPIO_BAD_MAGIC] = "not an archive in the newc format",
        [CPIO_BAD_NUMBER] = "a field is not a number",
        [CPIO_BAD_NAME] = "bad name",
    };

    return (size_t)error < ARRAY_SIZE(texts) ? texts[error] : "unknown error";
}
