/* SPDX-License-Identifier: MIT */
/*
 * Claim: a message reaches the receiver whole, with its badge and capabilities, the reply reaches
 * the caller, and whoever waits for a side that goes away is told so.
 *
 * It would fail if a word or a capability were lost, if a refused message left half of itself
 * behind, if the order of senders changed, or if anybody waited for ever.
 */
#include "test/support/worker.h"

enum mode { ECHO, ABANDON, STOP, REPLY_CAPS, REPLY_NOTHING };

/* A server and what it heard last. */
struct server {
    cap_t endpoint;
    struct worker *worker;
    enum mode mode;
    cap_t receive[MESSAGE_CAPS]; /* slots it names */
    cap_t send[MESSAGE_CAPS];    /* what it replies with in mode REPLY_CAPS ... */
    unsigned ncaps;              /* ... and how many */
    struct result replied;       /* how that went, where it went wrong */
    volatile unsigned n;
    unsigned kind, nwords, got_caps;
    word_t label, badge;
    word_t words[MESSAGE_WORDS];
    word_t order[8];
};

static void note_message(struct server *s, const struct message *m)
{
    s->kind = message_kind(m);
    s->nwords = message_nwords(m);
    s->got_caps = tag_ncaps(m->tag);
    s->label = message_label(m);
    s->badge = m->badge;
    for (unsigned i = 0; i < MESSAGE_WORDS; i++)
        s->words[i] = i < s->nwords ? message_word(m, i) : 0;
    s->order[s->n % 8] = s->label;
    s->n++;
}

/* The reply of the mode; what was received afterwards is in *m. */
static status_t reply(struct server *s, struct message *m)
{
    status_t status;

    if (s->mode == ECHO) {
        for (unsigned i = 0; i < s->nwords; i++)
            message_set_word(m, i, s->words[i] + 1);
        message_prepare(m, ST_OK, s->nwords, 0);
    } else {
        for (unsigned i = 0; i < MESSAGE_CAPS; i++)
            sys_buffer()->send[i] = s->send[i];
        message_prepare(m, ST_OK, 0, s->ncaps);
    }
    status = q_reply_recv(m);
    if (message_kind(m) != MSG_REPLY)
        return status;
    s->replied = (struct result){status, m->words[0]};
    s->mode = ECHO;
    s->nwords = 0;
    return reply(s, m);
}

static void serve(void *argument)
{
    struct server *s = argument;
    struct message m = {0};
    status_t status;

    for (unsigned i = 0; i < MESSAGE_CAPS; i++)
        sys_buffer()->receive[i] = s->receive[i];
    status = q_recv(&m, 0);
    while (status == ST_OK) {
        note_message(s, &m);
        if (s->mode == STOP)
            q_thread_stop(s->worker->thread);
        if (s->kind == MSG_CALL && s->mode != ABANDON && s->mode != REPLY_NOTHING)
            status = reply(s, &m);
        else
            status = q_recv(&m, 0);
    }
    worker_self()->result = status;
}

static struct server *server_new(cap_t bank)
{
    struct server *s = arena_new(sizeof *s);

    s->endpoint = make_in(bank ? bank : kit.bank, OBJ_endpoint, 0, 0);
    s->worker =
        worker_new(&(struct worker_options){.endpoint = s->endpoint, .priority = 1, .bank = bank});
    return s;
}

static void server_start(struct server *s)
{
    worker_start(s->worker, serve, s);
}

static void server_drop(struct server *s)
{
    worker_drop(s->worker);
    drop(s->endpoint);
}

/* Call with so many words (1, 2, ...) and capabilities from send[]. */
static struct result call(cap_t to, unsigned nwords, unsigned ncaps, struct message *m)
{
    status_t status;

    for (unsigned i = 0; i < nwords; i++)
        message_set_word(m, i, 100 + i);
    message_prepare(m, 5, nwords, ncaps);
    status = q_call(to, m);
    return (struct result){status, status == ST_OK ? 0 : m->words[0]};
}

