/* SPDX-License-Identifier: MIT */
/*
 * fpu.S: the floating-point registers, to memory and back.  The only file built for rv64gc.
 *
 * Source: RISC-V Instruction Set Manual, Volume II, "Extension Context Status in mstatus Register":
 * an access with FS Off is illegal, so FS is switched on first.
 */
#include "arch/csr.h"

    .macro  each op
    .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, \
               23, 24, 25, 26, 27, 28, 29, 30, 31
    \op     f\n, 8 * \n(a0)
    .endr
    .endm

    .text

/*
 * void fpu_save(u64 *words)      void fpu_restore(const u64 *words)
 *   From: C.  In: a0 = 33 words, 8-byte aligned.  Out: sstatus.FS is on.
 *   Clobbers: t0, t1 (restore: every f register, fcsr).  Interrupts: off, as always.
 */
    .global fpu_save
fpu_save:
    li      t0, SSTATUS_FS_DIRTY
    csrs    sstatus, t0
    each    fsd
    frcsr   t1
    sd      t1, 8 * 32(a0)
    ret

    .global fpu_restore
fpu_restore:
    li      t0, SSTATUS_FS_DIRTY
    csrs    sstatus, t0
    each    fld
    ld      t1, 8 * 32(a0)
    fscsr   t1
    ret
