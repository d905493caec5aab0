/* SPDX-License-Identifier: MIT */
// sources: kernel/object/bank.c kernel/object/object.c kernel/object/slot.c kernel/object/cspace.c
// sources: kernel/object/frame.c lib/base/text.c
// sources: test/unit/fake/arena.c test/unit/fake/objects.c test/unit/fake/panic.c
/*
 * Claim: what a bank hands out is zero, aligned, nobody else's, and stays what its user made of it;
 * a bank never uses more than its limit; its counters are what is really out, page for page; a bank
 * that says no has not changed; and when a bank goes, each page it had is its parent's again.
 *
 * The model is the list of what was handed out, each piece filled with a pattern of its own, and a
 * second count of the pages by the frame records (B2).  A piece in two hands, a page charged to the
 * wrong bank or kept after its last piece, a limit not given back: each makes it fail.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/core/hart.h"
#include "kernel/object/bank.h"
#include "test/unit/fake/objects.h"
#include "test/unit/fake/panic.h"

#define FIRST_PAGE (FAKE_BASE >> PAGE_SHIFT)
#define PAGES      4096ul /* given to the allocator: 16 MiB */
#define BANKS      12
#define PIECES     3000

struct piece {
    void *at; /* NULL: this entry is a frame */
    struct frame *frame;
    size_t size; /* or order */
    struct bank *bank;
    u8 pattern;
};

void page_zero(void *page)
{
    memset(page, 0, PAGE_SIZE);
}

static struct bank *first;
static struct bank *banks[BANKS]; /* [0] = first */
static unsigned nbanks;
static struct piece pieces[PIECES];
static unsigned npieces;
static struct invocation inv;
static struct cspace *table;
static u64 random_state;

static u64 random_below(u64 n)
{
    random_state = random_state * 6364136223846793005ul + 1442695040888963407ul;
    return (random_state >> 33) % n;
}

static int boot(void **state)
{
    (void)state;
    fake_arena_init();
    frame_boot_add(paddr(FAKE_BASE), PAGES);
    first = bank_boot();
    banks[0] = first;
    nbanks = 1;
    table = fake_cspace = cspace_boot(first, 8);
    inv.thread = fake_alloc(sizeof(struct thread));
    return 0;
}

/* ---- The model --------------------------------------------------------------------------------*/

static size_t rounded(size_t size)
{
    size_t r = 32;

    while (r < size)
        r *= 2;
    return r;
}

/* B1 to B3 by what the frame records say. */
static void check_bank(const struct bank *b)
{
    u32 number = slot_to_number(&b->object.origin);
    u64 slabs = 0, frames = 0, children = 0, room[SLAB_CLASSES] = {0};

    for (u64 page = FIRST_PAGE; page < FIRST_PAGE + PAGES;) {
        const struct frame *f = &frame_array()[page];

        if (f->state == FRAME_SLAB && f->payer == number) {
            slabs++;
            room[f->size_class] += f->free_at != 0;
            assert_true(f->used > 0 && f->used <= PAGE_SIZE >> (f->size_class + SLAB_MIN_SHIFT));
        } else if (f->state != FRAME_FREE && f->payer == number) {
            frames += 1ul << f->order;
        }
        page += f->state == FRAME_SLAB ? 1 : 1ul << f->order; /* whole blocks */
    }
    for (unsigned i = 0; i < nbanks; i++)
        if (object_bank(&banks[i]->object) == b)
            children += banks[i]->limit;
    assert_int_equal(b->slab_pages, slabs);
    assert_int_equal(b->frame_pages, frames);
    assert_int_equal(b->child_pages, children);
    assert_int_equal(b->used, slabs + frames + children);
    assert_true(b->used <= b->limit && b->used <= b->peak && b->peak <= b->limit);
    for (unsigned c = 0; c < SLAB_CLASSES; c++)
        for (u32 n = b->slab[c]; n; n = frame_array()[n].slab_next)
            assert_true(room[c]-- > 0);
    for (unsigned c = 0; c < SLAB_CLASSES; c++)
        assert_int_equal(room[c], 0);
    bank_ops.check(&b->object);
}

static void check_all(void)
{
    u64 used = 0;

    for (unsigned i = 0; i < nbanks; i++) {
        check_bank(banks[i]);
        used += banks[i]->slab_pages + banks[i]->frame_pages;
    }
    assert_int_equal(frame_free_count() + used, PAGES);
    frame_check();
}

