/* SPDX-License-Identifier: MIT */
/*
 * Random calls that are likely to mean something.
 *
 * Half the art is to be wrong in one thing at a time: an argument's name says what it is, and most of
 * the time it gets a value of that sort, sometimes one that is not.  Names that nobody knows get
 * numbers at which something ends.
 */
#include "test/system/random_calls/choose.h"

#include <string.h>

struct random dice;

/* The last fault that any actor was told of. */
static struct {
    word_t offset, epoch, key;
} heard;
static unsigned listeners;  /* of the next jobs so many may be to receive */
static word_t saved_number; /* the last that an actor got from `save` */
static word_t at_rest;      /* slot of the thread that was configured or stopped last */

word_t below(word_t n)
{
    return random_below(&dice, n);
}

bool chance(unsigned percent)
{
    return below(100) < percent;
}

#define PICK(array) ((array)[below(sizeof(array) / sizeof *(array))])

/* --------------------------------------------------------------------------------------- values */

static word_t interesting(void)
{
    static const word_t values[] = {0,
                                    1,
                                    2,
                                    3,
                                    5,
                                    7,
                                    8,
                                    31,
                                    32,
                                    63,
                                    64,
                                    127,
                                    128,
                                    255,
                                    256,
                                    511,
                                    512,
                                    513,
                                    4095,
                                    4096,
                                    4097,
                                    8192,
                                    0x10000,
                                    0x1fffff,
                                    0x200000,
                                    0x40000000,
                                    0x3fffe00000,
                                    0x4000000000,
                                    0x7fffffffff,
                                    0xffffffff,
                                    0x100000000,
                                    1ul << 62,
                                    (1ul << 62) + 1,
                                    1ul << 63,
                                    0xffffffc080200000,
                                    0xffffffff80000000,
                                    -4096ul,
                                    -8ul,
                                    -1ul};

    return chance(85) ? PICK(values) : random_next(&dice);
}

static word_t any_slot(void)
{
    if (chance(90))
        return 1 + below(POOL_SLOTS - 1);
    return chance(50) ? below(WORLD_SLOTS + 8) : interesting();
}

static bool is_of(unsigned type, unsigned wanted)
{
    return wanted == TYPE_ANY      ? type != 0
           : wanted == TYPE_MEMORY ? type >= OBJ_MEMORY_FIRST
                                   : type == wanted;
}

/* A slot that holds that type, if one is found. */
static word_t slot_of(unsigned type)
{
    word_t number = any_slot();

    for (unsigned i = 0; i < 24 && !is_of(pool_type(number), type); i++)
        number = 1 + below(POOL_SLOTS - 1);
    return number;
}

static word_t empty_slot(void)
{
    word_t number = any_slot();

    for (unsigned i = 0; i < 6 && pool_type(number) != 0; i++)
        number = 1 + below(POOL_SLOTS - 1);
    return number;
}

static word_t address(void)
{
    if (chance(94))
        return PICK(windows) + PAGES(below(WINDOW_PAGES)) + (chance(10) ? 8 * below(512) : 0);
    return chance(5) ? STUB_ADDRESS : interesting();
}

static word_t bytes(void)
{
    if (chance(85))
        return PAGES(below(14)) + (chance(10) ? below(PAGE) : 0);
    return interesting();
}

/* Of an object: those there are have 20 pages. */
static word_t size(void)
{
    return chance(60) ? PAGES(16) + below(PAGES(12)) : bytes();
}

static word_t answer(void)
{
    static const word_t kinds[] = {ANSWER_MOVE,    ANSWER_COPY,  ANSWER_ZERO,
                                   ANSWER_ZERO,    ANSWER_ERROR, ANSWER_ALIAS,
                                   ANSWER_PROTECT, ANSWER_ALLOW, ANSWER_ZERO | ANSWER_PROTECTED};
    static const word_t errors[] = {ST_IO, ST_INTEGRITY, ST_TIMEOUT, ST_DENIED, ST_NO_SPACE, ST_OK};
    word_t kind = chance(95) ? PICK(kinds) : below(9);
    word_t count = chance(90) ? 1 + below(4) : interesting();

    if (kind == ANSWER_COPY && chance(80))
        count = 1 + below(9000);
    return answer_what(kind, kind == ANSWER_ERROR ? PICK(errors) : chance(3) ? 7 : 0, count);
}

static word_t permissions(void)
{
    static const word_t sets[] = {MAP_READ,
                                  MAP_READ | MAP_WRITE,
                                  MAP_READ | MAP_WRITE,
                                  MAP_READ | MAP_EXEC,
                                  MAP_READ | MAP_PRIVATE,
                                  MAP_EXEC,
                                  MAP_WRITE,
                                  ALL_ACCESS,
                                  0};

    return chance(85) ? PICK(sets) : chance(70) ? below(32) : interesting();
}

