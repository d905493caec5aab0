/* SPDX-License-Identifier: MIT */
/*
 * Claim: what the demonstration shows is real: pages come from another program, one by one; they are
 * the very frames that program gave; and when it dies its clients keep what they have and are told.
 *
 * The pagers here are the programs of the bundle, started by this one.  It would fail if the kernel
 * copied where it should move, if a frame kept what another bank had written, or if a client hung
 * when its pager was killed.
 */
#include "test/support/probe.h"

#include <string.h>

#include "lib/base/cpio.h"
#include "lib/pager/file.h"
#include "lib/rt/process.h"

#define RW        (MAP_READ | MAP_WRITE)
#define FILE_NAME "data.bin"
#define FLIPPED   123456 /* offset that `flip` is told to alter */

static struct cpio bundle;
static struct cpio_entry data; /* the file as it lies in the bundle */

static void open_bundle(void)
{
    word_t size = memory_read(kit.bundle).size;

    if (cpio_open(&bundle, kit_map(kit.bundle, size, 0, MAP_READ), size) != CPIO_OK ||
        cpio_find(&bundle, FILE_NAME, &data) != CPIO_OK)
        bail("the bundle has no " FILE_NAME);
}

/* Start a pager of the bundle; its console is an endpoint that nobody listens on. */
static void pager_start(struct process *p, const char *name, const char *const *arguments,
                        cap_t console)
{
    const struct process_options options = {
        .name = name,
        .parent_bank = kit.bank,
        .bank_pages = 400,
        .service_pages = 1000,
        .stack_pages = 8,
        .priority = 12,
        .cspace_bits = 8,
        .console = console,
        .badge = 1,
    };
    struct cpio_entry file;

    if (cpio_find(&bundle, name, &file) != CPIO_OK)
        bail("the bundle has no %s", name);
    must(process_create(p, &options), "process_create");
    must(process_give(p, "bundle", kit.bundle, RIGHTS_ALL, 0), "process_give");
    must(process_load(p, file.data, file.size_bytes), "process_load");
    must(process_argument(p, name), "process_argument");
    for (; arguments && *arguments; arguments++)
        must(process_argument(p, *arguments), "process_argument");
    must(process_start(p, false, 0), "process_start");
}

/* ------------------------------------------------------------------------ clients that just leave */

/* What the client's console endpoint hears. */
struct parent {
    volatile bool heard;
    unsigned kind; /* MSG_CALL: exit; MSG_EXCEPTION */
    word_t code;   /* exit code or status */
};

/* Serve writes (into nowhere), then note how the child ended. */
static void parent_main(void *argument)
{
    struct parent *p = argument;
    struct message m = {0};

    (void)!q_recv(&m, 0);
    while (message_kind(&m) == MSG_CALL && message_label(&m) == CONSOLE_WRITE) {
        message_prepare(&m, ST_OK, 0, 0);
        (void)!q_reply_recv(&m);
    }
    p->kind = message_kind(&m);
    p->code = p->kind == MSG_EXCEPTION ? message_label(&m) : m.words[0];
    p->heard = true;
    (void)!q_recv(&m, 0); /* and wait for no more: whoever asked is not answered */
}

static void client_start(struct process *p, const char *how, cap_t console, cap_t pager)
{
    const struct process_options options = {
        .name = "leaver",
        .parent_bank = kit.bank,
        .bank_pages = 400,
        .stack_pages = 8,
        .priority = 10,
        .cspace_bits = 8,
        .console = console,
        .badge = 2,
    };
    struct cpio_entry file;

    if (cpio_find(&bundle, "leaver", &file) != CPIO_OK)
        bail("the bundle has no leaver");
    must(process_create(p, &options), "process_create");
    must(process_give(p, "files", pager, ENDPOINT_SEND | ENDPOINT_GRANT, 5), "process_give");
    must(process_load(p, file.data, file.size_bytes), "process_load");
    must(process_argument(p, "leaver"), "process_argument");
    must(process_argument(p, how), "process_argument");
    must(process_start(p, false, 0), "process_start");
}

