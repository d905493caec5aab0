/* SPDX-License-Identifier: MIT */
/*
 * Phys: a range of physical addresses that the device tree gave: device registers, or RAM that the
 * kernel does not manage (the boot bundle, reserved memory).
 *
 * It has no frames and no index (depth 0): the page behind an offset is arithmetic.  Which ranges a
 * program may have is a short list that boot fills in from the device tree; nothing else can ever
 * be named, so a device capability cannot reach memory that the kernel uses.
 */
#include "kernel/core/invoke.h"
#include "kernel/core/panic.h"
#include "kernel/object/bank.h"
#include "kernel/object/memory.h"
#include "lib/base/string.h"

#define OPERATIONS_OF   phys
#define OPERATIONS_FILE "lib/abi/phys.def"
#define OPERATIONS_BASE "lib/abi/memory.def"
#include "kernel/core/operations.h"

struct phys {
    struct memory memory;
    u64 base;        /* [I] physical address, page aligned */
    u32 attribute;   /* [I] MEMORY_*; NORMAL only for what the direct map shows */
    u32 permissions; /* [I] MAP_*; a device range never has MAP_EXEC */
};

/* -------------------------------------------------------------- ranges that the device tree gave */

#define PHYS_RANGES 128

struct phys_range {
    u64 base;
    u64 length;
    u32 attribute;
};

static struct {
    struct phys_range range[PHYS_RANGES];
    unsigned count;
} given; /* [I] after boot */

bool phys_give(paddr_t base, u64 length, u32 attribute)
{
    u64 start = align_down(base.addr, PAGE_SIZE), end;

    if (length == 0 || add_overflows(base.addr, length, &end) ||
        align_up_overflows(end, PAGE_SIZE, &end) || given.count == PHYS_RANGES)
        return false;
    given.range[given.count++] = (struct phys_range){start, end - start, attribute};
    return true;
}

/* The given range that holds all of this one; NULL: none. */
static const struct phys_range *range_holding(u64 base, u64 length)
{
    for (unsigned i = 0; i < given.count; i++)
        if (range_inside(base, length, given.range[i].base, given.range[i].length))
            return &given.range[i];
    return NULL;
}

bool phys_range_allowed(u64 base, u64 length)
{
    return length > 0 && range_holding(base, length) != NULL;
}

/* --------------------------------------------------------------------------- the mapping table */

static const struct phys *phys_of(const struct memory *m)
{
    return container_of(m, const struct phys, memory);
}

static status_t phys_get_mapping_info(const struct memory *m, u64 offset, u64 length,
                                      struct mapping_info *info)
{
    const struct phys *p = phys_of(m);

    (void)length;
    *info = (struct mapping_info){.paddr = p->base + offset,
                                  .permissions = p->permissions,
                                  .attribute = p->attribute,
                                  .is_shared = true};
    return ST_OK;
}

/* What is stored privately goes to copies, so memory that nobody may write can be written so. */
static status_t phys_get_mapping_info_with(const struct memory *m, u64 offset, u64 length,
                                           bool is_shared, struct mapping_info *info)
{
    status_t status = phys_get_mapping_info(m, offset, length, info);

    info->is_shared = is_shared;
    if (!is_shared && (info->permissions & MAP_READ))
        info->permissions |= MAP_WRITE;
    return status;
}

/* What is private of a device could only be a copy of its registers. */
static bool phys_supports_private_mmap(const struct memory *m)
{
    return phys_of(m)->attribute == MEMORY_NORMAL;
}

static void phys_mmap_owner_name(const struct memory *m, char name[OWNER_NAME_BYTES])
{
    (void)m;
    memset(name, 0, OWNER_NAME_BYTES);
    memcpy(name, "phys", sizeof("phys"));
}

/* Lock: shared. */
static enum resolve_result phys_resolve_fault(struct memory *m, const struct access *access,
                                              const struct fault_place *place, status_t *status,
                                              u64 *paddr_out)
{
    (void)access;
    (void)status;
    *paddr_out = phys_of(m)->base + (place->index << PAGE_SHIFT);
    return RESOLVE_FRAME;
}

static const void *phys_resident_page(struct memory *m, u64 index)
{
    const struct phys *p = phys_of(m);

    if (p->attribute != MEMORY_NORMAL || index >= m->npages)
        return NULL;
    return kva_from_paddr(paddr(p->base + (index << PAGE_SHIFT)));
}

