/* SPDX-License-Identifier: MIT */
// sources: lib/debug/decode.c
/*
 * Claim: decode_targets says where RV64GC goes: each branch both ways, each jump, everything else to
 * the next instruction; and that a sequence from LR to SC is one step with all its ways out.
 *
 * The encodings are the assembler's.  It fails if a bit of an immediate is moved wrongly, if a
 * comparison has the wrong sign, or if anything is taken for a jump that is none.
 */
#include "test/unit/base/support.h"

#include "lib/debug/decode.h"

#define BASE 0x10000ul
#define PC   (BASE + 0x1000)

static struct {
    word_t end; /* of what is readable */
    u8 bytes[0x2000];
} memory;

static bool read_memory(void *context, word_t address, uint16_t *half)
{
    (void)context;
    if (address < BASE || address + 2 > memory.end)
        return false;
    memcpy(half, &memory.bytes[address - BASE], 2);
    return true;
}

static void put(word_t address, u32 bits)
{
    memcpy(&memory.bytes[address - BASE], &bits, (bits & 3) == 3 ? 4 : 2);
}

static unsigned targets_at(word_t pc, const word_t x[32], word_t targets[DECODE_TARGETS])
{
    return decode_targets(pc, x, read_memory, NULL, targets);
}

static const struct {
    u32 bits;
    word_t a0, a1; /* and t0, a5, s0 are a0 too */
    word_t target; /* less PC, or absolute for jumps by register */
    const char *text;
} cases[] = {
    {0x02a000ef, 0, 0, 0x2a, "jal forward"},
    {0xf7dff06f, 0, 0, -0x84ul, "jal back"},
    {0x010500e7, 0x4000, 0, 0x4010 - PC, "jalr 16(a0)"},
    {0xffd58067, 0, 0x4004, 0x4000 - PC, "jalr -3(a1): bit 0 is dropped"},
    {0x04b50063, 5, 5, 0x40, "beq taken"},
    {0x04b50063, 5, 6, 4, "beq not taken"},
    {0xfcb510e3, 5, 6, -0x40ul, "bne taken, back"},
    {0xfcb510e3, 5, 5, 4, "bne not taken"},
    {0x7eb54f63, -1ul, 0, 0x7fe, "blt taken, signed"},
    {0x7eb54f63, 0, -1ul, 4, "blt not taken, signed"},
    {0x80b55863, 3, 3, -0xff0ul, "bge taken where equal, farthest back"},
    {0x80b55863, -2ul, 3, 4, "bge not taken"},
    {0x00b56463, 1, -1ul, 8, "bltu taken, unsigned"},
    {0x00b56463, -1ul, 1, 4, "bltu not taken"},
    {0x02b57063, -1ul, 1, 0x20, "bgeu taken"},
    {0x02b57063, 1, -1ul, 4, "bgeu not taken"},
    {0x00150513, 1, 1, 4, "addi"},
    {0x00000073, 1, 1, 4, "ecall"},
    {0x006532af, 1, 1, 4, "amoadd.d"},
    {0x1855332f, 1, 1, 4, "sc.d alone"},
    {0xaffd, 0, 0, 0x7fe, "c.j forward"},
    {0xb101, 0, 0, -0x400ul, "c.j back"},
    {0xcd7d, 0, 0, 0xfe, "c.beqz taken"},
    {0xcd7d, 1, 0, 2, "c.beqz not taken"},
    {0xf381, 1, 0, -0x100ul, "c.bnez taken, back"},
    {0xf381, 0, 0, 2, "c.bnez not taken"},
    {0xc009, 0, 0, 2, "c.beqz of s0, taken to the next"},
    {0x8502, 0x4001, 0, 0x4000 - PC, "c.jr"},
    {0x9282, 0x4002, 0, 0x4002 - PC, "c.jalr"},
    {0x9002, 0x4000, 0, 2, "c.ebreak"},
    {0x852e, 0x4000, 0, 2, "c.mv, which differs from c.jr in rs2 alone"},
    {0x952e, 0x4000, 0, 2, "c.add, which differs from c.jalr in rs2 alone"},
    {0x2505, 0x4000, 0, 2, "c.addiw, which is c.jal in RV32"},
    {0x4501, 0x4000, 0, 2, "c.li"},
};

