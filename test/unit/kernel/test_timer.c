/* SPDX-License-Identifier: MIT */
// sources: kernel/core/clock.c kernel/core/tree.c test/unit/fake/arena.c test/unit/fake/panic.c
// sources: test/unit/fake/timer.c
/*
 * Claim: whatever is armed and called off in whatever order, each timer fires once, in order of time,
 * never before its moment, and the hart is always programmed for the first thing that is due; and
 * times change between nanoseconds and the counter's units without loss.
 *
 * A timer that is lost when its neighbours go, a moment that is not programmed, a conversion that
 * rounds the wrong way or overflows make it fail.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "arch/timer.h"
#include "kernel/core/budget.h"
#include "kernel/core/clock.h"
#include "kernel/core/hart.h"
#include "kernel/core/ipc.h"
#include "kernel/core/schedule.h"
#include "test/unit/base/support.h"
#include "test/unit/fake/panic.h"

#define TIMERS 1000

static struct hart hart;
void *fake_hart = &hart;
static struct thread *threads[TIMERS];
static u64 when[TIMERS]; /* the model: 0 = not armed */
static unsigned fired, ticks;
static u64 last_fired;

void schedule_tick(void)
{
    ticks++;
}

void budget_ended(u64 now)
{
    (void)now;
}
void budget_refill(struct sched *s, u64 when)
{
    (void)s;
    (void)when;
}

static unsigned number_of(const struct thread *t)
{
    for (unsigned i = 0; i < TIMERS; i++)
        if (threads[i] == t)
            return i;
    fail();
    return 0;
}

void ipc_timed_out(struct thread *t)
{
    unsigned i = number_of(t);

    assert_int_not_equal(when[i], 0);
    assert_true(when[i] <= fake_now);   /* never early */
    assert_true(when[i] >= last_fired); /* in order */
    last_fired = when[i];
    when[i] = 0;
    fired++;
}

static void start(u64 hz)
{
    fake_arena_init();
    fake_now = 1000;
    fired = ticks = 0;
    last_fired = 0;
    clock_init(&hart, hz);
    for (unsigned i = 0; i < TIMERS; i++) {
        threads[i] = fake_alloc(THREAD_BYTES);
        when[i] = 0;
    }
}

static void arm(unsigned i, u64 moment)
{
    when[i] = moment;
    clock_arm(&threads[i]->timeout, TIMER_TIMEOUT, moment);
}

/* What the hardware does: as often as it is due. */
static void pass(u64 units)
{
    fake_now += units;
    while (fake_now >= fake_programmed) {
        unsigned before = fired;

        clock_interrupt();
        assert_true(fired - before <= CLOCK_BATCH);
    }
}

static u64 first_due(void)
{
    u64 first = hart.clock.tick;

    for (unsigned i = 0; i < TIMERS; i++)
        if (when[i])
            first = MIN(first, when[i]);
    return first;
}

static void timers_when_armed_at_random_fire_once_and_in_order(void **state)
{
    struct random r = seeded("timers");

    (void)state;
    start(10000000);
    for (unsigned step = 0; step < 20000; step++) {
        unsigned i = (unsigned)random_below(&r, TIMERS);

        if (random_below(&r, 8) == 0) {
            last_fired = 0;
            pass(random_below(&r, 300));
            for (unsigned k = 0; k < TIMERS; k++)
                assert_true(when[k] == 0 || when[k] > fake_now); /* not late */
        } else if (when[i]) {
            clock_disarm(&threads[i]->timeout);
            clock_disarm(&threads[i]->timeout); /* nothing */
            when[i] = 0;
        } else {
            arm(i, random_below(&r, 20) ? fake_now + 1 + random_below(&r, 5000) : CLOCK_NEVER);
        }
        assert_true(fake_programmed <= first_due());
        clock_check();
    }
    assert_true(fired > 500);
    assert_true(ticks > 1);
}

static void timers_when_a_thousand_are_due_come_in_batches(void **state)
{
    (void)state;
    start(10000000);
    for (unsigned i = 0; i < TIMERS; i++)
        arm(i, 5000 + i % 7);
    pass(4000); /* to 5000 */
    assert_int_equal(fired, (TIMERS + 6) / 7);
    last_fired = 0;
    pass(6);
    assert_int_equal(fired, TIMERS);
    assert_int_equal(hart.clock.count, 0);
    assert_int_equal(fake_programmed, hart.clock.tick);
}

static void tick_when_nothing_else_is_due_comes_every_ten_ms(void **state)
{
    (void)state;
    start(10000000);
    assert_int_equal(fake_programmed, 1000 + 100000);
    pass(99999);
    assert_int_equal(ticks, 0);
    pass(1);
    assert_int_equal(ticks, 1);
    pass(250000); /* late: the next is counted from now */
    assert_int_equal(ticks, 2);
    assert_int_equal(fake_programmed, fake_now + 100000);
}

static void programmed_when_a_timer_is_called_off_is_not_touched(void **state)
{
    (void)state;
    start(10000000);
    arm(0, fake_now + 50);
    assert_int_equal(fake_programmed, fake_now + 50);
    arm(1, fake_now + 70);
    assert_int_equal(fake_programmed, fake_now + 50);
    clock_disarm(&threads[0]->timeout);
    when[0] = 0;
    pass(50); /* nothing is due */
    assert_int_equal(fired, 0);
    assert_int_equal(fake_programmed, fake_now + 20);
    pass(20);
    assert_int_equal(fired, 1);
}

static void time_when_converted_rounds_up_and_never_overflows(void **state)
{
    static const u64 rates[] = {1, 3, 32768, 4000000, 10000000, 24000000, 999999937, 1000000000};
    static const u64 times[] = {
        0, 1, 99, 100, 101, 999999999, 1000000000, 123456789123456789, 1ul << 62, ~0ul - 1};

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(rates); i++) {
        start(rates[i]);
        assert_int_equal(clock_hz(), rates[i]);
        assert_int_equal(clock_units(CLOCK_NEVER), CLOCK_NEVER);
        for (unsigned k = 0; k < ARRAY_SIZE(times); k++) {
            unsigned __int128 exact = (unsigned __int128)times[k] * rates[i];

            assert_int_equal(clock_units(times[k]), (u64)((exact + 999999999) / 1000000000));
        }
    }
    assert_int_equal(clock_after(5, 7), 12);
    assert_int_equal(clock_after(CLOCK_NEVER - 1, 7), CLOCK_NEVER);
    assert_int_equal(clock_after(5, CLOCK_NEVER), CLOCK_NEVER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers_when_armed_at_random_fire_once_and_in_order),
        cmocka_unit_test(timers_when_a_thousand_are_due_come_in_batches),
        cmocka_unit_test(tick_when_nothing_else_is_due_comes_every_ten_ms),
        cmocka_unit_test(programmed_when_a_timer_is_called_off_is_not_touched),
        cmocka_unit_test(time_when_converted_rounds_up_and_never_overflows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
