/* SPDX-License-Identifier: MIT */
// sources: test/unit/fake/arena.c test/unit/fake/panic.c
/*
 * Claim: that of test_radix.c, in trees whose nodes have four entries: six levels cover 4,096
 * indexes, so random ranges meet node borders, full nodes and empty trees all the time.
 */
#define RADIX_BITS 2
#include "kernel/object/radix.c"

#include "test/unit/kernel/test_radix.c"
