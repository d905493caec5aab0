/* SPDX-License-Identifier: MIT */
/*
 * The pager's loop: from a kernel message to a member of the pager's table, and back.
 *
 * The key of an object is the address of its struct pager_object.  The kernel hands back what the
 * program itself chose when it made the object, and tags the message MSG_EVENT, which no other
 * program can; so the pointer needs no table to be looked up in.
 */
#include <stdio.h>

#include "lib/pager/pager.h"

#define PAGE 4096ul

/* Each member of mapping_ops.def is one of ours, and there are no others. */
#define MAPPING_OP(number, name, text) \
    _Static_assert(offsetof(struct pager_ops, name) < sizeof(struct pager_ops), #name);
#include "lib/abi/mapping_ops.def"
#undef MAPPING_OP
#define MAPPING_OP(number, name, text) +1
_Static_assert(sizeof(struct pager_ops) == (0
#include "lib/abi/mapping_ops.def"
                                            ) * sizeof(void *),
               "lib/pager/pager.h has the members of lib/abi/mapping_ops.def");
#undef MAPPING_OP

/* ---- Answers ----------------------------------------------------------------------------------*/

/* Lay an answer out as a message to the object: its words are in the message's order. */
static inline void answer_prepare(struct message *m, const struct page_answer *answer)
{
    unsigned nwords = 1 + answer->count * ANSWER_EXTENT_WORDS;

    for (unsigned i = 0; i < MESSAGE_REGISTERS; i++)
        m->words[i] = answer->words[i];
    for (unsigned i = MESSAGE_REGISTERS; i < nwords; i++)
        sys_buffer()->words[i] = answer->words[i];
    message_prepare(m, OP_served_answer, nwords, 0);
}

struct result pager_answer(struct pager_object *o, const struct page_answer *answer)
{
    struct message m;
    status_t status;

    answer_prepare(&m, answer);
    status = q_call(o->cap, &m);
    if (status == ST_OK)
        o->statistics.pages += m.words[0];
    return (struct result){status, m.words[0]};
}

/* ---- Objects ----------------------------------------------------------------------------------*/

/* The member, or its default. */
static status_t ask_info(struct pager_object *o, word_t offset, word_t length, bool is_shared,
                         word_t *permissions)
{
    const struct pager_ops *ops = o->ops;
    struct mapping_info info = {.permissions = MAP_READ, .is_shared = is_shared};
    status_t status = ST_OK;

    if (ops->get_mapping_info_with)
        status = ops->get_mapping_info_with(o, offset, length, is_shared, &info);
    else if (ops->get_mapping_info)
        status = ops->get_mapping_info(o, offset, length, &info);
    if (!ops->get_mapping_info_with && !is_shared && (info.permissions & MAP_READ))
        info.permissions |= MAP_WRITE; /* to pages of the mapping's own */
    *permissions = info.permissions;
    return status;
}

static word_t ask_permissions(struct pager_object *o, bool is_shared)
{
    word_t permissions;

    return ask_info(o, 0, o->size, is_shared, &permissions) == ST_OK ? permissions
                                                                     : DECLARE_REFUSED;
}

status_t pager_declare(struct pager_object *o)
{
    const struct pager_ops *ops = o->ops;
    bool mappable = !ops->supports_mmap || ops->supports_mmap(o);
    bool private = !ops->supports_private_mmap || ops->supports_private_mmap(o);
    struct declaration d = {
        .flags = (mappable ? DECLARE_MAPPABLE : 0) | (private ? DECLARE_PRIVATE : 0) |
                 (o->ask ? DECLARE_ASK : 0) | (ops->can_extend_on_fault ? DECLARE_EXTEND : 0) |
                 (ops->fork_clone ? DECLARE_FORK : 0),
        .shared = ask_permissions(o, true),
        .private = ask_permissions(o, false),
        .wants = (word_t)1 << MAPPING_resolve_fault |
                 (word_t)(ops->on_mapped != NULL) << MAPPING_on_mapped |
                 (word_t)(ops->on_unmapped != NULL) << MAPPING_on_unmapped |
                 (word_t)(ops->on_split != NULL) << MAPPING_on_split |
                 (word_t)(ops->on_protect != NULL) << MAPPING_on_protect,
        .records = o->max_mappings ? o->max_mappings : 64,
        .name = ops->mmap_owner_name ? ops->mmap_owner_name(o) : o->name,
    };

    return q_served_declare_all(o->cap, &d).status;
}

status_t pager_next_mapping(struct pager_object *o, struct pager_map *map)
{
    struct message m = {.words = {map->id, map->vaddr}};
    status_t status = q_operation(o->cap, OP_served_mappings, 2, &m);

    if (status != ST_OK)
        return status;
    map->id = m.words[0];
    map->vaddr = m.words[1];
    map->length = m.words[2];
    map->offset = m.words[3];
    map->permissions = m.words[4] & (MAP_READ | MAP_WRITE | MAP_EXEC);
    map->is_shared = !(m.words[4] & MAP_PRIVATE);
    map->badge = m.words[5];
    return ST_OK;
}

struct result pager_release(struct pager_object *o, word_t offset, word_t length)
{
    status_t status = ST_OK;

    if (o->ops->release_pages)
        status = o->ops->release_pages(o, offset, length);
    return status == ST_OK ? q_memory_release(o->cap, offset, length) : (struct result){status, 0};
}

/* The bank that pays for what is served. */
static cap_t service_bank(void)
{
    return q_cspace_query(SLOT_CSPACE, SLOT_SERVICE_BANK).value ? SLOT_SERVICE_BANK : SLOT_BANK;
}

status_t pager_object_create(struct pager_object *o)
{
    struct result r;

    if (!o->ops->resolve_fault) {
        printf("%s: the pager_ops of '%s' have no resolve_fault\n", env_name(), o->name);
        return ST_NOT_SUPPORTED;
    }
    r = object_create(service_bank(), OBJ_served, o->size, (word_t)o);
    if (r.status != ST_OK)
        return r.status;
    o->cap = r.value;
    r.status = pager_declare(o);
    if (r.status == ST_OK)
        r = q_served_attach(o->cap, SLOT_ENDPOINT);
    if (r.status != ST_OK)
        pager_object_destroy(o);
    return r.status;
}

void pager_object_destroy(struct pager_object *o)
{
    slot_free(o->cap);
    o->cap = 0;
}

/* ---- The loop ---------------------------------------------------------------------------------*/

/* Does the object reach beyond `offset` from now on? */
static bool extend(struct pager_object *o, word_t offset)
{
    word_t size = o->ops->can_extend_on_fault ? o->ops->can_extend_on_fault(o, offset) : 0;

    if (size <= offset || q_served_resize(o->cap, size).status != ST_OK)
        return false;
    o->size = size;
    return true;
}

/* Pages that are not to be written yet come protected. */
static void protect_pages(struct pager_object *o, const struct pager_access *access,
                          const struct pager_map *map, struct page_answer *answer)
{
    if (o->ops->fault_page_permissions(o, access, map, map->permissions) & MAP_WRITE)
        return;
    for (unsigned i = 0; i < answer->count; i++) {
        word_t kind = answer->extents[i].what & ANSWER_KIND_MASK;

        if (kind == ANSWER_MOVE || kind == ANSWER_COPY || kind == ANSWER_ZERO)
            answer->extents[i].what |= ANSWER_PROTECTED;
    }
}

static void hear_fault(struct pager_object *o, const struct fault_event *e,
                       struct page_answer *answer)
{
    struct pager_access access = {
        .op = e->flags & FAULT_ACCESS_MASK,
        .size = e->flags >> FAULT_SIZE_SHIFT & 0xff,
        .why = e->flags >> FAULT_WHY_SHIFT & FAULT_WHY_MASK,
        .vaddr = e->vaddr,
        .pc = e->pc,
    };
    word_t permissions = e->flags >> FAULT_PERMS_SHIFT & 0xff;
    struct pager_map map = {
        .id = e->mapping,
        .vaddr = e->vaddr & ~(PAGE - 1),
        .length = PAGE,
        .offset = e->offset,
        .permissions = permissions & (MAP_READ | MAP_WRITE | MAP_EXEC),
        .is_shared = !(permissions & MAP_PRIVATE),
        .badge = e->badge,
        .window_end = e->window_end,
        .epoch = e->epoch,
        .sequence = e->sequence,
    };

    o->statistics.faults++;
    answer->epoch = e->epoch;
    answer->offset = e->offset;
    answer->count = 0;
    if (e->offset < o->size || extend(o, e->offset))
        o->ops->resolve_fault(o, &access, &map, answer);
    else
        answer_error(answer, ST_TRUNCATED);
    if (o->ops->fault_page_permissions && answer->count)
        protect_pages(o, &access, &map, answer);
}

static void hear_mapping(struct pager_object *o, unsigned op, const struct mapping_event *e)
{
    struct pager_statistics *s = &o->statistics;
    struct pager_map map = {
        .id = e->mapping,
        .vaddr = e->vaddr,
        .paddr = e->paddr,
        .length = e->length,
        .offset = e->offset,
        .permissions = e->flags & (MAP_READ | MAP_WRITE | MAP_EXEC),
        .is_shared = !(e->flags & MAP_PRIVATE),
        .badge = e->badge,
        .epoch = e->epoch,
        .sequence = e->sequence,
    };

    if (op == MAPPING_on_mapped) {
        s->mapped++;
        s->mapped_bytes += map.length;
        s->last_mapping = map.id;
        s->last_vaddr = map.vaddr;
        s->last_length = map.length;
        s->last_offset = map.offset;
        if (o->ops->on_mapped)
            o->ops->on_mapped(o, &map);
    } else if (op == MAPPING_on_unmapped) {
        s->unmapped++;
        s->unmapped_bytes += map.length;
        if (o->ops->on_unmapped)
            o->ops->on_unmapped(o, &map);
    } else if (op == MAPPING_on_split) {
        s->splits++;
        if (o->ops->on_split)
            o->ops->on_split(o, &map);
    } else if (op == MAPPING_on_protect) {
        s->protects++;
        if (o->ops->on_protect)
            o->ops->on_protect(o, &map);
    } else if (op == MAPPING_on_resync) {
        s->resyncs++;
        if (o->ops->on_resync)
            o->ops->on_resync(o);
        else
            printf("%s: mappings of '%s' changed without a word, and it has no on_resync\n",
                   env_name(), o->name);
    }
}

/*
 * The kernel refused an answer and received nothing.  STALE: the page will be asked for again, or
 * nobody waits any more.  Anything else is the pager's mistake: the client hears IO rather than
 * nothing at all.
 */
static void answer_refused(struct pager_object *o, struct page_answer *answer, struct message *m)
{
    status_t status = message_status(m);
    word_t detail = m->words[0];

    o->statistics.refused++;
    if (status == ST_STALE)
        return;
    printf("%s: the answer for '%s' at %#lx was refused: %s: %s (detail %#lx)\n", env_name(),
           o->name, answer->extents[0].offset, status_name(status), status_text(status), detail);
    answer->offset = answer->extents[0].offset;
    answer->count = 0;
    answer_error(answer, ST_IO);
    pager_answer(o, answer);
}

/* Send the answer and receive what comes next into *m. */
static status_t answer_and_receive(struct pager_object *o, struct page_answer *answer,
                                   struct message *m)
{
    status_t status;

    if (answer->count == 0)
        return q_recv(m, 0);
    answer_prepare(m, answer);
    status = q_invoke_recv(o->cap, m);
    if (status == ST_OK) {
        /* t4 of what was received: pages taken.  Words of an MSG_EVENT end before it. */
        o->statistics.pages += m->words[MESSAGE_EVENT_WORDS - 1];
        return ST_OK;
    }
    answer_refused(o, answer, m);
    return q_recv(m, 0);
}

static status_t serve_event(struct message *m)
{
    struct pager_object *o = (struct pager_object *)m->badge;
    struct page_answer answer;

    if (message_label(m) != MAPPING_resolve_fault) {
        hear_mapping(o, message_label(m), &m->mapping);
        return q_recv(m, 0);
    }
    hear_fault(o, &m->fault, &answer);
    return answer_and_receive(o, &answer, m);
}

/* A program forks an address space that maps a range of the object. */
static status_t serve_fork(struct pager_object *o, struct message *m)
{
    struct pager_map map = {
        .length = m->ask.length,
        .offset = m->ask.offset,
        .permissions = m->ask.permissions,
        .is_shared = m->ask.is_shared,
        .badge = m->ask.badge,
        .epoch = m->ask.epoch,
    };
    cap_t clone = 0;
    status_t status = o->ops->fork_clone(o, &map, &clone);

    sys_buffer()->send[0] = clone;
    message_prepare(m, status, 0, status == ST_OK && clone);
    return q_reply_recv(m);
}

/* A program wants to map a range of an object with `ask`. */
static status_t serve_question(struct message *m)
{
    struct pager_object *o = (struct pager_object *)m->badge;
    word_t permissions;
    status_t status;

    if (message_label(m) == MAPPING_fork_clone)
        return serve_fork(o, m);
    status = ask_info(o, m->ask.offset, m->ask.length, m->ask.is_shared, &permissions);

    m->words[0] = permissions;
    message_prepare(m, status, 1, 0);
    return q_reply_recv(m);
}

static status_t serve_message(const struct pager_service *service, struct message *m)
{
    bool answer = message_kind(m) == MSG_CALL;

    if (message_kind(m) == MSG_NOTIFY) {
        if (service && service->notified)
            service->notified(m->words[0]);
    } else if (service && service->message) {
        service->message(m);
    } else {
        message_prepare(m, ST_BAD_OP, 0, 0);
    }
    return answer ? q_reply_recv(m) : q_recv(m, 0);
}

void pager_serve(const struct pager_service *service)
{
    struct message m;
    status_t status = q_recv(&m, 0);

    for (;;) {
        if (status != ST_OK) {
            /* A reply can fail (a capability in it, say) without a reason to stop serving; that
             * nothing can be received is one. */
            status = q_recv(&m, 0);
            if (status != ST_OK)
                fatal("receiving: %s: %s", status_name(status), status_text(status));
        }
        if (message_kind(&m) == MSG_EVENT)
            status = serve_event(&m);
        else if (message_kind(&m) == MSG_ASK)
            status = serve_question(&m);
        else
            status = serve_message(service, &m);
    }
}
