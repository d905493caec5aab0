/* SPDX-License-Identifier: MIT */
/* Making and ending the world; world.h says what is in it. */
#include "test/system/random_calls/world.h"

#include <string.h>

#define WORLD_PAGES 420
#define BANK_PAGES  90
#define RTC_BASE    0x101000ul /* clock of QEMU virt */
#define RTC_IRQ     11

/* In the first 2 MiB, across a boundary of 1 GiB, and up to the highest address. */
const word_t windows[NWINDOWS] = {0x100000, 0x40000000 - PAGES(WINDOW_PAGES / 2),
                                  USER_REGION_TOP - PAGES(WINDOW_PAGES)};

struct world world;

static cap_t stub, jobs, handler_any, handlers[NACTORS], device, line;
static struct job *job_pages;
static word_t next_slot;

void world_prepare(void)
{
    char *view;

    stub = make(OBJ_anon, PAGE, 0);
    view = kit_map(stub, PAGE, 0, MAP_READ | MAP_WRITE);
    memcpy(view, stub_begin, (size_t)(stub_end - stub_begin));
    kit_unmap(view, PAGE);
    jobs = make(OBJ_anon, PAGES(NACTORS), 0);
    job_pages = kit_map(jobs, PAGES(NACTORS), 0, MAP_READ | MAP_WRITE);
    for (unsigned i = 0; i < NACTORS; i++) {
        memset((char *)job_pages + PAGES(i), 0, sizeof(struct job));
        handlers[i] = badged(SLOT_ENDPOINT, ENDPOINT_SEND, BADGE_ACTOR + i);
    }
    handler_any = badged(SLOT_ENDPOINT, ENDPOINT_SEND | ENDPOINT_GRANT, BADGE_OTHER);
    device = make_in(kit.devices, OBJ_phys, RTC_BASE, PAGE);
    line = make_in(kit.devices, OBJ_irq, RTC_IRQ, 0);
}

void world_forget(void)
{
    kit_unmap(job_pages, PAGES(NACTORS));
    drop(stub);
    drop(jobs);
    for (unsigned i = 0; i < NACTORS; i++)
        drop(handlers[i]);
    drop(handler_any);
    drop(device);
    drop(line);
}

/* Let the actors have a copy of a capability of the director's, in the next slot. */
static void give(cap_t cap, word_t rights)
{
    must(q_cspace_copy(world.cspace, next_slot++, SLOT_CSPACE, cap, rights), "give");
}

/* An object that only the actors hold. */
static void grant(cap_t bank, enum object_type type, word_t a, word_t b)
{
    cap_t made = make_in(bank, type, a, b);

    must(q_cspace_move(world.cspace, next_slot++, SLOT_CSPACE, made), "grant");
    slot_release(made);
}

static void make_actor(unsigned i)
{
    static const int priorities[NACTORS] = {0, 1, -1, 0};
    struct actor *a = &world.actors[i];
    word_t own = must(q_sched_query(SLOT_SCHED), "query");
    cap_t bank = i < 2 ? world.bank : world.banks[i - 2];

    a->gone = false;
    a->operation = NO_OPERATION;
    a->thread = make_in(bank, OBJ_thread, 0, 0);
    a->sched = make_in(bank, OBJ_sched, own + (word_t)priorities[i], 0);
    a->job = (struct job *)((char *)job_pages + PAGES(i));
    must(q_thread_configure(a->thread, world.cspace, world.spaces[i % NSPACES], handlers[i],
                            a->sched),
         "configure");
    must(q_thread_name(a->thread, 0x30726f746361 + ((word_t)i << 40), 0), "name"); /* actor0 */
}

