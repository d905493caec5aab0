/* SPDX-License-Identifier: MIT */
/*
 * Which slots of the program's cspace are free: one bit each, set = taken.
 *
 * Lock-free: a bit is taken by an atomic OR that finds it clear.  The search begins at the word
 * where the last one ended, so that slots are not used again at once, which makes a stale slot
 * number in a program show up as BAD_CAP rather than as somebody else's capability.
 */
#include "lib/rt/internal.h"
#include "lib/rt/rt.h"

#define MAX_BITS 16

static uint64_t taken[(1 << MAX_BITS) / 64];
static unsigned nslot_words; /* words of `taken` in use */
static unsigned search;

void slot_init(unsigned cspace_bits, cap_t first_free)
{
    cap_t nslots = (cap_t)1 << (cspace_bits < MAX_BITS ? cspace_bits : MAX_BITS);

    nslot_words = (unsigned)((nslots + 63) / 64);
    for (cap_t slot = 0; slot < first_free; slot++)
        taken[slot / 64] |= (uint64_t)1 << slot % 64;
    for (cap_t slot = nslots; slot < (cap_t)nslot_words * 64; slot++)
        taken[slot / 64] |= (uint64_t)1 << slot % 64;
}

cap_t slot_alloc(void)
{
    unsigned start = __atomic_load_n(&search, __ATOMIC_RELAXED);

    for (unsigned i = 0; i < nslot_words; i++) {
        unsigned w = (start + i) % nslot_words;
        uint64_t free = ~__atomic_load_n(&taken[w], __ATOMIC_RELAXED);

        while (free) {
            unsigned bit = (unsigned)__builtin_ctzll(free);
            uint64_t mask = (uint64_t)1 << bit;

            if (!(__atomic_fetch_or(&taken[w], mask, __ATOMIC_ACQUIRE) & mask)) {
                __atomic_store_n(&search, w, __ATOMIC_RELAXED);
                return (cap_t)w * 64 + bit;
            }
            free &= ~mask;
        }
    }
    return 0;
}

void slot_release(cap_t slot)
{
    if (slot != 0 && slot < (cap_t)nslot_words * 64)
        __atomic_fetch_and(&taken[slot / 64], ~((uint64_t)1 << slot % 64), __ATOMIC_RELEASE);
}

void slot_free(cap_t slot)
{
    if (slot == 0)
        return;
    q_cspace_delete(SLOT_CSPACE, slot);
    slot_release(slot);
}

struct result object_create(cap_t bank, enum object_type type, word_t a, word_t b)
{
    cap_t slot = slot_alloc();
    struct result r;

    if (slot == 0)
        return (struct result){ST_LIMIT, 0};
    r = q_bank_create(bank, type, slot, a, b, 0);
    if (r.status != ST_OK) {
        slot_release(slot);
        return r;
    }
    return (struct result){ST_OK, slot};
}

cap_t notification_once(cap_t *where)
{
    cap_t have = __atomic_load_n(where, __ATOMIC_ACQUIRE);
    struct result made;

    if (have)
        return have;
    made = object_create(SLOT_BANK, OBJ_notification, 0, 0);
    if (made.status != ST_OK)
        return 0;
    if (!__atomic_compare_exchange_n(where, &have, made.value, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_ACQUIRE)) {
        slot_free(made.value); /* another thread was first */
        return have;
    }
    return made.value;
}

struct result cap_mint(cap_t from, word_t rights, word_t badge)
{
    cap_t slot = slot_alloc();
    struct result r;

    if (slot == 0)
        return (struct result){ST_LIMIT, 0};
    if (badge)
        r = q_cspace_mint(SLOT_CSPACE, slot, SLOT_CSPACE, from, rights, badge);
    else
        r = q_cspace_copy(SLOT_CSPACE, slot, SLOT_CSPACE, from, rights);
    if (r.status != ST_OK) {
        slot_release(slot);
        return r;
    }
    return (struct result){ST_OK, slot};
}
