/* SPDX-License-Identifier: MIT */
/*
 * Anon: memory that begins as zeros.
 *
 * The simplest of the kinds: a page that is not in the index is a zeroed frame of the object's
 * bank.  Everything else is what all memory objects do (memory.c).
 */
#include "kernel/core/invoke.h"
#include "kernel/core/panic.h"
#include "kernel/object/bank.h"
#include "kernel/object/private.h"
#include "lib/base/string.h"

#define OPERATIONS_OF   anon
#define OPERATIONS_FILE "lib/abi/anon.def"
#define OPERATIONS_BASE "lib/abi/memory.def"
#include "kernel/core/operations.h"

struct anon {
    struct memory memory;
};

static status_t anon_get_mapping_info_with(const struct memory *m, u64 offset, u64 length,
                                           bool is_shared, struct mapping_info *info)
{
    (void)m;
    (void)offset;
    (void)length;
    *info = (struct mapping_info){.permissions = MAP_READ | MAP_WRITE | MAP_EXEC,
                                  .attribute = MEMORY_NORMAL,
                                  .is_shared = is_shared};
    return ST_OK;
}

static status_t anon_get_mapping_info(const struct memory *m, u64 offset, u64 length,
                                      struct mapping_info *info)
{
    return anon_get_mapping_info_with(m, offset, length, true, info);
}

static void anon_mmap_owner_name(const struct memory *m, char name[OWNER_NAME_BYTES])
{
    (void)m;
    memset(name, 0, OWNER_NAME_BYTES);
    memcpy(name, "anon", sizeof("anon"));
}

/* Lock: shared. */
static enum resolve_result anon_resolve_fault(struct memory *m, const struct access *access,
                                              const struct fault_place *place, status_t *status,
                                              u64 *paddr_out)
{
    struct frame *f = bank_frame_alloc_zeroed(object_bank(&m->object));

    (void)access;
    (void)paddr_out;
    if (!f) {
        *status = ST_NO_SPACE;
        return RESOLVE_ERROR;
    }
    memory_install(m, place->slot, place->index, f);
    return RESOLVE_FRAME;
}

static const struct mapping_ops anon_mapping_ops = {
    .get_mapping_info = anon_get_mapping_info,
    .get_mapping_info_with = anon_get_mapping_info_with,
    .prepare_map = memory_default_prepare_map,
    .on_mapped = memory_default_on_mapped,
    .on_unmapped = memory_default_on_unmapped,
    .on_split = memory_default_on_split,
    .on_protect = memory_default_on_protect,
    .on_resync = memory_default_on_resync,
    .release_pages = memory_default_release_pages,
    .can_extend_on_fault = memory_default_can_extend_on_fault,
    .fault_page_permissions = memory_default_fault_page_permissions,
    .supports_mmap = memory_default_supports_mmap,
    .supports_private_mmap = memory_default_supports_private_mmap,
    .mmap_owner_name = anon_mmap_owner_name,
    .resolve_fault = anon_resolve_fault,
    .fork_clone = memory_default_fork_clone,
    .zero_fill = true,
    .resident_page = memory_default_resident_page,
};

struct memory *anon_make(struct bank *bank, u64 size)
{
    struct anon *a = bank_alloc(bank, sizeof(*a));

    if (!a)
        return NULL;
    object_init(&a->memory.object, bank, OBJ_anon, sizeof(*a));
    memory_init(&a->memory, &anon_mapping_ops, size);
    return &a->memory;
}

struct memory *anon_boot(struct bank *bank, u64 size)
{
    struct memory *m = anon_make(bank, size);

    if (!m)
        panic("no room for an anon object of %lu bytes", size);
    return m;
}

/* bank.create(anon, size in bytes).  Lock: alone. */
static status_t anon_create(struct bank *bank, struct invocation *inv, const word_t args[3],
                            struct object **out)
{
    struct memory *m;

    if (args[0] == 0 || args[0] > MEMORY_MAX_SIZE)
        return inv_fail(inv, ST_BAD_ARG, 2);
    m = anon_make(bank, args[0]);
    if (!m)
        return inv_fail(inv, ST_NO_SPACE, bank->limit - bank->used);
    *out = &m->object;
    return ST_OK;
}

/* Lock: alone. */
static bool anon_destroy(struct object *o)
{
    if (memory_of(o)->private_regions && !private_lost(memory_of(o)))
        return false;
    return memory_empty(memory_of(o));
}

static void anon_check(const struct object *o)
{
    memory_check(container_of(o, const struct memory, object));
}

static void anon_describe(const struct object *o, struct text *t)
{
    const struct memory *m = container_of(o, const struct memory, object);

    text_printf(t, "anon %lu bytes, %lu resident, %lu mappings%s", m->size, m->resident, m->regions,
                m->hidden       ? ", hidden"
                : m->private_of ? ", private"
                                : "");
}

const struct object_ops anon_ops = {
    .create = anon_create,
    .destroy = anon_destroy,
    .check = DEBUG_ONLY(anon_check),
    .describe = anon_describe,
    .operations = &anon_operations,
};
