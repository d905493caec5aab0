/* SPDX-License-Identifier: MIT */
/* Control flow of RV64GC, one instruction at a time; decode.h says what for. */
#include "lib/debug/decode.h"

#define MOST_OF_A_SEQUENCE \
    16 /* instructions from LR to SC that the architecture promises to let end */

#define OP_BRANCH 0x63
#define OP_JALR   0x67
#define OP_JAL    0x6f
#define OP_AMO    0x2f
#define OP_SYSTEM 0x73

struct instruction {
    uint32_t bits;
    unsigned nbytes; /* 2 or 4 */
};

struct code {
    decode_read_fn *read;
    void *context;
};

static bool fetch(const struct code *c, word_t pc, struct instruction *i)
{
    uint16_t low, high;

    if (!c->read(c->context, pc, &low))
        return false;
    *i = (struct instruction){.bits = low, .nbytes = 2};
    if ((low & 3) != 3)
        return true;
    if ((low & 0x1f) == 0x1f || !c->read(c->context, pc + 2, &high)) /* longer, or not all there */
        return false;
    *i = (struct instruction){.bits = low | (uint32_t)high << 16, .nbytes = 4};
    return true;
}

/* Bits of the instruction, `n` from bit `from`, moved to bit `to`. */
static word_t field(uint32_t bits, unsigned from, unsigned n, unsigned to)
{
    return (word_t)(bits >> from & ((1u << n) - 1)) << to;
}

static word_t extend(word_t value, unsigned sign)
{
    word_t m = (word_t)1 << sign;

    return (value ^ m) - m;
}

static word_t offset_jal(uint32_t i)
{
    return extend(
        field(i, 31, 1, 20) | field(i, 12, 8, 12) | field(i, 20, 1, 11) | field(i, 21, 10, 1), 20);
}

static word_t offset_branch(uint32_t i)
{
    return extend(field(i, 31, 1, 12) | field(i, 7, 1, 11) | field(i, 25, 6, 5) | field(i, 8, 4, 1),
                  12);
}

static word_t offset_c_j(uint32_t i)
{
    return extend(field(i, 12, 1, 11) | field(i, 8, 1, 10) | field(i, 9, 2, 8) | field(i, 6, 1, 7) |
                      field(i, 7, 1, 6) | field(i, 2, 1, 5) | field(i, 11, 1, 4) |
                      field(i, 3, 3, 1),
                  11);
}

static word_t offset_c_branch(uint32_t i)
{
    return extend(field(i, 12, 1, 8) | field(i, 5, 2, 6) | field(i, 2, 1, 5) | field(i, 10, 2, 3) |
                      field(i, 3, 2, 1),
                  8);
}

static bool is_branch(const struct instruction *i)
{
    if (i->nbytes == 4)
        return (i->bits & 0x7f) == OP_BRANCH;
    return (i->bits & 3) == 1 && i->bits >> 13 >= 6;
}

static word_t branch_target(const struct instruction *i, word_t pc)
{
    return pc + (i->nbytes == 4 ? offset_branch(i->bits) : offset_c_branch(i->bits));
}

static word_t reg(const word_t x[32], unsigned n)
{
    return n ? x[n] : 0;
}

static bool branch_taken(const struct instruction *i, const word_t x[32])
{
    word_t a, b;
    bool result;

    if (i->nbytes == 2) { /* c.beqz, c.bnez: rs1' is x8 to x15 */
        a = reg(x, 8 + field(i->bits, 7, 3, 0));
        return i->bits >> 13 == 6 ? a == 0 : a != 0;
    }
    a = reg(x, field(i->bits, 15, 5, 0));
    b = reg(x, field(i->bits, 20, 5, 0));
    switch (i->bits >> 12 & 6) {
    case 0: /* beq */
        result = a == b;
        break;
    case 4: /* blt */
        result = (int64_t)a < (int64_t)b;
        break;
    case 6: /* bltu */
        result = a < b;
        break;
    default: /* not assigned: it traps where it is */
        return false;
    }
    return (i->bits >> 12 & 1) ? !result : result;
}

/* Jumps, by register or not: *target is where to. */
static bool is_jump(const struct instruction *i, word_t pc, const word_t x[32], word_t *target)
{
    uint32_t bits = i->bits;

    if (i->nbytes == 4) {
        if ((bits & 0x7f) == OP_JAL)
            *target = pc + offset_jal(bits);
        else if ((bits & 0x707f) == OP_JALR)
            *target = (reg(x, field(bits, 15, 5, 0)) + extend(field(bits, 20, 12, 0), 11)) & ~1ul;
        else
            return false;
        return true;
    }
    if ((bits & 0xe003) == 0xa001) /* c.j */
        *target = pc + offset_c_j(bits);
    else if ((bits & 0xe07f) == 0x8002 && (bits & 0xf80)) /* c.jr, c.jalr */
        *target = reg(x, field(bits, 7, 5, 0)) & ~1ul;
    else
        return false;
    return true;
}

static bool is_lr(const struct instruction *i)
{
    return i->nbytes == 4 && (i->bits & 0xf9f0007f) == (0x10000000 | OP_AMO);
}

static bool is_sc(const struct instruction *i)
{
    return i->nbytes == 4 && (i->bits & 0xf800007f) == (0x18000000 | OP_AMO);
}

/* From the LR at `pc`: targets if it is a sequence as compilers and people write them, else 0. */
static unsigned sequence_targets(const struct code *c, word_t pc, word_t targets[DECODE_TARGETS])
{
    static const word_t no_registers[32];
    word_t at = pc, leaves[DECODE_TARGETS], unused;
    unsigned n = 0, nleaves = 0;
    struct instruction i;

    for (unsigned k = 0; k < MOST_OF_A_SEQUENCE; k++, at += i.nbytes) {
        if (!fetch(c, at, &i) || (k && is_lr(&i)) || is_jump(&i, at, no_registers, &unused) ||
            (i.bits & 0x7f) == OP_SYSTEM)
            return 0;
        if (is_branch(&i)) {
            if (nleaves == DECODE_TARGETS - 1)
                return 0;
            leaves[nleaves++] = branch_target(&i, at);
        }
        if (!is_sc(&i))
            continue;
        at += i.nbytes;
        targets[n++] = at;
        for (unsigned j = 0; j < nleaves; j++)
            if (leaves[j] < pc || leaves[j] > at)
                targets[n++] = leaves[j];
        return n;
    }
    return 0;
}

unsigned decode_targets(word_t pc, const word_t x[32], decode_read_fn *read, void *context,
                        word_t targets[DECODE_TARGETS])
{
    const struct code code = {read, context};
    struct instruction i;
    unsigned n;

    if (!fetch(&code, pc, &i))
        return 0;
    if (is_lr(&i)) {
        n = sequence_targets(&code, pc, targets);
        if (n)
            return n;
    }
    if (is_branch(&i) && branch_taken(&i, x))
        targets[0] = branch_target(&i, pc);
    else if (!is_jump(&i, pc, x, &targets[0]))
        targets[0] = pc + i.nbytes;
    return 1;
}