static status_t phys_release_pages(struct memory *m, unsigned rights, u64 first, u64 count)
{
    (void)m;
    (void)rights;
    (void)first;
    (void)count;
    return ST_NOT_SUPPORTED;
}

static const struct mapping_ops phys_mapping_ops = {
    .get_mapping_info = phys_get_mapping_info,
    .get_mapping_info_with = phys_get_mapping_info_with,
    .prepare_map = memory_default_prepare_map,
    .on_mapped = memory_default_on_mapped,
    .on_unmapped = memory_default_on_unmapped,
    .on_split = memory_default_on_split,
    .on_protect = memory_default_on_protect,
    .on_resync = memory_default_on_resync,
    .release_pages = phys_release_pages,
    .can_extend_on_fault = memory_default_can_extend_on_fault,
    .fault_page_permissions = memory_default_fault_page_permissions,
    .supports_mmap = memory_default_supports_mmap,
    .supports_private_mmap = phys_supports_private_mmap,
    .mmap_owner_name = phys_mmap_owner_name,
    .resolve_fault = phys_resolve_fault,
    .fork_clone = memory_default_fork_clone,
    .resident_page = phys_resident_page,
};

/* ---------------------------------------------------------------------------- the object table */

/* NULL: no room.  Lock: alone. */
static struct memory *phys_make(struct bank *bank, u64 base, u64 size, u32 attribute,
                                u32 permissions)
{
    struct phys *p = bank_alloc(bank, sizeof(*p));

    if (!p)
        return NULL;
    object_init(&p->memory.object, bank, OBJ_phys, sizeof(*p));
    memory_init(&p->memory, &phys_mapping_ops, size);
    p->memory.index.depth = 0; /* M3 */
    p->base = base;
    p->attribute = attribute;
    p->permissions = attribute == MEMORY_DEVICE ? permissions & ~(u32)MAP_EXEC : permissions;
    return &p->memory;
}

struct memory *phys_boot(struct bank *bank, paddr_t base, u64 size, u32 attribute, u32 permissions)
{
    struct memory *m;

    assert(is_aligned(base.addr | size, PAGE_SIZE));
    m = phys_make(bank, base.addr, size, attribute, permissions);
    if (!m)
        panic("no room for the phys object at 0x%lx", base.addr);
    return m;
}

/* bank.create(phys, base, length in bytes).  Rights: DEVICE too.  Lock: alone. */
static status_t phys_create(struct bank *bank, struct invocation *inv, const word_t args[3],
                            struct object **out)
{
    u64 base = args[0], length = args[1], end;
    const struct phys_range *range;
    struct memory *m;

    if (!is_aligned(base, PAGE_SIZE))
        return inv_fail(inv, ST_BAD_ARG, 2);
    if (length == 0 || !is_aligned(length, PAGE_SIZE) || add_overflows(base, length, &end))
        return inv_fail(inv, ST_BAD_ARG, 3);
    range = range_holding(base, length);
    if (!(slot_rights(inv->slot) & BANK_DEVICE) || !range)
        return inv_fail(inv, ST_DENIED, 0);
    m = phys_make(bank, base, length, range->attribute, MAP_READ | MAP_WRITE | MAP_EXEC);
    if (!m)
        return inv_fail(inv, ST_NO_SPACE, bank->limit - bank->used);
    *out = &m->object;
    return ST_OK;
}

/* Lock: alone. */
static bool phys_destroy(struct object *o)
{
    return memory_empty(memory_of(o));
}

static void phys_check(const struct object *o)
{
    memory_check(container_of(o, const struct memory, object));
}

static void phys_describe(const struct object *o, struct text *t)
{
    const struct memory *m = container_of(o, const struct memory, object);
    const struct phys *p = phys_of(m);

    text_printf(t, "phys 0x%lx, %lu bytes, %s, %lu mappings", p->base, m->size,
                p->attribute == MEMORY_DEVICE ? "device" : "memory", m->regions);
}

const struct object_ops phys_ops = {
    .create = phys_create,
    .destroy = phys_destroy,
    .check = DEBUG_ONLY(phys_check),
    .describe = phys_describe,
    .operations = &phys_operations,
};
