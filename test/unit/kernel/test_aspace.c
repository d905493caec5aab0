/* SPDX-License-Identifier: MIT */
// sources: kernel/object/aspace.c kernel/object/cut.c kernel/object/region.c kernel/core/tree.c
// sources: kernel/object/radix.c
// sources: kernel/object/memory.c kernel/object/anon.c kernel/object/phys.c kernel/object/served.c
// sources: kernel/object/link.c kernel/object/private.c kernel/object/fork.c
// sources: kernel/object/bank.c kernel/object/object.c kernel/object/slot.c kernel/object/cspace.c
// sources: kernel/object/frame.c kernel/core/fault.c lib/base/text.c
// sources: test/unit/fake/arena.c test/unit/fake/objects.c test/unit/fake/panic.c
/*
 * Claim: whatever is mapped, touched, unmapped, protected and destroyed in whatever order, an address space
 * shows exactly the pages that its regions say, the hardware remembers nothing that is gone, each
 * waiting thread is woken when its region goes, every refused map has the status and detail of
 * aspace.def and changes nothing, and at the end every page is back in its bank.
 *
 * The model is a list of mappings.  The translation cache is a list of what hardware may remember
 * (leaf entries and page-table nodes, by address space identifier), from which only a fence removes.
 * A flush left out, a table freed too early or not at all, a map count or a list link that drifts,
 * or checks in the wrong order make it fail.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/mmu.h"
#include "kernel/core/counters.h"
#include "kernel/core/fault.h"
#include "kernel/core/ipc.h"
#include "kernel/core/schedule.h"
#include "kernel/object/answer.h"
#include "kernel/object/aspace.h"
#include "kernel/object/bank.h"
#include "kernel/object/endpoint.h"
#include "lib/base/string.h"
#include "test/unit/base/support.h"
#include "test/unit/fake/objects.h"
#include "test/unit/fake/panic.h"

#define PAGES    8192ul /* given to the allocator */
#define ASIDS    4u     /* what the hardware has: 1 to 3, and 0 for all others */
#define SPACES   5u
#define THREADS  8u
#define OBJECTS  6u
#define MAPPINGS 400u
#define LEAF     ((u64)RADIX_ENTRIES << PAGE_SHIFT)

/* Slots of the caller's cspace. */
enum {
    SLOT_SPACE = 1,
    SLOT_MEMORY = 10,
    SLOT_WEAK = 20,
    SLOT_BANK = 30,
    SLOT_ENDPOINT,
    SLOT_OTHER
};

static struct random rng;
static struct bank *first, *bank;
static struct slot bank_slot;
static struct invocation inv;
static struct thread *threads[THREADS];
static struct endpoint *endpoint;

struct counters kernel_counters;

static bool interrupted; /* each preemption point finds an interrupt */

bool cpu_interrupt_pending(void)
{
    return interrupted;
}

/* ------------------------------------------------------------------ what hardware may remember */

static struct remembered {
    u32 asid;
    u64 page;  /* virtual */
    u64 pte;   /* leaf entry */
    u64 *node; /* page-table leaf node */
} cache[4096];
static unsigned ncached;

u32 mmu_asid_limit(void)
{
    return ASIDS;
}

static void forget(u32 asid, u64 page, bool all)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < ncached; i++) {
        if (cache[i].asid == asid && all)
            continue;
        if (cache[i].asid == asid && cache[i].page == page)
            cache[i].pte = 0; /* a fence for one page forgets leaves, not tables */
        cache[kept++] = cache[i];
    }
    ncached = kept;
}

void mmu_flush_page(vaddr_t va, u32 asid)
{
    forget(asid, va.addr >> PAGE_SHIFT, false);
}

void mmu_flush_asid(u32 asid)
{
    forget(asid, 0, true);
}

void mmu_root_init(u64 *root)
{
    for (unsigned i = RADIX_ENTRIES / 2; i < RADIX_ENTRIES; i++)
        root[i] = ~0ul; /* the kernel's half: nobody may follow it */
}

static void remember(struct aspace *a, u64 address)
{
    u64 *pte = radix_find(&a->table, address >> PAGE_SHIFT);

    if (a->asid == 0 || !pte || ncached == ARRAY_SIZE(cache))
        return;
    cache[ncached++] = (struct remembered){a->asid, address >> PAGE_SHIFT, *pte,
                                           (u64 *)align_down((u64)pte, PAGE_SIZE)};
}

/* --------------------------------------------------------- the rest of the kernel, as far as used */

static status_t last_exception;

void exception_raise(struct thread *t, status_t status, unsigned access, u64 address)
{
    (void)access;
    (void)address;
    t->state = THREAD_STOPPED;
    last_exception = status;
}

void schedule_ready(struct thread *t)
{
    t->state = THREAD_READY;
}

void schedule_block(struct thread *t, unsigned state)
{
    t->state = (u8)state;
}

void sched_return(struct thread *t)
{
    (void)t;
}

void schedule_leave_space(u64 satp)
{
    (void)satp;
}

void ipc_object_has_news(struct served *s)
{
    (void)s;
}

struct thread *ipc_take_receiver(struct endpoint *e)
{
    (void)e;
    return NULL;
}

void sched_unpledge(struct thread *t)
{
    (void)t;
}
void help_by(struct thread *t)
{
    (void)t;
}

void sched_lend(struct thread *from, struct thread *to)
{
    (void)from;
    (void)to;
}

void ipc_ask(struct thread *t, struct endpoint *e)
{
    (void)t;
    (void)e;
    abort(); /* no object here is declared to ask */
}

status_t answer_invoke(struct served *s, struct invocation *i)
{
    (void)s;
    (void)i;
    return ST_OK;
}

void page_zero(void *page)
{
    memset(page, 0, PAGE_SIZE);
}

void page_copy(void *to, const void *from)
{
    memcpy(to, from, PAGE_SIZE);
}

static bool endpoint_destroy(struct object *o)
{
    (void)o;
    return true;
}

const struct object_ops endpoint_ops = {.destroy = endpoint_destroy};

bool thread_lost_aspace(struct thread *t)
{
    if (t->state == THREAD_FAULTING)
        served_cancel_wait(t);
    t->state = THREAD_STOPPED;
    slot_delete(&t->aspace);
    return true;
}

/* ------------------------------------------------------------------------------------- the world */

static void *object_at(unsigned number)
{
    const struct slot *s = cspace_slot(fake_cspace, number);

    return slot_is_empty(s) ? NULL : slot_object(s);
}

static status_t create(unsigned type, unsigned number, word_t a, word_t b)
{
    const word_t words[] = {type, number, a, b, 0};

    inv.slot = &bank_slot;
    return fake_invoke(&bank->object, OP_bank_create, &inv, words, ARRAY_SIZE(words));
}

static void delete_slot(unsigned number)
{
    slot_delete(cspace_slot(fake_cspace, number));
    assert_true(object_reap());
}

#define DEVICE_RANGE 0x10000000ul
#define RAM_RANGE    0x9000000000ul

static int boot(void **state)
{
    char *blocks;

    (void)state;
    fake_arena_init();
    frame_boot_add(paddr(FAKE_BASE), PAGES);
    first = bank_boot();
    fake_cspace = cspace_boot(first, 6);
    blocks = fake_alloc((THREADS + 1) * THREAD_BYTES);
    blocks = (char *)align_up((u64)blocks, THREAD_BYTES);
    for (unsigned i = 0; i < THREADS; i++)
        threads[i] = (struct thread *)(blocks + (u64)i * THREAD_BYTES);
    phys_give(paddr(DEVICE_RANGE + 0x10), 0x1fe0, MEMORY_DEVICE); /* two whole pages around it */
    phys_give(paddr(RAM_RANGE), 1ul << 30, MEMORY_NORMAL);
    bank_slot = (struct slot){.word = slot_word(first, OBJ_bank, PLACE_CSPACE, RIGHTS_ALL)};
    return 0;
}

/* Each test has a bank of its own. */
static int begin(void **state)
{
    (void)state;
    ncached = 0;
    bank = first;
    assert_int_equal(create(OBJ_bank, SLOT_BANK, 4000, 0), ST_OK);
    bank = object_at(SLOT_BANK);
    for (unsigned i = 0; i < THREADS; i++)
        threads[i]->state = THREAD_STOPPED;
    endpoint = bank_alloc(bank, sizeof(*endpoint));
    object_init(&endpoint->object, bank, OBJ_endpoint, sizeof(*endpoint));
    endpoint->bound = 1;
    slot_derive(cspace_slot(fake_cspace, SLOT_ENDPOINT), &endpoint->object.origin, PLACE_CSPACE,
                RIGHTS_ALL, 0);
    return 0;
}

