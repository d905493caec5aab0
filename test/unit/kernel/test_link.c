/* SPDX-License-Identifier: MIT */
// sources: kernel/object/link.c kernel/object/memory.c kernel/object/anon.c kernel/object/radix.c
// sources: kernel/object/bank.c kernel/object/object.c kernel/object/slot.c kernel/object/cspace.c
// sources: kernel/object/frame.c kernel/core/tree.c lib/base/text.c
// sources: test/unit/fake/arena.c test/unit/fake/objects.c test/unit/fake/panic.c
/*
 * Claim: objects that stand for hidden parents have, page for page, what an array for each of them says,
 * whichever is stored to, copied, released, or ends, and whosever bank goes; links go no deeper than they
 * may, in no circle; and when all have ended every page is back.
 *
 * The model is an array a copy.  A page taken while another object sees it, one kept when nobody does, a
 * hole forgotten, a rank too low, or a parent that outlives its children make it fail.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/mmu.h"
#include "kernel/core/invoke.h"
#include "kernel/object/aspace.h"
#include "kernel/object/bank.h"
#include "kernel/object/link.h"
#include "kernel/object/private.h"
#include "kernel/object/served.h"
#include "lib/base/string.h"
#include "test/unit/base/support.h"
#include "test/unit/fake/objects.h"
#include "test/unit/fake/panic.h"

#define PAGES   4096ul
#define OBJECTS 12u
#define BANKS   3u
#define NPAGES  1100u /* three index leaves */
#define PLACES  40u   /* pages that are used: a few in each leaf */

static struct random rng;
static struct bank *first, *banks[BANKS];
static struct invocation inv;
static struct slot bank_slot;
static bool step_at_a_time; /* an interrupt is always pending */

/* --------------------------------------------------------- the rest of the kernel, as far as used */

bool cpu_interrupt_pending(void)
{
    return step_at_a_time;
}
void mmu_flush_page(vaddr_t va, u32 asid)
{
    (void)va;
    (void)asid;
}
void mmu_flush_asid(u32 asid)
{
    (void)asid;
}
bool aspace_clear_pte(u64 *pte)
{
    (void)pte;
    abort(); /* nothing is mapped here: test_aspace maps */
}
struct frame *aspace_fold_pte(u64 old)
{
    (void)old;
    abort();
}
struct region *region_find(u32 root, u64 address)
{
    (void)root;
    (void)address;
    abort();
}
void served_retry(u64 *slot)
{
    (void)slot;
    abort();
}
void served_retry_one(struct thread *t)
{
    (void)t;
    abort();
}
struct thread *served_first_writer(u64 slot)
{
    (void)slot;
    abort();
}
bool private_lost(struct memory *own)
{
    (void)own;
    abort();
}
status_t memory_snapshot(struct object *o, struct invocation *i)
{
    (void)o;
    (void)i;
    abort();
}
void page_zero(void *page)
{
    memset(page, 0, PAGE_SIZE);
}
void page_copy(void *to, const void *from)
{
    memcpy(to, from, PAGE_SIZE);
}

/* ------------------------------------------------------------------------------------- the world */

static struct copy {
    struct memory *memory; /* NULL: none */
    unsigned bank;
    u64 pages[PLACES];
    bool lost; /* it may have lost pages: only those that it has are compared */
} copies[OBJECTS];

/* Which page of the object a place of the model is. */
static u64 page_of(unsigned place)
{
    return (u64)place * 27 % NPAGES;
}

static struct bank *make_bank(unsigned b, u64 limit)
{
    const word_t words[] = {OBJ_bank, 30 + b, limit, 0, 0};

    inv.slot = &bank_slot;
    assert_int_equal(fake_invoke(&first->object, OP_bank_create, &inv, words, 5), ST_OK);
    return slot_object(cspace_slot(fake_cspace, 30 + b));
}

static int boot(void **state)
{
    (void)state;
    fake_arena_init();
    frame_boot_add(paddr(FAKE_BASE), PAGES);
    first = bank_boot();
    fake_cspace = cspace_boot(first, 6);
    bank_slot = (struct slot){.word = slot_word(first, OBJ_bank, PLACE_CSPACE, RIGHTS_ALL)};
    return 0;
}

/* Keep it alive by a capability, or let it die. */
static struct slot *cap_of(unsigned i)
{
    return cspace_slot(fake_cspace, 1 + i);
}
static void hold(unsigned i, struct memory *m)
{
    slot_derive(cap_of(i), &m->object.origin, PLACE_CSPACE, RIGHTS_ALL, 0);
    copies[i].memory = m;
}
static void let_go(unsigned i)
{
    slot_delete(cap_of(i));
    copies[i].memory = NULL;
    while (!object_reap())
        ;
}

