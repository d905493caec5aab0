/* SPDX-License-Identifier: MIT */
/*
 * The contract between the kernel and user programs: numbers, registers, message layouts.
 *
 * Numbers come from the .def files in this folder; this header turns them into constants and adds
 * what is not a list.  It is included by C and, up to the marked line, by assembly.  Nothing here
 * may change its value once released; docs/abi.md is made from the same files.
 *
 * System call registers (`ecall` from user mode):
 *
 *              in                                      out
 *   a7         tag: SYS_*, flags, length, label        tag: MSG_*, length, label
 *   a6         slot of the invoked capability          badge; key of the object for MSG_EVENT
 *   a0..a5     message words 0 to 5                    message words 0 to 5
 *   t0..t4     -                                       words 6 to 10 of an MSG_EVENT, else 0
 *
 * Words 6 to 63 of a longer message lie in the thread's buffer page (struct thread_buffer).
 * Caller-saved registers that return nothing come back zero; ra, sp, gp, tp and s0-s11 are kept.
 */
#ifndef QUIRE_ABI_ABI_H
#define QUIRE_ABI_ABI_H

/* Tag, both ways: bits 0-3 kind, 4-7 flags, 8-14 length in words, 16-18 capabilities, 32-63 label. */
#define TAG_KIND_MASK    0xf
#define TAG_LENGTH_SHIFT 8
#define TAG_LENGTH_MASK  0x7f
#define TAG_CAPS_SHIFT   16
#define TAG_CAPS_MASK    0x7
#define TAG_LABEL_SHIFT  32

/* Kinds on the way in. */
#define SYS_CALL 0 /* send, then wait for the reply; on a kernel object: the operation `label` */
#define SYS_SEND 1 /* send only; on a kernel object as SYS_CALL */
#define SYS_RECV 2 /* wait for a message; a6 and the words are ignored */
#define SYS_REPLY_RECV \
    3               /* a6 = 0: reply; a6 = capability: invoke it as SYS_CALL; then SYS_RECV.  A
                            failure of the first half returns at once as MSG_REPLY, nothing received;
                            the first result of an invocation comes in t4 with the message received. */
#define SYS_YIELD 4 /* let others of the same priority run */
#define SYS_SAVE \
    5 /* put the last caller aside and go on: it waits for its reply as before; word 0 = its
         number at the endpoint, never used again */
#define SYS_REPLY_SAVED \
    6 /* a6 = number: reply to the caller that was put aside under it, by whichever thread bound
         to the endpoint, and go on */

/* Flags.  The word `timeout` of the thread's buffer page says how long the system call may wait, in
 * nanoseconds, or until when, in nanoseconds of the machine's counter of time (its value divided by
 * its frequency, `clock_hz` of the buffer page).  Whatever waits then ends with TIMEOUT, not before
 * that moment; a moment that has come, or no time at all, is asked after and never waited for.  With
 * both flags the word is a moment.  2^64 - 1 waits for ever. */
#define SYS_NONBLOCK 0x10
#define SYS_TIMEOUT  0x20 /* for so long */
#define SYS_DEADLINE 0x40 /* until then */

/* Kinds on the way out. */
#define MSG_REPLY     0 /* label = status; on an error word 0 = detail */
#define MSG_CALL      1 /* a call: the sender waits for a reply */
#define MSG_SEND      2 /* a send: nobody waits */
#define MSG_NOTIFY    3 /* bound notification: word 0 = bits */
#define MSG_EVENT     4 /* kernel to pager: label = number of the member of mapping_ops.def */
#define MSG_EXCEPTION 5 /* a thread stopped: label = status; it waits for a reply */
#define MSG_ASK \
    6 /* kernel to pager: may this be mapped, or cloned?  The mapper waits for a reply */

#define MESSAGE_WORDS     64 /* longest message */
#define MESSAGE_REGISTERS 6
#define MESSAGE_CAPS      4

/* User addresses: regions lie in [PAGE_SIZE, USER_REGION_TOP); thread buffers above. */
#define USER_TOP        0x4000000000
#define USER_REGION_TOP 0x3fffe00000

/* aspace.map flags, and permissions wherever they appear. */
#define MAP_READ    1
#define MAP_WRITE   2
#define MAP_EXEC    4
#define MAP_PRIVATE 8