/* The pager hears of each range once, however the client goes. */
static void test_leaver(const struct process *pager, const char *how, const char *text)
{
    word_t expected = ((data.size_bytes + PAGE - 1) & -PAGE) + PAGES(8);
    struct pager_statistics before = {0}, after;
    struct parent *parent = arena_new(sizeof *parent);
    cap_t console = make(OBJ_endpoint, 0, 0);
    struct worker *w = WORKER(parent_main, parent, .endpoint = console, .priority = 1);
    struct process client;

    if (file_statistics(pager->endpoint, FILE_NAME, &before) != ST_OK)
        before = (struct pager_statistics){0};
    client_start(&client, how, console, pager->endpoint);
    if (strcmp(how, "hang") == 0) {
        do {
            sys_yield();
            (void)!file_statistics(pager->endpoint, FILE_NAME, &after);
        } while (after.mapped < before.mapped + 3);
        ok(!parent->heard, "real: a client that hangs says nothing");
    } else if (!wait_for(&parent->heard)) {
        bail("leaver %s does not end", how);
    } else if (strcmp(how, "crash") == 0) {
        ok(parent->kind == MSG_EXCEPTION && parent->code == ST_NO_REGION,
           "real: a client that crashes is stopped, and its parent hears why");
    } else {
        ok(parent->kind == MSG_CALL && parent->code == 3,
           "real: a client that exits says its code");
    }
    process_end(&client);
    if (file_statistics(pager->endpoint, FILE_NAME, &after) != ST_OK)
        bail("the file pager does not answer");
    if (!ok(after.mapped - before.mapped == 3 && after.unmapped - before.unmapped == 3 &&
                after.mapped_bytes - before.mapped_bytes == expected &&
                after.unmapped_bytes - before.unmapped_bytes == expected,
            "on_unmapped served: %s, the file pager hears each range once and all its bytes", text))
        note("mapped %lu (0x%lx bytes), unmapped %lu (0x%lx bytes), expected 0x%lx",
             after.mapped - before.mapped, after.mapped_bytes - before.mapped_bytes,
             after.unmapped - before.unmapped, after.unmapped_bytes - before.unmapped_bytes,
             expected);
    worker_drop(w);
    drop(console);
}

static void test_leavers(cap_t console)
{
    struct process pager;

    pager_start(&pager, "filepager", NULL, console);
    test_leaver(&pager, "exit", "a program that exits");
    test_leaver(&pager, "crash", "a program that crashes");
    test_leaver(&pager, "hang", "a program that is killed");
    process_end(&pager);
}

/* --------------------------------------------------------------------------- a pager that is killed */

static bool page_is_right(const char *view, word_t page)
{
    return memcmp(view + PAGES(page), (const char *)data.data + PAGES(page), PAGE) == 0;
}

static void test_killed(cap_t console)
{
    struct process pager;
    struct pager_statistics heard;
    const struct touched *t;
    struct file file;
    bool right = true;
    char *view;

    pager_start(&pager, "filepager", NULL, console);
    if (file_open(pager.endpoint, FILE_NAME, &file) != ST_OK)
        bail("the file pager does not open " FILE_NAME);
    same(file.size, data.size_bytes, "real: the file pager tells the size of a file of the bundle");
    view = kit_map(file.object, (file.size + PAGE - 1) & -PAGE, 0, MAP_READ);
    same(memory_read(file.object).resident, 0, "real: nothing of the file is there before a touch");
    for (word_t page = 0; page < 100; page++)
        right = right && touch(PROBE_LOAD1, view + PAGES(page))->status == ST_OK &&
                page_is_right(view, page);
    ok(right, "real: pages 0 to 99 come through the file pager and are what the bundle has");
    ok(file_statistics(pager.endpoint, FILE_NAME, &heard) == ST_OK && heard.faults == 100 &&
           heard.mapped == 1,
       "real: the file pager heard one mapping and 100 faults");
    if (heard.faults != 100)
        note("%lu faults, %lu mappings", heard.faults, heard.mapped);

    process_kill(&pager);
    t = touch(PROBE_LOAD1, view + PAGES(100));
    ok(t->status == ST_OWNER_DEAD && t->message.address == (word_t)view + PAGES(100),
       "real: the pager killed at page 100, the next missing page is a typed error, OWNER_DEAD");
    right = true;
    for (word_t page = 0; page < 100; page++)
        right = right && touch(PROBE_LOAD1, view + PAGES(page))->status == ST_OK &&
                page_is_right(view, page);
    ok(right, "real: and pages 0 to 99 are kept");
    same(memory_read(file.object).resident, 100, "real: just those are resident");
    process_end(&pager);
    ok(touch(PROBE_LOAD1, view)->status == ST_NO_REGION,
       "real: with its service bank taken away as well the mapping is gone");
    slot_release(file.object);
}

static void test_flip(cap_t console)
{
    static const char *const arguments[] = {FILE_NAME, "123456", NULL};
    const unsigned char *right = data.data;
    struct process pager;
    struct file file;
    word_t wrong = 0, where = 0;
    unsigned char *view;

    pager_start(&pager, "flip", arguments, console);
    if (file_open(pager.endpoint, FILE_NAME, &file) != ST_OK)
        bail("the pager flip does not open " FILE_NAME);
    view = kit_map(file.object, PAGES(40), 0, MAP_READ);
    load(view);
    for (word_t i = 0; i < PAGES(40); i++)
        if (view[i] != right[i])
            wrong++, where = i;
    ok(wrong == 1 && where == FLIPPED, "real: what flip alters, one byte at its offset, is seen");
    process_end(&pager);
    slot_release(file.object);
}

/* --------------------------------------------------------------------------------- moved, not copied */