static void *bytes_of(const struct piece *p)
{
    return p->at ? p->at : frame_kva(p->frame);
}

static size_t size_of(const struct piece *p)
{
    return p->at ? p->size : PAGE_SIZE << p->size;
}

static void check_pattern(const struct piece *p)
{
    const u8 *bytes = bytes_of(p);

    for (size_t i = 0; i < size_of(p); i++)
        assert_int_equal(bytes[i], p->pattern);
}

static struct piece *record(void *at, struct frame *f, size_t size, struct bank *b)
{
    struct piece *p = &pieces[npieces++];

    *p = (struct piece){at, f, size, b, 1 + random_below(255)};
    memset(bytes_of(p), p->pattern, size_of(p));
    return p;
}

static void take_piece(struct bank *b)
{
    static const size_t sizes[] = {1, 32, 33, 64, 100, 128, 256, 512, 1000, 1024, 2048, 2049, 9000};
    size_t size =
        random_below(40) ? sizes[random_below(ARRAY_SIZE(sizes))] : 1 + random_below(60000);
    struct bank before = *b;
    u64 cost = bank_cost(b, size), nfree = frame_free_count();
    u8 *at = bank_alloc(b, size);

    if (at == NULL) {
        assert_true(cost > b->limit - b->used || cost > 1); /* larger blocks: perhaps no such one */
        assert_memory_equal(&before, b, sizeof(before));
        assert_int_equal(frame_free_count(), nfree);
        return;
    }
    assert_int_equal(b->used, before.used + cost);
    assert_true(is_aligned((u64)paddr_from_kva(at).addr, MIN(rounded(size), 1ul << 22)));
    for (size_t i = 0; i < size; i++)
        assert_int_equal(at[i], 0);
    record(at, NULL, size, b);
}

static void take_frame(struct bank *b)
{
    unsigned order = random_below(4) ? 0 : random_below(5);
    struct bank before = *b;
    struct frame *f = bank_frame_alloc(b, order);

    if (f == NULL) {
        assert_true(!bank_has(b, 1ul << order) || order > 0);
        assert_memory_equal(&before, b, sizeof(before));
        return;
    }
    assert_ptr_equal(frame_payer(f), b);
    assert_int_equal(b->frame_pages, before.frame_pages + (1ul << order));
    record(NULL, f, order, b);
}

static void give(unsigned i)
{
    struct piece p = pieces[i];
    struct bank before = *p.bank;

    check_pattern(&p);
    if (p.at) {
        bank_free(p.at, p.size);
    } else {
        bank_frame_free(p.frame, p.size);
        assert_int_equal(p.bank->used, before.used - (1ul << p.size));
    }
    pieces[i] = pieces[--npieces];
}

static void move_payer(unsigned i)
{
    struct piece *p = &pieces[i];
    struct bank *to = banks[random_below(nbanks)];
    struct bank before = *to;

    if (p->at != NULL || p->size != 0)
        return;
    if (bank_frame_move(p->frame, to)) {
        p->bank = to;
        assert_ptr_equal(frame_payer(p->frame), to);
    } else {
        assert_false(bank_has(to, 1));
        assert_memory_equal(&before, to, sizeof(before));
    }
}

/* ---- Child banks ------------------------------------------------------------------------------*/

static status_t create(struct bank *parent, word_t type, word_t slot, word_t argument)
{
    return fake_invoke(&parent->object, OP_bank_create, &inv, (word_t[]){type, slot, argument}, 3);
}

static word_t free_slot(void)
{
    word_t i = 1;

    while (!slot_is_empty(&table->slots[i]))
        i++;
    return i;
}

static void make_bank(struct bank *parent, u64 limit)
{
    struct bank before = *parent;
    u64 left = parent->limit - parent->used;
    u64 cost = bank_cost(parent, sizeof(struct bank));
    word_t slot = free_slot();
    status_t status = create(parent, OBJ_bank, slot, limit);

    if (status == ST_NO_SPACE) {
        assert_true(limit + cost > left);
        assert_int_equal(inv.detail, left);
        assert_memory_equal(&before, parent, sizeof(before));
        assert_true(slot_is_empty(&table->slots[slot]));
        return;
    }
    assert_int_equal(status, ST_OK);
    assert_true(limit + cost <= left);
    assert_int_equal(slot_rights(&table->slots[slot]), RIGHTS_ALL & ~BANK_DEVICE);
    banks[nbanks] = slot_object(&table->slots[slot]);
    assert_int_equal(banks[nbanks]->limit, limit);
    nbanks++;
}