/* Everything goes with the bank, and all of it comes back. */
static int end(void **state)
{
    u64 left;

    (void)state;
    assert_true(object_destroy(&bank->object, NULL));
    assert_true(object_reap());
    left = first->limit - first->used;
    assert_int_equal(first->child_pages, 0);
    assert_int_equal(left, frame_free_count());
    for (unsigned i = 1; i < fake_cspace->nslots; i++)
        assert_true(slot_is_empty(cspace_slot(fake_cspace, i)));
    return 0;
}

static struct served *serve(unsigned number, u64 size, u32 shared, u32 private, u32 flags)
{
    const word_t attach[] = {SLOT_ENDPOINT};
    struct served *s;

    assert_int_equal(create(OBJ_served, number, size, number), ST_OK);
    s = served_of(memory_of(object_at(number)));
    assert_int_equal(fake_invoke(&s->memory.object, OP_served_attach, &inv, attach, 1), ST_OK);
    s->shared = shared;
    s->private = private;
    s->flags = flags;
    s->wants = 1u << MAPPING_on_mapped | 1u << MAPPING_on_unmapped;
    s->records_max = ~0u;
    return s;
}

static status_t map(struct aspace *a, u64 vaddr, u64 length, u64 object, u64 offset, u64 flags)
{
    const word_t words[] = {vaddr, length, object, offset, flags};

    return fake_invoke(&a->object, OP_aspace_map, &inv, words, ARRAY_SIZE(words));
}

static status_t unmap(struct aspace *a, u64 vaddr, u64 length)
{
    const word_t words[] = {vaddr, length};

    return fake_invoke(&a->object, OP_aspace_unmap, &inv, words, ARRAY_SIZE(words));
}

static status_t protect(struct aspace *a, u64 vaddr, u64 length, u64 flags)
{
    const word_t words[] = {vaddr, length, flags};

    return fake_invoke(&a->object, OP_aspace_protect, &inv, words, ARRAY_SIZE(words));
}

/* Let a thread that does nothing touch an address; what it is afterwards. */
static struct thread *touch(struct aspace *a, u64 address, unsigned op)
{
    struct thread *t = NULL;

    for (unsigned i = 0; i < THREADS; i++)
        if (threads[i]->state != THREAD_FAULTING)
            t = threads[i];
    if (!t)
        return NULL;
    if (!slot_is_empty(&t->aspace))
        slot_delete(&t->aspace);
    slot_derive(&t->aspace, &a->object.origin, PLACE_THREAD_ASPACE, 0, 0);
    t->state = THREAD_READY;
    last_exception = ST_OK;
    fault_user(t, op, address);
    return t;
}

/* ------------------------------------------------------------------------- each error of aspace.def */

#define REFUSED(call, status, word)                   \
    do {                                              \
        assert_int_equal((call), (status));           \
        assert_int_equal(inv.detail, (word));         \
        assert_int_equal(inv.nresults, 0);            \
        assert_int_equal(bank->used, used_before);    \
        assert_int_equal(a->regions, regions_before); \
    } while (0)

static void refused_maps_tell_why_and_change_nothing(void **state)
{
    const u64 top = USER_REGION_TOP, rw = MAP_READ | MAP_WRITE, page = PAGE_SIZE;
    u64 used_before, regions_before = 0;
    struct slot *weak;
    struct served *s;
    struct aspace *a;

    (void)state;
    assert_int_equal(create(OBJ_aspace, SLOT_SPACE, 0, 0), ST_OK);
    a = object_at(SLOT_SPACE);
    assert_int_equal(create(OBJ_anon, SLOT_MEMORY, 10000, 0), ST_OK);
    assert_int_equal(create(OBJ_phys, SLOT_MEMORY + 1, DEVICE_RANGE, 2 * page), ST_OK);
    s = serve(SLOT_MEMORY + 2, 4 * page, MAP_READ, MAP_READ | MAP_EXEC,
              DECLARE_MAPPABLE | DECLARE_PRIVATE);
    weak = cspace_slot(fake_cspace, SLOT_WEAK);
    slot_derive(weak, cspace_slot(fake_cspace, SLOT_MEMORY), PLACE_CSPACE, MEMORY_READ, 0);
    used_before = bank->used;

    REFUSED(map(a, page + 1, page, SLOT_MEMORY, 0, rw), ST_BAD_ARG, 0);
    REFUSED(map(a, 0, page, SLOT_MEMORY, 0, rw), ST_BAD_ARG, 0);
    REFUSED(map(a, top, page, SLOT_MEMORY, 0, rw), ST_BAD_ARG, 0);
    REFUSED(map(a, -page, page, SLOT_MEMORY, 0, rw), ST_BAD_ARG, 0);
    REFUSED(map(a, page, 0, SLOT_MEMORY, 0, rw), ST_BAD_ARG, 1);
    REFUSED(map(a, page, 100, SLOT_MEMORY, 0, rw), ST_BAD_ARG, 1);
    REFUSED(map(a, page, top, SLOT_MEMORY, 0, rw), ST_BAD_ARG, 1);
    REFUSED(map(a, page, -page, SLOT_MEMORY, 0, rw), ST_BAD_ARG, 1);
    REFUSED(map(a, page, page, SLOT_MEMORY, 12, rw), ST_BAD_ARG, 3);
    REFUSED(map(a, page, page, SLOT_MEMORY, -page, rw), ST_BAD_ARG, 3);
    REFUSED(map(a, page, page, SLOT_MEMORY, 0, 0), ST_BAD_ARG, 4);
    REFUSED(map(a, page, page, SLOT_MEMORY, 0, MAP_PRIVATE), ST_BAD_ARG, 4);
    REFUSED(map(a, page, page, SLOT_MEMORY, 0, 16 | MAP_READ), ST_BAD_ARG, 4);
    REFUSED(map(a, page, page, SLOT_MEMORY, 0, MAP_WRITE | MAP_EXEC), ST_BAD_ARG, 4);

    /* Each line has every later mistake too. */
    REFUSED(map(a, page, page, SLOT_OTHER, 4 * page, MAP_PRIVATE), ST_BAD_ARG, 4);
    REFUSED(map(a, page, page, SLOT_OTHER, 4 * page, rw), ST_BAD_CAP, 2);
    REFUSED(map(a, page, page, SLOT_SPACE, 4 * page, rw), ST_BAD_CAP, 2);
    REFUSED(map(a, page, page, 0, 0, rw), ST_BAD_CAP, 2);
    REFUSED(map(a, page, page, 1ul << 40, 0, rw), ST_BAD_CAP, 2);
    REFUSED(map(a, page, page, SLOT_WEAK, 4 * page, rw), ST_DENIED, MAP_READ);
    REFUSED(map(a, page, page, SLOT_WEAK, 4 * page, MAP_WRITE), ST_DENIED, MAP_READ);
    REFUSED(map(a, page, page, SLOT_WEAK, 3 * page, MAP_READ), ST_PAST_END, 3 * page);
    s->flags = 0;
    REFUSED(map(a, page, page, SLOT_MEMORY + 2, 4 * page, rw), ST_PAST_END, 4 * page);
    REFUSED(map(a, page, page, SLOT_MEMORY + 2, 0, rw), ST_NOT_MAPPABLE, 0);
    s->flags = DECLARE_MAPPABLE;
    REFUSED(map(a, page, page, SLOT_MEMORY + 2, 0, MAP_READ | MAP_PRIVATE), ST_NOT_SUPPORTED,
            MAP_READ);
    s->flags = DECLARE_MAPPABLE | DECLARE_PRIVATE;
    s->shared = DECLARE_REFUSED;
    REFUSED(map(a, page, page, SLOT_MEMORY + 2, 0, rw), ST_NOT_SUPPORTED,
            MAP_READ | MAP_EXEC | MAP_PRIVATE);
    s->private = DECLARE_REFUSED;
    REFUSED(map(a, page, page, SLOT_MEMORY + 2, 0, rw | MAP_PRIVATE), ST_NOT_SUPPORTED, 0);
    s->shared = 0;
    REFUSED(map(a, page, page, SLOT_MEMORY + 2, 0, MAP_READ), ST_DENIED, 0);
    s->shared = MAP_READ;
    s->private = MAP_READ;
    REFUSED(map(a, page, page, SLOT_MEMORY + 2, 0, rw), ST_DENIED, MAP_READ);
    REFUSED(map(a, page, page, SLOT_MEMORY + 2, 0, rw | MAP_PRIVATE), ST_DENIED,
            MAP_READ | MAP_PRIVATE);
    REFUSED(map(a, page, page, SLOT_WEAK, 0, rw | MAP_EXEC | MAP_PRIVATE), ST_BAD_ARG, 4);
    REFUSED(map(a, page, page, SLOT_WEAK, 0, MAP_EXEC | MAP_PRIVATE), ST_DENIED, rw | MAP_PRIVATE);
    REFUSED(map(a, page, page, SLOT_MEMORY + 1, 0, MAP_READ | MAP_EXEC), ST_DENIED, rw);
    REFUSED(map(a, page, page, SLOT_MEMORY + 1, 0, MAP_READ | MAP_PRIVATE), ST_NOT_SUPPORTED, rw);
    s->records_max = 0;
    REFUSED(map(a, page, page, SLOT_MEMORY + 2, 0, MAP_READ), ST_LIMIT, 0);
    s->records_max = 1;

    assert_int_equal(map(a, 8 * page, 2 * page, SLOT_MEMORY, 0, rw), ST_OK);
    regions_before = 1;
    used_before = bank->used;
    REFUSED(map(a, 4 * page, 5 * page, SLOT_MEMORY, 0, rw), ST_OVERLAP, 8 * page);
    REFUSED(map(a, 9 * page, page, SLOT_MEMORY, 0, MAP_READ), ST_OVERLAP, 8 * page);
    REFUSED(map(a, 9 * page, 9 * page, SLOT_MEMORY + 1, 0, MAP_READ), ST_OVERLAP, 8 * page);

    REFUSED(unmap(a, 1, page), ST_BAD_ARG, 0);
    REFUSED(unmap(a, top, page), ST_BAD_ARG, 0);
    REFUSED(unmap(a, page, 0), ST_BAD_ARG, 1);
    REFUSED(unmap(a, page, top), ST_BAD_ARG, 1);
    REFUSED(unmap(a, page, 7 * page), ST_NOT_FOUND, page);
    REFUSED(unmap(a, 10 * page, page), ST_NOT_FOUND, 10 * page);
    REFUSED(protect(a, 8 * page + 1, page, MAP_READ), ST_BAD_ARG, 0);
    REFUSED(protect(a, 8 * page, 0, MAP_READ), ST_BAD_ARG, 1);
    REFUSED(protect(a, 8 * page, page, MAP_PRIVATE), ST_BAD_ARG, 2);
    REFUSED(protect(a, 8 * page, page, MAP_WRITE | MAP_EXEC), ST_BAD_ARG, 2);
    REFUSED(protect(a, 7 * page, 2 * page, MAP_READ), ST_NOT_FOUND, 7 * page);
    REFUSED(protect(a, 9 * page, 2 * page, MAP_READ), ST_NOT_FOUND, 10 * page);

    assert_int_equal(map(a, 10 * page, 2 * page, SLOT_MEMORY, page, MAP_READ), ST_OK);
    assert_int_equal(unmap(a, page, 20 * page), ST_OK);
    assert_int_equal(inv.results[0], 4 * page);
    assert_int_equal(a->regions, 0);
}

