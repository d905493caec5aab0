/* SPDX-License-Identifier: MIT */
/* fdt.c: the device-tree reader: opening, nodes, properties. fdt.h has the contract; what needs to
 * know a node's ancestors is in fdt_walk.c.
 *
 * All reading of the structure block goes through read_token, which checks every bound each time;
 * fdt_open runs it over the whole block once and checks in addition what only the sequence shows
 * (nesting, depth, order). Leaving the checks out of later reads would save a few compares and need
 * a second reader beside the checked one. */
#include "lib/base/fdt.h"

#include "lib/base/bits.h"
#include "lib/base/string.h"

/* The header: ten big-endian words (section 5.2), by index. */
enum {
    HEADER_MAGIC,
    HEADER_TOTAL_BYTES,
    HEADER_STRUCTURE,
    HEADER_STRINGS,
    HEADER_RESERVATIONS,
    HEADER_VERSION,
    HEADER_COMPATIBLE_VERSION,
    HEADER_BOOT_CPU,
    HEADER_STRINGS_BYTES,
    HEADER_STRUCTURE_BYTES,
    HEADER_WORDS
};

#define MAGIC             0xd00dfeed
#define VERSION           17
#define HEADER_BYTES      (4 * HEADER_WORDS)
#define MAX_BYTES         0x7fffffff /* so that no sum of an offset and its padding wraps 32 bits */
#define RESERVATION_BYTES 16
#define CELL_BYTES        4

/* Section 5.4.1. */
enum token_kind {
    TOKEN_BEGIN = 1,
    TOKEN_END = 2,
    TOKEN_PROP = 3,
    TOKEN_NOP = 4,
    TOKEN_LAST = 9,
};

struct token {
    enum token_kind kind;
    u64 name;       /* BEGIN: structure offset of the name; PROP: strings offset, not checked */
    u64 data;       /* PROP: structure offset of the value */
    u32 size_bytes; /* PROP: of the value */
    u64 next;       /* structure offset behind the token and its padding */
};

static const u8 *structure_at(const struct fdt *fdt, u64 offset)
{
    return fdt->blob + fdt->structure + offset;
}

static const char *string_at(const struct fdt *fdt, u64 offset)
{
    return (const char *)fdt->blob + fdt->strings + offset;
}

/* Reads the token at a structure offset, passing over NOPs. False if it is none, or not all of it
 * lies in the block; only its padding may be cut off by the block's end. Offsets are below 2^31 and
 * lengths below 2^32, so no sum wraps. Inlined, since a loop that only passes over properties then
 * has no work with what it does not use: passing over them is most of what reading a tree costs. */
static inline __attribute__((always_inline)) bool read_token(const struct fdt *fdt, u64 at,
                                                             struct token *token)
{
    u64 end = fdt->structure_bytes;
    u32 kind;

    do {
        if (at + 4 > end)
            return false;
        kind = load_be32(structure_at(fdt, at));
        at += 4;
    } while (kind == TOKEN_NOP);

    token->kind = (enum token_kind)kind;
    token->next = at;
    if (kind == TOKEN_PROP) {
        if (at + 8 > end)
            return false;
        token->size_bytes = load_be32(structure_at(fdt, at));
        token->name = load_be32(structure_at(fdt, at + 4));
        token->data = at + 8;
        token->next = align_up(token->data + token->size_bytes, 4);
        return token->data + token->size_bytes <= end;
    }
    if (kind == TOKEN_BEGIN) {
        token->name = at;
        while (at < end && *structure_at(fdt, at) != '\0')
            at++;
        token->next = align_up(at + 1, 4);
        return at < end;
    }
    return kind == TOKEN_END || kind == TOKEN_LAST;
}

/* Is a property's name in the strings block? That ends with a NUL, so the name does too. */
static bool name_is_good(const struct fdt *fdt, const struct token *token)
{
    return token->name < fdt->strings_bytes;
}

/* ---- Opening --------------------------------------------------------------------------------- */

