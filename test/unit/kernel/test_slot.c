/* SPDX-License-Identifier: MIT */
// sources: kernel/object/slot.c kernel/object/object.c kernel/object/cspace.c kernel/object/bank.c
// sources: kernel/object/frame.c lib/base/text.c
// sources: test/unit/fake/arena.c test/unit/fake/objects.c test/unit/fake/panic.c
/*
 * Claim: taking a capability away takes exactly what was made from it, or, where it is merely
 * deleted, nothing else; an object dies when and only when nobody can name it or its bank goes; and
 * everything that is not concerned stays as it was, in its place.
 *
 * The model is the tree in the order of a walk (parent before children), each entry with its parent
 * and what the slot must hold.  That order and the parents are the whole tree, and emptying a slot
 * with its children raised to its place leaves the order of all others as it is; so the model's
 * delete is removing a line.  The structure alone would not do: a tree that lost a subtree too many
 * is a well-formed tree.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/cpu.h"
#include "kernel/core/hart.h"
#include "kernel/object/aspace.h"
#include "kernel/object/bank.h"
#include "kernel/object/irq.h"
#include "test/unit/fake/objects.h"
#include "test/unit/fake/panic.h"

#define PAGES   8192ul
#define ENTRIES 4000

struct entry {
    struct slot *slot;
    struct slot *parent;
    u64 word;
    u64 badge;
    struct object *holder; /* object that the slot lies in; NULL for a region's */
};

static struct entry model[ENTRIES]; /* [0] = origin of the first bank */
static unsigned nmodel;
static struct bank *first;
static struct cspace *table; /* where everything begins; never dies */
static struct invocation inv;
static u64 random_state;
static unsigned live[OBJ_LIMIT]; /* objects of the types below made and not destroyed */
static unsigned evicted[PLACE_LIMIT];
static bool is_destroying; /* inside object_destroy */
static bool interrupted;   /* each preemption point finds an interrupt */

bool cpu_interrupt_pending(void)
{
    return interrupted;
}

void page_zero(void *page)
{
    memset(page, 0, PAGE_SIZE);
}

static u64 random_below(u64 n)
{
    random_state = random_state * 6364136223846793005ul + 1442695040888963407ul;
    return (random_state >> 33) % n;
}

/* ---- Types with embedded slots ----------------------------------------------------------------*/

static status_t thread_create(struct bank *bank, struct invocation *i, const word_t args[3],
                              struct object **out)
{
    struct thread *t = bank_alloc(bank, sizeof(*t));

    (void)args;
    if (t == NULL)
        return inv_fail(i, ST_NO_SPACE, 0);
    object_init(&t->object, bank, OBJ_thread, THREAD_BYTES);
    live[OBJ_thread]++;
    *out = &t->object;
    return ST_OK;
}

static struct slot *thread_slot(struct thread *t, enum slot_place place)
{
    return &t->cspace + (place - PLACE_THREAD_CSPACE);
}

static bool thread_destroy(struct object *o)
{
    struct thread *t = container_of(o, struct thread, object);

    assert_true(o->flags & OBJECT_DYING);
    assert_int_equal(o->origin.child, 0);
    for (unsigned p = PLACE_THREAD_CSPACE; p <= PLACE_THREAD_NOTIFICATION; p++)
        if (!slot_is_empty(thread_slot(t, p)))
            slot_delete(thread_slot(t, p));
    live[OBJ_thread]--;
    memset(t->regs, 0xdd, sizeof(*t) - offsetof(struct thread, regs));
    if (this_hart()->thread == t)
        this_hart()->thread = NULL;
    return true;
}

static status_t irq_create(struct bank *bank, struct invocation *i, const word_t args[3],
                           struct object **out)
{
    struct irq *irq = bank_alloc(bank, sizeof(*irq));

    (void)args;
    if (irq == NULL)
        return inv_fail(i, ST_NO_SPACE, 0);
    object_init(&irq->object, bank, OBJ_irq, 128);
    live[OBJ_irq]++;
    *out = &irq->object;
    return ST_OK;
}

static bool irq_destroy(struct object *o)
{
    struct irq *irq = container_of(o, struct irq, object);

    if (!slot_is_empty(&irq->notification))
        slot_delete(&irq->notification);
    live[OBJ_irq]--;
    return true;
}