static void query_tells_the_region_at_or_after(void **state)
{
    struct aspace *a;
    word_t address = 0;
    u64 id;

    (void)state;
    assert_int_equal(create(OBJ_aspace, SLOT_SPACE, 0, 0), ST_OK);
    a = object_at(SLOT_SPACE);
    assert_int_equal(create(OBJ_anon, SLOT_MEMORY, 1 << 20, 0), ST_OK);
    assert_int_equal(map(a, 0x10000, 0x3000, SLOT_MEMORY, 0x5000, MAP_WRITE), ST_OK);
    id = inv.results[0];
    assert_true(id != 0);
    for (; address < 0x13000; address += 0xfff) {
        assert_int_equal(fake_invoke(&a->object, OP_aspace_query, &inv, &address, 1), ST_OK);
        assert_int_equal(inv.nresults, 9);
        assert_int_equal(inv.results[0], 0x10000);
        assert_int_equal(inv.results[1], 0x3000);
        assert_int_equal(inv.results[2], 0x5000);
        assert_int_equal(inv.results[3], MAP_READ | MAP_WRITE); /* write gives read */
        assert_int_equal(inv.results[4], id);
        assert_string_equal((char *)&inv.results[5], "anon");
    }
    address = 0x13000;
    assert_int_equal(fake_invoke(&a->object, OP_aspace_query, &inv, &address, 1), ST_NOT_FOUND);
    assert_int_equal(inv.detail, 0x13000);
    assert_int_equal(map(a, 0x20000, 0x1000, SLOT_MEMORY, 0, MAP_READ), ST_OK);
    assert_int_equal(inv.results[0], id + 1);
}

/* ------------------------------------------------------------------------------ no room, anywhere */

static void a_bank_without_room_refuses_and_keeps_nothing(void **state)
{
    struct bank *rich = bank, *poor;
    const word_t small[] = {OBJ_bank, SLOT_OTHER, 4, 0, 0};
    const u64 page = PAGE_SIZE;
    struct aspace *a;
    u64 address = page;
    word_t detail;

    (void)state;
    inv.slot = &bank_slot;
    assert_int_equal(fake_invoke(&rich->object, OP_bank_create, &inv, small, 5), ST_OK);
    poor = object_at(SLOT_OTHER);
    assert_int_equal(create(OBJ_anon, SLOT_MEMORY, 1ul << 40, 0), ST_OK);

    /* Address space: one page of slab, one root; then both tables, and no page is left. */
    bank = poor;
    assert_int_equal(create(OBJ_aspace, SLOT_SPACE, 0, 0), ST_OK);
    assert_int_equal(poor->used, 2);
    a = object_at(SLOT_SPACE);
    assert_int_equal(map(a, address, page, SLOT_MEMORY, 0, MAP_READ), ST_OK);
    assert_int_equal(poor->used, 3);
    assert_int_equal(touch(a, address, ACCESS_LOAD)->state, THREAD_STOPPED);
    assert_int_equal(last_exception, ST_NO_SPACE); /* two tables, one page */
    assert_int_equal(poor->used, 3);
    assert_int_equal(aspace_add_buffer(a, frame_of_kva(a), &address, &detail), ST_NO_SPACE);
    assert_int_equal(detail, 1);

    address = page;
    while (map(a, address += page, page, SLOT_MEMORY, 0, MAP_READ) == ST_OK)
        ;
    assert_int_equal(map(a, address, page, SLOT_MEMORY, 0, MAP_READ), ST_NO_SPACE);
    assert_int_equal(inv.detail, 0);
    assert_int_equal(create(OBJ_aspace, SLOT_SPACE + 1, 0, 0), ST_NO_SPACE);
    assert_int_equal(inv.detail, 0);
    aspace_ops.check(&a->object);
    bank = rich;
    assert_true(object_destroy(&a->object, NULL)); /* its capability goes, and a thread's */
    assert_true(object_reap());
    assert_int_equal(poor->used, 0);
    delete_slot(SLOT_MEMORY);
    assert_true(object_destroy(&poor->object, NULL));
    assert_true(object_reap());
}

/* ------------------------------------------------------------------------------- buffers, identifiers */

static void buffer_windows_are_used_once_each_and_given_back(void **state)
{
    u64 address[ASPACE_BUFFERS], again, used;
    struct frame *f = bank_frame_alloc(bank, 0);
    struct aspace *a;
    word_t detail;

    (void)state;
    assert_int_equal(create(OBJ_aspace, SLOT_SPACE, 0, 0), ST_OK);
    a = object_at(SLOT_SPACE);
    used = bank->used;
    for (unsigned i = 0; i < ASPACE_BUFFERS; i++) {
        u64 pte;
        assert_int_equal(aspace_add_buffer(a, f, &address[i], &detail), ST_OK);
        assert_true(address[i] >= USER_REGION_TOP && address[i] < USER_TOP);
        pte = *radix_find(&a->table, address[i] >> PAGE_SHIFT);
        assert_int_equal(pte,
                         pte_make(frame_paddr(f), PTE_V | PTE_R | PTE_W | PTE_U | PTE_A | PTE_D));
        for (unsigned k = 0; k < i; k++)
            assert_int_not_equal(address[i], address[k]);
    }
    assert_int_equal(bank->used, used + 2); /* the leaf of the window and the node above */
    assert_int_equal(aspace_add_buffer(a, f, &again, &detail), ST_LIMIT);
    assert_int_equal(detail, ASPACE_BUFFERS);
    for (unsigned i = 3; i < ASPACE_BUFFERS; i += 100) {
        remember(a, address[i]);
        aspace_remove_buffer(a, address[i]);
        assert_int_equal(*radix_find(&a->table, address[i] >> PAGE_SHIFT), 0);
        assert_int_equal(aspace_add_buffer(a, f, &again, &detail), ST_OK);
        assert_int_equal(again, address[i]);
    }
    for (unsigned i = 0; i < ncached; i++)
        assert_int_equal(cache[i].pte, 0);
    bank_frame_free(f, 0);
}