static struct result send(cap_t to, unsigned nwords, unsigned ncaps, word_t label, word_t flags)
{
    struct message m = {0};
    status_t status;

    message_prepare(&m, label, nwords, ncaps);
    status = q_send(to, &m, flags);
    return (struct result){status, status == ST_OK ? 0 : m.words[0]};
}

/* ------------------------------------------------------------------------------ whole messages */

static bool words_are(const struct server *s, unsigned n)
{
    bool right = s->nwords == n;

    for (unsigned i = 0; i < n; i++)
        right = right && s->words[i] == 100 + i;
    return right;
}

static void test_words(void)
{
    struct server *s = server_new(0);
    cap_t client = badged(s->endpoint, ENDPOINT_SEND, 0xabcdef);
    static const unsigned lengths[] = {0, 1, 4, 6, 7, 33, 64};
    struct message m = {0};

    server_start(s);
    for (unsigned i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        unsigned n = lengths[i];
        bool back = true;

        (void)call(client, n, 0, &m);
        for (unsigned k = 0; k < n; k++)
            back = back && message_word(&m, k) == 101 + k;
        ok(words_are(s, n) && back && message_nwords(&m) == n && s->label == 5 &&
               s->kind == MSG_CALL,
           "endpoint: a call of %u words arrives, and so does its reply", n);
    }
    ok(s->badge == 0xabcdef, "endpoint: the badge of the client's capability comes along");
    REFUSED(q_bank_query(client), ST_OK, 0,
            "endpoint: an operation of a kernel object invoked on it is a message like any other");
    REFUSED(send(client, 65, 0, 0, 0), ST_BAD_LENGTH, MESSAGE_WORDS,
            "endpoint: over 64 words are refused");
    drop(client);
    server_drop(s);
}

static void send_label(void *argument)
{
    word_t *a = argument; /* endpoint, label */

    worker_self()->result = send(a[0], 0, 0, a[1], 0).status;
}

static void test_order(void)
{
    struct server *s = server_new(0);
    struct worker *w[4];
    bool all = true;

    for (unsigned i = 0; i < 4; i++) {
        word_t *a = arena_new(16);
        a[0] = s->endpoint, a[1] = 10 + i;
        w[i] = WORKER(send_label, a, 0);
        thread_reaches(w[i]->thread, THREAD_SENDING);
    }
    server_start(s);
    for (unsigned i = 0; i < 4; i++)
        all = worker_wait(w[i]) && w[i]->result == ST_OK && s->order[i] == 10 + i && all;
    ok(all && s->kind == MSG_SEND, "endpoint: senders that wait are received in their order");
    for (unsigned i = 0; i < 4; i++)
        worker_drop(w[i]);
    server_drop(s);
}

/* ---------------------------------------------------------------------------------- capabilities */

static void test_caps(void)
{
    struct server *s = server_new(0);
    cap_t n = make(OBJ_notification, 0, 0), b = badged(n, NOTIFICATION_SIGNAL, 9);
    cap_t back[2] = {slot_new(), slot_new()};
    struct message m = {0};
    bool all = true;

    for (unsigned i = 0; i < MESSAGE_CAPS; i++)
        s->receive[i] = slot_new();
    server_start(s);
    for (unsigned i = 0; i < MESSAGE_CAPS; i++)
        sys_buffer()->send[i] = i == 2 ? b : n;
    (void)call(s->endpoint, 1, MESSAGE_CAPS, &m);
    for (unsigned i = 0; i < MESSAGE_CAPS; i++)
        all = all && !slot_is_empty(s->receive[i]);
    ok(all && s->got_caps == MESSAGE_CAPS, "endpoint: four capabilities arrive in the slots named");
    (void)!q_operation(s->receive[2], OP_any_identify, 0, &m);
    ok(m.words[0] == OBJ_notification && m.words[1] == NOTIFICATION_SIGNAL && m.words[2] == 9,
       "endpoint: a capability keeps rights and badge on its way");

    s->mode = REPLY_CAPS;
    s->ncaps = 2;
    s->send[0] = s->receive[0];
    s->send[1] = s->receive[2];
    sys_buffer()->receive[0] = back[0];
    sys_buffer()->receive[1] = back[1];
    ok(call(s->endpoint, 0, 0, &m).status == ST_OK && tag_ncaps(m.tag) == 2 &&
           !slot_is_empty(back[0]) && !slot_is_empty(back[1]),
       "endpoint: capabilities come back with a reply");
    drop(back[0]);
    drop(back[1]);
    for (unsigned i = 0; i < MESSAGE_CAPS; i++)
        drop(s->receive[i]);
    drop(b);
    drop(n);
    server_drop(s);
}

