/* SPDX-License-Identifier: MIT */
/*
 * Claim: whatever waits in a system call can be told until when; it then ends with TIMEOUT, never
 * early and at once when its thread has priority, as if the other side had never heard of it; and
 * what came in time is as without a timeout.
 *
 * It would fail if a timer outlived the wait that it was for, if a timed-out call left its server
 * with a caller or without a context, if relative times or moments were rounded down, or if a
 * periodic thread drifted.
 */
#include "test/support/worker.h"

#define US   1000ul
#define MS   1000000ul
#define SOON (50 * US) /* how late may it be; the debug kernel is slow */

/* A wait that has ended: how, and how late. */
struct ended {
    status_t status;
    word_t moment; /* for which it was asked */
    word_t now;
};

static void never_early(const struct ended *e, const char *what)
{
    ok(e->status == ST_TIMEOUT, "%s", what);
    if (e->status != ST_TIMEOUT)
        note("%s", status_name(e->status));
    ok(e->now >= e->moment && e->now < e->moment + SOON, "%s: never early, and not late", what);
    if (e->now < e->moment || e->now >= e->moment + SOON)
        note("wanted at %lu, was at %lu", e->moment, e->now);
}

/* ---- one of each kind, with nobody on the other side ----*/

enum kind { RECV, CALL, SEND, REPLY_RECV, WAIT };

static cap_t lonely, quiet; /* an endpoint whose one thread never receives, a notification */

static status_t wait_in(enum kind kind, word_t how, word_t ns)
{
    struct message m = {0};

    message_prepare(&m, 1, 0, 0);
    switch (kind) {
    case RECV:
        return q_recv_within(&m, how, ns);
    case CALL:
        return q_call_within(lonely, &m, how, ns);
    case SEND:
        return q_send_within(lonely, &m, how, ns);
    case REPLY_RECV:
        message_prepare(&m, OP_notification_signal, 1, 0);
        m.words[0] = 0;
        sys_buffer()->timeout = ns;
        m.tag |= how & SYS_DEADLINE ? SYS_DEADLINE : SYS_TIMEOUT;
        return q_invoke_recv(quiet, &m);
    default:
        return q_wait_within(quiet, how, ns).status;
    }
}

static struct ended timed(enum kind kind, word_t how, word_t ns)
{
    word_t begin = clock_ns();
    struct ended e = {.moment = begin + ns};

    e.status = wait_in(kind, how, how & SYS_DEADLINE ? begin + ns : ns);
    e.now = clock_ns();
    return e;
}

static void test_each(void)
{
    static const struct {
        enum kind kind;
        const char *name;
    } kinds[] = {{RECV, "endpoint.recv TIMEOUT: nothing came"},
                 {CALL, "endpoint.call TIMEOUT: nobody received it"},
                 {SEND, "endpoint.send TIMEOUT: nobody received it"},
                 {REPLY_RECV, "SYS_REPLY_RECV TIMEOUT: nothing came"},
                 {WAIT, "notification.wait TIMEOUT: no bit was set"}};
    static const word_t times[] = {1, 100, 10 * US, 300 * US, 3 * MS, 14 * MS};

    for (unsigned i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct ended e;

        for (unsigned k = 0; k < sizeof times / sizeof *times; k++) {
            e = timed(kinds[i].kind, SYS_TIMEOUT, times[k]);
            never_early(&e, kinds[i].name);
            e = timed(kinds[i].kind, SYS_DEADLINE, times[k]);
            never_early(&e, kinds[i].name);
        }
        e = timed(kinds[i].kind, SYS_TIMEOUT, 0);
        never_early(&e, kinds[i].name);
        same(wait_in(kinds[i].kind, SYS_DEADLINE, 0), ST_TIMEOUT, "%s, at a moment long past",
             kinds[i].name);
    }
}

/* ---- what comes in time ----*/

/* Signals, or calls, after a while. */
static void signal_later(void *argument)
{
    (void)argument;
    clock_sleep(200 * US);
    q_notification_signal(quiet, 5);
}

