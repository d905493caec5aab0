/* SPDX-License-Identifier: MIT */
/*
 * Where to map: addresses in [MAPPING_BASE, MAPPING_END) handed out upwards, then from the start.
 *
 * The kernel knows every region, so the program keeps no list of its own that could disagree: it
 * tries an address, and where something lies already (OVERLAP) it asks where that ends and tries
 * there.  A page is left free after each mapping, so that running over an end is a fault.
 */
#include "lib/rt/rt.h"

#define PAGE 4096ul

static word_t next_address = MAPPING_BASE;

/* The first address behind the region that lies at or after vaddr. */
static word_t region_end(word_t vaddr)
{
    struct message m = {.words = {vaddr}};

    if (q_operation(SLOT_ASPACE, OP_aspace_query, 1, &m) != ST_OK)
        return vaddr + PAGE;
    return m.words[0] + m.words[1];
}

struct result map_anywhere_id(cap_t object, word_t offset, word_t length, word_t flags, word_t *id)
{
    bool wrapped = false;

    if (length == 0 || length > MAPPING_END - MAPPING_BASE - PAGE)
        return (struct result){ST_BAD_ARG, 1};
    length = (length + PAGE - 1) & ~(PAGE - 1);
    for (;;) {
        word_t vaddr = __atomic_load_n(&next_address, __ATOMIC_RELAXED);
        struct result r;

        if (vaddr > MAPPING_END - PAGE - length) {
            if (wrapped)
                return (struct result){ST_NO_SPACE, length};
            wrapped = true;
            __atomic_store_n(&next_address, MAPPING_BASE, __ATOMIC_RELAXED);
            continue;
        }
        r = q_aspace_map(SLOT_ASPACE, vaddr, length, object, offset, flags);
        if (r.status == ST_OK) {
            __atomic_store_n(&next_address, vaddr + length + PAGE, __ATOMIC_RELAXED);
            if (id)
                *id = r.value;
            return (struct result){ST_OK, vaddr};
        }
        if (r.status != ST_OVERLAP)
            return r;
        __atomic_store_n(&next_address, region_end(r.value) + PAGE, __ATOMIC_RELAXED);
    }
}

struct result map_anywhere(cap_t object, word_t offset, word_t length, word_t flags)
{
    return map_anywhere_id(object, offset, length, flags, NULL);
}

struct result map_memory(word_t length, cap_t *object)
{
    struct result anon = object_create(SLOT_BANK, OBJ_anon, (length + PAGE - 1) & ~(PAGE - 1), 0);
    struct result r;

    if (anon.status != ST_OK)
        return anon;
    r = map_anywhere(anon.value, 0, length, MAP_READ | MAP_WRITE);
    if (r.status != ST_OK) {
        slot_free(anon.value);
        return r;
    }
    if (object)
        *object = anon.value;
    return r;
}