static void test_cap_errors(void)
{
    struct server *s = server_new(0);
    cap_t n = make(OBJ_notification, 0, 0), empty = slot_new();
    cap_t no_grant = copy_of(s->endpoint, ENDPOINT_SEND), free_slot = slot_new();
    struct message m = {0};

    s->receive[0] = free_slot;
    s->receive[1] = n; /* taken */
    server_start(s);
    sys_buffer()->send[0] = sys_buffer()->send[1] = n;
    REFUSED(call(s->endpoint, 0, 5, &m), ST_BAD_ARG, 5,
            "endpoint.call BAD_ARG: five capabilities, detail is their number");
    REFUSED(send(s->endpoint, 0, 7, 0, 0), ST_BAD_ARG, 7,
            "endpoint.send BAD_ARG: seven capabilities, detail is their number");
    REFUSED(call(no_grant, 0, 1, &m), ST_NO_RIGHT, ENDPOINT_GRANT,
            "endpoint.call NO_RIGHT: capabilities without right GRANT");
    REFUSED(send(no_grant, 0, 1, 0, 0), ST_NO_RIGHT, ENDPOINT_GRANT,
            "endpoint.send NO_RIGHT: capabilities without right GRANT");
    REFUSED(call(s->endpoint, 0, 2, &m), ST_OCCUPIED, 1,
            "endpoint.call OCCUPIED: the receiver's second slot is taken, detail is its place");
    REFUSED(send(s->endpoint, 0, 2, 0, 0), ST_OCCUPIED, 1,
            "endpoint.send OCCUPIED: the receiver's second slot is taken, detail is its place");
    sys_buffer()->send[0] = empty;
    REFUSED(call(s->endpoint, 0, 1, &m), ST_BAD_CAP, 0,
            "endpoint.call BAD_CAP: an empty slot to send, detail is its place");
    REFUSED(send(s->endpoint, 0, 1, 0, 0), ST_BAD_CAP, 0,
            "endpoint.send BAD_CAP: an empty slot to send, detail is its place");
    ok(s->n == 0 && slot_is_empty(free_slot),
       "endpoint: of a refused message the receiver hears nothing and gets no capability");

    s->mode = REPLY_CAPS;
    s->ncaps = 1;
    s->send[0] = n;
    sys_buffer()->receive[0] = n;
    REFUSED(call(s->endpoint, 0, 0, &m), ST_OCCUPIED, 0,
            "endpoint.call OCCUPIED: the caller's slot for the reply's capability is taken");
    s->mode = REPLY_CAPS;
    s->send[0] = empty;
    REFUSED(call(s->endpoint, 0, 0, &m), ST_OK, 0, "endpoint: a server may repair a refused reply");
    ok(s->replied.status == ST_BAD_CAP && s->replied.value == 0,
       "endpoint.reply BAD_CAP: an empty slot to send, detail is its place");
    s->mode = REPLY_CAPS;
    s->ncaps = 5;
    (void)call(s->endpoint, 0, 0, &m);
    ok(s->replied.status == ST_BAD_ARG && s->replied.value == 5,
       "endpoint.reply BAD_ARG: five capabilities, detail is their number");
    sys_buffer()->receive[0] = 0;

    drop(no_grant);
    drop(n);
    slot_release(empty);
    slot_release(free_slot);
    server_drop(s);
}