/* Memory attribute of a mapping. */
#define MEMORY_NORMAL 0
#define MEMORY_DEVICE 1

/* served.declare. */
#define DECLARE_MAPPABLE 1
#define DECLARE_PRIVATE  2          /* supports_private_mmap */
#define DECLARE_REFUSED  0x80000000 /* in `shared` or `private`: no such mapping at all */
#define DECLARE_ASK      4          /* each aspace.map asks the server (MSG_ASK) */
#define DECLARE_EXTEND   8  /* a touch at or beyond the end asks the server, who may resize */
#define DECLARE_FORK     16 /* aspace.fork asks the server which object the child maps (MSG_ASK) */
#define OWNER_NAME_BYTES 32

/*
 * served.answer: an extent's first word: bits 0-7 kind, 8-31 status (ANSWER_ERROR), 32-63 pages, or
 * bytes for ANSWER_COPY.  `offset` and, but for COPY, `source_offset` are page aligned.
 */
#define ANSWER_MOVE \
    1 /* source: memory with READ and WRITE; each frame leaves it and all its mappings */
#define ANSWER_COPY  2 /* source: memory with READ; byte offset; what is not covered is zero */
#define ANSWER_ZERO  3
#define ANSWER_ERROR 4 /* whoever waits hears the status */
#define ANSWER_ALIAS \
    5 /* source: memory with READ; its pages are shown, and with WRITE stored to, in place of pages here */
#define ANSWER_PROTECT      6 /* pages that are there: a write to them asks the server from now on */
#define ANSWER_ALLOW        7 /* ... does not ask any more; who waits to write goes on */
#define ANSWER_KIND_MASK    0x7f
#define ANSWER_PROTECTED    0x80 /* flag of MOVE, COPY, ZERO: the pages come as PROTECT makes them */
#define ANSWER_STATUS_SHIFT 8
#define ANSWER_STATUS_MASK  0xffffff
#define ANSWER_COUNT_SHIFT  32
#define ANSWER_MAX_PAGES    256
#define ANSWER_MAX_COPY     16
#define ANSWER_EXTENT_WORDS 4

/* How a page was touched, and why the server is asked: bits of the flags word of resolve_fault. */
#define ACCESS_LOAD        0
#define ACCESS_STORE       1 /* AMO and SC too */
#define ACCESS_INSTRUCTION 2
#define FAULT_ACCESS_MASK  3
#define FAULT_WHY_SHIFT    4 /* FAULT_WHY_* */
#define FAULT_WHY_MASK     3
#define FAULT_WHY_MISSING  0
#define FAULT_WHY_PROTECTED \
    1 /* the page is there, and a write asks first: ALLOW, ERROR, or another page in its place */
#define FAULT_PERMS_SHIFT 8  /* MAP_* of the mapping, MAP_PRIVATE included */
#define FAULT_SIZE_SHIFT  16 /* bytes touched where known, else 0 */

/* Thread states as thread.query tells them. */
#define THREAD_NEW       0 /* not configured */
#define THREAD_STOPPED   1
#define THREAD_READY     2
#define THREAD_SENDING   3 /* call, send or exception, not received yet */
#define THREAD_CALLING   4 /* received; waits for the reply */
#define THREAD_RECEIVING 5
#define THREAD_WAITING   6 /* on a notification */
#define THREAD_FAULTING  7 /* on a page of a served object */

#define PRIORITY_MAX 31

/* sched.configure. */
#define SCHED_REPORT  1 /* the thread's handler hears BUDGET */
#define BUDGET_MIN_NS 10000
#define PERIOD_MAX_NS 0x4000000000000 /* 2^50 */

#ifndef __ASSEMBLER__ /* ------------------------------------------------------------ C only below */

#include <stddef.h>
#include <stdint.h>

typedef uint64_t word_t;
typedef word_t cap_t; /* a slot number in the caller's cspace; 0 = none */

/* Functions that return one of these carry MUST_CHECK: a status must be listened to. */
#define MUST_CHECK __attribute__((warn_unused_result))
typedef enum status {
#define STATUS(number, name, text) ST_##name = number,
#include "lib/abi/status.def"
#undef STATUS
} status_t;
#define STATUS_LIMIT 64 /* every status number is below */

