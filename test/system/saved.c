/* SPDX-License-Identifier: MIT */
/*
 * Claim: a server may put callers aside and answer them later, in any order and by any thread bound
 * to its endpoint; whoever goes away meanwhile, nobody waits for ever and nobody else is touched.
 *
 * It would fail if a reply reached another caller than the one named, if a number were used twice, if
 * a caller that died were answered, or if the end of a server forgot one of those put aside.
 */
#include "test/support/script.h"

#define NCALLERS 20

/* The test itself is the server. */
static cap_t endpoint, client;

struct caller {
    struct worker *worker;
    cap_t to;
    word_t send; /* word 0 of the call */
    status_t status;
    word_t nwords, word;
    unsigned order; /* when the reply came: 1, 2, ... */
    cap_t receive;
};

static unsigned *replies; /* in the arena */

static void call_once(void *argument)
{
    struct caller *c = argument;
    struct message m = {.words = {c->send}};

    sys_buffer()->receive[0] = c->receive;
    message_prepare(&m, 7, 1, 0);
    c->status = q_call(c->to, &m);
    c->nwords = message_nwords(&m);
    c->word = m.words[0];
    c->order = ++*replies;
}

static struct caller *caller_new(cap_t to, word_t send, int priority)
{
    struct caller *c = arena_new(sizeof *c);

    c->to = to;
    c->send = send;
    c->worker = worker_new(&(struct worker_options){.priority = priority});
    worker_start(c->worker, call_once, c);
    return c;
}

static bool caller_is_back(struct caller *c, status_t status, word_t word)
{
    return worker_wait(c->worker) && c->status == status && c->word == word;
}

static void receive(struct message *m, unsigned kind)
{
    if (q_recv(m, 0) != ST_OK || message_kind(m) != kind)
        bail("received kind %u, not %u", message_kind(m), kind);
}

static word_t save(void)
{
    return must(q_save(), "save");
}

static struct result reply_to(word_t number, status_t status, word_t word, unsigned ncaps)
{
    struct message m = {.words = {word}};
    status_t got;

    message_prepare(&m, status, 1, ncaps);
    got = q_reply_saved(number, &m);
    return (struct result){got, m.words[0]};
}

/* A caller that has been received and put aside; its number. */
static word_t one_saved(struct caller **c, word_t send)
{
    struct message m;

    *c = caller_new(client, send, 0);
    receive(&m, MSG_CALL);
    return save();
}

/* ---- A server that answers its callers in reverse order ----------------------------------------*/

static void test_reverse(void)
{
    struct caller *c[NCALLERS];
    word_t number[NCALLERS];
    struct message m;
    bool right = true, rising = true;

    *replies = 0;
    for (unsigned i = 0; i < NCALLERS; i++) {
        c[i] = caller_new(client, 100 + i, 0);
        receive(&m, MSG_CALL);
        right = right && m.words[0] == 100 + i && m.badge == 9;
        number[i] = save();
        rising = rising && (i == 0 || number[i] > number[i - 1]);
    }
    let_run();
    for (unsigned i = 0; i < NCALLERS; i++)
        right = right && thread_read(c[i]->worker->thread).state == THREAD_CALLING;
    ok(right && *replies == 0, "saved: %d callers are put aside and wait", NCALLERS);
    ok(rising, "saved: no number is given twice");
    right = true;
    for (unsigned i = NCALLERS; i-- > 0;) {
        must(reply_to(number[i], ST_OK, 200 + i, 0), "reply");
        right = caller_is_back(c[i], ST_OK, 200 + i) && c[i]->order == NCALLERS - i &&
                c[i]->nwords == 1 && right;
    }
    ok(right, "saved: each hears its own reply, in reverse order");
    REFUSED(reply_to(number[3], ST_OK, 0, 0), ST_NOT_FOUND, number[3],
            "endpoint.reply_saved NOT_FOUND: that one has been answered");
    for (unsigned i = 0; i < NCALLERS; i++)
        worker_drop(c[i]->worker);
}

/* ---- Mistakes ----------------------------------------------------------------------------------*/