/* The whole structure block: one root, nested nodes, properties before subnodes. */
static enum fdt_error check_structure(const struct fdt *fdt)
{
    u64 at = 0;
    u32 depth = 0; /* nodes now open */
    bool root_seen = false, props_allowed = false;

    for (;;) {
        struct token token;

        if (!read_token(fdt, at, &token))
            return FDT_BAD_TOKEN;
        switch (token.kind) {
        case TOKEN_BEGIN:
            if (depth == 0 && root_seen)
                return FDT_BAD_NESTING;
            if (depth == FDT_MAX_DEPTH)
                return FDT_TOO_DEEP;
            root_seen = props_allowed = true;
            depth++;
            break;
        case TOKEN_END:
            if (depth == 0)
                return FDT_BAD_NESTING;
            props_allowed = false;
            depth--;
            break;
        case TOKEN_PROP:
            if (!props_allowed)
                return FDT_BAD_NESTING;
            if (!name_is_good(fdt, &token))
                return FDT_BAD_NAME;
            break;
        default: /* TOKEN_LAST */
            return root_seen && depth == 0 ? FDT_OK : FDT_BAD_NESTING;
        }
        at = token.next;
    }
}

/* The list of reservations, up to its terminator of two zeros (section 5.3). */
static enum fdt_error check_reservations(struct fdt *fdt)
{
    for (u32 n = 0;; n++) {
        u64 at = fdt->reservations + (u64)n * RESERVATION_BYTES;

        if (at + RESERVATION_BYTES > fdt->total_bytes)
            return FDT_BAD_RESERVATIONS;
        if (load_be64(fdt->blob + at) == 0 && load_be64(fdt->blob + at + 8) == 0) {
            fdt->reservation_count = n;
            return FDT_OK;
        }
    }
}

static u32 header_word(const void *blob, unsigned index)
{
    return load_be32((const u8 *)blob + 4 * index);
}

u32 fdt_peek_size(const void *head)
{
    return header_word(head, HEADER_MAGIC) == MAGIC ? header_word(head, HEADER_TOTAL_BYTES) : 0;
}

enum fdt_error fdt_open(struct fdt *fdt, const void *blob, size_t size_bytes)
{
    if (size_bytes < HEADER_BYTES)
        return FDT_TRUNCATED;
    if (header_word(blob, HEADER_MAGIC) != MAGIC)
        return FDT_BAD_MAGIC;
    if (header_word(blob, HEADER_VERSION) < VERSION ||
        header_word(blob, HEADER_COMPATIBLE_VERSION) > VERSION)
        return FDT_BAD_VERSION;

    *fdt = (struct fdt){
        .blob = blob,
        .total_bytes = header_word(blob, HEADER_TOTAL_BYTES),
        .structure = header_word(blob, HEADER_STRUCTURE),
        .structure_bytes = header_word(blob, HEADER_STRUCTURE_BYTES),
        .strings = header_word(blob, HEADER_STRINGS),
        .strings_bytes = header_word(blob, HEADER_STRINGS_BYTES),
        .reservations = header_word(blob, HEADER_RESERVATIONS),
    };
    if (fdt->total_bytes > size_bytes || fdt->total_bytes < HEADER_BYTES)
        return FDT_TRUNCATED;
    if (!range_inside(fdt->structure, fdt->structure_bytes, 0, fdt->total_bytes) ||
        !range_inside(fdt->strings, fdt->strings_bytes, 0, fdt->total_bytes) ||
        fdt->total_bytes > MAX_BYTES || !is_aligned(fdt->structure, 4) ||
        !is_aligned(fdt->reservations, 8))
        return FDT_BAD_LAYOUT;
    while (fdt->strings_bytes && string_at(fdt, fdt->strings_bytes)[-1] != '\0')
        fdt->strings_bytes--;

    enum fdt_error error = check_reservations(fdt);
    return error ? error : check_structure(fdt);
}

const char *fdt_error_text(enum fdt_error error)
{
    static const char *const texts[] = {
        [FDT_OK] = "well formed",
        [FDT_BAD_MAGIC] = "not a device tree",
        [FDT_BAD_VERSION] = "not version 17",
        [FDT_TRUNCATED] = "truncated",
        [FDT_BAD_LAYOUT] = "a block lies outside",
        [FDT_BAD_RESERVATIONS] = "the reservations do not end",
        [FDT_BAD_TOKEN] = "bad token",
        [FDT_BAD_NAME] = "bad property name",
        [FDT_BAD_NESTING] = "bad nesting",
        [FDT_TOO_DEEP] = "too deep",
    };

    return (size_t)error < ARRAY_SIZE(texts) ? texts[error] : "unknown error";
}

bool fdt_reservation(const struct fdt *fdt, u32 index, u64 *base, u64 *size)
{
    if (index >= fdt->reservation_count)
        return false;
    const u8 *entry = fdt->blob + fdt->reservations + (u64)index * RESERVATION_BYTES;
    *base = load_be64(entry);
    *size = load_be64(entry + 8);
    return true;
}

/* ---- Nodes ----------------------------------------------------------------------------------- */

static const struct fdt_node no_node;

const char *fdt_name(const struct fdt *fdt, struct fdt_node node)
{
    return fdt_exists(node) ? (const char *)structure_at(fdt, node.name) : "";
}

/* The first node that begins at or after a structure offset inside a node of depth `depth`, if it
 * begins before the node of depth `floor` ends. */
static struct fdt_node scan(const struct fdt *fdt, u64 at, u32 depth, u32 floor)
{
    struct token token;

    while (read_token(fdt, at, &token)) {
        if (token.kind == TOKEN_BEGIN)
            return (struct fdt_node){(u32)token.name, (u32)token.next, depth + 1};
        if (token.kind == TOKEN_LAST || (token.kind == TOKEN_END && depth == floor))
            break;
        if (token.kind == TOKEN_END)
            depth--;
        at = token.next;
    }
    return no_node;
}

struct fdt_node fdt_root(const struct fdt *fdt)
{
    struct token token;

    if (!read_token(fdt, 0, &token) || token.kind != TOKEN_BEGIN)
        return no_node;
    return (struct fdt_node){(u32)token.name, (u32)token.next, 0};
}

struct fdt_node fdt_next(const struct fdt *fdt, struct fdt_node node)
{
    return fdt_exists(node) ? scan(fdt, node.body, node.depth, 0) : no_node;
}

struct fdt_node fdt_first_child(const struct fdt *fdt, struct fdt_node node)
{
    return fdt_exists(node) ? scan(fdt, node.body, node.depth, node.depth) : no_node;
}

struct fdt_node fdt_next_sibling(const struct fdt *fdt, struct fdt_node node)
{
    u32 depth = node.depth;

    if (depth == 0)
        return no_node;
    do { /* passes over the node's own descendants; stops where its parent ends */
        node = fdt_exists(node) ? scan(fdt, node.body, node.depth, depth - 1) : no_node;
    } while (fdt_exists(node) && node.depth > depth);
    return node;
}

/* Does a node's name match the `bytes` bytes at `wanted`: in full, or if those have no unit
 * address, up to its own? */
static bool name_matches(const char *name, const char *wanted, size_t bytes)
{
    if (strncmp(name, wanted, bytes) != 0)
        return false;
    if (name[bytes] != '@' || bytes == 0)
        return name[bytes] == '\0';
    for (size_t i = 0; i < bytes; i++)
        if (wanted[i] == '@')
            return false;
    return true;
}

static struct fdt_node child_bytes(const struct fdt *fdt, struct fdt_node node, const char *name,
                                   size_t name_bytes)
{
    struct fdt_node child = fdt_first_child(fdt, node);

    while (fdt_exists(child) && !name_matches(fdt_name(fdt, child), name, name_bytes))
        child = fdt_next_sibling(fdt, child);
    return child;
}

struct fdt_node fdt_child(const struct fdt *fdt, struct fdt_node node, const char *name)
{
    return child_bytes(fdt, node, name, strlen(name));
}

