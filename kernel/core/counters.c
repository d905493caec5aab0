/* SPDX-License-Identifier: MIT */
/* Counters of the whole kernel: the one instance. */
#include "kernel/core/counters.h"

struct counters kernel_counters;
