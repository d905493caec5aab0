/* SPDX-License-Identifier: MIT */
/*
 * What all objects share: the table of their types, birth, and death.
 *
 * Death is one loop over the capability tree, leaves first: a leaf that is a capability is taken
 * away from its holder, a leaf that is the origin of an object means that nothing refers to that
 * object any more, so it is finished and its memory goes back.  Deleting a parent before its
 * children would be shorter, and would leave a malformed tree wherever it was interrupted.
 */
#include "kernel/object/object.h"

#include "kernel/core/panic.h"
#include "kernel/object/bank.h"

/* An objects.def line without an `<name>_ops` does not compile here. */
static const struct object_ops *const object_ops_list[OBJ_LIMIT] = {
#define OBJECT(number, name, text) [number] = &name##_ops,
#include "lib/abi/objects.def"
#undef OBJECT
};

static const char *const object_names[OBJ_LIMIT] = {
#define OBJECT(number, name, text) [number] = #name,
#include "lib/abi/objects.def"
#undef OBJECT
};

static struct {
    u32 doomed;  /* [k] first of the objects waiting for object_reap: slot numbers, doubly linked */
    u64 serials; /* [k] objects ever made */
} objects;

/* Lock: any. */
const struct object_ops *object_ops_of(unsigned type)
{
    return type < OBJ_LIMIT ? object_ops_list[type] : NULL;
}

/* Lock: any. */
const char *object_type_name(unsigned type)
{
    return type < OBJ_LIMIT && object_names[type] ? object_names[type] : "none";
}

/* Lock: alone. */
void object_init(struct object *o, struct bank *bank, enum object_type type, u32 size)
{
    *o = (struct object){.type = type, .size = size, .serial = ++objects.serials};
    slot_make_origin(&o->origin, bank ? &bank->object.origin : NULL, o, type);
}

static struct object *object_from_number(u32 number)
{
    return container_of(slot_from_number(number), struct object, origin);
}

/* Lock: alone. */
void object_doom(struct object *o)
{
    u32 number = slot_to_number(&o->origin);

    if (o->flags & OBJECT_DOOMED)
        return;
    o->flags |= OBJECT_DOOMED;
    o->doom_prev = 0;
    o->doom_next = objects.doomed;
    if (objects.doomed)
        object_from_number(objects.doomed)->doom_prev = number;
    objects.doomed = number;
}

static void leave_doom_queue(struct object *o)
{
    if ((o->flags & OBJECT_DOOMED) == 0)
        return;
    o->flags &= ~OBJECT_DOOMED;
    if (o->doom_prev)
        object_from_number(o->doom_prev)->doom_next = o->doom_next;
    else
        objects.doomed = o->doom_next;
    if (o->doom_next)
        object_from_number(o->doom_next)->doom_prev = o->doom_prev;
    o->doom_next = o->doom_prev = 0;
}

/* Nothing refers to it: end it and give its memory back.  That may doom its bank, if this was the
 * last thing that kept it. */
static void finish(struct object *o)
{
    u32 size = o->size;

    o->flags |= OBJECT_DYING;
    object_ops_of(o->type)->destroy(o);
    leave_doom_queue(o);
    slot_delete(&o->origin);
    bank_free(o, size);
}

/* Nothing that a holder does when it loses a capability empties or moves a slot that lies there:
 * objects are finished by the loop below only. */
static bool stays(enum slot_place place)
{
    return place == PLACE_CSPACE || place == PLACE_ORIGIN;
}

/*
 * Lock: alone.  Objects that lose their last capability on the way without being below `o` are
 * queued; the caller's object_reap takes them.
 */
void object_destroy(struct object *o)
{
    struct slot *top = &o->origin;
    struct slot *at = top;

    assert(object_bank(o) != NULL);
    o->flags |= OBJECT_DYING;
    for (;;) {
        struct slot *leaf = slot_leaf(at);
        struct slot *parent = slot_from_number(leaf->parent);
        struct object *target = slot_object(leaf);
        bool parent_stays = stays(slot_place(leaf)) || stays(slot_place(parent));

        /* Before its first capability goes: so it is not queued to die as well. */
        target->flags |= OBJECT_DYING;
        if (slot_place(leaf) == PLACE_ORIGIN)
            finish(target);
        else
            slot_evict(leaf);
        if (leaf == top)
            return;
        /* From the parent, since a chain of copies is as long as its maker likes, and a descent
         * from the top for each would be quadratic. */
        at = parent_stays ? parent : top;
    }
}

/* Lock: alone.  At the end of each operation that holds the kernel alone. */
void object_reap(void)
{
    while (objects.doomed) {
        struct object *o = object_from_number(objects.doomed);

        assert(o->origin.child == 0);
        object_destroy(o);
    }
}