static void check_all(void)
{
    for (const struct slot *s = &first->object.origin; s;
         s = slot_walk_next(&first->object.origin, s)) {
        const struct object *o = slot_object(s);

        slot_check(s);
        if (slot_place(s) == PLACE_ORIGIN && object_ops_of(o->type)->check)
            object_ops_of(o->type)->check(o);
    }
}

/* ----------------------------------------------------------------------------- as a fault would do */

/* The status of a load; *value is what it reads. */
static status_t load(struct memory *m, u64 page, u64 *value)
{
    struct found f;

    link_follow(m, page, &f);
    assert_true(f.links <= LINK_MAX_DEPTH);
    if (f.lost)
        return ST_OWNER_DEAD;
    *value = f.resident ? *(u64 *)kva_from_paddr(paddr(*f.slot & ~SLOT_BITS)) : 0;
    return ST_OK;
}

static status_t store(struct memory *m, u64 page, u64 value)
{
    struct bank *bank = object_bank(&m->object);
    status_t status = ST_NO_SPACE;
    struct frame *frame;
    struct found f;
    u64 *slot;

    link_follow(m, page, &f);
    if (f.lost)
        return ST_OWNER_DEAD;
    slot = f.slot;
    if (f.resident && f.copier) {
        assert_ptr_equal(f.copier, m);
        slot = link_copy_page(&f, NULL, &status);
        if (!slot)
            return status;
    } else if (!f.resident) { /* zeros, for whoever would copy */
        slot = radix_make(&m->index, page, bank);
        frame = slot ? bank_frame_alloc(bank, 0) : NULL;
        if (!frame)
            return ST_NO_SPACE;
        page_zero(frame_kva(frame));
        memory_install(m, slot, page, frame);
    }
    *(u64 *)kva_from_paddr(paddr(*slot & ~SLOT_BITS)) = value;
    return ST_OK;
}

static void compare(unsigned i)
{
    for (unsigned p = 0; p < PLACES; p++) {
        u64 value = 0;
        status_t status = load(copies[i].memory, page_of(p), &value);

        if (status == ST_OK)
            assert_int_equal(value, copies[i].pages[p]);
        else
            assert_true(copies[i].lost);
    }
}

/* --------------------------------------------------------------------------------------- the tests */

static void step(unsigned n)
{
    unsigned i = (unsigned)random_below(&rng, OBJECTS), k = (unsigned)random_below(&rng, OBJECTS);
    unsigned p = (unsigned)random_below(&rng, PLACES), bank = (unsigned)random_below(&rng, BANKS);
    struct memory *m;

    if (!copies[i].memory) {
        m = anon_make(banks[bank], NPAGES * PAGE_SIZE);
        if (!m)
            return;
        hold(i, m);
        copies[i].bank = bank;
        copies[i].lost = false;
        memset(copies[i].pages, 0, sizeof(copies[i].pages));
        if (!copies[k].memory || k == i)
            return;
        if (link_clone(cap_of(k), 0, NPAGES, m) != ST_OK) {
            let_go(i);
            return;
        }
        memcpy(copies[i].pages, copies[k].pages, sizeof(copies[i].pages));
        copies[i].lost = copies[k].lost;
        return;
    }
    m = copies[i].memory;
    switch (random_below(&rng, 20)) {
    case 0:
        let_go(i);
        break;
    case 1:
        inv.slot = cap_of(i);
        if (m->ops->release_pages(m, RIGHTS_ALL, page_of(p), 1) == ST_OK)
            copies[i].pages[p] = 0;
        break;
    case 2:
        compare(i);
        break;
    default:
        if (store(m, page_of(p), n + 1) == ST_OK)
            copies[i].pages[p] = n + 1;
        break;
    }
}

/* `limits`: of the banks, in pages; small ones run full. */
static void run(const u64 limits[BANKS], unsigned steps, bool banks_end)
{
    u64 free_before = frame_free_count();

    for (unsigned b = 0; b < BANKS; b++)
        banks[b] = make_bank(b, limits[b]);
    for (unsigned n = 0; n < steps; n++) {
        step(n);
        if (n % 32 == 0)
            check_all();
        if (banks_end &&
            n % 500 == 499) { /* a bank goes: what it paid for ends, the others go on */
            unsigned b = (unsigned)random_below(&rng, BANKS);

            while (!object_destroy(&banks[b]->object, NULL))
                ;
            while (!object_reap())
                ;
            for (unsigned i = 0; i < OBJECTS; i++) {
                if (copies[i].memory && copies[i].bank == b)
                    copies[i].memory = NULL;
                copies[i].lost = true;
            }
            check_all();
            banks[b] = make_bank(b, limits[b]);
        }
    }
    for (unsigned i = 0; i < OBJECTS; i++)
        if (copies[i].memory) {
            compare(i);
            let_go(i);
        }
    for (unsigned b = 0; b < BANKS; b++) {
        assert_int_equal(banks[b]->used, 0);
        while (!object_destroy(&banks[b]->object, NULL))
            ;
    }
    while (!object_reap())
        ;
    assert_int_equal(frame_free_count(), free_before);
}

