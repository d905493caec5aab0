/* SPDX-License-Identifier: MIT */
/*
 * finisher.c: ending the machine.
 *
 * QEMU's `virt` has a test finisher, one register that ends QEMU with an exit code.  Elsewhere the
 * firmware is asked (SRST, then the legacy call, which on some boards never returns and does
 * nothing); it cannot carry a code.  What comes after a refusal is a loop: nothing here may assume
 * that a shutdown works.
 */
#include "arch/cpu.h"
#include "arch/sbi.h"
#include "kernel/core/platform.h"

#define FINISHER_PASS 0x5555
#define FINISHER_FAIL 0x3333 /* | code << 16 */

static volatile u32 *finisher;

void platform_power_init(void *registers)
{
    finisher = registers;
}

_Noreturn void platform_power_off(unsigned code)
{
    fence_all(); /* what was printed or stored comes first */
    if (finisher)
        *finisher = code == 0 ? FINISHER_PASS : (code << 16 | FINISHER_FAIL);
    sbi_shutdown(code != 0);
    for (;;)
        cpu_wait();
}
