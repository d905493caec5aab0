/* SPDX-License-Identifier: MIT */
/*
 * Memory object: what every mappable object has, and the table of operations that tells the kinds
 * apart.
 *
 * A page comes first from the object's own index of resident pages, which all kinds have, so that
 * the common path tests a slot and not a kind; only what is not there goes through the table
 * (resolve_fault).  Nothing but a table's own file may test an object's kind.
 */
#ifndef KERNEL_OBJECT_MEMORY_H
#define KERNEL_OBJECT_MEMORY_H

#include "kernel/object/frame.h"
#include "kernel/object/object.h"
#include "kernel/object/radix.h"

struct aspace;
struct region;
struct thread;
struct memory;

/* What a mapping of a range may be. */
struct mapping_info {
    u64 paddr;       /* physical base where the range has one (phys); else 0.  Kernel side only */
    u32 permissions; /* MAP_READ | MAP_WRITE | MAP_EXEC: the most a mapping may have */
    u32 attribute;   /* MEMORY_* */
    bool is_shared;  /* the mapping would be shared */
};

/* A mapping that is asked for. */
struct map_request {
    u64 vaddr;
    u64 length;
    u64 offset;
    u64 flags; /* MAP_* */
};

/* An access, as resolve_fault hears it. */
struct access {
    u8 op;     /* ACCESS_* */
    u8 size;   /* bytes where known, else 0 */
    u64 vaddr; /* exact */
    u64 pc;
};

/* Where it fell. */
struct fault_place {
    struct thread *thread;
    struct region *region;
    u64 index; /* page of the object */
    u64 *slot; /* its index entry, made */
    u64 *pte;  /* leaf entry of the page table, made */
};

enum resolve_result {
    RESOLVE_FRAME,   /* the slot is resident now (or, for memory without frames, *paddr is set) */
    RESOLVE_ERROR,   /* *status says why */
    RESOLVE_PENDING, /* the thread waits on a ticket */
};

/*
 * The table.  Members and meaning as in lib/abi/mapping_ops.def; `memory_default_*` are the
 * defaults that a table names where it has nothing to add.  A _Static_assert in memory.c checks
 * that the list here is the list there.  Lock: alone for all but resolve_fault (shared).
 */
struct mapping_ops {
    status_t (*get_mapping_info)(const struct memory *m, u64 offset, u64 length,
                                 struct mapping_info *info);
    status_t (*get_mapping_info_with)(const struct memory *m, u64 offset, u64 length,
                                      bool is_shared, struct mapping_info *info);
    /* A mapping is about to be made: make what telling the owner will need (r->event).  The only
     * step of a map that a kind may refuse after get_mapping_info_with: NO_SPACE or LIMIT. */
    status_t (*prepare_map)(struct memory *m, struct region *r, word_t *detail);
    /* Is the owner to be asked about this one mapping, by thread `t` through a capability with that
     * badge?  OK: *granted = permissions it may have and ever get; WOULD_BLOCK: the thread waits for
     * the owner, whose yes makes it start the invocation again; else a refusal.  NULL: never. */
    status_t (*permit_map)(struct memory *m, struct thread *t, const struct map_request *q,
                           u64 badge, u32 *granted);
    void (*on_mapped)(struct memory *m, struct region *r, paddr_t first);
    /* [start, end) of r is gone: all of it (r->event is given up), or r is what is left. */
    void (*on_unmapped)(struct memory *m, struct region *r, u64 start, u64 end);
    /* `upper`, new and without a record, was cut off `r`. */
    void (*on_split)(struct memory *m, struct region *r, struct region *upper);
    void (*on_protect)(struct memory *m, struct region *r); /* r->flags are others now */
    void (*on_resync)(struct memory *m); /* the owner is to look at the list of regions itself */
    /* Give up the resident pages of a range inside the object, for a holder of these rights: DENIED,
     * or NOT_SUPPORTED where pages are not frames. */
    status_t (*release_pages)(struct memory *m, unsigned rights, u64 first, u64 count);
    /* Is a page at or beyond the end a question to the owner (resolve_fault), not TRUNCATED? */
    bool (*can_extend_on_fault)(const struct memory *m);
    /* What a mapping that may have `permissions` gets of the resident page of `slot` now: less than
     * that where a write is to ask first.  Asked only of slots with ASK.  Lock: shared. */
    u32 (*fault_page_permissions)(const struct memory *m, const struct access *access, u64 slot,
                                  u32 permissions);
    bool (*supports_mmap)(const struct memory *m);
    bool (*supports_private_mmap)(const struct memory *m);
    void (*mmap_owner_name)(const struct memory *m, char name[OWNER_NAME_BYTES]); /* NUL padded */
    enum resolve_result (*resolve_fault)(struct memory *m, const struct access *access,
                                         const struct fault_place *place, status_t *status,
                                         u64 *paddr);
    /* The mapping `r` is forked by thread `t`: is another object to be mapped in the child, and then
     * which (*other: that of the capability now in `answer`, which is the caller's to delete)?
     * WOULD_BLOCK: the thread waits for the owner, whose answer makes it start again.  `answer`: an
     * empty slot of the thread, or full when it starts again; NULL: it has none for that. */
    status_t (*fork_clone)(struct memory *m, struct thread *t, const struct region *r,
                           struct slot *answer, bool *other);
    bool zero_fill; /* a missing page is zeros, and nothing but a store changes a page */
    /* Kernel address of page `index` if its content can be read now, else NULL (missing; a device).
     * What copying answers read from. */
    const void *(*resident_page)(struct memory *m, u64 index);
};

