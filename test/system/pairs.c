/* SPDX-License-Identifier: MIT */
/*
 * Claim: messages and exceptions are the same whoever sends them to whom: within one address space
 * and between two, whichever side comes first, however long.
 *
 * It would fail if a path knew only one page table, or forgot to change it, or if an exception of a
 * thread elsewhere lost what it says.
 */
#include "test/support/probe.h"

static struct space *spaces[2]; /* the test's own (NULL), and another */

/* ---- Every pair of spaces ----------------------------------------------------------------------*/

struct pair {
    cap_t endpoint, client;
    unsigned nwords;
    bool is_call;
    volatile bool heard; /* the server: all words were right */
    volatile bool back;  /* the client: so were those of the reply */
};

static void serve_one(void *argument)
{
    struct pair *p = argument;
    struct message m;
    bool right = q_recv(&m, 0) == ST_OK && message_nwords(&m) == p->nwords && m.badge == 7 &&
                 message_kind(&m) == (p->is_call ? MSG_CALL : MSG_SEND);

    for (unsigned i = 0; i < p->nwords; i++) {
        right = right && message_word(&m, i) == 100 + i;
        message_set_word(&m, i, 300 + i);
    }
    p->heard = right;
    if (!p->is_call)
        return;
    message_prepare(&m, ST_OK, p->nwords, 0);
    m.tag |= SYS_NONBLOCK;
    (void)q_reply_recv(&m);
}

static void call_one(void *argument)
{
    struct pair *p = argument;
    struct message m = {0};
    bool right;

    for (unsigned i = 0; i < p->nwords; i++)
        message_set_word(&m, i, 100 + i);
    message_prepare(&m, 0, p->nwords, 0);
    if (!p->is_call) {
        p->back = q_send(p->client, &m, 0) == ST_OK;
        return;
    }
    right = q_call(p->client, &m) == ST_OK && message_nwords(&m) == p->nwords;
    for (unsigned i = 0; i < p->nwords; i++)
        right = right && message_word(&m, i) == 300 + i;
    p->back = right;
}

static bool one_pair(struct pair *p, unsigned from, unsigned to, bool server_first)
{
    struct worker *server =
        worker_new(&(struct worker_options){.space = spaces[to], .endpoint = p->endpoint});
    struct worker *client = worker_new(&(struct worker_options){.space = spaces[from]});
    bool right;

    p->heard = p->back = false;
    worker_start(server_first ? server : client, server_first ? serve_one : call_one, p);
    right = thread_reaches(server_first ? server->thread : client->thread,
                           server_first ? THREAD_RECEIVING : THREAD_SENDING);
    worker_start(server_first ? client : server, server_first ? call_one : serve_one, p);
    right = worker_wait(client) && worker_wait(server) && right && p->heard && p->back;
    worker_drop(client);
    worker_drop(server);
    return right;
}

static void test_pairs(void)
{
    static const unsigned lengths[] = {0, 1, 6, 7, 64};
    struct pair *p = arena_new(sizeof *p);

    p->endpoint = make(OBJ_endpoint, 0, 0);
    p->client = badged(p->endpoint, ENDPOINT_SEND, 7);
    for (unsigned from = 0; from < 2; from++)
        for (unsigned to = 0; to < 2; to++) {
            bool right = true;

            for (unsigned i = 0; i < sizeof lengths / sizeof *lengths; i++)
                for (unsigned how = 0; how < 4; how++) {
                    p->nwords = lengths[i];
                    p->is_call = how & 1;
                    right = one_pair(p, from, to, how & 2) && right;
                }
            ok(right, "pairs: calls and sends of 0 to 64 words, %s to %s, either side first",
               from ? "from another space" : "from this space", to ? "another" : "this");
        }
    drop(p->client);
    drop(p->endpoint);
}

/* ---- Every exception, of a thread here and elsewhere -------------------------------------------*/

static void test_exceptions(void)
{
    static const struct {
        enum probe_op op;
        word_t address;
        status_t status;
        word_t access;
        const char *what;
    } kinds[] = {
        {PROBE_LOAD, 0x700008, ST_NO_REGION, ACCESS_LOAD, "a read"},
        {PROBE_STORE, 0x700010, ST_NO_REGION, ACCESS_STORE, "a write"},
        {PROBE_STORE, 0x10000, ST_FORBIDDEN, ACCESS_STORE, "a write that is not allowed"},
        {PROBE_JUMP, 0x700020, ST_NO_REGION, ACCESS_INSTRUCTION, "an execution"},
        {PROBE_BAD_CALL, 0, ST_BAD_CALL, 8, "an unknown system call"},
        {PROBE_ILLEGAL, 0, ST_ILLEGAL, 2, "an undefined instruction"},
        {PROBE_BREAKPOINT, 0, ST_BREAKPOINT, 3, "a breakpoint"},
    };

    for (unsigned i = 0; i < 2; i++) {
        struct prober *p = prober_new(spaces[i], 0);

        for (unsigned k = 0; k < sizeof kinds / sizeof *kinds; k++) {
            const struct touched *t = probe(p, kinds[k].op, (void *)kinds[k].address, 0);

            ok(t->status == kinds[k].status && t->message.access == kinds[k].access &&
                   (kinds[k].address == 0 || t->message.address == kinds[k].address) &&
                   (kinds[k].op == PROBE_JUMP || t->message.pc >= probe_pc(kinds[k].op)) &&
                   probe(p, PROBE_LOAD1, p, 0)->status == ST_OK,
               "exception %s: %s in %s space, and the thread goes on", status_name(kinds[k].status),
               kinds[k].what, i ? "another" : "the handler's own");
        }
        prober_drop(p);
    }
}

int main(void)
{
    word_t before;

    kit_begin();
    arena_new(64);
    load((void *)0x10000);
    space_drop(space_new(kit.bank)); /* the tables of the window it copies through stay */
    before = pages_used();
    spaces[1] = space_new(kit.bank);
    test_pairs();
    test_exceptions();
    space_drop(spaces[1]);
    same(pages_used(), before, "pairs: every page is back");
    return tap_end();
}
