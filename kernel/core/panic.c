/* SPDX-License-Identifier: MIT */
/*
 * panic.c: the last words of the kernel.  See panic.h.
 *
 * Trusts as little as it can: a panic within a panic (or a trap) ends the machine at once, and the
 * backtrace follows frame pointers only inside the stacks of the image.
 */
#include "kernel/core/panic.h"

#include "arch/csr.h"
#include "kernel/core/console.h"
#include "kernel/core/hart.h"
#include "kernel/core/platform.h"
#include "kernel/core/trace.h"
#include "kernel/core/trap.h"
#include "lib/base/text.h"

struct panic_record panic_record;
struct kernel_trap kernel_trap_record;

extern const u8 image_start[], image_text_end[], image_stack_start[], image_mapped_end[];

#define BACKTRACE_MAX 32
#define TRACE_SHOWN   32 /* events that led here; debug builds */

static const char *const register_names[32] = {"pc", "ra", "sp",  "gp",  "tp", "t0", "t1", "t2",
                                               "s0", "s1", "a0",  "a1",  "a2", "a3", "a4", "a5",
                                               "a6", "a7", "s2",  "s3",  "s4", "s5", "s6", "s7",
                                               "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6"};

static bool is_code(u64 address)
{
    return address >= (u64)image_start && address < (u64)image_text_end;
}

/* May the 16 bytes below a frame pointer be read? */
static bool is_frame(u64 fp)
{
    return is_aligned(fp, 16) && fp >= (u64)image_stack_start + 16 && fp <= (u64)image_mapped_end;
}

/* One line for each caller, from a frame pointer on: the return address is at fp - 8, the caller's
 * frame pointer at fp - 16. */
static void backtrace(u64 fp)
{
    for (unsigned i = 0; i < BACKTRACE_MAX && is_frame(fp); i++) {
        u64 ra = *(u64 *)(fp - 8), next = *(u64 *)(fp - 16);

        if (!is_code(ra))
            return;
        console_printf("bt: 0x%lx\n", ra);
        if (next <= fp)
            return;
        fp = next;
    }
}

/*
 * From a trap.  The function that trapped may be a leaf, whose frame holds the caller's frame pointer
 * at fp - 8 and no return address (GCC 12 with -fno-omit-frame-pointer), or it may have taken its
 * frame down already; in both cases the caller is known from ra alone.  In a function that has made
 * calls ra is where the last one returned to, and tells nothing new: hence a mark on that line.
 */
static void backtrace_trap(const struct kernel_trap *trap)
{
    u64 fp = trap->regs[8];

    console_printf("bt: pc 0x%lx\n", trap->sepc);
    if (is_code(trap->regs[1]))
        console_printf("bt: ra 0x%lx\n", trap->regs[1]);
    if (is_frame(fp) && !is_code(*(u64 *)(fp - 8)))
        fp = *(u64 *)(fp - 8);
    backtrace(fp);
}

static void print_registers(const struct kernel_trap *trap)
{
    console_printf("scause 0x%lx  sepc 0x%lx  stval 0x%lx  sstatus 0x%lx\n", trap->scause,
                   trap->sepc, trap->stval, trap->sstatus);
    for (unsigned i = 1; i < 32; i++)
        console_printf("%-3s 0x%016lx%s", register_names[i], trap->regs[i],
                       i % 3 == 0 || i == 31 ? "\n" : "  ");
}

static void print_state(void)
{
    const struct hart *h = &boot_hart;
    char lines[512];
    struct text t;

    console_printf("hart %lu  satp 0x%lx  thread %p\n", h->id, csr_read(satp), (void *)h->thread);
    if (!h->thread)
        return;
    text_init(&t, lines, sizeof(lines));
    current_describe(&t);
    console_puts(lines);
}

/* Note the message; a second panic gets no further than here. */
static void panic_begin(const char *format, va_list args)
{
    struct text t;

    if (panic_record.panicked)
        platform_power_off(1);
    panic_record.panicked = PANICKED;
    trace(panic, __builtin_return_address(0), 0, 0);
    text_init(&t, panic_record.message, sizeof(panic_record.message));
    text_vprintf(&t, format, args);
    console_start();
    console_puts("\npanic: ");
    console_puts(panic_record.message);
    console_putc('\n');
    if (CONFIG_DEBUG)
        trace_print(TRACE_SHOWN);
}

_Noreturn void panic(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    panic_begin(format, args);
    va_end(args);
    backtrace((u64)__builtin_frame_address(0));
    print_state();
    platform_power_off(1);
}

_Noreturn void assert_failed(const char *condition, const char *file, unsigned line)
{
    panic("assertion failed: %s (%s:%u)", condition, file, line);
}

static void panic_begin_trap(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    panic_begin(format, args);
    va_end(args);
}

/* Entered from entry.S on the panic stack, with the registers in kernel_trap_record. */
_Noreturn void panic_trap(void)
{
    struct kernel_trap *trap = &kernel_trap_record;

    trap->scause = csr_read(scause);
    trap->sepc = csr_read(sepc);
    trap->stval = csr_read(stval);
    trap->sstatus = csr_read(sstatus);
    panic_begin_trap("trap in the kernel: cause %lu at 0x%lx, value 0x%lx", trap->scause,
                     trap->sepc, trap->stval);
    backtrace_trap(trap);
    print_registers(trap);
    print_state();
    platform_power_off(1);
}
