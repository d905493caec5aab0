/* SPDX-License-Identifier: MIT */
/*
 * Claim: bits that are signalled are heard once, all at once, by a waiter, by the bound receiver, or
 * later by whoever asks; nothing is lost and nobody waits for nothing.
 *
 * It would fail if a signal overwrote bits, woke two waiters with the same bits, or if the death of
 * a notification left its waiter asleep.
 */
#include "test/support/worker.h"

static void wait_once(void *argument)
{
    struct result r = q_notification_wait(*(cap_t *)argument);

    worker_self()->result = r.status == ST_OK ? r.value : ~(word_t)r.status;
}

static struct result wait_now(cap_t n)
{
    return sys_call(n, tag_make(SYS_CALL | SYS_NONBLOCK, OP_notification_wait, 0, 0), 0, 0, 0, 0, 0,
                    0);
}

static void test_bits(cap_t n)
{
    REFUSED(wait_now(n), ST_WOULD_BLOCK, 0, "notification.wait WOULD_BLOCK: no bit is set");
    must(q_notification_signal(n, 1), "signal");
    must(q_notification_signal(n, 4), "signal");
    same(must(q_notification_wait(n), "wait"), 5, "notification.signal: bits add up until a wait");
    ok(wait_now(n).status == ST_WOULD_BLOCK, "notification.wait clears what it returns");
}

static void test_badge(cap_t n)
{
    cap_t sender = badged(n, NOTIFICATION_SIGNAL, 0x40);

    must(q_notification_signal(sender, 1), "signal");
    same(must(q_notification_wait(n), "wait"), 0x40,
         "notification.signal: a badged capability sets its badge whatever it asks for");
    REFUSED(q_notification_wait(sender), ST_NO_RIGHT, NOTIFICATION_WAIT,
            "notification.wait needs right WAIT");
    drop(sender);
}

static void test_waiters(cap_t n)
{
    cap_t *argument = arena_new(sizeof *argument);
    struct worker *w[2];

    *argument = n;
    for (unsigned i = 0; i < 2; i++) {
        w[i] = WORKER(wait_once, argument, 0);
        ok(thread_reaches(w[i]->thread, THREAD_WAITING), "notification.wait: waiter %u waits", i);
    }
    must(q_notification_signal(n, 2), "signal");
    ok(worker_wait(w[0]) && w[0]->result == 2 && !w[1]->done,
       "notification.signal wakes the first waiter, and it alone");
    must(q_notification_signal(n, 8), "signal");
    ok(worker_wait(w[1]) && w[1]->result == 8, "notification.signal wakes the next waiter");
    ok(wait_now(n).status == ST_WOULD_BLOCK, "bits given to a waiter are not kept");
    worker_drop(w[0]);
    worker_drop(w[1]);
}

static void test_death(void)
{
    cap_t *argument = arena_new(sizeof *argument);
    struct worker *w;

    *argument = make(OBJ_notification, 0, 0);
    w = WORKER(wait_once, argument, 0);
    thread_reaches(w->thread, THREAD_WAITING);
    drop(*argument);
    ok(worker_wait(w) && w->result == ~(word_t)ST_CANCELLED,
       "notification.wait CANCELLED: the notification died under a waiter");
    worker_drop(w);
}

static void test_stop(cap_t n)
{
    cap_t *argument = arena_new(sizeof *argument);
    struct worker *w;

    *argument = n;
    w = WORKER(wait_once, argument, 0);
    thread_reaches(w->thread, THREAD_WAITING);
    must(q_thread_stop(w->thread), "stop");
    must(q_notification_signal(n, 16), "signal");
    same(must(q_notification_wait(n), "wait"), 16, "a waiter that was stopped takes no bits along");
    worker_drop(w);
}

/* A receiver that notes what it hears: bits, or 0x100 + label of a message. */
struct receiver {
    volatile word_t heard[8];
    volatile unsigned n;
};

static void receive(void *argument)
{
    struct receiver *r = argument;
    struct message m = {0};

    while (q_recv(&m, 0) == ST_OK)
        r->heard[r->n++ % 8] =
            message_kind(&m) == MSG_NOTIFY ? m.words[0] : 0x100 + message_label(&m);
}

static void test_bind(void)
{
    cap_t n = make(OBJ_notification, 0, 0), other = make(OBJ_notification, 0, 0);
    cap_t e = make(OBJ_endpoint, 0, 0);
    struct receiver *r = arena_new(sizeof *r);
    struct worker *w = worker_new(&(struct worker_options){.endpoint = e});
    struct worker *free_one = worker_new(&(struct worker_options){0});
    cap_t weak = copy_of(free_one->thread, 0);
    struct message m = {0};

    REFUSED(q_notification_bind(n, e), ST_BAD_CAP, 0,
            "notification.bind BAD_CAP: what is no thread");
    REFUSED(q_notification_bind(n, weak), ST_BAD_CAP, 0,
            "notification.bind BAD_CAP: a thread without right CONTROL");
    must(q_notification_signal(n, 1), "signal");
    must(q_notification_bind(n, w->thread), "bind");
    REFUSED(q_notification_bind(n, free_one->thread), ST_BUSY, 0,
            "notification.bind BUSY: the notification has a receiver");
    REFUSED(q_notification_bind(other, w->thread), ST_BUSY, 0,
            "notification.bind BUSY: the thread has a notification");

    worker_start(w, receive, r);
    thread_reaches(w->thread, THREAD_RECEIVING);
    ok(r->n == 1 && r->heard[0] == 1,
       "notification.bind: bits set earlier are heard at the first receive");
    must(q_notification_signal(n, 6), "signal");
    thread_reaches(w->thread, THREAD_RECEIVING);
    ok(r->n == 2 && r->heard[1] == 6,
       "notification.signal reaches the bound receiver as MSG_NOTIFY");
    message_prepare(&m, 3, 0, 0);
    (void)!q_send(e, &m, 0);
    thread_reaches(w->thread, THREAD_RECEIVING);
    ok(r->n == 3 && r->heard[2] == 0x103, "a bound receiver hears messages as before");
    must(q_thread_stop(w->thread), "stop");
    worker_drop(w);
    w = worker_new(&(struct worker_options){.endpoint = e});
    worker_start(w, receive, r);
    thread_reaches(w->thread, THREAD_RECEIVING);
    must(q_notification_signal(other, 0x20), "signal");
    must(q_notification_bind(other, w->thread), "bind");
    thread_reaches(w->thread, THREAD_RECEIVING);
    ok(r->n == 4 && r->heard[3] == 0x20,
       "notification.bind: bits set earlier are heard at once by a thread that receives");
    worker_drop(w);
    must(q_notification_bind(n, free_one->thread), "bind again");
    ok(true, "a notification whose receiver died can be bound again");
    worker_drop(free_one);
    drop(weak);
    drop(n);
    drop(other);
    drop(e);
}

int main(void)
{
    word_t before;
    cap_t n;

    kit_begin();
    test_death(); /* and the arena is there */
    before = pages_used();
    n = make(OBJ_notification, 0, 0);
    test_bits(n);
    test_badge(n);
    test_waiters(n);
    test_stop(n);
    drop(n);
    test_bind();
    same(pages_used(), before, "notification counters return to where they were");
    return tap_end();
}
