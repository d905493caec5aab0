/* SPDX-License-Identifier: MIT */
/* Sleeping: waiting, with an end, for a notification that nobody signals.  All threads share it. */
#include "lib/rt/rt.h"

static cap_t silent; /* made when somebody first sleeps */

/* The notification; 0 if the bank has no room for it. */
static cap_t silent_notification(void)
{
    cap_t have = __atomic_load_n(&silent, __ATOMIC_ACQUIRE);
    struct result made;

    if (have)
        return have;
    made = object_create(SLOT_BANK, OBJ_notification, 0, 0);
    if (made.status != ST_OK)
        return 0;
    if (!__atomic_compare_exchange_n(&silent, &have, made.value, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_ACQUIRE)) {
        slot_free(made.value); /* another thread was first */
        return have;
    }
    return made.value;
}

void clock_sleep_until(word_t moment)
{
    cap_t n = silent_notification();

    do {
        if (n)
            (void)q_wait_within(n, SYS_DEADLINE, moment);
        else
            sys_yield(); /* the best that is left */
    } while (clock_ns() < moment);
}

void clock_sleep(word_t ns)
{
    word_t now = clock_ns();

    clock_sleep_until(ns > FOREVER - now ? FOREVER : now + ns);
}
