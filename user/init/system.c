/* SPDX-License-Identifier: MIT */
/*
 * From the system description to running programs; README.md has the schema.
 *
 * Three passes, so that a program may be given what belongs to a later one: all programs are made
 * (banks, objects), then each is given what it gets and loaded, then all are started, in order.
 * Nothing is skipped in silence: a property or a node that is not known ends the system, for a
 * misspelled limit that is ignored costs somebody an evening.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/base/text.h"
#include "user/init/init.h"

#define DEFAULT_BANK_PAGES  256
#define DEFAULT_STACK_PAGES 16
#define DEFAULT_PRIORITY    10
#define DEFAULT_CSPACE_BITS 8

/* End the system: the description says something at `node` that cannot be done. */
static void __attribute__((noreturn))
bad(struct init *init, struct fdt_node node, const char *what, const char *detail)
{
    char path[256];
    struct text text;

    text_init(&text, path, sizeof path);
    fdt_put_path(&init->description, node, &text);
    fatal("system description, %s: %s%s%s", path, what, *detail ? ": " : "", detail);
}

/* End the system: an operation on a program failed. */
static void check(struct init *init, struct program *program, struct result r)
{
    const struct process *p = &program->process;

    if (r.status == ST_OK)
        return;
    if (p->problem)
        bad(init, program->node, p->step, p->problem);
    fatal("program '%s': %s: %s: %s (detail %#lx)", program->name, p->step, status_name(r.status),
          status_text(r.status), r.value);
}

struct program *program_find(struct init *init, const char *name)
{
    for (unsigned i = 0; i < init->nprograms; i++)
        if (strcmp(init->programs[i].name, name) == 0)
            return &init->programs[i];
    return NULL;
}

/* ---- Properties of a program ------------------------------------------------------------------*/

static const char *const program_properties[] = {
    "program",          "arguments",    "bank-pages",     "service-bank-pages",
    "stack-pages",      "priority",     "cspace-bits",    "exit-ends-system",
    "verbose-argument", "starts-after", "exit-is-status", "console-driver",
};

static void check_properties(struct init *init, struct fdt_node node, const char *const *known,
                             unsigned nknown)
{
    struct fdt_prop prop;

    for (bool more = fdt_first_prop(&init->description, node, &prop); more;
         more = fdt_next_prop(&init->description, &prop)) {
        bool found = false;

        for (unsigned i = 0; i < nknown && !found; i++)
            found = strcmp(prop.name, known[i]) == 0;
        if (!found)
            bad(init, node, "unknown property", prop.name);
    }
}

/* A number between low and high; `otherwise` where the property is not there. */
static word_t number(struct init *init, struct fdt_node node, const char *name, word_t otherwise,
                     word_t low, word_t high)
{
    u64 value;

    if (!fdt_has(&init->description, node, name))
        return otherwise;
    if (!fdt_get_number(&init->description, node, name, &value) || value < low || value > high)
        bad(init, node, "not a number in its range", name);
    return value;
}

/* Is there a console that the driver knows, with an interrupt? */
static bool has_uart(const struct init *init)
{
    return init->machine.uart.kind == MACHINE_UART_NS16550 && init->machine.uart.irq != 0;
}

static void program_make(struct init *init, struct fdt_node node)
{
    const struct fdt *d = &init->description;
    struct program *program = &init->programs[init->nprograms];
    struct process_options options;

    if (init->nprograms == MAX_PROGRAMS)
        bad(init, node, "too many programs", "64 is the limit");
    check_properties(init, node, program_properties,
                     sizeof program_properties / sizeof program_properties[0]);
    program->node = node;
    program->name = fdt_name(d, node);
    if (program_find(init, program->name))
        bad(init, node, "two programs of one name", program->name);
    program->ends_system = fdt_has(d, node, "exit-ends-system");
    program->gives_status = fdt_has(d, node, "exit-is-status");
    program->takes_verbose = fdt_has(d, node, "verbose-argument");
    program->drives_console = fdt_has(d, node, "console-driver");
    program->after = fdt_first_string(d, node, "starts-after");
    program->state = MANAGE_WAITING;
    if (program->drives_console && !has_uart(init)) {
        program->state = MANAGE_ABSENT;
        init->nprograms++;
        return;
    }
    options = (struct process_options){
        .name = program->name,
        .parent_bank = SLOT_BANK,
        .bank_pages = number(init, node, "bank-pages", DEFAULT_BANK_PAGES, 1, 1u << 30),
        .service_pages = number(init, node, "service-bank-pages", 0, 1, 1u << 30),
        .stack_pages = number(init, node, "stack-pages", DEFAULT_STACK_PAGES, 1, 1u << 16),
        .priority = (unsigned)number(init, node, "priority", DEFAULT_PRIORITY, 0, PRIORITY_MAX),
        .cspace_bits = (unsigned)number(init, node, "cspace-bits", DEFAULT_CSPACE_BITS, 5, 16),
        .console = init->endpoint,
        .badge = init->nprograms + 1,
    };
    init->nprograms++;
    check(init, program, process_create(&program->process, &options));
}