const struct object_ops thread_ops = {.create = thread_create, .destroy = thread_destroy};
const struct object_ops irq_ops = {.create = irq_create, .destroy = irq_destroy};

/* A holder can see whether it loses a capability or the object itself is going. */
static void lost(struct slot *s, enum slot_place place)
{
    const struct object *o = slot_object(s);

    evicted[place]++;
    if (is_destroying)
        assert_true(o->flags & OBJECT_DYING);
    slot_delete(s);
}

#define LOST(type, member, place, function) \
    bool function(type *h)                  \
    {                                       \
        lost(&h->member, place);            \
        return true;                        \
    }
LOST(struct thread, cspace, PLACE_THREAD_CSPACE, thread_lost_cspace)
LOST(struct thread, aspace, PLACE_THREAD_ASPACE, thread_lost_aspace)
LOST(struct thread, handler, PLACE_THREAD_HANDLER, thread_lost_handler)
LOST(struct thread, home, PLACE_THREAD_HOME, thread_lost_home)
LOST(struct thread, endpoint, PLACE_THREAD_ENDPOINT, thread_lost_endpoint)
LOST(struct thread, notification, PLACE_THREAD_NOTIFICATION, thread_lost_notification)
LOST(struct irq, notification, PLACE_IRQ_NOTIFICATION, irq_lost_notification)

/* A region is freed when it loses its object. */
bool region_lost_object(struct region *r)
{
    lost(&r->object, PLACE_REGION_OBJECT);
    memset(r, 0xdd, sizeof(*r));
    bank_free(r, sizeof(*r));
    return true;
}

/* ---- The model --------------------------------------------------------------------------------*/

static unsigned find(const struct slot *s)
{
    for (unsigned i = 0; i < nmodel; i++)
        if (model[i].slot == s)
            return i;
    fail_msg("a slot that the model does not know");
    return 0;
}

static bool is_origin(const struct entry *e)
{
    return (e->word >> SLOT_PLACE_SHIFT & 0xf) == PLACE_ORIGIN;
}

static void model_insert(struct slot *s, struct slot *parent, u64 word, u64 badge,
                         struct object *holder)
{
    unsigned at = parent ? find(parent) + 1 : 0;

    assert_true(nmodel < ENTRIES);
    memmove(&model[at + 1], &model[at], (nmodel - at) * sizeof(*model));
    model[at] = (struct entry){s, parent, word, badge, holder};
    nmodel++;
}

static void model_drop(unsigned at)
{
    nmodel--;
    memmove(&model[at], &model[at + 1], (nmodel - at) * sizeof(*model));
}

static void model_delete(unsigned at)
{
    for (unsigned i = 0; i < nmodel; i++)
        if (model[i].parent == model[at].slot)
            model[i].parent = model[at].parent;
    model_drop(at);
}

static void model_delete_held_by(const struct object *o)
{
    for (unsigned i = nmodel; i-- > 0;)
        if (model[i].holder == o)
            model_delete(i);
}

/* Objects that nobody names die, and what they held goes, until nothing changes. */
static void model_reap(void)
{
    for (unsigned i = 1; i < nmodel; i++) {
        bool is_named = false;

        for (unsigned j = 1; j < nmodel && !is_named; j++)
            is_named = model[j].parent == model[i].slot;
        if (is_origin(&model[i]) && !is_named) {
            const struct object *o = (void *)model[i].slot;

            model_drop(i);
            model_delete_held_by(o);
            i = 0;
        }
    }
}

static bool model_is_below(unsigned i, const struct slot *top)
{
    const struct slot *s = model[i].slot;

    while (s && s != top)
        s = model[find(s)].parent;
    return s == top;
}

static void model_destroy(const struct slot *top)
{
    unsigned at = find(top);
    const struct object *dead[ENTRIES];
    unsigned ndead = 0;

    while (at < nmodel && model_is_below(at, top)) {
        unsigned last = at;

        while (last + 1 < nmodel && model_is_below(last + 1, top))
            last++;
        for (; last >= at && last < nmodel; last--) {
            if (is_origin(&model[last]))
                dead[ndead++] = (void *)model[last].slot;
            model_drop(last);
            if (last == 0)
                break;
        }
    }
    for (unsigned i = 0; i < ndead; i++)
        model_delete_held_by(dead[i]);
    model_reap();
}

