/* SPDX-License-Identifier: MIT */
/*
 * Capability slots and the tree they form: linking, moving, emptying.
 *
 * Links are slot numbers, and every slot is reached through slot_from_number, so a slot has one
 * address: that in the direct map.  Nothing here recurses; a walk goes up by the parent links.
 * The type and the place are packed into the slot's word, so what happens when a reference is taken
 * away is found from the slot alone (slot_places.def), without asking the object it refers to.
 */
#include "kernel/object/slot.h"

#include "kernel/core/panic.h"
#include "kernel/object/aspace.h"
#include "kernel/object/irq.h"
#include "kernel/object/object.h"
#include "kernel/object/served.h"
#include "kernel/object/thread.h"

/* One function per place that hands the slot's holder to its hook.  The holder may be gone when it
 * returns (a region is freed), so nothing looks at the slot afterwards. */
#define SLOT_PLACE(number, name, type, member, emptied)         \
    static void lose_##name(struct slot *s)                     \
    {                                                           \
        void (*hook)(type *) = emptied;                         \
        if (hook != NULL)                                       \
            hook((type *)((char *)s - offsetof(type, member))); \
        else                                                    \
            slot_delete(s);                                     \
    }
#include "kernel/object/slot_places.def"
#undef SLOT_PLACE

static void (*const slot_lose[PLACE_LIMIT])(struct slot *s) = {
#define SLOT_PLACE(number, name, type, member, emptied) [number] = lose_##name,
#include "kernel/object/slot_places.def"
#undef SLOT_PLACE
};

/* Make `s` the first child of `parent`. */
static void link_first(struct slot *s, struct slot *parent)
{
    u32 number = slot_to_number(s);

    s->parent = slot_to_number(parent);
    s->child = 0;
    s->next = parent->child;
    s->prev = 0;
    if (parent->child)
        slot_from_number(parent->child)->prev = number;
    parent->child = number;
}

/* Lock: alone. */
void slot_derive(struct slot *to, struct slot *parent, enum slot_place place, unsigned rights,
                 u64 badge)
{
    assert(slot_is_empty(to) && !slot_is_empty(parent));
    assert((rights & ~slot_rights(parent)) == 0 && place != PLACE_ORIGIN);

    to->word = slot_word(slot_object(parent), slot_type(parent), place, rights);
    to->badge = badge;
    link_first(to, parent);
}

/* Lock: alone. */
void slot_make_origin(struct slot *to, struct slot *bank_origin, struct object *object,
                      enum object_type type)
{
    assert(slot_is_empty(to));
    *to = (struct slot){.word = slot_word(object, type, PLACE_ORIGIN, RIGHTS_ALL)};
    if (bank_origin != NULL)
        link_first(to, bank_origin);
}

/* Lock: alone.  Cost: one step a child. */
void slot_move(struct slot *to, struct slot *from, enum slot_place place)
{
    u32 number = slot_to_number(to);

    assert(slot_is_empty(to) && !slot_is_empty(from));
    assert(slot_place(from) != PLACE_ORIGIN && place != PLACE_ORIGIN);
    *to = *from;
    to->word = slot_word(slot_object(from), slot_type(from), place, slot_rights(from));
    if (to->prev)
        slot_from_number(to->prev)->next = number;
    else
        slot_from_number(to->parent)->child = number;
    if (to->next)
        slot_from_number(to->next)->prev = number;
    for (u32 child = to->child; child; child = slot_from_number(child)->next)
        slot_from_number(child)->parent = number;
    *from = (struct slot){0};
}

/* Put the children of `s` into the list where `s` stands and take `s` out of it. */
static void unlink_and_raise_children(struct slot *s)
{
    struct slot *parent = slot_from_number(s->parent);
    u32 first = s->child ? s->child : s->next; /* what follows s->prev from now on */
    u32 last = s->prev;                        /* what precedes s->next from now on */

    for (u32 child = s->child; child; child = slot_from_number(child)->next) {
        slot_from_number(child)->parent = s->parent;
        last = child;
    }
    if (s->child) {
        slot_from_number(s->child)->prev = s->prev;
        slot_from_number(last)->next = s->next;
    }
    if (s->prev)
        slot_from_number(s->prev)->next = first;
    else
        parent->child = first;
    if (s->next)
        slot_from_number(s->next)->prev = last;
}

/* Lock: alone.  Cost: one step a child. */
void slot_delete(struct slot *s)
{
    struct slot *parent;

    assert(!slot_is_empty(s) && s->parent != 0);
    assert(slot_place(s) != PLACE_ORIGIN || s->child == 0);
    parent = slot_from_number(s->parent);
    unlink_and_raise_children(s);
    *s = (struct slot){0};
    /* The first bank (no parent) never dies, and who is dying already is taken apart by whoever
     * began that. */
    if (parent->child == 0 && parent->parent != 0 && slot_place(parent) == PLACE_ORIGIN) {
        struct object *o = slot_object(parent);

        if ((o->flags & OBJECT_DYING) == 0)
            object_doom(o);
    }
}

/* Lock: alone.  An origin is not taken away but dies with its object (object_destroy). */
void slot_evict(struct slot *s)
{
    void (*lose)(struct slot *) = slot_lose[slot_place(s)];

    assert(!slot_is_empty(s) && slot_place(s) != PLACE_ORIGIN && lose != NULL);
    lose(s);
}

/* Lock: alone.  Cost: one step a level. */
struct slot *slot_leaf(struct slot *s)
{
    while (s->child)
        s = slot_from_number(s->child);
    return s;
}

/* Lock: alone. */
struct slot *slot_walk_next(const struct slot *top, const struct slot *s)
{
    if (s->child)
        return slot_from_number(s->child);
    while (s != top) {
        if (s->next)
            return slot_from_number(s->next);
        s = slot_from_number(s->parent);
    }
    return NULL;
}

/* S4 between a child and its parent. */
static void check_made_from(const struct slot *child, const struct slot *parent)
{
    if (slot_place(child) == PLACE_ORIGIN) {
        assert(slot_place(parent) == PLACE_ORIGIN && slot_type(parent) == OBJ_bank);
    } else {
        assert(slot_object(child) == slot_object(parent) && slot_type(child) == slot_type(parent));
        assert((slot_rights(child) & ~slot_rights(parent)) == 0);
    }
}

/* Lock: alone. */
void slot_check(const struct slot *s)
{
    u32 number = slot_to_number(s);
    u32 prev = 0;

    if (slot_is_empty(s)) { /* S1 */
        assert(s->parent == 0 && s->child == 0 && s->next == 0 && s->prev == 0 && s->badge == 0);
        return;
    }
    if (slot_place(s) == PLACE_ORIGIN)
        assert(&((struct object *)slot_object(s))->origin == s);
    if (s->parent == 0) /* S3 */
        assert(slot_place(s) == PLACE_ORIGIN && slot_type(s) == OBJ_bank && s->next == 0);
    else
        check_made_from(s, slot_from_number(s->parent));
    if (s->next)
        assert(slot_from_number(s->next)->prev == number);
    if (s->prev)
        assert(slot_from_number(s->prev)->next == number);
    else if (s->parent)
        assert(slot_from_number(s->parent)->child == number);
    for (u32 child = s->child; child; prev = child, child = slot_from_number(child)->next) {
        assert(slot_from_number(child)->prev == prev); /* S2 */
        assert(slot_from_number(child)->parent == number);
    }
}
