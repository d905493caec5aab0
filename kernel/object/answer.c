/* SPDX-License-Identifier: MIT */
/*
 * Answer: pages and errors that a server supplies for its object (served.answer).
 *
 * An answer names (object, page), never a ticket, so the same operation answers a fault and fills
 * pages ahead, and a late answer is simply a prefetch.  It reads in the usual two paragraphs, over
 * a vector: every extent is checked, with all index nodes made and all room counted, then every
 * extent is done, and nothing after the first write can fail.  The tempting one-pass form would
 * leave a client with half an answer and a server that cannot say which half.
 */
#include "kernel/object/answer.h"

#include "kernel/core/fault.h"
#include "kernel/core/invoke.h"
#include "kernel/core/panic.h"
#include "kernel/core/trace.h"
#include "kernel/object/bank.h"
#include "kernel/object/link.h"
#include "lib/base/string.h"

#define EXTENTS_MAX ((MESSAGE_WORDS - 1) / ANSWER_EXTENT_WORDS)

/* One extent, copied from the message once and then checked.  Slots are kept for the first page;
 * those of the next pages lie behind it, but for a step to another leaf node (next_slot). */
struct extent {
    unsigned kind;
    status_t status; /* ANSWER_ERROR */
    u64 npages;
    u64 nbytes; /* ANSWER_COPY */
    u64 first;  /* page index in the object */
    u64 *to;    /* index slot of that page */
    struct memory *source;
    u64 source_offset; /* bytes */
    u64 *from;         /* ANSWER_MOVE: index slot of the first source page */
    u64 bits;          /* SLOT_ASK: the pages come protected */
    struct slot *slot; /* ANSWER_ALIAS: the source's capability, ... */
    struct link *link; /* ... and memory for the link */
};

/* The slot of page `index`, given that of the page before it. */
static inline u64 *next_slot(const struct radix *r, u64 *slot, u64 index)
{
    return index & (RADIX_ENTRIES - 1) ? slot + 1 : radix_find(r, index);
}

/* The statuses that a server may hand to whoever waits. */
static bool is_page_error(word_t status)
{
    return (status >= ST_IO && status <= ST_OWNER_DEAD && status != ST_PAST_END) ||
           status == ST_NO_SPACE || status == ST_DENIED;
}

static bool is_movable(u64 slot)
{
    return (slot & SLOT_BITS & ~(SLOT_ACCESSED | SLOT_DIRTY | SLOT_TAIL)) == SLOT_RESIDENT;
}

/* Does it bring pages? */
static inline bool brings_pages(unsigned kind)
{
    return kind <= ANSWER_ZERO;
}

/* Rights that the source capability needs for that kind of answer. */
static unsigned source_rights(unsigned kind)
{
    return kind == ANSWER_MOVE ? MEMORY_READ | MEMORY_WRITE : MEMORY_READ;
}

/* An error for one page beyond the end that somebody waits for (can_extend_on_fault)? */
static bool refuses_to_extend(const struct memory *m, const struct extent *x)
{
    const u64 *slot;

    if (x->kind != ANSWER_ERROR || x->npages != 1 || radix_depth(x->first + 1) > m->index.depth)
        return false;
    slot = radix_find(&m->index, x->first);
    return slot && (*slot & SLOT_WAITING);
}

/* A kind that is none of the four usual ones: is it one all the same? */
static __attribute__((noinline, cold)) bool read_other_kind(struct extent *x)
{
    if (x->kind & ANSWER_PROTECTED) {
        x->kind &= ANSWER_KIND_MASK;
        x->bits = SLOT_ASK;
        return x->kind >= ANSWER_MOVE && brings_pages(x->kind);
    }
    return x->kind >= ANSWER_ALIAS && x->kind <= ANSWER_ALLOW;
}

