/* SPDX-License-Identifier: MIT */
/*
 * sbi.c: calls to the firmware.  See arch/sbi.h.
 */
#include "arch/sbi.h"

#define SBI_LEGACY_PUTCHAR  1
#define SBI_LEGACY_SHUTDOWN 8
#define SBI_BASE            0x10
#define SBI_TIME            0x54494d45
#define SBI_HSM             0x48534d
#define SBI_SRST            0x53525354
#define SBI_DBCN            0x4442434e

#define BASE_VERSION        0
#define BASE_IMPLEMENTATION 1
#define BASE_PROBE          3
#define HSM_STATUS          2
#define DBCN_WRITE_BYTE     2
#define SRST_SHUTDOWN       0
#define SRST_NO_REASON      0
#define SRST_FAILURE        1

static struct sbi_result sbi_call(u64 extension, u64 function, u64 arg0, u64 arg1)
{
    register u64 a0 __asm__("a0") = arg0;
    register u64 a1 __asm__("a1") = arg1;
    register u64 a6 __asm__("a6") = function;
    register u64 a7 __asm__("a7") = extension;

    __asm__ volatile("ecall" : "+r"(a0), "+r"(a1) : "r"(a6), "r"(a7) : "memory");
    return (struct sbi_result){(i64)a0, a1};
}

/* Legacy calls return one value in a0. */
static i64 sbi_legacy(u64 number, u64 arg0)
{
    return sbi_call(number, 0, arg0, 0).error;
}

static bool sbi_has(u64 extension)
{
    struct sbi_result r = sbi_call(SBI_BASE, BASE_PROBE, extension, 0);

    return r.error == SBI_SUCCESS && r.value != 0;
}

u32 sbi_version(void)
{
    return (u32)sbi_call(SBI_BASE, BASE_VERSION, 0, 0).value;
}

const char *sbi_implementation(void)
{
    u64 number = sbi_call(SBI_BASE, BASE_IMPLEMENTATION, 0, 0).value;

    if (number == 0)
        return "BBL";
    if (number == 1)
        return "OpenSBI";
    if (number == 3)
        return "KVM";
    if (number == 4)
        return "RustSBI";
    return "unknown firmware";
}

void sbi_set_timer(u64 time)
{
    (void)sbi_call(SBI_TIME, 0, time, 0);
}

bool sbi_console_put(char c)
{
    static enum { UNKNOWN, DBCN, LEGACY } way;

    if (way == UNKNOWN)
        way = sbi_has(SBI_DBCN) ? DBCN : LEGACY;
    if (way == DBCN)
        return sbi_call(SBI_DBCN, DBCN_WRITE_BYTE, (u8)c, 0).error == SBI_SUCCESS;
    return sbi_legacy(SBI_LEGACY_PUTCHAR, (u8)c) == SBI_SUCCESS;
}

void sbi_shutdown(bool failed)
{
    if (sbi_has(SBI_SRST))
        (void)sbi_call(SBI_SRST, 0, SRST_SHUTDOWN, failed ? SRST_FAILURE : SRST_NO_REASON);
    (void)sbi_legacy(SBI_LEGACY_SHUTDOWN, 0);
}

int sbi_hart_state(u64 hart_id)
{
    struct sbi_result r = sbi_call(SBI_HSM, HSM_STATUS, hart_id, 0);

    return r.error == SBI_SUCCESS ? (int)r.value : -1;
}