static void send_cap(void *argument)
{
    word_t *a = argument; /* endpoint, capability */

    sys_buffer()->send[0] = a[1];
    worker_self()->result = send(a[0], 0, 1, 3, 0).status;
}

/* What was right when the message was sent may be wrong when it is received. */
static void test_late_caps(void)
{
    struct server *s = server_new(0);
    word_t *a = arena_new(16), *b = arena_new(16);
    cap_t n = make(OBJ_notification, 0, 0);
    struct worker *gone, *kept;

    s->receive[0] = slot_new();
    a[0] = b[0] = s->endpoint;
    a[1] = copy_of(n, NOTIFICATION_SIGNAL);
    b[1] = n;
    gone = WORKER(send_cap, a, 0);
    ok(thread_reaches(gone->thread, THREAD_SENDING), "endpoint: a send with a capability waits");
    kept = WORKER(send_cap, b, 0);
    thread_reaches(kept->thread, THREAD_SENDING);
    drop(a[1]);
    server_start(s);
    ok(worker_wait(gone) && gone->result == ST_BAD_CAP,
       "endpoint.send BAD_CAP: the capability was deleted while the message waited");
    ok(worker_wait(kept) && kept->result == ST_OK && s->n == 1 && s->got_caps == 1 &&
           !slot_is_empty(s->receive[0]),
       "endpoint: the next sender is received in its place");
    worker_start(kept, send_cap, b);
    ok(worker_wait(kept) && kept->result == ST_OCCUPIED && s->n == 1,
       "endpoint.send OCCUPIED: the receiver's slot still holds the last one");
    drop(s->receive[0]);
    worker_drop(gone);
    worker_drop(kept);
    drop(n);
    server_drop(s);
}

/* ------------------------------------------------------------------------------- waiting in vain */

static void call_once(void *argument)
{
    struct message m = {0};

    worker_self()->result = call(*(cap_t *)argument, 2, 0, &m).status;
}
static void send_once(void *argument)
{
    worker_self()->result = send(*(cap_t *)argument, 2, 0, 1, 0).status;
}

static void test_ends(void)
{
    cap_t bank = make(OBJ_bank, 64, 0), *e = arena_new(sizeof *e);
    struct worker *caller, *sender, *receiver;
    struct server *s = server_new(bank);

    *e = badged(s->endpoint, ENDPOINT_SEND, 1);
    caller = WORKER(call_once, e, 0);
    sender = WORKER(send_once, e, 0);
    thread_reaches(caller->thread, THREAD_SENDING);
    thread_reaches(sender->thread, THREAD_SENDING);
    same(thread_read(caller->thread).state, THREAD_SENDING,
         "endpoint: a call waits for a receiver");
    must(q_bank_destroy(bank), "bank.destroy");
    ok(worker_wait(caller) && caller->result == ST_CANCELLED,
       "endpoint.call CANCELLED: the endpoint died while the call waited");
    ok(worker_wait(sender) && sender->result == ST_CANCELLED,
       "endpoint.send CANCELLED: the endpoint died while the message waited");
    ok(slot_is_empty(*e), "a capability to a dead endpoint is gone");
    worker_forget(s->worker);
    forget(s->endpoint);
    slot_release(*e);
    forget(bank);
    worker_drop(sender);

    s = server_new(0);
    *e = s->endpoint;
    s->mode = ABANDON;
    server_start(s);
    worker_start(caller, call_once, e);
    ok(worker_wait(caller) && caller->result == ST_ABANDONED,
       "endpoint.call ABANDONED: the server received again without a reply");
    s->mode = STOP;
    worker_start(caller, call_once, e);
    ok(worker_wait(caller) && caller->result == ST_CANCELLED,
       "endpoint.call CANCELLED: the server stopped while it owed the reply");
    worker_drop(s->worker);
    worker_start(caller, call_once, e);
    ok(worker_wait(caller) && caller->result == ST_CANCELLED,
       "endpoint.call CANCELLED: the last receiver is gone");
    worker_drop(caller);
    drop(*e);

    bank = make(OBJ_bank, 64, 0);
    s = arena_new(sizeof *s);
    s->endpoint = make_in(bank, OBJ_endpoint, 0, 0);
    s->worker = receiver = worker_new(&(struct worker_options){.endpoint = s->endpoint});
    server_start(s);
    ok(thread_reaches(receiver->thread, THREAD_RECEIVING), "endpoint: a receiver waits");
    must(q_bank_destroy(bank), "bank.destroy");
    ok(worker_wait(receiver) && receiver->result == ST_CANCELLED,
       "endpoint.recv CANCELLED: the endpoint died under a receiver");
    worker_drop(receiver);
    forget(s->endpoint);
    forget(bank);
}

