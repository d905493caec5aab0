/* SPDX-License-Identifier: MIT */
/*
 * First instructions of a program and of each thread that lib/rt starts.
 */

    .section .text.start, "ax"

/*
 * _start: entry of the program, jumped to by whoever starts it (ELF entry).
 * in: a0 = argument (address of the startup page; for init the size of the bundle), a1 = address of
 * the thread's buffer page, sp = top of a stack.  gp and tp are set here; never returns.
 */
    .global _start
    .type _start, @function
_start:
    .option push
    .option norelax /* gp itself cannot be computed relative to gp */
    la gp, __global_pointer$
    .option pop
    la tp, __main_tls
    li s0, 0 /* the frame pointer chain ends here */
    call rt_start
    unimp
    .size _start, . - _start

/*
 * rt_thread_entry: first instruction of a thread made by thread_create.
 * in: a0 = its struct thread_start, a1 = its buffer page, sp = top of its stack, tp = its thread-local
 * storage, set by thread.start.  Never returns.
 */
    .global rt_thread_entry
    .type rt_thread_entry, @function
rt_thread_entry:
    .option push
    .option norelax
    la gp, __global_pointer$
    .option pop
    li s0, 0
    call rt_thread_main
    unimp
    .size rt_thread_entry, . - rt_thread_entry
