/* SPDX-License-Identifier: MIT */
/*
 * The measured windows and the servers' loops; loops.h says what each is for.
 *
 * All are C functions by the standard calling convention, but for the servers, which never return,
 * and first_instruction, which a new thread begins with.
 */
#include "lib/abi/abi.h"

#define OP_served_answer_LABEL 18
#define OP_notification_wait_LABEL 2
#define OP_notification_signal_LABEL 1
#define OP_thread_stop_LABEL 3
#define TAG(kind, label, length) ((kind) | (length) << TAG_LENGTH_SHIFT | (label) << TAG_LABEL_SHIFT)

    .text

    .global window_empty
window_empty:
    rdinstret t0
    rdinstret a0
    sub     a0, a0, t0
    ret

    .global window_loop_1000
window_loop_1000:
    li      t1, 500
    rdinstret t0
1:  addi    t1, t1, -1
    bnez    t1, 1b
    rdinstret a0
    sub     a0, a0, t0
    ret

    /* a0 = tag, a1 = capability, a2 = words */
    .global window_call
window_call:
    addi    sp, sp, -32
    sd      s0, 0(sp)
    sd      s1, 8(sp)
    mv      s0, a2
    mv      a7, a0
    mv      a6, a1
    ld      a0, 0(s0)
    ld      a1, 8(s0)
    ld      a2, 16(s0)
    ld      a3, 24(s0)
    rdinstret s1
    ecall
    rdinstret t6
    sd      a0, 0(s0)
    sd      a1, 8(s0)
    sd      a2, 16(s0)
    sd      a3, 24(s0)
    sd      a7, 32(s0)
    sub     a0, t6, s1
    ld      s0, 0(sp)
    ld      s1, 8(sp)
    addi    sp, sp, 32
    ret

    .global window_load
window_load:
    rdinstret t0
    ld      t1, 0(a0)
    rdinstret t2
    sd      t1, 0(a1)
    sub     a0, t2, t0
    ret

    .global window_store
window_store:
    rdinstret t0
    sd      a1, 0(a0)
    rdinstret t2
    sub     a0, t2, t0
    ret

    /* a0, a1 = { tag, capability, five words }, a2 = two tags that came back */
    .macro  load_call from
    ld      a7, 0(\from)
    ld      a6, 8(\from)
    ld      a0, 16(\from)
    ld      a1, 24(\from)
    ld      a2, 32(\from)
    ld      a3, 40(\from)
    ld      a4, 48(\from)
    .endm
    .global window_two_calls
window_two_calls:
    addi    sp, sp, -48
    sd      s0, 0(sp)
    sd      s1, 8(sp)
    sd      s2, 16(sp)
    sd      s3, 24(sp)
    sd      s4, 32(sp)
    mv      s0, a0
    mv      s1, a1
    mv      s2, a2
    rdinstret s3
    load_call s0
    ecall
    mv      s4, a7
    load_call s1
    ecall
    rdinstret t0
    sd      s4, 0(s2)
    sd      a7, 8(s2)
    sub     a0, t0, s3
    ld      s0, 0(sp)
    ld      s1, 8(sp)
    ld      s2, 16(sp)
    ld      s3, 24(sp)
    ld      s4, 32(sp)
    addi    sp, sp, 48
    ret

    .global window_now
window_now:
    rdinstret a0
    ret

    .global serve_echo
serve_echo:
    li      s0, TAG(SYS_REPLY_RECV, 0, 4)
    li      a7, SYS_RECV
    ecall
1:  mv      a7, s0
    li      a6, 0
    ecall
    j       1b

    .global serve_exception
serve_exception:
    li      s0, TAG(SYS_REPLY_RECV, 0, 1)
    li      a7, SYS_RECV
    ecall
1:  addi    a0, a2, 4           /* the message's word 2 is the pc */
    mv      a7, s0
    li      a6, 0
    ecall
    j       1b

    /* a0 = struct serve_pages */
    .global serve_pages
serve_pages:
    ld      s0, 0(a0)           /* object */
    ld      s1, 8(a0)           /* source */
    ld      s2, 16(a0)          /* what */
    ld      s3, 24(a0)          /* next */
    li      s4, TAG(SYS_REPLY_RECV, OP_served_answer_LABEL, 5)
    li      s5, 4096
    li      a7, SYS_RECV
    ecall
    bnez    s3, 2f
1:  mv      a2, a0              /* offset */
    mv      a4, a0
    mv      a0, a5              /* epoch */
    mv      a1, s2
    mv      a3, s1
    mv      a6, s0
    mv      a7, s4
    ecall
    j       1b
2:  mv      a2, a0
    mv      a4, s3
    add     s3, s3, s5
    mv      a0, a5
    mv      a1, s2
    mv      a3, s1
    mv      a6, s0
    mv      a7, s4
    ecall
    j       2b

    /* a0 = struct serve_wait */
    .global serve_wait
serve_wait:
    mv      s0, a0
    ld      s1, 16(s0)
1:  mv      a6, s1
    li      a7, TAG(SYS_CALL, OP_notification_wait_LABEL, 0)
    ecall
    rdinstret t0
    ld      t1, 0(s0)
    sub     t0, t0, t1
    sd      t0, 8(s0)
    j       1b

    .global window_signal
window_signal:
    mv      a6, a0
    li      a7, TAG(SYS_CALL, OP_notification_signal_LABEL, 1)
    li      a0, 1
    rdinstret t0
    sd      t0, 0(a1)
    ecall
    ret

    /* a0 = { where instret goes, own thread's capability } */
    .global first_instruction
first_instruction:
    rdinstret t0
    sd      t0, 0(a0)
    ld      a6, 8(a0)
    li      a7, TAG(SYS_CALL, OP_thread_stop_LABEL, 0)
    ecall
    j       first_instruction