static void save_unbound(void *argument)
{
    struct message m = {0};

    (void)argument;
    worker_self()->result = q_save().status == ST_NOT_BOUND &&
                            (message_prepare(&m, 0, 0, 0), q_reply_saved(1, &m)) == ST_NOT_BOUND;
}

static void test_mistakes(void)
{
    struct worker *w = WORKER(save_unbound, NULL, 0);
    struct caller *c;
    struct message m = {0};
    word_t n, last;

    ok(worker_wait(w) && w->result,
       "endpoint.save NOT_BOUND, endpoint.reply_saved NOT_BOUND: bound to no endpoint");
    worker_drop(w);
    REFUSED(q_save(), ST_NOT_FOUND, 0, "endpoint.save NOT_FOUND: nobody has called");
    n = one_saved(&c, 1);
    REFUSED(q_save(), ST_NOT_FOUND, 0, "endpoint.save NOT_FOUND: the caller is put aside already");
    REFUSED(reply_to(0, ST_OK, 0, 0), ST_NOT_FOUND, 0, "endpoint.reply_saved NOT_FOUND: number 0");
    REFUSED(reply_to(n + 1, ST_OK, 0, 0), ST_NOT_FOUND, n + 1,
            "endpoint.reply_saved NOT_FOUND: a number that was never given");
    REFUSED(reply_to(~0ul, ST_OK, 0, 0), ST_NOT_FOUND, ~0ul,
            "endpoint.reply_saved NOT_FOUND: the highest number");
    REFUSED(reply_to(n, ST_OK, 0, 5), ST_BAD_ARG, 5,
            "endpoint.reply_saved BAD_ARG: five capabilities");
    sys_buffer()->send[0] = NO_SLOT;
    REFUSED(reply_to(n, ST_OK, 0, 1), ST_BAD_CAP, 0,
            "endpoint.reply_saved BAD_CAP: a capability that is not there");
    m.tag = tag_make(0, 0, 65, 0);
    REFUSED(((struct result){q_reply_saved(n, &m), m.words[0]}), ST_BAD_LENGTH, MESSAGE_WORDS,
            "endpoint.reply_saved: over 64 words");
    m.tag = SYS_NONBLOCK;
    if (q_reply_recv(&m) != ST_NOT_FOUND)
        bail("an ordinary reply went somewhere");
    ok(thread_read(c->worker->thread).state == THREAD_CALLING,
       "saved: an ordinary reply does not reach who is put aside, nor does a refused one");
    c->receive = slot_new();
    must(q_thread_stop(c->worker->thread), "stop");
    REFUSED(reply_to(n, ST_OK, 0, 0), ST_NOT_FOUND, n,
            "endpoint.reply_saved NOT_FOUND: the caller was stopped");
    worker_start(c->worker, call_once, c);
    receive(&m, MSG_CALL);
    last = save();
    ok(last > n, "saved: a number of one who is gone is not given again");
    sys_buffer()->send[0] = client;
    must(reply_to(last, ST_OK, 5, 1), "reply");
    ok(caller_is_back(c, ST_OK, 5) && !slot_is_empty(c->receive),
       "saved: a capability comes with the reply");
    drop(c->receive);
    c->receive = 0;
    worker_start(c->worker, call_once, c);
    receive(&m, MSG_CALL);
    must(reply_to(save(), ST_OK, 5, 1), "reply");
    ok(caller_is_back(c, ST_OCCUPIED, 0), "saved: no slot for it is the caller's mistake");

    worker_start(c->worker, call_once, c);
    receive(&m, MSG_CALL);
    must(q_thread_stop(c->worker->thread), "stop");
    REFUSED(q_save(), ST_NOT_FOUND, 0, "endpoint.save NOT_FOUND: the caller was stopped before");
    worker_drop(c->worker);
}

/* ---- Several threads at one endpoint -----------------------------------------------------------*/

static void reply_for(void *argument)
{
    worker_self()->result = reply_to(*(word_t *)argument, ST_IO, 77, 0).status;
}

