/* SPDX-License-Identifier: MIT */
/*
 * Debug: console, power and queries, for tests and tools.
 *
 * Present in both builds, because release builds are tested too, and handed out only by the system
 * description, because it tells physical addresses.  Nothing in the kernel depends on it.
 */
#include "kernel/object/debug.h"

#include "kernel/core/console.h"
#include "kernel/core/counters.h"
#include "kernel/core/invoke.h"
#include "kernel/core/panic.h"
#include "kernel/core/platform.h"
#include "kernel/core/schedule.h"
#include "kernel/core/trace.h"
#include "kernel/object/bank.h"
#include "kernel/object/memory.h"
#include "kernel/object/served.h"
#include "kernel/object/thread.h"
#include "lib/base/string.h"

#define OPERATIONS_OF   debug
#define OPERATIONS_FILE "lib/abi/debug.def"
#include "kernel/core/operations.h"

/* debug.write.  Rights: CONSOLE. */
static status_t debug_write(struct object *o, struct invocation *inv)
{
    u64 nbytes = inv_word(inv, 0), room = (inv->nwords - 1) * 8;

    (void)o;
    if (nbytes > room)
        return inv_fail(inv, ST_BAD_ARG, room);

    kernel_counters.console_writes++;
    for (u64 i = 0; i < nbytes; i += 8) {
        word_t word = inv_word(inv, 1 + i / 8);
        for (u64 k = i; k < nbytes && k < i + 8; k++, word >>= 8)
            console_putc((char)word);
    }
    return ST_OK;
}

/* debug.power_off.  Rights: POWER. */
static status_t debug_power_off(struct object *o, struct invocation *inv)
{
    word_t code = inv_word(inv, 0);

    (void)o;
    if (code > 127)
        return inv_fail(inv, ST_BAD_ARG, 0);
    platform_power_off(code);
}

/* The memory object that argument `n` names, or NULL. */
static struct memory *memory_argument(const struct invocation *inv, unsigned n)
{
    struct slot *slot = inv_lookup(inv, inv_word(inv, n));

    return slot && slot_holds_memory(slot, 0) ? memory_of(slot_object(slot)) : NULL;
}

/* debug.page.  Rights: QUERY. */
static status_t debug_page(struct object *o, struct invocation *inv)
{
    struct memory *m = memory_argument(inv, 0);
    u64 index = inv_word(inv, 1) >> PAGE_SHIFT, slot = 0;
    u64 *entry;

    (void)o;
    if (!m)
        return inv_fail(inv, ST_BAD_CAP, 0);
    if (index >= m->npages)
        return inv_fail(inv, ST_PAST_END, m->npages << PAGE_SHIFT);

    entry = m->index.depth ? radix_find(&m->index, index) : NULL;
    if (entry)
        slot = *entry;
    if (slot & SLOT_RESIDENT) {
        paddr_t p = paddr(slot & ~SLOT_BITS);
        inv_result(inv, 1);
        inv_result(inv, p.addr);
        inv_result(inv, frame_of(p)->map_count);
        inv_result(inv, slot & SLOT_BITS);
        return ST_OK;
    }
    inv_result(inv, slot & SLOT_WAITING ? 2 : 0);
    inv_result(inv, 0);
    inv_result(inv, 0);
    inv_result(inv, 0);
    return ST_OK;
}

/* debug.counters.  Rights: QUERY. */
static status_t debug_counters(struct object *o, struct invocation *inv)
{
    (void)o;
    inv_result(inv, kernel_counters.ticks);
    inv_result(inv, kernel_counters.idle);
    inv_result(inv, kernel_counters.switches);
    inv_result(inv, kernel_counters.faults);
    inv_result(inv, frame_free_count());
    inv_result(inv, kernel_counters.console_writes);
    return ST_OK;
}

