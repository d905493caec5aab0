/* SPDX-License-Identifier: MIT */
/*
 * Claim: each thread has its own 32 floating-point registers and fcsr, through ticks, calls in both
 * directions and page faults that another program serves; and it begins with zeros.
 *
 * It would fail if a register or fcsr were not saved or not restored when the registers change
 * hands, or if a thread that starts found what another left there.  The workers here do no
 * arithmetic of their own with these registers: between filling and looking, only the kernel can
 * change them.
 */
#include "test/support/script.h"

#define ROUNDS 200u
#define NPAGES 64u
#define ALL_REGISTERS                                                                         \
    ".irp r,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29," \
    "30,31\n"

/* f0 = seed, f1 = seed + 1, and so on; fcsr = the low byte of the seed. */
__attribute__((naked, noinline)) static void fill(__attribute__((unused)) word_t seed)
{
    __asm__("fscsr a0\n" ALL_REGISTERS "fmv.d.x f\\r, a0\n"
            "addi a0, a0, 1\n"
            ".endr\n"
            "ret");
}

/* Which bits of any of them are not as `fill` left them. */
__attribute__((naked, noinline)) static word_t differs(__attribute__((unused)) word_t seed)
{
    __asm__("frcsr a1\n"
            "andi a2, a0, 0xff\n"
            "xor a1, a1, a2\n" ALL_REGISTERS "fmv.x.d a2, f\\r\n"
            "xor a2, a2, a0\n"
            "or a1, a1, a2\n"
            "addi a0, a0, 1\n"
            ".endr\n"
            "mv a0, a1\n"
            "ret");
}

/* Every bit that is set in any of them. */
__attribute__((naked, noinline)) static word_t whatever(void)
{
    __asm__("frcsr a0\n" ALL_REGISTERS "fmv.x.d a1, f\\r\n"
            "or a0, a0, a1\n"
            ".endr\n"
            "ret");
}

static word_t seed_of(word_t who, word_t round)
{
    return (who << 56 | round << 16) + 0x2100 + who; /* low byte: fcsr, no reserved rounding mode */
}

struct holder {
    word_t who;
    cap_t endpoint, object;
    volatile char *view;
    volatile bool stop;
    volatile word_t wrong, rounds;
};

static struct holder *holder_new(word_t who)
{
    struct holder *h = arena_new(sizeof *h);

    h->who = who;
    return h;
}

/* Hold one set of values and look at it again and again. */
static void hold(void *argument)
{
    struct holder *h = argument;

    fill(seed_of(h->who, 0));
    do {
        for (volatile unsigned i = 0; i < 5000; i++)
            ;
        h->wrong |= differs(seed_of(h->who, 0));
        h->rounds++;
    } while (!h->stop);
}

/* New values for each call; they must be there when the reply is. */
static void call(void *argument)
{
    struct holder *h = argument;

    for (word_t i = 0; i < ROUNDS; i++) {
        struct message m = {0};

        fill(seed_of(h->who, i));
        message_prepare(&m, 1, 0, 0);
        if (q_call(h->endpoint, &m) != ST_OK)
            h->wrong |= 1;
        h->wrong |= differs(seed_of(h->who, i));
        h->rounds++;
    }
}

/* New values for each first touch of a page; they must be there when the page is. */
static void touch_pages(void *argument)
{
    struct holder *h = argument;

    for (word_t i = 0; i < NPAGES; i++) {
        fill(seed_of(h->who, i));
        h->wrong |= (word_t)h->view[PAGES(i)];
        h->wrong |= differs(seed_of(h->who, i));
        h->rounds++;
    }
}

/* Serves calls and faults, and holds values of its own while it waits for the next. */
static void serve(void *argument)
{
    struct holder *h = argument;
    struct message m = {0};
    status_t status;

    fill(seed_of(h->who, 0));
    status = q_recv(&m, 0);
    while (status == ST_OK) {
        h->wrong |= differs(seed_of(h->who, h->rounds));
        h->rounds++;
        fill(seed_of(h->who, h->rounds));
        if (message_kind(&m) == MSG_EVENT) {
            if (message_label(&m) == MAPPING_resolve_fault &&
                q_served_answer(h->object, m.fault.epoch, answer_what(ANSWER_ZERO, 0, 1),
                                m.fault.offset, 0, 0)
                        .status != ST_OK)
                h->wrong |= 1;
            status = q_recv(&m, 0);
        } else {
            message_prepare(&m, ST_OK, 0, 0);
            status = q_reply_recv(&m);
        }
    }
}