enum object_type {
#define OBJECT(number, name, text) OBJ_##name = number,
#include "lib/abi/objects.def"
#undef OBJECT
    OBJ_MEMORY_FIRST = 16, /* this and above: can be mapped */
    OBJ_LIMIT = 32,
};

enum mapping_op {
#define MAPPING_OP(number, name, text) MAPPING_##name = number,
#include "lib/abi/mapping_ops.def"
#undef MAPPING_OP
    MAPPING_OP_LIMIT = 32,
};

/* RIGHT(bank, CREATE, 1, ..) -> BANK_CREATE; OP(bank, 1, create, ..) -> OP_bank_create. */
#include "lib/abi/constants.h"

static inline word_t tag_make(word_t kind, word_t label, word_t nwords, word_t ncaps)
{
    return kind | nwords << TAG_LENGTH_SHIFT | ncaps << TAG_CAPS_SHIFT | label << TAG_LABEL_SHIFT;
}
static inline unsigned tag_kind(word_t tag)
{
    return tag & TAG_KIND_MASK;
}
static inline unsigned tag_nwords(word_t tag)
{
    return tag >> TAG_LENGTH_SHIFT & TAG_LENGTH_MASK;
}
static inline unsigned tag_ncaps(word_t tag)
{
    return tag >> TAG_CAPS_SHIFT & TAG_CAPS_MASK;
}
static inline uint32_t tag_label(word_t tag)
{
    return (uint32_t)(tag >> TAG_LABEL_SHIFT);
}

static inline word_t answer_what(word_t kind, word_t status, word_t count)
{
    return kind | status << ANSWER_STATUS_SHIFT | count << ANSWER_COUNT_SHIFT;
}

/*
 * Where a thread goes on after a failed access of its own.  The first three words are the thread's
 * to write, at any time and without a system call: while `address` is an even user address, a load
 * or store at a pc in [start, end) that fails with a typed error (status.def: an error of the page,
 * NO_REGION, FORBIDDEN, MISALIGNED, ACCESS_FAULT) is not told to the exception handler.  Instead the
 * kernel writes the last four words and the thread goes on at `address`, every register as it was.
 * Instruction fetches, and what is no access, are always the handler's.  thread.start clears
 * `address`.
 */
struct thread_fixup {
    word_t address;        /* 0: nowhere, every failure is the handler's */
    word_t start;          /* pc of the first instruction that may fail ... */
    word_t end;            /* ... and behind the last */
    word_t failed_pc;      /* what failed */
    word_t failed_status;  /* status_t */
    word_t failed_access;  /* ACCESS_LOAD or ACCESS_STORE, or for MISALIGNED, ACCESS_FAULT scause */
    word_t failed_address; /* exact address touched */
    word_t spare;
};
_Static_assert(sizeof(struct thread_fixup) == 8 * 8, "eight words");

/*
 * A thread's buffer page, made with the thread and pinned for its life.  The kernel reads each
 * word of it once per system call, after the thread entered the kernel.
 */
struct thread_buffer {
    word_t words[MESSAGE_WORDS]; /* 6 and up of a message; 0 to 5 are not used */
    cap_t send[MESSAGE_CAPS];    /* slots of the capabilities to send (tag: how many) */
    cap_t receive[MESSAGE_CAPS]; /* empty slots that take capabilities received; 0 = refuse */
    word_t timeout;              /* SYS_TIMEOUT, SYS_DEADLINE */
    word_t clock_hz;             /* written when the thread is configured: of the counter of time */
    word_t reserved[6];
    struct thread_fixup fixup;
    word_t free[512 - MESSAGE_WORDS - 2 * MESSAGE_CAPS - 16]; /* the thread's own use */
};
_Static_assert(offsetof(struct thread_buffer, timeout) == 72 * 8, "behind the capabilities");
_Static_assert(sizeof(struct thread_buffer) == 4096, "one page");
_Static_assert(offsetof(struct thread_buffer, fixup) == 80 * 8, "lib/rt/accesses.S");

/*
 * MSG_EVENT, label resolve_fault: somebody waits for a page.  a6 = the object's key.
 * Field order is register order: a0-a5, t0-t4.
 */
