/* SPDX-License-Identifier: MIT */
/*
 * System calls, as C functions.
 *
 * Three levels, all public.  `sys_invoke` is the bare system call: registers in, registers out
 * (the layout is lib/abi/abi.h).  The stubs `q_<object>_<operation>` come from the .def files, one
 * for each OP line, and return status and first result.  `q_call`, `q_recv` and their family pass
 * messages over endpoints; words beyond the sixth and capabilities travel in the thread's buffer
 * page (`sys_buffer`).  Nothing here allocates, blocks on a lock, or keeps state of its own.
 *
 * The tempting other way, one C function for each system call with its own structs, would make a
 * server that stands in for a kernel object look different from the object; here both are messages.
 */
#ifndef QUIRE_SYS_SYS_H
#define QUIRE_SYS_SYS_H

#include <stdbool.h>

#include "lib/abi/abi.h"

/* What an operation returns: `value` is the first result, or on an error the detail word, whose
 * meaning the operation's ERR line in the .def file states. */
struct result {
    status_t status;
    word_t value;
};

#define MESSAGE_EVENT_WORDS 11

/*
 * A message as the registers hold it.  Going in: tag = SYS_*, length, label; badge = slot of the
 * capability; words 0 to 5.  Coming out: tag = MSG_*, length, label; badge = the sender's badge, or
 * for an event the key of the object; words 0 to 5, for an event 0 to 10.  Words 6 and up of a
 * longer message (MSG_EVENT apart) are in sys_buffer()->words, under the same index.
 */
struct message {
    word_t tag;
    word_t badge;
    union {
        word_t words[MESSAGE_EVENT_WORDS];
        struct fault_event fault;     /* MSG_EVENT, label MAPPING_resolve_fault */
        struct ask_message ask;       /* MSG_ASK */
        struct mapping_event mapping; /* MSG_EVENT, label MAPPING_on_mapped, MAPPING_on_unmapped */
    };
};

/* The buffer page of the calling thread.  lib/rt sets it for each thread it starts; whoever starts
 * threads without lib/rt's thread_create must set it before using messages of over six words. */
extern __thread struct thread_buffer *sys_buffer_page;
static inline struct thread_buffer *sys_buffer(void)
{
    return sys_buffer_page;
}

/* Registers that a system call leaves undefined, beside those it uses.  The floating-point ones
 * are in the list because the contract is that of a C call. */
#define SYS_CLOBBERS                                                                            \
    "t5", "t6", "memory", "ft0", "ft1", "ft2", "ft3", "ft4", "ft5", "ft6", "ft7", "ft8", "ft9", \
        "ft10", "ft11", "fa0", "fa1", "fa2", "fa3", "fa4", "fa5", "fa6", "fa7"

/* The bare system call.  Cost: 26 instructions beside the kernel's. */
static inline void sys_invoke(struct message *m)
{
    register word_t a0 __asm__("a0") = m->words[0];
    register word_t a1 __asm__("a1") = m->words[1];
    register word_t a2 __asm__("a2") = m->words[2];
    register word_t a3 __asm__("a3") = m->words[3];
    register word_t a4 __asm__("a4") = m->words[4];
    register word_t a5 __asm__("a5") = m->words[5];
    register word_t a6 __asm__("a6") = m->badge;
    register word_t a7 __asm__("a7") = m->tag;
    register word_t t0 __asm__("t0");
    register word_t t1 __asm__("t1");
    register word_t t2 __asm__("t2");
    register word_t t3 __asm__("t3");
    register word_t t4 __asm__("t4");

    __asm__ volatile("ecall"
                     : "+r"(a0), "+r"(a1), "+r"(a2), "+r"(a3), "+r"(a4), "+r"(a5), "+r"(a6),
                       "+r"(a7), "=r"(t0), "=r"(t1), "=r"(t2), "=r"(t3), "=r"(t4)
                     :
                     : SYS_CLOBBERS);
    m->tag = a7;
    m->badge = a6;
    m->words[0] = a0;
    m->words[1] = a1;
    m->words[2] = a2;
    m->words[3] = a3;
    m->words[4] = a4;
    m->words[5] = a5;
    m->words[6] = t0;
    m->words[7] = t1;
    m->words[8] = t2;
    m->words[9] = t3;
    m->words[10] = t4;
}