/* Bytes up to the next slash. */
static size_t component_bytes(const char *path, size_t path_bytes)
{
    size_t n = 0;

    while (n < path_bytes && path[n] != '/')
        n++;
    return n;
}

/* Goes down from `node` by a path whose components are set apart by one or more slashes. */
static struct fdt_node descend(const struct fdt *fdt, struct fdt_node node, const char *path,
                               size_t path_bytes)
{
    while (path_bytes && fdt_exists(node)) {
        size_t n = component_bytes(path, path_bytes);

        if (n)
            node = child_bytes(fdt, node, path, n);
        n += n < path_bytes; /* the slash */
        path += n;
        path_bytes -= n;
    }
    return node;
}

/* The node that an alias stands for. */
static struct fdt_node find_alias(const struct fdt *fdt, const char *alias, size_t alias_bytes)
{
    struct fdt_node aliases = fdt_child(fdt, fdt_root(fdt), "aliases");
    struct fdt_prop prop;

    for (bool more = fdt_first_prop(fdt, aliases, &prop); more; more = fdt_next_prop(fdt, &prop)) {
        if (strncmp(prop.name, alias, alias_bytes) != 0 || prop.name[alias_bytes] != '\0')
            continue;
        const char *path = fdt_next_string(&prop, NULL);
        if (!path || path[0] != '/')
            break;
        return descend(fdt, fdt_root(fdt), path, strlen(path));
    }
    return no_node;
}

struct fdt_node fdt_find_bytes(const struct fdt *fdt, const char *path, size_t path_bytes)
{
    path_bytes = strnlen(path, path_bytes);
    if (path_bytes == 0)
        return no_node;
    if (path[0] == '/')
        return descend(fdt, fdt_root(fdt), path, path_bytes);
    size_t n = component_bytes(path, path_bytes);
    return descend(fdt, find_alias(fdt, path, n), path + n, path_bytes - n);
}

struct fdt_node fdt_find(const struct fdt *fdt, const char *path)
{
    return fdt_find_bytes(fdt, path, strlen(path));
}

struct fdt_node fdt_find_phandle(const struct fdt *fdt, u32 phandle)
{
    struct fdt_node node = fdt_root(fdt);

    if (phandle == 0 || phandle == UINT32_MAX)
        return no_node;
    for (; fdt_exists(node); node = fdt_next(fdt, node)) {
        u32 own = 0;

        if ((fdt_get_u32(fdt, node, "phandle", &own) ||
             fdt_get_u32(fdt, node, "linux,phandle", &own)) &&
            own == phandle)
            break;
    }
    return node;
}

/* ---- Properties ------------------------------------------------------------------------------ */

static const struct fdt_prop empty_prop = {.name = ""};

/* Fills *prop from the token at a structure offset; false, and empty, if that is no property. */
static bool prop_at(const struct fdt *fdt, u32 at, struct fdt_prop *prop)
{
    struct token token;

    if (!read_token(fdt, at, &token) || token.kind != TOKEN_PROP || !name_is_good(fdt, &token)) {
        *prop = empty_prop;
        prop->next = at;
        return false;
    }
    *prop = (struct fdt_prop){
        .name = string_at(fdt, token.name),
        .data = structure_at(fdt, token.data),
        .size_bytes = token.size_bytes,
        .next = (u32)token.next,
    };
    return true;
}

bool fdt_first_prop(const struct fdt *fdt, struct fdt_node node, struct fdt_prop *prop)
{
    return prop_at(fdt, fdt_exists(node) ? node.body : fdt->structure_bytes, prop);
}

bool fdt_next_prop(const struct fdt *fdt, struct fdt_prop *prop)
{
    return prop_at(fdt, prop->next, prop);
}

bool fdt_prop(const struct fdt *fdt, struct fdt_node node, const char *name, struct fdt_prop *prop)
{
    bool more = fdt_first_prop(fdt, node, prop);

    while (more && strcmp(prop->name, name) != 0)
        more = fdt_next_prop(fdt, prop);
    return more;
}