/* The tree is the model, slot for slot. */
static void compare(void)
{
    struct slot *s = &first->object.origin;
    unsigned objects[OBJ_LIMIT] = {0};

    for (unsigned i = 0; i < nmodel; i++) {
        const struct entry *e = &model[i];

        assert_ptr_equal(s, e->slot);
        assert_int_equal(s->word, e->word);
        assert_int_equal(s->badge, e->badge);
        assert_ptr_equal(slot_from_number(s->parent), e->parent);
        slot_check(s);
        if (is_origin(e))
            objects[slot_type(s)]++;
        s = slot_walk_next(&first->object.origin, s);
    }
    assert_null(s);
    assert_int_equal(objects[OBJ_thread], live[OBJ_thread]);
    assert_int_equal(objects[OBJ_irq], live[OBJ_irq]);
}

/* ---- Operations on both -----------------------------------------------------------------------*/

/* A random full slot of that kind. */
static struct entry *pick(bool origins)
{
    for (unsigned tries = 0; tries < 1000; tries++) {
        struct entry *e = &model[random_below(nmodel)];

        if (is_origin(e) == origins)
            return e;
    }
    return NULL;
}

/* A random object of that type; NULL if a few tries find none. */
static void *pick_object(enum object_type type)
{
    for (unsigned tries = 0; tries < 60; tries++) {
        struct entry *e = &model[random_below(nmodel)];

        if (is_origin(e) && slot_type(e->slot) == type)
            return slot_object(e->slot);
    }
    return NULL;
}

/* A random empty slot, in a cspace or embedded, and its place and holder. */
static struct slot *pick_empty(enum slot_place *place, struct object **holder)
{
    for (unsigned tries = 0; tries < 30; tries++) {
        struct cspace *c = random_below(3) ? table : pick_object(OBJ_cspace);
        struct thread *t = random_below(4) ? NULL : pick_object(OBJ_thread);
        struct irq *irq = random_below(4) ? NULL : pick_object(OBJ_irq);
        struct slot *s = NULL;

        if (t) {
            *place = PLACE_THREAD_CSPACE + random_below(6);
            *holder = &t->object;
            s = thread_slot(t, *place);
        } else if (irq) {
            *place = PLACE_IRQ_NOTIFICATION;
            *holder = &irq->object;
            s = &irq->notification;
        } else if (c) {
            *place = PLACE_CSPACE;
            *holder = &c->object;
            s = &c->slots[1 + random_below(c->nslots - 1)];
        }
        if (s && slot_is_empty(s))
            return s;
    }
    return NULL;
}

static bool make(struct bank *bank, enum object_type type, word_t number, word_t argument)
{
    const word_t words[] = {type, number, argument};
    struct slot *s = &table->slots[number];
    status_t status = fake_invoke(&bank->object, OP_bank_create, &inv, words, 3);
    struct object *o;

    if (status == ST_NO_SPACE)
        return false;
    assert_int_equal(status, ST_OK);
    o = slot_object(s);
    model_insert(&o->origin, &bank->object.origin, slot_word(o, type, PLACE_ORIGIN, RIGHTS_ALL), 0,
                 NULL);
    model_insert(
        s, &o->origin,
        slot_word(o, type, PLACE_CSPACE, type == OBJ_bank ? RIGHTS_ALL & ~BANK_DEVICE : RIGHTS_ALL),
        0, &table->object);
    return true;
}

static word_t free_number(void)
{
    word_t i;

    for (i = 1; i < table->nslots && !slot_is_empty(&table->slots[i]); i++)
        continue;
    return i;
}

static void random_make(void)
{
    static const enum object_type types[] = {OBJ_bank, OBJ_cspace, OBJ_thread, OBJ_irq};
    enum object_type type = types[random_below(ARRAY_SIZE(types))];
    struct bank *bank = pick_object(OBJ_bank);
    word_t number = free_number();

    if (bank == NULL)
        bank = first;
    if (number < table->nslots)
        make(bank, type, number, type == OBJ_bank ? 1 + random_below(150) : 2 + random_below(5));
}

static void random_derive(void)
{
    struct entry *from = pick(false);
    enum slot_place place;
    struct object *holder = NULL;
    struct slot *to = pick_empty(&place, &holder);
    unsigned rights;
    u64 badge = random_below(1000);

    if (from == NULL || to == NULL || slot_place(from->slot) != PLACE_CSPACE) /* S5 */
        return;
    if (random_below(10) == 0) {
        struct region *r = bank_alloc(first, sizeof(*r));

        to = &r->object;
        place = PLACE_REGION_OBJECT;
        holder = NULL;
    }
    rights = slot_rights(from->slot) & random_below(RIGHTS_ALL + 1);
    slot_derive(to, from->slot, place, rights, badge);
    model_insert(to, from->slot,
                 slot_word(slot_object(from->slot), slot_type(from->slot), place, rights), badge,
                 holder);
}