static void identifiers_are_unique_until_used_up_then_shared(void **state)
{
    struct aspace *a;
    word_t detail;
    u64 address;

    (void)state;
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < SPACES; i++) {
            assert_int_equal(create(OBJ_aspace, SLOT_SPACE + i, 0, 0), ST_OK);
            a = object_at(SLOT_SPACE + i);
            assert_int_equal(a->asid, i < ASIDS - 1 ? i + 1 : 0);
            assert_int_equal(a->satp, mmu_satp(paddr(a->table.root), a->asid));
        }
        a = object_at(SLOT_SPACE + 1);
        assert_int_equal(aspace_add_buffer(a, frame_of_kva(a), &address, &detail), ST_OK);
        remember(a, address);
        assert_int_equal(ncached, 1);
        delete_slot(SLOT_SPACE + 1);
        assert_int_equal(ncached, 0);
        assert_int_equal(create(OBJ_aspace, SLOT_SPACE + 1, 0, 0), ST_OK);
        assert_int_equal(((struct aspace *)object_at(SLOT_SPACE + 1))->asid, 2);
        for (unsigned i = 0; i < SPACES; i++)
            delete_slot(SLOT_SPACE + i);
    }
}

/* ------------------------------------------------------------------------- tables, waiters, zeros */

static void tables_stay_while_a_region_needs_them(void **state)
{
    const u64 page = PAGE_SIZE, here = 4 * LEAF + 8 * page, low = 4 * LEAF, high = 5 * LEAF;
    u64 frames, *pte;
    struct thread *t;
    struct aspace *a;

    (void)state;
    assert_int_equal(create(OBJ_aspace, SLOT_SPACE, 0, 0), ST_OK);
    a = object_at(SLOT_SPACE);
    assert_int_equal(create(OBJ_anon, SLOT_MEMORY, 1 << 20, 0), ST_OK);
    serve(SLOT_MEMORY + 1, 1 << 20, MAP_READ, 0, DECLARE_MAPPABLE);
    /* The region that is waited through shares its leaf with the end of one and the start of
     * another. */
    assert_int_equal(map(a, low - page, 2 * page, SLOT_MEMORY, 0, MAP_READ), ST_OK);
    assert_int_equal(map(a, high - page, 2 * page, SLOT_MEMORY, 0, MAP_READ), ST_OK);
    assert_int_equal(map(a, here, page, SLOT_MEMORY + 1, 0, MAP_READ), ST_OK);
    frames = bank->frame_pages;
    touch(a, low - page, ACCESS_LOAD);
    touch(a, high, ACCESS_LOAD);
    assert_int_equal(bank->frame_pages, frames + 3 + 2 + 1); /* tables, pages, an index */
    t = touch(a, here, ACCESS_LOAD);
    assert_int_equal(t->state, THREAD_FAULTING);
    pte = t->ticket.pte;
    frames = bank->frame_pages;
    assert_int_equal(unmap(a, low - page, 2 * page), ST_OK);
    assert_ptr_equal(radix_find(&a->table, here >> PAGE_SHIFT), pte);
    assert_int_equal(bank->frame_pages, frames - 1);
    assert_int_equal(unmap(a, high - page, 2 * page), ST_OK);
    assert_ptr_equal(radix_find(&a->table, here >> PAGE_SHIFT), pte);
    assert_int_equal(bank->frame_pages, frames - 2);
    assert_int_equal(t->state, THREAD_FAULTING);
    assert_int_equal(unmap(a, here, page), ST_OK);
    assert_int_equal(t->state, THREAD_READY);
    assert_null(radix_find(&a->table, here >> PAGE_SHIFT));
    assert_int_equal(bank->frame_pages, frames - 4); /* its leaf and the node above */
}

static void unmapping_wakes_those_who_wait_there_and_nobody_else(void **state)
{
    const u64 here = 0x40000;
    struct thread *t[3];
    struct aspace *a, *b;
    struct served *s;

    (void)state;
    for (unsigned order = 0; order < 3; order++) {
        assert_int_equal(create(OBJ_aspace, SLOT_SPACE, 0, 0), ST_OK);
        assert_int_equal(create(OBJ_aspace, SLOT_SPACE + 1, 0, 0), ST_OK);
        a = object_at(SLOT_SPACE);
        b = object_at(SLOT_SPACE + 1);
        s = serve(SLOT_MEMORY, 1 << 20, MAP_READ, 0, DECLARE_MAPPABLE);
        assert_int_equal(map(a, here, 0x4000, SLOT_MEMORY, 0, MAP_READ), ST_OK);
        assert_int_equal(map(b, here, 0x4000, SLOT_MEMORY, 0, MAP_READ), ST_OK);
        for (unsigned i = 0; i < 3; i++) /* the one who goes is first, second or last */
            t[i] = touch(i == order ? a : b, here, ACCESS_LOAD);
        assert_int_equal(s->records, 2);
        assert_int_equal(unmap(a, here, 0x4000), ST_OK);
        for (unsigned i = 0; i < 3; i++)
            assert_int_equal(t[i]->state, i == order ? THREAD_READY : THREAD_FAULTING);
        assert_int_equal(s->records, 1); /* a mapping that was never heard of leaves no word */
        served_ops.check(&s->memory.object);
        assert_int_equal(unmap(b, here, 0x4000), ST_OK);
        for (unsigned i = 0; i < 3; i++)
            assert_int_equal(t[i]->state, THREAD_READY);
        assert_int_equal(s->records, 0);
        assert_int_equal(s->open_first, 0);
        for (unsigned i = 0; i < 3; i++)
            slot_delete(&t[i]->aspace);
        delete_slot(SLOT_SPACE);
        delete_slot(SLOT_SPACE + 1);
        delete_slot(SLOT_MEMORY);
    }
}

static void a_first_touch_shows_zeros(void **state)
{
    struct memory *m;
    struct aspace *a;

    (void)state;
    assert_int_equal(create(OBJ_aspace, SLOT_SPACE, 0, 0), ST_OK);
    a = object_at(SLOT_SPACE);
    assert_int_equal(create(OBJ_anon, SLOT_MEMORY, 1 << 20, 0), ST_OK);
    m = memory_of(object_at(SLOT_MEMORY));
    assert_int_equal(map(a, 0x10000, 1 << 20, SLOT_MEMORY, 0, MAP_WRITE), ST_OK);
    for (u64 index = 0; index < m->npages; index++) {
        const u8 *bytes;
        touch(a, 0x10000 + index * PAGE_SIZE, index % 2 ? ACCESS_LOAD : ACCESS_STORE);
        bytes = m->ops->resident_page(m, index);
        for (unsigned i = 0; i < PAGE_SIZE; i++)
            assert_int_equal(bytes[i], 0);
    }
}

/* Hardware that sets neither A nor D traps on valid entries: the fault sets what the access needs,
 * counts the page once, and keeps what was set. */
static void a_fault_on_a_valid_page_sets_what_hardware_did_not(void **state)
{
    const u64 address = 0x10000;
    struct memory *m;
    struct aspace *a;
    u64 *pte;

    (void)state;
    assert_int_equal(create(OBJ_aspace, SLOT_SPACE, 0, 0), ST_OK);
    a = object_at(SLOT_SPACE);
    assert_int_equal(create(OBJ_anon, SLOT_MEMORY, 1 << 20, 0), ST_OK);
    m = memory_of(object_at(SLOT_MEMORY));
    assert_int_equal(map(a, address, 1 << 20, SLOT_MEMORY, 0, MAP_WRITE), ST_OK);

    touch(a, address, ACCESS_LOAD);
    pte = radix_find(&a->table, address >> PAGE_SHIFT);
    assert_int_equal(*pte & (PTE_A | PTE_D), PTE_A);
    touch(a, address, ACCESS_STORE);
    assert_int_equal(*pte & (PTE_A | PTE_D), PTE_A | PTE_D);
    *pte &= ~(u64)PTE_A;
    touch(a, address, ACCESS_LOAD);
    assert_int_equal(*pte & (PTE_A | PTE_D), PTE_A | PTE_D);
    assert_int_equal(frame_of(pte_paddr(*pte))->map_count, 1);
    assert_int_equal(m->resident, 1);
}

