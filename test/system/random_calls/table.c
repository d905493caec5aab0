/* SPDX-License-Identifier: MIT */
/* The list of operations and of their errors, made by the preprocessor; and the tally. */
#include "test/system/random_calls/table.h"

#include <string.h>

#include "lib/rt/env.h"
#include "test/support/tap.h"

enum {
#define OBJECT(number, name, text) TYPE_OF_##name = number,
#include "lib/abi/objects.def"
#undef OBJECT
    TYPE_OF_any = TYPE_ANY,
    TYPE_OF_memory = TYPE_MEMORY,
};

#define RIGHT(object, name, value, text)
#define INHERITS(object, base)
#define ARGS0 \
    0,        \
    {         \
        NULL  \
    }
#define ARGS1(p) \
    1,           \
    {            \
#p       \
    }
#define ARGS2(p, q) \
    2,              \
    {               \
#p, #q      \
    }
#define ARGS3(p, q, r) \
    3,                 \
    {                  \
#p, #q, #r     \
    }
#define ARGS4(p, q, r, s) \
    4,                    \
    {                     \
#p, #q, #r, #s    \
    }
#define ARGS5(p, q, r, s, t) \
    5,                       \
    {                        \
#p, #q, #r, #s, #t   \
    }

const struct operation operations[] = {
#define OP(object, number, name, rights, nargs, args, text) \
    {#object, #name, TYPE_OF_##object, number, false, nargs, args},
#define SYS(object, number, name, text) {#object, #name, TYPE_OF_##object, number, true, 0, ARGS0},
#define ERR(object, op, status, text)
#include "lib/abi/all.def"
#undef OP
#undef SYS
#undef ERR
};
#define NOPERATIONS (sizeof operations / sizeof *operations)
const unsigned noperations = NOPERATIONS;

static const struct {
    const char *object, *name;
    status_t status;
} pairs[] = {
#define OP(object, number, name, rights, nargs, args, text) {#object, #name, ST_OK},
#define SYS(object, number, name, text)                     {#object, #name, ST_OK},
#define ERR(object, op, status, text)                       {#object, #op, ST_##status},
#include "lib/abi/all.def"
#undef OP
#undef SYS
#undef ERR
};
#define NPAIRS (sizeof pairs / sizeof *pairs)

static uint32_t seen[NOPERATIONS][STATUS_LIMIT];

void coverage_begin(void)
{
    memset(seen, 0, sizeof seen);
}

void coverage_note(unsigned operation, status_t status)
{
    if (status < STATUS_LIMIT)
        seen[operation][status]++;
}

/* "any": of whatever operation. */
static bool was_seen(const char *object, const char *name, status_t status)
{
    for (unsigned i = 0; i < NOPERATIONS; i++)
        if ((strcmp(name, "any") == 0 || (strcmp(operations[i].object, object) == 0 &&
                                          strcmp(operations[i].name, name) == 0)) &&
            seen[i][status])
            return true;
    return false;
}

unsigned coverage_pairs(unsigned *all)
{
    unsigned n = 0;

    for (unsigned i = 0; i < NPAIRS; i++) {
        bool found = was_seen(pairs[i].object, pairs[i].name, pairs[i].status);

        if (!found && env_verbose())
            note("not seen: %s.%s %s", pairs[i].object, pairs[i].name,
                 status_name(pairs[i].status));
        n += found;
    }
    *all = NPAIRS;
    return n;
}

bool coverage_succeeded(unsigned operation)
{
    return seen[operation][ST_OK] != 0;
}
