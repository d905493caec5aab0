/* SPDX-License-Identifier: MIT */
/*
 * Starting a program; see process.h.
 *
 * A segment that is copied is so through a mapping of its anon object in the parent, which is gone again before
 * the child runs.  The anon objects are the child's: made from its bank, held by its mappings alone.
 */
#include <string.h>

#include "lib/base/elf.h"
#include "lib/rt/process.h"

/* Make an object of the child from `bank`, keep its slot in *slot, and put a copy with `rights`
 * into the child's slot `there` (0 = none). */
static struct result make(struct process *p, cap_t bank, cap_t *slot, enum object_type type,
                          word_t argument, word_t there, word_t rights)
{
    struct result r = object_create(bank, type, argument, 0);

    if (r.status != ST_OK)
        return r;
    *slot = r.value;
    if (there == 0)
        return r;
    return q_cspace_copy(p->cspace, there, SLOT_CSPACE, *slot, rights);
}

/* The banks and the cspace, into which all else goes. */
static struct result make_banks(struct process *p, const struct process_options *o)
{
    struct result r;

    p->step = "making its bank";
    r = make(p, o->parent_bank, &p->bank, OBJ_bank, o->bank_pages, 0, 0);
    if (r.status != ST_OK)
        return r;
    p->step = "making its capability space";
    r = make(p, p->bank, &p->cspace, OBJ_cspace, o->cspace_bits, 0, 0);
    if (r.status != ST_OK)
        return r;
    r = q_cspace_copy(p->cspace, SLOT_CSPACE, SLOT_CSPACE, p->cspace, RIGHTS_ALL);
    if (r.status != ST_OK)
        return r;
    r = q_cspace_copy(p->cspace, SLOT_BANK, SLOT_CSPACE, p->bank, RIGHTS_ALL);
    if (r.status != ST_OK || o->service_pages == 0)
        return r;
    p->step = "making its service bank";
    return make(p, o->parent_bank, &p->service_bank, OBJ_bank, o->service_pages, SLOT_SERVICE_BANK,
                RIGHTS_ALL);
}

static struct result make_objects(struct process *p, const struct process_options *o)
{
    struct result r;

    p->step = "making its address space";
    r = make(p, p->bank, &p->aspace, OBJ_aspace, 0, SLOT_ASPACE, RIGHTS_ALL);
    if (r.status != ST_OK)
        return r;
    p->step = "making its thread";
    r = make(p, p->bank, &p->thread, OBJ_thread, 0, SLOT_THREAD, RIGHTS_ALL);
    if (r.status != ST_OK)
        return r;
    thread_set_name(p->thread, p->name);
    p->step = "making its scheduling context";
    r = make(p, p->bank, &p->sched, OBJ_sched, o->priority, SLOT_SCHED, RIGHTS_ALL);
    if (r.status != ST_OK)
        return r;
    p->step = "making its endpoint";
    r = make(p, p->bank, &p->endpoint, OBJ_endpoint, 0, SLOT_ENDPOINT, RIGHTS_ALL);
    if (r.status != ST_OK)
        return r;
    p->step = "making its console capability";
    r = cap_mint(o->console, ENDPOINT_SEND | ENDPOINT_GRANT, o->badge);
    if (r.status != ST_OK)
        return r;
    p->console = r.value;
    return q_cspace_copy(p->cspace, SLOT_CONSOLE, SLOT_CSPACE, p->console, RIGHTS_ALL);
}

/* Fresh memory of the child, mapped at `vaddr` there with `flags`; where `here` is not NULL it is
 * mapped in the parent too, to be filled. */
static struct result child_memory(struct process *p, word_t vaddr, word_t length, word_t flags,
                                  void **here)
{
    struct result anon = object_create(p->bank, OBJ_anon, length, 0);
    struct result r;

    if (anon.status != ST_OK)
        return anon;
    r = q_aspace_map(p->aspace, vaddr, length, anon.value, 0, flags);
    if (r.status == ST_OK && here) {
        r = map_anywhere(anon.value, 0, length, MAP_READ | MAP_WRITE);
        *here = (void *)r.value;
    }
    slot_free(anon.value);
    return r;
}

struct result process_create(struct process *p, const struct process_options *o)
{
    void *page = NULL;
    struct result r;

    memset(p, 0, sizeof *p);
    memcpy(p->name, o->name, strnlen(o->name, sizeof p->name - 1));
    p->stack_pages = o->stack_pages;
    p->next_slot = SLOT_FIRST_GIVEN;
    r = make_banks(p, o);
    if (r.status != ST_OK)
        return r;
    r = make_objects(p, o);
    if (r.status != ST_OK)
        return r;
    p->step = "making its startup page";
    r = child_memory(p, STARTUP_ADDRESS, 4096, MAP_READ | MAP_WRITE, &page);
    if (r.status != ST_OK)
        return r;
    p->startup = page;
    p->startup->magic = STARTUP_MAGIC;
    p->startup->cspace_bits = o->cspace_bits;
    memcpy(p->startup->name, p->name, sizeof p->name);
    return r;
}

