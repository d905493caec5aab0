/* SPDX-License-Identifier: MIT */
/*
 * Claim: the operations of lib/abi/mapping_ops.def mean the same for every kind of memory, whether
 * the kernel answers them (anon, phys) or a pager does (served), and a client cannot tell by anything
 * but the pages it gets.
 *
 * Each line names the operation and the kind.  It would fail if a kind checked a range differently,
 * if a refused mapping left a region or an event, if an event were told twice or not at all, or if
 * what a pager answers reached a client changed.
 */
#include "test/support/script.h"

#include <string.h>

#include "lib/base/text.h"
#include "lib/pager/pager.h"

#define RTC_BASE 0x101000ul
#define RW       (MAP_READ | MAP_WRITE)

static struct script *s;           /* a pager that speaks to the kernel directly */
static cap_t anon, device, served; /* of 16 pages, 1 page, 16 pages (key 1) */
static const struct {
    const char *name;
    cap_t *object;
    word_t size, permissions, base, attribute;
} kinds[] = {
    {"anon", &anon, PAGES(16), ALL_ACCESS, 0, MEMORY_NORMAL},
    {"phys", &device, PAGE, RW, RTC_BASE, MEMORY_DEVICE},
    {"served", &served, PAGES(16), ALL_ACCESS, 0, MEMORY_NORMAL},
};
#define NKINDS (sizeof kinds / sizeof *kinds)

static struct result map(void *at, word_t length, cap_t object, word_t offset, word_t flags)
{
    return q_aspace_map(SLOT_ASPACE, (word_t)at, length, object, offset, flags);
}

/* ------------------------------------------------------------------- a pager written with lib/pager */

/* What its functions answer, and what they were asked; in the arena. */
struct own {
    struct pager_object object;
    word_t permissions[2]; /* by is_shared */
    status_t refuse[2];
    bool not_mappable, not_private;
    const char *name;
    volatile unsigned asked[2]; /* get_mapping_info_with, by is_shared */
    volatile unsigned asked_info, faults, mapped, unmapped;
    struct pager_map last;
    volatile unsigned split, protected, resynced, pieces;
    struct pager_map listed;            /* the last piece of the list */
    word_t asked_offset, asked_length;  /* the last get_mapping_info_with */
    word_t longer;                      /* what can_extend_on_fault answers */
    word_t released;                    /* bytes that release_pages heard of */
    status_t keeps;                     /* what it answers */
    word_t withheld;                    /* permissions that pages are installed without */
    volatile unsigned protected_faults; /* resolve_fault with FAULT_WHY_PROTECTED */
};

static struct own *own_of(struct pager_object *o)
{
    return o->user;
}
static status_t own_info(struct pager_object *o, word_t offset, word_t length,
                         struct mapping_info *info)
{
    (void)offset, (void)length;
    own_of(o)->asked_info++;
    info->permissions = own_of(o)->permissions[1];
    return ST_OK;
}
static status_t own_info_with(struct pager_object *o, word_t offset, word_t length, bool is_shared,
                              struct mapping_info *info)
{
    own_of(o)->asked_offset = offset;
    own_of(o)->asked_length = length;
    own_of(o)->asked[is_shared]++;
    info->permissions = own_of(o)->permissions[is_shared];
    info->is_shared = is_shared;
    return own_of(o)->refuse[is_shared];
}
static void own_mapped(struct pager_object *o, const struct pager_map *m)
{
    own_of(o)->last = *m;
    own_of(o)->mapped++;
}
static void own_unmapped(struct pager_object *o, const struct pager_map *m)
{
    own_of(o)->last = *m;
    own_of(o)->unmapped++;
}
static bool own_supports_mmap(struct pager_object *o)
{
    return !own_of(o)->not_mappable;
}
static bool own_supports_private_mmap(struct pager_object *o)
{
    return !own_of(o)->not_private;
}
static const char *own_name(struct pager_object *o)
{
    return own_of(o)->name;
}
static void own_fault(struct pager_object *o, const struct pager_access *access,
                      const struct pager_map *m, struct page_answer *answer)
{
    own_of(o)->last = *m;
    own_of(o)->faults++;
    if (access->why == FAULT_WHY_PROTECTED) {
        own_of(o)->protected_faults++;
        answer_allow(answer, 1);
    } else {
        answer_zero(answer, 1);
    }
}
static word_t own_permissions(struct pager_object *o, const struct pager_access *access,
                              const struct pager_map *m, word_t permissions)
{
    (void)access, (void)m;
    return permissions & ~own_of(o)->withheld;
}

static void own_split(struct pager_object *o, const struct pager_map *m)
{
    own_of(o)->last = *m;
    own_of(o)->split++;
}
static void own_protect(struct pager_object *o, const struct pager_map *m)
{
    own_of(o)->last = *m;
    own_of(o)->protected ++;
}
static void own_resync(struct pager_object *o)
{
    struct pager_map m = {0};

    for (own_of(o)->pieces = 0; pager_next_mapping(o, &m) == ST_OK; own_of(o)->pieces++)
        own_of(o)->listed = m;
    own_of(o)->resynced++;
}
static word_t own_extend(struct pager_object *o, word_t offset)
{
    (void)offset;
    return own_of(o)->longer;
}
static status_t own_release(struct pager_object *o, word_t offset, word_t length)
{
    (void)offset;
    own_of(o)->released += length;
    return own_of(o)->keeps;
}

