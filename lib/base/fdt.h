/* SPDX-License-Identifier: MIT */
/* fdt.h: a reader of flattened device trees that trusts nothing in them.
 *
 * The kernel reads its firmware's tree with it at boot, and init reads the system description,
 * which is a compiled device-tree source. Source: Devicetree Specification v0.4, chapters 2 (what
 * properties mean) and 5 (the format, version 17).
 *
 * What it promises, for every content of the blob:
 *   - it reads only bytes of [blob, blob + size), by bytes, so the blob may lie at any address;
 *   - it allocates and writes nothing but the structs it is given, has no recursion, and every
 *     function ends, after at most one pass over the blob unless its comment says otherwise;
 *   - fdt_open refuses a tree that is not well formed, so a function below answers "not there"
 *     for what is not there, and never for what is broken.
 * The blob must not change after fdt_open: who gets one through memory that somebody else can still
 * write copies it first.
 *
 * Names are matched as bytes. Where a tree has two nodes or properties of one name, the first is
 * found. Pointers that are returned point into the blob, and live as long as it. */
#ifndef LIB_BASE_FDT_H
#define LIB_BASE_FDT_H

#include "lib/base/text.h"
#include "lib/base/types.h"

#define FDT_MAX_DEPTH  16 /* levels of nodes, the root included; deeper trees are refused */
#define FDT_HEAD_BYTES 8  /* what fdt_peek_size reads */

enum fdt_error {
    FDT_OK,
    FDT_BAD_MAGIC,        /* does not begin with 0xd00dfeed */
    FDT_BAD_VERSION,      /* older than version 17, or not compatible with it */
    FDT_TRUNCATED,        /* header or total size larger than the memory given */
    FDT_BAD_LAYOUT,       /* a block lies outside the blob or is misaligned; or over 2 GiB */
    FDT_BAD_RESERVATIONS, /* the list of memory reservations does not end */
    FDT_BAD_TOKEN,        /* an unknown token, or one that reaches out of the structure block */
    FDT_BAD_NAME,         /* a property's name is not in the strings block */
    FDT_BAD_NESTING,      /* nodes do not nest, no single root, or a property after a subnode */
    FDT_TOO_DEEP,         /* more than FDT_MAX_DEPTH levels */
};

/* A tree that was found well formed. Offsets in bytes, from the blob's start. */
struct fdt {
    const u8 *blob;
    u32 total_bytes;
    u32 structure, structure_bytes;
    u32 strings, strings_bytes; /* shortened so that its last byte is a NUL */
    u32 reservations, reservation_count;
};

/* A node: a small value to pass around. {0} is "no node", which every function accepts and finds
 * empty. Two handles of a tree name the same node iff their `body` is the same. */
struct fdt_node {
    u32 name;  /* structure offset of its name */
    u32 body;  /* structure offset of its first token; 0: no node */
    u32 depth; /* 0 for the root */
};

/* A property. data has no alignment; size_bytes may be 0 (then the property just is there). Of the
 * empty property, which stands for one that is not there, data is NULL. */
struct fdt_prop {
    const char *name;
    const u8 *data;
    u32 size_bytes;
    u32 next; /* structure offset of the token behind it */
};

/* ---- The tree -------------------------------------------------------------------------------- */

/* The size that a blob's header claims, from its first FDT_HEAD_BYTES bytes; 0 if this is not a
 * device tree. For a caller who must know how much to map before it can call fdt_open; it may run
 * at another address than it was linked for. */
u32 fdt_peek_size(const void *head);

/* Check the whole blob and fill `fdt`. size_bytes: how much memory may be read there; the tree may
 * be smaller. On an error `fdt` is not to be used. */
enum fdt_error fdt_open(struct fdt *fdt, const void *blob, size_t size_bytes);

/* A few words for people. */
const char *fdt_error_text(enum fdt_error error);

/* Entry `index` of the memory reservation block; false past the last. */
bool fdt_reservation(const struct fdt *fdt, u32 index, u64 *base, u64 *size);

/* ---- Nodes ----------------------------------------------------------------------------------- */

static inline bool fdt_exists(struct fdt_node node)
{
    return node.body != 0;
}

/* Its name with unit address ("serial@10000000"); "" for the root and for no node. */
const char *fdt_name(const struct fdt *fdt, struct fdt_node node);

/* Children in the order of the source:
 *   for (struct fdt_node child = fdt_first_child(fdt, node); fdt_exists(child);
 *        child = fdt_next_sibling(fdt, child))
 * and every node in document order, parents before children, from fdt_root by fdt_next. */
struct fdt_node fdt_root(const struct fdt *fdt);
struct fdt_node fdt_next(const struct fdt *fdt, struct fdt_node node);
struct fdt_node fdt_first_child(const struct fdt *fdt, struct fdt_node node);
struct fdt_node fdt_next_sibling(const struct fdt *fdt, struct fdt_node node);
struct fdt_node fdt_parent(const struct fdt *fdt, struct fdt_node node); /* a pass from the root */

/* The child of this name. A name without unit address also finds the first child that has one:
 * "memory" finds "memory@80000000". */
struct fdt_node fdt_child(const struct fdt *fdt, struct fdt_node node, const char *name);

/* The node at a path: "/soc/serial@10000000", or an alias from /aliases, "serial0", or an alias and
 * a path below it, "serial0/child". An alias must stand for a path from the root; it is not looked
 * up again. fdt_find_bytes takes the first path_bytes bytes of a string that goes on. */
struct fdt_node fdt_find(const struct fdt *fdt, const char *path);
struct fdt_node fdt_find_bytes(const struct fdt *fdt, const char *path, size_t path_bytes);

