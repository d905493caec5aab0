/* SPDX-License-Identifier: MIT */
/*
 * accesses.S: accesses that may fail; recover.h says what each function does.
 *
 * All of section .text.recover is recoverable: lib/rt/user.ld gathers it between __recover_start and
 * __recover_end, which recover_arm hands to the kernel.  What stands there keeps three rules, and
 * programs may add functions of their own that do: a leaf, called from C; ra, sp and what a callee
 * keeps unchanged at each access; and t1 holds what is to be returned in a1 after a failure.
 */
#define FAILED_STATUS (8 * (80 + 4)) /* of struct thread_buffer; abi.h checks it */

    .section .text.recover, "ax"

/* status_t try_load(const volatile void *address, word_t *value) */
    .global try_load
    .type try_load, @function
try_load:
    ld      a2, 0(a0)
    sd      a2, 0(a1)
    li      a0, 0
    ret
    .size try_load, . - try_load

/* status_t try_store(volatile void *address, word_t value) */
    .global try_store
    .type try_store, @function
try_store:
    sd      a1, 0(a0)
    li      a0, 0
    ret
    .size try_store, . - try_store

/* status_t recover_touch(const volatile void *address, bool to_write): address a multiple of 4 if
 * to_write. */
    .global recover_touch
    .type recover_touch, @function
recover_touch:
    bnez    a1, 1f
    lbu     a2, 0(a0)
    li      a0, 0
    ret
1:  amoor.w zero, zero, (a0)    /* writes what is there */
    li      a0, 0
    ret
    .size recover_touch, . - recover_touch

/* struct result try_copy(volatile void *to, const volatile void *from, size_t nbytes): by words while
 * both are aligned and eight bytes are left.  t1 = bytes copied. */
    .global try_copy
    .type try_copy, @function
try_copy:
    li      t1, 0
    or      t2, a0, a1
    andi    t2, t2, 7
    bnez    t2, 2f
    li      t3, 8
1:  sub     t2, a2, t1
    bltu    t2, t3, 2f
    add     t4, a1, t1
    ld      t4, 0(t4)
    add     t5, a0, t1
    sd      t4, 0(t5)
    addi    t1, t1, 8
    j       1b
2:  bgeu    t1, a2, 3f
    add     t4, a1, t1
    lbu     t4, 0(t4)
    add     t5, a0, t1
    sb      t4, 0(t5)
    addi    t1, t1, 1
    j       2b
3:  li      a0, 0
    mv      a1, t1
    ret
    .size try_copy, . - try_copy

    .text

/*
 * recover_fixup: where a thread goes on after a failed access of the section above.
 *   From: the kernel.  In: registers as at the access; tp = the thread's local storage.
 *   Out: returns from the function that failed, a0 = status, a1 = t1.  Clobbers t0.
 */
    .global recover_fixup
    .type recover_fixup, @function
recover_fixup:
    lui     t0, %tprel_hi(sys_buffer_page)
    add     t0, t0, tp, %tprel_add(sys_buffer_page)
    ld      t0, %tprel_lo(sys_buffer_page)(t0)
    ld      a0, FAILED_STATUS(t0)
    mv      a1, t1
    ret
    .size recover_fixup, . - recover_fixup