static const struct pager_ops range_members = {
    .get_mapping_info_with = own_info_with,
    .on_split = own_split,
    .on_protect = own_protect,
    .on_resync = own_resync,
    .can_extend_on_fault = own_extend,
    .release_pages = own_release,
    .fault_page_permissions = own_permissions,
    .resolve_fault = own_fault,
};
static const struct pager_ops all_members = {
    .get_mapping_info = own_info,
    .get_mapping_info_with = own_info_with,
    .on_mapped = own_mapped,
    .on_unmapped = own_unmapped,
    .supports_mmap = own_supports_mmap,
    .supports_private_mmap = own_supports_private_mmap,
    .mmap_owner_name = own_name,
    .resolve_fault = own_fault,
};
static const struct pager_ops without_with = {.get_mapping_info = own_info,
                                              .resolve_fault = own_fault};
static const struct pager_ops defaults = {.resolve_fault = own_fault};

static struct own *own;
static struct space *own_space;

/* A message to the pager: declare again what its functions say now. */
static void own_message(struct message *m)
{
    message_prepare(m, pager_declare(&own->object), 0, 0);
}
static void own_main(void *argument)
{
    static const struct pager_service service = {.message = own_message};

    (void)argument;
    pager_serve(&service);
}

/* The pager's thread takes its calls at the program's own endpoint, where main never receives. */
static void redeclare(void)
{
    struct message m = {0};

    message_prepare(&m, 1, 0, 0);
    if (q_call(SLOT_ENDPOINT, &m) != ST_OK)
        bail("the pager does not declare: %s", status_name(message_status(&m)));
}

static struct worker *own_begin(const struct pager_ops *ops)
{
    struct worker *w;

    own = arena_new(sizeof *own);
    *own = (struct own){.permissions = {MAP_READ, RW}, .name = "own"};
    own->object = (struct pager_object){.ops = ops, .size = PAGES(8), .user = own, .name = "plain"};
    if (pager_object_create(&own->object) != ST_OK)
        bail("pager_object_create");
    own_space = space_new(kit.bank);
    w = worker_new(
        &(struct worker_options){.space = own_space, .endpoint = SLOT_ENDPOINT, .priority = 1});
    worker_start(w, own_main, NULL);
    return w;
}

/* Events are told before the calls that come after them. */
static void own_settle(void)
{
    redeclare();
    redeclare();
}

static void own_end(struct worker *w)
{
    worker_drop(w);
    space_drop(own_space);
    pager_object_destroy(&own->object);
}

/* -------------------------------------------------------------------------------- get_mapping_info */

static struct message mapping_info(cap_t object, word_t offset, word_t length, bool is_shared)
{
    struct message m = {.words = {object, offset, length, is_shared}};

    (void)!q_operation(kit.debug, OP_debug_mapping_info, 4, &m);
    return m;
}

static void test_get_mapping_info(void)
{
    for (unsigned i = 0; i < NKINDS; i++) {
        cap_t o = *kinds[i].object, reader = copy_of(o, MEMORY_READ);
        const char *kind = kinds[i].name;
        char *at = fresh_range(PAGES(4));
        struct message m = mapping_info(o, 0, kinds[i].size, true);
        struct message user = {.words = {0, PAGE, 0}};

        ok(message_status(&m) == ST_OK && m.words[0] == kinds[i].permissions && m.words[1] == 1 &&
               m.words[2] == kinds[i].attribute && m.words[3] == kinds[i].base,
           "get_mapping_info %s: permissions, sharing, attribute, physical base on the kernel side",
           kind);
        (void)!q_operation(o, OP_memory_info, 3, &user);
        ok(message_nwords(&user) == 3 && user.words[0] == kinds[i].permissions,
           "get_mapping_info %s: the user side tells no physical base", kind);
        script_clear(s);
        REFUSED(map(at, PAGE, o, 100, MAP_READ), ST_BAD_ARG, 3,
                "get_mapping_info %s: unaligned offset is refused", kind);
        REFUSED(map(at, 0, o, 0, MAP_READ), ST_BAD_ARG, 1,
                "get_mapping_info %s: length 0 is refused", kind);
        REFUSED(map(at, PAGES(2), o, -PAGE, MAP_READ), ST_BAD_ARG, 3,
                "get_mapping_info %s: offset and length that overflow are refused", kind);
        REFUSED(map(at, PAGE, o, kinds[i].size, MAP_READ), ST_PAST_END, kinds[i].size,
                "get_mapping_info %s: PAST_END at the end", kind);
        REFUSED(map(at, PAGE, reader, 0, RW), ST_DENIED, MAP_READ,
                "get_mapping_info %s: more rights than granted are DENIED", kind);
        ok(!is_mapped(at) && memory_read(o).mappings == 0 && (script_settle(s), s->nheard == 0),
           "get_mapping_info %s: what is refused is not mapped and makes no event", kind);
        drop(reader);
    }
}

/* -------------------------------------------------------------------------- get_mapping_info_with */

