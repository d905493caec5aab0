/* SPDX-License-Identifier: MIT */
/*
 * Writing a pager: fill in a struct, make objects, serve.
 *
 *     static void fill(struct pager_object *o, const struct pager_access *access,
 *                      const struct pager_map *map, struct page_answer *answer)
 *     {
 *         answer_zero(answer, 1);
 *     }
 *     static const struct pager_ops ops = {.resolve_fault = fill};
 *
 *     static struct pager_object object = {.ops = &ops, .size = 1 << 20, .name = "zeros"};
 *     need((struct result){pager_object_create(&object), 0}, "making the object");
 *     ... give object.cap, or a weaker copy of it (cap_mint), to whoever shall map it ...
 *     pager_serve(NULL);
 *
 * The members of `struct pager_ops` are those of the kernel's own table (lib/abi/mapping_ops.def),
 * each with a default; only resolve_fault must be there.  What mapping needs to know at once
 * (permissions, sharing, name) the kernel does not ask for at that moment: pager_declare calls the
 * functions and declares their answers, at creation and whenever the pager wants to change them.
 *
 * One thread: the one bound to SLOT_ENDPOINT calls pager_serve, which calls everything below.
 */
#ifndef QUIRE_PAGER_PAGER_H
#define QUIRE_PAGER_PAGER_H

#include "lib/rt/rt.h"

struct pager_object;

/* What a mapping of a range may be; what get_mapping_info fills in. */
struct mapping_info {
    word_t permissions; /* MAP_READ | MAP_WRITE | MAP_EXEC: the most a mapping may have */
    bool is_shared;     /* the mapping would be shared */
};

/* An access to a page that is not there. */
struct pager_access {
    unsigned op;   /* ACCESS_LOAD, ACCESS_STORE, ACCESS_INSTRUCTION */
    unsigned size; /* bytes touched where known, else 0 */
    unsigned why;  /* FAULT_WHY_* */
    word_t vaddr;  /* exact address, in the client's space */
    word_t pc;     /* of the instruction, there */
};

/* Which mapping, and which part of it. */
struct pager_map {
    word_t id;          /* never used for another mapping */
    word_t vaddr;       /* of the range, in the client's space; for a fault the page's start */
    word_t paddr;       /* on_mapped: of the first page, for who holds the DMA right, else 0 */
    word_t length;      /* bytes; for a fault one page */
    word_t offset;      /* in the object, bytes, page aligned */
    word_t permissions; /* MAP_READ | MAP_WRITE | MAP_EXEC of the mapping */
    bool is_shared;
    word_t badge;      /* of the capability that it was mapped with: which client */
    word_t window_end; /* a fault's: pages in [offset, window_end) are missing and may be filled */
    word_t epoch;      /* of the object; goes back with the answer */
    word_t sequence;   /* counts what the object's server hears */
};

/*
 * The answer to a fault: up to 15 extents, each for the pages behind the one before, the first for
 * the page that was asked for.  Left empty it is an answer for later (pager_answer): the client
 * waits, and the pager serves on.
 */
#define PAGE_ANSWER_EXTENTS 15
struct page_answer {
    union { /* as served.answer wants it */
        struct {
            word_t epoch;
            struct {
                word_t what, offset, source, source_offset;
            } extents[PAGE_ANSWER_EXTENTS];
        };
        word_t words[1 + PAGE_ANSWER_EXTENTS * ANSWER_EXTENT_WORDS];
    };
    word_t offset;  /* in the object, where the next extent goes */
    unsigned count; /* extents so far */
};

/* An extent of `npages` pages behind the others; beyond 15 it is left out, and those pages are asked
 * for when they are touched. */
static inline void answer_add(struct page_answer *answer, word_t what, cap_t source,
                              word_t source_offset, word_t npages)
{
    if (answer->count == PAGE_ANSWER_EXTENTS)
        return;
    answer->extents[answer->count].what = what;
    answer->extents[answer->count].offset = answer->offset;
    answer->extents[answer->count].source = source;
    answer->extents[answer->count].source_offset = source_offset;
    answer->count++;
    answer->offset += npages * 4096;
}

/* The next `npages` pages come from `source_offset` (page aligned) of a memory object that the pager
 * holds with READ and WRITE: its frames leave it, and every mapping of them, before the client sees
 * them.  The cheapest way for a page that nobody else needs. */
static inline void answer_move(struct page_answer *answer, cap_t source, word_t source_offset,
                               word_t npages)
{
    answer_add(answer, answer_what(ANSWER_MOVE, 0, npages), source, source_offset, npages);
}