static void copies_are_what_a_model_says(void **state)
{
    static const u64 roomy[BANKS] = {1000, 1000, 1000};

    (void)state;
    step_at_a_time = false;
    run(roomy, 20000, false);
}

static void copies_end_step_by_step(void **state)
{
    static const u64 roomy[BANKS] = {1000, 1000, 1000};

    (void)state;
    step_at_a_time = true;
    run(roomy, 10000, false);
    step_at_a_time = false;
}

static void banks_run_full_and_nothing_is_wrong(void **state)
{
    static const u64 tight[BANKS] = {1000, 60, 25};

    (void)state;
    run(tight, 20000, false);
}

static void banks_end_and_copies_take_over(void **state)
{
    static const u64 mixed[BANKS] = {1000, 1000, 80};

    (void)state;
    run(mixed, 20000, true);
}

/* Seven hidden parents in a row, an eighth; then a copy has all pages itself and is no deeper. */
static void chains_are_at_most_eight_links(void **state)
{
    u64 value = 0, deepest = 0, free_before = frame_free_count();

    (void)state;
    banks[0] = make_bank(0, 1000);
    for (unsigned i = 0; i < OBJECTS; i++) {
        hold(i, anon_make(banks[0], NPAGES * PAGE_SIZE));
        if (i)
            assert_int_equal(link_clone(cap_of(i - 1), 0, NPAGES, copies[i].memory), ST_OK);
        assert_int_equal(store(copies[i].memory, i, i + 1), ST_OK);
        deepest = MAX(deepest, copies[i].memory->rank);
        assert_true(copies[i].memory->rank <= LINK_MAX_DEPTH);
        for (unsigned k = 0; k <= i; k++) {
            assert_int_equal(load(copies[i].memory, k, &value), ST_OK);
            assert_int_equal(value, k + 1);
        }
    }
    assert_int_equal(deepest, LINK_MAX_DEPTH);
    check_all();
    for (unsigned i = 0; i + 1 < OBJECTS; i++)
        let_go((i * 7) % (OBJECTS - 1));
    check_all();
    assert_int_equal(copies[OBJECTS - 1].memory->links_out, 0); /* all is its own by now */
    assert_int_equal(copies[OBJECTS - 1].memory->resident, OBJECTS);
    for (unsigned k = 0; k < OBJECTS; k++) {
        assert_int_equal(load(copies[OBJECTS - 1].memory, k, &value), ST_OK);
        assert_int_equal(value, k + 1);
    }
    let_go(OBJECTS - 1);
    assert_int_equal(banks[0]->used, 0);
    assert_true(object_destroy(&banks[0]->object, NULL));
    assert_true(object_reap());
    assert_int_equal(frame_free_count(), free_before);
}

/* A link that would close a circle, or be the ninth, does not fit; ranks fall when links end. */
static void ranks_fall_along_links(void **state)
{
    struct memory *m[11];
    struct link *l;

    (void)state;
    banks[0] = make_bank(0, 200);
    for (unsigned i = 0; i < 11; i++) {
        m[i] = anon_make(banks[0], NPAGES * PAGE_SIZE);
        assert_int_equal(link_fits(m[i], m[i]), false);
    }
    for (unsigned i = 1; i < 10; i++) {
        assert_int_equal(link_fits(m[i], m[i - 1]), i <= LINK_MAX_DEPTH);
        if (i > LINK_MAX_DEPTH)
            break;
        l = bank_alloc(banks[0], sizeof(*l));
        link_attach(l, m[i], 100 * i, 10, &m[i - 1]->object.origin, 5, LINK_ALIAS);
        for (unsigned k = 0; k < i; k++) /* back to any that it leads to */
            assert_false(link_fits(m[k], m[i]));
        assert_ptr_equal(link_find(m[i], 100 * i + 9), l);
        assert_null(link_find(m[i], 100 * i + 10));
        assert_ptr_equal(link_next(m[i], 0), l);
        assert_null(link_next(m[i], 100 * i + 10));
    }
    assert_true(link_fits(m[10], m[7]));
    assert_false(link_fits(m[10], m[8]));
    check_all();
    assert_true(link_end_step(m[8]));
    assert_int_equal(m[8]->rank, 0);
    assert_true(link_fits(m[10], m[8]));
    while (!object_destroy(&banks[0]->object, NULL))
        ;
    while (!object_reap())
        ;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copies_are_what_a_model_says),
        cmocka_unit_test(copies_end_step_by_step),
        cmocka_unit_test(banks_run_full_and_nothing_is_wrong),
        cmocka_unit_test(banks_end_and_copies_take_over),
        cmocka_unit_test(chains_are_at_most_eight_links),
        cmocka_unit_test(ranks_fall_along_links),
    };

    return cmocka_run_group_tests(tests, boot, NULL);
}
