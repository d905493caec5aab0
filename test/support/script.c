/* SPDX-License-Identifier: MIT */
/* A pager that does as the test says; script.h says what for. */
#include "test/support/script.h"

static void note_event(struct script *s, const struct message *m)
{
    struct heard *h = &s->heard[s->nheard % SCRIPT_HEARD];

    h->what = message_label(m);
    h->key = m->badge;
    h->fault = m->fault;
    s->nheard++;
}

/* The answer that the script has for a fault, as the words of served.answer; false: none. */
static bool make_answer(struct script *s, struct message *m)
{
    enum script_answer answer = s->answer;
    word_t npages = s->npages ? s->npages : 1;
    word_t offset = m->fault.offset, epoch = m->fault.epoch, what = 0;

    if ((m->fault.flags >> FAULT_WHY_SHIFT & FAULT_WHY_MASK) == FAULT_WHY_PROTECTED)
        answer = s->on_write;
    if (s->patience && --s->patience == 0)
        s->answer = s->afterwards;
    switch (answer) {
    case SCRIPT_ZERO:
        what = answer_what(ANSWER_ZERO, 0, npages);
        break;
    case SCRIPT_COPY:
        what = answer_what(ANSWER_COPY, 0, s->bytes ? s->bytes : PAGE);
        break;
    case SCRIPT_MOVE:
        what = answer_what(ANSWER_MOVE, 0, npages);
        break;
    case SCRIPT_ERROR:
        what = answer_what(ANSWER_ERROR, s->status, npages);
        break;
    case SCRIPT_ALLOW:
        what = answer_what(ANSWER_ALLOW, 0, npages);
        break;
    case SCRIPT_SILENT:
        return false;
    case SCRIPT_DIE:
        q_thread_stop(s->worker->thread);
        return false;
    }
    m->words[0] = epoch;
    m->words[1] = answer == SCRIPT_ALLOW ? what : what | s->flags;
    m->words[2] = offset;
    m->words[3] = s->source;
    m->words[4] = offset + s->shift;
    message_prepare(m, OP_served_answer, 5, 0);
    return true;
}

/* Make the object that a message is about longer, if the test said so. */
static void grow(struct script *s, const struct message *m)
{
    if (!s->grow)
        return;
    s->answered = q_served_resize(s->objects[m->badge % SCRIPT_KEYS], s->grow);
    s->grow = 0;
}

/* Answer and receive the next message; a failed answer is noted. */
static status_t answer_and_receive(struct script *s, struct message *m)
{
    status_t status = q_invoke_recv(s->objects[m->badge % SCRIPT_KEYS], m);

    if (message_kind(m) == MSG_REPLY) {
        s->answered = (struct result){status, m->words[0]};
        return q_recv(m, 0);
    }
    s->answered = (struct result){ST_OK, m->words[10]};
    return status;
}

static void script_main(void *argument)
{
    struct script *s = argument;
    struct message m = {0};
    status_t status = q_recv(&m, 0);

    while (status == ST_OK) {
        if (message_kind(&m) == MSG_EVENT) {
            note_event(s, &m);
            if (message_label(&m) == MAPPING_resolve_fault)
                grow(s, &m);
            if (message_label(&m) == MAPPING_resolve_fault && make_answer(s, &m))
                status = answer_and_receive(s, &m);
            else
                status = q_recv(&m, 0);
        } else if (message_kind(&m) == MSG_ASK) {
            note_event(s, &m);
            grow(s, &m);
            if (s->asked == SCRIPT_DIE)
                q_thread_stop(s->worker->thread);
            m.words[0] = s->permissions ? s->permissions : ALL_ACCESS;
            sys_buffer()->send[0] = s->clone;
            message_prepare(&m, s->permit, 1, message_label(&m) == MAPPING_fork_clone && s->clone);
            status = s->asked == SCRIPT_SILENT ? q_recv(&m, 0) : q_reply_recv(&m);
        } else {
            message_prepare(&m, ST_OK, 0, 0);
            status = q_reply_recv(&m);
        }
    }
}

struct script *script_new(struct space *space, cap_t bank)
{
    struct script *s = arena_new(sizeof *s);

    s->endpoint = make_in(bank ? bank : kit.bank, OBJ_endpoint, 0, 0);
    s->worker = worker_new(&(struct worker_options){
        .space = space, .bank = bank, .endpoint = s->endpoint, .priority = 1});
    worker_start(s->worker, script_main, s);
    return s;
}

struct declaration script_declaration(void)
{
    return (struct declaration){
        .flags = DECLARE_MAPPABLE | DECLARE_PRIVATE,
        .shared = ALL_ACCESS,
        .private = ALL_ACCESS,
        .wants = 1 << MAPPING_on_mapped | 1 << MAPPING_on_unmapped | 1 << MAPPING_on_split |
                 1 << MAPPING_on_protect | 1 << MAPPING_resolve_fault,
        .records = 64,
        .name = "script",
    };
}

void declare(cap_t object, const struct declaration *d)
{
    must(q_served_declare_all(object, d), "served.declare");
}

cap_t script_object(struct script *s, cap_t bank, word_t size, word_t key)
{
    cap_t object = make_in(bank ? bank : kit.bank, OBJ_served, size, key);
    struct declaration d = script_declaration();

    declare(object, &d);
    must(q_served_attach(object, s->endpoint), "served.attach");
    s->objects[key % SCRIPT_KEYS] = object;
    return object;
}

/* Events and calls take turns at the endpoint, so one answered call may have overtaken an event;
 * two in a row without an event between them have not. */
void script_settle(struct script *s)
{
    unsigned before;

    do {
        before = s->nheard;
        for (unsigned i = 0; i < 2; i++) {
            struct message m = {0};
            message_prepare(&m, 1, 0, 0);
            if (q_call(s->endpoint, &m) != ST_OK)
                return;
        }
    } while (s->nheard != before);
}

void script_clear(struct script *s)
{
    script_settle(s);
    s->nheard = 0;
}

static const struct heard *find(const struct script *s, unsigned what, unsigned n)
{
    for (unsigned i = 0; i < s->nheard && i < SCRIPT_HEARD; i++)
        if (s->heard[i].what == what && n-- == 0)
            return &s->heard[i];
    return NULL;
}

const struct heard *script_nth(struct script *s, unsigned what, unsigned n)
{
    script_settle(s);
    return find(s, what, n);
}

unsigned script_count(struct script *s, unsigned what)
{
    unsigned n = 0;

    script_settle(s);
    while (find(s, what, n))
        n++;
    return n;
}

void script_drop(struct script *s)
{
    worker_drop(s->worker);
    drop(s->endpoint);
}
