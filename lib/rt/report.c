/* SPDX-License-Identifier: MIT */
/*
 * The report of an exception: what the program did, where, whose memory it was, and its registers.
 *
 * Names come from programs, so they are printed escaped; the numbers come from the kernel.
 */
#include "lib/rt/report.h"

#include <stdio.h>

#include "lib/base/text.h"

static const char *access_verb(word_t access)
{
    static const char *const verbs[] = {
        [ACCESS_LOAD] = "load from",
        [ACCESS_STORE] = "store to",
        [ACCESS_INSTRUCTION] = "instruction fetch from",
    };

    return access < sizeof verbs / sizeof verbs[0] ? verbs[access] : "access to";
}

static void print_registers(const struct exception_message *e)
{
    static const char *const names[31] = {
        "ra", "sp", "gp", "tp",  "t0",  "t1", "t2", "s0", "s1", "a0", "a1",
        "a2", "a3", "a4", "a5",  "a6",  "a7", "s2", "s3", "s4", "s5", "s6",
        "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6",
    };

    printf("  pc  %016lx", e->pc);
    for (unsigned i = 0; i < 31; i++)
        printf("%s%-3s %016lx", (i + 1) % 4 ? "  " : "\n  ", names[i], e->registers[i]);
    printf("\n");
}

static void report_access(const struct exception_message *e)
{
    char owner[4 * OWNER_NAME_BYTES + 1];
    struct text text;

    text_init(&text, owner, sizeof owner);
    text_escape(&text, (const char *)e->owner, OWNER_NAME_BYTES);
    printf("  %s %#lx at pc %#lx\n", access_verb(e->access), e->address, e->pc);
    if (e->region_length)
        printf("  region %#lx to %#lx, mapping %lu, owner '%s'\n", e->region_start,
               e->region_start + e->region_length, e->mapping, owner);
    else
        printf("  no region holds that address\n");
}

void report_exception(const char *program, status_t status, const struct exception_message *e)
{
    char thread[4 * sizeof e->name + 1];
    struct text text;

    text_init(&text, thread, sizeof thread);
    text_escape(&text, (const char *)e->name, sizeof e->name);

    printf("%s: program '%s' (thread '%s') was stopped by %s: %s\n", env_name(), program, thread,
           status_name(status), status_text(status));
    if (status == ST_ILLEGAL || status == ST_BREAKPOINT || status == ST_BAD_CALL)
        printf("  at pc %#lx, cause %lu, value %#lx\n", e->pc, e->access, e->address);
    else
        report_access(e);
    print_registers(e);
}

void exception_read(const struct message *m, struct exception_message *e)
{
    for (unsigned i = 0; i < EXCEPTION_WORDS; i++)
        ((word_t *)e)[i] = message_word(m, i);
}
