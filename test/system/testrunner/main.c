/* SPDX-License-Identifier: MIT */
/*
 * testrunner: runs each test program in a bank of its own and looks at what it leaves behind.
 *
 * It is the tests' console and exception handler, as init is for other programs.  After each test,
 * when all that the test had is taken away, the counters of the banks and the machine's free frames
 * must be what they were before; in a debug build the kernel then checks its invariants.  A test
 * that only waits for what never comes is ended by a watchdog: a thread that runs when nothing else
 * does.
 */
#include <stdio.h>

#include "lib/base/cpio.h"
#include "lib/rt/process.h"
#include "test/support/tap.h"

static const char *const tests[] = {
    "bank",         "cspace",      "thread",  "fpu",     "aspace",   "endpoint", "notification",
    "sched",        "timeouts",    "budgets", "irq",     "debug",    "memory",   "served",
    "waiters",      "mapping_ops", "real",    "stories", "traffic",  "storm",    "ranges",
    "ranges_model", "revoke",      "latency", "protect", "recover",  "debugger", "saved",
    "step",         "limits",      "pairs",   "private", "snapshot", "fork",     "alias",
};
#define NTESTS (sizeof tests / sizeof *tests)

#define BADGE          1
#define WATCHDOG_BIT   1
#define WATCHDOG_LOOPS 30000000u /* instructions with nothing else to do, about 3 each */

static cap_t root, debug, bundle_object, alarm_bell;
static struct cpio bundle;
static volatile unsigned watchdog_count;

/* ---------------------------------------------------------------------------------- the watchdog */

static void watchdog(void *argument)
{
    (void)argument;
    for (;;) {
        watchdog_count = 0;
        while (watchdog_count < WATCHDOG_LOOPS)
            watchdog_count++;
        q_notification_signal(alarm_bell, WATCHDOG_BIT);
    }
}

/* -------------------------------------------------------------------------- what a test may leave */

struct trace {
    word_t own[6], first[6]; /* bank.query of the runner's and of the first bank */
    word_t free_frames;
};

static void bank_words(cap_t bank, word_t *words)
{
    struct message m = {0};

    need((struct result){q_operation(bank, OP_bank_query, 0, &m), 0}, "bank.query");
    for (unsigned i = 0; i < 6; i++)
        words[i] = m.words[i];
}

static struct trace trace_take(void)
{
    struct message m = {0};
    struct trace t;

    bank_words(SLOT_BANK, t.own);
    bank_words(root, t.first);
    need((struct result){q_operation(debug, OP_debug_counters, 0, &m), 0}, "debug.counters");
    t.free_frames = m.words[4];
    return t;
}

/* used, slabs, frames, children; not limit and highest use */
static bool same_bank(const word_t *before, const word_t *after)
{
    bool equal = true;

    for (unsigned i = 1; i < 6; i++)
        equal = equal && (i == 2 || before[i] == after[i]);
    return equal;
}

static void compare(const char *name, const struct trace *before, const struct trace *after)
{
    if (!ok(same_bank(before->own, after->own) && same_bank(before->first, after->first),
            "after %s: bank counters are back to where they were", name)) {
        note("own bank: used %lu -> %lu, slabs %lu -> %lu", before->own[1], after->own[1],
             before->own[3], after->own[3]);
        note("first bank: used %lu -> %lu, slabs %lu -> %lu", before->first[1], after->first[1],
             before->first[3], after->first[3]);
    }
    same(after->free_frames, before->free_frames, "after %s: every frame is free again", name);
}

/* ------------------------------------------------------------------------------- running one test */

static const char *give(struct process *p)
{
    struct {
        const char *name;
        cap_t cap;
        word_t rights;
    } gifts[] = {
        {"debug", debug, RIGHTS_ALL},
        {"bundle", bundle_object, RIGHTS_ALL},
        {"devices", root, BANK_CREATE | BANK_DEVICE},
        {"root", root, BANK_DESTROY},
    };

    for (unsigned i = 0; i < sizeof gifts / sizeof *gifts; i++)
        if (process_give(p, gifts[i].name, gifts[i].cap, gifts[i].rights, 0).status != ST_OK)
            return gifts[i].name;
    return NULL;
}