static word_t wants(void)
{
    static const word_t members[] = {MAPPING_on_mapped, MAPPING_on_unmapped, MAPPING_on_split,
                                     MAPPING_on_protect, MAPPING_resolve_fault};
    word_t bits = 0;

    for (unsigned i = 0; i < 4; i++)
        bits |= 1ul << PICK(members);
    return chance(90) ? bits : interesting();
}

/* Where a thread may be started: at the stub, mostly. */
static word_t start_pc(void)
{
    return chance(80) ? stub_place(stub_start) : interesting();
}

/* -------------------------------------------------------------------------------- arguments by name */

static word_t object_type(void)
{
    static const word_t types[] = {OBJ_bank,     OBJ_cspace, OBJ_thread,      OBJ_aspace,
                                   OBJ_endpoint, OBJ_sched,  OBJ_anon,        OBJ_served,
                                   OBJ_anon,     OBJ_served, OBJ_notification};

    return chance(90) ? PICK(types) : below(36);
}

/* What bank.create's a, b and c mean depends on the type. */
static word_t create_argument(word_t type, unsigned n)
{
    if (chance(8))
        return interesting();
    if (type == OBJ_bank)
        return 1 + below(60);
    if (type == OBJ_cspace)
        return 2 + below(6);
    if (type == OBJ_sched)
        return 2 + below(20);
    if (type == OBJ_anon || type == OBJ_served)
        return n == 0 ? 1 + below(PAGES(20)) : below(8);
    if (type == OBJ_phys)
        return n == 0 ? 0x101000 : PAGE;
    return below(16);
}

/* Arguments that name a capability, and of what. */
static const struct {
    const char *name;
    unsigned type;
} capabilities[] = {
    {"object", TYPE_MEMORY},    {"source", TYPE_MEMORY},
    {"from", OBJ_cspace},       {"cspace", OBJ_cspace},
    {"aspace", OBJ_aspace},     {"handler", OBJ_endpoint},
    {"endpoint", OBJ_endpoint}, {"sched", OBJ_sched},
    {"thread", OBJ_thread},     {"notification", OBJ_notification},
    {"bank", OBJ_bank},         {"child", OBJ_aspace},
};

/* Arguments that are something else, and how to make one up. */
static const struct {
    const char *name;
    word_t (*value)(void);
} values[] = {
    {"slot", empty_slot},   {"from_slot", any_slot}, {"vaddr", address},       {"length", bytes},
    {"offset", bytes},      {"size", size},          {"source_offset", bytes}, {"what", answer},
    {"flags", permissions}, {"shared", permissions}, {"private", permissions}, {"wants", wants},
    {"pc", start_pc},       {"type", object_type},
};

static bool is(const char *a, const char *b)
{
    return a && strcmp(a, b) == 0;
}

static word_t argument(const struct operation *op, unsigned n, const word_t *before)
{
    const char *name = n < op->nargs && n < MAX_ARGS ? op->args[n] : NULL;

    if (!name || chance(4))
        return interesting();
    if (is(op->object, "bank") && is(op->name, "create") && n >= 2)
        return create_argument(before[0], n - 2);
    if (is(op->object, "cspace") && is(op->name, "delete"))
        return any_slot();
    if (is(name, "epoch"))
        return chance(70) ? heard.epoch : below(4);
    if (is(name, "offset") && chance(40))
        return heard.offset;
    if (is(name, "rights"))
        return chance(50) ? RIGHTS_ALL : below(256);
    if (is(name, "priority"))
        return chance(90) ? 2 + below(16) : below(40);
    if (is(name, "records"))
        return chance(90) ? below(9) : interesting();
    if (is(name, "argument"))
        return JOB_ADDRESS0 + PAGES(below(NACTORS));
    for (unsigned i = 0; i < sizeof capabilities / sizeof *capabilities; i++)
        if (is(name, capabilities[i].name))
            return chance(90) ? slot_of(capabilities[i].type) : chance(50) ? 0 : any_slot();
    for (unsigned i = 0; i < sizeof values / sizeof *values; i++)
        if (is(name, values[i].name))
            return values[i].value();
    return interesting();
}

/* ----------------------------------------------------------------------------------------- jobs */

/* Word n of the message: a register or the buffer. */
static void set_word(struct job *job, unsigned n, word_t value)
{
    if (n < MESSAGE_REGISTERS)
        job->in[n] = value;
    else if (n < MESSAGE_WORDS)
        job->buffer[n] = value;
}

