/* SPDX-License-Identifier: MIT */
/*
 * main.c: where C begins, and the two globals that are there once per kernel and once per hart.
 */
#include "arch/cpu.h"
#include "arch/csr.h"
#include "kernel/core/boot.h"
#include "kernel/core/hart.h"
#include "kernel/core/klock.h"
#include "kernel/core/schedule.h"
#include "kernel/core/trap.h"

struct klock klock;
struct hart boot_hart;

extern u8 boot_stack_top[];

/* What firmware and earlier software may have left in any state.  No floating point in the kernel,
 * no access to user pages through user addresses, counters readable by programs. */
static void hart_init(struct hart *h, u64 hart_id)
{
    h->id = hart_id;
    h->stack_top = (u64)boot_stack_top;
    h->satp = csr_read(satp);
    csr_clear(sstatus, SSTATUS_SIE | SSTATUS_FS | SSTATUS_SUM | SSTATUS_MXR);
    csr_write(sie, SIE_SOFTWARE | SIE_EXTERNAL); /* the timer's bit comes with the tick */
    csr_write(sip, 0);
    csr_write(scounteren, SCOUNTEREN_BASE);
}

_Noreturn void kernel_main(u64 hart_id, u64 fdt, u64 instret)
{
    struct first_boot first = {0};
    struct thread *t;

    hart_init(&boot_hart, hart_id);
    boot_run(hart_id, fdt, &first);

    kernel_enter_alone();
    first_user_start(&first);
    boot_report(cpu_instret() - instret);
    t = schedule_next();
    kernel_leave();
    thread_resume(t);
}
