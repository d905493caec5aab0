/* SPDX-License-Identifier: MIT */
/*
 * What actors run.  A thread is started at stub_start, with a0 = its job and a1 = its buffer page, or
 * goes on at stub_go with another job in the same place; the job says which action.  All end in a
 * breakpoint, which the director hears.  Runs wherever it is copied to.
 */
#include "test/system/random_calls/job.h"

    .text
    .option norelax
    .option norvc
    .balign 8
    .global stub_begin, stub_end, stub_start, stub_go, stub_call, stub_load, stub_store, stub_amo, stub_jump, stub_done
stub_begin:

stub_start:
    mv      s0, a0
    mv      s1, a1
stub_go:
    ld      t0, JOB_ACTION(s0)
    jr      t0

stub_call:
    addi    t0, s0, JOB_BUFFER
    mv      a1, s1
    li      t2, JOB_WORDS
1:  ld      t3, 0(t0)
    sd      t3, 0(a1)
    addi    t0, t0, 8
    addi    a1, a1, 8
    addi    t2, t2, -1
    bnez    t2, 1b
    ld      a1, JOB_IN + 8(s0)
    ld      a2, JOB_IN + 16(s0)
    ld      a3, JOB_IN + 24(s0)
    ld      a4, JOB_IN + 32(s0)
    ld      a5, JOB_IN + 40(s0)
    ld      a6, JOB_IN + 48(s0)
    ld      a7, JOB_IN + 56(s0)
    ld      a0, JOB_IN(s0)
    ecall
    sd      a0, JOB_OUT(s0)
    sd      a1, JOB_OUT + 8(s0)
    sd      a2, JOB_OUT + 16(s0)
    sd      a3, JOB_OUT + 24(s0)
    sd      a4, JOB_OUT + 32(s0)
    sd      a5, JOB_OUT + 40(s0)
    sd      a6, JOB_OUT + 48(s0)
    sd      a7, JOB_OUT + 56(s0)
    sd      t0, JOB_OUT + 64(s0)
    sd      t1, JOB_OUT + 72(s0)
    sd      t2, JOB_OUT + 80(s0)
    sd      t3, JOB_OUT + 88(s0)
    sd      t4, JOB_OUT + 96(s0)
stub_done:
    li      t0, 1
    sd      t0, JOB_FINISHED(s0)
2:  ebreak
    j       2b

stub_load:
    ld      t0, JOB_ADDRESS(s0)
    lbu     t1, 0(t0)
    sd      t1, JOB_OUT(s0)
    j       stub_done

stub_store:
    ld      t0, JOB_ADDRESS(s0)
    ld      t1, JOB_VALUE(s0)
    sd      t1, 0(t0)
    j       stub_done

stub_amo:
    ld      t0, JOB_ADDRESS(s0)
    ld      t1, JOB_VALUE(s0)
    amoor.d t1, t1, (t0)
    sd      t1, JOB_OUT(s0)
    j       stub_done

stub_jump:
    ld      t0, JOB_ADDRESS(s0)
    jalr    t0
    j       stub_done

stub_end:
