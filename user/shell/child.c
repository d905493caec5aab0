/* SPDX-License-Identifier: MIT */
/*
 * Programs that the shell started: from the file pager's pages to their end.
 *
 * The shell calls none of them.  What they want comes as messages to the shell's endpoint, so a
 * program that hangs, a pager included, can be ended from the prompt.
 */
#include <stdio.h>
#include <string.h>

#include "lib/pager/file.h"
#include "lib/rt/report.h"
#include "user/shell/shell.h"

#define BANK_PAGES    256
#define SERVICE_PAGES 256
#define STACK_PAGES   16
#define PRIORITY      10
#define CSPACE_BITS   8

struct child children[CHILDREN];

static struct child *waited_for;
static word_t waited_code;

struct child *child_find(const char *name)
{
    for (unsigned i = 0; i < CHILDREN; i++)
        if (children[i].state == CHILD_RUNNING && strcmp(children[i].process.name, name) == 0)
            return &children[i];
    return NULL;
}

static struct child *child_free(void)
{
    for (unsigned i = 0; i < CHILDREN; i++)
        if (children[i].state == CHILD_FREE)
            return &children[i];
    return NULL;
}

/* ---- Start ------------------------------------------------------------------------------------*/

/* The program's file; its name may have the ending .elf there. */
static status_t open_program(const char *program, struct file *file)
{
    char name[FILE_NAME_BYTES + 1];
    status_t status = file_open(given.files, program, file);

    if (status != ST_NOT_FOUND || strlen(program) + 4 > FILE_NAME_BYTES)
        return status;
    snprintf(name, sizeof name, "%s.elf", program);
    return file_open(given.files, name, file);
}

/* Map its pages into the child: they come from the file pager when they are touched. */
static struct result load(struct process *p, const char *program)
{
    struct file file;
    struct result r, bytes;

    p->step = "opening its file";
    r = (struct result){open_program(program, &file), 0};
    if (r.status != ST_OK)
        return r;
    p->step = "mapping its file";
    bytes = file_map(&file, MAP_READ);
    r = bytes;
    if (r.status == ST_OK) {
        r = process_load_from(p, (const void *)bytes.value, file.size, file.object);
        unmap(bytes.value, file.size);
    }
    file_close(&file);
    return r;
}

static struct result give(struct child *child)
{
    struct process *p = &child->process;
    cap_t files = child->server ? child->server->process.endpoint : given.files;
    word_t number = (word_t)(child - children) + 1;
    struct result r;

    r = process_give(p, "files", files, ENDPOINT_SEND | ENDPOINT_GRANT, child->server ? number : 0);
    if (r.status == ST_OK && child->is_pager)
        r = process_give(p, "bundle", given.bundle, MEMORY_READ, 0);
    if (r.status == ST_OK && child->is_pager && given.initrd)
        r = process_give(p, "initrd", given.initrd, MEMORY_READ, 0);
    return r;
}

static struct result prepare(struct child *child, const char *program, const char *name, int argc,
                             char **argv)
{
    struct process_options options = {
        .name = name,
        .parent_bank = SLOT_BANK,
        .bank_pages = BANK_PAGES,
        .service_pages = child->is_pager ? SERVICE_PAGES : 0,
        .stack_pages = STACK_PAGES,
        .priority = PRIORITY,
        .cspace_bits = CSPACE_BITS,
        .console = SLOT_ENDPOINT,
        .badge = (word_t)(child - children) + 1,
    };
    struct result r = process_create(&child->process, &options);

    if (r.status == ST_OK)
        r = give(child);
    if (r.status == ST_OK)
        r = process_argument(&child->process, program);
    for (int i = 0; r.status == ST_OK && i < argc; i++)
        r = process_argument(&child->process, argv[i]);
    if (r.status == ST_OK)
        r = load(&child->process, program);
    if (r.status == ST_OK)
        r = process_start(&child->process, env_verbose(), env_seed());
    return r;
}

