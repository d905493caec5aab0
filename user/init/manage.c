/* SPDX-License-Identifier: MIT */
/* What a manager (the shell) may ask of init; the protocol is manage.h. */
#include <string.h>

#include "user/init/init.h"

/* Copies that travel in a reply stay in these slots until the next one; the receiver's are children
 * of them. */
static cap_t passing[MANAGE_CAPS];

static unsigned pass(unsigned n, cap_t cap)
{
    struct result copy = cap ? cap_mint(cap, 0, 0) : (struct result){ST_NOT_FOUND, 0};

    if (copy.status != ST_OK)
        return n;
    passing[n] = copy.value;
    sys_buffer()->send[n] = copy.value;
    return n + 1;
}

static void tell_program(const struct program *program, struct message *m)
{
    const struct process *p = &program->process;
    char name[MANAGE_NAME_WORDS * sizeof(word_t)] = "";
    unsigned ncaps = 0;

    for (unsigned i = 0; i < MANAGE_CAPS; i++) {
        slot_free(passing[i]);
        passing[i] = 0;
    }
    memcpy(name, program->name, strnlen(program->name, sizeof name - 1));
    m->words[0] = program->state;
    message_put_bytes(m, 1, name, sizeof name);
    if (program->state == MANAGE_RUNNING) {
        ncaps = pass(ncaps, p->aspace);
        ncaps = pass(ncaps, p->bank);
        ncaps = pass(ncaps, p->service_bank);
    }
    message_prepare(m, ST_OK, 1 + MANAGE_NAME_WORDS, ncaps);
}

void manage_serve(struct init *init, struct message *m)
{
    struct program *program = m->words[0] < init->nprograms ? &init->programs[m->words[0]] : NULL;
    word_t operation = message_label(m);

    if (operation == MANAGE_POWER_OFF)
        system_end(init->status);
    if (operation != MANAGE_PROGRAM && operation != MANAGE_KILL) {
        message_prepare(m, ST_BAD_OP, 0, 0);
    } else if (message_nwords(m) < 1 || !program ||
               (operation == MANAGE_KILL && program->state != MANAGE_RUNNING)) {
        message_prepare(m, ST_NOT_FOUND, 0, 0);
    } else if (operation == MANAGE_PROGRAM) {
        tell_program(program, m);
    } else {
        process_end(&program->process);
        program_ended(program, 128 + 9);
        message_prepare(m, ST_OK, 0, 0);
    }
}