static void test_move(void)
{
    cap_t e = make(OBJ_endpoint, 0, 0), source = make(OBJ_anon, PAGES(8), 0);
    cap_t object = make(OBJ_served, PAGES(8), 1), bank, other;
    word_t *from = kit_map(source, PAGES(8), 0, RW), *to, frames, used;
    struct page_state before;

    must(q_served_declare(object, DECLARE_MAPPABLE, RW, DECLARE_REFUSED, 0, 4), "declare");
    must(q_served_attach(object, e), "attach");
    to = kit_map(object, PAGES(8), 0, RW);
    from[512] = 0xfeed;
    /* so that all tables are there */
    must(q_served_answer(object, 1, answer_what(ANSWER_ZERO, 0, 1), 0, 0, 0), "answer");
    load(to);

    before = page_read(source, PAGE);
    frames = free_frames();
    used = bank_read(kit.bank).frames;
    same(must(q_served_answer(object, 1, answer_what(ANSWER_MOVE, 0, 1), PAGE, source, PAGE),
              "answer"),
         1, "real: a page is moved");
    same(page_read(source, PAGE).state, 0, "real: after move the source object lacks the page");
    same(free_frames(), frames, "real: after move no frame was added");
    same(bank_read(kit.bank).frames, used, "real: after move no bank pays for more");
    ok(page_read(object, PAGE).paddr == before.paddr && before.state == 1,
       "real: after move the physical frame is the same");
    same(load(to + 512), 0xfeed, "real: and it holds what the pager wrote");
    same(touch(PROBE_LOAD, from + 512)->result, 0,
         "real: the pager's own mapping no longer shows it, but a fresh page of zeros");
    to[512] = 1;
    same(from[512], 0, "real: nor what the client stores");

    bank = make(OBJ_bank, 20, 0);
    other = make_in(bank, OBJ_anon, PAGES(8), 0);
    kit_unmap(from, PAGES(8));
    from = kit_map(other, PAGES(8), 0, RW);
    from[1024] = 3;
    used = bank_read(bank).frames;
    frames = free_frames();
    must(q_served_answer(object, 1, answer_what(ANSWER_MOVE, 0, 1), PAGES(2), other, PAGES(2)),
         "answer");
    ok(bank_read(bank).frames == used - 1 && free_frames() == frames,
       "real: a move from another bank charges the frame to the object's bank");
    kit_unmap(from, PAGES(8));
    kit_unmap(to, PAGES(8));
    drop(other);
    drop(bank);
    drop(object);
    drop(source);
    drop(e);
}

/* -------------------------------------------------------------------------- from one bank to another */

#define NPAGES 32

static void test_zeroed(void)
{
    cap_t bank = make(OBJ_bank, 100, 0), o = make_in(bank, OBJ_anon, PAGES(NPAGES), 0);
    word_t *v = kit_map(o, PAGES(NPAGES), 0, RW), paddr[NPAGES], sum = 0;
    unsigned again = 0;

    for (unsigned i = 0; i < PAGES(NPAGES) / sizeof *v; i++)
        v[i] = 0x5ec5e75ec5e75ec5;
    for (unsigned i = 0; i < NPAGES; i++)
        paddr[i] = page_read(o, PAGES(i)).paddr;
    must(q_bank_destroy(bank), "bank.destroy");
    forget(o);
    forget(bank);

    bank = make(OBJ_bank, 100, 0);
    o = make_in(bank, OBJ_anon, PAGES(NPAGES), 0);
    v = kit_map(o, PAGES(NPAGES), 0, RW);
    for (unsigned i = 0; i < PAGES(NPAGES) / sizeof *v; i++)
        sum |= v[i];
    for (unsigned i = 0; i < NPAGES; i++)
        for (unsigned k = 0; k < NPAGES; k++)
            again += page_read(o, PAGES(i)).paddr == paddr[k];
    ok(again > 0, "real: frames of a destroyed bank are used again by another");
    same(sum, 0, "real: a frame that goes from one bank to another arrives zeroed");
    must(q_bank_destroy(bank), "bank.destroy");
    forget(o);
    forget(bank);
}

/* What a program is given in its buffer page and its kernel objects is clean too. */
static void test_buffer_zeroed(void)
{
    struct worker *w = worker_new(&(struct worker_options){0});
    word_t sum = 0;

    for (unsigned i = 0; i < PAGE / sizeof sum; i++)
        sum |= ((volatile word_t *)w->buffer)[i];
    same(sum, w->buffer->clock_hz,
         "real: the buffer page of a new thread is zero but for the clock's frequency");
    worker_drop(w);
}

int main(void)
{
    cap_t console;

    kit_begin();
    load((void *)0x10000);
    open_bundle();
    console = make(OBJ_endpoint, 0, 0);
    test_leavers(console);
    test_killed(console);
    test_flip(console);
    test_move();
    test_zeroed();
    test_buffer_zeroed();
    drop(console);
    return tap_end();
}