static void test_get_mapping_info_with(void)
{
    struct worker *w;
    char *at = fresh_range(PAGES(4));
    unsigned asked;

    ok(mapping_info(anon, 0, PAGE, true).words[1] && map(at, PAGE, anon, 0, RW).status == ST_OK &&
           map(at + PAGE, PAGE, anon, 0, MAP_READ | MAP_PRIVATE).status == ST_OK,
       "get_mapping_info_with anon: shared and private are both allowed");
    kit_unmap(at, PAGES(2));
    REFUSED(map(at, PAGE, device, 0, MAP_READ | MAP_PRIVATE), ST_NOT_SUPPORTED, RW,
            "get_mapping_info_with phys: a device is not mapped privately");
    must(map(at, PAGE, kit.bundle, 0, MAP_READ | MAP_PRIVATE), "map");
    ok(load(at) == load(kit_map(kit.bundle, PAGE, 0, MAP_READ)),
       "get_mapping_info_with phys: memory is, to read");
    kit_unmap(at, PAGE);

    w = own_begin(&all_members);
    ok(own->asked[0] > 0 && own->asked[1] > 0 && own->asked_info == 0,
       "get_mapping_info_with served: the server sees is_shared true and false");
    must(map(at, PAGE, own->object.cap, 0, RW), "map");
    REFUSED(map(at + PAGE, PAGE, own->object.cap, 0, MAP_READ | MAP_EXEC | MAP_PRIVATE), ST_DENIED,
            MAP_READ | MAP_PRIVATE,
            "get_mapping_info_with served: private gets what was said for private");
    own->refuse[1] = ST_DENIED;
    redeclare();
    REFUSED(map(at + PAGE, PAGE, own->object.cap, 0, MAP_READ), ST_NOT_SUPPORTED,
            MAP_READ | MAP_PRIVATE,
            "get_mapping_info_with served: shared is refused, private may be");
    must(map(at + PAGE, PAGE, own->object.cap, 0, MAP_READ | MAP_PRIVATE), "map");
    own->refuse[1] = ST_OK;
    own->refuse[0] = ST_DENIED;
    redeclare();
    REFUSED(map(at + PAGES(2), PAGE, own->object.cap, 0, MAP_READ | MAP_PRIVATE), ST_NOT_SUPPORTED,
            RW, "get_mapping_info_with served: private is refused, shared may be");
    asked = own->asked[0];
    own->permissions[1] = MAP_READ;
    redeclare();
    ok(own->asked[0] > asked &&
           map(at + PAGES(2), PAGE, own->object.cap, 0, RW).status == ST_DENIED,
       "get_mapping_info_with served: the answer changes with the pager's function");
    own->permissions[1] = ALL_ACCESS;
    redeclare();
    ok(map(at + PAGES(2), PAGE, own->object.cap, 0, MAP_READ | MAP_EXEC).status == ST_OK,
       "get_mapping_info_with served: and changes back");
    ok(touch(PROBE_STORE, at)->status == ST_OK,
       "get_mapping_info_with served: mappings made before keep what they had");
    kit_unmap(at, PAGES(3));
    own_end(w);

    w = own_begin(&without_with);
    ok(own->asked_info >= 2 && own->asked[0] + own->asked[1] == 0 &&
           map(at, PAGE, own->object.cap, 0, RW).status == ST_OK,
       "get_mapping_info_with served: without the member get_mapping_info is asked");
    kit_unmap(at, PAGE);
    own->permissions[1] = MAP_READ;
    redeclare();
    ok(map(at, PAGE, own->object.cap, 0, RW).status == ST_DENIED,
       "get_mapping_info served: the answer changes with the pager's function");
    own_end(w);

    w = own_begin(&defaults);
    ok(map(at, PAGE, own->object.cap, 0, RW).status == ST_DENIED &&
           map(at, PAGE, own->object.cap, 0, MAP_READ).status == ST_OK && load(at) == 0,
       "get_mapping_info served: the default of lib/pager is to read");
    kit_unmap(at, PAGE);
    ok(map(at, PAGE, own->object.cap, 0, RW | MAP_PRIVATE).status == ST_OK &&
           touch(PROBE_STORE, at + 8)->status == ST_OK && load(at) == 0 &&
           page_read(own->object.cap, 0).mappings == 0,
       "get_mapping_info_with served: and to write privately, which the pager's pages do not see");
    kit_unmap(at, PAGE);
    own_end(w);
}

/* -------------------------------------------------------------------------- on_mapped, on_unmapped */