static void test_in_time(void)
{
    struct worker *w = WORKER(signal_later, NULL, 0);
    word_t begin = clock_ns();
    struct result r = q_wait_within(quiet, SYS_TIMEOUT, MS);

    ok(r.status == ST_OK && r.value == 5, "a signal that comes in time is heard");
    ok(clock_ns() - begin < MS, "and at once");
    worker_wait(w);
    r = q_wait_within(quiet, SYS_TIMEOUT, 2 * MS);
    ok(r.status == ST_TIMEOUT && clock_ns() - begin >= 2 * MS,
       "the timeout of a wait that has ended does not end the next one");
    worker_start(w, signal_later, NULL);
    r = q_wait_within(quiet, SYS_TIMEOUT, FOREVER);
    same(r.status, ST_OK, "2^64 - 1 nanoseconds never end");
    worker_wait(w);
    worker_start(w, signal_later, NULL);
    r = q_wait_within(quiet, SYS_DEADLINE, FOREVER);
    same(r.status, ST_OK, "nor does that moment come");
    worker_wait(w);
    q_notification_signal(quiet, 2);
    r = q_wait_within(quiet, SYS_TIMEOUT, 0);
    ok(r.status == ST_OK && r.value == 2, "a wait of no time takes what is there");
    worker_drop(w);
}

/* ---- a server that takes its time ----*/

struct slow {
    cap_t endpoint;
    word_t pause;
    volatile word_t heard, replied;
    volatile bool stop;
};

static void slow_server(void *argument)
{
    struct slow *s = argument;
    struct message m;
    status_t status = q_recv(&m, 0);

    while (status == ST_OK && !s->stop) {
        word_t label = message_label(&m);

        s->heard++;
        if (s->pause)
            clock_sleep(s->pause);
        message_prepare(&m, label, 0, 0);
        s->replied++;
        status = q_reply_recv(&m);
    }
}

static void test_server(bool passive)
{
    const char *kind = passive ? "a passive server" : "a server";
    struct slow *s = arena_new(sizeof *s);
    struct message m = {0};
    struct worker *w;
    word_t begin;
    status_t status;

    s->endpoint = make(OBJ_endpoint, 0, 0);
    w = WORKER(slow_server, s, .endpoint = s->endpoint, .passive = passive, .priority = -1);
    if (passive) { /* it gets to its receive on a call */
        message_prepare(&m, 7, 0, 0);
        same(q_call(s->endpoint, &m), 7, "%s is reached", kind);
    }
    clock_sleep(MS);
    s->heard = s->replied = 0;

    message_prepare(&m, 7, 0, 0);
    same(q_call_within(s->endpoint, &m, SYS_TIMEOUT, 0), ST_TIMEOUT,
         "endpoint.call TIMEOUT: without any time (%s)", kind);
    clock_sleep(MS);
    same(s->heard, 0, "and nothing was sent");
    message_prepare(&m, 7, 0, 0);
    same(q_call_within(s->endpoint, &m, SYS_TIMEOUT, 5 * MS), 7, "%s that replies in time", kind);

    s->pause = 3 * MS;
    begin = clock_ns();
    message_prepare(&m, 7, 0, 0);
    status = q_call_within(s->endpoint, &m, SYS_TIMEOUT, MS);
    ok(status == ST_TIMEOUT && clock_ns() - begin >= MS && clock_ns() - begin < MS + SOON,
       "endpoint.call TIMEOUT: the reply did not come in time (%s)", kind);
    same(s->heard, 2, "the call had been heard");
    same(s->replied, 1, "and not been replied to");
    s->pause = 0;
    message_prepare(&m, 9, 0, 0);
    same(q_call(s->endpoint, &m), 9,
         "the late reply goes nowhere, and the next call gets its own (%s)", kind);
    same(s->replied, 3, "after the server has done both");
    q_debug_check(kit.debug);
    s->stop = true;
    message_prepare(&m, 1, 0, 0);
    (void)!q_send(s->endpoint, &m, 0);
    clock_sleep(MS);
    worker_drop(w);
    drop(s->endpoint);
}