/* ---- What a program gets ----------------------------------------------------------------------*/

static struct program *other(struct init *init, struct fdt_node node, const char *property)
{
    const char *name = fdt_first_string(&init->description, node, property);
    struct program *program = name ? program_find(init, name) : NULL;

    if (!program)
        bad(init, node, property, "names no program of this system");
    return program;
}

static word_t debug_rights(struct init *init, struct fdt_node node)
{
    const struct fdt *d = &init->description;
    word_t rights = 0;
    struct fdt_prop prop;

    fdt_prop(d, node, "debug", &prop);
    if (prop.size_bytes == 0)
        return RIGHTS_ALL;
    for (const char *s = fdt_next_string(&prop, NULL); s; s = fdt_next_string(&prop, s)) {
        if (strcmp(s, "console") == 0)
            rights |= DEBUG_CONSOLE;
        else if (strcmp(s, "query") == 0)
            rights |= DEBUG_QUERY;
        else if (strcmp(s, "power") == 0)
            rights |= DEBUG_POWER;
        else
            bad(init, node, "debug has no such right", s);
    }
    return rights;
}

/* A phys object over a device's registers, or an interrupt line: made here, from the first bank,
 * which alone may; the slot stays init's. */
static cap_t device_make(struct init *init, struct program *program, struct fdt_node node)
{
    struct fdt_prop prop;
    u64 base, length;
    u32 at = 0;
    struct result r;

    if (fdt_prop(&init->description, node, "irq", &prop)) {
        program->process.step = "making its interrupt line";
        r = object_create(SLOT_BANK, OBJ_irq, number(init, node, "irq", 0, 1, 1023), 0);
    } else {
        fdt_prop(&init->description, node, "device", &prop);
        if (prop.size_bytes != 16 || !fdt_take(&prop, &at, 2, &base) ||
            !fdt_take(&prop, &at, 2, &length))
            bad(init, node, "device", "is two numbers of 64 bits, base and length in bytes");
        program->process.step = "making its device range";
        r = object_create(SLOT_BANK, OBJ_phys, base, length);
    }
    check(init, program, r);
    return r.value;
}

/* What drives the console gets: the registers' pages, and where in them the first register is. */
static cap_t uart_make(struct init *init, struct program *program, struct fdt_node node)
{
    u64 base = init->machine.uart.base & ~(u64)4095;
    u64 end = (init->machine.uart.base + init->machine.uart.size + 4095) & ~(u64)4095;
    struct result r;

    if (!program->drives_console)
        bad(init, node, "is for a program with console-driver", "");
    if (fdt_has(&init->description, node, "irq-of-stdout")) {
        program->process.step = "making the console's interrupt line";
        r = object_create(SLOT_BANK, OBJ_irq, init->machine.uart.irq, 0);
    } else {
        program->process.step = "making the console's registers";
        r = object_create(SLOT_BANK, OBJ_phys, base, end - base);
    }
    check(init, program, r);
    return r.value;
}

static const char *const gift_properties[] = {
    "endpoint-of",
    "bank-of",
    "service-bank-of",
    "thread-of",
    "bundle",
    "initrd",
    "dtb",
    "debug",
    "device",
    "irq",
    "root-bank",
    "badge",
    "device-of-stdout",
    "irq-of-stdout",
    "console-output",
    "console-signal",
    "manage",
    "root-bank-query",
};

/* One node of `gets`: exactly one property says what it is. */
static void program_give(struct init *init, struct program *program, struct fdt_node node)
{
    const struct fdt *d = &init->description;
    const word_t client = (word_t)(program - init->programs) + 1;
    word_t rights = RIGHTS_ALL, badge = 0;
    cap_t cap;

    check_properties(init, node, gift_properties,
                     sizeof gift_properties / sizeof gift_properties[0]);
    if (fdt_has(d, node, "endpoint-of")) {
        if (other(init, node, "endpoint-of")->state == MANAGE_ABSENT)
            return;
        cap = other(init, node, "endpoint-of")->process.endpoint;
        rights = ENDPOINT_SEND | ENDPOINT_GRANT;
        badge = number(init, node, "badge", client, 0, ~(word_t)0);
    } else if (fdt_has(d, node, "bank-of")) {
        cap = other(init, node, "bank-of")->process.bank;
    } else if (fdt_has(d, node, "service-bank-of")) {
        cap = other(init, node, "service-bank-of")->process.service_bank;
    } else if (fdt_has(d, node, "thread-of")) {
        cap = other(init, node, "thread-of")->process.thread;
    } else if (fdt_has(d, node, "bundle")) {
        cap = FIRST_BUNDLE;
    } else if (fdt_has(d, node, "initrd")) {
        if (q_cspace_query(SLOT_CSPACE, FIRST_INITRD).value == 0)
            return;
        cap = FIRST_INITRD;
    } else if (fdt_has(d, node, "dtb")) {
        cap = FIRST_DEVICE_TREE;
    } else if (fdt_has(d, node, "debug")) {
        cap = FIRST_DEBUG;
        rights = debug_rights(init, node);
    } else if (fdt_has(d, node, "root-bank")) {
        cap = SLOT_BANK;
    } else if (fdt_has(d, node, "root-bank-query")) {
        cap = SLOT_BANK;
        rights = 0;
    } else if (fdt_has(d, node, "manage")) {
        cap = init->endpoint;
        rights = ENDPOINT_SEND | ENDPOINT_GRANT;
        badge = MANAGE_BADGE | client;
    } else if (fdt_has(d, node, "console-output")) {
        output_prepare(init);
        cap = init->output_ring;
    } else if (fdt_has(d, node, "console-signal")) {
        output_prepare(init);
        cap = init->output_signal;
    } else if (fdt_has(d, node, "device-of-stdout") || fdt_has(d, node, "irq-of-stdout")) {
        cap = uart_make(init, program, node);
    } else if (fdt_has(d, node, "device") || fdt_has(d, node, "irq")) {
        cap = device_make(init, program, node);
    } else {
        bad(init, node, "does not say what is given", "");
    }
    check(init, program, process_give(&program->process, fdt_name(d, node), cap, rights, badge));
}