static void random_move(void)
{
    struct entry *from = pick(false);
    enum slot_place place;
    struct object *holder;
    struct slot *to = pick_empty(&place, &holder);

    if (from == NULL || to == NULL || slot_place(from->slot) != PLACE_CSPACE ||
        from->slot == &table->slots[1] || (place != PLACE_CSPACE && from->slot->child)) /* S5 */
        return;
    slot_move(to, from->slot, place);
    for (unsigned i = 0; i < nmodel; i++)
        if (model[i].parent == from->slot)
            model[i].parent = to;
    from->slot = to;
    from->holder = holder;
    from->word = (from->word & ~(0xful << SLOT_PLACE_SHIFT)) | (u64)place << SLOT_PLACE_SHIFT;
}

static void random_delete(void)
{
    struct entry *e = pick(false);
    enum slot_place place;
    unsigned before;

    if (e == NULL || e->slot == &table->slots[1])
        return;
    place = slot_place(e->slot);
    before = evicted[place];
    if (place == PLACE_REGION_OBJECT || (e->slot->child == 0 && random_below(2))) {
        assert_true(slot_evict(e->slot));
        assert_int_equal(evicted[place], before + (place != PLACE_CSPACE));
    } else {
        slot_delete(e->slot);
        assert_int_equal(evicted[place], before);
    }
    model_delete(e - model);
    assert_true(object_reap());
    model_reap();
}

static void random_destroy(void)
{
    struct entry *e = pick(true);
    struct object *o;

    if (e == NULL || e->slot == &first->object.origin || e->slot == &table->object.origin)
        return;
    if (slot_type(e->slot) != OBJ_bank && random_below(3))
        return;
    o = slot_object(e->slot);
    is_destroying = true;
    assert_true(object_destroy(o, NULL));
    is_destroying = false;
    model_destroy(e->slot);
    assert_true(object_reap());
}

/* ---- Setting up -------------------------------------------------------------------------------*/

static int boot(void **state)
{
    (void)state;
    fake_arena_init();
    frame_boot_add(paddr(FAKE_BASE), PAGES);
    first = bank_boot();
    table = fake_cspace = cspace_boot(first, 8);
    inv.thread = fake_alloc(sizeof(struct thread));
    nmodel = 0;
    model_insert(&first->object.origin, NULL, first->object.origin.word, 0, NULL);
    model_insert(&table->object.origin, model[0].slot, table->object.origin.word, 0, NULL);
    slot_derive(&table->slots[1], &table->object.origin, PLACE_CSPACE, RIGHTS_ALL, 0);
    model_insert(&table->slots[1], &table->object.origin, table->slots[1].word, 0, &table->object);
    return 0;
}

/* Empty the table but for slot 1, and with it the world. */
static void clear(void)
{
    for (unsigned i = 2; i < table->nslots; i++)
        if (!slot_is_empty(&table->slots[i]))
            slot_delete(&table->slots[i]);
    assert_true(object_reap());
    /* What still lives is held by circles, which only an end of its bank breaks. */
    for (;;) {
        struct slot *s = &first->object.origin;

        while (s && (slot_place(s) != PLACE_ORIGIN || s == &first->object.origin ||
                     s == &table->object.origin))
            s = slot_walk_next(&first->object.origin, s);
        if (s == NULL)
            break;
        assert_true(object_destroy(slot_object(s), NULL));
        assert_true(object_reap());
    }
    /* And regions, which belong to nobody here. */
    while (table->object.origin.child != slot_to_number(&table->slots[1]) || table->slots[1].next ||
           table->slots[1].child) {
        struct slot *s = slot_from_number(table->object.origin.child);

        if (s == &table->slots[1])
            s = slot_from_number(s->child ? s->child : s->next);
        while (s->child)
            s = slot_from_number(s->child);
        assert_true(slot_evict(s));
    }
    nmodel = 0;
    model_insert(&first->object.origin, NULL, first->object.origin.word, 0, NULL);
    model_insert(&table->object.origin, model[0].slot, table->object.origin.word, 0, NULL);
    model_insert(&table->slots[1], &table->object.origin, table->slots[1].word, 0, &table->object);
    compare();
}

