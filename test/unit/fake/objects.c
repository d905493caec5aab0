/* SPDX-License-Identifier: MIT */
/*
 * Empty object types, slot hooks and invocation helpers, for host tests that link a part of
 * kernel/object.
 *
 * All are weak: linking the real file, or a definition in the test, takes their place.  Message
 * words lie in the calling thread's block and fake_buffer, the caller's cspace is fake_cspace.
 */
#include "test/unit/fake/objects.h"

#include "arch/cpu.h"
#include "kernel/core/hart.h"
#include "kernel/object/aspace.h"
#include "kernel/object/irq.h"
#include "kernel/object/link.h"
#include "kernel/object/served.h"

#define WEAK __attribute__((weak))

static struct thread_buffer fake_buffer;
static struct thread fake_caller; /* where the test names none */
struct cspace *fake_cspace;

static struct hart fake_hart_record;
WEAK void *fake_hart = &fake_hart_record;

#define OBJECT(number, name, text) WEAK const struct object_ops name##_ops = {0};
#include "lib/abi/objects.def"
#undef OBJECT

/* What every hook must do, and nothing else. */
#define SLOT_PLACE(number, name, type, member, emptied) SLOT_PLACE_##number(type, member, emptied)
#define SLOT_PLACE_0(type, member, emptied)
#define SLOT_PLACE_1(type, member, emptied)
#define HOOK(type, member, emptied)             \
    WEAK bool emptied(type *h)                  \
    {                                           \
        slot_delete((struct slot *)&h->member); \
        return true;                            \
    }
#define SLOT_PLACE_2  HOOK
#define SLOT_PLACE_3  HOOK
#define SLOT_PLACE_4  HOOK
#define SLOT_PLACE_5  HOOK
#define SLOT_PLACE_6  HOOK
#define SLOT_PLACE_7  HOOK
#define SLOT_PLACE_8  HOOK
#define SLOT_PLACE_9  HOOK
#define SLOT_PLACE_10 HOOK
#define SLOT_PLACE_11 HOOK
#define SLOT_PLACE_12(type, member, emptied)
#include "kernel/object/slot_places.def"
#undef SLOT_PLACE

WEAK bool cpu_interrupt_pending(void)
{
    return false;
}

WEAK struct slot *inv_lookup(const struct invocation *inv, word_t number)
{
    struct slot *s = number ? cspace_slot(fake_cspace, number) : NULL;

    (void)inv;
    return s && !slot_is_empty(s) ? s : NULL;
}

WEAK struct slot *inv_destination(const struct invocation *inv, word_t number, status_t *status)
{
    struct slot *s = number ? cspace_slot(fake_cspace, number) : NULL;

    (void)inv;
    if (s == NULL)
        *status = ST_BAD_ARG;
    else if (!slot_is_empty(s))
        *status = ST_OCCUPIED;
    else
        return s;
    return NULL;
}

WEAK struct slot *inv_capability(const struct invocation *inv, word_t number, enum object_type type,
                                 unsigned rights)
{
    struct slot *s = inv_lookup(inv, number);

    return s && slot_holds(s, type, rights) ? s : NULL;
}

status_t fake_invoke(struct object *o, unsigned operation, struct invocation *inv,
                     const word_t *words, unsigned nwords)
{
    const struct operation_table *table = object_ops_of(o->type)->operations;
    static unsigned last;

    if (!inv->thread)
        inv->thread = &fake_caller;
    inv->thread->buffer = &fake_buffer;
    for (unsigned i = 0; i < MESSAGE_WORDS; i++) {
        word_t word = i < nwords ? words[i] : 0xdeadul << 40;

        if (i == 2 && inv->thread->carries && operation == last) /* inv_restart_with */
            continue;
        if (i < MESSAGE_REGISTERS)
            inv->thread->regs[10 + i] = word;
        else
            fake_buffer.words[i] = word;
    }
    last = operation;
    inv->nwords = nwords;
    inv->nresults = 0;
    inv->detail = 0;
    inv->no_reply = false;
    inv->restart = false;
    return table->operations[operation].fn(o, inv);
}