static void each_instruction_goes_where_it_goes(void **state)
{
    (void)state;
    memory.end = BASE + sizeof memory.bytes;
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        word_t x[32] = {[0] = 77}, targets[DECODE_TARGETS];

        x[10] = x[5] = x[15] = x[8] = cases[i].a0;
        x[11] = cases[i].a1;
        put(PC, cases[i].bits);
        if (targets_at(PC, x, targets) != 1 || targets[0] != PC + cases[i].target)
            fail_msg("%s: to 0x%lx, not 0x%lx", cases[i].text, targets[0], PC + cases[i].target);
    }
}

static void code_that_is_not_there_has_no_targets(void **state)
{
    word_t x[32] = {0}, targets[DECODE_TARGETS];

    (void)state;
    put(PC, 0x00150513);
    memory.end = PC;
    assert_int_equal(targets_at(PC, x, targets), 0);
    memory.end = PC + 2; /* half of it */
    assert_int_equal(targets_at(PC, x, targets), 0);
    memory.end = PC + 4;
    assert_int_equal(targets_at(PC, x, targets), 1);
    put(PC, 0x0000001f); /* an instruction of over 4 bytes */
    assert_int_equal(targets_at(PC, x, targets), 0);
}

#define LR_D   0x100532afu
#define SC_D   0x1855332fu
#define ADDI   0x00150513u
#define BNE_20 0x02b51063u /* bne a0, a1, . + 0x20 */
#define BNE_4  0x00b51263u /* bne a0, a1, . + 4 */

static void a_sequence_is_one_step(void **state)
{
    word_t x[32] = {0}, targets[DECODE_TARGETS];

    (void)state;
    memory.end = BASE + sizeof memory.bytes;
    put(PC, LR_D);
    put(PC + 4, BNE_20);
    put(PC + 8, ADDI);
    put(PC + 12, SC_D);
    assert_int_equal(targets_at(PC, x, targets), 2);
    assert_int_equal(targets[0], PC + 16);
    assert_int_equal(targets[1], PC + 0x24);

    put(PC + 4, BNE_4); /* stays within */
    assert_int_equal(targets_at(PC, x, targets), 1);
    assert_int_equal(targets[0], PC + 16);

    put(PC + 4, 0xf971); /* c.bnez a0, . - 0x2c: leaves backwards */
    put(PC + 6, SC_D);
    assert_int_equal(targets_at(PC, x, targets), 2);
    assert_int_equal(targets[0], PC + 10);
    assert_int_equal(targets[1], PC + 4 - 0x2c);
}

static void what_is_no_sequence_is_stepped_through(void **state)
{
    static const u32 spoilers[] = {LR_D, 0x00000073, 0x02a000ef, 0x8502, 0x0000001f};
    word_t x[32] = {0}, targets[DECODE_TARGETS];

    (void)state;
    memory.end = BASE + sizeof memory.bytes;
    for (unsigned i = 0; i < ARRAY_SIZE(spoilers); i++) {
        put(PC, LR_D);
        put(PC + 4, spoilers[i]);
        put(PC + 8, SC_D);
        assert_int_equal(targets_at(PC, x, targets), 1);
        assert_int_equal(targets[0], PC + 4);
    }
    for (unsigned i = 1; i < 20; i++) /* too long */
        put(PC + 4 * i, ADDI);
    put(PC + 4 * 16, SC_D);
    assert_int_equal(targets_at(PC, x, targets), 1);
    assert_int_equal(targets[0], PC + 4);
    put(PC + 4 * 15, SC_D);
    assert_int_equal(targets_at(PC, x, targets), 1);
    assert_int_equal(targets[0], PC + 4 * 16);
    for (unsigned i = 1; i < 9; i++) /* more ways out than a step has room for */
        put(PC + 4 * i, BNE_20 + 0x40000000);
    assert_int_equal(targets_at(PC, x, targets), 1);
    put(PC + 4, ADDI);
    assert_int_equal(targets_at(PC, x, targets), 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_instruction_goes_where_it_goes),
        cmocka_unit_test(code_that_is_not_there_has_no_targets),
        cmocka_unit_test(a_sequence_is_one_step),
        cmocka_unit_test(what_is_no_sequence_is_stepped_through),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