static void test_nonblock(void)
{
    cap_t e = make(OBJ_endpoint, 0, 0), reader = copy_of(e, ENDPOINT_RECEIVE);
    struct worker *w = worker_new(&(struct worker_options){.endpoint = e});
    struct message m = {0};

    REFUSED(send(e, 0, 0, 1, SYS_NONBLOCK), ST_WOULD_BLOCK, 0,
            "endpoint.send WOULD_BLOCK: no receiver waits");
    REFUSED(send(reader, 0, 0, 1, 0), ST_NO_RIGHT, ENDPOINT_SEND,
            "endpoint: send needs right SEND");
    ok(q_recv(&m, SYS_NONBLOCK) == ST_WOULD_BLOCK && m.words[0] == 0,
       "endpoint.recv WOULD_BLOCK: nothing is there");
    worker_drop(w);
    drop(reader);
    drop(e);
}

static void receive_unbound(void *argument)
{
    struct result *r = argument;
    struct message m = {0};

    r->status = q_recv(&m, 0);
    r->value = m.words[0];
}
static void reply_to_nobody(void *argument)
{
    struct result *r = argument;
    struct message m = {0};

    message_prepare(&m, 0, 0, 0);
    r->status = q_reply_recv(&m);
    r->value = m.words[0];
}

static void test_misuse(void)
{
    struct result *r = arena_new(sizeof *r);
    cap_t e = make(OBJ_endpoint, 0, 0);
    struct worker *w = WORKER(receive_unbound, r, 0);

    ok(worker_wait(w) && r->status == ST_NOT_BOUND && r->value == 0,
       "endpoint.recv NOT_BOUND: the thread is bound to no endpoint");
    must(q_thread_bind(w->thread, e), "bind");
    worker_start(w, reply_to_nobody, r);
    ok(worker_wait(w) && r->status == ST_NOT_FOUND && r->value == 0,
       "endpoint.reply NOT_FOUND: nobody waits for a reply, and nothing is received");
    worker_drop(w);
    drop(e);
}

/* A server without a context of its own runs on its callers', from its first instruction on. */
static void test_passive(void)
{
    struct server *s = arena_new(sizeof *s);
    struct message m = {0};

    s->endpoint = make(OBJ_endpoint, 0, 0);
    s->worker = worker_new(&(struct worker_options){.endpoint = s->endpoint, .passive = true});
    server_start(s);
    let_run();
    same(thread_read(s->worker->thread).state, THREAD_READY,
         "endpoint: a thread without a context does not run");
    ok(call(s->endpoint, 3, 0, &m).status == ST_OK && words_are(s, 3),
       "endpoint: a call lends the caller's context to the server");
    ok(call(s->endpoint, 4, 0, &m).status == ST_OK && words_are(s, 4),
       "endpoint: and so does the next");
    server_drop(s);
}

int main(void)
{
    word_t before;

    kit_begin();
    arena_new(64);
    test_words();
    before = pages_used();
    test_order();
    test_caps();
    test_cap_errors();
    test_late_caps();
    test_ends();
    test_nonblock();
    test_misuse();
    test_passive();
    same(pages_used(), before, "endpoint counters return to where they were");
    return tap_end();
}
