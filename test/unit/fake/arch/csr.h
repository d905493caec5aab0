/* SPDX-License-Identifier: MIT */
/* csr.h for host tests: the bits that kernel objects keep; no registers. */
#ifndef ARCH_CSR_H
#define ARCH_CSR_H

#define SSTATUS_FS            0x00006000
#define SSTATUS_USER          0x0000000200000020
#define CAUSE_LOAD_MISALIGNED 4
#define CAUSE_USER_ECALL      8

#endif