static void fill_buffer(struct job *job)
{
    for (unsigned i = 0; i < JOB_WORDS; i++)
        job->buffer[i] = i < MESSAGE_WORDS                  ? 0
                         : i < MESSAGE_WORDS + MESSAGE_CAPS ? any_slot()
                         : chance(60)                       ? empty_slot()
                                                            : 0;
}

/* The extents of served.answer beyond the first repeat its arguments. */
static unsigned add_extents(const struct operation *op, struct job *job)
{
    unsigned n = chance(70) ? 0 : 1 + below(4);

    for (unsigned i = 0; i < 4 * n; i++)
        set_word(job, 5 + i, argument(op, 1 + i % 4, job->in));
    return 4 * n;
}

/* Registers with which a thread can do something: words `run`, pc, x1 to x31. */
static void choose_registers(struct job *job)
{
    set_word(job, 0, chance(95) ? below(2) : interesting());
    set_word(job, 1, start_pc());
    for (unsigned i = 2; i < 33; i++)
        set_word(job, i, interesting());
    set_word(job, 1 + 10, JOB_ADDRESS0 + PAGES(below(NACTORS))); /* a0, of the stub */
}

static void choose_operation(struct job *job, unsigned index)
{
    const struct operation *op = &operations[index];
    unsigned nwords = op->nargs > op->needs ? op->nargs : op->needs;
    word_t kind = chance(85) ? SYS_CALL : chance(50) ? SYS_SEND : SYS_REPLY_RECV;

    job->in[6] = chance(95) ? slot_of(op->type) : any_slot();
    for (unsigned i = 0; i < nwords; i++)
        set_word(job, i, argument(op, i, job->in));
    if (op->type == OBJ_thread && op->number >= OP_thread_read_registers && chance(60))
        job->in[6] = at_rest;
    if (is(op->name, "write_registers"))
        choose_registers(job);
    if (is(op->name, "answer"))
        nwords += add_extents(op, job);
    if (chance(6))
        nwords = below(MESSAGE_WORDS + 6);
    job->in[7] = tag_make(kind | (chance(50) ? SYS_NONBLOCK : 0), op->number, nwords,
                          chance(5) ? below(8) : 0);
}

/* An answer to what was heard last that is right in all but perhaps one thing. */
static void choose_answer(struct job *job)
{
    word_t source = chance(70) ? world.anon : world.served[below(2)];
    const word_t words[] = {heard.epoch, answer(), heard.offset, source, PAGES(below(12))};

    job->in[6] = world.served[heard.key % 2];
    for (unsigned i = 0; i < 5; i++)
        if (chance(97))
            job->in[i] = words[i];
    job->in[7] = tag_make(chance(70) ? SYS_CALL : SYS_REPLY_RECV, OP_served_answer, 5, 0);
}

/* A system call on an endpoint: call, send, recv, reply by number. */
static void choose_call(struct job *job, unsigned index)
{
    static const word_t kinds[] = {0,        SYS_CALL,       SYS_SEND, SYS_RECV, SYS_REPLY_RECV,
                                   SYS_SAVE, SYS_REPLY_SAVED};
    unsigned number = operations[index].number;
    word_t kind = number < sizeof kinds / sizeof *kinds ? kinds[number] : SYS_CALL;

    job->in[6] = kind == SYS_REPLY_RECV    ? 0
                 : kind == SYS_REPLY_SAVED ? (chance(80) ? saved_number : 1 + below(3))
                                           : slot_of(OBJ_endpoint);
    job->in[7] = tag_make(kind | (chance(50) ? SYS_NONBLOCK : 0), chance(60) ? 0 : below(60),
                          below(12), chance(30) ? below(6) : 0);
    for (unsigned i = 0; i < 12; i++)
        set_word(job, i, chance(50) ? permissions() : interesting());
    if (chance(30))
        job->in[0] = stub_place(chance(50) ? stub_done : stub_go);
}

static void choose_raw(struct job *job)
{
    job->in[6] = any_slot();
    job->in[7] = tag_make(below(chance(80) ? 5 : 16) | below(16) << 4,
                          chance(80) ? below(32) : interesting(), below(128), below(8)) |
                 (chance(10) ? random_next(&dice) : 0);
}

/* An address that is mapped in the space, if one is found; not the stub or the jobs. */
static word_t mapped_address(cap_t space)
{
    struct message m = {.words = {address()}};
    word_t npages;

    if (q_operation(space, OP_aspace_query, 1, &m) != ST_OK || m.words[0] < windows[0])
        return address();
    npages = m.words[1] / PAGE;
    return m.words[0] + PAGES(below(npages < WINDOW_PAGES ? npages : WINDOW_PAGES)) +
           8 * below(512);
}