/* The node whose phandle (or linux,phandle) it is; 0 and 0xffffffff are no node's. */
struct fdt_node fdt_find_phandle(const struct fdt *fdt, u32 phandle);

/* Write the node's path, for messages. A pass from the root. */
void fdt_put_path(const struct fdt *fdt, struct fdt_node node, struct text *text);

/* ---- Properties ------------------------------------------------------------------------------ */

/* Properties in the order of the source:
 *   for (bool more = fdt_first_prop(fdt, node, &prop); more; more = fdt_next_prop(fdt, &prop))
 */
bool fdt_first_prop(const struct fdt *fdt, struct fdt_node node, struct fdt_prop *prop);
bool fdt_next_prop(const struct fdt *fdt, struct fdt_prop *prop);

/* The property of this name; false, and an empty property, if there is none. */
bool fdt_prop(const struct fdt *fdt, struct fdt_node node, const char *name, struct fdt_prop *prop);
bool fdt_has(const struct fdt *fdt, struct fdt_node node, const char *name);

/* Several properties in one pass: props[i] becomes the one called names[i], or empty. Returns the
 * structure offset behind the node's properties. */
u32 fdt_props(const struct fdt *fdt, struct fdt_node node, const char *const *names,
              struct fdt_prop *props, u32 count);

/* Take `cells` cells (of 4 bytes) at *offset_bytes as one number and step over them. 0 cells give
 * the number 0, of 3 and more the upper ones must be 0. False, and nothing changed, if the property
 * is too short or the number too large. */
bool fdt_take(const struct fdt_prop *prop, u32 *offset_bytes, unsigned cells, u64 *value);

/* A property that is exactly one cell; exactly one or two cells; else false, *value unchanged. */
bool fdt_prop_u32(const struct fdt_prop *prop, u32 *value);
bool fdt_prop_number(const struct fdt_prop *prop, u64 *value);
bool fdt_get_u32(const struct fdt *fdt, struct fdt_node node, const char *name, u32 *value);
bool fdt_get_number(const struct fdt *fdt, struct fdt_node node, const char *name, u64 *value);

/* Strings of a list, one after the other: start with NULL, NULL comes after the last. Bytes after
 * the last NUL are not a string. */
const char *fdt_next_string(const struct fdt_prop *prop, const char *previous);

/* A property's first string, or NULL. */
const char *fdt_first_string(const struct fdt *fdt, struct fdt_node node, const char *name);

/* Is `value` one of a property's strings? */
bool fdt_prop_lists(const struct fdt_prop *prop, const char *value);
bool fdt_has_string(const struct fdt *fdt, struct fdt_node node, const char *name,
                    const char *value);
bool fdt_is_compatible(const struct fdt *fdt, struct fdt_node node, const char *value);

/* May the node be used: it has no status, or "okay" or "ok". Says nothing about its parents. The
 * other form takes the status property, which may be the empty one. */
bool fdt_prop_is_okay(const struct fdt_prop *status);
bool fdt_is_okay(const struct fdt *fdt, struct fdt_node node);

/* ---- Walks and addresses (fdt_walk.c) -------------------------------------------------------- */

/* How the `reg` of a node's children is written: the node's #address-cells and #size-cells. */
struct fdt_cells {
    u32 address, size;
};
struct fdt_cells fdt_cells(const struct fdt *fdt, struct fdt_node node);

/* What a bus says about the addresses of its children. */
struct fdt_bus {
    u32 body; /* of the node that it was read from; 0: not read yet */
    struct fdt_cells cells;
    struct fdt_prop ranges;
};

/* A walk in document order that knows the ancestors of where it is, which addresses and inherited
 * properties need: path[depth] is the node, path[0] the root. About 900 bytes. */
struct fdt_walk {
    const struct fdt *fdt;
    u32 depth;
    u32 resume; /* structure offset at which the walk goes on */
    struct fdt_node path[FDT_MAX_DEPTH];
    struct fdt_bus bus[FDT_MAX_DEPTH]; /* read when first needed */
};
void fdt_walk_start(struct fdt_walk *walk, const struct fdt *fdt); /* at the root */
bool fdt_walk_next(struct fdt_walk *walk);                         /* false: that was the last */
bool fdt_walk_skip(struct fdt_walk *walk);                         /* next that is not inside it */
bool fdt_walk_to(struct fdt_walk *walk, const struct fdt *fdt, struct fdt_node node);

static inline struct fdt_node fdt_walk_node(const struct fdt_walk *walk)
{
    return walk->path[walk->depth];
}

/* fdt_props of the node, which the walk then does not read again to find the next node. */
void fdt_walk_props(struct fdt_walk *walk, const char *const *names, struct fdt_prop *props,
                    u32 count);

/* Entry `index` of a property of the node that has the form of `reg`, as its parent counts
 * addresses. False if there is no such entry, which an empty property has not. */
bool fdt_walk_reg(struct fdt_walk *walk, const struct fdt_prop *reg, u32 index, u64 *base,
                  u64 *size);

/* The same as the processor counts them: translated through the `ranges` of every bus above it.
 * False if there is no such entry, if a bus has no `ranges` (what is behind it has no physical
 * address) or none that holds the whole entry, and if it would wrap past 2^64. */
bool fdt_walk_address(struct fdt_walk *walk, const struct fdt_prop *reg, u32 index, u64 *base,
                      u64 *size);

/* fdt_walk_to and fdt_walk_address of the node's `reg`. */
bool fdt_get_address(const struct fdt *fdt, struct fdt_node node, u32 index, u64 *base, u64 *size);

#endif
