/* SPDX-License-Identifier: MIT */
/*
 * Locks between threads of a program, and from them those that picolibc asks for.
 *
 * A holder is never waited for by spinning: with strict priorities a spinning thread of high
 * priority would keep the holder from running for ever.  The notification keeps its bit until
 * somebody takes it, so a wake-up between the test and the wait is not lost.
 */
#include <stdlib.h>
#include <sys/lock.h>

#include "lib/rt/internal.h"
#include "lib/rt/rt.h"

bool rt_lock_try(struct rt_lock *lock)
{
    unsigned free = 0;

    return __atomic_compare_exchange_n(&lock->state, &free, 1, false, __ATOMIC_ACQUIRE,
                                       __ATOMIC_RELAXED);
}

void rt_lock(struct rt_lock *lock)
{
    cap_t waiters;

    if (rt_lock_try(lock))
        return;
    waiters = notification_once(&lock->waiters);
    while (__atomic_exchange_n(&lock->state, waiters ? 2 : 1, __ATOMIC_ACQUIRE) != 0) {
        if (waiters)
            q_notification_wait(waiters);
        else
            sys_yield(); /* the bank is empty: the best that is left */
    }
}

void rt_unlock(struct rt_lock *lock)
{
    if (__atomic_exchange_n(&lock->state, 0, __ATOMIC_RELEASE) == 2)
        q_notification_signal(__atomic_load_n(&lock->waiters, __ATOMIC_ACQUIRE), 1);
}

/* ---- picolibc's names for them ---------------------------------------------------------------*/

struct __lock {
    struct rt_lock lock;
    struct thread_buffer *owner; /* buffer page of the holder, which tells threads apart */
    unsigned depth;
};

struct __lock __lock___libc_recursive_mutex;

void __retarget_lock_init(_LOCK_T *lock)
{
    *lock = calloc(1, sizeof **lock);
    if (!*lock)
        abort();
}

void __retarget_lock_close(_LOCK_T lock)
{
    slot_free(lock->lock.waiters);
    free(lock);
}

void __retarget_lock_acquire(_LOCK_T lock)
{
    rt_lock(&lock->lock);
}

int __retarget_lock_try_acquire(_LOCK_T lock)
{
    return rt_lock_try(&lock->lock);
}

void __retarget_lock_release(_LOCK_T lock)
{
    rt_unlock(&lock->lock);
}

void __retarget_lock_init_recursive(_LOCK_T *lock)
{
    __retarget_lock_init(lock);
}

void __retarget_lock_close_recursive(_LOCK_T lock)
{
    __retarget_lock_close(lock);
}

/* `owner` is read without the lock: it equals this thread's page only if this thread wrote it. */
static bool lock_is_mine(_LOCK_T lock)
{
    return __atomic_load_n(&lock->owner, __ATOMIC_RELAXED) == sys_buffer();
}

static void lock_taken(_LOCK_T lock)
{
    __atomic_store_n(&lock->owner, sys_buffer(), __ATOMIC_RELAXED);
    lock->depth = 1;
}

void __retarget_lock_acquire_recursive(_LOCK_T lock)
{
    if (lock_is_mine(lock)) {
        lock->depth++;
        return;
    }
    rt_lock(&lock->lock);
    lock_taken(lock);
}

int __retarget_lock_try_acquire_recursive(_LOCK_T lock)
{
    if (lock_is_mine(lock)) {
        lock->depth++;
        return 1;
    }
    if (!rt_lock_try(&lock->lock))
        return 0;
    lock_taken(lock);
    return 1;
}

void __retarget_lock_release_recursive(_LOCK_T lock)
{
    if (--lock->depth > 0)
        return;
    __atomic_store_n(&lock->owner, NULL, __ATOMIC_RELAXED);
    rt_unlock(&lock->lock);
}
