/* SPDX-License-Identifier: MIT */
/*
 * Rights and operation numbers as constants, from the .def files.
 *
 * RIGHT(bank, CREATE, 1, ..) gives enum BANK_CREATE and OP(bank, 1, create, ..) gives
 * OP_bank_create.  The upper-case object name is spelled once per object in this file, since the
 * preprocessor cannot change case.  all.def includes every .def of operations.
 */
#ifndef QUIRE_ABI_CONSTANTS_H
#define QUIRE_ABI_CONSTANTS_H

#define ABI_PREFIX_bank(x)         BANK_##x
#define ABI_PREFIX_cspace(x)       CSPACE_##x
#define ABI_PREFIX_thread(x)       THREAD_##x
#define ABI_PREFIX_aspace(x)       ASPACE_##x
#define ABI_PREFIX_endpoint(x)     ENDPOINT_##x
#define ABI_PREFIX_notification(x) NOTIFICATION_##x
#define ABI_PREFIX_sched(x)        SCHED_##x
#define ABI_PREFIX_irq(x)          IRQ_##x
#define ABI_PREFIX_debug(x)        DEBUG_##x
#define ABI_PREFIX_memory(x)       MEMORY_##x

enum object_right {
#define RIGHT(object, name, value, text) ABI_PREFIX_##object(name) = value,
#define OP(object, number, name, rights, nargs, args, text)
#define SYS(object, number, name, text)
#define ERR(object, op, status, text)
#define INHERITS(object, base)
#include "lib/abi/all.def"
#undef RIGHT
#undef OP
    RIGHTS_ALL = 0x7f,
};

enum operation_number {
#define RIGHT(object, name, value, text)
#define OP(object, number, name, rights, nargs, args, text) OP_##object##_##name = number,
#include "lib/abi/all.def"
#undef RIGHT
#undef OP
#undef SYS
#undef ERR
#undef INHERITS
    OP_LIMIT = 32,
};

#endif
