/* SPDX-License-Identifier: MIT */
/*
 * Claim: whoever calls, sends, receives, replies, faults, is stopped or dies in whatever order, no
 * context is lost, no thread is on two queues, and every page comes back.
 *
 * Actors in three banks do random things to each other's endpoints and notifications, answer each
 * other's exceptions, and touch pages that one pager serves; the director starts and stops them,
 * binds them, changes what they run on and destroys their banks.  `make test SEED=n` plays another
 * piece.  It would fail if any order of these left a loan, a queue or a state wrong: the invariants
 * are looked at on the way (debug build).
 */
#include "lib/base/random.h"
#include "test/support/script.h"

#define STEPS   4000
#define NBANKS  3
#define NACTORS 4 /* of each bank; the last has no context of its own */
#define NPAGES  64

static struct random dice;

/* What all actors see; in the arena.  Its slots never hold anything else. */
static struct stage {
    cap_t endpoints[NBANKS], notifications[NBANKS];
    volatile char *page[NPAGES];
    volatile word_t acts[16];
    volatile bool over;
} * stage;

static cap_t banks[NBANKS];
static struct worker *actors[NBANKS][NACTORS];
static struct script *pager;

/* ------------------------------------------------------------------------------------- the actors */

__attribute__((naked, noinline)) static word_t wild(__attribute__((unused)) word_t address)
{
    __asm__("ld a0, 0(a0)\nret");
}

/* Answer what was received, or not, and perhaps receive again. */
static void react(struct random *r, struct message *m)
{
    unsigned kind = message_kind(m);

    for (unsigned i = 0; i < 3 && (kind == MSG_CALL || kind == MSG_EXCEPTION); i++) {
        status_t status;

        if (random_below(r, 8) == 0)
            return; /* keep the caller waiting */
        if (kind == MSG_EXCEPTION)
            m->words[0] = sys_buffer()->words[6]; /* ra: go on behind it */
        message_prepare(m, kind == MSG_EXCEPTION && random_below(r, 4) == 0, 1, 0);
        m->tag |= random_below(r, 2) ? SYS_NONBLOCK : 0;
        status = q_reply_recv(m);
        if (status != ST_OK)
            return;
        kind = message_kind(m);
    }
}

static void act(struct random *r)
{
    struct message m = {0};
    cap_t e = stage->endpoints[random_below(r, NBANKS)];
    cap_t n = stage->notifications[random_below(r, NBANKS)];
    word_t flags = random_below(r, 4) ? SYS_NONBLOCK : 0;
    word_t what = random_below(r, 16);
    word_t end = random_below(r, 2) ? SYS_TIMEOUT : 0;

    sys_buffer()->timeout = random_below(r, 200000); /* nanoseconds */
    stage->acts[what]++;
    switch (what) {
    case 0:
    case 1:
    case 2:
        message_prepare(&m, 30, random_below(r, 10), 0);
        m.tag |= end;
        (void)!q_call(e, &m);
        break;
    case 3:
    case 4:
        message_prepare(&m, 30, random_below(r, 10), 0);
        (void)!q_send(e, &m, flags | end);
        break;
    case 5:
    case 6:
    case 7:
    case 8:
        if (q_recv(&m, flags | end) == ST_OK)
            react(r, &m);
        break;
    case 9:
        q_notification_signal(n, 1 + random_below(r, 7));
        break;
    case 10:
        sys_call(n, tag_make(SYS_CALL | flags | end, OP_notification_wait, 0, 0), 0, 0, 0, 0, 0, 0);
        break;
    case 11:
    case 12:
        (void)*stage->page[random_below(r, NPAGES)];
        break;
    case 13:
        if (random_below(r, 16) == 0)
            wild(8 * random_below(r, 100));
        break;
    default:
        sys_yield();
        break;
    }
}

static void actor_main(void *argument)
{
    struct random r = {.state = (word_t)argument};

    for (word_t i = 10 + random_below(&r, 40); i > 0 && !stage->over; i--)
        act(&r);
}

/* ----------------------------------------------------------------------------------- the director */

static word_t below(word_t n)
{
    return random_below(&dice, n);
}

static struct worker *any_actor(void)
{
    return actors[below(NBANKS)][below(NACTORS)];
}