/* ---- aspace.map, whose owner is asked ----*/

static status_t map_within(cap_t object, word_t at, word_t ns)
{
    struct message m = {.words = {at, PAGE, object, 0, MAP_READ}};

    message_prepare(&m, OP_aspace_map, 5, 0);
    return q_call_within(SLOT_ASPACE, &m, SYS_TIMEOUT, ns);
}

static void test_ask(void)
{
    struct slow *s = arena_new(sizeof *s);
    cap_t object = make(OBJ_served, PAGE, 1);
    struct declaration d = {
        .flags = DECLARE_MAPPABLE | DECLARE_ASK, .shared = MAP_READ, .records = 1};
    word_t at = (word_t)fresh_range(PAGE), begin = clock_ns();
    struct worker *w;
    status_t status;

    must(q_served_declare_all(object, &d), "declare");
    must(q_served_attach(object, lonely), "attach");
    status = map_within(object, at, MS);
    ok(status == ST_TIMEOUT && clock_ns() - begin >= MS && clock_ns() - begin < MS + SOON,
       "aspace.map TIMEOUT: the owner does not hear that it is asked");

    s->endpoint = make(OBJ_endpoint, 0, 0);
    s->pause = 3 * MS;
    w = WORKER(slow_server, s, .endpoint = s->endpoint);
    must(q_served_attach(object, s->endpoint), "attach");
    clock_sleep(MS);
    begin = clock_ns();
    status = map_within(object, at, MS);
    ok(status == ST_TIMEOUT && clock_ns() - begin >= MS && clock_ns() - begin < MS + SOON,
       "aspace.map TIMEOUT: the owner, asked, does not reply in time");
    clock_sleep(5 * MS);
    same(s->replied, 1, "which it may do later");
    same(map_within(object, at, 5 * MS), ST_DENIED, "and in time when asked again");
    ok(!is_mapped((void *)at), "nothing is mapped");
    worker_drop(w);
    drop(object);
    drop(s->endpoint);
}

/* ---- periodic threads ----*/

struct periodic {
    word_t first, period, count;
    word_t late, early; /* the worst */
    word_t last;
};

static void periodic(void *argument)
{
    struct periodic *p = argument;

    for (word_t i = 0, moment = p->first; i < p->count; i++, moment += p->period) {
        clock_sleep_until(moment);
        p->last = clock_ns();
        if (p->last < moment)
            p->early++;
        else if (p->last - moment > p->late)
            p->late = p->last - moment;
    }
}

static void test_periodic(void)
{
    struct periodic *p = arena_new(2 * sizeof *p);
    struct worker *w[2];

    for (unsigned i = 0; i < 2; i++) {
        p[i] = (struct periodic){
            .first = clock_ns() + 2 * MS, .period = i ? 700 * US : MS, .count = 60};
        w[i] = WORKER(periodic, &p[i], .priority = (int)i + 1);
    }
    while (!w[0]->done || !w[1]->done)
        sys_yield();
    for (unsigned i = 0; i < 2; i++) {
        word_t end = p[i].first + (p[i].count - 1) * p[i].period;
        ok(p[i].early == 0 && p[i].late < SOON, "a periodic thread is never early or late (%u)", i);
        ok(p[i].last >= end && p[i].last < end + SOON, "and does not drift");
        worker_wait(w[i]);
        worker_drop(w[i]);
    }
}

/* ---- a thousand timers ----*/

#define SLEEPERS 1000
#define SPACES   2 /* a space has buffers for 512 */

struct woken {
    volatile word_t tag, time; /* what it heard, and when, by the counter */
};

