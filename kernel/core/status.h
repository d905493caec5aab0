/* SPDX-License-Identifier: MIT */
/* The names of statuses, from lib/abi/status.def, for reports and panics. */
#ifndef KERNEL_CORE_STATUS_H
#define KERNEL_CORE_STATUS_H

#include "lib/abi/abi.h"

/* "NO_REGION" and "nothing is mapped at that address"; any number is allowed. */
const char *status_name(unsigned status);
const char *status_text(unsigned status);

#endif
