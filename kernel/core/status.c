/* SPDX-License-Identifier: MIT */
/* The names of statuses, for reports and panics. */
#include "kernel/core/status.h"

static const char *const names[STATUS_LIMIT] = {
#define STATUS(number, name, text) [number] = #name,
#include "lib/abi/status.def"
#undef STATUS
};

static const char *const texts[STATUS_LIMIT] = {
#define STATUS(number, name, text) [number] = text,
#include "lib/abi/status.def"
#undef STATUS
};

const char *status_name(unsigned status)
{
    return status < STATUS_LIMIT && names[status] ? names[status] : "UNKNOWN";
}

const char *status_text(unsigned status)
{
    return status < STATUS_LIMIT && texts[status] ? texts[status] : "a status without a name";
}