/* a0 = moment, a1 = buffer page, sp = struct woken, tp = notification. */
__attribute__((naked, noinline)) static void sleeper(void)
{
    __asm__("sd a0, 576(a1)\n"
            "li a7, %0\n"
            "slli t0, a7, 32\n"
            "li a7, %1\n"
            "or a7, a7, t0\n"
            "mv a6, tp\n"
            "ecall\n"
            "rdtime t0\n"
            "sd t0, 8(sp)\n"
            "sd a7, 0(sp)\n"
            "1: li a7, %2\n" /* and receive, which it is not bound to do, for ever */
            "mv a6, tp\n"
            "li t0, %0\n"
            "slli t0, t0, 32\n"
            "or a7, a7, t0\n"
            "ecall\n"
            "j 1b\n"
            :
            : "i"(OP_notification_wait), "i"(SYS_CALL | SYS_DEADLINE), "i"(SYS_CALL));
}

static void test_sleepers(unsigned n)
{
    struct woken *woken = arena_new(SLEEPERS * sizeof *woken);
    word_t *moments = arena_new(SLEEPERS * sizeof *moments);
    word_t begin, hz = sys_buffer()->clock_hz, late = 0, early = 0, not_heard = 0;
    word_t own = must(q_sched_query(SLOT_SCHED), "query");
    cap_t bank = make(OBJ_bank, 2000, 0), keep = make_in(bank, OBJ_cspace, 10, 0);
    cap_t thread = slot_new(), sched = slot_new();
    struct space *spaces[SPACES] = {space_new(bank), space_new(bank)};

    begin = clock_ns() + 60 * MS;
    for (unsigned i = 0; i < n; i++) {
        /* In no order, a quarter of them at one moment; the kernel takes a while for each. */
        moments[i] = begin + (i % 4 ? i * 7919 % SLEEPERS * 20 * US : 5 * MS);
        must(q_bank_create(bank, OBJ_thread, thread, 0, 0, 0), "thread");
        must(q_bank_create(bank, OBJ_sched, sched, own + 1, 0, 0), "sched");
        must(q_thread_configure(thread, SLOT_CSPACE, spaces[i % SPACES]->aspace, 0, sched),
             "configure");
        must(q_thread_start(thread, (word_t)sleeper, (word_t)&woken[i], moments[i], quiet),
             "start");
        q_cspace_delete(SLOT_CSPACE, sched);
        must(q_cspace_move(keep, i + 1, SLOT_CSPACE, thread), "keep");
    }
    note("started %ld us before the first", (long)(begin - clock_ns()) / 1000);
    q_debug_check(kit.debug);
    while (clock_ns() < begin + 30 * MS)
        sys_yield();
    for (unsigned i = 0; i < n; i++) {
        word_t now = woken[i].time / hz * 1000000000 + woken[i].time % hz * 1000000000 / hz;

        if (tag_label(woken[i].tag) != ST_TIMEOUT)
            not_heard++;
        else if (now < moments[i])
            early++;
        else if (now - moments[i] > late)
            late = now - moments[i];
    }
    same(not_heard, 0, "each of %u sleepers wakes", n);
    same(early, 0, "none of them early");
    note("the latest by %lu us", late / 1000);
    q_debug_check(kit.debug);
    must(q_bank_destroy(bank), "bank.destroy");
    forget(bank);
    forget(keep);
    for (unsigned i = 0; i < SPACES; i++)
        forget(spaces[i]->aspace);
    slot_release(thread);
    slot_release(sched);
}

int main(void)
{
    word_t before;
    struct worker *deaf;

    kit_begin();
    arena_new(64);
    fresh_range(PAGE);
    clock_sleep(1);
    lonely = make(OBJ_endpoint, 0, 0);
    quiet = make(OBJ_notification, 0, 0);
    test_sleepers(
        10); /* a small round first: the program's own pages that it touches are then counted */
    before = pages_used();
    deaf = worker_new(&(struct worker_options){.endpoint = lonely});
    test_each();

    test_in_time();

    test_server(false);

    test_server(true);

    test_ask();

    test_periodic();

    test_sleepers(SLEEPERS);

    worker_drop(deaf);
    same(pages_used(), before, "timeouts: every page is back");
    drop(lonely);
    drop(quiet);
    return tap_end();
}