/* ---- Tests ------------------------------------------------------------------------------------*/

static void random_operations_against_the_model(void **state)
{
    u64 used = first->used;

    (void)state;
    for (u64 seed = 1; seed <= 25; seed++) {
        random_state = seed;
        for (unsigned step = 0; step < 700; step++) {
            u64 what = random_below(100);

            if (what < 20)
                random_make();
            else if (what < 60)
                random_derive();
            else if (what < 72)
                random_move();
            else if (what < 96 && (step / 100) % 3)
                random_delete();
            else if (what >= 98)
                random_destroy();
            compare();
        }
        clear();
        assert_int_equal(first->used, used);
        bank_ops.check(&first->object);
        cspace_ops.check(&table->object);
    }
    for (unsigned p = PLACE_THREAD_CSPACE; p <= PLACE_IRQ_NOTIFICATION; p++)
        assert_true(evicted[p] > 0 || p == PLACE_SERVED_SERVER);
}

static void deleted_slot_leaves_its_children_in_its_place(void **state)
{
    struct slot *s = table->slots;
    static const unsigned order[] = {6, 5, 8, 7, 3};
    u32 at;

    (void)state;
    make(first, OBJ_irq, 2, 0);
    slot_derive(&s[3], &s[2], PLACE_CSPACE, RIGHTS_ALL, 0);
    slot_derive(&s[4], &s[2], PLACE_CSPACE, RIGHTS_ALL, 0);
    slot_derive(&s[5], &s[2], PLACE_CSPACE, RIGHTS_ALL, 0);
    slot_derive(&s[6], &s[2], PLACE_CSPACE, RIGHTS_ALL, 0);
    slot_derive(&s[7], &s[4], PLACE_CSPACE, RIGHTS_ALL, 0);
    slot_derive(&s[8], &s[4], PLACE_CSPACE, RIGHTS_ALL, 0);
    slot_delete(&s[4]);
    at = s[2].child;
    for (unsigned i = 0; i < ARRAY_SIZE(order); i++, at = slot_from_number(at)->next)
        assert_ptr_equal(slot_from_number(at), &s[order[i]]);
    assert_int_equal(at, 0);
    clear();
}

static void last_capability_ends_the_object_at_the_reap(void **state)
{
    struct slot *s = table->slots;
    unsigned before = live[OBJ_thread];

    (void)state;
    make(first, OBJ_thread, 2, 0);
    slot_derive(&s[3], &s[2], PLACE_CSPACE, 0, 0);
    slot_delete(&s[2]);
    assert_true(object_reap());
    assert_int_equal(live[OBJ_thread], before + 1);
    slot_delete(&s[3]);
    assert_int_equal(live[OBJ_thread], before + 1); /* nothing dies inside an operation */
    assert_true(object_reap());
    assert_int_equal(live[OBJ_thread], before);
    clear();
}

static void doomed_object_whose_bank_goes_dies_once(void **state)
{
    struct slot *s = table->slots;
    unsigned before = live[OBJ_thread];

    (void)state;
    make(first, OBJ_bank, 2, 20);
    for (unsigned i = 3; i < 6; i++)
        make(slot_object(&s[2]), OBJ_thread, i, 0);
    slot_delete(&s[4]); /* the middle one of the queue goes first */
    slot_delete(&s[3]);
    slot_delete(&s[5]);
    assert_true(object_destroy(slot_object(&s[2]), NULL));
    assert_int_equal(live[OBJ_thread], before);
    assert_true(object_reap());
    assert_int_equal(live[OBJ_thread], before);
    clear();
}

static void bank_outlives_its_capabilities_while_things_are_made_from_it(void **state)
{
    struct slot *s = table->slots;
    u64 used = first->used;

    (void)state;
    make(first, OBJ_bank, 2, 50);
    make(slot_object(&s[2]), OBJ_irq, 3, 0);
    slot_delete(&s[2]);
    assert_true(object_reap());
    assert_false(slot_is_empty(&s[3]));
    slot_check(&s[3]);
    assert_true(first->used > used);
    slot_delete(&s[3]);
    assert_true(object_reap());
    assert_int_equal(first->used, used);
    clear();
}