/* Read extent `n` of the message into `x` and check what it says by itself. */
static status_t read_extent(const struct served *s, const struct invocation *inv, unsigned n,
                            struct extent *x)
{
    unsigned at = 1 + n * ANSWER_EXTENT_WORDS;
    word_t what = inv_word(inv, at), offset = inv_word(inv, at + 1);
    word_t source = inv_word(inv, at + 2);
    u64 count = what >> ANSWER_COUNT_SHIFT;
    u64 status = what >> ANSWER_STATUS_SHIFT & ANSWER_STATUS_MASK;

    x->kind = what & (ANSWER_KIND_MASK | ANSWER_PROTECTED);
    x->status = (status_t)status;
    x->npages = count;
    x->first = offset >> PAGE_SHIFT;
    x->source_offset = inv_word(inv, at + 3);
    x->from = NULL;
    x->bits = 0;
    x->link = NULL;
    if ((x->kind < ANSWER_MOVE || x->kind > ANSWER_ERROR) && !read_other_kind(x))
        return ST_BAD_ARG;
    if ((offset & PAGE_MASK) || count == 0)
        return ST_BAD_ARG;
    if (x->kind == ANSWER_COPY) {
        x->nbytes = count;
        x->npages = (count + PAGE_MASK) >> PAGE_SHIFT;
    }
    if (x->npages > (x->kind == ANSWER_COPY ? ANSWER_MAX_COPY : ANSWER_MAX_PAGES))
        return ST_BAD_ARG;
    if (x->kind == ANSWER_MOVE && (x->source_offset & PAGE_MASK))
        return ST_BAD_ARG;
    if (x->kind == ANSWER_ERROR && !is_page_error(status))
        return ST_BAD_ARG;
    if ((x->first >= s->memory.npages || x->npages > s->memory.npages - x->first) &&
        !refuses_to_extend(&s->memory, x))
        return ST_PAST_END;
    if (x->kind == ANSWER_MOVE || x->kind == ANSWER_COPY) {
        struct slot *slot = inv_lookup(inv, source);
        if (!slot || !slot_holds_memory(slot, source_rights(x->kind)))
            return ST_BAD_CAP;
        x->source = memory_of(slot_object(slot));
    }
    return ST_OK;
}

/* Can every frame of a moving extent leave? */
static bool frames_ready(struct extent *x)
{
    const struct radix *index = &x->source->index;
    u64 first = x->source_offset >> PAGE_SHIFT;
    u64 *slot;

    if (!memory_has_frames(x->source) || first >= x->source->npages ||
        x->npages > x->source->npages - first)
        return false;
    slot = x->from = radix_find(index, first);
    for (u64 i = 0;;) {
        if (!slot || !is_movable(*slot))
            return false;
        if (++i == x->npages)
            return true;
        slot = next_slot(index, slot, first + i);
    }
}

/* Can `n` bytes, at least one, from byte `offset` of the source be read? */
static bool bytes_ready(struct memory *source, u64 offset, u64 n)
{
    u64 first = offset >> PAGE_SHIFT, last;

    if (add_overflows(offset, n - 1, &last))
        return false;
    last >>= PAGE_SHIFT;
    if (last >= source->npages)
        return false;
    for (u64 i = first; i <= last; i++)
        if (!source->ops->resident_page(source, i))
            return false;
    return true;
}

static bool source_ready(struct extent *x)
{
    if (x->kind == ANSWER_MOVE)
        return frames_ready(x);
    return x->kind != ANSWER_COPY || bytes_ready(x->source, x->source_offset, x->nbytes);
}

/* The epoch that an answer to this slot must carry. */
static inline u32 expected_epoch(const struct served *s, u64 slot)
{
    if (slot & (SLOT_WAITING | SLOT_ASKED)) {
        const struct ticket *k = &served_first_waiter(slot)->ticket;
        if (k->delivered)
            return k->epoch;
    }
    return s->memory.epoch;
}

/* Does a page that is offered stay with its sender, since there is one already?  Only where somebody
 * waits to write to a protected page does another page take its place. */
static inline bool is_kept(u64 slot)
{
    return (slot & (SLOT_RESIDENT | SLOT_ASKED)) == SLOT_RESIDENT;
}

/* Check the places of an extent: index nodes exist afterwards, epochs agree, and *need grows by the
 * pages that the object's bank will pay for anew. */