/* Who reads a protected page has it; who writes waits at its frame, and leaves as from any ticket. */
static void a_protected_page_is_read_by_all_and_written_by_none(void **state)
{
    const u64 here = 0x40000;
    struct thread *first, *second;
    struct aspace *a, *b;
    struct served *s;
    struct memory *m;
    struct frame *f;
    u64 *slot, *pte;

    (void)state;
    assert_int_equal(create(OBJ_aspace, SLOT_SPACE, 0, 0), ST_OK);
    assert_int_equal(create(OBJ_aspace, SLOT_SPACE + 1, 0, 0), ST_OK);
    a = object_at(SLOT_SPACE);
    b = object_at(SLOT_SPACE + 1);
    s = serve(SLOT_MEMORY, 1 << 20, MAP_READ | MAP_WRITE, 0, DECLARE_MAPPABLE);
    m = &s->memory;
    assert_int_equal(map(a, here, 0x4000, SLOT_MEMORY, 0, MAP_WRITE), ST_OK);
    assert_int_equal(map(b, here, 0x4000, SLOT_MEMORY, 0, MAP_WRITE), ST_OK);
    slot = radix_make(&m->index, 1, bank);
    f = bank_frame_alloc(bank, 0);
    memory_install(m, slot, 1, f);

    /* downgraded: both entries lose write, what they know is kept, nothing is remembered */
    touch(a, here + PAGE_SIZE, ACCESS_STORE);
    touch(b, here + PAGE_SIZE, ACCESS_LOAD);
    remember(a, here + PAGE_SIZE);
    *slot |= SLOT_ASK;
    memory_protect_frame(m, f);
    pte = radix_find(&a->table, (here + PAGE_SIZE) >> PAGE_SHIFT);
    assert_int_equal(*pte & (PTE_V | PTE_W | PTE_D), PTE_V);
    assert_int_equal(*slot & SLOT_BITS, SLOT_RESIDENT | SLOT_ASK | SLOT_ACCESSED | SLOT_DIRTY);
    assert_int_equal(f->map_count, 2);
    assert_int_equal(cache[0].pte, 0);

    assert_int_equal(touch(b, here + PAGE_SIZE, ACCESS_LOAD)->state, THREAD_READY);
    first = touch(a, here + PAGE_SIZE + 8, ACCESS_STORE);
    second = touch(b, here + PAGE_SIZE + 16, ACCESS_STORE);
    assert_int_equal(first->state, THREAD_FAULTING);
    assert_int_equal(second->state, THREAD_FAULTING);
    assert_ptr_equal(served_first_waiter(*slot), first);
    assert_int_equal(touch(b, here + PAGE_SIZE, ACCESS_LOAD)->state, THREAD_READY);
    served_ops.check(&m->object);

    assert_int_equal(unmap(a, here, 0x4000), ST_OK); /* the second takes over */
    assert_int_equal(first->state, THREAD_READY);
    assert_ptr_equal(served_first_waiter(*slot), second);
    served_ops.check(&m->object);
    served_retry(slot);
    assert_int_equal(second->state, THREAD_READY);
    assert_int_equal(s->open_first, 0);
    assert_int_equal(*slot & (SLOT_RESIDENT | SLOT_ASK | SLOT_ASKED), SLOT_RESIDENT | SLOT_ASK);

    *slot &= ~SLOT_ASK;
    assert_int_equal(touch(b, here + PAGE_SIZE, ACCESS_STORE)->state, THREAD_READY);
    pte = radix_find(&b->table, (here + PAGE_SIZE) >> PAGE_SHIFT);
    assert_int_equal(*pte & (PTE_V | PTE_W | PTE_D), PTE_V | PTE_W | PTE_D);
    assert_int_equal(f->map_count, 1);
}

/* --------------------------------------------------------------------------- what phys objects may be */

static void phys_objects_come_only_from_what_was_given(void **state)
{
    const u64 page = PAGE_SIZE;
    struct slot kept = bank_slot;

    (void)state;
    assert_int_equal(create(OBJ_phys, SLOT_MEMORY, DEVICE_RANGE + 8, page), ST_BAD_ARG);
    assert_int_equal(inv.detail, 2);
    assert_int_equal(create(OBJ_phys, SLOT_MEMORY, DEVICE_RANGE, page / 2), ST_BAD_ARG);
    assert_int_equal(inv.detail, 3);
    assert_int_equal(create(OBJ_phys, SLOT_MEMORY, DEVICE_RANGE, 0), ST_BAD_ARG);
    assert_int_equal(create(OBJ_phys, SLOT_MEMORY, DEVICE_RANGE, -page), ST_BAD_ARG);
    assert_int_equal(create(OBJ_phys, SLOT_MEMORY, DEVICE_RANGE, 3 * page), ST_DENIED);
    assert_int_equal(create(OBJ_phys, SLOT_MEMORY, DEVICE_RANGE - page, 2 * page), ST_DENIED);
    assert_int_equal(create(OBJ_phys, SLOT_MEMORY, FAKE_BASE, page), ST_DENIED);
    bank_slot.word &= ~(u64)BANK_DEVICE;
    assert_int_equal(create(OBJ_phys, SLOT_MEMORY, DEVICE_RANGE, page), ST_DENIED);
    bank_slot = kept;
    assert_int_equal(create(OBJ_phys, SLOT_MEMORY, DEVICE_RANGE + page, page), ST_OK);
    assert_null(memory_of(object_at(SLOT_MEMORY))
                    ->ops->resident_page(memory_of(object_at(SLOT_MEMORY)), 0));
    assert_int_equal(create(OBJ_anon, SLOT_OTHER, 0, 0), ST_BAD_ARG);
    assert_int_equal(inv.detail, 2);
    assert_int_equal(create(OBJ_anon, SLOT_OTHER, MEMORY_MAX_SIZE + 1, 0), ST_BAD_ARG);
    assert_int_equal(create(OBJ_anon, SLOT_OTHER, MEMORY_MAX_SIZE, 0), ST_OK);
}

static void info_and_query_tell_what_the_owner_says(void **state)
{
    const u64 page = PAGE_SIZE;
    struct memory *m;
    word_t words[3];

    (void)state;
    assert_int_equal(create(OBJ_phys, SLOT_MEMORY, RAM_RANGE, 3 * page), ST_OK);
    assert_int_equal(create(OBJ_anon, SLOT_MEMORY + 1, 10000, 0), ST_OK);
    serve(SLOT_MEMORY + 2, 10000, MAP_READ | MAP_EXEC, DECLARE_REFUSED, DECLARE_MAPPABLE);
    for (unsigned i = 0; i < 3; i++) {
        struct object *o = object_at(SLOT_MEMORY + i);
        m = memory_of(o);
#define INFO(offset, length, private)                                \
    (words[0] = (offset), words[1] = (length), words[2] = (private), \
     fake_invoke(o, OP_memory_info, &inv, words, 3))
        assert_int_equal(INFO(1, page, 0), ST_BAD_ARG);
        assert_int_equal(inv.detail, 0);
        assert_int_equal(INFO(0, 0, 0), ST_BAD_ARG);
        assert_int_equal(inv.detail, 1);
        assert_int_equal(INFO(page, -page, 0), ST_BAD_ARG);
        assert_int_equal(inv.detail, 1);
        assert_int_equal(INFO(3 * page, page, 0), ST_PAST_END);
        assert_int_equal(inv.detail, 3 * page);
        assert_int_equal(INFO(2 * page, 10 * page, 0), ST_OK);
        assert_int_equal(inv.nresults, 3); /* no physical address */
        assert_int_equal(inv.results[0], i < 2 ? 7 : MAP_READ | MAP_EXEC);
        assert_int_equal(inv.results[1], true);
        assert_int_equal(inv.results[2], MEMORY_NORMAL);
        assert_int_equal(INFO(0, page, 1), i < 2 ? ST_OK : ST_NOT_SUPPORTED);
        if (i < 2) /* both say so of what is private */
            assert_int_equal(inv.results[1], false);
        assert_int_equal(fake_invoke(o, OP_memory_query, &inv, words, 0), ST_OK);
        assert_int_equal(inv.nresults, 6);
        assert_int_equal(inv.results[0], m->size);
        assert_int_equal(inv.results[1], 0);
        assert_int_equal(inv.results[2], 0);
        assert_string_equal((char *)&inv.results[4], i == 0 ? "phys" : i == 1 ? "anon" : "object");
#undef INFO
    }
}