/* A call with up to six words of which one result matters: all in registers. */
static inline struct result sys_call(cap_t self, word_t tag, word_t w0, word_t w1, word_t w2,
                                     word_t w3, word_t w4, word_t w5)
{
    register word_t a0 __asm__("a0") = w0;
    register word_t a1 __asm__("a1") = w1;
    register word_t a2 __asm__("a2") = w2;
    register word_t a3 __asm__("a3") = w3;
    register word_t a4 __asm__("a4") = w4;
    register word_t a5 __asm__("a5") = w5;
    register word_t a6 __asm__("a6") = self;
    register word_t a7 __asm__("a7") = tag;

    __asm__ volatile("ecall"
                     : "+r"(a0), "+r"(a1), "+r"(a2), "+r"(a3), "+r"(a4), "+r"(a5), "+r"(a6),
                       "+r"(a7)
                     :
                     : "t0", "t1", "t2", "t3", "t4", SYS_CLOBBERS);
    return (struct result){(status_t)tag_label(a7), a0};
}

/* Let other threads of the same priority run. */
static inline void sys_yield(void)
{
    sys_call(0, SYS_YIELD, 0, 0, 0, 0, 0, 0);
}

/* ---- Messages ---------------------------------------------------------------------------------*/

static inline unsigned message_kind(const struct message *m)
{
    return tag_kind(m->tag);
}
static inline unsigned message_nwords(const struct message *m)
{
    return tag_nwords(m->tag);
}
static inline uint32_t message_label(const struct message *m)
{
    return tag_label(m->tag);
}
/* What a reply says; for what was received by q_recv only after message_kind == MSG_REPLY. */
static inline status_t message_status(const struct message *m)
{
    return (status_t)tag_label(m->tag);
}

/* Word i of a message, 0 <= i < MESSAGE_WORDS, in registers or buffer.  Not for MSG_EVENT. */
static inline word_t message_word(const struct message *m, unsigned i)
{
    return i < MESSAGE_REGISTERS ? m->words[i] : sys_buffer()->words[i];
}
static inline void message_set_word(struct message *m, unsigned i, word_t value)
{
    if (i < MESSAGE_REGISTERS)
        m->words[i] = value;
    else
        sys_buffer()->words[i] = value;
}

/* Pack bytes into words from word `first` on, least significant byte first, the last word padded
 * with zeros; returns the number of words used.  At most (MESSAGE_WORDS - first) * 8 bytes. */
unsigned message_put_bytes(struct message *m, unsigned first, const void *bytes, size_t nbytes);
/* Copy bytes out of a message, from word `first` on. */
void message_get_bytes(const struct message *m, unsigned first, void *bytes, size_t nbytes);

/* Make a message ready for q_call, q_send or q_reply_recv: label, words (set beforehand or after),
 * and capabilities, whose slots the caller writes to sys_buffer()->send[]. */
static inline void message_prepare(struct message *m, word_t label, unsigned nwords, unsigned ncaps)
{
    m->tag = tag_make(0, label, nwords, ncaps);
}

/*
 * The family.  Each takes a prepared message, replaces it by what comes back, and returns how the
 * call went: for q_call the status that the server replied (or that the kernel did in its place),
 * for the receiving ones ST_OK with a message of any other kind than MSG_REPLY.  Empty slots for
 * capabilities to receive stand in sys_buffer()->receive[] beforehand; 0 = refuse.
 */
static inline status_t q_call(cap_t to, struct message *m)
{
    m->tag = (m->tag & ~(word_t)TAG_KIND_MASK) | SYS_CALL;
    m->badge = to;
    sys_invoke(m);
    return message_status(m);
}

