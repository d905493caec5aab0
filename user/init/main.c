/* SPDX-License-Identifier: MIT */
/*
 * init: the first program.  The kernel starts it with all there is; it starts the others with what
 * the system description (system.dtb in the boot bundle) gives them, and then serves their console,
 * their exit and their exceptions.  README.md has the schema of the description.
 *
 * One thread, and it calls nobody but the kernel, so no program can make it wait.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/rt/report.h"
#include "user/init/init.h"

static struct init init;
static word_t bundle_bytes; /* a0 at start */

/* In place of the startup page, which init has not: see lib/rt/env.h. */
const struct startup *rt_find_startup(word_t argument)
{
    static struct startup startup = {
        .magic = STARTUP_MAGIC,
        .cspace_bits = FIRST_CSPACE_BITS,
        .first_free_slot = SLOT_FIRST_GIVEN,
        .name = "init",
    };

    bundle_bytes = argument;
    return &startup;
}

/* Console messages are laid out as debug.write and debug.power_off, so init's own go there. */
cap_t env_console(void)
{
    return FIRST_DEBUG;
}

/* ---- Boot -------------------------------------------------------------------------------------*/

static const void *map_to_read(cap_t object, word_t nbytes, const char *what)
{
    return (const void *)need(map_anywhere(object, 0, nbytes, MAP_READ), what);
}

/* v=1 and seed=n among the words of the kernel's command line. */
static void read_command_line(const char *line)
{
    while (*line) {
        size_t n = strcspn(line, " ");

        if (n == 3 && memcmp(line, "v=1", 3) == 0)
            init.verbose = true;
        else if (n > 5 && memcmp(line, "seed=", 5) == 0)
            init.seed = strtoul(line + 5, NULL, 0);
        line += n;
        line += strspn(line, " ");
    }
}

static void read_machine(void)
{
    const void *head = map_to_read(FIRST_DEVICE_TREE, 4096, "mapping the device tree");
    u32 nbytes = fdt_peek_size(head);
    struct fdt machine;
    const void *blob;
    const char *line;

    unmap((word_t)head, 4096);
    if (nbytes == 0)
        fatal("the machine's device tree cannot be read");
    blob = map_to_read(FIRST_DEVICE_TREE, nbytes, "mapping the device tree");
    if (fdt_open(&machine, blob, nbytes) != FDT_OK)
        fatal("the machine's device tree is damaged");
    /* What is missing of the machine was the kernel's matter; init wants its UART only. */
    (void)machine_read(&init.machine, &machine);
    line = fdt_first_string(&machine, fdt_find(&machine, "/chosen"), "bootargs");
    read_command_line(line ? line : "");
    unmap((word_t)blob, nbytes);
}

static enum cpio_error read_archive(cap_t object, word_t nbytes, const char *what)
{
    struct cpio *archive = &init.archives[init.narchives];
    enum cpio_error error = cpio_open(archive, map_to_read(object, nbytes, what), nbytes);

    if (error == CPIO_OK)
        init.narchives++;
    else
        printf("init: %s is no archive, and left out: %s\n", what, cpio_error_text(error));
    return error;
}

/* The archive that the boot loader added, if any, comes first, so that it can replace files. */
static void read_archives(void)
{
    struct message m = {.words = {0}};
    struct cpio_entry entry;
    enum fdt_error bad;

    if (q_operation(FIRST_INITRD, OP_memory_query, 0, &m) == ST_OK &&
        read_archive(FIRST_INITRD, m.words[0], "the initrd") != CPIO_OK)
        q_cspace_delete(SLOT_CSPACE, FIRST_INITRD); /* so that nobody is given it */
    if (read_archive(FIRST_BUNDLE, bundle_bytes, "the boot bundle") != CPIO_OK)
        fatal("there is nothing to start");
    if (!file_find(&init, "system.dtb", &entry))
        fatal("the boot bundle has no system.dtb");
    bad = fdt_open(&init.description, entry.data, entry.size_bytes);
    if (bad != FDT_OK)
        fatal("system.dtb: %s", fdt_error_text(bad));
}

bool file_find(const struct init *from, const char *name, struct cpio_entry *entry)
{
    for (unsigned i = 0; i < from->narchives; i++)
        if (cpio_find(&from->archives[i], name, entry) == CPIO_OK)
            return true;
    return false;
}

/* ---- Service ----------------------------------------------------------------------------------*/

void system_end(word_t code)
{
    exit(code > 127 ? 127 : (int)code);
}

void program_ended(struct program *program, word_t code)
{
    bool any = false;

    program->state = MANAGE_ENDED;
    if (program->drives_console)
        output_stop();
    if (program->gives_status)
        init.status = code;
    if (program->ends_system)
        system_end(code);
    system_start_after(&init, program);
    for (unsigned i = 0; i < init.nprograms; i++)
        any = any || init.programs[i].state == MANAGE_RUNNING;
    if (!any) {
        printf("init: no program is left\n");
        system_end(code);
    }
}

static void serve_exit(struct program *program, const struct message *m)
{
    word_t code = message_nwords(m) ? m->words[0] & 0xff : 0;

    process_end(&program->process);
    program_ended(program, code);
}

static void serve_exception(struct program *program, const struct message *m)
{
    struct exception_message e;

    exception_read(m, &e);
    if (program->drives_console)
        output_stop();
    report_exception(program->name, message_status(m), &e);
    process_kill(&program->process);
    program_ended(program, 1);
}

/* A call of a program that runs: make *m the reply.  false: it gets none. */
static bool serve_call(struct program *program, struct message *m)
{
    status_t reply = ST_BAD_OP;

    switch (message_label(m)) {
    case CONSOLE_WRITE:
        reply = output_serve(m);
        break;
    case CONSOLE_READY:
        if (program->drives_console) {
            output_start();
            reply = ST_OK;
        }
        break;
    case CONSOLE_EXIT:
        serve_exit(program, m);
        return false;
    }
    message_prepare(m, reply, 0, 0);
    return true;
}

static void __attribute__((noreturn)) serve(void)
{
    struct message m;
    status_t status = q_recv(&m, 0);

    for (;;) {
        struct program *program = m.badge - 1 < init.nprograms ? &init.programs[m.badge - 1] : NULL;
        bool answer = false;

        if (status != ST_OK) {
            /* A reply that fails is no reason to stop serving; that nothing can be received is. */
            status = q_recv(&m, 0);
            if (status != ST_OK)
                fatal("receiving: %s: %s", status_name(status), status_text(status));
            continue;
        }
        if (message_kind(&m) == MSG_EXCEPTION && program) {
            serve_exception(program, &m);
        } else if (message_kind(&m) == MSG_CALL) {
            answer = true;
            if (program)
                answer = serve_call(program, &m);
            else if (m.badge & MANAGE_BADGE)
                manage_serve(&init, &m);
            else
                message_prepare(&m, ST_BAD_OP, 0, 0);
        }
        status = answer ? q_reply_recv(&m) : q_recv(&m, 0);
    }
}

int main(void)
{
    read_machine();
    read_archives();
    init.endpoint = need(object_create(SLOT_BANK, OBJ_endpoint, 0, 0), "making the endpoint");
    need(q_thread_bind(SLOT_THREAD, init.endpoint), "binding the thread");
    system_start(&init);
    serve();
}
