/* SPDX-License-Identifier: MIT */
/*
 * trace.c: the ring of records of each hart, and how a panic prints its end.
 *
 * A ring lies in the image, so it is there from the first instruction of C, costs no bank anything,
 * and is found by whoever has the kernel's symbols: gdb, or a script that reads the machine's memory
 * after it has ended (platform/tools/trace.py).  It says itself how long it is.  Release builds have
 * none: nothing here is referred to then.
 */
#include "kernel/core/trace.h"

#include "arch/cpu.h"
#include "kernel/core/console.h"
#include "kernel/core/hart.h"
#include "kernel/core/invoke.h"
#include "kernel/core/status.h"
#include "kernel/core/transfer.h"
#include "kernel/object/cspace.h"

/* Enough for the whole demonstration, from boot to the prompt. */
#define TRACE_RECORDS (CONFIG_TRACE ? 16384 : 1)

struct trace_ring {
    u64 count; /* [h] records ever written; the next one comes to count % capacity */
    u32 capacity;
    u32 record_bytes;
    struct trace_record records[TRACE_RECORDS];
};

static struct trace_ring trace_rings[HARTS_MAX] = {
    [0 ... HARTS_MAX - 1] = {.capacity = TRACE_RECORDS,
                             .record_bytes = sizeof(struct trace_record)}};

static struct trace_ring *own_ring(void)
{
    return &trace_rings[this_hart()->index];
}

void trace_write(enum trace_event event, u64 a, u64 b, u64 c)
{
    struct trace_ring *ring;
    const struct thread *t;

    if (!CONFIG_TRACE)
        return;
    ring = own_ring();
    t = this_hart()->thread;
    ring->records[ring->count++ % TRACE_RECORDS] = (struct trace_record){
        .time = cpu_instret(),
        .event = (u16)event,
        .hart = (u16)this_hart()->index,
        .thread = t ? (u32)t->object.serial : 0,
        .words = {a, b, c},
    };
}

u64 trace_count(void)
{
    return CONFIG_TRACE ? own_ring()->count : 0;
}

u64 trace_read(u64 number, struct trace_record *out)
{
    const struct trace_ring *ring;

    if (!CONFIG_TRACE || number >= trace_count())
        return trace_count();
    ring = own_ring();
    if (ring->count > TRACE_RECORDS)
        number = MAX(number, ring->count - TRACE_RECORDS);
    *out = ring->records[number % TRACE_RECORDS];
    return number;
}

/* The numbers of the system calls on an endpoint. */
enum endpoint_call {
#define RIGHT(object, name, value, text)
#define SYS(object, number, name, text) ENDPOINT_CALL_##name = number,
#define ERR(object, op, status, text)
#include "lib/abi/endpoint.def"
#undef RIGHT
#undef SYS
#undef ERR
};

/* Reading the ring leaves nothing in it, so that a program that reads comes to its end. */
#define READING operation_word(OBJ_debug, OP_debug_trace_read)

static u64 operation_word(unsigned type, u64 number)
{
    return (u64)type << TRACE_TYPE_SHIFT | number;
}

/* An OPERATION word. */
static u64 operation_called(const struct thread *t, word_t tag, word_t slot_number)
{
    unsigned kind = tag_kind(tag);
    const struct slot *slot = NULL;

    if (kind == SYS_RECV)
        return operation_word(OBJ_endpoint, ENDPOINT_CALL_recv);
    if (kind == SYS_REPLY_RECV && slot_number == 0)
        return operation_word(OBJ_endpoint, ENDPOINT_CALL_reply);
    if (kind <= SYS_REPLY_RECV && !slot_is_empty(&t->cspace))
        slot = cspace_slot(slot_object(&t->cspace), slot_number);
    if (!slot || slot_is_empty(slot))
        return kind;
    if (slot_type(slot) == OBJ_endpoint)
        return operation_word(OBJ_endpoint,
                              kind == SYS_SEND ? ENDPOINT_CALL_send : ENDPOINT_CALL_call);
    return operation_word(slot_type(slot), tag_label(tag));
}

u64 trace_call(const struct thread *t)
{
    word_t tag = t->regs[REG_TAG], slot = t->regs[REG_NUMBER];
    u64 called = CONFIG_TRACE ? operation_called(t, tag, slot) : 0;

    if (called != READING)
        trace(syscall, called, slot, tag);
    return called;
}

void trace_call_done(const struct thread *t, u64 called)
{
    word_t tag;

    if (called == READING || this_hart()->thread != t || t->state != THREAD_READY || t->exception)
        return;
    tag = t->regs[REG_TAG];
    trace(syscall_done, called, tag_kind(tag) == MSG_REPLY ? tag_label(tag) : ST_OK,
          t->regs[REG_A0]);
}

/* ------------------------------------------------------------------------------------- in words */

/* The kinds of words that trace.def has. */
enum word_kind {
    WORD_NONE,
    WORD_NUMBER,
    WORD_HEX,
    WORD_STATUS,
    WORD_OBJECT,
    WORD_THREAD,
    WORD_OPERATION,
    WORD_MEMBER,
    WORD_TEXT,
};