/* Returns when the message is received, or with `flags` = SYS_NONBLOCK at once. */
static inline status_t q_send(cap_t to, struct message *m, word_t flags)
{
    m->tag = (m->tag & ~(word_t)TAG_KIND_MASK) | SYS_SEND | flags;
    m->badge = to;
    sys_invoke(m);
    return message_status(m);
}

static inline status_t message_received(const struct message *m)
{
    return message_kind(m) == MSG_REPLY ? message_status(m) : ST_OK;
}

/* Wait for a message, event, exception or the bound notification; flags: 0 or SYS_NONBLOCK. */
static inline status_t q_recv(struct message *m, word_t flags)
{
    *m = (struct message){.tag = SYS_RECV | flags};
    sys_invoke(m);
    return message_received(m);
}

/* Answer the last caller with the prepared message (label = status), then receive. */
static inline status_t q_reply_recv(struct message *m)
{
    m->tag = (m->tag & ~(word_t)TAG_KIND_MASK) | SYS_REPLY_RECV;
    m->badge = 0;
    sys_invoke(m);
    return message_received(m);
}

/* Put the last caller aside, to be answered later; value = its number at the endpoint.  It waits as
 * before, and what it lent stays here until the next receive. */
static inline struct result q_save(void)
{
    return sys_call(0, SYS_SAVE, 0, 0, 0, 0, 0, 0);
}

/* Answer a caller that some thread bound to the same endpoint put aside, with the prepared message, and
 * go on.  NOT_FOUND: it is gone, or the number is wrong. */
static inline status_t q_reply_saved(word_t number, struct message *m)
{
    m->tag = (m->tag & ~(word_t)TAG_KIND_MASK) | SYS_REPLY_SAVED;
    m->badge = number;
    sys_invoke(m);
    return message_status(m);
}

/* Invoke `self` with the prepared message (label = operation), then receive: one system call.  If
 * the invocation fails nothing is received, and the failure is what comes back. */
static inline status_t q_invoke_recv(cap_t self, struct message *m)
{
    m->tag = (m->tag & ~(word_t)TAG_KIND_MASK) | SYS_REPLY_RECV;
    m->badge = self;
    sys_invoke(m);
    return message_received(m);
}

/* ---- Time --------------------------------------------------------------------------------------*/

/*
 * The same with an end: `ns` nanoseconds from now, or with SYS_DEADLINE in `how` the moment `ns` of
 * clock_ns.  ST_TIMEOUT if what was waited for had not come by then; never before.  Of no time at all
 * (0, or a moment that is past) the call asks and does not wait; q_call_within then sends nothing.
 */
#define FOREVER (~(word_t)0)

static inline void message_within(struct message *m, word_t how, word_t ns)
{
    sys_buffer()->timeout = ns;
    m->tag |= how & SYS_DEADLINE ? SYS_DEADLINE : SYS_TIMEOUT;
}

static inline status_t q_call_within(cap_t to, struct message *m, word_t how, word_t ns)
{
    message_within(m, how, ns);
    return q_call(to, m);
}
static inline status_t q_send_within(cap_t to, struct message *m, word_t how, word_t ns)
{
    message_within(m, how, ns);
    return q_send(to, m, 0);
}
static inline status_t q_recv_within(struct message *m, word_t how, word_t ns)
{
    sys_buffer()->timeout = ns;
    return q_recv(m, how & SYS_DEADLINE ? SYS_DEADLINE : SYS_TIMEOUT);
}
/* Replies at once, whatever the time; it is the receiving that ends. */
static inline status_t q_reply_recv_within(struct message *m, word_t how, word_t ns)
{
    message_within(m, how, ns);
    return q_reply_recv(m);
}
/* notification.wait: value = the bits. */
static inline struct result q_wait_within(cap_t notification, word_t how, word_t ns)
{
    sys_buffer()->timeout = ns;
    return sys_call(notification,
                    tag_make(SYS_CALL | (how & SYS_DEADLINE ? SYS_DEADLINE : SYS_TIMEOUT),
                             OP_notification_wait, 0, 0),
                    0, 0, 0, 0, 0, 0);
}

/* Nanoseconds that the machine's counter of time has counted, rounded down.  Never goes back. */
word_t clock_ns(void);

