/* SPDX-License-Identifier: MIT */
/*
 * What the shell prints of the system: programs, threads, mappings, banks, waits.
 *
 * Its own programs it knows; those of init it asks init for (user/init/manage.h); threads and the
 * kernel's counters it asks the debug object for.
 */
#include <stdio.h>
#include <string.h>

#include "user/driver/uart/uart.h"
#include "user/init/manage.h"
#include "user/shell/shell.h"

/* ---- Programs of init -------------------------------------------------------------------------*/

struct managed {
    char name[MANAGE_NAME_WORDS * sizeof(word_t) + 1];
    enum manage_state state;
    cap_t aspace, bank, service_bank; /* 0 where there is none */
};

/* The index-th program of init, with capabilities in fresh slots: managed_release. */
static bool managed_get(word_t index, struct managed *program)
{
    cap_t slots[MANAGE_CAPS], *const cap[MANAGE_CAPS] = {&program->aspace, &program->bank,
                                                         &program->service_bank};
    struct message m = {.words = {index}};
    status_t status;
    unsigned ncaps;

    memset(program, 0, sizeof *program);
    for (unsigned i = 0; i < MANAGE_CAPS; i++)
        sys_buffer()->receive[i] = slots[i] = slot_alloc();
    message_prepare(&m, MANAGE_PROGRAM, 1, 0);
    status = q_call(given.manage, &m);
    ncaps = status == ST_OK ? tag_ncaps(m.tag) : 0;
    for (unsigned i = 0; i < MANAGE_CAPS; i++) {
        sys_buffer()->receive[i] = 0;
        if (i < ncaps)
            *cap[i] = slots[i];
        else
            slot_release(slots[i]);
    }
    if (status != ST_OK)
        return false;
    program->state = (enum manage_state)m.words[0];
    message_get_bytes(&m, 1, program->name, sizeof program->name - 1);
    return true;
}

static void managed_release(struct managed *program)
{
    slot_free(program->aspace);
    slot_free(program->bank);
    slot_free(program->service_bank);
}

status_t kill_program(const char *name)
{
    struct managed program;
    struct message m = {.words = {0}};

    for (word_t i = 0; managed_get(i, &program); i++) {
        managed_release(&program);
        if (strcmp(program.name, name) != 0)
            continue;
        m.words[0] = i;
        message_prepare(&m, MANAGE_KILL, 1, 0);
        return q_call(given.manage, &m);
    }
    return ST_NOT_FOUND;
}

#define TICK_MS 10ul /* debug.thread counts in ticks */

/* ---- ps and faults ----------------------------------------------------------------------------*/

struct thread_info {
    word_t serial, state, pc, address, offset;
    word_t ticks_waited;
    char name[17];
    char owner[OWNER_NAME_BYTES + 1];
};

static bool thread_get(word_t index, struct thread_info *t)
{
    struct message m = {.words = {index}};

    memset(t, 0, sizeof *t);
    if (!given.debug || q_operation(given.debug, OP_debug_thread, 1, &m) != ST_OK ||
        message_nwords(&m) == 0)
        return false;
    t->serial = m.words[0];
    t->state = m.words[1];
    memcpy(t->name, &m.words[2], 16);
    t->pc = m.words[4];
    t->address = m.words[5];
    t->offset = message_word(&m, 6);
    message_get_bytes(&m, 7, t->owner, OWNER_NAME_BYTES);
    t->ticks_waited = message_word(&m, 7 + OWNER_NAME_BYTES / 8);
    return true;
}

static const char *state_name(word_t state)
{
    static const char *const names[] = {
        [THREAD_NEW] = "new",         [THREAD_STOPPED] = "stopped",
        [THREAD_READY] = "ready",     [THREAD_SENDING] = "sending",
        [THREAD_CALLING] = "calling", [THREAD_RECEIVING] = "receiving",
        [THREAD_WAITING] = "waiting", [THREAD_FAULTING] = "faulting",
    };

    return state < sizeof names / sizeof names[0] ? names[state] : "?";
}

static void show_threads(void)
{
    struct thread_info t;

    printf("\n%6s  %-16s %-10s %s\n", "thread", "name", "state", "at");
    for (word_t i = 0; thread_get(i, &t); i++)
        printf("%6lu  %-16s %-10s %#lx\n", t.serial, t.name, state_name(t.state), t.pc);
}

static void show_console(void)
{
    struct message m = {.words = {0}};

    message_prepare(&m, UART_QUERY, 0, 0);
    if (q_call(given.uart, &m) == ST_OK)
        printf("\nuart: %lu interrupts, %lu bytes received, %lu sent, %lu lost\n", m.words[0],
               m.words[1], m.words[2], m.words[3]);
    if (given.debug && q_operation(given.debug, OP_debug_counters, 0, &m) == ST_OK)
        printf("kernel: %lu ticks, %lu switches, %lu faults, %lu messages written to the console\n",
               m.words[0], m.words[2], m.words[3], m.words[5]);
}

