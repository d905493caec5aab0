/* SPDX-License-Identifier: MIT */
/*
 * uart_ns16550.c: the early console, polling, on a 16550 or a descendant.
 *
 * The firmware has set speed and format and used the line already, so nothing is configured here:
 * on a DesignWare UART a write to LCR while it is busy would be lost and raise an interrupt that
 * nobody expects.  Machines with another UART print through the firmware, slowly.
 */
#include "arch/cpu.h"
#include "arch/sbi.h"
#include "kernel/core/platform.h"
#include "lib/base/ns16550.h"

static struct ns16550 console; /* base NULL: not there yet, or of another kind */

bool platform_console_init(const struct machine *machine, void *registers)
{
    if (machine->uart.kind != MACHINE_UART_NS16550)
        return false;
    console.shift = machine->uart.reg_shift;
    console.width = machine->uart.reg_io_width;
    console.base = registers;
    return true;
}

static void uart_put(const struct ns16550 *uart, char c)
{
    while (!(ns16550_read(uart, NS16550_LSR) & NS16550_LSR_SEND_ROOM))
        cpu_relax();
    ns16550_write(uart, NS16550_DATA, (u8)c);
}

void platform_console_write(const char *bytes, size_t n)
{
    const struct ns16550 uart = console; /* in registers: boot prints a lot, and is measured */

    for (size_t i = 0; i < n; i++) {
        if (!uart.base)
            sbi_console_put(bytes[i]);
        else
            uart_put(&uart, bytes[i]);
    }
}