static bool inside(const struct bank *b, const struct bank *ancestor)
{
    for (; b; b = object_bank(&b->object))
        if (b == ancestor)
            return true;
    return false;
}

static struct thread caller = {.state = THREAD_READY};

/* What is not an object must be given back before: objects do that when they are destroyed. */
static void destroy_bank(struct bank *b)
{
    struct bank *parent = object_bank(&b->object);
    u64 child_pages = parent->child_pages, limit = b->limit;

    for (unsigned i = 0; i < npieces;)
        if (inside(pieces[i].bank, b))
            give(i);
        else
            i++;
    for (unsigned i = nbanks; i-- > 1;)
        if (inside(banks[i], b))
            banks[i] = NULL;
    inv.thread = this_hart()->thread = &caller;
    assert_int_equal(fake_invoke(&b->object, OP_bank_destroy, &inv, NULL, 0), ST_OK);
    assert_false(inv.no_reply);
    assert_true(object_reap());
    for (unsigned i = nbanks; i-- > 1;)
        if (banks[i] == NULL)
            banks[i] = banks[--nbanks];
    assert_int_equal(parent->child_pages, child_pages - limit);
}

/* ---- Tests ------------------------------------------------------------------------------------*/

static void random_run(u64 seed)
{
    random_state = seed;
    for (unsigned step = 0; step < 4000; step++) {
        struct bank *b = banks[random_below(nbanks)];
        u64 what = random_below(1000);
        bool fill = random_below(100) < (step / 800 % 2 ? 40 : 62);

        if (what < 15 && nbanks < BANKS)
            make_bank(b, 1 + random_below(random_below(4) ? 60 : 5000));
        else if (what < 20 && b != first)
            destroy_bank(b);
        else if (what < 80 && npieces)
            move_payer(random_below(npieces));
        else if (fill && npieces < PIECES && what < 300)
            take_frame(b);
        else if (fill && npieces < PIECES)
            take_piece(b);
        else if (npieces)
            give(random_below(npieces));
        if (step % 200 == 0)
            check_all();
    }
    check_all();
    while (nbanks > 1)
        destroy_bank(banks[1 + random_below(nbanks - 1)]);
    while (npieces)
        give(random_below(npieces));
    check_all();
}

static void random_pieces_and_banks_come_back(void **state)
{
    struct bank before = *first;

    (void)state;
    for (u64 seed = 1; seed <= 12; seed++) {
        random_run(seed);
        before.peak = first->peak;
        for (unsigned c = 0; c < SLAB_CLASSES; c++) /* which page of a class is first may differ */
            assert_int_equal(before.slab[c] != 0, first->slab[c] != 0);
        memcpy(before.slab, first->slab, sizeof(before.slab));
        assert_memory_equal(&before, first, sizeof(before));
    }
}

static void small_bank_is_used_to_the_last_page(void **state)
{
    struct bank *b;
    void *last[4];
    unsigned n = 0;

    (void)state;
    make_bank(first, 4);
    b = banks[1];
    while (n < 4 && (last[n] = bank_alloc(b, 4096)) != NULL)
        n++;
    assert_int_equal(n, 4);
    assert_int_equal(b->used, 4);
    assert_null(bank_alloc(b, 32));
    assert_null(bank_frame_alloc(b, 0));
    bank_free(last[0], 4096);
    assert_non_null(last[0] = bank_alloc(b, 32));
    assert_int_equal(b->slab_pages, 1);
    bank_free(last[0], 32);
    assert_int_equal(b->slab_pages, 0);
    for (unsigned i = 1; i < 4; i++)
        bank_free(last[i], 4096);
    assert_int_equal(b->used, 0);
    assert_int_equal(b->peak, 4);
    destroy_bank(b);
    check_all();
}

