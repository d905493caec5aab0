/* SPDX-License-Identifier: MIT */
/*
 * Scheduling: which context runs, and which thread a context animates.
 *
 * The run queue holds the contexts whose thread is READY, the running one included, one ring per
 * priority, one for those that are out of budget, and a bit map of rings.  IPC and faults lend contexts (sched_lend): the queue does not
 * change, only whom the context animates.  A thread that becomes READY without a context takes its
 * home context (schedule_ready); a passive thread without a home is stranded until someone lends:
 * whoever waits for it does (help.h).
 *
 * Lock: the kernel lock, either mode, plus one hart (a run queue per hart comes with more harts).
 */
#ifndef KERNEL_CORE_SCHEDULE_H
#define KERNEL_CORE_SCHEDULE_H

#include "kernel/object/sched.h"
#include "kernel/object/thread.h"

/* state becomes READY; unless suspended it runs on the context it lent, which comes back, else on the one it has, else
 * on its parked home.  It is on no queue. */
void schedule_ready(struct thread *t);
/* state becomes `state`; its context, if it still has one, leaves the run queue. */
void schedule_block(struct thread *t, unsigned state);

/*
 * `from`, which has just stopped being READY (state set, context still queued or not), lends its
 * context to `to`, which becomes READY on it.  If `from` has no context, `to` becomes READY on its
 * own.  A context that `to` had goes back to where it belongs first.
 */
void sched_lend(struct thread *from, struct thread *to);
/* `t` gives a borrowed context back to its lender (not made READY by this); if `t` is READY it goes
 * on with its home context, or is stranded.  No loan: nothing happens. */
void sched_return(struct thread *t);
/* `t` is leaving for good: give back what it borrowed, cut what it lent; a thread animated by a
 * context that vanishes falls back to the nearest lender's home context. */
void sched_detach(struct thread *t);
/* A context is going away: whoever it animates falls back likewise; leaves the run queue.  It is
 * nobody's home any more. */
void sched_vanish(struct sched *s);
/* The context of `w`, which is at hand, takes the place of whatever animates the chain of loans that `t`
 * begins: `w` lends to `t` now, and whoever did before has its context back.  From help.c. */
void sched_help(struct thread *w, struct thread *t);
/* `t` waits for its page no more, or for another server. */
void sched_unpledge(struct thread *t);

/* Change the priority; a queued context goes behind the others of the new one.  Who waits for the
 * thread that it animates helps, where it is now worse off. */
void schedule_set_priority(struct sched *s, unsigned priority);
/* Another ring, and nothing else (budget.c). */
void schedule_set_ring(struct sched *s, unsigned ring);
/* Does it have a budget?  While no context has, no switch asks. */
void schedule_set_limited(struct sched *s, bool limited);
/* `s`, which is out of budget, animates somebody on whom others may depend: the best helper, or the
 * nearest home of those it was lent to, takes its place. */
void schedule_rescue(struct sched *s);
/* What the hart runs has another context or budget: schedule_pick looks again. */
void schedule_again(void);

/* A suspended thread does not run; it waits, is waited for, hears and lends as any other. */
void schedule_suspend(struct thread *t);
void schedule_resume(struct thread *t);
/* `t` loses its endpoint: if it is stranded, nobody can help it any more. */
void schedule_forget_stranded(struct thread *t);

/* The thread that the hart runs next (highest priority, ring order); NULL: idle.   The
 * thread that entered the kernel may have no context any more: then whoever waits for it helps. */
struct thread *schedule_pick(void);
/*
 * Every way out of the kernel ends here: the thread to enter now, its address space in use, hart and
 * thread naming each other.  Waits for interrupts while there is none.  The thread that entered the
 * kernel may be gone (hart->thread NULL).
 */
struct thread *schedule_next(void);
/* A page table may go away: if the hart uses it, it uses the kernel's own from now on. */
void schedule_leave_space(u64 satp);

/* Timer tick: count it, take turns within a priority. */
void schedule_tick(void);
/* Put the current context behind others of its priority. */
void schedule_yield(void);
void schedule_check(void); /* debug: the run queue, C1, C2, I5 */

#endif