void show_programs(void)
{
    static const char *const states[] = {
        [MANAGE_ABSENT] = "no device",
        [MANAGE_WAITING] = "waits",
        [MANAGE_RUNNING] = "runs",
        [MANAGE_ENDED] = "ended",
    };
    struct managed program;

    printf("%-16s %-10s %s\n", "program", "state", "started by");
    for (word_t i = 0; managed_get(i, &program); i++) {
        printf("%-16s %-10s init\n", program.name,
               program.state <= MANAGE_ENDED ? states[program.state] : "?");
        managed_release(&program);
    }
    for (unsigned i = 0; i < CHILDREN; i++)
        if (children[i].state != CHILD_FREE)
            printf("%-16s %-10s shell%s\n", children[i].process.name,
                   children[i].state == CHILD_RUNNING ? "runs" : "stopped",
                   children[i].is_pager ? ", a pager" : "");
    show_threads();
    show_console();
}

/* For each served object that anybody has waited for: how often, and for how long. */
static void show_past_waits(void)
{
    for (word_t i = 0;; i++) {
        struct message m = {.words = {i}};
        char owner[OWNER_NAME_BYTES + 1] = "";

        if (!given.debug || q_operation(given.debug, OP_debug_served, 1, &m) != ST_OK ||
            message_nwords(&m) == 0)
            return;
        message_get_bytes(&m, 4, owner, OWNER_NAME_BYTES);
        if (m.words[1])
            printf("waits past: %lu for '%s', %lu ms in all, %lu ms the longest\n", m.words[1],
                   owner, m.words[2] * TICK_MS, m.words[3] * TICK_MS);
    }
}

void show_waits(void)
{
    struct thread_info t;
    bool any = false;

    for (word_t i = 0; thread_get(i, &t); i++) {
        if (t.state != THREAD_FAULTING)
            continue;
        any = true;
        printf("waits now: %s for '%s', %lu ms: page %#lx, touched %#lx at pc %#lx\n", t.name,
               t.owner, t.ticks_waited * TICK_MS, t.offset, t.address, t.pc);
    }
    if (!any)
        printf("nobody waits for a page\n");
    show_past_waits();
}

/* ---- maps -------------------------------------------------------------------------------------*/

static void show_space(const char *name, cap_t aspace)
{
    word_t at = 0;

    printf("%s:\n", name);
    for (;;) {
        struct message m = {.words = {at}};
        char owner[OWNER_NAME_BYTES + 1] = "";

        if (q_operation(aspace, OP_aspace_query, 1, &m) != ST_OK)
            return;
        message_get_bytes(&m, 5, owner, OWNER_NAME_BYTES);
        printf("  %012lx-%012lx %c%c%c%c %8lx  %4lu %s\n", m.words[0], m.words[0] + m.words[1],
               m.words[3] & MAP_READ ? 'r' : '-', m.words[3] & MAP_WRITE ? 'w' : '-',
               m.words[3] & MAP_EXEC ? 'x' : '-', m.words[3] & MAP_PRIVATE ? 'p' : 's', m.words[2],
               m.words[4], owner);
        at = m.words[0] + m.words[1];
    }
}

void show_maps(const char *name)
{
    struct managed program;
    bool found = false;

    for (word_t i = 0; managed_get(i, &program); i++) {
        if (program.aspace && (!name || strcmp(name, program.name) == 0)) {
            found = true;
            show_space(program.name, program.aspace);
        }
        managed_release(&program);
    }
    for (unsigned i = 0; i < CHILDREN; i++) {
        const struct process *p = &children[i].process;

        if (children[i].state != CHILD_RUNNING || (name && strcmp(name, p->name) != 0))
            continue;
        found = true;
        show_space(p->name, p->aspace);
    }
    if (!found)
        printf("maps: no program called '%s' runs\n", name ? name : "");
}

/* ---- mem --------------------------------------------------------------------------------------*/

static void show_bank(const char *name, const char *what, cap_t bank)
{
    struct message m = {.words = {0}};
    char title[40];

    if (!bank || q_operation(bank, OP_bank_query, 0, &m) != ST_OK)
        return;
    snprintf(title, sizeof title, "%s%s", name, what);
    printf("%-20s %8lu %8lu %8lu %8lu %8lu %8lu\n", title, m.words[0], m.words[1], m.words[2],
           m.words[3], m.words[4], m.words[5]);
}

void show_banks(void)
{
    struct managed program;
    struct message m = {.words = {0}};

    printf("%-20s %8s %8s %8s %8s %8s %8s\n", "bank (pages)", "limit", "used", "peak", "objects",
           "frames", "banks");
    show_bank("machine", "", given.bank);
    for (word_t i = 0; managed_get(i, &program); i++) {
        show_bank(program.name, "", program.bank);
        show_bank(program.name, ", served", program.service_bank);
        managed_release(&program);
    }
    for (unsigned i = 0; i < CHILDREN; i++) {
        if (children[i].state == CHILD_FREE)
            continue;
        show_bank(children[i].process.name, "", children[i].process.bank);
        show_bank(children[i].process.name, ", served", children[i].process.service_bank);
    }
    if (given.debug && q_operation(given.debug, OP_debug_counters, 0, &m) == ST_OK)
        printf("%lu pages of the machine are free\n", m.words[4]);
}
