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
#include "kernel/object/link.h"
#include "kernel/object/object.h"
#include "kernel/object/served.h"
#include "kernel/object/thread.h"

#define CHILDREN_PER_STEP 16

/* One function per place that hands the slot's holder to its hook.  The holder may be gone when it
 * returns (a region is freed), so nothing looks at the slot afterwards. */
#define SLOT_PLACE(number, name, type, member, emptied)                \
    static bool lose_##name(struct slot *s)                            \
    {                                                                  \
        bool (*hook)(type *) = emptied;                                \
        if (hook != NULL)                                              \
            return hook((type *)((char *)s - offsetof(type, member))); \
        slot_delete(s);                                                \
        return true;                                                   \
    }
#include "kernel/object/slot_places.def"
#undef SLOT_PLACE

static bool (*const slot_lose[PLACE_LIMIT])(struct slot *s) = {
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

/* `to` stands where `from` stood among its siblings.  Neither's children are looked at. */
static void take_place(struct slot *to, const struct slot *from)
{
    u32 number = slot_to_number(to);

    to->parent = from->parent;
    to->next = from->next;
    to->prev = from->prev;
    if (to->prev)
        slot_from_number(to->prev)->next = number;
    else
        slot_from_number(to->parent)->child = number;
    if (to->next)
        slot_from_number(to->next)->prev = number;
}

/* Lock: alone. */
void slot_move_begin(struct slot *to, struct slot *from, enum slot_place place)
{
    u64 word = slot_word(slot_object(from), slot_type(from), place, slot_rights(from));

    assert(slot_is_empty(to) && !slot_is_empty(from));
    assert(slot_place(from) != PLACE_ORIGIN && place != PLACE_ORIGIN);
    to->word = word;
    to->badge = from->badge;
    take_place(to, from);
    to->child = slot_to_number(from);
    from->parent = slot_to_number(to);
    from->next = from->prev = 0;
    from->word = slot_word(slot_object(from), slot_type(from), PLACE_LEAVING, slot_rights(from));
}

/* Lock: alone.  Cost: one step a child. */
void slot_move(struct slot *to, struct slot *from, enum slot_place place)
{
    slot_move_begin(to, from, place);
    slot_delete(from);
}

/* The first child of `s` comes to stand before it, as a child of the same parent. */
static void raise_first_child(struct slot *s)
{
    u32 number = s->child;
    struct slot *child = slot_from_number(number);

    s->child = child->next;
    if (child->next)
        slot_from_number(child->next)->prev = 0;
    child->parent = s->parent;
    child->prev = s->prev;
    child->next = slot_to_number(s);
    if (s->prev)
        slot_from_number(s->prev)->next = number;
    else
        slot_from_number(s->parent)->child = number;
    s->prev = number;
}

/* Lock: alone. */
bool slot_raise_step(struct slot *s)
{
    for (unsigned i = 0; i < CHILDREN_PER_STEP && s->child; i++)
        raise_first_child(s);
    return s->child == 0;
}

/* Take `s`, which has no children, out of the tree. */
static void unlink(struct slot *s)
{
    if (s->prev)
        slot_from_number(s->prev)->next = s->next;
    else
        slot_from_number(s->parent)->child = s->next;
    if (s->next)
        slot_from_number(s->next)->prev = s->prev;
}

/* Lock: alone.  Cost: one step a child. */
void slot_delete(struct slot *s)
{
    struct slot *parent;

    assert(!slot_is_empty(s) && s->parent != 0);
    assert(slot_place(s) != PLACE_ORIGIN || s->child == 0);
    while (s->child)
        raise_first_child(s);
    parent = slot_from_number(s->parent);
    unlink(s);
    *s = (struct slot){0};
    /* The first bank (no parent) never dies, and who is dying already is taken apart by whoever
     * began that. */
    if (parent->child == 0 && parent->parent != 0 && slot_place(parent) == PLACE_ORIGIN) {
        struct object *o = slot_object(parent);

        if ((o->flags & OBJECT_DYING) == 0)
            object_doom(o);
    }
}

/* Lock: alone. */
bool slot_delete_step(struct slot *s)
{
    if (!slot_raise_step(s))
        return false;
    slot_delete(s);
    return true;
}

/* Lock: alone.  An origin is not taken away but dies with its object (object_destroy). */
bool slot_evict(struct slot *s)
{
    bool (*lose)(struct slot *) = slot_lose[slot_place(s)];

    assert(!slot_is_empty(s) && slot_place(s) != PLACE_ORIGIN && lose != NULL);
    assert(s->child == 0);
    return lose(s);
}

/* Lock: alone. */
bool slot_revoke_step(struct slot *top)
{
    struct slot *first = slot_from_number(top->child);

    if (first == NULL)
        return true;
    if (slot_raise_step(first))
        (void)!slot_evict(first); /* the next step finds what is left of it */
    return top->child == 0;
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
    else if (slot_place(s) != PLACE_CSPACE && slot_place(s) != PLACE_LEAVING)
        assert(s->child == 0); /* S5 */
    if (s->parent == 0)        /* S3 */
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