static void make_memory(void)
{
    cap_t served[2], anon = make_in(world.bank, OBJ_anon, PAGES(12), 0);
    struct declaration d = {
        DECLARE_MAPPABLE | DECLARE_PRIVATE, ALL_ACCESS, ALL_ACCESS, 0, 6, "world"};

    for (unsigned op = 1; op < MAPPING_OP_LIMIT; op++)
        d.wants |= op == MAPPING_on_mapped || op == MAPPING_on_unmapped || op == MAPPING_on_split ||
                           op == MAPPING_on_protect
                       ? 1ul << op
                       : 0;
    world.anon = next_slot;
    give(anon, RIGHTS_ALL);
    for (unsigned i = 0; i < 2; i++) {
        cap_t endpoint = make_in(world.bank, OBJ_endpoint, 0, 0);

        served[i] = make_in(i ? world.banks[0] : world.bank, OBJ_served, PAGES(20) - 100 * i, i);
        must(q_served_declare_all(served[i], &d), "declare");
        must(q_served_attach(served[i], endpoint), "attach");
        for (unsigned k = 0; k < 2; k++) /* one in each space */
            must(q_thread_bind(world.actors[2 * i + k].thread, endpoint), "bind");
        for (unsigned k = 0; k < NSPACES; k++)
            must(q_aspace_map(world.spaces[k], windows[1] + PAGES(k == i ? 0 : 12), PAGES(11),
                              served[i], PAGES(2 + k), MAP_READ | MAP_WRITE),
                 "map");
        must(q_aspace_map(world.spaces[i], windows[0], PAGES(6), anon, PAGES(i),
                          MAP_READ | MAP_WRITE),
             "map");
        world.served[i] = next_slot;
        give(served[i], RIGHTS_ALL);
        give(endpoint, RIGHTS_ALL);
        give(served[i], MEMORY_READ | MEMORY_WRITE);
        give(endpoint, ENDPOINT_SEND | ENDPOINT_RECEIVE);
        drop(served[i]);
        drop(endpoint);
    }
    must(q_aspace_map(world.spaces[1], windows[2], PAGES(4), anon, 0, MAP_READ | MAP_EXEC), "map");
    drop(anon);
}

/* Leave the bank a few pages only: a further bank has the others. */
static void make_tight(cap_t bank, word_t left)
{
    struct bank_state b = bank_read(bank);

    if (b.limit - b.used > left + 1)
        grant(bank, OBJ_bank, b.limit - b.used - left - 1, 0);
}

void world_make(bool tight)
{
    world.bank = make(OBJ_bank, WORLD_PAGES, 0);
    world.cspace = make_in(world.bank, OBJ_cspace, WORLD_BITS, 0);
    for (unsigned i = 0; i < 2; i++)
        world.banks[i] = make_in(world.bank, OBJ_bank, BANK_PAGES, 0);
    for (unsigned i = 0; i < NSPACES; i++) {
        world.spaces[i] = make_in(world.bank, OBJ_aspace, 0, 0);
        must(q_aspace_map(world.spaces[i], STUB_ADDRESS, PAGE, stub, 0, MAP_READ | MAP_EXEC),
             "stub");
        must(q_aspace_map(world.spaces[i], JOB_ADDRESS0, PAGES(NACTORS), jobs, 0,
                          MAP_READ | MAP_WRITE),
             "jobs");
    }
    for (unsigned i = 0; i < NACTORS; i++)
        make_actor(i);

    next_slot = 1;
    give(world.cspace, RIGHTS_ALL);
    give(world.bank, BANK_CREATE);
    for (unsigned i = 0; i < 2; i++)
        give(world.banks[i], RIGHTS_ALL);
    for (unsigned i = 0; i < NSPACES; i++)
        give(world.spaces[i], RIGHTS_ALL);
    for (unsigned i = 0; i < NACTORS; i++) {
        world.threads[i] = next_slot;
        give(world.actors[i].thread, RIGHTS_ALL);
        give(world.actors[i].sched, RIGHTS_ALL);
    }
    make_memory();
    give(handler_any, RIGHTS_ALL);
    give(device, MEMORY_READ | MEMORY_WRITE);
    give(line, RIGHTS_ALL);
    give(kit.debug, DEBUG_QUERY);
    give(kit.root, BANK_DESTROY);
    for (unsigned i = 0; i < 2; i++) {
        grant(world.banks[i], OBJ_notification, 0, 0);
        grant(world.banks[i], OBJ_thread, 0, 0);
        grant(world.banks[i], OBJ_sched, 9, 0);
        grant(world.banks[1 - i], OBJ_aspace, 0, 0);
        grant(world.banks[1 - i], OBJ_cspace, 3, 0);
    }
    for (unsigned i = 0; i < 2 && tight; i++)
        make_tight(world.banks[i], i);
    if (tight)
        make_tight(world.bank, 3);
}

void world_end(void)
{
    must(q_bank_destroy(world.bank), "bank.destroy");
    for (unsigned i = 0; i < NACTORS; i++) {
        forget(world.actors[i].thread);
        forget(world.actors[i].sched);
    }
    for (unsigned i = 0; i < 2; i++)
        forget(world.banks[i]);
    for (unsigned i = 0; i < NSPACES; i++)
        forget(world.spaces[i]);
    forget(world.cspace);
    forget(world.bank);
}

unsigned pool_type(word_t number)
{
    struct result r = q_cspace_query(world.cspace, number);

    return r.status == ST_OK ? (unsigned)r.value : 0;
}