#define MEMORY_MAX_SIZE (1ul << 62) /* bytes */

/*
 * Index slot of a page: 0 empty; else low 12 bits say what the rest is.
 *  SLOT_RESIDENT: physical address of the frame | bits.   SLOT_WAITING: kernel address's physical
 *  address of the first waiter's thread block (1 KiB aligned) | SLOT_WAITING.
 * A ticket for a write to a page that is there leaves the slot RESIDENT, so that those who only read
 * go on as before: SLOT_ASKED says that there is one, and the frame's record names the first waiter.
 * A page may be moved away iff the low 12 bits, accessed and dirty aside, are exactly RESIDENT.
 */
#define SLOT_RESIDENT    0x001ul
#define SLOT_WAITING     0x002ul
#define SLOT_DIRTY       0x004ul
#define SLOT_WRITEBACK   0x008ul
#define SLOT_PINNED      0x010ul
#define SLOT_SHARED      0x020ul
#define SLOT_TAIL        0x040ul /* partial last page of the object */
#define SLOT_ASK         0x080ul /* ask the server before a write: no PTE of it has W */
#define SLOT_ASKED       0x100ul /* RESIDENT and ASK: who waits to write hangs at frame->waiter */
#define SLOT_ACCESSED    0x200ul
#define SLOT_HOLE        0x400ul /* alone: missing, and what a link has there does not show either */
#define SLOT_BITS        0xffful
#define SLOT_WAITER_BITS 0x3fful

/*
 * M1 a RESIDENT slot's frame is USER with owner and index of that slot (I1).
 * M2 resident == RESIDENT slots; regions == length of the list.
 * M3 an object without frames (phys) has an empty index.
 * M4 hidden or private: no capability, and no region on the list; link.h and private.h say who holds
 *    it.  Links: L1 to L3.
 */
struct memory {
    struct object object;
    const struct mapping_ops *ops; /* [I] */
    struct radix index;            /* depth 0: the object has no frames (phys) */
    u64 size;                      /* bytes */
    u64 npages;                    /* size rounded up, in pages */
    u64 resident;
    u32 epoch;       /* raised by attach (later: resize, evict, take-back, cut) */
    u32 region_list; /* first region: slot number */
    u64 regions;
    u64 emptied;               /* DYING: pages below are gone */
    u32 links_out;             /* what ranges of it stand for: tree of links */
    u32 links_in;              /* links that stand for ranges of it: first of a list */
    struct aspace *private_of; /* pages of a private mapping in that space, */
    u64 private_base;          /* page 0 is at that address there, */
    u32 private_regions;       /* and so many regions share them */
    u8 rank;                   /* at least the links below it, one after the other */
    bool hidden;               /* keeps pages that others share, and nobody can name it */
    bool punched;              /* may have holes */
    u8 spare;
};
_Static_assert(sizeof(struct memory) == 64 + 104, "hot fields first");

