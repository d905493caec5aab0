/* SPDX-License-Identifier: MIT */
/*
 * Claim: capabilities are copied, minted, moved and deleted between capability spaces with rights
 * that only shrink, and every mistake is refused without a trace.
 *
 * It would fail if a copy had a right that its source lacks, if a badge could be set twice, if a
 * deletion took the copies made from what was deleted, or if an object died too early or too late.
 */
#include "test/support/kit.h"

#define BITS   4
#define NSLOTS 16

struct entry {
    word_t type, rights, badge;
};

static struct entry look(cap_t cspace, cap_t slot)
{
    struct message m = {.words = {slot}};

    if (q_operation(cspace, OP_cspace_query, 1, &m) != ST_OK)
        bail("cspace.query of slot %lu", slot);
    return (struct entry){m.words[0], m.words[1], m.words[2]};
}

static bool is(struct entry e, word_t type, word_t rights, word_t badge)
{
    return e.type == type && e.rights == rights && e.badge == badge;
}

/* Errors that copy, mint and move have in common. */
#define TRANSFER_ERRORS(name, op, ...)                                                            \
    do {                                                                                          \
        REFUSED(op(c, 0, SLOT_CSPACE, source, ##__VA_ARGS__), ST_BAD_ARG, 0,                      \
                "cspace." name " BAD_ARG: to slot 0, detail is its argument index");              \
        REFUSED(op(c, NSLOTS, SLOT_CSPACE, source, ##__VA_ARGS__), ST_BAD_ARG, 0,                 \
                "cspace." name " BAD_ARG: to a slot outside");                                    \
        REFUSED(op(c, 3, SLOT_CSPACE, 0, ##__VA_ARGS__), ST_BAD_ARG, 2,                           \
                "cspace." name " BAD_ARG: from slot 0");                                          \
        REFUSED(op(c, 3, SLOT_CSPACE, NO_SLOT, ##__VA_ARGS__), ST_BAD_ARG, 2,                     \
                "cspace." name " BAD_ARG: from a slot outside");                                  \
        REFUSED(op(c, 3, source, 1, ##__VA_ARGS__), ST_BAD_CAP, 1,                                \
                "cspace." name " BAD_CAP: from what is no cspace, detail is its argument index"); \
        REFUSED(op(c, 3, blind, 1, ##__VA_ARGS__), ST_BAD_CAP, 1,                                 \
                "cspace." name " BAD_CAP: from a cspace without right EDIT");                     \
        REFUSED(op(c, 2, SLOT_CSPACE, source, ##__VA_ARGS__), ST_OCCUPIED, 2,                     \
                "cspace." name " OCCUPIED: detail is the slot");                                  \
        REFUSED(op(c, 3, SLOT_CSPACE, empty, ##__VA_ARGS__), ST_NOT_FOUND, empty,                 \
                "cspace." name " NOT_FOUND: detail is the empty source slot");                    \
        ok(look(c, 3).type == 0 && look(c, 2).type == OBJ_endpoint && !slot_is_empty(source),     \
           "cspace." name " that is refused changes no slot");                                    \
    } while (0)

static void test_errors(cap_t c)
{
    cap_t source = make(OBJ_endpoint, 0, 0), empty = slot_new(), blind = copy_of(c, 0);
    cap_t with_badge = badged(source, RIGHTS_ALL, 5);

    must(q_cspace_copy(c, 2, SLOT_CSPACE, source, RIGHTS_ALL), "cspace.copy");
    TRANSFER_ERRORS("copy", q_cspace_copy, RIGHTS_ALL);
    TRANSFER_ERRORS("mint", q_cspace_mint, RIGHTS_ALL, 9);
    TRANSFER_ERRORS("move", q_cspace_move);
    REFUSED(q_cspace_mint(c, 3, SLOT_CSPACE, with_badge, RIGHTS_ALL, 6), ST_DENIED, 0,
            "cspace.mint DENIED: the source has a badge already");
    REFUSED(q_cspace_delete(c, 0), ST_BAD_ARG, 0, "cspace.delete BAD_ARG: slot 0");
    REFUSED(q_cspace_delete(c, NSLOTS), ST_BAD_ARG, 0, "cspace.delete BAD_ARG: a slot outside");
    REFUSED(q_cspace_delete(c, 3), ST_NOT_FOUND, 3, "cspace.delete NOT_FOUND: detail is the slot");
    REFUSED(q_cspace_query(c, 0), ST_BAD_ARG, 0, "cspace.query BAD_ARG: slot 0");
    REFUSED(q_cspace_query(c, NSLOTS), ST_BAD_ARG, 0, "cspace.query BAD_ARG: a slot outside");
    REFUSED(q_cspace_copy(blind, 3, SLOT_CSPACE, source, RIGHTS_ALL), ST_NO_RIGHT, CSPACE_EDIT,
            "cspace.copy into a cspace without right EDIT is refused");
    must(q_cspace_delete(c, 2), "cspace.delete");
    drop(with_badge);
    drop(blind);
    drop(source);
    slot_release(empty);
}

static void test_copy(cap_t c)
{
    cap_t e = make(OBJ_endpoint, 0, 0);

    must(q_cspace_copy(c, 1, SLOT_CSPACE, e, ENDPOINT_SEND | ENDPOINT_GRANT), "cspace.copy");
    ok(is(look(c, 1), OBJ_endpoint, ENDPOINT_SEND | ENDPOINT_GRANT, 0),
       "cspace.copy: the new capability has the rights asked for");
    must(q_cspace_copy(c, 2, c, 1, RIGHTS_ALL), "cspace.copy");
    ok(is(look(c, 2), OBJ_endpoint, ENDPOINT_SEND | ENDPOINT_GRANT, 0),
       "cspace.copy: rights that the source lacks are not had by asking");
    must(q_cspace_mint(c, 3, c, 2, ENDPOINT_SEND, 77), "cspace.mint");
    ok(is(look(c, 3), OBJ_endpoint, ENDPOINT_SEND, 77), "cspace.mint sets the badge");
    must(q_cspace_copy(c, 4, c, 3, RIGHTS_ALL), "cspace.copy");
    ok(is(look(c, 4), OBJ_endpoint, ENDPOINT_SEND, 77), "cspace.copy keeps the badge");
    must(q_cspace_move(c, 5, c, 4), "cspace.move");
    ok(is(look(c, 5), OBJ_endpoint, ENDPOINT_SEND, 77) && look(c, 4).type == 0,
       "cspace.move: the capability is there and no longer here");
    must(q_cspace_delete(c, 2), "cspace.delete");
    ok(look(c, 2).type == 0 && look(c, 3).type == OBJ_endpoint && look(c, 5).type == OBJ_endpoint,
       "cspace.delete leaves what was made from the capability");
    must(q_cspace_delete(c, 1), "cspace.delete");
    drop(e);
    ok(look(c, 3).type == OBJ_endpoint, "an object lives while any capability to it is left");
    must(q_cspace_delete(c, 3), "cspace.delete");
    must(q_cspace_delete(c, 5), "cspace.delete");
}

static void test_life(void)
{
    struct bank_state before = bank_read(kit.bank);
    cap_t c = make(OBJ_cspace, 8, 0), e = make(OBJ_cspace, 8, 0);

    must(q_cspace_move(c, 1, SLOT_CSPACE, e), "cspace.move");
    slot_release(e);
    ok(bank_read(kit.bank).used > before.used, "a cspace takes pages");
    drop(c);
    ok(bank_read(kit.bank).used == before.used,
       "a cspace that dies takes along the objects that only it named");
    c = make(OBJ_cspace, BITS, 0);
    must(q_cspace_copy(c, 1, SLOT_CSPACE, c, RIGHTS_ALL), "cspace.copy");
    must(q_cspace_delete(c, 1), "cspace.delete");
    drop(c);
    same(bank_read(kit.bank).used, before.used, "cspace counters return to where they were");
}

int main(void)
{
    cap_t c;

    kit_begin();
    c = make(OBJ_cspace, BITS, 0);
    test_errors(c);
    test_copy(c);
    drop(c);
    test_life();
    return tap_end();
}
