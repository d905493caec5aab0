/* SPDX-License-Identifier: MIT */
/* pte.h for host tests: the kernel's own, which is pure. */
#include "kernel/arch/riscv64/arch/pte.h"
