/* SPDX-License-Identifier: MIT */
// sources: test/unit/fake/arena.c test/unit/fake/panic.c kernel/core/counters.c
// sources: kernel/core/timeout.c kernel/core/clock.c kernel/core/tree.c test/unit/fake/timer.c
/*
 * Claim: whatever is lent, given back, stopped or destroyed in whatever order, each context animates
 * at most one thread; along a chain of loans it is the home of the chain's head that animates the
 * end; a thread that could run does, if there is any context for it; and the hart always runs a
 * context of the highest priority that can run, those of one priority in turns.
 *
 * The model keeps only who lent to whom, and says by one rule which context each thread must then
 * have.  A link forgotten on one side, a context left with a dead thread, a home that is taken while
 * it is lent, or a stranded thread that nobody helps makes it fail.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/random.h"
#include "test/unit/fake/panic.h"

/* The module itself, so that each test can begin with an empty run queue. */
#include "kernel/core/schedule.c"

#define THREADS 9
#define PASSIVE 3 /* the last so many have no home */

static struct thread *threads[THREADS];
static struct sched *homes[THREADS];
static struct endpoint *endpoint;
static int lender[THREADS]; /* the model: who lent to it, or -1 */
static struct random randoms;

static int number_of(const struct thread *t)
{
    for (int i = 0; i < THREADS; i++)
        if (threads[i] == t)
            return i;
    return -1;
}

/* On the endpoint's queue (in word only: `kind`) and with its context at hand? */
static bool can_help(int i)
{
    return threads[i]->wait.kind == QNODE_SENDER && threads[i]->sched && !threads[i]->lendee;
}

/* As in help.c, for threads that are stranded; helping at its full is test_syscalls.c's. */
struct thread *help_best(const struct thread *t)
{
    int best = -1;

    if (t->state != THREAD_READY || t->sched || t->lendee)
        return NULL;
    for (int i = 0; i < THREADS; i++)
        if (can_help(i) && (best < 0 || threads[i]->sched->ring > threads[best]->sched->ring))
            best = i;
    return best < 0 ? NULL : threads[best];
}

void help_by(struct thread *w)
{
    if (can_help(number_of(w)) && !queue_is_empty(&endpoint->stranded))
        sched_help(w, thread_of_wait(queue_first(&endpoint->stranded)));
}

void help_chain(struct thread *last)
{
    (void)last;
}

/* Nothing here has a budget. */
bool budget_switch(struct sched *s)
{
    (void)s;
    return false;
}
void budget_ended(u64 now)
{
    (void)now;
}
void budget_refill(struct sched *s, u64 when)
{
    (void)s;
    (void)when;
}

/* Nothing here is timed. */
void *fake_hart;
void ipc_timed_out(struct thread *t)
{
    (void)t;
}

static bool has_home(int i)
{
    return !slot_is_empty(&threads[i]->home);
}

static void give_home(int i, unsigned priority)
{
    homes[i] = fake_alloc(sizeof(struct sched));
    homes[i]->priority = (u8)priority;
    homes[i]->ring = RING(priority);
    homes[i]->home = threads[i];
    threads[i]->home.word = slot_word(homes[i], OBJ_sched, PLACE_THREAD_HOME, RIGHTS_ALL);
}

static void start(u64 seed)
{
    fake_arena_init();
    memset(&ready, 0, sizeof(ready));
    randoms.state = seed;
    endpoint = fake_alloc(sizeof(*endpoint));
    for (int i = 0; i < THREADS; i++) {
        threads[i] = fake_alloc(THREAD_BYTES);
        threads[i]->state = THREAD_RECEIVING;
        threads[i]->endpoint.word =
            slot_word(endpoint, OBJ_endpoint, PLACE_THREAD_ENDPOINT, RIGHTS_ALL);
        lender[i] = -1;
        homes[i] = NULL;
        if (i < THREADS - PASSIVE)
            give_home(i, i % 3);
    }
}

static int lendee(int i)
{
    for (int k = 0; k < THREADS; k++)
        if (lender[k] == i)
            return k;
    return -1;
}

static int head(int i)
{
    while (lender[i] >= 0)
        i = lender[i];
    return i;
}

static int last(int i)
{
    while (lendee(i) >= 0)
        i = lendee(i);
    return i;
}

/* The model of a chain that lost its head's context: the best of its homes takes over, the nearest to
 * its end of equals. */
static void model_fall_back(int end)
{
    int at = -1, up;

    for (int i = lender[end] >= 0 ? end : -1; i >= 0; i = lender[i])
        if (has_home(i) && !homes[i]->thread &&
            (at < 0 || homes[i]->priority > homes[at]->priority))
            at = i;
    for (int i = at >= 0 ? at : end; i >= 0; i = up) {
        up = lender[i];
        lender[i] = -1;
    }
}

/* Whoever waits lends to those who are stranded: which of them is not the model's to say. */
static void adopt_helpers(void)
{
    for (int i = 0; i < THREADS; i++)
        if (lender[i] < 0 && threads[i]->lender && threads[i]->lender->state == THREAD_SENDING)
            lender[i] = number_of(threads[i]->lender);
}

