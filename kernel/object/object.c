/* SPDX-License-Identifier: MIT */
/*
 * What all objects share: the table of their types, birth, and death.
 *
 * Death is one loop over the capability tree.  A capability is taken away from its holder, after its
 * children have been raised to its place; an origin below which nothing is left means that nothing
 * refers to that object any more, so it is finished and its memory goes back.  The tree is whole
 * between any two steps.
 *
 * The tempting other ways: deleting a parent before its children leaves a malformed tree wherever it is
 * interrupted; going down to a leaf each time takes as long as a chain of copies is, which is as long
 * as its maker likes.
 */
#include "kernel/object/object.h"

#include "arch/cpu.h"
#include "kernel/core/panic.h"
#include "kernel/core/trace.h"
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

u32 objects_fresh; /* [k] */

#define STEPS_PER_TICK 4 /* of destruction, each at most some 2,000 instructions */

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
    trace(create, trace_object(o), trace_object(bank ? &bank->object : NULL), size);
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
    objects_fresh++;
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

/* Nothing refers to it: take a step towards its end; true: its memory is given back.  That may doom
 * its bank, if this was the last thing that kept it. */
static bool finish_step(struct object *o)
{
    u32 size = o->size;

    o->flags |= OBJECT_DYING;
    if (!object_ops_of(o->type)->destroy(o))
        return false;
    trace(destroy, trace_object(o), 0, 0);
    leave_doom_queue(o);
    slot_delete(&o->origin);
    bank_free(o, size);
    return true;
}

/* The first below an origin that is to go now: not `last`, as long as there is another, or something
 * below it. */
static struct slot *first_below(const struct slot *origin, const struct slot *last)
{
    struct slot *s = slot_from_number(origin->child);

    return s && s == last && !s->child ? slot_from_number(s->next) : s;
}

/* A bounded step of destroying `top`; true: it is gone.  Objects that lose their last capability on
 * the way without being below it are queued.  Cost: nested banks, which are at most BANK_NESTING. */
static bool destroy_step(struct object *top, const struct slot *last)
{
    struct slot *at = &top->origin, *s;

    assert(object_bank(top) != NULL);
    top->flags |= OBJECT_DYING;
    while ((s = first_below(at, last)) != NULL) {
        if (slot_place(s) != PLACE_ORIGIN) {
            if (s->child)
                (void)!slot_raise_step(s); /* `last` may be among them */
            else
                (void)!slot_evict(s);
            return false;
        }
        /* Before its first capability goes: so it is not queued to die as well. */
        ((struct object *)slot_object(s))->flags |= OBJECT_DYING;
        at = s;
    }
    if (at->child)
        slot_delete(slot_from_number(at->child)); /* `last`, a slot of a cspace */
    return finish_step(slot_object(at)) && at == &top->origin;
}

/* Lock: alone. */
bool object_destroy(struct object *o, const struct slot *last)
{
    while (!destroy_step(o, last)) {
        if (cpu_interrupt_pending())
            return false;
    }
    return true;
}

/* Lock: alone. */
bool object_reap(void)
{
    objects_fresh = 0;
    while (objects.doomed) {
        if (!object_destroy(object_from_number(objects.doomed), NULL))
            return false;
    }
    return true;
}

/* The newest stand first, so what this operation queued comes before what others left.  Lock: alone. */
bool object_reap_fresh(void)
{
    while (objects_fresh && objects.doomed) {
        if (!object_destroy(object_from_number(objects.doomed), NULL)) {
            objects_fresh = 0;
            return false;
        }
        objects_fresh--;
    }
    objects_fresh = 0;
    return true;
}

/* Lock: alone. */
void object_reap_some(void)
{
    for (unsigned i = 0; i < STEPS_PER_TICK && objects.doomed; i++)
        (void)!destroy_step(object_from_number(objects.doomed), NULL);
    objects_fresh = 0;
}
