/* SPDX-License-Identifier: MIT */
/*
 * platform.h: what the kernel asks of the devices around the processor.
 *
 * Implemented in platform/drivers; the kernel includes no other header from there.  Registers are
 * found in the device tree and mapped by boot.c, which hands their kernel addresses over.
 * Everything else that is a device is driven by user programs.
 */
#ifndef KERNEL_CORE_PLATFORM_H
#define KERNEL_CORE_PLATFORM_H

#include "lib/base/machine.h"
#include "lib/base/types.h"

/* ---- Interrupt controller --------------------------------------------------------------------- */

/* All lines off, nothing claimed, for the context of this hart.  `registers`: kernel address of the
 * PLIC.  Boot. */
void platform_irq_init(const struct machine *machine, void *registers, u32 context);

/* Lines are numbered 1 to platform_irq_lines(); 0: no controller. */
unsigned platform_irq_lines(void);

/*
 * A line that fires is claimed by the kernel and then stays silent until it is completed, whatever
 * the device does; so nothing has to mask it meanwhile.
 *   claim      the highest pending line, or 0
 *   complete   the line may fire again; nothing happens if it was not claimed
 *   enable     let it through to this hart
 *   disable    do not; a claim that is open is completed first, since a PLIC ignores a completion
 *              for a line that is off, and the line would be lost for ever
 * Lock: alone.  Line in 1 .. platform_irq_lines(); others are ignored.
 */
unsigned platform_irq_claim(void);
void platform_irq_complete(unsigned line);
void platform_irq_enable(unsigned line);
void platform_irq_disable(unsigned line);

/* ---- Early console ---------------------------------------------------------------------------- */

/* Use the UART of the machine from now on; `registers`: its kernel address.  False: no driver here
 * for that kind; the console then goes through the firmware.  Boot. */
bool platform_console_init(const struct machine *machine, void *registers);

/* Send bytes as they are, waiting for room.  Works from the first instruction of C on: before
 * platform_console_init it goes through the firmware.  Any state. */
void platform_console_write(const char *bytes, size_t n);

/* ---- End -------------------------------------------------------------------------------------- */

/* Where the test finisher's register is; NULL: the machine has none.  Boot. */
void platform_power_init(void *finisher);

/* End the machine: on QEMU with that exit code (0 to 127); on a board by powering it off, and where
 * even the firmware cannot do that, by stopping here for good.  Any state. */
_Noreturn void platform_power_off(unsigned code);

#endif