static void create_reports_the_argument(void **state)
{
    word_t slot = free_slot();
    struct bank before = *first;

    (void)state;
    assert_int_equal(create(first, 0, slot, 0), ST_BAD_TYPE);
    assert_int_equal(create(first, 1ul << 32 | OBJ_bank, slot, 1), ST_BAD_TYPE);
    assert_int_equal(inv.detail, 1ul << 32 | OBJ_bank);
    assert_int_equal(create(first, OBJ_debug, slot, 0), ST_BAD_TYPE);
    assert_int_equal(create(first, OBJ_bank, 0, 1), ST_BAD_ARG);
    assert_int_equal(inv.detail, 1);
    assert_int_equal(create(first, OBJ_bank, 256, 1), ST_BAD_ARG);
    assert_int_equal(inv.detail, 1);
    assert_int_equal(create(first, OBJ_bank, slot, 0), ST_BAD_ARG);
    assert_int_equal(inv.detail, 2);
    assert_int_equal(create(first, OBJ_bank, slot, ~0ul), ST_NO_SPACE);
    assert_int_equal(create(first, OBJ_cspace, slot, 1), ST_BAD_ARG);
    assert_int_equal(inv.detail, 2);
    assert_int_equal(create(first, OBJ_cspace, slot, 17), ST_BAD_ARG);
    assert_memory_equal(&before, first, sizeof(before));
    assert_int_equal(create(first, OBJ_cspace, slot, 2), ST_OK);
    assert_int_equal(create(first, OBJ_bank, slot, 1), ST_OCCUPIED);
    assert_int_equal(inv.detail, slot);
    slot_delete(&table->slots[slot]);
    assert_true(object_reap());
    assert_int_equal(before.used, first->used);
}

/* Not for its table of eight pages, or for the table and not for the record. */
static void cspace_without_room_changes_nothing(void **state)
{
    static const u64 limits[] = {3, 8};
    struct bank before;

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(limits); i++) {
        make_bank(first, limits[i]);
        before = *banks[1];
        assert_int_equal(create(banks[1], OBJ_cspace, free_slot(), 10), ST_NO_SPACE);
        assert_int_equal(inv.detail, limits[i]);
        before.peak = banks[1]->peak;
        assert_memory_equal(&before, banks[1], sizeof(before));
        destroy_bank(banks[1]);
        check_all();
    }
}

static void query_tells_the_counters(void **state)
{
    void *a, *b;

    (void)state;
    make_bank(first, 100);
    make_bank(banks[1], 30);
    a = bank_alloc(banks[1], 64);
    b = bank_alloc(banks[1], 16384);
    bank_free(bank_alloc(banks[1], 65536), 65536); /* the highest use is past */
    assert_int_equal(fake_invoke(&banks[1]->object, OP_bank_query, &inv, NULL, 0), ST_OK);
    assert_int_equal(inv.nresults, 6);
    assert_int_equal(inv.results[0], 100);
    assert_int_equal(inv.results[1], 36); /* a slab of 64, one with the child's struct */
    assert_int_equal(inv.results[2], 52);
    assert_int_equal(inv.results[3], 2);
    assert_int_equal(inv.results[4], 4);
    assert_int_equal(inv.results[5], 30);
    bank_free(a, 64);
    bank_free(b, 16384);
    destroy_bank(banks[1]);
    check_all();
}

static void first_bank_refuses_to_be_destroyed(void **state)
{
    (void)state;
    assert_int_equal(fake_invoke(&first->object, OP_bank_destroy, &inv, NULL, 0), ST_DENIED);
    assert_int_equal(inv.detail, 0);
}

static void bank_that_dies_with_pages_in_use_panics(void **state)
{
    struct frame *f;

    (void)state;
    make_bank(first, 10);
    f = bank_frame_alloc(banks[1], 0);
    assert_true(EXPECT_PANIC((void)!object_destroy(&banks[1]->object, NULL)));
    bank_frame_free(f, 0);
    destroy_bank(banks[1]);
    check_all();
}

static void freeing_wrongly_panics(void **state)
{
    char *a = bank_alloc(first, 512), *b = bank_alloc(first, 512);

    (void)state;
    bank_free(b, 512);
    assert_true(EXPECT_PANIC(bank_free(b, 512)));      /* twice */
    assert_true(EXPECT_PANIC(bank_free(a, 256)));      /* another size */
    assert_true(EXPECT_PANIC(bank_free(a + 64, 512))); /* inside a piece */
    assert_true(EXPECT_PANIC(bank_frame_free(frame_of_kva(a), 0)));
    bank_free(a, 512);
    check_all();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_pieces_and_banks_come_back),
        cmocka_unit_test(small_bank_is_used_to_the_last_page),
        cmocka_unit_test(create_reports_the_argument),
        cmocka_unit_test(cspace_without_room_changes_nothing),
        cmocka_unit_test(query_tells_the_counters),
        cmocka_unit_test(first_bank_refuses_to_be_destroyed),
        cmocka_unit_test(bank_that_dies_with_pages_in_use_panics),
        cmocka_unit_test(freeing_wrongly_panics),
    };

    return cmocka_run_group_tests_name("bank", tests, boot, NULL);
}