static bool begin(struct process *p, const char *name)
{
    const struct process_options options = {
        .name = name,
        .parent_bank = SLOT_BANK,
        .bank_pages = 24000,
        .stack_pages = 16,
        .priority = 10,
        .cspace_bits = 10,
        .console = SLOT_ENDPOINT,
        .badge = BADGE,
    };
    struct cpio_entry file;
    struct result r;

    if (cpio_find(&bundle, name, &file) != CPIO_OK) {
        note("the bundle has no program %s", name);
        return false;
    }
    r = process_create(p, &options);
    if (r.status == ST_OK && give(p))
        r.status = ST_NO_SPACE;
    if (r.status == ST_OK)
        r = process_load(p, file.data, file.size_bytes);
    if (r.status == ST_OK)
        r = process_argument(p, name);
    if (r.status == ST_OK)
        r = process_start(p, env_verbose(), env_seed());
    if (r.status != ST_OK)
        note("%s: %s: %s 0x%lx", name, p->step, status_name(r.status), r.value);
    return r.status == ST_OK;
}

static void report(const struct message *m)
{
    const struct exception_message *e = (const void *)sys_buffer()->words;

    note("stopped: %s, address 0x%lx, pc 0x%lx, ra 0x%lx", status_name(message_status(m)),
         m->words[1], m->words[2], e->registers[0]);
}

/* Serve the test until it ends; its exit code, or a negative number. */
static int serve(void)
{
    struct message m = {0};
    status_t status = q_recv(&m, 0);

    while (status == ST_OK) {
        watchdog_count = 0;
        if (message_kind(&m) == MSG_NOTIFY) {
            note("it waits for what never comes");
            return -1;
        }
        if (message_kind(&m) == MSG_EXCEPTION) {
            report(&m);
            return -2;
        }
        if (message_label(&m) == CONSOLE_EXIT)
            return (int)m.words[0];
        message_prepare(&m, OP_debug_write, message_nwords(&m), 0);
        message_prepare(&m, q_call(debug, &m), 0, 0);
        status = q_reply_recv(&m);
    }
    note("receiving: %s", status_name(status));
    return -3;
}

static void run(const char *name)
{
    struct trace before = trace_take(), after;
    struct process p;
    int code = -4;

    printf("# %s\n", name);
    console_flush();
    if (begin(&p, name))
        code = serve();
    process_end(&p);
    after = trace_take();

    if (!ok(code == 0, "%s runs to its end and passes", name))
        note("it ended with %d", code);
    compare(name, &before, &after);
    q_debug_check(debug);
    console_flush();
}

/* The first program that is started and ended makes the runner touch all the memory it will use. */
static void warm_up(void)
{
    struct process p;

    trace_take();
    begin(&p, tests[0]);
    process_end(&p);
}

int main(void)
{
    struct rt_thread dog;
    word_t nbytes;

    root = env_cap("root");
    debug = env_cap("debug");
    bundle_object = env_cap("bundle");
    nbytes = need(q_memory_query(bundle_object), "the bundle's size");
    cpio_open(&bundle, (void *)need(map_anywhere(bundle_object, 0, nbytes, MAP_READ), "the bundle"),
              nbytes);
    warm_up();
    alarm_bell = need(object_create(SLOT_BANK, OBJ_notification, 0, 0), "a notification");
    need(q_notification_bind(alarm_bell, SLOT_THREAD), "binding it");
    need((struct result){thread_create(&dog, "watchdog", watchdog, NULL, 0, 8192), 0}, "watchdog");

    for (unsigned i = 0; i < NTESTS; i++)
        run(tests[i]);
    thread_destroy(&dog);
    return tap_end();
}