u32 fdt_props(const struct fdt *fdt, struct fdt_node node, const char *const *names,
              struct fdt_prop *props, u32 count)
{
    struct fdt_prop prop;
    bool more = fdt_first_prop(fdt, node, &prop);

    for (u32 i = 0; i < count; i++)
        props[i] = empty_prop;
    for (; more; more = fdt_next_prop(fdt, &prop))
        for (u32 i = 0; i < count; i++)
            if (prop.name[0] == names[i][0] && strcmp(prop.name, names[i]) == 0 && !props[i].data)
                props[i] = prop;
    return prop.next;
}

bool fdt_has(const struct fdt *fdt, struct fdt_node node, const char *name)
{
    struct fdt_prop prop;

    return fdt_prop(fdt, node, name, &prop);
}

bool fdt_take(const struct fdt_prop *prop, u32 *offset_bytes, unsigned cells, u64 *value)
{
    u64 end = *offset_bytes + (u64)cells * CELL_BYTES;
    u64 number = 0;

    if (end > prop->size_bytes)
        return false;
    for (u32 at = *offset_bytes; at < end; at += CELL_BYTES) {
        if (number >> 32)
            return false;
        number = number << 32 | load_be32(prop->data + at);
    }
    *offset_bytes = (u32)end;
    *value = number;
    return true;
}

bool fdt_prop_number(const struct fdt_prop *prop, u64 *value)
{
    u32 offset = 0;

    return (prop->size_bytes == CELL_BYTES || prop->size_bytes == 2 * CELL_BYTES) &&
           fdt_take(prop, &offset, prop->size_bytes / CELL_BYTES, value);
}

bool fdt_get_number(const struct fdt *fdt, struct fdt_node node, const char *name, u64 *value)
{
    struct fdt_prop prop;

    return fdt_prop(fdt, node, name, &prop) && fdt_prop_number(&prop, value);
}

bool fdt_prop_u32(const struct fdt_prop *prop, u32 *value)
{
    if (prop->size_bytes != CELL_BYTES)
        return false;
    *value = load_be32(prop->data);
    return true;
}

bool fdt_get_u32(const struct fdt *fdt, struct fdt_node node, const char *name, u32 *value)
{
    struct fdt_prop prop;

    return fdt_prop(fdt, node, name, &prop) && fdt_prop_u32(&prop, value);
}

const char *fdt_next_string(const struct fdt_prop *prop, const char *previous)
{
    const char *data = (const char *)prop->data;
    size_t start = previous ? (size_t)(previous - data) + strlen(previous) + 1 : 0;

    if (start >= prop->size_bytes)
        return NULL;
    size_t left = prop->size_bytes - start;
    return strnlen(data + start, left) < left ? data + start : NULL;
}

const char *fdt_first_string(const struct fdt *fdt, struct fdt_node node, const char *name)
{
    struct fdt_prop prop;

    return fdt_prop(fdt, node, name, &prop) ? fdt_next_string(&prop, NULL) : NULL;
}

bool fdt_prop_lists(const struct fdt_prop *prop, const char *value)
{
    const char *s = NULL;

    while ((s = fdt_next_string(prop, s)))
        if (s[0] == value[0] && strcmp(s, value) == 0)
            return true;
    return false;
}

bool fdt_has_string(const struct fdt *fdt, struct fdt_node node, const char *name,
                    const char *value)
{
    struct fdt_prop prop;

    return fdt_prop(fdt, node, name, &prop) && fdt_prop_lists(&prop, value);
}

bool fdt_is_compatible(const struct fdt *fdt, struct fdt_node node, const char *value)
{
    return fdt_has_string(fdt, node, "compatible", value);
}

bool fdt_prop_is_okay(const struct fdt_prop *status)
{
    const char *s = fdt_next_string(status, NULL);

    return !status->data || (s && (strcmp(s, "okay") == 0 || strcmp(s, "ok") == 0));
}

bool fdt_is_okay(const struct fdt *fdt, struct fdt_node node)
{
    struct fdt_prop status;

    fdt_prop(fdt, node, "status", &status);
    return fdt_exists(node) && fdt_prop_is_okay(&status);
}
