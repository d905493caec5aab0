/* SPDX-License-Identifier: MIT */
/*
 * Floating-point registers: they belong to threads, and the hart holds those of one, its owner.
 *
 * FP1 sstatus.FS of a thread is Off unless it is the owner.   FP2 the registers of a thread that is
 * not the owner are in its control block.
 *
 * A thread begins with FS Off; its first instruction that needs the registers traps as illegal, and
 * then they change hands.  So a switch costs nothing here, and registers never leak: who is not
 * the owner cannot read them.
 */
#ifndef KERNEL_CORE_FPU_H
#define KERNEL_CORE_FPU_H

#include "kernel/object/thread.h"

/* An instruction of `t` trapped as illegal: if it had no floating point yet, it has now, and the
 * instruction is to be tried again (true).  False: it is illegal.  Lock: any. */
bool fpu_first_use(struct thread *t);

/* The registers of `t` are of no use any more: it begins anew with zeros, or dies.  Lock: any. */
void fpu_forget(struct thread *t);

/* Whoever the registers belong to now, those of `t` are in its control block afterwards, and come
 * from there when it next uses them.  Lock: any. */
void fpu_flush(struct thread *t);

/* fpu.S: f0 to f31 and fcsr, 33 words.  sstatus.FS is on afterwards; entry.S sets it again. */
void fpu_save(u64 *words);
void fpu_restore(const u64 *words);

#endif