static void the_last_page_is_zero_past_the_end_whatever_the_frame_held(void **state)
{
    struct memory *m;
    struct frame *f;
    u64 *slot;
    u8 *bytes;

    (void)state;
    assert_int_equal(create(OBJ_anon, SLOT_MEMORY, 10000, 0), ST_OK);
    m = memory_of(object_at(SLOT_MEMORY));
    for (u64 index = 0; index < 3; index++) {
        assert_null(m->ops->resident_page(m, index));
        slot = radix_make(&m->index, index, bank);
        f = bank_frame_alloc(bank, 0);
        bytes = frame_kva(f);
        memset(bytes, 0x77, PAGE_SIZE);
        memory_install(m, slot, index, f);
        assert_ptr_equal(m->ops->resident_page(m, index), bytes);
        assert_int_equal(bytes[10000 - 8192 - 1], 0x77);
        assert_int_equal(bytes[10000 - 8192], index == 2 ? 0 : 0x77);
        assert_int_equal(bytes[PAGE_SIZE - 1], index == 2 ? 0 : 0x77);
        assert_int_equal(*slot & SLOT_BITS, index == 2 ? SLOT_RESIDENT | SLOT_TAIL : SLOT_RESIDENT);
    }
    assert_null(m->ops->resident_page(m, 3));
    memory_check(m);
}

/* ------------------------------------------------------------------------------- random operations */

struct mapping {
    unsigned space;
    u64 start, end;
    struct memory *memory;
    u64 offset;
    u64 flags;
};
static struct mapping mappings[MAPPINGS];
static unsigned nmappings;

static struct mapping *mapping_at(unsigned space, u64 address)
{
    for (unsigned i = 0; i < nmappings; i++)
        if (mappings[i].space == space && address >= mappings[i].start && address < mappings[i].end)
            return &mappings[i];
    return NULL;
}

/* Addresses of a few neighbourhoods: the lowest, around 2 MiB and 1 GiB borders, the highest. */
static u64 some_address(void)
{
    static const u64 bases[] = {PAGE_SIZE, LEAF, 7 * LEAF, LEAF << 9, USER_REGION_TOP - LEAF};
    u64 base = bases[random_below(&rng, ARRAY_SIZE(bases))];

    if (random_below(&rng, 2))
        base += LEAF - 8 * PAGE_SIZE;
    base += random_below(&rng, 40) * PAGE_SIZE;
    return MIN(base, USER_REGION_TOP - PAGE_SIZE);
}

static u64 some_length(void)
{
    return random_below(&rng, 12) ? (1 + random_below(&rng, 12)) * PAGE_SIZE
                                  : LEAF * (1 + random_below(&rng, 3));
}

static struct aspace *space_of(unsigned i)
{
    return object_at(SLOT_SPACE + i);
}

static void random_map(unsigned space)
{
    unsigned object = (unsigned)random_below(&rng, OBJECTS);
    struct memory *m = memory_of(object_at(SLOT_MEMORY + object));
    static const u8 kinds[] = {
        MAP_READ, MAP_READ | MAP_WRITE,   MAP_READ | MAP_EXEC,
        MAP_EXEC, MAP_READ | MAP_PRIVATE, MAP_READ | MAP_WRITE | MAP_PRIVATE};
    u64 flags = kinds[random_below(&rng, object == 3 ? 2 : ARRAY_SIZE(kinds))];
    u64 start = some_address(), length = some_length();
    u64 offset = random_below(&rng, m->npages) << PAGE_SHIFT;
    bool overlaps = false;
    status_t status;

    length = MIN(length, USER_REGION_TOP - start);
    for (unsigned i = 0; i < nmappings; i++)
        overlaps |=
            mappings[i].space == space &&
            ranges_overlap(start, length, mappings[i].start, mappings[i].end - mappings[i].start);
    if (nmappings == MAPPINGS)
        return;
    status = map(space_of(space), start, length, SLOT_MEMORY + object, offset, flags);
    assert_int_equal(status, overlaps ? ST_OVERLAP : ST_OK);
    if (status == ST_OK)
        mappings[nmappings++] = (struct mapping){space, start, start + length, m, offset, flags};
}

/* Those who wait are exactly those whose region is still there. */
static void check_waiters(void)
{
    for (unsigned i = 0; i < THREADS; i++) {
        const struct thread *t = threads[i];
        unsigned space = 0;

        if (t->state != THREAD_FAULTING)
            continue;
        while (space_of(space) != slot_object(&t->aspace))
            space++;
        assert_non_null(mapping_at(space, t->ticket.vaddr));
        assert_true(*t->ticket.slot & SLOT_WAITING);
    }
}

/* Any range, or one that a mapping has; a third of these begin or end inside it. */
static void some_range(unsigned *space, u64 *start, u64 *end)
{
    *start = some_address();
    *end = *start + some_length();
    if (nmappings && random_below(&rng, 3)) {
        const struct mapping *m = &mappings[random_below(&rng, nmappings)];
        u64 npages = (m->end - m->start) >> PAGE_SHIFT;

        *space = m->space;
        *start = m->start;
        *end = m->end;
        if (random_below(&rng, 3) == 0)
            *start += random_below(&rng, npages) << PAGE_SHIFT;
        if (random_below(&rng, 3) == 0)
            *end -= random_below(&rng, (*end - *start) >> PAGE_SHIFT) << PAGE_SHIFT;
    }
    *end = MIN(*end, (u64)USER_REGION_TOP);
}

/* If the mapping holds `at` inside, it goes on in two; there is room in the list. */
static void model_cut(unsigned space, u64 at)
{
    struct mapping *m = mapping_at(space, at), *upper = &mappings[nmappings];

    if (!m || m->start == at)
        return;
    *upper = *m;
    upper->start = m->end = at;
    upper->offset += at - m->start;
    nmappings++;
}

static void random_unmap(unsigned space)
{
    u64 start, end, removed = 0;
    status_t status;

    if (nmappings + 2 > MAPPINGS)
        return;
    some_range(&space, &start, &end);
    status = unmap(space_of(space), start, end - start);
    model_cut(space, start);
    model_cut(space, end);
    for (unsigned i = 0; i < nmappings;) {
        struct mapping *m = &mappings[i];
        if (m->space != space || m->start < start || m->end > end) {
            i++;
            continue;
        }
        removed += m->end - m->start;
        *m = mappings[--nmappings];
    }
    assert_int_equal(status, removed ? ST_OK : ST_NOT_FOUND);
    if (removed)
        assert_int_equal(inv.results[0], removed);
    assert_true(object_reap());
}

static void random_protect(unsigned space)
{
    static const u8 kinds[] = {0, MAP_READ, MAP_READ | MAP_WRITE, MAP_READ | MAP_EXEC, MAP_EXEC};
    u64 flags = kinds[random_below(&rng, ARRAY_SIZE(kinds))], start, end;
    status_t status, expected = ST_OK;

    if (nmappings + 2 > MAPPINGS)
        return;
    some_range(&space, &start, &end);
    status = protect(space_of(space), start, end - start, flags);
    for (u64 at = start; expected == ST_OK && at < end;) {
        const struct mapping *m = mapping_at(space, at);
        u64 may = MAP_READ | MAP_WRITE | MAP_EXEC;

        if (!m) {
            expected = ST_NOT_FOUND;
            break;
        }
        if (flags & ~may & ~m->flags)
            expected = ST_DENIED;
        at = m->end;
    }
    assert_int_equal(status, expected);
    if (status != ST_OK)
        return;
    for (unsigned i = 0; i < 2; i++) { /* only where something changes */
        u64 at = i ? end : start;
        const struct mapping *m = mapping_at(space, i ? end - 1 : start);

        if ((m->flags & ~(u64)MAP_PRIVATE) != flags)
            model_cut(space, at);
    }
    for (unsigned i = 0; i < nmappings; i++) {
        struct mapping *m = &mappings[i];
        if (m->space == space && m->start >= start && m->end <= end)
            m->flags = flags | (m->flags & MAP_PRIVATE);
    }
}

