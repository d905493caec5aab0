/* SPDX-License-Identifier: MIT */
/* ns16550.h: the registers of a 16550 UART and its many descendants, for the kernel's early console
 * and the user-level driver alike.
 *
 * The chips differ in how the eight registers are spread: register n is at base + (n << shift),
 * and an access has to be `width` bytes (device tree: reg-shift, reg-io-width). A DesignWare one
 * (VisionFive 2) takes 32-bit accesses only. Source: National Semiconductor PC16550D data sheet;
 * Synopsys DW_apb_uart databook for the last two. */
#ifndef LIB_BASE_NS16550_H
#define LIB_BASE_NS16550_H

#include "lib/base/types.h"

enum ns16550_register {
    NS16550_DATA = 0, /* read: received byte; write: byte to send */
    NS16550_IER = 1,  /* interrupt enable */
    NS16550_IIR = 2,  /* read: why it interrupts */
    NS16550_FCR = 2,  /* write: FIFO control */
    NS16550_LCR = 3,  /* line control; while the chip is busy a DesignWare ignores a write to it and
                       * raises NS16550_IIR_BUSY, so leave it as the firmware set it */
    NS16550_MCR = 4,  /* modem control */
    NS16550_LSR = 5,  /* line status */
    NS16550_USR = 31, /* DesignWare only: reading it ends NS16550_IIR_BUSY */
};

#define NS16550_IER_RECEIVE   0x01 /* a byte is there */
#define NS16550_IER_TRANSMIT  0x02 /* room to send */
#define NS16550_IIR_NONE      0x01 /* no interrupt */
#define NS16550_IIR_WHY       0x0f
#define NS16550_IIR_BUSY      0x07
#define NS16550_IIR_FIFOS     0xc0 /* both set: the FIFOs of 16 bytes are in use */
#define NS16550_FCR_ENABLE    0x01
#define NS16550_MCR_OUT2      0x08 /* lets the interrupt out, on PC descendants */
#define NS16550_LSR_RECEIVED  0x01
#define NS16550_LSR_OVERRUN   0x02
#define NS16550_LSR_SEND_ROOM 0x20 /* the transmit register is empty */
#define NS16550_LSR_SEND_IDLE 0x40 /* and so is the line */

/* A chip: the address its registers are mapped at, and how they are spread. */
struct ns16550 {
    volatile u8 *base;
    u32 shift; /* register n is at base + (n << shift) */
    u32 width; /* bytes of an access: 1, 2 or 4 */
};

static inline u8 ns16550_read(const struct ns16550 *uart, unsigned number)
{
    volatile u8 *at = uart->base + ((u64)number << uart->shift);

    if (uart->width == 4)
        return (u8) * (volatile u32 *)at;
    if (uart->width == 2)
        return (u8) * (volatile u16 *)at;
    return *at;
}

static inline void ns16550_write(const struct ns16550 *uart, unsigned number, u8 value)
{
    volatile u8 *at = uart->base + ((u64)number << uart->shift);

    if (uart->width == 4)
        *(volatile u32 *)at = value;
    else if (uart->width == 2)
        *(volatile u16 *)at = value;
    else
        *at = value;
}

#endif
