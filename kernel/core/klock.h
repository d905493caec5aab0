/* SPDX-License-Identifier: MIT */
/*
 * klock.h: the kernel's lock, its two modes, and the order of all locks.
 *
 * Every entry into the kernel takes the lock in one of two modes:
 *   shared   IPC, faults, answers: nothing is created, destroyed or revoked meanwhile, so what a
 *            pointer names stays; several harts may be inside, and take the spinlocks below.
 *   alone    everything else: nobody else is inside.
 * Both are one lock today, since one hart runs the kernel (HARTS_MAX); debug builds keep the mode
 * and test it.  Each function states the mode it needs; a function that needs `shared` may be
 * called in `alone` too.
 *
 * Order: whoever holds a lock of this list takes only locks below it.
 *   1 kernel (this)  decides who may exist; everything else stands on it
 *   2 aspace         a fault finds its region first ...
 *   3 object         ... and only the region says which object
 *   4 endpoint       an object with news looks for a receiver; a receiver never looks for an object
 *                    it does not hold
 *   5 context        a message, once delivered, changes whom a context animates
 *   6 bank           all of the above may need a page
 *   7 buddy          and only a bank asks for frames
 *   8 console        anyone may print
 * 2 to 8 have nothing to exclude while one hart runs, and are taken from then on.
 *
 * REQUIRES(klock) and the like are checked by clang -Wthread-safety, and empty for GCC.
 */
#ifndef KERNEL_CORE_KLOCK_H
#define KERNEL_CORE_KLOCK_H

#include "kernel/core/hart.h"
#include "kernel/core/panic.h"
#include "lib/base/types.h"

#ifdef __clang__
#define THREAD_SAFETY(x) __attribute__((x))
#else
#define THREAD_SAFETY(x)
#endif
#define CAPABILITY(name)          THREAD_SAFETY(capability(name))
#define REQUIRES(...)             THREAD_SAFETY(requires_capability(__VA_ARGS__))
#define REQUIRES_SHARED(...)      THREAD_SAFETY(requires_shared_capability(__VA_ARGS__))
#define EXCLUDES(...)             THREAD_SAFETY(locks_excluded(__VA_ARGS__))
#define ACQUIRES(...)             THREAD_SAFETY(acquire_capability(__VA_ARGS__))
#define ACQUIRES_SHARED(...)      THREAD_SAFETY(acquire_shared_capability(__VA_ARGS__))
#define RELEASES(...)             THREAD_SAFETY(release_generic_capability(__VA_ARGS__))
#define NO_THREAD_SAFETY_ANALYSIS THREAD_SAFETY(no_thread_safety_analysis)

enum klock_mode {
    KLOCK_FREE,
    KLOCK_SHARED,
    KLOCK_ALONE,
};

struct CAPABILITY("kernel lock") klock {
    u32 taken; /* [a] 1: a hart is inside.  Acquire in klock_take pairs with release in leave */
    u8 mode;   /* KLOCK_*, of whoever is inside; kept in debug builds */
};
extern struct klock klock;

static inline void klock_take(enum klock_mode mode) NO_THREAD_SAFETY_ANALYSIS
{
    if (HARTS_MAX > 1)
        while (__atomic_exchange_n(&klock.taken, 1, __ATOMIC_ACQUIRE))
            ;
    if (CONFIG_DEBUG) {
        assert(klock.mode == KLOCK_FREE);
        klock.mode = (u8)mode;
    }
}

static inline void kernel_enter_shared(void) ACQUIRES_SHARED(klock) NO_THREAD_SAFETY_ANALYSIS
{
    klock_take(KLOCK_SHARED);
}

static inline void kernel_enter_alone(void) ACQUIRES(klock) NO_THREAD_SAFETY_ANALYSIS
{
    klock_take(KLOCK_ALONE);
}

static inline void kernel_leave(void) RELEASES(klock) NO_THREAD_SAFETY_ANALYSIS
{
    if (CONFIG_DEBUG) {
        assert(klock.mode != KLOCK_FREE);
        klock.mode = KLOCK_FREE;
    }
    if (HARTS_MAX > 1)
        __atomic_store_n(&klock.taken, 0, __ATOMIC_RELEASE);
}

/* Is the lock held; held alone?  Always true in release builds: for assert only. */
static inline bool klock_held(void)
{
    return !CONFIG_DEBUG || klock.mode != KLOCK_FREE;
}
static inline bool klock_held_alone(void)
{
    return !CONFIG_DEBUG || klock.mode == KLOCK_ALONE;
}

#endif