struct fault_event {
    word_t offset;  /* of the page in the object, bytes, page aligned */
    word_t vaddr;   /* exact address touched, in the client's space */
    word_t mapping; /* mapping id */
    word_t flags;   /* ACCESS_*, FAULT_* */
    word_t
        window_end; /* object offset: every page in [offset, window_end) is missing and may be filled
                       (FAULT_WHY_PROTECTED: each but the first) */
    word_t epoch;   /* goes back with the answer */
    word_t sequence; /* counts this object's events and faults */
    word_t pc;
    word_t badge; /* of the capability that the mapping was made with */
    word_t zero;
    word_t taken; /* result of the first half of SYS_REPLY_RECV */
};
_Static_assert(sizeof(struct fault_event) == 11 * 8, "eleven registers");

/*
 * MSG_EVENT, label on_mapped, on_unmapped, on_split, on_protect (on_resync: sequence and epoch
 * alone); registers as above.  `vaddr`, `length` and `offset` are those of the range that was mapped,
 * is gone, was split off or has other permissions; `sequence` never falls.
 */
struct mapping_event {
    word_t vaddr;
    word_t paddr;   /* 0 unless the server holds the object's DMA right */
    word_t length;  /* bytes */
    word_t offset;  /* in the object */
    word_t mapping; /* mapping id */
    word_t flags;   /* MAP_* of the mapping */
    word_t sequence;
    word_t epoch;
    word_t badge;
    word_t zero;
    word_t taken;
};
_Static_assert(sizeof(struct mapping_event) == 11 * 8, "eleven registers");

/*
 * MSG_ASK, label get_mapping_info_with: a program maps a range of an object that is declared with
 * DECLARE_ASK; a0-a5, a6 = the object's key.  Reply: label 0 and word 0 = the permissions that the
 * mapping may have, now and by aspace.protect (what is declared bounds them); NOT_MAPPABLE,
 * NOT_SUPPORTED or DENIED refuse it with that status, any other label with DENIED.
 *
 * MSG_ASK, label fork_clone: an address space is forked in which this range of an object is mapped that
 * is declared with DECLARE_FORK.  Reply: label 0, and either one capability, to the memory object that
 * the child maps at that offset in its place, or none: then it maps the same object.  Any other label
 * refuses the fork with DENIED.
 */
struct ask_message {
    word_t offset; /* in the object, bytes */
    word_t length; /* bytes */
    word_t is_shared;
    word_t permissions; /* MAP_* wanted */
    word_t badge;       /* of the capability that is mapped */
    word_t epoch;
};
_Static_assert(sizeof(struct ask_message) == MESSAGE_REGISTERS * 8, "six registers");

/*
 * MSG_EXCEPTION: a0-a5 and, from word 6 on, the receiver's buffer.  a6 = badge of the handler
 * capability; label = what went wrong (status).  Reply: label 0 = go on (word 0 of a reply with
 * length >= 1 = new pc, else the same instruction again); any other label leaves it stopped.
 */
struct exception_message {
    word_t access;  /* ACCESS_* for memory, else scause */
    word_t address; /* touched, or stval */
    word_t pc;
    word_t region_start; /* region of the address, length 0 = none */
    word_t region_length;
    word_t mapping;                     /* its mapping id */
    word_t registers[31];               /* x1 to x31 */
    word_t owner[OWNER_NAME_BYTES / 8]; /* owner name of the region, NUL padded */
    word_t name[2];                     /* name of the thread */
};
#define EXCEPTION_WORDS (sizeof(struct exception_message) / 8)

/* What thread.read_registers returns; thread.write_registers takes `run` and then pc and x. */
struct thread_registers {
    word_t pc;
    word_t x[31];   /* x1 to x31 */
    word_t status;  /* what stopped it: status_t; ST_OK: no exception */
    word_t access;  /* ACCESS_*, or scause */
    word_t address; /* touched, or stval */
};
#define THREAD_REGISTER_WORDS (sizeof(struct thread_registers) / 8)
_Static_assert(THREAD_REGISTER_WORDS == 35, "thread.def says so");

/* What thread.read_float returns and thread.write_float takes. */
struct thread_float {
    word_t f[32];
    word_t fcsr;
};
#define THREAD_FLOAT_WORDS (sizeof(struct thread_float) / 8)

#endif /* __ASSEMBLER__ */
#endif
