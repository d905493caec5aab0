/* SPDX-License-Identifier: MIT */
/*
 * Link: a range of a memory object that stands for a range of another one.
 *
 * A page comes from an object's own index first, then from a link, then from what its kind makes of
 * a missing page.  Two modes:
 *   alias  the pages are the target's; what is stored goes to them, where the link may write
 *   copy   the pages are the target's until somebody stores: then the owner gets one of its own
 * Private mappings, snapshots and fork are copy links, usually to a hidden parent: an anon object
 * that nobody can name and that keeps the pages which its children share.
 *
 * A frame shown through a link is still its owner's, in its owner's slot; what shows it (`views`) is
 * found by walking links backwards from the owner to the regions.  So whatever takes a page away, or
 * takes write from it, reaches everybody who sees it.
 */
#ifndef KERNEL_OBJECT_LINK_H
#define KERNEL_OBJECT_LINK_H

#include "kernel/core/tree.h"
#include "kernel/object/memory.h"

#define LINK_MAX_DEPTH 8

enum link_mode {
    LINK_ALIAS = 1,
    LINK_COPY,
};

/*
 * L1 in the tree of its owner (links_out), by first page; links of one owner do not overlap.
 * L2 on its target's list (links_in) iff `target` is full.  An empty target is a link cut off: its
 *    pages that the owner has not itself are gone for good (OWNER_DEAD); only a copy link can be so.
 * L3 owner->rank > target's rank, and rank <= LINK_MAX_DEPTH: so no circle, and no long way down.
 */
struct link {
    struct slot target; /* capability, child of the one it was made with */
    union {
        struct tree_node node;
        u64 first; /* its key: page of the owner */
    };
    u64 npages;
    u64 to; /* page of the target that `first` stands for */
    struct memory *owner;
    u64 taken; /* pages of a hidden target below this are the owner's by now, if it takes them over */
    u32 next, prev; /* target's list: slot numbers */
    u8 mode;
    u8 spare[7];
};
_Static_assert(sizeof(struct link) <= 128, "size class");

static inline struct memory *link_target(const struct link *l)
{
    return slot_is_empty(&l->target) ? NULL : memory_of(slot_object(&l->target));
}

/* The link of `m` that covers that page; NULL: none. */
struct link *link_find(const struct memory *m, u64 index);
/* The first link of `m` that reaches beyond page `index`; NULL: none. */
struct link *link_next(const struct memory *m, u64 index);

/* May `m` get a link to `target` without a circle and without going too deep? */
bool link_fits(const struct memory *m, const struct memory *target);

/* Make `l`, fresh memory from the owner's bank, a link of `m` to the object of `target`, whose rights
 * it keeps.  link_fits has been asked, and it overlaps no link of `m`.  Lock: alone. */
void link_attach(struct link *l, struct memory *m, u64 first, u64 npages, struct slot *target,
                 u64 to, enum link_mode mode);
/* The end of a link; its memory goes back.  What is shown through it is the caller's to take away first
 * (link_hide).  Lock: alone. */
void link_free(struct link *l);
/* A step towards the end of all links of an object that ends: true: none is left.  Where that leaves
 * a hidden parent with one child, the child takes over what it has, in as many steps. */
MUST_CHECK bool link_end_step(struct memory *m);
/* No PTE shows a page through the link, and nobody waits through it, any more. */
void link_hide(struct link *l);
/* Slot hook (LINK_TARGET): the target dies, or its capability is revoked.  An alias is gone then, and
 * its pages are missing.  The owner of a copy link takes over what a hidden parent has, a step at a
 * time; without room for that, and from any other target, what it has not itself is lost. */
bool link_lost_target(struct link *l);

/* Where a page is, or where it has to come from. */
struct found {
    struct memory *owner; /* whose page it is; its fallback resolves it if it is missing */
    u64 index;            /* in the owner */
    u64 *slot;            /* NULL: no index node, or no frames */
    struct memory
        *copier; /* topmost object that stands for it by copy: a store makes its own page */
    u64 copier_index;
    unsigned links; /* crossed */
    bool resident;  /* the slot is RESIDENT */
    bool writable;  /* no alias on the way that may not write */
    bool lost;      /* a link on the way is cut off */
};

/* Follow the links from page `index` of `m`. */
void link_follow(struct memory *m, u64 index, struct found *f);
/* The same as a region sees it: its private pages first. */
void link_follow_region(const struct region *r, u64 vaddr, struct found *f);

/* Call visit for each valid PTE that shows `p` as page `index` of `m`, in its own regions and in those
 * of all that stand for it.  Lock: as memory_unmap_frame.  Cost: per region that covers the page. */
typedef void view_visit(struct region *r, u64 *pte, u64 address, void *context);
void view_each(const struct memory *m, u64 index, paddr_t p, view_visit *visit, void *context);
/* Clear those PTEs and flush. */
void view_clear(const struct memory *m, u64 index, paddr_t p);

/* radix_for_each over the slots of a range of `m` and of what it stands for. */
void link_for_each_slot(const struct memory *m, u64 first, u64 count, radix_visit *visit,
                        void *context);

/*
 * The owner of a copy link gets a page of its own in place of what link_follow found (resident, or
 * memory without frames that can be read): a copy, or the frame itself where it would be nobody
 * else's any more.  NULL: the bank of the owner has no room, or the page cannot be read; *status says
 * which.  Returns the slot.  `pte`: the entry that the caller is about to make and flush, where the only
 * one of a private page is.  Lock: shared.
 */
u64 *link_copy_page(const struct found *f, u64 *pte, status_t *status);

/*
 * A hidden parent for `m`, whose pages and links it takes over; `m` stands for it by a copy link.  All
 * PTEs lose write.  NULL: no room in m's bank, or LINK_MAX_DEPTH would be exceeded (*too_deep), and
 * nothing has changed.  An `m` without pages of its own needs none: link_base.  Lock: alone.  Cost:
 * per page and PTE.
 */
struct memory *link_split(struct memory *m, bool *too_deep);

/* `to`, an anon object without pages and links, becomes what `count` pages from `first` on are now of
 * the object of `from`: neither sees what is stored to the other later, if pages of that object begin
 * as zeros; else a page is what it is when it is first stored to.  NO_SPACE: then `to` is to be thrown
 * away, and the object may have got a hidden parent.  Lock: alone.  Cost: per page and PTE. */
status_t link_clone(struct slot *from, u64 first, u64 count, struct memory *to);

/* Pages of `m` go: what its hidden parents have must not show in their place, and aliases that touch
 * the range end, as a whole.  False: no room
 * in m's bank for all of it.  Lock: alone. */
MUST_CHECK bool link_punch(struct memory *m, u64 first, u64 count);

void link_check(const struct memory *m); /* debug: L1 to L3 */

#endif