static status_t check_places(struct served *s, struct extent *x, struct bank *bank, word_t epoch,
                             u64 *need)
{
    struct radix *index = &s->memory.index;
    u64 *to = NULL, *from = x->from;

    for (u64 i = 0; i < x->npages; i++) {
        if (i == 0 || ((x->first + i) & (RADIX_ENTRIES - 1)) == 0)
            to = radix_make(index, x->first + i, bank);
        else
            to++;
        if (!to)
            return ST_NO_SPACE;
        if (i == 0)
            x->to = to;
        else if (from)
            from = next_slot(&x->source->index, from, (x->source_offset >> PAGE_SHIFT) + i);
        if (epoch != expected_epoch(s, *to))
            return ST_STALE;
        if (is_kept(*to) || !brings_pages(x->kind))
            continue;
        if (from && frame_payer(frame_of(paddr(*from & ~SLOT_BITS))) == bank)
            continue;
        ++*need;
    }
    return ST_OK;
}

/* Fill a page with `n` bytes from byte `offset` of the source, and zeros behind them. */
static void copy_bytes(void *to, struct memory *source, u64 offset, u64 n)
{
    u64 done = 0;

    if (n == PAGE_SIZE && !(offset & PAGE_MASK)) {
        page_copy(to, source->ops->resident_page(source, offset >> PAGE_SHIFT));
        return;
    }
    while (done < n) {
        u64 at = offset + done;
        u64 part = MIN(n - done, PAGE_SIZE - (at & PAGE_MASK));
        const u8 *page = source->ops->resident_page(source, at >> PAGE_SHIFT);
        memcpy((u8 *)to + done, page + (at & PAGE_MASK), part);
        done += part;
    }
    memset((u8 *)to + n, 0, PAGE_SIZE - n);
}

/*
 * The check has seen each page's source, and room for it; but an earlier page of the same answer may
 * have taken the source, or have moved away from a place that was full and so needed no room.  Then
 * there is no frame, and the page is not taken.
 */

/* The frame leaves its object and every page table. */
static struct frame *take_frame(struct memory *source, u64 *slot, struct bank *payer)
{
    struct frame *f;

    if (!is_movable(*slot))
        return NULL;
    f = frame_of(paddr(*slot & ~SLOT_BITS));
    if (!bank_frame_move(f, payer))
        return NULL;
    if (f->map_count)
        memory_unmap_frame(source, f);
    *slot = 0;
    source->resident--;
    return f;
}

/* A new frame with the bytes of page `i` of an extent. */
static struct frame *make_frame(const struct extent *x, u64 i, struct bank *bank)
{
    u64 done = i << PAGE_SHIFT, offset = x->source_offset + done;
    u64 n = MIN(x->nbytes - done, PAGE_SIZE);
    struct frame *f;

    if (x->kind == ANSWER_COPY && !bytes_ready(x->source, offset, n))
        return NULL;
    f = bank_frame_alloc(bank, 0);
    if (!f)
        return NULL;
    if (x->kind == ANSWER_ZERO)
        page_zero(frame_kva(f));
    else
        copy_bytes(frame_kva(f), x->source, offset, n);
    return f;
}

/* Check an alias, whose pages the source has or begins, and make the memory for its link. */
static __attribute__((noinline, cold)) status_t prepare_alias(const struct served *s,
                                                              const struct invocation *inv,
                                                              unsigned n, struct extent *x)
{
    struct mapping_info info;
    u64 to = x->source_offset >> PAGE_SHIFT;

    x->slot = inv_lookup(inv, inv_word(inv, 1 + n * ANSWER_EXTENT_WORDS + 2));
    if (!x->slot || !slot_holds_memory(x->slot, MEMORY_READ))
        return ST_BAD_CAP;
    x->source = memory_of(slot_object(x->slot));
    if (x->source_offset & PAGE_MASK)
        return ST_BAD_ARG;
    if (to >= x->source->npages || x->npages > x->source->npages - to)
        return ST_SOURCE_MISSING;
    if (x->source->ops->get_mapping_info_with(x->source, x->source_offset, x->npages << PAGE_SHIFT,
                                              true, &info) != ST_OK ||
        info.attribute != MEMORY_NORMAL)
        return ST_SOURCE_MISSING;
    if (!link_fits(&s->memory, x->source))
        return ST_LIMIT;
    x->link = bank_alloc(object_bank(&s->memory.object), sizeof(*x->link));
    return x->link ? ST_OK : ST_NO_SPACE;
}