static void object_that_holds_itself_goes_with_its_bank(void **state)
{
    struct slot *s = table->slots;
    struct cspace *c;
    u64 used = first->used;

    (void)state;
    make(first, OBJ_bank, 2, 50);
    make(slot_object(&s[2]), OBJ_cspace, 3, 4);
    c = slot_object(&s[3]);
    slot_move(&c->slots[1], &s[3], PLACE_CSPACE);
    assert_true(object_reap());
    assert_int_equal(c->object.flags, 0);
    assert_true(object_destroy(slot_object(&s[2]), NULL));
    assert_true(object_reap());
    assert_int_equal(first->used, used);
    clear();
}

static void chain_of_65000_copies_is_taken_apart(void **state)
{
    struct slot *s = table->slots;
    struct cspace *c;
    u64 used = first->used;

    (void)state;
    make(first, OBJ_bank, 2, 600);
    make(slot_object(&s[2]), OBJ_cspace, 3, 16);
    make(slot_object(&s[2]), OBJ_irq, 4, 0);
    c = slot_object(&s[3]);
    slot_derive(&c->slots[1], &s[4], PLACE_CSPACE, RIGHTS_ALL, 0);
    for (unsigned i = 2; i < 65000; i++)
        slot_derive(&c->slots[i], &c->slots[i - 1], PLACE_CSPACE, RIGHTS_ALL, 0);
    assert_true(object_destroy(slot_object(&s[2]), NULL));
    assert_true(object_reap());
    assert_int_equal(first->used, used);
    clear();
}

/* Interrupted after each step, destruction is gone on with by whoever holds the same capability. */
static void destruction_keeps_its_handle_to_the_end(void **state)
{
    struct slot *s = table->slots;
    u64 used = first->used;
    unsigned steps = 0;

    (void)state;
    make(first, OBJ_bank, 2, 600);
    make(slot_object(&s[2]), OBJ_cspace, 3, 8);
    for (unsigned i = 4; i < 60; i++)
        make(slot_object(&s[2]), i % 2 ? OBJ_irq : OBJ_thread, i, 0);
    slot_derive(&s[60], &s[2], PLACE_CSPACE, slot_rights(&s[2]), 0);
    for (unsigned i = 61; i < 120; i++) /* below the handle, and beside it */
        slot_derive(&s[i], &s[i % 3 ? 60 : 2], PLACE_CSPACE, 0, 0);
    interrupted = true;
    while (!object_destroy(slot_object(&s[60]), &s[60])) {
        steps++;
        assert_false(slot_is_empty(&s[60]));
        for (struct slot *t = &first->object.origin; t;
             t = slot_walk_next(&first->object.origin, t))
            slot_check(t);
    }
    interrupted = false;
    assert_true(steps > 100);
    assert_true(slot_is_empty(&s[60]));
    assert_int_equal(first->used, used);
    clear();
}

/* Revoke leaves the capability, its siblings and what those have, whenever it is interrupted. */
static void revoke_takes_what_is_below_and_nothing_else(void **state)
{
    struct slot *s = table->slots;
    u32 sibling, parent;

    (void)state;
    make(first, OBJ_irq, 2, 0);
    for (unsigned i = 3; i < 10; i++)
        slot_derive(&s[i], &s[2], PLACE_CSPACE, RIGHTS_ALL, 0);
    for (unsigned i = 10; i < 200; i++)
        slot_derive(&s[i], &s[i < 30 ? 5 : i - 19], PLACE_CSPACE, RIGHTS_ALL, 0);
    for (unsigned i = 200; i < 220; i++)
        slot_derive(&s[i], &s[6], PLACE_CSPACE, RIGHTS_ALL, 0);
    sibling = s[5].next;
    parent = s[5].parent;
    while (!slot_revoke_step(&s[5]))
        for (unsigned i = 2; i < 220; i++)
            slot_check(&s[i]);
    assert_true(slot_revoke_step(&s[5])); /* below which nothing is */
    for (unsigned i = 2; i < 220; i++)
        assert_int_equal(slot_is_empty(&s[i]), i >= 10 && i < 200);
    assert_int_equal(s[5].child, 0);
    assert_int_equal(s[5].next, sibling);
    assert_int_equal(s[5].parent, parent);
    clear();
}

static void rights_cannot_grow(void **state)
{
    struct slot *s = table->slots;

    (void)state;
    make(first, OBJ_irq, 2, 0);
    slot_derive(&s[3], &s[2], PLACE_CSPACE, 5, 0);
    assert_true(EXPECT_PANIC(slot_derive(&s[4], &s[3], PLACE_CSPACE, 7, 0)));
    assert_true(slot_is_empty(&s[4]));
    clear();
}

static void check_finds_broken_links(void **state)
{
    struct slot *s = table->slots;
    struct slot whole;

    (void)state;
    make(first, OBJ_irq, 2, 0);
    slot_derive(&s[3], &s[2], PLACE_CSPACE, 5, 0);
    slot_derive(&s[4], &s[2], PLACE_CSPACE, 5, 0);
    whole = s[3];
    s[3].parent = slot_to_number(&s[4]);
    assert_true(EXPECT_PANIC(slot_check(&s[2])));
    s[3] = whole;
    s[3].prev = 0;
    assert_true(EXPECT_PANIC(slot_check(&s[3])));
    assert_true(EXPECT_PANIC(slot_check(&s[4])));
    s[3] = whole;
    s[3].word |= 2;
    slot_check(&s[3]);
    s[2].word &= ~2ul;
    assert_true(EXPECT_PANIC(slot_check(&s[3])));
    s[2].word |= 2;
    s[3] = whole;
    s[5].next = 1;
    assert_true(EXPECT_PANIC(slot_check(&s[5])));
    s[5].next = 0;
    clear();
}

/* ---- The operations of a cspace ---------------------------------------------------------------*/

static struct cspace *other; /* in slot 3 of the table: 16 slots */

static status_t ask(unsigned operation, word_t a, word_t b, word_t c, word_t d, word_t e)
{
    const word_t words[] = {a, b, c, d, e};

    return fake_invoke(&other->object, operation, &inv, words, 5);
}

static void set_up_cspaces(void)
{
    make(first, OBJ_irq, 2, 0);
    make(first, OBJ_cspace, 3, 4);
    other = slot_object(&table->slots[3]);
}

static void cspace_copy_mint_move(void **state)
{
    struct slot *s;

    (void)state;
    set_up_cspaces();
    s = other->slots;
    assert_int_equal(ask(OP_cspace_copy, 5, 1, 2, ~0ul << 8 | 6, 99), ST_OK);
    assert_int_equal(slot_rights(&s[5]), 6);
    assert_int_equal(s[5].badge, 0);
    assert_ptr_equal(slot_from_number(s[5].parent), &table->slots[2]);
    assert_int_equal(ask(OP_cspace_mint, 6, 3, 5, RIGHTS_ALL, 42), ST_OK);
    assert_int_equal(slot_rights(&s[6]), 6);
    assert_int_equal(s[6].badge, 42);
    assert_int_equal(ask(OP_cspace_mint, 7, 3, 6, RIGHTS_ALL, 43), ST_DENIED);
    assert_int_equal(inv.detail, 0);
    assert_true(slot_is_empty(&s[7]));
    assert_int_equal(ask(OP_cspace_copy, 7, 3, 6, 2, 0), ST_OK);
    assert_int_equal(s[7].badge, 42);
    assert_int_equal(ask(OP_cspace_move, 15, 3, 5, 0, 0), ST_OK);
    assert_true(slot_is_empty(&s[5]));
    assert_ptr_equal(slot_from_number(s[6].parent), &s[15]);
    assert_int_equal(ask(OP_cspace_query, 7, 0, 0, 0, 0), ST_OK);
    assert_int_equal(inv.nresults, 3);
    assert_int_equal(inv.results[0], OBJ_irq);
    assert_int_equal(inv.results[1], 2);
    assert_int_equal(inv.results[2], 42);
    assert_int_equal(ask(OP_cspace_query, 5, 0, 0, 0, 0), ST_OK);
    assert_int_equal(inv.results[0], 0);
    assert_int_equal(ask(OP_cspace_delete, 15, 0, 0, 0, 0), ST_OK);
    assert_ptr_equal(slot_from_number(s[6].parent), &table->slots[2]);
    cspace_ops.check(&other->object);
    clear();
}