/* Banks with their endpoints and notifications, then the actors, who use each other's. */
static void set_stage(void)
{
    for (unsigned b = 0; b < NBANKS; b++) {
        must(q_bank_create(kit.bank, OBJ_bank, banks[b], 60, 0, 0), "bank");
        must(q_bank_create(banks[b], OBJ_endpoint, stage->endpoints[b], 0, 0, 0), "endpoint");
        must(q_bank_create(banks[b], OBJ_notification, stage->notifications[b], 0, 0, 0),
             "notification");
    }
    for (unsigned b = 0; b < NBANKS; b++)
        for (unsigned i = 0; i < NACTORS; i++)
            actors[b][i] = worker_new(&(struct worker_options){
                .bank = banks[b],
                .endpoint = stage->endpoints[(b + i) % NBANKS],
                .handler = stage->endpoints[(b + 1) % NBANKS],
                .priority = (int)below(2),
                .passive = i == NACTORS - 1,
            });
}

/* One bank after the other goes, with the others still playing. */
static void clear_stage(unsigned first)
{
    for (unsigned i = 0; i < NBANKS; i++) {
        unsigned b = (first + i) % NBANKS;

        must(q_bank_destroy(banks[b]), "bank.destroy");
        for (unsigned k = 0; k < NACTORS; k++)
            worker_forget(actors[b][k]);
        let_run();
        q_debug_check(kit.debug);
    }
}

static void step(void)
{
    struct worker *w = any_actor();
    word_t own = must(q_sched_query(SLOT_SCHED), "query");

    switch (below(24)) {
    case 0:
        must(q_thread_stop(w->thread), "thread.stop");
        break;
    case 1:
        if (w->sched)
            must(q_sched_set_priority(w->sched, own + below(3) - 1), "set_priority");
        break;
    case 2:
        q_notification_bind(stage->notifications[below(NBANKS)], w->thread);
        break;
    case 3:
        q_thread_bind(w->thread, 0);
        break;
    case 4:
        q_thread_bind(w->thread, stage->endpoints[below(NBANKS)]);
        break;
    case 5:
        pager->answer = below(3) ? SCRIPT_ZERO : SCRIPT_SILENT;
        break;
    case 6:
        q_notification_signal(stage->notifications[below(NBANKS)], 8);
        break;
    case 7:
    case 8:
    case 9:
    case 10:
    case 11:
    case 12:
        if (thread_read(w->thread).state == THREAD_STOPPED)
            worker_start(w, actor_main, (void *)random_next(&dice));
        break;
    case 13:
        must(q_thread_suspend(w->thread), "thread.suspend");
        break;
    case 14:
    case 15:
        must(q_thread_resume(w->thread), "thread.resume");
        break;
    case 16:
        if (w->sched) {
            word_t budget = BUDGET_MIN_NS * (1 + below(5));
            must(q_sched_configure(w->sched, budget, budget * (1 + below(4)), PRIORITY_MAX,
                                   below(2)),
                 "sched.configure");
        }
        break;
    default:
        for (word_t i = below(8); i > 0; i--)
            sys_yield();
        break;
    }
}

int main(void)
{
    cap_t object;
    word_t before;
    char *view;

    kit_begin();
    dice.state = env_seed();
    note("traffic of %u steps, SEED=%lu", STEPS, env_seed());
    stage = arena_new(sizeof *stage);
    pager = script_new(space_new(kit.bank), 0);
    pager->answer = SCRIPT_ZERO;
    object = script_object(pager, 0, PAGES(NPAGES), 1);
    view = kit_map(object, PAGES(NPAGES), 0, MAP_READ);
    for (unsigned i = 0; i < NPAGES; i++)
        stage->page[i] = view + PAGES(i);
    for (unsigned b = 0; b < NBANKS; b++) {
        banks[b] = slot_new();
        stage->endpoints[b] = slot_new();
        stage->notifications[b] = slot_new();
    }
    load(view);
    set_stage();
    clear_stage(0);
    before = pages_used() - memory_read(object).resident;

    set_stage();
    for (unsigned i = 0; i < STEPS; i++) {
        step();
        if (i % 8 == 0)
            q_debug_check(kit.debug);
        if (i % 500 == 499) {
            clear_stage(below(NBANKS));
            set_stage();
        }
    }
    for (unsigned i = 0; i < 14; i++)
        if (!stage->acts[i])
            note("nobody did act %u", i);
    ok(stage->acts[0] + stage->acts[1] + stage->acts[2] > 100 && stage->acts[5] > 50,
       "traffic: the actors really talked");
    stage->over = true;
    clear_stage(0);
    ok(must(q_debug_check(kit.debug), "check") == CONFIG_DEBUG,
       "traffic: the invariants held all the time");
    same(pages_used() - memory_read(object).resident, before, "traffic: every page is back");
    return tap_end();
}
