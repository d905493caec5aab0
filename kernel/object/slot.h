/* SPDX-License-Identifier: MIT */
/*
 * Capability slots and the tree they form.
 *
 * A slot holds one reference to one object.  Slots lie in cspaces, where programs see them, and
 * embedded in kernel objects, wherever one object keeps another (DESIGN: every stored reference is
 * in the tree).  The tree says what was made from what: a slot's children are capabilities made
 * from it, and the root of an object's capabilities is the origin slot in its header, which is in
 * turn a child of the origin of the bank that paid for it.  So a bank's destruction, an object's
 * death and revoke are one algorithm: empty a subtree, in steps between which the tree is whole.
 *
 * The tempting other design, reference counts plus a list per object, cannot answer "what was made
 * from this" and needs a rule for circles; here a circle is broken by destroying a bank.
 *
 * Lock: all writers hold the kernel alone; readers of one slot hold it shared.
 */
#ifndef KERNEL_OBJECT_SLOT_H
#define KERNEL_OBJECT_SLOT_H

#include "arch/address.h"
#include "lib/abi/abi.h"
#include "lib/base/types.h"

struct object;

/* Where a slot lies: decides what happens when the reference is taken away (slot_places.def). */
enum slot_place {
#define SLOT_PLACE(number, name, type, member, emptied) PLACE_##name = number,
#include "kernel/object/slot_places.def"
#undef SLOT_PLACE
    PLACE_LIMIT = 16,
};

/*
 * Word: bits 0-6 rights, 7-11 object type, 12-15 place, 16-63 the object's kernel address (low 48
 * bits; an arithmetic shift restores the sign).  Word 0 = empty; an empty embedded slot keeps
 * nothing either: its holder sets the place anew with each use.
 *
 * Invariants (slot_check):
 *  S1  an empty slot has no parent, child, next or prev.
 *  S2  s->child's prev is 0; s->next's prev is s; every child's parent is s.
 *  S3  only the first bank's origin has no parent; every other full slot has one.
 *  S4  a child refers to the same object as its parent and has no right the parent lacks, except
 *      an origin slot, whose parent is its bank's origin.
 *  S5  only slots of cspaces and origins have children: what an object keeps is a leaf.
 */
struct slot {
    u64 word;
    u64 badge;
    u32 parent; /* slot numbers: physical address / 32; 0 = none */
    u32 child;  /* first */
    u32 next;
    u32 prev;
};
_Static_assert(sizeof(struct slot) == 32, "numbered by address / 32");

#define SLOT_TYPE_SHIFT   7
#define SLOT_TYPE_MASK    (0x1ful << SLOT_TYPE_SHIFT)
#define SLOT_PLACE_SHIFT  12
#define SLOT_OBJECT_SHIFT 16

static inline u64 slot_word(const void *object, enum object_type type, enum slot_place place,
                            unsigned rights)
{
    return (u64)object << SLOT_OBJECT_SHIFT | (u64)place << SLOT_PLACE_SHIFT |
           (u64)type << SLOT_TYPE_SHIFT | rights;
}
static inline bool slot_is_empty(const struct slot *s)
{
    return s->word == 0;
}
static inline void *slot_object(const struct slot *s)
{
    return (void *)((i64)s->word >> SLOT_OBJECT_SHIFT);
}
static inline enum object_type slot_type(const struct slot *s)
{
    return (enum object_type)((s->word & SLOT_TYPE_MASK) >> SLOT_TYPE_SHIFT);
}
static inline enum slot_place slot_place(const struct slot *s)
{
    return (enum slot_place)(s->word >> SLOT_PLACE_SHIFT & 0xf);
}
static inline unsigned slot_rights(const struct slot *s)
{
    return s->word & RIGHTS_ALL;
}

/* Has the slot a capability of that type with all those rights?  One mask, one compare. */
static inline bool slot_holds(const struct slot *s, enum object_type type, unsigned rights)
{
    return (s->word & (SLOT_TYPE_MASK | rights)) == ((u64)type << SLOT_TYPE_SHIFT | rights);
}
/* ... a capability to any memory object (types 16 to 31) with those rights? */
static inline bool slot_holds_memory(const struct slot *s, unsigned rights)
{
    u64 bit = (u64)OBJ_MEMORY_FIRST << SLOT_TYPE_SHIFT;
    return (s->word & (bit | rights)) == (bit | rights);
}

static inline u32 slot_to_number(const struct slot *s)
{
    return slot_number(s);
}
static inline struct slot *slot_from_number(u32 number)
{
    return slot_pointer(number);
}

/*
 * Make the empty slot `to` a capability to the object of `parent`, first child of `parent`, with
 * `rights` (a subset of the parent's) and `badge`.  Lock: alone.  Cannot fail.
 */
void slot_derive(struct slot *to, struct slot *parent, enum slot_place place, unsigned rights,
                 u64 badge);

/* Make `to` the origin of a new object: child of the bank's origin (NULL: the first bank). */
void slot_make_origin(struct slot *to, struct slot *bank_origin, struct object *object,
                      enum object_type type);

/*
 * Moving: `to`, empty, takes the place of `from`, which goes on for a moment as its only child, with
 * the children of its own, marked PLACE_LEAVING.  Then slot_delete_step(from), until it is empty.
 * slot_move does all of it.  Cost of the beginning: constant.
 */
void slot_move_begin(struct slot *to, struct slot *from, enum slot_place place);
void slot_move(struct slot *to, struct slot *from, enum slot_place place);

/*
 * Empty a slot.  Its children become its parent's, at its place in the order; that costs one step
 * a child.  If it was the last child of an object's origin, the object is queued to die
 * (object_doom; for a bank only when nothing made from it is left).  The holder of an embedded slot,
 * which has no children, calls this when it lets go by itself.
 */
void slot_delete(struct slot *s);

/* Some children of `s` find their new place.  True: it has none left. */
MUST_CHECK bool slot_raise_step(struct slot *s);

/* A bounded part of deleting: some children find their new place.  True: the slot is empty.  Between
 * two parts the capability is as it was, and has fewer children. */
MUST_CHECK bool slot_delete_step(struct slot *s);

/*
 * Take the reference away from whoever holds it, without children by now: in a cspace as slot_delete;
 * an embedded slot's place says which function of the holder is called, and that function empties the
 * slot, or does a bounded part of what comes before.  True: the slot is empty.
 */
MUST_CHECK bool slot_evict(struct slot *s);

/* A bounded part of emptying everything below `top`, a capability: some children of its first child
 * become its own, or the first child is evicted.  True: nothing is below it.  So no chain of copies is
 * descended, however long. */
MUST_CHECK bool slot_revoke_step(struct slot *top);

/* The slot after `s` in a walk (parent before children) of the subtree of `top`; NULL at its end. */
struct slot *slot_walk_next(const struct slot *top, const struct slot *s);

/* Debug: assert S1 to S5 of this slot. */
void slot_check(const struct slot *s);

#endif