static void test_on_mapped(void)
{
    char *at = fresh_range(PAGES(32));
    cap_t client = badged(served, RIGHTS_ALL, 0x77);
    const struct heard *h;
    struct worker *w;
    word_t id;

    for (unsigned i = 0; i < 2; i++) {
        must(map(at, PAGE, *kinds[i].object, 0, RW), "map");
        load(at);
        same(memory_read(*kinds[i].object).mappings, 1,
             "on_mapped %s: the mapping is counted at its object", kinds[i].name);
        kit_unmap(at, PAGE);
        same(memory_read(*kinds[i].object).mappings, 0,
             "on_unmapped %s: the mapping is no longer counted", kinds[i].name);
    }

    script_clear(s);
    s->answer = SCRIPT_ZERO;
    id = must(map(at + PAGES(3), PAGES(7), client, PAGES(2), RW), "map");
    load(at + PAGES(4));
    load(at + PAGES(9));
    same(script_count(s, MAPPING_on_mapped), 1, "on_mapped served: once per mapping");
    h = script_nth(s, MAPPING_on_mapped, 0);
    ok(s->heard[0].what == MAPPING_on_mapped, "on_mapped served: before the first fault");
    ok(h->mapping.vaddr == (word_t)at + PAGES(3) && h->mapping.length == PAGES(7) &&
           h->mapping.offset == PAGES(2) && h->key == 1,
       "on_mapped served: vaddr, length and offset as mapped");
    ok(h->mapping.mapping == id && h->mapping.badge == 0x77 && h->mapping.flags == RW &&
           h->mapping.paddr == 0,
       "on_mapped served: mapping id, client badge and flags, and no physical address");
    h = script_nth(s, MAPPING_resolve_fault, 0);
    ok(h->fault.mapping == id && h->fault.offset == PAGES(3) && h->fault.badge == 0x77 &&
           (h->fault.flags >> FAULT_PERMS_SHIFT & 0xff) == RW,
       "resolve_fault served: mapping id, object offset, badge and permissions come with a fault");
    kit_unmap(at + PAGES(3), PAGES(7));
    script_settle(s);
    h = script_nth(s, MAPPING_on_unmapped, 0);
    ok(script_count(s, MAPPING_on_unmapped) == 1 && h->mapping.mapping == id &&
           h->mapping.vaddr == (word_t)at + PAGES(3) && h->mapping.length == PAGES(7),
       "on_unmapped served: once, with the range that was mapped");
    must(map(at, PAGE, served, 0, MAP_READ), "map");
    script_settle(s);
    ok(script_nth(s, MAPPING_on_mapped, 1)->mapping.mapping > id,
       "on_mapped served: a mapping id is not used again");
    kit_unmap(at, PAGE);
    drop(client);

    w = own_begin(&all_members);
    must(map(at, PAGES(3), own->object.cap, PAGE, RW), "map");
    own_settle();
    ok(own->mapped == 1 && own->last.vaddr == (word_t)at && own->last.length == PAGES(3) &&
           own->last.offset == PAGE && own->last.is_shared,
       "on_mapped served: the pager library hands it to the member");
    kit_unmap(at, PAGES(3));
    own_settle();
    ok(own->unmapped == 1 && own->last.length == PAGES(3),
       "on_unmapped served: the pager library hands it to the member");
    own_end(w);
}

/* Two mappings of the served object in a space of another bank, one page touched in each, then the
 * space goes as `how` says; every byte mapped is heard as unmapped. */
enum how { BY_UNMAP, BY_EXIT, BY_KILL, BY_BANK };

static void test_gone(enum how how, const char *text)
{
    cap_t bank = make(OBJ_bank, 600, 0);
    struct space *c = space_new(bank);
    struct prober *p = prober_new(c, bank);
    char *at = fresh_range(PAGES(32));
    word_t mapped = 0, unmapped = 0;
    const struct heard *h;

    s->answer = SCRIPT_ZERO;
    script_clear(s);
    space_map(c, at, served, PAGES(5), 0, RW);
    space_map(c, at + PAGES(8), served, PAGES(3), PAGES(8), MAP_READ);
    probe(p, PROBE_STORE, at, 5);
    probe(p, PROBE_LOAD, at + PAGES(8), 0);
    if (how == BY_KILL) {
        s->answer = SCRIPT_SILENT;
        probe_start(p, PROBE_LOAD, (word_t)at + PAGES(4), 0);
        ok(thread_reaches(p->worker->thread, THREAD_FAULTING),
           "on_unmapped served: a client waits for a page when it is killed");
    }
    switch (how) {
    case BY_UNMAP:
        must(q_aspace_unmap(c->aspace, (word_t)at, PAGES(32)), "unmap");
        prober_drop(p);
        space_drop(c);
        break;
    case BY_EXIT:
    case BY_KILL:
        prober_drop(p);
        space_drop(c);
        break;
    case BY_BANK:
        must(q_bank_destroy(bank), "bank.destroy");
        prober_forget(p);
        forget(c->aspace);
        break;
    }
    if (how == BY_BANK)
        forget(bank);
    else
        drop(bank);
    for (unsigned i = 0; (h = script_nth(s, MAPPING_on_mapped, i)); i++)
        mapped += h->mapping.length;
    for (unsigned i = 0; (h = script_nth(s, MAPPING_on_unmapped, i)); i++)
        unmapped += h->mapping.length;
    ok(mapped == PAGES(8) && unmapped == PAGES(8) && script_count(s, MAPPING_on_unmapped) == 2,
       "on_unmapped served: %s, once per range, lengths add up", text);
    if (unmapped != PAGES(8))
        note("0x%lx bytes mapped, 0x%lx unmapped", mapped, unmapped);
    same(memory_read(served).mappings, 0, "on_unmapped served: no mapping is left (%s)", text);
}

/* ----------------------------------------------------- supports_mmap, supports_private_mmap, names */

