/* SPDX-License-Identifier: MIT */
/* Probes and the thread that catches their exceptions; probe.h says what for. */
#include "test/support/probe.h"

#include <string.h>

#define MAX_PROBERS 48

static struct worker *catcher;
static cap_t catcher_endpoint;
static struct prober **probers; /* by badge - 1; in the arena, read by the catcher */
static struct prober *own;

/* Each is a leaf, so that ra is where to go on after an exception.  Arguments: a0 the address, a1 the
 * value; a naked function may hold nothing but its instructions. */
#define PROBE_FUNCTION(name, ...)                                                               \
    __attribute__((naked, noinline)) static word_t name(__attribute__((unused)) word_t address, \
                                                        __attribute__((unused)) word_t value)   \
    {                                                                                           \
        __asm__(__VA_ARGS__ "\nret");                                                           \
    }
PROBE_FUNCTION(probe_load, "ld a0, 0(a0)")
PROBE_FUNCTION(probe_load1, "lbu a0, 0(a0)")
PROBE_FUNCTION(probe_store, "sd a1, 0(a0)")
PROBE_FUNCTION(probe_amo, "amoadd.d a0, a1, (a0)")
PROBE_FUNCTION(probe_lr, "lr.d a0, (a0)")
PROBE_FUNCTION(probe_lr_sc, "1: lr.d a2, (a0)\n"
                            "sc.d a3, a1, (a0)\n"
                            "bnez a3, 1b\n"
                            "mv a0, a2")
PROBE_FUNCTION(probe_jump, "mv a2, a0\n"
                           "mv a0, a1\n"
                           "jr a2")
PROBE_FUNCTION(probe_illegal, ".word 0xffffffff")
PROBE_FUNCTION(probe_breakpoint, ".option push\n"
                                 ".option norvc\n"
                                 "ebreak\n"
                                 ".option pop")
PROBE_FUNCTION(probe_bad_call, "li a7, 15\n"
                               "ecall")

static word_t (*const functions[])(word_t, word_t) = {
    [PROBE_LOAD] = probe_load,
    [PROBE_LOAD1] = probe_load1,
    [PROBE_STORE] = probe_store,
    [PROBE_AMO] = probe_amo,
    [PROBE_LR] = probe_lr,
    [PROBE_LR_SC] = probe_lr_sc,
    [PROBE_JUMP] = probe_jump,
    [PROBE_ILLEGAL] = probe_illegal,
    [PROBE_BREAKPOINT] = probe_breakpoint,
    [PROBE_BAD_CALL] = probe_bad_call,
};

word_t probe_pc(enum probe_op op)
{
    return (word_t)functions[op];
}

/* ----------------------------------------------------------------------------------- the catcher */

static void note_exception(struct prober *p, const struct message *m)
{
    struct touched *t = &p->touched;
    word_t words[EXCEPTION_WORDS] = {0};

    for (unsigned i = 0; i < EXCEPTION_WORDS && i < message_nwords(m); i++)
        words[i] = message_word(m, i);
    memcpy(&t->message, words, sizeof words);
    t->badge = m->badge;
    t->nwords = message_nwords(m);
    t->status = message_status(m);
    t->result = 0;
    if (p->leave_stopped)
        t->done = true;
}

static void catcher_main(void *argument)
{
    struct prober **table = argument;
    struct message m = {0};
    status_t status = q_recv(&m, 0);

    for (;;) {
        struct prober *p;

        if (status != ST_OK || message_kind(&m) != MSG_EXCEPTION)
            return;
        p = table[m.badge - 1];
        note_exception(p, &m);
        m.words[0] = p->touched.message.registers[0]; /* ra */
        message_prepare(&m, p->leave_stopped, 1, 0);
        status = q_reply_recv(&m);
    }
}

static void catcher_begin(void)
{
    if (catcher)
        return;
    catcher_endpoint = make(OBJ_endpoint, 0, 0);
    probers = arena_new(MAX_PROBERS * sizeof *probers);
    catcher = WORKER(catcher_main, probers, .endpoint = catcher_endpoint, .priority = 1);
}

/* ----------------------------------------------------------------------------------- the probers */

struct prober *prober_new(struct space *space, cap_t bank)
{
    struct prober *p = arena_new(sizeof *p);
    unsigned i = 0;

    catcher_begin();
    while (i < MAX_PROBERS && probers[i])
        i++;
    if (i == MAX_PROBERS)
        bail("over %u probers", MAX_PROBERS);
    probers[i] = p;
    p->handler = badged(catcher_endpoint, ENDPOINT_SEND, i + 1);
    p->worker =
        worker_new(&(struct worker_options){.space = space, .bank = bank, .handler = p->handler});
    return p;
}

static void prober_back(struct prober *p)
{
    for (unsigned i = 0; i < MAX_PROBERS; i++)
        if (probers[i] == p)
            probers[i] = NULL;
    drop(p->handler);
}

void prober_drop(struct prober *p)
{
    worker_drop(p->worker);
    prober_back(p);
}

void prober_forget(struct prober *p)
{
    worker_forget(p->worker);
    prober_back(p);
}

/* Runs in the prober. */
static void probe_main(void *argument)
{
    struct prober *p = argument;
    word_t result;

    p->touched.status = ST_OK;
    result = functions[p->op](p->address, p->value);
    if (p->touched.status == ST_OK)
        p->touched.result = result;
    p->touched.done = true;
}

void probe_start(struct prober *p, enum probe_op op, word_t address, word_t value)
{
    p->op = op;
    p->address = address;
    p->value = value;
    p->touched.done = false;
    worker_start(p->worker, probe_main, p);
}

bool probe_wait(struct prober *p)
{
    return wait_for(&p->touched.done) && thread_reaches(p->worker->thread, THREAD_STOPPED);
}

const struct touched *probe(struct prober *p, enum probe_op op, const volatile void *address,
                            word_t value)
{
    probe_start(p, op, (word_t)address, value);
    if (!probe_wait(p))
        bail("a probe of 0x%lx does not come back, thread in state %lu", (word_t)address,
             thread_read(p->worker->thread).state);
    return &p->touched;
}

const struct touched *touch(enum probe_op op, const volatile void *address)
{
    if (!own)
        own = prober_new(NULL, 0);
    return probe(own, op, address, 0);
}

word_t load(const volatile void *address)
{
    const struct touched *t = touch(PROBE_LOAD, address);

    if (t->status != ST_OK)
        bail("load of 0x%lx: %s", (word_t)address, status_name(t->status));
    return t->result;
}

const char *owner_of(const struct touched *t)
{
    static char name[OWNER_NAME_BYTES + 1];

    memcpy(name, t->message.owner, OWNER_NAME_BYTES);
    return name;
}

void probe_end(void)
{
    if (own)
        prober_drop(own);
    own = NULL;
    if (catcher) {
        worker_drop(catcher);
        drop(catcher_endpoint);
    }
    catcher = NULL;
}