static void random_touch(unsigned space)
{
    unsigned op = (unsigned)random_below(&rng, 3);
    u64 address = some_address() + random_below(&rng, PAGE_SIZE), index, pte, wanted;
    const struct mapping *m;
    const u64 *entry;
    struct aspace *a;
    struct thread *t;
    bool dirty;

    if (nmappings && random_below(&rng, 8)) {
        m = &mappings[random_below(&rng, nmappings)];
        space = m->space;
        address = m->start + random_below(&rng, MIN(m->end - m->start, 40 * PAGE_SIZE));
    }
    a = space_of(space);
    m = mapping_at(space, address);
    entry = radix_find(&a->table, address >> PAGE_SHIFT);
    dirty = op == ACCESS_STORE || (entry && (*entry & PTE_D)); /* a load keeps what a store left */
    t = touch(a, address, op);
    if (!t)
        return;
    if (!m) {
        assert_int_equal(last_exception, ST_NO_REGION);
        return;
    }
    index = (m->offset + (address - m->start)) >> PAGE_SHIFT;
    if (!(m->flags & (op == ACCESS_LOAD ? MAP_READ : op == ACCESS_STORE ? MAP_WRITE : MAP_EXEC))) {
        assert_int_equal(last_exception, ST_FORBIDDEN);
        return;
    }
    if (index >= m->memory->npages) {
        assert_int_equal(last_exception, ST_TRUNCATED);
        return;
    }
    assert_int_equal(last_exception, ST_OK);
    if (t->state == THREAD_FAULTING) {
        assert_int_equal(m->memory->object.type, OBJ_served);
        return;
    }
    pte = *radix_find(&a->table, address >> PAGE_SHIFT);
    assert_true(pte & PTE_A);
    assert_int_equal(!!(pte & PTE_D), dirty);
    wanted = pte_user_template(m->flags, MEMORY_NORMAL);
    if ((m->flags & MAP_PRIVATE) && op != ACCESS_STORE) /* write comes with the copy */
        pte &= wanted &= ~(u64)PTE_W;
    assert_int_equal(pte & (PTE_V | PTE_U | PTE_R | PTE_W | PTE_X), wanted);
    if (m->memory->object.type == OBJ_phys)
        assert_int_equal(pte_paddr(pte).addr, RAM_RANGE + (index << PAGE_SHIFT));
    remember(a, address);
}

/* The server of a page that somebody waits for supplies it. */
static void random_answer(void)
{
    struct thread *t = threads[random_below(&rng, THREADS)], *waiter;
    struct frame *f;
    u64 *slot, index;
    struct memory *m;

    if (t->state != THREAD_FAULTING)
        return;
    slot = t->ticket.slot;
    index = t->ticket.index;
    m = t->ticket.object;
    waiter = served_close_ticket(served_of(m), slot);
    f = bank_frame_alloc(object_bank(&m->object), 0);
    memory_install(m, slot, index, f);
    fault_wake_resident(waiter, *slot);
    for (unsigned i = 0; i < THREADS; i++)
        assert_false(threads[i]->state == THREAD_FAULTING && threads[i]->ticket.slot == slot);
}

/* A page leaves every mapping; dirty and accessed survive in its slot. */
static void random_unmap_frame(void)
{
    struct memory *m = memory_of(object_at(SLOT_MEMORY + (unsigned)random_below(&rng, OBJECTS)));
    u64 index = radix_next_used(&m->index, random_below(&rng, m->npages), m->npages);
    u64 *slot, bits = 0;

    if (index == m->npages)
        return;
    slot = radix_find(&m->index, index);
    if (!(*slot & SLOT_RESIDENT))
        return;
    for (struct region *r = slot_pointer(m->region_list); r; r = slot_pointer(r->next)) {
        u64 page = index - r->first_page;
        u64 *pte = page < (r->end - r->start) >> PAGE_SHIFT
                       ? radix_find(&r->aspace->table, (r->start >> PAGE_SHIFT) + page)
                       : NULL;
        if (!pte || pte_paddr(*pte).addr != (*slot & ~SLOT_BITS))
            continue; /* a private mapping shows a page of its own */
        if (*pte & PTE_A)
            bits |= SLOT_ACCESSED;
        if (*pte & PTE_D)
            bits |= SLOT_DIRTY;
    }
    memory_unmap_frame(m, frame_of(paddr(*slot & ~SLOT_BITS)));
    assert_int_equal(frame_of(paddr(*slot & ~SLOT_BITS))->map_count, 0);
    assert_int_equal(*slot & bits, bits);
}

static void renew_space(unsigned space)
{
    assert_true(object_destroy(&space_of(space)->object, NULL));
    assert_true(object_reap());
    for (unsigned i = 0; i < nmappings;)
        if (mappings[i].space == space)
            mappings[i] = mappings[--nmappings];
        else
            i++;
    assert_int_equal(create(OBJ_aspace, SLOT_SPACE + space, 0, 0), ST_OK);
}

static void make_memory(unsigned object)
{
    static const u64 pages[OBJECTS] = {3, 1000, 1ul << 30, 2000, 70, 3000};
    unsigned number = SLOT_MEMORY + object;
    u64 size = pages[object] * PAGE_SIZE;

    if (object < 3)
        assert_int_equal(create(OBJ_anon, number, size - 100, 0), ST_OK);
    else if (object == 3)
        assert_int_equal(create(OBJ_phys, number, RAM_RANGE, size), ST_OK);
    else
        serve(number, size, MAP_READ | MAP_WRITE | MAP_EXEC, MAP_READ | MAP_WRITE | MAP_EXEC,
              DECLARE_MAPPABLE | DECLARE_PRIVATE);
}

/* The object dies although it is mapped: its regions go with it. */
static void renew_memory(unsigned object)
{
    struct memory *m = memory_of(object_at(SLOT_MEMORY + object));

    for (unsigned i = 0; i < nmappings;)
        if (mappings[i].memory == m)
            mappings[i] = mappings[--nmappings];
        else
            i++;
    assert_true(object_destroy(&m->object, NULL));
    assert_true(object_reap());
    make_memory(object);
}

static void check_everything(void)
{
    u64 counts[SPACES] = {0};

    for (unsigned i = 0; i < nmappings; i++) {
        const struct mapping *m = &mappings[i];
        const struct aspace *a = space_of(m->space);
        const struct region *r = region_find(a->region_root, m->start);

        counts[m->space]++;
        assert_non_null(r);
        assert_true(r->start == m->start && r->end == m->end);
        assert_ptr_equal(slot_object(&r->object), m->memory);
        assert_int_equal(r->first_page << PAGE_SHIFT, m->offset);
        assert_int_equal(r->flags, m->flags);
        slot_check(&r->object);
    }
    for (unsigned i = 0; i < SPACES; i++) {
        assert_int_equal(space_of(i)->regions, counts[i]);
        aspace_ops.check(&space_of(i)->object);
    }
    for (unsigned i = 0; i < OBJECTS; i++) {
        struct object *o = object_at(SLOT_MEMORY + i);
        object_ops_of(o->type)->check(o);
        memory_check(memory_of(o));
    }
    for (unsigned i = 0; i < ncached; i++) {
        const struct aspace *a = NULL;
        const u64 *pte;

        for (unsigned k = 0; k < SPACES; k++)
            if (space_of(k)->asid == cache[i].asid)
                a = space_of(k);
        assert_non_null(a);
        pte = radix_find(&a->table, cache[i].page);
        assert_ptr_equal(align_down((u64)pte, PAGE_SIZE), cache[i].node);
        if (cache[i].pte)
            assert_int_equal((*pte ^ cache[i].pte) & ~(PTE_A | PTE_D), 0);
    }
    check_waiters();
}