static void look(void *argument)
{
    *(volatile word_t *)argument = whatever();
}

static void test_ticks(struct holder *background)
{
    struct holder *h = holder_new(2);
    struct worker *w = WORKER(hold, h, 0);
    word_t until = counters_read().ticks + 12;

    for (unsigned i = 0; i < 3000000 && counters_read().ticks < until; i++)
        ;
    h->stop = true;
    ok(worker_wait(w) && h->rounds > 0 && h->wrong == 0 && background->wrong == 0,
       "fpu: two threads keep f0 to f31 and fcsr through ticks");
    worker_drop(w);
}

static void test_messages(const struct holder *background)
{
    struct holder *server = holder_new(3), *client = holder_new(4);
    struct worker *w[2];
    cap_t e = make(OBJ_endpoint, 0, 0), o = make(OBJ_served, PAGES(NPAGES), 1);
    struct declaration d = script_declaration();

    declare(o, &d);
    must(q_served_attach(o, e), "attach");
    client->endpoint = e;
    server->object = o;
    w[0] = WORKER(serve, server, .endpoint = e, .priority = 1);
    w[1] = WORKER(call, client, 0);
    ok(worker_wait(w[1]) && client->rounds == ROUNDS && client->wrong == 0,
       "fpu: a caller keeps them through %u calls and replies", ROUNDS);
    ok(server->rounds >= ROUNDS && server->wrong == 0,
       "fpu: and so does the server, with other values");

    client->view = kit_map(o, PAGES(NPAGES), 0, MAP_READ);
    client->rounds = 0;
    worker_start(w[1], touch_pages, client);
    ok(worker_wait(w[1]) && client->rounds == NPAGES && client->wrong == 0,
       "fpu: a client keeps them through %u faults that a pager serves", NPAGES);
    ok(server->rounds >= ROUNDS + NPAGES && server->wrong == 0,
       "fpu: and so does the pager, with other values");
    ok(background->wrong == 0, "fpu: a third thread, preempted by them, keeps its own");
    kit_unmap((void *)client->view, PAGES(NPAGES));
    worker_drop(w[1]);
    worker_drop(w[0]);
    drop(o);
    drop(e);
}

/* Until the other thread has taken the registers, so that those of the last one had to be saved. */
static void taken_by(const struct holder *other)
{
    word_t until = other->rounds + 3;

    for (unsigned i = 0; i < 10000 && other->rounds < until; i++)
        sys_yield();
}

static void test_fresh(struct holder *background)
{
    volatile word_t *seen = arena_new(sizeof *seen);
    struct worker *w = worker_new(&(struct worker_options){0});
    struct holder *h = holder_new(5);
    word_t before = background->rounds;

    let_run();
    *seen = 1;
    worker_start(w, look, (void *)seen);
    ok(worker_wait(w) && *seen == 0 && background->rounds > before,
       "fpu: a new thread begins with zeros while another holds values");
    h->stop = true;
    worker_start(w, hold, h);
    ok(worker_wait(w) && h->wrong == 0, "fpu: a thread leaves values behind");
    taken_by(background);
    *seen = 1;
    worker_start(w, look, (void *)seen);
    ok(worker_wait(w) && *seen == 0, "fpu: started again it begins with zeros");
    worker_start(w, hold, h);
    worker_wait(w);
    taken_by(background);
    worker_drop(w);
    w = worker_new(&(struct worker_options){0});
    *seen = 1;
    worker_start(w, look, (void *)seen);
    ok(worker_wait(w) && *seen == 0, "fpu: the next thread does not see what a dead one left");
    worker_drop(w);
}

int main(void)
{
    struct holder *background;
    struct worker *w;
    word_t before;

    kit_begin();
    load((void *)0x10000);
    before = pages_used();
    background = holder_new(1);
    w = WORKER(hold, background, 0);
    test_ticks(background);
    test_messages(background);
    test_fresh(background);
    background->stop = true;
    ok(worker_wait(w) && background->wrong == 0, "fpu: a thread held its values all the time");
    worker_drop(w);
    same(pages_used(), before, "fpu: every page is back");
    return tap_end();
}