static void model_return(int i)
{
    if (lender[i] < 0)
        return;
    lender[i] = -1;
    model_fall_back(last(i));
}

/* One rule says everything. */
static void check_all(void)
{
    unsigned best = 0;
    bool any = false;

    adopt_helpers();
    for (int i = 0; i < THREADS; i++) {
        struct thread *t = threads[i];
        bool alone = lender[i] < 0 && lendee(i) < 0;

        assert_int_equal(lender[i], t->lender ? number_of(t->lender) : -1);
        assert_int_equal(lendee(i), t->lendee ? number_of(t->lendee) : -1);
        if (lendee(i) >= 0) {
            assert_null(t->sched);
        } else if (!alone) {
            assert_ptr_equal(t->sched, homes[head(i)]);
            assert_true(has_home(head(i)));
        } else if (t->state == THREAD_READY) {
            assert_ptr_equal(t->sched, has_home(i) ? homes[i] : NULL);
        }
        if (t->sched) {
            assert_ptr_equal(t->sched->thread, t);
            assert_int_equal(t->sched->queued, t->state == THREAD_READY);
        }
        if (t->sched && t->state == THREAD_READY) {
            any = true;
            best = MAX(best, (unsigned)t->sched->priority);
        }
        if (t->state == THREAD_SENDING)
            assert_int_equal(t->wait.kind, QNODE_SENDER);
        else
            assert_int_equal(t->wait.kind,
                             t->state == THREAD_READY && !t->sched ? QNODE_STRANDED : QNODE_OFF);
        assert_true(queue_is_empty(&endpoint->stranded) || !can_help(i));
    }
    for (int i = 0; i < THREADS; i++) {
        if (homes[i] && homes[i]->thread)
            assert_ptr_equal(homes[i]->thread->sched, homes[i]);
    }
    schedule_check();
    assert_int_equal(any, schedule_pick() != NULL);
    if (any)
        assert_int_equal(schedule_pick()->sched->priority, best);
}

/* ---- What may happen -------------------------------------------------------------------------- */

/* A thread that runs calls (or faults to) one that receives. */
static void do_lend(int from, int to)
{
    if (threads[from]->state != THREAD_READY || !threads[from]->sched ||
        threads[to]->state != THREAD_RECEIVING || from == to)
        return;
    threads[from]->state = THREAD_CALLING;
    model_return(to);
    lender[to] = from;
    sched_lend(threads[from], threads[to]);
}

/* A thread that runs receives again. */
static void do_receive(int i)
{
    if (threads[i]->state != THREAD_READY)
        return;
    threads[i]->state = THREAD_RECEIVING;
    model_return(i);
    sched_return(threads[i]);
    schedule_block(threads[i], THREAD_RECEIVING);
}

/* It waits to send; a stranded thread gets its context. */
static void do_send(int i)
{
    if (threads[i]->state != THREAD_READY || !threads[i]->sched)
        return;
    schedule_block(threads[i], THREAD_SENDING);
    threads[i]->wait.kind = QNODE_SENDER;
    help_by(threads[i]);
    adopt_helpers();
}

/* Off the endpoint's queue: it helps nobody any more. */
static void leave_queue(int i)
{
    if (threads[i]->wait.kind == QNODE_SENDER)
        threads[i]->wait.kind = QNODE_OFF;
}

/* Whatever it waits for happens. */
static void do_wake(int i)
{
    if (threads[i]->state == THREAD_READY)
        return;
    leave_queue(i);
    if (lendee(i) >= 0)
        model_return(lendee(i));
    schedule_ready(threads[i]);
}

static void do_stop(int i)
{
    int lent = lendee(i);

    if (lent >= 0)
        model_return(lent);
    model_return(i);
    leave_queue(i);
    if (threads[i]->lendee)
        sched_return(threads[i]->lendee);
    schedule_block(threads[i], THREAD_STOPPED);
    sched_detach(threads[i]);
}

/* Its home is destroyed, or it gets a new one. */
static void do_home(int i)
{
    struct sched *s = homes[i];
    int end = last(i);

    if (!has_home(i)) {
        if (threads[i]->state != THREAD_READY && lender[i] < 0)
            give_home(i, random_below(&randoms, 3));
        return;
    }
    s->home = NULL;
    threads[i]->home = (struct slot){0};
    homes[i] = NULL;
    if (s->thread && lendee(i) >= 0)
        model_fall_back(end);
    sched_vanish(s);
}

static void do_something(void)
{
    int a = random_below(&randoms, THREADS), b = random_below(&randoms, THREADS);

    switch (random_below(&randoms, 16)) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4:
        do_lend(a, b);
        break;
    case 5:
    case 6:
        do_receive(a);
        break;
    case 7:
    case 8:
    case 9:
        do_wake(a);
        break;
    case 10:
        do_send(a);
        break;
    case 11:
        do_stop(a);
        break;
    case 12:
        do_home(a);
        break;
    case 13:
        if (has_home(a))
            schedule_set_priority(homes[a], random_below(&randoms, 3));
        break;
    case 14:
        schedule_tick();
        break;
    default:
        if (schedule_pick())
            schedule_yield();
        break;
    }
}