/* An operation whose several results matter: results are the words of *m afterwards (see
 * message_word).  Arguments: words set by the caller, `nwords` of them. */
static inline status_t q_operation(cap_t self, word_t operation, unsigned nwords, struct message *m)
{
    message_prepare(m, operation, nwords, 0);
    return q_call(self, m);
}

/* ---- Stubs ------------------------------------------------------------------------------------*/
/*
 * q_bank_create(bank, type, slot, a, b, c) and so on: the parameters are those of the ARGS list,
 * the words sent are just these.
 */
#define ARGS0          (cap_t self), 0, (0, 0, 0, 0, 0, 0)
#define ARGS1(p)       (cap_t self, word_t p), 1, (p, 0, 0, 0, 0, 0)
#define ARGS2(p, q)    (cap_t self, word_t p, word_t q), 2, (p, q, 0, 0, 0, 0)
#define ARGS3(p, q, r) (cap_t self, word_t p, word_t q, word_t r), 3, (p, q, r, 0, 0, 0)
#define ARGS4(p, q, r, s) \
    (cap_t self, word_t p, word_t q, word_t r, word_t s), 4, (p, q, r, s, 0, 0)
#define ARGS5(p, q, r, s, t) \
    (cap_t self, word_t p, word_t q, word_t r, word_t s, word_t t), 5, (p, q, r, s, t, 0)

#define SYS_VALUES(p, q, r, s, t, u) p, q, r, s, t, u
#define SYS_STUB(...)                SYS_STUB_OF(__VA_ARGS__)
#define SYS_STUB_OF(object, name, params, nwords, values)                          \
    static inline struct result q_##object##_##name params {                       \
        return sys_call(self, tag_make(SYS_CALL, OP_##object##_##name, nwords, 0), \
                        SYS_VALUES values);                                        \
    }

#define RIGHT(object, name, value, text)
#define SYS(object, number, name, text)
#define ERR(object, op, status, text)
#define INHERITS(object, base)
#define OP(object, number, name, rights, nargs, args, text) SYS_STUB(object, name, args)
#include "lib/abi/all.def"
#undef RIGHT
#undef SYS
#undef ERR
#undef INHERITS
#undef OP
#undef ARGS0
#undef ARGS1
#undef ARGS2
#undef ARGS3
#undef ARGS4
#undef ARGS5

/* Make an object: bank.create for those who want type and arguments checked by the eye. */
static inline struct result q_create(cap_t bank, enum object_type type, cap_t slot, word_t a,
                                     word_t b)
{
    return q_bank_create(bank, type, slot, a, b, 0);
}

/* Registers of a thread that does not run.  `run`: a stopped one goes on with them at once. */
struct result q_thread_registers(cap_t self, struct thread_registers *r);
struct result q_thread_set_registers(cap_t self, const struct thread_registers *r, bool run);
struct result q_thread_float(cap_t self, struct thread_float *f);
struct result q_thread_set_float(cap_t self, const struct thread_float *f);

/* served.declare with the owner's name, of which 32 bytes count. */
struct declaration {
    word_t flags;   /* DECLARE_* */
    word_t shared;  /* MAP_* or DECLARE_REFUSED */
    word_t private; /* the same for private mappings */
    word_t wants;   /* bit (1 << MAPPING_*) for each event to hear */
    word_t records; /* mappings accepted at most */
    const char *name;
};
struct result q_served_declare_all(cap_t self, const struct declaration *d);

/* Write text to the console through a capability to debug with right CONSOLE, or to whatever else
 * takes the same message (label 1, word 0 = bytes, then the bytes): any length, in pieces. */
status_t q_write(cap_t console, const char *text, size_t nbytes);

/* ---- Names ------------------------------------------------------------------------------------*/

/* "OK", "BAD_CAP", ...; "status ?" for a number that is no status.  Never NULL. */
const char *status_name(status_t status);
/* The sentence of status.def. */
const char *status_text(status_t status);
/* "bank", "cspace", ... of an enum object_type. */
const char *object_type_name(unsigned type);

#endif