static void test_supports(void)
{
    char *at = fresh_range(PAGES(4));
    struct worker *w;
    struct declaration d = script_declaration();
    cap_t o;

    for (unsigned i = 0; i < 2; i++) {
        ok(map(at, PAGE, *kinds[i].object, 0, RW).status == ST_OK, "supports_mmap %s: yes",
           kinds[i].name);
        kit_unmap(at, PAGE);
    }
    ok(map(at, PAGE, anon, 0, MAP_READ | MAP_PRIVATE).status == ST_OK,
       "supports_private_mmap anon: yes");
    kit_unmap(at, PAGE);
    ok(map(at, PAGE, device, 0, MAP_READ | MAP_PRIVATE).status == ST_NOT_SUPPORTED,
       "supports_private_mmap phys: not of a device");

    o = script_object(s, 0, PAGES(4), 3);
    d.flags = 0;
    declare(o, &d);
    script_clear(s);
    REFUSED(map(at, PAGE, o, 0, MAP_READ), ST_NOT_MAPPABLE, 0,
            "aspace.map NOT_MAPPABLE: supports_mmap served says no, detail is 0");
    REFUSED(map(at, PAGE, o, 0, MAP_READ | MAP_PRIVATE), ST_NOT_MAPPABLE, 0,
            "supports_mmap served: nor privately");
    script_settle(s);
    same(s->nheard, 0, "supports_mmap served: after a no the server hears nothing else");
    d.flags = DECLARE_MAPPABLE;
    declare(o, &d);
    REFUSED(map(at, PAGE, o, 0, MAP_READ | MAP_PRIVATE), ST_NOT_SUPPORTED, ALL_ACCESS,
            "supports_private_mmap served: no, detail is what may be had shared");
    ok(map(at, PAGE, o, 0, MAP_READ).status == ST_OK,
       "supports_mmap served: yes after a new declaration");
    kit_unmap(at, PAGE);
    drop(o);

    w = own_begin(&all_members);
    own->not_mappable = true;
    redeclare();
    REFUSED(map(at, PAGE, own->object.cap, 0, MAP_READ), ST_NOT_MAPPABLE, 0,
            "supports_mmap served: the pager's function says no");
    own->not_mappable = false;
    own->not_private = true;
    redeclare();
    ok(map(at, PAGE, own->object.cap, 0, MAP_READ).status == ST_OK &&
           map(at + PAGE, PAGE, own->object.cap, 0, MAP_READ | MAP_PRIVATE).status ==
               ST_NOT_SUPPORTED,
       "supports_private_mmap served: the pager's function says no");
    kit_unmap(at, PAGE);
    own_end(w);
}

/* A fault report names the owner: one on each kind, by a store that the mapping forbids. */
static void test_owner_name(void)
{
    static const char too_long[] = "a-name-that-is-much-longer-than-32-bytes";
    static const char ugly[] = "a\nb\x1b[31m\xff";
    char *at = fresh_range(PAGES(4)), shown[160];
    struct declaration d = script_declaration();
    struct text text;
    struct worker *w;
    cap_t o;

    for (unsigned i = 0; i < 2; i++) {
        must(map(at, PAGE, *kinds[i].object, 0, MAP_READ), "map");
        ok(strcmp(owner_of(touch(PROBE_STORE, at)), kinds[i].name) == 0,
           "mmap_owner_name %s: in a fault report", kinds[i].name);
        kit_unmap(at, PAGE);
    }

    o = make(OBJ_served, PAGES(4), 4);
    must(q_served_declare(o, DECLARE_MAPPABLE, MAP_READ, DECLARE_REFUSED, 0, 4), "declare");
    must(map(at, PAGE, o, 0, MAP_READ), "map");
    ok(strcmp(owner_of(touch(PROBE_STORE, at)), "object") == 0,
       "mmap_owner_name served: the default is `object`");
    d.name = "files/data.bin";
    declare(o, &d);
    ok(strcmp(owner_of(touch(PROBE_STORE, at)), "files/data.bin") == 0,
       "mmap_owner_name served: the declared name in a fault report");
    ok(touch(PROBE_LOAD, at)->status == ST_OWNER_DEAD &&
           strcmp(owner_of(touch(PROBE_LOAD, at)), "files/data.bin") == 0,
       "mmap_owner_name served: and when the owner is gone");
    d.name = too_long;
    declare(o, &d);
    ok(strlen(owner_of(touch(PROBE_STORE, at))) == OWNER_NAME_BYTES &&
           memcmp(owner_of(touch(PROBE_STORE, at)), too_long, OWNER_NAME_BYTES) == 0,
       "mmap_owner_name served: an over-long name is cut at 32 bytes");
    d.name = ugly;
    declare(o, &d);
    text_init(&text, shown, sizeof shown);
    text_escape(&text, owner_of(touch(PROBE_STORE, at)), OWNER_NAME_BYTES);
    ok(strcmp(shown, "a\\x0ab\\x1b[31m\\xff") == 0,
       "mmap_owner_name served: an unprintable name is shown escaped");
    if (strcmp(shown, "a\\x0ab\\x1b[31m\\xff") != 0)
        note("shown as %s", shown);
    kit_unmap(at, PAGE);
    drop(o);

    w = own_begin(&all_members);
    own->name = "first";
    redeclare();
    must(map(at, PAGE, own->object.cap, 0, MAP_READ), "map");
    ok(strcmp(owner_of(touch(PROBE_STORE, at)), "first") == 0, "mmap_owner_name served: %s",
       "what the pager's function says");
    own->name = "second";
    redeclare();
    ok(strcmp(owner_of(touch(PROBE_STORE, at)), "second") == 0, "mmap_owner_name served: %s",
       "the answer changes with the pager's function");
    kit_unmap(at, PAGE);
    own_end(w);
}

/* ----------------------------------------------------------------------------------- resolve_fault */

/* With one hart QEMU does an AMO as a load and a store, so the machine reports a load; the
 * architecture says store.  The kernel hands on what the machine says. */
#define ACCESS_AMO 0x100

static const struct access_case {
    enum probe_op op;
    word_t access;
    const char *what;
} accesses[] = {
    {PROBE_LOAD, ACCESS_LOAD, "load"},       {PROBE_STORE, ACCESS_STORE, "store"},
    {PROBE_AMO, ACCESS_AMO, "AMO"},          {PROBE_LR, ACCESS_LOAD, "LR"},
    {PROBE_LR_SC, ACCESS_LOAD, "LR and SC"}, {PROBE_JUMP, ACCESS_INSTRUCTION, "fetch"},
};
#define NACCESSES (sizeof accesses / sizeof *accesses)

/* Code that returns its argument plus 2, in four bytes of one instruction and two of another. */
static const uint32_t add_two = 0x00250513; /* addi a0, a0, 2 */
static const uint16_t back = 0x8082;        /* ret */

static cap_t
    source; /* anon: page n begins with the word 0x900 + n, code at 64 and across 15 | 16 */

static void make_source(void)
{
    char *v;

    source = make(OBJ_anon, PAGES(32), 0);
    v = kit_map(source, PAGES(32), 0, RW);
    for (unsigned i = 0; i < 32; i++) {
        *(word_t *)(v + PAGES(i)) = 0x900 + i;
        memcpy(v + PAGES(i) + 64, &add_two, 4);
        memcpy(v + PAGES(i) + 68, &back, 2);
        memcpy(v + PAGES(i) + PAGE - 2, &add_two, 2); /* first half; the second follows */
        if (i)
            memcpy(v + PAGES(i), (const char *)&add_two + 2, 2), memcpy(v + PAGES(i) + 2, &back, 2);
        *(word_t *)(v + PAGES(i) + 8) = 0x900 + i;
    }
    kit_unmap(v, PAGES(32));
}

/* The members about ranges, as lib/pager hands them on. */
static void test_range_members(void)
{
    struct worker *w = own_begin(&range_members);
    char *at = fresh_range(PAGES(32));
    struct result r;
    word_t id;

    id = must(map(at, PAGES(8), own->object.cap, 0, RW), "map");
    must(q_aspace_unmap(SLOT_ASPACE, (word_t)at + PAGES(2), PAGE), "unmap");
    ok(own->split == 1 && own->last.id == id && own->last.vaddr == (word_t)at + PAGES(3) &&
           own->last.length == PAGES(5) && own->last.offset == PAGES(3),
       "on_split served: the pager library hands the upper piece to the member");
    must(q_aspace_protect(SLOT_ASPACE, (word_t)at, PAGES(2), MAP_READ), "protect");
    ok(own->protected == 1 && own->last.vaddr == (word_t)at && own->last.length == PAGES(2) &&
           own->last.permissions == MAP_READ && own->last.is_shared,
       "on_protect served: the pager library hands the range and its permissions to the member");

    own->object.max_mappings = 1;
    redeclare();
    must(q_aspace_protect(SLOT_ASPACE, (word_t)at + PAGES(3), PAGE, MAP_READ), "protect");
    ok(own->resynced > 0 && own->pieces == 3 && own->listed.vaddr == (word_t)at + PAGES(4) &&
           own->listed.permissions == RW && own->listed.length == PAGES(4),
       "on_resync served: the member lists the mappings with pager_next_mapping");
    own->object.max_mappings = 0;
    redeclare();
    kit_unmap(at, PAGES(8));

    own->object.ask = true;
    redeclare();
    must(map(at, PAGES(2), own->object.cap, PAGES(3), MAP_READ), "map");
    ok(own->asked_offset == PAGES(3) && own->asked_length == PAGES(2),
       "get_mapping_info_with served: with `ask` the member hears the range of each mapping");
    own->refuse[1] = ST_NOT_MAPPABLE;
    REFUSED(map(at + PAGES(4), PAGE, own->object.cap, 0, MAP_READ), ST_NOT_MAPPABLE, 0,
            "get_mapping_info_with served: with `ask` its error refuses that mapping");
    own->refuse[1] = ST_OK;
    own->object.ask = false;
    redeclare();
    kit_unmap(at, PAGES(2));

    must(map(at, PAGES(32), own->object.cap, 0, RW), "map");
    ok(touch(PROBE_LOAD, at + PAGES(8))->status == ST_TRUNCATED,
       "can_extend_on_fault served: 0 is TRUNCATED");
    own->longer = PAGES(10);
    ok(touch(PROBE_STORE, at + PAGES(9))->status == ST_OK &&
           memory_read(own->object.cap).size == PAGES(10),
       "can_extend_on_fault served: the object is made as long as the member says");
    ok(touch(PROBE_LOAD, at + PAGES(10))->status == ST_TRUNCATED,
       "can_extend_on_fault served: a size that does not reach the page is TRUNCATED");
    own->keeps = ST_IO;
    r = pager_release(&own->object, PAGES(8), PAGES(2));
    ok(r.status == ST_IO && own->released == PAGES(2) && page_read(own->object.cap, PAGES(9)).state,
       "release_pages served: an error of the member keeps the pages");
    own->keeps = ST_OK;
    r = pager_release(&own->object, PAGES(8), PAGES(2));
    ok(r.status == ST_OK && r.value == 1 && page_read(own->object.cap, PAGES(9)).state == 0,
       "release_pages served: else they are dropped");
    ok(touch(PROBE_STORE, at)->status == ST_OK && own->protected_faults == 0,
       "fault_page_permissions served: what the mapping allows, and nothing is asked");
    own->withheld = MAP_WRITE;
    load(at + PAGES(5));
    ok(own->protected_faults == 0 && touch(PROBE_STORE, at + PAGES(5))->status == ST_OK &&
           own->protected_faults == 1,
       "fault_page_permissions served: without MAP_WRITE a page is read, and a write asks");
    ok(touch(PROBE_STORE, at + PAGES(5))->status == ST_OK && own->protected_faults == 1,
       "fault_page_permissions served: until it is allowed");
    kit_unmap(at, PAGES(32));
    own_end(w);
}