/* The answer comes to nothing: neither do its links. */
static __attribute__((noinline, cold)) void forget_links(struct extent *extents, unsigned n)
{
    for (unsigned k = 0; k < n; k++)
        if (extents[k].kind == ANSWER_ALIAS && extents[k].link)
            bank_free(extents[k].link, sizeof(struct link));
}

/* Does this alias only make the one before it longer? */
static bool goes_on(const struct link *l, const struct extent *x)
{
    return l && l->mode == LINK_ALIAS && l->first + l->npages == x->first &&
           l->to + l->npages == x->source_offset >> PAGE_SHIFT &&
           l->target.parent == slot_to_number(x->slot) &&
           slot_rights(&l->target) == slot_rights(x->slot);
}

/* ALIAS: as far as no other alias is there, whose pages are kept.  Pages that are there stay in front. */
static __attribute__((noinline, cold)) u64 alias_extent(struct served *s, const struct extent *x)
{
    struct memory *m = &s->memory;
    struct link *next = link_next(m, x->first);
    struct link *before = x->first ? link_find(m, x->first - 1) : NULL;
    u64 n = next ? MIN(x->npages, MAX(next->first, x->first) - x->first) : x->npages;
    u64 *to = x->to, taken = 0;

    if (n == 0 || goes_on(before, x)) {
        bank_free(x->link, sizeof(*x->link));
        before = n ? before : NULL;
        if (before)
            before->npages += n;
    } else {
        link_attach(x->link, m, x->first, n, x->slot, x->source_offset >> PAGE_SHIFT, LINK_ALIAS);
    }
    for (u64 i = 0; i < n; i++) {
        if (i)
            to = next_slot(&m->index, to, x->first + i);
        if (*to & SLOT_WAITING)
            served_retry(to); /* they find the link */
        taken += !(*to & SLOT_RESIDENT);
    }
    return taken;
}

/* PROTECT and ALLOW: the pages that are otherwise now than before. */
static __attribute__((noinline, cold)) u64 change_extent(struct served *s, const struct extent *x)
{
    u64 *to = x->to, changed = 0;

    for (u64 i = 0; i < x->npages; i++) {
        if (i)
            to = next_slot(&s->memory.index, to, x->first + i);
        if (!(*to & SLOT_RESIDENT) || (x->kind == ANSWER_PROTECT) == !!(*to & SLOT_ASK))
            continue;
        changed++;
        *to ^= SLOT_ASK;
        if (x->kind == ANSWER_PROTECT)
            memory_protect_frame(&s->memory, frame_of(paddr(*to & ~SLOT_BITS)));
        else if (*to & SLOT_ASKED) {
            struct thread *first = served_close_ticket(s, to);
            trace(ticket_answered, trace_object(&s->memory.object), (x->first + i) << PAGE_SHIFT,
                  ST_OK);
            fault_wake_resident(first, *to);
        }
    }
    return changed;
}

/* Another page is to take the place of the one that somebody waits to write to: the old one goes, and
 * the ticket is closed as for a page that was missing. */
static __attribute__((noinline, cold)) struct thread *drop_page(struct served *s, u64 *to)
{
    struct frame *f = frame_of(paddr(*to & ~SLOT_BITS));
    struct thread *first = served_close_ticket(s, to);

    if (f->map_count)
        memory_unmap_frame(&s->memory, f);
    *to = 0;
    s->memory.resident--;
    bank_frame_free(f, 0);
    return first;
}