/* A frame in use: what it is used for knows of it (I1), and its payer's count grows. */
static void count_frame(struct frame *f, void *context)
{
    const struct slot *payer = slot_from_number(f->payer);
    struct bank *b = slot_object(payer);

    (void)context;
    assert(f->payer && slot_place(payer) == PLACE_ORIGIN && slot_type(payer) == OBJ_bank);
    if (f->state == FRAME_USER)
        memory_check_frame(f);
    if (f->state == FRAME_SLAB) {
        assert(f->owner == (u64)b);
        b->counted_slabs++;
    } else {
        b->counted_frames += 1ul << f->order;
    }
}

/* The bank that this slot is the origin of, or NULL. */
static struct bank *bank_at(const struct slot *s)
{
    return slot_place(s) == PLACE_ORIGIN && slot_type(s) == OBJ_bank ? slot_object(s) : NULL;
}

/* I4 of one bank, whose frames have been counted. */
static void check_counts(const struct bank *b)
{
    u64 children = 0;

    for (u32 n = b->object.origin.child; n; n = slot_from_number(n)->next)
        if (bank_at(slot_from_number(n)))
            children += bank_at(slot_from_number(n))->limit;
    assert(b->counted_slabs == b->slab_pages);
    assert(b->counted_frames == b->frame_pages); /* B2 */
    assert(children == b->child_pages);
}

/* I1 and I4, of all frames and all banks below the first one, whose origin is `top`. */
static void check_frames(const struct slot *top)
{
    for (const struct slot *s = top; s; s = slot_walk_next(top, s))
        if (bank_at(s))
            bank_at(s)->counted_slabs = bank_at(s)->counted_frames = 0;
    frame_for_each_used(count_frame, NULL);
    for (const struct slot *s = top; s; s = slot_walk_next(top, s))
        if (bank_at(s))
            check_counts(bank_at(s));
}

/* Every object of the tree, one after the other, from the first bank (which paid for `o`) down. */
static void check_objects(const struct object *o)
{
    const struct slot *top = &object_bank(o)->object.origin;

    for (const struct slot *s = top; s; s = slot_walk_next(top, s)) {
        slot_check(s);
        if (slot_place(s) == PLACE_ORIGIN || s == top) {
            const struct object *at = slot_object(s);
            if (object_ops_of(at->type)->check)
                object_ops_of(at->type)->check(at);
        }
    }
}

/* debug.check.  Rights: QUERY.  Lock: alone. */
static status_t debug_check(struct object *o, struct invocation *inv)
{
    if (CONFIG_DEBUG) {
        frame_check();
        schedule_check();
        clock_check();
        check_objects(o);
        check_frames(&object_bank(o)->object.origin);
    }
    inv_result(inv, CONFIG_DEBUG);
    return ST_OK;
}

/* debug.mapping_info.  Rights: QUERY. */
static status_t debug_mapping_info(struct object *o, struct invocation *inv)
{
    struct memory *m = memory_argument(inv, 0);
    struct mapping_info info;
    status_t status;

    (void)o;
    if (!m)
        return inv_fail(inv, ST_BAD_CAP, 0);
    status = memory_check_range(m, inv_word(inv, 1), inv_word(inv, 2), 1, &inv->detail);
    if (status != ST_OK)
        return status;
    status = m->ops->get_mapping_info_with(m, inv_word(inv, 1), inv_word(inv, 2), inv_word(inv, 3),
                                           &info);
    if (status != ST_OK)
        return inv_fail(inv, status, 0);

    inv_result(inv, info.permissions);
    inv_result(inv, info.is_shared);
    inv_result(inv, info.attribute);
    inv_result(inv, info.paddr);
    return ST_OK;
}

/* The object of that type that comes after `n` others in the tree below the first bank; NULL: there
 * are fewer. */
static struct object *nth_object(const struct object *o, enum object_type type, u64 n)
{
    const struct slot *top = &object_bank(o)->object.origin;

