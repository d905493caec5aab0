/* SPDX-License-Identifier: MIT */
/*
 * Claim: a bank makes objects within its limit, refuses everything else without a trace, and gives
 * every page back when it is destroyed.
 *
 * It would fail if a refused creation kept a piece of a slab, if a limit were not carved out of the
 * parent's, or if destroying a bank left one of its objects, or one page, behind.  Errors of any
 * operation (any.def) are provoked here too, on a bank.
 */
#include "test/support/probe.h"

#define RTC_BASE  0x101000ul /* on QEMU virt: registers of the clock, one page */
#define UART_IRQ  10
#define RTC_IRQ   11
#define RAM_BASE  0x80000000ul
#define NOT_GIVEN 0x5000000ul /* nothing is there */

static struct result create(cap_t bank, word_t type, cap_t slot, word_t a, word_t b)
{
    return q_bank_create(bank, type, slot, a, b, 0);
}

static void test_any(void)
{
    cap_t weak = copy_of(kit.bank, BANK_CREATE);
    struct message m = {0};
    cap_t empty = slot_new();

    REFUSED(q_bank_query(empty), ST_BAD_CAP, empty, "any.any BAD_CAP: detail is the empty slot");
    REFUSED(q_bank_query(NO_SLOT), ST_BAD_CAP, NO_SLOT,
            "any.any BAD_CAP: detail is the slot outside the cspace");
    REFUSED(q_bank_query(0), ST_BAD_CAP, 0, "any.any BAD_CAP: slot 0 is always empty");
    REFUSED(q_bank_destroy(weak), ST_NO_RIGHT, BANK_DESTROY,
            "any.any NO_RIGHT: detail is the right missing");
    REFUSED(sys_call(kit.bank, tag_make(SYS_CALL, 31, 0, 0), 0, 0, 0, 0, 0, 0), ST_BAD_OP, 31,
            "any.any BAD_OP: detail is the number");
    REFUSED(sys_call(kit.bank, tag_make(SYS_CALL, 1000000, 0, 0), 0, 0, 0, 0, 0, 0), ST_BAD_OP,
            1000000, "any.any BAD_OP: a number beyond every table");
    REFUSED(
        sys_call(kit.bank, tag_make(SYS_CALL, OP_bank_create, 1, 0), OBJ_endpoint, 0, 0, 0, 0, 0),
        ST_BAD_LENGTH, 2, "any.any BAD_LENGTH: detail is the number of words needed");
    REFUSED(sys_call(kit.bank, tag_make(SYS_CALL, OP_bank_query, 65, 0), 0, 0, 0, 0, 0, 0),
            ST_BAD_LENGTH, 0, "any.any BAD_LENGTH: over 64 words");

    (void)!q_operation(weak, OP_any_identify, 0, &m);
    ok(message_status(&m) == ST_OK && m.words[0] == OBJ_bank && m.words[1] == BANK_CREATE &&
           m.words[2] == 0,
       "any.identify tells type, rights and badge");
    drop(weak);
    slot_release(empty);
}

static void test_arguments(void)
{
    cap_t slot = slot_new();

    REFUSED(create(kit.bank, 15, slot, 0, 0), ST_BAD_TYPE, 15,
            "bank.create BAD_TYPE: no such type, detail is the type");
    REFUSED(create(kit.bank, OBJ_debug, slot, 0, 0), ST_BAD_TYPE, OBJ_debug,
            "bank.create BAD_TYPE: debug is not for programs to make");
    REFUSED(create(kit.bank, 1ul << 40, slot, 0, 0), ST_BAD_TYPE, 1ul << 40,
            "bank.create BAD_TYPE: a huge number");
    REFUSED(create(kit.bank, OBJ_endpoint, 0, 0, 0), ST_BAD_ARG, 1,
            "bank.create BAD_ARG: slot 0, detail is its argument index");
    REFUSED(create(kit.bank, OBJ_endpoint, NO_SLOT, 0, 0), ST_BAD_ARG, 1,
            "bank.create BAD_ARG: a slot outside the cspace");
    REFUSED(create(kit.bank, OBJ_cspace, slot, 1, 0), ST_BAD_ARG, 2,
            "bank.create BAD_ARG: a cspace of 2 slots");
    REFUSED(create(kit.bank, OBJ_cspace, slot, 17, 0), ST_BAD_ARG, 2,
            "bank.create BAD_ARG: a cspace of 2^17 slots");
    REFUSED(create(kit.bank, OBJ_sched, slot, PRIORITY_MAX + 1, 0), ST_BAD_ARG, 2,
            "bank.create BAD_ARG: priority 32");
    REFUSED(create(kit.bank, OBJ_anon, slot, 0, 0), ST_BAD_ARG, 2,
            "bank.create BAD_ARG: anon of no bytes");
    REFUSED(create(kit.bank, OBJ_anon, slot, ~0ul, 0), ST_BAD_ARG, 2,
            "bank.create BAD_ARG: anon of 2^64 - 1 bytes");
    REFUSED(create(kit.bank, OBJ_served, slot, 0, 0), ST_BAD_ARG, 2,
            "bank.create BAD_ARG: served of no bytes");
    REFUSED(create(kit.devices, OBJ_phys, slot, RTC_BASE + 8, PAGE), ST_BAD_ARG, 2,
            "bank.create BAD_ARG: phys with an unaligned base");
    REFUSED(create(kit.devices, OBJ_phys, slot, RTC_BASE, 100), ST_BAD_ARG, 3,
            "bank.create BAD_ARG: phys with an unaligned length");
    REFUSED(create(kit.devices, OBJ_phys, slot, RTC_BASE, 0), ST_BAD_ARG, 3,
            "bank.create BAD_ARG: phys of no bytes");
    REFUSED(create(kit.devices, OBJ_phys, slot, ~0ul << 12, PAGES(2)), ST_BAD_ARG, 3,
            "bank.create BAD_ARG: phys that wraps round");
    REFUSED(create(kit.devices, OBJ_irq, slot, 100000, 0), ST_BAD_ARG, 2,
            "bank.create BAD_ARG: a line that no controller has");
    REFUSED(create(kit.bank, OBJ_endpoint, SLOT_BANK, 0, 0), ST_OCCUPIED, SLOT_BANK,
            "bank.create OCCUPIED: detail is the slot");
    ok(slot_is_empty(slot), "bank.create that is refused leaves the slot empty");
    slot_release(slot);
}

