/* SPDX-License-Identifier: MIT */
/* timeout.c: how long a wait may take.  See timeout.h; what happens then is in ipc.c. */
#include "kernel/core/timeout.h"

#include "arch/timer.h"
#include "kernel/core/clock.h"

/* A time begins somewhere within the unit that the counter shows, so one more unit has to pass. */
u64 timeout_moment(const struct thread *t, word_t tag)
{
    u64 ns = *(const volatile word_t *)&t->buffer->timeout;
    u64 units = clock_units(ns), now = timer_now();

    if (tag & SYS_DEADLINE)
        return units <= now ? 0 : units;
    return units == 0 ? 0 : clock_after(clock_after(now, units), 1);
}

/* Lock: any.  The timer lies over what a permit to map keeps (struct ticket), which is then void; what
 * a question keeps is elsewhere. */
void timeout_arm(struct thread *t, u64 when)
{
    if (t->ticket.delivered != TICKET_ASKS)
        t->ticket.delivered = 0;
    t->timeout = (struct timer){0};
    t->unusual |= THREAD_IS_TIMED;
    clock_arm(&t->timeout, TIMER_TIMEOUT, when);
}

/* Lock: any. */
void timeout_cancel(struct thread *t)
{
    if (!(t->unusual & THREAD_IS_TIMED))
        return;
    t->unusual &= (u8)~THREAD_IS_TIMED;
    clock_disarm(&t->timeout);
}
