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
    line = fdt_first_string(&machine, fdt_find(&machine, "/chosen"), "bootargs");
    read_command_line(line ? line : "");
    unmap((word_t)blob, nbytes);
}

static void read_archive(cap_t object, word_t nbytes, const char *what)
{
    struct cpio *archive = &init.archives[init.narchives++];
    enum cpio_error error = cpio_open(archive, map_to_read(object, nbytes, what), nbytes);

    if (error != CPIO_OK)
        fatal("%s: %s", what, cpio_error_text(error));
}

/* The archive that the boot loader added, if any, comes first, so that it can replace files. */
static void read_archives(void)
{
    struct message m = {.words = {0}};
    struct cpio_entry entry;
    enum fdt_error bad;

    if (q_operation(FIRST_INITRD, OP_memory_query, 0, &m) == ST_OK)
        read_archive(FIRST_INITRD, m.words[0], "the initrd");
    read_archive(FIRST_BUNDLE, bundle_bytes, "the boot bundle");
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

static void __attribute__((noreturn)) end_system(word_t code)
{
    exit(code > 127 ? 127 : (int)code);
}

/* A program is gone: does the system go on? */
static void program_ended(struct program *program, word_t code)
{
    bool any = false;

    program->alive = false;
    if (program->ends_system)
        end_system(code);
    for (unsigned i = 0; i < init.nprograms; i++)
        any = any || init.programs[i].alive;
    if (!any) {
        printf("init: no program is left\n");
        end_system(code);
    }
}

/* CONSOLE_WRITE: what came goes on as it is, since debug.write is laid out alike and words from 6
 * on are in the same buffer page for sending. */
static status_t serve_write(struct message *m)
{
    unsigned nwords = message_nwords(m);

    if (nwords < 1 || m->words[0] > (nwords - 1) * sizeof(word_t))
        return ST_BAD_LENGTH;
    message_prepare(m, OP_debug_write, nwords, 0);
    return q_call(FIRST_DEBUG, m);
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

    for (unsigned i = 0; i < EXCEPTION_WORDS; i++)
        ((word_t *)&e)[i] = message_word(m, i);
    report_exception(program, message_status(m), &e);
    process_kill(&program->process);
    program_ended(program, 1);
}

static void __attribute__((noreturn)) serve(void)
{
    struct message m;
    status_t status = q_recv(&m, 0);

    while (status == ST_OK) {
        struct program *program = m.badge - 1 < init.nprograms ? &init.programs[m.badge - 1] : NULL;
        bool answer = message_kind(&m) == MSG_CALL;
        status_t reply = ST_BAD_OP;

        if (message_kind(&m) == MSG_EXCEPTION && program) {
            serve_exception(program, &m);
        } else if (answer && program && message_label(&m) == CONSOLE_WRITE) {
            reply = serve_write(&m);
        } else if (answer && program && message_label(&m) == CONSOLE_EXIT) {
            serve_exit(program, &m);
            answer = false;
        }
        if (answer) {
            message_prepare(&m, reply, 0, 0);
            status = q_reply_recv(&m);
        } else {
            status = q_recv(&m, 0);
        }
    }
    fatal("receiving: %s: %s", status_name(status), status_text(status));
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
