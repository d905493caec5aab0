/* SPDX-License-Identifier: MIT */
/*
 * trap.c: traps from user mode other than system calls, and waiting with nothing to run.
 *
 * Interrupts come only here: the kernel runs with them off, and when it idles it looks at what is
 * pending by itself.  So no function of the kernel is ever interrupted.
 */
#include "kernel/core/trap.h"

#include "arch/cpu.h"
#include "arch/csr.h"
#include "kernel/core/clock.h"
#include "kernel/core/fault.h"
#include "kernel/core/fpu.h"
#include "kernel/core/ipc.h"
#include "kernel/core/klock.h"
#include "kernel/core/panic.h"
#include "kernel/core/platform.h"
#include "kernel/core/schedule.h"
#include "kernel/core/trace.h"
#include "kernel/object/irq.h"

void interrupts_serve(void)
{
    u64 pending = csr_read(sip) & csr_read(sie);

    assert(klock_held_alone());
    if (pending & SIE_SOFTWARE)
        csr_clear(sip, SIE_SOFTWARE);               /* nobody sends one while one hart runs */
    if ((pending & SIE_TIMER) && clock_interrupt()) /* which also ends the interrupt */
        object_reap_some();
    if (pending & SIE_EXTERNAL) {
        unsigned line;

        while ((line = platform_irq_claim()) != 0) {
            trace(interrupt, line, 0, 0);
            irq_dispatch(line);
        }
    }
}

/* What a trap of user mode means for its thread. */
static status_t exception_status(u64 cause)
{
    if (cause == CAUSE_ILLEGAL)
        return ST_ILLEGAL;
    if (cause == CAUSE_BREAKPOINT)
        return ST_BREAKPOINT;
    if (cause == CAUSE_FETCH_MISALIGNED || cause == CAUSE_LOAD_MISALIGNED ||
        cause == CAUSE_STORE_MISALIGNED)
        return ST_MISALIGNED;
    return ST_ACCESS_FAULT;
}

static void exception_user(struct thread *t, u64 scause, u64 stval)
{
    if (scause == CAUSE_LOAD_PAGE)
        fault_user(t, ACCESS_LOAD, stval);
    else if (scause == CAUSE_STORE_PAGE)
        fault_user(t, ACCESS_STORE, stval);
    else if (scause == CAUSE_FETCH_PAGE)
        fault_user(t, ACCESS_INSTRUCTION, stval);
    else if (scause != CAUSE_ILLEGAL || !fpu_first_use(t))
        exception_raise(t, exception_status(scause), (unsigned)scause, stval);
}

static struct thread *interrupt_enter(void)
{
    struct thread *next;

    kernel_enter_alone();
    interrupts_serve();
    next = schedule_next();
    kernel_leave();
    return next;
}

static struct thread *exception_enter(struct thread *t, u64 scause, u64 stval)
{
    struct thread *next;

    kernel_enter_shared();
    exception_user(t, scause, stval);
    next = schedule_next();
    kernel_leave();
    return next;
}

struct thread *trap_enter(struct thread *t, u64 scause, u64 stval)
{
    if (t->sstatus & SSTATUS_SPP) /* between writing sscratch and the sret */
        panic("trap on the way to user mode: cause %lu at 0x%lx, value 0x%lx", scause, t->regs[0],
              stval);
    trace(trap, scause, stval, t->regs[0]);
    return scause & SCAUSE_INTERRUPT ? interrupt_enter() : exception_enter(t, scause, stval);
}

/* The lock changes its mode on the way in both, which the checker cannot follow. */
void hart_idle(void) NO_THREAD_SAFETY_ANALYSIS
{
    kernel_leave();
    cpu_wait();
    kernel_enter_alone();
    interrupts_serve();
}

void interrupts_take(void) NO_THREAD_SAFETY_ANALYSIS
{
    kernel_leave();
    kernel_enter_alone();
    interrupts_serve();
}