static void test_limit(void)
{
    cap_t slot = slot_new(), small = make(OBJ_bank, 3, 0), anon;
    struct bank_state before;
    word_t left;

    left = bank_read(kit.bank).limit - bank_read(kit.bank).used;
    REFUSED(create(kit.bank, OBJ_bank, slot, left + 1, 0), ST_NO_SPACE, left,
            "bank.create NO_SPACE: a child larger than what is left, detail is the pages left");
    REFUSED(create(small, OBJ_cspace, slot, 10, 0), ST_NO_SPACE, 3,
            "bank.create NO_SPACE: 8 pages from a bank of 3");
    before = bank_read(small);
    ok(before.used == 0 && before.limit == 3, "bank.create that is refused charges nothing");

    anon = make_in(small, OBJ_anon, PAGES(8), 0);
    before = bank_read(small);
    ok(before.used == 1 && before.slabs == 1 && before.frames == 0,
       "bank.query: a small object takes one page of a slab");
    drop(anon);
    ok(bank_read(small).used == 0, "an object that loses its last capability gives its page back");
    drop(small);
    slot_release(slot);
}

static void test_devices(void)
{
    cap_t slot = slot_new(), irq, phys, weak = copy_of(kit.devices, BANK_CREATE);

    REFUSED(create(weak, OBJ_phys, slot, RTC_BASE, PAGE), ST_DENIED, 0,
            "bank.create DENIED: phys without right DEVICE");
    REFUSED(create(weak, OBJ_irq, slot, RTC_IRQ, 0), ST_DENIED, 0,
            "bank.create DENIED: irq without right DEVICE");
    REFUSED(create(kit.devices, OBJ_phys, slot, RAM_BASE + (64ul << 20), PAGE), ST_DENIED, 0,
            "bank.create DENIED: phys of memory that the kernel manages");
    REFUSED(create(kit.devices, OBJ_phys, slot, RAM_BASE, PAGE), ST_DENIED, 0,
            "bank.create DENIED: phys of the firmware's memory");
    REFUSED(create(kit.devices, OBJ_phys, slot, NOT_GIVEN, PAGE), ST_DENIED, 0,
            "bank.create DENIED: phys where the device tree gave nothing");
    REFUSED(create(kit.devices, OBJ_phys, slot, RTC_BASE, PAGES(16)), ST_DENIED, 0,
            "bank.create DENIED: phys that is only begun by what the device tree gave");

    phys = make_in(kit.devices, OBJ_phys, RTC_BASE, PAGE);
    ok(memory_read(phys).size == PAGE, "phys of a range that the device tree gave is made");
    drop(phys);
    irq = make_in(kit.devices, OBJ_irq, RTC_IRQ, 0);
    REFUSED(create(kit.devices, OBJ_irq, slot, RTC_IRQ, 0), ST_BUSY, RTC_IRQ,
            "bank.create BUSY: a second irq for a line, detail is the line");
    drop(irq);
    irq = make_in(kit.devices, OBJ_irq, RTC_IRQ, 0);
    ok(!slot_is_empty(irq), "a line whose irq object died can be had again");
    drop(irq);
    drop(weak);
    slot_release(slot);
}