static void random_operations_match_a_list_of_mappings(void **state)
{
    (void)state;
    rng = seeded("aspace");
    nmappings = 0;
    for (unsigned i = 0; i < SPACES; i++)
        assert_int_equal(create(OBJ_aspace, SLOT_SPACE + i, 0, 0), ST_OK);
    for (unsigned i = 0; i < OBJECTS; i++)
        make_memory(i);
    for (unsigned step = 0; step < 8000; step++) {
        unsigned space = (unsigned)random_below(&rng, SPACES);
        u64 what = random_below(&rng, 1000);

        if (what < 150)
            random_map(space);
        else if (what < 250)
            random_unmap(space);
        else if (what < 320)
            random_protect(space);
        else if (what < 850)
            random_touch(space);
        else if (what < 930)
            random_answer();
        else if (what < 990)
            random_unmap_frame();
        else if (what < 995)
            renew_space(space);
        else
            renew_memory((unsigned)random_below(&rng, OBJECTS));
        if (step % 16 == 0)
            check_everything();
    }
    for (unsigned i = 0; i < THREADS; i++)
        if (!slot_is_empty(&threads[i]->aspace))
            thread_lost_aspace(threads[i]);
    for (unsigned i = 0; i < SPACES; i++)
        delete_slot(SLOT_SPACE + i);
    nmappings = 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

/* ------------------------------------------------------------------------ interrupted half-way */

#define LONG_PAGES 3000ul
#define LONG_BASE  (0x40000000ul + 100 * PAGE_SIZE) /* in the middle of a page-table leaf */

static u64 long_page(u64 n)
{
    return LONG_BASE + (n << PAGE_SHIFT);
}

/* A space with a long mapping, of which every third page was written. */
static struct aspace *long_mapping(void)
{
    struct aspace *a;

    assert_int_equal(create(OBJ_aspace, SLOT_SPACE, 0, 0), ST_OK);
    a = object_at(SLOT_SPACE);
    assert_int_equal(create(OBJ_anon, SLOT_MEMORY, LONG_PAGES << PAGE_SHIFT, 0), ST_OK);
    assert_int_equal(
        map(a, LONG_BASE, LONG_PAGES << PAGE_SHIFT, SLOT_MEMORY, 0, MAP_READ | MAP_WRITE), ST_OK);
    for (u64 i = 0; i < LONG_PAGES; i += 3)
        assert_int_equal(touch(a, long_page(i), ACCESS_STORE)->state, THREAD_READY);
    aspace_ops.check(&a->object);
    return a;
}

static status_t store(struct aspace *a, u64 page)
{
    touch(a, long_page(page), ACCESS_STORE);
    return last_exception;
}

static u64 valid_ptes(struct aspace *a, u64 first, u64 count, u64 bits)
{
    u64 n = 0;

    for (u64 i = first; i < first + count; i++) {
        u64 *pte = radix_find(&a->table, long_page(i) >> PAGE_SHIFT);
        n += pte && (*pte & PTE_V) && (*pte & bits) == bits;
    }
    return n;
}

static void long_unmap_when_it_is_interrupted_is_an_unmap(void **state)
{
    struct aspace *a = long_mapping();
    unsigned steps = 0;

    (void)state;
    interrupted = true;
    for (;;) {
        assert_int_equal(unmap(a, long_page(700), 1600 << PAGE_SHIFT), ST_OK);
        if (!inv.restart)
            break;
        steps++;
        /* nobody sees that it is not done: neither where it has been nor where it has not */
        assert_int_equal(store(a, 702), ST_NO_REGION);
        assert_int_equal(store(a, 2298), ST_NO_REGION);
        assert_int_equal(store(a, 699), ST_OK);
        assert_int_equal(store(a, 702), ST_NO_REGION); /* nor by way of the hint */
        assert_int_equal(store(a, 2300 + steps), ST_OK);
        aspace_ops.check(&a->object);
        memory_check(memory_of(object_at(SLOT_MEMORY)));
    }
    assert_true(steps >= 1600 / 64 - 1);
    assert_int_equal(inv.results[0], 1600 << PAGE_SHIFT);
    assert_int_equal(a->regions, 2);
    assert_int_equal(valid_ptes(a, 700, 1600, 0), 0);
    assert_null(radix_find(&a->table, long_page(1000) >> PAGE_SHIFT)); /* its table is free */
    assert_non_null(radix_find(&a->table, long_page(2310) >> PAGE_SHIFT));
    do
        assert_int_equal(unmap(a, LONG_BASE, LONG_PAGES << PAGE_SHIFT), ST_OK);
    while (inv.restart);
    assert_int_equal(inv.results[0], 1400 << PAGE_SHIFT); /* both pieces */
    assert_int_equal(a->regions, 0);
    interrupted = false;
    aspace_ops.check(&a->object);
}

static void long_protect_when_it_is_interrupted_is_a_protect(void **state)
{
    struct aspace *a = long_mapping();
    unsigned steps = 0;

    (void)state;
    interrupted = true;
    for (;;) {
        assert_int_equal(protect(a, long_page(100), 2800 << PAGE_SHIFT, MAP_READ), ST_OK);
        if (!inv.restart)
            break;
        steps++;
        assert_int_equal(store(a, 102), ST_FORBIDDEN);
        assert_int_equal(store(a, 2896), ST_FORBIDDEN);
        assert_int_equal(store(a, 99), ST_OK);
        aspace_ops.check(&a->object);
    }
    interrupted = false;
    assert_true(steps >= 2800 / 64 - 1);
    assert_int_equal(a->regions, 3);
    assert_int_equal(valid_ptes(a, 100, 2800, PTE_W), 0);
    assert_true(valid_ptes(a, 100, 2800, PTE_R) > 900);
    aspace_ops.check(&a->object);
}

/* What somebody began and never came back for, the next one finishes first. */
static void what_is_left_half_done_is_finished_by_others(void **state)
{
    struct aspace *a = long_mapping();

    (void)state;
    interrupted = true;
    assert_int_equal(unmap(a, long_page(0), 1000 << PAGE_SHIFT), ST_OK); /* and not again */
    assert_true(inv.restart);
    assert_int_equal(map(a, long_page(10), 4 * PAGE_SIZE, SLOT_MEMORY, 0, MAP_READ), ST_OK);
    assert_true(inv.restart);
    assert_int_equal(a->regions, 1);
    interrupted = false;
    assert_int_equal(map(a, long_page(10), 4 * PAGE_SIZE, SLOT_MEMORY, 0, MAP_READ), ST_OK);
    assert_false(inv.restart);
    assert_int_equal(a->regions, 2);
    assert_int_equal(valid_ptes(a, 0, 1000, 0), 0);
    aspace_ops.check(&a->object);

    interrupted = true;
    assert_int_equal(protect(a, long_page(1000), 1500 << PAGE_SHIFT, MAP_READ), ST_OK);
    assert_true(inv.restart);
    inv.thread->carries = 0; /* its caller is gone */
    interrupted = false;
    assert_int_equal(unmap(a, long_page(1200), 100 << PAGE_SHIFT), ST_OK);
    assert_int_equal(inv.results[0], 100 << PAGE_SHIFT);
    assert_int_equal(valid_ptes(a, 1000, 1500, PTE_W), 0);
    aspace_ops.check(&a->object);

    interrupted = true;
    assert_int_equal(unmap(a, long_page(2600), 300 << PAGE_SHIFT), ST_OK);
    assert_true(inv.restart);
    inv.thread->carries = 0;
    interrupted = false;
    assert_int_equal(unmap(a, long_page(0), LONG_PAGES << PAGE_SHIFT), ST_OK);
    assert_int_equal(a->regions, 0);
    assert_int_equal(valid_ptes(a, 0, LONG_PAGES, 0), 0);
    aspace_ops.check(&a->object);
}

static void long_release_when_it_is_interrupted_is_a_release(void **state)
{
    struct aspace *a = long_mapping();
    struct memory *m = memory_of(object_at(SLOT_MEMORY));
    word_t words[] = {100 << PAGE_SHIFT, 2000 << PAGE_SHIFT};
    u64 before = m->resident;
    unsigned steps = 0;

    (void)state;
    interrupted = true;
    for (;;) {
        assert_int_equal(fake_invoke(&m->object, OP_memory_release, &inv, words, 2), ST_OK);
        if (!inv.restart)
            break;
        steps++;
        words[0] = inv.thread->regs[10]; /* as the ecall finds them */
        words[1] = inv.thread->regs[11];
        assert_int_equal(words[0] + words[1], 2100 << PAGE_SHIFT);
        memory_check(m);
        aspace_ops.check(&a->object);
    }
    interrupted = false;
    assert_true(steps >= 2000 / 64 - 1);
    assert_int_equal(inv.results[0], 2000 / 3); /* every third page was there */
    assert_int_equal(m->resident, before - 2000 / 3);
    assert_int_equal(valid_ptes(a, 100, 2000, 0), 0);
    assert_true(valid_ptes(a, 2100, 900, 0) == 300 && valid_ptes(a, 0, 100, 0) == 34);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(long_unmap_when_it_is_interrupted_is_an_unmap, begin, end),
        cmocka_unit_test_setup_teardown(long_protect_when_it_is_interrupted_is_a_protect, begin,
                                        end),
        cmocka_unit_test_setup_teardown(long_release_when_it_is_interrupted_is_a_release, begin,
                                        end),
        cmocka_unit_test_setup_teardown(what_is_left_half_done_is_finished_by_others, begin, end),
        TEST(refused_maps_tell_why_and_change_nothing),
        TEST(query_tells_the_region_at_or_after),
        TEST(a_bank_without_room_refuses_and_keeps_nothing),
        TEST(buffer_windows_are_used_once_each_and_given_back),
        TEST(identifiers_are_unique_until_used_up_then_shared),
        TEST(tables_stay_while_a_region_needs_them),
        TEST(unmapping_wakes_those_who_wait_there_and_nobody_else),
        TEST(a_first_touch_shows_zeros),
        TEST(a_fault_on_a_valid_page_sets_what_hardware_did_not),
        TEST(a_protected_page_is_read_by_all_and_written_by_none),
        TEST(phys_objects_come_only_from_what_was_given),
        TEST(info_and_query_tell_what_the_owner_says),
        TEST(the_last_page_is_zero_past_the_end_whatever_the_frame_held),
        TEST(random_operations_match_a_list_of_mappings),
    };

    return cmocka_run_group_tests(tests, boot, NULL);
}
