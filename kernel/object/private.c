/* SPDX-License-Identifier: MIT */
/*
 * The pages that a private mapping has of its own.  See private.h.
 *
 * The object is in the capability tree as its bank's, but no capability names it, since nobody but
 * the regions of one mapping ever reaches it; they hold it as they hold their event records.
 * The tempting other design, mapping a copy-on-write object in place of the one that was asked for,
 * would have to forward everything that the owner hears, and each query, from one to the other.
 */
#include "kernel/object/private.h"

#include "arch/pte.h"
#include "kernel/core/panic.h"
#include "kernel/object/bank.h"
#include "kernel/object/link.h"

/* NULL: no room.  Lock: alone. */
static struct memory *own_make(struct aspace *a, u64 base, u64 npages)
{
    struct memory *own = anon_make(object_bank(&a->object), npages << PAGE_SHIFT);

    if (!own)
        return NULL;
    own->private_of = a;
    own->private_base = base;
    return own;
}

/* What it shows may be frames, whatever the mapped object has. */
static void give(struct region *r, struct memory *own)
{
    r->node.owned = slot_number(own);
    r->pte_template |= PTE_FRAME;
    own->private_regions++;
    aspace_forget_hint(r->aspace);
}

bool private_make(struct region *r)
{
    struct memory *own = own_make(r->aspace, r->start, (r->end - r->start) >> PAGE_SHIFT);

    if (own)
        give(r, own);
    return own != NULL;
}

void private_share(struct region *r, struct region *upper)
{
    upper->node.owned = r->node.owned;
    if (r->node.owned)
        region_private(r)->private_regions++;
}

void private_release(struct region *r, u64 start, u64 end)
{
    struct memory *own = region_private(r);

    memory_drop_pages(own, private_index(own, start), (end - start) >> PAGE_SHIFT);
}

/* Nobody sees it any more. */
static void end(struct memory *own)
{
    own->private_of = NULL;
    if (!(own->object.flags & OBJECT_DYING))
        object_doom(&own->object);
}

void private_drop(struct region *r)
{
    struct memory *own = region_private(r);

    r->node.owned = 0;
    if (--own->private_regions == 0)
        end(own);
}

bool private_lost(struct memory *own)
{
    struct aspace *a = own->private_of;
    u64 last = private_address(own, own->npages);
    struct region *r;

    for (u64 at = own->private_base; own->private_regions && at < last; at = r->end) {
        r = region_find_next(a->region_root, at);
        if (region_private(r) == own) {
            (void)!aspace_remove_region(a, r);
            return own->private_regions == 0;
        }
    }
    panic("private object %p has %u regions nowhere", (void *)own, own->private_regions);
}

/* Lock: alone.  Cost: per page and PTE of the private object, if it has pages. */
status_t private_clone(struct region *r, struct region *child)
{
    struct memory *own = region_private(r);
    struct memory *copy = own_make(child->aspace, own->private_base, own->npages);
    status_t status;

    if (!copy)
        return ST_NO_SPACE;
    status = link_clone(&own->object.origin, 0, own->npages, copy);
    if (status == ST_OK)
        give(child, copy);
    else
        end(copy);
    return status;
}