static void test_child(void)
{
    struct bank_state before = bank_read(kit.bank), with;
    word_t frames = free_frames();
    cap_t child = make(OBJ_bank, 100, 0);
    struct message m = {0};

    with = bank_read(kit.bank);
    ok(with.children == before.children + 100 && with.used >= before.used + 100,
       "bank.create bank: the child's limit is carved out of the parent's");
    (void)!q_operation(child, OP_any_identify, 0, &m);
    ok(!(m.words[1] & BANK_DEVICE), "bank.create bank: a child comes without right DEVICE");
    same(free_frames(), frames - (with.slabs - before.slabs),
         "bank.create bank: no frame is taken before it is used");
    drop(child);
    ok(bank_read(kit.bank).used == before.used && free_frames() == frames,
       "a bank that loses its last capability gives its limit back");
}

/* Everything at once: objects of each type, in a bank and a bank of that bank, mapped and running. */
static void test_destroy(void)
{
    struct bank_state before = bank_read(kit.bank);
    word_t frames = free_frames();
    cap_t bank = make(OBJ_bank, 200, 0), inner = make_in(bank, OBJ_bank, 60, 0);
    cap_t cap[] = {
        make_in(bank, OBJ_cspace, 4, 0),          make_in(bank, OBJ_endpoint, 0, 0),
        make_in(bank, OBJ_notification, 0, 0),    make_in(bank, OBJ_sched, 5, 0),
        make_in(bank, OBJ_served, PAGES(600), 7), make_in(inner, OBJ_anon, PAGES(20), 0),
        make_in(inner, OBJ_aspace, 0, 0),         make_in(bank, OBJ_thread, 0, 0),
    };
    word_t *page = kit_map(cap[5], PAGES(20), 0, MAP_READ | MAP_WRITE);
    bool all_gone = true;

    for (unsigned i = 0; i < 20; i++)
        page[i * PAGE / sizeof *page] = i;
    must(q_thread_configure(cap[7], cap[0], cap[6], 0, cap[3]), "thread.configure");
    must(q_served_attach(cap[4], cap[1]), "served.attach");
    ok(bank_read(inner).frames >= 20, "bank.query counts the frames that an object took");
    must(q_bank_destroy(bank), "bank.destroy");

    for (unsigned i = 0; i < sizeof cap / sizeof *cap; i++)
        all_gone = all_gone && slot_is_empty(cap[i]);
    ok(all_gone && slot_is_empty(bank) && slot_is_empty(inner),
       "bank.destroy takes every object made from it, child banks included");
    ok(!is_mapped(page), "bank.destroy unmaps what was mapped of its objects");
    ok(touch(PROBE_LOAD, page)->status == ST_NO_REGION,
       "bank.destroy: an access to memory of a destroyed bank is a typed exception");
    for (unsigned i = 0; i < sizeof cap / sizeof *cap; i++)
        forget(cap[i]);
    forget(bank);
    forget(inner);
    probe_end();
    (void)before;
    (void)frames;
}

static void test_destroy_counts(void)
{
    struct bank_state before, after;
    word_t frames;
    cap_t bank, anon;
    char *page;

    bank = make(OBJ_bank, 40, 0);
    anon = make_in(bank, OBJ_anon, PAGES(20), 0);
    page = kit_map(anon, PAGES(20), 0, MAP_READ | MAP_WRITE);
    kit_unmap(page, PAGES(20));
    drop(anon);
    drop(bank);

    before = bank_read(kit.bank);
    frames = free_frames();
    bank = make(OBJ_bank, 40, 0);
    anon = make_in(bank, OBJ_anon, PAGES(20), 0);
    must(q_aspace_map(SLOT_ASPACE, (word_t)page, PAGES(20), anon, 0, MAP_READ | MAP_WRITE), "map");
    for (unsigned i = 0; i < 20; i++)
        page[i * PAGE] = 1;
    ok(free_frames() < frames - 19, "twenty touched pages are twenty frames fewer");
    must(q_bank_destroy(bank), "bank.destroy");
    after = bank_read(kit.bank);
    ok(after.used == before.used && after.slabs == before.slabs && after.frames == before.frames &&
           after.children == before.children,
       "bank.destroy brings the parent's counters back to where they were");
    same(free_frames(), frames, "bank.destroy brings the machine's free frames back");
    forget(bank);
    forget(anon);

    REFUSED(q_bank_destroy(kit.root), ST_DENIED, 0,
            "bank.destroy DENIED: the first bank cannot be destroyed");
    ok(bank_read(kit.bank).peak >= bank_read(kit.bank).used, "bank.query: highest use");
}

int main(void)
{
    kit_begin();
    test_any();
    test_arguments();
    test_limit();
    test_devices();
    test_child();
    test_destroy();
    test_destroy_counts();
    return tap_end();
}
