/* SPDX-License-Identifier: MIT */
/*
 * start.S: the header that boot loaders read, and the way from the first instruction to C.
 *
 * The image begins with the header of a Linux RISC-V `Image`, version 0.2 (Linux documentation,
 * "Boot image header in RISC-V Linux"), so that QEMU -kernel, U-Boot booti and extlinux take it.
 * The header's first word is also the first instruction.  Everything up to `virtual` runs wherever
 * the image was loaded: only pc-relative addresses.
 */
#include "arch/address.h"
#include "arch/csr.h"
#include "offsets.h"

    .section .head, "ax", @progbits
    .option norelax             /* relaxation may replace a pc-relative address by an absolute one */

/*
 * image_start: first instruction of the image.
 *   From: firmware or boot loader, on any hart, at any physical address that is 4 KiB aligned.
 *   In: a0 = hart id, a1 = physical address of the device tree; satp = 0, supervisor mode.
 *   Stack: none.  sscratch: unknown.  Interrupts: off (sstatus.SIE as SBI says; sie cleared first).
 *   Out: never.
 */
    .global image_start
image_start:
    j       start
    .balign 8
    .dword  0x200000            /* text_offset: where in RAM the loader should put it */
    .dword  image_end - image_start
    .dword  0                   /* flags: little-endian */
    .word   2                   /* version 0.2 */
    .word   0
    .dword  0
    .ascii  "RISCV\0\0\0"
    .ascii  "RSC\x05"
    .word   0

/* start: as image_start.  Clobbers everything. */
start:
    csrw    sie, zero
    csrw    sip, zero
    csrr    s2, instret         /* where the measure of boot begins */
    mv      s0, a0
    mv      s1, a1
    lla     t0, park            /* a trap before there are tables stops here, where gdb finds it */
    csrw    stvec, t0

    /* Old firmware starts all harts at once: the first to come boots, the others stay parked. */
    lla     t0, boot_taken
    li      t1, 1
    amoswap.w t1, t1, (t0)
    bnez    t1, park

    lla     s3, image_start
    lla     sp, boot_stack_top
    mv      a0, s3
    call    boot_map            /* (image, device tree) -> satp */

    /*
     * Paging on.  No identity mapping: the fetch after the write faults, since no low address is
     * mapped, and the trap vector is the virtual address of the next label.
     */
    lla     t0, virtual
    sub     t0, t0, s3
    li      t1, KERNEL_BASE
    add     t0, t0, t1
    csrw    stvec, t0
    sfence.vma                  /* the stores to the tables come before any walk of them */
    csrw    satp, a0

    .balign 4                   /* stvec: the low two bits are the mode */
virtual:
    sfence.vma                  /* what was remembered before satp was written is void */
    lla     t0, trap_entry
    csrw    stvec, t0
    csrw    sscratch, zero      /* zero says: in the kernel */
    lla     sp, boot_stack_top
    lla     tp, boot_hart
    mv      a0, s0
    mv      a1, s1
    mv      a2, s2
    mv      s0, zero            /* frame pointer: the end of every backtrace */
    call    kernel_main         /* (hart id, device tree, instret at the first instruction) */

/* park: harts that do not take part, and a fault before there are tables.  In: nothing. */
    .balign 4
park:
    wfi
    j       park

/*
 * bool probe_stimecmp(void): may this hart write stimecmp?  The device tree says what the hart can
 * do, but older firmware does not switch the register on (menvcfg.STCE), and then the write traps.
 *   From: timer.c at boot, by call.  Interrupts: off.  sscratch: 0.
 *   Out: a0 = 1 if it may (stimecmp is then "never"), else 0.  Clobbers t0, t1.
 */
    .text
    .global probe_stimecmp
    .balign 4
probe_stimecmp:
    lla     t0, 1f
    csrrw   t0, stvec, t0       /* a trap goes to the label below, with a0 = 0 */
    li      t1, -1
    li      a0, 0
    csrw    CSR_STIMECMP, t1
    li      a0, 1
    .balign 4
1:  csrw    stvec, t0
    ret

    .bss
    .balign 4
boot_taken:
    .word   0

    .section .stack, "aw", @nobits
    .balign 16
    .skip   BOOT_STACK_BYTES
    .global boot_stack_top
boot_stack_top:
    .skip   PANIC_STACK_BYTES
    .global panic_stack_top
panic_stack_top:
