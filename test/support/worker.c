/* SPDX-License-Identifier: MIT */
/* Threads and address spaces of a test; worker.h says what for. */
#include "test/support/worker.h"

#include <picolibc.h> /* says whether picotls.h declares anything */
#include <picotls.h>
#include <string.h>

#include "lib/rt/recover.h"

#define ARENA_BASE   0x3800000000
#define ARENA_BYTES  (4ul << 20)
#define BLOCK_BYTES  (16ul << 10) /* one worker: struct, thread-local storage, stack */
#define BLOCKS_BYTES (1ul << 20)
#define NBLOCKS      (BLOCKS_BYTES / BLOCK_BYTES)
#define PATIENCE     20000 /* times to yield */

static cap_t arena;
static word_t arena_used = BLOCKS_BYTES;
static bool block_taken[NBLOCKS];
static __thread struct worker *self;

static void arena_begin(void)
{
    if (arena)
        return;
    arena = make(OBJ_anon, ARENA_BYTES, 0);
    must(q_aspace_map(SLOT_ASPACE, ARENA_BASE, ARENA_BYTES, arena, 0, MAP_READ | MAP_WRITE),
         "arena");
    *(volatile char *)ARENA_BASE = 0; /* tables */
}

void *arena_new(size_t nbytes)
{
    word_t at = arena_used;

    arena_begin();
    arena_used += (nbytes + 63) & ~63ul;
    if (arena_used > ARENA_BYTES)
        bail("the arena is full");
    return (void *)(ARENA_BASE + at);
}

word_t pages_used(void)
{
    arena_begin();
    return bank_read(kit.bank).used - memory_read(arena).resident;
}

/* ---------------------------------------------------------------------------------------- spaces */

void space_map(struct space *s, void *address, cap_t object, word_t length, word_t offset,
               word_t flags)
{
    must(q_aspace_map(s->aspace, (word_t)address, length, object, offset, flags), "map in a space");
}

/* The space gets a copy of one of the program's own regions, at the same place. */
static void copy_region(struct space *s, cap_t bank, word_t start, word_t length, word_t flags)
{
    cap_t copy = make_in(bank, OBJ_anon, length, 0);
    void *window = kit_map(copy, length, 0, MAP_READ | MAP_WRITE);

    memcpy(window, (void *)start, length);
    kit_unmap(window, length);
    space_map(s, (void *)start, copy, length, 0, flags);
    drop(copy);
}

struct space *space_new(cap_t bank)
{
    struct space *s = arena_new(sizeof *s);
    extern char _end[];
    word_t at = STARTUP_ADDRESS;
    struct message m = {0};

    s->aspace = make_in(bank, OBJ_aspace, 0, 0);
    for (;;) {
        m.words[0] = at;
        if (q_operation(SLOT_ASPACE, OP_aspace_query, 1, &m) != ST_OK || m.words[0] >= (word_t)_end)
            break;
        at = m.words[0] + m.words[1];
        copy_region(s, bank, m.words[0], m.words[1], m.words[3] & ALL_ACCESS);
    }
    space_map(s, (void *)ARENA_BASE, arena, ARENA_BYTES, 0, MAP_READ | MAP_WRITE);
    return s;
}

void space_drop(struct space *s)
{
    drop(s->aspace);
}

/* --------------------------------------------------------------------------------------- workers */

/* First instructions of a worker: a0 = its struct, a1 = its buffer page, sp and tp set. */
__attribute__((naked)) static void worker_entry(void)
{
    __asm__(".option push\n"
            ".option norelax\n"
            "la gp, __global_pointer$\n"
            ".option pop\n"
            "li s0, 0\n"
            "tail worker_main\n");
}

__attribute__((used)) static void worker_main(struct worker *w, struct thread_buffer *buffer)
{
    self = w;
    sys_buffer_page = buffer;
    recover_arm();
    w->function(w->argument);
    w->done = true;
    for (;;)
        q_thread_stop(w->thread);
}

struct worker *worker_self(void)
{
    return self;
}

static struct worker *block_new(void)
{
    arena_begin();
    for (unsigned i = 0; i < NBLOCKS; i++)
        if (!block_taken[i]) {
            struct worker *w = (struct worker *)(ARENA_BASE + i * BLOCK_BYTES);
            block_taken[i] = true;
            *w = (struct worker){0};
            return w;
        }
    bail("over %lu workers", NBLOCKS);
}

static unsigned own_priority(void)
{
    return must(q_sched_query(SLOT_SCHED), "sched.query");
}

struct worker *worker_new(const struct worker_options *o)
{
    cap_t bank = o->bank ? o->bank : kit.bank;
    struct worker *w = block_new();

    w->thread = make_in(bank, OBJ_thread, 0, 0);
    if (!o->passive)
        w->sched = make_in(bank, OBJ_sched, own_priority() + o->priority, 0);
    w->buffer = (struct thread_buffer *)must(
        q_thread_configure(w->thread, SLOT_CSPACE, o->space ? o->space->aspace : SLOT_ASPACE,
                           o->handler, w->sched),
        "thread.configure");
    if (o->endpoint)
        must(q_thread_bind(w->thread, o->endpoint), "thread.bind");
    return w;
}

void worker_start(struct worker *w, void (*function)(void *), void *argument)
{
    word_t block = (word_t)w;
    word_t tls = (block + sizeof *w + 63) & ~63ul;

    w->function = function;
    w->argument = argument;
    w->done = false;
    _init_tls((void *)tls);
    must(q_thread_start(w->thread, (word_t)worker_entry, block + BLOCK_BYTES, block, tls),
         "thread.start");
}

struct worker *worker_run(const struct worker_options *options, void (*function)(void *),
                          void *argument)
{
    struct worker *w = worker_new(options);

    worker_start(w, function, argument);
    return w;
}

/* A worker is done when its function has returned and the thread has stopped. */
bool worker_wait(struct worker *w)
{
    return wait_for(&w->done) && thread_reaches(w->thread, THREAD_STOPPED);
}

static void block_back(struct worker *w)
{
    block_taken[((word_t)w - ARENA_BASE) / BLOCK_BYTES] = false;
}

void worker_drop(struct worker *w)
{
    drop(w->thread);
    if (w->sched)
        drop(w->sched);
    block_back(w);
}

void worker_forget(struct worker *w)
{
    forget(w->thread);
    if (w->sched)
        forget(w->sched);
    block_back(w);
}

struct thread_state thread_read(cap_t thread)
{
    struct message m = {0};
    status_t status = q_operation(thread, OP_thread_query, 0, &m);

    if (status != ST_OK)
        bail("thread.query: %s", status_name(status));
    return (struct thread_state){m.words[0], m.words[1], m.words[2], m.words[3]};
}

bool thread_reaches(cap_t thread, word_t state)
{
    for (unsigned i = 0; i < PATIENCE; i++) {
        if (thread_read(thread).state == state)
            return true;
        sys_yield();
    }
    return false;
}

void let_run(void)
{
    for (unsigned i = 0; i < 50; i++)
        sys_yield();
}

bool wait_for(volatile bool *flag)
{
    for (unsigned i = 0; i < PATIENCE && !*flag; i++)
        sys_yield();
    return *flag;
}
