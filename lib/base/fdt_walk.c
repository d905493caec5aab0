/* SPDX-License-Identifier: MIT */
/* fdt_walk.c: the part of the device-tree reader that needs to know a node's ancestors: walks,
 * parents, paths, and addresses. fdt.h has the contract.
 *
 * The format has no links upwards, so a walk keeps the way from the root. It also keeps what each
 * bus on that way says about addresses: a board has dozens of devices on one bus, and the kernel
 * reads them all at each boot. */
#include "lib/base/fdt.h"

#include "lib/base/string.h"

#define CELL_BYTES      4
#define MAX_ENTRY_CELLS 8 /* of a reg: nobody has more; an entry without cells would have no end */

/* ---- Walks ----------------------------------------------------------------------------------- */

static void arrive(struct fdt_walk *walk, struct fdt_node node)
{
    walk->depth = node.depth;
    walk->path[node.depth] = node;
    walk->resume = node.body;
}

void fdt_walk_start(struct fdt_walk *walk, const struct fdt *fdt)
{
    walk->fdt = fdt;
    for (u32 depth = 0; depth < FDT_MAX_DEPTH; depth++)
        walk->bus[depth].body = 0;
    arrive(walk, fdt_root(fdt));
}

bool fdt_walk_next(struct fdt_walk *walk)
{
    struct fdt_node from = {.body = walk->resume, .depth = walk->depth};
    struct fdt_node next = fdt_next(walk->fdt, from);

    if (!fdt_exists(next))
        return false;
    arrive(walk, next);
    return true;
}

bool fdt_walk_skip(struct fdt_walk *walk)
{
    u32 depth = walk->depth;

    do {
        if (!fdt_walk_next(walk))
            return false;
    } while (walk->depth > depth);
    return true;
}

bool fdt_walk_to(struct fdt_walk *walk, const struct fdt *fdt, struct fdt_node node)
{
    if (!fdt_exists(node))
        return false;
    fdt_walk_start(walk, fdt);
    while (fdt_walk_node(walk).body != node.body)
        if (!fdt_walk_next(walk))
            return false;
    return true;
}

void fdt_walk_props(struct fdt_walk *walk, const char *const *names, struct fdt_prop *props,
                    u32 count)
{
    walk->resume = fdt_props(walk->fdt, fdt_walk_node(walk), names, props, count);
}

/* ---- Parents and paths ----------------------------------------------------------------------- */

struct fdt_node fdt_parent(const struct fdt *fdt, struct fdt_node node)
{
    struct fdt_walk walk;

    if (node.depth == 0 || !fdt_walk_to(&walk, fdt, node))
        return (struct fdt_node){0};
    return walk.path[node.depth - 1];
}

void fdt_put_path(const struct fdt *fdt, struct fdt_node node, struct text *text)
{
    struct fdt_walk walk;

    if (!fdt_walk_to(&walk, fdt, node))
        return;
    if (node.depth == 0)
        text_putc(text, '/');
    for (u32 depth = 1; depth <= node.depth; depth++) {
        text_putc(text, '/');
        text_puts(text, fdt_name(fdt, walk.path[depth]));
    }
}

/* ---- Addresses ------------------------------------------------------------------------------- */

static void read_bus(struct fdt_bus *bus, const struct fdt *fdt, struct fdt_node node)
{
    static const char *const names[] = {"#address-cells", "#size-cells", "ranges"};
    struct fdt_prop props[ARRAY_SIZE(names)];

    fdt_props(fdt, node, names, props, ARRAY_SIZE(names));
    bus->body = node.body;
    bus->cells = (struct fdt_cells){.address = 2, .size = 1}; /* the defaults of section 2.3.5 */
    fdt_prop_u32(&props[0], &bus->cells.address);
    fdt_prop_u32(&props[1], &bus->cells.size);
    bus->ranges = props[2];
}

struct fdt_cells fdt_cells(const struct fdt *fdt, struct fdt_node node)
{
    struct fdt_bus bus;

    read_bus(&bus, fdt, node);
    return bus.cells;
}

/* The bus at a depth of the walk's path. */
static const struct fdt_bus *bus_at(struct fdt_walk *walk, u32 depth)
{
    struct fdt_bus *bus = &walk->bus[depth];

    if (bus->body != walk->path[depth].body)
        read_bus(bus, walk->fdt, walk->path[depth]);
    return bus;
}

bool fdt_walk_reg(struct fdt_walk *walk, const struct fdt_prop *reg, u32 index, u64 *base,
                  u64 *size)
{
    if (walk->depth == 0 || reg->size_bytes == 0)
        return false;
    struct fdt_cells cells = bus_at(walk, walk->depth - 1)->cells;
    u64 entry_cells = (u64)cells.address + cells.size;
    if (entry_cells == 0 || entry_cells > MAX_ENTRY_CELLS)
        return false;
    u64 at = index * entry_cells * CELL_BYTES;
    u32 offset = (u32)at;
    return at < reg->size_bytes && fdt_take(reg, &offset, cells.address, base) &&
           fdt_take(reg, &offset, cells.size, size);
}

/* One level up: [*base, *base + size) on the bus at `depth`, as the bus above it counts. */
static bool translate(struct fdt_walk *walk, u32 depth, u64 *base, u64 size)
{
    const struct fdt_bus *bus = bus_at(walk, depth);

    if (bus->ranges.size_bytes == 0) /* present and empty: the addresses are the same */
        return bus->ranges.data != NULL;

    u32 parent_cells = bus_at(walk, depth - 1)->cells.address;
    u64 entry_bytes = CELL_BYTES * ((u64)bus->cells.address + parent_cells + bus->cells.size);
    for (u64 at = 0; entry_bytes && at + entry_bytes <= bus->ranges.size_bytes; at += entry_bytes) {
        u32 offset = (u32)at;
        u64 from, to, length;

        if (!fdt_take(&bus->ranges, &offset, bus->cells.address, &from) ||
            !fdt_take(&bus->ranges, &offset, parent_cells, &to) ||
            !fdt_take(&bus->ranges, &offset, bus->cells.size, &length))
            continue; /* an address of three cells that is not a plain number, as PCI has */
        if (range_inside(*base, size, from, length))
            return !add_overflows(to, *base - from, base);
    }
    return false;
}

bool fdt_walk_address(struct fdt_walk *walk, const struct fdt_prop *reg, u32 index, u64 *base,
                      u64 *size)
{
    u64 address, length, end;

    if (!fdt_walk_reg(walk, reg, index, &address, &length))
        return false;
    for (u32 depth = walk->depth - 1; depth > 0; depth--)
        if (!translate(walk, depth, &address, length))
            return false;
    if (add_overflows(address, length, &end))
        return false;
    *base = address;
    *size = length;
    return true;
}

bool fdt_get_address(const struct fdt *fdt, struct fdt_node node, u32 index, u64 *base, u64 *size)
{
    struct fdt_walk walk;
    struct fdt_prop reg;

    return fdt_prop(fdt, node, "reg", &reg) && fdt_walk_to(&walk, fdt, node) &&
           fdt_walk_address(&walk, &reg, index, base, size);
}
