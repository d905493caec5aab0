/* SPDX-License-Identifier: MIT */
/*
 * sbi.h: calls to the firmware (RISC-V Supervisor Binary Interface Specification, version 2.0).
 *
 * Boards ship anything from version 0.3 on, so every extension is probed before its first use, and
 * the console has the legacy call to fall back on.  A call costs hundreds of instructions in
 * machine mode.
 */
#ifndef ARCH_SBI_H
#define ARCH_SBI_H

#include "lib/base/types.h"

#define SBI_SUCCESS 0l

struct sbi_result {
    i64 error; /* SBI_SUCCESS or negative */
    u64 value;
};

/* Specification version: major << 24 | minor. */
u32 sbi_version(void);

/* Name of the firmware for people, from its number. */
const char *sbi_implementation(void);

/* Let the timer interrupt fire when `time` reaches that, and clear a pending one. */
void sbi_set_timer(u64 time);

/* Print one byte, by the debug console extension or the legacy call.  False: neither works. */
bool sbi_console_put(char c);

/* Power the machine off; `failed` is a hint to whoever keeps a log.  May return: then it cannot. */
void sbi_shutdown(bool failed);

/* State of a hart (HSM): 0 started, 1 stopped, 2 start pending, 3 stop pending; other: unknown. */
int sbi_hart_state(u64 hart_id);

#endif