static inline struct memory *memory_of(struct object *o)
{
    return container_of(o, struct memory, object);
}

/* Has it frames of its own, or only addresses (phys)? */
static inline bool memory_has_frames(const struct memory *m)
{
    return m->index.depth != 0;
}

/* Initialise the memory part (object_init has been called). */
void memory_init(struct memory *m, const struct mapping_ops *ops, u64 size);

/* A step towards freeing every resident frame, the index and the links.  No region is left (destroy).  True: all
 * is free. */
MUST_CHECK bool memory_empty(struct memory *m);

/*
 * Put a USER frame into an empty (or waiting) slot: sets owner, index, state, map_count 0 and TAIL,
 * zeroes what lies past the object's end.  The frame is charged to the object's bank already.
 */
void memory_install(struct memory *m, u64 *slot, u64 index, struct frame *f);

/* Give back the resident pages of a range, which no PTE shows, and forget its holes. */
void memory_drop_pages(struct memory *m, u64 first, u64 count);

/* Remove every PTE of the frame everywhere (regions of the object, and of those that stand for it;
 * stops at map_count 0) and flush. */
void memory_unmap_frame(struct memory *m, struct frame *f);

/* Take W from every PTE of the frame everywhere and flush; dirty and accessed are folded first. */
void memory_protect_frame(struct memory *m, struct frame *f);

/* Range checks of every operation that names a range: BAD_ARG (detail = argument index of the
 * offending value, `first` for the offset and first+1 for the length), PAST_END (detail = end). */
status_t memory_check_range(const struct memory *m, u64 offset, u64 length, unsigned first,
                            word_t *detail);

status_t memory_default_prepare_map(struct memory *m, struct region *r, word_t *detail);
void memory_default_on_mapped(struct memory *m, struct region *r, paddr_t first);
void memory_default_on_unmapped(struct memory *m, struct region *r, u64 start, u64 end);
void memory_default_on_split(struct memory *m, struct region *r, struct region *upper);
void memory_default_on_protect(struct memory *m, struct region *r);
void memory_default_on_resync(struct memory *m);
status_t memory_default_release_pages(struct memory *m, unsigned rights, u64 first, u64 count);
bool memory_default_can_extend_on_fault(const struct memory *m);
u32 memory_default_fault_page_permissions(const struct memory *m, const struct access *access,
                                          u64 slot, u32 permissions);
bool memory_default_supports_mmap(const struct memory *m);
bool memory_default_supports_private_mmap(const struct memory *m);
void memory_default_mmap_owner_name(const struct memory *m, char name[OWNER_NAME_BYTES]);
status_t memory_default_fork_clone(struct memory *m, struct thread *t, const struct region *r,
                                   struct slot *answer, bool *other);  /* the same object */
const void *memory_default_resident_page(struct memory *m, u64 index); /* from the index */

/* Operations that every kind's operation table includes (memory.def). */
status_t memory_info(struct object *o, struct invocation *inv);
status_t memory_query(struct object *o, struct invocation *inv);
status_t memory_release(struct object *o, struct invocation *inv);
status_t memory_snapshot(struct object *o, struct invocation *inv); /* in fork.c */

/* Boot: a phys object over a range (bundle, devices); panics without room. */
struct memory *phys_boot(struct bank *bank, paddr_t base, u64 size, u32 attribute, u32 permissions);
struct memory *anon_boot(struct bank *bank, u64 size);
struct memory *anon_make(struct bank *bank, u64 size); /* NULL: no room.  Lock: alone */
/* What the device tree gave: boot calls phys_give for each device range and each reserved range of
 * RAM that a program may have (rounded outward to pages; NORMAL only for what the direct map
 * shows; false: nothing noted, the list is full or the range wraps).  phys_range_allowed: is this
 * range wholly inside one of them? */
bool phys_give(paddr_t base, u64 length, u32 attribute);
bool phys_range_allowed(u64 base, u64 length);

/* Debug: a USER frame is in the slot that it names (I1). */
void memory_check_frame(const struct frame *f);
/* Debug: assert M1 to M3, R3 and I3 of an object.  Cost: resident pages times regions. */
void memory_check(const struct memory *m);

#endif