    for (const struct slot *s = top; s; s = slot_walk_next(top, s)) {
        struct object *at = slot_object(s);

        if (slot_place(s) == PLACE_ORIGIN && at->type == type && n-- == 0)
            return at;
    }
    return NULL;
}

/* debug.thread.  Rights: QUERY.  Lock: alone. */
static status_t debug_thread(struct object *o, struct invocation *inv)
{
    const struct object *found = nth_object(o, OBJ_thread, inv_word(inv, 0));
    const struct thread *t;
    word_t owner[OWNER_NAME_BYTES / 8] = {0};
    u64 offset = 0;
    u32 waited = 0; /* right also when the stamp's 32 bits have wrapped once */

    if (!found)
        return ST_OK;
    t = container_of(found, const struct thread, object);
    if (t->state == THREAD_FAULTING) {
        waited = (u32)kernel_counters.ticks - t->ticket.since;
        offset = t->ticket.index << PAGE_SHIFT;
        t->ticket.object->ops->mmap_owner_name(t->ticket.object, (char *)owner);
    }
    inv_result(inv, t->object.serial);
    inv_result(inv, t->state);
    inv_result(inv, t->name[0]);
    inv_result(inv, t->name[1]);
    inv_result(inv, t->regs[0]);
    inv_result(inv, t->state == THREAD_FAULTING ? t->ticket.vaddr : t->stop_address);
    inv_result(inv, offset);
    for (unsigned i = 0; i < ARRAY_SIZE(owner); i++)
        inv_result(inv, owner[i]);
    inv_result(inv, waited);
    return ST_OK;
}

/* debug.served.  Rights: QUERY.  Lock: alone. */
static status_t debug_served(struct object *o, struct invocation *inv)
{
    struct object *found = nth_object(o, OBJ_served, inv_word(inv, 0));
    word_t name[OWNER_NAME_BYTES / 8];
    const struct served *s;

    if (!found)
        return ST_OK;
    s = served_of(memory_of(found));
    s->memory.ops->mmap_owner_name(&s->memory, (char *)name);
    inv_result(inv, found->serial);
    inv_result(inv, s->waits);
    inv_result(inv, s->waited);
    inv_result(inv, s->longest_wait);
    for (unsigned i = 0; i < ARRAY_SIZE(name); i++)
        inv_result(inv, name[i]);
    return ST_OK;
}

/* debug.trace.  Rights: none. */
static status_t debug_trace(struct object *o, struct invocation *inv)
{
    (void)o;
    (void)inv;
    trace(user, inv_word(inv, 0), inv_word(inv, 1), inv_word(inv, 2));
    return ST_OK;
}

/* debug.trace_read.  Rights: QUERY. */
static status_t debug_trace_read(struct object *o, struct invocation *inv)
{
    word_t words[sizeof(struct trace_record) / sizeof(word_t)];
    struct trace_record record;
    u64 count = trace_count(), number = inv_word(inv, 0);

    (void)o;
    inv_result(inv, count);
    if (!CONFIG_TRACE || number >= count)
        return ST_OK;
    inv_result(inv, trace_read(number, &record));
    memcpy(words, &record, sizeof(words));
    for (unsigned i = 0; i < ARRAY_SIZE(words); i++)
        inv_result(inv, words[i]);
    return ST_OK;
}

struct debug *debug_boot(struct bank *bank)
{
    struct debug *d = bank_alloc(bank, sizeof(*d));

    if (!d)
        panic("no memory for the debug object");
    object_init(&d->object, bank, OBJ_debug, sizeof(*d));
    return d;
}

static bool debug_destroy(struct object *o)
{
    (void)o;
    return true;
}

static void debug_describe(const struct object *o, struct text *t)
{
    (void)o;
    text_puts(t, "debug");
}

/* Programs cannot make one: create stays NULL, which bank.create answers with BAD_TYPE. */
const struct object_ops debug_ops = {
    .destroy = debug_destroy,
    .describe = debug_describe,
    .operations = &debug_operations,
};