static void test_resolve_kinds(void)
{
    char *at = fresh_range(PAGES(32)), *x = fresh_range(PAGES(32));
    const struct touched *t;
    cap_t o;

    /* anon: the access finds a zeroed page, whichever it is */
    o = make(OBJ_anon, PAGES(16), 0);
    must(map(at, PAGES(16), o, 0, RW), "map");
    for (unsigned i = 0; i + 1 < NACCESSES; i++) {
        t = touch(accesses[i].op, at + PAGES(i) + 8);
        ok(t->status == ST_OK && (accesses[i].op == PROBE_STORE || t->result == 0) &&
               page_read(o, PAGES(i)).state == 1,
           "resolve_fault anon: %s of a missing page", accesses[i].what);
    }
    must(map(x, PAGES(16), o, 0, MAP_READ | MAP_EXEC), "map");
    t = touch(PROBE_JUMP, x + PAGES(9));
    ok(t->status == ST_ILLEGAL && t->message.pc == (word_t)x + PAGES(9),
       "resolve_fault anon: fetch of a missing page, which is zero and no instruction");
    kit_unmap(at, PAGES(16));
    kit_unmap(x, PAGES(16));
    drop(o);

    must(map(at, PAGE, device, 0, RW), "map");
    ok(touch(PROBE_LOAD, at + 0x18)->status == ST_OK && touch(PROBE_STORE, at + 8)->status == ST_OK,
       "resolve_fault phys: load from and store to a device");
    kit_unmap(at, PAGE);
    must(map(at, PAGE, kit.bundle, 0, MAP_READ), "map");
    ok(touch(PROBE_LOAD1, at)->result == '0' && touch(PROBE_LR, at + 8)->status == ST_OK,
       "resolve_fault phys: load and LR from the boot bundle");
    kit_unmap(at, PAGE);
}

static bool heard_access(const struct heard *h, word_t access)
{
    word_t got = h->fault.flags & FAULT_ACCESS_MASK;

    return access == ACCESS_AMO ? got == ACCESS_STORE || got == ACCESS_LOAD : got == access;
}

static void test_resolve_served(enum script_answer answer, const char *by)
{
    cap_t o = script_object(s, 0, PAGES(32), 5);
    char *at = kit_map(o, PAGES(16), 0, RW);
    char *x = kit_map(o, PAGES(16), PAGES(16), MAP_READ | MAP_EXEC);

    s->answer = answer;
    s->source = source;
    for (unsigned i = 0; i < NACCESSES; i++) {
        bool fetch = accesses[i].op == PROBE_JUMP;
        char *address = fetch ? x + PAGES(i) + 64 : at + PAGES(i) + 8;
        word_t offset = fetch ? PAGES(16 + i) : PAGES(i);
        const struct touched *t;
        const struct heard *h;

        script_clear(s);
        t = touch(accesses[i].op, address);
        h = script_nth(s, MAPPING_resolve_fault, 0);
        if (!ok(t->status == ST_OK && script_count(s, MAPPING_resolve_fault) == 1 && h &&
                    heard_access(h, accesses[i].access) && h->fault.vaddr == (word_t)address &&
                    h->fault.offset == offset && h->fault.window_end > offset &&
                    s->answered.status == ST_OK,
                "resolve_fault served: %s of a missing page, by %s", accesses[i].what, by))
            note("status %s, %u events, answer %s, flags 0x%lx, vaddr 0x%lx for %p",
                 status_name(t->status), s->nheard, status_name(s->answered.status),
                 h ? h->fault.flags : 0, h ? h->fault.vaddr : 0, (void *)address);
        if (fetch)
            same(t->result, 2, "resolve_fault served: what was fetched is what the pager gave (%s)",
                 by);
        else if (accesses[i].op != PROBE_STORE)
            same(t->result, 0x900 + i, "resolve_fault served: %s sees what the pager gave (%s)",
                 accesses[i].what, by);
        if (accesses[i].op == PROBE_STORE)
            same(*(word_t *)address, 0, "resolve_fault served: the store is done (%s)", by);
    }
    script_settle(s);
    kit_unmap(at, PAGES(16));
    kit_unmap(x, PAGES(16));
    drop(o);
}

/* The second page alone is missing. */
static void test_across(void)
{
    cap_t o = script_object(s, 0, PAGES(32), 5);
    char *at = kit_map(o, PAGES(16), 0, RW);
    char *x = kit_map(o, PAGES(16), PAGES(16), MAP_READ | MAP_EXEC);
    const struct touched *t;
    const struct heard *h;

    s->answer = SCRIPT_COPY;
    s->source = source;
    load(x + PAGES(2));
    script_clear(s);
    t = touch(PROBE_JUMP, x + PAGES(3) - 2);
    h = script_nth(s, MAPPING_resolve_fault, 0);
    ok(t->status == ST_OK && t->result == 2 && script_count(s, MAPPING_resolve_fault) == 1 &&
           h->fault.offset == PAGES(19) && h->fault.vaddr == (word_t)x + PAGES(3) &&
           (h->fault.flags & FAULT_ACCESS_MASK) == ACCESS_INSTRUCTION,
       "resolve_fault served: a 4-byte instruction whose second page is missing");

    load(at + PAGES(4));
    script_clear(s);
    t = touch(PROBE_LOAD, at + PAGES(5) - 4);
    h = script_nth(s, MAPPING_resolve_fault, 0);
    ok(t->status == ST_OK && script_count(s, MAPPING_resolve_fault) == 1 &&
           h->fault.offset == PAGES(5) &&
           (t->result >> 32) == (*(volatile uint32_t *)(at + PAGES(5))),
       "resolve_fault served: a misaligned load whose second page is missing");
    kit_unmap(at, PAGES(16));
    kit_unmap(x, PAGES(16));
    drop(o);
}