/* The page that has just come to this slot is protected. */
static __attribute__((noinline, cold)) unsigned protect_new(struct thread *first, u64 *to)
{
    *to |= SLOT_ASK;
    if (first)
        fault_wake_protected(first, *to);
    return 1;
}

/* Do page `i`, whose slot is `to`; returns 1 if it was taken, 0 if a page was there already (it is
 * kept, and a frame offered stays with its sender), there is no frame for it any more, or there was
 * nobody to hear an error. */
static unsigned answer_page(struct served *s, const struct extent *x, struct bank *bank, u64 i,
                            u64 *to, u64 *from)
{
    struct thread *first = NULL;
    struct frame *f;

    if (is_kept(*to) || (s->memory.links_out && link_find(&s->memory, x->first + i)))
        return 0; /* an alias is kept too */
    if (x->kind == ANSWER_ERROR) {
        if (*to == 0)
            return 0;
        trace(ticket_answered, trace_object(&s->memory.object), (x->first + i) << PAGE_SHIFT,
              x->status);
        fault_wake_error(served_close_ticket(s, to), x->status);
        return 1;
    }
    f = from ? take_frame(x->source, from, bank) : make_frame(x, i, bank);
    if (!f)
        return 0;
    if (*to) {
        trace(ticket_answered, trace_object(&s->memory.object), (x->first + i) << PAGE_SHIFT,
              ST_OK);
        first = *to & SLOT_WAITING ? served_close_ticket(s, to) : drop_page(s, to);
    }
    memory_install(&s->memory, to, x->first + i, f);
    if (x->bits)
        return protect_new(first, to);
    if (first)
        fault_wake_resident(first, *to);
    return 1;
}

/* Do an extent; returns the pages taken. */
static u64 answer_extent(struct served *s, const struct extent *x, struct bank *bank)
{
    u64 *to = x->to, *from = x->from;
    u64 taken = 0;

    if (x->kind > ANSWER_ERROR)
        return x->kind == ANSWER_ALIAS ? alias_extent(s, x) : change_extent(s, x);
    for (u64 i = 0;;) {
        taken += answer_page(s, x, bank, i, to, from);
        if (++i == x->npages)
            return taken;
        to = next_slot(&s->memory.index, to, x->first + i);
        if (from)
            from = next_slot(&x->source->index, from, (x->source_offset >> PAGE_SHIFT) + i);
    }
}

status_t answer_invoke(struct served *s, struct invocation *inv)
{
    struct extent extents[EXTENTS_MAX];
    unsigned n = (inv->nwords - 1) / ANSWER_EXTENT_WORDS;
    word_t epoch = inv_word(inv, 0);
    struct bank *bank = object_bank(&s->memory.object);
    u64 need = 0, taken = 0;
    unsigned aliases = 0; /* behind the last */

    if ((inv->nwords - 1) % ANSWER_EXTENT_WORDS)
        return inv_fail(inv, ST_BAD_ARG, n);
    for (unsigned k = 0; k < n; k++) {
        status_t status = read_extent(s, inv, k, &extents[k]);
        if (status == ST_OK && !source_ready(&extents[k]))
            status = ST_SOURCE_MISSING;
        if (status == ST_OK && extents[k].kind == ANSWER_ALIAS) {
            status = prepare_alias(s, inv, k, &extents[k]);
            aliases = k + 1;
        }
        if (status == ST_OK)
            status = check_places(s, &extents[k], bank, epoch, &need);
        if (status == ST_OK)
            continue;
        if (aliases)
            forget_links(extents, aliases);
        if (status == ST_STALE)
            return inv_fail(inv, status, s->memory.epoch);
        if (status == ST_NO_SPACE)
            return inv_fail(inv, status, bank->limit - bank->used);
        return inv_fail(inv, status, k);
    }
    if (!bank_has(bank, need)) {
        if (aliases)
            forget_links(extents, aliases);
        return inv_fail(inv, ST_NO_SPACE, bank->limit - bank->used);
    }

    for (unsigned k = 0; k < n; k++)
        taken += answer_extent(s, &extents[k], bank);
    inv_result(inv, taken);
    return ST_OK;
}