static void loans_when_anything_happens_follow_the_model(void **state)
{
    const char *text = getenv("SEED");
    u64 seed = text && *text ? strtoull(text, NULL, 0) : 20261123;

    (void)state;
    printf("# loans: SEED=%lu\n", seed);
    for (unsigned round = 0; round < 200; round++) {
        start(seed + round);
        for (unsigned step = 0; step < 500; step++) {
            do_something();
            schedule_pick();
            check_all();
        }
    }
}

/* ---- Single stories --------------------------------------------------------------------------- */

/* Client, server and the server's server: 0 -> 1 -> 2, all with homes. */
static void make_chain(int a, int b, int c)
{
    schedule_ready(threads[a]);
    schedule_pick();
    do_lend(a, b);
    do_lend(b, c);
    schedule_pick();
    check_all();
}

static void chain_when_client_dies_runs_on_the_best_home(void **state)
{
    (void)state;
    start(1);
    make_chain(0, 1, 2);
    assert_ptr_equal(threads[2]->sched, homes[0]);
    do_stop(0);
    schedule_pick();
    check_all();
    assert_ptr_equal(threads[2]->sched, homes[2]);
    assert_null(homes[0]->thread);
}

/* It lost its context in the kernel, which then has to look anew who runs. */
static void current_thread_when_limits_change_is_not_forgotten(void **state)
{
    (void)state;
    start(7);
    schedule_ready(threads[0]);
    schedule_pick();
    do_lend(0, 1);
    assert_ptr_equal(schedule_pick(), threads[1]);
    do_stop(0); /* what it ran on is gone, and it is the one that runs */
    schedule_set_limited(homes[2], true);
    schedule_set_limited(homes[2], false);
    assert_ptr_equal(schedule_pick(), threads[1]);
    assert_ptr_equal(threads[1]->sched, homes[1]);
    check_all();
}

static void chain_when_middle_dies_gives_back_to_the_client(void **state)
{
    (void)state;
    start(2);
    make_chain(0, 1, 2);
    do_stop(1);
    schedule_pick();
    check_all();
    assert_ptr_equal(threads[0]->sched, homes[0]);
    assert_ptr_equal(threads[2]->sched, homes[2]);
    assert_int_equal(homes[0]->queued, 0);
}

static void chain_when_clients_context_vanishes_falls_back(void **state)
{
    (void)state;
    start(3);
    make_chain(0, 1, 2);
    do_home(0);
    schedule_pick();
    check_all();
    assert_ptr_equal(threads[2]->sched, homes[2]);
}

static void passive_when_its_client_dies_is_helped_by_the_next(void **state)
{
    int passive = THREADS - 1;

    (void)state;
    start(4);
    schedule_ready(threads[0]);
    schedule_pick();
    do_lend(0, passive);
    schedule_pick();
    do_stop(0);
    assert_null(schedule_pick());
    assert_int_equal(threads[passive]->wait.kind, QNODE_STRANDED);
    schedule_ready(threads[1]);
    schedule_pick();
    do_send(1);
    assert_ptr_equal(schedule_pick(), threads[passive]);
    check_all();
}

/* A reply moves the context without the queue noticing: nobody else of that priority runs. */
static void reply_when_others_are_ready_keeps_the_turn(void **state)
{
    (void)state;
    start(5);
    schedule_ready(threads[0]);
    schedule_ready(threads[3]); /* of the same priority */
    assert_ptr_equal(schedule_pick(), threads[0]);
    do_lend(0, 1);
    assert_ptr_equal(schedule_pick(), threads[1]);
    threads[1]->state = THREAD_RECEIVING;
    do_wake(0);
    assert_ptr_equal(schedule_pick(), threads[0]);
    schedule_tick();
    assert_ptr_equal(schedule_pick(), threads[3]);
    check_all();
}

static void turns_when_ticking_go_round_once_each(void **state)
{
    unsigned runs[THREADS] = {0};

    (void)state;
    start(6);
    for (int i = 0; i < 6; i++)
        schedule_set_priority(homes[i], i < 4 ? 7 : 6);
    for (int i = 0; i < 6; i++)
        schedule_ready(threads[i]);
    for (unsigned tick = 0; tick < 8; tick++) {
        runs[number_of(schedule_pick())]++;
        schedule_tick();
    }
    for (int i = 0; i < 6; i++)
        assert_int_equal(runs[i], i < 4 ? 2 : 0);
    assert_int_equal(homes[0]->ticks, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loans_when_anything_happens_follow_the_model),
        cmocka_unit_test(chain_when_client_dies_runs_on_the_best_home),
        cmocka_unit_test(current_thread_when_limits_change_is_not_forgotten),
        cmocka_unit_test(chain_when_middle_dies_gives_back_to_the_client),
        cmocka_unit_test(chain_when_clients_context_vanishes_falls_back),
        cmocka_unit_test(passive_when_its_client_dies_is_helped_by_the_next),
        cmocka_unit_test(reply_when_others_are_ready_keeps_the_turn),
        cmocka_unit_test(turns_when_ticking_go_round_once_each),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