struct event_format {
    const char *name;
    struct {
        const char *name;
        enum word_kind kind;
    } words[3];
};

static const struct event_format formats[TRACE_LIMIT] = {
#define NONE            \
    {                   \
        NULL, WORD_NONE \
    }
#define NUMBER(n)       \
    {                   \
#n, WORD_NUMBER \
    }
#define HEX(n)       \
    {                \
#n, WORD_HEX \
    }
#define STATUS(n)       \
    {                   \
#n, WORD_STATUS \
    }
#define OBJECT(n)       \
    {                   \
#n, WORD_OBJECT \
    }
#define THREAD(n)       \
    {                   \
#n, WORD_THREAD \
    }
#define OPERATION(n)       \
    {                      \
#n, WORD_OPERATION \
    }
#define MEMBER(n)       \
    {                   \
#n, WORD_MEMBER \
    }
#define TEXT(n)       \
    {                 \
#n, WORD_TEXT \
    }
#define TRACE(number, name, text, a, b, c) [number] = {#name, {a, b, c}},
#include "lib/abi/trace.def"
#undef TRACE
#undef NONE
#undef NUMBER
#undef HEX
#undef STATUS
#undef OBJECT
#undef THREAD
#undef OPERATION
#undef MEMBER
#undef TEXT
};

static const char *const members[MAPPING_OP_LIMIT] = {
#define MAPPING_OP(number, name, text) [number] = #name,
#include "lib/abi/mapping_ops.def"
#undef MAPPING_OP
};

/* Of what is no kernel object's operation: system calls on an endpoint, and by kind. */
static const char *const endpoint_calls[] = {
#define RIGHT(object, name, value, text)
#define SYS(object, number, name, text) [number] = #name,
#define ERR(object, op, status, text)
#include "lib/abi/endpoint.def"
#undef RIGHT
#undef SYS
#undef ERR
};
static const char *const kinds[] = {"call", "send", "recv", "reply_recv", "yield"};

static const char *name_in(const char *const *names, u64 count, u64 number)
{
    return number < count && names[number] ? names[number] : "?";
}

static void print_operation(struct text *t, u64 word)
{
    unsigned type = word >> TRACE_TYPE_SHIFT;
    u64 number = word & ((1ul << TRACE_TYPE_SHIFT) - 1);
    const struct object_ops *ops = object_ops_of(type);
    const char *name = "?";

    if (type == 0) {
        text_puts(t, name_in(kinds, ARRAY_SIZE(kinds), number));
        return;
    }
    if (type == OBJ_endpoint)
        name = name_in(endpoint_calls, ARRAY_SIZE(endpoint_calls), number);
    else if (ops && ops->operations && number < ops->operations->noperations &&
             ops->operations->operations[number].name)
        name = ops->operations->operations[number].name;
    text_printf(t, "%s.%s", object_type_name(type), name);
}

static void print_word(struct text *t, enum word_kind kind, u64 word)
{
    switch (kind) {
    case WORD_STATUS:
        text_puts(t, status_name((unsigned)word));
        break;
    case WORD_OBJECT:
        if (word)
            text_printf(t, "%s#%lu", object_type_name(word >> TRACE_TYPE_SHIFT),
                        word & ((1ul << TRACE_TYPE_SHIFT) - 1));
        else
            text_puts(t, "none");
        break;
    case WORD_THREAD:
        text_printf(t, word ? "thread#%lu" : "none", word);
        break;
    case WORD_OPERATION:
        print_operation(t, word);
        break;
    case WORD_MEMBER:
        text_puts(t, name_in(members, ARRAY_SIZE(members), word));
        break;
    case WORD_TEXT:
        text_putc(t, '"');
        text_escape(t, (const char *)&word, sizeof(word));
        text_putc(t, '"');
        break;
    case WORD_NUMBER:
        text_printf(t, "%lu", word);
        break;
    default:
        text_printf(t, "0x%lx", word);
        break;
    }
}

/* As platform/tools/trace_format.py has it for gdb and for files. */
static void print_record(struct text *t, const struct trace_record *r)
{
    const struct event_format *f = &formats[r->event < TRACE_LIMIT ? r->event : 0];

    text_printf(t, "%lu hart %u thread#%u %s", r->time, r->hart, r->thread,
                f->name ? f->name : "?");
    for (unsigned i = 0; i < 3 && f->name; i++) {
        if (f->words[i].kind == WORD_NONE)
            continue;
        text_printf(t, " %s=", f->words[i].name);
        print_word(t, f->words[i].kind, r->words[i]);
    }
}

void trace_print(unsigned n)
{
    u64 count = trace_count();
    struct trace_record r;
    char line[200];
    struct text t;

    for (u64 number = count > n ? count - n : 0; number < count; number++) {
        trace_read(number, &r);
        text_init(&t, line, sizeof(line));
        print_record(&t, &r);
        console_printf("trace: %s\n", line);
    }
}
