/* SPDX-License-Identifier: MIT */
/*
 * The operation table of one object type, made from its .def file.
 *
 * Included once by an object's .c, after its own operations are defined or with them still to
 * come (this declares them); so there is no include guard:
 *
 *     #define OPERATIONS_OF   bank
 *     #define OPERATIONS_FILE "lib/abi/bank.def"
 *     #include "kernel/core/operations.h"
 *
 * It declares `static operation_fn bank_create;` for each OP line (one that is missing does not
 * link) and defines `bank_operations`, a struct operation_table.  Memory objects also define
 * OPERATIONS_BASE "lib/abi/memory.def"; those functions are not static (memory.h).
 */
#define OPERATIONS_PASTE2(a, b) a##b
#define OPERATIONS_PASTE(a, b)  OPERATIONS_PASTE2(a, b)
#define OPERATIONS_NAME(suffix) OPERATIONS_PASTE(OPERATIONS_OF, suffix)

#define RIGHT(object, name, value, text)
#define SYS(object, number, name, text)
#define INHERITS(object, base)

#define OP(object, number, name, rights, nargs, args, text) static operation_fn object##_##name;
#define ERR(object, op, status, text)
#include OPERATIONS_FILE
#undef OP

static const struct operation OPERATIONS_NAME(_operation_list)[] = {
#define OP(object, number, name, rights, nargs, args, text) \
    [number] = {object##_##name, #name, rights, nargs},
#ifdef OPERATIONS_BASE
#include OPERATIONS_BASE
#endif
#include OPERATIONS_FILE
#undef OP
#undef ERR
    [0] = {NULL, "identify", 0, 0}, /* invoke.c answers it for every type */
};

static const struct operation_error OPERATIONS_NAME(_error_list)[] = {
#define OP(object, number, name, rights, nargs, args, text)
#define ERR(object, op, status, text) {OP_##object##_##op, ST_##status},
#ifdef OPERATIONS_BASE
#include OPERATIONS_BASE
#endif
#include OPERATIONS_FILE
#undef OP
#undef ERR
    {OP_LIMIT, ST_OK}, /* keeps the list non-empty */
};
#undef RIGHT
#undef SYS
#undef INHERITS

static const struct operation_table OPERATIONS_NAME(_operations) = {
    OPERATIONS_NAME(_operation_list),
    ARRAY_SIZE(OPERATIONS_NAME(_operation_list)),
    OPERATIONS_NAME(_error_list),
    ARRAY_SIZE(OPERATIONS_NAME(_error_list)),
};

#undef OPERATIONS_OF
#undef OPERATIONS_FILE
#undef OPERATIONS_BASE