/* SC alone: the page can be read, so LR finds it, and may not be written. */
static void test_store_conditional(void)
{
    char *at = kit_map(served, PAGES(16), 0, MAP_READ);
    const struct touched *t;

    s->answer = SCRIPT_ZERO;
    t = touch(PROBE_LR_SC, at + 8);
    ok(t->status == ST_FORBIDDEN && t->message.access == ACCESS_STORE &&
           t->message.address == (word_t)at + 8,
       "resolve_fault served: LR of a page to read succeeds, SC of it is a forbidden store");
    script_clear(s);
    t = touch(PROBE_STORE, at + PAGES(13));
    ok(t->status == ST_FORBIDDEN && (script_settle(s), s->nheard == 0),
       "resolve_fault served: a forbidden store to a missing page is not the pager's business");
    kit_unmap(at, PAGES(16));
}

static void test_errors(void)
{
    static const status_t errors[] = {ST_IO,       ST_INTEGRITY,  ST_TRUNCATED, ST_TIMEOUT,
                                      ST_DEADLOCK, ST_OWNER_DEAD, ST_NO_SPACE,  ST_DENIED};
    char *at = kit_map(served, PAGES(16), 0, RW);

    for (unsigned i = 0; i < sizeof errors / sizeof *errors; i++) {
        const struct touched *t;

        s->answer = SCRIPT_ERROR;
        s->status = errors[i];
        t = touch(i % 2 ? PROBE_STORE : PROBE_LOAD, at + PAGES(12) + 16);
        ok(t->status == errors[i] && t->message.address == (word_t)at + PAGES(12) + 16 &&
               t->message.access == (i % 2 ? ACCESS_STORE : ACCESS_LOAD) &&
               t->message.region_start == (word_t)at,
           "resolve_fault served: the error %s arrives typed", status_name(errors[i]));
        same(page_read(served, PAGES(12)).state, 0,
             "resolve_fault served: after %s the page is as missing as before",
             status_name(errors[i]));
    }
    s->answer = SCRIPT_ZERO;
    ok(touch(PROBE_LOAD, at + PAGES(12))->status == ST_OK,
       "resolve_fault served: after errors the page can still be had");
    kit_unmap(at, PAGES(16));
}

/* The partial last page, from a source that is full of ones. */
static void test_tail(enum script_answer answer, const char *by)
{
    cap_t o = script_object(s, 0, 10000, 6), ones = make(OBJ_anon, PAGES(4), 0);
    char *v = kit_map(ones, PAGES(4), 0, RW), *at;
    bool zero = true;

    memset(v, 0xff, PAGES(4));
    s->answer = answer;
    s->source = ones;
    at = kit_map(o, PAGES(5), 0, MAP_READ);
    script_clear(s);
    for (unsigned i = 9996; i < 10000; i++)
        zero = zero && touch(PROBE_LOAD1, at + i)->result == 0xff;
    ok(zero, "resolve_fault served is_tail: what lies before the end is what the pager gave, by %s",
       by);
    zero = true;
    for (unsigned i = 10000; i < PAGES(3); i++)
        zero = zero && at[i] == 0;
    ok(zero, "resolve_fault served is_tail: past the end of 10,000 bytes reads zero, by %s", by);
    script_clear(s);
    ok(touch(PROBE_LOAD, at + 12288)->status == ST_TRUNCATED,
       "resolve_fault served is_tail: offset 12,288 gives TRUNCATED, by %s", by);
    script_settle(s);
    same(s->nheard, 0, "resolve_fault served is_tail: and the pager is not asked, by %s", by);
    kit_unmap(at, PAGES(5));
    kit_unmap(v, PAGES(4));
    drop(o);
    drop(ones);
}

static void test_tail_anon(void)
{
    cap_t o = make(OBJ_anon, 10000, 0);
    char *at = kit_map(o, PAGES(5), 0, RW);

    ok(touch(PROBE_LOAD, at + 12280)->result == 0 &&
           touch(PROBE_LOAD, at + 12288)->status == ST_TRUNCATED,
       "resolve_fault anon is_tail: past the end of 10,000 bytes reads zero, 12,288 is TRUNCATED");
    kit_unmap(at, PAGES(5));
    drop(o);
}

int main(void)
{
    kit_begin();
    load((void *)0x10000);
    s = script_new(space_new(kit.bank), 0);
    anon = make(OBJ_anon, PAGES(16), 0);
    device = make_in(kit.devices, OBJ_phys, RTC_BASE, PAGE);
    served = script_object(s, 0, PAGES(16), 1);
    make_source();

    test_get_mapping_info();
    test_get_mapping_info_with();
    test_on_mapped();
    test_gone(BY_UNMAP, "by unmap");
    test_gone(BY_EXIT, "by exit");
    test_gone(BY_KILL, "by kill");
    test_gone(BY_BANK, "by the bank destroyed");
    test_supports();
    test_owner_name();
    test_range_members();
    test_resolve_kinds();
    test_resolve_served(SCRIPT_COPY, "copy");
    test_across();
    test_store_conditional();
    test_errors();
    test_tail_anon();
    test_tail(SCRIPT_COPY, "copy");
    test_tail(SCRIPT_MOVE, "move");
    test_resolve_served(SCRIPT_MOVE, "move"); /* takes the source's pages away */
    drop(device);
    return tap_end();
}