static void test_pool(void)
{
    word_t *number = arena_new(sizeof *number);
    struct worker *w = worker_new(&(struct worker_options){.endpoint = endpoint});
    struct worker *stranger;
    cap_t other = make(OBJ_endpoint, 0, 0);
    struct caller *c;

    *number = one_saved(&c, 1);
    stranger = WORKER(reply_for, number, .endpoint = other);
    ok(worker_wait(stranger) && stranger->result == ST_NOT_FOUND,
       "saved: a thread bound to another endpoint reaches nobody");
    worker_start(w, reply_for, number);
    ok(worker_wait(w) && w->result == ST_OK && caller_is_back(c, ST_IO, 77),
       "saved: another thread bound to the endpoint replies");
    worker_drop(c->worker);
    *number = one_saved(&c, 1);
    worker_drop(w);
    let_run();
    same(thread_read(c->worker->thread).state, THREAD_CALLING,
         "saved: one bound thread of several goes, and the caller waits");
    must(reply_to(*number, ST_OK, 3, 0), "reply");
    ok(caller_is_back(c, ST_OK, 3), "saved: and is answered by one who stayed");
    worker_drop(c->worker);
    worker_drop(stranger);
    drop(other);
}

/* A server of its own: puts all aside, for ever. */
static void save_all(void *argument)
{
    struct message m;

    (void)argument;
    while (q_recv(&m, 0) == ST_OK)
        if (message_kind(&m) != MSG_NOTIFY)
            worker_self()->result = must(q_save(), "save");
}

static void test_server_dies(void)
{
    struct caller *c[NCALLERS];
    bool right = true;

    for (unsigned how = 0; how < 4; how++) {
        cap_t bank = make(OBJ_bank, 64, 0), e = make_in(bank, OBJ_endpoint, 0, 0);
        struct worker *w =
            worker_new(&(struct worker_options){.endpoint = e, .bank = bank, .priority = 1});

        worker_start(w, save_all, NULL);
        for (unsigned i = 0; i < NCALLERS; i++)
            c[i] = caller_new(e, i, 0);
        for (unsigned i = 0; i < NCALLERS; i++)
            thread_reaches(c[i]->worker->thread, THREAD_CALLING);
        must(q_thread_stop(c[3]->worker->thread), "stop");
        worker_drop(c[4]->worker);
        if (how == 0)
            must(q_thread_bind(w->thread, 0), "unbind");
        else if (how == 1)
            worker_drop(w);
        else if (how == 2)
            must(q_cspace_revoke(SLOT_CSPACE, e), "revoke");
        else
            must(q_bank_destroy(bank), "destroy");
        right = true;
        for (unsigned i = 0; i < NCALLERS; i++)
            if (i != 3 && i != 4)
                right = caller_is_back(c[i], ST_CANCELLED, 0) && right;
        ok(right, "saved: every caller hears CANCELLED when the server %s",
           how == 0   ? "is bound no more"
           : how == 1 ? "dies"
           : how == 2 ? "loses its endpoint by revoke"
                      : "goes with its bank");
        for (unsigned i = 0; i < NCALLERS; i++)
            if (i != 4)
                worker_drop(c[i]->worker);
        if (how == 3) {
            worker_forget(w);
            forget(e);
        } else {
            if (how != 1)
                worker_drop(w);
            drop(e);
        }
        if (how == 3)
            forget(bank);
        else
            must(q_bank_destroy(bank), "destroy"), forget(bank);
    }
}

/* ---- What else can be put aside ----------------------------------------------------------------*/

static void load_low(void *argument)
{
    worker_self()->result = *(volatile word_t *)argument;
}

static void after_load(void)
{
    worker_self()->result = 0x600d;
    for (;;)
        q_thread_stop(worker_self()->thread);
}

static void map_asking(void *argument)
{
    word_t *a = argument; /* where, what */
    struct result r = q_aspace_map(SLOT_ASPACE, a[0], PAGE, a[1], 0, MAP_READ);

    worker_self()->result = r.status;
}