struct child *child_start(const char *program, const char *name, int argc, char **argv,
                          bool is_pager, struct child *server)
{
    struct child *child = child_free();
    struct result r;

    if (!child) {
        printf("%s: %d programs run already\n", program, CHILDREN);
        return NULL;
    }
    memset(child, 0, sizeof *child);
    child->is_pager = is_pager;
    child->server = server;
    r = prepare(child, program, name, argc, argv);
    if (r.status == ST_OK) {
        child->state = CHILD_RUNNING;
        return child;
    }
    if (child->process.problem)
        printf("%s: %s: %s\n", program, child->process.step, child->process.problem);
    else
        printf("%s: %s: %s: %s\n", program, child->process.step, status_name(r.status),
               status_text(r.status));
    process_end(&child->process);
    return NULL;
}

/* ---- End --------------------------------------------------------------------------------------*/

static bool has_clients(const struct child *pager)
{
    for (unsigned i = 0; i < CHILDREN; i++)
        if (children[i].state == CHILD_RUNNING && children[i].server == pager)
            return true;
    return false;
}

/* The objects of a pager go when no client is left that could touch them: until then it hears
 * OWNER_DEAD, not that nothing is mapped. */
static void take_service_away(struct child *pager)
{
    pager->state = CHILD_STOPPED;
    if (has_clients(pager))
        return;
    process_end(&pager->process);
    pager->state = CHILD_FREE;
}

void child_end(struct child *child)
{
    struct child *server = child->server;

    process_kill(&child->process);
    child->server = NULL;
    take_service_away(child);
    if (server && server->state == CHILD_STOPPED)
        take_service_away(server);
}

/* It ended by itself, or was ended by what it did. */
static void ended(struct child *child, word_t code)
{
    char name[STARTUP_NAME];

    memcpy(name, child->process.name, sizeof name);
    child_end(child);
    if (waited_for == child) {
        waited_for = NULL;
        waited_code = code;
    }
    if (code != 0 || child->is_background)
        printf("[%s ended with exit code %lu]\n", name, code);
}

void child_interrupt(void)
{
    if (!waited_for)
        return;
    printf("^C\n");
    ended(waited_for, 128 + 2);
}

bool child_is_waited_for(void)
{
    return waited_for != NULL;
}

word_t child_wait(struct child *child)
{
    waited_for = child;
    while (waited_for)
        serve_one();
    return waited_code;
}

/* ---- Messages ---------------------------------------------------------------------------------*/

static status_t write(const struct message *m)
{
    char text[(MESSAGE_WORDS - 1) * sizeof(word_t)];
    unsigned nwords = message_nwords(m);
    word_t nbytes = m->words[0];

    if (nwords < 1 || nbytes > (nwords - 1) * sizeof(word_t))
        return ST_BAD_LENGTH;
    message_get_bytes(m, 1, text, nbytes);
    console_write(text, nbytes);
    return ST_OK;
}

static void stopped(struct child *child, const struct message *m)
{
    struct exception_message e;

    exception_read(m, &e);
    report_exception(child->process.name, message_status(m), &e);
    ended(child, 128 + 6);
}

bool child_message(struct message *m, status_t *status)
{
    struct child *child = m->badge - 1 < CHILDREN ? &children[m->badge - 1] : NULL;
    bool is_call = message_kind(m) == MSG_CALL;

    *status = ST_BAD_OP;
    if (!child || child->state != CHILD_RUNNING)
        return is_call;
    if (message_kind(m) == MSG_EXCEPTION) {
        stopped(child, m);
        return false;
    }
    if (is_call && message_label(m) == CONSOLE_EXIT) {
        ended(child, message_nwords(m) ? m->words[0] & 0xff : 0);
        return false;
    }
    if (is_call && message_label(m) == CONSOLE_WRITE)
        *status = write(m);
    return is_call;
}