static void cspace_errors_name_the_argument(void **state)
{
    static const unsigned transfers[] = {OP_cspace_copy, OP_cspace_mint, OP_cspace_move};

    (void)state;
    set_up_cspaces();
    slot_derive(&table->slots[4], &table->slots[3], PLACE_CSPACE, 0, 0); /* without EDIT */
    slot_derive(&other->slots[5], &table->slots[2], PLACE_CSPACE, 0, 0);
    for (unsigned i = 0; i < ARRAY_SIZE(transfers); i++) {
        assert_int_equal(ask(transfers[i], 0, 1, 2, 0, 0), ST_BAD_ARG);
        assert_int_equal(inv.detail, 0);
        assert_int_equal(ask(transfers[i], 16, 1, 2, 0, 0), ST_BAD_ARG);
        assert_int_equal(inv.detail, 0);
        for (unsigned from = 0; from < 6; from++)
            if (from != 1 && from != 3) { /* none, an irq, without EDIT, empty */
                assert_int_equal(ask(transfers[i], 1, from, 2, 0, 0), ST_BAD_CAP);
                assert_int_equal(inv.detail, 1);
            }
        assert_int_equal(ask(transfers[i], 1, 1, 0, 0, 0), ST_BAD_ARG);
        assert_int_equal(inv.detail, 2);
        assert_int_equal(ask(transfers[i], 1, 3, 16, 0, 0), ST_BAD_ARG);
        assert_int_equal(inv.detail, 2);
        assert_int_equal(ask(transfers[i], 5, 1, 2, 0, 0), ST_OCCUPIED);
        assert_int_equal(inv.detail, 5);
        assert_int_equal(ask(transfers[i], 5, 3, 5, 0, 0), ST_OCCUPIED); /* onto itself */
        assert_int_equal(ask(transfers[i], 1, 3, 7, 0, 0), ST_NOT_FOUND);
        assert_int_equal(inv.detail, 7);
    }
    assert_int_equal(ask(OP_cspace_delete, 0, 0, 0, 0, 0), ST_BAD_ARG);
    assert_int_equal(ask(OP_cspace_delete, 16, 0, 0, 0, 0), ST_BAD_ARG);
    assert_int_equal(ask(OP_cspace_delete, 7, 0, 0, 0, 0), ST_NOT_FOUND);
    assert_int_equal(inv.detail, 7);
    assert_int_equal(ask(OP_cspace_query, 16, 0, 0, 0, 0), ST_BAD_ARG);
    clear();
}

static void destroying_the_callers_own_bank_leaves_nobody_to_answer(void **state)
{
    struct slot *s = table->slots;
    struct thread *outside = inv.thread;
    const struct object *parent;

    (void)state;
    make(first, OBJ_bank, 2, 100);
    make(slot_object(&s[2]), OBJ_bank, 3, 50);
    make(slot_object(&s[3]), OBJ_thread, 4, 0);
    make(first, OBJ_bank, 5, 10);
    inv.thread = this_hart()->thread = slot_object(&s[4]);
    inv.thread->state = THREAD_READY;
    assert_int_equal(fake_invoke(slot_object(&s[5]), OP_bank_destroy, &inv, NULL, 0), ST_OK);
    assert_false(inv.no_reply);
    parent = slot_object(&s[2]);
    assert_int_equal(fake_invoke((struct object *)parent, OP_bank_destroy, &inv, NULL, 0), ST_OK);
    assert_true(inv.no_reply);
    assert_true(object_reap());
    inv.thread = outside;
    clear();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_operations_against_the_model),
        cmocka_unit_test(deleted_slot_leaves_its_children_in_its_place),
        cmocka_unit_test(last_capability_ends_the_object_at_the_reap),
        cmocka_unit_test(doomed_object_whose_bank_goes_dies_once),
        cmocka_unit_test(bank_outlives_its_capabilities_while_things_are_made_from_it),
        cmocka_unit_test(object_that_holds_itself_goes_with_its_bank),
        cmocka_unit_test(chain_of_65000_copies_is_taken_apart),
        cmocka_unit_test(destruction_keeps_its_handle_to_the_end),
        cmocka_unit_test(revoke_takes_what_is_below_and_nothing_else),
        cmocka_unit_test(rights_cannot_grow),
        cmocka_unit_test(check_finds_broken_links),
        cmocka_unit_test(cspace_copy_mint_move),
        cmocka_unit_test(cspace_errors_name_the_argument),
        cmocka_unit_test(destroying_the_callers_own_bank_leaves_nobody_to_answer),
    };

    return cmocka_run_group_tests_name("slot", tests, boot, NULL);
}