/* Often the place that another actor touched: two that wait for one page. */
static word_t touched_address(cap_t space)
{
    static word_t last;

    if (!chance(30))
        last = chance(65) ? mapped_address(space) : address();
    return last;
}

static const char *choose_touch(struct job *job, cap_t space)
{
    static const char *const labels[] = {stub_load,  stub_load, stub_store,
                                         stub_store, stub_amo,  stub_jump};
    const char *label = PICK(labels);

    job->address = touched_address(space);
    job->value = chance(50) ? 0 : 0x9002900290029002; /* breakpoints, in case it is executed */
    if (label == stub_store || label == stub_amo)
        job->address &= ~7ul;
    if (label == stub_jump && job->address - STUB_ADDRESS < PAGE)
        job->address = 0; /* the stub would go round and round */
    return label;
}

static unsigned index_of(const char *object, const char *name)
{
    for (unsigned i = 0; i < noperations; i++)
        if (is(operations[i].object, object) && is(operations[i].name, name))
            return i;
    return NO_OPERATION;
}

static bool has_saved(const struct job *job)
{
    return tag_kind(job->in[7]) == SYS_SAVE && job->out[7] == tag_make(MSG_REPLY, ST_OK, 1, 0);
}

/* A thread has been configured or stopped. */
static bool has_settled(const struct job *job)
{
    uint32_t operation = tag_label(job->in[7]);

    return pool_type(job->in[6]) == OBJ_thread &&
           (operation == OP_thread_configure || operation == OP_thread_stop) &&
           tag_kind(job->out[7]) == MSG_REPLY && tag_label(job->out[7]) == ST_OK;
}

/* Who was asked something mostly answers. */
static unsigned what_follows(const struct job *job)
{
    word_t tag = job->out[7];

    switch (tag_kind(tag)) {
    case MSG_CALL:
    case MSG_EXCEPTION:
    case MSG_ASK:
        return index_of("endpoint", chance(80) ? "reply" : "save");
    case MSG_EVENT:
        return tag_label(tag) == MAPPING_resolve_fault ? index_of("served", "answer")
                                                       : index_of("endpoint", "recv");
    case MSG_REPLY:
        return has_saved(job) ? index_of("endpoint", "reply_saved") : NO_OPERATION;
    default:
        return NO_OPERATION;
    }
}

/* What needs much to be right at once is tried more often. */
static unsigned seldom(void)
{
    static const char *const names[][2] = {
        {"thread", "write_float"},     {"thread", "write_float"},   {"thread", "write_registers"},
        {"thread", "write_registers"}, {"endpoint", "reply_saved"}, {"endpoint", "reply_saved"},
        {"memory", "snapshot"}};
    unsigned i = (unsigned)below(sizeof names / sizeof *names);

    return index_of(names[i][0], names[i][1]);
}

void choose_job(struct job *job, cap_t space, unsigned *operation)
{
    unsigned likely = job->finished ? what_follows(job) : NO_OPERATION;
    word_t what = likely != NO_OPERATION && chance(75) ? 100 : below(100);

    job->finished = 0;
    *operation = NO_OPERATION;
    if (listeners > 0 && what != 100 && chance(50)) {
        listeners--;
        what = 98;
    }
    if (what < 26) {
        job->action = stub_place(choose_touch(job, space));
        return;
    }
    job->action = stub_place(stub_call);
    for (unsigned i = 0; i < 6; i++)
        job->in[i] = interesting();
    fill_buffer(job);
    if (what < 32) {
        choose_raw(job);
        return;
    }
    *operation = what == 100 ? likely : below(noperations);
    if (what == 98)
        *operation = index_of("endpoint", "recv");
    else if (what >= 92 && what < 100)
        *operation = seldom();
    if (operations[*operation].is_call)
        choose_call(job, *operation);
    else
        choose_operation(job, *operation);
    if (what == 99 && chance(80))
        job->in[6] = world.threads[below(NACTORS)];
    if (what == 100 && is(operations[likely].name, "answer") && chance(75))
        choose_answer(job);
}

void choose_listeners(void)
{
    listeners = 4;
}

void choose_remember(const struct job *job)
{
    word_t tag = job->out[7];

    if (has_saved(job))
        saved_number = job->out[0];
    if (has_settled(job))
        at_rest = job->in[6];
    if (tag_kind(tag) == MSG_EVENT && tag_label(tag) == MAPPING_resolve_fault) {
        heard.offset = job->out[0];
        heard.epoch = job->out[5];
        heard.key = job->out[6];
    }
}