static void program_give_all(struct init *init, struct program *program)
{
    const struct fdt *d = &init->description;

    for (struct fdt_node child = fdt_first_child(d, program->node); fdt_exists(child);
         child = fdt_next_sibling(d, child)) {
        if (strcmp(fdt_name(d, child), "gets") != 0)
            bad(init, child, "unknown node", "a program has only the node gets");
        check_properties(init, child, NULL, 0);
        for (struct fdt_node gift = fdt_first_child(d, child); fdt_exists(gift);
             gift = fdt_next_sibling(d, gift))
            program_give(init, program, gift);
    }
}

/* ---- Loading and starting ---------------------------------------------------------------------*/

/* The last three arguments of a console driver: where the first register is in the pages it gets,
 * log2 of the distance of registers, bytes of an access. */
static void give_console_arguments(struct init *init, struct program *program)
{
    const u64 numbers[] = {init->machine.uart.base & 4095, init->machine.uart.reg_shift,
                           init->machine.uart.reg_io_width};

    for (unsigned i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        char digits[24];
        struct text text;

        text_init(&text, digits, sizeof digits);
        text_printf(&text, "%lu", numbers[i]);
        check(init, program, process_argument(&program->process, digits));
    }
}

static void program_load(struct init *init, struct program *program)
{
    const struct fdt *d = &init->description;
    const char *file = fdt_first_string(d, program->node, "program");
    struct process *p = &program->process;
    struct cpio_entry entry;
    struct fdt_prop arguments;

    if (!file)
        file = program->name;
    if (!file_find(init, file, &entry))
        bad(init, program->node, "the bundle has no such program", file);
    check(init, program, process_load(p, entry.data, entry.size_bytes));
    check(init, program, process_argument(p, program->name));
    fdt_prop(d, program->node, "arguments", &arguments);
    for (const char *s = fdt_next_string(&arguments, NULL); s; s = fdt_next_string(&arguments, s))
        check(init, program, process_argument(p, s));
    if (program->takes_verbose && init->verbose)
        check(init, program, process_argument(p, "verbose"));
    if (program->drives_console)
        give_console_arguments(init, program);
}

static void program_start(struct init *init, struct program *program)
{
    check(init, program, process_start(&program->process, init->verbose, init->seed));
    program->state = MANAGE_RUNNING;
}

void system_start_after(struct init *init, const struct program *ended)
{
    for (unsigned i = 0; i < init->nprograms; i++) {
        struct program *program = &init->programs[i];

        if (program->state == MANAGE_WAITING && program->after &&
            strcmp(program->after, ended->name) == 0)
            program_start(init, program);
    }
}

void system_start(struct init *init)
{
    const struct fdt *d = &init->description;
    struct fdt_node programs = fdt_child(d, fdt_root(d), "programs");

    if (!fdt_is_compatible(d, fdt_root(d), "quire,system-1"))
        bad(init, fdt_root(d), "compatible", "is not quire,system-1");
    if (!fdt_exists(programs))
        bad(init, fdt_root(d), "has no node called programs", "");
    check_properties(init, programs, NULL, 0);
    for (struct fdt_node node = fdt_first_child(d, programs); fdt_exists(node);
         node = fdt_next_sibling(d, node))
        program_make(init, node);
    if (init->nprograms == 0)
        bad(init, programs, "names no program", "");
    for (unsigned i = 0; i < init->nprograms; i++) {
        struct program *program = &init->programs[i];

        if (program->state == MANAGE_ABSENT)
            continue;
        if (program->after && !program_find(init, program->after))
            bad(init, program->node, "starts-after names no program of this system",
                program->after);
        program_give_all(init, program);
        program_load(init, program);
    }
    for (unsigned i = 0; i < init->nprograms; i++)
        if (init->programs[i].state == MANAGE_WAITING && !init->programs[i].after)
            program_start(init, &init->programs[i]);
}
