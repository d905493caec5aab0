/* SPDX-License-Identifier: MIT */
/*
 * csr.h: the control and status registers of supervisor mode, and the only way C reaches them.
 *
 * Names are the manual's: RISC-V Instruction Set Manual, Volume II (Privileged Architecture),
 * version 1.12, chapter "Supervisor-Level ISA".  The numbers above the marked line are for assembly
 * too.  Each access is a volatile asm with a memory clobber: what a CSR write switches on or off
 * (address translation, interrupts) must not move across loads and stores.
 */
#ifndef ARCH_CSR_H
#define ARCH_CSR_H

/* sstatus */
#define SSTATUS_SIE      0x00000002 /* interrupts, while in supervisor mode: never set here */
#define SSTATUS_SPIE     0x00000020 /* what SIE becomes at sret */
#define SSTATUS_SPP      0x00000100 /* trap came from supervisor mode */
#define SSTATUS_FS       0x00006000 /* floating point: 0 off, 1 initial, 2 clean, 3 dirty */
#define SSTATUS_FS_INIT  0x00002000
#define SSTATUS_FS_CLEAN 0x00004000
#define SSTATUS_FS_DIRTY 0x00006000
#define SSTATUS_SUM      0x00040000 /* supervisor loads from user pages: never set here */
#define SSTATUS_MXR      0x00080000
#define SSTATUS_UXL_64   0x0000000200000000

/* What a thread's saved sstatus begins with: user mode, interrupts on, floating point off. */
#define SSTATUS_USER (SSTATUS_UXL_64 | SSTATUS_SPIE)

/* scause: the top bit marks an interrupt. */
#define SCAUSE_INTERRUPT       0x8000000000000000
#define CAUSE_FETCH_MISALIGNED 0
#define CAUSE_ILLEGAL          2
#define CAUSE_BREAKPOINT       3
#define CAUSE_LOAD_MISALIGNED  4
#define CAUSE_STORE_MISALIGNED 6
#define CAUSE_USER_ECALL       8
#define CAUSE_FETCH_PAGE       12
#define CAUSE_LOAD_PAGE        13
#define CAUSE_STORE_PAGE       15
#define INTERRUPT_SOFTWARE     1
#define INTERRUPT_TIMER        5
#define INTERRUPT_EXTERNAL     9

/* sie, sip: one bit per interrupt number. */
#define SIE_SOFTWARE (1 << INTERRUPT_SOFTWARE)
#define SIE_TIMER    (1 << INTERRUPT_TIMER)
#define SIE_EXTERNAL (1 << INTERRUPT_EXTERNAL)

/* scounteren: user mode may read cycle, time and instret. */
#define SCOUNTEREN_BASE 7

/* stimecmp by number: the assembler may not know the name (Sstc extension). */
#define CSR_STIMECMP 0x14d

#ifndef __ASSEMBLER__ /* ------------------------------------------------------------ C only below */

#include "lib/base/types.h"

#define CSR_STRING_(x) #x
#define CSR_STRING(x)  CSR_STRING_(x)

#define csr_read(name)                                                                 \
    ({                                                                                 \
        u64 csr_value;                                                                 \
        __asm__ volatile("csrr %0, " CSR_STRING(name) : "=r"(csr_value) : : "memory"); \
        csr_value;                                                                     \
    })
#define csr_write(name, value) \
    __asm__ volatile("csrw " CSR_STRING(name) ", %0" : : "rK"((u64)(value)) : "memory")
#define csr_set(name, bits) \
    __asm__ volatile("csrs " CSR_STRING(name) ", %0" : : "rK"((u64)(bits)) : "memory")
#define csr_clear(name, bits) \
    __asm__ volatile("csrc " CSR_STRING(name) ", %0" : : "rK"((u64)(bits)) : "memory")

#endif /* __ASSEMBLER__ */
#endif