struct result process_give(struct process *p, const char *name, cap_t from, word_t rights,
                           word_t badge)
{
    unsigned n = p->startup->ncaps;
    struct result r;

    p->step = "giving it a capability";
    if (n == STARTUP_CAPS || p->next_slot >> p->startup->cspace_bits)
        return (struct result){ST_LIMIT, n};
    if (badge)
        r = q_cspace_mint(p->cspace, p->next_slot, SLOT_CSPACE, from, rights, badge);
    else
        r = q_cspace_copy(p->cspace, p->next_slot, SLOT_CSPACE, from, rights);
    if (r.status != ST_OK)
        return r;
    memcpy(p->startup->caps[n].name, name, strnlen(name, STARTUP_NAME - 1));
    p->startup->caps[n].slot = p->next_slot;
    p->startup->ncaps = n + 1;
    return (struct result){ST_OK, p->next_slot++};
}

struct result process_argument(struct process *p, const char *argument)
{
    struct startup *s = p->startup;
    size_t at = 0;

    p->step = "passing its arguments";
    if (s->nargs == STARTUP_ARGS)
        return (struct result){ST_LIMIT, STARTUP_ARGS};
    if (s->nargs > 0) {
        at = s->argument[s->nargs - 1] - offsetof(struct startup, strings);
        at += strlen(s->strings + at) + 1;
    }
    if (strlen(argument) >= sizeof s->strings - at)
        return (struct result){ST_LIMIT, sizeof s->strings};
    strcpy(s->strings + at, argument);
    s->argument[s->nargs++] = (uint32_t)(offsetof(struct startup, strings) + at);
    return (struct result){ST_OK, 0};
}

static struct result load_segment(struct process *p, const struct elf_segment *s, cap_t object)
{
    word_t start = align_down(s->address.addr, PAGE_SIZE);
    word_t length = align_up(s->address.addr + s->memory_bytes, PAGE_SIZE) - start;
    word_t flags = (s->readable ? MAP_READ : 0) | (s->writable ? MAP_WRITE : 0) |
                   (s->executable ? MAP_EXEC : 0);
    void *here = NULL;
    struct result r;

    if (object && !s->writable && s->memory_bytes == s->file_bytes)
        return q_aspace_map(p->aspace, start, length, object, align_down(s->offset, PAGE_SIZE),
                            flags);
    r = child_memory(p, start, length, flags, &here);
    if (r.status != ST_OK)
        return r;
    memcpy((char *)here + (s->address.addr - start), s->data, s->file_bytes);
    return unmap((word_t)here, length);
}

struct result process_load_from(struct process *p, const void *file, size_t nbytes, cap_t object)
{
    const struct elf_limits limits = {vaddr(STARTUP_ADDRESS + PAGE_SIZE), vaddr(HEAP_BASE)};
    struct elf_segment segment;
    struct elf elf;
    struct result r;
    u32 position = 0;
    enum elf_error error;

    p->step = "loading it";
    error = elf_open(&elf, file, nbytes, limits);
    if (error != ELF_OK) {
        p->problem = elf_error_text(error);
        return (struct result){ST_NOT_SUPPORTED, error};
    }
    while (elf_next_segment(&elf, &position, &segment)) {
        r = load_segment(p, &segment, object);
        if (r.status != ST_OK)
            return r;
    }
    p->entry = elf.entry.addr;
    p->step = "making its stack";
    return child_memory(p, STACK_TOP - p->stack_pages * PAGE_SIZE, p->stack_pages * PAGE_SIZE,
                        MAP_READ | MAP_WRITE, NULL);
}

struct result process_load(struct process *p, const void *file, size_t nbytes)
{
    return process_load_from(p, file, nbytes, 0);
}

struct result process_start(struct process *p, bool verbose, word_t seed)
{
    struct result r;

    p->startup->first_free_slot = (uint32_t)p->next_slot;
    p->startup->verbose = verbose;
    p->startup->seed = seed;
    unmap((word_t)p->startup, PAGE_SIZE);
    p->startup = NULL;
    p->step = "configuring its thread";
    r = q_thread_configure(p->thread, p->cspace, p->aspace, p->console, p->sched);
    if (r.status != ST_OK)
        return r;
    p->step = "binding its thread";
    r = q_thread_bind(p->thread, p->endpoint);
    if (r.status != ST_OK)
        return r;
    p->step = "starting its thread";
    return q_thread_start(p->thread, p->entry, STACK_TOP, STARTUP_ADDRESS, 0);
}

void process_kill(struct process *p)
{
    cap_t *const gone[] = {&p->bank,  &p->cspace,   &p->aspace, &p->thread,
                           &p->sched, &p->endpoint, &p->console};

    if (p->startup)
        unmap((word_t)p->startup, PAGE_SIZE);
    p->startup = NULL;
    if (p->bank)
        q_bank_destroy(p->bank);
    for (unsigned i = 0; i < sizeof gone / sizeof gone[0]; i++) {
        slot_free(*gone[i]);
        *gone[i] = 0;
    }
}

void process_end(struct process *p)
{
    process_kill(p);
    if (p->service_bank)
        q_bank_destroy(p->service_bank);
    slot_free(p->service_bank);
    p->service_bank = 0;
}