/* The next pages are a copy of `nbytes` bytes at `byte_offset` (any) of a memory object that the
 * pager holds with READ; what remains of the last page is zero.  At most 16 pages an answer. */
static inline void answer_copy(struct page_answer *answer, cap_t source, word_t byte_offset,
                               word_t nbytes)
{
    answer_add(answer, answer_what(ANSWER_COPY, 0, nbytes), source, byte_offset,
               (nbytes + 4095) / 4096);
}

/* The next `npages` pages are zero. */
static inline void answer_zero(struct page_answer *answer, word_t npages)
{
    answer_add(answer, answer_what(ANSWER_ZERO, 0, npages), 0, 0, npages);
}

/* The next `npages` pages are those from `source_offset` (page aligned) of a memory object that the
 * pager holds with READ, and stay its: who touches a page here has that one, whatever becomes of it,
 * until the range is released.  Stores go through where the pager's capability has WRITE. */
static inline void answer_alias(struct page_answer *answer, cap_t source, word_t source_offset,
                                word_t npages)
{
    answer_add(answer, answer_what(ANSWER_ALIAS, 0, npages), source, source_offset, npages);
}

/* The next `npages` pages, which are there, ask before a write from now on (FAULT_WHY_PROTECTED), in
 * every mapping; or do not ask any more, and who waits to write goes on. */
static inline void answer_protect(struct page_answer *answer, word_t npages)
{
    answer_add(answer, answer_what(ANSWER_PROTECT, 0, npages), 0, 0, npages);
}
static inline void answer_allow(struct page_answer *answer, word_t npages)
{
    answer_add(answer, answer_what(ANSWER_ALLOW, 0, npages), 0, 0, npages);
}

/* The next page cannot be had: whoever waits for it hears `status`. */
static inline void answer_error(struct page_answer *answer, status_t status)
{
    answer_add(answer, answer_what(ANSWER_ERROR, status, 1), 0, 0, 1);
}

struct pager_ops {
    /* What a mapping of [offset, offset + length) may be; an error refuses it.  Default: readable,
     * shared or private as the mapper likes. */
    status_t (*get_mapping_info)(struct pager_object *o, word_t offset, word_t length,
                                 struct mapping_info *info);
    /* The same, told what the mapper wants.  Default: asks get_mapping_info, and lets who may read write
     * privately, to pages of the mapping's own.  Asked for the whole
     * object by pager_declare; where `ask` is set, also for the range of each mapping before it is
     * made, within what was declared, while its client waits; so the pager's own thread cannot map
     * such an object. */
    status_t (*get_mapping_info_with)(struct pager_object *o, word_t offset, word_t length,
                                      bool is_shared, struct mapping_info *info);
    /* A mapping was created; a range of one, or all of it, is gone.  Default: not told. */
    void (*on_mapped)(struct pager_object *o, const struct pager_map *map);
    void (*on_unmapped)(struct pager_object *o, const struct pager_map *map);
    /* A mapping goes on in two pieces with the same id; `map` is the upper one.  Unmapping its middle
     * and other permissions for a part do that.  Default: not told. */
    void (*on_split)(struct pager_object *o, const struct pager_map *map);
    /* The range has other permissions: map->permissions.  Of several changes before the pager hears
     * it hears the last.  Default: not told. */
    void (*on_protect)(struct pager_object *o, const struct pager_map *map);
    /* May it be mapped at all; privately.  Default: yes. */
    bool (*supports_mmap)(struct pager_object *o);
    bool (*supports_private_mmap)(struct pager_object *o);
    /* Short name for people.  Default: the object's name. */
    const char *(*mmap_owner_name)(struct pager_object *o);
    /* Supply the page at map->offset by filling in `answer`, which is empty.  Where access->why is
     * FAULT_WHY_PROTECTED the page is there and protected, and somebody wants to write: answer_allow,
     * answer_error, or pages (move, copy, zero), the first of which takes its place.  No default. */
    void (*resolve_fault)(struct pager_object *o, const struct pager_access *access,
                          const struct pager_map *map, struct page_answer *answer);
    /* What the pages that resolve_fault just answered are to be installed with; `permissions` are
     * those of the mapping that faulted.  Without MAP_WRITE, in every mapping of the object: a write
     * is asked about first (FAULT_WHY_PROTECTED).  Reading needs no leave.  Default: `permissions`,
     * and nothing is protected. */
    word_t (*fault_page_permissions)(struct pager_object *o, const struct pager_access *access,
                                     const struct pager_map *map, word_t permissions);
    /* A page at `offset`, at or beyond the end, is touched: the size in bytes that the object is to
     * have from now on, beyond `offset`, whereupon resolve_fault is called for the page; or 0, and
     * the client hears TRUNCATED.  Default: 0, without being asked. */
    word_t (*can_extend_on_fault)(struct pager_object *o, word_t offset);
    /* An address space is forked where this range of the object is mapped: *clone = a capability (kept
     * by the pager) to the memory object that the child maps at map->offset in its place, or left at 0:
     * the same object.  An error refuses the fork.  Its client waits.  Default: the same object, without
     * being asked. */
    status_t (*fork_clone)(struct pager_object *o, const struct pager_map *map, cap_t *clone);
    /* Pages of the range are about to leave memory (pager_release): keep elsewhere what is worth it;
     * an error keeps them there.  Default: nothing is worth it. */
    status_t (*release_pages)(struct pager_object *o, word_t offset, word_t length);
    /* A mapping was cut when there was no room to tell how (max_mappings pieces are there, or the
     * bank is empty): forget what was heard of mappings, and list them with pager_next_mapping.
     * Comes to whoever has one of the four above; what is heard later may be in the list already.
     * Default: a line on the console. */
    void (*on_resync)(struct pager_object *o);
};