static void test_kinds(void)
{
    cap_t handler = badged(endpoint, ENDPOINT_SEND, 5), o = make(OBJ_served, PAGE, 3);
    struct worker *w[3];
    word_t number[3], *a = arena_new(2 * sizeof *a);
    struct declaration d = script_declaration();
    struct message m;

    for (unsigned i = 0; i < 2; i++) {
        w[i] = WORKER(load_low, (void *)8, .handler = handler);
        receive(&m, MSG_EXCEPTION);
        number[i] = save();
    }
    d.flags |= DECLARE_ASK;
    d.wants = 0;
    declare(o, &d);
    must(q_served_attach(o, endpoint), "attach");
    a[0] = (word_t)fresh_range(PAGE);
    a[1] = o;
    w[2] = WORKER(map_asking, a, 0);
    receive(&m, MSG_ASK);
    number[2] = save();
    let_run();
    ok(thread_read(w[0]->thread).state == THREAD_CALLING &&
           thread_read(w[2]->thread).state == THREAD_CALLING,
       "saved: exceptions and questions about mappings can be put aside");
    must(reply_to(number[2], ST_OK, MAP_READ, 0), "reply");
    ok(worker_wait(w[2]) && w[2]->result == ST_OK && is_mapped((void *)a[0]),
       "saved: the question is answered later, and the mapping made");
    must(reply_to(number[1], ST_OK, (word_t)after_load, 0), "reply");
    ok(thread_reaches(w[1]->thread, THREAD_STOPPED) && w[1]->result == 0x600d,
       "saved: the thread with the exception goes on where the late reply says");
    must(reply_to(number[0], ST_IO, 0, 0), "reply");
    ok(thread_reaches(w[0]->thread, THREAD_STOPPED) &&
           thread_read(w[0]->thread).status == ST_NO_REGION,
       "saved: or is left stopped");
    kit_unmap((void *)a[0], PAGE);
    for (unsigned i = 0; i < 3; i++)
        worker_drop(w[i]);
    drop(o);
    drop(handler);
}

/* ---- A server without a context of its own -----------------------------------------------------*/

struct passive {
    cap_t thread, notification;
    word_t number, heard;
};

/* Puts its caller aside, and answers when the notification says so. */
static void serve_passively(void *argument)
{
    struct passive *p = argument;
    struct message m;

    while (q_recv(&m, 0) == ST_OK) {
        if (message_kind(&m) == MSG_CALL) {
            p->number = must(q_save(), "save");
            continue;
        }
        p->heard++;
        (void)reply_to(p->number, ST_OK, 11, 0);
    }
}

static void test_passive(void)
{
    struct passive *p = arena_new(sizeof *p);
    cap_t e = make(OBJ_endpoint, 0, 0);
    struct worker *w = worker_new(&(struct worker_options){.endpoint = e, .passive = true});
    struct caller *c;

    p->notification = make(OBJ_notification, 0, 0);
    must(q_notification_bind(p->notification, w->thread), "bind");
    worker_start(w, serve_passively, p);
    c = caller_new(e, 1, 0);
    ok(thread_reaches(c->worker->thread, THREAD_CALLING) && (let_run(), p->number == 1) &&
           thread_read(w->thread).state == THREAD_RECEIVING,
       "saved: a server without a context puts its caller aside and receives");
    must(q_notification_signal(p->notification, 1), "signal");
    ok(caller_is_back(c, ST_OK, 11) && p->heard == 1,
       "saved: who is put aside helps it when it hears something else");
    worker_drop(c->worker);
    worker_drop(w);
    drop(p->notification);
    drop(e);
}

int main(void)
{
    word_t before;

    kit_begin();
    replies = arena_new(sizeof *replies);
    endpoint = SLOT_ENDPOINT;
    client = badged(endpoint, ENDPOINT_SEND | ENDPOINT_GRANT, 9);
    before = pages_used();
    test_reverse();
    test_mistakes();
    test_pool();
    test_server_dies();
    test_kinds();
    test_passive();
    same(pages_used(), before, "saved: every page is back");
    return tap_end();
}
