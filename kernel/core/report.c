/* SPDX-License-Identifier: MIT */
/*
 * What an exception tells, as a message and as text.
 *
 * The kernel prints only where nobody else would: a thread without a handler, or whose handler is
 * gone, must not stop in silence.
 */
#include "kernel/core/report.h"

#include "kernel/core/console.h"
#include "kernel/core/counters.h"
#include "kernel/core/status.h"
#include "kernel/object/aspace.h"
#include "lib/base/string.h"

#define LINE_BYTES 160

/* Range, mapping id and owner of the region at the address that stopped `t`. */
static void describe_place(const struct thread *t, struct exception_message *m)
{
    const struct aspace *a = slot_object(&t->aspace);
    struct region *r = region_find(a->region_root, t->stop_address);
    struct memory *object;

    if (!r)
        return;
    object = memory_of(slot_object(&r->object));
    m->region_start = r->start;
    m->region_length = r->end - r->start;
    m->mapping = r->mapping_id;
    object->ops->mmap_owner_name(object, (char *)m->owner);
}

/* Lock: any. */
void exception_describe(const struct thread *t, struct exception_message *m)
{
    *m = (struct exception_message){
        .access = t->stop_access,
        .address = t->stop_address,
        .pc = t->regs[0],
    };
    memcpy(m->registers, &t->regs[1], sizeof(m->registers));
    memcpy(m->name, t->name, sizeof(m->name));
    if (!slot_is_empty(&t->aspace))
        describe_place(t, m);
}

static void print_line(struct text *line, char *buffer)
{
    text_putc(line, '\n');
    console_puts(buffer);
    text_init(line, buffer, LINE_BYTES);
}

static const char *access_name(const struct thread *t)
{
    static const char *const names[] = {
        [ACCESS_LOAD] = "load", [ACCESS_STORE] = "store", [ACCESS_INSTRUCTION] = "fetch"};

    return t->stop_access < ARRAY_SIZE(names) ? names[t->stop_access] : "trap";
}

static void print_place(const struct exception_message *m, struct text *line, char *buffer)
{
    if (m->region_length == 0) {
        text_puts(line, "  region    none");
    } else {
        text_printf(line, "  region    0x%lx-0x%lx mapping %lu of \"", m->region_start,
                    m->region_start + m->region_length, m->mapping);
        text_escape(line, (const char *)m->owner, OWNER_NAME_BYTES);
        text_putc(line, '"');
    }
    print_line(line, buffer);
}

static void print_registers(const struct exception_message *m, struct text *line, char *buffer)
{
    static const char names[31][4] = {"ra", "sp",  "gp",  "tp", "t0", "t1", "t2", "s0",
                                      "s1", "a0",  "a1",  "a2", "a3", "a4", "a5", "a6",
                                      "a7", "s2",  "s3",  "s4", "s5", "s6", "s7", "s8",
                                      "s9", "s10", "s11", "t3", "t4", "t5", "t6"};

    for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
        text_printf(line, "  %-3s %016lx", names[i], m->registers[i]);
        if (i % 4 == 3 || i + 1 == ARRAY_SIZE(names))
            print_line(line, buffer);
    }
}

/* Lock: any. */
void exception_report(const struct thread *t)
{
    char buffer[LINE_BYTES];
    struct exception_message m;
    struct text line;

    kernel_counters.console_writes++;
    exception_describe(t, &m);
    text_init(&line, buffer, sizeof(buffer));
    text_puts(&line, "thread \"");
    text_escape(&line, (const char *)m.name, sizeof(m.name));
    text_printf(&line, "\" (%lu) stopped: %s, %s", t->object.serial, status_name(t->stop_status),
                status_text(t->stop_status));
    print_line(&line, buffer);
    text_printf(&line, "  %-9s 0x%lx  pc 0x%lx", access_name(t), m.address, m.pc);
    print_line(&line, buffer);
    print_place(&m, &line, buffer);
    print_registers(&m, &line, buffer);
}
