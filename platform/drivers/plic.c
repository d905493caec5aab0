/* SPDX-License-Identifier: MIT */
/*
 * plic.c: the platform-level interrupt controller, for the context of the one hart that runs.
 *
 * Contexts are numbered by the machine's designer (QEMU virt: 2 * hart + 1, VisionFive 2:
 * 2 * hart), so the number comes from the device tree.  Nothing is zero at power-on on a real
 * chip: enable bits, priorities and claims left open by the firmware are cleared at boot.
 * Source: RISC-V Platform-Level Interrupt Controller Specification v1.0.0.
 */
#include "kernel/core/panic.h"
#include "kernel/core/platform.h"

#define PLIC_PRIORITY(line)     (4ul * (line))
#define PLIC_ENABLE(context)    (0x2000ul + 0x80ul * (context))
#define PLIC_THRESHOLD(context) (0x200000ul + 0x1000ul * (context))
#define PLIC_CLAIM(context)     (PLIC_THRESHOLD(context) + 4)
#define PLIC_MAX_LINES          1023u
#define PLIC_PRIORITY_USED      1 /* all lines are equal */

/* P1 bit `line` of claimed is set <=> it was claimed and not completed; only enabled lines are. */
static struct {
    volatile u8 *base; /* NULL: none */
    u32 context;
    u32 lines;
    u64 claimed[(PLIC_MAX_LINES + 64) / 64];
} plic;

static volatile u32 *plic_register(u64 offset)
{
    return (volatile u32 *)(plic.base + offset);
}

static bool is_line(unsigned line)
{
    return line >= 1 && line <= plic.lines;
}

static volatile u32 *enable_word(unsigned line)
{
    return plic_register(PLIC_ENABLE(plic.context) + 4ul * (line / 32));
}

/* A claim that was open when the kernel was entered would keep its line silent for ever: complete
 * all lines, for which they must be enabled; with priority 0 none of them fires meanwhile. */
static void plic_drain(void)
{
    for (u32 line = 0; line <= plic.lines; line += 32)
        *enable_word(line) = ~0u;
    for (u32 line = 1; line <= plic.lines; line++)
        *plic_register(PLIC_CLAIM(plic.context)) = line;
    for (u32 line = 0; line <= plic.lines; line += 32)
        *enable_word(line) = 0;
}

void platform_irq_init(const struct machine *machine, void *registers, u32 context)
{
    if (PLIC_CLAIM((u64)context) + 4 > machine->plic.size)
        panic("the PLIC has no registers for context %u", context);
    plic.base = registers;
    plic.context = context;
    plic.lines = MIN(machine->plic.ndev, PLIC_MAX_LINES);

    for (u32 line = 1; line <= plic.lines; line++)
        *plic_register(PLIC_PRIORITY(line)) = 0;
    plic_drain();
    *plic_register(PLIC_THRESHOLD(context)) = 0;
}

unsigned platform_irq_lines(void)
{
    return plic.lines;
}

unsigned platform_irq_claim(void)
{
    unsigned line = plic.base ? *plic_register(PLIC_CLAIM(plic.context)) : 0;

    if (!is_line(line))
        return 0;
    plic.claimed[line / 64] |= 1ul << line % 64;
    return line;
}

void platform_irq_complete(unsigned line)
{
    if (!is_line(line) || !(plic.claimed[line / 64] >> line % 64 & 1))
        return;
    plic.claimed[line / 64] &= ~(1ul << line % 64);
    *plic_register(PLIC_CLAIM(plic.context)) = line;
}

void platform_irq_enable(unsigned line)
{
    if (!is_line(line))
        return;
    *plic_register(PLIC_PRIORITY(line)) = PLIC_PRIORITY_USED;
    *enable_word(line) |= 1u << line % 32;
}

void platform_irq_disable(unsigned line)
{
    if (!is_line(line))
        return;
    platform_irq_complete(line); /* first: ignored once the line is off (P1) */
    *enable_word(line) &= ~(1u << line % 32);
    *plic_register(PLIC_PRIORITY(line)) = 0;
}