/* What one object's server heard and did. */
struct pager_statistics {
    word_t mapped; /* on_mapped */
    word_t mapped_bytes;
    word_t unmapped; /* on_unmapped */
    word_t unmapped_bytes;
    word_t faults;       /* resolve_fault */
    word_t pages;        /* pages that the kernel took from answers */
    word_t refused;      /* answers that the kernel refused */
    word_t last_mapping; /* the last on_mapped: id, vaddr, length, offset */
    word_t last_vaddr;
    word_t last_length;
    word_t last_offset;
    word_t splits;   /* on_split */
    word_t protects; /* on_protect */
    word_t resyncs;  /* on_resync */
};

/* One served object.  The pager fills in the first part; the rest begins as zero. */
struct pager_object {
    const struct pager_ops *ops;
    word_t size;         /* bytes; any number above 0 */
    const char *name;    /* up to 32 bytes count */
    void *user;          /* the pager's own */
    bool ask;            /* get_mapping_info_with is asked at each map, for its range and client */
    word_t max_mappings; /* mappings accepted at once, and pieces told of singly; 0 = 64 */
    /* -- filled in by pager_object_create */
    cap_t cap; /* all rights, OWN included: do not give it away, give copies */
    struct pager_statistics statistics;
};

/*
 * Make the served object from the service bank (from the program's own where it has none), attach it
 * to SLOT_ENDPOINT and declare it.  NOT_SUPPORTED, and a line on the console: the table has no
 * resolve_fault.  Other errors: of bank.create, served.attach, served.declare.  *o must stay where
 * it is; its address is the object's key.
 */
status_t pager_object_create(struct pager_object *o);
/* Delete the pager's capability to it.  What clients hold lives on without a server. */
void pager_object_destroy(struct pager_object *o);

/* Ask the pager's functions and declare their answers: for mappings made from now on. */
status_t pager_declare(struct pager_object *o);

/* The piece of a mapping that comes after *map in the order of id and vaddr, into *map (id, vaddr,
 * length, offset, permissions, is_shared, badge); begin with id and vaddr 0.  NOT_FOUND: that was the
 * last, and *map is as before. */
status_t pager_next_mapping(struct pager_object *o, struct pager_map *map);

/* Drop the resident pages of a range (page aligned), after asking the member release_pages; they are
 * asked for again when they are touched.  value = pages dropped.  Errors: the member's, and those of
 * memory.release. */
struct result pager_release(struct pager_object *o, word_t offset, word_t length);

/* Answer a fault whose resolve_fault left its answer empty, or fill pages nobody asked for (epoch:
 * that of the fault, or the object's).  value = pages taken.  Errors: of served.answer. */
struct result pager_answer(struct pager_object *o, const struct page_answer *answer);

/* What else a pager's thread may hear; members may be NULL. */
struct pager_service {
    /* A message: read *m, and for a call leave the reply in it (message_prepare with a status as
     * label).  Capabilities to send and to receive: sys_buffer(). */
    void (*message)(struct message *m);
    /* The notification bound to this thread. */
    void (*notified)(word_t bits);
};

/* Serve for ever: receive, call the member, answer and receive again in one system call. */
void pager_serve(const struct pager_service *service) __attribute__((noreturn));

#endif
